//! Declares and runs actions.
//!
//! Invariants:
//!
//! - Errors surface in a fixed order: decode and validate, then authorize, then existence and
//!   quotas, then commit.
//! - No action runs without a [`Permit`] of its own.
//!
//! An action is declared once, in `actions/`. Routing, the name of its policy action and the list
//! of unimplemented operations are derived from [`actions`](crate::actions::actions).

mod erased;
mod prepare;
mod run;

use std::{pin::Pin, sync::Arc};

use keywright_base::{Timestamp, limits};
use keywright_store::contract::{IssuedSession, SESSIONS_PER_KEY};
use keywright_wire::{DecodeFault, Form, Operation, OperationShape};

pub(crate) use self::erased::ActionRequest;
pub use self::prepare::{Preparation, QuotableResource};
use crate::{
    authorize::{Permit, Requirement},
    caller::Caller,
    event::RequestRecord,
    fault::{IamFault, OrganizationsFault, ReachedQuota},
    service::Identity,
    state::StateChange,
    view::StateView,
    work::WorkOwner,
};

/// The input of an action.
pub type Input<A> = <<A as PreparedAction>::Shape as OperationShape>::Input;
/// The output of an action.
pub type Output<A> = <<A as PreparedAction>::Shape as OperationShape>::Output;

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
    /// Whether actions of this level change state by default.
    pub const fn changes_state(self) -> bool {
        !matches!(self, Self::List | Self::Read)
    }
}

/// How much an action computes, which determines where it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Short, with a small response, however large the account is. Runs on the request threads.
    Small,
    /// A page of many items, or a response of similar size. Runs on a small pool of other threads,
    /// in the caller's turn.
    Page,
    /// More than a page. Runs on the same pool, but in a queue of its own, so that pages do not
    /// wait for it.
    Long,
}

impl Effort {
    /// The default: actions that list are pages.
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

/// The result of running an action.
#[derive(Debug)]
pub struct ActionResult<O> {
    /// The response.
    pub output: O,
    /// Changes to the account.
    pub changes: Vec<StateChange>,
    /// The session it issued, which is recorded before the response is sent.
    pub session: Option<IssuedSession>,
    /// Keys and users whose last use is deleted along with them.
    pub forget: Vec<String>,
    /// Whether rotation policies changed, so that the engine must check them.
    pub policies_changed: bool,
    /// Whether an account was requested, which is made before the response is sent.
    pub account_requested: bool,
}

impl<O> ActionResult<O> {
    /// A response without changes.
    pub const fn answer(output: O) -> Self {
        Self {
            output,
            changes: Vec::new(),
            session: None,
            forget: Vec::new(),
            policies_changed: false,
            account_requested: false,
        }
    }

    /// A response with one change.
    pub fn change(output: O, change: StateChange) -> Self {
        Self {
            changes: vec![change],
            ..Self::answer(output)
        }
    }
}

/// An operation of IAM, STS or Keywright's extension, as this server implements it.
pub trait Action: Sized + Send + Sync + 'static {
    /// The operation in the model.
    type Shape: OperationShape<Input: Send + Sync + 'static, Output: Send>;
    /// AWS's access level.
    const ACCESS: ActionLevel;
    /// Whether it needs exclusive access to the installation because it reads other accounts.
    const ALONE: bool = false;
    /// How much it computes. Actions other than [`Effort::Small`] must not change state.
    const EFFORT: Effort = Effort::of(Self::ACCESS);

    /// The permissions that the caller needs: each action on each resource, with its condition
    /// keys.
    ///
    /// # Errors
    /// Only those that AWS reports before authorization.
    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault>;

    /// Whether it may change state, so that it needs exclusive access to its account.
    fn writes(_input: &Input<Self>) -> bool {
        Self::ACCESS.changes_state()
    }

    /// Runs the action on a snapshot.
    ///
    /// # Errors
    /// Those that AWS reports after authorization.
    fn run(view: &StateView<'_>, permit: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self>;
}

/// An action that does I/O, waits or computes for long before it runs. Every [`Action`] is one that
/// has nothing to prepare.
pub trait PreparedAction: Sized + Send + Sync + 'static {
    /// As [`Action::Shape`].
    type Shape: OperationShape<Input: Send + Sync + 'static, Output: Send>;
    /// What it prepares.
    type Prepared: Send + Sync + 'static;
    /// As [`Action::ACCESS`].
    const ACCESS: ActionLevel;
    /// As [`Action::ALONE`].
    const ALONE: bool = false;
    /// As [`Action::EFFORT`].
    const EFFORT: Effort = Effort::of(Self::ACCESS);
    /// What it prepares if it has nothing to prepare; otherwise, time passes before it runs.
    const UNPREPARED: Option<fn() -> Self::Prepared> = None;
    /// As [`Action::required`].
    ///
    /// # Errors
    /// Only those that AWS reports before authorization.
    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault>;

    /// As [`Action::writes`].
    fn writes(_input: &Input<Self>) -> bool {
        Self::ACCESS.changes_state()
    }

    /// Prepares what [`PreparedAction::run`] needs. The request has just been authorized on the
    /// newest state, and is authorized again before it runs.
    ///
    /// # Errors
    /// Those that AWS reports after authorization.
    fn prepare(
        with: &Preparation<'_>,
        permit: &Permit<Self>,
        input: &Input<Self>,
    ) -> impl Future<Output = Result<Self::Prepared, IamFault>> + Send;

    /// Runs the action on a snapshot.
    ///
    /// # Errors
    /// Those that AWS reports after authorization.
    fn run(
        view: &StateView<'_>,
        permit: Permit<Self>,
        input: &Input<Self>,
        prepared: &Self::Prepared,
    ) -> ActionOutcome<Self>;
}

impl<A: Action> PreparedAction for A {
    type Shape = <A as Action>::Shape;
    type Prepared = ();
    const ACCESS: ActionLevel = <A as Action>::ACCESS;
    const ALONE: bool = <A as Action>::ALONE;
    const EFFORT: Effort = <A as Action>::EFFORT;
    const UNPREPARED: Option<fn()> = Some(|| ());

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        <A as Action>::required(view, input)
    }

    fn writes(input: &Input<Self>) -> bool {
        <A as Action>::writes(input)
    }

    async fn prepare(
        _: &Preparation<'_>,
        _: &Permit<Self>,
        _: &Input<Self>,
    ) -> Result<(), IamFault> {
        Ok(())
    }

    fn run(
        view: &StateView<'_>,
        permit: Permit<Self>,
        input: &Input<Self>,
        (): &(),
    ) -> ActionOutcome<Self> {
        <A as Action>::run(view, permit, input)
    }
}

/// The result of [`Action::run`].
pub type ActionOutcome<A> = Result<ActionResult<Output<A>>, IamFault>;

/// A request for an action with decoded parameters.
#[derive(Debug, Clone, Copy)]
pub struct ActionCall<'a> {
    /// The record of the request.
    pub(crate) record: &'a Arc<RequestRecord>,
    /// The caller.
    pub(crate) caller: &'a Caller,
    /// The parameters.
    pub(crate) form: &'a Form,
}

impl<'a> ActionCall<'a> {
    /// A call of the record's caller.
    ///
    /// # Errors
    /// [`IamFault::Internal`] if the request has no verified caller.
    pub fn new(record: &'a Arc<RequestRecord>, form: &'a Form) -> Result<Self, IamFault> {
        let caller = verified_caller(record)?;
        Ok(Self {
            record,
            caller,
            form,
        })
    }

    /// The caller.
    pub const fn caller(&self) -> &'a Caller {
        self.caller
    }
}

/// The caller of a request that was admitted.
fn verified_caller(record: &RequestRecord) -> Result<&Caller, IamFault> {
    let caller = record.caller();
    caller.ok_or_else(|| IamFault::Internal("the request was not admitted".to_owned()))
}

/// The response to a request.
#[derive(Debug)]
pub struct Answer {
    /// The complete XML body.
    pub xml: String,
    /// Whether the request may have changed something, so that it must be answered.
    pub changed: bool,
}

/// An entry in the action table.
pub struct ActionEntry {
    /// The operation.
    pub operation: &'static Operation,
    /// The access level.
    pub access: ActionLevel,
    /// How much it computes, which determines where it runs.
    pub effort: Effort,
    /// As [`Action::ALONE`].
    alone: bool,
    /// Whether it prepares anything. If so, time passes before it runs.
    prepares: bool,
    decode: fn(&Form) -> Result<Arc<dyn ActionRequest>, DecodeFault>,
}

impl ActionEntry {
    /// Decodes and validates the input.
    pub(crate) fn decode(&self, form: &Form) -> Result<Arc<dyn ActionRequest>, DecodeFault> {
        (self.decode)(form)
    }
}

impl std::fmt::Debug for ActionEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Served({})", self.operation.policy_action)
    }
}

/// A request for an operation that needs no signature.
#[derive(Debug, Clone, Copy)]
pub struct UnsignedCall<'a> {
    /// The record of the request.
    pub record: &'a RequestRecord,
    /// The parameters.
    pub form: &'a Form,
}

impl<'a> From<ActionCall<'a>> for UnsignedCall<'a> {
    fn from(call: ActionCall<'a>) -> Self {
        Self {
            record: call.record,
            form: call.form,
        }
    }
}

type UnsignedHandling<'a> = Pin<Box<dyn Future<Output = Result<String, IamFault>> + Send + 'a>>;

/// An entry in the table of operations that need no signature. They have no caller and no
/// [`Permit`]: what they require instead is their own concern.
pub(crate) struct UnsignedEntry {
    pub(crate) operation: &'static Operation,
    /// Returns the complete XML body.
    pub(crate) handle: for<'a> fn(&'a Identity, UnsignedCall<'a>) -> UnsignedHandling<'a>,
}

/// The table entry of an action.
pub const fn served<A: PreparedAction>() -> ActionEntry {
    erased::entry::<A>()
}

/// Handles a request for an action.
pub(crate) async fn handle(
    identity: &Arc<Identity>,
    entry: &'static ActionEntry,
    call: ActionCall<'_>,
) -> Result<Answer, IamFault> {
    let request = decode(identity, entry, call).await?;
    let changed = entry.access.changes_state() || request.writes();
    let done = run::carry_out(identity, entry, call, request).await?;
    if let Some(session) = done.session {
        let ended = ended_until(identity, &session);
        let recorded = identity.store.record_session(session, ended).await;
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
    if done.account_requested {
        identity
            .finish_account_creations(call.caller.account())
            .await;
    }
    let xml = done.output;
    Ok(Answer { xml, changed })
}

/// Up to when the sessions of this session's key have been ended.
fn ended_until(identity: &Identity, session: &IssuedSession) -> Option<Timestamp> {
    let cell = identity.ledger.account(session.source.account()?)?;
    let account = cell.snapshot();
    let owner = account.session_owner(session.source, session.owner.as_deref());
    account
        .settings()
        .ended_sessions
        .until(session.source, owner)
}

/// Decodes and validates the input. Large input waits for the caller's turn.
async fn decode(
    identity: &Identity,
    entry: &'static ActionEntry,
    call: ActionCall<'_>,
) -> Result<Arc<dyn ActionRequest>, IamFault> {
    let decoded = if call.form.bytes() <= limits::BODY_BYTES_FREE {
        entry.decode(call.form)
    } else {
        let place = identity.pages.enter(WorkOwner::of(call.caller)).await?;
        let form = call.form.clone();
        place.run(move || entry.decode(&form)).await?
    };
    decoded.map_err(decode_fault)
}

pub(crate) fn decode_fault(fault: DecodeFault) -> IamFault {
    match fault {
        DecodeFault::Malformed(text) => IamFault::MalformedInput(text.to_string()),
        DecodeFault::Validation(text) => IamFault::Validation(text),
        DecodeFault::InvalidInput(member) => OrganizationsFault::InvalidMember(member).into(),
    }
}

#[cfg(test)]
mod tests;
