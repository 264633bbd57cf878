//! `keywright serve`: opens the installation, says what to do next, answers until told to stop.

use std::{io::Write, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use keywright_base::{AccountId, Clock, Entropy};
use keywright_identity::{Identity, service::Parts};
use keywright_server::{Listening, Pipeline, Server, SystemClock, SystemEntropy};
use keywright_store::{contract::Store, sqlite::Sqlite};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    config::{ServeArguments, ServeConfig},
    data_dir::DataDir,
};

/// Seconds between two writes of counted attempts.
const FLUSH_SECS: u64 = 1;

/// Runs the server.
///
/// # Errors
/// Anything that keeps it from starting.
pub(crate) fn run(arguments: ServeArguments) -> anyhow::Result<()> {
    let config = arguments.resolve()?;
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: ServeConfig) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let data = DataDir::open(config.data_dir.clone())?;
    let master_key = data.master_key(&*entropy)?;
    let database = data.database();
    let store: Arc<dyn Store> = Arc::new(
        Sqlite::open(&database).with_context(|| format!("cannot open {}", database.display()))?,
    );
    let parts = Parts {
        store: Arc::clone(&store),
        master_key,
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
    };
    let identity = Identity::open(parts).await?;
    let fresh = first_account(&identity, &data, config.account_id, &*entropy).await?;
    let pipeline = Pipeline::new(Arc::clone(&identity), clock, entropy);
    let server = Server::bind(&config.server, pipeline).await?;
    greet(&identity, &data, server.listening()?, fresh)?;

    let flushing = tokio::spawn(flush(Arc::clone(&identity)));
    let stop = stop_signal()?;
    server.run(stop).await;
    flushing.abort();
    identity
        .usage()
        .flush()
        .await
        .context("cannot write the counted attempts")?;
    Ok(())
}

/// Makes the account of the first start and leaves its credentials in the data folder.
async fn first_account(
    identity: &Identity,
    data: &DataDir,
    wanted: Option<AccountId>,
    entropy: &dyn Entropy,
) -> anyhow::Result<bool> {
    if !identity.ledger().ids().is_empty() {
        return Ok(false);
    }
    let account = wanted.unwrap_or_else(|| AccountId::generate(entropy));
    let root = identity.create_account(account).await?;
    data.write_credentials(&root)?;
    Ok(true)
}

async fn flush(identity: Arc<Identity>) {
    let mut tick = tokio::time::interval(Duration::from_secs(FLUSH_SECS));
    loop {
        tick.tick().await;
        if let Err(error) = identity.usage().flush().await {
            tracing::warn!(%error, "counted attempts were not written");
        }
    }
}

fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Says where it listens; at the first start also what to do next.
fn greet(
    identity: &Identity,
    data: &DataDir,
    listening: Listening,
    fresh: bool,
) -> anyhow::Result<()> {
    let scheme = if listening.secure { "https" } else { "http" };
    let endpoint = format!("{scheme}://{}", listening.address);
    let mut out = std::io::stdout().lock();
    writeln!(out, "Keywright serves IAM, STS and S3 at {endpoint}")?;
    for id in identity.ledger().ids() {
        let Some(cell) = identity.ledger().account(id) else {
            continue;
        };
        let account = cell.snapshot();
        let keys: usize = account.users().values().map(|user| user.keys.len()).sum();
        let (users, keys) = (account.users().len(), keys + account.root().keys.len());
        writeln!(out, "Account {id}: {users} users, {keys} access keys")?;
    }
    if fresh {
        let credentials = absolute(&data.credentials());
        writeln!(
            out,
            "Root credentials: {credentials} (profile keywright-root)"
        )?;
        writeln!(out, "\nNext, in another terminal:\n")?;
        writeln!(out, "  export AWS_ENDPOINT_URL={endpoint}")?;
        writeln!(out, "  export AWS_SHARED_CREDENTIALS_FILE='{credentials}'")?;
        writeln!(
            out,
            "  export AWS_PROFILE=keywright-root AWS_DEFAULT_REGION=us-east-1"
        )?;
        writeln!(out, "  aws sts get-caller-identity")?;
    } else {
        writeln!(out, "Data: {}", absolute(data.path()))?;
    }
    out.flush()?;
    Ok(())
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path)
        .unwrap_or_else(|_| path.to_owned())
        .display()
        .to_string()
}
