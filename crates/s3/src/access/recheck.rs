//! The access check once more, right before a commit.

use std::sync::Arc;

use keywright_objects::{
    ApprovalFuture, CheckFuture, CommitApproval, CommitCheck, Object, S3Fault,
};

use super::{
    S3Shared, decide, decision::beside, permit::AccessGrant, questions::AnsweredQuestions,
};
use crate::{authorize::CpuWork, request::S3Call};

/// Repeats the whole access check with what is in force now: the key, the user and its policies,
/// the bucket and its policy. Every commit passes it first.
pub(super) struct CommitRecheck {
    pub(super) service: Arc<S3Shared>,
    pub(super) call: Arc<S3Call>,
    /// The source of a copy. It may have been deleted after it was read.
    pub(super) source: Option<Arc<Object>>,
    /// What an operation asked that asks for its permissions itself.
    pub(super) answered: Option<AnsweredQuestions>,
}

impl CommitRecheck {
    pub(super) async fn decide(&self) -> Result<AccessGrant, S3Fault> {
        if let Err(error) = self.call.caller.authorize.check_caller() {
            self.call.error.leave(*error);
            return Err(S3Fault::AccessDenied("Access Denied".into()));
        }
        decide(&self.service, &self.call, self.source.as_ref()).await
    }
}

impl CommitCheck for CommitRecheck {
    fn check(&self) -> ApprovalFuture<'_> {
        Box::pin(async {
            let grant = self.decide().await?;
            let permit = grant.prove_commit(self.answered.as_ref()).await?;
            Ok(CommitApproval::by(permit))
        })
    }

    fn run_beside(&self, work: CpuWork) -> CheckFuture<'_> {
        Box::pin(beside(&self.call.caller.authorize, work))
    }
}
