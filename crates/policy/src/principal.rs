//! Who calls, and whether a policy's `Principal` names them. It protects one rule: how a caller is
//! named decides how far the grant reaches; naming the account only delegates.

use std::borrow::Cow;

use keywright_base::AccountId;

use crate::{
    context::Values,
    document::{PrincipalClause, PrincipalType},
};

/// The caller of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalRef<'a> {
    /// Nobody: an unsigned request.
    Anonymous,
    /// The root user of an account.
    Root {
        /// The account.
        account: AccountId,
        /// `arn:aws:iam::ACCOUNT:root`
        arn: &'a str,
    },
    /// An IAM user.
    User {
        /// The account.
        account: AccountId,
        /// The user's ARN, with its path.
        arn: &'a str,
        /// `AIDA…`
        id: &'a str,
        /// The user's name, without path.
        name: &'a str,
    },
    /// A session of a role.
    AssumedRole {
        /// The account.
        account: AccountId,
        /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`
        arn: &'a str,
        /// The role's ARN, with its path.
        role_arn: &'a str,
        /// `AROA…`
        role_id: &'a str,
        /// The session's name.
        session: &'a str,
    },
    /// A session made by GetFederationToken.
    FederatedUser {
        /// The account.
        account: AccountId,
        /// `arn:aws:sts::ACCOUNT:federated-user/NAME`
        arn: &'a str,
        /// The name given by the caller of GetFederationToken.
        name: &'a str,
        /// The ARN of the IAM user who made the session.
        issuer_arn: &'a str,
    },
    /// An AWS service, for example `ec2.amazonaws.com`.
    Service(&'a str),
    /// An identity provider that vouches for the caller: its ARN, or a host name.
    Federated(&'a str),
}

impl<'a> PrincipalRef<'a> {
    /// The account that the caller belongs to.
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::Root { account, .. }
            | Self::User { account, .. }
            | Self::AssumedRole { account, .. }
            | Self::FederatedUser { account, .. } => Some(*account),
            Self::Anonymous | Self::Service(_) | Self::Federated(_) => None,
        }
    }

    /// What a denial calls the caller: an ARN, a service or provider, or `anonymous`.
    pub const fn display(&self) -> &'a str {
        match self {
            Self::Root { arn, .. }
            | Self::User { arn, .. }
            | Self::AssumedRole { arn, .. }
            | Self::FederatedUser { arn, .. } => arn,
            Self::Service(name) | Self::Federated(name) => name,
            Self::Anonymous => "anonymous",
        }
    }

    /// The condition keys that follow from who calls; `None`: not such a key.
    pub(crate) fn key(&self, key: &str) -> Option<Values<'a>> {
        let own = match key.strip_prefix("aws:")? {
            "username" => match self {
                Self::User { name, .. } => Some(Cow::Borrowed(*name)),
                _ => None,
            },
            "userid" => self.user_id(),
            "principaltype" => self.kind().map(Cow::Borrowed),
            "principalarn" => self.principal_arn().map(Cow::Borrowed),
            "principalaccount" => self.account().map(|account| account.to_string().into()),
            _ => return None,
        };
        Some(Values::optional(own))
    }

    fn user_id(&self) -> Option<Cow<'a, str>> {
        Some(match self {
            Self::Root { account, .. } => account.to_string().into(),
            Self::User { id, .. } => Cow::Borrowed(*id),
            Self::AssumedRole {
                role_id, session, ..
            } => format!("{role_id}:{session}").into(),
            Self::FederatedUser { account, name, .. } => format!("{account}:{name}").into(),
            Self::Anonymous => Cow::Borrowed("anonymous"),
            Self::Service(_) | Self::Federated(_) => return None,
        })
    }

    const fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Root { .. } => Some("Account"),
            Self::User { .. } => Some("User"),
            Self::AssumedRole { .. } => Some("AssumedRole"),
            Self::FederatedUser { .. } => Some("FederatedUser"),
            Self::Anonymous => Some("Anonymous"),
            Self::Service(_) | Self::Federated(_) => None,
        }
    }

    const fn principal_arn(&self) -> Option<&'a str> {
        match self {
            Self::Root { arn, .. } | Self::User { arn, .. } | Self::FederatedUser { arn, .. } => {
                Some(arn)
            }
            Self::AssumedRole { role_arn, .. } => Some(role_arn),
            Self::Anonymous | Self::Service(_) | Self::Federated(_) => None,
        }
    }
}

/// How strongly a resource policy grants, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grant {
    /// Not at all.
    None,
    /// To the caller's account, whose identity policies must grant too.
    Account,
    /// To the role of a session, or to the user who made it: boundary and session policy limit.
    Limited,
    /// To this very caller or to everyone: nothing else must grant.
    Direct,
}

/// A compiled `Principal` or `NotPrincipal`.
#[derive(Debug, Clone)]
pub(crate) struct Principals {
    negated: bool,
    names: Box<[Name]>,
}

#[derive(Debug, Clone)]
enum Name {
    Everyone,
    Account(AccountId),
    /// An ARN, or the unique id that a stored ARN was pinned to.
    Aws(Box<str>),
    Service(Box<str>),
    Federated(Box<str>),
    /// A canonical user, whom only the caller of this crate could resolve.
    Unknown,
}

impl Principals {
    pub(crate) fn new(clause: &PrincipalClause) -> Self {
        let names = clause.elements.iter().map(|(kind, text)| match kind {
            PrincipalType::Everyone => Name::Everyone,
            PrincipalType::Aws => aws(text),
            PrincipalType::Service => Name::Service(text.as_str().into()),
            PrincipalType::Federated => Name::Federated(text.as_str().into()),
            PrincipalType::CanonicalUser => Name::Unknown,
        });
        Self {
            negated: clause.negated,
            names: names.collect(),
        }
    }

    /// Whether somebody is named whom we cannot know; a Deny must then assume the caller.
    pub(crate) fn names_unknown(&self) -> bool {
        self.names.iter().any(|name| matches!(name, Name::Unknown))
    }

    pub(crate) const fn negated(&self) -> bool {
        self.negated
    }

    /// The strongest way in which the caller is named.
    pub(crate) fn grant(&self, caller: &PrincipalRef<'_>) -> Grant {
        let grants = self.names.iter().map(|name| name.grant(caller));
        grants.max().unwrap_or(Grant::None)
    }

    /// Whether a `NotPrincipal` of a Deny leaves the caller out: the caller, and for a session its
    /// role, and the account must all be listed.
    pub(crate) fn spares(&self, caller: &PrincipalRef<'_>) -> bool {
        let listed = |grant| self.names.iter().any(|n| n.grant(caller) == grant);
        match caller {
            PrincipalRef::User { .. } => listed(Grant::Direct) && self.lists_account(caller),
            PrincipalRef::AssumedRole { .. } | PrincipalRef::FederatedUser { .. } => {
                listed(Grant::Direct) && listed(Grant::Limited) && self.lists_account(caller)
            }
            _ => listed(Grant::Direct),
        }
    }

    fn lists_account(&self, caller: &PrincipalRef<'_>) -> bool {
        let own = caller.account();
        self.names
            .iter()
            .any(|n| matches!(n, Name::Account(account) if Some(*account) == own))
    }
}

impl Name {
    fn grant(&self, caller: &PrincipalRef<'_>) -> Grant {
        let direct = |same: bool| if same { Grant::Direct } else { Grant::None };
        match self {
            Self::Everyone => Grant::Direct,
            Self::Account(account) => match caller {
                _ if caller.account() != Some(*account) => Grant::None,
                PrincipalRef::Root { .. } => Grant::Direct,
                _ => Grant::Account,
            },
            Self::Aws(text) => aws_grant(text, caller),
            Self::Service(name) => direct(*caller == PrincipalRef::Service(name)),
            Self::Federated(name) => direct(*caller == PrincipalRef::Federated(name)),
            Self::Unknown => Grant::None,
        }
    }
}

fn aws_grant(text: &str, caller: &PrincipalRef<'_>) -> Grant {
    let (direct, limited) = match caller {
        PrincipalRef::User { arn, id, .. } => ([*arn, id], [""; 2]),
        PrincipalRef::AssumedRole {
            arn,
            role_arn,
            role_id,
            ..
        } => ([*arn; 2], [*role_arn, role_id]),
        PrincipalRef::FederatedUser {
            arn, issuer_arn, ..
        } => ([*arn; 2], [*issuer_arn; 2]),
        PrincipalRef::Root { arn, .. } => ([*arn; 2], [""; 2]),
        PrincipalRef::Anonymous | PrincipalRef::Service(_) | PrincipalRef::Federated(_) => {
            return Grant::None;
        }
    };
    if text.is_empty() {
        Grant::None
    } else if direct.contains(&text) {
        Grant::Direct
    } else if limited.contains(&text) {
        Grant::Limited
    } else {
        Grant::None
    }
}

/// `*`, an account id, `arn:PARTITION:iam::ACCOUNT:root`, or anything else as it stands.
fn aws(text: &str) -> Name {
    if text == "*" {
        return Name::Everyone;
    }
    let digits = match text.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "iam", "", account, "root"] => account,
        _ => text,
    };
    match digits.parse() {
        Ok(account) => Name::Account(account),
        Err(_) => Name::Aws(text.into()),
    }
}
