//! Roles: create, read, list, change, delete.

use std::ops::Bound;

use keywright_base::{Arn, FoldedName, IdKind, UniqueId, limits};
use keywright_policy::{
    DocumentKind, PrincipalType, Violation, rename_principals, size_without_whitespace, validate,
};
use keywright_wire::{iam, percent_encode_document};

use super::{boundaries, tags};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{DeleteBlocker, ExistingEntity, IamFault, ReachedQuota},
    pagination::PageRequest,
    state::{DirectGrants, Role, StateChange, TrustPolicy},
    stored_principals::PrincipalLookup,
    view::StateView,
};

/// The default maximum session duration of a role.
pub(super) const MAX_SESSION_SECS: i32 = 3600;

/// Validates a role's trust policy and converts it to its stored form.
///
/// # Errors
/// `MalformedPolicyDocument`, `LimitExceeded`.
fn checked_trust(view: &StateView<'_>, document: &str) -> Result<TrustPolicy, IamFault> {
    if size_without_whitespace(document) > limits::TRUST_POLICY_SIZE {
        return Err(ReachedQuota::Named("ACLSizePerRole", limits::TRUST_POLICY_SIZE).into());
    }
    let malformed =
        |violation: &Violation| IamFault::MalformedPolicyDocument(violation.to_string());
    let parsed = validate(document, DocumentKind::Trust).map_err(|it| malformed(&it))?;
    let lookup = PrincipalLookup::with(view.ledger, view.account);
    let clauses = parsed
        .statements
        .iter()
        .filter_map(|it| it.principal.as_ref());
    let mut names = clauses.flat_map(|clause| &clause.elements);
    let mut federated = names
        .clone()
        .filter(|(kind, _)| *kind == PrincipalType::Federated);
    federated.try_for_each(|(_, name)| check_provider(view, name))?;
    let missing =
        names.find(|(kind, name)| *kind == PrincipalType::Aws && lookup.to_stored(name).is_none());
    if let Some((kind, name)) = missing {
        return Err(malformed(&Violation::TrustPrincipal {
            kind: kind.key().to_uppercase(),
            value: name.clone(),
        }));
    }
    let stored = rename_principals(document, |name| lookup.to_stored(name));
    let stored = stored.map_err(|error| IamFault::MalformedPolicyDocument(error.to_string()))?;
    Ok(TrustPolicy::new(stored.into()))
}

/// AWS's own providers, whose tokens AWS verifies without a provider in the account.
const AWS_PROVIDERS: [&str; 4] = [
    "accounts.google.com",
    "cognito-identity.amazonaws.com",
    "graph.facebook.com",
    "www.amazon.com",
];

/// Rejects an identity provider whose tokens could never assume the role: an OpenID Connect
/// provider that does not exist in the account, and those that AWS knows by itself.
fn check_provider(view: &StateView<'_>, name: &str) -> Result<(), IamFault> {
    if AWS_PROVIDERS.contains(&name) {
        return Err(IamFault::MalformedPolicyDocument(format!(
            "The identity provider {name} is not built in: create an OpenID Connect provider and \
             use its ARN as the principal."
        )));
    }
    let parsed = Arn::parse(name).ok();
    let of_open_id =
        |arn: &Arn| arn.service() == "iam" && arn.resource().starts_with("oidc-provider/");
    if parsed.is_some_and(|arn| of_open_id(&arn)) && view.account.open_id_provider(name).is_none() {
        return Err(IamFault::MalformedPolicyDocument(
            Violation::TrustPrincipal {
                kind: PrincipalType::Federated.key().to_uppercase(),
                value: name.to_owned(),
            }
            .to_string(),
        ));
    }
    Ok(())
}

/// Enforces the quota of roles.
pub(super) fn check_quota(view: &StateView<'_>) -> Result<(), IamFault> {
    if view.account.roles().len() >= limits::ROLES_PER_ACCOUNT {
        return Err(ReachedQuota::Named("RolesPerAccount", limits::ROLES_PER_ACCOUNT).into());
    }
    Ok(())
}

/// Refuses changes to a role that only its service may modify.
pub(super) fn check_modifiable(role: &Role) -> Result<(), IamFault> {
    if role.is_service_linked() {
        return Err(IamFault::UnmodifiableEntity(format!(
            "Cannot perform the operation on the protected role '{}' - this role is only \
             modifiable by AWS",
            role.name
        )));
    }
    Ok(())
}

fn role_target(view: &StateView<'_>, name: &str) -> Result<Requirement, IamFault> {
    Ok(Requirement::one(AuthTarget::role(view, name)))
}

/// The role as a copy to modify.
fn changed(view: &StateView<'_>, name: &str) -> Result<Role, IamFault> {
    let role = view.role(name)?;
    check_modifiable(role)?;
    Ok(Role::clone(role))
}

pub(crate) struct CreateRole;

impl Action for CreateRole {
    type Shape = iam::CreateRole;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let path = input.path.as_deref().unwrap_or("/");
        let arn = Arn::iam_entity(view.id(), "role", path, &input.role_name).to_string();
        let tags = tags::from_wire(input.tags.as_deref());
        let mut create = AuthTarget::new(&*arn, &*arn).with_request_tags(tags.clone());
        if let Some(boundary) = &input.permissions_boundary {
            create = create.with_key("iam:PermissionsBoundary", boundary);
        }
        let mut targets = vec![create];
        if !tags.is_empty() {
            let tag = AuthTarget::new(&*arn, &*arn).with_request_tags(tags);
            targets.push(tag.as_action("iam:TagRole"));
        }
        Ok(Requirement::All(targets))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let path = input.path.as_deref().unwrap_or("/");
        if path.starts_with("/aws-service-role/") {
            return Err(IamFault::AccessDenied(
                "Roles in the path /aws-service-role/ are created with CreateServiceLinkedRole."
                    .to_owned(),
            ));
        }
        if view.account.role(&input.role_name).is_some() {
            return Err(ExistingEntity::Role(input.role_name.clone()).into());
        }
        check_quota(view)?;
        let role = Role {
            id: UniqueId::generate(IdKind::Role, view.id(), view.entropy),
            path: path.to_owned(),
            name: input.role_name.clone(),
            description: input.description.clone(),
            created: view.now(),
            max_session_secs: input.max_session_duration.unwrap_or(MAX_SESSION_SECS),
            trust: checked_trust(view, &input.assume_role_policy_document)?,
            tags: tags::checked_any_case(&[], input.tags.as_deref())?,
            grants: DirectGrants::default(),
            boundary: boundaries::checked(view, input.permissions_boundary.as_deref())?,
            effective: arc_swap::ArcSwapOption::empty(),
        };
        let output = iam::CreateRoleOutput {
            role: iam::Role {
                tags: (!role.tags.is_empty()).then(|| tags::to_wire(&role.tags)),
                permissions_boundary: role.boundary.as_deref().map(boundaries::to_wire),
                // Recorded in 2026: CreateRole returns no description and no maximum duration.
                ..in_profile(view, &role)
            },
        };
        Ok(ActionResult::change(output, StateChange::put(role)))
    }
}

pub(crate) struct GetRole;

impl Action for GetRole {
    type Shape = iam::GetRole;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        role_target(view, &input.role_name)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let role = full(view, view.role(&input.role_name)?);
        Ok(ActionResult::answer(iam::GetRoleOutput { role }))
    }
}

pub(crate) struct ListRoles;

impl Action for ListRoles {
    type Shape = iam::ListRoles;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let arn = Arn::iam(view.id(), &format!("role{prefix}")).to_string();
        Ok(Requirement::one(AuthTarget::new(&*arn, &*arn)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListRoles", &[prefix], marker, input.max_items)?;
        let from = page
            .after()
            .map_or(Bound::Unbounded, |a| Bound::Excluded(FoldedName::new(a)));
        let rest = view.account.roles().range((from, Bound::Unbounded));
        let matching = rest
            .map(|(_, role)| role)
            .filter(|role| role.path.starts_with(prefix));
        let (roles, marker) = page.take_within(
            matching.map(|role| brief(view, role)),
            |role| FoldedName::new(&role.role_name).as_str().to_owned(),
            document_bytes,
            limits::PAGE_DOCUMENT_BYTES,
        );
        Ok(ActionResult::answer(iam::ListRolesOutput {
            roles,
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

/// `iam:UpdateRole`; omitted values stay.
pub(crate) struct UpdateRole;

impl Action for UpdateRole {
    type Shape = iam::UpdateRole;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        role_target(view, &input.role_name)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut role = Role::clone(view.role(&input.role_name)?);
        // Only the description of a service-linked role can be changed.
        if input.max_session_duration.is_some() {
            check_modifiable(&role)?;
        }
        if let Some(description) = &input.description {
            role.description = Some(description.clone()).filter(|text| !text.is_empty());
        }
        if let Some(secs) = input.max_session_duration {
            role.max_session_secs = secs;
        }
        let output = iam::UpdateRoleOutput {};
        Ok(ActionResult::change(output, StateChange::put(role)))
    }
}

pub(crate) struct UpdateRoleDescription;

impl Action for UpdateRoleDescription {
    type Shape = iam::UpdateRoleDescription;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        role_target(view, &input.role_name)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut role = Role::clone(view.role(&input.role_name)?);
        role.description = Some(input.description.clone()).filter(|text| !text.is_empty());
        let output = iam::UpdateRoleDescriptionOutput {
            role: Some(full(view, &role)),
        };
        Ok(ActionResult::change(output, StateChange::put(role)))
    }
}

pub(crate) struct UpdateAssumeRolePolicy;

impl Action for UpdateAssumeRolePolicy {
    type Shape = iam::UpdateAssumeRolePolicy;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        role_target(view, &input.role_name)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut role = changed(view, &input.role_name)?;
        role.trust = checked_trust(view, &input.policy_document)?;
        Ok(ActionResult::change((), StateChange::put(role)))
    }
}

pub(crate) struct DeleteRole;

impl Action for DeleteRole {
    type Shape = iam::DeleteRole;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        role_target(view, &input.role_name)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let role = view.role(&input.role_name)?;
        check_modifiable(role)?;
        if view.account.profiles_of(role.id).next().is_some() {
            return Err(DeleteBlocker::RoleInProfile.into());
        }
        if !role.grants.attached.is_empty() {
            return Err(DeleteBlocker::AttachedPolicies.into());
        }
        if !role.grants.inline.is_empty() {
            return Err(DeleteBlocker::InlinePolicies.into());
        }
        let mut done = ActionResult::change((), StateChange::delete::<Role>(role.id));
        done.forget.push(role.id.to_string());
        Ok(done)
    }
}

/// A role as GetRole returns it.
fn full(view: &StateView<'_>, role: &Role) -> iam::Role {
    iam::Role {
        tags: (!role.tags.is_empty()).then(|| tags::to_wire(&role.tags)),
        permissions_boundary: role.boundary.as_deref().map(boundaries::to_wire),
        role_last_used: Some(last_used(view, role)),
        ..brief(view, role)
    }
}

/// The last request of a session of a role. Empty if there was none for [`limits::LAST_USED_SECS`].
pub(super) fn last_used(view: &StateView<'_>, role: &Role) -> iam::RoleLastUsed {
    let used = view.usage.last(role.id.as_str());
    let used = used.filter(|used| view.now().secs_since(used.at) <= limits::LAST_USED_SECS);
    iam::RoleLastUsed {
        last_used_date: used.as_ref().map(|used| used.at),
        region: used.map(|used| used.region),
    }
}

/// The size of a role's document in a response.
pub(super) fn document_bytes(role: &iam::Role) -> usize {
    role.assume_role_policy_document
        .as_ref()
        .map_or(0, String::len)
}

/// A role as lists have it: without tags, boundary and last use.
pub(super) fn brief(view: &StateView<'_>, role: &Role) -> iam::Role {
    iam::Role {
        path: role.path.clone(),
        role_name: role.name.clone(),
        role_id: role.id.to_string(),
        arn: role.arn(view.id()).to_string(),
        create_date: role.created,
        assume_role_policy_document: Some(percent_encode_document(&trust_text(view, role))),
        description: role.description.clone(),
        max_session_duration: Some(role.max_session_secs),
        ..iam::Role::default()
    }
}

/// A role as instance profiles have it.
pub(super) fn in_profile(view: &StateView<'_>, role: &Role) -> iam::Role {
    iam::Role {
        description: None,
        max_session_duration: None,
        ..brief(view, role)
    }
}

/// The trust policy in a response: principals by their current ARN, deleted ones by their ID.
pub(super) fn trust_text(view: &StateView<'_>, role: &Role) -> String {
    let stored = role.trust.stored();
    let lookup = PrincipalLookup::with(view.ledger, view.account);
    let named = rename_principals(stored, |name| lookup.stored_to_arn(name));
    named.unwrap_or_else(|_| stored.to_string())
}
