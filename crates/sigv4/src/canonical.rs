//! The canonical request: the byte sequence on which client and server must agree.
//!
//! Invariant: paths, queries and headers that differ in meaning have different canonical forms.
//! Nothing is rejected here; invalid requests were rejected earlier ([`check_escapes`],
//! `presented.rs`).

use http::{HeaderValue, request::Parts};
use memchr::memmem;

use crate::{EscapeError, SignatureForm, SigningDialect, query::QueryString};

pub(crate) fn push_request(
    out: &mut Vec<u8>,
    parts: &Parts,
    dialect: SigningDialect,
    form: SignatureForm,
    signed_headers: &str,
    payload: &str,
) {
    out.extend_from_slice(parts.method.as_str().as_bytes());
    out.push(b'\n');
    push_path(out, parts.uri.path(), dialect);
    out.push(b'\n');
    push_query(out, parts.uri.query().unwrap_or_default(), form);
    out.push(b'\n');
    for name in signed_headers.split(';') {
        push_header(out, parts, name);
    }
    out.push(b'\n');
    out.extend_from_slice(signed_headers.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(payload.as_bytes());
}

/// Checks that two hex digits follow every `%`.
///
/// # Errors
/// The first bad [`EscapeError`].
pub(crate) fn check_escapes(raw: &str) -> Result<(), EscapeError> {
    for at in memchr::memchr_iter(b'%', raw.as_bytes()) {
        let escape = raw.as_bytes().get(at..).unwrap_or_default();
        match escape {
            [_, high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {}
            [_, _, _, ..] => {
                let text = escape.get(..3).unwrap_or_default();
                return Err(EscapeError::Illegal(
                    String::from_utf8_lossy(text).into_owned(),
                ));
            }
            _ => return Err(EscapeError::Incomplete),
        }
    }
    Ok(())
}

/// Appends a query name or value, encoded once; `+` means a space.
pub(crate) fn push_query_part(out: &mut Vec<u8>, raw: &[u8]) {
    push_normal(out, raw, |byte| match byte {
        b'+' => Some(b"%20"),
        _ => None,
    });
}

/// Appends `raw` with everything except unreserved characters percent-encoded.
pub(crate) fn push_encoded(out: &mut Vec<u8>, raw: &[u8]) {
    for byte in raw {
        push_byte(out, *byte);
    }
}

fn push_path(out: &mut Vec<u8>, raw: &str, dialect: SigningDialect) {
    if matches!(raw, "" | "/") {
        out.push(b'/');
        return;
    }
    match dialect {
        SigningDialect::S3 => push_path_once(out, raw, true),
        SigningDialect::Query => {
            let mut once = Vec::with_capacity(raw.len());
            push_path_once(&mut once, raw, false);
            push_path_twice(out, &once);
        }
    }
}

/// Appends the path as sent, encoded once, with no segments resolved. An escaped slash stays
/// escaped, except in S3, which decodes it (recorded 2026-02).
fn push_path_once(out: &mut Vec<u8>, raw: &str, slashes: bool) {
    let plain = |byte| match byte {
        b'/' => Some(&b"/"[..]),
        _ => None,
    };
    let mut rest = raw;
    while slashes
        && let Some(at) = memmem::find_iter(rest.as_bytes(), b"%2")
            .find(|at| matches!(rest.as_bytes().get(at + 2), Some(b'F' | b'f')))
    {
        let (before, after) = rest.split_at(at);
        push_normal(out, before.as_bytes(), plain);
        out.push(b'/');
        rest = after.get(3..).unwrap_or_default();
    }
    push_normal(out, rest.as_bytes(), plain);
}

/// Resolves empty, `.` and `..` segments of an encoded path, then encodes it a second time.
fn push_path_twice(out: &mut Vec<u8>, once: &[u8]) {
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in once.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    for segment in &segments {
        out.push(b'/');
        push_encoded(out, segment);
    }
    if segments.is_empty() || once.ends_with(b"/") {
        out.push(b'/');
    }
}

/// In query form `X-Amz-Signature` is omitted, because it cannot sign itself.
fn push_query(out: &mut Vec<u8>, raw: &str, form: SignatureForm) {
    let query = QueryString::read(raw);
    let itself = |name: &str| form == SignatureForm::Query && name == "X-Amz-Signature";
    let mut first = true;
    for (name, value) in query.pairs().filter(|(name, _)| !itself(name)) {
        if !first {
            out.push(b'&');
        }
        first = false;
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value.as_bytes());
    }
}

/// Appends `name:value[,value…]`, or nothing if the request lacks the header.
fn push_header(out: &mut Vec<u8>, parts: &Parts, name: &str) {
    let mut values = parts.headers.get_all(name).iter().peekable();
    if values.peek().is_none() {
        if let (true, Some(host)) = (name == "host", parts.uri.authority()) {
            out.extend_from_slice(b"host:");
            out.extend_from_slice(host.as_str().as_bytes());
            out.push(b'\n');
        }
        return;
    }
    out.extend_from_slice(name.as_bytes());
    let mut separator = b':';
    for value in values {
        out.push(separator);
        push_value(out, value);
        separator = b',';
    }
    out.push(b'\n');
}

/// Appends the value trimmed, with runs of spaces collapsed to one. Non-ASCII bytes stay.
fn push_value(out: &mut Vec<u8>, value: &HeaderValue) {
    let value = value.as_bytes().trim_ascii();
    if memmem::find(value, b"  ").is_none() {
        out.extend_from_slice(value);
        return;
    }
    let mut previous = 0;
    for byte in value {
        if (*byte, previous) != (b' ', b' ') {
            out.push(*byte);
        }
        previous = *byte;
    }
}

/// Encodes exactly once: unreserved escapes are decoded, other escapes upper-cased, and raw bytes
/// encoded unless `special` overrides them.
fn push_normal(out: &mut Vec<u8>, raw: &[u8], special: impl Fn(u8) -> Option<&'static [u8]>) {
    let mut rest = raw;
    loop {
        let plain = rest.iter().take_while(|byte| unreserved(**byte)).count();
        let (run, after) = rest.split_at(plain);
        out.extend_from_slice(run);
        let Some((byte, tail)) = after.split_first() else {
            return;
        };
        rest = tail;
        if let Some((escaped, after)) = (*byte == b'%').then(|| unescape(tail)).flatten() {
            push_byte(out, escaped);
            rest = after;
        } else if let Some(text) = special(*byte) {
            out.extend_from_slice(text);
        } else {
            push_byte(out, *byte);
        }
    }
}

/// Decodes two hex digits; returns the byte and the rest.
fn unescape(tail: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, after) = tail.split_first_chunk::<2>()?;
    let value = |digit: u8| char::from(digit).to_digit(16);
    let [high, low] = *digits;
    let byte = u8::try_from(value(high)? * 16 + value(low)?).ok()?;
    Some((byte, after))
}

const fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn push_byte(out: &mut Vec<u8>, byte: u8) {
    if unreserved(byte) {
        out.push(byte);
        return;
    }
    let mut digits = [0; 2];
    // Cannot fail: one byte encodes to two digits.
    let _ = hex::encode_to_slice([byte], &mut digits);
    out.push(b'%');
    out.extend_from_slice(&digits.map(|digit| digit.to_ascii_uppercase()));
}
