//! A person adds and removes destinations of open rotations, in any phase.
//!
//! It tests two invariants of the engine:
//!
//! - An added destination has the new key before the old one is deactivated, or before it is
//!   deleted if it is already inactive.
//! - A removed destination keeps a key that works.

use super::{
    Dice, SimRotator, SimSink, live,
    run::SimulationRun,
    stranger,
    world::{SimWorld, nothing},
};
use crate::{
    execute::{RotationEdit, TickError, change, look_at_added},
    model::{Delivery, KeyPair, Rotation},
    ports::{IamKeyStatus, Sink},
};

/// How often a person changes destinations in a run. It has its own random numbers, so that other
/// runs stay the same.
#[derive(Debug)]
pub(super) struct Moves {
    dice: Dice,
    left: u64,
}

impl Moves {
    pub(super) const fn none() -> Self {
        let dice = Dice::new(0);
        Self { dice, left: 0 }
    }

    /// In every third run, one to four times.
    pub(super) fn throw(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0xde57_de57);
        let left = if dice.one_in(3) { 1 + dice.below(4) } else { 0 };
        Self { dice, left }
    }
}

impl SimulationRun {
    /// Occasionally changes the destinations of an open rotation.
    pub(super) fn change_destinations(&mut self) {
        if self.moves.left == 0 || !self.moves.dice.one_in(10) {
            return;
        }
        let open = |one: &SimRotator| one.rotation().is_some_and(|it| !it.phase.is_over());
        let Some(at) = self.rotators.iter().position(open) else {
            return;
        };
        self.moves.left -= 1;
        match self.moves.dice.below(5) {
            0 => self.remove_a_sink(at),
            1 => self.add_again(at),
            2 => self.add_a_foreign_sink(at),
            _ => self.add_a_sink(at),
        }
    }

    /// Adds a new sink and its consumer. It holds the old key pair while that is accepted.
    /// Otherwise, or if another rotation of the same user may be further along, it is empty.
    fn add_a_sink(&mut self, at: usize) {
        let alone = self.rotators.len() == 1;
        let Some(rotation) = self.rotators.get(at).and_then(SimRotator::rotation) else {
            return;
        };
        let number = {
            let mut world = self.shared.world();
            let old = world.accepted(&rotation).filter(|_| alone);
            world.add_sink(old.unwrap_or_else(nothing))
        };
        self.join(number);
        let added = self.add(at, number);
        self.note(format!("adds sink {number}: {added:?}"));
        if !self.has(at, number) {
            // Its owner sees that it is not served, and stops using it.
            self.shared.world().retire(number);
        }
    }

    /// Adds a sink that holds another user's key, which must be rejected.
    fn add_a_foreign_sink(&mut self, at: usize) {
        let number = {
            let mut world = self.shared.world();
            world.foreign.push(stranger());
            let number = world.add_sink(stranger());
            world.retire(number);
            number
        };
        self.join(number);
        let added = self.add(at, number);
        if self.has(at, number) {
            let text = format!("sink {number} was accepted with a foreign key");
            self.shared.world().violations.push(text);
        }
        self.note(format!("adds the foreign sink {number}: {added:?}"));
    }

    /// Removes a sink, unless it is the last one. From then on it has no readers, unless it has the
    /// new key. The rotator's own credentials stay.
    fn remove_a_sink(&mut self, at: usize) {
        let Some(rotator) = self.rotators.get(at) else {
            return;
        };
        let own = rotator.issuer.own.lock().is_ok_and(|own| own.is_some());
        let rotation = rotator.rotation();
        let deliveries = rotation.iter().flat_map(|one| &one.deliveries);
        let left: Vec<_> = deliveries.filter(|one| !one.removed).cloned().collect();
        let which = self.moves.dice.below(left.len().max(1) as u64);
        let chosen = usize::try_from(which).ok().and_then(|at| left.get(at));
        let Some(chosen) = chosen.filter(|_| left.len() > 1) else {
            return;
        };
        let Some(number) = number(&chosen.sink).filter(|number| *number > 0 || !own) else {
            return;
        };
        let to = RotationEdit {
            removed: vec![chosen.sink.clone()],
            ..RotationEdit::default()
        };
        let removed = self.order(at, to);
        self.note(format!("removes {}: {removed:?}", chosen.sink));
        if self.has(at, number) {
            return;
        }
        let mut world = self.shared.world();
        if chosen.is_undelivered() {
            world.retire(number);
        }
        if let Some(sink) = world.sinks.get_mut(number) {
            sink.removed = true;
        }
    }

    /// Adds a removed sink again.
    fn add_again(&mut self, at: usize) {
        let rotation = self.rotators.get(at).and_then(SimRotator::rotation);
        let deliveries = rotation.iter().flat_map(|one| &one.deliveries);
        let mut removed = deliveries.filter(|one| one.removed);
        let Some(number) = removed.find_map(|one| number(&one.sink)) else {
            return;
        };
        let added = self.add(at, number);
        self.note(format!("adds sink {number} again: {added:?}"));
    }

    /// Every rotator can reach a new sink, but uses it only once it is added to its rotation.
    fn join(&mut self, number: usize) {
        for rotator in &mut self.rotators {
            let sink = SimSink::new(&self.shared, number, &rotator.journal);
            rotator.sinks.push(sink);
        }
    }

    /// Inspects and adds a sink; `None` if the person's program crashed.
    fn add(&mut self, at: usize, number: usize) -> Option<Result<bool, TickError>> {
        let looked = {
            let rotator = self.rotators.get(at)?;
            let sink = rotator.sinks.get(number)?;
            live(look_at_added(
                &rotator.rotation()?,
                &[sink as &dyn Sink],
                false,
            ))
        };
        match looked {
            Some(Ok(added)) => self.order(
                at,
                RotationEdit {
                    added,
                    ..RotationEdit::default()
                },
            ),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        }
    }

    fn order(&mut self, at: usize, to: RotationEdit) -> Option<Result<bool, TickError>> {
        let rotator = self.rotators.get_mut(at)?;
        let changed = live(change(&*rotator.journal, &rotator.id, to, "a person"));
        // A rotator that had stopped looks again.
        rotator.ended = None;
        changed
    }

    /// Whether a rotation delivers to a sink.
    fn has(&self, at: usize, number: usize) -> bool {
        let rotation = self.rotators.get(at).and_then(SimRotator::rotation);
        let name = format!("sink-{number}");
        rotation.is_some_and(|rotation| rotation.destinations().contains(&name.as_str()))
    }

    fn note(&mut self, what: String) {
        let now = self.shared.world().now;
        self.trace.push(format!("{now} a person {what}"));
    }
}

fn number(sink: &str) -> Option<usize> {
    sink.strip_prefix("sink-")?.parse().ok()
}

impl SimWorld {
    /// The old key pair of a rotation, if it is accepted.
    fn accepted(&self, rotation: &Rotation) -> Option<KeyPair> {
        let old = self.keys.iter().find(|key| key.pair.id == rotation.old)?;
        (old.status == IamKeyStatus::Active).then(|| old.pair.clone())
    }

    /// The first destination of a rotation that lacks its new key.
    pub(super) fn lacks_new(&self, rotation: &Rotation) -> Option<String> {
        let mismatches = |delivery: &&Delivery| {
            let sink = number(&delivery.sink).and_then(|number| self.sinks.get(number));
            let held = sink.map(|sink| &sink.held.id);
            !delivery.removed && held != rotation.new.as_ref()
        };
        let found = rotation.deliveries.iter().find(mismatches);
        found.map(|delivery| delivery.sink.clone())
    }
}
