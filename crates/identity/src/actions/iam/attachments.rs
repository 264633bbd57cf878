//! Managed policies on users, groups and roles: attach, detach, list, and find who has one.
//!
//! Each behaviour is implemented once, over [`PolicyOwner`]; the macro only creates the actions of
//! each kind.

use std::sync::Arc;

use keywright_base::Arn;
use keywright_wire::iam::{self, values::entity_type, values::policy_usage_type};

use super::{owner::PolicyOwner, policies::policy_target};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{Permit, Requirement},
    fault::{IamFault, MissingEntity, ReachedQuota},
    pagination::PageRequest,
    state::{Group, Role, StateChange, User},
    view::StateView,
};

/// Parses a managed policy's ARN, checking every part of its form, as IAM has done since 2024.
///
/// # Errors
/// `ValidationError` if it is not the ARN of a managed policy.
pub(super) fn parse(arn: &str) -> Result<Arn, IamFault> {
    let invalid = || IamFault::Validation(format!("ARN {arn} is not valid."));
    let parsed = Arn::parse(arn).map_err(|_| invalid())?;
    if parsed.partition() != "aws" {
        let partition = parsed.partition();
        return Err(IamFault::Validation(format!(
            "Invalid ARN partition: {partition}"
        )));
    }
    let is_policy = parsed.service() == "iam"
        && parsed.region().is_empty()
        && parsed.resource().starts_with("policy/")
        && !arn.ends_with(char::is_whitespace);
    is_policy.then_some(parsed).ok_or_else(invalid)
}

/// The stored ARN of a managed policy.
fn stored(view: &StateView<'_>, arn: &str) -> Result<Arc<str>, IamFault> {
    let parsed = parse(arn)?;
    if let Some(policy) = view.catalogue().by_arn(arn) {
        return Ok(Arc::clone(&policy.arn));
    }
    let policy = view.account.policy_by_arn(&parsed);
    let policy = policy.ok_or_else(|| MissingEntity::AttachablePolicy(arn.to_owned()))?;
    Ok(policy.arn(view.id()).as_str().into())
}

fn target<O: PolicyOwner>(
    view: &StateView<'_>,
    name: &str,
    arn: &str,
) -> Result<Requirement, IamFault> {
    parse(arn)?;
    Ok(Requirement::one(
        O::bounded_target(view, name).with_key("iam:PolicyARN", arn),
    ))
}

fn attach<O: PolicyOwner>(
    view: &StateView<'_>,
    name: &str,
    arn: &str,
) -> Result<Option<StateChange>, IamFault> {
    let mut owner = O::find(view, name)?.clone();
    owner.check_modifiable()?;
    let arn = stored(view, arn)?;
    let aws = view.catalogue().by_arn(&arn);
    if aws.is_some_and(|policy| policy.is_service_role_policy()) {
        return Err(IamFault::PolicyNotAttachable(O::KIND));
    }
    let (quota, most) = O::ATTACHED;
    let grants = owner.grants_mut();
    if grants.is_attached(&arn) {
        return Ok(None);
    }
    if grants.attached.len() >= most {
        return Err(ReachedQuota::Named(quota, most).into());
    }
    grants.attached.push(arn);
    Ok(Some(owner.put()))
}

fn detach<O: PolicyOwner>(
    view: &StateView<'_>,
    name: &str,
    arn: &str,
) -> Result<StateChange, IamFault> {
    parse(arn)?;
    let mut owner = O::find(view, name)?.clone();
    owner.check_modifiable()?;
    let attached = &mut owner.grants_mut().attached;
    let at = attached.iter().position(|attached| **attached == *arn);
    attached.remove(at.ok_or_else(|| MissingEntity::Policy(arn.to_owned()))?);
    Ok(owner.put())
}

/// A page of attached policies, by ARN, and the next marker.
type AttachedPage = (Option<Vec<iam::AttachedPolicy>>, Option<String>);

fn list<O: PolicyOwner>(
    view: &StateView<'_>,
    name: &str,
    prefix: Option<&str>,
    page: (&str, Option<&str>, Option<i32>),
) -> Result<AttachedPage, IamFault> {
    let owner = O::find(view, name)?;
    let prefix = prefix.unwrap_or("/");
    let (operation, marker, items) = page;
    let page = PageRequest::of(operation, &[owner.name(), prefix], marker, items)?;
    let under = format!("policy{prefix}");
    let matches =
        |arn: &&Arc<str>| Arn::parse(arn).is_ok_and(|arn| arn.resource().starts_with(&under));
    let mut arns: Vec<_> = owner.grants().attached.iter().filter(matches).collect();
    arns.sort();
    let (arns, marker) = page.cut(arns, |arn| arn.to_string());
    let attached = arns.into_iter().map(|arn| to_wire(arn));
    Ok((Some(attached.collect()), marker))
}

/// An attached policy as list responses have it.
pub(super) fn to_wire(arn: &str) -> iam::AttachedPolicy {
    iam::AttachedPolicy {
        policy_name: arn.rsplit('/').next().map(str::to_owned),
        policy_arn: Some(arn.to_owned()),
    }
}

/// The three actions for one kind of owner.
macro_rules! attachments_of {
    ($owner:ty, $name:ident, $attach:ident, $detach:ident, $list:ident, $output:ident) => {
        #[doc = concat!("`iam:", stringify!($attach), "`")]
        pub(crate) struct $attach;

        impl Action for $attach {
            type Shape = iam::$attach;
            const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

            fn required(
                view: &StateView<'_>,
                input: &Input<Self>,
            ) -> Result<Requirement, IamFault> {
                target::<$owner>(view, &input.$name, &input.policy_arn)
            }

            fn run(
                view: &StateView<'_>,
                _: Permit<Self>,
                input: &Input<Self>,
            ) -> ActionOutcome<Self> {
                let change = attach::<$owner>(view, &input.$name, &input.policy_arn)?;
                Ok(change.map_or(ActionResult::answer(()), |change| {
                    ActionResult::change((), change)
                }))
            }
        }

        #[doc = concat!("`iam:", stringify!($detach), "`")]
        pub(crate) struct $detach;

        impl Action for $detach {
            type Shape = iam::$detach;
            const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

            fn required(
                view: &StateView<'_>,
                input: &Input<Self>,
            ) -> Result<Requirement, IamFault> {
                target::<$owner>(view, &input.$name, &input.policy_arn)
            }

            fn run(
                view: &StateView<'_>,
                _: Permit<Self>,
                input: &Input<Self>,
            ) -> ActionOutcome<Self> {
                let change = detach::<$owner>(view, &input.$name, &input.policy_arn)?;
                Ok(ActionResult::change((), change))
            }
        }

        #[doc = concat!("`iam:", stringify!($list), "`")]
        pub(crate) struct $list;

        impl Action for $list {
            type Shape = iam::$list;
            const ACCESS: ActionLevel = ActionLevel::List;
            const EFFORT: Effort = Effort::Small;

            fn required(
                view: &StateView<'_>,
                input: &Input<Self>,
            ) -> Result<Requirement, IamFault> {
                Ok(Requirement::one(<$owner>::target(view, &input.$name)))
            }

            fn run(
                view: &StateView<'_>,
                _: Permit<Self>,
                input: &Input<Self>,
            ) -> ActionOutcome<Self> {
                let page = (stringify!($list), input.marker.as_deref(), input.max_items);
                let prefix = input.path_prefix.as_deref();
                let (attached_policies, marker) = list::<$owner>(view, &input.$name, prefix, page)?;
                Ok(ActionResult::answer(iam::$output {
                    attached_policies,
                    is_truncated: Some(marker.is_some()),
                    marker,
                }))
            }
        }
    };
}

attachments_of!(
    User,
    user_name,
    AttachUserPolicy,
    DetachUserPolicy,
    ListAttachedUserPolicies,
    ListAttachedUserPoliciesOutput
);
attachments_of!(
    Role,
    role_name,
    AttachRolePolicy,
    DetachRolePolicy,
    ListAttachedRolePolicies,
    ListAttachedRolePoliciesOutput
);
attachments_of!(
    Group,
    group_name,
    AttachGroupPolicy,
    DetachGroupPolicy,
    ListAttachedGroupPolicies,
    ListAttachedGroupPoliciesOutput
);

/// `iam:ListEntitiesForPolicy`: groups, roles, then users, each by name.
pub(crate) struct ListEntitiesForPolicy;

/// An entity that has a policy.
enum PolicyHolder<'a> {
    Group(&'a Group),
    Role(&'a Role),
    User(&'a User),
}

impl PolicyHolder<'_> {
    /// Its sort key in the listing.
    fn place(&self) -> String {
        match self {
            Self::Group(group) => format!("group {}", group.name.to_ascii_lowercase()),
            Self::Role(role) => format!("role {}", role.name.to_ascii_lowercase()),
            Self::User(user) => format!("user {}", user.name.to_ascii_lowercase()),
        }
    }

    fn path(&self) -> &str {
        match self {
            Self::Group(group) => group.path(),
            Self::Role(role) => role.path(),
            Self::User(user) => user.path(),
        }
    }
}

/// Everyone who has the policy attached or, depending on the filters, as a boundary.
fn holders<'a>(
    view: &StateView<'a>,
    arn: &str,
    input: &Input<ListEntitiesForPolicy>,
) -> Vec<PolicyHolder<'a>> {
    let wanted = |kind: &str| input.entity_filter.as_deref().is_none_or(|f| f == kind);
    let usage = input.policy_usage_filter.as_deref();
    let attached = usage != Some(policy_usage_type::PERMISSIONS_BOUNDARY);
    let bounded = usage != Some(policy_usage_type::PERMISSIONS_POLICY);
    let mut found = Vec::new();
    if wanted(entity_type::GROUP) && attached {
        let groups = view.account.attached_groups(arn);
        let groups = groups
            .iter()
            .filter_map(|name| view.account.group(name.as_str()));
        found.extend(groups.map(|group| PolicyHolder::Group(group)));
    }
    if wanted(entity_type::ROLE) {
        let mut names = imbl::OrdSet::new();
        if attached {
            names = names.union(view.account.attached_roles(arn));
        }
        if bounded {
            names = names.union(view.account.bounded_roles(arn));
        }
        let roles = names
            .iter()
            .filter_map(|name| view.account.role(name.as_str()));
        found.extend(roles.map(|role| PolicyHolder::Role(role)));
    }
    if wanted(entity_type::USER) {
        let mut names = imbl::OrdSet::new();
        if attached {
            names = names.union(view.account.attached_users(arn));
        }
        if bounded {
            names = names.union(view.account.bounded_users(arn));
        }
        let users = names
            .iter()
            .filter_map(|name| view.account.user(name.as_str()));
        found.extend(users.map(|user| PolicyHolder::User(user)));
    }
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    found.retain(|holder| holder.path().starts_with(prefix));
    found
}

impl Action for ListEntitiesForPolicy {
    type Shape = iam::ListEntitiesForPolicy;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        policy_target(view, &input.policy_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let arn = stored(view, &input.policy_arn)?;
        let filter = [
            &*arn,
            input.entity_filter.as_deref().unwrap_or_default(),
            input.path_prefix.as_deref().unwrap_or_default(),
            input.policy_usage_filter.as_deref().unwrap_or_default(),
        ];
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListEntitiesForPolicy", &filter, marker, input.max_items)?;
        let (holders, marker) = page.cut(holders(view, &arn, input), PolicyHolder::place);
        let (mut groups, mut roles, mut users) = (Vec::new(), Vec::new(), Vec::new());
        for holder in holders {
            match holder {
                PolicyHolder::Group(group) => groups.push(iam::PolicyGroup {
                    group_name: Some(group.name.clone()),
                    group_id: Some(group.id.to_string()),
                }),
                PolicyHolder::Role(role) => roles.push(iam::PolicyRole {
                    role_name: Some(role.name.clone()),
                    role_id: Some(role.id.to_string()),
                }),
                PolicyHolder::User(user) => users.push(iam::PolicyUser {
                    user_name: Some(user.name.clone()),
                    user_id: Some(user.id.to_string()),
                }),
            }
        }
        Ok(ActionResult::answer(iam::ListEntitiesForPolicyOutput {
            policy_groups: Some(groups),
            policy_users: Some(users),
            policy_roles: Some(roles),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}
