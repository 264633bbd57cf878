//! Leases: one holder at a time, and commits that name theirs.

use std::sync::Arc;

use super::{account, at, done, wait};
use crate::contract::{Lease, LeaseRequest, LedgerCommit, Store, StoreError};

const ME: u8 = 1;
const OTHER: u8 = 2;

pub(super) fn one_holder_at_a_time(store: Arc<dyn Store>) {
    let first = acquire(&*store, ME, 0, 10).unwrap();
    assert_eq!(acquire(&*store, OTHER, 0, 10), None);
    assert_eq!(acquire(&*store, OTHER, 9, 20), None);
    // The same holder may renew it, with a new token; so may anyone once it has expired.
    let renewed = acquire(&*store, ME, 9, 20).unwrap();
    assert_eq!(acquire(&*store, OTHER, 19, 30), None);
    let taken = acquire(&*store, OTHER, 20, 30).unwrap();
    assert!(first.token < renewed.token && renewed.token < taken.token);
    // Releasing a lease that another holder has taken changes nothing.
    done(store.release_lease(renewed));
    assert_eq!(acquire(&*store, ME, 21, 30), None);
    done(store.release_lease(taken.clone()));
    let again = acquire(&*store, ME, 21, 30).unwrap();
    assert!(taken.token < again.token);
    let elsewhere = LeaseRequest {
        name: "elsewhere".into(),
        ..request(OTHER, 21, 30)
    };
    assert!(done(store.acquire_lease(elsewhere)).is_some());
}

pub(super) fn a_commit_without_its_lease_is_rejected(store: Arc<dyn Store>) {
    let commit = |base, lease: &Lease| LedgerCommit {
        account: account(1),
        base,
        lineage: None,
        lease: Some(lease.clone()),
        writes: Vec::new(),
    };
    let lost = |lease: &Lease| {
        let result = wait(store.commit(commit(1, lease)));
        assert!(matches!(result, Err(StoreError::LeaseLost(name)) if name == lease.name));
        assert_eq!(store.accounts().unwrap(), [(account(1), 1)]);
    };
    let mine = acquire(&*store, ME, 0, 10).unwrap();
    done(store.commit(commit(0, &mine)));
    let taken = acquire(&*store, OTHER, 10, 20).unwrap();
    lost(&mine);
    done(store.release_lease(taken.clone()));
    lost(&taken);
    lost(&Lease {
        name: "never acquired".into(),
        token: 1,
    });
    // It may have expired, as long as no one took it.
    let expired = acquire(&*store, ME, 30, 30).unwrap();
    done(store.commit(commit(1, &expired)));
}

fn acquire(store: &dyn Store, holder: u8, now: i64, expires: i64) -> Option<Lease> {
    done(store.acquire_lease(request(holder, now, expires)))
}

fn request(holder: u8, now: i64, expires: i64) -> LeaseRequest {
    LeaseRequest {
        name: "work".into(),
        holder: [holder; 16],
        now: at(now),
        expires: at(expires),
    }
}
