//! Parses the signature that a request presents, and checks what can be checked without a key.
//!
//! Invariant: checks run in AWS's order, which clients can observe: escapes, mechanism, algorithm
//! and parts, signed headers, date, credential, scope. Only then may a key be looked up. The
//! signature itself is checked in `verify.rs`.

use std::borrow::Cow;

use http::{HeaderMap, Uri, request::Parts};
use keywright_base::{Secret, Timestamp, limits, region};

use crate::{
    CredentialScope, ExpiresFault, ScopeFault, SignatureFault, SignatureForm, TERMINATOR,
    authorization::SignatureClaim,
    canonical,
    query::{QueryString, decode},
};

/// Selects the service's checks and error texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningDialect {
    /// IAM and STS.
    Query,
    /// S3.
    S3,
}

/// What the called service expects of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceRules {
    /// Which checks and error texts apply.
    pub dialect: SigningDialect,
    /// The service's signing name: `iam`, `sts` or `s3`.
    pub service: &'static str,
    /// The region that S3 names as expected when the given one is unknown. Every known region is
    /// accepted, because SDKs on a custom endpoint sign for the client's own region.
    pub home_region: &'static str,
}

/// How the request was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningMode {
    /// In the `Authorization` header.
    Header,
    /// In the query string of a URL.
    Presigned {
        /// Validity in seconds from the request's date. IAM and STS ignore `X-Amz-Expires` and
        /// apply the header's time window to every URL.
        expires_secs: u32,
    },
}

/// What the request declares about its body (`x-amz-content-sha256`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadClaim {
    /// Nothing: the caller hashes the body. Always the case for IAM and STS.
    Undeclared,
    /// The SHA-256 of the body.
    Sha256([u8; 32]),
    /// `UNSIGNED-PAYLOAD`.
    Unsigned,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: signed chunks.
    Streaming,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`: signed chunks and a signed trailer.
    StreamingTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`: unsigned chunks and a trailer.
    StreamingUnsignedTrailer,
}

impl PayloadClaim {
    /// Parses the value of `x-amz-content-sha256`.
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "UNSIGNED-PAYLOAD" => Self::Unsigned,
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Self::Streaming,
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Self::StreamingTrailer,
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Self::StreamingUnsignedTrailer,
            _ => {
                let mut hash = [0; 32];
                hex::decode_to_slice(text, &mut hash).ok()?;
                let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
                lower.then_some(Self::Sha256(hash))?
            }
        })
    }

    /// The keyword in the canonical request; `None` where it has a hash instead.
    pub(crate) const fn marker(self) -> Option<&'static str> {
        match self {
            Self::Undeclared | Self::Sha256(_) => None,
            Self::Unsigned => Some("UNSIGNED-PAYLOAD"),
            Self::Streaming => Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            Self::StreamingTrailer => Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
            Self::StreamingUnsignedTrailer => Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        }
    }

    /// The value of `x-amz-content-sha256` that is signed; `None` if none was declared.
    pub fn declared(self) -> Option<String> {
        match self {
            Self::Sha256(hash) => Some(hex::encode(hash)),
            other => other.marker().map(str::to_owned),
        }
    }

    /// Whether the body is aws-chunked.
    pub const fn is_streaming(self) -> bool {
        matches!(
            self,
            Self::Streaming | Self::StreamingTrailer | Self::StreamingUnsignedTrailer
        )
    }
}

/// What a request presents. These are claims; none is proven before [`PresentedSignature::verify`].
#[derive(Debug)]
pub struct PresentedSignature {
    pub(crate) dialect: SigningDialect,
    pub(crate) access_key_id: String,
    pub(crate) scope: CredentialScope,
    pub(crate) signed_headers: String,
    pub(crate) signature: String,
    session_token: Option<Secret<String>>,
    date: Timestamp,
    /// The date as sent, because that is the form that is signed.
    pub(crate) amz_date: String,
    mode: SigningMode,
    pub(crate) payload: PayloadClaim,
}

impl PresentedSignature {
    /// Parses and checks what `parts` presents, in AWS's order. The first failure is returned.
    ///
    /// # Errors
    /// The [`SignatureFault`] to render. [`SignatureFault::Missing`] means that the request is
    /// unsigned.
    pub fn parse(
        parts: &Parts,
        now: Timestamp,
        rules: &ServiceRules,
    ) -> Result<Self, SignatureFault> {
        let raw_query = parts.uri.query().unwrap_or_default();
        canonical::check_escapes(parts.uri.path()).map_err(SignatureFault::PathEscape)?;
        canonical::check_escapes(raw_query).map_err(SignatureFault::QueryEscape)?;
        let query = QueryString::read(raw_query);
        let claim = SignatureClaim::read(parts, &query, rules.dialect)?;
        let (date, scope, access_key_id) = match rules.dialect {
            SigningDialect::Query => check_query(parts, now, rules, &claim)?,
            SigningDialect::S3 => check_s3(parts, now, rules, &claim)?,
        };
        let payload = match rules.dialect {
            SigningDialect::Query => PayloadClaim::Undeclared,
            SigningDialect::S3 => s3_payload(parts, &query, claim.form)?,
        };
        Ok(Self {
            dialect: rules.dialect,
            access_key_id,
            scope,
            mode: mode(&claim, rules.dialect)?,
            signed_headers: claim.signed_headers,
            signature: claim.signature,
            session_token: claim.session_token.map(Secret::new),
            date,
            amz_date: claim.date,
            payload,
        })
    }

    /// The access key ID as sent. It may be malformed.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The credential scope.
    pub const fn scope(&self) -> &CredentialScope {
        &self.scope
    }

    /// The names of the signed headers: lower case, sorted, separated by semicolons.
    pub fn signed_headers(&self) -> &str {
        &self.signed_headers
    }

    /// The signature as sent.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// The session token, if any.
    pub const fn session_token(&self) -> Option<&Secret<String>> {
        self.session_token.as_ref()
    }

    /// The request's date.
    pub const fn date(&self) -> Timestamp {
        self.date
    }

    /// How the request was signed.
    pub const fn mode(&self) -> SigningMode {
        self.mode
    }

    /// What the request declares about its body.
    pub const fn payload(&self) -> PayloadClaim {
        self.payload
    }

    /// Checks a complete body against its declaration; `computed` is its SHA-256.
    ///
    /// # Errors
    /// [`SignatureFault::BodyHash`] if a different hash was declared.
    pub fn check_body(&self, computed: &[u8; 32]) -> Result<(), SignatureFault> {
        match self.payload {
            PayloadClaim::Sha256(declared) if declared != *computed => {
                Err(SignatureFault::BodyHash {
                    declared: hex::encode(declared),
                    computed: hex::encode(computed),
                })
            }
            _ => Ok(()),
        }
    }
}

/// The service in the request's claimed credential, for routing only: it is not authenticated.
/// `None` if there is no credential of five parts.
pub fn claimed_service<'a>(headers: &'a HeaderMap, uri: &Uri) -> Option<Cow<'a, str>> {
    let credential = match headers.get(http::header::AUTHORIZATION) {
        Some(header) => {
            let text = header.to_str().ok()?;
            // The form that clients write; other forms take the slow path.
            let usual = text.strip_prefix("AWS4-HMAC-SHA256 Credential=");
            let rest = usual.or_else(|| Some(text.split_once("Credential=")?.1))?;
            return service_of(rest.split([',', ' ']).next()?).map(Cow::Borrowed);
        }
        None => decode(QueryString::read(uri.query()?).value("X-Amz-Credential")?).ok()?,
    };
    service_of(&credential).map(|service| Cow::Owned(service.to_owned()))
}

/// The service of a credential of five parts.
fn service_of(credential: &str) -> Option<&str> {
    let mut fields = credential.rsplit('/');
    let service = fields.nth(1)?;
    fields.nth(2).map(|_| service)
}

/// IAM and STS check in this order: signed headers, date, window, credential, scope.
fn check_query(
    parts: &Parts,
    now: Timestamp,
    rules: &ServiceRules,
    claim: &SignatureClaim,
) -> Result<(Timestamp, CredentialScope, String), SignatureFault> {
    check_signed_headers(parts, rules.dialect, claim)?;
    let date = parse_date(claim)?;
    check_window(date, now)?;
    let (scope, access_key_id) = check_credential(rules, claim, date)?;
    Ok((date, scope, access_key_id))
}

/// S3 checks in this order: date, credential, scope, window or expiry, signed headers.
fn check_s3(
    parts: &Parts,
    now: Timestamp,
    rules: &ServiceRules,
    claim: &SignatureClaim,
) -> Result<(Timestamp, CredentialScope, String), SignatureFault> {
    let date = parse_date(claim)?;
    let (scope, access_key_id) = check_credential(rules, claim, date)?;
    match mode(claim, rules.dialect)? {
        SigningMode::Header => check_window(date, now)?,
        SigningMode::Presigned { expires_secs } => check_expiry(date, expires_secs, now)?,
    }
    check_signed_headers(parts, rules.dialect, claim)?;
    Ok((date, scope, access_key_id))
}

fn check_signed_headers(
    parts: &Parts,
    dialect: SigningDialect,
    claim: &SignatureClaim,
) -> Result<(), SignatureFault> {
    let list = claim.signed_headers.as_str();
    // Bounded before any comparison, because the request is not authenticated yet.
    let names: Vec<&str> = list.split(';').take(limits::HEADERS + 1).collect();
    let signed = |name: &str| names.contains(&name);
    let mut unsigned = Vec::new();
    if !signed("host") {
        unsigned.push("host".to_owned());
    }
    for name in parts.headers.keys().map(http::HeaderName::as_str) {
        if must_be_signed(name, dialect, claim.form) && !signed(name) {
            unsigned.push(name.to_owned());
        }
    }
    if !unsigned.is_empty() {
        unsigned.sort_unstable();
        return Err(SignatureFault::HeadersNotSigned(unsigned));
    }
    let lower = !list.bytes().any(|b| b.is_ascii_uppercase());
    let ascending = names.is_sorted_by(|a, b| a < b);
    if lower && ascending && names.len() <= limits::HEADERS {
        return Ok(());
    }
    Err(SignatureFault::SignedHeaders {
        form: claim.form,
        got: list.to_owned(),
    })
}

/// In a presigned URL, the canonical request's last line covers `x-amz-content-sha256` instead.
fn must_be_signed(name: &str, dialect: SigningDialect, form: SignatureForm) -> bool {
    match (dialect, form) {
        (SigningDialect::Query, _) => name == "content-type" || name.starts_with("x-amz-"),
        (SigningDialect::S3, SignatureForm::Header) => name.starts_with("x-amz-"),
        (SigningDialect::S3, SignatureForm::Query) => {
            name.starts_with("x-amz-") && name != "x-amz-content-sha256"
        }
    }
}

fn parse_date(claim: &SignatureClaim) -> Result<Timestamp, SignatureFault> {
    let text = claim.date.as_str();
    let digits = text.len() == 16
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    let date = Timestamp::parse_amz_date(text).ok().filter(|_| digits);
    date.ok_or_else(|| SignatureFault::DateForm {
        form: claim.form,
        got: text.to_owned(),
    })
}

fn check_window(date: Timestamp, now: Timestamp) -> Result<(), SignatureFault> {
    let window_secs = limits::CLOCK_SKEW_MINUTES * 60;
    let now = now.truncate_to_secs();
    if date < now.plus_secs(-window_secs) {
        Err(SignatureFault::TooOld { date, now })
    } else if date > now.plus_secs(window_secs) {
        Err(SignatureFault::TooEarly { date, now })
    } else {
        Ok(())
    }
}

fn check_expiry(date: Timestamp, expires_secs: u32, now: Timestamp) -> Result<(), SignatureFault> {
    let expired_at = date.plus_secs(i64::from(expires_secs));
    if date > now.plus_secs(limits::CLOCK_SKEW_MINUTES * 60) {
        return Err(SignatureFault::PresignEarly);
    }
    if now >= expired_at {
        return Err(SignatureFault::PresignExpired {
            expires_secs,
            expired_at,
            now,
        });
    }
    Ok(())
}

fn check_credential(
    rules: &ServiceRules,
    claim: &SignatureClaim,
    date: Timestamp,
) -> Result<(CredentialScope, String), SignatureFault> {
    let mut fields = claim.credential.split('/');
    let mut next = || fields.next();
    let [
        Some(access_key_id),
        Some(day),
        Some(region_code),
        Some(service),
        Some(terminator),
        None,
    ] = [next(), next(), next(), next(), next(), next()]
    else {
        return Err(credential_form(claim));
    };
    if access_key_id.is_empty() {
        return Err(credential_form(claim));
    }
    let known = region(region_code);
    let day_expected = claim.date.get(..8).unwrap_or_default();
    let wrong = |given: &str, right: bool| (!right).then(|| given.to_owned());
    let fault = ScopeFault {
        form: claim.form,
        region: wrong(region_code, known.is_some()),
        region_expected: rules.home_region,
        service: wrong(service, service == rules.service),
        service_expected: rules.service,
        terminator: wrong(terminator, terminator == TERMINATOR),
        date: wrong(day, day == day_expected),
        request_date: date,
    };
    let (Some(known), Ok(bytes)) = (known, <[u8; 8]>::try_from(day.as_bytes())) else {
        return Err(SignatureFault::Scope(Box::new(fault)));
    };
    if fault.service.is_some() || fault.terminator.is_some() || fault.date.is_some() {
        return Err(SignatureFault::Scope(Box::new(fault)));
    }
    let scope = CredentialScope::new(bytes, known.code, rules.service);
    Ok((scope, access_key_id.to_owned()))
}

fn credential_form(claim: &SignatureClaim) -> SignatureFault {
    SignatureFault::CredentialForm {
        form: claim.form,
        got: claim.credential.clone(),
    }
}

fn mode(claim: &SignatureClaim, dialect: SigningDialect) -> Result<SigningMode, SignatureFault> {
    if claim.form == SignatureForm::Header {
        return Ok(SigningMode::Header);
    }
    let secs = match (dialect, claim.expires.as_deref()) {
        (SigningDialect::S3, Some(text)) => {
            let secs: i64 = text
                .parse()
                .map_err(|_| SignatureFault::Expires(ExpiresFault::NotANumber))?;
            if secs < 0 {
                return Err(SignatureFault::Expires(ExpiresFault::Negative));
            }
            if secs > limits::PRESIGN_SECS_MAX {
                return Err(SignatureFault::Expires(ExpiresFault::TooLong));
            }
            secs
        }
        _ => limits::CLOCK_SKEW_MINUTES * 60,
    };
    let expires_secs =
        u32::try_from(secs).map_err(|_| SignatureFault::Expires(ExpiresFault::TooLong))?;
    Ok(SigningMode::Presigned { expires_secs })
}

/// S3's payload declaration: the header or, in query form, also the parameter. A URL without one is
/// unsigned.
fn s3_payload(
    parts: &Parts,
    query: &QueryString,
    form: SignatureForm,
) -> Result<PayloadClaim, SignatureFault> {
    let name = "x-amz-content-sha256";
    let mut values = parts.headers.get_all(name).iter();
    let (header, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(SignatureFault::Repeated {
            form: SignatureForm::Header,
            name: name.to_owned(),
        });
    }
    let parameter = match form {
        SignatureForm::Header => None,
        SignatureForm::Query => query.value("X-Amz-Content-Sha256"),
    };
    let declared = match (header, parameter) {
        (Some(header), _) => String::from_utf8_lossy(header.as_bytes()).into_owned(),
        (None, Some(parameter)) => parameter.to_owned(),
        (None, None) if form == SignatureForm::Query => return Ok(PayloadClaim::Unsigned),
        (None, None) => return Err(SignatureFault::ContentSha256Missing),
    };
    PayloadClaim::parse(&declared).ok_or(SignatureFault::ContentSha256Form { got: declared })
}
