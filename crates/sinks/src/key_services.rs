//! Services that encrypt a master key: AWS KMS, and the transit engine of Vault or OpenBao.
//!
//! Invariant: the service creates and encrypts the key. Only the encrypted form is stored, and the
//! service decrypts it at each start. Credentials and addresses come from where the services' own
//! clients look for them.

use std::{fmt, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::{Clock, Secret};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{aws_store::AwsResource, vault};
use keywright_aws::{JsonService, KMS};

/// A key of a service that encrypts our master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyService(ServiceKind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum ServiceKind {
    Kms(AwsResource),
    Transit { mount: String, key: String },
}

/// A master key, in plaintext and as encrypted by the service.
#[derive(Debug)]
pub struct WrappedKey {
    /// 32 bytes.
    pub plain: Secret<Vec<u8>>,
    /// The form to be stored.
    pub wrapped: String,
}

impl fmt::Display for KeyService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ServiceKind::Kms(place) => write!(f, "aws-kms:{place}"),
            ServiceKind::Transit { mount, key } => write!(f, "vault-transit:{mount}/{key}"),
        }
    }
}

impl KeyService {
    /// AWS KMS: `KEY[?region=…&profile=…&endpoint=…]`. `KEY` is an ID, an alias or an ARN; an ARN
    /// also determines the region.
    ///
    /// # Errors
    /// A sentence.
    pub fn kms(text: &str) -> Result<Self, String> {
        AwsResource::new(text).map(|place| Self(ServiceKind::Kms(place.in_region_of_arn())))
    }

    /// Transit: `MOUNT/KEY`.
    ///
    /// # Errors
    /// A sentence.
    pub fn transit(text: &str) -> Result<Self, String> {
        let (mount, key) = vault::place(text)?;
        Ok(Self(ServiceKind::Transit {
            mount: mount.to_owned(),
            key: key.to_owned(),
        }))
    }

    /// Has the service generate a new key.
    ///
    /// # Errors
    /// A sentence without secrets.
    pub async fn generate(&self, clock: Arc<dyn Clock>) -> Result<WrappedKey, String> {
        let (answer, plain, wrapped) = match &self.0 {
            ServiceKind::Kms(place) => {
                let mut request = kms_request(place);
                put(&mut request, "KeySpec", "AES_256");
                let answer = kms(place, "GenerateDataKey", &request, clock).await?;
                (answer, "/Plaintext", "/CiphertextBlob")
            }
            ServiceKind::Transit { mount, key } => {
                let part = ("datakey/plaintext", json!({"bits": 256}));
                let answer = transit(mount, key, part).await?;
                (answer, "/data/plaintext", "/data/ciphertext")
            }
        };
        let wrapped = answer.pointer(wrapped).and_then(Value::as_str);
        Ok(WrappedKey {
            plain: self.bytes(&answer, plain)?,
            wrapped: wrapped.ok_or_else(|| self.unexpected())?.to_owned(),
        })
    }

    /// Has the service decrypt a key that it encrypted.
    ///
    /// # Errors
    /// A sentence without secrets.
    pub async fn open(
        &self,
        wrapped: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Secret<Vec<u8>>, String> {
        match &self.0 {
            ServiceKind::Kms(place) => {
                let mut request = kms_request(place);
                put(&mut request, "CiphertextBlob", wrapped);
                let answer = kms(place, "Decrypt", &request, clock).await?;
                self.bytes(&answer, "/Plaintext")
            }
            ServiceKind::Transit { mount, key } => {
                let part = ("decrypt", json!({"ciphertext": wrapped}));
                let answer = transit(mount, key, part).await?;
                self.bytes(&answer, "/data/plaintext")
            }
        }
    }

    fn bytes(&self, answer: &Value, pointer: &str) -> Result<Secret<Vec<u8>>, String> {
        let text = answer.pointer(pointer).and_then(Value::as_str);
        let bytes = text.and_then(|text| BASE64_STANDARD.decode(text).ok());
        bytes.map(Secret::new).ok_or_else(|| self.unexpected())
    }

    fn unexpected(&self) -> String {
        format!("{self}: the response is not what the service documents")
    }
}

/// The encryption context appears in AWS's log, and a key that was encrypted for another purpose
/// does not decrypt with it.
fn kms_request(place: &AwsResource) -> Value {
    json!({"KeyId": place.id(), "EncryptionContext": {"keywright": "master-key"}})
}

fn put(request: &mut Value, name: &str, value: &str) {
    if let Some(fields) = request.as_object_mut() {
        fields.insert(name.to_owned(), value.into());
    }
}

async fn kms(
    place: &AwsResource,
    action: &str,
    request: &Value,
    clock: Arc<dyn Clock>,
) -> Result<Value, String> {
    let opened = JsonService::open((KMS, "TrentService"), place.settings(), clock).await;
    let service = opened.map_err(|error| error.to_string())?;
    let answer = service.call(action, request).await;
    answer.map_err(|refused| refused.error.to_string())
}

async fn transit(mount: &str, key: &str, (part, body): (&str, Value)) -> Result<Value, String> {
    let engine = vault::VaultSecret::open(mount, key)?;
    let body = Secret::new(body.to_string().into_bytes());
    let answer = engine.ask(Method::POST, part, Some(body)).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let answer =
        answer.ok_or_else(|| format!("vault {mount}/{key}: there is no such transit key"))?;
    let parsed = serde_json::from_slice(answer.expose());
    parsed.map_err(|_| format!("vault {mount}/{key}: the response is not JSON"))
}
