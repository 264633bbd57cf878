//! Leak response: ends the sessions of the old key and, where its use must stop immediately,
//! deactivates it before everything else.
//!
//! Invariants:
//!
//! - Sessions are ended only once the key is inactive, because until then it can mint more.
//! - No hold delays these steps. Whoever controls a destination can get a rotation held, and a
//!   pause stops what a rotation gives out, not the response to a leak.
//! - A key that was deactivated first is reactivated only by a person's rollback.

use keywright_base::Timestamp;

use super::{Observation, PlanStep, SETTLE_SECS, awake, status, wait};
use crate::{
    model::{HoldReason, LeakResponse, Phase, Rotation},
    ports::IamKeyStatus,
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
    first(rotation, seen).or_else(|| withdrawn_by_others(rotation, seen))
}

/// The next step of the leak response that needs neither a destination nor evidence of use.
pub(super) fn urgent(rotation: &Rotation, seen: &Observation) -> Option<PlanStep> {
    rotation.incident?;
    let step = match rotation.phase {
        Phase::Planned
        | Phase::Creating
        | Phase::Created
        | Phase::Distributing
        | Phase::Observing
        | Phase::Confirming => first(rotation, seen)
            .or_else(|| withdrawn_by_others(rotation, seen))
            .or_else(|| spreading(rotation, seen)),
        Phase::Deactivating | Phase::Dwelling | Phase::Deleting => late(rotation, seen),
        Phase::RollingBack
        | Phase::Settling
        | Phase::Retiring
        | Phase::Done
        | Phase::RolledBack
        | Phase::UserGone
        | Phase::Abandoned => None,
    };
    step.filter(|step| !matches!(step, PlanStep::Hold(_)))
}

/// The sessions of a key that someone else has deactivated or deleted. They end again once that has
/// certainly reached the whole service: after the rotation has entered [`Phase::Dwelling`].
fn withdrawn_by_others(rotation: &Rotation, seen: &Observation) -> Option<PlanStep> {
    let active = status(seen, &rotation.old) == Some(IamKeyStatus::Active);
    unended(rotation).filter(|_| !active)
}

/// The wait until a deactivation has reached the whole service, after which sessions end again.
fn spreading(rotation: &Rotation, seen: &Observation) -> Option<PlanStep> {
    let settled = rotation.inactive_first()?.plus_secs(SETTLE_SECS);
    (seen.lags && seen.now < settled).then(|| wait(settled, propagation(rotation)))
}

/// The leak response once the old key has been deactivated, or is about to be.
fn late(rotation: &Rotation, seen: &Observation) -> Option<PlanStep> {
    let incident = rotation.incident?;
    let old = &rotation.old;
    match status(seen, old) {
        Some(IamKeyStatus::Active)
            if incident.deactivate_first && incident.inactive_since.is_none() =>
        {
            Some(PlanStep::SetStatus(old.clone(), IamKeyStatus::Inactive))
        }
        Some(IamKeyStatus::Active) => {
            let stale = unended(rotation).map(|_| awake(rotation.since, seen, old));
            stale.filter(|_| rotation.phase == Phase::Dwelling)
        }
        Some(IamKeyStatus::Inactive) | None if rotation.phase == Phase::Dwelling => {
            sessions(rotation, seen, rotation.since)
        }
        Some(IamKeyStatus::Inactive) | None => unended(rotation),
    }
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
        return Some(PlanStep::SetStatus(old.clone(), IamKeyStatus::Inactive));
    };
    let settled = since.plus_secs(SETTLE_SECS);
    if status == IamKeyStatus::Active && seen.now >= settled {
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
            Some(wait(settled, propagation(rotation)))
        }
        _ => Some(PlanStep::EndSessions),
    }
}

fn propagation(rotation: &Rotation) -> String {
    format!("the deactivation of {} to propagate", rotation.old)
}
