//! Error responses as S3 writes them, and the headers that every response has.
//!
//! Invariant: every response outside 2xx is written here, whether the error comes from
//! `keywright_objects`, the protocol layer or the reader of the body. Codes and messages of
//! [`S3Fault`] come from its own table; this file knows only the envelope and the protocol layer's
//! own errors.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};

use keywright_base::{ErrorCode, WireError};
use keywright_objects::S3Fault;

use super::{
    S3Body,
    xml::{DECLARATION, XmlBody, XmlElements, well_formed},
};

/// The IDs of one response.
#[derive(Debug, Clone)]
pub struct ResponseIds {
    /// `x-amz-request-id`: 16 upper-case letters and digits.
    pub request_id: String,
    /// `x-amz-id-2`: base64.
    pub host_id: String,
}

/// `SlowDown`: there is no capacity for the request now; clients retry more slowly.
pub fn slow_down() -> WireError {
    S3Fault::Throttled.wire()
}

/// Holds the reason why a request failed. The first one wins.
#[derive(Debug, Clone, Default)]
pub(super) struct ErrorSlot(Arc<OnceLock<WireError>>);

impl ErrorSlot {
    /// Records a fault, unless an error was recorded before, and returns an error for the protocol
    /// layer.
    pub(super) fn refuse(&self, fault: &S3Fault) -> s3s::S3Error {
        if let S3Fault::Internal(text) = fault {
            tracing::error!(%text, "S3 request failed");
        }
        let _ = self.0.set(fault.wire());
        s3s::S3Error::new(s3s::S3ErrorCode::InternalError)
    }

    /// Records an error, unless one was recorded before.
    pub(super) fn leave(&self, error: WireError) {
        let _ = self.0.set(error);
    }

    /// Records the error of a body. A [`WireError`] is kept; any other error means an incomplete
    /// body.
    pub(super) fn body_failed(&self, error: &(dyn std::error::Error + Send + Sync + 'static)) {
        let known = error.downcast_ref::<WireError>().cloned();
        let _ = self.0.set(known.unwrap_or_else(|| {
            S3Fault::IncompleteBody {
                announced: 0,
                seen: 0,
            }
            .wire()
        }));
    }

    fn left(&self) -> Option<&WireError> {
        self.0.get()
    }
}

/// Completes a response of the protocol layer: adds the IDs, and writes errors in S3's form.
pub(super) async fn finish(
    answer: Response<S3Body>,
    cell: &ErrorSlot,
    request: &RenderedRequest,
    ids: &ResponseIds,
) -> Response<S3Body> {
    let status = answer.status();
    if status.is_success() {
        let answer = with_document(with_status(answer)).await;
        return with_ids(answer, ids);
    }
    let error = match cell.left() {
        Some(error) => error.clone(),
        None => protocol_error(answer, request).await,
    };
    error_response(&error, request.is_head(), ids)
}

/// The status that an operation wants instead of the protocol layer's, as an extension of its
/// response.
#[derive(Debug, Clone, Copy)]
pub(super) struct StatusOverride(pub(super) StatusCode);

fn with_status(mut answer: Response<S3Body>) -> Response<S3Body> {
    if let Some(StatusOverride(status)) = answer.extensions_mut().remove() {
        *answer.status_mut() = status;
    }
    answer
}

/// Completes a response whose body is a document: the operation's own document replaces the
/// protocol layer's, and a line break follows the declaration.
async fn with_document(mut answer: Response<S3Body>) -> Response<S3Body> {
    let own = answer.extensions_mut().remove::<XmlBody>();
    let object = answer.extensions_mut().remove::<ObjectBody>().is_some();
    let kind = answer.headers().get(header::CONTENT_TYPE);
    let written = !object && kind.is_some_and(|kind| kind.as_bytes() == b"application/xml");
    if own.is_none() && !written {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let text = match own {
        Some(XmlBody(text)) => Bytes::from(text),
        None => match body.collect().await {
            Ok(body) => declared(body.to_bytes()),
            // Cannot fail: the body is in memory.
            Err(_) => Bytes::new(),
        },
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.extensions.insert(InMemory);
    let body = Full::new(text)
        .map_err(|never| match never {})
        .boxed_unsync();
    Response::from_parts(parts, body)
}

/// A document of the protocol layer, with a line break after the declaration and without characters
/// that XML cannot carry.
fn declared(body: Bytes) -> Bytes {
    let body = match std::str::from_utf8(&body).map(well_formed) {
        Ok(Cow::Owned(text)) => Bytes::from(text),
        _ => body,
    };
    match body.strip_prefix(DECLARATION.trim_end().as_bytes()) {
        Some(rest) if !rest.starts_with(b"\n") => [DECLARATION.as_bytes(), rest].concat().into(),
        _ => body,
    }
}

/// Marks a response whose body is a document that is completely in memory.
#[derive(Debug, Clone, Copy)]
pub struct InMemory;

/// Marks a response whose body is an object's content, whatever its type says.
#[derive(Debug, Clone, Copy)]
pub(super) struct ObjectBody;

/// What the renderer needs to know about a request.
#[derive(Debug, Clone)]
pub(super) struct RenderedRequest {
    pub(super) method: Method,
    pub(super) resource: &'static str,
}

impl RenderedRequest {
    /// Whether its response has no body.
    pub(super) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }
}

/// An error response. `head` leaves out the body.
pub fn error_response(error: &WireError, head: bool, ids: &ResponseIds) -> Response<S3Body> {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let bare = head || status == StatusCode::NOT_MODIFIED;
    let text = if bare {
        String::new()
    } else {
        error_text(error, ids)
    };
    let body = Full::new(Bytes::from(text))
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.extensions_mut().insert(ErrorCode::from(error));
    for (name, value) in &error.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            let name = HeaderName::from_static(name);
            response.headers_mut().insert(name, value);
        }
    }
    if status != StatusCode::NOT_MODIFIED {
        let xml = HeaderValue::from_static("application/xml");
        response.headers_mut().insert(header::CONTENT_TYPE, xml);
    }
    with_ids(response, ids)
}

fn error_text(error: &WireError, ids: &ResponseIds) -> String {
    let mut elements = XmlElements::default();
    elements.within("Error", |inner| {
        error_elements(inner, error);
        inner.text("RequestId", &ids.request_id);
        inner.text("HostId", &ids.host_id);
    });
    format!("{DECLARATION}{elements}")
}

/// The elements of an error, without the response's IDs.
pub(super) fn error_elements(elements: &mut XmlElements, error: &WireError) {
    elements.text("Code", &error.code);
    if !error.text().is_empty() {
        elements.text("Message", error.text());
    }
    for (name, value) in &error.extra {
        elements.text(name, value);
    }
}

pub(super) fn with_ids(mut response: Response<S3Body>, ids: &ResponseIds) -> Response<S3Body> {
    for (name, value) in [
        ("x-amz-request-id", &ids.request_id),
        ("x-amz-id-2", &ids.host_id),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// The error that the protocol layer found, with S3's message where the protocol layer uses its
/// own. The body is in memory.
async fn protocol_error(answer: Response<S3Body>, request: &RenderedRequest) -> WireError {
    let status = answer.status().as_u16();
    let body = answer
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let body = body.unwrap_or_default();
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let code = between(text, "Code").unwrap_or("InternalError");
    let message = between(text, "Message").unwrap_or_default();
    let fault = match (code, message) {
        ("NotImplemented", "Unknown operation") | ("MethodNotAllowed", _) => {
            S3Fault::MethodNotAllowed {
                method: request.method.to_string(),
                resource: request.resource,
            }
        }
        ("MalformedXML" | "MissingRequestBodyError", _) => S3Fault::MalformedXml,
        ("IncompleteBody", _) => S3Fault::IncompleteBody {
            announced: 0,
            seen: 0,
        },
        ("MaxMessageLengthExceeded", _) => S3Fault::MessageTooLong {
            limit: keywright_base::limits::S3_XML_BYTES,
        },
        ("AccessDenied", _) => S3Fault::AccessDenied("Access Denied".into()),
        ("KeyTooLongError", _) => {
            let limit = keywright_base::limits::S3_KEY_BYTES;
            S3Fault::KeyTooLong {
                size: limit.saturating_add(1),
                limit,
            }
        }
        (code, message) => return plain(status, code, message),
    };
    fault.wire()
}

fn plain(status: u16, code: &str, message: &str) -> WireError {
    let known = match code {
        "InvalidURI" => Some("Couldn't parse the specified URI."),
        "MissingContentLength" => Some("You must provide the Content-Length HTTP header."),
        "InternalError" => Some("We encountered an internal error. Please try again."),
        _ => None,
    };
    let status = if code == "MaxMessageLengthExceeded" {
        400
    } else {
        status
    };
    let message = quick_xml::escape::unescape(message).unwrap_or_default();
    let message = known.map_or_else(|| message.into_owned().into(), Cow::Borrowed);
    WireError::new(status, code.to_owned(), message)
}

fn between<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>"))
        .map(|(value, _)| value)
}
