//! `cargo xtask load`, `crash`, `consumers`, `fleet` and `hostile`: build the server and the
//! measuring program for release, and hand over.
//!
//! The program is a package of its own (`xtask/measure`), so that the chores which generate and
//! check the server's code do not need the server to compile.

use std::{ffi::OsString, process::Command};

use crate::{cargo, execute, target};

/// What follows the chore's name; the measuring program reads it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Takes the unoptimised binaries that are there; they keep the same promises, more slowly
    #[arg(long, hide = true)]
    built: bool,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<OsString>,
}

/// Builds and runs.
///
/// # Errors
/// When a build fails, or the chore does.
pub(crate) fn run(chore: &str, args: &Args) -> anyhow::Result<()> {
    let folder = if args.built {
        "debug"
    } else {
        // Apart, so that the server has the features that it is delivered with.
        for package in ["keywright", "xtask-measure"] {
            let build = ["build", "--quiet", "--release", "--package", package];
            execute(cargo().args(build))?;
        }
        "release"
    };
    let program = target()?.join(folder).join("xtask-measure");
    execute(Command::new(program).arg(chore).args(&args.rest))
}
