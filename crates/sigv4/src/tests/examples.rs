//! The worked examples of AWS's documentation, verified and signed byte for byte.

use keywright_base::Secret;

use super::{ID, S3, at, credentials, request, secret};
use crate::{
    CredentialScope, PayloadClaim, PayloadHash, PresentedSignature, ServiceRules, SigningDialect,
    SigningKey, SigningTarget, key::sha256, presign, sign,
};

const HOST: &str = "host: examplebucket.s3.amazonaws.com\nx-amz-date: 20130524T000000Z\n";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const HELLO: &str = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";

#[test]
fn s3_in_header_form() {
    for (line, headers, hash, signed, signature) in [
        (
            "GET /test.txt",
            "range: bytes=0-9",
            EMPTY,
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT /test%24file.text",
            "date: Fri, 24 May 2013 00:00:00 GMT\nx-amz-storage-class: REDUCED_REDUNDANCY",
            HELLO,
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET /?lifecycle",
            "",
            EMPTY,
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET /?max-keys=2&prefix=J",
            "",
            EMPTY,
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let scope = "20130524/us-east-1/s3/aws4_request";
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={ID}/{scope},SignedHeaders={signed},Signature={signature}"
        );
        let parts = request(
            line,
            &format!(
                "{HOST}{headers}\nx-amz-content-sha256: {hash}\nauthorization: {authorization}"
            ),
        );
        let presented = PresentedSignature::parse(&parts, at("20130524T000500Z"), &S3).unwrap();
        assert_eq!(presented.access_key_id(), ID);
        assert_eq!(presented.scope().to_string(), scope);
        let key = SigningKey::for_scope(&secret(), presented.scope());
        assert!(
            presented
                .verify(&parts, &key, PayloadHash::Declared)
                .is_ok(),
            "{line}"
        );

        let mut unsigned = request(line, &format!("{HOST}{headers}"));
        let mut bytes = [0; 32];
        hex::decode_to_slice(hash, &mut bytes).unwrap();
        let target = SigningTarget {
            region: "us-east-1",
            service: "s3",
        };
        let made = sign(
            &mut unsigned,
            &credentials(&secret()),
            &target,
            PayloadClaim::Sha256(bytes),
            at("20130524T000000Z"),
        );
        assert_eq!(made.unwrap(), signature, "{line}");
    }
}

#[test]
fn s3_presigned() {
    let target = SigningTarget {
        region: "us-east-1",
        service: "s3",
    };
    let mut parts = request("GET /test.txt", "host: examplebucket.s3.amazonaws.com");
    let now = at("20130524T000000Z");
    presign(&mut parts, &credentials(&secret()), &target, 86400, now).unwrap();
    let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    assert_eq!(
        parts.uri.to_string(),
        format!(
            "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={ID}%2F20130524%2Fus-east-1\
             %2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400\
             &X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
        )
    );
    let presented = PresentedSignature::parse(&parts, at("20130524T235959Z"), &S3).unwrap();
    let key = SigningKey::for_scope(&secret(), presented.scope());
    assert!(
        presented
            .verify(&parts, &key, PayloadHash::Declared)
            .is_ok()
    );
}

#[test]
fn iam_list_users() {
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned());
    let parts = request(
        "GET /?Action=ListUsers&Version=2010-05-08",
        "content-type: application/x-www-form-urlencoded; charset=utf-8
         host: iam.amazonaws.com
         x-amz-date: 20150830T123600Z
         authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    );
    let rules = ServiceRules {
        dialect: SigningDialect::Query,
        service: "iam",
        home_region: "us-east-1",
    };
    let presented = PresentedSignature::parse(&parts, at("20150830T123600Z"), &rules).unwrap();
    let key = SigningKey::derive(&secret, "20150830", "us-east-1", "iam");
    assert!(presented.verify(&parts, &key, PayloadHash::of(b"")).is_ok());
    assert!(
        presented
            .verify(&parts, &key, PayloadHash::of(b"x"))
            .is_err()
    );
    // Verification must fail if the caller does not supply the body's hash.
    assert!(
        presented
            .verify(&parts, &key, PayloadHash::Declared)
            .is_err()
    );
}

/// The key of AWS's derivation example signs the string to sign of the same example.
#[test]
fn derivation() {
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned());
    let key = SigningKey::derive(&secret, "20150830", "us-east-1", "iam");
    let text = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
                f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
    assert_eq!(
        hex::encode(key.sign(text.as_bytes())),
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    );
    assert_eq!(format!("{key:?}"), "SigningKey([redacted])");
    assert_eq!(hex::encode(sha256(b"")), EMPTY);
    let scope = CredentialScope::new(*b"20150830", "us-east-1", "iam");
    assert_eq!(scope.to_string(), "20150830/us-east-1/iam/aws4_request");
}
