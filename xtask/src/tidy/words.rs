//! Checks that identifiers use the terms of `docs/glossary.md`.
//!
//! Only names are checked, not prose. A name must say what a thing is. The words listed here say
//! what happened to it, and each had come to stand for several different things.

use std::path::Path;

use anyhow::Context;
use proc_macro2::{TokenStream, TokenTree};

/// Words that must not occur in an identifier.
const BANNED: &[&str] = &[
    "anew", "asked", "astray", "doomed", "kept", "lend", "lent", "rouse", "said", "shelf", "shown",
    "somebody", "spent", "told", "whoever", "whom", "whose",
];

/// Exceptions, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("Asked", "a hold's code in the journal and on the wire"),
    ("spent", "a field's name in stored MFA devices"),
];

/// Checks a source file.
///
/// # Errors
/// If it is not valid Rust.
pub(super) fn check(path: &Path, text: &str, places: &mut Vec<String>) -> anyhow::Result<()> {
    let name = path.display().to_string();
    let tokens: TokenStream = text
        .parse()
        .map_err(|error| anyhow::anyhow!("{error}"))
        .with_context(|| format!("cannot read {name}"))?;
    let mut found = Vec::new();
    visit(tokens, &mut found);
    found.sort_unstable();
    found.dedup();
    for (identifier, word) in found {
        places.push(format!(
            "{name}: {identifier} has the word {word}; docs/glossary.md has better ones"
        ));
    }
    Ok(())
}

fn visit(tokens: TokenStream, found: &mut Vec<(String, &'static str)>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => visit(group.stream(), found),
            TokenTree::Ident(identifier) => {
                let identifier = identifier.to_string();
                if let Some(word) = banned_word(&identifier) {
                    found.push((identifier, word));
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// The first banned word in an identifier of any case style.
fn banned_word(identifier: &str) -> Option<&'static str> {
    if EXCEPTIONS.iter().any(|(name, _)| *name == identifier) {
        return None;
    }
    let is_constant = !identifier.contains(|letter: char| letter.is_ascii_lowercase());
    let mut words = String::with_capacity(identifier.len() + 8);
    for letter in identifier.chars() {
        if letter.is_ascii_uppercase() && !is_constant {
            words.push('_');
        }
        words.push(letter.to_ascii_lowercase());
    }
    let is_part = |banned: &&&str| words.split('_').any(|word| word == **banned);
    BANNED.iter().find(is_part).copied()
}

#[cfg(test)]
mod tests {
    use super::{banned_word, check};

    #[test]
    fn words_are_found_in_any_case_style() {
        for (identifier, word) in [
            ("what_was_told", Some("told")),
            ("ToldKey", Some("told")),
            ("TIMES_SHOWN", Some("shown")),
            ("is_shown", Some("shown")),
            ("folder", None),
            ("Asked", None),
            ("asked", Some("asked")),
        ] {
            assert_eq!(banned_word(identifier), word, "{identifier}");
        }
    }

    #[test]
    fn comments_and_texts_are_free() {
        let mut places = Vec::new();
        let text = "//! told\n/// told\nfn f() { let kept = \"told\"; }";
        check("x.rs".as_ref(), text, &mut places).unwrap();
        assert_eq!(places.len(), 1);
        assert!(places[0].contains("kept"));
    }
}
