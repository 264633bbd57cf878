//! Secrets of GitHub Actions: one each for ID and secret, or a single one with both as JSON.
//!
//! Invariants: A secret leaves this process only sealed to the repository's public key. The sink
//! never claims what nobody can read back: a variable beside the secrets records which key was
//! written and the date that GitHub gave each write. If a date no longer matches, another user
//! wrote, and the content is unknown. The variable is also set before the secrets, so that an
//! interrupted write is visible.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use crypto_box::{PublicKey, aead::OsRng};
use keywright_base::{Clock, Secret, limits};
use keywright_rotation::{
    model::{KeyId, KeyPair, RotationId},
    ports::{
        MissingTarget, RotationPairs, Sink, SinkBackup, SinkContent, SinkError, SinkInspection,
    },
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, Response, StatusCode, header::HeaderMap};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    ParsedDestination, aws_profile::variable, fragment, names::VariableNames, text::similar,
};
use keywright_aws::http;

pub(super) fn parse(text: &str) -> Result<Box<dyn ParsedDestination>, String> {
    let (place, names) = fragment(text);
    Ok(Box::new(RepositorySecrets::new(place, names)?))
}

/// The address of github.com's API. GitHub Enterprise Server has another one.
const API: &str = "https://api.github.com";
const VERSION: &str = "2022-11-28";
/// The characters that are percent-encoded in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
/// The maximum length of a name.
const NAME_MAX: usize = 200;

/// `OWNER/REPO[@ENVIRONMENT][#ID,SECRET]`, or `#NAME` for one secret with both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RepositorySecrets {
    owner: String,
    repository: String,
    environment: Option<String>,
    names: VariableNames,
}

/// The name of a secret in GitHub's spelling, upper case.
fn name(text: &str) -> Result<String, String> {
    let name = text.to_ascii_uppercase();
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let bad = name.is_empty()
        || name.len() > NAME_MAX
        || !name.chars().all(good)
        || name.starts_with(|c: char| c.is_ascii_digit())
        || name.starts_with("GITHUB_");
    if bad {
        return Err(format!("{text} is not a valid secret name"));
    }
    Ok(name)
}

impl RepositorySecrets {
    pub(super) fn new(text: &str, names: Option<&str>) -> Result<Self, String> {
        let (path, environment) = match text.split_once('@') {
            Some((path, environment)) => (path, Some(environment)),
            None => (text, None),
        };
        let good = |part: &str| {
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && !part.starts_with('.') && part.chars().all(good)
        };
        let (owner, repository) = path
            .split_once('/')
            .filter(|(owner, repository)| good(owner) && good(repository))
            .ok_or_else(|| format!("{path} is not of the form OWNER/REPO"))?;
        if environment == Some("") {
            return Err("no environment given after @".to_owned());
        }
        Ok(Self {
            owner: owner.to_owned(),
            repository: repository.to_owned(),
            environment: environment.map(str::to_owned),
            names: VariableNames::new(names, name)?,
        })
    }

    /// The name of the variable that records what was written.
    fn marker(&self) -> String {
        let first = self.names.all();
        format!("KEYWRIGHT_{}", first.first().copied().unwrap_or_default())
    }

    /// The API path of its secrets or its variables.
    fn folder(&self, what: &str) -> String {
        let Self {
            owner, repository, ..
        } = self;
        match &self.environment {
            None => format!("/repos/{owner}/{repository}/actions/{what}"),
            Some(environment) => {
                let environment = utf8_percent_encode(environment, SEGMENT);
                format!("/repos/{owner}/{repository}/environments/{environment}/{what}")
            }
        }
    }
}

#[async_trait]
impl ParsedDestination for RepositorySecrets {
    fn caveats(&self, old_known: bool) -> Vec<String> {
        let mut caveats = vec![
            "GitHub does not reveal secrets: it cannot be checked that it holds the key being \
             replaced, and changes by other users are detected only by their date"
                .to_owned(),
        ];
        caveats.extend(self.names.caveat("workflow"));
        if !old_known {
            caveats.push(
                "GitHub does not reveal secrets, and no other destination here holds the old key's \
                 secret: a rollback cannot restore the old key there, so a person must"
                    .to_owned(),
            );
        }
        caveats
    }

    async fn open(&self, name: String, _: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, String> {
        Ok(Box::new(GithubSink::open(name, self)?))
    }
}

impl fmt::Display for RepositorySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.repository)?;
        if let Some(environment) = &self.environment {
            write!(f, "@{environment}")?;
        }
        self.names.fmt(f)
    }
}

pub(super) struct GithubSink {
    name: String,
    place: RepositorySecrets,
    http: reqwest::Client,
    api: String,
    token: Secret<String>,
}

/// What can be known: when each secret was last written, and the marker variable.
#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct SecretDates {
    written: Vec<Option<String>>,
    marker: Option<String>,
}

impl SecretDates {
    /// The key in the secrets, if nobody has written to them since the variable was set.
    fn key(&self) -> Option<KeyId> {
        let mut words = self.marker.as_deref()?.split(' ');
        let key = words.next()?;
        let dates: Vec<_> = words.collect();
        let now: Vec<_> = self.written.iter().map(Option::as_deref).collect();
        let same = now.iter().copied().eq(dates.into_iter().map(Some));
        same.then(|| KeyId(key.to_owned()))
    }

    /// Whether the variable was set, but no secret was written yet.
    fn is_about_to_be(&self, before: &Self) -> bool {
        self.written == before.written && self.key().is_none()
    }

    /// Whether this key was written last, or is being written: each secret has the date in the
    /// variable, or is gone. Without dates in the variable, how far the write got is unknown.
    fn is_of(&self, key: &KeyId) -> bool {
        let mut words = self.marker.as_deref().unwrap_or_default().split(' ');
        if words.next() != Some(&key.0) {
            return false;
        }
        let dates: Vec<_> = words.collect();
        let same =
            |(now, date): (&Option<String>, &str)| now.as_deref().is_none_or(|now| now == date);
        dates.is_empty() || self.written.iter().zip(dates).all(same)
    }
}

impl GithubSink {
    /// Takes the token and the API address from the environment.
    pub(super) fn open(name: String, place: &RepositorySecrets) -> Result<Self, String> {
        let token = variable("GITHUB_TOKEN").or_else(|| variable("GH_TOKEN"));
        let token = token.ok_or("GITHUB_TOKEN is not set")?;
        let api = variable("GITHUB_API_URL").unwrap_or_else(|| API.to_owned());
        Self::at(name, place, &api, token)
    }

    fn at(
        name: String,
        place: &RepositorySecrets,
        api: &str,
        token: String,
    ) -> Result<Self, String> {
        http::address(api).map_err(|why| format!("GITHUB_API_URL: {why}"))?;
        Ok(Self {
            name,
            place: place.clone(),
            http: http::client(None).map_err(|error| error.to_string())?,
            api: api.trim_end_matches('/').to_owned(),
            token: Secret::new(token),
        })
    }

    fn never(&self, why: &dyn fmt::Display) -> SinkError {
        SinkError::Never(format!("{}: {why}", self.name))
    }

    fn later(&self, why: &dyn fmt::Display) -> SinkError {
        SinkError::Later(format!("{}: {why}", self.name))
    }

    /// Sends a request. `None` if the object does not exist.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Option<Value>, SinkError> {
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.api))
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", VERSION)
            .bearer_auth(self.token.expose());
        if let Some(body) = body {
            let json = "application/json";
            request = request.header("content-type", json).body(body.to_string());
        }
        let sent = request.send().await;
        let response = sent.map_err(|error| self.later(&http::root_of(&error)))?;
        let status = response.status();
        let passing = is_passing(&response);
        let bytes = http::body(response, limits::ANSWER_BYTES).await;
        let bytes = bytes.map_err(|why| self.later(&why))?;
        let answer: Option<Value> = serde_json::from_slice(&bytes).ok();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if status.is_success() {
            return Ok(Some(answer.unwrap_or_default()));
        }
        let message = answer.as_ref().and_then(|answer| answer.get("message"));
        let message = message.and_then(Value::as_str).unwrap_or_default();
        let why = format!("{method} {path}: {status} {message}");
        Err(if passing {
            self.later(&why)
        } else {
            self.never(&why)
        })
    }

    /// The repository's public key, which secrets are sealed to.
    async fn public_key(&self) -> Result<(String, PublicKey), SinkError> {
        let path = format!("{}/public-key", self.place.folder("secrets"));
        let answer = self.ask(Method::GET, &path, None).await?;
        let none = "there is no such repository or environment, or the token is not allowed to see \
                    its secrets";
        let answer = answer.ok_or_else(|| self.never(&none))?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        let key = text("key").and_then(|key| STANDARD.decode(key).ok());
        let key = key.and_then(|key| <[u8; 32]>::try_from(key).ok());
        let (Some(id), Some(key)) = (text("key_id"), key) else {
            return Err(self.later(&"its public key is malformed"));
        };
        Ok((id.to_owned(), PublicKey::from(key)))
    }

    async fn written(&self, secret: &str) -> Result<Option<String>, SinkError> {
        let path = format!("{}/{secret}", self.place.folder("secrets"));
        let answer = self.ask(Method::GET, &path, None).await?;
        let at = answer
            .as_ref()
            .and_then(|answer| answer.get("updated_at")?.as_str());
        match (&answer, at) {
            (None, _) => Ok(None),
            (Some(_), Some(at)) => Ok(Some(at.to_owned())),
            (Some(_), None) => Err(self.later(&"a secret has no date")),
        }
    }

    async fn see(&self) -> Result<SecretDates, SinkError> {
        let mut written = Vec::new();
        for secret in self.place.names.all() {
            written.push(self.written(secret).await?);
        }
        let path = format!("{}/{}", self.place.folder("variables"), self.place.marker());
        let marker = self.ask(Method::GET, &path, None).await?;
        let marker = marker.and_then(|marker| Some(marker.get("value")?.as_str()?.to_owned()));
        Ok(SecretDates { written, marker })
    }

    /// Sets the variable. `there` says whether it exists.
    async fn mark(&self, there: bool, value: &str) -> Result<(), SinkError> {
        let (folder, name) = (self.place.folder("variables"), self.place.marker());
        let body = json!({"name": name, "value": value});
        let done = if there {
            let path = format!("{folder}/{name}");
            self.ask(Method::PATCH, &path, Some(body)).await?
        } else {
            self.ask(Method::POST, &folder, Some(body)).await?
        };
        let none = || {
            self.never(&format!(
                "the token is not allowed to write the variable {name}"
            ))
        };
        done.map(drop).ok_or_else(none)
    }

    async fn unmark(&self) -> Result<(), SinkError> {
        let path = format!("{}/{}", self.place.folder("variables"), self.place.marker());
        self.ask(Method::DELETE, &path, None).await.map(drop)
    }

    /// Writes a pair: the variable without dates, then the secrets, then the variable with their
    /// dates.
    async fn write(&self, seen: &SecretDates, pair: &KeyPair) -> Result<(), SinkError> {
        let (key_id, key) = self.public_key().await?;
        self.mark(seen.marker.is_some(), &pair.id.0).await?;
        let mut marker = pair.id.0.clone();
        let values = self.place.names.values(pair);
        for (secret, value) in self.place.names.all().into_iter().zip(values) {
            let sealed = key.seal(&mut OsRng, value.expose().as_bytes());
            let sealed = sealed.map_err(|_| self.never(&"the secret cannot be encrypted"))?;
            let body = json!({"encrypted_value": STANDARD.encode(sealed), "key_id": key_id});
            let path = format!("{}/{secret}", self.place.folder("secrets"));
            let none = || self.never(&"the repository or environment no longer exists");
            self.ask(Method::PUT, &path, Some(body))
                .await?
                .ok_or_else(none)?;
            let at = self.written(secret).await?;
            let at =
                at.ok_or_else(|| self.later(&"a secret disappeared right after it was written"))?;
            marker.push(' ');
            marker.push_str(&at);
        }
        self.mark(true, &marker).await
    }

    async fn remove(&self, secret: &str) -> Result<(), SinkError> {
        let path = format!("{}/{secret}", self.place.folder("secrets"));
        self.ask(Method::DELETE, &path, None).await.map(drop)
    }

    fn before(&self, backup: &SinkBackup) -> Result<SecretDates, SinkError> {
        let before = serde_json::from_slice(backup.expose());
        before.map_err(|_| self.never(&"its backup cannot be read"))
    }

    /// The names of existing secrets. The first page is enough for a suggestion.
    async fn names(&self) -> Vec<String> {
        let path = format!("{}?per_page=100", self.place.folder("secrets"));
        let listed = self.ask(Method::GET, &path, None).await.ok().flatten();
        let listed = listed.unwrap_or_default();
        let secrets = listed.get("secrets").and_then(Value::as_array);
        let names = secrets.into_iter().flatten();
        names
            .filter_map(|secret| Some(secret.get("name")?.as_str()?.to_owned()))
            .collect()
    }

    /// The error for a date or a variable that does not match.
    fn foreign(&self) -> SinkError {
        let (secrets, marker) = (self.place.names.all().join(" and "), self.place.marker());
        self.never(&format!(
            "another user wrote {secrets}, or the variable {marker}, after this rotation; nothing \
             was changed"
        ))
    }

    /// The old secret cannot be read back, so a person must set it, and confirms that by deleting
    /// the variable.
    fn by_hand(&self) -> SinkError {
        let (secrets, marker) = (self.place.names.all().join(" and "), self.place.marker());
        self.never(&format!(
            "the old secret is unknown: set {secrets} to the old key by hand, delete the variable \
             {marker}, and release the rotation"
        ))
    }
}

/// Whether a failed request can succeed later. GitHub also answers 403 for its rate limits.
fn is_passing(response: &Response) -> bool {
    let status = response.status();
    let limited = |headers: &HeaderMap| {
        let left = headers.get("x-ratelimit-remaining");
        headers.contains_key("retry-after") || left.is_some_and(|left| left == "0")
    };
    status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT
        )
        || status == StatusCode::FORBIDDEN && limited(response.headers())
}

#[async_trait]
impl Sink for GithubSink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn inspect(&self, _: &KeyId) -> Result<SinkInspection, SinkError> {
        self.public_key().await?;
        let seen = self.see().await?;
        let mut inspection = SinkInspection::from(match seen.key() {
            Some(key) => SinkContent::Key(key),
            None => SinkContent::Unreadable,
        });
        if seen.written.iter().all(Option::is_none) {
            let secrets = self.place.names.all();
            let named = self.names().await;
            let wanted = secrets.last().copied().unwrap_or_default();
            inspection.absent = Some(MissingTarget {
                what: format!("there is no secret {}", secrets.join(" and no ")),
                similar: similar(wanted, named.iter().map(String::as_str)),
            });
        }
        Ok(inspection)
    }

    async fn stage(&self, _: &RotationId) -> Result<SinkBackup, SinkError> {
        self.public_key().await?;
        let bytes = serde_json::to_vec(&self.see().await?);
        bytes.map(Secret::new).map_err(|error| self.never(&error))
    }

    async fn commit(
        &self,
        _: &RotationId,
        backup: &SinkBackup,
        new: &KeyPair,
    ) -> Result<(), SinkError> {
        let before = self.before(backup)?;
        let seen = self.see().await?;
        if seen.key().as_ref() == Some(&new.id) {
            return Ok(());
        }
        if seen != before && !seen.is_of(&new.id) {
            return Err(self.foreign());
        }
        self.write(&seen, new).await
    }

    async fn read_back(&self) -> Result<SinkContent, SinkError> {
        let seen = self.see().await?;
        Ok(seen.key().map_or(SinkContent::Nothing, SinkContent::Key))
    }

    async fn restore(
        &self,
        _: &RotationId,
        backup: &SinkBackup,
        pairs: RotationPairs<'_>,
    ) -> Result<(), SinkError> {
        let before = self.before(backup)?;
        let seen = self.see().await?;
        // If there is no variable, then a person restored the old values and said so, or nothing is
        // left to restore, or nothing was written.
        if seen == before || seen.marker.is_none() {
            return Ok(());
        }
        let is_old = pairs.old.is_some_and(|old| seen.is_of(&old.id));
        if !seen.is_of(&pairs.new.id) && !is_old {
            return Err(self.foreign());
        }
        if !before.written.iter().any(Option::is_some) {
            for secret in self.place.names.all() {
                self.remove(secret).await?;
            }
            return self.unmark().await;
        }
        match (pairs.old, &before.marker) {
            (Some(old), marker) => {
                if seen.key().as_ref() != Some(&old.id) {
                    self.write(&seen, old).await?;
                }
                if marker.is_none() {
                    self.unmark().await?;
                }
            }
            // The write had not reached the secrets.
            (None, Some(marker)) if seen.is_about_to_be(&before) => self.mark(true, marker).await?,
            (None, None) if seen.is_about_to_be(&before) => self.unmark().await?,
            (None, _) => return Err(self.by_hand()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
