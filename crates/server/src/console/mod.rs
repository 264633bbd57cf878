//! The console: its files, and the few questions that a browser asks beside the public API.
//!
//! It protects one rule: the console has no private door. A browser signs in with a password and is
//! given temporary credentials; everything else it does with them, through the same pipeline as
//! any client. What is here is only what cannot be signed yet: sign-in, sign-out, whose session it
//! is, and the change of a password that is due. Every answer carries the same strict headers. Only
//! the console's own listener leads here.

mod api;
mod files;
mod lockout;
mod sender;
mod session;
mod sign_in;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as HttpBody;
use keywright_base::limits;

pub use files::{ConsoleAsset, ConsoleBundle};

use crate::{
    ResponseBody, full,
    origin::PublicUrl,
    pipeline::{PeerInfo, Pipeline},
};
use api::{ApiError, ApiReply, ApiRequest};
use lockout::SignInLockout;

/// The console's own state: its files, and the sign-ins that failed.
#[derive(Debug)]
pub struct Console {
    bundle: ConsoleBundle,
    urls: PublicUrls,
    /// Attempts for a name, from one address each.
    names: SignInLockout,
    /// Attempts for a name, from one browser each that has signed in to it before.
    browsers: SignInLockout,
    sources: SignInLockout,
}

/// Where people and clients reach the two origins, as far as the operator says it. Otherwise the
/// console is where a request was sent, and the API on the same host at its own port.
#[derive(Debug, Clone, Default)]
pub struct PublicUrls {
    /// The console's.
    pub console: Option<PublicUrl>,
    /// The API's.
    pub api: Option<PublicUrl>,
}

impl Console {
    /// With these files, at these addresses.
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

/// Whether an unsigned request to the console's origin is for the console: what is under
/// `/console`, and the origin's own address. A bucket in the host name is another origin.
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

/// Answers a request that [`claims`] is the console's; the API listens on the port given.
pub(crate) async fn answer<B>(
    pipeline: &Pipeline,
    request: Request<B>,
    (peer, api_port): (PeerInfo, u16),
) -> Response<ResponseBody>
where
    B: HttpBody<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let inside = parts.uri.path().strip_prefix("/console/");
    let mut response = match inside.map(|path| (path, path.strip_prefix("api/"))) {
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
                        api_port,
                    };
                    api::answer(ask, endpoint).await
                }
                Err(error) if error.is::<LengthLimitError>() => json(Err(ApiError::new(
                    413,
                    "RequestEntityTooLarge",
                    "The request body is too large",
                ))),
                Err(_) => json(Err(ApiError::new(
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

/// What holds for every answer: no script, style or connection from elsewhere, no frame around it.
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

/// The answer of an endpoint. Nothing of it may be kept by anyone.
fn json(outcome: Result<ApiReply, ApiError>) -> Response<ResponseBody> {
    let (status, body, cookies, retry) = match outcome {
        Ok(reply) => (reply.status(), reply.body, reply.cookies, None),
        Err(refused) => (
            refused.status(),
            Some(refused.body()),
            Vec::new(),
            refused.retry_after_secs,
        ),
    };
    let text = body.map_or_else(String::new, |body| body.to_string());
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
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
