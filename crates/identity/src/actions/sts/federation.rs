//! Sessions of federated users: GetFederationToken.

use keywright_base::Arn;
use keywright_wire::sts;

use super::issue::{
    ROOT_SESSION_SECS, SESSION_SECS, SessionRequest, check_tags, denied, packed_size,
    requested_tags, session_policies, user_of,
};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    caller::SessionAttributes,
    fault::IamFault,
    principal::Principal,
    state::CredentialOwner,
    view::StateView,
};

pub(crate) struct GetFederationToken;

impl Action for GetFederationToken {
    type Shape = sts::GetFederationToken;
    const ACCESS: ActionLevel = ActionLevel::Write;

    /// It changes nothing in the account.
    fn writes(_: &Input<Self>) -> bool {
        false
    }

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        if view.caller.session().is_some() {
            return Err(denied(
                "Cannot call GetFederationToken with session credentials",
            ));
        }
        let arn = Arn::sts(view.id(), &format!("federated-user/{}", input.name)).to_string();
        let target =
            AuthTarget::new(&*arn, &*arn).with_request_tags(requested_tags(input.tags.as_deref()));
        let mut targets = vec![target.clone()];
        if !target.request_tags.is_empty() {
            targets.push(target.as_action("sts:TagSession"));
        }
        Ok(Requirement::All(targets))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let (policy, arns) = (input.policy.as_deref(), input.policy_arns.as_deref());
        let tags = requested_tags(input.tags.as_deref());
        check_tags(&tags)?;
        let attributes = SessionAttributes {
            tags,
            ..session_policies(view.account, policy, arns)?
        };
        let packed_policy_size = packed_size(&attributes)?;
        let owner = view.caller.principal().credential_owner();
        let owner = owner.unwrap_or(CredentialOwner::Root);
        let principal = Principal::federated(view.account, owner, &input.name);
        let principal = principal.ok_or_else(|| denied("The caller was deleted meanwhile."))?;
        let secs = input.duration_seconds.unwrap_or(SESSION_SECS);
        let request = SessionRequest {
            principal: &principal,
            action: "sts:GetFederationToken",
            secs: match owner {
                CredentialOwner::Root => secs.min(ROOT_SESSION_SECS),
                CredentialOwner::User(_) => secs,
            },
            mfa: None,
            attributes: Some(attributes),
        };
        let (session, credentials) = request.issue(view)?;
        let (federated_user_id, arn) = user_of(&principal);
        Ok(ActionResult {
            session,
            ..ActionResult::answer(sts::GetFederationTokenOutput {
                credentials: Some(credentials),
                federated_user: Some(sts::FederatedUser {
                    federated_user_id,
                    arn,
                }),
                packed_policy_size,
                ..Default::default()
            })
        })
    }
}
