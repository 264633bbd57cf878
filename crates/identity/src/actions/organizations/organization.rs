//! The organization itself: create, describe, delete; its root and the policy types enabled there.

use std::sync::Arc;

use keywright_base::Secret;
use keywright_wire::organizations::{
    self,
    values::{organization_feature_set, policy_type_status},
};

use super::{ManagedOrganization, OrganizationNames, POLICY_TYPE, new_id, node_target, page};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{IamFault, InputReason, OrganizationsFault},
    state::{
        AccountCreation, MemberAccount, Membership, Organization, OrganizationPolicy,
        OrganizationalUnit, PolicyType, StateChange, TargetNode, TargetRef,
    },
    view::StateView,
};

/// The name of every root.
pub(super) const ROOT_NAME: &str = "Root";

/// The change that gives a target another node.
pub(super) fn with_node(target: TargetRef<'_>, node: TargetNode) -> StateChange {
    match target {
        TargetRef::Root(organization) => StateChange::put(Organization {
            root: node,
            ..Organization::clone(organization)
        }),
        TargetRef::Unit(unit) => StateChange::put(OrganizationalUnit {
            node,
            ..OrganizationalUnit::clone(unit)
        }),
        TargetRef::Account(member) => StateChange::put(MemberAccount {
            node,
            ..MemberAccount::clone(member)
        }),
    }
}

/// What AWS attaches to everything under a root with these types enabled.
pub(super) fn full_access(enabled: &[PolicyType]) -> TargetNode {
    TargetNode {
        attached: enabled
            .iter()
            .map(|it| it.full_access().to_owned())
            .collect(),
        tags: Vec::new(),
    }
}

/// The address of a management account, which registers none here.
fn management_email(view: &StateView<'_>) -> String {
    format!("root@{}.invalid", view.id())
}

fn types_to_wire(enabled: &[PolicyType]) -> Vec<organizations::PolicyTypeSummary> {
    let summary = |kind: &PolicyType| organizations::PolicyTypeSummary {
        r#type: Some(kind.as_str().to_owned()),
        status: Some(policy_type_status::ENABLED.to_owned()),
    };
    enabled.iter().map(summary).collect()
}

fn to_wire(
    organization: &Organization,
    names: &OrganizationNames,
    email: &str,
) -> organizations::Organization {
    let management = names.management.to_string();
    organizations::Organization {
        id: Some(organization.id.clone()),
        arn: Some(names.own_arn()),
        feature_set: Some(organization_feature_set::ALL.to_owned()),
        master_account_arn: Some(names.arn("account", &management)),
        master_account_id: Some(management),
        master_account_email: Some(Secret::new(email.to_owned())),
        available_policy_types: Some(types_to_wire(&organization.enabled)),
    }
}

fn root_to_wire(organization: &Organization, names: &OrganizationNames) -> organizations::Root {
    organizations::Root {
        id: Some(organization.root_id.clone()),
        arn: Some(names.arn("root", &organization.root_id)),
        name: Some(ROOT_NAME.to_owned()),
        policy_types: Some(types_to_wire(&organization.enabled)),
    }
}

pub(crate) struct CreateOrganization;

impl Action for CreateOrganization {
    type Shape = organizations::CreateOrganization;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        if view.ledger.membership(view.account).is_some() {
            return Err(OrganizationsFault::AlreadyInOrganization.into());
        }
        let set = input.feature_set.as_deref();
        if set.is_some_and(|set| set != organization_feature_set::ALL) {
            return Err(OrganizationsFault::Input(InputReason::FeatureSet).into());
        }
        let enabled = vec![PolicyType::ServiceControl];
        let organization = Organization {
            id: new_id("o-", 10, view.entropy),
            root_id: new_id("r-", 4, view.entropy),
            root: full_access(&enabled),
            enabled,
            created: view.now(),
        };
        let alias = view.account.settings().alias.clone();
        let management = MemberAccount {
            id: view.id(),
            name: alias.unwrap_or_else(|| view.id().to_string()),
            email: management_email(view),
            parent: organization.root_id.clone(),
            joined: view.now(),
            created_here: false,
            closed: None,
            node: full_access(&organization.enabled),
        };
        let names = OrganizationNames {
            management: view.id(),
            organization: organization.id.clone(),
        };
        let output = organizations::CreateOrganizationOutput {
            organization: Some(to_wire(&organization, &names, &management.email)),
        };
        Ok(ActionResult {
            changes: vec![StateChange::put(organization), StateChange::put(management)],
            ..ActionResult::answer(output)
        })
    }
}

pub(crate) struct DescribeOrganization;

impl Action for DescribeOrganization {
    type Shape = organizations::DescribeOrganization;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(_: &StateView<'_>, (): &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, (): &Input<Self>) -> ActionOutcome<Self> {
        let membership = view.ledger.membership(view.account);
        let membership = membership.ok_or(OrganizationsFault::NotInUse)?;
        let output = described(&membership).ok_or(OrganizationsFault::NotInUse)?;
        Ok(ActionResult::answer(
            organizations::DescribeOrganizationOutput {
                organization: Some(output),
            },
        ))
    }
}

fn described(membership: &Membership) -> Option<organizations::Organization> {
    let organization = membership.state().organization()?;
    let management = membership.state().members().get(&membership.management())?;
    let names = OrganizationNames {
        management: membership.management(),
        organization: organization.id.clone(),
    };
    Some(to_wire(organization, &names, &management.email))
}

pub(crate) struct DeleteOrganization;

impl Action for DeleteOrganization {
    type Shape = organizations::DeleteOrganization;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(_: &StateView<'_>, (): &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, (): &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let state = managed.state;
        if state.members().keys().any(|id| *id != view.id()) {
            return Err(OrganizationsFault::OrganizationNotEmpty.into());
        }
        let units = state.units().keys().cloned();
        let policies = state.policies().keys().cloned();
        let creations = state.creations().keys().cloned();
        let mut changes = vec![
            StateChange::delete::<Organization>(()),
            StateChange::delete::<MemberAccount>(view.id()),
        ];
        changes.extend(units.map(StateChange::delete::<OrganizationalUnit>));
        changes.extend(policies.map(StateChange::delete::<OrganizationPolicy>));
        changes.extend(creations.map(StateChange::delete::<AccountCreation>));
        Ok(ActionResult {
            changes,
            ..ActionResult::answer(())
        })
    }
}

pub(crate) struct ListRoots;

impl Action for ListRoots {
    type Shape = organizations::ListRoots;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        // There is one, but a marker must still be one of this listing.
        page(
            "ListRoots",
            &[],
            (input.next_token.as_deref(), input.max_results),
        )?;
        Ok(ActionResult::answer(organizations::ListRootsOutput {
            roots: Some(vec![root_to_wire(managed.organization, &managed.names())]),
            next_token: None,
        }))
    }
}

fn type_target(view: &StateView<'_>, root: &str, kind: &str) -> Result<Requirement, IamFault> {
    let target = node_target(view, root).with_key(POLICY_TYPE, kind);
    Ok(Requirement::one(target))
}

/// The organization with this root.
fn with_root<'a>(view: &StateView<'a>, root: &str) -> Result<ManagedOrganization<'a>, IamFault> {
    let managed = ManagedOrganization::of(view)?;
    if managed.organization.root_id != root {
        return Err(OrganizationsFault::RootNotFound.into());
    }
    Ok(managed)
}

/// The changes that enable or disable a type: the root's list, and what is attached everywhere.
fn with_types(
    managed: &ManagedOrganization<'_>,
    enabled: Vec<PolicyType>,
    mut change: impl FnMut(&mut TargetNode),
) -> (Organization, Vec<StateChange>) {
    let mut organization = Organization::clone(managed.organization);
    organization.enabled = enabled;
    change(&mut organization.root);
    let mut changes = vec![StateChange::put(organization.clone())];
    for (_, target) in managed.state.targets() {
        if matches!(target, TargetRef::Root(_)) {
            continue;
        }
        let mut node = target.node().clone();
        change(&mut node);
        changes.push(with_node(target, node));
    }
    (organization, changes)
}

pub(crate) struct EnablePolicyType;

impl Action for EnablePolicyType {
    type Shape = organizations::EnablePolicyType;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        type_target(view, &input.root_id, &input.policy_type)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = with_root(view, &input.root_id)?;
        let kind = PolicyType::parse(&input.policy_type);
        let kind = kind.ok_or(OrganizationsFault::PolicyTypeNotAvailable)?;
        let mut enabled = managed.organization.enabled.clone();
        if enabled.contains(&kind) {
            return Err(OrganizationsFault::PolicyTypeAlreadyEnabled.into());
        }
        enabled.push(kind);
        let (organization, changes) = with_types(&managed, enabled, |node| {
            node.attached.push(kind.full_access().to_owned());
        });
        let output = organizations::EnablePolicyTypeOutput {
            root: Some(root_to_wire(&organization, &managed.names())),
        };
        Ok(ActionResult {
            changes,
            ..ActionResult::answer(output)
        })
    }
}

pub(crate) struct DisablePolicyType;

impl Action for DisablePolicyType {
    type Shape = organizations::DisablePolicyType;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        type_target(view, &input.root_id, &input.policy_type)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = with_root(view, &input.root_id)?;
        let mut enabled = managed.organization.enabled.clone();
        let kind = PolicyType::parse(&input.policy_type);
        let kind = kind.filter(|kind| enabled.contains(kind));
        let kind = kind.ok_or(OrganizationsFault::PolicyTypeNotEnabled)?;
        enabled.retain(|other| *other != kind);
        let is_of_kind = |id: &String| {
            let policy = managed.state.policy(id).map(Arc::clone);
            policy.is_some_and(|policy| policy.kind == kind)
        };
        let (organization, changes) = with_types(&managed, enabled, |node| {
            node.attached.retain(|id| !is_of_kind(id));
        });
        let output = organizations::DisablePolicyTypeOutput {
            root: Some(root_to_wire(&organization, &managed.names())),
        };
        Ok(ActionResult {
            changes,
            ..ActionResult::answer(output)
        })
    }
}
