//! `keywright root forget`: removes the root credentials that the first start left in the data
//! folder.
//!
//! It only removes files; the access key and the password stay valid. Only a person knows whether
//! they are stored elsewhere, so the command asks.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::bail;
use clap::{Args, Subcommand};

use crate::{config::InstallationArguments, data_dir::DataDir};

/// What to do about root.
#[derive(Debug, Subcommand)]
pub(crate) enum RootCommand {
    /// Remove root.credentials and root.password from the data folder, once they are stored
    /// elsewhere
    ///
    /// The access key and the password themselves stay valid. Backups made before may hold the
    /// files.
    Forget(ForgetArguments),
}

/// Which data folder, and whether to ask.
#[derive(Debug, Args)]
pub(crate) struct ForgetArguments {
    #[command(flatten)]
    installation: InstallationArguments,

    /// Do not ask whether they are stored elsewhere
    #[arg(long)]
    yes: bool,
}

/// Removes the files.
///
/// # Errors
/// I/O errors, or nobody to ask.
pub(crate) fn forget(arguments: ForgetArguments) -> anyhow::Result<bool> {
    let (data_dir, _) = arguments.installation.resolve()?;
    if !data_dir.is_dir() {
        bail!("there is no data folder {}", data_dir.display());
    }
    let data = DataDir::open(data_dir)?;
    let files = [data.credentials(), data.root_password()];
    let present: Vec<_> = files.iter().filter(|file| file.exists()).collect();
    let mut out = io::stdout().lock();
    if present.is_empty() {
        writeln!(
            out,
            "There is nothing to remove in {}.",
            data.path().display()
        )?;
        return Ok(true);
    }
    if !arguments.yes && !confirmed(&mut out, &present)? {
        writeln!(out, "Nothing was removed.")?;
        return Ok(false);
    }
    for file in present {
        data.remove(file)?;
        writeln!(out, "Removed {}.", file.display())?;
    }
    Ok(true)
}

fn confirmed(out: &mut impl Write, files: &[&std::path::PathBuf]) -> anyhow::Result<bool> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        bail!("there is no terminal to ask on\nhint: --yes, once they are stored elsewhere");
    }
    for file in files {
        writeln!(out, "{}", file.display())?;
    }
    write!(
        out,
        "Are these stored elsewhere, and may they be removed? [y/N] "
    )?;
    out.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
