//! What an operation gets besides its input: the caller, the permit, and what was looked up for it.
//!
//! Invariant: no operation runs without an [`S3Permit`], and only the access check creates one. An
//! operation whose resources are known only from its body asks for each of them through its permit.

use std::sync::Arc;

use http::HeaderMap;
use s3s::{S3Request, S3Result};
use tokio::sync::oneshot;

use keywright_base::{AccountId, Arn};
use keywright_objects::{Bucket, ClaimedValue, Object, S3Fault, check_document};

use super::{
    S3Shared,
    access::CommitRecheck,
    authorize::{CallerBusy, S3Authorizer, S3Caller, S3Context, S3Denial, S3Resource},
    headers,
    policy::BucketPolicy,
    render::ErrorSlot,
    request::S3Call,
    route,
};

/// Proof that the access check passed, with what it looked up.
pub(super) struct S3Permit {
    pub(super) bucket: Option<Bucket>,
    pub(super) object: Option<Object>,
    pub(super) source: Option<Object>,
    pub(super) context: S3Context,
    authorize: Arc<dyn S3Authorizer>,
    policy: Option<Arc<BucketPolicy>>,
}

impl S3Permit {
    /// A permit for which nothing has been looked up yet. For the access check only.
    pub(super) fn begin(
        caller: &S3Caller,
        bucket: Option<Bucket>,
        policy: Option<Arc<BucketPolicy>>,
        context: S3Context,
    ) -> Self {
        let authorize = Arc::clone(&caller.authorize);
        Self {
            bucket,
            object: None,
            source: None,
            context,
            authorize,
            policy,
        }
    }

    /// Asks whether the caller may do an action on a resource of the permit's bucket. The decision
    /// is made on this thread if it is cheap, otherwise outside the threads that answer requests.
    ///
    /// # Errors
    /// [`S3Fault::AccessDenied`], [`S3Fault::Throttled`].
    pub(super) async fn require(
        &self,
        action: &str,
        arn: &str,
        context: &S3Context,
    ) -> Result<(), S3Fault> {
        if let Some(decided) = self.require_shortly(action, arn, context) {
            return decided;
        }
        let question = AccessQuestion {
            authorize: Arc::clone(&self.authorize),
            policy: self.policy.clone(),
            owner: self.owner(),
            action: action.to_owned(),
            arn: arn.to_owned(),
            context: context.clone(),
        };
        beside(&self.authorize, move || question.check()).await?
    }

    /// Like `require`; `None` if the decision is too expensive for this thread.
    pub(super) fn require_shortly(
        &self,
        action: &str,
        arn: &str,
        context: &S3Context,
    ) -> Option<Result<(), S3Fault>> {
        let decided = self
            .authorize
            .check_shortly(action, &self.resource(arn), context)?;
        Some(decided.map_err(denied))
    }

    /// Like `require`, however long it takes. Must not run on a thread that answers requests.
    pub(super) fn require_beside(
        &self,
        action: &str,
        arn: &str,
        context: &S3Context,
    ) -> Result<(), S3Fault> {
        let decided = self.authorize.check(action, &self.resource(arn), context);
        decided.map_err(denied)
    }

    /// Whether nothing here can be allowed to a caller without credentials.
    pub(super) fn denies_strangers(&self, caller: &S3Caller) -> bool {
        let policy = self.policy.as_ref();
        caller.account.is_none() && !policy.is_some_and(|policy| policy.may_allow_anonymous())
    }

    fn resource<'a>(&'a self, arn: &'a str) -> S3Resource<'a> {
        S3Resource {
            arn,
            owner: self.owner(),
            policy: self.policy.as_ref(),
        }
    }

    fn owner(&self) -> Option<AccountId> {
        self.bucket.as_ref().map(|bucket| bucket.owner)
    }
}

/// A question with everything needed to decide it on another thread.
struct AccessQuestion {
    authorize: Arc<dyn S3Authorizer>,
    policy: Option<Arc<BucketPolicy>>,
    owner: Option<AccountId>,
    action: String,
    arn: String,
    context: S3Context,
}

impl AccessQuestion {
    fn check(&self) -> Result<(), S3Fault> {
        let resource = S3Resource {
            arn: &self.arn,
            owner: self.owner,
            policy: self.policy.as_ref(),
        };
        let decided = self.authorize.check(&self.action, &resource, &self.context);
        decided.map_err(denied)
    }
}

fn denied(denial: S3Denial) -> S3Fault {
    S3Fault::AccessDenied(denial.message)
}

/// Runs work for a caller outside the threads that answer requests.
///
/// # Errors
/// [`S3Fault::Throttled`].
pub(super) async fn beside<T: Send + 'static>(
    authorize: &Arc<dyn S3Authorizer>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, S3Fault> {
    let (sender, result) = oneshot::channel();
    let work = move || drop(sender.send(work()));
    let done = authorize.run_beside(Box::new(work)).await;
    done.map_err(|CallerBusy| S3Fault::Throttled)?;
    let cut_off = |_| S3Fault::Internal("work beside the request was cut off".into());
    result.await.map_err(cut_off)
}

/// A call with its permit.
pub(super) struct OperationContext {
    call: Arc<S3Call>,
    permit: Arc<S3Permit>,
}

impl OperationContext {
    /// Takes the call and its permit out of a request; without them the request is denied. The
    /// returned service repeats the access check before anything is committed.
    pub(super) async fn take<T>(
        service: &Arc<S3Shared>,
        request: S3Request<T>,
    ) -> S3Result<(Self, S3Shared, T)> {
        let mut extensions = request.extensions;
        let call = extensions.remove::<Arc<S3Call>>();
        let (Some(call), Some(permit)) = (call, extensions.remove::<Arc<S3Permit>>()) else {
            return Err(s3s::S3Error::new(s3s::S3ErrorCode::AccessDenied));
        };
        let again = CommitRecheck {
            service: Arc::clone(service),
            call: Arc::clone(&call),
            source: permit.source.clone(),
        };
        // The protocol layer has read this body, which may have taken long enough for permissions
        // to change.
        let permit = if call.waited_for_body() {
            let permit = again.decide().await;
            Arc::new(permit.map_err(|fault| call.error.refuse(&fault))?)
        } else {
            permit
        };
        let service = S3Shared {
            objects: service.objects.checked_by(Arc::new(again)),
            policies: Arc::clone(&service.policies),
            bodies: service.bodies.clone(),
        };
        Ok((Self { call, permit }, service, request.input))
    }

    pub(super) fn cell(&self) -> ErrorSlot {
        self.call.error.clone()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.call.headers
    }

    /// The request's body, if it was captured. It passed verification.
    pub(super) fn body(&self) -> Vec<u8> {
        self.call.body.take()
    }

    /// Verifies the checksums of a body that was parsed.
    ///
    /// # Errors
    /// As for a put; [`S3Fault::InvalidRequest`] for DeleteObjects without a checksum.
    pub(super) fn check_document(&self) -> Result<(), S3Fault> {
        let route = self.call.route;
        if !route::has_document(route) {
            return Ok(());
        }
        let claims = headers::claims(&self.call.headers, self.call.caller.trailers.as_ref(), None)?;
        let claimed = claims.md5.is_some() || !matches!(claims.value, ClaimedValue::None);
        if !claimed && route.operation == "DeleteObjects" {
            return Err(S3Fault::InvalidRequest(
                "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
            ));
        }
        check_document(&self.call.body.copy(), claims)
    }

    pub(super) fn caller(&self) -> &S3Caller {
        &self.call.caller
    }

    /// The permit, for work on another thread.
    pub(super) fn shared_permit(&self) -> Arc<S3Permit> {
        Arc::clone(&self.permit)
    }

    pub(super) fn permit(&self) -> &S3Permit {
        &self.permit
    }

    /// The caller's account, for operations that need one.
    ///
    /// # Errors
    /// [`S3Fault::AccessDenied`] for an anonymous caller.
    pub(super) fn account(&self) -> Result<AccountId, S3Fault> {
        self.call
            .caller
            .account
            .ok_or_else(|| S3Fault::AccessDenied("Access Denied".into()))
    }

    /// The denial of an action on the bucket that no policy denies.
    pub(super) fn refuse(&self, action: &str, why: &str) -> Result<S3Fault, S3Fault> {
        let bucket = self.bucket()?;
        let arn = Arn::s3_bucket(&bucket.name);
        let resource = S3Resource {
            arn: arn.as_str(),
            owner: Some(bucket.owner),
            policy: None,
        };
        let denial = self.permit.authorize.refuse(action, &resource, why);
        Ok(S3Fault::AccessDenied(denial.message))
    }

    /// The bucket that was looked up.
    pub(super) fn bucket(&self) -> Result<&Bucket, S3Fault> {
        self.permit
            .bucket
            .as_ref()
            .ok_or_else(|| S3Fault::Internal("no bucket permitted".into()))
    }

    /// The object that was looked up.
    pub(super) fn object(&self) -> Result<Object, S3Fault> {
        let object = self.permit.object.clone();
        object.ok_or_else(|| S3Fault::Internal("no object permitted".into()))
    }

    /// The source of a copy that was looked up.
    pub(super) fn source(&self) -> Result<Object, S3Fault> {
        let source = self.permit.source.clone();
        source.ok_or_else(|| S3Fault::Internal("no source permitted".into()))
    }

    /// Runs work for the caller outside the threads that answer requests.
    pub(super) async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, S3Fault> {
        beside(&self.call.caller.authorize, work).await
    }

    /// Asks whether the caller may do an action on a key of the bucket.
    pub(super) async fn require_key(
        &self,
        action: &str,
        key: &str,
        context: &S3Context,
    ) -> Result<(), S3Fault> {
        let arn = Arn::s3_object(&self.bucket()?.name, key);
        self.permit.require(action, arn.as_str(), context).await
    }
}
