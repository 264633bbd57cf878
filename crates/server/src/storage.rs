//! S3: authenticates the caller, verifies the body against its signature, and passes the request to
//! the S3 API with an authorizer for this caller.
//!
//! Invariant: only an authenticated request reaches the S3 API, or an anonymous one, which only a
//! bucket policy can allow anything. This module does not parse S3 requests.

mod authorizer;
mod budget;
mod signature;

use std::sync::Arc;

use http::{HeaderMap, Response, request::Parts};
use http_body_util::BodyExt;
use keywright_base::{Timestamp, WireError};
use keywright_identity::{
    authenticate::{AuthFailure, AuthenticatedCaller, KeyUse, SignedRequest},
    caller::Caller,
    event::{EventDraft, EventOperation},
    work::WorkOwner,
};
use keywright_objects::S3Fault;
use keywright_s3::{self as s3, IncomingRequest, NoMemory, ResponseIds, error_response, slow_down};
use keywright_sigv4::{
    PayloadHash, PresentedSignature, PresentedV2, ServiceRules, SignatureFault, SigningDialect,
    SigningKey, SigningMode,
};

pub(crate) use self::authorizer::stored_id_to_arn;
use self::{authorizer::CallerAuthorizer, budget::StepBudget, signature::SignatureConditions};
use crate::{
    ResponseBody,
    edge::{BodyFault, ConnectionUse, RequestBody},
    full,
    payload::{CheckedBody, wire_error},
    presigned::{PresignVersion, unfold},
    request::{self, HOME_REGION, UnservedHttp},
    services::Services,
    unsigned::drop_unsigned,
};

type RejectedRequest = Box<WireError>;
/// A request for the S3 API, and the principal or address whose queue and memory it uses.
type AdmittedRequest = (IncomingRequest, WorkOwner);

fn refused(fault: &SignatureFault) -> RejectedRequest {
    Box::new(wire_error(fault))
}

fn not_served(fault: &S3Fault) -> RejectedRequest {
    Box::new(fault.wire())
}

pub(crate) async fn answer(
    services: &Services,
    (parts, body): (Parts, RequestBody),
    event: &EventDraft<'_>,
    ids: &ResponseIds,
) -> Response<ResponseBody> {
    let is_head = parts.method == http::Method::HEAD;
    match admit(services, parts, body, event) {
        Ok((request, owner)) => serve(services, request, owner, ids).await,
        Err(error) => error_response(&error, is_head, ids),
    }
}

/// Serves a request. A listing waits for its owner's turn, and a document is charged to the memory
/// budget for responses.
async fn serve(
    services: &Services,
    request: IncomingRequest,
    owner: WorkOwner,
    ids: &ResponseIds,
) -> Response<s3::S3Body> {
    let refused = || error_response(&slow_down(), false, ids);
    let _place = if request.is_listing() {
        match services.identity.listing_place(owner).await {
            Ok(place) => Some(place),
            Err(_) => return refused(),
        }
    } else {
        None
    };
    let mut answer = services.s3.call(request, ids).await;
    if answer.extensions_mut().remove::<s3::InMemory>().is_none() {
        return answer;
    }
    let (parts, body) = answer.into_parts();
    let Ok(document) = body.collect().await else {
        return refused();
    };
    match services.answers.hold(owner, document.to_bytes()) {
        Ok(document) => Response::from_parts(parts, full(document)),
        Err(NoMemory) => refused(),
    }
}

/// The response to a request that uses HTTP in a way that is not served, for every service.
pub(crate) fn unserved(unserved: &UnservedHttp, ids: &ResponseIds) -> Response<ResponseBody> {
    let error = match unserved {
        UnservedHttp::TransferCoding => S3Fault::HeaderNotServed("Transfer-Encoding").wire(),
        UnservedHttp::Method => {
            let message = "The HTTP method of the request is not implemented.";
            WireError::new(501, "NotImplemented", message)
        }
    };
    error_response(&error, false, ids)
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
pub(crate) fn not_admitted(method: &http::Method, ids: &ResponseIds) -> Response<ResponseBody> {
    let text = "This address serves the console; requests to it must be signed in their \
                Authorization header. Presigned and anonymous ones belong to the API's address.";
    let fault = S3Fault::AccessDenied(text.into());
    let head = method == http::Method::HEAD;
    error_response(&fault.wire(), head, ids)
}

/// The kind of signature that a request presents.
enum ClaimedSignature {
    V4(PresentedSignature),
    V2(PresentedV2),
    Anonymous,
}

/// An authenticated request, with a body that is verified while it is read.
struct ProvenRequest {
    /// `None` for an anonymous request.
    signature: Option<SignatureConditions>,
    /// The region of the credential scope.
    region: Option<String>,
    version2: bool,
    body: s3::S3Body,
    trailers: Option<s3::BodyTrailers>,
}

/// Authenticates the caller and builds the request for the S3 API.
fn admit(
    services: &Services,
    mut parts: Parts,
    body: RequestBody,
    event: &EventDraft<'_>,
) -> Result<AdmittedRequest, RejectedRequest> {
    let record = event.record();
    let host_bucket = host_bucket(&parts.headers).map(str::to_owned);
    let now = record.context.now;
    let proven = match claimed_signature(&parts, now, host_bucket.as_deref())? {
        ClaimedSignature::V4(presented) => by_v4(services, (&mut parts, body), presented, event)?,
        ClaimedSignature::V2(presented) => by_v2(services, (&mut parts, body), &presented, event)?,
        ClaimedSignature::Anonymous => anonymous(&parts.headers, body)?,
    };
    let (caller, address) = (record.caller(), record.context.source_address);
    let owner = caller.map_or_else(|| WorkOwner::address(address), WorkOwner::of);
    let s3_caller = s3::S3Caller {
        account: caller.map(Caller::account),
        identity: caller.map(|caller| caller.arn().to_string()),
        region: proven.region,
        version2: proven.version2,
        authorize: Arc::new(CallerAuthorizer {
            identity: Arc::clone(&services.identity),
            record: Arc::clone(record),
            signature: proven.signature,
            budget: StepBudget::default(),
        }),
        trailers: proven.trailers,
    };
    let request = IncomingRequest::read(parts, proven.body, s3_caller, host_bucket.as_deref());
    let request = request.map_err(|fault| not_served(&fault))?;
    if let (EventOperation::S3(operation), Some(name)) = (record.operation(), request.operation()) {
        operation.route(name);
    }
    Ok((request, owner))
}

fn claimed_signature(
    parts: &Parts,
    now: Timestamp,
    host_bucket: Option<&str>,
) -> Result<ClaimedSignature, RejectedRequest> {
    let v2 = PresentedV2::parse(parts, now, host_bucket);
    if let Some(presented) = v2.map_err(|fault| refused(&fault))? {
        return Ok(ClaimedSignature::V2(presented));
    }
    let rules = ServiceRules {
        dialect: SigningDialect::S3,
        service: "s3",
        home_region: HOME_REGION,
    };
    match PresentedSignature::parse(parts, now, &rules) {
        Ok(presented) => Ok(ClaimedSignature::V4(presented)),
        Err(SignatureFault::Missing) => Ok(ClaimedSignature::Anonymous),
        Err(fault) => Err(refused(&fault)),
    }
}

fn by_v4(
    services: &Services,
    (parts, body): (&mut Parts, RequestBody),
    presented: PresentedSignature,
    event: &EventDraft<'_>,
) -> Result<ProvenRequest, RejectedRequest> {
    let now = event.record().context.now;
    let signed = SignedRequest {
        parts,
        presented: &presented,
        payload: PayloadHash::Declared,
        now,
        key_use: KeyUse::Work,
    };
    let authenticated = services.identity.authenticator().authenticate(signed);
    let signing_key = proven(parts, authenticated, event)?;
    drop_unsigned(&mut parts.headers, &presented);
    let signature = SignatureConditions::of(&presented, now);
    let region = presented.scope().region().to_owned();
    if matches!(presented.mode(), SigningMode::Presigned { .. }) {
        unfold(parts, PresignVersion::V4)?;
    }
    let body = body.map_err(body_error);
    let proof = event
        .record()
        .caller()
        .map(Caller::proof)
        .zip(signing_key.as_ref());
    let proof = proof.ok_or_else(|| not_served(&S3Fault::Internal("no proof".to_owned())))?;
    let checked = CheckedBody::signed(body, proof, presented, &parts.headers);
    let (body, trailers) = checked.map_err(|fault| refused(&fault))?;
    Ok(ProvenRequest {
        signature: Some(signature),
        region: Some(region),
        version2: false,
        body: body.boxed_unsync(),
        trailers,
    })
}

/// Admits a URL signed with Signature Version 2, which names no region and covers no body.
fn by_v2(
    services: &Services,
    (parts, body): (&mut Parts, RequestBody),
    presented: &PresentedV2,
    event: &EventDraft<'_>,
) -> Result<ProvenRequest, RejectedRequest> {
    let authenticator = services.identity.authenticator();
    let authenticated = authenticator.authenticate_v2(presented, event.record().context.now);
    proven(parts, authenticated, event)?;
    let hash = parts.headers.get("x-amz-content-sha256");
    if hash.is_some_and(|hash| hash != UNSIGNED) {
        // Such a hash would be signed here, but nothing verifies the body against it.
        let fault = S3Fault::HeaderNotServed("x-amz-content-sha256");
        return Err(not_served(&fault));
    }
    unfold(parts, PresignVersion::V2)?;
    Ok(ProvenRequest {
        signature: Some(SignatureConditions::of_v2()),
        region: None,
        version2: true,
        body: CheckedBody::unsigned(body.map_err(body_error)).boxed_unsync(),
        trailers: None,
    })
}

/// Admits a request without credentials. Its body is not signed and must not claim to be.
fn anonymous(headers: &HeaderMap, body: RequestBody) -> Result<ProvenRequest, RejectedRequest> {
    let framed = headers.get("x-amz-content-sha256");
    if framed.is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-")) {
        let fault = S3Fault::HeaderNotServed("x-amz-content-sha256");
        return Err(not_served(&fault));
    }
    Ok(ProvenRequest {
        signature: None,
        region: None,
        version2: false,
        body: CheckedBody::unsigned(body.map_err(body_error)).boxed_unsync(),
        trailers: None,
    })
}

/// Admits an authenticated caller, protects its connection, and returns the signing key.
fn proven(
    parts: &Parts,
    authenticated: Result<AuthenticatedCaller, AuthFailure>,
    event: &EventDraft<'_>,
) -> Result<Option<SigningKey>, RejectedRequest> {
    let authenticated = authenticated.map_err(|failure| {
        event.reject(&failure);
        refused(&failure.fault)
    })?;
    let connection = (parts, ConnectionUse::Transfer);
    Ok(request::admit(connection, event, authenticated, None))
}

/// The bucket in the host name.
fn host_bucket(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get("host")?.to_str().ok()?;
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    name.strip_suffix(".localhost")
}

/// `x-amz-content-sha256` of a body that the signature does not cover.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

#[cfg(test)]
mod tests;
