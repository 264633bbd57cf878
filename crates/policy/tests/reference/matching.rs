//! Wildcards, variables, actions and resources, implemented as in a textbook.

use super::{Given, Keys};

/// One unit of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Is(u16),
    Any,
    Many,
}

/// A text as pattern units; `None` if a variable has no value. Values are literal text.
pub(crate) fn pattern(
    text: &str,
    wildcards: bool,
    variables: bool,
    keys: &Keys<'_>,
) -> Option<Vec<Unit>> {
    let mut units = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if variables
            && rest.starts_with("${")
            && let Some(end) = rest.find('}')
        {
            let body = &rest[2..end];
            let value = match body {
                "*" | "?" | "$" => body.to_owned(),
                _ => variable(body, keys)?,
            };
            units.extend(value.encode_utf16().map(Unit::Is));
            rest = &rest[end + 1..];
            continue;
        }
        match first {
            '*' if wildcards => units.push(Unit::Many),
            '?' if wildcards => units.push(Unit::Any),
            _ => units.extend(first.encode_utf16(&mut [0; 2]).iter().map(|u| Unit::Is(*u))),
        }
        rest = &rest[first.len_utf8()..];
    }
    Some(units)
}

/// A variable's value or default; a list has neither.
fn variable(body: &str, keys: &Keys<'_>) -> Option<String> {
    let (key, default) = match body.split_once(", '") {
        Some((key, default)) => (key, default.strip_suffix('\'')),
        None => (body, None),
    };
    match keys.get(key) {
        Some(Given::One(value)) => Some(value),
        Some(Given::List(_)) => None,
        None => default.map(str::to_owned),
    }
}

/// Whether the pattern matches the whole text, by the textbook's table.
pub(crate) fn glob(pattern: &[Unit], text: &str) -> bool {
    let text: Vec<u16> = text.encode_utf16().collect();
    let mut table = vec![vec![false; text.len() + 1]; pattern.len() + 1];
    table[0][0] = true;
    for (p, unit) in pattern.iter().enumerate() {
        for t in 0..=text.len() {
            table[p + 1][t] = match unit {
                Unit::Many => table[p][t] || (t > 0 && table[p + 1][t - 1]),
                Unit::Any => t > 0 && table[p][t - 1],
                Unit::Is(unit) => t > 0 && text[t - 1] == *unit && table[p][t - 1],
            };
        }
    }
    table[pattern.len()][text.len()]
}

/// Whether one of the patterns lists the action. A pattern whose service has wildcards (except
/// `*:*`) or is missing lists nothing in an Allow, and elsewhere whatever it matches.
pub(crate) fn action_listed(patterns: &[String], action: &str, generous: bool) -> bool {
    let action = action.to_ascii_lowercase();
    patterns.iter().any(|pattern| {
        let pattern = pattern.to_ascii_lowercase();
        if pattern == "*" || pattern == "*:*" {
            return true;
        }
        let proper = pattern
            .split_once(':')
            .is_some_and(|(s, _)| !s.contains(['*', '?']));
        (proper || generous) && plain_glob(&pattern, &action)
    })
}

fn plain_glob(pattern: &str, text: &str) -> bool {
    let units = pattern.chars().flat_map(|c| match c {
        '*' => vec![Unit::Many],
        '?' => vec![Unit::Any],
        c => c
            .encode_utf16(&mut [0; 2])
            .iter()
            .map(|u| Unit::Is(*u))
            .collect(),
    });
    glob(&units.collect::<Vec<_>>(), text)
}

/// The first five colons outside variables end segments.
pub(crate) fn segments(text: &str, variables: bool) -> Vec<String> {
    let mut segments = vec![String::new()];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let mut taken = first.len_utf8();
        if variables
            && rest.starts_with("${")
            && let Some(end) = rest.find('}')
        {
            taken = end + 1;
        } else if first == ':' && segments.len() < 6 {
            segments.push(String::new());
            rest = &rest[1..];
            continue;
        }
        segments.last_mut().unwrap().push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    segments
}

/// Whether variables decide where segments end.
fn is_short(element: &str, variables: bool) -> bool {
    variables && element.contains("${") && segments(element, variables).len() < 6
}

/// Whether it is `*` or contains a colon; with short variables, whether their values make it an
/// ARN.
pub(crate) fn is_arn_pattern(element: &str, variables: bool, keys: &Keys<'_>) -> bool {
    if is_short(element, variables) {
        let units = pattern(element, true, variables, keys);
        return units.is_none_or(|units| {
            let parts = parts(&units);
            parts.len() == 6 && glob(parts[0], "arn")
        });
    }
    element == "*" || element.contains(':')
}

fn parts(units: &[Unit]) -> Vec<&[Unit]> {
    let colon = Unit::Is(u16::from(b':'));
    units.splitn(6, |unit| *unit == colon).collect()
}

/// Whether an element of `Resource` lists the resource; `None` if a variable has no value.
pub(crate) fn resource_listed(
    element: &str,
    resource: &str,
    variables: bool,
    keys: &Keys<'_>,
) -> Option<bool> {
    if element == "*" {
        return Some(true);
    }
    let whole = pattern(element, true, variables, keys)?;
    if resource == "*" || !is_arn_pattern(element, variables, keys) {
        return Some(false);
    }
    let requested = segments(resource, false);
    if is_short(element, variables) {
        let mut each = parts(&whole).into_iter().zip(&requested);
        return Some(each.all(|(part, requested)| glob(part, requested)));
    }
    let mut parts = segments(element, variables);
    while parts.len() < 6 {
        parts.push("*".to_owned());
    }
    // The first segment counts as `arn`, however it is written.
    let mut each = parts.iter().zip(&requested).skip(1);
    Some(each.all(|(part, requested)| {
        let part = pattern(part, true, variables, keys);
        part.is_some_and(|part| glob(&part, requested))
    }))
}
