//! A person's actions in the simulated world: on the user, its keys and its sinks, while rotations
//! run.

use super::{
    live,
    run::SimulationRun,
    world::{KeyActor, SimWorld},
};
use crate::{
    execute::{RotationEdit, change},
    model::{KeyPair, Phase},
    ports::IamKeyStatus,
    simulator::SimRotator,
};

/// What happens to the user in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UserFate {
    /// Nothing.
    Stays,
    /// It is renamed.
    Renamed,
    /// It is deleted, after its keys.
    Deleted,
    /// It is deleted, and another user is created with its name.
    Recreated,
    /// The service temporarily fails to find it.
    NotFound,
}

/// The maximum time for which an existing user is not found, in seconds.
const NOT_FOUND_SECS_MAX: u64 = 60;

impl SimulationRun {
    /// Applies the user's fate.
    pub(super) fn meets(&mut self, fate: UserFate) {
        let secs = i64::try_from(self.dice.below(NOT_FOUND_SECS_MAX)).unwrap_or(0);
        {
            let mut world = self.shared.world();
            match fate {
                UserFate::Stays => {}
                UserFate::Renamed if world.name_of(&world.user_id).is_none() => {}
                UserFate::Renamed => world.rename("OtherName"),
                UserFate::Deleted => world.delete_user(),
                UserFate::Recreated => world.recreate_user(),
                UserFate::NotFound => world.lost_until = world.now + secs,
            }
            let now = world.now;
            self.trace.push(format!("{now} the user: {fate:?}"));
        }
        self.wake();
    }

    /// Makes rotations that were left to a person look again.
    pub(super) fn wake(&mut self) {
        for rotator in &mut self.rotators {
            if rotator.begun {
                rotator.ended = None;
            }
        }
    }

    /// A sink fails for a while, or until a person fixes it.
    pub(super) fn fail_a_sink(&mut self) {
        let mut world = self.shared.world();
        let which = usize::try_from(self.dice.below(3)).unwrap_or(0);
        let (now, forever, secs) = (world.now, self.dice.one_in(3), self.dice.secs(6 * 3600));
        let Some(sink) = world.sinks.get_mut(which) else {
            return;
        };
        if forever {
            sink.refused = true;
        } else {
            sink.down_until = now + secs;
        }
        let how = if forever { "broke" } else { "is down" };
        self.trace.push(format!("{now} sink {which} {how}"));
    }

    /// A person asks the first rotator to roll back.
    pub(super) fn ask_back(&mut self) {
        let Some(rotator) = self.rotators.first_mut().filter(|rotator| rotator.begun) else {
            return;
        };
        let requested = live(rotator.executor().roll_back(&rotator.id, "a person asked"));
        if requested.is_none() {
            rotator.revive(&self.shared);
        }
        if let Some(Ok(_)) = requested {
            rotator.ended = None;
        }
        self.trace
            .push(format!("a person requested a rollback: {requested:?}"));
    }

    /// A person abandons the first rotation; this must not strand anyone.
    pub(super) fn abandon(&mut self) {
        let Some(rotator) = self.rotators.first_mut().filter(|rotator| rotator.begun) else {
            return;
        };
        let requested = live(rotator.executor().abandon(&rotator.id, "a person asked"));
        if requested.is_none() {
            rotator.revive(&self.shared);
        }
        rotator.ended = None;
        self.trace
            .push(format!("a person abandoned it: {requested:?}"));
    }

    /// A person changes the rotations' windows, to lengths that consumers can handle.
    pub(super) fn change_rules(&mut self) {
        let to = RotationEdit {
            observe_secs: Some(12 * 3600 + self.dice.secs(36 * 3600)),
            dwell_secs: Some(5 * 3600 + self.dice.secs(240 * 3600)),
            ..RotationEdit::default()
        };
        for rotator in self.rotators.iter_mut().filter(|rotator| rotator.begun) {
            let changed = change(&*rotator.journal, &rotator.id, to.clone(), "a person");
            let changed = live(changed);
            if changed.is_none() {
                rotator.revive(&self.shared);
            }
            self.trace
                .push(format!("a person changed {to:?}: {changed:?}"));
        }
    }

    /// A person changes the user, its keys or its sinks.
    pub(super) fn meddle(&mut self) {
        let phases = self.rotators.iter().filter_map(SimRotator::rotation);
        let phases: Vec<_> = phases.map(|rotation| rotation.phase).collect();
        let unresolved = phases.contains(&Phase::Creating);
        let mut world = self.shared.world();
        let which = usize::try_from(self.dice.below(2)).unwrap_or(0);
        let act = self.dice.below(8);
        let there = world.name_of(&world.user_id).is_some();
        let message = match act {
            // While the outcome of a create is unknown, such a key cannot be distinguished from
            // ours.
            0 if world.keys.len() < 2 && !unresolved && there => {
                world.make(KeyActor::Person);
                "made a key"
            }
            1 => {
                if let Some(key) = world.keys.get_mut(which) {
                    key.status = IamKeyStatus::Inactive;
                    key.withdrawn_by_person = true;
                }
                "deactivated a key"
            }
            2 => {
                if which < world.keys.len() {
                    let mut gone = world.keys.remove(which);
                    gone.withdrawn_by_person = true;
                    world.gone.push(gone);
                }
                "deleted a key"
            }
            3 => {
                for key in &mut world.keys {
                    key.activated_by_person |= key.status == IamKeyStatus::Inactive;
                    key.status = IamKeyStatus::Active;
                }
                "activated every key"
            }
            4 => {
                // A removed sink is not read either.
                let late = phases.iter().any(|phase| *phase >= Phase::Confirming)
                    || world.sinks.first().is_some_and(|sink| sink.removed);
                overwrite(&mut world, late);
                "put the first key into a sink"
            }
            5 => {
                world.tags.clear();
                "removed the mark"
            }
            6 => {
                world.recreate_user();
                "recreated the user"
            }
            7 if there => {
                world.rename("Renamed");
                "renamed the user"
            }
            _ => "looked on",
        };
        self.trace.push(format!("{} a person {message}", world.now));
        drop(world);
        self.wake();
    }
}

/// A person writes the very first key into a sink. After the last check of the sinks, that is the
/// person's own fault.
fn overwrite(world: &mut SimWorld, late: bool) {
    let all = world.keys.iter().chain(&world.gone);
    let first: Option<KeyPair> = all
        .min_by_key(|key| &key.pair.id)
        .map(|key| key.pair.clone());
    let Some(first) = first else {
        return;
    };
    if late {
        let SimWorld { keys, gone, .. } = world;
        for key in keys.iter_mut().chain(gone) {
            key.withdrawn_by_person |= key.pair == first;
        }
    }
    if let Some(sink) = world.sinks.first_mut() {
        sink.held = first;
    }
}
