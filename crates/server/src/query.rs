//! IAM, STS and the extension: forms in, XML out.

use std::sync::Arc;

use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use keywright_identity::{
    Fault, Identity, action::Call, authenticate::Signed, fault::WireError, view::Facts,
};
use keywright_sigv4::{Dialect, PayloadHash, Presented, Rules};
use keywright_wire::{ErrorKind, Form, Malformed, Service, error_answer};

use crate::{
    Body, full,
    pipeline::{HOME_REGION, IDEMPOTENCY_HEADER, Peer, Pipeline, facts},
};

/// A request for one of the services that speak awsQuery.
pub(crate) struct QueryRequest<'a> {
    /// The service of the credential scope, if it is one that speaks awsQuery.
    pub claimed: Option<Service>,
    pub parts: &'a Parts,
    pub body: &'a [u8],
    pub peer: Peer,
    pub request_id: &'a str,
}

pub(crate) async fn answer(pipeline: &Pipeline, request: QueryRequest<'_>) -> Response<Body> {
    let id = request.request_id;
    let form = match request.parts.method {
        Method::GET => Form::parse(request.parts.uri.query().unwrap_or_default().as_bytes()),
        _ => Form::parse(request.body),
    };
    let service = request.claimed.unwrap_or_else(|| service_of(&form));
    match carry_out(pipeline, (service, form), request).await {
        Ok(xml) => xml_response(StatusCode::OK, xml, id),
        Err(error) => error_response(service, &error, id),
    }
}

pub(crate) fn too_large(service: Service, request_id: &str) -> Response<Body> {
    let error = WireError::new(
        413,
        "RequestEntityTooLarge",
        "The request body is too large",
    );
    error_response(service, &error, request_id)
}

/// Where the credential scope does not say it, the version of the API does.
fn service_of(form: &Result<Form, Malformed>) -> Service {
    let version = form.as_ref().ok().and_then(Form::version);
    match version {
        Some(version) if version == Service::Sts.version() => Service::Sts,
        _ => Service::Iam,
    }
}

/// Carries out a request; gives the XML of its answer.
///
/// # Errors
/// What the client is told.
pub(crate) async fn carry_out(
    pipeline: &Pipeline,
    (service, form): (Service, Result<Form, Malformed>),
    request: QueryRequest<'_>,
) -> Result<String, WireError> {
    let mut facts = facts(pipeline, request.parts, request.peer);
    let rules = Rules {
        dialect: Dialect::Query,
        service: service.scope_name(),
        home_region: HOME_REGION,
    };
    let presented = Presented::parse(request.parts, facts.now, &rules).map_err(|f| refused(&f))?;
    let signed = Signed {
        parts: request.parts,
        presented: &presented,
        payload: PayloadHash::of(request.body),
        now: facts.now,
    };
    let authenticated = pipeline.identity.authenticator().authenticate(signed);
    let authenticated = authenticated.map_err(|refusal| {
        let action = form
            .as_ref()
            .map(|form| Identity::action_name(service, form));
        pipeline.note(&refusal, action.as_deref().unwrap_or("?"), &facts);
        refused(&refusal.fault)
    })?;
    let form =
        form.map_err(|malformed| WireError::new(400, "MalformedInput", malformed.to_string()))?;
    let caller = &Arc::new(authenticated.caller);
    if service == Service::Iam
        && caller
            .session()
            .is_some_and(|session| !session.may_call_iam())
    {
        return Err(refused(&keywright_sigv4::Fault::UnknownKey {
            access_key_id: caller.key().to_string(),
        }));
    }
    presented.scope().region().clone_into(&mut facts.region);
    facts.idempotency_token = idempotency_token(request.parts, &presented)?;
    let call = Call {
        caller,
        facts: &facts,
        form: &form,
        request_id: request.request_id,
    };
    pipeline
        .identity
        .call(service, call)
        .await
        .map_err(|fault| failed(&fault, &facts))
}

/// The token, which must be signed: otherwise anyone on the way could swap it.
fn idempotency_token(parts: &Parts, presented: &Presented) -> Result<Option<String>, WireError> {
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

fn refused(fault: &keywright_sigv4::Fault) -> WireError {
    let wire = fault.wire(Dialect::Query);
    WireError::new(wire.status, wire.code, wire.message)
}

fn failed(fault: &Fault, facts: &Facts) -> WireError {
    if let Fault::Internal(why) = fault {
        tracing::error!(%why, source = %facts.source_address, "a request failed");
    }
    fault.wire()
}

fn error_response(service: Service, error: &WireError, request_id: &str) -> Response<Body> {
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
    xml_response(status, xml, request_id)
}

fn xml_response(status: StatusCode, xml: String, request_id: &str) -> Response<Body> {
    let mut response = Response::new(full(xml));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    // A rotation asks for nothing twice unless it knows by this that it may.
    headers.insert(header::SERVER, HeaderValue::from_static("Keywright"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
