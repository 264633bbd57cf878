//! The rotation engine inside the server: answers requests about rotations and runs open rotations
//! until they are over.
//!
//! Invariants: every change of a key is a signed request on behalf of the principal that requested
//! the rotation, and takes the path of every other request ([`within`]). A rotation's own work and
//! a person's order never run at the same time. A request is in the journal before it is answered,
//! so that a restart continues it. `rotation` decides what to do and `fleet` which users are due;
//! this module decides only when.

mod answer;
mod places;
mod policies;
mod slots;
mod within;
mod work;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use keywright_aws::{ActingFor, ClientSettings};
use keywright_base::{AccountId, Clock, Entropy, Timestamp};
use keywright_fleet::driver::{DriveError, RotationDriver};
use keywright_fleet::journal::{HistoryFilter, RotationFilter, SqliteJournal};
use keywright_fleet::new_id;
use keywright_identity::{
    IamFault,
    fault::{ExistingEntity, InvalidInput, MissingEntity},
    ledger::IamLedger,
    on_behalf::OnBehalf,
    rotations::{
        HistoryQuery, RetrievedKey, RotationCaller, RotationChange, RotationEngine, RotationOrder,
        RotationQuery, RotationStart, UserRef,
    },
    state::User,
};
use keywright_rotation::{
    execute,
    model::{Delivery, KeyId, LeakResponse, Rotation, RotationId, RotationRules},
    ports::{JournalError, RotationJournal},
};
use keywright_sinks::SinkSpec;
use keywright_wire::keywright;
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::{JoinSet, spawn_blocking},
};

pub use self::places::{AllowedDestinations, PlacesError};
use self::{
    answer::{failed, unusable},
    policies::PolicyFailures,
    slots::DestinationSlots,
    within::PipelineTransport,
    work::ActiveRotation,
};
use crate::Pipeline;

/// The number of rotations whose steps without a destination run at the same time.
const AT_ONCE: usize = 8;
/// How long a stop waits for rotations to become idle.
const DRAIN: Duration = Duration::from_secs(30);

/// What the engine is opened with.
pub struct EngineParts {
    /// The journal.
    pub journal: SqliteJournal,
    /// The destinations that the operator allows.
    pub places: AllowedDestinations,
    /// The system's clock.
    pub clock: Arc<dyn Clock>,
    /// The system's random number generator.
    pub entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for EngineParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

/// The rotation engine.
pub struct ServerRotations {
    driver: RotationDriver,
    places: AllowedDestinations,
    ledger: Arc<IamLedger>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    work: Mutex<HashMap<RotationId, Arc<ActiveRotation>>>,
    tasks: Mutex<JoinSet<()>>,
    issuing: Semaphore,
    slots: DestinationSlots,
    incident_slots: DestinationSlots,
    policies: Notify,
    troubles: PolicyFailures,
    stop: watch::Sender<bool>,
}

impl std::fmt::Debug for ServerRotations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl ServerRotations {
    /// Opens the engine of a server, continues every open rotation, and starts to follow the
    /// rotation policies.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn start(
        pipeline: &Arc<Pipeline>,
        parts: EngineParts,
    ) -> Result<Arc<Self>, JournalError> {
        let server = PipelineTransport::of(pipeline, Arc::clone(&parts.clock));
        let driver = RotationDriver::new(parts.journal, Arc::clone(&parts.clock));
        let engine = Arc::new(Self {
            driver: driver.of_server(Arc::new(server)),
            places: parts.places,
            ledger: Arc::clone(pipeline.services.identity.ledger()),
            clock: parts.clock,
            entropy: parts.entropy,
            work: Mutex::default(),
            tasks: Mutex::default(),
            issuing: Semaphore::new(AT_ONCE),
            slots: DestinationSlots::default(),
            incident_slots: DestinationSlots::default(),
            policies: Notify::new(),
            troubles: PolicyFailures::default(),
            stop: watch::Sender::new(false),
        });
        for id in engine.driver.journal().open().await? {
            engine.take(&id);
        }
        let looking = Arc::clone(&engine).look_at_policies();
        locked(&engine.tasks).spawn(looking);
        let port = EnginePort(Arc::clone(&engine));
        pipeline.services.identity.set_rotations(Arc::new(port));
        Ok(engine)
    }

    /// Starts nothing new, and lets running work become idle. Work that does not finish in time
    /// continues from the journal at the next start, as after a power failure.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let mut tasks = std::mem::take(&mut *locked(&self.tasks));
        let ended = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, ended).await.is_err() {
            tracing::warn!("rotations were still under way after {DRAIN:?}");
        }
    }

    /// Starts a task that runs a rotation, unless it has one.
    fn take(self: &Arc<Self>, id: &RotationId) -> Arc<ActiveRotation> {
        let mut all = locked(&self.work);
        if let Some(work) = all.get(id) {
            return Arc::clone(work);
        }
        let work = Arc::new(ActiveRotation::default());
        all.insert(id.clone(), Arc::clone(&work));
        let carried = Arc::clone(self).run(id.clone(), Arc::clone(&work));
        let mut tasks = locked(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(carried);
        work
    }

    async fn start_one(
        self: &Arc<Self>,
        caller: &RotationCaller<'_>,
        start: RotationStart,
    ) -> Result<keywright::Rotation, IamFault> {
        let by = &caller.principal;
        let specs = self.specs(by, &start.user, &start.places)?;
        let account = by.account.to_string();
        let open = self.driver.journal().open_of(&account, &start.user.id);
        if let Some(open) = open.await.map_err(unusable)? {
            return Err(taken(&open.id, &start.user));
        }
        let names = || specs.iter().map(ToString::to_string);
        let drafted = self.draft(by, &start, &specs).await;
        // The destinations may have taken long to answer.
        caller.check().await?;
        let rotation = drafted.map_err(|fault| answer::redacted(fault, names()))?;
        match self.driver.begin(&rotation).await {
            Ok(()) => {}
            Err(JournalError::Open(id)) => return Err(taken(&id, &start.user)),
            Err(error) => return Err(unusable(error)),
        }
        self.take(&rotation.id).wait_idle(0).await;
        self.rotation_reply(&rotation.id).await
    }

    /// The destinations of the new key, if the user's keys may be delivered there.
    fn specs(
        &self,
        by: &OnBehalf,
        user: &UserRef,
        places: &[String],
    ) -> Result<Vec<SinkSpec>, IamFault> {
        let gone = || IamFault::from(MissingEntity::User(user.name.clone()));
        let cell = self.ledger.account(by.account).ok_or_else(gone)?;
        let account = cell.snapshot().clone();
        let id = user.id.parse().ok();
        let user = id.and_then(|id| account.user_by_id(id)).ok_or_else(gone)?;
        self.places.fill(places, (&**user).into())
    }

    async fn draft(
        &self,
        by: &OnBehalf,
        start: &RotationStart,
        specs: &[SinkSpec],
    ) -> Result<Rotation, IamFault> {
        let base = if start.incident {
            RotationRules::INCIDENT
        } else {
            RotationRules::SAFE
        };
        let settings = settings(by);
        let access = self.driver.access(&settings).await;
        let access = access.map_err(|error| failed(error, &start.user))?;
        let order = execute::NewRotation {
            id: new_id(&*self.entropy),
            access: settings.to_text(),
            by: access.identity().arn.clone(),
            rule: None,
            account: by.account.to_string(),
            user: start.user.name.clone(),
            old: start.key.clone().map(KeyId),
            rules: RotationRules {
                observe_secs: start.observe_secs.unwrap_or(base.observe_secs),
                dwell_secs: start.dwell_secs.unwrap_or(base.dwell_secs),
                ..base
            },
            // The operator has listed the destination, and the delivery often creates a user's own
            // file.
            create: true,
            incident: start.incident.then(|| LeakResponse {
                deactivate_first: start.deactivate_first,
                ..LeakResponse::default()
            }),
            override_unused: start.override_unused.clone(),
        };
        let drafted = self.driver.draft(&settings, specs, order).await;
        drafted.map_err(|error| failed(error, &start.user))
    }

    /// Applies an order, if the caller is still allowed to give it when it is the order's turn. If
    /// the principal that started the rotation is gone, the rotation acts for the principal that
    /// gives the order from then on.
    async fn order(
        self: &Arc<Self>,
        caller: &RotationCaller<'_>,
        user: &UserRef,
        order: RotationOrder,
    ) -> Result<keywright::Rotation, IamFault> {
        let account = caller.principal.account.to_string();
        let rotation = self.open_of(&account, user).await?;
        let added = match &order {
            RotationOrder::Change(to) => {
                let specs = self.specs(&caller.principal, user, &to.add_places)?;
                let added = self.look_at_added(&rotation, user, specs).await;
                caller.check().await?;
                added?
            }
            _ => AddedDestinations::default(),
        };
        let names = answer::destinations(&rotation);
        let id = rotation.id;
        let work = self.take(&id);
        let before = {
            let _turn = work.order_turn().await?;
            caller.check().await?;
            let done = self.apply_order(&id, (caller, user), order, added).await?;
            done.map_err(|error| answer::redacted(failed(error, user), names))?;
            work.idle_count()
        };
        work.wake();
        work.wait_idle(before).await;
        self.rotation_reply(&id).await
    }

    async fn apply_order(
        &self,
        id: &RotationId,
        (caller, user): (&RotationCaller<'_>, &UserRef),
        order: RotationOrder,
        added: AddedDestinations,
    ) -> Result<Result<(), DriveError>, IamFault> {
        let driver = &self.driver;
        // Abandon and Change need no principal to act for.
        if !matches!(order, RotationOrder::Abandon(_) | RotationOrder::Change(_))
            && let Err(error) = driver.take_over(id, &settings(&caller.principal)).await
        {
            return Ok(Err(error));
        }
        if matches!(order, RotationOrder::Release) && self.load(id).await?.held.is_none() {
            return Err(refused("The rotation is not held."));
        }
        Ok(match order {
            RotationOrder::Resume => Ok(()),
            RotationOrder::Confirm => driver.confirm(id).await,
            RotationOrder::Hold(why) => driver.hold(id, &why).await,
            RotationOrder::Release => driver.release(id).await,
            RotationOrder::RollBack(why) => driver.roll_back(id, &why).await,
            RotationOrder::Abandon(why) => driver.abandon(id, &why).await,
            RotationOrder::Change(to) => {
                return self.change(id, (caller, user), to, added).await.map(Ok);
            }
        })
    }

    /// Inspects destinations that are to be added, which can take long.
    async fn look_at_added(
        &self,
        rotation: &Rotation,
        user: &UserRef,
        specs: Vec<SinkSpec>,
    ) -> Result<AddedDestinations, IamFault> {
        // As for a new rotation: the operator has listed the destination.
        let looked = self.driver.look_at_added(&rotation.id, &specs, true).await;
        let mut names = answer::destinations(rotation);
        names.extend(specs.iter().map(ToString::to_string));
        let deliveries =
            looked.map_err(|error| answer::redacted(failed(error, user), names.clone()))?;
        Ok(AddedDestinations {
            generation: rotation.generation,
            specs,
            deliveries,
        })
    }

    async fn change(
        &self,
        id: &RotationId,
        (caller, user): (&RotationCaller<'_>, &UserRef),
        to: RotationChange,
        mut added: AddedDestinations,
    ) -> Result<(), IamFault> {
        let rotation = self.load(id).await?;
        if rotation.generation != added.generation && !added.specs.is_empty() {
            // The rotation may have delivered the new key to one of them under another name.
            added = self.look_at_added(&rotation, user, added.specs).await?;
            caller.check().await?;
        }
        let mut names = answer::destinations(&rotation);
        names.extend(added.specs.iter().map(ToString::to_string));
        let change = execute::RotationEdit {
            observe_secs: to.observe_secs,
            dwell_secs: to.dwell_secs,
            incident: to.incident,
            deactivate_first: to.deactivate_first,
            accept_blind: false,
            override_unused: to.override_unused,
            added: added.deliveries,
            removed: self.meant(&rotation, user, &to.remove_places)?,
        };
        let changed = self.driver.change(id, change, &to.why).await.map(drop);
        changed.map_err(|error| answer::redacted(failed(error, user), names))
    }

    /// The full names of the destinations that a caller names.
    fn meant(
        &self,
        rotation: &Rotation,
        user: &UserRef,
        places: &[String],
    ) -> Result<Vec<String>, IamFault> {
        let each = places.iter().map(|place| {
            let names = answer::destinations(rotation);
            let mut names = names.into_iter();
            let meant = names.find(|sink| self.places.means(place, &user.name, sink));
            meant.ok_or_else(|| {
                let user = &user.name;
                let text = format!("The rotation of user {user} has no destination {place}.");
                InvalidInput::Other(text).into()
            })
        });
        each.collect()
    }

    async fn open_of(&self, account: &str, user: &UserRef) -> Result<Rotation, IamFault> {
        let found = self.driver.journal().open_of(account, &user.id).await;
        let found = found.map_err(unusable)?;
        found.ok_or_else(|| MissingEntity::Rotation(user.name.clone()).into())
    }

    async fn load(&self, id: &RotationId) -> Result<Rotation, IamFault> {
        let found = self.driver.journal().rotation(id).await;
        let found = found.map_err(unusable)?;
        found.ok_or_else(|| IamFault::Internal(format!("rotation {id} is gone from the journal")))
    }

    async fn rotation_reply(&self, id: &RotationId) -> Result<keywright::Rotation, IamFault> {
        let rotation = self.load(id).await?;
        Ok(self.to_wire(&rotation))
    }

    fn to_wire(&self, rotation: &Rotation) -> keywright::Rotation {
        let work = locked(&self.work).get(&rotation.id).map(Arc::clone);
        let standing = work.map(|work| work.status()).unwrap_or_default();
        answer::to_wire(rotation, &standing)
    }

    async fn list(&self, which: RotationFilter, limit: usize) -> Result<Vec<Rotation>, IamFault> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let found = self.driver.journal().page(which, limit).await;
        found.map_err(unusable)
    }

    async fn show(
        &self,
        account: String,
        user: UserRef,
        id: Option<String>,
    ) -> Result<keywright::Rotation, IamFault> {
        let which = RotationFilter {
            account,
            user_id: Some(user.id),
            id: id.map(RotationId),
            ..RotationFilter::default()
        };
        let found = self.list(which, 1).await?;
        let newest = found.first().ok_or(MissingEntity::Rotation(user.name))?;
        Ok(self.to_wire(newest))
    }

    /// Returns the new key to a person. This is the only way in which a secret leaves the journal
    /// other than into a sink. The journal records who retrieves it first.
    async fn key(
        self: &Arc<Self>,
        caller: &RotationCaller<'_>,
        user: &UserRef,
    ) -> Result<RetrievedKey, IamFault> {
        let by = &caller.principal;
        let id = self.open_of(&by.account.to_string(), user).await?.id;
        let access = self.driver.access(&settings(by)).await;
        let access = access.map_err(|error| failed(error, user))?;
        let work = self.take(&id);
        let _turn = work.order_turn().await?;
        caller.check().await?;
        let (journal, arn) = (self.driver.journal(), &access.identity().arn);
        let pair = execute::retrieve(journal, &id, arn, self.clock.now()).await;
        let pair = pair.map_err(|error| failed(error.into(), user))?;
        Ok(RetrievedKey {
            id: pair.id.0,
            secret: pair.secret,
        })
    }

    async fn history(
        &self,
        past: HistoryFilter,
        limit: usize,
    ) -> Result<Vec<(i64, keywright::RotationEvent)>, IamFault> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let events = self.driver.journal().events(past, limit).await;
        let mut destinations: HashMap<String, Vec<String>> = HashMap::new();
        let mut listed = Vec::new();
        for event in events.map_err(unusable)? {
            let known = destinations.get(&event.rotation).cloned();
            let names = match known {
                Some(names) => names,
                None => {
                    let rotation = self.load(&RotationId(event.rotation.clone())).await?;
                    let names = answer::destinations(&rotation);
                    destinations.insert(event.rotation.clone(), names.clone());
                    names
                }
            };
            listed.push(answer::event(event, names));
        }
        Ok(listed)
    }
}

/// Destinations to add, as they were when the rotation had this generation.
#[derive(Default)]
struct AddedDestinations {
    generation: u64,
    specs: Vec<SinkSpec>,
    deliveries: Vec<Delivery>,
}

/// The engine's interface for IAM actions.
struct EnginePort(Arc<ServerRotations>);

#[async_trait::async_trait]
impl RotationEngine for EnginePort {
    async fn start(
        &self,
        caller: &RotationCaller<'_>,
        start: RotationStart,
    ) -> Result<keywright::Rotation, IamFault> {
        self.0.start_one(caller, start).await
    }

    async fn order(
        &self,
        caller: &RotationCaller<'_>,
        user: &UserRef,
        order: RotationOrder,
    ) -> Result<keywright::Rotation, IamFault> {
        self.0.order(caller, user, order).await
    }

    async fn retrieve_key(
        &self,
        caller: &RotationCaller<'_>,
        user: &UserRef,
    ) -> Result<RetrievedKey, IamFault> {
        self.0.key(caller, user).await
    }

    async fn rotation(
        &self,
        account: AccountId,
        user: UserRef,
        id: Option<String>,
    ) -> Result<keywright::Rotation, IamFault> {
        self.0.show(account.to_string(), user, id).await
    }

    async fn rotations(&self, query: RotationQuery) -> Result<Vec<keywright::Rotation>, IamFault> {
        let which = RotationFilter {
            account: query.account.to_string(),
            user_id: query.user.map(|user| user.id),
            open: query.open,
            after: query.after.map(RotationId),
            ..RotationFilter::default()
        };
        let found = self.0.list(which, query.limit).await?;
        let engine = Arc::clone(&self.0);
        // Converting a page of rotations takes too long for a thread that answers requests.
        let convert = move || found.iter().map(|one| engine.to_wire(one)).collect();
        let converted = spawn_blocking(convert).await;
        converted.map_err(|error| IamFault::Internal(error.to_string()))
    }

    async fn history(
        &self,
        query: HistoryQuery,
    ) -> Result<Vec<(i64, keywright::RotationEvent)>, IamFault> {
        let past = HistoryFilter {
            account: query.account.to_string(),
            user_id: query.user.id,
            rotation: query.rotation.map(RotationId),
            after: query.after,
        };
        self.0.history(past, query.limit).await
    }

    fn destinations(&self) -> Vec<String> {
        self.0.places.all()
    }

    fn check_destinations(&self, places: &[String]) -> Result<(), IamFault> {
        self.0.places.check(places)
    }

    fn policy_failures(&self, account: AccountId) -> HashMap<String, String> {
        self.0.troubles_of(account)
    }

    fn policies_changed(&self) {
        self.0.policies.notify_one();
    }

    fn destination(&self, place: &str, user: Option<&str>) -> Option<String> {
        Some(self.0.places.public(place, user))
    }

    fn accepts(&self, place: &str, user: &User) -> bool {
        self.0.places.accepts(place, user.into())
    }
}

/// How the engine reaches the server on behalf of a principal.
fn settings(by: &OnBehalf) -> ClientSettings {
    ClientSettings::acting_for(ActingFor {
        account: by.account.to_string(),
        user: by.owner.to_stored(),
        mfa_at_ms: by.mfa.map(Timestamp::millis),
    })
}

fn taken(id: &RotationId, user: &UserRef) -> IamFault {
    let text = format!("Rotation {id} of user {} is not over.", user.name);
    ExistingEntity::Rotation(text).into()
}

fn refused(text: &str) -> IamFault {
    InvalidInput::Other(text.to_owned()).into()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
