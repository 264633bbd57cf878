//! Groups: a name, a path and grants. Membership is stored with the users.

use std::sync::Arc;

use imbl::{HashMap, OrdMap, OrdSet};
use keywright_base::{AccountId, Arn, FoldedName, Timestamp, UniqueId};
use serde::{Deserialize, Serialize};

use super::{
    Account, DirectGrants,
    entity::{Entity, RecordError, RecordReader, RemovableEntity, at},
    policy::GrantsRecord,
};

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

/// The groups of an account.
#[derive(Debug, Clone, Default)]
pub(super) struct GroupIndex {
    by_name: OrdMap<FoldedName, Arc<Group>>,
    names: HashMap<UniqueId, FoldedName>,
}

impl GroupIndex {
    /// Removes a group; its members stay indexed.
    fn take(&mut self, id: UniqueId) -> Option<(FoldedName, Arc<Group>)> {
        let name = self.names.remove(&id)?;
        let group = self.by_name.remove(&name)?;
        Some((name, group))
    }
}

impl Account {
    /// A group by name in any case.
    pub fn group(&self, name: &str) -> Option<&Arc<Group>> {
        self.groups.by_name.get(&FoldedName::new(name))
    }

    /// A group by its immutable ID.
    pub fn group_by_id(&self, id: UniqueId) -> Option<&Arc<Group>> {
        self.groups.by_name.get(self.groups.names.get(&id)?)
    }

    /// All groups, ordered by name without regard to case.
    pub const fn groups(&self) -> &OrdMap<FoldedName, Arc<Group>> {
        &self.groups.by_name
    }

    /// The folded names of a group's members, in order.
    pub fn members(&self, group: UniqueId) -> OrdSet<FoldedName> {
        self.members.get(&group).cloned().unwrap_or_default()
    }

    fn take_group(&mut self, id: UniqueId) {
        let Some((name, group)) = self.groups.take(id) else {
            return;
        };
        for arn in &group.grants.attached {
            self.uses_of(arn).groups.remove(&name);
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    id: String,
    path: String,
    name: String,
    created: i64,
    #[serde(default)]
    grants: GrantsRecord,
}

impl From<&Group> for GroupRecord {
    fn from(group: &Group) -> Self {
        Self {
            id: group.id.to_string(),
            path: group.path.clone(),
            name: group.name.clone(),
            created: group.created.millis(),
            grants: GrantsRecord::from(&group.grants),
        }
    }
}

impl Entity for Group {
    const KIND: &'static str = "group";
    type Id = UniqueId;
    type Record = GroupRecord;

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
            created: at(record.created),
            grants: record.grants.restore(reader),
        })
    }

    fn insert(account: &mut Account, group: &Arc<Self>) {
        account.take_group(group.id);
        let name = FoldedName::new(&group.name);
        for arn in &group.grants.attached {
            account.uses_of(arn).groups.insert(name.clone());
        }
        account.groups.names.insert(group.id, name.clone());
        account.groups.by_name.insert(name, Arc::clone(group));
        account.grants_changed();
    }
}

impl RemovableEntity for Group {
    fn remove(account: &mut Account, id: &Self::Id) {
        account.take_group(*id);
        account.members.remove(id);
        account.grants_changed();
    }
}
