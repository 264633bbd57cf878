//! SAML identity providers: a metadata document, and private keys for encrypted assertions.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use imbl::OrdMap;
use keywright_base::{AccountId, Arn, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Account, Tag,
    entity::{
        Entity, RecordError, RecordReader, RemovableEntity, TagRecord, at, restore_tags,
        tag_records,
    },
};
use crate::vault::{SealPurpose, SealedValue};

/// A SAML identity provider.
#[derive(Debug, Clone)]
pub(crate) struct SamlProvider {
    /// Its name, which never changes and is unique in its case.
    pub(crate) name: String,
    /// Thirty-two letters and digits.
    pub(crate) id: String,
    /// The metadata document, as it was given.
    pub(crate) metadata: Arc<str>,
    /// Whether assertions must be encrypted.
    pub(crate) requires_encryption: bool,
    /// At most two.
    pub(crate) private_keys: Vec<SamlPrivateKey>,
    /// When it was created, whole seconds.
    pub(crate) created: Timestamp,
    /// At most 50; keys are case-sensitive.
    pub(crate) tags: Vec<Tag>,
}

/// A private key that decrypts assertions.
#[derive(Debug, Clone)]
pub(crate) struct SamlPrivateKey {
    /// Thirty-two letters and digits.
    pub(crate) id: String,
    /// When it was added, whole seconds.
    pub(crate) added: Timestamp,
    /// The key (PEM), at [`SamlPrivateKey::place`].
    pub(crate) sealed: SealedValue,
}

impl SamlPrivateKey {
    /// What a key is sealed for.
    pub(crate) const fn place(id: &str) -> (SealPurpose, &str) {
        (SealPurpose::SamlKey, id)
    }
}

impl SamlProvider {
    /// `arn:aws:iam::ACCOUNT:saml-provider/name`.
    pub(crate) fn arn(&self, account: AccountId) -> Arn {
        Arn::iam(account, &format!("saml-provider/{}", self.name))
    }
}

impl Account {
    /// A SAML provider by its ARN.
    pub(crate) fn saml_provider(&self, arn: &str) -> Option<&Arc<SamlProvider>> {
        let prefix = format!("arn:aws:iam::{}:saml-provider/", self.id());
        self.saml_providers.get(arn.strip_prefix(&prefix)?)
    }

    /// All SAML providers by name.
    pub(crate) const fn saml_providers(&self) -> &OrdMap<String, Arc<SamlProvider>> {
        &self.saml_providers
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SamlKeyRecord {
    id: String,
    added: i64,
    key: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SamlProviderRecord {
    name: String,
    id: String,
    metadata: String,
    #[serde(default)]
    requires_encryption: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    private_keys: Vec<SamlKeyRecord>,
    created: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagRecord>,
}

impl From<&SamlProvider> for SamlProviderRecord {
    fn from(provider: &SamlProvider) -> Self {
        let key = |key: &SamlPrivateKey| SamlKeyRecord {
            id: key.id.clone(),
            added: key.added.millis(),
            key: BASE64_STANDARD.encode(key.sealed.as_bytes()),
        };
        Self {
            name: provider.name.clone(),
            id: provider.id.clone(),
            metadata: provider.metadata.to_string(),
            requires_encryption: provider.requires_encryption,
            private_keys: provider.private_keys.iter().map(key).collect(),
            created: provider.created.millis(),
            tags: tag_records(&provider.tags),
        }
    }
}

impl Entity for SamlProvider {
    const KIND: &'static str = "saml-provider";
    type Id = String;
    type Record = SamlProviderRecord;

    fn entity_id(&self) -> Self::Id {
        self.name.clone()
    }

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        let key = |key: SamlKeyRecord| {
            Ok(SamlPrivateKey {
                id: key.id,
                added: at(key.added),
                sealed: reader.sealed(&key.key)?,
            })
        };
        let keys = record.private_keys.into_iter().map(key);
        Ok(Self {
            name: record.name,
            id: record.id,
            metadata: record.metadata.into(),
            requires_encryption: record.requires_encryption,
            private_keys: keys.collect::<Result<_, RecordError>>()?,
            created: at(record.created),
            tags: restore_tags(record.tags),
        })
    }

    fn insert(account: &mut Account, provider: &Arc<Self>) {
        let name = provider.name.clone();
        account.saml_providers.insert(name, Arc::clone(provider));
    }
}

impl RemovableEntity for SamlProvider {
    fn remove(account: &mut Account, name: &Self::Id) {
        account.saml_providers.remove(name);
    }
}
