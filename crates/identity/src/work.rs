//! Queues for processor-bound work: a few slots, granted to waiting owners in turn.
//!
//! Invariants:
//!
//! - However much work is requested, only a limited number of threads compute at a time, none of
//!   which is a request thread.
//! - A principal with much work waits behind its own work and does not delay others: slots go
//!   round-robin from principal to principal.
//! - No one waits indefinitely. A full queue and a wait that takes too long are answered with
//!   `Throttling`, which clients retry, and a client that disconnects leaves the queue.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use keywright_base::{AccountId, UniqueId, limits};
use tokio::sync::oneshot;

use crate::{caller::Caller, fault::IamFault, principal::Principal, state::CredentialOwner};

/// The owner of work. Each has a queue of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkOwner {
    /// The root user of an account.
    Root(AccountId),
    /// An IAM user or a role, with any credentials.
    Entity(UniqueId),
    /// An unauthenticated network address.
    Address(IpAddr),
    /// The server itself.
    Installation,
}

impl WorkOwner {
    /// The owner of a verified caller's work.
    pub const fn of(caller: &Caller) -> Self {
        match caller.principal() {
            Principal::Root { account, .. } => Self::Root(*account),
            Principal::User { id, .. } => Self::Entity(*id),
            Principal::RoleSession(session) => Self::Entity(session.role),
            Principal::FederatedUser(session) => match session.issuer {
                CredentialOwner::Root => Self::Root(session.account),
                CredentialOwner::User(id) => Self::Entity(id),
            },
        }
    }

    /// The owner of an address's work. For IPv6 the /64 network, which one client usually has to
    /// itself.
    pub fn address(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        })
    }
}

/// The limits of running and waiting work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkLimits {
    /// Concurrent work.
    pub(crate) permits: usize,
    /// Waiting work per owner.
    pub(crate) waiting_each: usize,
    /// Waiting work of all owners.
    pub(crate) waiting: usize,
    /// The longest wait.
    pub(crate) wait: Duration,
}

impl WorkLimits {
    /// For heavy actions: one processor stays free for everything else.
    pub(crate) fn of_actions() -> Self {
        Self {
            permits: spare_processors(),
            waiting_each: limits::HEAVY_WAITING_EACH,
            waiting: limits::HEAVY_WAITING,
            wait: Duration::from_secs(limits::WORK_WAIT_SECS),
        }
    }

    /// For pages of IAM: one processor stays free for everything else.
    pub(crate) fn of_pages() -> Self {
        Self {
            permits: spare_processors(),
            waiting_each: limits::PAGES_WAITING_EACH,
            waiting: limits::PAGES_WAITING,
            wait: Duration::from_secs(limits::WORK_WAIT_SECS),
        }
    }

    /// For S3 listings, which read many rows: one reader of the index stays free for others.
    pub(crate) fn of_listings() -> Self {
        Self {
            permits: spare_processors(),
            waiting_each: limits::LISTINGS_WAITING_EACH,
            waiting: limits::LISTINGS_WAITING,
            wait: Duration::from_secs(limits::WORK_WAIT_SECS),
        }
    }

    /// For password hashes, which also need memory.
    pub(crate) fn of_passwords() -> Self {
        Self {
            permits: spare_processors().min(limits::PASSWORD_HASHES),
            waiting_each: limits::PASSWORDS_WAITING_EACH,
            waiting: limits::PASSWORDS_WAITING,
            wait: Duration::from_secs(limits::WORK_WAIT_SECS),
        }
    }
}

fn spare_processors() -> usize {
    let all = thread::available_parallelism().map_or(1, usize::from);
    all.saturating_sub(1).max(1)
}

/// The slots and their queues.
#[derive(Debug, Clone)]
pub(crate) struct WorkQueue {
    limits: WorkLimits,
    state: Arc<Mutex<WaitingLines>>,
}

/// All waiting work. Empty while a slot is free.
#[derive(Debug)]
struct WaitingLines {
    free: usize,
    waiting: usize,
    next_ticket: u64,
    /// The owner whose turn it is comes first.
    lines: VecDeque<OwnerLine>,
}

#[derive(Debug)]
struct OwnerLine {
    owner: WorkOwner,
    waiters: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    place: oneshot::Sender<WorkPermit>,
}

/// A slot, released when this is dropped.
#[derive(Debug)]
pub struct WorkPermit {
    queue: WorkQueue,
}

impl WorkQueue {
    pub(crate) fn new(limits: WorkLimits) -> Self {
        let lines = WaitingLines {
            free: limits.permits,
            waiting: 0,
            next_ticket: 0,
            lines: VecDeque::new(),
        };
        Self {
            limits,
            state: Arc::new(Mutex::new(lines)),
        }
    }

    #[cfg(test)]
    pub(crate) const fn limits(&self) -> WorkLimits {
        self.limits
    }

    /// Waits for a slot.
    ///
    /// # Errors
    /// [`IamFault::Throttled`] if too much work is waiting, or the wait takes too long.
    pub(crate) async fn enter(&self, owner: WorkOwner) -> Result<WorkPermit, IamFault> {
        let (ticket, place) = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                return Ok(self.permit());
            }
            state.join(owner, self.limits)?
        };
        let _waiting = QueuedWork {
            queue: self,
            owner,
            ticket,
        };
        match tokio::time::timeout(self.limits.wait, place).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(IamFault::Throttled),
        }
    }

    fn permit(&self) -> WorkPermit {
        WorkPermit {
            queue: self.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, WaitingLines> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes a released slot to the next in turn.
    fn release(&self) {
        let next = {
            let mut state = self.state();
            let next = state.take_next();
            if next.is_none() {
                state.free += 1;
            }
            next
        };
        if let Some(waiter) = next {
            // If the waiter has gone, it drops the permit, which calls this again.
            let _ = waiter.place.send(self.permit());
        }
    }
}

impl WaitingLines {
    fn join(
        &mut self,
        owner: WorkOwner,
        limits: WorkLimits,
    ) -> Result<(u64, oneshot::Receiver<WorkPermit>), IamFault> {
        if self.waiting >= limits.waiting {
            return Err(IamFault::Throttled);
        }
        let ticket = self.next_ticket;
        let (place, receiver) = oneshot::channel();
        let waiter = Waiter { ticket, place };
        match self.lines.iter_mut().find(|line| line.owner == owner) {
            Some(line) if line.waiters.len() >= limits.waiting_each => {
                return Err(IamFault::Throttled);
            }
            Some(line) => line.waiters.push_back(waiter),
            None => self.lines.push_back(OwnerLine {
                owner,
                waiters: VecDeque::from([waiter]),
            }),
        }
        self.next_ticket += 1;
        self.waiting += 1;
        Ok((ticket, receiver))
    }

    /// Takes the first waiter of the first queue, and moves that queue to the end.
    fn take_next(&mut self) -> Option<Waiter> {
        let mut line = self.lines.pop_front()?;
        let waiter = line.waiters.pop_front()?;
        self.waiting -= 1;
        if !line.waiters.is_empty() {
            self.lines.push_back(line);
        }
        Some(waiter)
    }

    /// Removes a waiter that no longer waits. Does nothing if its turn has come.
    fn leave(&mut self, owner: WorkOwner, ticket: u64) {
        let Some(at) = self.lines.iter().position(|line| line.owner == owner) else {
            return;
        };
        let Some(line) = self.lines.get_mut(at) else {
            return;
        };
        let before = line.waiters.len();
        line.waiters.retain(|waiter| waiter.ticket != ticket);
        self.waiting -= before - line.waiters.len();
        if line.waiters.is_empty() {
            self.lines.remove(at);
        }
    }
}

/// A waiter in a queue, until it gets a slot or its client gives up.
struct QueuedWork<'a> {
    queue: &'a WorkQueue,
    owner: WorkOwner,
    ticket: u64,
}

impl Drop for QueuedWork<'_> {
    fn drop(&mut self) {
        self.queue.state().leave(self.owner, self.ticket);
    }
}

impl WorkPermit {
    /// Computes off the async threads. The slot stays taken until the computation ends, even if no
    /// one waits for its result any more.
    ///
    /// # Errors
    /// [`IamFault::Internal`] if the computation panics.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, IamFault> {
        let working = tokio::task::spawn_blocking(move || {
            let _place = self;
            work()
        });
        working
            .await
            .map_err(|_| IamFault::Internal("heavy work was cut off".to_owned()))
    }
}

impl Drop for WorkPermit {
    fn drop(&mut self) {
        self.queue.release();
    }
}

#[cfg(test)]
mod tests;
