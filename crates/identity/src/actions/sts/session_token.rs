//! Sessions of users and root: GetSessionToken.

use keywright_wire::sts;

use super::issue::{ROOT_SESSION_SECS, SESSION_SECS, SessionRequest, denied, second_factor};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{Permit, Requirement},
    fault::IamFault,
    principal::Principal,
    state::StateChange,
    view::StateView,
};

/// `sts:GetSessionToken`; requires no permission, but a long-term key.
pub(crate) struct GetSessionToken;

impl Action for GetSessionToken {
    type Shape = sts::GetSessionToken;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::Nothing)
    }

    /// Accepting a code uses it up.
    fn writes(input: &Input<Self>) -> bool {
        input.serial_number.is_some()
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        if view.caller.session().is_some() {
            return Err(denied(
                "Cannot call GetSessionToken with session credentials",
            ));
        }
        let code = (input.serial_number.as_deref(), input.token_code.as_deref());
        let device = second_factor(view, code)?;
        let secs = input.duration_seconds.unwrap_or(SESSION_SECS);
        let request = SessionRequest {
            principal: view.caller.principal(),
            action: "sts:GetSessionToken",
            secs: match view.caller.principal() {
                Principal::Root { .. } => secs.min(ROOT_SESSION_SECS),
                Principal::User { .. }
                | Principal::RoleSession(_)
                | Principal::FederatedUser(_) => secs,
            },
            mfa: device.is_some().then(|| view.now()),
            attributes: None,
        };
        let (session, credentials) = request.issue(view)?;
        let output = sts::GetSessionTokenOutput {
            credentials: Some(credentials),
            ..Default::default()
        };
        let changes = device.map(StateChange::put);
        Ok(ActionResult {
            session,
            changes: changes.into_iter().collect(),
            ..ActionResult::answer(output)
        })
    }
}
