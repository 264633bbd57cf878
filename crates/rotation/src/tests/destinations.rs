//! Adding and removing destinations of an open rotation, in every phase before the deletion,
//! without ever stranding a consumer.

use keywright_base::limits;

use super::matrix::Scene;
use crate::{
    execute::{RotationEdit, TickError, change, look_at_added},
    model::{Delivery, DeliveryStage, HoldReason, KeyPair, Phase},
    ports::Sink,
    simulator::{CallFault, SimSink, held_as, live, stranger},
};

impl Scene {
    /// Creates a sink in addition to those that the rotation began with.
    fn new_sink(&mut self, held: KeyPair) -> usize {
        let number = self.shared.world().add_sink(held);
        let sink = SimSink::new(&self.shared, number, &self.rotator.journal);
        self.rotator.sinks.push(sink);
        number
    }

    fn old(&self) -> KeyPair {
        self.shared.world().keys[0].pair.clone()
    }

    fn look(&self, number: usize) -> Result<Vec<Delivery>, TickError> {
        let sink = &self.rotator.sinks[number];
        let rotation = self.rotation();
        live(look_at_added(&rotation, &[sink as &dyn Sink], false)).unwrap()
    }

    fn change(&self, to: RotationEdit) -> Result<bool, TickError> {
        let (journal, id) = (&*self.rotator.journal, &self.rotator.id);
        live(change(journal, id, to, "a test")).unwrap()
    }

    fn add(&self, number: usize) -> Result<bool, TickError> {
        let added = self.look(number)?;
        self.change(RotationEdit {
            added,
            ..RotationEdit::default()
        })
    }

    fn remove(&self, number: usize) -> Result<bool, TickError> {
        self.change(RotationEdit {
            removed: vec![format!("sink-{number}")],
            ..RotationEdit::default()
        })
    }

    fn expected(&self, what: &str) -> bool {
        let events = self.rotator.journal.events();
        events.iter().any(|event| event.contains(what))
    }

    fn roll_back(&mut self) {
        let id = self.rotator.id.clone();
        let requested = live(self.rotator.executor().roll_back(&id, "a test"));
        requested.unwrap().unwrap();
    }
}

const BEFORE_DELETION: [Phase; 8] = [
    Phase::Planned,
    Phase::Creating,
    Phase::Created,
    Phase::Distributing,
    Phase::Observing,
    Phase::Confirming,
    Phase::Deactivating,
    Phase::Dwelling,
];

/// A rotation in this phase, with the state of its old key in that phase.
fn at(phase: Phase, sinks: usize) -> Scene {
    let mut scene = Scene::new(sinks);
    scene.begin();
    if phase == Phase::Creating {
        scene.fault("create", 1, CallFault::Lost);
    }
    scene.until(phase);
    assert_eq!(scene.rotation().phase, phase);
    scene
}

fn nothing() -> KeyPair {
    let mut pair = stranger();
    pair.id.0.clear();
    pair.secret = keywright_base::Secret::new(String::new());
    pair
}

/// In a world where the old key is rejected, no consumer still depends on it.
fn found(scene: &Scene, phase: Phase) -> KeyPair {
    if phase == Phase::Dwelling {
        return nothing();
    }
    scene.old()
}

#[test]
fn what_is_added_at_any_phase_has_the_new_key_before_the_old_one_is_withdrawn() {
    for phase in BEFORE_DELETION {
        let mut scene = at(phase, 1);
        let held = found(&scene, phase);
        let number = scene.new_sink(held);
        assert!(scene.add(number).unwrap(), "{phase:?}");
        assert!(!scene.add(number).unwrap(), "it is there already");
        assert!(
            scene.expected("changed: sink-1 was added; a test"),
            "{phase:?}"
        );
        scene.assert_replaced();
        let delivered = &scene.rotation().deliveries[number];
        assert_eq!(delivered.stage, DeliveryStage::ReadBack, "{phase:?}");
    }
}

#[test]
fn what_is_added_can_be_put_back() {
    for phase in BEFORE_DELETION {
        let mut scene = at(phase, 1);
        let held = found(&scene, phase);
        let number = scene.new_sink(held.clone());
        scene.add(number).unwrap();
        for _ in 0..100 {
            if !scene.rotation().is_incomplete() {
                break;
            }
            let _ = scene.tick();
        }
        scene.roll_back();
        assert_eq!(scene.finish(), Phase::RolledBack, "{phase:?}");
        let world = scene.shared.world();
        assert_eq!(world.sinks[number].held, held, "{phase:?}");
        assert_eq!(world.keys.len(), 1);
    }
}

#[test]
fn nothing_is_deleted_while_a_destination_lacks_the_new_key() {
    let mut scene = at(Phase::Dwelling, 1);
    let number = scene.new_sink(nothing());
    scene.add(number).unwrap();
    scene.shared.world().sinks[number].refused = true;
    scene.assert_held(|hold| matches!(hold, HoldReason::Sink(why) if why.starts_with("sink-1")));
    assert_eq!(scene.rotation().phase, Phase::Dwelling);
    // Removing the destination is an answer as well.
    scene.remove(number).unwrap();
    assert_eq!(scene.rotation().held, None);
    assert_eq!(scene.finish(), Phase::Done);
    assert_eq!(scene.shared.world().sinks[number].held, nothing());
}

#[test]
fn destinations_that_come_too_late_are_refused() {
    for (back, phase) in [
        (false, Phase::Deleting),
        (false, Phase::Done),
        (true, Phase::RollingBack),
        (true, Phase::Settling),
        (true, Phase::Retiring),
        (true, Phase::RolledBack),
    ] {
        let mut scene = Scene::new(2);
        scene.begin();
        if back {
            scene.until(Phase::Observing);
            scene.roll_back();
        }
        scene.until(phase);
        assert_eq!(scene.rotation().phase, phase);
        let number = scene.new_sink(nothing());
        for refused in [scene.add(number), scene.remove(0)] {
            assert!(matches!(refused, Err(TickError::TooLate(_))), "{refused:?}");
        }
        assert!(scene.finish().is_over());
        assert_eq!(scene.shared.world().sinks[number].held, nothing());
    }
}

#[test]
fn what_holds_a_foreign_key_is_refused_before_it_is_written() {
    for phase in BEFORE_DELETION {
        let mut scene = at(phase, 1);
        scene.shared.world().foreign.push(stranger());
        let number = scene.new_sink(stranger());
        scene.shared.world().retire(number);
        let refused = scene.add(number);
        let Err(TickError::Destinations(why)) = refused else {
            panic!("{phase:?}: {refused:?}");
        };
        assert!(why.contains("sink-1: it holds AKIASTRANGER"), "{why}");
        assert_eq!(scene.rotation().deliveries.len(), 1);
        assert_eq!(scene.finish(), Phase::Done);
        assert_eq!(scene.shared.world().sinks[number].held, stranger());
    }
}

/// The content was right when the sink was added, and belongs to someone else when it would be
/// written.
#[test]
fn what_another_writes_after_it_was_added_is_not_overwritten() {
    for phase in BEFORE_DELETION {
        let mut scene = at(phase, 1);
        let held = found(&scene, phase);
        let number = scene.new_sink(held);
        scene.add(number).unwrap();
        {
            let mut world = scene.shared.world();
            world.foreign.push(stranger());
            world.retire(number);
            world.sinks[number].held = stranger();
        }
        scene.assert_held(
            |hold| matches!(hold, HoldReason::Sink(why) if why.contains("AKIASTRANGER")),
        );
        let world = scene.shared.world();
        assert_eq!(world.sinks[number].held, stranger(), "{phase:?}");
    }
}

#[test]
fn what_holds_the_new_key_already_has_nothing_to_be_put_back_to() {
    let mut scene = at(Phase::Observing, 1);
    let new = scene.shared.world().sinks[0].held.clone();
    let number = scene.new_sink(new.clone());
    let refused = scene.add(number);
    let Err(TickError::Destinations(why)) = refused else {
        panic!("{refused:?}");
    };
    let expected = format!("sink-1 already holds the new key {}", new.id);
    assert!(why.starts_with(&expected), "{why}");
}

#[test]
fn what_is_removed_is_left_as_it_is() {
    for phase in BEFORE_DELETION {
        let mut scene = at(phase, 2);
        let before = scene.shared.world().sinks[1].held.clone();
        let delivered = before != scene.old();
        if !delivered {
            // The person who removes it has shut down its consumers.
            scene.shared.world().retire(1);
        }
        assert!(scene.remove(1).unwrap(), "{phase:?}");
        assert!(!scene.remove(1).unwrap(), "it is removed already");
        let expected = if delivered {
            "changed: sink-1 was removed: it holds the new key and keeps it; a test"
        } else {
            "changed: sink-1 was removed: it will not get the new key; a test"
        };
        assert!(scene.expected(expected), "{phase:?}");
        // It is no longer read.
        scene.shared.world().sinks[1].refused = true;
        assert_eq!(scene.finish(), Phase::Done, "{phase:?}");
        assert_eq!(scene.shared.world().sinks[1].held, before, "{phase:?}");
        assert_eq!(scene.rotation().destinations(), ["sink-0"]);
    }
}

/// Its consumers would be denied when the new key is removed.
#[test]
fn what_was_removed_with_the_new_key_is_put_back_with_the_others() {
    for phase in [Phase::Observing, Phase::Confirming, Phase::Dwelling] {
        let mut scene = at(phase, 2);
        let old = scene.old();
        scene.remove(1).unwrap();
        let _ = scene.tick();
        scene.roll_back();
        assert_eq!(scene.finish(), Phase::RolledBack, "{phase:?}");
        let world = scene.shared.world();
        assert!(world.sinks.iter().all(|sink| sink.held == old), "{phase:?}");
    }
}

/// This includes a sink in the middle of a write: it is not tried again, and restored in the end.
#[test]
fn what_cannot_be_written_can_be_removed() {
    let mut scene = Scene::new(2);
    scene.begin();
    scene.fault("commit_id", 1, CallFault::Fails);
    scene.until(Phase::Distributing);
    while scene.rotation().deliveries[1].trouble.is_none() {
        let _ = scene.tick();
    }
    assert_eq!(scene.rotation().deliveries[1].stage, DeliveryStage::Writing);
    scene.shared.world().retire(1);
    scene.remove(1).unwrap();
    assert!(scene.expected("sink-1 was removed: it may hold the old or the new key"));
    assert_eq!(
        scene.until(Phase::Dwelling).rotation().phase,
        Phase::Dwelling
    );
    scene.roll_back();
    assert_eq!(scene.finish(), Phase::RolledBack);
}

#[test]
fn what_was_removed_can_come_back() {
    for phase in BEFORE_DELETION {
        let mut scene = at(phase, 2);
        scene.remove(1).unwrap();
        assert!(scene.add(1).unwrap(), "{phase:?}");
        assert!(scene.expected("changed: sink-1 was added again; a test"));
        scene.assert_replaced();
    }
}

#[test]
fn a_rotation_has_destinations_and_not_too_many() {
    let scene = at(Phase::Distributing, 2);
    let destinations = |refused: Result<bool, TickError>| match refused {
        Err(TickError::Destinations(why)) => why,
        other => panic!("{other:?}"),
    };
    let unknown = destinations(scene.remove(7));
    assert_eq!(
        unknown,
        "sink-7 is not a destination of this rotation; its destinations are sink-0, sink-1"
    );
    let both = RotationEdit {
        added: vec![Delivery::pending("sink-1")],
        removed: vec!["sink-1".to_owned()],
        ..RotationEdit::default()
    };
    let both = destinations(scene.change(both));
    assert_eq!(both, "sink-1 is both added and removed");
    let all = RotationEdit {
        removed: vec!["sink-0".to_owned(), "sink-1".to_owned()],
        ..RotationEdit::default()
    };
    let none = destinations(scene.change(all));
    assert!(none.starts_with("no destination would be left"), "{none}");
    let to = |count: usize| RotationEdit {
        added: (2..count)
            .map(|number| Delivery::pending(&format!("sink-{number}")))
            .collect(),
        ..RotationEdit::default()
    };
    let many = destinations(scene.change(to(limits::ROTATION_DESTINATIONS + 1)));
    assert!(many.contains("up to 100 destinations"), "{many}");
    assert_eq!(scene.rotation().deliveries.len(), 2, "nothing was changed");
    assert!(scene.change(to(limits::ROTATION_DESTINATIONS)).unwrap());
}

/// A window starts at the moment when every consumer could have the new key.
#[test]
fn the_quiet_window_begins_again() {
    let mut scene = at(Phase::Confirming, 1);
    let before = scene.now();
    let old = scene.old();
    let number = scene.new_sink(old);
    scene.add(number).unwrap();
    scene.until(Phase::Observing);
    assert!(scene.rotation().since.secs() >= before);
    assert!(!held_as(&scene.rotator, |_| true));
    scene.until(Phase::Dwelling);
    assert!(scene.now() >= before + scene.rules.observe_secs);
}
