//! Workload identity federation: another issuer's token, from a file or a URL, is exchanged for one
//! of Google (RFC 8693), and that one possibly for a service account's.
//!
//! Invariant: tokens are sent only over HTTPS, or to this machine. Sources that run a program or
//! sign for AWS are rejected.

use std::{collections::BTreeMap, path::PathBuf};

use keywright_base::Secret;
use keywright_rotation::ports::SinkError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::credentials::{SCOPE, post};
use crate::{bearer::TokenAnswer, rest::RestClient};
use keywright_aws::http;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// The requested lifetime of a service account's token, in seconds.
const LIFE_SECS: i64 = 3600;

/// A file of the type `external_account`.
#[derive(Deserialize)]
pub(super) struct ExternalAccount {
    audience: String,
    subject_token_type: String,
    token_url: String,
    service_account_impersonation_url: Option<String>,
    credential_source: TokenSource,
}

#[derive(Deserialize)]
struct TokenSource {
    file: Option<PathBuf>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    format: TokenFormat,
}

#[derive(Deserialize, Default)]
struct TokenFormat {
    #[serde(default, rename = "type")]
    kind: String,
    subject_token_field_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImpersonationResponse {
    #[serde(deserialize_with = "crate::bearer::token")]
    access_token: Secret<String>,
}

impl ExternalAccount {
    /// Rejects a file that cannot be used.
    pub(super) fn check(&self) -> Result<(), String> {
        let source = &self.credential_source;
        let urls = [
            Some(&self.token_url),
            self.service_account_impersonation_url.as_ref(),
        ];
        for url in urls.into_iter().chain([source.url.as_ref()]).flatten() {
            http::address(url)?;
        }
        match (&source.file, &source.url) {
            (Some(_), None) | (None, Some(_)) => Ok(()),
            _ => Err("only credential sources with a file or a url are supported".to_owned()),
        }
    }

    /// The other issuer's token.
    async fn subject(&self, rest: &RestClient) -> Result<Secret<String>, SinkError> {
        let source = &self.credential_source;
        let text = match (&source.file, &source.url) {
            (Some(path), _) => {
                let text = tokio::fs::read_to_string(path).await.map(Secret::new);
                text.map_err(|error| rest.never(&format!("{}: {error}", path.display())))?
            }
            (None, url) => {
                let mut request = rest.http.get(url.as_deref().unwrap_or_default());
                let mut sent = Vec::new();
                for (name, value) in &source.headers {
                    request = request.header(name, value);
                    sent.push(value.as_str());
                }
                let answer = rest.send(request, &sent).await?;
                rest.text("the token of the credential source", &answer)?
            }
        };
        if source.format.kind != "json" {
            return Ok(Secret::new(text.expose().trim().to_owned()));
        }
        let field = source.format.subject_token_field_name.as_deref();
        let value: Value = serde_json::from_str(text.expose()).unwrap_or_default();
        let token = field.and_then(|field| value.get(field)?.as_str());
        let none = || rest.never(&"the credential source contains no token");
        token
            .map(|token| Secret::new(token.to_owned()))
            .ok_or_else(none)
    }

    pub(super) async fn token(&self, rest: &RestClient) -> Result<TokenAnswer, SinkError> {
        let subject = self.subject(rest).await?;
        let fields = [
            ("grant_type", EXCHANGE),
            ("audience", &self.audience),
            ("scope", SCOPE),
            ("requested_token_type", ACCESS_TOKEN),
            ("subject_token", subject.expose()),
            ("subject_token_type", &self.subject_token_type),
        ];
        let request = post(rest, &self.token_url, &fields);
        let answer = rest.send(request, &[subject.expose()]).await?;
        let token: TokenAnswer = rest.read("a token of the security token service", &answer)?;
        let Some(url) = &self.service_account_impersonation_url else {
            return Ok(token);
        };
        let body = json!({"scope": [SCOPE], "lifetime": format!("{LIFE_SECS}s")});
        let request = rest.http.post(url).bearer_auth(token.token().expose());
        let request = request.header("content-type", "application/json");
        let request = request.body(body.to_string());
        let answer = rest.send(request, &[token.token().expose()]).await?;
        let found: ImpersonationResponse = rest.read("a token of the service account", &answer)?;
        Ok(TokenAnswer::new(found.access_token, LIFE_SECS))
    }
}
