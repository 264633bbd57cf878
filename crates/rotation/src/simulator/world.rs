//! The world that rotations are tried in: a user with keys, sinks with consumers, and time.
//!
//! It protects the safety property by knowing everything: each use of a key that fails is blamed
//! on the rotator, unless a person withdrew that key. It does no real I/O and never waits.

use std::collections::{BTreeMap, VecDeque};

use keywright_base::{Secret, Timestamp};

use crate::{
    model::{KeyId, KeyPair},
    ports::{KeyStatus, ListedKey},
};

/// The user's name in the beginning.
pub const USER: &str = "RotateKeyUser";

/// Who made or withdrew a key: a rotator by its number, or a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyActor {
    /// A rotator.
    Rotator(usize),
    /// A person.
    Person,
}

/// When a key was used, as coarse as AWS keeps it: in which quarters of an hour.
#[derive(Debug, Clone, Default)]
pub struct CoarseUses(VecDeque<(i64, &'static str)>);

/// Seconds of a quarter of an hour.
const QUARTER_SECS: i64 = 900;

impl CoarseUses {
    /// Notes a use of a service; of each quarter the first one counts. What is older than what was
    /// published last is forgotten.
    pub fn note(&mut self, now: i64, publication: i64, service: &'static str) {
        let quarter = now / QUARTER_SECS * QUARTER_SECS;
        if self.0.back().is_none_or(|(at, _)| *at != quarter) {
            self.0.push_back((quarter, service));
        }
        while self.0.get(1).is_some_and(|(at, _)| at + publication <= now) {
            self.0.pop_front();
        }
    }

    /// The last use that is published.
    pub fn published(&self, now: i64, publication: i64) -> Option<(i64, &'static str)> {
        let published = self.0.iter().rev();
        published.copied().find(|(at, _)| *at + publication <= now)
    }
}

/// A name, and whose it is or was.
#[derive(Debug, Clone)]
pub struct UserName {
    /// The name.
    pub name: String,
    /// The unique id of the user who has it.
    pub user_id: String,
    /// Since when.
    pub from: i64,
    /// Until when, if it is so no more.
    pub until: Option<i64>,
}

/// A key of the user.
#[derive(Debug, Clone)]
pub struct SimKey {
    /// Its pair.
    pub pair: KeyPair,
    /// Whose it is, by unique id.
    pub user_id: String,
    /// Whether it is accepted.
    pub status: KeyStatus,
    /// When it was created, in seconds.
    pub created: i64,
    /// When each endpoint begins to accept it.
    pub valid_from: Vec<i64>,
    /// When listings begin to show it.
    pub listed_from: i64,
    /// What listings still show of it, and until when.
    pub listed_as: Option<(KeyStatus, i64)>,
    /// Who made it.
    pub maker: KeyActor,
    /// Whether a person withdrew it: then its failures are not the rotator's.
    pub withdrawn_by_person: bool,
    /// Whether it is active because a person activated it.
    pub activated_by_person: bool,
    /// When it was used.
    pub uses: CoarseUses,
    /// Whether a consumer has used it.
    pub adopted: bool,
    /// When it was used last, and when by a consumer, to the second.
    pub used: [Option<i64>; 2],
    /// Attempts while it was inactive.
    pub attempts: u64,
    /// The last of them.
    pub tried: Option<i64>,
}

/// Temporary credentials that were minted from a key, and outlive it.
#[derive(Debug, Clone, Copy)]
pub struct SimSession {
    /// When it was issued.
    pub issued: i64,
    /// Whether it was ended.
    pub ended: bool,
}

/// What a sink holds that holds nothing.
pub(super) fn nothing() -> KeyPair {
    KeyPair {
        id: KeyId(String::new()),
        secret: Secret::new(String::new()),
    }
}

/// A place that keeps a pair.
#[derive(Debug, Clone)]
pub struct SimStore {
    /// The pair in it, or [`nothing`].
    pub held: KeyPair,
    /// Whether it takes two writes, the secret and then the id, which makes consumers see both.
    pub two_writes: bool,
    /// The secret that was written and that no id points to yet.
    pub half: Option<Secret<String>>,
    /// It fails before this second.
    pub down_until: i64,
    /// It fails until a person mends it.
    pub refused: bool,
    /// A person has removed it from a rotation: what is put there from then on is theirs to answer
    /// for.
    pub removed: bool,
    /// Nobody reads it any more.
    pub retired: bool,
}

/// A program that uses a key.
#[derive(Debug, Clone)]
pub struct SimConsumer {
    /// The sink it reads; without one it is unknown and holds the pair for ever.
    pub reads: Option<usize>,
    /// The pair in its memory.
    pub holds: KeyPair,
    /// Seconds between two uses.
    pub uses_every: i64,
    /// Seconds between two looks at its sink.
    pub reads_every: i64,
}

/// Everything there is.
#[derive(Debug)]
pub struct SimWorld {
    /// Seconds since the epoch.
    pub now: i64,
    /// The unique id of the user who was made last.
    pub user_id: String,
    /// Who has, or had, which name.
    pub names: Vec<UserName>,
    /// Until when the service does not find users who are there.
    pub lost_until: i64,
    /// How late uses of keys are published where that is not at once, in seconds.
    pub publication: i64,
    /// The user's tags.
    pub tags: BTreeMap<String, String>,
    /// The user's keys, and those that are gone.
    pub keys: Vec<SimKey>,
    /// Keys that were deleted.
    pub gone: Vec<SimKey>,
    /// Keys of other users, which are theirs to look after.
    pub foreign: Vec<KeyPair>,
    /// The sinks.
    pub sinks: Vec<SimStore>,
    /// The programs.
    pub consumers: Vec<SimConsumer>,
    /// Endpoints of the issuer.
    pub endpoints: usize,
    /// How long a new key may be unknown to an endpoint, in seconds.
    pub propagation: i64,
    /// How long listings lag, in seconds.
    pub lag: i64,
    /// Whether an old key may be deleted although no consumer has used a new one.
    pub overridden: bool,
    /// The key that has leaked, if one has.
    pub leaked: Option<KeyId>,
    /// Whether it is to be deactivated before there is a new key.
    pub first: bool,
    /// What whoever found it has minted with it.
    pub sessions: Vec<SimSession>,
    /// What went wrong that must not.
    pub violations: Vec<String>,
    /// Keys made so far.
    pub made: u64,
    /// Tokens and the keys made for them.
    pub tokens: BTreeMap<String, KeyId>,
}

impl SimWorld {
    /// A user with one old, active key that is in every sink.
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

    /// A sink that holds this, and its consumer; the sink's number.
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

    /// A person takes the consumers of a sink away.
    pub fn retire(&mut self, number: usize) {
        self.consumers.retain(|one| one.reads != Some(number));
        if let Some(sink) = self.sinks.get_mut(number) {
            sink.retired = true;
        }
    }

    /// Makes a key.
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
            status: KeyStatus::Active,
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

    /// The keys of a user as a listing shows them: late.
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

    /// Whoever is without a key that works: a consumer, or a sink that one may read any moment.
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

    /// Whether a pair is accepted everywhere, or a person saw to it that it is not, or is another
    /// user's, or none.
    fn works(&self, pair: &KeyPair) -> bool {
        let mut known = self.gone.iter().chain(&self.keys);
        let nothing = pair.id.0.is_empty();
        nothing
            || (0..self.endpoints).all(|at| self.accepts(pair, at))
            || self.foreign.contains(pair)
            || known.any(|key| key.pair == *pair && key.withdrawn_by_person)
    }

    /// Whose a name is, as the service answers: late.
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

    /// The name of a user now.
    pub fn name_of(&self, user_id: &str) -> Option<String> {
        let now = |one: &&UserName| one.user_id == user_id && one.until.is_none();
        self.names.iter().find(now).map(|one| one.name.clone())
    }

    /// Whether a user of this name is there, for whoever changes something.
    pub fn is_there(&self, name: &str) -> bool {
        let mut names = self.names.iter();
        names.any(|one| one.name == name && one.until.is_none())
    }

    /// Somebody gives the user another name; the old one answers for a while.
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

    /// Somebody deletes the user, and before that its keys.
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

    /// Somebody deletes the user, and makes another one of the same name, with a key of its own.
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

    /// A key by id.
    pub fn key(&mut self, id: &KeyId) -> Option<&mut SimKey> {
        self.keys.iter_mut().find(|key| key.pair.id == *id)
    }

    /// Whether an endpoint accepts a pair now.
    pub fn accepts(&self, pair: &KeyPair, endpoint: usize) -> bool {
        self.keys.iter().any(|key| {
            let valid = key
                .valid_from
                .get(endpoint)
                .is_some_and(|at| *at <= self.now);
            key.pair == *pair && key.status == KeyStatus::Active && valid
        })
    }

    /// Lets time pass: consumers read their sinks and use their keys.
    pub fn pass(&mut self, secs: i64) {
        let end = self.now + secs;
        while self.now < end {
            // Nothing changes but by consumers, who act on a grid of ten minutes.
            self.now = end.min((self.now / 600 + 1) * 600);
            for at in 0..self.consumers.len() {
                self.consume(at);
            }
            self.mint(self.now);
        }
    }

    /// Whoever found the leaked key gets a session, if it is accepted.
    fn mint(&mut self, issued: i64) {
        let leaked = self
            .leaked
            .clone()
            .and_then(|leaked| self.key(&leaked).cloned());
        if leaked.is_some_and(|key| key.status == KeyStatus::Active) {
            self.sessions.push(SimSession {
                issued,
                ended: false,
            });
        }
    }

    /// The leaked key is about to be deactivated: its consumers are refused by choice, and whoever
    /// found it gets a last session where that has not reached every server yet.
    pub fn withdraw_leaked(&mut self, id: &KeyId) {
        if self.leaked.as_ref() != Some(id) {
            return;
        }
        self.mint(self.now + if self.lag > 0 { self.propagation } else { 0 });
        if let Some(key) = self.key(id) {
            key.withdrawn_by_person = true;
        }
    }

    /// Sessions that were issued before then end; the sentence that says so.
    pub fn end_sessions(&mut self, before: i64) -> String {
        let leaked = self
            .leaked
            .clone()
            .and_then(|leaked| self.key(&leaked).cloned());
        let mints = leaked.is_some_and(|key| key.status == KeyStatus::Active);
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

    /// Whether a person has activated a key again.
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
                KeyStatus::Active => {
                    key.uses.note(now, publication, "s3");
                    key.adopted = true;
                    key.used = [Some(now); 2];
                }
                KeyStatus::Inactive => {
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
