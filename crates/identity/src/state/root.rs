//! The root user of an account.

use std::sync::Arc;

use keywright_base::{AccessKeyId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    AccessKey, Account, CredentialOwner, LoginProfile,
    entity::{Entity, RecordError, RecordReader, at},
    key::{KeyRecord, restore_keys},
    user::LoginRecord,
};

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
    /// The key with this ID.
    pub fn key(&self, id: AccessKeyId) -> Option<&AccessKey> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl Account {
    /// The root user.
    pub const fn root(&self) -> &Arc<RootUser> {
        &self.root
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RootRecord {
    created: i64,
    #[serde(default)]
    keys: Vec<KeyRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<LoginRecord>,
}

impl From<&RootUser> for RootRecord {
    fn from(root: &RootUser) -> Self {
        Self {
            created: root.created.millis(),
            keys: root.keys.iter().map(KeyRecord::from).collect(),
            login: root.login.as_ref().map(LoginRecord::from),
        }
    }
}

impl Entity for RootUser {
    const KIND: &'static str = "root";
    type Id = ();
    type Record = RootRecord;

    fn entity_id(&self) -> Self::Id {}

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        Ok(Self {
            created: at(record.created),
            keys: restore_keys(record.keys, reader)?,
            login: record.login.map(LoginRecord::restore),
        })
    }

    fn insert(account: &mut Account, root: &Arc<Self>) {
        for key in &account.root.keys {
            account.keys.remove(&key.id);
        }
        for key in &root.keys {
            account.keys.insert(key.id, CredentialOwner::Root);
        }
        account.root = Arc::clone(root);
    }
}
