//! Tests that each fault does what the script says and that an empty script is transparent.

use std::{cell::RefCell, sync::Arc};

use keywright_base::{AccountId, Timestamp};

use super::{ContractPart, FaultMoment, FaultyStore};
use crate::{
    SqliteStore,
    contract::{ActivityStore, LedgerCommit, LedgerStore, ListRange, ObjectIndex, StoreError},
    suite,
};

fn faulty(folder: &tempfile::TempDir) -> Arc<FaultyStore> {
    let inner = SqliteStore::open(&folder.path().join("db")).unwrap();
    Arc::new(FaultyStore::new(Arc::new(inner)))
}

fn commit(base: u64) -> LedgerCommit {
    LedgerCommit {
        account: AccountId::new(1).unwrap(),
        base,
        lineage: None,
        lease: None,
        writes: Vec::new(),
    }
}

fn lost<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result.unwrap_err(), StoreError::Unavailable(_))
}

#[test]
fn without_a_script_it_passes_the_suite() {
    let folders = RefCell::new(Vec::new());
    suite::run_all(|| {
        let folder = tempfile::tempdir().unwrap();
        let store = faulty(&folder);
        folders.borrow_mut().push(folder);
        store
    });
}

#[tokio::test]
async fn the_nth_write_of_a_part_fails_before_or_after_it_took_effect() {
    for (moment, after) in [(FaultMoment::Before, 1), (FaultMoment::After, 2)] {
        let folder = tempfile::tempdir().unwrap();
        let store = faulty(&folder);
        store.fail_write(ContractPart::Ledger, 2, moment);
        store.forget(Vec::new()).await.unwrap();
        assert_eq!(store.commit(commit(0)).await.unwrap(), 1);
        assert!(lost(store.commit(commit(1)).await));
        let stored = store.accounts().unwrap();
        assert_eq!(stored, [(AccountId::new(1).unwrap(), after)], "{moment:?}");
        assert_eq!(store.commit(commit(after)).await.unwrap(), after + 1);
    }
}

#[tokio::test]
async fn in_an_outage_everything_fails_and_nothing_happens() {
    let folder = tempfile::tempdir().unwrap();
    let store = faulty(&folder);
    store.outage(true);
    assert!(lost(store.commit(commit(0)).await));
    assert!(lost(store.accounts()));
    assert!(lost(store.bucket("b").await));
    assert!(lost(store.objects("b", ListRange::default()).await));
    assert!(lost(store.purge_sessions(Timestamp::from_secs(0)).await));
    store.outage(false);
    assert_eq!(store.accounts().unwrap(), []);
}

#[tokio::test]
async fn a_held_write_has_taken_effect_but_is_not_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let store = faulty(&folder);
    store.hold();
    let acknowledged = tokio::spawn(store.commit(commit(0)));
    store.held(1).await;
    assert_eq!(store.accounts().unwrap().len(), 1);
    assert!(!acknowledged.is_finished());
    store.release();
    assert_eq!(acknowledged.await.unwrap().unwrap(), 1);
}
