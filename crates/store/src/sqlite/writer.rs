//! The one thread that writes: it turns what is queued into one transaction and one flush.
//!
//! The rule it protects: an answer, good or bad, leaves only after the transaction that it was
//! computed in is durable. Each job runs in a savepoint, so a refused one undoes itself and nobody
//! else. It knows nothing of what the jobs write.

use std::{fs, mem, path::PathBuf, sync::Arc};

use rusqlite::Connection;

use super::queue::{Queue, Served};
use crate::contract::StoreError;

/// Jobs in one transaction; bounds how long the first of them waits for the last.
const BATCH_MAX: usize = 512;
/// The write-ahead log's growth between two checkpoints in the background.
const CHECKPOINT_BYTES: u64 = 4 * 1024 * 1024;

/// A job: writes inside the open transaction, or learns why there is none, and returns what to do
/// once its fate is known.
pub(super) type Job = Box<dyn FnOnce(Result<&Connection, StoreError>) -> Done + Send>;

/// A job that has run.
pub(super) struct Done {
    /// Whether it wants its writes kept.
    pub(super) keep: bool,
    /// Answers the caller; the error replaces the job's own result when the transaction was lost.
    pub(super) answer: Box<dyn FnOnce(Option<StoreError>) + Send>,
}

/// What the writing thread owns.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) jobs: Arc<Queue<Job>>,
    /// Wakes the checkpointing thread; one unserved wake is enough.
    pub(super) checkpoints: Arc<Queue<()>>,
    /// The write-ahead log's file.
    pub(super) log: PathBuf,
}

impl Writer {
    /// Serves the queue until it is closed and empty.
    pub(super) fn run(self) {
        let _served = Served(&*self.jobs);
        let mut checkpoint_at = CHECKPOINT_BYTES;
        let mut answers = Vec::with_capacity(BATCH_MAX);
        while let Some(first) = self.jobs.pop() {
            let outcome = self.transact(first, &mut answers);
            let lost = outcome.err();
            if let Some(error) = &lost {
                tracing::error!(%error, jobs = answers.len(), "a group commit was lost");
                self.roll_back();
            }
            for done in mem::take(&mut answers) {
                (done.answer)(lost.clone());
            }
            checkpoint_at = self.request_checkpoint(checkpoint_at);
        }
    }

    /// Runs what is queued in one transaction. On an error none of it happened, or nobody knows.
    fn transact(&self, first: Job, ran: &mut Vec<Done>) -> Result<(), StoreError> {
        if let Err(error) = self.execute("BEGIN IMMEDIATE") {
            ran.push(first(Err(error.clone())));
            return Err(error);
        }
        self.attempt(first, ran)?;
        while ran.len() < BATCH_MAX
            && let Some(job) = self.jobs.try_pop()
        {
            self.attempt(job, ran)?;
        }
        self.execute("COMMIT")
    }

    /// One job, in its savepoint.
    fn attempt(&self, job: Job, ran: &mut Vec<Done>) -> Result<(), StoreError> {
        if let Err(error) = self.execute("SAVEPOINT job") {
            ran.push(job(Err(error.clone())));
            return Err(error);
        }
        let done = job(Ok(&self.connection));
        let keep = done.keep;
        ran.push(done);
        if self.connection.is_autocommit() {
            // Some failures (disk full, I/O) make SQLite give up the whole transaction.
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
            // The next BEGIN will fail too, so nothing is acknowledged that is not durable.
            tracing::error!(%error, "a lost group commit could not be rolled back");
        }
    }

    /// The log is cut to its limit whenever it starts over, so its length is how much it holds.
    fn request_checkpoint(&self, at: u64) -> u64 {
        let length = fs::metadata(&self.log).map_or(0, |log| log.len());
        if length < at {
            return at.min(length + CHECKPOINT_BYTES);
        }
        self.checkpoints.offer(());
        length + CHECKPOINT_BYTES
    }

    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}
