//! `cargo xtask load`, `crash` and `fleet`: build the server and the measuring program for
//! release, and hand over.
//!
//! The program is a package of its own (`xtask/measure`), so that the chores which generate and
//! check the server's code do not need the server to compile.

use std::{ffi::OsString, process::Command};

use anyhow::{Context, bail};

/// What follows the chore's name; the measuring program reads it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<OsString>,
}

/// Builds and runs.
///
/// # Errors
/// When a build fails, or the chore does.
pub(crate) fn run(chore: &str, args: &Args) -> anyhow::Result<()> {
    // The server alone, so that it has the features that it is delivered with.
    cargo(
        &["build", "--quiet", "--release", "--package", "keywright"],
        &[],
    )?;
    let package = [
        "run",
        "--quiet",
        "--release",
        "--package",
        "xtask-measure",
        "--",
    ];
    let rest: Vec<OsString> = [chore.into()]
        .into_iter()
        .chain(args.rest.clone())
        .collect();
    cargo(&package, &rest)
}

fn cargo(words: &[&str], rest: &[OsString]) -> anyhow::Result<()> {
    let status = Command::new("cargo").args(words).args(rest).status();
    let status = status.context("cannot run cargo; is it installed?")?;
    if !status.success() {
        bail!("failed: cargo {}", words.join(" "));
    }
    Ok(())
}
