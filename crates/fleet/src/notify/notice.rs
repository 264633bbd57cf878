//! A notice: what happened, to which user, and what a person must do.
//!
//! Programs and webhooks receive its JSON; people read its sentences.

use keywright_base::Timestamp;
use serde::{Deserialize, Serialize};

/// The maximum length of a reason in JSON, in characters.
const WHY_CHARS: usize = 4000;
/// The maximum length of a reason in text, in characters.
const REASON_CHARS: usize = 1500;
/// The maximum length of a name, in characters.
const NAME_CHARS: usize = 300;

/// The kind of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeKind {
    /// A rotation ended; the reason is its final phase.
    Over,
    /// A rotation is held until a person decides.
    Held,
    /// A rotation, or a round over an account, failed and will be retried.
    Failed,
    /// A rotation waits longer than expected, or a user needs a person.
    Warning,
    /// After consecutive failures nothing more was started in an account.
    Stopped,
    /// A key is due soon.
    Due,
}

impl NoticeKind {
    /// Whether to send it immediately even if digests are sent once a day.
    pub const fn is_urgent(self) -> bool {
        matches!(self, Self::Held | Self::Failed | Self::Stopped)
    }
}

/// What happened to a user's rotation or in an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Notice {
    /// The account number; empty while unknown.
    pub account: String,
    /// The account's name in the fleet file.
    pub account_name: String,
    /// The user, if it concerns one.
    pub user_name: Option<String>,
    /// The user's owner, by tag.
    pub owner: Option<String>,
    /// The rotation, if there is one.
    pub rotation_id: Option<String>,
    /// The key being replaced.
    pub old_access_key_id: Option<String>,
    /// The key that replaces it.
    pub new_access_key_id: Option<String>,
    /// The kind.
    pub outcome: NoticeKind,
    /// The reason.
    pub why: String,
    /// What a person must do, if anything.
    pub next_step: Option<String>,
    /// When the key is due (ISO 8601), for reminders.
    pub due_at: Option<String>,
    /// When the notice was created (ISO 8601).
    pub at: String,
}

impl Notice {
    /// A notice about an account as a whole.
    pub fn of_account(name: &str, outcome: NoticeKind, why: &str, at: Timestamp) -> Self {
        Self {
            account: String::new(),
            account_name: name.to_owned(),
            user_name: None,
            owner: None,
            rotation_id: None,
            old_access_key_id: None,
            new_access_key_id: None,
            outcome,
            why: why.chars().take(WHY_CHARS).collect(),
            next_step: None,
            due_at: None,
            at: at.iso8601(),
        }
    }

    /// The one-line subject.
    pub(super) fn title(&self) -> String {
        let account = name(&self.account_name);
        let Some(user) = self.user_name.as_deref().map(name) else {
            return match self.outcome {
                NoticeKind::Stopped => format!("Rotations in account {account} have stopped"),
                _ => format!("Account {account} could not be rotated"),
            };
        };
        match (self.outcome, self.why.as_str()) {
            (NoticeKind::Over, "Done") => format!("The access key of {user} was rotated"),
            (NoticeKind::Over, "RolledBack") => {
                format!("The rotation of {user} was rolled back; the old access key is in use")
            }
            (NoticeKind::Over, "UserGone") => {
                format!("The user {user} was deleted, which ended the rotation")
            }
            (NoticeKind::Over, "Abandoned") => format!("The rotation of {user} was abandoned"),
            (NoticeKind::Over, _) => format!("The rotation of {user} has ended"),
            (NoticeKind::Held, _) => format!("Action needed: the rotation of {user} is held"),
            (NoticeKind::Failed, _) => format!("The rotation of {user} failed and will be retried"),
            (NoticeKind::Warning, _) if self.rotation_id.is_some() => {
                format!("The rotation of {user} is taking longer than planned")
            }
            (NoticeKind::Warning | NoticeKind::Stopped, _) => {
                format!("Action needed: {user} cannot be rotated")
            }
            (NoticeKind::Due, _) => format!("The access key of {user} {}", self.why_line()),
        }
    }

    /// The remaining lines.
    pub(super) fn lines(&self) -> Vec<String> {
        let account = match self.account.as_str() {
            "" => name(&self.account_name),
            number => format!("{} ({})", name(&self.account_name), name(number)),
        };
        let keys = match (&self.old_access_key_id, &self.new_access_key_id) {
            (Some(old), Some(new)) => Some(format!("{} (old), {} (new)", name(old), name(new))),
            (Some(old), None) => Some(name(old)),
            (None, new) => new.as_deref().map(name),
        };
        let reason = match self.outcome {
            NoticeKind::Over | NoticeKind::Due => None,
            _ => Some(self.why_line()),
        };
        let lines = [
            ("Account", Some(account)),
            ("User", self.user_name.as_deref().map(name)),
            ("Owner", self.owner.as_deref().map(name)),
            ("Access keys", keys),
            ("Rotation", self.rotation_id.as_deref().map(name)),
            ("Due", self.due_at.as_deref().map(name)),
            ("Reason", reason),
            ("What to do", self.next_step.as_deref().map(name)),
        ];
        let lines = lines.into_iter();
        lines
            .filter_map(|(label, text)| Some(format!("{label}: {}", text?)))
            .collect()
    }

    fn why_line(&self) -> String {
        plain(&self.why, REASON_CHARS)
    }
}

fn name(text: &str) -> String {
    plain(text, NAME_CHARS)
}

/// Makes a text safe to show on one line: removes control, bidirectional and invisible characters
/// and truncates it to `limit` characters.
fn plain(text: &str, limit: usize) -> String {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    let mut line: String = text
        .chars()
        .take(limit)
        .map(|c| if hides(c) { '?' } else { c })
        .collect();
    if text.chars().nth(limit).is_some() {
        line.push('…');
    }
    line
}
