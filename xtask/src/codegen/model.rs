//! The reduced operation model: names, types, constraints, errors, pagination. No documentation.
//!
//! Members are a list because their order is the order of elements in a response. Everything else
//! is sorted by name, so the file is reproducible.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// A service.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    /// `iam`, `sts`, `organizations` or `keywright`.
    pub(crate) service: String,
    pub(crate) api_version: String,
    /// Of a service that responds with XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) xml_namespace: Option<String>,
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) shapes: BTreeMap<String, Shape>,
}

/// An operation. Shapes and errors are names in [`Model::shapes`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    /// The element that wraps the members of a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) result_wrapper: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pagination: Option<Pagination>,
    /// The request is unsigned.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) unsigned: bool,
}

/// The pagination of an operation.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pagination {
    pub(crate) input_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit_key: Option<String>,
    /// Without it, more results follow if there is an output token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) more_results: Option<String>,
    pub(crate) output_token: String,
    pub(crate) result_keys: Vec<String>,
}

/// A type.
#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<String>,
    #[serde(default, rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub(crate) values: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) sensitive: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) members: Option<Vec<Member>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Error>,
}

/// A member of a structure.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) shape: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) required: bool,
}

/// The wire form of an error shape.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Error {
    pub(crate) code: String,
    pub(crate) status: u16,
}

impl Model {
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        Ok(serde_json::from_str(text)?)
    }

    pub(crate) fn to_json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    pub(crate) fn shape(&self, name: &str) -> anyhow::Result<&Shape> {
        self.shapes
            .get(name)
            .with_context(|| format!("shape {name} is not in the model"))
    }

    /// Structures that `from` contains, directly or indirectly, without `from` itself.
    pub(crate) fn reachable(&self, from: &str) -> anyhow::Result<Vec<String>> {
        let mut seen: Vec<String> = Vec::new();
        let mut next = self.shape(from)?.references();
        while let Some(name) = next.pop() {
            if !seen.contains(&name) {
                next.extend(self.shape(&name)?.references());
                seen.push(name);
            }
        }
        Ok(seen)
    }
}

impl Shape {
    pub(crate) fn members(&self) -> &[Member] {
        self.members.as_deref().unwrap_or_default()
    }

    fn references(&self) -> Vec<String> {
        let parts = [&self.member, &self.key, &self.value]
            .into_iter()
            .flatten()
            .cloned();
        parts
            .chain(self.members().iter().map(|m| m.shape.clone()))
            .collect()
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}
