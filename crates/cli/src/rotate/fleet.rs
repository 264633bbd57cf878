//! Many users by declaration: `rotate plan`, `rotate apply`, `rotate report`, and the agent that
//! does the same again and again.
//!
//! It protects one rule: `plan` and `apply` look with the same eyes, and everybody who is passed
//! over is listed with the reason.

use std::{
    collections::HashMap,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use keywright_adapters::{
    driver::{Driver, Rest},
    fleet::{Account, Choice, Config, Round, Verdict, cis, round, survey},
    notify::{self, News},
};
use keywright_rotation::{model::Rotation, ports::Journal};
use keywright_server::SystemEntropy;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::{arguments, show};
use crate::remote::{RemoteArguments, printable};

/// The most a declaration may have, in bytes.
const FILE_BYTES: u64 = 1024 * 1024;

/// Rounds for which a metric is shown that no round publishes any more.
const ROUNDS_SHOWN: u32 = 3;

/// Which fleet.
#[derive(Debug, Args)]
pub(super) struct FleetArguments {
    /// The declaration, TOML (see docs/rotation.md)
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which fleet, and how often.
#[derive(Debug, Args)]
pub(crate) struct AgentArguments {
    /// The declaration, TOML (see docs/rotation.md)
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// How long to rest between two rounds
    #[arg(long, default_value = "15m", value_name = "TIME", value_parser = arguments::seconds)]
    every: i64,

    /// Address to serve Prometheus metrics at
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<std::net::SocketAddr>,

    /// Folder of the journal [default: ~/.local/state/keywright]
    #[arg(long, env = "KEYWRIGHT_JOURNAL", value_name = "DIR")]
    pub(super) journal: Option<PathBuf>,
}

/// How a report looks.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// For people
    Text,
    /// A line a finding
    Csv,
    /// For machines
    Json,
}

/// Whose report.
#[derive(Debug, Args)]
pub(super) struct ReportArguments {
    /// text, csv or json
    #[arg(long, default_value = "text", value_name = "FORM")]
    format: Form,

    #[command(flatten)]
    remote: RemoteArguments,
}

fn load(path: &Path) -> anyhow::Result<Config> {
    let cannot = || format!("cannot read {}", path.display());
    let size = std::fs::metadata(path).with_context(cannot)?.len();
    ensure!(size <= FILE_BYTES, "{} is too long", path.display());
    let text = std::fs::read_to_string(path).with_context(cannot)?;
    Config::parse(&text).with_context(|| format!("{} is not a fleet", path.display()))
}

fn verdict(choice: &Choice) -> (&'static str, String) {
    match &choice.verdict {
        Verdict::Due(due) => (
            "due",
            format!("since {}, key of {}", due.since, due.created),
        ),
        Verdict::Later { at } => ("later", format!("not before {at}")),
        Verdict::AskTags => ("unknown", "its tags are not known".to_owned()),
        Verdict::Person(why) => ("person", why.clone()),
        Verdict::Nothing(why) => ("nothing", why.clone()),
    }
}

fn choice_json(choice: &Choice) -> Value {
    let (verdict, why) = verdict(choice);
    json!({
        "UserName": choice.user,
        "Rule": choice.rule.map(|rule| rule + 1),
        "Verdict": verdict,
        "Why": why,
    })
}

/// Looks, and changes nothing. False when a person must look at somebody.
pub(super) async fn plan(driver: &Driver, arguments: &FleetArguments) -> anyhow::Result<bool> {
    let config = load(&arguments.file)?;
    let mut shown = Vec::new();
    let mut well = true;
    for account in &config.accounts {
        let survey = survey(driver, account)
            .await
            .with_context(|| format!("account {}", account.name))?;
        let persons = survey.choices.iter();
        well &= !persons
            .clone()
            .any(|choice| matches!(choice.verdict, Verdict::Person(_)));
        if arguments.json {
            shown.push(json!({
                "Name": account.name,
                "Account": survey.account,
                "ReportOf": survey.at.iso8601(),
                "Calls": survey.calls,
                "Users": persons.map(choice_json).collect::<Vec<_>>(),
            }));
            continue;
        }
        let mut out = io::stdout().lock();
        let (name, number, at) = (&account.name, &survey.account, survey.at);
        writeln!(out, "{name} ({number}), by the credential report of {at}")?;
        for choice in &survey.choices {
            let (verdict, why) = verdict(choice);
            writeln!(
                out,
                "  {verdict:<8} {:<24} {}",
                choice.user,
                printable(&why)
            )?;
        }
    }
    if arguments.json {
        show::print_json(&Value::Array(shown))?;
    }
    Ok(well)
}

/// Goes on with what is open, and begins what is due. False when something is held or failed.
pub(super) async fn apply(driver: &Driver, arguments: &FleetArguments) -> anyhow::Result<bool> {
    let config = load(&arguments.file)?;
    let mut shown = Vec::new();
    let mut well = true;
    for account in &config.accounts {
        let round = one_round(driver, &config, account, &mut Said::default()).await?;
        well &= is_well(&round);
        if arguments.json {
            shown.push(round_json(account, &round));
        } else {
            print_round(account, &round)?;
        }
    }
    if arguments.json {
        show::print_json(&Value::Array(shown))?;
    }
    Ok(well)
}

/// What was said last of each rotation, or user, so that it is not said again and again.
#[derive(Default)]
struct Said(HashMap<String, &'static str>);

impl Said {
    /// Whether it is something else than the last time.
    fn is_new(&mut self, of: &str, outcome: &'static str) -> bool {
        self.0.insert(of.to_owned(), outcome) != Some(outcome)
    }
}

async fn one_round(
    driver: &Driver,
    config: &Config,
    account: &Account,
    said: &mut Said,
) -> anyhow::Result<Round> {
    let progress = show::Progress::new(false);
    let told = |rotation: &Rotation, what: &str| progress.say(rotation, what);
    let done = round(driver, config, account, &SystemEntropy, &told).await;
    let done = done.with_context(|| format!("account {}", account.name))?;
    for did in &done.did {
        let (mut outcome, why, until) = show::outcome(&did.outcome);
        if let (Some(until), Some(id)) = (until, &did.rotation) {
            let rotation = driver.journal().rotation(id).await?;
            if rotation.is_some_and(|rotation| rotation.is_in_trouble(until)) {
                outcome = "warning";
            }
        }
        let news = News {
            account: &done.survey.account,
            user: Some(&did.user),
            rotation: did.rotation.as_ref(),
            outcome,
            why: &why,
        };
        let of = did.rotation.as_ref().map_or(&did.user, |id| &id.0);
        if said.is_new(of, outcome) && outcome != "waiting" {
            tell_all(config, &news).await;
        }
    }
    for choice in &done.survey.choices {
        if let Verdict::Person(why) = &choice.verdict
            && said.is_new(&choice.user, "warning")
        {
            let news = News {
                account: &done.survey.account,
                user: Some(&choice.user),
                rotation: None,
                outcome: "warning",
                why,
            };
            tell_all(config, &news).await;
        }
    }
    if done.broke {
        let why = format!(
            "after {} failures in a row nothing more was begun; the next round tries again",
            config.stop_after_failures
        );
        let news = News {
            account: &done.survey.account,
            user: None,
            rotation: None,
            outcome: "stopped",
            why: &why,
        };
        tell_all(config, &news).await;
    }
    Ok(done)
}

async fn tell_all(config: &Config, news: &News<'_>) {
    for target in &config.notify {
        if let Err(error) = notify::tell(target, news).await {
            let _ = writeln!(io::stderr(), "{target} was not told: {error}");
        }
    }
}

fn is_well(round: &Round) -> bool {
    let good = |rest: &Result<Rest, _>| matches!(rest, Ok(Rest::Over(_) | Rest::Wait { .. }));
    !round.broke && round.did.iter().all(|did| good(&did.outcome))
}

fn round_json(account: &Account, round: &Round) -> Value {
    let did = round.did.iter().map(|did| {
        let (outcome, why, until) = show::outcome(&did.outcome);
        json!({
            "UserName": did.user,
            "RotationId": did.rotation.as_ref().map(|id| &id.0),
            "Outcome": outcome,
            "Why": why,
            "Until": until.map(|at| at.iso8601()),
        })
    });
    json!({
        "Name": account.name,
        "Account": round.survey.account,
        "Users": round.survey.choices.iter().map(choice_json).collect::<Vec<_>>(),
        "Did": did.collect::<Vec<_>>(),
        "StoppedAfterFailures": round.broke,
        "Calls": round.calls,
    })
}

fn print_round(account: &Account, round: &Round) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let looked = round.survey.choices.len();
    let (name, number) = (&account.name, &round.survey.account);
    writeln!(out, "{name} ({number}): looked at {looked} users")?;
    for did in &round.did {
        let (outcome, why, _) = show::outcome(&did.outcome);
        writeln!(out, "  {outcome:<8} {:<24} {}", did.user, printable(&why))?;
    }
    for choice in &round.survey.choices {
        if let Verdict::Person(why) = &choice.verdict {
            writeln!(out, "  person   {:<24} {}", choice.user, printable(why))?;
        }
    }
    if round.broke {
        writeln!(
            out,
            "  stopped after failures in a row; the next run tries again"
        )?;
    }
    Ok(())
}

/// The account's findings by CIS's controls. False when there are any.
pub(super) async fn report(driver: &Driver, arguments: &ReportArguments) -> anyhow::Result<bool> {
    let access = driver.access(&arguments.remote.settings()).await?;
    let (rows, at) = keywright_adapters::fleet::credentials(&access).await?;
    let findings = cis::findings(&rows, at);
    let mut out = io::stdout().lock();
    match arguments.format {
        Form::Json => {
            drop(out);
            show::print_json(&json!({
                "Account": access.identity().account,
                "ReportOf": at.iso8601(),
                "Users": rows.len(),
                "Findings": serde_json::to_value(&findings)?,
            }))?;
        }
        Form::Csv => {
            let mut table = csv::Writer::from_writer(&mut out);
            table.write_record(["control", "user", "arn", "detail"])?;
            for finding in &findings {
                let control = serde_json::to_value(finding.control)?;
                let control = control.as_str().unwrap_or_default();
                table.write_record([control, &finding.user_name, &finding.arn, &finding.detail])?;
            }
            table.flush()?;
        }
        Form::Text => {
            let (account, users) = (&access.identity().account, rows.len());
            writeln!(
                out,
                "Account {account}, {users} users, by the credential report of {at}"
            )?;
            for control in cis::Control::ALL {
                let of_it: Vec<_> = findings.iter().filter(|f| f.control == control).collect();
                let state = if of_it.is_empty() { "met" } else { "NOT MET" };
                writeln!(out, "\n{state}: {}", control.text())?;
                for finding in of_it {
                    writeln!(
                        out,
                        "  {:<24} {}",
                        printable(&finding.user_name),
                        finding.detail
                    )?;
                }
            }
        }
    }
    Ok(findings.is_empty())
}

/// Rounds, until it is told to stop. A round that fails is said and tried again.
pub(super) async fn agent(driver: &Driver, arguments: &AgentArguments) -> anyhow::Result<bool> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let config = load(&arguments.file)?;
    let rest = Duration::from_secs(u64::try_from(arguments.every).unwrap_or(0).max(1));
    if let Some(address) = arguments.metrics {
        let address = super::metrics::serve(address, rest * ROUNDS_SHOWN)?;
        let _ = writeln!(io::stderr(), "metrics at http://{address}/metrics");
    }
    let mut said = Said::default();
    let mut rounds = tokio::time::interval(rest);
    loop {
        let work = async {
            rounds.tick().await;
            for account in &config.accounts {
                match one_round(driver, &config, account, &mut said).await {
                    Ok(round) => {
                        // What cannot be said must not keep keys from being rotated.
                        let _ = print_round(account, &round);
                        super::metrics::publish(driver, account, &round).await?;
                    }
                    Err(error) => {
                        let _ = writeln!(io::stderr(), "{error:#}");
                    }
                }
            }
            anyhow::Ok(())
        };
        // Whatever is cut off here goes on from the journal.
        tokio::select! {
            done = work => done?,
            _ = terminate.recv() => return Ok(true),
            _ = interrupt.recv() => return Ok(true),
        }
    }
}
