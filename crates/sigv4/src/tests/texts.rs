//! Golden tests: every response in full. Changing one changes the wire format.

use keywright_base::Secret;

use super::at;
use crate::{
    ChunkFault, EscapeError, ExpiresFault, MissingParams, ScopeFault, SignatureFault,
    SignatureForm, SignatureMismatch, SigningDialect,
};

const NOW: &str = "20260502T174643Z";

fn scope(form: SignatureForm) -> ScopeFault {
    ScopeFault {
        form,
        region: None,
        region_expected: "us-east-1",
        service: None,
        service_expected: "iam",
        terminator: None,
        date: None,
        request_date: at(NOW),
    }
}

fn check(dialect: SigningDialect, fault: &SignatureFault, status: u16, code: &str, message: &str) {
    let wire = fault.wire(dialect);
    assert_eq!((wire.status, &*wire.code), (status, code), "{fault:?}");
    assert_eq!(wire.text(), message);
}

fn mismatch() -> SignatureFault {
    SignatureFault::from(SignatureMismatch {
        access_key_id: "AKIA".to_owned(),
        signature_provided: "00ff".to_owned(),
        string_to_sign: b"AWS4\n1".to_vec(),
        canonical_request: b"GET\n/".to_vec(),
    })
}

const INVALID: &str = "The security token included in the request is invalid.";

#[test]
fn iam_and_sts() {
    let q = |fault: SignatureFault, status, code, message: &str| {
        check(SigningDialect::Query, &fault, status, code, message);
    };
    let token = || Secret::new("t".to_owned());
    let id = || "AKIA".to_owned();
    q(
        SignatureFault::Missing,
        403,
        "MissingAuthenticationToken",
        "Request is missing Authentication Token",
    );
    q(
        SignatureFault::TwoMechanisms,
        403,
        "SignatureDoesNotMatch",
        "",
    );
    q(
        SignatureFault::UnknownKey {
            access_key_id: id(),
        },
        403,
        "InvalidClientTokenId",
        INVALID,
    );
    q(
        SignatureFault::TokenInvalid { token: token() },
        403,
        "InvalidClientTokenId",
        INVALID,
    );
    q(
        SignatureFault::TokenExpired { token: token() },
        403,
        "ExpiredToken",
        "The security token included in the request is expired",
    );
    q(
        mismatch(),
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
    );
    q(
        SignatureFault::TooOld {
            date: at("20260502T144040Z"),
            now: at(NOW),
        },
        403,
        "SignatureDoesNotMatch",
        "Signature expired: 20260502T144040Z is now earlier than 20260502T173143Z (20260502T174643Z - 15 min.)",
    );
    q(
        SignatureFault::TooEarly {
            date: at("20260502T183640Z"),
            now: at("20260502T173640Z"),
        },
        403,
        "SignatureDoesNotMatch",
        "Signature not yet current: 20260502T183640Z is still later than 20260502T175140Z (20260502T173640Z + 15 min.)",
    );
    q(
        SignatureFault::Algorithm {
            form: SignatureForm::Header,
            name: "Foo".to_owned(),
        },
        400,
        "IncompleteSignature",
        "Unsupported AWS 'algorithm': 'Foo'.",
    );
    q(
        SignatureFault::NotAPair {
            pair: "FooBar".to_owned(),
            header: "AWS4-HMAC-SHA256 FooBar, BazBurp".to_owned(),
        },
        400,
        "IncompleteSignature",
        "'FooBar' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 FooBar, BazBurp'",
    );
    q(
        SignatureFault::DateForm {
            form: SignatureForm::Header,
            got: "x".to_owned(),
        },
        400,
        "IncompleteSignature",
        "Date must be in ISO-8601 'basic format'. Got 'x'. See http://en.wikipedia.org/wiki/ISO_8601",
    );
    q(
        SignatureFault::CredentialForm {
            form: SignatureForm::Header,
            got: "a/b".to_owned(),
        },
        400,
        "IncompleteSignature",
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b'",
    );
    q(
        SignatureFault::HeadersNotSigned(vec!["host".to_owned()]),
        403,
        "SignatureDoesNotMatch",
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    );
    q(
        SignatureFault::PathEscape(EscapeError::Incomplete),
        400,
        "InvalidURIPath",
        "Incomplete trailing escape % sequence",
    );
    q(
        SignatureFault::QueryEscape(EscapeError::Illegal("%yy".to_owned())),
        400,
        "MalformedQueryString",
        "Illegal hex character in escape % pattern: %yy",
    );
}

#[test]
fn everything_missing_or_mis_scoped() {
    let missing = MissingParams {
        credential: true,
        signature: true,
        signed_headers: true,
        date: true,
    };
    check(
        SigningDialect::Query,
        &SignatureFault::HeaderParams(missing),
        400,
        "IncompleteSignature",
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256",
    );
    check(
        SigningDialect::Query,
        &SignatureFault::QueryParams {
            missing,
            expires: false,
        },
        400,
        "IncompleteSignature",
        "AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.",
    );
    let wrong = ScopeFault {
        region: Some("X".to_owned()),
        service: Some("s3".to_owned()),
        terminator: Some("Y".to_owned()),
        date: Some("20260501".to_owned()),
        ..scope(SignatureForm::Header)
    };
    check(
        SigningDialect::Query,
        &SignatureFault::Scope(Box::new(wrong)),
        403,
        "SignatureDoesNotMatch",
        "Credential should be scoped to a valid region, not 'X'. Credential should be scoped to correct service: 'iam'. Credential should be scoped with a valid terminator: 'aws4_request', not 'Y'. Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20260501' != '20260502', from '20260502T174643Z'.",
    );
}

#[test]
fn s3() {
    let s = |fault: SignatureFault, status, code, message: &str, extra: &[(&str, &str)]| {
        check(SigningDialect::S3, &fault, status, code, message);
        let wire = fault.wire(SigningDialect::S3);
        let given: Vec<_> = wire.extra.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(given, extra, "{message}");
    };
    let token = || Secret::new("t".to_owned());
    s(
        SignatureFault::Missing,
        403,
        "AccessDenied",
        "Access Denied",
        &[],
    );
    s(
        SignatureFault::UnknownKey {
            access_key_id: "AKIA".to_owned(),
        },
        403,
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
        &[("AWSAccessKeyId", "AKIA")],
    );
    s(
        mismatch(),
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        &[
            ("AWSAccessKeyId", "AKIA"),
            ("StringToSign", "AWS4\n1"),
            ("SignatureProvided", "00ff"),
            ("StringToSignBytes", "41 57 53 34 0a 31"),
            ("CanonicalRequest", "GET\n/"),
            ("CanonicalRequestBytes", "47 45 54 0a 2f"),
        ],
    );
    s(
        SignatureFault::TooOld {
            date: at("20190726T221748Z"),
            now: at("20190726T223327Z"),
        },
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        &[
            ("RequestTime", "20190726T221748Z"),
            ("ServerTime", "2019-07-26T22:33:27Z"),
            ("MaxAllowedSkewMilliseconds", "900000"),
        ],
    );
    s(
        SignatureFault::TokenExpired { token: token() },
        400,
        "ExpiredToken",
        "The provided token has expired.",
        &[("Token-0", "t")],
    );
    s(
        SignatureFault::TokenInvalid { token: token() },
        400,
        "InvalidToken",
        "The provided token is malformed or otherwise invalid.",
        &[("Token-0", "t")],
    );
    s(
        SignatureFault::PresignExpired {
            expires_secs: 2,
            expired_at: at("20260502T174642Z"),
            now: at(NOW),
        },
        403,
        "AccessDenied",
        "Request has expired",
        &[
            ("X-Amz-Expires", "2"),
            ("Expires", "2026-05-02T17:46:42Z"),
            ("ServerTime", "2026-05-02T17:46:43Z"),
        ],
    );
    s(
        SignatureFault::QueryParams {
            missing: MissingParams::default(),
            expires: true,
        },
        400,
        "AuthorizationQueryParametersError",
        "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        &[],
    );
    s(
        SignatureFault::CredentialForm {
            form: SignatureForm::Query,
            got: "a".to_owned(),
        },
        400,
        "AuthorizationQueryParametersError",
        "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
        &[],
    );
    let region = ScopeFault {
        region: Some("eu-west-9".to_owned()),
        ..scope(SignatureForm::Header)
    };
    s(
        SignatureFault::Scope(Box::new(region)),
        400,
        "AuthorizationHeaderMalformed",
        "The authorization header is malformed; the region 'eu-west-9' is wrong; expecting 'us-east-1'",
        &[("Region", "us-east-1")],
    );
    s(
        SignatureFault::HeadersNotSigned(vec!["x-amz-date".to_owned(), "x-amz-meta-a".to_owned()]),
        403,
        "AccessDenied",
        "There were headers present in the request which were not signed",
        &[("HeadersNotSigned", "x-amz-date, x-amz-meta-a")],
    );
    s(
        SignatureFault::ContentSha256Missing,
        400,
        "InvalidRequest",
        "Missing required header for this request: x-amz-content-sha256",
        &[],
    );
    s(
        SignatureFault::BodyHash {
            declared: "00".to_owned(),
            computed: "01".to_owned(),
        },
        400,
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        &[
            ("ClientComputedContentSHA256", "00"),
            ("S3ComputedContentSHA256", "01"),
        ],
    );
    s(
        SignatureFault::Expires(ExpiresFault::TooLong),
        400,
        "AuthorizationQueryParametersError",
        "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        &[],
    );
    s(
        SignatureFault::SignatureV2,
        400,
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256. This request is signed with Signature Version 2: run 'aws configure set default.s3.signature_version s3v4', or give boto3 Config(signature_version=\"s3v4\").",
        &[],
    );
}

#[test]
fn chunks() {
    for (fault, status, code) in [
        (ChunkFault::Incomplete, 400, "IncompleteBody"),
        (ChunkFault::Malformed, 400, "IncompleteBody"),
        (ChunkFault::Signature, 403, "SignatureDoesNotMatch"),
        (
            ChunkFault::TooSmall { chunk: 1, size: 2 },
            403,
            "InvalidChunkSizeError",
        ),
        (ChunkFault::Trailer, 400, "MalformedTrailerError"),
        (ChunkFault::DecodedLength, 411, "MissingContentLength"),
        (
            ChunkFault::TooLarge { size: 1 << 40 },
            400,
            "EntityTooLarge",
        ),
    ] {
        for dialect in [SigningDialect::S3, SigningDialect::Query] {
            let wire = SignatureFault::from(fault.clone()).wire(dialect);
            assert_eq!((wire.status, &*wire.code), (status, code));
        }
    }
}

#[test]
fn debug_shows_no_token() {
    let faults = [
        mismatch(),
        SignatureFault::TokenExpired {
            token: Secret::new("tok-3n".to_owned()),
        },
    ];
    let text = format!("{faults:?}");
    assert!(!text.contains("tok-3n") && !text.contains("GET"), "{text}");
}
