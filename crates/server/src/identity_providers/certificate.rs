//! The certificate of an identity provider: publicly trusted, or with a registered thumbprint.
//!
//! As on AWS, public trust comes first. A certificate of a private authority is accepted if one of
//! those that the provider presents has a registered SHA-1 thumbprint. Then this one is the
//! anchor: the chain up to it, the host name, and when each is valid are verified as usual. Nothing
//! is trusted because of a name, and no certificate because it is merely presented.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use keywright_base::limits;
use keywright_identity::web_identity::ProviderRequest;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use rustls_platform_verifier::Verifier;
use sha1::{Digest, Sha1};
use x509_parser::{certificate::X509Certificate, prelude::FromDer, time::ASN1Time};

/// What is trusted without a thumbprint.
#[derive(Debug, Clone)]
pub(super) struct PublicTrust(Option<Arc<dyn ServerCertVerifier>>);

impl PublicTrust {
    /// The authorities that the system trusts.
    pub(super) fn of_system(crypto: &Arc<CryptoProvider>) -> Self {
        match Verifier::new(Arc::clone(crypto)) {
            Ok(verifier) => Self(Some(Arc::new(verifier))),
            Err(error) => {
                tracing::warn!(%error, "identity providers need thumbprints: the system has no \
                                        certificate authorities");
                Self(None)
            }
        }
    }

    /// These authorities.
    #[cfg(test)]
    pub(super) fn of(roots: RootCertStore, crypto: &Arc<CryptoProvider>) -> Self {
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(crypto));
        Self(Some(builder.build().unwrap()))
    }
}

/// Whether a certificate was rejected, which the error of a connection does not say.
#[derive(Debug, Clone, Default)]
pub(super) struct CertificateOutcome(Arc<AtomicBool>);

impl CertificateOutcome {
    pub(super) fn is_rejected(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Verifies the certificates of one provider.
#[derive(Debug)]
pub(super) struct CertificateRule {
    trust: PublicTrust,
    thumbprints: Vec<String>,
    crypto: Arc<CryptoProvider>,
    outcome: CertificateOutcome,
}

/// A certificate as it was presented, with what it was presented for.
struct PresentedChain<'a> {
    leaf: &'a CertificateDer<'a>,
    others: &'a [CertificateDer<'a>],
    name: &'a ServerName<'a>,
    now: UnixTime,
}

impl CertificateRule {
    pub(super) fn new(
        trust: &PublicTrust,
        provider: &ProviderRequest,
        crypto: &Arc<CryptoProvider>,
        outcome: &CertificateOutcome,
    ) -> Self {
        Self {
            trust: trust.clone(),
            thumbprints: provider.thumbprints.clone(),
            crypto: Arc::clone(crypto),
            outcome: outcome.clone(),
        }
    }

    fn is_registered(&self, certificate: &CertificateDer<'_>) -> bool {
        let thumbprint = data_encoding::HEXLOWER.encode(&Sha1::digest(certificate));
        self.thumbprints.contains(&thumbprint)
    }

    /// Verifies a chain of a private authority.
    fn verify_registered(&self, chain: &PresentedChain<'_>) -> Result<(), Error> {
        if chain.others.len() >= limits::PROVIDER_CERTIFICATES {
            return Err(CertificateError::UnknownIssuer.into());
        }
        if self.is_registered(chain.leaf) {
            return verify_leaf(chain);
        }
        let anchors = chain.others.iter().filter(|it| self.is_registered(it));
        let verified = anchors.map(|anchor| self.verify_up_to(anchor, chain));
        // The first that succeeds, or else the reason of the last.
        let unknown = Err(CertificateError::UnknownIssuer.into());
        verified.fold(unknown, |before, next| before.or(next))
    }

    /// Verifies a chain up to a certificate in it, which must be of an authority.
    fn verify_up_to(
        &self,
        anchor: &CertificateDer<'_>,
        chain: &PresentedChain<'_>,
    ) -> Result<(), Error> {
        let parsed = parse(anchor)?;
        if !parsed.is_ca() {
            return Err(CertificateError::UnknownIssuer.into());
        }
        check_validity(&parsed, chain.now)?;
        let mut roots = RootCertStore::empty();
        roots.add(anchor.clone().into_owned())?;
        let crypto = Arc::clone(&self.crypto);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crypto);
        let verifier = verifier.build();
        let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(chain.leaf, chain.others, chain.name, &[], chain.now)?;
        Ok(())
    }
}

/// Verifies a certificate that is itself the anchor, as servers present it that have no chain: its
/// signature needs no verification, because every byte of it is registered.
fn verify_leaf(chain: &PresentedChain<'_>) -> Result<(), Error> {
    let parsed = parse(chain.leaf)?;
    check_validity(&parsed, chain.now)?;
    let purposes = parsed.extended_key_usage().map_err(|_| malformed())?;
    if purposes.is_some_and(|it| !(it.value.server_auth || it.value.any)) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    verify_server_name(&ParsedCertificate::try_from(chain.leaf)?, chain.name)
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) | Err(_) => Err(malformed()),
    }
}

fn malformed() -> Error {
    CertificateError::BadEncoding.into()
}

fn check_validity(certificate: &X509Certificate<'_>, now: UnixTime) -> Result<(), Error> {
    let secs = i64::try_from(now.as_secs()).map_err(|_| malformed())?;
    let now = ASN1Time::from_timestamp(secs).map_err(|_| malformed())?;
    let validity = certificate.validity();
    if now < validity.not_before {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

impl ServerCertVerifier for CertificateRule {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let publicly = self.trust.0.as_ref().map(|verifier| {
            let name = server_name;
            verifier.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
        });
        if let Some(Ok(verified)) = publicly {
            return Ok(verified);
        }
        let chain = PresentedChain {
            leaf: end_entity,
            others: intermediates,
            name: server_name,
            now,
        };
        match self.verify_registered(&chain) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(error) => {
                self.outcome.0.store(true, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
