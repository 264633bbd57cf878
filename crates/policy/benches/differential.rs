//! Compares any number of generated pairs of policies and request with the reference evaluator:
//! `cargo bench -p keywright-policy --bench differential -- 1000000 [first seed]`.

#[path = "../tests/compare/mod.rs"]
mod compare;
#[path = "../tests/reference/mod.rs"]
mod reference;

use std::{collections::BTreeMap, time::Instant};

#[expect(clippy::print_stdout, reason = "the result of a command")]
#[expect(clippy::disallowed_methods, reason = "a measured duration")]
fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let pairs = numbers.next().unwrap_or(10_000);
    let first = numbers.next().unwrap_or(0);
    let start = Instant::now();
    let mut outcomes = BTreeMap::<String, u64>::new();
    let mut conditions = BTreeMap::<reference::Seen, u64>::new();
    for seed in first..first + pairs {
        if let Some(difference) = compare::difference(seed).or_else(|| compare::algebra(seed)) {
            println!("{difference}");
            std::process::exit(1);
        }
        let case = reference::generate::case(seed);
        for seen in reference::conditions(&case) {
            *conditions.entry(seen).or_default() += 1;
        }
        let outcome = reference::decide(&case);
        let outcome = outcome.err().unwrap_or_else(|| "allowed".to_owned());
        *outcomes.entry(outcome).or_default() += 1;
    }
    let seconds = start.elapsed().as_secs();
    println!("{pairs} pairs agree in {seconds} s:");
    for (outcome, count) in outcomes {
        println!("  {count} {outcome}");
    }
    let rarest = conditions.values().min().copied().unwrap_or_default();
    println!(
        "{} conditions in {} ways (operator, form of the value, whether it holds), the rarest \
         {rarest} times",
        conditions.values().sum::<u64>(),
        conditions.len()
    );
}
