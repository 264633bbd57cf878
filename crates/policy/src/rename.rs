//! Replaces the principals in a policy's text. Invariant: nothing else in the text changes, not
//! even white space.
//!
//! A store saves a user by its unique ID and displays the ARN, so that a grant follows a renamed
//! user and ends when the user is deleted.

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
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for node in principals(&root) {
        let PolicyValue::Text(known) = &node.value else {
            continue;
        };
        if let Some(name) = name(known) {
            out.push_str(text.get(from..node.span.start).unwrap_or_default());
            quote(&name, &mut out);
            from = node.span.end;
        }
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Ok(out)
}

/// The principals under `AWS`, in the order of the text.
fn principals(root: &PolicyNode) -> impl Iterator<Item = &PolicyNode> {
    let statements = root
        .member("Statement")
        .into_iter()
        .flat_map(PolicyNode::items);
    let clauses = statements.flat_map(PolicyNode::members);
    let named = clauses.filter(|(name, _)| matches!(name.as_str(), "Principal" | "NotPrincipal"));
    named
        .filter_map(|(_, clause)| clause.member("AWS"))
        .flat_map(PolicyNode::items)
}

/// Appends a text as a JSON string. Principals contain no control characters.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::rename_principals;

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
