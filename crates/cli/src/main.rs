//! The `keywright` binary.

mod account;
mod account_details;
mod bundle;
mod config;
mod data_dir;
mod export;
mod hints;
mod imds;
mod import;
mod installation;
mod json_output;
mod keys;
mod log;
mod master_key;
mod policy;
mod remote;
mod root;
mod rotate;
mod run_to_end;
mod serve;
mod style;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{hints::hint, master_key::MasterKeyCommand, remote::printable_lines, style::styled};

/// The version, and whether this build leaves anything out. `rotate --help` says what.
const LONG_VERSION: &str = if cfg!(all(
    feature = "github",
    feature = "kubernetes",
    feature = "smtp"
)) {
    env!("CARGO_PKG_VERSION")
} else {
    concat!(
        env!("CARGO_PKG_VERSION"),
        "\nbuilt without some destinations, which `keywright rotate --help` lists\n\
             hint: build with --features full"
    )
};

/// AWS-compatible IAM, STS and S3 server that also rotates access keys.
#[derive(Debug, Parser)]
#[command(
    name = "keywright",
    version,
    long_version = LONG_VERSION,
    about,
    max_term_width = 100
)]
struct CliArguments {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Serve IAM, STS and S3 on one port, and the console on another
    Serve(Box<config::ServeArguments>),
    /// Manage the master key of an installation
    #[command(subcommand)]
    MasterKey(master_key::MasterKeyCommand),
    /// Manage the root credentials that the first start created
    #[command(subcommand)]
    Root(root::RootCommand),
    /// Create, list and close the accounts of an organization on a running server
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Ask a running server who still uses an access key
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Lint, simulate and explain policies, and list who has access
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    Import(Box<import::ImportArguments>),
    Export(export::ExportArguments),
    Rotate(Box<rotate::RotateArguments>),
    /// Rotate the keys of a fleet continuously; SIGHUP reloads the fleet file
    Agent(rotate::AgentArguments),
    Imds(imds::ImdsArguments),
}

fn main() -> ExitCode {
    let CliArguments { command } = CliArguments::parse();
    let done = match command {
        CliCommand::Serve(arguments) => serve::run(*arguments).map(|()| true),
        CliCommand::MasterKey(MasterKeyCommand::Rotate(arguments)) => {
            master_key::rotate(arguments).map(|()| true)
        }
        CliCommand::Root(command) => root::run(command),
        CliCommand::Account(command) => account::run(&command),
        CliCommand::Keys(command) => keys::run(&command).map(|()| true),
        CliCommand::Policy(command) => policy::run(&command),
        CliCommand::Import(arguments) => import::run(&arguments),
        CliCommand::Export(arguments) => export::run(&arguments).map(|()| true),
        CliCommand::Rotate(arguments) => rotate::run(&arguments),
        CliCommand::Agent(arguments) => rotate::run_agent(&arguments),
        CliCommand::Imds(arguments) => imds::run(&arguments).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        // The answer is no and has been printed.
        Ok(false) => ExitCode::FAILURE,
        // The reader closed the pipe.
        Err(error) if is_broken_pipe(&error) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Prints the error of a failed command. Ignores a failure to print it.
fn complain(error: &anyhow::Error) {
    use std::io::Write;
    let mut out = anstream::stderr().lock();
    let _ = write!(out, "{}", styled(style::HELD, "error"));
    // Servers and files have a part in it.
    let hint = hint(error).map_or_else(String::new, |hint| format!("\nhint: {hint}"));
    let text = printable_lines(&format!(": {error:#}{hint}"));
    for line in text.lines() {
        let _ = match line.strip_prefix("hint:") {
            Some(hint) => writeln!(out, "{}{hint}", styled(style::HINT, "hint:")),
            None => writeln!(out, "{line}"),
        };
    }
}
