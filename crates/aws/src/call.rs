//! One signed request, sent once: awsQuery, or AWS JSON for Organizations.
//!
//! Invariant: an error tells whether the request may have been carried out. This module follows no
//! redirects and retries nothing.

use std::{fmt::Write, sync::Arc};

use http::{HeaderMap, Request, StatusCode, header};
use keywright_base::{Clock, Secret, Timestamp, limits};
use keywright_sigv4::{PayloadClaim, SigningCredentials, SigningTarget, sign};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    answer::{self, ResponseRow},
    credentials::SigningKeys,
    endpoint::ServiceEndpoint,
    printable::one_line,
    tree::{self, ResponseTree},
    within::InProcessTransport,
};
use crate::http::{body, root_of};

/// A service with the awsQuery protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryService {
    /// IAM.
    Iam,
    /// STS.
    Sts,
    /// Keywright's extension service.
    Keywright,
    /// SNS.
    Sns,
}

impl QueryService {
    /// The name in the credential scope.
    pub(crate) const fn scope_name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::Keywright => "keywright",
            Self::Sns => "sns",
        }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::Iam => "2010-05-08",
            Self::Sts => "2011-06-15",
            Self::Keywright => "2026-11-24",
            Self::Sns => "2010-03-31",
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct QueryCall<'a> {
    pub(crate) service: QueryService,
    pub(crate) action: &'static str,
    pub(crate) parameters: &'a [(&'a str, &'a str)],
    /// An additional header to sign.
    pub(crate) header: Option<(&'static str, &'a str)>,
}

impl<'a> QueryCall<'a> {
    /// A query without an additional header.
    pub(crate) const fn new(
        service: QueryService,
        action: &'static str,
        parameters: &'a [(&'a str, &'a str)],
    ) -> Self {
        Self {
            service,
            action,
            parameters,
            header: None,
        }
    }
}

/// A response with metadata from its headers.
#[derive(Debug)]
pub(crate) struct CallResponse {
    pub(crate) answer: answer::QueryResponse,
    /// The service's time.
    pub(crate) at: Timestamp,
    /// Whether the service is Keywright.
    pub(crate) keywright: bool,
}

/// The body of a successful response, with what it takes to read it.
pub(crate) struct ResponseText {
    /// The endpoint.
    at: String,
    headers: HeaderMap,
    /// The body of a CreateAccessKey response contains a secret.
    text: Secret<String>,
}

impl ResponseText {
    /// Reads it as flat fields and rows.
    ///
    /// # Errors
    /// [`CallError::Unknown`].
    pub(crate) fn response(self) -> Result<CallResponse, CallError> {
        let answer = answer::read(self.text.expose()).map_err(|why| self.lost(why))?;
        let named = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok());
        let date = named("date").and_then(|date| Timestamp::parse_http_date(date).ok());
        Ok(CallResponse {
            answer,
            at: date.ok_or_else(|| self.lost("the answer has no date".to_owned()))?,
            keywright: named("server") == Some("Keywright"),
        })
    }

    /// Reads it as a tree.
    ///
    /// # Errors
    /// [`CallError::Unknown`].
    pub(crate) fn tree(self) -> Result<ResponseTree, CallError> {
        tree::read(self.text.expose()).map_err(|why| self.lost(why))
    }

    fn lost(&self, why: String) -> CallError {
        CallError::Unknown {
            at: self.at.clone(),
            why,
        }
    }
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing was sent, or nothing arrived.
    #[error("cannot reach {at}: {why}")]
    Unreachable {
        /// The endpoint.
        at: String,
        /// The cause.
        why: String,
    },
    /// The request was sent, but there is no readable response.
    #[error("no answer from {at}: {why}")]
    Unknown {
        /// The endpoint.
        at: String,
        /// The cause.
        why: String,
    },
    /// The service rejected the request and did nothing.
    #[error("{code}: {message}")]
    Refused {
        /// The service's error code.
        code: String,
        /// Its message.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// The request cannot be built.
    #[error("{0}")]
    Impossible(String),
}

impl CallError {
    /// Whether the service is throttling.
    pub fn is_throttling(&self) -> bool {
        const CODES: [&str; 6] = [
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestLimitExceeded",
            "TooManyRequestsException",
            "SlowDown",
        ];
        matches!(self, Self::Refused { code, status, .. }
            if *status == 429 || CODES.contains(&code.as_str()))
    }

    /// Whether the service does not accept the signing key.
    pub(crate) fn is_unknown_key(&self) -> bool {
        matches!(self, Self::Refused { code, .. }
            if code == "InvalidClientTokenId" || code == "InvalidAccessKeyId")
    }

    /// Whether a call that only reads may be retried.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Unknown { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || self.is_throttling(),
            Self::Impossible(_) => false,
        }
    }
}

/// How a signed request is sent.
#[derive(Clone)]
pub(crate) enum Transport {
    /// Over HTTP.
    Network(reqwest::Client),
    /// To the server in this process.
    Within(Arc<dyn InProcessTransport>),
}

struct RawResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Transport {
    async fn send(&self, request: Request<String>, at: &str) -> Result<RawResponse, CallError> {
        let http = match self {
            Self::Network(http) => http,
            Self::Within(server) => {
                let (parts, body) = server.send(request).await.into_parts();
                return Ok(RawResponse {
                    status: parts.status,
                    headers: parts.headers,
                    body,
                });
            }
        };
        let request = reqwest::Request::try_from(request)
            .map_err(|error| CallError::Impossible(root_of(&error)))?;
        let at = || at.to_owned();
        let response = http.execute(request).await.map_err(|error| {
            let why = root_of(&error);
            if error.is_connect() || error.is_builder() {
                CallError::Unreachable { at: at(), why }
            } else {
                CallError::Unknown { at: at(), why }
            }
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = body(response, limits::ANSWER_BYTES).await;
        Ok(RawResponse {
            status,
            headers,
            body: body.map_err(|why| CallError::Unknown { at: at(), why })?,
        })
    }
}

/// Signs and sends a query.
///
/// # Errors
/// [`CallError`].
pub(crate) async fn call(
    way: &Transport,
    endpoint: &ServiceEndpoint,
    keys: &SigningKeys,
    query: &QueryCall<'_>,
    clock: &dyn Clock,
) -> Result<CallResponse, CallError> {
    call_text(way, endpoint, keys, query, clock)
        .await?
        .response()
}

/// As [`call`], for the response as it is.
///
/// # Errors
/// [`CallError`].
pub(crate) async fn call_text(
    way: &Transport,
    endpoint: &ServiceEndpoint,
    keys: &SigningKeys,
    query: &QueryCall<'_>,
    clock: &dyn Clock,
) -> Result<ResponseText, CallError> {
    let request = signed(endpoint, keys, query, clock)
        .ok_or_else(|| CallError::Impossible("the request cannot be signed".to_owned()))?;
    let RawResponse {
        status,
        headers,
        body,
    } = way.send(request, &endpoint.url).await?;
    let at = endpoint.url.clone();
    let text = String::from_utf8(body).map(Secret::new);
    let text = text.map_err(|_| CallError::Unknown {
        at: at.clone(),
        why: "the answer is not text".to_owned(),
    })?;
    if !status.is_success() {
        let answer = answer::read(text.expose());
        return Err(refusal(status, answer.map(|answer| answer.fields)));
    }
    Ok(ResponseText { at, headers, text })
}

/// Converts an error response. A response without a code tells nothing, and a server error leaves
/// open whether the request was carried out.
fn refusal(status: StatusCode, fields: Result<ResponseRow, String>) -> CallError {
    let mut fields = fields.unwrap_or_default();
    let code = fields.remove("Code");
    CallError::Refused {
        code: code.map_or_else(|| status.to_string(), |code| one_line(&code)),
        message: one_line(&fields.remove("Message").unwrap_or_default()),
        status: status.as_u16(),
    }
}

/// Signs and sends a request to Organizations, which speaks AWS JSON 1.1. An operation without
/// output has the response `null`.
///
/// # Errors
/// [`CallError`].
pub(crate) async fn call_organizations(
    way: &Transport,
    endpoint: &ServiceEndpoint,
    keys: &SigningKeys,
    (operation, input): (&str, &Value),
    clock: &dyn Clock,
) -> Result<Value, CallError> {
    let head = [
        (header::CONTENT_TYPE.as_str(), "application/x-amz-json-1.1"),
        (
            "x-amz-target",
            &format!("AWSOrganizationsV20161128.{operation}"),
        ),
    ];
    let request = signed_post(
        endpoint,
        keys,
        ("organizations", &head, input.to_string()),
        clock,
    );
    let request =
        request.ok_or_else(|| CallError::Impossible("the request cannot be signed".to_owned()))?;
    let RawResponse { status, body, .. } = way.send(request, &endpoint.url).await?;
    let output = match body.trim_ascii() {
        b"" => Ok(Value::Null),
        body => serde_json::from_slice::<Value>(body),
    };
    if status.is_success() {
        return output.map_err(|_| CallError::Unknown {
            at: endpoint.url.clone(),
            why: "the answer is not JSON".to_owned(),
        });
    }
    let output = output.unwrap_or_default();
    let text = |name: &str| output.get(name).and_then(Value::as_str).map(one_line);
    // A code may be qualified by its namespace.
    let code = text("__type").and_then(|code| code.rsplit('#').next().map(str::to_owned));
    Err(CallError::Refused {
        code: code.unwrap_or_else(|| status.to_string()),
        message: text("Message")
            .or_else(|| text("message"))
            .unwrap_or_default(),
        status: status.as_u16(),
    })
}

fn signed(
    endpoint: &ServiceEndpoint,
    keys: &SigningKeys,
    query: &QueryCall<'_>,
    clock: &dyn Clock,
) -> Option<Request<String>> {
    let mut form = format!(
        "Action={}&Version={}",
        query.action,
        query.service.version()
    );
    for (name, value) in query.parameters {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        write!(form, "&{name}={value}").ok()?;
    }
    let form_type = (
        header::CONTENT_TYPE.as_str(),
        "application/x-www-form-urlencoded",
    );
    let head: Vec<_> = std::iter::once(form_type).chain(query.header).collect();
    signed_post(
        endpoint,
        keys,
        (query.service.scope_name(), &head, form),
        clock,
    )
}

fn signed_post(
    endpoint: &ServiceEndpoint,
    keys: &SigningKeys,
    (service, head, body): (&'static str, &[(&str, &str)], String),
    clock: &dyn Clock,
) -> Option<Request<String>> {
    let authority = endpoint.url.split_once("://")?.1;
    let mut request = Request::post(format!("{}/", endpoint.url)).header(header::HOST, authority);
    for (name, value) in head {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).ok()?.into_parts();
    let credentials = SigningCredentials {
        access_key_id: &keys.id,
        secret: &keys.secret,
        session_token: keys.token.as_ref(),
    };
    let target = SigningTarget {
        region: endpoint.region,
        service,
    };
    let payload = PayloadClaim::Sha256(Sha256::digest(&body).into());
    sign(&mut parts, &credentials, &target, payload, clock.now()).ok()?;
    Some(Request::from_parts(parts, body))
}

#[test]
fn the_text_of_a_service_is_one_line_without_escapes() {
    let members = [
        ("Code", "Access\u{9b}Denied"),
        ("Message", "no\nhint: run \u{1b}[2Jthis"),
    ];
    let fields = members.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let refused = refusal(StatusCode::FORBIDDEN, Ok(fields.into_iter().collect()));
    assert_eq!(refused.to_string(), "Access?Denied: no hint: run ?[2Jthis");
}
