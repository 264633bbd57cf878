//! Authenticates a signature: returns a [`Caller`], or AWS's error.
//!
//! Invariants:
//!
//! - Unknown, inactive and deleted keys are rejected with the same message.
//! - Nothing is recorded about a caller whose signature is invalid.
//!
//! The order of checks (date and scope before the key, the key before the signature) starts in
//! `sigv4` and ends here.

use std::{str::FromStr, sync::Arc};

use http::request::Parts;
use keywright_base::{AccessKeyId, Secret, Timestamp};
use keywright_sigv4::{
    CredentialScope, PayloadHash, PresentedSignature, PresentedV2, SignatureFault, SigningKey,
};

use crate::{
    caller::{Caller, SessionFacts},
    console::ConsoleSessions,
    event::{CredentialUse, UsedCredential},
    ledger::IamLedger,
    principal::Principal,
    session_token::SessionToken,
    state::{AccessKey, Account, KeyMaterial, KeyStatus},
    vault::{DataVault, OpenError, SealPurpose},
};

/// A rejected request.
#[derive(Debug)]
pub struct AuthFailure {
    /// The error for the client.
    pub fault: SignatureFault,
    /// The inactive key if its signature was correct, the only case that is recorded.
    pub inactive: Option<AccessKeyId>,
}

impl From<SignatureFault> for AuthFailure {
    fn from(fault: SignatureFault) -> Self {
        Self {
            fault,
            inactive: None,
        }
    }
}

/// A request with a signature to verify.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The head as received.
    pub parts: &'a Parts,
    /// The presented signature.
    pub presented: &'a PresentedSignature,
    /// The hash of the body, or its substitute.
    pub payload: PayloadHash,
    /// The current time.
    pub now: Timestamp,
    /// The purpose for which the key is used.
    pub key_use: KeyUse,
}

/// The purpose of a key's use, which determines whether it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// An ordinary request.
    Work,
    /// A query by the key's owner, which is no evidence of a program that needs the key.
    Check,
    /// Verification by the server's own rotation engine, which does not count as use.
    Verification,
}

/// The region of a Signature Version 2 request, which names none.
const V2_REGION: &str = "us-east-1";

/// A signature of either version.
#[derive(Clone, Copy)]
enum SignatureVersion<'a> {
    V4(SignedRequest<'a>),
    V2(&'a PresentedV2, Timestamp),
}

impl SignatureVersion<'_> {
    const fn now(self) -> Timestamp {
        match self {
            Self::V4(signed) => signed.now,
            Self::V2(_, now) => now,
        }
    }

    const fn key_use(self) -> KeyUse {
        match self {
            Self::V4(signed) => signed.key_use,
            // Only object requests are signed this way.
            Self::V2(..) => KeyUse::Work,
        }
    }

    const fn scope(self) -> Option<CredentialScope> {
        match self {
            Self::V4(signed) => Some(*signed.presented.scope()),
            Self::V2(..) => None,
        }
    }
}

/// Resolves keys and verifies signatures.
#[derive(Debug)]
pub struct Authenticator {
    pub(crate) ledger: Arc<IamLedger>,
    pub(crate) vault: Arc<DataVault>,
    pub(crate) sessions: Arc<ConsoleSessions>,
}

/// A verified caller, which only the draft of a request's event takes out
/// ([`EventDraft::admit`](crate::event::EventDraft::admit)).
#[derive(Debug)]
pub struct AuthenticatedCaller {
    pub(crate) caller: Caller,
    /// The signing key of the request's scope, which is needed later for aws-chunked bodies. `None`
    /// for Version 2, which has no scope.
    pub(crate) signing_key: Option<SigningKey>,
    /// Of a long-term key.
    material: Option<Arc<KeyMaterial>>,
    key_use: KeyUse,
    at: Timestamp,
    /// `None` for Version 2.
    scope: Option<CredentialScope>,
}

impl AuthenticatedCaller {
    fn new(
        caller: Caller,
        (signing_key, material): (Option<SigningKey>, Option<Arc<KeyMaterial>>),
        signature: SignatureVersion<'_>,
    ) -> Self {
        Self {
            caller,
            signing_key,
            material,
            key_use: signature.key_use(),
            at: signature.now(),
            scope: signature.scope(),
        }
    }

    /// The service and the region of the signature.
    pub(crate) fn service_and_region(&self) -> (&'static str, &'static str) {
        let scope = self.scope.as_ref();
        scope.map_or(("s3", V2_REGION), |scope| (scope.service(), scope.region()))
    }

    /// The use of the credential, for the record of uses.
    pub(crate) fn credential_use(&self) -> CredentialUse<'_> {
        let credential = match (&self.material, self.caller.principal()) {
            (Some(material), _) => UsedCredential::AccessKey(self.caller.key(), material),
            (None, Principal::RoleSession(session)) => UsedCredential::Role(session.role),
            (
                None,
                Principal::Root { .. } | Principal::User { .. } | Principal::FederatedUser(_),
            ) => UsedCredential::Session,
        };
        let (service, region) = self.service_and_region();
        CredentialUse {
            credential,
            key_use: self.key_use,
            at: self.at,
            service,
            region,
        }
    }
}

impl Authenticator {
    /// Verifies a signature and returns its caller.
    ///
    /// # Errors
    /// [`AuthFailure`] for an unknown or inactive key, an invalid or expired token, or a wrong
    /// signature.
    pub fn authenticate(
        &self,
        signed: SignedRequest<'_>,
    ) -> Result<AuthenticatedCaller, AuthFailure> {
        let presented = signed.presented;
        let named = (presented.access_key_id(), presented.session_token());
        self.prove(named, SignatureVersion::V4(signed))
    }

    /// Verifies a Version 2 presigned URL and returns its caller.
    ///
    /// # Errors
    /// As [`Authenticator::authenticate`].
    pub fn authenticate_v2(
        &self,
        presented: &PresentedV2,
        now: Timestamp,
    ) -> Result<AuthenticatedCaller, AuthFailure> {
        let named = (presented.access_key_id(), presented.session_token());
        self.prove(named, SignatureVersion::V2(presented, now))
    }

    fn prove(
        &self,
        (id, token): (&str, Option<&Secret<String>>),
        signature: SignatureVersion<'_>,
    ) -> Result<AuthenticatedCaller, AuthFailure> {
        let key = AccessKeyId::from_str(id).map_err(|_| unknown(id))?;
        match (key.is_temporary(), token) {
            (false, None) => self.long_term(key, signature),
            (true, Some(token)) => self.temporary(key, token, signature),
            (false, Some(token)) => Err(SignatureFault::TokenInvalid {
                token: token.clone(),
            }
            .into()),
            (true, None) => Err(unknown(id)),
        }
    }

    /// Rejects early what no signature could make valid, with the errors of
    /// [`Authenticator::authenticate`]: an unknown key, or a token that cannot be opened.
    ///
    /// # Errors
    /// The [`SignatureFault`] to render.
    pub fn recognize(
        &self,
        presented: &PresentedSignature,
        now: Timestamp,
    ) -> Result<(), SignatureFault> {
        let id = presented.access_key_id();
        let key = AccessKeyId::from_str(id).map_err(|_| unknown(id).fault)?;
        let account = key
            .account()
            .and_then(|account| self.ledger.account(account));
        match (key.is_temporary(), presented.session_token()) {
            (false, None) => {
                let account = account.ok_or_else(|| unknown(id).fault)?.snapshot().clone();
                let known = account.key(key).map(|_| ());
                known.ok_or_else(|| unknown(id).fault)
            }
            (true, Some(token)) => {
                let token = token.clone();
                match SessionToken::open(&self.vault, key, &token) {
                    None => Err(SignatureFault::TokenInvalid { token }),
                    Some(session) if now >= session.expires() => {
                        Err(SignatureFault::TokenExpired { token })
                    }
                    Some(_) => Ok(()),
                }
            }
            (false, Some(token)) => {
                let token = token.clone();
                Err(SignatureFault::TokenInvalid { token })
            }
            (true, None) => Err(unknown(id).fault),
        }
    }

    fn long_term(
        &self,
        id: AccessKeyId,
        signature: SignatureVersion<'_>,
    ) -> Result<AuthenticatedCaller, AuthFailure> {
        let unknown = || unknown(id.as_str());
        let cell = id
            .account()
            .and_then(|account| self.ledger.account(account));
        let account = cell.ok_or_else(unknown)?.snapshot().clone();
        let (owner, key) = account.key(id).ok_or_else(unknown)?;
        if self.ledger.is_closed(&account) {
            return Err(unknown());
        }
        let (verified, signing_key) = match signature {
            SignatureVersion::V4(signed) => {
                let derived = self.signing_key(key, signed.presented);
                let derived = derived.map_err(|_| unknown())?;
                let presented = signed.presented;
                let verified = presented.verify(signed.parts, &derived, signed.payload);
                (verified, Some(derived))
            }
            SignatureVersion::V2(presented, _) => {
                let secret = open_secret(&self.vault, key).map_err(|_| unknown())?;
                (presented.verify(&secret), None)
            }
        };
        if key.status == KeyStatus::Inactive {
            let inactive = verified.is_ok().then_some(id);
            return Err(AuthFailure {
                inactive,
                ..unknown()
            });
        }
        let proof = verified.map_err(SignatureFault::from)?;
        // Cached only now, so that a client that knows just the key ID cannot evict other entries.
        if let (SignatureVersion::V4(signed), Some(derived)) = (signature, &signing_key) {
            let scope = signed.presented.scope();
            if key.material.cached(scope).is_none() {
                key.material.remember(*scope, derived.clone());
            }
        }
        let principal = Principal::of_owner(&account, owner).ok_or_else(unknown)?;
        let caller = Caller::new(principal, id, None, proof);
        let keys = (signing_key, Some(Arc::clone(&key.material)));
        Ok(AuthenticatedCaller::new(caller, keys, signature))
    }

    /// Whether a caller that was verified when its request arrived would still be accepted. Called
    /// before a delayed request is committed or answered. Temporary credentials that have expired
    /// in the meantime are still accepted.
    ///
    /// # Errors
    /// [`AuthFailure`] if the key, user or console session has been deleted or deactivated.
    pub fn check_again(
        &self,
        account: &Account,
        caller: &Caller,
        came: Timestamp,
    ) -> Result<(), AuthFailure> {
        let id = caller.key();
        let gone = || unknown(id.as_str());
        if !caller.principal().exists_in(account) {
            return Err(gone());
        }
        if self.ledger.is_closed(account) {
            return Err(gone());
        }
        let Some(session) = caller.session() else {
            let (_, key) = account.key(id).ok_or_else(gone)?;
            if key.status == KeyStatus::Active {
                return Ok(());
            }
            let inactive = Some(id);
            return Err(AuthFailure { inactive, ..gone() });
        };
        match session.console {
            Some(console) => {
                let signed_in = self.sessions.find(console, account, came);
                signed_in.map(drop).ok_or_else(gone)
            }
            None if self.is_ended(caller.principal(), session, account) => Err(gone()),
            None => Ok(()),
        }
    }

    /// Whether the sessions of a session's source key have been ended. The source key of a role's
    /// session may belong to another account.
    fn is_ended(&self, principal: &Principal, facts: &SessionFacts, account: &Account) -> bool {
        let Some(source) = facts.source else {
            // Only sessions of users and root may lack their source key.
            let named = principal.credential_owner().is_none();
            return !named && facts.are_ended(account);
        };
        match source.account() {
            Some(other) if other != account.id() => {
                let cell = self.ledger.account(other);
                cell.is_none_or(|cell| facts.are_ended(&cell.snapshot()))
            }
            _ => facts.are_ended(account),
        }
    }

    fn signing_key(
        &self,
        key: &AccessKey,
        presented: &PresentedSignature,
    ) -> Result<SigningKey, OpenError> {
        let scope = presented.scope();
        if let Some(cached) = key.material.cached(scope) {
            return Ok(cached);
        }
        let secret = open_secret(&self.vault, key)?;
        Ok(SigningKey::for_scope(&secret, scope))
    }

    fn temporary(
        &self,
        id: AccessKeyId,
        token: &Secret<String>,
        signature: SignatureVersion<'_>,
    ) -> Result<AuthenticatedCaller, AuthFailure> {
        let now = signature.now();
        let invalid = || {
            AuthFailure::from(SignatureFault::TokenInvalid {
                token: token.clone(),
            })
        };
        let session = SessionToken::open(&self.vault, id, token).ok_or_else(invalid)?;
        if now >= session.expires() {
            return Err(SignatureFault::TokenExpired {
                token: token.clone(),
            }
            .into());
        }
        let account = id
            .account()
            .and_then(|account| self.ledger.account(account));
        let account = account.ok_or_else(invalid)?.snapshot().clone();
        let principal = session.principal(&account).ok_or_else(invalid)?;
        let facts = session.facts().ok_or_else(invalid)?;
        if self.ledger.is_closed(&account) {
            return Err(invalid());
        }
        if let Some(id) = facts.console {
            let signed_in = self.sessions.find(id, &account, now);
            signed_in.ok_or_else(invalid)?;
        }
        if self.is_ended(&principal, &facts, &account) {
            return Err(invalid());
        }
        let secret = session.secret();
        let (verified, signing_key) = match signature {
            SignatureVersion::V4(signed) => {
                let presented = signed.presented;
                let derived = SigningKey::for_scope(&secret, presented.scope());
                let verified = presented.verify(signed.parts, &derived, signed.payload);
                (verified, Some(derived))
            }
            SignatureVersion::V2(presented, _) => (presented.verify(&secret), None),
        };
        let proof = verified.map_err(SignatureFault::from)?;
        if let Some(id) = facts.console {
            self.sessions.touch(id, now);
        }
        let caller = Caller::new(principal, id, Some(facts), proof);
        Ok(AuthenticatedCaller::new(
            caller,
            (signing_key, None),
            signature,
        ))
    }
}

fn unknown(access_key_id: &str) -> AuthFailure {
    SignatureFault::UnknownKey {
        access_key_id: access_key_id.to_owned(),
    }
    .into()
}

/// Opens the secret of a long-term key.
///
/// # Errors
/// [`OpenError`] if the data key is not the one it was sealed with.
pub(crate) fn open_secret(vault: &DataVault, key: &AccessKey) -> Result<Secret<String>, OpenError> {
    let place = (SealPurpose::AccessKey, key.id.as_str());
    let bytes = vault.open(place, key.material.sealed().as_bytes())?;
    let text = String::from_utf8(bytes.expose().clone()).map_err(|_| OpenError)?;
    Ok(Secret::new(text))
}
