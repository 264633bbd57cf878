//! The endpoints under `/console/api/`: which there are, what a request needs to be heard, and what
//! an answer is made of.
//!
//! It protects one rule: nothing that changes anything is done for a request that another site
//! could have made a browser send. A POST must carry a header that only a script of this origin can
//! set, say that it is JSON, and come from this origin where it says where it comes from.

use http::{Method, Response, StatusCode, header, request::Parts};
use keywright_identity::fault::WireError;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{session, sign_in};
use crate::{
    Body,
    pipeline::{Peer, Pipeline},
};

/// A request for an endpoint.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub pipeline: &'a Pipeline,
    pub parts: &'a Parts,
    pub body: &'a [u8],
    pub peer: Peer,
}

/// What an endpoint answers.
pub(super) struct Reply {
    /// JSON; without it the status is 204.
    pub body: Option<Value>,
    /// `Set-Cookie`.
    pub cookie: Option<String>,
}

impl Reply {
    pub(super) const fn json(body: Value) -> Self {
        Self {
            body: Some(body),
            cookie: None,
        }
    }

    pub(super) const fn status(&self) -> StatusCode {
        match self.body {
            Some(_) => StatusCode::OK,
            None => StatusCode::NO_CONTENT,
        }
    }
}

/// Why an endpoint did not do it.
#[derive(Debug)]
pub(super) struct Refused {
    status: u16,
    code: &'static str,
    message: String,
    /// Seconds after which it may be tried again.
    pub retry_after_secs: Option<i64>,
}

impl Refused {
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

/// An action's own refusal; to the console every one of them is a 400.
impl From<WireError> for Refused {
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
pub(super) async fn answer(ask: Ask<'_>, endpoint: &str) -> Response<Body> {
    super::json(carry_out(ask, endpoint).await)
}

async fn carry_out(ask: Ask<'_>, endpoint: &str) -> Result<Reply, Refused> {
    let post = ask.parts.method == Method::POST;
    if post {
        same_origin(ask.parts)?;
    }
    match (endpoint, post) {
        ("session", false) => Ok(session::show(ask)),
        ("capabilities", false) => session::capabilities(ask),
        ("sign-in", true) => sign_in::sign_in(ask).await,
        ("password", true) => sign_in::change_password(ask).await,
        ("credentials", true) => session::credentials(ask),
        ("sign-out", true) => Ok(session::sign_out(ask)),
        ("session" | "capabilities" | "sign-in" | "password" | "credentials" | "sign-out", _) => {
            let text = "The method is not allowed here.";
            Err(Refused::new(405, "MethodNotAllowed", text))
        }
        _ => Err(Refused::new(404, "NotFound", "There is no such endpoint.")),
    }
}

/// The header that only a script of this origin can send along.
const MARK: &str = "x-keywright-console";

fn same_origin(parts: &Parts) -> Result<(), Refused> {
    let text = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let kind = text(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let json = kind.eq_ignore_ascii_case("application/json");
    let host = text(header::HOST.as_str());
    let here = match parts.headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => {
            let origin = origin
                .to_str()
                .ok()
                .and_then(|origin| origin.split_once("://"));
            origin.is_some_and(|(_, from)| Some(from) == host)
        }
    };
    if text(MARK) == Some("1") && json && here {
        Ok(())
    } else {
        let text = "The request does not come from the console.";
        Err(Refused::new(403, "Forbidden", text))
    }
}

/// The JSON of a request.
pub(super) fn read<T: DeserializeOwned>(ask: Ask<'_>) -> Result<T, Refused> {
    // What serde says could quote the body.
    serde_json::from_slice(ask.body).map_err(|_| {
        Refused::new(
            400,
            "ValidationError",
            "The request is not what was expected.",
        )
    })
}
