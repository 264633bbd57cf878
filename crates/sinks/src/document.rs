//! A document that holds a pair: how it is put back, and stores that keep documents whole.
//!
//! It protects two rules. Only the pair is changed: what else stands in the document, and what
//! others add to it while a rotation is under way, stays. And a pair is replaced only if it is the
//! one that this rotation found or wrote.

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
use zeroize::Zeroize;

use super::{
    ParsedDestination, fragment,
    json::JsonFormat,
    text::{printable_id, similar},
};

/// What is there; nothing where there is no document.
pub(super) type DocumentContent = Option<Secret<Vec<u8>>>;

/// The bytes of a content.
pub(super) fn bytes(content: &DocumentContent) -> Option<&[u8]> {
    content.as_ref().map(|content| content.expose().as_slice())
}

/// What a document holds, as its readers see it.
#[derive(Default)]
pub(super) struct DocumentView {
    /// The pair; half a pair is an error.
    pub(super) pair: Option<KeyPair>,
    /// Why there is none, where an entry would have to be made.
    pub(super) absent: Option<MissingTarget>,
    /// Other entries with the id of a key, by name.
    pub(super) others: Vec<(String, KeyId)>,
}

impl DocumentView {
    /// For a person who decides whether the key is to be replaced there.
    pub(super) fn inspection(self, old: &KeyId) -> SinkInspection {
        let others = self.others.into_iter().filter(|(_, id)| id == old);
        SinkInspection {
            held: self.pair.map_or(SinkContent::Nothing, SinkContent::Pair),
            absent: self.absent,
            also: others.map(|(name, _)| name).collect(),
            warnings: Vec::new(),
        }
    }
}

/// How a document holds a pair. Errors are sentences without a secret, with the line where there is
/// one; what cannot be understood is not touched.
pub(super) trait DocumentFormat: Send + Sync + 'static {
    /// What a document holds.
    fn look(&self, content: Option<&[u8]>) -> Result<DocumentView, String>;

    /// The document with another pair.
    fn put(&self, content: Option<&[u8]>, pair: &KeyPair) -> Result<Secret<Vec<u8>>, String>;

    /// Whether two documents say the same; a store may keep one in its own spelling.
    fn same(&self, one: &[u8], other: &[u8]) -> bool {
        one == other
    }
}

/// A pair with every sign that a secret may have, to see whether one could be put somewhere.
fn sample() -> KeyPair {
    KeyPair {
        id: KeyId("AKIAIOSFODNN7EXAMPLE".to_owned()),
        secret: Secret::new("abcdefghijklmnopqrstuvwxyz/+0123456789ABC".to_owned()),
    }
}

/// The document with another pair, which its readers would see.
pub(super) fn changed(
    format: &dyn DocumentFormat,
    content: Option<&[u8]>,
    pair: &KeyPair,
) -> Result<Secret<Vec<u8>>, String> {
    let new = format.put(content, pair)?;
    let seen = format.look(Some(new.expose()))?.pair;
    if seen.as_ref() == Some(pair) {
        Ok(new)
    } else {
        Err("its readers would not see a pair that is put there".to_owned())
    }
}

/// Looks at a document, and whether another pair could be put into it and the same one again.
pub(super) fn inspect(
    format: &dyn DocumentFormat,
    content: Option<&[u8]>,
) -> Result<DocumentView, String> {
    let look = format.look(content)?;
    let other = changed(format, content, &sample())?;
    if let (Some(content), Some(pair)) = (content, &look.pair) {
        let again = changed(format, Some(other.expose()), pair)?;
        if again.expose() != content {
            return Err("it could not be put back as it is".to_owned());
        }
    }
    Ok(look)
}

/// What [`Sink::restore`] needs.
#[derive(Serialize, Deserialize)]
pub(super) struct DocumentBackup {
    /// The pair that was there.
    pair: Option<(String, String)>,
    /// The whole document, where there was one.
    content: Option<Vec<u8>>,
}

impl Drop for DocumentBackup {
    fn drop(&mut self) {
        if let Some((_, secret)) = &mut self.pair {
            secret.zeroize();
        }
        self.content.zeroize();
    }
}

impl DocumentBackup {
    /// Of what is there now.
    pub(super) fn backup(
        content: DocumentContent,
        pair: Option<KeyPair>,
    ) -> Result<SinkBackup, SinkError> {
        let before = Self {
            pair: pair.map(|pair| (pair.id.0, pair.secret.expose().clone())),
            content: content.map(|content| content.expose().clone()),
        };
        let bytes = serde_json::to_vec(&before);
        let bytes = bytes.map_err(|error| SinkError::Never(error.to_string()))?;
        Ok(Secret::new(bytes))
    }

    /// From a backup.
    pub(super) fn read(backup: &SinkBackup) -> Result<Self, SinkError> {
        serde_json::from_slice(backup.expose())
            .map_err(|_| SinkError::Never("its backup cannot be read".to_owned()))
    }

    fn pair(&self) -> Option<KeyPair> {
        self.pair.as_ref().map(|(id, secret)| KeyPair {
            id: KeyId(id.clone()),
            secret: Secret::new(secret.clone()),
        })
    }

    /// The document with the new pair, if it holds what was found, or the new pair already.
    pub(super) fn committed(
        &self,
        content: Option<&[u8]>,
        format: &dyn DocumentFormat,
        new: &KeyPair,
    ) -> Result<DocumentContent, String> {
        let (now, found) = (format.look(content)?.pair, self.pair());
        if now.as_ref() == Some(new) {
            return Ok(content.map(|content| Secret::new(content.to_vec())));
        }
        if now != found {
            return Err(foreign(now.as_ref(), found.as_ref(), new));
        }
        changed(format, content, new).map(Some)
    }

    /// The document as it was, if it holds what was written, or what was found already. What others
    /// changed since stays, where it can be told apart.
    pub(super) fn restored(
        &self,
        content: Option<&[u8]>,
        format: &dyn DocumentFormat,
        new: &KeyPair,
    ) -> Result<DocumentContent, String> {
        let (now, found) = (format.look(content)?.pair, self.pair());
        if now == found {
            return Ok(content.map(|content| Secret::new(content.to_vec())));
        }
        if now.as_ref() != Some(new) {
            return Err(foreign(now.as_ref(), found.as_ref(), new));
        }
        let ours = changed(format, self.content.as_deref(), new);
        if ours.is_ok_and(|ours| content.is_some_and(|now| format.same(ours.expose(), now))) {
            // Nobody else changed anything.
            return Ok(self.content.clone().map(Secret::new));
        }
        match found {
            Some(found) => changed(format, content, &found).map(Some),
            None => {
                let why = "it held no pair before, and was changed since; remove the pair by hand";
                Err(why.to_owned())
            }
        }
    }
}

/// What is there is neither what was found nor what was written, so it is another's.
pub(super) fn foreign(now: Option<&KeyPair>, found: Option<&KeyPair>, new: &KeyPair) -> String {
    let same_id = |pair: &&KeyPair| now.is_some_and(|now| now.id == pair.id);
    if let Some(same) = found.into_iter().chain([new]).find(same_id) {
        let id = printable_id(&same.id.0);
        return format!("it holds {id} with another secret now; nothing was changed");
    }
    let id = |pair: Option<&KeyPair>| match pair {
        Some(pair) => printable_id(&pair.id.0).to_owned(),
        None => "no key".to_owned(),
    };
    foreign_key(&id(now), &id(found), &new.id)
}

/// The same in terms of ids.
pub(super) fn foreign_key(now: &str, found: &str, new: &KeyId) -> String {
    format!(
        "it holds {now} now, neither {found}, which this rotation found there, nor {new}, which it \
         writes; nothing was changed"
    )
}

/// A document and which version of it that is.
pub(super) struct DocumentVersion {
    pub(super) content: DocumentContent,
    /// What the store calls it; a write replaces this version and no other.
    pub(super) tag: VersionTag,
}

/// What a store calls a version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct VersionTag {
    /// Its number or id; nothing where there is no document.
    pub(super) version: Option<String>,
    /// What else a write must repeat, as the type of a parameter.
    pub(super) kind: Option<String>,
}

/// A store that keeps documents whole.
#[async_trait]
pub(super) trait DocumentStore: Send + Sync {
    /// The document.
    async fn get(&self) -> Result<DocumentVersion, SinkError>;

    /// Replaces the version that [`Store::get`] gave, and no other; nothing removes it.
    async fn put(&self, content: DocumentContent, was: &VersionTag) -> Result<(), SinkError>;

    /// What is done about a version that a rotation made and a restore replaced.
    async fn retire(&self, _replaced: &VersionTag) {}

    /// What is said where there is no document.
    fn absence(&self, _: &VersionTag) -> String {
        "it does not exist".to_owned()
    }

    /// What can be known beforehand to fail, and what a person should know before a write.
    async fn check(&self) -> Result<Vec<String>, SinkError> {
        Ok(Vec::new())
    }

    /// Names of documents beside this one, for a suggestion.
    async fn names(&self) -> Vec<String> {
        Vec::new()
    }

    /// The last part of its own name.
    fn own_name(&self) -> &str;

    /// The names that may have been meant instead of its own, where there is no document.
    async fn similar(&self) -> Vec<String> {
        let names = self.names().await;
        similar(self.own_name(), names.iter().map(String::as_str))
    }
}

/// Where a store keeps a document. `Display` writes what [`StorePlace::parse`] reads.
#[async_trait]
pub(super) trait StorePlace:
    fmt::Debug + fmt::Display + Send + Sync + Sized + 'static
{
    type Store: DocumentStore + 'static;

    /// From what stands before a `#`.
    fn parse(text: &str) -> Result<Self, String>;

    /// Opens the store; nothing is read or written yet. `name` is for errors.
    async fn open(&self, name: &str, clock: &Arc<dyn Clock>) -> Result<Self::Store, String>;

    /// As [`Destination::caveats`].
    fn caveats(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A JSON document in a store, as its name describes it: `PLACE[#/ID,/SECRET]`.
#[derive(Debug)]
struct DocumentDestination<P> {
    place: P,
    format: JsonFormat,
}

/// Reads the name of a JSON document in a store.
pub(super) fn parse<P: StorePlace>(text: &str) -> Result<Box<dyn ParsedDestination>, String> {
    let (place, pointers) = fragment(text);
    Ok(Box::new(DocumentDestination {
        format: JsonFormat::new(pointers)?,
        place: P::parse(place)?,
    }))
}

impl<P: fmt::Display> fmt::Display for DocumentDestination<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.place, self.format)
    }
}

#[async_trait]
impl<P: StorePlace> ParsedDestination for DocumentDestination<P> {
    fn caveats(&self, _: bool) -> Vec<String> {
        self.place.caveats()
    }

    async fn open(&self, name: String, clock: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, String> {
        let store = self.place.open(&name, clock).await?;
        Ok(Box::new(DocumentSink::new(
            name,
            self.format.clone(),
            store,
        )))
    }
}

/// A document in a store.
pub(super) struct DocumentSink<S, F = JsonFormat> {
    name: String,
    format: F,
    store: S,
}

impl<S: DocumentStore, F: DocumentFormat> DocumentSink<S, F> {
    pub(super) const fn new(name: String, format: F, store: S) -> Self {
        Self {
            name,
            format,
            store,
        }
    }

    fn refused(&self, why: String) -> SinkError {
        SinkError::Never(format!("{}: {why}", self.name))
    }

    async fn held(&self) -> Result<(DocumentVersion, DocumentView), SinkError> {
        let version = self.store.get().await?;
        let look = inspect(&self.format, bytes(&version.content));
        let look = look.map_err(|why| self.refused(why))?;
        Ok((version, look))
    }

    /// The version that was replaced and what replaced it, if anything was.
    async fn change(
        &self,
        edit: impl Fn(Option<&[u8]>) -> Result<DocumentContent, String> + Send,
    ) -> Result<Option<(VersionTag, DocumentContent)>, SinkError> {
        let version = self.store.get().await?;
        let new = edit(bytes(&version.content)).map_err(|why| self.refused(why))?;
        if new == version.content {
            return Ok(None);
        }
        self.store.put(new.clone(), &version.tag).await?;
        Ok(Some((version.tag, new)))
    }
}

#[async_trait]
impl<S: DocumentStore, F: DocumentFormat> Sink for DocumentSink<S, F> {
    fn name(&self) -> &str {
        &self.name
    }

    async fn inspect(&self, old: &KeyId) -> Result<SinkInspection, SinkError> {
        let (version, look) = self.held().await?;
        let mut inspection = look.inspection(old);
        inspection.warnings = self.store.check().await?;
        if version.content.is_none() {
            inspection.absent = Some(MissingTarget {
                what: self.store.absence(&version.tag),
                similar: self.store.similar().await,
            });
        }
        Ok(inspection)
    }

    async fn stage(&self, _: &RotationId) -> Result<SinkBackup, SinkError> {
        let (version, look) = self.held().await?;
        DocumentBackup::backup(version.content, look.pair)
    }

    async fn commit(
        &self,
        _: &RotationId,
        backup: &SinkBackup,
        new: &KeyPair,
    ) -> Result<(), SinkError> {
        let before = DocumentBackup::read(backup)?;
        let done = self.change(|content| before.committed(content, &self.format, new));
        done.await.map(drop)
    }

    async fn read_back(&self) -> Result<SinkContent, SinkError> {
        let (_, look) = self.held().await?;
        Ok(look.pair.map_or(SinkContent::Nothing, SinkContent::Pair))
    }

    async fn restore(
        &self,
        _: &RotationId,
        backup: &SinkBackup,
        pairs: RotationPairs<'_>,
    ) -> Result<(), SinkError> {
        let before = DocumentBackup::read(backup)?;
        let done = self.change(|content| before.restored(content, &self.format, pairs.new));
        if let Some((replaced, now)) = done.await?
            && bytes(&now) == before.content.as_deref()
        {
            // Nobody else changed it, so this rotation made it.
            self.store.retire(&replaced).await;
        }
        Ok(())
    }
}
