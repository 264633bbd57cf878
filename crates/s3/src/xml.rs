//! Documents that the protocol layer would write in another form than S3.
//!
//! Invariant: text is always escaped, and only complete documents are returned. The protocol layer
//! writes all other documents.

use std::{borrow::Cow, fmt::Write as _};

/// The XML declaration; S3 puts a line break after it (recorded 2026-02).
pub(super) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// A document, as an extension of the response whose body it becomes.
#[derive(Debug, Clone)]
pub(super) struct XmlBody(pub(super) String);

/// A sequence of elements.
#[derive(Debug, Default)]
pub(super) struct XmlElements(String);

impl std::fmt::Display for XmlElements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl XmlElements {
    /// Adds an element that contains text.
    pub(super) fn text(&mut self, name: &str, value: impl std::fmt::Display) {
        let value = value.to_string();
        let value = quick_xml::escape::escape(&value);
        let value = well_formed(&value);
        let _ = write!(self.0, "<{name}>{value}</{name}>");
    }

    /// Adds an element that contains text, if there is a value.
    pub(super) fn maybe(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// Adds an element that contains other elements.
    pub(super) fn within(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        let _ = write!(self.0, "<{name}>");
        fill(self);
        let _ = write!(self.0, "</{name}>");
    }

    /// The complete document, with this root element and namespace.
    pub(super) fn document(self, root: &str, namespace: &str) -> XmlBody {
        let Self(elements) = self;
        XmlBody(format!(
            "{DECLARATION}<{root} xmlns=\"{namespace}\">{elements}</{root}>"
        ))
    }
}

/// Text that XML 1.0 can carry. Control characters in a key become U+FFFD, as in IAM's responses.
/// AWS writes references (`&#x1;`), which parsers reject too; `encoding-type=url` returns the key
/// in full.
pub(super) fn well_formed(text: &str) -> Cow<'_, str> {
    let fits =
        |c: char| c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}') || matches!(c, '\t' | '\n');
    if text.chars().all(fits) {
        return text.into();
    }
    let mut fitting = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // A parser would normalize a literal CR to a line feed.
            '\r' => fitting.push_str("&#xD;"),
            c if fits(c) => fitting.push(c),
            _ => fitting.push('\u{fffd}'),
        }
    }
    fitting.into()
}

/// The namespace of S3's documents.
pub(super) const S3: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// The namespace of S3 Control's documents.
pub(super) const CONTROL: &str = "http://awss3control.amazonaws.com/doc/2018-08-20/";

#[cfg(test)]
mod tests {
    use super::{S3, XmlElements};

    #[test]
    fn text_is_escaped() {
        let mut elements = XmlElements::default();
        elements.within("A", |a| a.text("B", "<&>"));
        elements.maybe("C", None::<&str>);
        assert_eq!(
            elements.document("R", S3).0,
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"{S3}\"><A>\
                 <B>&lt;&amp;&gt;</B></A></R>"
            )
        );
    }
}
