//! What the S3 access check reads from the head of a request.

use http::Request;
use keywright_base::Timestamp;
use keywright_identity::event::S3Operation;
use keywright_policy::{ContextValues, is_list_key};
use keywright_sigv4::{PresentedSignature, ServiceRules, SigningDialect};

use keywright_s3::S3Context;

use super::{authorizer::s3_values, host_bucket, signature::SignatureConditions};

/// A policy that denies unsigned bodies must recognize them however the URL spells them.
#[test]
fn the_declared_hash_is_what_was_verified() {
    let hash = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    let escaped = hash.replace('6', "%36");
    for (query, headers, expected) in [
        ("", None, "UNSIGNED-PAYLOAD"),
        (
            "&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD",
            None,
            "UNSIGNED-PAYLOAD",
        ),
        (
            "&X-Amz-Content-Sha256=UNSIGNED%2DPAYLOAD",
            None,
            "UNSIGNED-PAYLOAD",
        ),
        (
            "&X-Amz-Content%2DSha256=%55NSIGNED-PAYLOAD",
            None,
            "UNSIGNED-PAYLOAD",
        ),
        (&format!("&X-Amz-Content-Sha256={escaped}"), None, hash),
        ("&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD", Some(hash), hash),
    ] {
        let uri = format!(
            "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260101%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-SignedHeaders=host&X-Amz-Signature={}{query}",
            "0".repeat(64)
        );
        let mut request = Request::get(uri).header("host", "localhost");
        if let Some(value) = headers {
            request = request.header("x-amz-content-sha256", value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let rules = ServiceRules {
            dialect: SigningDialect::S3,
            service: "s3",
            home_region: "us-east-1",
        };
        let now = Timestamp::from_secs(1_767_225_600);
        let presented = PresentedSignature::parse(&parts, now, &rules).unwrap();
        let conditions = SignatureConditions::of(&presented, now);
        let found = conditions.key("s3:x-amz-content-sha256");
        assert_eq!(found.as_slice(), [expected], "{query}");
    }
}

#[test]
fn a_tags_key_has_the_values_of_every_spelling() {
    let context = |keys: &[(&str, &[&str])]| S3Context {
        keys: keys
            .iter()
            .map(|(key, values)| {
                let values = values.iter().map(|value| (*value).to_owned());
                ((*key).to_owned(), values.collect())
            })
            .collect(),
    };
    let twins = context(&[
        ("s3:RequestObjectTag/Class", &["public"]),
        ("s3:RequestObjectTag/class", &["secret"]),
        ("s3:RequestObjectTag/Ä", &["1"]),
        ("s3:RequestObjectTagKeys", &["Class", "class", "Ä"]),
    ]);
    let found = s3_values(&twins, "s3:requestobjecttag/class").unwrap();
    assert!(matches!(&found, ContextValues::Ambiguous(_)), "{found:?}");
    assert_eq!(found.as_slice(), ["public", "secret"]);
    let found = s3_values(&twins, "s3:requestobjecttag/ä").unwrap();
    assert!(matches!(&found, ContextValues::One(value) if value == "1"));
    assert!(is_list_key("s3:requestobjecttagkeys"));
    let found = s3_values(&twins, "s3:requestobjecttagkeys").unwrap();
    assert!(matches!(&found, ContextValues::Many(all) if all.len() == 3));
    assert!(s3_values(&twins, "s3:requestobjecttag/other").is_none());
}

#[test]
fn attempts_name_the_operation_as_the_access_log_does() {
    for (line, expected) in [
        ("GET /", "s3:REST.GET.SERVICE"),
        ("PUT /bucket", "s3:REST.PUT.BUCKET"),
        ("GET /bucket/?list-type=2", "s3:REST.GET.BUCKET"),
        ("HEAD /bucket/a/b", "s3:REST.HEAD.OBJECT"),
    ] {
        let (method, uri) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        let operation = S3Operation::of(request.method(), request.uri().path());
        assert_eq!(operation.log_name(), expected);
    }
}

#[test]
fn the_host_names_a_bucket_under_localhost_only() {
    for (host, expected) in [
        ("127.0.0.1:8787", None),
        ("localhost:8787", None),
        ("photos.localhost:8787", Some("photos")),
        ("a.b.localhost", Some("a.b")),
    ] {
        let request = Request::get("/").header("host", host).body(()).unwrap();
        assert_eq!(host_bucket(request.headers()), expected, "{host}");
    }
}
