//! How long a client may keep the server waiting, for its bytes or to read the server's.
//!
//! Invariant: a transfer that is too slow on average ends, however evenly it trickles. Time counts
//! only while the server waits for the client.

use std::time::Duration;

use tokio::time::Instant;

/// A client's time budget: waiting uses it up, transferred bytes replenish it.
#[derive(Debug)]
pub(super) struct ReadBudget {
    full: Duration,
    bytes_per_sec: u64,
    left: Duration,
    waiting_since: Option<Instant>,
}

impl ReadBudget {
    /// A full budget, which is also the maximum that bytes can replenish.
    pub(super) const fn new(full: Duration, bytes_per_sec: u64) -> Self {
        Self {
            full,
            bytes_per_sec,
            left: full,
            waiting_since: None,
        }
    }

    /// When the budget is used up if no more bytes move. The server waits for the client from here
    /// on.
    pub(super) fn ends(&mut self) -> Instant {
        *self.waiting_since.get_or_insert_with(Instant::now) + self.left
    }

    /// Records that bytes have moved, which ends the wait.
    pub(super) fn moved(&mut self, bytes: usize) {
        if let Some(since) = self.waiting_since.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
        let micros = (bytes as u64).saturating_mul(1_000_000) / self.bytes_per_sec;
        let earned = Duration::from_micros(micros);
        self.left = self.left.saturating_add(earned).min(self.full);
    }
}
