//! What Docker Compose reads from an `env_file`.
//!
//! After compose-go's `dotenv/parser.go`: `KEY: value` is an assignment as well, another statement
//! may follow a quoted value in its line, and one wrong line spoils the whole file.

use super::reading::{AssignedValue, Assignment, ParseStop, ParsedFile};

/// Reads as Docker Compose does.
pub(super) fn read(text: &str) -> ParsedFile {
    let mut assignments = Vec::new();
    let mut at = 0;
    loop {
        match statement(text, at) {
            Ok(None) => break,
            Ok(Some((found, next))) => {
                assignments.extend(found);
                at = next;
            }
            Err(stop) => {
                return ParsedFile {
                    assignments: Vec::new(),
                    stop: Some(stop),
                };
            }
        }
    }
    ParsedFile {
        assignments,
        stop: None,
    }
}

/// Space that ends no line.
const fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\r' | ' ' | '\u{a0}')
}

/// Where the next statement begins.
fn start(text: &str, mut at: usize) -> Option<usize> {
    loop {
        let rest = text.get(at..)?;
        at += rest.find(|c: char| !c.is_whitespace())?;
        let rest = text.get(at..)?;
        if !rest.starts_with('#') {
            return Some(at);
        }
        at += rest.find('\n')?;
    }
}

/// An assignment, where there is one, and the place after it.
fn statement(text: &str, at: usize) -> Result<Option<(Option<Assignment>, usize)>, ParseStop> {
    let Some(mut at) = start(text, at) else {
        return Ok(None);
    };
    let rest = text.get(at..).unwrap_or_default();
    if let Some(after) = rest.strip_prefix("export")
        && after.starts_with(char::is_whitespace)
    {
        at += "export".len();
        let after = after.len() - after.trim_start_matches(is_blank).len();
        at += after;
    }
    let rest = text.get(at..).unwrap_or_default();
    let odd =
        |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']') || is_blank(c));
    let Some(end) = rest.find(odd) else {
        // A name and nothing else at the end of the file.
        return Ok(Some((None, text.len())));
    };
    let name = rest.get(..end).unwrap_or_default().trim_end();
    let sign = rest.get(end..).unwrap_or_default().chars().next();
    if !matches!(sign, Some('=' | ':' | '\n')) {
        return Err(ParseStop::failing(at, "there is a letter that no name has"));
    }
    if name.contains(' ') {
        return Err(ParseStop::failing(at, "there is a space in a name"));
    }
    if sign == Some('\n') {
        // Taken over from Compose's own environment.
        return Ok(Some((None, at + end + 1)));
    }
    let name_at = at;
    at += end + 1;
    let rest = text.get(at..).unwrap_or_default();
    at += rest.len() - rest.trim_start_matches(is_blank).len();
    let (value, next) = value(text, at)?;
    let found = Assignment {
        name: name.to_owned(),
        at: name_at,
        value,
    };
    Ok(Some((Some(found), next)))
}

fn value(text: &str, at: usize) -> Result<(AssignedValue, usize), ParseStop> {
    let rest = text.get(at..).unwrap_or_default();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let Some(quote) = quote else {
        let line = rest.split('\n').next().unwrap_or_default();
        let value = line.split(" #").next().unwrap_or_default().trim_end();
        let next = (at + line.len() + 1).min(text.len());
        let found = match value {
            // Its versions differ on a comment behind no space.
            value if value.contains(['$', '#']) => AssignedValue::Unknown,
            value => AssignedValue::literal(value, at),
        };
        return Ok((found, next));
    };
    let mut escaped = false;
    for (length, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            let raw = rest.get(1..length).unwrap_or_default();
            let dynamic = raw.contains('\\') || quote == '"' && raw.contains('$');
            let found = if dynamic {
                AssignedValue::Unknown
            } else {
                AssignedValue::literal(raw, at + 1)
            };
            return Ok((found, at + length + 1));
        }
        escaped = c == '\\' && !escaped;
    }
    Err(ParseStop::failing(at, "there is an open quote"))
}
