//! Documents that samples upload. They are fixed, so that crates above can send samples without
//! this crate's dependencies of tests.
//!
//! None of them is secret: the private key was made for this file and belongs to nothing. The
//! certificate is valid until 2100.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A certificate, signed by itself.
pub(super) const CERTIFICATE: &str = include_str!("documents/certificate.pem");

/// The private key of [`CERTIFICATE`].
pub(super) const PRIVATE_KEY: &str = include_str!("documents/private_key.pem");

/// An `ssh-rsa` line of 2048 bits, whose modulus is a pattern of bytes.
pub(super) const SSH_KEY: &str = include_str!("documents/ssh_key.pub");

/// The metadata of an identity provider that signs with [`CERTIFICATE`].
pub(super) const SAML_METADATA: &str = include_str!("documents/saml_metadata.xml");

/// As a value of a form.
pub(super) fn in_form(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
