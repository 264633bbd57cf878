//! `cargo xtask crash`: kills the server at random moments under a write load and compares the
//! state after each restart with what was acknowledged before.
//!
//! Invariants: everything acknowledged is there, nothing is partially there, and the server starts
//! without help. SIGKILL leaves the system's page cache intact, so this tests order and atomicity,
//! not the behaviour of a disk on power loss.

mod model;
mod verify;
mod worker;

use std::{
    collections::HashSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use keywright_base::AccountId;
use keywright_objects::INLINE_BYTES;
use keywright_store::{
    contract::{BlobJournal, LedgerStore},
    sqlite::SqliteStore,
};

use self::{model::ExpectedState, verify::Reader, worker::BUCKET};
use crate::{
    chance::{self, Chance},
    installation::{self, Running, fresh_folder},
    requests::Key,
    say,
};

/// Concurrent writing clients.
const CLIENTS: usize = 8;
/// Longest life of the server under load in milliseconds.
const LIFE_MS: u64 = 600;

/// `crash`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often the server is killed
    #[arg(long, default_value_t = 50)]
    rounds: u32,
    /// Repeats the choices (not the timing) of an earlier run
    #[arg(long)]
    seed: Option<u64>,
}

/// Runs every round.
///
/// # Errors
/// The first violation with its evidence. The data folder is kept.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let seed = args.seed.unwrap_or_else(chance::random);
    say(&format!("seed {seed}"))?;
    let mut experiment = Experiment::new(fresh_folder("crash")?.join("data"), seed)?;
    let mut commits = 0;
    for round in 1..=args.rounds {
        let outcome = experiment.round();
        commits += outcome.with_context(|| {
            let data = experiment.data.display();
            format!("round {round} of seed {seed}; the data folder is {data}")
        })?;
    }
    let objects = experiment.puts();
    say(&format!(
        "{} kills, {commits} acknowledged IAM commits, {objects} objects: \
         everything acknowledged is there, nothing is half there",
        args.rounds
    ))
}

/// The server under test and its clients' models.
struct Experiment {
    data: PathBuf,
    root: Key,
    server: Running,
    models: Vec<ExpectedState>,
    chance: Chance,
    /// The account's version when the clients start.
    version: u64,
}

impl Experiment {
    fn new(data: PathBuf, seed: u64) -> anyhow::Result<Self> {
        let mut server = Running::serve(&data)?;
        let root = installation::root(&data)?;
        server.put(&root, &format!("/{BUCKET}"), b"")?;
        server.kill()?;
        let version = version(&stored(&data)?)?;
        let mut chance = Chance::new(seed);
        let models = (0..CLIENTS).map(|client| ExpectedState::new(client, chance.next()));
        Ok(Self {
            models: models.collect(),
            server: Running::serve(&data)?,
            data,
            root,
            chance,
            version,
        })
    }

    /// Loads, kills, restarts and verifies. Returns the number of acknowledged commits.
    fn round(&mut self) -> anyhow::Result<u64> {
        let life_ms = self.chance.below(LIFE_MS);
        load_and_kill(&mut self.server, &mut self.models, &self.root, life_ms)?;
        let stored = stored(&self.data)?;
        let acknowledged = self.check_version(version(&stored)?)?;
        let journaled = journaled_blobs(&stored)?;
        drop(stored);
        self.server = Running::serve(&self.data).context("it does not start again")?;
        let mut reader = Reader::new(self.server.address, &self.root)?;
        for model in &mut self.models {
            let client = model.client;
            reader
                .check(model)
                .with_context(|| format!("client {client}"))?;
            model.commits = 0;
        }
        check_files(&self.data, &journaled, &self.models)?;
        Ok(acknowledged)
    }

    /// Checks that the account's version grew by one for each commit.
    fn check_version(&mut self, now: u64) -> anyhow::Result<u64> {
        let acknowledged: u64 = self.models.iter().map(|model| model.commits).sum();
        let steps = self
            .models
            .iter()
            .filter_map(|model| model.under_way.as_ref());
        let under_way = steps.filter(|step| step.commits()).count();
        let most = acknowledged + u64::try_from(under_way)?;
        let was = std::mem::replace(&mut self.version, now);
        ensure!(
            (was + acknowledged..=was + most).contains(&now),
            "the account went from version {was} to {now} with {acknowledged} acknowledged \
             commits and {under_way} under way"
        );
        Ok(acknowledged)
    }

    fn puts(&self) -> usize {
        self.models.iter().map(|model| model.objects.len()).sum()
    }
}

fn load_and_kill(
    server: &mut Running,
    models: &mut [ExpectedState],
    root: &Key,
    life_ms: u64,
) -> anyhow::Result<()> {
    let address = server.address;
    thread::scope(|scope| {
        let work = |model| scope.spawn(move || worker::work(model, address, root));
        let clients: Vec<_> = models.iter_mut().map(work).collect();
        live(Duration::from_millis(life_ms));
        server.kill()?;
        for client in clients {
            match client.join() {
                Ok(outcome) => outcome?,
                Err(_) => bail!("a client panicked"),
            }
        }
        Ok(())
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the random moment of death is the experiment"
)]
fn live(life: Duration) {
    thread::sleep(life);
}

/// The store of a killed server, as a copy, so that the server's own start recovers the database.
fn stored(data: &Path) -> anyhow::Result<SqliteStore> {
    let copy = fresh_folder("crash-copy")?;
    for file in ["keywright.db", "keywright.db-wal"] {
        if data.join(file).exists() {
            fs::copy(data.join(file), copy.join(file))?;
        }
    }
    Ok(SqliteStore::open(&copy.join("keywright.db"))?)
}

/// The version of the only account.
fn version(store: &SqliteStore) -> anyhow::Result<u64> {
    let mut accounts = store.accounts()?.into_iter();
    let account = accounts.find(|(id, _)| *id != AccountId::INSTALLATION);
    Ok(account.context("no account")?.1)
}

/// The blobs that may have a file although no object refers to them.
fn journaled_blobs(store: &SqliteStore) -> anyhow::Result<HashSet<OsString>> {
    let mut names = HashSet::new();
    store.every_journaled_blob(&mut |blob| {
        let name = format!("{:032x}", u128::from_be_bytes(blob));
        names.insert(name.into());
    })?;
    Ok(names)
}

/// Checks that each large object has a file, and that every other file is in the journal, so that
/// it will be deleted.
fn check_files(
    data: &Path,
    journaled: &HashSet<OsString>,
    models: &[ExpectedState],
) -> anyhow::Result<()> {
    let mut blobs = 0;
    for shard in fs::read_dir(data.join("objects"))? {
        for file in fs::read_dir(shard?.path())? {
            blobs += usize::from(!journaled.contains(&file?.file_name()));
        }
    }
    let objects = models.iter().flat_map(|model| model.objects.values());
    let large = objects
        .filter(|content| content.bytes().len() > INLINE_BYTES)
        .count();
    ensure!(
        blobs == large,
        "{blobs} files that are not in the journal, for {large} objects that have one"
    );
    Ok(())
}
