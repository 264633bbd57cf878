//! The ports of the simulated world, with faults: before or after each call takes effect, the
//! caller may crash, the reply may be lost, or the service may be busy or down.
//!
//! Invariant: anything that can go wrong between two lines of the executor goes wrong here, chosen
//! by a seed. A caller that crashes never returns from its call.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use keywright_base::{Clock, Secret, Timestamp};

use super::world::{KeyActor, SimKey, SimStore, SimWorld, nothing};
use crate::{
    model::{KeyId, KeyPair, Rotation, RotationId},
    ports::{
        IamKeyStatus, InactiveKeyAttempt, Issuer, IssuerError, IssuerUser, JournalError, KeyCheck,
        KeyIdentity, KeyListing, KeyOwnership, ObservedUse, RotationJournal, RotationPairs, Sink,
        SinkBackup, SinkContent, SinkError, UsageEvidence,
    },
};

/// The fault of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFault {
    /// No fault.
    None,
    /// The caller crashes before the call takes effect.
    DieBefore,
    /// The caller crashes after the call took effect.
    DieAfter,
    /// The call takes effect and the reply is lost.
    Lost,
    /// The call does not take effect: the service is unreachable, busy or full.
    Fails,
    /// The call does not take effect: it is throttled.
    Throttled,
    /// The call does not take effect: the caller lacks permission.
    Denied,
}

/// Chooses the fault of a call by the call's name.
pub type FaultScript = Box<dyn FnMut(&str) -> CallFault + Send>;

/// The state that all simulated rotators share.
pub struct SharedWorld {
    world: Mutex<SimWorld>,
    faults: Mutex<FaultScript>,
}

impl std::fmt::Debug for SharedWorld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.world.fmt(f)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SharedWorld {
    /// A world without faults.
    pub fn new(world: SimWorld) -> Arc<Self> {
        Arc::new(Self {
            world: Mutex::new(world),
            faults: Mutex::new(Box::new(|_| CallFault::None)),
        })
    }

    /// The world.
    pub fn world(&self) -> MutexGuard<'_, SimWorld> {
        locked(&self.world)
    }

    /// Sets the script that chooses the faults from now on.
    pub fn set_faults(&self, faults: FaultScript) {
        *locked(&self.faults) = faults;
    }

    /// Makes a call with its fault; `None` when the reply is lost.
    async fn call<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut SimWorld) -> T + Send,
    ) -> Result<T, CallFault> {
        let fault = locked(&self.faults)(name);
        match fault {
            CallFault::None => Ok(act(&mut self.world())),
            CallFault::DieBefore => std::future::pending().await,
            CallFault::DieAfter => {
                act(&mut self.world());
                std::future::pending().await
            }
            CallFault::Lost => {
                act(&mut self.world());
                Err(CallFault::Lost)
            }
            CallFault::Fails | CallFault::Throttled | CallFault::Denied => Err(fault),
        }
    }
}

fn issuer_error(action: &'static str, fault: CallFault) -> IssuerError {
    match fault {
        CallFault::Denied => IssuerError::Denied {
            action,
            message: "no policy allows it".to_owned(),
        },
        CallFault::Throttled => IssuerError::Throttled,
        CallFault::Lost => IssuerError::Unknown("simulated".to_owned()),
        _ => IssuerError::Unreachable("simulated".to_owned()),
    }
}

/// Writes never lag: a call that changes a missing user fails immediately.
fn check_user(world: &SimWorld, name: &str) -> Result<(), IssuerError> {
    if world.is_there(name) {
        Ok(())
    } else {
        Err(IssuerError::NoSuchUser(name.to_owned()))
    }
}

/// The simulated IAM, as one rotator sees it.
#[derive(Debug)]
pub struct SimIssuer {
    /// The world.
    pub shared: Arc<SharedWorld>,
    /// The rotator's number.
    pub rotator: usize,
    /// Whether it supports idempotency tokens.
    pub repeats: bool,
    /// The rotator's own key, if it rotates itself.
    pub own: Mutex<Option<KeyPair>>,
    /// What [`Issuer::adopt`] was given.
    pub adopted: Mutex<Option<KeyPair>>,
    /// How wrong the rotator's clock is, in seconds.
    pub skew: i64,
    /// How long an existing user may be reported as missing, in seconds.
    pub lags: i64,
    /// Whether it reports each use of a key immediately and to the second.
    pub exact: bool,
    /// Whether it reports that a key does not exist, or denies any information about it.
    pub tells: bool,
    /// Whether its own credentials are in its environment, so that they never change.
    pub fixed: bool,
}

/// How long a use may stay invisible in this world: it is published late and rounded.
pub const BLIND_SECS: i64 = 4 * 3600 + 900;
/// Longer than any lag in this world.
const LAGS_SECS: i64 = 90;

impl SimIssuer {
    /// Creates a rotator's view, with credentials of its own.
    pub fn new(shared: &Arc<SharedWorld>, rotator: usize) -> Self {
        Self {
            shared: Arc::clone(shared),
            rotator,
            repeats: false,
            own: Mutex::new(None),
            adopted: Mutex::new(None),
            skew: 0,
            lags: LAGS_SECS,
            exact: false,
            tells: false,
            fixed: false,
        }
    }

    /// The world's time, in seconds.
    pub fn now_secs(&self) -> i64 {
        self.shared.world().now
    }

    fn signing(&self) -> Option<KeyPair> {
        let adopted = locked(&self.adopted).clone();
        adopted.or_else(|| locked(&self.own).clone())
    }

    async fn call<T: Send>(
        &self,
        name: &'static str,
        act: impl FnOnce(&mut SimWorld) -> Result<T, IssuerError> + Send,
    ) -> Result<T, IssuerError> {
        let signing = self.signing();
        let own = !self.has_adopted();
        let acted = self.shared.call(name, move |world| {
            if let Some(pair) = &signing {
                if !world.accepts(pair, 0) {
                    return Err(IssuerError::Refused {
                        code: "InvalidClientTokenId".to_owned(),
                        message: "The security token included in the request is invalid.".into(),
                    });
                }
                let (now, publication) = (world.now, world.publication);
                if let Some(key) = world.key(&pair.id) {
                    key.uses.note(now, publication, "iam");
                    key.used[0] = Some(now);
                    key.adopted |= own;
                }
            }
            act(world)
        });
        acted.await.map_err(|fault| issuer_error(name, fault))?
    }

    async fn exact_use(
        &self,
        key: &KeyId,
        which: usize,
    ) -> Result<Option<ObservedUse>, IssuerError> {
        self.call("last_use", |world| {
            let used = world.key(key).and_then(|key| *key.used.get(which)?);
            Ok(used.map(|at| ObservedUse {
                at: Timestamp::from_secs(at),
                service: "s3".to_owned(),
                region: "ap-south-1".to_owned(),
            }))
        })
        .await
    }

    /// A key that the rotator did not create may be deleted only after a consumer has used the
    /// rotator's own.
    fn check_adopted(&self, world: &mut SimWorld, id: &KeyId) {
        let ours = |key: &SimKey| key.maker == KeyActor::Rotator(self.rotator);
        let foreign = world
            .keys
            .iter()
            .any(|key| key.pair.id == *id && !ours(key));
        let mut made = world.keys.iter().chain(&world.gone);
        if foreign && !world.overridden && !made.any(|key| ours(key) && key.adopted) {
            let text = format!("{id} was deleted, and no consumer has used a new key");
            world.violations.push(text);
        }
    }

    /// Only its creator and a rotator that was ordered to replace it may touch a key.
    fn check_touch(&self, world: &mut SimWorld, id: &KeyId, what: &str) {
        let first = world
            .keys
            .iter()
            .chain(&world.gone)
            .map(|key| &key.pair.id)
            .min();
        let old = first == Some(id);
        let ours = world
            .keys
            .iter()
            .any(|key| key.pair.id == *id && key.maker == KeyActor::Rotator(self.rotator));
        if !old && !ours && world.keys.iter().any(|key| key.pair.id == *id) {
            let text = format!("rotator {} touched {id}: {what}", self.rotator);
            world.violations.push(text);
        }
    }
}

#[async_trait]
impl Issuer for SimIssuer {
    async fn user(&self, name: &str) -> Result<IssuerUser, IssuerError> {
        let name = name.to_owned();
        self.call("user", |world| {
            let id = world.named(&name);
            Ok(IssuerUser {
                id: id.ok_or_else(|| IssuerError::NoSuchUser(name.clone()))?,
                arn: format!("arn:aws:iam::123456789012:user/{name}"),
                name,
                tags: world.tags.clone().into_iter().collect(),
            })
        })
        .await
    }

    async fn keys(&self, user: &str) -> Result<KeyListing, IssuerError> {
        let user = user.to_owned();
        self.call("keys", |world| {
            let id = world.named(&user);
            let id = id.ok_or(IssuerError::NoSuchUser(user))?;
            Ok(KeyListing {
                keys: world.listed(&id),
                at: Timestamp::from_secs(world.now),
            })
        })
        .await
    }

    async fn create(&self, user: &str, token: &str) -> Result<(KeyPair, Timestamp), IssuerError> {
        let (maker, repeats) = (KeyActor::Rotator(self.rotator), self.repeats);
        let (user, token) = (user.to_owned(), token.to_owned());
        self.call("create", move |world| {
            check_user(world, &user)?;
            let known = world.tokens.get(&token).filter(|_| repeats).cloned();
            if let Some(key) = known.and_then(|id| world.key(&id).cloned()) {
                return Ok((key.pair, Timestamp::from_secs(key.created)));
            }
            if world.keys.len() >= 2 {
                return Err(IssuerError::TwoKeys);
            }
            let leaked = world.leaked.clone().filter(|_| world.first);
            let leaked = leaked.and_then(|leaked| world.key(&leaked).cloned());
            if leaked
                .is_some_and(|key| key.status == IamKeyStatus::Active && !key.activated_by_person)
            {
                let text = "a new key was made while the leaked one was active".to_owned();
                world.violations.push(text);
            }
            let pair = world.make(maker);
            world.tokens.insert(token, pair.id.clone());
            Ok((pair, Timestamp::from_secs(world.now)))
        })
        .await
    }

    fn repeats_create(&self) -> bool {
        self.repeats
    }

    fn lags_secs(&self) -> i64 {
        self.lags
    }

    async fn set_status(
        &self,
        user: &str,
        key: &KeyId,
        status: IamKeyStatus,
    ) -> Result<(), IssuerError> {
        let user = user.to_owned();
        self.call("set_status", |world| {
            check_user(world, &user)?;
            self.check_touch(world, key, "set status");
            if status == IamKeyStatus::Inactive {
                world.withdraw_leaked(key);
            }
            let until = world.now + world.lag;
            let found = world.key(key);
            let found = found.ok_or_else(|| IssuerError::NoSuchKey(key.clone()))?;
            found.listed_as = Some((found.status, until));
            found.status = status;
            found.activated_by_person = false;
            Ok(())
        })
        .await
    }

    async fn end_sessions(
        &self,
        user: &str,
        _: &KeyId,
        before: Timestamp,
    ) -> Result<String, IssuerError> {
        let user = user.to_owned();
        self.call("end_sessions", |world| {
            check_user(world, &user)?;
            Ok(world.end_sessions(before.secs()))
        })
        .await
    }

    async fn delete(&self, user: &str, key: &KeyId) -> Result<(), IssuerError> {
        let user = user.to_owned();
        self.call("delete", |world| {
            check_user(world, &user)?;
            self.check_touch(world, key, "delete");
            self.check_adopted(world, key);
            if world.leaked.as_ref() == Some(key) && world.sessions.iter().any(|one| !one.ended) {
                let text = format!("a session that {key} has minted outlives it");
                world.violations.push(text);
            }
            let at = world.keys.iter().position(|listed| listed.pair.id == *key);
            let at = at.ok_or_else(|| IssuerError::NoSuchKey(key.clone()))?;
            let mut gone = world.keys.remove(at);
            // While listings show an earlier state, no rotator can know what a person has done
            // since.
            let late = gone.listed_as.is_some_and(|(_, until)| world.now < until);
            let unseen = late && gone.activated_by_person;
            gone.listed_as = Some((gone.status, world.now + world.lag));
            if gone.status == IamKeyStatus::Active && !unseen {
                world
                    .violations
                    .push(format!("{key} was deleted while active"));
            }
            world.gone.push(gone);
            Ok(())
        })
        .await
    }

    async fn tag(&self, user: &str, key: &str, value: &str) -> Result<(), IssuerError> {
        let (user, key, value) = (user.to_owned(), key.to_owned(), value.to_owned());
        self.call("tag", move |world| {
            check_user(world, &user)?;
            world.tags.insert(key, value);
            Ok(())
        })
        .await
    }

    async fn untag(&self, user: &str, key: &str) -> Result<(), IssuerError> {
        let user = user.to_owned();
        self.call("untag", |world| {
            check_user(world, &user)?;
            world.tags.remove(key);
            Ok(())
        })
        .await
    }

    async fn verify(&self, pair: &KeyPair, endpoint: usize) -> Result<KeyCheck, IssuerError> {
        let requested = self.shared.call("verify", |world| {
            if !world.accepts(pair, endpoint) {
                return KeyCheck::NotKnown;
            }
            let (now, publication) = (world.now, world.publication);
            let user_id = world.key(&pair.id).map(|key| {
                key.uses.note(now, publication, "sts");
                key.used[0] = Some(now);
                key.user_id.clone()
            });
            let user_id = user_id.unwrap_or_default();
            let name = world.name_of(&user_id).unwrap_or_default();
            KeyCheck::Accepted(KeyIdentity {
                account: "123456789012".to_owned(),
                user_id,
                arn: format!("arn:aws:iam::123456789012:user/{name}"),
            })
        });
        requested
            .await
            .map_err(|fault| issuer_error("verify", fault))
    }

    fn endpoints(&self) -> usize {
        self.shared.world().endpoints
    }

    fn signer(&self) -> Option<KeyId> {
        self.signing().map(|pair| pair.id)
    }

    fn has_adopted(&self) -> bool {
        locked(&self.adopted).is_some()
    }

    fn adopt(&self, pair: &KeyPair) {
        *locked(&self.adopted) = Some(pair.clone());
    }

    fn revert(&self) {
        *locked(&self.adopted) = None;
        // The rotator's own credentials are in the first sink.
        let held = self
            .shared
            .world()
            .sinks
            .first()
            .map(|sink| sink.held.clone());
        let mut own = locked(&self.own);
        if own.is_some() && !self.fixed {
            *own = held;
        }
    }
}

#[async_trait]
impl UsageEvidence for SimIssuer {
    async fn owner(&self, key: &KeyId) -> Result<KeyOwnership, IssuerError> {
        self.call("owner", |world| {
            let user_id = world.key(key).map(|key| key.user_id.clone());
            let name = user_id.and_then(|id| world.name_of(&id));
            let unknown = if self.tells {
                KeyOwnership::Nobody
            } else {
                KeyOwnership::Undisclosed
            };
            Ok(name.map_or(unknown, KeyOwnership::User))
        })
        .await
    }

    async fn last_use(&self, key: &KeyId) -> Result<Option<ObservedUse>, IssuerError> {
        if self.exact {
            return self.exact_use(key, 0).await;
        }
        self.call("last_use", |world| {
            // Keywright publishes uses immediately, AWS with a delay.
            let publication = if self.repeats { 0 } else { world.publication };
            let now = world.now;
            let used = world.key(key);
            let used = used.and_then(|key| key.uses.published(now, publication));
            Ok(used.map(|(at, service)| ObservedUse {
                at: Timestamp::from_secs(at),
                service: service.to_owned(),
                region: "ap-south-1".to_owned(),
            }))
        })
        .await
    }

    async fn consumer_use(&self, key: &KeyId) -> Result<Option<Option<ObservedUse>>, IssuerError> {
        if !self.exact {
            return Ok(None);
        }
        self.exact_use(key, 1).await.map(Some)
    }

    fn blind_secs(&self) -> i64 {
        if self.exact { 0 } else { BLIND_SECS }
    }

    async fn attempts(&self, key: &KeyId) -> Result<Option<Vec<InactiveKeyAttempt>>, IssuerError> {
        if !self.repeats {
            return Ok(None);
        }
        self.call("attempts", |world| {
            let tried = world
                .key(key)
                .and_then(|key| Some((key.attempts, key.tried?)));
            let attempt = tried.map(|(count, at)| InactiveKeyAttempt {
                at: Timestamp::from_secs(at),
                count,
                source_address: "192.0.2.7".to_owned(),
                user_agent: "aws-cli/2".to_owned(),
                action: "s3:CreateBucket".to_owned(),
            });
            Ok(Some(attempt.into_iter().collect()))
        })
        .await
    }
}

impl Clock for SimIssuer {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.shared.world().now + self.skew)
    }
}

/// A simulated sink, by its number.
#[derive(Debug)]
pub struct SimSink {
    shared: Arc<SharedWorld>,
    number: usize,
    name: String,
    journal: Arc<SimJournal>,
}

impl SimSink {
    /// The sink with this number. It asks the journal whether an incoming pair is stored there.
    pub fn new(shared: &Arc<SharedWorld>, number: usize, journal: &Arc<SimJournal>) -> Self {
        Self {
            shared: Arc::clone(shared),
            number,
            name: format!("sink-{number}"),
            journal: Arc::clone(journal),
        }
    }

    async fn call<T: Send>(
        &self,
        name: &str,
        act: impl FnOnce(&mut SimStore, &mut Vec<String>) -> T + Send,
    ) -> Result<T, SinkError> {
        let number = self.number;
        let acted = self.shared.call(name, move |world| {
            let SimWorld {
                now,
                sinks,
                violations,
                ..
            } = world;
            let Some(store) = sinks.get_mut(number) else {
                return Err(SinkError::Never("no such sink".to_owned()));
            };
            if store.refused {
                return Err(SinkError::Never("refused".to_owned()));
            }
            if *now < store.down_until {
                return Err(SinkError::Later("down".to_owned()));
            }
            Ok(act(store, violations))
        });
        let lost = |_| SinkError::Later("no reply".to_owned());
        acted.await.map_err(lost)?
    }
}

impl SimSink {
    /// Writes in one step, or in two for a sink that needs two: the second makes the first visible
    /// to consumers. The content must be one of `known`; anything else belongs to someone else.
    async fn put(
        &self,
        (first, second): (&str, &str),
        pair: &KeyPair,
        known: [&KeyPair; 2],
    ) -> Result<(), SinkError> {
        let whole = self.call(first, |store, _| {
            if !known.contains(&&store.held) {
                return Err(SinkError::Never(format!("it holds {}", store.held.id)));
            }
            if store.two_writes {
                store.half = Some(pair.secret.clone());
            } else {
                store.held = pair.clone();
            }
            Ok(!store.two_writes)
        });
        if whole.await?? {
            return Ok(());
        }
        self.call(second, |store, violations| match store.half.take() {
            Some(secret) => {
                let id = pair.id.clone();
                store.held = KeyPair { id, secret };
            }
            // A retry after a lost reply.
            None if store.held == *pair => {}
            None => violations.push(format!("{} was made current without its secret", pair.id)),
        })
        .await
    }
}

#[async_trait]
impl Sink for SimSink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn stage(&self, _: &RotationId) -> Result<SinkBackup, SinkError> {
        let text = self.call("stage", |store, _| {
            format!("{} {}", store.held.id.0, store.held.secret.expose())
        });
        Ok(Secret::new(text.await?.into_bytes()))
    }

    async fn commit(
        &self,
        _: &RotationId,
        backup: &SinkBackup,
        pair: &KeyPair,
    ) -> Result<(), SinkError> {
        if !self.journal.keeps(pair) {
            let text = format!("{} was delivered and is in no journal", pair.id);
            self.shared.world().violations.push(text);
        }
        let found = read_backup(backup)?;
        self.put(("commit", "commit_id"), pair, [&found, pair])
            .await
    }

    async fn read_back(&self) -> Result<SinkContent, SinkError> {
        self.call("read_back", |store, _| {
            if store.held == nothing() {
                return SinkContent::Nothing;
            }
            SinkContent::Pair(store.held.clone())
        })
        .await
    }

    async fn restore(
        &self,
        _: &RotationId,
        backup: &SinkBackup,
        pairs: RotationPairs<'_>,
    ) -> Result<(), SinkError> {
        let found = read_backup(backup)?;
        self.put(("restore", "restore_id"), &found, [&found, pairs.new])
            .await
    }
}

fn read_backup(backup: &SinkBackup) -> Result<KeyPair, SinkError> {
    let text = String::from_utf8_lossy(backup.expose()).into_owned();
    let Some((id, secret)) = text.split_once(' ') else {
        return Err(SinkError::Never("its backup cannot be read".to_owned()));
    };
    Ok(KeyPair {
        id: KeyId(id.to_owned()),
        secret: Secret::new(secret.to_owned()),
    })
}

/// An in-memory journal that survives its rotator.
#[derive(Debug)]
pub struct SimJournal {
    shared: Arc<SharedWorld>,
    rotations: Mutex<BTreeMap<RotationId, Rotation>>,
    events: Mutex<Vec<String>>,
}

impl SimJournal {
    /// An empty one.
    pub fn new(shared: &Arc<SharedWorld>) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::clone(shared),
            rotations: Mutex::default(),
            events: Mutex::default(),
        })
    }

    fn keeps(&self, pair: &KeyPair) -> bool {
        let retained = locked(&self.rotations);
        retained
            .values()
            .any(|rotation| rotation.pair().as_ref() == Some(pair))
    }

    /// Returns a rotation as it is stored.
    pub fn get(&self, id: &RotationId) -> Option<Rotation> {
        locked(&self.rotations).get(id).cloned()
    }

    /// The history, in order.
    pub fn events(&self) -> Vec<String> {
        locked(&self.events).clone()
    }

    async fn call<T: Send>(
        &self,
        name: &str,
        act: impl FnOnce(&mut BTreeMap<RotationId, Rotation>) -> Result<T, JournalError> + Send,
    ) -> Result<T, JournalError> {
        let lost = |_| JournalError::Unavailable("simulated".to_owned());
        let acted = self
            .shared
            .call(name, |_| act(&mut locked(&self.rotations)));
        acted.await.map_err(lost)?
    }
}

#[async_trait]
impl RotationJournal for SimJournal {
    async fn begin(&self, rotation: &Rotation) -> Result<(), JournalError> {
        let rotation = rotation.clone();
        self.call("begin", move |retained| {
            let open = retained.values().find(|retained| !retained.phase.is_over());
            if let Some(open) = open {
                return Err(JournalError::Open(open.id.clone()));
            }
            retained.insert(rotation.id.clone(), rotation);
            Ok(())
        })
        .await
    }

    async fn advance(&self, rotation: &Rotation, event: &str) -> Result<(), JournalError> {
        let rotation = rotation.clone();
        self.call("advance", move |retained| {
            let stored = retained
                .get(&rotation.id)
                .map(|retained| retained.generation);
            if stored.map(|stored| stored + 1) != Some(rotation.generation) {
                return Err(JournalError::Conflict);
            }
            locked(&self.events).push(event.to_owned());
            retained.insert(rotation.id.clone(), rotation);
            Ok(())
        })
        .await
    }

    async fn rotation(&self, id: &RotationId) -> Result<Option<Rotation>, JournalError> {
        Ok(self.get(id))
    }

    async fn open_of(&self, _: &str, user_id: &str) -> Result<Option<Rotation>, JournalError> {
        let retained = locked(&self.rotations);
        let mut open = retained
            .values()
            .filter(|retained| !retained.phase.is_over());
        Ok(open.find(|retained| retained.user_id == user_id).cloned())
    }

    async fn open(&self) -> Result<Vec<RotationId>, JournalError> {
        let retained = locked(&self.rotations);
        let open = retained
            .values()
            .filter(|retained| !retained.phase.is_over());
        Ok(open.map(|retained| retained.id.clone()).collect())
    }
}
