//! A compiled policy. It protects one rule: everything that does not depend on the request is done
//! once, here, and an unreadable statement grants nothing and denies all it might have denied.
//!
//! Statements are found through an index by service, so that a policy about other services costs
//! one search.

use std::{cmp::Ordering, collections::BTreeMap};

use crate::{
    condition::Condition,
    context::Env,
    document::{Clause, Document, Effect, Statement, Version},
    pattern::Glob,
    principal::{Grant, Principals},
    reason::Layer,
    resource::{ArnPattern, Match, Target},
};

/// A policy, ready to be evaluated any number of times from any thread.
#[derive(Debug, Clone)]
pub struct Policy {
    statements: Box<[Compiled]>,
    /// By service, ascending: the statements with actions of that service.
    services: Box<[(Word, Vec<Entry>)]>,
    /// Statements whose actions are not of one service: `*`, `NotAction`.
    everywhere: Box<[Entry]>,
}

/// A text with its hash, which is compared first: most comparisons then touch no text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hashed<'a> {
    hash: u64,
    text: &'a str,
}

impl<'a> Hashed<'a> {
    /// FNV-1a. Nothing depends on its quality but speed.
    pub(crate) fn new(text: &'a str) -> Self {
        let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
        Self { hash, text }
    }
}

/// An owned [`Hashed`], ordered by hash and then by text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    hash: u64,
    text: Box<str>,
}

impl Word {
    fn new(text: &str) -> Self {
        let hash = Hashed::new(text).hash;
        let text = text.into();
        Self { hash, text }
    }

    fn compare(&self, other: Hashed<'_>) -> Ordering {
        let by_hash = self.hash.cmp(&other.hash);
        by_hash.then_with(|| (*self.text).cmp(other.text))
    }
}

/// A statement and those of its action names that an index slot covers.
#[derive(Debug, Clone)]
struct Entry {
    statement: usize,
    names: Names,
}

/// Names in lower case. In a service's slot they are action names, elsewhere whole actions.
#[derive(Debug, Clone, Default)]
struct Names {
    negated: bool,
    any: bool,
    /// Ascending.
    exact: Vec<Word>,
    globs: Vec<Glob>,
}

impl Names {
    fn add(&mut self, pattern: &str) {
        match Glob::new(pattern) {
            Glob::Any => self.any = true,
            Glob::Exact(name) => self.exact.push(Word::new(&name)),
            glob => self.globs.push(glob),
        }
    }

    fn matches(&self, name: Hashed<'_>) -> bool {
        let listed = self.any
            || self
                .exact
                .binary_search_by(|word| word.compare(name))
                .is_ok()
            || self.globs.iter().any(|glob| glob.matches(name.text));
        listed != self.negated
    }
}

/// A statement without its actions, which are in the index.
#[derive(Debug, Clone)]
struct Compiled {
    effect: Effect,
    principals: Option<Principals>,
    resources: Resources,
    /// `None`: an operator could not be compiled.
    conditions: Option<Box<[Condition]>>,
}

#[derive(Debug, Clone)]
enum Resources {
    /// No such element.
    Absent,
    /// `*`
    Any,
    Only(Box<[ArnPattern]>),
    AllBut(Box<[ArnPattern]>),
}

/// One request, taken apart for matching.
pub(crate) struct Query<'a> {
    /// The whole action in lower case, and its two halves.
    pub(crate) action: Hashed<'a>,
    pub(crate) service: Hashed<'a>,
    pub(crate) name: Hashed<'a>,
    pub(crate) target: Target<'a>,
    pub(crate) env: Env<'a>,
}

/// What a policy says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// An explicit deny.
    Deny,
    /// How far it grants; identity policies grant [`Grant::Direct`] or not at all.
    Grant(Grant),
}

impl Policy {
    /// Compiles a document. It need not have passed validation: what cannot be evaluated in an
    /// Allow grants nothing, what cannot be evaluated in a Deny denies.
    pub fn compile(document: &Document) -> Self {
        let variables = document.version == Some(Version::V2012);
        let statements = document
            .statements
            .iter()
            .map(|s| Compiled::new(s, variables));
        let mut index = Index::default();
        for (at, statement) in document.statements.iter().enumerate() {
            index.add(at, statement.action.as_ref(), statement.effect);
        }
        Self {
            statements: statements.collect(),
            services: index.services.into_iter().collect(),
            everywhere: index.everywhere.into(),
        }
    }

    /// What the policy says, when it stands in `layer`.
    pub(crate) fn verdict(&self, query: &Query<'_>, layer: Layer) -> Verdict {
        let slot = self
            .services
            .binary_search_by(|(service, _)| service.compare(query.service));
        let slot = slot.ok().and_then(|at| self.services.get(at));
        let local = slot.into_iter().flat_map(|(_, entries)| entries);
        let local = local.filter(|entry| entry.names.matches(query.name));
        let global = self
            .everywhere
            .iter()
            .filter(|entry| entry.names.matches(query.action));
        let mut best = Grant::None;
        for entry in local.chain(global) {
            let Some(statement) = self.statements.get(entry.statement) else {
                continue;
            };
            match statement.effect {
                Effect::Deny if statement.denies(query, layer) => return Verdict::Deny,
                Effect::Allow if best < Grant::Direct => {
                    best = best.max(statement.grants(query, layer));
                }
                _ => {}
            }
        }
        Verdict::Grant(best)
    }
}

/// The index while it is built.
#[derive(Default)]
struct Index {
    services: BTreeMap<Word, Vec<Entry>>,
    everywhere: Vec<Entry>,
}

impl Index {
    fn add(&mut self, statement: usize, clause: Option<&Clause>, effect: Effect) {
        let Some(clause) = clause else {
            // Without actions a statement grants nothing; a Deny may have meant any action.
            if effect == Effect::Deny {
                let names = Names {
                    any: true,
                    ..Names::default()
                };
                self.everywhere.push(Entry { statement, names });
            }
            return;
        };
        let mut global = Names {
            negated: clause.negated,
            ..Names::default()
        };
        let mut local = BTreeMap::<Word, Names>::new();
        for text in clause.elements.iter().flatten() {
            let text = text.to_lowercase();
            match text.split_once(':') {
                Some((service, name)) if !clause.negated && !service.contains(['*', '?']) => {
                    local.entry(Word::new(service)).or_default().add(name);
                }
                _ => global.add(&text),
            }
        }
        for (service, mut names) in local {
            names.exact.sort_unstable();
            self.services
                .entry(service)
                .or_default()
                .push(Entry { statement, names });
        }
        if global.negated || global.any || !global.exact.is_empty() || !global.globs.is_empty() {
            global.exact.sort_unstable();
            self.everywhere.push(Entry {
                statement,
                names: global,
            });
        }
    }
}

impl Compiled {
    fn new(statement: &Statement, variables: bool) -> Self {
        let conditions = statement
            .conditions
            .iter()
            .map(|c| Condition::new(c, variables));
        Self {
            effect: statement.effect,
            principals: statement.principal.as_ref().map(Principals::new),
            resources: Resources::new(statement.resource.as_ref(), variables),
            conditions: conditions.collect(),
        }
    }

    /// How far an Allow whose actions match grants.
    fn grants(&self, query: &Query<'_>, layer: Layer) -> Grant {
        let grant = match (&self.principals, layer.names_principals()) {
            (Some(principals), true) if !principals.negated() => {
                principals.grant(query.env.principal)
            }
            (None, false) => Grant::Direct,
            _ => Grant::None,
        };
        if grant == Grant::None || self.conditions.is_none() {
            return Grant::None;
        }
        let resource = match self.resources {
            Resources::Absent => layer == Layer::Trust,
            _ => self.resources.contain(query),
        };
        if resource && self.conditions_hold(query) {
            grant
        } else {
            Grant::None
        }
    }

    /// Whether a Deny whose actions match applies.
    fn denies(&self, query: &Query<'_>, layer: Layer) -> bool {
        let named = match &self.principals {
            Some(principals) if layer.names_principals() => {
                let caller = query.env.principal;
                if principals.negated() {
                    !principals.spares(caller)
                } else {
                    principals.names_unknown() || principals.grant(caller) != Grant::None
                }
            }
            _ => true,
        };
        named && self.resources.contain(query) && self.conditions_hold(query)
    }

    fn conditions_hold(&self, query: &Query<'_>) -> bool {
        match &self.conditions {
            Some(conditions) => conditions.iter().all(|c| c.holds(&query.env)),
            None => true,
        }
    }
}

impl Resources {
    fn new(clause: Option<&Clause>, variables: bool) -> Self {
        let Some(clause) = clause else {
            return Self::Absent;
        };
        let elements = clause.elements.iter().flatten();
        let patterns: Box<[_]> = elements
            .map(|r| ArnPattern::resource(r, variables))
            .collect();
        if clause.negated {
            Self::AllBut(patterns)
        } else if patterns.iter().any(|p| matches!(p, ArnPattern::Any)) {
            Self::Any
        } else {
            Self::Only(patterns)
        }
    }

    fn contain(&self, query: &Query<'_>) -> bool {
        match self {
            Self::Absent | Self::Any => true,
            Self::Only(patterns) => patterns
                .iter()
                .any(|p| p.matches(&query.target, &query.env) == Match::Yes),
            // A variable without value makes the whole statement not apply.
            Self::AllBut(patterns) => patterns
                .iter()
                .all(|p| p.matches(&query.target, &query.env) == Match::No),
        }
    }
}
