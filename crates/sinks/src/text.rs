//! Helpers for all text formats: lines as their readers count them, edits that change nothing else,
//! similar names, and when two values are a pair.

use std::ops::Range;

use keywright_base::Secret;
use keywright_rotation::model::{KeyId, KeyPair};

/// How many names a suggestion lists.
const SIMILAR_MAX: usize = 3;
/// The minimum similarity of two names, from 0 to 1.
const SIMILAR_FROM: f64 = 0.6;

/// The text of a file.
pub(super) fn text(content: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(content).map_err(|_| "it is not UTF-8 text".to_owned())?;
    let odd = |c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\n');
    match text.find(odd) {
        Some(at) => Err(at_line(text, at, "there is a control character")),
        None => Ok(text),
    }
}

/// The text of a file without a byte-order mark, for readers that do not recognize one.
pub(super) fn unmarked_text(content: &[u8]) -> Result<&str, String> {
    let text = text(content)?;
    if text.starts_with('\u{feff}') {
        let why =
            "it begins with a byte-order mark, which readers of this format treat as a character";
        return Err(at_line(text, 0, why));
    }
    Ok(text)
}

/// Splits off a byte-order mark, which some editors write.
pub(super) fn split_mark(text: &str) -> (&str, &str) {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest),
        None => ("", text),
    }
}

/// An error about a position in a text.
pub(super) fn at_line(text: &str, at: usize, why: &str) -> String {
    format!("line {}: {why}", line_number(text, at))
}

/// The line number of a position, from 1.
pub(super) fn line_number(text: &str, at: usize) -> usize {
    lines(text)
        .take_while(|line| line.start <= at)
        .count()
        .max(1)
}

/// A line and its ending, as ranges of the text.
#[derive(Clone)]
pub(super) struct LineSpan {
    pub(super) start: usize,
    /// Start of the line ending.
    pub(super) end: usize,
    /// Start of the next line.
    pub(super) next: usize,
}

/// The lines of a text. LF, CRLF and CR each end a line.
pub(super) fn lines(text: &str) -> impl Iterator<Item = LineSpan> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let length = rest.find(['\r', '\n']).unwrap_or(rest.len());
        let after = rest.get(length..).unwrap_or_default();
        let terminator = match after {
            after if after.starts_with("\r\n") => 2,
            "" => 0,
            _ => 1,
        };
        let line = LineSpan {
            start,
            end: start + length,
            next: start + length + terminator,
        };
        start = line.next;
        Some(line)
    })
}

/// The line ending of a text, by its first line.
pub(super) fn line_end(text: &str) -> &str {
    let first = lines(text).next();
    let end = first.and_then(|line| text.get(line.end..line.next));
    end.filter(|end| !end.is_empty()).unwrap_or("\n")
}

/// Replaces these ranges of a text.
pub(super) fn edited(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(place, _)| place.start);
    let mut new = String::with_capacity(text.len() + 128);
    let mut from = 0;
    for (place, value) in edits {
        new.push_str(text.get(from..place.start).unwrap_or_default());
        new.push_str(&value);
        from = place.end;
    }
    new.push_str(text.get(from..).unwrap_or_default());
    new
}

/// Similar names, the most similar first.
pub(super) fn similar<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = name.to_lowercase();
    let alike = |other: &str| {
        let other = other.to_lowercase();
        if other.contains(&wanted) || wanted.contains(&other) {
            return 1.0;
        }
        strsim::normalized_damerau_levenshtein(&wanted, &other)
    };
    let mut found: Vec<_> = names
        .filter(|other| !other.is_empty() && *other != name)
        .map(|other| (alike(other), other))
        .filter(|(alike, _)| *alike >= SIMILAR_FROM)
        .collect();
    found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let names = found.into_iter().take(SIMILAR_MAX);
    names.map(|(_, name)| name.to_owned()).collect()
}

/// The "did you mean" part of an error about a missing name.
pub(super) fn did_you_mean<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    match similar(name, names).join(", ") {
        near if near.is_empty() => near,
        near => format!("; did you mean {near}?"),
    }
}

/// The pair that two values make. An empty value counts as missing. One value without the other is
/// an error: it may be another user's, and must not be overwritten.
pub(super) fn pair_of(
    id: (&str, Option<&str>),
    secret: (&str, Option<&str>),
) -> Result<Option<KeyPair>, String> {
    let there = |value: Option<&str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
    match (there(id.1), there(secret.1)) {
        (None, None) => Ok(None),
        (Some(value), Some(secret)) => Ok(Some(KeyPair {
            id: KeyId(value),
            secret: Secret::new(secret),
        })),
        (Some(value), None) => Err(format!(
            "it holds {} in {} and nothing in {}: an incomplete key pair is not overwritten",
            printable_id(&value),
            id.0,
            secret.0
        )),
        (None, Some(_)) => Err(format!(
            "it holds a value in {} and nothing in {}: an incomplete key pair is not overwritten",
            secret.0, id.0
        )),
    }
}

/// A key ID for a message. A text that does not look like one may be a misplaced secret, so it is
/// not shown.
pub(super) fn printable_id(id: &str) -> &str {
    if is_id(id) && id.len() <= 32 {
        id
    } else {
        "a value that is not an access key ID"
    }
}

/// Whether the text can be an access key ID.
pub(super) fn is_id(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !text.is_empty() && text.len() <= 128 && text.chars().all(good)
}

/// Whether the text can be a secret access key that every reader takes literally.
pub(super) fn is_secret(text: &str) -> bool {
    let good = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '`' | '$' | '\\' | '#');
    !text.is_empty() && text.chars().all(good)
}
