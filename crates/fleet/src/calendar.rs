//! Time windows of the week in a time zone, and freeze periods.
//!
//! A window uses local time. If daylight saving skips the time at which it begins or ends, the time
//! after the skip counts. If a local time occurs twice, the first occurrence counts.

use std::fmt;

use jiff::{
    SignedDuration, Zoned,
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};
use keywright_base::Timestamp;
use keywright_rotation::model::Phase;
use serde::{Deserialize, Serialize};

/// Days to search for the next opening: a week for the window's days, and another week for a window
/// that daylight saving skips entirely.
const SEARCH_DAYS: u8 = 15;

/// A time zone by its IANA name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZoneName(TimeZone);

impl TimeZoneName {
    /// UTC, the default.
    pub const UTC: Self = Self(TimeZone::UTC);
}

impl TryFrom<String> for TimeZoneName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        if name.eq_ignore_ascii_case("utc") {
            return Ok(Self::UTC);
        }
        let zone = TimeZone::get(&name);
        zone.map(Self)
            .map_err(|_| format!("unknown time zone {name}"))
    }
}

impl From<TimeZoneName> for String {
    fn from(zone: TimeZoneName) -> Self {
        zone.to_string()
    }
}

impl fmt::Display for TimeZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

impl fmt::Debug for TimeZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DayOfWeek {
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

impl DayOfWeek {
    /// All days with their names, Monday first.
    pub const ALL: [(&'static str, Self); 7] = [
        ("mon", Self::Mon),
        ("tue", Self::Tue),
        ("wed", Self::Wed),
        ("thu", Self::Thu),
        ("fri", Self::Fri),
        ("sat", Self::Sat),
        ("sun", Self::Sun),
    ];

    fn name(self) -> &'static str {
        let found = Self::ALL.into_iter().find(|(_, day)| *day == self);
        found.map_or("", |(name, _)| name)
    }

    const fn of(weekday: Weekday) -> Self {
        match weekday {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }
}

/// A weekly time window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeWindow {
    /// The days on which it begins. Empty means every day.
    pub days: Vec<DayOfWeek>,
    /// When it begins, in minutes after midnight.
    pub from_minute: u16,
    /// When it ends, in minutes after midnight, at most 1440. An end that is not after the
    /// beginning falls on the next day.
    pub to_minute: u16,
    /// The time zone of both times.
    pub zone: TimeZoneName,
}

impl fmt::Display for TimeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<_> = self.days.iter().map(|day| day.name()).collect();
        if !days.is_empty() {
            write!(f, "{} ", days.join(", "))?;
        }
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let (from, to) = (clock(self.from_minute), clock(self.to_minute));
        write!(f, "{from}-{to} {}", self.zone)
    }
}

impl TimeWindow {
    /// The next time at which the window is open: `now` if it is open already.
    fn next_opening(&self, now: Timestamp) -> Option<Timestamp> {
        let moment = jiff::Timestamp::from_second(now.secs()).ok()?;
        let today = Zoned::new(moment, self.zone.0.clone()).date();
        // A window that began yesterday may still be open.
        let mut date = today.yesterday().ok()?;
        for _ in 0..SEARCH_DAYS {
            let begins = self.days.is_empty() || self.days.contains(&DayOfWeek::of(date.weekday()));
            if let Some((from, to)) = self.of_date(date).filter(|_| begins)
                && now < to
                && from < to
            {
                return Some(from.max(now));
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// The beginning and end of the window that begins on this date, if one does.
    fn of_date(&self, date: Date) -> Option<(Timestamp, Timestamp)> {
        let ends_on = if self.to_minute > self.from_minute {
            date
        } else {
            date.tomorrow().ok()?
        };
        Some((
            self.at(date, self.from_minute)?,
            self.at(ends_on, self.to_minute)?,
        ))
    }

    fn at(&self, date: Date, minute: u16) -> Option<Timestamp> {
        let midnight = date.at(0, 0, 0, 0);
        let local = midnight.checked_add(SignedDuration::from_mins(minute.into()));
        instant(local.ok()?, &self.zone)
    }
}

fn instant(local: DateTime, zone: &TimeZoneName) -> Option<Timestamp> {
    let zoned = local.to_zoned(zone.0.clone()).ok()?;
    Some(Timestamp::from_secs(zoned.timestamp().as_second()))
}

/// A period in which no rotation begins and no key is deactivated or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezePeriod {
    /// When it begins, in seconds since the epoch.
    pub from_secs: i64,
    /// When it ends, in seconds since the epoch.
    pub to_secs: i64,
    /// The reason, for reports.
    pub why: Option<String>,
}

/// Which end of a freeze period a date denotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PeriodEnd {
    /// The first moment of the day.
    First,
    /// The first moment of the next day.
    Last,
}

/// Parses a date, a local time, or a time with its own offset.
pub(super) fn moment(text: &str, zone: &TimeZoneName, end: PeriodEnd) -> Option<Timestamp> {
    if let Ok(absolute) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp::from_secs(absolute.as_second()));
    }
    let local = if text.contains([':', 'T', ' ']) {
        text.parse::<DateTime>().ok()?
    } else {
        let date = text.parse::<Date>().ok()?;
        match end {
            PeriodEnd::First => date.at(0, 0, 0, 0),
            PeriodEnd::Last => date.tomorrow().ok()?.at(0, 0, 0, 0),
        }
    };
    instant(local, zone)
}

/// When a closed window or a freeze ends, and why it applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedUntil {
    /// When the action is allowed again.
    pub at: Timestamp,
    /// The reason for waiting.
    pub why: String,
}

/// Whether the window, if there is one, or a freeze forbids the action now.
pub(super) fn closed(
    window: Option<&TimeWindow>,
    freezes: &[FreezePeriod],
    now: Timestamp,
) -> Option<ClosedUntil> {
    let freeze_at = |at: Timestamp| {
        freezes
            .iter()
            .find(|freeze| (freeze.from_secs..freeze.to_secs).contains(&at.secs()))
    };
    let mut why = None;
    let mut at = now;
    // Every iteration but the last leaves one freeze behind.
    for _ in 0..=freezes.len() {
        if let Some(window) = window {
            // If the window does not open within two weeks, the search continues from there.
            let far = at.plus_secs(i64::from(SEARCH_DAYS) * 86_400);
            let opening = window.next_opening(at).unwrap_or(far);
            if opening > at {
                why.get_or_insert_with(|| format!("the window {window}"));
                at = opening;
            }
        }
        let Some(freeze) = freeze_at(at) else { break };
        why.get_or_insert_with(|| match &freeze.why {
            Some(text) => format!("the end of the freeze ({text})"),
            None => "the end of the freeze".to_owned(),
        });
        at = Timestamp::from_secs(freeze.to_secs);
    }
    why.map(|why| ClosedUntil { at, why })
}

/// When an open rotation may take the steps that cannot be undone immediately. Stored in the
/// journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationCalendar {
    /// When the old key may be deactivated. `None` means always.
    pub deactivation: Option<TimeWindow>,
    /// Periods in which no old key is deactivated or deleted.
    pub freezes: Vec<FreezePeriod>,
}

impl RotationCalendar {
    /// How long the next step must wait if it deactivates or deletes a key. `dwelt` is when the
    /// dwell ends.
    pub fn closed(&self, phase: Phase, dwelt: Timestamp, now: Timestamp) -> Option<ClosedUntil> {
        match phase {
            Phase::Confirming | Phase::Deactivating => {
                closed(self.deactivation.as_ref(), &self.freezes, now)
            }
            // No dwell ends during a freeze: until the key is deleted, everything can be restored.
            Phase::Dwelling if now >= dwelt => closed(None, &self.freezes, now),
            Phase::Deleting => closed(None, &self.freezes, now),
            _ => None,
        }
    }

    /// Serializes the calendar for the journal.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Parses the output of [`RotationCalendar::to_text`].
    ///
    /// # Errors
    /// A message.
    pub fn from_text(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
