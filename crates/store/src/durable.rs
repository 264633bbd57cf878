//! Files that survive a crash: secrets beside the database, and the blobs of objects.
//!
//! Invariant: when a function here returns, the file is on disk under its final name, complete, and
//! readable by its owner only. After a crash in between, that name has either nothing or the
//! complete file. This module takes no locks and does not sweep temporary files left by a crash.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// Creates a file with this content and mode 0600. The file must not exist yet.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when the name is taken (the existing file is left alone); otherwise
/// disk errors.
pub fn create_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let (temporary, file) = temporary_beside(path)?;
    // Unlike a rename, a hard link never replaces an existing file.
    let linked = fill(file, content).and_then(|()| fs::hard_link(&temporary, path));
    let removed = fs::remove_file(&temporary);
    linked.and(removed)?;
    sync_dir(folder_of(path))
}

/// Replaces or creates a file with this content and mode 0600. Readers see either the old or the
/// new content.
///
/// # Errors
/// Disk errors. The old content is then still there, unless the last step, syncing the folder,
/// failed.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (temporary, file) = temporary_beside(path)?;
    let renamed = fill(file, content).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = renamed {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_dir(folder_of(path))
}

/// Creates a file with mode 0600 and opens it for writing. The file must not exist yet. It is
/// durable only after [`publish`].
///
/// # Errors
/// [`ErrorKind::AlreadyExists`]; otherwise disk errors.
pub fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Makes a written file durable and moves it to its final name, replacing an existing file.
/// Blocking: two flushes.
///
/// # Errors
/// Disk errors.
pub fn publish(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(from, to)?;
    sync_dir(folder_of(to))
}

/// Durably creates a folder and its missing parents, with mode 0700. An existing folder is left as
/// it is.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when the name belongs to something else; otherwise disk errors.
pub fn create_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = folder_of(path);
    create_dir(parent)?;
    match DirBuilder::new().mode(0o700).create(path) {
        // Another thread created it first.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        other => other?,
    }
    sync_dir(parent)
}

/// Makes the entries of a folder durable.
///
/// # Errors
/// Disk errors.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The folder that holds `path`; `.` for a bare name.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

fn fill(mut file: File, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    file.sync_all()
}

/// Creates a hidden file in the same folder, so that a later rename stays within one file system.
fn temporary_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.{number}.tmp", process::id()));
        let temporary = path.with_file_name(hidden);
        match create_private(&temporary) {
            // Left by a crashed process that had the same process id.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => return other.map(|file| (temporary, file)),
        }
    }
}

#[cfg(test)]
mod tests;
