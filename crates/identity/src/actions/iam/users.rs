//! Users: create, read, list, rename and move, delete.

use std::ops::Bound;

use keywright_base::{Arn, FoldedName, IdKind, UniqueId, limits};
use keywright_wire::iam;

use super::tags;
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{DeleteBlocker, ExistingEntity, IamFault, ReachedQuota},
    pagination::PageRequest,
    state::{CredentialOwner, DirectGrants, RootUser, StateChange, User},
    view::{CredentialSubject, StateView},
};

pub(crate) struct CreateUser;

impl Action for CreateUser {
    type Shape = iam::CreateUser;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let path = input.path.as_deref().unwrap_or("/");
        let arn = Arn::iam_entity(view.id(), "user", path, &input.user_name).to_string();
        let tags = tags::from_wire(input.tags.as_deref());
        let mut create = AuthTarget::new(&*arn, &*arn).with_request_tags(tags.clone());
        if let Some(boundary) = &input.permissions_boundary {
            create = create.with_key("iam:PermissionsBoundary", boundary);
        }
        let mut targets = vec![create];
        if !tags.is_empty() {
            let tag = AuthTarget::new(&*arn, &*arn).with_request_tags(tags);
            targets.push(tag.as_action("iam:TagUser"));
        }
        Ok(Requirement::All(targets))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        if view.account.user(&input.user_name).is_some() {
            return Err(ExistingEntity::User(input.user_name.clone()).into());
        }
        if view.account.users().len() >= limits::USERS_PER_ACCOUNT {
            return Err(ReachedQuota::Named("UsersPerAccount", limits::USERS_PER_ACCOUNT).into());
        }
        let user = User {
            id: UniqueId::generate(IdKind::User, view.id(), view.entropy),
            path: input.path.clone().unwrap_or_else(|| "/".to_owned()),
            name: input.user_name.clone(),
            created: view.now(),
            tags: tags::checked_any_case(&[], input.tags.as_deref())?,
            keys: Vec::new(),
            login: None,
            grants: DirectGrants::default(),
            boundary: super::boundaries::checked(view, input.permissions_boundary.as_deref())?,
            groups: Vec::new(),
            effective: arc_swap::ArcSwapOption::empty(),
        };
        let output = iam::CreateUserOutput {
            user: Some(full(view, &user)),
        };
        Ok(ActionResult::change(output, StateChange::put(user)))
    }
}

pub(crate) struct GetUser;

impl Action for GetUser {
    type Shape = iam::GetUser;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, input.user_name.as_deref())
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let user = match view.subject(input.user_name.as_deref())? {
            CredentialSubject::Root => root(view, view.account.root()),
            CredentialSubject::User(name) => full(view, view.user(&name)?),
        };
        Ok(ActionResult::answer(iam::GetUserOutput { user }))
    }
}

pub(crate) struct ListUsers;

impl Action for ListUsers {
    type Shape = iam::ListUsers;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let arn = Arn::iam(view.id(), &format!("user{prefix}")).to_string();
        Ok(Requirement::one(AuthTarget::new(&*arn, &*arn)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListUsers", &[prefix], marker, input.max_items)?;
        let from = page
            .after()
            .map_or(Bound::Unbounded, |a| Bound::Excluded(FoldedName::new(a)));
        let rest = view.account.users().range((from, Bound::Unbounded));
        let matching = rest
            .map(|(_, user)| user)
            .filter(|user| user.path.starts_with(prefix));
        let (users, marker) = page.take(matching, |user| {
            FoldedName::new(&user.name).as_str().to_owned()
        });
        Ok(ActionResult::answer(iam::ListUsersOutput {
            users: users.into_iter().map(|user| brief(view, user)).collect(),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

pub(crate) struct UpdateUser;

impl Action for UpdateUser {
    type Shape = iam::UpdateUser;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let old = AuthTarget::user(view, &input.user_name);
        if input.new_path.is_none() && input.new_user_name.is_none() {
            return Ok(Requirement::one(old));
        }
        // AWS requires permission on both the old and the new name.
        let stored = view.account.user(&input.user_name);
        let path = input
            .new_path
            .as_deref()
            .or(stored.map(|user| user.path.as_str()));
        let name = input.new_user_name.as_deref().unwrap_or(&input.user_name);
        let new = Arn::iam_entity(view.id(), "user", path.unwrap_or("/"), name).to_string();
        let listed = format!("user {name}");
        let new = AuthTarget {
            resource_tags: old.resource_tags.clone(),
            ..AuthTarget::new(new, listed)
        };
        Ok(Requirement::All(vec![old, new]))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut user = User::clone(view.user(&input.user_name)?);
        if let Some(name) = &input.new_user_name {
            let holder = view.account.user(name);
            // AWS also refuses the user's own name in another case (recorded 2025-11-30).
            if holder.is_some_and(|holder| holder.id != user.id || holder.name != *name) {
                return Err(ExistingEntity::User(name.clone()).into());
            }
            user.name.clone_from(name);
        }
        if let Some(path) = &input.new_path {
            user.path.clone_from(path);
        }
        Ok(ActionResult::change((), StateChange::put(user)))
    }
}

pub(crate) struct DeleteUser;

impl Action for DeleteUser {
    type Shape = iam::DeleteUser;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::user(view, &input.user_name)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let user = view.user(&input.user_name)?;
        if let Some(dependant) = dependant(view, user) {
            return Err(dependant.into());
        }
        let mut done = ActionResult::change((), StateChange::delete::<User>(user.id));
        done.forget.push(user.id.to_string());
        Ok(done)
    }
}

/// What keeps a user from being deleted, in AWS's order.
fn dependant(view: &StateView<'_>, user: &User) -> Option<DeleteBlocker> {
    let owner = CredentialOwner::User(user.id);
    let mut devices = view.account.devices_of(owner);
    let mut certificates = view.account.signing_certificates_of(owner);
    let mut ssh_keys = view.account.ssh_public_keys_of(user.id);
    let mut credentials = view.account.service_credentials_of(user.id);
    let checks = [
        (
            !user.grants.attached.is_empty(),
            DeleteBlocker::AttachedPolicies,
        ),
        (
            !user.grants.inline.is_empty(),
            DeleteBlocker::InlinePolicies,
        ),
        (!user.groups.is_empty(), DeleteBlocker::Membership),
        (!user.keys.is_empty(), DeleteBlocker::AccessKeys),
        (user.login.is_some(), DeleteBlocker::LoginProfile),
        (
            certificates.next().is_some(),
            DeleteBlocker::SigningCertificates,
        ),
        (devices.next().is_some(), DeleteBlocker::MfaDevice),
        (
            ssh_keys.next().is_some() || credentials.next().is_some(),
            DeleteBlocker::ReferencedObjects,
        ),
    ];
    checks
        .into_iter()
        .find_map(|(holds, dependant)| holds.then_some(dependant))
}

/// The target of an action with an optional `UserName`.
pub(super) fn subject_target(
    view: &StateView<'_>,
    name: Option<&str>,
) -> Result<Requirement, IamFault> {
    Ok(Requirement::one(target_of(view, &view.subject(name)?)))
}

/// The target for an action on credentials.
pub(super) fn target_of(view: &StateView<'_>, subject: &CredentialSubject) -> AuthTarget {
    match subject {
        CredentialSubject::Root => AuthTarget::root(view),
        CredentialSubject::User(name) => AuthTarget::user(view, name),
    }
}

/// A user as CreateUser and GetUser return it: with tags and boundary, if any.
fn full(view: &StateView<'_>, user: &User) -> iam::User {
    iam::User {
        permissions_boundary: user.boundary.as_deref().map(super::boundaries::to_wire),
        tags: (!user.tags.is_empty()).then(|| tags::to_wire(&user.tags)),
        ..brief(view, user)
    }
}

/// A user as lists have it.
pub(super) fn brief(view: &StateView<'_>, user: &User) -> iam::User {
    iam::User {
        path: user.path.clone(),
        user_name: user.name.clone(),
        user_id: user.id.to_string(),
        arn: user.arn(view.id()).to_string(),
        create_date: user.created,
        password_last_used: view.usage.last(user.id.as_str()).map(|used| used.at),
        ..iam::User::default()
    }
}

/// Root as GetUser and lists have it.
pub(super) fn root(view: &StateView<'_>, root: &RootUser) -> iam::User {
    iam::User {
        path: "/".to_owned(),
        user_name: "root".to_owned(),
        user_id: view.id().to_string(),
        arn: Arn::iam(view.id(), "root").to_string(),
        create_date: root.created,
        password_last_used: view.usage.last(&view.id().to_string()).map(|used| used.at),
        ..iam::User::default()
    }
}

#[cfg(test)]
mod tests;
