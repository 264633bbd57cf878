//! Correctly signed requests as raw bytes.
//!
//! A signature is valid for fifteen minutes. A run signs its requests once in advance, so the
//! client's work is the same for every server.

use std::net::SocketAddr;

use anyhow::Context;
use http::{Request, header};
use keywright_base::{Clock, Secret};
use keywright_server::SystemClock;
use keywright_sigv4::{PayloadClaim, SigningCredentials, SigningTarget, sign};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

const REGION: &str = "us-east-1";

/// An access key.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// The access key ID.
    pub(crate) id: String,
    /// The secret access key.
    pub(crate) secret: Secret<String>,
}

/// An IAM, STS or extension request from an action and its parameters.
///
/// # Errors
/// If the request cannot be built.
pub(crate) fn query(
    host: SocketAddr,
    key: &Key,
    (service, action): (&'static str, &str),
    parameters: &[(&str, &str)],
) -> anyhow::Result<Vec<u8>> {
    let version = match service {
        "sts" => "2011-06-15",
        "keywright" => "2026-11-24",
        _ => "2010-05-08",
    };
    let mut body = format!("Action={action}&Version={version}");
    for (name, value) in parameters {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        body.push_str(&format!("&{name}={value}"));
    }
    let request = Request::post("/").header(
        header::CONTENT_TYPE,
        "application/x-www-form-urlencoded; charset=utf-8",
    );
    let request = request.header(header::HOST, host.to_string()).body(())?;
    bytes(request, key, service, body.as_bytes())
}

/// An S3 request.
///
/// # Errors
/// If the request cannot be built.
pub(crate) fn s3(
    host: SocketAddr,
    key: &Key,
    (method, path): (&str, &str),
    body: &[u8],
) -> anyhow::Result<Vec<u8>> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(header::HOST, host.to_string()).body(())?;
    bytes(request, key, "s3", body)
}

fn bytes(
    request: Request<()>,
    key: &Key,
    service: &'static str,
    body: &[u8],
) -> anyhow::Result<Vec<u8>> {
    let (mut parts, ()) = request.into_parts();
    let credentials = SigningCredentials {
        access_key_id: &key.id,
        secret: &key.secret,
        session_token: None,
    };
    let target = SigningTarget {
        region: REGION,
        service,
    };
    let digest = ring::digest::digest(&ring::digest::SHA256, body);
    let digest = <[u8; 32]>::try_from(digest.as_ref()).context("a SHA-256 has 32 bytes")?;
    let now = SystemClock.now();
    sign(
        &mut parts,
        &credentials,
        &target,
        PayloadClaim::Sha256(digest),
        now,
    )?;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut bytes = format!("{} {path} HTTP/1.1\r\n", parts.method).into_bytes();
    for (name, value) in &parts.headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    let length = body.len();
    bytes.extend_from_slice(
        format!("user-agent: xtask\r\ncontent-length: {length}\r\n\r\n").as_bytes(),
    );
    bytes.extend_from_slice(body);
    Ok(bytes)
}
