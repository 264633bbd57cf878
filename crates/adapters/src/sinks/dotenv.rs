//! A file of environment variables, `NAME=value`.
//!
//! It protects one rule: nothing of the file changes but two values. `export`, quotes, comments and
//! order stay.

use std::fmt;

use keywright_base::Secret;
use keywright_rotation::model::{KeyId, Pair};

use super::{aws_profile::text, document::Format};

/// The two variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dotenv {
    id: String,
    secret: String,
}

const USUAL: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");

impl fmt::Display for Dotenv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if (self.id.as_str(), self.secret.as_str()) == USUAL {
            return Ok(());
        }
        write!(f, "#{},{}", self.id, self.secret)
    }
}

impl Dotenv {
    pub(super) fn new(names: Option<&str>) -> Result<Self, String> {
        let (id, secret) = match names {
            None => USUAL,
            Some(names) => names
                .split_once(',')
                .ok_or("after # come two names, ID,SECRET")?,
        };
        for name in [id, secret] {
            let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty()
                || !name.chars().all(good)
                || name.starts_with(|c: char| c.is_ascii_digit())
            {
                return Err(format!("{name} is not the name of a variable"));
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

    /// Where the values of both stand in the text.
    fn scan(&self, text: &str) -> Result<[Option<std::ops::Range<usize>>; 2], String> {
        let mut found = [None, None];
        let mut at = 0;
        for (number, whole) in (1..).zip(text.split_inclusive('\n')) {
            let start = at;
            at += whole.len();
            let line = whole.trim_start();
            if line.starts_with('#') {
                continue;
            }
            let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            let slot = match name.trim_end() {
                name if name == self.id => found.first_mut(),
                name if name == self.secret => found.last_mut(),
                _ => continue,
            };
            let from = start + whole.len() - value.len();
            let range =
                value_range(value).ok_or_else(|| format!("line {number}: an open quote"))?;
            let range = from + range.start..from + range.end;
            if let Some(slot) = slot
                && slot.replace(range).is_some()
            {
                return Err(format!("line {number}: {} is there twice", name.trim_end()));
            }
        }
        Ok(found)
    }
}

/// The value without quotes, comment and spaces around it.
fn value_range(value: &str) -> Option<std::ops::Range<usize>> {
    let trimmed = value.trim_start_matches([' ', '\t']);
    let from = value.len() - trimmed.len();
    let quote = trimmed.chars().next().filter(|c| matches!(c, '"' | '\''));
    match quote {
        Some(quote) => {
            let inner = trimmed.strip_prefix(quote)?;
            let length = inner.find(quote)?;
            Some(from + 1..from + 1 + length)
        }
        None => {
            let word = trimmed
                .split(char::is_whitespace)
                .next()
                .unwrap_or_default();
            Some(from..from + word.len())
        }
    }
}

impl Format for Dotenv {
    fn find(&self, content: &[u8]) -> Result<Option<Pair>, String> {
        let text = text(content)?;
        let [id, secret] = self.scan(text)?;
        let value = |range: Option<std::ops::Range<usize>>| {
            let value = range.and_then(|range| text.get(range))?;
            (!value.is_empty()).then(|| value.to_owned())
        };
        Ok(value(id).zip(value(secret)).map(|(id, secret)| Pair {
            id: KeyId(id),
            secret: Secret::new(secret),
        }))
    }

    fn put(&self, content: Option<&[u8]>, pair: &Pair) -> Result<Vec<u8>, String> {
        let old = text(content.unwrap_or_default())?;
        let [id, secret] = self.scan(old)?;
        let end = if old.contains("\r\n") { "\r\n" } else { "\n" };
        let mut edits = Vec::new();
        let mut added = String::new();
        for (name, place, value) in [
            (&self.id, id, &pair.id.0),
            (&self.secret, secret, pair.secret.expose()),
        ] {
            match place {
                Some(place) => edits.push((place, value)),
                None => added.push_str(&format!("{name}={value}{end}")),
            }
        }
        edits.sort_by_key(|(place, _)| place.start);
        let mut new = String::new();
        let mut from = 0;
        for (place, value) in edits {
            new.push_str(old.get(from..place.start).unwrap_or_default());
            new.push_str(value);
            from = place.end;
        }
        new.push_str(old.get(from..).unwrap_or_default());
        if !added.is_empty() && !new.is_empty() && !new.ends_with('\n') {
            new.push_str(end);
        }
        new.push_str(&added);
        Ok(new.into_bytes())
    }
}
