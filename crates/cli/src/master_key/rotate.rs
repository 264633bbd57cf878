//! `keywright master-key rotate`: changes the master key.
//!
//! It writes the change into the data folder. A server running on that folder finds it within a
//! second and carries it out while it serves requests. If no server runs, this command does it. A
//! running server has no other interface for this and needs none: anyone who can write to that
//! folder controls the installation already (docs/adr/0005-changing-the-master-key.md).

use std::{io::Write, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use keywright_base::{AccountId, Clock, Entropy};
use keywright_identity::keyring;
use keywright_server::{SystemClock, SystemEntropy};
use keywright_store::sqlite;

use super::{KeyChange, KeyLocation, KeySource, SourceContext};
use crate::{config::InstallationArguments, data_dir::DataDir, installation::Installation};

/// Milliseconds between checks whether a server has finished the change.
const LOOK_MILLIS: u64 = 200;

/// What to do with the master key.
#[derive(Debug, Subcommand)]
pub(crate) enum MasterKeyCommand {
    /// Replace the master key, with or without a running server
    ///
    /// Reseals all secrets and the keys of all objects. A running server continues to serve
    /// requests. If the command is interrupted, run it again or start the server to finish. Older
    /// backups still need the old key.
    Rotate(RotateKeyArguments),
}

/// From which key to which.
#[derive(Debug, Args)]
pub(crate) struct RotateKeyArguments {
    #[command(flatten)]
    installation: InstallationArguments,

    /// Source of the new master key, as for --master-key [default: the current source; the data
    /// folder and key services then get a new key]
    #[arg(long, value_name = "SOURCE")]
    to: Option<String>,
}

/// Carries out the change.
///
/// # Errors
/// With a message for the operator.
pub(crate) fn rotate(arguments: RotateKeyArguments) -> anyhow::Result<()> {
    let (data_dir, source) = arguments.installation.resolve()?;
    let to = match &arguments.to {
        Some(text) => text.parse().map_err(anyhow::Error::msg).context("--to")?,
        None => source.clone(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(data_dir, &source, &to))
}

async fn run(data_dir: PathBuf, source: &KeySource, to: &KeySource) -> anyhow::Result<()> {
    ensure!(
        data_dir.join("keywright.db").exists(),
        "no installation found in {}\nhint: use --data-dir",
        data_dir.display()
    );
    let data = DataDir::open(data_dir)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    if data.read_change()?.is_none() {
        let seams = SourceContext {
            data: &data,
            clock: &clock,
            entropy: &entropy,
        };
        begin(&seams, source, to).await?;
    }
    if sqlite::is_served(&data.database()) {
        wait(&data).await?;
    } else {
        let installation = Installation::open(data.clone(), source, &clock, &entropy).await?;
        installation.finish_change().await?;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "The new master key is in effect.")?;
    if source != to {
        writeln!(out, "From the next start on, use: --master-key {to}")?;
    }
    out.flush()?;
    Ok(())
}

/// Records the change in the data folder.
async fn begin(
    seams: &SourceContext<'_>,
    source: &KeySource,
    to: &KeySource,
) -> anyhow::Result<()> {
    let from = source.load(seams).await?;
    let stored = sqlite::records(&seams.data.database(), AccountId::INSTALLATION)?;
    ensure!(
        keyring::opens(&stored, &from),
        "{source} is not the master key of this installation\n\
         hint: specify its source with --master-key"
    );
    let (new, home) = to.next(seams).await?;
    if new.id() == from.id() {
        bail!(
            "{to} is already the master key\n\
             hint: put a new key there, or specify another source with --to"
        );
    }
    let change = KeyChange {
        from,
        to: new,
        home,
    };
    let bytes = change.to_bytes(&**seams.entropy)?;
    seams.data.write_change(&bytes)
}

/// Waits until the server has finished the change.
async fn wait(data: &DataDir) -> anyhow::Result<()> {
    while data.read_change()?.is_some() {
        #[expect(
            clippy::disallowed_methods,
            reason = "another process makes the change, and tells it by removing a file"
        )]
        tokio::time::sleep(Duration::from_millis(LOOK_MILLIS)).await;
        if !sqlite::is_served(&data.database()) {
            bail!(
                "the server stopped before the change was complete\n\
                 hint: start it or run this command again to finish"
            );
        }
    }
    Ok(())
}

impl KeyLocation {
    /// Stores the new key in its final location and removes the old one from the data folder.
    ///
    /// # Errors
    /// I/O errors.
    pub(crate) fn settle(&self, data: &DataDir, change: &KeyChange) -> anyhow::Result<()> {
        match self {
            Self::Folder => {
                data.write_master_key(change.to.bytes())?;
                data.remove_wrapped_key()
            }
            Self::Wrapped(wrapped) => {
                data.write_wrapped_key(wrapped)?;
                data.remove_master_key()
            }
            Self::Elsewhere => {
                data.remove_master_key()?;
                data.remove_wrapped_key()
            }
        }
    }
}
