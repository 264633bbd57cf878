//! The fleet as a person declares it.
//!
//! It protects one rule: a selector without any word selects nobody by accident: it must say
//! `everyone = true`. How a declaration is read and checked is next door, in `parse` and `check`.

use std::collections::BTreeMap;

use keywright_rotation::model::RotationRules;

use super::{
    calendar::{FreezePeriod, RotationCalendar, TimeWindow},
    check::fill,
    problem::{FilePosition, FileProblem},
};
use crate::notify::{DigestPeriod, Notifier};
use keywright_aws::ClientSettings;
use keywright_sinks::{SinkSpec, fits_in_place};

/// The age at which a key is due when the rule does not say, in seconds: CIS's 90 days.
pub(super) const MAX_AGE_SECS: i64 = 90 * 86_400;

/// What a person declares.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// Rotations that go on at the same time in one account.
    pub at_once: usize,
    /// Failures in a row after which an account is left alone until the next run.
    pub stop_after_failures: usize,
    /// The accounts.
    pub accounts: Vec<FleetAccount>,
    /// Whom to notify.
    pub notify: Vec<Notifier>,
    /// How notices are put together [default: one message for each].
    pub digest: Option<DigestPeriod>,
    /// The tag of a user that names its owner.
    pub owner_tag: Option<String>,
    /// How long before a key is due a notice says so.
    pub remind: Vec<ConfigDuration>,
}

/// An account and the users in it.
#[derive(Debug, Clone)]
pub struct FleetAccount {
    /// What it is called in reports.
    pub name: String,
    /// Its number; credentials of another one are refused.
    pub id: Option<String>,
    /// How it is reached.
    pub access: ClientSettings,
    /// The rules; a user has the first that fits.
    pub rules: Vec<FleetRule>,
    /// When nothing is begun, deactivated or deleted.
    pub freezes: Vec<FreezePeriod>,
}

/// Who is rotated, when, and where to.
#[derive(Debug, Clone, Default)]
pub struct FleetRule {
    /// Where it begins in its file.
    pub position: FilePosition,
    /// Every user.
    pub everyone: bool,
    /// Names, with `*` for anything.
    pub users: Vec<String>,
    /// A path and everything below it, for example `/service/`.
    pub path: Option<String>,
    /// Tags with their values, all of them; `*` for any value.
    pub tags: BTreeMap<String, String>,
    /// Only keys that were used within this time.
    pub used_within: Option<ConfigDuration>,
    /// The age at which a key is due [default: 90d].
    pub max_age: Option<ConfigDuration>,
    /// Spreads the users over this time before they are due, each by its own id.
    pub jitter: Option<ConfigDuration>,
    /// When rotations may begin [default: always].
    pub window: Option<TimeWindow>,
    /// When old keys may be deactivated [default: always].
    pub deactivation_window: Option<TimeWindow>,
    /// How long the old key must be unused before it is deactivated.
    pub observe: Option<ConfigDuration>,
    /// How long it stays inactive before it is deleted.
    pub dwell: Option<ConfigDuration>,
    /// Whether the two may be shorter than the time for which a use may not show.
    pub accept_blind_window: bool,
    /// Why the old key may be deleted although no consumer has used the new one, if it may.
    pub override_unused: Option<String>,
    /// The sinks; `{user}` and `{account}` are replaced.
    pub deliver: Vec<String>,
    /// Whether what is not there yet, a file, a profile, a field, may be made.
    pub create: bool,
    /// Not rotated: neither by this rule nor by a later one.
    pub skip: bool,
    /// What it is called, where rules have names: those of a server's own policies.
    pub name: Option<String>,
}

/// Seconds, written as `90s`, `15m`, `24h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigDuration(pub i64);

impl std::str::FromStr for ConfigDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
        let found = units
            .into_iter()
            .find_map(|(unit, secs)| Some((text.strip_suffix(unit)?, secs)));
        let parsed = found.and_then(|(number, secs)| {
            let number: u32 = number.parse().ok()?;
            i64::from(number).checked_mul(secs)
        });
        parsed
            .map(Self)
            .ok_or_else(|| "give a number and a unit, like 90s, 15m, 24h or 7d".to_owned())
    }
}

impl FleetAccount {
    /// Whether a problem of the file is about one of its rules.
    pub fn has_problem(&self, problem: &FileProblem) -> bool {
        self.rules.iter().any(|rule| rule.position == problem.at)
    }

    /// What an open rotation by one of its rules waits for.
    pub fn calendar(&self, rule: &FleetRule) -> RotationCalendar {
        RotationCalendar {
            deactivation: rule.deactivation_window.clone(),
            freezes: self.freezes.clone(),
        }
    }
}

impl FleetRule {
    /// The sinks for a user.
    ///
    /// # Errors
    /// A sentence.
    pub fn sinks(&self, user: &str, account: &str) -> Result<Vec<SinkSpec>, String> {
        // A server's policy is filled with names that its callers choose; and a program would take
        // a name that begins with a hyphen for an option, wherever it comes from.
        let server = self.name.is_some();
        let filled = self.deliver.iter().map(|text| {
            let program = text.starts_with("command:") || text.contains("?after=");
            let strict = server || program || text.starts_with("ssh:");
            let fits = match strict {
                true => fits_in_place(user),
                // Nor does it lead to another folder.
                false => user != "." && !user.contains(".."),
            };
            if text.contains("{user}") && !fits {
                return Err(format!("{text}: the name {user} cannot be part of a place"));
            }
            let text = fill(text, user, account);
            text.parse::<SinkSpec>()
                .map_err(|error| format!("{text}: {error}"))
        });
        filled.collect()
    }

    /// The age at which a key is due, in seconds.
    pub(super) fn max_age_secs(&self) -> i64 {
        self.max_age.map_or(MAX_AGE_SECS, |age| age.0)
    }

    /// How careful its rotations are.
    pub fn rules(&self) -> RotationRules {
        let secs =
            |payload: Option<ConfigDuration>, usual| payload.map_or(usual, |duration| duration.0);
        RotationRules {
            observe_secs: secs(self.observe, RotationRules::SAFE.observe_secs),
            dwell_secs: secs(self.dwell, RotationRules::SAFE.dwell_secs),
            accept_blind: self.accept_blind_window,
            ..RotationRules::SAFE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FleetRule;

    #[test]
    fn a_name_is_no_option_of_a_program_and_no_step_to_another_folder() {
        for (place, user, good) in [
            ("command:deliver {user}", "ann", true),
            ("command:deliver {user}", "-x", false),
            ("command:deliver {user}", "a@b", false),
            ("command:deliver", "-x", true),
            ("dotenv:/etc/app.env?after=reload {user}", "-x", false),
            ("ssh:host/dotenv:/srv/{user}.env", "-x", false),
            ("dotenv:/etc/{user}.env", "a@b", true),
            ("dotenv:/etc/{user}/env", "..", false),
        ] {
            let rule = FleetRule {
                deliver: vec![place.to_owned()],
                ..FleetRule::default()
            };
            let sinks = rule.sinks(user, "123456789012");
            assert_eq!(sinks.is_ok(), good, "{place} {user}: {sinks:?}");
        }
    }
}
