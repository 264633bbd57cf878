//! A file as a sink, whatever its format.
//!
//! It protects one rule: only the pair is changed. What else stands in the file, and what others
//! add to it while a rotation is under way, stays.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use keywright_rotation::{
    model::{KeyId, KeyPair, RotationId},
    ports::{
        MissingTarget, RotationPairs, Sink, SinkBackup, SinkContent, SinkError, SinkInspection,
    },
};

use super::{
    document::{DocumentBackup, DocumentContent, DocumentFormat, DocumentView, bytes, inspect},
    replace,
    text::similar,
};

/// Names in a folder that are compared with one that is not there.
const NEIGHBOURS_MAX: usize = 1000;

/// A file that holds a pair.
pub(super) struct FileSink<F> {
    name: String,
    path: PathBuf,
    format: Arc<F>,
}

impl<F: DocumentFormat> FileSink<F> {
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

fn held<F: DocumentFormat>(
    path: &Path,
    format: &F,
) -> Result<(DocumentContent, DocumentView), SinkError> {
    let content = replace::read(path).map_err(|error| replace::failed(path, &error))?;
    let look = inspect(format, bytes(&content)).map_err(|why| refused(path, &why))?;
    Ok((content, look))
}

/// A sentence about a file, as compilers write it where it begins with a line.
fn refused(path: &Path, why: &str) -> SinkError {
    let path = path.display();
    SinkError::Never(match why.strip_prefix("line ") {
        Some(line) => format!("{path}:{line}"),
        None => format!("{path}: {why}"),
    })
}

/// What is not there, and what was perhaps meant.
fn absence(path: &Path) -> MissingTarget {
    let folder = path.parent().and_then(|folder| folder.read_dir().ok());
    let names = folder.into_iter().flatten().take(NEIGHBOURS_MAX);
    let names: Vec<String> = names
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    MissingTarget {
        what: "there is no such file".to_owned(),
        similar: similar(&name, names.iter().map(String::as_str)),
    }
}

#[async_trait]
impl<F: DocumentFormat> Sink for FileSink<F> {
    fn name(&self) -> &str {
        &self.name
    }

    async fn inspect(&self, old: &KeyId) -> Result<SinkInspection, SinkError> {
        let old = old.clone();
        self.run(move |path, format| {
            let (content, look) = held(path, format)?;
            let warnings = replace::check(path).map_err(|error| replace::failed(path, &error))?;
            let mut inspection = SinkInspection {
                warnings,
                ..look.inspection(&old)
            };
            if content.is_none() {
                inspection.absent = Some(absence(path));
            }
            Ok(inspection)
        })
        .await
    }

    async fn stage(&self, _: &RotationId) -> Result<SinkBackup, SinkError> {
        self.run(|path, format| {
            let (content, look) = held(path, format)?;
            replace::check(path).map_err(|error| replace::failed(path, &error))?;
            DocumentBackup::backup(content, look.pair)
        })
        .await
    }

    async fn commit(
        &self,
        _: &RotationId,
        backup: &SinkBackup,
        new: &KeyPair,
    ) -> Result<(), SinkError> {
        let (before, new) = (DocumentBackup::read(backup)?, new.clone());
        self.run(move |path, format| {
            replace::replace(path, |content| {
                let committed = before.committed(content, format, &new);
                committed.map_err(|why| refused(path, &why))
            })
        })
        .await
    }

    async fn read_back(&self) -> Result<SinkContent, SinkError> {
        self.run(|path, format| {
            let (_, look) = held(path, format)?;
            Ok(look.pair.map_or(SinkContent::Nothing, SinkContent::Pair))
        })
        .await
    }

    async fn restore(
        &self,
        _: &RotationId,
        backup: &SinkBackup,
        pairs: RotationPairs<'_>,
    ) -> Result<(), SinkError> {
        let (before, new) = (DocumentBackup::read(backup)?, pairs.new.clone());
        self.run(move |path, format| {
            replace::replace(path, |content| {
                let restored = before.restored(content, format, &new);
                restored.map_err(|why| refused(path, &why))
            })
        })
        .await
    }
}
