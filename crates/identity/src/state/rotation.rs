//! Rotation policies: which users' keys the server rotates by itself.

use keywright_base::Timestamp;

use super::Tag;
use crate::on_behalf::OnBehalf;

/// Which users a policy is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserSelector {
    /// Those whose path begins so; it ends with a slash.
    Path(String),
    /// Those that have all these tags.
    Tags(Vec<Tag>),
    /// All.
    Everyone,
}

/// A rotation policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationPolicy {
    /// Its name, as given.
    pub name: String,
    /// Whom it is about.
    pub selector: UserSelector,
    /// Days at which a key is due.
    pub max_age_days: i32,
    /// Days over which users are spread before that.
    pub jitter_days: i32,
    /// Seconds that the old key must be quiet.
    pub observe_secs: i32,
    /// Seconds that it stays inactive.
    pub dwell_secs: i32,
    /// Where new keys go; `{user}` is replaced.
    pub places: Vec<String>,
    /// For whom its rotations are done: whoever put it last.
    pub by: OnBehalf,
    /// That principal's ARN of then.
    pub by_arn: String,
    /// When it was first put.
    pub created: Timestamp,
    /// When it was last put.
    pub updated: Timestamp,
}
