//! The proof that the access check allowed an operation.
//!
//! Invariant: an operation runs only with a [`S3Permit`] of its own, and only the access check
//! creates one. The compiler enforces it: the fields are private to this module, constructors are
//! visible in `access` only, and everything that an operation can do with objects is a method of
//! its permit (`permitted.rs`). What a permit was decided on, the bucket, the key and the source of
//! a copy, comes with it and is never taken from the parsed input.

use std::{marker::PhantomData, sync::Arc};

use http::HeaderMap;

use keywright_base::{AccountId, Arn, Timestamp};
use keywright_objects::{
    Bucket, ClaimedValue, CommitProof, Object, Objects, S3Fault, check_document,
};

use super::{
    S3Shared,
    decision::{AccessCheck, Allowed, undecided},
    questions::{AnsweredQuestions, OperationQuestions},
    recheck::CommitRecheck,
};
use crate::{
    authorize::{S3Caller, S3Resource},
    headers,
    render::ErrorSlot,
    request::S3Call,
    route,
};

/// An operation of S3, named by the type of its input.
pub(crate) trait CheckedOperation {
    /// The name of that type: the operation's, followed by `Input`.
    const INPUT: &'static str;
    /// Whether the operation asks for its permissions itself, because they depend on its body. Its
    /// permit has no method that works without a question.
    const ASKS: bool;
}

impl AccessCheck {
    /// Ends the check. Without an allowed question the operation has to ask itself.
    pub(super) const fn grant(self, allowed: Option<&Allowed>) -> AccessGrant {
        AccessGrant {
            decided: allowed.is_some(),
            check: self,
        }
    }
}

/// The outcome of a passed access check, before it is known for which operation it is used.
pub(super) struct AccessGrant {
    check: AccessCheck,
    /// Whether the operation itself was allowed.
    decided: bool,
}

impl AccessGrant {
    pub(super) fn bucket(&self) -> Option<&Bucket> {
        self.check.bucket.as_deref()
    }

    pub(super) const fn source(&self) -> Option<&Arc<Object>> {
        self.check.source.as_ref()
    }

    pub(super) const fn check(&self) -> &AccessCheck {
        &self.check
    }

    /// Approves a commit, unless the operation had to ask questions that are not allowed any more.
    ///
    /// # Errors
    /// [`S3Fault::AccessDenied`], [`S3Fault::Throttled`].
    pub(super) async fn prove_commit(
        self,
        answered: Option<&AnsweredQuestions>,
    ) -> Result<CommitPermit, S3Fault> {
        match answered {
            Some(answered) => answered.ask_again(&self.check).await?,
            None if self.decided => {}
            None => return Err(undecided()),
        }
        Ok(CommitPermit(()))
    }
}

/// Proof that the access check was passed again, right before a commit.
pub(super) struct CommitPermit(());

impl CommitProof for CommitPermit {}

impl From<Allowed> for CommitPermit {
    fn from(_: Allowed) -> Self {
        Self(())
    }
}

/// Proof that the access check allowed an operation on the resource of this request, or let in one
/// that asks for its permissions itself ([`CheckedOperation::ASKS`]).
pub(crate) struct S3Permit<O> {
    service: Arc<S3Shared>,
    call: Arc<S3Call>,
    grant: Arc<AccessGrant>,
    operation: PhantomData<fn() -> O>,
}

impl<O: CheckedOperation> S3Permit<O> {
    /// Takes the permit out of a request; without one for this operation the request is denied.
    pub(crate) async fn take(
        service: &Arc<S3Shared>,
        request: s3s::S3Request<O>,
    ) -> s3s::S3Result<(Self, O)> {
        let mut extensions = request.extensions;
        let call = extensions.remove::<Arc<S3Call>>();
        let (Some(call), Some(grant)) = (call, extensions.remove::<Arc<AccessGrant>>()) else {
            return Err(s3s::S3Error::new(s3s::S3ErrorCode::AccessDenied));
        };
        let named = O::INPUT.strip_suffix("Input") == Some(call.operation());
        if !named || !(grant.decided || O::ASKS) {
            return Err(call.error.refuse(&undecided()));
        }
        let mut permit = Self {
            service: Arc::clone(service),
            call,
            grant,
            operation: PhantomData,
        };
        // The protocol layer has read this body, which may have taken long enough for permissions
        // to change.
        if permit.call.waited_for_body() {
            let again = permit.recheck(None).decide().await;
            let again = again.map_err(|fault| permit.call.error.refuse(&fault))?;
            permit.grant = Arc::new(again);
        }
        Ok((permit, request.input))
    }

    pub(super) fn service(&self) -> &S3Shared {
        &self.service
    }

    pub(crate) fn error(&self) -> ErrorSlot {
        self.call.error.clone()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.call.headers
    }

    pub(crate) fn caller(&self) -> &S3Caller {
        &self.call.caller
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        self.service.objects.now()
    }

    /// The request's body, if it was captured. It passed verification.
    pub(crate) fn body(&self) -> Vec<u8> {
        self.call.body.take()
    }

    /// Verifies the checksums of a body that was parsed.
    ///
    /// # Errors
    /// As for a put; [`S3Fault::InvalidRequest`] for DeleteObjects without a checksum.
    pub(crate) fn check_document(&self) -> Result<(), S3Fault> {
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

    /// The caller's account, for operations that need one.
    ///
    /// # Errors
    /// [`S3Fault::AccessDenied`] for an anonymous caller.
    pub(crate) fn account(&self) -> Result<AccountId, S3Fault> {
        let account = self.call.caller.account;
        account.ok_or_else(|| S3Fault::AccessDenied("Access Denied".into()))
    }

    /// The denial of an action on the bucket that no policy denies.
    pub(crate) fn refuse(&self, action: &str, why: &str) -> Result<S3Fault, S3Fault> {
        let bucket = self.bucket()?;
        let arn = Arn::s3_bucket(&bucket.name);
        let resource = S3Resource {
            arn: arn.as_str(),
            owner: Some(bucket.owner),
            policy: None,
        };
        let denial = self.call.caller.authorize.refuse(action, &resource, why);
        Ok(S3Fault::AccessDenied(denial.message))
    }

    /// The name of the bucket that the permit is for, which need not exist.
    pub(super) fn bucket_name(&self) -> Result<&str, S3Fault> {
        let name = self.call.bucket.as_deref();
        name.ok_or_else(|| S3Fault::Internal("no bucket permitted".into()))
    }

    /// The bucket that the permit is for.
    pub(crate) fn bucket(&self) -> Result<&Bucket, S3Fault> {
        let bucket = self.grant.check.bucket.as_deref();
        bucket.ok_or_else(|| S3Fault::Internal("no bucket permitted".into()))
    }

    /// The key that the permit is for.
    pub(crate) fn key(&self) -> Result<&str, S3Fault> {
        let key = self.call.key.as_deref();
        key.ok_or_else(|| S3Fault::Internal("no key permitted".into()))
    }

    /// The object that the permit is for.
    pub(crate) fn object(&self) -> Result<Arc<Object>, S3Fault> {
        let object = self.grant.check.object.clone();
        object.ok_or_else(|| S3Fault::Internal("no object permitted".into()))
    }

    /// The source of a copy that the permit is for.
    pub(super) fn source(&self) -> Result<Arc<Object>, S3Fault> {
        let source = self.grant.check.source.clone();
        source.ok_or_else(|| S3Fault::Internal("no source permitted".into()))
    }

    pub(super) fn check(&self) -> &AccessCheck {
        &self.grant.check
    }

    /// Objects to read from.
    pub(super) fn objects(&self) -> &Objects {
        &self.service.objects
    }

    /// Objects to write to: whatever is committed passes the whole access check again.
    pub(super) fn checked_objects(&self) -> Objects {
        let again = self.recheck(None);
        self.service.objects.checked_by(Arc::new(again))
    }

    /// The same for an operation that asked for its permissions itself.
    pub(super) fn objects_for(&self, answered: AnsweredQuestions) -> Objects {
        let again = self.recheck(Some(answered));
        self.service.objects.checked_by(Arc::new(again))
    }

    fn recheck(&self, answered: Option<AnsweredQuestions>) -> CommitRecheck {
        CommitRecheck {
            service: Arc::clone(&self.service),
            call: Arc::clone(&self.call),
            source: self.grant.source().cloned(),
            answered,
        }
    }

    /// Begins to ask for the permissions of an operation.
    pub(super) fn questions(&self) -> OperationQuestions {
        OperationQuestions::begin(&self.grant)
    }
}
