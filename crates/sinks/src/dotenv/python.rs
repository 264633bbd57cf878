//! What python-dotenv reads.
//!
//! Modelled on its `parser.py`: a line that it cannot parse is skipped, and values are interpolated
//! whatever their quotes.

use super::reading::{AssignedValue, Assignment, ParsedFile};

/// Reads the file like python-dotenv.
pub(super) fn read(text: &str) -> ParsedFile {
    let mut reader = PythonReader { text, at: 0 };
    let mut assignments = Vec::new();
    while reader.at < text.len() {
        match reader.binding() {
            Ok(found) => assignments.extend(found),
            Err(SkippedLine) => {
                reader.skip(|c| !matches!(c, '\r' | '\n'));
                reader.line_end();
            }
        }
    }
    ParsedFile {
        assignments,
        stop: None,
    }
}

/// The rest of the line is skipped.
struct SkippedLine;

struct PythonReader<'a> {
    text: &'a str,
    at: usize,
}

/// White space that does not end a line.
fn is_blank(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\r' | '\n')
}

impl<'a> PythonReader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, takes: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !takes(c)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn take(&mut self, word: &str) -> bool {
        let taken = self.rest().starts_with(word);
        self.at += if taken { word.len() } else { 0 };
        taken
    }

    fn line_end(&mut self) -> bool {
        self.take("\r\n") || self.take("\n") || self.take("\r") || self.rest().is_empty()
    }

    fn binding(&mut self) -> Result<Option<Assignment>, SkippedLine> {
        self.skip(char::is_whitespace);
        if self.rest().is_empty() {
            return Ok(None);
        }
        if let Some(rest) = self.rest().strip_prefix("export")
            && rest.starts_with(is_blank)
        {
            self.at += "export".len();
            self.skip(is_blank);
        }
        let name_at = self.at;
        let key = self.key()?;
        self.skip(is_blank);
        let value = if self.take("=") {
            let before = self.at;
            self.skip(is_blank);
            let spaced = self.at > before;
            Some(self.value(spaced)?)
        } else {
            None
        };
        let before = self.at;
        self.skip(is_blank);
        if self.rest().starts_with('#') {
            self.skip(|c| !matches!(c, '\r' | '\n'));
        } else {
            self.at = before;
        }
        self.skip(is_blank);
        if !self.line_end() {
            return Err(SkippedLine);
        }
        Ok(key.map(|name| Assignment {
            name: name.to_owned(),
            at: name_at,
            value: value.unwrap_or(AssignedValue::Unset),
        }))
    }

    fn key(&mut self) -> Result<Option<&'a str>, SkippedLine> {
        if self.rest().starts_with('#') {
            return Ok(None);
        }
        if self.take("'") {
            let name = self.skip(|c| c != '\'');
            return if name.is_empty() || !self.take("'") {
                Err(SkippedLine)
            } else {
                Ok(Some(name))
            };
        }
        let name = self.skip(|c| !matches!(c, '=' | '#') && !c.is_whitespace());
        if name.is_empty() {
            return Err(SkippedLine);
        }
        Ok(Some(name))
    }

    fn value(&mut self, spaced: bool) -> Result<AssignedValue, SkippedLine> {
        let rest = self.rest();
        match rest.chars().next() {
            Some(quote @ ('\'' | '"')) => {
                let inner = rest.get(1..).unwrap_or_default();
                let length = closing(inner, quote).ok_or(SkippedLine)?;
                let from = self.at + 1;
                self.at = from + length + 1;
                let raw = inner.get(..length).unwrap_or_default();
                Ok(interpolated(raw, !raw.contains('\\'), from))
            }
            None | Some('\r' | '\n') => Ok(AssignedValue::literal("", self.at)),
            Some(_) => {
                let from = self.at;
                let part = self.skip(|c| !matches!(c, '\r' | '\n'));
                // Versions of python-dotenv differ on a comment in place of a value.
                if spaced && part.starts_with('#') {
                    return Ok(AssignedValue::Unknown);
                }
                let comment = part.char_indices().find(|(at, c)| {
                    let after = part.get(*at..).unwrap_or_default().trim_start();
                    c.is_whitespace() && after.starts_with('#')
                });
                let end = comment.map_or(part.len(), |(at, _)| at);
                let value = part.get(..end).unwrap_or_default().trim_end();
                Ok(interpolated(value, true, from))
            }
        }
    }
}

fn interpolated(raw: &str, plain: bool, from: usize) -> AssignedValue {
    if !plain || raw.contains("${") {
        return AssignedValue::Unknown;
    }
    AssignedValue::literal(raw, from)
}

/// Finds the end of a quoted string. A quote after a backslash ends it only if no other does.
fn closing(inner: &str, quote: char) -> Option<usize> {
    let mut escaped = None;
    let mut before = ' ';
    for (at, c) in inner.char_indices() {
        if c == quote {
            if before != '\\' {
                return Some(at);
            }
            escaped = Some(at);
        }
        before = c;
    }
    escaped
}
