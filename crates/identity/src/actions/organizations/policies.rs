//! The policies of an organization: create, describe, change, delete, list.

use std::sync::Arc;

use keywright_base::limits;
use keywright_wire::organizations;

use super::{
    ManagedOrganization, OrganizationNames, POLICY_TYPE, documents, new_id, page, policy_target,
    tags,
};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{ConstraintReason, IamFault, InputReason, OrganizationsFault},
    state::{OrganizationPolicy, PolicyType, StateChange},
    view::StateView,
};

pub(super) fn summary(
    managed: &ManagedOrganization<'_>,
    policy: &OrganizationPolicy,
) -> organizations::PolicySummary {
    organizations::PolicySummary {
        id: Some(policy.id.clone()),
        arn: Some(policy.arn(managed.management, &managed.organization.id)),
        name: Some(policy.name.clone()),
        description: Some(policy.description.clone()),
        r#type: Some(policy.kind.as_str().to_owned()),
        aws_managed: Some(policy.of_aws),
    }
}

fn to_wire(
    managed: &ManagedOrganization<'_>,
    policy: &OrganizationPolicy,
) -> organizations::Policy {
    organizations::Policy {
        policy_summary: Some(summary(managed, policy)),
        content: Some(policy.text().to_owned()),
    }
}

pub(super) fn found<'a>(
    managed: &ManagedOrganization<'a>,
    id: &str,
) -> Result<&'a Arc<OrganizationPolicy>, IamFault> {
    let policy = managed.state.policy(id);
    policy.ok_or_else(|| OrganizationsFault::PolicyNotFound.into())
}

/// A policy that may be changed.
fn changeable<'a>(
    managed: &ManagedOrganization<'a>,
    id: &str,
) -> Result<&'a Arc<OrganizationPolicy>, IamFault> {
    let policy = found(managed, id)?;
    if policy.of_aws {
        return Err(OrganizationsFault::Input(InputReason::ImmutablePolicy).into());
    }
    Ok(policy)
}

/// Rejects a name that another policy of the type has.
fn check_name(
    managed: &ManagedOrganization<'_>,
    policy: &OrganizationPolicy,
) -> Result<(), IamFault> {
    let all = managed.state.policies().values();
    let mut all = all.chain(OrganizationPolicy::all_of_aws());
    let same = |other: &Arc<OrganizationPolicy>| {
        other.kind == policy.kind && other.name == policy.name && other.id != policy.id
    };
    if all.any(same) {
        return Err(OrganizationsFault::DuplicatePolicy.into());
    }
    Ok(())
}

pub(crate) struct CreatePolicy;

impl Action for CreatePolicy {
    type Shape = organizations::CreatePolicy;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        // Its ID is not known before.
        let kind = input.r#type.to_ascii_lowercase();
        let arn = OrganizationNames::of(view).arn("policy", &format!("{kind}/p-*"));
        let tags = tags::from_wire(input.tags.as_deref());
        let create = AuthTarget::new(arn.clone(), arn)
            .with_key(POLICY_TYPE, &input.r#type)
            .with_request_tags(tags);
        let mut targets = vec![create.clone()];
        if !create.request_tags.is_empty() {
            targets.push(create.as_action("organizations:TagResource"));
        }
        Ok(Requirement::All(targets))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let kind = PolicyType::parse(&input.r#type);
        let kind = kind.ok_or(OrganizationsFault::PolicyTypeNotAvailable)?;
        let of_kind = managed.state.policies().values();
        if of_kind.filter(|it| it.kind == kind).count() >= limits::POLICIES_PER_ORGANIZATION {
            return Err(OrganizationsFault::Constraint(ConstraintReason::PolicyNumber).into());
        }
        documents::check(kind, &input.content)?;
        let id = new_id("p-", 8, view.entropy);
        let mut policy = OrganizationPolicy::new(id, kind, &input.content);
        policy.name.clone_from(&input.name);
        policy.description.clone_from(&input.description);
        policy.tags = tags::checked(&[], input.tags.as_deref())?;
        check_name(&managed, &policy)?;
        let output = organizations::CreatePolicyOutput {
            policy: Some(to_wire(&managed, &policy)),
        };
        Ok(ActionResult::change(output, StateChange::put(policy)))
    }
}

pub(crate) struct DescribePolicy;

impl Action for DescribePolicy {
    type Shape = organizations::DescribePolicy;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(policy_target(view, &input.policy_id)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let policy = found(&managed, &input.policy_id)?;
        Ok(ActionResult::answer(organizations::DescribePolicyOutput {
            policy: Some(to_wire(&managed, policy)),
        }))
    }
}

pub(crate) struct UpdatePolicy;

impl Action for UpdatePolicy {
    type Shape = organizations::UpdatePolicy;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(policy_target(view, &input.policy_id)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let policy = changeable(&managed, &input.policy_id)?;
        let mut policy = OrganizationPolicy::clone(policy);
        if let Some(name) = &input.name {
            policy.name.clone_from(name);
            check_name(&managed, &policy)?;
        }
        if let Some(description) = &input.description {
            policy.description.clone_from(description);
        }
        if let Some(content) = &input.content {
            documents::check(policy.kind, content)?;
            policy.set_text(content);
        }
        let output = organizations::UpdatePolicyOutput {
            policy: Some(to_wire(&managed, &policy)),
        };
        Ok(ActionResult::change(output, StateChange::put(policy)))
    }
}

pub(crate) struct DeletePolicy;

impl Action for DeletePolicy {
    type Shape = organizations::DeletePolicy;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(policy_target(view, &input.policy_id)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let policy = changeable(&managed, &input.policy_id)?;
        let mut targets = managed.state.targets();
        if targets.any(|(_, target)| target.node().attached.contains(&policy.id)) {
            return Err(OrganizationsFault::PolicyInUse.into());
        }
        let change = StateChange::delete::<OrganizationPolicy>(policy.id.clone());
        Ok(ActionResult::change((), change))
    }
}

pub(crate) struct ListPolicies;

impl Action for ListPolicies {
    type Shape = organizations::ListPolicies;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(_: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::everything().with_key(POLICY_TYPE, &input.filter);
        Ok(Requirement::one(target))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let place = (input.next_token.as_deref(), input.max_results);
        let page = page("ListPolicies", &[&input.filter], place)?;
        let kind = PolicyType::parse(&input.filter);
        let all = managed.state.policies().values();
        let all = all.chain(OrganizationPolicy::all_of_aws());
        let mut wanted: Vec<_> = all.filter(|policy| Some(policy.kind) == kind).collect();
        wanted.sort_by(|one, other| one.id.cmp(&other.id));
        let (policies, next_token) = page.cut(wanted, |policy| policy.id.clone());
        let policies = policies.into_iter().map(|policy| summary(&managed, policy));
        Ok(ActionResult::answer(organizations::ListPoliciesOutput {
            policies: Some(policies.collect()),
            next_token,
        }))
    }
}
