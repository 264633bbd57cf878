//! How often a caller may give an old password: a key of a user that fell into other hands must not
//! tell its password by trying.
//!
//! It protects one rule: an attempt counts as failed from the moment it is let in, so that many at
//! once are no way around it; the right password takes all of them back. As at the console's
//! sign-in five are free, then the wait doubles up to a cap, and an hour without one forgets them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use keywright_base::{Timestamp, UniqueId, limits};

/// Attempts without a wait.
const FREE: u32 = 5;
/// Seconds of the longest wait.
const WAIT_SECS_MAX: i64 = 15 * 60;
/// Seconds after which attempts are forgotten.
const MEMORY_SECS: i64 = 60 * 60;

#[derive(Debug, Clone, Copy)]
struct FailureCount {
    count: u32,
    last: Timestamp,
    /// The first instant at which the next attempt is let in.
    until: Timestamp,
}

/// Failed attempts by user. Memory only, and of users that exist.
#[derive(Debug, Default)]
pub(crate) struct PasswordAttempts(Mutex<HashMap<UniqueId, FailureCount>>);

impl PasswordAttempts {
    /// Lets an attempt in and counts it as failed, unless it comes too early.
    pub(crate) fn begin(&self, user: UniqueId, now: Timestamp) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = |failures: &FailureCount| now < failures.last.plus_secs(MEMORY_SECS);
        if all.len() >= limits::SIGN_INS_REMEMBERED {
            all.retain(|_, failures| remembered(failures));
        }
        let before = all.get(&user).copied().filter(remembered);
        if before.is_some_and(|failures| now < failures.until) {
            return false;
        }
        let count = before
            .map_or(0, |failures| failures.count)
            .saturating_add(1);
        let wait = match count.checked_sub(FREE) {
            None | Some(0) => 0,
            Some(over) => 1_i64 << (over - 1).min(32),
        };
        let failures = FailureCount {
            count,
            last: now,
            until: now.plus_secs(wait.min(WAIT_SECS_MAX)),
        };
        all.insert(user, failures);
        true
    }

    /// Forgets all attempts: the password was right.
    pub(crate) fn reset(&self, user: UniqueId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&user);
    }
}
