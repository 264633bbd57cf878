//! What is read of a request before anything is decided.

use std::sync::Arc;

use http::Request;
use http_body_util::{BodyExt, Empty};
use keywright_objects::S3Fault;

use super::{IncomingRequest, Rules, S3Caller};

fn read(line: &str, host_bucket: Option<&str>) -> Result<IncomingRequest, S3Fault> {
    let (method, uri) = line.split_once(' ').unwrap();
    let request = Request::builder().method(method).uri(uri).body(()).unwrap();
    let caller = S3Caller {
        account: Some("111122223333".parse().unwrap()),
        identity: None,
        region: Some("us-east-1".into()),
        version2: false,
        authorize: Arc::new(Rules::default()),
        trailers: None,
    };
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    IncomingRequest::read(request.into_parts().0, body, caller, host_bucket)
}

#[test]
fn what_reads_many_rows_takes_turns() {
    for (line, expected) in [
        ("GET /", true),
        ("GET /bucket", true),
        ("GET /bucket/?list-type=2&delimiter=/", true),
        ("GET /bucket?uploads", true),
        ("GET /bucket/key?max-parts=9&uploadId=x", true),
        ("GET /bucket/key?upload%49d=x", true),
        ("GET /bucket/key?%75ploadId", true),
        ("GET /bucket/key", false),
        ("HEAD /bucket", false),
        ("PUT /bucket/key?partNumber=1&uploadId=x", false),
    ] {
        assert_eq!(read(line, None).unwrap().is_listing(), expected, "{line}");
    }
}

#[test]
fn a_bucket_in_the_host_moves_into_the_path() {
    for (host, line, expected) in [
        (None, "GET /bucket/key?acl", Some("/bucket/key?acl")),
        (
            Some("photos"),
            "GET /key?tagging",
            Some("/photos/key?tagging"),
        ),
        (Some("a.b"), "GET /", Some("/a.b/")),
        (Some("a b"), "GET /", None),
    ] {
        let read = read(line, host).ok();
        let uri = read.map(|request| request.head.uri.to_string());
        assert_eq!(uri.as_deref(), expected, "{host:?} {line}");
    }
}
