//! What a rotation needs of the world: the issuer of keys, evidence of their use, the places that
//! keep them, and the journal.
//!
//! It protects one rule: every answer says what is known and what is not. An error is never read
//! as "no" or "never", and an outcome that nobody knows has a variant of its own. Implementations
//! live in `aws`, `sinks` and `fleet`; nothing here does I/O.

use async_trait::async_trait;
use keywright_base::{Secret, Timestamp};

use crate::model::{KeyId, KeyPair, Rotation, RotationId};

/// Why an issuer did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// Too many requests; nothing was done.
    #[error("the service asks to slow down")]
    Throttled,
    /// The caller may not do this; nothing was done. The action, and the service's own text.
    #[error("not allowed to call {action}: {message}")]
    Denied {
        /// The policy action, for example `iam:CreateAccessKey`.
        action: &'static str,
        /// The service's sentence.
        message: String,
    },
    /// There is no such user.
    #[error("there is no user {0}")]
    NoSuchUser(String),
    /// The user has no such key.
    #[error("there is no key {0}")]
    NoSuchKey(KeyId),
    /// The user has as many keys as one may have.
    #[error("the user has two access keys already")]
    TwoKeys,
    /// The request may have been carried out or not: the reply was lost.
    #[error("no reply, so it is not known whether it was done: {0}")]
    Unknown(String),
    /// The request did not reach the service; nothing was done.
    #[error("cannot reach the service: {0}")]
    Unreachable(String),
    /// Anything else that the service refused.
    #[error("{code}: {message}")]
    Refused {
        /// The service's code.
        code: String,
        /// The service's sentence.
        message: String,
    },
}

/// A user as the issuer knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerUser {
    /// The unique id, which a user of the same name created later does not have.
    pub id: String,
    /// The ARN.
    pub arn: String,
    /// The name with its own spelling.
    pub name: String,
    /// The tags: the rotation's mark is among them.
    pub tags: Vec<(String, String)>,
}

/// Whether a key is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    /// It is.
    Active,
    /// It exists and is refused.
    Inactive,
}

/// A key in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// Its id.
    pub id: KeyId,
    /// Whether it is accepted.
    pub status: KeyStatus,
    /// When it was created, by the service's clock.
    pub created: Timestamp,
}

/// The keys of a user, and when the service said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyListing {
    /// At most two.
    pub keys: Vec<ListedKey>,
    /// The service's own time (its `Date` header).
    pub at: Timestamp,
}

/// Who a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyIdentity {
    /// The account, 12 digits.
    pub account: String,
    /// `aws:userid`: for a user its unique id.
    pub user_id: String,
    /// The ARN.
    pub arn: String,
}

/// The answer to a call that was signed with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyCheck {
    /// Accepted, as this identity.
    Accepted(KeyIdentity),
    /// The key is not known (yet, or any more).
    NotKnown,
}

/// Issues and withdraws keys: IAM of Keywright or of AWS, under one caller's credentials.
///
/// No method retries a call that changes something; throttling and retries of calls that only read
/// are the implementation's.
#[async_trait]
pub trait Issuer: Send + Sync {
    /// Reads a user.
    async fn user(&self, name: &str) -> Result<IssuerUser, IssuerError>;

    /// Lists the keys of a user.
    async fn keys(&self, user: &str) -> Result<KeyListing, IssuerError>;

    /// Creates a key. `token` is the same for every attempt of one rotation; an issuer that knows
    /// idempotency tokens returns the same key for it, so that a lost reply can be asked for again.
    async fn create(&self, user: &str, token: &str) -> Result<(KeyPair, Timestamp), IssuerError>;

    /// Whether [`Issuer::create`] may be repeated with the same token.
    fn repeats_create(&self) -> bool;

    /// For how long a user who is there may be said not to be, in seconds; 0 where answers never
    /// lag behind what was done.
    fn lags_secs(&self) -> i64;

    /// Activates or deactivates a key. Setting what is set already is success.
    async fn set_status(
        &self,
        user: &str,
        key: &KeyId,
        status: KeyStatus,
    ) -> Result<(), IssuerError>;

    /// Ends the sessions that were minted from a key before this time of the service, or denies
    /// them everything; says which and how, for the history. An error if none of them could be
    /// ended.
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

    /// Asks one of the endpoints (0 to [`Issuer::endpoints`] − 1) who the pair belongs to, signed
    /// with the pair itself.
    async fn verify(&self, pair: &KeyPair, endpoint: usize) -> Result<KeyCheck, IssuerError>;

    /// How many endpoints can verify, 1 or more.
    fn endpoints(&self) -> usize;

    /// The key that signs this issuer's own calls, where it is a long-term one.
    fn signer(&self) -> Option<KeyId>;

    /// Whether [`Issuer::signer`] is what [`Issuer::adopt`] was given, and not read from where the
    /// rotator's own credentials are kept.
    fn has_adopted(&self) -> bool;

    /// Signs with this pair from now on: the rotator's own key is being rotated.
    fn adopt(&self, pair: &KeyPair);

    /// Signs with its own credentials again, read anew from where they are kept.
    fn revert(&self);
}

/// The last use of a key, as coarse as the service tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// When; a lower bound, since services may publish late and round.
    pub at: Timestamp,
    /// The service that was called, for example `s3`.
    pub service: String,
    /// The region.
    pub region: String,
}

/// Correctly signed attempts with an inactive key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InactiveKeyAttempt {
    /// When last.
    pub at: Timestamp,
    /// How often.
    pub count: u64,
    /// From where.
    pub source_address: String,
    /// With what.
    pub user_agent: String,
    /// What for.
    pub action: String,
}

/// Whose a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOwnership {
    /// This user's, by name.
    User(String),
    /// Nobody's: there is no such key.
    Nobody,
    /// The service does not say: AWS refuses to tell of a key that it does not know.
    Undisclosed,
}

/// Evidence of who uses a key.
#[async_trait]
pub trait UsageEvidence: Send + Sync {
    /// The name of the user whose key it is.
    async fn owner(&self, key: &KeyId) -> Result<KeyOwnership, IssuerError>;

    /// The last use; `None` only if the service says that there was none since it keeps count.
    async fn last_use(&self, key: &KeyId) -> Result<Option<LastUse>, IssuerError>;

    /// The last use of a key by anyone but this engine and those who only ask whose it is; nothing
    /// where the service cannot tell these apart.
    async fn consumer_use(&self, key: &KeyId) -> Result<Option<Option<LastUse>>, IssuerError>;

    /// For how long a use may not show, in seconds; 0 where each shows at once.
    fn blind_secs(&self) -> i64;

    /// Attempts since the key is inactive; `None` where the service does not record them.
    async fn attempts(&self, key: &KeyId) -> Result<Option<Vec<InactiveKeyAttempt>>, IssuerError>;
}

/// Why a sink did not do what it was asked. Texts never hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// It may work later: down, busy, full, throttled.
    #[error("{0}")]
    Later(String),
    /// It will not work until a person changes something: missing, refused, malformed.
    #[error("{0}")]
    Never(String),
    /// Only a person can do it, and then confirms it; nothing is wrong.
    #[error("{0}")]
    Person(String),
}

/// What a sink holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkContent {
    /// This pair.
    Pair(KeyPair),
    /// This key; the secret cannot be read back from it.
    Key(KeyId),
    /// No pair, or one that cannot be told apart.
    Nothing,
    /// The sink cannot be read at all, by its nature (a command, a webhook).
    Unreadable,
}

/// Something that a sink would have to make before it can hold a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingTarget {
    /// What is not there, for example "there is no profile prdo".
    pub what: String,
    /// What is there and has almost that name.
    pub similar: Vec<String>,
}

/// What a look at a sink came to, before a rotation begins or before anything is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkInspection {
    /// What it holds.
    pub held: SinkContent,
    /// What would have to be made, where something would.
    pub absent: Option<MissingTarget>,
    /// Other entries of the same file or secret that hold the key to be replaced.
    pub also: Vec<String>,
    /// What a person should know, for example that everyone can read the file.
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

/// What a sink needs to be put back as it was. Sealed in the journal before anything is written.
pub type SinkBackup = Secret<Vec<u8>>;

/// The pairs of a rotation that is put back.
#[derive(Debug, Clone, Copy)]
pub struct RotationPairs<'a> {
    /// What was written.
    pub new: &'a KeyPair,
    /// The old pair, where any of the rotation's sinks let its secret be read; a sink that can only
    /// be written needs it.
    pub old: Option<&'a KeyPair>,
}

/// A place that keeps a pair for its consumers.
///
/// Every method may be called again after a crash, at any point, with the same arguments, and then
/// ends the same. A consumer sees the old pair or the new pair, never a mixture.
#[async_trait]
pub trait Sink: Send + Sync {
    /// What it is called, for example `aws-profile:default`; unique within a rotation.
    fn name(&self) -> &str;

    /// What is there before a rotation begins, or before anything is written. What can be found out
    /// without changing anything, for example that a file is read-only, is an error already now.
    /// `old` is the key to be replaced, for which its other entries are searched.
    async fn inspect(&self, _old: &KeyId) -> Result<SinkInspection, SinkError> {
        self.read_back().await.map(SinkInspection::from)
    }

    /// Checks that the sink can be written, without changing what consumers see, and returns what
    /// [`Sink::restore`] needs.
    async fn stage(&self, rotation: &RotationId) -> Result<SinkBackup, SinkError>;

    /// Makes the new pair what consumers see, in the place of what [`Sink::stage`] found. Anything
    /// else that it holds by now is another's: [`SinkError::Never`], and nothing is written.
    async fn commit(
        &self,
        rotation: &RotationId,
        backup: &SinkBackup,
        new: &KeyPair,
    ) -> Result<(), SinkError>;

    /// What consumers see now; [`SinkError::Later`] while some of them do not see it yet.
    async fn read_back(&self) -> Result<SinkContent, SinkError>;

    /// Puts back what [`Sink::stage`] found, in the place of the new pair. Anything else that it
    /// holds by now is another's: [`SinkError::Never`], and nothing is written.
    async fn restore(
        &self,
        rotation: &RotationId,
        backup: &SinkBackup,
        pairs: RotationPairs<'_>,
    ) -> Result<(), SinkError>;
}

/// Why the journal did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Another generation is stored: someone else went on with this rotation.
    #[error("another process went on with this rotation")]
    Conflict,
    /// An open rotation of this user exists.
    #[error("rotation {0} of this user is open")]
    Open(RotationId),
    /// It cannot be read or written.
    #[error("the journal cannot be used: {0}")]
    Unavailable(String),
}

/// Where rotations are kept. What a method acknowledges is durable.
#[async_trait]
pub trait RotationJournal: Send + Sync {
    /// Adds a rotation of generation 1; at most one of a user is open.
    async fn begin(&self, rotation: &Rotation) -> Result<(), JournalError>;

    /// Replaces a rotation if its stored generation is one less, and appends to its history.
    async fn advance(&self, rotation: &Rotation, event: &str) -> Result<(), JournalError>;

    /// A rotation by id.
    async fn rotation(&self, id: &RotationId) -> Result<Option<Rotation>, JournalError>;

    /// The open rotation of a user, by account and unique id.
    async fn open_of(&self, account: &str, user_id: &str)
    -> Result<Option<Rotation>, JournalError>;

    /// Every open rotation.
    async fn open(&self) -> Result<Vec<RotationId>, JournalError>;
}
