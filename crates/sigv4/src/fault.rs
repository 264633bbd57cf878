//! Why a request is not authentic, with the details that a user needs to fix it.
//!
//! This file holds the reasons; `wire.rs` holds AWS's texts. No variant holds a secret in the
//! clear.

use keywright_base::{Secret, Timestamp};

use crate::{ChunkFault, SignatureMismatch, SigningDialect};

/// Where the request carries its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureForm {
    /// In the `Authorization` header.
    Header,
    /// In `X-Amz-*` query parameters (a presigned URL).
    Query,
}

/// An invalid percent escape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EscapeError {
    /// The text ends inside an escape.
    Incomplete,
    /// The `%` is not followed by two hex digits. Holds all three characters, converted lossily.
    Illegal(String),
}

/// Which parts of a signature are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts that AWS reports together"
)]
pub struct MissingParams {
    /// The credential.
    pub credential: bool,
    /// The signature.
    pub signature: bool,
    /// The list of signed headers.
    pub signed_headers: bool,
    /// The date: `X-Amz-Date`, or in header form also `Date`.
    pub date: bool,
}

/// What is wrong with a credential scope. Every field that is `Some` is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeFault {
    /// Where the credential was sent.
    pub form: SignatureForm,
    /// The given region, which does not exist.
    pub region: Option<String>,
    /// The region that S3's response names as expected.
    pub region_expected: &'static str,
    /// The given service.
    pub service: Option<String>,
    /// The service that was called.
    pub service_expected: &'static str,
    /// The given last part, which is not `aws4_request`.
    pub terminator: Option<String>,
    /// The given day, which differs from the day of the request's date.
    pub date: Option<String>,
    /// The request's date.
    pub request_date: Timestamp,
}

/// What is wrong with `X-Amz-Expires`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiresFault {
    /// Not a number.
    NotANumber,
    /// Below zero.
    Negative,
    /// More than seven days.
    TooLong,
}

/// Why a request is not authentic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureFault {
    /// The request is not signed. S3 may treat it as anonymous.
    Missing,
    /// More than one signature: header and query, or two `Authorization` headers.
    TwoMechanisms,
    /// Signature Version 2, where it is not accepted.
    SignatureV2,
    /// A URL signed with Version 2 lacks a parameter.
    QueryV2Params,
    /// The `Expires` parameter of a URL signed with Version 2 is not a number of seconds. Holds the
    /// text as given.
    ExpiresV2Form(String),
    /// A URL signed with Version 2 has expired.
    ExpiredV2 {
        /// When it expired.
        expired_at: Timestamp,
        /// The server's time.
        now: Timestamp,
    },
    /// The algorithm is not `AWS4-HMAC-SHA256`.
    Algorithm {
        /// Where it was given.
        form: SignatureForm,
        /// The name as given.
        name: String,
    },
    /// A part of the `Authorization` header has no equals sign.
    NotAPair {
        /// The part.
        pair: String,
        /// The whole header.
        header: String,
    },
    /// Parts of the `Authorization` header are missing.
    HeaderParams(MissingParams),
    /// Query parameters of a presigned URL are missing.
    QueryParams {
        /// The missing parts.
        missing: MissingParams,
        /// Whether `X-Amz-Expires` is missing; only S3 requires it.
        expires: bool,
    },
    /// A part of the signature is repeated.
    Repeated {
        /// Where the signature was sent.
        form: SignatureForm,
        /// The part's name.
        name: String,
    },
    /// Headers that must be signed are not. Lower case, sorted.
    HeadersNotSigned(Vec<String>),
    /// The list of signed headers is not lower case, sorted and unique.
    SignedHeaders {
        /// Where the list was sent.
        form: SignatureForm,
        /// The list.
        got: String,
    },
    /// The request's date cannot be parsed.
    DateForm {
        /// Where the signature was sent.
        form: SignatureForm,
        /// The text given.
        got: String,
    },
    /// The request's date is too old.
    TooOld {
        /// The request's date.
        date: Timestamp,
        /// The server's time.
        now: Timestamp,
    },
    /// The request's date is too far in the future.
    TooEarly {
        /// The request's date.
        date: Timestamp,
        /// The server's time.
        now: Timestamp,
    },
    /// A presigned URL has expired.
    PresignExpired {
        /// `X-Amz-Expires`.
        expires_secs: u32,
        /// When it expired.
        expired_at: Timestamp,
        /// The server's time.
        now: Timestamp,
    },
    /// A presigned URL is not valid yet.
    PresignEarly,
    /// The credential does not have five parts.
    CredentialForm {
        /// Where the credential was sent.
        form: SignatureForm,
        /// The credential.
        got: String,
    },
    /// The credential scope does not match the request.
    Scope(Box<ScopeFault>),
    /// `X-Amz-Expires` is out of range.
    Expires(ExpiresFault),
    /// S3 requires `x-amz-content-sha256`, and it is missing.
    ContentSha256Missing,
    /// `x-amz-content-sha256` is neither a hash nor a known keyword.
    ContentSha256Form {
        /// The value given.
        got: String,
    },
    /// The body's hash differs from the declared hash. Both are in lower-case hex.
    BodyHash {
        /// The declared hash.
        declared: String,
        /// The computed hash.
        computed: String,
    },
    /// An invalid escape in the path.
    PathEscape(EscapeError),
    /// An invalid escape in the query string, or one that does not decode to UTF-8 where text is
    /// required.
    QueryEscape(EscapeError),
    /// The key is unknown, inactive or deleted, or its session token is missing.
    UnknownKey {
        /// The id as presented.
        access_key_id: String,
    },
    /// The session token has expired.
    TokenExpired {
        /// The token as presented.
        token: Secret<String>,
    },
    /// The session token is not valid and never was.
    TokenInvalid {
        /// The token as presented.
        token: Secret<String>,
    },
    /// The signature does not match.
    Mismatch(Box<SignatureMismatch>),
    /// An aws-chunked body is invalid.
    Chunk(ChunkFault),
}

impl std::fmt::Display for SignatureFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.wire(SigningDialect::Query).text())
    }
}

impl std::error::Error for SignatureFault {}

impl From<SignatureMismatch> for SignatureFault {
    fn from(mismatch: SignatureMismatch) -> Self {
        Self::Mismatch(Box::new(mismatch))
    }
}

impl From<ChunkFault> for SignatureFault {
    fn from(fault: ChunkFault) -> Self {
        Self::Chunk(fault)
    }
}
