//! The endpoints under `/console/api/`: their routes, requests and responses.
//!
//! Invariant: no request is answered that another origin could have made a browser send.
//! [`super::sender`] checks that.

use http::{Method, Response, StatusCode, request::Parts};
use keywright_identity::fault::WireError;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{sender, session, sign_in};
use crate::{
    ResponseBody,
    origin::{ConsoleListener, PublicUrl},
    pipeline::Pipeline,
    request::PeerInfo,
};

/// A request for an endpoint.
#[derive(Clone, Copy)]
pub(super) struct ApiRequest<'a> {
    pub pipeline: &'a Pipeline,
    pub parts: &'a Parts,
    pub body: &'a [u8],
    pub peer: PeerInfo,
    pub listener: ConsoleListener,
}

impl ApiRequest<'_> {
    /// The console's own origin; `None` if the request does not say where it was sent.
    pub(super) fn here(&self) -> Option<PublicUrl> {
        let known = self.pipeline.console.urls.console.clone();
        known.or_else(|| PublicUrl::of_request(&self.parts.headers, self.peer.secure))
    }

    /// The API's origin.
    pub(super) fn api(&self) -> Option<PublicUrl> {
        let known = self.pipeline.console.urls.api.clone();
        let (headers, secure) = (&self.parts.headers, self.peer.secure);
        known.or_else(|| PublicUrl::beside(headers, secure, self.listener.api_port))
    }

    /// Whether the browser uses TLS, to this server or to a proxy in front of it.
    pub(super) fn is_secure(&self) -> bool {
        let known = &self.pipeline.console.urls.console;
        self.peer.secure || known.as_ref().is_some_and(PublicUrl::is_secure)
    }
}

/// The reply of an endpoint.
pub(super) struct ApiReply {
    /// JSON. Without it, the status is 204.
    pub body: Option<Value>,
    /// The values of `Set-Cookie`, one per header line.
    pub cookies: Vec<String>,
}

impl ApiReply {
    pub(super) const fn json(body: Value) -> Self {
        Self {
            body: Some(body),
            cookies: Vec::new(),
        }
    }

    pub(super) const fn status(&self) -> StatusCode {
        match self.body {
            Some(_) => StatusCode::OK,
            None => StatusCode::NO_CONTENT,
        }
    }
}

/// Why an endpoint failed.
#[derive(Debug)]
pub(super) struct ApiError {
    status: u16,
    code: &'static str,
    message: String,
    /// The seconds after which the client may retry.
    pub retry_after_secs: Option<i64>,
}

impl ApiError {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after_secs: None,
        }
    }

    pub(super) fn signed_out() -> Self {
        Self::new(401, "SignedOut", "You are not signed in.")
    }

    pub(super) fn too_many(secs: i64) -> Self {
        let unit = if secs == 1 { "second" } else { "seconds" };
        let text = format!("Too many attempts. Try again in {secs} {unit}.");
        Self {
            retry_after_secs: Some(secs),
            ..Self::new(429, "TooManyAttempts", text)
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(super) fn body(&self) -> Value {
        let mut body = json!({"code": self.code, "message": self.message});
        if let (Some(secs), Some(fields)) = (self.retry_after_secs, body.as_object_mut()) {
            fields.insert("retryAfterSecs".to_owned(), secs.into());
        }
        body
    }
}

/// Converts an action's error. For the console, every client error is a 400.
impl From<WireError> for ApiError {
    fn from(error: WireError) -> Self {
        let status = if error.status < 500 {
            400
        } else {
            error.status
        };
        Self::new(status, error.code, error.message.unwrap_or_default())
    }
}

/// Answers a request for the endpoint of this name.
pub(super) async fn answer(ask: ApiRequest<'_>, endpoint: &str) -> Response<ResponseBody> {
    super::json(carry_out(ask, endpoint).await)
}

async fn carry_out(ask: ApiRequest<'_>, endpoint: &str) -> Result<ApiReply, ApiError> {
    let post = ask.parts.method == Method::POST;
    sender::check(ask)?;
    match (endpoint, post) {
        ("session", false) => Ok(session::show(ask)),
        ("capabilities", false) => session::capabilities(ask),
        ("sign-in", true) => sign_in::sign_in(ask).await,
        ("password", true) => sign_in::change_password(ask).await,
        ("credentials", true) => session::credentials(ask),
        ("sign-out", true) => Ok(session::sign_out(ask)),
        ("session" | "capabilities" | "sign-in" | "password" | "credentials" | "sign-out", _) => {
            let text = "The method is not allowed here.";
            Err(ApiError::new(405, "MethodNotAllowed", text))
        }
        _ => Err(ApiError::new(404, "NotFound", "There is no such endpoint.")),
    }
}

/// Parses the JSON of a request.
pub(super) fn read<T: DeserializeOwned>(ask: ApiRequest<'_>) -> Result<T, ApiError> {
    // The message of serde could quote the body.
    serde_json::from_slice(ask.body).map_err(|_| {
        ApiError::new(
            400,
            "ValidationError",
            "The request is not what was expected.",
        )
    })
}
