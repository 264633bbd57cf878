//! The executor: observes, asks the planner for one step, carries it out and journals the result.
//! It also journals before any step that cannot be undone.
//!
//! Invariants:
//!
//! - Every change to a rotation is a compare-and-swap in the journal, so of two processes one
//!   continues and the other stops.
//! - The new secret is sealed in the journal before it is used for anything else.
//!
//! The executor never sleeps: [`TickOutcome::Wait`] says when to tick again.

mod abandon;
mod delivery;
mod destinations;
mod incident;
mod missing;
mod orders;
mod outlook;
mod signer;

use std::pin::Pin;

use keywright_base::{Clock, Timestamp, limits};

pub(crate) use self::destinations::{check_count, look};
pub use self::{
    abandon::abandon_unseen,
    delivery::retrieve,
    destinations::look_at_added,
    missing::end_without_user,
    orders::{RotationEdit, change},
    outlook::RotationOutlook,
};
use self::{
    destinations::{check_ours, check_there},
    missing::UserLookup,
};
use crate::{
    model::{
        BlindWindow, Delivery, DeliveryStage, HoldReason, KeyId, KeyPair, LeakResponse, ManualStep,
        OrphanedKey, Phase, Rotation, RotationId, RotationRules,
    },
    plan::{MARK, Observation, PlanStep, SETTLE_SECS, is_urgent, note_last_use, plan},
    ports::{
        IamKeyStatus, Issuer, IssuerError, JournalError, KeyCheck, KeyIdentity, RotationJournal,
        RotationPairs, Sink, SinkBackup, SinkContent, SinkError, UsageEvidence,
    },
};

/// The result of one tick: one observation and at most one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TickOutcome {
    /// The rotation progressed; the text says what was done.
    Progressed(String),
    /// There is nothing to do until this time.
    Wait {
        /// By the issuer's clock.
        until: Timestamp,
        /// What the rotation waits for.
        why: String,
    },
    /// A person must decide.
    Held(HoldReason),
    /// The rotation has ended.
    Over,
}

/// Why a tick failed. The journal holds the rotation's state, so another tick continues from there.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// The journal failed, or another process advanced the rotation.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The issuer failed.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// This machine's clock and the issuer's differ too much.
    #[error(
        "this machine's clock says {here}, but the service's clock says {there}; correct the clock \
         first"
    )]
    Skew {
        /// This machine's time.
        here: String,
        /// The issuer's time.
        there: String,
    },
    /// There is no such rotation.
    #[error("there is no rotation {0}")]
    Unknown(RotationId),
    /// A sink of the rotation is not configured here.
    #[error("destination {0} of this rotation is not configured here")]
    NoSink(String),
    /// The phase no longer allows a rollback or a change, or a rollback is already under way.
    #[error("the rotation is in phase {0:?}, which no longer allows this")]
    TooLate(Phase),
    /// A rollback has brought the old key back, so the rotation cannot respond to its leak.
    #[error(
        "the rotation is being rolled back, so {0} is in use again; it cannot be treated as leaked \
         in this phase"
    )]
    RollingBack(KeyId),
    /// No delivery is waiting for a person's confirmation.
    #[error("no delivery is waiting for confirmation")]
    NothingToConfirm,
    /// There is no evidence that anyone but the engine has the new key.
    #[error("{0} has been neither retrieved nor used; retrieve it first")]
    NotRetrieved(KeyId),
    /// There is no new key for a person to retrieve.
    #[error(
        "there is no new key to retrieve: it has not been created, is delivered automatically, or \
         the rotation has ended"
    )]
    NothingToRetrieve,
    /// It is not yet known whether the new key was created.
    #[error("it is not yet known whether the new key was created; resume the rotation first")]
    Unresolved,
    /// The plan itself is rejected; nothing was changed.
    #[error("rejected: {0}")]
    Refused(HoldReason),
    /// A sink or its entry is missing, and the order does not allow creating it.
    #[error("{0}")]
    Absent(String),
    /// A window is too short for the evidence to prove anything.
    #[error("{0}")]
    Blind(BlindWindow),
    /// A rotator that deactivates the key it signs with could make no further calls.
    #[error("{0} signs the calls of this rotation, so it cannot be deactivated first")]
    OwnKey(KeyId),
    /// A sink cannot be read right now, so the rotation did not begin.
    #[error("the rotation was not started: {0}")]
    NotNow(String),
    /// The requested change of destinations is not possible.
    #[error("{0}")]
    Destinations(String),
}

/// Everything that is needed to carry out a rotation.
pub struct Executor<'a> {
    /// Issues keys.
    pub issuer: &'a dyn Issuer,
    /// Reports who uses which key.
    pub usage: &'a dyn UsageEvidence,
    /// The sinks, in the order of delivery.
    pub sinks: Vec<&'a dyn Sink>,
    /// Stores rotations.
    pub journal: &'a dyn RotationJournal,
    /// This machine's clock, used only to detect skew.
    pub clock: &'a dyn Clock,
}

impl std::fmt::Debug for Executor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.sinks.iter().map(|sink| sink.name()).collect();
        f.debug_struct("Executor").field("sinks", &names).finish()
    }
}

/// A request to begin a rotation.
#[derive(Debug, Clone)]
pub struct NewRotation {
    /// The ID that the rotation will have.
    pub id: RotationId,
    /// How to reach the issuer; stored with the rotation.
    pub access: String,
    /// The ARN of the principal that begins it.
    pub by: String,
    /// The name of the rule that begins it, if any.
    pub rule: Option<String>,
    /// The account, 12 digits.
    pub account: String,
    /// The user's name.
    pub user: String,
    /// The key to replace. If none is given, the user must have exactly one.
    pub old: Option<KeyId>,
    /// The rotation's windows and limits.
    pub rules: RotationRules,
    /// Whether a missing file, profile or field may be created.
    pub create: bool,
    /// How to respond to a leak, if the key has leaked. The rotation then does not wait for the key
    /// to be quiet.
    pub incident: Option<LeakResponse>,
    /// Why the old key may be deleted although no consumer has used the new one, if that is
    /// allowed.
    pub override_unused: Option<String>,
}

type TickResult = Result<TickOutcome, TickError>;

/// A step under way. Boxed, because every crate that awaits an async function compiles it again.
pub type Ticking<'a> = Pin<Box<dyn Future<Output = TickResult> + Send + 'a>>;

impl Executor<'_> {
    /// Writes a drafted rotation to the journal, which opens it.
    ///
    /// # Errors
    /// [`JournalError::Open`] when this user already has an open rotation.
    pub async fn begin(&self, rotation: &Rotation) -> Result<(), TickError> {
        Ok(self.journal.begin(rotation).await?)
    }

    /// Observes and carries out the next step.
    ///
    /// # Errors
    /// [`TickError`]; the rotation can be ticked again.
    pub fn tick<'a>(&'a self, id: &'a RotationId) -> Ticking<'a> {
        Box::pin(self.observe_and_step(id))
    }

    async fn observe_and_step(&self, id: &RotationId) -> TickResult {
        let mut rotation = self.load(id).await?;
        if rotation.phase.is_over() {
            return Ok(TickOutcome::Over);
        }
        match rotation.held.clone() {
            Some(HoldReason::Refused(why)) => return self.ask_again(rotation, why).await,
            Some(HoldReason::NewKeyUnused(_)) if self.adoption(&rotation).await.is_some() => {
                rotation.held = None;
            }
            Some(_) if rotation.responds_to_leak() => {}
            Some(hold) => return self.look_while_held(rotation, hold).await,
            None => {}
        }
        // A hold stays until a person releases it, whatever the response to a leak meets.
        let can_hold = rotation.phase != Phase::Planned && rotation.held.is_none();
        match self.go_on(&mut rotation).await {
            Err(TickError::Issuer(error @ IssuerError::Denied { .. })) if can_hold => {
                self.hold(self.load(id).await?, HoldReason::Refused(error.to_string()))
                    .await
            }
            Err(TickError::Issuer(IssuerError::NoSuchUser(_))) => {
                // The user existed a moment ago. The step may have journaled something since, so
                // reload.
                self.seek(self.load(id).await?, None).await
            }
            outcome => outcome,
        }
    }

    /// Only trying the call again shows whether a missing permission has been granted.
    async fn ask_again(&self, mut rotation: Rotation, why: String) -> TickResult {
        let id = rotation.id.clone();
        rotation.held = None;
        let outcome = self.go_on(&mut rotation).await;
        let mut now = self.load(&id).await?;
        match outcome {
            Err(TickError::Issuer(error @ IssuerError::Denied { .. })) if now.held.is_some() => {
                let hold = HoldReason::Refused(error.to_string());
                if error.to_string() == why {
                    return Ok(TickOutcome::Held(hold));
                }
                self.hold(now, hold).await
            }
            Err(TickError::Issuer(IssuerError::NoSuchUser(_))) => self.seek(now, None).await,
            Ok(TickOutcome::Wait { .. }) if now.held.is_some() => {
                now.held = None;
                self.advance(now, "the denied call is now allowed").await
            }
            outcome => outcome,
        }
    }

    async fn load(&self, id: &RotationId) -> Result<Rotation, TickError> {
        let found = self.journal.rotation(id).await?;
        found.ok_or_else(|| TickError::Unknown(id.clone()))
    }

    pub(crate) fn check_clock(&self, there: Timestamp) -> Result<(), TickError> {
        let here = self.clock.now();
        if here.secs_since(there).abs() <= limits::CLOCK_SKEW_MINUTES * 60 {
            return Ok(());
        }
        Err(TickError::Skew {
            here: here.iso8601(),
            there: there.iso8601(),
        })
    }

    async fn go_on(&self, rotation: &mut Rotation) -> TickResult {
        self.choose_signer(rotation).await?;
        let user = match self.find(rotation).await? {
            UserLookup::User(user) => user,
            UserLookup::Missing(other) => return self.seek(rotation.clone(), other).await,
        };
        if rotation.missing.is_some() {
            return self.there_again(rotation.clone()).await;
        }
        let mut seen = self.look_at_keys(rotation, user).await?;
        if !is_urgent(rotation, &seen) {
            self.look_at_uses(rotation, &mut seen).await?;
        }
        let mut step = plan(rotation, &seen);
        if let PlanStep::Mark(mark) = step {
            self.issuer.tag(&rotation.user, MARK, &mark).await?;
            // Read the user again: when two rotators write the mark concurrently, the later write
            // wins.
            seen.user = self.issuer.user(&rotation.user).await?;
            let theirs =
                |(key, value): &(String, String)| key == MARK && !value.starts_with(&rotation.id.0);
            if !seen.user.tags.iter().any(theirs) {
                seen.user.tags.retain(|(key, _)| key != MARK);
                seen.user.tags.push((MARK.to_owned(), mark));
            }
            step = plan(rotation, &seen);
        }
        self.perform(rotation.clone(), &seen, step).await
    }

    async fn perform(
        &self,
        mut rotation: Rotation,
        seen: &Observation,
        step: PlanStep,
    ) -> TickResult {
        match step {
            PlanStep::Over => Ok(TickOutcome::Over),
            PlanStep::Held => Ok(rotation.held.map_or(TickOutcome::Over, TickOutcome::Held)),
            PlanStep::Wait { until, why } => Ok(TickOutcome::Wait { until, why }),
            PlanStep::Hold(hold) => self.hold(rotation, hold).await,
            PlanStep::Lose(hold) => self.lose(rotation, hold, seen).await,
            PlanStep::Mark(_) => Ok(TickOutcome::Progressed("marked the user".to_owned())),
            PlanStep::Seek | PlanStep::Miss | PlanStep::Rename(_) => {
                self.seek(rotation, None).await
            }
            PlanStep::Enter(phase) => {
                note_last_use(&mut rotation, phase, seen);
                self.enter(rotation, phase, seen.now).await
            }
            PlanStep::NoteAdoption(used) => self.note_adoption(rotation, used).await,
            PlanStep::Create => self.create(rotation, seen).await,
            PlanStep::CreateAgain => self.create_again(rotation).await,
            PlanStep::Adopt(key) => {
                let event =
                    format!("{key} was created but its secret was lost; it will be deleted");
                rotation.orphan = Some(OrphanedKey {
                    key,
                    inactive_since: None,
                });
                rotation.enter(Phase::Planned, seen.now);
                self.advance(rotation, &event).await
            }
            PlanStep::Forget => {
                rotation.orphan = None;
                self.advance(rotation, "the key whose secret was lost no longer exists")
                    .await
            }
            PlanStep::OrphanRests => self.wait_for_orphan(rotation, seen.now).await,
            PlanStep::Verify => self.verify(rotation, seen.now).await,
            PlanStep::Stage(at) => self.stage(rotation, at, seen.now).await,
            PlanStep::Write(at) => self.write(rotation, at, seen.now).await,
            PlanStep::ReadBack(at) => self.read_back(rotation, at, seen.now).await,
            PlanStep::Restore(at) => self.restore(rotation, at, seen.now).await,
            PlanStep::SetStatus(key, status) => {
                self.set_status(rotation, &key, status, seen.now).await
            }
            PlanStep::EndSessions => self.end_sessions(rotation, seen.now).await,
            PlanStep::Delete(key) => self.delete(rotation, &key, seen.now).await,
        }
    }

    async fn advance(&self, mut rotation: Rotation, event: &str) -> TickResult {
        rotation.generation += 1;
        self.journal.advance(&rotation, event).await?;
        Ok(TickOutcome::Progressed(event.to_owned()))
    }

    async fn hold(&self, mut rotation: Rotation, hold: HoldReason) -> TickResult {
        rotation.held = Some(hold.clone());
        let responds = rotation.responds_to_leak();
        let event = match &hold {
            HoldReason::Asked(_) => hold.to_string(),
            _ => format!("held: {hold}"),
        };
        let held = self.advance(rotation, &event).await?;
        // The next tick says whether the response to the leak needs another step.
        Ok(if responds {
            held
        } else {
            TickOutcome::Held(hold)
        })
    }

    async fn give_up(&self, mut rotation: Rotation, why: String, now: Timestamp) -> TickResult {
        let event = format!("rolling back: {why}");
        rotation.why_back = Some(why);
        rotation.enter(Phase::RollingBack, now);
        self.advance(rotation, &event).await
    }

    async fn enter(&self, mut rotation: Rotation, phase: Phase, now: Timestamp) -> TickResult {
        if phase == Phase::Confirming {
            let read = |delivery: &&mut Delivery| {
                delivery.stage == DeliveryStage::ReadBack && !delivery.removed
            };
            for delivery in rotation.deliveries.iter_mut().filter(read) {
                delivery.stage = DeliveryStage::Written;
            }
        }
        if phase == Phase::Settling {
            self.issuer.revert();
        }
        if phase.is_over() {
            self.unmark(&rotation).await?;
        }
        let event = format!("{:?} → {phase:?}", rotation.phase);
        rotation.enter(phase, now);
        self.advance(rotation, &event).await
    }

    async fn unmark(&self, rotation: &Rotation) -> Result<(), TickError> {
        Ok(self.issuer.untag(&rotation.user, MARK).await?)
    }

    async fn create(&self, mut rotation: Rotation, seen: &Observation) -> TickResult {
        rotation.pre_image = seen.keys.iter().map(|key| key.id.clone()).collect();
        rotation.enter(Phase::Creating, seen.now);
        rotation.generation += 1;
        self.journal
            .advance(&rotation, "requesting the new key")
            .await?;
        self.ask_for_key(rotation, seen.now).await
    }

    async fn ask_for_key(&self, mut rotation: Rotation, now: Timestamp) -> TickResult {
        let token = rotation.id.0.clone();
        match self.issuer.create(&rotation.user, &token).await {
            Ok((pair, created)) => self.created(rotation, pair, created).await,
            Err(error @ IssuerError::Unknown(_)) => Err(error.into()),
            Err(error) => {
                // Nothing was created, so the plan is still valid.
                rotation.pre_image.clear();
                rotation.enter(Phase::Planned, now);
                if error == IssuerError::TwoKeys {
                    rotation.not_before = now.plus_secs(SETTLE_SECS);
                }
                self.advance(rotation, "no key was created").await?;
                Err(error.into())
            }
        }
    }

    /// A failure here says nothing about the earlier call, whose outcome stays unknown.
    async fn create_again(&self, rotation: Rotation) -> TickResult {
        let token = rotation.id.0.clone();
        let (pair, created) = self.issuer.create(&rotation.user, &token).await?;
        self.created(rotation, pair, created).await
    }

    async fn created(&self, mut rotation: Rotation, pair: KeyPair, at: Timestamp) -> TickResult {
        let event = format!("{} was created", pair.id);
        rotation.new = Some(pair.id);
        rotation.secrets.new = Some(pair.secret);
        rotation.enter(Phase::Created, at);
        self.advance(rotation, &event).await
    }

    async fn wait_for_orphan(&self, mut rotation: Rotation, now: Timestamp) -> TickResult {
        if let Some(orphan) = &mut rotation.orphan {
            orphan.inactive_since = Some(now);
        }
        self.advance(rotation, "the key whose secret was lost is inactive")
            .await
    }

    async fn verify(&self, mut rotation: Rotation, now: Timestamp) -> TickResult {
        let Some(pair) = rotation.pair() else {
            return Ok(TickOutcome::Held(HoldReason::NotVerified(
                "its secret is missing from the journal".to_owned(),
            )));
        };
        let endpoints = self.issuer.endpoints().max(1);
        for turn in 0..rotation.rules.verify_in_a_row {
            let endpoint = usize::try_from(turn).unwrap_or(0) % endpoints;
            match self.issuer.verify(&pair, endpoint).await? {
                KeyCheck::Accepted(identity) if is_intended(&rotation, &identity) => {}
                KeyCheck::Accepted(identity) => {
                    let why = format!("the new key belongs to {}", identity.arn);
                    return self.not_verified(rotation, why, now).await;
                }
                KeyCheck::NotKnown => return self.not_known(rotation, now).await,
            }
        }
        rotation.verified = true;
        rotation.checked = Some(now);
        let event = format!("{} was accepted several times in a row", pair.id);
        self.advance(rotation, &event).await
    }

    /// A new key may be unknown for a while. Only an actual answer counts: an unreachable service
    /// says nothing about the key.
    async fn not_known(&self, rotation: Rotation, now: Timestamp) -> TickResult {
        let within = rotation.rules.verify_within_secs;
        if now > rotation.since.plus_secs(within) {
            let why = format!("the new key was not accepted within {within} seconds");
            return self.not_verified(rotation, why, now).await;
        }
        let until = now.plus_secs(VERIFY_PAUSE_SECS);
        let why = "the new key to be accepted".to_owned();
        Ok(TickOutcome::Wait { until, why })
    }

    /// Before anyone has the new key, it is simply discarded. After that a person must decide. The
    /// same holds when the old key is already inactive: only a person reactivates a leaked key.
    async fn not_verified(&self, rotation: Rotation, why: String, now: Timestamp) -> TickResult {
        match rotation.phase {
            Phase::Created if rotation.inactive_first().is_none() => {
                self.give_up(rotation, why, now).await
            }
            _ => self.hold(rotation, HoldReason::NotVerified(why)).await,
        }
    }

    fn sink(&self, rotation: &Rotation, at: usize) -> Result<&dyn Sink, TickError> {
        let name = sink_of(rotation, at);
        let found = self.sinks.iter().find(|sink| sink.name() == name);
        found
            .copied()
            .ok_or_else(|| TickError::NoSink(name.to_owned()))
    }

    async fn stage(&self, mut rotation: Rotation, at: usize, now: Timestamp) -> TickResult {
        let sink = self.sink(&rotation, at)?;
        match self.stage_known(&mut rotation, sink).await {
            Ok(backup) => {
                if let Some(place) = rotation.secrets.backups.get_mut(at) {
                    *place = Some(backup);
                }
                let event = format!("{}: staged", sink.name());
                self.went_on(rotation, at, DeliveryStage::Staged, &event)
                    .await
            }
            Err(error) => self.failed(rotation, at, &error, now).await,
        }
    }

    async fn stage_known(
        &self,
        rotation: &mut Rotation,
        sink: &dyn Sink,
    ) -> Result<SinkBackup, SinkError> {
        let inspection = sink.inspect(&rotation.old).await?;
        check_ours(rotation, &inspection.held)?;
        check_there(rotation, sink.name(), &inspection)?;
        rotation.note_old(&inspection.held);
        sink.stage(&rotation.id).await
    }

    async fn write(&self, mut rotation: Rotation, at: usize, now: Timestamp) -> TickResult {
        let sink = self.sink(&rotation, at)?;
        let Some(pair) = rotation.pair() else {
            return Ok(TickOutcome::Held(HoldReason::NotVerified(
                "its secret is missing from the journal".to_owned(),
            )));
        };
        if let Some(delivery) = rotation.deliveries.get_mut(at)
            && delivery.stage != DeliveryStage::Writing
        {
            delivery.stage = DeliveryStage::Writing;
            rotation.generation += 1;
            let event = format!("{}: writing", sink.name());
            self.journal.advance(&rotation, &event).await?;
        }
        let Some(backup) = backup_of(&rotation, at) else {
            let error = SinkError::Never(NO_BACKUP.to_owned());
            return self.failed(rotation, at, &error, now).await;
        };
        match sink.commit(&rotation.id, &backup, &pair).await {
            Ok(()) => {
                let event = format!("{}: written", sink.name());
                self.went_on(rotation, at, DeliveryStage::Written, &event)
                    .await
            }
            Err(SinkError::Person(_)) if is_confirmed(&rotation, at) => {
                let event = format!("{}: written by a person", sink.name());
                self.went_on(rotation, at, DeliveryStage::Written, &event)
                    .await
            }
            Err(SinkError::Person(why)) => self.wait_for_person(rotation, at, why, now).await,
            Err(error) => self.failed(rotation, at, &error, now).await,
        }
    }

    async fn read_back(&self, mut rotation: Rotation, at: usize, now: Timestamp) -> TickResult {
        let sink = self.sink(&rotation, at)?;
        let held = match sink.read_back().await {
            Ok(held) => held,
            Err(error) => return self.failed(rotation, at, &error, now).await,
        };
        let pair = rotation.pair();
        if has(&held, pair.as_ref()) || held == SinkContent::Unreadable {
            let event = format!("{}: read back", sink.name());
            return self
                .went_on(rotation, at, DeliveryStage::ReadBack, &event)
                .await;
        }
        if let Some(delivery) = rotation.deliveries.get_mut(at) {
            // Do not reset it to its state before the write: a consumer that has read it since uses
            // the new key.
            delivery.stage = DeliveryStage::Writing;
        }
        if rotation.phase == Phase::Confirming {
            rotation.enter(Phase::Distributing, now);
        }
        let error = SinkError::Later("it does not hold the new key".to_owned());
        self.failed(rotation, at, &error, now).await
    }

    async fn restore(&self, rotation: Rotation, at: usize, now: Timestamp) -> TickResult {
        let sink = self.sink(&rotation, at)?;
        let (Some(backup), Some(new)) = (backup_of(&rotation, at), rotation.pair()) else {
            let error = SinkError::Never(NO_BACKUP.to_owned());
            return self.failed(rotation, at, &error, now).await;
        };
        let old = rotation.old_pair();
        let (new, old) = (&new, old.as_ref());
        let pairs = RotationPairs { new, old };
        if let Err(error) = sink.restore(&rotation.id, &backup, pairs).await {
            return self.failed(rotation, at, &error, now).await;
        }
        match sink.read_back().await {
            Ok(held) if has(&held, rotation.pair().as_ref()) => {
                let error = SinkError::Later("it still holds the new key".to_owned());
                self.failed(rotation, at, &error, now).await
            }
            Ok(_) => {
                let event = format!("{}: restored", sink.name());
                self.went_on(rotation, at, DeliveryStage::Restored, &event)
                    .await
            }
            Err(error) => self.failed(rotation, at, &error, now).await,
        }
    }

    async fn went_on(
        &self,
        mut rotation: Rotation,
        at: usize,
        stage: DeliveryStage,
        event: &str,
    ) -> TickResult {
        if let Some(delivery) = rotation.deliveries.get_mut(at) {
            *delivery = Delivery {
                stage,
                found: delivery.found.take(),
                person: delivery.person,
                removed: delivery.removed,
                ..Delivery::pending(&delivery.sink)
            };
        }
        self.advance(rotation, event).await
    }

    /// Other sinks continue meanwhile. The engine does not poll for the person's confirmation.
    async fn wait_for_person(
        &self,
        mut rotation: Rotation,
        at: usize,
        why: String,
        now: Timestamp,
    ) -> TickResult {
        if let Some(delivery) = rotation.deliveries.get_mut(at) {
            delivery.person = ManualStep::Awaited;
            delivery.not_before = now.plus_secs(PERSON_PAUSE_SECS);
            delivery.trouble = Some(why.clone());
        }
        let event = format!("{}: {why}", sink_of(&rotation, at));
        self.advance(rotation, &event).await
    }

    async fn failed(
        &self,
        mut rotation: Rotation,
        at: usize,
        error: &SinkError,
        now: Timestamp,
    ) -> TickResult {
        let mut event = error.to_string();
        if let Some(delivery) = rotation.deliveries.get_mut(at) {
            delivery.failures = delivery.failures.saturating_add(1);
            delivery.not_before = now.plus_secs(pause_secs(&rotation.id, delivery.failures));
            delivery.trouble = Some(error.to_string());
            delivery.stuck = matches!(error, SinkError::Never(_));
            event = format!("{}: {error}", delivery.sink);
        }
        self.advance(rotation, &event).await
    }

    async fn set_status(
        &self,
        mut rotation: Rotation,
        key: &KeyId,
        status: IamKeyStatus,
        now: Timestamp,
    ) -> TickResult {
        let old = *key == rotation.old;
        let first = rotation.phase < Phase::Deactivating && old;
        let early = first || (old && rotation.held.is_some());
        if early && self.issuer.signer().as_ref() == Some(key) {
            return self.not_first(rotation).await;
        }
        if rotation.new.as_ref() == Some(key) {
            // Do this before the key that may be signing is removed.
            self.issuer.revert();
        }
        match self.issuer.set_status(&rotation.user, key, status).await {
            Ok(()) | Err(IssuerError::NoSuchKey(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let event = format!("{key} is {status:?}");
        let orphan = rotation.orphan.as_ref().map(|orphan| &orphan.key);
        if orphan == Some(key) {
            return self.wait_for_orphan(rotation, now).await;
        }
        match status {
            IamKeyStatus::Inactive if first => return self.inactive_first(rotation, now).await,
            IamKeyStatus::Inactive if old => {
                if let Some(incident) = rotation.incident.as_mut().filter(|it| it.deactivate_first)
                {
                    incident.inactive_since.get_or_insert(now);
                }
                rotation.enter(Phase::Dwelling, now);
            }
            IamKeyStatus::Inactive => rotation.enter(Phase::Retiring, now),
            IamKeyStatus::Active => {
                rotation.reactivated = true;
                rotation.not_before = now.plus_secs(VERIFY_PAUSE_SECS);
            }
        }
        self.advance(rotation, &event).await
    }

    async fn delete(&self, mut rotation: Rotation, key: &KeyId, now: Timestamp) -> TickResult {
        match self.issuer.delete(&rotation.user, key).await {
            Ok(()) | Err(IssuerError::NoSuchKey(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let event = format!("{key} was deleted");
        let orphan = rotation.orphan.as_ref().map(|orphan| &orphan.key);
        if orphan == Some(key) {
            rotation.orphan = None;
            rotation.not_before = now.plus_secs(SETTLE_SECS);
            return self.advance(rotation, &event).await;
        }
        self.unmark(&rotation).await?;
        let over = if *key == rotation.old {
            Phase::Done
        } else {
            Phase::RolledBack
        };
        rotation.enter(over, now);
        self.advance(rotation, &event).await
    }
}

/// Reported when the previous content of a sink is unknown.
const NO_BACKUP: &str = "there is no backup of its previous content";
/// Seconds between two attempts to verify.
const VERIFY_PAUSE_SECS: i64 = 3;
/// The longest backoff of a failing sink, in seconds.
const PAUSE_SECS_MAX: i64 = 3600;
/// Seconds after which the history repeats that the rotation waits for a person.
const PERSON_PAUSE_SECS: i64 = 24 * 3600;

fn backup_of(rotation: &Rotation, at: usize) -> Option<SinkBackup> {
    rotation.secrets.backups.get(at).cloned().flatten()
}

fn sink_of(rotation: &Rotation, at: usize) -> &str {
    let delivery = rotation.deliveries.get(at);
    delivery.map_or("?", |delivery| delivery.sink.as_str())
}

fn is_confirmed(rotation: &Rotation, at: usize) -> bool {
    let delivery = rotation.deliveries.get(at);
    delivery.is_some_and(|delivery| delivery.person == ManualStep::Confirmed)
}

fn is_intended(rotation: &Rotation, identity: &KeyIdentity) -> bool {
    identity.account == rotation.account && identity.user_id == rotation.user_id
}

fn has(held: &SinkContent, pair: Option<&KeyPair>) -> bool {
    match (held, pair) {
        (SinkContent::Pair(held), Some(pair)) => held == pair,
        (SinkContent::Key(held), Some(pair)) => *held == pair.id,
        _ => false,
    }
}

/// Exponential backoff from five seconds to an hour, with 25 % jitter so that many rotations do not
/// retry together.
fn pause_secs(id: &RotationId, failures: u32) -> i64 {
    let doubled = 5_i64
        .saturating_mul(1 << failures.min(10))
        .min(PAUSE_SECS_MAX);
    let spread = id.0.bytes().fold(failures, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    doubled + doubled / 4 * i64::from(spread % 100) / 100
}
