//! Tag sets of objects and buckets.
//!
//! Invariant: a stored tag set has unique keys within S3's lengths and characters. This module does
//! no I/O.

use keywright_base::limits;

use crate::fault::TagFault;

/// Tags in the order they were given.
pub type Tags = Vec<(String, String)>;

/// Lengths are in UTF-16 units: S3 counts a character outside the basic multilingual plane twice.
const KEY_UNITS: usize = 128;
const VALUE_UNITS: usize = 256;

/// Checks the tags of an object.
///
/// # Errors
/// [`TagFault`].
pub fn check_object(tags: &Tags) -> Result<(), TagFault> {
    let limit = limits::S3_OBJECT_TAGS;
    if tags.len() > limit {
        return Err(TagFault::TooMany {
            limit,
            bucket: false,
        });
    }
    check(tags, TagFault::Reserved)
}

/// Checks the tags of a bucket.
///
/// # Errors
/// [`TagFault`].
pub fn check_bucket(tags: &Tags) -> Result<(), TagFault> {
    check_set_of_bucket(tags, |key| {
        if key.starts_with("aws:") {
            TagFault::System(key)
        } else {
            TagFault::SystemCase(key)
        }
    })
}

/// Checks the tags of a new bucket. The rules are the same; only one fault has another text.
///
/// # Errors
/// [`TagFault`].
pub fn check_new_bucket(tags: &Tags) -> Result<(), TagFault> {
    check_set_of_bucket(tags, TagFault::ReservedAtCreation)
}

fn check_set_of_bucket(tags: &Tags, reserved: fn(String) -> TagFault) -> Result<(), TagFault> {
    let limit = limits::TAGS_PER_ENTITY;
    if tags.len() > limit {
        return Err(TagFault::TooMany {
            limit,
            bucket: true,
        });
    }
    check(tags, reserved)
}

/// Parses the tagging header, which is a URL query.
///
/// # Errors
/// [`TagFault::Header`] when it is malformed or a key occurs twice; otherwise as [`check_object`].
pub fn parse_header(header: &str) -> Result<Tags, TagFault> {
    let wrong = || TagFault::Header(header.into());
    let mut tags = Tags::new();
    for pair in header.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let tag = (
            unescape(key).ok_or_else(wrong)?,
            unescape(value).ok_or_else(wrong)?,
        );
        if tags.iter().any(|(key, _)| *key == tag.0) {
            return Err(wrong());
        }
        tags.push(tag);
    }
    check_object(&tags)?;
    Ok(tags)
}

fn check(tags: &Tags, reserved: fn(String) -> TagFault) -> Result<(), TagFault> {
    for (index, (key, value)) in tags.iter().enumerate() {
        if key.is_empty() || key.encode_utf16().count() > KEY_UNITS || !key.chars().all(allowed) {
            return Err(TagFault::Key(key.clone()));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(reserved(key.clone()));
        }
        if value.encode_utf16().count() > VALUE_UNITS || !value.chars().all(allowed) {
            return Err(TagFault::Value {
                key: key.clone(),
                value: value.clone(),
            });
        }
        if tags.iter().take(index).any(|(earlier, _)| earlier == key) {
            return Err(TagFault::Twice(key.clone()));
        }
    }
    Ok(())
}

/// Letters, numbers, all Unicode separators (which excludes tab and line feed) and some marks.
fn allowed(c: char) -> bool {
    c.is_alphanumeric()
        || (c.is_whitespace() && !c.is_control())
        || matches!(c, '+' | '-' | '=' | '.' | '_' | ':' | '/' | '@')
}

/// Decodes `%XX` and `+`; `None` when an escape is malformed or the result is not UTF-8.
fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::{TagFault, check_bucket, check_object, parse_header};

    #[test]
    fn headers() {
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        for (header, expected) in [
            ("", Some(vec![])),
            ("a=1", Some(vec![pair("a", "1")])),
            ("a=1&b=", Some(vec![pair("a", "1"), pair("b", "")])),
            ("a%20b=x+y", Some(vec![pair("a b", "x y")])),
            ("a", Some(vec![pair("a", "")])),
            ("a=1&a=2", None),
            ("a=%zz", None),
            ("a=%f", None),
            ("a=%ff", None),
            ("a=1%2C2", None),
        ] {
            assert_eq!(parse_header(header).ok(), expected, "{header}");
        }
    }

    #[test]
    fn sets() {
        let set = |keys: &[&str]| {
            keys.iter()
                .map(|k| ((*k).to_owned(), "v".to_owned()))
                .collect()
        };
        assert!(check_object(&set(&["a", "b"])).is_ok());
        assert_eq!(
            check_object(&set(&["a", "a"])),
            Err(TagFault::Twice("a".into()))
        );
        assert_eq!(
            check_object(&set(&["aws:x"])),
            Err(TagFault::Reserved("aws:x".into()))
        );
        assert_eq!(check_object(&set(&[""])), Err(TagFault::Key(String::new())));
        let many: Vec<String> = (0..11).map(|n| n.to_string()).collect();
        let many = many.iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(
            check_object(&set(&many)),
            Err(TagFault::TooMany {
                limit: 10,
                bucket: false
            })
        );
    }

    /// As recorded from S3.
    #[test]
    fn lengths_characters_and_prefixes() {
        let key = |key: &str| check_bucket(&vec![(key.to_owned(), String::new())]);
        let value = |value: &str| check_bucket(&vec![("k".to_owned(), value.to_owned())]);
        for (character, most) in [("x", 128), ("ß", 128), ("\u{10428}", 64)] {
            assert_eq!(key(&character.repeat(most)), Ok(()), "{character}");
            let long = character.repeat(most + 1);
            assert_eq!(key(&long), Err(TagFault::Key(long.clone())), "{character}");
            assert_eq!(value(&character.repeat(2 * most)), Ok(()), "{character}");
            assert!(
                value(&character.repeat(2 * most + 1)).is_err(),
                "{character}"
            );
        }
        for text in [
            "Größe ١ 秤",
            "a\u{a0}b",
            "a\u{2003}b",
            "a\u{2029}b",
            "+-=._:/@",
        ] {
            assert_eq!((key(text), value(text)), (Ok(()), Ok(())), "{text:?}");
        }
        for text in [
            "a\tb", "a\nb", "a\u{85}b", "a,b", "a&b", "a(b", "a*b", "a\\b", "🔑",
        ] {
            assert_eq!(key(text), Err(TagFault::Key(text.into())), "{text:?}");
            assert!(value(text).is_err(), "{text:?}");
        }
        assert_eq!(key("aws:a"), Err(TagFault::System("aws:a".into())));
        assert_eq!(key("Aws:a"), Err(TagFault::SystemCase("Aws:a".into())));
        assert_eq!(value("aws:a"), Ok(()));
        assert_eq!(
            check_object(&vec![("AWS:a".into(), String::new())]),
            Err(TagFault::Reserved("AWS:a".into()))
        );
    }
}
