//! Why a request is not authentic, with what a human needs to mend it.
//!
//! It protects the split between reason and text: this file knows reasons, `wire.rs` knows AWS's
//! words. No variant holds a secret in the clear.

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

/// A bad percent escape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EscapeError {
    /// The text ends inside an escape.
    Incomplete,
    /// Two characters that are not hex follow the `%`; the three are kept, lossily.
    Illegal(String),
}

/// Which of the parts of a signature are absent.
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

/// What is wrong with a credential scope; every field that is `Some` is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeFault {
    /// Where the credential stands.
    pub form: SignatureForm,
    /// The region given, which is not a region.
    pub region: Option<String>,
    /// The region named in S3's answer.
    pub region_expected: &'static str,
    /// The service given.
    pub service: Option<String>,
    /// The service that was called.
    pub service_expected: &'static str,
    /// The last part given, which is not `aws4_request`.
    pub terminator: Option<String>,
    /// The day given, which is not the day of the request's date.
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
    /// The request carries no signature at all. S3's caller may treat it as anonymous.
    Missing,
    /// Several signatures: header and query, or two `Authorization` headers.
    TwoMechanisms,
    /// Signature Version 2.
    SignatureV2,
    /// A part of a URL that is signed with Version 2 is missing.
    QueryV2Params,
    /// The `Expires` of such a URL is no number of seconds; the text as given.
    ExpiresV2Form(String),
    /// The time of such a URL is over.
    ExpiredV2 {
        /// When it ran out.
        expired_at: Timestamp,
        /// The server's time.
        now: Timestamp,
    },
    /// Another algorithm than `AWS4-HMAC-SHA256`; the name as given.
    Algorithm {
        /// Where it was named.
        form: SignatureForm,
        /// The name.
        name: String,
    },
    /// A part of the `Authorization` header has no equal-sign.
    NotAPair {
        /// The part.
        pair: String,
        /// The whole header.
        header: String,
    },
    /// Parts of the `Authorization` header are absent.
    HeaderParams(MissingParams),
    /// Presigned parameters are absent.
    QueryParams {
        /// Which.
        missing: MissingParams,
        /// Whether `X-Amz-Expires` is absent, which only S3 requires.
        expires: bool,
    },
    /// A part of the signature is given twice.
    Repeated {
        /// Where.
        form: SignatureForm,
        /// Its name.
        name: String,
    },
    /// Headers that must be signed are not; lower case, sorted.
    HeadersNotSigned(Vec<String>),
    /// The list of signed headers is not lower case, sorted and free of repetition.
    SignedHeaders {
        /// Where the list stands.
        form: SignatureForm,
        /// The list.
        got: String,
    },
    /// The request's date does not parse.
    DateForm {
        /// Where the signature stands.
        form: SignatureForm,
        /// The text given.
        got: String,
    },
    /// The request's date is too old.
    TooOld {
        /// The request's date.
        date: Timestamp,
        /// The server's.
        now: Timestamp,
    },
    /// The request's date is too far in the future.
    TooEarly {
        /// The request's date.
        date: Timestamp,
        /// The server's.
        now: Timestamp,
    },
    /// A presigned URL's time is over.
    PresignExpired {
        /// `X-Amz-Expires`.
        expires_secs: u32,
        /// When it ran out.
        expired_at: Timestamp,
        /// The server's time.
        now: Timestamp,
    },
    /// A presigned URL's time has not come.
    PresignEarly,
    /// The credential does not have five parts.
    CredentialForm {
        /// Where it stands.
        form: SignatureForm,
        /// The credential.
        got: String,
    },
    /// The credential scope is not that of this request.
    Scope(Box<ScopeFault>),
    /// `X-Amz-Expires` is out of range.
    Expires(ExpiresFault),
    /// S3 wants `x-amz-content-sha256` and it is absent.
    ContentSha256Missing,
    /// `x-amz-content-sha256` is neither a hash nor a known marker.
    ContentSha256Form {
        /// The value given.
        got: String,
    },
    /// The body is not the one that was declared. Hashes in lower-case hex.
    BodyHash {
        /// As declared.
        declared: String,
        /// As computed.
        computed: String,
    },
    /// A bad escape in the path.
    PathEscape(EscapeError),
    /// A bad escape in the query string, or one that does not give UTF-8 where text is needed.
    QueryEscape(EscapeError),
    /// The key is unknown, inactive or deleted, or its session token is missing.
    UnknownKey {
        /// The id as presented.
        access_key_id: String,
    },
    /// The session token was good once.
    TokenExpired {
        /// The token as presented.
        token: Secret<String>,
    },
    /// The session token was never good.
    TokenInvalid {
        /// The token as presented.
        token: Secret<String>,
    },
    /// The signature is wrong.
    Mismatch(Box<SignatureMismatch>),
    /// An aws-chunked body is wrong.
    Chunk(ChunkFault),
}

impl std::fmt::Display for SignatureFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.wire(SigningDialect::Query).message)
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
