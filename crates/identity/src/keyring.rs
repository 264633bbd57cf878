//! The stored ring of data keys, one record each, under the installation's own account.
//!
//! The rule: all stored data keys are sealed by one master key, and a data key seals nothing before
//! it is stored. So a crash at any point leaves a ring that one master key opens as a whole.

use std::sync::Arc;

use keywright_base::{AccountId, Entropy};
use keywright_store::contract::{Commit, Record, Store, StoreError, Write};

use crate::vault::{KeyId, MasterKey, OpenError, Sealed, Vault};

/// The kind of the records of data keys; the id is the key's number.
const DATA_KEY: &str = "keyring";

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
        /// The key that sealed the ring; nothing for a ring of before keys had ids.
        needed: Option<KeyId>,
        /// The key that was given.
        given: KeyId,
    },
    /// The cipher failed, or what is stored is damaged.
    #[error("{0}")]
    Sealed(#[from] OpenError),
}

fn named(id: Option<KeyId>) -> String {
    id.map_or_else(|| "another one".to_owned(), |id| id.to_string())
}

/// What is stored of the ring.
#[derive(Default)]
struct Stored {
    version: u64,
    keys: Vec<(u32, Sealed)>,
}

/// The ring of an installation.
pub struct Keyring {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({:?})", self.vault.numbers())
    }
}

impl Keyring {
    /// Opens the ring; makes the first data key where there is none. Reads the store, blocking.
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
            let (vault, first) = Vault::create(master, &*entropy)?;
            commit(&*store, stored.version, vec![put(1, &first)]).await?;
            vault
        } else {
            let needed = stored.keys.iter().find_map(|(_, key)| KeyId::of(key));
            Vault::unlock(master, &stored.keys).map_err(|_| KeyringError::WrongMasterKey {
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

    /// What seals and opens.
    pub const fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }
}

fn load(store: &dyn Store) -> Result<Stored, StoreError> {
    let accounts = store.accounts()?;
    let found = accounts
        .iter()
        .find(|(id, _)| *id == AccountId::INSTALLATION);
    let Some((account, version)) = found else {
        return Ok(Stored::default());
    };
    let mut stored = Stored {
        version: *version,
        keys: Vec::new(),
    };
    store.load(*account, &mut |record| {
        if record.kind == DATA_KEY
            && let Ok(number) = record.id.parse()
        {
            stored.keys.push((number, Sealed::from_bytes(&record.body)));
        }
    })?;
    Ok(stored)
}

fn put(number: u32, sealed: &Sealed) -> Write {
    Write::Put(Record {
        kind: DATA_KEY.to_owned(),
        id: number.to_string(),
        body: sealed.as_bytes().to_vec(),
    })
}

async fn commit(store: &dyn Store, base: u64, writes: Vec<Write>) -> Result<(), StoreError> {
    let account = AccountId::INSTALLATION;
    let written = store.commit(Commit {
        account,
        base,
        writes,
    });
    written.await.map(drop)
}
