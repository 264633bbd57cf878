//! Policies as an account holds them: customer managed policies with versions, and the grants of a
//! user or a group (inline policies and attachments).

use std::sync::{Arc, OnceLock};

use keywright_base::{AccountId, Arn, FoldedName, Timestamp, UniqueId};
use keywright_policy::Policy;

use super::Tag;

/// A policy document with its compiled form, compiled at the first use.
#[derive(Debug)]
struct PolicyText {
    text: Arc<str>,
    compiled: OnceLock<Option<Arc<Policy>>>,
}

impl PolicyText {
    const fn new(text: Arc<str>) -> Self {
        Self {
            text,
            compiled: OnceLock::new(),
        }
    }

    /// Under a name for explanations, where it has none of its own.
    fn compiled(&self, name: Option<&str>) -> Option<&Arc<Policy>> {
        let compile = || compile(&self.text, name);
        self.compiled.get_or_init(compile).as_ref()
    }
}

/// Compiles a stored document; `None` if it no longer parses, which callers must treat as "refuse".
fn compile(text: &str, name: Option<&str>) -> Option<Arc<Policy>> {
    let document = keywright_policy::parse(text).ok()?;
    let policy = Policy::compile(&document);
    Some(Arc::new(match name {
        Some(name) => policy.with_id(name),
        None => policy,
    }))
}

/// An inline policy of a user or group.
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

/// What a user or a group is granted directly.
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

    /// Adds an inline policy, or replaces the document of the one with that name (its spelling
    /// stays).
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
