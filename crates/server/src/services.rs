//! The services that requests for IAM, STS, the extension and S3 run on.

use std::sync::Arc;

use http::HeaderMap;
use keywright_base::Clock;
use keywright_identity::{Identity, event::EventDraft};
use keywright_s3::{BodyBudget, S3};

use crate::{
    edge::AnswerBudget,
    request::{PeerInfo, context_of},
    request_ids::RequestIds,
};

/// The parts that run requests.
pub(crate) struct Services {
    pub identity: Arc<Identity>,
    pub s3: S3,
    pub clock: Arc<dyn Clock>,
    pub ids: RequestIds,
    pub bodies: BodyBudget,
    pub answers: AnswerBudget,
}

impl Services {
    /// Begins the event of a request that has just arrived.
    pub(crate) fn begin(
        &self,
        headers: &HeaderMap,
        client: PeerInfo,
        request_id: String,
    ) -> EventDraft<'_> {
        let context = context_of(headers, client, self.clock.now());
        self.identity.events().begin(request_id, context)
    }
}
