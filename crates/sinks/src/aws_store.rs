//! AWS Secrets Manager and SSM Parameter Store: one JSON document in each.
//!
//! Invariant: ID and secret are one document and one version, so nobody reads half of one key pair
//! and half of another. A secret must already exist, since only a person can decide who may read
//! it.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use keywright_base::{Clock, Secret};
use keywright_rotation::ports::SinkError;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    SinkKind,
    document::{self, DocumentContent, DocumentStore, DocumentVersion, StorePlace, VersionTag},
    text::{did_you_mean, similar},
};
use keywright_aws::{AccessError, ClientSettings, JsonService};

pub(super) const SECRETS_MANAGER: SinkKind = SinkKind {
    prefix: "secretsmanager",
    syntax: "NAME[?region=&profile=&endpoint=][#/ID,/SECRET]",
    writes: "two members of the JSON in an existing secret of AWS Secrets Manager",
    parse: document::parse::<SecretPlace>,
};

pub(super) const SSM: SinkKind = SinkKind {
    prefix: "ssm",
    syntax: "NAME[?region=&profile=&endpoint=][#/ID,/SECRET]",
    writes: "the same in a parameter of AWS Systems Manager, which keeps its type",
    parse: document::parse::<ParameterPlace>,
};

/// A resource and how it is reached: `NAME[?region=…&profile=…&endpoint=…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsResource {
    id: String,
    settings: ClientSettings,
}

impl AwsResource {
    /// Parses `NAME[?region=…&profile=…&endpoint=…]`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn new(text: &str) -> Result<Self, String> {
        let (id, query) = text.split_once('?').unwrap_or((text, ""));
        if id.is_empty() || id.contains(char::is_whitespace) {
            return Err(format!("{id} is not a valid name"));
        }
        let mut settings = ClientSettings::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = Some(value.to_owned()).filter(|value| !value.is_empty());
            match name {
                "region" => settings.region = value,
                "profile" => settings.profile = value,
                "endpoint" => settings.endpoint_url = value,
                _ => {
                    return Err(format!(
                        "unknown parameter {name}: expected region, profile or endpoint"
                    ));
                }
            }
        }
        Ok(Self {
            id: id.to_owned(),
            settings,
        })
    }

    /// Takes the region from the ARN, if the name is one and no region was given.
    pub fn in_region_of_arn(mut self) -> Self {
        let mut words = self.id.split(':');
        if words.next() == Some("arn") && self.settings.region.is_none() {
            let region = words.nth(2).filter(|region| !region.is_empty());
            self.settings.region = region.map(str::to_owned);
        }
        self
    }

    /// The name or ARN.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How the service is reached.
    pub const fn settings(&self) -> &ClientSettings {
        &self.settings
    }
}

impl fmt::Display for AwsResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        let ClientSettings {
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

#[derive(Debug)]
struct SecretPlace(AwsResource);

#[derive(Debug)]
struct ParameterPlace(AwsResource);

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ParameterPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl StorePlace for SecretPlace {
    type Store = SecretsManager;

    fn parse(text: &str) -> Result<Self, String> {
        AwsResource::new(text).map(Self)
    }

    async fn open(&self, _: &str, clock: &Arc<dyn Clock>) -> Result<SecretsManager, String> {
        let opened = SecretsManager::open(&self.0, Arc::clone(clock)).await;
        opened.map_err(|error| error.to_string())
    }
}

#[async_trait]
impl StorePlace for ParameterPlace {
    type Store = SsmParameter;

    fn parse(text: &str) -> Result<Self, String> {
        AwsResource::new(text).map(Self)
    }

    async fn open(&self, _: &str, clock: &Arc<dyn Clock>) -> Result<SsmParameter, String> {
        let opened = SsmParameter::open(&self.0, Arc::clone(clock)).await;
        opened.map_err(|error| error.to_string())
    }
}

pub(super) struct SecretsManager(JsonService, String);

pub(super) struct SsmParameter(JsonService, String);

impl SecretsManager {
    pub(super) async fn open(
        place: &AwsResource,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AccessError> {
        let names = (keywright_aws::SECRETS_MANAGER, "secretsmanager");
        let service = JsonService::open(names, &place.settings, clock).await?;
        Ok(Self(service, place.id.clone()))
    }
}

impl SecretsManager {
    async fn missing(&self) -> SinkError {
        let Self(service, id) = self;
        let supplied = json!({"MaxResults": SECRETS_IN_PAGE});
        let names = listed(service, "ListSecrets", &supplied, "SecretList").await;
        // An ARN ends with the name and six characters that the service adds.
        let name = id.rsplit(':').next().unwrap_or(id);
        let near = did_you_mean(name, names.iter().map(String::as_str));
        SinkError::Never(format!(
            "secretsmanager: there is no secret {id} with a value; create it first, for example \
             with the value {{}}{near}"
        ))
    }
}

impl SsmParameter {
    pub(super) async fn open(
        place: &AwsResource,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AccessError> {
        let service =
            JsonService::open((keywright_aws::SSM, "AmazonSSM"), &place.settings, clock).await?;
        Ok(Self(service, place.id.clone()))
    }
}

/// Pages of a listing that are read for a suggestion.
const PAGES_MAX: usize = 5;
/// Names per page, the service's maximum.
const SECRETS_IN_PAGE: usize = 100;
const PARAMETERS_IN_PAGE: usize = 50;

/// Names for a suggestion, from the first few pages. Empty if the caller may not list them.
async fn listed(service: &JsonService, action: &str, supplied: &Value, list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut supplied = supplied.clone();
    for _ in 0..PAGES_MAX {
        let Ok(answer) = service.call(action, &supplied).await else {
            break;
        };
        let page = answer.get(list).and_then(Value::as_array);
        let name = |one: &Value| Some(one.get("Name")?.as_str()?.to_owned());
        names.extend(page.into_iter().flatten().filter_map(name));
        let next = answer.get("NextToken").and_then(Value::as_str);
        let (Some(next), Value::Object(members)) = (next, &mut supplied) else {
            break;
        };
        members.insert("NextToken".to_owned(), json!(next));
    }
    names
}

fn content(answer: &Value, pointer: &str) -> DocumentContent {
    let text = answer.pointer(pointer).and_then(Value::as_str)?;
    Some(Secret::new(text.as_bytes().to_vec()))
}

fn text(content: &Secret<Vec<u8>>) -> Result<&str, SinkError> {
    std::str::from_utf8(content.expose()).map_err(|error| SinkError::Never(error.to_string()))
}

/// The label of a version that is written but not yet current.
const LABEL: &str = "KEYWRIGHT";

#[async_trait]
impl DocumentStore for SecretsManager {
    async fn get(&self) -> Result<DocumentVersion, SinkError> {
        let Self(service, id) = self;
        let supplied = json!({"SecretId": id, "VersionStage": "AWSCURRENT"});
        let answer = match service.call("GetSecretValue", &supplied).await {
            Ok(answer) => answer,
            Err(refused) if refused.code == "ResourceNotFoundException" => {
                return Err(self.missing().await);
            }
            Err(refused) => return Err(refused.error),
        };
        let version = answer.get("VersionId").and_then(Value::as_str);
        Ok(DocumentVersion {
            content: content(&answer, "/SecretString"),
            tag: VersionTag {
                version: version.map(str::to_owned),
                kind: None,
            },
        })
    }

    /// The service replaces a value without any condition. So the new value is written as a version
    /// that nobody reads, and made current only if the version that was read is still current.
    async fn put(&self, content: DocumentContent, was: &VersionTag) -> Result<(), SinkError> {
        let Self(service, id) = self;
        let Some(content) = content else {
            let why = "secretsmanager: a rotation does not delete secrets".to_owned();
            return Err(SinkError::Never(why));
        };
        let text = text(&content)?;
        // With the same token, a retry creates no second version. The token must not reveal the
        // content, so the secret's name is hashed with it.
        let digest = hex::encode(Sha256::digest(format!("{id}\n{text}")));
        let token: String = digest.chars().take(32).collect();
        let payload = json!({
            "SecretId": id, "SecretString": text, "ClientRequestToken": token,
            "VersionStages": [LABEL],
        });
        let done = service.call("PutSecretValue", &payload).await;
        done.map_err(|refused| refused.error)?;
        let payload = json!({
            "SecretId": id, "VersionStage": "AWSCURRENT", "MoveToVersionId": token,
            "RemoveFromVersionId": was.version,
        });
        let done = service.call("UpdateSecretVersionStage", &payload).await;
        done.map_err(|refused| match refused.code.as_str() {
            "InvalidParameterException" => {
                SinkError::Later(format!("secretsmanager: {id} was modified concurrently"))
            }
            _ => refused.error,
        })?;
        let payload = json!({
            "SecretId": id, "VersionStage": LABEL, "RemoveFromVersionId": token,
        });
        // A label that stays does no harm: the next write moves it.
        let _ = service.call("UpdateSecretVersionStage", &payload).await;
        Ok(())
    }

    fn own_name(&self) -> &str {
        &self.1
    }
}

/// The type of a parameter that is created.
const SECURE: &str = "SecureString";

impl SsmParameter {
    /// The value of a parameter, or of one of its versions with `NAME:NUMBER`.
    async fn read(&self, name: &str) -> Result<Option<DocumentVersion>, SinkError> {
        let payload = json!({"Name": name, "WithDecryption": true});
        match self.0.call("GetParameter", &payload).await {
            Ok(answer) => {
                let text = |name: &str| answer.pointer(name).and_then(Value::as_str);
                let version = answer.pointer("/Parameter/Version").and_then(Value::as_u64);
                Ok(Some(DocumentVersion {
                    content: content(&answer, "/Parameter/Value"),
                    tag: VersionTag {
                        version: version.map(|version| version.to_string()),
                        kind: text("/Parameter/Type").map(str::to_owned),
                    },
                }))
            }
            Err(refused) if refused.code == "ParameterNotFound" => Ok(None),
            Err(refused) => Err(refused.error),
        }
    }

    /// The names of the parameters that match these filters.
    async fn described(&self, filters: &Value) -> Vec<String> {
        let supplied = json!({"ParameterFilters": filters, "MaxResults": PARAMETERS_IN_PAGE});
        listed(&self.0, "DescribeParameters", &supplied, "Parameters").await
    }

    /// Creates the parameter or overwrites its value. Returns the new version.
    async fn write(&self, value: &str, was: &VersionTag) -> Result<Option<u64>, SinkError> {
        let Self(service, id) = self;
        let payload = json!({
            "Name": id, "Value": value, "Type": was.kind.as_deref().unwrap_or(SECURE),
            "Overwrite": was.version.is_some(),
        });
        match service.call("PutParameter", &payload).await {
            Ok(answer) => Ok(answer.get("Version").and_then(Value::as_u64)),
            Err(refused) if refused.code == "ParameterAlreadyExists" => Err(SinkError::Later(
                format!("ssm: {id} was created concurrently"),
            )),
            Err(refused) => Err(refused.error),
        }
    }
}

#[async_trait]
impl DocumentStore for SsmParameter {
    async fn get(&self) -> Result<DocumentVersion, SinkError> {
        let found = self.read(&self.1).await?;
        Ok(found.unwrap_or_else(|| DocumentVersion {
            content: None,
            tag: VersionTag::default(),
        }))
    }

    /// The service replaces a value without any condition, but numbers its versions. A version that
    /// another user wrote in between shows as a gap in the numbers, and is restored.
    async fn put(&self, content: DocumentContent, was: &VersionTag) -> Result<(), SinkError> {
        let Self(service, id) = self;
        let Some(content) = content else {
            let done = service.call("DeleteParameter", &json!({"Name": id})).await;
            return done.map(drop).map_err(|refused| refused.error);
        };
        let version = self.write(text(&content)?, was).await?;
        let expected = was
            .version
            .as_deref()
            .and_then(|was| was.parse::<u64>().ok());
        let (Some(version), Some(expected)) = (version, expected) else {
            return Ok(());
        };
        if version == expected + 1 {
            return Ok(());
        }
        let between = self
            .read(&format!("{id}:{}", version.saturating_sub(1)))
            .await?;
        if let Some(DocumentVersion {
            content: Some(other),
            tag,
        }) = between
        {
            self.write(text(&other)?, &tag).await?;
        }
        let why = format!("ssm: {id} was modified concurrently; the other value was restored");
        Err(SinkError::Later(why))
    }

    /// Compares the last parts of the names in the same folder first, then the full names
    /// everywhere.
    async fn similar(&self) -> Vec<String> {
        let name = self.own_name();
        let (folder, own) = name.rsplit_once('/').unwrap_or(("", name));
        if !folder.is_empty() {
            let beside = json!([{"Key": "Path", "Option": "OneLevel", "Values": [folder]}]);
            let beside = self.described(&beside).await;
            let last = |name: &'_ String| Some(name.rsplit_once('/')?.1.to_owned());
            let last: Vec<_> = beside.iter().filter_map(last).collect();
            let found = similar(own, last.iter().map(String::as_str));
            if !found.is_empty() {
                let whole = found.iter().map(|last| format!("{folder}/{last}"));
                return whole.collect();
            }
        }
        let all = self.described(&json!([])).await;
        similar(name, all.iter().map(String::as_str))
    }

    /// The name without the prefix of an ARN.
    fn own_name(&self) -> &str {
        let whole = self.1.split_once(":parameter/");
        whole.map_or(self.1.as_str(), |(before, _)| {
            let name = before.len() + ":parameter".len();
            self.1.get(name..).unwrap_or_default()
        })
    }
}

#[cfg(test)]
mod tests;
