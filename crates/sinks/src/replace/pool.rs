//! Runs the file work of destinations outside the async threads, within limits.
//!
//! Invariant: a file whose file system does not respond (a lost network mount, a stopped FUSE
//! program) occupies one thread, however often it is used. The process's thread pool also serves
//! objects and sign-ins, and must never be exhausted.

use std::{
    collections::HashMap,
    hash::Hash,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard, Semaphore},
    time::timeout,
};

/// The maximum number of threads for file work.
const THREADS_MAX: usize = 32;
static THREADS: Semaphore = Semaphore::const_new(THREADS_MAX);

/// Allows one task at a time per path.
static PATHS: KeyedLocks<PathBuf> = KeyedLocks::new();

/// How long to wait for earlier work.
const WAIT: Duration = Duration::from_secs(30);
/// How long to wait for the work itself. A thread cannot be stopped, so it may continue, and holds
/// the path meanwhile.
const WORK: Duration = Duration::from_secs(30);

/// Locks by key, in order of arrival.
pub(super) struct KeyedLocks<K>(Mutex<Option<HashMap<K, Arc<AsyncMutex<()>>>>>);

impl<K: Eq + Hash> KeyedLocks<K> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Waits for a lock, up to the time limit.
    pub(super) async fn take(&self, key: K) -> io::Result<OwnedMutexGuard<()>> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let locks = locks.get_or_insert_default();
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(key).or_default())
        };
        let taken = timeout(WAIT, lock.lock_owned()).await;
        taken.map_err(|_| late("an earlier operation on it has not finished"))
    }
}

/// Runs work on the file at a path, on a thread that may block.
pub(super) async fn run<R: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> R + Send + 'static,
) -> io::Result<R> {
    let turn = PATHS.take(path.to_owned()).await?;
    let permit = timeout(WAIT, THREADS.acquire()).await;
    let permit = permit.map_err(|_| late("too many other files are not responding"))?;
    let permit = permit.map_err(io::Error::other)?;
    // Both belong to the thread: the caller may be gone before it ends.
    let running = tokio::task::spawn_blocking(move || {
        let _bounds = (turn, permit);
        work()
    });
    let ran = timeout(WORK, running).await;
    let ran = ran.map_err(|_| late("its file system is not responding"))?;
    ran.map_err(io::Error::other)
}

fn late(why: &str) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, why)
}
