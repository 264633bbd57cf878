//! What an assertion's attributes ask for: roles, the session's name, duration, tags and source
//! identity; and the condition keys of the assertion.
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
    attribute_keys::{is_list, keys_of},
    rejection::AssertionRejection,
};
use crate::{
    authorize::FederatedIdentity,
    caller::{SamlSubject, SessionProvider},
    state::Tag,
    web_identity::{RequestedSession, is_session_tag, is_source_identity},
    xml_characters::trim_xml,
};

const AWS: &str = "https://aws.amazon.com/SAML/Attributes/";

/// A session that an assertion asks for.
#[derive(Debug)]
pub(crate) struct AssertedSession {
    /// Pairs of a role and a provider, in either order.
    roles: Vec<String>,
    pub(crate) name: String,
    pub(crate) session: RequestedSession,
    /// Seconds that the session lasts at most.
    pub(crate) secs_max: Option<i32>,
    provider: SessionProvider,
    /// The condition keys of attributes, without `saml:`.
    keys: Vec<AttributeKey>,
}

/// A condition key of attributes.
#[derive(Debug)]
struct AttributeKey {
    /// In lower case and without `saml:`.
    name: &'static str,
    /// The values of all its attributes. `None` if one of them is not a text.
    texts: Option<Vec<String>>,
}

impl AttributeKey {
    fn values(&self) -> ContextValues<'_> {
        // What nobody can read allows nothing and denies.
        let Some(texts) = &self.texts else {
            return ContextValues::Ambiguous(Vec::new());
        };
        let mut texts: Vec<_> = texts.iter().map(|it| Cow::Borrowed(it.as_str())).collect();
        match texts.len() {
            _ if is_list(self.name) => ContextValues::Claims(texts),
            0 | 1 => texts
                .pop()
                .map_or(ContextValues::Absent, ContextValues::One),
            _ => ContextValues::Ambiguous(texts),
        }
    }
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
            secs_max: None,
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
                None => this.add_keys(attribute),
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
            "SessionDuration" => self.secs_max = Some(session_secs(only()?).ok_or(malformed)?),
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

    /// Several attributes may have the same key: then it has the values of all, so that no other
    /// attribute hides the one that a policy is about.
    fn add_keys(&mut self, attribute: &AssertedAttribute) {
        for name in keys_of(&attribute.name) {
            let texts = attribute.values.clone();
            match self.keys.iter_mut().find(|key| key.name == *name) {
                Some(key) => {
                    let both = key.texts.take().zip(texts);
                    key.texts = both.map(|(before, more)| [before, more].concat());
                }
                None => self.keys.push(AttributeKey { name, texts }),
            }
        }
    }

    /// Whether the assertion names this role together with this provider.
    pub(crate) fn names(&self, role: &str, provider: &str) -> bool {
        let pairs = self.roles.iter().filter_map(|pair| pair.split_once(','));
        let mut pairs = pairs.map(|(one, other)| (trim_xml(one), trim_xml(other)));
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
        let found = self.keys.iter().find(|key| Some(key.name) == attribute);
        found.map_or(ContextValues::Absent, AttributeKey::values)
    }
}

/// The value of the attribute for the session's duration, in seconds.
fn session_secs(text: &str) -> Option<i32> {
    let is_number = text.chars().all(|character| character.is_ascii_digit());
    let secs = is_number.then(|| text.parse().ok()).flatten();
    secs.filter(|secs| limits::ASSERTED_SESSION_SECS.contains(secs))
}

/// AWS's name of a provider of an account for its users: a hash of issuer, account and provider.
pub(crate) fn name_qualifier(issuer: &str, account_and_provider: &str) -> String {
    let text = format!("{issuer}{account_and_provider}");
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    BASE64_STANDARD.encode(hash.as_ref())
}
