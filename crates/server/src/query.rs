//! IAM, STS and the extension: forms in, XML out. Organizations: JSON in and out.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use keywright_base::{ErrorCode, WireError, limits};
use keywright_identity::{
    IamFault, Identity,
    action::{ActionCall, Answer, UnsignedCall},
    actions::ServedOperation,
    authenticate::{AuthenticatedCaller, KeyUse, SignedRequest},
    event::{EventDraft, EventOperation, RequestOutcome, RequestRecord},
    work::WorkOwner,
};
use keywright_s3::NoMemory;
use keywright_sigv4::{PayloadHash, PresentedSignature, ServiceRules, SigningDialect};
use keywright_wire::{Form, MalformedForm, Protocol, Service, error_answer};

use crate::{
    ResponseBody,
    edge::{BodyFault, ConnectionUse, GatherFault, RequestBody, gather},
    full,
    request::{HOME_REGION, IDEMPOTENCY_HEADER, PeerInfo, admit},
    services::Services,
};

/// A request for one of the services whose requests are parameters, without its body.
pub(crate) struct QueryRequest<'a> {
    /// The service of the credential scope, if it is one of them.
    pub claimed: Option<Service>,
    pub parts: Parts,
    pub event: &'a EventDraft<'a>,
}

/// The signature that a head presents to a service.
///
/// # Errors
/// The reason why the request cannot be authentic, whatever its body.
fn presented_to(
    service: Service,
    request: &QueryRequest<'_>,
) -> Result<PresentedSignature, keywright_sigv4::SignatureFault> {
    let rules = ServiceRules {
        dialect: SigningDialect::Query,
        service: service.scope_name(),
        home_region: HOME_REGION,
    };
    PresentedSignature::parse(&request.parts, request.event.record().context.now, &rules)
}

/// Answers a client's request. A request that cannot be authentic is rejected before its body is
/// read, except that a small body may be read to find the service if the head does not name it.
pub(crate) async fn receive(
    services: &Services,
    request: QueryRequest<'_>,
    body: RequestBody,
) -> Response<ResponseBody> {
    let (claimed, event) = (request.claimed, request.event);
    let service = claimed.unwrap_or(Service::Iam);
    let small = (body.announced()).is_some_and(|bytes| bytes <= limits::BODY_BYTES_FREE as u64);
    let mut presented = None;
    if claimed.is_some() || !small {
        match check_head(services, service, &request, small) {
            Ok(read) => presented = claimed.map(|_| read),
            Err(error) => return error_response(service, &error, event.record()),
        }
    }
    match gather(body, limits::QUERY_BODY_BYTES, &services.bodies).await {
        Ok(body) => answer_read(services, request, presented, &body.bytes).await,
        Err(fault) => error_response(service, &not_gathered(&fault), event.record()),
    }
}

/// Reads the signature of a request whose body has not been read yet. Rejects a key or token that
/// is completely unknown here, so that no large body is read for it.
fn check_head(
    services: &Services,
    service: Service,
    request: &QueryRequest<'_>,
    small: bool,
) -> Result<PresentedSignature, WireError> {
    let presented = presented_to(service, request).map_err(|fault| refused(service, &fault))?;
    if !small {
        let authenticator = services.identity.authenticator();
        let recognized = authenticator.recognize(&presented, request.event.record().context.now);
        recognized.map_err(|fault| refused(service, &fault))?;
    }
    Ok(presented)
}

fn not_gathered(fault: &GatherFault) -> WireError {
    match fault {
        GatherFault::TooLarge => WireError::new(
            413,
            "RequestEntityTooLarge",
            "The request body is too large",
        ),
        GatherFault::NoMemory => throttled(),
        GatherFault::Body(BodyFault::Slow) => WireError::new(
            408,
            "RequestTimeout",
            "The request body did not arrive in time.",
        ),
        GatherFault::Body(BodyFault::Broken(_)) => WireError::new(
            400,
            "MalformedInput",
            "The request body ended early or is not framed correctly.",
        ),
    }
}

fn throttled() -> WireError {
    WireError::new(400, "Throttling", "Rate exceeded")
}

/// A form and the hash of its text for the signature.
pub(crate) struct ReadForm {
    form: Result<Form, MalformedForm>,
    payload: PayloadHash,
}

impl ReadForm {
    fn of(reading: &FormReading, body: &[u8]) -> Self {
        let form = match reading {
            FormReading::Query(query) => Form::parse(query),
            FormReading::Body => Form::parse(body),
            FormReading::Json(target) => Form::parse_json(target.as_deref(), body),
        };
        Self {
            form,
            payload: PayloadHash::of(body),
        }
    }

    /// Reads the form of a request. A long form is read when it is the client's turn.
    async fn read(
        services: &Services,
        request: &QueryRequest<'_>,
        body: &[u8],
    ) -> Result<Self, WireError> {
        let reading = FormReading::of(request);
        if body.len() <= limits::BODY_BYTES_FREE {
            return Ok(Self::of(&reading, body));
        }
        let read = move |body: &[u8]| Self::of(&reading, body);
        let address = request.event.record().context.source_address;
        let reading = services.identity.read_beside(address, body, read);
        let service = request.claimed.unwrap_or(Service::Iam);
        reading.await.map_err(|fault| fault.wire_of(service))
    }
}

/// Where the parameters of a request are, and how they are written.
enum FormReading {
    /// In the query string.
    Query(Vec<u8>),
    /// In the body, as a form.
    Body,
    /// In the body, as JSON, with the operation in this header.
    Json(Option<String>),
}

/// The header that names the operation of a JSON request.
pub(crate) const TARGET: &str = "x-amz-target";

impl FormReading {
    fn of(request: &QueryRequest<'_>) -> Self {
        let parts = &request.parts;
        let protocol = request.claimed.map(Service::protocol);
        if protocol == Some(Protocol::Json) {
            let target = parts.headers.get(TARGET);
            let target = target.and_then(|target| target.to_str().ok());
            return Self::Json(target.map(str::to_owned));
        }
        if parts.method == Method::GET {
            let query = parts.uri.query().unwrap_or_default();
            return Self::Query(query.as_bytes().to_vec());
        }
        Self::Body
    }
}

/// Answers a request with this body.
pub(crate) async fn answer(
    services: &Services,
    request: QueryRequest<'_>,
    body: &[u8],
) -> Response<ResponseBody> {
    answer_read(services, request, None, body).await
}

/// Answers a request whose signature may already have been read.
async fn answer_read(
    services: &Services,
    request: QueryRequest<'_>,
    presented: Option<PresentedSignature>,
    body: &[u8],
) -> Response<ResponseBody> {
    let (claimed, event) = (request.claimed, request.event);
    let (service, outcome) = match ReadForm::read(services, &request, body).await {
        Ok(read) => {
            let service = claimed.unwrap_or_else(|| service_of(&read.form));
            let call = AdmittedQuery {
                service,
                request,
                presented,
                read,
            };
            (service, run(services, call).await)
        }
        Err(error) => (claimed.unwrap_or(Service::Iam), Err(error)),
    };
    match outcome {
        Ok(text) => response(service, StatusCode::OK, text, &event.record().request_id),
        Err(error) => error_response(service, &error, event.record()),
    }
}

/// The response for a request that is not signed in a header, where that is required.
pub(crate) fn not_admitted(service: Service, record: &RequestRecord) -> Response<ResponseBody> {
    let error = refused(service, &keywright_sigv4::SignatureFault::Missing);
    error_response(service, &error, record)
}

/// The service according to the API version, for a request whose credential scope does not name
/// one.
fn service_of(form: &Result<Form, MalformedForm>) -> Service {
    let version = form.as_ref().ok().and_then(Form::version);
    match version {
        Some(version) if version == Service::Sts.version() => Service::Sts,
        _ => Service::Iam,
    }
}

/// Runs a request from inside this process, emits its event, and returns the body of its response.
///
/// # Errors
/// The error for the client.
pub(crate) async fn carry_out(
    services: &Services,
    service: Service,
    (parts, client): (Parts, PeerInfo),
    body: &[u8],
) -> Result<Bytes, WireError> {
    let event = services.begin(&parts.headers, client, services.ids.uuid());
    let request = QueryRequest {
        claimed: Some(service),
        parts,
        event: &event,
    };
    let outcome = match ReadForm::read(services, &request, body).await {
        Ok(read) => {
            let call = AdmittedQuery {
                service,
                request,
                presented: None,
                read,
            };
            run(services, call).await
        }
        Err(error) => Err(error),
    };
    event.complete(match &outcome {
        Ok(_) => RequestOutcome::Succeeded,
        Err(error) => RequestOutcome::Failed {
            status: error.status,
            code: error.code.clone(),
        },
    });
    outcome
}

/// A request whose form was read.
struct AdmittedQuery<'a> {
    service: Service,
    request: QueryRequest<'a>,
    /// `None` if the signature has not been read yet.
    presented: Option<PresentedSignature>,
    read: ReadForm,
}

async fn run(services: &Services, call: AdmittedQuery<'_>) -> Result<Bytes, WireError> {
    let AdmittedQuery {
        service,
        request,
        presented,
        read,
    } = call;
    let record = request.event.record();
    let served = named_operation(service, &read.form, record);
    let presented = presented.map_or_else(|| presented_to(service, &request), Ok);
    let presented = match presented {
        Ok(presented) => presented,
        Err(fault) => {
            return unsigned(services, (service, &read.form), &fault, request.event).await;
        }
    };
    let authenticated = authenticate(services, &request, &presented, &read)?;
    let (token, unfit) = match idempotency_token(&request.parts, &presented) {
        Ok(token) => (token, None),
        Err(error) => (None, Some(error)),
    };
    let connection = (&request.parts, ConnectionUse::Call);
    admit(connection, request.event, authenticated, token);
    let form = read
        .form
        .map_err(|malformed| IamFault::MalformedInput(malformed.to_string()).wire_of(service))?;
    let failed = |fault: IamFault| failed(service, &fault, record);
    let call = ActionCall::new(record, &form).map_err(failed)?;
    if service == Service::Iam && !call.caller().may_call_iam() {
        let access_key_id = call.caller().key().to_string();
        let fault = keywright_sigv4::SignatureFault::UnknownKey { access_key_id };
        return Err(refused(service, &fault));
    }
    if let Some(error) = unfit {
        return Err(error);
    }
    let answer = match served {
        Ok(operation) => services.identity.call(operation, call).await,
        Err(fault) => Err(fault),
    };
    let answer = answer.map_err(failed)?;
    held(services, WorkOwner::of(call.caller()), answer)
}

/// The operation that a form names, which the request's event names too.
fn named_operation(
    service: Service,
    form: &Result<Form, MalformedForm>,
    record: &RequestRecord,
) -> Result<ServedOperation, IamFault> {
    let form = form.as_ref().map_err(|_| IamFault::MissingAction)?;
    let served = Identity::served(service, form);
    record.note_operation(match &served {
        Ok(operation) => (*operation).into(),
        Err(_) => EventOperation::claimed(service, form),
    });
    served
}

/// Authenticates the caller.
fn authenticate(
    services: &Services,
    request: &QueryRequest<'_>,
    presented: &PresentedSignature,
    read: &ReadForm,
) -> Result<AuthenticatedCaller, WireError> {
    let signed = SignedRequest {
        parts: &request.parts,
        presented,
        payload: read.payload,
        now: request.event.record().context.now,
        key_use: key_use(&request.parts, &read.form),
    };
    let authenticated = services.identity.authenticator().authenticate(signed);
    authenticated.map_err(|failure| {
        request.event.reject(&failure);
        refused(request.claimed.unwrap_or(Service::Iam), &failure.fault)
    })
}

/// Charges the response to the memory budget for responses that clients have not read yet.
fn held(services: &Services, owner: WorkOwner, answer: Answer) -> Result<Bytes, WireError> {
    let Answer { xml, changed } = answer;
    if changed {
        return Ok(services.answers.hold_always(owner, xml.into()));
    }
    let held = services.answers.hold(owner, xml.into());
    held.map_err(|NoMemory| throttled())
}

/// Runs a request without any signature. Only the operations that the models mark as unsigned are
/// allowed.
async fn unsigned(
    services: &Services,
    (service, form): (Service, &Result<Form, MalformedForm>),
    fault: &keywright_sigv4::SignatureFault,
    event: &EventDraft<'_>,
) -> Result<Bytes, WireError> {
    let form = form.as_ref().ok();
    let found = form.and_then(|form| Some((form, Identity::unsigned(service, form)?)));
    let (keywright_sigv4::SignatureFault::Missing, Some((form, operation))) = (fault, found) else {
        return Err(refused(service, fault));
    };
    event.admit_unsigned(HOME_REGION);
    let record = event.record();
    let call = UnsignedCall { record, form };
    let answer = services.identity.call_unsigned(operation, call).await;
    let xml = answer.map_err(|fault| failed(service, &fault, record))?;
    Ok(xml.into())
}

/// Marks a request of the server's own rotation engine. No request from a socket passes the code
/// that adds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineRequest;

fn key_use(parts: &Parts, form: &Result<Form, MalformedForm>) -> KeyUse {
    let action = form.as_ref().ok().and_then(Form::action);
    match parts.extensions.get::<EngineRequest>() {
        Some(EngineRequest) => KeyUse::Verification,
        None if action == Some("GetCallerIdentity") => KeyUse::Check,
        None => KeyUse::Work,
    }
}

/// The idempotency token. It must be signed, otherwise a man in the middle could replace it.
fn idempotency_token(
    parts: &Parts,
    presented: &PresentedSignature,
) -> Result<Option<String>, WireError> {
    let Some(value) = parts.headers.get(IDEMPOTENCY_HEADER) else {
        return Ok(None);
    };
    let signed = presented
        .signed_headers()
        .split(';')
        .any(|name| name == IDEMPOTENCY_HEADER);
    match value.to_str() {
        Ok(token) if signed => Ok(Some(token.to_owned())),
        _ => Err(WireError::new(
            400,
            "ValidationError",
            format!("The header {IDEMPOTENCY_HEADER} must be signed and printable ASCII"),
        )),
    }
}

fn refused(service: Service, fault: &keywright_sigv4::SignatureFault) -> WireError {
    match service.protocol() {
        Protocol::Query => fault.wire(SigningDialect::Query),
        Protocol::Json => fault.json_wire(),
    }
}

fn failed(service: Service, fault: &IamFault, record: &RequestRecord) -> WireError {
    if let IamFault::Internal(why) = fault {
        let source = record.context.source_address;
        tracing::error!(%why, %source, "a request failed");
    }
    fault.wire_of(service)
}

fn error_response(
    service: Service,
    error: &WireError,
    record: &RequestRecord,
) -> Response<ResponseBody> {
    let text = error_answer(service, error, &record.request_id);
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = response(service, status, text.into(), &record.request_id);
    if service.protocol() == Protocol::Json
        && let Ok(code) = HeaderValue::from_str(&error.code)
    {
        response.headers_mut().insert(ERROR_TYPE, code);
    }
    response.extensions_mut().insert(ErrorCode::from(error));
    response
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

fn response(
    service: Service,
    status: StatusCode,
    text: Bytes,
    request_id: &str,
) -> Response<ResponseBody> {
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let kind = match service.protocol() {
        Protocol::Query => "text/xml",
        Protocol::Json => "application/x-amz-json-1.1",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // A rotation repeats a request only if this header shows that repeating it is safe.
    headers.insert(header::SERVER, HeaderValue::from_static("Keywright"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}
