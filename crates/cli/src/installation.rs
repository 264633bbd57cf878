//! An installation: a data folder opened with its master key, and the maintenance of its
//! encryption.
//!
//! A changed master key, an outdated data key and plaintext of earlier versions are all handled the
//! same way: seal again whatever is not sealed by the newest data key, until a pass finds nothing.
//! This runs in the background, and the next start resumes it after an interruption.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context;
use keywright_base::{AccountId, Clock, Entropy, Secret};
use keywright_fleet::journal::SqliteJournal;
use keywright_identity::{Identity, keyring, service::IdentityParts};
use keywright_objects::{Objects, StorageQuotas};
use keywright_store::{
    contract::{LedgerStore, StateRecord},
    reserve::DiskReserve,
    sqlite::SqliteStore,
};
use keywright_vault::MasterKey;

use crate::{
    data_dir::DataDir,
    master_key::{KeyChange, KeySource, SourceContext},
};

/// Seconds between checks for a change of the master key.
const LOOK_SECS: u64 = 1;
/// Seconds between checks for data keys that can be deleted.
const EXPIRED_SECS: u64 = 600;
/// Seconds before a retry.
const AGAIN_SECS: u64 = 60;

/// An open installation.
#[derive(Clone)]
pub(crate) struct Installation {
    pub(crate) data: DataDir,
    pub(crate) identity: Arc<Identity>,
    pub(crate) objects: Objects,
    pub(crate) journal: SqliteJournal,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) reserve: Arc<DiskReserve>,
    clock: Arc<dyn Clock>,
    /// The current master key, which opens the file of a change.
    master_key: Arc<Mutex<Secret<Vec<u8>>>>,
}

impl Installation {
    /// Opens a data folder and creates what is missing.
    ///
    /// # Errors
    /// With a message for the operator.
    pub(crate) async fn open(
        data: DataDir,
        source: &KeySource,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
    ) -> anyhow::Result<Self> {
        // Before the database: a new master key may be created only if there is no database yet.
        let seams = SourceContext {
            data: &data,
            clock,
            entropy,
        };
        let database = data.database();
        if !database.exists() {
            data.check_nothing_left()?;
        }
        let given = source.load(&seams).await?;
        let reserve = open_reserve(&data)?;
        let store = SqliteStore::open_with(&database, Some(Arc::clone(&reserve)));
        let store = store.with_context(|| format!("cannot open {}", database.display()))?;
        let store = Arc::new(store);
        let mut accounts = store.accounts()?.into_iter();
        if accounts.all(|(id, _)| id == AccountId::INSTALLATION) {
            data.check_nothing_left()?;
        }
        let master = in_force(&data, &store, given)?;
        let identity = Identity::open(IdentityParts {
            store: Arc::clone(&store) as _,
            master_key: master.bytes().clone(),
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
            projections: Vec::new(),
        });
        let identity = identity.await?;
        let objects = open_objects(&data, Arc::clone(&store), &identity, (clock, entropy)).await?;
        let (vault, time) = (Arc::clone(identity.vault()), Arc::clone(clock));
        let journal = SqliteJournal::open_sealed_by(vault, data.path(), time, Arc::clone(entropy));
        let journal = journal.context("cannot open the journal of rotations")?;
        let journal = journal.on_disk_with(Arc::clone(&reserve));
        Ok(Self {
            data,
            identity,
            objects,
            journal,
            store,
            reserve,
            clock: Arc::clone(clock),
            master_key: Arc::new(Mutex::new(master.bytes().clone())),
        })
    }

    /// Applies the quotas, and keeps objects from using the disk reserve.
    ///
    /// # Errors
    /// If the stored data cannot be counted.
    pub(crate) async fn with_quotas(mut self, quotas: StorageQuotas) -> anyhow::Result<Self> {
        let limited = self.objects.with_limits(Arc::clone(&self.reserve), quotas);
        self.objects = limited.await.context("cannot count the objects")?;
        Ok(self)
    }

    /// Finishes what an interruption or an earlier version left, then carries out each change of
    /// the master key that `keywright master-key rotate` requests. Never returns.
    pub(crate) async fn keep_sealed(self) {
        let mut unfinished = self.objects.opened_stale() || self.identity.is_stale();
        let mut looked_for_expired = tokio::time::Instant::now();
        loop {
            let expired = looked_for_expired.elapsed() >= Duration::from_secs(EXPIRED_SECS);
            let done = self.keep_sealed_once(unfinished, expired).await;
            if expired {
                looked_for_expired = tokio::time::Instant::now();
            }
            unfinished = done.is_err();
            let pause = match done {
                Ok(()) => LOOK_SECS,
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(error, "stored secrets were not all sealed again");
                    AGAIN_SECS
                }
            };
            #[expect(
                clippy::disallowed_methods,
                reason = "the command that asks for a change may run on no signal but a file"
            )]
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
    }

    async fn keep_sealed_once(&self, unfinished: bool, expired: bool) -> anyhow::Result<()> {
        if !self.finish_change().await? && unfinished {
            self.reseal().await?;
        }
        if expired {
            let over = self.identity.keyring().expired(self.clock.now())?;
            if !over.is_empty() {
                self.reseal().await?;
                self.identity.keyring().forget(&over).await?;
            }
        }
        Ok(())
    }

    /// Carries out the recorded change of the master key, if there is one. Returns whether there
    /// was.
    ///
    /// # Errors
    /// With a message for the operator. Completed work stays.
    pub(crate) async fn finish_change(&self) -> anyhow::Result<bool> {
        let Some(bytes) = self.data.read_change()? else {
            return Ok(false);
        };
        let given = MasterKey::new(self.master_key().clone())?;
        let change = KeyChange::open(&bytes, given)?.map_err(|given| {
            anyhow::anyhow!("the change of the master key is not from {}", given.id())
        })?;
        let records = sealed_records(&**self.identity.store())?;
        if !keyring::opens(&records, &change.to) {
            let now = self.clock.now();
            self.identity
                .keyring()
                .change_master(&change.to, now)
                .await?;
            *self.master_key() = change.to.bytes().clone();
            tracing::info!(from = %change.from.id(), to = %change.to.id(), "master key changed");
        }
        self.reseal().await?;
        change.home.settle(&self.data, &change)?;
        self.data.remove_change()?;
        Ok(true)
    }

    fn master_key(&self) -> MutexGuard<'_, Secret<Vec<u8>>> {
        self.master_key
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals again whatever is not sealed by the newest data key, until a pass finds nothing.
    async fn reseal(&self) -> anyhow::Result<()> {
        loop {
            let accounts = self.identity.ledger().ids();
            let secrets = self.identity.reseal().await?;
            self.journal.reseal().await?;
            let objects = self.objects.reseal(&accounts).await;
            let objects = objects.map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
            if secrets == 0 && objects == 0 {
                return Ok(());
            }
            tracing::info!(secrets, objects, "sealed again by the newest key");
        }
    }
}

fn open_reserve(data: &DataDir) -> anyhow::Result<Arc<DiskReserve>> {
    let folder = data.path();
    let cannot = || format!("cannot keep a disk reserve in {}", folder.display());
    DiskReserve::open(folder).map(Arc::new).with_context(cannot)
}

/// Determines which key opens the stored data: the given master key or, during a change, the other
/// one.
fn in_force(data: &DataDir, store: &SqliteStore, given: MasterKey) -> anyhow::Result<MasterKey> {
    let Some(bytes) = data.read_change()? else {
        return Ok(given);
    };
    match KeyChange::open(&bytes, given)? {
        Ok(change) if keyring::opens(&sealed_records(store)?, &change.to) => Ok(change.to),
        Ok(change) => Ok(change.from),
        Err(given) => Ok(given),
    }
}

fn sealed_records(store: &(impl LedgerStore + ?Sized)) -> anyhow::Result<Vec<StateRecord>> {
    let mut records = Vec::new();
    store.load(AccountId::INSTALLATION, &mut |record| records.push(record))?;
    Ok(records)
}

async fn open_objects(
    data: &DataDir,
    store: Arc<SqliteStore>,
    identity: &Identity,
    (clock, entropy): (&Arc<dyn Clock>, &Arc<dyn Entropy>),
) -> anyhow::Result<Objects> {
    let (folder, vault) = (data.objects(), Arc::clone(identity.vault()));
    let (clock, entropy) = (Arc::clone(clock), Arc::clone(entropy));
    let opening =
        tokio::task::spawn_blocking(move || Objects::open(folder, store, vault, clock, entropy));
    opening.await?.context("cannot open the objects")
}

#[cfg(test)]
mod tests;
