//! Instance profiles: containers that hand a role to a machine.

use std::sync::Arc;

use imbl::{HashMap, OrdMap, OrdSet};
use keywright_base::{AccountId, Arn, FoldedName, Timestamp, UniqueId};
use serde::{Deserialize, Serialize};

use super::{
    Account, Tag,
    entity::{
        Entity, RecordError, RecordReader, RemovableEntity, TagRecord, at, restore_tags,
        tag_records,
    },
};

/// An instance profile.
#[derive(Debug, Clone)]
pub struct InstanceProfile {
    /// `AIPA…`.
    pub id: UniqueId,
    /// `/` or `/…/`.
    pub path: String,
    /// Its name, as given.
    pub name: String,
    /// When it was created, whole seconds.
    pub created: Timestamp,
    /// The role in it. A role cannot be deleted while it is in a profile.
    pub role: Option<UniqueId>,
    /// At most 50; keys are case-sensitive.
    pub tags: Vec<Tag>,
}

impl InstanceProfile {
    /// `arn:aws:iam::ACCOUNT:instance-profile/path/name`.
    pub fn arn(&self, account: AccountId) -> Arn {
        Arn::iam_entity(account, "instance-profile", &self.path, &self.name)
    }
}

/// The instance profiles of an account.
#[derive(Debug, Clone, Default)]
pub(super) struct ProfileIndex {
    by_name: OrdMap<FoldedName, Arc<InstanceProfile>>,
    names: HashMap<UniqueId, FoldedName>,
    by_role: HashMap<UniqueId, OrdSet<FoldedName>>,
}

impl ProfileIndex {
    fn take(&mut self, id: UniqueId) {
        let Some(name) = self.names.remove(&id) else {
            return;
        };
        let role = self.by_name.remove(&name).and_then(|profile| profile.role);
        let Some(role) = role else {
            return;
        };
        if let Some(names) = self.by_role.get_mut(&role) {
            names.remove(&name);
            if names.is_empty() {
                self.by_role.remove(&role);
            }
        }
    }
}

impl Account {
    /// An instance profile by name in any case.
    pub fn instance_profile(&self, name: &str) -> Option<&Arc<InstanceProfile>> {
        self.instance_profiles.by_name.get(&FoldedName::new(name))
    }

    /// All instance profiles, ordered by name without regard to case.
    pub const fn instance_profiles(&self) -> &OrdMap<FoldedName, Arc<InstanceProfile>> {
        &self.instance_profiles.by_name
    }

    /// The instance profiles that contain a role, in the same order.
    pub fn profiles_of(&self, role: UniqueId) -> impl Iterator<Item = &Arc<InstanceProfile>> {
        let index = &self.instance_profiles;
        let names = index.by_role.get(&role).into_iter().flatten();
        names.filter_map(|name| index.by_name.get(name))
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InstanceProfileRecord {
    id: String,
    path: String,
    name: String,
    created: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagRecord>,
}

impl From<&InstanceProfile> for InstanceProfileRecord {
    fn from(profile: &InstanceProfile) -> Self {
        Self {
            id: profile.id.to_string(),
            path: profile.path.clone(),
            name: profile.name.clone(),
            created: profile.created.millis(),
            role: profile.role.map(|role| role.to_string()),
            tags: tag_records(&profile.tags),
        }
    }
}

impl Entity for InstanceProfile {
    const KIND: &'static str = "instance-profile";
    type Id = UniqueId;
    type Record = InstanceProfileRecord;

    fn entity_id(&self) -> Self::Id {
        self.id
    }

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        let role = record.role.as_deref();
        Ok(Self {
            id: reader.id(&record.id)?,
            path: record.path,
            name: record.name,
            created: at(record.created),
            role: role.map(|role| reader.id(role)).transpose()?,
            tags: restore_tags(record.tags),
        })
    }

    fn insert(account: &mut Account, profile: &Arc<Self>) {
        let index = &mut account.instance_profiles;
        index.take(profile.id);
        let name = FoldedName::new(&profile.name);
        if let Some(role) = profile.role {
            let names = index.by_role.entry(role).or_default();
            names.insert(name.clone());
        }
        index.names.insert(profile.id, name.clone());
        index.by_name.insert(name, Arc::clone(profile));
    }
}

impl RemovableEntity for InstanceProfile {
    fn remove(account: &mut Account, id: &Self::Id) {
        account.instance_profiles.take(*id);
    }
}
