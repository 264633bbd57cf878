//! SAML 2.0: responses of identity providers, whose assertions assume roles without a signature of
//! the request.
//!
//! Invariants:
//!
//! - An [`assertion::VerifiedAssertion`] exists only after a key of the provider's metadata
//!   verified a signature of the very element that it was read from ([`signature`]).
//! - A document is read once, strictly ([`document`]), and what is signed and what is used are
//!   parts of that one tree.
//! - An assertion is used once ([`UsedAssertions`]).
//!
//! Encrypted assertions are not read: no library in use decrypts with RSA in constant time
//! ([why](../../../../docs/adr/0020-own-verification-of-saml-signatures.md)).

mod assertion;
mod attribute_keys;
mod attributes;
mod canonical;
mod document;
mod rejection;
mod signature;
mod used;

pub use self::rejection::AssertionRejection;
pub(crate) use self::{
    assertion::{ParsedResponse, VerifiedAssertion},
    attributes::{AssertedSession, name_qualifier},
    used::UsedAssertions,
};

/// Asserts that the canonical form of a document is canonical.
#[cfg(fuzzing)]
pub(crate) fn check_canonical_form(text: &str) {
    let form = canonical::CanonicalForm::default();
    if let Some(element) = document::XmlElement::parse(text) {
        let Some(written) = form.write(&element) else {
            return;
        };
        let again = document::XmlElement::parse(&written).and_then(|it| form.write(&it));
        assert_eq!(again.as_ref(), Some(&written));
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
