//! The response writer: a small escaping writer of XML and JSON for the models' shapes.
//!
//! A shape writes itself once; the protocol of its service decides how that looks.

use std::{collections::BTreeMap, fmt::Write as _};

use keywright_base::{Secret, Timestamp};

use crate::operation::Protocol;

/// Initial capacity of a response, in bytes; most are smaller.
const CAPACITY: usize = 1024;

/// The name of the elements of a list in XML. In JSON they have none.
const ELEMENT: &str = "member";

/// A response being written.
pub struct AnswerText {
    text: String,
    protocol: Protocol,
}

impl std::fmt::Debug for AnswerText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AnswerText({} bytes)", self.text.len())
    }
}

impl AnswerText {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self {
            text: String::with_capacity(CAPACITY),
            protocol,
        }
    }

    pub(crate) fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    /// Writes a text.
    pub(crate) fn element(&mut self, name: &str, text: &str) {
        match self.protocol {
            Protocol::Query => {
                self.open_tag(name);
                self.escape(text);
                self.close_tag(name);
            }
            Protocol::Json => {
                self.key(name);
                self.quote(text);
            }
        }
    }

    /// Writes a number or a truth value, which JSON does not quote.
    fn bare(&mut self, name: &str, value: impl std::fmt::Display) {
        match self.protocol {
            Protocol::Query => {
                self.open_tag(name);
                let _ = write!(self.text, "{value}");
                self.close_tag(name);
            }
            Protocol::Json => {
                self.key(name);
                let _ = write!(self.text, "{value}");
            }
        }
    }

    /// Begins a structure or a map.
    pub(crate) fn open(&mut self, name: &str) {
        match self.protocol {
            Protocol::Query => self.open_tag(name),
            Protocol::Json => {
                self.key(name);
                self.text.push('{');
            }
        }
    }

    /// Ends a structure or a map.
    pub(crate) fn close(&mut self, name: &str) {
        match self.protocol {
            Protocol::Query => self.close_tag(name),
            Protocol::Json => self.text.push('}'),
        }
    }

    fn open_tag(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    fn close_tag(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// Separates a value from the one before it, and names it. The elements of a list have no
    /// names; no member of a model is called like them.
    fn key(&mut self, name: &str) {
        if !self.text.ends_with(['{', '[']) {
            self.text.push(',');
        }
        if name != ELEMENT {
            self.quote(name);
            self.text.push(':');
        }
    }

    /// Writes a JSON string.
    fn quote(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                c if c < ' ' => {
                    let _ = write!(self.text, "\\u{:04x}", u32::from(c));
                }
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    /// Escapes markup. Characters that XML 1.0 cannot represent become U+FFFD.
    fn escape(&mut self, text: &str) {
        // Almost every text is plain ASCII and is copied unchanged.
        let plain = |byte: u8| (b' '..0x7f).contains(&byte) && !b"&<>\"".contains(&byte);
        if text.bytes().all(plain) {
            self.text.push_str(text);
            return;
        }
        for c in text.chars() {
            match c {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\r' => self.text.push_str("&#xD;"),
                '\t' | '\n' => self.text.push(c),
                c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => self.text.push('\u{fffd}'),
                c => self.text.push(c),
            }
        }
    }
}

/// A structure. Its members are written without an enclosing element.
pub trait Encode {
    /// Writes the members.
    fn encode(&self, out: &mut AnswerText);
}

impl Encode for () {
    fn encode(&self, _: &mut AnswerText) {}
}

/// A value that is written under a name; an absent value writes nothing.
pub(crate) trait Write {
    /// Writes the value.
    fn write(&self, out: &mut AnswerText, name: &str);
}

impl<T: Encode> Write for T {
    fn write(&self, out: &mut AnswerText, name: &str) {
        out.open(name);
        self.encode(out);
        out.close(name);
    }
}

impl Write for String {
    fn write(&self, out: &mut AnswerText, name: &str) {
        out.element(name, self);
    }
}

impl Write for Secret<String> {
    fn write(&self, out: &mut AnswerText, name: &str) {
        out.element(name, self.expose());
    }
}

impl Write for bool {
    fn write(&self, out: &mut AnswerText, name: &str) {
        out.bare(name, self);
    }
}

impl Write for i32 {
    fn write(&self, out: &mut AnswerText, name: &str) {
        out.bare(name, self);
    }
}

impl Write for i64 {
    fn write(&self, out: &mut AnswerText, name: &str) {
        out.bare(name, self);
    }
}

impl Write for Timestamp {
    fn write(&self, out: &mut AnswerText, name: &str) {
        match out.protocol {
            Protocol::Query => out.element(name, &self.iso8601()),
            // Seconds since 1970, with as many decimals as are known.
            Protocol::Json => match (self.secs(), self.millis() % 1000) {
                (secs, 0) => out.bare(name, secs),
                (secs, millis) => out.bare(name, format_args!("{secs}.{millis:03}")),
            },
        }
    }
}

impl Write for Vec<u8> {
    fn write(&self, out: &mut AnswerText, name: &str) {
        out.element(name, &base64(self));
    }
}

impl Write for Secret<Vec<u8>> {
    fn write(&self, out: &mut AnswerText, name: &str) {
        self.expose().write(out, name);
    }
}

impl<T: Write> Write for Option<T> {
    fn write(&self, out: &mut AnswerText, name: &str) {
        if let Some(value) = self {
            value.write(out, name);
        }
    }
}

/// A list element. Bytes do not implement it.
pub(crate) trait ListElement: Write {}

impl<T: Encode> ListElement for T {}
impl ListElement for String {}

impl<T: ListElement> Write for Vec<T> {
    fn write(&self, out: &mut AnswerText, name: &str) {
        match out.protocol {
            Protocol::Query if self.is_empty() => {
                let _ = write!(out.text, "<{name}/>");
            }
            Protocol::Query => {
                out.open_tag(name);
                for element in self {
                    element.write(out, ELEMENT);
                }
                out.close_tag(name);
            }
            Protocol::Json => {
                out.key(name);
                out.text.push('[');
                for element in self {
                    element.write(out, ELEMENT);
                }
                out.text.push(']');
            }
        }
    }
}

impl<T: Write> Write for BTreeMap<String, T> {
    fn write(&self, out: &mut AnswerText, name: &str) {
        out.open(name);
        for (key, value) in self {
            match out.protocol {
                Protocol::Query => {
                    out.open_tag("entry");
                    out.element("key", key);
                    value.write(out, "value");
                    out.close_tag("entry");
                }
                Protocol::Json => value.write(out, key),
            }
        }
        out.close(name);
    }
}

/// Standard base64 with padding.
fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine;
    ::base64::prelude::BASE64_STANDARD.encode(bytes)
}
