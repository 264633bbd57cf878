//! Measures the built server: its speed, its state after crashes under load, what killed rotations
//! do to consumers, the cost of rotating a fleet, and what hostile requests cost other users.
//!
//! This file only dispatches. `cargo xtask load`, `crash`, `consumers`, `fleet` and `hostile` build
//! this program and the server for release and run it. It is a separate package so that the other
//! chores build without the server.

mod bare;
mod chance;
mod client;
mod consumers;
mod crash;
mod fleet;
mod hostile;
mod installation;
mod load;
mod requests;

use std::io::Write;

use clap::{Parser, Subcommand};

/// Measures the built server.
#[derive(Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Measure rates and latencies beside a bare HTTP server
    Load(load::Args),
    /// Kill the server under load, again and again, and hold it to what it acknowledged
    Crash(crash::Args),
    /// Kill rotations, again and again, while programs use the keys
    Consumers(consumers::Args),
    /// Rotate the keys of many users, and say what it takes
    Fleet(fleet::Args),
    /// Measure how long root waits beside the most expensive requests of others
    Hostile(hostile::Args),
    /// Answer every request with the bytes of a file
    #[command(hide = true)]
    Bare(bare::Args),
}

/// Prints a line for the person running the chore.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    Ok(writeln!(out, "{line}")?)
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().chore {
        Chore::Load(args) => load::run(&args),
        Chore::Crash(args) => crash::run(&args),
        Chore::Consumers(args) => consumers::run(&args),
        Chore::Fleet(args) => fleet::run(&args),
        Chore::Hostile(args) => hostile::run(&args),
        Chore::Bare(args) => bare::run(&args),
    }
}
