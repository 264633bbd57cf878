//! What an action sees: the snapshot it runs on, who calls, and what the request's head says.

use std::{net::IpAddr, sync::Arc};

use keywright_base::{AccountId, Entropy, Timestamp};
use keywright_store::contract::{Attempt, Session, SessionPage};

use crate::{
    caller::{Caller, Principal},
    catalogue::Catalogue,
    denials::Denials,
    fault::{Fault, Missing},
    mfa::Attempts,
    password_attempts::PasswordAttempts,
    rotations::{Asked, Rotations, Told},
    state::{Account, Group, User},
    usage::Usage,
    vault::Vault,
};

/// What the request's head says, beside the action's own input.
#[derive(Debug, Clone)]
pub struct Facts {
    /// When it is.
    pub now: Timestamp,
    /// The peer's address.
    pub source_address: IpAddr,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// The `Referer` header.
    pub referer: Option<String>,
    /// Whether it came over TLS.
    pub secure: bool,
    /// The region it was signed for.
    pub region: String,
    /// The idempotency token, if one was sent and signed.
    pub idempotency_token: Option<String>,
}

/// What an action needs before it can run and cannot compute quickly.
#[derive(Debug)]
pub enum Need {
    /// An Argon2id hash of a new password.
    Hash(keywright_base::Secret<String>),
    /// Whether a password is the one of any of these hashes, in order.
    Matches(keywright_base::Secret<String>, Vec<String>),
    /// The attempts with an inactive key.
    Attempts(keywright_base::AccessKeyId),
    /// A page of the sessions minted from a key.
    Sessions(SessionPage),
    /// The account of the installation that has this alias.
    AliasHolder(String),
    /// The owner and the policy of a resource that another service keeps, by its ARN.
    Attached(String),
    /// The text of a new credential report.
    CredentialReport,
    /// The engine's answer; it may have carried out an order.
    Rotation(Box<Asked>),
}

/// Whose a resource of another service is, and what its policy says.
#[derive(Debug, Clone)]
pub struct Attached {
    /// The account that owns it.
    pub owner: AccountId,
    /// Its policy, if it has one.
    pub policy: Option<Arc<keywright_policy::Policy>>,
    /// The tags of the object that the ARN names; `None`: there is no such object.
    pub tags: Option<Vec<(String, String)>>,
    /// Whether the policy serves the owner's account only.
    pub restricted: bool,
}

impl Attached {
    /// The policy as far as it counts for a caller of an account.
    pub fn policy_for(&self, caller: Option<AccountId>) -> Option<&Arc<keywright_policy::Policy>> {
        let foreign = caller != Some(self.owner);
        self.policy
            .as_ref()
            .filter(|_| !(foreign && self.restricted))
    }
}

/// What was gathered for an action's [`Need`]s.
#[derive(Debug, Default)]
pub struct Gathered {
    /// For [`Need::Hash`].
    pub hash: Option<String>,
    /// For each [`Need::Matches`], every hash with the answer for it: the state may have moved on
    /// since they were asked about.
    pub matches: Vec<Vec<(String, bool)>>,
    /// For [`Need::AliasHolder`].
    pub alias_holder: Option<AccountId>,
    /// For [`Need::Attached`]; `None`: there is no such resource.
    pub attached: Option<Attached>,
    /// For [`Need::Attempts`]: latest first, and the total.
    pub attempts: (Vec<Attempt>, u64),
    /// For [`Need::Sessions`]: latest first.
    pub sessions: Vec<Session>,
    /// For [`Need::CredentialReport`].
    pub credential_report: Option<Arc<str>>,
    /// For [`Need::Rotation`].
    pub rotation: Option<Told>,
}

/// Everything an action may look at.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The account's state.
    pub account: &'a Account,
    /// Who calls.
    pub caller: &'a Caller,
    /// The request's head.
    pub facts: &'a Facts,
    /// What was gathered.
    pub gathered: &'a Gathered,
    /// The id of the request.
    pub request_id: &'a str,
    /// What was denied before.
    pub denials: &'a Denials,
    /// The codes of MFA devices that were tried.
    pub(crate) mfa_attempts: &'a Attempts,
    /// The old passwords that were tried.
    pub(crate) password_attempts: &'a PasswordAttempts,
    /// Last uses.
    pub usage: &'a Usage,
    /// Seals new secrets.
    pub vault: &'a Vault,
    /// Makes new ids and secrets.
    pub entropy: &'a dyn Entropy,
    /// The engine of rotations, if there is one; it is asked for names only.
    pub(crate) rotations: Option<&'a dyn Rotations>,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "View({:?})", self.account.id())
    }
}

impl<'a> View<'a> {
    /// The account's id.
    pub const fn id(&self) -> AccountId {
        self.account.id()
    }

    /// The present time in whole seconds, as IAM stores times.
    pub const fn now(&self) -> Timestamp {
        self.facts.now.truncate_to_secs()
    }

    /// The AWS managed policies.
    pub fn catalogue(&self) -> &'static Catalogue {
        Catalogue::built_in()
    }

    /// A user by name in any case.
    ///
    /// # Errors
    /// `NoSuchEntity`.
    pub fn user(&self, name: &str) -> Result<&'a Arc<User>, Fault> {
        self.account
            .user(name)
            .ok_or_else(|| Missing::User(name.to_owned()).into())
    }

    /// A group by name in any case.
    ///
    /// # Errors
    /// `NoSuchEntity`.
    pub fn group(&self, name: &str) -> Result<&'a Arc<Group>, Fault> {
        self.account
            .group(name)
            .ok_or_else(|| Missing::Group(name.to_owned()).into())
    }

    /// The user that an action with an optional `UserName` is about: the named one, or the caller.
    ///
    /// Temporary credentials are the user's, too: there are no roles whose sessions are nobody's.
    pub fn subject(&self, name: Option<&str>) -> Subject {
        match (name, self.caller.principal()) {
            (Some(name), _) => Subject::User(name.to_owned()),
            (None, Principal::Root) => Subject::Root,
            (None, Principal::User { name, .. }) => Subject::User(name.clone()),
        }
    }
}

/// Whom an action on credentials is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The root user.
    Root,
    /// The user of this name, which need not exist.
    User(String),
}
