//! Permissions boundaries of users and roles: validate, set and delete.

use std::sync::Arc;

use keywright_base::Arn;
use keywright_wire::iam;

use super::roles::check_modifiable;
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{IamFault, InvalidInput, MissingEntity},
    state::{Role, StateChange, User},
    view::StateView,
};

/// Checks that the boundary named by a request is an existing managed policy.
pub(super) fn checked(
    view: &StateView<'_>,
    arn: Option<&str>,
) -> Result<Option<Arc<str>>, IamFault> {
    let Some(arn) = arn else { return Ok(None) };
    let invalid = || IamFault::from(InvalidInput::Arn(arn.to_owned()));
    let parsed = Arn::parse(arn).map_err(|_| invalid())?;
    if parsed.service() != "iam" || !parsed.resource().starts_with("policy/") {
        return Err(invalid());
    }
    if let Some(policy) = view.catalogue().by_arn(arn) {
        return Ok(Some(Arc::clone(&policy.arn)));
    }
    let policy = view
        .account
        .policy_by_arn(&parsed)
        .ok_or_else(|| MissingEntity::Boundary(arn.to_owned()))?;
    Ok(Some(policy.arn(view.id()).as_str().into()))
}

/// As responses have it.
pub(super) fn to_wire(arn: &str) -> iam::AttachedPermissionsBoundary {
    iam::AttachedPermissionsBoundary {
        permissions_boundary_type: Some("Policy".to_owned()),
        permissions_boundary_arn: Some(arn.to_owned()),
    }
}

pub(crate) struct PutUserPermissionsBoundary;

impl Action for PutUserPermissionsBoundary {
    type Shape = iam::PutUserPermissionsBoundary;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::user(view, &input.user_name);
        let boundary = &input.permissions_boundary;
        Ok(Requirement::one(
            target.with_key("iam:PermissionsBoundary", boundary),
        ))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut user = User::clone(view.user(&input.user_name)?);
        user.boundary = checked(view, Some(&input.permissions_boundary))?;
        Ok(ActionResult::change((), StateChange::put(user)))
    }
}

pub(crate) struct DeleteUserPermissionsBoundary;

impl Action for DeleteUserPermissionsBoundary {
    type Shape = iam::DeleteUserPermissionsBoundary;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::bounded_user(view, &input.user_name);
        Ok(Requirement::one(target))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut user = User::clone(view.user(&input.user_name)?);
        if user.boundary.take().is_none() {
            return Err(MissingEntity::UserBoundary(user.name).into());
        }
        Ok(ActionResult::change((), StateChange::put(user)))
    }
}

pub(crate) struct PutRolePermissionsBoundary;

impl Action for PutRolePermissionsBoundary {
    type Shape = iam::PutRolePermissionsBoundary;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::role(view, &input.role_name);
        let boundary = &input.permissions_boundary;
        Ok(Requirement::one(
            target.with_key("iam:PermissionsBoundary", boundary),
        ))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut role = Role::clone(view.role(&input.role_name)?);
        check_modifiable(&role)?;
        role.boundary = checked(view, Some(&input.permissions_boundary))?;
        Ok(ActionResult::change((), StateChange::put(role)))
    }
}

pub(crate) struct DeleteRolePermissionsBoundary;

impl Action for DeleteRolePermissionsBoundary {
    type Shape = iam::DeleteRolePermissionsBoundary;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::bounded_role(view, &input.role_name);
        Ok(Requirement::one(target))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut role = Role::clone(view.role(&input.role_name)?);
        check_modifiable(&role)?;
        if role.boundary.take().is_none() {
            return Err(MissingEntity::RoleBoundary(role.name).into());
        }
        Ok(ActionResult::change((), StateChange::put(role)))
    }
}
