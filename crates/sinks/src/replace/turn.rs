//! Turns in a folder: one at a time replaces files there.
//!
//! A file that is replaced is another one afterwards, so a lock on it would say nothing; the folder
//! stays, and is the same by whatever path it is reached.

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long another process is waited for: this many pauses.
const PAUSES: u32 = 400;
const PAUSE: Duration = Duration::from_millis(25);

/// The folders of this process that have a turn or wait for one, by device and number.
type FolderLocks = HashMap<(u64, u64), Arc<Mutex<()>>>;

static FOLDERS: Mutex<Option<FolderLocks>> = Mutex::new(None);

/// Does something in a folder while no other process and no other thread does. `work` is given
/// whether that is so: some file systems have no locks.
pub(super) fn in_turn<T>(folder: &Path, work: impl FnOnce(bool) -> io::Result<T>) -> io::Result<T> {
    let opened = File::open(folder).map_err(|error| {
        let why = format!("its folder {} cannot be opened: {error}", folder.display());
        io::Error::new(error.kind(), why)
    })?;
    let there = opened.metadata()?;
    let id = (there.dev(), there.ino());
    let turn = {
        let mut folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
        let folders = folders.get_or_insert_default();
        folders.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(folders.entry(id).or_default())
    };
    let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
    let alone = lock(&opened)?;
    work(alone)
}

/// Locks a folder against other processes, as long as it is open.
fn lock(folder: &File) -> io::Result<bool> {
    for _ in 0..PAUSES {
        match folder.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => pause(),
            // Network file systems lock only what is open for writing, which no folder can be.
            Err(TryLockError::Error(_)) => return Ok(false),
        }
    }
    Err(io::Error::new(
        ErrorKind::WouldBlock,
        "another program has locked its folder",
    ))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a lock that could be waited for without an end would let others stop us for good"
)]
fn pause() {
    std::thread::sleep(PAUSE);
}
