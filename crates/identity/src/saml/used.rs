//! The assertions that were used, until they expire: each can be used once.
//!
//! Memory only. So an assertion that may have been used before the process began is not accepted.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use keywright_base::{AccountId, Timestamp, limits};

use super::{assertion::VerifiedAssertion, rejection::AssertionRejection};
use crate::fault::IamFault;

/// The used assertions of all accounts.
#[derive(Debug)]
pub(crate) struct UsedAssertions {
    /// When the process began.
    begun: Timestamp,
    accounts: Mutex<HashMap<AccountId, UsedOfAccount>>,
}

/// When they expire, by the provider's ARN and their ID.
type UsedOfAccount = HashMap<(String, String), Timestamp>;

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
        now: Timestamp,
    ) -> Result<(), IamFault> {
        // It may be dated that much later than it was issued.
        let earliest = self.begun.plus_secs(limits::ASSERTION_LEEWAY_SECS);
        if assertion.issued < earliest {
            return Err(AssertionRejection::Expired.into());
        }
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let used = accounts.entry(account).or_default();
        let key = (provider.to_owned(), assertion.id.clone());
        if used.contains_key(&key) {
            return Err(AssertionRejection::Used.into());
        }
        if used.len() >= limits::USED_ASSERTIONS_PER_ACCOUNT {
            used.retain(|_, expires| *expires > now);
        }
        if used.len() >= limits::USED_ASSERTIONS_PER_ACCOUNT {
            return Err(IamFault::Throttled);
        }
        let expires = assertion.issued.plus_secs(limits::ASSERTION_SECS + 1);
        used.insert(key, expires);
        Ok(())
    }
}
