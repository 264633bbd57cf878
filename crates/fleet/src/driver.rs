//! Drives rotations: opens what each needs by what its journal says, and ticks it until there is
//! nothing to do for a while.
//!
//! It protects one rule: whoever goes on with a rotation, a command, an agent or a server, goes on
//! in the same way. It decides nothing; planner and executor do.

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

/// How often in a row a passing failure is tried again before the drive ends.
const FAILURES: u32 = 5;
/// The first pause after a failure, in milliseconds; it doubles.
const PAUSE_MILLIS: u64 = 500;

/// Why a drive ended without an answer. The rotation is where the journal says.
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
    /// The journal says something that nobody wrote.
    #[error("the journal's words on how to reach the service cannot be read: {0}")]
    Settings(String),
    /// A rule's destination is none for this user.
    #[error("{0}")]
    Destination(String),
    /// The journal's calendar of a rotation cannot be read, so nobody knows when it may go on.
    #[error("the journal's calendar of the rotation cannot be read: {0}")]
    Calendar(String),
    /// The credentials are of another account than the rotation.
    #[error("these credentials are of account {here}, the rotation is of account {there}")]
    Account {
        /// The credentials' account.
        here: String,
        /// The rotation's.
        there: String,
    },
}

impl From<JournalError> for DriveError {
    fn from(error: JournalError) -> Self {
        Self::Stopped(error.into())
    }
}

/// Where a rotation rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriveOutcome {
    /// It is over: done, or put back.
    Over(Phase),
    /// A person must decide.
    Held(HoldReason),
    /// Nothing to do before this time of the issuer.
    Wait {
        /// The issuer's time.
        until: Timestamp,
        /// For what.
        why: String,
    },
}

/// What happens while a rotation goes on.
#[derive(Debug, Clone, Copy)]
pub enum DriveEvent<'a> {
    /// A step was done.
    Step(&'a str),
    /// It waits, and goes on by itself.
    Waiting {
        /// Until when.
        until: Timestamp,
        /// For what.
        why: &'a str,
    },
}

/// Observes a rotation while it goes on.
pub type DriveObserver<'a> = &'a (dyn Fn(&Rotation, DriveEvent<'_>) + Send + Sync);

/// Drives the rotations of one journal.
pub struct RotationDriver {
    journal: SqliteJournal,
    clock: Arc<dyn Clock>,
    /// The server that this process is, if it is one.
    server: Option<Arc<dyn InProcessTransport>>,
    /// One access for each way to reach an issuer; ways to the same account share their pace.
    accesses: Mutex<HashMap<String, Arc<AccountClient>>>,
}

impl std::fmt::Debug for RotationDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Driver")
    }
}

/// An opened rotation: its issuer and its sinks.
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
    /// Over a journal.
    pub fn new(journal: SqliteJournal, clock: Arc<dyn Clock>) -> Self {
        Self {
            journal,
            clock,
            server: None,
            accesses: Mutex::default(),
        }
    }

    /// For the server that this process is: it acts on behalf of those who ask it to.
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

    /// Access as these settings say, opened once.
    ///
    /// # Errors
    /// [`DriveError::Access`].
    pub async fn access(
        &self,
        settings: &ClientSettings,
    ) -> Result<Arc<AccountClient>, DriveError> {
        self.access_or(settings, None).await
    }

    /// As [`Driver::access`]; a pair that has replaced the key of the chain signs if that one is
    /// refused by now.
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

    /// The rotation that an order comes to. Nothing is changed or written.
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

    /// Writes a drafted rotation down, so that it is open.
    ///
    /// # Errors
    /// [`JournalError::Open`] when one of this user is open already.
    pub async fn begin(&self, rotation: &Rotation) -> Result<(), JournalError> {
        self.journal.begin(rotation).await
    }

    /// Goes on with a rotation until it rests for longer than `patience_secs`, and says each step.
    ///
    /// # Errors
    /// [`DriveError`], after some tries where another may help.
    pub async fn drive(
        &self,
        id: &RotationId,
        patience_secs: i64,
        observer: DriveObserver<'_>,
    ) -> Result<DriveOutcome, DriveError> {
        let phase = self.load(id).await?.phase;
        if phase.is_over() {
            // Whoever it acted for may be gone by now.
            return Ok(DriveOutcome::Over(phase));
        }
        let mut opened = self.opened(id).await?;
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
                }
                Ok(TickOutcome::Wait { until, why }) => {
                    let pause = until.secs_since(self.clock.now());
                    if pause > patience_secs {
                        return Ok(DriveOutcome::Wait { until, why });
                    }
                    let waiting = DriveEvent::Waiting { until, why: &why };
                    observer(&rotation, waiting);
                    pause_for(Duration::from_secs(
                        u64::try_from(pause).unwrap_or(0).max(1),
                    ))
                    .await;
                }
                Ok(TickOutcome::Held(hold)) => return Ok(DriveOutcome::Held(hold)),
                Ok(TickOutcome::Over) => return Ok(DriveOutcome::Over(self.load(id).await?.phase)),
                Err(error) if is_passing(&error) && failures < FAILURES => {
                    pause_for(Duration::from_millis(PAUSE_MILLIS << failures)).await;
                    failures += 1;
                }
                // Another process has added it since.
                Err(TickError::NoSink(_)) if failures < FAILURES => {
                    opened = self.opened(id).await?;
                    failures += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Until when a rotation's calendar keeps it from its next step, if that deactivates or deletes
    /// a key.
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

    /// Gives an open rotation of a fleet the windows and freezes that its file has now.
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
        let event = "windows and freezes changed with the fleet file";
        Ok(self.journal.advance(&rotation, event).await?)
    }

    /// This machine's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Begins to put everything back; [`Driver::drive`] carries it out.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn roll_back(&self, id: &RotationId, why: &str) -> Result<(), DriveError> {
        let opened = self.opened(id).await?;
        opened.executor(self).roll_back(id, why).await?;
        Ok(())
    }

    /// Ends a rotation as it is, also where the service cannot be reached for it any more.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn abandon(&self, id: &RotationId, why: &str) -> Result<(), DriveError> {
        match self.opened(id).await {
            Ok(opened) => opened.executor(self).abandon(id, why).await?,
            Err(error) => {
                let because = error.to_string();
                let why = (why, because.as_str());
                abandon_unseen(&self.journal, id, why, self.clock.now()).await?;
            }
        }
        Ok(())
    }

    /// Looks at destinations for an open rotation; [`Driver::change`] adds them.
    ///
    /// # Errors
    /// [`DriveError`], [`Stopped::Destinations`] among them.
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

    /// Changes how careful a rotation is, and where the new key goes; whether anything was
    /// different.
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

    /// How things stand with an open rotation.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn outlook(&self, id: &RotationId) -> Result<RotationOutlook, DriveError> {
        let mut outlook = self.opened(id).await?.executor(self).outlook(id).await?;
        if let Some(ClosedUntil { at, why }) = self.closed(&self.load(id).await?)? {
            outlook.waits = Some((why, at));
        }
        Ok(outlook)
    }

    /// What the old key of a rotation did, as far as the service tells it.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn activity(&self, id: &RotationId) -> Result<KeyActivity, DriveError> {
        let rotation = self.load(id).await?;
        let settings = ClientSettings::from_text(&rotation.access).map_err(DriveError::Settings)?;
        let opened = self.open_for(&rotation, &settings, &[]).await?;
        Ok(activity(&opened.iam, &rotation.old, &rotation.arn).await)
    }

    /// Stops a rotation until it is released.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn hold(&self, id: &RotationId, why: &str) -> Result<(), DriveError> {
        let opened = self.opened(id).await?;
        opened.executor(self).ask_hold(id, why).await?;
        Ok(())
    }

    /// Notes that a person has put the new pair where it is used.
    ///
    /// # Errors
    /// [`DriveError`], [`Stopped::NothingToConfirm`] among them.
    pub async fn confirm(&self, id: &RotationId) -> Result<(), DriveError> {
        let opened = self.opened(id).await?;
        opened.executor(self).confirm(id).await?;
        Ok(())
    }

    /// Lets somebody else's access carry a rotation on, where that of whoever began it is gone.
    /// False, and nothing changed, where it is not.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn take_over(
        &self,
        id: &RotationId,
        by: &ClientSettings,
    ) -> Result<bool, DriveError> {
        match self.opened(id).await {
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

    /// Lets a held rotation go on.
    ///
    /// # Errors
    /// [`DriveError`].
    pub async fn release(&self, id: &RotationId) -> Result<(), DriveError> {
        let opened = self.opened(id).await?;
        opened.executor(self).release(id).await?;
        Ok(())
    }

    async fn load(&self, id: &RotationId) -> Result<Rotation, DriveError> {
        let found = self.journal.rotation(id).await?;
        Ok(found.ok_or_else(|| TickError::Unknown(id.clone()))?)
    }

    /// Opens what a rotation needs, by what the journal says of it.
    async fn opened(&self, id: &RotationId) -> Result<OpenedRotation, DriveError> {
        let rotation = self.load(id).await?;
        let settings = ClientSettings::from_text(&rotation.access).map_err(DriveError::Settings)?;
        // What was removed may not be there any more: only a rollback looks for it.
        let back = rotation.phase == Phase::RollingBack;
        let needed = |delivery: &&Delivery| !delivery.removed || (back && delivery.may_hold_new());
        let specs = rotation.deliveries.iter().filter(needed);
        let specs: Vec<SinkSpec> = specs
            .map(|delivery| delivery.sink.parse())
            .collect::<Result<_, SpecError>>()?;
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

    /// Opens what a rotation needs. It may have replaced the very key that signs: then the new pair
    /// does, from the journal.
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
            let why = "person: only a server's own rotations wait for a person's word";
            return Err(SpecError::Place(why.to_owned()));
        }
        let mut sinks = Vec::with_capacity(specs.len());
        for spec in specs {
            sinks.push(spec.open(&self.clock).await?);
        }
        Ok(sinks)
    }
}

/// Whether another tick may get further.
const fn is_passing(error: &TickError) -> bool {
    matches!(
        error,
        TickError::Issuer(
            IssuerError::Throttled | IssuerError::Unknown(_) | IssuerError::Unreachable(_)
        )
    )
}

async fn pause_for(pause: Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a wait that the planner asked for"
    )]
    tokio::time::sleep(pause).await;
}
