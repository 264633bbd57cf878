//! For tests: a seed of entropy, a clock by hand, and an index in memory.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use keywright_base::{AccountId, Clock, Entropy, Timestamp};
use keywright_store::contract::{
    BucketRow, Displaced, Expect, Failed, IndexWrite, ObjectIndex, ObjectRow, PartRow, Pending,
    Range, StoreError, UploadRow,
};

use crate::{
    Body, Bucket, Objects,
    digest::{Algorithm, Checksum, Kind},
    fault::BodyError,
    object::{Content, Meta, Object},
};

/// Numbers that never repeat.
#[derive(Default)]
pub(crate) struct Seed(AtomicU64);

impl Entropy for Seed {
    fn fill(&self, buffer: &mut [u8]) {
        let next = self.0.fetch_add(1, Ordering::Relaxed);
        let mut state = next.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for byte in buffer {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(next | 1);
            *byte = state.to_be_bytes()[0];
        }
    }
}

/// A clock that goes on a second at each look.
#[derive(Default)]
pub(crate) struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_789_000_000 + self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// An index in memory.
#[derive(Default)]
pub(crate) struct Memory(Mutex<State>);

#[derive(Default, Clone)]
struct State {
    buckets: BTreeMap<String, BucketRow>,
    objects: BTreeMap<(String, String), ObjectRow>,
    uploads: BTreeMap<String, UploadRow>,
    parts: BTreeMap<(String, i32), PartRow>,
}

impl State {
    fn apply(&mut self, write: IndexWrite, out: &mut Displaced) -> Result<(), Failed> {
        match write {
            IndexWrite::CreateBucket(row) => {
                if let Some(found) = self.buckets.get(&row.name) {
                    return Err(Failed::BucketExists(Box::new(found.clone())));
                }
                self.buckets.insert(row.name.clone(), row);
            }
            IndexWrite::UpdateBucket { row, was } => {
                let found = self.buckets.get(&row.name).ok_or(Failed::NoSuchBucket)?;
                if found.body != was {
                    return Err(Failed::BucketExists(Box::new(found.clone())));
                }
                self.buckets.insert(row.name.clone(), row);
            }
            IndexWrite::DeleteBucket(name) => {
                self.need(&name)?;
                if self.objects.keys().any(|(bucket, _)| *bucket == name)
                    || self.uploads.values().any(|upload| upload.bucket == name)
                {
                    return Err(Failed::BucketNotEmpty);
                }
                self.buckets.remove(&name);
            }
            IndexWrite::PutObject { row, expect } => {
                self.need(&row.bucket)?;
                let at = (row.bucket.clone(), row.key.clone());
                self.expect(&at, &expect)?;
                out.objects.extend(self.objects.insert(at, row));
            }
            IndexWrite::DeleteObject {
                bucket,
                key,
                expect,
            } => {
                let at = (bucket, key);
                self.expect(&at, &expect)?;
                out.objects.extend(self.objects.remove(&at));
            }
            IndexWrite::CreateUpload(row) => {
                self.need(&row.bucket)?;
                self.uploads.insert(row.upload.clone(), row);
            }
            IndexWrite::PutPart(row) => {
                self.uploads.get(&row.upload).ok_or(Failed::NoSuchUpload)?;
                out.parts
                    .extend(self.parts.insert((row.upload.clone(), row.number), row));
            }
            IndexWrite::DeleteUpload(id) => {
                self.uploads.remove(&id).ok_or(Failed::NoSuchUpload)?;
                let (gone, kept) = std::mem::take(&mut self.parts)
                    .into_iter()
                    .partition(|(at, _)| at.0 == id);
                self.parts = kept;
                let gone: BTreeMap<_, _> = gone;
                out.parts.extend(gone.into_values());
            }
        }
        Ok(())
    }

    fn need(&self, bucket: &str) -> Result<(), Failed> {
        self.buckets
            .get(bucket)
            .map(|_| ())
            .ok_or(Failed::NoSuchBucket)
    }

    fn expect(&self, at: &(String, String), expect: &Expect) -> Result<(), Failed> {
        let found = self.objects.get(at);
        let holds = match expect {
            Expect::Any => true,
            Expect::Absent => found.is_none(),
            Expect::Etag(etag) => found.is_some_and(|row| row.etag == *etag),
        };
        if holds {
            Ok(())
        } else {
            Err(Failed::ObjectChanged(found.cloned().map(Box::new)))
        }
    }
}

fn within(name: &[u8], prefix_of: &str, range: &Range) -> bool {
    prefix_of.starts_with(&range.prefix)
        && (name > range.after.as_slice() || range.inclusive && name == range.after.as_slice())
}

fn ready<T: Send + 'static>(value: T) -> Pending<Result<T, StoreError>> {
    Box::pin(std::future::ready(Ok(value)))
}

impl ObjectIndex for Memory {
    fn apply(&self, batch: Vec<IndexWrite>) -> Pending<Result<Displaced, StoreError>> {
        let mut state = self.0.lock().unwrap();
        let (mut next, mut out) = (state.clone(), Displaced::default());
        for write in batch {
            if let Err(failed) = next.apply(write, &mut out) {
                return Box::pin(std::future::ready(Err(StoreError::Precondition(failed))));
            }
        }
        *state = next;
        ready(out)
    }

    fn bucket(&self, name: &str) -> Pending<Result<Option<BucketRow>, StoreError>> {
        ready(self.0.lock().unwrap().buckets.get(name).cloned())
    }

    fn buckets(
        &self,
        account: AccountId,
        range: Range,
    ) -> Pending<Result<Vec<BucketRow>, StoreError>> {
        let state = self.0.lock().unwrap();
        let rows = state
            .buckets
            .values()
            .filter(|row| row.account == account && within(row.name.as_bytes(), &row.name, &range));
        ready(rows.take(range.limit).cloned().collect())
    }

    fn object(&self, bucket: &str, key: &str) -> Pending<Result<Option<ObjectRow>, StoreError>> {
        let at = (bucket.to_owned(), key.to_owned());
        ready(self.0.lock().unwrap().objects.get(&at).cloned())
    }

    fn objects(&self, bucket: &str, range: Range) -> Pending<Result<Vec<ObjectRow>, StoreError>> {
        let state = self.0.lock().unwrap();
        let rows = state
            .objects
            .values()
            .filter(|row| row.bucket == bucket && within(row.key.as_bytes(), &row.key, &range));
        ready(rows.take(range.limit).cloned().collect())
    }

    fn upload(&self, upload: &str) -> Pending<Result<Option<UploadRow>, StoreError>> {
        ready(self.0.lock().unwrap().uploads.get(upload).cloned())
    }

    fn uploads(&self, bucket: &str, range: Range) -> Pending<Result<Vec<UploadRow>, StoreError>> {
        let state = self.0.lock().unwrap();
        let mut rows: Vec<_> = state
            .uploads
            .values()
            .filter(|row| {
                let name = [row.key.as_bytes(), b"\0", row.upload.as_bytes()].concat();
                row.bucket == bucket && within(&name, &row.key, &range)
            })
            .cloned()
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
    ) -> Pending<Result<Vec<PartRow>, StoreError>> {
        let state = self.0.lock().unwrap();
        let rows = state
            .parts
            .values()
            .filter(|row| row.upload == upload && row.number > after);
        ready(rows.take(limit).cloned().collect())
    }

    fn every_body(&self, each: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        let state = self.0.lock().unwrap();
        state.objects.values().for_each(|row| each(&row.body));
        state.parts.values().for_each(|row| each(&row.body));
        Ok(())
    }
}

/// Objects over an index in memory and a folder of their own.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) index: Arc<Memory>,
    pub(crate) objects: Objects,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let index = Arc::new(Memory::default());
        let objects = open(&folder, &index);
        objects
            .create_bucket("bench", owner(), "us-east-1", None)
            .await
            .unwrap();
        Self {
            folder,
            index,
            objects,
        }
    }

    /// As after a restart.
    pub(crate) fn reopen(&mut self) {
        self.objects = open(&self.folder, &self.index);
    }

    /// How many files there are.
    pub(crate) fn files(&self) -> usize {
        let shelves = std::fs::read_dir(self.folder.path()).unwrap();
        shelves
            .map(|shelf| std::fs::read_dir(shelf.unwrap().path()).unwrap().count())
            .sum()
    }
}

fn open(folder: &tempfile::TempDir, index: &Arc<Memory>) -> Objects {
    let index: Arc<dyn ObjectIndex> = Arc::clone(index) as _;
    let (clock, entropy) = (Arc::new(Ticks::default()), Arc::new(Seed::default()));
    Objects::open(folder.path().into(), index, clock, entropy).unwrap()
}

pub(crate) fn owner() -> AccountId {
    "111122223333".parse().unwrap()
}

/// A body of these chunks.
pub(crate) fn body(chunks: Vec<Result<Vec<u8>, BodyError>>) -> Body {
    stream::iter(chunks.into_iter().map(|chunk| chunk.map(Bytes::from))).boxed()
}

/// A body of these bytes.
pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Body {
    body(vec![Ok(bytes.into())])
}

/// A bucket with this policy.
pub(crate) fn bucket(policy: Option<&str>) -> Bucket {
    Bucket {
        name: "bench".into(),
        owner: owner(),
        region: "us-east-1".into(),
        created: Timestamp::from_secs(0),
        policy: policy.map(Into::into),
        tags: Vec::new(),
    }
}

/// An empty object.
pub(crate) fn object(key: &str, etag: &str, modified: i64) -> Object {
    Object {
        bucket: "bench".into(),
        key: key.into(),
        etag: etag.into(),
        size: 0,
        modified: Timestamp::from_millis(modified),
        meta: Meta::default(),
        checksum: Checksum {
            algorithm: Algorithm::Crc32,
            value: "AAAAAA==".into(),
            kind: Kind::FullObject,
        },
        multipart: false,
        content: Content::Inline(Bytes::new()),
    }
}
