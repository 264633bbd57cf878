//! The view of an action: its snapshot, its caller, and the request's context.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use keywright_base::{AccountId, Entropy, Timestamp};

use crate::{
    caller::Caller,
    catalogue::PolicyCatalogue,
    denials::DeniedRequests,
    event::RequestRecord,
    fault::{IamFault, MissingEntity},
    ledger::IamLedger,
    mfa::MfaAttempts,
    password_attempts::PasswordAttempts,
    principal::Principal,
    rotations::RotationEngine,
    state::{Account, Group, InstanceProfile, Role, User},
    usage::KeyUsage,
    vault::DataVault,
};

/// The context from the request's head, apart from the action's own input.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The current time.
    pub now: Timestamp,
    /// The client's address.
    pub source_address: IpAddr,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// The `Referer` header.
    pub referer: Option<String>,
    /// Whether it was sent over TLS.
    pub secure: bool,
    /// The TLS version as in `s3:TlsVersion`, for example `1.3`.
    pub tls_version: Option<&'static str>,
    /// What its signature covers, once that was verified; also set for an operation that needs no
    /// signature.
    pub signed: OnceLock<SignedContext>,
}

/// What a request's signature covers.
#[derive(Debug, Clone)]
pub struct SignedContext {
    /// The region in the signature; without one, the region of the server.
    pub region: &'static str,
    /// The idempotency token, if one was sent and signed.
    pub idempotency_token: Option<String>,
}

impl RequestContext {
    /// The region in the signature; empty for an anonymous request.
    pub fn region(&self) -> &str {
        self.signed.get().map_or("", |signed| signed.region)
    }

    /// The idempotency token, if one was sent and signed.
    pub fn idempotency_token(&self) -> Option<&str> {
        self.signed.get()?.idempotency_token.as_deref()
    }
}

/// The owner and the policy of another service's resource.
#[derive(Debug, Clone)]
pub struct ResourcePolicy {
    /// The account that owns it.
    pub owner: AccountId,
    /// Its policy, if it has one.
    pub policy: Option<Arc<keywright_policy::Policy>>,
    /// The tags of the object named by the ARN. `None` if there is no such object.
    pub tags: Option<Vec<(String, String)>>,
    /// Whether the policy applies only to callers of the owner's account.
    pub restricted: bool,
}

impl ResourcePolicy {
    /// The policy if it applies to callers of this account.
    pub fn policy_for(&self, caller: Option<AccountId>) -> Option<&Arc<keywright_policy::Policy>> {
        let foreign = caller != Some(self.owner);
        self.policy
            .as_ref()
            .filter(|_| !(foreign && self.restricted))
    }
}

/// Everything that an action can access.
#[derive(Clone, Copy)]
pub struct StateView<'a> {
    /// The account's state.
    pub account: &'a Account,
    /// The caller.
    pub caller: &'a Caller,
    /// The context from the request's head.
    pub context: &'a RequestContext,
    /// The request ID.
    pub request_id: &'a str,
    /// The record of the request, for what is found out about it.
    pub(crate) record: &'a RequestRecord,
    /// The installation's accounts, to look up principals in others.
    pub(crate) ledger: &'a IamLedger,
    /// Earlier denied requests.
    pub denials: &'a DeniedRequests,
    /// Recently tried codes of MFA devices.
    pub(crate) mfa_attempts: &'a MfaAttempts,
    /// Recently tried passwords.
    pub(crate) password_attempts: &'a PasswordAttempts,
    /// Last uses.
    pub usage: &'a KeyUsage,
    /// Seals new secrets.
    pub vault: &'a DataVault,
    /// Generates new IDs and secrets.
    pub entropy: &'a dyn Entropy,
    /// The rotation engine, if there is one.
    pub(crate) rotations: Option<&'a dyn RotationEngine>,
}

impl std::fmt::Debug for StateView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "View({:?})", self.account.id())
    }
}

impl<'a> StateView<'a> {
    /// The account ID.
    pub const fn id(&self) -> AccountId {
        self.account.id()
    }

    /// The current time in whole seconds, the precision that IAM stores.
    pub const fn now(&self) -> Timestamp {
        self.context.now.truncate_to_secs()
    }

    /// The AWS managed policies.
    pub fn catalogue(&self) -> &'static PolicyCatalogue {
        PolicyCatalogue::built_in()
    }

    /// A user by case-insensitive name.
    ///
    /// # Errors
    /// `NoSuchEntity`.
    pub fn user(&self, name: &str) -> Result<&'a Arc<User>, IamFault> {
        self.account
            .user(name)
            .ok_or_else(|| MissingEntity::User(name.to_owned()).into())
    }

    /// A group by case-insensitive name.
    ///
    /// # Errors
    /// `NoSuchEntity`.
    pub fn group(&self, name: &str) -> Result<&'a Arc<Group>, IamFault> {
        self.account
            .group(name)
            .ok_or_else(|| MissingEntity::Group(name.to_owned()).into())
    }

    /// A role by case-insensitive name.
    ///
    /// # Errors
    /// `NoSuchEntity`.
    pub fn role(&self, name: &str) -> Result<&'a Arc<Role>, IamFault> {
        self.account
            .role(name)
            .ok_or_else(|| MissingEntity::Role(name.to_owned()).into())
    }

    /// An instance profile by case-insensitive name.
    ///
    /// # Errors
    /// `NoSuchEntity`.
    pub fn instance_profile(&self, name: &str) -> Result<&'a Arc<InstanceProfile>, IamFault> {
        self.account
            .instance_profile(name)
            .ok_or_else(|| MissingEntity::InstanceProfile(name.to_owned()).into())
    }

    /// The user that an action with an optional `UserName` concerns: the named one, or the caller.
    /// Temporary credentials of a user count as the user.
    ///
    /// # Errors
    /// `ValidationError` if none is named and the caller is a session of a role.
    pub fn subject(&self, name: Option<&str>) -> Result<CredentialSubject, IamFault> {
        match (name, self.caller.principal()) {
            (Some(name), _) => Ok(CredentialSubject::User(name.to_owned())),
            (None, Principal::Root { .. }) => Ok(CredentialSubject::Root),
            (None, Principal::User { name, .. }) => Ok(CredentialSubject::User(name.clone())),
            (None, Principal::RoleSession(_) | Principal::FederatedUser(_)) => {
                Err(IamFault::Validation(
                    "Must specify userName when calling with non-User credentials".to_owned(),
                ))
            }
        }
    }
}

/// The principal whose credentials an action concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSubject {
    /// The root user.
    Root,
    /// The user with this name, which may not exist.
    User(String),
}
