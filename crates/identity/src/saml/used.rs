//! The assertions that were used, until they expire: each can be used once.
//!
//! Memory only. So an assertion that may have been used before the process began is not accepted.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use keywright_base::{AccountId, Clock, Timestamp, limits};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use super::{
    assertion::{VerifiedAssertion, last_use},
    rejection::AssertionRejection,
};
use crate::fault::IamFault;

/// The used assertions of all accounts.
#[derive(Debug)]
pub(crate) struct UsedAssertions {
    /// When the process began.
    begun: Timestamp,
    accounts: Mutex<HashMap<AccountId, UsedOfAccount>>,
}

/// The hash of a provider's ARN and the ID of an assertion, which may be long.
type AssertionHash = [u8; SHA256_OUTPUT_LEN];

#[derive(Debug, Default)]
struct UsedOfAccount {
    /// The last instant at which each could be used.
    last_uses: HashMap<AssertionHash, Timestamp>,
    /// How many were left when the expired ones were last removed.
    left: usize,
}

impl UsedOfAccount {
    /// Removes what can no longer be used, also if the clock is set back a little. Does so when
    /// there are twice as many as were left the last time: uses and removals are in proportion.
    fn prune(&mut self, now: Timestamp) {
        let used = &mut self.last_uses;
        if used.len() > self.left.saturating_mul(2) || is_full(used.len()) {
            used.retain(|_, last| last.plus_secs(limits::ASSERTION_LEEWAY_SECS) >= now);
            self.left = used.len();
        }
    }
}

const fn is_full(count: usize) -> bool {
    count >= limits::USED_ASSERTIONS_PER_ACCOUNT
}

fn hash_of(provider: &str, assertion: &VerifiedAssertion) -> AssertionHash {
    // An ARN has no NUL, and neither has XML.
    let text = format!("{provider}\0{}", assertion.id);
    let mut hash = AssertionHash::default();
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

impl UsedAssertions {
    pub(crate) fn new(begun: Timestamp) -> Self {
        Self {
            begun,
            accounts: Mutex::default(),
        }
    }

    /// Uses an assertion.
    ///
    /// # Errors
    /// [`AssertionRejection::Used`], [`AssertionRejection::Expired`] for one that may have been
    /// used before a restart, [`IamFault::Throttled`] if too many were used lately.
    pub(crate) fn use_once(
        &self,
        account: AccountId,
        (provider, assertion): (&str, &VerifiedAssertion),
        clock: &dyn Clock,
    ) -> Result<(), IamFault> {
        // It may be dated that much later than it was issued.
        let earliest = self.begun.plus_secs(limits::ASSERTION_LEEWAY_SECS);
        let hash = hash_of(provider, assertion);
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        // Behind the lock, so that nobody else removes a use as expired and this one is repeated.
        let now = clock.now();
        // It was verified, but perhaps long ago.
        let last = last_use(assertion.issued);
        if assertion.issued < earliest || last < now {
            return Err(AssertionRejection::Expired.into());
        }
        let used = accounts.entry(account).or_default();
        if used.last_uses.contains_key(&hash) {
            return Err(AssertionRejection::Used.into());
        }
        used.prune(now);
        if is_full(used.last_uses.len()) {
            return Err(IamFault::Throttled);
        }
        used.last_uses.insert(hash, last);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
