//! `cargo xtask codegen`: reduces the vendor's operation models and generates the wire shapes.
//!
//! It protects one rule: the committed files under `crates/wire/src/generated/` are exactly what
//! the models say, and a person never edits them. It decides nothing about the codecs themselves.

mod letters;
mod model;
mod names;
mod reduce;
mod render;
mod routes;
mod types;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use model::Model;
use routes::Routes;

/// The models, by file stem, in the order in which they are generated.
const MODELS: [&str; 3] = ["iam", "sts", "keywright"];

/// What to do.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail and list what is stale
    #[arg(long)]
    check: bool,
    /// First rewrite models/iam.json, sts.json and s3.json from this botocore/data folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "check")]
    reduce: Option<PathBuf>,
}

/// Generated files: path below `crates/wire/src/generated`, and text.
type Files = BTreeMap<PathBuf, String>;

/// Runs the chore.
///
/// # Errors
/// A model that cannot be read, rustfmt missing, or (with `--check`) stale files.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let root = root()?;
    if let Some(data) = &args.reduce {
        for service in ["iam", "sts"] {
            let text = reduce::reduce(data, service)?.to_json()?;
            write(&root.join(format!("models/{service}.json")), &text)?;
        }
        let routes = Routes::reduce(data)?.to_json()?;
        write(&root.join("models/s3.json"), &routes)?;
    }
    let scratch = root.join("target/xtask-codegen");
    let fresh = format(&scratch, generate(&root)?)?;
    let folder = root.join("crates/wire/src/generated");
    let stale = stale(&folder, &fresh)?;
    if args.check {
        return report(&stale);
    }
    for path in &stale {
        match fresh.get(path) {
            Some(text) => write(&folder.join(path), text)?,
            None => fs::remove_file(folder.join(path))?,
        }
    }
    say(&format!("{} files, {} rewritten", fresh.len(), stale.len()))
}

fn generate(root: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for service in MODELS {
        let path = root.join(format!("models/{service}.json"));
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let model = Model::parse(&text).with_context(|| path.display().to_string())?;
        render::service(&model, &mut files)?;
    }
    let path = root.join("models/s3.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    files.insert("s3.rs".into(), Routes::parse(&text)?.render()?);
    files.insert("letters.rs".into(), letters::render()?);
    files.insert("mod.rs".into(), render::root(&MODELS));
    Ok(files)
}

/// The same files as rustfmt writes them.
fn format(scratch: &Path, files: Files) -> anyhow::Result<Files> {
    if scratch.exists() {
        fs::remove_dir_all(scratch)?;
    }
    for (path, text) in &files {
        write(&scratch.join(path), text)?;
    }
    let config = ["--edition", "2024", "--config", "max_width=100"];
    let status = Command::new("rustfmt")
        .args(config)
        .arg(scratch.join("mod.rs"))
        .status()
        .context("rustfmt could not be started")?;
    if !status.success() {
        bail!(
            "rustfmt refused the generated files in {}",
            scratch.display()
        );
    }
    let read = |path: PathBuf| Ok((path.clone(), fs::read_to_string(scratch.join(path))?));
    files.into_keys().map(read).collect()
}

/// Paths whose committed text differs from the fresh one, is missing, or should not be there.
fn stale(folder: &Path, fresh: &Files) -> anyhow::Result<Vec<PathBuf>> {
    let mut stale: Vec<PathBuf> = Vec::new();
    for (path, text) in fresh {
        if fs::read_to_string(folder.join(path)).ok().as_deref() != Some(text) {
            stale.push(path.clone());
        }
    }
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder.join(&below)) else {
            continue;
        };
        for entry in entries {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if !fresh.contains_key(&path) {
                stale.push(path);
            }
        }
    }
    Ok(stale)
}

fn report(stale: &[PathBuf]) -> anyhow::Result<()> {
    if stale.is_empty() {
        return say("generated files are fresh");
    }
    for path in stale {
        say(&format!(
            "stale: crates/wire/src/generated/{}",
            path.display()
        ))?;
    }
    bail!(
        "{} generated files are stale; run `cargo xtask codegen`",
        stale.len()
    )
}

fn root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here
        .parent()
        .context("the workspace folder is missing")?
        .to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "sources under version control, not state"
)]
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text).with_context(|| path.display().to_string())
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("standard output is closed")
}
