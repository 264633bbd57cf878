//! OpenID Connect providers: issuers whose tokens may assume roles of the account.
//!
//! A provider is its URL without the scheme, exactly as it was given: that is its ARN, the prefix
//! of its condition keys, and what a token's issuer is compared with.

use std::sync::Arc;

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

/// An OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIdProvider {
    /// The URL without `https://`: `HOST[:PORT][/PATH]`.
    pub name: String,
    /// When it was created, whole seconds.
    pub created: Timestamp,
    /// The audiences that its tokens may be for, at most 100.
    pub client_ids: Vec<String>,
    /// SHA-1 of the certificates that may vouch for it, in lower-case hexadecimal, at most five.
    pub thumbprints: Vec<String>,
    /// At most 50; keys are case-sensitive.
    pub tags: Vec<Tag>,
}

impl OpenIdProvider {
    /// `arn:aws:iam::ACCOUNT:oidc-provider/HOST/PATH`.
    pub fn arn(&self, account: AccountId) -> Arn {
        Arn::iam(account, &format!("{PREFIX}{}", self.name))
    }

    /// Its issuer URL, without a slash at the end.
    pub fn issuer(&self) -> String {
        format!("{SCHEME}{}", without_slash(&self.name))
    }

    /// The name of the provider with this issuer or URL. `None` if it is not https.
    pub fn name_of(url: &str) -> Option<&str> {
        url.strip_prefix(SCHEME)
    }
}

const SCHEME: &str = "https://";
const PREFIX: &str = "oidc-provider/";

/// Some issuers write a slash at the end of their tokens' `iss` and none in their URL.
fn without_slash(name: &str) -> &str {
    name.strip_suffix('/').unwrap_or(name)
}

impl Account {
    /// An OpenID Connect provider by its ARN.
    pub fn open_id_provider(&self, arn: &str) -> Option<&Arc<OpenIdProvider>> {
        let prefix = Arn::iam(self.id(), PREFIX);
        let name = arn.strip_prefix(prefix.as_str())?;
        self.open_id_providers.get(name)
    }

    /// The OpenID Connect provider that issues tokens with this `iss`.
    pub fn provider_of_issuer(&self, issuer: &str) -> Option<&Arc<OpenIdProvider>> {
        let name = without_slash(OpenIdProvider::name_of(issuer)?);
        let providers = &self.open_id_providers;
        providers
            .get(name)
            .or_else(|| providers.get(&format!("{name}/")))
    }

    /// All OpenID Connect providers, ordered by name.
    pub const fn open_id_providers(&self) -> &OrdMap<String, Arc<OpenIdProvider>> {
        &self.open_id_providers
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OpenIdProviderRecord {
    name: String,
    created: i64,
    #[serde(default)]
    client_ids: Vec<String>,
    #[serde(default)]
    thumbprints: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagRecord>,
}

impl From<&OpenIdProvider> for OpenIdProviderRecord {
    fn from(provider: &OpenIdProvider) -> Self {
        Self {
            name: provider.name.clone(),
            created: provider.created.millis(),
            client_ids: provider.client_ids.clone(),
            thumbprints: provider.thumbprints.clone(),
            tags: tag_records(&provider.tags),
        }
    }
}

impl Entity for OpenIdProvider {
    const KIND: &'static str = "oidc-provider";
    type Id = String;
    type Record = OpenIdProviderRecord;

    fn entity_id(&self) -> Self::Id {
        self.name.clone()
    }

    fn restore(record: Self::Record, _: &mut RecordReader<'_, '_>) -> Result<Self, RecordError> {
        Ok(Self {
            name: record.name,
            created: at(record.created),
            client_ids: record.client_ids,
            thumbprints: record.thumbprints,
            tags: restore_tags(record.tags),
        })
    }

    fn insert(account: &mut Account, provider: &Arc<Self>) {
        let providers = &mut account.open_id_providers;
        providers.insert(provider.name.clone(), Arc::clone(provider));
    }
}

impl RemovableEntity for OpenIdProvider {
    fn remove(account: &mut Account, id: &Self::Id) {
        account.open_id_providers.remove(id);
    }
}
