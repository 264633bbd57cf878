//! The models' constraints as tables, and AWS's texts for violations.
//!
//! All violations of a request are collected. STS echoes the offending values. IAM does not, except
//! in a simulation's exclusions.

use crate::{
    form::{FormScope, MalformedForm},
    operation::{Protocol, Service},
    pattern,
    read::DecodeFault,
};

/// The constraints on an input.
#[derive(Debug)]
pub struct Constraints {
    pub(crate) service: Service,
    pub(crate) members: &'static [Member],
}

/// A member of a structure.
#[derive(Debug)]
pub(crate) struct Member {
    name: &'static str,
    required: bool,
    shape: &'static Shape,
}

/// The constraint on a value.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A string.
    Text {
        min: Option<i64>,
        max: Option<i64>,
        pattern: Option<&'static str>,
        values: &'static [&'static str],
        sensitive: bool,
    },
    /// A number.
    Number { min: Option<i64>, max: Option<i64> },
    /// `true` or `false`.
    Boolean,
    /// A time.
    Timestamp,
    /// A list.
    List {
        min: Option<i64>,
        max: Option<i64>,
        element: &'static Self,
    },
    /// A map with string keys.
    Map {
        max: Option<i64>,
        key: &'static Self,
        value: &'static Self,
    },
    /// A structure.
    Structure(&'static [Member]),
}

impl Member {
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn shape(&self) -> &'static Shape {
        self.shape
    }
}

/// What is wrong with a member, as services that speak JSON say it: by a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidMember {
    /// A required member is missing.
    Missing,
    /// The value is not one of the known ones.
    Enumeration,
    /// The value does not match the pattern.
    Pattern,
    /// A text or list is too short.
    Short,
    /// A text or list is too long.
    Long,
    /// A number is too small.
    Small,
    /// A number is too large.
    Large,
    /// There is no such member.
    Unknown,
}

impl InvalidMember {
    /// The `Reason` of `InvalidInputException`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "INPUT_REQUIRED",
            Self::Enumeration => "INVALID_ENUM",
            Self::Pattern => "INVALID_PATTERN",
            Self::Short => "MIN_LENGTH_EXCEEDED",
            Self::Long => "MAX_LENGTH_EXCEEDED",
            Self::Small => "MIN_VALUE_EXCEEDED",
            Self::Large => "MAX_VALUE_EXCEEDED",
            Self::Unknown => "INVALID_LIST_MEMBER",
        }
    }

    /// The text, after the reference of `InvalidInputException`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Missing => "You must include a value for all required parameters.",
            Self::Enumeration => "You specified an invalid value.",
            Self::Pattern => "You provided a value that does not match the required pattern.",
            Self::Short => "You provided a string parameter that is shorter than allowed.",
            Self::Long => "You provided a string parameter that is longer than allowed.",
            Self::Small => {
                "You provided a numeric parameter that has a smaller value than allowed."
            }
            Self::Large => "You provided a numeric parameter that has a larger value than allowed.",
            Self::Unknown => "You provided a parameter that is not recognized.",
        }
    }
}

/// A violation: its kind, and the end of its text.
type Violation = (InvalidMember, String);

pub(crate) const fn optional(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        required: false,
        shape,
    }
}

pub(crate) const fn required(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        required: true,
        shape,
    }
}

pub(crate) const fn text(
    min: Option<i64>,
    max: Option<i64>,
    pattern: Option<&'static str>,
    values: &'static [&'static str],
    sensitive: bool,
) -> Shape {
    Shape::Text {
        min,
        max,
        pattern,
        values,
        sensitive,
    }
}

pub(crate) const fn integer(min: Option<i64>, max: Option<i64>) -> Shape {
    Shape::Number { min, max }
}

pub(crate) const fn list(min: Option<i64>, max: Option<i64>, element: &'static Shape) -> Shape {
    Shape::List { min, max, element }
}

pub(crate) const fn map(max: Option<i64>, key: &'static Shape, value: &'static Shape) -> Shape {
    Shape::Map { max, key, value }
}

impl Constraints {
    /// AWS's fault for all violations, if any.
    pub(crate) fn violations(
        &self,
        scope: &FormScope<'_>,
    ) -> Result<Option<DecodeFault>, MalformedForm> {
        let mut found = FoundViolations {
            service: self.service,
            texts: Vec::new(),
            first: None,
            bad_path: None,
        };
        found.members(scope, self.members, "")?;
        if self.service.protocol() == Protocol::Json {
            return Ok(found.first.map(DecodeFault::InvalidInput));
        }
        if let (true, Some(name)) = (found.texts.is_empty(), found.bad_path) {
            return Ok(Some(DecodeFault::Validation(format!(
                "The specified value for {name} is invalid. It must begin and end with / and \
                 contain only alphanumeric characters and/or / characters."
            ))));
        }
        let count = found.texts.len();
        let plural = if count == 1 { "error" } else { "errors" };
        let text = format!(
            "{count} validation {plural} detected: {}",
            found.texts.join("; ")
        );
        Ok((count > 0).then_some(DecodeFault::Validation(text)))
    }
}

/// Maximum number of violations in one response.
const VIOLATIONS_MAX: usize = 100;

struct FoundViolations {
    service: Service,
    texts: Vec<String>,
    first: Option<InvalidMember>,
    /// The first invalid path. AWS checks paths after everything else.
    bad_path: Option<String>,
}

impl FoundViolations {
    fn members(
        &mut self,
        scope: &FormScope<'_>,
        members: &[Member],
        path: &str,
    ) -> Result<(), MalformedForm> {
        for member in members {
            let place = scope.member(member.name);
            let path = format!("{path}{}", lower_first(member.name));
            if place.is_given() {
                self.value(&place, member.shape, &path)?;
            } else if member.required {
                let null = if self.service == Service::Sts {
                    "Value null"
                } else {
                    "Value"
                };
                self.first.get_or_insert(InvalidMember::Missing);
                let text = "failed to satisfy constraint: Member must not be null";
                if self.texts.len() < VIOLATIONS_MAX {
                    self.texts.push(format!("{null} at '{path}' {text}"));
                }
            }
        }
        Ok(())
    }

    fn value(
        &mut self,
        place: &FormScope<'_>,
        shape: &Shape,
        path: &str,
    ) -> Result<(), MalformedForm> {
        let scalar = place.scalar().unwrap_or_default();
        match shape {
            Shape::Boolean | Shape::Timestamp => {}
            Shape::Text {
                sensitive, pattern, ..
            } => {
                for why in text_violations(shape, scalar) {
                    self.push(path, (!sensitive).then_some(scalar), &why);
                }
                let is_path = pattern.filter(|pattern| pattern::is_path(pattern));
                if is_path.is_some_and(|pattern| !pattern::matches(pattern, scalar)) {
                    self.bad_path.get_or_insert_with(|| path.to_owned());
                }
            }
            Shape::Number { min, max } => {
                let number = scalar.parse().unwrap_or_default();
                if let Some(why) = bounds(number, "value", *min, *max) {
                    self.push(path, Some(scalar), &why);
                }
            }
            Shape::Structure(members) => self.members(place, members, &format!("{path}."))?,
            Shape::Map { max, key, value } => {
                let entries = place.elements("entry")?;
                let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
                if let Some(why) = bounds(count, "length", None, *max) {
                    self.push(path, None, &why);
                }
                for entry in &entries {
                    self.value(&entry.member("key"), key, path)?;
                    self.value(&entry.member("value"), value, path)?;
                }
            }
            Shape::List { min, max, element } => {
                let elements = place.elements("member")?;
                let count = i64::try_from(elements.len()).unwrap_or(i64::MAX);
                match bounds(count, "length", *min, *max) {
                    Some(why) => self.push(path, None, &why),
                    None => self.elements(&elements, element, path)?,
                }
            }
        }
        Ok(())
    }

    fn elements(
        &mut self,
        elements: &[FormScope<'_>],
        shape: &Shape,
        path: &str,
    ) -> Result<(), MalformedForm> {
        for (number, element) in (1..).zip(elements) {
            if let Shape::Text { sensitive, .. } = shape {
                let scalar = element.scalar().unwrap_or_default();
                let mut violations = text_violations(shape, scalar).into_iter().peekable();
                if violations.peek().is_some() {
                    let first = violations.next();
                    let all = all_constraints(shape).join(", ");
                    let why = format!("Member must satisfy constraint: [{all}]");
                    let kind = first.map_or(InvalidMember::Pattern, |(kind, _)| kind);
                    let all = elements.iter().filter_map(FormScope::scalar);
                    let all = format!("[{}]", all.collect::<Vec<_>>().join(", "));
                    self.push(path, (!sensitive).then_some(&all), &(kind, why));
                    return Ok(());
                }
            } else {
                self.value(element, shape, &format!("{path}.{number}.member"))?;
            }
        }
        Ok(())
    }

    fn push(&mut self, path: &str, value: Option<&str>, (kind, why): &Violation) {
        self.first.get_or_insert(*kind);
        if self.texts.len() >= VIOLATIONS_MAX {
            return;
        }
        let echoed = match self.service {
            Service::Sts => true,
            Service::Iam => path.starts_with("policyExclusionList."),
            Service::Organizations | Service::Keywright => false,
        };
        let echo = match value {
            Some(value) if echoed => format!("Value '{value}'"),
            _ => "Value".to_owned(),
        };
        self.texts.push(format!(
            "{echo} at '{path}' failed to satisfy constraint: {why}"
        ));
    }
}

fn text_violations(shape: &Shape, value: &str) -> Vec<Violation> {
    let Shape::Text {
        min,
        max,
        pattern,
        values,
        ..
    } = shape
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if !values.is_empty() && !values.contains(&value) {
        found.push((InvalidMember::Enumeration, enumeration(values)));
    }
    let length = i64::try_from(value.chars().count()).unwrap_or(i64::MAX);
    found.extend(bounds(length, "length", *min, *max));
    if let Some(pattern) = pattern
        && !pattern::is_path(pattern)
        && !pattern::matches(pattern, value)
    {
        let why = format!("Member must satisfy regular expression pattern: {pattern}");
        found.push((InvalidMember::Pattern, why));
    }
    found
}

fn all_constraints(shape: &Shape) -> Vec<String> {
    let Shape::Text {
        min,
        max,
        pattern,
        values,
        ..
    } = shape
    else {
        return Vec::new();
    };
    let mut all = Vec::new();
    all.extend(max.map(|max| format!("Member must have length less than or equal to {max}")));
    all.extend(min.map(|min| format!("Member must have length greater than or equal to {min}")));
    if !values.is_empty() {
        all.push(enumeration(values));
    }
    all.extend(pattern.map(|p| format!("Member must satisfy regular expression pattern: {p}")));
    // As recorded: only where there is a pattern.
    all.extend(pattern.map(|_| "Member must not be null".to_owned()));
    all
}

/// Lists the values in the model's order; AWS's own order varies from text to text.
fn enumeration(values: &[&str]) -> String {
    format!(
        "Member must satisfy enum value set: [{}]",
        values.join(", ")
    )
}

fn bounds(number: i64, what: &str, min: Option<i64>, max: Option<i64>) -> Option<Violation> {
    let is_length = what == "length";
    match (min, max) {
        (Some(min), _) if number < min => {
            let kind = if is_length {
                InvalidMember::Short
            } else {
                InvalidMember::Small
            };
            let why = format!("Member must have {what} greater than or equal to {min}");
            Some((kind, why))
        }
        (_, Some(max)) if number > max => {
            let kind = if is_length {
                InvalidMember::Long
            } else {
                InvalidMember::Large
            };
            let why = format!("Member must have {what} less than or equal to {max}");
            Some((kind, why))
        }
        _ => None,
    }
}

/// AWS's texts call `UserName` `userName`.
fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}
