//! A small JSON parser that preserves byte spans. Invariants: object keys are unique, and nesting
//! is limited so that the stack cannot overflow.
//!
//! It accepts exactly RFC 8259 (no comments, no trailing commas, no control characters in strings).
//! It deliberately does not interpret numbers: they stay as written.

use std::collections::HashSet;

use keywright_base::limits::POLICY_DEPTH;

use crate::{SyntaxError, TextSpan};

/// A JSON value and its span.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PolicyNode {
    pub(crate) span: TextSpan,
    pub(crate) value: PolicyValue,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PolicyValue {
    Null,
    Bool(bool),
    /// The digits as written.
    Number(String),
    Text(String),
    List(Vec<PolicyNode>),
    /// Members in order, with unique names.
    Map(Vec<(String, PolicyNode)>),
}

impl PolicyNode {
    /// A member of an object by its name.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        let mut members = self.members().iter();
        members.find(|(own, _)| own == name).map(|(_, node)| node)
    }

    /// The members of an object; empty for other values.
    pub(crate) fn members(&self) -> &[(String, Self)] {
        match &self.value {
            PolicyValue::Map(members) => members,
            _ => &[],
        }
    }

    /// The items of a list, or a single value as a list of one.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            PolicyValue::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }
}

/// Parses one JSON value, followed only by white space.
pub(crate) fn read(text: &str) -> Result<PolicyNode, SyntaxError> {
    let mut reader = JsonReader { text, at: 0 };
    let node = reader.value(0)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.fault("text after the end of the document")),
    }
}

struct JsonReader<'a> {
    text: &'a str,
    at: usize,
}

impl JsonReader<'_> {
    fn fault(&self, expected: &'static str) -> SyntaxError {
        SyntaxError::new(self.at, expected)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), SyntaxError> {
        if self.peek() != Some(byte) {
            return Err(self.fault(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// `POLICY_DEPTH` bounds the recursion.
    fn value(&mut self, depth: usize) -> Result<PolicyNode, SyntaxError> {
        self.skip_space();
        let start = self.at;
        let value = match self.peek() {
            Some(b'{' | b'[') if depth >= POLICY_DEPTH => {
                return Err(self.fault("the document is nested too deeply"));
            }
            Some(b'{') => self.map(depth + 1)?,
            Some(b'[') => self.list(depth + 1)?,
            Some(b'"') => PolicyValue::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => self.word()?,
        };
        let span = TextSpan {
            start,
            end: self.at,
        };
        Ok(PolicyNode { span, value })
    }

    fn map(&mut self, depth: usize) -> Result<PolicyValue, SyntaxError> {
        self.at += 1;
        let mut members = Vec::new();
        let mut names = HashSet::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(PolicyValue::Map(members));
        }
        loop {
            self.skip_space();
            let start = self.at;
            let name = self.string()?;
            if !names.insert(name.clone()) {
                return Err(SyntaxError::new(start, "the same key appears twice"));
            }
            self.skip_space();
            self.expect(b':', "expected ':' after a key")?;
            members.push((name, self.value(depth)?));
            self.skip_space();
            if self.peek() == Some(b'}') {
                self.at += 1;
                return Ok(PolicyValue::Map(members));
            }
            self.expect(b',', "expected ',' or '}' in an object")?;
        }
    }

    fn list(&mut self, depth: usize) -> Result<PolicyValue, SyntaxError> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(PolicyValue::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.skip_space();
            if self.peek() == Some(b']') {
                self.at += 1;
                return Ok(PolicyValue::List(items));
            }
            self.expect(b',', "expected ',' or ']' in a list")?;
        }
    }

    fn word(&mut self) -> Result<PolicyValue, SyntaxError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let words = [
            ("true", PolicyValue::Bool(true)),
            ("false", PolicyValue::Bool(false)),
            ("null", PolicyValue::Null),
        ];
        for (word, value) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.fault("expected a JSON value"))
    }

    fn number(&mut self) -> Result<PolicyValue, SyntaxError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(SyntaxError::new(start, "a number starts with a zero"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(PolicyValue::Number(text.to_owned()))
    }

    /// Parses one or more digits.
    fn digits(&mut self) -> Result<String, SyntaxError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        match self.text.get(start..self.at) {
            Some(digits) if !digits.is_empty() => Ok(digits.to_owned()),
            _ => Err(self.fault("expected a digit")),
        }
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        self.expect(b'"', "expected a string")?;
        let mut out = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            out.push_str(self.text.get(start..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return Err(self.fault("a control character in a string")),
                None => return Err(self.fault("a string without its end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        self.at += 1;
        let letter = self.peek();
        self.at += 1;
        Ok(match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => {
                return Err(SyntaxError::new(
                    self.at - 1,
                    "an unknown escape in a string",
                ));
            }
        })
    }

    /// Parses four hexadecimal digits, or a surrogate pair of them.
    fn unicode(&mut self) -> Result<char, SyntaxError> {
        let first = self.hex4()?;
        let mut units = vec![first];
        if (0xd800..0xdc00).contains(&first) {
            self.expect(b'\\', "half of a surrogate pair")?;
            self.expect(b'u', "half of a surrogate pair")?;
            units.push(self.hex4()?);
        }
        match char::decode_utf16(units).next() {
            Some(Ok(c)) => Ok(c),
            _ => Err(self.fault("half of a surrogate pair")),
        }
    }

    fn hex4(&mut self) -> Result<u16, SyntaxError> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(self.fault("expected four hexadecimal digits"));
        }
        self.at += 4;
        u16::from_str_radix(digits, 16).map_err(|_| self.fault("expected four hexadecimal digits"))
    }
}

/// The size of a policy in characters, as AWS counts it against its quotas: white space between
/// tokens is not counted, white space inside strings is.
pub fn size_without_whitespace(text: &str) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    let mut size = 0;
    for c in text.chars() {
        if quoted {
            size += 1;
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if !matches!(c, ' ' | '\t' | '\n' | '\r') {
            size += 1;
            quoted = c == '"';
        }
    }
    size
}
