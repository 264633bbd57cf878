//! Runs an action: authorizes it, prefetches its data, and executes it where its declaration says.
//!
//! Invariants:
//!
//! - The request threads never compute for long. Long decisions, pages and long actions are queued
//!   to run elsewhere.
//! - After waiting in a queue, a request is authenticated and authorized again on the current
//!   state.

use std::sync::Arc;

use keywright_base::limits;
use keywright_wire::OperationShape;

use super::{Action, ActionCall, ActionResult, Effort, Input, Output, RequestHead};
use crate::{
    authorize::{LongDecision, Permit, permit_at_length, permit_shortly},
    fault::IamFault,
    ledger::AccountCell,
    service::Identity,
    state::Account,
    view::{Prefetched, StateView},
    work::{WorkOwner, WorkPermit, WorkQueue},
};

/// Authorizes and runs an action. Returns its response as XML.
pub(super) async fn carry_out<A: Action>(
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
        long: None,
    };
    let (snapshot, permit) = run.authorize().await?;
    let _alone = if A::ALONE {
        Some(identity.alone.lock().await)
    } else {
        None
    };
    match A::EFFORT {
        Effort::Page => run.page(&snapshot).await,
        Effort::Long => run.at_length(&snapshot).await,
        Effort::Small => {
            let gathered = run.gather(&snapshot).await?;
            if A::writes(&run.input) {
                return run.write(&gathered).await;
            }
            let view = identity.view(&snapshot, call, &gathered);
            let done = A::run(&view, permit, &run.input)?;
            Ok(encoded::<A>(done, call.request_id))
        }
    }
}

/// A request in progress.
struct Run<'a, A: Action> {
    identity: &'a Arc<Identity>,
    call: ActionCall<'a>,
    cell: Arc<AccountCell>,
    input: Arc<Input<A>>,
    /// The last permission, if the decision took long.
    long: Option<Arc<LongDecision<A>>>,
}

/// Why nothing was written.
enum Unwritten {
    Fault(IamFault),
    /// The decision takes too long to be made under the account's write lock.
    Undecided,
}

impl<A: Action> Run<'_, A> {
    /// Authorizes the request. Returns the permit and the state on which it was decided.
    async fn authorize(&mut self) -> Result<(Arc<Account>, Permit<A>), IamFault> {
        let snapshot = self.cell.snapshot().clone();
        let none = Prefetched::default();
        let view = self.identity.view(&snapshot, self.call, &none);
        match permit_shortly::<A>(&view, &self.input, None) {
            Some(permit) => Ok((snapshot, permit?)),
            None => self.authorize_beside().await,
        }
    }

    /// The same outside the request threads, when it is the caller's turn.
    async fn authorize_beside(&mut self) -> Result<(Arc<Account>, Permit<A>), IamFault> {
        let place = self.enter(&self.identity.heavy).await?;
        let snapshot = self.cell.snapshot().clone();
        let decide = |view: &StateView<'_>, input: &Input<A>| permit_at_length::<A>(view, input);
        let none = Arc::new(Prefetched::default());
        let deciding = self.compute(place, (&snapshot, none), decide);
        let (permit, long) = deciding.await?;
        self.long = long.map(Arc::new);
        Ok((snapshot, permit))
    }

    async fn gather(&self, snapshot: &Arc<Account>) -> Result<Prefetched, IamFault> {
        let none = Prefetched::default();
        let view = self.identity.view(snapshot, self.call, &none);
        let needs = A::needs(&view, &self.input)?;
        if needs.is_empty() {
            return Ok(Prefetched::default());
        }
        let owner = WorkOwner::of(self.call.caller);
        self.identity.gather(needs, owner, snapshot).await
    }

    /// Runs a page when it is the caller's turn.
    async fn page(&mut self, snapshot: &Arc<Account>) -> Result<ActionResult<String>, IamFault> {
        let mut place = self.enter(&self.identity.pages).await?;
        let gathered = Arc::new(self.gather(snapshot).await?);
        for _ in 0..limits::LONG_DECISIONS_EACH {
            let snapshot = self.cell.snapshot().clone();
            let (long, gathered) = (self.long.clone(), Arc::clone(&gathered));
            let page = move |view: &StateView<'_>, input: &Input<A>| {
                let Some(permit) = permit_shortly::<A>(view, input, long.as_deref()) else {
                    return Ok(None);
                };
                let done = A::run(view, permit?, input)?;
                Ok(Some(encoded::<A>(done, view.request_id)))
            };
            if let Some(done) = self.compute(place, (&snapshot, gathered), page).await? {
                return Ok(done);
            }
            drop(self.authorize_beside().await?);
            place = self.enter(&self.identity.pages).await?;
        }
        Err(IamFault::Throttled)
    }

    /// Runs a long action when it is the caller's turn.
    async fn at_length(&self, snapshot: &Arc<Account>) -> Result<ActionResult<String>, IamFault> {
        let gathered = Arc::new(self.gather(snapshot).await?);
        let place = self.enter(&self.identity.heavy).await?;
        let snapshot = self.cell.snapshot().clone();
        let run = |view: &StateView<'_>, input: &Input<A>| {
            let (permit, _) = permit_at_length::<A>(view, input)?;
            let done = A::run(view, permit, input)?;
            Ok(encoded::<A>(done, view.request_id))
        };
        self.compute(place, (&snapshot, gathered), run).await
    }

    /// Runs and commits a change. It is authorized again on the newest state, under the account's
    /// write lock: a permission revoked by a change that is still being flushed no longer counts.
    async fn write(&mut self, gathered: &Prefetched) -> Result<ActionResult<String>, IamFault> {
        for _ in 0..limits::LONG_DECISIONS_EACH {
            let (identity, call, input) = (self.identity, self.call, &self.input);
            let long = self.long.as_deref();
            let outcome = identity.ledger.write(&self.cell, |account| {
                let view = identity.view(account, call, gathered);
                check_caller(identity, &view).map_err(Unwritten::Fault)?;
                let permit = permit_shortly::<A>(&view, input, long);
                let permit = permit.ok_or(Unwritten::Undecided)?;
                let done = permit.and_then(|permit| A::run(&view, permit, input));
                let mut done = done.map_err(Unwritten::Fault)?;
                let changes = std::mem::take(&mut done.changes);
                Ok((done, changes))
            });
            let outcome = outcome.await;
            match outcome.map_err(|error| IamFault::Internal(error.to_string()))? {
                Ok(done) => return Ok(encoded::<A>(done, call.request_id)),
                Err(Unwritten::Fault(fault)) => return Err(fault),
                // An action with exclusive access blocks all others, so do not retry.
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
        (snapshot, gathered): (&Arc<Account>, Arc<Prefetched>),
        work: impl FnOnce(&StateView<'_>, &Input<A>) -> Result<T, IamFault> + Send + 'static,
    ) -> Result<T, IamFault> {
        let (identity, caller) = (Arc::clone(self.identity), Arc::clone(self.call.caller));
        let (facts, request_id) = (self.call.facts.clone(), self.call.request_id.to_owned());
        let (snapshot, input) = (Arc::clone(snapshot), Arc::clone(&self.input));
        let work = move || {
            let head = RequestHead {
                caller: &caller,
                facts: &facts,
                request_id: &request_id,
            };
            let view = identity.view(&snapshot, head, &gathered);
            check_caller(&identity, &view)?;
            work(&view, &input)
        };
        place.run(work).await?
    }
}

fn check_caller(identity: &Identity, view: &StateView<'_>) -> Result<(), IamFault> {
    let authenticator = identity.authenticator();
    let checked = authenticator.check_again(view.account, view.caller, view.context.now);
    checked.map_err(|_| IamFault::Revoked)
}

fn encoded<A: Action>(done: ActionResult<Output<A>>, request_id: &str) -> ActionResult<String> {
    let operation = <A::Shape as OperationShape>::OPERATION;
    ActionResult {
        output: keywright_wire::answer(operation, &done.output, request_id),
        changes: done.changes,
        session: done.session,
        forget: done.forget,
        policies_changed: done.policies_changed,
    }
}
