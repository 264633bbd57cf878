//! The work of a decision is bounded for all policies and requests; what would take more is denied.

use std::sync::Arc;

use keywright_base::limits;

use crate::{
    AccessRequest, ContextMap, Decision, DenialCause, PoliciesInForce, Policy, PolicySet,
    PolicySource, PrincipalRef,
    context::StepCounter,
    evaluate::{EvaluationBuffers, query},
    explain, explanation_steps, parse,
};

/// The steps charged for comparing values with the patterns of `ArnLike` or another operator.
fn charged(operator: &str, patterns: &[&str], values: usize) -> u64 {
    let policy = set(&format!(
        r#"{{"Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {{"ForAnyValue:{operator}": {{"aws:TagKeys": {patterns:?}}}}}}}"#
    ));
    let values: Vec<_> = (0..values)
        .map(|n| format!("arn:aws:iam:::bx{n}"))
        .collect();
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    let context = ContextMap::default()
        .with("aws:UserAgent", ":::b")
        .with_list("aws:TagKeys", &values);
    let requested = request(KEY, &context);
    let mut room = EvaluationBuffers::with(StepCounter::of(u64::MAX));
    let query = query(&policy, &requested, &mut room).unwrap();
    let (_, policy) = policy.identity().first().unwrap();
    let _ = policy.verdict(&query, crate::PolicyLayer::Identity);
    u64::MAX - query.env.steps.left()
}

/// If a whole pattern is examined or rebuilt for each value, the charge is the product of both.
#[test]
fn the_length_of_a_pattern_is_charged_for_each_value() {
    let (values, length) = (50, 3000);
    for (operator, pattern) in [
        // Rebuilt.
        (
            "ArnLike",
            format!("arn:aws:iam${{aws:UserAgent}}{}", "*?a".repeat(length / 3)),
        ),
        (
            "ArnLike",
            format!("arn:aws:iam${{aws:UserAgent}}{}", "?".repeat(length)),
        ),
        // Without wildcards: its colons are counted.
        (
            "ArnLike",
            format!("arn:aws:iam${{aws:UserAgent}}{}", "a".repeat(length)),
        ),
        ("StringEqualsIgnoreCase", "a".repeat(length)),
        ("StringEqualsIgnoreCase", "é".repeat(length)),
        ("StringLike", "?".repeat(length)),
        ("BinaryEquals", "AAAA".repeat(length / 4)),
    ] {
        let steps = charged(operator, &[&pattern], values);
        assert!(steps >= (values * length) as u64, "{operator} {steps}");
    }
    let variables = "${aws:UserAgent}".repeat(length / 16);
    let steps = charged("StringLike", &[&variables], values);
    assert!(steps >= (values * length) as u64, "variables {steps}");
}

/// Each run between asterisks that contains a variable is searched for separately.
#[test]
fn every_run_with_a_variable_is_charged() {
    let run = "*${aws:UserAgent}?";
    let one = charged("StringLike", &[run], 1);
    let many = charged("StringLike", &[&run.repeat(101)], 1);
    let text = "arn:aws:iam:::bx0".len() as u64;
    assert!(many - one >= 100 * text, "{one} {many}");
}

/// A statement is tried once for each of its matching actions.
#[test]
fn lookups_and_principals_are_charged() {
    let steps = |count: usize| {
        let actions: Vec<_> = (0..count)
            .map(|n| {
                format!(
                    "s3:{}*",
                    "GetObject".chars().take(n % 9).collect::<String>()
                )
            })
            .collect();
        let conditions: Vec<_> = (0..count)
            .map(|n| format!("\"aws:k{n}\": \"true\""))
            .collect();
        let policy = set(&format!(
            r#"{{"Effect": "Deny", "Action": {actions:?}, "Resource": "*",
            "Condition": {{"Null": {{{}}}}}}}"#,
            conditions.join(",")
        ));
        let context = ContextMap::default();
        let requested = request(KEY, &context);
        let mut room = EvaluationBuffers::with(StepCounter::of(u64::MAX));
        let query = query(&policy, &requested, &mut room).unwrap();
        let (_, policy) = policy.identity().first().unwrap();
        let _ = policy.verdict(&query, crate::PolicyLayer::Identity);
        u64::MAX - query.env.steps.left()
    };
    assert!(steps(9) >= 9 * 9, "{}", steps(9));
}

const KEY: &str = "arn:aws:s3:::bucket/key";

fn set(statement: &str) -> PolicySet {
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#);
    let policy = Policy::compile(&parse(&text).unwrap());
    PolicySet::new(vec![(PolicySource::Inline, Arc::new(policy))])
}

fn request<'a>(resource: &'a str, context: &'a ContextMap) -> AccessRequest<'a> {
    let principal = PrincipalRef::User {
        account: "123456789012".parse().unwrap(),
        arn: "arn:aws:iam::123456789012:user/ann",
        id: "AIDACKCEVSQ6C2EXAMPLE",
        name: "ann",
    };
    AccessRequest::new(principal, "s3:GetObject", resource, context)
}

/// A list of `count` patterns that match none of the requests.
fn patterns(count: usize, pattern: &str) -> String {
    let each = (0..count).map(|number| format!("\"{pattern}z{number}*\""));
    each.collect::<Vec<_>>().join(",")
}

/// Each case would take time proportional to the product of the policy's and the request's length.
#[test]
fn what_takes_too_many_steps_is_denied() {
    let likes = patterns(3000, "*a?b*");
    let keys = patterns(3000, "arn:aws:s3:::*a?b*");
    let fields = "${aws:UserAgent}".repeat(300);
    let long = "aaaab".repeat(4000);
    for (name, statement, agent) in [
        (
            "values",
            format!(
                r#"{{"Effect": "Allow", "Action": "*", "Resource": "*",
                "Condition": {{"StringNotLike": {{"aws:UserAgent": [{likes}]}}}}}}"#
            ),
            &*long,
        ),
        (
            "resources",
            format!(r#"{{"Effect": "Allow", "Action": "*", "NotResource": [{keys}]}}"#),
            "",
        ),
        (
            "variables",
            format!(
                r#"{{"Effect": "Allow", "Action": "*", "Resource": "*",
                "Condition": {{"StringNotLike": {{"aws:UserAgent": "*{fields}?{fields}*"}}}}}}"#
            ),
            &long,
        ),
        (
            "late",
            format!(r#"{{"Effect": "Allow", "Action": "*", "NotResource": "{fields}*"}}"#),
            &long,
        ),
    ] {
        let set = set(&statement);
        let resource = format!("{KEY}{long}");
        let context = ContextMap::default().with("aws:UserAgent", agent);
        let requested = request(&resource, &context);
        let Decision::Deny(reason) = PoliciesInForce::new(&set).decide(&requested) else {
            panic!("{name} was allowed");
        };
        assert_eq!(reason.cause, DenialCause::Unreadable, "{name}");
        // The same policy decides a shorter request.
        let context = ContextMap::default().with("aws:UserAgent", "cli");
        let decided = PoliciesInForce::new(&set).decide(&request(KEY, &context));
        assert_ne!(decided, Decision::Deny(reason), "{name}");
    }
}

#[test]
fn an_explicit_deny_is_no_way_around() {
    let likes = patterns(3000, "*a?b*");
    let set = set(&format!(
        r#"{{"Effect": "Allow", "Action": "*", "Resource": "*"}},
        {{"Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {{"StringLike": {{"aws:UserAgent": [{likes}]}}}}}}"#
    ));
    let agent = "aaaab".repeat(4000);
    let context = ContextMap::default().with("aws:UserAgent", &agent);
    assert!(
        !PoliciesInForce::new(&set)
            .decide(&request(KEY, &context))
            .is_allowed()
    );
    let context = ContextMap::default().with("aws:UserAgent", "cli");
    assert!(
        PoliciesInForce::new(&set)
            .decide(&request(KEY, &context))
            .is_allowed()
    );
}

#[test]
fn an_explanation_is_counted_before_it_is_made() {
    let steps = |count: usize, values: &str| {
        let likes = patterns(count, "*a?b*");
        let set = set(&format!(
            r#"{{"Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {{"StringLike": {{"aws:UserAgent": [{likes}]}}}}}}"#
        ));
        let context = ContextMap::default().with("aws:UserAgent", values);
        let requested = request(KEY, &context);
        let steps = explanation_steps(&PoliciesInForce::new(&set), &requested);
        let statements = explain(&PoliciesInForce::new(&set), &requested)
            .statements
            .len();
        assert_eq!(statements, usize::from(steps <= limits::PAGE_STEPS));
        steps
    };
    let (few, short) = (100, "a".repeat(1000));
    let base = steps(few, &short);
    // Proportional to the product of both.
    let more = steps(4 * few, &"a".repeat(4000));
    assert!((12 * base..20 * base).contains(&more), "{base} {more}");
    assert!(steps(4000, &"a".repeat(40_000)) > limits::PAGE_STEPS);
}

/// A decision limited to few steps ends early and reports that it was cut short.
#[test]
fn a_decision_keeps_to_its_steps() {
    let names: Vec<_> = ('a'..='y')
        .flat_map(|a| ('a'..='y').map(move |b| format!("\"arn:aws:s3:::bucket/*?{a}{b}*\"")))
        .collect();
    let set = set(&format!(
        r#"{{"Effect": "Allow", "Action": "*", "Resource": "*"}},
        {{"Effect": "Deny", "Action": "*", "Resource": [{}]}}"#,
        names.join(",")
    ));
    let context = ContextMap::default();
    // No pattern matches them.
    let short = "arn:aws:s3:::bucket/0";
    let long = format!("{short}{}", "0".repeat(1000));
    let decide = |resource: &str, steps| {
        let measured =
            PoliciesInForce::new(&set).decide_within(&request(resource, &context), steps);
        assert!(measured.steps <= steps);
        (measured.decision.is_allowed(), measured.cut_short)
    };
    assert_eq!(decide(&long, limits::DECISION_STEPS), (true, false));
    assert_eq!(decide(&long, limits::SHORT_DECISION_STEPS), (false, true));
    assert_eq!(decide(short, limits::SHORT_DECISION_STEPS), (true, false));
    assert_eq!(decide(short, 0), (false, true));
}
