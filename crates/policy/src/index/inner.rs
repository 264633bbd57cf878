//! Finds the patterns with a wildcard before their end that could match a name. It protects one
//! rule: how many patterns a name is tried against does not grow with those that share no text
//! with it.
//!
//! Of each pattern one text must stand in whatever it matches; all those texts are searched for at
//! once, in one pass over the name.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, automaton::OverlappingState};

use super::StatementNumber;
use crate::pattern::Glob;

/// Patterns with the statements that they stand in.
type IndexedPatterns = Box<[(Glob, StatementNumber)]>;

/// Patterns, by texts that they contain.
#[derive(Debug, Clone)]
pub(super) struct TextIndex {
    /// Without a text: always tried.
    bare: IndexedPatterns,
    filed: Box<[FiledPatterns]>,
}

/// Some texts, and the patterns of each.
#[derive(Debug, Clone)]
struct FiledPatterns {
    texts: AhoCorasick,
    patterns: Box<[IndexedPatterns]>,
}

/// Texts that are searched for together. The library takes the square of their number to get ready.
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
                // For more texts than memory holds: then every pattern is tried.
                Err(_) => bare.extend(patterns.into_iter().flatten()),
            }
        }
        Self {
            bare: bare.into(),
            filed: filed.into(),
        }
    }

    /// Visits the statements whose pattern matches a name; `false` when the visitor has had enough.
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
            // A text may stand at many places of a name; its patterns are tried once.
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

/// The number of the next text that stands in a name.
fn next(texts: &AhoCorasick, name: &str, state: &mut OverlappingState) -> Option<usize> {
    texts.find_overlapping(name, state);
    Some(state.get_match()?.pattern().as_usize())
}

/// The form that takes little memory, as there are many policies.
fn search() -> AhoCorasickBuilder {
    let mut builder = AhoCorasick::builder();
    builder.kind(Some(AhoCorasickKind::ContiguousNFA));
    builder.prefilter(false);
    builder
}

/// How many patterns have each text.
fn shared(globs: &[(Glob, StatementNumber)]) -> BTreeMap<Box<str>, usize> {
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
