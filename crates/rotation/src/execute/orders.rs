//! What a person may order while a rotation is under way: hold, release, confirm, put back.
//!
//! It protects one rule: an order only notes what is to be; the ticks that follow carry it out, by
//! the same steps as everything else.

use keywright_base::Timestamp;

use super::{Executor, Found, Outcome, Stopped};
use crate::model::{Hold, Person, Phase, RotationId};

impl Executor<'_> {
    /// Stops a rotation until [`Executor::release`].
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn ask_hold(&self, id: &RotationId, why: &str) -> Outcome {
        let rotation = self.load(id).await?;
        self.hold(rotation, Hold::Asked(why.to_owned())).await
    }

    /// Lets a held rotation, and sinks that were stuck, go on.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn release(&self, id: &RotationId) -> Outcome {
        let mut rotation = self.load(id).await?;
        rotation.missing = None;
        if let Some(Hold::StillUsed(_)) = rotation.held.take() {
            // Whoever used the old key was found: from now on it must be quiet.
            let now = self.issuer.keys(&rotation.user).await?.at;
            rotation.enter(Phase::Observing, now);
        }
        for delivery in &mut rotation.deliveries {
            delivery.stuck = false;
            delivery.failures = 0;
            delivery.not_before = Timestamp::default();
        }
        self.advance(rotation, "released by a person").await
    }

    /// Notes that a person has put the new pair where it is used.
    ///
    /// # Errors
    /// [`Stopped::NothingToConfirm`].
    pub async fn confirm(&self, id: &RotationId) -> Outcome {
        let mut rotation = self.load(id).await?;
        let awaited = rotation.awaits_person();
        let Some(delivery) = awaited.and_then(|at| rotation.deliveries.get_mut(at)) else {
            return Err(Stopped::NothingToConfirm);
        };
        delivery.person = Person::Confirmed;
        delivery.not_before = Timestamp::default();
        let event = format!("{}: confirmed by a person", delivery.sink);
        self.advance(rotation, &event).await
    }

    /// Reaches the issuer in another way from now on: whoever it was reached for is gone.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn hand_over(&self, id: &RotationId, access: String, to: &str) -> Outcome {
        let mut rotation = self.load(id).await?;
        rotation.access = access;
        self.advance(rotation, &format!("taken over by {to}")).await
    }

    /// Begins to put everything back as it was. It is carried out by further ticks. Where the user
    /// is not found, and nothing can be put back for it, the rotation ends.
    ///
    /// # Errors
    /// [`Stopped::TooLate`] once the old key is being deleted, [`Stopped::Unresolved`].
    pub async fn roll_back(&self, id: &RotationId, why: &str) -> Outcome {
        let mut rotation = self.load(id).await?;
        if let Some(Hold::UserMissing(_) | Hold::AnotherUser(_)) = rotation.held
            && let Found::Missing(_) = self.find(&rotation).await?
        {
            rotation.why_back = Some(why.to_owned());
            let why = format!("ended by a person: {why}");
            return self.end(rotation, &why, self.clock.now()).await;
        }
        if rotation.phase == Phase::Creating {
            return Err(Stopped::Unresolved);
        }
        if !rotation.phase.can_roll_back() || rotation.orphan.is_some() {
            return Err(Stopped::TooLate(rotation.phase));
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
