//! Principals: who can be authenticated and granted permissions.

use std::{borrow::Cow, sync::Arc};

use keywright_base::{AccountId, Arn, UniqueId};
use keywright_policy::PrincipalRef;

use crate::state::{Account, CredentialOwner, Grantee, Role, Tag, User};

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
        /// `AIDA…`, which persists when the user is renamed.
        id: UniqueId,
        /// The user's name, without path.
        name: String,
        /// The user's ARN, with its path.
        arn: Arn,
    },
    /// A session of a role.
    RoleSession(Box<RoleSession>),
    /// A session that GetFederationToken created.
    FederatedUser(Box<FederatedUser>),
}

/// A session of a role, as a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSession {
    /// The role's account.
    pub account: AccountId,
    /// `AROA…`, which differs for a new role of the same name.
    pub role: UniqueId,
    /// The role's ARN, with its path.
    pub role_arn: Arn,
    /// The session's name.
    pub name: String,
    /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`
    pub arn: Arn,
}

/// A session created by GetFederationToken, as a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederatedUser {
    /// The account.
    pub account: AccountId,
    /// Who created it.
    pub issuer: CredentialOwner,
    /// That principal's ARN.
    pub issuer_arn: Arn,
    /// The name passed to GetFederationToken.
    pub name: String,
    /// `arn:aws:sts::ACCOUNT:federated-user/NAME`
    pub arn: Arn,
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

    /// A session of a role.
    pub fn role_session(account: AccountId, role: &Role, name: &str) -> Self {
        Self::RoleSession(Box::new(RoleSession {
            account,
            role: role.id,
            role_arn: role.arn(account),
            name: name.to_owned(),
            arn: Arn::sts(account, &format!("assumed-role/{}/{name}", role.name)),
        }))
    }

    /// A session that a user or root created with GetFederationToken. `None` if that user was
    /// deleted.
    pub fn federated(account: &Account, issuer: CredentialOwner, name: &str) -> Option<Self> {
        Some(Self::FederatedUser(Box::new(FederatedUser {
            account: account.id(),
            issuer,
            issuer_arn: Self::of_owner(account, issuer)?.arn().clone(),
            name: name.to_owned(),
            arn: Arn::sts(account.id(), &format!("federated-user/{name}")),
        })))
    }

    /// The account it belongs to.
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Root { account, .. } | Self::User { account, .. } => *account,
            Self::RoleSession(session) => session.account,
            Self::FederatedUser(session) => session.account,
        }
    }

    /// The ARN that AWS displays.
    pub const fn arn(&self) -> &Arn {
        match self {
            Self::Root { arn, .. } | Self::User { arn, .. } => arn,
            Self::RoleSession(session) => &session.arn,
            Self::FederatedUser(session) => &session.arn,
        }
    }

    /// `aws:userid`: a user's unique id, the account's for root, and for a session its issuer's
    /// with the session's name.
    pub fn user_id(&self) -> Cow<'_, str> {
        match self {
            Self::Root { account, .. } => Cow::Owned(account.to_string()),
            Self::User { id, .. } => Cow::Borrowed(id.as_str()),
            Self::RoleSession(session) => Cow::Owned(format!("{}:{}", session.role, session.name)),
            Self::FederatedUser(session) => {
                Cow::Owned(format!("{}:{}", session.account, session.name))
            }
        }
    }

    /// The principal as an owner of long-term credentials. Sessions are not.
    pub const fn credential_owner(&self) -> Option<CredentialOwner> {
        match self {
            Self::Root { .. } => Some(CredentialOwner::Root),
            Self::User { id, .. } => Some(CredentialOwner::User(*id)),
            Self::RoleSession(_) | Self::FederatedUser(_) => None,
        }
    }

    /// Whether its user or role still exists.
    pub fn exists_in(&self, account: &Account) -> bool {
        match self {
            Self::Root { .. } => true,
            Self::User { .. } | Self::RoleSession(_) => self.grantee(account).is_some(),
            Self::FederatedUser(session) => Self::of_owner(account, session.issuer).is_some(),
        }
    }

    /// The user or role that its identity policies belong to. Root needs none.
    pub fn grantee(&self, account: &Account) -> Option<Grantee> {
        let user = |id| account.user_by_id(id).map(Arc::clone).map(Grantee::User);
        match self {
            Self::Root { .. } => None,
            Self::User { id, .. } => user(*id),
            Self::RoleSession(session) => {
                let role = account.role_by_id(session.role)?;
                Some(Grantee::Role(Arc::clone(role)))
            }
            Self::FederatedUser(session) => match session.issuer {
                CredentialOwner::Root => None,
                CredentialOwner::User(id) => user(id),
            },
        }
    }

    /// The tags of its user or role, for `aws:PrincipalTag/…`.
    pub fn tags<'a>(&self, account: &'a Account) -> &'a [Tag] {
        let user = |id| account.user_by_id(id).map_or(&[][..], |user| &user.tags);
        match self {
            Self::Root { .. } => &[],
            Self::User { id, .. } => user(*id),
            Self::RoleSession(session) => {
                let role = account.role_by_id(session.role);
                role.map_or(&[], |role| &role.tags)
            }
            Self::FederatedUser(session) => match session.issuer {
                CredentialOwner::Root => &[],
                CredentialOwner::User(id) => user(id),
            },
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
            Self::RoleSession(session) => PrincipalRef::AssumedRole {
                account: session.account,
                arn: session.arn.as_str(),
                role_arn: session.role_arn.as_str(),
                role_id: session.role.as_str(),
                session: &session.name,
            },
            Self::FederatedUser(session) => PrincipalRef::FederatedUser {
                account: session.account,
                arn: session.arn.as_str(),
                name: &session.name,
                issuer_arn: session.issuer_arn.as_str(),
                issuer_id: match &session.issuer {
                    CredentialOwner::Root => "",
                    CredentialOwner::User(id) => id.as_str(),
                },
            },
        }
    }
}
