//! Sends messages by HTTP POST.

use std::fmt;

use reqwest::{StatusCode, Url};

use super::secret_ref::SecretRef;
use keywright_aws::http;

/// The maximum size of a response, in bytes.
const ANSWER_BYTES: usize = 64 * 1024;

/// The URL that messages are posted to.
pub(super) enum PostUrl {
    /// Written in the fleet file.
    Plain(Url),
    /// A secret: anyone who knows the URL can post to it.
    Secret(SecretRef),
}

impl PostUrl {
    /// Parses `env:NAME`, `file:/PATH`, or a URL.
    ///
    /// # Errors
    /// A message.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match SecretRef::parse(text)? {
            Some(secret) => Ok(Self::Secret(secret)),
            None => http::address(text).map(Self::Plain),
        }
    }

    /// Parses `env:NAME` or `file:/PATH`.
    ///
    /// # Errors
    /// A message.
    pub(super) fn parse_secret(text: &str) -> Result<Self, String> {
        let secret = SecretRef::parse(text)?.ok_or(
            "the URL is a secret: put it in an environment variable (env:NAME) or a file \
             (file:/PATH)",
        )?;
        Ok(Self::Secret(secret))
    }

    /// Resolves the URL.
    ///
    /// # Errors
    /// A message.
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
            // The path may contain a token.
            Self::Plain(url) => f.write_str(&url.origin().ascii_serialization()),
            Self::Secret(secret) => secret.fmt(f),
        }
    }
}

/// The response to a message that was not accepted.
pub(super) struct PostRejection {
    pub(super) status: StatusCode,
    pub(super) answer: Vec<u8>,
}

impl fmt::Display for PostRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Omit the body: it may quote the URL.
        write!(f, "it responded with {}", self.status)
    }
}

/// Posts JSON once.
///
/// # Errors
/// A message, or the rejecting response for the caller to interpret.
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
