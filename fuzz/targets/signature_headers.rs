//! What a request presents to prove itself: no head and no chunked body may panic, and no head that
//! was not signed with the key may verify.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use http::{Request, request::Parts};
use keywright_base::{Secret, Timestamp};
use keywright_sigv4::{
    ChunkDecoder, SigningCredentials, SigningDialect, PayloadClaim, PayloadHash, PresentedSignature, PresentedV2, ServiceRules,
    SigningKey, SigningTarget, claimed_service, sign,
};
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp::from_secs(1_795_507_200);
static SECRET: LazyLock<Secret<String>> =
    LazyLock::new(|| Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()));

const fn rules(dialect: SigningDialect) -> ServiceRules {
    ServiceRules {
        dialect,
        service: match dialect {
            SigningDialect::Query => "iam",
            SigningDialect::S3 => "s3",
        },
        home_region: "us-east-1",
    }
}

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((b'c', body)) => chunks(body),
        Some((_, head)) => presented(head),
        None => {}
    }
});

/// Lines: method and target, then one header a line.
fn head(text: &[u8]) -> Option<Parts> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, uri) = first.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(uri);
    for line in lines.take(100) {
        let at = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..at], line[at + 1..].trim_ascii());
    }
    Some(request.body(()).ok()?.into_parts().0)
}

fn presented(bytes: &[u8]) {
    let Some(parts) = head(bytes) else {
        return;
    };
    let _ = claimed_service(&parts.headers, &parts.uri);
    for dialect in [SigningDialect::Query, SigningDialect::S3] {
        match PresentedSignature::parse(&parts, NOW, &rules(dialect)) {
            Ok(presented) => {
                let key = SigningKey::for_scope(&SECRET, presented.scope());
                let proof = presented.verify(&parts, &key, PayloadHash::of(b""));
                assert!(proof.is_err(), "an unsigned head verified");
            }
            Err(fault) => {
                let _ = fault.wire(dialect);
            }
        }
    }
    presented_v2(&parts);
}

/// Signature Version 2, which stands in the query only; a bucket in the host name is signed too.
fn presented_v2(parts: &Parts) {
    for bucket in [None, Some("bucket")] {
        match PresentedV2::parse(parts, NOW, bucket) {
            Ok(Some(presented)) => {
                let _ = (presented.access_key_id(), presented.session_token());
                let proof = presented.verify(&SECRET);
                assert!(proof.is_err(), "an unsigned URL verified");
            }
            Ok(None) => {}
            Err(fault) => {
                let _ = fault.wire(SigningDialect::S3);
            }
        }
    }
}

/// The first byte says in how large pieces the rest arrives.
fn chunks(bytes: &[u8]) {
    let Some((size, body)) = bytes.split_first() else {
        return;
    };
    for payload in [PayloadClaim::StreamingUnsignedTrailer, PayloadClaim::StreamingTrailer] {
        let request = Request::put("/bucket/key")
            .header("host", "localhost")
            .header("x-amz-decoded-content-length", "11")
            .header("x-amz-trailer", "x-amz-checksum-crc32");
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        let credentials = SigningCredentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE",
            secret: &SECRET,
            session_token: None,
        };
        let target = SigningTarget {
            region: "us-east-1",
            service: "s3",
        };
        sign(&mut parts, &credentials, &target, payload, NOW).expect("a signature");
        let rules = rules(SigningDialect::S3);
        let presented = PresentedSignature::parse(&parts, NOW, &rules).expect("what was signed");
        let key = SigningKey::for_scope(&SECRET, presented.scope());
        let proof = presented.verify(&parts, &key, PayloadHash::Declared);
        let proof = proof.expect("a proof");
        let decoder = ChunkDecoder::new(&proof, &presented, &key, &parts.headers);
        let mut decoder = decoder.expect("a decoder");
        let mut seen = 0;
        'body: for piece in body.chunks(usize::from(*size).max(1)) {
            let mut piece = Bytes::copy_from_slice(piece);
            loop {
                match decoder.decode(&mut piece) {
                    Ok(Some(data)) => seen += data.len(),
                    Ok(None) => break,
                    Err(_) => return,
                }
                assert!(seen <= body.len(), "more came out than went in");
                if piece.is_empty() {
                    continue 'body;
                }
            }
        }
        if decoder.finish().is_ok() {
            assert_eq!(seen, 11, "another length than was declared");
        }
    }
}
