//! Notices to people and programs on how rotations go, one file for each kind of notifier.
//!
//! A notifier is named by text, `KIND:…`, in a fleet file; kinds are declared in [`KINDS`] and
//! nowhere else. Three rules hold for all of them: a notice holds names and reasons, never a
//! secret; what others wrote (names, tags, answers of services) reaches each channel as plain text;
//! and a secret of the channel itself (an incoming webhook's URL, a password) is read from a
//! variable or a file when something is sent, and is in no error.

mod command;
mod message;
mod notice;
mod outbox;
mod post;
mod secret_ref;
mod slack;
mod smtp;
mod sns;
mod teams;
#[cfg(test)]
mod tests;
mod webhook;

use std::{fmt, str::FromStr, sync::Arc};

use async_trait::async_trait;
use keywright_base::Clock;

use keywright_aws::ClientSettings;

use self::message::NoticeMessage;
pub use self::{
    notice::{Notice, NoticeKind},
    outbox::{DeliverySummary, NoticeOutbox},
};

/// Reads what follows the kind, or says what is wrong with it.
type ParseChannel = fn(&str) -> Result<Arc<dyn Channel>, String>;

/// Every kind of notifier.
const KINDS: [(&str, ParseChannel); 7] = [
    ("command", command::parse),
    ("webhook", webhook::parse),
    ("slack", slack::parse),
    ("teams", teams::parse),
    ("smtp", smtp::parse),
    ("smtps", smtp::parse_implicit),
    ("sns", sns::parse),
];

/// How one message goes out.
struct DispatchContext<'a> {
    /// The owner's address, where the message is for the owner alone.
    recipient: Option<&'a str>,
    /// How the account of the notices is reached.
    account: Option<&'a ClientSettings>,
    clock: &'a dyn Clock,
}

/// Where messages go.
#[async_trait]
trait Channel: Send + Sync {
    /// What it is called in logs and metrics, after its kind; without a secret.
    fn label(&self) -> String;

    /// Looks whether its secrets can be read.
    ///
    /// # Errors
    /// A sentence.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// The owner's own address, if this channel writes to owners.
    fn owner_address(&self, _owner: &str) -> Option<String> {
        None
    }

    /// Whether it signs with the credentials of the account that notices are about, so that
    /// notices of several accounts do not go into one message.
    fn by_account(&self) -> bool {
        false
    }

    /// Sends a message, once.
    ///
    /// # Errors
    /// A sentence without a secret.
    async fn send(
        &self,
        message: &NoticeMessage<'_>,
        dispatch: &DispatchContext<'_>,
    ) -> Result<(), String>;
}

/// Someone to be notified, as a fleet file names it.
#[derive(Clone)]
pub struct Notifier {
    /// As it is written; may hold a URL that is not for logs.
    text: String,
    label: String,
    channel: Arc<dyn Channel>,
}

impl Notifier {
    /// What it is called in logs and metrics.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// As it is written, which is its name in the journal.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Who gets a notice: the notifier's own recipients, and the owner where it writes to owners.
    pub(crate) fn recipients(&self, notice: &Notice) -> Vec<Option<String>> {
        let owner = notice.owner.as_deref();
        let owner = owner.and_then(|owner| self.channel.owner_address(owner));
        let mut recipients = vec![None];
        recipients.extend(owner.map(Some));
        recipients
    }

    /// Looks whether what it needs can be read now: variables and files with secrets.
    ///
    /// # Errors
    /// A sentence.
    pub fn check(&self) -> Result<(), String> {
        self.channel.check()
    }
}

impl FromStr for Notifier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let Some((kind, parse)) = KINDS.into_iter().find(|(name, _)| *name == kind) else {
            let kinds = KINDS.map(|(kind, _)| kind).join(", ");
            // Not quoted: it may be a URL that is a secret.
            return Err(format!("a notifier begins with one of {kinds} and a colon"));
        };
        if rest.is_empty() || rest.chars().any(char::is_control) {
            return Err(format!("{kind}: nothing to notify is named"));
        }
        let channel = parse(rest).map_err(|why| format!("{kind}: {why}"))?;
        Ok(Self {
            text: text.to_owned(),
            label: format!("{kind}:{}", channel.label()),
            channel,
        })
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

/// How notices are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestPeriod {
    /// One message with all notices of a round.
    Round,
    /// One message a day; what waits for a person is not held back.
    Day,
}
