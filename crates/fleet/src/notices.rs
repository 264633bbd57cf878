//! Builds the notices of a round over an account, and queues them for each notifier.
//!
//! Invariant: a notifier hears of a state once, until it changes. The journal remembers what was
//! announced, so a restart repeats nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use keywright_base::{Clock, Timestamp};
use keywright_rotation::{
    model::{HoldReason, Phase, Rotation},
    ports::{Issuer, JournalError, RotationJournal},
};

use super::{
    config::{FleetAccount, FleetConfig},
    credentials::CredentialRow,
    problem::{ConfigErrors, FileProblem},
    run::{DriveReport, FleetRound},
    select::{RotationNeed, UserSelection},
};
use crate::driver::{DriveError, DriveOutcome, RotationDriver};
use crate::journal::NewNotice;
use crate::notify::{DigestPeriod, Notice, NoticeKind};
use keywright_aws::IamIssuer;

/// The longest value of a tag, in characters (AWS's limit).
const OWNER_CHARS: usize = 256;
/// The hour (UTC) after which a daily digest is sent.
const DIGEST_HOUR: i64 = 8;
const DAY_SECS: i64 = 86_400;
const HOUR_SECS: i64 = 3600;

/// The state of a subject, remembered by its name, and the notice that announces it.
struct SubjectState {
    subject: String,
    state: String,
    notice: Notice,
}

/// Queues the notices of a round, including problems with the account's rules, that a notifier has
/// not had yet. Returns how many older notices were dropped to make room.
///
/// # Errors
/// [`DriveError`].
pub async fn announce(
    driver: &RotationDriver,
    (config, account): (&FleetConfig, &FleetAccount),
    (round, problems): (&FleetRound, Option<&ConfigErrors>),
    clock: &dyn Clock,
) -> Result<u64, DriveError> {
    if config.notify.is_empty() {
        return Ok(0);
    }
    let mut standings = Vec::new();
    let now = clock.now();
    let about = RoundContext {
        number: &round.survey.account,
        name: &account.name,
        now,
    };
    for did in &round.drives {
        let rotation = match &did.rotation {
            Some(id) => driver.journal().rotation(id).await?,
            None => None,
        };
        // A rotation that waits for its calendar is on track.
        let closed = |rotation| driver.closed(rotation).is_ok_and(|closed| closed.is_some());
        let stops = rotation.as_ref().is_some_and(closed);
        standings.extend(about.rotation(did, rotation.as_ref(), stops));
    }
    standings.extend(about.problems(account, problems));
    for (choice, row) in round.survey.choices.iter().zip(&round.survey.rows) {
        standings.extend(about.user(choice));
        standings.extend(about.reminder(choice, row, config));
    }
    if round.broke {
        standings.push(about.stopped(config.stop_after_failures));
    }
    queue(driver, (config, account), standings, (now, true)).await
}

/// Queues a notice that an account could not be surveyed. See [`announce`].
///
/// # Errors
/// [`DriveError`].
pub async fn announce_failure(
    driver: &RotationDriver,
    (config, account): (&FleetConfig, &FleetAccount),
    why: &str,
    clock: &dyn Clock,
) -> Result<u64, DriveError> {
    let now = clock.now();
    let mut notice = Notice::of_account(&account.name, NoticeKind::Failed, why, now);
    notice.account = account.id.clone().unwrap_or_default();
    notice.next_step = Some("Check its credentials; the next round tries again".to_owned());
    let standing = SubjectState {
        subject: ACCOUNT.to_owned(),
        state: "failed".to_owned(),
        notice,
    };
    // Keep the other states: they may still hold.
    queue(driver, (config, account), vec![standing], (now, false)).await
}

const ACCOUNT: &str = "account";

/// What all notices of a round share.
struct RoundContext<'a> {
    number: &'a str,
    name: &'a str,
    now: Timestamp,
}

impl RoundContext<'_> {
    fn notice(&self, user: Option<&str>, outcome: NoticeKind, why: String) -> Notice {
        let mut notice = Notice::of_account(self.name, outcome, &why, self.now);
        notice.account = self.number.to_owned();
        notice.user_name = user.map(str::to_owned);
        notice
    }

    /// The state of a rotation. `None` while it is on track.
    fn rotation(
        &self,
        did: &DriveReport,
        rotation: Option<&Rotation>,
        stops: bool,
    ) -> Option<SubjectState> {
        let (outcome, why, state) = match &did.outcome {
            Ok(DriveOutcome::Over(phase)) => (
                NoticeKind::Over,
                format!("{phase:?}"),
                format!("{OVER}{phase:?}"),
            ),
            Ok(DriveOutcome::Held(hold)) => (
                NoticeKind::Held,
                hold.to_string(),
                format!("held:{}", hold_name(hold)),
            ),
            Ok(DriveOutcome::Wait { until, why }) => {
                let troubled = rotation.is_some_and(|rotation| rotation.is_in_trouble(*until));
                if stops || !troubled {
                    return None;
                }
                (NoticeKind::Warning, why.clone(), "warning".to_owned())
            }
            Err(error) => (NoticeKind::Failed, error.to_string(), "failed".to_owned()),
        };
        let mut notice = self.notice(Some(&did.user), outcome, why);
        let id = did.rotation.as_ref().map(|id| id.0.as_str());
        notice.next_step = next_step(&did.outcome, id);
        notice.rotation_id = id.map(str::to_owned);
        notice.old_access_key_id = rotation.map(|rotation| rotation.old.0.clone());
        notice.new_access_key_id = rotation.and_then(|rotation| Some(rotation.new.clone()?.0));
        Some(SubjectState {
            subject: match id {
                Some(id) => format!("rotation:{id}"),
                None => format!("user:{}", did.user),
            },
            state,
            notice,
        })
    }

    /// The reasons why the account's rules start nothing, each once.
    fn problems(
        &self,
        account: &FleetAccount,
        problems: Option<&ConfigErrors>,
    ) -> Vec<SubjectState> {
        let problems = problems.map_or(&[][..], ConfigErrors::problems).iter();
        let of_rules = problems.filter(|problem| account.has_problem(problem));
        let by_message: BTreeMap<_, _> = of_rules
            .map(|problem| (problem.message.as_str(), problem))
            .collect();
        let standing = |(message, problem): (&str, &FileProblem)| {
            let line = problem.at.line;
            let why = format!("no rotation is started: fleet file, line {line}: {message}");
            let mut notice = self.notice(None, NoticeKind::Failed, why);
            notice.next_step =
                Some("Correct the file, and check it with: keywright rotate plan FILE".to_owned());
            SubjectState {
                subject: format!("file:{message}"),
                state: "failed".to_owned(),
                notice,
            }
        };
        by_message.into_iter().map(standing).collect()
    }

    /// The state of a user who needs a person's attention before a rotation.
    fn user(&self, choice: &UserSelection) -> Option<SubjectState> {
        let RotationNeed::Person(why) = &choice.verdict else {
            return None;
        };
        let mut notice = self.notice(Some(&choice.user), NoticeKind::Warning, why.clone());
        notice.next_step = Some("Resolve this; the next round checks again".to_owned());
        Some(SubjectState {
            subject: format!("user:{}", choice.user),
            state: "warning".to_owned(),
            notice,
        })
    }

    /// The reminder that a key is due soon.
    fn reminder(
        &self,
        choice: &UserSelection,
        row: &CredentialRow,
        config: &FleetConfig,
    ) -> Option<SubjectState> {
        let RotationNeed::Later { at, since, why } = &choice.verdict else {
            return None;
        };
        let left = (*since)?.secs_since(self.now);
        let reached = config.remind.iter().filter(|before| left <= before.0);
        let before = reached.min()?.0;
        let keys = row.keys.iter().filter(|key| key.active);
        let created = keys.filter_map(|key| key.created).min()?;
        let mut notice = self.notice(Some(&choice.user), NoticeKind::Due, due(left, why));
        notice.due_at = Some(at.iso8601());
        notice.next_step = Some(
            "Nothing, if its consumers read the key from where it is delivered; it is rotated \
             automatically"
                .to_owned(),
        );
        Some(SubjectState {
            subject: format!("{DUE}{}", choice.user),
            state: format!("{}/{before}", created.secs()),
            notice,
        })
    }

    /// The notice that the round stopped starting rotations.
    fn stopped(&self, failures: usize) -> SubjectState {
        let why = format!(
            "no further rotation was started after {failures} consecutive failures; the next round \
             tries again"
        );
        let mut notice = self.notice(None, NoticeKind::Stopped, why);
        notice.next_step = Some("See what failed: keywright rotate status".to_owned());
        SubjectState {
            subject: "round".to_owned(),
            state: "stopped".to_owned(),
            notice,
        }
    }
}

/// Prefix of the state of a finished rotation.
const OVER: &str = "over:";
/// Prefix of the subject of a reminder.
const DUE: &str = "due:";

/// How long until a key is due, or how long it has been due and what it waits for.
fn due(left_secs: i64, why: &str) -> String {
    if left_secs <= 0 {
        return format!("is {why}");
    }
    let (secs, unit) = if left_secs < DAY_SECS {
        (HOUR_SECS, "hour")
    } else {
        (DAY_SECS, "day")
    };
    let number = (left_secs + secs - 1) / secs;
    let plural = if number == 1 { "" } else { "s" };
    format!("is due in {number} {unit}{plural}")
}

/// The name of a hold without its details, which may differ from round to round.
fn hold_name(hold: &HoldReason) -> String {
    let text = format!("{hold:?}");
    text.chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect()
}

/// What a person must do. Rotations are named by ID, which needs no quoting.
fn next_step(outcome: &Result<DriveOutcome, DriveError>, id: Option<&str>) -> Option<String> {
    let Some(id) = id else {
        let nothing = "Nothing was changed. Resolve this; the next round tries again";
        return matches!(outcome, Ok(DriveOutcome::Held(_))).then(|| nothing.to_owned());
    };
    let step = match outcome {
        Ok(DriveOutcome::Over(Phase::Done)) | Err(_) => return None,
        Ok(DriveOutcome::Over(Phase::UserGone)) => {
            format!(
                "Remove the key from the destinations that may still hold it: keywright rotate \
                 status {id}"
            )
        }
        Ok(DriveOutcome::Over(_)) => {
            format!("See which keys remain: keywright rotate status {id}")
        }
        Ok(DriveOutcome::Wait { .. }) => {
            format!("See what it is waiting for: keywright rotate status {id}")
        }
        Ok(DriveOutcome::Held(HoldReason::UserMissing(_) | HoldReason::AnotherUser(_))) => {
            format!("If the user was deleted, end the rotation: keywright rotate rollback {id}")
        }
        Ok(DriveOutcome::Held(HoldReason::Refused(_))) => {
            "Grant what is missing; the next round continues".to_owned()
        }
        Ok(DriveOutcome::Held(HoldReason::NewKeyUnused(_))) => format!(
            "Let its consumers read the new key; the rotation continues once one has used it. To \
             continue without that: keywright rotate change {id} --override-unused REASON --why \
             TEXT"
        ),
        Ok(DriveOutcome::Held(
            HoldReason::OldKeyGone(_) | HoldReason::OldKeyInactive(_) | HoldReason::NewKeyGone(_),
        )) => {
            format!(
                "If this is intended, end the rotation: keywright rotate abandon {id} --why TEXT"
            )
        }
        Ok(DriveOutcome::Held(_)) => format!(
            "Resolve this, then continue: keywright rotate release {id}; or roll back: keywright \
             rotate rollback {id}"
        ),
    };
    Some(step)
}

/// The earliest time at which a notice is sent.
fn not_before(config: &FleetConfig, outcome: NoticeKind, now: Timestamp) -> Timestamp {
    if config.digest != Some(DigestPeriod::Day) || outcome.is_urgent() {
        return now;
    }
    let midnight = now.secs().div_euclid(DAY_SECS) * DAY_SECS;
    let today = Timestamp::from_secs(midnight + DIGEST_HOUR * HOUR_SECS);
    if today > now {
        today
    } else {
        today.plus_secs(DAY_SECS)
    }
}

/// Queues notices that notifiers have not had. If the standings are complete, subjects missing
/// from them no longer apply and are forgotten.
async fn queue(
    driver: &RotationDriver,
    (config, account): (&FleetConfig, &FleetAccount),
    standings: Vec<SubjectState>,
    (now, are_all): (Timestamp, bool),
) -> Result<u64, DriveError> {
    let mut heard = Vec::with_capacity(config.notify.len());
    for notifier in &config.notify {
        heard.push(
            driver
                .journal()
                .announced(notifier.text(), &account.name)
                .await?,
        );
    }
    let is_new = |reported: &BTreeMap<String, String>, standing: &SubjectState| {
        reported.get(&standing.subject) != Some(&standing.state)
    };
    let current: BTreeSet<&str> = standings.iter().map(|one| one.subject.as_str()).collect();
    let (mut new, mut forget) = (Vec::new(), Vec::new());
    let fresh = standings
        .iter()
        .filter(|one| heard.iter().any(|reported| is_new(reported, one)));
    let users = fresh.filter_map(|one| one.notice.user_name.as_deref());
    let owners = owners(driver, config, account, users.collect()).await;
    for (notifier, reported) in config.notify.iter().zip(&heard) {
        for standing in standings.iter().filter(|one| is_new(reported, one)) {
            let mut notice = standing.notice.clone();
            let user = notice.user_name.as_deref();
            notice.owner = user.and_then(|user| owners.get(user).cloned());
            new.push(NewNotice {
                notifier: notifier.text().to_owned(),
                account: account.name.clone(),
                subject: standing.subject.clone(),
                state: standing.state.clone(),
                recipients: notifier.recipients(&notice),
                body: serde_json::to_string(&notice).map_err(unwritable)?,
                not_before: not_before(config, notice.outcome, now),
            });
        }
        let passed = reported.iter().filter(|(subject, state)| {
            let once = subject.starts_with(DUE) || state.starts_with(OVER);
            are_all && !once && !current.contains(subject.as_str())
        });
        let of = |(subject, _): (&String, &String)| {
            (
                notifier.text().to_owned(),
                account.name.clone(),
                subject.clone(),
            )
        };
        forget.extend(passed.map(of));
    }
    if new.is_empty() && forget.is_empty() {
        return Ok(0);
    }
    Ok(driver.journal().queue_notices(new, forget).await?)
}

fn unwritable(error: serde_json::Error) -> JournalError {
    JournalError::Unavailable(error.to_string())
}

/// The owners of users, as far as they can be determined. A notice without an owner is better than
/// no notice.
async fn owners(
    driver: &RotationDriver,
    config: &FleetConfig,
    account: &FleetAccount,
    users: BTreeSet<&str>,
) -> BTreeMap<String, String> {
    let Some(tag) = config.owner_tag.as_ref().filter(|_| !users.is_empty()) else {
        return BTreeMap::new();
    };
    let Ok(access) = driver.access(&account.access).await else {
        return BTreeMap::new();
    };
    let iam = &IamIssuer(access);
    let found = stream::iter(users).map(|user| async move {
        let tags = iam.user(user).await.ok()?.tags;
        let (_, owner) = tags.into_iter().find(|(key, _)| key == tag)?;
        Some((user.to_owned(), owner))
    });
    let found: Vec<_> = found.buffer_unordered(config.at_once).collect().await;
    found
        .into_iter()
        .flatten()
        .filter(|(_, owner)| !owner.trim().is_empty() && owner.chars().count() <= OWNER_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use keywright_base::Timestamp;
    use keywright_rotation::model::{HoldReason, KeyId};

    use super::{RoundContext, due, hold_name, not_before};
    use crate::notify::NoticeKind;
    use crate::{CredentialRow, FleetConfig, KeyRow, RotationNeed, UserSelection};

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    /// 2027-01-15, 08:00 UTC.
    const NOW: i64 = 1_800_000_000;

    fn config(words: &str) -> FleetConfig {
        let rule = "[[account]]\nname = 'a'\n[[account.rule]]\neveryone = true\n\
                    deliver = ['dotenv:/x/{user}.env']\n";
        FleetConfig::parse(&format!("{words}\n{rule}")).unwrap()
    }

    #[test]
    fn times_in_words() {
        for (secs, words) in [
            (-5, "is due since today, waiting for its window"),
            (0, "is due since today, waiting for its window"),
            (1, "is due in 1 hour"),
            (HOUR + 1, "is due in 2 hours"),
            (DAY, "is due in 1 day"),
            (DAY + 1, "is due in 2 days"),
            (14 * DAY, "is due in 14 days"),
        ] {
            assert_eq!(
                due(secs, "due since today, waiting for its window"),
                words,
                "{secs}"
            );
        }
    }

    #[test]
    fn each_reminder_once_for_each_key() {
        let config = config("remind = ['14d', '7d', '1d']");
        let state = |created: i64, left: i64| {
            let choice = UserSelection {
                user: "bob".to_owned(),
                rule: Some(0),
                verdict: RotationNeed::Later {
                    at: Timestamp::from_secs(NOW + left.max(3 * DAY)),
                    since: Some(Timestamp::from_secs(NOW + left)),
                    why: "due since then, waiting for the window".to_owned(),
                },
            };
            let key = KeyRow {
                active: true,
                created: Some(Timestamp::from_secs(created)),
                used: None,
            };
            let row = CredentialRow {
                user: "bob".to_owned(),
                arn: String::new(),
                created: None,
                password: false,
                password_used: None,
                password_set: None,
                keys: [key, KeyRow::default()],
            };
            let about = RoundContext {
                number: "123456789012",
                name: "a",
                now: Timestamp::from_secs(NOW),
            };
            let standing = about.reminder(&choice, &row, &config)?;
            assert_eq!(standing.notice.outcome, NoticeKind::Due);
            Some((standing.subject, standing.state))
        };
        assert_eq!(state(1, 14 * DAY + 1), None, "too early");
        let first = state(1, 14 * DAY);
        assert!(first.is_some());
        assert_eq!(state(1, 7 * DAY + 1), first, "said already");
        assert_ne!(state(1, 7 * DAY), first);
        assert_eq!(state(1, DAY), state(1, -DAY), "waiting for its window");
        assert_ne!(state(1, 14 * DAY), state(2, 14 * DAY), "another key");
    }

    #[test]
    fn a_daily_digest_goes_out_in_the_morning() {
        let day = config("digest = 'day'");
        let at =
            |secs: i64, outcome| not_before(&day, outcome, Timestamp::from_secs(secs)).secs() - NOW;
        assert_eq!(at(NOW - 1, NoticeKind::Over), 0);
        assert_eq!(at(NOW, NoticeKind::Over), DAY);
        assert_eq!(at(NOW, NoticeKind::Due), DAY);
        assert_eq!(at(NOW, NoticeKind::Held), 0, "urgent");
        let round = config("digest = 'round'");
        let now = Timestamp::from_secs(NOW);
        assert_eq!(not_before(&round, NoticeKind::Over, now), now);
    }

    #[test]
    fn a_hold_is_the_same_whatever_it_quotes() {
        let used = |text: &str| hold_name(&HoldReason::StillUsed(text.to_owned()));
        assert_eq!(used("at 10:00"), used("at 11:00"));
        assert_ne!(
            used("x"),
            hold_name(&HoldReason::NewKeyUnused(KeyId("x".to_owned())))
        );
    }
}
