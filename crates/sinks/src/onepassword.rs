//! Fields of a 1Password item, through a Connect server.
//!
//! Invariants: Both fields are one request, and no other field is part of it. A write is sent only
//! right after a check that the item is still the version that was read. Connect has no conditional
//! write, so what another user saves at the same moment is detected afterwards by the version, and
//! reported.
//!
//! To the other modules an item is a JSON document: its fields by their labels, with the fields of
//! a section in an object under the section's label.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use keywright_base::{Clock, Secret};
use keywright_rotation::ports::SinkError;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use super::{
    SinkKind,
    aws_profile::variable,
    document::{self, DocumentContent, DocumentStore, DocumentVersion, StorePlace, VersionTag},
    rest::{RestClient, RestResponse, secret, segment},
    text::did_you_mean,
};
use keywright_aws::http;

pub(super) const KIND: SinkKind = SinkKind {
    prefix: "1password",
    syntax: "VAULT/ITEM[#/ID,/SECRET]",
    writes: "two fields of an existing item, through 1Password Connect",
    parse: document::parse::<VaultItem>,
};

/// The maximum length of a name.
const NAME_MAX: usize = 255;
/// The length of an ID.
const ID_LENGTH: usize = 26;

/// Whether the text is the ID of a vault or an item, rather than a name.
fn is_id(text: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() == ID_LENGTH && text.chars().all(good)
}

/// `VAULT/ITEM`, each by name or by ID.
#[derive(Debug, Clone, PartialEq, Eq)]
struct VaultItem {
    vault: String,
    item: String,
}

impl fmt::Display for VaultItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.vault, self.item)
    }
}

#[async_trait]
impl StorePlace for VaultItem {
    type Store = ConnectItem;

    fn parse(text: &str) -> Result<Self, String> {
        let good = |text: &&str| {
            // The server's filter syntax has no escape for these characters.
            let odd = |c: char| matches!(c, '"' | '\\' | '/');
            !text.is_empty()
                && text.len() <= NAME_MAX
                && text.trim() == *text
                && !text.contains(odd)
        };
        let wrong = || {
            format!("{text} is not of the form VAULT/ITEM, with IDs or with names without / and \"")
        };
        let (vault, item) = text.split_once('/').ok_or_else(wrong)?;
        let vault = Some(vault).filter(good).ok_or_else(wrong)?;
        let item = Some(item).filter(good).ok_or_else(wrong)?;
        Ok(Self {
            vault: vault.to_owned(),
            item: item.to_owned(),
        })
    }

    async fn open(&self, name: &str, _: &Arc<dyn Clock>) -> Result<ConnectItem, String> {
        let host = variable("OP_CONNECT_HOST").ok_or("OP_CONNECT_HOST is not set")?;
        let token = variable("OP_CONNECT_TOKEN").ok_or("OP_CONNECT_TOKEN is not set")?;
        ConnectItem::at(name, self, &host, token)
    }
}

/// An item behind a Connect server.
struct ConnectItem {
    rest: RestClient,
    token: Secret<String>,
    url: String,
    place: VaultItem,
    /// Its API path, once the IDs are known.
    path: OnceCell<String>,
}

/// A vault or an item in a listing.
#[derive(Deserialize)]
struct ListedItem {
    id: String,
    #[serde(default, alias = "title")]
    name: String,
}

#[derive(Deserialize)]
struct ItemBody {
    version: u64,
    state: Option<String>,
    #[serde(default)]
    sections: Vec<ItemSection>,
    #[serde(default)]
    fields: Vec<ItemField>,
}

#[derive(Deserialize)]
struct ItemSection {
    id: String,
    label: Option<String>,
}

#[derive(Deserialize)]
struct SectionRef {
    id: String,
}

#[derive(Deserialize)]
struct ItemField {
    id: String,
    label: Option<String>,
    section: Option<SectionRef>,
    #[serde(default, deserialize_with = "secret")]
    value: Option<Secret<String>>,
}

impl ItemField {
    /// The name that 1Password shows.
    fn label(&self) -> &str {
        self.label
            .as_deref()
            .filter(|label| !label.is_empty())
            .unwrap_or(&self.id)
    }

    /// Its path in a patch.
    fn path(&self) -> String {
        format!("/fields/{}", self.id.replace('~', "~0").replace('/', "~1"))
    }
}

impl ItemBody {
    fn section(&self, field: &ItemField) -> Option<&ItemSection> {
        let id = &field.section.as_ref()?.id;
        self.sections.iter().find(|section| section.id == *id)
    }

    /// The fields as JSON. Duplicate labels stay, and are rejected when one of them is looked up.
    fn document(&self) -> Secret<Vec<u8>> {
        let quoted = |text: &str| Value::String(text.to_owned()).to_string();
        let members = |of: Option<&ItemSection>| {
            let id = of.map(|section| &section.id);
            let fields = self.fields.iter();
            let fields = fields.filter(move |it| self.section(it).map(|it| &it.id) == id);
            let members = fields.map(|field| {
                let value = field.value.as_ref().map_or("", |value| value.expose());
                format!("{}: {}", quoted(field.label()), quoted(value))
            });
            members.collect::<Vec<_>>()
        };
        let mut all = members(None);
        for section in &self.sections {
            let label = section.label.as_deref().unwrap_or_default();
            let inner = members(Some(section));
            if !label.is_empty() && !inner.is_empty() {
                all.push(format!("{}: {{{}}}", quoted(label), inner.join(", ")));
            }
        }
        Secret::new(format!("{{{}}}", all.join(", ")).into_bytes())
    }

    /// The patch that makes the fields those of another document.
    fn patch(&self, new: &Map<String, Value>) -> Result<Vec<Value>, String> {
        let mut patch = self.patch_of(None, new)?;
        let nothing = Map::new();
        for section in &self.sections {
            let label = section.label.as_deref().unwrap_or_default();
            let twins = self.sections.iter().filter(|it| it.label == section.label);
            if label.is_empty() || twins.count() > 1 {
                // Not part of the document, or ambiguous and so without a pair.
                continue;
            }
            let inner = new.get(label).and_then(Value::as_object);
            patch.extend(self.patch_of(Some(section), inner.unwrap_or(&nothing))?);
        }
        let is_known = |label: &str| {
            self.sections
                .iter()
                .any(|it| it.label.as_deref() == Some(label))
        };
        let mut objects = new.iter().filter(|(_, value)| value.is_object());
        match objects.find(|(label, _)| !is_known(label)) {
            None => Ok(patch),
            Some((label, _)) => Err(format!("the item has no section {label}")),
        }
    }

    /// The patch of one section, or of the fields outside sections. ID and secret are part of the
    /// same request.
    fn patch_of(
        &self,
        section: Option<&ItemSection>,
        new: &Map<String, Value>,
    ) -> Result<Vec<Value>, String> {
        let id = section.map(|section| &section.id);
        let is_here = |field: &&ItemField| self.section(field).map(|section| &section.id) == id;
        let mut patch = Vec::new();
        for field in self.fields.iter().filter(is_here) {
            let label = field.label();
            let twice = self
                .fields
                .iter()
                .filter(is_here)
                .filter(|it| it.label() == label);
            if twice.count() > 1 {
                // Never one of the two that are written.
                continue;
            }
            let is = field.value.as_ref().map_or("", |value| value.expose());
            match new.get(label) {
                Some(Value::String(value)) if value == is => {}
                Some(Value::String(value)) => {
                    let op = if field.value.is_some() {
                        "replace"
                    } else {
                        "add"
                    };
                    let path = format!("{}/value", field.path());
                    patch.push(json!({"op": op, "path": path, "value": value}));
                }
                None => patch.push(json!({"op": "remove", "path": field.path()})),
                Some(_) => return Err(format!("{label} is both a field and a section")),
            }
        }
        for (label, value) in new {
            let is_new = !self
                .fields
                .iter()
                .filter(is_here)
                .any(|it| it.label() == label);
            if let (true, Value::String(value)) = (is_new, value) {
                let field = match id {
                    None => json!({"label": label, "type": "CONCEALED", "value": value}),
                    Some(id) => json!({
                        "label": label, "type": "CONCEALED", "value": value, "section": {"id": id},
                    }),
                };
                patch.push(json!({"op": "add", "path": "/fields", "value": field}));
            }
        }
        Ok(patch)
    }
}

impl ConnectItem {
    fn at(name: &str, place: &VaultItem, host: &str, token: String) -> Result<Self, String> {
        http::address(host).map_err(|why| format!("OP_CONNECT_HOST: {why}"))?;
        Ok(Self {
            rest: RestClient::new(name)?,
            token: Secret::new(token),
            url: format!("{}/v1", host.trim_end_matches('/')),
            place: place.clone(),
            path: OnceCell::new(),
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        sent: &[&str],
    ) -> Result<RestResponse, SinkError> {
        let request = self
            .rest
            .http
            .request(method, format!("{}{path}", self.url));
        let request = request.bearer_auth(self.token.expose());
        self.rest.send_json(request, body, &self.token, sent).await
    }

    async fn list(&self, path: &str) -> Result<Vec<ListedItem>, SinkError> {
        let answer = self.send(Method::GET, path, None, &[]).await?;
        self.rest.read(&format!("GET {path}"), &answer)
    }

    /// Resolves a name to an ID. If several share the name, the error lists their IDs.
    async fn id_of(&self, what: &str, folder: &str, name: &str) -> Result<String, SinkError> {
        if is_id(name) {
            return Ok(name.to_owned());
        }
        let property = if what == "vault" { "name" } else { "title" };
        let filter = format!("{property} eq \"{name}\"");
        let found = self
            .list(&format!("{folder}?filter={}", segment(&filter)))
            .await?;
        let found: Vec<_> = found.into_iter().filter(|it| it.name == name).collect();
        match found.as_slice() {
            [one] if is_id(&one.id) => Ok(one.id.clone()),
            [_] => Err(self
                .rest
                .later(&format!("the ID of the {what} is malformed"))),
            [] => {
                let all = self.list(folder).await?;
                let near = did_you_mean(name, all.iter().map(|it| it.name.as_str()));
                let why = format!(
                    "there is no {what} {name}, or the token is not allowed to see it{near}"
                );
                Err(self.rest.never(&why))
            }
            several => {
                let ids: Vec<_> = several.iter().map(|it| it.id.as_str()).collect();
                let ids = ids.join(", ");
                let why = format!("several {what}s are named {name}; use an ID instead: {ids}");
                Err(self.rest.never(&why))
            }
        }
    }

    /// The API path of the item.
    async fn path(&self) -> Result<&str, SinkError> {
        let path = self.path.get_or_try_init(|| async {
            let vault = self.id_of("vault", "/vaults", &self.place.vault).await?;
            let folder = format!("/vaults/{vault}/items");
            let item = self.id_of("item", &folder, &self.place.item).await?;
            Ok(format!("{folder}/{item}"))
        });
        path.await.map(String::as_str)
    }

    async fn item(&self) -> Result<ItemBody, SinkError> {
        let path = self.path().await?;
        let answer = self.send(Method::GET, path, None, &[]).await?;
        let item: ItemBody = self.rest.read(&format!("GET {path}"), &answer)?;
        match item.state {
            None => Ok(item),
            Some(_) => Err(self.rest.never(&"the item is archived or deleted")),
        }
    }

    async fn patch(&self, patch: &[Value]) -> Result<ItemBody, SinkError> {
        let path = self.path().await?;
        let values = patch.iter().filter_map(|op| {
            let value = op.get("value")?;
            value.as_str().or_else(|| value.get("value")?.as_str())
        });
        let values: Vec<&str> = values.collect();
        let body = json!(patch);
        let answer = self.send(Method::PATCH, path, Some(&body), &values).await?;
        self.rest.read(&format!("PATCH {path}"), &answer)
    }
}

#[async_trait]
impl DocumentStore for ConnectItem {
    async fn get(&self) -> Result<DocumentVersion, SinkError> {
        let item = self.item().await?;
        Ok(DocumentVersion {
            content: Some(item.document()),
            tag: VersionTag {
                version: Some(item.version.to_string()),
                kind: None,
            },
        })
    }

    async fn put(&self, content: DocumentContent, was: &VersionTag) -> Result<(), SinkError> {
        let item = self.item().await?;
        let meanwhile = "the item was modified concurrently";
        if was.version != Some(item.version.to_string()) {
            return Err(self.rest.later(&meanwhile));
        }
        let Some(content) = content else {
            return Err(self.rest.never(&"a rotation does not delete items"));
        };
        let new: Result<Map<String, Value>, _> = serde_json::from_slice(content.expose());
        let new = new.map_err(|_| self.rest.never(&"its fields are not a JSON object"))?;
        let patch = item.patch(&new).map_err(|why| self.rest.never(&why))?;
        let now = self.patch(&patch).await?;
        match now.version == item.version + 1 {
            true => Ok(()),
            false => {
                let why = format!("{meanwhile}; see its history for the other change");
                Err(self.rest.later(&why))
            }
        }
    }

    /// A patch without operations changes nothing, but requires permission to write.
    async fn check(&self) -> Result<Vec<String>, SinkError> {
        self.patch(&[]).await.map(|_| Vec::new())
    }

    fn own_name(&self) -> &str {
        &self.place.item
    }
}

#[cfg(test)]
mod tests;
