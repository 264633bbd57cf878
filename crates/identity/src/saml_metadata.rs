//! SAML 2.0 metadata of an identity provider: whether a document is one.
//!
//! It protects two rules: nothing outside the document is read (a document type definition is
//! rejected, and no entity but XML's own is resolved), and reading it takes time in proportion to
//! its length. It does not verify XML signatures: anyone who may store the document is trusted.

use base64::{Engine, prelude::BASE64_STANDARD};
use quick_xml::{
    NsReader, XmlVersion,
    events::{BytesStart, Event},
    name::{Namespace, ResolveResult},
};

use crate::certificates::CertificateBytes;

const METADATA: &[u8] = b"urn:oasis:names:tc:SAML:2.0:metadata";
const SIGNATURE: &[u8] = b"http://www.w3.org/2000/09/xmldsig#";
/// Elements in elements. A provider's metadata has about seven.
const DEPTH_MAX: usize = 32;
/// Certificates in a document.
const CERTIFICATES_MAX: usize = 32;

/// Whether this is the metadata of one identity provider: an `EntityDescriptor` with an `entityID`,
/// and in it an `IDPSSODescriptor` with a place to sign in and with a key for signing, all of whose
/// certificates can be read.
pub(crate) fn is_identity_provider(document: &str) -> bool {
    MetadataReader::default().read(document).is_some()
}

/// What was found so far.
#[derive(Debug, Default)]
struct MetadataReader {
    /// The local names of the open elements; empty for those of other namespaces.
    open: Vec<String>,
    has_entity: bool,
    has_sign_in: bool,
    /// Whether the open `KeyDescriptor` is for signing.
    is_signing_key: bool,
    signing_certificates: usize,
    certificates: usize,
    /// The text of the open `X509Certificate`.
    text: String,
}

impl MetadataReader {
    fn read(mut self, document: &str) -> Option<()> {
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
                Event::GeneralRef(_) if self.is_in("X509Certificate") => return None,
                Event::DocType(_) => return None,
                Event::Eof => break,
                Event::GeneralRef(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
        let is_complete = self.has_entity && self.has_sign_in && self.signing_certificates > 0;
        (self.open.is_empty() && is_complete).then_some(())
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
                (!self.has_entity).then_some(())?;
                let id = attribute(element, "entityID")?.filter(|id| !id.is_empty());
                id?;
                self.has_entity = true;
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
        self.text.clear();
        self.open.push(name.to_owned());
        Some(())
    }

    fn add(&mut self, text: &str) -> Option<()> {
        if self.is_in("X509Certificate") {
            self.text.push_str(text);
        }
        // Text beside the root element is no XML.
        (!self.open.is_empty() || text.trim().is_empty()).then_some(())
    }

    fn end(&mut self) -> Option<()> {
        let name = self.open.pop()?;
        if name == "X509Certificate" {
            self.certificates += 1;
            (self.certificates <= CERTIFICATES_MAX).then_some(())?;
            self.text
                .retain(|character| !character.is_ascii_whitespace());
            let der = BASE64_STANDARD.decode(&self.text).ok()?;
            CertificateBytes::from_der(der)?;
            let of_provider = self.open.iter().any(|open| open == "IDPSSODescriptor");
            let of_key = self.open.iter().any(|open| open == "KeyDescriptor");
            let counts = of_provider && of_key && self.is_signing_key;
            self.signing_certificates += usize::from(counts);
        }
        Some(())
    }
}

/// An attribute by name. The outer `None` is for attributes that are no XML.
#[expect(clippy::option_option, reason = "absent is not the same as unreadable")]
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<Option<String>> {
    let mut found = None;
    for attribute in element.attributes() {
        let attribute = attribute.ok()?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
        if attribute.key.as_ref() == name {
            found = Some(value.into_owned());
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests;
