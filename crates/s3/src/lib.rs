//! The S3 API. [`S3::call`] takes a request that the server's pipeline has verified and returns
//! S3's response.
//!
//! Invariant: a request that reaches [`S3::call`] is authenticated, free of chunk framing and
//! stripped of credentials. It was read once ([`IncomingRequest::read`]) and is authorized here,
//! before its body is parsed. The protocol layer (`s3s`) reads and writes the shapes of requests;
//! it holds no keys and makes no decisions.

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
mod listing;
mod metadata;
mod multipart;
mod objects;
mod policy;
mod public_access;
mod render;
mod request;
mod route;
mod service;
mod settings;
mod table;
mod tagging;
pub mod unserved;
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
use http::Response;
use http_body_util::combinators::UnsyncBoxBody;
use s3s::{config::S3Config, service::S3ServiceBuilder, validation::NameValidation};

use keywright_base::limits;
use keywright_identity::view::ResourcePolicy;
use keywright_objects::{Objects, S3Fault};

pub use authorize::{
    BodyTrailers, CallerBusy, CpuWork, S3Authorizer, S3Caller, S3Context, S3Denial, S3Resource,
    WorkFuture,
};
pub use body_budget::{BodyBudget, HeldBytes, NoMemory};
pub use policy::BucketPolicy;
pub use render::{InMemory, ResponseIds, error_response, slow_down};
pub use request::IncomingRequest;

use access::S3Shared;
use request::{RequestedApi, S3Call};

/// The body of requests and responses. A request's body ends with an error if it is not what was
/// signed; if that error is a [`keywright_base::WireError`], it becomes the response.
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
impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3").finish_non_exhaustive()
    }
}

impl S3 {
    /// Creates the service over an object store.
    pub fn new(objects: Objects) -> Self {
        let service = Arc::new(S3Shared::new(objects));
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
        let Some((bucket, object)) = self.service.resource(name, key).await? else {
            return Ok(None);
        };
        let attached = public_access::attached(&self.service, &bucket)?;
        Ok(Some(ResourcePolicy {
            policy: policy::with_arns(&bucket, listed)?,
            tags: object.map(|object| object.meta.tags.clone()),
            ..attached
        }))
    }

    /// Answers a request.
    pub async fn call(&self, request: IncomingRequest, ids: &ResponseIds) -> Response<S3Body> {
        let IncomingRequest { api, head, body } = request;
        let call = match api {
            RequestedApi::S3(call) => call,
            RequestedApi::Control(call) => {
                return control::answer(&self.service, call, (&head, body), ids).await;
            }
        };
        let request = call.for_protocol(head, body);
        let protocol = self.protocol.clone();
        let answering: ResponseFuture = Box::pin(async move { protocol.call(request).await });
        let fault = match parsed_beside(answering, &call).await {
            Ok(Ok(answer)) => {
                let answer = answer.map(UnsyncBoxBody::new);
                return render::finish(answer, &call.error, &call.rendered, ids).await;
            }
            Ok(Err(_)) => S3Fault::Internal("the protocol layer failed".into()),
            Err(fault) => fault,
        };
        error_response(&fault.wire(), call.rendered.is_head(), ids)
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
    call: &S3Call,
) -> Result<ProtocolResult, S3Fault> {
    let retained = &call.body;
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
    match access::beside(&call.caller.authorize, parse).await? {
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
