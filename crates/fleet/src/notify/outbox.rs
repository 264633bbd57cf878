//! Delivers what waits in the journal: grouped into messages, tried again when it failed, given up
//! after a week.
//!
//! It protects two rules: a notifier that fails or hangs costs a round a limited time and nothing
//! else; and a notice leaves the journal only after it was delivered, so that it is delivered again
//! if that was cut off.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use keywright_base::{Clock, Timestamp};
use keywright_rotation::ports::JournalError;

use super::{
    DigestPeriod, DispatchContext, Notice, NoticeMessage, Notifier, message::first_message,
};
use crate::journal::{NoticeOutcome, QueuedNotice, SqliteJournal};
use keywright_aws::ClientSettings;

/// Notices that one notifier gets in one go at most.
const CLAIMED_MAX: u32 = 1000;
/// Seconds after which nothing more is sent to a notifier in one go.
const BUDGET_SECS: i64 = 60;
/// Seconds that one message may take, whatever its channel allows.
const SEND_SECS: u64 = 60;
/// Seconds for which claimed notices are nobody else's: longer than the two together.
const CLAIM_SECS: i64 = 300;
/// Failures in one go after which a notifier is left alone until the next.
const FAILURES_MAX: u64 = 3;
/// Seconds until the second try; the pause doubles with each.
const PAUSE_SECS: i64 = 60;
/// The longest pause, in seconds.
const PAUSE_SECS_MAX: i64 = 6 * 3600;
/// Seconds after which an undelivered notice is given up.
const GIVE_UP_SECS: i64 = 7 * 86_400;

/// Delivers the notices of a fleet.
#[derive(Debug)]
pub struct NoticeOutbox<'a> {
    /// Where they wait.
    pub journal: &'a SqliteJournal,
    /// To whom.
    pub notifiers: &'a [Notifier],
    /// How they are put together; one message each if nothing is said.
    pub digest: Option<DigestPeriod>,
    /// How the accounts are reached, by their names in the fleet file.
    pub accounts: BTreeMap<&'a str, &'a ClientSettings>,
}

/// What became of one notifier's notices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliverySummary {
    /// What the notifier is called.
    pub notifier: String,
    /// Messages that were delivered.
    pub delivered: u64,
    /// Messages that were not, and are tried again.
    pub failed: u64,
    /// Notices that are given up.
    pub given_up: u64,
    /// Why the last one failed.
    pub why: Option<String>,
}

/// Notices that go out together.
struct NoticeBatch {
    rows: Vec<QueuedNotice>,
    notices: Vec<Notice>,
}

impl NoticeOutbox<'_> {
    /// Delivers to everyone what is due, side by side.
    ///
    /// # Errors
    /// [`JournalError`] when the journal cannot be read or written; what was delivered then may be
    /// delivered again.
    pub async fn deliver(&self, clock: &dyn Clock) -> Result<Vec<DeliverySummary>, JournalError> {
        let each = self.notifiers.iter();
        let all = join_all(each.map(|notifier| self.deliver_to(notifier, clock))).await;
        all.into_iter().collect()
    }

    async fn deliver_to(
        &self,
        notifier: &Notifier,
        clock: &dyn Clock,
    ) -> Result<DeliverySummary, JournalError> {
        let mut sent = DeliverySummary {
            notifier: notifier.label.clone(),
            ..DeliverySummary::default()
        };
        let claimed = self
            .journal
            .claim_notices(&notifier.text, CLAIMED_MAX, CLAIM_SECS)
            .await?;
        let begin = clock.now();
        let (waiting, expired): (Vec<_>, Vec<_>) = claimed
            .into_iter()
            .partition(|row| begin.secs_since(row.made) < GIVE_UP_SECS);
        sent.given_up = u64::try_from(expired.len()).unwrap_or(u64::MAX);
        let gone = expired.iter().map(|row| NoticeOutcome::Gone(row.number));
        self.journal.settle_notices(gone.collect()).await?;
        for batch in self.batches(notifier, waiting) {
            let late = clock.now().secs_since(begin) >= BUDGET_SECS;
            let settled = if late || sent.failed >= FAILURES_MAX {
                batch.settle(NoticeOutcome::Untried)
            } else {
                match self.send(notifier, &batch, clock).await {
                    Ok(()) => {
                        sent.delivered += 1;
                        batch.settle(NoticeOutcome::Gone)
                    }
                    Err(why) => {
                        sent.failed += 1;
                        sent.why = Some(why);
                        batch.put_off(clock.now())
                    }
                }
            };
            self.journal.settle_notices(settled).await?;
        }
        Ok(sent)
    }

    /// What goes out together, oldest first.
    fn batches(&self, notifier: &Notifier, waiting: Vec<QueuedNotice>) -> Vec<NoticeBatch> {
        let mut batches: Vec<NoticeBatch> = Vec::new();
        let mut groups: BTreeMap<(Option<String>, Option<String>), NoticeBatch> = BTreeMap::new();
        for row in waiting {
            // What an older or newer program wrote otherwise is settled with an empty message.
            let notices: Vec<Notice> = serde_json::from_str(&row.body).ok().into_iter().collect();
            if self.digest.is_none() || notices.is_empty() {
                batches.push(NoticeBatch {
                    rows: vec![row],
                    notices,
                });
                continue;
            }
            let account = notices.first().filter(|_| notifier.channel.by_account());
            let account = account.map(|notice| notice.account_name.clone());
            let key = (row.recipient.clone(), account);
            let group = groups.entry(key).or_insert_with(|| NoticeBatch {
                rows: Vec::new(),
                notices: Vec::new(),
            });
            group.rows.push(row);
            group.notices.extend(notices);
        }
        for mut group in groups.into_values() {
            while !group.notices.is_empty() {
                let first = first_message(&group.notices);
                let rest = NoticeBatch {
                    rows: group.rows.split_off(first),
                    notices: group.notices.split_off(first),
                };
                batches.push(group);
                group = rest;
            }
        }
        batches
    }

    async fn send(
        &self,
        notifier: &Notifier,
        batch: &NoticeBatch,
        clock: &dyn Clock,
    ) -> Result<(), String> {
        let Some(first) = batch.notices.first() else {
            return Ok(());
        };
        let message = NoticeMessage {
            notices: &batch.notices,
            digest: self.digest.is_some(),
        };
        let dispatch = DispatchContext {
            recipient: batch.rows.first().and_then(|row| row.recipient.as_deref()),
            account: self.accounts.get(first.account_name.as_str()).copied(),
            clock,
        };
        let sending = notifier.channel.send(&message, &dispatch);
        let sent = tokio::time::timeout(Duration::from_secs(SEND_SECS), sending).await;
        sent.unwrap_or_else(|_| Err(format!("timed out after {SEND_SECS} s")))
    }
}

impl NoticeBatch {
    fn settle(&self, how: impl Fn(i64) -> NoticeOutcome) -> Vec<NoticeOutcome> {
        self.rows.iter().map(|row| how(row.number)).collect()
    }

    /// To be tried again, each after a pause that doubles.
    fn put_off(&self, now: Timestamp) -> Vec<NoticeOutcome> {
        let each = self.rows.iter().map(|row| {
            let pause = PAUSE_SECS << row.attempts.min(16);
            NoticeOutcome::Failed(row.number, now.plus_secs(pause.min(PAUSE_SECS_MAX)))
        });
        each.collect()
    }
}
