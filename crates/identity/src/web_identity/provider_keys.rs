//! The keys of providers: fetched when they are needed, and then held for a while.
//!
//! Anyone can send a token, so that nothing here may depend on how many are sent. Invariants:
//!
//! - For one provider of one account, one fetch runs at a time, whoever waits for it.
//! - It is not repeated before the keys expire, except once a minute for a key that is unknown, and
//!   after failures not before a wait that doubles.
//! - Of one account only a few fetches run at a time.
//! - A fetch ends in time even if everyone who waited for it has left.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use keywright_base::{AccountId, Clock, Timestamp, limits};
use tokio::sync::Semaphore;

use super::{key_set::KeySet, rejection::TokenRejection};
use crate::{fault::IamFault, state::OpenIdProvider};

/// A provider whose documents are to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRequest {
    /// `https://HOST[:PORT][/PATH]`, without a slash at the end.
    pub issuer: String,
    /// SHA-1 of the certificates that may vouch for it, in lower-case hexadecimal.
    pub thumbprints: Vec<String>,
}

impl ProviderRequest {
    /// For a provider as it is registered.
    pub(crate) fn of(provider: &OpenIdProvider) -> Self {
        Self {
            issuer: provider.issuer(),
            thumbprints: provider.thumbprints.clone(),
        }
    }
}

/// Why there are no documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentFault {
    /// The provider does not answer, not in time, or not at an address that may be used.
    Unreachable,
    /// Its certificate is neither publicly trusted nor one with a known thumbprint.
    Certificate,
    /// What it answers is not what the standard demands.
    Unusable,
}

/// Fetches what providers publish. It must bound time and size of what it fetches.
#[async_trait::async_trait]
pub trait ProviderDocuments: Send + Sync {
    /// The key set of a provider, which its configuration names.
    ///
    /// # Errors
    /// [`DocumentFault`].
    async fn key_set(&self, provider: &ProviderRequest) -> Result<Vec<u8>, DocumentFault>;
}

/// Which keys a token needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyLookup<'a> {
    /// The account that the provider is registered in.
    pub(crate) account: AccountId,
    /// The provider.
    pub(crate) provider: &'a OpenIdProvider,
    /// The key that the token names.
    pub(crate) key_id: Option<&'a str>,
}

/// The keys of all providers.
pub(crate) struct ProviderKeys {
    source: OnceLock<Arc<dyn ProviderDocuments>>,
    clock: Arc<dyn Clock>,
    accounts: Mutex<HashMap<AccountId, AccountKeys>>,
}

struct AccountKeys {
    fetches: Arc<Semaphore>,
    /// By the provider's name.
    providers: HashMap<String, Arc<ProviderEntry>>,
}

impl Default for AccountKeys {
    fn default() -> Self {
        Self {
            fetches: Arc::new(Semaphore::new(limits::PROVIDER_FETCHES_PER_ACCOUNT)),
            providers: HashMap::new(),
        }
    }
}

/// What is known of one provider.
struct ProviderEntry {
    request: ProviderRequest,
    state: Mutex<FetchState>,
    /// Held by the fetch that runs.
    fetching: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct FetchState {
    keys: Option<(Arc<KeySet>, Timestamp)>,
    failure: Option<FetchFailure>,
}

#[derive(Clone, Copy)]
struct FetchFailure {
    fault: DocumentFault,
    at: Timestamp,
    /// Failures in a row.
    count: u32,
}

impl FetchFailure {
    fn is_recent(&self, now: Timestamp) -> bool {
        let doubled = limits::PROVIDER_RETRY_SECS << self.count.saturating_sub(1).min(16);
        now.secs_since(self.at) < doubled.min(limits::PROVIDER_RETRY_SECS_MAX)
    }
}

/// What to do about the keys that a token needs.
enum KeyState {
    Known(Arc<KeySet>),
    Failed(DocumentFault),
    Due,
}

impl FetchState {
    fn of(&self, key_id: Option<&str>, now: Timestamp) -> KeyState {
        let failed = self.failure.filter(|failure| failure.is_recent(now));
        if let Some((keys, at)) = self.unexpired(now) {
            let refreshed = now.secs_since(*at) < limits::PROVIDER_REFRESH_SECS;
            if keys.has(key_id) || refreshed || failed.is_some() {
                return KeyState::Known(Arc::clone(keys));
            }
        }
        failed.map_or(KeyState::Due, |failure| KeyState::Failed(failure.fault))
    }

    fn unexpired(&self, now: Timestamp) -> Option<&(Arc<KeySet>, Timestamp)> {
        let fresh = 0..limits::PROVIDER_KEYS_SECS;
        let keys = self.keys.as_ref();
        keys.filter(|(_, at)| fresh.contains(&now.secs_since(*at)))
    }

    fn record(&mut self, fetched: Result<Arc<KeySet>, DocumentFault>, now: Timestamp) {
        match fetched {
            Ok(keys) => {
                self.keys = Some((keys, now));
                self.failure = None;
            }
            Err(fault) => {
                let before = self.failure.map_or(0, |failure| failure.count);
                self.failure = Some(FetchFailure {
                    fault,
                    at: now,
                    count: before.saturating_add(1),
                });
            }
        }
    }

    /// Whether anything is in it that a later request would need.
    fn is_worthless(&self, now: Timestamp) -> bool {
        self.unexpired(now).is_none() && !self.failure.is_some_and(|it| it.is_recent(now))
    }
}

impl ProviderEntry {
    fn new(request: ProviderRequest) -> Self {
        Self {
            request,
            state: Mutex::default(),
            fetching: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, FetchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for ProviderKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProviderKeys")
    }
}

impl ProviderKeys {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            source: OnceLock::new(),
            clock,
            accounts: Mutex::default(),
        }
    }

    /// Sets where documents are fetched, once. Without it, no provider can be reached.
    pub(crate) fn set_source(&self, source: Arc<dyn ProviderDocuments>) {
        // The first one stays.
        let _ = self.source.set(source);
    }

    /// The keys of a provider. They may lack the one that the token names.
    ///
    /// # Errors
    /// [`IamFault::WebIdentity`] if there are none, [`IamFault::Throttled`] if too many are being
    /// fetched.
    pub(crate) async fn find(&self, lookup: KeyLookup<'_>) -> Result<Arc<KeySet>, IamFault> {
        let (entry, fetches) = self.entry(&lookup);
        if let Some(known) = self.settled(&entry, &lookup) {
            return known;
        }
        let turn = Arc::clone(&entry.fetching).lock_owned().await;
        // Whoever had the turn before may have fetched what is needed.
        if let Some(known) = self.settled(&entry, &lookup) {
            return known;
        }
        let place = fetches.try_acquire_owned();
        let place = place.map_err(|_| IamFault::Throttled)?;
        let source = self.source.get().cloned();
        let (clock, fetched) = (Arc::clone(&self.clock), Arc::clone(&entry));
        // A task of its own: it does not end with the client that caused it, so that clients that
        // leave cannot cause another fetch each.
        let fetch = tokio::spawn(async move {
            let outcome = fetch(source.as_deref(), &fetched.request).await;
            fetched.state().record(outcome, clock.now());
            drop((turn, place));
        });
        fetch.await.map_err(|_| {
            IamFault::Internal("fetching the keys of a provider was cut off".to_owned())
        })?;
        let nothing = || Err(TokenRejection::NoKey.into());
        self.settled(&entry, &lookup).unwrap_or_else(nothing)
    }

    /// What is known already, if it is enough.
    fn settled(
        &self,
        entry: &ProviderEntry,
        lookup: &KeyLookup<'_>,
    ) -> Option<Result<Arc<KeySet>, IamFault>> {
        match entry.state().of(lookup.key_id, self.clock.now()) {
            KeyState::Known(keys) => Some(Ok(keys)),
            KeyState::Failed(fault) => Some(Err(TokenRejection::from(fault).into())),
            KeyState::Due => None,
        }
    }

    /// The entry of a provider as it is registered now. Other thumbprints make a new one.
    fn entry(&self, lookup: &KeyLookup<'_>) -> (Arc<ProviderEntry>, Arc<Semaphore>) {
        let provider = lookup.provider;
        let request = ProviderRequest::of(provider);
        let now = self.clock.now();
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let account = accounts.entry(lookup.account).or_default();
        let fetches = Arc::clone(&account.fetches);
        if let Some(known) = account.providers.get(&provider.name)
            && known.request == request
        {
            return (Arc::clone(known), fetches);
        }
        // Those of deleted providers go, unless a fetch runs.
        account
            .providers
            .retain(|_, entry| Arc::strong_count(entry) > 1 || !entry.state().is_worthless(now));
        let entry = Arc::new(ProviderEntry::new(request));
        let name = provider.name.clone();
        account.providers.insert(name, Arc::clone(&entry));
        (entry, fetches)
    }
}

async fn fetch(
    source: Option<&dyn ProviderDocuments>,
    request: &ProviderRequest,
) -> Result<Arc<KeySet>, DocumentFault> {
    let source = source.ok_or(DocumentFault::Unreachable)?;
    let document = source.key_set(request).await?;
    let keys = KeySet::parse(&document).ok_or(DocumentFault::Unusable)?;
    Ok(Arc::new(keys))
}

impl From<DocumentFault> for TokenRejection {
    fn from(fault: DocumentFault) -> Self {
        match fault {
            DocumentFault::Unreachable => Self::Unreachable,
            DocumentFault::Certificate => Self::Certificate,
            DocumentFault::Unusable => Self::NoKey,
        }
    }
}

impl From<TokenRejection> for IamFault {
    fn from(rejection: TokenRejection) -> Self {
        Self::WebIdentity(rejection)
    }
}

#[cfg(test)]
mod tests;
