//! A pipeline over an installation in a temporary folder, and a minimal browser.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Request, request::Parts};
use http_body_util::{BodyExt, Full};
use keywright_base::{AccountId, Clock, Entropy, Secret, Timestamp, WireError};
use keywright_identity::{
    Identity,
    service::{self, RootCredentials},
    vault::KEY_BYTES,
};
use keywright_objects::{Objects, memory::MemoryIndex};
use keywright_s3::S3;
use keywright_sigv4::{PayloadClaim, SigningCredentials, SigningTarget, sign};
use keywright_store::SqliteStore;
use keywright_wire::Service;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    SystemEntropy,
    console::{Console, ConsoleAsset, ConsoleBundle, PublicUrls},
    origin::ConsoleListener,
    pipeline::{Pipeline, ServerParts, complete},
    proxies::TrustedProxies,
    query,
    request::PeerInfo,
};

/// The account of every test installation.
pub(super) const ACCOUNT: &str = "123456789012";
pub(super) const HOUR_SECS: i64 = 60 * 60;
/// The listener that it would have.
const LISTENER: ConsoleListener = ConsoleListener {
    api_port: 8787,
    is_local: true,
};

/// 2026-11-24T08:00:00Z.
const START_SECS: i64 = 1_795_507_200;

/// A clock that changes only by hand.
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

pub(super) struct Bench {
    pub(super) pipeline: Pipeline,
    pub(super) root_password: String,
    pub(super) listener: ConsoleListener,
    root: RootCredentials,
    clock: Arc<Hands>,
    _folder: tempfile::TempDir,
}

const ASSETS: &[ConsoleAsset] = &[
    ConsoleAsset {
        path: "index.html",
        bytes: b"<!doctype html>",
        gzip: Some(b"index.gz"),
    },
    ConsoleAsset {
        path: "assets/a-1.js",
        bytes: b"let a = 1;",
        gzip: Some(b"a.gz"),
    },
    ConsoleAsset {
        path: "assets/b-2.woff2",
        bytes: b"font",
        gzip: None,
    },
];

impl Bench {
    pub(super) async fn new() -> Self {
        Self::with(ConsoleBundle::new(ASSETS.to_vec(), "")).await
    }

    /// With URLs that the operator configures.
    pub(super) async fn at(console: &str, api: &str) -> Self {
        let urls = PublicUrls {
            console: Some(console.parse().unwrap()),
            api: Some(api.parse().unwrap()),
        };
        Self::open(ConsoleBundle::new(ASSETS.to_vec(), ""), urls).await
    }

    pub(super) async fn with(bundle: ConsoleBundle) -> Self {
        Self::open(bundle, PublicUrls::default()).await
    }

    async fn open(bundle: ConsoleBundle, urls: PublicUrls) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hands(AtomicI64::new(START_SECS * 1000)));
        let (time, entropy) = (
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(SystemEntropy) as Arc<dyn Entropy>,
        );
        let store = SqliteStore::open(&folder.path().join("state.db")).unwrap();
        let parts = service::IdentityParts {
            store: Arc::new(store),
            master_key: Secret::new(vec![7; KEY_BYTES]),
            clock: Arc::clone(&time),
            entropy: Arc::clone(&entropy),
            projections: Vec::new(),
        };
        let identity = Identity::open(parts).await.unwrap();
        let account: AccountId = ACCOUNT.parse().unwrap();
        let root = identity.create_account(account, |_| Ok(())).await.unwrap();
        let mut root_password = String::new();
        let keep = |password: &Secret<String>| {
            password.expose().clone_into(&mut root_password);
            Ok(())
        };
        identity.ensure_root_password(account, keep).await.unwrap();
        let objects = Objects::open(
            folder.path().join("objects"),
            Arc::new(MemoryIndex::default()),
            Arc::clone(identity.vault()),
            Arc::clone(&time),
            Arc::clone(&entropy),
        );
        let front = ServerParts {
            s3: S3::new(objects.unwrap()),
            console: Console::new(bundle, urls),
            proxies: TrustedProxies::default(),
        };
        Self {
            pipeline: Pipeline::new(identity, front, time, entropy),
            root_password,
            listener: LISTENER,
            root,
            clock,
            _folder: folder,
        }
    }

    /// Advances the clock.
    pub(super) fn pass(&self, secs: i64) {
        self.clock.0.fetch_add(secs * 1000, Ordering::SeqCst);
    }

    /// Sends a browser's request, by default from 192.0.2.7 over plain HTTP.
    pub(super) async fn ask(&self, ask: Ask) -> Answer {
        let peer = PeerInfo {
            address: ask.from.parse().unwrap(),
            secure: ask.secure,
            tls_version: None,
        };
        let (method, uri) = ask.line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(Bytes::from(ask.body))).unwrap();
        let (parts, body) = request.into_parts();
        let services = &self.pipeline.services;
        let event = services.begin(&parts.headers, peer, services.ids.uuid());
        let from = (peer, self.listener);
        let answering = super::super::answer(&self.pipeline, (parts, body), from, event.record());
        let mut answer = answering.await;
        complete(event, &mut answer);
        let (parts, body) = answer.into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// Signs in and returns the cookie.
    #[track_caller]
    pub(super) fn sign_in(&self, user: &str, password: &str) -> impl Future<Output = String> {
        let ask = post("sign-in", &who(ACCOUNT, user, password));
        async move {
            let answer = self.ask(ask).await;
            assert_eq!(answer.status, 200, "{:?}", answer.body);
            answer.cookie()
        }
    }

    /// Calls IAM or STS with root's key.
    pub(super) async fn root(&self, form: &str) -> String {
        self.try_root(form).await.unwrap()
    }

    /// Like `root`, but the call may fail.
    pub(super) async fn try_root(&self, form: &str) -> Result<String, WireError> {
        let (id, secret) = (self.root.key.to_string(), self.root.secret.clone());
        self.call((&id, &secret, None), form).await
    }

    /// Creates a user with a console password and these AWS managed policies.
    pub(super) async fn user(&self, name: &str, password: &str, reset: bool, policies: &[&str]) {
        self.root(&format!("Action=CreateUser&UserName={name}"))
            .await;
        let form = format!("UserName={name}&Password={password}&PasswordResetRequired={reset}");
        self.root(&format!("Action=CreateLoginProfile&{form}"))
            .await;
        for policy in policies {
            let arn = format!("PolicyArn=arn:aws:iam::aws:policy/{policy}");
            self.root(&format!("Action=AttachUserPolicy&UserName={name}&{arn}"))
                .await;
        }
    }

    /// Creates an MFA device of a user or of root; returns its codes by steps from now.
    pub(super) async fn device(&self, user: &str, name: &str) -> impl Fn(i64) -> String + use<> {
        let form = format!("Action=CreateVirtualMFADevice&VirtualMFADeviceName={name}");
        let made = self.root(&form).await;
        let text = element(&made, "Base32StringSeed").unwrap();
        let text = BASE64_STANDARD.decode(text).unwrap();
        let app = totp_rs::Builder::new()
            .with_algorithm(totp_rs::Algorithm::SHA1)
            .with_secret(data_encoding::BASE32.decode(&text).unwrap())
            .build()
            .unwrap();
        let clock = Arc::clone(&self.clock);
        let code = move |steps: i64| {
            let secs = clock.now().plus_secs(30 * steps).secs();
            app.generate(u64::try_from(secs).unwrap()).to_string()
        };
        let serial = element(&made, "SerialNumber").unwrap();
        self.root(&format!(
            "Action=EnableMFADevice&UserName={user}&SerialNumber={serial}\
             &AuthenticationCode1={}&AuthenticationCode2={}",
            code(-1),
            code(0)
        ))
        .await;
        code
    }

    /// Calls IAM, or STS if the form says so, with the credentials of a console session.
    pub(super) async fn as_session(&self, made: &Value, form: &str) -> Result<String, WireError> {
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        let (secret, token) = (
            Secret::new(text("secretAccessKey")),
            Secret::new(text("sessionToken")),
        );
        self.call((&text("accessKeyId"), &secret, Some(&token)), form)
            .await
    }

    /// Calls IAM or STS with the key that an earlier response created.
    pub(super) async fn with_key(&self, made: &str, form: &str) -> Result<String, WireError> {
        let id = element(made, "AccessKeyId").unwrap();
        let secret = Secret::new(element(made, "SecretAccessKey").unwrap());
        let token = element(made, "SessionToken").map(Secret::new);
        self.call((&id, &secret, token.as_ref()), form).await
    }

    async fn call(
        &self,
        (access_key_id, secret, session_token): (&str, &Secret<String>, Option<&Secret<String>>),
        form: &str,
    ) -> Result<String, WireError> {
        let sts = ["GetCallerIdentity", "GetSessionToken"];
        let sts = sts.iter().any(|action| form.contains(action));
        let service = if sts { Service::Sts } else { Service::Iam };
        let body = format!("{form}&Version={}", service.version());
        let request = Request::post("/").header("host", "127.0.0.1:8787");
        let (mut parts, ()): (Parts, ()) = request.body(()).unwrap().into_parts();
        let credentials = SigningCredentials {
            access_key_id,
            secret,
            session_token,
        };
        let target = SigningTarget {
            region: "us-east-1",
            service: service.scope_name(),
        };
        let payload = PayloadClaim::Sha256(Sha256::digest(body.as_bytes()).into());
        sign(&mut parts, &credentials, &target, payload, self.clock.now()).unwrap();
        let peer = PeerInfo {
            address: "192.0.2.8".parse().unwrap(),
            secure: false,
            tls_version: None,
        };
        let services = &self.pipeline.services;
        let answer = query::carry_out(services, service, (parts, peer), body.as_bytes()).await;
        answer.map(|xml| String::from_utf8(xml.to_vec()).unwrap())
    }
}

/// The text of the first element of this name.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0.to_owned())
}

/// A browser's request.
pub(super) struct Ask {
    pub(super) line: String,
    pub(super) headers: Vec<(&'static str, String)>,
    body: String,
    from: &'static str,
    secure: bool,
}

pub(super) fn get(line: &str) -> Ask {
    Ask {
        line: line.to_owned(),
        headers: vec![("host", "127.0.0.1:8788".to_owned())],
        body: String::new(),
        from: "192.0.2.7",
        secure: false,
    }
}

/// A request as the console's own pages send it.
pub(super) fn post(endpoint: &str, body: &str) -> Ask {
    let mut ask = get(&format!("POST /console/api/{endpoint}"))
        .with("origin", "http://127.0.0.1:8788")
        .with("sec-fetch-site", "same-origin")
        .with("x-keywright-console", "1")
        .with("content-type", "application/json");
    body.clone_into(&mut ask.body);
    ask
}

/// The body of a sign-in. The user `root` stands for root.
pub(super) fn who(account: &str, user: &str, password: &str) -> String {
    let mut body = serde_json::json!({"account": account, "password": password});
    if user == "root" {
        body["root"] = true.into();
    } else {
        body["userName"] = user.into();
    }
    body.to_string()
}

impl Ask {
    pub(super) fn with(self, name: &'static str, value: &str) -> Self {
        let mut ask = self.without(name);
        ask.headers.push((name, value.to_owned()));
        ask
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self
    }

    pub(super) fn from(mut self, address: &'static str) -> Self {
        self.from = address;
        self
    }

    /// Over TLS, also in the origin.
    pub(super) fn over_tls(mut self) -> Self {
        self.secure = true;
        self.with("origin", "https://127.0.0.1:8788")
    }

    /// Adds a header, even if there is one of this name.
    pub(super) fn and(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// The response to a browser.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The cookie of the new session.
    pub(super) fn cookie(&self) -> String {
        let set = self.header("set-cookie");
        set.split(';').next().unwrap().to_owned()
    }

    /// The `Cookie` header that the browser sends from now on, without the session's cookie.
    pub(super) fn browser(&self) -> String {
        let sets = self.headers.get_all("set-cookie").iter().skip(1);
        let pairs = sets.map(|set| set.to_str().unwrap().split(';').next().unwrap());
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// The status and the error code.
    pub(super) fn code(&self) -> (u16, String) {
        let code = self.json()["code"].as_str().unwrap_or_default().to_owned();
        (self.status, code)
    }
}
