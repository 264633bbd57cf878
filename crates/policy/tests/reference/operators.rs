//! Condition operators: what AWS documents about each, one after the other.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    Given, Keys,
    matching::{Unit, glob, pattern, segments},
};

/// Whether one key under one operator holds.
pub(crate) fn holds(
    operator: &str,
    key: &str,
    values: &[String],
    variables: bool,
    keys: &Keys<'_>,
) -> bool {
    let name = operator.to_lowercase();
    let (prefix, name) = match name.split_once(':') {
        Some((prefix, name)) => (prefix.to_owned(), name.to_owned()),
        None => (String::new(), name),
    };
    let given = keys.get(key);
    if name == "null" {
        let absent = given.is_none();
        return values
            .iter()
            .any(|v| v.eq_ignore_ascii_case("true") == absent);
    }
    let (name, if_exists) = match name.strip_suffix("ifexists") {
        Some(name) => (name.to_owned(), true),
        None => (name, false),
    };
    let negated = name.contains("not");
    let Some(given) = given else {
        return if_exists
            || match prefix.as_str() {
                "forallvalues" => true,
                "foranyvalue" => false,
                _ => negated,
            };
    };
    let given = match (&*prefix, given) {
        // A list under an operator for one value never matches.
        ("", Given::List(_)) => return false,
        (_, Given::One(value)) => vec![value],
        (_, Given::List(values)) => values,
    };
    let positive = name.replace("not", "");
    let one = |value: &String| {
        // Malformed addresses and ARNs in the request never match.
        if positive == "ipaddress" && value.parse::<IpAddr>().is_err() {
            return false;
        }
        if positive.starts_with("arn") && !is_arn(value) {
            return false;
        }
        let any = values
            .iter()
            .any(|v| compare(&positive, value, v, variables, keys));
        any != negated
    };
    if prefix == "foranyvalue" {
        given.iter().any(one)
    } else {
        given.iter().all(one)
    }
}

fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.matches(':').count() >= 5
}

/// Whether the request's value compares with one of the policy's.
fn compare(name: &str, value: &str, wanted: &str, variables: bool, keys: &Keys<'_>) -> bool {
    let text = || {
        let units = pattern(wanted, false, variables, keys)?;
        let unit = |unit: &Unit| match unit {
            Unit::Is(unit) => *unit,
            Unit::Any | Unit::Many => unreachable!("no wildcards were asked for"),
        };
        let units: Vec<u16> = units.iter().map(unit).collect();
        Some(String::from_utf16(&units).unwrap())
    };
    let order = |a: Option<i128>, b: Option<i128>| Some(a?.cmp(&b?));
    let numbers = order(number(value), number(wanted));
    let dates = order(date(value), date(wanted));
    match name {
        "stringequals" => text().is_some_and(|text| text == value),
        "stringequalsignorecase" => {
            text().is_some_and(|text| text.to_lowercase() == value.to_lowercase())
        }
        "stringlike" => {
            pattern(wanted, true, variables, keys).is_some_and(|units| glob(&units, value))
        }
        "bool" => {
            let is_true = |text: &str| text.eq_ignore_ascii_case("true");
            text().is_some_and(|text| is_true(&text) == is_true(value))
        }
        "numericequals" => numbers.is_some_and(|o| o.is_eq()),
        "numericlessthan" => numbers.is_some_and(|o| o.is_lt()),
        "numericlessthanequals" => numbers.is_some_and(|o| o.is_le()),
        "numericgreaterthan" => numbers.is_some_and(|o| o.is_gt()),
        "numericgreaterthanequals" => numbers.is_some_and(|o| o.is_ge()),
        "dateequals" => dates.is_some_and(|o| o.is_eq()),
        "datelessthan" => dates.is_some_and(|o| o.is_lt()),
        "datelessthanequals" => dates.is_some_and(|o| o.is_le()),
        "dategreaterthan" => dates.is_some_and(|o| o.is_gt()),
        "dategreaterthanequals" => dates.is_some_and(|o| o.is_ge()),
        "binaryequals" => match (STANDARD.decode(value), STANDARD.decode(wanted)) {
            (Ok(value), Ok(wanted)) => value == wanted,
            _ => false,
        },
        "ipaddress" => in_network(value, wanted),
        "arnequals" | "arnlike" => arn_like(value, wanted, variables, keys),
        other => panic!("the generator made an operator {other}"),
    }
}

/// A decimal number of few digits, times 10^12.
fn number(text: &str) -> Option<i128> {
    let lower = text.to_lowercase();
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let scale = 12 + exponent - i32::try_from(fraction.len()).unwrap();
    let digits: i128 = digits.parse().ok()?;
    Some(sign * digits * 10_i128.pow(u32::try_from(scale).unwrap()))
}

/// Milliseconds since 1970, counted day by day.
fn date(text: &str) -> Option<i128> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(i128::from(seconds) * 1000);
    }
    let (day, time) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
    let numbers: Option<Vec<i128>> = day.split('-').map(|n| n.parse().ok()).collect();
    let [year, month, day] = numbers?.try_into().ok()?;
    let leap = |year: i128| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut days = 0;
    for year in 1970..year {
        days += if leap(year) { 366 } else { 365 };
    }
    let months = [
        31,
        if leap(year) { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    days += months[..usize::try_from(month - 1).ok()?]
        .iter()
        .sum::<i128>()
        + day
        - 1;
    let (clock, offset) = match (time.strip_suffix('Z'), time.split_once('+')) {
        (Some(clock), _) => (clock, 0),
        (None, Some((clock, zone))) => {
            let (hours, minutes) = zone.split_once(':')?;
            (
                clock,
                hours.parse::<i128>().ok()? * 60 + minutes.parse::<i128>().ok()?,
            )
        }
        (None, None) => (time, 0),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let numbers: Option<Vec<i128>> = clock.split(':').map(|n| n.parse().ok()).collect();
    let [hours, minutes, seconds] = numbers?.try_into().ok()?;
    let millis: i128 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let minutes = days * 1440 + hours * 60 + minutes - offset;
    Some((minutes * 60 + seconds) * 1000 + millis)
}

/// An address as text of bits; IPv4 inside IPv6 is IPv4.
fn bits(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => format!("{:032b}", u32::from(v4)),
        IpAddr::V6(v6) => format!("{:0128b}", u128::from(v6)),
    }
}

fn in_network(value: &str, network: &str) -> bool {
    let value = bits(value.parse().unwrap());
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => (base, length.parse().ok()),
        None => (network, Some(if network.contains(':') { 128 } else { 32 })),
    };
    let (Ok(base), Some(length)) = (base.parse::<IpAddr>(), length) else {
        return false;
    };
    let base_bits = bits(base);
    if value.len() != base_bits.len() || length > base_bits.len() {
        return false;
    }
    // Host bits: masked in IPv4, fatal in IPv6.
    let host_bits = base_bits[length..].contains('1');
    (base.is_ipv4() || !host_bits) && value[..length] == base_bits[..length]
}

/// Six segments, each a pattern.
fn arn_like(value: &str, wanted: &str, variables: bool, keys: &Keys<'_>) -> bool {
    let mut parts: Vec<Vec<Unit>> = Vec::new();
    let split = segments(wanted, variables);
    if split.len() < 6 && variables && wanted.contains("${") {
        // Variables bring their own colons.
        let Some(units) = pattern(wanted, true, variables, keys) else {
            return false;
        };
        let colon = Unit::Is(u16::from(b':'));
        parts.extend(units.splitn(6, |unit| *unit == colon).map(<[Unit]>::to_vec));
    } else {
        for part in &split {
            match pattern(part, true, variables, keys) {
                Some(units) => parts.push(units),
                None => return false,
            }
        }
        if wanted.ends_with('*') {
            while parts.len() < 6 {
                parts.push(vec![Unit::Many]);
            }
        }
    }
    let value = segments(value, false);
    parts.len() == 6
        && parts
            .iter()
            .zip(&value)
            .all(|(part, value)| glob(part, value))
}
