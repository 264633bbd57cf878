//! How large what nobody has verified yet may be, and become.

use keywright_base::limits;

use super::{assertion, outcome};
use crate::saml::{
    canonical::CanonicalForm,
    document::{XmlElement, XmlNode},
    rejection::AssertionRejection,
    testing::{TestSamlProvider, response},
};

/// The end of a use of exclusive canonicalization, where its parameters go.
const EXCLUSIVE_END: &str = "http://www.w3.org/2001/10/xml-exc-c14n#\"></ds:Transform>";

fn canonical(document: &str) -> Option<String> {
    CanonicalForm::default().write(&XmlElement::parse(document).unwrap())
}

#[test]
fn namespaces_are_short_and_shared() {
    let named = |bytes: usize| format!("<a xmlns='{}'><b/><b/></a>", "\"".repeat(bytes));
    assert_eq!(limits::SAML_URI_BYTES, 256);
    assert!(XmlElement::parse(&named(257)).is_none());
    let prefixed = named(257).replace("xmlns=", "xmlns:c=");
    assert!(XmlElement::parse(&prefixed).is_none());
    let root = XmlElement::parse(&named(256)).unwrap();
    for child in &root.children {
        let XmlNode::Element(child) = child else {
            panic!("no element: {child:?}");
        };
        assert!(std::sync::Arc::ptr_eq(&child.namespace, &root.namespace));
    }
    // Also where an element has a namespace of its own.
    let inner = XmlElement::parse("<a xmlns:b='u'><c xmlns:d='v'/></a>").unwrap();
    let XmlNode::Element(child) = inner.children.first().unwrap() else {
        panic!("no element");
    };
    let (outer, copied) = (inner.scope.first(), child.scope.first());
    assert!(std::sync::Arc::ptr_eq(outer.unwrap(), copied.unwrap()));
}

#[test]
fn canonical_forms_are_not_much_longer_than_documents() {
    // Each `p:b` declares the namespace again, with six bytes for each quotation mark.
    let siblings = |count: usize| {
        let (uri, children) = ("\"".repeat(256), "<p:b/>".repeat(count));
        format!("<a xmlns:p='{uri}'>{children}</a>")
    };
    let each = "<p:b xmlns:p=\"\"></p:b>".len() + 256 * "&quot;".len();
    let fitting = limits::SAML_CANONICAL_BYTES / each;
    let longest = canonical(&siblings(fitting)).unwrap();
    assert_eq!(longest.len(), fitting * each + "<a></a>".len());
    for more in [fitting + 1, 4_999] {
        assert!(canonical(&siblings(more)).is_none(), "{more}");
    }
}

#[test]
fn attributes_are_counted_as_they_are_read() {
    let bindings = |count: usize| {
        let all: String = (0..count).map(|n| format!(" xmlns:a{n}='u{n}'")).collect();
        format!("<a b=''{all}/>")
    };
    assert!(XmlElement::parse(&bindings(63)).is_some());
    assert!(XmlElement::parse(&bindings(64)).is_none());
    // What is wrong behind the last is not read.
    assert!(XmlElement::parse(&bindings(64).replace("/>", " b='' b=''/>")).is_none());
}

#[test]
fn prefixes_of_a_signature_are_limited() {
    let idp = TestSamlProvider::new();
    let rejected = Some(AssertionRejection::Signature);
    for (count, expected) in [(64, None), (65, rejected)] {
        let prefixes: Vec<_> = (0..count).map(|number| format!("p{number}")).collect();
        let prefixes = prefixes.join(" ");
        let signed = idp.sign_with(&assertion().text(), "_a1", |info| {
            let list = format!(
                "<InclusiveNamespaces xmlns=\"http://www.w3.org/2001/10/xml-exc-c14n#\" \
                 PrefixList=\"{prefixes}\"></InclusiveNamespaces></ds:Transform>"
            );
            let changed = info.replacen(
                EXCLUSIVE_END,
                &EXCLUSIVE_END.replace("</ds:Transform>", &list),
                1,
            );
            assert_ne!(changed, info);
            changed
        });
        assert_eq!(outcome(&idp, &response(&signed)), expected, "{count}");
    }
}
