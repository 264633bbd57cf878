//! A request to a cluster's API with the `kube` crate, and what the response means for a sink.
//!
//! Invariants: A message of the cluster is passed on only if it cannot quote what was sent. No
//! response is read without a limit: `kube::Api` reads whole responses, and logs one that it cannot
//! parse, so requests are sent directly. Expired credentials are fetched again, once.

use std::time::Duration;

use http::{Request, StatusCode, header::ACCEPT};
use http_body_util::{BodyExt, Limited};
use keywright_base::{Secret, limits};
use kube::{Client, client::Body};
use serde_json::Value;
use tokio::{sync::Mutex, time::timeout};

use super::kubeconfig::ClusterAccess;
use keywright_aws::http::root_of;

/// The time limit of a request as a whole.
const REQUEST: Duration = Duration::from_secs(30);

pub(super) struct ApiCall {
    pub(super) request: Request<Vec<u8>>,
    /// Whether the request contains a secret, which the response may quote.
    pub(super) secret: bool,
}

/// Why a request failed. Never quotes a secret.
pub(super) enum ClusterError {
    Passing(String),
    Lasting(String),
}

/// A cluster's API, and the current connection.
pub(super) struct ClusterConnection {
    access: ClusterAccess,
    client: Mutex<Option<Client>>,
}

impl ClusterConnection {
    pub(super) fn new(access: ClusterAccess) -> Self {
        Self {
            access,
            client: Mutex::new(None),
        }
    }

    /// Sends a request. `None` if the object does not exist.
    pub(super) async fn send(&self, call: &ApiCall) -> Result<Option<Value>, ClusterError> {
        let (status, answer) = self.once(call).await?;
        if status != StatusCode::UNAUTHORIZED {
            return understood(call, status, answer);
        }
        // Log in again, whether by a token, a file, a certificate or a program.
        self.client.lock().await.take();
        let (status, answer) = self.once(call).await?;
        understood(call, status, answer)
    }

    async fn once(&self, call: &ApiCall) -> Result<(StatusCode, Option<Value>), ClusterError> {
        let client = self.client().await?;
        let mut request = call.request.clone().map(Body::from);
        let json = http::HeaderValue::from_static("application/json");
        // A listing of names asks for a format of its own.
        request.headers_mut().entry(ACCEPT).or_insert(json);
        let passing = |why: String| ClusterError::Passing(why);
        let talk = async {
            let sent = client.send(request).await;
            let answer = sent.map_err(|error| passing(root_of(&error)))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), limits::ANSWER_BYTES);
            let body = body.collect().await;
            let body = body.map_err(|error| passing(root_of(error.as_ref())))?;
            let bytes = Secret::new(body.to_bytes().to_vec());
            Ok((status, serde_json::from_slice(bytes.expose()).ok()))
        };
        let late = |_| passing(format!("timed out after {} s", REQUEST.as_secs()));
        timeout(REQUEST, talk).await.map_err(late)?
    }

    async fn client(&self) -> Result<Client, ClusterError> {
        let mut client = self.client.lock().await;
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let made = self.access.log_in().await.map_err(ClusterError::Lasting)?;
        *client = Some(made.clone());
        Ok(made)
    }
}

fn understood(
    call: &ApiCall,
    status: StatusCode,
    answer: Option<Value>,
) -> Result<Option<Value>, ClusterError> {
    if status.is_success() {
        let none = || ClusterError::Passing("the response is not JSON".to_owned());
        return answer.map(Some).ok_or_else(none);
    }
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let answer = answer.unwrap_or_default();
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    // Anything that rejects an object, such as an admission webhook, may quote it.
    let message = text(if call.secret { "reason" } else { "message" });
    let (method, path) = (call.request.method(), call.request.uri().path());
    let why = format!("{method} {path}: {status} {message}");
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        );
    Err(if passing {
        ClusterError::Passing(why)
    } else {
        ClusterError::Lasting(why)
    })
}
