//! `keywright rotate`: replaces an access key wherever it is stored, on Keywright or on AWS,
//! without breaking a consumer.
//!
//! Invariant: the output is what the engine decided. Plan, progress and status come from the
//! planner and the journal. Nothing here touches a key or a destination.

mod activity;
mod arguments;
mod fleet;
mod list;
mod metrics;
mod notices;
mod permissions;
mod progress;
mod refused;
mod show;
mod status;

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use keywright_aws::{AccountClient, ClientSettings, IamIssuer};
use keywright_fleet::driver::{DriveError, DriveEvent, DriveOutcome, RotationDriver};
use keywright_fleet::journal::SqliteJournal;
use keywright_fleet::new_id;
use keywright_rotation::{
    execute::{NewRotation, RotationEdit, TickError},
    model::{Delivery, HoldReason, KeyId, Phase, Rotation},
    ports::{IssuerError, JournalError, RotationJournal},
};
use keywright_server::{SystemClock, SystemEntropy};
use keywright_sinks::SinkSpec;
use serde_json::Value;

use self::arguments::{
    AbandonArguments, ChangeArguments, HistoryArguments, HoldArguments, OneArguments,
    ResumeArguments, RotateCommand, StartArguments, StatusArguments,
};
pub(crate) use self::{arguments::RotateArguments, fleet::AgentArguments};
use self::{permissions::NeededPolicy, progress::ProgressDisplay};
use crate::{
    remote::{printable, variable},
    run_to_end,
};

/// Rotations that one command lists at most.
const LISTED: u32 = 10_000;
/// Rotations driven concurrently.
const AT_ONCE: usize = 8;

/// The last line of a dry run.
const UNCHANGED: &str = "nothing was changed";

/// Runs a command. Returns false if a rotation is held or the answer is no.
///
/// # Errors
/// With a message for the user. Nothing has changed.
pub(crate) fn run(arguments: &RotateArguments) -> anyhow::Result<bool> {
    let journal = journal_folder(arguments.journal.as_ref())?;
    let driver = driver(&journal)?;
    run_to_end::run(async {
        match (&arguments.command, &arguments.start) {
            (Some(RotateCommand::Status(arguments)), _) => status(&driver, arguments).await,
            (Some(RotateCommand::Resume(arguments)), _) => resume(&driver, arguments).await,
            (Some(RotateCommand::Rollback(arguments)), _) => roll_back(&driver, arguments).await,
            (Some(RotateCommand::Hold(arguments)), _) => hold(&driver, arguments).await,
            (Some(RotateCommand::Release(arguments)), _) => release(&driver, arguments).await,
            (Some(RotateCommand::Change(arguments)), _) => change(&driver, arguments).await,
            (Some(RotateCommand::Abandon(arguments)), _) => abandon(&driver, arguments).await,
            (Some(RotateCommand::History(arguments)), _) => history(&driver, arguments).await,
            (Some(RotateCommand::Plan(arguments)), _) => fleet::plan(&driver, arguments).await,
            (Some(RotateCommand::Apply(arguments)), _) => {
                fleet::apply(&driver, arguments, &journal).await
            }
            (Some(RotateCommand::Activity(arguments)), _) => {
                activity::show(&driver, arguments).await
            }
            (Some(RotateCommand::Report(arguments)), _) => fleet::report(&driver, arguments).await,
            (None, start) => self::start(&driver, start).await,
        }
    })
}

/// Runs the agent until it is stopped.
///
/// # Errors
/// With a message for the user.
pub(crate) fn run_agent(arguments: &AgentArguments) -> anyhow::Result<bool> {
    let journal = journal_folder(arguments.journal.as_ref())?;
    let driver = driver(&journal)?;
    run_to_end::run(fleet::agent(&driver, arguments, &journal))
}

/// The folder of the journal: the given one, or the system's folder for user state.
fn journal_folder(given: Option<&PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(folder) = given {
        return Ok(folder.clone());
    }
    let state = variable("XDG_STATE_HOME").map(PathBuf::from);
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let state = state.filter(|path| path.is_absolute()).or_else(home);
    let state = state.context("cannot locate the journal: HOME is not set\nhint: use --journal")?;
    Ok(state.join("keywright"))
}

/// Creates a driver for the journal in a folder.
fn driver(folder: &Path) -> anyhow::Result<RotationDriver> {
    let journal = SqliteJournal::open(folder, Arc::new(SystemClock), Arc::new(SystemEntropy))
        .with_context(|| format!("cannot open the journal in {}", folder.display()))?;
    Ok(RotationDriver::new(journal, Arc::new(SystemClock)))
}

/// Plans a rotation, shows the plan and carries it out, or continues the open one.
async fn start(driver: &RotationDriver, arguments: &StartArguments) -> anyhow::Result<bool> {
    let settings = arguments.settings().await?;
    if let Some(list) = &arguments.list {
        return list::start(driver, arguments, (list, settings)).await;
    }
    let Some(user) = &arguments.user else {
        bail!(
            "no user given\nhint: keywright rotate USER --deliver aws-profile:default, or --help"
        );
    };
    let go_on_by = GoOn::of(arguments);
    let access = match driver.access(&settings).await {
        Ok(access) => access,
        Err(error) => {
            // The signing key may be the one being replaced; the journal has the new one.
            let open = named(driver, Some(user), true).await.unwrap_or_default();
            let [_] = open.as_slice() else {
                return Err(error.into());
            };
            return go_on(driver, open, go_on_by).await;
        }
    };
    let sinks = arguments.sinks()?;
    let order = StartContext {
        arguments,
        settings: &settings,
        access: &access,
    };
    let rotation = match order
        .prepare(driver, user, arguments.key.clone(), &sinks)
        .await?
    {
        RotationDraft::Open(open) if arguments.dry_run => {
            look_at_added(driver, &open, (&sinks, arguments.create)).await?;
            status_of(driver, vec![open], arguments.json).await?;
            if !arguments.json {
                writeln!(std::io::stdout(), "{UNCHANGED}")?;
            }
            return Ok(true);
        }
        RotationDraft::Open(open) => {
            order.take_up(driver, &open, &sinks).await?;
            return go_on(driver, vec![open], go_on_by).await;
        }
        RotationDraft::Drafted(rotation) => rotation,
    };
    let caveats = caveats(&sinks, &rotation, &rotation.deliveries);
    let mut planned = show::PlanView::new(&rotation, &caveats, access.is_keywright());
    if arguments.activity {
        let iam = IamIssuer(Arc::clone(&access));
        planned.activity =
            Some(keywright_aws::activity(&iam, &rotation.old, &rotation.arn, None).await);
    }
    if arguments.dry_run {
        planned.print_result(arguments.json)?;
        return Ok(true);
    }
    planned.print()?;
    begin(driver, &rotation).await?;
    go_on(driver, vec![rotation], go_on_by).await
}

/// The context in which rotations start.
struct StartContext<'a> {
    arguments: &'a StartArguments,
    settings: &'a ClientSettings,
    access: &'a Arc<AccountClient>,
}

/// A user's rotation: an open one, or a draft of a new one.
enum RotationDraft {
    Open(Rotation),
    Drafted(Rotation),
}

impl StartContext<'_> {
    async fn prepare(
        &self,
        driver: &RotationDriver,
        user: &str,
        key: Option<String>,
        sinks: &[SinkSpec],
    ) -> anyhow::Result<RotationDraft> {
        let (arguments, identity) = (self.arguments, self.access.identity());
        if let Some(open) = open_of(driver, &identity.account, user).await? {
            check_same(&open, key.as_ref(), sinks)?;
            return Ok(RotationDraft::Open(open));
        }
        if sinks.is_empty() {
            bail!(
                "no destination given\nhint: specify where the key is used, for example --deliver \
                 aws-profile:default; may be repeated"
            );
        }
        let order = NewRotation {
            id: new_id(&SystemEntropy),
            access: self.settings.to_text(),
            by: identity.arn.clone(),
            rule: None,
            account: identity.account.clone(),
            user: user.to_owned(),
            old: key.map(KeyId),
            rules: arguments.rules(),
            create: arguments.create,
            incident: arguments.incident(),
            override_unused: arguments.override_unused.clone(),
        };
        match driver.draft(self.settings, sinks, order).await {
            Ok(rotation) => Ok(RotationDraft::Drafted(rotation)),
            Err(error) => Err(refused::plan(self.access, error, (user, self.arguments.now)).await),
        }
    }

    /// Updates an open rotation to the current arguments.
    async fn take_up(
        &self,
        driver: &RotationDriver,
        open: &Rotation,
        sinks: &[SinkSpec],
    ) -> anyhow::Result<()> {
        let mut to = self.arguments.change();
        to.added = look_at_added(driver, open, (sinks, self.arguments.create)).await?;
        let why = "the command was run again with other arguments";
        let changed = driver.change(&open.id, to, why).await;
        changed.map_err(|error| refused::change(error, open))?;
        Ok(())
    }
}

async fn begin(driver: &RotationDriver, rotation: &Rotation) -> anyhow::Result<()> {
    match driver.begin(rotation).await {
        Ok(()) => Ok(()),
        Err(JournalError::Open(id)) => {
            bail!("rotation {id} of {} has just been started", rotation.user)
        }
        Err(error) => Err(error.into()),
    }
}

/// Warnings about destinations, shown before anything is written.
fn caveats(sinks: &[SinkSpec], rotation: &Rotation, deliveries: &[Delivery]) -> Vec<String> {
    let old_known = rotation.old_pair().is_some();
    let by_nature = sinks.iter().flat_map(|sink| sink.caveats(old_known));
    let found = deliveries.iter().flat_map(|delivery| {
        let found = delivery.found.iter();
        found.flat_map(move |found| {
            let warnings = found.warnings.iter().cloned();
            let also = found
                .also
                .iter()
                .map(|entry| format!("{entry} also holds {}, and is not updated", rotation.old));
            let all = warnings.chain(also);
            all.map(|message| format!("{}: {message}", delivery.sink))
        })
    });
    by_nature.chain(found).collect()
}

async fn open_of(
    driver: &RotationDriver,
    account: &str,
    user: &str,
) -> anyhow::Result<Option<Rotation>> {
    let of_user = driver
        .journal()
        .rotations(Some((account, user)), LISTED)
        .await?;
    Ok(of_user
        .into_iter()
        .find(|rotation| !rotation.phase.is_over()))
}

/// Checks that the command matches the open rotation. Running a command again continues what it
/// started. New destinations are added; leaving one out removes none.
fn check_same(open: &Rotation, key: Option<&String>, sinks: &[SinkSpec]) -> anyhow::Result<()> {
    let Rotation { id, old, .. } = open;
    let (user, name) = (printable(&open.user), show::argument_of(&open.user));
    if key.is_some_and(|key| *key != old.0) {
        bail!(
            "rotation {id} of {user} is open and replaces {old}\n\
             hint: resume it (keywright rotate resume {name}), or roll it back (keywright rotate \
             rollback {name}) first"
        );
    }
    let given: Vec<_> = sinks.iter().map(ToString::to_string).collect();
    let mut theirs = open.destinations().into_iter();
    match theirs.find(|sink| !given.is_empty() && !given.iter().any(|one| one == sink)) {
        None => Ok(()),
        Some(missing) => bail!(
            "rotation {id} of {user} is open and also delivers to {missing}\n\
             hint: include it, or remove it (keywright rotate change {name} --remove \
             '{missing}' --why TEXT) first"
        ),
    }
}

/// Checks destinations that an open rotation does not have yet, and shows their present content
/// with any warnings.
async fn look_at_added(
    driver: &RotationDriver,
    rotation: &Rotation,
    (sinks, create): (&[SinkSpec], bool),
) -> anyhow::Result<Vec<Delivery>> {
    let theirs = rotation.destinations();
    let new = |sink: &&SinkSpec| !theirs.contains(&sink.to_string().as_str());
    let new: Vec<_> = sinks.iter().filter(new).cloned().collect();
    let added = driver.look_at_added(&rotation.id, &new, create).await;
    let added = added.map_err(|error| refused::change(error, rotation))?;
    let caveats = caveats(&new, rotation, &added);
    show::added(&added, &caveats)?;
    Ok(added)
}

/// The rotations of a user or with an ID; without a name, all open ones.
async fn named(
    driver: &RotationDriver,
    name: Option<&String>,
    open: bool,
) -> anyhow::Result<Vec<Rotation>> {
    let all = driver.journal().rotations(None, LISTED).await?;
    let mut found: Vec<_> = all
        .into_iter()
        .filter(|rotation| !open || !rotation.phase.is_over())
        .filter(|rotation| {
            name.is_none_or(|name| {
                rotation.id.0 == *name || rotation.user.eq_ignore_ascii_case(name)
            })
        })
        .collect();
    if let (Some(name), true) = (name, found.is_empty()) {
        let open = if open { "open " } else { "" };
        bail!("no {open}rotation of {name} found in this journal");
    }
    found.reverse();
    Ok(found)
}

/// The one open rotation of this name.
async fn the_one(driver: &RotationDriver, arguments: &OneArguments) -> anyhow::Result<Rotation> {
    let mut found = named(driver, Some(&arguments.name), true).await?;
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => bail!(
            "{} has open rotations in several accounts\nhint: specify one by its ID (see \
             keywright rotate status)",
            arguments.name
        ),
    }
}

async fn status(driver: &RotationDriver, arguments: &StatusArguments) -> anyhow::Result<bool> {
    let open = arguments.name.is_none() && !arguments.all;
    let mut rotations = named(driver, arguments.name.as_ref(), open).await?;
    rotations.retain(|rotation| arguments.selects(rotation));
    let well = rotations.iter().all(|rotation| rotation.held.is_none());
    let standing = standing(driver, rotations).await;
    if arguments.json {
        status::status_json(&standing)?;
    } else if standing.is_empty() {
        writeln!(std::io::stderr(), "{}", arguments.nothing())?;
    } else if arguments.name.is_some() {
        status::details(&standing)?;
    } else {
        status::table(&standing)?;
    }
    Ok(well)
}

/// Shows rotations. For open ones, also asks the service for their current state.
async fn status_of(
    driver: &RotationDriver,
    rotations: Vec<Rotation>,
    json: bool,
) -> anyhow::Result<()> {
    let standing = standing(driver, rotations).await;
    match json {
        true => status::status_json(&standing),
        false => status::details(&standing),
    }
}

async fn standing(
    driver: &RotationDriver,
    rotations: Vec<Rotation>,
) -> Vec<status::RotationStatus> {
    let mut standing = Vec::with_capacity(rotations.len());
    for some in rotations.chunks(AT_ONCE) {
        let looks = some.iter().map(|rotation| async move {
            let open = !rotation.phase.is_over();
            let outlook = async { driver.outlook(&rotation.id).await };
            (
                rotation.clone(),
                if open { Some(outlook.await) } else { None },
            )
        });
        standing.extend(futures_util::future::join_all(looks).await);
    }
    standing
}

async fn change(driver: &RotationDriver, arguments: &ChangeArguments) -> anyhow::Result<bool> {
    let rotation = the_one(driver, &arguments.one).await?;
    let sinks = arguments.added()?;
    let to = RotationEdit {
        observe_secs: arguments.observe,
        dwell_secs: arguments.dwell,
        incident: arguments.now,
        deactivate_first: arguments.deactivate_first,
        accept_blind: arguments.accept_blind_window,
        override_unused: arguments.override_unused.clone(),
        added: look_at_added(driver, &rotation, (&sinks, arguments.create)).await?,
        removed: arguments.removed(),
    };
    let changed = driver.change(&rotation.id, to, &arguments.why).await;
    if !changed.map_err(|error| refused::change(error, &rotation))? {
        bail!(
            "nothing to change\nhint: use --deliver, --remove, --observe, --dwell, --now or \
             --override-unused"
        );
    }
    let by = GoOn {
        report: arguments.now,
        ..GoOn::patient(false, arguments.one.json)
    };
    go_on(driver, vec![rotation], by).await
}

async fn abandon(driver: &RotationDriver, arguments: &AbandonArguments) -> anyhow::Result<bool> {
    let rotation = the_one(driver, &arguments.one).await?;
    driver.abandon(&rotation.id, &arguments.why).await?;
    show_again(driver, &rotation, arguments.one.json).await
}

async fn resume(driver: &RotationDriver, arguments: &ResumeArguments) -> anyhow::Result<bool> {
    let rotations = named(driver, arguments.name.as_ref(), true).await?;
    if rotations.is_empty() {
        writeln!(std::io::stderr(), "no open rotations")?;
    }
    let by = GoOn::patient(arguments.wait, arguments.json);
    go_on(driver, rotations, by).await
}

async fn roll_back(driver: &RotationDriver, arguments: &HoldArguments) -> anyhow::Result<bool> {
    let rotation = the_one(driver, &arguments.one).await?;
    let why = arguments.why.as_deref().unwrap_or("requested by a person");
    driver.roll_back(&rotation.id, why).await?;
    go_on(
        driver,
        vec![rotation],
        GoOn::patient(false, arguments.one.json),
    )
    .await
}

async fn hold(driver: &RotationDriver, arguments: &HoldArguments) -> anyhow::Result<bool> {
    let rotation = the_one(driver, &arguments.one).await?;
    let why = arguments.why.as_deref().unwrap_or("requested by a person");
    driver.hold(&rotation.id, why).await?;
    show_again(driver, &rotation, arguments.one.json).await
}

async fn release(driver: &RotationDriver, arguments: &OneArguments) -> anyhow::Result<bool> {
    let rotation = the_one(driver, arguments).await?;
    driver.release(&rotation.id).await?;
    show_again(driver, &rotation, arguments.json).await
}

async fn show_again(
    driver: &RotationDriver,
    rotation: &Rotation,
    json: bool,
) -> anyhow::Result<bool> {
    let now = driver.journal().rotation(&rotation.id).await?;
    let now = now.context("the rotation is no longer in the journal")?;
    status_of(driver, vec![now], json).await?;
    Ok(true)
}

async fn history(driver: &RotationDriver, arguments: &HistoryArguments) -> anyhow::Result<bool> {
    if arguments.check {
        let head = driver.journal().check_history().await?;
        show::head(&head, arguments.json)?;
        return Ok(true);
    }
    let events = match &arguments.name {
        None => driver.journal().history(None, arguments.last).await?,
        Some(_) => {
            let mut events = Vec::new();
            for rotation in named(driver, arguments.name.as_ref(), false).await? {
                let of_one = driver.journal().history(Some(&rotation.id), arguments.last);
                events.extend(of_one.await?);
            }
            events
        }
    };
    show::history(&events, arguments.json)?;
    Ok(true)
}

/// Options for continuing rotations.
#[derive(Clone, Copy)]
struct GoOn {
    patience_secs: i64,
    json: bool,
    /// Whether to report the activity of leaked keys. For finished rotations it is always reported.
    report: bool,
}

impl GoOn {
    const fn patient(wait: bool, json: bool) -> Self {
        Self {
            patience_secs: arguments::patience(wait),
            json,
            report: false,
        }
    }

    fn of(arguments: &StartArguments) -> Self {
        Self {
            patience_secs: arguments.patience(),
            json: arguments.json,
            report: arguments.now,
        }
    }
}

/// A rotation and the state it was left in.
type DrivenRotation = (Rotation, Result<DriveOutcome, DriveError>);

/// Drives rotations until each has to wait, shows them, and reports the activity of leaked keys.
async fn go_on(
    driver: &RotationDriver,
    rotations: Vec<Rotation>,
    by: GoOn,
) -> anyhow::Result<bool> {
    let results = drive(driver, rotations, by.patience_secs).await?;
    let activities = activity::of_incidents(driver, &results, by.report).await;
    if by.json {
        show::print_json(&Value::Array(show::rests_json(&results, &activities)))?;
    } else {
        show::outcomes(&results)?;
        activity::print(&activities)?;
    }
    hint_at_permissions(&results)?;
    Ok(results.iter().all(|(_, rest)| is_well(rest)))
}

/// Drives several rotations concurrently until each has to wait.
async fn drive(
    driver: &RotationDriver,
    rotations: Vec<Rotation>,
    patience_secs: i64,
) -> anyhow::Result<Vec<DrivenRotation>> {
    let progress = ProgressDisplay::new(std::io::stderr().is_terminal());
    let observer = |rotation: &Rotation, event: DriveEvent<'_>| progress.note(rotation, event);
    let mut results = Vec::with_capacity(rotations.len());
    for some in rotations.chunks(AT_ONCE) {
        let driven = some.iter().map(|rotation| {
            let observer = &observer;
            async move {
                (
                    rotation,
                    driver.drive(&rotation.id, patience_secs, observer).await,
                )
            }
        });
        for (rotation, outcome) in futures_util::future::join_all(driven).await {
            let now = driver.journal().rotation(&rotation.id).await?;
            results.push((now.unwrap_or_else(|| rotation.clone()), outcome));
        }
    }
    progress.end();
    Ok(results)
}

fn is_well(rest: &Result<DriveOutcome, DriveError>) -> bool {
    match rest {
        Ok(DriveOutcome::Over(phase)) => *phase != Phase::Abandoned,
        Ok(DriveOutcome::Wait { .. }) => true,
        Ok(DriveOutcome::Held(_)) | Err(_) => false,
    }
}

fn hint_at_permissions(results: &[DrivenRotation]) -> anyhow::Result<()> {
    if let Some((denied, _)) = results.iter().find(|(_, outcome)| is_denied(outcome)) {
        let hint = NeededPolicy::of_rotation(denied).hint(&denied.user);
        writeln!(std::io::stderr(), "hint: {hint}")?;
    }
    Ok(())
}

/// Whether a permission is missing.
const fn is_denied(outcome: &Result<DriveOutcome, DriveError>) -> bool {
    matches!(
        outcome,
        Ok(DriveOutcome::Held(HoldReason::Refused(_)))
            | Err(DriveError::Stopped(TickError::Issuer(
                IssuerError::Denied { .. }
            )))
    )
}
