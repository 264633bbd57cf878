//! What an assertion's attributes ask for: roles, the session's name, tags and source identity; and
//! the condition keys of the assertion.
//!
//! An attribute for AWS that is not understood rejects the assertion, as such a claim of a token
//! does.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::limits;
use keywright_policy::ContextValues;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::{
    assertion::{AssertedAttribute, VerifiedAssertion},
    rejection::AssertionRejection,
};
use crate::{
    authorize::FederatedIdentity,
    caller::{SamlSubject, SessionProvider},
    state::Tag,
    web_identity::{RequestedSession, is_session_tag, is_source_identity},
};

const AWS: &str = "https://aws.amazon.com/SAML/Attributes/";

/// The condition keys of attributes: the attribute's name, the key in lower case, and whether AWS
/// publishes it with several values.
const ATTRIBUTE_KEYS: &[(&str, &str, bool)] = &[
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.1",
        "edupersonaffiliation",
        true,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.2",
        "edupersonnickname",
        true,
    ),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.3", "edupersonorgdn", false),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.4",
        "edupersonorgunitdn",
        true,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.5",
        "edupersonprimaryaffiliation",
        false,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.6",
        "edupersonprincipalname",
        false,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.7",
        "edupersonentitlement",
        true,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.8",
        "edupersonprimaryorgunitdn",
        false,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.9",
        "edupersonscopedaffiliation",
        true,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.10",
        "edupersontargetedid",
        true,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.11",
        "edupersonassurance",
        true,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.2.1.2",
        "eduorghomepageuri",
        true,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.2.1.3",
        "eduorgidentityauthnpolicyuri",
        true,
    ),
    ("urn:oid:1.3.6.1.4.1.5923.1.2.1.4", "eduorglegalname", true),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.2.1.5",
        "eduorgsuperioruri",
        true,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.2.1.6",
        "eduorgwhitepagesuri",
        true,
    ),
    ("urn:oid:2.5.4.3", "cn", true),
    ("urn:oid:0.9.2342.19200300.100.1.1", "uid", false),
    (
        "urn:oid:0.9.2342.19200300.100.1.45",
        "organizationstatus",
        false,
    ),
    ("urn:oid:2.5.4.45", "x500uniqueidentifier", false),
    (
        "http://schemas.xmlsoap.org/claims/CommonName",
        "commonname",
        false,
    ),
    (
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
        "name",
        false,
    ),
    (
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
        "givenname",
        false,
    ),
    (
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
        "surname",
        false,
    ),
    (
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        "mail",
        false,
    ),
    (
        "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid",
        "primarygroupsid",
        false,
    ),
];

/// A session that an assertion asks for.
#[derive(Debug)]
pub(crate) struct AssertedSession {
    /// Pairs of a role and a provider, in either order.
    roles: Vec<String>,
    pub(crate) name: String,
    pub(crate) session: RequestedSession,
    provider: SessionProvider,
    /// The condition keys of attributes, without `saml:`.
    keys: Vec<(&'static str, ContextValues<'static>)>,
}

impl AssertedSession {
    /// Reads the attributes of an assertion of a provider with this ARN.
    ///
    /// # Errors
    /// [`AssertionRejection`].
    pub(crate) fn of(
        assertion: &VerifiedAssertion,
        provider_arn: &str,
    ) -> Result<Self, AssertionRejection> {
        let mut this = Self {
            roles: Vec::new(),
            name: String::new(),
            session: RequestedSession::default(),
            provider: SessionProvider {
                arn: provider_arn.to_owned(),
                audience: assertion.recipient.clone(),
                subject: assertion.subject.clone(),
                methods: Vec::new(),
                saml: Some(SamlSubject {
                    issuer: assertion.issuer.clone(),
                    subject_type: assertion.subject_type.clone(),
                }),
            },
            keys: Vec::new(),
        };
        for attribute in &assertion.attributes {
            match attribute.name.strip_prefix(AWS) {
                Some(name) => this.add(name, attribute)?,
                None => this.add_key(attribute),
            }
        }
        if this.name.is_empty() {
            return Err(AssertionRejection::NoSessionName);
        }
        let session = &this.session;
        let count = session.tags.len().max(session.transitive_keys.len());
        if count > limits::TAGS_PER_ENTITY || !session.tags.iter().all(is_session_tag) {
            return Err(AssertionRejection::Attribute);
        }
        Ok(this)
    }

    fn add(&mut self, name: &str, attribute: &AssertedAttribute) -> Result<(), AssertionRejection> {
        let malformed = AssertionRejection::Attribute;
        let values = attribute.values.as_deref().ok_or(malformed)?;
        let only = || match values {
            [only] => Ok(only.as_str()),
            _ => Err(malformed),
        };
        match name {
            "Role" => self.roles.extend(values.iter().cloned()),
            "RoleSessionName" => {
                let name = only()?;
                if !is_source_identity(name) {
                    return Err(AssertionRejection::SessionName);
                }
                name.clone_into(&mut self.name);
            }
            "SourceIdentity" => {
                let name = only()?;
                let reserved = name
                    .get(..4)
                    .is_some_and(|it| it.eq_ignore_ascii_case("aws:"));
                if reserved || !is_source_identity(name) {
                    return Err(AssertionRejection::SourceIdentity);
                }
                self.session.source_identity = Some(name.to_owned());
            }
            "TransitiveTagKeys" => self.session.transitive_keys.extend(values.iter().cloned()),
            // How long a session of the console lasts; here, the request says it.
            "SessionDuration" => {}
            _ => {
                let key = name.strip_prefix("PrincipalTag:").ok_or(malformed)?;
                self.session.tags.push(Tag {
                    key: key.to_owned(),
                    value: only()?.to_owned(),
                });
            }
        }
        Ok(())
    }

    fn add_key(&mut self, attribute: &AssertedAttribute) {
        let mut rows = ATTRIBUTE_KEYS.iter();
        let Some((_, key, listed)) = rows.find(|(name, ..)| *name == attribute.name) else {
            return;
        };
        let texts = attribute.values.iter().flatten();
        let mut texts: Vec<Cow<'static, str>> = texts.cloned().map(Cow::Owned).collect();
        let values = match (&attribute.values, texts.len()) {
            // What nobody can read allows nothing and denies.
            (None, _) => ContextValues::Ambiguous(Vec::new()),
            (Some(_), _) if *listed => ContextValues::Claims(texts),
            (Some(_), 0 | 1) => texts
                .pop()
                .map_or(ContextValues::Absent, ContextValues::One),
            (Some(_), _) => ContextValues::Ambiguous(texts),
        };
        self.keys.push((key, values));
    }

    /// Whether the assertion names this role together with this provider.
    pub(crate) fn names(&self, role: &str, provider: &str) -> bool {
        let pairs = self.roles.iter().filter_map(|pair| pair.split_once(','));
        let mut pairs = pairs.map(|(one, other)| (one.trim(), other.trim()));
        pairs.any(|pair| pair == (role, provider) || pair == (provider, role))
    }
}

impl FederatedIdentity for AssertedSession {
    fn provider(&self) -> &SessionProvider {
        &self.provider
    }

    fn action(&self) -> &'static str {
        "sts:AssumeRoleWithSAML"
    }

    fn key(&self, key: &str) -> ContextValues<'_> {
        let own = self.provider.keys().into_iter();
        let mut own = own.filter(|(name, _)| name.eq_ignore_ascii_case(key));
        if let Some((_, values)) = own.next() {
            return values;
        }
        let attribute = key.strip_prefix("saml:");
        let found = self.keys.iter().find(|(name, _)| Some(*name) == attribute);
        found.map_or(ContextValues::Absent, |(_, values)| values.clone())
    }
}

/// AWS's name of a provider of an account for its users: a hash of issuer, account and provider.
pub(crate) fn name_qualifier(issuer: &str, account_and_provider: &str) -> String {
    let text = format!("{issuer}{account_and_provider}");
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    BASE64_STANDARD.encode(hash.as_ref())
}
