//! A file as a sink, whatever its format.
//!
//! It protects one rule: only the pair is changed. What else stands in the file, and what somebody
//! adds to it while a rotation is under way, stays.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use keywright_base::Secret;
use keywright_rotation::{
    model::{KeyId, Pair, RotationId},
    ports::{Backup, Held, Sink, SinkError},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::replace::{self, Content};

/// How a file holds a pair. Errors are sentences without a secret; what cannot be understood is
/// not touched.
pub(super) trait Format: Send + Sync + 'static {
    /// The pair in a file, if there is one.
    fn find(&self, content: &[u8]) -> Result<Option<Pair>, String>;

    /// The file with another pair.
    fn put(&self, content: Option<&[u8]>, pair: &Pair) -> Result<Vec<u8>, String>;
}

/// A file that holds a pair.
pub(super) struct FileSink<F> {
    name: String,
    path: PathBuf,
    format: Arc<F>,
}

/// What [`Sink::restore`] needs.
#[derive(Serialize, Deserialize)]
struct Before {
    /// The pair that was there.
    pair: Option<(String, String)>,
    /// The whole file, where there was one.
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

impl<F: Format> FileSink<F> {
    pub(super) fn new(name: String, path: PathBuf, format: F) -> Self {
        Self {
            name,
            path,
            format: Arc::new(format),
        }
    }

    /// Runs blocking work beside the async threads.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path, &F) -> Result<T, SinkError> + Send + 'static,
    ) -> Result<T, SinkError> {
        let (path, format) = (self.path.clone(), Arc::clone(&self.format));
        let ran = tokio::task::spawn_blocking(move || work(&path, &format));
        ran.await
            .map_err(|error| SinkError::Later(error.to_string()))?
    }
}

fn held<F: Format>(path: &Path, format: &F) -> Result<(Content, Option<Pair>), SinkError> {
    let content = replace::read(path).map_err(|error| replace::failed(path, &error))?;
    let pair = match &content {
        Some(content) => format
            .find(content.expose())
            .map_err(|why| refused(path, &why))?,
        None => None,
    };
    Ok((content, pair))
}

fn refused(path: &Path, why: &str) -> SinkError {
    SinkError::Never(format!("{}: {why}", path.display()))
}

#[async_trait]
impl<F: Format> Sink for FileSink<F> {
    fn name(&self) -> &str {
        &self.name
    }

    async fn stage(&self, _: &RotationId) -> Result<Backup, SinkError> {
        self.run(|path, format| {
            let (content, pair) = held(path, format)?;
            replace::check(path).map_err(|error| replace::failed(path, &error))?;
            let before = Before {
                pair: pair.map(|pair| (pair.id.0, pair.secret.expose().clone())),
                content: content.map(|content| content.expose().clone()),
            };
            let bytes = serde_json::to_vec(&before);
            let bytes = bytes.map_err(|error| SinkError::Never(error.to_string()))?;
            Ok(Secret::new(bytes))
        })
        .await
    }

    async fn commit(&self, _: &RotationId, pair: &Pair) -> Result<(), SinkError> {
        let pair = pair.clone();
        self.run(move |path, format| {
            replace::replace(path, |content| {
                let put = format.put(content, &pair);
                let put = put.map_err(|why| refused(path, &why))?;
                Ok(Some(Secret::new(put)))
            })
        })
        .await
    }

    async fn read_back(&self) -> Result<Held, SinkError> {
        self.run(|path, format| Ok(held(path, format)?.1.map_or(Held::Nothing, Held::Pair)))
            .await
    }

    async fn restore(&self, _: &RotationId, backup: &Backup) -> Result<(), SinkError> {
        let before: Before = serde_json::from_slice(backup.expose())
            .map_err(|_| SinkError::Never("its backup cannot be read".to_owned()))?;
        self.run(move |path, format| {
            replace::replace(path, |content| before.restored(path, content, format))
        })
        .await
    }
}

impl Before {
    /// The file as it was. What somebody else changed since is kept, where it can be told apart.
    fn restored<F: Format>(
        &self,
        path: &Path,
        content: Option<&[u8]>,
        format: &F,
    ) -> Result<Content, SinkError> {
        let now = content.map(|content| format.find(content)).transpose();
        let now = now.map_err(|why| refused(path, &why))?.flatten();
        let ours = now.map(|now| format.put(self.content.as_deref(), &now));
        if let Some(Ok(ours)) = &ours
            && Some(ours.as_slice()) == content
        {
            // Nobody else changed anything.
            return Ok(self.content.clone().map(Secret::new));
        }
        if let Some((id, secret)) = &self.pair {
            let pair = Pair {
                id: KeyId(id.clone()),
                secret: Secret::new(secret.clone()),
            };
            let put = format
                .put(content, &pair)
                .map_err(|why| refused(path, &why))?;
            return Ok(Some(Secret::new(put)));
        }
        if ours.is_none() {
            // It never got there, or is gone again.
            return Ok(content.map(|content| Secret::new(content.to_vec())));
        }
        Err(refused(
            path,
            "it held no pair before, and was changed since; remove the pair by hand",
        ))
    }
}
