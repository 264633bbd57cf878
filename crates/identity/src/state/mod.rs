//! The state of one account as an immutable snapshot, and the changes from one snapshot to the
//! next.
//!
//! Invariant: everything derivable is derived in [`Account::apply`] and nowhere else, so that a
//! snapshot loaded from the store and one reached by changes are the same.
//!
//! Cloning is cheap (persistent maps). Nothing here knows about the wire format or permissions.

mod account;
mod deletion_task;
mod entity;
mod grantee;
mod group;
mod instance_profile;
mod key;
mod mfa;
mod oidc_provider;
mod organization;
mod owned;
mod owner;
mod policy;
#[cfg(test)]
mod records;
mod report;
mod role;
mod root;
mod rotation;
mod saml_provider;
mod server_certificate;
mod service_credential;
mod settings;
mod signing_certificate;
mod ssh_public_key;
mod user;

pub use account::Account;
pub use deletion_task::DeletionTask;
pub(crate) use entity::LoadContext;
pub use entity::{RecordError, StateChange};
pub use grantee::Grantee;
pub use group::Group;
pub use instance_profile::InstanceProfile;
pub use key::{AccessKey, IdempotencyRecord, KeyMaterial, KeyStatus};
pub use mfa::{MfaAssignment, MfaDevice};
pub use oidc_provider::OpenIdProvider;
pub(crate) use organization::{
    AccountCreation, CreationOutcome, MemberAccount, Membership, Organization, OrganizationLink,
    OrganizationPolicy, OrganizationState, OrganizationalUnit, PolicyType, TargetNode, TargetRef,
};
pub use owner::CredentialOwner;
pub use policy::{
    CustomerPolicy, DirectGrants, InlinePolicy, PolicyVersion, SessionPolicy, TrustPolicy,
};
pub use report::CredentialReport;
pub use role::Role;
pub use root::RootUser;
pub use rotation::{RotationPolicy, UserSelector};
pub(crate) use saml_provider::{SamlPrivateKey, SamlProvider};
pub(crate) use server_certificate::ServerCertificate;
pub(crate) use service_credential::ServiceCredential;
pub use settings::{AccountSettings, EndedSessions, PasswordPolicy};
pub(crate) use signing_certificate::SigningCertificate;
pub(crate) use ssh_public_key::SshPublicKey;
pub use user::{LoginProfile, User};

/// A tag. Tags are stored in order of insertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// 1 to 128 characters.
    pub key: String,
    /// 0 to 256 characters.
    pub value: String,
}
