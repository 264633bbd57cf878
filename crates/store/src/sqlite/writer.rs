//! The writer thread: turns queued jobs into one transaction and one flush.
//!
//! Invariant: an answer, success or failure, is sent only after the transaction that it was
//! computed in is durable. Each job runs in a savepoint, so a rejected job rolls back only itself.
//! The writer does not know what the jobs write.
//!
//! On a full disk every transaction starts at the beginning of the log, whose blocks are
//! preallocated. Earlier content is first copied into the database; only that copy may need new
//! blocks, which come from the disk reserve.

use std::{
    cell::Cell,
    fs::OpenOptions,
    io, mem,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rusqlite::{Connection, ErrorCode};

use super::{
    LOG_BYTES_HELD,
    queue::{JobQueue, QueueGuard},
};
use crate::{
    contract::StoreError,
    reserve::{self, DiskReserve},
};

/// The maximum number of jobs in one transaction; limits how long the first job waits for the last.
const BATCH_MAX: usize = 512;
/// The same for a full disk, where a transaction has to fit into the preallocated part of the log.
const BATCH_TIGHT: usize = 1;
/// How much the write-ahead log grows between two background checkpoints.
const CHECKPOINT_BYTES: u64 = 4 * 1024 * 1024;
/// The log size at which the writer itself checkpoints before it continues.
const CHECKPOINT_OWN_BYTES: u64 = 4 * CHECKPOINT_BYTES;
/// The size of a page and its header in the log.
const FRAME_BYTES: u64 = 4096 + 24;

/// A job: writes within the open transaction, or learns why there is none. Returns what to do once
/// the outcome is known.
pub(super) type WriteJob = Box<dyn FnOnce(Result<&Connection, StoreError>) -> FinishedJob + Send>;

pub(super) struct FinishedJob {
    /// Whether to keep its writes.
    pub(super) keep: bool,
    /// Answers the caller. The error replaces the job's own result if the transaction was lost.
    pub(super) answer: Box<dyn FnOnce(Option<StoreError>) + Send>,
}

/// The write-ahead log on a disk that may fill up.
pub(super) struct HeldLog {
    pub(super) reserve: Arc<DiskReserve>,
    /// The path of the log file.
    pub(super) path: PathBuf,
}

/// The state of the writer thread.
pub(super) struct StoreWriter {
    connection: Connection,
    jobs: Arc<JobQueue<WriteJob>>,
    /// Wakes the checkpoint thread; one pending wake-up is enough.
    checkpoints: Arc<JobQueue<()>>,
    held: Option<HeldLog>,
    /// Whether the preallocated part of the log has its blocks.
    allocated: Cell<bool>,
    /// The number of pages in the log after the last commit, as counted by SQLite.
    frames: Arc<AtomicU64>,
}

impl StoreWriter {
    pub(super) fn new(
        connection: Connection,
        jobs: Arc<JobQueue<WriteJob>>,
        checkpoints: Arc<JobQueue<()>>,
        held: Option<HeldLog>,
    ) -> Result<Self, StoreError> {
        let mut writer = Self {
            connection,
            jobs,
            checkpoints,
            held,
            allocated: Cell::new(false),
            frames: Arc::default(),
        };
        let frames = Arc::clone(&writer.frames);
        // Replaces SQLite's automatic checkpoint.
        writer.connection.wal_hook(Some(move |_: &mut _, pages| {
            frames.store(u64::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        if let Some(held) = &writer.held
            && let Err(error) = writer.hold_blocks(held)
        {
            tracing::warn!(%error, "the write-ahead log has no blocks of its own yet");
        }
        Ok(writer)
    }

    /// Serves the queue until it is closed and empty.
    pub(super) fn run(self) {
        let _served = QueueGuard(&*self.jobs);
        let mut checkpoint_at = CHECKPOINT_BYTES;
        let mut answers = Vec::with_capacity(BATCH_MAX);
        while let Some(first) = self.jobs.pop() {
            let batch_max = self.prepare();
            let outcome = self.transact(first, batch_max, &mut answers);
            let lost = outcome.err();
            if let Some(error) = &lost {
                tracing::error!(%error, jobs = answers.len(), "a group commit was lost");
                self.roll_back();
                self.make_up_for_loss();
            }
            for done in mem::take(&mut answers) {
                (done.answer)(lost.clone());
            }
            checkpoint_at = self.request_checkpoint(checkpoint_at);
        }
    }

    /// Runs the queued jobs in one transaction. On an error, either none of it happened or the
    /// outcome is unknown.
    fn transact(
        &self,
        first: WriteJob,
        batch_max: usize,
        ran: &mut Vec<FinishedJob>,
    ) -> Result<(), StoreError> {
        if let Err(error) = self.execute("BEGIN IMMEDIATE") {
            ran.push(first(Err(error.clone())));
            return Err(error);
        }
        self.attempt(first, ran)?;
        while ran.len() < batch_max
            && let Some(job) = self.jobs.try_pop()
        {
            self.attempt(job, ran)?;
        }
        self.execute("COMMIT")
    }

    /// Runs one job in its savepoint.
    fn attempt(&self, job: WriteJob, ran: &mut Vec<FinishedJob>) -> Result<(), StoreError> {
        if let Err(error) = self.execute("SAVEPOINT job") {
            ran.push(job(Err(error.clone())));
            return Err(error);
        }
        let done = job(Ok(&self.connection));
        let keep = done.keep;
        ran.push(done);
        if self.connection.is_autocommit() {
            // Some failures (disk full, I/O) make SQLite roll back the whole transaction.
            return Err(StoreError::Unavailable(
                "the transaction was rolled back".into(),
            ));
        }
        if !keep {
            self.execute("ROLLBACK TO job")?;
        }
        self.execute("RELEASE job")
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            // The next BEGIN fails too, so nothing is acknowledged without being durable.
            tracing::error!(%error, "a lost group commit could not be rolled back");
        }
    }

    /// Requests a background checkpoint when the log has grown, and checkpoints here when the
    /// background did not keep up.
    fn request_checkpoint(&self, at: u64) -> u64 {
        let length = self.log_bytes();
        if length < at {
            return at.min(length + CHECKPOINT_BYTES);
        }
        if length >= CHECKPOINT_OWN_BYTES
            && let Err(error) = self.checkpoint()
        {
            tracing::warn!(%error, "a checkpoint failed; the next one will copy what it left");
        }
        self.checkpoints.offer(());
        length + CHECKPOINT_BYTES
    }

    fn log_bytes(&self) -> u64 {
        self.frames.load(Ordering::Relaxed) * FRAME_BYTES
    }

    /// Ensures that the next transaction has room, and returns how many jobs it may contain.
    fn prepare(&self) -> usize {
        let Some(held) = &self.held else {
            return BATCH_MAX;
        };
        let reserve = &held.reserve;
        if !reserve.is_tight() {
            if !self.allocated.get() {
                // Already logged at startup. Until it succeeds, every attempt on a full disk takes
                // from the reserve.
                let _ = self.hold_blocks(held);
            }
            return BATCH_MAX;
        }
        let copied = loop {
            match self.checkpoint() {
                Ok(copied) => break copied,
                Err(error) if is_full(&error) && reserve.release_slice() => {}
                Err(error) => {
                    tracing::error!(%error, "a checkpoint failed on a full disk");
                    break false;
                }
            }
        };
        // A reader can keep the log from starting over, and its blocks may not be allocated.
        if !self.allocated.get() || !copied && self.log_bytes() > LOG_BYTES_HELD / 2 {
            reserve.make_room(LOG_BYTES_HELD);
        }
        BATCH_TIGHT
    }

    /// After the disk filled up during a transaction, makes room for the next one.
    fn make_up_for_loss(&self) {
        if let Some(HeldLog { reserve, .. }) = &self.held
            && reserve.is_tight()
        {
            reserve.release_slice();
        }
    }

    /// Copies the log into the database. Returns whether all of it was copied.
    fn checkpoint(&self) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?
            .query_row([], |row| Ok(row.get::<_, i64>(1)? == row.get::<_, i64>(2)?))
    }

    /// Allocates blocks for the first part of the log. SQLite takes the bytes that it did not write
    /// there for the rest of an older log, because their checksums do not match.
    fn hold_blocks(&self, held: &HeldLog) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(&held.path)?;
        reserve::allocate(&file, 0, LOG_BYTES_HELD)?;
        self.allocated.set(true);
        Ok(())
    }

    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

/// Whether SQLite found the disk full. It reports an exhausted disk quota as an I/O error.
fn is_full(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure))
}
