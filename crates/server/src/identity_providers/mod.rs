//! Fetches the keys of identity providers: their configuration, and the key set that it names.
//!
//! Whoever may register a provider chooses where this connects to, and whoever has a token when.
//! Invariants:
//!
//! - Only https, to the provider's host or the one that its configuration names, without redirects
//!   and without a proxy, so that the address that is checked is the one that is connected to.
//! - Neither this machine, the link, nor a cloud's metadata is reached ([`addresses`]), nor this
//!   server under the names that the operator gave it.
//! - No certificate is accepted that is not verified ([`certificate`]).
//! - Bytes and time are limited.
//!
//! What was fetched is neither parsed for keys nor held here; `identity::web_identity` does both.

mod addresses;
mod certificate;

use std::{sync::Arc, time::Duration};

use keywright_aws::http::{body, root_of};
use keywright_base::limits;
use keywright_identity::web_identity::{DocumentFault, ProviderDocuments, ProviderRequest};
use reqwest::{Client, StatusCode, Url, redirect::Policy};
use rustls::crypto::CryptoProvider;
use serde::Deserialize;

use crate::PublicUrl;

use self::{
    addresses::{AddressRule, CheckedResolver},
    certificate::{CertificateOutcome, CertificateRule, PublicTrust},
};

/// Fetches what identity providers publish.
#[derive(Debug)]
pub struct ProviderFetcher {
    crypto: Arc<CryptoProvider>,
    trust: PublicTrust,
    /// Issuers that may be on this machine, without a slash at the end.
    loopback: Vec<LoopbackIssuer>,
    /// The origins of this server.
    own: Vec<PublicUrl>,
    time_max: Duration,
}

/// The URL of an identity provider that may be on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoopbackIssuer(String);

/// The text is not the URL of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not the https URL of an issuer, for example https://127.0.0.1:8443")]
pub struct InvalidIssuer(String);

impl std::str::FromStr for LoopbackIssuer {
    type Err = InvalidIssuer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = Url::parse(text).ok().filter(is_usable);
        parsed.ok_or_else(|| InvalidIssuer(text.to_owned()))?;
        Ok(Self(without_slash(text).to_owned()))
    }
}

/// What a provider says of itself.
#[derive(Deserialize)]
struct ProviderConfiguration {
    issuer: String,
    jwks_uri: String,
}

impl ProviderFetcher {
    /// Trusts the certificates of the system. Only these issuers may be on this machine. `own` are
    /// the origins that clients know this server by.
    pub fn new(loopback: Vec<LoopbackIssuer>, own: Vec<PublicUrl>) -> Self {
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        Self {
            trust: PublicTrust::of_system(&crypto),
            crypto,
            loopback,
            own,
            time_max: Duration::from_secs(limits::PROVIDER_FETCH_SECS),
        }
    }

    async fn fetch(&self, provider: &ProviderRequest) -> Result<Vec<u8>, FetchError> {
        let issuer = provider.issuer.as_str();
        let named = self.loopback.iter().any(|allowed| allowed.0 == issuer);
        let addresses = AddressRule::new(named);
        let fetch = ProviderFetch::new(self, provider, addresses)?;
        let configuration = fetch
            .document(&format!("{issuer}/.well-known/openid-configuration"))
            .await?;
        let configuration: ProviderConfiguration = serde_json::from_slice(&configuration)
            .map_err(|_| FetchError::unusable("its configuration has no issuer and jwks_uri"))?;
        if without_slash(&configuration.issuer) != issuer {
            return Err(FetchError::unusable(
                "its configuration is of another issuer",
            ));
        }
        fetch.document(&configuration.jwks_uri).await
    }
}

#[async_trait::async_trait]
impl ProviderDocuments for ProviderFetcher {
    async fn key_set(&self, provider: &ProviderRequest) -> Result<Vec<u8>, DocumentFault> {
        let late = |_| Err(FetchError::unreachable("it takes too long"));
        let fetched = tokio::time::timeout(self.time_max, self.fetch(provider)).await;
        fetched.unwrap_or_else(late).map_err(|error| {
            let (issuer, why) = (&provider.issuer, &error.why);
            tracing::warn!(%issuer, %why, "the keys of an identity provider cannot be fetched");
            error.fault
        })
    }
}

/// Why a document was not fetched; the text is for the log.
#[derive(Debug)]
struct FetchError {
    fault: DocumentFault,
    why: String,
}

impl FetchError {
    fn unreachable(why: impl Into<String>) -> Self {
        Self {
            fault: DocumentFault::Unreachable,
            why: why.into(),
        }
    }

    fn unusable(why: impl Into<String>) -> Self {
        Self {
            fault: DocumentFault::Unusable,
            why: why.into(),
        }
    }
}

/// A fetch from one provider.
struct ProviderFetch<'a> {
    client: Client,
    addresses: AddressRule,
    certificate: CertificateOutcome,
    /// The origins of this server.
    own: &'a [PublicUrl],
}

impl<'a> ProviderFetch<'a> {
    fn new(
        fetcher: &'a ProviderFetcher,
        provider: &ProviderRequest,
        addresses: AddressRule,
    ) -> Result<Self, FetchError> {
        let crypto = &fetcher.crypto;
        let certificate = CertificateOutcome::default();
        let rule = CertificateRule::new(&fetcher.trust, provider, crypto, &certificate);
        let failed = |why: &dyn std::error::Error| FetchError::unreachable(root_of(why));
        let tls = rustls::ClientConfig::builder_with_provider(Arc::clone(crypto))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(rule))
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(CheckedResolver(addresses)))
            .redirect(Policy::none())
            .no_proxy()
            .https_only(true)
            .user_agent(concat!("keywright/", env!("CARGO_PKG_VERSION")));
        Ok(Self {
            client: client.build().map_err(|error| failed(&error))?,
            addresses,
            certificate,
            own: &fetcher.own,
        })
    }

    /// One document.
    async fn document(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let url = Url::parse(url).ok().filter(is_usable);
        let url = url.ok_or_else(|| FetchError::unusable("it names a URL that is not https"))?;
        // Addresses in URLs are not resolved.
        if let Some(address) = addresses::literal(&url)
            && !self.addresses.allows(address)
        {
            return Err(FetchError::unreachable(addresses::REFUSED));
        }
        let origin = url.origin().ascii_serialization();
        if self.own.iter().any(|own| own.as_str() == origin) {
            return Err(FetchError::unreachable("it is this server"));
        }
        let response = self.client.get(url).send().await;
        let response = response.map_err(|error| self.failed(&error))?;
        if response.status() != StatusCode::OK {
            let status = response.status();
            return Err(FetchError::unusable(format!(
                "it answers with status {status}"
            )));
        }
        let bytes = body(response, limits::PROVIDER_DOCUMENT_BYTES).await;
        bytes.map_err(FetchError::unusable)
    }

    fn failed(&self, error: &reqwest::Error) -> FetchError {
        if self.certificate.is_rejected() {
            return FetchError {
                fault: DocumentFault::Certificate,
                why: root_of(error),
            };
        }
        FetchError::unreachable(root_of(error))
    }
}

/// Whether documents may be fetched from a URL.
fn is_usable(url: &Url) -> bool {
    let anonymous = url.username().is_empty() && url.password().is_none();
    url.scheme() == "https" && url.has_host() && anonymous
}

fn without_slash(url: &str) -> &str {
    url.strip_suffix('/').unwrap_or(url)
}

#[cfg(test)]
mod tests;
