//! Server certificates: an X.509 certificate with its chain and its sealed private key.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use imbl::{HashMap, OrdMap};
use keywright_base::{AccountId, Arn, FoldedName, Timestamp, UniqueId};
use serde::{Deserialize, Serialize};

use super::{
    Account, Tag,
    entity::{
        Entity, RecordError, RecordReader, RemovableEntity, TagRecord, at, restore_tags,
        tag_records,
    },
};
use crate::vault::{SealPurpose, SealedValue};

/// A server certificate.
#[derive(Debug, Clone)]
pub(crate) struct ServerCertificate {
    /// `ASCA…`.
    pub(crate) id: UniqueId,
    /// `/` or `/…/`.
    pub(crate) path: String,
    /// Its name, as given.
    pub(crate) name: String,
    /// The certificate in PEM.
    pub(crate) body: Arc<str>,
    /// The certificates above it in PEM.
    pub(crate) chain: Option<Arc<str>>,
    /// The private key (PEM), at [`ServerCertificate::place`].
    pub(crate) private_key: SealedValue,
    /// When it was uploaded, whole seconds.
    pub(crate) uploaded: Timestamp,
    /// When it expires.
    pub(crate) expires: Timestamp,
    /// At most 50; keys are case-sensitive.
    pub(crate) tags: Vec<Tag>,
}

impl ServerCertificate {
    /// `arn:aws:iam::ACCOUNT:server-certificate/path/name`.
    pub(crate) fn arn(&self, account: AccountId) -> Arn {
        Arn::iam_entity(account, "server-certificate", &self.path, &self.name)
    }

    /// What its private key is sealed for.
    pub(crate) fn place(id: &UniqueId) -> (SealPurpose, &str) {
        (SealPurpose::ServerCertificate, id.as_str())
    }
}

/// The server certificates of an account.
#[derive(Debug, Clone, Default)]
pub(super) struct ServerCertificateIndex {
    by_name: OrdMap<FoldedName, Arc<ServerCertificate>>,
    names: HashMap<UniqueId, FoldedName>,
}

impl Account {
    /// A server certificate by name in any case.
    pub(crate) fn server_certificate(&self, name: &str) -> Option<&Arc<ServerCertificate>> {
        self.server_certificates.by_name.get(&FoldedName::new(name))
    }

    /// All server certificates, ordered by name without regard to case.
    pub(crate) const fn server_certificates(&self) -> &OrdMap<FoldedName, Arc<ServerCertificate>> {
        &self.server_certificates.by_name
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ServerCertificateRecord {
    id: String,
    path: String,
    name: String,
    body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain: Option<String>,
    private_key: String,
    uploaded: i64,
    expires: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagRecord>,
}

impl From<&ServerCertificate> for ServerCertificateRecord {
    fn from(certificate: &ServerCertificate) -> Self {
        Self {
            id: certificate.id.to_string(),
            path: certificate.path.clone(),
            name: certificate.name.clone(),
            body: certificate.body.to_string(),
            chain: certificate.chain.as_deref().map(str::to_owned),
            private_key: BASE64_STANDARD.encode(certificate.private_key.as_bytes()),
            uploaded: certificate.uploaded.millis(),
            expires: certificate.expires.millis(),
            tags: tag_records(&certificate.tags),
        }
    }
}

impl Entity for ServerCertificate {
    const KIND: &'static str = "server-certificate";
    type Id = UniqueId;
    type Record = ServerCertificateRecord;

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
            body: record.body.into(),
            chain: record.chain.map(Arc::from),
            private_key: reader.sealed(&record.private_key)?,
            uploaded: at(record.uploaded),
            expires: at(record.expires),
            tags: restore_tags(record.tags),
        })
    }

    fn insert(account: &mut Account, certificate: &Arc<Self>) {
        Self::remove(account, &certificate.id);
        let index = &mut account.server_certificates;
        let name = FoldedName::new(&certificate.name);
        index.names.insert(certificate.id, name.clone());
        index.by_name.insert(name, Arc::clone(certificate));
    }
}

impl RemovableEntity for ServerCertificate {
    fn remove(account: &mut Account, id: &Self::Id) {
        let index = &mut account.server_certificates;
        if let Some(name) = index.names.remove(id) {
            index.by_name.remove(&name);
        }
    }
}
