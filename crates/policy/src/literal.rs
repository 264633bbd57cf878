//! The literals of conditions: decimal numbers, dates and networks. Invariant: values are compared
//! exactly, without floating point, and a literal that cannot be parsed equals nothing.

use std::{
    cmp::Ordering,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use base64::{Engine, engine::general_purpose::STANDARD};

/// The type of a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiteralKind {
    /// A decimal number.
    Number,
    /// A date, or seconds since the epoch.
    Date,
    /// An IPv4 or IPv6 address or network.
    Address,
    /// Base64 with padding.
    Base64,
}

impl LiteralKind {
    /// Whether a text parses as this type.
    pub fn reads(self, text: &str) -> bool {
        match self {
            Self::Number => Decimal::parse(text).is_some(),
            Self::Date => date(text).is_some(),
            Self::Address => address(text).is_some(),
            Self::Base64 => STANDARD.decode(text).is_ok(),
        }
    }
}

/// A signed decimal number of at most 38 significant digits: `0.digits × 10^point`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    /// The digits without trailing zeros; 0 is zero.
    digits: u128,
    /// The number of digits.
    length: u32,
    /// The position of the decimal point, counted from before the first digit.
    point: i64,
}

impl Decimal {
    /// Parses an optional sign, digits with an optional fraction, and an optional exponent.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = || whole.bytes().chain(fraction.bytes());
        if all().next().is_none() || !all().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let leading = all().take_while(|b| *b == b'0').count();
        let total = whole.len() + fraction.len();
        let trailing = fraction.bytes().rev().chain(whole.bytes().rev());
        let trailing = trailing.take_while(|b| *b == b'0').count();
        let length = total.saturating_sub(leading + trailing);
        if length > 38 {
            return None;
        }
        let significant = all().skip(leading).take(length);
        let digits = significant.fold(0, |n: u128, b| n * 10 + u128::from(b - b'0'));
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        Some(Self {
            negative: negative && digits != 0,
            digits,
            length: u32::try_from(length).ok()?,
            point: if digits == 0 {
                0
            } else {
                point + i64::from(exponent)
            },
        })
    }

    /// Compares the absolute values.
    fn magnitude(&self, other: &Self) -> Ordering {
        let zero = (other.digits == 0).cmp(&(self.digits == 0));
        let widest = self.length.max(other.length);
        // At most 38 digits after scaling, which fit in a u128.
        let scaled = |n: &Self| {
            n.digits
                .saturating_mul(10_u128.saturating_pow(widest - n.length))
        };
        zero.then(self.point.cmp(&other.point))
            .then_with(|| scaled(self).cmp(&scaled(other)))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Parses a date into milliseconds since the epoch. Accepts whole seconds since the epoch (also
/// negative), and ISO 8601 from a year and a `T` down to fractions of a second, with an optional
/// zone (default UTC).
pub(crate) fn date(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds.saturating_mul(1000));
    }
    let (day, time) = match text.split_once(['T', 't']) {
        Some((day, time)) => (day, time),
        None => (text, ""),
    };
    let days = days(day)?;
    let millis = if time.is_empty() {
        0
    } else {
        time_of_day(time)?
    };
    days.checked_mul(86_400_000)?.checked_add(millis)
}

/// Parses `YYYY`, `YYYY-MM` or `YYYY-MM-DD` into days since 1970-01-01.
fn days(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let mut parts = text.split('-');
    let year = sign * number(parts.next()?, 0, 292_278_993)?;
    let month = parts.next().map_or(Some(1), |m| number(m, 1, 12))?;
    let day = parts.next().map_or(Some(1), |d| number(d, 1, 31))?;
    if parts.next().is_some() || year < -292_275_054 {
        return None;
    }
    // A year that starts in March has its leap day last.
    let year = if month < 3 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let in_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + in_era - 719_468)
}

/// Parses `hh[:mm[:ss[.fraction]]]` and a zone (`Z`, `+hh`, `+hh:mm`, `-hh:mm`) into milliseconds.
fn time_of_day(text: &str) -> Option<i64> {
    let zone_at = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at_checked(zone_at)?;
    let mut parts = clock.split(':');
    let hours = number(parts.next()?, 0, 23)?;
    let minutes = parts.next().map_or(Some(0), |m| number(m, 0, 59))?;
    let (seconds, fraction) = match parts.next() {
        Some(part) => part.split_once('.').unwrap_or((part, "0")),
        None => ("0", "0"),
    };
    if parts.next().is_some() {
        return None;
    }
    let seconds = number(seconds, 0, 59)?;
    let millis = milliseconds(fraction)?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis - offset(zone)?)
}

/// The first three digits of a fraction of a second.
fn milliseconds(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(*b"00").take(3);
    Some(digits.fold(0, |n, b| n * 10 + i64::from(b - b'0')))
}

fn offset(zone: &str) -> Option<i64> {
    let (sign, zone) = match zone.split_at_checked(1) {
        None => return Some(0),
        Some(("Z" | "z", "")) => return Some(0),
        Some(("+", zone)) => (1, zone),
        Some(("-", zone)) => (-1, zone),
        Some(_) => return None,
    };
    let (hours, minutes) = zone.split_once(':').unwrap_or((zone, "00"));
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    Some(sign * (number(hours, 0, 23)? * 60 + number(minutes, 0, 59)?) * 60_000)
}

fn number(digits: &str, least: i64, most: i64) -> Option<i64> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|n| (least..=most).contains(n))
}

/// A network of IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IpNetwork {
    V4 { base: u32, mask: u32 },
    V6 { base: u128, mask: u128 },
}

impl IpNetwork {
    /// Parses an address or CIDR. Host bits of an IPv4 network are masked. An IPv6 network keeps
    /// its host bits, and then contains nothing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(prefix_length(bits)?)),
            None => (text, None),
        };
        if let Some(v4) = v4(address) {
            let unused = 32_u32.checked_sub(bits.unwrap_or(32))?;
            let mask = u32::MAX.checked_shl(unused).unwrap_or(0);
            return Some(Self::V4 {
                base: v4.to_bits() & mask,
                mask,
            });
        }
        let v6 = v6(address)?;
        let unused = 128_u32.checked_sub(bits.unwrap_or(128))?;
        let mask = u128::MAX.checked_shl(unused).unwrap_or(0);
        Some(Self::V6 {
            base: v6.to_bits(),
            mask,
        })
    }

    /// Whether its base address has no host bits. Otherwise it contains nothing.
    pub(crate) const fn is_aligned(&self) -> bool {
        match *self {
            Self::V4 { base, mask } => base & !mask == 0,
            Self::V6 { base, mask } => base & !mask == 0,
        }
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4 { base, mask }, IpAddr::V4(v4)) => v4.to_bits() & mask == *base,
            (Self::V6 { base, mask }, IpAddr::V6(v6)) => v6.to_bits() & mask == *base,
            _ => false,
        }
    }
}

/// Parses a prefix length: decimal digits with an optional plus sign.
fn prefix_length(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    u32::try_from(number(digits, 0, 128)?).ok()
}

/// Parses the address of a request; IPv4-mapped IPv6 (`::ffff:192.0.2.1`) becomes IPv4.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    if let Some(v4) = v4(text) {
        return Some(v4.into());
    }
    if text.contains('.') {
        let mapped = text.parse::<Ipv6Addr>().ok()?;
        return mapped.to_ipv4_mapped().map(IpAddr::from);
    }
    v6(text).map(|v6| IpAddr::from(v6).to_canonical())
}

/// Parses four decimal numbers. Leading zeros have no meaning.
fn v4(text: &str) -> Option<Ipv4Addr> {
    let mut parts = text.split('.').map(|part| number(part, 0, 255));
    let mut next = || u8::try_from(parts.next()??).ok();
    let address = Ipv4Addr::new(next()?, next()?, next()?, next()?);
    parts.next().is_none().then_some(address)
}

/// Parses groups of hexadecimal digits, without an IPv4 address at the end. Beyond the usual
/// spellings, AWS reads `1::2:` and `1:::2` as `1::2`, and `:1::2` as `0:1::2`.
fn v6(text: &str) -> Option<Ipv6Addr> {
    let text = match text.strip_suffix(':') {
        Some(rest) if !rest.ends_with(':') || rest.ends_with("::") => rest,
        _ => text,
    };
    let (head, tail) = match text.split_once("::") {
        Some((head, tail)) => (head, Some(tail.strip_prefix(':').unwrap_or(tail))),
        None => (text, None),
    };
    let (first, count) = match head.strip_prefix(':') {
        Some(rest) => groups(rest).map(|(bits, count)| (bits, count + 1))?,
        None if head.is_empty() => (0, 0),
        None => groups(head)?,
    };
    let (last, more) = match tail {
        None | Some("") => (0, 0),
        Some(tail) => groups(tail)?,
    };
    // Without `::` there must be eight groups; with it, at least one is omitted.
    let whole = match tail {
        None => count == 8,
        Some(_) => count + more < 8,
    };
    let room = 8_u32.checked_sub(count)?;
    let first: u128 = first;
    let bits = first.checked_shl(16 * room).unwrap_or(0) | last;
    whole.then(|| Ipv6Addr::from_bits(bits))
}

/// Parses groups separated by colons: their bits and their number.
fn groups(text: &str) -> Option<(u128, u32)> {
    text.split(':').try_fold((0, 0), |(bits, count), group| {
        let digits = (1..=4).contains(&group.len()) && !group.starts_with('+');
        let group = u16::from_str_radix(group, 16).ok().filter(|_| digits)?;
        (count < 8).then_some((bits << 16 | u128::from(group), count + 1))
    })
}
