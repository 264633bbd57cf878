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

use super::{
    ActionCall, ActionEntry, ActionRequest, ActionResult, Effort, Preparation,
    erased::RunnableAction, verified_caller,
};
use crate::{
    authorize::{Approval, LongDecision, approve_at_length, approve_shortly},
    fault::IamFault,
    ledger::AccountCell,
    rotations::PermissionCheck,
    service::Identity,
    state::Account,
    view::StateView,
    work::{WorkOwner, WorkPermit, WorkQueue},
};

/// Authorizes and runs an action. Returns its response as XML.
pub(super) async fn carry_out(
    identity: &Arc<Identity>,
    entry: &'static ActionEntry,
    call: ActionCall<'_>,
    request: Arc<dyn ActionRequest>,
) -> Result<ActionResult<String>, IamFault> {
    let cell = identity.ledger.account(call.caller.account());
    let cell = cell.ok_or_else(|| IamFault::Internal("the caller's account is gone".to_owned()))?;
    let mut run = Run {
        identity,
        entry,
        call,
        cell,
        request,
        lease: None,
        long: None,
    };
    let (snapshot, approval) = run.authorize().await?;
    if !entry.alone {
        return run.carry_on(snapshot, approval).await;
    }
    let alone = identity.installation.acquire().await?;
    run.lease = Some(alone.lease().clone());
    // Picks up what other processes committed while they held the lease.
    let refreshed = identity.ledger.refresh().await;
    let done = match refreshed {
        Ok(()) => run.carry_on(snapshot, approval).await,
        Err(error) => Err(error.into()),
    };
    alone.release().await;
    done
}

/// A request in progress.
struct Run<'a> {
    identity: &'a Arc<Identity>,
    entry: &'static ActionEntry,
    call: ActionCall<'a>,
    cell: Arc<AccountCell>,
    request: Arc<dyn ActionRequest>,
    /// The lease that commits must present, if the action runs exclusively.
    lease: Option<Lease>,
    /// The previous decision, if it took long.
    long: Option<Arc<LongDecision>>,
}

/// A decision made outside the request threads: the state it was made on, the approval, and the
/// decision itself if it took long.
type BesideDecision = (Arc<Account>, Approval, Option<LongDecision>);

/// Why nothing was written.
enum Unwritten {
    Fault(IamFault),
    /// The decision takes too long to be made under the account's write lock.
    Undecided,
}

impl Run<'_> {
    async fn carry_on(
        &mut self,
        snapshot: Arc<Account>,
        approval: Approval,
    ) -> Result<ActionResult<String>, IamFault> {
        let ActionEntry {
            effort,
            alone,
            prepares,
            ..
        } = *self.entry;
        if effort == Effort::Small && !(prepares || alone || self.request.writes()) {
            return self.request.run(&self.view(&snapshot), approval);
        }
        let ready: Arc<dyn RunnableAction> = if prepares {
            self.prepare(&snapshot, approval).await?
        } else {
            Arc::clone(&self.request) as _
        };
        match effort {
            Effort::Page => self.page(&ready).await,
            Effort::Long => self.at_length(&ready).await,
            Effort::Small if self.request.writes() => self.write(&*ready).await,
            Effort::Small => self.read(&*ready).await,
        }
    }

    fn view<'s>(&'s self, snapshot: &'s Account) -> StateView<'s> {
        let call = self.call;
        self.identity.view(snapshot, (call.record, call.caller))
    }

    /// Authorizes the request. Returns the approval and the state it was decided on.
    async fn authorize(&mut self) -> Result<(Arc<Account>, Approval), IamFault> {
        let snapshot = self.cell.snapshot().clone();
        match approve_shortly(&self.view(&snapshot), &*self.request, None) {
            Some(approval) => Ok((snapshot, approval?)),
            None => self.authorize_beside().await,
        }
    }

    /// As [`Run::authorize`], outside the request threads and in the caller's turn.
    async fn authorize_beside(&mut self) -> Result<(Arc<Account>, Approval), IamFault> {
        let (snapshot, approval, long) = self.decide_beside().await?;
        self.long = long.map(Arc::new);
        Ok((snapshot, approval))
    }

    async fn decide_beside(&self) -> Result<BesideDecision, IamFault> {
        let place = self.enter(&self.identity.heavy).await?;
        let snapshot = self.cell.snapshot().clone();
        let (approval, long) = self.compute(place, &snapshot, approve_at_length).await?;
        Ok((snapshot, approval, long))
    }

    async fn prepare(
        &self,
        snapshot: &Arc<Account>,
        approval: Approval,
    ) -> Result<Arc<dyn RunnableAction>, IamFault> {
        let with = Preparation {
            identity: self.identity,
            record: self.call.record,
            snapshot,
            view: self.view(snapshot),
            permission: self,
        };
        Arc::clone(&self.request).prepare(with, approval).await
    }

    /// Runs a read-only action after time has passed.
    async fn read(&mut self, ready: &dyn RunnableAction) -> Result<ActionResult<String>, IamFault> {
        for _ in 0..limits::LONG_DECISIONS_EACH {
            let snapshot = self.cell.snapshot().clone();
            let view = self.view(&snapshot);
            check_caller(self.identity, &view)?;
            match approve_shortly(&view, &*self.request, self.long.as_deref()) {
                Some(approval) => return ready.run(&view, approval?),
                None => drop(self.authorize_beside().await?),
            }
        }
        Err(IamFault::Throttled)
    }

    /// Runs a page in the caller's turn.
    async fn page(
        &mut self,
        ready: &Arc<dyn RunnableAction>,
    ) -> Result<ActionResult<String>, IamFault> {
        let mut place = self.enter(&self.identity.pages).await?;
        for _ in 0..limits::LONG_DECISIONS_EACH {
            let snapshot = self.cell.snapshot().clone();
            let (long, ready) = (self.long.clone(), Arc::clone(ready));
            let page = move |view: &StateView<'_>, request: &dyn ActionRequest| {
                let approval = approve_shortly(view, request, long.as_deref());
                approval.map(|it| ready.run(view, it?)).transpose()
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
        ready: &Arc<dyn RunnableAction>,
    ) -> Result<ActionResult<String>, IamFault> {
        let place = self.enter(&self.identity.heavy).await?;
        let snapshot = self.cell.snapshot().clone();
        let ready = Arc::clone(ready);
        let run = move |view: &StateView<'_>, request: &dyn ActionRequest| {
            let (approval, _) = approve_at_length(view, request)?;
            ready.run(view, approval)
        };
        self.compute(place, &snapshot, run).await
    }

    /// Runs and commits a change. It is authorized again on the newest state, under the account's
    /// write lock, so that a permission revoked by a change that is still being flushed no longer
    /// counts.
    async fn write(
        &mut self,
        ready: &dyn RunnableAction,
    ) -> Result<ActionResult<String>, IamFault> {
        for _ in 0..limits::LONG_DECISIONS_EACH {
            let (identity, call, request) = (self.identity, self.call, &*self.request);
            let long = self.long.as_deref();
            let lease = self.lease.as_ref();
            let outcome = identity.ledger.write_under(lease, &self.cell, |account| {
                let view = identity.view(account, (call.record, call.caller));
                check_caller(identity, &view).map_err(Unwritten::Fault)?;
                let approval = approve_shortly(&view, request, long);
                let approval = approval.ok_or(Unwritten::Undecided)?;
                let done = approval.and_then(|approval| ready.run(&view, approval));
                let mut done = done.map_err(Unwritten::Fault)?;
                let changes = std::mem::take(&mut done.changes);
                Ok((done, changes))
            });
            match outcome.await? {
                Ok(done) => return Ok(done),
                Err(Unwritten::Fault(fault)) => return Err(fault),
                // An exclusive action blocks all others, so do not retry.
                Err(Unwritten::Undecided) if self.entry.alone => break,
                Err(Unwritten::Undecided) => drop(self.authorize_beside().await?),
            }
        }
        Err(IamFault::Throttled)
    }

    async fn enter(&self, queue: &WorkQueue) -> Result<WorkPermit, IamFault> {
        queue.enter(WorkOwner::of(self.call.caller)).await
    }

    /// Computes outside the request threads. The caller has waited, so it is authenticated again.
    async fn compute<T, W>(
        &self,
        place: WorkPermit,
        snapshot: &Arc<Account>,
        work: W,
    ) -> Result<T, IamFault>
    where
        T: Send + 'static,
        W: FnOnce(&StateView<'_>, &dyn ActionRequest) -> Result<T, IamFault> + Send + 'static,
    {
        let (identity, record) = (Arc::clone(self.identity), Arc::clone(self.call.record));
        let (snapshot, request) = (Arc::clone(snapshot), Arc::clone(&self.request));
        let work = move || {
            let view = identity.view(&snapshot, (&record, verified_caller(&record)?));
            check_caller(&identity, &view)?;
            work(&view, &*request)
        };
        place.run(work).await?
    }
}

#[async_trait::async_trait]
impl PermissionCheck for Run<'_> {
    async fn check(&self) -> Result<(), IamFault> {
        let shortly = {
            let snapshot = self.cell.snapshot().clone();
            let view = self.view(&snapshot);
            check_caller(self.identity, &view)?;
            approve_shortly(&view, &*self.request, self.long.as_deref())
        };
        match shortly {
            Some(approval) => approval.map(drop),
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
