//! What became of a user who is not found under its name: renamed, deleted, or not to be told.
//!
//! It protects one rule: a rotation ends for want of its user only when no key of it can be left
//! that somebody would have to look after. One answer that there is no such user proves nothing:
//! services answer from the past. It looks at nothing itself.

use keywright_base::Timestamp;

use super::{PlanStep, wait};
use crate::model::{HoldReason, Phase, Rotation};

/// How often a user is looked for before it counts as missing, where answers may lag.
pub const LOOKS: u32 = 3;
/// Seconds until a user is looked for again who is there by its key, and not by its name.
const AGAIN_SECS: i64 = 5;

/// What one of the rotation's keys says of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnerTrace {
    /// It is this user's, who has the rotation's unique id.
    Owner(String),
    /// There is no such key.
    NoKey,
    /// It is the new pair, and refused, although nothing of this rotation made it so.
    Refused,
    /// It says nothing.
    Silent,
}

/// What to do about a user who was not found just now. `other` is the unique id of whoever has the
/// name instead.
pub fn missing(
    rotation: &Rotation,
    (traces, other): (&[OwnerTrace], Option<&str>),
    now: Timestamp,
    lags_secs: i64,
) -> PlanStep {
    let owner = traces.iter().find_map(|trace| match trace {
        OwnerTrace::Owner(name) => Some(name),
        _ => None,
    });
    match owner {
        Some(name) if *name == rotation.user => {
            return wait(
                now.plus_secs(AGAIN_SECS),
                "the service to find the user again",
            );
        }
        Some(name) => return PlanStep::Rename(name.clone()),
        None => {}
    }
    let Some(missing) = rotation.missing else {
        return PlanStep::Miss;
    };
    let settled = missing.since.plus_secs(lags_secs);
    if lags_secs > 0 && (now < settled || missing.looks < LOOKS) {
        let next = missing.last.plus_secs(lags_secs / i64::from(LOOKS));
        if now >= next {
            return PlanStep::Miss;
        }
        return wait(next, format!("another look for user {}", rotation.user));
    }
    if is_gone(rotation, traces) {
        return PlanStep::Enter(Phase::UserGone);
    }
    let user = &rotation.user;
    PlanStep::Hold(other.map_or_else(
        || HoldReason::UserMissing(user.clone()),
        |id| HoldReason::AnotherUser(id.to_owned()),
    ))
}

/// Users are deleted after their keys, so a new key that should be accepted and is not went with
/// its user. A rotation that has made nothing yet leaves nothing behind; one that asked for a key
/// and has not seen it yet may, whatever became of the old key.
fn is_gone(rotation: &Rotation, traces: &[OwnerTrace]) -> bool {
    match rotation.phase {
        Phase::Planned if rotation.orphan.is_none() && rotation.inactive_first().is_none() => true,
        Phase::Creating => false,
        _ => {
            traces.contains(&OwnerTrace::Refused)
                || traces.iter().all(|trace| *trace == OwnerTrace::NoKey)
        }
    }
}

/// Whether the new pair should be accepted now, whatever else is.
pub fn new_is_active(rotation: &Rotation) -> bool {
    match rotation.phase {
        Phase::Created
        | Phase::Distributing
        | Phase::Observing
        | Phase::Confirming
        | Phase::Deactivating
        | Phase::Dwelling
        | Phase::Deleting => true,
        Phase::RollingBack => !rotation.reactivated,
        _ => false,
    }
}

/// Whether the old pair should be accepted now, whatever else is.
pub fn old_is_active(rotation: &Rotation) -> bool {
    let first = rotation.inactive_first().is_some();
    match rotation.phase {
        Phase::Deactivating | Phase::Dwelling | Phase::Deleting => false,
        Phase::RollingBack => rotation.reactivated || (rotation.new.is_none() && !first),
        Phase::Settling | Phase::Retiring => true,
        phase => !phase.is_over() && !first,
    }
}
