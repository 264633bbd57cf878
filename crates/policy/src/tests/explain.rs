//! Explanations and context keys. A denied request must show which statement denied it, why the
//! others did not apply, and what would have allowed it.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    AccessRequest, ConditionTrace, ContextMap, Decision, ElementValues, Explanation, FoundValue,
    MissingAllow, PoliciesInForce, Policy, PolicyLayer, PolicySet, PolicySource, PrincipalRef,
    SimulationOutcome, StatementMismatch, VariableTrace, context_keys, explain,
    missing_context_keys, parse, simulate,
};

const READ: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Sid": "Lists", "Effect": "Allow", "Action": "s3:List*", "Resource": "*"},
    {"Sid": "Reads", "Effect": "Allow", "Action": "s3:GetObject",
     "Resource": "arn:aws:s3:::b/${aws:PrincipalTag/team}/*",
     "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
                   "Bool": {"aws:SecureTransport": "true"}}}]}"#;
const GUARD: &str = r#"{"Version": "2012-10-17", "Statement": {
    "Effect": "Deny", "NotAction": "iam:*", "Resource": "*",
    "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}}"#;

fn policy(text: &str, id: &str) -> Arc<Policy> {
    Arc::new(Policy::compile(&parse(text).unwrap()).with_id(id))
}

fn bob() -> PrincipalRef<'static> {
    PrincipalRef::User {
        account: "123456789012".parse().unwrap(),
        arn: "arn:aws:iam::123456789012:user/bob",
        id: "AIDACKCEVSQ6C2EXAMPLE",
        name: "bob",
    }
}

fn set() -> PolicySet {
    let managed = PolicySource::Managed("arn:aws:iam::123456789012:policy/guard".into());
    let guard = Arc::new(Policy::compile(&parse(GUARD).unwrap()));
    PolicySet::new(vec![
        (PolicySource::Inline, policy(READ, "user_bob_read")),
        (managed, guard),
    ])
}

fn ask(set: &PolicySet, context: &ContextMap) -> Explanation {
    let request = AccessRequest::new(bob(), "s3:GetObject", "arn:aws:s3:::b/red/k", context);
    let policies = PoliciesInForce::new(set);
    let explanation = explain(&policies, &request);
    assert_eq!(explanation.decision, policies.decide(&request));
    explanation
}

#[test]
fn an_allow_names_the_statement() {
    let context = ContextMap::default()
        .with("aws:PrincipalTag/team", "red")
        .with("aws:SourceIp", "10.1.1.1")
        .with("aws:SecureTransport", "true")
        .with("aws:MultiFactorAuthPresent", "true");
    let explanation = ask(&set(), &context);
    assert_eq!(explanation.decision, Decision::Allow);
    let [by] = explanation.decided_by.as_slice() else {
        panic!("{explanation}");
    };
    assert_eq!(by.id.as_deref(), Some("user_bob_read"));
    assert_eq!((by.index, by.sid.as_deref()), (1, Some("Reads")));
    let text = READ.get(by.span.start..by.span.end).unwrap();
    assert!(text.starts_with(r#"{"Sid": "Reads""#));
    assert_eq!(
        explanation.to_string(),
        "allowed\n  by statement 2 (Reads) of identity-based policy user_bob_read\n"
    );
}

#[test]
fn a_silence_says_what_was_lacking() {
    let context = ContextMap::default()
        .with("aws:SourceIp", "192.0.2.1")
        .with("aws:SecureTransport", "true");
    let explanation = ask(&set(), &context);
    let lists = &explanation.statements[0];
    assert_eq!(lists.mismatches, [StatementMismatch::Action]);
    let reads = &explanation.statements[1];
    let address = StatementMismatch::Condition(ConditionTrace {
        operator: "IpAddress".to_owned(),
        key: "aws:SourceIp".to_owned(),
        wanted: vec!["10.0.0.0/8".to_owned()],
        variables: Vec::new(),
        found: FoundValue::One("192.0.2.1".to_owned()),
    });
    let resource = StatementMismatch::Resource {
        about: ElementValues {
            negated: false,
            listed: vec!["arn:aws:s3:::b/${aws:PrincipalTag/team}/*".to_owned()],
        },
        variables: vec![VariableTrace {
            key: "aws:principaltag/team".to_owned(),
            value: None,
        }],
    };
    assert_eq!(reads.mismatches, [resource, address]);
    // The key is absent, so the MFA guard denies as well.
    assert_eq!(
        explanation.decided_by[0].id.as_deref(),
        Some("arn:aws:iam::123456789012:policy/guard")
    );
    let [guard, MissingAllow::Allow { layer, nearest }] = explanation.needs.as_slice() else {
        panic!("{explanation}");
    };
    let MissingAllow::WithoutDeny {
        statement,
        conditions,
        spares,
    } = guard
    else {
        panic!("{explanation}");
    };
    assert_eq!(statement, &explanation.decided_by[0]);
    assert!(spares.is_empty());
    assert_eq!(
        conditions.as_slice(),
        [ConditionTrace {
            operator: "BoolIfExists".to_owned(),
            key: "aws:MultiFactorAuthPresent".to_owned(),
            wanted: vec!["false".to_owned()],
            variables: Vec::new(),
            found: FoundValue::Absent,
        }]
    );
    assert_eq!(*layer, PolicyLayer::Identity);
    assert_eq!(nearest.as_slice(), std::slice::from_ref(reads));
    assert_eq!(
        explanation.to_string(),
        "explicitly denied\n  \
         by statement 1 of identity-based policy arn:aws:iam::123456789012:policy/guard\n  \
         needed: statement 1 of identity-based policy arn:aws:iam::123456789012:policy/guard must \
         not deny, as it does if BoolIfExists aws:MultiFactorAuthPresent = false (found: no such \
         key)\n  \
         needed: an Allow in identity-based policy for s3:GetObject on arn:aws:s3:::b/red/k; \
         statement 2 (Reads) of identity-based policy user_bob_read lacks: the resource (about \
         arn:aws:s3:::b/${aws:PrincipalTag/team}/*; aws:principaltag/team has no value), the \
         condition IpAddress aws:SourceIp = 10.0.0.0/8 (found: 192.0.2.1)\n"
    );
}

#[test]
fn every_layer_that_is_silent_is_needed() {
    let nothing = policy(
        r#"{"Statement": {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}}"#,
        "x",
    );
    let set = PolicySet::default()
        .with_boundary(Arc::clone(&nothing))
        .with_session(vec![Arc::clone(&nothing)])
        .with_service_control(vec![vec![(PolicySource::Inline, Arc::clone(&nothing))]]);
    let request = AccessRequest {
        owner: Some("210987654321".parse().unwrap()),
        ..AccessRequest::new(bob(), "s3:GetObject", "arn:aws:s3:::b/k", &())
    };
    let explanation = explain(
        &PoliciesInForce::new(&set).with_resource(&nothing),
        &request,
    );
    let layers: Vec<PolicyLayer> = explanation
        .needs
        .iter()
        .map(|need| match need {
            MissingAllow::Allow { layer, .. } => *layer,
            MissingAllow::WithoutDeny { .. } => panic!("nothing denies"),
        })
        .collect();
    let wanted = [
        PolicyLayer::ServiceControl,
        PolicyLayer::Resource,
        PolicyLayer::Identity,
        PolicyLayer::Boundary,
        PolicyLayer::Session,
    ];
    assert_eq!(layers, wanted);
}

#[test]
fn what_cannot_be_read_has_no_explanation() {
    let set = PolicySet::unreadable();
    let context = ContextMap::default();
    let explanation = ask(&set, &context);
    assert!(!explanation.decision.is_allowed());
    assert!(explanation.statements.is_empty() && explanation.needs.is_empty());
}

#[test]
fn keys_of_conditions_and_of_variables() {
    let documents = [parse(READ).unwrap(), parse(GUARD).unwrap()];
    let all = [
        "aws:MultiFactorAuthPresent",
        "aws:principaltag/team",
        "aws:SecureTransport",
        "aws:SourceIp",
    ];
    assert_eq!(context_keys(&documents), all);
    let context = ContextMap::default().with("AWS:sourceip", "10.0.0.1");
    let set = set();
    let request = AccessRequest::new(bob(), "s3:GetObject", "arn:aws:s3:::b/k", &context);
    let missing = missing_context_keys(&PoliciesInForce::new(&set), &request);
    let missing: BTreeSet<&str> = missing.iter().map(String::as_str).collect();
    assert_eq!(missing, BTreeSet::from([all[0], all[1], all[2]]));
    let values = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*",
        "Resource": "*", "Condition": {"StringEquals": {"a:k": "${a:text}"},
        "StringEqualsIgnoreCase": {"a:k": "${a:any}"}, "Bool": {"a:k": "${a:truth}"},
        "ArnLike": {"a:k": ["${a:arn}", "arn:aws:sns:*:${a:account}:x"]}}}}"#;
    let keys = ["a:account", "a:any", "a:arn", "a:k", "a:text", "a:truth"];
    assert_eq!(context_keys(&[parse(values).unwrap()]), keys);
}

#[test]
fn values_of_variables_and_names_of_policies_are_reported() {
    let own = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*",
        "Resource": "*", "Condition": {"StringEquals": {
            "s3:prefix": "${aws:username}/${s3:delimiter, '/'}"}}}}"#;
    let bucket = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*",
        "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:user/eve"}, "Resource": "*"}}"#;
    let boundary = r#"{"Statement": {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}}"#;
    let set = PolicySet::new(vec![(PolicySource::Inline, policy(own, "own"))])
        .with_boundary(policy(boundary, "bound"));
    let context = ContextMap::default().with("s3:prefix", "x");
    let request = AccessRequest::new(bob(), "s3:ListBucket", "arn:aws:s3:::b", &context);
    let bucket = policy(bucket, "b");
    let mut payload = explain(&PoliciesInForce::new(&set).with_resource(&bucket), &request);
    payload.name_policies(|layer, place| {
        (layer == PolicyLayer::Identity).then(|| format!("own of user bob, {place}"))
    });
    assert_eq!(
        payload.to_string(),
        "explicitly denied\n  \
         by statement 1 of resource-based policy b\n  \
         needed: statement 1 of resource-based policy b must not deny all but \
         arn:aws:iam::123456789012:user/eve, whose accounts have to be listed too\n  \
         needed: an Allow in identity-based policy for s3:ListBucket on arn:aws:s3:::b; statement \
         1 of identity-based policy own of user bob, 0 lacks: the condition StringEquals s3:prefix \
         = ${aws:username}/${s3:delimiter, '/'} (found: x; aws:username is bob; s3:delimiter is \
         /)\n  \
         needed: an Allow in permissions boundary bound for s3:ListBucket on arn:aws:s3:::b\n"
    );
}

/// One word per layer: what its only statement does to `s3:GetObject`.
fn stance(word: &str) -> Arc<Policy> {
    let (effect, action) = match word {
        "silent" => ("Allow", "ec2:*"),
        effect => (effect, "s3:*"),
    };
    let statement = format!(r#"{{"Effect": "{effect}", "Action": "{action}", "Resource": "*"}}"#);
    policy(&format!(r#"{{"Statement": {statement}}}"#), word)
}

#[test]
fn simulations_say_what_the_api_says() {
    use SimulationOutcome::{Allowed, ExplicitDeny, ImplicitDeny};
    // Identity, boundary, organization; outcome, matching layers, boundary allows, organization
    // allows.
    let rows = [
        ("Allow", None, None, Allowed, 1, None, None),
        ("silent", None, None, ImplicitDeny, 0, None, None),
        ("Deny", None, None, ExplicitDeny, 1, None, None),
        ("Allow", Some("Allow"), None, Allowed, 1, Some(true), None),
        (
            "Allow",
            Some("silent"),
            None,
            ImplicitDeny,
            0,
            Some(false),
            None,
        ),
        (
            "Allow",
            Some("Deny"),
            None,
            ExplicitDeny,
            1,
            Some(false),
            None,
        ),
        ("Allow", None, Some("Allow"), Allowed, 1, None, Some(true)),
        (
            "Allow",
            None,
            Some("silent"),
            ImplicitDeny,
            0,
            None,
            Some(false),
        ),
        (
            "Allow",
            Some("Allow"),
            Some("Deny"),
            ExplicitDeny,
            0,
            Some(true),
            Some(false),
        ),
    ];
    for (identity, boundary, organization, outcome, matched, by_boundary, by_organization) in rows {
        let mut set = PolicySet::new(vec![(PolicySource::Inline, stance(identity))]);
        set.boundary = boundary.map(stance);
        if let Some(word) = organization {
            set = set.with_service_control(vec![vec![(PolicySource::Inline, stance(word))]]);
        }
        let request = AccessRequest::new(bob(), "s3:GetObject", "arn:aws:s3:::b/k", &());
        let simulation = simulate(&PoliciesInForce::new(&set), &request);
        let got = (
            simulation.outcome,
            simulation.matched.len(),
            simulation.allowed_by_boundary,
            simulation.allowed_by_organizations,
        );
        let row = (identity, boundary, organization);
        assert_eq!(
            got,
            (outcome, matched, by_boundary, by_organization),
            "{row:?}"
        );
    }
}
