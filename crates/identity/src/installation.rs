//! The lock of the whole installation, for the few actions that depend on other accounts.
//!
//! Invariant: while one action holds it, no other action that takes it changes anything, in this
//! process or another one.
//!
//! Within the process it is a mutex; between processes, a lease in the store, which the action's
//! commit must present. If the process stops, the others wait until the lease has expired.

use std::{sync::Arc, time::Duration};

use keywright_base::Clock;
use keywright_store::contract::{Lease, LeaseRequest, Store};
use tokio::{sync::MutexGuard, time};

use crate::{fault::IamFault, service::IdentityParts};

const NAME: &str = "installation";
/// Seconds after which others may take over a lease that was not released.
const LEASE_SECS: i64 = 30;
/// Milliseconds between two attempts to get the lease, and the number of attempts.
const RETRY_MS: u64 = 50;
const TRIES: usize = 100;

pub(crate) struct InstallationLock {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    holder: [u8; 16],
    local: tokio::sync::Mutex<()>,
}

/// The lock while it is held.
pub(crate) struct InstallationGuard<'a> {
    lock: &'a InstallationLock,
    lease: Lease,
    _local: MutexGuard<'a, ()>,
}

impl InstallationLock {
    pub(crate) fn new(parts: &IdentityParts) -> Self {
        let mut holder = [0; 16];
        parts.entropy.fill(&mut holder);
        Self {
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
            holder,
            local: tokio::sync::Mutex::default(),
        }
    }

    /// Waits for the lock.
    ///
    /// # Errors
    /// [`IamFault::Throttled`] if other processes hold it for too long; store errors.
    pub(crate) async fn acquire(&self) -> Result<InstallationGuard<'_>, IamFault> {
        let local = self.local.lock().await;
        let mut retries = time::interval(Duration::from_millis(RETRY_MS));
        for _ in 0..TRIES {
            retries.tick().await;
            let now = self.clock.now();
            let acquired = self.store.acquire_lease(LeaseRequest {
                name: NAME.to_owned(),
                holder: self.holder,
                now,
                expires: now.plus_secs(LEASE_SECS),
            });
            let acquired = acquired.await;
            if let Some(lease) = acquired.map_err(|error| IamFault::Internal(error.to_string()))? {
                return Ok(InstallationGuard {
                    lock: self,
                    lease,
                    _local: local,
                });
            }
        }
        Err(IamFault::Throttled)
    }
}

impl InstallationGuard<'_> {
    /// The lease that commits must present.
    pub(crate) const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Releases the lock. Without this call, other processes wait until the lease has expired.
    pub(crate) async fn release(self) {
        let released = self.lock.store.release_lease(self.lease).await;
        if let Err(error) = released {
            tracing::warn!(%error, "the lock of the installation was not released; it expires");
        }
    }
}

#[cfg(test)]
mod tests;
