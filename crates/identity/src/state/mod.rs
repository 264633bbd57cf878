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
mod settings;
mod user;

pub use account::{Account, KeyOwner};
pub use group::Group;
pub use key::{AccessKey, KeyMaterial, KeyStatus, Replay};
pub use mfa::{Bearer, Enabled, MfaDevice};
pub use policy::{CustomerPolicy, Grants, InlinePolicy, PolicyVersion};
pub use settings::{CredentialReport, PasswordPolicy, Root, Settings};
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
pub enum Change {
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
    PutRoot(Arc<Root>),
    /// Replaces the account's settings.
    PutSettings(Arc<Settings>),
    /// Replaces the credential report.
    PutReport(Arc<CredentialReport>),
}
