//! Which characters XML 1.0 has, and which of them are white space. A text with others cannot be
//! written in any XML.

/// Whether every character of a text is one of XML.
pub(crate) fn is_xml_text(text: &str) -> bool {
    text.chars().all(|character| {
        matches!(
            character,
            '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..
        )
    })
}

/// A text without the white space of XML around it. That of Unicode is part of the text.
pub(crate) fn trim_xml(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}
