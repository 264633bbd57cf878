//! Renders the tables of a service: constraints of input shapes, error shapes, enum values.

use std::collections::BTreeSet;

use super::structure::member_constraints;
use crate::codegen::model::{Model, Shape};
use crate::codegen::names::{pascal, screaming, snake};

/// One static per shape that an input can contain.
pub(super) fn constraints(model: &Model) -> anyhow::Result<String> {
    let mut names = BTreeSet::new();
    for operation in model.operations.values() {
        if let Some(input) = &operation.input {
            names.extend(model.reachable(input)?);
        }
    }
    let mut out = String::from("use crate::constraint::*;\n\n");
    for name in names {
        let shape = model.shape(&name)?;
        let value = constraint(model, &name, shape)?;
        out += &format!("pub(super) static {}: Shape = {value};\n", screaming(&name));
    }
    Ok(out.replace("&c::", "&"))
}

fn constraint(model: &Model, name: &str, shape: &Shape) -> anyhow::Result<String> {
    let (min, max) = (shape.min, shape.max);
    let refer = |name: &Option<String>| screaming(name.as_deref().unwrap_or_default());
    Ok(match shape.kind.as_str() {
        "integer" => format!("integer({min:?}, {max:?})"),
        "long" => format!("long({min:?}, {max:?})"),
        "boolean" => "Shape::Boolean".to_owned(),
        "timestamp" => "Shape::Timestamp".to_owned(),
        "blob" => "Shape::Blob".to_owned(),
        "list" => format!("list({min:?}, {max:?}, &{})", refer(&shape.member)),
        "map" => format!(
            "map({max:?}, &{}, &{})",
            refer(&shape.key),
            refer(&shape.value)
        ),
        "structure" => format!("Shape::Structure(&[{}])", member_constraints(model, name)?),
        _ => text(shape),
    })
}

fn text(shape: &Shape) -> String {
    let pattern = shape
        .pattern
        .as_ref()
        .map_or("None".to_owned(), |p| format!("Some(r\"{p}\")"));
    format!(
        "text({:?}, {:?}, {pattern}, &{:?}, {})",
        shape.min, shape.max, shape.values, shape.sensitive
    )
}

/// Error shapes with code and status.
pub(super) fn errors(model: &Model) -> String {
    let mut out = String::from("use crate::operation::ErrorShape;\n\n");
    let mut table = String::new();
    for (name, shape) in &model.shapes {
        let Some(error) = &shape.error else { continue };
        let constant = screaming(name);
        out += &format!(
            "/// `{}`, HTTP {}.\npub const {constant}: ErrorShape = \
             ErrorShape {{ code: {:?}, status: {} }};\n",
            error.code, error.status, error.code, error.status
        );
        table += &format!("{constant},\n");
    }
    out + &format!("\n/// Every error shape.\npub static ERRORS: &[ErrorShape] = &[\n{table}];\n")
}

/// A module of constants for each enum.
pub(super) fn values(model: &Model) -> String {
    let mut out = String::new();
    for (name, shape) in &model.shapes {
        if shape.values.is_empty() {
            continue;
        }
        out += &format!(
            "/// Values of `{}`.\npub mod {} {{\n",
            pascal(name),
            snake(name)
        );
        for value in &shape.values {
            let constant = screaming(value);
            out += &format!("/// `{value}`.\npub const {constant}: &str = {value:?};\n");
        }
        out += "}\n\n";
    }
    out
}
