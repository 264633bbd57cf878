//! X.509 certificates that are uploaded: read from PEM, and checked for their time, their chain and
//! their private key.
//!
//! It protects one rule: what is stored was parsed, and nothing else is stored. A certificate's
//! names and purposes are not judged, and no authority is trusted or distrusted: no service of
//! this server uses them.

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::{Secret, Timestamp};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use x509_parser::{
    certificate::X509Certificate,
    oid_registry::{OID_EC_P256, OID_NIST_EC_P384},
    pem::Pem,
    prelude::FromDer,
    public_key::PublicKey,
    x509::SubjectPublicKeyInfo,
};
use zeroize::Zeroize;

const CERTIFICATE_LABEL: &str = "CERTIFICATE";
/// Characters of a line of PEM (RFC 7468).
const PEM_LINE_CHARS: usize = 64;

/// Kinds of public keys that verify signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublicKeyKind {
    Rsa,
    P256,
    P384,
}

/// Bits of RSA keys that verify signatures: ring's range.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// An uncompressed point of the curve P-256.
const P256_POINT_BYTES: usize = 65;
/// An uncompressed point of the curve P-384.
const P384_POINT_BYTES: usize = 97;

/// The bytes (DER) of certificates that a PEM text consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertificateBytes(Vec<u8>);

impl CertificateBytes {
    /// The certificate that this text is, and nothing else.
    pub(crate) fn from_pem(text: &str) -> Option<Self> {
        let mut all = Self::all_from_pem(text)?.into_iter();
        let first = all.next()?;
        all.next().is_none().then_some(first)
    }

    /// The certificates that this text consists of: at least one, and nothing between them.
    pub(crate) fn all_from_pem(text: &str) -> Option<Vec<Self>> {
        let mut rest = text.trim();
        let mut all = Vec::new();
        while !rest.is_empty() {
            rest.starts_with("-----BEGIN ").then_some(())?;
            let (pem, end) = Pem::read(std::io::Cursor::new(rest)).ok()?;
            (pem.label == CERTIFICATE_LABEL).then_some(())?;
            all.push(Self::from_der(pem.contents)?);
            rest = rest.get(end..)?.trim_start();
        }
        (!all.is_empty()).then_some(all)
    }

    /// A certificate in DER.
    pub(crate) fn from_der(der: Vec<u8>) -> Option<Self> {
        let bytes = Self(der);
        bytes.certificate().is_some().then_some(bytes)
    }

    /// The bytes.
    pub(crate) fn der(&self) -> &[u8] {
        &self.0
    }

    /// Its public key, as ring reads it: a PKCS #1 key or a point. `None` for one that verifies no
    /// signatures here.
    pub(crate) fn public_key(&self) -> Option<(PublicKeyKind, Vec<u8>)> {
        let details = self.certificate()?;
        let info = details.0.public_key();
        let key = info.subject_public_key.data.to_vec();
        let kind = match info.parsed().ok()? {
            PublicKey::RSA(key) => {
                RSA_BITS.contains(&key.key_size()).then_some(())?;
                PublicKeyKind::Rsa
            }
            PublicKey::EC(_) => {
                let curve = info.algorithm.parameters.as_ref()?.as_oid().ok()?;
                match (curve, key.len()) {
                    (curve, P256_POINT_BYTES) if curve == OID_EC_P256 => PublicKeyKind::P256,
                    (curve, P384_POINT_BYTES) if curve == OID_NIST_EC_P384 => PublicKeyKind::P384,
                    _ => return None,
                }
            }
            _ => return None,
        };
        Some((kind, key))
    }

    /// The certificate in PEM, and nothing else: lines of 64 characters, the last without an end.
    pub(crate) fn to_pem(&self) -> String {
        let encoded = BASE64_STANDARD.encode(&self.0);
        let mut pem = format!("-----BEGIN {CERTIFICATE_LABEL}-----");
        for (at, character) in encoded.chars().enumerate() {
            if at % PEM_LINE_CHARS == 0 {
                pem.push('\n');
            }
            pem.push(character);
        }
        pem.push_str(&format!("\n-----END {CERTIFICATE_LABEL}-----"));
        pem
    }

    /// What it says. Never `None`: the bytes were read before.
    pub(crate) fn certificate(&self) -> Option<CertificateDetails<'_>> {
        let (rest, certificate) = X509Certificate::from_der(&self.0).ok()?;
        rest.is_empty().then_some(CertificateDetails(certificate))
    }
}

/// What a certificate says.
pub(crate) struct CertificateDetails<'a>(X509Certificate<'a>);

impl CertificateDetails<'_> {
    /// The end of its validity.
    pub(crate) fn expires(&self) -> Timestamp {
        Timestamp::from_secs(self.0.validity().not_after.timestamp())
    }

    /// Whether it is valid at this time.
    pub(crate) fn is_valid_at(&self, now: Timestamp) -> bool {
        let begins = self.0.validity().not_before.timestamp();
        (begins..=self.expires().secs()).contains(&now.secs())
    }

    /// Whether another certificate names and verifies as its issuer. False as well for signature
    /// algorithms that are not supported.
    pub(crate) fn is_issued_by(&self, issuer: &CertificateDetails<'_>) -> bool {
        self.0.issuer().as_raw() == issuer.0.subject().as_raw()
            && self.0.verify_signature(Some(issuer.0.public_key())).is_ok()
    }

    /// Whether this is its private key.
    pub(crate) fn has_key(&self, key: &UploadedKey) -> bool {
        let own = self.0.public_key();
        let Ok((_, other)) = SubjectPublicKeyInfo::from_der(&key.public) else {
            return false;
        };
        own.algorithm.algorithm == other.algorithm.algorithm
            && own.subject_public_key.data == other.subject_public_key.data
    }
}

/// A private key that was uploaded: RSA from 2048 to 4096 bits, ECDSA on P-256 or P-384, Ed25519.
pub(crate) struct UploadedKey {
    /// The public half (SPKI).
    public: Vec<u8>,
}

impl UploadedKey {
    /// Reads a private key that is not encrypted. `None` for anything else.
    pub(crate) fn from_pem(text: &Secret<String>) -> Option<Self> {
        let mut key = PrivateKeyDer::from_pem_slice(text.expose().as_bytes()).ok()?;
        let signing = rustls::crypto::ring::sign::any_supported_type(&key).ok();
        key.zeroize();
        let public = signing?.public_key()?.to_vec();
        Some(Self { public })
    }
}

/// Where a chain is broken: -1 for the certificate itself, as AWS counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BrokenChain {
    pub(crate) index: i32,
}

/// Checks that a certificate and those above it are valid now, and each is issued by the next.
///
/// # Errors
/// [`BrokenChain`] with the first that is not.
pub(crate) fn check_chain(
    certificate: &CertificateBytes,
    chain: &[CertificateBytes],
    now: Timestamp,
) -> Result<(), BrokenChain> {
    let issuers = chain.iter().map(Some).chain([None]);
    let issued = std::iter::once(certificate).chain(chain);
    for (index, (issued, issuer)) in (-1..).zip(issued.zip(issuers)) {
        let broken = BrokenChain { index };
        let issued = issued.certificate().ok_or(broken)?;
        let issuer = issuer
            .map(|it| it.certificate().ok_or(broken))
            .transpose()?;
        let follows = issuer.is_none_or(|issuer| issued.is_issued_by(&issuer));
        if !(issued.is_valid_at(now) && follows) {
            return Err(broken);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
