//! Reads a JSON Web Token in compact form (RFC 7515, RFC 7519). Nothing is verified here.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::rejection::TokenRejection;

/// The signature algorithms that are accepted. Neither `none` nor any algorithm with a shared
/// secret can be expressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenAlgorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl TokenAlgorithm {
    /// By its registered name, which is case-sensitive.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }
}

#[derive(Deserialize)]
struct TokenHeader {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    /// Extensions that a reader must understand. None is understood here.
    #[serde(default)]
    crit: Option<Value>,
}

/// A token whose signature has not been verified.
pub(crate) struct ParsedToken {
    pub(super) algorithm: TokenAlgorithm,
    pub(super) key_id: Option<String>,
    /// What the signature covers.
    pub(super) signed: String,
    pub(super) signature: Vec<u8>,
    pub(super) claims: Map<String, Value>,
}

impl ParsedToken {
    /// Reads a token.
    ///
    /// # Errors
    /// [`TokenRejection::Malformed`], [`TokenRejection::Algorithm`].
    pub(crate) fn parse(text: &str) -> Result<Self, TokenRejection> {
        let malformed = || TokenRejection::Malformed;
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed());
        };
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed());
        let head: TokenHeader =
            serde_json::from_slice(&decode(header)?).map_err(|_| malformed())?;
        let claims = serde_json::from_slice(&decode(payload)?).map_err(|_| malformed())?;
        let signature = decode(signature)?;
        if head.crit.is_some() {
            return Err(malformed());
        }
        let algorithm = TokenAlgorithm::from_name(&head.alg);
        Ok(Self {
            algorithm: algorithm.ok_or(TokenRejection::Algorithm)?,
            key_id: head.kid,
            signed: format!("{header}.{payload}"),
            signature,
            claims,
        })
    }

    /// The issuer that it names.
    ///
    /// # Errors
    /// [`TokenRejection::MissingClaim`].
    pub(crate) fn issuer(&self) -> Result<&str, TokenRejection> {
        let issuer = self.claims.get("iss").and_then(Value::as_str);
        issuer.ok_or(TokenRejection::MissingClaim("iss"))
    }

    /// The key that it names.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }
}

impl std::fmt::Debug for ParsedToken {
    /// Without the token: whoever has it can assume roles.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ParsedToken({:?})", self.algorithm)
    }
}
