//! Replaces a file that programs may read at any time.
//!
//! Invariants: A reader sees either the old content or the new one, whatever happens. Mode, owner,
//! ACL, other attributes and symbolic links stay. Another program's write in between is never
//! overwritten, nor is a file that another program has locked. Writers in one folder take turns, in
//! all processes and by any path. The new content is written in a folder that nobody else can
//! enter, and what a crash leaves is removed in the next turn.

mod dress;
mod location;
mod pool;
mod turn;

use std::{
    ffi::OsString,
    fs::{File, TryLockError},
    io::{self, ErrorKind, Write},
    os::fd::OwnedFd,
    path::Path,
};

use keywright_rotation::ports::SinkError;
use ring::rand::{SecureRandom, SystemRandom};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, fstat, mkdirat, openat, renameat, unlinkat,
};

use self::dress::{FileAttributes, warnings};
pub(super) use self::{location::FileLocation, turn::FolderTurn};
use super::document::{DocumentContent, bytes};

/// The mode of a new file.
const MODE_NEW: Mode = Mode::RUSR.union(Mode::WUSR);
/// The mode of the folder in which the new content is written.
const MODE_PRIVATE: Mode = Mode::RWXU;
/// The prefix of those folders' names.
const PRIVATE: &str = ".keywright-";
/// The number of attempts while another program keeps changing the file.
const TRIES: u32 = 10;

/// An I/O error as the sink's error: either worth a retry, or one that needs a person.
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

/// Runs `work` on the file that a path leads to, through links.
pub(super) async fn at<R: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&FileLocation) -> R + Send + 'static,
) -> io::Result<R> {
    let file = path.to_owned();
    let located = pool::run(path, move || {
        FileLocation::find(&file).map(|location| work(&location))
    });
    located.await.flatten()
}

/// Runs `work` on a file while nobody else replaces one in its folder.
pub(super) async fn in_turn<R: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&FolderTurn) -> R + Send + 'static,
) -> io::Result<R> {
    let turn = FolderTurn::take(path).await?;
    pool::run(path, move || work(&turn)).await
}

impl FolderTurn {
    /// Checks that the file can be replaced with all its attributes: it can be opened for writing
    /// (an immutable file cannot), nobody has locked it, it has no second hard link, and a file
    /// like it can be created beside it. Returns warnings for the user.
    pub(super) fn check(&self) -> io::Result<Vec<String>> {
        if self.alone {
            self.sweep();
        }
        let _lock = lock(&self.location)?;
        let dress = FileAttributes::of(&self.location)?;
        TempReplacement::beside(&self.location, dress.as_ref())?;
        Ok(dress.as_ref().map(warnings).unwrap_or_default())
    }

    /// Replaces the file with what `edit` makes of its content. Does nothing if the content stays
    /// the same.
    pub(super) fn replace(
        &self,
        edit: impl Fn(Option<&[u8]>) -> Result<DocumentContent, SinkError>,
    ) -> Result<(), SinkError> {
        if self.alone {
            self.sweep();
        }
        for _ in 0..TRIES {
            if self.attempt(&edit)? {
                return Ok(());
            }
        }
        let path = self.location.path().display();
        Err(SinkError::Later(format!("{path}: the file keeps changing")))
    }

    /// One attempt. `false` if another program changed the file in between.
    fn attempt(
        &self,
        edit: &impl Fn(Option<&[u8]>) -> Result<DocumentContent, SinkError>,
    ) -> Result<bool, SinkError> {
        let location = &self.location;
        let failed = |error| failed(location.path(), &error);
        let before = location.read().map_err(failed)?;
        let after = edit(bytes(&before))?;
        if before == after {
            return Ok(true);
        }
        let Some(after) = after else {
            let removed = unlinkat(location.folder(), location.name(), AtFlags::empty());
            removed.map_err(io::Error::from).map_err(failed)?;
            self.folder.sync_all().map_err(failed)?;
            return Ok(true);
        };
        let _lock = lock(location).map_err(failed)?;
        let dress = FileAttributes::of(location).map_err(failed)?;
        let draft = TempReplacement::beside(location, dress.as_ref()).map_err(failed)?;
        draft.write(after.expose()).map_err(failed)?;
        // Another program could still write between this check and the rename. That cannot be
        // prevented, but the window is very short.
        if location.read().map_err(failed)? != before {
            return Ok(false);
        }
        draft.put_in_place().map_err(failed)?;
        self.folder.sync_all().map_err(failed)?;
        Ok(true)
    }

    /// Removes what killed processes left in the folder. Only the holder of the turn may have
    /// temporary files there.
    fn sweep(&self) {
        let name = self.location.name().to_string_lossy();
        // Earlier versions wrote next to the file, under its name and their process ID.
        let earlier = format!(".{name}.keywright.");
        let entries = Dir::read_from(&self.folder);
        for entry in entries.into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            let random = |rest: &str| rest.chars().all(|c| c.is_ascii_alphanumeric());
            // Best effort: what cannot be removed is another user's, or already gone.
            if name.strip_prefix(PRIVATE).is_some_and(random) {
                remove_private(self.location.folder(), name);
            }
            let number = |rest: &str| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit());
            if name.strip_prefix(&earlier).is_some_and(number) {
                // This removes files only, no folders.
                let _ = unlinkat(self.location.folder(), name, AtFlags::empty());
            }
        }
    }
}

/// Opens an existing file for writing and takes a shared advisory lock: compatible with readers,
/// but not with a writer.
fn lock(location: &FileLocation) -> io::Result<Option<File>> {
    let file = match location.open(OFlags::WRONLY) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(None),
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

/// A new file that will replace another. It has the other's mode from the beginning, so it is
/// created in a private folder, which is removed with it.
struct TempReplacement<'a> {
    beside: &'a FileLocation,
    private: PrivateFolder<'a>,
    file: File,
}

/// A folder that nobody else can enter.
struct PrivateFolder<'a> {
    parent: &'a OwnedFd,
    name: OsString,
    opened: OwnedFd,
}

impl<'a> TempReplacement<'a> {
    fn beside(beside: &'a FileLocation, dress: Option<&FileAttributes>) -> io::Result<Self> {
        let private = PrivateFolder::create(beside.folder()).map_err(|error| {
            let kind = error.kind();
            io::Error::new(kind, format!("cannot create a file next to it: {kind}"))
        })?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&private.opened, beside.name(), flags, MODE_NEW)?;
        let draft = Self {
            beside,
            private,
            file: File::from(file),
        };
        if let Some(dress) = dress {
            dress.put_on(&draft.file)?;
        }
        Ok(draft)
    }

    fn write(&self, content: &[u8]) -> io::Result<()> {
        let mut file = &self.file;
        file.write_all(content)?;
        file.sync_all()
    }

    fn put_in_place(&self) -> io::Result<()> {
        let (name, to) = (self.beside.name(), self.beside.folder());
        Ok(renameat(&self.private.opened, name, to, name)?)
    }
}

impl<'a> PrivateFolder<'a> {
    fn create(parent: &'a OwnedFd) -> io::Result<Self> {
        let mut random = [0; 8];
        let filled = SystemRandom::new().fill(&mut random);
        filled.map_err(|_| io::Error::other("no random numbers are available"))?;
        let name = OsString::from(format!("{PRIVATE}{}", hex::encode(random)));
        mkdirat(parent, &name, MODE_PRIVATE)?;
        let opened = open_private(parent, &name)?;
        Ok(Self {
            parent,
            name,
            opened,
        })
    }
}

impl Drop for PrivateFolder<'_> {
    fn drop(&mut self) {
        empty(&self.opened);
        let _ = unlinkat(self.parent, &self.name, AtFlags::REMOVEDIR);
    }
}

/// Opens a private folder. Fails if another user put a folder of its own in its place.
fn open_private(parent: &OwnedFd, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(parent, name, flags, Mode::empty())?;
    let there = fstat(&opened)?;
    let others = Mode::from_raw_mode(there.st_mode).intersects(Mode::RWXG | Mode::RWXO);
    if there.st_uid != rustix::process::geteuid().as_raw() || others {
        let why = "another user created a folder there";
        return Err(io::Error::new(ErrorKind::PermissionDenied, why));
    }
    Ok(opened)
}

fn remove_private(parent: &OwnedFd, name: &str) {
    if let Ok(opened) = open_private(parent, name) {
        empty(&opened);
        let _ = unlinkat(parent, name, AtFlags::REMOVEDIR);
    }
}

/// Removes the files in a private folder, as far as possible.
fn empty(private: &OwnedFd) {
    let entries = Dir::read_from(private);
    for entry in entries.into_iter().flatten().flatten() {
        if entry.file_type() != FileType::Directory {
            let _ = unlinkat(private, entry.file_name(), AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests;
