//! Delivers queued notices from the journal: groups them into messages, retries failures, and gives
//! up after a week.
//!
//! Invariants:
//!
//! - A notifier that fails or hangs delays a round by a limited time and has no other effect.
//! - A notice leaves the journal only after delivery. If delivery is interrupted, it is repeated.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use keywright_base::{Clock, Timestamp};
use keywright_rotation::ports::JournalError;

use super::{
    DigestPeriod, DispatchContext, Notice, NoticeMessage, Notifier, message::first_message,
};
use crate::journal::{NoticeOutcome, QueuedNotice, SqliteJournal};
use keywright_aws::ClientSettings;

/// The maximum number of notices that one notifier gets in one pass.
const CLAIMED_MAX: u32 = 1000;
/// Seconds after which a pass sends nothing more to a notifier.
const BUDGET_SECS: i64 = 60;
/// Timeout for one message in seconds, whatever its channel allows.
const SEND_SECS: u64 = 60;
/// Seconds for which notices are claimed: longer than the two limits above together.
const CLAIM_SECS: i64 = 300;
/// Failures in one pass after which a notifier is skipped until the next.
const FAILURES_MAX: u64 = 3;
/// Seconds until the first retry. The pause doubles each time.
const PAUSE_SECS: i64 = 60;
/// The longest pause, in seconds.
const PAUSE_SECS_MAX: i64 = 6 * 3600;
/// Seconds after which an undelivered notice is given up.
const GIVE_UP_SECS: i64 = 7 * 86_400;

/// Delivers the notices of a fleet.
#[derive(Debug)]
pub struct NoticeOutbox<'a> {
    /// The journal with the queue.
    pub journal: &'a SqliteJournal,
    /// The notifiers.
    pub notifiers: &'a [Notifier],
    /// How notices are grouped. `None` means one message each.
    pub digest: Option<DigestPeriod>,
    /// How to reach the accounts, by their names in the fleet file.
    pub accounts: BTreeMap<&'a str, &'a ClientSettings>,
}

/// The result of a pass for one notifier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliverySummary {
    /// The notifier's label.
    pub notifier: String,
    /// Messages delivered.
    pub delivered: u64,
    /// Messages that failed and will be retried.
    pub failed: u64,
    /// Notices given up.
    pub given_up: u64,
    /// The last error.
    pub why: Option<String>,
}

/// Notices that are sent together.
struct NoticeBatch {
    rows: Vec<QueuedNotice>,
    notices: Vec<Notice>,
}

impl NoticeOutbox<'_> {
    /// Delivers all notices that are due, to all notifiers concurrently.
    ///
    /// # Errors
    /// [`JournalError`] if the journal cannot be read or written. Messages already sent may then be
    /// sent again.
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

    /// Groups notices into batches, oldest first.
    fn batches(&self, notifier: &Notifier, waiting: Vec<QueuedNotice>) -> Vec<NoticeBatch> {
        let mut batches: Vec<NoticeBatch> = Vec::new();
        let mut groups: BTreeMap<(Option<String>, Option<String>), NoticeBatch> = BTreeMap::new();
        for row in waiting {
            // A notice that another version wrote in an unknown form is settled with an empty
            // message.
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

    /// Schedules the retry of each notice with a doubling pause.
    fn put_off(&self, now: Timestamp) -> Vec<NoticeOutcome> {
        let each = self.rows.iter().map(|row| {
            let pause = PAUSE_SECS << row.attempts.min(16);
            NoticeOutcome::Failed(row.number, now.plus_secs(pause.min(PAUSE_SECS_MAX)))
        });
        each.collect()
    }
}
