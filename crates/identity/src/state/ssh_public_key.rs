//! SSH public keys of users.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::{Timestamp, UniqueId};
use serde::{Deserialize, Serialize};

use super::{
    Account, CredentialOwner, KeyStatus,
    entity::{Entity, RecordError, RecordReader, RemovableEntity, at},
    owned::OwnedCredential,
};
use crate::ssh_keys::RsaPublicKey;

/// An SSH public key of a user.
#[derive(Debug, Clone)]
pub(crate) struct SshPublicKey {
    /// `APKA…`.
    pub(crate) id: UniqueId,
    /// The user whose key it is.
    pub(crate) user: UniqueId,
    /// The key, without the comment it was uploaded with.
    pub(crate) key: RsaPublicKey,
    /// Whether it is accepted.
    pub(crate) status: KeyStatus,
    /// When it was uploaded, whole seconds.
    pub(crate) uploaded: Timestamp,
}

impl Account {
    /// The SSH public keys of a user, ordered by id.
    pub(crate) fn ssh_public_keys_of(
        &self,
        user: UniqueId,
    ) -> impl Iterator<Item = &Arc<SshPublicKey>> {
        self.ssh_public_keys.of(CredentialOwner::User(user))
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SshPublicKeyRecord {
    id: String,
    user: String,
    /// RFC 4253's form, in base64.
    key: String,
    active: bool,
    uploaded: i64,
}

impl From<&SshPublicKey> for SshPublicKeyRecord {
    fn from(key: &SshPublicKey) -> Self {
        Self {
            id: key.id.to_string(),
            user: key.user.to_string(),
            key: BASE64_STANDARD.encode(key.key.to_ssh()),
            active: key.status == KeyStatus::Active,
            uploaded: key.uploaded.millis(),
        }
    }
}

impl Entity for SshPublicKey {
    const KIND: &'static str = "ssh-public-key";
    type Id = UniqueId;
    type Record = SshPublicKeyRecord;

    fn entity_id(&self) -> Self::Id {
        self.id
    }

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        let bytes = BASE64_STANDARD.decode(&record.key).ok();
        let key = bytes.and_then(|bytes| RsaPublicKey::from_ssh(&bytes));
        Ok(Self {
            id: reader.id(&record.id)?,
            user: reader.id(&record.user)?,
            key: key.ok_or_else(|| reader.error("a public key does not parse"))?,
            status: KeyStatus::of(record.active),
            uploaded: at(record.uploaded),
        })
    }

    fn insert(account: &mut Account, key: &Arc<Self>) {
        account.ssh_public_keys.insert(key);
    }
}

impl OwnedCredential for SshPublicKey {
    fn owner(&self) -> CredentialOwner {
        CredentialOwner::User(self.user)
    }
}

impl RemovableEntity for SshPublicKey {
    fn remove(account: &mut Account, id: &Self::Id) {
        account.ssh_public_keys.remove(id);
    }
}
