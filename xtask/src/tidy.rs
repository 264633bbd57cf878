//! `cargo xtask tidy`: checks layering, file headers and lengths in the source tree.
//!
//! It covers what the compiler does not: a crate uses only crates below it (the arrow table of
//! ARCHITECTURE.md), each file starts with a header comment, no file exceeds the house numbers, and
//! each row of the failure matrix has a test named after it. Exceptions are listed here, each with
//! its reason.

mod words;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// Each crate and its layer. A crate may use only lower layers.
const FLOORS: &[(&str, u8)] = &[
    ("base", 0),
    ("policy", 1),
    ("sigv4", 1),
    ("vault", 1),
    ("wire", 1),
    ("store", 2),
    ("identity", 3),
    ("objects", 3),
    ("rotation", 3),
    ("aws", 4),
    ("s3", 4),
    ("sinks", 5),
    ("fleet", 6),
    ("server", 7),
    ("cli", 8),
];

/// Crates that must stay free of async, clock and I/O: their manifests are checked.
const PURE: &[&str] = &["base", "policy", "sigv4", "vault", "wire"];
const IMPURE: &[&str] = &["tokio", "hyper", "getrandom", "rusqlite"];

/// Number of rows in the failure matrix of docs/rotation.md.
const ROWS: usize = 23;

const LINES_MAX: usize = 800;
const COLUMNS_MAX: usize = 100;

/// Files that may exceed the limits, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "crates/policy/src/validate.rs",
        "one AWS message in one line",
    ),
    (
        "xtask/src/codegen/letters.rs",
        "a generated file's head in one line",
    ),
    (
        "xtask/src/codegen/render/operation.rs",
        "the code it writes, line by line",
    ),
    (
        "xtask/src/codegen/render/structure.rs",
        "the code it writes, line by line",
    ),
];

/// Checks the tree.
///
/// # Errors
/// One line for each violation.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut places = Vec::new();
    for (name, floor) in FLOORS {
        check_manifest(name, *floor, &mut places)?;
    }
    for file in sources(Path::new("crates"))?
        .into_iter()
        .chain(sources(Path::new("xtask"))?)
    {
        check_file(&file, &mut places)?;
    }
    check_rows(&mut places)?;
    if places.is_empty() {
        Ok(())
    } else {
        bail!("not tidy:\n{}", places.join("\n"))
    }
}

fn check_manifest(name: &str, floor: u8, places: &mut Vec<String>) -> anyhow::Result<()> {
    let path = format!("crates/{name}/Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let manifest: toml::Table = toml::from_str(&text).with_context(|| path.clone())?;
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    for dependency in dependencies.into_iter().flat_map(|table| table.keys()) {
        let used = dependency.strip_prefix("keywright-");
        let used_floor = used.and_then(|used| FLOORS.iter().find(|(other, _)| *other == used));
        match (used, used_floor) {
            (Some(used), None) => places.push(format!("{path}: {used} has no floor")),
            (Some(used), Some((_, lower))) if *lower >= floor => {
                places.push(format!(
                    "{path}: {used} (floor {lower}) is not below floor {floor}"
                ));
            }
            _ => {}
        }
        if PURE.contains(&name) && IMPURE.contains(&dependency.as_str()) {
            places.push(format!("{path}: a pure crate uses {dependency}"));
        }
    }
    Ok(())
}

fn check_file(path: &Path, places: &mut Vec<String>) -> anyhow::Result<()> {
    let name = path.display().to_string();
    if name.contains("/generated/") || EXCEPTIONS.iter().any(|(file, _)| *file == name) {
        return Ok(());
    }
    let text = fs::read_to_string(path).with_context(|| name.clone())?;
    if !text.starts_with("//!") && !text.starts_with("#![doc") {
        places.push(format!("{name}: no //! at its head"));
    }
    words::check(path, &text, places)?;
    check_core(&name, &text, places);
    let lines = text.lines().count();
    let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
    if lines > LINES_MAX && !is_test {
        places.push(format!("{name}: {lines} lines, more than {LINES_MAX}"));
    }
    // Expected output in tests may be long.
    for (number, line) in (1..).zip(text.lines()).filter(|_| !is_test) {
        if line.chars().count() > COLUMNS_MAX {
            places.push(format!(
                "{name}:{number}: longer than {COLUMNS_MAX} columns"
            ));
        }
    }
    Ok(())
}

/// The core of `identity` does not import the actions, which import it.
fn check_core(name: &str, text: &str, places: &mut Vec<String>) {
    let is_core = name.starts_with("crates/identity/src/")
        && !name.starts_with("crates/identity/src/actions/")
        && !name.ends_with("tests.rs");
    if is_core && text.contains("use crate::actions") {
        places.push(format!("{name}: the core of identity imports actions"));
    }
}

/// Each row of the failure matrix has a test named after it: `row_07_…`, or `rows_12_13_…`.
fn check_rows(places: &mut Vec<String>) -> anyhow::Result<()> {
    let mut named = String::new();
    for folder in [
        "crates/rotation/src",
        "crates/sinks/src",
        "crates/fleet/src",
    ] {
        for file in sources(Path::new(folder))? {
            named.push_str(&fs::read_to_string(&file)?);
        }
    }
    for file in ["e2e/test_rotate.py", "e2e/test_fleet.py"] {
        named.push_str(&fs::read_to_string(file).with_context(|| file.to_owned())?);
    }
    let names: Vec<&str> = named
        .lines()
        .filter_map(|line| {
            line.trim_start()
                .trim_start_matches("async ")
                .split_once('(')
        })
        .filter_map(|(head, _)| {
            let name = head
                .strip_prefix("fn ")
                .or_else(|| head.strip_prefix("def test_"))?;
            name.starts_with("row").then_some(name)
        })
        .collect();
    for row in 1..=ROWS {
        let number = format!("_{row:02}_");
        if !names.iter().any(|name| name.contains(&number)) {
            places.push(format!(
                "the failure matrix: row {row} has no test of its name"
            ));
        }
    }
    Ok(())
}

fn sources(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
