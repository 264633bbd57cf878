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
use crate::remote::{RemoteArguments, variable};

/// Seconds that a command waits by default. To wait longer, run it again.
const PATIENCE_SECS: i64 = 90;

/// Rotate an access key everywhere it is used, without interrupting its consumers
///
/// Creates a second key, verifies it, delivers it to each destination given by --deliver and reads
/// it back, waits until the old key is unused, deactivates it, and deletes it after a grace period.
/// Every step is journaled first, so you can interrupt the command at any time and run it again to
/// continue.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = places_and_examples())]
pub(crate) struct RotateArguments {
    #[command(subcommand)]
    pub(super) command: Option<RotateCommand>,

    #[command(flatten)]
    pub(super) start: StartArguments,

    /// Folder for the journal [default: ~/.local/state/keywright]
    #[arg(long, global = true, env = "KEYWRIGHT_JOURNAL", value_name = "DIR")]
    pub(super) journal: Option<PathBuf>,
}

fn places_and_examples() -> String {
    format!("Destinations:\n{}{EXAMPLES}", keywright_sinks::help())
}

const EXAMPLES: &str = "\
FILE?after=PROGRAM ARGUMENTS runs a program after the file is replaced, to reload its readers.
Write a NAME that contains @, or a FILE that contains # or another special character, as a JSON
string: dotenv:\"/srv/a#b\". See docs/rotation.md for details.

Examples:
  keywright rotate RotateKeyUser --profile admin --deliver aws-profile:default
  keywright rotate resume          # for example from cron, until all are done
  keywright rotate --now --list leaked.txt --deliver 'dotenv:/etc/jobs/{user}.env'
  keywright rotate rollback RotateKeyUser

To rotate a user whose name is also a command, write the options first:
  keywright rotate --deliver aws-profile:default -- status";

#[derive(Debug, Subcommand)]
pub(super) enum RotateCommand {
    /// Show rotations and their progress
    Status(StatusArguments),
    /// Resume open rotations
    Resume(ResumeArguments),
    /// Roll back: reactivate the old key, restore the destinations, delete the new key
    Rollback(HoldArguments),
    /// Hold a rotation until it is released
    Hold(HoldArguments),
    /// Release a held rotation
    Release(OneArguments),
    /// Change the destinations and waiting times of an open rotation
    Change(ChangeArguments),
    /// End a rotation as it is; the history records which keys and destinations are left
    Abandon(AbandonArguments),
    /// Show the history of rotations, or verify that it is unchanged
    History(HistoryArguments),
    /// Check a fleet file; show which users are due, by which rule and for which destinations, and
    /// why the others are not
    Plan(FleetArguments),
    /// Start due rotations and resume open ones, for cron and CI; a concurrent run exits
    Apply(FleetArguments),
    /// Show the activity of a rotation's old key, as far as the service reports it
    Activity(OneArguments),
    /// Check an account's credentials against CIS controls: unused, two active keys, too old
    Report(ReportArguments),
}

#[derive(Debug, Args)]
pub(super) struct StartArguments {
    /// Name of the user
    #[arg(value_name = "USER")]
    pub(super) user: Option<String>,

    /// File with a user name or an access key ID on each line, or - for standard input; lines that
    /// start with # are ignored. Destinations must contain {user}
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "key"])]
    pub(super) list: Option<PathBuf>,

    /// Destination of the new key, in one of the forms below; may be repeated. For an open
    /// rotation, adds the destinations that it does not have yet
    #[arg(long, value_name = "DESTINATION")]
    deliver: Vec<String>,

    /// Create a file, profile, variable or field that does not exist yet
    #[arg(long)]
    pub(super) create: bool,

    /// Access key to replace [default: the user's only key]
    #[arg(long, value_name = "ACCESS-KEY-ID")]
    pub(super) key: Option<String>,

    /// Observation period: how long the old key must be unused before it is deactivated [default:
    /// 24h]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    observe: Option<i64>,

    /// Grace period: how long the old key stays inactive before it is deleted [default: 7d]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    dwell: Option<i64>,

    /// The key has leaked: deactivate it without waiting until it is unused, end the sessions that
    /// were issued with it, and report its activity
    #[arg(long, conflicts_with = "observe")]
    pub(super) now: bool,

    /// Deactivate the old key before creating the new one; its consumers are denied until they have
    /// the new key
    #[arg(long, requires = "now")]
    deactivate_first: bool,

    /// Show the activity of the key with the plan, as far as the service reports it (on AWS:
    /// CloudTrail)
    #[arg(long)]
    pub(super) activity: bool,

    /// Allow periods shorter than the time until a use becomes visible, although they prove nothing
    #[arg(long)]
    pub(super) accept_blind_window: bool,

    /// Delete the old key even if no consumer has used the new one; the history records the reason
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub(super) override_unused: Option<String>,

    /// Show the plan without changing anything
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Wait until the rotation is over, however long it takes
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
                "--deliver {text} would be the same for every user\nhint: include {{user}} in it"
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
    /// User name or rotation ID [default: all open rotations]
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,

    /// Include rotations that are over
    #[arg(long)]
    pub(super) all: bool,

    /// Show only held rotations
    #[arg(long)]
    pub(super) held: bool,

    /// Show only rotations in this phase, for example Observing
    #[arg(long, value_name = "PHASE", value_parser = phase)]
    pub(super) phase: Option<Phase>,

    /// Show only rotations in this account
    #[arg(long, value_name = "ACCOUNT-ID")]
    pub(super) account: Option<String>,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArguments {
    /// User name or rotation ID [default: all open rotations]
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,

    /// Wait until all rotations are over, however long it takes
    #[arg(long)]
    pub(super) wait: bool,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct OneArguments {
    /// User name or rotation ID
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

    /// Reason, recorded in the history
    #[arg(long, value_name = "TEXT")]
    pub(super) why: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ChangeArguments {
    #[command(flatten)]
    pub(super) one: OneArguments,

    /// Destination to add, in one of the forms listed by rotate --help; may be repeated
    #[arg(long, value_name = "DESTINATION")]
    deliver: Vec<String>,

    /// Create its file, profile, variable or field if that does not exist yet
    #[arg(long, requires = "deliver")]
    pub(super) create: bool,

    /// Destination to remove; may be repeated. It is no longer written or waited for, but nothing
    /// is deleted there: if it has the new key it keeps it, and a rollback still restores it
    #[arg(long, value_name = "DESTINATION")]
    remove: Vec<String>,

    /// Observation period: how long the old key must be unused before it is deactivated
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(super) observe: Option<i64>,

    /// Grace period: how long the old key stays inactive before it is deleted
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(super) dwell: Option<i64>,

    /// The key has leaked: deactivate it without waiting until it is unused, and end the sessions
    /// that were issued with it
    #[arg(long, conflicts_with = "observe")]
    pub(super) now: bool,

    /// Deactivate the old key immediately, before its consumers have the new key
    #[arg(long, requires = "now")]
    pub(super) deactivate_first: bool,

    /// Allow periods shorter than the time until a use becomes visible, although they prove nothing
    #[arg(long)]
    pub(super) accept_blind_window: bool,

    /// Delete the old key even if no consumer has used the new one; the history records the reason
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub(super) override_unused: Option<String>,

    /// Reason, recorded in the history
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

    /// Reason, recorded in the history
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(super) why: String,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArguments {
    /// User name or rotation ID [default: all]
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,

    /// Maximum number of events to show
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub(super) last: u32,

    /// Verify the chain of hashes from its beginning, and print the last hash
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
        format!("expected one of {}", names.join(", "))
    })
}

/// Parses a reason for the history.
pub(super) fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a reason is required".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// Parses a duration such as `90s`, `15m`, `24h` or `7d` into seconds.
pub(super) fn seconds(text: &str) -> Result<i64, String> {
    text.parse().map(|ConfigDuration(secs)| secs)
}
