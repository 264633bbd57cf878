//! Leak response: deactivates a leaked key before everything else and ends the sessions minted from
//! it.
//!
//! Invariant: the history records each of these as a deliberate choice.

use keywright_base::Timestamp;

use super::{Executor, TickResult};
use crate::{
    model::{HoldReason, Rotation},
    ports::IssuerError,
};

impl Executor<'_> {
    /// Records that the old key was deactivated before anything else.
    pub(super) async fn inactive_first(
        &self,
        mut rotation: Rotation,
        now: Timestamp,
    ) -> TickResult {
        rotation.incident.get_or_insert_default().inactive_since = Some(now);
        let event = format!(
            "{} is Inactive before anyone has a new key, as requested because it has leaked",
            rotation.old
        );
        self.advance(rotation, &event).await
    }

    /// A rotator that deactivated the key it signs with could not continue, so that key is
    /// deactivated last, as usual.
    pub(super) async fn not_first(&self, mut rotation: Rotation) -> TickResult {
        rotation.incident.get_or_insert_default().deactivate_first = false;
        let event = format!(
            "{} signs these calls, so it is not deactivated first",
            rotation.old
        );
        self.advance(rotation, &event).await
    }

    /// Ends the sessions minted from the old key. If the service denies that, the rotation is held
    /// for a person, because the sessions stay valid. One that is held already keeps its reason,
    /// and reports the error.
    pub(super) async fn end_sessions(&self, mut rotation: Rotation, now: Timestamp) -> TickResult {
        let (user, old) = (&rotation.user, &rotation.old);
        let how = match self.issuer.end_sessions(user, old, now).await {
            Ok(how) => how,
            Err(IssuerError::Refused { code, message }) if rotation.held.is_none() => {
                let why =
                    format!("sessions created with {old} could not be ended: {code}: {message}");
                return self.hold(rotation, HoldReason::Refused(why)).await;
            }
            Err(error) => return Err(error.into()),
        };
        rotation.incident.get_or_insert_default().sessions_ended = Some(now);
        self.advance(rotation, &how).await
    }
}
