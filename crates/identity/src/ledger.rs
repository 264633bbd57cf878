//! The accounts of an installation: lock-free snapshots for readers, and writes that are computed
//! serially but committed in groups.
//!
//! Invariants:
//!
//! - No response is sent before the state it reports is durable. A write waits for its commit, and
//!   a rejection computed from a change that is still being flushed waits for that change.
//! - A snapshot becomes visible only once it is durable, and before its write is answered, so a
//!   revocation takes effect with the next request.
//! - Other processes may write to the same store. A write that conflicts with theirs is computed
//!   again from what they wrote, and [`IamLedger::refresh`] makes their commits visible here.

mod loaded;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use keywright_base::{AccountId, Timestamp};
use keywright_store::contract::{Lease, Store, StoreError};
use tokio::sync::watch;

use self::loaded::{LoadedAccount, load_accounts, reload, stopped};
use crate::{
    fault::IamFault,
    state::{Account, Membership, RecordError, StateChange},
};

/// How many times a write is computed before it gives up because other processes keep changing the
/// account.
const WRITE_ATTEMPTS: usize = 16;

/// Why the ledger failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The store failed, for this change or for an earlier one that it was computed from.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A record cannot be read or written.
    #[error("{0}")]
    Record(#[from] RecordError),
    /// An earlier change of the account was not committed, so this one was not written either.
    #[error("an earlier change of the account could not be committed")]
    Superseded,
}

impl LedgerError {
    /// Whether it is certain that nothing was written.
    const fn wrote_nothing(&self) -> bool {
        matches!(
            self,
            Self::Superseded | Self::Store(StoreError::Conflict { .. } | StoreError::LeaseLost(_))
        )
    }
}

impl From<LedgerError> for IamFault {
    fn from(error: LedgerError) -> Self {
        if error.wrote_nothing() {
            // Other processes kept changing the account, or took over.
            return Self::Throttled;
        }
        Self::Internal(error.to_string())
    }
}

/// Every account of the installation.
pub struct IamLedger {
    store: Arc<dyn Store>,
    accounts: ArcSwap<HashMap<AccountId, Arc<AccountCell>>>,
    /// How often an organization has changed.
    organizations_version: Arc<AtomicU64>,
    /// The store's sequence number up to which everything is visible here.
    refreshed: tokio::sync::Mutex<u64>,
}

impl std::fmt::Debug for IamLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger({} accounts)", self.accounts.load().len())
    }
}

impl IamLedger {
    /// Loads every account, several in parallel. Blocks; for startup.
    ///
    /// # Errors
    /// [`LedgerError`] if the store cannot be read or has a record that this version does not
    /// understand.
    pub fn load(store: Arc<dyn Store>) -> Result<Self, LedgerError> {
        // Read before the accounts, so that commits made in the meantime are read again.
        let refreshed = *store.watch().borrow();
        let mut listed = store.accounts()?;
        listed.retain(|(id, _)| *id != AccountId::INSTALLATION);
        let ids: Vec<_> = listed.into_iter().map(|(id, _)| id).collect();
        let loaded = load_accounts(&*store, &ids)?;
        let version = Arc::<AtomicU64>::default();
        let cell = |loaded: LoadedAccount| {
            let cell = AccountCell::new(loaded, Arc::clone(&version));
            (cell.snapshot().id(), Arc::new(cell))
        };
        let accounts: HashMap<_, _> = loaded.into_iter().map(cell).collect();
        Ok(Self {
            store,
            organizations_version: version,
            accounts: ArcSwap::from_pointee(accounts),
            refreshed: tokio::sync::Mutex::new(refreshed),
        })
    }

    /// The account, if it exists.
    pub fn account(&self, id: AccountId) -> Option<Arc<AccountCell>> {
        self.accounts.load().get(&id).map(Arc::clone)
    }

    /// The organization of an account in its newest durable state, if it is a member of one.
    pub(crate) fn membership(&self, account: &Account) -> Option<Membership> {
        let id = account.id();
        if account.organization().organization().is_some() {
            return Membership::of(id, id, account.organization());
        }
        let management = account.management()?;
        let cell = self.account(management)?;
        let snapshot = cell.snapshot();
        Membership::of(id, management, snapshot.organization())
    }

    /// As [`IamLedger::membership`], by the account's ID.
    pub(crate) fn membership_of(&self, id: AccountId) -> Option<Membership> {
        let cell = self.account(id)?;
        let snapshot = cell.snapshot();
        self.membership(&snapshot)
    }

    /// Whether the account was closed by its organization.
    pub(crate) fn is_closed(&self, account: &Account) -> bool {
        account.management().is_some()
            && self
                .membership(account)
                .is_some_and(|membership| membership.is_closed())
    }

    /// A number that has changed once a change of an organization is visible. What is decided after
    /// reading it is still valid while it stays the same.
    pub fn organizations_version(&self) -> u64 {
        self.organizations_version.load(Ordering::Acquire)
    }

    /// The account that has this alias or is about to get it. Includes changes still being flushed,
    /// so that an alias is never assigned twice.
    pub fn alias_holder(&self, alias: &str) -> Option<AccountId> {
        let accounts = self.accounts.load();
        let mut holders = accounts.iter().filter(|(_, cell)| {
            let newest = Arc::clone(&cell.head().newest.account);
            newest.settings().alias.as_deref() == Some(alias)
        });
        holders.next().map(|(id, _)| *id)
    }

    /// The IDs of all accounts, ascending.
    pub fn ids(&self) -> Vec<AccountId> {
        let mut ids: Vec<_> = self.accounts.load().keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Creates an account with its first changes.
    ///
    /// # Errors
    /// [`LedgerError::Store`] with a conflict if the account exists.
    pub async fn create(
        &self,
        id: AccountId,
        now: Timestamp,
        changes: &[StateChange],
    ) -> Result<(), LedgerError> {
        let (commit, created) = LoadedAccount::empty(id, now).changed(changes, None)?;
        self.store.commit(commit).await?;
        self.admit(created);
        Ok(())
    }

    /// Makes everything visible that other processes have committed so far: changes of known
    /// accounts, and new accounts.
    ///
    /// # Errors
    /// [`LedgerError`]; the next call tries again.
    pub async fn refresh(&self) -> Result<(), LedgerError> {
        let mut refreshed = self.refreshed.lock().await;
        let changes = self.store.changes_since(*refreshed).await?;
        for (id, version) in changes.accounts {
            if id == AccountId::INSTALLATION {
                continue;
            }
            match self.account(id) {
                Some(cell) => cell.catch_up(&self.store, version).await?,
                None => self.admit(reload(&self.store, id, None).await?),
            }
        }
        *refreshed = changes.sequence;
        Ok(())
    }

    fn admit(&self, loaded: LoadedAccount) {
        let id = loaded.account.id();
        let version = Arc::clone(&self.organizations_version);
        let cell = Arc::new(AccountCell::new(loaded, version));
        self.accounts.rcu(|accounts| {
            let mut accounts = HashMap::clone(accounts);
            // A concurrent refresh may have been faster.
            accounts.entry(id).or_insert_with(|| Arc::clone(&cell));
            accounts
        });
    }

    /// Computes a change from an account's newest state and commits it.
    ///
    /// `compute` runs exclusively for the account and must be quick. It returns a response and the
    /// changes. The response is returned once the changes, and everything they were computed from,
    /// are durable. A rejection (`Err`) is returned once the state it was computed from is durable.
    /// If another process changed the account in the meantime, `compute` runs again on the new
    /// state.
    ///
    /// # Errors
    /// The outer error if the store failed, in which case the outcome is unknown and must not be
    /// reported, or if other processes keep changing the account.
    pub async fn write<T, E>(
        &self,
        cell: &Arc<AccountCell>,
        compute: impl FnMut(&Account) -> Result<(T, Vec<StateChange>), E>,
    ) -> Result<Result<T, E>, LedgerError> {
        self.write_under(None, cell, compute).await
    }

    /// As [`IamLedger::write`], but under a lease of the store: nothing is committed if another
    /// process has taken it.
    ///
    /// # Errors
    /// As [`IamLedger::write`], and [`StoreError::LeaseLost`].
    pub(crate) async fn write_under<T, E>(
        &self,
        lease: Option<&Lease>,
        cell: &Arc<AccountCell>,
        mut compute: impl FnMut(&Account) -> Result<(T, Vec<StateChange>), E>,
    ) -> Result<Result<T, E>, LedgerError> {
        let mut overtaken = LedgerError::Superseded;
        for _ in 0..WRITE_ATTEMPTS {
            if cell.head().failed {
                cell.recover(&self.store).await?;
            }
            let (answer, waiting) = {
                let mut head = cell.head();
                let (answer, changes) = match compute(&head.newest.account) {
                    Ok((answer, changes)) => (Ok(answer), changes),
                    Err(refusal) => (Err(refusal), Vec::new()),
                };
                let waiting = if changes.is_empty() {
                    CommitWait::For(head.newest.account.version(), head.generation)
                } else {
                    CommitWait::Flush(cell.flush(&mut head, &self.store, (&changes, lease))?)
                };
                (answer, waiting)
            };
            let waited = match waiting {
                CommitWait::For(version, generation) => cell.durable(version, generation).await,
                CommitWait::Flush(task) => task.await.unwrap_or_else(|_| Err(stopped())),
            };
            match waited {
                Ok(()) => return Ok(answer),
                Err(LedgerError::Store(lost @ StoreError::LeaseLost(_))) => return Err(lost.into()),
                Err(error) if error.wrote_nothing() => overtaken = error,
                Err(error) => return Err(error),
            }
        }
        Err(overtaken)
    }
}

enum CommitWait {
    For(u64, u64),
    Flush(tokio::task::JoinHandle<Result<(), LedgerError>>),
}

/// The newest computed state, possibly not durable yet.
struct ComputedHead {
    newest: LoadedAccount,
    /// Incremented by each recovery, so that waiters learn that their version will never be
    /// durable.
    generation: u64,
    failed: bool,
}

/// The version up to which the account is durable.
#[derive(Debug, Clone, Copy)]
struct DurablePoint {
    version: u64,
    generation: u64,
}

/// An account: the durable snapshot for readers, the computed head for writers.
pub struct AccountCell {
    snapshot: ArcSwap<Account>,
    head: Mutex<ComputedHead>,
    durable: watch::Sender<DurablePoint>,
    recovering: tokio::sync::Mutex<()>,
    organizations_version: Arc<AtomicU64>,
}

impl std::fmt::Debug for AccountCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let snapshot = self.snapshot.load();
        write!(
            f,
            "AccountCell({} at version {})",
            snapshot.id(),
            snapshot.version()
        )
    }
}

impl AccountCell {
    fn new(newest: LoadedAccount, organizations_version: Arc<AtomicU64>) -> Self {
        let account = Arc::clone(&newest.account);
        let durable = DurablePoint {
            version: account.version(),
            generation: 0,
        };
        Self {
            snapshot: ArcSwap::from(account),
            head: Mutex::new(ComputedHead {
                newest,
                generation: 0,
                failed: false,
            }),
            durable: watch::Sender::new(durable),
            organizations_version,
            recovering: tokio::sync::Mutex::new(()),
        }
    }

    /// The latest durable snapshot.
    pub fn snapshot(&self) -> arc_swap::Guard<Arc<Account>> {
        self.snapshot.load()
    }

    fn head(&self) -> MutexGuard<'_, ComputedHead> {
        // A panic inside `compute` leaves the head unchanged: it is replaced only afterwards.
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues the commit and advances the head. The flush runs in its own task, so a durable change
    /// becomes visible even if the client disconnects.
    fn flush(
        self: &Arc<Self>,
        head: &mut ComputedHead,
        store: &Arc<dyn Store>,
        (changes, lease): (&[StateChange], Option<&Lease>),
    ) -> Result<tokio::task::JoinHandle<Result<(), LedgerError>>, LedgerError> {
        let (commit, next) = head.newest.changed(changes, lease)?;
        let pending = store.commit(commit);
        head.newest = next.clone();
        let (cell, generation) = (Arc::clone(self), head.generation);
        let store = Arc::clone(store);
        Ok(tokio::spawn(async move {
            match pending.await {
                Ok(_) => {
                    cell.publish(next.account, generation);
                    Ok(())
                }
                Err(error) => {
                    cell.fail(generation);
                    if let StoreError::Conflict { .. } = error {
                        // Readers must see what the other processes wrote, too.
                        cell.recover(&store).await?;
                    }
                    Err(error.into())
                }
            }
        }))
    }

    /// Makes a durable snapshot visible unless a newer one already is.
    fn publish(&self, account: Arc<Account>, generation: u64) {
        let version = account.version();
        let before = self.snapshot.rcu(|current| {
            if current.version() < version {
                Arc::clone(&account)
            } else {
                Arc::clone(current)
            }
        });
        // After the snapshot and before the write is answered.
        if !Arc::ptr_eq(before.organization(), account.organization()) {
            self.organizations_version.fetch_add(1, Ordering::AcqRel);
        }
        self.durable.send_if_modified(|durable| {
            let newer = durable.generation == generation && durable.version < version;
            if newer {
                durable.version = version;
            }
            newer
        });
    }

    /// Discards the head if it is of this generation.
    fn fail(&self, generation: u64) {
        let mut head = self.head();
        if head.generation == generation {
            self.discard(&mut head);
        }
    }

    /// Makes the next write or [`AccountCell::recover`] read the stored state. Waiters for a
    /// version of this generation that is not durable learn that it never will be.
    fn discard(&self, head: &mut ComputedHead) {
        head.failed = true;
        head.generation += 1;
        let generation = head.generation;
        self.durable
            .send_modify(|durable| durable.generation = generation);
    }

    /// Makes the stored version, or a later one, visible.
    async fn catch_up(
        self: &Arc<Self>,
        store: &Arc<dyn Store>,
        version: u64,
    ) -> Result<(), LedgerError> {
        let ahead = {
            let mut head = self.head();
            let ahead = head.newest.account.version() >= version;
            if !head.failed && !ahead {
                self.discard(&mut head);
            }
            (!head.failed && ahead).then_some(head.generation)
        };
        // If this process has computed that version, then either the stored version is its own
        // commit and about to become visible, or its commit is about to fail.
        if let Some(generation) = ahead
            && self.durable(version, generation).await.is_ok()
        {
            return Ok(());
        }
        self.recover(store).await
    }

    async fn durable(&self, version: u64, generation: u64) -> Result<(), LedgerError> {
        let mut watch = self.durable.subscribe();
        let reached = watch
            .wait_for(|durable| durable.generation != generation || durable.version >= version)
            .await
            .map_err(|_| LedgerError::Superseded)?;
        // What was durable before a failure stays durable.
        if reached.version >= version {
            Ok(())
        } else {
            Err(LedgerError::Superseded)
        }
    }

    /// Reads the stored state if the head was discarded.
    async fn recover(self: &Arc<Self>, store: &Arc<dyn Store>) -> Result<(), LedgerError> {
        let _alone = self.recovering.lock().await;
        if !self.head().failed {
            return Ok(());
        }
        let before = self.snapshot.load_full();
        let loaded = reload(store, before.id(), Some(before)).await?;
        let generation = {
            let mut head = self.head();
            head.newest = loaded.clone();
            head.failed = false;
            head.generation
        };
        self.publish(loaded.account, generation);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
