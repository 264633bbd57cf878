//! Case-insensitive comparison of texts. Invariant: both sides are folded the way AWS folds them,
//! which is neither ASCII folding nor Unicode's.
//!
//! A sigma at the end of a word becomes `ς`, so `ΟΣ` is `ος` and not `οσ`. Characters outside the
//! basic plane are unchanged.

/// Steps per byte of a text that is folded to lower case.
pub(crate) const FOLD_STEPS: usize = 16;

/// Whether the joined fragments of a text equal the other text in lower case. Allocates if either
/// has a capital sigma, whose lower case depends on its neighbors.
pub(crate) fn same<'a>(fragments: impl Iterator<Item = &'a str> + Clone, text: &str) -> bool {
    if text.is_ascii() && fragments.clone().all(str::is_ascii) {
        return same_ascii(fragments, text.as_bytes());
    }
    let sigma = |text: &str| text.contains('Σ');
    if sigma(text) || fragments.clone().any(sigma) {
        return lower(&fragments.collect::<String>()) == lower(text);
    }
    let characters = fragments.flat_map(str::chars);
    characters
        .flat_map(of_character)
        .eq(text.chars().flat_map(of_character))
}

/// Fast path for ASCII, which nearly every text is.
fn same_ascii<'a>(mut fragments: impl Iterator<Item = &'a str>, mut text: &[u8]) -> bool {
    let all = fragments.all(|fragment| {
        let Some((head, rest)) = text.split_at_checked(fragment.len()) else {
            return false;
        };
        text = rest;
        head.eq_ignore_ascii_case(fragment.as_bytes())
    });
    all && text.is_empty()
}

fn lower(text: &str) -> String {
    let whole = text.to_lowercase();
    let mut lowered = whole.chars();
    let mut out = String::with_capacity(whole.len());
    for character in text.chars() {
        let length = character.to_lowercase().count();
        let own = lowered.by_ref().take(length);
        if is_basic(character) {
            out.extend(own);
        } else {
            own.for_each(drop);
            out.push(character);
        }
    }
    out
}

/// The lower case of a character other than capital sigma.
fn of_character(character: char) -> impl Iterator<Item = char> {
    let lowered = is_basic(character).then(|| character.to_lowercase());
    let retained = lowered.is_none().then_some(character);
    lowered.into_iter().flatten().chain(retained)
}

const fn is_basic(character: char) -> bool {
    character <= '\u{ffff}'
}
