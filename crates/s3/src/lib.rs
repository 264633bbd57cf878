//! The S3 API. [`S3::call`] takes a request that the server's pipeline has verified and returns
//! S3's response.
//!
//! Invariant: a request that reaches [`S3::call`] is authenticated, free of chunk framing and
//! stripped of credentials. It is authorized here, before any of its input is parsed. The protocol
//! layer (`s3s`) routes requests and reads and writes their shapes; it holds no keys and makes no
//! decisions. Requests are path-style only: the pipeline moves a bucket from the host name into the
//! path.

mod access;
mod acl;
mod authorize;
mod body;
mod body_budget;
mod buckets;
mod context;
mod control;
mod convert;
mod headers;
mod job;
mod listing;
mod metadata;
mod multipart;
mod objects;
mod policy;
mod public_access;
mod render;
mod route;
mod service;
mod settings;
mod table;
mod tagging;
mod xml;

#[cfg(test)]
mod tests;

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use s3s::{config::S3Config, service::S3ServiceBuilder, validation::NameValidation};

use keywright_base::limits;
use keywright_identity::view::ResourcePolicy;
use keywright_objects::{Objects, PolicyCache, S3Fault};

pub use authorize::{
    BodyTrailers, CallerBusy, CpuWork, S3Authorizer, S3Caller, S3Context, S3Denial, S3Resource,
    WorkFuture,
};
pub use body_budget::{BodyBudget, HeldBytes, NoMemory};
pub use control::{ControlRequest, is_control};
pub use policy::BucketPolicy;
pub use render::{InMemory, ResponseIds, WireError, error_response};

use body::{BodyTap, CapturedBody};
use job::S3Call;
use render::{ErrorSlot, RenderedRequest};

/// The body of requests and responses. A request's body ends with an error if it is not what was
/// signed; if that error is a [`WireError`], it becomes the response.
pub type S3Body = UnsyncBoxBody<Bytes, BodyError>;

/// The error of a body.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The names of the operations that are served, sorted.
pub fn operations() -> Vec<&'static str> {
    let mut names: Vec<_> = table::TABLE.iter().map(|row| row.operation).collect();
    names.sort_unstable();
    names
}

/// The S3 service. Cheap to clone.
#[derive(Clone)]
pub struct S3 {
    protocol: s3s::service::S3Service,
    service: Arc<S3Shared>,
}

/// What all operations share.
struct S3Shared {
    objects: Objects,
    policies: Arc<PolicyCache<policy::CompiledBucketPolicy>>,
    bodies: BodyBudget,
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3").finish_non_exhaustive()
    }
}

impl S3 {
    /// Creates the service over an object store.
    pub fn new(objects: Objects) -> Self {
        let service = Arc::new(S3Shared {
            objects,
            policies: Arc::default(),
            bodies: BodyBudget::default(),
        });
        let mut config = S3Config::default();
        config.xml_max_body_size = limits::S3_XML_BYTES;
        config.post_object_max_file_size = 0;
        config.form_max_fields_size = 0;
        let mut builder = S3ServiceBuilder::new(service::S3Operations(Arc::clone(&service)));
        builder.set_config(Arc::new(s3s::config::StaticConfigProvider::new(Arc::new(
            config,
        ))));
        builder.set_auth(access::NoKeys);
        builder.set_access(access::AccessGate(Arc::clone(&service)));
        builder.set_validation(AnyName);
        Self {
            protocol: builder.build(),
            service,
        }
    }

    /// The memory budget for bodies that are buffered, here and in the rest of the server.
    pub fn bodies(&self) -> &BodyBudget {
        &self.service.bodies
    }

    /// The owner and the policy of the bucket that an ARN names, and the tags of the object if the
    /// ARN has a key. `listed` maps each principal of the policy from its stored ID to the ARN to
    /// show.
    ///
    /// # Errors
    /// If the index or the policy cannot be read.
    pub async fn attached(
        &self,
        arn: &str,
        listed: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<ResourcePolicy>, S3Fault> {
        let Some(name) = arn.strip_prefix("arn:aws:s3:::") else {
            return Ok(None);
        };
        let (name, key) = match name.split_once('/') {
            Some((name, key)) => (name, Some(key)),
            None => (name, None),
        };
        let Some(bucket) = self.service.objects.find_bucket(name).await? else {
            return Ok(None);
        };
        let object = match key {
            Some(key) => self.service.objects.find(name, key).await?,
            None => None,
        };
        let attached = public_access::attached(&self.service, &bucket)?;
        Ok(Some(ResourcePolicy {
            policy: policy::with_arns(&bucket, listed)?,
            tags: object.map(|object| object.meta.tags),
            ..attached
        }))
    }

    /// Answers a request. Its extensions must hold an [`S3Caller`]; a request without one is
    /// denied.
    ///
    /// The body is the payload itself, without chunk framing, and ends with an error unless it is
    /// what was signed. Nothing is committed before the body has ended without an error.
    pub async fn call(&self, mut request: Request<S3Body>, ids: &ResponseIds) -> Response<S3Body> {
        if request.extensions().get::<ControlRequest>().is_some() {
            return control::answer(self, request, ids).await;
        }
        let requested = RenderedRequest {
            method: request.method().to_string(),
            head: request.method() == Method::HEAD,
            resource: resource_type(request.uri().path()),
        };
        let (cell, retained) = (ErrorSlot::default(), CapturedBody::default());
        if let Err(fault) = prepare(&mut request, (&cell, &retained), requested.resource) {
            return error_response(&WireError::from(&fault), requested.head, ids);
        }
        let caller = request
            .extensions()
            .get::<S3Call>()
            .map(|call| &call.caller);
        let authorize = caller.map(|caller| Arc::clone(&caller.authorize));
        let tap = |body| BodyTap {
            body,
            error: cell.clone(),
            captured: retained.clone(),
            ended: false,
        };
        let request = request.map(|body| s3s::Body::http_body_unsync(tap(body)));
        let protocol = self.protocol.clone();
        let answering: ResponseFuture = Box::pin(async move { protocol.call(request).await });
        let answered = match authorize {
            Some(authorize) => parsed_beside(answering, &retained, &authorize).await,
            None => Ok(answering.await),
        };
        let answered = match answered {
            Ok(answered) => answered,
            Err(fault) => return error_response(&WireError::from(&fault), requested.head, ids),
        };
        match answered {
            Ok(answer) => {
                let answer = answer.map(UnsyncBoxBody::new);
                render::finish(answer, &cell, &requested, ids).await
            }
            Err(_) => {
                let fault = S3Fault::Internal("the protocol layer failed".into());
                error_response(&WireError::from(&fault), requested.head, ids)
            }
        }
    }
}

/// The protocol layer's pending response. It is boxed because the compiler cannot prove that the
/// protocol layer's own future is `Send`.
type ResponseFuture = Pin<Box<dyn Future<Output = ProtocolResult> + Send>>;
type ProtocolResult = Result<s3s::HttpResponse, s3s::HttpError>;

/// Drives the protocol layer to its response. Once a large document has arrived, the next poll,
/// which parses it, runs outside the request threads.
///
/// # Errors
/// [`S3Fault::Throttled`].
async fn parsed_beside(
    mut answering: ResponseFuture,
    retained: &CapturedBody,
    authorize: &Arc<dyn S3Authorizer>,
) -> Result<ProtocolResult, S3Fault> {
    let answered = poll_fn(|cx| match answering.as_mut().poll(cx) {
        Poll::Ready(answered) => Poll::Ready(Some(answered)),
        Poll::Pending if retained.is_waiting() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    if let Some(answered) = answered.await {
        return Ok(answered);
    }
    retained.give_turn();
    let parse = move || {
        // If the future is still pending, it is polled again below with the real waker.
        let polled = answering
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        (answering, polled)
    };
    match job::beside(authorize, parse).await? {
        (_, Poll::Ready(answered)) => Ok(answered),
        (answering, Poll::Pending) => Ok(answering.await),
    }
}

/// Accepts every name. The access check validates names, because it knows S3's error for each.
struct AnyName;

impl NameValidation for AnyName {
    fn validate_bucket_name(&self, _: &str) -> bool {
        true
    }
}

fn resource_type(path: &str) -> &'static str {
    match path.trim_start_matches('/').split_once('/') {
        None if path.len() <= 1 => "SERVICE",
        None | Some((_, "")) => "BUCKET",
        Some(_) => "OBJECT",
    }
}

/// Removes what the protocol layer must not see, and keeps it for the operations that need it.
fn prepare(
    request: &mut Request<S3Body>,
    (cell, retained): (&ErrorSlot, &CapturedBody),
    resource: &'static str,
) -> Result<(), S3Fault> {
    let Some(caller) = request.extensions_mut().remove::<S3Caller>() else {
        return Err(S3Fault::AccessDenied("Access Denied".into()));
    };
    let form = convert::text(request.headers(), "content-type").is_some_and(|mime| {
        mime.trim_start()
            .to_ascii_lowercase()
            .starts_with("multipart/")
    });
    if form && request.method() == Method::POST {
        return Err(S3Fault::OperationNotServed("PostObject".into()));
    }
    let headers = request.headers_mut();
    for name in [
        "authorization",
        "x-amz-security-token",
        "x-amz-content-sha256",
        "x-amz-date",
    ] {
        headers.remove(name);
    }
    plain_length(headers);
    let routed = route::route(request, resource).map_err(|fault| match fault {
        // A caller without credentials must not learn which operations are served.
        S3Fault::OperationNotServed(_) if caller.account.is_none() => {
            S3Fault::AccessDenied("Access Denied".into())
        }
        other => other,
    })?;
    let headers = request.headers_mut();
    let all = Arc::new(headers.clone());
    headers::hide(headers);
    request.extensions_mut().insert(S3Call {
        caller,
        cell: cell.clone(),
        routed: Arc::new(routed),
        headers: all,
        body: retained.clone(),
    });
    Ok(())
}

/// Replaces the length and the encoding of the chunk framing by those of the payload.
fn plain_length(headers: &mut HeaderMap) {
    if let Some(length) = headers.remove("x-amz-decoded-content-length") {
        headers.insert(header::CONTENT_LENGTH, length);
    }
    let encoding = convert::text(headers, "content-encoding").map(headers::plain_encoding);
    match encoding.map(|encoding| HeaderValue::from_str(&encoding)) {
        Some(Ok(encoding)) if !encoding.is_empty() => {
            headers.insert(header::CONTENT_ENCODING, encoding);
        }
        Some(_) => {
            headers.remove(header::CONTENT_ENCODING);
        }
        None => {}
    }
}
