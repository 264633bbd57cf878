//! A secret in a KV version 2 engine of Vault or OpenBao.
//!
//! Invariant: a version that another user wrote in between is not overwritten (check-and-set).
//! Address, token and namespace come from where `vault` and `bao` look for them.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use keywright_base::{Clock, Secret, limits};
use keywright_rotation::ports::SinkError;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    SinkKind,
    aws_profile::{home, variable},
    document::{self, DocumentContent, DocumentStore, DocumentVersion, StorePlace, VersionTag},
};
use keywright_aws::http;

pub(super) const KIND: SinkKind = SinkKind {
    prefix: "vault",
    syntax: "MOUNT/PATH[#/ID,/SECRET]",
    writes: "two fields of a KV v2 secret, of Vault or OpenBao",
    parse: document::parse::<VaultPlace>,
};

/// Mount and path.
#[derive(Debug)]
struct VaultPlace(String);

impl fmt::Display for VaultPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[async_trait]
impl StorePlace for VaultPlace {
    type Store = VaultSecret;

    fn parse(text: &str) -> Result<Self, String> {
        place(text)?;
        Ok(Self(text.to_owned()))
    }

    async fn open(&self, _: &str, _: &Arc<dyn Clock>) -> Result<VaultSecret, String> {
        let (mount, path) = place(&self.0)?;
        VaultSecret::open(mount, path)
    }
}

/// A secret and how to reach it.
pub(crate) struct VaultSecret {
    http: reqwest::Client,
    address: String,
    token: Secret<String>,
    namespace: Option<String>,
    mount: String,
    path: String,
}

impl std::fmt::Debug for VaultSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({}/{} at {})", self.mount, self.path, self.address)
    }
}

/// Splits a place into mount and path.
pub(crate) fn place(text: &str) -> Result<(&str, &str), String> {
    let good = |part: &str| {
        let odd = |c: char| c.is_whitespace() || matches!(c, '?' | '#' | '%');
        !part.is_empty() && !part.contains(odd) && !part.split('/').any(|name| name == "..")
    };
    text.split_once('/')
        .filter(|(mount, path)| good(mount) && good(path))
        .ok_or_else(|| format!("{text} is not of the form MOUNT/PATH"))
}

impl VaultSecret {
    /// Uses the address in the environment, and the token there or the one that `vault login`
    /// stored.
    pub(crate) fn open(mount: &str, path: &str) -> Result<Self, String> {
        let either = |vault, bao| variable(vault).or_else(|| variable(bao));
        let address = either("VAULT_ADDR", "BAO_ADDR").ok_or("VAULT_ADDR is not set")?;
        let token = either("VAULT_TOKEN", "BAO_TOKEN").or_else(|| {
            let left = std::fs::read_to_string(home()?.join(".vault-token")).ok()?;
            Some(left.trim().to_owned())
        });
        Self::at(
            &address,
            token.ok_or("VAULT_TOKEN is not set, and there is no ~/.vault-token")?,
            either("VAULT_NAMESPACE", "BAO_NAMESPACE"),
            (mount, path),
        )
    }

    /// Uses the given address and token.
    pub(super) fn at(
        address: &str,
        token: String,
        namespace: Option<String>,
        (mount, path): (&str, &str),
    ) -> Result<Self, String> {
        let bundle = variable("VAULT_CACERT").map(std::path::PathBuf::from);
        Ok(Self {
            http: http::client(bundle.as_deref()).map_err(|error| error.to_string())?,
            address: address.trim_end_matches('/').to_owned(),
            token: Secret::new(token),
            namespace,
            mount: mount.to_owned(),
            path: path.to_owned(),
        })
    }

    /// Sends a request. `None` for "not found"; other failure statuses are errors.
    pub(crate) async fn ask(
        &self,
        method: Method,
        part: &str,
        body: Option<Secret<Vec<u8>>>,
    ) -> Result<Option<Secret<Vec<u8>>>, SinkError> {
        let path = format!("{part}/{}", self.path);
        self.ask_at(method, &path, body).await
    }

    /// The same for another path of the engine.
    async fn ask_at(
        &self,
        method: Method,
        at: &str,
        body: Option<Secret<Vec<u8>>>,
    ) -> Result<Option<Secret<Vec<u8>>>, SinkError> {
        let (mount, path) = (&self.mount, &self.path);
        let url = format!("{}/v1/{mount}/{at}", self.address);
        let mut request = self
            .http
            .request(method, url)
            .header("x-vault-request", "true");
        request = request.header("x-vault-token", self.token.expose());
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        if let Some(body) = body {
            let json = "application/json";
            request = request
                .header("content-type", json)
                .body(body.expose().clone());
        }
        let at = |why: &dyn std::fmt::Display| format!("vault {mount}/{path}: {why}");
        let later = |why: &dyn std::fmt::Display| SinkError::Later(at(why));
        let sent = request.send().await;
        let response = sent.map_err(|error| later(&http::root_of(&error)))?;
        let status = response.status();
        let bytes = http::body(response, limits::ANSWER_BYTES).await;
        let bytes = Secret::new(bytes.map_err(|why| later(&why))?);
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(bytes)),
            status => {
                let message = complaint(bytes.expose());
                let conflict = message.contains("check-and-set");
                let why = at(&format!("{status} {message}"));
                if conflict || status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                    Err(SinkError::Later(why))
                } else {
                    Err(SinkError::Never(why))
                }
            }
        }
    }
}

/// The server's error messages. They quote no secret.
fn complaint(body: &[u8]) -> String {
    let message: Value = serde_json::from_slice(body).unwrap_or_default();
    let errors = message.get("errors").and_then(Value::as_array);
    let texts = errors.into_iter().flatten().filter_map(Value::as_str);
    texts.collect::<Vec<_>>().join("; ")
}

/// A secret as read, with its data byte for byte.
#[derive(Deserialize)]
struct VaultRead {
    data: ReadData,
}

#[derive(Deserialize)]
struct ReadData {
    data: Option<Box<RawValue>>,
    metadata: VaultMetadata,
}

#[derive(Deserialize)]
struct VaultMetadata {
    version: u64,
}

#[async_trait]
impl DocumentStore for VaultSecret {
    async fn get(&self) -> Result<DocumentVersion, SinkError> {
        let found = self.ask(Method::GET, "data", None).await?;
        let Some(found) = found else {
            return Ok(DocumentVersion {
                content: None,
                tag: VersionTag::default(),
            });
        };
        let read: Option<VaultRead> = serde_json::from_slice(found.expose()).ok();
        let Some(VaultRead { data }) = read else {
            let (mount, path) = (&self.mount, &self.path);
            let why = format!("vault {mount}/{path}: the response is not a secret");
            return Err(SinkError::Later(why));
        };
        let text = data.data.map(|data| Secret::new(data.get().to_owned()));
        let object = text.filter(|text| text.expose().starts_with('{'));
        Ok(DocumentVersion {
            content: object.map(|text| Secret::new(text.expose().as_bytes().to_vec())),
            tag: VersionTag {
                version: Some(data.metadata.version.to_string()),
                kind: None,
            },
        })
    }

    async fn put(&self, content: DocumentContent, was: &VersionTag) -> Result<(), SinkError> {
        let Some(content) = content else {
            return self.ask(Method::DELETE, "metadata", None).await.map(drop);
        };
        let data = std::str::from_utf8(content.expose());
        let data = data.map_err(|error| SinkError::Never(error.to_string()))?;
        let was = was.version.as_deref().unwrap_or("0");
        let body = format!("{{\"options\":{{\"cas\":{was}}},\"data\":{data}}}");
        let done = self
            .ask(Method::POST, "data", Some(Secret::new(body.into_bytes())))
            .await?;
        match done {
            Some(_) => Ok(()),
            None => {
                let (mount, path) = (&self.mount, &self.path);
                let why = format!("vault {mount}/{path}: there is no such KV version 2 engine");
                Err(SinkError::Never(why))
            }
        }
    }

    /// Empty if the caller may not list them.
    async fn names(&self) -> Vec<String> {
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = format!("metadata/{folder}?list=true");
        let listed = self.ask_at(Method::GET, &path, None).await;
        let listed = listed.ok().flatten();
        let listed: Option<Value> =
            listed.and_then(|listed| serde_json::from_slice(listed.expose()).ok());
        let keys = listed
            .as_ref()
            .and_then(|listed| listed.pointer("/data/keys"));
        let keys = keys.and_then(Value::as_array).into_iter().flatten();
        keys.filter_map(|key| key.as_str().map(str::to_owned))
            .collect()
    }

    fn own_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}
