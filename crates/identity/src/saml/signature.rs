//! The signature in an element of an assertion (XML Signature, second edition).
//!
//! Invariant: what is verified is the element that the signature is directly in, as it was read.
//! Nothing is looked up by an ID, so that a signature cannot be about another element than the one
//! whose content is used. What a signature says of its key is not read at all.

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::limits;
use ring::{
    digest::{self, SHA256, SHA384, SHA512},
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256,
        RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey,
        VerificationAlgorithm,
    },
};

use super::{canonical::CanonicalForm, document::XmlElement};
use crate::certificates::{CertificateBytes, PublicKeyKind};

/// The namespace of signatures.
pub(super) const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// Whether the only signature in an element is one of this element by one of these certificates'
/// keys. It must be of the form that the standard of assertions demands (SAML 2.0, core, 5.4).
pub(super) fn is_signed(element: &XmlElement, by: &[CertificateBytes]) -> bool {
    let signature = element.only(DSIG, "Signature");
    signature.is_some_and(|it| verify(element, it, by).is_some())
}

fn verify(signed: &XmlElement, signature: &XmlElement, by: &[CertificateBytes]) -> Option<()> {
    let mut parts = signature.elements();
    let info = parts.next().filter(|it| it.is(DSIG, "SignedInfo"))?;
    let value = parts.next().filter(|it| it.is(DSIG, "SignatureValue"))?;
    parts.all(|it| it.is(DSIG, "KeyInfo")).then_some(())?;
    let [method, algorithm, reference] = exactly(
        info,
        ["CanonicalizationMethod", "SignatureMethod", "Reference"],
    )?;
    let inclusive = exclusive_form(method)?;
    check_reference(signed, signature, reference)?;
    let text = CanonicalForm {
        without: None,
        inclusive: &inclusive,
    }
    .write(info)?;
    let signature = decoded(value)?;
    let name = algorithm.attribute("Algorithm")?;
    let verifies = |certificate: &CertificateBytes| {
        let key = certificate.public_key();
        key.is_some_and(|(kind, key)| {
            let algorithm = signature_algorithm(name, kind);
            algorithm.is_some_and(|algorithm| {
                let key = UnparsedPublicKey::new(algorithm, key);
                key.verify(text.as_bytes(), &signature).is_ok()
            })
        })
    };
    by.iter().any(verifies).then_some(())
}

/// The only elements in an element, in this order.
fn exactly<'a, const N: usize>(
    element: &'a XmlElement,
    names: [&str; N],
) -> Option<[&'a XmlElement; N]> {
    let found: Vec<_> = element.elements().collect();
    let found: [&XmlElement; N] = found.try_into().ok()?;
    let named = found.iter().zip(names).all(|(it, name)| it.is(DSIG, name));
    named.then_some(found)
}

/// The digest of the element without its signature.
fn check_reference(
    signed: &XmlElement,
    signature: &XmlElement,
    reference: &XmlElement,
) -> Option<()> {
    let id = signed.attribute("ID").filter(|id| !id.is_empty())?;
    (reference.attribute("URI")?.strip_prefix('#') == Some(id)).then_some(())?;
    let [transforms, method, value] =
        exactly(reference, ["Transforms", "DigestMethod", "DigestValue"])?;
    let [enveloped, exclusive] = exactly(transforms, ["Transform", "Transform"])?;
    let is_enveloped = enveloped.attribute("Algorithm") == Some(ENVELOPED);
    (is_enveloped && enveloped.elements().next().is_none()).then_some(())?;
    let text = CanonicalForm {
        without: Some(signature),
        inclusive: &exclusive_form(exclusive)?,
    }
    .write(signed)?;
    let algorithm = match method.attribute("Algorithm")? {
        "http://www.w3.org/2001/04/xmlenc#sha256" => &SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => &SHA384,
        "http://www.w3.org/2001/04/xmlenc#sha512" => &SHA512,
        _ => return None,
    };
    let digest = digest::digest(algorithm, text.as_bytes());
    (decoded(value)? == digest.as_ref()).then_some(())
}

/// The prefixes that a use of exclusive canonicalization declares in any case.
fn exclusive_form(method: &XmlElement) -> Option<Vec<String>> {
    (method.attribute("Algorithm") == Some(EXCLUSIVE)).then_some(())?;
    let mut parameters = method.elements();
    let Some(list) = parameters.next() else {
        return Some(Vec::new());
    };
    let is_list = list.is(EXCLUSIVE, "InclusiveNamespaces") && parameters.next().is_none();
    is_list.then_some(())?;
    let prefixes = list.attribute("PrefixList")?.split_ascii_whitespace();
    let prefixes = prefixes.map(|prefix| match prefix {
        "#default" => String::new(),
        prefix => prefix.to_owned(),
    });
    // An element has no more namespaces in scope.
    let most = limits::SAML_XML_ATTRIBUTES;
    let prefixes: Vec<_> = prefixes.take(most + 1).collect();
    (prefixes.len() <= most).then_some(prefixes)
}

fn decoded(element: &XmlElement) -> Option<Vec<u8>> {
    let mut text = element.text()?;
    text.retain(|character| !character.is_ascii_whitespace());
    BASE64_STANDARD.decode(text).ok()
}

/// The algorithm of this name, if it is one of the key. Those with SHA-1 are not accepted.
fn signature_algorithm(
    name: &str,
    key: PublicKeyKind,
) -> Option<&'static dyn VerificationAlgorithm> {
    let name = name.strip_prefix("http://www.w3.org/2001/04/xmldsig-more#")?;
    Some(match (name, key) {
        ("rsa-sha256", PublicKeyKind::Rsa) => &RSA_PKCS1_2048_8192_SHA256,
        ("rsa-sha384", PublicKeyKind::Rsa) => &RSA_PKCS1_2048_8192_SHA384,
        ("rsa-sha512", PublicKeyKind::Rsa) => &RSA_PKCS1_2048_8192_SHA512,
        ("ecdsa-sha256", PublicKeyKind::P256) => &ECDSA_P256_SHA256_FIXED,
        ("ecdsa-sha384", PublicKeyKind::P384) => &ECDSA_P384_SHA384_FIXED,
        _ => return None,
    })
}
