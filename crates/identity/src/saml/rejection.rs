//! Why the assertion of a SAML provider is rejected, and AWS's code and message for it.
//!
//! The texts are AWS's where its guide lists them; those that are marked are ours.

use keywright_base::WireError;

use crate::fault::IamFault;

/// Why an assertion is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssertionRejection {
    /// It is not Base64.
    Encoding,
    /// It is no response with one assertion, or not written as understood here.
    Malformed,
    /// The assertion is encrypted.
    Encrypted,
    /// The provider demands encryption, which is not supported.
    NotEncrypted,
    /// The provider did not sign the user in.
    NotSuccessful,
    /// The account has no such provider.
    NoProvider,
    /// It is of another issuer.
    Issuer,
    /// It is not signed, or not by the provider.
    Signature,
    /// It is for another audience or recipient.
    Audience,
    /// It is older than five minutes, or no longer valid.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// It was used before.
    Used,
    /// It does not say whom it is about, or not in one way.
    Subject,
    /// The attribute for the session's name is missing.
    NoSessionName,
    /// The session's name has other characters or another length.
    SessionName,
    /// The source identity has other characters or another length.
    SourceIdentity,
    /// An attribute for AWS is malformed.
    Attribute,
}

impl AssertionRejection {
    /// Status, code and message.
    pub(crate) fn wire(self) -> WireError {
        let (code, text) = match self {
            Self::Expired => (
                "ExpiredTokenException",
                "Token must be redeemed within 5 minutes of issuance",
            ),
            Self::Attribute => (
                "IDPRejectedClaim",
                "An attribute of the assertion is malformed",
            ),
            _ => ("InvalidIdentityToken", self.invalid()),
        };
        let status = if self == Self::Attribute { 403 } else { 400 };
        WireError::new(status, code, text)
    }

    const fn invalid(self) -> &'static str {
        match self {
            Self::Encoding => "Invalid base64 SAMLResponse",
            Self::NoProvider => "Specified provider doesn't exist",
            Self::Issuer => "Issuer not present in specified provider",
            Self::Signature => "Response signature invalid",
            Self::Audience => "Response does not contain the required audience",
            Self::NoSessionName => "RoleSessionName is required in AuthnResponse",
            Self::SessionName => {
                "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"
            }
            Self::SourceIdentity => {
                "Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with \"aws:\""
            }
            // Ours, from here on.
            Self::Malformed => "The response is not a SAML 2.0 response with one assertion",
            Self::NotEncrypted => "The provider requires encrypted assertions",
            Self::Encrypted => "Encrypted assertions are not supported",
            Self::NotSuccessful => "The response does not report success",
            Self::NotYetValid => "The assertion is not valid yet",
            Self::Used => "The assertion was used before",
            Self::Subject => {
                "The assertion must have one subject, with one NameID and one SubjectConfirmation"
            }
            Self::Expired | Self::Attribute => "",
        }
    }
}

impl From<AssertionRejection> for IamFault {
    fn from(rejection: AssertionRejection) -> Self {
        Self::Assertion(rejection)
    }
}
