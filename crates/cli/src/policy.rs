//! `keywright policy`: lints policies and simulates decisions from files, and asks a running server
//! for its decisions, their reasons, and who has access.
//!
//! Invariant: the result is what the server would decide, because both use the same crate.

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
    /// Find errors, statements without effect and overly broad grants in a policy
    Lint(LintArguments),
    /// Evaluate a request against policies in files, and explain the decision
    Simulate(Box<SimulateArguments>),
    /// Ask a running server whether a principal may perform an action and why, or why a request was
    /// denied
    Explain(Box<ExplainArguments>),
    /// List the requests that a running server denied
    Denials(DenialsArguments),
    /// List the principals of the account that may perform an action, and what allows it
    WhoCan(WhoCanArguments),
}

/// Runs the command. Returns false for a negative answer: lint errors or a denial.
///
/// # Errors
/// Unreadable files and malformed values.
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
