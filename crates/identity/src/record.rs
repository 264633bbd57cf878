//! How an account's state is written in the store: one JSON record per user, group, policy, MFA
//! device and rotation policy, and one each for root, settings and credential report.
//!
//! It protects one rule: domain types are not serialisable; the stored form lives here, with its
//! own types, so that the two can change apart. Secrets are in it only sealed, passwords only
//! hashed.

use std::{collections::HashSet, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::{FoldedName, Timestamp};
use keywright_store::contract::{RecordWrite, StateRecord};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

mod rotation;

use self::rotation::RotationPolicyRecord;
use crate::{
    state::{
        AccessKey, AccountSettings, CredentialReport, CustomerPolicy, DirectGrants, Group,
        IdempotencyRecord, InlinePolicy, KeyMaterial, KeyStatus, LoginProfile, MfaAssignment,
        MfaDevice, MfaOwner, PasswordPolicy, PolicyVersion, RootUser, StateChange, Tag, User,
    },
    vault::SealedValue,
};

/// A stored record that this program cannot read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot read the stored record {kind}/{id}: {why}")]
pub struct RecordError {
    /// The record's kind.
    pub kind: String,
    /// The record's id.
    pub id: String,
    /// What was wrong, without any of its content.
    pub why: String,
}

/// The id of records that exist once.
const ONLY: &str = "-";
/// The kind of records of rotation policies.
const ROTATION_POLICY: &str = "rotation-policy";

/// The write that makes a change durable.
///
/// # Errors
/// [`RecordError`] if the state cannot be encoded.
pub(crate) fn encode(change: &StateChange) -> Result<RecordWrite, RecordError> {
    match change {
        StateChange::PutUser(user) => put("user", user.id.as_str(), &UserRecord::from(&**user)),
        StateChange::DeleteUser(id) => Ok(delete("user", id.as_str())),
        StateChange::PutGroup(group) => {
            put("group", group.id.as_str(), &GroupRecord::from(&**group))
        }
        StateChange::DeleteGroup(id) => Ok(delete("group", id.as_str())),
        StateChange::PutPolicy(policy) => {
            put("policy", policy.id.as_str(), &PolicyRecord::from(&**policy))
        }
        StateChange::DeletePolicy(id) => Ok(delete("policy", id.as_str())),
        StateChange::PutMfaDevice(device) => {
            let place = device.place();
            put("mfa", place.as_str(), &MfaRecord::from(&**device))
        }
        StateChange::DeleteMfaDevice(place) => Ok(delete("mfa", place.as_str())),
        StateChange::PutRoot(root) => put("root", ONLY, &RootRecord::from(&**root)),
        StateChange::PutSettings(settings) => {
            put("settings", ONLY, &SettingsRecord::from(&**settings))
        }
        StateChange::PutReport(report) => put("report", ONLY, &ReportRecord::from(&**report)),
        StateChange::PutRotationPolicy(policy) => put(
            ROTATION_POLICY,
            FoldedName::new(&policy.name).as_str(),
            &RotationPolicyRecord::from(&**policy),
        ),
        StateChange::DeleteRotationPolicy(name) => {
            Ok(delete(ROTATION_POLICY, FoldedName::new(name).as_str()))
        }
    }
}

/// The ARNs that were read, each held once: many users have the same policies.
pub(crate) type ArnInterner = HashSet<Arc<str>>;

fn shared(arns: &mut ArnInterner, arn: &str) -> Arc<str> {
    if let Some(known) = arns.get(arn) {
        return Arc::clone(known);
    }
    let new: Arc<str> = arn.into();
    arns.insert(Arc::clone(&new));
    new
}

/// The change that loading a record amounts to.
///
/// # Errors
/// [`RecordError`] for an unknown kind or a body that does not parse.
pub(crate) fn decode(
    record: &StateRecord,
    arns: &mut ArnInterner,
) -> Result<StateChange, RecordError> {
    Ok(match record.kind.as_str() {
        "user" => {
            StateChange::PutUser(Arc::new(read::<UserRecord>(record)?.restore(record, arns)?))
        }
        "group" => StateChange::PutGroup(Arc::new(
            read::<GroupRecord>(record)?.restore(record, arns)?,
        )),
        "policy" => {
            StateChange::PutPolicy(Arc::new(read::<PolicyRecord>(record)?.restore(record)?))
        }
        "mfa" => StateChange::PutMfaDevice(Arc::new(read::<MfaRecord>(record)?.restore(record)?)),
        "root" => StateChange::PutRoot(Arc::new(read::<RootRecord>(record)?.restore(record)?)),
        "settings" => {
            StateChange::PutSettings(Arc::new(read::<SettingsRecord>(record)?.restore(record)?))
        }
        "report" => StateChange::PutReport(Arc::new(read::<ReportRecord>(record)?.restore())),
        ROTATION_POLICY => StateChange::PutRotationPolicy(Arc::new(
            read::<RotationPolicyRecord>(record)?.restore(record)?,
        )),
        _ => return Err(bad(record, "unknown kind")),
    })
}

fn put(kind: &str, id: &str, body: &impl Serialize) -> Result<RecordWrite, RecordError> {
    let body = serde_json::to_vec(body).map_err(|error| RecordError {
        kind: kind.to_owned(),
        id: id.to_owned(),
        why: error.to_string(),
    })?;
    Ok(RecordWrite::Put(StateRecord {
        kind: kind.to_owned(),
        id: id.to_owned(),
        body,
    }))
}

fn delete(kind: &str, id: &str) -> RecordWrite {
    RecordWrite::Delete {
        kind: kind.to_owned(),
        id: id.to_owned(),
    }
}

fn read<T: DeserializeOwned>(record: &StateRecord) -> Result<T, RecordError> {
    serde_json::from_slice(&record.body).map_err(|error| {
        // The category and place only: the message could quote the content.
        bad(
            record,
            &format!("{:?} at column {}", error.classify(), error.column()),
        )
    })
}

fn bad(record: &StateRecord, why: &str) -> RecordError {
    RecordError {
        kind: record.kind.clone(),
        id: record.id.clone(),
        why: why.to_owned(),
    }
}

fn id<T: std::str::FromStr>(record: &StateRecord, text: &str) -> Result<T, RecordError> {
    text.parse()
        .map_err(|_| bad(record, "an id does not parse"))
}

fn sealed(record: &StateRecord, text: &str) -> Result<SealedValue, RecordError> {
    let bytes = BASE64_STANDARD.decode(text);
    let bytes = bytes.map_err(|_| bad(record, "a sealed secret is not base64"))?;
    Ok(SealedValue::from_bytes(&bytes))
}

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[derive(Serialize, Deserialize)]
struct TagRecord(String, String);

fn tags(tags: &[Tag]) -> Vec<TagRecord> {
    tags.iter()
        .map(|tag| TagRecord(tag.key.clone(), tag.value.clone()))
        .collect()
}

fn restore_tags(tags: Vec<TagRecord>) -> Vec<Tag> {
    tags.into_iter()
        .map(|TagRecord(key, value)| Tag { key, value })
        .collect()
}

#[derive(Serialize, Deserialize)]
struct KeyRecord {
    id: String,
    active: bool,
    created: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replay: Option<(String, String)>,
    secret: String,
}

impl From<&AccessKey> for KeyRecord {
    fn from(key: &AccessKey) -> Self {
        Self {
            id: key.id.to_string(),
            active: key.status == KeyStatus::Active,
            created: key.created.millis(),
            replay: key
                .replay
                .as_ref()
                .map(|r| (r.token_digest.clone(), r.caller.clone())),
            secret: BASE64_STANDARD.encode(key.material.sealed().as_bytes()),
        }
    }
}

impl KeyRecord {
    fn restore(self, record: &StateRecord) -> Result<AccessKey, RecordError> {
        let sealed = sealed(record, &self.secret)?;
        Ok(AccessKey {
            id: id(record, &self.id)?,
            status: if self.active {
                KeyStatus::Active
            } else {
                KeyStatus::Inactive
            },
            created: at(self.created),
            replay: self.replay.map(|(token_digest, caller)| IdempotencyRecord {
                token_digest,
                caller,
            }),
            material: Arc::new(KeyMaterial::new(sealed)),
        })
    }
}

fn restore_keys(keys: Vec<KeyRecord>, record: &StateRecord) -> Result<Vec<AccessKey>, RecordError> {
    keys.into_iter().map(|key| key.restore(record)).collect()
}

#[derive(Serialize, Deserialize)]
struct LoginRecord {
    created: i64,
    changed: i64,
    reset_required: bool,
    hash: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<String>,
}

impl From<&LoginProfile> for LoginRecord {
    fn from(login: &LoginProfile) -> Self {
        Self {
            created: login.created.millis(),
            changed: login.changed.millis(),
            reset_required: login.reset_required,
            hash: login.hash.clone(),
            earlier: login.earlier.clone(),
        }
    }
}

impl LoginRecord {
    fn restore(self) -> LoginProfile {
        LoginProfile {
            created: at(self.created),
            changed: at(self.changed),
            reset_required: self.reset_required,
            hash: self.hash,
            earlier: self.earlier,
        }
    }
}

#[derive(Serialize, Deserialize, Default)]
struct GrantsRecord {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inline: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attached: Vec<String>,
}

impl From<&DirectGrants> for GrantsRecord {
    fn from(grants: &DirectGrants) -> Self {
        let inline = grants
            .inline
            .iter()
            .map(|p| (p.name.clone(), p.text().to_string()));
        Self {
            inline: inline.collect(),
            attached: grants.attached.iter().map(ToString::to_string).collect(),
        }
    }
}

impl GrantsRecord {
    fn restore(self, arns: &mut ArnInterner) -> DirectGrants {
        let inline = self
            .inline
            .into_iter()
            .map(|(name, text)| InlinePolicy::new(name, text.into()));
        DirectGrants {
            inline: inline.collect(),
            attached: self.attached.iter().map(|arn| shared(arns, arn)).collect(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct UserRecord {
    id: String,
    path: String,
    name: String,
    created: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keys: Vec<KeyRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<LoginRecord>,
    #[serde(default)]
    grants: GrantsRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boundary: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
}

impl From<&User> for UserRecord {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            path: user.path.clone(),
            name: user.name.clone(),
            created: user.created.millis(),
            tags: tags(&user.tags),
            keys: user.keys.iter().map(KeyRecord::from).collect(),
            login: user.login.as_ref().map(LoginRecord::from),
            grants: GrantsRecord::from(&user.grants),
            boundary: user.boundary.as_ref().map(ToString::to_string),
            groups: user.groups.iter().map(ToString::to_string).collect(),
        }
    }
}

impl UserRecord {
    fn restore(self, record: &StateRecord, arns: &mut ArnInterner) -> Result<User, RecordError> {
        Ok(User {
            id: id(record, &self.id)?,
            path: self.path,
            name: self.name,
            created: at(self.created),
            tags: restore_tags(self.tags),
            keys: restore_keys(self.keys, record)?,
            login: self.login.map(LoginRecord::restore),
            grants: self.grants.restore(arns),
            boundary: self.boundary.map(|arn| shared(arns, &arn)),
            groups: self
                .groups
                .iter()
                .map(|g| id(record, g))
                .collect::<Result<_, _>>()?,
            effective: arc_swap::ArcSwapOption::empty(),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct GroupRecord {
    id: String,
    path: String,
    name: String,
    created: i64,
    #[serde(default)]
    grants: GrantsRecord,
}

impl From<&Group> for GroupRecord {
    fn from(group: &Group) -> Self {
        Self {
            id: group.id.to_string(),
            path: group.path.clone(),
            name: group.name.clone(),
            created: group.created.millis(),
            grants: GrantsRecord::from(&group.grants),
        }
    }
}

impl GroupRecord {
    fn restore(self, record: &StateRecord, arns: &mut ArnInterner) -> Result<Group, RecordError> {
        Ok(Group {
            id: id(record, &self.id)?,
            path: self.path,
            name: self.name,
            created: at(self.created),
            grants: self.grants.restore(arns),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct PolicyRecord {
    id: String,
    path: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    created: i64,
    updated: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagRecord>,
    versions: Vec<(u32, i64, String)>,
    default_version: u32,
    next_version: u32,
}

impl From<&CustomerPolicy> for PolicyRecord {
    fn from(policy: &CustomerPolicy) -> Self {
        let version = |v: &PolicyVersion| (v.number, v.created.millis(), v.text().to_string());
        Self {
            id: policy.id.to_string(),
            path: policy.path.clone(),
            name: policy.name.clone(),
            description: policy.description.clone(),
            created: policy.created.millis(),
            updated: policy.updated.millis(),
            tags: tags(&policy.tags),
            versions: policy.versions.iter().map(version).collect(),
            default_version: policy.default_version,
            next_version: policy.next_version,
        }
    }
}

impl PolicyRecord {
    fn restore(self, record: &StateRecord) -> Result<CustomerPolicy, RecordError> {
        let version = |(number, created, text): (u32, i64, String)| {
            PolicyVersion::new(number, at(created), text.into())
        };
        Ok(CustomerPolicy {
            id: id(record, &self.id)?,
            path: self.path,
            name: self.name,
            description: self.description,
            created: at(self.created),
            updated: at(self.updated),
            tags: restore_tags(self.tags),
            versions: self.versions.into_iter().map(version).collect(),
            default_version: self.default_version,
            next_version: self.next_version,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct MfaRecord {
    path: String,
    name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagRecord>,
    seed: String,
    spent: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enabled: Option<EnabledRecord>,
}

#[derive(Serialize, Deserialize)]
struct EnabledRecord {
    /// The user's unique id; absent for root.
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
            tags: tags(&device.tags),
            seed: BASE64_STANDARD.encode(device.seed.as_bytes()),
            spent: device.last_used_step,
            enabled: device.enabled.as_ref().map(|enabled| EnabledRecord {
                user: match enabled.owner {
                    MfaOwner::Root => None,
                    MfaOwner::User(id) => Some(id.to_string()),
                },
                since: enabled.since.millis(),
                drift: enabled.drift,
            }),
        }
    }
}

impl MfaRecord {
    fn restore(self, record: &StateRecord) -> Result<MfaDevice, RecordError> {
        Ok(MfaDevice {
            path: self.path,
            name: self.name,
            tags: restore_tags(self.tags),
            seed: sealed(record, &self.seed)?,
            last_used_step: self.spent,
            enabled: self
                .enabled
                .map(|enabled| enabled.restore(record))
                .transpose()?,
        })
    }
}

impl EnabledRecord {
    fn restore(self, record: &StateRecord) -> Result<MfaAssignment, RecordError> {
        Ok(MfaAssignment {
            owner: match self.user {
                None => MfaOwner::Root,
                Some(user) => MfaOwner::User(id(record, &user)?),
            },
            since: at(self.since),
            drift: self.drift,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct RootRecord {
    created: i64,
    #[serde(default)]
    keys: Vec<KeyRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<LoginRecord>,
}

impl From<&RootUser> for RootRecord {
    fn from(root: &RootUser) -> Self {
        Self {
            created: root.created.millis(),
            keys: root.keys.iter().map(KeyRecord::from).collect(),
            login: root.login.as_ref().map(LoginRecord::from),
        }
    }
}

impl RootRecord {
    fn restore(self, record: &StateRecord) -> Result<RootUser, RecordError> {
        Ok(RootUser {
            created: at(self.created),
            keys: restore_keys(self.keys, record)?,
            login: self.login.map(LoginRecord::restore),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct PasswordPolicyRecord {
    minimum_length: i32,
    require_symbols: bool,
    require_numbers: bool,
    require_uppercase: bool,
    require_lowercase: bool,
    allow_users_to_change: bool,
    max_age_days: Option<i32>,
    reuse_prevention: Option<i32>,
    hard_expiry: Option<bool>,
}

#[derive(Serialize, Deserialize)]
struct SettingsRecord {
    alias: Option<String>,
    password_policy: Option<PasswordPolicyRecord>,
    /// Ids of keys, and until when the sessions that they have minted are ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ended_sessions: Vec<(String, i64)>,
}

impl From<&AccountSettings> for SettingsRecord {
    fn from(settings: &AccountSettings) -> Self {
        let policy = settings
            .password_policy
            .as_ref()
            .map(|policy| PasswordPolicyRecord {
                minimum_length: policy.minimum_length,
                require_symbols: policy.require_symbols,
                require_numbers: policy.require_numbers,
                require_uppercase: policy.require_uppercase,
                require_lowercase: policy.require_lowercase,
                allow_users_to_change: policy.allow_users_to_change,
                max_age_days: policy.max_age_days,
                reuse_prevention: policy.reuse_prevention,
                hard_expiry: policy.hard_expiry,
            });
        Self {
            alias: settings.alias.clone(),
            password_policy: policy,
            ended_sessions: settings
                .ended_sessions
                .iter()
                .map(|(key, until)| (key.to_string(), until.millis()))
                .collect(),
        }
    }
}

impl SettingsRecord {
    fn restore(self, record: &StateRecord) -> Result<AccountSettings, RecordError> {
        let policy = self.password_policy.map(|policy| PasswordPolicy {
            minimum_length: policy.minimum_length,
            require_symbols: policy.require_symbols,
            require_numbers: policy.require_numbers,
            require_uppercase: policy.require_uppercase,
            require_lowercase: policy.require_lowercase,
            allow_users_to_change: policy.allow_users_to_change,
            max_age_days: policy.max_age_days,
            reuse_prevention: policy.reuse_prevention,
            hard_expiry: policy.hard_expiry,
        });
        let ended = self.ended_sessions.into_iter();
        Ok(AccountSettings {
            alias: self.alias,
            password_policy: policy,
            ended_sessions: ended
                .map(|(key, until)| Ok((id(record, &key)?, at(until))))
                .collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct ReportRecord {
    generated: i64,
    content: String,
}

impl From<&CredentialReport> for ReportRecord {
    fn from(report: &CredentialReport) -> Self {
        Self {
            generated: report.generated.millis(),
            content: report.content.to_string(),
        }
    }
}

impl ReportRecord {
    fn restore(self) -> CredentialReport {
        CredentialReport {
            generated: at(self.generated),
            content: self.content.into(),
        }
    }
}
