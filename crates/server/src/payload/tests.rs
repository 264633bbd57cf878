//! Bodies that match their signature and bodies that do not.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, request::Parts};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use keywright_base::{Secret, Timestamp};
use keywright_sigv4::{
    PayloadClaim, PayloadHash, PresentedSignature, ServiceRules, SigningCredentials,
    SigningDialect, SigningKey, SigningTarget, sign,
};
use sha2::{Digest, Sha256};

use super::CheckedBody;
use keywright_base::WireError;
use keywright_s3::{BodyError, BodyTrailers};

const NOW: Timestamp = Timestamp::from_secs(1_795_507_200);

const RULES: ServiceRules = ServiceRules {
    dialect: SigningDialect::S3,
    service: "s3",
    home_region: "us-east-1",
};

fn signed(payload: PayloadClaim, headers: &[(&'static str, &str)]) -> (Parts, SigningKey) {
    let mut request = Request::put("/bucket/key").header("host", "127.0.0.1:8787");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned());
    let credentials = SigningCredentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE",
        secret: &secret,
        session_token: None,
    };
    let target = SigningTarget {
        region: "us-east-1",
        service: "s3",
    };
    sign(&mut parts, &credentials, &target, payload, NOW).unwrap();
    let presented = PresentedSignature::parse(&parts, NOW, &RULES).unwrap();
    let key = SigningKey::for_scope(&secret, presented.scope());
    (parts, key)
}

type Pieces = Vec<&'static [u8]>;

/// Reads a body to its end: returns the data, or the error code.
async fn read(
    payload: PayloadClaim,
    headers: &[(&'static str, &str)],
    pieces: Pieces,
) -> (Result<Vec<u8>, String>, Option<BodyTrailers>) {
    let (parts, key) = signed(payload, headers);
    let presented = PresentedSignature::parse(&parts, NOW, &RULES).unwrap();
    let proof = presented.verify(&parts, &key, PayloadHash::Declared);
    let proof = proof.unwrap();
    let frames = pieces.into_iter().map(Bytes::from_static).map(Frame::data);
    let body = StreamBody::new(stream::iter(frames.map(Ok::<_, BodyError>)));
    let (body, trailers) =
        CheckedBody::signed(body, (&proof, &key), presented, &parts.headers).unwrap();
    let data = body.collect().await.map(|body| body.to_bytes().to_vec());
    let code = |error: BodyError| error.downcast::<WireError>().unwrap().code.into_owned();
    (data.map_err(code), trailers)
}

#[tokio::test]
async fn a_body_has_the_hash_that_was_signed() {
    let hash = PayloadClaim::Sha256(Sha256::digest(b"hello world").into());
    for (pieces, expected) in [
        (vec![&b"hello world"[..]], Ok(b"hello world".to_vec())),
        (vec![b"hello ", b"", b"world"], Ok(b"hello world".to_vec())),
        (vec![b"hello worle"], Err("XAmzContentSHA256Mismatch")),
        (vec![b"hello worl"], Err("XAmzContentSHA256Mismatch")),
        (vec![], Err("XAmzContentSHA256Mismatch")),
    ] {
        let (data, _) = read(hash, &[], pieces).await;
        assert_eq!(data, expected.map_err(str::to_owned));
    }
}

#[tokio::test]
async fn chunks_are_decoded_and_their_trailers_stored() {
    let headers = [
        ("x-amz-decoded-content-length", "11"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    let trailer: &[u8] = b"0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
    for (pieces, expected) in [
        (
            vec![&b"b\r\nhello world\r\n"[..], trailer],
            Ok(b"hello world".to_vec()),
        ),
        (
            vec![b"6\r\nhel", b"lo \r", b"\n5\r\nworld\r\n", trailer],
            Ok(b"hello world".to_vec()),
        ),
        (vec![b"b\r\nhello world\r\n"], Err("IncompleteBody")),
        (vec![b"a\r\nhello worl\r\n", trailer], Err("IncompleteBody")),
        (
            vec![b"b\r\nhello world\r\n0\r\n\r\n"],
            Err("MalformedTrailerError"),
        ),
    ] {
        let (data, trailers) = read(PayloadClaim::StreamingUnsignedTrailer, &headers, pieces).await;
        let whole = data.is_ok();
        assert_eq!(data, expected.map_err(str::to_owned));
        let retained = trailers.unwrap().0.get().map(HeaderMap::len);
        assert_eq!(retained, whole.then_some(1));
    }
}
