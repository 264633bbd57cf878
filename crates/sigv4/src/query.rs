//! The query string as pairs of canonically encoded names and values, and its `X-Amz-*` parameters.
//!
//! Invariant: the canonical form and the parameters come from the same parse. Parameters unrelated
//! to signing are not interpreted.

use std::{borrow::Cow, ops::Range};

use http::Uri;
use percent_encoding::percent_decode_str;

use crate::{EscapeError, canonical};

/// A query string split at `&` and the first `=`, percent-encoded canonically, in canonical order.
#[derive(Debug, Default)]
pub(crate) struct QueryString {
    text: Vec<u8>,
    pairs: Vec<(Range<usize>, Range<usize>)>,
}

impl QueryString {
    /// Splits and encodes `raw`, which must have passed [`canonical::check_escapes`].
    pub(crate) fn read(raw: &str) -> Self {
        let mut query = Self::default();
        if raw.is_empty() {
            return query;
        }
        query.text.reserve(raw.len() + raw.len() / 4);
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (query.push(name), query.push(value));
            query.pairs.push((name, value));
        }
        let text = &query.text;
        let slice = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        query
            .pairs
            .sort_by(|a, b| (slice(&a.0), slice(&a.1)).cmp(&(slice(&b.0), slice(&b.1))));
        query
    }

    /// The encoded pairs, sorted by name and then by value.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (self.slice(name), self.slice(value)))
    }

    /// The encoded value of the first parameter with this encoded name.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.pairs()
            .find(|(given, _)| *given == name)
            .map(|(_, value)| value)
    }

    /// The first repeated `X-Amz-*` name.
    pub(crate) fn repeated(&self) -> Option<&str> {
        let names = || self.pairs().map(|(name, _)| name);
        names()
            .zip(names().skip(1))
            .find(|(a, b)| a == b && a.starts_with("X-Amz-"))
            .map(|(name, _)| name)
    }

    fn slice(&self, range: &Range<usize>) -> &str {
        let bytes = self.text.get(range.clone()).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
    }

    fn push(&mut self, part: &str) -> Range<usize> {
        let start = self.text.len();
        canonical::push_query_part(&mut self.text, part.as_bytes());
        start..self.text.len()
    }
}

/// The decoded names of the parameters in a query. Code that checks for a parameter before the
/// query is parsed must use these, because an escape in a name must not hide it.
pub fn parameter_names(uri: &Uri) -> impl Iterator<Item = Cow<'_, str>> {
    let pairs = uri.query().unwrap_or_default().split('&');
    pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        percent_decode_str(name).decode_utf8_lossy()
    })
}

/// Decodes an encoded parameter.
///
/// # Errors
/// [`EscapeError::Illegal`] if it is not UTF-8.
pub(crate) fn decode(encoded: &str) -> Result<String, EscapeError> {
    percent_decode_str(encoded)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| EscapeError::Illegal(encoded.to_owned()))
}
