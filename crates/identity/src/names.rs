//! Human-readable names of the policies that apply to a user: by name and owner.
//!
//! Invariant: the names are in the order in which the authorizer collects the policies, so that an
//! explanation never names the wrong policy.

use std::sync::Arc;

use keywright_policy::{Explanation, PolicyLayer};

use crate::{
    caller::Caller,
    state::{Account, DirectGrants, Grantee},
};

/// The names of a user's policies.
#[derive(Debug, Clone, Default)]
pub(crate) struct PolicyNames {
    identity: Vec<String>,
    boundary: Option<Arc<str>>,
}

impl PolicyNames {
    /// For a user or role: its own policies, its groups' and its boundary.
    pub(crate) fn of(account: &Account, grantee: &Grantee) -> Self {
        let mut names = Self {
            boundary: grantee.boundary().cloned(),
            ..Self::default()
        };
        let owner = format!("{} {}", grantee.kind(), grantee.name());
        names.add(grantee.grants(), &owner);
        let groups = grantee.groups().iter();
        for group in groups.filter_map(|id| account.group_by_id(*id)) {
            names.add(&group.grants, &format!("group {}", group.name));
        }
        // The authorizer adds a policy equivalent to this setting. Without the setting the name is
        // unused.
        let setting = "AllowUsersToChangePassword of the account";
        names.identity.push(setting.to_owned());
        names
    }

    /// For the caller. Root has none.
    pub(crate) fn of_caller(account: &Account, caller: &Caller) -> Self {
        let grantee = caller.principal().grantee(account);
        grantee.map_or_else(Self::default, |grantee| Self::of(account, &grantee))
    }

    fn add(&mut self, grants: &DirectGrants, owner: &str) {
        let attached = grants.attached.iter().map(|arn| &**arn);
        let inline = grants.inline.iter().map(|inline| inline.name.as_str());
        let named = attached
            .chain(inline)
            .map(|name| format!("{name} of {owner}"));
        self.identity.extend(named);
    }

    /// Sets the names of the policies in an explanation.
    pub(crate) fn name(&self, explanation: &mut Explanation) {
        explanation.name_policies(|layer, place| match layer {
            PolicyLayer::Identity => self.identity.get(place).cloned(),
            PolicyLayer::Boundary => self.boundary.as_deref().map(str::to_owned),
            _ => None,
        });
    }

    /// The size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let names = self.identity.iter();
        names.map(|name| size_of::<String>() + name.len()).sum()
    }
}
