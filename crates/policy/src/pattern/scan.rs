//! Parses the text of a pattern into pieces. The [`PatternSyntax`] alone decides which characters
//! are special; `${*}`, `${?}` and `${$}` stand for the characters themselves.

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PatternPiece {
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
pub(crate) struct PatternSyntax {
    pub(crate) wildcards: bool,
    pub(crate) variables: bool,
}

pub(super) fn scan(mut text: &str, syntax: PatternSyntax) -> Vec<PatternPiece> {
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
            '*' if syntax.wildcards && pieces.last() == Some(&PatternPiece::Many) => {}
            '*' if syntax.wildcards => pieces.push(PatternPiece::Many),
            '?' if syntax.wildcards => pieces.push(PatternPiece::One),
            _ => append(&mut pieces, first.encode_utf8(&mut [0; 4])),
        }
        text = text.strip_prefix(first).unwrap_or_default();
    }
    pieces
}

/// Appends text, merging it with the last piece if that is text.
pub(super) fn append(pieces: &mut Vec<PatternPiece>, text: &str) {
    match pieces.last_mut() {
        Some(PatternPiece::Text(last)) => last.push_str(text),
        _ if text.is_empty() => {}
        _ => pieces.push(PatternPiece::Text(text.to_owned())),
    }
}

/// Splits `${body}after`; without a closing brace it is not a variable. Searches no farther than
/// the maximum length of a key, so that many opening braces cost no more than a few.
pub(crate) fn variable(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("${")?;
    let end = rest.bytes().take(VARIABLE_BYTES).position(|b| b == b'}')?;
    Some((rest.get(..end)?, rest.get(end + 1..)?))
}

/// Maximum length of a variable with its default, in bytes.
const VARIABLE_BYTES: usize = 1024;

/// Parses `key` or `key, 'default'`.
fn reference(body: &str) -> PatternPiece {
    let quoted = body.split_once(',').and_then(|(key, rest)| {
        let default = rest.trim_start().strip_prefix('\'')?.strip_suffix('\'')?;
        Some((key, default))
    });
    let (key, default) = match quoted {
        Some((key, default)) => (key, Some(default.to_owned())),
        None => (body, None),
    };
    PatternPiece::Variable {
        key: key.trim().to_lowercase(),
        default,
    }
}
