//! The outlook of an open rotation: what it waits for, until when, and who used its keys.
//!
//! Invariant: looking changes nothing, neither in the service nor in the journal.

use keywright_base::Timestamp;

use super::{Executor, TickError, UserLookup};
use crate::{
    model::{Rotation, RotationId},
    plan::{Observation, PlanStep, awaited, evidence, plan_marked, resting},
    ports::{IssuerUser, ObservedUse},
};

/// The outlook of an open rotation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RotationOutlook {
    /// What it waits for, and until when by the issuer's clock; `None` if the next tick makes
    /// progress.
    pub waits: Option<(String, Timestamp)>,
    /// The last use of the old key, if the service knows of one.
    pub old_used: Option<ObservedUse>,
    /// The last use of the new key by a consumer.
    pub new_used: Option<ObservedUse>,
}

impl Executor<'_> {
    /// Observes an open rotation like the next tick will, and changes nothing.
    ///
    /// # Errors
    /// [`TickError`].
    pub async fn outlook(&self, id: &RotationId) -> Result<RotationOutlook, TickError> {
        let rotation = self.load(id).await?;
        let mut outlook = RotationOutlook {
            old_used: self.usage.last_use(&rotation.old).await?,
            new_used: self.consumer_use(&rotation).await?,
            waits: None,
        };
        let UserLookup::User(user) = self.find(&rotation).await? else {
            return Ok(outlook);
        };
        let mut seen = self.look(&rotation, user).await?;
        let step = plan_marked(&rotation, &mut seen);
        if let PlanStep::Wait { until, why } = step {
            outlook.waits = Some((why, until));
        }
        Ok(outlook)
    }

    /// Collects everything that the planner needs.
    async fn look(&self, rotation: &Rotation, user: IssuerUser) -> Result<Observation, TickError> {
        let mut seen = self.look_at_keys(rotation, user).await?;
        self.look_at_uses(rotation, &mut seen).await?;
        Ok(seen)
    }

    /// Collects what the response to a leak needs.
    pub(super) async fn look_at_keys(
        &self,
        rotation: &Rotation,
        user: IssuerUser,
    ) -> Result<Observation, TickError> {
        let listing = self.issuer.keys(&rotation.user).await?;
        self.check_clock(listing.at)?;
        Ok(Observation {
            user,
            keys: listing.keys,
            now: listing.at,
            used: None,
            used_new: None,
            tried: None,
            repeats_create: self.issuer.repeats_create(),
            lags: self.issuer.lags_secs() > 0,
        })
    }

    /// Adds the evidence of use.
    pub(super) async fn look_at_uses(
        &self,
        rotation: &Rotation,
        seen: &mut Observation,
    ) -> Result<(), TickError> {
        seen.used = match evidence(rotation) {
            Some(key) => self.usage.last_use(key).await?,
            None => None,
        };
        let tried = match resting(rotation) {
            Some(key) => self.usage.attempts(key).await?,
            None => None,
        };
        seen.used_new = match awaited(rotation) {
            Some(_) => self.consumer_use(rotation).await?,
            None => None,
        };
        seen.tried = tried.into_iter().flatten().max_by_key(|attempt| attempt.at);
        Ok(())
    }
}
