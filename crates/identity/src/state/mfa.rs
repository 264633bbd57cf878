//! Virtual MFA devices: a name, a sealed seed, and whom one is assigned to.

use keywright_base::{AccountId, Arn, FoldedName, Timestamp, UniqueId};

use super::Tag;
use crate::vault::SealedValue;

/// Who can have MFA devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MfaOwner {
    /// The root user.
    Root,
    /// The user with this id.
    User(UniqueId),
}

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
    /// The newest step of time whose code was accepted: this and earlier ones never are again, not
    /// even after the device was assigned anew.
    pub last_used_step: i64,
    /// To whom it is assigned, if it is.
    pub enabled: Option<MfaAssignment>,
}

/// The assignment of a device.
#[derive(Debug, Clone)]
pub struct MfaAssignment {
    /// To whom.
    pub owner: MfaOwner,
    /// Since when, whole seconds.
    pub since: Timestamp,
    /// By how many steps the device's clock is ahead of ours.
    pub drift: i64,
}

impl MfaDevice {
    /// The serial number: `arn:aws:iam::ACCOUNT:mfa/path/name`.
    pub fn serial(&self, account: AccountId) -> Arn {
        Arn::iam_entity(account, "mfa", &self.path, &self.name)
    }

    /// What it is known by inside its account: path and name in any case.
    pub fn place(&self) -> FoldedName {
        FoldedName::new(&format!("{}{}", self.path, self.name))
    }

    /// To whom it is assigned.
    pub fn bearer(&self) -> Option<MfaOwner> {
        self.enabled.as_ref().map(|enabled| enabled.owner)
    }
}
