//! Environment variables of a CircleCI context: one each for ID and secret, or a single one with
//! both as JSON.
//!
//! Invariant: the sink never claims what nobody can read back. CircleCI shows only the name of a
//! variable and when it was written. So marker variables beside them record in their *names* which
//! key is being written, and which key was written and when. If a date no longer matches, another
//! user wrote, and the content is unknown.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use keywright_base::{Clock, Secret};
use keywright_rotation::{
    model::{KeyId, KeyPair, RotationId},
    ports::{
        MissingTarget, RotationPairs, Sink, SinkBackup, SinkContent, SinkError, SinkInspection,
    },
};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use zeroize::Zeroize;

use super::{
    ParsedDestination, SinkKind,
    aws_profile::variable,
    fragment,
    names::VariableNames,
    rest::{RestClient, RestResponse, segment},
    text::{did_you_mean, similar},
};
use keywright_aws::http;

pub(super) const KIND: SinkKind = SinkKind {
    prefix: "circleci",
    syntax: "VCS/ORG/CONTEXT[#ID,SECRET | #NAME]",
    writes: "two variables of a CircleCI context, or one with both as JSON",
    parse: |text| {
        let (place, names) = fragment(text);
        Ok(Box::new(ContextVariables::new(place, names)?))
    },
};

const HOST: &str = "https://circleci.com";
/// The maximum length of a name.
const NAME_MAX: usize = 200;
/// The maximum number of pages of a listing.
const PAGES_MAX: usize = 50;
/// The prefix of our marker variables.
const MARK: &str = "KEYWRIGHT_";
/// The length of the digest in a name.
const DIGEST_LENGTH: usize = 16;

/// `VCS/ORG/CONTEXT[#ID,SECRET]`, or `#NAME` for one variable with both. The ID of a context can
/// replace `VCS/ORG/CONTEXT`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ContextVariables {
    context: ContextRef,
    names: VariableNames,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ContextRef {
    Id(String),
    Named { owner: String, name: String },
}

fn name(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let bad = text.is_empty()
        || text.len() > NAME_MAX
        || !text.chars().all(good)
        || text.starts_with(|c: char| c.is_ascii_digit())
        || text.starts_with(MARK);
    match bad {
        true => Err(format!("{text} is not a valid variable name")),
        false => Ok(text.to_owned()),
    }
}

/// Whether the text is a context ID.
fn is_uuid(text: &str) -> bool {
    let dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let good = |(at, c): (usize, char)| {
        if dash(at) {
            c == '-'
        } else {
            c.is_ascii_hexdigit()
        }
    };
    text.len() == 36 && text.chars().enumerate().all(good)
}

impl ContextVariables {
    fn new(text: &str, names: Option<&str>) -> Result<Self, String> {
        let plain = |text: &str| {
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !text.is_empty() && !text.starts_with('.') && text.chars().all(good)
        };
        let parts: Vec<&str> = text.split('/').collect();
        let context = match parts.as_slice() {
            [id] if is_uuid(id) => ContextRef::Id((*id).to_owned()),
            [vcs, owner, name]
                if plain(vcs) && plain(owner) && !name.is_empty() && name.len() <= NAME_MAX =>
            {
                ContextRef::Named {
                    owner: format!("{vcs}/{owner}"),
                    name: (*name).to_owned(),
                }
            }
            _ => {
                return Err(format!(
                    "{text} is neither of the form VCS/ORG/CONTEXT nor a context ID"
                ));
            }
        };
        Ok(Self {
            context,
            names: VariableNames::new(names, name)?,
        })
    }

    /// The prefix of the names of these variables' markers.
    fn mark(&self) -> String {
        let variables = self.names.all();
        format!("{MARK}{}_", variables.first().copied().unwrap_or_default())
    }
}

impl fmt::Display for ContextVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.context {
            ContextRef::Id(id) => f.write_str(id)?,
            ContextRef::Named { owner, name } => write!(f, "{owner}/{name}")?,
        }
        self.names.fmt(f)
    }
}

#[async_trait]
impl ParsedDestination for ContextVariables {
    fn caveats(&self, old_known: bool) -> Vec<String> {
        let mut caveats = vec![
            "CircleCI does not reveal values: it cannot be checked that it holds the key being \
             replaced, and changes by other users are detected only by their date"
                .to_owned(),
        ];
        caveats.extend(self.names.caveat("job"));
        if !old_known {
            caveats.push(
                "CircleCI does not reveal values, and no other destination here holds the old \
                 key's secret: a rollback cannot restore the old key there, so a person must"
                    .to_owned(),
            );
        }
        caveats
    }

    async fn open(&self, name: String, _: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, String> {
        let token = variable("CIRCLECI_CLI_TOKEN").or_else(|| variable("CIRCLE_TOKEN"));
        let token = token.ok_or("CIRCLECI_CLI_TOKEN is not set")?;
        let host = variable("CIRCLECI_CLI_HOST").unwrap_or_else(|| HOST.to_owned());
        Ok(Box::new(CircleCi::at(name, self, &host, token)?))
    }
}

struct CircleCi {
    name: String,
    place: ContextVariables,
    rest: RestClient,
    url: String,
    token: Secret<String>,
    /// The API path of the context's variables, once the context ID is known.
    folder: OnceCell<String>,
}

#[derive(Deserialize)]
struct ItemPage<T> {
    #[serde(default = "Vec::new")]
    items: Vec<T>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct NamedItem {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct ListedVariable {
    variable: String,
    updated_at: String,
}

/// A marker variable, parsed from its name: the key that is being written, or the key that was
/// written with a digest of the dates that CircleCI gave the writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct WriteMarker {
    key: String,
    dates: Option<String>,
}

/// What can be known: when each variable was last written, and the markers.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct WriteDates {
    written: Vec<Option<String>>,
    marks: Vec<WriteMarker>,
}

/// A digest of dates, for a name.
fn digest<'a>(dates: impl Iterator<Item = &'a str>) -> String {
    let dates = dates.collect::<Vec<_>>().join(" ");
    let hex = hex::encode(Sha256::digest(dates));
    hex.chars().take(DIGEST_LENGTH).collect()
}

impl WriteDates {
    fn digest(&self) -> Option<String> {
        let all: Option<Vec<&str>> = self.written.iter().map(Option::as_deref).collect();
        all.map(|all| digest(all.into_iter()))
    }

    /// The key in the variables, if nobody has written to them since the marker was set.
    fn key(&self) -> Option<KeyId> {
        let now = self.digest()?;
        let mark = self
            .marks
            .iter()
            .find(|mark| mark.dates.as_ref() == Some(&now));
        mark.map(|mark| KeyId(mark.key.clone()))
    }

    /// Whether this key was written last, or is being written; how far such a write got is unknown.
    fn is_of(&self, key: &KeyId) -> bool {
        let begun = WriteMarker {
            key: key.0.clone(),
            dates: None,
        };
        self.key().as_ref() == Some(key) || self.marks.contains(&begun)
    }
}

impl CircleCi {
    fn at(
        name: String,
        place: &ContextVariables,
        host: &str,
        token: String,
    ) -> Result<Self, String> {
        http::address(host).map_err(|why| format!("CIRCLECI_CLI_HOST: {why}"))?;
        Ok(Self {
            rest: RestClient::new(&name)?,
            name,
            place: place.clone(),
            url: format!("{}/api/v2", host.trim_end_matches('/')),
            token: Secret::new(token),
            folder: OnceCell::new(),
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        value: Option<&str>,
    ) -> Result<RestResponse, SinkError> {
        let request = self
            .rest
            .http
            .request(method, format!("{}{path}", self.url));
        let request = request.header("circle-token", self.token.expose());
        let Some(value) = value else {
            return self.rest.send_json(request, None, &self.token, &[]).await;
        };
        let mut body = json!({ "value": value });
        let sent = [value];
        let sending = self
            .rest
            .send_json(request, Some(&body), &self.token, &sent);
        let answer = sending.await;
        if let Some(Value::String(value)) = body.get_mut("value") {
            value.zeroize();
        }
        answer
    }

    /// All entries of a listing. A listing with too many pages is an error, since an entry on a
    /// later page would be taken for missing.
    async fn list<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, SinkError> {
        let mut all = Vec::new();
        let mut at = path.to_owned();
        for _ in 0..PAGES_MAX {
            let answer = self.send(Method::GET, &at, None).await?;
            let page: ItemPage<T> = self.rest.read(&format!("GET {path}"), &answer)?;
            all.extend(page.items);
            let Some(next) = page.next_page_token.filter(|next| !next.is_empty()) else {
                return Ok(all);
            };
            let sign = if path.contains('?') { '&' } else { '?' };
            at = format!("{path}{sign}page-token={}", segment(&next));
        }
        let why = format!("GET {path}: the listing has more than {PAGES_MAX} pages");
        Err(self.rest.never(&why))
    }

    /// The API path of the context's variables.
    async fn folder(&self) -> Result<&str, SinkError> {
        let found = self.folder.get_or_try_init(|| async {
            let id = match &self.place.context {
                ContextRef::Id(id) => id.clone(),
                ContextRef::Named { owner, name } => self.id_of(owner, name).await?,
            };
            Ok(format!("/context/{id}/environment-variable"))
        });
        found.await.map(String::as_str)
    }

    async fn id_of(&self, owner: &str, name: &str) -> Result<String, SinkError> {
        let all: Vec<NamedItem> = self
            .list(&format!("/context?owner-slug={}", segment(owner)))
            .await?;
        if let Some(found) = all.iter().find(|it| it.name == name) {
            return match is_uuid(&found.id) {
                true => Ok(found.id.clone()),
                false => Err(self.rest.later(&"the context's ID is malformed")),
            };
        }
        let near = did_you_mean(name, all.iter().map(|it| it.name.as_str()));
        let why =
            format!("there is no context {name}, or the token is not allowed to see it{near}");
        Err(self.rest.never(&why))
    }

    async fn variables(&self) -> Result<Vec<ListedVariable>, SinkError> {
        self.list(self.folder().await?).await
    }

    fn dates(&self, all: &[ListedVariable]) -> WriteDates {
        let date = |name: &&str| {
            let found = all.iter().find(|it| it.variable == **name);
            found.map(|found| found.updated_at.clone())
        };
        let begin = self.place.mark();
        let marks = all.iter().filter_map(|it| {
            let rest = it.variable.strip_prefix(&begin)?;
            let (key, dates) = match rest.split_once("__") {
                Some((key, dates)) => (key, Some(dates.to_owned())),
                None => (rest, None),
            };
            // A `_` means that the marker belongs to a variable whose longer name starts with this
            // one.
            let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric());
            is_key.then(|| WriteMarker {
                key: key.to_owned(),
                dates,
            })
        });
        let mut marks: Vec<WriteMarker> = marks.collect();
        marks.sort_by(|one, other| (&one.key, &one.dates).cmp(&(&other.key, &other.dates)));
        WriteDates {
            written: self.place.names.all().iter().map(date).collect(),
            marks,
        }
    }

    async fn look(&self) -> Result<WriteDates, SinkError> {
        Ok(self.dates(&self.variables().await?))
    }

    async fn put(&self, name: &str, value: &str) -> Result<(), SinkError> {
        let path = format!("{}/{name}", self.folder().await?);
        let answer = self.send(Method::PUT, &path, Some(value)).await?;
        let call = format!("PUT {path}");
        self.rest.read::<Value>(&call, &answer).map(drop)
    }

    async fn delete(&self, name: &str) -> Result<(), SinkError> {
        let path = format!("{}/{name}", self.folder().await?);
        let answer = self.send(Method::DELETE, &path, None).await?;
        match answer.status.is_success() || answer.status == StatusCode::NOT_FOUND {
            true => Ok(()),
            false => Err(self.rest.refused(&format!("DELETE {path}"), &answer)),
        }
    }

    fn mark_name(&self, mark: &WriteMarker) -> String {
        let begin = self.place.mark();
        match &mark.dates {
            None => format!("{begin}{}", mark.key),
            Some(dates) => format!("{begin}{}__{dates}", mark.key),
        }
    }

    /// Marks that a key is being written, or removed.
    async fn begin(&self, key: &KeyId) -> Result<(), SinkError> {
        let mark = WriteMarker {
            key: key.0.clone(),
            dates: None,
        };
        // A value is required; the name carries the information.
        self.put(&self.mark_name(&mark), "see the name of this variable")
            .await
    }

    /// Removes the markers, except for one.
    async fn unmark(
        &self,
        marks: &[WriteMarker],
        but: Option<&WriteMarker>,
    ) -> Result<(), SinkError> {
        // Markers of unfinished writes go last: while one exists, a retry can tell that the write
        // was ours.
        let (finished, begun): (Vec<_>, Vec<_>) =
            marks.iter().partition(|mark| mark.dates.is_some());
        for mark in finished
            .into_iter()
            .chain(begun)
            .filter(|mark| Some(*mark) != but)
        {
            self.delete(&self.mark_name(mark)).await?;
        }
        Ok(())
    }

    /// Writes a pair: the marker that it is being written, then the variables, then the marker with
    /// their dates.
    async fn write(&self, pair: &KeyPair) -> Result<(), SinkError> {
        self.begin(&pair.id).await?;
        let mut dates = Vec::new();
        let names = &self.place.names;
        for (variable, value) in names.all().into_iter().zip(names.values(pair)) {
            self.put(variable, value.expose()).await?;
            let all = self.variables().await?;
            let date = all.into_iter().find(|it| it.variable == variable);
            let date = date.map(|it| it.updated_at);
            dates.push(date.ok_or_else(|| {
                self.rest
                    .later(&"a variable disappeared right after it was written")
            })?);
        }
        let done = WriteMarker {
            key: pair.id.0.clone(),
            dates: Some(digest(dates.iter().map(String::as_str))),
        };
        self.put(&self.mark_name(&done), "see the name of this variable")
            .await?;
        let marks = self.look().await?.marks;
        self.unmark(&marks, Some(&done)).await
    }

    /// The error for a date or a marker that does not match.
    fn foreign(&self) -> SinkError {
        let (variables, mark) = (self.place.names.all().join(" and "), self.place.mark());
        self.rest.never(&format!(
            "another user wrote {variables}, or a variable {mark}..., after this rotation; nothing \
             was changed"
        ))
    }

    /// The old secret cannot be read back, so a person must set it, and confirms that by deleting
    /// the markers.
    fn by_hand(&self) -> SinkError {
        let (variables, mark) = (self.place.names.all().join(" and "), self.place.mark());
        self.rest.never(&format!(
            "the old secret is unknown: set {variables} to the old key by hand, delete the \
             variables {mark}..., and release the rotation"
        ))
    }
}

#[async_trait]
impl Sink for CircleCi {
    fn name(&self) -> &str {
        &self.name
    }

    async fn inspect(&self, _: &KeyId) -> Result<SinkInspection, SinkError> {
        let all = self.variables().await?;
        let dates = self.dates(&all);
        let mut inspection = SinkInspection::from(match dates.key() {
            Some(key) => SinkContent::Key(key),
            None => SinkContent::Unreadable,
        });
        if dates.written.iter().all(Option::is_none) {
            let wanted = self.place.names.all();
            let names = all.iter().map(|it| it.variable.as_str());
            inspection.absent = Some(MissingTarget {
                what: format!("there is no variable {}", wanted.join(" and no ")),
                similar: similar(wanted.last().copied().unwrap_or_default(), names),
            });
        }
        Ok(inspection)
    }

    async fn stage(&self, _: &RotationId) -> Result<SinkBackup, SinkError> {
        self.rest.backup(&self.look().await?)
    }

    async fn commit(
        &self,
        _: &RotationId,
        backup: &SinkBackup,
        new: &KeyPair,
    ) -> Result<(), SinkError> {
        let before: WriteDates = self.rest.read_backup(backup)?;
        let current = self.look().await?;
        if current.key().as_ref() == Some(&new.id) {
            let done = current
                .marks
                .iter()
                .find(|mark| mark.dates == current.digest());
            return self.unmark(&current.marks, done).await;
        }
        if current != before && !current.is_of(&new.id) {
            return Err(self.foreign());
        }
        self.write(new).await
    }

    async fn read_back(&self) -> Result<SinkContent, SinkError> {
        let current = self.look().await?;
        Ok(current.key().map_or(SinkContent::Nothing, SinkContent::Key))
    }

    async fn restore(
        &self,
        _: &RotationId,
        backup: &SinkBackup,
        pairs: RotationPairs<'_>,
    ) -> Result<(), SinkError> {
        let before: WriteDates = self.rest.read_backup(backup)?;
        let current = self.look().await?;
        // If there is no marker, then a person restored the old values and said so, or nothing is
        // left to restore, or nothing was written.
        if current == before || current.marks.is_empty() {
            return Ok(());
        }
        let is_old = pairs.old.is_some_and(|old| current.is_of(&old.id));
        if !current.is_of(&pairs.new.id) && !is_old {
            return Err(self.foreign());
        }
        if !before.written.iter().any(Option::is_some) {
            self.begin(&pairs.new.id).await?;
            for variable in self.place.names.all() {
                self.delete(variable).await?;
            }
            let marks = self.look().await?.marks;
            return self.unmark(&marks, None).await;
        }
        match pairs.old {
            Some(old) => {
                if current.key().as_ref() != Some(&old.id) {
                    self.write(old).await?;
                }
                if before.marks.is_empty() {
                    let marks = self.look().await?.marks;
                    self.unmark(&marks, None).await?;
                }
                Ok(())
            }
            // The write had not reached the variables.
            None if current.written == before.written => {
                let added = current.marks.into_iter();
                let added: Vec<_> = added.filter(|mark| !before.marks.contains(mark)).collect();
                self.unmark(&added, None).await
            }
            None => Err(self.by_hand()),
        }
    }
}

#[cfg(test)]
mod tests;
