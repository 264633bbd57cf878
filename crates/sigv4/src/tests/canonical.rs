//! Canonical paths, queries and headers, one case per row.

use super::request;
use crate::{EscapeError, SignatureForm, SigningDialect, canonical};

fn lines(
    parts: &http::request::Parts,
    dialect: SigningDialect,
    form: SignatureForm,
    signed: &str,
) -> Vec<String> {
    let mut out = Vec::new();
    canonical::push_request(&mut out, parts, dialect, form, signed, "HASH");
    let text = String::from_utf8_lossy(&out).into_owned();
    text.split('\n').map(str::to_owned).collect()
}

#[test]
fn paths() {
    for (raw, s3, query) in [
        ("/", "/", "/"),
        ("/a/b", "/a/b", "/a/b"),
        ("//", "//", "/"),
        ("/a//b/", "/a//b/", "/a/b/"),
        ("/a/./b/../c", "/a/./b/../c", "/a/c"),
        ("/../..", "/../..", "/"),
        ("/a%20b", "/a%20b", "/a%2520b"),
        ("/a+b", "/a%2Bb", "/a%252Bb"),
        ("/a%2bb", "/a%2Bb", "/a%252Bb"),
        ("/a%2Fb%2f%2E%2F", "/a/b/./", "/a%252Fb%252F.%252F"),
        ("/a%252Fb%2", "/a%252Fb%252", "/a%25252Fb%25252"),
        ("/a%252Fb", "/a%252Fb", "/a%25252Fb"),
        (
            "/%C3%A4%e2%82%ac",
            "/%C3%A4%E2%82%AC",
            "/%25C3%25A4%25E2%2582%25AC",
        ),
        ("/%7Eme~", "/~me~", "/~me~"),
        (
            "/a=b:c@d,e;f!'()*",
            "/a%3Db%3Ac%40d%2Ce%3Bf%21%27%28%29%2A",
            "/a%253Db%253Ac%2540d%252Ce%253Bf%2521%2527%2528%2529%252A",
        ),
    ] {
        let parts = request(&format!("GET {raw}"), "");
        assert_eq!(
            lines(&parts, SigningDialect::S3, SignatureForm::Header, "")[1],
            s3,
            "{raw}"
        );
        assert_eq!(
            lines(&parts, SigningDialect::Query, SignatureForm::Header, "")[1],
            query,
            "{raw}"
        );
    }
}

#[test]
fn queries() {
    for (raw, canonical) in [
        ("", ""),
        ("acl", "acl="),
        ("b=2&a=1", "a=1&b=2"),
        ("a=2&a=1&a", "a=&a=1&a=2"),
        ("a-b=1&a=2&a.c=3&aB=4", "a=2&a-b=1&a.c=3&aB=4"),
        ("a&&b&", "a=&b="),
        ("=v", "=v"),
        ("k=a=b", "k=a%3Db"),
        ("k=a/b", "k=a%2Fb"),
        ("k=a%2fb", "k=a%2Fb"),
        ("k=a+b%20c%2B", "k=a%20b%20c%2B"),
        ("k=%41%7e", "k=A~"),
        ("k=%C3%A4", "k=%C3%A4"),
        ("X-Amz-Signature=0&a", "X-Amz-Signature=0&a="),
    ] {
        let parts = request(&format!("GET /?{raw}"), "");
        assert_eq!(
            lines(&parts, SigningDialect::S3, SignatureForm::Header, "")[2],
            canonical,
            "{raw}"
        );
    }
    let parts = request("GET /?X%2DAmz-Signature=0&b&a", "");
    assert_eq!(
        lines(&parts, SigningDialect::S3, SignatureForm::Query, "")[2],
        "a=&b="
    );
}

#[test]
fn headers() {
    let parts = request(
        "GET /",
        "host: h:9000\nx-amz-a:   one   two    three  \nx-amz-b: 1\nx-amz-b:2,  3\nx-amz-c:\tä\t\nx-amz-d:",
    );
    let signed = "host;x-amz-a;x-amz-absent;x-amz-b;x-amz-c;x-amz-d";
    assert_eq!(
        lines(&parts, SigningDialect::S3, SignatureForm::Header, signed)[3..],
        [
            "host:h:9000",
            "x-amz-a:one two three",
            "x-amz-b:1,2, 3",
            "x-amz-c:ä",
            "x-amz-d:",
            "",
            signed,
            "HASH"
        ]
    );
    let parts = request("GET http://example.test:81/x", "");
    let host = &lines(&parts, SigningDialect::S3, SignatureForm::Header, "host")[3];
    assert_eq!(host, "host:example.test:81");
}

#[test]
fn escapes() {
    let illegal = |text: &str| Err(EscapeError::Illegal(text.to_owned()));
    for (raw, result) in [
        ("", Ok(())),
        ("%20%aF", Ok(())),
        ("%", Err(EscapeError::Incomplete)),
        ("a%2", Err(EscapeError::Incomplete)),
        ("%yy", illegal("%yy")),
        ("%2y", illegal("%2y")),
        ("%%20", illegal("%%2")),
        ("%20%+1", illegal("%+1")),
    ] {
        assert_eq!(canonical::check_escapes(raw), result, "{raw}");
    }
}
