//! `cargo xtask deny`: checks the dependencies against `deny.toml`.
//!
//! `cargo deny` takes minutes to install, so nobody ran it. This reads the same file and the output
//! of `cargo metadata`, which takes a second. It checks allowed licences, banned crates and allowed
//! sources. It does not check advisories, which need the network. A rule in `deny.toml` that it
//! does not know is an error.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use spdx::{Expression, Licensee};

use crate::cargo;

const RULES: &str = "deny.toml";
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The supported part of `deny.toml`. Anything else in it is an error instead of being ignored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    graph: GraphRules,
    licenses: LicenseRules,
    bans: BanRules,
    sources: SourceRules,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GraphRules {
    targets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LicenseRules {
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BanRules {
    deny: Vec<BannedCrate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BannedCrate {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SourceRules {
    unknown_registry: DenyLevel,
    unknown_git: DenyLevel,
}

/// The only supported level: nobody reads warnings of a passing run.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DenyLevel {
    Deny,
}

/// The output of `cargo metadata` about packages built for a target.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// Absent for a workspace member.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

/// Checks every dependency for every target.
///
/// # Errors
/// One line for each dependency that violates a rule, or unreadable rules.
pub(crate) fn run() -> anyhow::Result<()> {
    let text = fs::read_to_string(RULES).with_context(|| format!("cannot read {RULES}"))?;
    let rules: Rules = toml::from_str(&text).with_context(|| RULES.to_owned())?;
    let mut violations = BTreeSet::new();
    for target in &rules.graph.targets {
        violations.extend(violations_in(&metadata(target)?, &rules)?);
    }
    ensure!(
        violations.is_empty(),
        "dependencies break the rules of {RULES}:\n{}",
        violations.into_iter().collect::<Vec<_>>().join("\n")
    );
    Ok(())
}

fn metadata(target: &str) -> anyhow::Result<Metadata> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", target])
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).context("cannot read what cargo metadata printed")
}

fn violations_in(metadata: &Metadata, rules: &Rules) -> anyhow::Result<Vec<String>> {
    // `packages` also lists what other platforms need. Only `resolve` is filtered by target.
    let built: BTreeSet<&str> = metadata
        .resolve
        .nodes
        .iter()
        .map(|n| n.id.as_str())
        .collect();
    ensure!(!built.is_empty(), "cargo metadata listed no packages");
    let allowed = rules
        .licenses
        .allow
        .iter()
        .map(|name| Licensee::parse(name).with_context(|| format!("{RULES}: licence {name}")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let banned: BTreeMap<&str, &str> = rules
        .bans
        .deny
        .iter()
        .map(|ban| (ban.name.as_str(), ban.reason.as_str()))
        .collect();
    let SourceRules {
        unknown_registry: DenyLevel::Deny,
        unknown_git: DenyLevel::Deny,
    } = rules.sources;
    let mut violations = Vec::new();
    for package in &metadata.packages {
        if built.contains(package.id.as_str()) {
            let found = [
                license_violation(package, &allowed),
                banned
                    .get(package.name.as_str())
                    .map(|why| format!("is banned: {why}")),
                source_violation(package),
            ];
            let name = format!("{} {}", package.name, package.version);
            violations.extend(
                found
                    .into_iter()
                    .flatten()
                    .map(|what| format!("{name} {what}")),
            );
        }
    }
    Ok(violations)
}

fn license_violation(package: &Package, allowed: &[Licensee]) -> Option<String> {
    let Some(license) = &package.license else {
        return Some("declares no licence".to_owned());
    };
    // Older crates write `MIT/Apache-2.0`, which is not valid SPDX but clearly means OR.
    let Ok(expression) = Expression::parse(&license.replace('/', " OR ")) else {
        return Some(format!("has a licence that cannot be read: {license}"));
    };
    let is_allowed =
        expression.evaluate(|required| allowed.iter().any(|licensee| licensee.satisfies(required)));
    (!is_allowed).then(|| format!("has a licence not allowed: {license}"))
}

fn source_violation(package: &Package) -> Option<String> {
    let source = package.source.as_deref()?;
    (source != CRATES_IO).then(|| format!("comes from {source}"))
}

#[cfg(test)]
mod tests {
    use super::{CRATES_IO, Metadata, Rules, violations_in};

    fn rules() -> Rules {
        toml::from_str(
            r#"
            graph.targets = []
            licenses.allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception",
                "MPL-2.0"]
            bans.deny = [{ crate = "aws-lc-sys", reason = "one provider" }]
            sources = { unknown-registry = "deny", unknown-git = "deny" }
            "#,
        )
        .unwrap()
    }

    fn metadata(name: &str, license: Option<&str>, source: Option<&str>) -> Metadata {
        let package = serde_json::json!({
            "id": "it", "name": name, "version": "1.0.0", "license": license, "source": source,
        });
        let mut other = package.clone();
        // Missing from `resolve`, so needed on other platforms only.
        other["id"] = "other".into();
        other["license"] = "GPL-3.0".into();
        serde_json::from_value(serde_json::json!({
            "packages": [package, other],
            "resolve": { "nodes": [{ "id": "it" }] },
        }))
        .unwrap()
    }

    #[test]
    fn each_rule_is_enforced() {
        let crates_io = Some(CRATES_IO);
        for (name, license, source, expected) in [
            ("a", Some("MIT OR GPL-3.0-only"), crates_io, None),
            ("a", Some("MIT/Apache-2.0"), crates_io, None),
            ("a", Some("Apache-2.0 WITH LLVM-exception"), crates_io, None),
            ("a", Some("MIT"), None, None),
            ("a", Some("MPL-2.0+"), crates_io, None),
            (
                "a",
                Some("MIT AND GPL-3.0-only"),
                crates_io,
                Some("a 1.0.0 has a licence not allowed: MIT AND GPL-3.0-only"),
            ),
            ("a", None, crates_io, Some("a 1.0.0 declares no licence")),
            (
                "a",
                Some("Proprietary!"),
                crates_io,
                Some("a 1.0.0 has a licence that cannot be read: Proprietary!"),
            ),
            (
                "aws-lc-sys",
                Some("MIT"),
                crates_io,
                Some("aws-lc-sys 1.0.0 is banned: one provider"),
            ),
            (
                "a",
                Some("MIT"),
                Some("git+https://example.com/a"),
                Some("a 1.0.0 comes from git+https://example.com/a"),
            ),
        ] {
            let found = violations_in(&metadata(name, license, source), &rules()).unwrap();
            assert_eq!(
                found,
                expected.into_iter().collect::<Vec<_>>(),
                "{name} {license:?}"
            );
        }
    }

    #[test]
    fn unknown_rules_are_an_error() {
        let text = "bans.wildcards = \"deny\"";
        assert!(toml::from_str::<Rules>(text).is_err());
    }
}
