//! A message by HTTP POST, for the kinds that are an address.

use std::fmt;

use reqwest::{StatusCode, Url};

use super::secret_ref::SecretRef;
use keywright_aws::http;

/// Bytes of an answer that are read.
const ANSWER_BYTES: usize = 64 * 1024;

/// The address that messages are posted to.
pub(super) enum PostUrl {
    /// In the fleet file.
    Plain(Url),
    /// A secret, since whoever knows it may post there.
    Secret(SecretRef),
}

impl PostUrl {
    /// `env:NAME`, `file:/PATH`, or an address.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match SecretRef::parse(text)? {
            Some(secret) => Ok(Self::Secret(secret)),
            None => http::address(text).map(Self::Plain),
        }
    }

    /// `env:NAME` or `file:/PATH`.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn parse_secret(text: &str) -> Result<Self, String> {
        let secret = SecretRef::parse(text)?.ok_or(
            "its URL is a secret: put it into a variable (env:NAME) or a file (file:/PATH)",
        )?;
        Ok(Self::Secret(secret))
    }

    /// The address itself.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn url(&self) -> Result<Url, String> {
        match self {
            Self::Plain(url) => Ok(url.clone()),
            Self::Secret(secret) => {
                http::address(secret.read()?.expose()).map_err(|why| format!("{secret}: {why}"))
            }
        }
    }
}

impl fmt::Display for PostUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // What comes after the host may be a token.
            Self::Plain(url) => f.write_str(&url.origin().ascii_serialization()),
            Self::Secret(secret) => secret.fmt(f),
        }
    }
}

/// What was answered to a message that was not taken.
pub(super) struct PostRejection {
    pub(super) status: StatusCode,
    pub(super) answer: Vec<u8>,
}

impl fmt::Display for PostRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not what was answered: it may quote the address.
        write!(f, "it answered {}", self.status)
    }
}

/// Posts JSON, once.
///
/// # Errors
/// A sentence, or a refusal for the caller to put into words.
pub(super) async fn post(
    url: Url,
    headers: &[(&'static str, String)],
    body: String,
) -> Result<Result<(), PostRejection>, String> {
    let client = http::client(None).map_err(|error| error.to_string())?;
    let mut request = client.post(url).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let sent = request.body(body).send().await;
    let response = sent.map_err(|error| http::root_of(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(Ok(()));
    }
    let answer = http::body(response, ANSWER_BYTES).await.unwrap_or_default();
    Ok(Err(PostRejection { status, answer }))
}
