//! The order of deliveries: every destination gets the new key and is read back, including one
//! added after the others had it.
//!
//! Invariants:
//!
//! - A destination that must wait delays no other.
//! - A removed destination is neither written nor read, but a rollback restores it if it may have
//!   the new key.

use super::{Observation, PlanStep, new_key_gone, wait};
use crate::model::{Delivery, DeliveryStage, HoldReason, Phase, Rotation};

pub(super) fn distributing(rotation: &Rotation, seen: &Observation) -> PlanStep {
    new_key_gone(rotation, seen)
        .or_else(|| undelivered(rotation, seen))
        .unwrap_or(PlanStep::Enter(Phase::Observing))
}

/// The next step until every destination has read back the new key; `None` once all have.
pub(super) fn undelivered(rotation: &Rotation, seen: &Observation) -> Option<PlanStep> {
    let next = |delivery: &Delivery, at| match delivery.stage {
        _ if delivery.removed => None,
        DeliveryStage::Pending | DeliveryStage::Restored => Some(PlanStep::Stage(at)),
        DeliveryStage::Staged | DeliveryStage::Writing => Some(PlanStep::Write(at)),
        DeliveryStage::Written => Some(PlanStep::ReadBack(at)),
        DeliveryStage::ReadBack => None,
    };
    each(rotation, seen, next)
}

/// The first sink that has work to do and need not wait. Waiting sinks delay no other.
pub(super) fn each(
    rotation: &Rotation,
    seen: &Observation,
    next: impl Fn(&Delivery, usize) -> Option<PlanStep>,
) -> Option<PlanStep> {
    let todo = rotation.deliveries.iter().enumerate();
    let todo: Vec<_> = todo
        .filter_map(|(at, delivery)| Some((delivery, next(delivery, at)?)))
        .collect();
    let ready = todo
        .iter()
        .find(|(delivery, _)| delivery.not_before <= seen.now);
    if let Some((_, step)) = ready {
        return Some(step.clone());
    }
    let first = todo
        .iter()
        .min_by_key(|(delivery, _)| delivery.not_before)?
        .0;
    let message = |delivery: &Delivery| {
        let trouble = delivery.trouble.as_deref().unwrap_or("it failed");
        format!("{}: {trouble}", delivery.sink)
    };
    if let Some((stuck, _)) = todo.iter().find(|(delivery, _)| delivery.stuck) {
        return Some(PlanStep::Hold(HoldReason::Sink(message(stuck))));
    }
    Some(wait(first.not_before, message(first)))
}
