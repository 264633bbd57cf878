//! Stamps of index rows, for engines that are the only writer of their index.
//!
//! Invariant: while a write to a row may be under way, the row has no stamp; afterwards it never
//! has an earlier one again. Rows share stamps by hash, so a write may change the stamps of other
//! rows, too. Nothing here knows what is in a row.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::contract::{IndexWrite, RowStamp};

/// The number of stamps. A row that is read again and again should rarely share one with a row that
/// is written again and again.
const SLOTS: usize = 4096;
/// What a write adds when it begins: the number of writes begun is above these bits, and the number
/// of writes under way within them.
const BEGUN: u64 = 1 << 24;
const UNDER_WAY: u64 = BEGUN - 1;

/// The stamps of all rows.
#[derive(Debug, Clone)]
pub struct RowStamps(Arc<StampSlots>);

#[derive(Debug)]
struct StampSlots {
    hasher: RandomState,
    slots: Box<[AtomicU64]>,
}

/// Writes under way; they end when this is dropped.
#[derive(Debug)]
pub struct StampedWrites {
    stamps: Arc<StampSlots>,
    slots: Vec<usize>,
}

impl Default for RowStamps {
    fn default() -> Self {
        Self(Arc::new(StampSlots {
            hasher: RandomState::new(),
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
        }))
    }
}

impl RowStamps {
    /// The stamp of a bucket.
    pub fn bucket(&self, name: &str) -> Option<RowStamp> {
        self.0.stamp(self.0.slot((name, None)))
    }

    /// The stamp of the current version of an object.
    pub fn object(&self, bucket: &str, key: &str) -> Option<RowStamp> {
        self.0.stamp(self.0.slot((bucket, Some(key))))
    }

    /// Begins the writes of a batch. Call it before any of them can take effect, and drop the
    /// result once all of them have, or none ever will, before the batch is answered.
    #[must_use]
    pub fn begin(&self, batch: &[IndexWrite]) -> StampedWrites {
        let rows = batch.iter().filter_map(written);
        let mut slots: Vec<_> = rows.map(|row| self.0.slot(row)).collect();
        slots.sort_unstable();
        slots.dedup();
        for slot in &slots {
            self.0.add(*slot, BEGUN + 1);
        }
        StampedWrites {
            stamps: Arc::clone(&self.0),
            slots,
        }
    }
}

impl Drop for StampedWrites {
    fn drop(&mut self) {
        for slot in &self.slots {
            self.stamps.add(*slot, 1_u64.wrapping_neg());
        }
    }
}

/// A bucket, or an object by its bucket and key.
type RowName<'a> = (&'a str, Option<&'a str>);

/// The bucket or the object whose row a write changes.
fn written(write: &IndexWrite) -> Option<RowName<'_>> {
    match write {
        IndexWrite::CreateBucket(row) | IndexWrite::UpdateBucket { row, .. } => {
            Some((&row.name, None))
        }
        IndexWrite::DeleteBucket(name) => Some((name, None)),
        IndexWrite::PutObject { row, .. } => Some((&row.bucket, Some(&row.key))),
        IndexWrite::PutDeleteMarker { row, .. } => Some((&row.bucket, Some(&row.key))),
        IndexWrite::DeleteObject { bucket, key, .. } => Some((bucket, Some(key))),
        IndexWrite::CreateUpload(_)
        | IndexWrite::PutPart(_)
        | IndexWrite::DeleteUpload(_)
        | IndexWrite::SettleBlobs(_) => None,
    }
}

impl StampSlots {
    fn slot(&self, row: RowName<'_>) -> usize {
        let slots = u64::try_from(SLOTS).unwrap_or(1);
        usize::try_from(self.hasher.hash_one(row) % slots).unwrap_or(0)
    }

    fn stamp(&self, slot: usize) -> Option<RowStamp> {
        let stamp = self.slots.get(slot)?.load(Ordering::SeqCst);
        (stamp & UNDER_WAY == 0).then_some(RowStamp(stamp))
    }

    fn add(&self, slot: usize, number: u64) {
        if let Some(slot) = self.slots.get(slot) {
            slot.fetch_add(number, Ordering::SeqCst);
        }
    }
}
