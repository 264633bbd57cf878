//! What is done beside a rotation because the old key has leaked: its sessions end, and where
//! nobody must go on using it, it is deactivated before anything else.
//!
//! It protects two rules. Sessions end only once the key is inactive, since until then it mints
//! more. And a key that was deactivated first is made active again by a person's rollback only.

use keywright_base::Timestamp;

use super::{Observation, PlanStep, SETTLE_SECS, status, wait};
use crate::{
    model::{HoldReason, LeakResponse, Phase, Rotation},
    ports::KeyStatus,
};

/// What a leaked key asks for in the phases in which the old key is usually active. A rotation that
/// has made nothing yet is first looked at for what stands against it.
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

/// The end of sessions that have not been ended at all. The key itself may be gone by now: a
/// session outlives it.
pub(super) fn unended(rotation: &Rotation) -> Option<PlanStep> {
    let incident = rotation.incident?;
    incident
        .sessions_ended
        .is_none()
        .then_some(PlanStep::EndSessions)
}

/// The end of the sessions of a key that is inactive since then: at once, and again when its
/// deactivation has reached the whole service, since it may have minted more until then. What was
/// ended when the key was deactivated first does not count: it may have been active in between.
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
            let why = format!("the deactivation of {} to reach everywhere", rotation.old);
            Some(wait(settled, why))
        }
        _ => Some(PlanStep::EndSessions),
    }
}
