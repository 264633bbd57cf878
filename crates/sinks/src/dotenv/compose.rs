//! What Docker Compose reads from an `env_file`.
//!
//! Modelled on compose-go's `dotenv/parser.go`: `KEY: value` is an assignment too, another
//! statement may follow a quoted value on the same line, and one invalid line makes the whole file
//! invalid.

use super::reading::{AssignedValue, Assignment, ParseStop, ParsedFile};

/// Reads the file like Docker Compose.
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

/// White space that does not end a line.
const fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\r' | ' ' | '\u{a0}')
}

/// The start of the next statement.
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

/// Reads one statement. Returns the assignment, if it is one, and the position after it.
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
        // A name alone at the end of the file.
        return Ok(Some((None, text.len())));
    };
    let name = rest.get(..end).unwrap_or_default().trim_end();
    let sign = rest.get(end..).unwrap_or_default().chars().next();
    if !matches!(sign, Some('=' | ':' | '\n')) {
        return Err(ParseStop::failing(
            at,
            "a name contains a character that is not allowed",
        ));
    }
    if name.contains(' ') {
        return Err(ParseStop::failing(at, "a name contains a space"));
    }
    if sign == Some('\n') {
        // The value comes from Compose's own environment.
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
            // Versions of Compose differ on a comment without a space before it.
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
    Err(ParseStop::failing(at, "there is an unclosed quote"))
}
