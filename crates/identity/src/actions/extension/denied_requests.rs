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
        PreparedAction, QuotableResource,
    },
    authorize::{
        AuthTarget, Permit, Requirement, may, nobody_trusted, policies_of, resource_control,
        service_controlled,
    },
    denials::{DenialEvidence, DeniedCaller, DeniedRequest, QuotedEntity},
    fault::{IamFault, MissingEntity},
    pagination::PageRequest,
    principal::Principal,
    state::Tag,
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
        let Some(arn) = &input.principal_arn else {
            return Ok(Requirement::one(AuthTarget::everything()));
        };
        let mut targets = vec![AuthTarget::principal(view, arn)];
        // Those who had this ARN may have been others.
        for (_, denial) in view.denials.list(view.id(), None, Some(arn), usize::MAX) {
            for target in principal(view, &denial.evidence) {
                if !targets.contains(&target) {
                    targets.push(target);
                }
            }
        }
        Ok(Requirement::All(targets))
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
    type Prepared = QuotableResource;
    const ACCESS: ActionLevel = ActionLevel::Read;
    const EFFORT: Effort = Effort::Long;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let Some(denial) = view.denials.find(view.id(), &input.request_id) else {
            return Ok(Requirement::one(AuthTarget::everything()));
        };
        Ok(Requirement::On {
            own: principal(view, &denial.evidence),
            subjects: AuthTarget::of_denial(view, &denial.evidence),
        })
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let denial = with.view.denials.find(with.view.id(), &input.request_id);
        match denial {
            Some(denial) => {
                let evidence = &denial.evidence;
                with.quotable_resource(&evidence.resource, Some(evidence))
                    .await
            }
            None => Ok(QuotableResource {
                resource: None,
                disclosed: false,
            }),
        }
    }

    fn run(
        view: &StateView<'_>,
        _: Permit<Self>,
        input: &Input<Self>,
        found: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let denial = view.denials.find(view.id(), &input.request_id);
        let denial =
            denial.ok_or_else(|| MissingEntity::DeniedRequest(input.request_id.clone()))?;
        let evidence = &denial.evidence;
        let disclosed = found.disclosed && may_read_resource(view, evidence);
        let explanation = evidence.explain(disclosed);
        let (statements, is_truncated) = statements(&explanation);
        Ok(ActionResult::answer(
            keywright::ExplainDeniedRequestOutput {
                denied_request: to_wire(&denial),
                decision: word(&explanation.decision),
                decision_now: word(&decision_now(view, evidence, found.resource.as_ref())),
                explanation: explanation.to_string(),
                context_entries: context(evidence, disclosed),
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
        DeniedCaller::Federated(_) | DeniedCaller::Principal(Principal::Root { .. }) => {
            PolicySet::default()
        }
        DeniedCaller::Principal(principal) => {
            let grantee = principal.grantee(view.account);
            grantee.map_or_else(PolicySet::default, |it| policies_of(view.account, &it))
        }
    };
    set = service_controlled(view.ledger, view.account, set);
    let evidence = &evidence.under(resource_control(view.ledger, evidence.owner()));
    set.session = evidence.session_policies();
    let own_roles = Arn::iam(view.id(), "role/");
    if evidence.is_of_role() && evidence.resource.starts_with(own_roles.as_str()) {
        let role = view.account.role_by_arn(&evidence.resource);
        let trust = role.and_then(|role| role.trust.compiled());
        return evidence.decide_by_trust(&set, trust.unwrap_or_else(|| nobody_trusted()));
    }
    evidence.decide_by(&set, resource)
}

/// The principal of a denial: a session of a role counts as the role, and whom a provider vouches
/// for as the role that was to be assumed.
fn principal(view: &StateView<'_>, evidence: &DenialEvidence) -> Vec<AuthTarget> {
    let entity = evidence.quoted().first();
    let targets = entity.map(|entity| AuthTarget::then_and_now(view, entity));
    let listed = evidence.who.arn().to_string();
    let listed = targets.into_iter().flatten().map(|target| AuthTarget {
        display: listed.clone(),
        ..target
    });
    listed.collect()
}

/// Whether the caller may know the tags of an IAM entity that a request was about. Whoever was
/// denied the request could not see them.
fn may_read_resource(view: &StateView<'_>, evidence: &DenialEvidence) -> bool {
    let kind = Arn::parse(&evidence.resource)
        .ok()
        .filter(|arn| arn.service() == "iam");
    let kind = kind.as_ref().and_then(|arn| arn.resource().split_once('/'));
    let read = match kind.map(|(kind, _)| kind) {
        Some("user") => "iam:GetUser",
        Some("role") => "iam:GetRole",
        Some("policy") => "iam:GetPolicy",
        Some("instance-profile") => "iam:GetInstanceProfile",
        Some("mfa") => "iam:GetMFADevice",
        _ => return true,
    };
    let tags = evidence.resource_tags().map(|(key, value)| Tag {
        key: key.to_owned(),
        value: value.to_owned(),
    });
    let entity = QuotedEntity::new(&evidence.resource, &tags.collect::<Vec<_>>());
    let targets = AuthTarget::then_and_now(view, &entity).into_iter();
    targets
        .map(|target| target.as_action(read))
        .all(|target| may(view, &target))
}

/// One entry per value.
fn context(evidence: &DenialEvidence, disclosed: bool) -> Vec<keywright::ContextEntry> {
    let keys = evidence.context(disclosed);
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
