//! Virtual MFA devices: a name, a sealed seed, and the assignment to an owner.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use imbl::{HashMap, OrdMap, OrdSet};
use keywright_base::{AccountId, Arn, FoldedName, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Account, CredentialOwner, Tag,
    entity::{
        Entity, RecordError, RecordReader, RemovableEntity, TagRecord, at, restore_tags,
        tag_records,
    },
};
use crate::vault::SealedValue;

/// A virtual MFA device. Its path and name never change.
#[derive(Debug, Clone)]
pub struct MfaDevice {
    /// `/` or `/…/`.
    pub path: String,
    /// Its name, as given.
    pub name: String,
    /// At most 50; keys are case-sensitive.
    pub tags: Vec<Tag>,
    /// The seed of its codes.
    pub seed: SealedValue,
    /// The latest time step whose code was accepted. Its code and earlier ones are never accepted
    /// again, not even after the device is assigned to another owner.
    pub last_used_step: i64,
    /// The current assignment, if any.
    pub enabled: Option<MfaAssignment>,
}

/// The assignment of a device.
#[derive(Debug, Clone)]
pub struct MfaAssignment {
    /// The owner.
    pub owner: CredentialOwner,
    /// When it was assigned, in whole seconds.
    pub since: Timestamp,
    /// By how many time steps the device's clock is ahead of the server's.
    pub drift: i64,
}

impl MfaDevice {
    /// The serial number: `arn:aws:iam::ACCOUNT:mfa/path/name`.
    pub fn serial(&self, account: AccountId) -> Arn {
        Arn::iam_entity(account, "mfa", &self.path, &self.name)
    }

    /// Its identity within the account: path and name in any case.
    pub fn place(&self) -> FoldedName {
        FoldedName::new(&format!("{}{}", self.path, self.name))
    }

    /// The owner it is assigned to.
    pub fn bearer(&self) -> Option<CredentialOwner> {
        self.enabled.as_ref().map(|enabled| enabled.owner)
    }
}

/// The virtual MFA devices of an account.
#[derive(Debug, Clone, Default)]
pub(super) struct DeviceIndex {
    by_place: OrdMap<FoldedName, Arc<MfaDevice>>,
    of_owners: HashMap<CredentialOwner, OrdSet<FoldedName>>,
}

impl Account {
    /// All virtual MFA devices, assigned or not, ordered by path and name without regard to case.
    pub const fn devices(&self) -> &OrdMap<FoldedName, Arc<MfaDevice>> {
        &self.devices.by_place
    }

    /// A virtual MFA device by its serial number; path and name in any case.
    pub fn device(&self, serial: &str) -> Option<&Arc<MfaDevice>> {
        let place = serial.strip_prefix(&format!("arn:aws:iam::{}:mfa", self.id()))?;
        self.devices.by_place.get(&FoldedName::new(place))
    }

    /// The MFA devices that are assigned to an owner, in order.
    pub fn devices_of(&self, owner: CredentialOwner) -> impl Iterator<Item = &Arc<MfaDevice>> {
        let places = self.devices.of_owners.get(&owner).into_iter().flatten();
        places.filter_map(|place| self.devices.by_place.get(place))
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MfaRecord {
    path: String,
    name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagRecord>,
    seed: String,
    spent: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enabled: Option<EnabledRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EnabledRecord {
    /// The user's unique ID; absent for root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    since: i64,
    drift: i64,
}

impl From<&MfaDevice> for MfaRecord {
    fn from(device: &MfaDevice) -> Self {
        Self {
            path: device.path.clone(),
            name: device.name.clone(),
            tags: tag_records(&device.tags),
            seed: BASE64_STANDARD.encode(device.seed.as_bytes()),
            spent: device.last_used_step,
            enabled: device.enabled.as_ref().map(|enabled| EnabledRecord {
                user: enabled.owner.to_stored(),
                since: enabled.since.millis(),
                drift: enabled.drift,
            }),
        }
    }
}

impl Entity for MfaDevice {
    const KIND: &'static str = "mfa";
    type Id = FoldedName;
    type Record = MfaRecord;

    fn entity_id(&self) -> Self::Id {
        self.place()
    }

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        Ok(Self {
            path: record.path,
            name: record.name,
            tags: restore_tags(record.tags),
            seed: reader.sealed(&record.seed)?,
            last_used_step: record.spent,
            enabled: record
                .enabled
                .map(|enabled| enabled.restore(reader))
                .transpose()?,
        })
    }

    fn insert(account: &mut Account, device: &Arc<Self>) {
        let place = device.place();
        Self::remove(account, &place);
        if let Some(owner) = device.bearer() {
            let places = account.devices.of_owners.entry(owner).or_default();
            places.insert(place.clone());
        }
        account.devices.by_place.insert(place, Arc::clone(device));
    }
}

impl RemovableEntity for MfaDevice {
    fn remove(account: &mut Account, place: &Self::Id) {
        let before = account.devices.by_place.remove(place);
        let owner = before.and_then(|device| device.bearer());
        if let Some(places) = owner.and_then(|owner| account.devices.of_owners.get_mut(&owner)) {
            places.remove(place);
        }
    }
}

impl EnabledRecord {
    fn restore(self, reader: &RecordReader<'_, '_>) -> Result<MfaAssignment, RecordError> {
        Ok(MfaAssignment {
            owner: CredentialOwner::restore(self.user.as_deref(), reader)?,
            since: at(self.since),
            drift: self.drift,
        })
    }
}
