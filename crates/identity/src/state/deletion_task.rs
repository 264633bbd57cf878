//! Deletions of service-linked roles, stored so that their status can be queried.

use std::sync::Arc;

use imbl::OrdMap;
use keywright_base::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Account,
    entity::{Entity, RecordError, RecordReader, RemovableEntity, at},
};

/// A completed deletion of a service-linked role.
#[derive(Debug, Clone)]
pub struct DeletionTask {
    /// `task/aws-service-role/SERVICE/ROLE/UUID`.
    pub id: String,
    /// The ARN of the role.
    pub role_arn: String,
    /// When it was deleted, in whole seconds.
    pub deleted: Timestamp,
}

impl Account {
    /// A deletion by its ID.
    pub fn deletion_task(&self, id: &str) -> Option<&Arc<DeletionTask>> {
        self.deletion_tasks.get(id)
    }

    /// All stored deletions, by ID.
    pub const fn deletion_tasks(&self) -> &OrdMap<String, Arc<DeletionTask>> {
        &self.deletion_tasks
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DeletionTaskRecord {
    id: String,
    role_arn: String,
    deleted: i64,
}

impl From<&DeletionTask> for DeletionTaskRecord {
    fn from(task: &DeletionTask) -> Self {
        Self {
            id: task.id.clone(),
            role_arn: task.role_arn.clone(),
            deleted: task.deleted.millis(),
        }
    }
}

impl Entity for DeletionTask {
    const KIND: &'static str = "deletion-task";
    type Id = String;
    type Record = DeletionTaskRecord;

    fn entity_id(&self) -> Self::Id {
        self.id.clone()
    }

    fn restore(record: Self::Record, _: &mut RecordReader<'_, '_>) -> Result<Self, RecordError> {
        Ok(Self {
            id: record.id,
            role_arn: record.role_arn,
            deleted: at(record.deleted),
        })
    }

    fn insert(account: &mut Account, task: &Arc<Self>) {
        let id = task.id.clone();
        account.deletion_tasks.insert(id, Arc::clone(task));
    }
}

impl RemovableEntity for DeletionTask {
    fn remove(account: &mut Account, id: &Self::Id) {
        account.deletion_tasks.remove(id);
    }
}
