//! What was announced to each notifier, and the outbox of notices to deliver.
//!
//! Invariants:
//!
//! - A notice is recorded as announced in the transaction that queues it, so a crash neither loses
//!   nor repeats it.
//! - A notice is claimed for a while before it is sent, so of two processes with the same journal
//!   only one delivers it.

use std::collections::{BTreeMap, BTreeSet};

use keywright_base::Timestamp;
use keywright_rotation::ports::JournalError;
use rusqlite::{OptionalExtension, Transaction};

use super::{SqliteJournal, failed};

/// The maximum number of notices queued for one notifier. The oldest are dropped first.
pub(super) const WAITING_MAX: u32 = 10_000;
/// Days after which announcements are forgotten.
const MEMORY_DAYS: i64 = 400;
/// Days after which an undelivered notice is dropped: no fleet file names its notifier any longer.
const OUTBOX_DAYS: i64 = 30;

/// A notice to queue.
#[derive(Debug, Clone)]
pub(crate) struct NewNotice {
    pub(crate) notifier: String,
    pub(crate) account: String,
    /// The subject.
    pub(crate) subject: String,
    /// The subject's state. The notice is queued only if the state changed.
    pub(crate) state: String,
    /// The recipients; `None` means those of the notifier.
    pub(crate) recipients: Vec<Option<String>>,
    pub(crate) body: String,
    pub(crate) not_before: Timestamp,
}

/// A queued notice.
#[derive(Debug, Clone)]
pub(crate) struct QueuedNotice {
    pub(crate) number: i64,
    pub(crate) recipient: Option<String>,
    pub(crate) body: String,
    pub(crate) made: Timestamp,
    pub(crate) attempts: u32,
}

/// The result of a delivery attempt for a claimed notice.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NoticeOutcome {
    /// Delivered or given up.
    Gone(i64),
    /// Failed; retry at this time.
    Failed(i64, Timestamp),
    /// Not attempted.
    Untried(i64),
}

impl SqliteJournal {
    /// The states last announced to a notifier, by subject of an account.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub(crate) async fn announced(
        &self,
        notifier: &str,
        account: &str,
    ) -> Result<BTreeMap<String, String>, JournalError> {
        let of = (notifier.to_owned(), account.to_owned());
        self.run(move |_, transaction| {
            let query = "SELECT subject, state FROM notice_memory
                         WHERE notifier = ?1 AND account = ?2";
            let mut statement = transaction.prepare_cached(query).map_err(failed)?;
            let rows = statement.query_map(of, |row| Ok((row.get(0)?, row.get(1)?)));
            rows.map_err(failed)?
                .collect::<Result<_, _>>()
                .map_err(failed)
        })
        .await
    }

    /// Queues notices that are new, and forgets the given subjects, so that they are announced
    /// again. Returns how many older notices were dropped to make room.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub(crate) async fn queue_notices(
        &self,
        notices: Vec<NewNotice>,
        forget: Vec<(String, String, String)>,
    ) -> Result<u64, JournalError> {
        self.run(move |inner, transaction| {
            let now = inner.clock.now();
            for of in &forget {
                let query = "DELETE FROM notice_memory
                             WHERE notifier = ?1 AND account = ?2 AND subject = ?3";
                transaction
                    .execute(query, (&of.0, &of.1, &of.2))
                    .map_err(failed)?;
            }
            for notice in &notices {
                if remember(transaction, notice, now)? {
                    queue(transaction, notice, now)?;
                }
            }
            let notifiers: BTreeSet<&str> =
                notices.iter().map(|one| one.notifier.as_str()).collect();
            let mut crowded_out = 0;
            for notifier in notifiers {
                crowded_out += limit(transaction, notifier)?;
            }
            for (query, days) in [
                ("DELETE FROM notice_memory WHERE at < ?1", MEMORY_DAYS),
                ("DELETE FROM notice_outbox WHERE made < ?1", OUTBOX_DAYS),
            ] {
                let oldest = now.plus_secs(-days * 86_400).millis();
                transaction.execute(query, [oldest]).map_err(failed)?;
            }
            Ok(crowded_out)
        })
        .await
    }

    /// Claims the notices that are due for a notifier, oldest first. No other process gets them for
    /// `claim_secs`.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub(crate) async fn claim_notices(
        &self,
        notifier: &str,
        limit: u32,
        claim_secs: i64,
    ) -> Result<Vec<QueuedNotice>, JournalError> {
        let notifier = notifier.to_owned();
        self.run(move |inner, transaction| {
            let now = inner.clock.now();
            let query = "SELECT number, recipient, body, made, attempts FROM notice_outbox
                         WHERE notifier = ?1 AND not_before <= ?2 ORDER BY number LIMIT ?3";
            let mut statement = transaction.prepare_cached(query).map_err(failed)?;
            let rows = statement.query_map((notifier, now.millis(), limit), |row| {
                Ok(QueuedNotice {
                    number: row.get(0)?,
                    recipient: row.get(1)?,
                    body: row.get(2)?,
                    made: Timestamp::from_millis(row.get(3)?),
                    attempts: row.get(4)?,
                })
            });
            let claimed = rows.map_err(failed)?.collect::<Result<Vec<_>, _>>();
            let claimed = claimed.map_err(failed)?;
            for notice in &claimed {
                put_off(transaction, notice.number, now.plus_secs(claim_secs))?;
            }
            Ok(claimed)
        })
        .await
    }

    /// Records the delivery results of claimed notices.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub(crate) async fn settle_notices(
        &self,
        settled: Vec<NoticeOutcome>,
    ) -> Result<(), JournalError> {
        self.run(move |inner, transaction| {
            for one in settled {
                match one {
                    NoticeOutcome::Gone(number) => {
                        let query = "DELETE FROM notice_outbox WHERE number = ?1";
                        transaction.execute(query, [number]).map_err(failed)?;
                    }
                    NoticeOutcome::Failed(number, again) => {
                        let query = "UPDATE notice_outbox SET attempts = attempts + 1
                                     WHERE number = ?1";
                        transaction.execute(query, [number]).map_err(failed)?;
                        put_off(transaction, number, again)?;
                    }
                    NoticeOutcome::Untried(number) => {
                        put_off(transaction, number, inner.clock.now())?;
                    }
                }
            }
            Ok(())
        })
        .await
    }
}

/// Records the state of a subject. Returns whether it is new to the notifier.
fn remember(
    transaction: &Transaction<'_>,
    notice: &NewNotice,
    now: Timestamp,
) -> Result<bool, JournalError> {
    let of = (&notice.notifier, &notice.account, &notice.subject);
    let query = "SELECT state FROM notice_memory
                 WHERE notifier = ?1 AND account = ?2 AND subject = ?3";
    let before = transaction
        .query_row(query, of, |row| row.get(0))
        .optional();
    let before: Option<String> = before.map_err(failed)?;
    if before.as_ref() == Some(&notice.state) {
        return Ok(false);
    }
    let query = "INSERT OR REPLACE INTO notice_memory (notifier, account, subject, state, at)
                 VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = (of.0, of.1, of.2, &notice.state, now.millis());
    transaction.execute(query, row).map_err(failed)?;
    Ok(true)
}

/// Adds a notice to the outbox, once for each recipient.
fn queue(
    transaction: &Transaction<'_>,
    notice: &NewNotice,
    now: Timestamp,
) -> Result<(), JournalError> {
    let query = "INSERT INTO notice_outbox (notifier, recipient, body, made, not_before, attempts)
                 VALUES (?1, ?2, ?3, ?4, ?5, 0)";
    let mut statement = transaction.prepare_cached(query).map_err(failed)?;
    for recipient in &notice.recipients {
        let times = (now.millis(), notice.not_before.millis());
        let row = (&notice.notifier, recipient, &notice.body, times.0, times.1);
        statement.execute(row).map_err(failed)?;
    }
    Ok(())
}

/// Drops the oldest notices of a notifier that has too many. Returns their number.
fn limit(transaction: &Transaction<'_>, notifier: &str) -> Result<u64, JournalError> {
    let query = "DELETE FROM notice_outbox WHERE notifier = ?1 AND number <= (
                     SELECT number FROM notice_outbox WHERE notifier = ?1
                     ORDER BY number DESC LIMIT 1 OFFSET ?2)";
    let gone = transaction.execute(query, (notifier, WAITING_MAX));
    Ok(u64::try_from(gone.map_err(failed)?).unwrap_or(u64::MAX))
}

fn put_off(
    transaction: &Transaction<'_>,
    number: i64,
    until: Timestamp,
) -> Result<(), JournalError> {
    let query = "UPDATE notice_outbox SET not_before = ?2 WHERE number = ?1";
    transaction
        .execute(query, (number, until.millis()))
        .map_err(failed)?;
    Ok(())
}
