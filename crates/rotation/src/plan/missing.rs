//! What happened to a user that is not found by name: renamed, deleted, or unknown.
//!
//! Invariant: a rotation ends for lack of its user only when no key of it can be left for anyone to
//! clean up. A single "no such user" answer proves nothing, because services may answer from stale
//! state. This module does no I/O.

use keywright_base::Timestamp;

use super::{PlanStep, wait};
use crate::model::{HoldReason, Phase, Rotation};

/// How many lookups must fail before a user counts as missing, if answers may lag.
pub const LOOKS: u32 = 3;
/// Seconds until the next lookup of a user that exists by its key but not by its name.
const AGAIN_SECS: i64 = 5;

/// What one of the rotation's keys reveals about the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnerTrace {
    /// The key belongs to this user, who has the rotation's unique ID.
    Owner(String),
    /// There is no such key.
    NoKey,
    /// It is the new key pair and is rejected, although nothing in this rotation caused that.
    Refused,
    /// Nothing.
    Silent,
}

/// The step for a user that was not found just now. `other` is the unique ID of the user that has
/// the name instead, if any.
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
        return wait(next, format!("another lookup of user {}", rotation.user));
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

/// Users are deleted after their keys, so a new key that should be accepted and is not was deleted
/// with its user. A rotation that has created nothing leaves nothing behind; one that requested a
/// key and has not seen it may, whatever happened to the old key.
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

/// Whether the new key pair should be accepted now, independent of everything else.
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

/// Whether the old key pair should be accepted now, independent of everything else.
pub fn old_is_active(rotation: &Rotation) -> bool {
    let first = rotation.inactive_first().is_some();
    match rotation.phase {
        Phase::Deactivating | Phase::Dwelling | Phase::Deleting => false,
        Phase::RollingBack => rotation.reactivated || (rotation.new.is_none() && !first),
        Phase::Settling | Phase::Retiring => true,
        phase => !phase.is_over() && !first,
    }
}
