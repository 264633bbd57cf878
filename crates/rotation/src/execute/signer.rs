//! The key that signs the rotation's own calls, if the rotation replaces that key.
//!
//! Invariant: the old key signs until every sink has the new one, and again during a rollback.

use super::{Executor, TickError};
use crate::{
    model::{Phase, Rotation},
    ports::KeyCheck,
};

impl Executor<'_> {
    /// Chooses the key that signs in the rotation's phase.
    pub(super) async fn choose_signer(&self, rotation: &Rotation) -> Result<(), TickError> {
        let signer = self.issuer.signer();
        let back = matches!(rotation.phase, Phase::Settling | Phase::Retiring);
        if back && signer.is_some() && signer == rotation.new {
            self.issuer.revert();
        }
        if signer.as_ref() != Some(&rotation.old) {
            return Ok(());
        }
        let Some(pair) = rotation.pair() else {
            return Ok(());
        };
        match rotation.phase {
            Phase::Observing
            | Phase::Confirming
            | Phase::Deactivating
            | Phase::Dwelling
            | Phase::Deleting => self.issuer.adopt(&pair),
            Phase::RollingBack => {
                if let KeyCheck::Accepted(_) = self.issuer.verify(&pair, 0).await? {
                    self.issuer.adopt(&pair);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
