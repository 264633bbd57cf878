//! The HTTP client: TLS by rustls with ring, no redirects, limits on time and size.
//!
//! Invariants: https is always verified, and no response is read without a limit.

use std::{fs, path::Path, time::Duration};

use reqwest::{Certificate, Client, ClientBuilder, Response, Url, redirect::Policy};

/// Connect timeout in seconds.
const CONNECT_SECS: u64 = 10;
/// Timeout of a whole request in seconds.
const REQUEST_SECS: u64 = 30;

/// Why a client cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The CA bundle cannot be used.
    #[error("cannot use {path} as authorities to trust: {why}")]
    Authorities {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

/// A client that trusts the CAs of a PEM file, or else those of the system.
///
/// # Errors
/// [`HttpError`].
pub fn client(authorities: Option<&Path>) -> Result<Client, HttpError> {
    let mut builder = builder();
    if let Some(path) = authorities {
        let name = path.display().to_string();
        let pem = fs::read(path).map_err(|error| unusable(&name, &error))?;
        let found = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(&name, &error))?;
        if found.is_empty() {
            return Err(unusable(&name, &"it holds no certificate"));
        }
        builder = builder.tls_certs_only(found);
    }
    let tls = |error: reqwest::Error| HttpError::Tls(root_of(&error));
    builder.build().map_err(tls)
}

/// A client without a proxy, for metadata endpoints that a cloud serves to its own machines only.
///
/// # Errors
/// [`HttpError`].
pub fn direct_client() -> Result<Client, HttpError> {
    let built = builder().no_proxy().build();
    built.map_err(|error| HttpError::Tls(root_of(&error)))
}

fn builder() -> ClientBuilder {
    install_provider();
    Client::builder()
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(CONNECT_SECS))
        .timeout(Duration::from_secs(REQUEST_SECS))
        .user_agent(concat!("keywright/", env!("CARGO_PKG_VERSION")))
}

/// Installs ring as the process's crypto provider if there is none yet.
pub fn install_provider() {
    // The error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn unusable(name: &str, why: &dyn std::fmt::Display) -> HttpError {
    HttpError::Authorities {
        path: name.to_owned(),
        why: why.to_string(),
    }
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// A message: the body is longer, or the connection failed.
pub async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| root_of(&error))? {
        if bytes.len() + chunk.len() > limit {
            return Err(format!("the answer is longer than {limit} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Parses a URL that a secret may be sent to: over TLS, or on this machine. The URL itself must not
/// contain credentials.
///
/// # Errors
/// A message.
pub fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("not an address: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the address must not contain a user name or password".to_owned());
    }
    let local = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        _ => Err("a secret goes out only by https, or to this machine".to_owned()),
    }
}

/// The innermost cause, which is what a person can act on. URLs are left out because they may
/// contain what must not be logged.
pub fn root_of(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
