//! The fleet as a person declares it, in TOML.
//!
//! It protects one rule: what is not understood is refused, with its place in the file. A selector
//! without any word selects nobody by accident: it must say `everyone = true`.

use std::collections::BTreeMap;

use keywright_rotation::model::Rules;
use serde::Deserialize;

use crate::{
    aws::Settings,
    sinks::{Spec, fits_in_place},
};

/// The age at which a key is due when the rule does not say, in seconds: CIS's 90 days.
const MAX_AGE_SECS: i64 = 90 * 86_400;

/// What a person declares.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Rotations that go on at the same time in one account.
    #[serde(default = "at_once")]
    pub at_once: usize,
    /// Failures in a row after which an account is left alone until the next run.
    #[serde(default = "stop_after_failures")]
    pub stop_after_failures: usize,
    /// The accounts.
    #[serde(rename = "account")]
    pub accounts: Vec<Account>,
    /// Whom to tell.
    #[serde(default)]
    pub notify: Vec<String>,
}

const fn at_once() -> usize {
    8
}

const fn stop_after_failures() -> usize {
    5
}

/// An account and the users in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// What it is called in reports.
    pub name: String,
    /// Its number; credentials of another one are refused.
    pub id: Option<String>,
    /// How it is reached.
    #[serde(default)]
    pub access: Settings,
    /// The rules; a user has the first that fits.
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
}

/// Who is rotated, when, and where to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Every user.
    pub everyone: bool,
    /// Names, with `*` for anything.
    pub users: Vec<String>,
    /// A path and everything below it, for example `/service/`.
    pub path: Option<String>,
    /// Tags with their values, all of them; `*` for any value.
    pub tags: BTreeMap<String, String>,
    /// Only keys that were used within this time.
    pub used_within: Option<Duration>,
    /// The age at which a key is due [default: 90d].
    pub max_age: Option<Duration>,
    /// Spreads the users over this time before they are due, each by its own id.
    pub jitter: Option<Duration>,
    /// When rotations may begin [default: always]; UTC.
    pub window: Option<Window>,
    /// How long the old key must be unused before it is deactivated.
    pub observe: Option<Duration>,
    /// How long it stays inactive before it is deleted.
    pub dwell: Option<Duration>,
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
    #[serde(skip)]
    pub name: Option<String>,
}

/// Seconds, written as `90s`, `15m`, `24h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub i64);

impl std::str::FromStr for Duration {
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

impl<'a> Deserialize<'a> for Duration {
    fn deserialize<D: serde::Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Days of the week and hours of the day, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// `mon` to `sun`; none means every day.
    #[serde(default)]
    pub days: Vec<Day>,
    /// The first hour, 0 to 23.
    #[serde(default)]
    pub from_hour: u8,
    /// The first hour after the last, 1 to 24.
    #[serde(default = "midnight")]
    pub to_hour: u8,
}

const fn midnight() -> u8 {
    24
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// Why a declaration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not TOML, or has words that nobody knows.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// A rule cannot be carried out.
    #[error("account {account}, rule {number}: {why}")]
    Rule {
        /// The account's name.
        account: String,
        /// The rule's place, from 1.
        number: usize,
        /// What is wrong.
        why: String,
    },
    /// The whole cannot be carried out.
    #[error("{0}")]
    Whole(&'static str),
}

impl Config {
    /// Reads and checks a declaration.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        if config.at_once == 0 || config.stop_after_failures == 0 {
            return Err(ConfigError::Whole(
                "at_once and stop_after_failures are at least 1",
            ));
        }
        if config.accounts.is_empty() {
            return Err(ConfigError::Whole("there is no [[account]]"));
        }
        for account in &config.accounts {
            for (number, rule) in (1..).zip(&account.rules) {
                rule.check().map_err(|why| ConfigError::Rule {
                    account: account.name.clone(),
                    number,
                    why,
                })?;
            }
        }
        Ok(config)
    }
}

impl Rule {
    fn check(&self) -> Result<(), String> {
        let selects = !self.users.is_empty() || self.path.is_some() || !self.tags.is_empty();
        if self.everyone == selects {
            return Err("say either everyone = true, or users, path or tags".to_owned());
        }
        if !self.skip && self.deliver.is_empty() {
            return Err("say where the new keys go (deliver), or skip = true".to_owned());
        }
        if let Some(path) = &self.path
            && !(path.starts_with('/') && path.ends_with('/'))
        {
            return Err(format!("the path {path} must begin and end with a slash"));
        }
        if let Some(window) = &self.window
            && (window.from_hour >= window.to_hour || window.to_hour > 24)
        {
            return Err("the window ends before it begins; hours are 0 to 24".to_owned());
        }
        if self
            .override_unused
            .as_ref()
            .is_some_and(|why| why.trim().is_empty())
        {
            return Err("override_unused must say why".to_owned());
        }
        let age = self.max_age.unwrap_or(Duration(MAX_AGE_SECS));
        if self.jitter.is_some_and(|jitter| jitter > age) {
            return Err("the jitter is longer than max_age".to_owned());
        }
        // With some user's name: a sink that cannot be understood is found now, not at night.
        let sinks = self.sinks("someone", "123456789012")?;
        if sinks.iter().any(Spec::is_person) {
            return Err("person is a place of a server's own rotations".to_owned());
        }
        Ok(())
    }

    /// The sinks for a user.
    ///
    /// # Errors
    /// A sentence.
    pub fn sinks(&self, user: &str, account: &str) -> Result<Vec<Spec>, String> {
        // A server's policy is filled with names that its callers choose.
        let strict = self.name.is_some();
        let filled = self.deliver.iter().map(|text| {
            if strict && text.contains("{user}") && !fits_in_place(user) {
                return Err(format!("{text}: the name {user} cannot be part of a place"));
            }
            let text = text.replace("{user}", user).replace("{account}", account);
            text.parse::<Spec>()
                .map_err(|error| format!("{text}: {error}"))
        });
        filled.collect()
    }

    /// The age at which a key is due, in seconds.
    pub(super) fn max_age_secs(&self) -> i64 {
        self.max_age.map_or(MAX_AGE_SECS, |age| age.0)
    }

    /// How careful its rotations are.
    pub fn rules(&self) -> Rules {
        let secs = |told: Option<Duration>, usual| told.map_or(usual, |duration| duration.0);
        Rules {
            observe_secs: secs(self.observe, Rules::SAFE.observe_secs),
            dwell_secs: secs(self.dwell, Rules::SAFE.dwell_secs),
            accept_blind: self.accept_blind_window,
            ..Rules::SAFE
        }
    }
}
