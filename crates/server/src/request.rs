//! A request as every service gets it: its head, read once before it is dispatched.
//!
//! Nothing is verified here. Whether the signature covers what a head says is for the service to
//! check.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, Method, header::TRANSFER_ENCODING, request::Parts};
use keywright_base::Timestamp;
use keywright_identity::{
    Identity, authenticate::AuthFailure, caller::Caller, usage::AttemptFacts, view::RequestContext,
    work::WorkOwner,
};

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

/// A request's head, and the facts that every service reads from it.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub parts: Parts,
    /// For conditions and records; its region comes from the signature, once that was verified.
    pub context: RequestContext,
    pub tls_version: Option<&'static str>,
}

impl RequestHead {
    /// Reads a head that arrived at this time from this client.
    pub(crate) fn read(parts: Parts, client: PeerInfo, now: Timestamp) -> Self {
        let text = |name: &str| {
            let value = parts.headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let context = RequestContext {
            now,
            source_address: client.address,
            user_agent: text("user-agent").unwrap_or_default(),
            referer: text("referer"),
            secure: client.secure,
            region: String::new(),
            idempotency_token: None,
        };
        Self {
            parts,
            context,
            tls_version: client.tls_version,
        }
    }

    /// Protects the connection of a request whose signature was valid. It is not closed to make
    /// room for another connection, within its principal's share.
    pub(crate) fn protect(&self, caller: &Caller, work: ConnectionUse) {
        if let Some(slot) = self.parts.extensions.get::<Arc<ConnectionSlot>>() {
            slot.protect(WorkOwner::of(caller), work);
        }
    }
}

/// Records an attempt with an inactive key. Other failures are not recorded.
pub(crate) fn note_refusal(
    identity: &Identity,
    refusal: &AuthFailure,
    action: &str,
    context: &RequestContext,
) {
    if let Some(key) = refusal.inactive {
        let source_address = context.source_address.to_string();
        let user_agent = &context.user_agent;
        let attempt = AttemptFacts {
            source_address: &source_address,
            user_agent,
            action,
        };
        identity.usage().note_attempt(key, attempt, context.now);
    }
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
