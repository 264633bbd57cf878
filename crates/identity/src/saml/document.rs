//! Reads XML into a tree, strictly: the part of XML that assertions are written in, and nothing
//! else.
//!
//! Invariants: nothing outside the document is read; there is one reading of a document (no
//! document type definitions, entities, processing instructions or comments, which readers have
//! disagreed about); depth and number of elements are limited; and a tree takes memory in
//! proportion to its document, because what elements inherit is shared, not copied.

use std::sync::Arc;

use keywright_base::limits;
use quick_xml::{
    Reader, XmlVersion,
    events::{BytesRef, BytesStart, Event},
};

use crate::xml_characters::is_xml_text;

/// The namespace of the prefix `xml`.
pub(super) const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// A declaration of a namespace. The default one has an empty prefix; an empty URI is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamespaceBinding {
    pub(super) prefix: String,
    pub(super) uri: Arc<str>,
}

/// The namespaces in scope; each prefix once.
type NamespaceScope = Arc<Vec<Arc<NamespaceBinding>>>;

#[derive(Debug)]
pub(super) struct XmlAttribute {
    pub(super) prefix: String,
    pub(super) local: String,
    /// Empty without a prefix.
    pub(super) namespace: Arc<str>,
    pub(super) value: String,
}

/// An element with everything in it.
#[derive(Debug)]
pub(super) struct XmlElement {
    pub(super) prefix: String,
    pub(super) local: String,
    pub(super) namespace: Arc<str>,
    /// Without declarations of namespaces.
    pub(super) attributes: Vec<XmlAttribute>,
    pub(super) scope: NamespaceScope,
    pub(super) children: Vec<XmlNode>,
}

#[derive(Debug)]
pub(super) enum XmlNode {
    Element(XmlElement),
    Text(String),
}

impl XmlElement {
    /// The root element of a document. `None` for what is not understood.
    pub(super) fn parse(document: &str) -> Option<Self> {
        is_xml_text(document).then_some(())?;
        let mut reader = Reader::from_str(document);
        let mut tree = TreeBuilder::default();
        let mut is_first = true;
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => tree.open(&start)?,
                Event::Empty(start) => {
                    tree.open(&start)?;
                    tree.close()?;
                }
                Event::End(_) => tree.close()?,
                Event::Text(text) => tree.add(&text.xml10_content())?,
                Event::CData(text) => {
                    // Readers disagree about white space beside the root in this form.
                    (!tree.open.is_empty()).then_some(())?;
                    tree.add(&text.xml10_content())?;
                }
                Event::GeneralRef(reference) => tree.refer(&reference)?,
                Event::Decl(declaration) if is_first => {
                    let encoding = declaration.encoding().transpose().ok()?;
                    let is_utf8 = encoding.is_none_or(|it| it.eq_ignore_ascii_case("utf-8"));
                    is_utf8.then_some(())?;
                }
                Event::Eof => break,
                Event::Decl(_) | Event::DocType(_) | Event::PI(_) | Event::Comment(_) => {
                    return None;
                }
            }
            is_first = false;
        }
        tree.open.is_empty().then_some(())?;
        tree.root
    }

    /// Whether it has this name.
    pub(super) fn is(&self, namespace: &str, local: &str) -> bool {
        &*self.namespace == namespace && self.local == local
    }

    /// An attribute without a prefix.
    pub(super) fn attribute(&self, local: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let found = attributes.find(|it| it.prefix.is_empty() && it.local == local);
        found.map(|attribute| attribute.value.as_str())
    }

    /// The elements in it.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            XmlNode::Element(element) => Some(element),
            XmlNode::Text(_) => None,
        })
    }

    /// The elements in it that have this name.
    pub(super) fn named<'a>(
        &'a self,
        namespace: &'a str,
        local: &'a str,
    ) -> impl Iterator<Item = &'a Self> {
        self.elements().filter(move |it| it.is(namespace, local))
    }

    /// The only element in it that has this name.
    pub(super) fn only<'a>(&'a self, namespace: &'a str, local: &'a str) -> Option<&'a Self> {
        let mut named = self.named(namespace, local);
        let first = named.next()?;
        named.next().is_none().then_some(first)
    }

    /// Its text, if it has no elements.
    pub(super) fn text(&self) -> Option<String> {
        let texts = self.children.iter().map(|node| match node {
            XmlNode::Text(text) => Some(text.as_str()),
            XmlNode::Element(_) => None,
        });
        texts.collect()
    }

    /// Calls `visit` for it and every element in it, at any depth.
    pub(super) fn visit<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        for element in self.elements() {
            element.visit(visit);
        }
    }
}

#[derive(Default)]
struct TreeBuilder {
    open: Vec<XmlElement>,
    root: Option<XmlElement>,
    elements: usize,
}

impl TreeBuilder {
    fn open(&mut self, start: &BytesStart<'_>) -> Option<()> {
        self.elements += 1;
        let fits = self.elements <= limits::SAML_ELEMENTS && self.open.len() < limits::SAML_DEPTH;
        (fits && self.root.is_none()).then_some(())?;
        let outer = self.open.last().map(|element| &element.scope);
        let element = element_of(start, outer)?;
        self.open.push(element);
        Some(())
    }

    fn close(&mut self) -> Option<()> {
        let element = self.open.pop()?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(XmlNode::Element(element)),
            None => self.root = Some(element),
        }
        Some(())
    }

    fn add(&mut self, text: &str) -> Option<()> {
        let Some(parent) = self.open.last_mut() else {
            return text
                .trim_matches([' ', '\t', '\n'])
                .is_empty()
                .then_some(());
        };
        match parent.children.last_mut() {
            Some(XmlNode::Text(before)) => before.push_str(text),
            _ => parent.children.push(XmlNode::Text(text.to_owned())),
        }
        Some(())
    }

    fn refer(&mut self, reference: &BytesRef<'_>) -> Option<()> {
        (!self.open.is_empty()).then_some(())?;
        if reference.is_char_ref() {
            let character = reference.resolve_char_ref().ok()??;
            let text = character.to_string();
            is_xml_text(&text).then_some(())?;
            return self.add(&text);
        }
        self.add(quick_xml::escape::resolve_xml_entity(reference)?)
    }
}

/// Prefix and local name.
fn split(name: &str) -> Option<(&str, &str)> {
    let (prefix, local) = match name.split_once(':') {
        Some((prefix, local)) => (Some(prefix), local),
        None => (None, name),
    };
    let valid = prefix.is_none_or(is_name) && is_name(local);
    valid.then_some((prefix.unwrap_or_default(), local))
}

/// Whether it is a name without a colon; letters beyond ASCII do not occur in assertions.
fn is_name(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// A prefix with its local name and value, whose namespace is not known yet.
type RawAttribute = (String, String, String);

fn element_of(start: &BytesStart<'_>, outer: Option<&NamespaceScope>) -> Option<XmlElement> {
    let name = start.name();
    let (prefix, local) = split(name.as_ref())?;
    let (bindings, plain) = attributes_of(start)?;
    let scope = scope_of(outer, bindings)?;
    let namespace = resolve(&scope, prefix)?;
    let mut attributes = Vec::<XmlAttribute>::with_capacity(plain.len());
    for (prefix, local, value) in plain {
        let namespace = match prefix.as_str() {
            "" => Arc::default(),
            prefix => resolve(&scope, prefix)?,
        };
        let same = |it: &XmlAttribute| it.namespace == namespace && it.local == local;
        (!attributes.iter().any(same)).then_some(())?;
        attributes.push(XmlAttribute {
            prefix,
            local,
            namespace,
            value,
        });
    }
    Some(XmlElement {
        prefix: prefix.to_owned(),
        local: local.to_owned(),
        namespace,
        attributes,
        scope,
        children: Vec::new(),
    })
}

/// The declarations of namespaces, and all other attributes.
fn attributes_of(start: &BytesStart<'_>) -> Option<(Vec<NamespaceBinding>, Vec<RawAttribute>)> {
    let (mut bindings, mut plain) = (Vec::<NamespaceBinding>::new(), Vec::new());
    // Checked as they are read: finding the same name twice takes time for each that is known.
    for (count, attribute) in start.attributes().enumerate() {
        (count < limits::SAML_XML_ATTRIBUTES).then_some(())?;
        let attribute = attribute.ok()?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
        is_xml_text(&value).then_some(())?;
        let value = value.into_owned();
        let (prefix, local) = split(attribute.key.as_ref())?;
        let declared = match (prefix, local) {
            ("", "xmlns") => "",
            ("xmlns", declared) => declared,
            _ => {
                plain.push((prefix.to_owned(), local.to_owned(), value));
                continue;
            }
        };
        // Nothing else may have these, and no prefix can be undeclared.
        let reserved = matches!(declared, "xml" | "xmlns") || value == XML;
        let undeclared = !declared.is_empty() && value.is_empty();
        let twice = bindings.iter().any(|it| it.prefix == declared);
        (!(reserved || undeclared || twice)).then_some(())?;
        // The canonical form repeats it wherever it is used.
        (value.len() <= limits::SAML_URI_BYTES).then_some(())?;
        bindings.push(NamespaceBinding {
            prefix: declared.to_owned(),
            uri: value.into(),
        });
    }
    Some((bindings, plain))
}

fn scope_of(
    outer: Option<&NamespaceScope>,
    bindings: Vec<NamespaceBinding>,
) -> Option<NamespaceScope> {
    if bindings.is_empty() {
        return Some(outer.cloned().unwrap_or_default());
    }
    let mut scope = outer.map(|outer| Vec::clone(outer)).unwrap_or_default();
    scope.retain(|it| !bindings.iter().any(|new| new.prefix == it.prefix));
    scope.extend(bindings.into_iter().map(Arc::new));
    (scope.len() <= limits::SAML_XML_ATTRIBUTES).then(|| Arc::new(scope))
}

/// The namespace of a prefix. `None` if it is not declared.
fn resolve(scope: &[Arc<NamespaceBinding>], prefix: &str) -> Option<Arc<str>> {
    if prefix == "xml" {
        return Some(XML.into());
    }
    match scope.iter().find(|binding| binding.prefix == prefix) {
        Some(binding) => Some(Arc::clone(&binding.uri)),
        None => prefix.is_empty().then(Arc::default),
    }
}
