//! A file of environment variables.
//!
//! Invariants: The file is read as its readers read it: python-dotenv, Docker Compose and bash,
//! which agree on little more than `NAME=value`. All readers that get a pair must get the same one
//! from the same position, before and after a write. A write changes nothing but the two values.

mod bash;
mod compose;
mod python;
mod reading;

use std::{fmt, ops::Range};

use keywright_base::Secret;
use keywright_rotation::{
    model::{KeyId, KeyPair},
    ports::MissingTarget,
};

use self::reading::{AssignedValue, PairOutcome, PairView, ParsedFile};
use super::{
    document::{DocumentFormat, DocumentView},
    text::{at_line, edited, is_id, line_end, lines, similar, unmarked_text},
};

/// The names of the two variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DotenvFormat {
    id: String,
    secret: String,
}

const USUAL: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");

impl fmt::Display for DotenvFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if (self.id.as_str(), self.secret.as_str()) == USUAL {
            return Ok(());
        }
        write!(f, "#{},{}", self.id, self.secret)
    }
}

/// A reader and its name.
type NamedReader = (&'static str, fn(&str) -> ParsedFile);

const READERS: [NamedReader; 3] = [
    ("python-dotenv", python::read),
    ("Docker Compose", compose::read),
    ("bash", bash::read),
];

/// The pair that all readers agree on, or that none of them gets any.
struct ReaderConsensus {
    pair: Option<KeyPair>,
    places: [Option<Range<usize>>; 2],
}

impl DotenvFormat {
    pub(super) fn new(names: Option<&str>) -> Result<Self, String> {
        let (id, secret) = match names {
            None => USUAL,
            Some(names) => names
                .split_once(',')
                .ok_or("expected two names after #: ID,SECRET")?,
        };
        for name in [id, secret] {
            let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty()
                || !name.chars().all(good)
                || name.starts_with(|c: char| c.is_ascii_digit())
            {
                return Err(format!("{name} is not a valid variable name"));
            }
        }
        if id == secret {
            return Err("the two names are the same".to_owned());
        }
        Ok(Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
        })
    }

    fn names(&self) -> [&str; 2] {
        [&self.id, &self.secret]
    }

    /// The readers that get this pair, by their names in the table of test cases.
    #[cfg(test)]
    pub(super) fn readers(&self, text: &str, pair: &KeyPair) -> Vec<&'static str> {
        let sights = self.sights(text).into_iter();
        let getting = sights.filter(|(_, sight)| sight.outcome == PairOutcome::Pair(pair.clone()));
        let mut names: Vec<_> = getting
            .map(|(name, _)| match name {
                "Docker Compose" => "compose",
                name => name,
            })
            .collect();
        names.sort_unstable();
        names
    }

    fn sights(&self, text: &str) -> Vec<(&'static str, PairView)> {
        let read = |(name, read): NamedReader| (name, read(text).sight(text, self.names()));
        READERS.into_iter().map(read).collect()
    }

    fn agreement(&self, text: &str) -> Result<ReaderConsensus, String> {
        for (name, read) in READERS {
            if let Some(stop) = read(text).stop.filter(|stop| stop.unclear) {
                let why = format!("{}, so it is unclear what {name} reads", stop.why);
                return Err(at_line(text, stop.at, &why));
            }
        }
        let sights = self.sights(text);
        let mut working = sights
            .iter()
            .filter_map(|(name, sight)| match &sight.outcome {
                PairOutcome::Pair(pair) => Some((name, sight, pair)),
                _ => None,
            });
        let Some((first, sight, pair)) = working.next() else {
            return nothing(&sights);
        };
        let other =
            working.find(|(_, other, found)| *found != pair || other.places != sight.places);
        if let Some((other, ..)) = other {
            return Err(format!("{first} and {other} read different key pairs"));
        }
        Ok(ReaderConsensus {
            pair: Some(pair.clone()),
            places: sight.places.clone(),
        })
    }

    /// Checks that a change has the right effect on every reader: those that got a pair get the new
    /// one, and everything else reads as before.
    fn check(&self, before: &str, after: &str, pair: &KeyPair) -> Result<(), String> {
        let mut got = 0;
        for (name, read) in READERS {
            let (old, new) = (read(before), read(after));
            let (was, is) = (
                old.sight(before, self.names()).outcome,
                new.sight(after, self.names()).outcome,
            );
            let right = match (&was, &is) {
                (_, PairOutcome::Pair(found)) => {
                    got += 1;
                    found == pair
                }
                (PairOutcome::Pair(_), _) => false,
                (_, PairOutcome::Nothing | PairOutcome::Blind(_) | PairOutcome::Broken(_)) => true,
            };
            if !right || !old.others(self.names()).eq(new.others(self.names())) {
                return Err(format!(
                    "{name} would not read the expected values afterwards"
                ));
            }
        }
        if got == 0 {
            return Err("no reader would see a key pair that is written there".to_owned());
        }
        Ok(())
    }
}

/// The result if no reader gets a pair. If that is because there is none, one may be written.
fn nothing(sights: &[(&'static str, PairView)]) -> Result<ReaderConsensus, String> {
    let broken = sights
        .iter()
        .find_map(|(name, sight)| match &sight.outcome {
            PairOutcome::Broken(why) => Some(format!("{why} ({name})")),
            _ => None,
        });
    if let Some(why) = broken {
        return Err(why);
    }
    let empty = sights
        .iter()
        .find(|(_, sight)| sight.outcome == PairOutcome::Nothing);
    let Some((_, sight)) = empty else {
        return Err("no reader can read anything from it".to_owned());
    };
    Ok(ReaderConsensus {
        pair: None,
        places: sight.places.clone(),
    })
}

impl DocumentFormat for DotenvFormat {
    fn look(&self, content: Option<&[u8]>) -> Result<DocumentView, String> {
        let text = unmarked_text(content.unwrap_or_default())?;
        let agreement = self.agreement(text)?;
        let readings: Vec<ParsedFile> = READERS.into_iter().map(|(_, read)| read(text)).collect();
        let all = || readings.iter().flat_map(|reading| &reading.assignments);
        let mut others: Vec<(String, KeyId)> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for one in all().filter(|one| !self.names().contains(&one.name.as_str())) {
            if names.contains(&one.name.as_str()) {
                continue;
            }
            names.push(&one.name);
            if let AssignedValue::Literal { text, .. } = &one.value
                && is_id(text)
            {
                others.push((one.name.clone(), KeyId(text.clone())));
            }
        }
        let there = agreement.places.iter().any(Option::is_some);
        let absent = (!there && !names.is_empty()).then(|| MissingTarget {
            what: format!("there is no {} and no {}", self.id, self.secret),
            similar: similar(&self.id, names.iter().copied()),
        });
        Ok(DocumentView {
            pair: agreement.pair,
            absent,
            others,
        })
    }

    fn put(&self, content: Option<&[u8]>, pair: &KeyPair) -> Result<Secret<Vec<u8>>, String> {
        let text = unmarked_text(content.unwrap_or_default())?;
        let places = self.agreement(text)?.places;
        let end = line_end(text);
        let export = lines(text).any(|line| {
            let line = text.get(line.start..line.end).unwrap_or_default();
            line.starts_with("export ") || line.starts_with("declare -x ")
        });
        let mut edits = Vec::new();
        let mut added = String::new();
        let values = [&pair.id.0, pair.secret.expose()];
        for ((name, place), value) in self.names().into_iter().zip(places).zip(values) {
            match place {
                Some(place) => edits.push((place, value.clone())),
                None => {
                    let export = if export { "export " } else { "" };
                    added.push_str(&format!("{export}{name}={value}{end}"));
                }
            }
        }
        if !added.is_empty() {
            let gap = text.is_empty() || text.ends_with(['\r', '\n']);
            let gap = if gap { "" } else { end };
            edits.push((text.len()..text.len(), format!("{gap}{added}")));
        }
        let new = edited(text, edits);
        self.check(text, &new, pair)?;
        Ok(Secret::new(new.into_bytes()))
    }
}
