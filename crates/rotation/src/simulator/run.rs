//! One seeded run: a world, one or two rotators, consumers, a person who interferes, and faults at
//! any call, until everything has settled.
//!
//! It asserts the safety property after every step, and at the end that the rotation has ended or
//! is held for a reason. The same seed always gives the same run.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use keywright_base::{Secret, Timestamp};

use super::{
    alarm::Alarm,
    destinations::Moves,
    person::UserFate,
    ports::{CallFault, FaultScript, SharedWorld, SimIssuer, SimJournal, SimSink},
    world::{KeyActor, SimConsumer, SimKey, SimWorld, USER},
};
use crate::{
    execute::{Executor, NewRotation, TickError, TickOutcome},
    model::{HoldReason, KeyPair, LeakResponse, Phase, Rotation, RotationId, RotationRules},
    ports::{Issuer, IssuerError, Sink},
};

/// The account of the simulated user.
pub const ACCOUNT: &str = "123456789012";
/// Steps after which a run that has not ended fails.
const STEPS_MAX: usize = 4000;

/// Failed ticks after which a rotator gives up if a person may have withdrawn its own credentials.
const STOPS_MAX: u32 = 200;

/// Pseudorandom numbers from a seed.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number below a bound.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Returns true once in `n` calls on average.
    pub const fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(super) fn secs(&mut self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).unwrap_or(0)
    }
}

/// Runs a call of the simulated world; `None` when the caller crashed in it.
pub fn live<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// A rotator. Only its journal survives a crash.
#[derive(Debug)]
pub struct SimRotator {
    /// Its own view of the world.
    pub issuer: SimIssuer,
    /// Its journal.
    pub journal: Arc<SimJournal>,
    /// Its sinks.
    pub sinks: Vec<SimSink>,
    /// Its rotation's ID.
    pub id: RotationId,
    /// Why its rotation may end although no consumer uses the new key, if that is allowed.
    pub override_unused: Option<String>,
    /// The leak response, if the key has leaked.
    pub incident: Option<LeakResponse>,
    /// A draft that has not begun yet.
    pub drafted: Option<Rotation>,
    /// Whether the rotation is in the journal.
    pub begun: bool,
    /// Why it has nothing more to do, if so.
    pub ended: Option<String>,
}

impl SimRotator {
    /// Creates a rotator that delivers to every sink.
    pub fn new(shared: &Arc<SharedWorld>, number: usize) -> Self {
        let journal = SimJournal::new(shared);
        let sinks = shared.world().sinks.len();
        Self {
            issuer: SimIssuer::new(shared, number),
            sinks: (0..sinks)
                .map(|sink| SimSink::new(shared, sink, &journal))
                .collect(),
            journal,
            id: RotationId(format!("rotation-{number}")),
            override_unused: None,
            incident: None,
            drafted: None,
            begun: false,
            ended: None,
        }
    }

    /// The rotation as stored in the journal.
    pub fn rotation(&self) -> Option<Rotation> {
        self.journal.get(&self.id)
    }

    /// An executor with the current state.
    pub fn executor(&self) -> Executor<'_> {
        Executor {
            issuer: &self.issuer,
            usage: &self.issuer,
            sinks: self.sinks.iter().map(|sink| sink as &dyn Sink).collect(),
            journal: &*self.journal,
            clock: &self.issuer,
        }
    }

    /// Drafts a rotation and begins it.
    pub async fn begin(&self, rules: RotationRules) -> Result<(), TickError> {
        let rotation = self.draft(rules).await?;
        self.executor().begin(&rotation).await
    }

    async fn draft(&self, rules: RotationRules) -> Result<Rotation, TickError> {
        let user = {
            let world = self.issuer.shared.world();
            let name = world.name_of(&world.user_id);
            name.unwrap_or_else(|| USER.to_owned())
        };
        let order = NewRotation {
            access: String::new(),
            by: String::new(),
            rule: None,
            id: self.id.clone(),
            account: ACCOUNT.to_owned(),
            user,
            old: None,
            rules,
            create: false,
            incident: self.incident,
            override_unused: self.override_unused.clone(),
        };
        self.executor().draft(order).await
    }

    /// Begins from a draft that may predate other changes.
    async fn begin_drafted(&mut self, rules: RotationRules) -> Result<(), TickError> {
        match self.drafted.take() {
            Some(rotation) => self.executor().begin(&rotation).await,
            None => self.begin(rules).await,
        }
    }

    /// Whether the user whose key it rotates, or would rotate, is gone.
    fn is_bereft(&self) -> bool {
        let world = self.issuer.shared.world();
        let user = self.rotation().map(|rotation| rotation.user_id);
        let user = user.unwrap_or_else(|| world.user_id.clone());
        world.name_of(&user).is_none()
    }

    /// A rotator must not give up a user that exists and has keys of the rotation.
    fn check_end(&self, number: usize, world: &SimWorld) -> Result<(), String> {
        let gone = |rotation: &Rotation| rotation.phase == Phase::UserGone;
        let Some(rotation) = self.rotation().filter(gone) else {
            return Ok(());
        };
        let its =
            |key: &&SimKey| key.maker == KeyActor::Rotator(number) || key.pair.id == rotation.old;
        match world.keys.iter().find(its) {
            Some(left) if left.user_id == rotation.user_id => {
                let id = &left.pair.id;
                Err(format!("the user was given up, and {id} is left"))
            }
            _ => Ok(()),
        }
    }

    /// Starts a new process to replace the crashed one.
    pub fn revive(&mut self, shared: &Arc<SharedWorld>) {
        let fresh = SimIssuer::new(shared, self.issuer.rotator);
        let own = self.issuer.own.get_mut().ok().and_then(|own| own.take());
        // Its own credentials are now those in the first sink.
        let held = shared.world().sinks.first().map(|sink| sink.held.clone());
        self.issuer = SimIssuer {
            repeats: self.issuer.repeats,
            exact: self.issuer.exact,
            lags: self.issuer.lags,
            tells: self.issuer.tells,
            fixed: self.issuer.fixed,
            own: Mutex::new(if self.issuer.fixed {
                own
            } else {
                own.and(held)
            }),
            ..fresh
        };
        self.begun = self.rotation().is_some();
    }
}

/// The parameters of a run, chosen by its seed.
#[derive(Debug)]
pub(super) struct SimulationRun {
    pub(super) dice: Dice,
    pub(super) shared: Arc<SharedWorld>,
    pub(super) rotators: Vec<SimRotator>,
    meddling: u64,
    meddled: bool,
    pub(super) changes: u64,
    pub(super) moves: Moves,
    pub(super) alarm: Alarm,
    fate: UserFate,
    outages: u64,
    stops: u32,
    unknown: bool,
    rules: RotationRules,
    pub(super) trace: Vec<String>,
}

/// Runs a seed.
///
/// # Errors
/// The violated property and the trace of the run.
pub fn run(seed: u64) -> Result<Phase, String> {
    let mut cast = SimulationRun::throw(seed);
    cast.leak(seed);
    cast.moves = Moves::throw(seed);
    cast.alarm = cast.throw_alarm(seed);
    let outcome = cast.play();
    outcome.map_err(|what| {
        let tail = cast.trace.len().saturating_sub(60);
        let trace = cast.trace.get(tail..).unwrap_or_default().join("\n");
        format!("seed {seed}: {what}\n{trace}")
    })
}

impl SimulationRun {
    fn throw(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let sinks = usize::try_from(dice.below(3) + 1).unwrap_or(1);
        let mut world = SimWorld::new(sinks);
        world.propagation = dice.secs(20);
        world.lag = dice.secs(30);
        let unknown = dice.one_in(4);
        if unknown {
            let holds = world.sinks.first().map(|sink| sink.held.clone());
            world.consumers.extend(holds.map(|holds| SimConsumer {
                reads: None,
                holds,
                uses_every: 600 * (1 + dice.secs(36)),
                reads_every: 3600,
            }));
        }
        let shared = SharedWorld::new(world);
        let count = if dice.one_in(3) { 2 } else { 1 };
        let mut rotators: Vec<_> = (0..count).map(|at| SimRotator::new(&shared, at)).collect();
        for rotator in &mut rotators {
            rotator.issuer.repeats = dice.one_in(2);
        }
        if let [only] = rotators.as_mut_slice()
            && dice.one_in(4)
        {
            let own = shared.world().sinks.first().map(|sink| sink.held.clone());
            only.issuer.own = Mutex::new(own);
        }
        let consistent = dice.one_in(4);
        for rotator in &mut rotators {
            rotator.issuer.tells = dice.one_in(2);
            rotator.issuer.exact = rotator.issuer.repeats && dice.one_in(2);
            if consistent {
                rotator.issuer.lags = 0;
            }
        }
        if consistent {
            shared.world().lag = 0;
        }
        shared.world().publication = dice.secs(4 * 3600);
        let fate = match dice.below(12) {
            0 | 1 => UserFate::Renamed,
            2 => UserFate::Deleted,
            3 => UserFate::Recreated,
            4 if !consistent => UserFate::NotFound,
            _ => UserFate::Stays,
        };
        let meddling = if dice.one_in(3) { 1 + dice.below(2) } else { 0 };
        let outages = dice.below(4);
        let dice_changes = dice.below(3);
        let faults = dice.below(40);
        shared.set_faults(faults_from(dice.clone(), faults));
        if rotators.len() > 1 && dice.one_in(2) {
            draft_together(&mut rotators);
        }
        Self {
            dice,
            shared,
            rotators,
            meddling,
            changes: dice_changes,
            moves: Moves::none(),
            alarm: Alarm::none(),
            meddled: meddling > 0 || matches!(fate, UserFate::Deleted | UserFate::Recreated),
            fate,
            outages,
            stops: 0,
            unknown,
            rules: RotationRules::SAFE,
            trace: vec![format!("{sinks} sinks, {count} rotators, {faults} faults")],
        }
    }

    /// In some runs the key has leaked, or the rotator's own credentials are in its environment.
    /// This has its own random numbers, so that other runs stay the same.
    fn leak(&mut self, seed: u64) {
        let mut dice = Dice::new(seed ^ 0x1eaf_1eaf);
        for rotator in &mut self.rotators {
            rotator.issuer.fixed = dice.one_in(2);
        }
        let drafted = self
            .rotators
            .iter()
            .any(|rotator| rotator.drafted.is_some());
        if drafted || self.rotators.len() > 1 || !dice.one_in(4) {
            return;
        }
        let own = self
            .rotators
            .iter()
            .any(|one| one.issuer.signer().is_some());
        let first = dice.one_in(2) && !own;
        self.rules = RotationRules::INCIDENT;
        // A rotation whose key has leaked is not slowed down.
        self.changes = 0;
        for rotator in &mut self.rotators {
            rotator.incident = Some(LeakResponse {
                deactivate_first: first,
                ..LeakResponse::default()
            });
        }
        let mut world = self.shared.world();
        world.leaked = world.keys.first().map(|key| key.pair.id.clone());
        world.first = first;
        self.trace
            .push(format!("the key has leaked, first: {first}"));
    }

    fn play(&mut self) -> Result<Phase, String> {
        // With coarse evidence, a rotator that signs with the new key hides its use by others.
        let hides = |one: &SimRotator| one.issuer.fixed && one.issuer.signer().is_some();
        let hidden = self.rotators.iter().any(hides);
        let calm = !self.meddled && self.rotators.len() == 1 && !self.unknown && !hidden;
        for _ in 0..STEPS_MAX {
            let count = u64::try_from(self.rotators.len()).unwrap_or(1);
            let turn = usize::try_from(self.dice.below(count)).unwrap_or(0);
            let pause = self.turn(turn);
            self.check()?;
            self.find_leak();
            if self.meddling > 0 && self.dice.one_in(12) {
                if self.dice.one_in(3) {
                    self.ask_back();
                } else if self.dice.one_in(6) {
                    self.abandon();
                } else {
                    self.meddle();
                }
                self.meddling -= 1;
            }
            if self.changes > 0 && self.dice.one_in(12) {
                self.changes -= 1;
                self.change_rules();
            }
            self.change_destinations();
            if self.fate != UserFate::Stays && self.dice.one_in(25) {
                let fate = std::mem::replace(&mut self.fate, UserFate::Stays);
                self.meets(fate);
            }
            if self.outages > 0 && self.dice.one_in(8) {
                self.outages -= 1;
                self.fail_a_sink();
            }
            self.shared.world().pass(pause);
            self.check()?;
            if self.rotators.iter().all(|rotator| rotator.ended.is_some()) {
                return self.end(calm);
            }
        }
        Err("it did not come to an end".to_owned())
    }

    /// Runs one rotator's turn; returns the seconds until the next.
    fn turn(&mut self, at: usize) -> i64 {
        let Some(rotator) = self.rotators.get(at).filter(|r| r.ended.is_none()) else {
            return 5;
        };
        let now = self.shared.world().now;
        let (message, pause) = if rotator.begun {
            self.goes_on(at, now)
        } else {
            self.begins(at)
        };
        self.trace.push(format!("{now} rotator {at}: {message}"));
        pause
    }

    fn goes_on(&mut self, at: usize, now: i64) -> (String, i64) {
        let Some(rotator) = self.rotators.get_mut(at) else {
            return (String::new(), 1);
        };
        let ticked = live(rotator.executor().tick(&rotator.id));
        if let Some(Ok(TickOutcome::Held(_))) = &ticked {
            self.alarm.check_response(rotator);
        }
        match ticked {
            None => {
                rotator.revive(&self.shared);
                ("died".to_owned(), 1)
            }
            Some(Ok(TickOutcome::Progressed(event))) => (event, 1 + self.dice.secs(5)),
            Some(Ok(TickOutcome::Wait { until, why })) => (why, wait(&mut self.dice, until, now)),
            Some(Ok(TickOutcome::Held(hold))) if self.alarm.is_due() => {
                (format!("held: {hold:?}"), 1)
            }
            Some(Ok(TickOutcome::Held(hold))) if Alarm::is_pause(&hold) => {
                let released = live(rotator.executor().release(&rotator.id));
                if released.is_none() {
                    rotator.revive(&self.shared);
                }
                ("released".to_owned(), 60)
            }
            Some(Ok(TickOutcome::Held(HoldReason::Sink(why)))) if mends(&self.shared, &why) => {
                let released = live(rotator.executor().release(&rotator.id));
                if released.is_none() {
                    rotator.revive(&self.shared);
                }
                (format!("mended and released: {why}"), 60)
            }
            // A rotator of its own key lost its credentials together with the user.
            Some(Ok(TickOutcome::Held(hold)))
                if rotator.is_bereft() && rotator.issuer.signer().is_none() =>
            {
                if matches!(
                    hold,
                    HoldReason::UserMissing(_) | HoldReason::AnotherUser(_)
                ) {
                    let ended = live(rotator.executor().roll_back(&rotator.id, "gone"));
                    if ended.is_none() {
                        rotator.revive(&self.shared);
                    }
                }
                (format!("held: {hold:?}"), 30)
            }
            Some(Ok(TickOutcome::Held(hold))) => {
                rotator.ended = Some(format!("{hold:?}"));
                (format!("held: {hold:?}"), 1)
            }
            Some(Ok(TickOutcome::Over)) => {
                rotator.ended = Some("over".to_owned());
                ("over".to_owned(), 1)
            }
            Some(Err(error)) => {
                self.stops += 1;
                if self.meddled && self.stops > STOPS_MAX {
                    rotator.ended = Some(error.to_string());
                }
                (format!("stopped: {error}"), 5 + self.dice.secs(60))
            }
        }
    }

    fn begins(&mut self, at: usize) -> (String, i64) {
        let Some(rotator) = self.rotators.get_mut(at) else {
            return (String::new(), 1);
        };
        // A window that the evidence cannot cover is rejected, whatever the other settings are.
        let short = RotationRules {
            observe_secs: 1 + self.dice.secs(14_000),
            ..RotationRules::SAFE
        };
        if !rotator.issuer.exact
            && let Some(Ok(_)) = live(rotator.draft(short))
        {
            let violations = &mut self.shared.world().violations;
            violations.push(format!("a window of {} s was accepted", short.observe_secs));
        }
        match live(rotator.begin_drafted(self.rules)) {
            None => {
                rotator.revive(&self.shared);
                ("died while it began".to_owned(), 1)
            }
            Some(Ok(())) => {
                rotator.begun = true;
                ("began".to_owned(), 1)
            }
            Some(Err(TickError::Refused(HoldReason::Sink(why)))) if mends(&self.shared, &why) => {
                (format!("mended: {why}"), 60)
            }
            Some(Err(TickError::Issuer(IssuerError::NoSuchUser(name)))) if rotator.is_bereft() => {
                rotator.ended = Some(format!("there is no user {name}"));
                (format!("there is no user {name}"), 1)
            }
            Some(Err(TickError::Refused(hold))) => {
                rotator.ended = Some(format!("refused: {hold:?}"));
                (format!("refused: {hold:?}"), 1)
            }
            Some(Err(error)) => {
                rotator.begun = rotator.rotation().is_some();
                self.stops += 1;
                if self.meddled && self.stops > STOPS_MAX {
                    rotator.ended = Some(error.to_string());
                }
                (format!("did not begin: {error}"), 5 + self.dice.secs(900))
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        let world = self.shared.world();
        if let Some(violation) = world.violations.first() {
            return Err(violation.clone());
        }
        if let Some(stranded) = world.stranded() {
            return Err(stranded);
        }
        for (at, rotator) in self.rotators.iter().enumerate() {
            rotator.check_end(at, &world)?;
        }
        self.check_leftovers(&world)
    }

    /// At most one key of a rotator may have a lost secret.
    fn check_leftovers(&self, world: &SimWorld) -> Result<(), String> {
        let lost = |key: &&SimKey| {
            let KeyActor::Rotator(maker) = key.maker else {
                return false;
            };
            let retained = self.rotators.get(maker).and_then(SimRotator::rotation);
            retained.is_none_or(|retained| retained.pair().as_ref() != Some(&key.pair))
        };
        let lost: Vec<_> = world.keys.iter().filter(lost).collect();
        if lost.len() > 1 {
            return Err(format!("keys whose secret is lost: {lost:?}"));
        }
        Ok(())
    }

    fn end(&self, calm: bool) -> Result<Phase, String> {
        let first = self.rotators.first();
        let rotation = first.and_then(SimRotator::rotation);
        let phase = rotation
            .as_ref()
            .map_or(Phase::Planned, |rotation| rotation.phase);
        for rotator in &self.rotators {
            let own = rotator.issuer.signer().is_some();
            let open = rotator.rotation().is_some_and(|one| !one.phase.is_over());
            if rotator.is_bereft() && open && !own {
                return Err("its user is gone, and it is still open".to_owned());
            }
            let lost = |hold: &HoldReason| {
                matches!(
                    hold,
                    HoldReason::Marked(_)
                        | HoldReason::SecondKey(_)
                        | HoldReason::OldKeyGone(_)
                        | HoldReason::OldKeyInactive(_)
                )
            };
            if !self.meddled && held_as(rotator, lost) {
                return Err("it lost to another rotation, and is still open".to_owned());
            }
        }
        let world = self.shared.world();
        if calm {
            let held = rotation
                .as_ref()
                .and_then(|rotation| rotation.held.as_ref());
            // The reader of the new key may have been removed. Then it is unused, and a person must
            // decide whether the old key may be deleted.
            let unused = matches!(held, Some(HoldReason::NewKeyUnused(_)));
            if unused && world.sinks.iter().any(|sink| sink.removed) {
                return Ok(phase);
            }
            if held.is_some() || phase != Phase::Done {
                return Err(format!("calm, and yet {phase:?}, {held:?}"));
            }
            if let Some(without) = rotation.iter().find_map(|one| world.lacks_new(one)) {
                return Err(format!("done, and yet {without} does not have the new key"));
            }
            if world.keys.len() != 1 {
                return Err(format!("calm, and yet {} keys are left", world.keys.len()));
            }
        }
        Ok(phase)
    }
}

/// All rotators draft before any of them begins, and no journal knows of another.
fn draft_together(rotators: &mut [SimRotator]) {
    for rotator in rotators {
        rotator.drafted = live(rotator.draft(RotationRules::SAFE)).and_then(Result::ok);
    }
}

/// A person fixes every broken sink, if that is why the rotation is held. Returns whether it was.
fn mends(shared: &SharedWorld, why: &str) -> bool {
    for sink in &mut shared.world().sinks {
        sink.refused = false;
    }
    why.ends_with("refused")
}

/// Waits sometimes exactly until then, sometimes less.
fn wait(dice: &mut Dice, until: Timestamp, now: i64) -> i64 {
    let whole = (until.secs() - now).max(1);
    if dice.one_in(4) {
        (whole / 3).max(1)
    } else {
        whole
    }
}

/// About one call in fifteen gets a fault, up to a maximum number of faults.
fn faults_from(mut dice: Dice, mut left: u64) -> FaultScript {
    dice.below(2);
    Box::new(move |_| {
        if left == 0 || !dice.one_in(15) {
            return CallFault::None;
        }
        left -= 1;
        match dice.below(5) {
            0 => CallFault::DieBefore,
            1 => CallFault::DieAfter,
            2 => CallFault::Lost,
            3 => CallFault::Fails,
            _ => CallFault::Throttled,
        }
    })
}

/// A key pair that no issuer created, for tests that must distinguish keys.
pub fn stranger() -> KeyPair {
    KeyPair {
        id: crate::model::KeyId("AKIASTRANGER".to_owned()),
        secret: Secret::new("stranger".to_owned()),
    }
}

/// Whether a rotator is held for this kind of reason.
pub fn held_as(rotator: &SimRotator, is: impl Fn(&HoldReason) -> bool) -> bool {
    let held = rotator.rotation().and_then(|rotation| rotation.held);
    held.is_some_and(|hold| is(&hold))
}
