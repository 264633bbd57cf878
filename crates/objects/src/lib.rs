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
mod garbage;
mod hot;
mod ingest;
mod listing;
mod multipart;
mod names;
mod object;
mod policies;
mod range;
mod read;
mod reseal;
mod reservations;
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
    contract::{
        BlobChanges, BlobName, DisplacedRows, IndexWrite, ObjectIndex, StoreError, StoreFuture,
    },
    reserve::DiskReserve,
};
use keywright_vault::DataVault;

pub use bucket::{Bucket, BucketAsk, BucketPage, ListedBucket, PublicAccessBlock, canonical_id};
pub use conditions::{EntityTags, ReadIf, WriteIf};
pub use copy::{CopyRequest, PartCopySource};
pub use digest::{Checksum, ChecksumAlgorithm, ChecksumType};
pub use fault::{BodyError, BucketSetting, ChecksumFault, S3Fault, TagFault, UnknownElement};
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
use hot::HotRows;
use reservations::{BlobAllocator, ReservedBlob};
use room::{CommitCount, StorageCharge, StorageRoom};

/// The objects of an installation. Cheap to clone.
#[derive(Clone)]
pub struct Objects {
    index: Arc<dyn ObjectIndex>,
    allocator: Arc<BlobAllocator>,
    clock: Arc<dyn Clock>,
    vault: Arc<DataVault>,
    entropy: Arc<dyn Entropy>,
    hot: Arc<HotRows>,
    locks: Arc<Vec<Arc<RwLock<()>>>>,
    room: Arc<StorageRoom>,
    check: Option<Arc<dyn CommitCheck>>,
    stale: bool,
}

/// Decides immediately before a write is committed whether it is still allowed. Permissions may
/// have been revoked while a body arrived or a copy was made.
pub trait CommitCheck: Send + Sync {
    /// Checks whether to commit.
    fn check(&self) -> ApprovalFuture<'_>;

    /// Runs long work off the request threads, in the turn of the caller that this check belongs
    /// to.
    fn run_beside(&self, work: Box<dyn FnOnce() + Send>) -> CheckFuture<'_>;
}

/// A type that only an access check creates. The crate that checks access implements this for its
/// proofs, and for nothing else.
pub trait CommitProof {}

/// Approval to commit one batch. Objects without a [`CommitCheck`] approve their own commits; with
/// one, approval takes the proof of an access check.
#[derive(Debug)]
pub struct CommitApproval(());

impl CommitApproval {
    /// Approves a commit by a proof, which is used up.
    pub fn by<P: CommitProof>(_proof: P) -> Self {
        Self(())
    }
}

/// The pending result of [`CommitCheck::check`].
pub type ApprovalFuture<'a> =
    Pin<Box<dyn Future<Output = Result<CommitApproval, S3Fault>> + Send + 'a>>;

/// The pending end of work for a [`CommitCheck`].
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
/// others; a write that reuses the blobs of the row it read holds it exclusively, so that no one
/// frees those blobs.
const LOCKS: usize = 64;

/// The blobs referenced by the rows of a batch.
enum BlobRefs {
    /// None.
    Nothing,
    /// Blobs created for this batch, and the charge they were written under.
    Fresh(Vec<ReservedBlob>, Arc<StorageCharge>),
    /// Blobs that other rows already refer to.
    Existing(Vec<BlobId>),
}

impl BlobRefs {
    /// The write that informs the store about them.
    fn settling(&self, now: Timestamp) -> IndexWrite {
        let (fresh, moved): (Vec<BlobName>, Vec<BlobName>) = match self {
            Self::Nothing => Default::default(),
            Self::Fresh(blobs, _) => (blobs.iter().map(|blob| blob.id().0).collect(), Vec::new()),
            Self::Existing(ids) => (Vec::new(), ids.iter().map(|id| id.0).collect()),
        };
        IndexWrite::SettleBlobs(BlobChanges {
            fresh,
            moved,
            blobs_of: row::blobs,
            now,
        })
    }

    /// Keeps new blobs if the batch was written, and deletes them if it was not. If that is
    /// unknown, their reservations decide.
    fn end<T>(self, result: &Result<T, CommitError>) {
        // The charge ends with this function.
        let Self::Fresh(blobs, _charge) = self else {
            return;
        };
        match result {
            Ok(_) => blobs.into_iter().for_each(ReservedBlob::keep),
            Err(CommitError::Denied(_) | CommitError::Store(StoreError::Precondition(_))) => {}
            Err(CommitError::Store(_)) => blobs.into_iter().for_each(ReservedBlob::leave),
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
    /// Opens the blob folder. Blocking; call it once, before requests are served.
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
        let folder = BlobFolder::open(folder)?;
        let found = garbage::scan(&folder, &*index, &vault)?;
        if !found.unknown.is_empty() {
            let blobs = found.unknown.len();
            tracing::info!(
                blobs,
                "found blobs of interrupted uploads; they will be removed"
            );
        }
        let allocator = BlobAllocator::new(
            folder,
            Arc::clone(&index),
            Arc::clone(&clock),
            Arc::clone(&entropy),
            found.unknown,
        );
        let locks = (0..LOCKS).map(|_| Arc::new(RwLock::new(()))).collect();
        Ok(Self {
            index,
            allocator: Arc::new(allocator),
            clock,
            vault,
            entropy,
            hot: Arc::default(),
            locks: Arc::new(locks),
            room: Arc::default(),
            check: None,
            stale: found.stale,
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

    /// Runs the check and commits a batch that concerns one bucket. The blobs that it displaced,
    /// except those its own rows refer to, become garbage. If nothing was written, blobs created
    /// for it are deleted. It runs to completion even if the request goes away.
    async fn commit(
        &self,
        bucket: &str,
        mut batch: Vec<IndexWrite>,
        named: BlobRefs,
        held: Option<LockedKey>,
    ) -> Result<DisplacedRows, CommitError> {
        let (index, room) = (Arc::clone(&self.index), Arc::clone(&self.room));
        let (check, clock) = (self.check.clone(), Arc::clone(&self.clock));
        let bucket = bucket.to_owned();
        let work = tokio::spawn(async move {
            let checked = match &check {
                Some(check) => check.check().await.map_err(CommitError::Denied),
                None => Ok(CommitApproval(())),
            };
            let (result, count) = match checked {
                Ok(approval) => {
                    let count = room.begin_commit(&bucket, &batch).await;
                    batch.push(named.settling(clock.now()));
                    let result = apply(&*index, approval, batch).await;
                    (result.map_err(CommitError::Store), count)
                }
                Err(denied) => (Err(denied), None),
            };
            let settled = SettledCommit {
                result,
                count,
                named,
            };
            // Counting many rows or deleting files would block a request thread for too long.
            let result = if settled.is_long() {
                let settling = spawn_blocking(move || settled.end()).await;
                settling.map_err(|error| CommitError::Store(unknown(&error)))?
            } else {
                settled.end()
            };
            drop(held);
            result
        });
        work.await
            .unwrap_or_else(|error| Err(CommitError::Store(unknown(&error))))
    }
}

/// Writes to the index. Nothing else does.
fn apply(
    index: &dyn ObjectIndex,
    _approval: CommitApproval,
    batch: Vec<IndexWrite>,
) -> StoreFuture<Result<DisplacedRows, StoreError>> {
    index.apply(batch)
}

fn unknown(error: &tokio::task::JoinError) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// A commit with a known outcome.
struct SettledCommit {
    result: Result<DisplacedRows, CommitError>,
    count: Option<CommitCount>,
    named: BlobRefs,
}

impl SettledCommit {
    /// Whether it displaced many rows, or has files to delete.
    fn is_long(&self) -> bool {
        match &self.result {
            Ok(displaced) => displaced.parts.len() > limits::S3_PARTS_SHORTLY,
            Err(_) => matches!(&self.named, BlobRefs::Fresh(blobs, _) if !blobs.is_empty()),
        }
    }

    /// Updates the counts and ends the reservations.
    fn end(self) -> Result<DisplacedRows, CommitError> {
        if let Some(count) = self.count {
            count.end(&self.result);
        }
        self.named.end(&self.result);
        self.result
    }
}
