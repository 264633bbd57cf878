//! Reduces botocore's service description to our model: everything except the documentation.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};

use super::model::{Error, Member, Model, Operation, Pagination, Shape};

/// Reads `<data>/<service>/<newest>/service-2.json.gz` and `paginators-1.json`.
pub(super) fn reduce(data: &Path, service: &str) -> anyhow::Result<Model> {
    let folder = newest(&data.join(service))?;
    let raw: RawModel = parse(&unpack(&folder.join("service-2.json.gz"))?)?;
    let pages = fs::read(folder.join("paginators-1.json"))?;
    let mut pages: RawPaginators = parse(&pages)?;
    let mut operations = BTreeMap::new();
    for (name, operation) in raw.operations {
        let pagination = pages
            .pagination
            .remove(&name)
            .map(RawPagination::reduce)
            .transpose()?;
        operations.insert(name, operation.reduce(pagination));
    }
    let shapes = raw.shapes.into_iter().map(|(name, shape)| {
        let reduced = shape.reduce(&name);
        (name, reduced)
    });
    let mut model = Model {
        service: service.to_owned(),
        api_version: raw.metadata.api_version,
        xml_namespace: raw.metadata.xml_namespace,
        operations,
        shapes: shapes.collect(),
    };
    drop_unused(&mut model)?;
    Ok(model)
}

/// Error shapes keep no members, so their message types become unused.
fn drop_unused(model: &mut Model) -> anyhow::Result<()> {
    let mut used: Vec<String> = Vec::new();
    for operation in model.operations.values() {
        for top in [&operation.input, &operation.output].into_iter().flatten() {
            used.push(top.clone());
            used.extend(model.reachable(top)?);
        }
        used.extend(operation.errors.iter().cloned());
    }
    model.shapes.retain(|name, _| used.contains(name));
    Ok(())
}

pub(super) fn newest(folder: &Path) -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut versions = entries
        .map(|e| Ok(e?.path()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    versions.sort();
    versions
        .pop()
        .with_context(|| format!("{} is empty", folder.display()))
}

pub(super) fn unpack(path: &Path) -> anyhow::Result<Vec<u8>> {
    let run = Command::new("gzip").arg("-dc").arg(path).output();
    let output = run.context("gzip could not be started")?;
    if !output.status.success() {
        bail!("{} could not be unpacked", path.display());
    }
    Ok(output.stdout)
}

pub(super) fn parse<T: DeserializeOwned>(text: &[u8]) -> anyhow::Result<T> {
    Ok(serde_json::from_slice(text)?)
}

#[derive(Deserialize)]
struct RawModel {
    metadata: RawMetadata,
    operations: BTreeMap<String, RawOperation>,
    shapes: BTreeMap<String, RawShape>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMetadata {
    api_version: String,
    xml_namespace: Option<String>,
}

#[derive(Deserialize)]
struct RawOperation {
    input: Option<RawReference>,
    output: Option<RawReference>,
    #[serde(default)]
    errors: Vec<RawReference>,
    authtype: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReference {
    shape: String,
    result_wrapper: Option<String>,
}

#[derive(Deserialize)]
struct RawShape {
    #[serde(rename = "type")]
    kind: String,
    min: Option<i64>,
    max: Option<i64>,
    pattern: Option<String>,
    #[serde(default, rename = "enum")]
    values: Vec<String>,
    #[serde(default)]
    sensitive: bool,
    member: Option<RawReference>,
    key: Option<RawReference>,
    value: Option<RawReference>,
    #[serde(default)]
    members: Members,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    exception: bool,
    error: Option<RawError>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawError {
    code: String,
    http_status_code: u16,
}

#[derive(Deserialize)]
struct RawPaginators {
    pagination: BTreeMap<String, RawPagination>,
}

#[derive(Deserialize)]
struct RawPagination {
    input_token: String,
    limit_key: Option<String>,
    more_results: Option<String>,
    output_token: String,
    result_key: serde_json::Value,
}

/// Members in file order, which a map would lose.
#[derive(Default)]
struct Members(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a structure's members")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some((name, member)) = map.next_entry::<String, RawReference>()? {
            members.push((name, member.shape));
        }
        Ok(Members(members))
    }
}

impl RawOperation {
    fn reduce(self, pagination: Option<Pagination>) -> Operation {
        let wrapper = self.output.as_ref().and_then(|o| o.result_wrapper.clone());
        Operation {
            input: self.input.map(|i| i.shape),
            output: self.output.map(|o| o.shape),
            result_wrapper: wrapper,
            errors: self.errors.into_iter().map(|e| e.shape).collect(),
            pagination,
            unsigned: self.authtype.as_deref() == Some("none"),
        }
    }
}

impl RawPagination {
    fn reduce(self) -> anyhow::Result<Pagination> {
        let result_keys = match self.result_key {
            serde_json::Value::String(one) => vec![one],
            several => serde_json::from_value(several)?,
        };
        Ok(Pagination {
            input_token: self.input_token,
            limit_key: self.limit_key,
            more_results: self.more_results,
            output_token: self.output_token,
            result_keys,
        })
    }
}

impl RawShape {
    fn reduce(self, name: &str) -> Shape {
        // An error shape without a code uses its name and counts as a client error.
        let error = self.exception.then(|| match self.error {
            Some(e) => Error {
                code: e.code,
                status: e.http_status_code,
            },
            None => Error {
                code: name.to_owned(),
                status: 400,
            },
        });
        let required = self.required;
        let members = self.members.0.into_iter().map(|(name, shape)| {
            let required = required.contains(&name);
            Member {
                name,
                shape,
                required,
            }
        });
        let keeps_members = self.kind == "structure" && error.is_none();
        Shape {
            kind: self.kind,
            min: self.min,
            max: self.max,
            pattern: self.pattern,
            values: self.values,
            sensitive: self.sensitive,
            member: self.member.map(|r| r.shape),
            key: self.key.map(|r| r.shape),
            value: self.value.map(|r| r.shape),
            members: keeps_members.then(|| members.collect()),
            error,
        }
    }
}
