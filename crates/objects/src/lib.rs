//! The semantics of S3: buckets, objects, listings, multipart uploads, tags and bucket policies.
//!
//! Invariant: a response is sent only after the bytes and the index are durable, and nothing is
//! ever partly visible. Bytes are encrypted: files in one folder (`blobs`), small bodies in the
//! index. Everything else is rows of [`keywright_store::contract::ObjectIndex`]. This crate does
//! not know HTTP or XML, the caller, or its permissions: the server authorizes first and passes on
//! what it looked up.

mod blobs;
mod bucket;
mod conditions;
mod content;
mod copy;
mod digest;
mod fault;
mod ingest;
mod listing;
mod multipart;
mod names;
mod object;
mod policies;
mod range;
mod read;
mod reseal;
mod room;
mod row;
mod tags;

#[cfg(any(test, feature = "memory"))]
pub mod memory;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
};

use tokio::{
    sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, oneshot},
    task::spawn_blocking,
};

use keywright_base::{Clock, Entropy, Timestamp, limits};
use keywright_store::{
    contract::{DisplacedRows, IndexWrite, ObjectIndex, StoreError},
    reserve::DiskReserve,
};
use keywright_vault::DataVault;

pub use bucket::{Bucket, BucketAsk, BucketPage, ListedBucket, PublicAccessBlock, canonical_id};
pub use conditions::{EntityTags, ReadIf, WriteIf};
pub use copy::{CopyRequest, PartCopySource};
pub use digest::{Checksum, ChecksumAlgorithm, ChecksumType};
pub use fault::{BodyError, BucketSetting, ChecksumFault, S3Fault, TagFault, UnknownElement, wire};
pub use ingest::{ClaimedBody, ClaimedValue, INLINE_BYTES, ObjectStream, check_document};
pub use listing::{ListPage, ListRequest as ListAsk, ListedObject};
pub use multipart::{
    CompleteRequest, ListedUpload, NamedPart, NewUpload, Part, PartPage, Upload, UploadAsk,
    UploadPage,
};
pub use names::{check_bucket as check_bucket_name, check_class, check_key};
pub use object::{MultipartOrigin, Object, ObjectMeta, PutRequest, StoredHeaders};
pub use policies::PolicyCache;
pub use range::ByteSpan;
pub use read::{ByteStream, ObjectView, ReadRequest as ReadAsk};
pub use room::StorageQuotas;
pub use tags::{
    Tags, check_bucket as check_bucket_tags, check_new_bucket as check_new_bucket_tags,
    check_object as check_object_tags, parse_header as parse_tagging,
};

use blobs::{BlobFolder, BlobId};
use room::{CommitCount, StorageCharge, StorageRoom};

/// The objects of an installation. Cheap to clone.
#[derive(Clone)]
pub struct Objects {
    index: Arc<dyn ObjectIndex>,
    blobs: Arc<BlobFolder>,
    clock: Arc<dyn Clock>,
    vault: Arc<DataVault>,
    entropy: Arc<dyn Entropy>,
    locks: Arc<Vec<Arc<RwLock<()>>>>,
    room: Arc<StorageRoom>,
    check: Option<Arc<dyn CommitCheck>>,
    stale: bool,
}

/// Decides immediately before a write is committed whether it is still allowed. Permissions may
/// have been revoked while a body arrived or a copy was made.
pub trait CommitCheck: Send + Sync {
    /// Checks whether to commit.
    fn check(&self) -> CheckFuture<'_>;

    /// Runs long work off the request threads, once it is the turn of the caller that this check
    /// belongs to.
    fn run_beside(&self, work: Box<dyn FnOnce() + Send>) -> CheckFuture<'_>;
}

/// The pending result of a [`CommitCheck`].
pub type CheckFuture<'a> = Pin<Box<dyn Future<Output = Result<(), S3Fault>> + Send + 'a>>;

/// Why a batch was not committed.
enum CommitError {
    /// The commit check rejected it.
    Denied(S3Fault),
    Store(StoreError),
}

impl From<CommitError> for S3Fault {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Denied(fault) => fault,
            CommitError::Store(error) => error.into(),
        }
    }
}

/// The number of locks, selected by hash. A write that only replaces a row shares its lock with
/// others; a write that keeps the blobs of the row it read holds it exclusively, so that nobody
/// frees those blobs.
const LOCKS: usize = 64;

/// The blobs referenced by the rows of a batch.
enum BlobRefs {
    /// None.
    Nothing,
    /// Blobs created for this batch, and the charge they were made under.
    Fresh(
        Vec<BlobId>,
        #[expect(dead_code, reason = "held, not read")] Arc<StorageCharge>,
    ),
    /// Blobs that other rows already refer to.
    Existing(Vec<BlobId>),
}

impl BlobRefs {
    fn blobs(&self) -> &[BlobId] {
        match self {
            Self::Nothing => &[],
            Self::Fresh(ids, _) | Self::Existing(ids) => ids,
        }
    }

    /// The blobs to free if the batch was not written.
    fn unwritten(&self) -> Vec<Vec<BlobId>> {
        match self {
            Self::Fresh(ids, _) => vec![ids.clone()],
            Self::Nothing | Self::Existing(_) => Vec::new(),
        }
    }
}

enum LockedKey {
    Shared(#[expect(dead_code, reason = "held, not read")] OwnedRwLockReadGuard<()>),
    Alone(#[expect(dead_code, reason = "held, not read")] Vec<OwnedRwLockWriteGuard<()>>),
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects").finish_non_exhaustive()
    }
}

impl Objects {
    /// Opens the blob folder and sweeps blobs that no row refers to. Blocking; call it once, before
    /// requests are served.
    ///
    /// # Errors
    /// [`S3Fault::Internal`] when the folder or the index cannot be read.
    pub fn open(
        folder: PathBuf,
        index: Arc<dyn ObjectIndex>,
        vault: Arc<DataVault>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, S3Fault> {
        let blobs = BlobFolder::open(folder, Arc::clone(&entropy))?;
        let mut used = HashSet::new();
        let (mut damage, mut stale) = (None, false);
        index.every_body(&mut |_, body| match row::content(body) {
            Ok(content) => {
                stale |= content.protection(&vault) > content::ContentProtection::Current;
                used.extend(content.blobs());
            }
            Err(fault) => damage = Some(fault),
        })?;
        if let Some(fault) = damage {
            return Err(fault);
        }
        let swept = blobs.sweep(&used)?;
        if swept > 0 {
            tracing::info!(swept, "removed blobs that nothing refers to");
        }
        let locks = (0..LOCKS).map(|_| Arc::new(RwLock::new(()))).collect();
        Ok(Self {
            index,
            blobs: Arc::new(blobs),
            clock,
            vault,
            entropy,
            locks: Arc::new(locks),
            room: Arc::default(),
            check: None,
            stale,
        })
    }

    /// Adds a disk reserve and quotas. Counts what is stored if there are quotas.
    ///
    /// # Errors
    /// [`S3Fault::Internal`] when the index cannot be read.
    pub async fn with_limits(
        self,
        reserve: Arc<DiskReserve>,
        quotas: StorageQuotas,
    ) -> Result<Self, S3Fault> {
        let room = StorageRoom::open(Some(reserve), quotas, &self.index).await?;
        Ok(Self { room, ..self })
    }

    /// Admits an upload into a bucket before anything of it is read.
    async fn admit(
        &self,
        bucket: &str,
        announced: Option<u64>,
    ) -> Result<Arc<StorageCharge>, S3Fault> {
        self.room.admit(&self.index, bucket, announced).await
    }

    /// Returns a handle to the same objects that runs this check before every write.
    #[must_use]
    pub fn checked_by(&self, check: Arc<dyn CommitCheck>) -> Self {
        Self {
            check: Some(check),
            ..self.clone()
        }
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn shared(&self, name: &str) -> Option<LockedKey> {
        Some(LockedKey::Shared(
            Arc::clone(self.lock(name)?).read_owned().await,
        ))
    }

    async fn alone(&self, name: &str) -> Option<LockedKey> {
        self.alone_all(&[name]).await
    }

    /// Locks several names exclusively. Callers of this function acquire the locks in one global
    /// order, so that two of them never deadlock; everyone else holds at most one lock.
    async fn alone_all(&self, names: &[&str]) -> Option<LockedKey> {
        let mut slots: Vec<_> = names.iter().map(|name| self.slot(name)).collect();
        slots.sort_unstable();
        slots.dedup();
        let mut guards = Vec::with_capacity(slots.len());
        for slot in slots {
            guards.push(Arc::clone(self.locks.get(slot)?).write_owned().await);
        }
        Some(LockedKey::Alone(guards))
    }

    /// Like `alone_all`, but only if it need not wait.
    fn try_alone_all(&self, names: &[&str]) -> Option<LockedKey> {
        let mut slots: Vec<_> = names.iter().map(|name| self.slot(name)).collect();
        slots.sort_unstable();
        slots.dedup();
        let locks = slots.into_iter().map(|slot| self.locks.get(slot));
        let guards = locks.map(|lock| Arc::clone(lock?).try_write_owned().ok());
        Some(LockedKey::Alone(guards.collect::<Option<_>>()?))
    }

    /// Runs work off the request threads, in the caller's turn.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, S3Fault> {
        let cut_off = || S3Fault::Internal("work beside the request was cut off".into());
        let (sender, result) = oneshot::channel();
        let work = move || drop(sender.send(work()));
        match &self.check {
            Some(check) => check.run_beside(Box::new(work)).await?,
            None => spawn_blocking(work).await.map_err(|_| cut_off())?,
        }
        result.await.map_err(|_| cut_off())
    }

    fn lock(&self, name: &str) -> Option<&Arc<RwLock<()>>> {
        self.locks.get(self.slot(name))
    }

    fn slot(&self, name: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let slot = hasher.finish() % u64::try_from(self.locks.len()).unwrap_or(1);
        usize::try_from(slot).unwrap_or(0)
    }

    /// Runs the check, commits a batch that concerns one bucket, and frees the blobs it displaced,
    /// except those its own rows refer to. If nothing was written, blobs created for it are freed.
    /// If the outcome is unknown nothing is freed, and the next start sweeps. It runs to completion
    /// even if the request goes away.
    async fn commit(
        &self,
        bucket: &str,
        batch: Vec<IndexWrite>,
        named: BlobRefs,
        held: Option<LockedKey>,
    ) -> Result<DisplacedRows, CommitError> {
        let (index, room) = (Arc::clone(&self.index), Arc::clone(&self.room));
        let (blobs, check) = (Arc::clone(&self.blobs), self.check.clone());
        let bucket = bucket.to_owned();
        let work = tokio::spawn(async move {
            let checked = match &check {
                Some(check) => check.check().await.map_err(CommitError::Denied),
                None => Ok(()),
            };
            let (result, count) = match checked {
                Ok(()) => {
                    let count = room.begin_commit(&bucket, &batch).await;
                    let result = index.apply(batch).await;
                    (result.map_err(CommitError::Store), count)
                }
                Err(denied) => (Err(denied), None),
            };
            let settled = Settled {
                result,
                count,
                named,
            };
            // Examining many rows would block a request thread for too long.
            let (result, pending_delete) = if settled.is_long() {
                let settling = spawn_blocking(move || settled.end()).await;
                settling.map_err(|error| CommitError::Store(unknown(&error)))?
            } else {
                settled.end()
            };
            drop(held);
            if pending_delete.iter().any(|ids| !ids.is_empty()) {
                let free = move || pending_delete.iter().for_each(|ids| blobs.remove(ids));
                let _ = spawn_blocking(free).await;
            }
            result
        });
        work.await
            .unwrap_or_else(|error| Err(CommitError::Store(unknown(&error))))
    }
}

fn unknown(error: &tokio::task::JoinError) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// A commit with a known outcome.
struct Settled {
    result: Result<DisplacedRows, CommitError>,
    count: Option<CommitCount>,
    named: BlobRefs,
}

impl Settled {
    /// Whether it displaced many rows.
    fn is_long(&self) -> bool {
        let displaced = self.result.as_ref().ok();
        displaced.is_some_and(|rows| rows.parts.len() > limits::S3_PARTS_SHORTLY)
    }

    /// Updates the counts and returns the blobs that nothing refers to any more.
    fn end(self) -> (Result<DisplacedRows, CommitError>, Vec<Vec<BlobId>>) {
        let pending_delete = match &self.result {
            Ok(displaced) => freed(displaced, self.named.blobs()),
            Err(CommitError::Denied(_) | CommitError::Store(StoreError::Precondition(_))) => {
                self.named.unwritten()
            }
            Err(CommitError::Store(_)) => Vec::new(),
        };
        if let Some(count) = self.count {
            count.end(&self.result);
        }
        (self.result, pending_delete)
    }
}

/// The blobs behind displaced rows, grouped by object, without those still referenced.
fn freed(displaced: &DisplacedRows, retained: &[BlobId]) -> Vec<Vec<BlobId>> {
    let retained: HashSet<_> = retained.iter().copied().collect();
    let objects = displaced.objects.iter().map(|row| row.body.as_slice());
    let parts = displaced.parts.iter().map(|row| row.body.as_slice());
    objects
        .chain(parts)
        .filter_map(|body| row::content(body).ok())
        .map(|content| content.blobs())
        .map(|ids| {
            ids.into_iter()
                .filter(|id| !retained.contains(id))
                .collect()
        })
        .collect()
}
