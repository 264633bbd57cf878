//! Session tokens: temporary credentials that are sealed and stored only by the client.
//!
//! Invariant: a token that this version does not fully understand is invalid. Whatever restricts a
//! session is therefore encoded in its principal: an earlier version that does not know the
//! restriction does not recognize the principal either.

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::{AccessKeyId, AccountId, Entropy, Secret, Timestamp, UniqueId};
use serde::{Deserialize, Serialize};

use crate::{
    caller::{SamlSubject, SessionAttributes, SessionFacts, SessionProvider},
    console::SessionId,
    on_behalf::ROTATION_SERVICE,
    principal::Principal,
    secrets,
    state::{Account, CredentialOwner, SessionPolicy, Tag},
    vault::{DataVault, SealPurpose},
};

/// The content of a session token.
#[derive(Serialize, Deserialize)]
pub(crate) struct SessionToken {
    secret: String,
    /// The principal. Absent for root; a user's unique ID; `ROLE/SESSION` for a role's session; and
    /// `federated/ISSUER/NAME`, with an empty issuer for root.
    #[serde(rename = "user")]
    principal: Option<String>,
    issued: i64,
    expires: i64,
    /// When the caller authenticated with MFA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mfa_at: Option<i64>,
    /// The console session with which it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    console: Option<String>,
    /// The long-term key that issued it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// The owner of that key: a user's unique ID, or empty for root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_owner: Option<String>,
    /// The service that uses it on behalf of the principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes: Option<Box<StoredAttributes>>,
}

/// The attributes that a role's or federated user's session was created with.
#[derive(Serialize, Deserialize, Default)]
struct StoredAttributes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    policy_arns: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    transitive: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_identity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<StoredProvider>,
}

/// The identity provider of a web or SAML identity's session.
#[derive(Serialize, Deserialize)]
struct StoredProvider {
    arn: String,
    audience: String,
    subject: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    methods: Vec<String>,
    /// The issuer and the kind of the subject, for an assertion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    saml: Option<(String, String)>,
}

impl From<&SessionProvider> for StoredProvider {
    fn from(provider: &SessionProvider) -> Self {
        Self {
            arn: provider.arn.clone(),
            audience: provider.audience.clone(),
            subject: provider.subject.clone(),
            methods: provider.methods.clone(),
            saml: provider
                .saml
                .as_ref()
                .map(|it| (it.issuer.clone(), it.subject_type.clone())),
        }
    }
}

impl From<&StoredProvider> for SessionProvider {
    fn from(stored: &StoredProvider) -> Self {
        Self {
            arn: stored.arn.clone(),
            audience: stored.audience.clone(),
            subject: stored.subject.clone(),
            methods: stored.methods.clone(),
            saml: stored
                .saml
                .clone()
                .map(|(issuer, subject_type)| SamlSubject {
                    issuer,
                    subject_type,
                }),
        }
    }
}

impl From<&SessionAttributes> for StoredAttributes {
    fn from(attributes: &SessionAttributes) -> Self {
        let tags = attributes.tags.iter();
        Self {
            policy: attributes
                .policy
                .as_ref()
                .map(|policy| policy.text().to_owned()),
            policy_arns: attributes.policy_arns.clone(),
            tags: tags
                .map(|tag| (tag.key.clone(), tag.value.clone()))
                .collect(),
            transitive: attributes.transitive_keys.clone(),
            source_identity: attributes.source_identity.clone(),
            provider: attributes.provider.as_ref().map(StoredProvider::from),
        }
    }
}

impl From<&StoredAttributes> for SessionAttributes {
    fn from(stored: &StoredAttributes) -> Self {
        let tag = |(key, value): &(String, String)| Tag {
            key: key.clone(),
            value: value.clone(),
        };
        Self {
            policy: stored.policy.as_deref().map(SessionPolicy::new),
            policy_arns: stored.policy_arns.clone(),
            tags: stored.tags.iter().map(tag).collect(),
            transitive_keys: stored.transitive.clone(),
            source_identity: stored.source_identity.clone(),
            provider: stored.provider.as_ref().map(SessionProvider::from),
        }
    }
}

impl Drop for SessionToken {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.secret);
    }
}

/// Temporary credentials. The recipient has the only copy.
#[derive(Debug)]
pub struct TemporaryCredentials {
    /// `ASIA…`.
    pub key: AccessKeyId,
    /// The secret access key.
    pub secret: Secret<String>,
    /// The session token.
    pub token: Secret<String>,
    /// The expiry time.
    pub expires: Timestamp,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct ValidityPeriod {
    /// Start, inclusive.
    pub issued: Timestamp,
    /// End, exclusive.
    pub expires: Timestamp,
}

/// The long-term key that a session comes from, directly or through other sessions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionSource {
    /// The key.
    pub key: AccessKeyId,
    /// Its owner, unless an intermediate session was issued by an earlier version.
    pub owner: Option<CredentialOwner>,
}

/// The first part of a federated user's stored principal.
const FEDERATED: &str = "federated";

impl SessionToken {
    /// Creates a token with a new secret.
    pub(crate) fn new(
        principal: &Principal,
        validity: ValidityPeriod,
        entropy: &dyn Entropy,
    ) -> Self {
        let principal = match principal {
            Principal::Root { .. } => None,
            Principal::User { id, .. } => Some(id.to_string()),
            Principal::RoleSession(session) => Some(format!("{}/{}", session.role, session.name)),
            Principal::FederatedUser(session) => {
                let issuer = session.issuer.to_stored().unwrap_or_default();
                Some(format!("{FEDERATED}/{issuer}/{}", session.name))
            }
        };
        Self {
            secret: secrets::new_secret(entropy).expose().clone(),
            principal,
            issued: validity.issued.millis(),
            expires: validity.expires.millis(),
            mfa_at: None,
            console: None,
            source: None,
            source_owner: None,
            service: None,
            attributes: None,
        }
    }

    /// Marks the token as used by the rotation service on behalf of the principal.
    pub(crate) fn of_service(mut self) -> Self {
        self.service = Some(ROTATION_SERVICE.to_owned());
        self
    }

    /// Marks the token as issued by a long-term key.
    pub(crate) fn minted_by(mut self, source: SessionSource) -> Self {
        self.source = Some(source.key.to_string());
        let owner = source.owner.map(CredentialOwner::to_stored);
        self.source_owner = owner.map(Option::unwrap_or_default);
        self
    }

    /// Binds the token to a console session.
    pub(crate) fn of_console(mut self, session: SessionId) -> Self {
        self.console = Some(session.to_text());
        self
    }

    /// Records when the caller authenticated with MFA, if it did.
    pub(crate) fn with_mfa(mut self, at: Option<Timestamp>) -> Self {
        self.mfa_at = at.map(Timestamp::millis);
        self
    }

    /// Adds policies, tags and the source identity of a session.
    pub(crate) fn with_attributes(mut self, attributes: &SessionAttributes) -> Self {
        self.attributes = Some(Box::new(attributes.into()));
        self
    }

    /// Issues credentials with a new ID that carry this token. `None` if sealing fails.
    pub(crate) fn issue(
        self,
        account: AccountId,
        vault: &DataVault,
        entropy: &dyn Entropy,
    ) -> Option<TemporaryCredentials> {
        let key = AccessKeyId::generate_temporary(account, entropy);
        let plain = Secret::new(serde_json::to_vec(&self).ok()?);
        let place = (SealPurpose::SessionToken, key.as_str());
        let sealed = vault.seal(place, plain.expose(), entropy).ok()?;
        Some(TemporaryCredentials {
            key,
            secret: Secret::new(self.secret.clone()),
            token: Secret::new(BASE64_STANDARD.encode(sealed.as_bytes())),
            expires: self.expires(),
        })
    }

    /// Opens a token. `None` if it is not one of the key's.
    pub(crate) fn open(
        vault: &DataVault,
        key: AccessKeyId,
        token: &Secret<String>,
    ) -> Option<Self> {
        let sealed = BASE64_STANDARD.decode(token.expose()).ok()?;
        let plain = vault
            .open((SealPurpose::SessionToken, key.as_str()), &sealed)
            .ok()?;
        serde_json::from_slice(plain.expose()).ok()
    }

    /// When it ends.
    pub(crate) const fn expires(&self) -> Timestamp {
        Timestamp::from_millis(self.expires)
    }

    pub(crate) fn secret(&self) -> Secret<String> {
        Secret::new(self.secret.clone())
    }

    /// The principal as it is now. `None` if its user or role was deleted.
    pub(crate) fn principal(&self, account: &Account) -> Option<Principal> {
        let Some(stored) = &self.principal else {
            return Some(Principal::root(account.id()));
        };
        let mut parts = stored.splitn(3, '/');
        match (parts.next()?, parts.next(), parts.next()) {
            (FEDERATED, Some(issuer), Some(name)) => {
                let issuer = Some(issuer).filter(|issuer| !issuer.is_empty());
                let issuer = CredentialOwner::from_stored(issuer)?;
                Principal::federated(account, issuer, name)
            }
            (role, Some(session), None) => {
                let role = account.role_by_id(role.parse::<UniqueId>().ok()?)?;
                Some(Principal::role_session(account.id(), role, session))
            }
            (user, None, None) => {
                let owner = CredentialOwner::User(user.parse().ok()?);
                Principal::of_owner(account, owner)
            }
            _ => None,
        }
    }

    /// The facts it carries besides the principal. `None` if a part is malformed or unknown.
    pub(crate) fn facts(&self) -> Option<SessionFacts> {
        let service = match self.service.as_deref() {
            None => None,
            Some(ROTATION_SERVICE) => Some(ROTATION_SERVICE),
            Some(_) => return None,
        };
        let console = match &self.console {
            None => None,
            Some(text) => Some(SessionId::from_text(text)?),
        };
        let source = match &self.source {
            None => None,
            Some(text) => Some(text.parse().ok()?),
        };
        let source_owner = match self.source_owner.as_deref() {
            None => None,
            Some("") => Some(CredentialOwner::Root),
            Some(user) => Some(CredentialOwner::User(user.parse().ok()?)),
        };
        Some(SessionFacts {
            source_owner,
            issued: Timestamp::from_millis(self.issued),
            mfa: self.mfa_at.map(Timestamp::from_millis),
            console,
            source,
            service,
            attributes: self
                .attributes
                .as_deref()
                .map(|stored| Box::new(SessionAttributes::from(stored))),
        })
    }
}
