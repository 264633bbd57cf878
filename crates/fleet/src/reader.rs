//! Reads a TOML table field by field and collects problems instead of stopping at the first.
//!
//! A field with the wrong type counts as missing afterwards: its problem is in the list, and it
//! must not cause others.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    config::ConfigDuration,
    problem::{ProblemList, closest},
};
use crate::notify::DigestPeriod;

/// A value and its position.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// A type that a field can have.
pub(super) trait FromToml: Sized {
    /// # Errors
    /// What the value must be, as in "must be a string".
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String>;
}

impl FromToml for String {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        let text = value.as_str().ok_or("must be a string")?;
        Ok(text.to_owned())
    }
}

impl FromToml for bool {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        Ok(value.as_bool().ok_or("must be true or false")?)
    }
}

impl FromToml for usize {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        let whole = value.as_integer().and_then(|number| {
            let text = number.as_str().replace('_', "");
            Self::from_str_radix(&text, number.radix()).ok()
        });
        Ok(whole.ok_or("must be a whole number")?)
    }
}

impl FromToml for ConfigDuration {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        let text = value.as_str().ok_or("must be a string such as \"24h\"")?;
        text.parse().map_err(|why| format!("is \"{text}\"; {why}"))
    }
}

impl FromToml for DigestPeriod {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        match value.as_str() {
            Some("round") => Ok(Self::Round),
            Some("day") => Ok(Self::Day),
            _ => Err("must be \"round\" or \"day\"".to_owned()),
        }
    }
}

/// A reader for one table. Call [`TableReader::finish`] at the end.
pub(super) struct TableReader<'a, 'i> {
    /// The table's name in messages, for example `[[account]]`.
    name: &'static str,
    table: &'a DeTable<'i>,
    pub(super) span: Range<usize>,
    problems: &'a ProblemList<'i>,
    known: Vec<&'static str>,
}

impl<'a, 'i> TableReader<'a, 'i> {
    pub(super) fn new(
        name: &'static str,
        table: &'a DeTable<'i>,
        span: Range<usize>,
        problems: &'a ProblemList<'i>,
    ) -> Self {
        Self {
            name,
            table,
            span,
            problems,
            known: Vec::new(),
        }
    }

    /// The raw value of a field.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.known.push(key);
        self.table.get(key)
    }

    /// Whether the field exists.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether the field is an empty list.
    pub(super) fn has_empty_list(&self, key: &str) -> bool {
        let list = self
            .table
            .get(key)
            .and_then(|found| found.get_ref().as_array());
        list.is_some_and(|list| list.is_empty())
    }

    /// The position of a field's name, or of the table if the field is missing.
    pub(super) fn key_span(&self, key: &str) -> Range<usize> {
        let found = self.table.get_key_value(key);
        found.map_or_else(|| self.span.clone(), |(name, _)| name.span())
    }

    /// The typed value of a field with its position.
    pub(super) fn get<T: FromToml>(&mut self, key: &'static str) -> Option<Located<T>> {
        let found = self.value(key)?;
        match T::from_toml(found.get_ref()) {
            Ok(value) => Some(Located {
                value,
                span: found.span(),
            }),
            Err(why) => {
                self.problems
                    .add(&found.span(), format!("{key} {why}"), None);
                None
            }
        }
    }

    /// The typed value of a field.
    pub(super) fn plain<T: FromToml>(&mut self, key: &'static str) -> Option<T> {
        self.get(key).map(|placed| placed.value)
    }

    /// A list of strings; empty if missing.
    pub(super) fn strings(&mut self, key: &'static str) -> Vec<Located<String>> {
        let Some(found) = self.value(key) else {
            return Vec::new();
        };
        let Some(list) = found.get_ref().as_array() else {
            let hint = format!("write {key} = [\"…\"]");
            self.problems.add(
                &found.span(),
                format!("{key} must be a list of strings"),
                Some(&hint),
            );
            return Vec::new();
        };
        let each = list.iter().filter_map(|item| {
            let text = item.get_ref().as_str();
            if text.is_none() {
                let message = format!("{key} must be a list of strings");
                self.problems.add(&item.span(), message, None);
            }
            Some(Located {
                value: text?.to_owned(),
                span: item.span(),
            })
        });
        each.collect()
    }

    /// A nested table.
    pub(super) fn table(
        &mut self,
        key: &'static str,
        example: &str,
    ) -> Option<TableReader<'a, 'i>> {
        let found = self.value(key)?;
        let Some(table) = found.get_ref().as_table() else {
            let message = format!("{key} must be a table");
            let hint = format!("write {example}");
            self.problems.add(&found.span(), message, Some(&hint));
            return None;
        };
        Some(TableReader::new(key, table, found.span(), self.problems))
    }

    /// A list of tables; empty if missing.
    pub(super) fn tables(
        &mut self,
        key: &'static str,
        name: &'static str,
    ) -> Vec<TableReader<'a, 'i>> {
        let Some(found) = self.value(key) else {
            return Vec::new();
        };
        let wrong = |span: &Range<usize>| {
            let hint = format!("write {name} above each");
            self.problems
                .add(span, format!("{key} must be a list of tables"), Some(&hint));
        };
        let Some(list) = found.get_ref().as_array() else {
            wrong(&found.span());
            return Vec::new();
        };
        let each = list.iter().filter_map(|item| {
            let table = item.get_ref().as_table();
            if table.is_none() {
                wrong(&item.span());
            }
            Some(TableReader::new(name, table?, item.span(), self.problems))
        });
        each.collect()
    }

    /// All fields, for a table whose keys are the author's own names.
    pub(super) fn members(&self) -> Vec<(Located<String>, Option<String>)> {
        let each = self.table.iter().map(|(key, value)| {
            let key = Located {
                value: key.get_ref().to_string(),
                span: key.span(),
            };
            (key, value.get_ref().as_str().map(str::to_owned))
        });
        each.collect()
    }

    /// Reports every field that was not read as unknown.
    pub(super) fn finish(self) {
        for key in self.table.keys() {
            let word = key.get_ref();
            if self.known.iter().any(|known| *known == &**word) {
                continue;
            }
            let hint = closest(word, &self.known).map_or_else(
                || format!("the keys of {} are {}", self.name, self.known.join(", ")),
                |like| format!("did you mean {like}?"),
            );
            let message = format!("{} has no key {word}", self.name);
            self.problems.add(&key.span(), message, Some(&hint));
        }
    }
}
