//! What people call the policies that decide for a user: by name and owner.
//!
//! It protects one rule: the names stand in the order in which the authorizer collects the
//! policies, so that an explanation never names another policy than the one that it is about.

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
    /// Of a user or role: its own policies, its groups', its boundary.
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
        // The authorizer adds what this setting amounts to; without it the name is never asked for.
        let setting = "AllowUsersToChangePassword of the account";
        names.identity.push(setting.to_owned());
        names
    }

    /// Of the caller. Root has none.
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

    /// Calls the policies of an explanation so.
    pub(crate) fn name(&self, explanation: &mut Explanation) {
        explanation.name_policies(|layer, place| match layer {
            PolicyLayer::Identity => self.identity.get(place).cloned(),
            PolicyLayer::Boundary => self.boundary.as_deref().map(str::to_owned),
            _ => None,
        });
    }

    /// The bytes that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.identity.iter().map(String::len).sum()
    }
}
