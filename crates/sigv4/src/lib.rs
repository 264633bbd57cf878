//! AWS Signature Version 4: parse, verify, sign and presign requests, and decode aws-chunked
//! bodies. Also Signature Version 2 in the query string, which S3 still accepts.
//!
//! Floor 1. Invariant: a [`Verified`] exists only if a signature over the request was recomputed
//! with the caller's signing key and compared in constant time.
//!
//! The crate has no clock, no I/O and no key store; the time and the key are arguments. It does not
//! decide whether a key is active or a session token is genuine. It does carry the error texts for
//! those cases ([`SignatureFault::UnknownKey`] and its neighbours), because to clients they are one
//! family.
//!
//! How a request is verified:
//!
//! 1. [`PresentedSignature::parse`] makes every check that needs no key, in AWS's order.
//! 2. The caller looks up the secret of [`PresentedSignature::access_key_id`] and derives a
//!    [`SigningKey`] for [`PresentedSignature::scope`].
//! 3. [`PresentedSignature::verify`] returns a [`Verified`] or a [`SignatureMismatch`].
//! 4. For S3, the body is checked against [`PresentedSignature::payload`]: either its hash
//!    ([`PresentedSignature::check_body`]) or chunk by chunk ([`ChunkDecoder`]).
//!
//! [`SignatureFault::wire`] renders every fault as AWS's error response.

mod authorization;
mod canonical;
mod chunk;
mod fault;
mod key;
mod presented;
mod query;
mod sign;
mod v2;
mod verify;
mod wire;

#[cfg(test)]
mod tests;

pub use chunk::{ChunkDecoder, ChunkFault, FinishedBody};
pub use fault::{
    EscapeError, ExpiresFault, MissingParams, ScopeFault, SignatureFault, SignatureForm,
};
pub use key::{CredentialScope, SigningKey};
pub use presented::{
    PayloadClaim, PresentedSignature, ServiceRules, SigningDialect, SigningMode, claimed_service,
};
pub use query::parameter_names;
pub use sign::{SignError, SigningCredentials, SigningTarget, presign, sign};
pub use v2::PresentedV2;
pub use verify::{PayloadHash, SignatureMismatch, Verified};

/// The only accepted algorithm.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The algorithm of SigV4a, which is rejected by name.
pub(crate) const ALGORITHM_V4A: &str = "AWS4-ECDSA-P256-SHA256";
/// The last part of every credential scope.
pub(crate) const TERMINATOR: &str = "aws4_request";
