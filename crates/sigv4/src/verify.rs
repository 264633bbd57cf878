//! Verifies the signature: recomputes it over the canonical request and compares in constant time.
//!
//! Invariant: [`Verified`] can be obtained only here. Key lookup is up to the caller.

use std::{borrow::Cow, fmt};

use http::request::Parts;

use crate::{
    ALGORITHM, CredentialScope, PayloadClaim, PresentedSignature, SignatureForm, SigningKey,
    SigningMode, canonical,
    key::{hex_text, push_hex, sha256},
};

/// Proof that one request's signature matched. Not `Clone`, and not constructible elsewhere.
#[derive(Debug)]
#[must_use]
pub struct Verified(());

impl Verified {
    /// For `v2.rs`, which compares a different signature.
    pub(crate) const fn by_v2() -> Self {
        Self(())
    }
}

/// The payload hash in the canonical request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadHash {
    /// The declared hash. Verification always fails if the request declared none.
    Declared,
    /// The SHA-256 of the body, computed by the caller.
    Of([u8; 32]),
}

impl PayloadHash {
    /// Hashes an in-memory body.
    pub fn of(body: &[u8]) -> Self {
        Self::Of(sha256(body))
    }
}

/// The signature did not match. The texts derive from the request alone but may contain its session
/// token. They go back to the sender and nowhere else, so `Debug` hides them all.
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
    /// Verifies the signature over `parts` with the key for [`PresentedSignature::scope`].
    ///
    /// # Errors
    /// [`SignatureMismatch`] if it does not match.
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

    /// The last line of the canonical request; `None` if nothing covers the body.
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

/// The text that is signed with HMAC.
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

/// Appends the algorithm, date and scope, one per line.
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
