//! The endpoints under `/console/api/`: their routes, requests and responses.
//!
//! Invariant: no request is answered that another origin could have made a browser send.
//! [`super::sender`] checks that.

use http::{Method, Response, StatusCode, request::Parts};
use keywright_base::WireError;
use keywright_identity::event::{ConsoleOperation, RequestRecord};
use serde::de::DeserializeOwned;
use serde_json::Value;

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
    /// The record of the request, for its event.
    pub record: &'a RequestRecord,
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

/// The error of a request without a session.
pub(super) fn signed_out() -> WireError {
    WireError::new(401, "SignedOut", "You are not signed in.")
}

/// The error of an attempt that comes too early.
pub(super) fn too_many(secs: i64) -> WireError {
    let unit = if secs == 1 { "second" } else { "seconds" };
    let text = format!("Too many attempts. Try again in {secs} {unit}.");
    WireError {
        retry_after_secs: Some(secs),
        ..WireError::new(429, "TooManyAttempts", text)
    }
}

/// An action's error. For the console, every client error is a 400.
pub(super) fn of_action(error: WireError) -> WireError {
    let status = if error.status < 500 {
        400
    } else {
        error.status
    };
    WireError { status, ..error }
}

/// The operation of an endpoint.
pub(super) fn operation(method: &Method, endpoint: &str) -> ConsoleOperation {
    match (endpoint, method == Method::POST) {
        ("session", false) => ConsoleOperation::ReadSession,
        ("capabilities", false) => ConsoleOperation::ReadCapabilities,
        ("sign-in", true) => ConsoleOperation::SignIn,
        ("password", true) => ConsoleOperation::ChangePassword,
        ("credentials", true) => ConsoleOperation::IssueCredentials,
        ("sign-out", true) => ConsoleOperation::SignOut,
        _ => ConsoleOperation::Unknown,
    }
}

/// Answers a request for the endpoint of this name.
pub(super) async fn answer(ask: ApiRequest<'_>, endpoint: &str) -> Response<ResponseBody> {
    super::respond(carry_out(ask, endpoint).await)
}

async fn carry_out(ask: ApiRequest<'_>, endpoint: &str) -> Result<ApiReply, WireError> {
    sender::check(ask)?;
    match operation(&ask.parts.method, endpoint) {
        ConsoleOperation::ReadSession => Ok(session::show(ask)),
        ConsoleOperation::ReadCapabilities => session::capabilities(ask),
        ConsoleOperation::SignIn => sign_in::sign_in(ask).await,
        ConsoleOperation::ChangePassword => sign_in::change_password(ask).await,
        ConsoleOperation::IssueCredentials => session::credentials(ask),
        ConsoleOperation::SignOut => Ok(session::sign_out(ask)),
        ConsoleOperation::ReadFile | ConsoleOperation::Unknown => Err(match endpoint {
            "session" | "capabilities" | "sign-in" | "password" | "credentials" | "sign-out" => {
                let text = "The method is not allowed here.";
                WireError::new(405, "MethodNotAllowed", text)
            }
            _ => WireError::new(404, "NotFound", "There is no such endpoint."),
        }),
    }
}

/// Parses the JSON of a request.
pub(super) fn read<T: DeserializeOwned>(ask: ApiRequest<'_>) -> Result<T, WireError> {
    // The message of serde could quote the body.
    serde_json::from_slice(ask.body).map_err(|_| {
        WireError::new(
            400,
            "ValidationError",
            "The request is not what was expected.",
        )
    })
}
