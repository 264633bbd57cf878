//! One open rotation at work: a task that drives it, waits, and drives it again.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt;
use keywright_base::{AccountId, Timestamp, UniqueId};
use keywright_fleet::driver::{
    DriveError, DriveEvent, DriveLimits, DriveOutcome, DriveStop, specs_of,
};
use keywright_identity::IamFault;
use keywright_rotation::{
    execute::end_without_user,
    model::{Phase, Rotation, RotationId},
    ports::RotationJournal,
};
use keywright_sinks::SinkSpec;
use tokio::sync::{MutexGuard, Notify, watch};

use super::{ServerRotations, locked, slots::SlotPermits};

/// The longest pause. After it, evidence is checked again and the mark on the user is refreshed.
const REST: Duration = Duration::from_secs(10 * 60);
/// How long a response waits for a rotation to become idle.
const ANSWER: Duration = Duration::from_secs(5);
/// How long an order waits for a rotation that is busy.
const ORDER_WAIT: Duration = Duration::from_secs(10);
/// The pause after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// The message for a rotation whose code panicked.
const PANICKED: &str = "The server failed while it carried the rotation out; its log says more.";

/// The result of the last drive.
#[derive(Debug, Clone, Default)]
pub(super) struct DriveStatus {
    /// What the rotation waits for, and until when.
    pub waiting: Option<(String, Timestamp)>,
    /// Why the drive failed.
    pub trouble: Option<String>,
}

/// A rotation that has a task.
pub(super) struct ActiveRotation {
    /// Held by the task or the order that advances the rotation.
    turn: tokio::sync::Mutex<()>,
    /// Counts the orders that wait for the turn.
    orders: watch::Sender<usize>,
    wake: Notify,
    status: Mutex<DriveStatus>,
    /// Counts how often the rotation has become idle.
    idle_count: watch::Sender<u64>,
}

impl Default for ActiveRotation {
    fn default() -> Self {
        Self {
            turn: tokio::sync::Mutex::default(),
            orders: watch::Sender::new(0),
            wake: Notify::new(),
            status: Mutex::default(),
            idle_count: watch::Sender::new(0),
        }
    }
}

impl ActiveRotation {
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Waits for the turn of an order, before which the rotation's own work pauses. The caller may
    /// have lost its permission meanwhile.
    pub(super) async fn order_turn(&self) -> Result<MutexGuard<'_, ()>, IamFault> {
        let _waiting = WaitingOrder::new(&self.orders);
        let turn = tokio::time::timeout(ORDER_WAIT, self.turn.lock()).await;
        turn.map_err(|_| IamFault::Throttled)
    }

    pub(super) fn status(&self) -> DriveStatus {
        locked(&self.status).clone()
    }

    fn has_orders(&self) -> bool {
        *self.orders.borrow() > 0
    }

    /// Waits until that many orders wait for the turn.
    #[cfg(test)]
    pub(super) async fn wait_orders(&self, count: usize) {
        let mut orders = self.orders.subscribe();
        let _ = orders.wait_for(|orders| *orders == count).await;
    }

    /// Makes the task check again now.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// How often the rotation has become idle.
    pub(super) fn idle_count(&self) -> u64 {
        *self.idle_count.borrow()
    }

    /// Waits until the rotation has become idle more than `before` times, up to a timeout.
    pub(super) async fn wait_idle(&self, before: u64) {
        let mut outcomes = self.idle_count.subscribe();
        let rested = outcomes.wait_for(|outcomes| *outcomes > before);
        // After the timeout, the response shows the progress so far.
        let _ = tokio::time::timeout(ANSWER, rested).await;
    }
}

/// An order that waits for the turn.
struct WaitingOrder<'a>(&'a watch::Sender<usize>);

impl<'a> WaitingOrder<'a> {
    fn new(orders: &'a watch::Sender<usize>) -> Self {
        orders.send_modify(|orders| *orders += 1);
        Self(orders)
    }
}

impl Drop for WaitingOrder<'_> {
    fn drop(&mut self) {
        self.0
            .send_modify(|orders| *orders = orders.saturating_sub(1));
    }
}

impl ServerRotations {
    /// Runs a rotation until it is over or the server stops.
    pub(super) async fn run(self: Arc<Self>, id: RotationId, work: Arc<ActiveRotation>) {
        let mut stop = self.stop.subscribe();
        while !*stop.borrow_and_update() {
            // If the task panicked, its rotation would silently stay where it is until the next
            // start.
            let driven = AssertUnwindSafe(self.drive(&id, &work)).catch_unwind();
            let pause = match driven.await {
                Ok(Ok(DriveOutcome::Over(_))) => return,
                Ok(Ok(DriveOutcome::Held(_))) => REST,
                Ok(Ok(DriveOutcome::Wait { until, .. })) => {
                    let secs = until.secs_since(self.clock.now()).max(1);
                    Duration::from_secs(secs.unsigned_abs()).min(REST)
                }
                Ok(Err(_)) => AFTER_FAILURE,
                Err(_) => {
                    tracing::error!(rotation = %id, "a rotation panicked; it is tried again");
                    locked(&work.status).trouble = Some(PANICKED.to_owned());
                    REST
                }
            };
            tokio::select! {
                _ = tokio::time::timeout(pause, work.wake.notified()) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Drives the rotation until it is idle: first what needs no destination, so that no other
    /// rotation's destination delays it, and then the rest.
    pub(super) async fn drive(
        &self,
        id: &RotationId,
        work: &ActiveRotation,
    ) -> Result<DriveOutcome, DriveError> {
        let mut destinations = false;
        loop {
            match self.drive_stretch(id, work, destinations).await? {
                DriveStop::Idle(outcome) => return Ok(outcome),
                DriveStop::NeedsDestinations => destinations = true,
                // The order may have turned the rotation into an incident.
                DriveStop::Interrupted => destinations = false,
            }
        }
    }

    /// Drives the rotation in its turn, with its destinations or without, until it is idle or an
    /// order waits.
    pub(super) async fn drive_stretch(
        &self,
        id: &RotationId,
        work: &ActiveRotation,
        destinations: bool,
    ) -> Result<DriveStop, DriveError> {
        // Orders need no slot, so take the turn last.
        let _slots = match destinations {
            true => Some(self.destination_slots(id).await?),
            false => None,
        };
        let _turn = work.turn().await;
        let _permit = match destinations {
            true => None,
            false => self.issuing.acquire().await.ok(),
        };
        let observer = |rotation: &Rotation, event: DriveEvent<'_>| {
            let (id, user) = (&rotation.id, &rotation.user);
            if let DriveEvent::Step(what) = event {
                tracing::info!(rotation = %id, %user, what, "a rotation went on");
            }
        };
        let limits = DriveLimits {
            destinations,
            patience_secs: 0,
            interrupted: &|| work.has_orders(),
        };
        let rest = match self.driver.drive_within(id, limits, &observer).await {
            Ok(DriveStop::Idle(outcome)) => Ok(outcome),
            Ok(stop) => return Ok(stop),
            Err(error) => Err(error),
        };
        let rest = match rest {
            Ok(DriveOutcome::Held(_)) | Err(_) if self.ends_without_user(id).await => {
                Ok(DriveOutcome::Over(Phase::UserGone))
            }
            rest => rest,
        };
        *locked(&work.status) = match &rest {
            Ok(DriveOutcome::Over(_) | DriveOutcome::Held(_)) => DriveStatus::default(),
            Ok(DriveOutcome::Wait { until, why }) => DriveStatus {
                waiting: Some((why.clone(), *until)),
                trouble: None,
            },
            Err(error) => troubled(id, error),
        };
        if matches!(rest, Ok(DriveOutcome::Over(_))) {
            locked(&self.work).remove(id);
        }
        work.idle_count.send_modify(|outcomes| *outcomes += 1);
        rest.map(DriveStop::Idle)
    }

    /// Waits for slots of a rotation's destinations.
    async fn destination_slots(&self, id: &RotationId) -> Result<SlotPermits, DriveError> {
        let rotation = self.driver.journal().rotation(id).await?;
        let incident = rotation.as_ref().is_some_and(|it| it.incident.is_some());
        // The drive reports a rotation that is gone and a name that cannot be parsed.
        let specs = rotation.and_then(|rotation| specs_of(&rotation).ok());
        let specs = specs.unwrap_or_default();
        let automatic = specs.iter().filter(|spec| !spec.is_person());
        let backends = automatic.map(SinkSpec::backend).collect();
        let slots = if incident {
            &self.incident_slots
        } else {
            &self.slots
        };
        Ok(slots.enter(backends).await)
    }
}

impl ServerRotations {
    /// Ends a rotation whose user was deleted, if the rotation itself cannot find that out: it may
    /// lack a permission, or the principal it acts for may have been deleted too. No order could
    /// end it, since orders name the user.
    async fn ends_without_user(&self, id: &RotationId) -> bool {
        let journal = self.driver.journal();
        let Ok(Some(rotation)) = journal.rotation(id).await else {
            return false;
        };
        let user = rotation.user_id.parse::<UniqueId>();
        let account = rotation.account.parse::<AccountId>();
        let (Ok(user), Ok(account)) = (user, account) else {
            return false;
        };
        let Some(cell) = self.ledger.account(account) else {
            return false;
        };
        let there = cell.snapshot().user_by_id(user).is_some();
        !there
            && end_without_user(journal, id, self.clock.now())
                .await
                .is_ok()
    }
}

fn troubled(id: &RotationId, error: &DriveError) -> DriveStatus {
    tracing::info!(rotation = %id, %error, "a rotation does not go on");
    DriveStatus {
        waiting: None,
        trouble: Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use keywright_identity::IamFault;

    use super::ActiveRotation;

    #[tokio::test(start_paused = true)]
    async fn an_order_gives_up_on_a_busy_rotation() {
        let work = ActiveRotation::default();
        let turn = work.turn().await;
        let waited = work.order_turn().await;
        assert_eq!(waited.err(), Some(IamFault::Throttled));
        assert!(!work.has_orders());
        drop(turn);
        drop(work.order_turn().await.unwrap());
    }
}
