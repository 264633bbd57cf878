//! What an account has once: its root user, alias, password policy and credential report.

use std::sync::Arc;

use keywright_base::{AccessKeyId, Timestamp};

use super::{AccessKey, LoginProfile};

/// The root user.
#[derive(Debug, Clone)]
pub struct Root {
    /// When the account was created.
    pub created: Timestamp,
    /// At most two.
    pub keys: Vec<AccessKey>,
    /// Console access.
    pub login: Option<LoginProfile>,
}

impl Root {
    /// The key with this id.
    pub fn key(&self, id: AccessKeyId) -> Option<&AccessKey> {
        self.keys.iter().find(|key| key.id == id)
    }
}

/// The account's settings.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// At most one alias.
    pub alias: Option<String>,
    /// The custom password policy; without one AWS's default rules hold.
    pub password_policy: Option<PasswordPolicy>,
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
