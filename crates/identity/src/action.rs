//! The one way an action is declared and carried out.
//!
//! It protects the order that clients see: decode and validate, then authorize, then exist and
//! quota, then commit; and the rule that no action runs without a [`Permit`] of its own. An action
//! is declared once, in `actions/`; routing, its policy action name and the list of what is not
//! served are derived from [`ACTIONS`](crate::actions::ACTIONS).

use std::{future::Future, pin::Pin, sync::Arc};

use keywright_store::contract::{SESSIONS_PER_KEY, Session};
use keywright_wire::{Decode, DecodeFault, Form, Operation, OperationShape};

use crate::{
    authorize::{self, Permit, Required},
    caller::Caller,
    fault::{Fault, Quota},
    ledger::AccountCell,
    service::Identity,
    state::{Account, Change},
    view::{Facts, Gathered, Need, View},
    work::WorkOwner,
};

/// The input of an action.
pub type Input<A> = <<A as Action>::Shape as OperationShape>::Input;
/// The output of an action.
pub type Output<A> = <<A as Action>::Shape as OperationShape>::Output;

/// AWS's access levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Lists resources.
    List,
    /// Reads without listing.
    Read,
    /// Creates, deletes or modifies.
    Write,
    /// Grants or modifies permissions.
    PermissionsManagement,
    /// Changes tags only.
    Tagging,
}

impl Access {
    /// Whether actions of this level change state, unless they say otherwise.
    pub const fn changes_state(self) -> bool {
        !matches!(self, Self::List | Self::Read)
    }
}

/// What an action leads to.
#[derive(Debug)]
pub struct Done<O> {
    /// The answer.
    pub output: O,
    /// What changes in the account.
    pub changes: Vec<Change>,
    /// The session it issued, to be recorded before the answer.
    pub session: Option<Session>,
    /// Keys and users whose last use is to be forgotten.
    pub forget: Vec<String>,
    /// Whether rotation policies changed, so that the engine looks at them.
    pub policies_changed: bool,
}

impl<O> Done<O> {
    /// An answer that changes nothing.
    pub const fn answer(output: O) -> Self {
        Self {
            output,
            changes: Vec::new(),
            session: None,
            forget: Vec::new(),
            policies_changed: false,
        }
    }

    /// An answer with one change.
    pub fn change(output: O, change: Change) -> Self {
        Self {
            changes: vec![change],
            ..Self::answer(output)
        }
    }
}

/// An operation of IAM, STS or Keywright's extension, as this server serves it.
pub trait Action: Sized + Send + Sync + 'static {
    /// Its operation in the model.
    type Shape: OperationShape<Input: Send + Sync + 'static, Output: Send>;
    /// AWS's access level.
    const ACCESS: Access;
    /// Whether it must run alone in the whole installation, because it looks at other accounts.
    const ALONE: bool = false;
    /// Whether it computes for longer than the threads that answer requests can spare. Then it runs
    /// on others, of which there are few, when it is the caller's turn. It must not change state.
    const HEAVY: bool = false;

    /// What the caller must be allowed: each action on each resource with its condition keys.
    ///
    /// # Errors
    /// Only what AWS reports before authorization.
    fn required(view: &View<'_>, input: &Input<Self>) -> Result<Required, Fault>;

    /// Whether it may change state, and so runs alone for its account.
    fn writes(_input: &Input<Self>) -> bool {
        Self::ACCESS.changes_state()
    }

    /// What must be gathered between authorization and [`Action::run`].
    ///
    /// # Errors
    /// As [`Action::run`].
    fn needs(_view: &View<'_>, _input: &Input<Self>) -> Result<Vec<Need>, Fault> {
        Ok(Vec::new())
    }

    /// Carries it out on a snapshot.
    ///
    /// # Errors
    /// What AWS reports after authorization.
    fn run(view: &View<'_>, permit: Permit<Self>, input: &Input<Self>) -> Outcome<Self>;
}

/// The result of [`Action::run`].
pub type Outcome<A> = Result<Done<Output<A>>, Fault>;

/// A request for an action, decoded as far as its parameters.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Who calls.
    pub caller: &'a Arc<Caller>,
    /// The request's head.
    pub facts: &'a Facts,
    /// The parameters.
    pub form: &'a Form,
    /// The id of the request, for the answer.
    pub request_id: &'a str,
}

/// A request as an action sees it, beside its input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestHead<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) facts: &'a Facts,
    pub(crate) request_id: &'a str,
}

impl<'a> From<Call<'a>> for RequestHead<'a> {
    fn from(call: Call<'a>) -> Self {
        Self {
            caller: call.caller,
            facts: call.facts,
            request_id: call.request_id,
        }
    }
}

type Handling<'a> = Pin<Box<dyn Future<Output = Result<String, Fault>> + Send + 'a>>;

/// A row of the action table.
pub struct Served {
    /// Its operation.
    pub operation: &'static Operation,
    /// Its access level.
    pub access: Access,
    /// Whether it runs beside the threads that answer requests.
    pub heavy: bool,
    pub(crate) handle: for<'a> fn(&'a Arc<Identity>, Call<'a>) -> Handling<'a>,
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Served({})", self.operation.policy_action)
    }
}

/// The row of an action.
pub const fn served<A: Action>() -> Served {
    Served {
        operation: <A::Shape as OperationShape>::OPERATION,
        access: A::ACCESS,
        heavy: A::HEAVY,
        handle: |identity, call| Box::pin(handle::<A>(identity, call)),
    }
}

async fn handle<A: Action>(identity: &Arc<Identity>, call: Call<'_>) -> Result<String, Fault> {
    let input = Input::<A>::decode(call.form).map_err(decode_fault)?;
    let done = carry_out::<A>(identity, call, input).await?;
    if let Some(session) = done.session {
        let recorded = identity.store.record_session(session).await;
        if !recorded.map_err(|error| Fault::Internal(error.to_string()))? {
            return Err(Quota::Named("SessionsPerAccessKey", SESSIONS_PER_KEY).into());
        }
    }
    identity.usage.forget(done.forget);
    if done.policies_changed
        && let Some(engine) = identity.rotations.get()
    {
        engine.policies_changed();
    }
    Ok(done.output)
}

/// Authorizes and runs an action; gives its answer as XML.
async fn carry_out<A: Action>(
    identity: &Arc<Identity>,
    call: Call<'_>,
    input: Input<A>,
) -> Result<Done<String>, Fault> {
    let cell = identity.ledger.account(call.caller.account());
    let cell = cell.ok_or_else(|| Fault::Internal("the caller's account is gone".to_owned()))?;
    let none = Gathered::default();
    let snapshot = cell.snapshot().clone();
    let view = identity.view(&snapshot, call, &none);
    let permit = authorize::permit::<A>(&view, &input)?;
    let _alone = if A::ALONE {
        Some(identity.alone.lock().await)
    } else {
        None
    };
    let needs = A::needs(&view, &input)?;
    let gathered = if needs.is_empty() {
        none
    } else {
        let owner = WorkOwner::of(call.caller);
        identity.gather(needs, owner, &snapshot).await?
    };
    if A::HEAVY {
        drop(permit);
        return run_heavy::<A>(identity, call, (cell, input, gathered)).await;
    }
    if !A::writes(&input) {
        let done = A::run(&identity.view(&snapshot, call, &gathered), permit, &input)?;
        return Ok(encoded::<A>(done, call.request_id));
    }
    // Decided again on the newest state, under the account's order of writes: what was revoked by a
    // change that is still being flushed no longer permits.
    drop(permit);
    let outcome = identity.ledger.write(&cell, |account| {
        let view = identity.view(account, call, &gathered);
        let mut done = run_again::<A>(identity, &view, &input)?;
        let changes = std::mem::take(&mut done.changes);
        Ok::<_, Fault>((done, changes))
    });
    let done = outcome
        .await
        .map_err(|error| Fault::Internal(error.to_string()))??;
    Ok(encoded::<A>(done, call.request_id))
}

/// Waits for the caller's turn, then computes and encodes on a thread that answers no requests.
async fn run_heavy<A: Action>(
    identity: &Arc<Identity>,
    call: Call<'_>,
    (cell, input, gathered): (Arc<AccountCell>, Input<A>, Gathered),
) -> Result<Done<String>, Fault> {
    let place = identity.heavy.enter(WorkOwner::of(call.caller)).await?;
    let (identity, caller) = (Arc::clone(identity), Arc::clone(call.caller));
    let (facts, request_id) = (call.facts.clone(), call.request_id.to_owned());
    // The state after the wait; it holds no lock.
    let snapshot: Arc<Account> = cell.snapshot().clone();
    let work = move || {
        let head = RequestHead {
            caller: &caller,
            facts: &facts,
            request_id: &request_id,
        };
        let view = identity.view(&snapshot, head, &gathered);
        let done = run_again::<A>(&identity, &view, &input)?;
        Ok(encoded::<A>(done, &request_id))
    };
    place.run(work).await?
}

/// Runs an action that has waited: its caller must still be one, and still be allowed.
fn run_again<A: Action>(identity: &Identity, view: &View<'_>, input: &Input<A>) -> Outcome<A> {
    let revoked = identity
        .authenticator()
        .check_again(view.account, view.caller, view.facts.now);
    revoked.map_err(|_| Fault::Revoked)?;
    let permit = authorize::permit::<A>(view, input)?;
    A::run(view, permit, input)
}

fn encoded<A: Action>(done: Done<Output<A>>, request_id: &str) -> Done<String> {
    let operation = <A::Shape as OperationShape>::OPERATION;
    Done {
        output: keywright_wire::answer(operation, &done.output, request_id),
        changes: done.changes,
        session: done.session,
        forget: done.forget,
        policies_changed: done.policies_changed,
    }
}

fn decode_fault(fault: DecodeFault) -> Fault {
    match fault {
        DecodeFault::Malformed(text) => Fault::MalformedInput(text.to_string()),
        DecodeFault::Validation(text) => Fault::Validation(text),
    }
}

#[cfg(test)]
mod tests;
