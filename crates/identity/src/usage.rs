//! Who used what, and when: last use of keys, roles and passwords, and attempts with inactive keys.
//!
//! It is a projection of the events of requests, and protects one rule: only a verified signature
//! leaves a trace here. Last use follows AWS's
//! granularity: the first use inside each 15-minute window is recorded, with its service and
//! region. Beside that the last use of a key is known to the second, by anyone and by a consumer:
//! whoever waits for a key to be quiet needs no window of a quarter of an hour. These and attempts
//! are noted in memory and written by [`Usage::flush`], which the server calls every second and
//! before it answers a question about attempts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use keywright_base::{AccessKeyId, Timestamp, UniqueId};
use keywright_store::contract::{KeyAttempt, LastUse, Store, StoreError};

use crate::{
    authenticate::KeyUse,
    event::{
        ConsoleOperation, CredentialUse, EventOperation, Projection, RequestEvent, RequestOutcome,
        UsedCredential,
    },
    ledger::IamLedger,
    principal::Principal,
    state::{CredentialOwner, KeyMaterial},
};

/// Seconds of a key's last-used window.
const KEY_WINDOW_SECS: i64 = 15 * 60;
/// Seconds of a password's last-used window.
const PASSWORD_WINDOW_SECS: i64 = 5 * 60;
/// Distinct attempts held between two flushes; beyond them only already known ones are counted.
const PENDING_ATTEMPTS: usize = 10_000;
/// Characters kept of a user agent.
const USER_AGENT_CHARS: usize = 256;

type AttemptKey = (AccessKeyId, String, String, String);

/// The record of uses.
pub struct KeyUsage {
    store: Arc<dyn Store>,
    last: RwLock<HashMap<String, LastUse>>,
    exact: Mutex<HashMap<String, LastUse>>,
    attempts: Mutex<HashMap<AttemptKey, (u64, Timestamp)>>,
    /// Held by a flush: a listing must wait for what another one has taken and not stored yet.
    flushing: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for KeyUsage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Usage")
    }
}

impl KeyUsage {
    /// Loads what was recorded. Blocking; for the start.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let last = store
            .last_uses()?
            .into_iter()
            .map(|used| (used.subject.clone(), used));
        Ok(Self {
            last: RwLock::new(last.collect()),
            store,
            exact: Mutex::new(HashMap::new()),
            attempts: Mutex::new(HashMap::new()),
            flushing: tokio::sync::Mutex::new(()),
        })
    }

    /// The last recorded use of an access key id, of a role by its unique id or, for its password,
    /// of a user by its unique id.
    pub fn last(&self, subject: &str) -> Option<LastUse> {
        self.last
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(subject)
            .cloned()
    }

    /// Opens the keys' windows where they were when the server stopped.
    pub(crate) fn restore_windows(&self, ledger: &IamLedger) {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        for used in last.values() {
            let key = used.subject.parse::<AccessKeyId>().ok();
            let cell = key.and_then(|key| ledger.account(key.account()?));
            if let (Some(key), Some(cell)) = (key, cell)
                && let Some((_, key)) = cell.snapshot().key(key)
            {
                key.material.set_use_recorded(used.at);
            }
        }
    }

    /// The last use of a key to the second: by a consumer, or by anyone who is not the server's own
    /// engine.
    pub fn exact(&self, key: &str, consumer: bool) -> Option<LastUse> {
        self.last(&exact_subject(key, consumer))
    }

    /// Notes a verified use of a key. Costs three atomic loads unless it opens a new window or
    /// second. Uses to the second are written by [`KeyUsage::flush`].
    fn note(
        &self,
        (key, material): (AccessKeyId, &KeyMaterial),
        key_use: KeyUse,
        now: Timestamp,
        scope: (&str, &str),
    ) {
        if key_use == KeyUse::Verification {
            return;
        }
        self.note_second((key, material), false, now, scope);
        if key_use == KeyUse::Work {
            self.note_second((key, material), true, now, scope);
        }
        if material.opens_window(now, KEY_WINDOW_SECS) {
            let (service, region) = scope;
            self.record(LastUse {
                subject: key.to_string(),
                at: now.truncate_to_secs(),
                service: service.to_owned(),
                region: region.to_owned(),
            });
        }
    }

    fn note_second(
        &self,
        (key, material): (AccessKeyId, &KeyMaterial),
        consumer: bool,
        now: Timestamp,
        (service, region): (&str, &str),
    ) {
        if !material.opens_second(now, consumer) {
            return;
        }
        let used = LastUse {
            subject: exact_subject(key.as_str(), consumer),
            at: now.truncate_to_secs(),
            service: service.to_owned(),
            region: region.to_owned(),
        };
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        last.insert(used.subject.clone(), used.clone());
        drop(last);
        let mut exact = self.exact.lock().unwrap_or_else(PoisonError::into_inner);
        exact.insert(used.subject.clone(), used);
    }

    /// Notes a request of a role's session. The first one inside each window of fifteen minutes is
    /// recorded; a map is read to find out.
    fn note_role(&self, role: UniqueId, now: Timestamp, (service, region): (&str, &str)) {
        let at = now.truncate_to_secs();
        let due = |used: LastUse| at.secs_since(used.at) >= KEY_WINDOW_SECS;
        if self.last(role.as_str()).is_none_or(due) {
            self.record(LastUse {
                subject: role.to_string(),
                at,
                service: service.to_owned(),
                region: region.to_owned(),
            });
        }
    }

    /// Notes a sign-in with a password; `subject` is a user's unique id, or the account's id for
    /// root. As on AWS the first one inside each five-minute window is recorded.
    pub(crate) fn note_password(&self, subject: &str, now: Timestamp) {
        let at = now.truncate_to_secs();
        let due = |used: LastUse| at.secs_since(used.at) >= PASSWORD_WINDOW_SECS;
        if self.last(subject).is_none_or(due) {
            self.record(LastUse {
                subject: subject.to_owned(),
                at,
                service: "signin".to_owned(),
                region: String::new(),
            });
        }
    }

    fn record(&self, used: LastUse) {
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        last.insert(used.subject.clone(), used.clone());
        drop(last);
        let recorded = self.store.record_last_uses(vec![used]);
        tokio::spawn(async move {
            if let Err(error) = recorded.await {
                tracing::warn!(%error, "a last use was not recorded");
            }
        });
    }

    /// Counts a correctly signed request of an inactive key.
    fn note_attempt(&self, key: AccessKeyId, event: &RequestEvent<'_>) {
        let (context, action) = (event.context(), event.operation().attempt_name());
        let agent = context.user_agent.chars().take(USER_AGENT_CHARS).collect();
        let (source, now) = (context.source_address.to_string(), context.now);
        let id = (key, source, agent, action);
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.len() < PENDING_ATTEMPTS || attempts.contains_key(&id) {
            let entry = attempts.entry(id).or_insert((0, now));
            entry.0 += 1;
            entry.1 = now;
        }
    }

    /// Writes the attempts counted, and the uses to the second noted, since the last call.
    ///
    /// # Errors
    /// [`StoreError`] when they could not be written; they are then lost, and the caller says so.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let _alone = self.flushing.lock().await;
        let exact = {
            let mut exact = self.exact.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *exact)
        };
        if !exact.is_empty() {
            self.store
                .record_last_uses(exact.into_values().collect())
                .await?;
        }
        let taken = {
            let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *attempts)
        };
        if taken.is_empty() {
            return Ok(());
        }
        let attempt = |(id, (count, at)): (AttemptKey, (u64, Timestamp))| {
            let (key, source_address, user_agent, action) = id;
            KeyAttempt {
                key,
                source_address,
                user_agent,
                action,
                at,
                count,
            }
        };
        self.store
            .record_attempts(taken.into_iter().map(attempt).collect())
            .await
    }

    /// The attempts with one key, latest first, and their total.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read or written.
    pub async fn attempts(&self, key: AccessKeyId) -> Result<(Vec<KeyAttempt>, u64), StoreError> {
        self.flush().await?;
        self.store.attempts(key).await
    }

    /// Forgets deleted keys and users.
    pub fn forget(&self, subjects: Vec<String>) {
        if subjects.is_empty() {
            return;
        }
        let both = |key: &String| [false, true].map(|consumer| exact_subject(key, consumer));
        let exact: Vec<_> = subjects.iter().flat_map(both).collect();
        let subjects = [subjects, exact].concat();
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        for subject in &subjects {
            last.remove(subject);
        }
        drop(last);
        let forgotten = self.store.forget(subjects);
        tokio::spawn(async move {
            if let Err(error) = forgotten.await {
                tracing::warn!(%error, "the uses of a deleted key were not forgotten");
            }
        });
    }
}

impl Projection for KeyUsage {
    fn verified(&self, credential: &CredentialUse<'_>) {
        let (now, scope) = (credential.at, (credential.service, credential.region));
        match credential.credential {
            UsedCredential::AccessKey(key, material) => {
                self.note((key, material), credential.key_use, now, scope);
            }
            UsedCredential::Role(role) => self.note_role(role, now, scope),
            UsedCredential::Session => {}
        }
    }

    fn completed(&self, event: &RequestEvent<'_>) {
        if let Some(key) = event.inactive_key() {
            self.note_attempt(key, event);
        }
        if let (EventOperation::Console(ConsoleOperation::SignIn), RequestOutcome::Succeeded) =
            (event.operation(), event.outcome())
            && let Some(principal) = event.principal()
        {
            self.note_password(&password_subject(principal), event.context().now);
        }
    }
}

/// Under what the last use of a principal's password is kept.
fn password_subject(principal: &Principal) -> String {
    match principal.credential_owner() {
        Some(CredentialOwner::User(id)) => id.to_string(),
        Some(CredentialOwner::Root) | None => principal.account().to_string(),
    }
}

/// Under what a key's last use to the second is kept.
fn exact_subject(key: &str, consumer: bool) -> String {
    let owner = if consumer { "consumer" } else { "any" };
    format!("{key}#{owner}")
}
