//! A document that holds a pair: how it is put back, and stores that keep documents whole.
//!
//! It protects one rule: only the pair is changed. What else stands in the document, and what
//! somebody adds to it while a rotation is under way, stays.

use async_trait::async_trait;
use keywright_base::Secret;
use keywright_rotation::{
    model::{KeyId, Pair, RotationId},
    ports::{Backup, Held, Sink, SinkError},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::json::Json;

/// What is there; nothing where there is no document.
pub(super) type Content = Option<Secret<Vec<u8>>>;

/// How a document holds a pair. Errors are sentences without a secret; what cannot be understood is
/// not touched.
pub(super) trait Format: Send + Sync + 'static {
    /// The pair in a document, if there is one.
    fn find(&self, content: &[u8]) -> Result<Option<Pair>, String>;

    /// The document with another pair.
    fn put(&self, content: Option<&[u8]>, pair: &Pair) -> Result<Vec<u8>, String>;

    /// Looks whether the document is understood and a pair could be put into it; the pair in it.
    fn inspect(&self, content: Option<&[u8]>) -> Result<Option<Pair>, String> {
        let found = content.map(|content| self.find(content)).transpose()?;
        let some = || Pair {
            id: KeyId("x".to_owned()),
            secret: Secret::new("x".to_owned()),
        };
        let found = found.flatten();
        let put = self.put(content, &found.clone().unwrap_or_else(some))?;
        drop(Secret::new(put));
        Ok(found)
    }

    /// Whether two documents say the same; a store may keep one in its own spelling.
    fn same(&self, one: &[u8], other: &[u8]) -> bool {
        one == other
    }
}

/// What [`Sink::restore`] needs.
#[derive(Serialize, Deserialize)]
pub(super) struct Before {
    /// The pair that was there.
    pair: Option<(String, String)>,
    /// The whole document, where there was one.
    content: Option<Vec<u8>>,
}

impl Drop for Before {
    fn drop(&mut self) {
        if let Some((_, secret)) = &mut self.pair {
            secret.zeroize();
        }
        self.content.zeroize();
    }
}

impl Before {
    /// Of what is there now.
    pub(super) fn backup(content: Content, pair: Option<Pair>) -> Result<Backup, SinkError> {
        let before = Self {
            pair: pair.map(|pair| (pair.id.0, pair.secret.expose().clone())),
            content: content.map(|content| content.expose().clone()),
        };
        let bytes = serde_json::to_vec(&before);
        let bytes = bytes.map_err(|error| SinkError::Never(error.to_string()))?;
        Ok(Secret::new(bytes))
    }

    /// From a backup.
    pub(super) fn read(backup: &Backup) -> Result<Self, SinkError> {
        serde_json::from_slice(backup.expose())
            .map_err(|_| SinkError::Never("its backup cannot be read".to_owned()))
    }

    /// The document as it was. What somebody else changed since is kept, where it can be told
    /// apart.
    pub(super) fn restored(
        &self,
        content: Option<&[u8]>,
        format: &dyn Format,
    ) -> Result<Content, String> {
        let now = content
            .map(|content| format.find(content))
            .transpose()?
            .flatten();
        let ours = now.map(|now| format.put(self.content.as_deref(), &now));
        if let Some(Ok(ours)) = &ours
            && content.is_some_and(|content| format.same(ours, content))
        {
            // Nobody else changed anything.
            return Ok(self.content.clone().map(Secret::new));
        }
        if let Some((id, secret)) = &self.pair {
            let pair = Pair {
                id: KeyId(id.clone()),
                secret: Secret::new(secret.clone()),
            };
            return Ok(Some(Secret::new(format.put(content, &pair)?)));
        }
        if ours.is_none() {
            // It never got there, or is gone again.
            return Ok(content.map(|content| Secret::new(content.to_vec())));
        }
        let why = "it held no pair before, and was changed since; remove the pair by hand";
        Err(why.to_owned())
    }
}

/// A document and which version of it that is.
pub(super) struct Version {
    pub(super) content: Content,
    /// What the store calls it, for a compare-and-swap where it knows one.
    pub(super) number: u64,
}

/// A store that keeps documents whole.
#[async_trait]
pub(super) trait Store: Send + Sync {
    /// The document.
    async fn get(&self) -> Result<Version, SinkError>;

    /// Replaces the document that [`Store::get`] gave; nothing removes it.
    async fn put(&self, content: Content, was: u64) -> Result<(), SinkError>;
}

/// A JSON document in a store.
pub(super) struct DocumentSink<S> {
    name: String,
    format: Json,
    store: S,
}

impl<S: Store> DocumentSink<S> {
    pub(super) const fn new(name: String, format: Json, store: S) -> Self {
        Self {
            name,
            format,
            store,
        }
    }

    fn refused(&self, why: String) -> SinkError {
        SinkError::Never(format!("{}: {why}", self.name))
    }

    async fn held(&self) -> Result<(Version, Option<Pair>), SinkError> {
        let version = self.store.get().await?;
        let content = version.content.as_ref();
        let pair = self
            .format
            .inspect(content.map(|content| content.expose().as_slice()));
        let pair = pair.map_err(|why| self.refused(why))?;
        Ok((version, pair))
    }

    async fn change(
        &self,
        edit: impl Fn(Option<&[u8]>) -> Result<Content, String> + Send,
    ) -> Result<(), SinkError> {
        let (version, _) = self.held().await?;
        let old = version
            .content
            .as_ref()
            .map(|content| content.expose().as_slice());
        let new = edit(old).map_err(|why| self.refused(why))?;
        if new == version.content {
            return Ok(());
        }
        self.store.put(new, version.number).await
    }
}

#[async_trait]
impl<S: Store> Sink for DocumentSink<S> {
    fn name(&self) -> &str {
        &self.name
    }

    async fn stage(&self, _: &RotationId) -> Result<Backup, SinkError> {
        let (version, pair) = self.held().await?;
        Before::backup(version.content, pair)
    }

    async fn commit(&self, _: &RotationId, pair: &Pair) -> Result<(), SinkError> {
        self.change(|content| Ok(Some(Secret::new(self.format.put(content, pair)?))))
            .await
    }

    async fn read_back(&self) -> Result<Held, SinkError> {
        let (_, pair) = self.held().await?;
        Ok(pair.map_or(Held::Nothing, Held::Pair))
    }

    async fn restore(
        &self,
        _: &RotationId,
        backup: &Backup,
        _: Option<&Pair>,
    ) -> Result<(), SinkError> {
        let before = Before::read(backup)?;
        self.change(|content| before.restored(content, &self.format))
            .await
    }
}
