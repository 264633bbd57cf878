//! The settings of an account: its alias, password policy and ended sessions.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use keywright_base::{AccessKeyId, Timestamp, limits};
use serde::{Deserialize, Serialize};

use super::{
    Account,
    entity::{Entity, ONLY, RecordError, RecordReader, at},
};

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

impl Account {
    /// Alias and password policy.
    pub const fn settings(&self) -> &Arc<AccountSettings> {
        &self.settings
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PasswordPolicyRecord {
    minimum_length: i32,
    require_symbols: bool,
    require_numbers: bool,
    require_uppercase: bool,
    require_lowercase: bool,
    allow_users_to_change: bool,
    max_age_days: Option<i32>,
    reuse_prevention: Option<i32>,
    hard_expiry: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SettingsRecord {
    alias: Option<String>,
    password_policy: Option<PasswordPolicyRecord>,
    /// Ids of keys, and until when the sessions that they have minted are ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ended_sessions: Vec<(String, i64)>,
}

impl From<&AccountSettings> for SettingsRecord {
    fn from(settings: &AccountSettings) -> Self {
        let policy = settings
            .password_policy
            .as_ref()
            .map(|policy| PasswordPolicyRecord {
                minimum_length: policy.minimum_length,
                require_symbols: policy.require_symbols,
                require_numbers: policy.require_numbers,
                require_uppercase: policy.require_uppercase,
                require_lowercase: policy.require_lowercase,
                allow_users_to_change: policy.allow_users_to_change,
                max_age_days: policy.max_age_days,
                reuse_prevention: policy.reuse_prevention,
                hard_expiry: policy.hard_expiry,
            });
        Self {
            alias: settings.alias.clone(),
            password_policy: policy,
            ended_sessions: settings
                .ended_sessions
                .iter()
                .map(|(key, until)| (key.to_string(), until.millis()))
                .collect(),
        }
    }
}

impl Entity for AccountSettings {
    const KIND: &'static str = "settings";
    type Id = ();
    type Record = SettingsRecord;

    fn entity_id(&self) -> Self::Id {}

    fn record_id(_: &Self::Id) -> Cow<'_, str> {
        Cow::Borrowed(ONLY)
    }

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        let policy = record.password_policy.map(|policy| PasswordPolicy {
            minimum_length: policy.minimum_length,
            require_symbols: policy.require_symbols,
            require_numbers: policy.require_numbers,
            require_uppercase: policy.require_uppercase,
            require_lowercase: policy.require_lowercase,
            allow_users_to_change: policy.allow_users_to_change,
            max_age_days: policy.max_age_days,
            reuse_prevention: policy.reuse_prevention,
            hard_expiry: policy.hard_expiry,
        });
        let ended = record.ended_sessions.into_iter();
        Ok(Self {
            alias: record.alias,
            password_policy: policy,
            ended_sessions: ended
                .map(|(key, until)| Ok((reader.id(&key)?, at(until))))
                .collect::<Result<_, _>>()?,
        })
    }

    fn insert(account: &mut Account, settings: &Arc<Self>) {
        account.settings = Arc::clone(settings);
        // A password policy may let every user change its own password.
        account.grants_changed();
    }
}
