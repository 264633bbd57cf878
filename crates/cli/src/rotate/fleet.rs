//! Rotations of a whole fleet: `rotate plan`, `rotate apply`, `rotate report`, and the agent that
//! applies repeatedly.
//!
//! Invariant: `plan` and `apply` use the same survey, and every skipped user is listed with the
//! reason.

mod agent;
mod lock;
mod plan;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, ensure};
use clap::{Args, ValueEnum};
use keywright_aws::ClientSettings;
use keywright_fleet::driver::{DriveError, DriveEvent, DriveOutcome, RotationDriver};
use keywright_fleet::{
    AccountSurvey, ConfigErrors, FleetAccount, FleetConfig, FleetRound, RotationNeed,
    UserSelection, cis, round, survey_fleet,
};
use keywright_rotation::model::Rotation;
use keywright_server::SystemEntropy;
use serde_json::{Value, json};

pub(crate) use self::agent::AgentArguments;
use self::lock::RunLock;
pub(super) use self::{
    agent::agent,
    plan::{columns, plan},
};
use super::{notices, progress::ProgressDisplay, show};
use crate::remote::{RemoteArguments, printable};

/// Size limit of a fleet file in bytes.
const FILE_BYTES: u64 = 1024 * 1024;

/// Which fleet.
#[derive(Debug, Args)]
pub(super) struct FleetArguments {
    /// Fleet file in TOML (see docs/rotation.md)
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How a report looks.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReportFormat {
    /// Text for people
    Text,
    /// One line for each finding
    Csv,
    /// JSON for programs
    Json,
}

/// Whose report.
#[derive(Debug, Args)]
pub(super) struct ReportArguments {
    /// Format of the report
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    format: ReportFormat,

    /// ARN of a role to assume first
    #[arg(long, value_name = "ARN")]
    assume_role: Option<String>,

    /// Region [default: AWS_REGION, or the profile's]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    #[command(flatten)]
    remote: RemoteArguments,
}

impl ReportArguments {
    fn settings(&self) -> ClientSettings {
        ClientSettings {
            assume_role: self.assume_role.clone(),
            region: self.region.clone(),
            ..self.remote.settings()
        }
    }
}

fn load(path: &Path) -> anyhow::Result<FleetConfig> {
    let cannot = || format!("cannot read {}", path.display());
    let size = std::fs::metadata(path).with_context(cannot)?.len();
    ensure!(size <= FILE_BYTES, "{} is too large", path.display());
    let text = std::fs::read_to_string(path).with_context(cannot)?;
    let config = FleetConfig::parse(&text);
    let config = config.map_err(|errors| anyhow!(errors.of_file(&path.to_string_lossy())))?;
    notices::check(&config);
    Ok(config)
}

fn verdict(choice: &UserSelection) -> (&'static str, String) {
    match &choice.verdict {
        RotationNeed::Due(due) => (
            "due",
            format!("since {}, key created {}", due.since, due.created),
        ),
        RotationNeed::Later { at, why, .. } => ("later", format!("not before {at}: {why}")),
        RotationNeed::AskTags => ("unknown", "its tags are unknown".to_owned()),
        RotationNeed::Person(why) => ("person", why.clone()),
        RotationNeed::Nothing(why) => ("nothing", why.clone()),
    }
}

fn choice_json(choice: &UserSelection) -> Value {
    let (verdict, why) = verdict(choice);
    json!({
        "UserName": choice.user,
        "Rule": choice.rule.map(|rule| rule + 1),
        "Verdict": verdict,
        "Why": why,
    })
}

/// Accounts that failed, each with the reason.
#[derive(Default)]
struct FailedAccounts(Vec<String>, Vec<String>);

impl FailedAccounts {
    fn add(&mut self, account: &FleetAccount, error: &anyhow::Error) {
        self.0.push(account.name.clone());
        self.1.push(format!("  {}: {error:#}", account.name));
    }

    /// The result of a run: problems with the file and failed accounts.
    ///
    /// # Errors
    /// All of them, if there are any.
    fn conclude(
        &self,
        (file, config): (&Path, &FleetConfig),
        problems: Option<&ConfigErrors>,
    ) -> anyhow::Result<()> {
        let mut text = Vec::new();
        text.extend(problems.map(|problems| problems.of_file(&file.to_string_lossy())));
        if !self.0.is_empty() {
            let (failed, all) = (self.0.len(), config.accounts.len());
            let names = self.0.join(", ");
            text.push(format!("{failed} of {all} accounts failed: {names}"));
            text.extend(self.1.iter().cloned());
        }
        ensure!(text.is_empty(), "{}", text.join("\n"));
        Ok(())
    }
}

/// Continues open rotations and starts those that are due. Returns false if one is held or failed.
pub(super) async fn apply(
    driver: &RotationDriver,
    arguments: &FleetArguments,
    journal: &Path,
) -> anyhow::Result<bool> {
    let config = load(&arguments.file)?;
    let Some(_lock) = RunLock::take(journal, &arguments.file).await? else {
        let file = arguments.file.display();
        writeln!(
            io::stderr(),
            "another run of {file} is in progress; exiting"
        )?;
        return Ok(true);
    };
    let fleet = survey_fleet(driver, &config).await;
    let mut listed = Vec::new();
    let mut well = true;
    let mut failed = FailedAccounts::default();
    for (account, survey) in config.accounts.iter().zip(fleet.accounts) {
        let principal = (&config, account);
        let looked = (survey, fleet.problems.as_ref());
        match one_round(driver, principal, looked).await {
            Ok(round) => {
                well &= is_well(&round);
                if arguments.json {
                    listed.push(round_json(account, &round));
                } else {
                    print_round(account, &round)?;
                }
            }
            Err(error) => {
                listed.push(json!({ "Name": account.name, "Error": format!("{error:#}") }));
                failed.add(account, &error);
            }
        }
    }
    if config.digest.is_some() {
        notices::deliver(driver, &config).await;
    }
    if arguments.json {
        show::print_json(&Value::Array(listed))?;
    }
    failed.conclude((&arguments.file, &config), fleet.problems.as_ref())?;
    Ok(well)
}

/// Runs one round over an account and queues its notices.
async fn one_round(
    driver: &RotationDriver,
    (config, account): (&FleetConfig, &FleetAccount),
    (survey, problems): (Result<AccountSurvey, DriveError>, Option<&ConfigErrors>),
) -> anyhow::Result<FleetRound> {
    let progress = ProgressDisplay::new(false);
    let observer = |rotation: &Rotation, event: DriveEvent<'_>| progress.note(rotation, event);
    let done = async {
        let looked = (survey?, problems.is_none());
        round(driver, (config, account), looked, &SystemEntropy, &observer).await
    };
    let done = done.await.map_err(anyhow::Error::from);
    notices::queue(driver, (config, account), (&done, problems)).await;
    if config.digest.is_none() {
        notices::deliver(driver, config).await;
    }
    done
}

fn is_well(round: &FleetRound) -> bool {
    let good = |rest: &Result<DriveOutcome, _>| {
        matches!(rest, Ok(DriveOutcome::Over(_) | DriveOutcome::Wait { .. }))
    };
    !round.broke && round.drives.iter().all(|did| good(&did.outcome))
}

fn round_json(account: &FleetAccount, round: &FleetRound) -> Value {
    let did = round.drives.iter().map(|did| {
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

fn print_round(account: &FleetAccount, round: &FleetRound) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let looked = round.survey.choices.len();
    let (name, number) = (&account.name, &round.survey.account);
    let name = printable(name);
    let number = printable(number);
    writeln!(out, "{name} ({number}): checked {looked} users")?;
    for did in &round.drives {
        let (outcome, why, _) = show::outcome(&did.outcome);
        let (user, why) = (printable(&did.user), printable(&why));
        writeln!(out, "  {outcome:<8} {user:<24} {why}")?;
    }
    for choice in &round.survey.choices {
        if let RotationNeed::Person(why) = &choice.verdict {
            let (user, why) = (printable(&choice.user), printable(why));
            writeln!(out, "  person   {user:<24} {why}")?;
        }
    }
    if round.broke {
        writeln!(
            out,
            "  stopped after consecutive failures; the next run tries again"
        )?;
    }
    Ok(())
}

/// Prints the account's CIS findings. Returns false if there are any.
pub(super) async fn report(
    driver: &RotationDriver,
    arguments: &ReportArguments,
) -> anyhow::Result<bool> {
    let access = driver.access(&arguments.settings()).await?;
    let (rows, at) = keywright_fleet::credentials(&access).await?;
    let findings = cis::findings(&rows, at);
    let mut out = io::stdout().lock();
    match arguments.format {
        ReportFormat::Json => {
            drop(out);
            show::print_json(&json!({
                "Account": access.identity().account,
                "ReportOf": at.iso8601(),
                "Users": rows.len(),
                "Benchmark": cis::BENCHMARK,
                "Controls": cis::CisControl::ALL.map(control_json),
                "Findings": serde_json::to_value(&findings)?,
            }))?;
        }
        ReportFormat::Csv => {
            let mut table = csv::Writer::from_writer(&mut out);
            table.write_record(["control", "user", "arn", "detail", "cis"])?;
            for finding in &findings {
                let control = serde_json::to_value(finding.control)?;
                let control = control.as_str().unwrap_or_default();
                let (user, arn, detail) = (&finding.user_name, &finding.arn, &finding.detail);
                let numbers = finding.control.numbers_text();
                table.write_record([control, user, arn, detail, &numbers])?;
            }
            table.flush()?;
        }
        ReportFormat::Text => {
            let (account, users) = (&access.identity().account, rows.len());
            writeln!(
                out,
                "Account {account}, {users} users, according to the credential report of {at}\n{}",
                cis::BENCHMARK
            )?;
            for control in cis::CisControl::ALL {
                let of_it: Vec<_> = findings.iter().filter(|f| f.control == control).collect();
                let state = if of_it.is_empty() { "met" } else { "NOT MET" };
                let (text, numbers) = (control.text(), control.numbers_text());
                writeln!(out, "\n{state}: {text} ({numbers})")?;
                for finding in of_it {
                    writeln!(
                        out,
                        "  {:<24} {}",
                        printable(&finding.user_name),
                        printable(&finding.detail)
                    )?;
                }
            }
        }
    }
    Ok(findings.is_empty())
}

fn control_json(control: cis::CisControl) -> Value {
    let numbers = control
        .numbers()
        .iter()
        .map(|(version, number)| json!({"Version": version, "Number": number}));
    json!({
        "Control": control,
        "Text": control.text(),
        "Numbers": numbers.collect::<Vec<_>>(),
    })
}
