//! The interface through which the S3 API asks the pipeline whether the caller may do something.
//!
//! This module makes no decisions and renders no denials; it only states precisely what is asked.
//! The implementation knows the caller and its policies, and lives as long as the request.

use std::{
    any::Any,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use http::HeaderMap;

use keywright_base::{AccountId, WireError};

use super::policy::BucketPolicy;

/// Work that runs outside the threads that answer requests.
pub type CpuWork = Box<dyn FnOnce() + Send>;
/// Completes when such work has run; [`CallerBusy`] if it did not run.
pub type WorkFuture<'a> = Pin<Box<dyn Future<Output = Result<(), CallerBusy>> + Send + 'a>>;

/// Too much work of this caller is already queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerBusy;

/// Decides for one verified (or anonymous) caller.
pub trait S3Authorizer: Send + Sync {
    /// Whether the caller, who was authenticated when the request arrived, is still valid: since
    /// then its access key may have been deactivated or its user deleted.
    ///
    /// # Errors
    /// The response to send.
    fn check_caller(&self) -> Result<(), Box<WireError>>;

    /// Whether the caller may do `action`, for example `s3:GetObject`, on the resource.
    ///
    /// # Errors
    /// [`S3Denial`] with the complete message of the response. If it cannot be decided, that is a
    /// denial too.
    fn check(
        &self,
        action: &str,
        resource: &S3Resource<'_>,
        context: &S3Context,
    ) -> Result<(), S3Denial>;

    /// Like [`S3Authorizer::check`] if the decision is cheap. `None` if it is not: then `check`
    /// must be called through [`S3Authorizer::run_beside`].
    fn check_shortly(
        &self,
        action: &str,
        resource: &S3Resource<'_>,
        context: &S3Context,
    ) -> Option<Result<(), S3Denial>>;

    /// The state of the caller's account that decisions are based on now: the same allocation while
    /// nothing in it changes. `None` for an anonymous caller.
    fn account_state(&self) -> Option<Arc<dyn Any + Send + Sync>>;

    /// A number that changes when an organization changes, whose policies limit callers and
    /// resources.
    fn organizations_version(&self) -> u64;

    /// Runs work for the caller outside the threads that answer requests, when it is the caller's
    /// turn.
    fn run_beside(&self, work: CpuWork) -> WorkFuture<'_>;

    /// The denial of an action for a reason other than a policy.
    fn refuse(&self, action: &str, resource: &S3Resource<'_>, why: &str) -> S3Denial;

    /// The form in which a principal of a policy is stored: a user of this installation as its
    /// unique ID, an unknown principal as it was written. `None`: the principal does not exist.
    fn principal_to_stored_id(&self, principal: &str) -> Option<String>;

    /// The form in which a stored principal is shown: a user by its current ARN. `None`: it is
    /// shown as stored.
    fn stored_id_to_arn(&self, retained: &str) -> Option<String>;
}

/// The resource of an action.
#[derive(Debug, Clone, Copy)]
pub struct S3Resource<'a> {
    /// `arn:aws:s3:::bucket`, `arn:aws:s3:::bucket/key`, or `*`.
    pub arn: &'a str,
    /// The account that owns the bucket; `None` for `*` and for a bucket that does not exist yet.
    pub owner: Option<AccountId>,
    /// The bucket's policy, compiled from the text that is stored now.
    pub policy: Option<&'a Arc<BucketPolicy>>,
}

/// The condition keys that only S3 knows: each `s3:` key with its values, `aws:RequestTag/…` and
/// `aws:TagKeys`. The pipeline adds the other global keys and those of the signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Context {
    /// The keys, in no particular order and without duplicates. A single-valued key has exactly one
    /// value.
    pub keys: Vec<(String, Vec<String>)>,
}

/// A denial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Denial {
    /// The message of the `AccessDenied` response.
    pub message: String,
}

/// The trailing headers of a request's body. The pipeline sets them after it has verified them and
/// before the body ends successfully.
#[derive(Debug, Clone, Default)]
pub struct BodyTrailers(pub Arc<OnceLock<HeaderMap>>);

/// The caller of a request. The pipeline adds it to every request as an extension; a request
/// without it is denied.
#[derive(Clone)]
pub struct S3Caller {
    /// The caller's account; `None` for an anonymous request.
    pub account: Option<AccountId>,
    /// The caller's ARN; `None` for an anonymous request.
    pub identity: Option<String>,
    /// The region of the credential scope; `None` for an anonymous request and for Signature
    /// Version 2.
    pub region: Option<String>,
    /// Whether the request is signed with Signature Version 2, which not every region accepts.
    pub version2: bool,
    /// Decides for this caller.
    pub authorize: Arc<dyn S3Authorizer>,
    /// The trailing headers, if the request announced any.
    pub trailers: Option<BodyTrailers>,
}

impl std::fmt::Debug for S3Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}
