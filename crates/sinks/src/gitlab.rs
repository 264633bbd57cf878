//! CI/CD variables of a GitLab project or group: one each for ID and secret, or a single one with
//! both as JSON.
//!
//! Invariants: Only values are written, so the type, scope, protection, masking and expansion of a
//! variable stay as they are. A value that GitLab expands is not touched, since a pipeline gets a
//! different value than the API shows.
//!
//! GitLab has no conditional write. A value is compared right before it is replaced; what another
//! user writes between the two requests is lost.

mod api;
mod hidden;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use keywright_base::{Clock, Secret};
use keywright_rotation::{
    model::{KeyId, KeyPair, RotationId},
    ports::{
        MissingTarget, RotationPairs, Sink, SinkBackup, SinkContent, SinkError, SinkInspection,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use self::api::{GitlabApi, GitlabVariable};
use super::{
    ParsedDestination, SinkKind,
    aws_profile::variable,
    document::{
        DocumentContent, DocumentSink, DocumentStore, DocumentVersion, VersionTag, foreign,
        foreign_key,
    },
    fragment,
    json::JsonFormat,
    names::VariableNames,
    text::{pair_of, printable_id, similar},
};
pub(super) const KIND: SinkKind = SinkKind {
    prefix: "gitlab",
    syntax: "GROUP_OR_PROJECT[@SCOPE][#ID,SECRET | #NAME]",
    writes: "two CI/CD variables of GitLab, or one with both as JSON",
    parse: |text| {
        let (place, names) = fragment(text);
        Ok(Box::new(ProjectVariables::new(place, names)?))
    },
};

/// The address of gitlab.com's API. A self-managed GitLab has another one.
const API: &str = "https://gitlab.com/api/v4";
/// The maximum length of a name and of a scope.
const NAME_MAX: usize = 255;
/// The scope of a variable for every environment.
const EVERYWHERE: &str = "*";

/// `GROUP_OR_PROJECT[@SCOPE][#ID,SECRET]`, or `#NAME` for one variable with both.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ProjectVariables {
    path: String,
    scope: String,
    names: VariableNames,
}

fn name(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.is_empty() || text.len() > NAME_MAX || !text.chars().all(good) {
        return Err(format!("{text} is not a valid variable name"));
    }
    Ok(text.to_owned())
}

impl ProjectVariables {
    fn new(text: &str, names: Option<&str>) -> Result<Self, String> {
        let (path, scope) = text.split_once('@').unwrap_or((text, EVERYWHERE));
        let good = |part: &str| {
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && !part.starts_with(['.', '-']) && part.chars().all(good)
        };
        if path.chars().all(|c| c.is_ascii_digit()) {
            let why = "is a number, which could be a project or a group; use the path";
            return Err(format!("{path} {why}"));
        }
        if !path.split('/').all(good) {
            return Err(format!("{path} is not a valid path of a group or project"));
        }
        let good = |c: char| c.is_ascii_alphanumeric() || " -_/${}.*".contains(c);
        if scope.is_empty() || scope.len() > NAME_MAX || !scope.chars().all(good) {
            return Err(format!("{scope} is not a valid variable scope"));
        }
        Ok(Self {
            path: path.to_owned(),
            scope: scope.to_owned(),
            names: VariableNames::new(names, name)?,
        })
    }
}

impl fmt::Display for ProjectVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.scope != EVERYWHERE {
            write!(f, "@{}", self.scope)?;
        }
        self.names.fmt(f)
    }
}

#[async_trait]
impl ParsedDestination for ProjectVariables {
    fn caveats(&self, _: bool) -> Vec<String> {
        self.names.caveat("pipeline").into_iter().collect()
    }

    async fn open(&self, name: String, _: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, String> {
        let api = variable("GITLAB_API_URL").or_else(|| variable("CI_API_V4_URL"));
        let token = token(variable("GITLAB_TOKEN"), variable("CI_JOB_TOKEN"))?;
        open(name, self, api.as_deref().unwrap_or(API), token)
    }
}

/// The token, unless it is a job token, which may not write variables.
fn token(token: Option<String>, job: Option<String>) -> Result<Secret<String>, String> {
    let is_of_job = |token: &String| token.starts_with("glcbt-") || Some(token) == job.as_ref();
    match &token {
        Some(token) if !is_of_job(token) => Ok(Secret::new(token.clone())),
        None if job.is_none() => Err("GITLAB_TOKEN is not set".to_owned()),
        _ => Err(
            "CI_JOB_TOKEN cannot read or write variables: set GITLAB_TOKEN to an access token with \
             the scope api and the role Maintainer (for a group: Owner)"
                .to_owned(),
        ),
    }
}

fn open(
    name: String,
    place: &ProjectVariables,
    api: &str,
    token: Secret<String>,
) -> Result<Box<dyn Sink>, String> {
    let api = GitlabApi::at(&name, api, token, (&place.path, &place.scope))?;
    Ok(match &place.names {
        VariableNames::Two { id, secret } => Box::new(TwoVariables {
            name,
            api,
            id: id.clone(),
            secret: secret.clone(),
        }),
        VariableNames::Document(variable) => {
            let store = OneVariable {
                api,
                key: variable.clone(),
            };
            Box::new(DocumentSink::new(name, JsonFormat::new(None)?, store))
        }
    })
}

/// The values of the two variables.
#[derive(Default, PartialEq, Eq, Serialize, Deserialize)]
struct VariableValues {
    id: Option<String>,
    secret: Option<String>,
    /// Whether the secret is a hidden variable, which nobody can read.
    #[serde(default)]
    is_hidden: bool,
}

impl Drop for VariableValues {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl VariableValues {
    fn of(pair: &KeyPair) -> Self {
        Self {
            id: Some(pair.id.0.clone()),
            secret: Some(pair.secret.expose().clone()),
            is_hidden: false,
        }
    }

    fn pair(&self) -> Option<KeyPair> {
        Some(KeyPair {
            id: KeyId(self.id.clone()?),
            secret: Secret::new(self.secret.clone()?),
        })
    }

    /// Whether each value is the one that was found or the one that is being written: a write may
    /// have been interrupted between the two.
    fn is_between(&self, before: &Self, new: &Self) -> bool {
        (self.id == before.id || self.id == new.id)
            && self.is_hidden == before.is_hidden
            && (self.secret == before.secret || self.secret == new.secret)
    }
}

/// The two variables as they are.
struct VariablePair {
    id: Option<GitlabVariable>,
    secret: Option<GitlabVariable>,
}

impl VariablePair {
    fn values(&self) -> VariableValues {
        let value = |of: &Option<GitlabVariable>| {
            let value = of.as_ref().and_then(|of| of.value.as_ref());
            value.map(|value| value.expose().clone())
        };
        VariableValues {
            id: value(&self.id),
            secret: value(&self.secret),
            is_hidden: self.secret.as_ref().is_some_and(|secret| secret.hidden),
        }
    }
}

/// Two variables in one scope.
struct TwoVariables {
    name: String,
    api: GitlabApi,
    id: String,
    secret: String,
}

impl TwoVariables {
    async fn both(&self) -> Result<VariablePair, SinkError> {
        Ok(VariablePair {
            id: self.api.read(&self.id).await?,
            secret: self.api.get(&self.secret).await?,
        })
    }

    /// The pair, or only its key ID if the secret is hidden.
    fn held(&self, values: &VariableValues) -> Result<SinkContent, SinkError> {
        let secret = values
            .is_hidden
            .then_some("hidden")
            .or(values.secret.as_deref());
        let pair = pair_of((&self.id, values.id.as_deref()), (&self.secret, secret));
        let pair = pair.map_err(|why| self.api.rest.never(&why))?;
        Ok(match pair {
            Some(pair) if values.is_hidden => SinkContent::Key(pair.id),
            Some(pair) => SinkContent::Pair(pair),
            None => SinkContent::Nothing,
        })
    }

    /// Writes both variables, the ID last.
    async fn write(&self, now: &VariablePair, values: &VariableValues) -> Result<(), SinkError> {
        let is = now.values();
        if is.secret != values.secret {
            let value = values.secret.as_deref();
            self.api
                .set(&self.secret, now.secret.as_ref(), value)
                .await?;
        }
        if is.id != values.id {
            let value = values.id.as_deref();
            self.api.set(&self.id, now.id.as_ref(), value).await?;
        }
        Ok(())
    }

    fn foreign(&self, now: &VariableValues, before: &VariableValues, new: &KeyPair) -> SinkError {
        let id = |values: &VariableValues| match values.id.as_deref() {
            Some(id) if !id.is_empty() => printable_id(id).to_owned(),
            _ => "no key".to_owned(),
        };
        let why = match now.pair() {
            Some(pair) => foreign(Some(&pair), before.pair().as_ref(), new),
            None => foreign_key(&id(now), &id(before), &new.id),
        };
        self.api.rest.never(&why)
    }
}

#[async_trait]
impl Sink for TwoVariables {
    fn name(&self) -> &str {
        &self.name
    }

    async fn inspect(&self, old: &KeyId) -> Result<SinkInspection, SinkError> {
        let both = self.both().await?;
        let mut inspection = SinkInspection::from(self.held(&both.values())?);
        self.api.check_scopes().await?;
        let others = self.api.others(&[&self.id, &self.secret]).await?;
        if both.id.is_none() && both.secret.is_none() {
            let names = others.iter().map(|(name, _)| name.as_str());
            inspection.absent = Some(MissingTarget {
                what: format!("there is no variable {} and no {}", self.id, self.secret),
                similar: similar(&self.id, names),
            });
        }
        let also = others
            .into_iter()
            .filter(|(_, id)| id.as_ref() == Some(old));
        inspection.also = also.map(|(name, _)| name).collect();
        let warning = both.secret.as_ref().and_then(GitlabVariable::warning);
        inspection.warnings.extend(warning);
        if both.values().is_hidden {
            inspection.warnings.push(format!(
                "{} is hidden: only {} can be checked, and a rollback needs the old key pair from \
                 another destination, or a person",
                self.secret, self.id
            ));
        }
        Ok(inspection)
    }

    async fn stage(&self, _: &RotationId) -> Result<SinkBackup, SinkError> {
        let values = self.both().await?.values();
        self.held(&values)?;
        self.api.rest.backup(&values)
    }

    async fn commit(
        &self,
        _: &RotationId,
        backup: &SinkBackup,
        new: &KeyPair,
    ) -> Result<(), SinkError> {
        let before: VariableValues = self.api.rest.read_backup(backup)?;
        let wanted = VariableValues::of(new);
        let now = self.both().await?;
        if !now.values().is_between(&before, &wanted) {
            return Err(self.foreign(&now.values(), &before, new));
        }
        if before.is_hidden {
            return self.commit_hidden(&now, &before, new).await;
        }
        self.write(&now, &wanted).await
    }

    async fn read_back(&self) -> Result<SinkContent, SinkError> {
        self.held(&self.both().await?.values())
    }

    async fn restore(
        &self,
        _: &RotationId,
        backup: &SinkBackup,
        pairs: RotationPairs<'_>,
    ) -> Result<(), SinkError> {
        let before: VariableValues = self.api.rest.read_backup(backup)?;
        let now = self.both().await?;
        if !now
            .values()
            .is_between(&before, &VariableValues::of(pairs.new))
        {
            return Err(self.foreign(&now.values(), &before, pairs.new));
        }
        if before.is_hidden {
            return self.restore_hidden(&now, &before, pairs).await;
        }
        self.write(&now, &before).await
    }
}

/// One variable with a JSON document.
struct OneVariable {
    api: GitlabApi,
    key: String,
}

/// The version of a value, by its digest: GitLab has no version numbers.
fn digest(value: &str) -> String {
    hex::encode(Sha256::digest(value))
}

#[async_trait]
impl DocumentStore for OneVariable {
    async fn get(&self) -> Result<DocumentVersion, SinkError> {
        let found = self.api.read(&self.key).await?;
        let value = found.and_then(|found| found.value);
        let tag = VersionTag {
            version: value.as_ref().map(|value| digest(value.expose())),
            kind: None,
        };
        Ok(DocumentVersion {
            content: value.map(|value| Secret::new(value.expose().as_bytes().to_vec())),
            tag,
        })
    }

    async fn put(&self, content: DocumentContent, was: &VersionTag) -> Result<(), SinkError> {
        let there = self.api.read(&self.key).await?;
        let value = there.as_ref().and_then(|there| there.value.as_ref());
        if value.map(|value| digest(value.expose())) != was.version {
            let why = format!("{} was modified concurrently", self.key);
            return Err(self.api.rest.later(&why));
        }
        let Some(content) = content else {
            return self.api.set(&self.key, there.as_ref(), None).await;
        };
        let text = std::str::from_utf8(content.expose());
        let text = text.map_err(|error| self.api.rest.never(&error))?;
        if there.is_some() {
            return self.api.set(&self.key, there.as_ref(), Some(text)).await;
        }
        // GitLab rejects white space in a masked value.
        let compact: Value = serde_json::from_str(text).unwrap_or_default();
        let compact = Secret::new(compact.to_string());
        self.api.set(&self.key, None, Some(compact.expose())).await
    }

    async fn check(&self) -> Result<Vec<String>, SinkError> {
        self.api.check_scopes().await?;
        let found = self.api.read(&self.key).await?;
        Ok(found.iter().filter_map(GitlabVariable::warning).collect())
    }

    async fn names(&self) -> Vec<String> {
        let others = self.api.others(&[&self.key]).await.unwrap_or_default();
        others.into_iter().map(|(name, _)| name).collect()
    }

    fn own_name(&self) -> &str {
        &self.key
    }
}

#[cfg(test)]
mod tests;
