//! Two fields of a Kubernetes Secret, and the workloads that must be started anew to read them.
//!
//! It protects three rules: both fields are one write, made only if the Secret is still the version
//! that was read; its other fields stay; and a workload that was named counts as served when its
//! rollout is over, not before. The cluster's own checks are asked first (`dryRun`), so what is not
//! allowed is known before anything is changed.

mod cluster;
mod workload;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use keywright_base::{Clock, Secret, limits};
use keywright_rotation::{
    model::{KeyId, Pair, RotationId},
    ports::{Backup, Held, Sink, SinkError},
};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use zeroize::Zeroize;

use self::{
    cluster::{Cluster, Token},
    workload::{Rollout, Workload},
};
use crate::http;

/// `NAMESPACE/NAME[?context=…&restart=KIND/NAME,…][#ID,SECRET]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    namespace: String,
    name: String,
    context: Option<String>,
    restart: Vec<Workload>,
    id: String,
    secret: String,
}

const USUAL: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");

/// The most characters of a name.
const NAME_MAX: usize = 253;

/// Whether a text may be the name of an object.
fn is_name(text: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= NAME_MAX
        && text.chars().all(good)
        && ends(text.chars().next())
        && ends(text.chars().last())
}

/// Whether a text may be the name of a field.
fn is_field(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.len() <= NAME_MAX && text.chars().all(good)
}

impl Place {
    pub(super) fn new(text: &str, fields: Option<&str>) -> Result<Self, String> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let object = path.split_once('/');
        let object = object.filter(|(namespace, name)| is_name(namespace) && is_name(name));
        let (namespace, name) = object.ok_or_else(|| format!("{path} is not NAMESPACE/NAME"))?;
        let (id, secret) = match fields {
            None => USUAL,
            Some(fields) => {
                let two = fields.split_once(',');
                two.ok_or("after # come two names of fields, ID,SECRET")?
            }
        };
        if let Some(wrong) = [id, secret].into_iter().find(|field| !is_field(field)) {
            return Err(format!("{wrong} is not the name of a field"));
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
                _ => return Err(format!("{pair} is neither context=… nor restart=…")),
            }
        }
        Ok(place)
    }

    fn path(&self) -> String {
        format!("{}/{}", self.folder(), self.name)
    }

    fn folder(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets", self.namespace)
    }
}

impl fmt::Display for Place {
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

/// A Secret of a cluster.
pub(super) struct Kubernetes {
    name: String,
    place: Place,
    api: Api,
    clock: Arc<dyn Clock>,
}

/// A Secret as the cluster has it.
struct Found {
    /// Its fields, in base64.
    data: Map<String, Value>,
    version: String,
    immutable: bool,
}

/// What [`Sink::restore`] needs: the fields, in base64, where they were there.
#[derive(Serialize, Deserialize)]
struct Before {
    existed: bool,
    id: Option<String>,
    secret: Option<String>,
}

impl Drop for Before {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl Kubernetes {
    /// As the kubeconfig says, or the pod's service account.
    pub(super) fn open(name: String, place: &Place, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let cluster = Cluster::find(place.context.as_deref())?;
        Self::at(name, place, cluster, clock)
    }

    fn at(
        name: String,
        place: &Place,
        cluster: Cluster,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        Ok(Self {
            name,
            place: place.clone(),
            api: Api::open(cluster)?,
            clock,
        })
    }

    fn never(&self, why: &dyn fmt::Display) -> SinkError {
        SinkError::Never(format!("{}: {why}", self.name))
    }

    fn later(&self, why: &dyn fmt::Display) -> SinkError {
        SinkError::Later(format!("{}: {why}", self.name))
    }

    async fn ask(&self, asked: Asked<'_>) -> Result<Option<Value>, SinkError> {
        let answered = self.api.ask(&asked).await;
        answered.map_err(|refusal| match refusal {
            Refusal::Passing(why) => self.later(&why),
            Refusal::Lasting(why) => self.never(&why),
        })
    }

    async fn find(&self) -> Result<Option<Found>, SinkError> {
        let Some(seen) = self.ask(Asked::get(&self.place.path())).await? else {
            return Ok(None);
        };
        let version = seen.pointer("/metadata/resourceVersion");
        let version = version.and_then(Value::as_str);
        let version = version.ok_or_else(|| self.later(&"the answer has no resourceVersion"))?;
        Ok(Some(Found {
            version: version.to_owned(),
            immutable: seen.get("immutable").and_then(Value::as_bool) == Some(true),
            data: match seen.get("data") {
                Some(Value::Object(data)) => data.clone(),
                _ => Map::new(),
            },
        }))
    }

    fn pair(&self, found: Option<&Found>) -> Option<Pair> {
        let text = |field: &str| {
            let encoded = found?.data.get(field)?.as_str()?;
            String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
        };
        Some(Pair {
            id: KeyId(text(&self.place.id)?),
            secret: Secret::new(text(&self.place.secret)?),
        })
    }

    async fn workload(&self, workload: &Workload) -> Result<Value, SinkError> {
        let path = workload.path(&self.place.namespace);
        let none = || self.never(&format!("there is no {workload}"));
        self.ask(Asked::get(&path)).await?.ok_or_else(none)
    }

    /// Everything that can be known to fail without a change.
    async fn check(&self) -> Result<Option<Found>, SinkError> {
        let found = self.find().await?;
        match &found {
            Some(found) if found.immutable => return Err(self.never(&"it is immutable")),
            Some(_) => self.patch(&self.place.path(), &json!({}), true).await?,
            None => self.create(&json!({}), true).await?,
        }
        for workload in &self.place.restart {
            let seen = self.workload(workload).await?;
            workload.check(&seen).map_err(|why| self.never(&why))?;
            let path = workload.path(&self.place.namespace);
            self.patch(&path, &json!({}), true).await?;
        }
        Ok(found)
    }

    async fn patch(&self, path: &str, patch: &Value, dry: bool) -> Result<(), SinkError> {
        let asked = Asked {
            method: Method::PATCH,
            path,
            dry,
            body: Some((MERGE, patch)),
        };
        let done = self.ask(asked).await?;
        done.map(drop).ok_or_else(|| self.later(&"it is gone"))
    }

    async fn create(&self, data: &Value, dry: bool) -> Result<(), SinkError> {
        let metadata = json!({"name": self.place.name});
        let made = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": metadata, "data": data,
        });
        let folder = self.place.folder();
        let asked = Asked {
            method: Method::POST,
            path: &folder,
            dry,
            body: Some(("application/json", &made)),
        };
        let namespace = &self.place.namespace;
        let none = || self.never(&format!("there is no namespace {namespace}"));
        self.ask(asked).await?.map(drop).ok_or_else(none)
    }

    /// Sets or removes the two fields, if the Secret is still as it was found.
    async fn put(
        &self,
        found: Option<&Found>,
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
                self.patch(&self.place.path(), &patch, false).await
            }
        }
    }

    /// Starts the workloads anew that were not started for this key.
    async fn restart(&self, key: &str) -> Result<(), SinkError> {
        for workload in &self.place.restart {
            let seen = self.workload(workload).await?;
            if !Workload::is_started_for(&seen, key) {
                let patch = Workload::restart(key, &self.clock.now().iso8601());
                let path = workload.path(&self.place.namespace);
                self.patch(&path, &patch, false).await?;
            }
        }
        Ok(())
    }

    /// Removes a Secret that a rotation made, unless somebody else put something into it.
    async fn remove(&self, found: &Found) -> Result<(), SinkError> {
        let ours = |field: &String| *field == self.place.id || *field == self.place.secret;
        if !found.data.keys().all(ours) {
            return self.put(Some(found), None, None).await;
        }
        let options = json!({"preconditions": {"resourceVersion": found.version}});
        let asked = Asked {
            method: Method::DELETE,
            path: &self.place.path(),
            dry: false,
            body: Some(("application/json", &options)),
        };
        self.ask(asked).await.map(drop)
    }
}

#[async_trait]
impl Sink for Kubernetes {
    fn name(&self) -> &str {
        &self.name
    }

    async fn inspect(&self) -> Result<Held, SinkError> {
        let found = self.check().await?;
        Ok(self.pair(found.as_ref()).map_or(Held::Nothing, Held::Pair))
    }

    async fn stage(&self, _: &RotationId) -> Result<Backup, SinkError> {
        let found = self.check().await?;
        let field = |name: &str| Some(found.as_ref()?.data.get(name)?.as_str()?.to_owned());
        let before = Before {
            existed: found.is_some(),
            id: field(&self.place.id),
            secret: field(&self.place.secret),
        };
        let bytes = serde_json::to_vec(&before).map_err(|error| self.never(&error))?;
        Ok(Secret::new(bytes))
    }

    async fn commit(&self, _: &RotationId, pair: &Pair) -> Result<(), SinkError> {
        let found = self.find().await?;
        let secret = Secret::new(STANDARD.encode(pair.secret.expose()));
        let id = STANDARD.encode(&pair.id.0);
        self.put(found.as_ref(), Some(&id), Some(secret.expose()))
            .await?;
        self.restart(&pair.id.0).await
    }

    async fn read_back(&self) -> Result<Held, SinkError> {
        let found = self.find().await?;
        let Some(pair) = self.pair(found.as_ref()) else {
            return Ok(Held::Nothing);
        };
        for workload in &self.place.restart {
            let seen = self.workload(workload).await?;
            if !Workload::is_started_for(&seen, &pair.id.0) {
                continue;
            }
            match workload.rollout(&seen) {
                Rollout::Over => {}
                Rollout::Going(why) => return Err(self.later(&format!("{workload}: {why}"))),
                Rollout::Failed(why) => return Err(self.never(&format!("{workload}: {why}"))),
            }
        }
        Ok(Held::Pair(pair))
    }

    async fn restore(
        &self,
        _: &RotationId,
        backup: &Backup,
        _: Option<&Pair>,
    ) -> Result<(), SinkError> {
        let before: Before = serde_json::from_slice(backup.expose())
            .map_err(|_| self.never(&"its backup cannot be read"))?;
        match (self.find().await?, before.existed) {
            (Some(found), false) => self.remove(&found).await?,
            (None, false) => {}
            (found, true) => {
                let (id, secret) = (before.id.as_deref(), before.secret.as_deref());
                self.put(found.as_ref(), id, secret).await?;
            }
        }
        let id = before.id.as_deref().and_then(|id| STANDARD.decode(id).ok());
        let id = id.map(|id| String::from_utf8_lossy(&id).into_owned());
        self.restart(id.as_deref().unwrap_or("none")).await
    }
}

/// The media type of a patch that says what changes.
const MERGE: &str = "application/merge-patch+json";

/// A request.
struct Asked<'a> {
    method: Method,
    path: &'a str,
    /// Everything is checked and nothing changed.
    dry: bool,
    body: Option<(&'static str, &'a Value)>,
}

impl<'a> Asked<'a> {
    const fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            dry: false,
            body: None,
        }
    }
}

/// Why the cluster did not do it; no secret is quoted.
enum Refusal {
    Passing(String),
    Lasting(String),
}

/// A cluster's API, and the token of the moment.
struct Api {
    http: reqwest::Client,
    server: String,
    source: Token,
    token: Mutex<Option<Secret<String>>>,
}

impl Api {
    fn open(cluster: Cluster) -> Result<Self, String> {
        http::address(&cluster.server)?;
        let authorities = cluster.authorities.as_deref();
        let authorities = authorities.map(|pem| ("the cluster's certificate-authority", pem));
        let http = http::client_of(authorities, cluster.certificate.as_ref());
        Ok(Self {
            http: http.map_err(|error| error.to_string())?,
            server: cluster.server,
            source: cluster.token,
            token: Mutex::new(None),
        })
    }

    /// Asks; nothing where there is no such object. A token that has run out is fetched anew, once.
    async fn ask(&self, asked: &Asked<'_>) -> Result<Option<Value>, Refusal> {
        let (status, answer) = self.once(asked).await?;
        if status != StatusCode::UNAUTHORIZED {
            return understood(asked, status, answer);
        }
        self.token.lock().await.take();
        let (status, answer) = self.once(asked).await?;
        understood(asked, status, answer)
    }

    async fn once(&self, asked: &Asked<'_>) -> Result<(StatusCode, Option<Value>), Refusal> {
        let dry = if asked.dry { "?dryRun=All" } else { "" };
        let url = format!("{}{}{dry}", self.server, asked.path);
        let mut request = self.http.request(asked.method.clone(), url);
        request = request.header("accept", "application/json");
        if let Some(token) = self.bearer().await.map_err(Refusal::Lasting)? {
            request = request.bearer_auth(token.expose());
        }
        if let Some((media, body)) = asked.body {
            request = request.header("content-type", media).body(body.to_string());
        }
        let passing = |why: String| Refusal::Passing(why);
        let sent = request.send().await;
        let response = sent.map_err(|error| passing(http::root_of(&error)))?;
        let status = response.status();
        let bytes = http::body(response, limits::ANSWER_BYTES).await;
        let bytes = Secret::new(bytes.map_err(passing)?);
        Ok((status, serde_json::from_slice(bytes.expose()).ok()))
    }

    async fn bearer(&self) -> Result<Option<Secret<String>>, String> {
        let mut token = self.token.lock().await;
        if token.is_none() {
            *token = self.source.fetch().await?;
        }
        Ok(token.clone())
    }
}

fn understood(
    asked: &Asked<'_>,
    status: StatusCode,
    answer: Option<Value>,
) -> Result<Option<Value>, Refusal> {
    if status.is_success() {
        let none = || Refusal::Passing("the answer is not JSON".to_owned());
        return answer.map(Some).ok_or_else(none);
    }
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let answer = answer.unwrap_or_default();
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    // What is wrong with an object is told with the object.
    let told = match status {
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => text("reason"),
        _ => text("message"),
    };
    let why = format!("{} {}: {status} {told}", asked.method, asked.path);
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        );
    Err(if passing {
        Refusal::Passing(why)
    } else {
        Refusal::Lasting(why)
    })
}

#[cfg(test)]
mod tests;
