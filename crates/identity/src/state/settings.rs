//! The settings of an account: its alias, password policy and ended sessions.

use std::{collections::BTreeMap, sync::Arc};

use keywright_base::{AccessKeyId, Timestamp, limits};
use serde::{Deserialize, Serialize};

use super::{
    Account, CredentialOwner,
    entity::{Entity, RecordError, RecordReader, at},
};

/// The account's settings.
#[derive(Debug, Clone, Default)]
pub struct AccountSettings {
    /// At most one alias.
    pub alias: Option<String>,
    /// The custom password policy; without one, AWS's default rules apply.
    pub password_policy: Option<PasswordPolicy>,
    /// The sessions that were ended before they expire.
    pub ended_sessions: EndedSessions,
    /// Whether tokens of version 2 are preferred at STS's global endpoint.
    pub v2_tokens: bool,
}

impl AccountSettings {
    /// The same settings, with every session ended that a key has issued so far.
    #[must_use]
    pub fn with_ended_sessions(
        &self,
        key: AccessKeyId,
        owner: Option<CredentialOwner>,
        now: Timestamp,
    ) -> Self {
        let mut settings = self.clone();
        settings.ended_sessions.end(key, owner, now);
        settings
    }
}

/// Keys whose sessions have been ended. The record of each owner is short: no owner can use up the
/// space of others, and a session never survives for lack of space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndedSessions {
    /// A key, the time up to which its sessions are ended, and its owner. The key may be deleted;
    /// the owner is unknown if the key was deleted before its sessions were ended.
    pub(super) keys: BTreeMap<AccessKeyId, (Timestamp, Option<CredentialOwner>)>,
    /// The time up to which the sessions of all keys of an owner are ended.
    pub(super) owners: BTreeMap<CredentialOwner, Timestamp>,
    /// The time up to which the sessions of all keys are ended.
    pub(super) all: Option<Timestamp>,
}

impl EndedSessions {
    fn end(&mut self, key: AccessKeyId, owner: Option<CredentialOwner>, now: Timestamp) {
        let expired = now.plus_secs(-limits::SESSION_SECS);
        self.keys.retain(|_, (until, _)| *until >= expired);
        self.owners.retain(|_, until| *until >= expired);
        self.all = self.all.filter(|until| *until >= expired);
        self.keys.insert(key, (now, owner));
        let same = |entry: &(Timestamp, Option<CredentialOwner>)| entry.1 == owner;
        let count = self.keys.values().filter(|entry| same(entry)).count();
        let most = match owner {
            Some(_) => limits::ENDED_KEYS_PER_OWNER,
            None => limits::ENDED_KEYS_WITHOUT_OWNER,
        };
        if count > most {
            self.keys.retain(|_, entry| !same(entry));
            match owner {
                Some(owner) => drop(self.owners.insert(owner, now)),
                None => self.all = Some(now),
            }
        }
    }

    /// The time up to which the sessions of a key are ended. Without its owner, what was ended for
    /// the owner is not known.
    pub fn until(&self, source: AccessKeyId, owner: Option<CredentialOwner>) -> Option<Timestamp> {
        let by_key = self.keys.get(&source).map(|(until, _)| *until);
        let by_owner = owner.and_then(|owner| self.owners.get(&owner).copied());
        [by_key, by_owner, self.all].into_iter().flatten().max()
    }

    /// Whether a session issued by this key at this time has been ended. Facts that earlier
    /// versions did not record in a session count against it.
    pub fn has_ended(
        &self,
        source: Option<AccessKeyId>,
        owner: Option<CredentialOwner>,
        issued: Timestamp,
    ) -> bool {
        let ended = |until: &Timestamp| issued <= *until;
        let by_key = match source {
            Some(key) => self.keys.get(&key).is_some_and(|(until, _)| ended(until)),
            None => self.keys.values().any(|(until, _)| ended(until)),
        };
        let by_owner = match owner {
            Some(owner) => self.owners.get(&owner).is_some_and(ended),
            None => self.owners.values().any(ended),
        };
        by_key || by_owner || self.all.as_ref().is_some_and(ended)
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
    /// How many earlier passwords must not be reused, 1 to 24.
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
    /// Key IDs, and the time up to which their sessions are ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ended_sessions: Vec<(String, i64)>,
    /// The owners of those keys: the key's ID, and the user's ID or nothing for root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ended_owners_of: Vec<(String, Option<String>)>,
    /// Owners, and the time up to which the sessions of all their keys are ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ended_of_owners: Vec<(Option<String>, i64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_of_all: Option<i64>,
    #[serde(default)]
    v2_tokens: bool,
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
        let ended = &settings.ended_sessions;
        Self {
            alias: settings.alias.clone(),
            password_policy: policy,
            ended_sessions: ended
                .keys
                .iter()
                .map(|(key, (until, _))| (key.to_string(), until.millis()))
                .collect(),
            ended_owners_of: ended
                .keys
                .iter()
                .filter_map(|(key, (_, owner))| Some((key.to_string(), (*owner)?.to_stored())))
                .collect(),
            ended_of_owners: ended
                .owners
                .iter()
                .map(|(owner, until)| (owner.to_stored(), until.millis()))
                .collect(),
            ended_of_all: ended.all.map(Timestamp::millis),
            v2_tokens: settings.v2_tokens,
        }
    }
}

impl Entity for AccountSettings {
    const KIND: &'static str = "settings";
    type Id = ();
    type Record = SettingsRecord;

    fn entity_id(&self) -> Self::Id {}

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
        let owner = |owner: &Option<String>| CredentialOwner::restore(owner.as_deref(), reader);
        let mut ended = EndedSessions {
            all: record.ended_of_all.map(at),
            ..EndedSessions::default()
        };
        for (key, until) in &record.ended_sessions {
            ended.keys.insert(reader.id(key)?, (at(*until), None));
        }
        for (key, of) in &record.ended_owners_of {
            if let Some(entry) = ended.keys.get_mut(&reader.id(key)?) {
                entry.1 = Some(owner(of)?);
            }
        }
        for (of, until) in &record.ended_of_owners {
            ended.owners.insert(owner(of)?, at(*until));
        }
        Ok(Self {
            alias: record.alias,
            password_policy: policy,
            ended_sessions: ended,
            v2_tokens: record.v2_tokens,
        })
    }

    fn insert(account: &mut Account, settings: &Arc<Self>) {
        account.settings = Arc::clone(settings);
        // A password policy may allow all users to change their own passwords.
        account.grants_changed();
    }
}
