//! When something may be done: windows of the week in a time zone, and freeze periods.
//!
//! A window is of local clock time. Where the clocks jump over its beginning or its end, the time
//! after the jump counts, and where a time comes twice the first one does.

use std::fmt;

use jiff::{
    SignedDuration, Zoned,
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};
use keywright_base::Timestamp;
use keywright_rotation::model::Phase;
use serde::{Deserialize, Serialize};

/// Days that are searched for the next opening: a week for the window's days, and a second one for
/// a window that the clocks jump over.
const SEARCH_DAYS: u8 = 15;

/// A time zone by its IANA name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZoneName(TimeZone);

impl TimeZoneName {
    /// The usual one.
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
            .map_err(|_| format!("there is no time zone {name}"))
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
    /// All of them with their names, from Monday.
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

/// Days of the week and a time of the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeWindow {
    /// The days on which it begins; none means every day.
    pub days: Vec<DayOfWeek>,
    /// When it begins, in minutes after midnight.
    pub from_minute: u16,
    /// When it ends, in minutes after midnight, 1440 at most. What is not after the beginning is
    /// of the next day.
    pub to_minute: u16,
    /// Where the clock stands.
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
    /// The first time from `now` on at which it is open: `now` itself if it is.
    fn next_opening(&self, now: Timestamp) -> Option<Timestamp> {
        let moment = jiff::Timestamp::from_second(now.secs()).ok()?;
        let today = Zoned::new(moment, self.zone.0.clone()).date();
        // One that began yesterday may still be open.
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

    /// From when to when it is open if it begins on this date.
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

/// A local time in a zone.
fn instant(local: DateTime, zone: &TimeZoneName) -> Option<Timestamp> {
    let zoned = local.to_zoned(zone.0.clone()).ok()?;
    Some(Timestamp::from_secs(zoned.timestamp().as_second()))
}

/// A time in which nothing is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezePeriod {
    /// When it begins, in seconds.
    pub from_secs: i64,
    /// When it is over, in seconds.
    pub to_secs: i64,
    /// What for.
    pub why: Option<String>,
}

/// Which end of a period a date is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PeriodEnd {
    /// The day's first moment.
    First,
    /// The next day's first moment.
    Last,
}

/// Reads a date, a local time, or a time with its own offset.
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

/// Until when something may not be done, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedUntil {
    /// When it may be done next.
    pub at: Timestamp,
    /// For what it waits.
    pub why: String,
}

/// Whether a window, or everything if there is none, is closed now.
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
    // Each turn but the last ends a freeze for good.
    for _ in 0..=freezes.len() {
        if let Some(window) = window {
            // It opens within two weeks, or the search goes on from there.
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

/// When an open rotation may go on with what cannot be taken back at once, as the journal keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationCalendar {
    /// When the old key may be deactivated; nothing means always.
    pub deactivation: Option<TimeWindow>,
    /// When no old key is deactivated or deleted.
    pub freezes: Vec<FreezePeriod>,
}

impl RotationCalendar {
    /// Until when the next step in a phase has to wait, if that deactivates or deletes a key;
    /// `dwelt` is when a dwell is over.
    pub fn closed(&self, phase: Phase, dwelt: Timestamp, now: Timestamp) -> Option<ClosedUntil> {
        match phase {
            Phase::Confirming | Phase::Deactivating => {
                closed(self.deactivation.as_ref(), &self.freezes, now)
            }
            // Not entered in a freeze: until it is there, everything can be put back.
            Phase::Dwelling if now >= dwelt => closed(None, &self.freezes, now),
            Phase::Deleting => closed(None, &self.freezes, now),
            _ => None,
        }
    }

    /// As text.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From [`RotationCalendar::to_text`].
    ///
    /// # Errors
    /// A sentence.
    pub fn from_text(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
