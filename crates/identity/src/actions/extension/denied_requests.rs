//! Past denials: the list, and the explanation of each.
//!
//! Invariant: the explanation of a past request shows the decision as it was made, under the
//! policies in force at that time. The decision under the current policies is reported separately.

use keywright_base::Arn;
use keywright_policy::{Decision, PolicySet};
use keywright_wire::keywright;

use super::explain::{statements, word};
use crate::{
    action::{
        Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input, Preparation,
        PreparedAction,
    },
    authorize::{AuthTarget, Permit, Requirement, nobody_trusted, policies_of},
    denials::{DenialEvidence, DeniedRequest},
    fault::{IamFault, MissingEntity},
    pagination::PageRequest,
    principal::Principal,
    view::{ResourcePolicy, StateView},
};

fn to_wire(denial: &DeniedRequest) -> keywright::DeniedRequest {
    keywright::DeniedRequest {
        request_id: denial.request_id.clone(),
        time: denial.at,
        principal_arn: denial.evidence.who.arn().to_string(),
        action_name: denial.evidence.action.clone(),
        resource_arn: denial.evidence.resource.clone(),
        source_address: denial.source_address.to_string(),
        message: denial.message.clone(),
    }
}

pub(crate) struct ListDeniedRequests;

impl Action for ListDeniedRequests {
    type Shape = keywright::ListDeniedRequests;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let about = input.principal_arn.as_ref();
        let of = |arn: &String| AuthTarget::principal(view, arn);
        Ok(Requirement::one(
            about.map_or_else(AuthTarget::everything, of),
        ))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let principal = input.principal_arn.as_deref();
        let filter = [principal.unwrap_or_default()];
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListDeniedRequests", &filter, marker, input.max_items)?;
        let before = page.after().and_then(|number| number.parse().ok());
        let found = view
            .denials
            .list(view.id(), before, principal, page.items_max() + 1);
        let (denials, marker) = page.take(found, |(number, _)| number.to_string());
        let denials = denials.iter().map(|(_, denial)| to_wire(denial));
        Ok(ActionResult::answer(keywright::ListDeniedRequestsOutput {
            denied_requests: denials.collect(),
            is_truncated: marker.is_some(),
            marker,
        }))
    }
}

pub(crate) struct ExplainDeniedRequest;

impl PreparedAction for ExplainDeniedRequest {
    type Shape = keywright::ExplainDeniedRequest;
    type Prepared = Option<ResourcePolicy>;
    const ACCESS: ActionLevel = ActionLevel::Read;
    const EFFORT: Effort = Effort::Long;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let Some(denial) = view.denials.find(view.id(), &input.request_id) else {
            return Ok(Requirement::one(AuthTarget::everything()));
        };
        let evidence = &denial.evidence;
        let who = evidence.who.arn().as_str();
        let requested = (&*evidence.action, &*evidence.resource);
        Ok(Requirement::On {
            own: vec![AuthTarget::principal(view, who)],
            subjects: AuthTarget::of_explanation(view, who, requested),
        })
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let denial = with.view.denials.find(with.view.id(), &input.request_id);
        match denial {
            Some(denial) => with.quotable_resource(&denial.evidence.resource).await,
            None => Ok(None),
        }
    }

    fn run(
        view: &StateView<'_>,
        _: Permit<Self>,
        input: &Input<Self>,
        resource: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let denial = view.denials.find(view.id(), &input.request_id);
        let denial =
            denial.ok_or_else(|| MissingEntity::DeniedRequest(input.request_id.clone()))?;
        let explanation = denial.evidence.explain();
        let (statements, is_truncated) = statements(&explanation);
        Ok(ActionResult::answer(
            keywright::ExplainDeniedRequestOutput {
                denied_request: to_wire(&denial),
                decision: word(&explanation.decision),
                decision_now: word(&decision_now(view, &denial.evidence, resource.as_ref())),
                explanation: explanation.to_string(),
                context_entries: context(&denial.evidence),
                statements,
                is_truncated,
            },
        ))
    }
}

/// The decision under the current policies. A deleted principal has none.
fn decision_now(
    view: &StateView<'_>,
    evidence: &DenialEvidence,
    resource: Option<&ResourcePolicy>,
) -> Decision {
    let mut set = match &evidence.who {
        Principal::Root { .. } => PolicySet::default(),
        principal => {
            let grantee = principal.grantee(view.account);
            grantee.map_or_else(PolicySet::default, |it| policies_of(view.account, &it))
        }
    };
    set.session = evidence.session_policies();
    let own_roles = Arn::iam(view.id(), "role/");
    if evidence.is_of_role() && evidence.resource.starts_with(own_roles.as_str()) {
        let role = view.account.role_by_arn(&evidence.resource);
        let trust = role.and_then(|role| role.trust.compiled());
        return evidence.decide_by_trust(&set, trust.unwrap_or_else(|| nobody_trusted()));
    }
    evidence.decide_by(&set, resource)
}

/// One entry per value.
fn context(evidence: &DenialEvidence) -> Vec<keywright::ContextEntry> {
    let keys = evidence.context().iter();
    let entries = keys.flat_map(|(key, values)| {
        values
            .as_slice()
            .iter()
            .map(move |value| keywright::ContextEntry {
                context_key_name: key.to_owned(),
                context_key_value: value.to_string(),
            })
    });
    entries.collect()
}

#[cfg(test)]
mod tests;
