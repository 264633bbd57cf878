//! Runs a case of the reference evaluator through the crate. Both get the same policies as text and
//! the same request, and only their outcomes are compared.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::sync::Arc;

use keywright_policy::{
    AccessRequest, ContextMap, ContextValues, Decision, DenialCause, PoliciesInForce, Policy,
    PolicyLayer, PolicyLevel, PolicySet, PolicySource, PrincipalRef, explain, parse,
};
use serde_json::Value as Json;

use super::reference::{
    self, Caller, Case, Given,
    generate::{self, Draw, Kind},
};

/// The difference for a seed, as text.
pub(crate) fn difference(seed: u64) -> Option<String> {
    let case = generate::case(seed);
    let wanted = reference::decide(&case);
    let given = decide(&case);
    (wanted != given)
        .then(|| format!("seed {seed}: the reference says {wanted:?}, the crate {given:?}\n{case}"))
}

/// The law that a seed's case breaks, as text.
pub(crate) fn algebra(seed: u64) -> Option<String> {
    let case = generate::case(seed);
    let before = decide(&case).is_ok();
    let draw = &mut Draw::new(!seed);
    let mut added = |effect| {
        let statement = generate::statement(draw, Kind::Identity, Some(effect));
        serde_json::json!({"Version": "2012-10-17", "Statement": statement})
    };
    let mut denied = case.clone();
    denied.identity.push(added("Deny"));
    if !before && decide(&denied).is_ok() {
        return Some(format!("seed {seed}: a Deny allowed\n{denied}"));
    }
    let mut allowed = case.clone();
    allowed.identity.push(added("Allow"));
    if before && decide(&allowed).is_err() {
        return Some(format!("seed {seed}: an Allow denied\n{allowed}"));
    }
    let mut reversed = case.clone();
    reversed.identity.reverse();
    for policy in reversed.identity.iter_mut().chain(&mut reversed.attached) {
        if let Some(statements) = policy["Statement"].as_array_mut() {
            statements.reverse();
        }
    }
    if decide(&reversed) != decide(&case) {
        return Some(format!("seed {seed}: the order matters\n{case}"));
    }
    None
}

/// The crate's outcome in the reference's format. The explanation must agree.
fn decide(case: &Case) -> Result<(), String> {
    let level = |level: &Vec<Json>| level.iter().map(sourced).collect();
    let mut set = PolicySet::new(level(&case.identity));
    set.boundary = case.boundary.as_ref().map(compile);
    set.session = case
        .session
        .as_ref()
        .map(|all| all.iter().map(compile).collect());
    set.service_control = case.service_control.iter().map(level).collect();
    let resource_control: Vec<PolicyLevel> = case.resource_control.iter().map(level).collect();
    let attached = case.attached.as_ref().map(compile);
    let mut policies = PoliciesInForce {
        resource_control: &resource_control,
        ..PoliciesInForce::new(&set)
    };
    if let Some(attached) = &attached {
        policies = match case.trust {
            true => policies.with_trust(attached),
            false => policies.with_resource(attached),
        };
    }
    let mut context = ContextMap::default();
    for (key, given) in &case.context {
        let values = match given {
            Given::One(value) => ContextValues::one(value.clone()),
            Given::List(values) => ContextValues::many(values.iter().cloned()),
        };
        context.set(key, values);
    }
    let request = AccessRequest {
        owner: case.owner.as_ref().map(|owner| owner.parse().unwrap()),
        ..AccessRequest::new(caller(case.caller), &case.action, &case.resource, &context)
    };
    let decision = policies.decide(&request);
    let explanation = explain(&policies, &request);
    assert_eq!(explanation.decision, decision);
    let explicit = matches!(&decision, Decision::Deny(reason) if reason.is_explicit());
    let by_deny = explanation.decided_by.iter().any(|_| explicit);
    assert_eq!(by_deny, explicit, "{explanation:?}");
    assert_eq!(
        explanation.needs.is_empty(),
        decision.is_allowed(),
        "{explanation:?}"
    );
    match decision {
        Decision::Allow => Ok(()),
        Decision::Deny(reason) => Err(match reason.cause {
            DenialCause::Explicit(layer, _) => format!("explicit {}", name(layer)),
            DenialCause::Silent(layer) => format!("silent {}", name(layer)),
            other => format!("{other:?}"),
        }),
    }
}

const fn name(layer: PolicyLayer) -> &'static str {
    match layer {
        PolicyLayer::Identity => "identity",
        PolicyLayer::Resource => "resource",
        PolicyLayer::Boundary => "boundary",
        PolicyLayer::Session => "session",
        PolicyLayer::Trust => "trust",
        PolicyLayer::ServiceControl => "service control",
        PolicyLayer::ResourceControl => "resource control",
    }
}

fn compile(policy: &Json) -> Arc<Policy> {
    let text = policy.to_string();
    let document = parse(&text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    Arc::new(Policy::compile(&document))
}

fn sourced(policy: &Json) -> (PolicySource, Arc<Policy>) {
    (PolicySource::Inline, compile(policy))
}

const BOB_ID: &str = "AIDACKCEVSQ6C2EXAMPLE";

fn caller(caller: Caller) -> PrincipalRef<'static> {
    let account = "123456789012".parse().unwrap();
    let arn = reference::arn(caller);
    match caller {
        Caller::Root => PrincipalRef::Root { account, arn },
        Caller::User => PrincipalRef::User {
            account,
            arn,
            id: BOB_ID,
            name: "bob",
        },
        Caller::Role | Caller::ServiceLinkedRole => PrincipalRef::AssumedRole {
            account,
            arn,
            role_arn: reference::role_arn(caller),
            role_id: "AROACKCEVSQ6C2EXAMPLE",
            session: "ci",
        },
        Caller::Federated => PrincipalRef::FederatedUser {
            account,
            arn,
            name: "fred",
            issuer_arn: "arn:aws:iam::123456789012:user/team/bob",
            issuer_id: BOB_ID,
        },
        Caller::Service => PrincipalRef::Service("ec2.amazonaws.com"),
        Caller::Provider => PrincipalRef::Federated("accounts.google.com"),
        Caller::Anonymous => PrincipalRef::Anonymous,
    }
}
