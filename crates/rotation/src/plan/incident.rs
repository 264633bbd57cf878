//! Leak response: ends the sessions of the old key and, where its use must stop immediately,
//! deactivates it before everything else.
//!
//! Invariants:
//!
//! - Sessions are ended only once the key is inactive, because until then it can mint more.
//! - A key that was deactivated first is reactivated only by a person's rollback.

use keywright_base::Timestamp;

use super::{Observation, PlanStep, SETTLE_SECS, status, wait};
use crate::{
    model::{HoldReason, LeakResponse, Phase, Rotation},
    ports::KeyStatus,
};

/// The leak response in the phases in which the old key is usually active. A rotation that has
/// created nothing yet first checks for obstacles.
pub(super) fn under_way(rotation: &Rotation, seen: &Observation) -> Option<PlanStep> {
    let early = matches!(
        rotation.phase,
        Phase::Planned
            | Phase::Creating
            | Phase::Created
            | Phase::Distributing
            | Phase::Observing
            | Phase::Confirming
    );
    if !early || rotation.has_made_nothing() {
        return None;
    }
    first(rotation, seen)
}

/// The deactivation that comes before everything else, and then the end of the sessions.
pub(super) fn first(rotation: &Rotation, seen: &Observation) -> Option<PlanStep> {
    let LeakResponse {
        inactive_since,
        sessions_ended,
        ..
    } = rotation.incident.filter(|it| it.deactivate_first)?;
    let old = &rotation.old;
    let status = status(seen, old)?;
    let Some(since) = inactive_since else {
        return Some(PlanStep::SetStatus(old.clone(), KeyStatus::Inactive));
    };
    let settled = since.plus_secs(SETTLE_SECS);
    if status == KeyStatus::Active && seen.now >= settled {
        return Some(PlanStep::Hold(HoldReason::Activated(old.clone())));
    }
    let again = seen.lags && seen.now >= settled && sessions_ended < Some(settled);
    (sessions_ended.is_none() || again).then_some(PlanStep::EndSessions)
}

/// Ends sessions that were never ended. The key itself may be gone by now, but its sessions outlive
/// it.
pub(super) fn unended(rotation: &Rotation) -> Option<PlanStep> {
    let incident = rotation.incident?;
    incident
        .sessions_ended
        .is_none()
        .then_some(PlanStep::EndSessions)
}

/// Ends the sessions of a key that became inactive at that time: once immediately, and again when
/// the deactivation has reached the whole service, because the key may have minted more until then.
/// An earlier end, when the key was deactivated first, does not count: the key may have been active
/// in between.
pub(super) fn sessions(
    rotation: &Rotation,
    seen: &Observation,
    inactive_since: Timestamp,
) -> Option<PlanStep> {
    let incident = rotation.incident?;
    let settled = inactive_since.plus_secs(if seen.lags { SETTLE_SECS } else { 0 });
    match incident.sessions_ended {
        Some(ended) if ended >= settled => None,
        Some(ended) if ended >= inactive_since && seen.now < settled => {
            let why = format!("the deactivation of {} to propagate", rotation.old);
            Some(wait(settled, why))
        }
        _ => Some(PlanStep::EndSessions),
    }
}
