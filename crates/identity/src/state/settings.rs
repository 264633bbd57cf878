//! What an account has once: its root user, alias, password policy and credential report.

use std::{collections::BTreeMap, sync::Arc};

use keywright_base::{AccessKeyId, Timestamp, limits};

use super::{AccessKey, LoginProfile};

/// The root user.
#[derive(Debug, Clone)]
pub struct RootUser {
    /// When the account was created.
    pub created: Timestamp,
    /// At most two.
    pub keys: Vec<AccessKey>,
    /// Console access.
    pub login: Option<LoginProfile>,
}

impl RootUser {
    /// The key with this id.
    pub fn key(&self, id: AccessKeyId) -> Option<&AccessKey> {
        self.keys.iter().find(|key| key.id == id)
    }
}

/// The account's settings.
#[derive(Debug, Clone, Default)]
pub struct AccountSettings {
    /// At most one alias.
    pub alias: Option<String>,
    /// The custom password policy; without one AWS's default rules hold.
    pub password_policy: Option<PasswordPolicy>,
    /// Sessions that one of these keys has minted until then are ended. A key may be gone by now.
    pub ended_sessions: BTreeMap<AccessKeyId, Timestamp>,
}

impl AccountSettings {
    /// The same, with every session ended that a key has minted until now. What has expired by
    /// itself is forgotten. Nothing if there are [`limits::ENDED_SESSIONS_KEYS`] other keys.
    #[must_use]
    pub fn with_ended_sessions(&self, key: AccessKeyId, now: Timestamp) -> Option<Self> {
        let mut settings = self.clone();
        let expired = now.plus_secs(-limits::SESSION_SECS);
        settings.ended_sessions.retain(|_, until| *until >= expired);
        settings.ended_sessions.insert(key, now);
        (settings.ended_sessions.len() <= limits::ENDED_SESSIONS_KEYS).then_some(settings)
    }

    /// Whether a session that this key has minted then is ended. Earlier versions did not write
    /// down which key it was: such a session is ended if it may be one of them.
    pub fn has_ended(&self, source: Option<AccessKeyId>, issued: Timestamp) -> bool {
        let ended = |until: &Timestamp| issued <= *until;
        match source {
            Some(key) => self.ended_sessions.get(&key).is_some_and(ended),
            None => self.ended_sessions.values().any(ended),
        }
    }
}

/// A custom password policy. Absent options are rules that are off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// 6 to 128.
    pub minimum_length: i32,
    /// At least one of the symbols that AWS counts.
    pub require_symbols: bool,
    /// At least one digit.
    pub require_numbers: bool,
    /// At least one of A to Z.
    pub require_uppercase: bool,
    /// At least one of a to z.
    pub require_lowercase: bool,
    /// Whether users may change their own password without a grant.
    pub allow_users_to_change: bool,
    /// Days until a password must be changed, 1 to 1095.
    pub max_age_days: Option<i32>,
    /// How many earlier passwords may not come back, 1 to 24.
    pub reuse_prevention: Option<i32>,
    /// Whether an expired password can only be reset by an administrator.
    pub hard_expiry: Option<bool>,
}

/// The last credential report.
#[derive(Debug, Clone)]
pub struct CredentialReport {
    /// When it was made.
    pub generated: Timestamp,
    /// The CSV, without a trailing newline.
    pub content: Arc<str>,
}
