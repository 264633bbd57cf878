//! Signature Version 2 in the query string: AWS's published example, the signed parts, and rejected
//! requests.

use keywright_base::Timestamp;

use super::{request, secret};
use crate::{PresentedV2, SigningDialect};

const NOW: i64 = 1_175_130_000;

fn answer(line: &str, headers: &str, bucket: Option<&str>) -> String {
    let parts = request(line, headers);
    let presented = match PresentedV2::parse(&parts, Timestamp::from_secs(NOW), bucket) {
        Ok(Some(presented)) => presented,
        Ok(None) => return "none".to_owned(),
        Err(fault) => {
            let wire = fault.wire(SigningDialect::S3);
            return format!("{} {}: {}", wire.status, wire.code, wire.text());
        }
    };
    match presented.verify(&secret()) {
        Ok(_) => "ok".to_owned(),
        Err(mismatch) => String::from_utf8(mismatch.string_to_sign).unwrap(),
    }
}

/// The example in "Signing and authenticating REST requests"; its bucket is in the host name.
const EXAMPLE: &str = "GET /photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE\
                       &Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620";
/// Generated with Python's `hmac` over the string in the rows below.
const UPLOAD: &str = "PUT /b/k%20x?partNumber=1&uploadId=u%2Fv&x-amz-meta-a=b%20c&Expires=1800000000\
                      &AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE\
                      &Signature=DhhfilD%2BbH1pySSdArjf%2BeTIT6U%3D";
const UPLOAD_HEADERS: &str = "content-md5: AAAA\ncontent-type: text/plain\nx-amz-acl: private";

#[test]
fn what_is_signed_verifies() {
    let in_query = UPLOAD.to_owned() + "&x-amz-acl=private&content-type=text%2Fplain";
    for (line, headers, bucket) in [
        (EXAMPLE, "", Some("johnsmith")),
        (UPLOAD, UPLOAD_HEADERS, None),
        (&in_query, "content-md5: AAAA", None),
        // These are not signed.
        (
            &(EXAMPLE.to_owned() + "&prefix=a"),
            "range: bytes=0-1",
            Some("johnsmith"),
        ),
    ] {
        assert_eq!(answer(line, headers, bucket), "ok", "{line}");
    }
}

#[test]
fn what_is_changed_does_not() {
    for (from, to) in [
        ("PUT", "GET"),
        ("/b/k%20x", "/b/k%20y"),
        ("partNumber=1", "partNumber=2"),
        ("partNumber=1&", ""),
        ("u%2Fv", "u%2Fw"),
        ("b%20c", "b%20d"),
        ("Expires=1800000000", "Expires=1800000001"),
        ("x-amz-meta-a", "x-amz-meta-b"),
        ("?partNumber", "?tagging&partNumber"),
        ("Signature=D", "Signature=E"),
        (
            "Signature=DhhfilD%2BbH1pySSdArjf%2BeTIT6U%3D",
            "Signature=%21",
        ),
    ] {
        assert!(UPLOAD.contains(from), "{from}");
        let got = answer(&UPLOAD.replace(from, to), UPLOAD_HEADERS, None);
        assert_ne!(got, "ok", "{from}");
    }
    for headers in [
        "content-md5: AAAA",
        "content-type: text/plain\nx-amz-acl: private",
    ] {
        assert_ne!(answer(UPLOAD, headers, None), "ok", "{headers}");
    }
    assert_eq!(
        answer(UPLOAD, &UPLOAD_HEADERS.replace("AAAA", "BBBB"), None),
        "PUT\nBBBB\ntext/plain\n1800000000\nx-amz-acl:private\nx-amz-meta-a:b c\n\
         /b/k%20x?partNumber=1&uploadId=u/v"
    );
}

/// One string to sign stands for both.
#[test]
fn a_value_that_reads_as_two_parameters_is_refused() {
    let url = "GET /b/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=a&Expires=1800000000";
    for (query, refused) in [
        ("response-content-type=a%26versionId%3Dnull", true),
        ("response-content-type=a%26acl", true),
        ("response-content-type=a%26b%26acl=", true),
        ("acl%26tagging", false),
        ("response-content-type=a&versionId=null", false),
        (
            "response-content-disposition=attachment;filename%3D%22R%26D.txt%22",
            false,
        ),
    ] {
        let got = answer(&format!("{url}&{query}"), "", None);
        assert_eq!(!got.starts_with("GET\n"), refused, "{query}: {got}");
    }
}

#[test]
fn what_is_refused() {
    let three = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId \
                 parameters";
    let long = format!(
        "GET /b?AWSAccessKeyId=a{}",
        "&a=b".repeat(keywright_base::limits::HEADERS)
    );
    for (line, headers, expected) in [
        ("GET /b", "", "none".to_owned()),
        ("GET /b?Expires=1", "", "none".to_owned()),
        (
            "GET /b?AWSAccessKey%49d=a&Expires=1800000000",
            "",
            format!("403 AccessDenied: {three}"),
        ),
        (
            "GET /b?AWSAccessKeyId=a&Expires=1800000000",
            "",
            format!("403 AccessDenied: {three}"),
        ),
        (
            "GET /b?Signature=a&Expires=1800000000",
            "",
            format!("403 AccessDenied: {three}"),
        ),
        (
            "GET /b?AWSAccessKeyId=a&Signature=b",
            "",
            format!("403 AccessDenied: {three}"),
        ),
        (&long, "", format!("403 AccessDenied: {three}")),
        (
            "GET /b?AWSAccessKeyId=a&Signature=b&Expires=1175130000",
            "",
            "403 AccessDenied: Request has expired".to_owned(),
        ),
        (
            "GET /b?AWSAccessKeyId=a&Signature=b&Expires=-1",
            "",
            "403 AccessDenied: Invalid date (should be seconds since epoch): -1".to_owned(),
        ),
        (
            "GET /b?AWSAccessKeyId=a&Signature=b&Expires=9999999999999999999",
            "",
            "403 AccessDenied: Invalid date (should be seconds since epoch): 9999999999999999999"
                .to_owned(),
        ),
    ] {
        assert_eq!(answer(line, headers, None), expected, "{line}");
    }
    for (line, headers) in [
        (
            "GET /b?AWSAccessKeyId=a&Signature=b&Expires=1800000000&Expires=1800000001",
            "",
        ),
        (
            "GET /b?AWSAccessKeyId=a&Signature=b&Expires=1800000000&x-amz-a=1&X-Amz-A=2",
            "",
        ),
        (
            "GET /b?AWSAccessKeyId=a&Signature=b&Expires=1800000000&x-amz-a=1",
            "x-amz-a: 1",
        ),
        (
            "GET /b?AWSAccessKeyId=a&Signature=b&Expires=1800000000",
            "authorization: AWS a:b",
        ),
        (
            "GET /b?AWSAccessKeyId=a&Signature=b&Expires=1800000000&X-Amz-Algorithm=a",
            "",
        ),
        (
            "GET /b?AWSAccessKeyId=a&Signature=%zz&Expires=1800000000",
            "",
        ),
        (
            "GET /b?AWSAccessKeyId=a&Signature=%ff&Expires=1800000000",
            "",
        ),
    ] {
        let got = answer(line, headers, None);
        assert!(got.starts_with("400 "), "{line} {got}");
    }
}
