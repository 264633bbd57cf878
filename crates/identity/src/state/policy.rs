//! The policies in an account: customer managed policies with versions, and the grants of a user,
//! group or role (inline policies and attachments).

use std::sync::{Arc, OnceLock};

use imbl::{HashMap, OrdMap};
use keywright_base::{AccountId, Arn, FoldedName, Timestamp, UniqueId};
use keywright_policy::Policy;
use serde::{Deserialize, Serialize};

use super::{
    Account, Tag,
    entity::{
        Entity, RecordError, RecordReader, RemovableEntity, TagRecord, at, restore_tags,
        tag_records,
    },
};

/// A policy document, compiled on first use.
#[derive(Debug)]
pub(super) struct PolicyText {
    text: Arc<str>,
    compiled: OnceLock<Option<Arc<Policy>>>,
}

impl PolicyText {
    pub(super) const fn new(text: Arc<str>) -> Self {
        Self {
            text,
            compiled: OnceLock::new(),
        }
    }

    /// The document, as it was given.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The compiled document, with a name for explanations if it has none of its own.
    pub(super) fn compiled(&self, name: Option<&str>) -> Option<&Arc<Policy>> {
        let compile = || compile(&self.text, name);
        self.compiled.get_or_init(compile).as_ref()
    }
}

/// Compiles a stored document; `None` if it no longer parses, in which case callers must refuse.
fn compile(text: &str, name: Option<&str>) -> Option<Arc<Policy>> {
    let document = keywright_policy::parse(text).ok()?;
    let policy = Policy::compile(&document);
    Some(Arc::new(match name {
        Some(name) => policy.with_id(name),
        None => policy,
    }))
}

/// An inline policy of a user, group or role.
#[derive(Debug, Clone)]
pub struct InlinePolicy {
    /// Its name, as first written.
    pub name: String,
    document: Arc<PolicyText>,
}

impl InlinePolicy {
    /// From its name and text.
    pub fn new(name: String, text: Arc<str>) -> Self {
        Self {
            name,
            document: Arc::new(PolicyText::new(text)),
        }
    }

    /// The document as it was put, byte for byte.
    pub fn text(&self) -> &Arc<str> {
        &self.document.text
    }

    /// The compiled document; `None` means that it cannot be evaluated and the caller must refuse.
    pub fn compiled(&self) -> Option<&Arc<Policy>> {
        self.document.compiled(Some(&self.name))
    }
}

/// A role's trust policy.
#[derive(Debug, Clone)]
pub struct TrustPolicy(Arc<PolicyText>);

impl TrustPolicy {
    /// From its stored form, in which principals of this installation are unique IDs.
    pub fn new(stored: Arc<str>) -> Self {
        Self(Arc::new(PolicyText::new(stored)))
    }

    /// The stored form.
    pub fn stored(&self) -> &Arc<str> {
        &self.0.text
    }

    /// The compiled document; `None` means that it cannot be evaluated and the caller must refuse.
    pub fn compiled(&self) -> Option<&Arc<Policy>> {
        self.0.compiled(None)
    }
}

/// An inline session policy. It is compiled once for each request, however many decisions that
/// takes.
#[derive(Debug, Clone)]
pub struct SessionPolicy(Arc<PolicyText>);

impl SessionPolicy {
    /// From the document as it was passed.
    pub fn new(text: &str) -> Self {
        Self(Arc::new(PolicyText::new(text.into())))
    }

    /// The document as it was passed.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The compiled document; `None` means that it cannot be evaluated and the caller must refuse.
    pub fn compiled(&self) -> Option<&Arc<Policy>> {
        self.0.compiled(None)
    }
}

impl PartialEq for SessionPolicy {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for SessionPolicy {}

/// The policies that a user, group or role has directly.
#[derive(Debug, Clone, Default)]
pub struct DirectGrants {
    /// Inline policies, sorted by folded name.
    pub inline: Vec<InlinePolicy>,
    /// ARNs of attached managed policies, in order of attachment.
    pub attached: Vec<Arc<str>>,
}

impl DirectGrants {
    /// The inline policy with this name in any case.
    pub fn inline(&self, name: &str) -> Option<&InlinePolicy> {
        self.inline
            .iter()
            .find(|policy| policy.name.eq_ignore_ascii_case(name))
    }

    /// Whether a managed policy is attached.
    pub fn is_attached(&self, arn: &str) -> bool {
        self.attached.iter().any(|attached| &**attached == arn)
    }

    /// Adds an inline policy, or replaces the document of the one with that name, which retains its
    /// spelling.
    pub fn put_inline(&mut self, name: &str, text: Arc<str>) {
        let same = |p: &&mut InlinePolicy| p.name.eq_ignore_ascii_case(name);
        if let Some(policy) = self.inline.iter_mut().find(same) {
            policy.document = Arc::new(PolicyText::new(text));
            return;
        }
        self.inline.push(InlinePolicy::new(name.to_owned(), text));
        self.inline
            .sort_by_cached_key(|policy| FoldedName::new(&policy.name));
    }
}

/// One version of a customer managed policy.
#[derive(Debug, Clone)]
pub struct PolicyVersion {
    /// 1 for `v1`; never reused.
    pub number: u32,
    /// When it was created, whole seconds.
    pub created: Timestamp,
    document: Arc<PolicyText>,
}

impl PolicyVersion {
    /// From its parts.
    pub fn new(number: u32, created: Timestamp, text: Arc<str>) -> Self {
        Self {
            number,
            created,
            document: Arc::new(PolicyText::new(text)),
        }
    }

    /// `v1`, `v2`, ….
    pub fn id(&self) -> String {
        format!("v{}", self.number)
    }

    /// The document as it was put, byte for byte.
    pub fn text(&self) -> &Arc<str> {
        &self.document.text
    }

    /// The compiled document; `None` means that it cannot be evaluated and the caller must refuse.
    pub fn compiled(&self) -> Option<&Arc<Policy>> {
        self.document.compiled(None)
    }
}

/// A customer managed policy.
#[derive(Debug, Clone)]
pub struct CustomerPolicy {
    /// `ANPA…`.
    pub id: UniqueId,
    /// `/` or `/…/`.
    pub path: String,
    /// Its name, as given.
    pub name: String,
    /// At most 1000 characters.
    pub description: Option<String>,
    /// When it was created, whole seconds.
    pub created: Timestamp,
    /// When its default version last changed.
    pub updated: Timestamp,
    /// At most 50; keys are case-sensitive.
    pub tags: Vec<Tag>,
    /// At most five, ascending by number.
    pub versions: Vec<PolicyVersion>,
    /// The number of the version in effect.
    pub default_version: u32,
    /// The number the next version gets.
    pub next_version: u32,
}

impl CustomerPolicy {
    /// `arn:aws:iam::ACCOUNT:policy/path/name`.
    pub fn arn(&self, account: AccountId) -> Arn {
        Arn::iam_entity(account, "policy", &self.path, &self.name)
    }

    /// The version in effect.
    pub fn default(&self) -> Option<&PolicyVersion> {
        self.version(self.default_version)
    }

    /// A version by number.
    pub fn version(&self, number: u32) -> Option<&PolicyVersion> {
        self.versions
            .iter()
            .find(|version| version.number == number)
    }
}

/// The customer managed policies of an account.
#[derive(Debug, Clone, Default)]
pub(super) struct PolicyIndex {
    by_name: OrdMap<FoldedName, Arc<CustomerPolicy>>,
    names: HashMap<UniqueId, FoldedName>,
}

impl Account {
    /// A customer managed policy by name in any case.
    pub fn policy(&self, name: &str) -> Option<&Arc<CustomerPolicy>> {
        self.policies.by_name.get(&FoldedName::new(name))
    }

    /// A customer managed policy of this account by ARN, in exactly this spelling. Policies limit
    /// what a caller may attach by the ARN that the request names, so no other spelling may name
    /// the same policy.
    pub fn policy_by_arn(&self, arn: &Arn) -> Option<&Arc<CustomerPolicy>> {
        let name = arn.resource().strip_prefix("policy/")?.rsplit('/').next()?;
        let policy = self.policy(name)?;
        (policy.arn(self.id()) == *arn).then_some(policy)
    }

    /// All customer managed policies, ordered by name without regard to case.
    pub const fn policies(&self) -> &OrdMap<FoldedName, Arc<CustomerPolicy>> {
        &self.policies.by_name
    }
}

#[derive(Debug, Serialize, Deserialize, Default)]
pub(crate) struct GrantsRecord {
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
    pub(super) fn restore(self, reader: &mut RecordReader<'_, '_>) -> DirectGrants {
        let inline = self
            .inline
            .into_iter()
            .map(|(name, text)| InlinePolicy::new(name, text.into()));
        DirectGrants {
            inline: inline.collect(),
            attached: self.attached.iter().map(|arn| reader.arn(arn)).collect(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PolicyRecord {
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
            tags: tag_records(&policy.tags),
            versions: policy.versions.iter().map(version).collect(),
            default_version: policy.default_version,
            next_version: policy.next_version,
        }
    }
}

impl Entity for CustomerPolicy {
    const KIND: &'static str = "policy";
    type Id = UniqueId;
    type Record = PolicyRecord;

    fn entity_id(&self) -> Self::Id {
        self.id
    }

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        let version = |(number, created, text): (u32, i64, String)| {
            PolicyVersion::new(number, at(created), text.into())
        };
        Ok(Self {
            id: reader.id(&record.id)?,
            path: record.path,
            name: record.name,
            description: record.description,
            created: at(record.created),
            updated: at(record.updated),
            tags: restore_tags(record.tags),
            versions: record.versions.into_iter().map(version).collect(),
            default_version: record.default_version,
            next_version: record.next_version,
        })
    }

    fn insert(account: &mut Account, policy: &Arc<Self>) {
        let name = FoldedName::new(&policy.name);
        account.policies.names.insert(policy.id, name.clone());
        account.policies.by_name.insert(name, Arc::clone(policy));
        account.grants_changed();
    }
}

impl RemovableEntity for CustomerPolicy {
    fn remove(account: &mut Account, id: &Self::Id) {
        if let Some(name) = account.policies.names.remove(id) {
            account.policies.by_name.remove(&name);
        }
        account.grants_changed();
    }
}
