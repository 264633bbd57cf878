//! Whether the new key is in use: what counts as a consumer's use, and what is done for want of it.
//!
//! A delivery is a claim, by a program or a person, and a read-back only repeats it. So the old key
//! is deleted only after a consumer has called something with the new one, or a person has said why
//! not. The engine's own calls are nobody's use. It looks at nothing itself.

use keywright_base::Timestamp;

use super::{Observation, PlanStep, wait};
use crate::{
    model::{HoldReason, KeyId, Phase, Rotation},
    ports::LastUse,
};

/// How much later than it happened a verification may be published, in seconds: AWS records the
/// first use in each quarter of an hour.
const CHECK_SECS: i64 = 15 * 60;
/// How long after the dwell a consumer's use is waited for at least, before a person must decide.
const UNUSED_SECS: i64 = 24 * 3600;
/// Seconds between two looks for it.
const LOOK_SECS: i64 = 10 * 60;

/// The new key, while no consumer's use of it is known and the old one is to be deleted.
pub fn awaited(rotation: &Rotation) -> Option<&KeyId> {
    let waits = rotation.phase == Phase::Dwelling && rotation.adopted.is_none();
    rotation.new.as_ref().filter(|_| waits)
}

/// Whether a use of the new key is a consumer's. The engine verifies it by calls of STS, and where
/// the key is the rotator's own, calls IAM with it as soon as it is delivered.
pub fn is_consumers(rotation: &Rotation, used: &LastUse, own: bool) -> bool {
    match used.service.as_str() {
        "sts" => {
            let checked = rotation.checked.unwrap_or(rotation.since);
            used.at > checked.plus_secs(CHECK_SECS) && !own
        }
        "iam" => !own,
        _ => true,
    }
}

/// A consumer's use that was found just now.
pub(super) fn noted(rotation: &Rotation, seen: &Observation) -> Option<PlanStep> {
    awaited(rotation)?;
    let used = seen.used_new.clone()?;
    Some(PlanStep::NoteAdoption(used))
}

/// What is done when the old key is due and no consumer has used the new one.
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
    Some(wait(next, format!("a consumer to use {new}")))
}
