//! Two fields of a Kubernetes Secret, and the workloads to restart so that they read them.
//!
//! Invariants: Both fields are one write, which succeeds only if the Secret is still the version
//! that was read. Other fields stay. A named workload counts as served only when its rollout has
//! completed. The cluster's own checks run first (`dryRun`), so a request that it would reject is
//! known before anything changes.

mod client;
mod exec;
mod kubeconfig;
mod workload;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use keywright_base::{Clock, Secret};
use keywright_rotation::{
    model::{KeyId, KeyPair, RotationId},
    ports::{
        MissingTarget, RotationPairs, Sink, SinkBackup, SinkContent, SinkError, SinkInspection,
    },
};
use kube::{
    api::{DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::{Request, request},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use zeroize::Zeroize;

use self::{
    client::{ApiCall, ClusterConnection, ClusterError},
    kubeconfig::ClusterAccess,
    workload::{RolloutStatus, Workload},
};
use super::{
    ParsedDestination,
    document::foreign_key,
    fragment,
    text::{did_you_mean, pair_of, printable_id, similar},
};

/// How many object names are read for a suggestion.
const NAMES_MAX: u32 = 500;

pub(super) fn parse(text: &str) -> Result<Box<dyn ParsedDestination>, String> {
    let (place, fields) = fragment(text);
    Ok(Box::new(ClusterSecret::new(place, fields)?))
}

#[async_trait]
impl ParsedDestination for ClusterSecret {
    fn backend(&self) -> String {
        self.context.clone().unwrap_or_default()
    }

    async fn open(&self, name: String, clock: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, String> {
        let secret = KubernetesSink::open(name, self, Arc::clone(clock))?;
        Ok(Box::new(secret))
    }
}

/// `NAMESPACE/NAME[?context=…&restart=KIND/NAME,…][#ID,SECRET]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClusterSecret {
    namespace: String,
    name: String,
    context: Option<String>,
    restart: Vec<Workload>,
    id: String,
    secret: String,
}

const USUAL: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");

const NO_BACKUP: &str = "its backup cannot be read";

/// The maximum length of a name.
const NAME_MAX: usize = 253;

/// Whether the text is a valid object name.
fn is_name(text: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= NAME_MAX
        && text.chars().all(good)
        && ends(text.chars().next())
        && ends(text.chars().last())
}

/// Whether the text is a valid field name.
fn is_field(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.len() <= NAME_MAX && text.chars().all(good)
}

impl ClusterSecret {
    pub(super) fn new(text: &str, fields: Option<&str>) -> Result<Self, String> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let object = path.split_once('/');
        let object = object.filter(|(namespace, name)| is_name(namespace) && is_name(name));
        let (namespace, name) =
            object.ok_or_else(|| format!("{path} is not of the form NAMESPACE/NAME"))?;
        let (id, secret) = match fields {
            None => USUAL,
            Some(fields) => {
                let two = fields.split_once(',');
                two.ok_or("expected two field names after #: ID,SECRET")?
            }
        };
        if let Some(wrong) = [id, secret].into_iter().find(|field| !is_field(field)) {
            return Err(format!("{wrong} is not a valid field name"));
        }
        if id == secret {
            return Err("the two fields are the same".to_owned());
        }
        let mut place = Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            context: None,
            restart: Vec::new(),
            id: id.to_owned(),
            secret: secret.to_owned(),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("context", context)) if !context.is_empty() => {
                    place.context = Some(context.to_owned());
                }
                Some(("restart", list)) => {
                    place.restart = list.split(',').map(str::parse).collect::<Result<_, _>>()?;
                }
                _ => {
                    return Err(format!(
                        "unknown parameter {pair}: expected context=… or restart=…"
                    ));
                }
            }
        }
        Ok(place)
    }

    /// The Secrets of its namespace.
    fn secrets(&self) -> Request {
        Request::new(format!("/api/v1/namespaces/{}/secrets", self.namespace))
    }
}

impl fmt::Display for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)?;
        let mut sign = '?';
        if let Some(context) = &self.context {
            write!(f, "{sign}context={context}")?;
            sign = '&';
        }
        if !self.restart.is_empty() {
            let restart: Vec<_> = self.restart.iter().map(ToString::to_string).collect();
            write!(f, "{sign}restart={}", restart.join(","))?;
        }
        if (self.id.as_str(), self.secret.as_str()) != USUAL {
            write!(f, "#{},{}", self.id, self.secret)?;
        }
        Ok(())
    }
}

pub(super) struct KubernetesSink {
    name: String,
    place: ClusterSecret,
    api: ClusterConnection,
    clock: Arc<dyn Clock>,
}

/// A Secret as the cluster returns it.
struct SecretObject {
    /// Its fields, in base64.
    data: Map<String, Value>,
    version: String,
    immutable: bool,
}

/// The data for [`Sink::restore`]: the fields that existed, in base64.
#[derive(Serialize, Deserialize)]
struct FieldsBackup {
    existed: bool,
    id: Option<String>,
    secret: Option<String>,
}

impl Drop for FieldsBackup {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl FieldsBackup {
    fn read(backup: &SinkBackup) -> Option<Self> {
        serde_json::from_slice(backup.expose()).ok()
    }
}

fn decoded(encoded: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}

/// Both fields in base64.
fn encoded(pair: &KeyPair) -> (String, Secret<String>) {
    let secret = STANDARD.encode(pair.secret.expose());
    (STANDARD.encode(&pair.id.0), Secret::new(secret))
}

impl KubernetesSink {
    /// Uses the kubeconfig, or the pod's service account.
    pub(super) fn open(
        name: String,
        place: &ClusterSecret,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let access = ClusterAccess::find(place.context.as_deref())?;
        access.read()?;
        Ok(Self::at(name, place, access, clock))
    }

    fn at(
        name: String,
        place: &ClusterSecret,
        access: ClusterAccess,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            name,
            place: place.clone(),
            api: ClusterConnection::new(access),
            clock,
        }
    }

    fn never(&self, why: &dyn fmt::Display) -> SinkError {
        SinkError::Never(format!("{}: {why}", self.name))
    }

    fn later(&self, why: &dyn fmt::Display) -> SinkError {
        SinkError::Later(format!("{}: {why}", self.name))
    }

    /// Sends a request. `None` if the object does not exist.
    async fn send(
        &self,
        request: Result<http::Request<Vec<u8>>, request::Error>,
        secret: bool,
    ) -> Result<Option<Value>, SinkError> {
        let request = request.map_err(|error| self.never(&error))?;
        let answered = self.api.send(&ApiCall { request, secret }).await;
        answered.map_err(|refusal| match refusal {
            ClusterError::Passing(why) => self.later(&why),
            ClusterError::Lasting(why) => self.never(&why),
        })
    }

    async fn get(&self, objects: &Request, name: &str) -> Result<Option<Value>, SinkError> {
        let request = objects.get(name, &GetParams::default());
        self.send(request, false).await
    }

    async fn find(&self) -> Result<Option<SecretObject>, SinkError> {
        let secrets = self.place.secrets();
        let Some(found) = self.get(&secrets, &self.place.name).await? else {
            return Ok(None);
        };
        let version = found.pointer("/metadata/resourceVersion");
        let version = version.and_then(Value::as_str);
        let version = version.ok_or_else(|| self.later(&"the response has no resourceVersion"))?;
        Ok(Some(SecretObject {
            version: version.to_owned(),
            immutable: found.get("immutable").and_then(Value::as_bool) == Some(true),
            data: match found.get("data") {
                Some(Value::Object(data)) => data.clone(),
                _ => Map::new(),
            },
        }))
    }

    /// The pair. Half a pair is an error.
    fn pair(&self, found: Option<&SecretObject>) -> Result<Option<KeyPair>, SinkError> {
        let text = |field: &str| {
            let Some(value) = found.and_then(|found| found.data.get(field)) else {
                return Ok(None);
            };
            let text = value.as_str().and_then(decoded);
            let bad = || self.never(&format!("{field} is not text"));
            text.map(Some).ok_or_else(bad)
        };
        let (id, secret) = (text(&self.place.id)?, text(&self.place.secret)?);
        let pair = pair_of(
            (&self.place.id, id.as_deref()),
            (&self.place.secret, secret.as_deref()),
        );
        pair.map_err(|why| self.never(&why))
    }

    /// Names of objects next to a missing one, for a suggestion. Reads only metadata, and returns
    /// nothing if the caller may not list them.
    async fn names(&self, objects: &Request) -> Vec<String> {
        let listed = objects.list_metadata(&ListParams::default().limit(NAMES_MAX));
        let listed = self.send(listed, false).await.ok().flatten();
        let items = listed.as_ref().and_then(|listed| listed.get("items"));
        let items = items.and_then(Value::as_array).into_iter().flatten();
        let name = |item: &Value| Some(item.pointer("/metadata/name")?.as_str()?.to_owned());
        items.filter_map(name).collect()
    }

    /// The error for a missing object, with similar names.
    async fn none(&self, what: &str, objects: &Request, name: &str) -> SinkError {
        let names = self.names(objects).await;
        let near = did_you_mean(name, names.iter().map(String::as_str));
        self.never(&format!("there is no {what}{near}"))
    }

    fn inspection(
        &self,
        found: Option<&SecretObject>,
        old: &KeyId,
    ) -> Result<SinkInspection, SinkError> {
        let pair = self.pair(found)?;
        let ClusterSecret {
            name, id, secret, ..
        } = &self.place;
        let mut also = Vec::new();
        let absent = match found {
            None => Some(MissingTarget {
                what: format!("there is no Secret {name}"),
                similar: Vec::new(),
            }),
            Some(found) => {
                let others = found.data.iter();
                let others = others.filter(|(field, _)| *field != id && *field != secret);
                for (field, value) in others.clone() {
                    if value.as_str().and_then(decoded).as_ref() == Some(&old.0) {
                        also.push(field.clone());
                    }
                }
                let there = found.data.contains_key(id) || found.data.contains_key(secret);
                (!there && !found.data.is_empty()).then(|| MissingTarget {
                    what: format!("there is no {id} and no {secret}"),
                    similar: similar(id, others.map(|(field, _)| field.as_str())),
                })
            }
        };
        Ok(SinkInspection {
            held: pair.map_or(SinkContent::Nothing, SinkContent::Pair),
            absent,
            also,
            warnings: Vec::new(),
        })
    }

    /// Whether the two fields are still as they were found. `false` if they hold the new pair;
    /// anything else is another user's and an error.
    fn is_as_before(
        &self,
        found: Option<&SecretObject>,
        before: &FieldsBackup,
        new: &KeyPair,
    ) -> Result<bool, SinkError> {
        let field = |name: &str| found?.data.get(name)?.as_str();
        let now = (field(&self.place.id), field(&self.place.secret));
        let there = found.is_some() || !before.existed;
        if there && now == (before.id.as_deref(), before.secret.as_deref()) {
            return Ok(true);
        }
        let (id, secret) = encoded(new);
        if now == (Some(id.as_str()), Some(secret.expose().as_str())) {
            return Ok(false);
        }
        let listed = |id: Option<&str>| id.and_then(decoded).unwrap_or_else(|| "no key".to_owned());
        let (now, before) = (listed(now.0), listed(before.id.as_deref()));
        Err(self.never(&foreign_key(
            printable_id(&now),
            printable_id(&before),
            &new.id,
        )))
    }

    async fn workload(&self, workload: &Workload) -> Result<Value, SinkError> {
        let siblings = workload.siblings(&self.place.namespace);
        match self.get(&siblings, workload.name()).await? {
            Some(found) => Ok(found),
            None => {
                let what = workload.to_string();
                Err(self.none(&what, &siblings, workload.name()).await)
            }
        }
    }

    /// Detects every failure that shows without a change.
    async fn check(&self) -> Result<Option<SecretObject>, SinkError> {
        let found = self.find().await?;
        match &found {
            Some(found) if found.immutable => return Err(self.never(&"it is immutable")),
            Some(_) => {
                let secrets = self.place.secrets();
                self.patch(&secrets, &self.place.name, &json!({}), true)
                    .await?;
            }
            None => self.create(&json!({}), true).await?,
        }
        for workload in &self.place.restart {
            let seen = self.workload(workload).await?;
            workload.check(&seen).map_err(|why| self.never(&why))?;
            let siblings = workload.siblings(&self.place.namespace);
            self.patch(&siblings, workload.name(), &json!({}), true)
                .await?;
        }
        Ok(found)
    }

    async fn patch(
        &self,
        objects: &Request,
        name: &str,
        patch: &Value,
        dry_run: bool,
    ) -> Result<(), SinkError> {
        let parameters = PatchParams {
            dry_run,
            ..PatchParams::default()
        };
        let request = objects.patch(name, &parameters, &Patch::Merge(patch));
        let done = self.send(request, patch.get("data").is_some()).await?;
        done.map(drop)
            .ok_or_else(|| self.later(&"it no longer exists"))
    }

    async fn create(&self, data: &Value, dry_run: bool) -> Result<(), SinkError> {
        let metadata = json!({"name": self.place.name});
        let made = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": metadata, "data": data,
        });
        let parameters = PostParams {
            dry_run,
            ..PostParams::default()
        };
        let body = made.to_string().into_bytes();
        let request = self.place.secrets().create(&parameters, body);
        if self.send(request, true).await?.is_some() {
            return Ok(());
        }
        let (name, all) = (&self.place.namespace, Request::new("/api/v1/namespaces"));
        Err(self.none(&format!("namespace {name}"), &all, name).await)
    }

    /// Sets or removes the two fields, if the Secret is still as it was found.
    async fn put(
        &self,
        found: Option<&SecretObject>,
        id: Option<&str>,
        secret: Option<&str>,
    ) -> Result<(), SinkError> {
        let fields = [(&self.place.id, id), (&self.place.secret, secret)];
        let now = |field: &str| found?.data.get(field)?.as_str();
        if fields.iter().all(|(field, value)| now(field) == *value) {
            return Ok(());
        }
        let data = fields.map(|(field, value)| (field.clone(), json!(value)));
        let data = Value::Object(data.into_iter().collect());
        match found {
            None => self.create(&data, false).await,
            Some(found) => {
                let metadata = json!({"resourceVersion": found.version});
                let patch = json!({"metadata": metadata, "data": data});
                let secrets = self.place.secrets();
                self.patch(&secrets, &self.place.name, &patch, false).await
            }
        }
    }

    /// Restarts the workloads that were not yet restarted for this key.
    async fn restart(&self, key: &str) -> Result<(), SinkError> {
        for workload in &self.place.restart {
            let seen = self.workload(workload).await?;
            if !Workload::is_started_for(&seen, key) {
                let patch = Workload::restart(key, &self.clock.now().iso8601());
                let siblings = workload.siblings(&self.place.namespace);
                self.patch(&siblings, workload.name(), &patch, false)
                    .await?;
            }
        }
        Ok(())
    }

    /// Removes a Secret that the rotation created, or only the two fields if another user added
    /// others.
    async fn remove(&self, found: &SecretObject) -> Result<(), SinkError> {
        let ours = |field: &String| *field == self.place.id || *field == self.place.secret;
        if !found.data.keys().all(ours) {
            return self.put(Some(found), None, None).await;
        }
        let parameters = DeleteParams::default().preconditions(Preconditions {
            resource_version: Some(found.version.clone()),
            uid: None,
        });
        let request = self.place.secrets().delete(&self.place.name, &parameters);
        self.send(request, false).await.map(drop)
    }
}

#[async_trait]
impl Sink for KubernetesSink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn inspect(&self, old: &KeyId) -> Result<SinkInspection, SinkError> {
        let found = self.check().await?;
        let mut inspection = self.inspection(found.as_ref(), old)?;
        if let (None, Some(absent)) = (&found, &mut inspection.absent) {
            let names = self.names(&self.place.secrets()).await;
            absent.similar = similar(&self.place.name, names.iter().map(String::as_str));
        }
        Ok(inspection)
    }

    async fn stage(&self, _: &RotationId) -> Result<SinkBackup, SinkError> {
        let found = self.check().await?;
        self.pair(found.as_ref())?;
        let field = |name: &str| Some(found.as_ref()?.data.get(name)?.as_str()?.to_owned());
        let before = FieldsBackup {
            existed: found.is_some(),
            id: field(&self.place.id),
            secret: field(&self.place.secret),
        };
        let bytes = serde_json::to_vec(&before).map_err(|error| self.never(&error))?;
        Ok(Secret::new(bytes))
    }

    async fn commit(
        &self,
        _: &RotationId,
        backup: &SinkBackup,
        new: &KeyPair,
    ) -> Result<(), SinkError> {
        let before = FieldsBackup::read(backup).ok_or_else(|| self.never(&NO_BACKUP))?;
        let found = self.find().await?;
        if self.is_as_before(found.as_ref(), &before, new)? {
            let (id, secret) = encoded(new);
            self.put(found.as_ref(), Some(&id), Some(secret.expose()))
                .await?;
        }
        self.restart(&new.id.0).await
    }

    async fn read_back(&self) -> Result<SinkContent, SinkError> {
        let found = self.find().await?;
        let Some(pair) = self.pair(found.as_ref())? else {
            return Ok(SinkContent::Nothing);
        };
        for workload in &self.place.restart {
            let seen = self.workload(workload).await?;
            if !Workload::is_started_for(&seen, &pair.id.0) {
                continue;
            }
            match workload.rollout(&seen) {
                RolloutStatus::Over => {}
                RolloutStatus::Going(why) => return Err(self.later(&format!("{workload}: {why}"))),
                RolloutStatus::Failed(why) => return Err(self.never(&format!("{workload}: {why}"))),
            }
        }
        Ok(SinkContent::Pair(pair))
    }

    async fn restore(
        &self,
        _: &RotationId,
        backup: &SinkBackup,
        pairs: RotationPairs<'_>,
    ) -> Result<(), SinkError> {
        let before = FieldsBackup::read(backup).ok_or_else(|| self.never(&NO_BACKUP))?;
        let found = self.find().await?;
        if !self.is_as_before(found.as_ref(), &before, pairs.new)? {
            match &found {
                Some(found) if !before.existed => self.remove(found).await?,
                found => {
                    let (id, secret) = (before.id.as_deref(), before.secret.as_deref());
                    self.put(found.as_ref(), id, secret).await?;
                }
            }
        }
        let id = before.id.as_deref().and_then(|id| STANDARD.decode(id).ok());
        let id = id.map(|id| String::from_utf8_lossy(&id).into_owned());
        self.restart(id.as_deref().unwrap_or("none")).await
    }
}

#[cfg(test)]
mod access_tests;
#[cfg(test)]
mod tests;
