//! Notices to people and programs about rotations, one file for each kind of notifier.
//!
//! A fleet file names a notifier as `KIND:…`. Kinds are declared in [`KINDS`] and nowhere else.
//!
//! Invariants of every kind:
//!
//! - A notice holds names and reasons, never a secret.
//! - Untrusted text (names, tags, error messages of services) reaches each channel as plain text.
//! - A channel's own secret (the URL of an incoming webhook, a password) is read from a variable or
//!   a file when a message is sent, and appears in no error.

mod command;
mod message;
mod notice;
mod outbox;
mod post;
mod secret_ref;
mod slack;
#[cfg(feature = "smtp")]
mod smtp;
#[cfg(not(feature = "smtp"))]
#[path = "without_smtp.rs"]
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

/// Parses the part after the kind.
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

/// The context for sending one message.
struct DispatchContext<'a> {
    /// The owner's address if the message is for the owner alone.
    #[cfg_attr(
        not(feature = "smtp"),
        expect(dead_code, reason = "only mail goes to an owner")
    )]
    recipient: Option<&'a str>,
    /// How to reach the account that the notices are about.
    account: Option<&'a ClientSettings>,
    clock: &'a dyn Clock,
}

/// A channel that messages are sent to.
#[async_trait]
trait Channel: Send + Sync {
    /// The name in logs and metrics, after the kind. Contains no secret.
    fn label(&self) -> String;

    /// Checks that the channel's secrets can be read.
    ///
    /// # Errors
    /// A message.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// The owner's address if this channel writes to owners.
    fn owner_address(&self, _owner: &str) -> Option<String> {
        None
    }

    /// Whether it signs with the credentials of the account that the notices are about. If so,
    /// notices of different accounts are not combined into one message.
    fn by_account(&self) -> bool {
        false
    }

    /// Sends a message once.
    ///
    /// # Errors
    /// A message without any secret.
    async fn send(
        &self,
        message: &NoticeMessage<'_>,
        dispatch: &DispatchContext<'_>,
    ) -> Result<(), String>;
}

/// A notifier as a fleet file names it.
#[derive(Clone)]
pub struct Notifier {
    /// The text in the fleet file. May contain a secret URL, so never log it.
    text: String,
    label: String,
    channel: Arc<dyn Channel>,
}

impl Notifier {
    /// The name in logs and metrics.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The text in the fleet file, which identifies the notifier in the journal.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The recipients of a notice: the notifier's own, and the owner if it writes to owners.
    pub(crate) fn recipients(&self, notice: &Notice) -> Vec<Option<String>> {
        let owner = notice.owner.as_deref();
        let owner = owner.and_then(|owner| self.channel.owner_address(owner));
        let mut recipients = vec![None];
        recipients.extend(owner.map(Some));
        recipients
    }

    /// Checks that the variables and files with secrets can be read now.
    ///
    /// # Errors
    /// A message.
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
            // Do not quote the text: it may be a secret URL.
            return Err(format!(
                "a notifier starts with one of {kinds}, followed by a colon"
            ));
        };
        if rest.is_empty() || rest.chars().any(char::is_control) {
            return Err(format!(
                "{kind}: what follows the colon is empty or contains control characters"
            ));
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

/// How notices are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestPeriod {
    /// One message with all notices of a round.
    Round,
    /// One message a day. Notices that need a person are sent immediately.
    Day,
}
