//! Finds the patterns with a wildcard before their end that could match a name. It protects one
//! rule: how many patterns a name is tried against does not grow with those that share no text
//! with it.
//!
//! Of each pattern one text must stand in whatever it matches; all those texts are searched for at
//! once, in one pass over the name.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, automaton::OverlappingState};

use super::Number;
use crate::pattern::Glob;

/// Patterns with the statements that they stand in.
type Patterns = Box<[(Glob, Number)]>;

/// Patterns, by texts that they contain.
#[derive(Debug, Clone)]
pub(super) struct Inner {
    /// Without a text: always tried.
    bare: Patterns,
    /// Finds a text of each of the others.
    texts: Option<AhoCorasick>,
    /// The patterns of each text.
    filed: Box<[Patterns]>,
}

impl Inner {
    pub(super) fn new(globs: Vec<(Glob, Number)>) -> Self {
        let shared = shared(&globs);
        let mut bare = Vec::new();
        let mut filed = BTreeMap::<Box<str>, Vec<(Glob, Number)>>::new();
        for (glob, number) in globs {
            match telling(&glob, &shared) {
                Some(text) => filed.entry(text).or_default().push((glob, number)),
                None => bare.push((glob, number)),
            }
        }
        // It fails for more texts than memory holds: then every pattern is tried.
        let texts = match filed.is_empty() {
            true => None,
            false => search()
                .build(filed.keys().map(|text| text.as_bytes()))
                .ok(),
        };
        if texts.is_none() {
            bare.extend(std::mem::take(&mut filed).into_values().flatten());
        }
        Self {
            bare: bare.into(),
            texts,
            filed: filed.into_values().map(Into::into).collect(),
        }
    }

    /// Visits the statements whose pattern matches a name; `false` when the visitor has had enough.
    pub(super) fn each(&self, name: &str, all: &mut impl FnMut(&[Number]) -> bool) -> bool {
        let mut matching = |globs: &[(Glob, Number)]| {
            let mut each = globs.iter();
            each.all(|(glob, number)| !glob.matches(name) || all(&[*number]))
        };
        if !matching(&self.bare) {
            return false;
        }
        let Some(texts) = &self.texts else {
            return true;
        };
        let mut state = OverlappingState::start();
        loop {
            texts.find_overlapping(name, &mut state);
            let Some(found) = state.get_match() else {
                return true;
            };
            let globs = self.filed.get(found.pattern().as_usize());
            if !globs.is_none_or(|globs| matching(globs)) {
                return false;
            }
        }
    }
}

/// The form that takes little memory, as there are many policies.
fn search() -> AhoCorasickBuilder {
    let mut builder = AhoCorasick::builder();
    builder.kind(Some(AhoCorasickKind::ContiguousNFA));
    builder.prefilter(false);
    builder
}

/// How many patterns have each text.
fn shared(globs: &[(Glob, Number)]) -> BTreeMap<Box<str>, usize> {
    let mut shared = BTreeMap::new();
    for (glob, _) in globs {
        for text in glob.texts() {
            *shared.entry(text.into()).or_default() += 1;
        }
    }
    shared
}

/// The text of a pattern that the fewest others have, the longest of those.
fn telling(glob: &Glob, shared: &BTreeMap<Box<str>, usize>) -> Option<Box<str>> {
    let rarity = |text: &&str| {
        let others = shared.get(*text).copied().unwrap_or_default();
        (others, usize::MAX - text.len())
    };
    glob.texts().min_by_key(rarity).map(Into::into)
}
