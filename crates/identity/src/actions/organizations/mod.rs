//! The actions of AWS Organizations, a file per noun.
//!
//! An organization is state of its management account, so its actions run on that account's
//! snapshot and commit to its ledger. Only principals of the management account may call them,
//! except the two that concern a member's own membership; there are no delegated administrators.

mod accounts;
mod attachments;
mod creations;
mod documents;
mod organization;
mod policies;
mod tags;
mod tree;
mod units;

use keywright_base::{AccountId, Entropy};

use crate::{
    action::{ActionEntry, served},
    authorize::AuthTarget,
    fault::{IamFault, InputReason, OrganizationsFault},
    pagination::PageRequest,
    state::{Organization, OrganizationState, TargetRef},
    view::StateView,
};

/// Every action of Organizations that this server serves, in the order of the files.
pub(super) static ACTIONS: &[ActionEntry] = &[
    served::<organization::CreateOrganization>(),
    served::<organization::DescribeOrganization>(),
    served::<organization::DeleteOrganization>(),
    served::<organization::ListRoots>(),
    served::<organization::EnablePolicyType>(),
    served::<organization::DisablePolicyType>(),
    served::<creations::CreateAccount>(),
    served::<creations::DescribeCreateAccountStatus>(),
    served::<creations::ListCreateAccountStatus>(),
    served::<accounts::ListAccounts>(),
    served::<accounts::ListAccountsForParent>(),
    served::<accounts::DescribeAccount>(),
    served::<accounts::CloseAccount>(),
    served::<accounts::RemoveAccountFromOrganization>(),
    served::<units::CreateOrganizationalUnit>(),
    served::<units::DescribeOrganizationalUnit>(),
    served::<units::UpdateOrganizationalUnit>(),
    served::<units::DeleteOrganizationalUnit>(),
    served::<units::ListOrganizationalUnitsForParent>(),
    served::<tree::ListChildren>(),
    served::<tree::ListParents>(),
    served::<tree::MoveAccount>(),
    served::<policies::CreatePolicy>(),
    served::<policies::DescribePolicy>(),
    served::<policies::UpdatePolicy>(),
    served::<policies::DeletePolicy>(),
    served::<policies::ListPolicies>(),
    served::<attachments::AttachPolicy>(),
    served::<attachments::DetachPolicy>(),
    served::<attachments::ListPoliciesForTarget>(),
    served::<attachments::ListTargetsForPolicy>(),
    served::<tags::TagResource>(),
    served::<tags::UntagResource>(),
    served::<tags::ListTagsForResource>(),
];

/// The page size if a request names none, which is AWS's largest too.
const PAGE: i32 = 20;

/// The organization that the caller's account manages.
#[derive(Clone, Copy)]
struct ManagedOrganization<'a> {
    state: &'a OrganizationState,
    organization: &'a Organization,
    management: AccountId,
}

impl<'a> ManagedOrganization<'a> {
    /// The organization of the view's account.
    ///
    /// # Errors
    /// [`OrganizationsFault::NotManagement`], [`OrganizationsFault::NotInUse`].
    fn of(view: &StateView<'a>) -> Result<Self, IamFault> {
        let state = view.account.organization();
        if let Some(organization) = state.organization() {
            return Ok(Self {
                state,
                organization,
                management: view.id(),
            });
        }
        Err(match view.ledger.membership(view.account) {
            Some(_) => OrganizationsFault::NotManagement.into(),
            None => OrganizationsFault::NotInUse.into(),
        })
    }

    fn names(&self) -> OrganizationNames {
        OrganizationNames {
            management: self.management,
            organization: self.organization.id.clone(),
        }
    }

    /// Whether an ID is that of the root or of a unit.
    fn has_parent(&self, id: &str) -> bool {
        id == self.organization.root_id || self.state.units().contains_key(id)
    }
}

/// What the ARNs of an organization begin with.
struct OrganizationNames {
    management: AccountId,
    organization: String,
}

/// In place of the ID of an organization that does not exist.
const NO_ORGANIZATION: &str = "o-0000000000";

impl OrganizationNames {
    /// Those of the organization that the caller's account is in.
    fn of(view: &StateView<'_>) -> Self {
        match view.ledger.membership(view.account) {
            Some(membership) => Self {
                management: membership.management(),
                organization: membership.organization_id().to_owned(),
            },
            None => Self {
                management: view.id(),
                organization: NO_ORGANIZATION.to_owned(),
            },
        }
    }

    fn arn(&self, kind: &str, id: &str) -> String {
        let (management, organization) = (self.management, &self.organization);
        format!("arn:aws:organizations::{management}:{kind}/{organization}/{id}")
    }

    /// The ARN of the organization itself.
    fn own_arn(&self) -> String {
        let (management, organization) = (self.management, &self.organization);
        format!("arn:aws:organizations::{management}:organization/{organization}")
    }

    /// The ARN of a root, unit or account; the ID says which.
    fn target_arn(&self, id: &str) -> String {
        self.arn(kind_of(id), id)
    }
}

/// What an ID belongs to, as ARNs call it.
fn kind_of(id: &str) -> &'static str {
    match id.split_once('-') {
        Some(("r", _)) => "root",
        Some(("ou", _)) => "ou",
        _ => "account",
    }
}

/// A root, unit or account to be authorized on, with its tags if it exists.
fn node_target(view: &StateView<'_>, id: &str) -> AuthTarget {
    let arn = OrganizationNames::of(view).target_arn(id);
    let target = view.account.organization().target(id);
    AuthTarget {
        resource_tags: target.map_or_else(Vec::new, |it| it.node().tags.clone()),
        ..AuthTarget::new(arn.clone(), arn)
    }
}

/// A policy to be authorized on, with its tags if it exists.
fn policy_target(view: &StateView<'_>, id: &str) -> AuthTarget {
    let names = OrganizationNames::of(view);
    match view.account.organization().policy(id) {
        Some(policy) => {
            let arn = policy.arn(names.management, &names.organization);
            AuthTarget {
                resource_tags: policy.tags.clone(),
                ..AuthTarget::new(arn.clone(), arn)
            }
            .with_key(POLICY_TYPE, policy.kind.as_str())
        }
        None => {
            let arn = names.arn("policy", &format!("service_control_policy/{id}"));
            AuthTarget::new(arn.clone(), arn)
        }
    }
}

/// The condition key with the type of a policy.
const POLICY_TYPE: &str = "organizations:PolicyType";

/// The page that a request asks for.
///
/// # Errors
/// `InvalidInputException` for a marker of another listing.
fn page(
    operation: &str,
    filter: &[&str],
    (marker, items): (Option<&str>, Option<i32>),
) -> Result<PageRequest, IamFault> {
    let page = PageRequest::of(operation, filter, marker, Some(items.unwrap_or(PAGE)));
    page.map_err(|_| OrganizationsFault::Input(InputReason::NextToken).into())
}

/// A random ID: the prefix, and lower-case letters and digits.
fn new_id(prefix: &str, length: usize, entropy: &dyn Entropy) -> String {
    const SYMBOLS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = vec![0; length];
    entropy.fill(&mut random);
    let symbol = |byte: u8| SYMBOLS.get(usize::from(byte % 32)).copied();
    let symbols = random.into_iter().filter_map(symbol).map(char::from);
    prefix.chars().chain(symbols).collect()
}

/// The name that a listing of targets shows.
fn name_of(target: TargetRef<'_>) -> String {
    match target {
        TargetRef::Root(_) => organization::ROOT_NAME.to_owned(),
        TargetRef::Unit(unit) => unit.name.clone(),
        TargetRef::Account(member) => member.name.clone(),
    }
}

#[cfg(test)]
mod tests;
