//! Actions without resource types that are matched against an ARN: decision, explanation and
//! simulation agree, however the request is put.

use std::sync::Arc;

use keywright_base::AccountId;

use crate::{
    AccessRequest, Decision, PoliciesInForce, Policy, PolicySet, PolicySource, PrincipalRef,
    SimulationOutcome, explain, parse, simulate,
};

/// The decision on `*`, after comparing it with the results of the other functions.
fn decided(effects: &[(&str, &str)], action: &str) -> SimulationOutcome {
    let account: AccountId = "111122223333".parse().unwrap();
    let principal = PrincipalRef::User {
        account,
        arn: "arn:aws:iam::111122223333:user/ann",
        id: "AIDAEXAMPLE",
        name: "ann",
    };
    let policy = |(effect, resource): &(&str, &str)| {
        let text = format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "{effect}",
                "Action": "{action}", "Resource": "{resource}"}}}}"#
        );
        let document = parse(&text).unwrap();
        (PolicySource::Inline, Arc::new(Policy::compile(&document)))
    };
    let set = PolicySet::new(effects.iter().map(policy).collect());
    let policies = PoliciesInForce::new(&set);
    let request = AccessRequest::new(principal, action, "*", &());
    let decision = policies.decide(&request);
    assert_eq!(explain(&policies, &request).decision, decision);
    let outcome = simulate(&policies, &request).outcome;
    assert_eq!(outcome, SimulationOutcome::from(&decision));
    if action == "s3:ListAllMyBuckets" {
        let named = AccessRequest::new(principal, action, "arn:aws:s3:::*", &());
        assert_eq!(policies.decide(&named), decision, "{effects:?}");
    }
    assert_eq!(
        decision == Decision::Allow,
        outcome == SimulationOutcome::Allowed
    );
    outcome
}

#[test]
fn the_implied_resource_is_matched() {
    use SimulationOutcome::{Allowed, ExplicitDeny, ImplicitDeny};
    const BUCKETS: &str = "s3:ListAllMyBuckets";
    const USERS: &str = "iam:ListUsers";
    let everything = ("Allow", "*");
    for (action, effects, expected) in [
        (BUCKETS, &[("Allow", "arn:aws:s3:::*")][..], Allowed),
        (BUCKETS, &[("Allow", "arn:*:s3:::*")], Allowed),
        (BUCKETS, &[everything], Allowed),
        (BUCKETS, &[("Allow", "arn:aws:s3:::team-*")], ImplicitDeny),
        (BUCKETS, &[("Allow", "arn:aws:s3:::*/*")], ImplicitDeny),
        (BUCKETS, &[("Allow", "arn:aws-cn:s3:::*")], ImplicitDeny),
        (
            BUCKETS,
            &[everything, ("Deny", "arn:aws:s3:::*")],
            ExplicitDeny,
        ),
        (
            BUCKETS,
            &[everything, ("Deny", "arn:aws:s3:::team-*")],
            Allowed,
        ),
        (
            USERS,
            &[("Allow", "arn:aws:iam::111122223333:user/*")],
            Allowed,
        ),
        (USERS, &[("Allow", "arn:aws:iam::*:user/")], Allowed),
        (
            USERS,
            &[("Allow", "arn:aws:iam::444455556666:user/*")],
            ImplicitDeny,
        ),
        (
            USERS,
            &[("Allow", "arn:aws:iam::111122223333:role/*")],
            ImplicitDeny,
        ),
        (
            USERS,
            &[everything, ("Deny", "arn:aws:iam::*:user/*")],
            ExplicitDeny,
        ),
        (
            "iam:ListRoles",
            &[("Allow", "arn:aws:iam::*:role/*")],
            Allowed,
        ),
        (
            "IAM:listgroups",
            &[("Allow", "arn:aws:iam::*:group/*")],
            Allowed,
        ),
        (
            "iam:ListPolicies",
            &[("Allow", "arn:aws:iam::*:policy/*")],
            ImplicitDeny,
        ),
        (
            "iam:GetAccountSummary",
            &[("Allow", "arn:aws:iam::*:*")],
            ImplicitDeny,
        ),
    ] {
        assert_eq!(decided(effects, action), expected, "{action} {effects:?}");
    }
}
