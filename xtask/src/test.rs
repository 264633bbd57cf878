//! `cargo xtask test`: every check that must pass before a change lands, cheapest first.
//!
//! CI runs this and nothing else. Each step is a plain command that a person could type. The run
//! stops at the first failure and names the step.

use std::process::Command;

use anyhow::{Context, bail};

use crate::{cargo, deny, tidy};

/// Runs every check.
///
/// # Errors
/// The first failed check.
pub(crate) fn run() -> anyhow::Result<()> {
    tidy::run()?;
    deny::run()?;
    for words in STEPS {
        announce(words);
        let (program, arguments) = words.split_first().context("an empty step")?;
        let mut step = match *program {
            "cargo" => cargo(),
            program => Command::new(program),
        };
        let status = step
            .args(arguments)
            .status()
            .with_context(|| format!("cannot run {program}; is it installed?"))?;
        if !status.success() {
            bail!("failed: {}", words.join(" "));
        }
    }
    Ok(())
}

const STEPS: &[&[&str]] = &[
    &["cargo", "fmt", "--all", "--check"],
    &["cargo", "xtask", "codegen", "--check"],
    &[
        "cargo",
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        "keywright/full",
        "--",
        "-D",
        "warnings",
    ],
    // What `cargo run` builds, which leaves out some destinations.
    &["cargo", "clippy", "-p", "keywright", "--", "-D", "warnings"],
    // Build binaries and tests together: each dependency then has one set of features and is
    // compiled once. The steps below reuse the result.
    &[
        "cargo",
        "build",
        "--workspace",
        "--bins",
        "--tests",
        "--features",
        "keywright/full",
    ],
    &[
        "cargo",
        "test",
        "--workspace",
        "--features",
        "keywright/full",
    ],
    // Building the binary has installed the packages that this needs.
    &["npm", "--prefix", "console", "run", "--silent", "check"],
    &["npm", "--prefix", "console", "run", "--silent", "size"],
    &["cargo", "xtask", "e2e", "--built"],
    // Short runs here; the chores themselves run longer.
    &["cargo", "xtask", "fuzz", "--quick", "--seconds", "15"],
    &["cargo", "xtask", "crash", "--built", "--rounds", "20"],
    &["cargo", "xtask", "consumers", "--built", "--kills", "10"],
    &[
        "cargo", "xtask", "fleet", "--built", "--users", "8", "--keys", "3",
    ],
];

#[expect(clippy::print_stdout, reason = "a chore's progress")]
fn announce(step: &[&str]) {
    println!("\n== {}", step.join(" "));
}
