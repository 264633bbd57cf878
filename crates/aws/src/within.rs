//! The way to a server that this process is itself: no socket, and otherwise the same.
//!
//! It protects one rule: what goes this way is a signed request like any other. Whoever carries it
//! verifies, authorizes and records it as if it had come over the network.

use async_trait::async_trait;
use http::{Request, Response};
use keywright_base::Secret;
use serde::{Deserialize, Serialize};

/// Whom a rotation of the server's own acts for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActingFor {
    /// The account, 12 digits.
    pub account: String,
    /// The user's unique id; nothing for root.
    pub user: Option<String>,
    /// When a multi-factor code had been given by whoever asked, in milliseconds since 1970, if one
    /// had.
    pub mfa_at_ms: Option<i64>,
}

/// Temporary credentials of whom is acted for.
#[derive(Debug, Clone)]
pub struct SessionCredentials {
    /// The id of the key.
    pub id: String,
    /// Its secret.
    pub secret: Secret<String>,
    /// The session token.
    pub token: Secret<String>,
}

/// The server inside this process.
#[async_trait]
pub trait InProcessTransport: Send + Sync {
    /// Fresh credentials; `None` if there is no such principal any more.
    fn issue_forward_access_session(&self, to: &ActingFor) -> Option<SessionCredentials>;

    /// Answers a signed request.
    async fn send(&self, request: Request<String>) -> Response<Vec<u8>>;
}
