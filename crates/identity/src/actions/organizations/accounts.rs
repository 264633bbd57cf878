//! The accounts of an organization: list, describe, close, remove.

use std::sync::Arc;

use keywright_base::{AccountId, Secret};
use keywright_wire::organizations::{
    self,
    values::{account_joined_method, account_state, account_status},
};

use super::{ManagedOrganization, node_target, page};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{ConstraintReason, IamFault, OrganizationsFault},
    state::{CreationOutcome, MemberAccount, StateChange},
    view::StateView,
};

fn to_wire(managed: &ManagedOrganization<'_>, member: &MemberAccount) -> organizations::Account {
    let (status, state) = match member.closed {
        None => (account_status::ACTIVE, account_state::ACTIVE),
        Some(_) => (account_status::SUSPENDED, account_state::SUSPENDED),
    };
    let method = if member.created_here {
        account_joined_method::CREATED
    } else {
        account_joined_method::INVITED
    };
    let (id, organization) = (member.id.to_string(), &managed.organization.id);
    let above = managed.state.ancestry(&member.parent).join("/");
    organizations::Account {
        arn: Some(managed.names().arn("account", &id)),
        email: Some(Secret::new(member.email.clone())),
        name: Some(Secret::new(member.name.clone())),
        status: Some(status.to_owned()),
        state: Some(state.to_owned()),
        paths: Some(vec![format!("{organization}/{above}/{id}/")]),
        joined_method: Some(method.to_owned()),
        joined_timestamp: Some(member.joined),
        id: Some(id),
    }
}

fn found<'a>(
    managed: &ManagedOrganization<'a>,
    id: &str,
) -> Result<&'a Arc<MemberAccount>, IamFault> {
    let member = managed.state.member(id);
    member.ok_or_else(|| OrganizationsFault::AccountNotFound.into())
}

/// Whether the account is still to be made.
fn is_in_progress(managed: &ManagedOrganization<'_>, id: AccountId) -> bool {
    let mut creations = managed.state.creations().values();
    creations.any(|it| it.account == id && it.outcome == CreationOutcome::InProgress)
}

/// A page of accounts in the order of their IDs.
fn listed<'a>(
    managed: &ManagedOrganization<'_>,
    members: impl Iterator<Item = &'a Arc<MemberAccount>>,
    page: &crate::pagination::PageRequest,
) -> (Vec<organizations::Account>, Option<String>) {
    let (members, marker) = page.cut(members, |member| member.id.to_string());
    let members = members.into_iter().map(|member| to_wire(managed, member));
    (members.collect(), marker)
}

pub(crate) struct ListAccounts;

impl Action for ListAccounts {
    type Shape = organizations::ListAccounts;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let place = (input.next_token.as_deref(), input.max_results);
        let page = page("ListAccounts", &[], place)?;
        let (accounts, next_token) = listed(&managed, managed.state.members().values(), &page);
        Ok(ActionResult::answer(organizations::ListAccountsOutput {
            accounts: Some(accounts),
            next_token,
        }))
    }
}

pub(crate) struct ListAccountsForParent;

impl Action for ListAccountsForParent {
    type Shape = organizations::ListAccountsForParent;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(node_target(view, &input.parent_id)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let parent = &input.parent_id;
        if !managed.has_parent(parent) {
            return Err(OrganizationsFault::ParentNotFound.into());
        }
        let place = (input.next_token.as_deref(), input.max_results);
        let page = page("ListAccountsForParent", &[parent], place)?;
        let members = managed.state.members().values();
        let members = members.filter(|member| member.parent == *parent);
        let (accounts, next_token) = listed(&managed, members, &page);
        Ok(ActionResult::answer(
            organizations::ListAccountsForParentOutput {
                accounts: Some(accounts),
                next_token,
            },
        ))
    }
}

pub(crate) struct DescribeAccount;

impl Action for DescribeAccount {
    type Shape = organizations::DescribeAccount;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(node_target(view, &input.account_id)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let member = found(&managed, &input.account_id)?;
        Ok(ActionResult::answer(organizations::DescribeAccountOutput {
            account: Some(to_wire(&managed, member)),
        }))
    }
}

pub(crate) struct CloseAccount;

impl Action for CloseAccount {
    type Shape = organizations::CloseAccount;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(node_target(view, &input.account_id)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let member = found(&managed, &input.account_id)?;
        if member.id == managed.management {
            return Err(OrganizationsFault::Constraint(ConstraintReason::CloseManagement).into());
        }
        if member.closed.is_some() {
            return Err(OrganizationsFault::AccountAlreadyClosed.into());
        }
        if is_in_progress(&managed, member.id) {
            let reason = ConstraintReason::CreationNotComplete;
            return Err(OrganizationsFault::Constraint(reason).into());
        }
        let closed = MemberAccount {
            closed: Some(view.now()),
            ..MemberAccount::clone(member)
        };
        Ok(ActionResult::change((), StateChange::put(closed)))
    }
}

pub(crate) struct RemoveAccountFromOrganization;

impl Action for RemoveAccountFromOrganization {
    type Shape = organizations::RemoveAccountFromOrganization;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(node_target(view, &input.account_id)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let member = found(&managed, &input.account_id)?;
        if member.id == managed.management {
            return Err(OrganizationsFault::MasterCannotLeave.into());
        }
        // Outside the organization nothing would say that it is closed.
        if member.closed.is_some() {
            return Err(OrganizationsFault::Constraint(ConstraintReason::CannotLeave).into());
        }
        if is_in_progress(&managed, member.id) {
            let reason = ConstraintReason::CreationNotComplete;
            return Err(OrganizationsFault::Constraint(reason).into());
        }
        let change = StateChange::delete::<MemberAccount>(member.id);
        Ok(ActionResult::change((), change))
    }
}
