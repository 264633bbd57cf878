//! Credentials that are entities of their own and belong to a user or to root: an index by id and
//! by owner, once for all of them.

use std::sync::Arc;

use imbl::{HashMap, OrdMap, OrdSet};

use super::{CredentialOwner, entity::Entity};

/// A credential with an owner, who never changes.
pub(crate) trait OwnedCredential: Entity<Id: Ord + Clone> {
    /// Whose it is.
    fn owner(&self) -> CredentialOwner;
}

/// The credentials of one kind in an account.
#[derive(Debug)]
pub(super) struct OwnedIndex<E: OwnedCredential> {
    by_id: OrdMap<E::Id, Arc<E>>,
    of_owners: HashMap<CredentialOwner, OrdSet<E::Id>>,
}

impl<E: OwnedCredential> Clone for OwnedIndex<E> {
    fn clone(&self) -> Self {
        Self {
            by_id: self.by_id.clone(),
            of_owners: self.of_owners.clone(),
        }
    }
}

impl<E: OwnedCredential> Default for OwnedIndex<E> {
    fn default() -> Self {
        Self {
            by_id: OrdMap::new(),
            of_owners: HashMap::new(),
        }
    }
}

impl<E: OwnedCredential> OwnedIndex<E> {
    pub(super) fn insert(&mut self, credential: &Arc<E>) {
        let id = credential.entity_id();
        let ids = self.of_owners.entry(credential.owner()).or_default();
        ids.insert(id.clone());
        self.by_id.insert(id, Arc::clone(credential));
    }

    pub(super) fn remove(&mut self, id: &E::Id) {
        let Some(credential) = self.by_id.remove(id) else {
            return;
        };
        let owner = credential.owner();
        if let Some(ids) = self.of_owners.get_mut(&owner) {
            ids.remove(id);
            if ids.is_empty() {
                self.of_owners.remove(&owner);
            }
        }
    }

    /// One by id.
    pub(super) fn get(&self, id: &E::Id) -> Option<&Arc<E>> {
        self.by_id.get(id)
    }

    /// All of them, ordered by id.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<E>> {
        self.by_id.values()
    }

    /// Those of an owner, ordered by id.
    pub(super) fn of(&self, owner: CredentialOwner) -> impl Iterator<Item = &Arc<E>> {
        let ids = self.of_owners.get(&owner).into_iter().flatten();
        ids.filter_map(|id| self.by_id.get(id))
    }
}
