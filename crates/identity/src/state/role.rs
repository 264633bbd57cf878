//! Roles: a trust policy, grants, and the maximum duration of their sessions.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use imbl::OrdMap;
use keywright_base::{AccountId, Arn, FoldedName, Timestamp, UniqueId};
use keywright_policy::PolicySet;
use serde::{Deserialize, Serialize};

use super::{
    Account, DirectGrants, Tag, TrustPolicy,
    entity::{
        Entity, RecordError, RecordReader, RemovableEntity, TagRecord, at, restore_tags,
        tag_records,
    },
    policy::GrantsRecord,
};

/// A role.
#[derive(Debug)]
pub struct Role {
    /// `AROA…`.
    pub id: UniqueId,
    /// `/` or `/…/`.
    pub path: String,
    /// Its name, as given.
    pub name: String,
    /// At most 1000 characters.
    pub description: Option<String>,
    /// When it was created, whole seconds.
    pub created: Timestamp,
    /// The maximum session duration, 3600 to 43200 seconds.
    pub max_session_secs: i32,
    /// Who may assume it.
    pub trust: TrustPolicy,
    /// At most 50; keys are unique without regard to case.
    pub tags: Vec<Tag>,
    /// What its sessions are granted.
    pub grants: DirectGrants,
    /// ARN of the permissions boundary.
    pub boundary: Option<Arc<str>>,
    /// The compiled policies in effect, with the [`Account::grants_version`] at which they were
    /// compiled.
    pub effective: ArcSwapOption<(u64, PolicySet)>,
}

impl Clone for Role {
    /// Omits the compiled policies, because the copy may be about to change.
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            path: self.path.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            created: self.created,
            max_session_secs: self.max_session_secs,
            trust: self.trust.clone(),
            tags: self.tags.clone(),
            grants: self.grants.clone(),
            boundary: self.boundary.clone(),
            effective: ArcSwapOption::empty(),
        }
    }
}

impl Role {
    /// `arn:aws:iam::ACCOUNT:role/path/name`.
    pub fn arn(&self, account: AccountId) -> Arn {
        Arn::iam_entity(account, "role", &self.path, &self.name)
    }

    /// Whether only its service may change it.
    pub fn is_service_linked(&self) -> bool {
        self.path.starts_with("/aws-service-role/")
    }
}

/// The roles of an account.
#[derive(Debug, Clone, Default)]
pub(super) struct RoleIndex {
    by_name: OrdMap<FoldedName, Arc<Role>>,
    by_id: OrdMap<UniqueId, Arc<Role>>,
}

impl Account {
    /// A role by name in any case.
    pub fn role(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.by_name.get(&FoldedName::new(name))
    }

    /// A role by its ARN, in its current spelling.
    pub fn role_by_arn(&self, arn: &str) -> Option<&Arc<Role>> {
        let named = self.role(arn.rsplit('/').next()?);
        named.filter(|role| role.arn(self.id()).as_str() == arn)
    }

    /// The role of a session: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub fn role_of_session(&self, arn: &str) -> Option<&Arc<Role>> {
        let prefix = Arn::sts(self.id(), "assumed-role/");
        let (name, _) = arn.strip_prefix(prefix.as_str())?.split_once('/')?;
        self.role(name)
    }

    /// A role by its immutable ID.
    pub fn role_by_id(&self, id: UniqueId) -> Option<&Arc<Role>> {
        self.roles.by_id.get(&id)
    }

    /// All roles, ordered by name without regard to case.
    pub const fn roles(&self) -> &OrdMap<FoldedName, Arc<Role>> {
        &self.roles.by_name
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RoleRecord {
    id: String,
    path: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    created: i64,
    max_session_secs: i32,
    trust: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagRecord>,
    #[serde(default)]
    grants: GrantsRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boundary: Option<String>,
}

impl From<&Role> for RoleRecord {
    fn from(role: &Role) -> Self {
        Self {
            id: role.id.to_string(),
            path: role.path.clone(),
            name: role.name.clone(),
            description: role.description.clone(),
            created: role.created.millis(),
            max_session_secs: role.max_session_secs,
            trust: role.trust.stored().to_string(),
            tags: tag_records(&role.tags),
            grants: GrantsRecord::from(&role.grants),
            boundary: role.boundary.as_ref().map(ToString::to_string),
        }
    }
}

impl Entity for Role {
    const KIND: &'static str = "role";
    type Id = UniqueId;
    type Record = RoleRecord;

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
            description: record.description,
            created: at(record.created),
            max_session_secs: record.max_session_secs,
            trust: TrustPolicy::new(record.trust.into()),
            tags: restore_tags(record.tags),
            grants: record.grants.restore(reader),
            boundary: record.boundary.map(|arn| reader.arn(&arn)),
            effective: ArcSwapOption::empty(),
        })
    }

    fn insert(account: &mut Account, role: &Arc<Self>) {
        Self::remove(account, &role.id);
        let name = FoldedName::new(&role.name);
        for arn in &role.grants.attached {
            account.uses_of(arn).roles.insert(name.clone());
        }
        if let Some(arn) = &role.boundary {
            account.uses_of(arn).role_boundaries.insert(name.clone());
        }
        account.roles.by_id.insert(role.id, Arc::clone(role));
        account.roles.by_name.insert(name, Arc::clone(role));
    }
}

impl RemovableEntity for Role {
    fn remove(account: &mut Account, id: &Self::Id) {
        let Some(role) = account.roles.by_id.remove(id) else {
            return;
        };
        let name = FoldedName::new(&role.name);
        account.roles.by_name.remove(&name);
        for arn in &role.grants.attached {
            account.uses_of(arn).roles.remove(&name);
        }
        if let Some(arn) = &role.boundary {
            account.uses_of(arn).role_boundaries.remove(&name);
        }
    }
}
