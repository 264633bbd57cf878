//! The quoting rule of destinations' names: a part that holds a sign which would end it, a quote in
//! the beginning or a control character is written as a JSON string.

use std::fmt;

/// The first part of a text, and what follows: nothing, or one of the signs that end the part and
/// the rest.
pub(super) fn part<'a>(text: &'a str, ends: &[&str]) -> Result<(String, &'a str), String> {
    if !text.starts_with('"') {
        let at = ends.iter().filter_map(|end| text.find(end)).min();
        let (part, rest) = text.split_at(at.unwrap_or(text.len()));
        return Ok((part.to_owned(), rest));
    }
    let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let bad = || format!("{text} begins with a quote and is not a JSON string");
    let part = strings.next().and_then(Result::ok).ok_or_else(bad)?;
    let rest = text.get(strings.byte_offset()..).unwrap_or_default();
    if rest.is_empty() || ends.iter().any(|end| rest.starts_with(end)) {
        return Ok((part, rest));
    }
    Err(match ends {
        [] => format!("{rest} follows a quoted part"),
        ends => format!(
            "{rest} follows a quoted part, and is not {}",
            ends.join(" or ")
        ),
    })
}

/// A part as [`part`] reads it.
pub(super) struct QuotedPart<'a> {
    pub(super) text: &'a str,
    /// The signs that would end it, where another part may follow.
    pub(super) ends: &'a [&'a str],
}

impl fmt::Display for QuotedPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, ends } = self;
        let ends = ends.iter().any(|end| text.contains(end));
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
