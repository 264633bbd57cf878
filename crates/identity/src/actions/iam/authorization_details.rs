//! GetAccountAuthorizationDetails: users, groups, roles and managed policies with everything they
//! grant, in pages.
//!
//! AWS managed policies are listed only if the account uses them.

use std::ops::Bound;

use imbl::OrdMap;
use keywright_base::{FoldedName, limits};
use keywright_wire::{
    iam::{self, values::entity_type},
    percent_encode_document,
};

use super::{
    attachments, boundaries,
    instance_profiles::brief as profile_brief,
    policies::ManagedPolicy,
    policy_versions::with_documents,
    roles::{last_used, trust_text},
    tags,
};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::IamFault,
    pagination::PageRequest,
    state::{DirectGrants, Group, Role, User},
    view::StateView,
};

pub(crate) struct GetAccountAuthorizationDetails;

impl Action for GetAccountAuthorizationDetails {
    type Shape = iam::GetAccountAuthorizationDetails;
    const ACCESS: ActionLevel = ActionLevel::Read;
    const EFFORT: Effort = Effort::Page;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut filter: Vec<&str> = input.filter.iter().flatten().map(String::as_str).collect();
        filter.sort_unstable();
        filter.dedup();
        let marker = input.marker.as_deref();
        let operation = "GetAccountAuthorizationDetails";
        let page = PageRequest::of(operation, &filter, marker, input.max_items)
            .map_err(|_| IamFault::Validation("Marker and Filter do not match".to_owned()))?;
        let rest = DetailQuery {
            view,
            filter: &filter,
            after: page.after().and_then(|after| after.split_once(' ')),
        };
        let (details, marker) = page.take_within(
            rest.details(),
            EntityDetail::place,
            EntityDetail::document_bytes,
            limits::PAGE_DOCUMENT_BYTES,
        );
        let mut output = iam::GetAccountAuthorizationDetailsOutput {
            user_detail_list: Some(Vec::new()),
            group_detail_list: Some(Vec::new()),
            role_detail_list: Some(Vec::new()),
            policies: Some(Vec::new()),
            is_truncated: Some(marker.is_some()),
            marker,
        };
        for detail in details {
            match detail {
                EntityDetail::User(user) => {
                    output.user_detail_list.get_or_insert_default().push(user)
                }
                EntityDetail::Group(it) => {
                    output.group_detail_list.get_or_insert_default().push(it)
                }
                EntityDetail::Role(role) => {
                    output.role_detail_list.get_or_insert_default().push(role)
                }
                EntityDetail::Policy(_, it) => output.policies.get_or_insert_default().push(it),
            }
        }
        Ok(ActionResult::answer(output))
    }
}

/// An item of the list.
enum EntityDetail {
    User(iam::UserDetail),
    Group(iam::GroupDetail),
    Role(iam::RoleDetail),
    Policy(PolicyOrigin, iam::ManagedPolicyDetail),
}

#[derive(Clone, Copy)]
enum PolicyOrigin {
    Account,
    Aws,
}

/// The sort keys of the kinds in the list.
const USERS: &str = "1";
const GROUPS: &str = "2";
const ROLES: &str = "3";
const OWN_POLICIES: &str = "4";
const AWS_POLICIES: &str = "5";

impl EntityDetail {
    /// Its sort key in the list: that of its kind, and its name.
    fn place(&self) -> String {
        let (kind, name) = match self {
            Self::User(user) => (USERS, &user.user_name),
            Self::Group(group) => (GROUPS, &group.group_name),
            Self::Role(role) => (ROLES, &role.role_name),
            Self::Policy(PolicyOrigin::Account, policy) => (OWN_POLICIES, &policy.policy_name),
            Self::Policy(PolicyOrigin::Aws, policy) => (AWS_POLICIES, &policy.policy_name),
        };
        let name = FoldedName::new(name.as_deref().unwrap_or_default());
        format!("{kind} {}", name.as_str())
    }

    fn document_bytes(&self) -> usize {
        let size = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let inline = |list: &Option<Vec<iam::PolicyDetail>>| -> usize {
            let list = list.iter().flatten();
            list.map(|policy| size(&policy.policy_document)).sum()
        };
        match self {
            Self::User(user) => inline(&user.user_policy_list),
            Self::Group(group) => inline(&group.group_policy_list),
            Self::Role(role) => {
                let profiles = role.instance_profile_list.as_ref().map_or(0, Vec::len);
                size(&role.assume_role_policy_document) * (1 + profiles)
                    + inline(&role.role_policy_list)
            }
            Self::Policy(_, policy) => {
                let versions = policy.policy_version_list.iter().flatten();
                versions.map(|version| size(&version.document)).sum()
            }
        }
    }
}

struct DetailQuery<'a> {
    view: &'a StateView<'a>,
    filter: &'a [&'a str],
    /// The last item of the previous page: the sort key of its kind and its folded name.
    after: Option<(&'a str, &'a str)>,
}

impl<'a> DetailQuery<'a> {
    /// The details in order, each computed lazily.
    fn details(&self) -> impl Iterator<Item = EntityDetail> + 'a {
        let (view, account) = (self.view, self.view.account);
        let users = self.rest(account.users(), entity_type::USER, USERS);
        let groups = self.rest(account.groups(), entity_type::GROUP, GROUPS);
        let roles = self.rest(account.roles(), entity_type::ROLE, ROLES);
        let users = users.map(|user| EntityDetail::User(user_detail(view, user)));
        let groups = groups.map(|group| EntityDetail::Group(group_detail(view, group)));
        let roles = roles.map(|role| EntityDetail::Role(role_detail(view, role)));
        let own = entity_type::LOCAL_MANAGED_POLICY;
        let own = self.rest(account.policies(), own, OWN_POLICIES);
        let own = own.map(|policy| {
            let detail = policy_detail(view, ManagedPolicy::Own(policy));
            EntityDetail::Policy(PolicyOrigin::Account, detail)
        });
        users
            .chain(groups)
            .chain(roles)
            .chain(own)
            .chain(self.aws_policies())
    }

    /// The remaining items of one kind.
    fn rest<T>(
        &self,
        all: &'a OrdMap<FoldedName, T>,
        kind: &str,
        place: &str,
    ) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let from = match self.after {
            Some((last, name)) if last == place => Bound::Excluded(FoldedName::new(name)),
            _ => Bound::Unbounded,
        };
        let is_listed = self.is_listed(kind, place);
        let items = is_listed.then(|| all.range((from, Bound::Unbounded)));
        items.into_iter().flatten().map(|(_, item)| item)
    }

    /// Whether items of a kind can follow.
    fn is_listed(&self, kind: &str, place: &str) -> bool {
        let wanted = self.filter.is_empty() || self.filter.contains(&kind);
        wanted && self.after.is_none_or(|(last, _)| last <= place)
    }

    /// The AWS managed policies that are attached to anything or are a boundary.
    fn aws_policies(&self) -> impl Iterator<Item = EntityDetail> + 'a {
        let view = self.view;
        let after = self.after.filter(|(place, _)| *place == AWS_POLICIES);
        let after = after.map(|(_, name)| FoldedName::new(name));
        let all = self
            .is_listed(entity_type::AWS_MANAGED_POLICY, AWS_POLICIES)
            .then(|| view.catalogue().by_name());
        let all = all.into_iter().flatten();
        all.filter(move |(name, policy)| {
            after.as_ref().is_none_or(|after| *name > after) && is_used(view, &policy.arn)
        })
        .map(move |(_, policy)| {
            let detail = policy_detail(view, ManagedPolicy::Aws(policy));
            EntityDetail::Policy(PolicyOrigin::Aws, detail)
        })
    }
}

fn is_used(view: &StateView<'_>, arn: &str) -> bool {
    view.account.attachment_count(arn) > 0 || view.account.boundary_count(arn) > 0
}

fn user_detail(view: &StateView<'_>, user: &User) -> iam::UserDetail {
    let groups = user.groups.iter();
    let groups = groups.filter_map(|id| Some(view.account.group_by_id(*id)?.name.clone()));
    let inline = inline(&user.grants);
    iam::UserDetail {
        path: Some(user.path.clone()),
        user_name: Some(user.name.clone()),
        user_id: Some(user.id.to_string()),
        arn: Some(user.arn(view.id()).to_string()),
        create_date: Some(user.created),
        user_policy_list: (!inline.is_empty()).then_some(inline),
        group_list: Some(groups.collect()),
        attached_managed_policies: Some(attached(&user.grants)),
        permissions_boundary: user.boundary.as_deref().map(boundaries::to_wire),
        tags: Some(tags::to_wire(&user.tags)),
    }
}

fn group_detail(view: &StateView<'_>, group: &Group) -> iam::GroupDetail {
    iam::GroupDetail {
        path: Some(group.path.clone()),
        group_name: Some(group.name.clone()),
        group_id: Some(group.id.to_string()),
        arn: Some(group.arn(view.id()).to_string()),
        create_date: Some(group.created),
        group_policy_list: Some(inline(&group.grants)),
        attached_managed_policies: Some(attached(&group.grants)),
    }
}

fn role_detail(view: &StateView<'_>, role: &Role) -> iam::RoleDetail {
    let profiles = view.account.profiles_of(role.id);
    iam::RoleDetail {
        path: Some(role.path.clone()),
        role_name: Some(role.name.clone()),
        role_id: Some(role.id.to_string()),
        arn: Some(role.arn(view.id()).to_string()),
        create_date: Some(role.created),
        assume_role_policy_document: Some(percent_encode_document(&trust_text(view, role))),
        instance_profile_list: Some(profiles.map(|it| profile_brief(view, it)).collect()),
        role_policy_list: Some(inline(&role.grants)),
        attached_managed_policies: Some(attached(&role.grants)),
        permissions_boundary: role.boundary.as_deref().map(boundaries::to_wire),
        tags: Some(tags::to_wire(&role.tags)),
        role_last_used: Some(last_used(view, role)),
    }
}

fn policy_detail(view: &StateView<'_>, policy: ManagedPolicy<'_>) -> iam::ManagedPolicyDetail {
    let brief = policy.brief(view);
    let description = match policy {
        ManagedPolicy::Own(policy) => policy.description.clone(),
        ManagedPolicy::Aws(_) => None,
    };
    iam::ManagedPolicyDetail {
        policy_name: brief.policy_name,
        policy_id: brief.policy_id,
        arn: brief.arn,
        path: brief.path,
        default_version_id: brief.default_version_id,
        attachment_count: brief.attachment_count,
        permissions_boundary_usage_count: brief.permissions_boundary_usage_count,
        is_attachable: brief.is_attachable,
        description,
        create_date: brief.create_date,
        update_date: brief.update_date,
        policy_version_list: Some(with_documents(policy)),
    }
}

fn inline(grants: &DirectGrants) -> Vec<iam::PolicyDetail> {
    let policies = grants.inline.iter();
    policies
        .map(|policy| iam::PolicyDetail {
            policy_name: Some(policy.name.clone()),
            policy_document: Some(percent_encode_document(policy.text())),
        })
        .collect()
}

fn attached(grants: &DirectGrants) -> Vec<iam::AttachedPolicy> {
    let arns = grants.attached.iter();
    arns.map(|arn| attachments::to_wire(arn)).collect()
}

#[cfg(test)]
mod tests;
