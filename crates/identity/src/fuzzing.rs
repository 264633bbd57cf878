//! The readers of what anyone may upload or present, for the fuzz targets. No other build has it.

use keywright_base::Timestamp;

use crate::{
    certificates::CertificateBytes,
    saml,
    saml_metadata::IdentityProviderMetadata,
    ssh_keys::{PublicKeyEncoding, RsaPublicKey},
};

/// Reads an SSH public key. What is accepted must be read again from each encoding.
pub fn ssh_public_key(text: &str) {
    if let Ok((key, _)) = RsaPublicKey::parse(text) {
        for encoding in [PublicKeyEncoding::Ssh, PublicKeyEncoding::Pem] {
            let read = key.text(encoding).map(|again| RsaPublicKey::parse(&again));
            assert_eq!(read, Some(Ok((key.clone(), encoding))));
        }
    }
}

/// Reads certificates. What is accepted must be read again as it is stored.
pub fn certificates(text: &str) {
    for certificate in CertificateBytes::all_from_pem(text).into_iter().flatten() {
        let again = CertificateBytes::from_pem(&certificate.to_pem());
        assert_eq!(again.as_ref(), Some(&certificate));
        let _ = certificate.public_key();
    }
}

/// Reads the metadata of a SAML provider.
pub fn saml_metadata(text: &str) {
    let _ = IdentityProviderMetadata::parse(text);
}

/// Reads and verifies a response. No response is signed by this provider; its canonical form must
/// be read again as the same document.
pub fn saml_response(text: &str, metadata: &str) {
    saml::check_canonical_form(text);
    let Some(metadata) = IdentityProviderMetadata::parse(metadata) else {
        return;
    };
    if let Some(response) = saml::ParsedResponse::of_text(text) {
        let verified = response.verify(&metadata, Timestamp::from_secs(1_795_507_200));
        assert!(verified.is_err(), "verified without a signature");
    }
}
