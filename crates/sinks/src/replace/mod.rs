//! Replacing a file that programs read at any time.
//!
//! It protects four rules. A reader finds the old content or the new one, whatever happens; mode,
//! owner, ACL, other attributes and symbolic links stay. What another program wrote in between is
//! never overwritten, nor a file that another has locked. Those who replace files in one folder
//! take turns, whatever paths and processes they come by. And what is being written lies in a
//! folder that nobody else can enter, and goes away after a crash with the next turn.

mod dress;
mod resolve;
mod turn;

use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use keywright_base::{Secret, limits};
use keywright_rotation::ports::SinkError;
use keywright_store::durable;
use tempfile::TempDir;

use self::{
    dress::{FileAttributes, warnings},
    resolve::resolve,
    turn::in_turn,
};
use super::document::{DocumentContent, bytes};

/// The mode of a file that was not there.
const MODE_NEW: u32 = 0o600;
/// The mode of the folder in which a file is written.
const MODE_PRIVATE: u32 = 0o700;
/// What the names of those folders begin with.
const PRIVATE: &str = ".keywright-";
/// How often another program may be faster.
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

/// Reads a file of bounded size, whoever made the links that lead to it.
pub(super) fn read(path: &Path) -> io::Result<DocumentContent> {
    let path = resolve(path)?;
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
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

/// Checks that a file could be replaced with all that belongs to it: that it may be opened for
/// writing, which is refused for one that is immutable, that nobody has locked it, that it has no
/// second name, and that one like it can be made beside it. Gives what a person should know.
pub(super) fn check(path: &Path) -> io::Result<Vec<String>> {
    let real = resolve(path)?;
    in_turn(folder(&real), |alone| {
        if alone {
            sweep(&real);
        }
        let _lock = lock(&real)?;
        let dress = FileAttributes::of(&real)?;
        TempReplacement::beside(&real, dress.as_ref())?;
        Ok(dress.as_ref().map(warnings).unwrap_or_default())
    })
}

/// Replaces a file with what `edit` makes of its content; done at once when that is no change.
pub(super) fn replace(
    path: &Path,
    edit: impl Fn(Option<&[u8]>) -> Result<DocumentContent, SinkError>,
) -> Result<(), SinkError> {
    let real = resolve(path).map_err(|error| failed(path, &error))?;
    let turn = in_turn(folder(&real), |alone| {
        if alone {
            sweep(&real);
        }
        for _ in 0..TRIES {
            match attempt(&real, &edit) {
                Ok(true) => return Ok(Ok(())),
                Ok(false) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        let why = format!("{}: the file keeps changing", path.display());
        Ok(Err(SinkError::Later(why)))
    });
    turn.map_err(|error| failed(path, &error))?
}

/// One try; false where another program was faster.
fn attempt(
    real: &Path,
    edit: &impl Fn(Option<&[u8]>) -> Result<DocumentContent, SinkError>,
) -> Result<bool, SinkError> {
    let failed = |error| failed(real, &error);
    let before = read(real).map_err(failed)?;
    let after = edit(bytes(&before))?;
    if before == after {
        return Ok(true);
    }
    let Some(after) = after else {
        fs::remove_file(real).map_err(failed)?;
        durable::sync_dir(folder(real)).map_err(failed)?;
        return Ok(true);
    };
    let _lock = lock(real).map_err(failed)?;
    let dress = FileAttributes::of(real).map_err(failed)?;
    let draft = TempReplacement::beside(real, dress.as_ref()).map_err(failed)?;
    draft.write(after.expose()).map_err(failed)?;
    // Nobody can be kept from writing between this look and the rename, but it takes no time.
    if read(real).map_err(failed)? != before {
        return Ok(false);
    }
    fs::rename(&draft.path, real).map_err(failed)?;
    durable::sync_dir(folder(real)).map_err(failed)?;
    Ok(true)
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

/// The folder that holds an absolute path.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new("/"))
}

/// A file that is to take another's place. It has that one's mode from the beginning, and so lies
/// in a folder of its own, which goes with it.
struct TempReplacement {
    path: PathBuf,
    file: File,
    _folder: TempDir,
}

impl TempReplacement {
    fn beside(real: &Path, dress: Option<&FileAttributes>) -> io::Result<Self> {
        let name = real.file_name().ok_or(ErrorKind::InvalidInput)?;
        let made = tempfile::Builder::new()
            .prefix(PRIVATE)
            .permissions(Permissions::from_mode(MODE_PRIVATE))
            .tempdir_in(folder(real));
        let private = made.map_err(|error| {
            let kind = error.kind();
            io::Error::new(kind, format!("no file can be made beside it: {kind}"))
        })?;
        let path = private.path().join(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(MODE_NEW)
            .open(&path)?;
        if let Some(dress) = dress {
            dress.put_on(&file)?;
        }
        Ok(Self {
            path,
            file,
            _folder: private,
        })
    }

    fn write(&self, content: &[u8]) -> io::Result<()> {
        let mut file = &self.file;
        file.write_all(content)?;
        file.sync_all()
    }
}

/// Removes what processes that were killed left in the folder. Whoever has the turn is the only one
/// who may have something there.
fn sweep(real: &Path) {
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    // Earlier versions wrote beside the file, under its name and their process's number.
    let earlier = format!(".{name}.keywright.");
    let entries = fs::read_dir(folder(real));
    for entry in entries.into_iter().flatten().flatten() {
        let (name, kind) = (entry.file_name(), entry.file_type());
        let (Some(name), Ok(kind)) = (name.to_str(), kind) else {
            continue;
        };
        let random = |rest: &str| rest.chars().all(|c| c.is_ascii_alphanumeric());
        // Best effort: what cannot be removed is another user's, or gone.
        if kind.is_dir() && name.strip_prefix(PRIVATE).is_some_and(random) {
            let _ = fs::remove_dir_all(entry.path());
        }
        let number = |rest: &str| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit());
        if kind.is_file() && name.strip_prefix(&earlier).is_some_and(number) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests;
