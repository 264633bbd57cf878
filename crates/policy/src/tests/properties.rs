//! Properties of every policy that no table can list: a Deny never allows, an Allow never denies,
//! order does not matter, and no text makes the parser panic.

use std::sync::Arc;

use crate::{
    AccessRequest, Decision, DenialCause, DocumentKind, Policy, PolicySet, PolicySource,
    PrincipalRef, Violation, evaluate, parse, validate,
};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

const ACTIONS: &[&str] = &[
    "*",
    "s3:*",
    "s3:Get*",
    "s3:GetObject",
    "s3:PutObject",
    "iam:GetUser",
];
const RESOURCES: &[&str] = &[
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::b/${aws:username}",
    "arn:aws:s3:::b/${aws:nothing}",
    "arn:aws:s3",
];
const CONDITIONS: &[&str] = &[
    "{}",
    r#"{"StringEquals": {"aws:username": "bob"}}"#,
    r#"{"StringNotEquals": {"aws:username": "bob"}}"#,
    r#"{"Null": {"aws:username": "true"}}"#,
    r#"{"ForAllValues:StringLike": {"aws:TagKeys": "x*"}}"#,
];

/// Builds a statement as text.
fn statement(effect: &'static str) -> impl Strategy<Value = String> {
    let not = select(&["", "Not"][..]);
    (
        not.clone(),
        select(ACTIONS),
        not,
        select(RESOURCES),
        select(CONDITIONS),
    )
        .prop_map(move |(na, action, nr, resource, condition)| {
            format!(
                r#"{{"Effect": "{effect}", "{na}Action": "{action}", "{nr}Resource": "{resource}",
                "Condition": {condition}}}"#
            )
        })
}

fn any_statement() -> impl Strategy<Value = String> {
    prop_oneof![statement("Allow"), statement("Deny")]
}

fn set(statements: &[String]) -> PolicySet {
    let policies = statements.iter().map(|statement| {
        let text = format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#);
        (
            PolicySource::Inline,
            Arc::new(Policy::compile(&parse(&text).unwrap())),
        )
    });
    PolicySet::new(policies.collect())
}

fn ask(set: &PolicySet, action: &str) -> Decision {
    evaluate(
        set,
        None,
        &AccessRequest::new(bob(), action, "arn:aws:s3:::b/bob", &()),
    )
}

fn bob() -> PrincipalRef<'static> {
    PrincipalRef::User {
        account: "123456789012".parse().unwrap(),
        arn: "arn:aws:iam::123456789012:user/bob",
        id: "AIDACKCEVSQ6C2EXAMPLE",
        name: "bob",
    }
}

proptest! {
    #[test]
    fn a_deny_never_allows(
        mut statements in prop::collection::vec(any_statement(), 0..6),
        deny in statement("Deny"),
    ) {
        let before = ask(&set(&statements), "s3:GetObject").is_allowed();
        statements.push(deny);
        prop_assert!(before || !ask(&set(&statements), "s3:GetObject").is_allowed());
    }

    #[test]
    fn an_allow_never_denies(
        mut statements in prop::collection::vec(any_statement(), 0..6),
        allow in statement("Allow"),
    ) {
        let before = ask(&set(&statements), "s3:GetObject").is_allowed();
        statements.push(allow);
        prop_assert!(!before || ask(&set(&statements), "s3:GetObject").is_allowed());
    }

    #[test]
    fn order_does_not_matter(statements in prop::collection::vec(any_statement(), 0..6)) {
        let reversed: Vec<String> = statements.iter().rev().cloned().collect();
        let joined = [format!("[{}]", statements.join(","))];
        let decision = ask(&set(&statements), "s3:GetObject");
        prop_assert_eq!(&decision, &ask(&set(&reversed), "s3:GetObject"));
        if !statements.is_empty() {
            prop_assert_eq!(decision, ask(&set(&joined), "s3:GetObject"));
        }
    }

    #[test]
    fn only_denies_deny_all(
        statements in prop::collection::vec(statement("Deny"), 0..6),
        action in select(&["s3:GetObject", "iam:GetUser"][..]),
    ) {
        prop_assert!(!ask(&set(&statements), action).is_allowed());
    }

    #[test]
    fn wildcards_mean_what_the_textbook_says(pattern in "[ab*?😀]{0,8}", text in "[ab😀]{0,8}") {
        prop_assert_eq!(matches(&pattern, &text), reference(&pattern, &text));
    }

    #[test]
    fn an_action_selects_the_statements_with_matching_patterns(
        patterns in prop::collection::vec("[abAB*?]{1,6}", 1..12),
        name in "[abA]{1,6}",
    ) {
        let statement = |(n, pattern)| {
            json!({"Effect": "Allow", "Action": format!("s3:{pattern}"),
                   "Resource": format!("arn:aws:s3:::bucket{n}")})
        };
        let statements: Vec<Value> = patterns.iter().enumerate().map(statement).collect();
        let set = set(&[json!(statements).to_string()]);
        for (n, pattern) in patterns.iter().enumerate() {
            let (action, bucket) = (format!("s3:{name}"), format!("arn:aws:s3:::bucket{n}"));
            let allowed = evaluate(&set, None, &AccessRequest::new(bob(), &action, &bucket, &()));
            let selected = reference(&pattern.to_lowercase(), &name.to_lowercase());
            prop_assert_eq!(allowed.is_allowed(), selected, "{}", pattern);
        }
    }

    #[test]
    fn no_text_panics(text in ".*", json in r#"[\[\]{}":,\\a-z0-9u${}*?. -]{0,80}"#) {
        for text in [text, json] {
            let _ = parse(&text);
            let quoted = Value::String(text.clone());
            for kind in [DocumentKind::Managed, DocumentKind::Trust, DocumentKind::Bucket { bucket: "b" }] {
                let _ = validate(&text, kind);
            }
            let document = format!(
                r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": {quoted},
                "Resource": {quoted}, "Principal": {{"AWS": {quoted}}},
                "Condition": {{"StringLike": {{{quoted}: {quoted}}}, 
                "Null": {{"x": {quoted}}}}}}}}}"#
            );
            let document = parse(&document).unwrap();
            let policy = Arc::new(Policy::compile(&document));
            let _ = ask(&PolicySet::new(vec![(PolicySource::Inline, policy)]), &text);
        }
    }

    #[test]
    fn our_json_reader_agrees_about_what_is_json(text in r#"[\[\]{}":,\\a0-9eE.+u -]{0,12}"#) {
        let wrapped = format!(r#"{{"Statement": [], "Id": {text}}}"#);
        let theirs = serde_json::from_str::<Value>(&wrapped).is_ok();
        let stored = validate(&wrapped, DocumentKind::Bucket { bucket: "b" });
        let ours = !matches!(stored, Err(Violation::BucketJson(_)));
        // They accept duplicate keys, which we reject, and reject numbers that they cannot
        // represent.
        prop_assert!(ours == theirs || text.contains(['"', 'e', 'E']), "{}", wrapped);
    }
}

#[test]
fn an_empty_set_denies_and_an_unreadable_one_too() {
    let silent = ask(&PolicySet::default(), "s3:GetObject");
    assert!(matches!(silent, Decision::Deny(reason) if !reason.is_explicit()));
    let Decision::Deny(reason) = ask(&PolicySet::unreadable(), "s3:GetObject") else {
        panic!("an unreadable set allowed");
    };
    assert_eq!(reason.cause, DenialCause::Unreadable);
}

/// Whether the pattern lets bob get the object `key`.
fn matches(pattern: &str, key: &str) -> bool {
    let resource = Value::String(format!("arn:aws:s3:::{pattern}"));
    let statement = format!(r#"{{"Effect": "Allow", "Action": "*", "Resource": {resource}}}"#);
    let key = format!("arn:aws:s3:::{key}");
    let request = AccessRequest::new(bob(), "s3:GetObject", &key, &());
    evaluate(&set(&[statement]), None, &request).is_allowed()
}

/// The textbook definition, one table row at a time.
fn reference(pattern: &str, text: &str) -> bool {
    let text: Vec<u16> = text.encode_utf16().collect();
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for unit in pattern.encode_utf16() {
        let before = row.clone();
        let many = unit == u16::from(b'*');
        row[0] = many && before[0];
        for at in 0..text.len() {
            let same = unit == u16::from(b'?') || unit == text[at];
            row[at + 1] = if many {
                before[at + 1] || row[at]
            } else {
                before[at] && same
            };
        }
    }
    row[text.len()]
}

/// Patterns on which a backtracking matcher would run for years.
#[test]
fn wildcards_take_no_exponential_time() {
    let long = "a".repeat(20_000);
    for pattern in [
        "*a".repeat(500),
        "*a?".repeat(300),
        "?a*".repeat(300),
        "*?".repeat(1000),
    ] {
        assert!(!matches(&format!("{pattern}b"), &long));
        assert!(matches(&format!("{pattern}*"), &long));
    }
}

#[test]
fn depth_is_limited_before_the_stack_is() {
    for deep in ["[".repeat(10_000), "{\"a\":".repeat(10_000)] {
        let fault = parse(&deep).unwrap_err();
        assert!(fault.what.contains("deep"), "{fault}");
    }
}

#[test]
fn spans_cover_the_statements() {
    let text = r#"{"Statement": [ {"Effect": "Allow", "Action": "é:x"} , {"Effect":"Deny"}]}"#;
    let document = parse(text).unwrap();
    let texts: Vec<&str> = document
        .statements
        .iter()
        .map(|s| text.get(s.span.start..s.span.end).unwrap())
        .collect();
    assert_eq!(
        texts,
        [
            r#"{"Effect": "Allow", "Action": "é:x"}"#,
            r#"{"Effect":"Deny"}"#
        ]
    );
}
