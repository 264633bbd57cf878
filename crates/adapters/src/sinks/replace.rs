//! Replacing a file that programs read at any time.
//!
//! It protects one rule: a reader finds the old content or the new one, whatever happens, and mode,
//! owner and symbolic links stay. What somebody else wrote in between is never overwritten, nor a
//! file that somebody has locked.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::{Path, PathBuf},
};

use keywright_base::{Secret, limits};
use keywright_rotation::ports::SinkError;
use keywright_store::durable;

use super::document::Content;

/// The mode of a file that was not there.
const MODE_NEW: u32 = 0o600;
/// How often somebody else may be faster.
const TRIES: u32 = 10;

/// What is wrong, as an error of the sink: some things pass, others a person must mend.
pub(super) fn failed(path: &Path, error: &io::Error) -> SinkError {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull
        | ErrorKind::QuotaExceeded
        | ErrorKind::Interrupted
        | ErrorKind::WouldBlock
        | ErrorKind::TimedOut
        | ErrorKind::ResourceBusy => SinkError::Later(text),
        _ => SinkError::Never(text),
    }
}

/// The file itself, behind symbolic links.
fn real(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::symlink_metadata(path) {
            // A link to nowhere: what it would point to cannot be guessed.
            Ok(_) => Err(error),
            Err(_) => Ok(path.to_owned()),
        },
        other => other,
    }
}

/// Reads a file of bounded size.
pub(super) fn read(path: &Path) -> io::Result<Content> {
    let file = match File::open(path) {
        Err(error)
            if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(path).is_err() =>
        {
            return Ok(None);
        }
        other => other?,
    };
    let mut content = Vec::new();
    let most = limits::CREDENTIALS_FILE_BYTES;
    file.take(most + 1).read_to_end(&mut content)?;
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > most {
        return Err(io::Error::other(format!("it is longer than {most} bytes")));
    }
    Ok(Some(Secret::new(content)))
}

/// Checks that a file could be replaced: that it may be opened for writing, which is refused for
/// one that is immutable, that nobody has locked it, and that another one can be made beside it.
pub(super) fn check(path: &Path) -> io::Result<()> {
    let path = real(path)?;
    let (temporary, file) = temporary(&path)?;
    let opened = lock(&path);
    if let Err(error) = opened {
        let _ = fs::remove_file(temporary);
        return Err(error);
    }
    drop(file);
    fs::remove_file(temporary)
}

/// Replaces a file with what `edit` makes of its content; done at once when that is no change.
pub(super) fn replace(
    path: &Path,
    edit: impl Fn(Option<&[u8]>) -> Result<Content, SinkError>,
) -> Result<(), SinkError> {
    let failed = |error| failed(path, &error);
    let real = real(path).map_err(failed)?;
    for _ in 0..TRIES {
        let before = read(&real).map_err(failed)?;
        let after = edit(before.as_ref().map(|content| content.expose().as_slice()))?;
        if before == after {
            return Ok(());
        }
        let Some(after) = after else {
            fs::remove_file(&real).map_err(failed)?;
            return durable::sync_dir(folder(&real)).map_err(failed);
        };
        let _lock = lock(&real).map_err(failed)?;
        let (temporary, file) = temporary(&real).map_err(failed)?;
        let written = write(&file, after.expose());
        // Nobody can be kept from writing between this look and the rename, but it takes no time.
        let unchanged = written.and_then(|()| Ok(read(&real)? == before));
        let renamed = match unchanged {
            Ok(true) => fs::rename(&temporary, &real).map(|()| true),
            other => other,
        };
        match renamed {
            Ok(true) => return durable::sync_dir(folder(&real)).map_err(failed),
            Ok(false) => fs::remove_file(&temporary).map_err(failed)?,
            Err(error) => {
                // Best effort: the first error is the one worth reporting.
                let _ = fs::remove_file(&temporary);
                return Err(failed(error));
            }
        }
    }
    let why = format!("{}: somebody else writes it all the time", path.display());
    Err(SinkError::Later(why))
}

/// Opens a file that is there for writing, and shares its advisory lock: readers may have it as
/// well, but nobody who is writing.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let why = format!("it cannot be opened for writing: {error}");
            return Err(io::Error::new(error.kind(), why));
        }
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            ErrorKind::WouldBlock,
            "another program has locked it",
        )),
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn write(mut file: &File, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    file.sync_all()
}

/// The folder that holds an absolute path.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new("/"))
}

/// A new file beside another, with its mode and owner.
fn temporary(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".keywright.{}", std::process::id()));
    let temporary = path.with_file_name(hidden);
    match fs::remove_file(&temporary) {
        // Left by a process that was killed and had our number.
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let there = match fs::metadata(path) {
        Ok(there) if !there.is_file() => return Err(io::Error::other("it is not a file")),
        Ok(there) => Some(there),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if there
        .as_ref()
        .is_some_and(|there| there.permissions().readonly())
    {
        return Err(io::Error::new(
            ErrorKind::PermissionDenied,
            "it is read-only",
        ));
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE_NEW)
        .open(&temporary)
        .map_err(|error| {
            let why = format!("no file can be made beside it: {error}");
            io::Error::new(error.kind(), why)
        })?;
    let dressed = there.map_or(Ok(()), |there| {
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (there.uid(), there.gid()) {
            fchown(&file, Some(there.uid()), Some(there.gid()))?;
        }
        file.set_permissions(there.permissions())
    });
    match dressed {
        Ok(()) => Ok((temporary, file)),
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}
