//! The simulated world: a user with keys, sinks with consumers, and time.
//!
//! It checks the safety property by knowing everything: each failed use of a key is the rotator's
//! fault, unless a person withdrew that key. It does no real I/O and never sleeps.

use std::collections::{BTreeMap, VecDeque};

use keywright_base::{Secret, Timestamp};

use crate::{
    model::{KeyId, KeyPair},
    ports::{IamKeyStatus, ListedKey},
};

/// The user's initial name.
pub const USER: &str = "RotateKeyUser";

/// Who created or withdrew a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyActor {
    /// A rotator, by its number.
    Rotator(usize),
    /// A person.
    Person,
}

/// The uses of a key, as coarse as AWS records them: by quarter of an hour.
#[derive(Debug, Clone, Default)]
pub struct CoarseUses(VecDeque<(i64, &'static str)>);

/// The length of a quarter of an hour in seconds.
const QUARTER_SECS: i64 = 900;

impl CoarseUses {
    /// Records a use of a service. The first one in each quarter of an hour counts. Forgets uses
    /// older than the last published one.
    pub fn note(&mut self, now: i64, publication: i64, service: &'static str) {
        let quarter = now / QUARTER_SECS * QUARTER_SECS;
        if self.0.back().is_none_or(|(at, _)| *at != quarter) {
            self.0.push_back((quarter, service));
        }
        while self.0.get(1).is_some_and(|(at, _)| at + publication <= now) {
            self.0.pop_front();
        }
    }

    /// The last published use.
    pub fn published(&self, now: i64, publication: i64) -> Option<(i64, &'static str)> {
        let published = self.0.iter().rev();
        published.copied().find(|(at, _)| *at + publication <= now)
    }
}

/// A name and its owner, current or former.
#[derive(Debug, Clone)]
pub struct UserName {
    /// The name.
    pub name: String,
    /// The unique ID of its owner.
    pub user_id: String,
    /// When it became the owner's.
    pub from: i64,
    /// When it stopped being the owner's, if it did.
    pub until: Option<i64>,
}

/// A key of the user.
#[derive(Debug, Clone)]
pub struct SimKey {
    /// Its key pair.
    pub pair: KeyPair,
    /// The unique ID of its owner.
    pub user_id: String,
    /// Its status.
    pub status: IamKeyStatus,
    /// When it was created, in seconds.
    pub created: i64,
    /// When each endpoint begins to accept it.
    pub valid_from: Vec<i64>,
    /// When listings begin to show it.
    pub listed_from: i64,
    /// The outdated status that listings still show, and until when.
    pub listed_as: Option<(IamKeyStatus, i64)>,
    /// Who created it.
    pub maker: KeyActor,
    /// Whether a person withdrew it. Its failures are then not the rotator's fault.
    pub withdrawn_by_person: bool,
    /// Whether it is active because a person activated it.
    pub activated_by_person: bool,
    /// Its uses.
    pub uses: CoarseUses,
    /// Whether a consumer has used it.
    pub adopted: bool,
    /// Its last use, and its last use by a consumer, to the second.
    pub used: [Option<i64>; 2],
    /// The number of attempts while it was inactive.
    pub attempts: u64,
    /// The last attempt.
    pub tried: Option<i64>,
}

/// A session minted from a key, which outlives the key.
#[derive(Debug, Clone, Copy)]
pub struct SimSession {
    /// When it was issued.
    pub issued: i64,
    /// Whether it was ended.
    pub ended: bool,
}

/// The content of an empty sink.
pub(super) fn nothing() -> KeyPair {
    KeyPair {
        id: KeyId(String::new()),
        secret: Secret::new(String::new()),
    }
}

/// A sink of the simulated world.
#[derive(Debug, Clone)]
pub struct SimStore {
    /// The key pair in it, or [`nothing`].
    pub held: KeyPair,
    /// Whether it needs two writes: the secret, then the ID, which makes both visible to consumers.
    pub two_writes: bool,
    /// A secret that was written and that no ID refers to yet.
    pub half: Option<Secret<String>>,
    /// It fails until this second.
    pub down_until: i64,
    /// Whether it fails until a person fixes it.
    pub refused: bool,
    /// Whether a person has removed it from a rotation. That person is responsible for what is
    /// written to it from then on.
    pub removed: bool,
    /// Whether it has no readers any longer.
    pub retired: bool,
}

/// A program that uses a key.
#[derive(Debug, Clone)]
pub struct SimConsumer {
    /// The sink it reads. Without one it is an unknown consumer and holds its key pair forever.
    pub reads: Option<usize>,
    /// The key pair in its memory.
    pub holds: KeyPair,
    /// Seconds between two uses.
    pub uses_every: i64,
    /// Seconds between two reads of its sink.
    pub reads_every: i64,
}

/// The complete state of the world.
#[derive(Debug)]
pub struct SimWorld {
    /// Seconds since the epoch.
    pub now: i64,
    /// The unique ID of the user created last.
    pub user_id: String,
    /// Names with their current and former owners.
    pub names: Vec<UserName>,
    /// Until when the service fails to find existing users.
    pub lost_until: i64,
    /// The delay after which uses of keys are published, unless that is immediate, in seconds.
    pub publication: i64,
    /// The user's tags.
    pub tags: BTreeMap<String, String>,
    /// The user's keys. Deleted ones are in `gone`.
    pub keys: Vec<SimKey>,
    /// Keys that were deleted.
    pub gone: Vec<SimKey>,
    /// Keys of other users, who are responsible for them.
    pub foreign: Vec<KeyPair>,
    /// The sinks.
    pub sinks: Vec<SimStore>,
    /// The consumers.
    pub consumers: Vec<SimConsumer>,
    /// The number of endpoints of the issuer.
    pub endpoints: usize,
    /// How long a new key may be unknown to an endpoint, in seconds.
    pub propagation: i64,
    /// How long listings lag, in seconds.
    pub lag: i64,
    /// Whether an old key may be deleted although no consumer has used a new one.
    pub overridden: bool,
    /// The key that has leaked, if one has.
    pub leaked: Option<KeyId>,
    /// Whether the leaked key is to be deactivated before there is a new key.
    pub first: bool,
    /// The sessions that the finder of the leaked key has minted.
    pub sessions: Vec<SimSession>,
    /// Violations of the safety property.
    pub violations: Vec<String>,
    /// The number of keys created so far.
    pub made: u64,
    /// Idempotency tokens and the keys created for them.
    pub tokens: BTreeMap<String, KeyId>,
}

impl SimWorld {
    /// A user with one active key that is in every sink.
    pub fn new(sinks: usize) -> Self {
        let mut world = Self {
            now: 1_795_507_200,
            user_id: "AIDA1".to_owned(),
            names: vec![UserName {
                name: USER.to_owned(),
                user_id: "AIDA1".to_owned(),
                from: 0,
                until: None,
            }],
            lost_until: 0,
            publication: 0,
            tags: BTreeMap::new(),
            keys: Vec::new(),
            gone: Vec::new(),
            foreign: Vec::new(),
            sinks: Vec::new(),
            consumers: Vec::new(),
            endpoints: 2,
            propagation: 0,
            lag: 0,
            overridden: false,
            leaked: None,
            first: false,
            sessions: Vec::new(),
            violations: Vec::new(),
            made: 0,
            tokens: BTreeMap::new(),
        };
        let old = world.make(KeyActor::Person);
        for _ in 0..sinks {
            world.add_sink(old.clone());
        }
        world
    }

    /// Adds a sink with this content and its consumer; returns the sink's number.
    pub fn add_sink(&mut self, held: KeyPair) -> usize {
        let number = self.sinks.len();
        self.sinks.push(SimStore {
            held: held.clone(),
            two_writes: number % 2 == 1,
            half: None,
            down_until: 0,
            refused: false,
            removed: false,
            retired: false,
        });
        self.consumers.push(SimConsumer {
            reads: Some(number),
            holds: held,
            uses_every: 600,
            reads_every: 3600,
        });
        number
    }

    /// A person shuts down the consumers of a sink.
    pub fn retire(&mut self, number: usize) {
        self.consumers.retain(|one| one.reads != Some(number));
        if let Some(sink) = self.sinks.get_mut(number) {
            sink.retired = true;
        }
    }

    /// Creates a key.
    pub fn make(&mut self, maker: KeyActor) -> KeyPair {
        self.made += 1;
        let made = self.made;
        let pair = KeyPair {
            id: KeyId(format!("AKIA{made:016}")),
            secret: Secret::new(format!("secret-{made}")),
        };
        let endpoint = |number: usize| {
            let delay = self.propagation * i64::try_from(number).unwrap_or(0);
            self.now + delay / i64::try_from(self.endpoints.max(2) - 1).unwrap_or(1)
        };
        self.keys.push(SimKey {
            pair: pair.clone(),
            user_id: self.user_id.clone(),
            status: IamKeyStatus::Active,
            created: self.now,
            valid_from: (0..self.endpoints).map(endpoint).collect(),
            listed_from: self.now + self.lag,
            listed_as: None,
            maker,
            withdrawn_by_person: false,
            activated_by_person: false,
            uses: CoarseUses::default(),
            adopted: false,
            used: [None; 2],
            attempts: 0,
            tried: None,
        });
        pair
    }

    /// The keys of a user as a listing shows them, with lag.
    pub fn listed(&self, user_id: &str) -> Vec<ListedKey> {
        let late = |key: &SimKey| key.listed_as.filter(|(_, until)| self.now < *until);
        let gone = self.gone.iter().filter(|key| late(key).is_some());
        let visible = self.keys.iter().filter(|key| key.listed_from <= self.now);
        visible
            .chain(gone)
            .filter(|key| key.user_id == user_id)
            .map(|key| ListedKey {
                id: key.pair.id.clone(),
                status: late(key).map_or(key.status, |(status, _)| status),
                created: Timestamp::from_secs(key.created),
            })
            .collect()
    }

    /// Finds who is stranded: a consumer without a working key, or a sink without one that a
    /// consumer may read at any moment.
    pub fn stranded(&self) -> Option<String> {
        let sinks = self.sinks.iter().enumerate();
        let sinks = sinks.filter(|(_, sink)| !sink.retired);
        let sinks = sinks.map(|(at, sink)| (format!("sink {at}"), &sink.held));
        let consumers = self.consumers.iter().enumerate();
        let consumers = consumers.map(|(at, who)| (format!("consumer {at}"), &who.holds));
        sinks.chain(consumers).find_map(|(who, pair)| {
            (!self.works(pair)).then(|| format!("{}: {who} is left with {}", self.now, pair.id))
        })
    }

    /// Whether a key pair is accepted everywhere, or need not be: a person withdrew it, it is
    /// another user's, or it is empty.
    fn works(&self, pair: &KeyPair) -> bool {
        let mut known = self.gone.iter().chain(&self.keys);
        let nothing = pair.id.0.is_empty();
        nothing
            || (0..self.endpoints).all(|at| self.accepts(pair, at))
            || self.foreign.contains(pair)
            || known.any(|key| key.pair == *pair && key.withdrawn_by_person)
    }

    /// The owner of a name as the service reports it, with lag.
    pub fn named(&self, name: &str) -> Option<String> {
        if self.now < self.lost_until {
            return None;
        }
        let shows = |one: &&UserName| {
            let since = if one.from == 0 {
                0
            } else {
                one.from + self.lag
            };
            one.name == name && since <= self.now && one.until.is_none_or(|at| self.now < at)
        };
        let found = self.names.iter().find(shows);
        found.map(|one| one.user_id.clone())
    }

    /// The current name of a user.
    pub fn name_of(&self, user_id: &str) -> Option<String> {
        let now = |one: &&UserName| one.user_id == user_id && one.until.is_none();
        self.names.iter().find(now).map(|one| one.name.clone())
    }

    /// Whether a user with this name exists, for calls that change something.
    pub fn is_there(&self, name: &str) -> bool {
        let mut names = self.names.iter();
        names.any(|one| one.name == name && one.until.is_none())
    }

    /// Renames the user; the old name keeps answering for a while.
    pub fn rename(&mut self, name: &str) {
        let (now, user_id) = (self.now, self.user_id.clone());
        for one in self.names.iter_mut().filter(|one| one.until.is_none()) {
            one.until = Some(now + self.lag);
        }
        self.names.push(UserName {
            name: name.to_owned(),
            user_id,
            from: now,
            until: None,
        });
    }

    /// Deletes the user, after its keys.
    pub fn delete_user(&mut self) {
        let until = self.now + self.lag;
        for one in self.names.iter_mut().filter(|one| one.until.is_none()) {
            one.until = Some(until);
        }
        self.tags.clear();
        for mut gone in std::mem::take(&mut self.keys) {
            gone.withdrawn_by_person = true;
            self.gone.push(gone);
        }
    }

    /// Deletes the user and creates another one with the same name and a key of its own.
    pub fn recreate_user(&mut self) {
        let name = self.name_of(&self.user_id);
        self.delete_user();
        self.user_id.push_str("-next");
        let (user_id, now) = (self.user_id.clone(), self.now);
        for one in &mut self.names {
            one.until = one.until.map(|until| until.min(now));
        }
        self.names.push(UserName {
            name: name.unwrap_or_else(|| USER.to_owned()),
            user_id,
            from: 0,
            until: None,
        });
        self.make(KeyActor::Person);
    }

    /// Returns a key by ID.
    pub fn key(&mut self, id: &KeyId) -> Option<&mut SimKey> {
        self.keys.iter_mut().find(|key| key.pair.id == *id)
    }

    /// Whether an endpoint accepts a key pair now.
    pub fn accepts(&self, pair: &KeyPair, endpoint: usize) -> bool {
        self.keys.iter().any(|key| {
            let valid = key
                .valid_from
                .get(endpoint)
                .is_some_and(|at| *at <= self.now);
            key.pair == *pair && key.status == IamKeyStatus::Active && valid
        })
    }

    /// Lets time pass: consumers read their sinks and use their keys.
    pub fn pass(&mut self, secs: i64) {
        let end = self.now + secs;
        while self.now < end {
            // Only consumers change anything here, and they act on a grid of ten minutes.
            self.now = end.min((self.now / 600 + 1) * 600);
            for at in 0..self.consumers.len() {
                self.consume(at);
            }
            self.mint(self.now);
        }
    }

    /// The finder of the leaked key mints a session, if the key is accepted.
    fn mint(&mut self, issued: i64) {
        let leaked = self
            .leaked
            .clone()
            .and_then(|leaked| self.key(&leaked).cloned());
        if leaked.is_some_and(|key| key.status == IamKeyStatus::Active) {
            self.sessions.push(SimSession {
                issued,
                ended: false,
            });
        }
    }

    /// Called when the leaked key is about to be deactivated. Its consumers are denied by choice,
    /// and its finder mints a last session where the deactivation has not reached every server yet.
    pub fn withdraw_leaked(&mut self, id: &KeyId) {
        if self.leaked.as_ref() != Some(id) {
            return;
        }
        self.mint(self.now + if self.lag > 0 { self.propagation } else { 0 });
        if let Some(key) = self.key(id) {
            key.withdrawn_by_person = true;
        }
    }

    /// Ends the sessions issued before that time; returns the text for the history.
    pub fn end_sessions(&mut self, before: i64) -> String {
        let leaked = self
            .leaked
            .clone()
            .and_then(|leaked| self.key(&leaked).cloned());
        let mints = leaked.is_some_and(|key| key.status == IamKeyStatus::Active);
        if mints && !self.activated_since() {
            let text = "sessions were ended while their key could mint more".to_owned();
            self.violations.push(text);
        }
        let exact = self.lag == 0;
        for session in &mut self.sessions {
            session.ended |= session.issued < before || (exact && session.issued == before);
        }
        format!("sessions before {before} are ended")
    }

    /// Whether a person has reactivated a key.
    fn activated_since(&self) -> bool {
        self.keys.iter().any(|key| key.activated_by_person)
    }

    fn consume(&mut self, at: usize) {
        let Some(consumer) = self.consumers.get(at).cloned() else {
            return;
        };
        let now = self.now;
        if let Some(sink) = consumer.reads.and_then(|reads| self.sinks.get(reads))
            && now % consumer.reads_every == 0
        {
            let held = sink.held.clone();
            if let Some(consumer) = self.consumers.get_mut(at) {
                consumer.holds = held;
            }
        }
        if now % consumer.uses_every == 0 {
            self.use_key(at);
        }
    }

    fn use_key(&mut self, at: usize) {
        let Some(consumer) = self.consumers.get(at).cloned() else {
            return;
        };
        let (works, now) = (self.works(&consumer.holds), self.now);
        let publication = self.publication;
        if let Some(key) = self.key(&consumer.holds.id) {
            match key.status {
                IamKeyStatus::Active => {
                    key.uses.note(now, publication, "s3");
                    key.adopted = true;
                    key.used = [Some(now); 2];
                }
                IamKeyStatus::Inactive => {
                    key.attempts += 1;
                    key.tried = Some(now);
                }
            }
        }
        if !works {
            let id = &consumer.holds.id;
            self.violations
                .push(format!("{now}: consumer {at} was refused with {id}"));
        }
    }
}
