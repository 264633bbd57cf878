//! Groups and their members.
//!
//! Membership is stored with the user. A group is found by name in any case and keeps its ID when
//! it is renamed or moved.

use std::ops::Bound;

use keywright_base::{Arn, FoldedName, IdKind, UniqueId, limits};
use keywright_wire::iam;

use super::users;
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{DeleteBlocker, ExistingEntity, IamFault, ReachedQuota},
    pagination::PageRequest,
    state::{DirectGrants, Group, StateChange, User},
    view::StateView,
};

pub(crate) struct CreateGroup;

impl Action for CreateGroup {
    type Shape = iam::CreateGroup;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let path = input.path.as_deref().unwrap_or("/");
        let arn = Arn::iam_entity(view.id(), "group", path, &input.group_name).to_string();
        Ok(Requirement::one(AuthTarget::new(&*arn, &*arn)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        if view.account.group(&input.group_name).is_some() {
            return Err(ExistingEntity::Group(input.group_name.clone()).into());
        }
        if view.account.groups().len() >= limits::GROUPS_PER_ACCOUNT {
            return Err(ReachedQuota::Named("GroupsPerAccount", limits::GROUPS_PER_ACCOUNT).into());
        }
        let group = Group {
            id: UniqueId::generate(IdKind::Group, view.id(), view.entropy),
            path: input.path.clone().unwrap_or_else(|| "/".to_owned()),
            name: input.group_name.clone(),
            created: view.now(),
            grants: DirectGrants::default(),
        };
        let output = iam::CreateGroupOutput {
            group: to_wire(view, &group),
        };
        Ok(ActionResult::change(output, StateChange::put(group)))
    }
}

/// `iam:GetGroup`, with its members by name.
pub(crate) struct GetGroup;

impl Action for GetGroup {
    type Shape = iam::GetGroup;
    const ACCESS: ActionLevel = ActionLevel::Read;
    const EFFORT: Effort = Effort::Page;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::group(view, &input.group_name)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let group = view.group(&input.group_name)?;
        let marker = input.marker.as_deref();
        let page = PageRequest::of("GetGroup", &[group.id.as_str()], marker, input.max_items)?;
        let names = view.account.members(group.id);
        let (names, marker) = page.cut(names.iter(), |name| name.as_str().to_owned());
        let members = names
            .into_iter()
            .filter_map(|name| view.account.user(name.as_str()));
        Ok(ActionResult::answer(iam::GetGroupOutput {
            group: to_wire(view, group),
            users: members.map(|user| users::brief(view, user)).collect(),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

pub(crate) struct ListGroups;

impl Action for ListGroups {
    type Shape = iam::ListGroups;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let arn = Arn::iam(view.id(), &format!("group{prefix}")).to_string();
        Ok(Requirement::one(AuthTarget::new(&*arn, &*arn)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListGroups", &[prefix], marker, input.max_items)?;
        let from = page.after().map_or(Bound::Unbounded, |after| {
            Bound::Excluded(FoldedName::new(after))
        });
        let rest = view.account.groups().range((from, Bound::Unbounded));
        let matching = rest
            .map(|(_, group)| group)
            .filter(|group| group.path.starts_with(prefix));
        let (groups, marker) = page.take(matching, |group| group.name.to_ascii_lowercase());
        Ok(ActionResult::answer(iam::ListGroupsOutput {
            groups: groups
                .into_iter()
                .map(|group| to_wire(view, group))
                .collect(),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

/// `iam:UpdateGroup`: renames and moves.
pub(crate) struct UpdateGroup;

impl Action for UpdateGroup {
    type Shape = iam::UpdateGroup;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let old = AuthTarget::group(view, &input.group_name);
        if input.new_path.is_none() && input.new_group_name.is_none() {
            return Ok(Requirement::one(old));
        }
        // AWS requires permission on both the old and the new name.
        let stored = view.account.group(&input.group_name);
        let path = input.new_path.as_deref();
        let path = path.or(stored.map(|group| group.path.as_str()));
        let name = input.new_group_name.as_deref().unwrap_or(&input.group_name);
        let new = Arn::iam_entity(view.id(), "group", path.unwrap_or("/"), name).to_string();
        let listed = format!("group {name}");
        Ok(Requirement::All(vec![old, AuthTarget::new(new, listed)]))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut group = Group::clone(view.group(&input.group_name)?);
        if let Some(name) = &input.new_group_name {
            let holder = view.account.group(name);
            if holder.is_some_and(|holder| holder.id != group.id) {
                return Err(ExistingEntity::Group(name.clone()).into());
            }
            group.name.clone_from(name);
        }
        if let Some(path) = &input.new_path {
            group.path.clone_from(path);
        }
        Ok(ActionResult::change((), StateChange::put(group)))
    }
}

pub(crate) struct DeleteGroup;

impl Action for DeleteGroup {
    type Shape = iam::DeleteGroup;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::group(view, &input.group_name)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let group = view.group(&input.group_name)?;
        // Checked in AWS's order.
        let dependant = if !group.grants.attached.is_empty() {
            Some(DeleteBlocker::AttachedPolicies)
        } else if !group.grants.inline.is_empty() {
            Some(DeleteBlocker::InlinePolicies)
        } else if !view.account.members(group.id).is_empty() {
            Some(DeleteBlocker::Membership)
        } else {
            None
        };
        match dependant {
            Some(dependant) => Err(dependant.into()),
            None => Ok(ActionResult::change(
                (),
                StateChange::delete::<Group>(group.id),
            )),
        }
    }
}

/// `iam:AddUserToGroup`; adding a member again changes nothing.
pub(crate) struct AddUserToGroup;

impl Action for AddUserToGroup {
    type Shape = iam::AddUserToGroup;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::group(view, &input.group_name)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut user = User::clone(view.user(&input.user_name)?);
        let group = view.group(&input.group_name)?;
        if user.groups.contains(&group.id) {
            return Ok(ActionResult::answer(()));
        }
        if user.groups.len() >= limits::GROUPS_PER_USER {
            return Err(ReachedQuota::Named("GroupsPerUser", limits::GROUPS_PER_USER).into());
        }
        user.groups.push(group.id);
        Ok(ActionResult::change((), StateChange::put(user)))
    }
}

/// `iam:RemoveUserFromGroup`; removing a non-member changes nothing.
pub(crate) struct RemoveUserFromGroup;

impl Action for RemoveUserFromGroup {
    type Shape = iam::RemoveUserFromGroup;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::group(view, &input.group_name)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut user = User::clone(view.user(&input.user_name)?);
        let group = view.group(&input.group_name)?;
        user.groups.retain(|member_of| *member_of != group.id);
        Ok(ActionResult::change((), StateChange::put(user)))
    }
}

pub(crate) struct ListGroupsForUser;

impl Action for ListGroupsForUser {
    type Shape = iam::ListGroupsForUser;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::user(view, &input.user_name)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let user = view.user(&input.user_name)?;
        let marker = input.marker.as_deref();
        let filter = [user.id.as_str()];
        let page = PageRequest::of("ListGroupsForUser", &filter, marker, input.max_items)?;
        let groups = user.groups.iter();
        let mut groups: Vec<_> = groups
            .filter_map(|id| view.account.group_by_id(*id))
            .collect();
        groups.sort_by_cached_key(|group| FoldedName::new(&group.name));
        let (groups, marker) = page.cut(groups, |group| group.name.to_ascii_lowercase());
        Ok(ActionResult::answer(iam::ListGroupsForUserOutput {
            groups: groups
                .into_iter()
                .map(|group| to_wire(view, group))
                .collect(),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

fn to_wire(view: &StateView<'_>, group: &Group) -> iam::Group {
    iam::Group {
        path: group.path.clone(),
        group_name: group.name.clone(),
        group_id: group.id.to_string(),
        arn: group.arn(view.id()).to_string(),
        create_date: group.created,
    }
}

#[cfg(test)]
mod tests;
