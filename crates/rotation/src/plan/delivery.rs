//! Which destination comes next: each gets the new key and is read back, also one that was added
//! when the others had it already.
//!
//! It protects two rules: a destination that must wait holds up no other; and one that a person has
//! removed is neither written nor read, but put back with the others if it may have the new key.

use super::{Observation, PlanStep, new_key_gone, wait};
use crate::model::{Delivery, DeliveryStage, HoldReason, Phase, Rotation};

pub(super) fn distributing(rotation: &Rotation, seen: &Observation) -> PlanStep {
    new_key_gone(rotation, seen)
        .or_else(|| undelivered(rotation, seen))
        .unwrap_or(PlanStep::Enter(Phase::Observing))
}

/// The next step towards every destination having been read back with the new key; nothing if each
/// has.
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

/// The first sink that has something to do and need not wait; those that must wait hold up nobody
/// else.
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
