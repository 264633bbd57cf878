//! `keywright root`: the credentials of root that lie in the data folder.
//!
//! `forget` only removes files; the access key and the password stay valid. Only a person knows
//! whether they are stored elsewhere, so the command asks. `reset-password` is for whoever lost the
//! password: anyone who can write to the data folder controls the installation already.

use std::{
    fs,
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use keywright_base::{AccountId, Clock, Entropy, Secret};
use keywright_server::{SystemClock, SystemEntropy};
use keywright_store::sqlite;

use crate::{config::InstallationArguments, data_dir::DataDir, installation::Installation};

/// The only profile in the file that the first start wrote.
const ROOT_PROFILE: &str = "keywright-root";

/// What to do about root.
#[derive(Debug, Subcommand)]
pub(crate) enum RootCommand {
    /// Remove root.credentials and root.password from the data folder
    ///
    /// Store their contents elsewhere first. The access key and the password stay valid. Earlier
    /// backups may still contain the files.
    Forget(ForgetArguments),
    /// Give root another console password and write it to root.password; the server must be stopped
    ///
    /// The earlier password ends. Access keys and MFA devices stay.
    ResetPassword(ResetArguments),
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

/// Which data folder.
#[derive(Debug, Args)]
pub(crate) struct ResetArguments {
    #[command(flatten)]
    installation: InstallationArguments,

    /// Account whose root gets the password, which is then written to root-ACCOUNT.password
    /// [default: the account of the first start]
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<AccountId>,
}

/// Runs a command. Returns false if a person says no.
///
/// # Errors
/// With a message for the operator.
pub(crate) fn run(command: RootCommand) -> anyhow::Result<bool> {
    match command {
        RootCommand::Forget(arguments) => forget(&arguments),
        RootCommand::ResetPassword(arguments) => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(reset_password(&arguments)).map(|()| true)
        }
    }
}

async fn reset_password(arguments: &ResetArguments) -> anyhow::Result<()> {
    let (data_dir, source) = arguments.installation.resolve()?;
    ensure!(
        data_dir.join("keywright.db").exists(),
        "no installation found in {}\nhint: use --data-dir",
        data_dir.display()
    );
    let data = DataDir::open(data_dir)?;
    ensure!(
        !sqlite::is_served(&data.database()),
        "a server is running on {}\nhint: stop it first, and start it again afterwards",
        data.path().display()
    );
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let installation = Installation::open(data.clone(), &source, &clock, &entropy).await?;
    let identity = &installation.identity;
    let first = identity.first_account();
    let first = first.context("there is no account yet\nhint: start the server first")?;
    let account = arguments.account.unwrap_or(first);
    ensure!(
        identity.ledger().account(account).is_some(),
        "there is no account {account}\nhint: keywright account list"
    );
    let path = if account == first {
        data.root_password()
    } else {
        data.root_password_of(account)
    };
    let keep = |password: &Secret<String>| DataDir::write_password(&path, password);
    identity.reset_root_password(account, keep).await?;
    writeln!(
        io::stdout(),
        "The new console password of root of account {account} is in {}.",
        path.display()
    )?;
    Ok(())
}

/// Removes the files.
fn forget(arguments: &ForgetArguments) -> anyhow::Result<bool> {
    let (data_dir, _) = arguments.installation.resolve()?;
    if !data_dir.is_dir() {
        bail!(
            "data folder {} does not exist\nhint: use --data-dir",
            data_dir.display()
        );
    }
    let data = DataDir::open(data_dir)?;
    let files = [data.credentials(), data.root_password()];
    let present: Vec<_> = files.iter().filter(|file| file.exists()).collect();
    let mut out = io::stdout().lock();
    if present.is_empty() {
        writeln!(out, "Nothing to remove in {}.", data.path().display())?;
        return Ok(true);
    }
    check_nobody_elses(&data)?;
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

/// Rejects a credentials file in which someone put other profiles: their keys would be lost.
fn check_nobody_elses(data: &DataDir) -> anyhow::Result<()> {
    let file = data.credentials();
    let text = match fs::read(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => Secret::new(read.with_context(|| format!("cannot read {}", file.display()))?),
    };
    let others = other_profiles(&String::from_utf8_lossy(text.expose()));
    ensure!(
        others.is_empty(),
        "{} also has other profiles: {}\n\
         hint: move them to ~/.aws/credentials first, and unset AWS_SHARED_CREDENTIALS_FILE where \
         you use them",
        file.display(),
        others.join(", ")
    );
    Ok(())
}

/// The names of the profiles besides root's.
fn other_profiles(text: &str) -> Vec<String> {
    let headers = text.lines().filter_map(|line| {
        let inner = line.trim().strip_prefix('[')?;
        Some(inner.split(']').next().unwrap_or(inner).trim().to_owned())
    });
    headers.filter(|name| name != ROOT_PROFILE).collect()
}

#[test]
fn profiles_besides_roots_are_found() {
    let roots = "[keywright-root]\naws_access_key_id = A\naws_secret_access_key = b\n";
    assert!(other_profiles(roots).is_empty());
    let text = format!("[one]\nx = 1\n{roots}\r\n  [two] # mine\r\nx = [no]\n[three");
    assert_eq!(other_profiles(&text), ["one", "two", "three"]);
}

fn confirmed(out: &mut impl Write, files: &[&PathBuf]) -> anyhow::Result<bool> {
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
