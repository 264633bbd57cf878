//! The one path of every request.
//!
//! The credential scope chooses the service. A request without one goes to IAM or STS if it looks
//! like one of their forms, and otherwise to S3, which allows anonymous requests. On the console's
//! origin, a request that is not signed in a header is answered by the console or denied.
//! Invariant: an unverified request changes nothing.

use std::sync::{Arc, Weak};

use http::{
    HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE, request::Parts,
};
use keywright_base::{Clock, Entropy};
use keywright_identity::Identity;
use keywright_s3::S3;
use keywright_sigv4::{claimed_service, parameter_names};
use keywright_wire::Service;

use crate::{
    ResponseBody,
    console::{self, Console},
    edge::{AnswerBudget, RequestBody, SharedAdmission},
    full,
    origin::{self, ListenerOrigin},
    proxies::{HeaderContradiction, TrustedProxies},
    query::{self, QueryRequest},
    request::{PeerInfo, RequestHead, check_head},
    request_ids::RequestIds,
    services::Services,
    storage,
};

/// Runs requests.
pub struct Pipeline {
    pub(crate) services: Services,
    pub(crate) console: Console,
    pub(crate) proxies: TrustedProxies,
    /// Shared by all listeners.
    pub(crate) connections: SharedAdmission,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pipeline({:?})", self.services.identity)
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
        let services = Services {
            identity,
            bodies: s3.bodies().clone(),
            answers: AnswerBudget::default(),
            s3,
            clock,
            ids: RequestIds::new(entropy),
        };
        Self {
            services,
            console,
            proxies,
            connections: SharedAdmission::default(),
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
            Err(unserved) => storage::unserved(&self.services, unserved),
            Ok(()) => {
                let signed = origin::is_signed_in_header(&request);
                if let ListenerOrigin::Console(listener) = origin
                    && !signed
                    && console::claims(&request)
                {
                    // Boxed, because every request's future would be as large as this one.
                    return Box::pin(console::answer(self, request, (peer, listener))).await;
                }
                let (parts, body) = request.into_parts();
                let head = RequestHead::read(parts, peer, self.services.clock.now());
                self.dispatch(head, body, signed || origin == ListenerOrigin::Api)
                    .await
            }
        };
        origin::defuse(answer.headers_mut());
        answer
    }

    /// Answers a request for IAM, STS, the extension or S3, if this origin may serve it.
    async fn dispatch(
        &self,
        head: RequestHead,
        body: RequestBody,
        admitted: bool,
    ) -> Response<ResponseBody> {
        let services = &self.services;
        match route(&head.parts) {
            RequestRoute::Query(claimed) if !admitted => {
                query::not_admitted(claimed.unwrap_or(Service::Iam), &services.ids.uuid())
            }
            RequestRoute::Storage if !admitted => {
                storage::not_admitted(services, &head.parts.method)
            }
            RequestRoute::Query(claimed) => {
                query::receive(services, self.query(claimed, head), body).await
            }
            RequestRoute::Storage => storage::answer(services, head, body).await,
        }
    }

    /// Answers a request from inside this process, for IAM, STS or the extension. Any other request
    /// is denied like one from a socket that is not signed for these services.
    pub(crate) async fn answer_within(
        &self,
        request: Request<String>,
        peer: PeerInfo,
    ) -> Response<ResponseBody> {
        let (parts, body) = request.into_parts();
        let claimed = match route(&parts) {
            RequestRoute::Query(claimed) => claimed,
            RequestRoute::Storage => None,
        };
        let head = RequestHead::read(parts, peer, self.services.clock.now());
        query::answer(&self.services, self.query(claimed, head), body.as_bytes()).await
    }

    fn query(&self, claimed: Option<Service>, head: RequestHead) -> QueryRequest {
        QueryRequest {
            claimed,
            head,
            request_id: self.services.ids.uuid(),
        }
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
fn route(parts: &Parts) -> RequestRoute {
    let (method, uri, headers) = (&parts.method, &parts.uri, &parts.headers);
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
    use http::Request;
    use keywright_wire::Service;

    use super::{FORM, RequestRoute, route};

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
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let got = route(&parts);
            assert_eq!(got, expected, "{line} {service:?}");
        }
    }
}
