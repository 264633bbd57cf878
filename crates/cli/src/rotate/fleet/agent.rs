//! `keywright agent`: repeated rounds over a fleet, until it is stopped.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use keywright_fleet::driver::RotationDriver;
use keywright_fleet::{FleetConfig, survey_fleet};
use tokio::signal::unix::{SignalKind, signal};

use super::{load, lock::RunLock, one_round, print_round};
use crate::{
    remote::printable_lines,
    rotate::{arguments, metrics, notices},
};

/// Rounds after which a metric that is no longer published disappears.
const ROUNDS_LISTED: u32 = 3;

/// Which fleet, and how often.
#[derive(Debug, Args)]
pub(crate) struct AgentArguments {
    /// Fleet file in TOML (see docs/rotation.md)
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Interval between rounds
    #[arg(long, default_value = "15m", value_name = "TIME", value_parser = arguments::seconds)]
    every: i64,

    /// Address to serve Prometheus metrics on
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<std::net::SocketAddr>,

    /// Folder for the journal [default: ~/.local/state/keywright]
    #[arg(long, env = "KEYWRIGHT_JOURNAL", value_name = "DIR")]
    pub(in crate::rotate) journal: Option<PathBuf>,
}

/// Runs rounds until stopped. A failed round is reported and retried.
pub(in crate::rotate) async fn agent(
    driver: &RotationDriver,
    arguments: &AgentArguments,
    journal: &Path,
) -> anyhow::Result<bool> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut config = load(&arguments.file)?;
    let rest = Duration::from_secs(u64::try_from(arguments.every).unwrap_or(0).max(1));
    if let Some(address) = arguments.metrics {
        let address = metrics::serve(address, rest * ROUNDS_LISTED)?;
        let _ = writeln!(io::stderr(), "metrics at http://{address}/metrics");
    }
    let mut message = String::new();
    let mut rounds = tokio::time::interval(rest);
    loop {
        tokio::select! {
            biased;
            _ = terminate.recv() => return Ok(true),
            _ = interrupt.recv() => return Ok(true),
            _ = hangup.recv() => {
                config = reload(&arguments.file).unwrap_or(config);
                continue;
            }
            _ = rounds.tick() => {}
        }
        // An interrupted rotation continues from the journal. SIGHUP waits for the end of the
        // round.
        tokio::select! {
            () = agent_round(driver, (&arguments.file, &config), journal, &mut message) => {}
            _ = terminate.recv() => return Ok(true),
            _ = interrupt.recv() => return Ok(true),
        }
    }
}

/// Reads the file again. `None` if it has errors.
fn reload(file: &Path) -> Option<FleetConfig> {
    let mut talk = io::stderr().lock();
    match load(file) {
        Ok(config) => {
            let _ = writeln!(talk, "reloaded {}", file.display());
            Some(config)
        }
        Err(error) => {
            let _ = writeln!(talk, "error: {}", printable_lines(&format!("{error:#}")));
            let _ = writeln!(talk, "the previous fleet configuration stays in effect");
            None
        }
    }
}

/// Runs one round over all accounts. Failures are reported, counted and retried in the next round.
/// `said` holds the problems of the file that were reported already.
async fn agent_round(
    driver: &RotationDriver,
    (file, config): (&Path, &FleetConfig),
    journal: &Path,
    message: &mut String,
) {
    let _lock = match RunLock::take(journal, file).await {
        Ok(Some(lock)) => lock,
        Ok(None) => {
            let file = file.display();
            let _ = writeln!(
                io::stderr(),
                "another run of {file} is in progress; skipping this round"
            );
            return;
        }
        Err(error) => {
            let _ = writeln!(
                io::stderr(),
                "error: {}",
                printable_lines(&format!("{error:#}"))
            );
            return;
        }
    };
    let fleet = survey_fleet(driver, config).await;
    metrics::publish_problems(fleet.problems.as_ref());
    let problems = fleet.problems.as_ref();
    let text = problems.map(|problems| problems.of_file(&file.to_string_lossy()));
    let text = text.unwrap_or_default();
    if !text.is_empty() && *message != text {
        let _ = writeln!(io::stderr(), "error: {}", printable_lines(&text));
    }
    *message = text;
    for (account, survey) in config.accounts.iter().zip(fleet.accounts) {
        let looked = (survey, problems);
        let done = match one_round(driver, (config, account), looked).await {
            Ok(round) => {
                // A failure to print must not keep keys from being rotated.
                let _ = print_round(account, &round);
                metrics::publish(driver, account, &round).await
            }
            Err(error) => {
                metrics::count_failure(account);
                Err(error)
            }
        };
        if let Err(error) = done {
            let text = printable_lines(&format!("account {}: {error:#}", account.name));
            let _ = writeln!(io::stderr(), "error: {text}");
        }
    }
    if config.digest.is_some() {
        notices::deliver(driver, config).await;
    }
}
