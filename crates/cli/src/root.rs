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
    /// Remove root.credentials and root.password from the data folder
    ///
    /// Store their contents elsewhere first. The access key and the password stay valid. Earlier
    /// backups may still contain the files.
    Forget(ForgetArguments),
}

/// Which data folder, and whether to ask.
#[derive(Debug, Args)]
pub(crate) struct ForgetArguments {
    #[command(flatten)]
    installation: InstallationArguments,

    /// Remove the files without asking for confirmation
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
        bail!("data folder {} does not exist", data_dir.display());
    }
    let data = DataDir::open(data_dir)?;
    let files = [data.credentials(), data.root_password()];
    let present: Vec<_> = files.iter().filter(|file| file.exists()).collect();
    let mut out = io::stdout().lock();
    if present.is_empty() {
        writeln!(out, "Nothing to remove in {}.", data.path().display())?;
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
        bail!(
            "cannot ask for confirmation without a terminal\n\
             hint: store the files elsewhere, then use --yes"
        );
    }
    for file in files {
        writeln!(out, "{}", file.display())?;
    }
    write!(
        out,
        "Remove these files? Make sure that you have stored them elsewhere. [y/N] "
    )?;
    out.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
