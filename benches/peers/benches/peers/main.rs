//! One decision by each evaluator, over the same documents and the same requests. It protects one
//! rule: who decides differently is said so and not measured on that request.
//!
//! Cedar is another language: each statement becomes a Cedar policy, each action pattern a group of
//! actions, each resource pattern and condition a clause of `when`; the user's name is filled in.

#[path = "../../../../crates/policy/benches/fixture/mod.rs"]
mod fixture;

mod cedar;

use std::{hint::black_box, str::FromStr, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use keywright_policy as ours;

fn ours() -> (ours::PolicySet, ours::ContextMap) {
    let compile = |text: &String| ours::Policy::compile(&ours::parse(text).unwrap());
    let texts = fixture::documents();
    let policies = texts
        .iter()
        .map(|text| (ours::Source::Inline, Arc::new(compile(text))));
    let keys = fixture::KEYS.iter();
    let context = keys.fold(ours::ContextMap::default(), |map, (k, v)| map.with(k, v));
    (ours::PolicySet::new(policies.collect()), context)
}

fn iam_rs() -> iam_rs::PolicyEvaluator {
    let texts = fixture::documents();
    let policies = texts
        .iter()
        .map(|text| iam_rs::IAMPolicy::from_json(text).unwrap());
    iam_rs::PolicyEvaluator::with_policies(policies.collect())
}

fn iam_rs_request(action: &str, resource: &str) -> iam_rs::IAMRequest {
    let arn = "arn:aws:iam::123456789012:user/bob".to_owned();
    let principal = iam_rs::Principal::Aws(iam_rs::PrincipalId::String(arn));
    let mut context = iam_rs::Context::new().with_string("aws:username", "bob");
    for (key, value) in fixture::KEYS {
        context = context.with_string(key, value);
    }
    let resource = iam_rs::Arn::parse(resource).unwrap();
    iam_rs::IAMRequest::new_with_context(principal, action, resource, context)
}

/// The policies that the crate can read; what it cannot is said and is to its advantage.
fn aspen() -> scratchstack_aspen::PolicySet {
    let mut set = scratchstack_aspen::PolicySet::new();
    for (number, text) in fixture::documents().iter().enumerate() {
        let policy = match scratchstack_aspen::Policy::from_str(text) {
            Ok(policy) => policy,
            Err(error) => {
                println!("aspen cannot read policy {number}: {error}");
                continue;
            }
        };
        let source = scratchstack_aspen::PolicySource::new_entity_attached_policy(
            format!("arn:aws:iam::aws:policy/p{number}"),
            "ANPAEXAMPLE",
            "v1",
        );
        set.add_policy(source, policy);
    }
    set
}

fn aspen_context(action: &str, resource: &str) -> scratchstack_aspen::Context {
    use scratchstack_aws_principal::{
        Principal, PrincipalIdentity, SessionData, SessionValue, User,
    };
    let user = User::new("aws", "123456789012", "/", "bob").unwrap();
    let mut data = SessionData::new();
    data.insert("aws:username", SessionValue::from("bob"));
    for (key, value) in fixture::KEYS {
        data.insert(key, SessionValue::from(value));
    }
    let (service, api) = action.split_once(':').unwrap();
    scratchstack_aspen::Context::builder()
        .service(service)
        .api(api)
        .actor(Principal::from(vec![PrincipalIdentity::from(user)]))
        .resources(vec![scratchstack_arn::Arn::from_str(resource).unwrap()])
        .session_data(data)
        .build()
        .unwrap()
}

fn peers(criterion: &mut Criterion) {
    let (set, context) = ours();
    let evaluator = iam_rs();
    let aspen = aspen();
    let cedar = cedar::Peer::new();
    let principal = ours::PrincipalRef::User {
        account: "123456789012".parse().unwrap(),
        arn: "arn:aws:iam::123456789012:user/bob",
        id: "AIDACKCEVSQ6C2EXAMPLE",
        name: "bob",
    };
    for (name, action, resource, allowed) in fixture::REQUESTS {
        let mut group = criterion.benchmark_group(name);
        let request = ours::Request::new(principal, action, resource, &context);
        assert_eq!(ours::evaluate(&set, None, &request).is_allowed(), allowed);
        group.bench_function("keywright", |b| {
            b.iter(|| ours::evaluate(&set, None, black_box(&request)));
        });
        let request = iam_rs_request(action, resource);
        match evaluator.evaluate(&request) {
            Ok(result) if (result.decision == iam_rs::Decision::Allow) == allowed => {
                group.bench_function("iam-rs", |b| {
                    b.iter(|| evaluator.evaluate(black_box(&request)));
                });
            }
            other => println!(
                "{name}: iam-rs decides otherwise: {:?}",
                other.map(|r| r.decision)
            ),
        }
        let asked = aspen_context(action, resource);
        let allow = scratchstack_aspen::Decision::Allow;
        match aspen.evaluate(&asked) {
            Ok((decision, _)) if (decision == allow) == allowed => {
                group.bench_function("scratchstack-aspen", |b| {
                    b.iter(|| aspen.evaluate(black_box(&asked)));
                });
            }
            other => println!("{name}: aspen decides otherwise: {:?}", other.map(|r| r.0)),
        }
        let request = cedar.request(action, resource);
        if cedar.allows(&request) == allowed {
            group.bench_function("cedar-policy", |b| {
                b.iter(|| cedar.allows(black_box(&request)))
            });
        } else {
            println!("{name}: cedar decides otherwise");
        }
        group.finish();
    }
}

criterion_group!(benches, peers);
criterion_main!(benches);
