//! The one way an action is declared and carried out.
//!
//! It protects the order that clients see: decode and validate, then authorize, then exist and
//! quota, then commit; and the rule that no action runs without a [`Permit`] of its own. An action
//! is declared once, in `actions/`; routing, its policy action name and the list of what is not
//! served are derived from [`ACTIONS`](crate::actions::ACTIONS).

use std::{future::Future, pin::Pin};

use keywright_store::contract::Session;
use keywright_wire::{Decode, DecodeFault, Form, Operation, OperationShape};

use crate::{
    authorize::{self, Permit, Required},
    caller::Caller,
    fault::Fault,
    service::Identity,
    state::Change,
    view::{Facts, Gathered, Need, View},
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
}

impl<O> Done<O> {
    /// An answer that changes nothing.
    pub const fn answer(output: O) -> Self {
        Self {
            output,
            changes: Vec::new(),
            session: None,
            forget: Vec::new(),
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
    type Shape: OperationShape<Input: Send + Sync, Output: Send>;
    /// AWS's access level.
    const ACCESS: Access;
    /// Whether it must run alone in the whole installation, because it looks at other accounts.
    const ALONE: bool = false;

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
    pub caller: &'a Caller,
    /// The request's head.
    pub facts: &'a Facts,
    /// The parameters.
    pub form: &'a Form,
    /// The id of the request, for the answer.
    pub request_id: &'a str,
}

type Handling<'a> = Pin<Box<dyn Future<Output = Result<String, Fault>> + Send + 'a>>;

/// A row of the action table.
pub struct Served {
    /// Its operation.
    pub operation: &'static Operation,
    /// Its access level.
    pub access: Access,
    pub(crate) handle: for<'a> fn(&'a Identity, Call<'a>) -> Handling<'a>,
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
        handle: |identity, call| Box::pin(handle::<A>(identity, call)),
    }
}

async fn handle<A: Action>(identity: &Identity, call: Call<'_>) -> Result<String, Fault> {
    let input = Input::<A>::decode(call.form).map_err(decode_fault)?;
    let done = carry_out::<A>(identity, call, &input).await?;
    if let Some(session) = done.session {
        let recorded = identity.store.record_session(session).await;
        recorded.map_err(|error| Fault::Internal(error.to_string()))?;
    }
    identity.usage.forget(done.forget);
    let operation = <A::Shape as OperationShape>::OPERATION;
    Ok(keywright_wire::answer(
        operation,
        &done.output,
        call.request_id,
    ))
}

async fn carry_out<A: Action>(identity: &Identity, call: Call<'_>, input: &Input<A>) -> Outcome<A> {
    let cell = identity.ledger.account(call.caller.account());
    let cell = cell.ok_or_else(|| Fault::Internal("the caller's account is gone".to_owned()))?;
    let none = Gathered::default();
    let snapshot = cell.snapshot().clone();
    let view = identity.view(&snapshot, call, &none);
    let permit = authorize::permit::<A>(&view, input)?;
    let _alone = if A::ALONE {
        Some(identity.alone.lock().await)
    } else {
        None
    };
    let needs = A::needs(&view, input)?;
    let gathered = if needs.is_empty() {
        none
    } else {
        identity.gather(needs, view.now()).await?
    };
    if !A::writes(input) {
        return A::run(&identity.view(&snapshot, call, &gathered), permit, input);
    }
    // Decided again on the newest state, under the account's order of writes: what was revoked by a
    // change that is still being flushed no longer permits.
    drop(permit);
    let outcome = identity.ledger.write(&cell, |account| {
        let view = identity.view(account, call, &gathered);
        let permit = authorize::permit::<A>(&view, input)?;
        let mut done = A::run(&view, permit, input)?;
        let changes = std::mem::take(&mut done.changes);
        Ok((done, changes))
    });
    outcome
        .await
        .map_err(|error| Fault::Internal(error.to_string()))?
}

fn decode_fault(fault: DecodeFault) -> Fault {
    match fault {
        DecodeFault::Malformed(text) => Fault::MalformedInput(text.to_string()),
        DecodeFault::Validation(text) => Fault::Validation(text),
    }
}
