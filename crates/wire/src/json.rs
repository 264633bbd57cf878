//! The request of AWS JSON 1.1: the operation from the header `X-Amz-Target`, the members from a
//! JSON object. Both become a [`Form`], so decoding and validation are written once.
//!
//! JSON has types, and a value of another type than its member's is refused. A value of `null`
//! counts as absent.

use keywright_base::limits;
use serde_json::Value;

use crate::{
    constraint::{Member, Shape},
    form::{Form, MalformedForm},
};

/// Maximum depth of a request's JSON. The models' deepest input has three levels.
const DEPTH_MAX: usize = 16;

impl Form {
    /// Parses a request of AWS JSON 1.1, whose length has already been limited. `target` is
    /// `PREFIX.Operation`; the prefix names the version, for example `AWSOrganizationsV20161128`.
    ///
    /// # Errors
    /// [`MalformedForm`] for a body that is no JSON object, is too deep, or has too many members.
    pub fn parse_json(target: Option<&str>, body: &[u8]) -> Result<Self, MalformedForm> {
        let mut parameters = Vec::new();
        if let Some((prefix, action)) = target.and_then(|target| target.split_once('.')) {
            parameters.push(("Action".to_owned(), action.to_owned()));
            parameters.push(("Version".to_owned(), version(prefix)));
        }
        let value = match body.trim_ascii() {
            b"" => Value::Object(serde_json::Map::new()),
            body => serde_json::from_slice(body)
                .map_err(|_| MalformedForm::new("The request body is not valid JSON"))?,
        };
        let Value::Object(members) = &value else {
            return Err(MalformedForm::new("The request body is not a JSON object"));
        };
        for (name, value) in members {
            // No member has a dot in its name; one in a request must not pass for a nested one.
            if !name.contains('.') && !matches!(name.as_str(), "Action" | "Version") {
                flatten(name.clone(), value, DEPTH_MAX, &mut parameters)?;
            }
        }
        Ok(Self::of_json(parameters, value))
    }
}

/// `AWSOrganizationsV20161128` is version 2016-11-28.
fn version(prefix: &str) -> String {
    let digits = prefix.rsplit('V').next().unwrap_or_default();
    match (digits.get(..4), digits.get(4..6), digits.get(6..)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => String::new(),
    }
}

/// Adds the parameters that a value consists of, named as in awsQuery.
fn flatten(
    name: String,
    value: &Value,
    depth: usize,
    parameters: &mut Vec<(String, String)>,
) -> Result<(), MalformedForm> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(MalformedForm::new("The request body is nested too deeply"));
    };
    if parameters.len() >= limits::QUERY_PARAMETERS {
        let most = limits::QUERY_PARAMETERS;
        return Err(MalformedForm::new(format!("More than {most} parameters")));
    }
    match value {
        Value::Null => {}
        Value::Bool(value) => parameters.push((name, value.to_string())),
        Value::Number(value) => parameters.push((name, value.to_string())),
        Value::String(value) => parameters.push((name, value.clone())),
        // An empty list is there, but has no elements.
        Value::Array(elements) if elements.is_empty() => parameters.push((name, String::new())),
        Value::Array(elements) => {
            for (number, element) in (1..).zip(elements) {
                let name = format!("{name}.member.{number}");
                flatten(name, element, depth, parameters)?;
            }
        }
        Value::Object(members) => {
            for (member, value) in members {
                if !member.contains('.') {
                    flatten(format!("{name}.{member}"), value, depth, parameters)?;
                }
            }
        }
    }
    Ok(())
}

/// Checks that every value has the type of its member.
///
/// # Errors
/// [`MalformedForm`] that names the first member with another type.
pub(crate) fn check_types(members: &[Member], value: &Value) -> Result<(), MalformedForm> {
    for member in members {
        let name = member.name();
        let Some(value) = value.get(name).filter(|value| !value.is_null()) else {
            continue;
        };
        check_type(name, member.shape(), value)?;
    }
    Ok(())
}

fn check_type(name: &str, shape: &Shape, value: &Value) -> Result<(), MalformedForm> {
    let fits = match (shape, value) {
        (Shape::Text { .. }, Value::String(_)) | (Shape::Boolean, Value::Bool(_)) => true,
        (Shape::Number { .. }, Value::Number(number)) => number.is_i64(),
        (Shape::Timestamp, Value::Number(_)) => true,
        (Shape::List { element, .. }, Value::Array(elements)) => {
            return elements
                .iter()
                .try_for_each(|it| check_type(name, element, it));
        }
        (Shape::Map { value: shape, .. }, Value::Object(entries)) => {
            return entries
                .values()
                .try_for_each(|it| check_type(name, shape, it));
        }
        (Shape::Structure(members), Value::Object(_)) => return check_types(members, value),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(MalformedForm::new(format!(
        "The value of {name} has the wrong type"
    )))
}

#[cfg(test)]
mod tests;
