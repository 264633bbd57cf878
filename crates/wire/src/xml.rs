//! The response writer: a small escaping XML writer for the models' shapes.

use std::{collections::BTreeMap, fmt::Write as _};

use keywright_base::{Secret, Timestamp};

/// Initial capacity of a response, in bytes; most are smaller.
const CAPACITY: usize = 1024;

/// An XML document being written.
pub struct Xml {
    text: String,
}

impl Default for Xml {
    fn default() -> Self {
        Self {
            text: String::with_capacity(CAPACITY),
        }
    }
}

impl std::fmt::Debug for Xml {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Xml({} bytes)", self.text.len())
    }
}

impl Xml {
    pub(crate) fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Writes an element that contains text.
    pub(crate) fn element(&mut self, name: &str, text: &str) {
        self.open(name);
        self.escape(text);
        self.close(name);
    }

    pub(crate) fn open(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    pub(crate) fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    pub(crate) fn finish(self) -> String {
        self.text
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
    fn encode(&self, xml: &mut Xml);
}

impl Encode for () {
    fn encode(&self, _: &mut Xml) {}
}

/// A value that is written as a named element; an absent value writes nothing.
pub(crate) trait Write {
    /// Writes the element.
    fn write(&self, xml: &mut Xml, name: &str);
}

impl<T: Encode> Write for T {
    fn write(&self, xml: &mut Xml, name: &str) {
        xml.open(name);
        self.encode(xml);
        xml.close(name);
    }
}

impl Write for String {
    fn write(&self, xml: &mut Xml, name: &str) {
        xml.element(name, self);
    }
}

impl Write for Secret<String> {
    fn write(&self, xml: &mut Xml, name: &str) {
        xml.element(name, self.expose());
    }
}

impl Write for bool {
    fn write(&self, xml: &mut Xml, name: &str) {
        xml.element(name, if *self { "true" } else { "false" });
    }
}

impl Write for i32 {
    fn write(&self, xml: &mut Xml, name: &str) {
        xml.element(name, &self.to_string());
    }
}

impl Write for i64 {
    fn write(&self, xml: &mut Xml, name: &str) {
        xml.element(name, &self.to_string());
    }
}

impl Write for Timestamp {
    fn write(&self, xml: &mut Xml, name: &str) {
        xml.element(name, &self.iso8601());
    }
}

impl Write for Vec<u8> {
    fn write(&self, xml: &mut Xml, name: &str) {
        xml.element(name, &base64(self));
    }
}

impl Write for Secret<Vec<u8>> {
    fn write(&self, xml: &mut Xml, name: &str) {
        self.expose().write(xml, name);
    }
}

impl<T: Write> Write for Option<T> {
    fn write(&self, xml: &mut Xml, name: &str) {
        if let Some(value) = self {
            value.write(xml, name);
        }
    }
}

/// A list element. Bytes do not implement it.
pub(crate) trait ListElement: Write {}

impl<T: Encode> ListElement for T {}
impl ListElement for String {}

impl<T: ListElement> Write for Vec<T> {
    fn write(&self, xml: &mut Xml, name: &str) {
        if self.is_empty() {
            let _ = write!(xml.text, "<{name}/>");
            return;
        }
        xml.open(name);
        for element in self {
            element.write(xml, "member");
        }
        xml.close(name);
    }
}

impl<T: Write> Write for BTreeMap<String, T> {
    fn write(&self, xml: &mut Xml, name: &str) {
        xml.open(name);
        for (key, value) in self {
            xml.open("entry");
            xml.element("key", key);
            value.write(xml, "value");
            xml.close("entry");
        }
        xml.close(name);
    }
}

/// Standard base64 with padding.
fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine;
    ::base64::prelude::BASE64_STANDARD.encode(bytes)
}
