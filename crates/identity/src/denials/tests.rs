//! The ring: what it forgets, and in which order it tells.

use std::sync::Arc;

use keywright_base::{Arn, Timestamp, limits};
use keywright_policy::{
    ContextMap, Decision, DocumentKind, Policy, PolicyLayer, PolicySet, validate,
};

use super::{
    DenialEvidence, DeniedCaller, DeniedRequest, DeniedRequests, TargetPolicies, TargetPolicy,
};
use crate::{
    names::PolicyNames,
    principal::{Principal, RoleSession},
    view::ResourcePolicy,
};

fn denial(number: usize, name: &str, context_bytes: usize) -> DeniedRequest {
    let account = "123456789012".parse().unwrap();
    DeniedRequest {
        request_id: format!("request-{number}"),
        at: Timestamp::from_millis(0),
        source_address: "192.0.2.7".parse().unwrap(),
        message: String::new(),
        evidence: DenialEvidence {
            who: DeniedCaller::Principal(Principal::User {
                account,
                arn: Arn::iam(account, &format!("user/{name}")),
                id: "AIDACKCEVSQ6C2EXAMPLE".parse().unwrap(),
                name: name.to_owned(),
            }),
            action: "iam:ListUsers".to_owned(),
            resource: "*".to_owned(),
            owner: None,
            context: ContextMap::default().with("aws:useragent", &"x".repeat(context_bytes)),
            set: PolicySet::default(),
            names: PolicyNames::default(),
            quoted: Vec::new(),
            target: TargetPolicies::default(),
        },
    }
}

fn ids(
    denials: &DeniedRequests,
    before: Option<u64>,
    name: Option<&str>,
    most: usize,
) -> Vec<String> {
    let arn = name.map(|name| format!("arn:aws:iam::123456789012:user/{name}"));
    let account = "123456789012".parse().unwrap();
    let found = denials.list(account, before, arn.as_deref(), most);
    found
        .into_iter()
        .map(|(_, denial)| denial.request_id.clone())
        .collect()
}

fn of_resource(policy: Arc<Policy>) -> TargetPolicies {
    TargetPolicies {
        own: Some(TargetPolicy::Resource(policy)),
        ..TargetPolicies::default()
    }
}

#[test]
fn newest_first_by_principal_and_page() {
    let denials = DeniedRequests::default();
    for (number, name) in ["bob", "eve", "bob", "eve"].iter().enumerate() {
        denials.record(Arc::new(denial(number, name, 1)));
    }
    for (before, name, most, expected) in [
        (
            None,
            None,
            9,
            vec!["request-3", "request-2", "request-1", "request-0"],
        ),
        (None, None, 1, vec!["request-3"]),
        (Some(3), None, 2, vec!["request-2", "request-1"]),
        (None, Some("bob"), 9, vec!["request-2", "request-0"]),
        (Some(2), Some("bob"), 9, vec!["request-0"]),
        (None, Some("nobody"), 9, vec![]),
    ] {
        assert_eq!(
            ids(&denials, before, name, most),
            expected,
            "{before:?} {name:?}"
        );
    }
    let account = "123456789012".parse().unwrap();
    let other = "999999999999".parse().unwrap();
    assert!(denials.find(account, "request-1").is_some());
    assert!(
        denials.find(other, "request-1").is_none(),
        "another account"
    );
    assert!(denials.find(account, "request-9").is_none());
}

#[test]
fn the_oldest_are_forgotten_by_number_and_by_size() {
    let many = DeniedRequests::default();
    for number in 0..limits::DENIALS_PER_ACCOUNT + 5 {
        many.record(Arc::new(denial(number, "bob", 1)));
    }
    let retained = ids(&many, None, None, usize::MAX);
    assert_eq!(retained.len(), limits::DENIALS_PER_ACCOUNT);
    assert_eq!(retained.last().unwrap(), "request-5");
    let large = DeniedRequests::default();
    for number in 0..10 {
        let bytes = limits::DENIAL_BYTES_PER_ACCOUNT / 4;
        large.record(Arc::new(denial(number, "bob", bytes)));
    }
    assert_eq!(
        ids(&large, None, None, 9),
        ["request-9", "request-8", "request-7"]
    );
    let bytes = limits::DENIAL_BYTES_PER_ACCOUNT * 2;
    large.record(Arc::new(denial(10, "bob", bytes)));
    assert_eq!(
        ids(&large, None, None, 9),
        ["request-10"],
        "the newest stays, however large"
    );
}

fn bucket_policy(statement: &str) -> Arc<Policy> {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Action":"s3:*","Principal":"*",
        "Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],{statement}}}}}"#
    );
    let document = validate(&text, DocumentKind::Bucket { bucket: "b" }).unwrap();
    Arc::new(Policy::compile(&document))
}

/// The owner of a bucket, whether its policy's statements are told to who was denied.
#[test]
fn the_policy_of_another_account_is_not_disclosed() {
    let denied = bucket_policy(r#""Effect":"Deny""#);
    for (owner, payload) in [("123456789012", true), ("210987654321", false)] {
        let evidence = DenialEvidence {
            owner: Some(owner.parse().unwrap()),
            action: "s3:GetObject".to_owned(),
            resource: "arn:aws:s3:::b/k".to_owned(),
            target: of_resource(Arc::clone(&denied)),
            ..denial(0, "bob", 0).evidence
        };
        let explanation = evidence.explain(true);
        assert!(!explanation.decision.is_allowed());
        let of_bucket = explanation.statements.iter();
        let of_bucket = of_bucket.filter(|e| e.statement.layer == PolicyLayer::Resource);
        assert_eq!(of_bucket.count() > 0, payload, "{explanation:?}");
        assert_eq!(
            !explanation.decided_by.is_empty(),
            payload,
            "{explanation:?}"
        );
        assert_eq!(explanation.to_string().contains("must not deny"), payload);
    }
}

#[test]
fn what_would_be_now_asks_the_policy_of_now() {
    let evidence = DenialEvidence {
        owner: Some("123456789012".parse().unwrap()),
        action: "s3:GetObject".to_owned(),
        resource: "arn:aws:s3:::b/k".to_owned(),
        target: of_resource(bucket_policy(r#""Effect":"Deny""#)),
        ..denial(0, "bob", 0).evidence
    };
    let attached = |policy| ResourcePolicy {
        owner: "123456789012".parse().unwrap(),
        policy,
        restricted: false,
        tags: None,
    };
    let open = attached(Some(bucket_policy(r#""Effect":"Allow""#)));
    let none = attached(None);
    let own = ResourcePolicy {
        restricted: true,
        ..open.clone()
    };
    let foreign = ResourcePolicy {
        owner: "210987654321".parse().unwrap(),
        ..own.clone()
    };
    let explicit = |decision: &Decision| matches!(decision, Decision::Deny(r) if r.is_explicit());
    let set = PolicySet::default();
    let decide = |now: Option<&ResourcePolicy>| evidence.decide_by(&set, now);
    assert!(explicit(&decide(None)), "the policy of then");
    assert_eq!(decide(Some(&open)), Decision::Allow);
    assert_eq!(decide(Some(&own)), Decision::Allow);
    for nothing in [none, foreign] {
        let silent = decide(Some(&nothing));
        assert!(!silent.is_allowed() && !explicit(&silent));
    }
}

#[test]
fn what_is_withheld_about_the_resource() {
    let own = "123456789012";
    let context = ContextMap::default()
        .with("aws:resourceaccount", "123456789012")
        .with("s3:existingobjecttag/a", "b")
        .with("aws:sourceip", "192.0.2.1");
    for (owner, disclosed, expected) in [
        (own, true, 3),
        (own, false, 2),
        ("210987654321", true, 1),
        ("210987654321", false, 1),
    ] {
        let evidence = DenialEvidence {
            owner: Some(owner.parse().unwrap()),
            context: context.clone(),
            ..denial(0, "bob", 0).evidence
        };
        let listed = evidence.context(disclosed).count();
        assert_eq!(listed, expected, "{owner} {disclosed}");
    }
}

/// A denied request of a session of the role.
fn denial_of_session(number: usize, session: usize) -> DeniedRequest {
    let account = "123456789012".parse().unwrap();
    let mut denial = denial(number, "bob", 1);
    denial.evidence.who = DeniedCaller::Principal(Principal::RoleSession(Box::new(RoleSession {
        account,
        role: "AROACKCEVSQ6C2EXAMPLE".parse().unwrap(),
        role_arn: Arn::iam(account, "role/r"),
        name: format!("s{session}"),
        arn: Arn::sts(account, &format!("assumed-role/r/s{session}")),
    })));
    denial
}

/// Session names cost nothing, so they are no way to a larger share.
#[test]
fn who_is_denied_often_pushes_out_their_own_denials_only() {
    let denials = DeniedRequests::default();
    for number in 0..10 {
        denials.record(Arc::new(denial(number, "bob", 1)));
    }
    for number in 10..10 + 2 * limits::DENIALS_PER_ACCOUNT {
        denials.record(Arc::new(denial_of_session(number, number)));
    }
    assert_eq!(ids(&denials, None, Some("bob"), usize::MAX).len(), 10);
    let all = ids(&denials, None, None, usize::MAX);
    assert_eq!(all.len(), limits::DENIALS_PER_ACCOUNT);
    let newest = 9 + 2 * limits::DENIALS_PER_ACCOUNT;
    assert_eq!(all[0], format!("request-{newest}"));
    // The same with large ones.
    for number in 0..8 {
        let mut large = denial_of_session(number, 0);
        let bytes = "x".repeat(limits::DENIAL_BYTES_PER_ACCOUNT / 2);
        large.evidence.context = ContextMap::default().with("aws:useragent", &bytes);
        denials.record(Arc::new(large));
    }
    assert_eq!(ids(&denials, None, Some("bob"), usize::MAX).len(), 10);
}

/// Whoever creates a session with a policy makes the server hold it as long as the denial.
#[test]
fn policies_count_once_for_each_principal() {
    let statements = vec![r#"{"Effect":"Allow","Action":"a:*","Resource":"*"}"#; 40].join(",");
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    let document = keywright_policy::parse(&text).unwrap();
    let compile = || Arc::new(Policy::compile(&document));
    let count = limits::DENIAL_BYTES_PER_ACCOUNT / compile().bytes();
    assert!(
        (10..limits::DENIALS_PER_ACCOUNT / 2).contains(&count),
        "{count}"
    );
    let (own, shared, one) = (
        DeniedRequests::default(),
        DeniedRequests::default(),
        compile(),
    );
    for number in 0..2 * count {
        for (denials, policy) in [(&own, compile()), (&shared, Arc::clone(&one))] {
            let mut denial = denial(number, "bob", 1);
            denial.evidence.set = PolicySet::default().with_session(vec![policy]);
            denials.record(Arc::new(denial));
        }
    }
    let retained = ids(&own, None, None, usize::MAX).len();
    assert!(
        (count / 2..=count).contains(&retained),
        "{retained} of {count}"
    );
    assert_eq!(ids(&shared, None, None, usize::MAX).len(), 2 * count);
}
