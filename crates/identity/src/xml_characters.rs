//! Which characters XML 1.0 has. A text with others cannot be written in any XML.

/// Whether every character of a text is one of XML.
pub(crate) fn is_xml_text(text: &str) -> bool {
    text.chars().all(|character| {
        matches!(
            character,
            '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..
        )
    })
}
