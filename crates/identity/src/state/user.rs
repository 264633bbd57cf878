//! Users: identity, credentials, grants and memberships.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use keywright_base::{AccessKeyId, AccountId, Arn, Timestamp, UniqueId};
use keywright_policy::PolicySet;

use super::{AccessKey, DirectGrants, PasswordPolicy, Tag};

/// A console password. The hash is an Argon2id PHC string; the password itself is nowhere.
#[derive(Debug, Clone)]
pub struct LoginProfile {
    /// When console access was given, whole seconds.
    pub created: Timestamp,
    /// When the password was last set.
    pub changed: Timestamp,
    /// Whether the next sign-in must set a new one.
    pub reset_required: bool,
    /// Argon2id PHC string.
    pub hash: String,
    /// Hashes of earlier passwords, newest first, for the reuse rule.
    pub earlier: Vec<String>,
}

impl LoginProfile {
    /// When the password must be changed, if the account's policy lets passwords expire.
    pub fn expires(&self, policy: Option<&PasswordPolicy>) -> Option<Timestamp> {
        let days = policy?.max_age_days?;
        Some(self.changed.plus_secs(i64::from(days) * 24 * 60 * 60))
    }
}

/// An IAM user.
#[derive(Debug)]
pub struct User {
    /// `AIDA…`.
    pub id: UniqueId,
    /// `/` or `/…/`.
    pub path: String,
    /// Its name, as given.
    pub name: String,
    /// When it was created, whole seconds.
    pub created: Timestamp,
    /// At most 50; keys are unique without regard to case.
    pub tags: Vec<Tag>,
    /// At most two.
    pub keys: Vec<AccessKey>,
    /// Console access.
    pub login: Option<LoginProfile>,
    /// Inline policies and attachments.
    pub grants: DirectGrants,
    /// ARN of the permissions boundary.
    pub boundary: Option<Arc<str>>,
    /// Groups, in order of joining.
    pub groups: Vec<UniqueId>,
    /// The compiled policies in effect, with the [`super::Account::grants_version`] they were made
    /// at.
    pub effective: ArcSwapOption<(u64, PolicySet)>,
}

impl Clone for User {
    /// Everything but the compiled policies, which the copy makes anew: it may be about to change.
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            path: self.path.clone(),
            name: self.name.clone(),
            created: self.created,
            tags: self.tags.clone(),
            keys: self.keys.clone(),
            login: self.login.clone(),
            grants: self.grants.clone(),
            boundary: self.boundary.clone(),
            groups: self.groups.clone(),
            effective: ArcSwapOption::empty(),
        }
    }
}

impl User {
    /// `arn:aws:iam::ACCOUNT:user/path/name`.
    pub fn arn(&self, account: AccountId) -> Arn {
        Arn::iam_entity(account, "user", &self.path, &self.name)
    }

    /// The key with this id.
    pub fn key(&self, id: AccessKeyId) -> Option<&AccessKey> {
        self.keys.iter().find(|key| key.id == id)
    }
}
