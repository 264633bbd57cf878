//! The responses: IMDSv2's paths under `/latest`, and the container credentials.
//!
//! Invariants:
//!
//! - The `Host` header names this machine, so that no web page reaches the service by a name of its
//!   own, and nothing was forwarded.
//! - Without a valid session token, no path exists or does not.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use keywright_base::{Clock, Secret};
use keywright_server::SystemClock;
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;

use super::{
    is_local,
    session_tokens::SessionTokens,
    source::{IssuedCredentials, RoleSource, Unavailable},
};

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TOKEN_SECONDS: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

pub(super) struct MetadataService {
    /// The role's name.
    pub(super) role: String,
    pub(super) source: RoleSource,
    pub(super) tokens: SessionTokens,
    /// The token of container credentials, which are not served without one.
    pub(super) container: Option<Secret<String>>,
}

pub(super) type MetadataResponse = Response<Full<Bytes>>;

impl MetadataService {
    pub(super) async fn answer<B>(&self, request: Request<B>) -> MetadataResponse {
        let (head, _) = request.into_parts();
        if !is_from_here(&head.headers) {
            return status(StatusCode::FORBIDDEN);
        }
        match (&head.method, head.uri.path()) {
            (&Method::PUT, "/latest/api/token") => self.issue_token(&head.headers),
            (&Method::GET, "/credentials") => self.container_credentials(&head.headers).await,
            (&Method::GET, path) => self.metadata(path, &head).await,
            _ => status(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    fn issue_token(&self, headers: &HeaderMap) -> MetadataResponse {
        let seconds = named(headers, TOKEN_SECONDS);
        let token = seconds.and_then(|seconds| self.tokens.issue(seconds, SystemClock.now()));
        let (Some(seconds), Some(token)) = (headers.get(TOKEN_SECONDS), token) else {
            return status(StatusCode::BAD_REQUEST);
        };
        let mut response = text(token);
        response
            .headers_mut()
            .insert(TOKEN_SECONDS, seconds.clone());
        response
    }

    async fn metadata(&self, path: &str, head: &Parts) -> MetadataResponse {
        let token = named(&head.headers, TOKEN);
        if !token.is_some_and(|token| self.tokens.accepts(token, SystemClock.now())) {
            return status(StatusCode::UNAUTHORIZED);
        }
        let region = self.source.region();
        match path {
            "/latest/meta-data" | "/latest/meta-data/" => text("iam/\nplacement/"),
            "/latest/meta-data/iam" | "/latest/meta-data/iam/" => text("security-credentials/"),
            "/latest/meta-data/placement" | "/latest/meta-data/placement/" => {
                text("availability-zone\nregion")
            }
            "/latest/meta-data/placement/region" => text(region.to_owned()),
            // Some SDKs find the region by removing the last letter.
            "/latest/meta-data/placement/availability-zone"
            | "/latest/meta-data/placement/availability-zone/" => text(format!("{region}a")),
            path if path == ROLES || path == ROLES.trim_end_matches('/') => text(self.role.clone()),
            path if path.strip_prefix(ROLES) == Some(&self.role) => {
                json_response(StatusCode::OK, &instance(self.source.credentials().await))
            }
            _ => status(StatusCode::NOT_FOUND),
        }
    }

    async fn container_credentials(&self, headers: &HeaderMap) -> MetadataResponse {
        let Some(token) = &self.container else {
            return status(StatusCode::NOT_FOUND);
        };
        let given = named(headers, header::AUTHORIZATION.as_str()).unwrap_or_default();
        if !bool::from(given.as_bytes().ct_eq(token.expose().as_bytes())) {
            return status(StatusCode::UNAUTHORIZED);
        }
        match self.source.credentials().await {
            Ok(issued) => json_response(StatusCode::OK, &Value::Object(keys(&issued))),
            Err(Unavailable { message }) => json_response(
                StatusCode::SERVICE_UNAVAILABLE,
                &json!({ "code": "CredentialsUnavailable", "message": message }),
            ),
        }
    }
}

/// Whether a request was sent by a program of this machine, to this machine.
fn is_from_here(headers: &HeaderMap) -> bool {
    let host = named(headers, header::HOST.as_str()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    let is_here = name == "localhost" || address.is_ok_and(is_local);
    is_here && !headers.contains_key("x-forwarded-for")
}

/// As on EC2, an error is a response like any other.
fn instance(issued: Result<Arc<IssuedCredentials>, Unavailable>) -> Value {
    match issued {
        Ok(issued) => {
            let mut answer = keys(&issued);
            answer.insert("Code".to_owned(), json!("Success"));
            answer.insert("Type".to_owned(), json!("AWS-HMAC"));
            answer.insert("LastUpdated".to_owned(), json!(issued.issued.iso8601()));
            Value::Object(answer)
        }
        Err(Unavailable { message }) => json!({
            "Code": "Failed",
            "Message": message,
            "LastUpdated": SystemClock.now().iso8601(),
        }),
    }
}

fn keys(issued: &IssuedCredentials) -> Map<String, Value> {
    let credentials = &issued.credentials;
    let members = [
        ("AccessKeyId", &credentials.id),
        ("SecretAccessKey", credentials.secret.expose()),
        ("Token", credentials.token.expose()),
        ("Expiration", &credentials.expires.iso8601()),
    ];
    let members = members.map(|(name, value)| (name.to_owned(), json!(value)));
    Map::from_iter(members)
}

fn named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn json_response(status: StatusCode, body: &Value) -> MetadataResponse {
    respond(status, "application/json", body.to_string())
}

fn text(body: impl Into<String>) -> MetadataResponse {
    respond(StatusCode::OK, "text/plain", body.into())
}

fn status(status: StatusCode) -> MetadataResponse {
    respond(status, "text/plain", String::new())
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> MetadataResponse {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    response
}
