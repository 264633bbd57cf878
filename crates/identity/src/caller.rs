//! Who is calling: an identity that a signature has proven.

use std::borrow::Cow;

use keywright_base::{AccessKeyId, AccountId, Arn, Timestamp};
use keywright_sigv4::Verified;

use crate::{console::SessionId, principal::Principal, state::Account};

/// What temporary credentials carry beside the principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// When they were issued.
    pub issued: Timestamp,
    /// When a multi-factor code was given, if one was.
    pub mfa: Option<Timestamp>,
    /// The console session that they end with, for someone who signed in with a password.
    pub(crate) console: Option<SessionId>,
    /// The long-term key that minted them; earlier versions did not write it down.
    pub(crate) source: Option<AccessKeyId>,
    /// The service that uses them on behalf of the principal, if it is not the principal itself.
    pub service: Option<&'static str>,
}

impl SessionFacts {
    /// Whether they were minted from a key whose sessions are ended. Those of a console session and
    /// of a service come from none.
    pub(crate) fn are_ended(&self, account: &Account) -> bool {
        self.console.is_none()
            && self.service.is_none()
            && account.settings().has_ended(self.source, self.issued)
    }

    /// AWS: credentials of GetSessionToken cannot call IAM unless a multi-factor code was given.
    /// The console's and those of a service are none of these.
    pub const fn may_call_iam(&self) -> bool {
        self.mfa.is_some() || self.console.is_some() || self.service.is_some()
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

    /// The ARN that AWS displays for the caller.
    pub const fn arn(&self) -> &Arn {
        self.principal.arn()
    }

    /// `aws:userid`: the user's unique id, or the account's for root.
    pub fn user_id(&self) -> Cow<'_, str> {
        self.principal.user_id()
    }
}
