//! Rotation policies: the users whose keys the server rotates automatically.

use std::sync::Arc;

use imbl::OrdMap;
use keywright_base::{FoldedName, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Account, CredentialOwner, Tag,
    entity::{
        Entity, RecordError, RecordReader, RemovableEntity, TagRecord, at, restore_tags,
        tag_records,
    },
};
use crate::on_behalf::OnBehalf;

/// The users that a policy covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserSelector {
    /// Users whose path starts with this, which ends with a slash.
    Path(String),
    /// Users that have all of these tags.
    Tags(Vec<Tag>),
    /// All users.
    Everyone,
}

/// A rotation policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationPolicy {
    /// Its name, as given.
    pub name: String,
    /// The users it covers.
    pub selector: UserSelector,
    /// Age in days at which a key is due.
    pub max_age_days: i32,
    /// The number of days before that over which users' rotations are spread.
    pub jitter_days: i32,
    /// Seconds for which the old key must be unused.
    pub observe_secs: i32,
    /// Seconds for which it stays inactive.
    pub dwell_secs: i32,
    /// The destinations of new keys; `{user}` is replaced.
    pub places: Vec<String>,
    /// The principal that its rotations act for: the one who last put it.
    pub by: OnBehalf,
    /// That principal's ARN at the time.
    pub by_arn: String,
    /// When it was first put.
    pub created: Timestamp,
    /// When it was last put.
    pub updated: Timestamp,
}

impl Account {
    /// A rotation policy by name in any case.
    pub fn rotation_policy(&self, name: &str) -> Option<&Arc<RotationPolicy>> {
        self.rotation_policies.get(&FoldedName::new(name))
    }

    /// All rotation policies, ordered by name without regard to case.
    pub const fn rotation_policies(&self) -> &OrdMap<FoldedName, Arc<RotationPolicy>> {
        &self.rotation_policies
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum SelectorRecord {
    Path(String),
    Tags(Vec<TagRecord>),
    Everyone,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RotationPolicyRecord {
    name: String,
    selector: SelectorRecord,
    max_age_days: i32,
    jitter_days: i32,
    observe_secs: i32,
    dwell_secs: i32,
    places: Vec<String>,
    account: String,
    /// The user's unique ID; absent for root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// When the principal had authenticated with MFA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mfa_at: Option<i64>,
    arn: String,
    created: i64,
    updated: i64,
}

impl From<&RotationPolicy> for RotationPolicyRecord {
    fn from(policy: &RotationPolicy) -> Self {
        Self {
            name: policy.name.clone(),
            selector: match &policy.selector {
                UserSelector::Path(path) => SelectorRecord::Path(path.clone()),
                UserSelector::Tags(all) => SelectorRecord::Tags(tag_records(all)),
                UserSelector::Everyone => SelectorRecord::Everyone,
            },
            max_age_days: policy.max_age_days,
            jitter_days: policy.jitter_days,
            observe_secs: policy.observe_secs,
            dwell_secs: policy.dwell_secs,
            places: policy.places.clone(),
            account: policy.by.account.to_string(),
            user: policy.by.owner.to_stored(),
            mfa_at: policy.by.mfa.map(Timestamp::millis),
            arn: policy.by_arn.clone(),
            created: policy.created.millis(),
            updated: policy.updated.millis(),
        }
    }
}

impl Entity for RotationPolicy {
    const KIND: &'static str = "rotation-policy";
    type Id = FoldedName;
    type Record = RotationPolicyRecord;

    fn entity_id(&self) -> Self::Id {
        FoldedName::new(&self.name)
    }

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        let account = record.account.parse();
        Ok(Self {
            name: record.name,
            selector: match record.selector {
                SelectorRecord::Path(path) => UserSelector::Path(path),
                SelectorRecord::Tags(all) => UserSelector::Tags(restore_tags(all)),
                SelectorRecord::Everyone => UserSelector::Everyone,
            },
            max_age_days: record.max_age_days,
            jitter_days: record.jitter_days,
            observe_secs: record.observe_secs,
            dwell_secs: record.dwell_secs,
            places: record.places,
            by: OnBehalf {
                account: account.map_err(|_| reader.error("an account does not parse"))?,
                owner: CredentialOwner::restore(record.user.as_deref(), reader)?,
                mfa: record.mfa_at.map(at),
            },
            by_arn: record.arn,
            created: at(record.created),
            updated: at(record.updated),
        })
    }

    fn insert(account: &mut Account, policy: &Arc<Self>) {
        let name = policy.entity_id();
        account.rotation_policies.insert(name, Arc::clone(policy));
    }
}

impl RemovableEntity for RotationPolicy {
    fn remove(account: &mut Account, name: &Self::Id) {
        account.rotation_policies.remove(name);
    }
}
