//! Renders structures: the Rust type, parsing from a form, and serialization into a response.

use std::collections::BTreeMap;

use crate::codegen::model::{Member, Model};
use crate::codegen::names::{field, pascal, report_place, screaming};
use crate::codegen::types::{describe, is_secret, rust_type};

/// How a structure is used.
#[derive(Clone, Copy, Default)]
pub(super) struct Use {
    pub(super) decode: bool,
    pub(super) encode: bool,
}

/// Renders the file of structures nested in inputs and outputs.
pub(super) fn shared(model: &Model) -> anyhow::Result<String> {
    let mut body = String::new();
    for (name, does) in uses(model)? {
        let rust = pascal(&name);
        body += &render(
            model,
            &name,
            &rust,
            &format!("The structure `{rust}`."),
            does,
        )?;
    }
    let import = if body.is_empty() {
        ""
    } else {
        "use crate::prelude::*;\n\n"
    };
    Ok(import.to_owned() + &body)
}

/// The names of those structures.
pub(super) fn names(model: &Model) -> anyhow::Result<Vec<String>> {
    Ok(uses(model)?.into_keys().collect())
}

fn uses(model: &Model) -> anyhow::Result<BTreeMap<String, Use>> {
    let mut uses: BTreeMap<String, Use> = BTreeMap::new();
    for operation in model.operations.values() {
        for (top, decode) in [(&operation.input, true), (&operation.output, false)] {
            let Some(top) = top else { continue };
            for name in model.reachable(top)? {
                if model.shape(&name)?.kind == "structure" {
                    let does = uses.entry(name).or_default();
                    does.decode |= decode;
                    does.encode |= !decode;
                }
            }
        }
    }
    Ok(uses)
}

/// The structures that a structure's fields refer to, as Rust types.
pub(super) fn direct_structures(model: &Model, shape: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for member in model.shape(shape)?.members() {
        let mut next = Some(member.shape.as_str());
        while let Some(name) = next {
            let shape = model.shape(name)?;
            if shape.kind == "structure" {
                found.push(pascal(name));
            }
            next = shape.member.as_deref().or(shape.value.as_deref());
        }
    }
    Ok(found)
}

/// Renders one structure with its impls.
pub(super) fn render(
    model: &Model,
    shape: &str,
    rust: &str,
    doc: &str,
    does: Use,
) -> anyhow::Result<String> {
    let members = model.shape(shape)?.members();
    let mut fields = String::new();
    for member in members {
        let plain = rust_type(model, &member.shape, &member.name)?;
        let full = if member.required {
            plain
        } else {
            format!("Option<{plain}>")
        };
        let name = field(&member.name);
        fields += &format!("{}pub {name}: {full},\n", field_doc(model, member)?);
    }
    let default = if needs_default(model, members)? {
        ""
    } else {
        "Default, "
    };
    let mut out = format!(
        "/// {doc}\n#[derive(Debug, Clone, {default}PartialEq)]\npub struct {rust} {{\n{fields}}}\n\n"
    );
    if default.is_empty() {
        out += &default_impl(model, rust, members)?;
    }
    if does.decode {
        out += &read_impl(rust, members);
    }
    if does.encode {
        out += &encode_impl(rust, members);
    }
    Ok(out)
}

fn field_doc(model: &Model, member: &Member) -> anyhow::Result<String> {
    let mut line = format!("/// `{}`:", member.name);
    let mut out = String::new();
    let phrases = describe(model, &member.shape)?;
    let last = phrases.len().saturating_sub(1);
    for (i, phrase) in phrases.iter().enumerate() {
        let end = if i == last { "." } else { "," };
        if line.len() + phrase.len() > 92 && i > 0 {
            out += &line;
            out.push('\n');
            line = "///".to_owned();
        }
        line += &format!(" {phrase}{end}");
    }
    Ok(out + &line + "\n")
}

/// Whether to derive `Default`. A required secret has no default, so the derive would not compile.
fn needs_default(model: &Model, members: &[Member]) -> anyhow::Result<bool> {
    for member in members {
        if member.required && is_secret(model.shape(&member.shape)?, &member.name) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn default_impl(model: &Model, rust: &str, members: &[Member]) -> anyhow::Result<String> {
    let mut fields = String::new();
    for member in members {
        let secret = member.required && is_secret(model.shape(&member.shape)?, &member.name);
        let value = if secret {
            "Secret::new(Default::default())"
        } else {
            "Default::default()"
        };
        fields += &format!("{}: {value},\n", field(&member.name));
    }
    Ok(format!(
        "impl Default for {rust} {{\nfn default() -> Self {{\nSelf {{\n{fields}}}\n}}\n}}\n\n"
    ))
}

fn read_impl(rust: &str, members: &[Member]) -> String {
    let line = |m: &Member| {
        let take = if m.required { "required" } else { "optional" };
        format!("{}: scope.{take}({:?})?,\n", field(&m.name), m.name)
    };
    let fields: String = members.iter().map(line).collect();
    let scope = if members.is_empty() {
        "_scope"
    } else {
        "scope"
    };
    format!(
        "impl Read for {rust} {{\nfn read({scope}: FormScope<'_>) -> Result<Self, MalformedForm> {{\n\
         Ok(Self {{\n{fields}}})\n}}\n}}\n\n"
    )
}

fn encode_impl(rust: &str, members: &[Member]) -> String {
    let line = |m: &Member| format!("self.{}.write(out, {:?});\n", field(&m.name), m.name);
    let fields: String = members.iter().map(line).collect();
    let out = if members.is_empty() { "_out" } else { "out" };
    format!(
        "impl Encode for {rust} {{\nfn encode(&self, {out}: &mut AnswerText) {{\n{fields}}}\n}}\n\n"
    )
}

/// The constraints of a structure's members, in the order in which violations are reported.
pub(super) fn member_constraints(model: &Model, shape: &str) -> anyhow::Result<String> {
    let mut members: Vec<&Member> = model.shape(shape)?.members().iter().collect();
    let count = members.len();
    members.sort_by_key(|m| report_place(&m.name, count));
    let line = |m: &&Member| {
        let rule = if m.required { "required" } else { "optional" };
        format!("{rule}({:?}, &c::{}),\n", m.name, screaming(&m.shape))
    };
    Ok(members.iter().map(line).collect())
}
