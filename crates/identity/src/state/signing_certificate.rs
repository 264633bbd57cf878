//! Signing certificates of users and of root.

use std::sync::Arc;

use keywright_base::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Account, CredentialOwner, KeyStatus,
    entity::{Entity, RecordError, RecordReader, RemovableEntity, at},
    owned::OwnedCredential,
};

/// An X.509 signing certificate.
#[derive(Debug, Clone)]
pub(crate) struct SigningCertificate {
    /// Thirty-two letters and digits.
    pub(crate) id: String,
    /// Whose it is.
    pub(crate) owner: CredentialOwner,
    /// As it was uploaded: PEM.
    pub(crate) body: String,
    /// SHA-256 of the certificate itself, in hexadecimal.
    pub(crate) digest: String,
    /// Whether it is accepted.
    pub(crate) status: KeyStatus,
    /// When it was uploaded, whole seconds.
    pub(crate) uploaded: Timestamp,
}

impl Account {
    /// The signing certificates of an owner, ordered by id.
    pub(crate) fn signing_certificates_of(
        &self,
        owner: CredentialOwner,
    ) -> impl Iterator<Item = &Arc<SigningCertificate>> {
        self.signing_certificates.of(owner)
    }

    /// All signing certificates, ordered by id.
    pub(crate) fn signing_certificates(&self) -> impl Iterator<Item = &Arc<SigningCertificate>> {
        self.signing_certificates.all()
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SigningCertificateRecord {
    id: String,
    /// The user's unique id; absent for root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    body: String,
    digest: String,
    active: bool,
    uploaded: i64,
}

impl From<&SigningCertificate> for SigningCertificateRecord {
    fn from(certificate: &SigningCertificate) -> Self {
        Self {
            id: certificate.id.clone(),
            user: certificate.owner.to_stored(),
            body: certificate.body.clone(),
            digest: certificate.digest.clone(),
            active: certificate.status == KeyStatus::Active,
            uploaded: certificate.uploaded.millis(),
        }
    }
}

impl Entity for SigningCertificate {
    const KIND: &'static str = "signing-certificate";
    type Id = String;
    type Record = SigningCertificateRecord;

    fn entity_id(&self) -> Self::Id {
        self.id.clone()
    }

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        Ok(Self {
            id: record.id,
            owner: CredentialOwner::restore(record.user.as_deref(), reader)?,
            body: record.body,
            digest: record.digest,
            status: KeyStatus::of(record.active),
            uploaded: at(record.uploaded),
        })
    }

    fn insert(account: &mut Account, certificate: &Arc<Self>) {
        account.signing_certificates.insert(certificate);
    }
}

impl OwnedCredential for SigningCertificate {
    fn owner(&self) -> CredentialOwner {
        self.owner
    }
}

impl RemovableEntity for SigningCertificate {
    fn remove(account: &mut Account, id: &Self::Id) {
        account.signing_certificates.remove(id);
    }
}
