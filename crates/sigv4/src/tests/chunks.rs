//! aws-chunked bodies: AWS's examples, every split point, every malformed form.

use bytes::Bytes;
use http::request::Parts;

use super::{ID, NOW, S3, at, credentials, request, secret, target};
use crate::{
    ChunkDecoder, ChunkFault, FinishedBody, PayloadClaim, PayloadHash, PresentedSignature,
    SigningKey, sign,
};

const PUT: &str = "host: s3.amazonaws.com
    x-amz-date: 20130524T000000Z
    x-amz-storage-class: REDUCED_REDUNDANCY
    content-encoding: aws-chunked
    x-amz-decoded-content-length: 66560";

fn decoder(parts: &Parts, now: &str) -> Result<ChunkDecoder, ChunkFault> {
    let presented = PresentedSignature::parse(parts, at(now), &S3).unwrap();
    let key = SigningKey::for_scope(&secret(), presented.scope());
    let proof = presented
        .verify(parts, &key, PayloadHash::Declared)
        .unwrap();
    ChunkDecoder::new(&proof, &presented, &key, &parts.headers)
}

/// Decodes a body that arrives `step` bytes at a time.
fn decode(
    mut decoder: ChunkDecoder,
    body: &[u8],
    step: usize,
) -> Result<(Vec<u8>, FinishedBody), ChunkFault> {
    let mut data = Vec::new();
    for piece in body.chunks(step) {
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some(part) = decoder.decode(&mut piece)? {
            data.extend_from_slice(&part);
        }
    }
    decoder.finish().map(|finished| (data, finished))
}

fn chunk(size: usize, signature: &str) -> Vec<u8> {
    let mut out = format!("{size:x};chunk-signature={signature}\r\n").into_bytes();
    out.extend(std::iter::repeat_n(b'a', size));
    if size > 0 {
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[test]
fn published_example() {
    let parts = request(
        "PUT /examplebucket/chunkObject.txt",
        &format!(
            "{PUT}\ncontent-length: 66824
             x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD
             authorization: AWS4-HMAC-SHA256 Credential={ID}/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
        ),
    );
    let mut body = chunk(
        65536,
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    );
    body.extend(chunk(
        1024,
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    ));
    body.extend(chunk(
        0,
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ));
    body.extend_from_slice(b"\r\n");
    assert_eq!(body.len(), 66824);
    let now = "20130524T000000Z";
    for step in [1, 7, 1000, 65536, 66824] {
        let (data, finished) = decode(decoder(&parts, now).unwrap(), &body, step).unwrap();
        assert_eq!(data, vec![b'a'; 66560], "{step}");
        assert_eq!(finished.length, 66560);
    }
    for (at, fault) in [
        (100, ChunkFault::Signature),
        (25, ChunkFault::Signature),
        (65700, ChunkFault::Signature),
        (66800, ChunkFault::Signature),
        (66750, ChunkFault::Malformed),
        (3, ChunkFault::Signature),
        (66823, ChunkFault::Incomplete),
    ] {
        let mut bad = body.clone();
        bad[at] = if bad[at] == b'0' { b'1' } else { b'0' };
        let result = decode(decoder(&parts, now).unwrap(), &bad, 4096);
        assert_eq!(result.unwrap_err(), fault, "{at}");
    }
    for end in [0, 1, 86, 90, 65624, 65710, 66737, 66822, 66823] {
        let result = decode(decoder(&parts, now).unwrap(), &body[..end], 4096);
        assert_eq!(result.unwrap_err(), ChunkFault::Incomplete, "{end}");
    }
}

#[test]
fn published_example_with_trailer() {
    let parts = request(
        "PUT /examplebucket/chunkObject.txt",
        &format!(
            "{PUT}\nx-amz-trailer: x-amz-checksum-crc32c
             x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER
             authorization: AWS4-HMAC-SHA256 Credential={ID}/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer,Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
        ),
    );
    let mut body = chunk(
        65536,
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    );
    body.extend(chunk(
        1024,
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    ));
    body.extend(chunk(
        0,
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ));
    let checksum = "x-amz-checksum-crc32c:sOO8/Q==\r\n";
    let signature = "x-amz-trailer-signature:\
                     d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n";
    let run = |trailer: &str| {
        let mut body = body.clone();
        body.extend_from_slice(trailer.as_bytes());
        decode(decoder(&parts, "20130524T000000Z").unwrap(), &body, 5000)
            .map(|(_, finished)| finished.trailers)
    };
    let (name, value) = ("x-amz-checksum-crc32c".to_owned(), "sOO8/Q==".to_owned());
    assert_eq!(
        run(&format!("{checksum}{signature}\r\n")),
        Ok(vec![(name, value)])
    );
    for (trailer, fault) in [
        (format!("{checksum}\r\n"), ChunkFault::Signature),
        ("\r\n".to_owned(), ChunkFault::Signature),
        (format!("{signature}\r\n"), ChunkFault::Signature),
        (
            format!("x-amz-checksum-crc32c:sOO8/A==\r\n{signature}\r\n"),
            ChunkFault::Signature,
        ),
        (
            format!("{checksum}{checksum}{signature}\r\n"),
            ChunkFault::Trailer,
        ),
        (
            format!("{checksum}{signature}{signature}\r\n"),
            ChunkFault::Trailer,
        ),
        (
            format!("x-amz-meta-a:b\r\n{signature}\r\n"),
            ChunkFault::Trailer,
        ),
        (format!("no colon\r\n{signature}\r\n"), ChunkFault::Trailer),
        (checksum.replace("\r\n", "\n"), ChunkFault::Trailer),
        (format!("x:{}", "y".repeat(5000)), ChunkFault::Trailer),
        (format!("{checksum}{signature}"), ChunkFault::Incomplete),
        (
            format!("{checksum}{signature}\r\nmore"),
            ChunkFault::Malformed,
        ),
    ] {
        assert_eq!(run(&trailer).unwrap_err(), fault, "{trailer:.80}");
    }
}

/// A signed request with a streaming payload and these headers.
fn streaming(payload: PayloadClaim, headers: &str) -> Parts {
    let mut parts = request("PUT /b/k", &format!("host: h\n{headers}"));
    let secret = secret();
    sign(
        &mut parts,
        &credentials(&secret),
        &target(&S3),
        payload,
        at(NOW),
    )
    .unwrap();
    parts
}

#[test]
fn unsigned_chunks() {
    let parts = streaming(
        PayloadClaim::StreamingUnsignedTrailer,
        "x-amz-decoded-content-length: 11\nx-amz-trailer: x-amz-checksum-crc32",
    );
    let run = |body: &str, step| {
        decode(decoder(&parts, NOW).unwrap(), body.as_bytes(), step)
            .map(|(data, finished)| (String::from_utf8(data).unwrap(), finished.trailers.len()))
    };
    let good = "5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
    for step in 1..good.len() {
        assert_eq!(run(good, step), Ok(("hello world".to_owned(), 1)), "{step}");
    }
    for (body, fault) in [
        ("", ChunkFault::Incomplete),
        ("0\r\n\r\n", ChunkFault::Incomplete),
        ("b\r\nhello world\r\n0\r\n", ChunkFault::Incomplete),
        ("b\r\nhello world\r\n0\r\n\r\n", ChunkFault::Trailer),
        ("c\r\nhello worlds\r\n0\r\n\r\n", ChunkFault::Incomplete),
        ("ffffffffffffffff\r\n", ChunkFault::Incomplete),
        ("11111111111111111\r\n", ChunkFault::Malformed),
        ("-1\r\n", ChunkFault::Malformed),
        ("+b\r\n", ChunkFault::Malformed),
        (" b\r\n", ChunkFault::Malformed),
        ("\r\n", ChunkFault::Malformed),
        ("g\r\n", ChunkFault::Malformed),
        ("b\nhello world", ChunkFault::Malformed),
        ("b;ext=1\r\n", ChunkFault::Malformed),
        ("b;chunk-signature=00\r\n", ChunkFault::Malformed),
        ("b\r\nhello worldXXX", ChunkFault::Malformed),
        ("b\r\nhello world\n", ChunkFault::Malformed),
        (&"0".repeat(300), ChunkFault::Malformed),
        (
            "b\r\nhello world\r\n0\r\nx-amz-trailer-signature:00\r\n\r\n",
            ChunkFault::Trailer,
        ),
        (&format!("{good}\n"), ChunkFault::Malformed),
    ] {
        assert_eq!(run(body, 3).unwrap_err(), fault, "{body:.60}");
    }
}

#[test]
fn small_chunks_stand_last() {
    let parts = streaming(
        PayloadClaim::Streaming,
        "x-amz-decoded-content-length: 9000",
    );
    let presented = PresentedSignature::parse(&parts, at(NOW), &S3).unwrap();
    let key = SigningKey::for_scope(&secret(), presented.scope());
    let mut previous = presented.signature().to_owned();
    let mut signed = |data: &str| {
        let empty = hex::encode(crate::key::sha256(b""));
        let hash = hex::encode(crate::key::sha256(data.as_bytes()));
        let scope = presented.scope();
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{NOW}\n{scope}\n{previous}\n{empty}\n{hash}");
        previous = hex::encode(key.sign(text.as_bytes()));
        chunk(data.len(), &previous)
    };
    let mut body = signed(&"a".repeat(100));
    body.extend(signed(&"a".repeat(8900)));
    let result = decode(decoder(&parts, NOW).unwrap(), &body, 100);
    let fault = ChunkFault::TooSmall {
        chunk: 1,
        size: 100,
    };
    assert_eq!(result.unwrap_err(), fault);
}

#[test]
fn what_must_be_declared() {
    for (payload, headers, fault) in [
        (PayloadClaim::Streaming, "", ChunkFault::DecodedLength),
        (
            PayloadClaim::Streaming,
            "x-amz-decoded-content-length: +1",
            ChunkFault::DecodedLength,
        ),
        (
            PayloadClaim::Streaming,
            "x-amz-decoded-content-length: 99999999999999999999",
            ChunkFault::DecodedLength,
        ),
        (
            PayloadClaim::Streaming,
            "x-amz-decoded-content-length: 1\nx-amz-decoded-content-length: 1",
            ChunkFault::DecodedLength,
        ),
        (
            PayloadClaim::Streaming,
            "x-amz-decoded-content-length: 5368709121",
            ChunkFault::TooLarge {
                size: 5_368_709_121,
            },
        ),
        (
            PayloadClaim::Streaming,
            "x-amz-decoded-content-length: 1\nx-amz-trailer: x-amz-checksum-crc32",
            ChunkFault::Trailer,
        ),
        (
            PayloadClaim::StreamingTrailer,
            "x-amz-decoded-content-length: 1\nx-amz-trailer: a,b,c,d,e,f,g,h,i",
            ChunkFault::Trailer,
        ),
        (
            PayloadClaim::Unsigned,
            "x-amz-decoded-content-length: 1",
            ChunkFault::Malformed,
        ),
    ] {
        let parts = streaming(payload, headers);
        assert_eq!(decoder(&parts, NOW).unwrap_err(), fault, "{headers}");
    }
}
