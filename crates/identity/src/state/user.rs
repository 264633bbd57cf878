//! Users: identity, credentials, grants and group membership.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use imbl::OrdMap;
use keywright_base::{AccessKeyId, AccountId, Arn, FoldedName, Timestamp, UniqueId};
use keywright_policy::PolicySet;
use serde::{Deserialize, Serialize};

use super::{
    AccessKey, Account, CredentialOwner, DirectGrants, PasswordPolicy, Tag,
    entity::{
        Entity, RecordError, RecordReader, RemovableEntity, TagRecord, at, restore_tags,
        tag_records,
    },
    key::{KeyRecord, restore_keys},
    policy::GrantsRecord,
};

/// A console password. The hash is an Argon2id PHC string; the password itself is not stored.
#[derive(Debug, Clone)]
pub struct LoginProfile {
    /// When console access was given, whole seconds.
    pub created: Timestamp,
    /// When the password was last set.
    pub changed: Timestamp,
    /// Whether a new one must be set at the next sign-in.
    pub reset_required: bool,
    /// Argon2id PHC string.
    pub hash: String,
    /// Hashes of earlier passwords, newest first, for reuse prevention.
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
    /// The compiled policies in effect, with the [`super::Account::grants_version`] at which they
    /// were compiled.
    pub effective: ArcSwapOption<(u64, PolicySet)>,
}

impl Clone for User {
    /// Omits the compiled policies, because the copy may be about to change.
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

    /// The key with this ID.
    pub fn key(&self, id: AccessKeyId) -> Option<&AccessKey> {
        self.keys.iter().find(|key| key.id == id)
    }
}

/// The users of an account. Both indexes are trees: a hash trie takes twice the memory.
#[derive(Debug, Clone, Default)]
pub(super) struct UserIndex {
    by_name: OrdMap<FoldedName, Arc<User>>,
    by_id: OrdMap<UniqueId, Arc<User>>,
}

impl Account {
    /// A user by name in any case.
    pub fn user(&self, name: &str) -> Option<&Arc<User>> {
        self.users.by_name.get(&FoldedName::new(name))
    }

    /// A user by its ARN, in its current spelling.
    pub fn user_by_arn(&self, arn: &str) -> Option<&Arc<User>> {
        let named = self.user(arn.rsplit('/').next()?);
        named.filter(|user| user.arn(self.id()).as_str() == arn)
    }

    /// A user by its immutable ID.
    pub fn user_by_id(&self, id: UniqueId) -> Option<&Arc<User>> {
        self.users.by_id.get(&id)
    }

    /// All users, ordered by name without regard to case.
    pub const fn users(&self) -> &OrdMap<FoldedName, Arc<User>> {
        &self.users.by_name
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LoginRecord {
    created: i64,
    changed: i64,
    reset_required: bool,
    hash: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<String>,
}

impl From<&LoginProfile> for LoginRecord {
    fn from(login: &LoginProfile) -> Self {
        Self {
            created: login.created.millis(),
            changed: login.changed.millis(),
            reset_required: login.reset_required,
            hash: login.hash.clone(),
            earlier: login.earlier.clone(),
        }
    }
}

impl LoginRecord {
    pub(super) fn restore(self) -> LoginProfile {
        LoginProfile {
            created: at(self.created),
            changed: at(self.changed),
            reset_required: self.reset_required,
            hash: self.hash,
            earlier: self.earlier,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UserRecord {
    id: String,
    path: String,
    name: String,
    created: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keys: Vec<KeyRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<LoginRecord>,
    #[serde(default)]
    grants: GrantsRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boundary: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
}

impl From<&User> for UserRecord {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            path: user.path.clone(),
            name: user.name.clone(),
            created: user.created.millis(),
            tags: tag_records(&user.tags),
            keys: user.keys.iter().map(KeyRecord::from).collect(),
            login: user.login.as_ref().map(LoginRecord::from),
            grants: GrantsRecord::from(&user.grants),
            boundary: user.boundary.as_ref().map(ToString::to_string),
            groups: user.groups.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Entity for User {
    const KIND: &'static str = "user";
    type Id = UniqueId;
    type Record = UserRecord;

    fn entity_id(&self) -> Self::Id {
        self.id
    }

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        Ok(Self {
            id: reader.id(&record.id)?,
            path: record.path,
            name: record.name,
            created: at(record.created),
            tags: restore_tags(record.tags),
            keys: restore_keys(record.keys, reader)?,
            login: record.login.map(LoginRecord::restore),
            grants: record.grants.restore(reader),
            boundary: record.boundary.map(|arn| reader.arn(&arn)),
            groups: record
                .groups
                .iter()
                .map(|g| reader.id(g))
                .collect::<Result<_, _>>()?,
            effective: arc_swap::ArcSwapOption::empty(),
        })
    }

    fn insert(account: &mut Account, user: &Arc<Self>) {
        Self::remove(account, &user.id);
        let name = FoldedName::new(&user.name);
        for key in &user.keys {
            account.keys.insert(key.id, CredentialOwner::User(user.id));
        }
        for group in &user.groups {
            let members = account.members.entry(*group).or_default();
            members.insert(name.clone());
        }
        for arn in &user.grants.attached {
            account.uses_of(arn).users.insert(name.clone());
        }
        if let Some(arn) = &user.boundary {
            account.uses_of(arn).boundaries.insert(name.clone());
        }
        account.users.by_id.insert(user.id, Arc::clone(user));
        account.users.by_name.insert(name, Arc::clone(user));
    }
}

impl RemovableEntity for User {
    fn remove(account: &mut Account, id: &Self::Id) {
        let Some(user) = account.users.by_id.remove(id) else {
            return;
        };
        let name = FoldedName::new(&user.name);
        account.users.by_name.remove(&name);
        for key in &user.keys {
            account.keys.remove(&key.id);
        }
        for group in &user.groups {
            if let Some(members) = account.members.get_mut(group) {
                members.remove(&name);
            }
        }
        for arn in &user.grants.attached {
            account.uses_of(arn).users.remove(&name);
        }
        if let Some(arn) = &user.boundary {
            account.uses_of(arn).boundaries.remove(&name);
        }
    }
}
