//! A server on loopback sockets, whose events are collected, and a client that signs.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use http::{Method, Request, request::Parts};
use keywright_base::{AccessKeyId, Clock, Entropy, Secret};
use keywright_identity::{
    Identity,
    event::{EventResource, Projection, RequestEvent, RequestOutcome},
    service,
    vault::KEY_BYTES,
};
use keywright_objects::{Objects, memory::MemoryIndex};
use keywright_s3::S3;
use keywright_sigv4::{PayloadClaim, SigningCredentials, SigningTarget, presign, sign};
use keywright_store::SqliteStore;
use keywright_wire::Service;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::requests::S3Sample;
use crate::{
    ConsoleListener, ListenerOrigin, Pipeline, Server, ServerConfig, ServerParts, SystemClock,
    SystemEntropy, TrustedProxies,
    console::{Console, ConsoleAsset, ConsoleBundle, PublicUrls},
    query::EngineRequest,
    request::PeerInfo,
};

/// The account of the samples.
pub(super) const ACCOUNT: &str = "123456789012";

const ASSETS: &[ConsoleAsset] = &[ConsoleAsset {
    path: "index.html",
    bytes: b"<!doctype html>",
    gzip: None,
}];

/// An event, as a test sees it.
#[derive(Debug)]
pub(super) struct SeenEvent {
    pub(super) operation: String,
    pub(super) is_read_only: bool,
    pub(super) principal: Option<String>,
    pub(super) inactive_key: Option<AccessKeyId>,
    pub(super) resources: Vec<EventResource>,
    pub(super) is_denied: bool,
    pub(super) outcome: RequestOutcome,
    pub(super) debug: String,
}

#[derive(Default)]
struct SeenEvents(Mutex<Vec<SeenEvent>>);

impl Projection for SeenEvents {
    fn completed(&self, event: &RequestEvent<'_>) {
        assert!(!event.request_id().is_empty(), "{event:?}");
        let seen = SeenEvent {
            operation: event.operation().to_string(),
            is_read_only: event.is_read_only(),
            principal: event.principal().map(|who| who.arn().to_string()),
            inactive_key: event.inactive_key(),
            resources: event.resources(),
            is_denied: event.denial().is_some(),
            outcome: event.outcome().clone(),
            debug: format!("{event:?}"),
        };
        self.0.lock().unwrap().push(seen);
    }

    fn reads_resources(&self) -> bool {
        true
    }
}

#[derive(Clone)]
pub(super) struct TestKeys {
    pub(super) id: String,
    secret: Secret<String>,
}

impl TestKeys {
    pub(super) fn with_wrong_secret(&self) -> Self {
        Self {
            id: self.id.clone(),
            secret: Secret::new("not the secret".to_owned()),
        }
    }
}

/// The service that a request is signed for.
#[derive(Clone, Copy)]
pub(super) struct Signing(&'static str);

impl Signing {
    pub(super) const fn of(service: &'static str) -> Self {
        Self(service)
    }
}

/// A response.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Reply {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Self {
            status: status.unwrap_or_else(|| panic!("no response: {text:?}")),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// The error code; empty if there is no body.
    pub(super) fn code(&self) -> String {
        let json = serde_json::from_str::<serde_json::Value>(&self.body);
        if let Ok(json) = json {
            let code = json["code"].as_str().or(json["__type"].as_str());
            return code.unwrap_or_default().to_owned();
        }
        let after = self
            .body
            .split_once("<Code>")
            .map_or("", |(_, after)| after);
        after.split('<').next().unwrap_or_default().to_owned()
    }

    /// Whether the head has this line.
    pub(super) fn has_head(&self, line: &str) -> bool {
        self.head
            .lines()
            .any(|other| other.eq_ignore_ascii_case(line))
    }

    /// The cookie of the new session.
    pub(super) fn cookie(&self) -> String {
        let lines = self.head.lines();
        let mut set = lines.filter_map(|line| line.strip_prefix("set-cookie: "));
        let set = set.next().unwrap();
        set.split(';').next().unwrap().to_owned()
    }
}

pub(super) struct Front {
    pipeline: Arc<Pipeline>,
    api: SocketAddr,
    console: SocketAddr,
    events: Arc<SeenEvents>,
    pub(super) root: TestKeys,
    pub(super) root_password: String,
    _folder: tempfile::TempDir,
}

impl Front {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = || Arc::new(SystemClock) as Arc<dyn Clock>;
        let entropy = || Arc::new(SystemEntropy) as Arc<dyn Entropy>;
        let events = Arc::new(SeenEvents::default());
        let store = SqliteStore::open(&folder.path().join("state.db")).unwrap();
        let parts = service::IdentityParts {
            store: Arc::new(store),
            master_key: Secret::new(vec![7; KEY_BYTES]),
            clock: clock(),
            entropy: entropy(),
            projections: vec![Arc::clone(&events) as _],
        };
        let identity = Identity::open(parts).await.unwrap();
        let account = ACCOUNT.parse().unwrap();
        let root = identity.create_account(account, |_| Ok(())).await.unwrap();
        let mut root_password = String::new();
        let keep = |password: &Secret<String>| {
            password.expose().clone_into(&mut root_password);
            Ok(())
        };
        identity.ensure_root_password(account, keep).await.unwrap();
        let memory = Arc::new(MemoryIndex::default());
        let (files, vault) = (folder.path().join("objects"), Arc::clone(identity.vault()));
        let objects = Objects::open(files, memory, vault, clock(), entropy()).unwrap();
        let bundle = ConsoleBundle::new(ASSETS.to_vec(), "");
        let front = ServerParts {
            s3: S3::new(objects),
            console: Console::new(bundle, PublicUrls::default()),
            proxies: TrustedProxies::new(vec!["127.0.0.1".parse().unwrap()]),
        };
        let pipeline = Arc::new(Pipeline::new(identity, front, clock(), entropy()));
        let api = listen(&pipeline, ListenerOrigin::Api).await;
        let origin = ListenerOrigin::Console(ConsoleListener {
            api_port: api.port(),
            is_local: true,
        });
        Self {
            console: listen(&pipeline, origin).await,
            api,
            pipeline,
            events,
            root: TestKeys {
                id: root.key.to_string(),
                secret: root.secret,
            },
            root_password,
            _folder: folder,
        }
    }

    pub(super) fn identity(&self) -> &Arc<Identity> {
        &self.pipeline.services.identity
    }

    /// The events since the last call.
    pub(super) fn take_events(&self) -> Vec<SeenEvent> {
        std::mem::take(&mut self.events.0.lock().unwrap())
    }

    /// What no event may show.
    pub(super) fn secrets(&self) -> [String; 3] {
        let secret = self.root.secret.expose().clone();
        [secret, self.root_password.clone(), "Abcdefg".to_owned()]
    }

    /// A new user with a key and no permissions.
    pub(super) async fn user(&self, name: &str) -> TestKeys {
        let create = format!("Action=CreateUser&UserName={name}");
        self.form(&self.root, Service::Iam, &create).await;
        let create = format!("Action=CreateAccessKey&UserName={name}");
        let reply = self.form(&self.root, Service::Iam, &create).await;
        self.take_events();
        let element = |name: &str| {
            let (_, after) = reply.body.split_once(&format!("<{name}>")).unwrap();
            after.split('<').next().unwrap().to_owned()
        };
        TestKeys {
            id: element("AccessKeyId"),
            secret: Secret::new(element("SecretAccessKey")),
        }
    }

    /// Sends a form, without `Version`.
    pub(super) async fn form(&self, keys: &TestKeys, service: Service, form: &str) -> Reply {
        let body = format!("{form}&Version={}", service.version());
        let signing = Signing::of(service.scope_name());
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.signed(keys, signing, (&Method::POST, "/"), &kind, &body)
            .await
    }

    /// Sends a request of S3.
    pub(super) async fn s3(
        &self,
        keys: &TestKeys,
        line: (&Method, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        self.signed(keys, Signing::of("s3"), line, headers, body)
            .await
    }

    /// Makes an object and what operations on its bucket read; returns the ID of an upload that
    /// has one part. Forgets the events.
    pub(super) async fn prepare_bucket(&self) -> String {
        let put = async |operation: &str, bucket: &str, upload: &str| {
            let sample = S3Sample::of(operation, bucket, upload);
            let body = if operation == "PutObject" {
                "x"
            } else {
                sample.body
            };
            let line = (&sample.method, &*sample.uri);
            self.s3(&self.root, line, &[], body).await
        };
        put("CreateBucket", "empty", "").await;
        for operation in [
            "CreateBucket",
            "PutObject",
            "PutBucketPolicy",
            "PutBucketTagging",
            "PutPublicAccessBlock",
        ] {
            put(operation, "bench", "").await;
        }
        let upload = put("CreateMultipartUpload", "bench", "").await;
        let (_, after) = upload.body.split_once("<UploadId>").unwrap();
        let upload = after.split('<').next().unwrap().to_owned();
        put("UploadPart", "bench", &upload).await;
        self.take_events();
        upload
    }

    pub(super) async fn signed(
        &self,
        keys: &TestKeys,
        Signing(service): Signing,
        (method, uri): (&Method, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut parts = self.head((method, uri), headers);
        let payload = PayloadClaim::Sha256(Sha256::digest(body).into());
        let now = SystemClock.now();
        sign(
            &mut parts,
            &credentials(keys),
            &target(service),
            payload,
            now,
        )
        .unwrap();
        send(self.api, &parts, body).await
    }

    /// Gets an object by a presigned URL.
    pub(super) async fn presigned(&self, keys: &TestKeys, uri: &str) -> Reply {
        let mut parts = self.head((&Method::GET, uri), &[]);
        let now = SystemClock.now();
        presign(&mut parts, &credentials(keys), &target("s3"), 60, now).unwrap();
        send(self.api, &parts, "").await
    }

    /// Sends a request that is not signed.
    pub(super) async fn plain(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let (method, uri) = line.split_once(' ').unwrap();
        let parts = self.head((&method.parse().unwrap(), uri), headers);
        send(self.api, &parts, body).await
    }

    /// Sends a request to the console's listener.
    pub(super) async fn at_console(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let (method, uri) = line.split_once(' ').unwrap();
        let mut parts = self.head((&method.parse().unwrap(), uri), headers);
        let host = self.console.to_string().parse().unwrap();
        parts.headers.insert("host", host);
        send(self.console, &parts, body).await
    }

    /// Posts to an endpoint as the console's own pages do.
    pub(super) async fn console(&self, endpoint: &str, cookie: &str, body: &str) -> Reply {
        let origin = format!("http://{}", self.console);
        let headers = [
            ("origin", origin.as_str()),
            ("sec-fetch-site", "same-origin"),
            ("x-keywright-console", "1"),
            ("content-type", "application/json"),
            ("cookie", cookie),
        ];
        self.at_console(&format!("POST /console/api/{endpoint}"), &headers, body)
            .await
    }

    /// Sends a form to IAM as the rotation engine does; returns the status.
    pub(super) async fn within(&self, keys: &TestKeys, form: &str) -> u16 {
        let body = format!("{form}&Version={}", Service::Iam.version());
        let mut parts = self.head((&Method::POST, "/"), &[]);
        let payload = PayloadClaim::Sha256(Sha256::digest(&body).into());
        let now = SystemClock.now();
        sign(&mut parts, &credentials(keys), &target("iam"), payload, now).unwrap();
        parts.extensions.insert(EngineRequest);
        let peer = PeerInfo {
            address: "127.0.0.1".parse().unwrap(),
            secure: true,
            tls_version: None,
        };
        let request = Request::from_parts(parts, body);
        self.pipeline
            .answer_within(request, peer)
            .await
            .status()
            .as_u16()
    }

    fn head(&self, (method, uri): (&Method, &str), headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        request = request.header("host", self.api.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }
}

fn credentials(keys: &TestKeys) -> SigningCredentials<'_> {
    SigningCredentials {
        access_key_id: &keys.id,
        secret: &keys.secret,
        session_token: None,
    }
}

const fn target(service: &'static str) -> SigningTarget {
    SigningTarget {
        region: "us-east-1",
        service,
    }
}

async fn listen(pipeline: &Arc<Pipeline>, origin: ListenerOrigin) -> SocketAddr {
    let config = ServerConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: None,
        allow_plain_http: false,
    };
    let server = Server::bind(&config, origin, Arc::clone(pipeline))
        .await
        .unwrap();
    let address = server.listening().unwrap().address;
    tokio::spawn(server.run(std::future::pending()));
    address
}

/// Sends a request and reads the response to its end.
async fn send(address: SocketAddr, parts: &Parts, body: &str) -> Reply {
    let mut text = format!("{} {} HTTP/1.1\r\n", parts.method, parts.uri);
    for (name, value) in &parts.headers {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    text.push_str(&format!(
        "content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    ));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    // A request that is refused by its head need not be read to its end.
    let _ = stream.write_all(body.as_bytes()).await;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    Reply::read(&String::from_utf8_lossy(&reply))
}
