//! The signing key for one day, region and service, and the credential scope that names them.
//!
//! The derived key is 32 bytes; it is wiped on drop and never printed. Caching is up to the caller:
//! a key stays usable until its day ends or its secret is revoked.

use std::fmt;

use keywright_base::Secret;
use ring::{digest, hmac};

use crate::TERMINATOR;

/// The scope in which a signature is valid: `20260911/us-east-1/iam/aws4_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CredentialScope {
    date: [u8; 8],
    region: &'static str,
    service: &'static str,
}

impl CredentialScope {
    pub(crate) const fn new(date: [u8; 8], region: &'static str, service: &'static str) -> Self {
        Self {
            date,
            region,
            service,
        }
    }

    /// The day, `YYYYMMDD`.
    pub fn date(&self) -> &str {
        str::from_utf8(&self.date).unwrap_or_default()
    }

    /// The region's code, one of [`keywright_base::REGIONS`].
    pub const fn region(&self) -> &'static str {
        self.region
    }

    /// The service's signing name: `iam`, `sts` or `s3`.
    pub const fn service(&self) -> &'static str {
        self.service
    }
}

impl fmt::Display for CredentialScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, region, service) = (self.date(), self.region, self.service);
        write!(f, "{date}/{region}/{service}/{TERMINATOR}")
    }
}

/// The 32-byte key that signs requests of one [`CredentialScope`]. Cloning copies 32 bytes.
#[derive(Clone, Debug)]
pub struct SigningKey(Secret<[u8; 32]>);

impl SigningKey {
    /// Derives the key; `date` is `YYYYMMDD`. This takes four HMACs, so keep the result.
    pub fn derive(secret: &Secret<String>, date: &str, region: &str, service: &str) -> Self {
        let start = Secret::new(format!("AWS4{}", secret.expose()));
        let mut key = Secret::new(mac(start.expose().as_bytes(), date.as_bytes()));
        for part in [region, service, TERMINATOR] {
            key = Secret::new(mac(key.expose(), part.as_bytes()));
        }
        Self(key)
    }

    /// Derives the key of a scope.
    pub fn for_scope(secret: &Secret<String>, scope: &CredentialScope) -> Self {
        Self::derive(secret, scope.date(), scope.region(), scope.service())
    }

    pub(crate) fn sign(&self, text: &[u8]) -> [u8; 32] {
        mac(self.0.expose(), text)
    }

    /// Whether `signature`, 64 lower-case hex digits, is the signature of `text`. Constant time.
    pub(crate) fn verifies(&self, text: &[u8], signature: &str) -> bool {
        let mut tag = [0; 32];
        if signature.bytes().any(|b| b.is_ascii_uppercase())
            || hex::decode_to_slice(signature, &mut tag).is_err()
        {
            return false;
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose());
        hmac::verify(&key, text, &tag).is_ok()
    }
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    bytes32(hmac::sign(&key, text).as_ref())
}

pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    bytes32(digest::digest(&digest::SHA256, data).as_ref())
}

/// Copies a SHA-256 output, which is always 32 bytes long.
pub(crate) fn bytes32(digest: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = *from;
    }
    bytes
}

pub(crate) fn hex_text(hash: &[u8; 32]) -> String {
    let mut text = Vec::with_capacity(64);
    push_hex(&mut text, hash);
    String::from_utf8(text).unwrap_or_default()
}

pub(crate) fn push_hex(out: &mut Vec<u8>, hash: &[u8; 32]) {
    let mut text = [0; 64];
    // Cannot fail: the output is twice as long as the input.
    let _ = hex::encode_to_slice(hash, &mut text);
    out.extend_from_slice(&text);
}
