//! Timestamps in the formats that AWS uses, and the clock trait.
//!
//! A [`Timestamp`] is milliseconds since the Unix epoch. This module handles every text format of
//! IAM, STS and SigV4. It never reads the system clock.

use std::fmt;

use ::time::{OffsetDateTime, PrimitiveDateTime, macros::format_description};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Why a text is not a timestamp.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a timestamp of the expected form")]
pub struct TimestampError;

/// The source of the current time: the system clock in production, a manual clock in tests.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// The last instant with a four-digit year, in milliseconds: 9999-12-31T23:59:59.999Z.
const MILLIS_MAX: i64 = 253_402_300_799_999;

impl Timestamp {
    /// Creates a timestamp from milliseconds since the epoch, clamped to the years 1970 to 9999.
    pub const fn from_millis(millis: i64) -> Self {
        if millis < 0 {
            Self(0)
        } else if millis > MILLIS_MAX {
            Self(MILLIS_MAX)
        } else {
            Self(millis)
        }
    }

    /// Creates a timestamp from seconds since the epoch, clamped like [`Timestamp::from_millis`].
    pub const fn from_secs(secs: i64) -> Self {
        Self::from_millis(secs.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The same instant without the fraction of a second; IAM stores and returns whole seconds.
    pub const fn truncate_to_secs(self) -> Self {
        Self(self.secs() * 1000)
    }

    /// Adds `secs` seconds (negative: earlier), clamped.
    #[must_use]
    pub const fn plus_secs(self, secs: i64) -> Self {
        Self::from_millis(self.0.saturating_add(secs.saturating_mul(1000)))
    }

    /// Seconds from `earlier` to this instant, rounded down; negative if `earlier` is later.
    pub const fn secs_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).div_euclid(1000)
    }

    /// `2026-09-11T13:15:19Z`, the format of IAM and STS responses.
    pub fn iso8601(self) -> String {
        let t = self.civil();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }

    /// `20260911T131519Z`, the ISO 8601 basic format of `X-Amz-Date`.
    pub fn amz_date(self) -> String {
        let t = self.civil();
        format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }

    /// `20260911`, the date of a credential scope.
    pub fn scope_date(self) -> String {
        let t = self.civil();
        format!("{:04}{:02}{:02}", t.year(), u8::from(t.month()), t.day())
    }

    /// `Tue, 24 Nov 2026 10:39:17 GMT`, the format of HTTP headers.
    pub fn http_date(self) -> String {
        let t = self.civil();
        format!(
            "{:.3}, {:02} {:.3} {:04} {:02}:{:02}:{:02} GMT",
            t.weekday().to_string(),
            t.day(),
            t.month().to_string(),
            t.year(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }

    /// Parses `20260911T131519Z`.
    ///
    /// # Errors
    /// [`TimestampError`] for any other text.
    pub fn parse_amz_date(text: &str) -> Result<Self, TimestampError> {
        let form = format_description!("[year][month][day]T[hour][minute][second]Z");
        let civil = PrimitiveDateTime::parse(text, form).map_err(|_| TimestampError)?;
        Self::of_civil(civil.assume_utc())
    }

    /// Parses RFC 3339 / ISO 8601 extended: `2026-09-11T13:15:19Z`, fractions and offsets allowed.
    ///
    /// # Errors
    /// [`TimestampError`] for any other text, and for years outside 1970 to 9999.
    pub fn parse_iso8601(text: &str) -> Result<Self, TimestampError> {
        let form = &::time::format_description::well_known::Rfc3339;
        let civil = OffsetDateTime::parse(text, form).map_err(|_| TimestampError)?;
        Self::of_civil(civil)
    }

    /// Parses the date of an HTTP header: `Tue, 24 Nov 2026 10:39:17 GMT`.
    ///
    /// # Errors
    /// [`TimestampError`] for any other text; the two obsolete formats are not supported.
    pub fn parse_http_date(text: &str) -> Result<Self, TimestampError> {
        let form = format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        let civil = PrimitiveDateTime::parse(text, form).map_err(|_| TimestampError)?;
        Self::of_civil(civil.assume_utc())
    }

    fn of_civil(civil: OffsetDateTime) -> Result<Self, TimestampError> {
        let millis = i64::try_from(civil.unix_timestamp_nanos() / 1_000_000);
        match millis {
            Ok(m) if (0..=MILLIS_MAX).contains(&m) => Ok(Self(m)),
            _ => Err(TimestampError),
        }
    }

    fn civil(self) -> OffsetDateTime {
        // The constructor keeps the value in range; the epoch stands in for the impossible case.
        OffsetDateTime::from_unix_timestamp(self.secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso8601())
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn forms() {
        let t = Timestamp::from_millis(1_789_132_519_250);
        assert_eq!(t.iso8601(), "2026-09-11T13:15:19Z");
        assert_eq!(t.amz_date(), "20260911T131519Z");
        assert_eq!(t.scope_date(), "20260911");
        assert_eq!(
            Timestamp::parse_amz_date("20260911T131519Z"),
            Ok(t.truncate_to_secs())
        );
        assert_eq!(Timestamp::parse_iso8601("2026-09-11T13:15:19.25Z"), Ok(t));
        assert_eq!(
            Timestamp::parse_iso8601("2026-09-11T15:15:19.25+02:00"),
            Ok(t)
        );
    }

    #[test]
    fn dates_of_headers() {
        let t = Timestamp::parse_http_date("Fri, 11 Sep 2026 13:15:19 GMT");
        assert_eq!(t, Ok(Timestamp::from_secs(1_789_132_519)));
        for text in [
            "",
            "Fri, 11 Sep 2026 13:15:19 +0200",
            "2026-09-11T13:15:19Z",
        ] {
            assert!(Timestamp::parse_http_date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_amz_date() {
        for text in [
            "",
            "20260911",
            "2026-09-11T13:15:19Z",
            "20261311T131519Z",
            "20260911T131519",
        ] {
            assert!(Timestamp::parse_amz_date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn arithmetic_is_clamped() {
        assert_eq!(
            Timestamp::from_secs(i64::MAX).iso8601(),
            "9999-12-31T23:59:59Z"
        );
        assert_eq!(
            Timestamp::from_secs(0).plus_secs(-5),
            Timestamp::from_secs(0)
        );
        assert_eq!(
            Timestamp::from_secs(10).secs_since(Timestamp::from_millis(10_500)),
            -1
        );
    }
}
