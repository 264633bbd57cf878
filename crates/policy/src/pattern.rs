//! Wildcards and policy variables. It protects two rules: matching takes time proportional to
//! pattern times text at worst, and the value of a variable is text, never a wildcard.
//!
//! `*` stands for any text, `?` for one UTF-16 code unit (so a character outside the basic plane
//! needs two). A pattern is split at its asterisks once, when it is compiled.

use std::borrow::Cow;

use crate::context::{Env, Values};

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    /// `?`
    One,
    /// `*`
    Many,
    Variable {
        /// Lower case.
        key: String,
        default: Option<String>,
    },
}

/// Which characters of a text are special.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syntax {
    pub(crate) wildcards: bool,
    pub(crate) variables: bool,
}

/// A pattern without variables, ready to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Glob {
    /// `*`
    Any,
    Exact(Box<str>),
    /// Text and one asterisk at its end.
    Prefix(Box<str>),
    /// No asterisk, but question marks.
    Whole(Run),
    /// What stands before, between and after the asterisks.
    Split {
        first: Run,
        middle: Box<[Run]>,
        last: Run,
    },
}

impl Glob {
    /// A pattern in which only `*` and `?` are special.
    pub(crate) fn new(text: &str) -> Self {
        Self::of(&scan(
            text,
            Syntax {
                wildcards: true,
                variables: false,
            },
        ))
    }

    /// From pieces; a variable among them would have been resolved before.
    fn of(pieces: &[Piece]) -> Self {
        match pieces {
            [] => return Self::Exact("".into()),
            [Piece::Many] => return Self::Any,
            [Piece::Text(text)] => return Self::Exact(text.as_str().into()),
            [Piece::Text(text), Piece::Many] => return Self::Prefix(text.as_str().into()),
            _ => {}
        }
        let mut runs = pieces.split(|p| *p == Piece::Many).map(Run::of);
        let first = runs.next().unwrap_or_default();
        let mut rest: Vec<Run> = runs.collect();
        match rest.pop() {
            None => Self::Whole(first),
            Some(last) => {
                rest.retain(|run| !run.0.is_empty());
                Self::Split {
                    first,
                    middle: rest.into(),
                    last,
                }
            }
        }
    }

    /// Whether the whole text matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => **exact == *text,
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Whole(run) => run
                .strip(Rest::new(text))
                .is_some_and(|rest| rest.is_empty()),
            Self::Split {
                first,
                middle,
                last,
            } => {
                let start = first.strip(Rest::new(text));
                let rest = start.and_then(|r| middle.iter().try_fold(r, |r, run| run.find(r)));
                rest.is_some_and(|rest| last.ends(rest))
            }
        }
    }
}

/// A stretch of a pattern without asterisks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Run(Box<[Atom]>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Atom {
    Text(Box<str>),
    One,
}

impl Run {
    fn of(pieces: &[Piece]) -> Self {
        let atoms = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => Atom::Text(text.as_str().into()),
            _ => Atom::One,
        });
        Self(atoms.collect())
    }

    /// What follows when the run stands at the start.
    fn strip<'a>(&self, rest: Rest<'a>) -> Option<Rest<'a>> {
        self.0.iter().try_fold(rest, |rest, atom| match atom {
            Atom::Text(text) => rest.strip(text),
            Atom::One => rest.skip(),
        })
    }

    /// What follows the first place where the run stands.
    fn find<'a>(&self, mut rest: Rest<'a>) -> Option<Rest<'a>> {
        if let [Atom::Text(text)] = &*self.0 {
            return rest.find(text);
        }
        loop {
            if let Some(after) = self.strip(rest) {
                return Some(after);
            }
            rest = rest.skip()?;
        }
    }

    /// Whether the run stands at the end.
    fn ends(&self, mut rest: Rest<'_>) -> bool {
        let units = self.0.iter().map(|atom| match atom {
            Atom::Text(text) => text.encode_utf16().count(),
            Atom::One => 1,
        });
        let Some(before) = rest.units().checked_sub(units.sum()) else {
            return false;
        };
        for _ in 0..before {
            let Some(next) = rest.skip() else {
                return false;
            };
            rest = next;
        }
        self.strip(rest).is_some_and(|rest| rest.is_empty())
    }
}

/// What is left of a text, counted in UTF-16 code units.
#[derive(Debug, Clone, Copy)]
struct Rest<'a> {
    text: &'a str,
    /// Whether the first unit of the first character is already taken.
    half: bool,
}

impl<'a> Rest<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, half: false }
    }

    const fn is_empty(self) -> bool {
        self.text.is_empty()
    }

    fn units(self) -> usize {
        self.text.encode_utf16().count() - usize::from(self.half)
    }

    /// Without its first unit.
    fn skip(self) -> Option<Self> {
        let mut chars = self.text.chars();
        let first = chars.next()?;
        if first.len_utf16() == 2 && !self.half {
            return Some(Self { half: true, ..self });
        }
        Some(Self::new(chars.as_str()))
    }

    fn strip(self, text: &str) -> Option<Self> {
        if self.half {
            return None;
        }
        self.text.strip_prefix(text).map(Self::new)
    }

    fn find(self, text: &str) -> Option<Self> {
        let rest = if self.half { self.skip()? } else { self };
        rest.text
            .split_once(text)
            .map(|(_, after)| Self::new(after))
    }
}

/// A text with wildcards and variables, as far as its [`Syntax`] allows them.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    /// Without variables.
    Fixed(Glob),
    /// With variables, resolved for each request.
    Open(Box<[Piece]>),
}

impl Template {
    /// Reads a text.
    pub(crate) fn new(text: &str, syntax: Syntax) -> Self {
        let pieces = scan(text, syntax);
        if pieces.iter().any(|p| matches!(p, Piece::Variable { .. })) {
            return Self::Open(pieces.into());
        }
        Self::Fixed(Glob::of(&pieces))
    }

    /// The glob for this request; `None` when a variable has no value.
    pub(crate) fn resolve(&self, env: &Env<'_>) -> Option<Cow<'_, Glob>> {
        let pieces = match self {
            Self::Fixed(glob) => return Some(Cow::Borrowed(glob)),
            Self::Open(pieces) => pieces,
        };
        let mut resolved = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match piece {
                Piece::Variable { key, default } => {
                    append(&mut resolved, &value(env, key, default.as_deref())?);
                }
                Piece::Text(text) => append(&mut resolved, text),
                Piece::One | Piece::Many => resolved.push(piece.clone()),
            }
        }
        Some(Cow::Owned(Glob::of(&resolved)))
    }

    /// Whether a text matches; a variable without value matches nothing.
    pub(crate) fn matches(&self, text: &str, env: &Env<'_>) -> bool {
        self.resolve(env).is_some_and(|glob| glob.matches(text))
    }

    /// The text that a template without wildcards stands for; `None` when a variable has no value.
    pub(crate) fn text(&self, env: &Env<'_>) -> Option<Cow<'_, str>> {
        match self.resolve(env)? {
            Cow::Borrowed(Glob::Exact(text)) => Some(Cow::Borrowed(text)),
            Cow::Owned(Glob::Exact(text)) => Some(Cow::Owned(text.into())),
            _ => None,
        }
    }

    /// The text, if it has neither wildcards nor variables.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self {
            Self::Fixed(Glob::Exact(text)) => Some(text),
            _ => None,
        }
    }
}

/// The value of a variable: a multivalued key has none, not even its default.
fn value<'a>(env: &Env<'a>, key: &str, default: Option<&'a str>) -> Option<Cow<'a, str>> {
    match env.get(key) {
        Values::One(value) => Some(value),
        Values::Many(_) => None,
        Values::Absent => default.map(Cow::Borrowed),
    }
}

fn append(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ if text.is_empty() => {}
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

fn scan(mut text: &str, syntax: Syntax) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while let Some(first) = text.chars().next() {
        if syntax.variables
            && let Some((body, after)) = variable(text)
        {
            match body {
                "*" | "?" | "$" => append(&mut pieces, body),
                _ => pieces.push(reference(body)),
            }
            text = after;
            continue;
        }
        match first {
            '*' if syntax.wildcards && pieces.last() == Some(&Piece::Many) => {}
            '*' if syntax.wildcards => pieces.push(Piece::Many),
            '?' if syntax.wildcards => pieces.push(Piece::One),
            _ => append(&mut pieces, first.encode_utf8(&mut [0; 4])),
        }
        text = text.strip_prefix(first).unwrap_or_default();
    }
    pieces
}

/// Splits `${body}after`; a text without the closing brace is no variable.
pub(crate) fn variable(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("${")?.split_once('}')
}

/// `key` or `key, 'default'`.
fn reference(body: &str) -> Piece {
    let quoted = body.split_once(',').and_then(|(key, rest)| {
        let default = rest.trim_start().strip_prefix('\'')?.strip_suffix('\'')?;
        Some((key, default))
    });
    let (key, default) = match quoted {
        Some((key, default)) => (key, Some(default.to_owned())),
        None => (body, None),
    };
    Piece::Variable {
        key: key.trim().to_lowercase(),
        default,
    }
}
