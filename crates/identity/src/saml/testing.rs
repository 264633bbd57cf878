//! For tests: an identity provider that signs assertions.
//!
//! What it signs is written in canonical form to begin with, so that it shares no code with what
//! verifies it.

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::Timestamp;
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};

use crate::testing::{certificates::TestCertificate, saml::metadata_with};

/// The name of the provider.
pub(crate) const ENTITY: &str = "https://idp.example/saml";
/// AWS's endpoint.
pub(crate) const ENDPOINT: &str = "https://signin.aws.amazon.com/saml";
pub(crate) const AWS: &str = "https://aws.amazon.com/SAML/Attributes/";

/// Where the signature goes.
const PLACE: &str = "</saml:Issuer>";

/// A provider with its key.
pub(crate) struct TestSamlProvider {
    pub(crate) certificate: TestCertificate,
    key: EcdsaKeyPair,
}

/// What an assertion says.
#[derive(Clone)]
pub(crate) struct TestAssertion {
    pub(crate) id: String,
    pub(crate) now: Timestamp,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audience: String,
    pub(crate) recipient: String,
    /// Names and values.
    pub(crate) attributes: Vec<(String, Vec<String>)>,
    /// Attributes of the authentication statement.
    pub(crate) session: String,
}

impl TestAssertion {
    pub(crate) fn new(now: Timestamp, role: &str, provider: &str) -> Self {
        let attribute = |name: &str, value: &str| (format!("{AWS}{name}"), vec![value.to_owned()]);
        Self {
            id: "_a1".to_owned(),
            now,
            issuer: ENTITY.to_owned(),
            subject: "ann@example.com".to_owned(),
            audience: "urn:amazon:webservices".to_owned(),
            recipient: ENDPOINT.to_owned(),
            attributes: vec![
                attribute("Role", &format!("{role},{provider}")),
                attribute("RoleSessionName", "ann"),
            ],
            session: String::new(),
        }
    }

    pub(crate) fn set(&mut self, name: &str, values: &[&str]) {
        self.attributes.retain(|(known, _)| known != name);
        let values = values.iter().map(|&value| value.to_owned()).collect();
        self.attributes.push((name.to_owned(), values));
    }

    /// The assertion without a signature, in canonical form.
    pub(crate) fn text(&self) -> String {
        let attribute = |(name, values): &(String, Vec<String>)| {
            let values = values
                .iter()
                .map(|value| format!("<saml:AttributeValue>{value}</saml:AttributeValue>"));
            let values: String = values.collect();
            format!(r#"<saml:Attribute Name="{name}">{values}</saml:Attribute>"#)
        };
        let attributes: String = self.attributes.iter().map(attribute).collect();
        let (now, later) = (self.now.iso8601(), self.now.plus_secs(300).iso8601());
        let Self {
            id,
            issuer,
            subject,
            audience,
            recipient,
            session,
            ..
        } = self;
        one_line(&format!(
            r#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{id}"
                IssueInstant="{now}" Version="2.0">
                <saml:Issuer>{issuer}</saml:Issuer>
                <saml:Subject>
                <saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">
                {{SUBJECT}}</saml:NameID>
                <saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
                <saml:SubjectConfirmationData NotOnOrAfter="{later}" Recipient="{recipient}">
                </saml:SubjectConfirmationData></saml:SubjectConfirmation>
                </saml:Subject>
                <saml:Conditions NotBefore="{now}" NotOnOrAfter="{later}">
                <saml:AudienceRestriction>
                <saml:Audience>{audience}</saml:Audience>
                </saml:AudienceRestriction></saml:Conditions>
                <saml:AuthnStatement AuthnInstant="{now}"{session}></saml:AuthnStatement>
                <saml:AttributeStatement>{attributes}</saml:AttributeStatement>
                </saml:Assertion>"#
        ))
        .replace(" {SUBJECT}", subject)
    }
}

/// One line of several: what does not begin with an element continues a tag.
fn one_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim_start);
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |before, line| match line.starts_with('<') {
        true => before + line,
        false => before + " " + line,
    })
}

/// A response with these elements after its status.
pub(crate) fn response(content: &str) -> String {
    let head = one_line(&format!(
        r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"
            Destination="{ENDPOINT}" ID="_r1" Version="2.0">
            <saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">{ENTITY}</saml:Issuer>
            <samlp:Status>
            <samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success">
            </samlp:StatusCode></samlp:Status>"#
    ));
    format!("{head}{content}</samlp:Response>")
}

/// As the value of `SAMLAssertion`, before it is put into a form.
pub(crate) fn encoded(response: &str) -> String {
    BASE64_STANDARD.encode(response)
}

impl TestSamlProvider {
    pub(crate) fn new() -> Self {
        let certificate = TestCertificate::new("idp.example");
        let key = PrivatePkcs8KeyDer::from_pem_slice(certificate.private_key.as_bytes()).unwrap();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = key.secret_pkcs8_der();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, key, &SystemRandom::new()).unwrap();
        Self { certificate, key }
    }

    pub(crate) fn metadata(&self) -> String {
        metadata_with(ENTITY, &self.certificate)
    }

    /// An element, given in canonical form, with a signature after its issuer.
    pub(crate) fn sign(&self, element: &str, id: &str) -> String {
        self.sign_with(element, id, |signed| signed)
    }

    /// The same with other text of `SignedInfo`.
    pub(crate) fn sign_with(
        &self,
        element: &str,
        id: &str,
        change: impl FnOnce(String) -> String,
    ) -> String {
        let hash = BASE64_STANDARD.encode(digest(&SHA256, element.as_bytes()).as_ref());
        let info = change(one_line(&format!(
            r##"<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
                <ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">
                </ds:CanonicalizationMethod>
                <ds:SignatureMethod
                Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256">
                </ds:SignatureMethod>
                <ds:Reference URI="#{id}"><ds:Transforms>
                <ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature">
                </ds:Transform>
                <ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform>
                </ds:Transforms>
                <ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256">
                </ds:DigestMethod>
                <ds:DigestValue>{hash}</ds:DigestValue></ds:Reference></ds:SignedInfo>"##
        )));
        let signature = self
            .key
            .sign(&SystemRandom::new(), info.as_bytes())
            .unwrap();
        let signature = BASE64_STANDARD.encode(signature.as_ref());
        // In the document, the signature declares the namespace.
        let info = info.replacen(r#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#""#, "", 1);
        let value = format!("<ds:SignatureValue>{signature}</ds:SignatureValue>");
        let signature =
            format!(r#"<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">{info}{value}"#)
                + "</ds:Signature>";
        element.replacen(PLACE, &format!("{PLACE}{signature}"), 1)
    }

    /// A response whose assertion is signed.
    pub(crate) fn response(&self, assertion: &TestAssertion) -> String {
        response(&self.sign(&assertion.text(), &assertion.id))
    }
}
