//! User metadata in headers.
//!
//! Invariant: no metadata is lost. Values outside ASCII are sent as UTF-8 or as RFC 2047 encoded
//! words. A value that looks like RFC 2047 but does not decode is kept as it was sent. Responses
//! use the shorter of the two encodings, B or Q (recorded 2026-02).

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};

use keywright_objects::S3Fault;

const PREFIX: &str = "x-amz-meta-";
/// The maximum length of an encoded word, without `=?UTF-8?Q?` and `?=`.
const WORD: usize = 75 - 12;

/// The user metadata of a request. Names have no prefix.
///
/// # Errors
/// [`S3Fault::InvalidArgument`] for a value that is not UTF-8.
pub(super) fn read(headers: &HeaderMap) -> Result<BTreeMap<String, String>, S3Fault> {
    let mut user = BTreeMap::new();
    for name in headers.keys() {
        let Some(key) = name.as_str().strip_prefix(PREFIX) else {
            continue;
        };
        let values = headers.get_all(name).iter();
        let values: Result<Vec<_>, _> = values.map(|v| std::str::from_utf8(v.as_bytes())).collect();
        let value = values.map_err(|_| S3Fault::InvalidArgument {
            message: "Metadata must be UTF-8.".into(),
            name: "x-amz-meta",
            value: None,
        })?;
        let value = value.join(",");
        user.insert(key.to_owned(), decode(&value).unwrap_or(value));
    }
    Ok(user)
}

/// The response headers for user metadata.
pub(super) fn write(
    user: &BTreeMap<String, String>,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    user.iter().filter_map(|(key, value)| {
        let name = HeaderName::try_from(format!("{PREFIX}{key}")).ok()?;
        Some((name, HeaderValue::try_from(encode(value)).ok()?))
    })
}

/// Decodes a value that consists of encoded words; `None` for any other value.
fn decode(value: &str) -> Option<String> {
    let words = value.split_ascii_whitespace();
    let bytes: Option<Vec<_>> = words.map(word).collect();
    let bytes = bytes.filter(|words| !words.is_empty())?;
    String::from_utf8(bytes.concat()).ok()
}

fn word(word: &str) -> Option<Vec<u8>> {
    let inner = word.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut parts = inner.splitn(3, '?');
    let (charset, encoding, text) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    match encoding {
        "B" | "b" => BASE64_STANDARD.decode(text).ok(),
        "Q" | "q" => quoted(text),
        _ => None,
    }
}

fn quoted(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'_' => b' ',
            b'=' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            b'?' => return None,
            byte if byte.is_ascii_graphic() => byte,
            _ => return None,
        });
    }
    Some(out)
}

fn encode(value: &str) -> String {
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return value.to_owned();
    }
    let (q, b) = (
        words(value, 'Q', q),
        words(value, 'B', |text| BASE64_STANDARD.encode(text)),
    );
    if q.len() < b.len() { q } else { b }
}

fn q(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!*+-/".contains(&byte);
    let one = |byte: u8| match byte {
        b' ' => "_".to_owned(),
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("={byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// Splits a value into encoded words. A character is never split across two words.
fn words(value: &str, name: char, encoded: impl Fn(&str) -> String) -> String {
    let mut words = Vec::new();
    let mut word = String::new();
    for letter in value.chars() {
        word.push(letter);
        if encoded(&word).len() > WORD {
            word.pop();
            words.push(std::mem::replace(&mut word, letter.to_string()));
        }
    }
    words.push(word);
    let words: Vec<_> = words
        .iter()
        .map(|word| format!("=?UTF-8?{name}?{}?=", encoded(word)))
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn words() {
        for (header, text) in [
            ("=?UTF-8?B?w6TDtg==?=", Some("äö")),
            ("=?utf-8?q?a=C3=A4_b?=", Some("aä b")),
            ("=?UTF-8?B?w6TD?= =?UTF-8?B?tg==?=", Some("äö")),
            ("plain", None),
            ("", None),
            ("=?UTF-8?Q?=C3?=", None),
            ("=?UTF-8?Q?=C?=", None),
            ("=?UTF-8?B?%?=", None),
            ("=?ISO-8859-1?Q?=E4?=", None),
            ("a =?UTF-8?B?w6TDtg==?=", None),
        ] {
            assert_eq!(decode(header).as_deref(), text, "{header}");
        }
        for (text, header) in [
            ("plain =?", "plain =?"),
            ("äöü", "=?UTF-8?B?w6TDtsO8?="),
            (
                "a long text with one ä",
                "=?UTF-8?Q?a_long_text_with_one_=C3=A4?=",
            ),
            ("tab\t", "=?UTF-8?Q?tab=09?="),
        ] {
            assert_eq!(encode(text), header, "{text}");
            assert_eq!(decode(header).as_deref().unwrap_or(header), text);
        }
        let long = "ä".repeat(100);
        let header = encode(&long);
        assert!(header.split(' ').all(|word| word.len() <= 75), "{header}");
        assert_eq!(decode(&header), Some(long));
    }
}
