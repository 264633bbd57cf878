//! The state of one account as an immutable snapshot, and the changes that lead from one to the
//! next.
//!
//! It protects one rule: everything derivable is derived in [`Account::apply`] and nowhere else,
//! so a snapshot loaded from the store and one reached by changes are the same. Cloning is cheap
//! (persistent maps). Nothing here knows about the wire, the store's encoding (see
//! [`crate::record`]) or permission.

mod account;
mod group;
mod key;
mod mfa;
mod policy;
mod rotation;
mod settings;
mod user;

pub use account::{Account, KeyOwner};
pub use group::Group;
pub use key::{AccessKey, IdempotencyRecord, KeyMaterial, KeyStatus};
pub use mfa::{MfaAssignment, MfaDevice, MfaOwner};
pub use policy::{CustomerPolicy, DirectGrants, InlinePolicy, PolicyVersion};
pub use rotation::{RotationPolicy, UserSelector};
pub use settings::{AccountSettings, CredentialReport, PasswordPolicy, RootUser};
pub use user::{LoginProfile, User};

use std::sync::Arc;

use keywright_base::{FoldedName, UniqueId};

/// A tag; order of insertion is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// 1 to 128 characters.
    pub key: String,
    /// 0 to 256 characters.
    pub value: String,
}

/// One step from a snapshot to the next.
#[derive(Debug, Clone)]
pub enum StateChange {
    /// Adds a user or replaces the one with the same id (a rename included).
    PutUser(Arc<User>),
    /// Removes a user.
    DeleteUser(UniqueId),
    /// Adds or replaces a group.
    PutGroup(Arc<Group>),
    /// Removes a group.
    DeleteGroup(UniqueId),
    /// Adds or replaces a customer managed policy.
    PutPolicy(Arc<CustomerPolicy>),
    /// Removes a customer managed policy.
    DeletePolicy(UniqueId),
    /// Adds a virtual MFA device or replaces the one at the same place.
    PutMfaDevice(Arc<MfaDevice>),
    /// Removes the virtual MFA device at this place.
    DeleteMfaDevice(FoldedName),
    /// Replaces the root user's record.
    PutRoot(Arc<RootUser>),
    /// Replaces the account's settings.
    PutSettings(Arc<AccountSettings>),
    /// Replaces the credential report.
    PutReport(Arc<CredentialReport>),
    /// Adds a rotation policy or replaces the one of the same name.
    PutRotationPolicy(Arc<RotationPolicy>),
    /// Removes the rotation policy of this name.
    DeleteRotationPolicy(String),
}
