//! What every service needs of a request's head, read once before it is dispatched.
//!
//! Nothing is verified here. Whether the signature covers what a head says is for the service to
//! check.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use http::{HeaderMap, Method, header::TRANSFER_ENCODING, request::Parts};
use keywright_base::Timestamp;
use keywright_identity::{
    authenticate::AuthenticatedCaller, event::EventDraft, view::RequestContext, work::WorkOwner,
};
use keywright_sigv4::SigningKey;

use crate::edge::{ConnectionSlot, ConnectionUse};

/// What is known about a client's connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerInfo {
    /// The address of the client.
    pub address: IpAddr,
    /// Whether the connection uses TLS.
    pub secure: bool,
    /// The TLS version as in `s3:TlsVersion`, for example `1.3`.
    pub tls_version: Option<&'static str>,
}

/// The server's home region. Errors name it for a request whose region is unknown. A URL signed
/// with Signature Version 2, which has no region, counts as signed for it.
pub(crate) const HOME_REGION: &str = "us-east-1";

/// The header with the idempotency token of CreateAccessKey.
pub(crate) const IDEMPOTENCY_HEADER: &str = "x-keywright-idempotency-token";

/// The context of a request that arrived from this client at this time.
pub(crate) fn context_of(headers: &HeaderMap, client: PeerInfo, now: Timestamp) -> RequestContext {
    let text = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    RequestContext {
        now,
        source_address: client.address,
        user_agent: text("user-agent").unwrap_or_default(),
        referer: text("referer"),
        secure: client.secure,
        tls_version: client.tls_version,
        signed: OnceLock::new(),
    }
}

/// Makes an authenticated caller the caller of a request, and returns its signing key. From now on
/// the request's connection is not closed to make room for another one, within its principal's
/// share.
pub(crate) fn admit(
    (parts, work): (&Parts, ConnectionUse),
    event: &EventDraft<'_>,
    authenticated: AuthenticatedCaller,
    idempotency_token: Option<String>,
) -> Option<SigningKey> {
    let signing_key = event.admit(authenticated, idempotency_token);
    let slot = parts.extensions.get::<Arc<ConnectionSlot>>();
    if let (Some(slot), Some(caller)) = (slot, event.record().caller()) {
        slot.protect(WorkOwner::of(caller), work);
    }
    signing_key
}

/// A part of HTTP that is not served.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UnservedHttp {
    /// The method.
    Method,
    /// The transfer coding.
    TransferCoding,
}

/// Rejects what could be read in two ways or would be stored as a name: a method that HTTP does not
/// define, which an unauthenticated client could make as long as the head allows, and any transfer
/// coding other than exactly `chunked`.
pub(crate) fn check_head(method: &Method, headers: &HeaderMap) -> Result<(), UnservedHttp> {
    const METHODS: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::PATCH,
        Method::TRACE,
        Method::CONNECT,
    ];
    if !METHODS.contains(method) {
        return Err(UnservedHttp::Method);
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes() == b"chunked" => Ok(()),
        _ => Err(UnservedHttp::TransferCoding),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, header::TRANSFER_ENCODING};

    use super::{UnservedHttp, check_head};

    #[test]
    fn only_known_methods_and_chunked_bodies_are_served() {
        let check = |method: &str, codings: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for coding in codings {
                headers.append(TRANSFER_ENCODING, coding.parse().unwrap());
            }
            check_head(&method.parse::<Method>().unwrap(), &headers)
        };
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            assert_eq!(check(method, &[]), Ok(()), "{method}");
        }
        for method in ["get", "LOCK", "PROPFIND", &"M".repeat(50_000)] {
            assert_eq!(check(method, &[]), Err(UnservedHttp::Method));
        }
        assert_eq!(check("PUT", &["chunked"]), Ok(()));
        for codings in [
            &["gzip, chunked"][..],
            &["Chunked"],
            &["chunked "],
            &["chunked,"],
            &["identity"],
            &[""],
            &["chunked", "chunked"],
            &["gzip", "chunked"],
        ] {
            assert_eq!(
                check("PUT", codings),
                Err(UnservedHttp::TransferCoding),
                "{codings:?}"
            );
        }
    }
}
