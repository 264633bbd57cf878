//! For tests: metadata documents of identity providers.

use super::certificates::TestCertificate;

/// The certificate of a PEM text, without its first and last line.
pub(crate) fn base64_of(certificate: &TestCertificate) -> String {
    let lines = certificate.certificate.lines();
    lines.filter(|line| !line.starts_with("-----")).collect()
}

/// The metadata of an identity provider, at least 1000 characters.
pub(crate) fn metadata(entity: &str) -> String {
    metadata_with(entity, &TestCertificate::new("idp.example"))
}

/// The same with a certificate of its signing key.
pub(crate) fn metadata_with(entity: &str, certificate: &TestCertificate) -> String {
    let certificate = base64_of(certificate);
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity}">
  <md:IDPSSODescriptor WantAuthnRequestsSigned="false"
      protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing">
      <ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
        <ds:X509Data><ds:X509Certificate>
          {certificate}
        </ds:X509Certificate></ds:X509Data>
      </ds:KeyInfo>
    </md:KeyDescriptor>
    <md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
        Location="https://idp.example/sso/saml"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>"#
    )
}
