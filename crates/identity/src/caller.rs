//! The verified identity behind a request.

use std::borrow::Cow;

use keywright_base::{AccessKeyId, AccountId, Arn, Timestamp};
use keywright_policy::ContextValues;
use keywright_sigv4::Verified;

use crate::{
    console::SessionId,
    principal::Principal,
    saml::name_qualifier,
    state::{Account, CredentialOwner, SessionPolicy, Tag},
};

/// The facts that temporary credentials carry besides the principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// When they were issued.
    pub issued: Timestamp,
    /// When an MFA code was given, if one was.
    pub mfa: Option<Timestamp>,
    /// The console session that they end with, for someone who signed in with a password.
    pub(crate) console: Option<SessionId>,
    /// The long-term key they come from, directly or through other sessions. Absent in tokens of
    /// earlier versions.
    pub(crate) source: Option<AccessKeyId>,
    /// The owner of that key. Absent in tokens of earlier versions.
    pub(crate) source_owner: Option<CredentialOwner>,
    /// The service that uses them on behalf of the principal, unless the principal does so itself.
    pub service: Option<&'static str>,
    /// The attributes of a role's or federated user's session.
    pub attributes: Option<Box<SessionAttributes>>,
}

/// The attributes that the session of a role or federated user was created with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionAttributes {
    /// The inline session policy.
    pub policy: Option<SessionPolicy>,
    /// The managed session policies, by ARN.
    pub policy_arns: Vec<String>,
    /// Session tags, including those inherited from the previous session.
    pub tags: Vec<Tag>,
    /// The keys of those tags that sessions created with this one inherit.
    pub transitive_keys: Vec<String>,
    /// The source identity, which persists through role chaining.
    pub source_identity: Option<String>,
    /// The identity provider whose token the session was created with.
    pub provider: Option<SessionProvider>,
}

/// What the session of a web identity has from its token, or that of a SAML identity from its
/// assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionProvider {
    /// The provider's ARN.
    pub arn: String,
    /// The client ID that the token was for; the recipient of the assertion.
    pub audience: String,
    /// Whom the provider authenticated.
    pub subject: String,
    /// How (`amr`).
    pub methods: Vec<String>,
    /// For an assertion.
    pub saml: Option<SamlSubject>,
}

/// What an assertion says of its subject besides the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlSubject {
    /// The issuer of the assertion.
    pub issuer: String,
    /// The kind of the name: `persistent`, `transient`, or a format.
    pub subject_type: String,
}

impl SessionProvider {
    /// The condition keys of the session's requests: for a token they begin with the provider's
    /// URL, for an assertion with `saml`.
    pub(crate) fn keys(&self) -> Vec<(String, ContextValues<'_>)> {
        match &self.saml {
            None => self.keys_of_token().into(),
            Some(subject) => self.keys_of_assertion(subject).into(),
        }
    }

    fn keys_of_assertion<'a>(
        &'a self,
        subject: &'a SamlSubject,
    ) -> [(String, ContextValues<'a>); 6] {
        // `arn:aws:iam::ACCOUNT:saml-provider/NAME`
        let mut parts = self.arn.splitn(6, ':').skip(4);
        let account = parts.next().unwrap_or_default();
        let (_, name) = parts
            .next()
            .unwrap_or_default()
            .split_once('/')
            .unwrap_or_default();
        let document = format!("{account}/{name}");
        let qualifier = name_qualifier(&subject.issuer, &document);
        let one =
            |key: &str, value: Cow<'a, str>| (format!("saml:{key}"), ContextValues::One(value));
        [
            one("aud", self.audience.as_str().into()),
            one("sub", self.subject.as_str().into()),
            one("sub_type", subject.subject_type.as_str().into()),
            one("iss", subject.issuer.as_str().into()),
            one("namequalifier", qualifier.into()),
            one("doc", document.into()),
        ]
    }

    fn keys_of_token(&self) -> [(String, ContextValues<'_>); 3] {
        let (_, name) = self.arn.split_once('/').unwrap_or_default();
        let key = |claim: &str| format!("{name}:{claim}");
        let methods = self.methods.iter().map(|it| Cow::Borrowed(it.as_str()));
        [
            (key("aud"), ContextValues::one(self.audience.as_str())),
            (key("sub"), ContextValues::one(self.subject.as_str())),
            (key("amr"), ContextValues::Claims(methods.collect())),
        ]
    }
}

impl SessionAttributes {
    /// Whether session policies limit the session.
    pub fn has_policies(&self) -> bool {
        self.policy.is_some() || !self.policy_arns.is_empty()
    }
}

impl SessionFacts {
    /// Whether the sessions of their source key have been ended. Credentials of console sessions,
    /// services and web identities have no source key. `account` is the source key's.
    pub(crate) fn are_ended(&self, account: &Account) -> bool {
        let provider = self.attributes.as_ref().and_then(|it| it.provider.as_ref());
        self.console.is_none()
            && self.service.is_none()
            && provider.is_none()
            && account.settings().ended_sessions.has_ended(
                self.source,
                self.source_owner,
                self.issued,
            )
    }
}

/// A verified caller. Only [`crate::authenticate`] creates one, from a [`Verified`] signature.
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

    /// The principal.
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

    /// Whether the caller may call IAM at all. On AWS, credentials of GetSessionToken may do so
    /// only with MFA, and those of GetFederationToken never.
    pub const fn may_call_iam(&self) -> bool {
        match (&self.principal, &self.session) {
            (Principal::FederatedUser(_), _) => false,
            (Principal::RoleSession(_), _) | (_, None) => true,
            (Principal::Root { .. } | Principal::User { .. }, Some(session)) => {
                session.mfa.is_some() || session.console.is_some() || session.service.is_some()
            }
        }
    }

    /// The attributes of its session, if it is one of a role or a federated user.
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
