//! `rotate status`: a table of rotations, or every detail of named ones.
//!
//! Nothing is conveyed by colour alone. Held rotations say so and come first.

use std::io::{self, Write};

use anstyle::Style;
use keywright_fleet::driver::DriveError;
use keywright_rotation::{
    execute::RotationOutlook,
    model::{Phase, Rotation},
    ports::ObservedUse,
};
use serde_json::{Value, json};

use super::{
    arguments::StatusArguments,
    fleet::columns,
    show::{print_json, state, to_json},
};
use crate::{
    remote::printable,
    style::{self, styled},
};

/// The narrowest state column, however narrow the terminal is.
const STATE_COLUMNS_MIN: usize = 24;

/// A rotation and, if open, its outlook from the service.
pub(super) type RotationStatus = (Rotation, Option<Result<RotationOutlook, DriveError>>);

/// Prints everything that the journal and the service know about rotations.
pub(super) fn details(rotations: &[RotationStatus]) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    for (rotation, outlook) in rotations {
        one(&mut out, rotation, &state(rotation))?;
        match outlook {
            None => {}
            Some(Ok(outlook)) => stands(&mut out, rotation, outlook)?,
            Some(Err(error)) => {
                writeln!(
                    out,
                    "  cannot query the service: {}",
                    printable(&error.to_string())
                )?;
            }
        }
    }
    Ok(())
}

fn stands(out: &mut impl Write, rotation: &Rotation, outlook: &RotationOutlook) -> io::Result<()> {
    if let Some((why, until)) = &outlook.waits {
        writeln!(
            out,
            "  waits until {} for {}",
            until.iso8601(),
            printable(why)
        )?;
    }
    writeln!(
        out,
        "  {} was last used: {}",
        printable(&rotation.old.to_string()),
        last_use(outlook.old_used.as_ref())
    )?;
    if let Some(new) = &rotation.new {
        let used = last_use(outlook.new_used.as_ref());
        let new = printable(&new.to_string());
        writeln!(out, "  {new} was last used by a consumer: {used}")?;
    }
    Ok(())
}

/// A last use, as text.
fn last_use(used: Option<&ObservedUse>) -> String {
    used.map_or_else(
        || "never, according to the service".to_owned(),
        |used| {
            let (service, region) = (printable(&used.service), printable(&used.region));
            format!("for {service} in {region} at {}", used.at.iso8601())
        },
    )
}

fn standing_json((rotation, outlook): &RotationStatus) -> Value {
    let mut document = to_json(rotation);
    let Value::Object(members) = &mut document else {
        return document;
    };
    match outlook {
        None => {}
        Some(Ok(outlook)) => {
            let waits = outlook.waits.as_ref();
            let (old, new) = (outlook.old_used.as_ref(), outlook.new_used.as_ref());
            members.extend([
                ("WaitsFor".to_owned(), json!(waits.map(|(why, _)| why))),
                (
                    "WaitsUntil".to_owned(),
                    json!(waits.map(|(_, until)| until.iso8601())),
                ),
                ("OldKeyLastUsed".to_owned(), json!(old.map(use_json))),
                (
                    "NewKeyLastUsedByConsumer".to_owned(),
                    json!(new.map(use_json)),
                ),
            ]);
        }
        Some(Err(error)) => {
            members.insert("CannotLook".to_owned(), json!(error.to_string()));
        }
    }
    document
}

fn use_json(used: &ObservedUse) -> Value {
    json!({ "At": used.at.iso8601(), "Service": used.service, "Region": used.region })
}

/// Prints what the journal knows about a rotation.
pub(super) fn one(out: &mut impl Write, rotation: &Rotation, state: &str) -> io::Result<()> {
    let new = rotation
        .new
        .as_ref()
        .map_or_else(|| "(not yet)".to_owned(), ToString::to_string);
    let heading = format!(
        "{}  {} in {}: {:?} since {}",
        rotation.id,
        rotation.user,
        rotation.account,
        rotation.phase,
        rotation.since.iso8601()
    );
    writeln!(
        out,
        "{}\n  {}\n  {}",
        styled(style::HEADING, heading),
        printable(&format!("{} -> {new}", rotation.old)),
        styled(style_of(rotation), state)
    )?;
    for delivery in &rotation.deliveries {
        let removed = if delivery.removed { ", removed" } else { "" };
        let sink = printable(&delivery.sink);
        writeln!(out, "  {sink}: {:?}{removed}", delivery.stage)?;
    }
    Ok(())
}

/// The style of a rotation's state.
fn style_of(rotation: &Rotation) -> Style {
    let troubled = rotation.deliveries.iter().any(|one| one.trouble.is_some());
    match rotation.phase {
        _ if rotation.held.is_some() => style::HELD,
        Phase::Done => style::DONE,
        _ if troubled && !rotation.phase.is_over() => style::CAUTION,
        _ => Style::new(),
    }
}

impl StatusArguments {
    /// The message if there is nothing to show.
    pub(super) const fn nothing(&self) -> &'static str {
        let filtered = self.held || self.phase.is_some() || self.account.is_some();
        match (self.all, filtered) {
            (false, false) => "no open rotations; --all includes those that are over",
            (false, true) => "no matching open rotations; --all includes those that are over",
            (true, _) => "no matching rotations",
        }
    }

    /// Whether the filters select a rotation.
    pub(super) fn selects(&self, rotation: &Rotation) -> bool {
        let account = self.account.as_ref();
        let phase = self.phase;
        account.is_none_or(|account| *account == rotation.account)
            && phase.is_none_or(|phase| phase == rotation.phase)
            && (!self.held || rotation.held.is_some())
    }
}

/// Prints rotations as JSON.
pub(super) fn status_json(rotations: &[RotationStatus]) -> anyhow::Result<()> {
    print_json(&Value::Array(rotations.iter().map(standing_json).collect()))
}

/// Prints one line for each rotation, held ones first.
pub(super) fn table(rotations: &[RotationStatus]) -> anyhow::Result<()> {
    let mut rows: Vec<_> = rotations.iter().collect();
    rows.sort_by_key(|(rotation, _)| rotation.held.is_none());
    let cells: Vec<_> = rows.iter().map(|(rotation, _)| cells(rotation)).collect();
    let heads = ["USER", "ACCOUNT", "PHASE", "SINCE", "ROTATION"];
    let widths: Vec<usize> = (0..heads.len())
        .map(|at| {
            let in_column = cells.iter().map(|row| row.get(at).map_or(0, |c| width(c)));
            let head = heads.get(at).map_or(0, |head| width(head));
            in_column.chain([head]).max().unwrap_or_default()
        })
        .collect();
    let before: usize = widths.iter().map(|columns| columns + 2).sum();
    let room = columns().saturating_sub(before).max(STATE_COLUMNS_MIN);
    let line = |row: &[String]| -> String {
        let padded = row.iter().zip(&widths).map(|(cell, columns)| {
            let gap = columns.saturating_sub(width(cell)) + 2;
            format!("{cell}{}", " ".repeat(gap))
        });
        padded.collect()
    };
    let mut out = anstream::stdout().lock();
    let head = format!("{}STATE", line(&heads.map(str::to_owned)));
    writeln!(out, "{}", styled(style::HEADING, head))?;
    for ((rotation, outlook), row) in rows.into_iter().zip(&cells) {
        let state = printable(&summary(rotation, outlook.as_ref()));
        let mut start = line(row);
        for part in textwrap::wrap(&state, room) {
            writeln!(out, "{start}{}", styled(style_of(rotation), part))?;
            start = " ".repeat(before);
        }
    }
    Ok(())
}

fn cells(rotation: &Rotation) -> Vec<String> {
    vec![
        printable(&rotation.user),
        rotation.account.clone(),
        format!("{:?}", rotation.phase),
        rotation.since.iso8601(),
        rotation.id.0.clone(),
    ]
}

fn width(text: &str) -> usize {
    textwrap::core::display_width(text)
}

/// What a rotation waits for, or why it does not continue, in one sentence.
fn summary(rotation: &Rotation, outlook: Option<&Result<RotationOutlook, DriveError>>) -> String {
    let waits = match outlook {
        Some(Ok(outlook)) if rotation.held.is_none() => outlook.waits.as_ref(),
        _ => None,
    };
    waits.map_or_else(
        || state(rotation),
        |(why, until)| format!("waits until {} for {why}", until.iso8601()),
    )
}

#[cfg(test)]
mod tests {
    use keywright_base::Timestamp;
    use keywright_rotation::model::{
        KeyId, Phase, Rotation, RotationId, RotationOrigin, RotationRules, RotationSecrets,
    };

    use super::one;

    /// A journal of an earlier version may contain whatever a service wrote.
    #[test]
    fn nothing_in_the_journal_controls_the_terminal() {
        let hostile = "v\u{1b}[31m\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\r";
        let rotation = Rotation {
            id: RotationId("r-1".to_owned()),
            generation: 1,
            access: "{}".to_owned(),
            origin: RotationOrigin::default(),
            account: hostile.to_owned(),
            user: hostile.to_owned(),
            user_id: hostile.to_owned(),
            arn: String::new(),
            old: KeyId(hostile.to_owned()),
            rules: RotationRules::SAFE,
            calendar: None,
            incident: None,
            phase: Phase::Distributing,
            since: Timestamp::default(),
            pre_image: Vec::new(),
            new: Some(KeyId(hostile.to_owned())),
            orphan: None,
            verified: false,
            blind_secs: 0,
            used_before: None,
            used_last: None,
            last_known: None,
            checked: None,
            retrieved: None,
            adopted: None,
            override_unused: None,
            reactivated: false,
            deliveries: Vec::new(),
            held: None,
            not_before: Timestamp::default(),
            why_back: None,
            missing: None,
            secrets: RotationSecrets::default(),
        };
        let mut out = Vec::new();
        one(&mut out, &rotation, hostile).unwrap();
        let text = String::from_utf8(out).unwrap();
        // Our own styles.
        let text = anstream::adapter::strip_str(&text).to_string();
        let controls = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!text.contains(controls), "{text:?}");
        // A style that was not our own would have been removed.
        assert_eq!(text.matches("?[31m").count(), 3, "{text:?}");
    }
}
