//! The configuration of a fleet.
//!
//! Invariant: a rule never selects everyone by omission. A rule without any selector is rejected;
//! to select all users, it must say `everyone = true`. Reading and checking the file is in `parse`
//! and `check`.

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

/// The default maximum age of a key, in seconds: CIS's 90 days.
pub(super) const MAX_AGE_SECS: i64 = 90 * 86_400;

/// A parsed fleet file.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// Rotations that run concurrently in one account.
    pub at_once: usize,
    /// Consecutive failures after which nothing more begins in an account until the next run.
    pub stop_after_failures: usize,
    /// The accounts.
    pub accounts: Vec<FleetAccount>,
    /// Whom to notify.
    pub notify: Vec<Notifier>,
    /// How notices are grouped [default: one message for each].
    pub digest: Option<DigestPeriod>,
    /// The tag that names a user's owner.
    pub owner_tag: Option<String>,
    /// How long before a key is due a reminder is sent.
    pub remind: Vec<ConfigDuration>,
}

/// An account and the users in it.
#[derive(Debug, Clone)]
pub struct FleetAccount {
    /// The name used in reports.
    pub name: String,
    /// The account number. Credentials of another account are rejected.
    pub id: Option<String>,
    /// How to reach it.
    pub access: ClientSettings,
    /// The rules. The first one that matches a user applies.
    pub rules: Vec<FleetRule>,
    /// When nothing begins and no key is deactivated or deleted.
    pub freezes: Vec<FreezePeriod>,
}

/// A rule: which users are rotated, when, and to which destinations.
#[derive(Debug, Clone, Default)]
pub struct FleetRule {
    /// Where the rule begins in the file.
    pub position: FilePosition,
    /// Selects every user.
    pub everyone: bool,
    /// User names; `*` matches anything.
    pub users: Vec<String>,
    /// A path and everything below it, for example `/service/`.
    pub path: Option<String>,
    /// Tags and their values, all of which must match. `*` matches any value.
    pub tags: BTreeMap<String, String>,
    /// Select only keys that were used within this time.
    pub used_within: Option<ConfigDuration>,
    /// The age at which a key is due [default: 90d].
    pub max_age: Option<ConfigDuration>,
    /// Spreads due dates over this time, by a hash of each user's ARN.
    pub jitter: Option<ConfigDuration>,
    /// When rotations may begin [default: always].
    pub window: Option<TimeWindow>,
    /// When old keys may be deactivated [default: always].
    pub deactivation_window: Option<TimeWindow>,
    /// How long the old key must be unused before it is deactivated.
    pub observe: Option<ConfigDuration>,
    /// How long the old key stays inactive before it is deleted.
    pub dwell: Option<ConfigDuration>,
    /// Allows `observe` and `dwell` to be shorter than the delay with which last-used data appears.
    pub accept_blind_window: bool,
    /// Why the old key may be deleted although no consumer has used the new one. `None` forbids it.
    pub override_unused: Option<String>,
    /// The destinations. `{user}` and `{account}` are replaced.
    pub deliver: Vec<String>,
    /// Whether to create a file, profile or field that does not exist yet.
    pub create: bool,
    /// Excludes the matching users: no later rule applies to them either.
    pub skip: bool,
    /// The rule's name. Only rules from a server's own policies have one.
    pub name: Option<String>,
}

/// A duration in seconds, written as `90s`, `15m`, `24h` or `7d`.
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
            .ok_or_else(|| "expected a number and a unit, such as 90s, 15m, 24h or 7d".to_owned())
    }
}

impl FleetAccount {
    /// Whether the problem is in one of this account's rules.
    pub fn has_problem(&self, problem: &FileProblem) -> bool {
        self.rules.iter().any(|rule| rule.position == problem.at)
    }

    /// The calendar for a rotation under the given rule.
    pub fn calendar(&self, rule: &FleetRule) -> RotationCalendar {
        RotationCalendar {
            deactivation: rule.deactivation_window.clone(),
            freezes: self.freezes.clone(),
        }
    }
}

impl FleetRule {
    /// The destinations for one user.
    ///
    /// # Errors
    /// A message.
    pub fn sinks(&self, user: &str, account: &str) -> Result<Vec<SinkSpec>, String> {
        // A server's policy is filled with names that its callers choose. And wherever the name
        // comes from, a program would take one that begins with a hyphen for an option.
        let server = self.name.is_some();
        let filled = self.deliver.iter().map(|text| {
            let program = text.starts_with("command:") || text.contains("?after=");
            let strict = server || program || text.starts_with("ssh:");
            let fits = match strict {
                true => fits_in_place(user),
                // The name must not lead to another folder either.
                false => user != "." && !user.contains(".."),
            };
            if text.contains("{user}") && !fits {
                return Err(format!(
                    "{text}: the name {user} cannot be part of a destination"
                ));
            }
            let text = fill(text, user, account);
            text.parse::<SinkSpec>()
                .map_err(|error| format!("{text}: {error}"))
        });
        filled.collect()
    }

    pub(super) fn max_age_secs(&self) -> i64 {
        self.max_age.map_or(MAX_AGE_SECS, |age| age.0)
    }

    /// The rotation rules (windows, overrides) for the engine.
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
