//! Makes texts from outside safe for a terminal.
//!
//! Invariant: text from a server, a file or another person cannot move the cursor, set a title,
//! change colors, or reorder the characters around it.

use std::fmt::Write;

/// Replaces control characters (C0, C1 and line breaks) and marks that change the direction of text
/// with question marks.
pub fn printable(text: &str) -> String {
    let listed = |c: char| if is_printable(c) { c } else { '?' };
    text.chars().map(listed).collect()
}

fn is_printable(c: char) -> bool {
    let directs = matches!(
        c,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'
            ..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    !c.is_control() && !directs
}

/// Whether a text can be printed as it is.
pub(crate) fn is_plain(text: &str) -> bool {
    text.chars().all(is_printable)
}

/// Escapes these characters in a JSON document, which can contain them only in strings. Everything
/// else is unchanged.
pub fn printable_json(document: &str) -> String {
    let mut escaped = String::with_capacity(document.len());
    for c in document.chars() {
        // All of them are in the basic plane, so one escape is enough.
        if c == '\n' || is_printable(c) {
            escaped.push(c);
        } else {
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        }
    }
    escaped
}

/// A service's text as one line, because a line break would let it pose as one of our own lines.
pub(crate) fn one_line(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| printable(line.trim())).collect();
    lines.join(" ")
}

#[test]
fn terminals_get_nothing_but_text() {
    let hostile = "no \u{1b}[31mPWN\u{1b}]0;x\u{7}\u{9b}31m\u{7f}\u{202e}abc\u{2066}\u{2069}é 日";
    assert_eq!(printable(hostile), "no ?[31mPWN?]0;x??31m??abc??é 日");
    assert_eq!(one_line("no\r\nhint: rm \u{1b}\n"), "no hint: rm ?");
}

#[test]
fn json_stays_the_same_document() {
    let hostile = "a\u{1b}[31m\u{7f}\u{9b}31m\u{202e}b\n\u{2028}é 日 \u{1f600}";
    let document = serde_json::json!({"Name": hostile, hostile: [1, null]});
    let text = serde_json::to_string_pretty(&document).unwrap();
    let escaped = printable_json(&text);
    assert!(
        escaped.chars().all(|c| c == '\n' || is_printable(c)),
        "{escaped}"
    );
    assert!(escaped.contains("\\u009b31m\\u202eb"), "{escaped}");
    let parsed: serde_json::Value = serde_json::from_str(&escaped).unwrap();
    assert_eq!(parsed, document);
}
