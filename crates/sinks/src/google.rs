//! Secrets of Google Secret Manager: a JSON document, with a new version for each write.
//!
//! Invariants: A payload counts only if its checksum matches, in both directions. `latest`, which
//! consumers read, is always the version that was added last, even if that one is disabled or
//! destroyed. So a restore adds the previous payload again, and disables only the version that the
//! rotation added. It never destroys a version.
//!
//! Adding a version has no precondition. The number of the new version shows whether another user
//! added one in between; that one is then added again.

mod credentials;
mod federation;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use crc_fast::CrcAlgorithm;
use keywright_base::{Clock, Secret};
use keywright_rotation::ports::SinkError;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use self::credentials::GoogleCredentials;
use super::{
    SinkKind,
    document::{self, DocumentContent, DocumentStore, DocumentVersion, StorePlace, VersionTag},
    rest::{RestClient, RestResponse, secret},
    text::did_you_mean,
};

pub(super) const KIND: SinkKind = SinkKind {
    prefix: "google-secret",
    syntax: "PROJECT/SECRET[?location=][#/ID,/SECRET]",
    writes: "two members of the JSON in an existing secret of Google Secret Manager",
    parse: document::parse::<GoogleSecret>,
};

/// The maximum length of the name of a secret.
const NAME_MAX: usize = 255;
/// How many of the project's secrets are compared with a missing name.
const NEIGHBOURS_MAX: usize = 1000;
/// The permissions that a rotation needs on the secret.
const PERMISSIONS: [&str; 4] = [
    "secretmanager.versions.get",
    "secretmanager.versions.access",
    "secretmanager.versions.add",
    "secretmanager.versions.disable",
];

/// `PROJECT/SECRET[?location=REGION]`. A secret without a location is global.
#[derive(Debug, Clone, PartialEq, Eq)]
struct GoogleSecret {
    project: String,
    secret: String,
    location: Option<String>,
}

impl fmt::Display for GoogleSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.secret)?;
        match &self.location {
            Some(location) => write!(f, "?location={location}"),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl StorePlace for GoogleSecret {
    type Store = SecretManager;

    fn parse(text: &str) -> Result<Self, String> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let location = match query.split_once('=') {
            None if query.is_empty() => None,
            Some(("location", location)) => Some(location),
            _ => return Err(format!("{query} is not of the form location=REGION")),
        };
        let plain = |extra: &'static str| {
            move |text: &&str| {
                let good = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
                !text.is_empty() && text.len() <= NAME_MAX && text.chars().all(good)
            }
        };
        // The ID of a project in a domain starts with the domain and a colon.
        let wrong = || format!("{path} is not of the form PROJECT/SECRET");
        let (project, secret) = path.split_once('/').ok_or_else(wrong)?;
        let project = Some(project).filter(plain("-:.")).ok_or_else(wrong)?;
        let secret = Some(secret).filter(plain("-_")).ok_or_else(wrong)?;
        if location
            .as_ref()
            .is_some_and(|location| !plain("-")(location))
        {
            return Err(format!("{query} does not name a valid region"));
        }
        Ok(Self {
            project: project.to_owned(),
            secret: secret.to_owned(),
            location: location.map(str::to_owned),
        })
    }

    async fn open(&self, name: &str, clock: &Arc<dyn Clock>) -> Result<SecretManager, String> {
        let host = match &self.location {
            None => "secretmanager.googleapis.com".to_owned(),
            Some(location) => format!("secretmanager.{location}.rep.googleapis.com"),
        };
        let credentials = GoogleCredentials::find(clock)?;
        SecretManager::at(name, self, &format!("https://{host}"), credentials)
    }
}

struct SecretManager {
    rest: RestClient,
    credentials: GoogleCredentials,
    place: GoogleSecret,
    /// The address, including the version of the API.
    url: String,
}

/// A version, without its payload.
#[derive(Deserialize)]
struct VersionInfo {
    name: String,
    #[serde(default)]
    state: String,
    etag: Option<String>,
    #[serde(default, rename = "clientSpecifiedPayloadChecksum")]
    is_checked: bool,
}

impl VersionInfo {
    fn number(&self) -> Option<u64> {
        let (_, number) = self.name.rsplit_once("/versions/")?;
        number.parse().ok()
    }

    fn is_enabled(&self) -> bool {
        self.state == "ENABLED"
    }
}

#[derive(Deserialize)]
struct AccessResponse {
    payload: SecretPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecretPayload {
    #[serde(default, deserialize_with = "secret")]
    data: Option<Secret<String>>,
    data_crc32c: Option<String>,
}

fn crc32c(bytes: &[u8]) -> String {
    crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes).to_string()
}

impl SecretManager {
    fn at(
        name: &str,
        place: &GoogleSecret,
        url: &str,
        credentials: GoogleCredentials,
    ) -> Result<Self, String> {
        Ok(Self {
            rest: RestClient::new(name)?,
            credentials,
            place: place.clone(),
            url: format!("{url}/v1"),
        })
    }

    /// The API path of the project, or of its location.
    fn folder(&self) -> String {
        let project = &self.place.project;
        match &self.place.location {
            None => format!("projects/{project}/secrets"),
            Some(location) => format!("projects/{project}/locations/{location}/secrets"),
        }
    }

    fn path(&self) -> String {
        format!("{}/{}", self.folder(), self.place.secret)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        sent: &[&str],
    ) -> Result<RestResponse, SinkError> {
        let token = self.credentials.token(&self.rest).await?;
        let request = self
            .rest
            .http
            .request(method, format!("{}/{path}", self.url));
        let mut request = request.bearer_auth(token.expose());
        if let Some(project) = &self.credentials.quota_project {
            request = request.header("x-goog-user-project", project);
        }
        self.rest.send_json(request, body, &token, sent).await
    }

    /// The version that was added last, enabled or not.
    async fn latest(&self) -> Result<Option<VersionInfo>, SinkError> {
        let path = format!("{}/versions/latest", self.path());
        let answer = self.send(Method::GET, &path, None, &[]).await?;
        if answer.status != StatusCode::NOT_FOUND {
            return self.rest.read(&format!("GET {path}"), &answer).map(Some);
        }
        let path = self.path();
        let answer = self.send(Method::GET, &path, None, &[]).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Err(self.missing().await),
            status if status.is_success() => Ok(None),
            _ => Err(self.rest.refused(&format!("GET {path}"), &answer)),
        }
    }

    /// The error for a missing secret. It is not created, since only a person can decide who may
    /// read it and where it is stored.
    async fn missing(&self) -> SinkError {
        let (path, names) = (self.path(), self.names().await);
        let near = did_you_mean(&self.place.secret, names.iter().map(String::as_str));
        self.rest.never(&format!(
            "there is no {path}, or the caller is not allowed to see it; create it first, for \
             example with gcloud secrets create{near}"
        ))
    }

    /// The payload of an enabled version.
    async fn access(&self, number: u64) -> Result<Secret<Vec<u8>>, SinkError> {
        let path = format!("{}/versions/{number}:access", self.path());
        let answer = self.send(Method::GET, &path, None, &[]).await?;
        let AccessResponse { payload } = self.rest.read(&format!("GET {path}"), &answer)?;
        let data = payload.data.unwrap_or_else(|| Secret::new(String::new()));
        let data = STANDARD.decode(data.expose()).map(Secret::new);
        let damaged = || self.rest.later(&"the payload was corrupted in transit");
        let data = data.map_err(|_| damaged())?;
        let is_whole = payload
            .data_crc32c
            .is_none_or(|sum| sum == crc32c(data.expose()));
        is_whole.then_some(data).ok_or_else(damaged)
    }

    /// Adds a version. Returns its number.
    async fn add(&self, content: &Secret<Vec<u8>>) -> Result<u64, SinkError> {
        let path = format!("{}:addVersion", self.path());
        let data = Secret::new(STANDARD.encode(content.expose()));
        let checksum = crc32c(content.expose());
        let payload = json!({"payload": {"data": data.expose(), "dataCrc32c": checksum}});
        let plain = String::from_utf8_lossy(content.expose());
        let sent = [data.expose().as_str(), &plain];
        let answer = self
            .send(Method::POST, &path, Some(&payload), &sent)
            .await?;
        let call = format!("POST {path}");
        let added: VersionInfo = self.rest.read(&call, &answer)?;
        if !added.is_checked {
            return Err(self
                .rest
                .later(&"the service did not check the payload's checksum"));
        }
        let unclear = || self.rest.later(&"the new version has no number");
        added.number().ok_or_else(unclear)
    }

    /// Disables a version, unless its state changed since it was read.
    async fn disable(&self, number: u64) -> Result<(), SinkError> {
        let path = format!("{}/versions/{number}", self.path());
        let answer = self.send(Method::GET, &path, None, &[]).await?;
        let found: VersionInfo = self.rest.read(&format!("GET {path}"), &answer)?;
        if !found.is_enabled() {
            return Ok(());
        }
        let path = format!("{path}:disable");
        let body = found
            .etag
            .map_or_else(|| json!({}), |etag| json!({ "etag": etag }));
        let answer = self.send(Method::POST, &path, Some(&body), &[]).await?;
        self.rest
            .read::<VersionInfo>(&format!("POST {path}"), &answer)
            .map(drop)
    }

    /// Makes a version `latest` again that another user added right before ours, and disables ours.
    async fn give_way(&self, ours: u64, from: u64) -> Result<SinkError, SinkError> {
        for number in (from..ours).rev() {
            let path = format!("{}/versions/{number}", self.path());
            let answer = self.send(Method::GET, &path, None, &[]).await?;
            let theirs: VersionInfo = self.rest.read(&format!("GET {path}"), &answer)?;
            if theirs.is_enabled() {
                self.add(&self.access(number).await?).await?;
                break;
            }
        }
        self.disable(ours).await?;
        let why = "another version was added concurrently and was made the latest again";
        Ok(self.rest.later(&why))
    }
}

#[async_trait]
impl DocumentStore for SecretManager {
    async fn get(&self) -> Result<DocumentVersion, SinkError> {
        let Some(latest) = self.latest().await? else {
            return Ok(DocumentVersion {
                content: None,
                tag: VersionTag::default(),
            });
        };
        let unclear = || self.rest.later(&"the latest version has no number");
        let number = latest.number().ok_or_else(unclear)?;
        // Consumers get nothing from a disabled version.
        let content = match latest.is_enabled() {
            true => Some(self.access(number).await?),
            false => None,
        };
        Ok(DocumentVersion {
            content,
            tag: VersionTag {
                version: Some(number.to_string()),
                kind: None,
            },
        })
    }

    async fn put(&self, content: DocumentContent, was: &VersionTag) -> Result<(), SinkError> {
        let was = was.version.as_deref().unwrap_or("0");
        let was: u64 = was.parse().map_err(|error| self.rest.never(&error))?;
        let Some(content) = content else {
            return self.disable(was).await;
        };
        let added = self.add(&content).await?;
        if added == was + 1 {
            return Ok(());
        }
        Err(self.give_way(added, was + 1).await?)
    }

    async fn retire(&self, replaced: &VersionTag) {
        let number = replaced.version.as_deref().map(str::parse);
        if let Some(Ok(number)) = number {
            // If this fails, the version stays enabled, but its key is deleted.
            let _ = self.disable(number).await;
        }
    }

    async fn check(&self) -> Result<Vec<String>, SinkError> {
        #[derive(Deserialize)]
        struct AllowedPermissions {
            #[serde(default)]
            permissions: Vec<String>,
        }
        let path = format!("{}:testIamPermissions", self.path());
        let body = json!({ "permissions": PERMISSIONS });
        let answer = self.send(Method::POST, &path, Some(&body), &[]).await?;
        let allowed: AllowedPermissions = self.rest.read(&format!("POST {path}"), &answer)?;
        let is_missing = |name: &&str| !allowed.permissions.iter().any(|have| have == name);
        let missing: Vec<&str> = PERMISSIONS.into_iter().filter(is_missing).collect();
        match missing.is_empty() {
            true => Ok(Vec::new()),
            false => {
                let missing = missing.join(", ");
                Err(self
                    .rest
                    .never(&format!("the caller lacks {missing} on the secret")))
            }
        }
    }

    fn absence(&self, tag: &VersionTag) -> String {
        match &tag.version {
            None => "it has no version".to_owned(),
            Some(number) => format!("its latest version, {number}, is disabled or destroyed"),
        }
    }

    async fn names(&self) -> Vec<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            #[serde(default)]
            secrets: Vec<Named>,
        }
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let path = format!("{}?pageSize={NEIGHBOURS_MAX}", self.folder());
        let Ok(answer) = self.send(Method::GET, &path, None, &[]).await else {
            return Vec::new();
        };
        let page = self.rest.read::<Page>("list", &answer).ok();
        let secrets = page.into_iter().flat_map(|page| page.secrets);
        let names = secrets.filter_map(|it| Some(it.name.rsplit_once('/')?.1.to_owned()));
        names.collect()
    }

    fn own_name(&self) -> &str {
        &self.place.secret
    }
}

#[cfg(test)]
mod tests;
