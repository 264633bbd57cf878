//! AWS Signature Version 4: read what a request presents, verify it, sign, presign, and undo
//! aws-chunked bodies; and Version 2 where S3 still takes it, in the query.
//!
//! Floor 1. It protects one rule: nobody holds a [`Verified`] unless a signature over the request
//! was recomputed with the caller's signing key and compared in constant time.
//!
//! It has no clock, no I/O and no key store: the time and the key are arguments. It does not decide
//! whether a key is active or a session token is genuine; it carries the texts for those answers
//! ([`Fault::UnknownKey`] and its neighbours) because clients see them as one family.
//!
//! The usual course of a request:
//!
//! 1. [`Presented::parse`]: everything that can be refused without a key, in AWS's order.
//! 2. The caller finds the secret of [`Presented::access_key_id`] and a [`SigningKey`] for
//!    [`Presented::scope`].
//! 3. [`Presented::verify`] gives a [`Verified`] or a [`Mismatch`].
//! 4. For S3, the body is held to [`Presented::payload`]: a hash to compare
//!    ([`Presented::check_body`]) or a [`ChunkDecoder`].
//!
//! Every [`Fault`] renders itself with [`Fault::wire`].

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
pub use sign::{SignError, SigningCredentials, SigningTarget, presign, sign};
pub use v2::PresentedV2;
pub use verify::{PayloadHash, SignatureMismatch, Verified};
pub use wire::WireFault;

/// The one algorithm that is accepted.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The algorithm of SigV4a, which is refused by name.
pub(crate) const ALGORITHM_V4A: &str = "AWS4-ECDSA-P256-SHA256";
/// The last part of every credential scope.
pub(crate) const TERMINATOR: &str = "aws4_request";
