//! For tests: everything that a snapshot would have in the store.

use std::sync::Arc;

use keywright_store::contract::{RecordWrite, StateRecord};

use super::{Account, StateChange, entity::Entity};

impl Account {
    /// The records of every entity, ordered by kind and ID.
    pub(crate) fn records(&self) -> Vec<StateRecord> {
        let mut records = Vec::new();
        put(&mut records, std::iter::once(&self.root));
        put(&mut records, std::iter::once(&self.settings));
        put(&mut records, self.report.iter());
        put(&mut records, self.users().values());
        put(&mut records, self.groups().values());
        put(&mut records, self.roles().values());
        put(&mut records, self.policies().values());
        put(&mut records, self.instance_profiles().values());
        put(&mut records, self.devices().values());
        put(&mut records, self.server_certificates().values());
        put(&mut records, self.ssh_public_keys.all());
        put(&mut records, self.signing_certificates.all());
        put(&mut records, self.service_credentials.all());
        put(&mut records, self.saml_providers().values());
        put(&mut records, self.open_id_providers().values());
        put(&mut records, self.rotation_policies().values());
        put(&mut records, self.deletion_tasks().values());
        records.sort_by(|one, other| (&one.kind, &one.id).cmp(&(&other.kind, &other.id)));
        records
    }
}

fn put<'a, E: Entity>(records: &mut Vec<StateRecord>, entities: impl Iterator<Item = &'a Arc<E>>) {
    for entity in entities {
        match StateChange::put_shared(Arc::clone(entity))
            .encode()
            .unwrap()
        {
            RecordWrite::Put(record) => records.push(record),
            RecordWrite::Delete { .. } => panic!("an entity is put"),
        }
    }
}
