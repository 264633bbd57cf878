//! Compares the crate with the reference evaluator, and checks the algebra of policies. Decisions
//! must be what AWS documents, whatever the crate does to be fast.
//!
//! `cargo bench -p keywright-policy --bench differential -- 1000000` compares any number of pairs;
//! these tests compare as many as their time allows.

mod compare;
mod reference;

use std::collections::BTreeMap;

use reference::Seen;

/// Seeds of cases that once differed.
const REGRESSIONS: &[u64] = &[189_220];

const CASES: u64 = 20_000;

#[test]
fn decisions_are_the_references() {
    for seed in REGRESSIONS.iter().copied().chain(0..CASES) {
        if let Some(difference) = compare::difference(seed) {
            panic!("{difference}");
        }
    }
}

#[test]
fn the_algebra_of_policies() {
    for seed in 0..5_000 {
        if let Some(violation) = compare::algebra(seed) {
            panic!("{violation}");
        }
    }
}

/// The generator must reach everything, or the comparison proves nothing: every outcome is
/// frequent, and every operator with every prefix and suffix both holds and fails on every form of
/// a value.
#[test]
fn the_generator_reaches_everything() {
    let mut outcomes = BTreeMap::<String, usize>::new();
    let mut conditions = BTreeMap::<Seen, usize>::new();
    for seed in 0..CASES {
        let case = reference::generate::case(seed);
        let outcome = reference::decide(&case);
        let name = outcome.err().unwrap_or_else(|| "allowed".to_owned());
        *outcomes.entry(name).or_default() += 1;
        for seen in reference::conditions(&case) {
            *conditions.entry(seen).or_default() += 1;
        }
    }
    check_outcomes(&outcomes);
    let missing: Vec<_> = ways()
        .into_iter()
        .filter(|way| !conditions.contains_key(way))
        .collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}

fn check_outcomes(outcomes: &BTreeMap<String, usize>) {
    let layers = [
        "identity",
        "boundary",
        "session",
        "resource",
        "trust",
        "service control",
        "resource control",
    ];
    let denied = ["explicit", "silent"]
        .iter()
        .flat_map(|c| layers.map(|l| format!("{c} {l}")));
    for outcome in denied {
        let count = outcomes.get(&outcome).copied().unwrap_or_default();
        assert!(count >= 100, "{outcome}: {count} of {outcomes:?}");
    }
    let allowed = outcomes["allowed"];
    assert!(allowed >= 4_000, "allowed: {allowed} of {outcomes:?}");
}

/// Every possible outcome of a condition.
fn ways() -> Vec<Seen> {
    let mut ways = Vec::new();
    for (name, _) in reference::generate::OPERATORS {
        let null = *name == "Null";
        for prefix in ["", "ForAllValues:", "ForAnyValue:"] {
            for suffix in ["", "IfExists"].iter().take(if null { 1 } else { 2 }) {
                let operator = format!("{prefix}{name}{suffix}").to_lowercase();
                let passes = *suffix == "IfExists"
                    || prefix == "ForAllValues:"
                    || prefix.is_empty() && name.contains("Not");
                let forms = [
                    ("absent", true, null || passes),
                    ("absent", false, null || !passes),
                    ("one", true, true),
                    ("one", false, true),
                    // An operator without a set prefix never matches a list.
                    ("list", true, null || !prefix.is_empty()),
                    ("list", false, true),
                ];
                let possible = forms.iter().filter(|(.., possible)| *possible);
                ways.extend(possible.map(|(given, holds, _)| (operator.clone(), *given, *holds)));
            }
        }
    }
    ways
}
