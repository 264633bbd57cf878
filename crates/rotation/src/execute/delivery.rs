//! Evidence that a delivery reached someone: a retrieval of the new key, or a consumer's use of it.
//!
//! Invariant: neither a person's confirmation nor the engine's own calls count as evidence.

use keywright_base::Timestamp;

use super::{Executor, TickError, TickResult};
use crate::{
    model::{KeyPair, Rotation, RotationId},
    plan::is_consumers,
    ports::{IssuerError, ObservedUse, RotationJournal},
};

/// Hands the new key pair to a person, after journaling the retrieval. It can be retrieved again
/// until the old key is deleted, because a retrieved pair may get lost.
///
/// # Errors
/// [`TickError::NothingToRetrieve`], [`TickError::Unknown`], [`TickError::Journal`].
pub async fn retrieve(
    journal: &dyn RotationJournal,
    id: &RotationId,
    by: &str,
    at: Timestamp,
) -> Result<KeyPair, TickError> {
    let found = journal.rotation(id).await?;
    let mut rotation = found.ok_or_else(|| TickError::Unknown(id.clone()))?;
    let pair = rotation.pair().filter(|_| rotation.is_retrievable());
    let pair = pair.ok_or(TickError::NothingToRetrieve)?;
    rotation.retrieved.get_or_insert(at);
    rotation.generation += 1;
    let event = format!("{} was retrieved by {by}", pair.id);
    journal.advance(&rotation, &event).await?;
    Ok(pair)
}

impl Executor<'_> {
    /// Evidence that anyone has the new key.
    pub(super) async fn delivery_evidence(&self, rotation: &Rotation) -> Result<String, TickError> {
        if let Some(at) = rotation.retrieved {
            return Ok(format!("it was retrieved at {}", at.iso8601()));
        }
        if let Some(used) = self.consumer_use(rotation).await? {
            let (service, at) = (&used.service, used.at.iso8601());
            return Ok(format!("it was used for {service} at {at}"));
        }
        let new = rotation.new.clone().ok_or(TickError::NothingToConfirm)?;
        Err(TickError::NotRetrieved(new))
    }

    /// The last use of the new key by a consumer.
    pub(super) async fn consumer_use(
        &self,
        rotation: &Rotation,
    ) -> Result<Option<ObservedUse>, IssuerError> {
        let Some(new) = &rotation.new else {
            return Ok(None);
        };
        let signs = self.issuer.signer().as_ref() == Some(new);
        if signs && self.reads_own(rotation).await {
            // A rotator that reads the new key from its own credential source is a consumer of that
            // key.
            return Ok(Some(ObservedUse {
                at: self.clock.now(),
                service: "the rotator itself".to_owned(),
                region: "no region".to_owned(),
            }));
        }
        if let Some(used) = self.usage.consumer_use(new).await? {
            return Ok(used.filter(|used| used.service != "iam" || !signs));
        }
        let used = self.usage.last_use(new).await?;
        Ok(used.filter(|used| is_consumers(rotation, used, signs)))
    }

    /// Whether the rotator's own credentials, read again from their source, are the new key. A key
    /// it adopted from the journal proves nothing about that source.
    async fn reads_own(&self, rotation: &Rotation) -> bool {
        if !self.issuer.has_adopted() {
            return true;
        }
        self.issuer.revert();
        let read = self.issuer.user(&rotation.user).await;
        if read.is_ok() && self.issuer.signer() == rotation.new {
            return true;
        }
        if let Some(pair) = rotation.pair() {
            self.issuer.adopt(&pair);
        }
        false
    }

    /// Like `consumer_use`, but treats an error as no evidence.
    pub(super) async fn adoption(&self, rotation: &Rotation) -> Option<ObservedUse> {
        self.consumer_use(rotation).await.ok().flatten()
    }

    pub(super) async fn note_adoption(
        &self,
        mut rotation: Rotation,
        used: ObservedUse,
    ) -> TickResult {
        let key = rotation.new.as_ref().map_or("?", |key| key.0.as_str());
        let (at, service, region) = (used.at.iso8601(), &used.service, &used.region);
        let event = format!("{key} is in use: {service} in {region} at {at}");
        rotation.adopted = Some(used.into());
        rotation.held = None;
        self.advance(rotation, &event).await
    }
}
