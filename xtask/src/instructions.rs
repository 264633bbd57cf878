//! `cargo xtask instructions`: counts the instructions of a decision, a measure that is independent
//! of the machine's load.
//!
//! It reports and checks nothing. A benchmark decides each request 200 and 400 times under
//! valgrind's callgrind; the difference is the cost of 200 decisions.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use crate::cargo;

/// Decisions between the two measurements.
const DECISIONS: u64 = 200;

/// What to count.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Count those of the published evaluators too, for the same requests
    #[arg(long)]
    peers: bool,
}

/// Counts and prints a table.
///
/// # Errors
/// If valgrind is missing or the benchmark fails to build.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let version = Command::new("valgrind").arg("--version").output();
    if version.is_err() {
        bail!("valgrind is not installed; nothing is counted");
    }
    let bench = build(args.peers)?;
    let list = Command::new(&bench).arg("list").output()?;
    let names = String::from_utf8(list.stdout)?;
    let mut out = io::stdout().lock();
    writeln!(out, "| request | instructions |\n| --- | --- |")?;
    for name in names.lines() {
        let count = |times: u64| collected(&bench, name, times);
        let decisions = count(2 * DECISIONS)?.saturating_sub(count(DECISIONS)?);
        writeln!(out, "| {name} | {} |", decisions / DECISIONS)?;
    }
    Ok(())
}

/// Builds the benchmark with the profile of the others and returns its path.
fn build(peers: bool) -> anyhow::Result<PathBuf> {
    let words = if peers {
        "bench --manifest-path benches/peers/Cargo.toml --bench instructions --no-run"
    } else {
        "bench --package keywright-policy --bench instructions --no-run"
    };
    let done = cargo()
        .args(words.split(' '))
        .args(["--quiet", "--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo; is it installed?")?;
    if !done.status.success() {
        bail!("failed: cargo {words}");
    }
    let messages = String::from_utf8(done.stdout)?;
    let messages = messages
        .lines()
        .map(serde_json::from_str::<serde_json::Value>);
    let mut executables = messages.filter_map(|message| {
        let message = message.ok()?;
        let path = message.get("executable")?.as_str()?;
        Some(PathBuf::from(path))
    });
    executables.next_back().context("cargo built no bench")
}

/// The instructions of a whole run.
fn collected(bench: &PathBuf, name: &str, times: u64) -> anyhow::Result<u64> {
    let done = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(bench)
        .args([name, &times.to_string()])
        .output()?;
    let stderr_text = String::from_utf8_lossy(&done.stderr).into_owned();
    let line = stderr_text
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let count = line.and_then(|(_, count)| count.trim().parse().ok());
    match count {
        Some(count) if done.status.success() => Ok(count),
        _ => bail!("valgrind failed: {stderr_text}"),
    }
}
