//! The signature itself: recomputed over the canonical request, compared in constant time.
//!
//! It protects [`Verified`]: there is no other way to get one. It does not find the key.

use std::{borrow::Cow, fmt};

use http::request::Parts;

use crate::{
    ALGORITHM, CredentialScope, PayloadClaim, PresentedSignature, SignatureForm, SigningKey,
    SigningMode, canonical,
    key::{hex_text, push_hex, sha256},
};

/// Proof that a signature held, for one request. Not `Clone`, not constructible elsewhere.
#[derive(Debug)]
#[must_use]
pub struct Verified(());

impl Verified {
    /// For `v2.rs`, which compares another signature.
    pub(crate) const fn by_v2() -> Self {
        Self(())
    }
}

/// What stands for the body in the canonical request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadHash {
    /// What the request declared. Never verifies when it declared nothing.
    Declared,
    /// The SHA-256 of the body, computed by the caller.
    Of([u8; 32]),
}

impl PayloadHash {
    /// Hashes a body that is in memory.
    pub fn of(body: &[u8]) -> Self {
        Self::Of(sha256(body))
    }
}

/// The signature did not hold. The texts come from the request alone, but may contain its session
/// token: they go back to the sender and nowhere else, so `Debug` shows none of them.
#[derive(Clone, PartialEq, Eq)]
pub struct SignatureMismatch {
    /// The access key id as presented.
    pub access_key_id: String,
    /// The signature as presented.
    pub signature_provided: String,
    /// The string to sign, as the server computed it.
    pub string_to_sign: Vec<u8>,
    /// The canonical request, as the server computed it; empty for Version 2, which has none.
    pub canonical_request: Vec<u8>,
}

impl fmt::Debug for SignatureMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mismatch")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl PresentedSignature {
    /// Verifies the signature over `parts` with the key of [`Presented::scope`].
    ///
    /// # Errors
    /// [`Mismatch`] when it does not hold.
    pub fn verify(
        &self,
        parts: &Parts,
        key: &SigningKey,
        payload: PayloadHash,
    ) -> Result<Verified, SignatureMismatch> {
        let payload = self.payload_line(payload);
        let mut canonical_request = Vec::with_capacity(1024);
        canonical::push_request(
            &mut canonical_request,
            parts,
            self.dialect,
            self.form(),
            &self.signed_headers,
            payload.as_deref().unwrap_or_default(),
        );
        let string_to_sign = string_to_sign(&self.amz_date, &self.scope, &canonical_request);
        if payload.is_some() && key.verifies(&string_to_sign, &self.signature) {
            return Ok(Verified(()));
        }
        Err(SignatureMismatch {
            access_key_id: self.access_key_id.clone(),
            signature_provided: self.signature.clone(),
            string_to_sign,
            canonical_request,
        })
    }

    const fn form(&self) -> SignatureForm {
        match self.mode() {
            SigningMode::Header => SignatureForm::Header,
            SigningMode::Presigned { .. } => SignatureForm::Query,
        }
    }

    /// The last line of the canonical request; `None` when nothing covers the body.
    fn payload_line(&self, given: PayloadHash) -> Option<Cow<'static, str>> {
        if let Some(marker) = self.payload.marker() {
            return Some(Cow::Borrowed(marker));
        }
        match (given, self.payload) {
            (PayloadHash::Of(hash), _) | (PayloadHash::Declared, PayloadClaim::Sha256(hash)) => {
                Some(Cow::Owned(hex_text(&hash)))
            }
            (PayloadHash::Declared, _) => None,
        }
    }
}

/// The text whose HMAC is the signature.
pub(crate) fn string_to_sign(
    amz_date: &str,
    scope: &CredentialScope,
    canonical_request: &[u8],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(192);
    push_preamble(&mut out, ALGORITHM, amz_date, scope);
    push_hex(&mut out, &sha256(canonical_request));
    out
}

/// Algorithm, date and scope, a line each.
pub(crate) fn push_preamble(
    out: &mut Vec<u8>,
    algorithm: &str,
    amz_date: &str,
    scope: &CredentialScope,
) {
    for part in [algorithm, "\n", amz_date, "\n", scope.date(), "/"] {
        out.extend_from_slice(part.as_bytes());
    }
    for part in [
        scope.region(),
        "/",
        scope.service(),
        "/",
        crate::TERMINATOR,
        "\n",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
}
