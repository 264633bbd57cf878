//! Who is calling: an identity that a signature has proven.

use keywright_base::{AccessKeyId, AccountId, Arn, Timestamp, UniqueId};
use keywright_sigv4::Verified;

use crate::{
    console::SessionId,
    state::{Account, MfaOwner},
};

/// A proven principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The account's root user.
    Root,
    /// An IAM user.
    User {
        /// Its immutable id.
        id: UniqueId,
        /// Its name.
        name: String,
        /// Its ARN.
        arn: Arn,
    },
}

impl From<&Principal> for MfaOwner {
    fn from(principal: &Principal) -> Self {
        match principal {
            Principal::Root => Self::Root,
            Principal::User { id, .. } => Self::User(*id),
        }
    }
}

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
    account: AccountId,
    principal: Principal,
    key: AccessKeyId,
    session: Option<SessionFacts>,
    proof: Verified,
}

impl Caller {
    pub(crate) const fn new(
        account: AccountId,
        principal: Principal,
        key: AccessKeyId,
        session: Option<SessionFacts>,
        proof: Verified,
    ) -> Self {
        Self {
            account,
            principal,
            key,
            session,
            proof,
        }
    }

    /// The account.
    pub const fn account(&self) -> AccountId {
        self.account
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

    /// The ARN that AWS shows for the caller.
    pub fn arn(&self) -> Arn {
        match &self.principal {
            Principal::Root => Arn::iam(self.account, "root"),
            Principal::User { arn, .. } => arn.clone(),
        }
    }

    /// `aws:userid`: the user's unique id, or the account's for root.
    pub fn user_id(&self) -> String {
        match &self.principal {
            Principal::Root => self.account.to_string(),
            Principal::User { id, .. } => id.to_string(),
        }
    }
}
