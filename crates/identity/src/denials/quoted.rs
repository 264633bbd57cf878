//! The entities whose policies the explanation of a denial quotes.
//!
//! Invariant: they are what they were when the request was denied, because the policies are. An
//! entity that was deleted, renamed or created again elsewhere since is still protected by what
//! policies say about its ARN and its tags.

use keywright_base::Arn;

use crate::{
    caller::Caller,
    catalogue::PolicyCatalogue,
    principal::Principal,
    state::{Account, Grantee, Tag},
};

/// An entity as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QuotedEntity {
    /// Its ARN.
    pub arn: String,
    /// Its tags.
    pub tags: Vec<Tag>,
}

impl QuotedEntity {
    pub(crate) fn new(arn: impl ToString, tags: &[Tag]) -> Self {
        Self {
            arn: arn.to_string(),
            tags: tags.to_vec(),
        }
    }

    /// What an explanation of the caller's denial quotes beside the resource, the principal first:
    /// a role for its sessions. A federated user has the policies of its issuer.
    pub(crate) fn of_caller(account: &Account, caller: &Caller) -> Vec<Self> {
        let principal = caller.principal();
        let mut quoted = Vec::new();
        match principal {
            Principal::FederatedUser(session) => {
                quoted.push(Self::new(&session.arn, &[]));
                quoted.push(Self::new(&session.issuer_arn, principal.tags(account)));
            }
            Principal::RoleSession(session) => {
                quoted.push(Self::new(&session.role_arn, principal.tags(account)));
            }
            Principal::Root { arn, .. } | Principal::User { arn, .. } => {
                quoted.push(Self::new(arn, principal.tags(account)));
            }
        }
        if let Some(grantee) = principal.grantee(account) {
            quoted.extend(Self::sources(account, &grantee));
        }
        let session = caller.attributes().into_iter();
        let passed = session.flat_map(|session| &session.policy_arns);
        quoted.extend(passed.filter_map(|arn| Self::policy(account, arn)));
        quoted
    }

    /// The groups and customer managed policies that grant the permissions of a user or role.
    pub(crate) fn sources(account: &Account, grantee: &Grantee) -> Vec<Self> {
        let groups = grantee.groups().iter();
        let groups = groups.filter_map(|id| account.group_by_id(*id));
        let own = std::iter::once(grantee.grants());
        let grants = own.chain(groups.clone().map(|group| &group.grants));
        let attached = grants
            .flat_map(|grants| &grants.attached)
            .chain(grantee.boundary());
        let policies = attached.filter_map(|arn| Self::policy(account, arn));
        groups
            .map(|group| Self::new(group.arn(account.id()), &[]))
            .chain(policies)
            .collect()
    }

    /// A customer managed policy. AWS managed policies are public.
    fn policy(account: &Account, arn: &str) -> Option<Self> {
        if PolicyCatalogue::built_in().by_arn(arn).is_some() {
            return None;
        }
        let stored = Arn::parse(arn).ok();
        let stored = stored.and_then(|arn| account.policy_by_arn(&arn));
        Some(match stored {
            Some(policy) => Self::new(policy.arn(account.id()), &policy.tags),
            None => Self::new(arn, &[]),
        })
    }

    /// Its size in bytes.
    pub(super) fn bytes(&self) -> usize {
        let tags = self.tags.iter();
        let tags = tags.map(|tag| size_of::<Tag>() + tag.key.len() + tag.value.len());
        size_of::<Self>() + self.arn.len() + tags.sum::<usize>()
    }
}
