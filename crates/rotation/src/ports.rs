//! The ports of a rotation: the issuer of keys, evidence of their use, the sinks, and the journal.
//!
//! Invariant: every answer distinguishes what is known from what is not. An error is never read as
//! "no" or "never", and an unknown outcome has its own variant. Implementations live in `aws`,
//! `sinks` and `fleet`; this file does no I/O.

use async_trait::async_trait;
use keywright_base::{Secret, Timestamp};

use crate::model::{KeyId, KeyPair, Rotation, RotationId};

/// Why an issuer did not carry out a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// The service throttled the request; nothing was done.
    #[error("the service is throttling requests")]
    Throttled,
    /// The caller lacks permission; nothing was done. Holds the action and the service's own text.
    #[error("not allowed to call {action}: {message}")]
    Denied {
        /// The policy action, for example `iam:CreateAccessKey`.
        action: &'static str,
        /// The service's message.
        message: String,
    },
    /// There is no such user.
    #[error("there is no user {0}")]
    NoSuchUser(String),
    /// The user has no such key.
    #[error("there is no key {0}")]
    NoSuchKey(KeyId),
    /// The user already has the maximum number of access keys.
    #[error("the user already has two access keys")]
    TwoKeys,
    /// The reply was lost, so the request may or may not have been carried out.
    #[error("no response; the call may or may not have taken effect: {0}")]
    Unknown(String),
    /// The request did not reach the service; nothing was done.
    #[error("cannot reach the service: {0}")]
    Unreachable(String),
    /// Any other error of the service.
    #[error("{code}: {message}")]
    Refused {
        /// The service's error code.
        code: String,
        /// The service's message.
        message: String,
    },
}

/// A user as the issuer knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerUser {
    /// The unique ID. A user created later with the same name has another one.
    pub id: String,
    /// The ARN.
    pub arn: String,
    /// The name, as it is spelled at the service.
    pub name: String,
    /// The tags, including the rotation's mark.
    pub tags: Vec<(String, String)>,
}

/// The status of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IamKeyStatus {
    /// It is accepted.
    Active,
    /// It exists and is rejected.
    Inactive,
}

/// A key in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// Its ID.
    pub id: KeyId,
    /// Its status.
    pub status: IamKeyStatus,
    /// When it was created, by the service's clock.
    pub created: Timestamp,
}

/// A user's keys, and the service's time of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyListing {
    /// At most two.
    pub keys: Vec<ListedKey>,
    /// The service's own time (its `Date` header).
    pub at: Timestamp,
}

/// The identity behind a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyIdentity {
    /// The account, 12 digits.
    pub account: String,
    /// `aws:userid`; for a user, its unique ID.
    pub user_id: String,
    /// The ARN.
    pub arn: String,
}

/// The result of a call that was signed with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyCheck {
    /// Accepted as this identity.
    Accepted(KeyIdentity),
    /// The key is unknown (not yet, or no longer, known).
    NotKnown,
}

/// Issues and withdraws keys: IAM of Keywright or of AWS, under one caller's credentials.
///
/// No method retries a call that changes something. Throttling and retries of read-only calls are
/// up to the implementation.
#[async_trait]
pub trait Issuer: Send + Sync {
    /// Reads a user.
    async fn user(&self, name: &str) -> Result<IssuerUser, IssuerError>;

    /// Lists the keys of a user.
    async fn keys(&self, user: &str) -> Result<KeyListing, IssuerError>;

    /// Creates a key. `token` is the same for every attempt of one rotation. An issuer that
    /// supports idempotency tokens returns the same key for it, so a lost reply can be requested
    /// again.
    async fn create(&self, user: &str, token: &str) -> Result<(KeyPair, Timestamp), IssuerError>;

    /// Whether [`Issuer::create`] may be repeated with the same token.
    fn repeats_create(&self) -> bool;

    /// How long an existing user may be reported as missing, in seconds; 0 if answers never lag
    /// behind changes.
    fn lags_secs(&self) -> i64;

    /// Activates or deactivates a key. Setting the current status again succeeds.
    async fn set_status(
        &self,
        user: &str,
        key: &KeyId,
        status: IamKeyStatus,
    ) -> Result<(), IssuerError>;

    /// Ends the sessions minted from a key before this time of the service, or denies them
    /// everything. Returns which and how, for the history. Fails if none of them could be ended.
    async fn end_sessions(
        &self,
        user: &str,
        key: &KeyId,
        before: Timestamp,
    ) -> Result<String, IssuerError>;

    /// Deletes a key.
    async fn delete(&self, user: &str, key: &KeyId) -> Result<(), IssuerError>;

    /// Sets a tag of the user.
    async fn tag(&self, user: &str, key: &str, value: &str) -> Result<(), IssuerError>;

    /// Removes a tag of the user.
    async fn untag(&self, user: &str, key: &str) -> Result<(), IssuerError>;

    /// Asks one of the endpoints (0 to [`Issuer::endpoints`] − 1) for the identity behind the key
    /// pair, signed with the pair itself.
    async fn verify(&self, pair: &KeyPair, endpoint: usize) -> Result<KeyCheck, IssuerError>;

    /// The number of endpoints that can verify a key, at least 1.
    fn endpoints(&self) -> usize;

    /// The key that signs this issuer's own calls, if it is a long-term key.
    fn signer(&self) -> Option<KeyId>;

    /// Whether [`Issuer::signer`] came from [`Issuer::adopt`] instead of the rotator's own
    /// credential source.
    fn has_adopted(&self) -> bool;

    /// Signs with this key pair from now on, because the rotator's own key is being rotated.
    fn adopt(&self, pair: &KeyPair);

    /// Signs with the rotator's own credentials again, reloaded from their source.
    fn revert(&self);
}

/// The last use of a key, as precise as the service reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedUse {
    /// When. A lower bound, because services may publish late and round.
    pub at: Timestamp,
    /// The service that was called, for example `s3`.
    pub service: String,
    /// The region.
    pub region: String,
}

/// Correctly signed attempts with an inactive key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InactiveKeyAttempt {
    /// When the last attempt was made.
    pub at: Timestamp,
    /// How many there were.
    pub count: u64,
    /// The source address.
    pub source_address: String,
    /// The user agent.
    pub user_agent: String,
    /// The attempted action.
    pub action: String,
}

/// The owner of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOwnership {
    /// This user, by name.
    User(String),
    /// There is no such key.
    Nobody,
    /// The service does not say: AWS denies information about a key it does not know.
    Undisclosed,
}

/// Evidence of who uses a key.
#[async_trait]
pub trait UsageEvidence: Send + Sync {
    /// The owner of a key.
    async fn owner(&self, key: &KeyId) -> Result<KeyOwnership, IssuerError>;

    /// The last use. `None` only if the service says that there was none since it began to track
    /// it.
    async fn last_use(&self, key: &KeyId) -> Result<Option<ObservedUse>, IssuerError>;

    /// The last use of a key by anyone except this engine and callers that only query its owner.
    /// The outer `None` means that the service cannot tell these apart.
    async fn consumer_use(&self, key: &KeyId) -> Result<Option<Option<ObservedUse>>, IssuerError>;

    /// How long a use may stay invisible, in seconds; 0 if every use shows immediately.
    fn blind_secs(&self) -> i64;

    /// Attempts since the key became inactive; `None` if the service does not record them.
    async fn attempts(&self, key: &KeyId) -> Result<Option<Vec<InactiveKeyAttempt>>, IssuerError>;
}

/// Why a sink did not carry out a request. The texts never contain a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// It may work later: down, busy, full or throttled.
    #[error("{0}")]
    Later(String),
    /// It will not work until a person changes something: missing, denied or malformed.
    #[error("{0}")]
    Never(String),
    /// Only a person can do it and then confirm it; nothing is wrong.
    #[error("{0}")]
    Person(String),
}

/// What a sink holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkContent {
    /// This key pair.
    Pair(KeyPair),
    /// This key; its secret cannot be read back.
    Key(KeyId),
    /// No key pair, or one that cannot be identified.
    Nothing,
    /// The sink cannot be read at all, by its nature (a command, a webhook).
    Unreadable,
}

impl SinkContent {
    /// The ID of the key it holds, if that is known.
    pub const fn key_id(&self) -> Option<&KeyId> {
        match self {
            Self::Pair(pair) => Some(&pair.id),
            Self::Key(key) => Some(key),
            Self::Nothing | Self::Unreadable => None,
        }
    }
}

/// Something that a sink would have to create before it can hold a key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingTarget {
    /// What is missing, for example "there is no profile prdo".
    pub what: String,
    /// Existing names that are similar.
    pub similar: Vec<String>,
}

/// The result of inspecting a sink, before a rotation begins or before anything is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkInspection {
    /// What it holds.
    pub held: SinkContent,
    /// What would have to be created, if anything.
    pub absent: Option<MissingTarget>,
    /// Other entries of the same file or secret that hold the key to replace.
    pub also: Vec<String>,
    /// Warnings for a person, for example that everyone can read the file.
    pub warnings: Vec<String>,
}

impl From<SinkContent> for SinkInspection {
    fn from(held: SinkContent) -> Self {
        Self {
            held,
            absent: None,
            also: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// What is needed to restore a sink. It is sealed in the journal before anything is written.
pub type SinkBackup = Secret<Vec<u8>>;

/// The key pairs of a rollback.
#[derive(Debug, Clone, Copy)]
pub struct RotationPairs<'a> {
    /// The pair that was written.
    pub new: &'a KeyPair,
    /// The old pair, if any of the rotation's sinks revealed its secret. Write-only sinks need it.
    pub old: Option<&'a KeyPair>,
}

/// A destination that holds a key pair for its consumers.
///
/// Every method can be called again with the same arguments after a crash at any point, and then
/// has the same result. A consumer sees the old pair or the new pair, never a mixture.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Its name, for example `aws-profile:default`; unique within a rotation.
    fn name(&self) -> &str;

    /// Inspects the sink before a rotation begins, or before anything is written. Problems that can
    /// be detected without changing anything, for example a read-only file, are reported as errors
    /// here. `old` is the key to replace; other entries that hold it are reported.
    async fn inspect(&self, _old: &KeyId) -> Result<SinkInspection, SinkError> {
        self.read_back().await.map(SinkInspection::from)
    }

    /// Checks that the sink can be written, without changing what consumers see, and returns what
    /// [`Sink::restore`] needs.
    async fn stage(&self, rotation: &RotationId) -> Result<SinkBackup, SinkError>;

    /// Makes the new pair visible to consumers, replacing what [`Sink::stage`] found. If the sink
    /// holds anything else by now, that belongs to someone else: [`SinkError::Never`], and nothing
    /// is written.
    async fn commit(
        &self,
        rotation: &RotationId,
        backup: &SinkBackup,
        new: &KeyPair,
    ) -> Result<(), SinkError>;

    /// What consumers see now; [`SinkError::Later`] while some of them do not see it yet.
    async fn read_back(&self) -> Result<SinkContent, SinkError>;

    /// Restores what [`Sink::stage`] found, replacing the new pair. If the sink holds anything else
    /// by now, that belongs to someone else: [`SinkError::Never`], and nothing is written.
    async fn restore(
        &self,
        rotation: &RotationId,
        backup: &SinkBackup,
        pairs: RotationPairs<'_>,
    ) -> Result<(), SinkError>;
}

/// Why the journal did not carry out a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Another generation is stored: another process advanced this rotation.
    #[error("another process has updated this rotation")]
    Conflict,
    /// The user already has an open rotation.
    #[error("this user already has an open rotation: {0}")]
    Open(RotationId),
    /// The journal cannot be read or written.
    #[error("the journal cannot be used: {0}")]
    Unavailable(String),
}

/// Stores rotations. What a method acknowledges is durable.
#[async_trait]
pub trait RotationJournal: Send + Sync {
    /// Adds a rotation of generation 1. A user has at most one open rotation.
    async fn begin(&self, rotation: &Rotation) -> Result<(), JournalError>;

    /// Replaces a rotation if the stored generation is one less, and appends to its history.
    async fn advance(&self, rotation: &Rotation, event: &str) -> Result<(), JournalError>;

    /// A rotation by ID.
    async fn rotation(&self, id: &RotationId) -> Result<Option<Rotation>, JournalError>;

    /// The open rotation of a user, by account and unique ID.
    async fn open_of(&self, account: &str, user_id: &str)
    -> Result<Option<Rotation>, JournalError>;

    /// Every open rotation.
    async fn open(&self) -> Result<Vec<RotationId>, JournalError>;
}
