//! The order of checks. Each row fixes one more fault than the row above it, so its response shows
//! which check comes next.

use http::request::Parts;

use super::{IAM, S3, parse, request};
use crate::{ServiceRules, SigningDialect, claimed_service};

fn answer(parts: &Parts, rules: &ServiceRules) -> String {
    match parse(parts, rules) {
        Ok(_) => "ok".to_owned(),
        Err(fault) => {
            let wire = fault.wire(rules.dialect);
            format!("{} {} {}", wire.status, wire.code, wire.text())
        }
    }
}

fn check(rules: &ServiceRules, line: &str, headers: &str, expect: &str) {
    let got = answer(&request(line, headers), rules);
    assert!(
        got.starts_with(expect),
        "{line} {headers}\n got {got}\nwant {expect}"
    );
}

const ALL: &str = "authorization: AWS4-HMAC-SHA256 Credential=";

#[test]
fn iam_in_header_form() {
    let old = "x-amz-date: 20260911T130018Z";
    let new = "x-amz-date: 20260911T133020Z";
    let now = "x-amz-date: 20260911T131519Z";
    let edge = "x-amz-date: 20260911T130019Z";
    let auth = |credential: &str, headers: &str| {
        format!("{ALL}{credential}, SignedHeaders={headers}, Signature=00")
    };
    let unsigned = "403 SignatureDoesNotMatch 'Host' or ':authority' must be";
    for (line, headers, expect) in [
        (
            "GET /%zz?%yy",
            auth("A", "a"),
            "400 InvalidURIPath Illegal hex",
        ),
        (
            "GET /?%yy",
            auth("A", "a"),
            "400 MalformedQueryString Illegal hex",
        ),
        (
            "GET /?a=%2",
            auth("A", "a"),
            "400 MalformedQueryString Incomplete trailing",
        ),
        (
            "GET /?X-Amz-Algorithm=Foo",
            "authorization: Foo".into(),
            "403 SignatureDoesNotMatch ",
        ),
        (
            "GET /",
            "authorization: Foo\nauthorization: Foo".into(),
            "403 SignatureDoesNotMatch ",
        ),
        (
            "GET /",
            String::new(),
            "403 MissingAuthenticationToken Request is missing",
        ),
        (
            "GET /",
            "authorization: Foo bar".into(),
            "400 IncompleteSignature Unsupported AWS",
        ),
        (
            "GET /",
            "authorization: AWS4-HMAC-SHA256 FooBar, B".into(),
            "400 IncompleteSignature 'FooBar' not",
        ),
        (
            "GET /",
            format!("{ALL}A, Credential=B"),
            "400 IncompleteSignature 'Credential' must not",
        ),
        (
            "GET /",
            format!("{ALL}A"),
            "400 IncompleteSignature Authorization header requires 'Signature'",
        ),
        (
            "GET /",
            auth("A", "a"),
            "400 IncompleteSignature Authorization header requires existence",
        ),
        (
            "GET /",
            format!("{}\nx-amz-date: x\nx-amz-date: y", auth("A", "a")),
            "400 IncompleteSignature 'x-amz-date' must not",
        ),
        ("GET /", format!("{}\ndate: x", auth("A", "a")), unsigned),
        (
            "GET /",
            format!("{}\nx-amz-date: x", auth("A", "host")),
            "403 SignatureDoesNotMatch 'X-Amz-Date' must be",
        ),
        (
            "GET /",
            format!("content-type: a\n{}\ndate: x", auth("A", "host")),
            "403 SignatureDoesNotMatch 'Content-Type' must be",
        ),
        (
            "GET /",
            format!("{}\nx-amz-date: x", auth("A", "x-amz-date;host")),
            "400 IncompleteSignature SignedHeaders must be",
        ),
        (
            "GET /",
            format!("{}\nx-amz-date: x", auth("A", "host;host;x-amz-date")),
            "400 IncompleteSignature SignedHeaders must be",
        ),
        (
            "GET /",
            format!("{}\nx-amz-date: x", auth("A", "Accept;host;x-amz-date")),
            "400 IncompleteSignature SignedHeaders must be",
        ),
        (
            "GET /",
            format!("{}\nx-amz-date: x", auth("A", "host;x-amz-date")),
            "400 IncompleteSignature Date must be in ISO-8601",
        ),
        (
            "GET /",
            format!("{}\n{old}", auth("A", "host;x-amz-date")),
            "403 SignatureDoesNotMatch Signature expired",
        ),
        (
            "GET /",
            format!("{}\n{new}", auth("A", "host;x-amz-date")),
            "403 SignatureDoesNotMatch Signature not yet current",
        ),
        (
            "GET /",
            format!("{}\n{now}", auth("A", "host;x-amz-date")),
            "400 IncompleteSignature Credential must have exactly 5",
        ),
        (
            "GET /",
            format!(
                "{}\n{now}",
                auth("/20260911/eu-west-1/iam/aws4_request", "host;x-amz-date")
            ),
            "400 IncompleteSignature Credential must have exactly 5",
        ),
        (
            "GET /",
            format!("{}\n{now}", auth("A/1/2/3/4", "host;x-amz-date")),
            "403 SignatureDoesNotMatch Credential should be scoped to a valid region",
        ),
        (
            "GET /",
            format!(
                "{}\n{now}",
                auth("A/20260911/eu-west-1/sts/aws4_request", "host;x-amz-date")
            ),
            "403 SignatureDoesNotMatch Credential should be scoped to correct service: 'iam'.",
        ),
        (
            "GET /",
            format!(
                "{}\n{now}",
                auth("A/20260911/eu-west-1/iam/aws4_request", "host;x-amz-date")
            ),
            "ok",
        ),
        (
            "GET /",
            format!(
                "{}\n{edge}",
                auth("A/20260911/eu-west-1/iam/aws4_request", "host;x-amz-date")
            ),
            "ok",
        ),
    ] {
        check(&IAM, line, &headers, expect);
    }
}

#[test]
fn the_list_of_signed_headers_is_bounded() {
    let names = (0..250).map(|n| format!(";x{n:03}"));
    let list = format!("host{}", names.collect::<String>());
    let headers = format!("{ALL}A, SignedHeaders={list}, Signature=00\ndate: x");
    let expect = "400 IncompleteSignature SignedHeaders must be";
    check(&IAM, "GET /", &headers, expect);
}

#[test]
fn iam_presigned() {
    let base = "GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256";
    let date = "&X-Amz-Date=20260911T131519Z";
    let rest = "&X-Amz-Signature=00&X-Amz-SignedHeaders=host";
    for (line, expect) in [
        (
            "GET /?X-Amz-Algorithm=Foo".to_owned(),
            "400 IncompleteSignature Unsupported AWS 'algorithm': 'Foo'.",
        ),
        (
            base.to_owned(),
            "400 IncompleteSignature AWS query-string parameters must include 'X-Amz-Credential'.",
        ),
        (
            format!("{base}{date}{date}{rest}"),
            "400 IncompleteSignature 'X-Amz-Date' must not",
        ),
        (
            format!("{base}{rest}&X-Amz-Credential=A"),
            "400 IncompleteSignature AWS query-string parameters must include 'X-Amz-Date'.",
        ),
        (
            format!("{base}{date}{rest}&X-Amz-Credential="),
            "400 IncompleteSignature AWS query-string parameters must include 'X-Amz-Credential'.",
        ),
        (
            format!("{base}{date}{rest}&X-Amz-Credential=%FF"),
            "400 MalformedQueryString",
        ),
        (
            format!(
                "{base}{date}{rest}&X-Amz-Credential=A%2F20260911%2Feu-west-1%2Fiam%2Faws4_request"
            ),
            "ok",
        ),
        (
            format!(
                "{base}{date}{rest}&X-Amz-Expires=x&X-Amz-Credential=A/20260911/eu-west-1/iam/aws4_request"
            ),
            "ok",
        ),
    ] {
        check(&IAM, &line, "host: h", expect);
    }
}

#[test]
fn s3_in_header_form() {
    let scope = "A/20260911/eu-west-1/s3/aws4_request";
    let auth = |credential: &str, headers: &str| {
        format!("{ALL}{credential}, SignedHeaders={headers}, Signature=00\nhost: h")
    };
    let signed = "host;x-amz-content-sha256;x-amz-date";
    let now = "x-amz-date: 20260911T131519Z";
    let malformed = "400 AuthorizationHeaderMalformed The authorization header is malformed; ";
    for (line, headers, expect) in [
        (
            "GET /%zz",
            auth("A", "a"),
            "400 InvalidURI Couldn't parse".to_owned(),
        ),
        (
            "GET /?X-Amz-Algorithm=A",
            auth("A", "a"),
            "400 InvalidArgument Only one auth mechanism allowed".into(),
        ),
        (
            "GET /",
            String::new(),
            "403 AccessDenied Access Denied".into(),
        ),
        (
            "GET /",
            "authorization: Foo x".into(),
            "400 InvalidArgument Unsupported Authorization Type".into(),
        ),
        (
            "GET /",
            "authorization: AWS4-HMAC-SHA256 Foo".into(),
            format!("{malformed}the authorization component \"Foo\" is malformed."),
        ),
        (
            "GET /",
            "authorization: AWS4-HMAC-SHA256".into(),
            format!("{malformed}the authorization header requires three components"),
        ),
        (
            "GET /",
            "authorization: AWS4-HMAC-SHA256 Signature=0".into(),
            format!("{malformed}missing Credential."),
        ),
        (
            "GET /",
            format!("{ALL}A"),
            format!("{malformed}missing SignedHeaders."),
        ),
        (
            "GET /",
            auth("A", "a"),
            "403 AccessDenied AWS authentication requires a valid Date".into(),
        ),
        (
            "GET /",
            format!("{}\ndate: x", auth("A", "a")),
            "403 AccessDenied AWS authentication requires a valid Date".into(),
        ),
        (
            "GET /",
            format!("{}\n{now}", auth("A", "a")),
            format!("{malformed}the Credential is mal-formed"),
        ),
        (
            "GET /",
            format!("{}\n{now}", auth("A/1/2/3/4", "a")),
            format!("{malformed}the region '2' is wrong; expecting 'us-east-1'"),
        ),
        (
            "GET /",
            format!("{}\n{now}", auth("A/1/eu-west-1/3/4", "a")),
            format!("{malformed}incorrect service \"3\"."),
        ),
        (
            "GET /",
            format!("{}\n{now}", auth("A/1/eu-west-1/s3/4", "a")),
            format!("{malformed}incorrect terminal \"4\"."),
        ),
        (
            "GET /",
            format!("{}\n{now}", auth("A/1/eu-west-1/s3/aws4_request", "a")),
            format!("{malformed}incorrect date format \"1\"."),
        ),
        (
            "GET /",
            format!(
                "{}\n{now}",
                auth("A/20260910/eu-west-1/s3/aws4_request", "a")
            ),
            format!("{malformed}Invalid credential date \"20260910\"."),
        ),
        (
            "GET /",
            format!("{}\nx-amz-date: 20260911T120000Z", auth(scope, "a")),
            "403 RequestTimeTooSkewed".into(),
        ),
        (
            "GET /",
            format!("{}\n{now}", auth(scope, "a")),
            "403 AccessDenied There were headers present".into(),
        ),
        (
            "GET /",
            format!("{}\n{now}", auth(scope, "x-amz-date;host")),
            format!("{malformed}the authorization component \"SignedHeaders="),
        ),
        (
            "GET /",
            format!("{}\n{now}", auth(scope, "host;x-amz-date")),
            "400 InvalidRequest Missing required header for this request: x-amz-content-sha256"
                .into(),
        ),
        (
            "GET /",
            format!("{}\n{now}\nx-amz-content-sha256: FOO", auth(scope, signed)),
            "400 InvalidArgument x-amz-content-sha256 must be UNSIGNED-PAYLOAD".into(),
        ),
        (
            "GET /",
            format!(
                "{}\n{now}\nx-amz-content-sha256: UNSIGNED-PAYLOAD",
                auth(scope, signed)
            ),
            "ok".into(),
        ),
    ] {
        check(&S3, line, &headers, &expect);
    }
}

#[test]
fn s3_presigned() {
    let base =
        "GET /b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00&X-Amz-SignedHeaders=host";
    let credential = "&X-Amz-Credential=A/20260911/eu-west-1/s3/aws4_request";
    let now = "&X-Amz-Date=20260911T131519Z";
    let earlier = "&X-Amz-Date=20260911T131419Z";
    let bad = "400 AuthorizationQueryParametersError ";
    let parse = format!("{bad}Error parsing the X-Amz-Credential parameter; ");
    for (line, expect) in [
        (
            "GET /?X-Amz-Algorithm=Foo".to_owned(),
            format!("{bad}X-Amz-Algorithm only supports"),
        ),
        (
            "GET /?X-Amz-Signature=00".to_owned(),
            format!("{bad}Query-string authentication version 4 requires"),
        ),
        (
            format!("{base}{credential}{now}"),
            format!("{bad}Query-string authentication version 4 requires"),
        ),
        (
            format!("{base}{credential}{now}{now}&X-Amz-Expires=1"),
            format!("{bad}Query-string authentication version 4 requires"),
        ),
        (
            format!("{base}{credential}&X-Amz-Date=x&X-Amz-Expires=1"),
            format!("{bad}X-Amz-Date must be in the ISO8601"),
        ),
        (
            format!("{base}{now}&X-Amz-Expires=x&X-Amz-Credential=A%252F1"),
            format!("{parse}the Credential is mal-formed"),
        ),
        (
            format!("{base}{now}&X-Amz-Expires=x&X-Amz-Credential=A/1/2/3/4"),
            format!("{parse}the region '2' is wrong"),
        ),
        (
            format!("{base}{now}&X-Amz-Expires=x&X-Amz-Credential=A/1/eu-west-1/3/4"),
            format!("{parse}incorrect service \"3\"."),
        ),
        (
            format!("{base}{credential}{now}&X-Amz-Expires=x"),
            format!("{bad}X-Amz-Expires should be a number"),
        ),
        (
            format!("{base}{credential}{now}&X-Amz-Expires=-1"),
            format!("{bad}X-Amz-Expires must be non-negative"),
        ),
        (
            format!("{base}{credential}{now}&X-Amz-Expires=604801"),
            format!("{bad}X-Amz-Expires must be less than a week (in seconds);"),
        ),
        (
            format!("{base}{credential}&X-Amz-Date=20260911T133021Z&X-Amz-Expires=60"),
            "403 AccessDenied Request is not valid yet".into(),
        ),
        (
            format!("{base}{credential}{now}&X-Amz-Expires=0"),
            "403 AccessDenied Request has expired".into(),
        ),
        (
            format!("{base}{credential}{earlier}&X-Amz-Expires=60"),
            "403 AccessDenied Request has expired".into(),
        ),
        (
            format!("{base}{credential}{earlier}&X-Amz-Expires=61"),
            "ok".into(),
        ),
        (
            format!("{base}{credential}{now}&X-Amz-Expires=604800"),
            "ok".into(),
        ),
        (
            format!("{base}{credential}{now}&X-Amz-Expires=60&X-Amz-Content-Sha256=x"),
            "400 InvalidArgument".into(),
        ),
    ] {
        check(&S3, &line, "host: h", &expect);
    }
    let line = format!("{base}{credential}{now}&X-Amz-Expires=60");
    check(
        &S3,
        &line,
        "host: h\nx-amz-acl: public-read",
        "403 AccessDenied There were headers present",
    );
}

#[test]
fn older_and_other_signatures() {
    let v2 = "400 InvalidRequest The authorization mechanism you have provided is not supported. \
              Please use AWS4-HMAC-SHA256. This request is signed with Signature Version 2: run \
              'aws configure set default.s3.signature_version s3v4'";
    check(
        &S3,
        "GET /b/k?AWSAccessKeyId=A&Expires=1&Signature=s",
        "",
        v2,
    );
    check(&S3, "GET /b/k", "authorization: AWS A:s", v2);
    let v4a = "400 InvalidRequest The authorization mechanism you have provided is not supported. \
               Please use AWS4-HMAC-SHA256. This request is signed with Signature Version 4A";
    check(
        &S3,
        "GET /",
        "authorization: AWS4-ECDSA-P256-SHA256 Credential=A",
        v4a,
    );
    check(&S3, "GET /?X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256", "", v4a);
    let iam =
        "400 IncompleteSignature The authorization mechanism you have provided is not supported.";
    check(
        &IAM,
        "GET /?AWSAccessKeyId=A&SignatureVersion=2&Signature=s",
        "",
        iam,
    );
    check(
        &IAM,
        "GET /",
        "authorization: AWS4-ECDSA-P256-SHA256 Credential=A",
        "400 IncompleteSignature Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'. This",
    );
}

#[test]
fn service_for_routing() {
    let header = |credential| request("GET /", &format!("{ALL}{credential}, SignedHeaders=host"));
    for (parts, service) in [
        (header("A/20260911/eu-west-1/iam/aws4_request"), Some("iam")),
        (
            header("A/b/20260911/eu-west-1/sts/aws4_request"),
            Some("sts"),
        ),
        (header("A/iam/aws4_request"), None),
        (header("A"), None),
        (request("GET /", ""), None),
        (request("GET /", "authorization: Foo"), None),
        (
            request("GET /?X-Amz-Credential=A%2F1%2F2%2Fs3%2F4", ""),
            Some("s3"),
        ),
    ] {
        assert_eq!(
            claimed_service(&parts.headers, &parts.uri).as_deref(),
            service
        );
    }
    assert_eq!(IAM.dialect, SigningDialect::Query);
}
