//! What an action sees: the snapshot it runs on, who calls, and what the request's head says.

use std::{net::IpAddr, sync::Arc};

use keywright_base::{AccountId, Entropy, Timestamp};
use keywright_store::contract::{IssuedSession, KeyAttempt, SessionPage};

use crate::{
    caller::{Caller, Principal},
    catalogue::PolicyCatalogue,
    denials::DeniedRequests,
    fault::{IamFault, MissingEntity},
    mfa::MfaAttempts,
    password_attempts::PasswordAttempts,
    rotations::{RotationEngine, RotationReply, RotationRequest},
    state::{Account, Group, User},
    usage::KeyUsage,
    vault::DataVault,
};

/// What the request's head says, beside the action's own input.
#[derive(Debug, Clone)]
pub struct RequestContext {
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
pub enum Prefetch {
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
    Rotation(Box<RotationRequest>),
}

/// Whose a resource of another service is, and what its policy says.
#[derive(Debug, Clone)]
pub struct ResourcePolicy {
    /// The account that owns it.
    pub owner: AccountId,
    /// Its policy, if it has one.
    pub policy: Option<Arc<keywright_policy::Policy>>,
    /// The tags of the object that the ARN names; `None`: there is no such object.
    pub tags: Option<Vec<(String, String)>>,
    /// Whether the policy serves the owner's account only.
    pub restricted: bool,
}

impl ResourcePolicy {
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
pub struct Prefetched {
    /// For [`Need::Hash`].
    pub hash: Option<String>,
    /// For each [`Need::Matches`], every hash with the answer for it: the state may have moved on
    /// since they were asked about.
    pub matches: Vec<Vec<(String, bool)>>,
    /// For [`Need::AliasHolder`].
    pub alias_holder: Option<AccountId>,
    /// For [`Need::Attached`]; `None`: there is no such resource.
    pub attached: Option<ResourcePolicy>,
    /// For [`Need::Attempts`]: latest first, and the total.
    pub attempts: (Vec<KeyAttempt>, u64),
    /// For [`Need::Sessions`]: latest first.
    pub sessions: Vec<IssuedSession>,
    /// For [`Need::CredentialReport`].
    pub credential_report: Option<Arc<str>>,
    /// For [`Need::Rotation`].
    pub rotation: Option<RotationReply>,
}

/// Everything an action may look at.
#[derive(Clone, Copy)]
pub struct StateView<'a> {
    /// The account's state.
    pub account: &'a Account,
    /// Who calls.
    pub caller: &'a Caller,
    /// The request's head.
    pub context: &'a RequestContext,
    /// What was gathered.
    pub prefetched: &'a Prefetched,
    /// The id of the request.
    pub request_id: &'a str,
    /// What was denied before.
    pub denials: &'a DeniedRequests,
    /// The codes of MFA devices that were tried.
    pub(crate) mfa_attempts: &'a MfaAttempts,
    /// The old passwords that were tried.
    pub(crate) password_attempts: &'a PasswordAttempts,
    /// Last uses.
    pub usage: &'a KeyUsage,
    /// Seals new secrets.
    pub vault: &'a DataVault,
    /// Makes new ids and secrets.
    pub entropy: &'a dyn Entropy,
    /// The engine of rotations, if there is one; it is asked for names only.
    pub(crate) rotations: Option<&'a dyn RotationEngine>,
}

impl std::fmt::Debug for StateView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "View({:?})", self.account.id())
    }
}

impl<'a> StateView<'a> {
    /// The account's id.
    pub const fn id(&self) -> AccountId {
        self.account.id()
    }

    /// The present time in whole seconds, as IAM stores times.
    pub const fn now(&self) -> Timestamp {
        self.context.now.truncate_to_secs()
    }

    /// The AWS managed policies.
    pub fn catalogue(&self) -> &'static PolicyCatalogue {
        PolicyCatalogue::built_in()
    }

    /// A user by name in any case.
    ///
    /// # Errors
    /// `NoSuchEntity`.
    pub fn user(&self, name: &str) -> Result<&'a Arc<User>, IamFault> {
        self.account
            .user(name)
            .ok_or_else(|| MissingEntity::User(name.to_owned()).into())
    }

    /// A group by name in any case.
    ///
    /// # Errors
    /// `NoSuchEntity`.
    pub fn group(&self, name: &str) -> Result<&'a Arc<Group>, IamFault> {
        self.account
            .group(name)
            .ok_or_else(|| MissingEntity::Group(name.to_owned()).into())
    }

    /// The user that an action with an optional `UserName` is about: the named one, or the caller.
    ///
    /// Temporary credentials are the user's, too: there are no roles whose sessions are nobody's.
    pub fn subject(&self, name: Option<&str>) -> CredentialSubject {
        match (name, self.caller.principal()) {
            (Some(name), _) => CredentialSubject::User(name.to_owned()),
            (None, Principal::Root) => CredentialSubject::Root,
            (None, Principal::User { name, .. }) => CredentialSubject::User(name.clone()),
        }
    }
}

/// Whom an action on credentials is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSubject {
    /// The root user.
    Root,
    /// The user of this name, which need not exist.
    User(String),
}
