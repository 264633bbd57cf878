//! Principals: who can be authenticated and granted permissions.

use std::borrow::Cow;

use keywright_base::{AccountId, Arn, UniqueId};
use keywright_policy::PrincipalRef;

use crate::state::{Account, CredentialOwner, Tag, User};

/// A principal, named as it was when its request arrived. An anonymous request has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The root user of an account.
    Root {
        /// The account.
        account: AccountId,
        /// `arn:aws:iam::ACCOUNT:root`
        arn: Arn,
    },
    /// An IAM user.
    User {
        /// The account.
        account: AccountId,
        /// `AIDA…`, which stays when the user is renamed.
        id: UniqueId,
        /// The user's name, without path.
        name: String,
        /// The user's ARN, with its path.
        arn: Arn,
    },
}

impl Principal {
    /// The root user of an account.
    pub fn root(account: AccountId) -> Self {
        Self::Root {
            account,
            arn: Arn::iam(account, "root"),
        }
    }

    /// A user of an account.
    pub fn user(account: AccountId, user: &User) -> Self {
        Self::User {
            account,
            id: user.id,
            name: user.name.clone(),
            arn: user.arn(account),
        }
    }

    /// The owner of a credential, as it is in this snapshot. `None` if it was deleted.
    pub fn of_owner(account: &Account, owner: CredentialOwner) -> Option<Self> {
        match owner {
            CredentialOwner::Root => Some(Self::root(account.id())),
            CredentialOwner::User(id) => {
                let user = account.user_by_id(id)?;
                Some(Self::user(account.id(), user))
            }
        }
    }

    /// The account it belongs to.
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Root { account, .. } | Self::User { account, .. } => *account,
        }
    }

    /// The ARN that AWS displays.
    pub const fn arn(&self) -> &Arn {
        match self {
            Self::Root { arn, .. } | Self::User { arn, .. } => arn,
        }
    }

    /// `aws:userid`: the user's unique id, or the account's for root.
    pub fn user_id(&self) -> Cow<'_, str> {
        match self {
            Self::Root { account, .. } => Cow::Owned(account.to_string()),
            Self::User { id, .. } => Cow::Borrowed(id.as_str()),
        }
    }

    /// The owner of its long-term credentials.
    pub const fn credential_owner(&self) -> CredentialOwner {
        match self {
            Self::Root { .. } => CredentialOwner::Root,
            Self::User { id, .. } => CredentialOwner::User(*id),
        }
    }

    /// Whether its user still exists.
    pub fn exists_in(&self, account: &Account) -> bool {
        match self {
            Self::Root { .. } => true,
            Self::User { id, .. } => account.user_by_id(*id).is_some(),
        }
    }

    /// Its tags, for `aws:PrincipalTag/…`.
    pub fn tags<'a>(&self, account: &'a Account) -> &'a [Tag] {
        match self {
            Self::Root { .. } => &[],
            Self::User { id, .. } => account.user_by_id(*id).map_or(&[], |user| &user.tags),
        }
    }

    /// For the policy evaluator.
    pub fn reference(&self) -> PrincipalRef<'_> {
        match self {
            Self::Root { account, arn } => PrincipalRef::Root {
                account: *account,
                arn: arn.as_str(),
            },
            Self::User {
                account,
                id,
                name,
                arn,
            } => PrincipalRef::User {
                account: *account,
                arn: arn.as_str(),
                id: id.as_str(),
                name: name.as_str(),
            },
        }
    }
}
