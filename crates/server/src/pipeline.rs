//! The one path of every request.
//!
//! The service comes from the credential scope; a request without one is a form for IAM or STS if
//! it looks like one, and otherwise S3, which may be called anonymously. An unverified request
//! changes nothing.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use keywright_base::{Clock, Entropy, limits};
use keywright_identity::{Identity, authenticate::Refusal, usage::AttemptFacts, view::Facts};
use keywright_sigv4::claimed_service;
use keywright_wire::Service;

use crate::{Body, query};

/// Carries out requests.
pub struct Pipeline {
    pub(crate) identity: Arc<Identity>,
    pub(crate) clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pipeline({:?})", self.identity)
    }
}

/// What the edge knows of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The address of the other side.
    pub address: IpAddr,
    /// Whether it speaks TLS.
    pub secure: bool,
}

/// The idempotency token of CreateAccessKey.
pub(crate) const IDEMPOTENCY_HEADER: &str = "x-keywright-idempotency-token";

impl Pipeline {
    /// Over an opened installation.
    pub fn new(identity: Arc<Identity>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            identity,
            clock,
            entropy,
        }
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        let request_id = self.request_id();
        let (parts, body) = request.into_parts();
        let service = service_of(&parts);
        let limited = Limited::new(body, limits::QUERY_BODY_BYTES);
        match limited.collect().await {
            Ok(body) => {
                self.query(service, parts, body.to_bytes(), (peer, &request_id))
                    .await
            }
            Err(_) => query::too_large(service, &request_id),
        }
    }

    async fn query(
        &self,
        service: Service,
        parts: Parts,
        body: Bytes,
        (peer, request_id): (Peer, &str),
    ) -> Response<Body> {
        let request = query::QueryRequest {
            service,
            parts: &parts,
            body: &body,
            peer,
            request_id,
        };
        query::answer(self, request).await
    }

    /// A version 4 UUID.
    fn request_id(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        let number = u128::from_be_bytes(bytes);
        let number = number & !(0xf << 76) & !(0x3 << 62) | 4 << 76 | 2 << 62;
        let (a, b, c) = (number >> 96, number >> 80 & 0xffff, number >> 64 & 0xffff);
        let (d, e) = (number >> 48 & 0xffff, number & 0xffff_ffff_ffff);
        format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }

    /// Counts an attempt with an inactive key; other refusals leave no trace.
    pub(crate) fn note(&self, refusal: &Refusal, action: &str, facts: &Facts) {
        if let Some(key) = refusal.inactive {
            let source_address = facts.source_address.to_string();
            let user_agent = &facts.user_agent;
            let attempt = AttemptFacts {
                source_address: &source_address,
                user_agent,
                action,
            };
            self.identity.usage().note_attempt(key, attempt, facts.now);
        }
    }
}

/// What the request's head says, for conditions and records.
pub(crate) fn facts(pipeline: &Pipeline, parts: &Parts, peer: Peer) -> Facts {
    let text = |name: &str| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    Facts {
        now: pipeline.clock.now(),
        source_address: peer.address,
        user_agent: text("user-agent").unwrap_or_default(),
        referer: text("referer"),
        secure: peer.secure,
        region: String::new(),
        idempotency_token: None,
    }
}

fn service_of(parts: &Parts) -> Service {
    match claimed_service(parts).as_deref() {
        Some("sts") => Service::Sts,
        Some("keywright") => Service::Keywright,
        _ => Service::Iam,
    }
}
