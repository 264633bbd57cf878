//! Tags whose keys differ only in case: whichever value is meant, nothing is allowed that one of them
//! would not allow, and everything is denied that one of them would deny.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    AccessRequest, ContextMap, ContextValues, Policy, PolicySet, PolicySource, PrincipalRef,
    evaluate, parse,
};

const TAG: &str = "s3:ExistingObjectTag/class";

/// Whether bob is allowed to read an object with two spellings of a tag.
fn is_allowed(statements: &Value) -> bool {
    let tags = [
        ("Class", "public"),
        ("other", "public"),
        ("class", "secret"),
    ];
    is_allowed_with(statements, ContextValues::of_tag(tags, "class"))
}

fn is_allowed_with(statements: &Value, values: ContextValues<'static>) -> bool {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let policy = Arc::new(Policy::compile(&parse(&text).unwrap()));
    let set = PolicySet::new(vec![(PolicySource::Inline, policy)]);
    let mut context = ContextMap::default();
    context.set(TAG, values);
    let bob = PrincipalRef::User {
        account: "123456789012".parse().unwrap(),
        arn: "arn:aws:iam::123456789012:user/bob",
        id: "AIDACKCEVSQ6C2EXAMPLE",
        name: "bob",
    };
    let request = AccessRequest::new(bob, "s3:GetObject", "arn:aws:s3:::b/secret", &context);
    evaluate(&set, None, &request).is_allowed()
}

fn statement(effect: &str, more: &Value) -> Value {
    let mut statement = json!({"Effect": effect, "Action": "*", "Resource": "*"});
    for (element, value) in more.as_object().unwrap() {
        statement[element.as_str()] = value.clone();
    }
    statement
}

/// Nothing is known of it but that it is there.
#[test]
fn a_value_that_cannot_be_read_never_allows_and_always_denies() {
    let unreadable = || ContextValues::Ambiguous(Vec::new());
    let everything = statement("Allow", &json!({}));
    for operator in [
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringEqualsIfExists",
        "NumericLessThan",
        "IpAddress",
        "Bool",
        "ForAnyValue:StringEquals",
        "ForAllValues:StringEquals",
        "ForAllValues:StringNotEquals",
    ] {
        let condition = json!({"Condition": {operator: {TAG: "1"}}});
        let allow = json!([statement("Allow", &condition)]);
        assert!(!is_allowed_with(&allow, unreadable()), "{operator}");
        let deny = json!([everything, statement("Deny", &condition)]);
        assert!(!is_allowed_with(&deny, unreadable()), "{operator}");
    }
}

#[test]
fn a_claim_that_is_a_list_needs_a_set_operator_to_allow() {
    let list = || ContextValues::Claims(vec!["1".into(), "2".into()]);
    let everything = statement("Allow", &json!({}));
    for (operator, value, allows, denies) in [
        ("StringEquals", "1", false, true),
        ("StringEquals", "3", false, true),
        ("StringNotEquals", "1", false, true),
        ("StringEqualsIfExists", "1", false, true),
        ("NumericLessThan", "9", false, true),
        ("ForAnyValue:StringEquals", "1", true, true),
        ("ForAnyValue:StringEquals", "3", false, false),
        ("ForAllValues:StringEquals", "1", false, false),
        ("ForAllValues:NumericLessThan", "9", true, true),
        ("Null", "false", true, true),
        ("Null", "true", false, false),
    ] {
        let condition = json!({"Condition": {operator: {TAG: value}}});
        let allow = json!([statement("Allow", &condition)]);
        assert_eq!(is_allowed_with(&allow, list()), allows, "{operator}");
        let deny = json!([everything, statement("Deny", &condition)]);
        assert_eq!(!is_allowed_with(&deny, list()), denies, "{operator}");
    }
    // An empty list is an absent key.
    let condition = json!({"Condition": {"StringEquals": {TAG: "1"}}});
    let deny = json!([everything, statement("Deny", &condition)]);
    assert!(is_allowed_with(&deny, ContextValues::Claims(Vec::new())));
}

#[test]
fn a_condition_holds_for_every_value_to_allow_and_for_one_to_deny() {
    let of = |operator: &str, values: &Value| json!({"Condition": {operator: {TAG: values}}});
    let everything = statement("Allow", &json!({}));
    for (more, allows, denies) in [
        (of("StringEquals", &json!("public")), false, true),
        (of("StringEquals", &json!("secret")), false, true),
        (of("StringEquals", &json!(["public", "secret"])), true, true),
        (of("StringEquals", &json!("other")), false, false),
        (of("StringNotEquals", &json!("public")), false, true),
        (of("StringNotEquals", &json!("secret")), false, true),
        (of("StringNotEquals", &json!("other")), true, true),
        (of("StringEqualsIfExists", &json!("secret")), false, true),
        (of("StringLike", &json!("s*")), false, true),
        (
            of("ForAnyValue:StringEquals", &json!("secret")),
            false,
            true,
        ),
        (
            of("ForAllValues:StringEquals", &json!("secret")),
            false,
            true,
        ),
        (of("Null", &json!("false")), true, true),
        (of("Null", &json!("true")), false, false),
        // The key in a variable.
        (
            json!({"Condition": {"StringEquals": {"aws:username": format!("${{{TAG}}}")}}}),
            false,
            true,
        ),
        (
            json!({"Condition": {"StringNotEquals": {"aws:username": format!("${{{TAG}}}")}}}),
            false,
            true,
        ),
        (
            json!({"Resource": format!("arn:aws:s3:::b/${{{TAG}}}")}),
            false,
            true,
        ),
    ] {
        let allow = statement("Allow", &more);
        assert_eq!(is_allowed(&json!([allow])), allows, "Allow {more}");
        let deny = statement("Deny", &more);
        let denied = !is_allowed(&json!([everything, deny]));
        assert_eq!(denied, denies, "Deny {more}");
    }
}

#[test]
fn a_tag_is_found_whatever_its_case() {
    let tags = [("Team", "a"), ("\u{c4}rger", "b")];
    for (name, expected) in [
        ("team", Some("a")),
        ("\u{e4}rger", Some("b")),
        ("rger", None),
    ] {
        let found = ContextValues::of_tag(tags, name);
        assert_eq!(found.as_slice().first().map(|v| &**v), expected, "{name}");
    }
}
