//! Admission of uploads: the headroom of the disk, and the quotas of bucket and account.
//!
//! Invariant: bytes are charged as they arrive and stay charged until they are stored or discarded,
//! so stored and incoming bytes together never exceed a quota.
//!
//! Stored bytes are counted from the index at startup and then adjusted by what each commit wrote
//! and displaced; after a commit with an unknown outcome they are counted again. Rows and the data
//! stored with them count as well, so that empty objects, parts and unfinished uploads are not
//! free. Without quotas nothing is counted. This module does not know what is uploaded.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use futures_util::StreamExt;
use keywright_base::{AccountId, limits};
use keywright_store::{
    contract::{DisplacedRows, IndexWrite, ObjectIndex, StoreError},
    reserve::DiskReserve,
};
use tokio::{
    sync::{OwnedRwLockReadGuard, RwLock},
    task::spawn_blocking,
};

use crate::{CommitError, fault::S3Fault, ingest::ObjectStream, row};

/// The maximum number of stored bytes, unfinished uploads included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StorageQuotas {
    /// In one bucket.
    pub bucket: Option<u64>,
    /// In all buckets of one account.
    pub account: Option<u64>,
}

/// The room left in an installation.
#[derive(Default)]
pub(crate) struct StorageRoom {
    reserve: Option<Arc<DiskReserve>>,
    quotas: StorageQuotas,
    counts: Mutex<StorageCounts>,
    /// Held shared by commits in progress, exclusively during a count.
    counting: Arc<RwLock<()>>,
    /// Whether a commit had an unknown outcome since the last count.
    stale: AtomicBool,
}

#[derive(Default)]
struct StorageCounts {
    buckets: HashMap<String, BucketCount>,
    accounts: HashMap<AccountId, ByteCount>,
    next_serial: u64,
}

struct BucketCount {
    account: AccountId,
    /// Distinguishes a bucket from an earlier one with the same name.
    serial: u64,
    bytes: ByteCount,
}

#[derive(Default, Clone, Copy)]
struct ByteCount {
    stored: u64,
    incoming: u64,
}

/// The bytes charged for one upload. Dropping it gives them back.
pub(crate) struct StorageCharge {
    room: Arc<StorageRoom>,
    /// The counters that were charged; `None` if there are no quotas.
    target: Option<ChargeTarget>,
    bytes: AtomicU64,
    refused: Mutex<Option<S3Fault>>,
}

struct ChargeTarget {
    bucket: String,
    serial: u64,
    account: AccountId,
}

/// The effect of a commit in progress on the stored bytes.
pub(crate) struct CommitCount {
    room: Arc<StorageRoom>,
    bucket: String,
    added: u64,
    deletes_bucket: bool,
    _counting: OwnedRwLockReadGuard<()>,
}

impl StorageRoom {
    /// Counts what is stored if there are quotas.
    pub(crate) async fn open(
        reserve: Option<Arc<DiskReserve>>,
        quotas: StorageQuotas,
        index: &Arc<dyn ObjectIndex>,
    ) -> Result<Arc<Self>, S3Fault> {
        let room = Arc::new(Self {
            reserve,
            quotas,
            stale: AtomicBool::new(true),
            ..Self::default()
        });
        room.count_if_stale(index).await?;
        Ok(room)
    }

    /// Checks whether a row without a body may be added.
    pub(crate) fn admit_row(&self) -> Result<(), S3Fault> {
        match &self.reserve {
            Some(reserve) => reserve.admit(0).map_err(|_| S3Fault::DiskFull),
            None => Ok(()),
        }
    }

    /// Admits an upload into a bucket, unless its announced length does not fit.
    pub(crate) async fn admit(
        self: &Arc<Self>,
        index: &Arc<dyn ObjectIndex>,
        bucket: &str,
        announced: Option<u64>,
    ) -> Result<Arc<StorageCharge>, S3Fault> {
        // A body that exceeds S3's limit is rejected for that reason instead.
        let announced = announced.filter(|bytes| *bytes <= limits::S3_PUT_BYTES_MAX);
        let announced = announced.unwrap_or(0);
        if let Some(reserve) = &self.reserve {
            reserve.admit(announced).map_err(|_| S3Fault::DiskFull)?;
        }
        self.count_if_stale(index).await?;
        let target = self.target(index, bucket).await?;
        if let Some(target) = &target {
            let mut counts = self.counts();
            counts.charge(&self.quotas, target, announced)?;
            counts.give_back(target, announced);
        }
        Ok(Arc::new(StorageCharge {
            room: Arc::clone(self),
            target,
            bytes: AtomicU64::new(0),
            refused: Mutex::default(),
        }))
    }

    /// Admits a rewrite of stored content, which the quotas have already counted.
    pub(crate) fn admit_rewrite(
        self: &Arc<Self>,
        bytes: u64,
    ) -> Result<Arc<StorageCharge>, S3Fault> {
        if let Some(reserve) = &self.reserve {
            reserve.admit(bytes).map_err(|_| S3Fault::DiskFull)?;
        }
        Ok(Arc::new(StorageCharge {
            room: Arc::clone(self),
            target: None,
            bytes: AtomicU64::new(0),
            refused: Mutex::default(),
        }))
    }

    /// Begins a commit that concerns one bucket; call [`CommitCount::end`] afterwards.
    pub(crate) async fn begin_commit(
        self: &Arc<Self>,
        bucket: &str,
        batch: &[IndexWrite],
    ) -> Option<CommitCount> {
        if !self.counts_bytes() {
            return None;
        }
        let bodies = batch.iter().filter_map(|write| match write {
            IndexWrite::PutObject { row, .. } => Some(row.body.as_slice()),
            IndexWrite::PutPart(row) => Some(row.body.as_slice()),
            IndexWrite::CreateUpload(row) => Some(row.body.as_slice()),
            _ => None,
        });
        Some(CommitCount {
            room: Arc::clone(self),
            bucket: bucket.to_owned(),
            added: bytes_of(bodies),
            deletes_bucket: matches!(batch, [IndexWrite::DeleteBucket(_)]),
            _counting: Arc::clone(&self.counting).read_owned().await,
        })
    }

    fn counts_bytes(&self) -> bool {
        self.quotas != StorageQuotas::default()
    }

    async fn target(
        &self,
        index: &Arc<dyn ObjectIndex>,
        bucket: &str,
    ) -> Result<Option<ChargeTarget>, S3Fault> {
        if !self.counts_bytes() {
            return Ok(None);
        }
        if let Some(target) = self.counts().target(bucket) {
            return Ok(Some(target));
        }
        // If the bucket is missing, the commit will report it.
        let Some(found) = index.bucket(bucket).await? else {
            return Ok(None);
        };
        let mut counts = self.counts();
        counts.entry(bucket, found.account);
        Ok(counts.target(bucket))
    }

    async fn count_if_stale(&self, index: &Arc<dyn ObjectIndex>) -> Result<(), S3Fault> {
        if !self.counts_bytes() || !self.stale.load(Ordering::Acquire) {
            return Ok(());
        }
        let _alone = self.counting.write().await;
        if !self.stale.load(Ordering::Acquire) {
            return Ok(());
        }
        let bodies = Arc::clone(index);
        let counted = spawn_blocking(move || stored_by_bucket(&*bodies)).await;
        let stored = counted.map_err(|error| S3Fault::Internal(error.to_string()))??;
        let mut owners = HashMap::new();
        for name in stored.keys() {
            if let Some(row) = index.bucket(name).await? {
                owners.insert(name.clone(), row.account);
            }
        }
        self.counts().replace_stored(&stored, &owners);
        self.stale.store(false, Ordering::Release);
        Ok(())
    }

    fn counts(&self) -> MutexGuard<'_, StorageCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageCharge {
    /// Charges a body chunk by chunk; the stream ends with an error when there is no more room.
    pub(crate) fn meter(self: &Arc<Self>, body: ObjectStream) -> ObjectStream {
        let charge = Arc::clone(self);
        body.map(move |chunk| {
            let chunk = chunk?;
            let size = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            if let Err(fault) = charge.take(size) {
                let why = fault.to_string();
                *charge.refused() = Some(fault);
                return Err(why.into());
            }
            Ok(chunk)
        })
        .boxed()
    }

    /// Replaces the fault of a failed body with the lack of room, if that was the cause.
    pub(crate) fn explain(&self, fault: S3Fault) -> S3Fault {
        self.refused().take().unwrap_or(fault)
    }

    /// Charges bytes of a row or a body.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), S3Fault> {
        if let Some(reserve) = &self.room.reserve {
            reserve.charge(bytes).map_err(|_| S3Fault::DiskFull)?;
        }
        if let Some(target) = &self.target {
            let quotas = &self.room.quotas;
            self.room.counts().charge(quotas, target, bytes)?;
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        Ok(())
    }

    fn refused(&self) -> MutexGuard<'_, Option<S3Fault>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StorageCharge {
    fn drop(&mut self) {
        if let Some(target) = &self.target {
            let bytes = self.bytes.load(Ordering::Relaxed);
            self.room.counts().give_back(target, bytes);
        }
    }
}

impl CommitCount {
    /// Adjusts the counts by what the commit did.
    pub(crate) fn end(self, result: &Result<DisplacedRows, CommitError>) {
        match result {
            Ok(displaced) => {
                let objects = displaced.objects.iter().map(|row| row.body.as_slice());
                let parts = displaced.parts.iter().map(|row| row.body.as_slice());
                let uploads = displaced.uploads.iter().map(|row| row.body.as_slice());
                let removed = bytes_of(objects.chain(parts).chain(uploads));
                let mut counts = self.room.counts();
                counts.move_stored(&self.bucket, self.added, removed);
                if self.deletes_bucket {
                    counts.buckets.remove(&self.bucket);
                }
            }
            Err(CommitError::Denied(_) | CommitError::Store(StoreError::Precondition(_))) => {}
            Err(CommitError::Store(_)) => self.room.stale.store(true, Ordering::Release),
        }
    }
}

impl StorageCounts {
    fn target(&self, bucket: &str) -> Option<ChargeTarget> {
        let found = self.buckets.get(bucket)?;
        Some(ChargeTarget {
            bucket: bucket.to_owned(),
            serial: found.serial,
            account: found.account,
        })
    }

    fn entry(&mut self, bucket: &str, account: AccountId) -> &mut BucketCount {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        let new = || BucketCount {
            account,
            serial,
            bytes: ByteCount::default(),
        };
        self.buckets.entry(bucket.to_owned()).or_insert_with(new)
    }

    fn charge(
        &mut self,
        quotas: &StorageQuotas,
        target: &ChargeTarget,
        bytes: u64,
    ) -> Result<(), S3Fault> {
        let account = self.accounts.entry(target.account).or_default();
        let bucket = self.buckets.get_mut(&target.bucket);
        let bucket = bucket.filter(|bucket| bucket.serial == target.serial);
        if let (Some(limit), Some(bucket)) = (quotas.bucket, &bucket)
            && bucket.bytes.with(bytes) > limit
        {
            let bucket = Some(target.bucket.clone());
            return Err(S3Fault::QuotaExceeded { bucket, limit });
        }
        if let Some(limit) = quotas.account
            && account.with(bytes) > limit
        {
            let bucket = None;
            return Err(S3Fault::QuotaExceeded { bucket, limit });
        }
        account.incoming = account.incoming.saturating_add(bytes);
        if let Some(bucket) = bucket {
            bucket.bytes.incoming = bucket.bytes.incoming.saturating_add(bytes);
        }
        Ok(())
    }

    fn give_back(&mut self, target: &ChargeTarget, bytes: u64) {
        let account = self.accounts.entry(target.account).or_default();
        account.incoming = account.incoming.saturating_sub(bytes);
        let bucket = self.buckets.get_mut(&target.bucket);
        if let Some(bucket) = bucket.filter(|bucket| bucket.serial == target.serial) {
            bucket.bytes.incoming = bucket.bytes.incoming.saturating_sub(bytes);
        }
    }

    fn move_stored(&mut self, bucket: &str, added: u64, removed: u64) {
        let Some(found) = self.buckets.get_mut(bucket) else {
            return;
        };
        let account = self.accounts.entry(found.account).or_default();
        for bytes in [&mut found.bytes, account] {
            bytes.stored = bytes.stored.saturating_add(added).saturating_sub(removed);
        }
    }

    fn replace_stored(
        &mut self,
        stored: &HashMap<String, u64>,
        owners: &HashMap<String, AccountId>,
    ) {
        for account in self.accounts.values_mut() {
            account.stored = 0;
        }
        for bucket in self.buckets.values_mut() {
            bucket.bytes.stored = 0;
        }
        for (name, bytes) in stored {
            if let Some(owner) = owners.get(name) {
                self.entry(name, *owner).bytes.stored = *bytes;
                let account = self.accounts.entry(*owner).or_default();
                account.stored = account.stored.saturating_add(*bytes);
            }
        }
    }
}

impl ByteCount {
    fn with(self, more: u64) -> u64 {
        self.stored
            .saturating_add(self.incoming)
            .saturating_add(more)
    }
}

fn stored_by_bucket(index: &dyn ObjectIndex) -> Result<HashMap<String, u64>, S3Fault> {
    let mut stored: HashMap<String, u64> = HashMap::new();
    let mut count = |bucket: &str, body: &[u8]| {
        let bytes = bytes_of([body]);
        match stored.get_mut(bucket) {
            Some(sum) => *sum = sum.saturating_add(bytes),
            None => drop(stored.insert(bucket.to_owned(), bytes)),
        }
    };
    index.every_body(&mut count)?;
    index.every_upload(&mut count)?;
    Ok(stored)
}

/// The bytes behind rows. An unreadable row refers to none; its damage is reported elsewhere.
fn bytes_of<'a>(bodies: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let sizes = bodies.into_iter().map(|body| row::bytes(body).unwrap_or(0));
    sizes.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
