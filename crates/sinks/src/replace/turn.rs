//! Turns in a folder: only one process at a time replaces files there.
//!
//! A replaced file is a different file afterwards, so a lock on it would prove nothing. The folder
//! stays, and is the same by every path that leads to it. No thread blocks while it waits for a
//! turn.

use std::{
    fs::{File, TryLockError},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::Path,
    time::Duration,
};

use tokio::sync::OwnedMutexGuard;

use super::{
    location::FileLocation,
    pool::{self, KeyedLocks},
};

/// How long to wait for another process, in pauses.
const PAUSES: u32 = 400;
const PAUSE: Duration = Duration::from_millis(25);

/// The folders of this process that have a turn or wait for one, by device and inode.
static FOLDERS: KeyedLocks<(u64, u64)> = KeyedLocks::new();

/// A turn in the folder of a file. Others wait until it is dropped.
pub(in super::super) struct FolderTurn {
    pub(in super::super) location: FileLocation,
    pub(super) folder: File,
    /// Whether other processes wait as well: some file systems have no locks.
    pub(super) alone: bool,
    _turn: OwnedMutexGuard<()>,
}

impl FolderTurn {
    /// Waits for a turn in the folder of a file.
    pub(super) async fn take(path: &Path) -> io::Result<Self> {
        let file = path.to_owned();
        let opened = pool::run(path, move || {
            let location = FileLocation::find(&file)?;
            let folder = location.open_folder()?;
            let there = folder.metadata()?;
            Ok((location, folder, (there.dev(), there.ino())))
        });
        let (location, mut folder, id) = opened.await.flatten()?;
        let turn = FOLDERS.take(id).await?;
        for _ in 0..PAUSES {
            let locking = pool::run(path, move || (folder.try_lock(), folder));
            let (locked, opened) = locking.await?;
            folder = opened;
            let alone = match locked {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => {
                    pause().await;
                    continue;
                }
                // Network file systems lock only what is open for writing, which a folder cannot
                // be.
                Err(TryLockError::Error(_)) => false,
            };
            return Ok(Self {
                location,
                folder,
                alone,
                _turn: turn,
            });
        }
        let why = "another program has locked its folder";
        Err(io::Error::new(ErrorKind::WouldBlock, why))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a lock that could be waited for without an end would let others stop us for good"
)]
async fn pause() {
    tokio::time::sleep(PAUSE).await;
}
