//! No request is carried out as another one: a request that is not understood changes nothing.

use keywright_wire::{Level, s3::ROUTES};

use super::{Answer, Ask, Front, TABLE, ask};

/// A bucket with tags, a tagged object and a multipart upload.
async fn filled() -> Front {
    let front = Front::new().await;
    let put = ask("PUT /bench/k")
        .with("x-amz-tagging", "a=1")
        .body("content");
    front.root(put).await;
    front.root(ask("POST /bench/k?uploads")).await;
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
    front.root(ask("PUT /bench?tagging").body(tags)).await;
    front
}

/// All state that can be read from the bucket.
async fn state(front: &Front) -> Vec<String> {
    let mut texts = Vec::new();
    for line in [
        "GET /",
        "GET /bench?versions",
        "GET /bench?uploads",
        "GET /bench?tagging",
        "GET /bench?policy",
        "GET /bench?publicAccessBlock",
        "GET /bench/k",
        "GET /bench/k?tagging",
    ] {
        texts.push(front.root(ask(line)).await.text);
    }
    texts
}

fn line(method: &str, level: Level, query: &str) -> &'static str {
    let path = match level {
        Level::Service => "/",
        Level::Bucket => "/bench",
        Level::Object => "/bench/k",
    };
    format!("{method} {path}?{query}").leak()
}

fn not_implemented(line: &str, answer: &Answer) {
    assert_eq!(answer.status, 501, "{line} {answer:?}");
    let head = line.starts_with("HEAD");
    assert!(
        head || answer.element("Code") == "NotImplemented",
        "{line} {answer:?}"
    );
}

#[tokio::test]
async fn operations_that_are_not_served_change_nothing() {
    let front = filled().await;
    let before = state(&front).await;
    for route in ROUTES {
        if TABLE.iter().any(|row| row.operation == route.operation) {
            continue;
        }
        let query: Vec<_> = route
            .required
            .iter()
            .map(|(name, value)| format!("{name}={}", value.unwrap_or("1")))
            .collect();
        if query.is_empty() {
            // These operations differ by host only.
            assert!(
                matches!(route.operation, "ListDirectoryBuckets"),
                "{route:?}"
            );
            continue;
        }
        let line = line(route.method, route.level, &query.join("&"));
        let body = "<X xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>";
        let answer = front.root(ask(line).body(body)).await;
        not_implemented(line, &answer);
    }
    assert_eq!(state(&front).await, before);
}

#[tokio::test]
async fn unknown_parameters_change_nothing() {
    let front = filled().await;
    let before = state(&front).await;
    for query in [
        "abac2",
        "encryption2=",
        "Tagging",
        "tagging&unknown",
        "acl&tagging",
        "X-Amz-Expires=1",
        "x-amz-meta-a=1",
        "versionId=null&unknown=1",
        "list-type=3",
        "%61bac",
        "=",
    ] {
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE"] {
            for level in [Level::Service, Level::Bucket, Level::Object] {
                let line = line(method, level, query);
                let answer = front.root(ask(line).body("content")).await;
                not_implemented(line, &answer);
            }
        }
    }
    for line in [
        "PUT /bench/k?x-id=Other",
        "DELETE /bench?x-id=GetBucketAbac",
        "GET /?x-id=a",
    ] {
        not_implemented(line, &front.root(ask(line).body("content")).await);
    }
    assert_eq!(state(&front).await, before);
}

#[tokio::test]
async fn unknown_headers_change_nothing() {
    let front = filled().await;
    let before = state(&front).await;
    for (line, header) in [
        ("PUT /bench/k", "x-amz-unknown"),
        ("PUT /bench/k", "x-amz-object-lock-mode"),
        ("PUT /bench/k", "x-amz-checksum-sha512"),
        ("PUT /bench/k", "x-amz-write-offset-bytes"),
        ("PUT /bench/k", "x-amz-copy-source-if-match"),
        ("PUT /bench/k", "x-amz-rename-source"),
        ("PUT /bench/k?tagging", "x-amz-meta-a"),
        ("PUT /bench", "x-amz-copy-source"),
        ("DELETE /bench/k", "x-amz-mfa"),
        ("DELETE /bench/k", "x-amz-if-match-size"),
        ("DELETE /bench", "x-amz-meta-a"),
        ("GET /bench/k", "x-amz-copy-source"),
        ("GET /bench/k", "x-amz-api-version"),
    ] {
        let answer = front
            .root(ask(line).with(header, "1").body("content"))
            .await;
        not_implemented(line, &answer);
        assert_eq!(answer.element("Header"), header, "{line}");
    }
    assert_eq!(state(&front).await, before);
}

#[tokio::test]
async fn what_clients_send_is_understood() {
    let front = filled().await;
    for (request, status) in [
        (
            ask("GET /?x-id=ListBuckets&max-buckets=10&bucket-region=us-east-1"),
            200,
        ),
        (
            ask("GET /bench?list-type=2&x-id=ListObjectsV2&encoding-type=url&fetch-owner=true"),
            200,
        ),
        (
            ask("GET /bench?list-type=2").with("x-amz-optional-object-attributes", "RestoreStatus"),
            200,
        ),
        (
            ask("GET /bench?delimiter=%2F&marker=&max-keys=2&prefix="),
            200,
        ),
        (
            ask("GET /bench/k?x-id=GetObject&response-content-type=text%2Fplain"),
            200,
        ),
        (
            ask("GET /bench/k").with("x-amz-request-payer", "requester"),
            200,
        ),
        (
            ask("GET /bench/k")
                .with("x-amz-user-agent", "aws-sdk-js/3")
                .with("amz-sdk-request", "a"),
            200,
        ),
        (
            ask("HEAD /bench").with("x-amz-api-version", "2006-03-01"),
            200,
        ),
        (ask("GET /bench/k").with("x-amz-te", "append-md5"), 200),
        (
            ask("HEAD /bench/k?partNumber=1").with("x-amz-checksum-mode", "enabled"),
            206,
        ),
        (
            ask("PUT /bench?publicAccessBlock")
                .with("x-amz-sdk-checksum-algorithm", "CRC32")
                .body("x"),
            400,
        ),
        (ask("GET /bench?location="), 200),
        (
            ask("GET /bench?uploads=&key-marker=&upload-id-marker="),
            200,
        ),
    ] {
        let line = request.line;
        let answer = front.root(request).await;
        assert_eq!(answer.status, status, "{line} {answer:?}");
    }
}

/// Requests without a query, with a method that their resource does not have.
#[tokio::test]
async fn the_method_says_what_is_not_allowed() {
    let front = filled().await;
    let before = state(&front).await;
    for line in [
        "POST /bench",
        "POST /bench/k",
        "DELETE /",
        "PUT /",
        "PATCH /bench/k",
    ] {
        let request: Ask = ask(line).body("content");
        let answer = front.root(request).await;
        assert_eq!(
            answer.element("Code"),
            "MethodNotAllowed",
            "{line} {answer:?}"
        );
    }
    assert_eq!(state(&front).await, before);
}
