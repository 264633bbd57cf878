//! `keywright policy`: advice on policies and decisions by them, from files; and what a running
//! server decides, why, and whom it allows.
//!
//! It protects one rule: what it says is what the server would decide; both ask the same crate.

mod caller;
mod implied;
mod lint;
mod output;
mod policies;
mod remote;
mod simulate;

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use anyhow::Context;
use clap::Subcommand;

use self::{
    lint::LintArguments,
    remote::{DenialsArguments, ExplainArguments, WhoCanArguments},
    simulate::SimulateArguments,
};

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Look for what is wrong with a policy, cannot work, or grants more than was meant
    Lint(LintArguments),
    /// Decide a request by policies in files, and say why
    Simulate(Box<SimulateArguments>),
    /// Ask a running server whether a principal may do something, or why it was denied, and why
    Explain(Box<ExplainArguments>),
    /// List the requests that a running server denied
    Denials(DenialsArguments),
    /// Ask a running server which principals of the account may do something, and through what
    WhoCan(WhoCanArguments),
}

/// Carries it out. The value is false when the answer is no: findings that are errors, a denial.
///
/// # Errors
/// Files that cannot be read, values that are not of their form.
pub(crate) fn run(command: &PolicyCommand) -> anyhow::Result<bool> {
    match command {
        PolicyCommand::Lint(arguments) => lint::run(arguments),
        PolicyCommand::Simulate(arguments) => simulate::run(arguments),
        PolicyCommand::Explain(arguments) => remote::explain(arguments),
        PolicyCommand::Denials(arguments) => remote::denials(arguments),
        PolicyCommand::WhoCan(arguments) => remote::who_can(arguments),
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        io::stdin()
            .read_to_string(&mut text)
            .context("cannot read standard input as UTF-8")?;
        return Ok(text);
    }
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests;
