//! Erases the type of an action, so that the code that authorizes and runs requests is compiled
//! once and not again for every action.
//!
//! Invariant: an action runs only with an [`Approval`] of its own operation.

use std::{pin::Pin, sync::Arc};

use keywright_wire::{Decode, DecodeFault, Form, Operation, OperationShape};

use super::{ActionEntry, ActionResult, Input, Preparation, PreparedAction};
use crate::{
    authorize::{Approval, Permit, Requirement},
    fault::IamFault,
    view::StateView,
};

/// A request for an action, with its decoded input.
pub(crate) trait ActionRequest: RunnableAction {
    /// The operation.
    fn operation(&self) -> &'static Operation;

    /// As [`Action::required`](super::Action::required).
    fn required(&self, view: &StateView<'_>) -> Result<Requirement, IamFault>;

    /// As [`Action::writes`](super::Action::writes).
    fn writes(&self) -> bool;

    /// As [`PreparedAction::prepare`].
    fn prepare<'a>(self: Arc<Self>, with: Preparation<'a>, approval: Approval) -> Preparing<'a>;
}

/// A request for an action that has nothing left to prepare.
pub(crate) trait RunnableAction: Send + Sync {
    /// As [`PreparedAction::run`], with the response as XML.
    fn run(
        &self,
        view: &StateView<'_>,
        approval: Approval,
    ) -> Result<ActionResult<String>, IamFault>;
}

/// The preparation of a request.
pub(crate) type Preparing<'a> =
    Pin<Box<dyn Future<Output = Result<Arc<dyn RunnableAction>, IamFault>> + Send + 'a>>;

/// The table entry of an action.
pub(super) const fn entry<A: PreparedAction>() -> ActionEntry {
    ActionEntry {
        operation: <A::Shape as OperationShape>::OPERATION,
        access: A::ACCESS,
        effort: A::EFFORT,
        alone: A::ALONE,
        prepares: A::UNPREPARED.is_none(),
        decode: decode::<A>,
    }
}

fn decode<A: PreparedAction>(form: &Form) -> Result<Arc<dyn ActionRequest>, DecodeFault> {
    Ok(Arc::new(DecodedRequest::<A>(Input::<A>::decode(form)?)))
}

struct DecodedRequest<A: PreparedAction>(Input<A>);

impl<A: PreparedAction> ActionRequest for DecodedRequest<A> {
    fn operation(&self) -> &'static Operation {
        <A::Shape as OperationShape>::OPERATION
    }

    fn required(&self, view: &StateView<'_>) -> Result<Requirement, IamFault> {
        A::required(view, &self.0)
    }

    fn writes(&self) -> bool {
        A::writes(&self.0)
    }

    fn prepare<'a>(self: Arc<Self>, with: Preparation<'a>, approval: Approval) -> Preparing<'a> {
        Box::pin(async move {
            let permit = Permit::<A>::of(approval)?;
            let prepared = A::prepare(&with, &permit, &self.0).await?;
            let request = self;
            Ok(Arc::new(PreparedRequest { request, prepared }) as Arc<dyn RunnableAction>)
        })
    }
}

impl<A: PreparedAction> RunnableAction for DecodedRequest<A> {
    fn run(
        &self,
        view: &StateView<'_>,
        approval: Approval,
    ) -> Result<ActionResult<String>, IamFault> {
        let unprepared = A::UNPREPARED
            .ok_or_else(|| IamFault::Internal("the request was not prepared".to_owned()))?;
        run::<A>(view, approval, &self.0, &unprepared())
    }
}

struct PreparedRequest<A: PreparedAction> {
    request: Arc<DecodedRequest<A>>,
    prepared: A::Prepared,
}

impl<A: PreparedAction> RunnableAction for PreparedRequest<A> {
    fn run(
        &self,
        view: &StateView<'_>,
        approval: Approval,
    ) -> Result<ActionResult<String>, IamFault> {
        run::<A>(view, approval, &self.request.0, &self.prepared)
    }
}

fn run<A: PreparedAction>(
    view: &StateView<'_>,
    approval: Approval,
    input: &Input<A>,
    prepared: &A::Prepared,
) -> Result<ActionResult<String>, IamFault> {
    let done = A::run(view, Permit::of(approval)?, input, prepared)?;
    let operation = <A::Shape as OperationShape>::OPERATION;
    Ok(ActionResult {
        output: keywright_wire::answer(operation, &done.output, view.request_id),
        changes: done.changes,
        session: done.session,
        forget: done.forget,
        policies_changed: done.policies_changed,
        account_requested: done.account_requested,
    })
}
