//! The pace of calls to one account's IAM: one rate for all rotations of the account. It halves
//! when the service throttles and recovers slowly.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

/// The longest pause between two calls.
const GAP_MAX: Duration = Duration::from_secs(10);
/// The first pause after a request to slow down.
const GAP_FIRST: Duration = Duration::from_millis(200);

/// A rate limiter shared by all callers of one account.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    /// The pause while the service does not throttle.
    least: Duration,
    state: Mutex<RateState>,
}

#[derive(Debug)]
struct RateState {
    next: Instant,
    gap: Duration,
}

impl RateLimiter {
    /// Creates a limiter with this minimum pause between two calls.
    pub(crate) fn new(least: Duration) -> Self {
        Self {
            least,
            state: Mutex::new(RateState {
                next: Instant::now(),
                gap: least,
            }),
        }
    }

    /// Waits for the next slot.
    pub(crate) async fn turn(&self) {
        let at = {
            let mut state = self.state.lock().await;
            let at = state.next.max(Instant::now());
            state.next = at + state.gap;
            at
        };
        tokio::time::sleep_until(at).await;
    }

    /// Records a call that was not throttled.
    pub(crate) async fn well(&self) {
        let mut state = self.state.lock().await;
        state.gap = self.least.max(state.gap.mul_f32(0.9));
    }

    /// Records a throttled call.
    pub(crate) async fn slow(&self) {
        let mut state = self.state.lock().await;
        state.gap = (state.gap * 2).clamp(GAP_FIRST, GAP_MAX);
        state.next = state.next.max(Instant::now() + state.gap);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::RateLimiter;

    #[tokio::test(start_paused = true)]
    async fn row_20_a_request_to_slow_down_slows_everybody_and_is_forgotten() {
        let pace = RateLimiter::new(Duration::from_millis(10));
        let began = Instant::now();
        pace.turn().await;
        pace.turn().await;
        assert_eq!(began.elapsed(), Duration::from_millis(10));
        pace.slow().await;
        pace.slow().await;
        let slowed = Instant::now();
        pace.turn().await;
        assert!(slowed.elapsed() >= Duration::from_millis(400));
        for _ in 0..100 {
            pace.well().await;
        }
        let again = Instant::now();
        pace.turn().await;
        pace.turn().await;
        pace.turn().await;
        assert!(again.elapsed() < Duration::from_millis(500));
    }
}
