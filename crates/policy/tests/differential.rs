//! The crate against the reference evaluator, and the algebra of policies. It protects one rule: a
//! decision is what AWS documents, whatever the crate does to be fast.
//!
//! `cargo bench -p keywright-policy --bench differential -- 1000000` compares as many pairs as one
//! likes; here are as many as a test may take time for.

mod compare;
mod reference;

/// Seeds of cases that once came out differently.
const REGRESSIONS: &[u64] = &[189_220];

#[test]
fn decisions_are_the_references() {
    for seed in REGRESSIONS.iter().copied().chain(0..20_000) {
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

/// A generator whose cases never meet would prove nothing.
#[test]
fn the_generator_reaches_every_outcome() {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for seed in 0..20_000 {
        let outcome = reference::decide(&reference::generate::case(seed));
        let name = outcome.err().unwrap_or_else(|| "allowed".to_owned());
        *counts.entry(name).or_default() += 1;
    }
    let layers = [
        "identity",
        "boundary",
        "session",
        "resource",
        "trust",
        "service control",
        "resource control",
    ];
    let causes = ["explicit", "silent"];
    let denied = causes
        .iter()
        .flat_map(|c| layers.map(|l| format!("{c} {l}")));
    for outcome in denied.chain(["allowed".to_owned()]) {
        let count = counts.get(&outcome).copied().unwrap_or_default();
        assert!(count >= 20, "{outcome}: {count} of {counts:?}");
    }
}
