//! Counts the allocations of one request from socket to socket, HTTP included, so that the path of
//! every request does not grow heavier unnoticed.
//!
//! The server and its client share one thread, which nothing else uses: a request that waits for
//! another thread would show as a wake-up, and its allocations there are not counted.
#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use std::{net::SocketAddr, sync::Arc};

use http::{Request, header};
use keywright_base::{AccountId, Clock, Secret};
use keywright_identity::{Identity, service::IdentityParts, vault::KEY_BYTES};
use keywright_objects::Objects;
use keywright_s3::S3;
use keywright_server::{
    ListenerOrigin, Pipeline, Server, ServerConfig, ServerParts, SystemClock, SystemEntropy,
    TrustedProxies,
    console::{Console, ConsoleBundle, PublicUrls},
};
use keywright_sigv4::{PayloadClaim, SigningCredentials, SigningTarget, sign};
use keywright_store::SqliteStore;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
};

const ACCOUNT: &str = "123456789012";

/// Rows: a request of a user with two managed policies, and the allocations that it may make: a few
/// more than it made when this was written. Lower a limit when the count falls.
const LIMITS: [(&str, TestRequest<'_>, u64); 3] = [
    (
        "GetCallerIdentity",
        TestRequest::Query("sts", "Action=GetCallerIdentity&Version=2011-06-15"),
        48,
    ),
    (
        "GetUser",
        TestRequest::Query("iam", "Action=GetUser&Version=2010-05-08"),
        71,
    ),
    (
        "GetObject",
        TestRequest::S3("GET", "/bucket/object", b""),
        93,
    ),
];

#[derive(Clone, Copy)]
enum TestRequest<'a> {
    Query(&'static str, &'a str),
    S3(&'static str, &'a str, &'a [u8]),
}

#[derive(Clone)]
struct TestKey {
    id: String,
    secret: Secret<String>,
}

impl TestRequest<'_> {
    fn signed(self, key: &TestKey, host: SocketAddr) -> Vec<u8> {
        let (request, service, body) = match self {
            Self::Query(service, form) => {
                let form_type = "application/x-www-form-urlencoded; charset=utf-8";
                let request = Request::post("/").header(header::CONTENT_TYPE, form_type);
                (request, service, form.as_bytes())
            }
            Self::S3(method, path, body) => {
                (Request::builder().method(method).uri(path), "s3", body)
            }
        };
        let request = request.header(header::HOST, host.to_string());
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let credentials = SigningCredentials {
            access_key_id: &key.id,
            secret: &key.secret,
            session_token: None,
        };
        let target = SigningTarget {
            region: "us-east-1",
            service,
        };
        let payload = PayloadClaim::Sha256(Sha256::digest(body).into());
        sign(
            &mut parts,
            &credentials,
            &target,
            payload,
            SystemClock.now(),
        )
        .unwrap();
        let mut head = format!("{} {} HTTP/1.1\r\n", parts.method, parts.uri);
        for (name, value) in &parts.headers {
            head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
        let length = body.len();
        head.push_str(&format!(
            "user-agent: test\r\ncontent-length: {length}\r\n\r\n"
        ));
        [head.as_bytes(), body].concat()
    }
}

/// A server, and a connection to it.
struct TestServer {
    runtime: Runtime,
    stream: TcpStream,
    address: SocketAddr,
    root: TestKey,
    _folder: tempfile::TempDir,
}

impl TestServer {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (stream, address, root) = runtime.block_on(async {
            let (pipeline, root) = pipeline(&folder).await;
            let config = ServerConfig {
                listen: "127.0.0.1:0".parse().unwrap(),
                tls: None,
                allow_plain_http: false,
            };
            let server = Server::bind(&config, ListenerOrigin::Api, Arc::new(pipeline));
            let server = server.await.unwrap();
            let address = server.listening().unwrap().address;
            tokio::spawn(server.run(Box::pin(std::future::pending())));
            (TcpStream::connect(address).await.unwrap(), address, root)
        });
        Self {
            runtime,
            stream,
            address,
            root,
            _folder: folder,
        }
    }

    /// Sends a request and returns its successful response.
    fn exchange(&mut self, request: &[u8], reply: &mut [u8]) -> usize {
        let length = self.runtime.block_on(async {
            self.stream.write_all(request).await.unwrap();
            self.stream.read(reply).await.unwrap()
        });
        let text = reply.get(..length).unwrap();
        assert!(text.starts_with(b"HTTP/1.1 200"), "{}", text.escape_ascii());
        length
    }

    fn call(&mut self, key: &TestKey, request: TestRequest<'_>) -> String {
        let mut reply = vec![0; 16 * 1024];
        let length = self.exchange(&request.signed(key, self.address), &mut reply);
        reply.truncate(length);
        String::from_utf8(reply).unwrap()
    }

    /// A user with two managed policies, a bucket, and an object of 1 KiB in it.
    fn furnish(&mut self) -> TestKey {
        let root = self.root.clone();
        let policy = "arn:aws:iam::aws:policy";
        let mut reply = String::new();
        for form in [
            "Action=CreateUser&UserName=user",
            &format!("Action=AttachUserPolicy&UserName=user&PolicyArn={policy}/IAMFullAccess"),
            &format!("Action=AttachUserPolicy&UserName=user&PolicyArn={policy}/AmazonS3FullAccess"),
            "Action=CreateAccessKey&UserName=user",
        ] {
            let form = format!("{form}&Version=2010-05-08");
            reply = self.call(&root, TestRequest::Query("iam", &form));
        }
        let element = |name: &str| {
            let (_, rest) = reply.split_once(&format!("<{name}>")).unwrap();
            rest.split_once('<').unwrap().0.to_owned()
        };
        let key = TestKey {
            id: element("AccessKeyId"),
            secret: Secret::new(element("SecretAccessKey")),
        };
        self.call(&key, TestRequest::S3("PUT", "/bucket", b""));
        self.call(
            &key,
            TestRequest::S3("PUT", "/bucket/object", &[b'o'; 1024]),
        );
        key
    }
}

async fn pipeline(folder: &tempfile::TempDir) -> (Pipeline, TestKey) {
    let store = Arc::new(SqliteStore::open(&folder.path().join("state.db")).unwrap());
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let parts = IdentityParts {
        store: Arc::clone(&store) as _,
        master_key: Secret::new(vec![7; KEY_BYTES]),
        clock: Arc::clone(&clock) as _,
        entropy: Arc::clone(&entropy) as _,
        projections: Vec::new(),
    };
    let identity = Identity::open(parts).await.unwrap();
    let account: AccountId = ACCOUNT.parse().unwrap();
    let root = identity.create_account(account, |_| Ok(())).await.unwrap();
    let objects = Objects::open(
        folder.path().join("objects"),
        store,
        Arc::clone(identity.vault()),
        Arc::clone(&clock) as _,
        Arc::clone(&entropy) as _,
    );
    let front = ServerParts {
        s3: S3::new(objects.unwrap()),
        console: Console::new(ConsoleBundle::new(Vec::new(), ""), PublicUrls::default()),
        proxies: TrustedProxies::default(),
    };
    let root = TestKey {
        id: root.key.to_string(),
        secret: root.secret,
    };
    (Pipeline::new(identity, front, clock, entropy), root)
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "the counts, for whoever wants to lower them"
)]
fn requests_allocate_little() {
    let mut server = TestServer::start();
    let key = server.furnish();
    let mut reply = vec![0; 16 * 1024];
    for (name, request, limit) in LIMITS {
        let request = request.signed(&key, server.address);
        for _ in 0..20 {
            server.exchange(&request, &mut reply);
        }
        // The least of several, because now and then a table or a buffer grows.
        let counts = (0..20).map(|_| {
            let info = allocation_counter::measure(|| {
                server.exchange(&request, &mut reply);
            });
            (info.count_total, info.bytes_total)
        });
        let (count, bytes) = counts.min().unwrap();
        eprintln!("{name}: {count} allocations, {bytes} bytes");
        assert!(
            count <= limit,
            "{name}: {count} allocations, more than {limit}"
        );
    }
}
