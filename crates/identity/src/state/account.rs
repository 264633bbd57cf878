//! The snapshot of one account and its indexes.

use std::sync::Arc;

use imbl::{HashMap, OrdMap, OrdSet};
use keywright_base::{AccessKeyId, AccountId, Arn, FoldedName, Timestamp, UniqueId};

use super::{
    AccessKey, AccountSettings, CredentialReport, CustomerPolicy, DirectGrants, Group, MfaDevice,
    MfaOwner, RootUser, RotationPolicy, StateChange, User,
};

/// Whose key it is.
#[derive(Debug, Clone)]
pub enum KeyOwner {
    /// The root user's.
    Root,
    /// This user's.
    User(Arc<User>),
}

/// Who has a managed policy attached, or as boundary.
#[derive(Debug, Clone, Default)]
struct PolicyUses {
    users: OrdSet<FoldedName>,
    groups: OrdSet<FoldedName>,
    boundaries: OrdSet<FoldedName>,
}

/// An account at one version. Immutable; [`Account::apply`] makes the next one.
#[derive(Debug, Clone)]
pub struct Account {
    id: AccountId,
    version: u64,
    grants_version: u64,
    root: Arc<RootUser>,
    settings: Arc<AccountSettings>,
    report: Option<Arc<CredentialReport>>,
    users: OrdMap<FoldedName, Arc<User>>,
    // The two that grow with the users are trees: a hash trie takes twice their memory.
    user_names: OrdMap<UniqueId, FoldedName>,
    keys: OrdMap<AccessKeyId, KeyOwner>,
    groups: OrdMap<FoldedName, Arc<Group>>,
    group_names: HashMap<UniqueId, FoldedName>,
    members: HashMap<UniqueId, OrdSet<FoldedName>>,
    policies: OrdMap<FoldedName, Arc<CustomerPolicy>>,
    policy_names: HashMap<UniqueId, FoldedName>,
    uses: HashMap<Arc<str>, PolicyUses>,
    devices: OrdMap<FoldedName, Arc<MfaDevice>>,
    bearers: HashMap<MfaOwner, OrdSet<FoldedName>>,
    rotation_policies: OrdMap<FoldedName, Arc<RotationPolicy>>,
}

impl Account {
    /// An account with nothing in it but a root user without keys, at version 0.
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
            users: OrdMap::new(),
            user_names: OrdMap::new(),
            keys: OrdMap::new(),
            groups: OrdMap::new(),
            group_names: HashMap::new(),
            members: HashMap::new(),
            policies: OrdMap::new(),
            policy_names: HashMap::new(),
            uses: HashMap::new(),
            devices: OrdMap::new(),
            bearers: HashMap::new(),
            rotation_policies: OrdMap::new(),
        }
    }

    /// The account's id.
    pub const fn id(&self) -> AccountId {
        self.id
    }

    /// The version of the store that this snapshot is.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Changes whenever something other than a user's own record may change what users are granted.
    pub const fn grants_version(&self) -> u64 {
        self.grants_version
    }

    /// The root user.
    pub const fn root(&self) -> &Arc<RootUser> {
        &self.root
    }

    /// Alias and password policy.
    pub const fn settings(&self) -> &Arc<AccountSettings> {
        &self.settings
    }

    /// The last credential report.
    pub const fn report(&self) -> Option<&Arc<CredentialReport>> {
        self.report.as_ref()
    }

    /// A user by name in any case.
    pub fn user(&self, name: &str) -> Option<&Arc<User>> {
        self.users.get(&FoldedName::new(name))
    }

    /// A user by its ARN, in the spelling that it has now.
    pub fn user_by_arn(&self, arn: &str) -> Option<&Arc<User>> {
        let named = self.user(arn.rsplit('/').next()?);
        named.filter(|user| user.arn(self.id()).as_str() == arn)
    }

    /// A user by its immutable id.
    pub fn user_by_id(&self, id: UniqueId) -> Option<&Arc<User>> {
        self.users.get(self.user_names.get(&id)?)
    }

    /// All users, ordered by name without regard to case.
    pub const fn users(&self) -> &OrdMap<FoldedName, Arc<User>> {
        &self.users
    }

    /// The owner of a long-term key.
    pub fn key_owner(&self, id: AccessKeyId) -> Option<&KeyOwner> {
        self.keys.get(&id)
    }

    /// A long-term key of anyone in the account, with its owner.
    pub fn key(&self, id: AccessKeyId) -> Option<(&KeyOwner, &AccessKey)> {
        let owner = self.keys.get(&id)?;
        let key = match owner {
            KeyOwner::Root => self.root.key(id),
            KeyOwner::User(user) => user.key(id),
        };
        Some((owner, key?))
    }

    /// A group by name in any case.
    pub fn group(&self, name: &str) -> Option<&Arc<Group>> {
        self.groups.get(&FoldedName::new(name))
    }

    /// A group by its immutable id.
    pub fn group_by_id(&self, id: UniqueId) -> Option<&Arc<Group>> {
        self.groups.get(self.group_names.get(&id)?)
    }

    /// All groups, ordered by name without regard to case.
    pub const fn groups(&self) -> &OrdMap<FoldedName, Arc<Group>> {
        &self.groups
    }

    /// The folded names of a group's members, in order.
    pub fn members(&self, group: UniqueId) -> OrdSet<FoldedName> {
        self.members.get(&group).cloned().unwrap_or_default()
    }

    /// A customer managed policy by name in any case.
    pub fn policy(&self, name: &str) -> Option<&Arc<CustomerPolicy>> {
        self.policies.get(&FoldedName::new(name))
    }

    /// A customer managed policy of this account by ARN. Paths and names are compared as stored,
    /// but for the name's case.
    pub fn policy_by_arn(&self, arn: &Arn) -> Option<&Arc<CustomerPolicy>> {
        let name = arn.resource().strip_prefix("policy/")?.rsplit('/').next()?;
        let policy = self.policy(name)?;
        policy
            .arn(self.id)
            .as_str()
            .eq_ignore_ascii_case(arn.as_str())
            .then_some(policy)
    }

    /// All customer managed policies, ordered by name without regard to case.
    pub const fn policies(&self) -> &OrdMap<FoldedName, Arc<CustomerPolicy>> {
        &self.policies
    }

    /// A rotation policy by name in any case.
    pub fn rotation_policy(&self, name: &str) -> Option<&Arc<RotationPolicy>> {
        self.rotation_policies.get(&FoldedName::new(name))
    }

    /// All rotation policies, ordered by name without regard to case.
    pub const fn rotation_policies(&self) -> &OrdMap<FoldedName, Arc<RotationPolicy>> {
        &self.rotation_policies
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

    /// How many entities have a managed policy attached (boundaries not counted).
    pub fn attachment_count(&self, policy_arn: &str) -> usize {
        self.uses
            .get(policy_arn)
            .map_or(0, |uses| uses.users.len() + uses.groups.len())
    }

    /// The distinct managed policies that are attached to anything.
    pub fn policies_in_use(&self) -> usize {
        self.uses
            .values()
            .filter(|uses| !uses.users.is_empty() || !uses.groups.is_empty())
            .count()
    }

    /// All virtual MFA devices, assigned or not, ordered by path and name without regard to case.
    pub const fn devices(&self) -> &OrdMap<FoldedName, Arc<MfaDevice>> {
        &self.devices
    }

    /// A virtual MFA device by its serial number; path and name in any case.
    pub fn device(&self, serial: &str) -> Option<&Arc<MfaDevice>> {
        let place = serial.strip_prefix(&format!("arn:aws:iam::{}:mfa", self.id))?;
        self.devices.get(&FoldedName::new(place))
    }

    /// The MFA devices that are assigned to someone, in order.
    pub fn devices_of(&self, bearer: MfaOwner) -> impl Iterator<Item = &Arc<MfaDevice>> {
        let places = self.bearers.get(&bearer).into_iter().flatten();
        places.filter_map(move |place| self.devices.get(place))
    }

    /// The next snapshot: these changes applied in order, one version up.
    #[must_use]
    pub fn apply(&self, changes: &[StateChange]) -> Self {
        let mut next = self.clone();
        next.apply_all(changes);
        next.version += 1;
        next
    }

    /// Applies changes in place and sets the version: how a snapshot is loaded.
    pub(crate) fn load(&mut self, changes: &[StateChange], version: u64) {
        self.apply_all(changes);
        self.version = version;
    }

    fn apply_all(&mut self, changes: &[StateChange]) {
        for change in changes {
            match change {
                StateChange::PutUser(user) => self.put_user(user),
                StateChange::DeleteUser(id) => self.remove_user(*id),
                StateChange::PutGroup(group) => self.put_group(group),
                StateChange::DeleteGroup(id) => self.remove_group(*id),
                StateChange::PutPolicy(policy) => self.put_policy(policy),
                StateChange::DeletePolicy(id) => self.remove_policy(*id),
                StateChange::PutMfaDevice(device) => self.put_device(device),
                StateChange::DeleteMfaDevice(place) => self.remove_device(place),
                StateChange::PutRoot(root) => self.put_root(root),
                StateChange::PutSettings(settings) => {
                    self.settings = Arc::clone(settings);
                    // A password policy may let every user change its own password.
                    self.grants_version += 1;
                }
                StateChange::PutReport(report) => self.report = Some(Arc::clone(report)),
                StateChange::PutRotationPolicy(policy) => {
                    let name = FoldedName::new(&policy.name);
                    self.rotation_policies.insert(name, Arc::clone(policy));
                }
                StateChange::DeleteRotationPolicy(name) => {
                    self.rotation_policies.remove(&FoldedName::new(name));
                }
            }
        }
    }

    fn put_user(&mut self, user: &Arc<User>) {
        self.remove_user(user.id);
        let name = FoldedName::new(&user.name);
        for key in &user.keys {
            self.keys.insert(key.id, KeyOwner::User(Arc::clone(user)));
        }
        for group in &user.groups {
            self.members.entry(*group).or_default().insert(name.clone());
        }
        for arn in &user.grants.attached {
            self.uses
                .entry(Arc::clone(arn))
                .or_default()
                .users
                .insert(name.clone());
        }
        if let Some(arn) = &user.boundary {
            self.uses
                .entry(Arc::clone(arn))
                .or_default()
                .boundaries
                .insert(name.clone());
        }
        self.user_names.insert(user.id, name.clone());
        self.users.insert(name, Arc::clone(user));
    }

    fn remove_user(&mut self, id: UniqueId) {
        let Some(name) = self.user_names.remove(&id) else {
            return;
        };
        let Some(user) = self.users.remove(&name) else {
            return;
        };
        for key in &user.keys {
            self.keys.remove(&key.id);
        }
        for group in &user.groups {
            self.members.entry(*group).and_modify(|members| {
                members.remove(&name);
            });
        }
        self.unuse(&user.grants, |uses| &mut uses.users, &name);
        if let Some(uses) = user
            .boundary
            .as_ref()
            .and_then(|arn| self.uses.get_mut(arn))
        {
            uses.boundaries.remove(&name);
        }
    }

    fn put_group(&mut self, group: &Arc<Group>) {
        self.unindex_group(group.id);
        let name = FoldedName::new(&group.name);
        for arn in &group.grants.attached {
            self.uses
                .entry(Arc::clone(arn))
                .or_default()
                .groups
                .insert(name.clone());
        }
        self.group_names.insert(group.id, name.clone());
        self.groups.insert(name, Arc::clone(group));
        self.grants_version += 1;
    }

    fn remove_group(&mut self, id: UniqueId) {
        self.unindex_group(id);
        self.members.remove(&id);
        self.grants_version += 1;
    }

    fn unindex_group(&mut self, id: UniqueId) {
        let Some(name) = self.group_names.remove(&id) else {
            return;
        };
        let Some(group) = self.groups.remove(&name) else {
            return;
        };
        self.unuse(&group.grants, |uses| &mut uses.groups, &name);
    }

    fn unuse(
        &mut self,
        grants: &DirectGrants,
        side: impl Fn(&mut PolicyUses) -> &mut OrdSet<FoldedName>,
        name: &FoldedName,
    ) {
        for arn in &grants.attached {
            if let Some(uses) = self.uses.get_mut(arn) {
                side(uses).remove(name);
            }
        }
    }

    fn put_policy(&mut self, policy: &Arc<CustomerPolicy>) {
        let name = FoldedName::new(&policy.name);
        self.policy_names.insert(policy.id, name.clone());
        self.policies.insert(name, Arc::clone(policy));
        self.grants_version += 1;
    }

    fn remove_policy(&mut self, id: UniqueId) {
        if let Some(name) = self.policy_names.remove(&id) {
            self.policies.remove(&name);
        }
        self.grants_version += 1;
    }

    fn put_device(&mut self, device: &Arc<MfaDevice>) {
        let place = device.place();
        self.remove_device(&place);
        if let Some(bearer) = device.bearer() {
            let places = self.bearers.entry(bearer).or_default();
            places.insert(place.clone());
        }
        self.devices.insert(place, Arc::clone(device));
    }

    fn remove_device(&mut self, place: &FoldedName) {
        let before = self.devices.remove(place);
        let bearer = before.and_then(|device| device.bearer());
        if let Some(places) = bearer.and_then(|bearer| self.bearers.get_mut(&bearer)) {
            places.remove(place);
        }
    }

    fn put_root(&mut self, root: &Arc<RootUser>) {
        for key in &self.root.keys {
            self.keys.remove(&key.id);
        }
        for key in &root.keys {
            self.keys.insert(key.id, KeyOwner::Root);
        }
        self.root = Arc::clone(root);
    }
}
