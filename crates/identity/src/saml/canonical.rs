//! Exclusive XML canonicalization without comments (W3C, 18 July 2002) of an element, which has
//! none: the bytes that signatures of assertions cover.
//!
//! It can be longer than the document, which declares a namespace once for many elements. So its
//! length is limited: nobody has signed anything yet when it is written.

use keywright_base::limits;

use super::document::{NamespaceBinding, XmlAttribute, XmlElement, XmlNode};

/// How an element is written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CanonicalForm<'a> {
    /// An element directly in it that is left out.
    pub(super) without: Option<&'a XmlElement>,
    /// Prefixes that are declared wherever they are in scope (`InclusiveNamespaces`), also where
    /// nothing uses them. The default namespace is empty.
    pub(super) inclusive: &'a [String],
}

impl CanonicalForm<'_> {
    /// The canonical form, if it is not too long.
    pub(super) fn write(self, element: &XmlElement) -> Option<String> {
        let mut writer = CanonicalWriter {
            form: self,
            text: String::new(),
            declared: Vec::new(),
        };
        writer.element(element)?;
        Some(writer.text)
    }
}

struct CanonicalWriter<'a, 'b> {
    form: CanonicalForm<'a>,
    text: String,
    /// What the open elements declare, innermost last.
    declared: Vec<&'b NamespaceBinding>,
}

impl<'b> CanonicalWriter<'_, 'b> {
    fn element(&mut self, element: &'b XmlElement) -> Option<()> {
        let before = self.declared.len();
        let new = self.new_declarations(element);
        self.text.push('<');
        self.name(&element.prefix, &element.local);
        for binding in &new {
            match binding.prefix.as_str() {
                "" => self.text.push_str(" xmlns"),
                prefix => {
                    self.text.push_str(" xmlns:");
                    self.text.push_str(prefix);
                }
            }
            self.value(&binding.uri);
        }
        self.declared.extend(new);
        let mut attributes: Vec<&XmlAttribute> = element.attributes.iter().collect();
        attributes.sort_by_key(|it| (&*it.namespace, it.local.as_str()));
        for attribute in attributes {
            self.text.push(' ');
            self.name(&attribute.prefix, &attribute.local);
            self.value(&attribute.value);
        }
        self.text.push('>');
        (self.text.len() <= limits::SAML_CANONICAL_BYTES).then_some(())?;
        for child in &element.children {
            match child {
                XmlNode::Text(text) => self.escaped(text, false),
                XmlNode::Element(child) => {
                    let left_out = self.form.without.is_some_and(|it| std::ptr::eq(it, child));
                    if !left_out {
                        self.element(child)?;
                    }
                }
            }
        }
        self.text.push_str("</");
        self.name(&element.prefix, &element.local);
        self.text.push('>');
        self.declared.truncate(before);
        Some(())
    }

    /// The declarations that an element needs beyond those of the open elements, sorted.
    fn new_declarations(&self, element: &'b XmlElement) -> Vec<&'b NamespaceBinding> {
        let scope = element.scope.iter();
        let mut new: Vec<_> = scope
            .filter(|binding| {
                let prefix = binding.prefix.as_str();
                let of_attribute = |it: &XmlAttribute| !prefix.is_empty() && it.prefix == prefix;
                let used = element.prefix == prefix || element.attributes.iter().any(of_attribute);
                used || self.form.inclusive.iter().any(|it| it == prefix)
            })
            .map(|binding| &**binding)
            .filter(|binding| {
                let mut outer = self.declared.iter().rev();
                match outer.find(|it| it.prefix == binding.prefix) {
                    Some(outer) => outer.uri != binding.uri,
                    // No default namespace is what there is without a declaration.
                    None => !binding.uri.is_empty(),
                }
            })
            .collect();
        new.sort_by_key(|binding| binding.prefix.as_str());
        new
    }

    fn name(&mut self, prefix: &str, local: &str) {
        if !prefix.is_empty() {
            self.text.push_str(prefix);
            self.text.push(':');
        }
        self.text.push_str(local);
    }

    fn value(&mut self, value: &str) {
        self.text.push_str("=\"");
        self.escaped(value, true);
        self.text.push('"');
    }

    fn escaped(&mut self, text: &str, in_attribute: bool) {
        for character in text.chars() {
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' if !in_attribute => self.text.push_str("&gt;"),
                '"' if in_attribute => self.text.push_str("&quot;"),
                '\t' if in_attribute => self.text.push_str("&#x9;"),
                '\n' if in_attribute => self.text.push_str("&#xA;"),
                '\r' => self.text.push_str("&#xD;"),
                _ => self.text.push(character),
            }
        }
    }
}
