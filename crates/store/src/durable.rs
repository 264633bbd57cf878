//! Files that survive a crash: secrets beside the database, and the blobs of objects.
//!
//! The rule it protects: when a function here returns, the file is on disk under its final name
//! with its whole content, readable by its owner only; after a crash in between there is either
//! nothing or everything under that name. It does not lock, and it does not sweep temporary files a
//! crash left.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// Creates a file that must not exist yet, mode 0600, with this content.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when something has that name (it is left alone); others from the
/// disk.
pub fn create_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let (temporary, file) = temporary_beside(path)?;
    // A link, unlike a rename, never replaces what is there.
    let linked = fill(file, content).and_then(|()| fs::hard_link(&temporary, path));
    let removed = fs::remove_file(&temporary);
    linked.and(removed)?;
    sync_dir(folder_of(path))
}

/// Replaces a file, or creates it, mode 0600, with this content; readers see the old or the new
/// one.
///
/// # Errors
/// From the disk; the old content is then still there, unless the last step, syncing the folder,
/// failed.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (temporary, file) = temporary_beside(path)?;
    let renamed = fill(file, content).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = renamed {
        // Best effort: the first error is the one worth reporting.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_dir(folder_of(path))
}

/// Opens a file that must not exist yet for writing, mode 0600. Durable only after [`publish`].
///
/// # Errors
/// [`ErrorKind::AlreadyExists`], others from the disk.
pub fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Makes a written file durable and gives it its final name, replacing what has that name.
/// Blocking: two flushes.
///
/// # Errors
/// From the disk.
pub fn publish(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(from, to)?;
    sync_dir(folder_of(to))
}

/// Creates a folder and its missing parents, mode 0700, durably; one that exists is left as it is.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when something else has that name; others from the disk.
pub fn create_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = folder_of(path);
    create_dir(parent)?;
    match DirBuilder::new().mode(0o700).create(path) {
        // Another thread was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        other => other?,
    }
    sync_dir(parent)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// From the disk.
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

/// A new hidden file in the same folder, so that a rename stays on one file system.
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
            // Left by a crashed process that had our number.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => return other.map(|file| (temporary, file)),
        }
    }
}

#[cfg(test)]
mod tests;
