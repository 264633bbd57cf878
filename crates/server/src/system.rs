//! The system's clock and random number generator. Invariant: no other module reads either.

use std::time::UNIX_EPOCH;

use keywright_base::{Clock, Entropy, Timestamp};

/// The system's real-time clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one Clock that reads the system's"
        )]
        let elapsed = std::time::SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The operating system's random number generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        if getrandom::fill(buffer).is_err() {
            // Continuing would create guessable keys. The kernel's generator does not fail once it
            // is initialized.
            tracing::error!("the operating system gives no random bytes");
            std::process::abort();
        }
    }
}
