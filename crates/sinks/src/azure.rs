//! Secrets of Azure Key Vault: a JSON document, with a new version for each write.
//!
//! Invariants: Content type, tags, expiry and the other attributes of a secret are sent again with
//! each version, since the service drops what is missing. Nothing is deleted, because the name of a
//! deleted secret stays reserved: if there was no secret before, the version that the rotation
//! created is disabled.
//!
//! Setting a secret has no precondition. So the versions are listed afterwards, and a version that
//! another user set in between is made current again.

mod credentials;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use keywright_base::{Clock, Secret};
use keywright_rotation::ports::SinkError;
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroize;

use self::credentials::AzureCredentials;
use super::{
    SinkKind,
    aws_profile::variable,
    document::{self, DocumentContent, DocumentStore, DocumentVersion, StorePlace, VersionTag},
    rest::{RestClient, RestResponse, secret},
};

pub(super) const KIND: SinkKind = SinkKind {
    prefix: "azure-keyvault",
    syntax: "VAULT/SECRET[#/ID,/SECRET]",
    writes: "two members of the JSON in a secret of Azure Key Vault",
    parse: document::parse::<AzureSecret>,
};

const API_VERSION: &str = "api-version=7.4";
/// The maximum length of the name of a secret.
const NAME_MAX: usize = 127;
/// The maximum number of pages of a listing; a page has 25 entries.
const PAGES_MAX: usize = 40;

/// An Azure cloud: the DNS suffix of its vaults, and the authority that issues its tokens.
struct AzureCloud {
    suffix: &'static str,
    authority: &'static str,
}

const CLOUDS: [AzureCloud; 3] = [
    AzureCloud {
        suffix: "vault.azure.net",
        authority: "https://login.microsoftonline.com",
    },
    AzureCloud {
        suffix: "vault.usgovcloudapi.net",
        authority: "https://login.microsoftonline.us",
    },
    AzureCloud {
        suffix: "vault.azure.cn",
        authority: "https://login.chinacloudapi.cn",
    },
];

/// `VAULT/SECRET`. The vault is given by name, or outside the public cloud by host.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AzureSecret {
    vault: String,
    secret: String,
}

impl AzureSecret {
    fn cloud(&self) -> Option<&'static AzureCloud> {
        match self.vault.split_once('.') {
            None => CLOUDS.first(),
            Some((_, suffix)) => CLOUDS.iter().find(|cloud| cloud.suffix == suffix),
        }
    }
}

impl fmt::Display for AzureSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.vault, self.secret)
    }
}

#[async_trait]
impl StorePlace for AzureSecret {
    type Store = KeyVault;

    fn parse(text: &str) -> Result<Self, String> {
        let plain = |text: &str| {
            let good = |c: char| c.is_ascii_alphanumeric() || c == '-';
            !text.is_empty() && text.len() <= NAME_MAX && text.chars().all(good)
        };
        let wrong = || format!("{text} is not of the form VAULT/SECRET");
        let (vault, secret) = text.split_once('/').ok_or_else(wrong)?;
        let host = vault.split_once('.').map_or(vault, |(host, _)| host);
        let place = Self {
            vault: vault.to_owned(),
            secret: secret.to_owned(),
        };
        match plain(host) && plain(secret) && place.cloud().is_some() {
            true => Ok(place),
            false => Err(wrong()),
        }
    }

    async fn open(&self, name: &str, clock: &Arc<dyn Clock>) -> Result<KeyVault, String> {
        let cloud = self
            .cloud()
            .ok_or("the vault's host name belongs to no known Azure cloud")?;
        let host = match self.vault.contains('.') {
            true => self.vault.clone(),
            false => format!("{}.{}", self.vault, cloud.suffix),
        };
        let resource = format!("https://{}", cloud.suffix);
        let credentials = AzureCredentials::find(&variable, cloud.authority, &resource, clock)?;
        KeyVault::at(name, &self.secret, &format!("https://{host}"), credentials)
    }
}

/// One secret of a vault.
struct KeyVault {
    rest: RestClient,
    credentials: AzureCredentials,
    url: String,
    secret: String,
}

/// A secret as the service returns it; in a listing it has no value.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecretBundle {
    id: String,
    #[serde(default, deserialize_with = "secret")]
    value: Option<Secret<String>>,
    content_type: Option<String>,
    #[serde(default)]
    attributes: Map<String, Value>,
    tags: Option<Value>,
    /// Whether it belongs to a certificate.
    #[serde(default)]
    managed: bool,
}

impl SecretBundle {
    /// The part of its ID after `/secrets/NAME/`.
    fn version(&self) -> Option<String> {
        let mut words = self.id.rsplit('/');
        let version = words.next().filter(|version| !version.is_empty())?;
        let is_one = words.next().is_some() && words.next() == Some("secrets");
        let plain = version.chars().all(|c| c.is_ascii_alphanumeric());
        (is_one && plain).then(|| version.to_owned())
    }

    fn created(&self) -> i64 {
        let created = self.attributes.get("created").and_then(Value::as_i64);
        created.unwrap_or_default()
    }

    /// The attributes that a write must repeat.
    fn properties(&self) -> Map<String, Value> {
        let mut attributes = Map::new();
        for name in ["enabled", "exp", "nbf"] {
            if let Some(value) = self.attributes.get(name) {
                attributes.insert(name.to_owned(), value.clone());
            }
        }
        let mut properties = Map::new();
        properties.insert("attributes".to_owned(), Value::Object(attributes));
        if let Some(content_type) = &self.content_type {
            properties.insert("contentType".to_owned(), json!(content_type));
        }
        if let Some(tags) = &self.tags {
            properties.insert("tags".to_owned(), tags.clone());
        }
        properties
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BundlePage {
    #[serde(default)]
    value: Vec<SecretBundle>,
    next_link: Option<String>,
}

/// The attributes that a write must repeat, and when the version was created. Stored in
/// [`VersionTag::kind`].
#[derive(serde::Serialize, Deserialize)]
struct VersionProperties {
    properties: Map<String, Value>,
    created: i64,
}

impl KeyVault {
    fn at(
        name: &str,
        secret: &str,
        url: &str,
        credentials: AzureCredentials,
    ) -> Result<Self, String> {
        Ok(Self {
            rest: RestClient::new(name)?,
            credentials,
            url: url.to_owned(),
            secret: secret.to_owned(),
        })
    }

    fn path(&self) -> String {
        format!("/secrets/{}", self.secret)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        sent: &[&str],
    ) -> Result<RestResponse, SinkError> {
        let sign = if path.contains('?') { '&' } else { '?' };
        let url = format!("{}{path}{sign}{API_VERSION}", self.url);
        self.send_to(method, &url, body, sent).await
    }

    async fn send_to(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
        sent: &[&str],
    ) -> Result<RestResponse, SinkError> {
        let token = self.credentials.token(&self.rest).await?;
        let request = self.rest.http.request(method, url);
        let request = request.bearer_auth(token.expose());
        self.rest.send_json(request, body, &token, sent).await
    }

    /// The current version, or the version of this name. Distinguishes a missing secret from a
    /// disabled one.
    async fn bundle(&self, version: Option<&str>) -> Result<SecretState, SinkError> {
        let mut path = self.path();
        if let Some(version) = version {
            path = format!("{path}/{version}");
        }
        let answer = self.send(Method::GET, &path, None, &[]).await?;
        let inner = answer.code("/error/innererror/code");
        match answer.status {
            StatusCode::NOT_FOUND => Ok(SecretState::Nothing),
            StatusCode::FORBIDDEN if inner.as_deref() == Some("SecretDisabled") => {
                Ok(SecretState::Disabled)
            }
            _ => {
                let found = self.rest.read(&format!("GET {path}"), &answer)?;
                Ok(SecretState::Bundle(Box::new(found)))
            }
        }
    }

    /// Sets the secret. Returns the name of the new version.
    async fn set(
        &self,
        value: &str,
        properties: &Map<String, Value>,
    ) -> Result<Option<String>, SinkError> {
        let mut body = properties.clone();
        body.insert("value".to_owned(), json!(value));
        let mut body = Value::Object(body);
        let path = self.path();
        let answer = self.send(Method::PUT, &path, Some(&body), &[value]).await;
        if let Some(Value::String(value)) = body.get_mut("value") {
            value.zeroize();
        }
        let answer = answer?;
        if answer.status == StatusCode::CONFLICT {
            return Err(self.rest.never(&RESERVED));
        }
        let set: SecretBundle = self.rest.read(&format!("PUT {path}"), &answer)?;
        Ok(set.version())
    }

    async fn disable(&self, version: &str) -> Result<(), SinkError> {
        let path = format!("{}/{version}", self.path());
        let body = json!({"attributes": {"enabled": false}});
        let answer = self.send(Method::PATCH, &path, Some(&body), &[]).await?;
        let call = format!("PATCH {path}");
        self.rest.read::<SecretBundle>(&call, &answer).map(drop)
    }

    /// Reads a listing page by page. An incomplete listing proves nothing, so it is an error. A
    /// link to another origin is not followed, since the request would carry the token there.
    async fn list(&self, path: &str) -> Result<Vec<SecretBundle>, SinkError> {
        let mut all = Vec::new();
        let mut url = format!("{}{path}?{API_VERSION}", self.url);
        for _ in 0..PAGES_MAX {
            let answer = self.send_to(Method::GET, &url, None, &[]).await?;
            let page: BundlePage = self.rest.read(&format!("GET {path}"), &answer)?;
            all.extend(page.value);
            let Some(next) = page.next_link.filter(|next| !next.is_empty()) else {
                return Ok(all);
            };
            let (ours, theirs) = (Url::parse(&self.url), Url::parse(&next));
            match (ours, theirs) {
                (Ok(ours), Ok(theirs)) if ours.origin() == theirs.origin() => url = next,
                _ => return Err(self.rest.never(&"a listing continues at another host")),
            }
        }
        let why = format!("GET {path}: the listing has more than {PAGES_MAX} pages");
        Err(self.rest.later(&why))
    }

    /// The last version that another user set after the version that was replaced.
    async fn between(
        &self,
        ours: &str,
        was: Option<&str>,
        since: i64,
    ) -> Result<Option<String>, SinkError> {
        let versions = self.list(&format!("{}/versions", self.path())).await?;
        let theirs = versions.into_iter().filter(|it| {
            let version = it.version();
            it.created() > since && version.as_deref() != Some(ours) && version.as_deref() != was
        });
        let last = theirs.max_by_key(SecretBundle::created);
        Ok(last.and_then(|last| last.version()))
    }
}

enum SecretState {
    Bundle(Box<SecretBundle>),
    Disabled,
    Nothing,
}

#[async_trait]
impl DocumentStore for KeyVault {
    async fn get(&self) -> Result<DocumentVersion, SinkError> {
        let nothing = |kind: Option<&str>| DocumentVersion {
            content: None,
            tag: VersionTag {
                version: None,
                kind: kind.map(str::to_owned),
            },
        };
        let found = match self.bundle(None).await? {
            SecretState::Bundle(found) => found,
            SecretState::Disabled => return Ok(nothing(Some(DISABLED))),
            SecretState::Nothing => return Ok(nothing(None)),
        };
        if found.managed {
            return Err(self.rest.never(&"the secret belongs to a certificate"));
        }
        let unclear = || self.rest.later(&"the secret has no version");
        let version = found.version().ok_or_else(unclear)?;
        let known = VersionProperties {
            properties: found.properties(),
            created: found.created(),
        };
        let known = serde_json::to_string(&known);
        let value = found.value.unwrap_or_else(|| Secret::new(String::new()));
        Ok(DocumentVersion {
            content: Some(Secret::new(value.expose().as_bytes().to_vec())),
            tag: VersionTag {
                version: Some(version),
                kind: Some(known.map_err(|error| self.rest.never(&error))?),
            },
        })
    }

    async fn put(&self, content: DocumentContent, was: &VersionTag) -> Result<(), SinkError> {
        let Some(content) = content else {
            return match &was.version {
                Some(version) => self.disable(version).await,
                None => Ok(()),
            };
        };
        let text = std::str::from_utf8(content.expose());
        let text = text.map_err(|error| self.rest.never(&error))?;
        // Read again right before the write, to keep the race window short.
        let now = match self.bundle(None).await? {
            SecretState::Bundle(now) => now.version(),
            SecretState::Disabled | SecretState::Nothing => None,
        };
        let meanwhile = "the secret was modified concurrently";
        if now != was.version {
            return Err(self.rest.later(&meanwhile));
        }
        let known = was
            .kind
            .as_deref()
            .map(serde_json::from_str::<VersionProperties>);
        let Some(Ok(known)) = known else {
            let mut made = Map::new();
            made.insert("contentType".to_owned(), json!("application/json"));
            return self.set(text, &made).await.map(drop);
        };
        let set = self.set(text, &known.properties).await?;
        let ours = set.ok_or_else(|| self.rest.later(&"the new version has no name"))?;
        let theirs = self
            .between(&ours, was.version.as_deref(), known.created)
            .await?;
        let Some(theirs) = theirs else {
            return Ok(());
        };
        if let SecretState::Bundle(found) = self.bundle(Some(&theirs)).await?
            && let Some(value) = &found.value
        {
            self.set(value.expose(), &found.properties()).await?;
        }
        let why = format!("{meanwhile}; the other value was made the current version again");
        Err(self.rest.later(&why))
    }

    async fn retire(&self, replaced: &VersionTag) {
        if let Some(version) = &replaced.version {
            // If this fails, the version stays enabled, but its key is deleted.
            let _ = self.disable(version).await;
        }
    }

    /// A deleted secret is only visible to callers who may list deleted secrets.
    async fn check(&self) -> Result<Vec<String>, SinkError> {
        if let SecretState::Nothing = self.bundle(None).await? {
            let path = format!("/deletedsecrets/{}", self.secret);
            let answer = self.send(Method::GET, &path, None, &[]).await?;
            if answer.status.is_success() {
                return Err(self.rest.never(&RESERVED));
            }
        }
        Ok(Vec::new())
    }

    fn absence(&self, tag: &VersionTag) -> String {
        match tag.kind.as_deref() {
            Some(DISABLED) => "its current version is disabled".to_owned(),
            _ => "it does not exist".to_owned(),
        }
    }

    async fn names(&self) -> Vec<String> {
        let all = self.list("/secrets").await.unwrap_or_default();
        let names = all.into_iter().map(|it| it.id);
        let names = names.filter_map(|id| Some(id.rsplit_once('/')?.1.to_owned()));
        names.collect()
    }

    fn own_name(&self) -> &str {
        &self.secret
    }
}

/// The error for a name that cannot be used.
const RESERVED: &str = "a deleted secret has the same name; recover or purge it first";
/// The [`VersionTag::kind`] of a secret whose current version is disabled.
const DISABLED: &str = "disabled";

#[cfg(test)]
mod tests;
