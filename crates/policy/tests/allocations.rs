//! Counts allocations: a decision allocates nothing, whatever kind of statement it meets, allowed
//! or denied.
#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

#[path = "../benches/fixture/mod.rs"]
mod fixture;

use std::sync::Arc;

use keywright_policy::{
    AccessRequest, ContextMap, PoliciesInForce, Policy, PolicySet, PolicySource, PrincipalRef,
    parse,
};
use serde_json::json;

fn compile(text: &str) -> Arc<Policy> {
    Arc::new(Policy::compile(&parse(text).unwrap()))
}

fn callers() -> [PrincipalRef<'static>; 4] {
    let account = "123456789012".parse().unwrap();
    [
        PrincipalRef::User {
            account,
            arn: "arn:aws:iam::123456789012:user/bob",
            id: "AIDACKCEVSQ6C2EXAMPLE",
            name: "bob",
        },
        PrincipalRef::AssumedRole {
            account,
            arn: "arn:aws:sts::123456789012:assumed-role/deploy/ci",
            role_arn: "arn:aws:iam::123456789012:role/deploy",
            role_id: "AROACKCEVSQ6C2EXAMPLE",
            session: "ci",
        },
        PrincipalRef::FederatedUser {
            account,
            arn: "arn:aws:sts::123456789012:federated-user/fred",
            name: "fred",
            issuer_arn: "arn:aws:iam::123456789012:user/bob",
            issuer_id: "AIDAIOSFODNN7EXAMPLE",
        },
        PrincipalRef::Anonymous,
    ]
}

/// The number of allocations in one decision.
fn count(policies: &PoliciesInForce<'_>, request: &AccessRequest<'_>) -> u64 {
    let mut decision = None;
    let info = allocation_counter::measure(|| decision = Some(policies.decide(request)));
    drop(decision);
    info.count_total
}

fn context() -> ContextMap {
    let pairs = fixture::KEYS.iter();
    let map = pairs.fold(ContextMap::default(), |map, (key, value)| {
        map.with(key, value)
    });
    map.with_list("aws:TagKeys", &["team", "cost"])
        .with("n", "12.5")
        .with("d", "2026-01-01T00:00:00Z")
        .with("b", "QQ==")
        .with("arn", "arn:aws:sns:eu-west-1:123456789012:x")
        .with("s", "Some text")
}

#[test]
fn a_user_with_ten_managed_policies() {
    let documents = fixture::documents();
    let sourced = documents
        .iter()
        .map(|text| (PolicySource::Inline, compile(text)));
    let set = PolicySet::new(sourced.collect());
    let context = context();
    for (name, action, resource, allowed) in fixture::REQUESTS {
        let request = AccessRequest::new(callers()[0], action, resource, &context);
        let policies = PoliciesInForce::new(&set);
        assert_eq!(policies.decide(&request).is_allowed(), allowed, "{name}");
        assert_eq!(count(&policies, &request), 0, "{name}");
    }
}

#[test]
fn every_operator_and_caller() {
    let conditions = [
        json!({"StringEquals": {"s": "${aws:username}", "aws:userid": "${aws:userid}"}}),
        json!({"StringEqualsIgnoreCase": {"s": "SOME ${s, 'x'}"}}),
        json!({"StringLike": {"s": ["*${aws:userid}?*", "*o?e*t*", "*${s}*", "x${a}${b}${s}"]}}),
        json!({"StringNotLike": {"aws:PrincipalAccount": "1*2?"}}),
        json!({"NumericLessThan": {"n": ["1", "1e3"]}, "DateGreaterThan": {"d": "2025-01-01"}}),
        json!({"Bool": {"aws:SecureTransport": "${s}"}, "BinaryEquals": {"b": "QQ=="}}),
        json!({"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "10.0.0.0/8"]}}),
        json!({"ArnLike": {"arn": "arn:aws:sns:*:${aws:PrincipalAccount}:${s}"}}),
        json!({"ArnEquals": {"arn": ["${arn}", "${aws:PrincipalArn}", "arn:aws:sns:${s}"]}}),
        json!({"Null": {"aws:TagKeys": "false"}}),
        json!({"ForAllValues:StringLike": {"aws:TagKeys": ["t*", "c*"]}}),
        json!({"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "team"}}),
    ];
    let context = context();
    for condition in &conditions {
        for effect in ["Allow", "Deny"] {
            let document = json!({"Version": "2012-10-17", "Statement": {
                "Effect": effect, "NotAction": "iam:*", "Resource": ["arn:aws:s3:::b/${s}/*", "*"],
                "Condition": condition}});
            let own = compile(&document.to_string());
            let mut attached = document.clone();
            attached["Statement"]["Principal"] = json!({"AWS": "123456789012"});
            let attached = compile(&attached.to_string());
            let set = PolicySet::new(vec![(
                PolicySource::Managed("arn".into()),
                Arc::clone(&own),
            )])
            .with_boundary(Arc::clone(&own))
            .with_session(vec![Arc::clone(&own)])
            .with_service_control(vec![vec![(PolicySource::Inline, own)]]);
            for caller in callers() {
                let request =
                    AccessRequest::new(caller, "s3:GetObject", "arn:aws:s3:::b/k", &context);
                let policies = PoliciesInForce::new(&set).with_resource(&attached);
                assert_eq!(
                    count(&policies, &request),
                    0,
                    "{condition} {effect} {caller:?}"
                );
            }
        }
    }
}

/// The counter works; otherwise the tests above would prove nothing.
#[test]
fn allocations_are_counted() {
    let info = allocation_counter::measure(|| drop(std::hint::black_box(vec![1_u8; 100])));
    assert_eq!(info.count_total, 1);
}

/// What a policy takes is limited by this estimate.
#[test]
fn the_estimate_of_a_policys_memory_is_not_too_small() {
    let many = |one: &dyn Fn(usize) -> String| {
        let all: Vec<_> = (0..30).map(one).collect();
        all.join(",")
    };
    let statement = |rest: &str| format!(r#"{{"Effect":"Allow","Resource":"*",{rest}}}"#);
    let values = many(&|n| format!(r#""*{n}*?""#));
    let condition =
        format!(r#""Action":"a:*","Condition":{{"StringLike":{{"aws:referer":[{values}]}}}}"#);
    let letters: String = ('!'..='~').filter(|c| !r#""\*?$"#.contains(*c)).collect();
    let texts = [
        statement(&format!(r#""Action":"a:{letters}*{letters}?{letters}*x""#)),
        many(&|_| statement(r#""Action":"a:*""#)),
        statement(&format!(
            r#""Action":[{}]"#,
            many(&|n| format!(r#""a:%s*?*?*?{n}""#))
        )),
        statement(&format!(
            r#""Action":[{}]"#,
            many(&|n| format!(r#""s{n}:Get""#))
        )),
        statement(&format!(r#""Action":"a:{}""#, "*?".repeat(500))),
        statement(&format!(r#""Action":"a:{}""#, "?*x".repeat(300))),
        statement(&condition),
        statement(r#""Action":"a:*","Condition":{"StringLike":{"a":"${a}${b}${c}${d}${e}${f}"}}"#),
        format!(
            r#"{{"Effect":"Allow","Action":"*","Resource":[{}]}}"#,
            many(&|n| format!(r#""arn:*:s?:*:?:a*{n}""#))
        ),
    ];
    for text in texts {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{text}]}}"#);
        let document = parse(&text).unwrap();
        let mut policy = None;
        let info = allocation_counter::measure(|| policy = Some(Policy::compile(&document)));
        let bytes = i64::try_from(policy.as_ref().unwrap().bytes()).unwrap();
        assert!(
            bytes >= info.bytes_current,
            "{bytes} {} {text}",
            info.bytes_current
        );
        assert!(
            bytes <= 20 * info.bytes_current,
            "{bytes} {} {text}",
            info.bytes_current
        );
    }
}
