//! S3: authenticates the caller, verifies the body against its signature, and passes the request to
//! the S3 API with an authorizer for this caller.
//!
//! Invariant: an action on a bucket or object is decided with the caller's newest policies at the
//! moment of the question. A request without credentials is anonymous, and only a bucket policy can
//! allow it anything. This module does not parse S3 requests.

mod budget;

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, Request, Response, Uri, request::Parts};
use http_body_util::BodyExt;
use keywright_base::{Entropy, Timestamp, limits};
use keywright_identity::{
    Identity,
    authenticate::{AuthenticatedCaller, KeyUse, SignedRequest},
    authorize::{self, ForeignResource, MeasuredOutcome},
    caller::Caller,
    denials::DeniedRequest,
    state::Account,
    stored_principals::PrincipalLookup,
    view::RequestContext,
    work::WorkOwner,
};
use keywright_policy::{ContextValues, is_key, is_list_key};
use keywright_s3::{
    self as s3, CallerBusy, ControlRequest, NoMemory, ResponseIds, S3Authorizer, S3Context,
    S3Denial, S3Resource, WireError, error_response, is_control,
};
use keywright_sigv4::{
    PayloadHash, PresentedSignature, PresentedV2, ServiceRules, SignatureFault, SigningDialect,
    SigningMode, parameter_names,
};

use self::budget::{BudgetQuestion, StepBudget};
use crate::{
    ResponseBody,
    edge::{BodyFault, ConnectionUse, RequestBody},
    full,
    payload::{CheckedBody, wire_error},
    pipeline::{HOME_REGION, PeerInfo, Pipeline, UnservedHttp, facts, note, protect},
    presigned::{PresignVersion, unfold},
    unsigned::drop_unsigned,
};

/// The facts about the signature that bucket policies can test.
struct SignatureConditions {
    version: &'static str,
    kind: &'static str,
    age_millis: Option<i64>,
    content: Option<String>,
}

/// Decides for one caller; `caller` is `None` for an anonymous request.
struct CallerAuthorizer {
    identity: Arc<Identity>,
    caller: Option<Caller>,
    facts: RequestContext,
    signature: Option<SignatureConditions>,
    noted: Arc<SharedDenial>,
    /// The operation under which an attempt is recorded if the key is inactive by now.
    operation: String,
    budget: StepBudget,
}

/// What all decisions of a request share: its ID and connection, and its first denial, which is
/// recorded once it is known that the response is a denial.
struct SharedDenial {
    request_id: String,
    tls_version: Option<&'static str>,
    denial: OnceLock<DeniedRequest>,
}

type RejectedRequest = Box<WireError>;
/// A request for the S3 API, and the principal or address whose queue and memory it uses.
type AdmittedRequest = (Request<s3::S3Body>, WorkOwner);

fn refused(fault: &SignatureFault) -> RejectedRequest {
    Box::new(wire_error(fault))
}

pub(crate) async fn answer(
    pipeline: &Pipeline,
    request: Request<RequestBody>,
    peer: PeerInfo,
) -> Response<ResponseBody> {
    let ids = ids(&*pipeline.entropy);
    let (parts, body) = request.into_parts();
    let head = parts.method == http::Method::HEAD;
    let posted = parts.method == http::Method::POST;
    let noted = Arc::new(SharedDenial {
        request_id: ids.request_id.clone(),
        tls_version: peer.tls_version,
        denial: OnceLock::new(),
    });
    let answer = match admit(pipeline, (parts, body), peer, &noted) {
        Ok((request, owner)) => serve(pipeline, request, owner, &ids).await,
        Err(error) => error_response(&error, head, &ids),
    };
    // A denial does not always become the response: some questions only shape it (may tags be
    // counted?), and DeleteObjects reports denials in a successful response of its own.
    if let Some(denial) = noted.denial.get()
        && (posted || answer.status() == http::StatusCode::FORBIDDEN)
    {
        pipeline.identity.denials().record(denial.clone());
    }
    answer.map(|body| body.map_err(std::io::Error::other).boxed_unsync())
}

/// Serves a request. A listing waits for its owner's turn, and a document is charged to the memory
/// budget for responses.
async fn serve(
    pipeline: &Pipeline,
    request: Request<s3::S3Body>,
    owner: WorkOwner,
    ids: &ResponseIds,
) -> Response<s3::S3Body> {
    let refused = || error_response(&WireError::slow_down(), false, ids);
    let _place = if is_listing(request.method(), request.uri()) {
        match pipeline.identity.listing_place(owner).await {
            Ok(place) => Some(place),
            Err(_) => return refused(),
        }
    } else {
        None
    };
    let mut answer = pipeline.s3.call(request, ids).await;
    if answer.extensions_mut().remove::<s3::InMemory>().is_none() {
        return answer;
    }
    let (parts, body) = answer.into_parts();
    let Ok(document) = body.collect().await else {
        return refused();
    };
    match pipeline.answers.hold(owner, document.to_bytes()) {
        Ok(document) => {
            let body = full(document).map_err(Into::into).boxed_unsync();
            Response::from_parts(parts, body)
        }
        Err(NoMemory) => refused(),
    }
}

/// Whether the request may read many rows of the index: those of an account, a bucket or an upload.
fn is_listing(method: &http::Method, uri: &Uri) -> bool {
    let path = uri.path().trim_start_matches('/');
    let has_key = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let mut names = parameter_names(uri);
    method == http::Method::GET && (!has_key || names.any(|name| name == "uploadId"))
}

/// The response to a request that uses HTTP in a way that is not served, for every service.
pub(crate) fn unserved(pipeline: &Pipeline, unserved: UnservedHttp) -> Response<ResponseBody> {
    let error = match unserved {
        UnservedHttp::TransferCoding => WireError::from(
            &keywright_objects::S3Fault::HeaderNotServed("Transfer-Encoding"),
        ),
        UnservedHttp::Method => {
            let message = "The HTTP method of the request is not implemented.";
            WireError::new(501, "NotImplemented", message)
        }
    };
    let answer = error_response(&error, false, &ids(&*pipeline.entropy));
    answer.map(|body| body.map_err(std::io::Error::other).boxed_unsync())
}

/// The response for a body that ended early.
fn body_error(fault: BodyFault) -> s3::BodyError {
    match fault {
        BodyFault::Slow => Box::new(WireError::new(
            400,
            "RequestTimeout",
            "Your socket connection to the server was not read from or written to within the \
             timeout period. Idle connections will be closed.",
        )),
        BodyFault::Broken(error) => error,
    }
}

/// The response for a request that is not signed in a header, where that is required.
pub(crate) fn not_admitted(pipeline: &Pipeline, method: &http::Method) -> Response<ResponseBody> {
    let text = "This address serves the console; requests to it must be signed in their \
                Authorization header. Presigned and anonymous ones belong to the API's address.";
    let fault = keywright_objects::S3Fault::AccessDenied(text.into());
    let head = method == http::Method::HEAD;
    let answer = error_response(&WireError::from(&fault), head, &ids(&*pipeline.entropy));
    answer.map(|body| body.map_err(std::io::Error::other).boxed_unsync())
}

/// Authenticates the caller and builds the request for the S3 API.
fn admit(
    pipeline: &Pipeline,
    (mut parts, body): (Parts, RequestBody),
    peer: PeerInfo,
    noted: &Arc<SharedDenial>,
) -> Result<AdmittedRequest, RejectedRequest> {
    let mut facts = facts(pipeline, &parts, peer);
    let host = host_bucket(&parts.headers).map(str::to_owned);
    let v2 = PresentedV2::parse(&parts, facts.now, host.as_deref());
    if let Some(presented) = v2.map_err(|fault| refused(&fault))? {
        return by_v2(pipeline, (parts, body), (&presented, facts), noted);
    }
    let rules = ServiceRules {
        dialect: SigningDialect::S3,
        service: "s3",
        home_region: HOME_REGION,
    };
    let presented = match PresentedSignature::parse(&parts, facts.now, &rules) {
        Ok(presented) => presented,
        Err(SignatureFault::Missing) => return anonymous(pipeline, (parts, body), facts, noted),
        Err(fault) => return Err(refused(&fault)),
    };
    let authenticated = authenticate(pipeline, &parts, &presented, &facts)?;
    protect(&parts, &authenticated.caller, ConnectionUse::Transfer);
    drop_unsigned(&mut parts.headers, &presented);
    let signature = SignatureConditions::of(&presented, facts.now);
    let scope = presented.scope();
    scope.region().clone_into(&mut facts.region);
    let region = facts.region.clone();
    if matches!(presented.mode(), SigningMode::Presigned { .. }) {
        unfold(&mut parts, PresignVersion::V4)?;
    }
    let body = body.map_err(body_error);
    let (body, trailers) = match &authenticated.signing_key {
        Some(key) => {
            let proof = (authenticated.caller.proof(), key);
            let checked = CheckedBody::signed(body, proof, presented, &parts.headers);
            checked.map_err(|fault| refused(&fault))?
        }
        None => (CheckedBody::unsigned(body), None),
    };
    let owner = WorkOwner::of(&authenticated.caller);
    let account = authenticated.caller.account();
    let identity = Some(authenticated.caller.arn().to_string());
    let decider = CallerAuthorizer {
        identity: Arc::clone(&pipeline.identity),
        caller: Some(authenticated.caller),
        facts,
        signature: Some(signature),
        noted: Arc::clone(noted),
        operation: operation_name(&parts),
        budget: StepBudget::default(),
    };
    parts.extensions.insert(s3::S3Caller {
        account: Some(account),
        identity,
        region: Some(region),
        version2: false,
        authorize: Arc::new(decider),
        trailers,
    });
    path_style(&mut parts)?;
    Ok((Request::from_parts(parts, body.boxed_unsync()), owner))
}

/// Admits a URL signed with Signature Version 2, which names no region and covers no body.
fn by_v2(
    pipeline: &Pipeline,
    (mut parts, body): (Parts, RequestBody),
    (presented, mut facts): (&PresentedV2, RequestContext),
    noted: &Arc<SharedDenial>,
) -> Result<AdmittedRequest, RejectedRequest> {
    let proven = pipeline
        .identity
        .authenticator()
        .authenticate_v2(presented, facts.now);
    let authenticated = proven.map_err(|refusal| {
        note(
            &pipeline.identity,
            &refusal,
            &operation_name(&parts),
            &facts,
        );
        refused(&refusal.fault)
    })?;
    protect(&parts, &authenticated.caller, ConnectionUse::Transfer);
    HOME_REGION.clone_into(&mut facts.region);
    if parts
        .headers
        .get("x-amz-content-sha256")
        .is_some_and(|hash| hash != UNSIGNED)
    {
        // Such a hash would be signed here, but nothing verifies the body against it.
        let fault = keywright_objects::S3Fault::HeaderNotServed("x-amz-content-sha256");
        return Err(Box::new(WireError::from(&fault)));
    }
    unfold(&mut parts, PresignVersion::V2)?;
    let owner = WorkOwner::of(&authenticated.caller);
    let account = authenticated.caller.account();
    let identity = Some(authenticated.caller.arn().to_string());
    let decider = CallerAuthorizer {
        identity: Arc::clone(&pipeline.identity),
        caller: Some(authenticated.caller),
        facts,
        signature: Some(SignatureConditions::of_v2()),
        noted: Arc::clone(noted),
        operation: operation_name(&parts),
        budget: StepBudget::default(),
    };
    parts.extensions.insert(s3::S3Caller {
        account: Some(account),
        identity,
        region: None,
        version2: true,
        authorize: Arc::new(decider),
        trailers: None,
    });
    path_style(&mut parts)?;
    let body = CheckedBody::unsigned(body.map_err(body_error)).boxed_unsync();
    Ok((Request::from_parts(parts, body), owner))
}

fn authenticate(
    pipeline: &Pipeline,
    parts: &Parts,
    presented: &PresentedSignature,
    facts: &RequestContext,
) -> Result<AuthenticatedCaller, RejectedRequest> {
    let signed = SignedRequest {
        parts,
        presented,
        payload: PayloadHash::Declared,
        now: facts.now,
        key_use: KeyUse::Work,
    };
    let authenticated = pipeline.identity.authenticator().authenticate(signed);
    authenticated.map_err(|refusal| {
        pipeline.note(&refusal, &operation_name(parts), facts);
        refused(&refusal.fault)
    })
}

/// Rejects a body that is framed as if a signature covered it.
fn check_uncovered(headers: &HeaderMap) -> Result<(), RejectedRequest> {
    let framed = headers.get("x-amz-content-sha256");
    if framed.is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-")) {
        let fault = keywright_objects::S3Fault::HeaderNotServed("x-amz-content-sha256");
        return Err(Box::new(WireError::from(&fault)));
    }
    Ok(())
}

/// Admits a request without credentials. Its body is not signed and must not claim to be.
fn anonymous(
    pipeline: &Pipeline,
    (mut parts, body): (Parts, RequestBody),
    facts: RequestContext,
    noted: &Arc<SharedDenial>,
) -> Result<AdmittedRequest, RejectedRequest> {
    check_uncovered(&parts.headers)?;
    let owner = WorkOwner::address(facts.source_address);
    let decider = CallerAuthorizer {
        identity: Arc::clone(&pipeline.identity),
        caller: None,
        facts,
        signature: None,
        noted: Arc::clone(noted),
        operation: String::new(),
        budget: StepBudget::default(),
    };
    parts.extensions.insert(s3::S3Caller {
        account: None,
        identity: None,
        region: None,
        version2: false,
        authorize: Arc::new(decider),
        trailers: None,
    });
    path_style(&mut parts)?;
    let body = CheckedBody::unsigned(body.map_err(body_error)).boxed_unsync();
    Ok((Request::from_parts(parts, body), owner))
}

/// The operation's name as in S3's access log, as far as it is known before the request is parsed.
fn operation_name(parts: &Parts) -> String {
    let path = parts.uri.path().trim_start_matches('/');
    let kind = match path.split_once('/') {
        None if path.is_empty() => "SERVICE",
        None | Some((_, "")) => "BUCKET",
        Some(_) => "OBJECT",
    };
    format!("s3:REST.{}.{kind}", parts.method)
}

/// Moves a bucket from the host name into the path. Clients with a host name as endpoint send
/// `BUCKET.localhost`, and S3 Control sends `ACCOUNT.localhost`.
fn path_style(parts: &mut Parts) -> Result<(), RejectedRequest> {
    let bucket = host_bucket(&parts.headers);
    if is_control(&parts.headers, parts.uri.path(), bucket) {
        parts.extensions.insert(ControlRequest);
        return Ok(());
    }
    let Some(bucket) = bucket else {
        return Ok(());
    };
    let (path, query) = (parts.uri.path(), parts.uri.query());
    let mark = if query.is_some() { "?" } else { "" };
    let moved = format!("/{bucket}{path}{mark}{}", query.unwrap_or_default());
    let unfit = |_| {
        let fault = keywright_objects::S3Fault::InvalidBucketName(bucket.to_owned());
        Box::new(WireError::from(&fault))
    };
    parts.uri = moved.parse::<Uri>().map_err(unfit)?;
    Ok(())
}

/// The bucket in the host name.
fn host_bucket(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get("host")?.to_str().ok()?;
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    name.strip_suffix(".localhost")
}

/// The two IDs of an S3 response.
fn ids(entropy: &dyn Entropy) -> ResponseIds {
    const LETTERS: &[u8; 32] = b"ABCDEFGHJKMNPQRSTVWXYZ0123456789";
    let mut bytes = [0; 16 + 48];
    entropy.fill(&mut bytes);
    let (request, host) = bytes.split_at(16);
    let letter = |byte: &u8| LETTERS.get(usize::from(byte % 32)).copied();
    let request_id = request.iter().filter_map(letter).map(char::from).collect();
    ResponseIds {
        request_id,
        host_id: BASE64_STANDARD.encode(host),
    }
}

/// `x-amz-content-sha256` of a body that the signature does not cover.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

impl SignatureConditions {
    /// The condition keys of the signature.
    const KEYS: [&str; 4] = [
        "s3:authtype",
        "s3:signatureversion",
        "s3:signatureage",
        "s3:x-amz-content-sha256",
    ];

    /// A URL signed with Signature Version 2 has no age and covers no body.
    const fn of_v2() -> Self {
        Self {
            version: "AWS",
            kind: "REST-QUERY-STRING",
            age_millis: None,
            content: None,
        }
    }

    fn of(presented: &PresentedSignature, now: Timestamp) -> Self {
        let age = now.millis() - presented.date().millis();
        let (kind, age_millis) = match presented.mode() {
            SigningMode::Header => ("REST-HEADER", None),
            SigningMode::Presigned { .. } => ("REST-QUERY-STRING", Some(age.max(0))),
        };
        Self {
            version: "AWS4-HMAC-SHA256",
            kind,
            age_millis,
            // The verified value, however the URL spells it: a presigned request that declares no
            // hash is signed as if it declared an unsigned payload.
            content: presented.payload().declared(),
        }
    }

    fn key(&self, key: &str) -> ContextValues<'_> {
        let one = |value: Cow<'static, str>| ContextValues::One(value);
        match key {
            "s3:authtype" => one(self.kind.into()),
            "s3:signatureversion" => one(self.version.into()),
            "s3:signatureage" => self
                .age_millis
                .map_or(ContextValues::Absent, |age| one(age.to_string().into())),
            "s3:x-amz-content-sha256" => match &self.content {
                Some(content) => ContextValues::One(content.as_str().into()),
                None => ContextValues::Absent,
            },
            _ => ContextValues::Absent,
        }
    }
}

/// The condition keys of one authorization question.
struct S3Conditions<'a> {
    decider: &'a CallerAuthorizer,
    account: Option<&'a keywright_identity::state::Account>,
    resource: &'a S3Resource<'a>,
    s3: &'a S3Context,
}

impl keywright_policy::ContextLookup for S3Conditions<'_> {
    fn get(&self, key: &str) -> ContextValues<'_> {
        if let Some(found) = s3_values(self.s3, key) {
            return found;
        }
        if key.eq_ignore_ascii_case("aws:resourceaccount") {
            let owner = self.resource.owner.map(|owner| owner.to_string());
            return owner.map_or(ContextValues::Absent, |owner| {
                ContextValues::One(owner.into())
            });
        }
        if key == "s3:tlsversion" {
            return ContextValues::optional(self.decider.noted.tls_version);
        }
        if key.starts_with("s3:") {
            let signature = self.decider.signature.as_ref();
            return signature.map_or(ContextValues::Absent, |signature| signature.key(key));
        }
        let caller = self.decider.caller.as_ref().zip(self.account);
        authorize::common(caller, &self.decider.facts, key)
    }
}

/// The values of a key that only S3 knows. A tag key may occur several times, in different
/// spellings.
fn s3_values<'a>(known: &'a S3Context, key: &str) -> Option<ContextValues<'a>> {
    let known = known.keys.iter();
    let same: Vec<_> = known.filter(|(name, _)| is_key(name, key)).collect();
    let values = || {
        same.iter()
            .flat_map(|(_, values)| values.iter().map(String::as_str))
    };
    Some(match same.as_slice() {
        [] => return None,
        all if is_list_key(key) || all.iter().any(|(_, values)| values.len() != 1) => {
            ContextValues::many(values())
        }
        _ if values().all(|value| Some(value) == values().next()) => {
            ContextValues::optional(values().next())
        }
        _ => ContextValues::Ambiguous(values().map(Cow::Borrowed).collect()),
    })
}

impl S3Conditions<'_> {
    /// The S3 condition keys that may have a value.
    fn names(&self) -> Vec<String> {
        let own = self.s3.keys.iter().map(|(name, _)| name.clone());
        let signature = SignatureConditions::KEYS.map(str::to_owned);
        let tls = "s3:tlsversion".to_owned();
        own.chain(signature).chain([tls]).collect()
    }
}

impl S3Authorizer for CallerAuthorizer {
    fn check_caller(&self) -> Result<(), Box<WireError>> {
        let Some(caller) = &self.caller else {
            return Ok(());
        };
        let cell = self.identity.ledger().account(caller.account());
        let account = cell.map(|cell| cell.snapshot().clone());
        let unknown = || SignatureFault::UnknownKey {
            access_key_id: caller.key().to_string(),
        };
        let account = account.ok_or_else(|| refused(&unknown()))?;
        let authenticator = self.identity.authenticator();
        let checked = authenticator.check_again(&account, caller, self.facts.now);
        checked.map_err(|refusal| {
            note(&self.identity, &refusal, &self.operation, &self.facts);
            refused(&refusal.fault)
        })
    }

    fn check(
        &self,
        action: &str,
        resource: &S3Resource<'_>,
        context: &S3Context,
    ) -> Result<(), S3Denial> {
        let question = BudgetQuestion {
            action,
            resource,
            context,
        };
        let account = self.account()?;
        let left = self.budget.left();
        let decided = self.decide(account.as_deref(), question, left);
        if decided.outcome.is_ok() {
            self.budget.remember(account, question, decided.steps);
        }
        self.with_message(question, decided.outcome)
    }

    fn check_shortly(
        &self,
        action: &str,
        resource: &S3Resource<'_>,
        context: &S3Context,
    ) -> Option<Result<(), S3Denial>> {
        let question = BudgetQuestion {
            action,
            resource,
            context,
        };
        let account = match self.account() {
            Ok(account) => account,
            Err(denial) => return Some(Err(denial)),
        };
        if self.budget.has_allowed(account.as_ref(), question) {
            return Some(Ok(()));
        }
        let steps_max = self.budget.left_shortly();
        if steps_max == 0 {
            return None;
        }
        let decided = self.decide(account.as_deref(), question, steps_max);
        self.budget.take_shortly(decided.steps);
        (!decided.cut_short).then(|| self.with_message(question, decided.outcome))
    }

    fn run_beside(&self, work: s3::CpuWork) -> s3::WorkFuture<'_> {
        let (caller, address) = (self.caller.as_ref(), self.facts.source_address);
        Box::pin(async move {
            let done = self.identity.run_beside(caller, address, work).await;
            done.map_err(|_| CallerBusy)
        })
    }

    fn refuse(&self, action: &str, resource: &S3Resource<'_>, why: &str) -> S3Denial {
        match &self.caller {
            Some(caller) if resource.owner == Some(caller.account()) => {
                denial(caller, action, resource.arn, why)
            }
            _ => plain(),
        }
    }

    fn principal_to_stored_id(&self, principal: &str) -> Option<String> {
        PrincipalLookup::new(self.identity.ledger()).to_stored(principal)
    }

    fn stored_id_to_arn(&self, retained: &str) -> Option<String> {
        stored_id_to_arn(&self.identity, retained)
    }
}

fn plain() -> S3Denial {
    S3Denial {
        message: "Access Denied".to_owned(),
    }
}

/// The ARN of the user or role that a policy stores under this ID.
pub(crate) fn stored_id_to_arn(identity: &Identity, retained: &str) -> Option<String> {
    PrincipalLookup::new(identity.ledger()).stored_to_arn(retained)
}

impl CallerAuthorizer {
    /// The caller's account in its current state.
    fn account(&self) -> Result<Option<Arc<Account>>, S3Denial> {
        let Some(caller) = &self.caller else {
            return Ok(None);
        };
        let cell = self.identity.ledger().account(caller.account());
        Ok(Some(cell.ok_or_else(plain)?.snapshot().clone()))
    }

    /// Decides within `left` steps and deducts the steps from the request's budget.
    fn decide(
        &self,
        account: Option<&Account>,
        question: BudgetQuestion<'_>,
        left: u64,
    ) -> MeasuredOutcome {
        let BudgetQuestion {
            action,
            resource,
            context,
        } = question;
        let conditions = S3Conditions {
            decider: self,
            account,
            resource,
            s3: context,
        };
        let foreign = ForeignResource {
            arn: resource.arn,
            owner: resource.owner,
            policy: resource.policy,
        };
        let caller = self.caller.as_ref().zip(account);
        // Only the first denial of a request is recorded.
        let first = self.noted.denial.get().is_none();
        let names = first.then_some(|| conditions.names());
        let steps_max = left.min(limits::DECISION_STEPS);
        let decided = authorize::decide(caller, action, &foreign, &conditions, steps_max, names);
        self.budget.take(decided.steps);
        decided
    }

    /// The outcome with S3's message.
    fn with_message(
        &self,
        question: BudgetQuestion<'_>,
        outcome: Result<(), authorize::AccessDenied>,
    ) -> Result<(), S3Denial> {
        outcome.map_err(|denied| {
            let denial = match &self.caller {
                Some(caller) if !denied.why.is_empty() => {
                    denial(caller, question.action, question.resource.arn, &denied.why)
                }
                _ => plain(),
            };
            self.note(denied, &denial.message);
            denial
        })
    }

    /// Keeps the first denial.
    fn note(&self, denied: authorize::AccessDenied, message: &str) {
        if let Some(evidence) = denied.evidence {
            self.noted.denial.get_or_init(|| DeniedRequest {
                request_id: self.noted.request_id.clone(),
                at: self.facts.now,
                source_address: self.facts.source_address,
                message: message.to_owned(),
                evidence: *evidence,
            });
        }
    }
}

/// S3's message for a denial. An action on the whole account names no resource.
fn denial(caller: &Caller, action: &str, resource: &str, why: &str) -> S3Denial {
    let arn = caller.arn();
    let on = match resource {
        "*" => String::new(),
        arn => format!(" on resource: \"{arn}\""),
    };
    S3Denial {
        message: format!("User: {arn} is not authorized to perform: {action}{on} {why}"),
    }
}

#[cfg(test)]
mod tests;
