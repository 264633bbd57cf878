//! A rotation: its subject, its progress, and everything the next process needs to continue safely.
//!
//! Invariant: whatever is needed to continue is in this model, because the model is what the
//! journal stores. Secrets are separate ([`RotationSecrets`]), so that everything else can be
//! displayed. Times come from the issuer's clock, never from this machine's.

use std::fmt;

use keywright_base::{Secret, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ports::{MissingTarget, ObservedUse, SinkBackup, SinkContent, SinkInspection};

/// The ID of an access key, as the issuer wrote it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId(pub String);

impl KeyId {
    /// The longest ID that a message shows. AWS's have twenty characters.
    const DISPLAYED_MAX: usize = 32;

    /// Whether the text can be an access key ID.
    fn is_plausible(&self) -> bool {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !self.0.is_empty() && self.0.len() <= Self::DISPLAYED_MAX && self.0.chars().all(good)
    }
}

/// For messages. The text may come from a destination, where anything could be in its place, even a
/// secret, so only text that looks like an ID is displayed.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_plausible() {
            &self.0
        } else {
            "a value that is not an access key ID"
        })
    }
}

/// The ID of a rotation; also its idempotency token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RotationId(pub String);

impl fmt::Display for RotationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An access key with its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The ID.
    pub id: KeyId,
    /// The secret access key.
    pub secret: Secret<String>,
}

/// The windows and limits of a rotation. Seconds are by the issuer's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationRules {
    /// How many times in a row the new key must be accepted before any consumer gets it.
    pub verify_in_a_row: u32,
    /// How long a new key may be unknown before it counts as invalid.
    pub verify_within_secs: i64,
    /// How long the old key must have been quiet before it is deactivated.
    pub observe_secs: i64,
    /// How long the old key stays inactive before it is deleted.
    pub dwell_secs: i64,
    /// Whether windows may be too short for a use to become visible.
    #[serde(default)]
    pub accept_blind: bool,
}

impl RotationRules {
    /// The default: a quiet day, then a week of dwell.
    pub const SAFE: Self = Self {
        verify_in_a_row: 5,
        verify_within_secs: 300,
        observe_secs: 24 * 3600,
        dwell_secs: 7 * 24 * 3600,
        accept_blind: false,
    };

    /// For a leaked key: does not wait for it to be quiet. The new key is still verified, delivered
    /// and read back first, and the old one can be reactivated until the dwell ends.
    pub const INCIDENT: Self = Self {
        observe_secs: 0,
        ..Self::SAFE
    };

    /// The first window that is too short for a use to become visible. An observation window of
    /// zero in an incident is not reported here: the code that skips the window reports it.
    pub fn blind_window(&self, blind_secs: i64, incident: bool) -> Option<BlindWindow> {
        let windows = [("observe", self.observe_secs), ("dwell", self.dwell_secs)];
        let skipped = |name: &str, secs: i64| incident && name == "observe" && secs == 0;
        let blind = windows
            .into_iter()
            .find(|(name, secs)| *secs < blind_secs && !skipped(name, *secs));
        let (name, secs) = blind.filter(|_| !self.accept_blind)?;
        Some(BlindWindow {
            name,
            secs,
            blind_secs,
        })
    }
}

/// A window that is too short to prove anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlindWindow {
    /// The window's name.
    pub name: &'static str,
    /// Its length in seconds.
    pub secs: i64,
    /// How long a use may stay invisible, in seconds.
    pub blind_secs: i64,
}

impl fmt::Display for BlindWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            secs,
            blind_secs,
        } = self;
        write!(
            f,
            "{name} is {secs} s, but a use of a key may take up to {blind_secs} s to show, so a \
             shorter window proves nothing"
        )
    }
}

/// The progress of a rotation. Each phase is durable before any work of the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Planned; nothing is done yet.
    Planned,
    /// The new key has been requested and may exist.
    Creating,
    /// The new key pair is sealed in the journal.
    Created,
    /// The new key was accepted several times in a row, as the intended user.
    Distributing,
    /// Every sink has read back the new key; the old one must now become quiet.
    Observing,
    /// The old key is quiet: every sink is read and the new key verified once more.
    Confirming,
    /// The old key is being deactivated.
    Deactivating,
    /// The old key is inactive and can be reactivated.
    Dwelling,
    /// The old key is being deleted.
    Deleting,
    /// The new key has replaced the old one.
    Done,
    /// A rollback is under way.
    RollingBack,
    /// Every sink has the old key pair again; the new key must become quiet.
    Settling,
    /// Everything is restored; the new key stays inactive until its dwell ends.
    Retiring,
    /// Everything is restored.
    RolledBack,
    /// The user was deleted together with its keys, so nothing is left to do.
    UserGone,
    /// Ended as it was, by a person or because another rotation came first; the history lists what
    /// is left.
    Abandoned,
}

impl Phase {
    /// Every phase, in the order of a rotation.
    pub const ALL: [Self; 16] = [
        Self::Planned,
        Self::Creating,
        Self::Created,
        Self::Distributing,
        Self::Observing,
        Self::Confirming,
        Self::Deactivating,
        Self::Dwelling,
        Self::Deleting,
        Self::Done,
        Self::RollingBack,
        Self::Settling,
        Self::Retiring,
        Self::RolledBack,
        Self::UserGone,
        Self::Abandoned,
    ];

    /// Whether a rollback is under way: the old key is active again, or about to be.
    pub const fn restores_old(self) -> bool {
        matches!(self, Self::RollingBack | Self::Settling | Self::Retiring)
    }

    /// Whether nothing is left to do.
    pub const fn is_over(self) -> bool {
        matches!(
            self,
            Self::Done | Self::RolledBack | Self::UserGone | Self::Abandoned
        )
    }

    /// Whether a person may still request a rollback.
    pub const fn can_roll_back(self) -> bool {
        !matches!(
            self,
            Self::Deleting
                | Self::Done
                | Self::RollingBack
                | Self::Settling
                | Self::Retiring
                | Self::RolledBack
                | Self::UserGone
                | Self::Abandoned
        )
    }
}

/// The progress of one sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryStage {
    /// Nothing is done yet.
    Pending,
    /// Its backup is in the journal.
    Staged,
    /// The new key pair is being written, so consumers may see it.
    Writing,
    /// The new key pair was written.
    Written,
    /// The new key pair was read back.
    ReadBack,
    /// The old key pair was restored.
    Restored,
}

/// A delivery to one sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The sink's name.
    pub sink: String,
    /// Its progress.
    pub stage: DeliveryStage,
    /// Failures since the last progress.
    pub failures: u32,
    /// The earliest time for the next attempt.
    #[serde(with = "millis")]
    pub not_before: Timestamp,
    /// The most recent error text.
    pub trouble: Option<String>,
    /// Whether the sink reported an error that lasts until a person fixes it.
    pub stuck: bool,
    /// What a person has to do for this delivery, or has done.
    #[serde(default)]
    pub person: ManualStep,
    /// What the sink held when the rotation was drafted; unknown for rotations begun by an older
    /// version.
    #[serde(default)]
    pub found: Option<InitialContent>,
    /// Whether a person has removed it. It is no longer written or read, but a rollback still
    /// restores it if it may hold the new key.
    #[serde(default)]
    pub removed: bool,
}

impl Delivery {
    /// A delivery that has not started.
    pub(crate) fn pending(sink: &str) -> Self {
        Self {
            sink: sink.to_owned(),
            stage: DeliveryStage::Pending,
            failures: 0,
            not_before: Timestamp::default(),
            trouble: None,
            stuck: false,
            person: ManualStep::Nothing,
            found: None,
            removed: false,
        }
    }

    /// Whether a consumer may have got the new key pair from it.
    pub const fn may_hold_new(&self) -> bool {
        matches!(
            self.stage,
            DeliveryStage::Writing | DeliveryStage::Written | DeliveryStage::ReadBack
        )
    }

    /// Whether the new key pair still has to be written there.
    pub const fn is_undelivered(&self) -> bool {
        !self.removed && !matches!(self.stage, DeliveryStage::Written | DeliveryStage::ReadBack)
    }
}

/// What a sink held before a rotation, for people to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitialContent {
    /// Its content.
    pub state: FoundState,
    /// Other entries of the same file or secret that held the old key. They are not written.
    pub also: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// What a sink held before a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FoundState {
    /// The key to replace.
    OldKey,
    /// The sink existed and held no key.
    Empty,
    /// Something had to be created first.
    Absent {
        /// What was missing.
        what: String,
        /// Existing names that are similar.
        similar: Vec<String>,
    },
    /// The sink cannot be read, by its nature.
    Unreadable,
}

impl FoundState {
    pub(crate) fn of(inspection: &SinkInspection) -> Self {
        if let Some(MissingTarget { what, similar }) = inspection.absent.clone() {
            return Self::Absent { what, similar };
        }
        match inspection.held {
            SinkContent::Pair(_) | SinkContent::Key(_) => Self::OldKey,
            SinkContent::Nothing => Self::Empty,
            SinkContent::Unreadable => Self::Unreadable,
        }
    }
}

impl fmt::Display for FoundState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OldKey => f.write_str("holds the key being replaced"),
            Self::Empty => f.write_str("empty"),
            Self::Unreadable => f.write_str("cannot be read, so its content is unknown"),
            Self::Absent { what, similar } => {
                f.write_str(what)?;
                match similar.as_slice() {
                    [] => Ok(()),
                    names => write!(f, ", did you mean {}?", names.join(", ")),
                }
            }
        }
    }
}

/// What a person has to do for a delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ManualStep {
    /// Nothing: the sink writes the pair itself.
    #[default]
    Nothing,
    /// A person must put the new key pair where it is used, and confirm it.
    Awaited,
    /// The person confirmed that it is there.
    Confirmed,
}

/// Why a rotation is held until a person decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldReason {
    /// The user has a second key, which this rotation did not create.
    SecondKey(KeyId),
    /// The old key does not exist.
    OldKeyGone(KeyId),
    /// The old key was deactivated by someone else before the rotation changed anything.
    OldKeyInactive(KeyId),
    /// The new key is missing or not active.
    NewKeyGone(KeyId),
    /// Someone activated a key that should be inactive.
    Activated(KeyId),
    /// Another user, with this unique ID, has the name now. What happened to the rotation's own
    /// user is unknown.
    AnotherUser(String),
    /// No user has this name any longer. Whether it was renamed or deleted is unknown.
    UserMissing(String),
    /// The new key was never accepted, or belongs to another user.
    NotVerified(String),
    /// The old key is still in use, long after every delivery.
    StillUsed(String),
    /// No consumer has used the new key, and the old one is due for deletion.
    NewKeyUnused(KeyId),
    /// A sink cannot be written or read until someone fixes it.
    Sink(String),
    /// The issuer denies something that this rotation needs.
    Refused(String),
    /// Another rotation has marked this user.
    Marked(String),
    /// The key that may be the lost one is in use, so it is not ours.
    NotOurs(KeyId),
    /// A person requested it.
    Asked(String),
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecondKey(key) => write!(
                f,
                "the user has a second key that this rotation did not create: {key}"
            ),
            Self::OldKeyGone(key) if key.0 == "?" => {
                f.write_str("the user has no access key to replace")
            }
            Self::OldKeyGone(key) => {
                write!(f, "the key to replace does not exist: {key}")
            }
            Self::OldKeyInactive(key) => {
                write!(f, "the key to replace is already inactive: {key}")
            }
            Self::NewKeyGone(key) => write!(f, "the new key is missing or inactive: {key}"),
            Self::Activated(key) => {
                write!(f, "another user activated {key}, which should be inactive")
            }
            Self::AnotherUser(found) => write!(
                f,
                "another user has the name now ({found}); it is unknown whether the rotation's own \
                 user was renamed or deleted"
            ),
            Self::UserMissing(name) => write!(
                f,
                "there is no longer a user {name}; it is unknown whether the user was renamed or \
                 deleted"
            ),
            Self::NotVerified(why) => write!(f, "the new key was not verified: {why}"),
            Self::StillUsed(why) => write!(f, "the old key is still in use: {why}"),
            Self::NewKeyUnused(key) => write!(
                f,
                "no consumer has used the new key {key} yet, so the old one is not deleted"
            ),
            Self::Sink(why) => write!(f, "a destination cannot be read or written: {why}"),
            Self::Refused(why) => {
                write!(
                    f,
                    "the service denied a call that the rotation needs: {why}"
                )
            }
            Self::Marked(by) => write!(f, "another rotation has marked the user: {by}"),
            Self::NotOurs(key) => write!(
                f,
                "{key} could be the key whose secret was lost, but it is in use, so it belongs to \
                 someone else"
            ),
            Self::Asked(why) => write!(f, "held: {why}"),
        }
    }
}

/// The origin of a rotation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RotationOrigin {
    /// The ARN of the principal that began it.
    pub by: String,
    /// The name of the rule that began it, if any.
    pub rule: Option<String>,
    /// When it was drafted, by the issuer's clock.
    #[serde(with = "millis")]
    pub at: Timestamp,
}

/// A rotation of one user's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// Its ID.
    pub id: RotationId,
    /// The generation: counts the journal's writes, from 1.
    pub generation: u64,
    /// How the issuer is reached. Opaque here; only the opener interprets it.
    pub access: String,
    /// Its origin; unknown for rotations begun by an older version.
    #[serde(default)]
    pub origin: RotationOrigin,
    /// The account, 12 digits.
    pub account: String,
    /// The user's name.
    pub user: String,
    /// The user's unique ID.
    pub user_id: String,
    /// The user's ARN at draft time; empty in rotations begun by an older version.
    #[serde(default)]
    pub arn: String,
    /// The key to replace; named by the plan, never guessed.
    pub old: KeyId,
    /// Its windows and limits.
    pub rules: RotationRules,
    /// When it may deactivate and delete. Opaque here; only the driver interprets it. `None` for a
    /// rotation that a person began.
    #[serde(default)]
    pub calendar: Option<String>,
    /// The leak response, if the old key has leaked.
    #[serde(default)]
    pub incident: Option<LeakResponse>,
    /// Its phase.
    pub phase: Phase,
    /// When it entered the phase, by the issuer's clock.
    #[serde(with = "millis")]
    pub since: Timestamp,
    /// The keys that existed before the new one was requested.
    pub pre_image: Vec<KeyId>,
    /// The new key, once it is known.
    pub new: Option<KeyId>,
    /// A key that was created while its secret was lost.
    pub orphan: Option<OrphanedKey>,
    /// Whether the new key was accepted as often as the rules require, in this phase.
    pub verified: bool,
    /// How long a use may stay invisible, in seconds, as of the draft.
    #[serde(default)]
    pub blind_secs: i64,
    /// The last use of the old key that was known at draft time.
    #[serde(default)]
    pub used_before: Option<NotedUse>,
    /// The old key's last use when it was about to be deleted: the service forgets it with the key.
    #[serde(default)]
    pub used_last: Option<NotedUse>,
    /// If the old key had to be quiet: its last use that was known when it was deactivated, or the
    /// epoch if there was none.
    #[serde(default, with = "optional_millis")]
    pub last_known: Option<Timestamp>,
    /// When the engine itself last used the new key, to verify it. Such a use is not a consumer's.
    #[serde(default, with = "optional_millis")]
    pub checked: Option<Timestamp>,
    /// When a person first retrieved the new key.
    #[serde(default, with = "optional_millis")]
    pub retrieved: Option<Timestamp>,
    /// The first known use of the new key by a consumer.
    #[serde(default)]
    pub adopted: Option<NotedUse>,
    /// Why the old key may be deleted although no consumer has used the new one, if that is
    /// allowed.
    #[serde(default)]
    pub override_unused: Option<String>,
    /// Whether the old key was reactivated, in this phase.
    #[serde(default)]
    pub reactivated: bool,
    /// The sinks, in the order of delivery.
    pub deliveries: Vec<Delivery>,
    /// Why it is held, if it is.
    pub held: Option<HoldReason>,
    /// The earliest time for the next attempt.
    #[serde(with = "millis")]
    pub not_before: Timestamp,
    /// Why it is being rolled back, or ended early.
    pub why_back: Option<String>,
    /// The search for its user, if it is not found by name.
    #[serde(default)]
    pub missing: Option<MissingUser>,
    /// The secrets; the journal seals them.
    #[serde(skip)]
    pub secrets: RotationSecrets,
}

/// How a rotation responds to a leak of the old key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeakResponse {
    /// Whether the old key is deactivated before everything else. Its consumers are then denied
    /// until they have the new one.
    pub deactivate_first: bool,
    /// When it became inactive, if that came first.
    #[serde(with = "optional_millis")]
    pub inactive_since: Option<Timestamp>,
    /// When the sessions minted from it were last ended.
    #[serde(with = "optional_millis")]
    pub sessions_ended: Option<Timestamp>,
}

/// A use of a key, as stored in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotedUse {
    /// When it was used.
    #[serde(with = "millis")]
    pub at: Timestamp,
    /// The service that was called.
    pub service: String,
    /// The region.
    pub region: String,
}

impl From<ObservedUse> for NotedUse {
    fn from(used: ObservedUse) -> Self {
        Self {
            at: used.at,
            service: used.service,
            region: used.region,
        }
    }
}

/// A user that is not found by name, which may be temporary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingUser {
    /// When it was first missed. This and the next field are by this machine's clock, because a "no
    /// such user" answer comes without a listing and the issuer's time.
    #[serde(with = "millis")]
    pub since: Timestamp,
    /// When it was last looked up.
    #[serde(with = "millis")]
    pub last: Timestamp,
    /// How many lookups have failed.
    pub looks: u32,
}

/// A key whose secret is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrphanedKey {
    /// The key.
    pub key: KeyId,
    /// When it became inactive; `None` while it is active.
    #[serde(with = "optional_millis")]
    pub inactive_since: Option<Timestamp>,
}

/// The secret part of a rotation, which is stored sealed only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RotationSecrets {
    /// The new key's secret.
    pub new: Option<Secret<String>>,
    /// The old key's secret, if a sink revealed it.
    pub old: Option<Secret<String>>,
    /// The backup of each delivery, in delivery order.
    pub backups: Vec<Option<SinkBackup>>,
}

impl Rotation {
    /// The new key pair, once it is sealed.
    pub fn pair(&self) -> Option<KeyPair> {
        Some(KeyPair {
            id: self.new.clone()?,
            secret: self.secrets.new.clone()?,
        })
    }

    /// The old key pair, if its secret is known.
    pub fn old_pair(&self) -> Option<KeyPair> {
        Some(KeyPair {
            id: self.old.clone(),
            secret: self.secrets.old.clone()?,
        })
    }

    /// Remembers the old key pair that a sink holds: write-only sinks need it for a rollback.
    pub(crate) fn note_old(&mut self, held: &SinkContent) {
        if let SinkContent::Pair(pair) = held
            && pair.id == self.old
        {
            self.secrets.old = Some(pair.secret.clone());
        }
    }

    /// Enters a phase.
    pub fn enter(&mut self, phase: Phase, at: Timestamp) {
        self.phase = phase;
        self.since = at;
        self.verified = false;
        self.reactivated = false;
        self.not_before = Timestamp::default();
    }

    /// Whether waiting until then takes longer than the rules require, or waits for a failing sink.
    /// Someone should look at it before a person has to decide.
    pub fn is_in_trouble(&self, until: Timestamp) -> bool {
        let requested = match self.phase {
            Phase::Observing => self.rules.observe_secs,
            Phase::Settling => self.settle_secs(),
            Phase::Dwelling => self.rules.dwell_secs,
            _ => {
                return self
                    .deliveries
                    .iter()
                    .any(|delivery| delivery.trouble.is_some());
            }
        };
        until > self.since.plus_secs(requested)
    }

    /// How long the new key must have been quiet before a rollback withdraws it. It has not leaked,
    /// so an incident is no reason to cut off its consumers.
    pub fn settle_secs(&self) -> i64 {
        let requested = self.rules.observe_secs;
        self.incident.map_or(requested, |_| {
            requested.max(RotationRules::SAFE.observe_secs)
        })
    }

    /// The index of the delivery that waits for a person, in delivery order.
    pub fn awaits_person(&self) -> Option<usize> {
        let awaited = |delivery: &Delivery| {
            let writing = delivery.stage == DeliveryStage::Writing && !delivery.removed;
            writing && delivery.person == ManualStep::Awaited
        };
        // A sink that is added once the old key is inactive gets the new key during the dwell.
        let delivering = matches!(self.phase, Phase::Distributing | Phase::Dwelling);
        let at = self.deliveries.iter().position(awaited);
        at.filter(|_| delivering)
    }

    /// Whether it has created nothing yet, so that ending it now leaves nothing behind.
    pub fn has_made_nothing(&self) -> bool {
        self.phase == Phase::Planned
            && self.orphan.is_none()
            && self.pre_image.is_empty()
            && self.inactive_first().is_none()
    }

    /// Whether it responds to a leak: it is an incident, and no rollback brings the old key back.
    pub const fn responds_to_leak(&self) -> bool {
        self.incident.is_some() && !self.phase.restores_old()
    }

    /// When the old key became inactive, if that came before everything else.
    pub fn inactive_first(&self) -> Option<Timestamp> {
        self.incident?.inactive_since
    }

    /// Whether a person can retrieve the new key pair now. After these phases the old key may be
    /// gone.
    pub fn is_retrievable(&self) -> bool {
        let delivers = matches!(
            self.phase,
            Phase::Distributing
                | Phase::Observing
                | Phase::Confirming
                | Phase::Deactivating
                | Phase::Dwelling
                | Phase::Deleting
        );
        let by_person =
            |delivery: &Delivery| delivery.person != ManualStep::Nothing && !delivery.removed;
        delivers && self.deliveries.iter().any(by_person)
    }

    /// Whether a consumer may have seen the new key pair.
    pub fn may_be_delivered(&self) -> bool {
        self.deliveries.iter().any(Delivery::may_hold_new)
    }

    /// Whether a destination still lacks the new key pair because it was added after the others had
    /// it.
    pub fn is_incomplete(&self) -> bool {
        self.deliveries.iter().any(Delivery::is_undelivered)
    }

    /// The names of the destinations that were not removed.
    pub fn destinations(&self) -> Vec<&str> {
        let left = self.deliveries.iter().filter(|delivery| !delivery.removed);
        left.map(|delivery| delivery.sink.as_str()).collect()
    }
}

mod millis {
    use keywright_base::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(at.millis())
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(from).map(Timestamp::from_millis)
    }
}

mod optional_millis {
    use keywright_base::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(Timestamp::millis).serialize(to)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<i64>::deserialize(from)?.map(Timestamp::from_millis))
    }
}
