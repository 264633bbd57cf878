//! SAML 2.0 metadata of an identity provider: its name and the certificates of its keys.
//!
//! It protects three rules: nothing outside the document is read (a document type definition is
//! rejected, and no entity but XML's own is resolved), whoever reads it later finds XML (no
//! character or entity that XML does not have), and reading it takes time in proportion to its
//! length. It does not verify XML signatures: anyone who may store the document is trusted.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::limits;
use quick_xml::{
    NsReader, XmlVersion,
    events::{BytesRef, BytesStart, Event, attributes::Attribute},
    name::{Namespace, ResolveResult},
};

use crate::{
    certificates::CertificateBytes,
    xml_characters::{is_xml_text, trim_xml},
};

const METADATA: &[u8] = b"urn:oasis:names:tc:SAML:2.0:metadata";
const SIGNATURE: &[u8] = b"http://www.w3.org/2000/09/xmldsig#";
/// Elements in elements. A provider's metadata has about seven.
const DEPTH_MAX: usize = 32;
/// Certificates in a document.
const CERTIFICATES_MAX: usize = 32;

/// What the metadata of an identity provider says.
#[derive(Debug)]
pub(crate) struct IdentityProviderMetadata {
    /// Its name (`entityID`), the issuer of its assertions.
    pub(crate) entity_id: String,
    /// The certificates of the keys that sign its assertions: at least one with a key that can
    /// verify a signature here.
    pub(crate) certificates: Vec<CertificateBytes>,
}

impl IdentityProviderMetadata {
    /// Reads the metadata of one identity provider: an `EntityDescriptor` with an `entityID`, and
    /// in it an `IDPSSODescriptor` with a place to sign in and with a key for signing, all of whose
    /// certificates can be read. `None` for anything else.
    pub(crate) fn parse(document: &str) -> Option<Self> {
        MetadataReader::default().read(document)
    }
}

/// Where the certificates of signing keys are.
const SIGNING_PATH: [&str; 5] = [
    "EntityDescriptor",
    "IDPSSODescriptor",
    "KeyDescriptor",
    "KeyInfo",
    "X509Data",
];

/// What was found so far.
#[derive(Debug, Default)]
struct MetadataReader {
    /// The local names of the open elements; empty for those of other namespaces.
    open: Vec<String>,
    entity_id: Option<String>,
    has_sign_in: bool,
    /// Whether the open `KeyDescriptor` is for signing.
    is_signing_key: bool,
    signing_certificates: Vec<CertificateBytes>,
    certificates: usize,
    /// The text of the open `X509Certificate`.
    text: String,
}

impl MetadataReader {
    fn read(mut self, document: &str) -> Option<IdentityProviderMetadata> {
        is_xml_text(document).then_some(())?;
        let mut reader = NsReader::from_str(document);
        loop {
            let (namespace, event) = reader.read_resolved_event().ok()?;
            match event {
                Event::Start(element) => self.start(&namespace, &element)?,
                Event::Empty(element) => {
                    self.start(&namespace, &element)?;
                    self.end()?;
                }
                Event::End(_) => self.end()?,
                Event::Text(text) => self.add(&text.xml10_content())?,
                Event::CData(text) => self.add(&text.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let expected = !self.is_in("X509Certificate") && !self.open.is_empty();
                    (expected && is_defined(&reference)).then_some(())?;
                }
                Event::DocType(_) => return None,
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
        let mut certificates = self.signing_certificates.iter();
        let can_verify = certificates.any(|it| it.public_key().is_some());
        let is_complete = self.has_sign_in && can_verify;
        (self.open.is_empty() && is_complete).then_some(())?;
        Some(IdentityProviderMetadata {
            entity_id: self.entity_id?,
            certificates: self.signing_certificates,
        })
    }

    fn is_in(&self, name: &str) -> bool {
        self.open.last().is_some_and(|open| open == name)
    }

    fn start(&mut self, namespace: &ResolveResult<'_>, element: &BytesStart<'_>) -> Option<()> {
        let is_known = match namespace {
            ResolveResult::Bound(Namespace(uri)) => {
                let uri = uri.as_bytes();
                uri == METADATA || uri == SIGNATURE
            }
            ResolveResult::Unbound => false,
            ResolveResult::Unknown(_) => return None,
        };
        let local = element.local_name();
        let name = if is_known { local.as_ref() } else { "" };
        match (self.open.len(), name) {
            (0, "EntityDescriptor") => {
                self.entity_id.is_none().then_some(())?;
                let id = attribute(element, "entityID")?.filter(|id| !id.is_empty())?;
                (id.len() <= limits::SAML_ENTITY_BYTES).then_some(())?;
                self.entity_id = Some(id);
            }
            (0, _) => return None,
            (2, "SingleSignOnService") if self.is_in("IDPSSODescriptor") => {
                attribute(element, "Location")??;
                self.has_sign_in = true;
            }
            (2, "KeyDescriptor") if self.is_in("IDPSSODescriptor") => {
                let purpose = attribute(element, "use")?;
                self.is_signing_key = purpose.is_none_or(|purpose| purpose == "signing");
            }
            (DEPTH_MAX.., _) => return None,
            _ => {}
        }
        for attribute in element.attributes() {
            readable(&attribute.ok()?)?;
        }
        self.text.clear();
        self.open.push(name.to_owned());
        Some(())
    }

    fn add(&mut self, text: &str) -> Option<()> {
        if self.is_in("X509Certificate") {
            self.text.push_str(text);
        }
        // Text beside the root element is no XML.
        (!self.open.is_empty() || trim_xml(text).is_empty()).then_some(())
    }

    fn end(&mut self) -> Option<()> {
        let name = self.open.pop()?;
        if name == "X509Certificate" {
            self.certificates += 1;
            (self.certificates <= CERTIFICATES_MAX).then_some(())?;
            self.text
                .retain(|character| !character.is_ascii_whitespace());
            let der = BASE64_STANDARD.decode(&self.text).ok()?;
            let certificate = CertificateBytes::from_der(der)?;
            if self.open == SIGNING_PATH && self.is_signing_key {
                self.signing_certificates.push(certificate);
            }
        }
        Some(())
    }
}

/// Whether a reference is to a character of XML or to an entity that needs no definition.
fn is_defined(reference: &BytesRef<'_>) -> bool {
    if reference.is_char_ref() {
        let character = reference.resolve_char_ref();
        return matches!(character, Ok(Some(character)) if is_xml_text(&character.to_string()));
    }
    let name: &str = reference;
    quick_xml::escape::resolve_xml_entity(name).is_some()
}

/// The value of an attribute, if it is one of XML.
fn readable<'a>(attribute: &Attribute<'a>) -> Option<Cow<'a, str>> {
    let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
    is_xml_text(&value).then_some(value)
}

/// An attribute by name. The outer `None` is for attributes that are no XML.
#[expect(clippy::option_option, reason = "absent is not the same as unreadable")]
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<Option<String>> {
    let mut found = None;
    for attribute in element.attributes() {
        let attribute = attribute.ok()?;
        let value = readable(&attribute)?;
        if attribute.key.as_ref() == name {
            found = Some(value.into_owned());
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests;
