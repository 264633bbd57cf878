//! Groups: a name, a path and grants. Who belongs to one is kept with the users.

use keywright_base::{AccountId, Arn, Timestamp, UniqueId};

use super::DirectGrants;

/// A group.
#[derive(Debug, Clone)]
pub struct Group {
    /// `AGPA…`.
    pub id: UniqueId,
    /// `/` or `/…/`.
    pub path: String,
    /// Its name, as given.
    pub name: String,
    /// When it was created, whole seconds.
    pub created: Timestamp,
    /// What its members are granted.
    pub grants: DirectGrants,
}

impl Group {
    /// `arn:aws:iam::ACCOUNT:group/path/name`.
    pub fn arn(&self, account: AccountId) -> Arn {
        Arn::iam_entity(account, "group", &self.path, &self.name)
    }
}
