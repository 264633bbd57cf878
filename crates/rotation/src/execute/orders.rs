//! What a person may order while a rotation is under way: hold, release, confirm, change, put back.
//!
//! It protects one rule: an order only notes what is to be; the ticks that follow carry it out, by
//! the same steps as everything else.

use keywright_base::Timestamp;

use super::{Executor, TickError, TickResult, UserLookup, destinations::change_destinations};
use crate::{
    model::{Delivery, HoldReason, ManualStep, Phase, Rotation, RotationId},
    ports::RotationJournal,
};

/// What is to be different in an open rotation; nothing stays as it is.
#[derive(Debug, Clone, Default)]
pub struct RotationEdit {
    /// How long the old key must have been quiet, in seconds.
    pub observe_secs: Option<i64>,
    /// How long it stays inactive, in seconds.
    pub dwell_secs: Option<i64>,
    /// Whether the key has leaked: then it is not waited until it is quiet, and its sessions end.
    pub incident: bool,
    /// Whether it is deactivated now, before its consumers have the new one.
    pub deactivate_first: bool,
    /// Whether windows may be shorter than the time for which a use may not show.
    pub accept_blind: bool,
    /// Why it may be deleted although no consumer has used the new one.
    pub override_unused: Option<String>,
    /// Destinations that are added, as [`super::look_at_added`] found them.
    pub added: Vec<Delivery>,
    /// Names of destinations that are removed. Nothing is deleted there.
    pub removed: Vec<String>,
}

/// Changes how careful an open rotation is, and where the new key goes, and writes down why;
/// whether anything was different. What it waits for is decided by the new times from then on, and
/// what was added gets the new key before anything else is done.
///
/// # Errors
/// [`Stopped::TooLate`] when it is over, or for destinations when they would come too late;
/// [`Stopped::Destinations`], [`Stopped::Blind`], [`Stopped::Unknown`], [`Stopped::Journal`].
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
    let mut message = change_destinations(&mut rotation, &change)?;
    let rules = &mut rotation.rules;
    let observe_secs = if change.incident {
        Some(0)
    } else {
        change.observe_secs
    };
    let times = [
        ("observe", &mut rules.observe_secs, observe_secs),
        ("dwell", &mut rules.dwell_secs, change.dwell_secs),
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
    message.extend(leaked(&mut rotation, &change));
    if change.override_unused.is_some() && change.override_unused != rotation.override_unused {
        message.push("the old key may be deleted although no consumer uses the new one".to_owned());
        rotation.override_unused = change.override_unused;
        if matches!(rotation.held, Some(HoldReason::NewKeyUnused(_))) {
            rotation.held = None;
        }
    }
    if change.incident && rotation.calendar.take().is_some() {
        message.push("windows and freezes do not hold it up".to_owned());
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

/// Notes that a key has leaked; what is different by that.
fn leaked(rotation: &mut Rotation, change: &RotationEdit) -> Vec<String> {
    let mut message = Vec::new();
    if !change.incident {
        return message;
    }
    if rotation.incident.is_none() {
        message.push("the sessions that were minted from the old key end".to_owned());
    }
    let incident = rotation.incident.get_or_insert_default();
    if change.deactivate_first && !incident.deactivate_first {
        incident.deactivate_first = true;
        message.push("the old key is deactivated before its consumers have the new one".to_owned());
    }
    message
}

impl Executor<'_> {
    /// Stops a rotation until [`Executor::release`].
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn ask_hold(&self, id: &RotationId, why: &str) -> TickResult {
        let rotation = self.load(id).await?;
        self.hold(rotation, HoldReason::Asked(why.to_owned())).await
    }

    /// Lets a held rotation, and sinks that were stuck, go on.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn release(&self, id: &RotationId) -> TickResult {
        let mut rotation = self.load(id).await?;
        rotation.missing = None;
        if let Some(HoldReason::StillUsed(_)) = rotation.held.take() {
            // Whoever used the old key was found: from now on it must be quiet.
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

    /// Notes that a person has put the new pair where it is used. The word alone is not enough:
    /// somebody must have retrieved the pair, or used it.
    ///
    /// # Errors
    /// [`Stopped::NothingToConfirm`], [`Stopped::NotRetrieved`].
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

    /// Reaches the issuer in another way from now on: whoever it was reached for is gone.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn hand_over(&self, id: &RotationId, access: String, to: &str) -> TickResult {
        let mut rotation = self.load(id).await?;
        rotation.access = access;
        self.advance(rotation, &format!("taken over by {to}")).await
    }

    /// Begins to put everything back as it was. It is carried out by further ticks. Where the user
    /// is not found, and nothing can be put back for it, the rotation ends.
    ///
    /// # Errors
    /// [`Stopped::TooLate`] once the old key is being deleted, [`Stopped::Unresolved`].
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
            // What it waited for does not matter any more.
            delivery.not_before = Timestamp::default();
        }
        let now = self.issuer.keys(&rotation.user).await?.at;
        rotation.enter(Phase::RollingBack, now);
        self.advance(rotation, &format!("putting back: {why}"))
            .await
    }
}
