//! What a person may do with a rotation under way: hold, release, confirm, edit, roll back.
//!
//! Invariant: these commands only record the request. The following ticks carry it out, step by
//! step like everything else.

use keywright_base::Timestamp;

use super::{Executor, TickError, TickResult, UserLookup, destinations::change_destinations};
use crate::{
    model::{Delivery, HoldReason, ManualStep, Phase, Rotation, RotationId},
    ports::RotationJournal,
};

/// Changes to an open rotation. An empty edit changes nothing.
#[derive(Debug, Clone, Default)]
pub struct RotationEdit {
    /// How long the old key must have been quiet before it is deactivated, in seconds.
    pub observe_secs: Option<i64>,
    /// How long the old key stays inactive before it is deleted, in seconds.
    pub dwell_secs: Option<i64>,
    /// Whether the key has leaked. The rotation then does not wait for quiet, and ends the key's
    /// sessions.
    pub incident: bool,
    /// Whether to deactivate the old key now, before its consumers have the new one.
    pub deactivate_first: bool,
    /// Whether windows may be too short for a use to become visible.
    pub accept_blind: bool,
    /// Why the old key may be deleted although no consumer has used the new one.
    pub override_unused: Option<String>,
    /// Destinations to add, as [`super::look_at_added`] found them.
    pub added: Vec<Delivery>,
    /// Names of destinations to remove. Nothing is deleted there.
    pub removed: Vec<String>,
}

/// Changes the rules and destinations of an open rotation and journals the reason. Returns whether
/// anything changed. New windows apply from then on, and added destinations get the new key before
/// any other step.
///
/// # Errors
/// [`TickError::TooLate`] when the rotation is over, or too far along to add destinations;
/// [`TickError::RollingBack`] when the key has leaked and a rollback has brought it back;
/// [`TickError::Destinations`], [`TickError::Blind`], [`TickError::Unknown`],
/// [`TickError::Journal`].
pub async fn change(
    journal: &dyn RotationJournal,
    id: &RotationId,
    change: RotationEdit,
    why: &str,
) -> Result<bool, TickError> {
    let found = journal.rotation(id).await?;
    let mut rotation = found.ok_or_else(|| TickError::Unknown(id.clone()))?;
    if rotation.phase.is_over() {
        return Err(TickError::TooLate(rotation.phase));
    }
    if change.incident && rotation.phase.restores_old() {
        return Err(TickError::RollingBack(rotation.old));
    }
    let mut message = change_destinations(&mut rotation, &change)?;
    let observe_secs = if change.incident {
        Some(0)
    } else {
        change.observe_secs
    };
    message.extend(set_times(&mut rotation, observe_secs, change.dwell_secs));
    message.extend(leaked(&mut rotation, &change));
    if change.override_unused.is_some() && change.override_unused != rotation.override_unused {
        message
            .push("the old key may be deleted even if no consumer has used the new one".to_owned());
        rotation.override_unused = change.override_unused;
        if matches!(rotation.held, Some(HoldReason::NewKeyUnused(_))) {
            rotation.held = None;
        }
    }
    if change.incident && rotation.calendar.take().is_some() {
        message.push("windows and freezes no longer apply".to_owned());
    }
    if message.is_empty() {
        return Ok(false);
    }
    rotation.rules.accept_blind |= change.accept_blind;
    let skipped = change.incident || observe_secs.is_none();
    if let Some(blind) = rotation.rules.blind_window(rotation.blind_secs, skipped) {
        return Err(TickError::Blind(blind));
    }
    rotation.generation += 1;
    let event = format!("changed: {}; {why}", message.join(", "));
    journal.advance(&rotation, &event).await?;
    Ok(true)
}

/// Sets the windows; returns a description of the changes.
fn set_times(
    rotation: &mut Rotation,
    observe_secs: Option<i64>,
    dwell_secs: Option<i64>,
) -> Vec<String> {
    let mut message = Vec::new();
    let rules = &mut rotation.rules;
    let times = [
        ("observe", &mut rules.observe_secs, observe_secs),
        ("dwell", &mut rules.dwell_secs, dwell_secs),
    ];
    for (name, now, then) in times {
        if let Some(then) = then.filter(|then| then != now) {
            message.push(format!("{name} from {now} s to {then} s"));
            *now = then;
            if matches!(rotation.held, Some(HoldReason::StillUsed(_))) {
                rotation.held = None;
            }
        }
    }
    message
}

/// Records that the key has leaked; returns a description of the changes.
fn leaked(rotation: &mut Rotation, change: &RotationEdit) -> Vec<String> {
    let mut message = Vec::new();
    if !change.incident {
        return message;
    }
    if rotation.incident.is_none() {
        message.push("sessions created with the old key will be ended".to_owned());
        // How quiet the key was before no longer matters.
        rotation.last_known = None;
    }
    let incident = rotation.incident.get_or_insert_default();
    if change.deactivate_first && !incident.deactivate_first {
        incident.deactivate_first = true;
        message.push(
            "the old key will be deactivated before its consumers have the new one".to_owned(),
        );
    }
    message
}

impl Executor<'_> {
    /// Stops a rotation until [`Executor::release`].
    ///
    /// # Errors
    /// [`TickError`].
    pub async fn ask_hold(&self, id: &RotationId, why: &str) -> TickResult {
        let rotation = self.load(id).await?;
        self.hold(rotation, HoldReason::Asked(why.to_owned())).await
    }

    /// Releases a held rotation and its stuck sinks.
    ///
    /// # Errors
    /// [`TickError`].
    pub async fn release(&self, id: &RotationId) -> TickResult {
        let mut rotation = self.load(id).await?;
        rotation.missing = None;
        if let Some(HoldReason::StillUsed(_)) = rotation.held.take() {
            // The person found who used the old key, so the quiet window starts now.
            let now = self.issuer.keys(&rotation.user).await?.at;
            rotation.enter(Phase::Observing, now);
            rotation.last_known = None;
        }
        for delivery in &mut rotation.deliveries {
            delivery.stuck = false;
            delivery.failures = 0;
            delivery.not_before = Timestamp::default();
        }
        self.advance(rotation, "released by a person").await
    }

    /// Records that a person has put the new key pair where it is used. The confirmation alone is
    /// not enough: someone must have retrieved the pair or used it.
    ///
    /// # Errors
    /// [`TickError::NothingToConfirm`], [`TickError::NotRetrieved`].
    pub async fn confirm(&self, id: &RotationId) -> TickResult {
        let mut rotation = self.load(id).await?;
        let Some(awaited) = rotation.awaits_person() else {
            return Err(TickError::NothingToConfirm);
        };
        let proof = self.delivery_evidence(&rotation).await?;
        let Some(delivery) = rotation.deliveries.get_mut(awaited) else {
            return Err(TickError::NothingToConfirm);
        };
        delivery.person = ManualStep::Confirmed;
        delivery.not_before = Timestamp::default();
        let event = format!("{}: confirmed by a person; {proof}", delivery.sink);
        self.advance(rotation, &event).await
    }

    /// Changes how the issuer is reached from now on, because the previous principal no longer
    /// exists.
    ///
    /// # Errors
    /// [`TickError`].
    pub async fn hand_over(&self, id: &RotationId, access: String, to: &str) -> TickResult {
        let mut rotation = self.load(id).await?;
        rotation.access = access;
        self.advance(rotation, &format!("taken over by {to}")).await
    }

    /// Begins a rollback; further ticks carry it out. If the user is missing and nothing can be
    /// restored, the rotation ends.
    ///
    /// # Errors
    /// [`TickError::TooLate`] once the old key is being deleted, [`TickError::Unresolved`].
    pub async fn roll_back(&self, id: &RotationId, why: &str) -> TickResult {
        let mut rotation = self.load(id).await?;
        if let Some(HoldReason::UserMissing(_) | HoldReason::AnotherUser(_)) = rotation.held
            && let UserLookup::Missing(_) = self.find(&rotation).await?
        {
            rotation.why_back = Some(why.to_owned());
            let why = format!("ended by a person: {why}");
            return self.end(rotation, &why, self.clock.now()).await;
        }
        if rotation.phase == Phase::Creating {
            return Err(TickError::Unresolved);
        }
        if !rotation.phase.can_roll_back() || rotation.orphan.is_some() {
            return Err(TickError::TooLate(rotation.phase));
        }
        rotation.held = None;
        rotation.why_back = Some(why.to_owned());
        for delivery in &mut rotation.deliveries {
            // Whatever it was waiting for no longer matters.
            delivery.not_before = Timestamp::default();
        }
        let now = self.issuer.keys(&rotation.user).await?.at;
        rotation.enter(Phase::RollingBack, now);
        self.advance(rotation, &format!("rolling back: {why}"))
            .await
    }
}
