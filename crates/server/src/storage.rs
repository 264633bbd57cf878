//! S3: authenticates the caller, verifies the body against its signature, and passes the request to
//! the S3 API with an authorizer for this caller.
//!
//! Invariant: only an authenticated request reaches the S3 API, or an anonymous one, which only a
//! bucket policy can allow anything. This module does not parse S3 requests.

mod authorizer;
mod budget;
mod signature;

use std::sync::{Arc, OnceLock};

use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use keywright_base::WireError;
use keywright_identity::{
    authenticate::{AuthFailure, AuthenticatedCaller, KeyUse, SignedRequest},
    caller::Caller,
    work::WorkOwner,
};
use keywright_objects::S3Fault;
use keywright_s3::{self as s3, IncomingRequest, NoMemory, ResponseIds, error_response, slow_down};
use keywright_sigv4::{
    PayloadHash, PresentedSignature, PresentedV2, ServiceRules, SignatureFault, SigningDialect,
    SigningMode,
};

pub(crate) use self::authorizer::stored_id_to_arn;
use self::{
    authorizer::{CallerAuthorizer, OperationName, SharedDenial},
    budget::StepBudget,
    signature::SignatureConditions,
};
use crate::{
    ResponseBody,
    edge::{BodyFault, ConnectionUse, RequestBody},
    full,
    payload::{CheckedBody, wire_error},
    presigned::{PresignVersion, unfold},
    request::{HOME_REGION, RequestHead, UnservedHttp, note_refusal},
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
    head: RequestHead,
    body: RequestBody,
) -> Response<ResponseBody> {
    let ids = services.ids.of_s3();
    let is_head = head.parts.method == http::Method::HEAD;
    let posted = head.parts.method == http::Method::POST;
    let noted = Arc::new(SharedDenial {
        request_id: ids.request_id.clone(),
        tls_version: head.tls_version,
        denial: OnceLock::new(),
    });
    let answer = match admit(services, head, body, &noted) {
        Ok((request, owner)) => serve(services, request, owner, &ids).await,
        Err(error) => error_response(&error, is_head, &ids),
    };
    // A denial does not always become the response: some questions only shape it (may tags be
    // counted?), and DeleteObjects reports denials in a successful response of its own.
    if let Some(denial) = noted.denial.get()
        && (posted || answer.status() == http::StatusCode::FORBIDDEN)
    {
        services.identity.denials().record(denial.clone());
    }
    answer
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
pub(crate) fn unserved(services: &Services, unserved: UnservedHttp) -> Response<ResponseBody> {
    let error = match unserved {
        UnservedHttp::TransferCoding => S3Fault::HeaderNotServed("Transfer-Encoding").wire(),
        UnservedHttp::Method => {
            let message = "The HTTP method of the request is not implemented.";
            WireError::new(501, "NotImplemented", message)
        }
    };
    error_response(&error, false, &services.ids.of_s3())
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
pub(crate) fn not_admitted(services: &Services, method: &http::Method) -> Response<ResponseBody> {
    let text = "This address serves the console; requests to it must be signed in their \
                Authorization header. Presigned and anonymous ones belong to the API's address.";
    let fault = S3Fault::AccessDenied(text.into());
    let head = method == http::Method::HEAD;
    error_response(&fault.wire(), head, &services.ids.of_s3())
}

/// The kind of signature that a request presents.
enum ClaimedSignature {
    V4(PresentedSignature),
    V2(PresentedV2),
    Anonymous,
}

/// An authenticated request: the caller, and a body that is verified while it is read.
struct ProvenRequest {
    /// `None` for an anonymous request.
    caller: Option<Caller>,
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
    mut head: RequestHead,
    body: RequestBody,
    noted: &Arc<SharedDenial>,
) -> Result<AdmittedRequest, RejectedRequest> {
    let host_bucket = host_bucket(&head.parts.headers).map(str::to_owned);
    let proven = match claimed_signature(&head, host_bucket.as_deref())? {
        ClaimedSignature::V4(presented) => by_v4(services, &mut head, body, presented)?,
        ClaimedSignature::V2(presented) => by_v2(services, &mut head, body, &presented)?,
        ClaimedSignature::Anonymous => anonymous(&head.parts.headers, body)?,
    };
    let RequestHead { parts, context, .. } = head;
    let caller = proven.caller.as_ref();
    let owner = caller.map_or_else(|| WorkOwner::address(context.source_address), WorkOwner::of);
    let s3_caller = s3::S3Caller {
        account: caller.map(Caller::account),
        identity: caller.map(|caller| caller.arn().to_string()),
        region: proven.region,
        version2: proven.version2,
        authorize: Arc::new(CallerAuthorizer {
            identity: Arc::clone(&services.identity),
            operation: OperationName::of(&parts),
            caller: proven.caller,
            facts: context,
            signature: proven.signature,
            noted: Arc::clone(noted),
            budget: StepBudget::default(),
        }),
        trailers: proven.trailers,
    };
    let request = IncomingRequest::read(parts, proven.body, s3_caller, host_bucket.as_deref());
    let request = request.map_err(|fault| not_served(&fault))?;
    Ok((request, owner))
}

fn claimed_signature(
    head: &RequestHead,
    host_bucket: Option<&str>,
) -> Result<ClaimedSignature, RejectedRequest> {
    let (parts, now) = (&head.parts, head.context.now);
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
    head: &mut RequestHead,
    body: RequestBody,
    presented: PresentedSignature,
) -> Result<ProvenRequest, RejectedRequest> {
    let signed = SignedRequest {
        parts: &head.parts,
        presented: &presented,
        payload: PayloadHash::Declared,
        now: head.context.now,
        key_use: KeyUse::Work,
    };
    let authenticated = services.identity.authenticator().authenticate(signed);
    let authenticated = proven(services, head, authenticated)?;
    drop_unsigned(&mut head.parts.headers, &presented);
    let signature = SignatureConditions::of(&presented, head.context.now);
    let region = presented.scope().region().to_owned();
    head.context.region.clone_from(&region);
    if matches!(presented.mode(), SigningMode::Presigned { .. }) {
        unfold(&mut head.parts, PresignVersion::V4)?;
    }
    let body = body.map_err(body_error);
    let (body, trailers) = match &authenticated.signing_key {
        Some(key) => {
            let proof = (authenticated.caller.proof(), key);
            let checked = CheckedBody::signed(body, proof, presented, &head.parts.headers);
            checked.map_err(|fault| refused(&fault))?
        }
        None => (CheckedBody::unsigned(body), None),
    };
    Ok(ProvenRequest {
        caller: Some(authenticated.caller),
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
    head: &mut RequestHead,
    body: RequestBody,
    presented: &PresentedV2,
) -> Result<ProvenRequest, RejectedRequest> {
    let authenticator = services.identity.authenticator();
    let authenticated = authenticator.authenticate_v2(presented, head.context.now);
    let authenticated = proven(services, head, authenticated)?;
    HOME_REGION.clone_into(&mut head.context.region);
    let hash = head.parts.headers.get("x-amz-content-sha256");
    if hash.is_some_and(|hash| hash != UNSIGNED) {
        // Such a hash would be signed here, but nothing verifies the body against it.
        let fault = S3Fault::HeaderNotServed("x-amz-content-sha256");
        return Err(not_served(&fault));
    }
    unfold(&mut head.parts, PresignVersion::V2)?;
    Ok(ProvenRequest {
        caller: Some(authenticated.caller),
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
        caller: None,
        signature: None,
        region: None,
        version2: false,
        body: CheckedBody::unsigned(body.map_err(body_error)).boxed_unsync(),
        trailers: None,
    })
}

/// Protects the connection of an authenticated caller; records an attempt with an inactive key.
fn proven(
    services: &Services,
    head: &RequestHead,
    authenticated: Result<AuthenticatedCaller, AuthFailure>,
) -> Result<AuthenticatedCaller, RejectedRequest> {
    let authenticated = authenticated.map_err(|refusal| {
        let operation = OperationName::of(&head.parts).to_string();
        note_refusal(&services.identity, &refusal, &operation, &head.context);
        refused(&refusal.fault)
    })?;
    head.protect(&authenticated.caller, ConnectionUse::Transfer);
    Ok(authenticated)
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
