//! The Rust type of a shape and its one-line description.

use anyhow::bail;

use super::model::{Model, Shape};
use super::names::pascal;

/// Members that are secret although the model does not mark their type as sensitive.
const SECRETS: [&str; 4] = [
    "SecretAccessKey",
    "Password",
    "SessionToken",
    "Base32StringSeed",
];

/// The type of a member, before wrapping in `Option`.
pub(super) fn rust_type(model: &Model, shape: &str, member: &str) -> anyhow::Result<String> {
    let of = |name: &Option<String>| rust_type(model, name.as_deref().unwrap_or_default(), "");
    let found = model.shape(shape)?;
    let plain = match found.kind.as_str() {
        "string" => "String".to_owned(),
        "blob" => "Vec<u8>".to_owned(),
        "integer" => "i32".to_owned(),
        "long" => "i64".to_owned(),
        "boolean" => "bool".to_owned(),
        "timestamp" => "Timestamp".to_owned(),
        "structure" => pascal(shape),
        "list" => format!("Vec<{}>", of(&found.member)?),
        "map" => format!("BTreeMap<{}, {}>", of(&found.key)?, of(&found.value)?),
        other => bail!("shape {shape} has the unknown type {other}"),
    };
    Ok(if is_secret(found, member) {
        format!("Secret<{plain}>")
    } else {
        plain
    })
}

/// Whether the type is a secret, which has no `Default`.
pub(super) fn is_secret(shape: &Shape, member: &str) -> bool {
    let scalar = matches!(shape.kind.as_str(), "string" | "blob");
    scalar && (shape.sensitive || SECRETS.contains(&member))
}

/// Phrases that describe a shape: its type, then each constraint.
pub(super) fn describe(model: &Model, name: &str) -> anyhow::Result<Vec<String>> {
    let shape = model.shape(name)?;
    let mut phrases = vec![match (shape.kind.as_str(), &shape.member) {
        ("list", Some(member)) => match model.shape(member)?.kind.as_str() {
            "structure" => format!("list of [`{}`]", pascal(member)),
            other => format!("list of {other}s"),
        },
        ("structure", _) => format!("[`{}`]", pascal(name)),
        (kind, _) => kind.to_owned(),
    }];
    phrases.extend(range(shape));
    if let Some(pattern) = &shape.pattern {
        phrases.push(format!("pattern `{pattern}`"));
    }
    if !shape.values.is_empty() {
        let module = super::names::snake(name);
        phrases.push(format!(
            "one of [`values::{module}`](super::values::{module})"
        ));
    }
    Ok(phrases)
}

fn range(shape: &Shape) -> Option<String> {
    let unit = match shape.kind.as_str() {
        "string" => " characters",
        "list" | "map" => " elements",
        _ => "",
    };
    match (shape.min, shape.max) {
        (Some(min), Some(max)) if min == max => Some(format!("exactly {min}{unit}")),
        (Some(min), Some(max)) => Some(format!("{min} to {max}{unit}")),
        (Some(min), None) => Some(format!("at least {min}{unit}")),
        (None, Some(max)) => Some(format!("at most {max}{unit}")),
        (None, None) => None,
    }
}
