//! An in-memory index for tests of this crate and the crates above it.
//!
//! It follows the contract but persists nothing.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use keywright_base::{AccountId, Timestamp};
use keywright_store::{
    contract::{
        BlobChanges, BlobJournal, BlobName, BucketRow, DeleteMarkerRow, DisplacedRows,
        FailedPrecondition, IndexWrite, ListRange, ObjectCondition, ObjectIndex, ObjectRow,
        PartRow, PendingDelete, PendingDeletePage, RowStamp, StoreError, StoreFuture, UploadRow,
        VersionId,
    },
    stamps::RowStamps,
};

/// An in-memory index.
#[derive(Debug, Default)]
pub struct MemoryIndex {
    state: Mutex<IndexState>,
    stamps: RowStamps,
}

impl MemoryIndex {
    fn state(&self) -> MutexGuard<'_, IndexState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default, Clone)]
struct IndexState {
    buckets: BTreeMap<String, BucketRow>,
    /// The versions of each key, newest last; no key without one.
    objects: BTreeMap<(String, String), Vec<StoredVersion>>,
    uploads: BTreeMap<String, UploadRow>,
    parts: BTreeMap<(String, i32), PartRow>,
    reserved: BTreeMap<BlobName, Timestamp>,
    deletes: BTreeMap<u64, (Timestamp, Vec<BlobName>)>,
    deletes_made: u64,
}

#[derive(Debug, Clone)]
enum StoredVersion {
    Object(ObjectRow),
    DeleteMarker(DeleteMarkerRow),
}

impl StoredVersion {
    const fn id(&self) -> &VersionId {
        match self {
            Self::Object(row) => &row.version,
            Self::DeleteMarker(row) => &row.version,
        }
    }

    const fn object(&self) -> Option<&ObjectRow> {
        match self {
            Self::Object(row) => Some(row),
            Self::DeleteMarker(_) => None,
        }
    }

    fn into_object(self) -> Option<ObjectRow> {
        match self {
            Self::Object(row) => Some(row),
            Self::DeleteMarker(_) => None,
        }
    }
}

impl IndexState {
    fn apply(
        &mut self,
        write: IndexWrite,
        out: &mut DisplacedRows,
    ) -> Result<(), FailedPrecondition> {
        match write {
            IndexWrite::CreateBucket(row) => {
                if let Some(found) = self.buckets.get(&row.name) {
                    return Err(FailedPrecondition::BucketExists(Box::new(found.clone())));
                }
                self.buckets.insert(row.name.clone(), row);
            }
            IndexWrite::UpdateBucket { row, was } => {
                let found = self
                    .buckets
                    .get_mut(&row.name)
                    .ok_or(FailedPrecondition::NoSuchBucket)?;
                if found.body != was {
                    return Err(FailedPrecondition::BucketExists(Box::new(found.clone())));
                }
                found.body = row.body;
            }
            IndexWrite::DeleteBucket(name) => {
                self.need(&name)?;
                if self.objects.keys().any(|(bucket, _)| *bucket == name)
                    || self.uploads.values().any(|upload| upload.bucket == name)
                {
                    return Err(FailedPrecondition::BucketNotEmpty);
                }
                self.buckets.remove(&name);
            }
            IndexWrite::PutObject { row, expect } => {
                self.need(&row.bucket)?;
                let at = (row.bucket.clone(), row.key.clone());
                out.objects
                    .extend(self.put(at, StoredVersion::Object(row), &expect)?);
            }
            IndexWrite::PutDeleteMarker { row, expect } => {
                self.need(&row.bucket)?;
                let at = (row.bucket.clone(), row.key.clone());
                out.objects
                    .extend(self.put(at, StoredVersion::DeleteMarker(row), &expect)?);
            }
            IndexWrite::DeleteObject {
                bucket,
                key,
                version,
                expect,
            } => {
                let at = (bucket, key);
                let found = self.objects.get(&at).into_iter().flatten();
                let mut found = found.filter(|stored| *stored.id() == version);
                require(&expect, found.next().and_then(StoredVersion::object))?;
                out.objects.extend(self.take(&at, &version));
            }
            IndexWrite::CreateUpload(row) => {
                self.need(&row.bucket)?;
                self.uploads.insert(row.upload.clone(), row);
            }
            IndexWrite::PutPart(row) => {
                self.uploads
                    .get(&row.upload)
                    .ok_or(FailedPrecondition::NoSuchUpload)?;
                out.parts
                    .extend(self.parts.insert((row.upload.clone(), row.number), row));
            }
            IndexWrite::DeleteUpload(id) => self.end_upload(&id, out)?,
            IndexWrite::SettleBlobs(changes) => self.settle(&changes, out)?,
        }
        Ok(())
    }

    fn end_upload(&mut self, id: &str, out: &mut DisplacedRows) -> Result<(), FailedPrecondition> {
        let ended = self.uploads.remove(id);
        out.uploads
            .push(ended.ok_or(FailedPrecondition::NoSuchUpload)?);
        let (gone, retained) = std::mem::take(&mut self.parts)
            .into_iter()
            .partition(|(at, _)| at.0 == id);
        self.parts = retained;
        let gone: BTreeMap<_, _> = gone;
        out.parts.extend(gone.into_values());
        Ok(())
    }

    fn settle(
        &mut self,
        changes: &BlobChanges,
        displaced: &DisplacedRows,
    ) -> Result<(), FailedPrecondition> {
        for blob in &changes.fresh {
            let reserved = self.reserved.remove(blob);
            reserved.ok_or(FailedPrecondition::BlobChanged(*blob))?;
        }
        let mut moved: HashSet<_> = changes.moved.iter().copied().collect();
        let objects = displaced.objects.iter().map(|row| &row.body);
        let parts = displaced.parts.iter().map(|row| &row.body);
        for body in objects.chain(parts) {
            let mut unused = (changes.blobs_of)(body);
            unused.retain(|blob| !moved.remove(blob));
            if !unused.is_empty() {
                self.add_delete(unused, changes.now);
            }
        }
        match moved.into_iter().next() {
            Some(blob) => Err(FailedPrecondition::BlobChanged(blob)),
            None => Ok(()),
        }
    }

    fn add_delete(&mut self, blobs: Vec<BlobName>, now: Timestamp) {
        self.deletes_made += 1;
        self.deletes.insert(self.deletes_made, (now, blobs));
    }

    fn need(&self, bucket: &str) -> Result<(), FailedPrecondition> {
        self.buckets
            .get(bucket)
            .map(|_| ())
            .ok_or(FailedPrecondition::NoSuchBucket)
    }

    /// Writes a version as the newest and returns the version that it replaced.
    fn put(
        &mut self,
        at: (String, String),
        version: StoredVersion,
        expect: &ObjectCondition,
    ) -> Result<Option<ObjectRow>, FailedPrecondition> {
        require(expect, self.current(&at))?;
        let replaced = self.take(&at, version.id());
        self.objects.entry(at).or_default().push(version);
        Ok(replaced)
    }

    /// Removes a version and returns it, unless it was a delete marker.
    fn take(&mut self, at: &(String, String), version: &VersionId) -> Option<ObjectRow> {
        let versions = self.objects.get_mut(at)?;
        let found = versions.iter().position(|stored| stored.id() == version)?;
        let taken = versions.remove(found);
        if versions.is_empty() {
            self.objects.remove(at);
        }
        taken.into_object()
    }

    fn current(&self, at: &(String, String)) -> Option<&ObjectRow> {
        self.objects.get(at)?.last()?.object()
    }
}

fn require(
    expect: &ObjectCondition,
    present: Option<&ObjectRow>,
) -> Result<(), FailedPrecondition> {
    if expect.holds_for(present) {
        return Ok(());
    }
    let present = present.cloned().map(Box::new);
    Err(FailedPrecondition::ObjectChanged(present))
}

fn within(name: &[u8], prefix_of: &str, range: &ListRange) -> bool {
    prefix_of.starts_with(&range.prefix)
        && (name > range.after.as_slice() || range.inclusive && name == range.after.as_slice())
}

fn ready<T: Send + 'static>(value: T) -> StoreFuture<Result<T, StoreError>> {
    Box::pin(std::future::ready(Ok(value)))
}

impl BlobJournal for MemoryIndex {
    fn reserve_blobs(
        &self,
        blobs: Vec<BlobName>,
        now: Timestamp,
    ) -> StoreFuture<Result<(), StoreError>> {
        let reserved = blobs.into_iter().map(|blob| (blob, now));
        self.state().reserved.extend(reserved);
        ready(())
    }

    fn renew_blobs(
        &self,
        blobs: Vec<BlobName>,
        now: Timestamp,
    ) -> StoreFuture<Result<(), StoreError>> {
        let mut state = self.state();
        for blob in &blobs {
            if let Some(at) = state.reserved.get_mut(blob) {
                *at = now;
            }
        }
        ready(())
    }

    fn release_blobs(&self, blobs: Vec<BlobName>) -> StoreFuture<Result<(), StoreError>> {
        let mut state = self.state();
        for blob in &blobs {
            state.reserved.remove(blob);
        }
        ready(())
    }

    fn expire_blobs(
        &self,
        before: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<Result<usize, StoreError>> {
        let mut state = self.state();
        let expired: Vec<_> = state
            .reserved
            .extract_if(.., |_, at| *at < before)
            .collect();
        for (blob, _) in &expired {
            state.add_delete(vec![*blob], now);
        }
        ready(expired.len())
    }

    fn pending_deletes(
        &self,
        page: PendingDeletePage,
    ) -> StoreFuture<Result<Vec<PendingDelete>, StoreError>> {
        let state = self.state();
        let entries = state.deletes.range(page.after.saturating_add(1)..);
        let due = entries.filter(|(_, (at, _))| *at <= page.made_by);
        let due = due.map(|(number, (_, blobs))| PendingDelete {
            number: *number,
            blobs: blobs.clone(),
        });
        ready(due.take(page.limit).collect())
    }

    fn finish_deletes(&self, numbers: Vec<u64>) -> StoreFuture<Result<(), StoreError>> {
        let mut state = self.state();
        for number in &numbers {
            state.deletes.remove(number);
        }
        ready(())
    }

    fn every_journaled_blob(&self, each: &mut dyn FnMut(BlobName)) -> Result<(), StoreError> {
        let state = self.state();
        let deletes = state.deletes.values().flat_map(|(_, blobs)| blobs);
        let reserved = state.reserved.keys();
        reserved.chain(deletes).copied().for_each(each);
        Ok(())
    }
}

impl ObjectIndex for MemoryIndex {
    fn bucket_stamp(&self, name: &str) -> Option<RowStamp> {
        self.stamps.bucket(name)
    }

    fn object_stamp(&self, bucket: &str, key: &str) -> Option<RowStamp> {
        self.stamps.object(bucket, key)
    }

    fn apply(&self, batch: Vec<IndexWrite>) -> StoreFuture<Result<DisplacedRows, StoreError>> {
        let _stamped = self.stamps.begin(&batch);
        let mut state = self.state();
        let (mut next, mut out) = (state.clone(), DisplacedRows::default());
        for write in batch {
            if let Err(failed) = next.apply(write, &mut out) {
                return Box::pin(std::future::ready(Err(StoreError::Precondition(failed))));
            }
        }
        *state = next;
        ready(out)
    }

    fn bucket(&self, name: &str) -> StoreFuture<Result<Option<BucketRow>, StoreError>> {
        ready(self.state().buckets.get(name).cloned())
    }

    fn buckets(
        &self,
        account: AccountId,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<BucketRow>, StoreError>> {
        let state = self.state();
        let rows = state
            .buckets
            .values()
            .filter(|row| row.account == account && within(row.name.as_bytes(), &row.name, &range));
        let cut = |row: &BucketRow| BucketRow {
            body: range.bodies.of(&row.body),
            ..row.clone()
        };
        ready(rows.take(range.limit).map(cut).collect())
    }

    fn object(
        &self,
        bucket: &str,
        key: &str,
    ) -> StoreFuture<Result<Option<ObjectRow>, StoreError>> {
        let at = (bucket.to_owned(), key.to_owned());
        ready(self.state().current(&at).cloned())
    }

    fn objects(
        &self,
        bucket: &str,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<ObjectRow>, StoreError>> {
        let state = self.state();
        let rows = state
            .objects
            .values()
            .filter_map(|versions| versions.last()?.object())
            .filter(|row| row.bucket == bucket && within(row.key.as_bytes(), &row.key, &range));
        let cut = |row: &ObjectRow| ObjectRow {
            body: range.bodies.of(&row.body),
            ..row.clone()
        };
        ready(rows.take(range.limit).map(cut).collect())
    }

    fn upload(&self, upload: &str) -> StoreFuture<Result<Option<UploadRow>, StoreError>> {
        ready(self.state().uploads.get(upload).cloned())
    }

    fn uploads(
        &self,
        bucket: &str,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<UploadRow>, StoreError>> {
        let state = self.state();
        let mut rows: Vec<_> = state
            .uploads
            .values()
            .filter(|row| {
                let name = [row.key.as_bytes(), b"\0", row.upload.as_bytes()].concat();
                row.bucket == bucket && within(&name, &row.key, &range)
            })
            .map(|row| UploadRow {
                body: range.bodies.of(&row.body),
                ..row.clone()
            })
            .collect();
        rows.sort_by_key(|row| (row.key.clone(), row.upload.clone()));
        rows.truncate(range.limit);
        ready(rows)
    }

    fn parts(
        &self,
        upload: &str,
        after: i32,
        limit: usize,
    ) -> StoreFuture<Result<Vec<PartRow>, StoreError>> {
        let state = self.state();
        let rows = state
            .parts
            .values()
            .filter(|row| row.upload == upload && row.number > after);
        ready(rows.take(limit).cloned().collect())
    }

    fn every_body(&self, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError> {
        let state = self.state();
        let objects = state.objects.values().flatten();
        let objects = objects.filter_map(StoredVersion::object);
        objects.for_each(|row| each(&row.bucket, &row.body));
        for part in state.parts.values() {
            if let Some(upload) = state.uploads.get(&part.upload) {
                each(&upload.bucket, &part.body);
            }
        }
        Ok(())
    }

    fn every_upload(&self, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError> {
        let state = self.state();
        let uploads = state.uploads.values();
        uploads.for_each(|row| each(&row.bucket, &row.body));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::MemoryIndex;

    #[test]
    fn it_passes_the_suite() {
        keywright_store::suite::run_index(|| Arc::new(MemoryIndex::default()));
    }
}
