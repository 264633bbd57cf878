//! Wildcards and policy variables. Invariants: matching takes time linear in the text, whatever the
//! pattern, and the value of a variable is literal text, never a wildcard.
//!
//! `*` matches any text, `?` one UTF-16 code unit (so a character outside the basic plane needs
//! two). A pattern is split at its asterisks once, when it is compiled. Matching does not allocate,
//! except for a long run with variables between two asterisks that is matched against a long text.

mod overlap;
mod run;
mod scan;

use std::borrow::Cow;

pub(crate) use self::overlap::PatternOutline;
use self::run::{LiteralRun, RemainingText, RunAtom};
use self::scan::{PatternPiece, scan};
pub(crate) use self::scan::{PatternSyntax, variable};
use crate::{
    case,
    context::{ContextValues, EvaluationEnv},
};

/// A compiled pattern. Each match supplies the values of its variables, if any.
#[derive(Debug, Clone)]
pub(crate) enum Glob {
    /// `*`
    Any,
    Exact(Box<str>),
    /// Text followed by one asterisk.
    Prefix(Box<str>),
    /// No asterisk, but question marks or variables.
    Whole(LiteralRun),
    /// The parts before, between and after the asterisks.
    Split {
        first: LiteralRun,
        middle: Box<[LiteralRun]>,
        last: LiteralRun,
    },
}

impl Glob {
    /// Compiles a pattern in which only `*` and `?` are special.
    pub(crate) fn new(text: &str) -> Self {
        let syntax = PatternSyntax {
            wildcards: true,
            variables: false,
        };
        Self::of(&scan(text, syntax), &mut Vec::new())
    }

    /// Compiles pieces. Variables are appended to `variables` and referred to by index.
    fn of(pieces: &[PatternPiece], variables: &mut Vec<PatternVariable>) -> Self {
        match pieces {
            [] => return Self::Exact("".into()),
            [PatternPiece::Many] => return Self::Any,
            [PatternPiece::Text(text)] => return Self::Exact(text.as_str().into()),
            [PatternPiece::Text(text), PatternPiece::Many] => {
                return Self::Prefix(text.as_str().into());
            }
            _ => {}
        }
        let runs = pieces.split(|p| *p == PatternPiece::Many);
        let mut runs: Vec<LiteralRun> = runs.map(|run| LiteralRun::of(run, variables)).collect();
        let Some(last) = runs.pop() else {
            return Self::Any;
        };
        if runs.is_empty() {
            return Self::Whole(last);
        }
        let first = runs.remove(0);
        let middle = runs.into_iter().filter(|run| !run.is_empty());
        Self::Split {
            first,
            middle: middle.map(LiteralRun::searchable).collect(),
            last,
        }
    }

    /// Whether a pattern without variables matches the whole text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.matches_with(text, &[])
    }

    /// Whether the pattern matches the whole text with these values for its variables.
    fn matches_with(&self, text: &str, values: &[Cow<'_, str>]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => **exact == *text,
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Whole(run) => run
                .strip(RemainingText::new(text), values)
                .is_some_and(RemainingText::is_empty),
            Self::Split {
                first,
                middle,
                last,
            } => {
                let start = first.strip(RemainingText::new(text), values);
                let find = |rest, run: &LiteralRun| run.find(rest, values);
                let rest = start.and_then(|rest| middle.iter().try_fold(rest, find));
                rest.is_some_and(|rest| last.ends(rest, values))
            }
        }
    }

    /// The maximum cost of matching a text. It depends on the pattern's length where that bounds
    /// it, and on the text's if the pattern has asterisks.
    pub(crate) fn cost(&self) -> MatchCost {
        let (each, per_byte) = match self {
            Self::Any => (1, 0),
            // The processor compares many bytes at once.
            Self::Exact(text) | Self::Prefix(text) => (1 + text.len() / BYTES_AT_ONCE, 0),
            Self::Whole(run) => (1 + run.len(), 0),
            // Each run is searched for after the previous one.
            Self::Split { middle, .. } => (
                1,
                2 + middle.iter().map(LiteralRun::words).max().unwrap_or(0),
            ),
        };
        MatchCost { each, per_byte }
    }

    /// The runs between asterisks that are built for each request.
    fn open_runs(&self) -> OpenRuns {
        let middle = match self {
            Self::Split { middle, .. } => &**middle,
            _ => &[],
        };
        let open = middle.iter().filter(|run| run.is_open());
        OpenRuns {
            count: open.clone().count(),
            atoms_max: open.map(|run| run.atoms().len()).max().unwrap_or(0),
        }
    }

    /// The texts between wildcards and variables, possibly with duplicates.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let (whole, runs): (Option<&str>, [&[LiteralRun]; 3]) = match self {
            Self::Any => (None, [&[]; 3]),
            Self::Exact(text) | Self::Prefix(text) => (Some(text), [&[]; 3]),
            Self::Whole(run) => (None, [std::slice::from_ref(run), &[], &[]]),
            Self::Split {
                first,
                middle,
                last,
            } => {
                let [first, last] = [first, last].map(std::slice::from_ref);
                (None, [first, middle, last])
            }
        };
        let atoms = runs.into_iter().flatten().flat_map(LiteralRun::atoms);
        whole.into_iter().chain(atoms.filter_map(RunAtom::literal))
    }

    /// The texts between the wildcards of a pattern without asterisks.
    fn fragments<'a>(
        &'a self,
        values: &'a [Cow<'a, str>],
    ) -> impl Iterator<Item = &'a str> + Clone {
        let (whole, atoms): (Option<&str>, &[RunAtom]) = match self {
            Self::Exact(text) => (Some(text), &[]),
            Self::Whole(run) => (None, run.atoms()),
            Self::Any | Self::Prefix(_) | Self::Split { .. } => (None, &[]),
        };
        whole
            .into_iter()
            .chain(atoms.iter().filter_map(|atom| atom.text(values)))
    }
}

/// Bytes of two texts that are compared in one step.
const BYTES_AT_ONCE: usize = 32;
/// Steps to look up a variable or a condition key.
pub(crate) const LOOKUP_STEPS: usize = 16;
/// Steps per byte of a pattern that is built for a request.
const REBUILD_STEPS: usize = 32;

/// The number of runs in a pattern that depend on variables, and the maximum number of atoms in
/// one.
#[derive(Debug, Clone, Copy)]
struct OpenRuns {
    count: usize,
    atoms_max: usize,
}

impl OpenRuns {
    /// The steps to search for them in a text. Each is built, up to the text's length, and tried at
    /// every position.
    fn steps(self, text: &str, values: &[Cow<'_, str>]) -> u64 {
        let bytes: usize = values.iter().map(|value| value.len()).sum();
        let each = self.count.saturating_mul(REBUILD_STEPS);
        let per_byte = each
            .saturating_add(self.atoms_max)
            .saturating_add(bytes / 64 + 1);
        (text.len() as u64)
            .saturating_mul(per_byte as u64)
            .saturating_add(run::TRIED_UNITS as u64)
    }
}

/// The cost of matching a text against one or more patterns.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MatchCost {
    /// Steps for any text.
    pub(crate) each: usize,
    /// Steps per byte of the text.
    pub(crate) per_byte: usize,
}

impl MatchCost {
    /// The sum of several costs.
    pub(crate) fn sum(costs: impl IntoIterator<Item = Self>) -> Self {
        costs.into_iter().fold(Self::default(), |sum, cost| Self {
            each: sum.each.saturating_add(cost.each),
            per_byte: sum.per_byte.saturating_add(cost.per_byte),
        })
    }

    /// The steps for a text of `bytes` bytes. Any text is scanned once, and an automaton is
    /// prepared even for an empty one.
    pub(crate) const fn of(self, bytes: usize) -> u64 {
        let per_byte = self.per_byte.saturating_add(1) as u64;
        let bytes = (bytes as u64).saturating_add(1);
        (self.each as u64).saturating_add(per_byte.saturating_mul(bytes))
    }
}

/// A variable of a pattern.
#[derive(Debug, Clone)]
pub(crate) struct PatternVariable {
    /// Lower case.
    pub(crate) key: Box<str>,
    pub(crate) default: Option<Box<str>>,
}

impl PatternVariable {
    /// Whether the variable has no value in this request.
    pub(crate) fn is_unresolved(&self, env: &EvaluationEnv<'_>) -> bool {
        self.value(env).is_none()
    }

    /// Whether its key is a tag's or a claim's, which begins with a host name or an address: no
    /// other can be ambiguous.
    pub(crate) fn is_open(&self) -> bool {
        let (prefix, claim) = self.key.split_once(':').unwrap_or((&self.key, ""));
        prefix.contains(['/', '.']) || claim.contains(['/', ':'])
    }

    /// Whether the request has several values for what takes one.
    pub(crate) fn is_ambiguous(&self, env: &EvaluationEnv<'_>) -> bool {
        let found = env.get(&self.key);
        matches!(
            found,
            ContextValues::Ambiguous(_) | ContextValues::Claims(_)
        )
    }

    /// The value in this request. A multivalued key has none; not even its default applies.
    fn value<'a>(&'a self, env: &EvaluationEnv<'a>) -> Option<Cow<'a, str>> {
        match env.get(&self.key) {
            ContextValues::One(value) => Some(value),
            ContextValues::Many(_)
            | ContextValues::Slice(_)
            | ContextValues::Ambiguous(_)
            | ContextValues::Claims(_) => None,
            ContextValues::Absent => self.default.as_deref().map(Cow::Borrowed),
        }
    }
}

/// A text with the wildcards and variables that its [`PatternSyntax`] allows.
#[derive(Debug, Clone)]
pub(crate) struct PatternTemplate {
    glob: Glob,
    variables: Box<[PatternVariable]>,
    open: OpenRuns,
}

impl PatternTemplate {
    pub(crate) fn new(text: &str, syntax: PatternSyntax) -> Self {
        Self::of(&scan(text, syntax))
    }

    fn of(pieces: &[PatternPiece]) -> Self {
        let mut variables = Vec::new();
        let glob = Glob::of(pieces, &mut variables);
        Self {
            open: glob.open_runs(),
            glob,
            variables: variables.into(),
        }
    }

    /// Whether the template matches a text. A variable without a value matches nothing.
    pub(crate) fn matches(&self, text: &str, env: &EvaluationEnv<'_>) -> bool {
        if self.variables.is_empty() {
            return self.glob.matches(text);
        }
        let bound = self.bind(env);
        bound.is_some_and(|bound| {
            let open = self.open.count > 0;
            let affordable = !open || env.steps.take(self.open.steps(text, bound.values()));
            affordable && self.glob.matches_with(text, bound.values())
        })
    }

    /// The maximum cost of matching a text, excluding what depends on the values of variables.
    pub(crate) fn cost(&self) -> MatchCost {
        let cost = self.glob.cost();
        let lookups = self.variables.len().saturating_mul(LOOKUP_STEPS);
        MatchCost {
            each: cost.each.saturating_add(lookups),
            ..cost
        }
    }

    /// The maximum cost of [`PatternTemplate::spells`], excluding the values of variables. The
    /// whole template is examined, and the text may have to be folded to lower case.
    pub(crate) fn spelling_cost(&self) -> MatchCost {
        let texts = || self.glob.texts();
        let each = if texts().all(str::is_ascii) {
            1
        } else {
            case::FOLD_STEPS
        };
        let bytes: usize = texts().map(|text| text.len() + 1).sum();
        let cost = self.cost();
        MatchCost {
            each: cost.each.saturating_add(bytes.saturating_mul(each)),
            per_byte: 1,
        }
    }

    /// Whether a template without wildcards equals the text, ignoring case; `None` if a variable
    /// has no value.
    pub(crate) fn spells(&self, text: &str, env: &EvaluationEnv<'_>) -> Option<bool> {
        let bound = self.bind(env)?;
        if !self.variables.is_empty() && !env.steps.take(bound.bytes() * case::FOLD_STEPS as u64) {
            return None;
        }
        Some(case::same(self.glob.fragments(bound.values()), text))
    }

    /// The text, if it has neither wildcards nor variables.
    pub(crate) fn literal(&self) -> Option<&str> {
        match &self.glob {
            Glob::Exact(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) const fn variables(&self) -> &[PatternVariable] {
        &self.variables
    }

    /// Whether a variable has no value in this request.
    pub(crate) fn unresolved(&self, env: &EvaluationEnv<'_>) -> bool {
        self.variables.iter().any(|v| v.is_unresolved(env))
    }

    /// The values of the variables; `None` if one has no value.
    fn bind<'a>(&'a self, env: &EvaluationEnv<'a>) -> Option<BoundVariables<'a>> {
        let mut bound = BoundVariables::default();
        for (at, variable) in self.variables.iter().enumerate() {
            let value = variable.value(env)?;
            match bound.few.get_mut(at) {
                Some(slot) => *slot = value,
                None => bound.overflow(value),
            }
        }
        Some(bound)
    }
}

/// The values of a template's variables, by index. Up to four need no allocation.
#[derive(Debug, Default)]
struct BoundVariables<'a> {
    few: [Cow<'a, str>; 4],
    /// All values, if there are more than four.
    all: Vec<Cow<'a, str>>,
}

impl<'a> BoundVariables<'a> {
    fn overflow(&mut self, value: Cow<'a, str>) {
        if self.all.is_empty() {
            self.all.extend(self.few.iter().cloned());
        }
        self.all.push(value);
    }

    /// The total length of all values, in bytes.
    fn bytes(&self) -> u64 {
        let values = self.values().iter().map(|value| value.len() as u64);
        values.sum()
    }

    fn values(&self) -> &[Cow<'a, str>] {
        if self.all.is_empty() {
            &self.few
        } else {
            &self.all
        }
    }
}

/// A pattern that is built for each request, because the values of its variables decide where the
/// segments of an ARN end.
#[derive(Debug, Clone)]
pub(crate) struct LateBoundPattern {
    pieces: Box<[PatternPiece]>,
    template: PatternTemplate,
    /// The length as written, in bytes.
    length: usize,
    /// Whether it has no wildcards.
    plain: bool,
}

impl LateBoundPattern {
    pub(crate) fn new(text: &str, syntax: PatternSyntax) -> Self {
        let pieces = scan(text, syntax);
        let wild = |piece: &PatternPiece| matches!(piece, PatternPiece::One | PatternPiece::Many);
        Self {
            template: PatternTemplate::of(&pieces),
            length: text.len(),
            plain: !pieces.iter().any(wild),
            pieces: pieces.into(),
        }
    }

    /// The whole pattern, as a single part.
    pub(crate) const fn template(&self) -> &PatternTemplate {
        &self.template
    }

    /// Whether it has no wildcards, and so need not be built.
    pub(crate) const fn is_plain(&self) -> bool {
        self.plain
    }

    /// The maximum cost of comparing a text, excluding the values of variables. The whole pattern
    /// is examined, or built again.
    pub(crate) fn cost(&self) -> MatchCost {
        let each = if self.plain { 2 } else { REBUILD_STEPS };
        let cost = self.template.cost();
        MatchCost {
            each: cost.each.saturating_add(self.length.saturating_mul(each)),
            ..cost
        }
    }

    /// Whether a pattern without wildcards equals a text. `None` if the pattern does not have the
    /// form of an ARN, or if too few steps are left to check. A variable without a value makes it
    /// not an ARN.
    pub(crate) fn compare(&self, text: &str, env: &EvaluationEnv<'_>) -> Option<bool> {
        let Some(bound) = self.template.bind(env) else {
            return Some(false);
        };
        if !env.steps.take(bound.bytes().saturating_mul(2)) {
            return None;
        }
        let glob = &self.template.glob;
        let characters = glob.fragments(bound.values()).flat_map(str::chars);
        let colons = characters.clone().filter(|character| *character == ':');
        let is_arn = characters.take(4).eq("arn:".chars()) && colons.count() >= 5;
        is_arn.then(|| glob.matches_with(text, bound.values()))
    }

    /// The first `count` parts between colons; the last one keeps its colons. `None` if a variable
    /// has no value or there are fewer parts.
    pub(crate) fn parts(&self, count: usize, env: &EvaluationEnv<'_>) -> Option<Vec<Glob>> {
        let bound = self.template.bind(env)?;
        if !env.steps.take(bound.bytes() * REBUILD_STEPS as u64) {
            return None;
        }
        let mut values = bound.values().iter();
        let mut parts = vec![Vec::new()];
        for piece in &self.pieces {
            let text = match piece {
                PatternPiece::Variable { .. } => values.next()?.as_ref(),
                PatternPiece::Text(text) => text,
                PatternPiece::One | PatternPiece::Many => {
                    parts.last_mut()?.push(piece.clone());
                    continue;
                }
            };
            let room = count.checked_sub(parts.len())? + 1;
            let mut texts = text.splitn(room, ':');
            scan::append(parts.last_mut()?, texts.next().unwrap_or_default());
            for text in texts {
                let mut part = Vec::new();
                scan::append(&mut part, text);
                parts.push(part);
            }
        }
        let globs = parts.iter().map(|part| Glob::of(part, &mut Vec::new()));
        (parts.len() == count).then(|| globs.collect())
    }
}
