//! The stored form of rotation policies.

use keywright_base::Timestamp;
use keywright_store::contract::StateRecord;
use serde::{Deserialize, Serialize};

use super::{RecordError, TagRecord, at, bad, id, restore_tags, tags};
use crate::{
    on_behalf::OnBehalf,
    state::{RotationPolicy, UserSelector},
};

#[derive(Serialize, Deserialize)]
enum SelectorRecord {
    Path(String),
    Tags(Vec<TagRecord>),
    Everyone,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RotationPolicyRecord {
    name: String,
    selector: SelectorRecord,
    max_age_days: i32,
    jitter_days: i32,
    observe_secs: i32,
    dwell_secs: i32,
    places: Vec<String>,
    account: String,
    /// The user's unique id; absent for root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// When a multi-factor code had been given.
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
                UserSelector::Tags(all) => SelectorRecord::Tags(tags(all)),
                UserSelector::Everyone => SelectorRecord::Everyone,
            },
            max_age_days: policy.max_age_days,
            jitter_days: policy.jitter_days,
            observe_secs: policy.observe_secs,
            dwell_secs: policy.dwell_secs,
            places: policy.places.clone(),
            account: policy.by.account.to_string(),
            user: policy.by.user.map(|user| user.to_string()),
            mfa_at: policy.by.mfa.map(Timestamp::millis),
            arn: policy.by_arn.clone(),
            created: policy.created.millis(),
            updated: policy.updated.millis(),
        }
    }
}

impl RotationPolicyRecord {
    pub(super) fn restore(self, record: &StateRecord) -> Result<RotationPolicy, RecordError> {
        let account = self.account.parse();
        Ok(RotationPolicy {
            name: self.name,
            selector: match self.selector {
                SelectorRecord::Path(path) => UserSelector::Path(path),
                SelectorRecord::Tags(all) => UserSelector::Tags(restore_tags(all)),
                SelectorRecord::Everyone => UserSelector::Everyone,
            },
            max_age_days: self.max_age_days,
            jitter_days: self.jitter_days,
            observe_secs: self.observe_secs,
            dwell_secs: self.dwell_secs,
            places: self.places,
            by: OnBehalf {
                account: account.map_err(|_| bad(record, "an account does not parse"))?,
                user: self.user.map(|user| id(record, &user)).transpose()?,
                mfa: self.mfa_at.map(at),
            },
            by_arn: self.arn,
            created: at(self.created),
            updated: at(self.updated),
        })
    }
}
