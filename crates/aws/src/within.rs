//! The transport to the server in this same process, without a socket.
//!
//! Invariant: such a request is signed like any other. The receiver verifies, authorizes and
//! records it as if it had come over the network.

use async_trait::async_trait;
use http::{Request, Response};
use keywright_base::Secret;
use serde::{Deserialize, Serialize};

/// The principal that a server-side rotation acts for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActingFor {
    /// The account, 12 digits.
    pub account: String,
    /// The user's unique ID. `None` for root.
    pub user: Option<String>,
    /// When the requester had passed MFA, in milliseconds since the epoch, if it had.
    pub mfa_at_ms: Option<i64>,
}

/// Temporary credentials of a principal.
#[derive(Debug, Clone)]
pub struct SessionCredentials {
    /// The access key ID.
    pub id: String,
    /// The secret access key.
    pub secret: Secret<String>,
    /// The session token.
    pub token: Secret<String>,
}

/// The server in this process.
#[async_trait]
pub trait InProcessTransport: Send + Sync {
    /// Issues new credentials. `None` if the principal no longer exists.
    fn issue_forward_access_session(&self, to: &ActingFor) -> Option<SessionCredentials>;

    /// Handles a signed request.
    async fn send(&self, request: Request<String>) -> Response<Vec<u8>>;
}
