//! Access tokens that a service issues for a limited time.
//!
//! Invariant: a new token is requested before the old one expires, by the process's clock, and a
//! token is never part of an error.

use std::sync::Arc;

use keywright_base::{Clock, Secret};
use keywright_rotation::ports::SinkError;
use serde::{Deserialize, Deserializer, de::Error};
use tokio::sync::Mutex;

use super::rest::segment;

/// Seconds before its expiry at which a token is no longer used.
const MARGIN_SECS: i64 = 120;
/// The longest lifetime that is believed, in seconds.
const LIFE_SECS_MAX: i64 = 24 * 3600;

/// A token response of an OAuth 2 server, a metadata server or IMDS.
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    #[serde(deserialize_with = "token")]
    access_token: Secret<String>,
    /// A number, or a number in a string.
    #[serde(deserialize_with = "secs")]
    expires_in: i64,
}

pub(super) fn token<'de, D: Deserializer<'de>>(from: D) -> Result<Secret<String>, D::Error> {
    let token = Secret::new(String::deserialize(from)?);
    // The token is sent in a header, so it must be printable.
    match token.expose().is_empty() || token.expose().contains(|c: char| !c.is_ascii_graphic()) {
        true => Err(D::Error::custom("not a token")),
        false => Ok(token),
    }
}

impl TokenAnswer {
    pub(super) const fn new(access_token: Secret<String>, expires_in: i64) -> Self {
        Self {
            access_token,
            expires_in,
        }
    }

    pub(super) const fn token(&self) -> &Secret<String> {
        &self.access_token
    }
}

fn secs<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Plain(i64),
        Text(String),
    }
    let secs = match Number::deserialize(from)? {
        Number::Plain(secs) => secs,
        Number::Text(text) => text.parse().map_err(D::Error::custom)?,
    };
    Ok(secs.clamp(0, LIFE_SECS_MAX))
}

/// A cached token.
pub(super) struct BearerToken {
    clock: Arc<dyn Clock>,
    current: Mutex<Option<(Secret<String>, i64)>>,
}

impl BearerToken {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            current: Mutex::new(None),
        }
    }

    /// Unix time in seconds.
    pub(super) fn now(&self) -> i64 {
        self.clock.now().secs()
    }

    /// The cached token, or a new one if there is none or it expires soon.
    pub(super) async fn token(
        &self,
        ask: impl Future<Output = Result<TokenAnswer, SinkError>> + Send,
    ) -> Result<Secret<String>, SinkError> {
        let mut current = self.current.lock().await;
        let now = self.now();
        if let Some((token, _)) = current.as_ref().filter(|(_, until)| now < *until) {
            return Ok(token.clone());
        }
        let answer = ask.await?;
        let until = now + answer.expires_in - MARGIN_SECS;
        *current = Some((answer.access_token.clone(), until));
        Ok(answer.access_token)
    }
}

/// Encodes fields as `application/x-www-form-urlencoded`.
pub(super) fn form(fields: &[(&str, &str)]) -> Secret<String> {
    let mut form = String::new();
    for (name, value) in fields {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        form.extend(segment(value));
    }
    Secret::new(form)
}
