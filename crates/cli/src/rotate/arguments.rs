//! The arguments of `keywright rotate` and their defaults.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use keywright_aws::ClientSettings;
use keywright_fleet::ConfigDuration;
use keywright_rotation::{
    execute::RotationEdit,
    model::{LeakResponse, Phase, RotationRules},
};
use keywright_sinks::SinkSpec;

use super::fleet::{FleetArguments, ReportArguments};
use crate::remote::RemoteArguments;

/// Seconds that a command waits by default. To wait longer, run it again.
const PATIENCE_SECS: i64 = 90;

/// Replace an access key wherever it is used, without stranding anyone
///
/// Creates the second key, verifies it, delivers it to every place named by --deliver, reads it
/// back, waits until nobody uses the old key, deactivates that, and deletes it after a dwell. Every
/// step is in the journal first: interrupt it whenever you like, and run it again to go on.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = places_and_examples())]
pub(crate) struct RotateArguments {
    #[command(subcommand)]
    pub(super) command: Option<RotateCommand>,

    #[command(flatten)]
    pub(super) start: StartArguments,

    /// Folder of the journal [default: ~/.local/state/keywright]
    #[arg(long, global = true, env = "KEYWRIGHT_JOURNAL", value_name = "DIR")]
    pub(super) journal: Option<PathBuf>,
}

fn places_and_examples() -> String {
    format!("Places:\n{}{EXAMPLES}", keywright_sinks::help())
}

const EXAMPLES: &str = "\
FILE?after=PROGRAM ARGUMENTS runs a program after the file was replaced, to reload what reads it.
A NAME with @, a FILE with # or any other sign is written as a JSON string: dotenv:\"/srv/a#b\".
docs/rotation.md says what each does.

Examples:
  keywright rotate RotateKeyUser --profile admin --deliver aws-profile:default
  keywright rotate resume          # from cron, until all is done
  keywright rotate --now --list leaked.txt --deliver 'dotenv:/etc/jobs/{user}.env'
  keywright rotate rollback RotateKeyUser

A user whose name is one of the commands is rotated with: keywright rotate -- NAME";

#[derive(Debug, Subcommand)]
pub(super) enum RotateCommand {
    /// Show rotations and how far they are
    Status(StatusArguments),
    /// Go on with open rotations
    Resume(ResumeArguments),
    /// Put everything back: the old key active, the places as they were, the new key away
    Rollback(HoldArguments),
    /// Stop a rotation until it is released
    Hold(HoldArguments),
    /// Let a held rotation go on
    Release(OneArguments),
    /// Change where the new key of an open rotation goes, and how long it waits
    Change(ChangeArguments),
    /// End a rotation as it is: keys and places stay, and the history says what is left
    Abandon(AbandonArguments),
    /// Show what happened, or check that nobody changed it
    History(HistoryArguments),
    /// Check a fleet file; show who is due, by which rule and where to, and why the others are not
    Plan(FleetArguments),
    /// Rotate who is due, and go on with what is open; for cron and CI, where a second run leaves
    Apply(FleetArguments),
    /// Show what the replaced key of a rotation did, as far as the service tells it
    Activity(OneArguments),
    /// Hold an account's credentials against CIS's controls: unused, two active keys, too old
    Report(ReportArguments),
}

#[derive(Debug, Args)]
pub(super) struct StartArguments {
    /// Name of the user
    #[arg(value_name = "USER")]
    pub(super) user: Option<String>,

    /// Many users or key ids, one a line, from a file or - for standard input; # begins a comment.
    /// Places need {user} then
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "key"])]
    pub(super) list: Option<PathBuf>,

    /// Where the new key goes, KIND:PLACE (listed below); may be repeated. An open rotation
    /// gets the ones that it does not have
    #[arg(long, value_name = "SINK")]
    deliver: Vec<String>,

    /// Make a file, a profile, a variable or a field that is not there yet
    #[arg(long)]
    pub(super) create: bool,

    /// The key to replace [default: the user's only key]
    #[arg(long, value_name = "ACCESS-KEY-ID")]
    pub(super) key: Option<String>,

    /// How long the old key must be unused before it is deactivated [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    observe: Option<i64>,

    /// How long it stays inactive before it is deleted [default: 7d]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    dwell: Option<i64>,

    /// For a key that has leaked: deactivate it without waiting until nobody uses it, end the
    /// sessions that it has minted, and report what it did
    #[arg(long, conflicts_with = "observe")]
    pub(super) now: bool,

    /// Deactivate it even before there is a new key: whoever uses it is refused until then
    #[arg(long, requires = "now")]
    deactivate_first: bool,

    /// Show what the key did, as far as the service tells it (on AWS by CloudTrail), before it
    /// begins
    #[arg(long)]
    pub(super) activity: bool,

    /// Allow windows shorter than the time for which a use may not show: they prove nothing
    #[arg(long)]
    pub(super) accept_blind_window: bool,

    /// Delete the old key although no consumer has used the new one; why, for the history
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub(super) override_unused: Option<String>,

    /// Show the plan and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Stay until it is over, however long that takes
    #[arg(long)]
    wait: bool,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,

    /// ARN of a role to assume first
    #[arg(long, value_name = "ARN")]
    assume_role: Option<String>,

    /// Region [default: AWS_REGION, or the profile's]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    #[command(flatten)]
    remote: RemoteArguments,
}

impl StartArguments {
    /// The settings for reaching the issuer.
    ///
    /// # Errors
    /// If a relative path cannot be made absolute, which a later command in another folder needs.
    pub(super) async fn settings(&self) -> anyhow::Result<ClientSettings> {
        let mut settings = ClientSettings {
            assume_role: self.assume_role.clone(),
            region: self.region.clone(),
            ..self.remote.settings()
        };
        // A later command may run without this environment.
        if settings.profile.is_none() && variable("AWS_ACCESS_KEY_ID").is_none() {
            settings.profile = variable("AWS_PROFILE");
        }
        settings.ca_bundle = settings
            .ca_bundle
            .map(std::path::absolute)
            .transpose()
            .context("--ca-bundle")?;
        Ok(settings.with_environment().await)
    }

    /// The destinations in the order of delivery.
    ///
    /// # Errors
    /// A message about the first invalid one.
    pub(super) fn sinks(&self) -> anyhow::Result<Vec<SinkSpec>> {
        self.deliver.iter().map(|text| sink(text)).collect()
    }

    /// The destinations for one user of several.
    ///
    /// # Errors
    /// If a destination is the same for every user, or invalid.
    pub(super) fn sinks_of(&self, user: &str, account: &str) -> anyhow::Result<Vec<SinkSpec>> {
        let each = self.deliver.iter().map(|text| {
            ensure!(
                text.contains("{user}"),
                "--deliver {text} would be the place of every user\nhint: put {{user}} into it"
            );
            sink(&text.replace("{user}", user).replace("{account}", account))
        });
        each.collect()
    }

    /// The response to a leak, if the key has leaked.
    pub(super) fn incident(&self) -> Option<LeakResponse> {
        self.now.then(|| LeakResponse {
            deactivate_first: self.deactivate_first,
            ..LeakResponse::default()
        })
    }

    pub(super) fn rules(&self) -> RotationRules {
        let base = if self.now {
            RotationRules::INCIDENT
        } else {
            RotationRules::SAFE
        };
        RotationRules {
            observe_secs: self.observe.unwrap_or(base.observe_secs),
            dwell_secs: self.dwell.unwrap_or(base.dwell_secs),
            accept_blind: self.accept_blind_window,
            ..base
        }
    }

    /// The changes that the arguments make to an open rotation.
    pub(super) fn change(&self) -> RotationEdit {
        RotationEdit {
            observe_secs: self.observe,
            dwell_secs: self.dwell,
            incident: self.now,
            deactivate_first: self.deactivate_first,
            accept_blind: self.accept_blind_window,
            override_unused: self.override_unused.clone(),
            ..RotationEdit::default()
        }
    }

    pub(super) fn patience(&self) -> i64 {
        patience(self.wait)
    }
}

fn sink(text: &str) -> anyhow::Result<SinkSpec> {
    let parsed = text.parse::<SinkSpec>();
    parsed.with_context(|| format!("--deliver {text}"))
}

/// Seconds to wait before returning.
pub(super) const fn patience(wait: bool) -> i64 {
    if wait { i64::MAX } else { PATIENCE_SECS }
}

#[derive(Debug, Args)]
pub(super) struct StatusArguments {
    /// User or rotation [default: every open rotation]
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,

    /// Those that are over, too
    #[arg(long)]
    pub(super) all: bool,

    /// Only those that are held, and wait for a person
    #[arg(long)]
    pub(super) held: bool,

    /// Only those in this phase, for example Observing
    #[arg(long, value_name = "PHASE", value_parser = phase)]
    pub(super) phase: Option<Phase>,

    /// Only those in this account
    #[arg(long, value_name = "ACCOUNT-ID")]
    pub(super) account: Option<String>,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArguments {
    /// User or rotation [default: every open rotation]
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,

    /// Stay until all are over, however long that takes
    #[arg(long)]
    pub(super) wait: bool,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct OneArguments {
    /// User or rotation
    #[arg(value_name = "NAME")]
    pub(super) name: String,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct HoldArguments {
    #[command(flatten)]
    pub(super) one: OneArguments,

    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(super) why: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ChangeArguments {
    #[command(flatten)]
    pub(super) one: OneArguments,

    /// One more destination of the new key, KIND:PLACE as in rotate --help; may be repeated
    #[arg(long, value_name = "SINK")]
    deliver: Vec<String>,

    /// Make its file, profile, variable or field, if that is not there yet
    #[arg(long, requires = "deliver")]
    pub(super) create: bool,

    /// A destination that is no longer written or waited for; may be repeated. Nothing is deleted
    /// there: if it has the new key it keeps it, and a rollback still puts it back
    #[arg(long, value_name = "SINK")]
    remove: Vec<String>,

    /// How long the old key must be unused before it is deactivated
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(super) observe: Option<i64>,

    /// How long it stays inactive before it is deleted
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(super) dwell: Option<i64>,

    /// The key has leaked: deactivate it without waiting until nobody uses it, and end the sessions
    /// that it has minted
    #[arg(long, conflicts_with = "observe")]
    pub(super) now: bool,

    /// Deactivate it at once, before its consumers have the new key
    #[arg(long, requires = "now")]
    pub(super) deactivate_first: bool,

    /// Allow windows shorter than the time for which a use may not show: they prove nothing
    #[arg(long)]
    pub(super) accept_blind_window: bool,

    /// Delete the old key although no consumer has used the new one; why, for the history
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub(super) override_unused: Option<String>,

    /// Why, for the history
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(super) why: String,
}

impl ChangeArguments {
    /// The added destinations.
    ///
    /// # Errors
    /// A message about the first invalid one.
    pub(super) fn added(&self) -> anyhow::Result<Vec<SinkSpec>> {
        self.deliver.iter().map(|text| sink(text)).collect()
    }

    /// The names of the removed destinations as the rotation has them. A name that this version
    /// cannot parse can be removed too, as `status` shows it.
    pub(super) fn removed(&self) -> Vec<String> {
        let name = |text: &String| {
            text.parse::<SinkSpec>()
                .map_or(text.clone(), |it| it.to_string())
        };
        self.remove.iter().map(name).collect()
    }
}

#[derive(Debug, Args)]
pub(super) struct AbandonArguments {
    #[command(flatten)]
    pub(super) one: OneArguments,

    /// Why, for the history
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(super) why: String,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArguments {
    /// User or rotation [default: all]
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,

    /// How many events at most
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub(super) last: u32,

    /// Follow the chain of hashes from its beginning, and print its end
    #[arg(long)]
    pub(super) check: bool,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Parses a phase.
fn phase(text: &str) -> Result<Phase, String> {
    let name = |phase: &Phase| format!("{phase:?}");
    let all = Phase::ALL.iter();
    let found = all.clone().find(|one| name(one).eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| {
        let names: Vec<_> = all.map(name).collect();
        format!("the phases are {}", names.join(", "))
    })
}

/// Parses a reason for the history.
pub(super) fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// Parses a duration such as `90s`, `15m`, `24h` or `7d` into seconds.
pub(super) fn seconds(text: &str) -> Result<i64, String> {
    text.parse().map(|ConfigDuration(secs)| secs)
}

/// An environment variable that is set and not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "AWS's and the system's variables, read where every client reads them"
    )]
    let value = std::env::var(name).ok();
    value.filter(|value| !value.is_empty())
}
