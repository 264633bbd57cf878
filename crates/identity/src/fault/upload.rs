//! What is wrong with an uploaded key or certificate.

use keywright_base::WireError;

/// An uploaded key or certificate that is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadFault {
    /// Neither an `ssh-rsa` line nor PEM.
    UnrecognizedPublicKeyEncoding,
    /// Not an RSA key, or one of a wrong size.
    InvalidPublicKey,
    /// The user has this SSH public key.
    DuplicateSshPublicKey,
    /// Not a certificate, or not one that can be used; the whole text.
    MalformedCertificate(String),
    /// A certificate that has expired, or whose time has not come.
    InvalidCertificate,
    /// A user of the account, or root, has this certificate.
    DuplicateCertificate,
    /// The private key is not the certificate's.
    KeyPairMismatch,
}

impl UploadFault {
    pub(super) fn wire(&self) -> WireError {
        match self {
            Self::UnrecognizedPublicKeyEncoding => WireError::new(
                400,
                "UnrecognizedPublicKeyEncoding",
                "Invalid public key uploaded.",
            ),
            Self::InvalidPublicKey => WireError::new(
                400,
                "InvalidPublicKey",
                "The public key is malformed, is not an RSA key, or is shorter than 2048 bits.",
            ),
            Self::DuplicateSshPublicKey => WireError::new(
                400,
                "DuplicateSSHPublicKey",
                "The SSH public key is already associated with the specified IAM user.",
            ),
            Self::MalformedCertificate(text) => {
                WireError::new(400, "MalformedCertificate", text.clone())
            }
            Self::InvalidCertificate => WireError::new(
                400,
                "InvalidCertificate",
                "The certificate has expired or is not valid yet.",
            ),
            Self::DuplicateCertificate => WireError::new(
                409,
                "DuplicateCertificate",
                "The same certificate is associated with an IAM user in the account.",
            ),
            Self::KeyPairMismatch => WireError::new(
                400,
                "KeyPairMismatch",
                "The public key certificate and the private key do not match.",
            ),
        }
    }
}
