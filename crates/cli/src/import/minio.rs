//! Reads the archive of `mc admin cluster iam export`: a zip of JSON files.
//!
//! MinIO's users, groups, policies and mappings have counterparts here. Its access keys do not:
//! they are arbitrary, and IDs here name their account. So users get new keys, and the secrets in
//! the archive are not even read.
//!
//! Invariants:
//!
//! - What is read of an archive is limited, whatever sizes it claims.
//! - Nobody gets more permissions than before: what cannot be expressed is left out together with
//!   what depends on it, and reported.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Cursor, Read},
};

use anyhow::{Context, bail};
use keywright_identity::import_document::{
    ImportDocument, ImportedGroup, ImportedPolicy, ImportedUser, ImportedVersion,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use zip::ZipArchive;

use super::{ImportSource, KeyRequest};

/// The folder of the files.
const FOLDER: &str = "iam-assets";
/// Files in an archive. MinIO writes seven.
const FILES_MAX: usize = 64;
/// Bytes of all files in an archive.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Access keys that a user can have.
const KEYS_EACH: usize = keywright_base::limits::ACCESS_KEYS_PER_USER;

/// How every archive begins.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

#[derive(Debug, Deserialize)]
struct MinioUser {
    #[serde(default)]
    status: String,
}

#[derive(Debug, Deserialize)]
struct MinioGroup {
    #[serde(default)]
    status: String,
    #[serde(default)]
    members: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct PolicyMapping {
    /// Names of policies, separated by commas.
    #[serde(default)]
    policy: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceAccount {
    #[serde(default)]
    parent: String,
    #[serde(default)]
    session_policy: Option<Value>,
    #[serde(default)]
    status: String,
    #[serde(default)]
    expiration: Option<String>,
}

/// The files of an archive. Those that are missing are empty.
#[derive(Debug, Default)]
struct MinioArchive {
    policies: BTreeMap<String, Map<String, Value>>,
    users: BTreeMap<String, MinioUser>,
    groups: BTreeMap<String, MinioGroup>,
    user_mappings: BTreeMap<String, PolicyMapping>,
    group_mappings: BTreeMap<String, PolicyMapping>,
    external_mappings: BTreeMap<String, PolicyMapping>,
    service_accounts: BTreeMap<String, ServiceAccount>,
}

/// Reads an archive. `account` is the one to import it into.
///
/// # Errors
/// If it is not such an archive, with the file and position of what cannot be read.
pub(super) fn read(bytes: &[u8], account: &str) -> anyhow::Result<ImportSource> {
    let archive = MinioArchive::read(bytes)?;
    let mut conversion = Conversion {
        account,
        archive: &archive,
        source: ImportSource::default(),
        policies: BTreeSet::new(),
    };
    conversion.policies();
    conversion.groups();
    conversion.users();
    conversion.service_accounts();
    conversion.others();
    Ok(conversion.source)
}

impl MinioArchive {
    fn read(bytes: &[u8]) -> anyhow::Result<Self> {
        let mut archive =
            ZipArchive::new(Cursor::new(bytes)).context("it is not a readable zip archive")?;
        if archive.len() > FILES_MAX {
            bail!("the archive has more than {FILES_MAX} files");
        }
        let mut read = Self::default();
        let (mut left, mut found) = (BYTES_MAX, false);
        for at in 0..archive.len() {
            let file = archive.by_index(at).context("the archive is damaged")?;
            let name = file.name().context("the archive is damaged")?.into_owned();
            if file.is_dir() {
                continue;
            }
            let Some((FOLDER, name)) = name.split_once('/') else {
                bail!("{name} is not a file of an export of MinIO's IAM");
            };
            let name = name.to_owned();
            let mut text = Vec::new();
            let length = file.take(left + 1).read_to_end(&mut text);
            let length = length.with_context(|| format!("cannot read {name} in the archive"))?;
            left = left
                .checked_sub(length as u64)
                .with_context(|| format!("the archive has more than {BYTES_MAX} bytes of files"))?;
            read.file(&name, &text)?;
            found = true;
        }
        if !found {
            bail!("the archive has no {FOLDER}: export it with mc admin cluster iam export");
        }
        Ok(read)
    }

    fn file(&mut self, name: &str, text: &[u8]) -> anyhow::Result<()> {
        match name {
            "policies.json" => self.policies = json(name, text)?,
            "users.json" => self.users = json(name, text)?,
            "groups.json" => self.groups = json(name, text)?,
            "user_mappings.json" => self.user_mappings = json(name, text)?,
            "group_mappings.json" => self.group_mappings = json(name, text)?,
            "stsuser_mappings.json" | "stsgroup_mappings.json" => {
                let mut mappings = json(name, text)?;
                self.external_mappings.append(&mut mappings);
            }
            "svcaccts.json" => self.service_accounts = json(name, text)?,
            other => bail!("the archive has an unknown file, {other}"),
        }
        Ok(())
    }
}

fn json<T: DeserializeOwned + Default>(name: &str, text: &[u8]) -> anyhow::Result<T> {
    // Go writes an empty map as null.
    let read = serde_json::from_slice::<Option<T>>(text);
    let read = read.with_context(|| format!("cannot read {name} in the archive"))?;
    Ok(read.unwrap_or_default())
}

struct Conversion<'a> {
    account: &'a str,
    archive: &'a MinioArchive,
    source: ImportSource,
    /// The policies that are imported.
    policies: BTreeSet<&'a str>,
}

impl<'a> Conversion<'a> {
    fn document(&mut self) -> &mut ImportDocument {
        &mut self.source.document
    }

    fn note(&mut self, note: String) {
        self.source.notes.push(note);
    }

    fn policies(&mut self) {
        for (name, policy) in &self.archive.policies {
            let Converted { policy, dropped } = converted(policy);
            if dropped > 0 {
                let what = if policy.is_some() {
                    "some statements"
                } else {
                    "the policy"
                };
                self.note(format!(
                    "policy {name}: {what}, because they allow actions of MinIO's administration \
                     only"
                ));
            }
            let Some(policy) = policy else { continue };
            self.policies.insert(name);
            self.document().policies.push(ImportedPolicy {
                policy_name: name.clone(),
                versions: vec![ImportedVersion {
                    version_id: "v1".to_owned(),
                    is_default: true,
                    policy_document: Value::Object(policy).to_string(),
                }],
                ..ImportedPolicy::default()
            });
        }
    }

    /// The ARNs of the policies that are mapped to a user or group.
    fn mapped(&mut self, owner: &str, mapping: Option<&PolicyMapping>) -> Vec<String> {
        let names = mapping.map_or("", |mapping| mapping.policy.as_str());
        let mut arns = Vec::new();
        for name in names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            if self.policies.contains(name) {
                arns.push(format!("arn:aws:iam::{}:policy/{name}", self.account));
            } else if !self.archive.policies.contains_key(name) {
                self.note(format!(
                    "{owner}: its policy {name}, which the archive does not have"
                ));
            }
        }
        arns
    }

    fn groups(&mut self) {
        for (name, group) in &self.archive.groups {
            if group.status == "disabled" {
                self.note(format!(
                    "group {name}: the whole group, because it is disabled"
                ));
                continue;
            }
            let mapping = self.archive.group_mappings.get(name);
            let group = ImportedGroup {
                group_name: name.clone(),
                attached_policy_arns: self.mapped(&format!("group {name}"), mapping),
                ..ImportedGroup::default()
            };
            self.document().groups.push(group);
        }
    }

    fn users(&mut self) {
        let archive = self.archive;
        for (name, user) in &archive.users {
            let groups = archive.groups.iter();
            let groups = groups.filter(|(_, group)| {
                let mut members = group.members.iter().flatten();
                group.status != "disabled" && members.any(|member| member == name)
            });
            let group_names = groups.map(|(name, _)| name.clone()).collect();
            let mapping = archive.user_mappings.get(name);
            let imported = ImportedUser {
                user_name: name.clone(),
                group_names,
                attached_policy_arns: self.mapped(&format!("user {name}"), mapping),
                ..ImportedUser::default()
            };
            self.document().users.push(imported);
            if user.status == "disabled" {
                self.note(format!(
                    "user {name}: its access key, because it is disabled"
                ));
            } else {
                self.key(name, name);
            }
        }
    }

    /// Requests a new key for a user in place of one of MinIO's.
    fn key(&mut self, user: &str, replaces: &str) {
        let keys = self.source.keys.iter();
        if keys.filter(|key| key.user == user).count() < KEYS_EACH {
            self.note(format!(
                "user {user}: the access key {replaces}, which a new one replaces"
            ));
            self.source.keys.push(KeyRequest {
                user: user.to_owned(),
                replaces: replaces.to_owned(),
            });
        } else {
            self.note(format!(
                "user {user}: the access key {replaces}, because a user can have {KEYS_EACH}"
            ));
        }
    }

    fn service_accounts(&mut self) {
        for (key, account) in &self.archive.service_accounts {
            let parent = &account.parent;
            let limited = account.session_policy.as_ref().is_some_and(has_statements);
            let reason = if !self.archive.users.contains_key(parent) {
                format!("of {parent}, who is not a user in the archive")
            } else if account.status == "off" {
                format!("of user {parent}, because it is disabled")
            } else if limited {
                format!(
                    "of user {parent}, because it has a policy of its own; create a user for it"
                )
            } else if expires(account) {
                format!("of user {parent}, because it expires; use temporary credentials")
            } else {
                self.key(parent, key);
                continue;
            };
            self.note(format!("service account {key} {reason}"));
        }
    }

    /// What refers to identities outside MinIO.
    fn others(&mut self) {
        let users = &self.archive.users;
        for name in self.archive.user_mappings.keys() {
            if !users.contains_key(name) {
                self.note(format!(
                    "user {name}: its policies; the archive has no such user"
                ));
            }
        }
        for name in self.archive.group_mappings.keys() {
            if !self.archive.groups.contains_key(name) {
                self.note(format!(
                    "group {name}: its policies; the archive has no such group"
                ));
            }
        }
        for (name, group) in &self.archive.groups {
            let members = group.members.iter().flatten();
            for member in members.filter(|member| !users.contains_key(*member)) {
                self.note(format!(
                    "group {name}: its member {member}, who is not a user"
                ));
            }
        }
        for name in self.archive.external_mappings.keys() {
            self.note(format!(
                "{name}: its policies; it is an identity outside MinIO"
            ));
        }
    }
}

/// A policy without what only MinIO has.
struct Converted {
    /// `None` if nothing is left.
    policy: Option<Map<String, Value>>,
    /// How many statements were left out.
    dropped: usize,
}

fn converted(policy: &Map<String, Value>) -> Converted {
    let mut policy = policy.clone();
    if let Some(id) = policy.remove("ID")
        && id != ""
    {
        policy.insert("Id".to_owned(), id);
    }
    let Some(Value::Array(statements)) = policy.get_mut("Statement") else {
        return Converted {
            policy: Some(policy),
            dropped: 0,
        };
    };
    let before = statements.len();
    statements.retain_mut(|statement| match statement {
        Value::Object(statement) => is_retained(statement),
        _ => true,
    });
    let dropped = before - statements.len();
    let is_left = !statements.is_empty() || dropped == 0;
    Converted {
        policy: is_left.then_some(policy),
        dropped,
    }
}

/// Whether a statement stays. In MinIO, statements on administration have no resource.
fn is_retained(statement: &mut Map<String, Value>) -> bool {
    if statement.contains_key("Resource") || statement.contains_key("NotResource") {
        return true;
    }
    let actions = statement.get("Action").into_iter();
    let mut actions = actions.flat_map(|actions| match actions {
        Value::Array(actions) => actions.as_slice(),
        one => std::slice::from_ref(one),
    });
    let of_minio = ["admin:", "kms:", "sts:"];
    let of_minio = |action: &Value| {
        let action = action.as_str().unwrap_or_default();
        of_minio.iter().any(|service| action.starts_with(service))
    };
    let is_allow = statement
        .get("Effect")
        .is_some_and(|effect| effect == "Allow");
    if is_allow && statement.contains_key("Action") && actions.all(of_minio) {
        return false;
    }
    // A denial stays in force.
    if !is_allow {
        statement.insert("Resource".to_owned(), Value::from("*"));
    }
    true
}

/// Whether a session policy has a statement, so that it limits the account.
fn has_statements(policy: &Value) -> bool {
    match policy {
        Value::Null => false,
        Value::Object(policy) => policy
            .get("Statement")
            .and_then(Value::as_array)
            .is_none_or(|statements| !statements.is_empty()),
        _ => true,
    }
}

/// Whether a service account expires. MinIO writes the beginning of Unix time if it does not.
fn expires(account: &ServiceAccount) -> bool {
    let never = |date: &String| date.starts_with("1970-01-01") || date.starts_with("0001-01-01");
    account.expiration.as_ref().is_some_and(|date| !never(date))
}

#[cfg(test)]
mod tests;
