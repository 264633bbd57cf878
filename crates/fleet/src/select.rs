//! Decides which users are due: a pure function of a rule, a report row and the time.
//!
//! Every user gets a verdict with a reason. No user is skipped silently.

use keywright_base::{Timestamp, limits};
use keywright_rotation::model::KeyId;
use sha2::{Digest, Sha256};

use super::{
    calendar::closed,
    config::{FleetAccount, FleetRule},
    credentials::{CredentialRow, KeyRow},
};

/// A user and the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSelection {
    /// The name.
    pub user: String,
    /// The index of the rule in the account. `None` if no rule matches.
    pub rule: Option<usize>,
    /// The verdict.
    pub verdict: RotationNeed,
}

/// What to do about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotationNeed {
    /// Rotate its key.
    Due(DueKey),
    /// Not yet: the key is young enough, or the window is closed.
    Later {
        /// The earliest time of the rotation.
        at: Timestamp,
        /// When its key is or was due. `None` if it is due by its age, but newer than the report.
        since: Option<Timestamp>,
        /// The reason for waiting.
        why: String,
    },
    /// The decision needs the user's tags.
    AskTags,
    /// A person must decide first.
    Person(String),
    /// Nothing to do, with the reason.
    Nothing(String),
}

/// A key that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueKey {
    /// Its ID, once listed: the report contains none.
    pub key: Option<KeyId>,
    /// When it was created. A listing also has whole seconds, so the key is found by this time.
    pub created: Timestamp,
    /// Since when it is due.
    pub since: Timestamp,
    /// When the report was generated.
    pub report: Timestamp,
}

/// The two times that a decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SurveyTime {
    /// When the report was generated: last-used data is as of this time.
    pub report: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// The user's tags, if they have been read.
pub(super) type KnownTags<'a> = Option<&'a [(String, String)]>;

/// Decides about a user by the first rule that matches.
pub fn choose(
    account: &FleetAccount,
    row: &CredentialRow,
    tags: KnownTags<'_>,
    time: SurveyTime,
) -> UserSelection {
    let user = row.user.clone();
    let choice = |rule, verdict| UserSelection {
        user: user.clone(),
        rule,
        verdict,
    };
    if row.is_root() {
        let why = "a fleet does not rotate the root user".to_owned();
        return choice(None, RotationNeed::Nothing(why));
    }
    for (number, rule) in account.rules.iter().enumerate() {
        match fits(rule, row, tags) {
            RuleMatch::No => {}
            RuleMatch::AskTags => return choice(Some(number), RotationNeed::AskTags),
            RuleMatch::Yes => {
                let verdict = by_rule(account, rule, row, time);
                return choice(Some(number), verdict);
            }
        }
    }
    choice(None, RotationNeed::Nothing("no rule matches".to_owned()))
}

/// Whether a rule selects a user.
pub(super) enum RuleMatch {
    Yes,
    No,
    AskTags,
}

/// Whether a rule selects the user of a row.
pub(super) fn fits(rule: &FleetRule, row: &CredentialRow, tags: KnownTags<'_>) -> RuleMatch {
    let name = row.user.to_ascii_lowercase();
    let named = |pattern: &String| like(&pattern.to_ascii_lowercase(), &name);
    let named = rule.users.is_empty() || rule.users.iter().any(named);
    let below = rule
        .path
        .as_deref()
        .is_none_or(|path| row.path().starts_with(path));
    if !named || !below {
        return RuleMatch::No;
    }
    if rule.tags.is_empty() {
        return RuleMatch::Yes;
    }
    let Some(tags) = tags else {
        return RuleMatch::AskTags;
    };
    let has = |(key, wanted): (&String, &String)| {
        tags.iter()
            .any(|(name, value)| name == key && like(wanted, value))
    };
    if rule.tags.iter().all(has) {
        RuleMatch::Yes
    } else {
        RuleMatch::No
    }
}

/// Matches a text against a pattern in which `*` stands for anything.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn by_rule(
    account: &FleetAccount,
    rule: &FleetRule,
    row: &CredentialRow,
    time: SurveyTime,
) -> RotationNeed {
    if rule.skip {
        return RotationNeed::Nothing("a rule skips it".to_owned());
    }
    let present: Vec<&KeyRow> = row
        .keys
        .iter()
        .filter(|key| key.created.is_some())
        .collect();
    let key = match present.as_slice() {
        [] => return RotationNeed::Nothing("it has no access key".to_owned()),
        [key] if !key.active => return RotationNeed::Nothing("its key is inactive".to_owned()),
        [key] => *key,
        _ => {
            let ages = present.iter().map(|key| {
                let created = key.created.unwrap_or_default().iso8601();
                let used = key
                    .used
                    .map_or_else(|| "never used".to_owned(), |at| format!("used {at}"));
                format!("one created {created}, {used}")
            });
            let ages: Vec<_> = ages.collect();
            return RotationNeed::Person(format!("it has two keys: {}", ages.join("; ")));
        }
    };
    if let Some(within) = rule.used_within
        && key
            .used
            .is_none_or(|used| used.plus_secs(within.0) < time.report)
    {
        return RotationNeed::Nothing("its key was not used recently".to_owned());
    }
    let created = key.created.unwrap_or_default();
    let age = rule.max_age_secs();
    let jitter = rule.jitter.map_or(0, |jitter| spread(&row.arn, jitter.0));
    let since = created.plus_secs(age - jitter);
    // A key that is newer than the report has just replaced another.
    if created > time.report {
        let next_report = limits::CREDENTIAL_REPORT_HOURS * 3600;
        return RotationNeed::Later {
            at: since.max(time.report.plus_secs(next_report)),
            since: Some(since).filter(|since| *since > time.now),
            why: "its key is new".to_owned(),
        };
    }
    if since > time.now {
        return RotationNeed::Later {
            at: since,
            since: Some(since),
            why: "its key is not due yet".to_owned(),
        };
    }
    match closed(rule.window.as_ref(), &account.freezes, time.now) {
        Some(closed) => RotationNeed::Later {
            at: closed.at,
            since: Some(since),
            why: format!("due since {since}, waiting for {}", closed.why),
        },
        None => RotationNeed::Due(DueKey {
            key: None,
            created,
            since,
            report: time.report,
        }),
    }
}

/// A user's share of a time span, by ARN: stable, and different for each user.
fn spread(arn: &str, span_secs: i64) -> i64 {
    let digest: [u8; 32] = Sha256::digest(arn).into();
    let number = digest
        .iter()
        .take(7)
        .fold(0_i64, |sum, byte| sum << 8 | i64::from(*byte));
    number % (span_secs + 1)
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
