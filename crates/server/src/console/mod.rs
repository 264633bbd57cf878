//! The console: its files, and the few endpoints that a browser needs besides the public API.
//!
//! Invariant: the console has no private API. A browser signs in with a password and receives
//! temporary credentials; it does everything else with them, through the same pipeline as any
//! client. This module contains only what cannot be signed yet: sign-in, sign-out, the state of the
//! session, and the change of an expired password. Every response carries the same strict headers.
//! Only the console's own listener serves this module.

mod api;
mod files;
mod lockout;
mod sender;
mod session;
mod sign_in;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header,
    request::Parts,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as HttpBody;
use keywright_base::{ErrorCode, WireError, limits};
use keywright_identity::event::{ConsoleOperation, EventOperation, RequestRecord};
use serde_json::json;

pub use files::{ConsoleAsset, ConsoleBundle};

use crate::{
    ResponseBody, full,
    origin::{ConsoleListener, PublicUrl},
    pipeline::Pipeline,
    request::PeerInfo,
};
use api::{ApiReply, ApiRequest};
use lockout::SignInLockout;

/// The console's state: its files, and the failed sign-ins.
#[derive(Debug)]
pub struct Console {
    bundle: ConsoleBundle,
    urls: PublicUrls,
    /// Attempts for a name, per source address.
    names: SignInLockout,
    /// Attempts for a name, per browser that has signed in with that name before.
    browsers: SignInLockout,
    sources: SignInLockout,
}

/// The public URLs of the two origins, as far as the operator configures them. By default, the
/// console is at the address that a request was sent to, and the API on the same host at its own
/// port.
#[derive(Debug, Clone, Default)]
pub struct PublicUrls {
    /// The console's URL.
    pub console: Option<PublicUrl>,
    /// The API's URL.
    pub api: Option<PublicUrl>,
}

impl Console {
    /// Creates the console with these files, at these URLs.
    pub fn new(bundle: ConsoleBundle, urls: PublicUrls) -> Self {
        Self {
            bundle,
            urls,
            names: lockout::of_names(),
            browsers: lockout::of_names(),
            sources: lockout::of_sources(),
        }
    }
}

const ROOT: &str = "/console";

/// Whether an unsigned request to the console's origin is for the console: everything under
/// `/console`, and the root path. A host name with a bucket is another origin.
pub(crate) fn claims<B>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    if in_bucket_host(request.headers()) {
        return false;
    }
    if path == "/" {
        return request.method() == Method::GET && request.uri().query().is_none();
    }
    let rest = path.strip_prefix(ROOT);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn in_bucket_host(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let name = host.map(|host| host.split_once(':').map_or(host, |(name, _)| name));
    name.is_some_and(|name| name.ends_with(".localhost"))
}

/// Answers a request for which [`claims`] is true.
pub(crate) async fn answer<B>(
    pipeline: &Pipeline,
    (parts, body): (Parts, B),
    (peer, listener): (PeerInfo, ConsoleListener),
    record: &RequestRecord,
) -> Response<ResponseBody>
where
    B: HttpBody<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let inside = parts.uri.path().strip_prefix("/console/");
    let target = inside.map(|path| (path, path.strip_prefix("api/")));
    record.note_operation(EventOperation::Console(match target {
        Some((_, Some(endpoint))) => api::operation(&parts.method, endpoint),
        Some((_, None)) | None => ConsoleOperation::ReadFile,
    }));
    let mut response = match target {
        None if parts.uri.path() == "/" => moved(StatusCode::FOUND),
        None => moved(StatusCode::PERMANENT_REDIRECT),
        Some((_, Some(endpoint))) => {
            let limited = Limited::new(body, limits::CONSOLE_BODY_BYTES)
                .collect()
                .await;
            match limited {
                Ok(body) => {
                    let ask = ApiRequest {
                        pipeline,
                        parts: &parts,
                        body: &body.to_bytes(),
                        peer,
                        listener,
                        record,
                    };
                    api::answer(ask, endpoint).await
                }
                Err(error) if error.is::<LengthLimitError>() => respond(Err(WireError::new(
                    413,
                    "RequestEntityTooLarge",
                    "The request body is too large",
                ))),
                Err(_) => respond(Err(WireError::new(
                    408,
                    "RequestTimeout",
                    "The request body did not arrive in time.",
                ))),
            }
        }
        Some((path, None)) => files::answer(&pipeline.console.bundle, path, &parts),
    };
    guard(response.headers_mut());
    response
}

/// The security headers of every response: no scripts, styles or connections from other origins,
/// and no framing.
const GUARDS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
         font-src 'self' data:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; \
         base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

fn guard(headers: &mut HeaderMap) {
    for (name, value) in GUARDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn moved(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = status;
    let there = HeaderValue::from_static("/console/");
    response.headers_mut().insert(header::LOCATION, there);
    response
}

/// The response of an endpoint, which must never be cached.
fn respond(outcome: Result<ApiReply, WireError>) -> Response<ResponseBody> {
    let failure = outcome.as_ref().err().map(ErrorCode::from);
    let (status, body, cookies, retry) = match outcome {
        Ok(reply) => (reply.status(), reply.body, reply.cookies, None),
        Err(error) => (
            StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            Some(error_body(&error)),
            Vec::new(),
            error.retry_after_secs,
        ),
    };
    let text = body.map_or_else(String::new, |body| body.to_string());
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    if let Some(code) = failure {
        response.extensions_mut().insert(code);
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status != StatusCode::NO_CONTENT {
        let kind = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if let Some(secs) = retry {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
    }
    for cookie in cookies {
        if let Ok(mut value) = HeaderValue::from_str(&cookie) {
            value.set_sensitive(true);
            headers.append(header::SET_COOKIE, value);
        }
    }
    response
}

fn error_body(error: &WireError) -> serde_json::Value {
    let mut body = json!({"code": error.code, "message": error.text()});
    if let (Some(secs), Some(fields)) = (error.retry_after_secs, body.as_object_mut()) {
        fields.insert("retryAfterSecs".to_owned(), secs.into());
    }
    body
}
