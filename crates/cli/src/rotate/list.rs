//! `rotate --list`: rotates many users or key IDs from a file or standard input.
//!
//! Invariants: every unusable line is reported before anything starts, and if there is one, nothing
//! starts. A failure for one user does not stop the others.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use futures_util::future::join_all;
use keywright_aws::{AccountClient, ClientSettings, IamIssuer};
use keywright_fleet::driver::{DriveOutcome, RotationDriver};
use keywright_rotation::{
    model::{KeyId, Rotation},
    ports::{Issuer, IssuerError, KeyOwnership, UsageEvidence},
};
use keywright_sinks::fits_in_place;
use serde_json::json;

use super::{
    AT_ONCE, DrivenRotation, RotationDraft, StartContext, activity, arguments::StartArguments,
    begin, caveats, drive, hint_at_permissions, is_well, show,
};
use crate::remote::printable;

/// Size limit of a list in bytes.
const LIST_BYTES: u64 = 1024 * 1024;
/// Users in a list at most: as many as an account can have.
const USERS_MAX: usize = keywright_base::limits::USERS_PER_ACCOUNT;
/// Seconds to wait for one rotation before the next ones start. All that need longer wait together
/// later.
const FIRST_PATIENCE_SECS: i64 = 15;

/// A line that names a user or a key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ListLine {
    number: usize,
    name: ListTarget,
}

/// The target of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ListTarget {
    User(String),
    Key(KeyId),
}

/// A user of the list, with the key if the line named one.
struct ListedUser {
    number: usize,
    user: String,
    key: Option<String>,
}

/// Rotates every user of a list.
pub(super) async fn start(
    driver: &RotationDriver,
    arguments: &StartArguments,
    (path, settings): (&Path, ClientSettings),
) -> anyhow::Result<bool> {
    let (lines, mut bad) = parse(&read(path)?)?;
    let access = driver.access(&settings).await?;
    let listed = resolve(&access, lines, &mut bad).await?;
    if !bad.is_empty() {
        bad.sort_by_key(|(number, _)| *number);
        let mut err = io::stderr().lock();
        for (number, why) in &bad {
            writeln!(err, "{}:{number}: {}", path.display(), printable(why))?;
        }
        bail!(
            "{} of the lines are invalid; nothing was started",
            bad.len()
        );
    }
    ensure!(!listed.is_empty(), "{} contains no users", path.display());
    for one in &listed {
        // Invalid arguments are invalid for every user.
        arguments.sinks_of(&one.user, &access.identity().account)?;
    }
    let order = StartContext {
        arguments,
        settings: &settings,
        access: &access,
    };
    let mut failed = Vec::new();
    let mut results = Vec::with_capacity(listed.len());
    for some in listed.chunks(AT_ONCE) {
        let begun = some.iter().map(|one| begin_one(driver, &order, one));
        let mut rotations = Vec::new();
        for (one, begun) in some.iter().zip(join_all(begun).await) {
            match begun {
                Ok(rotation) => rotations.extend(rotation),
                Err(error) => failed.push((one, format!("{error:#}"))),
            }
        }
        results.extend(drive(driver, rotations, FIRST_PATIENCE_SECS).await?);
    }
    let results = wait_together(driver, results, arguments.patience()).await?;
    report(driver, arguments, (&results, &failed)).await?;
    Ok(failed.is_empty() && results.iter().all(|(_, rest)| is_well(rest)))
}

/// Starts the rotation of one user or continues the open one. `None` if only the plan is wanted.
async fn begin_one(
    driver: &RotationDriver,
    order: &StartContext<'_>,
    one: &ListedUser,
) -> anyhow::Result<Option<Rotation>> {
    let arguments = order.arguments;
    let sinks = arguments.sinks_of(&one.user, &order.access.identity().account)?;
    let prepared = order
        .prepare(driver, &one.user, one.key.clone(), &sinks)
        .await?;
    match prepared {
        RotationDraft::Open(_) if arguments.dry_run => Ok(None),
        RotationDraft::Open(open) => {
            order.take_up(driver, &open, &sinks).await?;
            Ok(Some(open))
        }
        RotationDraft::Drafted(rotation) => {
            let caveats = caveats(&sinks, &rotation, &rotation.deliveries);
            let planned = show::PlanView::new(&rotation, &caveats, order.access.is_keywright());
            if arguments.dry_run {
                planned.print_result(arguments.json)?;
                return Ok(None);
            }
            planned.print()?;
            begin(driver, &rotation).await?;
            Ok(Some(rotation))
        }
    }
}

/// Drives those that wait once more, with all the remaining patience.
async fn wait_together(
    driver: &RotationDriver,
    results: Vec<DrivenRotation>,
    patience_secs: i64,
) -> anyhow::Result<Vec<DrivenRotation>> {
    let waits = |(_, rest): &DrivenRotation| matches!(rest, Ok(DriveOutcome::Wait { .. }));
    let (waiting, mut rested): (Vec<_>, Vec<_>) = results.into_iter().partition(waits);
    let waiting = waiting.into_iter().map(|(rotation, _)| rotation);
    rested.extend(drive(driver, waiting.collect(), patience_secs).await?);
    Ok(rested)
}

async fn report(
    driver: &RotationDriver,
    arguments: &StartArguments,
    (results, failed): (&[DrivenRotation], &[(&ListedUser, String)]),
) -> anyhow::Result<()> {
    if arguments.dry_run {
        for (one, why) in failed {
            writeln!(
                io::stderr(),
                "line {}, {}: {}",
                one.number,
                one.user,
                printable(why)
            )?;
        }
        return Ok(());
    }
    let activities = activity::of_incidents(driver, results, arguments.now).await;
    let mut counts = HashMap::from([("failed", failed.len())]);
    for (_, rest) in results {
        *counts.entry(show::outcome(rest).0).or_default() += 1;
    }
    let count = |outcome| counts.get(outcome).copied().unwrap_or(0);
    let counts = ["over", "waiting", "held", "failed"].map(|outcome| (outcome, count(outcome)));
    if arguments.json {
        let failed = failed.iter().map(|(one, why)| {
            json!({"Line": one.number, "UserName": one.user, "AccessKeyId": one.key, "Why": why})
        });
        let counted = counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), json!(count)));
        return show::print_json(&json!({
            "Rotations": show::rests_json(results, &activities),
            "Failed": failed.collect::<Vec<_>>(),
            "Summary": serde_json::Value::Object(counted.collect()),
        }));
    }
    show::outcomes(results)?;
    activity::print(&activities)?;
    let mut out = io::stdout().lock();
    for (one, why) in failed {
        writeln!(
            out,
            "failed: line {}, {}: {}",
            one.number,
            one.user,
            printable(why)
        )?;
    }
    let counts = counts.map(|(name, count)| format!("{count} {name}"));
    writeln!(out, "{}", counts.join(", "))?;
    drop(out);
    hint_at_permissions(results)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot read {}", path.display());
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin()
            .lock()
            .take(LIST_BYTES + 1)
            .read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path).with_context(cannot)?;
        file.take(LIST_BYTES + 1).read_to_string(&mut text)
    };
    let bytes = u64::try_from(read.with_context(cannot)?).unwrap_or(u64::MAX);
    ensure!(
        bytes <= LIST_BYTES,
        "{} is longer than {LIST_BYTES} bytes",
        path.display()
    );
    Ok(text)
}

/// Line numbers and what is wrong with them.
type BadLines = Vec<(usize, String)>;

/// Splits the list into lines that name a user or a key, and bad lines.
fn parse(text: &str) -> anyhow::Result<(Vec<ListLine>, BadLines)> {
    let (mut lines, mut bad) = (Vec::new(), Vec::new());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match name(line) {
            Ok(name) => lines.push(ListLine { number, name }),
            Err(why) => bad.push((number, why)),
        }
        ensure!(
            lines.len() <= USERS_MAX,
            "the list has more than {USERS_MAX} users"
        );
    }
    Ok((lines, bad))
}

fn name(text: &str) -> Result<ListTarget, String> {
    const PREFIX: usize = 4;
    let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    if text.len() >= 16 && text.chars().all(upper) {
        match text.get(..PREFIX) {
            Some("AKIA") => return Ok(ListTarget::Key(KeyId(text.to_owned()))),
            Some("ASIA") => {
                return Err(format!(
                    "{text} is the ID of temporary credentials, not of an access key"
                ));
            }
            _ => {}
        }
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if text.len() > 64 || !text.chars().all(allowed) {
        return Err(format!(
            "{text:?} is neither a user name nor an access key ID"
        ));
    }
    if !is_plain(text) {
        return Err(format!("the name {text} cannot be part of a destination"));
    }
    Ok(ListTarget::User(text.to_owned()))
}

/// Whether a name is safe in a destination. IAM allows a few special characters in names.
fn is_plain(name: &str) -> bool {
    fits_in_place(&name.replace(['@', '+', '=', ','], "_"))
}

/// Resolves the lines with the service. A line that it does not know is a bad line.
async fn resolve(
    access: &Arc<AccountClient>,
    lines: Vec<ListLine>,
    bad: &mut BadLines,
) -> anyhow::Result<Vec<ListedUser>> {
    let iam = IamIssuer(Arc::clone(access));
    let mut listed: Vec<ListedUser> = Vec::with_capacity(lines.len());
    let mut known: HashMap<String, usize> = HashMap::new();
    for some in lines.chunks(AT_ONCE) {
        let each = some.iter().map(|line| owner(&iam, &line.name));
        for (ListLine { number, name }, owner) in some.iter().zip(join_all(each).await) {
            let user = match owner? {
                Ok(user) => user,
                Err(why) => {
                    bad.push((*number, why));
                    continue;
                }
            };
            if let Some(first) = known.insert(user.to_lowercase(), *number) {
                bad.push((*number, format!("{user} is already on line {first}")));
                continue;
            }
            let key = match name {
                ListTarget::Key(key) => Some(key.0.clone()),
                ListTarget::User(_) => None,
            };
            listed.push(ListedUser {
                number: *number,
                user,
                key,
            });
        }
    }
    Ok(listed)
}

/// The user's name as the service spells it, or why there is none.
async fn owner(iam: &IamIssuer, name: &ListTarget) -> Result<Result<String, String>, IssuerError> {
    let user = match name {
        ListTarget::User(user) => user.clone(),
        ListTarget::Key(key) => match iam.owner(key).await? {
            KeyOwnership::User(user) if is_plain(&user) => user,
            KeyOwnership::User(user) => {
                return Ok(Err(format!(
                    "the name {user} cannot be part of a destination"
                )));
            }
            KeyOwnership::Nobody => return Ok(Err(format!("access key {key} does not exist"))),
            KeyOwnership::Undisclosed => {
                return Ok(Err(format!(
                    "access key {key} does not exist here, or you are not allowed to look it up"
                )));
            }
        },
    };
    match iam.user(&user).await {
        Ok(user) => Ok(Ok(user.name)),
        Err(IssuerError::NoSuchUser(_)) => Ok(Err(format!("user {user} does not exist"))),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use keywright_rotation::model::KeyId;

    use super::{ListLine, ListTarget, USERS_MAX, parse};

    #[test]
    fn lines_comments_and_what_is_neither() {
        let text = "\u{feff}# leaked\n\n  bob@corp \r\nAKIAIOSFODNN7EXAMPLE\n\n two words\n\
                    ASIAIOSFODNN7EXAMPLE\n\
                    ../x\n..\n";
        let (lines, bad) = parse(text).unwrap();
        let user = |number, name: &str| ListLine {
            number,
            name: ListTarget::User(name.to_owned()),
        };
        let key = ListTarget::Key(KeyId("AKIAIOSFODNN7EXAMPLE".to_owned()));
        assert_eq!(
            lines,
            [
                user(3, "bob@corp"),
                ListLine {
                    number: 4,
                    name: key
                }
            ]
        );
        let numbers: Vec<_> = bad.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [6, 7, 8, 9], "{bad:?}");
    }

    #[test]
    fn a_list_has_as_many_users_as_an_account() {
        let most = (0..USERS_MAX).map(|n| format!("user{n}\n"));
        let most: String = most.collect();
        assert_eq!(parse(&most).unwrap().0.len(), USERS_MAX);
        assert!(parse(&format!("{most}one-more\n")).is_err());
    }
}
