//! The one path of every request.
//!
//! The credential scope chooses the service. A request without one goes to IAM or STS if it looks
//! like one of their forms, and otherwise to S3, which allows anonymous requests. On the console's
//! origin, a request that is not signed in a header is answered by the console or denied.
//! Invariant: an unverified request changes nothing.

use std::{
    net::IpAddr,
    sync::{Arc, Weak},
};

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_TYPE, TRANSFER_ENCODING},
    request::Parts,
};
use keywright_base::{Clock, Entropy};
use keywright_identity::{
    Identity, authenticate::AuthFailure, caller::Caller, usage::AttemptFacts, view::RequestContext,
    work::WorkOwner,
};
use keywright_s3::{BodyBudget, S3};
use keywright_sigv4::{claimed_service, parameter_names};
use keywright_wire::Service;

use crate::{
    ResponseBody,
    console::{self, Console},
    edge::{AnswerBudget, ConnectionSlot, ConnectionUse, RequestBody, SharedAdmission},
    full,
    origin::{self, ListenerOrigin},
    proxies::{HeaderContradiction, TrustedProxies},
    query, storage,
};

/// Runs requests.
pub struct Pipeline {
    pub(crate) identity: Arc<Identity>,
    pub(crate) s3: S3,
    pub(crate) console: Console,
    pub(crate) proxies: TrustedProxies,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) bodies: BodyBudget,
    pub(crate) answers: AnswerBudget,
    /// Shared by all listeners.
    pub(crate) connections: SharedAdmission,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pipeline({:?})", self.identity)
    }
}

/// The services in front of an installation's identities.
#[derive(Debug)]
pub struct ServerParts {
    /// S3.
    pub s3: S3,
    /// The console.
    pub console: Console,
    /// The proxies whose statements about the client are trusted.
    pub proxies: TrustedProxies,
}

/// What is known about a client's connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerInfo {
    /// The address of the client.
    pub address: IpAddr,
    /// Whether the connection uses TLS.
    pub secure: bool,
    /// The TLS version as in `s3:TlsVersion`, for example `1.3`.
    pub tls_version: Option<&'static str>,
}

/// The server's home region. Errors name it for a request whose region is unknown. A URL signed
/// with Signature Version 2, which has no region, counts as signed for it.
pub(crate) const HOME_REGION: &str = "us-east-1";

/// The header with the idempotency token of CreateAccessKey.
pub(crate) const IDEMPOTENCY_HEADER: &str = "x-keywright-idempotency-token";

impl Pipeline {
    /// Creates the pipeline of an opened installation.
    pub fn new(
        identity: Arc<Identity>,
        front: ServerParts,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let ServerParts {
            s3,
            console,
            proxies,
        } = front;
        let buckets = s3.clone();
        // `identity` keeps this closure, so the closure must not keep `identity` alive.
        let users = Arc::downgrade(&identity);
        identity.know_resources(Box::new(move |arn| {
            let (buckets, users) = (buckets.clone(), Weak::clone(&users));
            let listed =
                move |retained: &str| storage::stored_id_to_arn(&*users.upgrade()?, retained);
            Box::pin(async move {
                let attached = buckets.attached(&arn, listed).await;
                attached.map_err(|fault| format!("policy of {arn}: {fault}"))
            })
        }));
        Self {
            identity,
            bodies: s3.bodies().clone(),
            answers: AnswerBudget::default(),
            connections: SharedAdmission::default(),
            s3,
            console,
            proxies,
            clock,
            entropy,
        }
    }

    /// Answers one request.
    pub(crate) async fn answer(
        &self,
        request: Request<RequestBody>,
        origin: ListenerOrigin,
        peer: PeerInfo,
    ) -> Response<ResponseBody> {
        let mut answer = match self.proxies.client(peer, request.headers()) {
            Ok(client) => self.answer_one(request, origin, client).await,
            Err(HeaderContradiction) => contradiction(peer),
        };
        if peer.secure {
            origin::demand_tls(answer.headers_mut());
        }
        answer
    }

    async fn answer_one(
        &self,
        request: Request<RequestBody>,
        origin: ListenerOrigin,
        peer: PeerInfo,
    ) -> Response<ResponseBody> {
        let mut answer = match check_head(request.method(), request.headers()) {
            Err(unserved) => storage::unserved(self, unserved),
            Ok(()) => {
                let signed = origin::is_signed_in_header(&request);
                if let ListenerOrigin::Console { api_port } = origin
                    && !signed
                    && console::claims(&request)
                {
                    return console::answer(self, request, (peer, api_port)).await;
                }
                self.answer_api(request, signed || origin == ListenerOrigin::Api, peer)
                    .await
            }
        };
        origin::defuse(answer.headers_mut());
        answer
    }

    /// Answers a request for IAM, STS, the extension or S3, if this origin may serve it.
    async fn answer_api(
        &self,
        request: Request<RequestBody>,
        admitted: bool,
        peer: PeerInfo,
    ) -> Response<ResponseBody> {
        match route(&request) {
            RequestRoute::Query(claimed) if !admitted => {
                query::not_admitted(claimed.unwrap_or(Service::Iam), &self.request_id())
            }
            RequestRoute::Storage if !admitted => storage::not_admitted(self, request.method()),
            RequestRoute::Query(claimed) => query::receive(self, claimed, request, peer).await,
            RequestRoute::Storage => storage::answer(self, request, peer).await,
        }
    }

    /// Answers a request from inside this process, for IAM, STS or the extension. Any other request
    /// is denied like one from a socket that is not signed for these services.
    pub(crate) async fn answer_within(
        &self,
        request: Request<String>,
        peer: PeerInfo,
    ) -> Response<ResponseBody> {
        let claimed = match route(&request) {
            RequestRoute::Query(claimed) => claimed,
            RequestRoute::Storage => None,
        };
        let (parts, body) = request.into_parts();
        self.query((claimed, peer), &parts, body.as_bytes()).await
    }

    async fn query(
        &self,
        (claimed, peer): (Option<Service>, PeerInfo),
        parts: &Parts,
        body: &[u8],
    ) -> Response<ResponseBody> {
        let request_id = self.request_id();
        let request = query::QueryRequest {
            claimed,
            parts,
            body,
            peer,
            request_id: &request_id,
        };
        query::answer(self, None, request).await
    }

    /// A random request ID: a version 4 UUID.
    pub(crate) fn request_id(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        uuid(bytes)
    }

    /// Records a failed authentication; see [`note`].
    pub(crate) fn note(&self, refusal: &AuthFailure, action: &str, facts: &RequestContext) {
        note(&self.identity, refusal, action, facts);
    }
}

/// Records an attempt with an inactive key. Other failures are not recorded.
pub(crate) fn note(
    identity: &Identity,
    refusal: &AuthFailure,
    action: &str,
    facts: &RequestContext,
) {
    if let Some(key) = refusal.inactive {
        let source_address = facts.source_address.to_string();
        let user_agent = &facts.user_agent;
        let attempt = AttemptFacts {
            source_address: &source_address,
            user_agent,
            action,
        };
        identity.usage().note_attempt(key, attempt, facts.now);
    }
}

/// A part of HTTP that is not served.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UnservedHttp {
    /// The method.
    Method,
    /// The transfer coding.
    TransferCoding,
}

/// Rejects what could be read in two ways or would be stored as a name: a method that HTTP does not
/// define, which an unauthenticated client could make as long as the head allows, and any transfer
/// coding other than exactly `chunked`.
fn check_head(method: &Method, headers: &HeaderMap) -> Result<(), UnservedHttp> {
    const METHODS: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::PATCH,
        Method::TRACE,
        Method::CONNECT,
    ];
    if !METHODS.contains(method) {
        return Err(UnservedHttp::Method);
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes() == b"chunked" => Ok(()),
        _ => Err(UnservedHttp::TransferCoding),
    }
}

/// Protects the connection of a request whose signature was valid. It is not closed to make room
/// for another connection, within its principal's share.
pub(crate) fn protect(parts: &Parts, caller: &Caller, work: ConnectionUse) {
    if let Some(slot) = parts.extensions.get::<Arc<ConnectionSlot>>() {
        slot.protect(WorkOwner::of(caller), work);
    }
}

/// The response to a request about which a trusted proxy makes contradictory statements. Nothing
/// else in the request is evaluated.
fn contradiction(proxy: PeerInfo) -> Response<ResponseBody> {
    // Debug level only, because any client behind the proxy can trigger this at will.
    tracing::debug!(proxy = %proxy.address, "{}", HeaderContradiction::MESSAGE.trim_end());
    let mut answer = Response::new(full(HeaderContradiction::MESSAGE));
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, text);
    origin::defuse(answer.headers_mut());
    answer
}

/// Formats random bytes as a version 4 UUID. Every response has one, so it is written digit by
/// digit: `format!` took 4 % of the time of a request.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for nibble in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text
}

/// The facts in the request's head that conditions and records use.
pub(crate) fn facts(pipeline: &Pipeline, parts: &Parts, peer: PeerInfo) -> RequestContext {
    let text = |name: &str| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    RequestContext {
        now: pipeline.clock.now(),
        source_address: peer.address,
        user_agent: text("user-agent").unwrap_or_default(),
        referer: text("referer"),
        secure: peer.secure,
        region: String::new(),
        idempotency_token: None,
    }
}

/// Which service answers a request.
#[derive(Debug, PartialEq, Eq)]
enum RequestRoute {
    /// A service that speaks awsQuery; `Some` if the credential scope names it.
    Query(Option<Service>),
    /// S3.
    Storage,
}

/// Routes by the service in the credential scope; if that is missing or unknown, by the shape of
/// the request.
fn route<B>(request: &Request<B>) -> RequestRoute {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    match claimed_service(headers, uri).as_deref() {
        Some("s3") => return RequestRoute::Storage,
        Some("iam") => return RequestRoute::Query(Some(Service::Iam)),
        Some("sts") => return RequestRoute::Query(Some(Service::Sts)),
        Some("keywright") => return RequestRoute::Query(Some(Service::Keywright)),
        _ => {}
    }
    let form = headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(FORM.as_bytes()));
    let action = parameter_names(uri).any(|name| name == "Action");
    let query = uri.path() == "/" && (*method == Method::POST && form || action);
    if query {
        RequestRoute::Query(None)
    } else {
        RequestRoute::Storage
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, Request, header::TRANSFER_ENCODING};
    use keywright_wire::Service;

    use super::{FORM, RequestRoute, UnservedHttp, check_head, route, uuid};

    #[test]
    fn only_known_methods_and_chunked_bodies_are_served() {
        let check = |method: &str, codings: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for coding in codings {
                headers.append(TRANSFER_ENCODING, coding.parse().unwrap());
            }
            check_head(&method.parse::<Method>().unwrap(), &headers)
        };
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            assert_eq!(check(method, &[]), Ok(()), "{method}");
        }
        for method in ["get", "LOCK", "PROPFIND", &"M".repeat(50_000)] {
            assert_eq!(check(method, &[]), Err(UnservedHttp::Method));
        }
        assert_eq!(check("PUT", &["chunked"]), Ok(()));
        for codings in [
            &["gzip, chunked"][..],
            &["Chunked"],
            &["chunked "],
            &["chunked,"],
            &["identity"],
            &[""],
            &["chunked", "chunked"],
            &["gzip", "chunked"],
        ] {
            assert_eq!(
                check("PUT", codings),
                Err(UnservedHttp::TransferCoding),
                "{codings:?}"
            );
        }
    }

    #[test]
    fn request_ids_are_random_uuids() {
        for (byte, expected) in [
            (0x00, "00000000-0000-4000-8000-000000000000"),
            (0x5a, "5a5a5a5a-5a5a-4a5a-9a5a-5a5a5a5a5a5a"),
            (0xff, "ffffffff-ffff-4fff-bfff-ffffffffffff"),
        ] {
            assert_eq!(uuid([byte; 16]), expected);
        }
    }

    #[test]
    fn the_scope_decides_and_then_the_looks() {
        let scope =
            |service| format!("AWS4-HMAC-SHA256 Credential=AKIA/20261124/x/{service}/aws4_request");
        for (line, service, form, expected) in [
            (
                "POST /",
                Some("iam"),
                true,
                RequestRoute::Query(Some(Service::Iam)),
            ),
            (
                "POST /",
                Some("sts"),
                true,
                RequestRoute::Query(Some(Service::Sts)),
            ),
            (
                "POST /",
                Some("keywright"),
                false,
                RequestRoute::Query(Some(Service::Keywright)),
            ),
            ("POST /", Some("s3"), true, RequestRoute::Storage),
            (
                "GET /?Action=GetUser",
                Some("s3"),
                false,
                RequestRoute::Storage,
            ),
            ("POST /", Some("ec2"), true, RequestRoute::Query(None)),
            ("GET /", Some("ec2"), false, RequestRoute::Storage),
            ("POST /", None, true, RequestRoute::Query(None)),
            (
                "GET /?Version=1&Action=GetUser",
                None,
                false,
                RequestRoute::Query(None),
            ),
            (
                "GET /bucket?Action=GetUser",
                None,
                false,
                RequestRoute::Storage,
            ),
            ("GET /", None, false, RequestRoute::Storage),
            ("POST /bucket?delete", None, true, RequestRoute::Storage),
            ("GET /console/a", None, false, RequestRoute::Storage),
            (
                "GET /console/a?AWSAccessKeyId=a&Signature=b",
                None,
                false,
                RequestRoute::Storage,
            ),
        ] {
            let (method, uri) = line.split_once(' ').unwrap();
            let mut request = Request::builder().method(method).uri(uri);
            if let Some(service) = service {
                request = request.header("authorization", scope(service));
            }
            if form {
                request = request.header("content-type", format!("{FORM}; charset=utf-8"));
            }
            let got = route(&request.body(()).unwrap());
            assert_eq!(got, expected, "{line} {service:?}");
        }
    }
}
