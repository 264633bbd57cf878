//! A person as a sink: the new key stays sealed until a user has put it where it is used and
//! confirms that.
//!
//! Invariant: only the confirmation counts as delivery. It is stored with the rotation
//! ([`ManualStep`](keywright_rotation::model::ManualStep)), not here.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use keywright_base::{Clock, Secret};
use keywright_rotation::{
    model::{KeyPair, RotationId},
    ports::{RotationPairs, Sink, SinkBackup, SinkContent, SinkError},
};

use super::ParsedDestination;

/// Delivery by hand.
#[derive(Debug)]
pub(super) struct ManualSink;

/// The name of the destination.
pub(super) const NAME: &str = "person";

impl fmt::Display for ManualSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}

#[async_trait]
impl ParsedDestination for ManualSink {
    async fn open(&self, _: String, _: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, String> {
        Ok(Box::new(Self))
    }
}

#[async_trait]
impl Sink for ManualSink {
    fn name(&self) -> &str {
        NAME
    }

    async fn stage(&self, _: &RotationId) -> Result<SinkBackup, SinkError> {
        Ok(Secret::new(Vec::new()))
    }

    async fn commit(&self, _: &RotationId, _: &SinkBackup, _: &KeyPair) -> Result<(), SinkError> {
        Err(SinkError::Person(
            "someone to retrieve the new key, put it where it is used, and confirm the delivery"
                .to_owned(),
        ))
    }

    async fn read_back(&self) -> Result<SinkContent, SinkError> {
        Ok(SinkContent::Unreadable)
    }

    /// Nothing to do: the old key is active again, and during the settling phase the users of the
    /// new key can go back to it.
    async fn restore(
        &self,
        _: &RotationId,
        _: &SinkBackup,
        _: RotationPairs<'_>,
    ) -> Result<(), SinkError> {
        Ok(())
    }
}
