//! The parameters of a request, sorted once and read through [`FormScope`]s: the body of an
//! awsQuery request (`application/x-www-form-urlencoded`), or JSON under the same names
//! (`json.rs`).
//!
//! Nothing here recurses on the input, and name lookup is a binary search.

use std::cell::Cell;

use keywright_base::limits;
use percent_encoding::percent_decode;
use serde_json::Value;

/// A malformed request: `MalformedInput`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MalformedForm(pub(crate) String);

impl MalformedForm {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The parameters of a request, sorted by name.
#[derive(Clone, PartialEq, Eq)]
pub struct Form {
    parameters: Vec<(String, String)>,
    /// What the parameters were made of, if they had types.
    json: Option<Value>,
}

impl std::fmt::Debug for Form {
    /// Prints names only, because values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.parameters.iter().map(|(name, _)| name))
            .finish()
    }
}

/// The maximum gap between two indexes of a list; the first index is 1.
const INDEX_JUMP: u32 = 10;

impl Form {
    /// Parses a body whose length has already been limited.
    ///
    /// # Errors
    /// [`MalformedForm`] for text that is not UTF-8, a repeated parameter, or too many parameters.
    pub fn parse(body: &[u8]) -> Result<Self, MalformedForm> {
        let mut parameters = Vec::new();
        for pair in body
            .split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty())
        {
            if parameters.len() == limits::QUERY_PARAMETERS {
                let most = limits::QUERY_PARAMETERS;
                return Err(MalformedForm::new(format!("More than {most} parameters")));
            }
            let at = pair
                .iter()
                .position(|byte| *byte == b'=')
                .unwrap_or(pair.len());
            let (name, value) = pair.split_at_checked(at).unwrap_or((pair, b""));
            parameters.push((
                decode(name)?,
                decode(value.strip_prefix(b"=").unwrap_or(value))?,
            ));
        }
        Self::of(parameters)
    }

    /// A form of these parameters.
    ///
    /// # Errors
    /// [`MalformedForm`] for a repeated parameter.
    pub fn of(mut parameters: Vec<(String, String)>) -> Result<Self, MalformedForm> {
        parameters.sort();
        let repeated = parameters.windows(2).find_map(|pair| match pair {
            [(a, _), (b, _)] if a == b => Some(a.clone()),
            _ => None,
        });
        match repeated {
            Some(name) => Err(MalformedForm::new(format!(
                "Parameter {name} is given more than once"
            ))),
            None => Ok(Self {
                parameters,
                json: None,
            }),
        }
    }

    /// A form of unsorted, different parameters from this JSON.
    pub(crate) fn of_json(mut parameters: Vec<(String, String)>, json: Value) -> Self {
        parameters.sort();
        Self {
            parameters,
            json: Some(json),
        }
    }

    /// The JSON that the parameters came from, if they did.
    pub(crate) const fn json(&self) -> Option<&Value> {
        self.json.as_ref()
    }

    /// The total size of all names and values, in bytes.
    pub fn bytes(&self) -> usize {
        let parameters = self.parameters.iter();
        parameters
            .map(|(name, value)| name.len() + value.len())
            .sum()
    }

    /// The `Action` parameter.
    pub fn action(&self) -> Option<&str> {
        self.value("Action")
    }

    /// The `Version` parameter.
    pub fn version(&self) -> Option<&str> {
        self.value("Version")
    }

    /// The scope of all parameters.
    pub(crate) fn scope(&self) -> FormScope<'_> {
        FormScope {
            form: self,
            marks: None,
            prefix: String::new(),
        }
    }

    /// The same, with a record of which parameters are read, if one is wanted.
    pub(crate) fn marked<'a>(&'a self, marks: Option<&'a ReadMarks>) -> FormScope<'a> {
        FormScope {
            marks,
            ..self.scope()
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.parameters.get(self.position(name)?)?;
        Some(value.as_str())
    }

    fn position(&self, name: &str) -> Option<usize> {
        let order = |(other, _): &(String, String)| other.as_str().cmp(name);
        self.parameters.binary_search_by(order).ok()
    }

    /// Whether there is a parameter whose name starts with `prefix` and a dot.
    fn has_members(&self, prefix: &str) -> bool {
        let first = || prefix.bytes().chain([b'.']);
        let at = (self.parameters).partition_point(|(name, _)| name.bytes().lt(first()));
        let name = self.parameters.get(at).map(|(name, _)| name);
        let rest = name.and_then(|name| name.strip_prefix(prefix));
        rest.is_some_and(|rest| rest.starts_with('.'))
    }

    /// The parameters whose names start with `prefix`.
    fn under(&self, prefix: &str) -> &[(String, String)] {
        let from = self
            .parameters
            .partition_point(|(name, _)| name.as_str() < prefix);
        let rest = self.parameters.get(from..).unwrap_or_default();
        let count = rest.partition_point(|(name, _)| name.starts_with(prefix));
        rest.get(..count).unwrap_or_default()
    }
}

fn decode(text: &[u8]) -> Result<String, MalformedForm> {
    let bad = |_| MalformedForm::new("A parameter is not valid UTF-8");
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return String::from_utf8(text.to_vec()).map_err(bad);
    }
    // The library keeps invalid escapes as they are. A signature over such a body does not prove
    // what was meant.
    let mut escapes = text.split(|byte| *byte == b'%').skip(1);
    let whole = |after: &[u8]| matches!(after, [a, b, ..] if hex(*a) && hex(*b));
    if !escapes.all(whole) {
        return Err(MalformedForm::new("A parameter has a bad percent escape"));
    }
    let spaced: Vec<u8> = text
        .iter()
        .map(|b| if *b == b'+' { b' ' } else { *b })
        .collect();
    let bytes: Vec<u8> = percent_decode(&spaced).collect();
    String::from_utf8(bytes).map_err(bad)
}

const fn hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

/// Which parameters of a form have been read.
#[derive(Debug)]
pub(crate) struct ReadMarks(Vec<Cell<bool>>);

impl ReadMarks {
    pub(crate) fn new(form: &Form) -> Self {
        Self(vec![Cell::new(false); form.parameters.len()])
    }

    /// The first parameter that was not read, apart from those that every request may have.
    pub(crate) fn unread<'a>(&self, form: &'a Form) -> Option<&'a str> {
        let common = |name: &str| {
            let prefix = name.get(..COMMON_PREFIX.len());
            matches!(name, "Action" | "Version")
                || prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(COMMON_PREFIX))
        };
        let mut marked = form.parameters.iter().zip(&self.0);
        let unread = marked.find(|((name, _), read)| !read.get() && !common(name));
        unread.map(|((name, _), _)| name.as_str())
    }
}

/// The parameters of a presigned URL.
const COMMON_PREFIX: &str = "X-Amz-";

/// A position in the form: a member, `Tags.member.1`, ….
#[derive(Debug, Clone)]
pub struct FormScope<'a> {
    form: &'a Form,
    marks: Option<&'a ReadMarks>,
    prefix: String,
}

impl<'a> FormScope<'a> {
    /// The scalar at exactly this position.
    pub(crate) fn scalar(&self) -> Option<&'a str> {
        let position = self.form.position(&self.prefix)?;
        if let Some(mark) = self.marks.and_then(|marks| marks.0.get(position)) {
            mark.set(true);
        }
        let (_, value) = self.form.parameters.get(position)?;
        Some(value.as_str())
    }

    /// Whether there is a value at or below this position.
    pub(crate) fn is_given(&self) -> bool {
        self.scalar().is_some() || self.form.has_members(&self.prefix)
    }

    /// The scope of a member.
    pub(crate) fn member(&self, name: &str) -> Self {
        let prefix = match self.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}.{name}"),
        };
        Self {
            form: self.form,
            marks: self.marks,
            prefix,
        }
    }

    /// The scopes of a list's elements, ordered by index.
    pub(crate) fn elements(&self, wrapper: &str) -> Result<Vec<Self>, MalformedForm> {
        if self.scalar().is_some_and(|text| !text.is_empty()) {
            let place = &self.prefix;
            return Err(MalformedForm::new(format!(
                "{place} is a list, not a value"
            )));
        }
        let prefix = format!("{}.{wrapper}.", self.prefix);
        let mut indexes = Vec::new();
        for (name, _) in self.form.under(&prefix) {
            let rest = name.strip_prefix(&prefix).unwrap_or_default();
            let text = rest.split('.').next().unwrap_or_default();
            indexes.push((index(text)?, text));
        }
        indexes.sort_unstable();
        indexes.dedup();
        let mut before = 0;
        for (number, _) in &indexes {
            let jump = if before == 0 { 1 } else { INDEX_JUMP };
            if number - before > jump || *number == before {
                return Err(MalformedForm::new(format!("Bad list index {number}")));
            }
            before = *number;
        }
        let place = |(_, text): &(u32, &str)| Self {
            form: self.form,
            marks: self.marks,
            prefix: format!("{prefix}{text}"),
        };
        Ok(indexes.iter().map(place).collect())
    }
}

fn index(text: &str) -> Result<u32, MalformedForm> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number
        .filter(|n| *n > 0)
        .ok_or_else(|| MalformedForm::new(format!("Bad list index {text}")))
}
