//! Finds the patterns with a wildcard before their end that could match a name. Invariant: the
//! number of patterns tried does not grow with those that share no text with the name.
//!
//! Each pattern has a text that occurs in everything it matches. One pass over the name searches
//! for all of these texts together.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, automaton::OverlappingState};

use super::StatementNumber;
use crate::pattern::Glob;

/// Patterns, each with its statement.
type IndexedPatterns = Box<[(Glob, StatementNumber)]>;

/// Patterns, indexed by texts that they contain.
#[derive(Debug, Clone)]
pub(super) struct TextIndex {
    /// Patterns without a text; always tried.
    bare: IndexedPatterns,
    filed: Box<[FiledPatterns]>,
}

/// A group of texts, and the patterns for each.
#[derive(Debug, Clone)]
struct FiledPatterns {
    texts: AhoCorasick,
    patterns: Box<[IndexedPatterns]>,
}

/// Number of texts per automaton. Building one takes time quadratic in this number.
const TOGETHER: usize = 512;

impl TextIndex {
    pub(super) fn new(globs: Vec<(Glob, StatementNumber)>) -> Self {
        let shared = shared(&globs);
        let mut bare = Vec::new();
        let mut by_text = BTreeMap::<Box<str>, Vec<(Glob, StatementNumber)>>::new();
        for (glob, number) in globs {
            match telling(&glob, &shared) {
                Some(text) => by_text.entry(text).or_default().push((glob, number)),
                None => bare.push((glob, number)),
            }
        }
        let mut filed = Vec::new();
        let mut rest = by_text.into_iter().peekable();
        while rest.peek().is_some() {
            let (texts, patterns): (Vec<_>, Vec<_>) = rest.by_ref().take(TOGETHER).unzip();
            match search().build(texts.iter().map(|text| text.as_bytes())) {
                Ok(texts) => filed.push(FiledPatterns {
                    texts,
                    patterns: patterns.into_iter().map(Into::into).collect(),
                }),
                // If there are more texts than memory holds, every pattern is tried.
                Err(_) => bare.extend(patterns.into_iter().flatten()),
            }
        }
        Self {
            bare: bare.into(),
            filed: filed.into(),
        }
    }

    /// Visits the statements whose pattern matches a name; `false` if the visitor stopped.
    pub(super) fn each(
        &self,
        name: &str,
        all: &mut impl FnMut(&[StatementNumber]) -> bool,
    ) -> bool {
        let mut matching = |patterns: &[(Glob, StatementNumber)]| {
            let mut each = patterns.iter();
            each.all(|(glob, number)| !glob.matches(name) || all(&[*number]))
        };
        if !matching(&self.bare) {
            return false;
        }
        for FiledPatterns { texts, patterns } in &self.filed {
            let mut state = OverlappingState::start();
            // A text may occur several times in a name; its patterns are tried once.
            let mut tried = [0_u64; TOGETHER.div_ceil(64)];
            while let Some(found) = next(texts, name, &mut state) {
                if let Some(word) = tried.get_mut(found / 64) {
                    let bit = 1 << (found % 64);
                    if *word & bit != 0 {
                        continue;
                    }
                    *word |= bit;
                }
                if !patterns.get(found).is_none_or(|these| matching(these)) {
                    return false;
                }
            }
        }
        true
    }
}

/// The index of the next text that occurs in a name.
fn next(texts: &AhoCorasick, name: &str, state: &mut OverlappingState) -> Option<usize> {
    texts.find_overlapping(name, state);
    Some(state.get_match()?.pattern().as_usize())
}

/// Uses the automaton with the least memory, because there are many policies.
fn search() -> AhoCorasickBuilder {
    let mut builder = AhoCorasick::builder();
    builder.kind(Some(AhoCorasickKind::ContiguousNFA));
    builder.prefilter(false);
    builder
}

/// Counts the patterns that contain each text.
fn shared(globs: &[(Glob, StatementNumber)]) -> BTreeMap<Box<str>, usize> {
    let mut shared = BTreeMap::new();
    for (glob, _) in globs {
        for text in glob.texts() {
            *shared.entry(text.into()).or_default() += 1;
        }
    }
    shared
}

/// The text of a pattern that the fewest other patterns contain; the longest of those.
fn telling(glob: &Glob, shared: &BTreeMap<Box<str>, usize>) -> Option<Box<str>> {
    let rarity = |text: &&str| {
        let others = shared.get(*text).copied().unwrap_or_default();
        (others, usize::MAX - text.len())
    };
    glob.texts().min_by_key(rarity).map(Into::into)
}
