//! The client side: sign a request in its `Authorization` header, or presign a URL.
//!
//! Signing uses the same canonical form as verification. This module sends nothing and hashes no
//! body; the caller describes the body.

use http::{HeaderValue, Uri, header, request::Parts, uri::PathAndQuery};
use keywright_base::{Secret, Timestamp, limits};

use crate::{
    ALGORITHM, CredentialScope, PayloadClaim, SignatureForm, SigningDialect, SigningKey, canonical,
    key::sha256, verify::string_to_sign,
};

/// The credentials to sign with.
#[derive(Debug, Clone, Copy)]
pub struct SigningCredentials<'a> {
    /// The access key ID.
    pub access_key_id: &'a str,
    /// The secret access key.
    pub secret: &'a Secret<String>,
    /// The session token, for temporary credentials.
    pub session_token: Option<&'a Secret<String>>,
}

/// The region and service to sign for.
#[derive(Debug, Clone, Copy)]
pub struct SigningTarget {
    /// The region's code.
    pub region: &'static str,
    /// The service's signing name.
    pub service: &'static str,
}

/// Why a request cannot be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// A credential contains characters that a header cannot carry.
    #[error("the access key id or session token has characters that no header can carry")]
    Credential,
    /// There is no `Host` header and no authority in the URI.
    #[error("the request names no host")]
    NoHost,
    /// The query string is too long or malformed.
    #[error("the signed address is not a valid URI")]
    Uri,
    /// The validity of a presigned URL is not within 1 to 604800 seconds.
    #[error("a presigned URL is valid for 1 to 604800 seconds")]
    Expires,
}

/// Headers that clients do not sign, because intermediaries change or drop them.
const UNSIGNED: [&str; 7] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "transfer-encoding",
    "user-agent",
    "x-amzn-trace-id",
];

impl SigningTarget {
    const fn dialect(self) -> SigningDialect {
        match self.service.as_bytes() {
            b"s3" => SigningDialect::S3,
            _ => SigningDialect::Query,
        }
    }
}

/// Signs in header form. Sets `x-amz-date`, `Authorization`, for S3 `x-amz-content-sha256`, and for
/// temporary credentials `x-amz-security-token`. Returns the signature, which seeds a chunked body.
///
/// `payload` is [`PayloadClaim::Sha256`] of the body, or one of S3's keywords;
/// [`PayloadClaim::Undeclared`] stands for an empty body.
///
/// # Errors
/// [`SignError`]. Some of the headers may be set by then.
pub fn sign(
    parts: &mut Parts,
    credentials: &SigningCredentials<'_>,
    target: &SigningTarget,
    payload: PayloadClaim,
    now: Timestamp,
) -> Result<String, SignError> {
    let date = now.amz_date();
    let payload = payload_line(payload);
    parts.headers.remove(header::AUTHORIZATION);
    insert(parts, "x-amz-date", &date)?;
    if target.dialect() == SigningDialect::S3 {
        insert(parts, "x-amz-content-sha256", &payload)?;
    }
    if let Some(token) = credentials.session_token {
        insert(parts, "x-amz-security-token", token.expose())?;
    }
    let signed_headers = signed_headers(parts)?;
    let scope = scope(target, now)?;
    let signature = signature(
        parts,
        credentials,
        &scope,
        (SignatureForm::Header, &date),
        &signed_headers,
        &payload,
    );
    let id = credentials.access_key_id;
    let authorization = format!(
        "{ALGORITHM} Credential={id}/{scope}, \
         SignedHeaders={signed_headers}, Signature={signature}"
    );
    insert(parts, "authorization", &authorization)?;
    Ok(signature)
}

/// Presigns the request: every header present is signed, the body is not.
///
/// # Errors
/// [`SignError`]. The request is then unchanged.
pub fn presign(
    parts: &mut Parts,
    credentials: &SigningCredentials<'_>,
    target: &SigningTarget,
    expires_secs: u32,
    now: Timestamp,
) -> Result<(), SignError> {
    if expires_secs == 0 || i64::from(expires_secs) > limits::PRESIGN_SECS_MAX {
        return Err(SignError::Expires);
    }
    let mut signing = parts.clone();
    let date = now.amz_date();
    let signed_headers = signed_headers(parts)?;
    let scope = scope(target, now)?;
    let credential = format!("{}/{scope}", credentials.access_key_id);
    let mut query = signing.uri.query().unwrap_or_default().as_bytes().to_vec();
    push_parameter(&mut query, "X-Amz-Algorithm", ALGORITHM);
    push_parameter(&mut query, "X-Amz-Credential", &credential);
    push_parameter(&mut query, "X-Amz-Date", &date);
    push_parameter(&mut query, "X-Amz-Expires", &expires_secs.to_string());
    push_parameter(&mut query, "X-Amz-SignedHeaders", &signed_headers);
    if let Some(token) = credentials.session_token {
        push_parameter(&mut query, "X-Amz-Security-Token", token.expose());
    }
    set_query(&mut signing, &query)?;
    let payload = match target.dialect() {
        SigningDialect::S3 => payload_line(PayloadClaim::Unsigned),
        SigningDialect::Query => payload_line(PayloadClaim::Undeclared),
    };
    let signature = signature(
        &signing,
        credentials,
        &scope,
        (SignatureForm::Query, &date),
        &signed_headers,
        &payload,
    );
    push_parameter(&mut query, "X-Amz-Signature", &signature);
    set_query(parts, &query)
}

fn signature(
    parts: &Parts,
    credentials: &SigningCredentials<'_>,
    scope: &CredentialScope,
    (form, amz_date): (SignatureForm, &str),
    signed_headers: &str,
    payload: &str,
) -> String {
    let dialect = SigningTarget {
        region: scope.region(),
        service: scope.service(),
    }
    .dialect();
    let mut request = Vec::with_capacity(1024);
    canonical::push_request(&mut request, parts, dialect, form, signed_headers, payload);
    let text = string_to_sign(amz_date, scope, &request);
    hex::encode(SigningKey::for_scope(credentials.secret, scope).sign(&text))
}

/// The canonical request's payload line; [`PayloadClaim::Undeclared`] means an empty body.
fn payload_line(payload: PayloadClaim) -> String {
    match (payload.marker(), payload) {
        (Some(marker), _) => marker.to_owned(),
        (None, PayloadClaim::Sha256(hash)) => hex::encode(hash),
        (None, _) => hex::encode(sha256(b"")),
    }
}

fn scope(target: &SigningTarget, now: Timestamp) -> Result<CredentialScope, SignError> {
    let day = <[u8; 8]>::try_from(now.scope_date().as_bytes()).map_err(|_| SignError::Uri)?;
    Ok(CredentialScope::new(day, target.region, target.service))
}

fn signed_headers(parts: &Parts) -> Result<String, SignError> {
    let mut names: Vec<&str> = parts
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| !UNSIGNED.contains(name))
        .collect();
    if !names.contains(&"host") {
        parts.uri.authority().ok_or(SignError::NoHost)?;
        names.push("host");
    }
    names.sort_unstable();
    Ok(names.join(";"))
}

fn insert(parts: &mut Parts, name: &'static str, value: &str) -> Result<(), SignError> {
    let value = HeaderValue::from_str(value).map_err(|_| SignError::Credential)?;
    parts.headers.insert(name, value);
    Ok(())
}

fn push_parameter(query: &mut Vec<u8>, name: &str, value: &str) {
    if !query.is_empty() {
        query.push(b'&');
    }
    query.extend_from_slice(name.as_bytes());
    query.push(b'=');
    canonical::push_encoded(query, value.as_bytes());
}

fn set_query(parts: &mut Parts, query: &[u8]) -> Result<(), SignError> {
    let mut target = parts.uri.path().as_bytes().to_vec();
    target.push(b'?');
    target.extend_from_slice(query);
    let target = PathAndQuery::try_from(target.as_slice()).map_err(|_| SignError::Uri)?;
    let mut uri = parts.uri.clone().into_parts();
    uri.path_and_query = Some(target);
    parts.uri = Uri::from_parts(uri).map_err(|_| SignError::Uri)?;
    Ok(())
}
