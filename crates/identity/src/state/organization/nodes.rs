//! The places of an organization: units and accounts, with what is attached to them, and the
//! requests for new accounts.

use std::sync::Arc;

use keywright_base::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::state::{
    Account, Tag,
    entity::{
        Entity, RecordError, RecordReader, RemovableEntity, TagRecord, at, restore_tags,
        tag_records,
    },
};

/// What every root, unit and account has.
#[derive(Debug, Clone, Default)]
pub(crate) struct TargetNode {
    /// IDs of attached policies, in the order of attachment.
    pub(crate) attached: Vec<String>,
    /// At most 50; keys are case-sensitive.
    pub(crate) tags: Vec<Tag>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct NodeRecord {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attached: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagRecord>,
}

impl From<&TargetNode> for NodeRecord {
    fn from(node: &TargetNode) -> Self {
        Self {
            attached: node.attached.clone(),
            tags: tag_records(&node.tags),
        }
    }
}

impl NodeRecord {
    pub(super) fn restore(self) -> TargetNode {
        TargetNode {
            attached: self.attached,
            tags: restore_tags(self.tags),
        }
    }
}

/// An organizational unit.
#[derive(Debug, Clone)]
pub(crate) struct OrganizationalUnit {
    /// `ou-…`.
    pub(crate) id: String,
    /// Unique in its parent.
    pub(crate) name: String,
    /// The ID of the root or the unit that it is in.
    pub(crate) parent: String,
    /// What is attached to it.
    pub(crate) node: TargetNode,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UnitRecord {
    id: String,
    name: String,
    parent: String,
    node: NodeRecord,
}

impl From<&OrganizationalUnit> for UnitRecord {
    fn from(unit: &OrganizationalUnit) -> Self {
        Self {
            id: unit.id.clone(),
            name: unit.name.clone(),
            parent: unit.parent.clone(),
            node: NodeRecord::from(&unit.node),
        }
    }
}

impl Entity for OrganizationalUnit {
    const KIND: &'static str = "organizational-unit";
    type Id = String;
    type Record = UnitRecord;

    fn entity_id(&self) -> Self::Id {
        self.id.clone()
    }

    fn restore(record: Self::Record, _: &mut RecordReader<'_, '_>) -> Result<Self, RecordError> {
        Ok(Self {
            id: record.id,
            name: record.name,
            parent: record.parent,
            node: record.node.restore(),
        })
    }

    fn insert(account: &mut Account, unit: &Arc<Self>) {
        let units = &mut account.organization_mut().units;
        units.insert(unit.id.clone(), Arc::clone(unit));
    }
}

impl RemovableEntity for OrganizationalUnit {
    fn remove(account: &mut Account, id: &Self::Id) {
        account.organization_mut().units.remove(id);
    }
}

/// An account of an organization.
#[derive(Debug, Clone)]
pub(crate) struct MemberAccount {
    /// The account.
    pub(crate) id: AccountId,
    /// Its name in the organization.
    pub(crate) name: String,
    /// The address of its owner.
    pub(crate) email: String,
    /// The ID of the root or the unit that it is in.
    pub(crate) parent: String,
    /// When it became a member.
    pub(crate) joined: Timestamp,
    /// Whether the organization created it.
    pub(crate) created_here: bool,
    /// When it was closed. Its credentials are rejected since then.
    pub(crate) closed: Option<Timestamp>,
    /// What is attached to it.
    pub(crate) node: TargetNode,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MemberRecord {
    id: String,
    name: String,
    email: String,
    parent: String,
    joined: i64,
    created_here: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed: Option<i64>,
    node: NodeRecord,
}

impl From<&MemberAccount> for MemberRecord {
    fn from(member: &MemberAccount) -> Self {
        Self {
            id: member.id.to_string(),
            name: member.name.clone(),
            email: member.email.clone(),
            parent: member.parent.clone(),
            joined: member.joined.millis(),
            created_here: member.created_here,
            closed: member.closed.map(Timestamp::millis),
            node: NodeRecord::from(&member.node),
        }
    }
}

impl Entity for MemberAccount {
    const KIND: &'static str = "organization-account";
    type Id = AccountId;
    type Record = MemberRecord;

    fn entity_id(&self) -> Self::Id {
        self.id
    }

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        Ok(Self {
            id: reader.id(&record.id)?,
            name: record.name,
            email: record.email,
            parent: record.parent,
            joined: at(record.joined),
            created_here: record.created_here,
            closed: record.closed.map(at),
            node: record.node.restore(),
        })
    }

    fn insert(account: &mut Account, member: &Arc<Self>) {
        let members = &mut account.organization_mut().members;
        members.insert(member.id, Arc::clone(member));
    }
}

impl RemovableEntity for MemberAccount {
    fn remove(account: &mut Account, id: &Self::Id) {
        account.organization_mut().members.remove(id);
    }
}

/// Where the creation of an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CreationOutcome {
    /// The account is about to be made.
    InProgress,
    /// The account exists.
    Succeeded,
    /// Another account of the organization has this address.
    EmailTaken,
    /// The account could not be made.
    Failed,
}

/// A request for a new account.
#[derive(Debug, Clone)]
pub(crate) struct AccountCreation {
    /// `car-…`.
    pub(crate) id: String,
    /// The new account.
    pub(crate) account: AccountId,
    /// Its name.
    pub(crate) name: String,
    /// The role that the management account can assume in it.
    pub(crate) role: String,
    /// When it was requested.
    pub(crate) requested: Timestamp,
    /// When it ended.
    pub(crate) completed: Option<Timestamp>,
    /// Where it stands.
    pub(crate) outcome: CreationOutcome,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CreationRecord {
    id: String,
    account: String,
    name: String,
    role: String,
    requested: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    completed: Option<i64>,
    outcome: CreationOutcome,
}

impl From<&AccountCreation> for CreationRecord {
    fn from(creation: &AccountCreation) -> Self {
        Self {
            id: creation.id.clone(),
            account: creation.account.to_string(),
            name: creation.name.clone(),
            role: creation.role.clone(),
            requested: creation.requested.millis(),
            completed: creation.completed.map(Timestamp::millis),
            outcome: creation.outcome,
        }
    }
}

impl Entity for AccountCreation {
    const KIND: &'static str = "account-creation";
    type Id = String;
    type Record = CreationRecord;

    fn entity_id(&self) -> Self::Id {
        self.id.clone()
    }

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        Ok(Self {
            id: record.id,
            account: reader.id(&record.account)?,
            name: record.name,
            role: record.role,
            requested: at(record.requested),
            completed: record.completed.map(at),
            outcome: record.outcome,
        })
    }

    fn insert(account: &mut Account, creation: &Arc<Self>) {
        let creations = &mut account.organization_mut().creations;
        creations.insert(creation.id.clone(), Arc::clone(creation));
    }
}

impl RemovableEntity for AccountCreation {
    fn remove(account: &mut Account, id: &Self::Id) {
        account.organization_mut().creations.remove(id);
    }
}
