//! The contract that every engine fulfils.
//!
//! Invariants: nothing is acknowledged before it is durable, and a change is committed against the
//! version it was computed from.
//!
//! The contract has four parts. [`LedgerStore`] holds IAM state as opaque records per account,
//! under one version number per account. [`LeaseStore`] holds rights that only one process has at a
//! time. [`ActivityStore`] holds the few unbounded tables beside them: last use, attempts with
//! inactive keys, sessions. [`ObjectIndex`] holds what S3 knows about buckets, objects and uploads,
//! but never their bytes; its [`BlobJournal`] lists the blobs that no row refers to. The store does
//! not interpret records; secrets reach it already sealed.

use std::{future::Future, pin::Pin};

use keywright_base::{AccessKeyId, AccountId, Timestamp};
use tokio::sync::watch;

/// A future returned by an engine. The work is queued when the method is called, in call order, not
/// when the future is first polled. Dropping the future does not cancel the work.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Why a store operation failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The commit was computed from a version other than the stored one; nothing was written.
    #[error(
        "account {account} is at version {actual}, the commit was computed from another {base}"
    )]
    Conflict {
        /// The account.
        account: AccountId,
        /// The version that the commit was computed from.
        base: u64,
        /// The stored version; the same number if it has another content.
        actual: u64,
    },
    /// A precondition of an index write failed; nothing in its batch was written.
    #[error("a precondition of the write did not hold")]
    Precondition(FailedPrecondition),
    /// Another process has the lease that the commit was made under; nothing was written.
    #[error("the lease {0} went to another process")]
    LeaseLost(String),
    /// The stored schema is newer than this program supports.
    #[error("the database has schema {found}, this program knows up to {known}")]
    NewerSchema {
        /// The schema number that was found.
        found: u32,
        /// The newest schema number that is known.
        known: u32,
    },
    /// The disk, the driver or the engine failed. Whether the write happened is unknown.
    #[error("storage failure: {0}")]
    Unavailable(String),
}

/// Which precondition of an [`IndexWrite`] failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailedPrecondition {
    /// The bucket does not exist.
    NoSuchBucket,
    /// The bucket exists; this is its current row.
    BucketExists(Box<BucketRow>),
    /// The bucket has objects, delete markers or unfinished uploads.
    BucketNotEmpty,
    /// The upload does not exist.
    NoSuchUpload,
    /// The object's [`ObjectCondition`] failed; this is its current row, if any.
    ObjectChanged(Option<Box<ObjectRow>>),
    /// A blob of the batch's [`BlobChanges`] is not, or no longer, what they say.
    BlobChanged(BlobName),
}

// ---------------------------------------------------------------------------------------------
// Ledger

/// A record of an account's IAM state. `kind` and `id` are its key within the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRecord {
    /// The type of the record, for example `user`; a short lower-case word.
    pub kind: String,
    /// The record's immutable id within its kind.
    pub id: String,
    /// The encoded record, opaque to the store.
    pub body: Vec<u8>,
}

/// One write of a [`LedgerCommit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordWrite {
    /// Inserts or replaces a record.
    Put(StateRecord),
    /// Removes a record; a missing record is not an error.
    Delete {
        /// The record's kind.
        kind: String,
        /// The record's id.
        id: String,
    },
}

/// An atomic change to one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerCommit {
    /// The account. At version 0 it does not exist yet, and this commit creates it.
    pub account: AccountId,
    /// The version that this commit was computed from.
    pub base: u64,
    /// Required of a commit that may have been computed from one whose outcome is still unknown.
    pub lineage: Option<CommitLineage>,
    /// The lease that must still be held. If it is not, nothing is written.
    pub lease: Option<Lease>,
    /// The writes; the new version is `base + 1`.
    pub writes: Vec<RecordWrite>,
}

/// Identifies the contents of a version: two versions of an account with the same number and the
/// same tag have the same records. Zero for a version whose commit had no lineage.
pub type LineageTag = [u8; 16];

/// Ties a commit to the content of its base. A number alone does not: if the base was computed here
/// but not written, because another process was faster, its number may be that process's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitLineage {
    /// The tag of the version that the commit was computed from.
    pub base: LineageTag,
    /// The tag of the resulting version.
    pub new: LineageTag,
}

/// The version of an account's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountVersion {
    /// Its number; 0 if the account does not exist.
    pub number: u64,
    /// Its tag.
    pub tag: LineageTag,
}

/// The accounts that changed after a sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerChanges {
    /// The sequence number of the last commit; pass it to the next [`LedgerStore::changes_since`].
    pub sequence: u64,
    /// Every account with a later commit, with its version, in the order of these commits.
    pub accounts: Vec<(AccountId, u64)>,
}

/// IAM state, per account. Every commit to any account has a sequence number, greater than those of
/// all commits before it, so that other processes learn of it.
pub trait LedgerStore: Send + Sync {
    /// Returns every account with its version, in ascending order of id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn accounts(&self) -> Result<Vec<(AccountId, u64)>, StoreError>;

    /// Calls `each` for every record of an account, in unspecified order, and returns their
    /// version. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn load(
        &self,
        account: AccountId,
        each: &mut dyn FnMut(StateRecord),
    ) -> Result<AccountVersion, StoreError>;

    /// Commits durably and returns the new version. Commits to one account take effect in call
    /// order, and many callers share one flush.
    ///
    /// Errors: [`StoreError::Conflict`] when `base` is not the stored version or the lineage is
    /// another, and [`StoreError::LeaseLost`] (nothing was written in both cases);
    /// [`StoreError::Unavailable`] when the outcome is unknown.
    fn commit(&self, commit: LedgerCommit) -> StoreFuture<Result<u64, StoreError>>;

    /// Returns the accounts that changed after this sequence number; 0 selects all accounts.
    fn changes_since(&self, sequence: u64) -> StoreFuture<Result<LedgerChanges, StoreError>>;

    /// Returns the last sequence number that this engine has noticed, and each later one. A hint
    /// for when to call [`LedgerStore::changes_since`]: numbers may be skipped.
    fn watch(&self) -> watch::Receiver<u64>;
}

// ---------------------------------------------------------------------------------------------
// Leases

/// A right that one process of an installation has at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The name of the right.
    pub name: String,
    /// Greater than that of every earlier holder.
    pub token: u64,
}

/// A request for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    /// The name of the right.
    pub name: String,
    /// The process, identified by random bytes that it chose when it started.
    pub holder: [u8; 16],
    /// The current time.
    pub now: Timestamp,
    /// When others may take it over if it is not released.
    pub expires: Timestamp,
}

/// Leases. Their times decide when another process may take over, never whether a write is valid:
/// commits name the lease that they were made under ([`LedgerCommit::lease`]).
pub trait LeaseStore: Send + Sync {
    /// Takes a lease that is free or expired, or that the same holder already has; `None` while
    /// another holder has it.
    fn acquire_lease(
        &self,
        request: LeaseRequest,
    ) -> StoreFuture<Result<Option<Lease>, StoreError>>;

    /// Releases a lease, unless another holder has taken it.
    fn release_lease(&self, lease: Lease) -> StoreFuture<Result<(), StoreError>>;
}

// ---------------------------------------------------------------------------------------------
// Journal

/// The last use of an access key or a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// An access key ID, or a user's unique id for its password.
    pub subject: String,
    /// When it was used.
    pub at: Timestamp,
    /// The service namespace, for example `s3`.
    pub service: String,
    /// The region of the credential scope.
    pub region: String,
}

/// A correctly signed request with an inactive access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAttempt {
    /// The key.
    pub key: AccessKeyId,
    /// The source IP address.
    pub source_address: String,
    /// The `User-Agent` header, truncated by the caller.
    pub user_agent: String,
    /// The service and action, for example `s3:PutObject`.
    pub action: String,
    /// When the latest attempt was seen.
    pub at: Timestamp,
    /// The number of attempts; 1 when recording.
    pub count: u64,
}

/// A session that was issued. The secret stays inside the sealed token that the client holds; the
/// store only records that the session exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedSession {
    /// The temporary (`ASIA…`) access key ID.
    pub key: AccessKeyId,
    /// The long-term key that signed the request for it.
    pub source: AccessKeyId,
    /// The owner of that key, as the caller writes it. `None` if an earlier version recorded it.
    pub owner: Option<String>,
    /// The ARN of the principal at that time.
    pub principal: String,
    /// The action that issued it, for example `sts:GetSessionToken`.
    pub action: String,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
}

/// Selects a page of the sessions of a long-term key, latest expiry first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPage {
    /// The long-term key.
    pub source: AccessKeyId,
    /// Only sessions that expire after this time.
    pub now: Timestamp,
    /// Only sessions after the one with this expiry and access key.
    pub after: Option<(Timestamp, AccessKeyId)>,
    /// The maximum number of sessions.
    pub limit: usize,
}

/// The maximum number of distinct (source address, user agent, action) rows of one inactive key.
/// The oldest rows are evicted; the total per key still counts them.
pub const ATTEMPT_ROWS_PER_KEY: usize = 64;

/// The maximum number of concurrent sessions that one action issues to one long-term key; further
/// sessions are not recorded. Each action has its own number, because some of them need no
/// permission.
pub const SESSIONS_PER_KEY: usize = 5000;

/// The unbounded tables beside the ledger.
pub trait ActivityStore: Send + Sync {
    /// Returns every recorded last use. Blocking; called once at startup.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn last_uses(&self) -> Result<Vec<LastUse>, StoreError>;

    /// Records last uses. A later `at` replaces an earlier one, never the reverse.
    fn record_last_uses(&self, uses: Vec<LastUse>) -> StoreFuture<Result<(), StoreError>>;

    /// Deletes the last uses of these subjects (deleted keys and users). Attempts stay, because
    /// they show who still tried a key after its deletion.
    fn forget(&self, subjects: Vec<String>) -> StoreFuture<Result<(), StoreError>>;

    /// Adds to the attempt counts of inactive keys.
    fn record_attempts(&self, attempts: Vec<KeyAttempt>) -> StoreFuture<Result<(), StoreError>>;

    /// Returns the attempts with one key, latest first, and the total including evicted rows.
    fn attempts(&self, key: AccessKeyId)
    -> StoreFuture<Result<(Vec<KeyAttempt>, u64), StoreError>>;

    /// Records an issued session, replacing one with the same key, and forgets those of its
    /// long-term key that were issued up to `ended`. Returns false and records nothing if
    /// [`SESSIONS_PER_KEY`] other sessions of this key and action are still valid when it is
    /// issued.
    fn record_session(
        &self,
        session: IssuedSession,
        ended: Option<Timestamp>,
    ) -> StoreFuture<Result<bool, StoreError>>;

    /// Returns a page of the unexpired sessions issued to one long-term key.
    fn sessions(&self, page: SessionPage) -> StoreFuture<Result<Vec<IssuedSession>, StoreError>>;

    /// Removes sessions that expired before `now`. A session that expires exactly then stays until
    /// the next purge.
    fn purge_sessions(&self, now: Timestamp) -> StoreFuture<Result<(), StoreError>>;
}

// ---------------------------------------------------------------------------------------------
// Object index

/// A bucket. Names are unique across the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRow {
    /// The bucket's name.
    pub name: String,
    /// The account that owns it.
    pub account: AccountId,
    /// Everything else (region, creation time, policy, …), opaque to the store.
    pub body: Vec<u8>,
}

/// The id of a version, unique within its key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VersionId(Option<Box<str>>);

impl VersionId {
    /// The version that a write without versioning creates, and replaces if it exists.
    pub const NULL: Self = Self(None);

    /// Returns the version with this id; `null` is [`VersionId::NULL`].
    pub fn new(id: &str) -> Self {
        Self((id != "null").then(|| id.into()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("null")
    }
}

/// A version of an object. The newest version of a key is its current one, unless the newest is a
/// delete marker: then the key has no current version, and reads and conditions find no object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRow {
    /// The bucket.
    pub bucket: String,
    /// The key; keys are ordered by their UTF-8 bytes.
    pub key: String,
    /// The version.
    pub version: VersionId,
    /// The entity tag without quotes, as compared by [`ObjectCondition::Etag`].
    pub etag: String,
    /// Everything else (size, blob, metadata, …), opaque to the store.
    pub body: Vec<u8>,
}

/// A delete marker: a version without content that hides the older versions of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteMarkerRow {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The version.
    pub version: VersionId,
    /// The encoded marker, opaque to the store. It refers to no bytes.
    pub body: Vec<u8>,
}

/// An unfinished multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRow {
    /// The bucket.
    pub bucket: String,
    /// The key of the object that the upload will create.
    pub key: String,
    /// The upload id, unique across the installation.
    pub upload: String,
    /// The encoded upload, opaque to the store.
    pub body: Vec<u8>,
}

/// One uploaded part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRow {
    /// The upload id.
    pub upload: String,
    /// The part number, 1 to 10,000.
    pub number: i32,
    /// The encoded part, opaque to the store.
    pub body: Vec<u8>,
}

/// The precondition on an object for a write: on the current version of its key, or on the version
/// that the write deletes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ObjectCondition {
    /// No condition.
    #[default]
    Any,
    /// The object must not exist (`If-None-Match: *`).
    Absent,
    /// The object must exist with this entity tag (`If-Match`).
    Etag(String),
    /// The object must still have this body, for a write that keeps parts of the row it read.
    Unchanged(Vec<u8>),
}

impl ObjectCondition {
    /// Whether it holds for this object, or for none.
    pub fn holds_for(&self, present: Option<&ObjectRow>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => present.is_none(),
            Self::Etag(etag) => present.is_some_and(|row| row.etag == *etag),
            Self::Unchanged(body) => present.is_some_and(|row| row.body == *body),
        }
    }
}

/// A write to the index. A batch of writes is atomic, and each write sees the effects of those
/// before it.
#[derive(Debug, Clone)]
pub enum IndexWrite {
    /// Creates a bucket. Fails with [`FailedPrecondition::BucketExists`].
    CreateBucket(BucketRow),
    /// Replaces a bucket's body (never its owner) if the stored body still equals `was`. Fails with
    /// [`FailedPrecondition::NoSuchBucket`], or with [`FailedPrecondition::BucketExists`] and the
    /// current row if the body differs.
    UpdateBucket {
        /// The new row.
        row: BucketRow,
        /// The body that was read before.
        was: Vec<u8>,
    },
    /// Deletes a bucket without objects, delete markers and uploads. Fails with
    /// [`FailedPrecondition::NoSuchBucket`] or [`FailedPrecondition::BucketNotEmpty`].
    DeleteBucket(String),
    /// Writes a version as the newest of its key. It replaces the version with the same id; all
    /// others stay. Fails with [`FailedPrecondition::NoSuchBucket`] or
    /// [`FailedPrecondition::ObjectChanged`].
    PutObject {
        /// The new row.
        row: ObjectRow,
        /// Its precondition.
        expect: ObjectCondition,
    },
    /// Like [`IndexWrite::PutObject`], for a delete marker.
    PutDeleteMarker {
        /// The new row.
        row: DeleteMarkerRow,
        /// Its precondition.
        expect: ObjectCondition,
    },
    /// Deletes one version or delete marker. If it was the newest of its key, the one before it
    /// becomes the newest. A missing version or bucket is not an error unless `expect` requires the
    /// object. Fails with [`FailedPrecondition::ObjectChanged`].
    DeleteObject {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The version.
        version: VersionId,
        /// Its precondition.
        expect: ObjectCondition,
    },
    /// Starts an upload under an ID that was never used before. Fails with
    /// [`FailedPrecondition::NoSuchBucket`].
    CreateUpload(UploadRow),
    /// Adds or replaces a part. Fails with [`FailedPrecondition::NoSuchUpload`].
    PutPart(PartRow),
    /// Ends an upload and removes its part rows. Fails with [`FailedPrecondition::NoSuchUpload`].
    DeleteUpload(String),
    /// Updates the [`BlobJournal`] to match the writes before it. The last write of every batch
    /// whose rows refer to blobs. Fails with [`FailedPrecondition::BlobChanged`].
    SettleBlobs(BlobChanges),
}

/// The name of a blob. Random, and never used for another blob.
pub type BlobName = [u8; 16];

/// The effect of a batch on blobs. Every blob belongs to exactly one row, so the store can check in
/// the transaction that no row ever refers to a blob that is to be deleted.
#[derive(Debug, Clone)]
pub struct BlobChanges {
    /// Blobs that were created for this batch. Each must be reserved, and then leaves the journal.
    pub fresh: Vec<BlobName>,
    /// Blobs that move from rows that this batch displaces to rows that it writes.
    pub moved: Vec<BlobName>,
    /// The blobs that the body of an object or a part refers to. Those of each displaced row,
    /// except the moved ones, become one [`PendingDelete`].
    pub blobs_of: fn(&[u8]) -> Vec<BlobName>,
    /// The time of the batch.
    pub now: Timestamp,
}

/// The rows that a batch replaced or removed, in the order of its writes, so that the caller can
/// free the bytes behind them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DisplacedRows {
    /// Versions of objects that were overwritten or deleted.
    pub objects: Vec<ObjectRow>,
    /// Parts that were replaced, or removed together with their upload.
    pub parts: Vec<PartRow>,
    /// Uploads that ended.
    pub uploads: Vec<UploadRow>,
}

/// A range of a listing: at most `limit` names that start with `prefix` and are greater than
/// `after` (or equal to it, with `inclusive`), in ascending order of UTF-8 bytes.
#[derive(Debug, Clone, Default)]
pub struct ListRange {
    /// Only names that start with this.
    pub prefix: String,
    /// Where to start. Bytes, because the successor of a common prefix need not be valid UTF-8.
    pub after: Vec<u8>,
    /// Whether a name equal to `after` is included.
    pub inclusive: bool,
    /// The maximum number of rows.
    pub limit: usize,
    /// How much of each body to return.
    pub bodies: RowBodies,
}

/// How much of each row's body a listing returns. Clients determine the size of rows and a page has
/// a thousand of them, so unneeded bytes must not be held in memory.
#[derive(Debug, Clone, Copy, Default)]
pub enum RowBodies {
    /// The whole body.
    #[default]
    Whole,
    /// The result of this function, applied while the row is read.
    Cut(fn(&[u8]) -> Vec<u8>),
}

impl RowBodies {
    /// Applies this selection to a body.
    pub fn of(self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Whole => body.to_vec(),
            Self::Cut(cut) => cut(body),
        }
    }
}

/// Blobs that no row refers to any more, to be deleted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingDelete {
    /// Its number; entries are numbered in order of creation.
    pub number: u64,
    /// The blobs of one displaced row in order, or one blob whose reservation expired.
    pub blobs: Vec<BlobName>,
}

/// Which pending deletes to list: at most `limit`, after this number, created at this time or
/// before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingDeletePage {
    /// Only entries with a greater number.
    pub after: u64,
    /// Only entries created at this time or before.
    pub made_by: Timestamp,
    /// The maximum number of entries.
    pub limit: usize,
}

/// The blobs that no row refers to: those being written, and those to be deleted.
///
/// A blob may exist only while it is in this journal or a row refers to it. Whatever crashes, and
/// however many processes share a folder of blobs, each process can therefore distinguish garbage
/// from what another one is writing: a reserved blob is left alone until its reservation expires,
/// and after that no batch can refer to it.
pub trait BlobJournal: Send + Sync {
    /// Reserves names for new blobs; renews existing reservations. A blob may be created once its
    /// reservation is durable.
    fn reserve_blobs(
        &self,
        blobs: Vec<BlobName>,
        now: Timestamp,
    ) -> StoreFuture<Result<(), StoreError>>;

    /// Renews those of these reservations that still exist.
    fn renew_blobs(
        &self,
        blobs: Vec<BlobName>,
        now: Timestamp,
    ) -> StoreFuture<Result<(), StoreError>>;

    /// Removes reservations of blobs that do not exist.
    fn release_blobs(&self, blobs: Vec<BlobName>) -> StoreFuture<Result<(), StoreError>>;

    /// Turns reservations made before this time into pending deletes, and returns their number.
    fn expire_blobs(
        &self,
        before: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<Result<usize, StoreError>>;

    /// Returns pending deletes, ordered by number.
    fn pending_deletes(
        &self,
        page: PendingDeletePage,
    ) -> StoreFuture<Result<Vec<PendingDelete>, StoreError>>;

    /// Removes pending deletes whose blobs have been deleted.
    fn finish_deletes(&self, numbers: Vec<u64>) -> StoreFuture<Result<(), StoreError>>;

    /// Calls `each` with every blob in the journal. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn every_journaled_blob(&self, each: &mut dyn FnMut(BlobName)) -> Result<(), StoreError>;
}

/// Marks a point in the history of a row of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowStamp(pub u64);

/// What S3 knows about buckets, objects and uploads, without the bytes.
pub trait ObjectIndex: BlobJournal {
    /// Returns the stamp of a bucket, which need not exist. Does not block.
    ///
    /// A row that is read after its stamp was returned is the current one whenever the same stamp
    /// is returned again. `None` while a write to it is under way, and always from an engine that
    /// does not learn at once of what other processes write.
    fn bucket_stamp(&self, name: &str) -> Option<RowStamp>;

    /// Returns the stamp of the current version of an object, in the same sense.
    fn object_stamp(&self, bucket: &str, key: &str) -> Option<RowStamp>;

    /// Applies a batch durably and atomically. Callers share flushes.
    fn apply(&self, batch: Vec<IndexWrite>) -> StoreFuture<Result<DisplacedRows, StoreError>>;

    /// Returns one bucket.
    fn bucket(&self, name: &str) -> StoreFuture<Result<Option<BucketRow>, StoreError>>;

    /// Returns the buckets of an account, ordered by name.
    fn buckets(
        &self,
        account: AccountId,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<BucketRow>, StoreError>>;

    /// Returns the current version of an object.
    fn object(&self, bucket: &str, key: &str)
    -> StoreFuture<Result<Option<ObjectRow>, StoreError>>;

    /// Returns the current versions of the objects of a bucket, ordered by key.
    fn objects(
        &self,
        bucket: &str,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<ObjectRow>, StoreError>>;

    /// Returns one upload.
    fn upload(&self, upload: &str) -> StoreFuture<Result<Option<UploadRow>, StoreError>>;

    /// Returns the uploads of a bucket, ordered by key and then by upload id. `range.after` is `key
    /// \0 upload`. Without a zero byte it sorts before every upload of that key; since ids are
    /// ASCII, `key \0 \xff` sorts after them. Neither keys nor ids contain a zero byte.
    fn uploads(
        &self,
        bucket: &str,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<UploadRow>, StoreError>>;

    /// Returns the parts of an upload with numbers above `after`, ascending, at most `limit`.
    fn parts(
        &self,
        upload: &str,
        after: i32,
        limit: usize,
    ) -> StoreFuture<Result<Vec<PartRow>, StoreError>>;

    /// Calls `each` with the bucket and the body of every part row and every version of an object
    /// of the installation, so that startup can find unreferenced blobs and count bytes. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn every_body(&self, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError>;

    /// Calls `each` with the bucket and the body of every unfinished upload's row, to count them.
    /// Blocking.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn every_upload(&self, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError>;
}

/// An engine: all parts on one durable medium.
pub trait Store: LedgerStore + LeaseStore + ActivityStore + ObjectIndex {}

impl<T: LedgerStore + LeaseStore + ActivityStore + ObjectIndex> Store for T {}
