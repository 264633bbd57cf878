//! Wildcards and policy variables. It protects two rules: matching takes time proportional to the
//! text, whatever the pattern, and the value of a variable is text, never a wildcard.
//!
//! `*` stands for any text, `?` for one UTF-16 code unit (so a character outside the basic plane
//! needs two). A pattern is split at its asterisks once, when it is compiled; matching allocates
//! nothing unless a run with variables stands between two asterisks and is long, as is the text.

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

/// A pattern, ready to match. The values of its variables, if it has any, are given to each match.
#[derive(Debug, Clone)]
pub(crate) enum Glob {
    /// `*`
    Any,
    Exact(Box<str>),
    /// Text and one asterisk at its end.
    Prefix(Box<str>),
    /// No asterisk, but question marks or variables.
    Whole(LiteralRun),
    /// What stands before, between and after the asterisks.
    Split {
        first: LiteralRun,
        middle: Box<[LiteralRun]>,
        last: LiteralRun,
    },
}

impl Glob {
    /// A pattern in which only `*` and `?` are special.
    pub(crate) fn new(text: &str) -> Self {
        let syntax = PatternSyntax {
            wildcards: true,
            variables: false,
        };
        Self::of(&scan(text, syntax), &mut Vec::new())
    }

    /// From pieces; the variables are appended to `variables` and referred to by number.
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

    /// Whether the whole text matches a pattern without variables.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.matches_with(text, &[])
    }

    /// Whether the whole text matches, variables having these values.
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

    /// What matching a text costs at most: by the pattern's own length where that bounds it, by
    /// the text's where the pattern has asterisks.
    pub(crate) fn cost(&self) -> MatchCost {
        let (each, per_byte) = match self {
            Self::Any => (1, 0),
            // The processor compares many bytes at once.
            Self::Exact(text) | Self::Prefix(text) => (1 + text.len() / BYTES_AT_ONCE, 0),
            Self::Whole(run) => (1 + run.len(), 0),
            // Each of the runs is looked for after the one before it.
            Self::Split { middle, .. } => (
                1,
                2 + middle.iter().map(LiteralRun::words).max().unwrap_or(0),
            ),
        };
        MatchCost { each, per_byte }
    }

    /// The runs between asterisks that are put together for each request.
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

    /// The texts that stand between wildcards and variables, some perhaps twice.
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

    /// The texts between the wildcards of a pattern that has no asterisk.
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
/// Steps of looking up a variable or a condition key.
pub(crate) const LOOKUP_STEPS: usize = 16;
/// Steps for each byte of a pattern that is put together for a request.
const REBUILD_STEPS: usize = 32;

/// How many runs of a pattern depend on variables, and the most atoms of one.
#[derive(Debug, Clone, Copy)]
struct OpenRuns {
    count: usize,
    atoms_max: usize,
}

impl OpenRuns {
    /// What it costs to look for them in a text: they are put together, as long as they fit into
    /// it, and tried at each place.
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

/// What it costs to match a text with a pattern, or with several.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MatchCost {
    /// Steps for any text.
    pub(crate) each: usize,
    /// Steps for each byte of the text.
    pub(crate) per_byte: usize,
}

impl MatchCost {
    /// Of all of them.
    pub(crate) fn sum(costs: impl IntoIterator<Item = Self>) -> Self {
        costs.into_iter().fold(Self::default(), |sum, cost| Self {
            each: sum.each.saturating_add(cost.each),
            per_byte: sum.per_byte.saturating_add(cost.per_byte),
        })
    }

    /// For a text of so many bytes, which are looked at once in any case; an automaton is made
    /// ready for an empty one too.
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
    /// Whether it has no value in this request.
    pub(crate) fn is_unresolved(&self, env: &EvaluationEnv<'_>) -> bool {
        self.value(env).is_none()
    }

    /// The value for this request: a multivalued key has none, not even its default.
    fn value<'a>(&'a self, env: &EvaluationEnv<'a>) -> Option<Cow<'a, str>> {
        match env.get(&self.key) {
            ContextValues::One(value) => Some(value),
            ContextValues::Many(_) | ContextValues::Slice(_) => None,
            ContextValues::Absent => self.default.as_deref().map(Cow::Borrowed),
        }
    }
}

/// A text with wildcards and variables, as far as its [`PatternSyntax`] allows them.
#[derive(Debug, Clone)]
pub(crate) struct PatternTemplate {
    glob: Glob,
    variables: Box<[PatternVariable]>,
    open: OpenRuns,
}

impl PatternTemplate {
    /// Reads a text.
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

    /// Whether a text matches; a variable without value matches nothing.
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

    /// What matching a text costs at most, without what depends on the values of variables.
    pub(crate) fn cost(&self) -> MatchCost {
        let cost = self.glob.cost();
        let lookups = self.variables.len().saturating_mul(LOOKUP_STEPS);
        MatchCost {
            each: cost.each.saturating_add(lookups),
            ..cost
        }
    }

    /// What [`PatternTemplate::spells`] costs at most, without the values of variables: all of the
    /// template is looked at, and a text in lower case may have to be made of it.
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

    /// Whether a template without wildcards is the text, whatever the case; `None` when a variable
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

    /// The variables.
    pub(crate) const fn variables(&self) -> &[PatternVariable] {
        &self.variables
    }

    /// Whether a variable has no value in this request.
    pub(crate) fn unresolved(&self, env: &EvaluationEnv<'_>) -> bool {
        self.variables.iter().any(|v| v.is_unresolved(env))
    }

    /// The variables' values; `None` when one has none.
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

/// The values of a template's variables, by number. Four need no allocation.
#[derive(Debug, Default)]
struct BoundVariables<'a> {
    few: [Cow<'a, str>; 4],
    /// All of them, when they are more than four.
    all: Vec<Cow<'a, str>>,
}

impl<'a> BoundVariables<'a> {
    fn overflow(&mut self, value: Cow<'a, str>) {
        if self.all.is_empty() {
            self.all.extend(self.few.iter().cloned());
        }
        self.all.push(value);
    }

    /// Bytes of all values.
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

/// A pattern whose structure depends on its variables' values, because they decide where the
/// segments of an ARN end. It is put together for each request.
#[derive(Debug, Clone)]
pub(crate) struct LateBoundPattern {
    pieces: Box<[PatternPiece]>,
    template: PatternTemplate,
    /// Bytes as written.
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

    /// The whole, as if it had one part.
    pub(crate) const fn template(&self) -> &PatternTemplate {
        &self.template
    }

    /// Whether it has no wildcards: then it need not be put together.
    pub(crate) const fn is_plain(&self) -> bool {
        self.plain
    }

    /// What comparing a text costs at most, without the values of variables: all of the pattern is
    /// looked at, or put together again.
    pub(crate) fn cost(&self) -> MatchCost {
        let each = if self.plain { 2 } else { REBUILD_STEPS };
        let cost = self.template.cost();
        MatchCost {
            each: cost.each.saturating_add(self.length.saturating_mul(each)),
            ..cost
        }
    }

    /// Whether a pattern without wildcards is a text; `None` when it has not the form of an ARN, or
    /// that is not looked at for lack of steps. A variable without value makes it none.
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

    /// The first `count` parts between colons, the last of which keeps its colons; `None` when a
    /// variable has no value or there are fewer parts.
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
