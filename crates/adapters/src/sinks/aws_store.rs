//! AWS Secrets Manager and SSM Parameter Store: one JSON document each.
//!
//! It protects one rule: id and secret are one document and one version, so nobody reads a pair of
//! two halves. A secret must exist already, since only a person can say who may read it.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use keywright_base::{Clock, Secret};
use keywright_rotation::ports::SinkError;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::document::{Content, Store, Version};
use crate::aws::{AccessError, JsonService, Settings};

/// Which document, and how it is reached: `NAME[?region=…&profile=…&endpoint=…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    id: String,
    settings: Settings,
}

impl Place {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let (id, query) = text.split_once('?').unwrap_or((text, ""));
        if id.is_empty() || id.contains(char::is_whitespace) {
            return Err(format!("{id} is not a name"));
        }
        let mut settings = Settings::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = Some(value.to_owned()).filter(|value| !value.is_empty());
            match name {
                "region" => settings.region = value,
                "profile" => settings.profile = value,
                "endpoint" => settings.endpoint_url = value,
                _ => return Err(format!("{name} is none of region, profile, endpoint")),
            }
        }
        Ok(Self {
            id: id.to_owned(),
            settings,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        let Settings {
            region,
            profile,
            endpoint_url,
            ..
        } = &self.settings;
        let mut sign = '?';
        for (name, value) in [
            ("region", region),
            ("profile", profile),
            ("endpoint", endpoint_url),
        ] {
            if let Some(value) = value {
                write!(f, "{sign}{name}={value}")?;
                sign = '&';
            }
        }
        Ok(())
    }
}

/// A secret of Secrets Manager.
pub(super) struct SecretsManager(JsonService, String);

/// A parameter of SSM.
pub(super) struct Ssm(JsonService, String);

impl SecretsManager {
    pub(super) async fn open(place: &Place, clock: Arc<dyn Clock>) -> Result<Self, AccessError> {
        let names = ("secretsmanager", "secretsmanager");
        let service = JsonService::open(names, &place.settings, clock).await?;
        Ok(Self(service, place.id.clone()))
    }
}

impl Ssm {
    pub(super) async fn open(place: &Place, clock: Arc<dyn Clock>) -> Result<Self, AccessError> {
        let service = JsonService::open(("ssm", "AmazonSSM"), &place.settings, clock).await?;
        Ok(Self(service, place.id.clone()))
    }
}

fn content(answer: &Value, pointer: &str) -> Content {
    let text = answer.pointer(pointer).and_then(Value::as_str)?;
    Some(Secret::new(text.as_bytes().to_vec()))
}

fn text(content: &Secret<Vec<u8>>) -> Result<&str, SinkError> {
    std::str::from_utf8(content.expose()).map_err(|error| SinkError::Never(error.to_string()))
}

#[async_trait]
impl Store for SecretsManager {
    async fn get(&self) -> Result<Version, SinkError> {
        let Self(service, id) = self;
        let told = json!({"SecretId": id});
        let answer = service.call("GetSecretValue", &told).await;
        let answer = answer.map_err(|refused| match refused.code.as_str() {
            "ResourceNotFoundException" => SinkError::Never(format!(
                "secretsmanager: there is no secret {id} with a value; create it first, for \
                 example with the value {{}}"
            )),
            _ => refused.error,
        })?;
        Ok(Version {
            content: content(&answer, "/SecretString"),
            number: 0,
        })
    }

    async fn put(&self, content: Content, _: u64) -> Result<(), SinkError> {
        let Self(service, id) = self;
        let Some(content) = content else {
            let why = "secretsmanager: a secret is not removed by a rotation".to_owned();
            return Err(SinkError::Never(why));
        };
        let text = text(&content)?;
        // The same content is the same version, however often it is sent; it must not be guessed
        // from the token what it is, so the service's name for the secret is hashed with it.
        let digest: [u8; 32] = Sha256::digest(format!("{id}\n{text}")).into();
        let token: String = digest
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let told = json!({"SecretId": id, "SecretString": text, "ClientRequestToken": token});
        let done = service.call("PutSecretValue", &told).await;
        done.map(drop).map_err(|refused| refused.error)?;
        // A version that was current before, and is put again, must become current again.
        self.make_current(&token).await
    }
}

impl SecretsManager {
    async fn make_current(&self, version: &str) -> Result<(), SinkError> {
        let Self(service, id) = self;
        let told = json!({"SecretId": id});
        let listed = service.call("DescribeSecret", &told).await;
        let listed = listed.map_err(|refused| refused.error)?;
        let versions = listed.get("VersionIdsToStages").and_then(Value::as_object);
        let current = versions.into_iter().flatten().find(|(_, stages)| {
            let mut stages = stages.as_array().into_iter().flatten();
            stages.any(|stage| stage == "AWSCURRENT")
        });
        let current = current.map(|(version, _)| version.as_str());
        if current == Some(version) {
            return Ok(());
        }
        let told = json!({
            "SecretId": id,
            "VersionStage": "AWSCURRENT",
            "MoveToVersionId": version,
            "RemoveFromVersionId": current,
        });
        let done = service.call("UpdateSecretVersionStage", &told).await;
        done.map(drop).map_err(|refused| refused.error)
    }
}

#[async_trait]
impl Store for Ssm {
    async fn get(&self) -> Result<Version, SinkError> {
        let Self(service, id) = self;
        let told = json!({"Name": id, "WithDecryption": true});
        match service.call("GetParameter", &told).await {
            Ok(answer) => Ok(Version {
                content: content(&answer, "/Parameter/Value"),
                number: 0,
            }),
            Err(refused) if refused.code == "ParameterNotFound" => Ok(Version {
                content: None,
                number: 0,
            }),
            Err(refused) => Err(refused.error),
        }
    }

    async fn put(&self, content: Content, _: u64) -> Result<(), SinkError> {
        let Self(service, id) = self;
        let (action, told) = match &content {
            None => ("DeleteParameter", json!({"Name": id})),
            Some(content) => {
                let value = text(content)?;
                let told = json!({
                    "Name": id, "Value": value, "Type": "SecureString", "Overwrite": true,
                });
                ("PutParameter", told)
            }
        };
        let done = service.call(action, &told).await;
        done.map(drop).map_err(|refused| refused.error)
    }
}

#[cfg(test)]
mod tests;
