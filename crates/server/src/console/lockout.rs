//! Limits how often a password may be tried.
//!
//! Invariants: an attempt counts as failed from the moment it is admitted, so that concurrent
//! attempts do not get around the limit; a success undoes that. The memory is bounded: when it is
//! full, the entry whose last failure is oldest is removed. The wait doubles with each failure, up
//! to a cap; after an hour without a failure, all are forgotten.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use keywright_base::{Timestamp, limits};
use sha2::{Digest, Sha256};

/// Seconds after which failures are forgotten.
const MEMORY_SECS: i64 = 60 * 60;

/// The key of a counter: the hash of a name and of where it is tried from, or of an address.
pub(super) type LockoutKey = [u8; 32];

#[derive(Debug, Clone, Copy)]
struct LockoutFailures {
    count: u32,
    last: Timestamp,
    /// The first instant at which the next attempt is admitted.
    until: Timestamp,
}

/// Failed attempts by key.
pub(super) struct SignInLockout {
    /// The number of failures without a wait.
    free: u32,
    /// The longest wait in seconds.
    wait_secs_max: i64,
    failures: Mutex<HashMap<LockoutKey, LockoutFailures>>,
}

/// For an account and user from one address or browser: five attempts, then waits of up to 15
/// minutes.
pub(super) fn of_names() -> SignInLockout {
    SignInLockout::new(5, 15 * 60)
}

/// For an address. Many people may share one, so it has more attempts and shorter waits.
pub(super) fn of_sources() -> SignInLockout {
    SignInLockout::new(30, 60)
}

/// The key of an account and a user, or root.
pub(super) fn name(account: &str, user: Option<&str>) -> LockoutKey {
    let user = user.map_or_else(
        || "r".to_owned(),
        |user| format!("u{}", user.to_lowercase()),
    );
    key(format!("{}\n{user}", account.to_lowercase()).as_bytes())
}

/// The key of a name that is tried from one address or browser.
pub(super) fn name_from(name: LockoutKey, place: &[u8]) -> LockoutKey {
    key(&[name.as_slice(), place].concat())
}

/// The key of an address; for IPv6, of the /64 network, because one customer has all of it.
pub(super) fn source(address: IpAddr) -> LockoutKey {
    match address {
        IpAddr::V4(address) => key(&address.octets()),
        IpAddr::V6(address) => key(&(u128::from(address) >> 64).to_be_bytes()),
    }
}

fn key(bytes: &[u8]) -> LockoutKey {
    Sha256::digest(bytes).into()
}

impl std::fmt::Debug for SignInLockout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lockout({})", self.all().len())
    }
}

impl SignInLockout {
    fn new(free: u32, wait_secs_max: i64) -> Self {
        Self {
            free,
            wait_secs_max,
            failures: Mutex::new(HashMap::new()),
        }
    }

    /// Admits an attempt and counts it as failed.
    ///
    /// # Errors
    /// The seconds to wait.
    pub(super) fn begin(&self, key: LockoutKey, now: Timestamp) -> Result<(), i64> {
        let mut all = self.all();
        let before = all
            .get(&key)
            .copied()
            .filter(|failures| !failures.forgotten(now));
        if let Some(failures) = before
            && now < failures.until
        {
            let millis = failures.until.millis() - now.millis();
            return Err((millis + 999) / 1000);
        }
        make_room(&mut all, key, now);
        let count = before
            .map_or(0, |failures| failures.count)
            .saturating_add(1);
        let failures = LockoutFailures {
            count,
            last: now,
            until: now.plus_secs(self.wait_secs(count)),
        };
        all.insert(key, failures);
        Ok(())
    }

    /// Forgets all failures, because the attempt succeeded.
    pub(super) fn reset(&self, key: LockoutKey) {
        self.all().remove(&key);
    }

    /// Undoes one attempt that was admitted.
    pub(super) fn undo(&self, key: LockoutKey, now: Timestamp) {
        if let Some(failures) = self.all().get_mut(&key) {
            failures.count = failures.count.saturating_sub(1);
            failures.until = failures.until.min(now);
        }
    }

    fn wait_secs(&self, count: u32) -> i64 {
        match count.checked_sub(self.free + 1) {
            None => 0,
            Some(doublings) => 1_i64
                .checked_shl(doublings.min(32))
                .unwrap_or(i64::MAX)
                .min(self.wait_secs_max),
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<LockoutKey, LockoutFailures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LockoutFailures {
    fn forgotten(self, now: Timestamp) -> bool {
        now >= self.last.plus_secs(MEMORY_SECS)
    }
}

fn make_room(all: &mut HashMap<LockoutKey, LockoutFailures>, key: LockoutKey, now: Timestamp) {
    if all.len() < limits::SIGN_INS_REMEMBERED || all.contains_key(&key) {
        return;
    }
    all.retain(|_, failures| !failures.forgotten(now));
    if all.len() >= limits::SIGN_INS_REMEMBERED {
        let oldest = all.iter().min_by_key(|(_, failures)| failures.last);
        if let Some(key) = oldest.map(|(key, _)| *key) {
            all.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use keywright_base::{Timestamp, limits};

    use super::{SignInLockout, name, name_from, source};

    #[test]
    fn the_wait_doubles_up_to_its_cap_and_is_forgotten_after_an_hour() {
        let lockout = SignInLockout::new(2, 5);
        let key = name("123456789012", Some("ann"));
        for (at_millis, expected) in [
            (0, Ok(())),
            (0, Ok(())),
            // From here on, each attempt must wait.
            (0, Ok(())),
            (0, Err(1)),
            (1, Err(1)),
            (1000, Ok(())),
            (1000, Err(2)),
            (2999, Err(1)),
            (3000, Ok(())),
            (6999, Err(1)),
            (7000, Ok(())),
            (11_000, Err(1)),
            (12_000, Ok(())),
            (3_612_000, Ok(())),
            (3_612_000, Ok(())),
            (3_612_000, Ok(())),
            (3_612_000, Err(1)),
        ] {
            let got = lockout.begin(key, Timestamp::from_millis(at_millis));
            assert_eq!(got, expected, "{at_millis}");
        }
    }

    #[test]
    fn a_success_forgets_and_an_attempt_can_be_taken_back() {
        let lockout = SignInLockout::new(0, 900);
        let (ann, bob) = (name("1", Some("ann")), name("1", Some("bob")));
        let now = Timestamp::from_secs(1);
        assert_eq!(lockout.begin(ann, now), Ok(()));
        assert_eq!(lockout.begin(ann, now), Err(1));
        assert_eq!(lockout.begin(bob, now), Ok(()));
        lockout.reset(ann);
        assert_eq!(lockout.begin(ann, now), Ok(()));
        lockout.undo(ann, now);
        assert_eq!(lockout.begin(ann, now), Ok(()));
        assert_eq!(lockout.begin(ann, now), Err(1));
    }

    #[test]
    fn the_memory_is_bounded() {
        let lockout = SignInLockout::new(0, 900);
        let first = name("0", None);
        for (n, secs) in (0..=limits::SIGN_INS_REMEMBERED).zip(0..) {
            let now = Timestamp::from_millis(secs);
            assert_eq!(lockout.begin(name(&n.to_string(), None), now), Ok(()));
        }
        assert_eq!(lockout.all().len(), limits::SIGN_INS_REMEMBERED);
        assert!(!lockout.all().contains_key(&first));
    }

    #[test]
    fn what_is_one_name_and_one_address() {
        let address = |text: &str| source(text.parse().unwrap());
        assert_eq!(name("Acme", Some("Ann")), name("acme", Some("ann")));
        assert_ne!(name("acme", Some("r")), name("acme", None));
        assert_ne!(name("a", Some("b")), name("b", Some("a")));
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
        let from = |user: &str, text: &str| name_from(name("acme", Some(user)), &address(text));
        assert_eq!(from("ann", "2001:db8::1"), from("ANN", "2001:db8::2"));
        assert_ne!(from("ann", "192.0.2.1"), from("ann", "192.0.2.2"));
        assert_ne!(from("ann", "192.0.2.1"), from("bob", "192.0.2.1"));
    }
}
