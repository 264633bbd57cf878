//! The shortcut for a service that no policy names gives the same answer as evaluating every
//! policy.

use std::sync::Arc;

use crate::{
    AccessRequest, ContextMap, Decision, DenialCause, PoliciesInForce, Policy, PolicyLayer,
    PolicySet, PrincipalRef,
};
use crate::{PolicySource, parse};

fn policy(statements: &str) -> Arc<Policy> {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    Arc::new(Policy::compile(&parse(&text).unwrap()))
}

const S3: &str = r#"{"Effect":"Allow","Action":["s3:Get*","sqs:SendMessage"],"Resource":"*"}"#;
const NOT_S3: &str = r#"{"Effect":"Allow","NotAction":"s3:*","Resource":"*"}"#;
const EVERYTHING: &str = r#"{"Effect":"Deny","Action":"*","Resource":"*"}"#;
const ODD: &str = r#"{"Effect":"Deny","Action":"g*:Get","Resource":"*"}"#;

#[test]
fn the_same_answers_as_by_asking() {
    let silent = Err(DenialCause::Silent(PolicyLayer::Identity));
    let denied = |layer, source| Err(DenialCause::Explicit(layer, source));
    let inline = || Some(PolicySource::Inline);
    let unread = Err(DenialCause::Unintelligible);
    let (arn, long) = (
        "arn:aws:glue:eu-west-1:123456789012:table/t",
        "x".repeat(128),
    );
    for (statements, action, resource, expected) in [
        (S3, "glue:GetTable", arn, silent.clone()),
        (S3, "glue:GetTable", "*", silent),
        (S3, "S3:getobject", "arn:aws:s3:::b/k", Ok(())),
        (S3, "SQS:SendMessage", "*", Ok(())),
        (NOT_S3, "glue:GetTable", arn, Ok(())),
        (
            EVERYTHING,
            "glue:GetTable",
            arn,
            denied(PolicyLayer::Identity, inline()),
        ),
        (
            ODD,
            "glue:Get",
            arn,
            denied(PolicyLayer::Identity, inline()),
        ),
        (S3, "glue:GetTable", "table/t", unread.clone()),
        (S3, "glue:GetTable", "arn:aws:glue:table/t", unread.clone()),
        (S3, "glue", arn, unread.clone()),
        (S3, "glue:", arn, unread.clone()),
        (S3, ":GetTable", arn, unread.clone()),
        (S3, &format!("g:{long}"), arn, unread.clone()),
    ] {
        let set = PolicySet::new(vec![(PolicySource::Inline, policy(statements))]);
        assert_eq!(
            decide(&set, action, resource),
            expected,
            "{statements}: {action}"
        );
    }
    let bounded =
        PolicySet::new(vec![(PolicySource::Inline, policy(S3))]).with_boundary(policy(EVERYTHING));
    assert_eq!(
        decide(&bounded, "glue:GetTable", arn),
        denied(PolicyLayer::Boundary, None)
    );
    let organized = PolicySet::new(vec![(PolicySource::Inline, policy(S3))])
        .with_service_control(vec![vec![(PolicySource::Inline, policy(S3))]]);
    assert_eq!(
        decide(&organized, "glue:GetTable", arn),
        Err(DenialCause::Silent(PolicyLayer::ServiceControl))
    );
    let unreadable = PolicySet::unreadable();
    assert_eq!(
        decide(&unreadable, "glue:GetTable", arn),
        Err(DenialCause::Unreadable)
    );
}

fn decide(set: &PolicySet, action: &str, resource: &str) -> Result<(), DenialCause> {
    let bob = PrincipalRef::User {
        account: "123456789012".parse().unwrap(),
        arn: "arn:aws:iam::123456789012:user/bob",
        id: "AIDACKCEVSQ6C2EXAMPLE",
        name: "bob",
    };
    let context = ContextMap::default();
    let request = AccessRequest::new(bob, action, resource, &context);
    match PoliciesInForce::new(set).decide(&request) {
        Decision::Allow => Ok(()),
        Decision::Deny(reason) => Err(reason.cause),
    }
}
