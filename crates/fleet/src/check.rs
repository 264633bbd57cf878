//! Semantic checks of a fleet file that parsed without errors.
//!
//! Invariant: no two users share a destination. The second key would replace the first one there.

use std::collections::HashMap;

use super::{
    config::FleetRule,
    parse::PlacedAccount,
    problem::{ProblemList, closest},
    reader::Located,
    select::like,
};
use keywright_sinks::SinkSpec;

/// The placeholders that a destination may contain.
const PLACEHOLDERS: [&str; 2] = ["user", "account"];

/// Checks that every destination of a rule is valid and differs for each user.
pub(super) fn destinations(
    rule: &FleetRule,
    deliver: &[Located<String>],
    problems: &ProblemList<'_>,
) {
    for text in deliver {
        let unknown = unknown_placeholders(&text.value);
        for word in &unknown {
            let hint = closest(word, &PLACEHOLDERS).map_or_else(
                || "the placeholders are {user} and {account}".to_owned(),
                |like| format!("did you mean {{{like}}}?"),
            );
            let message = format!("{{{word}}} is not a placeholder");
            problems.add(&text.span, message, Some(&hint));
        }
        if !unknown.is_empty() {
            continue;
        }
        // Fill in a sample user name, so that an invalid destination is found now.
        let filled = fill(&text.value, "someone", "123456789012");
        match filled.parse::<SinkSpec>() {
            Err(error) => {
                let message = format!("\"{}\" is not a valid destination", text.value);
                problems.add(&text.span, message, Some(&error.to_string()));
            }
            Ok(spec) if spec.is_person() => {
                let message = "person is a destination only in a server's own rotations";
                problems.add(&text.span, message, None);
            }
            Ok(_) if selects_many(rule) && !text.value.contains("{user}") => {
                let message = format!(
                    "\"{}\" is the same for all users of this rule, so each new key would replace \
                     another user's",
                    text.value
                );
                let hint = "include {user} in its name, or write one rule per user";
                problems.add(&text.span, message, Some(hint));
            }
            Ok(_) => {}
        }
    }
}

/// Whether the rule can select more than one user.
fn selects_many(rule: &FleetRule) -> bool {
    match rule.users.as_slice() {
        [] => rule.everyone || rule.path.is_some() || !rule.tags.is_empty(),
        [only] => only.contains('*'),
        _ => true,
    }
}

/// Fills the placeholders of a destination for one user.
pub(super) fn fill(text: &str, user: &str, account: &str) -> String {
    text.replace("{user}", user).replace("{account}", account)
}

/// Words in braces that are not placeholders. A shell's `${…}` belongs to the program and is
/// ignored.
fn unknown_placeholders(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut pieces = text.split('{');
    let mut before = pieces.next().unwrap_or_default();
    for piece in pieces {
        let word = piece.split_once('}').map(|(word, _)| word);
        let named = |word: &&str| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        };
        if let Some(word) = word.filter(named)
            && !before.ends_with('$')
            && !PLACEHOLDERS.contains(&word)
        {
            found.push(word.to_owned());
        }
        before = piece;
    }
    found
}

/// Reports rules that never apply because an earlier rule selects all of their users.
pub(super) fn shadowed(rules: &[FleetRule], problems: &ProblemList<'_>) {
    for (number, rule) in rules.iter().enumerate() {
        let mut earlier = rules.iter().take(number);
        if let Some(first) = earlier.find(|first| covers(first, rule)) {
            let message = format!(
                "this rule never applies: the rule on line {} comes first and selects the same \
                 users",
                first.position.line
            );
            let hint = "move it up, before the rule that selects more; or remove it";
            problems.add_at(rule.position, message, Some(hint));
        }
    }
}

/// Whether every user that `narrow` selects is also selected by `wide`, judging by the patterns
/// alone.
fn covers(wide: &FleetRule, narrow: &FleetRule) -> bool {
    // Only a star matches a star in the narrow pattern.
    let within = |pattern: &String, wide: &String| {
        like(&wide.to_ascii_lowercase(), &pattern.to_ascii_lowercase())
    };
    let anyone = |pattern: &String| pattern.chars().all(|c| c == '*');
    let users = wide.users.is_empty()
        || wide.users.iter().any(anyone)
        || !narrow.users.is_empty()
            && narrow
                .users
                .iter()
                .all(|pattern| wide.users.iter().any(|wide| within(pattern, wide)));
    let path = wide.path.as_ref().is_none_or(|wide| {
        let path = narrow.path.as_ref();
        path.is_some_and(|path| path.starts_with(wide.as_str())) || wide == "/"
    });
    let tags = wide.tags.iter().all(|(key, value)| {
        let narrow = narrow.tags.get(key);
        narrow.is_some_and(|narrow| like(value, narrow))
    });
    users && path && tags
}

/// Checks that account names and numbers are unique: reports and metrics identify accounts by them.
pub(super) fn names(accounts: &[PlacedAccount], problems: &ProblemList<'_>) {
    let mut names = HashMap::new();
    let mut ids = HashMap::new();
    for placed in accounts {
        let account = &placed.account;
        if let Some(first) = names.insert(&account.name, placed.name_at)
            && !account.name.is_empty()
        {
            let message = format!("the account on line {} also has this name", first.line);
            problems.add_at(placed.name_at, message, None);
        }
        if let (Some(id), Some(at)) = (&account.id, placed.id_at)
            && let Some(first) = ids.insert(id, at)
        {
            let message = format!("the account on line {} also has this ID", first.line);
            let hint = "put all rules of an account under one [[account]]";
            problems.add_at(at, message, Some(hint));
        }
    }
}

/// Reports destinations without a user name that occur twice in the file.
pub(super) fn fixed_destinations(accounts: &[PlacedAccount], problems: &ProblemList<'_>) {
    let mut first_at = HashMap::new();
    for placed in accounts {
        let account = &placed.account;
        let id = account.id.as_deref().unwrap_or(&account.name);
        for (rule, positions) in account.rules.iter().zip(&placed.deliver_at) {
            for (text, at) in rule.deliver.iter().zip(positions) {
                if text.contains("{user}") || rule.skip || selects_many(rule) {
                    continue;
                }
                let Ok(spec) = fill(text, "", id).parse::<SinkSpec>() else {
                    continue;
                };
                if let Some(first) = first_at.insert(spec.to_string(), *at) {
                    let message = format!("line {} already delivers to \"{text}\"", first.line);
                    let hint = "give each user its own destination";
                    problems.add_at(*at, message, Some(hint));
                }
            }
        }
    }
}
