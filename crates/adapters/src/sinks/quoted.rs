//! The quoting rule of destinations' names: a part that holds a sign which would end it, a quote in
//! the beginning or a control character is written as a JSON string.

use std::fmt;

/// The first part of a text and what follows the sign that ends it.
pub(super) fn split(text: &str, end: char) -> Result<(String, Option<&str>), String> {
    if !text.starts_with('"') {
        return Ok(match text.split_once(end) {
            Some((part, rest)) => (part.to_owned(), Some(rest)),
            None => (text.to_owned(), None),
        });
    }
    let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let bad = || format!("{text} begins with a quote and is not a JSON string");
    let part = strings.next().and_then(Result::ok).ok_or_else(bad)?;
    let rest = text.get(strings.byte_offset()..).unwrap_or_default();
    match rest.strip_prefix(end) {
        Some(rest) => Ok((part, Some(rest))),
        None if rest.is_empty() => Ok((part, None)),
        None => Err(format!("{rest} follows a quoted part, and is not {end}")),
    }
}

/// A text that is one part.
pub(super) fn whole(text: &str) -> Result<String, String> {
    if !text.starts_with('"') {
        return Ok(text.to_owned());
    }
    serde_json::from_str(text)
        .map_err(|_| format!("{text} begins with a quote and is not a JSON string"))
}

/// A part as [`split`] and [`whole`] read it.
pub(super) struct Part<'a> {
    pub(super) text: &'a str,
    /// The sign that would end it, where another part may follow.
    pub(super) end: Option<char>,
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, end } = self;
        let ends = end.is_some_and(|end| text.contains(end));
        if !ends && !text.starts_with('"') && !text.contains(char::is_control) {
            return f.write_str(text);
        }
        // JSON leaves some control characters as they are.
        for c in serde_json::Value::String((*text).to_owned())
            .to_string()
            .chars()
        {
            if c.is_control() {
                write!(f, "\\u{:04x}", u32::from(c))?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}
