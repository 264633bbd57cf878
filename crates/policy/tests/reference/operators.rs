//! Condition operators, one by one as AWS documents them.

use std::net::Ipv6Addr;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    Given, Keys,
    matching::{Unit, glob, pattern, segments},
};

/// Whether a condition on one key holds in a statement with this effect.
pub(crate) fn holds(
    effect: &str,
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
        // An operator without a set prefix never matches a list.
        ("", Given::List(_)) => return false,
        (_, Given::One(value)) => vec![value],
        (_, Given::List(values)) => values,
    };
    let positive = name.replace("not", "");
    let one = |value: &String| {
        // Malformed addresses and ARNs in the request never match.
        if positive == "ipaddress" && requested(value).is_none() {
            return false;
        }
        if positive.starts_with("arn") {
            if !is_arn(value) {
                return false;
            }
            // A policy value that is not an ARN ends the comparison: a Deny applies, an Allow does
            // not.
            let each = values.iter().map(|v| arn_like(value, v, variables, keys));
            return match each.into_iter().find(|one| *one != Some(false)) {
                Some(None) => effect == "Deny",
                found => found.is_some() != negated,
            };
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

/// Compares the request's value with one of the policy's values.
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
        "stringequalsignorecase" => text().is_some_and(|text| lower(&text) == lower(value)),
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

/// Lower case, except for characters of two UTF-16 units. A sigma after a letter and not before one
/// ends a word. Apostrophes are skipped (the generator has no other such character).
fn lower(text: &str) -> String {
    let all: Vec<char> = text.chars().collect();
    let letter = |c: Option<&char>| c.is_some_and(|c| c.is_alphabetic());
    let one = |(at, c): (usize, &char)| match c {
        'Σ' => {
            let before = all[..at].iter().rev().find(|c| **c != '\'');
            let after = all[at + 1..].iter().find(|c| **c != '\'');
            let end = letter(before) && !letter(after);
            if end { "ς" } else { "σ" }.to_owned()
        }
        c if c.len_utf16() == 2 => c.to_string(),
        c => c.to_lowercase().to_string(),
    };
    all.iter().enumerate().map(one).collect()
}

/// A policy's address as a text of bits.
fn bits(text: &str) -> Option<String> {
    if text.contains('.') {
        let number = |part: &str| {
            let digits = part.chars().all(|c| c.is_ascii_digit());
            part.parse::<u8>().ok().filter(|_| digits)
        };
        let parts: Option<Vec<u8>> = text.split('.').map(number).collect();
        let parts: [u8; 4] = parts?.try_into().ok()?;
        return Some(parts.map(|part| format!("{part:08b}")).concat());
    }
    // A surplus colon after a gap or at the end is dropped; at the beginning it stands for a zero.
    let mut text = text.replacen(":::", "::", 1);
    if text.ends_with(':') && !text.ends_with("::") {
        text.pop();
    }
    if text.starts_with(':') && !text.starts_with("::") {
        text.insert(0, '0');
    }
    let address: Ipv6Addr = text.parse().ok()?;
    Some(format!("{:0128b}", u128::from(address)))
}

/// A request's address; IPv4-mapped IPv6 is IPv4.
fn requested(text: &str) -> Option<String> {
    let mapped = format!("{}{}", "0".repeat(80), "1".repeat(16));
    let lower = text.to_lowercase();
    let bits = bits(lower.strip_prefix("::ffff:").unwrap_or(&lower)).or_else(|| bits(&lower))?;
    Some(
        bits.strip_prefix(&mapped)
            .map_or(bits.clone(), str::to_owned),
    )
}

fn in_network(value: &str, network: &str) -> bool {
    let Some(value) = requested(value) else {
        return false;
    };
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => (base, length.parse().ok()),
        None => (network, Some(if network.contains(':') { 128 } else { 32 })),
    };
    let (Some(base), Some(length)) = (bits(base), length) else {
        return false;
    };
    if value.len() != base.len() || length > base.len() {
        return false;
    }
    // Host bits are masked in IPv4; in IPv6 nothing matches.
    let host_bits = base[length..].contains('1');
    (base.len() == 32 || !host_bits) && value[..length] == base[..length]
}

/// Compares six segments, each a pattern; `None` if there are not six, the first being `arn`.
fn arn_like(value: &str, wanted: &str, variables: bool, keys: &Keys<'_>) -> Option<bool> {
    if wanted == "*" {
        return Some(true);
    }
    let whole = pattern(wanted, true, variables, keys);
    let mut parts: Vec<Vec<Unit>> = Vec::new();
    let split = segments(wanted, variables);
    if split.len() < 6 && variables && wanted.contains("${") {
        // The values of variables contain colons of their own.
        let Some(units) = &whole else {
            return Some(false);
        };
        let colon = Unit::Is(u16::from(b':'));
        parts.extend(units.splitn(6, |unit| *unit == colon).map(<[Unit]>::to_vec));
    } else {
        for part in &split {
            parts.push(pattern(part, true, variables, keys).unwrap_or_default());
        }
        if wanted.ends_with('*') {
            while parts.len() < 6 {
                parts.push(vec![Unit::Many]);
            }
        }
    }
    if parts.len() != 6 || !glob(&parts[0], "arn") {
        return None;
    }
    let value = segments(value, false);
    let mut each = parts.iter().zip(&value);
    Some(whole.is_some() && each.all(|(part, value)| glob(part, value)))
}
