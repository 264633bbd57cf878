//! `cargo xtask load`, `crash`, `consumers`, `fleet` and `hostile`: builds the server and the
//! measuring program for release and runs the latter.
//!
//! The program is a separate package (`xtask/measure`), so the chores that generate and check the
//! server's code work even if the server does not compile.

use std::{ffi::OsString, process::Command};

use crate::{cargo, execute, target};

/// What follows the chore's name; the measuring program reads it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Builds with the profile of packages, which takes several times as long
    #[arg(long)]
    dist: bool,
    /// Takes the unoptimised binaries that are there; they keep the same promises, more slowly
    #[arg(long, hide = true)]
    built: bool,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<OsString>,
}

/// Builds and runs.
///
/// # Errors
/// If a build or the chore fails.
pub(crate) fn run(chore: &str, args: &Args) -> anyhow::Result<()> {
    let folder = if args.built {
        "debug"
    } else {
        let profile = if args.dist { "dist" } else { "release" };
        // Build separately, so that the server gets only the features it is released with.
        for package in ["keywright --features full", "xtask-measure"] {
            let build = format!("build --quiet --profile {profile} --package {package}");
            execute(cargo().args(build.split(' ')))?;
        }
        profile
    };
    let program = target()?.join(folder).join("xtask-measure");
    execute(Command::new(program).arg(chore).args(&args.rest))
}
