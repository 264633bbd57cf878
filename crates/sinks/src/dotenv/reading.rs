//! What one reader sees in a file of environment variables, and whether it gets a key pair from it.

use std::ops::Range;

use keywright_base::Secret;
use keywright_rotation::model::{KeyId, KeyPair};

use super::super::text::{at_line, is_id, is_secret, printable_id};

/// What a reader sees.
pub(super) struct ParsedFile {
    /// In file order.
    pub(super) assignments: Vec<Assignment>,
    /// Where the reader stops, if it does.
    pub(super) stop: Option<ParseStop>,
}

/// Where a reader stops, and why.
pub(super) struct ParseStop {
    pub(super) at: usize,
    pub(super) why: &'static str,
    /// Whether the reader may continue, but what it would read is unknown.
    pub(super) unclear: bool,
}

impl ParseStop {
    pub(super) const fn failing(at: usize, why: &'static str) -> Self {
        let unclear = false;
        Self { at, why, unclear }
    }

    pub(super) const fn unclear(at: usize, why: &'static str) -> Self {
        let unclear = true;
        Self { at, why, unclear }
    }
}

#[derive(PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) name: String,
    /// The position of the name.
    pub(super) at: usize,
    pub(super) value: AssignedValue,
}

#[derive(PartialEq, Eq)]
pub(super) enum AssignedValue {
    /// A literal value and its position.
    Literal { text: String, place: Range<usize> },
    /// The variable is named without a value.
    Unset,
    /// The value is computed or written with escapes, or versions of the reader differ.
    Unknown,
}

impl AssignedValue {
    pub(super) fn literal(text: &str, from: usize) -> Self {
        Self::Literal {
            text: text.to_owned(),
            place: from..from + text.len(),
        }
    }
}

/// What a reader gets from a file.
#[derive(PartialEq, Eq)]
pub(super) enum PairOutcome {
    /// A pair.
    Pair(KeyPair),
    /// Neither value, or empty ones.
    Nothing,
    /// Neither value, because the reader stops earlier.
    Blind(String),
    /// Something that no program can use.
    Broken(String),
}

/// What a reader sees of the two variables: where their values are, and what they amount to.
pub(super) struct PairView {
    pub(super) places: [Option<Range<usize>>; 2],
    pub(super) outcome: PairOutcome,
}

impl ParsedFile {
    pub(super) fn sight(&self, text: &str, names: [&str; 2]) -> PairView {
        let mut sight = PairView {
            places: [None, None],
            outcome: PairOutcome::Nothing,
        };
        let mut values: [Option<&str>; 2] = [None, None];
        let slots = sight.places.iter_mut().zip(&mut values);
        for (name, (place, value)) in names.into_iter().zip(slots) {
            match self.one(text, name) {
                Ok(None) => {}
                Ok(Some((found, at))) => {
                    *place = Some(at);
                    *value = Some(found).filter(|found| !found.trim().is_empty());
                }
                Err(why) => {
                    sight.outcome = PairOutcome::Broken(why);
                    return sight;
                }
            }
        }
        sight.outcome = self.outcome(text, names, values);
        sight
    }

    fn one(&self, text: &str, name: &str) -> Result<Option<(&str, Range<usize>)>, String> {
        let mut found = self.assignments.iter().filter(|one| one.name == name);
        let (Some(first), second) = (found.next(), found.next()) else {
            return Ok(None);
        };
        if let Some(second) = second {
            return Err(at_line(
                text,
                second.at,
                &format!("{name} is defined twice"),
            ));
        }
        match &first.value {
            AssignedValue::Literal { text, place } => Ok(Some((text, place.clone()))),
            AssignedValue::Unset => Ok(None),
            AssignedValue::Unknown => {
                let why = format!("{name} is computed or contains escapes");
                Err(at_line(text, first.at, &why))
            }
        }
    }

    fn outcome(&self, text: &str, names: [&str; 2], values: [Option<&str>; 2]) -> PairOutcome {
        let [id_name, secret_name] = names;
        let broken = match values {
            [None, None] => {
                let stop = self.stop.as_ref();
                return stop.map_or(PairOutcome::Nothing, |stop| {
                    PairOutcome::Blind(at_line(text, stop.at, stop.why))
                });
            }
            [Some(id), Some(secret)] if is_id(id) && is_secret(secret) => {
                return PairOutcome::Pair(KeyPair {
                    id: KeyId(id.to_owned()),
                    secret: Secret::new(secret.to_owned()),
                });
            }
            [Some(_), Some(_)] => {
                format!("the values of {id_name} and {secret_name} are not read as a key pair")
            }
            [Some(id), None] => format!(
                "it holds {} in {id_name} and nothing in {secret_name}: an incomplete key pair is \
                 not overwritten",
                printable_id(id)
            ),
            [None, Some(_)] => format!(
                "it holds a value in {secret_name} and nothing in {id_name}: an incomplete key \
                 pair is not overwritten"
            ),
        };
        PairOutcome::Broken(broken)
    }

    /// The other variables that are read.
    pub(super) fn others<'a>(
        &'a self,
        names: [&'a str; 2],
    ) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let others = self.assignments.iter();
        let others = others.filter(move |one| !names.contains(&one.name.as_str()));
        others.map(|one| {
            let value = match &one.value {
                AssignedValue::Literal { text, .. } => Some(text.as_str()),
                AssignedValue::Unset | AssignedValue::Unknown => None,
            };
            (one.name.as_str(), value)
        })
    }
}
