//! A file as a sink, in any format.
//!
//! Invariant: only the key pair changes. The rest of the file stays, including what others add to
//! it during a rotation.

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
    replace::{self, FileLocation, FolderTurn},
    text::similar,
};

/// How many names in a folder are compared with a missing one.
const NEIGHBOURS_MAX: usize = 1000;

/// The file with root's credentials in a server's data folder.
const ROOT_CREDENTIALS: &str = "root.credentials";
/// What tells a data folder from another one.
const DATABASE: &str = "keywright.db";

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

    /// Works on the file outside the async threads.
    async fn at<T: Send + 'static>(
        &self,
        work: impl FnOnce(&FileLocation, &Path, &F) -> Result<T, SinkError> + Send + 'static,
    ) -> Result<T, SinkError> {
        let (path, format) = (self.path.clone(), Arc::clone(&self.format));
        let ran = replace::at(&self.path, move |location| work(location, &path, &format));
        ran.await
            .map_err(|error| replace::failed(&self.path, &error))?
    }

    /// The same, while nobody else replaces a file in its folder.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&FolderTurn, &Path, &F) -> Result<T, SinkError> + Send + 'static,
    ) -> Result<T, SinkError> {
        let (path, format) = (self.path.clone(), Arc::clone(&self.format));
        let ran = replace::in_turn(&self.path, move |turn| work(turn, &path, &format));
        ran.await
            .map_err(|error| replace::failed(&self.path, &error))?
    }
}

fn held<F: DocumentFormat>(
    location: &FileLocation,
    path: &Path,
    format: &F,
) -> Result<(DocumentContent, DocumentView), SinkError> {
    let content = location
        .read()
        .map_err(|error| replace::failed(path, &error))?;
    let look = inspect(format, bytes(&content)).map_err(|why| refused(path, &why))?;
    Ok((content, look))
}

/// An error about a file, in the `FILE:LINE:` form of compilers if the message starts with a line
/// number.
fn refused(path: &Path, why: &str) -> SinkError {
    let path = path.display();
    SinkError::Never(match why.strip_prefix("line ") {
        Some(line) => format!("{path}:{line}"),
        None => format!("{path}: {why}"),
    })
}

/// Rejects the file in which a server hands over root's credentials. `keywright root forget`
/// deletes it, so a key that was delivered there would be lost.
fn check_not_roots(location: &FileLocation, path: &Path) -> Result<(), SinkError> {
    let real = location.path();
    let named = real
        .file_name()
        .is_some_and(|name| name == ROOT_CREDENTIALS);
    if !named || !real.with_file_name(DATABASE).exists() {
        return Ok(());
    }
    let why = "the server keeps root's credentials there, and `keywright root forget` deletes the \
               file; name the file that the program reads, for example \
               aws-profile:default@~/.aws/credentials";
    Err(refused(path, why))
}

/// The missing file, and similar names.
fn absence(location: &FileLocation, path: &Path) -> MissingTarget {
    let names = location.neighbours(NEIGHBOURS_MAX);
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
        self.in_turn(move |turn, path, format| {
            check_not_roots(&turn.location, path)?;
            let (content, look) = held(&turn.location, path, format)?;
            let warnings = turn
                .check()
                .map_err(|error| replace::failed(path, &error))?;
            let mut inspection = SinkInspection {
                warnings,
                ..look.inspection(&old)
            };
            if content.is_none() {
                inspection.absent = Some(absence(&turn.location, path));
            }
            Ok(inspection)
        })
        .await
    }

    async fn stage(&self, _: &RotationId) -> Result<SinkBackup, SinkError> {
        self.in_turn(|turn, path, format| {
            let (content, look) = held(&turn.location, path, format)?;
            turn.check()
                .map_err(|error| replace::failed(path, &error))?;
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
        self.in_turn(move |turn, path, format| {
            turn.replace(|content| {
                let committed = before.committed(content, format, &new);
                committed.map_err(|why| refused(path, &why))
            })
        })
        .await
    }

    async fn read_back(&self) -> Result<SinkContent, SinkError> {
        self.at(|location, path, format| {
            let (_, look) = held(location, path, format)?;
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
        self.in_turn(move |turn, path, format| {
            turn.replace(|content| {
                let restored = before.restored(content, format, &new);
                restored.map_err(|why| refused(path, &why))
            })
        })
        .await
    }
}
