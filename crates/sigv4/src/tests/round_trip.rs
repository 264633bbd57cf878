//! Signed requests verify; requests changed after signing do not.

use http::{HeaderName, HeaderValue, Method, Uri, request::Parts};
use keywright_base::Secret;
use proptest::prelude::*;

use super::{IAM, NOW, S3, at, credentials, parse, request, secret, target};
use crate::{
    PayloadClaim, PayloadHash, ServiceRules, SignError, SigningCredentials, SigningKey,
    key::sha256, presign, sign,
};

const BODY: &[u8] = b"Action=ListUsers&Version=2010-05-08";

fn holds(parts: &Parts, rules: &ServiceRules) -> bool {
    let Ok(presented) = parse(parts, rules) else {
        return false;
    };
    let key = SigningKey::for_scope(&secret(), presented.scope());
    let body = match rules.dialect {
        crate::SigningDialect::Query => PayloadHash::of(BODY),
        crate::SigningDialect::S3 => PayloadHash::Declared,
    };
    presented.verify(parts, &key, body).is_ok()
}

fn signed(line: &str, headers: &str, rules: &ServiceRules) -> Parts {
    let mut parts = request(line, &format!("host: localhost:9000\n{headers}"));
    let hash = sha256(BODY);
    sign(
        &mut parts,
        &credentials(&secret()),
        &target(rules),
        PayloadClaim::Sha256(hash),
        at(NOW),
    )
    .unwrap();
    parts
}

/// Printable header values with odd white space, and bytes that are not ASCII.
fn header_value() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(
        prop_oneof![Just(b' '), Just(b'\t'), 0x21..=0x7eu8, 0x80..=0xffu8],
        0..40,
    )
}

proptest! {
    #[test]
    fn any_request(
        path in "(/[a-zA-Z0-9%/+~=.!*' -]{0,30}|/[a-zé€ /.]{0,20})",
        query in "[a-zA-Z0-9&=+ /%~*é-]{0,40}",
        value in header_value(),
    ) {
        let escape = |text: &str, keep: &[u8]| {
            let mut out = String::new();
            for byte in text.bytes() {
                if byte.is_ascii_alphanumeric() || keep.contains(&byte) {
                    out.push(char::from(byte));
                } else {
                    out.push_str(&format!("%{byte:02x}"));
                }
            }
            out
        };
        let line = format!("PUT {}?{}", escape(&path, b"/+~=.!*'-"), escape(&query, b"&=+/~*-"));
        for rules in [&IAM, &S3] {
            let mut parts = request(&line, "host: localhost:9000");
            let header = HeaderValue::from_bytes(&value).unwrap();
            parts.headers.insert("x-amz-meta-any", header);
            let payload = PayloadClaim::Sha256(sha256(BODY));
            sign(&mut parts, &credentials(&secret()), &target(rules), payload, at(NOW)).unwrap();
            prop_assert!(holds(&parts, rules));
        }
        let mut parts = request(&line, "host: localhost:9000");
        presign(&mut parts, &credentials(&secret()), &target(&S3), 60, at(NOW)).unwrap();
        prop_assert!(holds(&parts, &S3));
    }

    /// Arbitrary bytes wherever a client controls them must not make the parser panic.
    #[test]
    fn parsing_never_fails_otherwise(
        authorization in "(AWS4-HMAC-SHA256 )?[ -~é]{0,80}",
        date in "[0-9TZ+é]{0,18}",
        query in "[a-zA-Z0-9&=%-]{0,40}",
    ) {
        let mut parts = request(&format!("GET /?{query}"), "host: h");
        for (name, value) in [("authorization", authorization), ("x-amz-date", date)] {
            parts.headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        for rules in [&IAM, &S3] {
            prop_assert!(!holds(&parts, rules));
        }
        crate::claimed_service(&parts.headers, &parts.uri);
    }
}

type Tamper = fn(&mut Parts);

fn set(parts: &mut Parts, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).unwrap();
    parts.headers.insert(HeaderName::from_static(name), value);
}

fn edit(parts: &mut Parts, from: &str, to: &str) {
    let old = parts.headers["authorization"].to_str().unwrap();
    assert!(old.contains(from), "{from} is not in {old}");
    let new = old.replace(from, to);
    set(parts, "authorization", &new);
}

#[test]
fn tampering_with_a_header_signature() {
    let rows: [(&str, Tamper); 17] = [
        ("method", |p| p.method = Method::GET),
        ("path", |p| p.uri = Uri::from_static("/a/c?x=1&y=2")),
        ("path escape", |p| {
            p.uri = Uri::from_static("/a%252Fb?x=1&y=2")
        }),
        ("query value", |p| p.uri = Uri::from_static("/a/b?x=1&y=3")),
        ("query more", |p| p.uri = Uri::from_static("/a/b?x=1&y=2&z")),
        ("query less", |p| p.uri = Uri::from_static("/a/b?x=1")),
        ("query X-Amz-Signature", |p| {
            p.uri = Uri::from_static("/a/b?x=1&y=2&X-Amz-Signature=0");
        }),
        ("host", |p| set(p, "host", "localhost:9001")),
        ("date", |p| set(p, "x-amz-date", "20260911T131520Z")),
        ("signed header", |p| set(p, "x-amz-meta-a", "2")),
        ("signed header again", |p| {
            p.headers
                .append("x-amz-meta-a", HeaderValue::from_static("1"));
        }),
        ("signed header gone", |p| {
            p.headers.remove("x-amz-meta-a");
        }),
        ("new header", |p| set(p, "x-amz-copy-source", "/b/secret")),
        ("region", |p| edit(p, "eu-west-1", "eu-west-2")),
        ("key id", |p| edit(p, "AKIA", "AKIB/")),
        ("list of headers", |p| edit(p, "x-amz-meta-a", "")),
        ("signature case", |p| {
            let text = p.headers["authorization"].to_str().unwrap().to_owned();
            let (head, signature) = text.split_once("Signature=").unwrap();
            set(
                p,
                "authorization",
                &format!("{head}Signature={}", signature.to_uppercase()),
            );
        }),
    ];
    for rules in [&IAM, &S3] {
        let original = signed("PUT /a/b?y=2&x=1", "x-amz-meta-a: 1", rules);
        assert!(holds(&original, rules));
        for (what, tamper) in rows {
            let mut parts = original.clone();
            tamper(&mut parts);
            assert!(!holds(&parts, rules), "{what} for {}", rules.service);
        }
    }
}

#[test]
fn every_digit_of_a_signature_counts() {
    let original = signed("GET /", "", &S3);
    let text = original.headers["authorization"]
        .to_str()
        .unwrap()
        .to_owned();
    let (head, signature) = text.split_once("Signature=").unwrap();
    for at in 0..64 {
        let mut digits = signature.as_bytes().to_vec();
        digits[at] = if digits[at] == b'0' { b'1' } else { b'0' };
        let mut parts = original.clone();
        let digits = String::from_utf8(digits).unwrap();
        set(
            &mut parts,
            "authorization",
            &format!("{head}Signature={digits}"),
        );
        assert!(!holds(&parts, &S3), "digit {at}");
    }
    for wrong in ["", "00", &signature[..63], &format!("{signature}0")] {
        let mut parts = original.clone();
        set(
            &mut parts,
            "authorization",
            &format!("{head}Signature={wrong}"),
        );
        assert!(!holds(&parts, &S3), "{wrong}");
    }
}

#[test]
fn tampering_with_a_url() {
    let mut original = request("GET /b/k?versionId=1", "host: localhost:9000");
    let secret = secret();
    let token = Secret::new("a/b+c==".to_owned());
    let credentials = SigningCredentials {
        session_token: Some(&token),
        ..credentials(&secret)
    };
    presign(&mut original, &credentials, &target(&S3), 60, at(NOW)).unwrap();
    assert!(holds(&original, &S3));
    let presented = parse(&original, &S3).unwrap();
    assert_eq!(presented.session_token(), Some(&token));
    for (from, to) in [
        ("/b/k", "/b/l"),
        ("versionId=1", "versionId=2"),
        ("X-Amz-Expires=60", "X-Amz-Expires=61"),
        ("X-Amz-Date=20260911T131519Z", "X-Amz-Date=20260911T131520Z"),
        ("X-Amz-Security-Token=a", "X-Amz-Security-Token=b"),
        ("eu-west-1", "eu-west-2"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        (
            "&X-Amz-Signature=",
            "&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&X-Amz-Signature=",
        ),
        (
            "&X-Amz-Signature=",
            "&response-content-type=text&X-Amz-Signature=",
        ),
        ("&X-Amz-Signature=", "&X-Amz-Signature=0&X-Amz-Signature="),
    ] {
        let mut parts = original.clone();
        let uri = parts.uri.to_string();
        assert!(uri.contains(from), "{from}");
        parts.uri = uri.replacen(from, to, 1).parse().unwrap();
        assert!(!holds(&parts, &S3), "{from} to {to}");
    }
    let mut parts = original.clone();
    set(&mut parts, "x-amz-copy-source", "/b/secret");
    assert!(!holds(&parts, &S3));
    let mut parts = original;
    let hash = hex::encode([0; 32]);
    set(&mut parts, "x-amz-content-sha256", &hash);
    assert!(!holds(&parts, &S3), "another payload than the signed one");
}

#[test]
fn what_cannot_be_signed() {
    let secret = secret();
    let bad = SigningCredentials {
        access_key_id: "AK\nIA",
        ..credentials(&secret)
    };
    let mut parts = request("GET /", "host: h");
    let made = sign(
        &mut parts,
        &bad,
        &target(&S3),
        PayloadClaim::Unsigned,
        at(NOW),
    );
    assert_eq!(made, Err(SignError::Credential));
    let mut parts = request("GET /", "");
    let good = credentials(&secret);
    let made = sign(
        &mut parts,
        &good,
        &target(&S3),
        PayloadClaim::Unsigned,
        at(NOW),
    );
    assert_eq!(made, Err(SignError::NoHost));
    for secs in [0, 604_801] {
        let made = presign(&mut parts, &good, &target(&S3), secs, at(NOW));
        assert_eq!(made, Err(SignError::Expires));
    }
}
