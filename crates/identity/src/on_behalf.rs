//! Acting on behalf of a principal whose request takes longer than the request itself.
//!
//! Invariants:
//!
//! - The service gets only the principal's own permissions at the time of use: temporary
//!   credentials that are verified and authorized like any others, that identify the service using
//!   them (`aws:ViaAWSService`, `aws:CalledVia`), and that end with the user.
//! - They are issued inside this process only: no request leads to
//!   [`Identity::issue_forward_access_session`].

use keywright_base::{AccountId, Timestamp, limits};

use crate::{
    Identity,
    authorize::AuthTarget,
    caller::Caller,
    fault::{IamFault, InvalidInput},
    principal::Principal,
    session_token::{SessionToken, TemporaryCredentials, ValidityPeriod},
    state::CredentialOwner,
};

/// The rotation service, as condition keys name it.
pub const ROTATION_SERVICE: &str = "rotation.keywright";

/// The principal that a service acts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnBehalf {
    /// The account.
    pub account: AccountId,
    /// Root, or a user.
    pub owner: CredentialOwner,
    /// When the principal had authenticated with MFA, if it had.
    pub mfa: Option<Timestamp>,
}

const SESSIONS_END: &str = "Rotations take longer than a session lasts. Start them as a user, or \
                            as root.";

impl OnBehalf {
    /// For the caller of a request.
    ///
    /// # Errors
    /// [`IamFault`] for a session of a role or a federated user, because the work would continue
    /// after the session has ended.
    pub fn of(caller: &Caller) -> Result<Self, IamFault> {
        let owner = caller.principal().credential_owner();
        Ok(Self {
            account: caller.account(),
            owner: owner.ok_or_else(|| InvalidInput::Other(SESSIONS_END.to_owned()))?,
            mfa: caller.session().and_then(|session| session.mfa),
        })
    }
}

impl Identity {
    /// Issues credentials of a principal to the rotation service; `None` if the principal no longer
    /// exists.
    pub fn issue_forward_access_session(&self, to: &OnBehalf) -> Option<TemporaryCredentials> {
        let account = self.ledger.account(to.account)?.snapshot().clone();
        let principal = Principal::of_owner(&account, to.owner)?;
        let issued = self.clock.now().truncate_to_secs();
        let validity = ValidityPeriod {
            issued,
            expires: issued.plus_secs(limits::FORWARD_ACCESS_SESSION_SECS),
        };
        SessionToken::new(&principal, validity, &*self.entropy)
            .of_service()
            .with_mfa(to.mfa)
            .issue(to.account, &self.vault, &*self.entropy)
    }
}

/// The condition keys that distinguish a request of the service from one of the principal itself.
pub const SERVICE_CONTEXT: [(&str, &str); 6] = [
    ("aws:ViaAWSService", "true"),
    ("aws:CalledVia", ROTATION_SERVICE),
    ("aws:CalledViaFirst", ROTATION_SERVICE),
    ("aws:CalledViaLast", ROTATION_SERVICE),
    ("aws:SourceIp", "127.0.0.1"),
    ("aws:SecureTransport", "true"),
];

/// A target as the service will request it later.
pub(crate) fn requested_by_service(target: AuthTarget) -> AuthTarget {
    let keys = SERVICE_CONTEXT.into_iter();
    keys.fold(target, |target, (key, value)| target.with_key(key, value))
}

#[cfg(test)]
mod tests;
