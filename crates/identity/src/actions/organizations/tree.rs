//! The tree of an organization: what is in a root or unit, where something is, and moving accounts.

use keywright_wire::organizations::{
    self,
    values::{child_type, parent_type},
};

use super::{ManagedOrganization, kind_of, node_target, page};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{Permit, Requirement},
    fault::{IamFault, OrganizationsFault},
    state::{MemberAccount, StateChange},
    view::StateView,
};

pub(crate) struct ListChildren;

impl Action for ListChildren {
    type Shape = organizations::ListChildren;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(node_target(view, &input.parent_id)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let (parent, kind) = (&input.parent_id, &input.child_type);
        if !managed.has_parent(parent) {
            return Err(OrganizationsFault::ParentNotFound.into());
        }
        let place = (input.next_token.as_deref(), input.max_results);
        let page = page("ListChildren", &[parent, kind], place)?;
        let units = managed.state.units().values();
        let units = units.filter(|unit| unit.parent == *parent);
        let members = managed.state.members().values();
        let members = members.filter(|member| member.parent == *parent);
        let ids: Vec<String> = if kind == child_type::ACCOUNT {
            members.map(|member| member.id.to_string()).collect()
        } else {
            units.map(|unit| unit.id.clone()).collect()
        };
        let (ids, next_token) = page.cut(ids, String::clone);
        let child = |id: String| organizations::Child {
            id: Some(id),
            r#type: Some(kind.clone()),
        };
        Ok(ActionResult::answer(organizations::ListChildrenOutput {
            children: Some(ids.into_iter().map(child).collect()),
            next_token,
        }))
    }
}

pub(crate) struct ListParents;

impl Action for ListParents {
    type Shape = organizations::ListParents;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(node_target(view, &input.child_id)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let place = (input.next_token.as_deref(), input.max_results);
        page("ListParents", &[&input.child_id], place)?;
        let unit = managed.state.units().get(&input.child_id);
        let unit = unit.map(|unit| &unit.parent);
        let member = managed.state.member(&input.child_id);
        let parent = unit.or_else(|| member.map(|member| &member.parent));
        let parent = parent.ok_or(OrganizationsFault::ChildNotFound)?;
        let kind = match kind_of(parent) {
            "root" => parent_type::ROOT,
            _ => parent_type::ORGANIZATIONAL_UNIT,
        };
        Ok(ActionResult::answer(organizations::ListParentsOutput {
            parents: Some(vec![organizations::Parent {
                id: Some(parent.clone()),
                r#type: Some(kind.to_owned()),
            }]),
            next_token: None,
        }))
    }
}

pub(crate) struct MoveAccount;

impl Action for MoveAccount {
    type Shape = organizations::MoveAccount;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let places = [
            &input.account_id,
            &input.source_parent_id,
            &input.destination_parent_id,
        ];
        let targets = places.map(|id| node_target(view, id));
        Ok(Requirement::All(targets.into()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let member = managed.state.member(&input.account_id);
        let member = member.ok_or(OrganizationsFault::AccountNotFound)?;
        if member.parent != input.source_parent_id {
            return Err(OrganizationsFault::SourceParentNotFound.into());
        }
        if !managed.has_parent(&input.destination_parent_id) {
            return Err(OrganizationsFault::DestinationParentNotFound.into());
        }
        if member.parent == input.destination_parent_id {
            return Err(OrganizationsFault::DuplicateAccount.into());
        }
        let moved = MemberAccount {
            parent: input.destination_parent_id.clone(),
            ..MemberAccount::clone(member)
        };
        Ok(ActionResult::change((), StateChange::put(moved)))
    }
}
