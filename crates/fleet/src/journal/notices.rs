//! What was said to whom, and what is still to be delivered.
//!
//! It protects two rules: a notice is remembered as said in the same transaction that queues it, so
//! a crash neither loses nor repeats it; and of two processes with one journal only one delivers a
//! notice, since it is claimed for a while before it is sent.

use std::collections::{BTreeMap, BTreeSet};

use keywright_base::Timestamp;
use keywright_rotation::ports::JournalError;
use rusqlite::{OptionalExtension, Transaction};

use super::{SqliteJournal, failed};

/// Notices that wait for one notifier at most; the oldest go first.
pub(super) const WAITING_MAX: u32 = 10_000;
/// Days after which is forgotten what was said.
const MEMORY_DAYS: i64 = 400;
/// Days after which a notice goes that nobody delivers: its notifier is in no fleet file any more.
const OUTBOX_DAYS: i64 = 30;

/// Something to say to a notifier.
#[derive(Debug, Clone)]
pub(crate) struct NewNotice {
    pub(crate) notifier: String,
    pub(crate) account: String,
    /// What it is about.
    pub(crate) subject: String,
    /// How that is now; it is said when it was something else before.
    pub(crate) state: String,
    /// Who gets it beside the notifier's own recipients.
    pub(crate) recipients: Vec<Option<String>>,
    pub(crate) body: String,
    pub(crate) not_before: Timestamp,
}

/// A notice that waits.
#[derive(Debug, Clone)]
pub(crate) struct QueuedNotice {
    pub(crate) number: i64,
    pub(crate) recipient: Option<String>,
    pub(crate) body: String,
    pub(crate) made: Timestamp,
    pub(crate) attempts: u32,
}

/// What became of a claimed notice.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NoticeOutcome {
    /// It was delivered, or is given up.
    Gone(i64),
    /// It was not, and is tried again at this time.
    Failed(i64, Timestamp),
    /// It was not tried.
    Untried(i64),
}

impl SqliteJournal {
    /// What a notifier heard last of an account's subjects.
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

    /// Queues what was not said yet, and forgets what was said of some subjects, so that it will be
    /// said again; how many older notices had to go for it.
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

    /// Takes the notices that a notifier should get now, oldest first. Nobody else gets them for
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

    /// Notes what became of claimed notices.
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

/// Notes how a subject is now; whether the notifier has not heard that yet.
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

/// Puts a notice into the outbox, for each of its recipients.
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

/// Removes the oldest notices of a notifier for whom too many wait; how many.
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
