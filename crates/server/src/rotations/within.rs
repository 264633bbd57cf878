//! The engine's requests to the server that it is part of: signed like any other request, and
//! answered by the same pipeline.
//!
//! Invariant: there is no other way into the server. A request of the engine is verified,
//! authorized and recorded as if it had come from this machine over TLS.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Weak},
};

use async_trait::async_trait;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use keywright_aws::{ActingFor, InProcessTransport, SessionCredentials};
use keywright_base::{Clock, Timestamp};
use keywright_identity::{on_behalf::OnBehalf, state::CredentialOwner};

use crate::{Pipeline, query::EngineRequest, request::PeerInfo};

/// The user agent of the engine.
const USER_AGENT: &str = concat!("keywright/", env!("CARGO_PKG_VERSION"), " rotation");
/// The address and connection of the engine's requests.
const PEER: PeerInfo = PeerInfo {
    address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    secure: true,
    tls_version: None,
};

/// Sends requests to the server inside this process.
pub(super) struct PipelineTransport {
    pipeline: Weak<Pipeline>,
    clock: Arc<dyn Clock>,
}

impl PipelineTransport {
    pub(super) fn of(pipeline: &Arc<Pipeline>, clock: Arc<dyn Clock>) -> Self {
        Self {
            pipeline: Arc::downgrade(pipeline),
            clock,
        }
    }
}

fn on_behalf(principal: &ActingFor) -> Option<OnBehalf> {
    Some(OnBehalf {
        account: principal.account.parse().ok()?,
        owner: CredentialOwner::from_stored(principal.user.as_deref())?,
        mfa: principal.mfa_at_ms.map(Timestamp::from_millis),
    })
}

#[async_trait]
impl InProcessTransport for PipelineTransport {
    fn issue_forward_access_session(&self, to: &ActingFor) -> Option<SessionCredentials> {
        let session = self
            .pipeline
            .upgrade()?
            .services
            .identity
            .issue_forward_access_session(&on_behalf(to)?)?;
        Some(SessionCredentials {
            id: session.key.to_string(),
            secret: session.secret,
            token: session.token,
        })
    }

    async fn send(&self, mut request: Request<String>) -> Response<Vec<u8>> {
        let Some(pipeline) = self.pipeline.upgrade() else {
            return unavailable();
        };
        let agent = HeaderValue::from_static(USER_AGENT);
        request.headers_mut().insert(header::USER_AGENT, agent);
        request.extensions_mut().insert(EngineRequest);
        let answer = pipeline.answer_within(request, PEER).await;
        let (mut parts, body) = answer.into_parts();
        // The HTTP layer adds this header on a socket.
        if let Ok(date) = HeaderValue::from_str(&self.clock.now().http_date()) {
            parts.headers.insert(header::DATE, date);
        }
        match body.collect().await {
            Ok(body) => Response::from_parts(parts, body.to_bytes().to_vec()),
            Err(_) => unavailable(),
        }
    }
}

/// A response that does not tell whether anything was done.
fn unavailable() -> Response<Vec<u8>> {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}
