//! A document that holds a key pair: how it is changed and restored, and stores of whole documents.
//!
//! Invariants: Only the pair changes. The rest of the document stays, including what others add to
//! it during a rotation. A pair is replaced only if it is the one that this rotation found or
//! wrote.

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

/// The content of a document; `None` if there is no document.
pub(super) type DocumentContent = Option<Secret<Vec<u8>>>;

pub(super) fn bytes(content: &DocumentContent) -> Option<&[u8]> {
    content.as_ref().map(|content| content.expose().as_slice())
}

/// What a document contains, as its readers see it.
#[derive(Default)]
pub(super) struct DocumentView {
    /// The pair. Half a pair is an error.
    pub(super) pair: Option<KeyPair>,
    /// Why there is no pair, if an entry would have to be created.
    pub(super) absent: Option<MissingTarget>,
    /// Other entries that hold a key ID, by name.
    pub(super) others: Vec<(String, KeyId)>,
}

impl DocumentView {
    /// What the user needs in order to decide whether to replace the key there.
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

/// How a document holds a pair. Errors are sentences without secrets, with the line number if there
/// is one. A document that cannot be parsed is not changed.
pub(super) trait DocumentFormat: Send + Sync + 'static {
    /// Parses a document.
    fn look(&self, content: Option<&[u8]>) -> Result<DocumentView, String>;

    /// The document with another pair.
    fn put(&self, content: Option<&[u8]>, pair: &KeyPair) -> Result<Secret<Vec<u8>>, String>;

    /// Whether two documents are equivalent. A store may reformat what it is given.
    fn same(&self, one: &[u8], other: &[u8]) -> bool {
        one == other
    }
}

/// A pair with every character that a secret can contain, to test whether one could be written.
fn sample() -> KeyPair {
    KeyPair {
        id: KeyId("AKIAIOSFODNN7EXAMPLE".to_owned()),
        secret: Secret::new("abcdefghijklmnopqrstuvwxyz/+0123456789ABC".to_owned()),
    }
}

/// The document with another pair. Fails if its readers would not see that pair.
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
        Err("its readers would not see a key pair that is written there".to_owned())
    }
}

/// Parses a document, and checks that another pair could be written to it and the same one
/// restored.
pub(super) fn inspect(
    format: &dyn DocumentFormat,
    content: Option<&[u8]>,
) -> Result<DocumentView, String> {
    let look = format.look(content)?;
    let other = changed(format, content, &sample())?;
    if let (Some(content), Some(pair)) = (content, &look.pair) {
        let again = changed(format, Some(other.expose()), pair)?;
        if again.expose() != content {
            return Err("its current content could not be restored".to_owned());
        }
    }
    Ok(look)
}

/// The data for [`Sink::restore`].
#[derive(Serialize, Deserialize)]
pub(super) struct DocumentBackup {
    /// The pair that was there.
    pair: Option<(String, String)>,
    /// The whole document, if there was one.
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
    /// A backup of the current content.
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

    /// Parses a backup.
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

    /// The document with the new pair, if it still holds the pair that was found, or the new one
    /// already.
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

    /// The document as it was, if it holds the pair that was written, or the old one already. What
    /// others changed since is kept where it can be told apart.
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
                let why = "it held no key pair before and has been changed since; remove the key \
                           pair by hand";
                Err(why.to_owned())
            }
        }
    }
}

/// The error for a pair that is neither the one found nor the one written: another user's.
pub(super) fn foreign(now: Option<&KeyPair>, found: Option<&KeyPair>, new: &KeyPair) -> String {
    let same_id = |pair: &&KeyPair| now.is_some_and(|now| now.id == pair.id);
    if let Some(same) = found.into_iter().chain([new]).find(same_id) {
        let id = printable_id(&same.id.0);
        return format!("it now holds {id} with a different secret; nothing was changed");
    }
    let id = |pair: Option<&KeyPair>| match pair {
        Some(pair) => printable_id(&pair.id.0).to_owned(),
        None => "no key".to_owned(),
    };
    foreign_key(&id(now), &id(found), &new.id)
}

/// The same error for key IDs.
pub(super) fn foreign_key(now: &str, found: &str, new: &KeyId) -> String {
    format!(
        "it now holds {now}, which is neither {found}, which this rotation found there, nor {new}, \
         which it writes; nothing was changed"
    )
}

/// A document and its version.
pub(super) struct DocumentVersion {
    pub(super) content: DocumentContent,
    /// The store's tag of this version. A write replaces this version only.
    pub(super) tag: VersionTag,
}

/// How a store identifies a version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct VersionTag {
    /// Its number or ID; `None` if there is no document.
    pub(super) version: Option<String>,
    /// Anything else that a write must send again, such as the type of a parameter.
    pub(super) kind: Option<String>,
}

/// A store of whole documents.
#[async_trait]
pub(super) trait DocumentStore: Send + Sync {
    /// Reads the document.
    async fn get(&self) -> Result<DocumentVersion, SinkError>;

    /// Replaces the version that [`DocumentStore::get`] returned, and no other. No content removes
    /// the document.
    async fn put(&self, content: DocumentContent, was: &VersionTag) -> Result<(), SinkError>;

    /// Cleans up a version that a rotation wrote and a restore replaced.
    async fn retire(&self, _replaced: &VersionTag) {}

    /// The message for a document that does not exist.
    fn absence(&self, _: &VersionTag) -> String {
        "it does not exist".to_owned()
    }

    /// Detects failures before a write. Returns warnings for the user.
    async fn check(&self) -> Result<Vec<String>, SinkError> {
        Ok(Vec::new())
    }

    /// Names of neighbouring documents, for a suggestion.
    async fn names(&self) -> Vec<String> {
        Vec::new()
    }

    /// The last part of its own name.
    fn own_name(&self) -> &str;

    /// The names that the user may have meant, if there is no document.
    async fn similar(&self) -> Vec<String> {
        let names = self.names().await;
        similar(self.own_name(), names.iter().map(String::as_str))
    }
}

/// Where a store holds a document. `Display` writes what [`StorePlace::parse`] reads.
#[async_trait]
pub(super) trait StorePlace:
    fmt::Debug + fmt::Display + Send + Sync + Sized + 'static
{
    type Store: DocumentStore + 'static;

    /// Parses the part before the `#`.
    fn parse(text: &str) -> Result<Self, String>;

    /// Opens the store. Nothing is read or written yet. `name` is for errors.
    async fn open(&self, name: &str, clock: &Arc<dyn Clock>) -> Result<Self::Store, String>;

    /// Warnings before a write, as in [`ParsedDestination::caveats`].
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

/// Parses the name of a JSON document in a store.
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

    /// Writes what `edit` makes of the document. Returns the version that was replaced and its
    /// replacement, or `None` if nothing changed.
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
            // Nobody else changed it, so this rotation created it.
            self.store.retire(&replaced).await;
        }
        Ok(())
    }
}
