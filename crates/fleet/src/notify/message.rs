//! A message: one notice or a digest of several, as text for people and as JSON for programs.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::notice::{Notice, NoticeKind};

/// The maximum number of notices in one message.
const NOTICES_MAX: usize = 20;
/// The maximum size of the text of one message in bytes, unless a single notice is longer. Teams
/// accepts 28 KB, including markup.
const TEXT_BYTES: usize = 6 * 1024;

/// A message to send.
pub(super) struct NoticeMessage<'a> {
    /// Never empty.
    pub(super) notices: &'a [Notice],
    /// Whether this is a digest. A digest may hold a single notice.
    pub(super) digest: bool,
}

/// A section of a message: a title and its lines.
pub(super) struct MessageSection {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
}

impl NoticeMessage<'_> {
    /// The one-line subject.
    pub(super) fn title(&self) -> String {
        match self.notices {
            [one] => one.title(),
            all => {
                let waits = |notice: &&Notice| {
                    notice.outcome.is_urgent() || notice.outcome == NoticeKind::Warning
                };
                let (all, urgent) = (all.len(), all.iter().filter(waits).count());
                match urgent {
                    0 => format!("{all} notices about access keys"),
                    urgent => format!("{all} notices about access keys, {urgent} need attention"),
                }
            }
        }
    }

    /// One section for each notice.
    pub(super) fn paragraphs(&self) -> Vec<MessageSection> {
        let each = self.notices.iter();
        each.map(|notice| MessageSection {
            title: notice.title(),
            lines: notice.lines(),
        })
        .collect()
    }

    /// The message as plain text.
    pub(super) fn text(&self) -> String {
        let paragraphs = self.paragraphs().into_iter();
        let paragraphs = paragraphs.map(|paragraph| {
            let lines = std::iter::once(paragraph.title).chain(paragraph.lines);
            lines.collect::<Vec<_>>().join("\n")
        });
        paragraphs.collect::<Vec<_>>().join("\n\n")
    }

    /// The message as JSON.
    pub(super) fn json(&self) -> Value {
        match self.notices {
            [one] if !self.digest => json!(one),
            all => json!({ "Notices": all }),
        }
    }

    /// A stable message ID: the same when the message is sent again, so that a mailbox can
    /// deduplicate.
    pub(super) fn id(&self, recipient: &str) -> String {
        let digest = Sha256::new()
            .chain_update(recipient)
            .chain_update(self.json().to_string())
            .finalize();
        hex::encode(digest).chars().take(32).collect()
    }
}

/// How many of the leading notices fit into one message.
pub(super) fn first_message(notices: &[Notice]) -> usize {
    let mut bytes = 0;
    let fits = |notice: &&Notice| {
        let one = std::slice::from_ref(*notice);
        let message = NoticeMessage {
            notices: one,
            digest: true,
        };
        bytes += message.text().len() + 2;
        bytes <= TEXT_BYTES
    };
    let fitting = notices.iter().take(NOTICES_MAX).take_while(fits).count();
    fitting.max(1).min(notices.len())
}
