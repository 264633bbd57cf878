//! Password hashing: Argon2id with the crate's recommended parameters (19 MiB, two passes), off the
//! async threads, and never more at once than there are permits.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use keywright_base::{Entropy, Secret};
use tokio::sync::Semaphore;

use crate::fault::Fault;

/// Hashes computed at the same time: about 19 MiB each.
const CONCURRENT: usize = 4;
/// Bytes of a salt.
const SALT_BYTES: usize = 16;

/// Hashes and checks passwords.
pub(crate) struct Passwords {
    entropy: Arc<dyn Entropy>,
    permits: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self {
            entropy,
            permits: Arc::new(Semaphore::new(CONCURRENT)),
        }
    }

    /// The Argon2id PHC string of a password.
    pub(crate) async fn hash(&self, password: Secret<String>) -> Result<String, Fault> {
        let mut salt = [0; SALT_BYTES];
        self.entropy.fill(&mut salt);
        self.aside(move || {
            let hash =
                Argon2::default().hash_password_with_salt(password.expose().as_bytes(), &salt);
            hash.map(|hash| hash.to_string())
                .map_err(|error| Fault::Internal(error.to_string()))
        })
        .await?
    }

    /// Each hash, and whether it is the password's. A hash that cannot be read is not.
    pub(crate) async fn matches(
        &self,
        password: Secret<String>,
        hashes: Vec<String>,
    ) -> Result<Vec<(String, bool)>, Fault> {
        self.aside(move || {
            let matches = |hash: String| {
                let same = PasswordHash::new(&hash).is_ok_and(|hash| {
                    Argon2::default()
                        .verify_password(password.expose().as_bytes(), &hash)
                        .is_ok()
                });
                (hash, same)
            };
            hashes.into_iter().map(matches).collect()
        })
        .await
    }

    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let failed = || Fault::Internal("password hashing was cut off".to_owned());
        let _permit = self.permits.acquire().await.map_err(|_| failed())?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| failed())
    }
}
