//! Replaces the principals, or the account, in a policy's text. Invariant: nothing else in the text
//! changes, not even white space.
//!
//! A store saves a user by its unique ID and displays the ARN, so that a grant follows a renamed
//! user and ends when the user is deleted. A policy that moves to another account may have to name
//! that account instead.

use crate::{
    SyntaxError,
    json::{self, PolicyNode, PolicyValue},
};

/// Replaces the principals under `AWS` with the results of `name`; `None` leaves a principal
/// unchanged.
///
/// # Errors
/// [`SyntaxError`] if the text is not JSON.
pub fn rename_principals(
    text: &str,
    name: impl Fn(&str) -> Option<String>,
) -> Result<String, SyntaxError> {
    let root = json::read(text)?;
    Ok(replaced(text, principals(&root), name).text)
}

/// A text in which an account was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacedAccount {
    /// The new text.
    pub text: String,
    /// How many values in it are different.
    pub count: usize,
}

/// Replaces an account ID in the values of `Principal`, `NotPrincipal`, `Resource`, `NotResource`
/// and `Condition`: in each ARN that has it as its account, and where it is the whole value.
///
/// # Errors
/// [`SyntaxError`] if the text is not JSON.
pub fn replace_account(text: &str, from: &str, to: &str) -> Result<ReplacedAccount, SyntaxError> {
    const ELEMENTS: [&str; 5] = [
        "Principal",
        "NotPrincipal",
        "Resource",
        "NotResource",
        "Condition",
    ];
    let root = json::read(text)?;
    let elements = clauses(&root).filter(|(name, _)| ELEMENTS.contains(&name.as_str()));
    let values = elements.flat_map(|(_, element)| texts(element));
    Ok(replaced(text, values, |value| in_account(value, from, to)))
}

/// A value that names the account, with the other one instead.
fn in_account(value: &str, from: &str, to: &str) -> Option<String> {
    if value == from {
        return Some(to.to_owned());
    }
    let fields: Vec<&str> = value.splitn(6, ':').collect();
    match fields[..] {
        ["arn", partition, service, region, account, resource] if account == from => Some(format!(
            "arn:{partition}:{service}:{region}:{to}:{resource}"
        )),
        _ => None,
    }
}

/// The texts in a value, in the order of the document.
fn texts(node: &PolicyNode) -> Vec<&PolicyNode> {
    match &node.value {
        PolicyValue::Text(_) => vec![node],
        PolicyValue::List(items) => items.iter().flat_map(texts).collect(),
        PolicyValue::Map(members) => members.iter().flat_map(|(_, node)| texts(node)).collect(),
        PolicyValue::Null | PolicyValue::Bool(_) | PolicyValue::Number(_) => Vec::new(),
    }
}

/// A text with some of its strings replaced.
fn replaced<'a>(
    text: &str,
    nodes: impl Iterator<Item = &'a PolicyNode>,
    name: impl Fn(&str) -> Option<String>,
) -> ReplacedAccount {
    let mut out = String::with_capacity(text.len());
    let (mut from, mut count) = (0, 0);
    for node in nodes {
        let PolicyValue::Text(known) = &node.value else {
            continue;
        };
        if let Some(name) = name(known) {
            out.push_str(text.get(from..node.span.start).unwrap_or_default());
            quote(&name, &mut out);
            from = node.span.end;
            count += 1;
        }
    }
    out.push_str(text.get(from..).unwrap_or_default());
    ReplacedAccount { text: out, count }
}

/// The principals under `AWS`, in the order of the text.
fn principals(root: &PolicyNode) -> impl Iterator<Item = &PolicyNode> {
    let named =
        clauses(root).filter(|(name, _)| matches!(name.as_str(), "Principal" | "NotPrincipal"));
    named
        .filter_map(|(_, clause)| clause.member("AWS"))
        .flat_map(PolicyNode::items)
}

/// The elements of all statements.
fn clauses(root: &PolicyNode) -> impl Iterator<Item = &(String, PolicyNode)> {
    let statements = root.member("Statement").into_iter();
    let statements = statements.flat_map(PolicyNode::items);
    statements.flat_map(PolicyNode::members)
}

/// Appends a text as a JSON string.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::{rename_principals, replace_account};

    #[test]
    fn an_account_is_replaced_as_a_whole() {
        let (old, new) = ("111122223333", "444455556666");
        let document = |element: &str, value: &str| {
            format!(r#"{{ "Statement": [{{"Sid": "{old}", "{element}" : {value}}}]}}"#)
        };
        let arn = |account: &str| format!(r#""arn:aws:iam::{account}:role/{old}""#);
        let cases = [
            (
                "Principal",
                format!(r#"{{"AWS": [{}, "{old}", "*"]}}"#, arn(old)),
                2,
            ),
            (
                "NotPrincipal",
                format!(r#"{{"Federated": {}}}"#, arn(old)),
                1,
            ),
            ("Resource", format!(r#"["*", {}]"#, arn(old)), 1),
            ("NotResource", arn(old), 1),
            (
                "Condition",
                format!(r#"{{"StringLike": {{"k": [{}, "{old}"]}}}}"#, arn(old)),
                2,
            ),
            ("Action", arn(old), 0),
            (
                "Resource",
                format!(r#"["arn:aws:s3:::{old}", "x{old}", "arn:aws:iam::{old}"]"#),
                0,
            ),
            (
                "Condition",
                format!(r#"{{"StringLike": {{"k{old}": "arn:aws:iam::{old}?:a"}}}}"#),
                0,
            ),
            ("Resource", format!(r#""arn:aws:a::{old}:\u0007\"\\""#), 1),
        ];
        for (element, value, count) in cases {
            let replaced = replace_account(&document(element, &value), old, new).unwrap();
            let ours = format!(r#""{old}""#);
            let expected = match count {
                0 => value.clone(),
                _ => value
                    .replace(&format!("::{old}:"), &format!("::{new}:"))
                    .replace(&ours, &format!(r#""{new}""#)),
            };
            assert_eq!(replaced.text, document(element, &expected));
            assert_eq!(replaced.count, count, "{value}");
        }
        assert!(replace_account("{", old, new).is_err());
    }

    #[test]
    fn only_principals_change() {
        let text = r#"{ "Statement" : [{"Principal": {"AWS": ["a", "b",
            "\u0061"], "Service": "a"}, "Action": "a", "Condition": {"StringEquals": {"AWS": "a"}}},
            {"NotPrincipal": {"AWS": "a"}}, {"Principal": "a"}, {"Sid": "a"}]}"#;
        let renamed = rename_principals(text, |name| (name == "a").then(|| r#"x"\y"#.to_owned()));
        assert_eq!(
            renamed.unwrap(),
            r#"{ "Statement" : [{"Principal": {"AWS": ["x\"\\y", "b",
            "x\"\\y"], "Service": "a"}, "Action": "a", "Condition": {"StringEquals": {"AWS": "a"}}},
            {"NotPrincipal": {"AWS": "x\"\\y"}}, {"Principal": "a"}, {"Sid": "a"}]}"#
        );
        let alone =
            |name: &str| format!(r#"{{"Statement": {{"Principal": {{"AWS": "{name}"}}}}}}"#);
        let renamed = rename_principals(&alone("a"), |_| Some("b".to_owned())).unwrap();
        assert_eq!(renamed, alone("b"));
        assert!(rename_principals("{", |_| None).is_err());
    }
}
