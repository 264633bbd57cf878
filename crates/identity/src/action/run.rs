//! Runs an action: authorizes it, lets it prepare, and executes it on the threads it declares.
//!
//! Invariants:
//!
//! - The request threads never compute for long. Long decisions, pages and long actions are queued
//!   to run elsewhere.
//! - After waiting in a queue or preparing, a request is authenticated and authorized again on the
//!   newest state.

use std::sync::Arc;

use keywright_base::limits;
use keywright_store::contract::Lease;
use keywright_wire::OperationShape;

use super::{
    ActionCall, ActionResult, Effort, Input, Output, Preparation, PreparedAction, verified_caller,
};
use crate::{
    authorize::{LongDecision, Permit, permit_at_length, permit_shortly},
    fault::IamFault,
    ledger::AccountCell,
    rotations::PermissionCheck,
    service::Identity,
    state::Account,
    view::StateView,
    work::{WorkOwner, WorkPermit, WorkQueue},
};

/// Authorizes and runs an action. Returns its response as XML.
pub(super) async fn carry_out<A: PreparedAction>(
    identity: &Arc<Identity>,
    call: ActionCall<'_>,
    input: Input<A>,
) -> Result<ActionResult<String>, IamFault> {
    let cell = identity.ledger.account(call.caller.account());
    let cell = cell.ok_or_else(|| IamFault::Internal("the caller's account is gone".to_owned()))?;
    let mut run = Run::<A> {
        identity,
        call,
        cell,
        input: Arc::new(input),
        lease: None,
        long: None,
    };
    let (snapshot, permit) = run.authorize().await?;
    if !A::ALONE {
        return run.carry_on(snapshot, permit).await;
    }
    let alone = identity.installation.acquire().await?;
    run.lease = Some(alone.lease().clone());
    // Picks up what other processes committed while they held the lease.
    let refreshed = identity.ledger.refresh().await;
    let done = match refreshed {
        Ok(()) => run.carry_on(snapshot, permit).await,
        Err(error) => Err(error.into()),
    };
    alone.release().await;
    done
}

/// A request in progress.
struct Run<'a, A: PreparedAction> {
    identity: &'a Arc<Identity>,
    call: ActionCall<'a>,
    cell: Arc<AccountCell>,
    input: Arc<Input<A>>,
    /// The lease that commits must present, if the action runs exclusively.
    lease: Option<Lease>,
    /// The previous decision, if it took long.
    long: Option<Arc<LongDecision<A>>>,
}

/// A decision made outside the request threads: the state it was made on, the permit, and the
/// decision itself if it took long.
type BesideDecision<A> = (Arc<Account>, Permit<A>, Option<LongDecision<A>>);

/// Why nothing was written.
enum Unwritten {
    Fault(IamFault),
    /// The decision takes too long to be made under the account's write lock.
    Undecided,
}

impl<A: PreparedAction> Run<'_, A> {
    async fn carry_on(
        &mut self,
        snapshot: Arc<Account>,
        permit: Permit<A>,
    ) -> Result<ActionResult<String>, IamFault> {
        let prepared = Arc::new(self.prepare(&snapshot, &permit).await?);
        match A::EFFORT {
            Effort::Page => self.page(&prepared).await,
            Effort::Long => self.at_length(&prepared).await,
            Effort::Small if A::writes(&self.input) => self.write(&prepared).await,
            Effort::Small if A::PREPARES || A::ALONE => self.read(&prepared).await,
            Effort::Small => {
                let view = self.view(&snapshot);
                let done = A::run(&view, permit, &self.input, &prepared);
                done.map(|done| encoded::<A>(done, &self.call.record.request_id))
            }
        }
    }

    fn view<'s>(&'s self, snapshot: &'s Account) -> StateView<'s> {
        let call = self.call;
        self.identity.view(snapshot, (call.record, call.caller))
    }

    /// Authorizes the request. Returns the permit and the state it was decided on.
    async fn authorize(&mut self) -> Result<(Arc<Account>, Permit<A>), IamFault> {
        let snapshot = self.cell.snapshot().clone();
        let view = self.view(&snapshot);
        match permit_shortly::<A>(&view, &self.input, None) {
            Some(permit) => Ok((snapshot, permit?)),
            None => self.authorize_beside().await,
        }
    }

    /// As [`Run::authorize`], outside the request threads and in the caller's turn.
    async fn authorize_beside(&mut self) -> Result<(Arc<Account>, Permit<A>), IamFault> {
        let (snapshot, permit, long) = self.decide_beside().await?;
        self.long = long.map(Arc::new);
        Ok((snapshot, permit))
    }

    async fn decide_beside(&self) -> Result<BesideDecision<A>, IamFault> {
        let place = self.enter(&self.identity.heavy).await?;
        let snapshot = self.cell.snapshot().clone();
        let decide = |view: &StateView<'_>, input: &Input<A>| permit_at_length::<A>(view, input);
        let deciding = self.compute(place, &snapshot, decide);
        let (permit, long) = deciding.await?;
        Ok((snapshot, permit, long))
    }

    async fn prepare(
        &self,
        snapshot: &Arc<Account>,
        permit: &Permit<A>,
    ) -> Result<A::Prepared, IamFault> {
        let with = Preparation {
            identity: self.identity,
            snapshot,
            view: self.view(snapshot),
            permission: self,
        };
        A::prepare(&with, permit, &self.input).await
    }

    /// Runs a read-only action after time has passed.
    async fn read(&mut self, prepared: &A::Prepared) -> Result<ActionResult<String>, IamFault> {
        for _ in 0..limits::LONG_DECISIONS_EACH {
            let snapshot = self.cell.snapshot().clone();
            let view = self.view(&snapshot);
            check_caller(self.identity, &view)?;
            let Some(permit) = permit_shortly::<A>(&view, &self.input, self.long.as_deref()) else {
                drop(self.authorize_beside().await?);
                continue;
            };
            let done = A::run(&view, permit?, &self.input, prepared)?;
            return Ok(encoded::<A>(done, &self.call.record.request_id));
        }
        Err(IamFault::Throttled)
    }

    /// Runs a page in the caller's turn.
    async fn page(
        &mut self,
        prepared: &Arc<A::Prepared>,
    ) -> Result<ActionResult<String>, IamFault> {
        let mut place = self.enter(&self.identity.pages).await?;
        for _ in 0..limits::LONG_DECISIONS_EACH {
            let snapshot = self.cell.snapshot().clone();
            let (long, prepared) = (self.long.clone(), Arc::clone(prepared));
            let page = move |view: &StateView<'_>, input: &Input<A>| {
                let Some(permit) = permit_shortly::<A>(view, input, long.as_deref()) else {
                    return Ok(None);
                };
                let done = A::run(view, permit?, input, &prepared)?;
                Ok(Some(encoded::<A>(done, view.request_id)))
            };
            if let Some(done) = self.compute(place, &snapshot, page).await? {
                return Ok(done);
            }
            drop(self.authorize_beside().await?);
            place = self.enter(&self.identity.pages).await?;
        }
        Err(IamFault::Throttled)
    }

    /// Runs a long action in the caller's turn.
    async fn at_length(
        &self,
        prepared: &Arc<A::Prepared>,
    ) -> Result<ActionResult<String>, IamFault> {
        let place = self.enter(&self.identity.heavy).await?;
        let snapshot = self.cell.snapshot().clone();
        let prepared = Arc::clone(prepared);
        let run = move |view: &StateView<'_>, input: &Input<A>| {
            let (permit, _) = permit_at_length::<A>(view, input)?;
            let done = A::run(view, permit, input, &prepared)?;
            Ok(encoded::<A>(done, view.request_id))
        };
        self.compute(place, &snapshot, run).await
    }

    /// Runs and commits a change. It is authorized again on the newest state, under the account's
    /// write lock, so that a permission revoked by a change that is still being flushed no longer
    /// counts.
    async fn write(&mut self, prepared: &A::Prepared) -> Result<ActionResult<String>, IamFault> {
        for _ in 0..limits::LONG_DECISIONS_EACH {
            let (identity, call, input) = (self.identity, self.call, &self.input);
            let long = self.long.as_deref();
            let lease = self.lease.as_ref();
            let outcome = identity.ledger.write_under(lease, &self.cell, |account| {
                let view = identity.view(account, (call.record, call.caller));
                check_caller(identity, &view).map_err(Unwritten::Fault)?;
                let permit = permit_shortly::<A>(&view, input, long);
                let permit = permit.ok_or(Unwritten::Undecided)?;
                let done = permit.and_then(|permit| A::run(&view, permit, input, prepared));
                let mut done = done.map_err(Unwritten::Fault)?;
                let changes = std::mem::take(&mut done.changes);
                Ok((done, changes))
            });
            match outcome.await? {
                Ok(done) => return Ok(encoded::<A>(done, &call.record.request_id)),
                Err(Unwritten::Fault(fault)) => return Err(fault),
                // An exclusive action blocks all others, so do not retry.
                Err(Unwritten::Undecided) if A::ALONE => break,
                Err(Unwritten::Undecided) => drop(self.authorize_beside().await?),
            }
        }
        Err(IamFault::Throttled)
    }

    async fn enter(&self, queue: &WorkQueue) -> Result<WorkPermit, IamFault> {
        queue.enter(WorkOwner::of(self.call.caller)).await
    }

    /// Computes outside the request threads. The caller has waited, so it is authenticated again.
    async fn compute<T: Send + 'static>(
        &self,
        place: WorkPermit,
        snapshot: &Arc<Account>,
        work: impl FnOnce(&StateView<'_>, &Input<A>) -> Result<T, IamFault> + Send + 'static,
    ) -> Result<T, IamFault> {
        let (identity, record) = (Arc::clone(self.identity), Arc::clone(self.call.record));
        let (snapshot, input) = (Arc::clone(snapshot), Arc::clone(&self.input));
        let work = move || {
            let view = identity.view(&snapshot, (&record, verified_caller(&record)?));
            check_caller(&identity, &view)?;
            work(&view, &input)
        };
        place.run(work).await?
    }
}

#[async_trait::async_trait]
impl<A: PreparedAction> PermissionCheck for Run<'_, A> {
    async fn check(&self) -> Result<(), IamFault> {
        let shortly = {
            let snapshot = self.cell.snapshot().clone();
            let view = self.view(&snapshot);
            check_caller(self.identity, &view)?;
            permit_shortly::<A>(&view, &self.input, self.long.as_deref())
        };
        match shortly {
            Some(permit) => permit.map(drop),
            None => self.decide_beside().await.map(drop),
        }
    }
}

fn check_caller(identity: &Identity, view: &StateView<'_>) -> Result<(), IamFault> {
    let authenticator = identity.authenticator();
    let checked = authenticator.check_again(view.account, view.caller, view.context.now);
    checked.map_err(|failure| {
        view.record.note_failure(&failure);
        IamFault::Revoked
    })
}

fn encoded<A: PreparedAction>(
    done: ActionResult<Output<A>>,
    request_id: &str,
) -> ActionResult<String> {
    let operation = <A::Shape as OperationShape>::OPERATION;
    ActionResult {
        output: keywright_wire::answer(operation, &done.output, request_id),
        changes: done.changes,
        session: done.session,
        forget: done.forget,
        policies_changed: done.policies_changed,
    }
}
