//! Adoption: whether a consumer uses the new key, and what happens if none does.
//!
//! A delivery is a claim, by a program or a person, and a read-back only repeats it. So the old key
//! is deleted only after a consumer has made a call with the new one, or a person has given a
//! reason. The engine's own calls do not count. This module does no I/O.

use keywright_base::Timestamp;

use super::{Observation, PlanStep, wait};
use crate::{
    model::{HoldReason, KeyId, Phase, Rotation},
    ports::ObservedUse,
};

/// How long after the fact a verification may be published, in seconds: AWS records the first use
/// in each quarter of an hour.
const CHECK_SECS: i64 = 15 * 60;
/// How long past the dwell to wait at least for a consumer's use before a person must decide.
const UNUSED_SECS: i64 = 24 * 3600;
/// Seconds between two checks for such a use.
const LOOK_SECS: i64 = 10 * 60;

/// The new key, while no consumer's use of it is known and the old one is due for deletion.
pub fn awaited(rotation: &Rotation) -> Option<&KeyId> {
    let waits = rotation.phase == Phase::Dwelling && rotation.adopted.is_none();
    rotation.new.as_ref().filter(|_| waits)
}

/// Whether a use of the new key is a consumer's. The engine verifies the key with STS calls. If the
/// key is the rotator's own, the rotator also calls IAM with it as soon as it is delivered.
pub fn is_consumers(rotation: &Rotation, used: &ObservedUse, own: bool) -> bool {
    match used.service.as_str() {
        "sts" => {
            let checked = rotation.checked.unwrap_or(rotation.since);
            used.at > checked.plus_secs(CHECK_SECS) && !own
        }
        "iam" => !own,
        _ => true,
    }
}

/// A consumer's use that was just observed.
pub(super) fn noted(rotation: &Rotation, seen: &Observation) -> Option<PlanStep> {
    awaited(rotation)?;
    let used = seen.used_new.clone()?;
    Some(PlanStep::NoteAdoption(used))
}

/// The step when the old key is due for deletion and no consumer has used the new one.
pub(super) fn missing(rotation: &Rotation, seen: &Observation, due: Timestamp) -> Option<PlanStep> {
    let new = awaited(rotation)?;
    if rotation.override_unused.is_some() {
        return None;
    }
    let patience = due.plus_secs(rotation.rules.observe_secs.max(UNUSED_SECS));
    if seen.now >= patience {
        return Some(PlanStep::Hold(HoldReason::NewKeyUnused(new.clone())));
    }
    let next = seen.now.plus_secs(LOOK_SECS).min(patience);
    let held = patience.iso8601();
    let why = format!(
        "the next check whether a consumer has used {new}; if none has by {held}, the rotation is \
         held"
    );
    Some(wait(next, why))
}
