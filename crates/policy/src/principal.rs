//! Callers, and whether a policy's `Principal` names them. Invariant: how a caller is named decides
//! how strongly the policy grants; naming only the account delegates to its identity policies.

use keywright_base::AccountId;

use crate::{
    context::ContextValues,
    document::{PrincipalClause, PrincipalType},
};

/// `aws:userid` of an unsigned request.
pub(crate) const ANONYMOUS_USER_ID: &str = "anonymous";

/// The caller of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalRef<'a> {
    /// Anonymous: an unsigned request.
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
    /// A role session.
    AssumedRole {
        /// The account.
        account: AccountId,
        /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`
        arn: &'a str,
        /// The role's ARN, with its path.
        role_arn: &'a str,
        /// `AROA…`
        role_id: &'a str,
        /// The session name.
        session: &'a str,
    },
    /// A session created by GetFederationToken.
    FederatedUser {
        /// The account.
        account: AccountId,
        /// `arn:aws:sts::ACCOUNT:federated-user/NAME`
        arn: &'a str,
        /// The name passed to GetFederationToken.
        name: &'a str,
        /// The ARN of the IAM user who created the session.
        issuer_arn: &'a str,
        /// `AIDA…` of that user, by which stored policies name it; empty for the root user.
        issuer_id: &'a str,
    },
    /// A hypothetical caller with only an account and a user ARN, as in a simulation. Keys such as
    /// `aws:username` come from the context alone.
    Supposed {
        /// The account.
        account: AccountId,
        /// The user's ARN; empty if no caller is given.
        arn: &'a str,
    },
    /// An AWS service, for example `ec2.amazonaws.com`.
    Service(&'a str),
    /// A caller authenticated by an identity provider: the provider's ARN or host name.
    Federated(&'a str),
}

impl<'a> PrincipalRef<'a> {
    /// The caller's account.
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::Root { account, .. }
            | Self::User { account, .. }
            | Self::AssumedRole { account, .. }
            | Self::FederatedUser { account, .. }
            | Self::Supposed { account, .. } => Some(*account),
            Self::Anonymous | Self::Service(_) | Self::Federated(_) => None,
        }
    }

    /// The caller's name in a denial: an ARN, a service or provider, or `anonymous`.
    pub const fn display(&self) -> &'a str {
        match self {
            Self::Root { arn, .. }
            | Self::User { arn, .. }
            | Self::AssumedRole { arn, .. }
            | Self::FederatedUser { arn, .. }
            | Self::Supposed { arn, .. } => arn,
            Self::Service(name) | Self::Federated(name) => name,
            Self::Anonymous => "anonymous",
        }
    }

    /// A condition key that the caller determines; `None` for other keys. The user ID comes from
    /// [`PrincipalRef::user_id`].
    pub(crate) fn key(&self, key: &str, user_id: &'a str) -> Option<ContextValues<'a>> {
        if matches!(self, Self::Supposed { .. }) {
            return None;
        }
        let own = match key.strip_prefix("aws:")? {
            "username" => match self {
                Self::User { name, .. } => Some(*name),
                _ => None,
            },
            "userid" => Some(user_id).filter(|id| !id.is_empty()),
            "principaltype" => self.kind(),
            "principalarn" => self.principal_arn(),
            "principalaccount" => self.account_text(),
            _ => return None,
        };
        Some(ContextValues::optional(own))
    }

    /// `aws:userid`; empty if there is none. Uses `buffer` if it must be joined.
    pub(crate) fn user_id(&self, buffer: &'a mut UserId) -> &'a str {
        match self {
            Self::Root { .. } => self.account_text().unwrap_or_default(),
            Self::User { id, .. } => id,
            Self::AssumedRole {
                role_id, session, ..
            } => buffer.join(role_id, session),
            Self::FederatedUser { name, .. } => {
                buffer.join(self.account_text().unwrap_or_default(), name)
            }
            Self::Anonymous => ANONYMOUS_USER_ID,
            Self::Supposed { .. } | Self::Service(_) | Self::Federated(_) => "",
        }
    }

    /// Whether the caller is a user, or a session of a user or role.
    pub(crate) const fn is_entity(&self) -> bool {
        matches!(
            self,
            Self::User { .. }
                | Self::AssumedRole { .. }
                | Self::FederatedUser { .. }
                | Self::Supposed { .. }
        )
    }

    /// The account as written in the caller's ARN.
    fn account_text(&self) -> Option<&'a str> {
        self.account()?;
        self.display().split(':').nth(4)
    }

    /// Whether the caller is a session of a service-linked role.
    pub(crate) fn is_service_linked(&self) -> bool {
        match self {
            Self::AssumedRole { role_arn, .. } => {
                let role = role_arn.splitn(6, ':').nth(5);
                role.is_some_and(|role| role.starts_with("role/aws-service-role/"))
            }
            _ => false,
        }
    }

    const fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Root { .. } => Some("Account"),
            Self::User { .. } => Some("User"),
            Self::AssumedRole { .. } => Some("AssumedRole"),
            Self::FederatedUser { .. } => Some("FederatedUser"),
            Self::Anonymous => Some("Anonymous"),
            Self::Supposed { .. } | Self::Service(_) | Self::Federated(_) => None,
        }
    }

    const fn principal_arn(&self) -> Option<&'a str> {
        match self {
            Self::Root { arn, .. } | Self::User { arn, .. } | Self::FederatedUser { arn, .. } => {
                Some(arn)
            }
            Self::AssumedRole { role_arn, .. } => Some(role_arn),
            Self::Supposed { .. } | Self::Anonymous | Self::Service(_) | Self::Federated(_) => None,
        }
    }
}

/// A buffer for a user ID.
#[derive(Debug)]
pub(crate) struct UserId {
    bytes: [u8; 128],
    /// Overflow for IDs that do not fit.
    long: String,
}

impl UserId {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; 128],
            long: String::new(),
        }
    }

    /// Joins `first:second`.
    fn join(&mut self, first: &str, second: &str) -> &str {
        let parts = [first.as_bytes(), b":", second.as_bytes()];
        let length = parts.iter().map(|part| part.len()).sum();
        if length > self.bytes.len() {
            self.long = format!("{first}:{second}");
            return &self.long;
        }
        let room = self.bytes.iter_mut();
        for (slot, byte) in room.zip(parts.into_iter().flatten()) {
            *slot = *byte;
        }
        let written = self.bytes.get(..length).unwrap_or_default();
        std::str::from_utf8(written).unwrap_or_default()
    }
}

/// How strongly a resource policy grants, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum GrantStrength {
    /// Not at all.
    None,
    /// To the caller's account: the identity policies must also allow.
    Account,
    /// To a session's role, or to the user who created it: boundary and session policies limit the
    /// grant.
    Limited,
    /// To this exact caller or to everyone: nothing else needs to allow.
    Direct,
}

/// A compiled `Principal` or `NotPrincipal`.
#[derive(Debug, Clone)]
pub(crate) struct CompiledPrincipals {
    negated: bool,
    names: Box<[PrincipalName]>,
}

#[derive(Debug, Clone)]
enum PrincipalName {
    Everyone,
    Account(AccountId),
    /// An ARN, or the unique ID that a stored ARN was replaced with.
    Aws(Box<str>),
    Service(Box<str>),
    Federated(Box<str>),
    /// A canonical user, which only this crate's caller could resolve.
    Unknown,
}

impl CompiledPrincipals {
    pub(crate) fn new(clause: &PrincipalClause) -> Self {
        let names = clause.elements.iter().map(|(kind, text)| match kind {
            PrincipalType::Everyone => PrincipalName::Everyone,
            PrincipalType::Aws => aws(text),
            PrincipalType::Service => PrincipalName::Service(text.as_str().into()),
            PrincipalType::Federated => PrincipalName::Federated(text.as_str().into()),
            PrincipalType::CanonicalUser => PrincipalName::Unknown,
        });
        Self {
            negated: clause.negated,
            names: names.collect(),
        }
    }

    /// Whether it names a principal that cannot be resolved; a Deny must then assume that it is the
    /// caller.
    pub(crate) fn names_unknown(&self) -> bool {
        self.names
            .iter()
            .any(|name| matches!(name, PrincipalName::Unknown))
    }

    /// The maximum steps of comparing the caller with all names.
    pub(crate) const fn steps(&self) -> u64 {
        1 + self.names.len() as u64
    }

    pub(crate) const fn negated(&self) -> bool {
        self.negated
    }

    /// The strongest match of the caller.
    pub(crate) fn grant(&self, caller: &PrincipalRef<'_>) -> GrantStrength {
        let grants = self.names.iter().map(|name| name.grant(caller));
        grants.max().unwrap_or(GrantStrength::None)
    }

    /// Whether a `NotPrincipal` of a Deny exempts the caller. The caller, for a session also its
    /// role, and the account must all be listed.
    pub(crate) fn spares(&self, caller: &PrincipalRef<'_>) -> bool {
        let listed = |grant| self.names.iter().any(|n| n.grant(caller) == grant);
        match caller {
            _ if self
                .names
                .iter()
                .any(|n| matches!(n, PrincipalName::Everyone)) =>
            {
                true
            }
            PrincipalRef::User { .. } | PrincipalRef::Supposed { .. } => {
                listed(GrantStrength::Direct) && self.lists_account(caller)
            }
            PrincipalRef::AssumedRole { .. } | PrincipalRef::FederatedUser { .. } => {
                listed(GrantStrength::Direct)
                    && listed(GrantStrength::Limited)
                    && self.lists_account(caller)
            }
            _ => listed(GrantStrength::Direct),
        }
    }

    fn lists_account(&self, caller: &PrincipalRef<'_>) -> bool {
        let own = caller.account();
        self.names
            .iter()
            .any(|n| matches!(n, PrincipalName::Account(account) if Some(*account) == own))
    }
}

impl PrincipalName {
    fn grant(&self, caller: &PrincipalRef<'_>) -> GrantStrength {
        let direct = |same: bool| {
            if same {
                GrantStrength::Direct
            } else {
                GrantStrength::None
            }
        };
        match self {
            Self::Everyone => GrantStrength::Direct,
            Self::Account(account) => match caller {
                _ if caller.account() != Some(*account) => GrantStrength::None,
                PrincipalRef::Root { .. } => GrantStrength::Direct,
                _ => GrantStrength::Account,
            },
            Self::Aws(text) => aws_grant(text, caller),
            Self::Service(name) => direct(*caller == PrincipalRef::Service(name)),
            Self::Federated(name) => direct(*caller == PrincipalRef::Federated(name)),
            Self::Unknown => GrantStrength::None,
        }
    }
}

fn aws_grant(text: &str, caller: &PrincipalRef<'_>) -> GrantStrength {
    let (direct, limited) = match caller {
        PrincipalRef::User { arn, id, .. } => ([*arn, id], [""; 2]),
        PrincipalRef::AssumedRole {
            arn,
            role_arn,
            role_id,
            ..
        } => ([*arn; 2], [*role_arn, role_id]),
        PrincipalRef::FederatedUser {
            arn,
            issuer_arn,
            issuer_id,
            ..
        } => ([*arn; 2], [*issuer_arn, issuer_id]),
        PrincipalRef::Root { arn, .. } | PrincipalRef::Supposed { arn, .. } => ([*arn; 2], [""; 2]),
        PrincipalRef::Anonymous | PrincipalRef::Service(_) | PrincipalRef::Federated(_) => {
            return GrantStrength::None;
        }
    };
    if text.is_empty() {
        GrantStrength::None
    } else if direct.contains(&text) {
        GrantStrength::Direct
    } else if limited.contains(&text) {
        GrantStrength::Limited
    } else {
        GrantStrength::None
    }
}

/// Parses `*`, an account ID, `arn:PARTITION:iam::ACCOUNT:root`, or any other text as it is.
fn aws(text: &str) -> PrincipalName {
    if text == "*" {
        return PrincipalName::Everyone;
    }
    let digits = match text.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "iam", "", account, "root"] => account,
        _ => text,
    };
    match digits.parse() {
        Ok(account) => PrincipalName::Account(account),
        Err(_) => PrincipalName::Aws(text.into()),
    }
}
