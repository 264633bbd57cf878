//! What an operation gets beside its input: who calls, what was permitted, what was looked up.
//!
//! The rule: no operation runs without a [`Permit`], and only the access check makes one. An
//! operation whose resources are known only from its body asks for them one by one through its
//! permit.

use std::sync::Arc;

use http::HeaderMap;
use s3s::{S3Request, S3Result};

use keywright_base::{AccountId, Arn};
use keywright_objects::{Bucket, ClaimedValue, Fault, Object, check_document};

use super::{
    Service,
    access::{Again, Permitted},
    authorize::{Authorize, Caller, Resource, S3Context},
    body::Kept,
    headers,
    policy::BucketPolicy,
    render::Cell,
    route::{self, Routed},
};

/// One call of the front, as an extension of its request.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) caller: Caller,
    pub(super) cell: Cell,
    /// The operation that was asked for, and how.
    pub(super) routed: Arc<Routed>,
    /// The request's headers, with those that the protocol layer must not see or parse.
    pub(super) headers: Arc<HeaderMap>,
    /// The request's body, for an operation that needs of it what the protocol layer leaves out.
    pub(super) body: Kept,
}

/// The access check's consent, with what it looked up on the way.
pub(super) struct Permit {
    pub(super) bucket: Option<Bucket>,
    pub(super) object: Option<Object>,
    pub(super) source: Option<Object>,
    pub(super) context: S3Context,
    authorize: Arc<dyn Authorize>,
    policy: Option<Arc<BucketPolicy>>,
}

impl Permit {
    /// A permit that has looked up nothing yet. For the access check only.
    pub(super) fn begin(
        caller: &Caller,
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

    /// Asks whether the caller may do an action on a resource of the permit's bucket.
    ///
    /// # Errors
    /// [`Fault::AccessDenied`].
    pub(super) fn require(
        &self,
        action: &str,
        arn: &str,
        context: &S3Context,
    ) -> Result<(), Fault> {
        let owner = self.bucket.as_ref().map(|bucket| bucket.owner);
        let resource = Resource {
            arn,
            owner,
            policy: self.policy.as_ref(),
        };
        self.authorize
            .check(action, &resource, context)
            .map_err(|denial| Fault::AccessDenied(denial.message))
    }
}

/// A call with its permit.
pub(super) struct Job {
    call: Call,
    permit: Arc<Permit>,
}

impl Job {
    /// Takes the call and its permit out of a request, and gives the service through which whatever
    /// is committed is permitted once more; without them the request is refused.
    pub(super) async fn take<T>(
        service: &Arc<Service>,
        request: S3Request<T>,
    ) -> S3Result<(Self, Service, T)> {
        let call = request.extensions.get::<Call>().cloned();
        let permitted = request.extensions.get::<Permitted>().cloned();
        let (Some(call), Some(permitted)) = (call, permitted) else {
            return Err(s3s::S3Error::new(s3s::S3ErrorCode::AccessDenied));
        };
        let again = Again {
            service: Arc::clone(service),
            call: call.clone(),
            seen: permitted.seen,
            source: permitted.permit.source.clone(),
        };
        // The protocol layer has read this body, which may have taken its time.
        let permit = if again.seen.waited_for_body() {
            let permit = again.decide().await;
            Arc::new(permit.map_err(|fault| call.cell.refuse(&fault))?)
        } else {
            permitted.permit
        };
        let service = Service {
            objects: service.objects.checked_by(Arc::new(again)),
            policies: Arc::clone(&service.policies),
            bodies: service.bodies.clone(),
        };
        Ok((Self { call, permit }, service, request.input))
    }

    pub(super) fn cell(&self) -> Cell {
        self.call.cell.clone()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.call.headers
    }

    /// The request's body, if it was kept; it ended well.
    pub(super) fn body(&self) -> Vec<u8> {
        self.call.body.take()
    }

    /// Holds a body that was parsed to its checksums.
    ///
    /// # Errors
    /// As for a put; [`Fault::InvalidRequest`] for a deletion of many without any.
    pub(super) fn check_document(&self) -> Result<(), Fault> {
        let route = self.call.routed.route;
        if !route::has_document(route) {
            return Ok(());
        }
        let claims = headers::claims(&self.call.headers, self.call.caller.trailers.as_ref(), None)?;
        let claimed = claims.md5.is_some() || !matches!(claims.value, ClaimedValue::None);
        if !claimed && route.operation == "DeleteObjects" {
            return Err(Fault::InvalidRequest(
                "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
            ));
        }
        check_document(&self.call.body.copy(), claims)
    }

    pub(super) const fn caller(&self) -> &Caller {
        &self.call.caller
    }

    pub(super) fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The caller's account, for operations that belong to nobody else.
    pub(super) fn account(&self) -> Result<AccountId, Fault> {
        self.call
            .caller
            .account
            .ok_or_else(|| Fault::AccessDenied("Access Denied".into()))
    }

    /// What the caller is told of an action on the bucket that no policy denies.
    pub(super) fn refuse(&self, action: &str, why: &str) -> Result<Fault, Fault> {
        let bucket = self.bucket()?;
        let arn = Arn::s3_bucket(&bucket.name);
        let resource = Resource {
            arn: arn.as_str(),
            owner: Some(bucket.owner),
            policy: None,
        };
        let denial = self.permit.authorize.refuse(action, &resource, why);
        Ok(Fault::AccessDenied(denial.message))
    }

    /// The bucket that was looked up.
    pub(super) fn bucket(&self) -> Result<&Bucket, Fault> {
        self.permit
            .bucket
            .as_ref()
            .ok_or_else(|| Fault::Internal("no bucket permitted".into()))
    }

    /// The object that was looked up.
    pub(super) fn object(&self) -> Result<Object, Fault> {
        let object = self.permit.object.clone();
        object.ok_or_else(|| Fault::Internal("no object permitted".into()))
    }

    /// The source of a copy that was looked up.
    pub(super) fn source(&self) -> Result<Object, Fault> {
        let source = self.permit.source.clone();
        source.ok_or_else(|| Fault::Internal("no source permitted".into()))
    }

    /// Asks about a key of the bucket.
    pub(super) fn require_key(
        &self,
        action: &str,
        key: &str,
        context: &S3Context,
    ) -> Result<(), Fault> {
        let arn = Arn::s3_object(&self.bucket()?.name, key);
        self.permit.require(action, arn.as_str(), context)
    }
}
