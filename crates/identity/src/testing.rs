//! For tests: an installation in a temporary folder, whose requests are actually signed, verified,
//! decided and committed. Time and randomness are scripted.
//!
//! It takes the place of the server, without sockets. What the server does with a request before
//! and after [`Identity::call`] has its own tests.

pub(crate) mod certificates;
pub(crate) mod saml;

use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{Request, request::Parts as Head};
use keywright_base::{AccessKeyId, AccountId, Clock, Entropy, Secret, Timestamp, WireError};
use keywright_sigv4::{
    PayloadClaim, PayloadHash, PresentedSignature, ServiceRules, SigningCredentials,
    SigningDialect, SigningTarget, sign,
};
use keywright_store::{SqliteStore, contract::Store};
use keywright_wire::{Form, Protocol, Service, operations};
use ring::digest;

use crate::{
    Identity,
    action::{ActionCall, UnsignedCall},
    actions::ServedOperation,
    authenticate::{AuthFailure, KeyUse, SignedRequest},
    caller::Caller,
    event::{
        EventDraft, EventOperation, EventResource, Projection, RequestEvent, RequestOutcome,
        RequestRecord,
    },
    fault::IamFault,
    on_behalf::OnBehalf,
    service::IdentityParts,
    state::CredentialOwner,
    vault::KEY_BYTES,
    view::{RequestContext, SignedContext},
};

/// Numbers that never repeat.
#[derive(Default)]
pub(crate) struct TestEntropy(AtomicU64);

impl Entropy for TestEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let seed = self.0.fetch_add(1, Ordering::Relaxed);
        for (chunk, n) in buffer.chunks_mut(32).zip(0_u64..) {
            let bytes = [seed.to_be_bytes(), n.to_be_bytes()].concat();
            let hash = digest::digest(&digest::SHA256, &bytes);
            let length = chunk.len();
            chunk.copy_from_slice(&hash.as_ref()[..length]);
        }
    }
}

/// A clock that advances only when a test moves it.
pub(crate) struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Long-term or temporary credentials.
#[derive(Clone)]
pub(crate) struct TestKeys {
    pub(crate) id: String,
    pub(crate) secret: Secret<String>,
    pub(crate) token: Option<Secret<String>>,
}

/// An installation with one account.
pub(crate) struct TestInstallation {
    identity: Option<Arc<Identity>>,
    pub(crate) root: TestKeys,
    clock: Arc<ManualClock>,
    seed: Arc<TestEntropy>,
    runtime: tokio::runtime::Runtime,
    folder: Arc<tempfile::TempDir>,
    events: Arc<TestEvents>,
}

/// Every event, as a test sees it.
#[derive(Default)]
pub(crate) struct TestEvents(Mutex<Vec<TestEvent>>);

/// An event.
#[derive(Debug)]
pub(crate) struct TestEvent {
    pub(crate) operation: String,
    pub(crate) is_read_only: bool,
    pub(crate) principal: Option<String>,
    pub(crate) inactive_key: Option<AccessKeyId>,
    pub(crate) resources: Vec<EventResource>,
    pub(crate) is_denied: bool,
    pub(crate) outcome: RequestOutcome,
    pub(crate) debug: String,
}

impl Projection for TestEvents {
    fn completed(&self, event: &RequestEvent<'_>) {
        let event = TestEvent {
            operation: event.operation().to_string(),
            is_read_only: event.is_read_only(),
            principal: event.principal().map(|who| who.arn().to_string()),
            inactive_key: event.inactive_key(),
            resources: event.resources(),
            is_denied: event.denial().is_some(),
            outcome: event.outcome().clone(),
            debug: format!("{event:?}"),
        };
        self.0.lock().unwrap().push(event);
    }

    fn reads_resources(&self) -> bool {
        true
    }
}

/// The response to a request.
#[derive(Debug)]
pub(crate) struct TestResponse {
    request: String,
    result: Result<String, WireError>,
}

/// The ID of every request.
const REQUEST_ID: &str = "11111111-2222-4333-8444-555555555555";

const REGION: &str = "us-east-1";

fn signed_context() -> SignedContext {
    SignedContext {
        region: REGION,
        idempotency_token: None,
    }
}

/// The account of every test installation.
pub(crate) const ACCOUNT: &str = "123456789012";

/// 2026-11-24T08:00:00Z.
const START_SECS: i64 = 1_795_507_200;

impl TestInstallation {
    pub(crate) fn new() -> Self {
        Self::of(ACCOUNT)
    }

    /// The root credentials of another account.
    pub(crate) fn of(account: &str) -> Self {
        let runtime = new_runtime();
        let clock = Arc::new(ManualClock(AtomicI64::new(START_SECS * 1000)));
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let account: AccountId = account.parse().unwrap();
        let seed = Arc::new(TestEntropy::default());
        let events = Arc::new(TestEvents::default());
        let identity = open(&runtime, new_store(&folder), (&clock, &seed), &events);
        let creating = identity.create_account(account, |_| Ok(()));
        let root = runtime.block_on(creating).unwrap();
        let root = TestKeys {
            id: root.key.to_string(),
            secret: root.secret,
            token: None,
        };
        Self {
            identity: Some(identity),
            root,
            clock,
            seed,
            runtime,
            folder,
            events,
        }
    }

    /// The events since the last call.
    pub(crate) fn take_events(&self) -> Vec<TestEvent> {
        std::mem::take(&mut self.events.0.lock().unwrap())
    }

    /// Stops and reopens the installation, which reads everything back from the store.
    pub(crate) fn reopen(&mut self) {
        self.block_on(self.identity().usage().flush()).unwrap();
        self.identity = None;
        let store = new_store(&self.folder);
        let parts = (&self.clock, &self.seed);
        let opened = open(&self.runtime, store, parts, &self.events);
        self.identity = Some(opened);
    }

    /// A second instance over the same store, as in another process.
    pub(crate) fn second(&self) -> Self {
        let runtime = new_runtime();
        let store = Arc::clone(self.identity().store());
        let parts = (&self.clock, &self.seed);
        let identity = open(&runtime, store, parts, &self.events);
        Self {
            identity: Some(identity),
            root: self.root.clone(),
            clock: Arc::clone(&self.clock),
            seed: Arc::clone(&self.seed),
            runtime,
            folder: Arc::clone(&self.folder),
            events: Arc::clone(&self.events),
        }
    }

    /// Makes the commits of other instances visible here.
    pub(crate) fn refresh(&self) {
        let refreshed = self.identity().ledger().refresh();
        self.block_on(refreshed).unwrap();
    }

    pub(crate) fn identity(&self) -> &Arc<Identity> {
        self.identity.as_ref().unwrap()
    }

    /// Advances the clock.
    pub(crate) fn pass(&self, secs: i64) {
        self.clock.0.fetch_add(secs * 1000, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// As [`TestInstallation::call`], as root.
    pub(crate) fn root(&self, form: &str) -> TestResponse {
        self.call(&self.root, form)
    }

    /// Sends `Action=…&…` (without `Version`) to the service that has the action (IAM if none has).
    pub(crate) fn call(&self, keys: &TestKeys, form: &str) -> TestResponse {
        self.call_with(keys, form, |_| {})
    }

    /// Calls an operation of Organizations as root.
    pub(crate) fn organizations(&self, action: &str, form: &str) -> TestResponse {
        self.organizations_as(&self.root, action, form)
    }

    /// Calls an operation of Organizations.
    pub(crate) fn organizations_as(
        &self,
        keys: &TestKeys,
        action: &str,
        form: &str,
    ) -> TestResponse {
        let version = Service::Organizations.version();
        self.call(keys, &format!("Action={action}&Version={version}&{form}"))
    }

    /// As [`TestInstallation::call`], with a different request context.
    pub(crate) fn call_with(
        &self,
        keys: &TestKeys,
        form: &str,
        change: impl FnOnce(&mut RequestContext),
    ) -> TestResponse {
        let service = service_of(form);
        let body = versioned(service, form);
        let mut facts = self.facts();
        change(&mut facts);
        let event = self.begin(facts);
        let parsed = Form::parse(body.as_bytes()).unwrap();
        let served = Identity::served(service, &parsed);
        event.record().note_operation(match &served {
            Ok(operation) => (*operation).into(),
            Err(_) => EventOperation::claimed(service, &parsed),
        });
        let result = match self.caller(keys, service, &body) {
            Ok(caller) => {
                event.record().admit(caller, signed_context());
                let answer = served.and_then(|it| self.run(event.record(), it, &parsed));
                answer.map_err(|fault| fault.wire_of(service))
            }
            Err(failure) => {
                event.reject(&failure);
                Err(match service.protocol() {
                    Protocol::Query => failure.fault.wire(SigningDialect::Query),
                    Protocol::Json => failure.fault.json_wire(),
                })
            }
        };
        complete(event, form, result)
    }

    /// Sends `Action=…&…` to STS without a signature.
    pub(crate) fn unsigned(&self, form: &str) -> TestResponse {
        self.unsigned_late(form, 0)
    }

    /// The same with a body that arrives these seconds after the head.
    pub(crate) fn unsigned_late(&self, form: &str, secs: i64) -> TestResponse {
        let body = format!("{form}&Version={}", Service::Sts.version());
        let parsed = Form::parse(body.as_bytes()).unwrap();
        let operation = Identity::unsigned(Service::Sts, &parsed).unwrap();
        let event = self.begin(self.facts());
        event
            .record()
            .note_operation(EventOperation::Unsigned(operation));
        event.admit_unsigned(REGION);
        self.pass(secs);
        let call = UnsignedCall {
            record: event.record(),
            form: &parsed,
        };
        let result = self.block_on(self.identity().call_unsigned(operation, call));
        complete(event, form, result.map_err(|fault| fault.wire()))
    }

    fn begin(&self, facts: RequestContext) -> EventDraft<'_> {
        let events = self.identity().events();
        events.begin(REQUEST_ID.to_owned(), facts)
    }

    fn run(
        &self,
        record: &Arc<RequestRecord>,
        operation: ServedOperation,
        form: &Form,
    ) -> Result<String, IamFault> {
        let call = ActionCall::new(record, form)?;
        let answer = self.block_on(self.identity().call(operation, call));
        answer.map(|answer| answer.xml)
    }

    /// The event of a signed request that was admitted.
    pub(crate) fn admitted(&self, keys: &TestKeys, service: Service, body: &str) -> EventDraft<'_> {
        let caller = self.caller(keys, service, body).unwrap();
        let event = self.begin(self.facts());
        event.record().admit(caller, signed_context());
        event
    }

    /// Signs and verifies a request.
    pub(crate) fn caller(
        &self,
        keys: &TestKeys,
        service: Service,
        body: &str,
    ) -> Result<Caller, AuthFailure> {
        let head = self.signed_head(keys, service, body);
        let rules = ServiceRules {
            dialect: SigningDialect::Query,
            service: service.scope_name(),
            home_region: "us-east-1",
        };
        let presented = PresentedSignature::parse(&head, self.now(), &rules)?;
        let signed = SignedRequest {
            parts: &head,
            presented: &presented,
            payload: PayloadHash::of(body.as_bytes()),
            now: self.now(),
            key_use: KeyUse::Work,
        };
        let _entered = self.runtime.enter();
        let authenticator = self.identity().authenticator();
        let recognized = authenticator.recognize(&presented, self.now());
        let cached = self.is_cached(&presented);
        let authenticated = authenticator.authenticate(signed);
        match &authenticated {
            Ok(_) => assert_eq!(recognized, Ok(()), "what is authentic is recognized"),
            Err(refusal) => {
                let early = recognized.err();
                let same = early.is_none_or(|fault| fault == refusal.fault);
                assert!(same, "the refusal is the same before the body is read");
                assert_eq!(self.is_cached(&presented), cached, "nothing is remembered");
            }
        }
        let authenticated = authenticated?;
        let events = self.identity().events();
        events.verified(&authenticated.credential_use());
        Ok(authenticated.caller)
    }

    /// Whether the signing key of a request is cached.
    fn is_cached(&self, presented: &PresentedSignature) -> bool {
        let id = presented.access_key_id().parse::<AccessKeyId>().ok();
        let account = id.and_then(|id| self.identity().ledger().account(id.account()?));
        let (Some(id), Some(account)) = (id, account) else {
            return false;
        };
        let account = account.snapshot().clone();
        let key = account.key(id).map(|(_, key)| key);
        key.is_some_and(|key| key.material.cached(presented.scope()).is_some())
    }

    fn signed_head(&self, keys: &TestKeys, service: Service, body: &str) -> Head {
        let request = Request::post("/").header("host", "127.0.0.1:8787").body(());
        let (mut head, ()) = request.unwrap().into_parts();
        let credentials = SigningCredentials {
            access_key_id: &keys.id,
            secret: &keys.secret,
            session_token: keys.token.as_ref(),
        };
        let target = SigningTarget {
            region: "us-east-1",
            service: service.scope_name(),
        };
        let hash = digest::digest(&digest::SHA256, body.as_bytes());
        let payload = PayloadClaim::Sha256(hash.as_ref().try_into().unwrap());
        sign(&mut head, &credentials, &target, payload, self.now()).unwrap();
        head
    }

    pub(crate) fn facts(&self) -> RequestContext {
        RequestContext {
            now: self.now(),
            source_address: "192.0.2.7".parse().unwrap(),
            user_agent: "aws-cli/1.45".to_owned(),
            referer: None,
            secure: false,
            tls_version: None,
            signed: OnceLock::new(),
        }
    }

    /// A new user with one key and these managed policies attached.
    pub(crate) fn user(&self, name: &str, managed_policies: &[&str]) -> TestKeys {
        self.root(&format!("Action=CreateUser&UserName={name}"))
            .ok();
        for policy in managed_policies {
            let arn = format!("arn:aws:iam::aws:policy/{policy}");
            let form = format!("Action=AttachUserPolicy&UserName={name}&PolicyArn={arn}");
            self.root(&form).ok();
        }
        self.key(name)
    }

    /// A new user with full access to IAM, through a policy that takes some hundred thousand steps.
    pub(crate) fn wide_user(&self, name: &str) -> TestKeys {
        let path = format!("/{}/", "ab".repeat(250));
        let create = format!("Action=CreateUser&UserName={name}&Path={path}");
        self.root(&create).ok();
        let spared = (0..100).map(|number| format!("\"arn:aws:iam::*:user/*a?c*z{number}*\""));
        let spared: Vec<_> = spared.chain(["\"*\"".to_owned()]).collect();
        let statement = r#"{"Effect":"Allow","Action":"iam:*","Resource":"*"}"#;
        let deny = r#"{"Effect":"Deny","Action":"iam:*""#;
        let document = format!(
            r#"{{"Version":"2012-10-17","Statement":[{statement},{deny},"NotResource":[{}]}}]}}"#,
            spared.join(",")
        );
        let create = format!("Action=CreatePolicy&PolicyName={name}&PolicyDocument={document}");
        let arn = self.root(&create).value("Arn");
        let attach = format!("Action=AttachUserPolicy&UserName={name}&PolicyArn={arn}");
        self.root(&attach).ok();
        self.key(name)
    }

    pub(crate) fn device(&self, name: &str) -> TestAuthenticator {
        let form = format!("Action=CreateVirtualMFADevice&VirtualMFADeviceName={name}");
        TestAuthenticator::of(&self.root(&form))
    }

    /// The credentials of the rotation service on behalf of a user.
    pub(crate) fn forward_access_session(&self, user: &str, mfa: Option<Timestamp>) -> TestKeys {
        let account = ACCOUNT.parse().unwrap();
        let cell = self.identity().ledger().account(account).unwrap();
        let owner = CredentialOwner::User(cell.snapshot().user(user).unwrap().id);
        let session = self.identity().issue_forward_access_session(&OnBehalf {
            account,
            owner,
            mfa,
        });
        let session = session.unwrap();
        TestKeys {
            id: session.key.to_string(),
            secret: session.secret,
            token: Some(session.token),
        }
    }

    /// A new key of a user.
    pub(crate) fn key(&self, user: &str) -> TestKeys {
        let answer = self.root(&format!("Action=CreateAccessKey&UserName={user}"));
        TestKeys {
            id: answer.value("AccessKeyId"),
            secret: Secret::new(answer.value("SecretAccessKey")),
            token: None,
        }
    }
}

impl TestKeys {
    /// Temporary credentials, from the response that contains them.
    #[track_caller]
    pub(crate) fn of(answer: &TestResponse) -> Self {
        Self {
            id: answer.value("AccessKeyId"),
            secret: Secret::new(answer.value("SecretAccessKey")),
            token: Some(Secret::new(answer.value("SessionToken"))),
        }
    }
}

/// An authenticator app that knows the seed of a device. It computes codes independently of the
/// code under test.
pub(crate) struct TestAuthenticator {
    pub(crate) serial: String,
    seed: Vec<u8>,
}

impl TestAuthenticator {
    pub(crate) fn new(name: &str, seed: &[u8]) -> Self {
        Self {
            serial: format!("arn:aws:iam::{ACCOUNT}:mfa/{name}"),
            seed: seed.to_owned(),
        }
    }

    /// From the response to CreateVirtualMFADevice.
    #[track_caller]
    pub(crate) fn of(answer: &TestResponse) -> Self {
        let text = BASE64_STANDARD.decode(answer.value("Base32StringSeed"));
        let text = text.unwrap();
        assert_eq!(text.len(), 64);
        Self {
            serial: answer.value("SerialNumber"),
            seed: data_encoding::BASE32.decode(&text).unwrap(),
        }
    }

    /// The code at a number of time steps after the current one.
    pub(crate) fn code(&self, bench: &TestInstallation, steps: i64) -> String {
        let made = totp_rs::Builder::new()
            .with_algorithm(totp_rs::Algorithm::SHA1)
            .with_secret(self.seed.clone())
            .build()
            .unwrap();
        let secs = bench.now().plus_secs(30 * steps).secs();
        made.generate(u64::try_from(secs).unwrap()).to_string()
    }

    /// EnableMFADevice with the codes of two time steps.
    pub(crate) fn enable(&self, bench: &TestInstallation, user: &str, steps: [i64; 2]) -> String {
        self.with_codes("EnableMFADevice", bench, user, steps)
    }

    /// ResyncMFADevice with the codes of two time steps.
    pub(crate) fn resync(&self, bench: &TestInstallation, user: &str, steps: [i64; 2]) -> String {
        self.with_codes("ResyncMFADevice", bench, user, steps)
    }

    fn with_codes(
        &self,
        action: &str,
        bench: &TestInstallation,
        user: &str,
        steps: [i64; 2],
    ) -> String {
        let [first, second] = steps.map(|steps| self.code(bench, steps));
        let serial = &self.serial;
        format!(
            "Action={action}&UserName={user}&SerialNumber={serial}&AuthenticationCode1={first}\
             &AuthenticationCode2={second}"
        )
    }
}

impl TestResponse {
    /// The body of a successful response.
    #[track_caller]
    pub(crate) fn ok(&self) -> &str {
        match &self.result {
            Ok(xml) => xml,
            Err(error) => panic!("{}: {error:?}", self.request),
        }
    }

    /// Whether it succeeded.
    pub(crate) const fn is_success(&self) -> bool {
        self.result.is_ok()
    }

    #[track_caller]
    pub(crate) fn error(&self) -> &WireError {
        match &self.result {
            Ok(xml) => panic!("{} was carried out: {xml}", self.request),
            Err(error) => error,
        }
    }

    /// The code of the error, if it is one.
    pub(crate) fn code(&self) -> Option<&'static str> {
        match self.result.as_ref().err()?.code {
            Cow::Borrowed(code) => Some(code),
            Cow::Owned(_) => panic!("{}: a code of IAM is a constant", self.request),
        }
    }

    /// Asserts the code and the message of an error.
    #[track_caller]
    pub(crate) fn refused(&self, code: &str, message: &str) {
        let error = self.error();
        let got = (&*error.code, error.text());
        assert_eq!(got, (code, message), "{}", self.request);
    }

    /// The body of a response of Organizations.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        match self.ok() {
            "" => serde_json::Value::Null,
            text => serde_json::from_str(text).unwrap(),
        }
    }

    /// The `Reason` of an error of Organizations.
    #[track_caller]
    pub(crate) fn reason(&self) -> Option<&str> {
        let extra = &self.error().extra;
        let reason = extra.iter().find(|(name, _)| *name == "Reason");
        reason.map(|(_, value)| value.as_str())
    }

    /// The text of the first element of this name, unescaped only as far as tests need.
    #[track_caller]
    pub(crate) fn value(&self, element: &str) -> String {
        self.values(element).into_iter().next().unwrap_or_else(|| {
            panic!("no {element} in {:?}", self.result);
        })
    }

    /// The texts of all elements of this name.
    #[track_caller]
    pub(crate) fn values(&self, element: &str) -> Vec<String> {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let rest = self.ok().split(&open).skip(1);
        rest.map(|text| text.split(&close).next().unwrap())
            .map(|text| text.replace("&quot;", "\"").replace("&amp;", "&"))
            .collect()
    }
}

/// Emits the event of a request with its outcome.
fn complete(event: EventDraft<'_>, form: &str, result: Result<String, WireError>) -> TestResponse {
    event.complete(match &result {
        Ok(_) => RequestOutcome::Succeeded,
        Err(error) => RequestOutcome::Failed {
            status: error.status,
            code: error.code.clone(),
        },
    });
    let request = form.to_owned();
    TestResponse { request, result }
}

fn new_runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_time().build().unwrap()
}

fn new_store(folder: &tempfile::TempDir) -> Arc<dyn Store> {
    let store = SqliteStore::open(&folder.path().join("state.db"));
    Arc::new(store.unwrap())
}

fn open(
    runtime: &tokio::runtime::Runtime,
    store: Arc<dyn Store>,
    (clock, seed): (&Arc<ManualClock>, &Arc<TestEntropy>),
    events: &Arc<TestEvents>,
) -> Arc<Identity> {
    let parts = IdentityParts {
        store,
        master_key: Secret::new(vec![7; KEY_BYTES]),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        entropy: Arc::clone(seed) as Arc<dyn Entropy>,
        projections: vec![Arc::clone(events) as _],
    };
    runtime.block_on(Identity::open(parts)).unwrap()
}

/// The form with the version of its service, unless it names one.
fn versioned(service: Service, form: &str) -> String {
    if form.contains("&Version=") {
        return form.to_owned();
    }
    format!("{form}&Version={}", service.version())
}

/// The service of the version that a form names; if it names none, of the operation.
fn service_of(form: &str) -> Service {
    let parsed = Form::parse(form.as_bytes()).unwrap();
    let version = parsed.version();
    let of_version = |service: &Service| Some(service.version()) == version;
    if let Some(service) = Service::ALL.into_iter().find(of_version) {
        return service;
    }
    let action = parsed.action().unwrap_or_default();
    let named = operations().find(|operation| operation.name == action);
    named.map_or(Service::Iam, |operation| operation.service)
}
