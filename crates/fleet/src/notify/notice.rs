//! One notice: what happened, to which user, and what a person must do.
//!
//! Its JSON is what programs and webhooks get; its sentences are what people read.

use keywright_base::Timestamp;
use serde::{Deserialize, Serialize};

/// Characters of a reason that programs get.
const WHY_CHARS: usize = 4000;
/// Characters of a reason that people read.
const REASON_CHARS: usize = 1500;
/// Characters of a name that are sent.
const NAME_CHARS: usize = 300;

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeKind {
    /// A rotation is over; the reason is the phase that it ended in.
    Over,
    /// A rotation waits for a person.
    Held,
    /// A rotation, or a round over an account, failed and will be tried again.
    Failed,
    /// A rotation waits longer than it should, or a user needs a person.
    Warning,
    /// After failures in a row nothing more was begun in an account.
    Stopped,
    /// A key is due soon.
    Due,
}

impl NoticeKind {
    /// Whether a person should hear of it now, also where digests go out once a day.
    pub const fn is_urgent(self) -> bool {
        matches!(self, Self::Held | Self::Failed | Self::Stopped)
    }
}

/// What happened to one user's rotation, or in an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Notice {
    /// The account's number; empty while it is not known.
    pub account: String,
    /// What the fleet file calls the account.
    pub account_name: String,
    /// The user, if it is about one.
    pub user_name: Option<String>,
    /// Who owns the user, by its tag.
    pub owner: Option<String>,
    /// The rotation, if there is one.
    pub rotation_id: Option<String>,
    /// The key being replaced.
    pub old_access_key_id: Option<String>,
    /// The key that replaces it.
    pub new_access_key_id: Option<String>,
    /// What it is about.
    pub outcome: NoticeKind,
    /// The reason.
    pub why: String,
    /// What a person must do, if anything.
    pub next_step: Option<String>,
    /// When the key is due, if it is about that; ISO 8601.
    pub due_at: Option<String>,
    /// When it was noticed; ISO 8601.
    pub at: String,
}

impl Notice {
    /// About an account as a whole.
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

    /// What it is about, in one line.
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
            (NoticeKind::Over, _) => format!("The rotation of {user} is over"),
            (NoticeKind::Held, _) => format!("Action needed: the rotation of {user} is held"),
            (NoticeKind::Failed, _) => format!("The rotation of {user} failed; it is tried again"),
            (NoticeKind::Warning, _) if self.rotation_id.is_some() => {
                format!("The rotation of {user} takes longer than planned")
            }
            (NoticeKind::Warning | NoticeKind::Stopped, _) => {
                format!("Action needed: {user} cannot be rotated")
            }
            (NoticeKind::Due, _) => format!("The access key of {user} {}", self.why_line()),
        }
    }

    /// The rest, a line each.
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

/// One line that shows as what it is: no control characters, none that change the direction of text
/// or do not show, and not longer than `limit` characters.
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
