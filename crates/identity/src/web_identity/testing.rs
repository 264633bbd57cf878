//! For tests: an issuer that signs tokens with keys of its own, and what it publishes.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    },
};
use serde_json::{Value, json};

use super::{DocumentFault, ProviderDocuments, ProviderRequest};

/// The URL of the issuer that tests register.
pub(crate) const ISSUER: &str = "https://idp.example.com/tenant";

/// A key that signs tokens.
pub(crate) enum TestTokenKey {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl TestTokenKey {
    pub(crate) fn new(algorithm: &str) -> Self {
        let random = SystemRandom::new();
        let ecdsa = |algorithm: &'static EcdsaSigningAlgorithm| {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap()
        };
        match algorithm {
            "ES256" => Self::P256(ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)),
            "ES384" => Self::P384(ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING)),
            _ => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Self::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
            }
        }
    }

    /// The public key as a JSON Web Key.
    pub(crate) fn public(&self, id: &str) -> Value {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let point = |pair: &EcdsaKeyPair, curve: &str| {
            let point = &pair.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            json!({"kty": "EC", "crv": curve, "kid": id, "x": text(x), "y": text(y)})
        };
        match self {
            Self::P256(pair) => point(pair, "P-256"),
            Self::P384(pair) => point(pair, "P-384"),
            Self::Ed25519(pair) => {
                let x = text(pair.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x})
            }
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(pair) | Self::P384(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).unwrap();
                signature.as_ref().to_vec()
            }
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token with this header.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// What issuers publish, and how often it was fetched.
pub(crate) struct TestDocuments {
    answer: Mutex<Result<Vec<u8>, DocumentFault>>,
    pub(crate) fetches: AtomicUsize,
    pub(crate) last: Mutex<Option<ProviderRequest>>,
    /// Has a permit for each fetch that has begun.
    pub(crate) begun: tokio::sync::Semaphore,
    /// A fetch waits for a permit of it.
    pub(crate) gate: tokio::sync::Semaphore,
}

impl TestDocuments {
    /// These keys, without waiting.
    pub(crate) fn of(keys: &[Value]) -> Self {
        let this = Self {
            answer: Mutex::new(Ok(Vec::new())),
            fetches: AtomicUsize::new(0),
            last: Mutex::default(),
            begun: tokio::sync::Semaphore::new(0),
            gate: tokio::sync::Semaphore::new(1000),
        };
        this.publish(keys);
        this
    }

    pub(crate) fn publish(&self, keys: &[Value]) {
        self.answer_with(Ok(json!({"keys": keys}).to_string().into_bytes()));
    }

    pub(crate) fn answer_with(&self, answer: Result<Vec<u8>, DocumentFault>) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn count(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl ProviderDocuments for TestDocuments {
    async fn key_set(&self, provider: &ProviderRequest) -> Result<Vec<u8>, DocumentFault> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        *self.last.lock().unwrap() = Some(provider.clone());
        self.begun.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        self.answer.lock().unwrap().clone()
    }
}
