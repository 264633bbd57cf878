//! The keys of a provider (RFC 7517), and the verification of signatures with them.
//!
//! Invariant: the key determines which algorithms it verifies, not the token. A key whose use,
//! operations, type or algorithm do not fit the token's algorithm verifies nothing.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keywright_base::limits;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    rejection::TokenRejection,
    token::{ParsedToken, TokenAlgorithm},
};

/// A JSON Web Key, as far as it matters here.
#[derive(Deserialize)]
struct WebKey {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

#[derive(Deserialize)]
struct WebKeySet {
    keys: Vec<Value>,
}

enum PublicKey {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

struct TokenKey {
    id: Option<String>,
    /// The only algorithm that the key is for, if it names one.
    algorithm: Option<String>,
    public: PublicKey,
}

/// The keys of a provider that can verify signatures.
pub(crate) struct KeySet {
    keys: Vec<TokenKey>,
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySet({})", self.keys.len())
    }
}

/// A token whose signature a key of its provider verified.
#[derive(Debug)]
pub(crate) struct VerifiedToken {
    claims: Map<String, Value>,
}

impl VerifiedToken {
    pub(super) const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

impl KeySet {
    /// Reads the document. Keys of a kind that is not known here are skipped, as the standard
    /// demands. `None` if it is no key set or has too many keys.
    pub(super) fn parse(document: &[u8]) -> Option<Self> {
        let set: WebKeySet = serde_json::from_slice(document).ok()?;
        if set.keys.len() > limits::PROVIDER_KEYS {
            return None;
        }
        let keys = set.keys.into_iter().filter_map(|key| {
            let key: WebKey = serde_json::from_value(key).ok()?;
            TokenKey::of(key)
        });
        Some(Self {
            keys: keys.collect(),
        })
    }

    /// Whether it has the key that a token names. A token that names none is for the only key.
    pub(super) fn has(&self, id: Option<&str>) -> bool {
        match id {
            Some(_) => self.keys.iter().any(|key| key.id.as_deref() == id),
            None => self.keys.len() == 1,
        }
    }

    /// Verifies the signature of a token.
    ///
    /// # Errors
    /// [`TokenRejection::NoKey`], [`TokenRejection::Signature`].
    pub(crate) fn verify(&self, token: ParsedToken) -> Result<VerifiedToken, TokenRejection> {
        let id = token.key_id();
        if !self.has(id) {
            return Err(TokenRejection::NoKey);
        }
        let named = |key: &&TokenKey| id.is_none() || key.id.as_deref() == id;
        let mut candidates = self.keys.iter().filter(named);
        if candidates.any(|key| key.verifies(&token)) {
            return Ok(VerifiedToken {
                claims: token.claims,
            });
        }
        Err(TokenRejection::Signature)
    }
}

impl TokenKey {
    /// `None` if it cannot verify signatures, or not by an algorithm that is accepted.
    fn of(key: WebKey) -> Option<Self> {
        let for_signatures = key
            .purpose
            .as_deref()
            .is_none_or(|purpose| purpose == "sig");
        let operations = key.key_ops.as_deref();
        let verifies = operations.is_none_or(|all| all.iter().any(|it| it == "verify"));
        if !(for_signatures && verifies) {
            return None;
        }
        Some(Self {
            public: PublicKey::of(&key)?,
            id: key.kid,
            algorithm: key.alg,
        })
    }

    fn verifies(&self, token: &ParsedToken) -> bool {
        let named = self.algorithm.as_deref();
        if named.is_some_and(|name| TokenAlgorithm::from_name(name) != Some(token.algorithm)) {
            return false;
        }
        let (message, signature) = (token.signed.as_bytes(), token.signature.as_slice());
        match &self.public {
            PublicKey::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                rsa(token.algorithm).is_some_and(|by| key.verify(by, message, signature).is_ok())
            }
            PublicKey::P256(point) | PublicKey::P384(point) | PublicKey::Ed25519(point) => {
                let by = self.public.elliptic(token.algorithm);
                by.is_some_and(|by| {
                    let key = UnparsedPublicKey::new(by, point);
                    key.verify(message, signature).is_ok()
                })
            }
        }
    }
}

const fn rsa(algorithm: TokenAlgorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        TokenAlgorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        TokenAlgorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        TokenAlgorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        TokenAlgorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        TokenAlgorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        TokenAlgorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        TokenAlgorithm::Es256 | TokenAlgorithm::Es384 | TokenAlgorithm::EdDsa => return None,
    })
}

impl PublicKey {
    fn of(key: &WebKey) -> Option<Self> {
        let bytes = |text: &Option<String>| BASE64_URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        match (key.kty.as_str(), key.crv.as_deref()) {
            ("RSA", _) => Some(Self::Rsa {
                n: without_zeros(bytes(&key.n)?),
                e: without_zeros(bytes(&key.e)?),
            }),
            ("EC", Some("P-256")) => Some(Self::P256(point(&bytes(&key.x)?, &bytes(&key.y)?, 32)?)),
            ("EC", Some("P-384")) => Some(Self::P384(point(&bytes(&key.x)?, &bytes(&key.y)?, 48)?)),
            ("OKP", Some("Ed25519")) => Some(Self::Ed25519(bytes(&key.x)?)),
            _ => None,
        }
    }

    fn elliptic(&self, algorithm: TokenAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
        match (self, algorithm) {
            (Self::P256(_), TokenAlgorithm::Es256) => Some(&ECDSA_P256_SHA256_FIXED),
            (Self::P384(_), TokenAlgorithm::Es384) => Some(&ECDSA_P384_SHA384_FIXED),
            (Self::Ed25519(_), TokenAlgorithm::EdDsa) => Some(&ED25519),
            _ => None,
        }
    }
}

/// A number in the form that ring reads: without leading zeros, which some providers write.
fn without_zeros(number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.into_iter().skip(zeros).collect()
}

/// An uncompressed point. Coordinates have the full length of the field.
fn point(x: &[u8], y: &[u8], length: usize) -> Option<Vec<u8>> {
    let complete = x.len() == length && y.len() == length;
    complete.then(|| [&[4], x, y].concat())
}
