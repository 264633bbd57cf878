//! The role's credentials, renewed once half of their life is over.
//!
//! Invariants:
//!
//! - One request at a time assumes the role; the others wait for it.
//! - After a failure, the service is asked again after a pause. Until then credentials that are
//!   still valid are served.

use std::sync::Arc;

use keywright_aws::{AccessError, ClientSettings, RoleCredentials};
use keywright_base::{Clock, Timestamp};
use keywright_server::SystemClock;
use tokio::sync::Mutex;

use crate::remote::printable;

/// Seconds between two attempts after a failure.
const PAUSE_SECS: i64 = 5;

/// Why there are no credentials.
#[derive(Debug, Clone)]
pub(super) struct Unavailable {
    /// A message for the operator. It contains no secret.
    pub(super) message: String,
}

/// Credentials with when they were issued.
#[derive(Debug)]
pub(super) struct IssuedCredentials {
    pub(super) credentials: RoleCredentials,
    pub(super) issued: Timestamp,
}

#[derive(Default)]
struct SourceState {
    current: Option<Arc<IssuedCredentials>>,
    failure: Option<(Timestamp, Unavailable)>,
}

pub(super) struct RoleSource {
    settings: ClientSettings,
    region: String,
    state: Mutex<SourceState>,
}

impl RoleSource {
    /// # Errors
    /// If the region is not one.
    pub(super) async fn new(settings: ClientSettings) -> Result<Self, AccessError> {
        Ok(Self {
            region: settings.region_name().await?,
            settings,
            state: Mutex::default(),
        })
    }

    /// The region, for clients that have none configured.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// Valid credentials of the role.
    ///
    /// # Errors
    /// [`Unavailable`] if there are none and the role cannot be assumed now.
    pub(super) async fn credentials(&self) -> Result<Arc<IssuedCredentials>, Unavailable> {
        let mut state = self.state.lock().await;
        let now = SystemClock.now();
        let current = state
            .current
            .clone()
            .filter(|it| now < it.credentials.expires);
        if let Some(current) = &current
            && now.millis() < half_life(current)
        {
            return Ok(Arc::clone(current));
        }
        if let Some((at, failure)) = &state.failure
            && now < at.plus_secs(PAUSE_SECS)
        {
            return current.ok_or_else(|| failure.clone());
        }
        match RoleCredentials::assume(&self.settings).await {
            Ok(credentials) => {
                let issued = Arc::new(IssuedCredentials {
                    credentials,
                    issued: now,
                });
                state.current = Some(Arc::clone(&issued));
                state.failure = None;
                Ok(issued)
            }
            Err(error) => {
                let message = printable(&error.to_string());
                let failure = Unavailable { message };
                state.failure = Some((now, failure.clone()));
                current.ok_or(failure)
            }
        }
    }
}

/// When half of the life of credentials is over, in milliseconds.
fn half_life(issued: &IssuedCredentials) -> i64 {
    issued
        .issued
        .millis()
        .midpoint(issued.credentials.expires.millis())
}
