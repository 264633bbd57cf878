//! Google's Application Default Credentials, as far as they lead to a token with one request.
//!
//! The order is that of Google's own libraries: a token in the environment, the file that
//! `GOOGLE_APPLICATION_CREDENTIALS` names, the file that `gcloud auth application-default login`
//! writes, the metadata server. Other types of files are rejected. Google's libraries are not used
//! here because they bring their own HTTP client, without our limits.

use std::{path::PathBuf, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use keywright_base::{Clock, Secret};
use keywright_rotation::ports::SinkError;
use reqwest::RequestBuilder;
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde::Deserialize;
use serde_json::json;

use super::federation::ExternalAccount;
use crate::{
    aws_profile::{home, variable},
    bearer::{BearerToken, TokenAnswer, form},
    rest::RestClient,
};
use keywright_aws::http;

/// The OAuth scope of the tokens.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
const METADATA_HOST: &str = "metadata.google.internal";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Seconds for which a token from the environment is cached; there is no newer one to get.
const FIXED_SECS: i64 = 3600;
/// The lifetime of an assertion in seconds.
const ASSERTION_SECS: i64 = 3600;

/// A credentials file, by its `type`.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum CredentialsFile {
    ServiceAccount {
        client_email: String,
        private_key_id: Option<String>,
        private_key: String,
        token_uri: Option<String>,
    },
    AuthorizedUser {
        client_id: String,
        client_secret: String,
        refresh_token: String,
        quota_project_id: Option<String>,
    },
    ExternalAccount(Box<ExternalAccount>),
    #[serde(other)]
    Other,
}

enum GoogleCredentialSource {
    Token(Secret<String>),
    ServiceAccount(Box<ServiceAccount>),
    User {
        token_url: String,
        client_id: String,
        client_secret: Secret<String>,
        refresh_token: Secret<String>,
    },
    Federation(Box<ExternalAccount>),
    Metadata {
        host: String,
    },
}

struct ServiceAccount {
    email: String,
    key_id: Option<String>,
    key: RsaKeyPair,
    token_url: String,
}

/// The identity that calls Google.
pub(super) struct GoogleCredentials {
    source: GoogleCredentialSource,
    bearer: BearerToken,
    /// The project that is billed for a user's calls.
    pub(super) quota_project: Option<String>,
}

impl GoogleCredentials {
    /// Credentials from the environment.
    pub(super) fn find(clock: &Arc<dyn Clock>) -> Result<Self, String> {
        if let Some(token) = variable("GOOGLE_OAUTH_ACCESS_TOKEN") {
            return Ok(Self::of(
                GoogleCredentialSource::Token(Secret::new(token)),
                None,
                clock,
            ));
        }
        let named = variable("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from);
        let left = || {
            let folder = variable("CLOUDSDK_CONFIG").map(PathBuf::from);
            let folder = folder.or_else(|| Some(home()?.join(".config/gcloud")))?;
            let file = folder.join("application_default_credentials.json");
            file.exists().then_some(file)
        };
        if let Some(path) = named.or_else(left) {
            let text = std::fs::read(&path).map(Secret::new);
            let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
            return Self::from_file(text.expose(), clock)
                .map_err(|why| format!("{}: {why}", path.display()));
        }
        let host = variable("GCE_METADATA_HOST").unwrap_or_else(|| METADATA_HOST.to_owned());
        Ok(Self::of(
            GoogleCredentialSource::Metadata { host },
            None,
            clock,
        ))
    }

    fn of(
        source: GoogleCredentialSource,
        quota_project: Option<String>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        Self {
            source,
            bearer: BearerToken::new(Arc::clone(clock)),
            quota_project,
        }
    }

    /// Credentials from a file. The errors never quote it.
    pub(super) fn from_file(text: &[u8], clock: &Arc<dyn Clock>) -> Result<Self, String> {
        let file = serde_json::from_slice(text);
        let file = file.map_err(|_| "it is not a Google credentials file".to_owned())?;
        match file {
            CredentialsFile::ServiceAccount {
                client_email,
                private_key_id,
                private_key,
                token_uri,
            } => {
                let pem = Secret::new(private_key);
                let key = PrivatePkcs8KeyDer::from_pem_slice(pem.expose().as_bytes());
                let key = key.map_err(|_| "its private key is not in PEM format".to_owned())?;
                let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der());
                let account = ServiceAccount {
                    email: client_email,
                    key_id: private_key_id,
                    key: key.map_err(|why| format!("its private key cannot be used: {why}"))?,
                    token_url: token_url(token_uri)?,
                };
                Ok(Self::of(
                    GoogleCredentialSource::ServiceAccount(Box::new(account)),
                    None,
                    clock,
                ))
            }
            CredentialsFile::AuthorizedUser {
                client_id,
                client_secret,
                refresh_token,
                quota_project_id,
            } => {
                let user = GoogleCredentialSource::User {
                    token_url: TOKEN_URL.to_owned(),
                    client_id,
                    client_secret: Secret::new(client_secret),
                    refresh_token: Secret::new(refresh_token),
                };
                Ok(Self::of(user, quota_project_id, clock))
            }
            CredentialsFile::ExternalAccount(federation) => {
                federation.check()?;
                Ok(Self::of(
                    GoogleCredentialSource::Federation(federation),
                    None,
                    clock,
                ))
            }
            CredentialsFile::Other => Err(
                "only service_account, authorized_user and external_account are supported"
                    .to_owned(),
            ),
        }
    }

    /// A token that is valid for at least a short time.
    pub(super) async fn token(&self, rest: &RestClient) -> Result<Secret<String>, SinkError> {
        self.bearer.token(self.ask(rest)).await
    }

    async fn ask(&self, rest: &RestClient) -> Result<TokenAnswer, SinkError> {
        let (call, request, sent) = match &self.source {
            GoogleCredentialSource::Token(token) => {
                return Ok(TokenAnswer::new(token.clone(), FIXED_SECS));
            }
            GoogleCredentialSource::Federation(federation) => return federation.token(rest).await,
            GoogleCredentialSource::ServiceAccount(account) => {
                let assertion = account.assertion(self.bearer.now());
                let assertion = Secret::new(assertion.map_err(|why| rest.never(&why))?);
                let fields = [("grant_type", GRANT), ("assertion", assertion.expose())];
                let request = post(rest, &account.token_url, &fields);
                ("a token of the service account", request, vec![assertion])
            }
            GoogleCredentialSource::User {
                token_url,
                client_id,
                client_secret,
                refresh_token,
            } => {
                let fields = [
                    ("grant_type", "refresh_token"),
                    ("client_id", client_id.as_str()),
                    ("client_secret", client_secret.expose()),
                    ("refresh_token", refresh_token.expose()),
                ];
                let sent = vec![client_secret.clone(), refresh_token.clone()];
                ("a token of the user", post(rest, token_url, &fields), sent)
            }
            GoogleCredentialSource::Metadata { host } => return ask_metadata(rest, host).await,
        };
        let sent: Vec<&str> = sent.iter().map(|secret| secret.expose().as_str()).collect();
        let answer = rest.send(request, &sent).await?;
        rest.read(call, &answer)
    }

    #[cfg(test)]
    pub(super) fn token_for_test(token: &str, clock: &Arc<dyn Clock>) -> Self {
        Self::of(
            GoogleCredentialSource::Token(Secret::new(token.to_owned())),
            None,
            clock,
        )
    }

    #[cfg(test)]
    pub(super) fn metadata_for_test(host: &str, clock: &Arc<dyn Clock>) -> Self {
        let host = host.to_owned();
        Self::of(GoogleCredentialSource::Metadata { host }, None, clock)
    }

    /// Uses another token endpoint for a user's credentials.
    #[cfg(test)]
    pub(super) fn at_for_test(mut self, url: &str) -> Self {
        if let GoogleCredentialSource::User { token_url, .. } = &mut self.source {
            url.clone_into(token_url);
        }
        self
    }
}

async fn ask_metadata(rest: &RestClient, host: &str) -> Result<TokenAnswer, SinkError> {
    let path = "computeMetadata/v1/instance/service-accounts/default/token";
    let request = rest.direct.get(format!("http://{host}/{path}"));
    let request = request.header("metadata-flavor", "Google");
    let answer = rest.send(request, &[]).await.map_err(|error| {
        rest.later(&format!(
            "no Google credentials found in GOOGLE_APPLICATION_CREDENTIALS or from gcloud, and no \
             metadata server is available: {error}"
        ))
    })?;
    rest.read("a token of the metadata server", &answer)
}

fn token_url(given: Option<String>) -> Result<String, String> {
    let url = given.unwrap_or_else(|| TOKEN_URL.to_owned());
    http::address(&url).map_err(|why| format!("token_uri: {why}"))?;
    Ok(url)
}

pub(super) fn post(rest: &RestClient, url: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    let request = rest.http.post(url);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.body(form(fields).expose().clone())
}

impl ServiceAccount {
    /// A signed assertion of the caller's identity (RFC 7523).
    fn assertion(&self, now: i64) -> Result<String, String> {
        let head = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let claims = json!({
            "iss": self.email, "scope": SCOPE, "aud": self.token_url,
            "iat": now, "exp": now + ASSERTION_SECS,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&head), part(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .map_err(|_| "the assertion cannot be signed".to_owned())?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
