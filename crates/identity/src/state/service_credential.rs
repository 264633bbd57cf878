//! Service-specific credentials of users: a user name and a password, or an API key, for one
//! service.

use std::sync::Arc;

use keywright_base::{Timestamp, UniqueId};
use serde::{Deserialize, Serialize};

use super::{
    Account, CredentialOwner, KeyStatus,
    entity::{Entity, RecordError, RecordReader, RemovableEntity, at},
    owned::OwnedCredential,
};

/// A service-specific credential.
#[derive(Debug, Clone)]
pub(crate) struct ServiceCredential {
    /// `ACCA…`.
    pub(crate) id: UniqueId,
    /// The user whose credential it is.
    pub(crate) user: UniqueId,
    /// For example `codecommit.amazonaws.com`.
    pub(crate) service: String,
    /// Its public half, which stays when the user is renamed.
    pub(crate) alias: String,
    /// SHA-256 of its secret half, in hexadecimal. The secret is random, so it cannot be guessed.
    pub(crate) secret_digest: String,
    /// Whether it is accepted.
    pub(crate) status: KeyStatus,
    /// When it was created, whole seconds.
    pub(crate) created: Timestamp,
    /// When it expires, if it does.
    pub(crate) expires: Option<Timestamp>,
}

impl Account {
    /// The service-specific credentials of a user, ordered by id.
    pub(crate) fn service_credentials_of(
        &self,
        user: UniqueId,
    ) -> impl Iterator<Item = &Arc<ServiceCredential>> {
        self.service_credentials.of(CredentialOwner::User(user))
    }

    /// A service-specific credential by id.
    pub(crate) fn service_credential(&self, id: UniqueId) -> Option<&Arc<ServiceCredential>> {
        self.service_credentials.get(&id)
    }

    /// All service-specific credentials, ordered by id.
    pub(crate) fn service_credentials(&self) -> impl Iterator<Item = &Arc<ServiceCredential>> {
        self.service_credentials.all()
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ServiceCredentialRecord {
    id: String,
    user: String,
    service: String,
    alias: String,
    secret_digest: String,
    active: bool,
    created: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
}

impl From<&ServiceCredential> for ServiceCredentialRecord {
    fn from(credential: &ServiceCredential) -> Self {
        Self {
            id: credential.id.to_string(),
            user: credential.user.to_string(),
            service: credential.service.clone(),
            alias: credential.alias.clone(),
            secret_digest: credential.secret_digest.clone(),
            active: credential.status == KeyStatus::Active,
            created: credential.created.millis(),
            expires: credential.expires.map(Timestamp::millis),
        }
    }
}

impl Entity for ServiceCredential {
    const KIND: &'static str = "service-credential";
    type Id = UniqueId;
    type Record = ServiceCredentialRecord;

    fn entity_id(&self) -> Self::Id {
        self.id
    }

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        Ok(Self {
            id: reader.id(&record.id)?,
            user: reader.id(&record.user)?,
            service: record.service,
            alias: record.alias,
            secret_digest: record.secret_digest,
            status: KeyStatus::of(record.active),
            created: at(record.created),
            expires: record.expires.map(at),
        })
    }

    fn insert(account: &mut Account, credential: &Arc<Self>) {
        account.service_credentials.insert(credential);
    }
}

impl OwnedCredential for ServiceCredential {
    fn owner(&self) -> CredentialOwner {
        CredentialOwner::User(self.user)
    }
}

impl RemovableEntity for ServiceCredential {
    fn remove(account: &mut Account, id: &Self::Id) {
        account.service_credentials.remove(id);
    }
}
