//! The quoting rule of destination names: a part that contains a delimiter or a control character,
//! or that starts with a quote, is written as a JSON string.

use std::fmt;

/// The first part of a text, and the rest: empty, or starting with one of the delimiters.
pub(super) fn part<'a>(text: &'a str, ends: &[&str]) -> Result<(String, &'a str), String> {
    if !text.starts_with('"') {
        let at = ends.iter().filter_map(|end| text.find(end)).min();
        let (part, rest) = text.split_at(at.unwrap_or(text.len()));
        return Ok((part.to_owned(), rest));
    }
    let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let bad = || format!("{text} begins with a quote but is not a JSON string");
    let part = strings.next().and_then(Result::ok).ok_or_else(bad)?;
    let rest = text.get(strings.byte_offset()..).unwrap_or_default();
    if rest.is_empty() || ends.iter().any(|end| rest.starts_with(end)) {
        return Ok((part, rest));
    }
    Err(match ends {
        [] => format!("unexpected {rest} after a quoted part"),
        ends => format!(
            "unexpected {rest} after a quoted part; expected {}",
            ends.join(" or ")
        ),
    })
}

/// A part in the form that [`part`] reads.
pub(super) struct QuotedPart<'a> {
    pub(super) text: &'a str,
    /// The delimiters that would end it, if another part may follow.
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
