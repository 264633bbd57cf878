//! The caller of a simulated request.
//!
//! Invariant: an unknown form is rejected, never taken for another caller.

use anyhow::anyhow;
use keywright_base::{AccountId, Arn};
use keywright_policy::{ContextMap, ContextValues, PrincipalRef};

const HINT: &str = "arn:aws:iam::ACCOUNT:user/NAME, arn:aws:iam::ACCOUNT:root, \
                    arn:aws:iam::ACCOUNT:role/NAME (a session of it), \
                    arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION, \
                    arn:aws:sts::ACCOUNT:federated-user/NAME, a service such as \
                    ec2.amazonaws.com, an identity provider, or anonymous";

/// A user ID that belongs to nobody, for policies that compare IDs.
const USER_ID: &str = "AIDAEXAMPLEEXAMPLEEXA";
const ROLE_ID: &str = "AROAEXAMPLEEXAMPLEEXA";
/// The session name of a role given without one.
const SESSION: &str = "session";

/// Hosts of the identity providers built into AWS, as trust policies name them.
const PROVIDERS: [&str; 4] = [
    "accounts.google.com",
    "cognito-identity.amazonaws.com",
    "graph.facebook.com",
    "www.amazon.com",
];

/// A caller with the fields that identify it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SupposedCaller {
    Anonymous,
    Service(String),
    Provider(String),
    Root {
        account: AccountId,
        arn: String,
    },
    User {
        account: AccountId,
        arn: String,
    },
    RoleSession {
        account: AccountId,
        arn: String,
        role_arn: String,
    },
    FederatedUser {
        account: AccountId,
        arn: String,
    },
}

impl SupposedCaller {
    /// Parses `--caller`.
    ///
    /// # Errors
    /// Every unknown form.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        if text == "anonymous" {
            return Ok(Self::Anonymous);
        }
        if PROVIDERS.contains(&text) {
            return Ok(Self::Provider(text.to_owned()));
        }
        if is_service(text) {
            return Ok(Self::Service(text.to_owned()));
        }
        let unknown = || anyhow!("--caller {text}: not a valid caller\nhint: use {HINT}");
        let arn = Arn::parse(text).map_err(|_| unknown())?;
        let account: AccountId = arn.account().parse().map_err(|_| unknown())?;
        let path: Vec<&str> = arn.resource().split('/').collect();
        let is_whole = arn.region().is_empty() && path.iter().all(|part| !part.is_empty());
        let text = text.to_owned();
        let partition = arn.partition();
        Ok(match (arn.service(), path.as_slice()) {
            _ if !is_whole => return Err(unknown()),
            ("iam", ["root"]) => Self::Root { account, arn: text },
            ("iam", ["user", .., _]) => Self::User { account, arn: text },
            ("iam", ["role", .., role]) => Self::RoleSession {
                account,
                arn: format!("arn:{partition}:sts::{account}:assumed-role/{role}/{SESSION}"),
                role_arn: text,
            },
            ("iam", ["oidc-provider" | "saml-provider", _, ..]) => Self::Provider(text),
            ("sts", ["assumed-role", role, _]) => Self::RoleSession {
                account,
                arn: text,
                role_arn: format!("arn:{partition}:iam::{account}:role/{role}"),
            },
            ("sts", ["federated-user", _]) => Self::FederatedUser { account, arn: text },
            _ => return Err(unknown()),
        })
    }

    /// The principal that policies see.
    pub(super) fn principal(&self) -> PrincipalRef<'_> {
        match self {
            Self::Anonymous => PrincipalRef::Anonymous,
            Self::Service(name) => PrincipalRef::Service(name),
            Self::Provider(name) => PrincipalRef::Federated(name),
            Self::Root { account, arn } => PrincipalRef::Root {
                account: *account,
                arn,
            },
            Self::User { account, arn } => PrincipalRef::User {
                account: *account,
                arn,
                id: USER_ID,
                name: last(arn),
            },
            Self::RoleSession {
                account,
                arn,
                role_arn,
            } => PrincipalRef::AssumedRole {
                account: *account,
                arn,
                role_arn,
                role_id: ROLE_ID,
                session: last(arn),
            },
            // The user who created the session is unknown, so a resource policy that names the user
            // does not match.
            Self::FederatedUser { account, arn } => PrincipalRef::FederatedUser {
                account: *account,
                arn,
                name: last(arn),
                issuer_arn: "",
                issuer_id: "",
            },
        }
    }

    /// Whether the caller can have identity policies and is subject to its organization's policies.
    pub(super) const fn has_policies(&self) -> bool {
        match self {
            Self::Anonymous | Self::Service(_) | Self::Provider(_) => false,
            Self::Root { .. }
            | Self::User { .. }
            | Self::RoleSession { .. }
            | Self::FederatedUser { .. } => true,
        }
    }

    /// Adds the condition keys that only requests of such a caller have.
    pub(super) fn say(&self, context: &mut ContextMap) {
        let one = |name: &str| ContextValues::one(name.to_owned());
        match self {
            Self::Service(name) => {
                context.set("aws:PrincipalIsAWSService", one("true"));
                context.set("aws:PrincipalServiceName", one(name));
                let names = ContextValues::many([name.clone()]);
                context.set("aws:PrincipalServiceNamesList", names);
            }
            Self::Provider(name) => context.set("aws:FederatedProvider", one(name)),
            _ => {}
        }
    }
}

/// The last segment of an ARN's path.
fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// Whether the text is a service principal such as `ec2.amazonaws.com`.
fn is_service(text: &str) -> bool {
    let domains = [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com"];
    let mut names = domains
        .iter()
        .filter_map(|domain| text.strip_suffix(domain));
    let letters = |label: &str| {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !label.is_empty() && label.bytes().all(fits)
    };
    names.any(|name| name.split('.').all(letters))
}
