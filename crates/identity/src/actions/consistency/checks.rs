//! What holds of every account, whatever led to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use keywright_base::{Arn, UniqueId, limits};
use keywright_policy::PrincipalType;
use keywright_store::contract::StateRecord;

use crate::{
    catalogue::PolicyCatalogue,
    state::{Account, CredentialOwner, DirectGrants, Role},
    testing::{ACCOUNT, TestInstallation},
};

/// The entities of all earlier steps.
#[derive(Default)]
pub(super) struct History {
    /// The IDs of users, groups, roles, policies and instance profiles that are there.
    present: BTreeSet<UniqueId>,
    /// Those that were deleted.
    deleted: BTreeSet<UniqueId>,
}

fn snapshot(bench: &TestInstallation) -> Arc<Account> {
    let cell = bench.identity().ledger().account(ACCOUNT.parse().unwrap());
    cell.unwrap().snapshot().clone()
}

/// What is stored of the account, by kind and ID.
pub(super) fn records(bench: &TestInstallation) -> Vec<StateRecord> {
    let mut records = Vec::new();
    let store = bench.identity().store();
    store
        .load(ACCOUNT.parse().unwrap(), &mut |record| records.push(record))
        .unwrap();
    records.sort_by(|one, other| (&one.kind, &one.id).cmp(&(&other.kind, &other.id)));
    records
}

/// Checks the account after a step.
#[track_caller]
pub(super) fn check(bench: &TestInstallation, history: &mut History, step: &str) {
    let account = snapshot(bench);
    references(&account, step);
    indexes(&account, step);
    quotas(&account, step);
    identities(&account, history, step);
    trust(bench, &account, history, step);
    let stored = records(bench);
    let mut state = account.records();
    // The settings are stored once they were changed.
    let has_settings = stored.iter().any(|it| it.kind == "settings");
    state.retain(|it| it.kind != "settings" || has_settings);
    assert_eq!(state, stored, "the state is what is stored, after {step}");
    details(bench, &account, step);
}

fn exists(account: &Account, policy: &str) -> bool {
    let arn = Arn::parse(policy).unwrap();
    let own = account.policy_by_arn(&arn).is_some();
    own || PolicyCatalogue::built_in().by_arn(policy).is_some()
}

/// Nothing refers to what is not there.
#[track_caller]
fn references(account: &Account, step: &str) {
    let grants = |owner: &str, grants: &DirectGrants, boundary: Option<&Arc<str>>| {
        for arn in grants.attached.iter().chain(boundary) {
            assert!(exists(account, arn), "{owner}: {arn} after {step}");
        }
    };
    for user in account.users().values() {
        grants(&user.name, &user.grants, user.boundary.as_ref());
        for group in &user.groups {
            assert!(
                account.group_by_id(*group).is_some(),
                "{} after {step}",
                user.name
            );
        }
    }
    for group in account.groups().values() {
        grants(&group.name, &group.grants, None);
    }
    for role in account.roles().values() {
        grants(&role.name, &role.grants, role.boundary.as_ref());
    }
    for profile in account.instance_profiles().values() {
        let role = profile.role.map(|role| account.role_by_id(role).is_some());
        assert_ne!(role, Some(false), "{} after {step}", profile.name);
    }
    for policy in account.policies().values() {
        assert!(policy.default().is_some(), "{} after {step}", policy.name);
        let mut numbers = policy.versions.iter().map(|version| version.number);
        assert!(numbers.clone().is_sorted(), "{} after {step}", policy.name);
        assert!(numbers.all(|number| number < policy.next_version), "{step}");
    }
    let owned = |owner: CredentialOwner| match owner {
        CredentialOwner::Root => true,
        CredentialOwner::User(user) => account.user_by_id(user).is_some(),
    };
    let bearers = account
        .devices()
        .values()
        .filter_map(|device| device.bearer());
    let certificates = account.signing_certificates().map(|it| it.owner);
    assert!(bearers.chain(certificates).all(owned), "{step}");
    let mut credentials = account.service_credentials().map(|it| it.user);
    assert!(
        credentials.all(|user| account.user_by_id(user).is_some()),
        "{step}"
    );
}

/// What is derived agrees with what it is derived from.
#[track_caller]
fn indexes(account: &Account, step: &str) {
    let mut attached: BTreeMap<&str, usize> = BTreeMap::new();
    let mut bounds: BTreeMap<&str, usize> = BTreeMap::new();
    let users = || account.users().values();
    let roles = || account.roles().values();
    let grants = (users().map(|it| &it.grants))
        .chain(roles().map(|it| &it.grants))
        .chain(account.groups().values().map(|it| &it.grants));
    for arn in grants.flat_map(|grants| &grants.attached) {
        *attached.entry(arn).or_default() += 1;
    }
    let boundaries = users().filter_map(|it| it.boundary.as_ref());
    for arn in boundaries.chain(roles().filter_map(|it| it.boundary.as_ref())) {
        *bounds.entry(arn).or_default() += 1;
    }
    let own = account.policies().values();
    let own: Vec<_> = own.map(|it| it.arn(account.id()).to_string()).collect();
    let named = attached.keys().chain(bounds.keys()).copied();
    for arn in named.chain(own.iter().map(String::as_str)) {
        let count = |counts: &BTreeMap<&str, usize>| counts.get(arn).copied().unwrap_or(0);
        assert_eq!(
            account.attachment_count(arn),
            count(&attached),
            "{arn} after {step}"
        );
        assert_eq!(
            account.boundary_count(arn),
            count(&bounds),
            "{arn} after {step}"
        );
    }
    assert_eq!(account.policies_in_use(), attached.len(), "{step}");
    for group in account.groups().values() {
        let members = users().filter(|user| user.groups.contains(&group.id));
        let members: BTreeSet<_> = members.map(|user| user.name.to_lowercase()).collect();
        let indexed = account.members(group.id);
        let indexed: BTreeSet<_> = indexed
            .iter()
            .map(|name| name.as_str().to_owned())
            .collect();
        assert_eq!(indexed, members, "{} after {step}", group.name);
    }
    for role in account.roles().values() {
        let profiles = account.instance_profiles().values();
        let with = profiles.filter(|it| it.role == Some(role.id)).count();
        assert_eq!(
            account.profiles_of(role.id).count(),
            with,
            "{} after {step}",
            role.name
        );
    }
    for user in users() {
        for key in &user.keys {
            let (owner, _) = account.key(key.id).unwrap();
            assert_eq!(owner, CredentialOwner::User(user.id), "{step}");
        }
        let by_id = account.user_by_id(user.id).unwrap();
        assert!(Arc::ptr_eq(by_id, user), "{step}");
    }
}

#[track_caller]
fn quotas(account: &Account, step: &str) {
    let within = |count: usize, most: usize| assert!(count <= most, "{count} of {most}: {step}");
    within(account.users().len(), limits::USERS_PER_ACCOUNT);
    for user in account.users().values() {
        within(user.keys.len(), limits::ACCESS_KEYS_PER_USER);
        within(user.groups.len(), limits::GROUPS_PER_USER);
        within(
            user.grants.attached.len(),
            limits::ATTACHED_POLICIES_PER_USER,
        );
        within(user.tags.len(), limits::TAGS_PER_ENTITY);
        let owner = CredentialOwner::User(user.id);
        let certificates = account.signing_certificates_of(owner).count();
        within(certificates, limits::SIGNING_CERTIFICATES_PER_USER);
        let ssh_keys = account.ssh_public_keys_of(user.id).count();
        within(ssh_keys, limits::SSH_PUBLIC_KEYS_PER_USER);
        within(
            account.devices_of(owner).count(),
            limits::MFA_DEVICES_PER_USER,
        );
    }
    for policy in account.policies().values() {
        within(policy.versions.len(), limits::VERSIONS_PER_POLICY);
    }
    for group in account.groups().values() {
        within(
            group.grants.attached.len(),
            limits::ATTACHED_POLICIES_PER_GROUP,
        );
    }
    for role in account.roles().values() {
        within(
            role.grants.attached.len(),
            limits::ATTACHED_POLICIES_PER_ROLE,
        );
    }
}

/// IDs are unique, and no entity has the ID of one that was deleted.
#[track_caller]
fn identities(account: &Account, history: &mut History, step: &str) {
    let users = account.users().values().map(|it| it.id);
    let groups = account.groups().values().map(|it| it.id);
    let roles = account.roles().values().map(|it| it.id);
    let policies = account.policies().values().map(|it| it.id);
    let profiles = account.instance_profiles().values().map(|it| it.id);
    let all = users
        .chain(groups)
        .chain(roles)
        .chain(policies)
        .chain(profiles);
    let mut present = BTreeSet::new();
    for id in all {
        assert!(present.insert(id), "{id} twice after {step}");
        assert!(!history.deleted.contains(&id), "{id} is back after {step}");
    }
    let gone: Vec<_> = history.present.difference(&present).copied().collect();
    history.deleted.extend(gone);
    history.present = present;
}

/// A trust policy shows the ARN of whom it trusts as long as that entity exists, then its ID.
#[track_caller]
fn trust(bench: &TestInstallation, account: &Account, history: &History, step: &str) {
    for role in account.roles().values() {
        let answer = bench.root(&format!("Action=GetRole&RoleName={}", role.name));
        let displayed = answer.value("AssumeRolePolicyDocument");
        let displayed = percent_encoding::percent_decode_str(&displayed)
            .decode_utf8()
            .unwrap();
        let stored = principals(role.trust.stored());
        let displayed = principals(&displayed);
        assert_eq!(stored.len(), displayed.len(), "{step}");
        for (stored, displayed) in stored.iter().zip(&displayed) {
            let id: UniqueId = stored
                .parse()
                .unwrap_or_else(|_| panic!("{stored} of {} is not an ID after {step}", role.name));
            let user = account.user_by_id(id).map(|it| it.arn(account.id()));
            let named = user.or_else(|| account.role_by_id(id).map(|it| it.arn(account.id())));
            match named {
                Some(arn) => assert_eq!(displayed, arn.as_str(), "{step}"),
                None => {
                    assert_eq!(displayed, stored, "{step}");
                    assert!(
                        history.deleted.contains(&id),
                        "{id} never was, after {step}"
                    );
                }
            }
        }
    }
}

/// The users and roles that a trust policy names.
fn principals(document: &str) -> Vec<String> {
    let document = keywright_policy::parse(document).unwrap();
    let statements = document.statements.iter();
    let clauses = statements.filter_map(|statement| statement.principal.as_ref());
    let elements = clauses.flat_map(|clause| &clause.elements);
    let aws = elements.filter(|(kind, _)| *kind == PrincipalType::Aws);
    aws.map(|(_, name)| name.clone()).collect()
}

/// GetAccountAuthorizationDetails tells exactly what the account has.
#[track_caller]
fn details(bench: &TestInstallation, account: &Account, step: &str) {
    let answer = bench.root(
        "Action=GetAccountAuthorizationDetails&Filter.member.1=User\
        &Filter.member.2=Group&Filter.member.3=Role&Filter.member.4=LocalManagedPolicy",
    );
    let text = answer.ok();
    let list = |name: &str| {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let rest = text.split_once(&open).map(|(_, rest)| rest);
        let listed = rest
            .and_then(|rest| rest.split_once(&close))
            .map(|(listed, _)| listed);
        listed.unwrap_or_default().to_owned()
    };
    let id = account.id();
    let mut expected: Vec<String> = Vec::new();
    for user in account.users().values() {
        let groups = user
            .groups
            .iter()
            .map(|it| account.group_by_id(*it).unwrap().name.as_str());
        let groups: Vec<_> = groups.map(str::to_owned).collect();
        let line = entity(user.id, user.arn(id), &user.grants, user.boundary.as_ref());
        expected.push(format!("{line} in {groups:?}"));
    }
    for group in account.groups().values() {
        expected.push(entity(group.id, group.arn(id), &group.grants, None));
    }
    for role in account.roles().values() {
        expected.push(role_line(account, role));
    }
    for policy in account.policies().values() {
        let versions = policy.versions.iter().rev().map(|it| it.id());
        let versions: Vec<_> = versions.collect();
        let (arn, default) = (policy.arn(id), policy.default_version);
        expected.push(format!("{} {arn} {versions:?} v{default}", policy.id));
    }
    let mut listed: Vec<String> = Vec::new();
    for user in items(&list("UserDetailList")) {
        let groups = texts(&user, "GroupList");
        listed.push(format!(
            "{} in {groups:?}",
            listed_entity(&user, "UserId", "UserPolicyList")
        ));
    }
    for group in items(&list("GroupDetailList")) {
        listed.push(listed_entity(&group, "GroupId", "GroupPolicyList"));
    }
    for role in items(&list("RoleDetailList")) {
        let line = listed_entity(&role, "RoleId", "RolePolicyList");
        let profiles = items(&inner(&role, "InstanceProfileList"));
        let profiles = profiles.iter().map(|it| inner(it, "InstanceProfileId"));
        listed.push(format!("{line} in {:?}", profiles.collect::<Vec<_>>()));
    }
    for policy in items(&list("Policies")) {
        let versions = items(&inner(&policy, "PolicyVersionList"));
        let versions = versions.iter().map(|it| inner(it, "VersionId"));
        let versions: Vec<_> = versions.collect();
        let [id, arn, default] =
            ["PolicyId", "Arn", "DefaultVersionId"].map(|name| inner(&policy, name));
        listed.push(format!("{id} {arn} {versions:?} {default}"));
    }
    assert_eq!(listed, expected, "after {step}");
}

fn role_line(account: &Account, role: &Role) -> String {
    let line = entity(
        role.id,
        role.arn(account.id()),
        &role.grants,
        role.boundary.as_ref(),
    );
    let profiles = account.profiles_of(role.id).map(|it| it.id.to_string());
    format!("{line} in {:?}", profiles.collect::<Vec<_>>())
}

fn entity(id: UniqueId, arn: Arn, grants: &DirectGrants, boundary: Option<&Arc<str>>) -> String {
    let inline: Vec<_> = grants.inline.iter().map(|it| it.name.as_str()).collect();
    let attached: Vec<_> = grants.attached.iter().map(|it| &**it).collect();
    let boundary = boundary.map_or("", |boundary| boundary);
    format!("{id} {arn} {inline:?} {attached:?} {boundary}")
}

fn listed_entity(text: &str, id: &str, inline: &str) -> String {
    let (id, arn) = (inner(text, id), inner(text, "Arn"));
    let inline = items(&inner(text, inline));
    let inline: Vec<_> = inline.iter().map(|it| inner(it, "PolicyName")).collect();
    let attached = items(&inner(text, "AttachedManagedPolicies"));
    let attached: Vec<_> = attached.iter().map(|it| inner(it, "PolicyArn")).collect();
    let boundary = inner(text, "PermissionsBoundaryArn");
    format!("{id} {arn} {inline:?} {attached:?} {boundary}")
}

/// What is in the first element of this name.
fn inner(text: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let rest = text.split_once(&open).map(|(_, rest)| rest);
    let inner = rest.and_then(|rest| rest.split_once(&close));
    inner.map(|(inner, _)| inner.to_owned()).unwrap_or_default()
}

fn texts(text: &str, list: &str) -> Vec<String> {
    items(&inner(text, list))
}

/// The items of a list, which may contain lists.
fn items(list: &str) -> Vec<String> {
    let (open, close) = ("<member>", "</member>");
    let (mut items, mut depth, mut rest) = (Vec::new(), 0, list);
    let mut item = String::new();
    while !rest.is_empty() {
        let at = [rest.find(open), rest.find(close)];
        let Some(at) = at.into_iter().flatten().min() else {
            break;
        };
        let (before, tagged) = rest.split_at(at);
        item.push_str(before);
        let is_open = tagged.starts_with(open);
        let tag = if is_open { open } else { close };
        (_, rest) = tagged.split_at(tag.len());
        depth = if is_open { depth + 1 } else { depth - 1 };
        if is_open && depth == 1 {
            item.clear();
        } else if depth == 0 {
            items.push(std::mem::take(&mut item));
        } else {
            item.push_str(tag);
        }
    }
    items
}
