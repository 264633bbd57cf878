//! Decisions about everything under a prefix: each row is a policy and its outcome.

use std::sync::Arc;

use keywright_base::AccountId;

use crate::{
    AccessRequest, ContextMap, Policy, PolicySet, PolicySource, PrincipalRef, evaluate_every, parse,
};

const TEAM: &str = "arn:aws:iam::123456789012:user/team/";

fn open(key: &str) -> bool {
    key.starts_with("iam:resourcetag/") && key != "iam:resourcetag/fixed"
}

fn decides(statements: &str) -> bool {
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#);
    let document = parse(&text).unwrap();
    let policy = Arc::new(Policy::compile(&document));
    let set = PolicySet::new(vec![(PolicySource::Inline, policy)]);
    let context = ContextMap::default().with("iam:ResourceTag/fixed", "yes");
    let principal = PrincipalRef::User {
        account: AccountId::new(123_456_789_012).unwrap(),
        arn: "arn:aws:iam::123456789012:user/team/bob",
        id: "AIDAEXAMPLEEXAMPLEEXA",
        name: "bob",
    };
    let request = AccessRequest::new(principal, "iam:CreateAccessKey", TEAM, &context);
    evaluate_every(&set, &request, &open).is_allowed()
}

fn allow(resource: &str, more: &str) -> String {
    statement("Allow", resource, more)
}

fn statement(effect: &str, resource: &str, more: &str) -> String {
    let user = resource.replace("U/", "arn:aws:iam::123456789012:user/");
    format!(r#"{{"Effect": "{effect}", "Action": "iam:*", {user}{more}}}"#)
}

#[test]
fn an_allow_counts_if_it_covers_all() {
    for (resource, more, expected) in [
        (r#""Resource": "*""#, "", true),
        (r#""Resource": "U/*""#, "", true),
        (r#""Resource": "U/team/*""#, "", true),
        (r#""Resource": "U/team/?*""#, "", true),
        (r#""Resource": "arn:aws:iam::*""#, "", true),
        (r#""Resource": "U/team/??*""#, "", false),
        (r#""Resource": "U/team/?""#, "", false),
        (r#""Resource": ["U/team/?", "U/team/??*"]"#, "", false),
        (r#""Resource": "U/team/bob""#, "", false),
        (r#""Resource": "U/team/${aws:username}""#, "", false),
        (r#""Resource": "U/team/*-ci""#, "", false),
        (r#""Resource": "U/team/a*""#, "", false),
        (r#""Resource": "U/${iam:ResourceTag/x, '*'}""#, "", false),
        (r#""NotResource": "U/other/*""#, "", true),
        (r#""NotResource": "arn:aws:s3:::*""#, "", true),
        (r#""NotResource": "U/team/root""#, "", false),
        (r#""NotResource": "U/*/root""#, "", false),
        (
            r#""Resource": "*""#,
            r#", "Condition": {"StringNotEquals": {"iam:ResourceTag/tier": "gold"}}"#,
            false,
        ),
        (
            r#""Resource": "*""#,
            r#", "Condition": {"Null": {"iam:ResourceTag/tier": "true"}}"#,
            false,
        ),
        (
            r#""Resource": "*""#,
            r#", "Condition": {"StringEquals": {"iam:ResourceTag/fixed": "yes"}}"#,
            true,
        ),
        (
            r#""Resource": "*""#,
            r#", "Condition": {"StringEquals": {"iam:ResourceTag/fixed": "no"}}"#,
            false,
        ),
    ] {
        assert_eq!(
            decides(&allow(resource, more)),
            expected,
            "{resource}{more}"
        );
    }
    let two = [r#""Resource": "U/team/?""#, r#""Resource": "U/team/??*""#];
    let two = two.map(|resource| allow(resource, "")).join(",");
    assert!(!decides(&two), "each covers a part");
}

#[test]
fn a_deny_counts_if_it_could_meet_one() {
    for (resource, more, expected) in [
        (r#""Resource": "*""#, "", false),
        (r#""Resource": "U/team/root""#, "", false),
        (r#""Resource": "U/*-admin""#, "", false),
        (r#""Resource": "U/${aws:PrincipalTag/x}""#, "", false),
        (r#""Resource": "U/other/*""#, "", true),
        (r#""Resource": "arn:aws:s3:::*""#, "", true),
        (r#""NotResource": "U/${aws:username}""#, "", false),
        (r#""NotResource": "U/team/*""#, "", true),
        (r#""NotResource": "U/team/?""#, "", false),
        (
            r#""Resource": "*""#,
            r#", "Condition": {"StringEquals": {"iam:ResourceTag/tier": "gold"}}"#,
            false,
        ),
        (
            r#""Resource": "*""#,
            r#", "Condition": {"StringEquals": {"iam:ResourceTag/fixed": "no"}}"#,
            true,
        ),
        (
            r#""Resource": "*""#,
            r#", "Condition": {"Bool": {"aws:SecureTransport": "false"}}"#,
            true,
        ),
    ] {
        let all = allow(r#""Resource": "*""#, "");
        let both = format!("{all},{}", statement("Deny", resource, more));
        assert_eq!(decides(&both), expected, "{resource}{more}");
    }
}

#[test]
fn the_root_user_needs_no_policy_and_an_unreadable_set_denies() {
    let context = ContextMap::default();
    let root = PrincipalRef::Root {
        account: AccountId::new(123_456_789_012).unwrap(),
        arn: "arn:aws:iam::123456789012:root",
    };
    let request = AccessRequest::new(root, "iam:CreateAccessKey", TEAM, &context);
    let decided = |set: &PolicySet| evaluate_every(set, &request, &open).is_allowed();
    assert!(decided(&PolicySet::default()));
    assert!(!decided(&PolicySet::unreadable()));
}
