//! IAM, STS and the extension: forms in, XML out.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use keywright_base::limits;
use keywright_identity::{
    IamFault, Identity,
    action::{ActionCall, Answer},
    authenticate::{KeyUse, SignedRequest},
    fault::WireError,
    view::RequestContext,
    work::WorkOwner,
};
use keywright_s3::NoMemory;
use keywright_sigv4::{PayloadHash, PresentedSignature, ServiceRules, SigningDialect};
use keywright_wire::{ErrorKind, Form, MalformedForm, Service, error_answer};

use crate::{
    ResponseBody,
    edge::{BodyFault, ConnectionUse, GatherFault, RequestBody, gather},
    full,
    pipeline::{HOME_REGION, IDEMPOTENCY_HEADER, PeerInfo, Pipeline, facts, protect},
};

/// A request for one of the services that speak awsQuery.
pub(crate) struct QueryRequest<'a> {
    /// The service of the credential scope, if it speaks awsQuery.
    pub claimed: Option<Service>,
    pub parts: &'a Parts,
    pub body: &'a [u8],
    pub peer: PeerInfo,
    pub request_id: &'a str,
}

/// The head of a request, checked as far as that is possible without its body.
pub(crate) struct QueryHead {
    service: Service,
    facts: RequestContext,
    presented: PresentedSignature,
}

impl QueryHead {
    /// Reads the head of a request.
    ///
    /// # Errors
    /// The reason why the request cannot be authentic, whatever its body.
    fn read(
        pipeline: &Pipeline,
        service: Service,
        (parts, peer): (&Parts, PeerInfo),
    ) -> Result<Self, keywright_sigv4::SignatureFault> {
        let facts = facts(pipeline, parts, peer);
        let rules = ServiceRules {
            dialect: SigningDialect::Query,
            service: service.scope_name(),
            home_region: HOME_REGION,
        };
        let presented = PresentedSignature::parse(parts, facts.now, &rules)?;
        Ok(Self {
            service,
            facts,
            presented,
        })
    }
}

/// Answers a client's request. A request that cannot be authentic is rejected before its body is
/// read, except that a small body may be read to find the service if the head does not name it.
pub(crate) async fn receive(
    pipeline: &Pipeline,
    claimed: Option<Service>,
    request: Request<RequestBody>,
    peer: PeerInfo,
) -> Response<ResponseBody> {
    let id = pipeline.request_id();
    let (parts, body) = request.into_parts();
    let small = (body.announced()).is_some_and(|bytes| bytes <= limits::BODY_BYTES_FREE as u64);
    let mut head = None;
    if claimed.is_some() || !small {
        let service = claimed.unwrap_or(Service::Iam);
        let read = QueryHead::read(pipeline, service, (&parts, peer));
        let read = read.map_err(|fault| refused(&fault));
        let known = read.and_then(|read| {
            if !small {
                recognize(pipeline, &read)?;
            }
            Ok(read)
        });
        match known {
            Ok(known) => head = claimed.map(|_| known),
            Err(error) => return error_response(service, &error, &id),
        }
    }
    match gather(body, limits::QUERY_BODY_BYTES, &pipeline.bodies).await {
        Ok(body) => {
            let request = QueryRequest {
                claimed,
                parts: &parts,
                body: &body.bytes,
                peer,
                request_id: &id,
            };
            answer(pipeline, head, request).await
        }
        Err(fault) => {
            let service = claimed.unwrap_or(Service::Iam);
            error_response(service, &not_gathered(&fault), &id)
        }
    }
}

/// Rejects a key or token that is completely unknown here, so that no large body is read for it.
fn recognize(pipeline: &Pipeline, head: &QueryHead) -> Result<(), WireError> {
    let authenticator = pipeline.identity.authenticator();
    let recognized = authenticator.recognize(&head.presented, head.facts.now);
    recognized.map_err(|fault| refused(&fault))
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
    fn of(method: &Method, query: &[u8], body: &[u8]) -> Self {
        Self {
            form: Form::parse(if *method == Method::GET { query } else { body }),
            payload: PayloadHash::of(body),
        }
    }

    /// Reads the form of a request. A long form is read when it is the client's turn.
    async fn read(pipeline: &Pipeline, request: &QueryRequest<'_>) -> Result<Self, WireError> {
        let QueryRequest { parts, body, .. } = request;
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        if body.len() <= limits::BODY_BYTES_FREE {
            return Ok(Self::of(&parts.method, query, body));
        }
        let (method, query) = (parts.method.clone(), query.to_vec());
        let read = move |body: &[u8]| Self::of(&method, &query, body);
        let address = request.peer.address;
        let reading = pipeline.identity.read_beside(address, body, read);
        reading.await.map_err(|fault| fault.wire())
    }
}

/// Answers a request whose head may already have been read.
pub(crate) async fn answer(
    pipeline: &Pipeline,
    head: Option<QueryHead>,
    request: QueryRequest<'_>,
) -> Response<ResponseBody> {
    let id = request.request_id;
    let read = match ReadForm::read(pipeline, &request).await {
        Ok(read) => read,
        Err(error) => {
            return error_response(request.claimed.unwrap_or(Service::Iam), &error, id);
        }
    };
    let service = request.claimed.unwrap_or_else(|| service_of(&read.form));
    let outcome = match head {
        Some(head) => run(pipeline, (head, read), request).await,
        None => run_unread(pipeline, (service, read), request).await,
    };
    match outcome {
        Ok(xml) => xml_response(StatusCode::OK, xml, id),
        Err(error) => error_response(service, &error, id),
    }
}

/// The response for a request that is not signed in a header, where that is required.
pub(crate) fn not_admitted(service: Service, request_id: &str) -> Response<ResponseBody> {
    error_response(
        service,
        &refused(&keywright_sigv4::SignatureFault::Missing),
        request_id,
    )
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

/// Runs a request from inside this process and returns the XML of its response.
///
/// # Errors
/// The error for the client.
pub(crate) async fn carry_out(
    pipeline: &Pipeline,
    service: Service,
    request: QueryRequest<'_>,
) -> Result<Bytes, WireError> {
    let read = ReadForm::read(pipeline, &request).await?;
    run_unread(pipeline, (service, read), request).await
}

/// Runs a request whose head has not been read yet.
async fn run_unread(
    pipeline: &Pipeline,
    (service, read): (Service, ReadForm),
    request: QueryRequest<'_>,
) -> Result<Bytes, WireError> {
    let head = QueryHead::read(pipeline, service, (request.parts, request.peer));
    match head {
        Ok(head) => run(pipeline, (head, read), request).await,
        Err(fault) => {
            let facts = facts(pipeline, request.parts, request.peer);
            unsigned(pipeline, (service, &read.form), &fault, &facts)
        }
    }
}

async fn run(
    pipeline: &Pipeline,
    (head, read): (QueryHead, ReadForm),
    request: QueryRequest<'_>,
) -> Result<Bytes, WireError> {
    let ReadForm { form, payload } = read;
    let QueryHead {
        service,
        mut facts,
        presented,
    } = head;
    let signed = SignedRequest {
        parts: request.parts,
        presented: &presented,
        payload,
        now: facts.now,
        key_use: key_use(request.parts, &form),
    };
    let authenticated = pipeline.identity.authenticator().authenticate(signed);
    let authenticated = authenticated.map_err(|refusal| {
        let action = form
            .as_ref()
            .map(|form| Identity::action_name(service, form));
        pipeline.note(&refusal, action.as_deref().unwrap_or("?"), &facts);
        refused(&refusal.fault)
    })?;
    protect(request.parts, &authenticated.caller, ConnectionUse::Call);
    let form =
        form.map_err(|malformed| WireError::new(400, "MalformedInput", malformed.to_string()))?;
    let caller = &Arc::new(authenticated.caller);
    if service == Service::Iam && !caller.may_call_iam() {
        return Err(refused(&keywright_sigv4::SignatureFault::UnknownKey {
            access_key_id: caller.key().to_string(),
        }));
    }
    presented.scope().region().clone_into(&mut facts.region);
    facts.idempotency_token = idempotency_token(request.parts, &presented)?;
    let call = ActionCall {
        caller,
        facts: &facts,
        form: &form,
        request_id: request.request_id,
    };
    let answer = pipeline.identity.call(service, call).await;
    let answer = answer.map_err(|fault| failed(&fault, &facts))?;
    held(pipeline, WorkOwner::of(caller), answer)
}

/// Charges the response to the memory budget for responses that clients have not read yet.
fn held(pipeline: &Pipeline, owner: WorkOwner, answer: Answer) -> Result<Bytes, WireError> {
    let Answer { xml, changed } = answer;
    if changed {
        return Ok(pipeline.answers.hold_always(owner, xml.into()));
    }
    let held = pipeline.answers.hold(owner, xml.into());
    held.map_err(|NoMemory| throttled())
}

/// Runs a request without any signature. Only the operations that the models mark as unsigned are
/// allowed.
fn unsigned(
    pipeline: &Pipeline,
    (service, form): (Service, &Result<Form, MalformedForm>),
    fault: &keywright_sigv4::SignatureFault,
    facts: &RequestContext,
) -> Result<Bytes, WireError> {
    let form = form.as_ref().ok();
    let operation = form.and_then(|form| Identity::unsigned(service, form));
    match (fault, operation) {
        (keywright_sigv4::SignatureFault::Missing, Some(operation)) => {
            let answer = pipeline.identity.call_unsigned(operation);
            let answer = answer.map_err(|fault| failed(&fault, facts))?;
            Ok(answer.into())
        }
        _ => Err(refused(fault)),
    }
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

fn refused(fault: &keywright_sigv4::SignatureFault) -> WireError {
    let wire = fault.wire(SigningDialect::Query);
    WireError::new(wire.status, wire.code, wire.message)
}

fn failed(fault: &IamFault, facts: &RequestContext) -> WireError {
    if let IamFault::Internal(why) = fault {
        tracing::error!(%why, source = %facts.source_address, "a request failed");
    }
    fault.wire()
}

fn error_response(service: Service, error: &WireError, request_id: &str) -> Response<ResponseBody> {
    let kind = if error.status >= 500 {
        ErrorKind::Receiver
    } else {
        ErrorKind::Sender
    };
    let xml = error_answer(
        service,
        kind,
        error.code,
        error.message.as_deref(),
        request_id,
    );
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    xml_response(status, xml.into(), request_id)
}

fn xml_response(status: StatusCode, xml: Bytes, request_id: &str) -> Response<ResponseBody> {
    let mut response = Response::new(full(xml));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    // A rotation repeats a request only if this header shows that repeating it is safe.
    headers.insert(header::SERVER, HeaderValue::from_static("Keywright"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
