//! The operations that create each kind of entity, and their order.
//!
//! Policies come first, then groups, users, roles and instance profiles, so that whatever an entity
//! refers to is there. Only trust policies can refer to each other in a circle. Roles in one are
//! created with a trust policy that trusts no one, and get their own once all of them exist.

use std::collections::{BTreeMap, BTreeSet};

use keywright_base::{Arn, FoldedName, limits};
use keywright_policy::PrincipalType;

use super::draft::{EntityKind, ImportDraft, Parameters, StepFault};
use crate::{
    action::Action,
    actions::iam::{
        attachments::{AttachGroupPolicy, AttachRolePolicy, AttachUserPolicy},
        groups::{AddUserToGroup, CreateGroup},
        inline::{PutGroupPolicy, PutRolePolicy, PutUserPolicy},
        instance_profiles::{AddRoleToInstanceProfile, CreateInstanceProfile},
        policies::CreatePolicy,
        policy_versions::{CreatePolicyVersion, DeletePolicyVersion},
        roles::{CreateRole, UpdateAssumeRolePolicy},
        service_linked_roles::{CreateServiceLinkedRole, custom_suffix},
        tags::TagRole,
        users::CreateUser,
    },
    fault::{ExistingEntity, IamFault, InvalidInput, ReachedQuota},
    import_document::{
        ImportDocument, ImportedGroup, ImportedInline, ImportedPolicy, ImportedProfile,
        ImportedRole, ImportedTag, ImportedUser, ImportedVersion,
    },
    state::{CustomerPolicy, StateChange},
};

/// The trust policy of a role whose own one names a role that does not exist yet.
const TRUSTS_NOBODY: &str = r#"{"Version":"2012-10-17","Statement":
    {"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}}"#;

/// Why a service-linked role is left out.
const UNKNOWN_SERVICE: &str = "this server does not have the service-linked role";

impl ImportDraft<'_> {
    /// Adds everything in a document.
    ///
    /// # Errors
    /// [`IamFault::LimitExceeded`] for too many entities, or if they take too many operations.
    pub(super) fn add(&mut self, document: &ImportDocument) -> Result<(), IamFault> {
        if document.entity_count() > limits::IMPORT_ENTITIES {
            return Err(ReachedQuota::Named("EntitiesPerImport", limits::IMPORT_ENTITIES).into());
        }
        for policy in &document.policies {
            let entity = (EntityKind::Policy, policy.policy_name.as_str());
            self.add_entity(entity, |draft| draft.policy(policy));
        }
        for group in &document.groups {
            let entity = (EntityKind::Group, group.group_name.as_str());
            self.add_entity(entity, |draft| draft.group(group));
        }
        for user in &document.users {
            let entity = (EntityKind::User, user.user_name.as_str());
            self.add_entity(entity, |draft| draft.user(user));
        }
        self.roles(&document.roles);
        for profile in &document.instance_profiles {
            let name = profile.instance_profile_name.as_str();
            let entity = (EntityKind::InstanceProfile, name);
            self.add_entity(entity, |draft| draft.instance_profile(profile));
        }
        if self.is_exhausted() {
            let most = limits::IMPORT_OPERATIONS;
            return Err(ReachedQuota::Named("OperationsPerImport", most).into());
        }
        Ok(())
    }

    fn policy(&mut self, policy: &ImportedPolicy) -> Result<(), StepFault> {
        let versions = ordered_versions(policy).map_err(|fault| StepFault {
            operation: "CreatePolicyVersion",
            fault,
        })?;
        let arn = Arn::iam_entity(
            self.view().id(),
            "policy",
            path(&policy.path),
            &policy.policy_name,
        );
        let mut first = true;
        for (_, version) in &versions {
            let document = version.policy_document.as_str();
            if std::mem::take(&mut first) {
                let create = Parameters::default()
                    .with("PolicyName", &policy.policy_name)
                    .with("Path", path(&policy.path))
                    .with("PolicyDocument", document)
                    .with_some("Description", policy.description.as_deref());
                self.run::<CreatePolicy>(&with_tags(create, &policy.tags))?;
            } else {
                let create = Parameters::default()
                    .with("PolicyArn", arn.as_str())
                    .with("PolicyDocument", document)
                    .with("SetAsDefault", version.is_default.to_string());
                self.run::<CreatePolicyVersion>(&create)?;
            }
        }
        let numbers: Vec<u32> = versions.iter().map(|(number, _)| *number).collect();
        if (1..).zip(&numbers).all(|(at, number)| at == *number) {
            return Ok(());
        }
        // As if the versions between had been created and deleted.
        let delete = Parameters::default().with("PolicyArn", arn.as_str());
        self.authorize::<DeletePolicyVersion>(&delete.with("VersionId", "v1"))?;
        self.renumber(&policy.policy_name, &numbers);
        Ok(())
    }

    /// Gives the versions of a policy these numbers, in ascending order.
    fn renumber(&mut self, name: &str, numbers: &[u32]) {
        let Some(policy) = self.account.policy(name) else {
            return;
        };
        let mut policy = CustomerPolicy::clone(policy);
        let in_effect = policy.default_version;
        for (version, number) in policy.versions.iter_mut().zip(numbers) {
            if version.number == in_effect {
                policy.default_version = *number;
            }
            version.number = *number;
            policy.next_version = number.saturating_add(1);
        }
        self.account = self.account.apply(&[StateChange::put(policy)]);
    }

    fn group(&mut self, group: &ImportedGroup) -> Result<(), StepFault> {
        let name = ("GroupName", group.group_name.as_str());
        let create = Parameters::default().with(name.0, name.1);
        self.run::<CreateGroup>(&create.with("Path", path(&group.path)))?;
        self.inline::<PutGroupPolicy>(name, &group.inline_policies)?;
        self.attached::<AttachGroupPolicy>(name, &group.attached_policy_arns)
    }

    fn user(&mut self, user: &ImportedUser) -> Result<(), StepFault> {
        let name = ("UserName", user.user_name.as_str());
        let create = Parameters::default()
            .with(name.0, name.1)
            .with("Path", path(&user.path))
            .with_some("PermissionsBoundary", user.permissions_boundary.as_deref());
        self.run::<CreateUser>(&with_tags(create, &user.tags))?;
        self.inline::<PutUserPolicy>(name, &user.inline_policies)?;
        self.attached::<AttachUserPolicy>(name, &user.attached_policy_arns)?;
        for group in &user.group_names {
            let add = Parameters::default().with(name.0, name.1);
            self.run::<AddUserToGroup>(&add.with("GroupName", group))?;
        }
        Ok(())
    }

    fn instance_profile(&mut self, profile: &ImportedProfile) -> Result<(), StepFault> {
        let name = (
            "InstanceProfileName",
            profile.instance_profile_name.as_str(),
        );
        let create = Parameters::default()
            .with(name.0, name.1)
            .with("Path", path(&profile.path));
        self.run::<CreateInstanceProfile>(&with_tags(create, &profile.tags))?;
        if let Some(role) = &profile.role_name {
            let add = Parameters::default().with(name.0, name.1);
            self.run::<AddRoleToInstanceProfile>(&add.with("RoleName", role))?;
        }
        Ok(())
    }

    fn roles(&mut self, roles: &[ImportedRole]) {
        let (linked, own): (Vec<_>, Vec<_>) = roles
            .iter()
            .partition(|role| linked_service(role).is_some());
        for role in linked {
            self.linked_role(role);
        }
        let order = RoleOrder::of(self.view().id().to_string().as_str(), own);
        for role in order.straight {
            let entity = (EntityKind::Role, role.role_name.as_str());
            self.add_entity(entity, |draft| {
                draft.role(role, &role.assume_role_policy_document)
            });
        }
        self.circle(order.circular);
    }

    fn linked_role(&mut self, role: &ImportedRole) {
        let service = linked_service(role).unwrap_or_default();
        let Some(suffix) = custom_suffix(service, &role.role_name) else {
            self.skip(EntityKind::Role, &role.role_name, UNKNOWN_SERVICE);
            return;
        };
        let name = ("RoleName", role.role_name.as_str());
        self.add_entity((EntityKind::Role, name.1), |draft| {
            let create = Parameters::default()
                .with("AWSServiceName", service)
                .with_some("CustomSuffix", suffix)
                .with_some("Description", role.description.as_deref());
            let existed = EntityKind::Role.is_in(&draft.account, name.1);
            let created = draft.run::<CreateServiceLinkedRole>(&create);
            created.map_err(|error| match error.fault {
                // The operation says so with a code of its own.
                IamFault::InvalidInput(_) if existed => StepFault {
                    fault: ExistingEntity::Role(name.1.to_owned()).into(),
                    ..error
                },
                _ => error,
            })?;
            if role.tags.is_empty() {
                return Ok(());
            }
            let tag = Parameters::default().with(name.0, name.1);
            draft.run::<TagRole>(&with_tags(tag, &role.tags))
        });
    }

    fn role(&mut self, role: &ImportedRole, trust: &str) -> Result<(), StepFault> {
        let name = ("RoleName", role.role_name.as_str());
        let duration = role.max_session_duration.map(|secs| secs.to_string());
        let create = Parameters::default()
            .with(name.0, name.1)
            .with("Path", path(&role.path))
            .with("AssumeRolePolicyDocument", trust)
            .with_some("Description", role.description.as_deref())
            .with_some("MaxSessionDuration", duration)
            .with_some("PermissionsBoundary", role.permissions_boundary.as_deref());
        self.run::<CreateRole>(&with_tags(create, &role.tags))?;
        self.inline::<PutRolePolicy>(name, &role.inline_policies)?;
        self.attached::<AttachRolePolicy>(name, &role.attached_policy_arns)
    }

    /// Adds roles that refer to each other. If one is rejected, those that trust it are too.
    fn circle(&mut self, roles: Vec<&ImportedRole>) {
        let before = self.account.clone();
        let mut rejected = BTreeMap::new();
        loop {
            let failed = self.circle_without(&roles, &rejected);
            if failed.is_empty() {
                break;
            }
            rejected.extend(failed);
            self.account = before.clone();
        }
        for (at, role) in roles.iter().enumerate() {
            let created = rejected.remove(&at).map_or(Ok(()), Err);
            self.note(EntityKind::Role, &role.role_name, created);
        }
    }

    /// The roles that are rejected if those rejected before are left out.
    fn circle_without(
        &mut self,
        roles: &[&ImportedRole],
        rejected: &BTreeMap<usize, StepFault>,
    ) -> BTreeMap<usize, StepFault> {
        let mut failed = BTreeMap::new();
        let others = roles.iter().enumerate();
        let others = others.filter(|(at, _)| !rejected.contains_key(at));
        for (at, role) in others.clone() {
            let created = self.role(role, TRUSTS_NOBODY);
            failed.extend(created.err().map(|fault| (at, fault)));
        }
        for (at, role) in others {
            if failed.contains_key(&at) {
                continue;
            }
            let update = Parameters::default()
                .with("RoleName", &role.role_name)
                .with("PolicyDocument", &role.assume_role_policy_document);
            let updated = self.run::<UpdateAssumeRolePolicy>(&update);
            failed.extend(updated.err().map(|fault| (at, fault)));
        }
        failed
    }

    fn inline<A: Action>(
        &mut self,
        (owner, name): (&str, &str),
        policies: &[ImportedInline],
    ) -> Result<(), StepFault> {
        for policy in policies {
            let put = Parameters::default()
                .with(owner, name)
                .with("PolicyName", &policy.policy_name)
                .with("PolicyDocument", &policy.policy_document);
            self.run::<A>(&put)?;
        }
        Ok(())
    }

    fn attached<A: Action>(
        &mut self,
        (owner, name): (&str, &str),
        arns: &[String],
    ) -> Result<(), StepFault> {
        for arn in arns {
            let attach = Parameters::default().with(owner, name);
            self.run::<A>(&attach.with("PolicyArn", arn))?;
        }
        Ok(())
    }
}

/// The versions of a policy by number. Exactly one is the default.
fn ordered_versions(policy: &ImportedPolicy) -> Result<Vec<(u32, &ImportedVersion)>, IamFault> {
    let invalid = |text: &str| IamFault::from(InvalidInput::Other(text.to_owned()));
    let mut versions = BTreeMap::new();
    for version in &policy.versions {
        let number = version.version_id.strip_prefix('v');
        let number = number.and_then(|number| number.parse::<u32>().ok());
        let number = number.filter(|number| (1..u32::MAX).contains(number));
        let number = number.ok_or_else(|| invalid("A version ID is not v1, v2, and so on."))?;
        if versions.insert(number, version).is_some() {
            return Err(invalid("Two versions have the same ID."));
        }
    }
    let in_effect = versions.values().filter(|version| version.is_default);
    if in_effect.count() != 1 {
        return Err(invalid("Exactly one version must be the default."));
    }
    Ok(versions.into_iter().collect())
}

/// The path in an operation's parameters.
fn path(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

fn with_tags(parameters: Parameters, tags: &[ImportedTag]) -> Parameters {
    let numbered = (1..).zip(tags);
    numbered.fold(parameters, |parameters, (number, tag)| {
        parameters
            .with(format!("Tags.member.{number}.Key"), &tag.key)
            .with(format!("Tags.member.{number}.Value"), &tag.value)
    })
}

/// The service of a service-linked role.
fn linked_service(role: &ImportedRole) -> Option<&str> {
    let path = role.path.strip_prefix("/aws-service-role/")?;
    Some(path.trim_end_matches('/'))
}

/// Roles in an order in which each follows those that it trusts.
struct RoleOrder<'a> {
    straight: Vec<&'a ImportedRole>,
    /// Those that trust themselves or each other, and those that trust these.
    circular: Vec<&'a ImportedRole>,
}

impl<'a> RoleOrder<'a> {
    fn of(account: &str, roles: Vec<&'a ImportedRole>) -> Self {
        let names: BTreeMap<FoldedName, usize> = (roles.iter().enumerate())
            .map(|(at, role)| (FoldedName::new(&role.role_name), at))
            .collect();
        let trusted = roles.iter().map(|role| {
            let trusted = trusted_roles(account, &role.assume_role_policy_document);
            let trusted = trusted.iter().filter_map(|name| names.get(name));
            trusted.copied().collect::<BTreeSet<usize>>()
        });
        let mut waiting: Vec<(&ImportedRole, BTreeSet<usize>)> =
            roles.iter().copied().zip(trusted).collect();
        // Who trusts each role.
        let mut trusting = vec![Vec::new(); roles.len()];
        for (at, (_, trusted)) in waiting.iter().enumerate() {
            for role in trusted {
                if let Some(list) = trusting.get_mut(*role) {
                    list.push(at);
                }
            }
        }
        let is_ready =
            |(at, (_, trusted)): (usize, &(_, BTreeSet<usize>))| trusted.is_empty().then_some(at);
        let mut ready: BTreeSet<usize> = waiting.iter().enumerate().filter_map(is_ready).collect();
        let mut straight = Vec::new();
        let mut done = BTreeSet::new();
        while let Some(at) = ready.pop_first() {
            straight.extend(roles.get(at));
            done.insert(at);
            for other in trusting.get(at).into_iter().flatten() {
                if let Some((_, trusted)) = waiting.get_mut(*other) {
                    trusted.remove(&at);
                    if trusted.is_empty() {
                        ready.insert(*other);
                    }
                }
            }
        }
        let circular = roles.iter().enumerate();
        let circular = circular.filter(|(at, _)| !done.contains(at));
        Self {
            straight,
            circular: circular.map(|(_, role)| *role).collect(),
        }
    }
}

/// The names of the roles of the account that a trust policy names. A document that cannot be read
/// names none, and is rejected later.
fn trusted_roles(account: &str, document: &str) -> Vec<FoldedName> {
    let Ok(document) = keywright_policy::parse(document) else {
        return Vec::new();
    };
    let statements = document.statements.iter();
    let clauses = statements.filter_map(|statement| statement.principal.as_ref());
    let principals = clauses.flat_map(|clause| &clause.elements);
    let arns = principals.filter(|(kind, _)| *kind == PrincipalType::Aws);
    let names = arns.filter_map(|(_, text)| {
        let arn = Arn::parse(text).ok()?;
        let path = arn.resource().strip_prefix("role/")?;
        let own = arn.service() == "iam" && arn.account() == account;
        let name = path.rsplit('/').next().unwrap_or(path);
        own.then(|| FoldedName::new(name))
    });
    names.collect()
}
