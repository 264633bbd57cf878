//! Decision latency: `cargo bench -p keywright-policy --bench decisions`. Backs the claims of the
//! README: a microsecond per decision, no growth with statements that the action does not match,
//! and linear growth with the text whatever the pattern.

mod fixture;

use std::{hint::black_box, sync::Arc};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use keywright_policy::{
    AccessRequest, ContextMap, Policy, PolicySet, PolicySource, PrincipalRef, evaluate, parse,
};
use serde_json::json;

#[expect(clippy::unwrap_used, reason = "the fixture's documents are policies")]
fn set(documents: &[String]) -> PolicySet {
    let compile = |text: &String| Arc::new(Policy::compile(&parse(text).unwrap()));
    let sourced = documents
        .iter()
        .map(|text| (PolicySource::Inline, compile(text)));
    PolicySet::new(sourced.collect())
}

#[expect(clippy::unwrap_used, reason = "twelve digits are an account")]
fn bob() -> PrincipalRef<'static> {
    PrincipalRef::User {
        account: "123456789012".parse().unwrap(),
        arn: "arn:aws:iam::123456789012:user/bob",
        id: "AIDACKCEVSQ6C2EXAMPLE",
        name: "bob",
    }
}

fn context() -> ContextMap {
    let pairs = fixture::KEYS.iter();
    pairs.fold(ContextMap::default(), |map, (key, value)| {
        map.with(key, value)
    })
}

fn user(criterion: &mut Criterion) {
    let set = set(&fixture::documents());
    let context = context();
    let mut group = criterion.benchmark_group("user with 10 managed policies and 2 groups");
    for (name, action, resource, allowed) in fixture::REQUESTS {
        let request = AccessRequest::new(bob(), action, resource, &context);
        assert_eq!(
            evaluate(&set, None, &request).is_allowed(),
            allowed,
            "{name}"
        );
        group.bench_function(name, |b| {
            b.iter(|| evaluate(&set, None, black_box(&request)));
        });
    }
    group.finish();
}

fn growth(criterion: &mut Criterion) {
    let context = context();
    let mut group = criterion.benchmark_group("statements");
    for (shape, name) in fixture::SHAPES {
        for count in [10, 100, 1000] {
            let set = set(&[fixture::many(count, name).to_string()]);
            let (action, resource) = fixture::OF_MANY;
            let request = AccessRequest::new(bob(), action, resource, &context);
            assert!(evaluate(&set, None, &request).is_allowed());
            group.bench_function(BenchmarkId::new(shape, count), |b| {
                b.iter(|| evaluate(&set, None, black_box(&request)));
            });
        }
    }
    group.finish();
}

/// Patterns that nearly match everywhere, against texts of increasing length.
fn patterns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("patterns");
    for (name, pattern) in [
        ("asterisks", "*a".repeat(500)),
        ("question marks", format!("*{}b*", "a?".repeat(500))),
        ("near miss", format!("*{}b*", "a".repeat(500))),
    ] {
        let condition = json!({"StringLike": {"k": format!("{pattern}c")}});
        let document = json!({"Statement": {
            "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}});
        let set = set(&[document.to_string()]);
        for length in [1_000, 2_000, 4_000, 8_000] {
            let context = ContextMap::default().with("k", &"a".repeat(length));
            let request = AccessRequest::new(bob(), "s3:GetObject", "arn:aws:s3:::b/k", &context);
            assert!(!evaluate(&set, None, &request).is_allowed());
            group.bench_function(BenchmarkId::new(name, length), |b| {
                b.iter(|| evaluate(&set, None, black_box(&request)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, user, growth, patterns);
criterion_main!(benches);
