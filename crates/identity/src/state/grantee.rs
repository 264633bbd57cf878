//! What users and roles have in common: identity policies, a boundary and tags.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use keywright_base::{AccountId, Arn, UniqueId};
use keywright_policy::PolicySet;

use super::{DirectGrants, Role, Tag, User};

/// An entity that identity policies apply to.
#[derive(Debug, Clone)]
pub enum Grantee {
    /// A user, also for its federated sessions.
    User(Arc<User>),
    /// A role, for its sessions.
    Role(Arc<Role>),
}

impl Grantee {
    /// AWS's name for its kind in messages: `user` or `role`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Role(_) => "role",
        }
    }

    /// Its immutable ID.
    pub fn id(&self) -> UniqueId {
        match self {
            Self::User(user) => user.id,
            Self::Role(role) => role.id,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::User(user) => &user.name,
            Self::Role(role) => &role.name,
        }
    }

    /// Its ARN.
    pub fn arn(&self, account: AccountId) -> Arn {
        match self {
            Self::User(user) => user.arn(account),
            Self::Role(role) => role.arn(account),
        }
    }

    /// Its tags.
    pub fn tags(&self) -> &[Tag] {
        match self {
            Self::User(user) => &user.tags,
            Self::Role(role) => &role.tags,
        }
    }

    /// Its own policies.
    pub fn grants(&self) -> &DirectGrants {
        match self {
            Self::User(user) => &user.grants,
            Self::Role(role) => &role.grants,
        }
    }

    /// The ARN of its permissions boundary.
    pub fn boundary(&self) -> Option<&Arc<str>> {
        match self {
            Self::User(user) => user.boundary.as_ref(),
            Self::Role(role) => role.boundary.as_ref(),
        }
    }

    /// Its groups. Roles are in none.
    pub fn groups(&self) -> &[UniqueId] {
        match self {
            Self::User(user) => &user.groups,
            Self::Role(_) => &[],
        }
    }

    pub(crate) fn effective(&self) -> &ArcSwapOption<(u64, PolicySet)> {
        match self {
            Self::User(user) => &user.effective,
            Self::Role(role) => &role.effective,
        }
    }

    /// Whether it is the same version of the same entity.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::User(one), Self::User(other)) => Arc::ptr_eq(one, other),
            (Self::Role(one), Self::Role(other)) => Arc::ptr_eq(one, other),
            (Self::User(_), Self::Role(_)) | (Self::Role(_), Self::User(_)) => false,
        }
    }
}
