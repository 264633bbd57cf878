//! Responses as they were recorded from S3: reads of settings, documents, the order of argument
//! checks.

#![expect(clippy::too_many_lines, reason = "tables have a row for each case")]

use super::{Ask, Front, ask};

#[tokio::test]
async fn settings_that_every_bucket_answers() {
    let front = Front::new().await;
    for (query, status, part) in [
        ("encryption", 200, "<SSEAlgorithm>AES256</SSEAlgorithm>"),
        (
            "encryption",
            200,
            "<BucketKeyEnabled>false</BucketKeyEnabled>",
        ),
        (
            "ownershipControls",
            200,
            "<ObjectOwnership>BucketOwnerEnforced</ObjectOwnership>",
        ),
        ("logging", 200, "<BucketLoggingStatus"),
        ("notification", 200, "<NotificationConfiguration"),
        ("accelerate", 200, "<AccelerateConfiguration"),
        ("requestPayment", 200, "<Payer>BucketOwner</Payer>"),
        ("versioning", 200, "<VersioningConfiguration"),
        ("cors", 404, "<Code>NoSuchCORSConfiguration</Code>"),
        (
            "lifecycle",
            404,
            "<Code>NoSuchLifecycleConfiguration</Code>",
        ),
        ("website", 404, "<Code>NoSuchWebsiteConfiguration</Code>"),
        (
            "replication",
            404,
            "<Code>ReplicationConfigurationNotFoundError</Code>",
        ),
        (
            "object-lock",
            404,
            "<Code>ObjectLockConfigurationNotFoundError</Code>",
        ),
        ("analytics", 200, "<IsTruncated>false</IsTruncated>"),
        (
            "intelligent-tiering",
            200,
            "<IsTruncated>false</IsTruncated>",
        ),
        ("inventory", 200, "<IsTruncated>false</IsTruncated>"),
        ("metrics", 200, "<IsTruncated>false</IsTruncated>"),
    ] {
        let answer = front.root(ask(format!("GET /bench?{query}").leak())).await;
        assert_eq!(answer.status, status, "{query} {answer:?}");
        assert!(answer.text.contains(part), "{query} {answer:?}");
        let first = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<";
        assert!(answer.text.starts_with(first), "{query} {answer:?}");
    }
}

#[tokio::test]
async fn documents_in_s3s_own_form() {
    let front = Front::new().await;
    let head = front.root(ask("HEAD /bench")).await;
    assert_eq!(head.header("x-amz-bucket-arn"), "arn:aws:s3:::bench");
    let list = front.root(ask("GET /")).await;
    let (owner, buckets) = list.text.split_once("</Owner><Buckets>").unwrap();
    assert!(owner.ends_with("</ID>"), "{list:?}");
    assert!(
        buckets.contains("<BucketArn>arn:aws:s3:::bench</BucketArn>"),
        "{list:?}"
    );
    front
        .root(
            ask("PUT /bench/k")
                .with("content-type", "application/xml")
                .body("<?xml?>"),
        )
        .await;
    assert_eq!(front.root(ask("GET /bench/k")).await.text, "<?xml?>");
    let versions = front.root(ask("GET /bench?versions")).await;
    assert_eq!(versions.header("x-amz-bucket-region"), "us-east-1");
    assert_eq!(versions.element("VersionId"), "null");
    assert_eq!(versions.element("IsLatest"), "true");
    let attributes = ask("GET /bench/k?attributes").with(
        "x-amz-object-attributes",
        "ETag,Checksum,ObjectParts,StorageClass,ObjectSize",
    );
    let attributes = front.root(attributes).await;
    assert!(!attributes.text.contains("&quot;"), "{attributes:?}");
    assert_eq!(attributes.element("ETag").len(), 32);
    assert_eq!(attributes.element("ChecksumType"), "FULL_OBJECT");
    assert!(!attributes.text.contains("ObjectParts"), "{attributes:?}");
    assert_eq!(attributes.element("ObjectSize"), "7");
}

#[tokio::test]
async fn parts_and_initiators() {
    let front = Front::new().await;
    let begin = ask("POST /bench/m?uploads").with("x-amz-checksum-algorithm", "SHA256");
    let id = front.root(begin).await.element("UploadId").to_owned();
    let part = format!("PUT /bench/m?partNumber=1&uploadId={id}").leak();
    let part = front.root(ask(part).body("hello")).await;
    let sum = part.header("x-amz-checksum-sha256").to_owned();
    let listed = front.root(ask("GET /bench?uploads")).await;
    let initiator = "<Initiator><ID>arn:aws:iam::111122223333:user/x/someone</ID>\
                     <DisplayName>someone</DisplayName></Initiator>";
    let swapped = "<Initiator><DisplayName>someone</DisplayName>\
                   <ID>arn:aws:iam::111122223333:user/x/someone</ID></Initiator>";
    assert!(
        listed.text.contains(initiator) || listed.text.contains(swapped),
        "{listed:?}"
    );
    assert_eq!(listed.element("NextKeyMarker"), "m");
    assert_eq!(listed.element("NextUploadIdMarker"), id);
    assert!(!listed.text.contains("<Prefix"), "{listed:?}");
    let etag = part.header("etag").replace('"', "");
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag>\
         <ChecksumSHA256>{sum}</ChecksumSHA256></Part></CompleteMultipartUpload>"
    );
    let line = format!("POST /bench/m?uploadId={id}").leak();
    assert_eq!(
        front.root(ask(line)).await.element("Code"),
        "InvalidRequest"
    );
    let done = front.root(ask(line).body(complete.clone())).await;
    let again = front.root(ask(line).body(complete)).await;
    assert_eq!(
        (done.status, again.status),
        (200, 200),
        "{done:?} {again:?}"
    );
    assert_eq!(done.element("ETag"), again.element("ETag"));
    let none = front.root(ask("POST /bench/m?uploadId=none")).await;
    assert_eq!(none.element("Code"), "NoSuchUpload");
    let attributes = ask("GET /bench/m?attributes")
        .with("x-amz-object-attributes", "Checksum,ObjectParts")
        .with("x-amz-max-parts", "1");
    let attributes = front.root(attributes).await;
    assert!(
        !attributes.element("ChecksumSHA256").contains("-1"),
        "{attributes:?}"
    );
    let parts = format!(
        "<ObjectParts><PartsCount>1</PartsCount><PartNumberMarker>0</PartNumberMarker>\
         <NextPartNumberMarker>1</NextPartNumberMarker><MaxParts>1</MaxParts>\
         <IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><Size>5</Size>\
         <ChecksumSHA256>{sum}</ChecksumSHA256></Part></ObjectParts>"
    );
    assert!(attributes.text.contains(&parts), "{attributes:?}");
    let read = ask("GET /bench/m?partNumber=1").with("x-amz-checksum-mode", "enabled");
    assert_eq!(front.root(read).await.header("x-amz-checksum-sha256"), sum);
    let range = ask("GET /bench/m")
        .with("range", "bytes=0-")
        .with("x-amz-checksum-mode", "ENABLED");
    assert!(
        front
            .root(range)
            .await
            .header("x-amz-checksum-sha256")
            .ends_with("-1")
    );
    let range = ask("GET /bench/m")
        .with("range", "bytes=0-1")
        .with("x-amz-checksum-mode", "ENABLED");
    assert_eq!(front.root(range).await.header("x-amz-checksum-sha256"), "");
}

#[tokio::test]
async fn arguments() {
    let front = Front::new().await;
    front
        .root(
            ask("PUT /bench/a%20b")
                .with("x-amz-tagging", "a=1")
                .body("x"),
        )
        .await;
    let group = "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"";
    let policy = "<AccessControlPolicy><Owner><ID>a</ID></Owner><AccessControlList>\
                  </AccessControlList></AccessControlPolicy>";
    let empty = "<PublicAccessBlockConfiguration></PublicAccessBlockConfiguration>";
    let delete = "<Delete><Object><Key>none</Key></Object></Delete>";
    let wrong = "AAAAAAAAAAAAAAAAAAAAAA==";
    let rows: Vec<(Ask, &str)> = vec![
        (
            ask("PUT /bench/c").with("x-amz-copy-source", "bench/a+b"),
            "",
        ),
        (
            ask("PUT /bench/c").with("x-amz-copy-source", "bench%2Fa%20b"),
            "",
        ),
        (
            ask("PUT /bench/c").with("x-amz-copy-source", "http://localhost/bench/a%20b"),
            "",
        ),
        (
            ask("PUT /bench/a%20b")
                .with("x-amz-copy-source", "bench/a+b")
                .with("x-amz-website-redirect-location", "/x"),
            "",
        ),
        (
            ask("GET /bench?list-type=2&continuation-token="),
            "InvalidArgument continuation-token",
        ),
        (
            ask("GET /bench?list-type=2&max-keys=abc"),
            "InvalidArgument max-keys",
        ),
        (
            ask("GET /bench?max-keys=2147483648"),
            "InvalidArgument max-keys",
        ),
        (
            ask("GET /bench/a%20b?uploadId=x&part-number-marker=x"),
            "InvalidArgument part-number-marker",
        ),
        (
            ask("GET /bench/none?versionId=x"),
            "InvalidArgument versionId",
        ),
        (
            ask("GET /bench/a%20b").with("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT"),
            "",
        ),
        (
            ask("PUT /bench/c")
                .with("x-amz-acl", "public-read")
                .body("x"),
            "AccessControlListNotSupported",
        ),
        (
            ask("PUT /bench/c").with("x-amz-acl", "other").body("x"),
            "InvalidArgument x-amz-acl",
        ),
        (
            ask("PUT /bench/c")
                .with("x-amz-grant-read", "other")
                .body("x"),
            "InvalidArgument x-amz-grant-read",
        ),
        (
            ask("PUT /bench/c")
                .with("x-amz-grant-read", "id=\"1\"")
                .body("x"),
            "InvalidArgument id",
        ),
        (
            ask("PUT /bench/c")
                .with("x-amz-grant-read", group)
                .body("x"),
            "AccessControlListNotSupported",
        ),
        (
            ask("PUT /none/c").with("x-amz-acl", "other").body("x"),
            "NoSuchBucket",
        ),
        (
            ask("PUT /bench?acl").with("x-amz-acl", "private"),
            "AccessControlListNotSupported",
        ),
        (ask("PUT /bench?acl"), "MissingSecurityHeader"),
        (
            ask("PUT /bench/a%20b?acl").with("x-amz-acl", "private"),
            "AccessControlListNotSupported",
        ),
        (
            ask("PUT /bench/a%20b?acl").with("x-amz-acl", "bucket-owner-full-control"),
            "AccessControlListNotSupported",
        ),
        (
            ask("PUT /bench/a%20b?acl").with("x-amz-acl", "other"),
            "InvalidArgument x-amz-acl",
        ),
        (
            ask("GET /bench/a%20b?response-etag=x"),
            "InvalidArgument response-etag",
        ),
        (
            ask("PUT /bench?acl")
                .with("x-amz-acl", "private")
                .body(policy),
            "UnexpectedContent",
        ),
        (
            ask("PUT /bench?acl").body(policy),
            "AccessControlListNotSupported",
        ),
        (
            ask("PUT /fresh").with("x-amz-acl", "public-read"),
            "InvalidBucketAclWithObjectOwnership",
        ),
        (
            ask("PUT /fresh").with("x-amz-bucket-namespace", "account-regional"),
            "InvalidNamespaceHeader",
        ),
        (
            ask("PUT /x-111122223333-us-east-1-an")
                .with("x-amz-bucket-namespace", "account-regional"),
            "",
        ),
        (
            ask("DELETE /bench/a%20b").with("x-amz-bypass-governance-retention", "true"),
            "InvalidArgument x-amz-bypass-governance-retention",
        ),
        (
            ask("PUT /bench?publicAccessBlock").body(empty),
            "InvalidRequest",
        ),
        (
            ask("PUT /bench/c")
                .with("x-amz-server-side-encryption-customer-key", "x")
                .body("x"),
            "InvalidArgument x-amz-server-side-encryption-customer-algorithm",
        ),
        (
            ask("PUT /bench/c")
                .with("x-amz-storage-class", "DEEP_ARCHIVE")
                .body("x"),
            "",
        ),
        (ask("POST /bench?delete").body(delete), "InvalidRequest"),
        (
            ask("POST /bench?delete")
                .with("content-md5", wrong)
                .body(delete),
            "BadDigest",
        ),
        (
            ask("POST /bench?delete")
                .with("x-amz-checksum-crc32", "AAAAAA==")
                .body(delete),
            "BadDigest",
        ),
    ];
    for (request, expected) in rows {
        let line = request.line;
        let answer = front.root(request).await;
        let got = format!(
            "{} {}",
            answer.element("Code"),
            answer.element("ArgumentName")
        );
        assert_eq!(got.trim(), expected, "{line} {answer:?}");
    }
    let head = front.root(ask("HEAD /bench/a%20b")).await;
    assert_eq!(head.header("x-amz-tagging-count"), "1");
    assert_eq!(head.header("x-amz-website-redirect-location"), "/x");
    let copied = front.root(ask("HEAD /bench/c")).await;
    assert_eq!(copied.header("x-amz-website-redirect-location"), "");
}

#[tokio::test]
async fn no_tags_are_tags_too() {
    let front = Front::new().await;
    front
        .root(ask("PUT /bench/k").with("x-amz-tagging", "a=1").body("x"))
        .await;
    for (line, status) in [("PUT /bench?tagging", 204), ("PUT /bench/k?tagging", 200)] {
        let answer = front
            .root(ask(line).body("<Tagging><TagSet></TagSet></Tagging>"))
            .await;
        assert_eq!(answer.status, status, "{line} {answer:?}");
    }
    let tags = front.root(ask("GET /bench/k?tagging")).await;
    assert!(!tags.text.contains("<Key>"), "{tags:?}");
}

#[tokio::test]
async fn values_outside_ascii() {
    let front = Front::new().await;
    let put = ask("PUT /bench/k")
        .with("cache-control", "ä")
        .with("content-disposition", "attachment; filename=ö")
        .with("x-amz-meta-a", "=?UTF-8?B?w6TDtg==?=")
        .with("x-amz-meta-b", "=?UTF-8?B?%?=")
        .with("x-amz-meta-c", "ü")
        .body("x");
    assert_eq!(front.root(put).await.status, 200);
    let got = front.root(ask("GET /bench/k")).await;
    let bytes = |name: &str| got.headers.get(name).unwrap().as_bytes();
    assert_eq!(bytes("cache-control"), "ä".as_bytes());
    assert_eq!(
        bytes("content-disposition"),
        "attachment; filename=ö".as_bytes()
    );
    assert_eq!(bytes("x-amz-meta-a"), b"=?UTF-8?B?w6TDtg==?=");
    assert_eq!(bytes("x-amz-meta-b"), b"=?UTF-8?B?%?=");
    assert_eq!(bytes("x-amz-meta-c"), b"=?UTF-8?B?w7w=?=");
}

#[tokio::test]
async fn a_bucket_with_an_unfinished_upload_goes() {
    let front = Front::new().await;
    front.root(ask("POST /bench/m?uploads")).await;
    assert_eq!(front.root(ask("DELETE /bench")).await.status, 204);
}
