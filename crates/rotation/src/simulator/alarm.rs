//! A leak that is found while a rotation is held or paused: a person turns it into an incident.
//!
//! It tests one invariant of the engine: no hold delays the response to a leak. Whenever the
//! rotation reports that it is held, the key is inactive and its sessions have ended.

use super::{Dice, SimRotator, live, run::SimulationRun};
use crate::{
    execute::{RotationEdit, change},
    model::{HoldReason, Rotation},
    ports::{IamKeyStatus, Issuer},
};

/// Why the person pauses the rotation.
const PAUSE: &str = "a person paused it";

/// Whether and when a person finds the leak. It has its own random numbers, so that other runs stay
/// the same.
#[derive(Debug)]
pub(super) struct Alarm {
    dice: Dice,
    stage: AlarmStage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AlarmStage {
    Never,
    Due,
    Raised,
}

impl Alarm {
    pub(super) const fn none() -> Self {
        Self {
            dice: Dice::new(0),
            stage: AlarmStage::Never,
        }
    }

    /// Whether the leak is yet to be found. Nobody releases a hold until then.
    pub(super) fn is_due(&self) -> bool {
        self.stage == AlarmStage::Due
    }

    /// Whether the person only paused the rotation, and releases it now.
    pub(super) fn is_pause(hold: &HoldReason) -> bool {
        matches!(hold, HoldReason::Asked(why) if why == PAUSE)
    }

    /// Checks that a rotation that reports to be held has responded to the leak.
    pub(super) fn check_response(&self, rotator: &SimRotator) {
        let responds = |one: &Rotation| one.held.is_some() && one.responds_to_leak();
        let Some(rotation) = rotator.rotation().filter(responds) else {
            return;
        };
        let mut world = rotator.issuer.shared.world();
        let found = world.name_of(&rotation.user_id).as_ref() == Some(&rotation.user);
        if self.stage != AlarmStage::Raised || !found {
            return;
        }
        let Some(key) = world.key(&rotation.old).cloned() else {
            return;
        };
        let alive = world.sessions.iter().any(|session| !session.ended);
        let violation = match key.status {
            _ if key.activated_by_person => return,
            IamKeyStatus::Active => "active",
            IamKeyStatus::Inactive if alive => "inactive, but its sessions live",
            IamKeyStatus::Inactive => return,
        };
        let text = format!("the rotation is held, and the leaked key is {violation}");
        world.violations.push(text);
    }
}

impl SimulationRun {
    /// In every third run with one rotator that does not sign with the key.
    pub(super) fn throw_alarm(&self, seed: u64) -> Alarm {
        let mut dice = Dice::new(seed ^ 0xa1a4_a1a4);
        let [only] = self.rotators.as_slice() else {
            return Alarm::none();
        };
        let leaked = self.shared.world().leaked.is_some();
        if leaked || only.issuer.signer().is_some() || !dice.one_in(3) {
            return Alarm::none();
        }
        Alarm {
            dice,
            stage: AlarmStage::Due,
        }
    }

    /// The person finds the leak while the rotation is held, or pauses it and finds it then.
    pub(super) fn find_leak(&mut self) {
        let Some(rotator) = self.rotators.first_mut().filter(|one| one.begun) else {
            return;
        };
        let Some(rotation) = rotator.rotation().filter(|_| self.alarm.is_due()) else {
            return;
        };
        if rotation.phase.is_over() || rotation.phase.restores_old() {
            self.alarm.stage = AlarmStage::Never;
            return;
        }
        if rotation.held.is_none() {
            if !self.alarm.dice.one_in(20) {
                return;
            }
            let paused = live(rotator.executor().ask_hold(&rotator.id, PAUSE));
            if paused.is_none() {
                rotator.revive(&self.shared);
            }
        }
        let to = RotationEdit {
            incident: true,
            deactivate_first: true,
            ..RotationEdit::default()
        };
        let held = rotator.rotation().is_some_and(|one| one.held.is_some());
        let changed = held.then(|| live(change(&*rotator.journal, &rotator.id, to, "it leaked")));
        if changed.as_ref().is_some_and(Option::is_none) {
            rotator.revive(&self.shared);
        }
        self.trace
            .push(format!("a person found the leak: {changed:?}"));
        self.raise(&rotation);
    }

    /// What is true once the journal has the leak.
    fn raise(&mut self, rotation: &Rotation) {
        let now = self.rotators.first().and_then(SimRotator::rotation);
        if now.is_none_or(|one| one.incident.is_none()) {
            return;
        }
        self.alarm.stage = AlarmStage::Raised;
        // A rotation whose key has leaked is not slowed down.
        self.changes = 0;
        let mut world = self.shared.world();
        world.leaked = Some(rotation.old.clone());
        world.first = true;
        drop(world);
        self.wake();
    }
}
