//! The executor: looks, asks the planner, does the one thing it says, and writes down what came of
//! it; before and after whatever cannot be undone.
//!
//! It protects two rules. Every change of a rotation is a compare-and-swap in the journal, so of
//! two processes one goes on and the other stops. And the new secret is sealed in the journal
//! before anything else happens with it. It never waits: [`Tick::Wait`] says until when.

mod abandon;
mod delivery;
mod destinations;
mod incident;
mod missing;
mod orders;
mod outlook;

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
    plan::{MARK, Observation, PlanStep, SETTLE_SECS, plan},
    ports::{
        Issuer, IssuerError, JournalError, KeyCheck, KeyIdentity, KeyStatus, RotationJournal,
        RotationPairs, Sink, SinkBackup, SinkContent, SinkError, UsageEvidence,
    },
};

/// What one look and at most one step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TickOutcome {
    /// It went on; what was done.
    Progressed(String),
    /// Nothing to do before this time of the issuer.
    Wait {
        /// The issuer's time.
        until: Timestamp,
        /// For what.
        why: String,
    },
    /// A person must decide.
    Held(HoldReason),
    /// Nothing left to do.
    Over,
}

/// Why a tick ended early. The rotation is where the journal says; another tick goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// The journal failed, or another process goes on with the rotation.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The issuer failed.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// This machine's clock and the issuer's are too far apart.
    #[error("this machine's clock says {here}, the service's says {there}; set the clock first")]
    Skew {
        /// This machine's time.
        here: String,
        /// The issuer's.
        there: String,
    },
    /// There is no such rotation.
    #[error("there is no rotation {0}")]
    Unknown(RotationId),
    /// A sink of the rotation is not configured here.
    #[error("the sink {0} of this rotation is not given here")]
    NoSink(String),
    /// It cannot be put back or changed any more, or is being put back.
    #[error("the rotation is {0:?}, too late for that")]
    TooLate(Phase),
    /// No delivery waits for a person.
    #[error("no delivery waits for a person to confirm it")]
    NothingToConfirm,
    /// Nothing shows that anyone but the engine has the new key.
    #[error("nobody has retrieved {0}, and nobody has used it; retrieve it first")]
    NotRetrieved(KeyId),
    /// No new key is for a person to retrieve.
    #[error(
        "no new key can be retrieved: it is not created yet, it goes to other places, or the \
         rotation is over"
    )]
    NothingToRetrieve,
    /// It is not known yet whether the new key was created.
    #[error("it is not known yet whether the new key was created; resume the rotation first")]
    Unresolved,
    /// The plan itself is refused; nothing was changed.
    #[error("refused: {0}")]
    Refused(HoldReason),
    /// A sink, or its entry, is not there, and the order does not allow to make it.
    #[error("{0}")]
    Absent(String),
    /// A window is shorter than what the evidence can show.
    #[error("{0}")]
    Blind(BlindWindow),
    /// Whoever deactivates the key that signs its own calls can do nothing more.
    #[error("{0} signs the calls of this rotation, so it cannot be deactivated first")]
    OwnKey(KeyId),
    /// A sink cannot be read now, so nothing was begun.
    #[error("nothing was begun: {0}")]
    NotNow(String),
    /// The destinations cannot be changed like that.
    #[error("{0}")]
    Destinations(String),
}

/// What a rotation is carried out with.
pub struct Executor<'a> {
    /// Issues keys.
    pub issuer: &'a dyn Issuer,
    /// Knows who uses keys.
    pub usage: &'a dyn UsageEvidence,
    /// The sinks, in the order of delivery.
    pub sinks: Vec<&'a dyn Sink>,
    /// Keeps rotations.
    pub journal: &'a dyn RotationJournal,
    /// This machine's time, only to see whether it is wrong.
    pub clock: &'a dyn Clock,
}

impl std::fmt::Debug for Executor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.sinks.iter().map(|sink| sink.name()).collect();
        f.debug_struct("Executor").field("sinks", &names).finish()
    }
}

/// What a rotation is to do.
#[derive(Debug, Clone)]
pub struct NewRotation {
    /// The id of the rotation to be.
    pub id: RotationId,
    /// How the issuer is reached, to be kept with the rotation.
    pub access: String,
    /// The ARN of whoever begins it.
    pub by: String,
    /// The rule that it is begun by, where rules have names.
    pub rule: Option<String>,
    /// The account, 12 digits.
    pub account: String,
    /// The user's name.
    pub user: String,
    /// The key to be replaced; if none is named, the user must have exactly one.
    pub old: Option<KeyId>,
    /// How careful to be.
    pub rules: RotationRules,
    /// Whether what is not there yet, a file, a profile, a field, may be made.
    pub create: bool,
    /// What is done because the key has leaked, if it has: then it is not waited until it is quiet.
    pub incident: Option<LeakResponse>,
    /// Why the old key may be deleted although no consumer has used the new one, if it may.
    pub override_unused: Option<String>,
}

type TickResult = Result<TickOutcome, TickError>;

impl Executor<'_> {
    /// Writes a drafted rotation down, so that it is open.
    ///
    /// # Errors
    /// [`JournalError::Open`] when one of this user is open already.
    pub async fn begin(&self, rotation: &Rotation) -> Result<(), TickError> {
        Ok(self.journal.begin(rotation).await?)
    }

    /// Looks, and does the next thing.
    ///
    /// # Errors
    /// [`Stopped`]; the rotation can be ticked again.
    pub async fn tick(&self, id: &RotationId) -> TickResult {
        let mut rotation = self.load(id).await?;
        if rotation.phase.is_over() {
            return Ok(TickOutcome::Over);
        }
        match rotation.held.clone() {
            Some(HoldReason::Refused(why)) => return self.ask_again(rotation, why).await,
            Some(HoldReason::NewKeyUnused(_)) if self.adoption(&rotation).await.is_some() => {
                rotation.held = None;
            }
            Some(hold) => return self.look_while_held(rotation, hold).await,
            None => {}
        }
        let begun = rotation.phase != Phase::Planned;
        match self.go_on(&mut rotation).await {
            Err(TickError::Issuer(error @ IssuerError::Denied { .. })) if begun => {
                self.hold(self.load(id).await?, HoldReason::Refused(error.to_string()))
                    .await
            }
            Err(TickError::Issuer(IssuerError::NoSuchUser(_))) => {
                // It was there a moment ago. The step may have written something down since.
                self.seek(self.load(id).await?, None).await
            }
            outcome => outcome,
        }
    }

    /// Whether a person has granted by now what was refused shows only when it is asked for again.
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
                self.advance(now, "what was refused is allowed now").await
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
        let mut seen = self.look(rotation, user).await?;
        let mut step = plan(rotation, &seen);
        if let PlanStep::Mark(mark) = step {
            self.issuer.tag(&rotation.user, MARK, &mark).await?;
            // Read again: of two rotators that mark at once, the later one's mark stays.
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

    /// A rotator whose own key is being replaced signs with the new one as soon as every sink has
    /// it, and with the old one again when things are put back.
    async fn choose_signer(&self, rotation: &Rotation) -> Result<(), TickError> {
        let signer = self.issuer.signer();
        let back = matches!(rotation.phase, Phase::Settling | Phase::Retiring);
        if back && signer.is_some() && signer == rotation.new {
            self.issuer.revert();
        }
        if signer.as_ref() != Some(&rotation.old) {
            return Ok(());
        }
        let Some(pair) = rotation.pair() else {
            return Ok(());
        };
        match rotation.phase {
            Phase::Observing
            | Phase::Confirming
            | Phase::Deactivating
            | Phase::Dwelling
            | Phase::Deleting => self.issuer.adopt(&pair),
            Phase::RollingBack => {
                if let KeyCheck::Accepted(_) = self.issuer.verify(&pair, 0).await? {
                    self.issuer.adopt(&pair);
                }
            }
            _ => {}
        }
        Ok(())
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
                if phase == Phase::Deactivating && rotation.rules.observe_secs > 0 {
                    let last = seen.used.as_ref().map(|used| used.at);
                    rotation.last_known = Some(last.unwrap_or_default());
                }
                self.enter(rotation, phase, seen.now).await
            }
            PlanStep::NoteAdoption(used) => self.note_adoption(rotation, used).await,
            PlanStep::Create => self.create(rotation, seen).await,
            PlanStep::CreateAgain => self.create_again(rotation).await,
            PlanStep::Adopt(key) => {
                let event = format!("{key} was created and its secret lost: it is to go");
                rotation.orphan = Some(OrphanedKey {
                    key,
                    inactive_since: None,
                });
                rotation.enter(Phase::Planned, seen.now);
                self.advance(rotation, &event).await
            }
            PlanStep::Forget => {
                rotation.orphan = None;
                self.advance(rotation, "the lost key is gone").await
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
        self.advance(rotation, &format!("held: {hold:?}")).await?;
        Ok(TickOutcome::Held(hold))
    }

    async fn give_up(&self, mut rotation: Rotation, why: String, now: Timestamp) -> TickResult {
        let event = format!("putting back: {why}");
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
            .advance(&rotation, "asking for the new key")
            .await?;
        self.ask_for_key(rotation, seen.now).await
    }

    async fn ask_for_key(&self, mut rotation: Rotation, now: Timestamp) -> TickResult {
        let token = rotation.id.0.clone();
        match self.issuer.create(&rotation.user, &token).await {
            Ok((pair, created)) => self.created(rotation, pair, created).await,
            Err(error @ IssuerError::Unknown(_)) => Err(error.into()),
            Err(error) => {
                // Nothing was created: the plan is as good as before.
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

    /// A failure says nothing about the call before, whose outcome stays unknown.
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
        self.advance(rotation, "the lost key is inactive").await
    }

    async fn verify(&self, mut rotation: Rotation, now: Timestamp) -> TickResult {
        let Some(pair) = rotation.pair() else {
            return Ok(TickOutcome::Held(HoldReason::NotVerified(
                "its secret is gone".to_owned(),
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
        let event = format!("{} was accepted, several times in a row", pair.id);
        self.advance(rotation, &event).await
    }

    /// A key may be unknown for a while. Only an answer counts: a service that cannot be reached
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

    /// Before anyone has the new key it is simply put away; later a person must look. So must one
    /// where the old key is inactive already: only a person makes a leaked key active again.
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
                "its secret is gone".to_owned(),
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
                let event = format!("{}: done by a person", sink.name());
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
            // Not as before it was written: whoever has read it since uses the new key.
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
                let event = format!("{}: put back", sink.name());
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

    /// Other sinks go on meanwhile; the person's word is not waited for by asking again.
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
        status: KeyStatus,
        now: Timestamp,
    ) -> TickResult {
        let first = rotation.phase < Phase::Deactivating && *key == rotation.old;
        if first && self.issuer.signer().as_ref() == Some(key) {
            return self.not_first(rotation).await;
        }
        if rotation.new.as_ref() == Some(key) {
            // Before the key that may be signing is taken away.
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
            KeyStatus::Inactive if first => return self.inactive_first(rotation, now).await,
            KeyStatus::Inactive if *key == rotation.old => rotation.enter(Phase::Dwelling, now),
            KeyStatus::Inactive => rotation.enter(Phase::Retiring, now),
            KeyStatus::Active => {
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

/// What is said where nothing is known of what a sink held.
const NO_BACKUP: &str = "there is no backup of it";
/// Seconds between two tries to verify.
const VERIFY_PAUSE_SECS: i64 = 3;
/// The longest pause of a failing sink, in seconds.
const PAUSE_SECS_MAX: i64 = 3600;
/// Seconds after which the history says once more that a person is waited for.
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

/// Doubles from five seconds to an hour; spread by a quarter, so that many do not return at once.
fn pause_secs(id: &RotationId, failures: u32) -> i64 {
    let doubled = 5_i64
        .saturating_mul(1 << failures.min(10))
        .min(PAUSE_SECS_MAX);
    let spread = id.0.bytes().fold(failures, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    doubled + doubled / 4 * i64::from(spread % 100) / 100
}
