//! The one HTTP client: TLS by rustls with ring, no redirects, limits on time and size.
//!
//! It protects two rules: https is never less than verified, and no answer is read without a limit.

use std::{fs, path::Path, time::Duration};

use reqwest::{Certificate, Client, Response, redirect::Policy};

/// Seconds to connect.
const CONNECT_SECS: u64 = 10;
/// Seconds that a request may take as a whole.
const REQUEST_SECS: u64 = 30;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The file of authorities cannot be used.
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

/// A client that trusts the authorities of a PEM file, or else the system's.
///
/// # Errors
/// [`HttpError`].
pub fn client(authorities: Option<&Path>) -> Result<Client, HttpError> {
    // One provider for the process; an error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(CONNECT_SECS))
        .timeout(Duration::from_secs(REQUEST_SECS))
        .user_agent(concat!("keywright/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = authorities {
        let failed = |why: &dyn std::fmt::Display| HttpError::Authorities {
            path: path.display().to_string(),
            why: why.to_string(),
        };
        let pem = fs::read(path).map_err(|error| failed(&error))?;
        let found = Certificate::from_pem_bundle(&pem).map_err(|error| failed(&error))?;
        if found.is_empty() {
            return Err(failed(&"it holds no certificate"));
        }
        builder = builder.tls_certs_only(found);
    }
    builder
        .build()
        .map_err(|error| HttpError::Tls(root_of(&error)))
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// A sentence: it is longer, or the connection broke.
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

/// The innermost cause, which is what a person can do something about. URLs are left out: they may
/// hold what is none of a log's business.
pub fn root_of(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
