//! Any HTTPS URL as a sink. It gets its instructions as signed JSON.
//!
//! Invariants: a secret is sent only over TLS (or to this machine), and the receiver can verify who
//! sent it and when. The receiver's response is never shown.

use std::sync::Arc;

use async_trait::async_trait;
use keywright_base::{Clock, Secret, Timestamp, limits};
use keywright_rotation::{
    model::{KeyId, KeyPair, RotationId},
    ports::{RotationPairs, Sink, SinkBackup, SinkContent, SinkError},
};
use reqwest::{StatusCode, Url};
use ring::hmac;
use serde_json::{Value, json};

use super::{
    ParsedDestination, SinkKind, aws_profile::variable, program::ProgramBackup,
    public_name::without_query,
};
use keywright_aws::http;

pub(super) const KIND: SinkKind = SinkKind {
    prefix: "webhook",
    syntax: "URL",
    writes: "the same JSON, signed, by POST; https, or http to this machine",
    parse: |text| Ok(Box::new(http::address(text)?)),
};

#[async_trait]
impl ParsedDestination for Url {
    fn public(&self) -> String {
        without_query(self)
    }

    fn backend(&self) -> String {
        let port = self.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.host_str().unwrap_or_default())
    }

    async fn open(&self, name: String, clock: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, String> {
        let webhook = WebhookSink::open(name, self.clone(), Arc::clone(clock))?;
        Ok(Box::new(webhook))
    }
}

/// The header with the time and a signature of time and body.
pub const SIGNATURE: &str = "x-keywright-signature";
/// The variable with the signing key.
pub const KEY: &str = "KEYWRIGHT_WEBHOOK_KEY";

/// The signing key as an HMAC key.
pub fn hmac_key(key: &Secret<String>) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes())
}

/// The header's value for a body that is sent now.
pub fn signature(key: &hmac::Key, now: Timestamp, body: &str) -> String {
    let at = now.secs();
    let tag = hmac::sign(key, format!("{at}.{body}").as_bytes());
    format!("t={at},v1={}", hex::encode(tag))
}

pub(super) struct WebhookSink {
    name: String,
    url: Url,
    http: reqwest::Client,
    key: hmac::Key,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for WebhookSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl WebhookSink {
    /// Takes the signing key from the environment.
    pub(super) fn open(name: String, url: Url, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let key = variable(KEY).map(Secret::new);
        let key = key.ok_or_else(|| format!("{KEY} is not set; it is needed to sign requests"))?;
        Self::with_key(name, url, &key, clock)
    }

    /// Uses the given signing key.
    pub(super) fn with_key(
        name: String,
        url: Url,
        key: &Secret<String>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        Ok(Self {
            name,
            url,
            http: http::client(None).map_err(|error| error.to_string())?,
            key: hmac_key(key),
            clock,
        })
    }

    async fn tell(&self, payload: &Value) -> Result<Vec<u8>, SinkError> {
        let body = Secret::new(payload.to_string());
        let sent = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header(
                SIGNATURE,
                signature(&self.key, self.clock.now(), body.expose()),
            )
            .body(body.expose().clone())
            .send()
            .await;
        let later = |why: String| SinkError::Later(format!("{}: {why}", self.name));
        let response = sent.map_err(|error| later(http::root_of(&error)))?;
        let status = response.status();
        let answer = http::body(response, limits::ANSWER_BYTES)
            .await
            .map_err(later)?;
        if status.is_success() {
            return Ok(answer);
        }
        let passing = status.is_server_error()
            || matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
            );
        let why = format!("{}: it responded with {status}", self.name);
        Err(if passing {
            SinkError::Later(why)
        } else {
            SinkError::Never(why)
        })
    }
}

#[async_trait]
impl Sink for WebhookSink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn stage(&self, rotation: &RotationId) -> Result<SinkBackup, SinkError> {
        let payload = json!({"Action": "stage", "RotationId": rotation.0});
        self.tell(&payload).await?;
        ProgramBackup::backup(&self.read_back().await?)
    }

    async fn commit(
        &self,
        rotation: &RotationId,
        backup: &SinkBackup,
        pair: &KeyPair,
    ) -> Result<(), SinkError> {
        let before = ProgramBackup::read(backup);
        before.check(&self.name, &self.read_back().await?, &pair.id)?;
        let payload = json!({
            "Action": "commit",
            "RotationId": rotation.0,
            "PreviousAccessKeyId": before.key(),
            "AccessKeyId": pair.id.0,
            "SecretAccessKey": pair.secret.expose(),
        });
        self.tell(&payload).await.map(drop)
    }

    async fn read_back(&self) -> Result<SinkContent, SinkError> {
        let message = self.tell(&json!({"Action": "read"})).await?;
        if message.trim_ascii().is_empty() {
            return Ok(SinkContent::Unreadable);
        }
        let message: Value = serde_json::from_slice(&message).map_err(|_| {
            SinkError::Never(format!("{}: its response to read is not JSON", self.name))
        })?;
        let id = message.get("AccessKeyId").and_then(Value::as_str);
        Ok(id.map_or(SinkContent::Nothing, |id| {
            SinkContent::Key(KeyId(id.to_owned()))
        }))
    }

    async fn restore(
        &self,
        rotation: &RotationId,
        backup: &SinkBackup,
        pairs: RotationPairs<'_>,
    ) -> Result<(), SinkError> {
        let before = ProgramBackup::read(backup);
        before.check(&self.name, &self.read_back().await?, &pairs.new.id)?;
        let payload = json!({
            "Action": "restore",
            "RotationId": rotation.0,
            "PreviousAccessKeyId": before.key(),
        });
        self.tell(&payload).await.map(drop)
    }
}
