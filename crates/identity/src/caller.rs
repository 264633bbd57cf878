//! Who is calling: an identity that a signature has proven.

use std::borrow::Cow;

use keywright_base::{AccessKeyId, AccountId, Arn, Timestamp};
use keywright_sigv4::Verified;

use crate::{
    console::SessionId,
    principal::Principal,
    state::{Account, CredentialOwner, Tag},
};

/// What temporary credentials carry beside the principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// When they were issued.
    pub issued: Timestamp,
    /// When a multi-factor code was given, if one was.
    pub mfa: Option<Timestamp>,
    /// The console session that they end with, for someone who signed in with a password.
    pub(crate) console: Option<SessionId>,
    /// The long-term key that minted them, directly or through other sessions; earlier versions did
    /// not write it down.
    pub(crate) source: Option<AccessKeyId>,
    /// The owner of that key; earlier versions did not write it down.
    pub(crate) source_owner: Option<CredentialOwner>,
    /// The service that uses them on behalf of the principal, if it is not the principal itself.
    pub service: Option<&'static str>,
    /// What a role's or federated user's session was created with.
    pub attributes: Option<Box<SessionAttributes>>,
}

/// What the session of a role or of a federated user was created with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionAttributes {
    /// The inline session policy.
    pub policy: Option<String>,
    /// The managed session policies, by ARN.
    pub policy_arns: Vec<String>,
    /// Session tags, those inherited from the session before included.
    pub tags: Vec<Tag>,
    /// The keys of those tags that sessions created with this one inherit.
    pub transitive_keys: Vec<String>,
    /// The source identity, which stays through role chaining.
    pub source_identity: Option<String>,
}

impl SessionAttributes {
    /// Whether session policies limit the session.
    pub fn has_policies(&self) -> bool {
        self.policy.is_some() || !self.policy_arns.is_empty()
    }
}

impl SessionFacts {
    /// Whether they were minted from a key whose sessions are ended. Those of a console session and
    /// of a service come from none. `account` is the source key's.
    pub(crate) fn are_ended(&self, account: &Account) -> bool {
        self.console.is_none()
            && self.service.is_none()
            && account.settings().ended_sessions.has_ended(
                self.source,
                self.source_owner,
                self.issued,
            )
    }
}

/// A verified caller. Only [`crate::authenticate`] makes one, from a [`Verified`] signature.
#[derive(Debug)]
pub struct Caller {
    principal: Principal,
    key: AccessKeyId,
    session: Option<SessionFacts>,
    proof: Verified,
}

impl Caller {
    pub(crate) const fn new(
        principal: Principal,
        key: AccessKeyId,
        session: Option<SessionFacts>,
        proof: Verified,
    ) -> Self {
        Self {
            principal,
            key,
            session,
            proof,
        }
    }

    /// The account.
    pub const fn account(&self) -> AccountId {
        self.principal.account()
    }

    /// Who it is.
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The access key that signed.
    pub const fn key(&self) -> AccessKeyId {
        self.key
    }

    /// The session, for temporary credentials.
    pub const fn session(&self) -> Option<&SessionFacts> {
        self.session.as_ref()
    }

    /// The proof that this request was signed with the caller's key.
    pub const fn proof(&self) -> &Verified {
        &self.proof
    }

    /// Whether the caller may call IAM at all. On AWS, credentials of GetSessionToken may only if a
    /// multi-factor code was given, and those of GetFederationToken never.
    pub const fn may_call_iam(&self) -> bool {
        match (&self.principal, &self.session) {
            (Principal::FederatedUser(_), _) => false,
            (Principal::RoleSession(_), _) | (_, None) => true,
            (Principal::Root { .. } | Principal::User { .. }, Some(session)) => {
                session.mfa.is_some() || session.console.is_some() || session.service.is_some()
            }
        }
    }

    /// What its session was created with, if it is one of a role or a federated user.
    pub fn attributes(&self) -> Option<&SessionAttributes> {
        self.session.as_ref()?.attributes.as_deref()
    }

    /// The ARN that AWS displays for the caller.
    pub const fn arn(&self) -> &Arn {
        self.principal.arn()
    }

    /// `aws:userid`: see [`Principal::user_id`].
    pub fn user_id(&self) -> Cow<'_, str> {
        self.principal.user_id()
    }
}
