//! Inspects destinations before they are written, and changes those of an open rotation.
//!
//! Invariants:
//!
//! - A destination that holds another user's key, or that would have to be created without
//!   permission, is rejected before anything is written.
//! - Removing a destination deletes nothing there: if it may have the new key it keeps it, and a
//!   rollback restores it like the others.

use keywright_base::limits;

use super::{RotationEdit, TickError};
use crate::{
    model::{Delivery, DeliveryStage, FoundState, HoldReason, InitialContent, Rotation},
    ports::{Sink, SinkContent, SinkError, SinkInspection},
};

/// Inspects destinations that are to be added to an open rotation. Changes and writes nothing;
/// [`super::change`] adds them.
///
/// # Errors
/// [`TickError::Destinations`], [`TickError::Absent`].
pub async fn look_at_added(
    rotation: &Rotation,
    sinks: &[&dyn Sink],
    create: bool,
) -> Result<Vec<Delivery>, TickError> {
    let mut added = Vec::with_capacity(sinks.len());
    for sink in sinks {
        let mut delivery = Delivery::pending(sink.name());
        let mut known = rotation.deliveries.iter();
        let known = known.find(|one| one.sink == delivery.sink);
        if known.is_none_or(|known| known.removed) {
            let looked = look(rotation, *sink, create).await;
            let (found, held) = looked.map_err(not_added)?;
            if !known.is_some_and(Delivery::may_hold_new) {
                check_no_new_key(rotation, sink.name(), &held)?;
            }
            delivery.found = Some(found);
        }
        added.push(delivery);
    }
    Ok(added)
}

fn not_added(error: TickError) -> TickError {
    match error {
        TickError::Refused(HoldReason::Sink(why)) | TickError::NotNow(why) => {
            TickError::Destinations(why)
        }
        error => error,
    }
}

/// A rollback restores what a destination held before the new key, which is unknown if it already
/// holds the new key. This also catches one destination given under two names.
fn check_no_new_key(rotation: &Rotation, name: &str, held: &SinkContent) -> Result<(), TickError> {
    let Some(found) = held.key_id() else {
        return Ok(());
    };
    if Some(found) != rotation.new.as_ref() {
        return Ok(());
    }
    Err(TickError::Destinations(format!(
        "{name} already holds the new key {found}, so its previous content is unknown; it may be \
         another name of a destination of this rotation"
    )))
}

/// Reads what a destination holds. It must exist or be creatable, and hold no foreign key.
pub(crate) async fn look(
    rotation: &Rotation,
    sink: &dyn Sink,
    create: bool,
) -> Result<(InitialContent, SinkContent), TickError> {
    let inspected = sink.inspect(&rotation.old).await;
    let inspected = inspected.and_then(|inspection| {
        check_ours(rotation, &inspection.held)?;
        Ok(inspection)
    });
    let message = |why: &dyn std::fmt::Display| format!("{}: {why}", sink.name());
    let inspection = match inspected {
        Ok(inspection) => inspection,
        Err(SinkError::Never(why)) => {
            return Err(TickError::Refused(HoldReason::Sink(message(&why))));
        }
        Err(SinkError::Later(why) | SinkError::Person(why)) => {
            return Err(TickError::NotNow(message(&why)));
        }
    };
    let state = FoundState::of(&inspection);
    if !create && matches!(state, FoundState::Absent { .. }) {
        return Err(TickError::Absent(message(&state)));
    }
    let found = InitialContent {
        state,
        also: inspection.also,
        warnings: inspection.warnings,
    };
    Ok((found, inspection.held))
}

/// A sink that holds a key unknown to this rotation belongs to someone else.
pub(super) fn check_ours(rotation: &Rotation, held: &SinkContent) -> Result<(), SinkError> {
    let Some(found) = held.key_id() else {
        return Ok(());
    };
    if *found == rotation.old || Some(found) == rotation.new.as_ref() {
        return Ok(());
    }
    let why = format!("it holds {found}, which this rotation does not replace");
    Err(SinkError::Never(why))
}

/// A target that existed at draft time and has disappeared since is not created again.
pub(super) fn check_there(
    rotation: &Rotation,
    sink: &str,
    inspection: &SinkInspection,
) -> Result<(), SinkError> {
    let Some(absent) = &inspection.absent else {
        return Ok(());
    };
    let mut deliveries = rotation.deliveries.iter();
    let drafted = deliveries.find(|delivery| delivery.sink == sink);
    match drafted.and_then(|delivery| delivery.found.as_ref()) {
        None => Ok(()),
        Some(found) if matches!(found.state, FoundState::Absent { .. }) => Ok(()),
        Some(_) => {
            let why = format!(
                "{}, although it existed when the destination was first checked",
                absent.what
            );
            Err(SinkError::Never(why))
        }
    }
}

/// Checks the number of destinations of a rotation, removed ones included.
pub(crate) fn check_count(count: usize) -> Result<(), TickError> {
    const MAX: usize = limits::ROTATION_DESTINATIONS;
    if count <= MAX {
        return Ok(());
    }
    let text = format!("a rotation can have up to {MAX} destinations, including removed ones");
    Err(TickError::Destinations(text))
}

/// Adds and removes destinations; returns a description of the changes.
pub(super) fn change_destinations(
    rotation: &mut Rotation,
    change: &RotationEdit,
) -> Result<Vec<String>, TickError> {
    if change.added.is_empty() && change.removed.is_empty() {
        return Ok(Vec::new());
    }
    if !rotation.phase.can_roll_back() {
        return Err(TickError::TooLate(rotation.phase));
    }
    let mut message = Vec::new();
    for name in &change.removed {
        if change.added.iter().any(|added| added.sink == *name) {
            let text = format!("{name} is both added and removed");
            return Err(TickError::Destinations(text));
        }
        message.extend(remove(rotation, name)?);
    }
    for added in &change.added {
        message.extend(add(rotation, added));
    }
    check_count(rotation.deliveries.len())?;
    if rotation.destinations().is_empty() {
        let text = "no destination would be left to deliver the new key to";
        return Err(TickError::Destinations(text.to_owned()));
    }
    if !message.is_empty() && matches!(rotation.held, Some(HoldReason::Sink(_))) {
        // If another sink needs repair, the next tick holds the rotation again.
        rotation.held = None;
    }
    Ok(message)
}

fn add(rotation: &mut Rotation, added: &Delivery) -> Option<String> {
    let name = &added.sink;
    let mut all = rotation.deliveries.iter_mut();
    let Some(known) = all.find(|delivery| delivery.sink == *name) else {
        rotation.deliveries.push(added.clone());
        rotation.secrets.backups.push(None);
        return Some(format!("{name} was added"));
    };
    if !known.removed {
        return None;
    }
    known.removed = false;
    match known.stage {
        // Its content may have changed since, so it is written and read back again.
        DeliveryStage::Written | DeliveryStage::ReadBack => known.stage = DeliveryStage::Writing,
        DeliveryStage::Writing => {}
        DeliveryStage::Pending | DeliveryStage::Staged | DeliveryStage::Restored => {
            *known = added.clone()
        }
    }
    Some(format!("{name} was added again"))
}

fn remove(rotation: &mut Rotation, name: &str) -> Result<Option<String>, TickError> {
    let left = rotation.destinations().join(", ");
    let mut all = rotation.deliveries.iter_mut();
    let Some(known) = all.find(|delivery| delivery.sink == name) else {
        let text =
            format!("{name} is not a destination of this rotation; its destinations are {left}");
        return Err(TickError::Destinations(text));
    };
    if known.removed {
        return Ok(None);
    }
    *known = Delivery {
        removed: true,
        stage: known.stage,
        person: known.person,
        found: known.found.take(),
        ..Delivery::pending(name)
    };
    let left = match known.stage {
        DeliveryStage::Pending | DeliveryStage::Staged | DeliveryStage::Restored => {
            "it will not get the new key"
        }
        DeliveryStage::Writing => "it may hold the old or the new key and is left unchanged",
        DeliveryStage::Written | DeliveryStage::ReadBack => "it holds the new key and keeps it",
    };
    Ok(Some(format!("{name} was removed: {left}")))
}
