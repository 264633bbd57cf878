//! Tests of the whole S3 API: plain requests in, responses out, over an index in memory.

/// For authorizers whose decisions may change at any time.
macro_rules! account_changes {
    () => {
        fn account_state(&self) -> Option<std::sync::Arc<dyn std::any::Any + Send + Sync>> {
            Some(std::sync::Arc::new(0_u8))
        }

        fn organizations_version(&self) -> u64 {
            0
        }
    };
}

/// For authorizers whose decisions are all cheap.
macro_rules! decides_shortly {
    () => {
        fn check_shortly(
            &self,
            action: &str,
            resource: &S3Resource<'_>,
            context: &S3Context,
        ) -> Option<Result<(), S3Denial>> {
            Some(self.check(action, resource, context))
        }

        account_changes!();

        fn run_beside(&self, work: crate::CpuWork) -> crate::WorkFuture<'_> {
            work();
            Box::pin(std::future::ready(Ok(())))
        }
    };
}

mod beside;
mod closed;
mod coverage;
mod new_buckets;
mod reading;
mod recorded;
mod revocation;

use std::sync::{Arc, Mutex, OnceLock};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use sha2::{Digest, Sha256};

use keywright_base::{Clock, Entropy, Secret, Timestamp, WireError, limits};
use keywright_identity::vault::{DataVault, KEY_BYTES, MasterKey};
use keywright_objects::{Objects, memory::MemoryIndex};
use keywright_wire::{Level, s3::ROUTES};

use super::{
    BodyError, BodyTrailers, IncomingRequest, ResponseIds, S3, S3Authorizer, S3Body, S3Caller,
    S3Context, S3Denial, S3Resource, error_response, table::TABLE,
};

struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_789_132_519)
    }
}

#[derive(Default)]
struct Seed(Mutex<u8>);

impl Entropy for Seed {
    fn fill(&self, buffer: &mut [u8]) {
        let mut next = self.0.lock().unwrap();
        *next = next.wrapping_add(1);
        buffer.fill(*next);
    }
}

/// Allows every `action resource` text that begins with one of these, and records the questions. A
/// question that is repeated before a commit is recorded once.
#[derive(Default)]
struct Rules {
    allowed: Vec<String>,
    requested: Mutex<Vec<(String, S3Context)>>,
}

impl S3Authorizer for Rules {
    decides_shortly!();

    fn check(
        &self,
        action: &str,
        resource: &S3Resource<'_>,
        context: &S3Context,
    ) -> Result<(), S3Denial> {
        let what = format!("{action} {}", resource.arn);
        let question = (what.clone(), context.clone());
        let mut requested = self.requested.lock().unwrap();
        if !requested.contains(&question) {
            requested.push(question);
        }
        drop(requested);
        if self.allowed.iter().any(|allowed| what.starts_with(allowed)) {
            return Ok(());
        }
        Err(S3Denial {
            message: format!("no {action}"),
        })
    }

    fn check_caller(&self) -> Result<(), Box<WireError>> {
        Ok(())
    }

    fn refuse(&self, action: &str, _: &S3Resource<'_>, why: &str) -> S3Denial {
        S3Denial {
            message: format!("no {action} {why}"),
        }
    }

    fn principal_to_stored_id(&self, principal: &str) -> Option<String> {
        Some(principal.to_owned())
    }

    fn stored_id_to_arn(&self, _: &str) -> Option<String> {
        None
    }
}

struct Front {
    s3: S3,
    _folder: tempfile::TempDir,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The first element of that name.
    fn element(&self, name: &str) -> &str {
        let rest = self
            .text
            .split_once(&format!("<{name}>"))
            .map_or("", |(_, rest)| rest);
        rest.split_once("</").map_or("", |(value, _)| value)
    }
}

/// A request under construction.
struct Ask {
    line: &'static str,
    headers: Vec<(&'static str, String)>,
    chunks: Vec<Result<Bytes, BodyError>>,
    trailers: Option<BodyTrailers>,
    region: &'static str,
}

fn ask(line: &'static str) -> Ask {
    Ask {
        line,
        headers: Vec::new(),
        chunks: Vec::new(),
        trailers: None,
        region: "us-east-1",
    }
}

impl Ask {
    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    fn body(mut self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self.headers
            .push(("content-length", body.len().to_string()));
        self.chunks.push(Ok(body));
        self
    }
}

impl Ask {
    /// Sets a body and its checksum.
    fn document(self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let sum = BASE64_STANDARD.encode(Sha256::digest(&body));
        self.with("x-amz-checksum-sha256", sum).body(body)
    }
}

impl Front {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (index, clock) = (Arc::new(MemoryIndex::default()), Arc::new(Now));
        let entropy = Arc::new(Seed::default());
        let master = MasterKey::new(Secret::new(vec![7; KEY_BYTES])).unwrap();
        let vault = Arc::new(DataVault::create(&master, &*entropy).unwrap().0);
        let objects = Objects::open(folder.path().into(), index, vault, clock, entropy).unwrap();
        let front = Self {
            s3: S3::new(objects),
            _folder: folder,
        };
        assert_eq!(front.root(ask("PUT /bench")).await.status, 200);
        front
    }

    /// Sends the request as a caller who may do everything.
    async fn root(&self, ask: Ask) -> Answer {
        self.by(&["s3:"], ask).await
    }

    /// Sends the request as a caller who may do these actions.
    async fn by(&self, allowed: &[&str], ask: Ask) -> Answer {
        let allowed = allowed.iter().map(|text| (*text).to_owned()).collect();
        self.under(
            Arc::new(Rules {
                allowed,
                ..Rules::default()
            }),
            ask,
        )
        .await
    }

    async fn under(&self, rules: Arc<Rules>, ask: Ask) -> Answer {
        let caller = S3Caller {
            account: Some("111122223333".parse().unwrap()),
            identity: Some("arn:aws:iam::111122223333:user/x/someone".into()),
            region: Some(ask.region.into()),
            version2: false,
            authorize: rules,
            trailers: ask.trailers.clone(),
        };
        self.send(request(ask), caller).await
    }

    /// Sends the request without credentials, with rules that would allow everything.
    async fn anonymous(&self, ask: Ask) -> Answer {
        let caller = S3Caller {
            account: None,
            identity: None,
            region: None,
            version2: false,
            authorize: Arc::new(Rules {
                allowed: vec!["s3:".into()],
                ..Rules::default()
            }),
            trailers: None,
        };
        self.send(request(ask), caller).await
    }

    async fn send(&self, request: Request<S3Body>, caller: S3Caller) -> Answer {
        let ids = ResponseIds {
            request_id: "4442587FB7D0A2F9".into(),
            host_id: "aG9zdA==".into(),
        };
        let (head, body) = request.into_parts();
        let is_head = head.method == Method::HEAD;
        let response = match IncomingRequest::read(head, body, caller, None) {
            Ok(request) => self.s3.call(request, &ids).await,
            Err(fault) => error_response(&fault.wire(), is_head, &ids),
        };
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
        }
    }
}

fn request(ask: Ask) -> Request<S3Body> {
    let (method, uri) = ask.line.split_once(' ').unwrap();
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "localhost");
    for (name, value) in ask.headers {
        request = request.header(name, value);
    }
    let frames = ask.chunks.into_iter().map(|chunk| chunk.map(Frame::data));
    request
        .body(StreamBody::new(stream::iter(frames)).boxed_unsync())
        .unwrap()
}

#[test]
fn calls_move_between_threads() {
    fn moves<T: Send>(_: &T) {}
    fn of(s3: S3, request: IncomingRequest, ids: ResponseIds) -> impl Future<Output = u16> {
        let call = async move { s3.call(request, &ids).await.status().as_u16() };
        moves(&call);
        call
    }
    let _ = of;
}

#[tokio::test]
async fn an_object_goes_in_and_comes_out() {
    let front = Front::new().await;
    let put = ask("PUT /bench/a%20b/c")
        .with("x-amz-meta-color", "blue")
        .with("content-type", "text/plain")
        .with("content-encoding", "aws-chunked,gzip")
        .with("expires", "never")
        .with("cache-control", "no-cache")
        .body("hello");
    let put = front.root(put).await;
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(put.header("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(put.header("x-amz-server-side-encryption"), "AES256");
    assert_eq!(put.header("x-amz-checksum-type"), "FULL_OBJECT");
    assert_eq!(put.header("x-amz-request-id"), "4442587FB7D0A2F9");
    let got = front
        .root(ask("GET /bench/a%20b/c").with("x-amz-checksum-mode", "ENABLED"))
        .await;
    assert_eq!((got.status, got.text.as_str()), (200, "hello"));
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-length", "5"),
        ("content-encoding", "gzip"),
        ("expires", "never"),
        ("cache-control", "no-cache"),
        ("x-amz-meta-color", "blue"),
        ("accept-ranges", "bytes"),
        ("last-modified", "Fri, 11 Sep 2026 13:15:19 GMT"),
    ] {
        assert_eq!(got.header(name), value, "{name}");
    }
    assert!(!got.header("x-amz-checksum-crc64nvme").is_empty());
    let head = front.root(ask("HEAD /bench/a%20b/c")).await;
    assert_eq!(
        (
            head.status,
            head.header("content-length"),
            head.text.as_str()
        ),
        (200, "5", "")
    );
    assert_eq!(head.header("x-amz-checksum-crc64nvme"), "");
    let typed = front
        .root(ask("GET /bench/a%20b/c?response-content-type=text%2Fcsv"))
        .await;
    assert_eq!(typed.header("content-type"), "text/csv");
    assert_eq!(front.root(ask("DELETE /bench/a%20b/c")).await.status, 204);
    assert_eq!(
        front.root(ask("GET /bench/a%20b/c")).await.element("Code"),
        "NoSuchKey"
    );
}

#[tokio::test]
async fn errors_have_their_exact_form() {
    let front = Front::new().await;
    let missing = front.root(ask("GET /bench/my-key")).await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.header("content-type"), "application/xml");
    assert_eq!(
        missing.text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code>\
         <Message>The specified key does not exist.</Message><Key>my-key</Key>\
         <RequestId>4442587FB7D0A2F9</RequestId><HostId>aG9zdA==</HostId></Error>"
    );
    let head = front.root(ask("HEAD /bench/my-key")).await;
    assert_eq!((head.status, head.text.as_str()), (404, ""));
}

#[tokio::test]
async fn errors_of_requests() {
    let front = Front::new().await;
    for (line, status, code) in [
        ("GET /none/k", 404, "NoSuchBucket"),
        ("PUT /Upper", 400, "InvalidBucketName"),
        ("GET /bench?abac", 501, "NotImplemented"),
        ("PUT /bench?cors", 501, "NotImplemented"),
        ("POST /bench", 405, "MethodNotAllowed"),
        ("POST /bench/k", 405, "MethodNotAllowed"),
        ("GET /bench/k?versionId=abc", 400, "InvalidArgument"),
        ("GET /bench?prefix=a&prefix=b", 400, "InvalidArgument"),
        ("GET /bench?encoding-type=value", 400, "InvalidArgument"),
        (
            "GET /bench?list-type=2&continuation-token=%21",
            400,
            "InvalidArgument",
        ),
        ("GET /bench?policy", 404, "NoSuchBucketPolicy"),
        ("GET /bench?tagging", 404, "NoSuchTagSet"),
        ("GET /bench/k?uploadId=x", 404, "NoSuchUpload"),
        ("PUT /bench/k?partNumber=1&uploadId=x", 404, "NoSuchUpload"),
    ] {
        let answer = front.root(ask(line)).await;
        assert_eq!(
            (answer.status, answer.element("Code")),
            (status, code),
            "{line} {answer:?}"
        );
    }
}

#[tokio::test]
async fn errors_of_headers() {
    let front = Front::new().await;
    for (line, name, value, code) in [
        (
            "PUT /bench/k",
            "x-amz-acl",
            "public-read",
            "AccessControlListNotSupported",
        ),
        (
            "PUT /bench/k",
            "x-amz-grant-read",
            "id=x",
            "InvalidArgument",
        ),
        (
            "PUT /bench/k",
            "x-amz-storage-class",
            "FakeClass",
            "InvalidStorageClass",
        ),
        (
            "PUT /bench/k",
            "x-amz-server-side-encryption",
            "aws:kms",
            "NotImplemented",
        ),
        ("PUT /bench/k", "if-none-match", "abc", "NotImplemented"),
        ("PUT /bench/k", "if-match", "abc", "NoSuchKey"),
        (
            "PUT /bench/k",
            "content-md5",
            "__invalid__",
            "InvalidDigest",
        ),
    ] {
        let answer = front.root(ask(line).with(name, value)).await;
        assert_eq!(
            answer.element("Code"),
            code,
            "{line} {name}: {value} {answer:?}"
        );
    }
}

#[tokio::test]
async fn errors_of_claims_and_sources() {
    let front = Front::new().await;
    for (line, name, value, code) in [
        (
            "PUT /bench/k",
            "x-amz-checksum-crc32",
            "x",
            "InvalidRequest",
        ),
        (
            "PUT /bench/k",
            "x-amz-checksum-crc32",
            "AAAAAQ==",
            "BadDigest",
        ),
        (
            "PUT /bench/k",
            "x-amz-tagging",
            "a=1&a=2",
            "InvalidArgument",
        ),
        (
            "PUT /bench/k",
            "x-amz-copy-source",
            "nonsense",
            "InvalidArgument",
        ),
        (
            "PUT /bench/k",
            "x-amz-copy-source",
            "/bench/none",
            "NoSuchKey",
        ),
        (
            "GET /bench",
            "x-amz-expected-bucket-owner",
            "0000",
            "InvalidBucketOwnerAWSAccountID",
        ),
        (
            "GET /bench",
            "x-amz-expected-bucket-owner",
            "444455556666",
            "AccessDenied",
        ),
    ] {
        let answer = front.root(ask(line).with(name, value)).await;
        assert_eq!(
            answer.element("Code"),
            code,
            "{line} {name}: {value} {answer:?}"
        );
    }
}

#[tokio::test]
async fn nothing_is_done_without_permission() {
    let front = Front::new().await;
    front.root(ask("PUT /bench/k").body("x")).await;
    for row in TABLE {
        if matches!(row.operation, "PutObjectTagging" | "DeleteObjects") {
            continue;
        }
        let route = ROUTES.iter().find(|route| route.operation == row.operation);
        let route = route.unwrap();
        let path = match (row.operation, route.level) {
            ("CreateBucket", _) => "/fresh",
            (_, Level::Service) => "/",
            (_, Level::Bucket) => "/bench",
            (_, Level::Object) => "/bench/k",
        };
        let query = route.required.iter();
        let query = query.map(|(name, value)| format!("{name}={}", value.unwrap_or("1")));
        let query = query.collect::<Vec<_>>().join("&");
        let line = format!("{} {path}?{query}", route.method).leak();
        let answer = front.by(&[], ask(line)).await;
        assert_eq!(answer.status, 403, "{line} {answer:?}");
        let denied = format!("no s3:{}", row.action);
        assert!(
            line.starts_with("HEAD") || answer.element("Message") == denied,
            "{answer:?}"
        );
    }
    let tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
    let answer = front
        .by(&[], ask("PUT /bench/k?tagging").body(tagging))
        .await;
    assert_eq!(answer.element("Message"), "no s3:PutObjectTagging");
    assert_eq!(front.root(ask("GET /bench/k")).await.text, "x");
}

#[tokio::test]
async fn actions_in_question() {
    let front = Front::new().await;
    front
        .root(
            ask("PUT /bench/src")
                .with("x-amz-tagging", "team=x")
                .body("x"),
        )
        .await;
    for (request, expected) in [
        (ask("GET /bench/src"), "s3:GetObject arn:aws:s3:::bench/src"),
        (
            ask("GET /bench/src?versionId=null"),
            "s3:GetObjectVersion arn:aws:s3:::bench/src",
        ),
        (ask("GET /"), "s3:ListAllMyBuckets *"),
        (ask("HEAD /bench"), "s3:ListBucket arn:aws:s3:::bench"),
        (
            ask("PUT /bench/new").with("x-amz-tagging", "a=1"),
            "s3:PutObject arn:aws:s3:::bench/new, s3:PutObjectTagging arn:aws:s3:::bench/new",
        ),
        (
            ask("PUT /bench/copy").with("x-amz-copy-source", "bench/src"),
            "s3:PutObject arn:aws:s3:::bench/copy, s3:GetObject arn:aws:s3:::bench/src, \
             s3:GetObjectTagging arn:aws:s3:::bench/src, \
             s3:PutObject arn:aws:s3:::bench/copy, s3:PutObjectTagging arn:aws:s3:::bench/copy",
        ),
        (
            ask("GET /bench/none"),
            "s3:GetObject arn:aws:s3:::bench/none, s3:ListBucket arn:aws:s3:::bench",
        ),
    ] {
        let rules = Arc::new(Rules {
            allowed: vec!["s3:".into()],
            ..Rules::default()
        });
        let line = request.line;
        front.under(Arc::clone(&rules), request).await;
        let requested = rules.requested.lock().unwrap();
        let mut requested: Vec<_> = requested.iter().map(|(what, _)| what.as_str()).collect();
        if line == "GET /bench/src" || line.contains("versionId") {
            requested.truncate(1);
        }
        assert_eq!(requested.join(", "), expected, "{line}");
    }
}

#[tokio::test]
async fn condition_keys() {
    let front = Front::new().await;
    front
        .root(
            ask("PUT /bench/k")
                .with("x-amz-tagging", "team=x")
                .body("x"),
        )
        .await;
    let location = "<CreateBucketConfiguration><LocationConstraint>eu-west-1\
                    </LocationConstraint></CreateBucketConfiguration>";
    for (request, key, value) in [
        (
            ask("GET /bench?prefix=a%2Fb&delimiter=%2F"),
            "s3:prefix",
            "a/b",
        ),
        (
            ask("GET /bench?list-type=2&delimiter=%2F"),
            "s3:delimiter",
            "/",
        ),
        (ask("GET /bench?max-keys=7"), "s3:max-keys", "7"),
        (ask("GET /bench/k"), "s3:ExistingObjectTag/team", "x"),
        (
            ask("PUT /bench/n").with("x-amz-tagging", "a=1"),
            "s3:RequestObjectTag/a",
            "1",
        ),
        (
            ask("PUT /bench/n").with("x-amz-acl", "private"),
            "s3:x-amz-acl",
            "private",
        ),
        (
            ask("PUT /bench/n").with("if-none-match", "*"),
            "s3:if-none-match",
            "*",
        ),
        (
            ask("PUT /fresh").body(location),
            "s3:locationconstraint",
            "eu-west-1",
        ),
        (ask("GET /bench"), "s3:ResourceAccount", "111122223333"),
    ] {
        let rules = Arc::new(Rules {
            allowed: vec!["s3:".into()],
            ..Rules::default()
        });
        let line = request.line;
        let answer = front.under(Arc::clone(&rules), request).await;
        let requested = rules.requested.lock().unwrap();
        let keys = &requested.first().expect(&answer.text).1.keys;
        let found = keys
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, values)| values);
        assert_eq!(found, Some(&vec![value.to_owned()]), "{line} {key}");
    }
}

/// A copy keeps the tags of its source, whatever tags the request names, and no tag occurs twice in
/// an authorization question.
#[tokio::test]
async fn the_tags_of_a_copy_are_those_that_are_stored() {
    let front = Front::new().await;
    let source = ask("PUT /bench/src").with("x-amz-tagging", "class=secret");
    front.root(source.body("x")).await;
    for (directive, expected) in [
        (None, "secret"),
        (Some("COPY"), "secret"),
        (Some("REPLACE"), "public"),
    ] {
        let rules = Arc::new(Rules {
            allowed: vec!["s3:".into()],
            ..Rules::default()
        });
        let mut copy = ask("PUT /bench/copy")
            .with("x-amz-copy-source", "bench/src")
            .with("x-amz-tagging", "class=public");
        if let Some(directive) = directive {
            copy = copy.with("x-amz-tagging-directive", directive);
        }
        let answer = front.under(Arc::clone(&rules), copy).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let requested = std::mem::take(&mut *rules.requested.lock().unwrap());
        let (mut tagged, mut put) = (0, 0);
        for (what, context) in &requested {
            let names: Vec<_> = context.keys.iter().map(|(key, _)| key.as_str()).collect();
            let distinct: std::collections::BTreeSet<_> = names.iter().collect();
            assert_eq!(distinct.len(), names.len(), "{what} {names:?}");
            let is_tag = |key: &str| key == "s3:RequestObjectTag/class";
            let tag = context.keys.iter().find(|(key, _)| is_tag(key));
            if let Some((_, values)) = tag {
                assert_eq!(values, &[expected], "{directive:?} {what}");
                tagged += usize::from(what.starts_with("s3:PutObjectTagging"));
                put += usize::from(what.starts_with("s3:PutObject "));
            }
        }
        assert_eq!((tagged, put), (1, 1), "{directive:?}: {requested:?}");
        let stored = front.root(ask("GET /bench/copy?tagging")).await;
        assert_eq!(stored.element("Value"), expected, "{directive:?}");
    }
}

#[tokio::test]
async fn a_missing_key_is_reported_only_to_those_who_may_list() {
    let front = Front::new().await;
    let answer = front.by(&["s3:GetObject"], ask("GET /bench/none")).await;
    assert_eq!(
        (answer.status, answer.element("Message")),
        (403, "no s3:ListBucket")
    );
    let answer = front
        .by(&["s3:GetObject", "s3:ListBucket"], ask("GET /bench/none"))
        .await;
    assert_eq!((answer.status, answer.element("Code")), (404, "NoSuchKey"));
}

#[tokio::test]
async fn a_body_that_turns_out_wrong_leaves_nothing() {
    let front = Front::new().await;
    let refusal = WireError::new(403, "SignatureDoesNotMatch", "wrong chunk");
    for size in [10, 100_000] {
        let mut put = ask("PUT /bench/k");
        put.chunks = vec![Ok(vec![b'x'; size].into()), Err(Box::new(refusal.clone()))];
        let answer = front.root(put).await;
        assert_eq!(
            (answer.status, answer.element("Code")),
            (403, "SignatureDoesNotMatch")
        );
        let mut cut = ask("PUT /bench/k");
        cut.chunks = vec![Ok(vec![b'x'; size].into()), Err("connection lost".into())];
        assert_eq!(front.root(cut).await.element("Code"), "IncompleteBody");
    }
    let mut delete = ask("POST /bench?delete").with("content-length", 400);
    delete.chunks = vec![Ok("<Delete>".into()), Err(Box::new(refusal))];
    assert_eq!(
        front.root(delete).await.element("Code"),
        "SignatureDoesNotMatch"
    );
    assert_eq!(front.root(ask("GET /bench/k")).await.status, 404);
}

#[tokio::test]
async fn trailing_checksums() {
    let front = Front::new().await;
    for (value, status) in [("y/Q5Jg==", 200), ("AAAAAA==", 400)] {
        let cell = Arc::new(OnceLock::new());
        let mut trailers = HeaderMap::new();
        trailers.insert("x-amz-checksum-crc32", value.parse().unwrap());
        cell.set(trailers).unwrap();
        let mut put = ask("PUT /bench/k")
            .with("x-amz-trailer", "x-amz-checksum-crc32")
            .with("x-amz-decoded-content-length", 9)
            .with("content-encoding", "aws-chunked")
            .with("content-length", 70);
        put.chunks = vec![Ok("123456789".into())];
        put.trailers = Some(BodyTrailers(cell));
        assert_eq!(front.root(put).await.status, status, "{value}");
    }
    let mut put = ask("PUT /bench/k").with("x-amz-trailer", "x-amz-checksum-crc32");
    put.chunks = vec![Ok("123456789".into())];
    assert_eq!(front.root(put).await.element("Code"), "InvalidRequest");
    let got = front
        .root(ask("GET /bench/k").with("x-amz-checksum-mode", "ENABLED"))
        .await;
    assert_eq!(got.header("x-amz-checksum-crc32"), "y/Q5Jg==");
    assert_eq!(got.header("content-encoding"), "");
}

#[tokio::test]
async fn ranges_and_conditions() {
    let front = Front::new().await;
    front.root(ask("PUT /bench/k").body("0123456789")).await;
    let etag = "\"781e5e245d69b566979b86e28d23f2c7\"";
    for (name, value, status, text) in [
        ("range", "bytes=2-4", 206, "234"),
        ("range", "bytes=-3", 206, "789"),
        ("range", "bytes=0-1,3-4", 200, "0123456789"),
        ("range", "nonsense", 200, "0123456789"),
        ("if-match", etag, 200, "0123456789"),
        ("if-none-match", etag, 304, ""),
        ("if-none-match", "\"other\"", 200, "0123456789"),
        (
            "if-modified-since",
            "Fri, 11 Sep 2026 13:15:19 GMT",
            304,
            "",
        ),
        ("if-modified-since", "nonsense", 200, "0123456789"),
    ] {
        let answer = front.root(ask("GET /bench/k").with(name, value)).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (status, text),
            "{name}: {value}"
        );
        if status == 304 {
            assert_eq!(answer.header("etag"), etag);
        }
    }
    let part = front
        .root(ask("GET /bench/k").with("range", "bytes=2-4"))
        .await;
    assert_eq!(part.header("content-range"), "bytes 2-4/10");
    let outside = front
        .root(ask("GET /bench/k").with("range", "bytes=10-20"))
        .await;
    assert_eq!(
        (outside.status, outside.element("ActualObjectSize")),
        (416, "10")
    );
    let failed = front.root(ask("GET /bench/k").with("if-match", "x")).await;
    assert_eq!(
        (failed.status, failed.element("Condition")),
        (412, "If-Match")
    );
}

#[tokio::test]
async fn listings() {
    let front = Front::new().await;
    for line in [
        "PUT /bench/a%20b",
        "PUT /bench/d/1",
        "PUT /bench/d/2",
        "PUT /bench/e",
    ] {
        assert_eq!(front.root(ask(line)).await.status, 200);
    }
    let v2 = front
        .root(ask("GET /bench?list-type=2&delimiter=%2F&max-keys=2"))
        .await;
    assert_eq!(
        (v2.element("KeyCount"), v2.element("IsTruncated")),
        ("2", "true")
    );
    assert!(
        v2.text
            .contains("<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>")
    );
    assert_eq!(v2.element("LastModified"), "2026-09-11T13:15:19.000Z");
    let token = v2.element("NextContinuationToken");
    assert_eq!(token, "ZC8=");
    let next = ask("GET /bench?list-type=2&delimiter=%2F&continuation-token=ZC8%3D");
    let next = front.root(next).await;
    assert_eq!(
        (next.element("Key"), next.element("IsTruncated")),
        ("e", "false")
    );
    let v1 = front
        .root(ask("GET /bench?encoding-type=url&max-keys=1"))
        .await;
    assert_eq!(
        (v1.element("Key"), v1.element("EncodingType")),
        ("a+b", "url")
    );
    assert_eq!(v1.element("NextMarker"), "");
    assert!(v1.text.contains("<Owner><ID>"));
    let buckets = front.root(ask("GET /")).await;
    assert_eq!(buckets.element("Name"), "bench");
    assert_eq!(buckets.element("BucketRegion"), "us-east-1");
}

#[tokio::test]
async fn a_multipart_upload() {
    let front = Front::new().await;
    let begun = front.root(ask("POST /bench/m?uploads")).await;
    let id = begun.element("UploadId").to_owned();
    let part = ask(format!("PUT /bench/m?partNumber=1&uploadId={id}").leak());
    let part = front.root(part.body("only")).await;
    assert_eq!(part.status, 200, "{part:?}");
    let complete = format!(
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part>\
         <ETag>{}</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
        part.header("etag").replace('"', "&quot;")
    );
    let line = format!("POST /bench/m?uploadId={id}").leak();
    let malformed = front.root(ask(line).body("<Complete")).await;
    assert_eq!(malformed.element("Code"), "MalformedXML");
    let done = front.root(ask(line).body(complete)).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert!(done.element("ETag").contains("-1"), "{done:?}");
    assert_eq!(front.root(ask("GET /bench/m")).await.text, "only");
    let attributes = ask("GET /bench/m?attributes")
        .with("x-amz-object-attributes", "ETag, ObjectSize,ObjectParts");
    let attributes = front.root(attributes).await;
    assert_eq!(
        (
            attributes.element("ObjectSize"),
            attributes.element("PartsCount")
        ),
        ("4", "1")
    );
    let part = front.root(ask("HEAD /bench/m?partNumber=1")).await;
    assert_eq!(
        (part.status, part.header("x-amz-mp-parts-count")),
        (206, "1")
    );
}

#[tokio::test]
async fn many_are_deleted_each_by_permission() {
    let front = Front::new().await;
    for line in ["PUT /bench/a", "PUT /bench/b"] {
        front.root(ask(line)).await;
    }
    let body = "<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>";
    let allowed = ["s3:DeleteObject arn:aws:s3:::bench/a"];
    let answer = front
        .by(&allowed, ask("POST /bench?delete").document(body))
        .await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.text.contains("<Deleted><Key>a</Key></Deleted>"),
        "{}",
        answer.text
    );
    assert_eq!(answer.element("Message"), "no s3:DeleteObject");
    assert_eq!(front.root(ask("GET /bench/a")).await.status, 404);
    assert_eq!(front.root(ask("GET /bench/b")).await.status, 200);
}

#[tokio::test]
async fn regions() {
    let front = Front::new().await;
    let location = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                    <LocationConstraint>ap-south-1</LocationConstraint>\
                    </CreateBucketConfiguration>";
    let there = |line| Ask {
        region: "ap-south-1",
        ..ask(line)
    };
    assert_eq!(
        front.root(there("PUT /indian").body(location)).await.status,
        200
    );
    let again = front.root(there("PUT /indian").body(location)).await;
    assert_eq!(again.element("Code"), "BucketAlreadyOwnedByYou");
    assert_eq!(front.root(ask("PUT /bench")).await.status, 200);
    let head = front.root(there("HEAD /indian")).await;
    assert_eq!(head.header("x-amz-bucket-region"), "ap-south-1");
    let wrong = front.root(ask("GET /indian/k")).await;
    assert_eq!((wrong.status, wrong.element("Region")), (400, "ap-south-1"));
    let wrong = front.root(ask("HEAD /indian")).await;
    assert_eq!(
        (wrong.status, wrong.header("x-amz-bucket-region")),
        (400, "ap-south-1")
    );
    let found = front.root(ask("GET /indian?location")).await;
    assert!(
        found.text.contains(">ap-south-1</LocationConstraint>"),
        "{}",
        found.text
    );
    let illegal = front.root(there("PUT /other")).await;
    assert_eq!(
        illegal.element("Code"),
        "IllegalLocationConstraintException"
    );
}

#[tokio::test]
async fn credentials_never_reach_the_protocol_layer() {
    let front = Front::new().await;
    front.root(ask("PUT /bench/k").body("x")).await;
    // The parameters of a query signature are removed before.
    for query in [
        "X-Amz-Signature=abc",
        "AWSAccessKeyId=A",
        "Signature=b",
        "Expires=9",
    ] {
        let line = format!("GET /bench/k?{query}").leak();
        assert_eq!(front.root(ask(line)).await.status, 501, "{query}");
    }
    let header = ask("GET /bench/k")
        .with(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIA/20260911/us-east-1/s3/x",
        )
        .with("x-amz-security-token", "secret");
    assert_eq!(front.root(header).await.text, "x");
    let form = ask("POST /bench").with("content-type", "multipart/form-data; boundary=x");
    assert_eq!(
        front.root(form.body("--x--")).await.status,
        StatusCode::NOT_IMPLEMENTED
    );
}

#[tokio::test]
async fn tags_and_copies() {
    let front = Front::new().await;
    let tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
    front
        .root(ask("PUT /bench/k").with("x-amz-meta-a", "1").body("x"))
        .await;
    assert_eq!(
        front
            .root(ask("PUT /bench/k?tagging").body(tagging))
            .await
            .status,
        200
    );
    let got = front.root(ask("GET /bench/k?tagging")).await;
    assert_eq!((got.element("Key"), got.element("Value")), ("a", "1"));
    let count = front.root(ask("GET /bench/k")).await;
    assert_eq!(count.header("x-amz-tagging-count"), "1");
    let copy = front
        .root(ask("PUT /bench/c").with("x-amz-copy-source", "/bench/k"))
        .await;
    assert_eq!(copy.status, 200, "{copy:?}");
    assert!(copy.text.contains("<CopyObjectResult"), "{}", copy.text);
    let copied = front.root(ask("HEAD /bench/c")).await;
    assert_eq!(copied.header("x-amz-meta-a"), "1");
    let itself = front
        .root(ask("PUT /bench/k").with("x-amz-copy-source", "bench/k"))
        .await;
    assert_eq!(itself.element("Code"), "InvalidRequest");
    let replaced = ask("PUT /bench/k")
        .with("x-amz-copy-source", "bench/k")
        .with("x-amz-metadata-directive", "REPLACE")
        .with("x-amz-meta-b", "2");
    assert_eq!(front.root(replaced).await.status, 200);
    let head = front.root(ask("HEAD /bench/k")).await;
    assert_eq!(
        (head.header("x-amz-meta-a"), head.header("x-amz-meta-b")),
        ("", "2")
    );
    assert_eq!(front.root(ask("DELETE /bench/k?tagging")).await.status, 204);
    assert_eq!(
        front
            .root(ask("PUT /bench?tagging").body(tagging))
            .await
            .status,
        204
    );
    assert_eq!(
        front.root(ask("GET /bench?tagging")).await.element("Key"),
        "a"
    );
}

#[tokio::test]
async fn bodies_are_limited() {
    let front = Front::new().await;
    let short = limits::S3_SHORT_XML_BYTES;
    for (line, limit, marks) in [
        ("POST /bench?delete", limits::S3_XML_BYTES, 14_048),
        ("POST /bench/k?uploadId=u", limits::S3_XML_BYTES, 122_048),
        ("PUT /bench?tagging", short, 2048),
        ("PUT /bench/k?tagging", short, 2048),
        ("PUT /bench?acl", short, 2048),
    ] {
        let put = front.root(ask("PUT /bench/k").body("x")).await;
        assert_eq!(put.status, 200);
        for (body, code) in [
            (vec![b' '; limit + 1], "MaxMessageLengthExceeded"),
            (b"<a/>".repeat(marks + 1), "MalformedXML"),
        ] {
            let answer = front.root(ask(line).document(body)).await;
            let found = (answer.status, answer.element("Code"));
            assert_eq!(found, (400, code), "{line}");
        }
    }
}

/// The protocol layer leaves out a CDATA section, so that another key would be deleted than named.
#[tokio::test]
async fn documents_with_sections_are_malformed() {
    let front = Front::new().await;
    for line in ["PUT /bench/impx", "PUT /bench/important/x"] {
        front.root(ask(line).body("x")).await;
    }
    let delete = |key: &str| {
        let document = format!("<Delete><Object><Key>{key}</Key></Object></Delete>");
        ask("POST /bench?delete").document(document.into_bytes())
    };
    for key in ["imp<![CDATA[ortant/]]>x", "imp<!-- ortant/ -->x"] {
        let answer = front.root(delete(key)).await;
        let found = (answer.status, answer.element("Code"));
        assert_eq!(found, (400, "MalformedXML"), "{key}");
    }
    for line in ["GET /bench/impx", "GET /bench/important/x"] {
        assert_eq!(front.root(ask(line)).await.status, 200, "{line}");
    }
    let mut document = super::body::DocumentLimit::of("DeleteObjects");
    assert!(document.pass(b"<Delete><").is_ok());
    assert!(document.pass(b"![CDATA[").is_err(), "cut in two");
    let mut policy = super::body::DocumentLimit::of("PutBucketPolicy");
    assert!(
        policy.pass(b"{\"Sid\": \"<!\"}").is_ok(),
        "a policy is JSON"
    );
}

/// A document with the maximum number of elements is accepted.
#[test]
fn documents_of_full_size_pass() {
    let entry = "<Object><Key>k</Key><VersionId/><ETag/><Size/><LastModifiedTime/></Object>";
    let entries = format!("<Delete><Quiet/>{}</Delete>", entry.repeat(limits::S3_PAGE));
    let part =
        "<Part><ETag>e</ETag><PartNumber>1</PartNumber><ChecksumCRC32>c</ChecksumCRC32></Part>";
    let parts = part.repeat(limits::S3_PARTS.unsigned_abs() as usize);
    let tag = format!("<Tag><Key>{}</Key><Value/></Tag>", "&quot;".repeat(384));
    for (operation, body) in [
        ("DeleteObjects", entries),
        ("CompleteMultipartUpload", parts),
        ("PutBucketTagging", tag.repeat(50)),
    ] {
        let mut document = super::body::DocumentLimit::of(operation);
        for piece in body.as_bytes().chunks(1000) {
            assert!(document.pass(piece).is_ok(), "{operation}");
        }
    }
}

/// If a caller can be allowed nothing, its body is not even read.
#[tokio::test]
async fn strangers_are_denied_before_their_body() {
    let front = Front::new().await;
    front.root(ask("PUT /bench/k").body("x")).await;
    front.root(ask("DELETE /bench?publicAccessBlock")).await;
    let policy = |principal: &str| {
        format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": {principal},
            "Action": "s3:*", "Resource": "arn:aws:s3:::bench/*"}}]}}"#
        )
    };
    let one = policy(r#"{"AWS": "arn:aws:iam::444455556666:root"}"#);
    for (policy, code) in [
        (None, "AccessDenied"),
        (Some(one), "AccessDenied"),
        (Some(policy("\"*\"")), "MalformedXML"),
    ] {
        if let Some(policy) = policy {
            let put = front.root(ask("PUT /bench?policy").body(policy)).await;
            assert_eq!(put.status, 204, "{put:?}");
        }
        for line in ["POST /bench?delete", "PUT /bench/k?tagging"] {
            let answer = front.anonymous(ask(line).document("nonsense")).await;
            assert_eq!(answer.element("Code"), code, "{line}");
        }
    }
}

#[tokio::test]
async fn a_policy_reaches_the_authorizer_on_the_next_request() {
    /// Records whether a compiled policy was passed.
    #[derive(Default)]
    struct Notes(Mutex<Vec<bool>>);

    impl S3Authorizer for Notes {
        decides_shortly!();

        fn check(&self, _: &str, resource: &S3Resource<'_>, _: &S3Context) -> Result<(), S3Denial> {
            self.0.lock().unwrap().push(resource.policy.is_some());
            Ok(())
        }

        fn check_caller(&self) -> Result<(), Box<WireError>> {
            Ok(())
        }

        fn refuse(&self, _: &str, _: &S3Resource<'_>, why: &str) -> S3Denial {
            S3Denial {
                message: why.to_owned(),
            }
        }

        fn principal_to_stored_id(&self, principal: &str) -> Option<String> {
            Some(principal.to_owned())
        }

        fn stored_id_to_arn(&self, _: &str) -> Option<String> {
            None
        }
    }

    let front = Front::new().await;
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*",
        "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bench/*"}]}"#;
    let notes = Arc::new(Notes::default());
    for (request, status) in [
        (ask("HEAD /bench"), 200),
        (ask("PUT /bench?policy").body(policy), 204),
        (ask("HEAD /bench"), 200),
        (ask("GET /bench?policy"), 200),
        (ask("PUT /bench?policy").body("nonsense"), 400),
        (ask("DELETE /bench?policy"), 204),
        (ask("HEAD /bench"), 200),
    ] {
        let line = request.line;
        let caller = S3Caller {
            account: Some("111122223333".parse().unwrap()),
            identity: None,
            version2: false,
            region: Some("us-east-1".into()),
            authorize: Arc::clone(&notes) as _,
            trailers: None,
        };
        let answer = front.send(self::request(request), caller).await;
        assert_eq!(answer.status, status, "{line} {answer:?}");
        if line == "GET /bench?policy" {
            assert_eq!(answer.text, policy);
        }
    }
    let noted = notes.0.lock().unwrap().clone();
    // Requests with a body were authorized again after it, and commits once more.
    let again = |times: usize, policy| std::iter::repeat_n(policy, times);
    let puts = again(3, false).chain(again(1, true)).chain(again(1, true));
    let expected = again(1, false).chain(puts).chain(again(4, true));
    let expected: Vec<bool> = expected.chain(again(1, false)).collect();
    assert_eq!(noted, expected);
}

/// XML 1.0 cannot carry most control characters; one key must not make a whole listing unreadable.
#[tokio::test]
async fn documents_are_well_formed_whatever_keys_hold() {
    let front = Front::new().await;
    for key in ["a%01b", "%1B%5B31m", "c%0Dd", "%EF%BF%BF"] {
        let put = format!("PUT /bench/{key}").leak();
        assert_eq!(front.root(ask(put)).await.status, 200, "{key}");
    }
    for line in [
        "GET /bench",
        "GET /bench?list-type=2",
        "GET /bench?prefix=a%01",
        "GET /bench?list-type=2&delimiter=%01",
        "GET /bench/%01missing%0D",
        "GET /bench?uploads&prefix=%02",
    ] {
        let answer = front.root(ask(line)).await;
        let bad = |c: char| c < ' ' && c != '\n' || matches!(c, '\u{fffe}' | '\u{ffff}');
        assert!(answer.text.starts_with("<?xml"), "{line}: {}", answer.text);
        assert!(!answer.text.contains(bad), "{line}: {:?}", answer.text);
    }
    let listed = front.root(ask("GET /bench")).await.text;
    for key in ["a\u{fffd}b", "\u{fffd}[31m", "c&#13;d", "\u{fffd}"] {
        let hex = key.replace("&#13;", "&#xD;");
        let found = [key, &hex].map(|key| format!("<Key>{key}</Key>"));
        assert!(
            found.iter().any(|key| listed.contains(key)),
            "{key}: {listed}"
        );
    }
    let whole = front
        .root(ask("GET /bench?encoding-type=url&prefix=a"))
        .await;
    assert_eq!(whole.element("Key"), "a%01b");
}
