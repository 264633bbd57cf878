//! A request for S3, read once: what it is for, who calls, and its headers.
//!
//! Invariant: the access check, the operation and the check before a commit all see the same
//! request. The protocol layer gets a copy without what it must not see.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Uri, header, request::Parts};

use keywright_objects::S3Fault;
use keywright_wire::{Level, Route};

use super::{
    S3Body, S3Caller,
    body::{BodyTap, CapturedBody},
    context,
    control::{self, TagCall},
    convert, headers,
    render::{ErrorSlot, RenderedRequest},
    route,
};

/// An authenticated request for S3 or S3 Control, without credentials.
///
/// The body is the payload itself, without chunk framing, and ends with an error unless it is what
/// was signed. Nothing is committed before the body has ended without an error.
pub struct IncomingRequest {
    pub(super) api: RequestedApi,
    /// Without headers.
    pub(super) head: Parts,
    pub(super) body: S3Body,
}

pub(super) enum RequestedApi {
    S3(Arc<S3Call>),
    Control(TagCall),
}

/// A request for an operation of S3.
pub(super) struct S3Call {
    pub(super) caller: S3Caller,
    pub(super) route: &'static Route,
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
    /// The query's parameters, decoded, none twice.
    pub(super) query: Vec<(String, String)>,
    /// The headers, including those that are hidden from the protocol layer.
    pub(super) headers: HeaderMap,
    /// The body, for an operation that needs parts that the protocol layer leaves out.
    pub(super) body: CapturedBody,
    pub(super) error: ErrorSlot,
    pub(super) rendered: RenderedRequest,
}

impl std::fmt::Debug for IncomingRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IncomingRequest({} {})", self.head.method, self.head.uri)
    }
}

impl IncomingRequest {
    /// Reads an authenticated request. Moves a bucket in the host name into the path.
    ///
    /// # Errors
    /// What is not understood or not served, and [`S3Fault::InvalidBucketName`].
    pub fn read(
        mut head: Parts,
        body: S3Body,
        caller: S3Caller,
        host_bucket: Option<&str>,
    ) -> Result<Self, S3Fault> {
        let mut headers = std::mem::take(&mut head.headers);
        let api = if control::is_control(&headers, head.uri.path(), host_bucket) {
            RequestedApi::Control(TagCall { caller, headers })
        } else {
            if let Some(bucket) = host_bucket {
                head.uri = path_style(&head.uri, bucket)?;
            }
            check_form(&head.method, &headers)?;
            remove_credentials(&mut headers);
            plain_length(&mut headers);
            RequestedApi::S3(Arc::new(S3Call::read(&head, headers, caller)?))
        };
        Ok(Self { api, head, body })
    }

    /// The name of its operation. `None` for a request that S3 Control does not serve.
    pub fn operation(&self) -> Option<&'static str> {
        match &self.api {
            RequestedApi::S3(call) => Some(call.operation()),
            RequestedApi::Control(_) => TagCall::operation(&self.head.method),
        }
    }

    /// Whether the request may read many rows of the index: those of an account, a bucket or an
    /// upload.
    pub fn is_listing(&self) -> bool {
        match &self.api {
            RequestedApi::S3(call) => {
                let of_upload = call.parameter("uploadId").is_some();
                self.head.method == Method::GET && (call.key.is_none() || of_upload)
            }
            RequestedApi::Control(_) => false,
        }
    }
}

impl S3Call {
    fn read(head: &Parts, headers: HeaderMap, caller: S3Caller) -> Result<Self, S3Fault> {
        let (bucket, key) = address(&head.uri);
        let rendered = RenderedRequest {
            method: head.method.clone(),
            resource: resource_type(head.uri.path()),
        };
        let query = context::query(&head.uri)?;
        let level = match (&bucket, &key) {
            (None, _) => Level::Service,
            (Some(_), None) => Level::Bucket,
            (Some(_), Some(_)) => Level::Object,
        };
        let routed = route::route(&rendered, level, &query, &headers);
        let route = routed.map_err(|fault| match fault {
            // A caller without credentials must not learn which operations are served.
            S3Fault::OperationNotServed(_) if caller.account.is_none() => {
                S3Fault::AccessDenied("Access Denied".into())
            }
            other => other,
        })?;
        Ok(Self {
            caller,
            route,
            bucket,
            key,
            query,
            headers,
            body: CapturedBody::default(),
            error: ErrorSlot::default(),
            rendered,
        })
    }

    /// The name of the operation.
    pub(super) const fn operation(&self) -> &'static str {
        self.route.operation
    }

    /// The request as the protocol layer gets it.
    pub(super) fn for_protocol(
        self: &Arc<Self>,
        mut head: Parts,
        body: S3Body,
    ) -> s3s::HttpRequest {
        head.headers = headers::visible(&self.headers);
        head.extensions.insert(Arc::clone(self));
        let tap = BodyTap {
            body,
            error: self.error.clone(),
            captured: self.body.clone(),
            ended: false,
        };
        Request::from_parts(head, s3s::Body::http_body_unsync(tap))
    }
}

/// Moves the bucket of `BUCKET.localhost` into the path. Clients write it there if their endpoint
/// is a host name.
fn path_style(uri: &Uri, bucket: &str) -> Result<Uri, S3Fault> {
    let (path, query) = (uri.path(), uri.query());
    let mark = if query.is_some() { "?" } else { "" };
    let moved = format!("/{bucket}{path}{mark}{}", query.unwrap_or_default());
    let unfit = |_| S3Fault::InvalidBucketName(bucket.to_owned());
    moved.parse().map_err(unfit)
}

/// The bucket and key in a path. It is decoded first, as in the protocol layer, which rejects a
/// path that is not UTF-8.
fn address(uri: &Uri) -> (Option<String>, Option<String>) {
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy();
    let path = path.strip_prefix('/').unwrap_or(&path);
    match path.split_once('/') {
        None if path.is_empty() => (None, None),
        None => (Some(path.to_owned()), None),
        Some((bucket, "")) => (Some(bucket.to_owned()), None),
        Some((bucket, key)) => (Some(bucket.to_owned()), Some(key.to_owned())),
    }
}

fn resource_type(path: &str) -> &'static str {
    match path.trim_start_matches('/').split_once('/') {
        None if path.len() <= 1 => "SERVICE",
        None | Some((_, "")) => "BUCKET",
        Some(_) => "OBJECT",
    }
}

/// Rejects uploads from HTML forms, which are not served.
fn check_form(method: &Method, headers: &HeaderMap) -> Result<(), S3Fault> {
    let form = convert::text(headers, "content-type").is_some_and(|mime| {
        let mime = mime.trim_start().as_bytes();
        mime.get(..10)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"))
    });
    if form && *method == Method::POST {
        return Err(S3Fault::OperationNotServed("PostObject".into()));
    }
    Ok(())
}

/// Removes what only authentication needed.
fn remove_credentials(headers: &mut HeaderMap) {
    for name in [
        "authorization",
        "x-amz-security-token",
        "x-amz-content-sha256",
        "x-amz-date",
    ] {
        headers.remove(name);
    }
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
