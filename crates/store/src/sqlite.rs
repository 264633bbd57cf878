//! The embedded engine: one SQLite file in WAL mode with `synchronous=FULL`.
//!
//! Invariant: one thread writes, in call order, and answers only after the flush that made the
//! answer true. Readers never wait for the writer and see everything that was acknowledged. Nothing
//! relies on a clean shutdown. On a full disk, writes continue in blocks that the log already holds
//! and in slices of the disk reserve. The engine does not cache rows; callers that want a snapshot
//! in memory build their own. Because a lock keeps other processes from writing, it can tell them
//! by a stamp whether a row of the index is still the one they read.

mod blobs;
mod index;
mod journal;
mod leases;
mod ledger;
mod listing;
mod queue;
mod schema;
mod versions;
mod writer;

use std::{
    fmt,
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use keywright_base::AccountId;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{oneshot, watch};

use self::{
    queue::{JobQueue, QueueGuard},
    writer::{FinishedJob, HeldLog, StoreWriter, WriteJob},
};
use crate::{
    contract::{StateRecord, StoreError, StoreFuture},
    durable,
    reserve::DiskReserve,
    stamps::RowStamps,
};

/// The capacity of the write queue; when it is full, the next caller blocks.
const WRITES_QUEUED: usize = 1024;
/// The capacity of the read queue; when it is full, the next caller blocks.
const READS_QUEUED: usize = 1024;
/// The minimum and maximum number of reader threads; in between, one per processor.
const READERS: (usize, usize) = (2, 8);
/// The size of the preallocated part of the write-ahead log, which is never truncated. It exceeds
/// what the largest transaction on a full disk, a deletion of 1,000 objects, writes.
const LOG_BYTES_HELD: u64 = 8 * 1024 * 1024;
/// What opening a database writes in addition: the log's index and schema migrations.
const OPENING_BYTES: u64 = 1024 * 1024;
/// The size of a connection's prepared-statement cache; the engine uses fewer statements.
const STATEMENTS: usize = 96;

/// A read. It runs on a reader thread, between transactions.
type ReadJob = Box<dyn FnOnce(&Connection) + Send>;

/// The embedded engine. Its calls are cheap and only queue work. Dropping it finishes what is
/// queued.
pub struct SqliteStore {
    path: PathBuf,
    writes: Arc<JobQueue<WriteJob>>,
    reads: Arc<JobQueue<ReadJob>>,
    checkpoints: Arc<JobQueue<()>>,
    threads: Vec<JoinHandle<()>>,
    reserve: Option<Arc<DiskReserve>>,
    /// The sequence number of the last commit to the ledger.
    changes: watch::Sender<u64>,
    stamps: RowStamps,
    /// The name of the first thread that panicked.
    panicked: watch::Sender<Option<String>>,
    /// Held for the lifetime of this value; the operating system releases it however the process
    /// ends.
    _lock: File,
}

impl SqliteStore {
    /// Opens the database and migrates its schema. Creates the database (mode 0600) in an existing
    /// folder if it is missing. Beside `path` there are files with `-wal`, `-shm` and `-lock`
    /// appended. Blocking.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`]; [`StoreError::Unavailable`], also when another process (or
    /// another value of this type) has it open.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, None)
    }

    /// Like [`SqliteStore::open`], with a reserve from which writes on a full disk take their
    /// space.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_with(path: &Path, reserve: Option<Arc<DiskReserve>>) -> Result<Self, StoreError> {
        let failed = |error| unavailable(path, &error);
        let lock = lock(path)?;
        if let Some(reserve) = &reserve {
            let log = fs::metadata(beside(path, "-wal")).map_or(0, |log| log.len());
            reserve.make_room(LOG_BYTES_HELD.saturating_sub(log) + OPENING_BYTES);
        }
        create_private(path).map_err(failed)?;
        let mut connection = connect(path, AccessMode::Write)?;
        schema::migrate(&mut connection)?;
        for suffix in ["-wal", "-shm"] {
            tighten(&beside(path, suffix)).map_err(failed)?;
        }
        durable::sync_dir(durable::folder_of(path)).map_err(failed)?;
        let mut store = Self {
            path: path.to_owned(),
            writes: Arc::new(JobQueue::new(WRITES_QUEUED)),
            reads: Arc::new(JobQueue::new(READS_QUEUED)),
            checkpoints: Arc::new(JobQueue::new(1)),
            threads: Vec::new(),
            reserve,
            changes: watch::Sender::new(ledger::last_sequence(&connection)?),
            stamps: RowStamps::default(),
            panicked: watch::Sender::new(None),
            _lock: lock,
        };
        store.start(connection)?;
        Ok(store)
    }

    /// Finishes queued work and stops the threads, just like dropping the value. Blocking.
    pub fn close(self) {
        drop(self);
    }

    /// Starts the threads: one writer, one for checkpoints, and the readers.
    fn start(&mut self, connection: Connection) -> Result<(), StoreError> {
        let writer = StoreWriter::new(
            connection,
            Arc::clone(&self.writes),
            Arc::clone(&self.checkpoints),
            self.reserve.clone().map(|reserve| HeldLog {
                reserve,
                path: beside(&self.path, "-wal"),
            }),
        )?;
        self.spawn("store-write", move || writer.run())?;
        let (connection, wakes) = (
            connect(&self.path, AccessMode::Write)?,
            self.checkpoints.clone(),
        );
        self.spawn("store-checkpoint", move || checkpoint(&connection, &wakes))?;
        let readers = thread::available_parallelism().map_or(READERS.0, usize::from);
        for _ in 0..readers.clamp(READERS.0, READERS.1) {
            let (connection, reads) = (connect(&self.path, AccessMode::Read)?, self.reads.clone());
            self.spawn("store-read", move || serve_reads(&connection, &reads))?;
        }
        Ok(())
    }

    fn spawn(
        &mut self,
        name: &str,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), StoreError> {
        let panicked = PanicReport(name.into(), self.panicked.clone());
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            let _panicked = panicked;
            body();
        });
        self.threads
            .push(thread.map_err(|error| unavailable(&self.path, &error))?);
        Ok(())
    }

    /// Queues a write. Its result, success or failure, is sent after the flush.
    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<Result<T, StoreError>> {
        self.write_then(work, |_| {})
    }

    /// As [`SqliteStore::write`], and calls `durable` with a successful result after the flush,
    /// even if no one waits for it. `durable` is dropped, at the latest, before the result is sent.
    fn write_then<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        durable: impl FnOnce(&T) + Send + 'static,
    ) -> StoreFuture<Result<T, StoreError>> {
        let (sender, receiver) = oneshot::channel();
        self.writes.push(Box::new(
            move |connection: Result<&Connection, StoreError>| {
                let result = connection.and_then(work);
                let keep = result.is_ok();
                let answer = Box::new(move |lost: Option<StoreError>| {
                    let result = lost.map_or(result, Err);
                    match &result {
                        Ok(value) => durable(value),
                        Err(_) => drop(durable),
                    }
                    // The receiver may be gone, which is fine.
                    let _ = sender.send(result);
                });
                FinishedJob { keep, answer }
            },
        ));
        answered(receiver)
    }

    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<Result<T, StoreError>> {
        let (sender, receiver) = oneshot::channel();
        self.reads.push(Box::new(move |connection: &Connection| {
            let _ = sender.send(work(connection));
        }));
        answered(receiver)
    }

    /// Waits until a thread of the store has panicked, which only a bug can cause, and returns its
    /// name. That thread's work is no longer done, so the process must exit.
    pub async fn panicked(&self) -> String {
        let mut panicked = self.panicked.subscribe();
        match panicked.wait_for(Option::is_some).await {
            Ok(name) => name.clone().unwrap_or_default(),
            // The sender lives as long as `self`.
            Err(_) => std::future::pending().await,
        }
    }

    /// Makes the writer thread panic, to test how callers notice.
    #[cfg(any(test, feature = "suite"))]
    pub fn panic_writer(&self) {
        #[expect(clippy::panic, reason = "this is what is tested")]
        drop(self.write(|_| -> Result<(), StoreError> { panic!("a defect") }));
    }

    /// Opens a separate connection for a long blocking read on the caller's thread.
    fn reader(&self) -> Result<Connection, StoreError> {
        connect(&self.path, AccessMode::Read)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.writes.close();
        self.reads.close();
        self.checkpoints.close();
        let this = thread::current().id();
        for thread in self
            .threads
            .drain(..)
            .filter(|thread| thread.thread().id() != this)
        {
            if thread.join().is_err() {
                tracing::error!("a thread of the store had panicked");
            }
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

fn answered<T: Send + 'static>(
    receiver: oneshot::Receiver<Result<T, StoreError>>,
) -> StoreFuture<Result<T, StoreError>> {
    Box::pin(async {
        let closed = || Err(StoreError::Unavailable("the store is closed".into()));
        receiver.await.unwrap_or_else(|_| closed())
    })
}

/// Reports the panic of its thread when it is dropped.
struct PanicReport(String, watch::Sender<Option<String>>);

impl Drop for PanicReport {
    fn drop(&mut self) {
        if thread::panicking() {
            self.1
                .send_if_modified(|name| name.is_none() && name.replace(self.0.clone()).is_none());
        }
    }
}

fn serve_reads(connection: &Connection, reads: &JobQueue<ReadJob>) {
    let _served = QueueGuard(reads);
    while let Some(read) = reads.pop() {
        read(connection);
    }
}

/// Checkpoints the log in parallel with the writer. The writer's own checkpoint (see above) then
/// finds little left to copy, and the log starts over.
fn checkpoint(connection: &Connection, wakes: &JobQueue<()>) {
    let _served = QueueGuard(wakes);
    while let Some(()) = wakes.pop() {
        let copied = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = copied {
            tracing::warn!(%error, "a checkpoint failed; the next one will copy what it left");
        }
    }
}

enum AccessMode {
    Read,
    Write,
}

fn connect(path: &Path, access: AccessMode) -> Result<Connection, StoreError> {
    let (flag, settings) = match access {
        // Another process (a backup, an administrator) may hold a lock briefly.
        AccessMode::Read => (OpenFlags::SQLITE_OPEN_READ_ONLY, "PRAGMA query_only = ON;"),
        AccessMode::Write => (
            OpenFlags::SQLITE_OPEN_READ_WRITE,
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA fullfsync = ON;
             PRAGMA checkpoint_fullfsync = ON;",
        ),
    };
    let connection = Connection::open_with_flags(path, flag | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.execute_batch(settings)?;
    // Temporary files would fail on a full disk, so they stay in memory; what a transaction needs
    // beside the log is bounded.
    connection.execute_batch(&format!(
        "PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = {LOG_BYTES_HELD};"
    ))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Whether a server has the database open. Does not open it.
pub fn is_served(path: &Path) -> bool {
    let lock = File::open(beside(path, "-lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Reads the records of an account, even while a server has the database open. Empty if there is no
/// database. Blocking.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub fn records(path: &Path, account: AccountId) -> Result<Vec<StateRecord>, StoreError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut records = Vec::new();
    let connection = connect(path, AccessMode::Read)?;
    ledger::load(&connection, account, &mut |record| records.push(record))?;
    Ok(records)
}

/// Takes the lock that keeps a second server out. SQLite's own lock would also keep backups out.
fn lock(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(beside(path, "-lock"))
        .map_err(|error| unavailable(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(unavailable(
            path,
            &"another running server has this database open",
        )),
        Err(TryLockError::Error(error)) => Err(unavailable(path, &error)),
    }
}

/// SQLite creates the files beside the database with the database's mode.
fn create_private(path: &Path) -> io::Result<()> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)?;
    tighten(path)
}

fn tighten(path: &Path) -> io::Result<()> {
    match fs::set_permissions(path, Permissions::from_mode(0o600)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn unavailable(path: &Path, why: &dyn fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("{}: {why}", path.display()))
}

/// The error for a stored number that this program cannot have written.
fn corrupt(what: &str) -> StoreError {
    StoreError::Unavailable(format!("the database holds an impossible {what}"))
}

#[cfg(test)]
mod tests;
