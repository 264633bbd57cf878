//! A store that fails on demand: it wraps another engine and follows a test's script.
//!
//! Invariant: a test can produce every outcome that the contract allows, including a lost or late
//! acknowledgement, without a clock. It produces no outcome that a real engine could not have.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use keywright_base::{AccessKeyId, AccountId, Timestamp};
use tokio::sync::watch;

use crate::contract::{
    AccountVersion, ActivityStore, BlobJournal, BlobName, BucketRow, DisplacedRows, IndexWrite,
    IssuedSession, KeyAttempt, LastUse, Lease, LeaseRequest, LeaseStore, LedgerChanges,
    LedgerCommit, LedgerStore, ListRange, ObjectIndex, ObjectRow, PartRow, PendingDelete,
    PendingDeletePage, RowStamp, SessionPage, StateRecord, Store, StoreError, StoreFuture,
    UploadRow,
};

/// A part of the contract whose writes are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContractPart {
    /// [`LedgerStore::commit`].
    Ledger,
    /// The writes of [`LeaseStore`].
    Leases,
    /// The writes of [`ActivityStore`].
    Journal,
    /// [`ObjectIndex::apply`].
    Index,
    /// The writes of [`BlobJournal`].
    Blobs,
}

/// The point at which a write fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultMoment {
    /// Before the write: nothing was written.
    Before,
    /// After the write: it took effect durably, but the acknowledgement is lost.
    After,
}

/// A store that follows a script. Without a script it behaves like the store it wraps.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    script: Mutex<FaultPlan>,
    gate: watch::Sender<WriteGate>,
}

#[derive(Default)]
struct FaultPlan {
    down: bool,
    faults: Vec<PlannedFault>,
}

struct PlannedFault {
    part: ContractPart,
    /// The number of writes to that part up to and including the failing one.
    distance: usize,
    moment: FaultMoment,
}

#[derive(Default)]
struct WriteGate {
    shut: bool,
    waiting: usize,
}

impl FaultyStore {
    /// Wraps a store.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            script: Mutex::default(),
            gate: watch::Sender::default(),
        }
    }

    /// Makes the `nth` write to a part fail, counted from now; 1 is the next write.
    pub fn fail_write(&self, part: ContractPart, nth: usize, moment: FaultMoment) {
        self.script().faults.push(PlannedFault {
            part,
            distance: nth,
            moment,
        });
    }

    /// While `down`, every call fails and nothing is read or written.
    pub fn outage(&self, down: bool) {
        self.script().down = down;
    }

    /// From now on, writes take effect but are not acknowledged until [`FaultyStore::release`].
    pub fn hold(&self) {
        self.gate.send_modify(|gate| gate.shut = true);
    }

    /// Acknowledges the held writes, and later writes immediately.
    pub fn release(&self) {
        self.gate.send_modify(|gate| gate.shut = false);
    }

    /// Waits until at least `count` writes have taken effect and await their acknowledgement. Only
    /// writes whose futures are being polled count.
    pub async fn held(&self, count: usize) {
        // `self` owns the sender, so the channel cannot be closed.
        let _ = self
            .gate
            .subscribe()
            .wait_for(|gate| gate.waiting >= count)
            .await;
    }

    fn write<T: Send + 'static>(
        &self,
        part: ContractPart,
        start: impl FnOnce(&dyn Store) -> StoreFuture<Result<T, StoreError>>,
    ) -> StoreFuture<Result<T, StoreError>> {
        match self.script().next(part) {
            Some(FaultMoment::Before) => failed(),
            Some(FaultMoment::After) => {
                let held = self.held_back(start(&*self.inner));
                Box::pin(async {
                    held.await?;
                    Err(scripted())
                })
            }
            None => self.held_back(start(&*self.inner)),
        }
    }

    fn held_back<T: Send + 'static>(
        &self,
        work: StoreFuture<Result<T, StoreError>>,
    ) -> StoreFuture<Result<T, StoreError>> {
        let gate = self.gate.clone();
        Box::pin(async move {
            let result = work.await;
            gate.send_modify(|gate| gate.waiting += 1);
            let _ = gate.subscribe().wait_for(|gate| !gate.shut).await;
            gate.send_modify(|gate| gate.waiting -= 1);
            result
        })
    }

    fn read<T: Send + 'static>(
        &self,
        start: impl FnOnce(&dyn Store) -> StoreFuture<Result<T, StoreError>>,
    ) -> StoreFuture<Result<T, StoreError>> {
        if self.script().down {
            failed()
        } else {
            start(&*self.inner)
        }
    }

    fn up(&self) -> Result<&dyn Store, StoreError> {
        if self.script().down {
            Err(scripted())
        } else {
            Ok(&*self.inner)
        }
    }

    fn script(&self) -> MutexGuard<'_, FaultPlan> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FaultPlan {
    /// Returns the fault of the next write to a part, if any.
    fn next(&mut self, part: ContractPart) -> Option<FaultMoment> {
        for fault in self.faults.iter_mut().filter(|fault| fault.part == part) {
            fault.distance = fault.distance.saturating_sub(1);
        }
        let due = self
            .faults
            .iter()
            .position(|fault| fault.part == part && fault.distance == 0);
        let fault = due.map(|at| self.faults.swap_remove(at));
        if self.down {
            Some(FaultMoment::Before)
        } else {
            fault.map(|fault| fault.moment)
        }
    }
}

fn failed<T: Send + 'static>() -> StoreFuture<Result<T, StoreError>> {
    Box::pin(async { Err(scripted()) })
}

fn scripted() -> StoreError {
    StoreError::Unavailable("scripted failure".into())
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").finish_non_exhaustive()
    }
}

impl LedgerStore for FaultyStore {
    fn accounts(&self) -> Result<Vec<(AccountId, u64)>, StoreError> {
        self.up()?.accounts()
    }

    fn load(
        &self,
        account: AccountId,
        each: &mut dyn FnMut(StateRecord),
    ) -> Result<AccountVersion, StoreError> {
        self.up()?.load(account, each)
    }

    fn commit(&self, commit: LedgerCommit) -> StoreFuture<Result<u64, StoreError>> {
        self.write(ContractPart::Ledger, |inner| inner.commit(commit))
    }

    fn changes_since(&self, sequence: u64) -> StoreFuture<Result<LedgerChanges, StoreError>> {
        self.read(|inner| inner.changes_since(sequence))
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.inner.watch()
    }
}

impl LeaseStore for FaultyStore {
    fn acquire_lease(
        &self,
        request: LeaseRequest,
    ) -> StoreFuture<Result<Option<Lease>, StoreError>> {
        self.write(ContractPart::Leases, |inner| inner.acquire_lease(request))
    }

    fn release_lease(&self, lease: Lease) -> StoreFuture<Result<(), StoreError>> {
        self.write(ContractPart::Leases, |inner| inner.release_lease(lease))
    }
}

impl ActivityStore for FaultyStore {
    fn last_uses(&self) -> Result<Vec<LastUse>, StoreError> {
        self.up()?.last_uses()
    }

    fn record_last_uses(&self, uses: Vec<LastUse>) -> StoreFuture<Result<(), StoreError>> {
        self.write(ContractPart::Journal, |inner| inner.record_last_uses(uses))
    }

    fn forget(&self, subjects: Vec<String>) -> StoreFuture<Result<(), StoreError>> {
        self.write(ContractPart::Journal, |inner| inner.forget(subjects))
    }

    fn record_attempts(&self, attempts: Vec<KeyAttempt>) -> StoreFuture<Result<(), StoreError>> {
        self.write(ContractPart::Journal, |inner| {
            inner.record_attempts(attempts)
        })
    }

    fn attempts(
        &self,
        key: AccessKeyId,
    ) -> StoreFuture<Result<(Vec<KeyAttempt>, u64), StoreError>> {
        self.read(|inner| inner.attempts(key))
    }

    fn record_session(
        &self,
        session: IssuedSession,
        ended: Option<Timestamp>,
    ) -> StoreFuture<Result<bool, StoreError>> {
        self.write(ContractPart::Journal, |inner| {
            inner.record_session(session, ended)
        })
    }

    fn sessions(&self, page: SessionPage) -> StoreFuture<Result<Vec<IssuedSession>, StoreError>> {
        self.read(|inner| inner.sessions(page))
    }

    fn purge_sessions(&self, now: Timestamp) -> StoreFuture<Result<(), StoreError>> {
        self.write(ContractPart::Journal, |inner| inner.purge_sessions(now))
    }
}

impl BlobJournal for FaultyStore {
    fn reserve_blobs(
        &self,
        blobs: Vec<BlobName>,
        now: Timestamp,
    ) -> StoreFuture<Result<(), StoreError>> {
        self.write(ContractPart::Blobs, |inner| inner.reserve_blobs(blobs, now))
    }

    fn renew_blobs(
        &self,
        blobs: Vec<BlobName>,
        now: Timestamp,
    ) -> StoreFuture<Result<(), StoreError>> {
        self.write(ContractPart::Blobs, |inner| inner.renew_blobs(blobs, now))
    }

    fn release_blobs(&self, blobs: Vec<BlobName>) -> StoreFuture<Result<(), StoreError>> {
        self.write(ContractPart::Blobs, |inner| inner.release_blobs(blobs))
    }

    fn expire_blobs(
        &self,
        before: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<Result<usize, StoreError>> {
        self.write(ContractPart::Blobs, |inner| inner.expire_blobs(before, now))
    }

    fn pending_deletes(
        &self,
        page: PendingDeletePage,
    ) -> StoreFuture<Result<Vec<PendingDelete>, StoreError>> {
        self.read(|inner| inner.pending_deletes(page))
    }

    fn finish_deletes(&self, numbers: Vec<u64>) -> StoreFuture<Result<(), StoreError>> {
        self.write(ContractPart::Blobs, |inner| inner.finish_deletes(numbers))
    }

    fn every_journaled_blob(&self, each: &mut dyn FnMut(BlobName)) -> Result<(), StoreError> {
        self.up()?.every_journaled_blob(each)
    }
}

impl ObjectIndex for FaultyStore {
    fn bucket_stamp(&self, name: &str) -> Option<RowStamp> {
        self.up().ok()?.bucket_stamp(name)
    }

    fn object_stamp(&self, bucket: &str, key: &str) -> Option<RowStamp> {
        self.up().ok()?.object_stamp(bucket, key)
    }

    fn apply(&self, batch: Vec<IndexWrite>) -> StoreFuture<Result<DisplacedRows, StoreError>> {
        self.write(ContractPart::Index, |inner| inner.apply(batch))
    }

    fn bucket(&self, name: &str) -> StoreFuture<Result<Option<BucketRow>, StoreError>> {
        self.read(|inner| inner.bucket(name))
    }

    fn buckets(
        &self,
        account: AccountId,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<BucketRow>, StoreError>> {
        self.read(|inner| inner.buckets(account, range))
    }

    fn object(
        &self,
        bucket: &str,
        key: &str,
    ) -> StoreFuture<Result<Option<ObjectRow>, StoreError>> {
        self.read(|inner| inner.object(bucket, key))
    }

    fn objects(
        &self,
        bucket: &str,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<ObjectRow>, StoreError>> {
        self.read(|inner| inner.objects(bucket, range))
    }

    fn upload(&self, upload: &str) -> StoreFuture<Result<Option<UploadRow>, StoreError>> {
        self.read(|inner| inner.upload(upload))
    }

    fn uploads(
        &self,
        bucket: &str,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<UploadRow>, StoreError>> {
        self.read(|inner| inner.uploads(bucket, range))
    }

    fn parts(
        &self,
        upload: &str,
        after: i32,
        limit: usize,
    ) -> StoreFuture<Result<Vec<PartRow>, StoreError>> {
        self.read(|inner| inner.parts(upload, after, limit))
    }

    fn every_body(&self, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError> {
        self.up()?.every_body(each)
    }

    fn every_upload(&self, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError> {
        self.up()?.every_upload(each)
    }
}

#[cfg(test)]
mod tests;
