//! Finds the statements that match a request's action. Invariant: the cost of a lookup does not
//! grow with the number of statements that do not match.
//!
//! Full names are found by hash, names with one trailing asterisk by their longest stored prefix,
//! and other patterns by a text that they contain. Only `NotAction` is tried one by one.

mod inner;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use self::inner::TextIndex;
use crate::{
    document::{Effect, ElementClause},
    pattern::{Glob, MatchCost},
    resource::cut,
};

/// The index of a statement in its policy.
type StatementNumber = u32;

/// A request's action in lower case, with its two parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestAction<'a> {
    whole: &'a str,
    service: HashedText<'a>,
    name: HashedText<'a>,
}

impl<'a> RequestAction<'a> {
    /// Splits `service:name`; `None` if a part is missing.
    pub(crate) fn new(whole: &'a str) -> Option<Self> {
        let (service, name) = cut(whole)?;
        if service.is_empty() || name.is_empty() {
            return None;
        }
        Some(Self {
            whole,
            service: HashedText::new(service),
            name: HashedText::new(name),
        })
    }

    pub(crate) const fn service(&self) -> &'a str {
        self.service.text
    }
}

/// A text with its hash. The hash is compared first, so most comparisons never look at the text.
#[derive(Debug, Clone, Copy)]
struct HashedText<'a> {
    hash: u64,
    text: &'a str,
}

impl<'a> HashedText<'a> {
    /// Hashes a text in lower case.
    fn new(text: &'a str) -> Self {
        let hash = hash(text);
        Self { hash, text }
    }
}

/// FNV-1a of the text in lower case. Only speed depends on its quality.
fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    };
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// A bit chosen by the hash's highest bits, which the last byte has affected too.
const fn bit(hash: u64) -> u64 {
    1 << (hash >> 58)
}

/// An owned [`HashedText`], ordered by hash and then by text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct HashedWord {
    hash: u64,
    text: Box<str>,
}

impl HashedWord {
    fn new(text: &str) -> Self {
        let hash = HashedText::new(text).hash;
        let text = text.into();
        Self { hash, text }
    }

    fn compare(&self, other: HashedText<'_>) -> Ordering {
        let by_hash = self.hash.cmp(&other.hash);
        by_hash.then_with(|| (*self.text).cmp(other.text))
    }
}

/// A policy's statements, indexed by action.
#[derive(Debug, Clone)]
pub(crate) struct ActionIndex {
    /// One bit per service hash. Most policies are not about the requested service, and this bit
    /// mask shows it quickly.
    mask: u64,
    /// Ascending.
    services: Box<[(HashedWord, ServiceSlot)]>,
    /// Statements for every action.
    always: Box<[StatementNumber]>,
    /// Statements that are tried one by one.
    others: Box<[UnindexedStatement]>,
    /// The cost of trying all patterns that are neither names nor prefixes.
    cost: MatchCost,
}

/// The statements about actions of one service.
#[derive(Debug, Clone)]
struct ServiceSlot {
    /// `service:*`
    always: Box<[StatementNumber]>,
    /// Ascending.
    exact: Box<[(HashedWord, Box<[StatementNumber]>)]>,
    /// Ascending by text.
    prefixes: Box<[IndexedPrefix]>,
    inner: TextIndex,
}

#[derive(Debug, Clone)]
struct IndexedPrefix {
    text: Box<str>,
    /// The index of the longest other prefix that this one starts with.
    shorter: Option<usize>,
    statements: Box<[StatementNumber]>,
}

/// A `NotAction`, or a Deny whose actions name no service that could be looked up.
#[derive(Debug, Clone)]
struct UnindexedStatement {
    statement: StatementNumber,
    negated: bool,
    /// Patterns for full action names.
    patterns: Box<[Glob]>,
}

impl ActionIndex {
    /// Calls `visit` with every statement that matches the action, possibly more than once, until
    /// it returns `false`.
    pub(crate) fn each(&self, action: &RequestAction<'_>, mut visit: impl FnMut(usize) -> bool) {
        let mut all = |numbers: &[StatementNumber]| numbers.iter().all(|n| visit(*n as usize));
        if !all(&self.always) {
            return;
        }
        if self.mask & bit(action.service.hash) != 0
            && let Some(slot) = self.slot(action.service)
            && !slot.each(action.name, &mut all)
        {
            return;
        }
        for other in &self.others {
            let listed = other.patterns.iter().any(|p| p.matches(action.whole));
            if listed != other.negated && !all(&[other.statement]) {
                return;
            }
        }
    }

    /// The maximum steps of finding the statements that match an action, not counting lookups of
    /// names and prefixes.
    pub(crate) const fn steps(&self, action: &RequestAction<'_>) -> u64 {
        self.cost.of(action.whole.len())
    }

    fn slot(&self, service: HashedText<'_>) -> Option<&ServiceSlot> {
        let find = |(word, _): &(HashedWord, ServiceSlot)| word.compare(service);
        let at = self.services.binary_search_by(find).ok()?;
        self.services.get(at).map(|(_, slot)| slot)
    }

    /// Whether any statement matches the action.
    pub(crate) fn selects(&self, action: &RequestAction<'_>) -> bool {
        let mut found = false;
        self.each(action, |_| {
            found = true;
            false
        });
        found
    }

    /// The statements that match the action.
    pub(crate) fn selected(&self, action: &RequestAction<'_>) -> BTreeSet<usize> {
        let mut selected = BTreeSet::new();
        self.each(action, |statement| {
            selected.insert(statement);
            true
        });
        selected
    }
}

/// The services that several policies are about, so that requests for other services need no
/// evaluation.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServiceReach {
    /// Whether some statement could match any service.
    open: bool,
    /// Hashes of the service prefixes, ascending.
    services: Arc<[u64]>,
}

impl ServiceReach {
    pub(crate) fn of<'a>(indexes: impl Iterator<Item = &'a ActionIndex> + Clone) -> Self {
        let open = |index: &ActionIndex| !index.always.is_empty() || !index.others.is_empty();
        let services = indexes.clone().flat_map(|index| &index.services);
        let services: BTreeSet<u64> = services.map(|(word, _)| word.hash).collect();
        Self {
            open: indexes.clone().any(open),
            services: services.into_iter().collect(),
        }
    }

    /// Whether no policy can match the action (in any case). `false` for a malformed action.
    pub(crate) fn excludes(&self, action: &str) -> bool {
        let Some((service, name)) = cut(action) else {
            return false;
        };
        !self.open
            && !service.is_empty()
            && !name.is_empty()
            && self.services.binary_search(&hash(service)).is_err()
    }
}

impl ServiceSlot {
    /// Visits the statements for a name; `false` if the visitor stopped.
    fn each(&self, name: HashedText<'_>, all: &mut impl FnMut(&[StatementNumber]) -> bool) -> bool {
        if !all(&self.always) {
            return false;
        }
        let exact = self
            .exact
            .binary_search_by(|(word, _)| word.compare(name))
            .ok();
        if let Some((_, numbers)) = exact.and_then(|at| self.exact.get(at))
            && !all(numbers)
        {
            return false;
        }
        // Every prefix of the name that sorts before the last candidate is a prefix of that
        // candidate.
        let after = self.prefixes.partition_point(|p| *p.text <= *name.text);
        let mut at = after.checked_sub(1);
        while let Some(prefix) = at.and_then(|at| self.prefixes.get(at)) {
            if name.text.starts_with(&*prefix.text) && !all(&prefix.statements) {
                return false;
            }
            at = prefix.shorter;
        }
        self.inner.each(name.text, all)
    }
}

/// An index under construction.
#[derive(Default)]
pub(crate) struct IndexBuilder {
    services: BTreeMap<HashedWord, SlotDraft>,
    always: Vec<StatementNumber>,
    others: Vec<UnindexedStatement>,
}

#[derive(Default)]
struct SlotDraft {
    always: BTreeSet<StatementNumber>,
    exact: BTreeMap<HashedWord, BTreeSet<StatementNumber>>,
    prefixes: BTreeMap<Box<str>, BTreeSet<StatementNumber>>,
    globs: Vec<(Glob, StatementNumber)>,
}

impl IndexBuilder {
    /// Adds a statement. Without actions an Allow grants nothing; a Deny may have meant any action.
    pub(crate) fn add(&mut self, statement: usize, clause: Option<&ElementClause>, effect: Effect) {
        // More statements than fit in a u32 do not fit in memory.
        let statement = u32::try_from(statement).unwrap_or(u32::MAX);
        let Some(clause) = clause else {
            if effect == Effect::Deny {
                self.always.push(statement);
            }
            return;
        };
        let texts = clause.elements.iter().flatten();
        let texts = texts.map(|text| text.to_ascii_lowercase());
        let mut patterns = Vec::new();
        for text in texts {
            match text.split_once(':') {
                _ if clause.negated => patterns.push(Glob::new(&text)),
                _ if text == "*" || text == "*:*" => self.always.push(statement),
                Some((service, name)) if !service.contains(['*', '?']) => {
                    let draft = self.services.entry(HashedWord::new(service)).or_default();
                    draft.add(name, statement);
                }
                // No action has this form, but the Deny must not be lost.
                _ if effect == Effect::Deny => patterns.push(Glob::new(&text)),
                _ => {}
            }
        }
        if clause.negated || !patterns.is_empty() {
            self.others.push(UnindexedStatement {
                statement,
                negated: clause.negated,
                patterns: patterns.into(),
            });
        }
    }

    pub(crate) fn build(mut self) -> ActionIndex {
        self.always.dedup();
        let inner = self.services.values().flat_map(|draft| &draft.globs);
        let inner = inner.map(|(glob, _)| glob.cost());
        let others = self.others.iter().flat_map(|other| &other.patterns);
        let cost = MatchCost::sum(inner.chain(others.map(Glob::cost)));
        let hashes = self.services.keys().map(|word| bit(word.hash));
        let mask = hashes.fold(0, |mask, bit| mask | bit);
        let slots = self.services.into_iter().map(|(w, d)| (w, d.build()));
        ActionIndex {
            mask,
            services: slots.collect(),
            always: self.always.into(),
            others: self.others.into(),
            cost,
        }
    }
}

impl SlotDraft {
    fn add(&mut self, name: &str, statement: StatementNumber) {
        match Glob::new(name) {
            Glob::Any => self.always.insert(statement),
            Glob::Exact(name) => {
                let word = HashedWord::new(&name);
                self.exact.entry(word).or_default().insert(statement)
            }
            Glob::Prefix(text) => self.prefixes.entry(text).or_default().insert(statement),
            glob => {
                self.globs.push((glob, statement));
                true
            }
        };
    }

    fn build(self) -> ServiceSlot {
        let mut prefixes: Vec<IndexedPrefix> = Vec::new();
        for (text, statements) in self.prefixes {
            let mut shorter = prefixes.len().checked_sub(1);
            while let Some(other) = shorter.and_then(|at| prefixes.get(at))
                && !text.starts_with(&*other.text)
            {
                shorter = other.shorter;
            }
            prefixes.push(IndexedPrefix {
                text,
                shorter,
                statements: statements.into_iter().collect(),
            });
        }
        let exact = self.exact.into_iter();
        ServiceSlot {
            always: self.always.into_iter().collect(),
            exact: exact.map(|(w, n)| (w, n.into_iter().collect())).collect(),
            prefixes: prefixes.into(),
            inner: TextIndex::new(self.globs),
        }
    }
}
