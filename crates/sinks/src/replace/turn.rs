//! Turns in a folder: one at a time replaces files there.
//!
//! A file that is replaced is another one afterwards, so a lock on it would say nothing; the folder
//! stays, and is the same by whatever path it is reached. No thread waits for a turn.

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

/// How long another process is waited for: this many pauses.
const PAUSES: u32 = 400;
const PAUSE: Duration = Duration::from_millis(25);

/// The folders of this process that have a turn or wait for one, by device and number.
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
    /// Waits for a turn where a file lies.
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
                // Network file systems lock only what is open for writing, which no folder can be.
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
