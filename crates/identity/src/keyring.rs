//! The stored ring of data keys, one record per key, under the installation's own account.
//!
//! Invariant: all stored data keys are sealed by one master key, and a data key is stored before it
//! seals anything. After a crash at any point, one master key therefore opens the whole ring.

use std::sync::Arc;

use keywright_base::{AccountId, Entropy, Timestamp};
use keywright_store::contract::{LedgerCommit, RecordWrite, StateRecord, Store, StoreError};

use crate::vault::{DataVault, MasterKey, MasterKeyId, OpenError, SealedValue};

/// The record kind of data keys; the ID is the key's number.
const DATA_KEY: &str = "keyring";
/// The record kind of the time at which a data key was replaced, in milliseconds; the ID is its
/// number.
const SUCCEEDED: &str = "keyring-succeeded";

/// Seconds for which a replaced data key can still open. Session tokens, which only clients have,
/// cannot be resealed, and live for 36 hours at most.
const RETENTION_SECS: i64 = 36 * 60 * 60 + 60 * 60;

/// Why the ring could not be opened or changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeyringError {
    /// The store failed.
    #[error("cannot use the store: {0}")]
    Store(#[from] StoreError),
    /// It is not the master key of this installation.
    #[error(
        "{}\nhint: this installation's master key is {}, the given one is {given}",
        OpenError,
        named(*.needed)
    )]
    WrongMasterKey {
        /// The key that sealed the ring; `None` for a ring created before keys had IDs.
        needed: Option<MasterKeyId>,
        /// The key that was given.
        given: MasterKeyId,
    },
    /// The cipher failed, or what is stored is damaged.
    #[error("{0}")]
    Sealed(#[from] OpenError),
}

fn named(id: Option<MasterKeyId>) -> String {
    id.map_or_else(|| "another one".to_owned(), |id| id.to_string())
}

/// The stored form of the ring.
#[derive(Default)]
struct StoredKeyring {
    version: u64,
    keys: Vec<(u32, SealedValue)>,
    succeeded: Vec<(u32, Timestamp)>,
}

/// The ring of data keys of an installation, in memory and in the store.
pub struct Keyring {
    store: Arc<dyn Store>,
    vault: Arc<DataVault>,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({:?})", self.vault.numbers())
    }
}

impl Keyring {
    /// Opens the ring, and creates the first data key if there is none. Blocks while it reads the
    /// store.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub async fn open(
        store: Arc<dyn Store>,
        master: &MasterKey,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, KeyringError> {
        let stored = load(&*store)?;
        let vault = if stored.keys.is_empty() {
            let (vault, first) = DataVault::create(master, &*entropy)?;
            commit(&*store, stored.version, vec![put(1, &first)]).await?;
            vault
        } else {
            let needed = stored.keys.iter().find_map(|(_, key)| MasterKeyId::of(key));
            DataVault::unlock(master, &stored.keys).map_err(|_| KeyringError::WrongMasterKey {
                needed,
                given: master.id(),
            })?
        };
        Ok(Self {
            store,
            vault: Arc::new(vault),
            entropy,
        })
    }

    /// Seals the ring with another master key and adds a new current data key, all in one commit.
    /// After it, the old master key opens nothing that is stored.
    ///
    /// # Errors
    /// [`KeyringError`]; if the store's outcome is unknown, this ring must no longer be used.
    pub async fn change_master(
        &self,
        master: &MasterKey,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        let stored = load(&*self.store)?;
        let newest = self.vault.newest();
        let next = self.vault.next_key(&*self.entropy)?;
        let keys = self.vault.sealed_by(master, &*self.entropy)?;
        let mut writes: Vec<_> = keys.iter().map(|(number, key)| put(*number, key)).collect();
        writes.push(put(next.number(), &next.seal(master, &*self.entropy)?));
        writes.push(RecordWrite::Put(StateRecord {
            kind: SUCCEEDED.to_owned(),
            id: newest.to_string(),
            body: now.millis().to_string().into_bytes(),
        }));
        commit(&*self.store, stored.version, writes).await?;
        self.vault.add(next);
        Ok(())
    }

    /// The data keys that were replaced so long ago that no session token can need them.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn expired(&self, now: Timestamp) -> Result<Vec<u32>, KeyringError> {
        if self.vault.numbers().len() < 2 {
            return Ok(Vec::new());
        }
        let succeeded = load(&*self.store)?.succeeded.into_iter();
        let over = succeeded.filter(|(number, at)| {
            *number != self.vault.newest() && now >= at.plus_secs(RETENTION_SECS)
        });
        Ok(over.map(|(number, _)| number).collect())
    }

    /// Removes data keys. Nothing stored may still be sealed with them.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub async fn forget(&self, numbers: &[u32]) -> Result<(), KeyringError> {
        let stored = load(&*self.store)?;
        let delete = |kind: &str, number: &u32| RecordWrite::Delete {
            kind: kind.to_owned(),
            id: number.to_string(),
        };
        let writes = numbers
            .iter()
            .flat_map(|number| [delete(DATA_KEY, number), delete(SUCCEEDED, number)]);
        commit(&*self.store, stored.version, writes.collect()).await?;
        numbers.iter().for_each(|number| self.vault.remove(*number));
        Ok(())
    }

    /// The vault that seals and opens with these keys.
    pub const fn vault(&self) -> &Arc<DataVault> {
        &self.vault
    }
}

/// Whether a master key opens the data keys among these records, which are those of
/// [`AccountId::INSTALLATION`]. Any key opens a ring without data keys.
pub fn opens(records: &[StateRecord], master: &MasterKey) -> bool {
    let mut stored = StoredKeyring::default();
    records.iter().for_each(|record| stored.take(record));
    stored.keys.is_empty() || DataVault::unlock(master, &stored.keys).is_ok()
}

impl StoredKeyring {
    fn take(&mut self, record: &StateRecord) {
        let Ok(number) = record.id.parse() else {
            return;
        };
        match record.kind.as_str() {
            DATA_KEY => self
                .keys
                .push((number, SealedValue::from_bytes(&record.body))),
            SUCCEEDED => {
                let text = std::str::from_utf8(&record.body).ok();
                let millis = text.and_then(|text| text.parse().ok());
                let at = millis.map(Timestamp::from_millis);
                self.succeeded.extend(at.map(|at| (number, at)));
            }
            _ => {}
        }
    }
}

fn load(store: &dyn Store) -> Result<StoredKeyring, StoreError> {
    let mut stored = StoredKeyring::default();
    let version = store.load(AccountId::INSTALLATION, &mut |record| stored.take(&record))?;
    stored.version = version.number;
    Ok(stored)
}

fn put(number: u32, sealed: &SealedValue) -> RecordWrite {
    RecordWrite::Put(StateRecord {
        kind: DATA_KEY.to_owned(),
        id: number.to_string(),
        body: sealed.as_bytes().to_vec(),
    })
}

async fn commit(store: &dyn Store, base: u64, writes: Vec<RecordWrite>) -> Result<(), StoreError> {
    let account = AccountId::INSTALLATION;
    let written = store.commit(LedgerCommit {
        account,
        base,
        lineage: None,
        lease: None,
        writes,
    });
    written.await.map(drop)
}

#[cfg(test)]
mod tests;
