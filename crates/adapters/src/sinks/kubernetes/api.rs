//! One request to a cluster's API, and what its answer means for a sink.
//!
//! It protects one rule: what the cluster says is shown only where it quotes nothing of what was
//! sent. A token that has run out is fetched anew, once.

use keywright_base::{Secret, limits};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::sync::Mutex;

use super::cluster::{Cluster, Token};
use crate::http;

/// The media type of a patch that says what changes.
pub(super) const MERGE: &str = "application/merge-patch+json";

/// A request.
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    /// Everything is checked and nothing changed.
    pub(super) dry: bool,
    pub(super) body: Option<(&'static str, &'a Value)>,
}

impl<'a> Asked<'a> {
    pub(super) const fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            dry: false,
            body: None,
        }
    }
}

/// Why the cluster did not do it; no secret is quoted.
pub(super) enum Refusal {
    Passing(String),
    Lasting(String),
}

/// A cluster's API, and the token of the moment.
pub(super) struct Api {
    http: reqwest::Client,
    server: String,
    source: Token,
    token: Mutex<Option<Secret<String>>>,
}

impl Api {
    pub(super) fn open(cluster: Cluster) -> Result<Self, String> {
        http::address(&cluster.server)?;
        let authorities = cluster.authorities.as_deref();
        let authorities = authorities.map(|pem| ("the cluster's certificate-authority", pem));
        let http = http::client_of(authorities, cluster.certificate.as_ref());
        Ok(Self {
            http: http.map_err(|error| error.to_string())?,
            server: cluster.server,
            source: cluster.token,
            token: Mutex::new(None),
        })
    }

    /// Asks; nothing where there is no such object. A token that has run out is fetched anew, once.
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> Result<Option<Value>, Refusal> {
        let (status, answer) = self.once(asked).await?;
        if status != StatusCode::UNAUTHORIZED {
            return understood(asked, status, answer);
        }
        self.token.lock().await.take();
        let (status, answer) = self.once(asked).await?;
        understood(asked, status, answer)
    }

    async fn once(&self, asked: &Asked<'_>) -> Result<(StatusCode, Option<Value>), Refusal> {
        let dry = if asked.dry { "?dryRun=All" } else { "" };
        let url = format!("{}{}{dry}", self.server, asked.path);
        let mut request = self.http.request(asked.method.clone(), url);
        request = request.header("accept", "application/json");
        if let Some(token) = self.bearer().await.map_err(Refusal::Lasting)? {
            request = request.bearer_auth(token.expose());
        }
        if let Some((media, body)) = asked.body {
            request = request.header("content-type", media).body(body.to_string());
        }
        let passing = |why: String| Refusal::Passing(why);
        let sent = request.send().await;
        let response = sent.map_err(|error| passing(http::root_of(&error)))?;
        let status = response.status();
        let bytes = http::body(response, limits::ANSWER_BYTES).await;
        let bytes = Secret::new(bytes.map_err(passing)?);
        Ok((status, serde_json::from_slice(bytes.expose()).ok()))
    }

    async fn bearer(&self) -> Result<Option<Secret<String>>, String> {
        let mut token = self.token.lock().await;
        if token.is_none() {
            *token = self.source.fetch().await?;
        }
        Ok(token.clone())
    }
}

fn understood(
    asked: &Asked<'_>,
    status: StatusCode,
    answer: Option<Value>,
) -> Result<Option<Value>, Refusal> {
    if status.is_success() {
        let none = || Refusal::Passing("the answer is not JSON".to_owned());
        return answer.map(Some).ok_or_else(none);
    }
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let answer = answer.unwrap_or_default();
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    // Whoever refuses an object, also somebody's admission webhook, may quote it.
    let secret = asked
        .body
        .is_some_and(|(_, body)| body.get("data").is_some());
    let told = text(if secret { "reason" } else { "message" });
    let why = format!("{} {}: {status} {told}", asked.method, asked.path);
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        );
    Err(if passing {
        Refusal::Passing(why)
    } else {
        Refusal::Lasting(why)
    })
}
