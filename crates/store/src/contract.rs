//! The contract that every engine keeps, and the rule it protects: nothing is acknowledged before
//! it is durable, and a change is committed against the version it was computed from.
//!
//! Three parts. [`LedgerStore`] holds IAM state as opaque records per account, under one version
//! number per account. [`ActivityStore`] holds the few unbounded tables beside it: last use,
//! attempts with inactive keys, sessions. [`ObjectIndex`] holds what S3 knows about buckets,
//! objects and uploads (never their bytes). The store does not know what a record means; secrets
//! reach it already sealed.

use std::{future::Future, pin::Pin};

use keywright_base::{AccessKeyId, AccountId, Timestamp};

/// A future that an engine returns. The work is queued when the method is called, in call order,
/// not when the future is first polled; dropping the future does not cancel the work.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Why the store could not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The commit was computed from another version than the stored one; nothing was written.
    #[error("account {account} is at version {actual}, the commit was computed from {base}")]
    Conflict {
        /// The account.
        account: AccountId,
        /// The version the commit named.
        base: u64,
        /// The version that is stored.
        actual: u64,
    },
    /// A precondition of an index write did not hold; nothing of its batch was written.
    #[error("a precondition of the write did not hold")]
    Precondition(FailedPrecondition),
    /// The stored schema is newer than this program.
    #[error("the database has schema {found}, this program knows up to {known}")]
    NewerSchema {
        /// Schema number found.
        found: u32,
        /// Newest schema number known.
        known: u32,
    },
    /// Disk, driver or engine failure. Whether the write happened is then unknown.
    #[error("storage failure: {0}")]
    Unavailable(String),
}

/// Which precondition of an [`IndexWrite`] failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailedPrecondition {
    /// The bucket does not exist.
    NoSuchBucket,
    /// The bucket exists; its present row.
    BucketExists(Box<BucketRow>),
    /// The bucket has objects or unfinished uploads.
    BucketNotEmpty,
    /// The upload does not exist.
    NoSuchUpload,
    /// The object's [`ObjectCondition`] did not hold; its present row, if there is one.
    ObjectChanged(Option<Box<ObjectRow>>),
}

// ---------------------------------------------------------------------------------------------
// Ledger

/// One record of an account's IAM state. `kind` and `id` are its key inside the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRecord {
    /// What it is, for example `user`; a short lower-case word.
    pub kind: String,
    /// Its immutable id inside the kind.
    pub id: String,
    /// The encoded record, opaque to the store.
    pub body: Vec<u8>,
}

/// One write of a [`LedgerCommit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordWrite {
    /// Inserts or replaces.
    Put(StateRecord),
    /// Removes; removing what is not there is not an error.
    Delete {
        /// The record's kind.
        kind: String,
        /// The record's id.
        id: String,
    },
}

/// A change of one account, all or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerCommit {
    /// The account; version 0 means that it does not exist yet and is created by this commit.
    pub account: AccountId,
    /// The version this was computed from.
    pub base: u64,
    /// What changes; the new version is `base + 1`.
    pub writes: Vec<RecordWrite>,
}

/// IAM state, per account.
pub trait LedgerStore: Send + Sync {
    /// Every account with its version, ascending by id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn accounts(&self) -> Result<Vec<(AccountId, u64)>, StoreError>;

    /// Calls `each` for every record of an account, in unspecified order. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn load(&self, account: AccountId, each: &mut dyn FnMut(StateRecord))
    -> Result<(), StoreError>;

    /// Commits durably; the result is the new version. Commits of one account take effect in the
    /// order of the calls, and many callers share one flush.
    ///
    /// Errors: [`StoreError::Conflict`] when `base` is not the stored version (nothing written);
    /// [`StoreError::Unavailable`] when the outcome is unknown.
    fn commit(&self, commit: LedgerCommit) -> StoreFuture<Result<u64, StoreError>>;
}

// ---------------------------------------------------------------------------------------------
// Journal

/// The last use of an access key or a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// An access key id, or a user's unique id for its password.
    pub subject: String,
    /// When.
    pub at: Timestamp,
    /// Service namespace, for example `s3`.
    pub service: String,
    /// Region of the credential scope.
    pub region: String,
}

/// A request that was correctly signed with an inactive access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAttempt {
    /// The key.
    pub key: AccessKeyId,
    /// Where it came from, an IP address.
    pub source_address: String,
    /// The `User-Agent` header, truncated by the caller.
    pub user_agent: String,
    /// Service and action, for example `s3:PutObject`.
    pub action: String,
    /// When the last of them was seen.
    pub at: Timestamp,
    /// How many; 1 when recording.
    pub count: u64,
}

/// Temporary credentials that were issued. The secret stays inside the sealed token that the client
/// holds; the store only remembers that the session exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedSession {
    /// The temporary (`ASIA`) key id.
    pub key: AccessKeyId,
    /// The long-term key whose signature minted it.
    pub source: AccessKeyId,
    /// The principal's ARN at the time.
    pub principal: String,
    /// The action that minted it, for example `sts:GetSessionToken`.
    pub action: String,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

/// A page of the sessions of a long-term key, the last to end first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPage {
    /// The long-term key.
    pub source: AccessKeyId,
    /// They end after this.
    pub now: Timestamp,
    /// They come after the session that ends then and has this key.
    pub after: Option<(Timestamp, AccessKeyId)>,
    /// How many at most.
    pub limit: usize,
}

/// Distinct (source address, user agent, action) rows kept for one inactive key; the oldest give
/// way, and the total per key keeps counting.
pub const ATTEMPT_ROWS_PER_KEY: usize = 64;

/// Sessions of one long-term key at the same time; more are not recorded.
pub const SESSIONS_PER_KEY: usize = 5000;

/// The unbounded tables beside the ledger.
pub trait ActivityStore: Send + Sync {
    /// Every recorded last use. Blocking; called once at the start.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn last_uses(&self) -> Result<Vec<LastUse>, StoreError>;

    /// Records last uses; a later `at` replaces an earlier one, never the other way round.
    fn record_last_uses(&self, uses: Vec<LastUse>) -> StoreFuture<Result<(), StoreError>>;

    /// Forgets the last uses of these subjects (deleted keys and users). Attempts stay: who still
    /// tried a key is what one asks after it was deleted.
    fn forget(&self, subjects: Vec<String>) -> StoreFuture<Result<(), StoreError>>;

    /// Adds to the counts of attempts with inactive keys.
    fn record_attempts(&self, attempts: Vec<KeyAttempt>) -> StoreFuture<Result<(), StoreError>>;

    /// The attempts with one key, latest first, and the total that includes rows that gave way.
    fn attempts(&self, key: AccessKeyId)
    -> StoreFuture<Result<(Vec<KeyAttempt>, u64), StoreError>>;

    /// Records an issued session; one with the same key is replaced. False, and nothing recorded,
    /// where [`SESSIONS_PER_KEY`] others of its long-term key end after it is issued.
    fn record_session(&self, session: IssuedSession) -> StoreFuture<Result<bool, StoreError>>;

    /// A page of the sessions minted from one long-term key that have not ended.
    fn sessions(&self, page: SessionPage) -> StoreFuture<Result<Vec<IssuedSession>, StoreError>>;

    /// Removes sessions that ended before `now`; one that ends exactly then stays for the next
    /// purge.
    fn purge_sessions(&self, now: Timestamp) -> StoreFuture<Result<(), StoreError>>;
}

// ---------------------------------------------------------------------------------------------
// Object index

/// A bucket. Names are unique in the whole installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRow {
    /// The bucket's name.
    pub name: String,
    /// Its owner.
    pub account: AccountId,
    /// Everything else (region, creation, policy, …), opaque to the store.
    pub body: Vec<u8>,
}

/// The current version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRow {
    /// The bucket.
    pub bucket: String,
    /// The key; ordered by its UTF-8 bytes.
    pub key: String,
    /// The entity tag without quotes; what [`ObjectCondition::Etag`] compares.
    pub etag: String,
    /// Everything else (size, blob, metadata, …), opaque to the store.
    pub body: Vec<u8>,
}

/// An unfinished multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRow {
    /// The bucket.
    pub bucket: String,
    /// The key that the upload will create.
    pub key: String,
    /// The upload's id, unique in the installation.
    pub upload: String,
    /// Opaque.
    pub body: Vec<u8>,
}

/// One uploaded part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRow {
    /// The upload's id.
    pub upload: String,
    /// 1 to 10,000.
    pub number: i32,
    /// Opaque.
    pub body: Vec<u8>,
}

/// What must be true of an object for a write to happen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ObjectCondition {
    /// Anything.
    #[default]
    Any,
    /// There is no such object (`If-None-Match: *`).
    Absent,
    /// It exists with this entity tag (`If-Match`).
    Etag(String),
}

/// One write to the index. A batch of them is all or nothing; each sees what those before it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexWrite {
    /// Creates a bucket. Fails with [`FailedPrecondition::BucketExists`].
    CreateBucket(BucketRow),
    /// Replaces a bucket's body (never its owner) if it still has the body `was`; fails with
    /// [`FailedPrecondition::NoSuchBucket`], or with [`FailedPrecondition::BucketExists`] and the
    /// present row when the body is another.
    UpdateBucket {
        /// The new row.
        row: BucketRow,
        /// The body that was read.
        was: Vec<u8>,
    },
    /// Deletes a bucket that has no objects and no uploads. Fails with
    /// [`FailedPrecondition::NoSuchBucket`] or [`FailedPrecondition::BucketNotEmpty`].
    DeleteBucket(String),
    /// Writes an object. Fails with [`FailedPrecondition::NoSuchBucket`] or
    /// [`FailedPrecondition::ObjectChanged`].
    PutObject {
        /// The new row.
        row: ObjectRow,
        /// Its precondition.
        expect: ObjectCondition,
    },
    /// Deletes an object; one that is not there (nor its bucket) is not an error unless `expect`
    /// says so. Fails with [`FailedPrecondition::ObjectChanged`].
    DeleteObject {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// Its precondition.
        expect: ObjectCondition,
    },
    /// Starts an upload under an id that was never used. Fails with
    /// [`FailedPrecondition::NoSuchBucket`].
    CreateUpload(UploadRow),
    /// Adds or replaces a part. Fails with [`FailedPrecondition::NoSuchUpload`].
    PutPart(PartRow),
    /// Ends an upload and removes its parts' rows. Fails with [`FailedPrecondition::NoSuchUpload`].
    DeleteUpload(String),
}

/// What a batch replaced or removed, in the order of its writes, so that the caller can free the
/// bytes behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DisplacedRows {
    /// Objects that were overwritten or deleted.
    pub objects: Vec<ObjectRow>,
    /// Parts that were replaced, or removed with their upload.
    pub parts: Vec<PartRow>,
    /// Uploads that ended.
    pub uploads: Vec<UploadRow>,
}

/// A range of a listing: names that start with `prefix` and are greater than `after` (or, with
/// `inclusive`, not less), ascending by UTF-8 bytes, at most `limit`.
#[derive(Debug, Clone, Default)]
pub struct ListRange {
    /// Only names that start with this.
    pub prefix: String,
    /// Where to begin; bytes, because the successor of a common prefix need not be UTF-8.
    pub after: Vec<u8>,
    /// Whether a name equal to `after` is included.
    pub inclusive: bool,
    /// At most this many rows.
    pub limit: usize,
    /// What of their bodies to give.
    pub bodies: RowBodies,
}

/// How much of the bodies of rows a listing gives. Rows are as long as their owners made them, and
/// a page has a thousand: what is not looked at is not to be held.
#[derive(Debug, Clone, Copy, Default)]
pub enum RowBodies {
    /// All of them.
    #[default]
    Whole,
    /// What this makes of each, taken while the row is read.
    Cut(fn(&[u8]) -> Vec<u8>),
}

impl RowBodies {
    /// What to give of a body.
    pub fn of(self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Whole => body.to_vec(),
            Self::Cut(cut) => cut(body),
        }
    }
}

/// What S3 knows, beside the bytes.
pub trait ObjectIndex: Send + Sync {
    /// Applies a batch durably, all or nothing, sharing one flush with other callers.
    fn apply(&self, batch: Vec<IndexWrite>) -> StoreFuture<Result<DisplacedRows, StoreError>>;

    /// One bucket.
    fn bucket(&self, name: &str) -> StoreFuture<Result<Option<BucketRow>, StoreError>>;

    /// The buckets of an account, by name.
    fn buckets(
        &self,
        account: AccountId,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<BucketRow>, StoreError>>;

    /// One object.
    fn object(&self, bucket: &str, key: &str)
    -> StoreFuture<Result<Option<ObjectRow>, StoreError>>;

    /// The objects of a bucket, by key.
    fn objects(
        &self,
        bucket: &str,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<ObjectRow>, StoreError>>;

    /// One upload.
    fn upload(&self, upload: &str) -> StoreFuture<Result<Option<UploadRow>, StoreError>>;

    /// The uploads of a bucket, by key and then by upload id; `range.after` is `key \0 upload`.
    /// Without a zero byte it stands before every upload of that key; ids being ASCII, `key \0
    /// \xff` stands behind them. Neither keys nor ids contain a zero byte.
    fn uploads(
        &self,
        bucket: &str,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<UploadRow>, StoreError>>;

    /// The parts of an upload with a number above `after`, ascending, at most `limit`.
    fn parts(
        &self,
        upload: &str,
        after: i32,
        limit: usize,
    ) -> StoreFuture<Result<Vec<PartRow>, StoreError>>;

    /// Calls `each` with the bucket and the body of every object and part row of the installation,
    /// so that blobs that nothing refers to can be swept at the start and bytes can be counted.
    /// Blocking.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn every_body(&self, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError>;

    /// Calls `each` with the bucket and the body of every unfinished upload's row, so that they can
    /// be counted. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn every_upload(&self, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError>;
}

/// An engine: all three parts over one durable medium.
pub trait Store: LedgerStore + ActivityStore + ObjectIndex {}

impl<T: LedgerStore + ActivityStore + ObjectIndex> Store for T {}
