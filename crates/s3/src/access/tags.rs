//! The access check of S3 Control, whose operations are on the tags of buckets.

use std::sync::Arc;

use keywright_base::Arn;
use keywright_objects::{Bucket, CommitApproval, CommitCheck, S3Fault, Tags};

use super::{
    S3Shared,
    decision::{AccessCheck, Allowed},
    find_bucket,
    permit::CommitPermit,
};
use crate::{S3Caller, S3Context, public_access};

/// Proof that a caller may read or change the tags of a bucket.
pub(crate) struct TagPermit {
    bucket: Arc<Bucket>,
    _allowed: Allowed,
}

/// A bucket of S3 Control before its permission was asked.
pub(crate) struct TaggedBucket(Arc<Bucket>);

impl TaggedBucket {
    pub(crate) async fn find(service: &S3Shared, name: &str) -> Result<Self, S3Fault> {
        find_bucket(service, name).await.map(Self)
    }

    pub(crate) fn bucket(&self) -> &Bucket {
        &self.0
    }

    /// Asks whether the caller may do an action on the bucket, with these condition keys.
    ///
    /// # Errors
    /// [`S3Fault::AccessDenied`], [`S3Fault::Throttled`].
    pub(crate) async fn allow(
        self,
        service: &S3Shared,
        caller: &S3Caller,
        action: &str,
        keys: S3Context,
    ) -> Result<TagPermit, S3Fault> {
        let bucket = self.0;
        let attached = public_access::attached(service, &bucket)?;
        let policy = attached.policy_for(caller.account).cloned();
        let mut context = S3Context::default();
        context.add("s3:ResourceAccount", Some(&bucket.owner.to_string()));
        let arn = Arn::s3_bucket(&bucket.name);
        let check = AccessCheck::begin(caller, Some(Arc::clone(&bucket)), policy, context);
        let context = check.context.with(keys);
        let allowed = check.require(action, arn.as_str(), &context).await?;
        Ok(TagPermit {
            bucket,
            _allowed: allowed,
        })
    }
}

impl TagPermit {
    pub(crate) fn tags(&self) -> &Tags {
        &self.bucket.tags
    }

    /// Adds and removes tags. `again` is the same decision right before the commit.
    pub(crate) async fn change(
        self,
        service: &S3Shared,
        (added, removed): (&Tags, &[String]),
        again: Arc<dyn CommitCheck>,
    ) -> Result<(), S3Fault> {
        let objects = service.objects.checked_by(again);
        let name = &self.bucket.name;
        objects.change_bucket_tags(name, added, removed).await
    }

    /// Approves a commit.
    pub(crate) fn approve(self) -> CommitApproval {
        CommitApproval::by(CommitPermit::from(self._allowed))
    }
}
