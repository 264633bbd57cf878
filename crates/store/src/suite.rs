//! The contract as tests that run against any store.
//!
//! Invariant: a sentence of [`crate::contract`] that no case here checks is not a promise. The
//! suite knows no engine; crashes are tested from outside, by killing the process.

#![allow(
    clippy::unwrap_used,
    reason = "a suite is a test: it fails by panicking"
)]

mod blobs;
mod index;
mod journal;
mod leases;
mod ledger;
mod ranges;
mod stamps;
mod versions;

use std::{
    fmt::Debug,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use keywright_base::{AccessKeyId, AccountId, Entropy, Timestamp};

use crate::contract::{FailedPrecondition, ObjectIndex, Store, StoreError};

/// Runs every case, each with a fresh, empty store from `make`.
///
/// # Panics
/// When the store breaks the contract.
pub fn run_all(make: impl Fn() -> Arc<dyn Store>) {
    let cases: &[fn(Arc<dyn Store>)] = &[
        ledger::versions,
        ledger::records,
        ledger::order_of_calls,
        ledger::a_refused_commit_fails_alone,
        ledger::a_dropped_future_is_not_a_cancelled_commit,
        ledger::one_of_many_wins,
        ledger::an_acknowledged_commit_is_visible,
        ledger::changes,
        ledger::lineages,
        leases::one_holder_at_a_time,
        leases::a_commit_without_its_lease_is_rejected,
        journal::last_uses,
        journal::attempts,
        journal::attempt_rows_are_capped,
        journal::sessions,
        journal::sessions_of_a_key_are_capped,
        journal::sessions_of_an_action_and_ended_ones_take_no_room,
        journal::sessions_come_in_pages,
    ];
    for case in cases {
        case(make());
    }
    run_index(|| make());
}

/// Runs the cases of the object index alone, each with a fresh, empty index from `make`.
///
/// # Panics
/// When the index breaks the contract.
pub fn run_index(make: impl Fn() -> Arc<dyn ObjectIndex>) {
    let cases: &[fn(Arc<dyn ObjectIndex>)] = &[
        index::buckets,
        index::objects,
        index::what_an_object_must_be,
        index::uploads_and_parts,
        index::a_batch_is_all_or_nothing,
        index::a_refused_batch_fails_alone,
        index::every_body,
        index::listings_cut_bodies,
        blobs::a_fresh_blob_must_be_reserved,
        blobs::displaced_blobs_are_to_be_deleted,
        blobs::parts_blobs_move_to_the_object,
        blobs::reservations_expire,
        ranges::of_objects,
        ranges::of_buckets,
        ranges::of_uploads,
        ranges::of_parts,
        versions::newest_is_current,
        versions::delete_markers,
        versions::the_null_version,
        versions::conditions,
        versions::every_order_of_writes,
        stamps::written_rows_get_other_stamps,
    ];
    for case in cases {
        case(make());
    }
}

/// Checks that acknowledged writes are found again. `open` opens the same medium every time, which
/// is empty at first. The store of one call is dropped before the next call.
///
/// # Panics
/// When something is missing.
pub fn run_reopening(open: impl Fn() -> Arc<dyn Store>) {
    for round in 0..3 {
        ledger::reopened(&*open(), round);
        journal::reopened(&*open(), round);
        index::reopened(&*open(), round);
        blobs::reopened(&*open(), round);
    }
}

/// Blocks this thread on a future, whichever engine it comes from.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Waits for a result that must be `Ok`.
fn done<T>(future: impl Future<Output = Result<T, StoreError>>) -> T {
    wait(future).unwrap()
}

/// Asserts which precondition failed.
fn refused<T: Debug>(result: Result<T, StoreError>, expected: &FailedPrecondition) {
    let failed = match &result {
        Err(StoreError::Precondition(failed)) => Some(failed),
        _ => None,
    };
    assert_eq!(failed, Some(expected), "{result:?}");
}

fn account(number: u64) -> AccountId {
    AccountId::new(number).unwrap()
}

/// Returns a distinct key id for every number.
fn key(number: u64) -> AccessKeyId {
    struct Fixed(u64);
    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            let bytes = self.0.to_be_bytes();
            for (slot, byte) in buffer.iter_mut().rev().zip(bytes.into_iter().rev()) {
                *slot = byte;
            }
        }
    }
    AccessKeyId::generate(account(1), &Fixed(number))
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}
