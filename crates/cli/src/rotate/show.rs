//! Output for rotations: plan, outcome, history; as text and as JSON.
//!
//! Data goes to standard output, everything else to standard error. The fields used here contain no
//! secret: a rotation's secrets are stored apart from them and never get here.

use std::io::{self, Write};

use keywright_aws::{KeyActivity, SESSIONS_POLICY};
use keywright_base::Timestamp;
use keywright_fleet::driver::{DriveError, DriveOutcome};
use keywright_fleet::journal::{ChainHead, RotationEvent};
use keywright_rotation::model::{
    Delivery, FoundState, HoldReason, InitialContent, Phase, Rotation,
};
use serde_json::{Value, json};

use super::{
    DrivenRotation, UNCHANGED,
    activity::{self, OldKeyActivity},
    progress::spoken,
    status::one,
};
use crate::{
    json_output,
    remote::{counted, printable},
    style::{self, styled},
};

/// A plan with its context.
pub(super) struct PlanView<'a> {
    rotation: &'a Rotation,
    caveats: &'a [String],
    keywright: bool,
    /// The old key's activity, if requested.
    pub(super) activity: Option<KeyActivity>,
}

impl<'a> PlanView<'a> {
    pub(super) const fn new(
        rotation: &'a Rotation,
        caveats: &'a [String],
        keywright: bool,
    ) -> Self {
        Self {
            rotation,
            caveats,
            keywright,
            activity: None,
        }
    }

    /// Prints the plan as the result of a dry run.
    pub(super) fn print_result(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return self.print_json();
        }
        let mut out = anstream::stdout().lock();
        self.write(&mut out)?;
        writeln!(out, "{UNCHANGED}")?;
        Ok(())
    }

    fn print_json(&self) -> anyhow::Result<()> {
        let mut plan = to_json(self.rotation);
        if let Value::Object(members) = &mut plan {
            members.insert("Caveats".to_owned(), json!(self.caveats));
            members.insert("OldKeyActivity".to_owned(), json!(self.activity));
        }
        print_json(&plan)
    }

    /// Prints the plan before it is carried out.
    pub(super) fn print(&self) -> io::Result<()> {
        self.write(&mut anstream::stderr().lock())
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        plan(out, self)?;
        match &self.activity {
            Some(activity) => activity::text(out, activity),
            None => Ok(()),
        }
    }
}

/// The part of the plan that is specific to an incident.
fn incident(out: &mut impl Write, rotation: &Rotation, keywright: bool) -> io::Result<()> {
    let (old, user) = (
        printable(&rotation.old.to_string()),
        printable(&rotation.user),
    );
    let Some(incident) = &rotation.incident else {
        return Ok(());
    };
    writeln!(
        out,
        "  --now does not wait until the key is unused, not even before deleting it"
    )?;
    if incident.deactivate_first {
        writeln!(
            out,
            "  FIRST, before step 1: deactivate {old}; its consumers are denied until they have \
             the new key"
        )?;
    }
    if keywright {
        return writeln!(
            out,
            "  when {old} is inactive, the sessions that were issued with it end"
        );
    }
    writeln!(
        out,
        "  when {old} is inactive, the inline policy {SESSIONS_POLICY} denies everything to the \
         sessions of {user} that were issued before, also with another of its keys; the policy \
         stays, and sessions of roles that were assumed with the key stay valid"
    )
}

/// The plan in the order of execution.
fn plan(out: &mut impl Write, plan: &PlanView<'_>) -> io::Result<()> {
    let rotation = plan.rotation;
    let rules = &rotation.rules;
    let (old, user) = (
        printable(&rotation.old.to_string()),
        printable(&rotation.user),
    );
    let (account, times) = (printable(&rotation.account), rules.verify_in_a_row);
    let heading = format!("Plan {}: replace {old} of {user} in {account}", rotation.id);
    writeln!(out, "{}", styled(style::HEADING, heading))?;
    writeln!(out, "  1. create a second key and seal it in the journal")?;
    writeln!(out, "  2. verify it {times} times in a row as {user}")?;
    writeln!(out, "  3. deliver it, and read it back:")?;
    places(out, &rotation.deliveries)?;
    match rules.observe_secs {
        0 => writeln!(
            out,
            "  4. {skipped}: wait until {old} is unused; consumers that have not read the new key \
             by then are denied",
            skipped = styled(style::CAUTION, "SKIPPED")
        )?,
        secs => writeln!(
            out,
            "  4. wait until {old} has been unused for {}",
            duration(secs)
        )?,
    }
    writeln!(
        out,
        "  5. verify and read back once more, then deactivate {old}"
    )?;
    let dwell = duration(rules.dwell_secs);
    writeln!(
        out,
        "  6. wait {dwell}; until then, this rolls everything back:"
    )?;
    let name = argument_of(&rotation.user);
    writeln!(out, "       keywright rotate rollback {name}")?;
    match &rotation.override_unused {
        None => writeln!(out, "  7. delete {old}, if a consumer has used the new key")?,
        Some(why) => writeln!(
            out,
            "  7. delete {old}, even if no consumer has used the new key: {}",
            printable(why)
        )?,
    }
    incident(out, rotation, plan.keywright)?;
    writeln!(out, "  {old} was last used: {}", used_before(rotation))?;
    let caution = styled(style::CAUTION, "CAUTION:");
    if let Some(proposed) = proposed_secs(rotation).filter(|_| rotation.incident.is_none()) {
        writeln!(
            out,
            "  {caution} a program that uses {old} this rarely is not noticed within {}; \
             --observe {} covers it",
            duration(rules.observe_secs),
            argument(proposed)
        )?;
    }
    caveats(out, plan.caveats)
}

/// The destinations with their present content.
fn places(out: &mut impl Write, deliveries: &[Delivery]) -> io::Result<()> {
    for delivery in deliveries {
        writeln!(out, "       {}", printable(&delivery.sink))?;
        if let Some(found) = &delivery.found {
            writeln!(out, "         {}", printable(&now_there(found)))?;
        }
    }
    Ok(())
}

/// The destinations to add to an open rotation.
pub(super) fn added(deliveries: &[Delivery], caveats: &[String]) -> io::Result<()> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let mut out = anstream::stderr().lock();
    writeln!(out, "  the new key also goes to:")?;
    places(&mut out, deliveries)?;
    self::caveats(&mut out, caveats)
}

fn caveats(out: &mut impl Write, caveats: &[String]) -> io::Result<()> {
    let caution = styled(style::CAUTION, "CAUTION:");
    for caveat in caveats {
        writeln!(out, "  {caution} {}", printable(caveat))?;
    }
    Ok(())
}

/// The present content of a destination.
pub(super) fn now_there(found: &InitialContent) -> String {
    match &found.state {
        state @ FoundState::Absent { .. } => format!("{state}; it will be created"),
        state => state.to_string(),
    }
}

/// The last use of the old key, as text.
fn used_before(rotation: &Rotation) -> String {
    rotation.used_before.as_ref().map_or_else(
        || "never, according to the service".to_owned(),
        |used| {
            let (service, region) = (printable(&used.service), printable(&used.region));
            let age = ago(age_secs(rotation, used.at));
            format!("for {service} in {region}, {age}")
        },
    )
}

/// How long ago something happened. The service's times are exact to the minute at best.
fn ago(secs: i64) -> String {
    match secs {
        ..60 => "less than a minute ago".to_owned(),
        60..3600 => format!("{} min ago", secs / 60),
        _ => format!("{} ago", spoken(secs)),
    }
}

#[test]
fn ages_are_not_rounded_to_nothing() {
    for (secs, text) in [
        (0, "less than a minute ago"),
        (59, "less than a minute ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3661, "1 h 1 min ago"),
        (90_061, "1 d 1 h ago"),
    ] {
        assert_eq!(ago(secs), text);
    }
}

fn age_secs(rotation: &Rotation, at: Timestamp) -> i64 {
    rotation.origin.at.secs_since(at).max(0)
}

/// An observation window that covers the time since the old key's last use, if the current one does
/// not. A key used that seldom shows up only within a window that long.
fn proposed_secs(rotation: &Rotation) -> Option<i64> {
    const DAY_SECS: i64 = 86_400;
    let age = age_secs(rotation, rotation.used_before.as_ref()?.at);
    let days = (age.saturating_add(rotation.blind_secs) + DAY_SECS - 1) / DAY_SECS + 1;
    (age > rotation.rules.observe_secs).then_some(days * DAY_SECS)
}

/// Formats seconds as an argument.
fn argument(secs: i64) -> String {
    format!("{}d", secs / 86_400)
}

/// Formats seconds for people.
pub(super) fn duration(secs: i64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min")];
    let fit = units
        .into_iter()
        .find(|(unit, _)| secs >= *unit && secs % unit == 0);
    fit.map_or_else(
        || format!("{secs} s"),
        |(unit, name)| format!("{} {name}", secs / unit),
    )
}

pub(super) fn state(rotation: &Rotation) -> String {
    if let Some(held) = &rotation.held {
        return format!("HELD: {held}");
    }
    let troubled = rotation.deliveries.iter();
    let troubled = troubled.filter_map(|d| Some(format!("{}: {}", d.sink, d.trouble.as_ref()?)));
    let troubled: Vec<_> = troubled.collect();
    if !troubled.is_empty() {
        return troubled.join("; ");
    }
    let due = |secs| rotation.since.plus_secs(secs).iso8601();
    match rotation.phase {
        Phase::Observing => format!(
            "the old key must stay unused until {}",
            due(rotation.rules.observe_secs)
        ),
        Phase::Dwelling => format!("deleted after {}", due(rotation.rules.dwell_secs)),
        Phase::Done => "the new key has replaced the old one".to_owned(),
        Phase::RolledBack => {
            let why = rotation.why_back.as_deref().unwrap_or("requested");
            format!("everything was restored: {why}")
        }
        Phase::UserGone => gone(rotation),
        Phase::Abandoned => {
            let why = rotation
                .why_back
                .as_deref()
                .unwrap_or("no reason was given");
            format!("abandoned: {why}")
        }
        _ => "continue with: keywright rotate resume".to_owned(),
    }
}

/// What is left of a rotation whose user was deleted.
fn gone(rotation: &Rotation) -> String {
    let why = rotation.why_back.as_ref();
    let why = why.map_or_else(String::new, |why| format!(" ({why})"));
    let places = rotation.deliveries.iter();
    let places: Vec<_> = places.map(|delivery| delivery.sink.as_str()).collect();
    format!(
        "user {} no longer exists, and its keys were deleted with it{why}; these destinations may \
         still hold keys that nothing accepts: {}",
        rotation.user,
        places.join(", ")
    )
}

pub(super) fn to_json(rotation: &Rotation) -> Value {
    let deliveries = rotation.deliveries.iter().map(|delivery| {
        json!({
            "Sink": delivery.sink,
            "Stage": format!("{:?}", delivery.stage),
            "Failures": delivery.failures,
            "Trouble": delivery.trouble,
            "Removed": delivery.removed,
            "Found": delivery.found.as_ref().map(found_json),
        })
    });
    json!({
        "RotationId": rotation.id.0,
        "Account": rotation.account,
        "UserName": rotation.user,
        "UserId": rotation.user_id,
        "Phase": format!("{:?}", rotation.phase),
        "Since": rotation.since.iso8601(),
        "OldAccessKeyId": rotation.old.0,
        "NewAccessKeyId": rotation.new.as_ref().map(|key| &key.0),
        "Held": rotation.held.as_ref().map(ToString::to_string),
        "State": state(rotation),
        "Deliveries": deliveries.collect::<Vec<_>>(),
        "ObserveSeconds": rotation.rules.observe_secs,
        "DwellSeconds": rotation.rules.dwell_secs,
        "OldKeyLastUsedBefore": rotation.used_before.as_ref().map(|used| used.at.iso8601()),
        "ProposedObserveSeconds": proposed_secs(rotation),
        "NewKeyRetrieved": rotation.retrieved.map(Timestamp::iso8601),
        "NewKeyFirstUsed": rotation.adopted.as_ref().map(|used| used.at.iso8601()),
        "NewKeyFirstUsedFor": rotation.adopted.as_ref().map(|used| &used.service),
        "OverrideUnused": rotation.override_unused,
        "Incident": rotation.incident.is_some(),
        "OldKeyInactiveFirst": rotation.inactive_first().map(Timestamp::iso8601),
        "SessionsEnded": sessions_ended(rotation).map(Timestamp::iso8601),
    })
}

fn sessions_ended(rotation: &Rotation) -> Option<Timestamp> {
    rotation.incident.as_ref()?.sessions_ended
}

pub(super) fn found_json(found: &InitialContent) -> Value {
    let (state, missing, similar) = match &found.state {
        FoundState::OldKey => ("OldKey", None, [].as_slice()),
        FoundState::Empty => ("Empty", None, [].as_slice()),
        FoundState::Unreadable => ("Unreadable", None, [].as_slice()),
        FoundState::Absent { what, similar } => ("Absent", Some(what), similar.as_slice()),
    };
    json!({
        "State": state,
        "Missing": missing,
        "Similar": similar,
        "AlsoHeldBy": found.also,
        "Warnings": found.warnings,
    })
}

/// Prints a JSON document.
pub(super) fn print_json(value: &Value) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    json_output::write(&mut out, value)?;
    Ok(())
}

/// The state of each rotation, and the activity of leaked keys.
pub(super) fn rests_json(results: &[DrivenRotation], activities: &[OldKeyActivity]) -> Vec<Value> {
    let all = results.iter().map(|(rotation, rest)| {
        let (outcome, why, until) = outcome(rest);
        let activity = activities.iter().find(|one| one.rotation == rotation.id);
        json!({
            "Rotation": to_json(rotation),
            "Outcome": outcome,
            "Why": why,
            "Until": until.map(Timestamp::iso8601),
            "OldKeyActivity": activity.map(OldKeyActivity::to_json),
        })
    });
    all.collect()
}

/// Prints the state of each rotation.
pub(super) fn outcomes(results: &[DrivenRotation]) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    for (rotation, rest) in results {
        let (_, why, until) = outcome(rest);
        // A line break in it would make the rest look like our advice.
        let why = printable(&why);
        let state = match (rest, until) {
            (Ok(DriveOutcome::Over(_)), _) => state(rotation),
            (
                Ok(DriveOutcome::Held(HoldReason::UserMissing(_) | HoldReason::AnotherUser(_))),
                _,
            ) => format!(
                "HELD: {why}\n  if the user was deleted, end the rotation with: keywright rotate \
                 rollback {}",
                rotation.id
            ),
            (Ok(DriveOutcome::Held(HoldReason::Refused(_))), _) => {
                format!(
                    "HELD: {why}\n  once the permission is granted, continue with: keywright \
                     rotate resume"
                )
            }
            (Ok(DriveOutcome::Held(HoldReason::NewKeyUnused(_))), _) => format!(
                "HELD: {why}\n  it continues once a consumer has; to delete the old key anyway: \
                 keywright rotate change {} --override-unused REASON --why TEXT",
                argument_of(&rotation.user)
            ),
            (
                Ok(DriveOutcome::Held(
                    HoldReason::OldKeyGone(_)
                    | HoldReason::OldKeyInactive(_)
                    | HoldReason::NewKeyGone(_),
                )),
                _,
            ) => {
                format!(
                    "HELD: {why}\n  if that is intended, end the rotation with: keywright rotate \
                 abandon {} --why TEXT",
                    argument_of(&rotation.user)
                )
            }
            (Ok(DriveOutcome::Held(_)), _) => format!(
                "HELD: {why}\n  continue with: keywright rotate release {}",
                argument_of(&rotation.user)
            ),
            (_, Some(until)) => format!(
                "waits until {} for {why}\n  then continue with: keywright rotate resume",
                until.iso8601()
            ),
            _ => format!("stopped: {why}\n  continue with: keywright rotate resume"),
        };
        let mut lines = state.lines();
        one(&mut out, rotation, lines.next().unwrap_or_default())?;
        for next in lines {
            writeln!(out, "{}", styled(style::HINT, printable(next)))?;
        }
    }
    Ok(())
}

/// A name in a line to copy: whoever gave it does not get a shell.
pub(super) fn argument_of(name: &str) -> String {
    shell_words::quote(&printable(name)).into_owned()
}

#[test]
fn lines_to_copy_run_nothing_else() {
    assert_eq!(argument_of("backup-job@x"), "backup-job@x");
    assert_eq!(argument_of("x; rm -rf ~"), "'x; rm -rf ~'");
}

/// A word, a reason, and a time where there is one.
pub(super) fn outcome(
    rest: &Result<DriveOutcome, DriveError>,
) -> (&'static str, String, Option<Timestamp>) {
    match rest {
        Ok(DriveOutcome::Over(phase)) => ("over", format!("{phase:?}"), None),
        Ok(DriveOutcome::Held(held)) => ("held", held.to_string(), None),
        Ok(DriveOutcome::Wait { until, why }) => ("waiting", why.clone(), Some(*until)),
        Err(error) => ("failed", error.to_string(), None),
    }
}

/// Prints the history, one line per event.
pub(super) fn history(events: &[RotationEvent], json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(&serde_json::to_value(events)?);
    }
    let mut out = io::stdout().lock();
    for event in events {
        let at = Timestamp::from_millis(event.at).iso8601();
        let text = printable(&event.text);
        writeln!(out, "{at}  {}  {:<13} {text}", event.rotation, event.phase)?;
    }
    Ok(())
}

/// Prints the head of the history's chain.
pub(super) fn head(head: &ChainHead, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(&serde_json::to_value(head)?);
    }
    let ChainHead { events, hash } = head;
    let events = counted(*events, "event");
    writeln!(io::stdout(), "{events}, unchanged; the last hash is {hash}")?;
    Ok(())
}
