//! The snapshot of one account and its indexes.

use std::sync::Arc;

use imbl::{HashMap, OrdMap, OrdSet};
use keywright_base::{AccessKeyId, AccountId, FoldedName, Timestamp, UniqueId};

use super::{
    AccessKey, AccountSettings, CredentialOwner, CredentialReport, DeletionTask, OpenIdProvider,
    RootUser, RotationPolicy, SamlProvider, ServiceCredential, SigningCertificate, SshPublicKey,
    StateChange, group::GroupIndex, instance_profile::ProfileIndex, mfa::DeviceIndex,
    organization::OrganizationState, owned::OwnedIndex, policy::PolicyIndex, role::RoleIndex,
    server_certificate::ServerCertificateIndex, user::UserIndex,
};

/// The entities that have a managed policy attached, or as boundary.
#[derive(Debug, Clone, Default)]
pub(super) struct PolicyUses {
    pub(super) users: OrdSet<FoldedName>,
    pub(super) groups: OrdSet<FoldedName>,
    pub(super) roles: OrdSet<FoldedName>,
    pub(super) boundaries: OrdSet<FoldedName>,
    pub(super) role_boundaries: OrdSet<FoldedName>,
}

/// The bit that only the grants versions of drafts have.
const DRAFT_VERSIONS: u64 = 1 << 63;

/// An account at one version. Immutable; [`Account::apply`] creates the next one.
#[derive(Debug, Clone)]
pub struct Account {
    id: AccountId,
    version: u64,
    grants_version: u64,
    pub(super) root: Arc<RootUser>,
    pub(super) settings: Arc<AccountSettings>,
    pub(super) report: Option<Arc<CredentialReport>>,
    pub(super) users: UserIndex,
    pub(super) roles: RoleIndex,
    pub(super) instance_profiles: ProfileIndex,
    pub(super) deletion_tasks: OrdMap<String, Arc<DeletionTask>>,
    pub(super) groups: GroupIndex,
    pub(super) policies: PolicyIndex,
    pub(super) devices: DeviceIndex,
    pub(super) ssh_public_keys: OwnedIndex<SshPublicKey>,
    pub(super) signing_certificates: OwnedIndex<SigningCertificate>,
    pub(super) service_credentials: OwnedIndex<ServiceCredential>,
    pub(super) server_certificates: ServerCertificateIndex,
    pub(super) saml_providers: OrdMap<String, Arc<SamlProvider>>,
    pub(super) keys: OrdMap<AccessKeyId, CredentialOwner>,
    /// The folded names of each group's members.
    pub(super) members: HashMap<UniqueId, OrdSet<FoldedName>>,
    uses: HashMap<Arc<str>, PolicyUses>,
    pub(super) rotation_policies: OrdMap<FoldedName, Arc<RotationPolicy>>,
    /// By name, which is the URL without its scheme.
    pub(super) open_id_providers: OrdMap<String, Arc<OpenIdProvider>>,
    /// Of the organization that this account manages.
    pub(super) organization: Arc<OrganizationState>,
    /// The account that created this one in its organization.
    pub(super) management: Option<AccountId>,
}

impl Account {
    /// An empty account with a root user without keys, at version 0.
    pub fn empty(id: AccountId, created: Timestamp) -> Self {
        Self {
            id,
            version: 0,
            grants_version: 0,
            root: Arc::new(RootUser {
                created,
                keys: Vec::new(),
                login: None,
            }),
            settings: Arc::new(AccountSettings::default()),
            report: None,
            users: UserIndex::default(),
            roles: RoleIndex::default(),
            instance_profiles: ProfileIndex::default(),
            deletion_tasks: OrdMap::new(),
            groups: GroupIndex::default(),
            policies: PolicyIndex::default(),
            devices: DeviceIndex::default(),
            ssh_public_keys: OwnedIndex::default(),
            signing_certificates: OwnedIndex::default(),
            service_credentials: OwnedIndex::default(),
            server_certificates: ServerCertificateIndex::default(),
            saml_providers: OrdMap::new(),
            keys: OrdMap::new(),
            members: HashMap::new(),
            uses: HashMap::new(),
            rotation_policies: OrdMap::new(),
            open_id_providers: OrdMap::new(),
            organization: Arc::default(),
            management: None,
        }
    }

    /// The account's id.
    pub const fn id(&self) -> AccountId {
        self.id
    }

    /// The version in the store.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Changes whenever something other than a user's own record may change users' permissions.
    pub const fn grants_version(&self) -> u64 {
        self.grants_version
    }

    /// A long-term key of any owner in the account, with its owner.
    pub fn key(&self, id: AccessKeyId) -> Option<(CredentialOwner, &AccessKey)> {
        let owner = *self.keys.get(&id)?;
        let key = match owner {
            CredentialOwner::Root => self.root.key(id),
            CredentialOwner::User(user) => self.user_by_id(user)?.key(id),
        };
        Some((owner, key?))
    }

    /// The users (folded names) that have a managed policy attached.
    pub fn attached_users(&self, policy_arn: &str) -> OrdSet<FoldedName> {
        self.uses
            .get(policy_arn)
            .map(|uses| uses.users.clone())
            .unwrap_or_default()
    }

    /// The groups (folded names) that have a managed policy attached.
    pub fn attached_groups(&self, policy_arn: &str) -> OrdSet<FoldedName> {
        self.uses
            .get(policy_arn)
            .map(|uses| uses.groups.clone())
            .unwrap_or_default()
    }

    /// The users (folded names) that have a managed policy as their permissions boundary.
    pub fn bounded_users(&self, policy_arn: &str) -> OrdSet<FoldedName> {
        self.uses
            .get(policy_arn)
            .map(|uses| uses.boundaries.clone())
            .unwrap_or_default()
    }

    /// The roles (folded names) that have a managed policy attached.
    pub fn attached_roles(&self, policy_arn: &str) -> OrdSet<FoldedName> {
        self.uses
            .get(policy_arn)
            .map(|uses| uses.roles.clone())
            .unwrap_or_default()
    }

    /// The roles (folded names) that have a managed policy as their permissions boundary.
    pub fn bounded_roles(&self, policy_arn: &str) -> OrdSet<FoldedName> {
        self.uses
            .get(policy_arn)
            .map(|uses| uses.role_boundaries.clone())
            .unwrap_or_default()
    }

    /// How many entities have a managed policy attached (boundaries not counted).
    pub fn attachment_count(&self, policy_arn: &str) -> usize {
        self.uses.get(policy_arn).map_or(0, |uses| {
            uses.users.len() + uses.groups.len() + uses.roles.len()
        })
    }

    /// How many users and roles have a managed policy as their permissions boundary.
    pub fn boundary_count(&self, policy_arn: &str) -> usize {
        self.uses
            .get(policy_arn)
            .map_or(0, |uses| uses.boundaries.len() + uses.role_boundaries.len())
    }

    /// The distinct managed policies that are attached to anything.
    pub fn policies_in_use(&self) -> usize {
        self.uses
            .values()
            .filter(|uses| {
                !(uses.users.is_empty() && uses.groups.is_empty() && uses.roles.is_empty())
            })
            .count()
    }

    /// A copy to compute on that is never committed itself. Users and roles remember their compiled
    /// policies by [`Account::grants_version`], and a draft shares them with the account, so its
    /// versions are ones that the account never reaches.
    pub(crate) fn draft(&self) -> Self {
        Self {
            grants_version: self.grants_version | DRAFT_VERSIONS,
            ..self.clone()
        }
    }

    /// The next snapshot: these changes applied in order, one version up.
    #[must_use]
    pub fn apply(&self, changes: &[StateChange]) -> Self {
        let mut next = self.clone();
        next.apply_all(changes);
        next.version += 1;
        next
    }

    /// Applies changes in place and sets the version, to load a snapshot.
    pub(crate) fn load(&mut self, changes: &[StateChange], version: u64) {
        self.apply_all(changes);
        self.version = version;
    }

    fn apply_all(&mut self, changes: &[StateChange]) {
        for change in changes {
            change.apply(self);
        }
    }

    /// Records that users' permissions may have changed.
    pub(super) const fn grants_changed(&mut self) {
        self.grants_version += 1;
    }

    pub(super) fn uses_of(&mut self, arn: &Arc<str>) -> &mut PolicyUses {
        self.uses.entry(Arc::clone(arn)).or_default()
    }
}
