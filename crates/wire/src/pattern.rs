//! Matches the models' regular expressions without a regex engine.
//!
//! There are only a few; most repeat a single character class. A test checks that this module knows
//! every pattern of the generated tables, because an unknown pattern would match nothing.

use crate::generated::letters::LETTERS;

/// Whether one of the models' patterns matches all of `text`.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    // Recorded: AWS rejects such a key, although its pattern allows it.
    if pattern == TAG_KEY && text.trim().is_empty() {
        return false;
    }
    if let Some(class) = class(pattern) {
        let repeated = pattern.trim_end_matches(['$', ')']);
        return (repeated.ends_with('*') || !text.is_empty()) && text.chars().all(class);
    }
    shaped(pattern).is_some_and(|shape| shape(text))
}

const TAG_KEY: &str = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+";
const TAGGABLE: &str = concat!(
    r"^(r-[0-9a-z]{4,32})|(\d{12})|(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})|(^p-[0-9a-zA-Z_]{8,128})",
    r"|(^rp-[0-9a-zA-Z_]{4,128})|(^rt-[0-9a-zA-Z_]{8,32})$"
);
const PATH: &str = r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)";
const POLICY_PATH: &str = r"((/[A-Za-z0-9\.,\+@=_-]+)*)/";

/// Whether a pattern is that of an entity's path, for which AWS has its own text.
pub(crate) fn is_path(pattern: &str) -> bool {
    pattern == PATH || pattern == POLICY_PATH
}

#[cfg(test)]
pub(crate) fn is_known(pattern: &str) -> bool {
    class(pattern).is_some() || shaped(pattern).is_some()
}

type CharTest = fn(char) -> bool;
type TextTest = fn(&str) -> bool;

fn class(pattern: &str) -> Option<CharTest> {
    Some(match pattern {
        r"[ -~]+" | r"^[ -~]+$" => |c| matches!(c, ' '..='~'),
        r"[A-Z0-9]+" => |c| c.is_ascii_uppercase() || c.is_ascii_digit(),
        r"[\d]*" | r"[\d]+" => |c| c.is_ascii_digit(),
        r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*" | TAG_KEY => tag,
        r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$" => tag,
        r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+" => {
            // As AWS's engine reads it: `\u1000`, `0-\u10FF`, `F`, `F`; nothing beyond U+FFFF.
            |c| control(c) || matches!(c, '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        }
        r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*"
        | r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]+" => {
            |c| control(c) || matches!(c, '\u{20}'..='\u{7e}' | '\u{a1}'..='\u{ff}')
        }
        r"[\u0009\u000A\u000D\u0020-\u00FF]+" => |c| control(c) || matches!(c, '\u{20}'..='\u{ff}'),
        r"[\u0020-\u00FF]+" => |c| matches!(c, '\u{20}'..='\u{ff}'),
        r"[\w+=,.@-]*" | r"[\w+=,.@-]+" => |c| word(c) || "+=,.@-".contains(c),
        r"[\w+=,.@:\/-]*" | r"[\w+=/:,.@-]*" | r"[\w+=/:,.@-]+" => {
            |c| word(c) || "+=,.@:/-".contains(c)
        }
        r"[\w-]*" | r"[\w-]+" => |c| word(c) || c == '-',
        r"[\w._-]+" => |c| word(c) || ".-".contains(c),
        r"[\w]*" | r"[\w]+" => word,
        r"[\s\S]*" => |_| true,
        r"[\u0020-\u007E]+" => |c| matches!(c, ' '..='~'),
        r"^[a-zA-Z0-9:/+=,.@_-]+$" => |c| word(c) || ":/+=,.@-".contains(c),
        r"^[a-zA-Z0-9:_.-]+$" => |c| word(c) || ":.-".contains(c),
        _ => return None,
    })
}

fn shaped(pattern: &str) -> Option<TextTest> {
    Some(match pattern {
        POLICY_PATH => policy_path,
        PATH => path,
        r"\d{12}" | r"^\d{12}$" => account_id,
        r"^r-[0-9a-z]{4,32}$" => root_id,
        r"^ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}$" => unit_id,
        r"^car-[a-z0-9]{8,32}$" => |t| id(t, "car-", 8..=32),
        r"^h-[0-9a-z]{8,32}$" => |t| id(t, "h-", 8..=32),
        r"^rt-[0-9a-z]{8,32}$" => |t| id(t, "rt-", 8..=32),
        r"^(\d{12})|(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$" => |t| account_id(t) || unit_id(t),
        r"^(r-[0-9a-z]{4,32})|(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$" => |t| root_id(t) || unit_id(t),
        r"^(r-[0-9a-z]{4,32})|(\d{12})|(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$" => node_id,
        TAGGABLE => taggable_id,
        r"[^\s@]+@[^\s@]+\.[^\s@]+" => email,
        r"[\w+=,.@-]{1,64}" => {
            |t| (1..=64).contains(&t.len()) && t.chars().all(|c| word(c) || "+=,.@-".contains(c))
        }
        r"\u002F[\u0021-\u007F]*" => |t| t.starts_with('/') && t.chars().all(graphic_or_delete),
        r"^[A-Za-z][A-Za-z0-9/_-]*$" => |t| {
            t.starts_with(|c: char| c.is_ascii_alphabetic())
                && t.chars().all(|c| word(c) || "/-".contains(c))
        },
        r"^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$" => alias,
        r"^http(s?)://[a-zA-Z0-9._/-]*(\?[a-zA-Z0-9._=&-]*)?(#[a-zA-Z0-9._/-]*)?$" => url,
        r"^o-[0-9a-z]{10,32}\/r-[0-9a-z]{4,32}[0-9a-z-\/]*" => entity_path,
        r"^p-[0-9a-zA-Z_]{8,128}$" => policy_id,
        r"v[1-9][0-9]*(\.[A-Za-z0-9-]*)?" => version,
        _ => return None,
    })
}

fn account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// A prefix, and lower-case letters and digits.
fn id(text: &str, prefix: &str, sizes: std::ops::RangeInclusive<usize>) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| sizes.contains(&rest.len()) && rest.chars().all(lower_or_digit))
}

fn root_id(text: &str) -> bool {
    id(text, "r-", 4..=32)
}

fn unit_id(text: &str) -> bool {
    let parts = text
        .strip_prefix("ou-")
        .and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(root, unit)| id(root, "", 4..=32) && id(unit, "", 8..=32))
}

/// A root, an account or an organizational unit. AWS's pattern matches the whole text, although
/// its anchors belong to the outer alternatives only.
fn node_id(text: &str) -> bool {
    root_id(text) || account_id(text) || unit_id(text)
}

fn policy_id(text: &str) -> bool {
    text.strip_prefix("p-")
        .is_some_and(|t| (8..=128).contains(&t.len()) && t.chars().all(word))
}

fn taggable_id(text: &str) -> bool {
    let of = |prefix: &str, sizes: std::ops::RangeInclusive<usize>| {
        text.strip_prefix(prefix)
            .is_some_and(|t| sizes.contains(&t.len()) && t.chars().all(word))
    };
    node_id(text) || policy_id(text) || of("rp-", 4..=128) || of("rt-", 8..=32)
}

fn email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let dot = domain
        .char_indices()
        .any(|(at, c)| c == '.' && at > 0 && at + 1 < domain.len());
    !local.is_empty() && dot && !domain.contains('@') && !text.chars().any(char::is_whitespace)
}

const fn lower_or_digit(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

const fn control(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r')
}

const fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn graphic_or_delete(c: char) -> bool {
    matches!(c, '\u{21}'..='\u{7f}')
}

/// Unicode letters, separators (white space that is not a control character), numbers, and
/// `_.:/=+-@`.
fn tag(c: char) -> bool {
    word(c)
        || ".:/=+-@ ".contains(c)
        || c.is_numeric()
        || c.is_whitespace() && !c.is_control()
        || within(LETTERS, u32::from(c))
}

fn within(ranges: &[(u32, u32)], scalar: u32) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= scalar);
    after
        .checked_sub(1)
        .and_then(|at| ranges.get(at))
        .is_some_and(|(_, last)| scalar <= *last)
}

fn path(text: &str) -> bool {
    let inner = text
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'));
    text == "/"
        || inner.is_some_and(|inner| {
            !inner.is_empty() && inner.chars().all(|c| matches!(c, '\u{21}'..='\u{7e}'))
        })
}

fn policy_path(text: &str) -> bool {
    let segment = |segment: &str| {
        !segment.is_empty() && segment.chars().all(|c| word(c) || ".,+@=-".contains(c))
    };
    let inner = text
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'));
    text == "/" || inner.is_some_and(|inner| inner.split('/').all(segment))
}

fn alias(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&text.len())
        && text.chars().all(|c| inside(c) || c == '-')
        && text.starts_with(inside)
        && text.ends_with(inside)
        && !text.contains("--")
}

fn url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else { return false };
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let all = |text: &str, more: &str| text.chars().all(|c| word(c) || more.contains(c));
    all(place, "./-") && all(query, ".=&-") && all(fragment, "./-")
}

fn entity_path(text: &str) -> bool {
    let Some((organization, rest)) = text.split_once('/') else {
        return false;
    };
    let root = rest.split(['-', '/']).nth(1).unwrap_or_default();
    id(organization, "o-", 10..=32)
        && rest.starts_with("r-")
        && root.len() >= 4
        && rest
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-/".contains(c))
}

fn version(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('v') else {
        return false;
    };
    let (number, suffix) = rest.split_once('.').unwrap_or((rest, ""));
    number.starts_with(|c| matches!(c, '1'..='9'))
        && number.bytes().all(|b| b.is_ascii_digit())
        && suffix
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-')
}
