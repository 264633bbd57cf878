//! Accounts as read from the store, and the commits that lead from one version to the next.
//!
//! Invariant: a record that this version does not understand fails the load; it is never skipped.

use std::{sync::Arc, thread};

use keywright_base::{AccountId, Timestamp};
use keywright_store::contract::{
    CommitLineage, Lease, LedgerCommit, LineageTag, RecordWrite, Store, StoreError,
};
use ring::digest;

use super::LedgerError;
use crate::state::{Account, LoadContext, StateChange};

/// The state of an account with the tag of its version.
#[derive(Clone)]
pub(super) struct LoadedAccount {
    pub(super) account: Arc<Account>,
    tag: LineageTag,
}

impl LoadedAccount {
    /// An account that is not stored yet.
    pub(super) fn empty(id: AccountId, now: Timestamp) -> Self {
        Self {
            account: Arc::new(Account::empty(id, now)),
            tag: LineageTag::default(),
        }
    }

    /// The commit of these changes, and the resulting state.
    pub(super) fn changed(
        &self,
        changes: &[StateChange],
        lease: Option<&Lease>,
    ) -> Result<(LedgerCommit, Self), LedgerError> {
        let writes = changes.iter().map(StateChange::encode);
        let writes = writes.collect::<Result<Vec<_>, _>>()?;
        let tag = tag_after(self.tag, &writes);
        let commit = LedgerCommit {
            account: self.account.id(),
            base: self.account.version(),
            lineage: Some(CommitLineage {
                base: self.tag,
                new: tag,
            }),
            lease: lease.cloned(),
            writes,
        };
        let account = Arc::new(self.account.apply(changes));
        Ok((commit, Self { account, tag }))
    }
}

/// The tag of a version is derived from its base's tag and the writes, so that equal tags mean
/// equal contents.
fn tag_after(base: LineageTag, writes: &[RecordWrite]) -> LineageTag {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&base);
    for write in writes {
        let (word, kind, id, body): (&[u8], _, _, &[u8]) = match write {
            RecordWrite::Put(record) => (b"put", &record.kind, &record.id, &record.body),
            RecordWrite::Delete { kind, id } => (b"delete", kind, id, b""),
        };
        for text in [word, kind.as_bytes(), id.as_bytes(), body] {
            context.update(&text.len().to_be_bytes());
            context.update(text);
        }
    }
    let mut tag = LineageTag::default();
    for (byte, hash) in tag.iter_mut().zip(context.finish().as_ref()) {
        *byte = *hash;
    }
    tag
}

/// Reads an account from the store, off the request threads.
pub(super) async fn reload(
    store: &Arc<dyn Store>,
    id: AccountId,
    before: Option<Arc<Account>>,
) -> Result<LoadedAccount, LedgerError> {
    let store = Arc::clone(store);
    let loading = tokio::task::spawn_blocking(move || load_account(&*store, id, before.as_deref()));
    loading.await.unwrap_or_else(|_| Err(stopped()))
}

pub(super) fn stopped() -> LedgerError {
    StoreError::Unavailable("a task of the ledger stopped".to_owned()).into()
}

/// Distributes the accounts over as many threads as there are processors.
pub(super) fn load_accounts(
    store: &dyn Store,
    ids: &[AccountId],
) -> Result<Vec<LoadedAccount>, LedgerError> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = ids.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let load = |share: &[AccountId]| {
            let accounts = share.iter().map(|id| load_account(store, *id, None));
            accounts.collect::<Result<Vec<_>, _>>()
        };
        let shares = ids.chunks(share);
        let threads: Vec<_> = shares
            .map(|share| scope.spawn(move || load(share)))
            .collect();
        let mut loaded = Vec::with_capacity(ids.len());
        for thread in threads {
            loaded.extend(thread.join().map_err(|_| stopped())??);
        }
        Ok(loaded)
    })
}

fn load_account(
    store: &dyn Store,
    id: AccountId,
    before: Option<&Account>,
) -> Result<LoadedAccount, LedgerError> {
    let mut account = Account::empty(id, Timestamp::default());
    let (mut failure, mut context) = (None, LoadContext::replacing(before));
    let version = store.load(
        id,
        &mut |record| match StateChange::decode(&record, &mut context) {
            Ok(change) => account.load(std::slice::from_ref(&change), 0),
            Err(error) => failure = Some(error),
        },
    )?;
    account.load(&[], version.number);
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(LoadedAccount {
            account: Arc::new(account),
            tag: version.tag,
        }),
    }
}
