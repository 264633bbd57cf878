//! From the text of a response to its verified assertion.

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::{Timestamp, limits};

use super::{
    document::{XML, XmlElement},
    rejection::AssertionRejection,
    signature::{DSIG, is_signed},
};
use crate::{saml_metadata::IdentityProviderMetadata, xml_characters::trim_xml};

pub(super) const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
/// AWS's name as an audience.
const AUDIENCE: &str = "urn:amazon:webservices";

/// A response whose signature was not verified.
#[derive(Debug)]
pub(crate) struct ParsedResponse(XmlElement);

/// An assertion that a key of its provider signed.
#[derive(Debug)]
pub(crate) struct VerifiedAssertion {
    pub(super) id: String,
    /// Its issuer, which is the provider's `entityID`.
    pub(crate) issuer: String,
    pub(super) issued: Timestamp,
    /// Whom it is about.
    pub(crate) subject: String,
    /// `persistent`, `transient`, or the whole name of another format.
    pub(crate) subject_type: String,
    /// Where it was to be presented.
    pub(crate) recipient: String,
    /// When the session at the provider ends.
    pub(crate) session_ends: Option<Timestamp>,
    /// The values of its attributes.
    pub(super) attributes: Vec<AssertedAttribute>,
}

/// An attribute that an assertion states.
#[derive(Debug)]
pub(super) struct AssertedAttribute {
    pub(super) name: String,
    /// `None` if one of them is not a text.
    pub(super) values: Option<Vec<String>>,
}

type Outcome<T> = Result<T, AssertionRejection>;

impl ParsedResponse {
    /// Reads a response. Nothing in it can be trusted yet.
    ///
    /// # Errors
    /// [`AssertionRejection::Encoding`], [`AssertionRejection::Malformed`].
    pub(crate) fn parse(encoded: &str) -> Outcome<Self> {
        let encoded: String = encoded.split_ascii_whitespace().collect();
        let bytes = BASE64_STANDARD.decode(encoded);
        let bytes = bytes.map_err(|_| AssertionRejection::Encoding)?;
        let text = String::from_utf8(bytes).map_err(|_| AssertionRejection::Malformed)?;
        Self::of_text(&text).ok_or(AssertionRejection::Malformed)
    }

    /// Reads the XML of a response.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        XmlElement::parse(text).map(Self)
    }

    /// Verifies its signatures, and everything that does not depend on the role.
    ///
    /// # Errors
    /// [`AssertionRejection`].
    pub(crate) fn verify(
        &self,
        provider: &IdentityProviderMetadata,
        now: Timestamp,
    ) -> Outcome<VerifiedAssertion> {
        let response = &self.0;
        let assertion = only_assertion(response)?;
        let has_signature = |it: &XmlElement| it.named(DSIG, "Signature").next().is_some();
        let (signed_whole, signed_part) = (has_signature(response), has_signature(assertion));
        let by = &provider.certificates;
        // Every signature must be right, and an element has one at most.
        let verified = (signed_whole || signed_part)
            && (!signed_whole || is_signed(response, by))
            && (!signed_part || is_signed(assertion, by));
        if !verified {
            return Err(AssertionRejection::Signature);
        }
        check_response(response, provider)?;
        read(assertion, provider, now)
    }
}

/// The assertion of a response in which nothing else could be taken for one.
fn only_assertion(response: &XmlElement) -> Outcome<&XmlElement> {
    let malformed = AssertionRejection::Malformed;
    if !response.is(PROTOCOL, "Response") {
        return Err(malformed);
    }
    let (mut assertions, mut encrypted, mut signatures) = (0, 0, 0);
    let mut ids = Vec::new();
    response.visit(&mut |element| {
        match element.local.as_str() {
            "Assertion" => assertions += 1,
            "EncryptedAssertion" => encrypted += 1,
            "Signature" => signatures += 1,
            _ => {}
        }
        let own = element.attributes.iter().filter(|attribute| {
            let is_plain = attribute.namespace.is_empty() || &*attribute.namespace == XML;
            is_plain && attribute.local.eq_ignore_ascii_case("id")
        });
        ids.extend(own.map(|attribute| attribute.value.as_str()));
    });
    if encrypted > 0 {
        return Err(AssertionRejection::Encrypted);
    }
    let assertion = response.only(ASSERTION, "Assertion").ok_or(malformed)?;
    let placed = [response, assertion].map(|it| it.named(DSIG, "Signature").count());
    let placed: usize = placed.iter().sum();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    let unambiguous = assertions == 1 && signatures == placed && ids.len() == count;
    unambiguous.then_some(assertion).ok_or(malformed)
}

fn check_response(response: &XmlElement, provider: &IdentityProviderMetadata) -> Outcome<()> {
    if response.attribute("Version") != Some("2.0") {
        return Err(AssertionRejection::Malformed);
    }
    if response.named(ASSERTION, "Issuer").next().is_some() {
        check_issuer(response, provider)?;
    }
    let status = response.only(PROTOCOL, "Status");
    let code = status.and_then(|status| status.only(PROTOCOL, "StatusCode"));
    if code.and_then(|code| code.attribute("Value")) != Some(SUCCESS) {
        return Err(AssertionRejection::NotSuccessful);
    }
    let destination = response.attribute("Destination");
    if destination.is_some_and(|url| !url.is_empty() && !is_endpoint(url)) {
        return Err(AssertionRejection::Audience);
    }
    Ok(())
}

fn check_issuer(element: &XmlElement, provider: &IdentityProviderMetadata) -> Outcome<()> {
    let issuer = element.only(ASSERTION, "Issuer").and_then(XmlElement::text);
    let issuer = issuer.as_deref().map(trim_xml);
    let is_own = issuer == Some(provider.entity_id.as_str());
    is_own.then_some(()).ok_or(AssertionRejection::Issuer)
}

/// Whether a URL is where AWS receives assertions: `https://[REGION.]signin.aws.amazon.com/saml`,
/// with or without an endpoint's name at the end. Providers are set up for it.
fn is_endpoint(url: &str) -> bool {
    let short = Some(url).filter(|url| url.len() <= limits::SAML_URI_BYTES);
    let Some(host) = short.and_then(|url| url.strip_prefix("https://")) else {
        return false;
    };
    let Some((host, path)) = host.split_once('/') else {
        return false;
    };
    let region = host.strip_suffix("signin.aws.amazon.com");
    let in_region = |region: &str| {
        let name = region.strip_suffix('.');
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        region.is_empty() || name.is_some_and(|it| !it.is_empty() && it.chars().all(is_name))
    };
    let name = path.strip_prefix("saml");
    let is_path = |rest: &str| {
        let name = rest.strip_prefix("/acs/");
        rest.is_empty()
            || name.is_some_and(|it| {
                !it.is_empty() && it.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            })
    };
    region.is_some_and(in_region) && name.is_some_and(is_path)
}

/// Reads a verified assertion.
fn read(
    assertion: &XmlElement,
    provider: &IdentityProviderMetadata,
    now: Timestamp,
) -> Outcome<VerifiedAssertion> {
    let malformed = AssertionRejection::Malformed;
    if assertion.attribute("Version") != Some("2.0") {
        return Err(malformed);
    }
    check_issuer(assertion, provider)?;
    let id = assertion.attribute("ID").filter(|id| !id.is_empty());
    let issued = time(assertion, "IssueInstant")?.ok_or(malformed)?;
    if issued > now.plus_secs(limits::ASSERTION_LEEWAY_SECS) {
        return Err(AssertionRejection::NotYetValid);
    }
    if now > last_use(issued) {
        return Err(AssertionRejection::Expired);
    }
    check_conditions(assertion, now)?;
    let subject = assertion.only(ASSERTION, "Subject");
    let subject = subject.ok_or(AssertionRejection::Subject)?;
    let (name, format) = name_of(subject)?;
    Ok(VerifiedAssertion {
        id: id.ok_or(malformed)?.to_owned(),
        issuer: provider.entity_id.clone(),
        issued,
        subject: name,
        subject_type: format,
        recipient: recipient(subject, now)?,
        session_ends: session_end(assertion, now)?,
        attributes: attributes(assertion)?,
    })
}

/// The last instant at which an assertion that was issued then can be used.
pub(super) const fn last_use(issued: Timestamp) -> Timestamp {
    issued.plus_secs(limits::ASSERTION_SECS)
}

fn time(element: &XmlElement, name: &str) -> Outcome<Option<Timestamp>> {
    let text = element.attribute(name);
    let time = text.map(Timestamp::parse_iso8601).transpose();
    time.map_err(|_| AssertionRejection::Malformed)
}

/// When something begins and ends.
fn check_period(element: &XmlElement, now: Timestamp) -> Outcome<()> {
    let begins = time(element, "NotBefore")?;
    if begins.is_some_and(|begins| begins > now.plus_secs(limits::ASSERTION_LEEWAY_SECS)) {
        return Err(AssertionRejection::NotYetValid);
    }
    let ends = time(element, "NotOnOrAfter")?;
    if ends.is_some_and(|ends| ends <= now) {
        return Err(AssertionRejection::Expired);
    }
    Ok(())
}

fn check_conditions(assertion: &XmlElement, now: Timestamp) -> Outcome<()> {
    let conditions = assertion.only(ASSERTION, "Conditions");
    let conditions = conditions.ok_or(AssertionRejection::Audience)?;
    check_period(conditions, now)?;
    let mut restrictions = 0;
    for condition in conditions.elements() {
        match condition.local.as_str() {
            "AudienceRestriction" if &*condition.namespace == ASSERTION => {
                restrictions += 1;
                let mut audiences = condition.named(ASSERTION, "Audience");
                let is_ours = |audience: &XmlElement| {
                    let text = audience.text().unwrap_or_default();
                    let text = trim_xml(&text);
                    text == AUDIENCE || is_endpoint(text)
                };
                if !audiences.any(is_ours) {
                    return Err(AssertionRejection::Audience);
                }
            }
            // Each assertion is used once anyway, and nothing is issued for others.
            "OneTimeUse" | "ProxyRestriction" if &*condition.namespace == ASSERTION => {}
            _ => return Err(AssertionRejection::Malformed),
        }
    }
    let restricted = restrictions > 0;
    restricted.then_some(()).ok_or(AssertionRejection::Audience)
}

/// The name of the subject, and the format of the name.
fn name_of(subject: &XmlElement) -> Outcome<(String, String)> {
    let rejected = AssertionRejection::Subject;
    let name = subject.only(ASSERTION, "NameID").ok_or(rejected)?;
    // White space around it is not part of anyone's name, but without it it is another text.
    let text = name.text().unwrap_or_default();
    let is_exact = !text.is_empty() && text.trim() == text;
    let format = name.attribute("Format").unwrap_or_default();
    let fits = text.chars().count() <= limits::TOKEN_SUBJECT_CHARS
        && format.len() <= limits::SAML_URI_BYTES;
    if !(is_exact && fits) {
        return Err(rejected);
    }
    let known = format.strip_prefix("urn:oasis:names:tc:SAML:2.0:nameid-format:");
    let short = known.filter(|it| matches!(*it, "persistent" | "transient"));
    Ok((text, short.unwrap_or(format).to_owned()))
}

/// Where the assertion was to be presented, by whoever has it.
fn recipient(subject: &XmlElement, now: Timestamp) -> Outcome<String> {
    // AWS demands exactly one.
    let confirmation = subject.only(ASSERTION, "SubjectConfirmation");
    let confirmation = confirmation.ok_or(AssertionRejection::Subject)?;
    let is_bearer = confirmation.attribute("Method") == Some(BEARER);
    let data = confirmation.only(ASSERTION, "SubjectConfirmationData");
    let data = data.filter(|it| is_bearer && it.attribute("NotOnOrAfter").is_some());
    let data = data.ok_or(AssertionRejection::Audience)?;
    let recipient = data.attribute("Recipient").filter(|url| is_endpoint(url));
    let recipient = recipient.ok_or(AssertionRejection::Audience)?;
    check_period(data, now)?;
    Ok(recipient.to_owned())
}

fn session_end(assertion: &XmlElement, now: Timestamp) -> Outcome<Option<Timestamp>> {
    let mut earliest = None;
    for statement in assertion.named(ASSERTION, "AuthnStatement") {
        let end = time(statement, "SessionNotOnOrAfter")?;
        earliest = [earliest, end].into_iter().flatten().min();
    }
    // A session lasts a second at least.
    if earliest.is_some_and(|end| end.secs() <= now.secs()) {
        return Err(AssertionRejection::Expired);
    }
    Ok(earliest)
}

/// The attributes, each with all its values.
fn attributes(assertion: &XmlElement) -> Outcome<Vec<AssertedAttribute>> {
    let mut found = Vec::<AssertedAttribute>::new();
    for statement in assertion.named(ASSERTION, "AttributeStatement") {
        for attribute in statement.elements() {
            if !attribute.is(ASSERTION, "Attribute") {
                // Above all an encrypted one, which could be a tag.
                return Err(AssertionRejection::Attribute);
            }
            let name = attribute
                .attribute("Name")
                .ok_or(AssertionRejection::Malformed)?;
            let values = attribute.named(ASSERTION, "AttributeValue");
            let values: Option<Vec<_>> = values.map(XmlElement::text).collect();
            match found.iter_mut().find(|known| known.name == name) {
                Some(known) => {
                    let both = known.values.take().zip(values);
                    known.values = both.map(|(before, more)| [before, more].concat());
                }
                None => found.push(AssertedAttribute {
                    name: name.to_owned(),
                    values,
                }),
            }
        }
    }
    Ok(found)
}
