//! The services that requests for IAM, STS, the extension and S3 run on.

use std::sync::Arc;

use keywright_base::Clock;
use keywright_identity::Identity;
use keywright_s3::{BodyBudget, S3};

use crate::{edge::AnswerBudget, request_ids::RequestIds};

/// The parts that run requests.
pub(crate) struct Services {
    pub identity: Arc<Identity>,
    pub s3: S3,
    pub clock: Arc<dyn Clock>,
    pub ids: RequestIds,
    pub bodies: BodyBudget,
    pub answers: AnswerBudget,
}
