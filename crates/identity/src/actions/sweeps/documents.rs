//! Documents that samples upload.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::import_document::{ImportDocument, ImportedPolicy, ImportedUser, ImportedVersion};

/// A new certificate that is signed by itself, and its private key, both PEM.
pub(super) fn certificate() -> (String, String) {
    let names = vec!["server.example.com".to_owned()];
    let made = generate_simple_self_signed(names);
    let pems =
        made.map(|CertifiedKey { cert, signing_key }| (cert.pem(), signing_key.serialize_pem()));
    // Empty documents fail the tests that send them.
    pems.unwrap_or_default()
}

/// An `ssh-rsa` line of 2048 bits, whose modulus is a pattern of bytes.
pub(super) const SSH_KEY: &str = include_str!("documents/ssh_key.pub");

/// The metadata of an identity provider, whose certificate is valid until 2100.
pub(super) const SAML_METADATA: &str = include_str!("documents/saml_metadata.xml");

/// As a value of a form.
pub(super) fn in_form(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The document of an import that creates one of everything.
pub(super) fn import_document() -> String {
    let policy = ImportedPolicy {
        policy_name: "Imported".to_owned(),
        versions: vec![ImportedVersion {
            version_id: "v1".to_owned(),
            is_default: true,
            policy_document: super::POLICY.to_owned(),
        }],
        ..ImportedPolicy::default()
    };
    let user = ImportedUser {
        user_name: "imported".to_owned(),
        ..ImportedUser::default()
    };
    let document = ImportDocument {
        policies: vec![policy],
        users: vec![user],
        ..ImportDocument::default()
    };
    document.encode().unwrap_or_default()
}
