//! The one path of every request.
//!
//! The credential scope chooses the service. A request without one goes to IAM or STS if it looks
//! like one of their forms, and otherwise to S3, which allows anonymous requests. On the console's
//! origin, a request that is not signed in a header is answered by the console or denied.
//!
//! Invariants: an unverified request changes nothing; every request yields exactly one event,
//! before its response is sent.

use std::sync::{Arc, Weak};

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header::CONTENT_TYPE,
    request::Parts,
};
use keywright_base::{Clock, Entropy, ErrorCode};
use keywright_identity::{
    Identity,
    event::{EventDraft, EventOperation, RequestOutcome, S3Operation},
};
use keywright_s3::{ResponseIds, S3};
use keywright_sigv4::{claimed_service, parameter_names};
use keywright_wire::Service;

use crate::{
    ResponseBody,
    console::{self, Console},
    edge::{AnswerBudget, RequestBody, SharedAdmission},
    full,
    origin::{self, ConsoleListener, ListenerOrigin},
    proxies::{HeaderContradiction, TrustedProxies},
    query::{self, QueryRequest},
    request::{PeerInfo, UnservedHttp, check_head},
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

    /// Answers one request and emits its event.
    pub(crate) async fn answer(
        &self,
        request: Request<RequestBody>,
        origin: ListenerOrigin,
        peer: PeerInfo,
    ) -> Response<ResponseBody> {
        let (client, destination) = match self.proxies.client(peer, request.headers()) {
            Ok(client) => (client, self.destination(&request, origin)),
            Err(HeaderContradiction) => (peer, RequestDestination::Contradiction),
        };
        let (parts, body) = request.into_parts();
        let request_id = match &destination {
            RequestDestination::Unserved(_, ids) | RequestDestination::Storage { ids, .. } => {
                ids.request_id.clone()
            }
            RequestDestination::Contradiction
            | RequestDestination::Console(_)
            | RequestDestination::Query { .. } => self.services.ids.uuid(),
        };
        let event = self.services.begin(&parts.headers, client, request_id);
        let mut answer = self
            .dispatch(destination, (parts, body), client, &event)
            .await;
        complete(event, &mut answer);
        if peer.secure {
            origin::demand_tls(answer.headers_mut());
        }
        answer
    }

    /// Where a request goes. Nothing is verified yet.
    fn destination(
        &self,
        request: &Request<RequestBody>,
        origin: ListenerOrigin,
    ) -> RequestDestination {
        let ids = || self.services.ids.of_s3();
        if let Err(unserved) = check_head(request.method(), request.headers()) {
            return RequestDestination::Unserved(unserved, ids());
        }
        let is_admitted = match origin {
            ListenerOrigin::Api => true,
            ListenerOrigin::Console(listener) => {
                let signed = origin::is_signed_in_header(request);
                if !signed && console::claims(request) {
                    return RequestDestination::Console(listener);
                }
                signed
            }
        };
        match route(request.method(), request.uri(), request.headers()) {
            RequestRoute::Query(claimed) => RequestDestination::Query {
                claimed,
                is_admitted,
            },
            RequestRoute::Storage => RequestDestination::Storage {
                ids: ids(),
                is_admitted,
            },
        }
    }

    async fn dispatch(
        &self,
        destination: RequestDestination,
        (parts, body): (Parts, RequestBody),
        client: PeerInfo,
        event: &EventDraft<'_>,
    ) -> Response<ResponseBody> {
        let services = &self.services;
        let mut answer = match destination {
            RequestDestination::Console(listener) => {
                let from = (client, listener);
                // Boxed, because every request's future would be as large as this one.
                let answering = console::answer(self, (parts, body), from, event.record());
                return Box::pin(answering).await;
            }
            RequestDestination::Contradiction => contradiction(client),
            RequestDestination::Unserved(unserved, ids) => storage::unserved(&unserved, &ids),
            RequestDestination::Query {
                claimed,
                is_admitted: false,
            } => query::not_admitted(claimed.unwrap_or(Service::Iam), event.record()),
            RequestDestination::Query { claimed, .. } => {
                let request = QueryRequest {
                    claimed,
                    parts,
                    event,
                };
                query::receive(services, request, body).await
            }
            RequestDestination::Storage { ids, is_admitted } => {
                let operation = S3Operation::of(&parts.method, parts.uri.path());
                event.record().note_operation(EventOperation::S3(operation));
                if is_admitted {
                    storage::answer(services, (parts, body), event, &ids).await
                } else {
                    storage::not_admitted(&parts.method, &ids)
                }
            }
        };
        origin::defuse(answer.headers_mut());
        answer
    }

    /// Answers a request from inside this process, for IAM, STS or the extension, and emits its
    /// event. Any other request is denied like one from a socket that is not signed for these
    /// services.
    pub(crate) async fn answer_within(
        &self,
        request: Request<String>,
        peer: PeerInfo,
    ) -> Response<ResponseBody> {
        let (parts, body) = request.into_parts();
        let claimed = match route(&parts.method, &parts.uri, &parts.headers) {
            RequestRoute::Query(claimed) => claimed,
            RequestRoute::Storage => None,
        };
        let services = &self.services;
        let event = services.begin(&parts.headers, peer, services.ids.uuid());
        let request = QueryRequest {
            claimed,
            parts,
            event: &event,
        };
        let mut answer = query::answer(services, request, body.as_bytes()).await;
        complete(event, &mut answer);
        answer
    }
}

/// Emits the event of a request, before its response is sent.
pub(crate) fn complete(event: EventDraft<'_>, answer: &mut Response<ResponseBody>) {
    let (status, failure) = (
        answer.status(),
        answer.extensions_mut().remove::<ErrorCode>(),
    );
    let code = match failure {
        Some(ErrorCode(code)) => Some(code),
        // The console's files are read with GET and HEAD only.
        None if status.is_client_error() || status.is_server_error() => {
            Some(status.canonical_reason().unwrap_or_default().into())
        }
        None => None,
    };
    event.complete(match code {
        Some(code) => RequestOutcome::Failed {
            status: status.as_u16(),
            code,
        },
        None => RequestOutcome::Succeeded,
    });
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
    let code = ErrorCode(HeaderContradiction::CODE.into());
    answer.extensions_mut().insert(code);
    answer
}

/// Where a request goes.
enum RequestDestination {
    /// A trusted proxy makes contradictory statements about it.
    Contradiction,
    /// It uses HTTP in a way that is not served.
    Unserved(UnservedHttp, ResponseIds),
    /// The console.
    Console(ConsoleListener),
    /// A service whose requests are parameters, if this origin serves it without a signature in a
    /// header.
    Query {
        claimed: Option<Service>,
        is_admitted: bool,
    },
    /// S3, under the same condition.
    Storage { ids: ResponseIds, is_admitted: bool },
}

/// Which service answers a request.
#[derive(Debug, PartialEq, Eq)]
enum RequestRoute {
    /// A service whose requests are parameters; `Some` if the credential scope names it.
    Query(Option<Service>),
    /// S3.
    Storage,
}

/// Routes by the service in the credential scope; if that is missing or unknown, by the shape of
/// the request.
fn route(method: &Method, uri: &Uri, headers: &HeaderMap) -> RequestRoute {
    match claimed_service(headers, uri).as_deref() {
        Some("s3") => return RequestRoute::Storage,
        Some("iam") => return RequestRoute::Query(Some(Service::Iam)),
        Some("sts") => return RequestRoute::Query(Some(Service::Sts)),
        Some("keywright") => return RequestRoute::Query(Some(Service::Keywright)),
        Some("organizations") => return RequestRoute::Query(Some(Service::Organizations)),
        _ => {}
    }
    // Without a scope it is not signed, which its own service must say.
    let target = headers.get(query::TARGET).map(HeaderValue::as_bytes);
    if target.is_some_and(|target| target.starts_with(b"AWSOrganizations")) {
        return RequestRoute::Query(Some(Service::Organizations));
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
mod event_tests;
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
            let got = route(&parts.method, &parts.uri, &parts.headers);
            assert_eq!(got, expected, "{line} {service:?}");
        }
    }
}
