//! Why the token of a web identity is rejected, and AWS's code and message for it.
//!
//! The texts are AWS's where users of AWS have published them; those that are marked are ours,
//! because AWS's are not known.

use keywright_base::WireError;

/// Why a token is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRejection {
    /// It is no signed token.
    Malformed,
    /// The signature algorithm is not one of those that are accepted.
    Algorithm,
    /// A claim is missing or not of its type.
    MissingClaim(&'static str),
    /// The account has no provider with this issuer.
    NoProvider(String),
    /// The provider cannot be reached.
    Unreachable,
    /// The provider's documents are unusable, or contain no such key.
    NoKey,
    /// The certificate of the provider is neither publicly trusted nor has a known thumbprint.
    Certificate,
    /// The signature is wrong, or the key is not for this algorithm.
    Signature,
    /// It has expired.
    Expired {
        /// Now, in seconds.
        now: i64,
        /// When it expired, in seconds.
        expires: i64,
    },
    /// It is not valid yet.
    NotYetValid,
    /// It is for another audience.
    Audience,
    /// The subject is too long.
    Subject,
    /// Names of claims differ only in case.
    AmbiguousClaims,
    /// A claim for AWS (tags, source identity) is malformed.
    Claim(&'static str),
}

impl TokenRejection {
    /// Status, code and message.
    pub(crate) fn wire(&self) -> WireError {
        let status = match self {
            Self::Claim(_) => 403,
            _ => 400,
        };
        WireError::new(status, self.code(), self.text())
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "ExpiredTokenException",
            Self::Unreachable => "IDPCommunicationError",
            Self::Claim(_) => "IDPRejectedClaim",
            Self::Malformed
            | Self::Algorithm
            | Self::MissingClaim(_)
            | Self::NoProvider(_)
            | Self::NoKey
            | Self::Certificate
            | Self::Signature
            | Self::NotYetValid
            | Self::Audience
            | Self::Subject
            | Self::AmbiguousClaims => "InvalidIdentityToken",
        }
    }

    fn text(&self) -> String {
        let text = match self {
            Self::Malformed => {
                "The ID Token provided is not a valid JWT. (You may see this error if you sent an \
                 Access Token)"
            }
            Self::MissingClaim(name) => return format!("Missing a required claim: {name}"),
            Self::NoProvider(issuer) => {
                return format!("No OpenIDConnect provider found in your account for {issuer}");
            }
            Self::Unreachable => {
                "The request could not be fulfilled because the identity provider (IDP) that was \
                 asked to verify the incoming identity token could not be reached."
            }
            // The two spaces are AWS's.
            Self::NoKey => {
                "Couldn't retrieve verification key from your identity provider,  please reference \
                 AssumeRoleWithWebIdentity documentation for requirements"
            }
            Self::Certificate => {
                "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
            }
            Self::Expired { now, expires } => {
                return format!(
                    "Token expired: current date/time {now} must be before the expiration \
                     date/time {expires}"
                );
            }
            Self::Audience => "Incorrect token audience",
            // Ours, from here on.
            Self::Algorithm => "The signature algorithm of the ID Token is not supported",
            Self::Signature => "The signature of the ID Token is not valid",
            Self::NotYetValid => "The ID Token is not valid yet",
            Self::Subject => "The subject of the ID Token is longer than 255 characters",
            Self::AmbiguousClaims => "The ID Token has claims whose names differ only in case",
            Self::Claim(name) => return format!("The claim {name} is malformed"),
        };
        text.to_owned()
    }
}
