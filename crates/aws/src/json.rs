//! AWS services with the JSON 1.1 protocol: one signed request, sent once.
//!
//! Endpoint and credentials come from the destination's own settings, separate from the rotation's:
//! keys of Keywright may well be stored in AWS.

use std::sync::Arc;

use http::{Request, header};
use keywright_base::{Clock, Secret, limits};
use keywright_rotation::ports::SinkError;
use keywright_sigv4::{PayloadClaim, SigningCredentials, SigningTarget, sign};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    access::{AccessError, AccountClient},
    credentials::{SigningKeys, fetch},
    endpoint::{ServiceEndpoint, ServiceName},
    printable::one_line,
    settings::{ClientSettings, sdk},
};
use crate::http::{body, client, root_of};

/// A service in one region.
pub struct JsonService {
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    keys: SigningKeys,
    url: String,
    region: &'static str,
    /// The name in the credential scope.
    name: &'static str,
    /// The prefix of `X-Amz-Target`.
    prefix: &'static str,
}

impl std::fmt::Debug for JsonService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JsonService({})", self.prefix)
    }
}

/// Why a request was rejected.
#[derive(Debug)]
pub struct JsonCallError {
    /// The service's error code without its namespace.
    pub code: String,
    /// The error for a sink.
    pub error: SinkError,
}

impl JsonService {
    /// Opens it with credentials of the chain.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn open(
        (name, prefix): (ServiceName, &'static str),
        settings: &ClientSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AccessError> {
        let sdk = sdk(settings, None).await;
        let (endpoint, _) = settings.endpoint(name, &sdk)?;
        let keys = fetch(settings, &sdk, None).await?;
        Self::with((name, prefix), endpoint, keys, (settings, clock))
    }

    /// Opens it with the credentials of an account client, in the given region or that of the
    /// client.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn beside(
        (name, prefix): (ServiceName, &'static str),
        access: &AccountClient,
        region: Option<&str>,
    ) -> Result<Self, AccessError> {
        let mut settings = access.settings().clone();
        settings.region = region.map(str::to_owned).or(settings.region);
        let (endpoint, _) = settings.endpoint(name, &sdk(&settings, None).await)?;
        let keys = access.keys().await?;
        Self::with((name, prefix), endpoint, keys, (&settings, access.clock()))
    }

    fn with(
        (name, prefix): (ServiceName, &'static str),
        ServiceEndpoint { url, region }: ServiceEndpoint,
        keys: SigningKeys,
        (settings, clock): (&ClientSettings, Arc<dyn Clock>),
    ) -> Result<Self, AccessError> {
        Ok(Self {
            http: client(settings.ca_bundle.as_deref())?,
            clock,
            keys,
            url,
            region,
            name: name.host,
            prefix,
        })
    }

    /// The region.
    pub const fn region(&self) -> &'static str {
        self.region
    }

    /// A service on this machine, for tests.
    ///
    /// # Errors
    /// [`AccessError`] if there is no HTTP client.
    #[cfg(feature = "testing")]
    pub fn at(
        (name, prefix): (&'static str, &'static str),
        url: String,
        pair: &keywright_rotation::model::KeyPair,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AccessError> {
        Ok(Self {
            http: client(None)?,
            clock,
            keys: SigningKeys::of_pair(pair),
            url,
            region: "eu-west-1",
            name,
            prefix,
        })
    }

    fn refused(&self, code: &str, passing: bool, why: &str) -> JsonCallError {
        let text = format!("{}: {}", self.name, one_line(why));
        JsonCallError {
            code: code.to_owned(),
            error: if passing {
                SinkError::Later(text)
            } else {
                SinkError::Never(text)
            },
        }
    }

    /// Calls an action. Error messages are the service's, which quotes no secret.
    ///
    /// # Errors
    /// [`JsonCallError`].
    pub async fn call(&self, action: &str, supplied: &Value) -> Result<Value, JsonCallError> {
        let form = Secret::new(supplied.to_string());
        let request = self.signed(action, &form);
        let request = request.and_then(|request| reqwest::Request::try_from(request).ok());
        let Some(request) = request else {
            return Err(self.refused("", false, "the request cannot be signed"));
        };
        let sent = self.http.execute(request).await;
        let response = sent.map_err(|error| {
            let why = format!("cannot reach {}: {}", self.url, root_of(&error));
            self.refused("", true, &why)
        })?;
        let status = response.status();
        let bytes = body(response, limits::ANSWER_BYTES).await;
        let bytes = Secret::new(bytes.map_err(|why| self.refused("", true, &why))?);
        let answer: Option<Value> = serde_json::from_slice(bytes.expose()).ok();
        match answer {
            Some(answer) if status.is_success() => Ok(answer),
            answer => {
                let answer = answer.unwrap_or_default();
                let text = |name: &str| answer.get(name).and_then(Value::as_str);
                let code = text("__type").and_then(|code| code.rsplit('#').next());
                let code = code.unwrap_or_default();
                let message = text("message")
                    .or_else(|| text("Message"))
                    .unwrap_or_default();
                let passing = status.is_server_error() || code.contains("Throttl");
                Err(self.refused(
                    code,
                    passing,
                    &format!("{action}: {status} {code} {message}"),
                ))
            }
        }
    }

    fn signed(&self, action: &str, form: &Secret<String>) -> Option<Request<String>> {
        let authority = self.url.split_once("://")?.1;
        let request = Request::post(format!("{}/", self.url))
            .header(header::HOST, authority)
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", format!("{}.{action}", self.prefix))
            .body(());
        let (mut parts, ()) = request.ok()?.into_parts();
        let credentials = SigningCredentials {
            access_key_id: &self.keys.id,
            secret: &self.keys.secret,
            session_token: self.keys.token.as_ref(),
        };
        let target = SigningTarget {
            region: self.region,
            service: self.name,
        };
        let payload = PayloadClaim::Sha256(Sha256::digest(form.expose()).into());
        sign(&mut parts, &credentials, &target, payload, self.clock.now()).ok()?;
        Some(Request::from_parts(parts, form.expose().clone()))
    }
}
