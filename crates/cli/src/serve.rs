//! `keywright serve`: opens the installation, prints what to do next, and serves until stopped.

use std::{
    io::{self, Write},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use futures_util::FutureExt;
use keywright_base::{AccountId, Clock, Entropy, Secret};
use keywright_identity::{Identity, service::RootCredentials};
use keywright_s3::S3;
use keywright_server::{
    ListenAddress, ListenerOrigin, Pipeline, ProviderFetcher, PublicUrl, Server, ServerError,
    ServerParts, SystemClock, SystemEntropy, bind_console,
    console::{Console, PublicUrls},
    rotations::{self, ServerRotations},
};
use keywright_store::{contract::LedgerStore, sqlite::SqliteStore};
use tokio::{task::JoinHandle, time::MissedTickBehavior};

use crate::{
    bundle::bundle,
    config::{ServeArguments, ServeConfig},
    data_dir::DataDir,
    installation::Installation,
    log::LogQueue,
    remote::counted,
    run_to_end,
};

/// The reason for exiting when a background task died.
const DIED: &str = "has panicked, and without it the server cannot go on; nothing that was \
                    acknowledged is lost\nhint: start it again";

/// Seconds between flushes of counted attempts.
const FLUSH_SECS: u64 = 1;
/// Milliseconds between two readings of what other processes committed.
const FOLLOW_MS: u64 = 100;
/// Seconds between collections of the bytes of deleted objects.
const COLLECT_SECS: u64 = 5;
/// Seconds between removals of expired sessions.
const PURGE_SECS: u64 = 60;

/// Runs the server.
///
/// # Errors
/// Anything that prevents it from starting.
pub(crate) fn run(arguments: ServeArguments) -> anyhow::Result<()> {
    let config = arguments.resolve()?;
    let log = LogQueue::install()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(serve(config));
    if served.is_err() {
        // A task that hangs must not keep a broken server alive.
        runtime.shutdown_background();
    } else if !run_to_end::end(runtime) {
        tracing::warn!("a thread still waits for a file system that does not answer; ending");
    }
    log.flush();
    served
}

async fn serve(config: ServeConfig) -> anyhow::Result<()> {
    // Before the startup message: its reader may send a signal immediately.
    let stop = run_to_end::stop_signal()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let data = DataDir::open(config.data_dir.clone())?;
    let installation = Installation::open(data, &config.master_key, &clock, &entropy).await?;
    let installation = installation.with_quotas(config.quotas).await?;
    let (identity, data) = (Arc::clone(&installation.identity), &installation.data);
    let front = ServerParts {
        s3: S3::new(installation.objects.clone()),
        console: Console::new(bundle(), config.urls.clone()),
        proxies: config.proxies.clone(),
    };
    let urls = [&config.urls.api, &config.urls.console];
    let own = urls.into_iter().flatten().cloned().collect();
    let documents = ProviderFetcher::new(config.loopback_issuers.clone(), own);
    identity.know_provider_documents(Arc::new(documents));
    let (time, random) = (Arc::clone(&clock), Arc::clone(&entropy));
    let pipeline = Arc::new(Pipeline::new(Arc::clone(&identity), front, time, random));
    let (api, console) = listen(&config, &pipeline).await?;
    first_account(&identity, data, config.account_id, &*entropy).await?;
    root_password(&identity, data).await?;
    let parts = rotations::EngineParts {
        journal: installation.journal.clone(),
        places: config.rotation_places,
        clock,
        entropy,
    };
    let rotations = ServerRotations::start(&pipeline, parts).await;
    let rotations = rotations.context("cannot go on with the rotations")?;
    let greeting = StartupMessage {
        identity: &identity,
        data,
        urls: &config.urls,
        api: api.listening()?,
        console: console.listening()?,
    };
    if let Err(error) = greeting.write() {
        tracing::warn!(%error, "the greeting could not be written to standard output");
    }

    let stop = stop.shared();
    let listeners = async { tokio::join!(api.run(stop.clone()), console.run(stop)) };
    let store = &installation.store;
    let mut housekeeping = tokio::spawn(housekeeping(installation.clone()));
    let mut sealing = tokio::spawn(installation.clone().keep_sealed());
    tokio::select! {
        _ = listeners => {}
        death = first_death(store, &mut housekeeping, &mut sealing) => return Err(death),
    }
    rotations.stop().await;
    housekeeping.abort();
    sealing.abort();
    identity
        .usage()
        .flush()
        .await
        .context("cannot write the counted attempts")?;
    Ok(())
}

/// Waits until a background task dies. Without this check the failure would go unnoticed: a server
/// without its writer still authenticates, and a leaked key stays active.
async fn first_death(
    store: &SqliteStore,
    housekeeping: &mut JoinHandle<()>,
    sealing: &mut JoinHandle<()>,
) -> anyhow::Error {
    tokio::select! {
        thread = store.panicked() => anyhow!("thread {thread} {DIED}"),
        _ = housekeeping => anyhow!("the task for housekeeping {DIED}"),
        _ = sealing => anyhow!("the task for sealing {DIED}"),
    }
}

/// Binds the addresses of the API and the console.
async fn listen(
    config: &ServeConfig,
    pipeline: &Arc<Pipeline>,
) -> anyhow::Result<(Server, Server)> {
    let api = Server::bind(&config.server, ListenerOrigin::Api, Arc::clone(pipeline)).await;
    let api = api.map_err(|error| not_listening(error, "--listen"))?;
    let bound = (&config.server, api.listening()?.address);
    let console = bind_console(bound, config.console_listen, pipeline).await;
    let console = console.map_err(|error| not_listening(error, "--console-listen"))?;
    Ok((api, console))
}

/// Why the server cannot listen, with advice if the address is taken.
fn not_listening(error: ServerError, flag: &str) -> anyhow::Error {
    match &error {
        ServerError::Listen { error: cause, .. } if cause.kind() == io::ErrorKind::AddrInUse => {
            anyhow!(
                "{error}\nhint: another program listens there; choose another address with {flag} \
                 (port 0 picks a free port)"
            )
        }
        _ => error.into(),
    }
}

/// Creates the account on the first start and writes its credentials to the data folder.
async fn first_account(
    identity: &Identity,
    data: &DataDir,
    wanted: Option<AccountId>,
    entropy: &dyn Entropy,
) -> anyhow::Result<()> {
    if !identity.ledger().ids().is_empty() {
        return Ok(());
    }
    let account = wanted.unwrap_or_else(|| AccountId::generate(entropy));
    let keep = |root: &RootCredentials| data.write_credentials(root);
    let created = identity.create_account(account, keep).await;
    created.with_context(|| format!("cannot create account {account}"))?;
    Ok(())
}

/// Gives root a console password if it has none, and writes it to the data folder.
async fn root_password(identity: &Identity, data: &DataDir) -> anyhow::Result<()> {
    let Some(account) = identity.first_account() else {
        return Ok(());
    };
    let keep = |password: &Secret<String>| data.write_root_password(password);
    let ensured = identity.ensure_root_password(account, keep).await;
    ensured.with_context(|| format!("cannot give root of account {account} a console password"))
}

/// Background maintenance, until the server stops.
async fn housekeeping(installation: Installation) {
    // Deleting many files takes long, and must not delay the rest.
    tokio::join!(
        keep_records(&installation),
        collect_garbage(&installation),
        follow_commits(&installation)
    );
}

/// Makes visible what other processes commit to the same store.
async fn follow_commits(installation: &Installation) {
    let ledger = installation.identity.ledger();
    let (mut commits, mut failing) = (installation.store.watch(), false);
    // This process's own commits are noticed, too; under load, many of them together.
    let mut pause = tokio::time::interval(Duration::from_millis(FOLLOW_MS));
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pause.tick().await;
        let refreshed = ledger.refresh().await;
        if let Err(error) = &refreshed
            && !failing
        {
            tracing::warn!(%error, "commits of other processes cannot be read");
        }
        failing = refreshed.is_err();
        if failing {
            continue;
        }
        if commits.changed().await.is_err() {
            return;
        }
    }
}

async fn collect_garbage(installation: &Installation) {
    let mut collect = tokio::time::interval(Duration::from_secs(COLLECT_SECS));
    loop {
        collect.tick().await;
        let collected = installation.objects.collect_garbage().await;
        log_failure(collected, "bytes of deleted objects were not removed");
    }
}

async fn keep_records(installation: &Installation) {
    let identity = &installation.identity;
    let mut flush = tokio::time::interval(Duration::from_secs(FLUSH_SECS));
    let mut purge = tokio::time::interval(Duration::from_secs(PURGE_SECS));
    loop {
        tokio::select! {
            _ = flush.tick() => {
                let flushed = identity.usage().flush().await;
                log_failure(flushed, "counted attempts were not written");
                let reserve = Arc::clone(&installation.reserve);
                let refilled = tokio::task::spawn_blocking(move || reserve.refill()).await;
                log_failure(refilled, "the disk reserve was not looked at");
            }
            _ = purge.tick() => {
                let purged = identity.purge_sessions().await;
                log_failure(purged, "ended sessions were not removed");
            }
        }
    }
}

fn log_failure<T>(done: Result<T, impl std::fmt::Display>, what: &str) {
    if let Err(error) = done {
        tracing::warn!(%error, "{what}");
    }
}

/// The URL at which an origin is reached.
fn reached(url: Option<&PublicUrl>, listening: ListenAddress) -> String {
    url.map_or_else(|| listening.to_string(), |url| url.as_str().to_owned())
}

/// The startup message: the URLs of both origins and, while root's credentials are in the data
/// folder, how to use them.
struct StartupMessage<'a> {
    identity: &'a Identity,
    data: &'a DataDir,
    urls: &'a PublicUrls,
    api: ListenAddress,
    console: ListenAddress,
}

impl StartupMessage<'_> {
    fn write(&self) -> io::Result<()> {
        let mut out = std::io::stdout().lock();
        let api = reached(self.urls.api.as_ref(), self.api);
        writeln!(out, "Keywright serves IAM, STS and S3 at {api}")?;
        for id in self.identity.ledger().ids() {
            let Some(cell) = self.identity.ledger().account(id) else {
                continue;
            };
            let account = cell.snapshot();
            let keys: usize = account.users().values().map(|user| user.keys.len()).sum();
            let (users, keys) = (account.users().len(), keys + account.root().keys.len());
            let (users, keys) = (counted(users, "user"), counted(keys, "access key"));
            writeln!(out, "Account {id}: {users}, {keys}")?;
        }
        self.console(&mut out)?;
        if self.urls.api.is_some() || self.urls.console.is_some() {
            // For the configuration of the proxy.
            let (api, console) = (self.api, self.console);
            writeln!(out, "Listening at {api}, the console at {console}")?;
        }
        if self.data.credentials().exists() {
            self.next(&mut out, &api)?;
        } else {
            writeln!(out, "Data: {}", absolute(self.data.path()))?;
        }
        out.flush()
    }

    /// Prints the console's URL and how root signs in. The password file may have been removed.
    fn console(&self, out: &mut impl Write) -> io::Result<()> {
        let path = self.data.root_password();
        let password = if path.exists() {
            format!(", root password in {}", absolute(&path))
        } else {
            String::new()
        };
        let account = self.identity.first_account();
        let account = account
            .map(|id| format!("account ID {id}"))
            .unwrap_or_default();
        let console = reached(self.urls.console.as_ref(), self.console);
        writeln!(out, "Console: {console}/console/  ({account}{password})")
    }

    fn next(&self, out: &mut impl Write, api: &str) -> io::Result<()> {
        let credentials = absolute(&self.data.credentials());
        writeln!(
            out,
            "Root credentials: {credentials} (profile keywright-root)"
        )?;
        writeln!(out, "\nNext, in another terminal:\n")?;
        writeln!(out, "  export AWS_ENDPOINT_URL={api}")?;
        // Within single quotes, a shell interprets nothing except a single quote.
        let quoted = credentials.replace('\'', r"'\''");
        writeln!(out, "  export AWS_SHARED_CREDENTIALS_FILE='{quoted}'")?;
        writeln!(
            out,
            "  export AWS_PROFILE=keywright-root AWS_DEFAULT_REGION=us-east-1"
        )?;
        writeln!(out, "  aws sts get-caller-identity")
    }
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path)
        .unwrap_or_else(|_| path.to_owned())
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    use keywright_store::sqlite::SqliteStore;

    use super::first_death;

    #[tokio::test]
    async fn a_part_that_died_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("db")).unwrap();
        let mut defect = tokio::spawn(async { panic!("a defect") });
        let mut well = tokio::spawn(std::future::pending());
        let death = first_death(&store, &mut defect, &mut well)
            .await
            .to_string();
        assert!(
            death.starts_with("the task for housekeeping has panicked"),
            "{death}"
        );
        let mut other = tokio::spawn(std::future::pending());
        store.panic_writer();
        let death = first_death(&store, &mut well, &mut other).await.to_string();
        assert!(
            death.starts_with("thread store-write has panicked"),
            "{death}"
        );
        assert!(death.ends_with("hint: start it again"), "{death}");
    }
}
