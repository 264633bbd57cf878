//! Renders every authentication failure as AWS does: code, status, message and extra elements.
//!
//! Clients match on these texts, so they are written only here, and a golden test covers each of
//! them. XML is written elsewhere.

use std::borrow::Cow;

use keywright_base::{Timestamp, WireError};

use crate::{
    ALGORITHM_V4A, ChunkFault, EscapeError, ExpiresFault, MissingParams, ScopeFault,
    SignatureFault, SignatureForm, SignatureMismatch, SigningDialect, TERMINATOR,
};

const MISMATCH_QUERY: &str = "The request signature we calculated does not match the signature you \
    provided. Check your AWS Secret Access Key and signing method. Consult the service \
    documentation for details.";
const MISMATCH_S3: &str = "The request signature we calculated does not match the signature you \
    provided. Check your key and signing method.";
const TOKEN_INVALID: &str = "The security token included in the request is invalid.";
const TWO_MECHANISMS: &str = "Only one auth mechanism allowed; only the X-Amz-Algorithm query \
    parameter, Signature query string parameter or the Authorization header should be specified";
const MALFORMED_TOKEN: &str = "The provided token is malformed or otherwise invalid.";
const SIX_PARAMETERS: &str = "Query-string authentication version 4 requires the X-Amz-Algorithm, \
    X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires \
    parameters.";
const NOT_SUPPORTED: &str = "The authorization mechanism you have provided is not supported. \
    Please use AWS4-HMAC-SHA256.";
const V2_HINT: &str = "This request is signed with Signature Version 2: run 'aws configure set \
    default.s3.signature_version s3v4', or give boto3 Config(signature_version=\"s3v4\").";
const V4A_HINT: &str = "This request is signed with Signature Version 4A (AWS4-ECDSA-P256-SHA256): \
    set the region of the client to one region.";
const NO_DATE: &str = "AWS authentication requires a valid Date or x-amz-date header";
const PAYLOADS: &str = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, \
    STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, \
    STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.";

impl SignatureFault {
    /// Renders the fault for the given dialect.
    pub fn wire(&self, dialect: SigningDialect) -> WireError {
        match dialect {
            SigningDialect::Query => query(self),
            SigningDialect::S3 => s3(self),
        }
    }
}

impl SignatureFault {
    /// Renders the fault for a service that speaks AWS JSON: IAM's texts under other codes.
    pub fn json_wire(&self) -> WireError {
        let fault = query(self);
        let code = match &*fault.code {
            "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
            "SignatureDoesNotMatch" => "InvalidSignatureException",
            "IncompleteSignature" => "IncompleteSignatureException",
            "InvalidClientTokenId" => "UnrecognizedClientException",
            "ExpiredToken" => "ExpiredTokenException",
            _ => return fault,
        };
        WireError {
            status: 400,
            code: code.into(),
            ..fault
        }
    }
}

/// The responses of IAM and STS.
fn query(fault: &SignatureFault) -> WireError {
    match fault {
        SignatureFault::Missing => wire(
            "MissingAuthenticationToken",
            403,
            "Request is missing Authentication Token",
        ),
        SignatureFault::TwoMechanisms => unmatched(""),
        SignatureFault::SignatureV2 => incomplete(format!("{NOT_SUPPORTED} {V2_HINT}")),
        SignatureFault::Algorithm { name, .. } => incomplete(algorithm(name)),
        SignatureFault::NotAPair { pair, header } => incomplete(format!(
            "'{pair}' not a valid key=value pair (missing equal-sign) in Authorization header: \
             '{header}'"
        )),
        SignatureFault::HeaderParams(missing) => incomplete(header_params(*missing)),
        SignatureFault::QueryParams { missing, .. } => incomplete(query_params(*missing)),
        SignatureFault::Repeated { name, .. } => {
            incomplete(format!("'{name}' must not be given more than once."))
        }
        SignatureFault::HeadersNotSigned(names) => unmatched(headers_not_signed(names)),
        SignatureFault::SignedHeaders { got, .. } => incomplete(format!(
            "SignedHeaders must be lower case, sorted and without repetition. Got '{got}'."
        )),
        SignatureFault::DateForm { got, .. } => incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{got}'. \
             See http://en.wikipedia.org/wiki/ISO_8601"
        )),
        SignatureFault::TooOld { date, now } => unmatched(too_old(*date, *now)),
        SignatureFault::TooEarly { date, now } => unmatched(too_early(*date, *now)),
        SignatureFault::CredentialForm { got, .. } => incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term, got '{got}'"
        )),
        SignatureFault::Scope(scope) => unmatched(scope_query(scope)),
        SignatureFault::PathEscape(bad) => wire("InvalidURIPath", 400, escape(bad)),
        SignatureFault::QueryEscape(bad) => wire("MalformedQueryString", 400, escape(bad)),
        SignatureFault::UnknownKey { .. } | SignatureFault::TokenInvalid { .. } => {
            wire("InvalidClientTokenId", 403, TOKEN_INVALID)
        }
        SignatureFault::TokenExpired { .. } => wire(
            "ExpiredToken",
            403,
            "The security token included in the request is expired",
        ),
        SignatureFault::Mismatch(_) => unmatched(MISMATCH_QUERY),
        // Only S3 requests can cause these, so the text exists once.
        SignatureFault::PresignExpired { .. }
        | SignatureFault::QueryV2Params
        | SignatureFault::ExpiresV2Form(_)
        | SignatureFault::ExpiredV2 { .. }
        | SignatureFault::PresignEarly
        | SignatureFault::Expires(_)
        | SignatureFault::ContentSha256Missing
        | SignatureFault::ContentSha256Form { .. }
        | SignatureFault::BodyHash { .. }
        | SignatureFault::Chunk(_) => s3(fault),
    }
}

/// The responses of S3.
fn s3(fault: &SignatureFault) -> WireError {
    match fault {
        SignatureFault::Missing => denied("Access Denied"),
        SignatureFault::TwoMechanisms => argument(TWO_MECHANISMS, "Authorization", ""),
        SignatureFault::SignatureV2 => invalid_request(format!("{NOT_SUPPORTED} {V2_HINT}")),
        SignatureFault::Algorithm { form, name } => algorithm_s3(*form, name),
        SignatureFault::NotAPair { pair, .. } => malformed(&component(pair)),
        SignatureFault::HeaderParams(missing) => header_params_s3(*missing),
        SignatureFault::QueryParams { .. } => parameters(SIX_PARAMETERS),
        SignatureFault::Repeated { form, name } => repeated_s3(*form, name),
        SignatureFault::HeadersNotSigned(names) => {
            denied("There were headers present in the request which were not signed")
                .with("HeadersNotSigned", names.join(", "))
        }
        SignatureFault::SignedHeaders { form, got } => match form {
            SignatureForm::Header => malformed(&component(&format!("SignedHeaders={got}"))),
            SignatureForm::Query => parameters("Error parsing the X-Amz-SignedHeaders parameter."),
        },
        SignatureFault::DateForm { form, .. } => date_form_s3(*form),
        SignatureFault::TooOld { date, now } | SignatureFault::TooEarly { date, now } => {
            skewed(*date, *now)
        }
        SignatureFault::PresignExpired {
            expires_secs,
            expired_at,
            now,
        } => denied("Request has expired")
            .with("X-Amz-Expires", expires_secs.to_string())
            .with("Expires", expired_at.iso8601())
            .with("ServerTime", now.iso8601()),
        SignatureFault::PresignEarly => denied("Request is not valid yet"),
        SignatureFault::QueryV2Params => denied(
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId \
             parameters",
        ),
        SignatureFault::ExpiresV2Form(got) => denied(format!(
            "Invalid date (should be seconds since epoch): {got}"
        )),
        SignatureFault::ExpiredV2 { expired_at, now } => denied("Request has expired")
            .with("Expires", expired_at.iso8601())
            .with("ServerTime", now.iso8601()),
        SignatureFault::CredentialForm { form, .. } => credential(
            *form,
            "the Credential is mal-formed; expecting \
             \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
        ),
        SignatureFault::Scope(scope) => scope_s3(scope),
        SignatureFault::Expires(fault) => parameters(expires(*fault)),
        SignatureFault::PathEscape(_) | SignatureFault::QueryEscape(_) => {
            wire("InvalidURI", 400, "Couldn't parse the specified URI.")
        }
        SignatureFault::ContentSha256Missing => {
            invalid_request("Missing required header for this request: x-amz-content-sha256")
        }
        SignatureFault::ContentSha256Form { got } => {
            argument(PAYLOADS, "x-amz-content-sha256", got)
        }
        SignatureFault::BodyHash { declared, computed } => body_hash(declared, computed),
        SignatureFault::UnknownKey { access_key_id } => unknown_key(access_key_id),
        SignatureFault::TokenExpired { token } => {
            wire("ExpiredToken", 400, "The provided token has expired.")
                .with("Token-0", token.expose())
        }
        SignatureFault::TokenInvalid { token } => {
            wire("InvalidToken", 400, MALFORMED_TOKEN).with("Token-0", token.expose())
        }
        SignatureFault::Mismatch(mismatch) => mismatch_s3(mismatch),
        SignatureFault::Chunk(fault) => chunk(fault),
    }
}

fn date_form_s3(form: SignatureForm) -> WireError {
    match form {
        SignatureForm::Header => denied(NO_DATE),
        SignatureForm::Query => {
            parameters("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        }
    }
}

fn body_hash(declared: &str, computed: &str) -> WireError {
    wire(
        "XAmzContentSHA256Mismatch",
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
    .with("ClientComputedContentSHA256", declared)
    .with("S3ComputedContentSHA256", computed)
}

fn unknown_key(access_key_id: &str) -> WireError {
    wire(
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    )
    .with("AWSAccessKeyId", access_key_id)
}

fn wire(code: &'static str, status: u16, message: impl Into<Cow<'static, str>>) -> WireError {
    WireError::new(status, code, message)
}

fn incomplete(message: impl Into<Cow<'static, str>>) -> WireError {
    wire("IncompleteSignature", 400, message)
}

fn unmatched(message: impl Into<Cow<'static, str>>) -> WireError {
    wire("SignatureDoesNotMatch", 403, message)
}

fn denied(message: impl Into<Cow<'static, str>>) -> WireError {
    wire("AccessDenied", 403, message)
}

fn invalid_request(message: impl Into<Cow<'static, str>>) -> WireError {
    wire("InvalidRequest", 400, message)
}

fn malformed(detail: &str) -> WireError {
    let message = format!("The authorization header is malformed; {detail}");
    wire("AuthorizationHeaderMalformed", 400, message)
}

fn parameters(message: impl Into<Cow<'static, str>>) -> WireError {
    wire("AuthorizationQueryParametersError", 400, message)
}

fn argument(message: &'static str, name: &str, value: &str) -> WireError {
    wire("InvalidArgument", 400, message)
        .with("ArgumentName", name)
        .with("ArgumentValue", value)
}

/// An invalid credential, in either form.
fn credential(form: SignatureForm, detail: &str) -> WireError {
    match form {
        SignatureForm::Header => malformed(detail),
        SignatureForm::Query => parameters(format!(
            "Error parsing the X-Amz-Credential parameter; {detail}"
        )),
    }
}

fn component(part: &str) -> String {
    format!("the authorization component \"{part}\" is malformed.")
}

fn algorithm(name: &str) -> String {
    let text = format!("Unsupported AWS 'algorithm': '{name}'.");
    match name {
        ALGORITHM_V4A => format!("{text} {V4A_HINT}"),
        _ => text,
    }
}

fn algorithm_s3(form: SignatureForm, name: &str) -> WireError {
    match (form, name) {
        (_, ALGORITHM_V4A) => invalid_request(format!("{NOT_SUPPORTED} {V4A_HINT}")),
        (SignatureForm::Header, _) => {
            argument("Unsupported Authorization Type", "Authorization", name)
        }
        (SignatureForm::Query, _) => {
            parameters("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"")
        }
    }
}

fn header_params(missing: MissingParams) -> String {
    let mut text = String::new();
    for (absent, name) in [
        (missing.credential, "Credential"),
        (missing.signature, "Signature"),
        (missing.signed_headers, "SignedHeaders"),
    ] {
        if absent {
            text.push_str(&format!(
                "Authorization header requires '{name}' parameter. "
            ));
        }
    }
    if missing.date {
        text.push_str(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
        );
    }
    text.push_str("Authorization=AWS4-HMAC-SHA256");
    text
}

fn header_params_s3(missing: MissingParams) -> WireError {
    match missing {
        MissingParams {
            credential: true,
            signature: true,
            signed_headers: true,
            ..
        } => malformed(
            "the authorization header requires three components: Credential, SignedHeaders, and \
             Signature.",
        ),
        MissingParams {
            credential: true, ..
        } => malformed("missing Credential."),
        MissingParams {
            signed_headers: true,
            ..
        } => malformed("missing SignedHeaders."),
        MissingParams {
            signature: true, ..
        } => malformed("missing Signature."),
        _ => denied(NO_DATE),
    }
}

fn query_params(missing: MissingParams) -> String {
    let mut text = String::new();
    for (absent, name) in [
        (missing.credential, "Credential"),
        (missing.signature, "Signature"),
        (missing.signed_headers, "SignedHeaders"),
        (missing.date, "Date"),
    ] {
        if absent {
            text.push_str(&format!(
                "AWS query-string parameters must include 'X-Amz-{name}'. "
            ));
        }
    }
    text.push_str("Re-examine the query-string parameters.");
    text
}

fn repeated_s3(form: SignatureForm, name: &str) -> WireError {
    match (form, name) {
        (SignatureForm::Query, _) => parameters(SIX_PARAMETERS),
        (SignatureForm::Header, "Credential" | "SignedHeaders" | "Signature") => {
            malformed(&component(name))
        }
        (SignatureForm::Header, "date" | "x-amz-date") => denied(NO_DATE),
        (SignatureForm::Header, _) => {
            argument("This header must not be given more than once", name, "")
        }
    }
}

fn headers_not_signed(names: &[String]) -> String {
    let sentences = names.iter().map(|name| match name.as_str() {
        "host" => {
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".into()
        }
        _ => format!(
            "'{}' must be a 'SignedHeader' in the AWS Authorization.",
            title_case(name)
        ),
    });
    sentences.collect::<Vec<String>>().join(" ")
}

/// Turns `x-amz-date` into `X-Amz-Date`.
fn title_case(name: &str) -> String {
    let mut start = true;
    let letters = name.chars().map(|letter| {
        let upper = std::mem::replace(&mut start, letter == '-');
        if upper {
            letter.to_ascii_uppercase()
        } else {
            letter
        }
    });
    letters.collect()
}

fn too_old(date: Timestamp, now: Timestamp) -> String {
    format!(
        "Signature expired: {} is now earlier than {} ({} - 15 min.)",
        date.amz_date(),
        now.plus_secs(-15 * 60).amz_date(),
        now.amz_date()
    )
}

fn too_early(date: Timestamp, now: Timestamp) -> String {
    format!(
        "Signature not yet current: {} is still later than {} ({} + 15 min.)",
        date.amz_date(),
        now.plus_secs(15 * 60).amz_date(),
        now.amz_date()
    )
}

fn skewed(date: Timestamp, now: Timestamp) -> WireError {
    wire(
        "RequestTimeTooSkewed",
        403,
        "The difference between the request time and the current time is too large.",
    )
    .with("RequestTime", date.amz_date())
    .with("ServerTime", now.iso8601())
    .with("MaxAllowedSkewMilliseconds", "900000".to_owned())
}

fn scope_query(scope: &ScopeFault) -> String {
    let mut texts = Vec::new();
    if let Some(region) = &scope.region {
        texts.push(format!(
            "Credential should be scoped to a valid region, not '{region}'."
        ));
    }
    if scope.service.is_some() {
        let expected = scope.service_expected;
        texts.push(format!(
            "Credential should be scoped to correct service: '{expected}'."
        ));
    }
    if let Some(terminator) = &scope.terminator {
        texts.push(format!(
            "Credential should be scoped with a valid terminator: '{TERMINATOR}', not \
             '{terminator}'."
        ));
    }
    if let Some(date) = &scope.date {
        texts.push(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{date}' != '{}', from '{}'.",
            scope.request_date.scope_date(),
            scope.request_date.amz_date()
        ));
    }
    texts.join(" ")
}

/// S3 reports only the first fault.
fn scope_s3(scope: &ScopeFault) -> WireError {
    let expected = scope.region_expected;
    if let Some(region) = &scope.region {
        let detail = format!("the region '{region}' is wrong; expecting '{expected}'");
        return credential(scope.form, &detail).with("Region", expected.to_owned());
    }
    if let Some(service) = &scope.service {
        let detail = format!(
            "incorrect service \"{service}\". This endpoint belongs to \"{}\".",
            scope.service_expected
        );
        return credential(scope.form, &detail);
    }
    if let Some(terminator) = &scope.terminator {
        let detail =
            format!("incorrect terminal \"{terminator}\". This endpoint uses \"{TERMINATOR}\".");
        return credential(scope.form, &detail);
    }
    let date = scope.date.as_deref().unwrap_or_default();
    if date.len() != 8 || !date.bytes().all(|b| b.is_ascii_digit()) {
        let detail = format!(
            "incorrect date format \"{date}\". This date in the credential must be in the format \
             \"yyyyMMdd\"."
        );
        return credential(scope.form, &detail);
    }
    let request = scope.request_date.scope_date();
    let detail = format!(
        "Invalid credential date \"{date}\". This date is not the same as X-Amz-Date: \
         \"{request}\"."
    );
    match scope.form {
        SignatureForm::Header => malformed(&detail),
        SignatureForm::Query => parameters(detail),
    }
}

const fn expires(fault: ExpiresFault) -> &'static str {
    match fault {
        ExpiresFault::NotANumber => "X-Amz-Expires should be a number",
        ExpiresFault::Negative => "X-Amz-Expires must be non-negative",
        ExpiresFault::TooLong => {
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires \
             must be less than 604800 seconds"
        }
    }
}

fn escape(escape: &EscapeError) -> String {
    match escape {
        EscapeError::Incomplete => "Incomplete trailing escape % sequence".to_owned(),
        EscapeError::Illegal(text) => format!("Illegal hex character in escape % pattern: {text}"),
    }
}

fn mismatch_s3(mismatch: &SignatureMismatch) -> WireError {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let answer = wire("SignatureDoesNotMatch", 403, MISMATCH_S3)
        .with("AWSAccessKeyId", mismatch.access_key_id.clone())
        .with("StringToSign", text(&mismatch.string_to_sign))
        .with("SignatureProvided", mismatch.signature_provided.clone())
        .with("StringToSignBytes", spaced_hex(&mismatch.string_to_sign));
    if mismatch.canonical_request.is_empty() {
        return answer;
    }
    answer
        .with("CanonicalRequest", text(&mismatch.canonical_request))
        .with(
            "CanonicalRequestBytes",
            spaced_hex(&mismatch.canonical_request),
        )
}

fn spaced_hex(bytes: &[u8]) -> String {
    let pairs = bytes.iter().map(|byte| format!("{byte:02x}"));
    pairs.collect::<Vec<String>>().join(" ")
}

fn chunk(fault: &ChunkFault) -> WireError {
    match fault {
        ChunkFault::Incomplete | ChunkFault::Malformed => wire(
            "IncompleteBody",
            400,
            "The request body terminated unexpectedly",
        ),
        ChunkFault::Signature => unmatched(MISMATCH_S3),
        ChunkFault::TooSmall { chunk, size } => wire(
            "InvalidChunkSizeError",
            403,
            "Only the last chunk is allowed to have a size less than 8192 bytes",
        )
        .with("Chunk", chunk.to_string())
        .with("BadChunkSize", size.to_string()),
        ChunkFault::Trailer => wire(
            "MalformedTrailerError",
            400,
            "The request contained trailing data that was not well-formed or did not conform to \
             our published schema.",
        ),
        ChunkFault::DecodedLength => wire(
            "MissingContentLength",
            411,
            "You must provide the Content-Length HTTP header.",
        ),
        ChunkFault::TooLarge { size } => wire(
            "EntityTooLarge",
            400,
            "Your proposed upload exceeds the maximum allowed size",
        )
        .with("ProposedSize", size.to_string())
        .with(
            "MaxSizeAllowed",
            keywright_base::limits::S3_PUT_BYTES_MAX.to_string(),
        ),
    }
}
