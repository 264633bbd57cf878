//! Drives rotations: opens the issuer and destinations that a rotation's journal entry names, and
//! ticks it until there is nothing to do for a while.
//!
//! Commands, agents and the server all continue a rotation through this driver, so they all behave
//! the same. It decides nothing itself; the planner and the executor do.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use keywright_base::{Clock, Timestamp};
use keywright_rotation::{
    execute::{
        Executor, NewRotation, RotationEdit, RotationOutlook, TickError, TickOutcome,
        abandon_unseen, change, look_at_added,
    },
    model::{Delivery, HoldReason, Phase, Rotation, RotationId},
    ports::{IssuerError, JournalError, RotationJournal, Sink},
};

use crate::journal::SqliteJournal;
use crate::{ClosedUntil, RotationCalendar};
use keywright_aws::{
    AccessError, AccountClient, ClientSettings, IamIssuer, InProcessTransport, KeyActivity,
    StandIn, activity,
};
use keywright_sinks::{SinkSpec, SpecError};

/// Consecutive transient failures after which the drive ends.
const FAILURES: u32 = 5;
/// Seconds after which a rotation that waits is looked at again at the latest.
const LOOK_SECS: i64 = 60;
/// The first pause after a failure, in milliseconds. It doubles each time.
const PAUSE_MILLIS: u64 = 500;

/// Why a drive failed. The rotation stays in the phase that the journal records.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The issuer cannot be opened.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A sink cannot be opened.
    #[error(transparent)]
    Sink(#[from] SpecError),
    /// A tick failed.
    #[error(transparent)]
    Stopped(#[from] TickError),
    /// The journal's settings for reaching the service are invalid.
    #[error("the journal's settings for reaching the service cannot be read: {0}")]
    Settings(String),
    /// A rule's destination is invalid for this user.
    #[error("{0}")]
    Destination(String),
    /// The rotation's calendar in the journal is unreadable, so we cannot tell when it may
    /// continue.
    #[error("the journal's calendar of the rotation cannot be read: {0}")]
    Calendar(String),
    /// The credentials belong to another account than the rotation.
    #[error(
        "these credentials belong to account {here}, but the rotation belongs to account {there}"
    )]
    Account {
        /// The account of the credentials.
        here: String,
        /// The account of the rotation.
        there: String,
    },
}

impl From<JournalError> for DriveError {
    fn from(error: JournalError) -> Self {
        Self::Stopped(error.into())
    }
}

/// The state in which a drive left a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriveOutcome {
    /// It ended: done, or rolled back.
    Over(Phase),
    /// It is held until a person decides.
    Held(HoldReason),
    /// Nothing to do before this time.
    Wait {
        /// By the issuer's clock.
        until: Timestamp,
        /// The reason for waiting.
        why: String,
    },
}

/// An event while a rotation is driven.
#[derive(Debug, Clone, Copy)]
pub enum DriveEvent<'a> {
    /// A step completed.
    Step(&'a str),
    /// It waits and continues on its own.
    Waiting {
        /// Until when.
        until: Timestamp,
        /// The reason for waiting.
        why: &'a str,
    },
}

/// Why a limited drive ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriveStop {
    /// The rotation waits, is held, or is over.
    Idle(DriveOutcome),
    /// The next step needs a destination, and the drive may not use any.
    NeedsDestinations,
    /// The drive was interrupted between two steps.
    Interrupted,
}

/// What a drive may do.
#[derive(Clone, Copy)]
pub struct DriveLimits<'a> {
    /// Whether it may use destinations, which can take minutes to answer.
    pub destinations: bool,
    /// How many seconds it may wait for the rotation.
    pub patience_secs: i64,
    /// Whether to stop after a step.
    pub interrupted: &'a (dyn Fn() -> bool + Send + Sync),
}

impl std::fmt::Debug for DriveLimits<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DriveLimits")
            .field("destinations", &self.destinations)
            .field("patience_secs", &self.patience_secs)
            .finish_non_exhaustive()
    }
}

/// A callback for the events of a drive.
pub type DriveObserver<'a> = &'a (dyn Fn(&Rotation, DriveEvent<'_>) + Send + Sync);

/// Drives the rotations of one journal.
pub struct RotationDriver {
    journal: SqliteJournal,
    clock: Arc<dyn Clock>,
    /// The in-process transport, if this process is the server.
    server: Option<Arc<dyn InProcessTransport>>,
    /// One client for each set of settings. Settings for the same account share a pace limiter.
    accesses: Mutex<HashMap<String, Arc<AccountClient>>>,
}

impl std::fmt::Debug for RotationDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Driver")
    }
}

/// A rotation with its issuer and destinations opened.
struct OpenedRotation {
    iam: IamIssuer,
    sinks: Vec<Box<dyn Sink>>,
}

impl OpenedRotation {
    fn executor<'a>(&'a self, driver: &'a RotationDriver) -> Executor<'a> {
        Executor {
            issuer: &self.iam,
            usage: &self.iam,
            sinks: self.sinks.iter().map(|sink| &**sink).collect(),
            journal: &driver.journal,
            clock: &*driver.clock,
        }
    }
}

impl RotationDriver {
    /// Creates a driver for a journal.
    pub fn new(journal: SqliteJournal, clock: Arc<dyn Clock>) -> Self {
        Self {
            journal,
            clock,
            server: None,
            accesses: Mutex::default(),
        }
    }

    /// Uses the in-process transport: the server acts on behalf of the principals that ask it to.
    #[must_use]
    pub fn of_server(self, server: Arc<dyn InProcessTransport>) -> Self {
        Self {
            server: Some(server),
            ..self
        }
    }

    /// The journal.
    pub const fn journal(&self) -> &SqliteJournal {
        &self.journal
    }

    /// The client for these settings, opened once and cached.
    ///
    /// # Errors
    /// [`DriveError::Access`].
    pub async fn access(
        &self,
        settings: &ClientSettings,
    ) -> Result<Arc<AccountClient>, DriveError> {
        self.access_or(settings, None).await
    }

    /// Like [`RotationDriver::access`]. If the service rejects the settings' own key because a
    /// rotation has replaced it, the `stand_in` signs instead.
    async fn access_or(
        &self,
        settings: &ClientSettings,
        stand_in: Option<StandIn>,
    ) -> Result<Arc<AccountClient>, DriveError> {
        let replaced = stand_in
            .as_ref()
            .map(|stand_in| stand_in.replaced.0.as_str());
        let name = format!("{} {}", settings.to_text(), replaced.unwrap_or_default());
        let locked = || self.accesses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(access) = locked().get(&name) {
            return Ok(Arc::clone(access));
        }
        let (settings, clock) = (settings.clone(), Arc::clone(&self.clock));
        let mut access = match &self.server {
            Some(server) if settings.on_behalf_of.is_some() => {
                AccountClient::open_within(settings, Arc::clone(server), clock).await?
            }
            _ => AccountClient::open_or(settings, clock, stand_in).await?,
        };
        let mut opened = locked();
        for other in opened.values() {
            access.share_pace(other);
        }
        Ok(Arc::clone(opened.entry(name).or_insert(Arc::new(access))))
    }

    /// The rotation that a request would start. Changes and writes nothing.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn draft(
        &self,
        settings: &ClientSettings,
        sinks: &[SinkSpec],
        order: NewRotation,
    ) -> Result<Rotation, DriveError> {
        let opened = self.open(settings, sinks, None).await?;
        Ok(opened.executor(self).draft(order).await?)
    }

    /// Records a drafted rotation in the journal, which opens it.
    ///
    /// # Errors
    /// [`JournalError::Open`] if this user already has an open rotation.
    pub async fn begin(&self, rotation: &Rotation) -> Result<(), JournalError> {
        self.journal.begin(rotation).await
    }

    /// Drives a rotation until it has to wait longer than `patience_secs`. Reports each step to the
    /// observer.
    ///
    /// # Errors
    /// [`DriveError`]; transient errors are retried first.
    pub async fn drive(
        &self,
        id: &RotationId,
        patience_secs: i64,
        observer: DriveObserver<'_>,
    ) -> Result<DriveOutcome, DriveError> {
        let limits = DriveLimits {
            destinations: true,
            patience_secs,
            interrupted: &|| false,
        };
        loop {
            // With these limits, nothing else ends a drive.
            if let DriveStop::Idle(outcome) = self.drive_within(id, limits, observer).await? {
                return Ok(outcome);
            }
        }
    }

    /// Like [`RotationDriver::drive`], within limits.
    ///
    /// # Errors
    /// As [`RotationDriver::drive`].
    pub async fn drive_within(
        &self,
        id: &RotationId,
        limits: DriveLimits<'_>,
        observer: DriveObserver<'_>,
    ) -> Result<DriveStop, DriveError> {
        let idle = |outcome| Ok(DriveStop::Idle(outcome));
        let phase = self.load(id).await?.phase;
        if phase.is_over() {
            // The principal it acted for may no longer exist.
            return idle(DriveOutcome::Over(phase));
        }
        let mut opened = self.opened(id, limits.destinations).await?;
        let mut failures = 0;
        loop {
            let rotation = self.load(id).await?;
            let tick = match (self.closed(&rotation)?, &rotation.held) {
                (Some(_), Some(hold)) => Ok(TickOutcome::Held(hold.clone())),
                (Some(ClosedUntil { at, why }), None) => Ok(TickOutcome::Wait { until: at, why }),
                (None, _) => opened.executor(self).tick(id).await,
            };
            match tick {
                Ok(TickOutcome::Progressed(what)) => {
                    failures = 0;
                    observer(&self.load(id).await?, DriveEvent::Step(&what));
                    // Only here: every drive makes progress, however often it is interrupted.
                    if (limits.interrupted)() {
                        return Ok(DriveStop::Interrupted);
                    }
                }
                Ok(TickOutcome::Wait { until, why }) => {
                    let pause = until.secs_since(self.clock.now());
                    if pause > limits.patience_secs {
                        return idle(DriveOutcome::Wait { until, why });
                    }
                    let waiting = DriveEvent::Waiting { until, why: &why };
                    observer(&rotation, waiting);
                    pause_for(until_next_look(pause)).await;
                }
                Ok(TickOutcome::Held(hold)) => return idle(DriveOutcome::Held(hold)),
                Ok(TickOutcome::Over) => {
                    return idle(DriveOutcome::Over(self.load(id).await?.phase));
                }
                Err(error) if is_passing(&error) && failures < FAILURES => {
                    pause_for(Duration::from_millis(PAUSE_MILLIS << failures)).await;
                    failures += 1;
                }
                Err(TickError::NoSink(_)) if !limits.destinations => {
                    return Ok(DriveStop::NeedsDestinations);
                }
                // Another process has added the destination in the meantime.
                Err(TickError::NoSink(_)) if failures < FAILURES => {
                    opened = self.opened(id, true).await?;
                    failures += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether the rotation's calendar forbids its next step for now. Only deactivating and
    /// deleting are restricted.
    ///
    /// # Errors
    /// [`DriveError::Calendar`].
    pub fn closed(&self, rotation: &Rotation) -> Result<Option<ClosedUntil>, DriveError> {
        let Some(text) = &rotation.calendar else {
            return Ok(None);
        };
        let calendar = RotationCalendar::from_text(text).map_err(DriveError::Calendar)?;
        let dwelt = rotation.since.plus_secs(rotation.rules.dwell_secs);
        Ok(calendar.closed(rotation.phase, dwelt, self.clock.now()))
    }

    /// Updates the windows and freezes of an open rotation to those of the current fleet file.
    ///
    /// # Errors
    /// [`DriveError::Stopped`].
    pub async fn set_calendar(
        &self,
        id: &RotationId,
        calendar: &RotationCalendar,
    ) -> Result<(), DriveError> {
        let mut rotation = self.load(id).await?;
        let text = calendar.to_text();
        let had = rotation.calendar.as_ref();
        if rotation.phase.is_over() || had.is_none_or(|had| *had == text) {
            return Ok(());
        }
        rotation.calendar = Some(text);
        rotation.generation += 1;
        let event = "windows and freezes were updated from the fleet file";
        Ok(self.journal.advance(&rotation, event).await?)
    }

    /// The current time of this machine.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Starts a rollback. [`RotationDriver::drive`] carries it out.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn roll_back(&self, id: &RotationId, why: &str) -> Result<(), DriveError> {
        let opened = self.opened(id, false).await?;
        opened.executor(self).roll_back(id, why).await?;
        Ok(())
    }

    /// Ends a rotation as it is, even if the service is unreachable.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn abandon(&self, id: &RotationId, why: &str) -> Result<(), DriveError> {
        match self.opened(id, false).await {
            Ok(opened) => opened.executor(self).abandon(id, why).await?,
            Err(error) => {
                let because = error.to_string();
                let why = (why, because.as_str());
                abandon_unseen(&self.journal, id, why, self.clock.now()).await?;
            }
        }
        Ok(())
    }

    /// Checks destinations that are to be added to an open rotation. [`RotationDriver::change`]
    /// adds them.
    ///
    /// # Errors
    /// [`DriveError`], including [`TickError::Destinations`].
    pub async fn look_at_added(
        &self,
        id: &RotationId,
        specs: &[SinkSpec],
        create: bool,
    ) -> Result<Vec<Delivery>, DriveError> {
        let rotation = self.load(id).await?;
        let sinks = self.open_sinks(specs).await?;
        let sinks: Vec<_> = sinks.iter().map(|sink| &**sink).collect();
        Ok(look_at_added(&rotation, &sinks, create).await?)
    }

    /// Changes the rules or the destinations of a rotation. Returns whether anything changed.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn change(
        &self,
        id: &RotationId,
        to: RotationEdit,
        why: &str,
    ) -> Result<bool, DriveError> {
        Ok(change(&self.journal, id, to, why).await?)
    }

    /// The outlook of an open rotation.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn outlook(&self, id: &RotationId) -> Result<RotationOutlook, DriveError> {
        let mut outlook = self
            .opened(id, false)
            .await?
            .executor(self)
            .outlook(id)
            .await?;
        if let Some(ClosedUntil { at, why }) = self.closed(&self.load(id).await?)? {
            outlook.waits = Some((why, at));
        }
        Ok(outlook)
    }

    /// The activity of the rotation's old key, as far as the service reports it.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn activity(&self, id: &RotationId) -> Result<KeyActivity, DriveError> {
        let rotation = self.load(id).await?;
        let settings = ClientSettings::from_text(&rotation.access).map_err(DriveError::Settings)?;
        let opened = self.open_for(&rotation, &settings, &[]).await?;
        let recorded = rotation.used_last.as_ref();
        let recorded = recorded.or(rotation.used_before.as_ref());
        Ok(activity(&opened.iam, &rotation.old, &rotation.arn, recorded).await)
    }

    /// Holds a rotation until it is released.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn hold(&self, id: &RotationId, why: &str) -> Result<(), DriveError> {
        let opened = self.opened(id, false).await?;
        opened.executor(self).ask_hold(id, why).await?;
        Ok(())
    }

    /// Records that a person has installed the new key pair where it is used.
    ///
    /// # Errors
    /// [`DriveError`], including [`TickError::NothingToConfirm`].
    pub async fn confirm(&self, id: &RotationId) -> Result<(), DriveError> {
        let opened = self.opened(id, false).await?;
        opened.executor(self).confirm(id).await?;
        Ok(())
    }

    /// Continues a rotation with another principal's access if that of the principal who started it
    /// no longer works. Returns false and changes nothing if it still does.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn take_over(
        &self,
        id: &RotationId,
        by: &ClientSettings,
    ) -> Result<bool, DriveError> {
        match self.opened(id, false).await {
            Err(DriveError::Access(AccessError::Gone)) => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(false),
        }
        let opened = self.open(by, &[], None).await?;
        let to = opened.iam.0.identity().arn.clone();
        let executor = opened.executor(self);
        executor.hand_over(id, by.to_text(), &to).await?;
        Ok(true)
    }

    /// Releases a held rotation.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn release(&self, id: &RotationId) -> Result<(), DriveError> {
        let opened = self.opened(id, false).await?;
        opened.executor(self).release(id).await?;
        Ok(())
    }

    async fn load(&self, id: &RotationId) -> Result<Rotation, DriveError> {
        let found = self.journal.rotation(id).await?;
        Ok(found.ok_or_else(|| TickError::Unknown(id.clone()))?)
    }

    /// Opens a rotation by its ID, with its destinations or without. No order needs them.
    async fn opened(
        &self,
        id: &RotationId,
        destinations: bool,
    ) -> Result<OpenedRotation, DriveError> {
        let rotation = self.load(id).await?;
        let settings = ClientSettings::from_text(&rotation.access).map_err(DriveError::Settings)?;
        let specs = if destinations {
            specs_of(&rotation)?
        } else {
            Vec::new()
        };
        let opened = self.open_for(&rotation, &settings, &specs).await?;
        let here = &opened.iam.0.identity().account;
        if *here != rotation.account {
            return Err(DriveError::Account {
                here: here.clone(),
                there: rotation.account,
            });
        }
        Ok(opened)
    }

    /// Opens a rotation's issuer and destinations. If the rotation has replaced the very key that
    /// signs, the new pair from the journal signs instead.
    async fn open_for(
        &self,
        rotation: &Rotation,
        settings: &ClientSettings,
        specs: &[SinkSpec],
    ) -> Result<OpenedRotation, DriveError> {
        match self.open(settings, specs, None).await {
            Err(DriveError::Access(error)) if error.is_about_credentials() => {
                let pair = rotation.pair().ok_or(error)?;
                let replaced = rotation.old.clone();
                self.open(settings, specs, Some(StandIn { replaced, pair }))
                    .await
            }
            opened => opened,
        }
    }

    async fn open(
        &self,
        settings: &ClientSettings,
        specs: &[SinkSpec],
        stand_in: Option<StandIn>,
    ) -> Result<OpenedRotation, DriveError> {
        if let (Some(server), Some(principal)) = (&self.server, &settings.on_behalf_of)
            && server.issue_forward_access_session(principal).is_none()
        {
            return Err(AccessError::Gone.into());
        }
        let iam = IamIssuer(self.access_or(settings, stand_in).await?);
        let sinks = self.open_sinks(specs).await?;
        Ok(OpenedRotation { iam, sinks })
    }

    async fn open_sinks(&self, specs: &[SinkSpec]) -> Result<Vec<Box<dyn Sink>>, SpecError> {
        if self.server.is_none() && specs.iter().any(SinkSpec::is_person) {
            let why = "person: only a server's own rotations can wait for a person's confirmation";
            return Err(SpecError::Place(why.to_owned()));
        }
        let mut sinks = Vec::with_capacity(specs.len());
        for spec in specs {
            sinks.push(spec.open(&self.clock).await?);
        }
        Ok(sinks)
    }
}

/// The destinations that a rotation still uses. One that was removed may no longer exist; only a
/// rollback looks for it.
///
/// # Errors
/// [`SpecError`] if the journal names a destination that cannot be parsed.
pub fn specs_of(rotation: &Rotation) -> Result<Vec<SinkSpec>, SpecError> {
    let back = rotation.phase == Phase::RollingBack;
    let needed = |delivery: &&Delivery| !delivery.removed || (back && delivery.may_hold_new());
    let specs = rotation.deliveries.iter().filter(needed);
    specs.map(|delivery| delivery.sink.parse()).collect()
}

/// Whether the error is transient.
const fn is_passing(error: &TickError) -> bool {
    matches!(
        error,
        TickError::Issuer(
            IssuerError::Throttled | IssuerError::Unknown(_) | IssuerError::Unreachable(_)
        )
    )
}

/// How long to wait before looking again. What a rotation waits for may happen earlier than
/// planned, for example a consumer's first use of the new key, so a long wait is divided.
fn until_next_look(wait_secs: i64) -> Duration {
    Duration::from_secs(wait_secs.clamp(1, LOOK_SECS).unsigned_abs())
}

#[test]
fn a_long_wait_is_divided() {
    for (wait, pause) in [(-5, 1), (0, 1), (45, 45), (600, 60), (i64::MAX, 60)] {
        assert_eq!(until_next_look(wait), Duration::from_secs(pause));
    }
}

async fn pause_for(pause: Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a wait that the planner asked for"
    )]
    tokio::time::sleep(pause).await;
}
