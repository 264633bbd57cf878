//! The caller's identity, and the account that a key belongs to.

use keywright_base::AccessKeyId;
use keywright_wire::sts;

use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{Permit, Requirement},
    fault::IamFault,
    view::StateView,
};

/// `sts:GetCallerIdentity`; needs no permission, and an explicit deny is ignored, as on AWS.
pub(crate) struct GetCallerIdentity;

impl Action for GetCallerIdentity {
    type Shape = sts::GetCallerIdentity;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::Nothing)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, _: &Input<Self>) -> ActionOutcome<Self> {
        Ok(ActionResult::answer(sts::GetCallerIdentityOutput {
            user_id: Some(view.caller.user_id().into_owned()),
            account: Some(view.id().to_string()),
            arn: Some(view.caller.arn().to_string()),
        }))
    }
}

/// `sts:GetAccessKeyInfo`, computed from the key ID alone.
pub(crate) struct GetAccessKeyInfo;

impl Action for GetAccessKeyInfo {
    type Shape = sts::GetAccessKeyInfo;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::Nothing)
    }

    fn run(_: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let id = input.access_key_id.parse::<AccessKeyId>().ok();
        let account = id.and_then(|id| id.account()).ok_or_else(|| {
            IamFault::Validation(format!("Invalid Access Key ID: {}", input.access_key_id))
        })?;
        let account = Some(account.to_string());
        Ok(ActionResult::answer(sts::GetAccessKeyInfoOutput {
            account,
        }))
    }
}
