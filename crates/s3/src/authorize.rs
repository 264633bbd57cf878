//! What the S3 front asks the pipeline about the caller: may it do this?
//!
//! The rule: this module never decides and never renders a denial; it only says precisely what is
//! asked. The implementation knows the caller and its policies, and is held per request.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
};

use http::HeaderMap;

use keywright_base::AccountId;

use super::{policy::BucketPolicy, render::WireError};

/// Work that is done beside the threads that answer requests.
pub type CpuWork = Box<dyn FnOnce() + Send>;
/// The end of such work; [`Busy`] when it was not done.
pub type WorkFuture<'a> = Pin<Box<dyn Future<Output = Result<(), CallerBusy>> + Send + 'a>>;

/// Too much of the caller waits for the processor already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerBusy;

/// Decides for one verified (or anonymous) caller.
pub trait S3Authorizer: Send + Sync {
    /// Whether the caller, who was proven when the request came, would still be one: its key may
    /// have been deactivated meanwhile, its user deleted.
    ///
    /// # Errors
    /// The answer.
    fn check_caller(&self) -> Result<(), Box<WireError>>;

    /// Whether the caller may do `action`, for example `s3:GetObject`, on the resource.
    ///
    /// # Errors
    /// [`Denial`] with the whole text of the answer. Not knowing is a denial too.
    fn check(
        &self,
        action: &str,
        resource: &S3Resource<'_>,
        context: &S3Context,
    ) -> Result<(), S3Denial>;

    /// The same where it takes little time; `None` where it does not: then [`Authorize::check`] is
    /// for [`Authorize::run_beside`].
    fn check_shortly(
        &self,
        action: &str,
        resource: &S3Resource<'_>,
        context: &S3Context,
    ) -> Option<Result<(), S3Denial>>;

    /// Does work for the caller beside the threads that answer requests, once its turn has come.
    fn run_beside(&self, work: CpuWork) -> WorkFuture<'_>;

    /// The denial of an action for a reason beside all policies.
    fn refuse(&self, action: &str, resource: &S3Resource<'_>, why: &str) -> S3Denial;

    /// How a principal that a policy names is kept: a user of this installation by its unique id,
    /// and whom nothing is known of as named; `None`: there is no such principal.
    fn principal_to_stored_id(&self, principal: &str) -> Option<String>;

    /// How a principal that was kept is shown: a user by its ARN of now; `None`: as it is kept.
    fn stored_id_to_arn(&self, retained: &str) -> Option<String>;
}

/// What an action is done on.
#[derive(Debug, Clone, Copy)]
pub struct S3Resource<'a> {
    /// `arn:aws:s3:::bucket`, `arn:aws:s3:::bucket/key`, or `*`.
    pub arn: &'a str,
    /// The account that owns the bucket; nothing for `*` and for a bucket that does not exist yet.
    pub owner: Option<AccountId>,
    /// The bucket's policy, compiled from the text that is stored now.
    pub policy: Option<&'a Arc<BucketPolicy>>,
}

/// The condition keys that only S3 knows: each `s3:` key with its values, `aws:RequestTag/…` and
/// `aws:TagKeys`. The pipeline adds the other global ones and those of the signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Context {
    /// Keys in no particular order, none twice. Values of single-valued keys have length one.
    pub keys: Vec<(String, Vec<String>)>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Denial {
    /// The message of the `AccessDenied` answer.
    pub message: String,
}

/// The trailing headers of a request's body, filled by the pipeline before the body ends with
/// success, and only after they were verified.
#[derive(Debug, Clone, Default)]
pub struct BodyTrailers(pub Arc<OnceLock<HeaderMap>>);

/// Who calls: an extension that the pipeline puts on every request. A request without it is
/// refused.
#[derive(Clone)]
pub struct S3Caller {
    /// The caller's account; nothing for an anonymous request.
    pub account: Option<AccountId>,
    /// Its ARN; nothing for an anonymous request.
    pub identity: Option<String>,
    /// The region of the credential scope; nothing for an anonymous request and for Signature
    /// Version 2.
    pub region: Option<String>,
    /// Whether the request is signed with Version 2, which not every region takes.
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
