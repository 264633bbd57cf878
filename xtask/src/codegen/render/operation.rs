//! Renders the file of one operation.

use anyhow::Context as _;

use super::structure::{self, Use};
use crate::codegen::model::{Model, Operation};
use crate::codegen::names::{pascal, screaming};

pub(super) fn render(model: &Model, name: &str) -> anyhow::Result<String> {
    let operation = model.operations.get(name).context("not in the model")?;
    let mut body = String::new();
    let mut direct: Vec<&str> = Vec::new();
    if let Some(shape) = &operation.input {
        let input = format!("{name}Input");
        let does = Use {
            decode: true,
            encode: false,
        };
        body += &structure::render(model, shape, &input, &format!("`{name}` input."), does)?;
        body += &format!(
            "impl Decode for {input} {{ const CONSTRAINTS: &'static Constraints = &INPUT; }}\n\n\
             static INPUT: Constraints = Constraints {{ service: Service::{}, members: &[{}] }};\n\n",
            pascal(&model.service),
            structure::member_constraints(model, shape)?,
        );
        direct.push(shape);
    }
    if let Some(shape) = &operation.output {
        let does = Use {
            decode: false,
            encode: true,
        };
        let output = format!("{name}Output");
        body += &structure::render(model, shape, &output, &format!("`{name}` output."), does)?;
        direct.push(shape);
    }
    Ok(imports(model, &direct, &body)?
        + &tie(name, operation)
        + &body
        + &table(model, name, operation)?)
}

fn imports(model: &Model, direct: &[&str], body: &str) -> anyhow::Result<String> {
    let mut shapes: Vec<String> = Vec::new();
    for shape in direct {
        shapes.extend(structure::direct_structures(model, shape)?);
    }
    shapes.sort();
    shapes.dedup();
    let mut out = String::from("use crate::prelude::*;\n");
    if body.contains("c::") {
        out += "use super::constraints as c;\n";
    }
    if !shapes.is_empty() {
        out += &format!("use super::shapes::{{{}}};\n", shapes.join(", "));
    }
    out.push('\n');
    Ok(out)
}

fn tie(name: &str, operation: &Operation) -> String {
    let kind = |shape: &Option<String>, suffix: &str| match shape {
        Some(_) => format!("{name}{suffix}"),
        None => "()".to_owned(),
    };
    format!(
        "/// The operation `{name}`.\n#[derive(Debug, Clone, Copy)]\npub struct {name};\n\n\
         impl OperationShape for {name} {{\n\
         type Input = {};\ntype Output = {};\n\
         const OPERATION: &'static Operation = &OPERATION;\n}}\n\n",
        kind(&operation.input, "Input"),
        kind(&operation.output, "Output"),
    )
}

fn table(model: &Model, name: &str, operation: &Operation) -> anyhow::Result<String> {
    let mut errors = String::new();
    for error in &operation.errors {
        model.shape(error)?;
        errors += &format!("super::errors::{}, ", screaming(error));
    }
    let pages = operation
        .pagination
        .as_ref()
        .map_or("None".to_owned(), |p| {
            format!(
                "Some(Pagination {{ input_token: {:?}, limit_key: {:?}, more_results: {:?}, \
             output_token: {:?}, result_keys: &{:?} }})",
                p.input_token, p.limit_key, p.more_results, p.output_token, p.result_keys
            )
        });
    Ok(format!(
        "pub(super) static OPERATION: Operation = Operation {{\n\
         service: Service::{},\nname: {name:?},\npolicy_action: \"{}:{name}\",\n\
         has_output: {},\nunsigned: {},\n\
         errors: &[{errors}],\npaginated: {pages},\n}};\n",
        pascal(&model.service),
        model.service,
        operation.output.is_some(),
        operation.unsigned,
    ))
}
