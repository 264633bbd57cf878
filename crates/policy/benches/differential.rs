//! Compares as many generated pairs of policies and request as one asks for with the reference:
//! `cargo bench -p keywright-policy --bench differential -- 1000000 [first seed]`.

#[path = "../tests/compare/mod.rs"]
mod compare;
#[path = "../tests/reference/mod.rs"]
mod reference;

use std::time::Instant;

#[expect(clippy::print_stdout, reason = "the result of a command")]
#[expect(clippy::disallowed_methods, reason = "a measured duration")]
fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let pairs = numbers.next().unwrap_or(10_000);
    let first = numbers.next().unwrap_or(0);
    let start = Instant::now();
    let mut allowed = 0_u64;
    for seed in first..first + pairs {
        if let Some(difference) = compare::difference(seed).or_else(|| compare::algebra(seed)) {
            println!("{difference}");
            std::process::exit(1);
        }
        allowed += u64::from(reference::decide(&reference::generate::case(seed)).is_ok());
    }
    let seconds = start.elapsed().as_secs();
    println!("{pairs} pairs agree ({allowed} allowed) in {seconds} s");
}
