//! The one way an action is declared and carried out.
//!
//! It protects the order that clients see: decode and validate, then authorize, then exist and
//! quota, then commit; and the rule that no action runs without a [`Permit`] of its own. An action
//! is declared once, in `actions/`; routing, its policy action name and the list of what is not
//! served are derived from [`ACTIONS`](crate::actions::ACTIONS).

mod run;

use std::{future::Future, pin::Pin, sync::Arc};

use keywright_base::limits;
use keywright_store::contract::{IssuedSession, SESSIONS_PER_KEY};
use keywright_wire::{Decode, DecodeFault, Form, Operation, OperationShape};

use crate::{
    authorize::{Permit, Requirement},
    caller::Caller,
    fault::{IamFault, ReachedQuota},
    service::Identity,
    state::StateChange,
    view::{Prefetch, RequestContext, StateView},
    work::WorkOwner,
};

/// The input of an action.
pub type Input<A> = <<A as Action>::Shape as OperationShape>::Input;
/// The output of an action.
pub type Output<A> = <<A as Action>::Shape as OperationShape>::Output;

/// AWS's access levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionLevel {
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

impl ActionLevel {
    /// Whether actions of this level change state, unless they say otherwise.
    pub const fn changes_state(self) -> bool {
        !matches!(self, Self::List | Self::Read)
    }
}

/// How much an action computes, and so where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Little, and its answer is short, whatever an account holds: where requests are answered.
    Small,
    /// A page of many items, or as much text: on other threads, of which there are few, when it is
    /// the caller's turn.
    Page,
    /// For longer: likewise, but apart from pages, so that nobody waits for it who wants one.
    Long,
}

impl Effort {
    /// What lists is taken for a page, unless it says otherwise.
    pub const fn of(access: ActionLevel) -> Self {
        match access {
            ActionLevel::List => Self::Page,
            ActionLevel::Read
            | ActionLevel::Write
            | ActionLevel::PermissionsManagement
            | ActionLevel::Tagging => Self::Small,
        }
    }
}

/// What an action leads to.
#[derive(Debug)]
pub struct ActionResult<O> {
    /// The answer.
    pub output: O,
    /// What changes in the account.
    pub changes: Vec<StateChange>,
    /// The session it issued, to be recorded before the answer.
    pub session: Option<IssuedSession>,
    /// Keys and users whose last use is to be forgotten.
    pub forget: Vec<String>,
    /// Whether rotation policies changed, so that the engine looks at them.
    pub policies_changed: bool,
}

impl<O> ActionResult<O> {
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
    pub fn change(output: O, change: StateChange) -> Self {
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
    const ACCESS: ActionLevel;
    /// Whether it must run alone in the whole installation, because it looks at other accounts.
    const ALONE: bool = false;
    /// How much it computes. What is not [`Effort::Small`] must not change state.
    const EFFORT: Effort = Effort::of(Self::ACCESS);

    /// What the caller must be allowed: each action on each resource with its condition keys.
    ///
    /// # Errors
    /// Only what AWS reports before authorization.
    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault>;

    /// Whether it may change state, and so runs alone for its account.
    fn writes(_input: &Input<Self>) -> bool {
        Self::ACCESS.changes_state()
    }

    /// What must be gathered between authorization and [`Action::run`].
    ///
    /// # Errors
    /// As [`Action::run`].
    fn needs(_view: &StateView<'_>, _input: &Input<Self>) -> Result<Vec<Prefetch>, IamFault> {
        Ok(Vec::new())
    }

    /// Carries it out on a snapshot.
    ///
    /// # Errors
    /// What AWS reports after authorization.
    fn run(view: &StateView<'_>, permit: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self>;
}

/// The result of [`Action::run`].
pub type ActionOutcome<A> = Result<ActionResult<Output<A>>, IamFault>;

/// A request for an action, decoded as far as its parameters.
#[derive(Debug, Clone, Copy)]
pub struct ActionCall<'a> {
    /// Who calls.
    pub caller: &'a Arc<Caller>,
    /// The request's head.
    pub facts: &'a RequestContext,
    /// The parameters.
    pub form: &'a Form,
    /// The id of the request, for the answer.
    pub request_id: &'a str,
}

/// A request as an action sees it, beside its input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestHead<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) facts: &'a RequestContext,
    pub(crate) request_id: &'a str,
}

impl<'a> From<ActionCall<'a>> for RequestHead<'a> {
    fn from(call: ActionCall<'a>) -> Self {
        Self {
            caller: call.caller,
            facts: call.facts,
            request_id: call.request_id,
        }
    }
}

/// The answer to a request.
#[derive(Debug)]
pub struct Answer {
    /// Its whole XML body.
    pub xml: String,
    /// Whether the request may have changed something, so that it must be answered.
    pub changed: bool,
}

type Handling<'a> = Pin<Box<dyn Future<Output = Result<Answer, IamFault>> + Send + 'a>>;

/// A row of the action table.
pub struct ActionEntry {
    /// Its operation.
    pub operation: &'static Operation,
    /// Its access level.
    pub access: ActionLevel,
    /// How much it computes, and so where.
    pub effort: Effort,
    pub(crate) handle: for<'a> fn(&'a Arc<Identity>, ActionCall<'a>) -> Handling<'a>,
}

impl std::fmt::Debug for ActionEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Served({})", self.operation.policy_action)
    }
}

/// The row of an action.
pub const fn served<A: Action>() -> ActionEntry {
    ActionEntry {
        operation: <A::Shape as OperationShape>::OPERATION,
        access: A::ACCESS,
        effort: A::EFFORT,
        handle: |identity, call| Box::pin(handle::<A>(identity, call)),
    }
}

async fn handle<A: Action>(
    identity: &Arc<Identity>,
    call: ActionCall<'_>,
) -> Result<Answer, IamFault> {
    let input = decode::<A>(identity, call).await?;
    let changed = A::ACCESS.changes_state() || A::writes(&input);
    let done = run::carry_out::<A>(identity, call, input).await?;
    if let Some(session) = done.session {
        let recorded = identity.store.record_session(session).await;
        if !recorded.map_err(|error| IamFault::Internal(error.to_string()))? {
            return Err(ReachedQuota::Named("SessionsPerAccessKey", SESSIONS_PER_KEY).into());
        }
    }
    identity.usage.forget(done.forget);
    if done.policies_changed
        && let Some(engine) = identity.rotations.get()
    {
        engine.policies_changed();
    }
    let xml = done.output;
    Ok(Answer { xml, changed })
}

/// Decodes and validates the input; a long one when it is the caller's turn.
async fn decode<A: Action>(
    identity: &Identity,
    call: ActionCall<'_>,
) -> Result<Input<A>, IamFault> {
    let decoded = if call.form.bytes() <= limits::BODY_BYTES_FREE {
        Input::<A>::decode(call.form)
    } else {
        let place = identity.pages.enter(WorkOwner::of(call.caller)).await?;
        let form = call.form.clone();
        place.run(move || Input::<A>::decode(&form)).await?
    };
    decoded.map_err(decode_fault)
}

fn decode_fault(fault: DecodeFault) -> IamFault {
    match fault {
        DecodeFault::Malformed(text) => IamFault::MalformedInput(text.to_string()),
        DecodeFault::Validation(text) => IamFault::Validation(text),
    }
}

#[cfg(test)]
mod tests;
