//! Buckets and objects that were read lately, so that reading them again takes no query.
//!
//! Invariant: a row is returned from here only while the index gives it the stamp that it had
//! before it was read. Nothing has to be removed when a row is written, and an index without
//! stamps has no hot rows. The bytes of small objects are in memory as they are in the index:
//! encrypted.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use keywright_base::limits;
use keywright_store::contract::RowStamp;

use crate::{
    bucket::Bucket,
    object::{BlobPiece, Object, ObjectContent},
};

/// The hot rows of an installation.
pub(crate) struct HotRows {
    pub(crate) buckets: RecentRows<Bucket>,
    pub(crate) objects: RecentRows<Object>,
}

impl Default for HotRows {
    fn default() -> Self {
        Self {
            buckets: RecentRows::new(limits::S3_HOT_BUCKET_BYTES),
            objects: RecentRows::new(limits::S3_HOT_OBJECT_BYTES),
        }
    }
}

/// A row that may be hot.
pub(crate) trait NamedRow {
    /// Its name: a bucket's own, an object's bucket and key.
    fn name(&self) -> (&str, &str);

    /// About how much memory it takes, in bytes.
    fn memory_bytes(&self) -> usize;
}

/// The number of independently locked parts.
const PARTS: usize = 16;

/// The rows of one kind that were read most recently.
pub(crate) struct RecentRows<T> {
    hasher: RandomState,
    parts: Box<[Mutex<RowGenerations<T>>]>,
    /// The memory of one generation of one part, in bytes.
    generation_bytes: usize,
}

/// Rows by the hash of their name, in two generations. A row that is found moves to the newer one,
/// and once that is full, the older one is forgotten.
struct RowGenerations<T> {
    newer: HashMap<u64, HotRow<T>>,
    newer_bytes: usize,
    older: HashMap<u64, HotRow<T>>,
}

impl<T> Default for RowGenerations<T> {
    fn default() -> Self {
        Self {
            newer: HashMap::new(),
            newer_bytes: 0,
            older: HashMap::new(),
        }
    }
}

struct HotRow<T> {
    row: Arc<T>,
    stamp: RowStamp,
    bytes: usize,
}

impl<T: NamedRow> RecentRows<T> {
    /// Room for rows that take this much memory together.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            generation_bytes: bytes_max / PARTS / 2,
        }
    }

    /// The row with this name, if it was read when it had this stamp.
    pub(crate) fn find(&self, name: (&str, &str), stamp: RowStamp) -> Option<Arc<T>> {
        let hash = self.hasher.hash_one(name);
        let mut part = self.part(hash)?;
        let found = match part.newer.get(&hash) {
            Some(found) => Arc::clone(&found.is(name, stamp)?.row),
            None => {
                let found = part.older.remove(&hash)?;
                let row = Arc::clone(&found.is(name, stamp)?.row);
                part.add(hash, found, self.generation_bytes);
                row
            }
        };
        Some(found)
    }

    /// Adds a row that was read after its stamp, unless it is too large.
    pub(crate) fn add(&self, row: &Arc<T>, stamp: RowStamp) {
        let bytes = row.memory_bytes();
        if bytes > limits::S3_HOT_ROW_BYTES {
            return;
        }
        let hash = self.hasher.hash_one(row.name());
        let row = HotRow {
            row: Arc::clone(row),
            stamp,
            bytes,
        };
        if let Some(mut part) = self.part(hash) {
            part.add(hash, row, self.generation_bytes);
        }
    }

    fn part(&self, hash: u64) -> Option<MutexGuard<'_, RowGenerations<T>>> {
        let parts = u64::try_from(PARTS).unwrap_or(1);
        let part = self.parts.get(usize::try_from(hash % parts).ok()?)?;
        // Nothing panics under the lock.
        Some(part.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: NamedRow> HotRow<T> {
    fn is(&self, name: (&str, &str), stamp: RowStamp) -> Option<&Self> {
        (self.stamp == stamp && self.row.name() == name).then_some(self)
    }
}

impl<T> RowGenerations<T> {
    fn add(&mut self, hash: u64, row: HotRow<T>, bytes_max: usize) {
        if self.newer_bytes.saturating_add(row.bytes) > bytes_max {
            self.older = mem::take(&mut self.newer);
            self.newer_bytes = 0;
        }
        self.newer_bytes += row.bytes;
        if let Some(replaced) = self.newer.insert(hash, row) {
            self.newer_bytes -= replaced.bytes;
        }
    }
}

/// What a row takes besides the bytes counted here: its struct, and its entry in the table.
const ROW_BYTES: usize = mem::size_of::<Object>() + 128;
/// What an element of a list or a map takes besides its text.
const ELEMENT_BYTES: usize = 96;

impl NamedRow for Bucket {
    fn name(&self) -> (&str, &str) {
        (&self.name, "")
    }

    fn memory_bytes(&self) -> usize {
        let policy = self.policy.as_ref().map_or(0, |policy| policy.len());
        ROW_BYTES + self.name.len() + self.region.len() + policy + pairs_bytes(&self.tags)
    }
}

impl NamedRow for Object {
    fn name(&self) -> (&str, &str) {
        (&self.bucket, &self.key)
    }

    fn memory_bytes(&self) -> usize {
        let names = self.bucket.len() + self.key.len() + self.etag.len();
        let headers = self.meta.stored_bytes() + self.meta.headers.user.len() * ELEMENT_BYTES;
        let tags = self.meta.tags.len() * ELEMENT_BYTES;
        let sums = self.assembly.as_ref().map_or(0, |origin| {
            let sums = origin.sums.iter();
            origin.upload.len() + sums.map(|sum| sum.len() + ELEMENT_BYTES).sum::<usize>()
        });
        let content = match &self.content {
            ObjectContent::Inline(inline) => inline.stored.len() + ELEMENT_BYTES,
            ObjectContent::Blobs(pieces) => pieces.iter().map(piece_bytes).sum(),
        };
        ROW_BYTES + names + headers + tags + sums + content
    }
}

fn pairs_bytes(pairs: &[(String, String)]) -> usize {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| name.len() + value.len() + ELEMENT_BYTES)
        .sum()
}

fn piece_bytes(piece: &BlobPiece) -> usize {
    let key = piece.key.as_ref().map_or(0, |key| key.as_bytes().len());
    mem::size_of::<BlobPiece>() + key
}

#[cfg(test)]
mod tests;
