//! Decodes a form into a typed input, then checks it against the model's constraints.
//!
//! A missing required member is read as an empty value, which the constraints then report. So one
//! response names every violation, as AWS's does.

use std::collections::BTreeMap;

use keywright_base::{Secret, Timestamp};

use crate::{
    constraint::{Constraints, InvalidMember},
    form::{Form, FormScope, MalformedForm, ReadMarks},
    json::check_types,
    operation::Protocol,
};

/// Why a form cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeFault {
    /// `MalformedInput`.
    Malformed(MalformedForm),
    /// `ValidationError`, with its complete text.
    Validation(String),
    /// `InvalidInputException` of a service that speaks JSON.
    InvalidInput(InvalidMember),
}

/// An input that can be read from a form.
pub trait Decode: Read + Sized {
    /// The model's constraints on the input.
    const CONSTRAINTS: &'static Constraints;

    /// Reads and validates the input.
    ///
    /// IAM ignores parameters that it does not know, as on AWS. Elsewhere they are rejected,
    /// because a misspelled session policy would leave the session unrestricted.
    ///
    /// # Errors
    /// [`DecodeFault`].
    fn decode(form: &Form) -> Result<Self, DecodeFault> {
        if let Some(json) = form.json() {
            check_types(Self::CONSTRAINTS.members, json).map_err(DecodeFault::Malformed)?;
        }
        let lenient = Self::CONSTRAINTS.service == crate::Service::Iam;
        let marks = (!lenient).then(|| ReadMarks::new(form));
        let input = Self::read(form.marked(marks.as_ref())).map_err(DecodeFault::Malformed)?;
        match Self::CONSTRAINTS.violations(&form.scope()) {
            Ok(None) => {}
            Ok(Some(violations)) => return Err(violations),
            Err(malformed) => return Err(DecodeFault::Malformed(malformed)),
        }
        match marks.and_then(|marks| marks.unread(form)) {
            None => Ok(input),
            Some(_) if Self::CONSTRAINTS.service.protocol() == Protocol::Json => {
                Err(DecodeFault::InvalidInput(InvalidMember::Unknown))
            }
            Some(name) => Err(DecodeFault::Validation(format!(
                "1 validation error detected: The parameter {name} is not recognized"
            ))),
        }
    }
}

/// A value that can be read from a position in a form.
pub trait Read: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// [`MalformedForm`] for an invalid scalar or list index.
    fn read(scope: FormScope<'_>) -> Result<Self, MalformedForm>;
}

impl FormScope<'_> {
    /// Reads a required member. If it is missing, its empty value stands in until the constraints
    /// report it.
    pub(crate) fn required<T: Read>(&self, name: &str) -> Result<T, MalformedForm> {
        T::read(self.member(name))
    }

    /// Reads an optional member.
    pub(crate) fn optional<T: Read>(&self, name: &str) -> Result<Option<T>, MalformedForm> {
        let member = self.member(name);
        if member.is_given() {
            T::read(member).map(Some)
        } else {
            Ok(None)
        }
    }
}

impl Decode for () {
    const CONSTRAINTS: &'static Constraints = &Constraints {
        service: crate::Service::Iam,
        members: &[],
    };
}

impl Read for () {
    fn read(_: FormScope<'_>) -> Result<Self, MalformedForm> {
        Ok(())
    }
}

impl Read for String {
    fn read(scope: FormScope<'_>) -> Result<Self, MalformedForm> {
        Ok(scope.scalar().unwrap_or_default().to_owned())
    }
}

impl Read for Secret<String> {
    fn read(scope: FormScope<'_>) -> Result<Self, MalformedForm> {
        String::read(scope).map(Self::new)
    }
}

impl Read for i32 {
    fn read(scope: FormScope<'_>) -> Result<Self, MalformedForm> {
        let text = scope.scalar().unwrap_or("0");
        text.parse()
            .map_err(|_| MalformedForm::new("A parameter is not an integer"))
    }
}

impl Read for bool {
    fn read(scope: FormScope<'_>) -> Result<Self, MalformedForm> {
        match scope.scalar().unwrap_or("false") {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(MalformedForm::new("A parameter is not a boolean")),
        }
    }
}

impl Read for Timestamp {
    fn read(scope: FormScope<'_>) -> Result<Self, MalformedForm> {
        let Some(text) = scope.scalar() else {
            return Ok(Self::default());
        };
        Self::parse_iso8601(text).map_err(|_| MalformedForm::new("A parameter is not a timestamp"))
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(scope: FormScope<'_>) -> Result<Self, MalformedForm> {
        scope.elements("member")?.into_iter().map(T::read).collect()
    }
}

impl<T: Read> Read for BTreeMap<String, T> {
    fn read(scope: FormScope<'_>) -> Result<Self, MalformedForm> {
        let entry = |entry: FormScope<'_>| {
            let key = String::read(entry.member("key"))?;
            Ok((key, T::read(entry.member("value"))?))
        };
        scope.elements("entry")?.into_iter().map(entry).collect()
    }
}
