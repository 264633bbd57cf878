//! What the check of an S3 request reads from its head.

use http::Request;

use super::{is_listing, operation_name, path_style};

#[test]
fn what_reads_many_rows_takes_turns() {
    for (line, expected) in [
        ("GET /", true),
        ("GET /bucket", true),
        ("GET /bucket/?list-type=2&delimiter=/", true),
        ("GET /bucket?uploads", true),
        ("GET /bucket/key?max-parts=9&uploadId=x", true),
        ("GET /bucket/key", false),
        ("HEAD /bucket", false),
        ("PUT /bucket/key?partNumber=1&uploadId=x", false),
    ] {
        let (method, uri) = line.split_once(' ').unwrap();
        let listing = is_listing(&method.parse().unwrap(), &uri.parse().unwrap());
        assert_eq!(listing, expected, "{line}");
    }
}

#[test]
fn a_bucket_in_the_host_moves_into_the_path() {
    for (host, uri, expected) in [
        ("127.0.0.1:8787", "/bucket/key?acl", Some("/bucket/key?acl")),
        ("localhost:8787", "/bucket/key", Some("/bucket/key")),
        (
            "photos.localhost:8787",
            "/key?tagging",
            Some("/photos/key?tagging"),
        ),
        ("a.b.localhost", "/", Some("/a.b/")),
        ("a b.localhost", "/", None),
    ] {
        let request = Request::get(uri).header("host", host).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        let moved = path_style(&mut parts).is_ok();
        let path = moved.then(|| parts.uri.to_string());
        assert_eq!(path.as_deref(), expected, "{host} {uri}");
    }
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
        assert_eq!(operation_name(&request.into_parts().0), expected);
    }
}
