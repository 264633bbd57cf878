//! A file as a sink, whatever its format.
//!
//! It protects one rule: only the pair is changed. What else stands in the file, and what somebody
//! adds to it while a rotation is under way, stays.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    document::{Before, Content, Format},
    replace,
};
use async_trait::async_trait;
use keywright_base::Secret;
use keywright_rotation::{
    model::{Pair, RotationId},
    ports::{Backup, Held, Sink, SinkError},
};

/// A file that holds a pair.
pub(super) struct FileSink<F> {
    name: String,
    path: PathBuf,
    format: Arc<F>,
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
    let pair = format.inspect(content.as_ref().map(|content| content.expose().as_slice()));
    let pair = pair.map_err(|why| refused(path, &why))?;
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

    async fn inspect(&self) -> Result<Held, SinkError> {
        self.run(|path, format| {
            let (_, pair) = held(path, format)?;
            replace::check(path).map_err(|error| replace::failed(path, &error))?;
            Ok(pair.map_or(Held::Nothing, Held::Pair))
        })
        .await
    }

    async fn stage(&self, _: &RotationId) -> Result<Backup, SinkError> {
        self.run(|path, format| {
            let (content, pair) = held(path, format)?;
            replace::check(path).map_err(|error| replace::failed(path, &error))?;
            Before::backup(content, pair)
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

    async fn restore(
        &self,
        _: &RotationId,
        backup: &Backup,
        _: Option<&Pair>,
    ) -> Result<(), SinkError> {
        let before = Before::read(backup)?;
        self.run(move |path, format| {
            replace::replace(path, |content| {
                before
                    .restored(content, format)
                    .map_err(|why| refused(path, &why))
            })
        })
        .await
    }
}
