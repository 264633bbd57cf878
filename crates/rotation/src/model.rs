//! A rotation: what it is about, how far it is, and what it still has to keep in mind.
//!
//! It protects one rule: whatever the next process needs to go on safely is in here, because this
//! is what the journal keeps. Secrets are apart from the rest ([`Secrets`]), so that everything
//! else can be shown. Times are the issuer's own, never this machine's.

use std::fmt;

use keywright_base::{Secret, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ports::{LastUse, MissingTarget, SinkBackup, SinkContent, SinkInspection};

/// The id of an access key, as the issuer wrote it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId(pub String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a rotation; also its idempotency token.
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
    /// The id.
    pub id: KeyId,
    /// The secret access key.
    pub secret: Secret<String>,
}

/// How careful a rotation is. Seconds are of the issuer's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationRules {
    /// How often in a row the new key must be accepted before any consumer gets it.
    pub verify_in_a_row: u32,
    /// How long a new key may be unknown before it counts as never valid.
    pub verify_within_secs: i64,
    /// How long the old key must have been quiet before it is deactivated.
    pub observe_secs: i64,
    /// How long the old key stays inactive before it is deleted.
    pub dwell_secs: i64,
    /// Whether windows may be shorter than the time for which a use may not show.
    #[serde(default)]
    pub accept_blind: bool,
}

impl RotationRules {
    /// Nobody is hurried: a quiet day, then a week.
    pub const SAFE: Self = Self {
        verify_in_a_row: 5,
        verify_within_secs: 300,
        observe_secs: 24 * 3600,
        dwell_secs: 7 * 24 * 3600,
        accept_blind: false,
    };

    /// For a key that has leaked: does not wait for it to be quiet. It is still verified, delivered
    /// and read back first, and can still be brought back until the dwell is over.
    pub const INCIDENT: Self = Self {
        observe_secs: 0,
        ..Self::SAFE
    };

    /// The first window that is shorter than the time for which a use may not show. One of no time
    /// at all is none: that is said by whoever skips it.
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

/// A window that proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlindWindow {
    /// Which one.
    pub name: &'static str,
    /// How long it is, in seconds.
    pub secs: i64,
    /// For how long a use may not show, in seconds.
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
            "{name} is {secs} s, but a use of a key may not show for {blind_secs} s, so a shorter \
             window proves nothing"
        )
    }
}

/// How far a rotation is. Each is durable before anything of the next is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Agreed on; nothing is done.
    Planned,
    /// The new key is being asked for: it may exist.
    Creating,
    /// The new pair is in the journal, sealed.
    Created,
    /// The new key was accepted several times in a row as the intended user.
    Distributing,
    /// Every sink has read back the new key; the old one must become quiet.
    Observing,
    /// It is quiet: every sink is read and the new key verified once more.
    Confirming,
    /// The old key is being deactivated.
    Deactivating,
    /// The old key is inactive and can be brought back.
    Dwelling,
    /// The old key is being deleted.
    Deleting,
    /// The new key has replaced the old one.
    Done,
    /// Everything is being put back as it was.
    RollingBack,
    /// Every sink has the old pair again; the new key must become quiet.
    Settling,
    /// Everything is as it was; the new key is inactive until its dwell is over.
    Retiring,
    /// Everything is as it was.
    RolledBack,
    /// The user is not there any more, and its keys went with it: there is nothing left to do.
    UserGone,
    /// Ended as it was, by a person or because another rotation came first; the history says what
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

    /// Whether nothing is left to do.
    pub const fn is_over(self) -> bool {
        matches!(
            self,
            Self::Done | Self::RolledBack | Self::UserGone | Self::Abandoned
        )
    }

    /// Whether a person may still ask for everything to be put back.
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

/// How far one sink is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryStage {
    /// Nothing is done.
    Pending,
    /// Its backup is in the journal.
    Staged,
    /// The new pair is being written: consumers may see it.
    Writing,
    /// The new pair was written.
    Written,
    /// It was read back.
    ReadBack,
    /// The old pair was put back.
    Restored,
}

/// One sink of a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The sink's name.
    pub sink: String,
    /// How far it is.
    pub stage: DeliveryStage,
    /// Failures since it last went on.
    pub failures: u32,
    /// Not to be tried again before.
    #[serde(with = "millis")]
    pub not_before: Timestamp,
    /// What it said last when it failed.
    pub trouble: Option<String>,
    /// Whether it said that it will go on failing until a person mends it.
    pub stuck: bool,
    /// What a person has to do with it, or has done.
    #[serde(default)]
    pub person: ManualStep,
    /// What was there when the rotation was drafted; of rotations that an older program began
    /// nothing is known.
    #[serde(default)]
    pub found: Option<InitialContent>,
    /// Whether a person has removed it: it is not written or read any more. What may have the new
    /// key all the same is put back with the others.
    #[serde(default)]
    pub removed: bool,
}

impl Delivery {
    /// One that nothing is done for yet.
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

    /// Whether a consumer may have got the new pair from it.
    pub const fn may_hold_new(&self) -> bool {
        matches!(
            self.stage,
            DeliveryStage::Writing | DeliveryStage::Written | DeliveryStage::ReadBack
        )
    }

    /// Whether the new pair is still to be written there.
    pub const fn is_undelivered(&self) -> bool {
        !self.removed && !matches!(self.stage, DeliveryStage::Written | DeliveryStage::ReadBack)
    }
}

/// What a sink held before a rotation, for a person to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitialContent {
    /// What it held.
    pub state: FoundState,
    /// Other entries of the same file or secret that held the old key, and are not written.
    pub also: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// What a sink held before a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FoundState {
    /// The key to be replaced.
    OldKey,
    /// The sink was there and held no key.
    Empty,
    /// Something had to be made first.
    Absent {
        /// What was not there.
        what: String,
        /// What was there under almost that name.
        similar: Vec<String>,
    },
    /// It cannot be read, by its nature.
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
            Self::Unreadable => f.write_str("cannot be read, so what it holds is not known"),
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

/// What a person has to do with a delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ManualStep {
    /// Nothing: the sink does it.
    #[default]
    Nothing,
    /// The person must put the new pair where it is used, and say so.
    Awaited,
    /// The person said that it is there.
    Confirmed,
}

/// Why a person must decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldReason {
    /// The user has a second key that this rotation did not make.
    SecondKey(KeyId),
    /// The old key is not there, or not active.
    OldKeyGone(KeyId),
    /// The new key is not there, or not active.
    NewKeyGone(KeyId),
    /// A key was activated by someone while it should rest.
    Activated(KeyId),
    /// Another user has the name now, by this unique id; what became of the rotation's own user
    /// cannot be told.
    AnotherUser(String),
    /// There is no user of this name any more; whether it was renamed or deleted cannot be told.
    UserMissing(String),
    /// The new key was never accepted, or is another user's.
    NotVerified(String),
    /// The old key is still used, long after everything was delivered.
    StillUsed(String),
    /// No consumer has used the new key, and the old one would be deleted now.
    NewKeyUnused(KeyId),
    /// A sink cannot be written or read until someone mends it.
    Sink(String),
    /// The issuer refuses something that this rotation needs.
    Refused(String),
    /// Somebody else's rotation marked this user.
    Marked(String),
    /// A key that may be the lost one is in use, so it is not ours.
    NotOurs(KeyId),
    /// A person asked for it.
    Asked(String),
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecondKey(key) => write!(
                f,
                "the user has a second key that this rotation did not make: {key}"
            ),
            Self::OldKeyGone(key) if key.0 == "?" => {
                f.write_str("the user has no access key to replace")
            }
            Self::OldKeyGone(key) => {
                write!(f, "the key to replace is not there, or not active: {key}")
            }
            Self::NewKeyGone(key) => write!(f, "the new key is not there, or not active: {key}"),
            Self::Activated(key) => write!(f, "somebody activated a key that should rest: {key}"),
            Self::AnotherUser(found) => write!(
                f,
                "the name is another user's now ({found}), and whether the rotation's own user was \
                 renamed or deleted cannot be told"
            ),
            Self::UserMissing(name) => write!(
                f,
                "there is no user {name} any more, and whether it was renamed or deleted cannot be \
                 told"
            ),
            Self::NotVerified(why) => write!(f, "the new key was not verified: {why}"),
            Self::StillUsed(why) => write!(f, "the old key is still needed by somebody: {why}"),
            Self::NewKeyUnused(key) => write!(
                f,
                "no consumer has used the new key {key} yet, so the old one is not deleted"
            ),
            Self::Sink(why) => write!(f, "a place cannot be written or read: {why}"),
            Self::Refused(why) => {
                write!(f, "the service refuses what the rotation needs: {why}")
            }
            Self::Marked(by) => write!(f, "another rotation has marked the user: {by}"),
            Self::NotOurs(key) => write!(
                f,
                "{key} may be the lost key, but somebody uses it, so it is not"
            ),
            Self::Asked(why) => write!(f, "held: {why}"),
        }
    }
}

/// Why there is a rotation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RotationOrigin {
    /// The ARN of whoever began it.
    pub by: String,
    /// The rule that it was begun by, where rules have names.
    pub rule: Option<String>,
    /// When it was drafted, by the issuer's time.
    #[serde(with = "millis")]
    pub at: Timestamp,
}

/// A rotation of one user's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// Its id.
    pub id: RotationId,
    /// Counts the journal's writes, from 1.
    pub generation: u64,
    /// How the issuer is reached, in the words of whoever opens it again; opaque here.
    pub access: String,
    /// Why there is one; of rotations that an older program began nothing is known.
    #[serde(default)]
    pub origin: RotationOrigin,
    /// The account, 12 digits.
    pub account: String,
    /// The user's name.
    pub user: String,
    /// The user's unique id.
    pub user_id: String,
    /// The user's ARN when it was drafted; empty in rotations that an older program began.
    #[serde(default)]
    pub arn: String,
    /// The key to be replaced; named by the plan, never guessed.
    pub old: KeyId,
    /// How careful it is.
    pub rules: RotationRules,
    /// When it may deactivate and delete, in the words of whoever drives it; opaque here. Nothing
    /// for one that a person began.
    #[serde(default)]
    pub calendar: Option<String>,
    /// What is done beside it because the old key has leaked, if it has.
    #[serde(default)]
    pub incident: Option<LeakResponse>,
    /// How far it is.
    pub phase: Phase,
    /// Since when, by the issuer's time.
    #[serde(with = "millis")]
    pub since: Timestamp,
    /// The keys that existed before the new one was asked for.
    pub pre_image: Vec<KeyId>,
    /// The new key, once it is known.
    pub new: Option<KeyId>,
    /// A key that was created and whose secret was lost.
    pub orphan: Option<OrphanedKey>,
    /// Whether the new key was accepted as often as the rules ask, in this phase.
    pub verified: bool,
    /// For how long a use of a key may not show, in seconds, as it was when it was drafted.
    #[serde(default)]
    pub blind_secs: i64,
    /// The last use of the old key that was known when it was drafted.
    #[serde(default)]
    pub used_before: Option<NotedUse>,
    /// The last use of the old key that was known when it was deactivated, if it was to be quiet;
    /// the beginning of time if there was none.
    #[serde(default, with = "optional_millis")]
    pub last_known: Option<Timestamp>,
    /// When this engine itself used the new key last, to verify it: such uses are nobody's.
    #[serde(default, with = "optional_millis")]
    pub checked: Option<Timestamp>,
    /// When a person retrieved the new key first.
    #[serde(default, with = "optional_millis")]
    pub retrieved: Option<Timestamp>,
    /// The first use of the new key by a consumer that is known.
    #[serde(default)]
    pub adopted: Option<NotedUse>,
    /// Why the old key may be deleted although no consumer has used the new one, if it may.
    #[serde(default)]
    pub override_unused: Option<String>,
    /// Whether the old key was activated again, in this phase.
    #[serde(default)]
    pub reactivated: bool,
    /// The sinks, in the order of delivery.
    pub deliveries: Vec<Delivery>,
    /// What keeps it from going on.
    pub held: Option<HoldReason>,
    /// Not to be tried again before.
    #[serde(with = "millis")]
    pub not_before: Timestamp,
    /// Why it is being put back, or has ended before it was done.
    pub why_back: Option<String>,
    /// Since when its user is not found under its name.
    #[serde(default)]
    pub missing: Option<MissingUser>,
    /// The secrets, which the journal seals.
    #[serde(skip)]
    pub secrets: RotationSecrets,
}

/// What is done beside a rotation because the old key has leaked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeakResponse {
    /// Whether the old key is deactivated before anything else is done: its consumers are refused
    /// until they have the new one.
    pub deactivate_first: bool,
    /// Since when it is inactive, if that came first.
    #[serde(with = "optional_millis")]
    pub inactive_since: Option<Timestamp>,
    /// When the sessions that were minted from it ended last.
    #[serde(with = "optional_millis")]
    pub sessions_ended: Option<Timestamp>,
}

/// A use of a key, as the journal remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotedUse {
    /// When.
    #[serde(with = "millis")]
    pub at: Timestamp,
    /// The service that was called.
    pub service: String,
    /// The region.
    pub region: String,
}

impl From<LastUse> for NotedUse {
    fn from(used: LastUse) -> Self {
        Self {
            at: used.at,
            service: used.service,
            region: used.region,
        }
    }
}

/// A user who is not found under its name, which may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingUser {
    /// When it was missed first; this and the next by this machine's clock, since an answer that
    /// there is no user has no listing with the issuer's time.
    #[serde(with = "millis")]
    pub since: Timestamp,
    /// When it was looked for last.
    #[serde(with = "millis")]
    pub last: Timestamp,
    /// How often it was looked for.
    pub looks: u32,
}

/// A key whose secret nobody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrphanedKey {
    /// The key.
    pub key: KeyId,
    /// Since when it is inactive; nothing while it is not.
    #[serde(with = "optional_millis")]
    pub inactive_since: Option<Timestamp>,
}

/// What only the journal's seal may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RotationSecrets {
    /// The new key's secret.
    pub new: Option<Secret<String>>,
    /// The old key's secret, where a sink let it be read.
    pub old: Option<Secret<String>>,
    /// Each delivery's backup, in their order.
    pub backups: Vec<Option<SinkBackup>>,
}

impl Rotation {
    /// The new pair, once it is sealed.
    pub fn pair(&self) -> Option<KeyPair> {
        Some(KeyPair {
            id: self.new.clone()?,
            secret: self.secrets.new.clone()?,
        })
    }

    /// The old pair, where its secret is known.
    pub fn old_pair(&self) -> Option<KeyPair> {
        Some(KeyPair {
            id: self.old.clone(),
            secret: self.secrets.old.clone()?,
        })
    }

    /// Notes what a sink holds: the old pair is needed by sinks that can only be written.
    pub(crate) fn note_old(&mut self, held: &SinkContent) {
        if let SinkContent::Pair(pair) = held
            && pair.id == self.old
        {
            self.secrets.old = Some(pair.secret.clone());
        }
    }

    /// Goes on to a phase.
    pub fn enter(&mut self, phase: Phase, at: Timestamp) {
        self.phase = phase;
        self.since = at;
        self.verified = false;
        self.reactivated = false;
        self.not_before = Timestamp::default();
    }

    /// Whether a wait until then is longer than the rules ask for, or for a sink that fails:
    /// somebody should have a look before a person must decide.
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

    /// How long the new key must have been quiet before it is withdrawn, when everything is put
    /// back. It has not leaked, so an incident is no reason to refuse those that have it.
    pub fn settle_secs(&self) -> i64 {
        let requested = self.rules.observe_secs;
        self.incident.map_or(requested, |_| {
            requested.max(RotationRules::SAFE.observe_secs)
        })
    }

    /// The place of the delivery that a person is waited for, in the order of delivery.
    pub fn awaits_person(&self) -> Option<usize> {
        let awaited = |delivery: &Delivery| {
            let writing = delivery.stage == DeliveryStage::Writing && !delivery.removed;
            writing && delivery.person == ManualStep::Awaited
        };
        // What is added once the old key is inactive is delivered while it dwells.
        let delivering = matches!(self.phase, Phase::Distributing | Phase::Dwelling);
        let at = self.deliveries.iter().position(awaited);
        at.filter(|_| delivering)
    }

    /// Whether it has asked for nothing yet, so that nothing is left if it ends now.
    pub fn has_made_nothing(&self) -> bool {
        self.phase == Phase::Planned
            && self.orphan.is_none()
            && self.pre_image.is_empty()
            && self.inactive_first().is_none()
    }

    /// Since when the old key is inactive, where that came before everything else.
    pub fn inactive_first(&self) -> Option<Timestamp> {
        self.incident?.inactive_since
    }

    /// Whether the new pair is for a person to retrieve, and still there: the old key may be gone
    /// after that.
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

    /// Whether a consumer may have seen the new pair.
    pub fn may_be_delivered(&self) -> bool {
        self.deliveries.iter().any(Delivery::may_hold_new)
    }

    /// Whether a destination has yet to get the new pair: one was added after the others had it.
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
