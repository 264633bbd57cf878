//! Which policies are attached where: attach, detach, list.

use keywright_base::limits;
use keywright_wire::organizations::{self, values::target_type};

use super::{
    ManagedOrganization, POLICY_TYPE, kind_of, name_of, node_target,
    organization::with_node,
    page,
    policies::{found, summary},
    policy_target,
};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{Permit, Requirement},
    fault::{ConstraintReason, IamFault, InputReason, OrganizationsFault},
    state::{PolicyType, TargetRef},
    view::StateView,
};

fn target<'a>(managed: &ManagedOrganization<'a>, id: &str) -> Result<TargetRef<'a>, IamFault> {
    let target = managed.state.target(id);
    target.ok_or_else(|| OrganizationsFault::TargetNotFound.into())
}

/// The policies of a type that are attached to a target.
fn attached(managed: &ManagedOrganization<'_>, target: TargetRef<'_>, kind: PolicyType) -> usize {
    let policies = target.node().attached.iter();
    let policies = policies.filter_map(|id| managed.state.policy(id));
    policies.filter(|policy| policy.kind == kind).count()
}

/// A policy and a place, each to be authorized on.
fn required(view: &StateView<'_>, policy: &str, target: &str) -> Result<Requirement, IamFault> {
    let policy = policy_target(view, policy);
    let mut target = node_target(view, target);
    target.keys.clone_from(&policy.keys);
    Ok(Requirement::All(vec![policy, target]))
}

pub(crate) struct AttachPolicy;

impl Action for AttachPolicy {
    type Shape = organizations::AttachPolicy;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        required(view, &input.policy_id, &input.target_id)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let policy = found(&managed, &input.policy_id)?;
        let target = target(&managed, &input.target_id)?;
        if !managed.organization.enabled.contains(&policy.kind) {
            return Err(OrganizationsFault::PolicyTypeNotEnabled.into());
        }
        let mut node = target.node().clone();
        if node.attached.contains(&policy.id) {
            return Err(OrganizationsFault::DuplicateAttachment.into());
        }
        let most = limits::ORGANIZATION_POLICIES_PER_TARGET;
        if attached(&managed, target, policy.kind) >= most {
            return Err(OrganizationsFault::Constraint(ConstraintReason::MaxAttachments).into());
        }
        node.attached.push(policy.id.clone());
        Ok(ActionResult::change((), with_node(target, node)))
    }
}

pub(crate) struct DetachPolicy;

impl Action for DetachPolicy {
    type Shape = organizations::DetachPolicy;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        required(view, &input.policy_id, &input.target_id)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let policy = found(&managed, &input.policy_id)?;
        let target = target(&managed, &input.target_id)?;
        let mut node = target.node().clone();
        if !node.attached.contains(&policy.id) {
            return Err(OrganizationsFault::PolicyNotAttached.into());
        }
        match policy.kind {
            PolicyType::ResourceControl if policy.of_aws => {
                return Err(OrganizationsFault::Input(InputReason::NonDetachablePolicy).into());
            }
            PolicyType::ServiceControl if attached(&managed, target, policy.kind) == 1 => {
                let reason = ConstraintReason::MinAttachments;
                return Err(OrganizationsFault::Constraint(reason).into());
            }
            PolicyType::ServiceControl | PolicyType::ResourceControl => {}
        }
        node.attached.retain(|id| *id != policy.id);
        Ok(ActionResult::change((), with_node(target, node)))
    }
}

pub(crate) struct ListPoliciesForTarget;

impl Action for ListPoliciesForTarget {
    type Shape = organizations::ListPoliciesForTarget;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = node_target(view, &input.target_id).with_key(POLICY_TYPE, &input.filter);
        Ok(Requirement::one(target))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let target = target(&managed, &input.target_id)?;
        let place = (input.next_token.as_deref(), input.max_results);
        let filter: [&str; 2] = [&input.target_id, &input.filter];
        let page = page("ListPoliciesForTarget", &filter, place)?;
        let kind = PolicyType::parse(&input.filter);
        let policies = target.node().attached.iter();
        let policies = policies.filter_map(|id| managed.state.policy(id));
        let mut wanted: Vec<_> = policies
            .filter(|policy| Some(policy.kind) == kind)
            .collect();
        wanted.sort_by(|one, other| one.id.cmp(&other.id));
        let (policies, next_token) = page.cut(wanted, |policy| policy.id.clone());
        let policies = policies.into_iter().map(|policy| summary(&managed, policy));
        Ok(ActionResult::answer(
            organizations::ListPoliciesForTargetOutput {
                policies: Some(policies.collect()),
                next_token,
            },
        ))
    }
}

pub(crate) struct ListTargetsForPolicy;

impl Action for ListTargetsForPolicy {
    type Shape = organizations::ListTargetsForPolicy;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(policy_target(view, &input.policy_id)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let policy = found(&managed, &input.policy_id)?;
        let place = (input.next_token.as_deref(), input.max_results);
        let page = page("ListTargetsForPolicy", &[&input.policy_id], place)?;
        let targets = managed.state.targets();
        let targets = targets.filter(|(_, target)| target.node().attached.contains(&policy.id));
        let mut targets: Vec<_> = targets.collect();
        targets.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (targets, next_token) = page.cut(targets, |(id, _)| id.clone());
        let summary = |(id, target): (String, TargetRef<'_>)| {
            let kind = match kind_of(&id) {
                "root" => target_type::ROOT,
                "ou" => target_type::ORGANIZATIONAL_UNIT,
                _ => target_type::ACCOUNT,
            };
            organizations::PolicyTargetSummary {
                arn: Some(managed.names().target_arn(&id)),
                name: Some(name_of(target)),
                r#type: Some(kind.to_owned()),
                target_id: Some(id),
            }
        };
        Ok(ActionResult::answer(
            organizations::ListTargetsForPolicyOutput {
                targets: Some(targets.into_iter().map(summary).collect()),
                next_token,
            },
        ))
    }
}
