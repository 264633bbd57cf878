//! The activity of leaked keys, reported when their rotations end and on request.

use std::io::{self, Write};

use keywright_aws::{CallOutcome, KeyActivity};
use keywright_fleet::driver::{DriveError, DriveOutcome, RotationDriver};
use keywright_rotation::model::RotationId;
use serde_json::{Value, json};

use super::{AT_ONCE, DrivenRotation, arguments::OneArguments, named, show};
use crate::remote::printable;

/// The activity of a rotation's old key, or why it is unknown.
pub(super) struct OldKeyActivity {
    pub(super) rotation: RotationId,
    found: Result<KeyActivity, DriveError>,
}

impl OldKeyActivity {
    pub(super) fn to_json(&self) -> Value {
        match &self.found {
            Ok(activity) => json!(activity),
            Err(error) => json!({"Notes": [format!("the activity cannot be read: {error}")]}),
        }
    }
}

/// `rotate activity NAME`: for one rotation, the newest if there are several.
pub(super) async fn show(
    driver: &RotationDriver,
    arguments: &OneArguments,
) -> anyhow::Result<bool> {
    let rotations = named(driver, Some(&arguments.name), false).await?;
    let Some(rotation) = rotations.last() else {
        return Ok(false);
    };
    let activity = driver.activity(&rotation.id).await?;
    if arguments.json {
        show::print_json(&json!(activity))?;
    } else {
        text(&mut io::stdout().lock(), &activity)?;
    }
    Ok(true)
}

/// The activity of leaked keys: for all rotations, or only for finished ones.
pub(super) async fn of_incidents(
    driver: &RotationDriver,
    outcomes: &[DrivenRotation],
    all: bool,
) -> Vec<OldKeyActivity> {
    let wanted = outcomes.iter().filter(|(rotation, rest)| {
        rotation.incident.is_some() && (all || matches!(rest, Ok(DriveOutcome::Over(_))))
    });
    let wanted: Vec<_> = wanted.map(|(rotation, _)| rotation.id.clone()).collect();
    let mut activities = Vec::with_capacity(wanted.len());
    for some in wanted.chunks(AT_ONCE) {
        let each = some.iter().map(|id| async move {
            OldKeyActivity {
                rotation: id.clone(),
                found: driver.activity(id).await,
            }
        });
        activities.extend(futures_util::future::join_all(each).await);
    }
    activities
}

/// Prints the activity of leaked keys as text.
pub(super) fn print(activities: &[OldKeyActivity]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for activity in activities {
        match &activity.found {
            Ok(found) => text(&mut out, found)?,
            Err(error) => {
                let why = printable(&error.to_string());
                writeln!(
                    out,
                    "The activity of the old key of {} is unknown: {why}",
                    activity.rotation
                )?;
            }
        }
    }
    Ok(())
}

/// Writes a key's activity as text.
pub(super) fn text(out: &mut impl Write, activity: &KeyActivity) -> io::Result<()> {
    let (key, used) = (&activity.access_key_id, printable(&activity.last_used));
    writeln!(out, "Activity of {key}: last used {used}")?;
    for call in &activity.calls {
        let outcome = match call.outcome {
            CallOutcome::Changed => "CHANGED",
            CallOutcome::Read => "read",
            CallOutcome::Refused => "refused",
            CallOutcome::Inactive => "inactive",
            CallOutcome::Session => "SESSION",
        };
        let more = [
            call.about.as_deref(),
            call.error_code.as_deref(),
            call.source_address.as_deref(),
            call.region.as_deref(),
            call.user_agent.as_deref(),
        ];
        let more: Vec<_> = more.into_iter().flatten().map(printable).collect();
        writeln!(
            out,
            "  {}  {outcome:<8} {}x {}  {}",
            call.last,
            call.count,
            printable(&call.action),
            more.join("  ")
        )?;
    }
    for role in activity.assumed_roles() {
        let role = printable(role);
        writeln!(
            out,
            "  CAUTION: {role} was assumed with it, and its sessions stay valid: revoke them there"
        )?;
    }
    for note in &activity.notes {
        writeln!(out, "  {}", printable(note))?;
    }
    Ok(())
}
