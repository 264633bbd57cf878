//! `cargo xtask codegen`: reduces AWS's operation models and generates the wire shapes, in Rust for
//! the server and in TypeScript for the console.
//!
//! The committed files under `crates/wire/src/generated/` and `console/src/api/generated/` are
//! derived entirely from the models and never edited by hand. The codecs themselves are not
//! generated.

mod letters;
mod model;
mod names;
mod reduce;
mod render;
mod routes;
mod types;
mod typescript;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use model::Model;
use routes::Routes;

/// The models by file stem, in the order of generation.
const MODELS: [&str; 4] = ["iam", "sts", "organizations", "keywright"];

const RUST: &str = "crates/wire/src/generated";
const CONSOLE: &str = "console/src";
const TYPESCRIPT: &str = "console/src/api/generated";

/// What to do.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail and list what is stale
    #[arg(long)]
    check: bool,
    /// First rewrite the models of AWS in models/ from this botocore/data folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "check")]
    reduce: Option<PathBuf>,
}

/// Generated files: path relative to their folder, and text.
type Files = BTreeMap<PathBuf, String>;

/// Runs the generator.
///
/// # Errors
/// An unreadable model, a missing rustfmt, or (with `--check`) stale files.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let root = root()?;
    if let Some(data) = &args.reduce {
        for service in ["iam", "sts", "organizations"] {
            let text = reduce::reduce(data, service)?.to_json()?;
            write(&root.join(format!("models/{service}.json")), &text)?;
        }
        let routes = Routes::reduce(data)?.to_json()?;
        write(&root.join("models/s3.json"), &routes)?;
    }
    let models = models(&root)?;
    let routes = Routes::parse(&read(&root.join("models/s3.json"))?)?;
    let rust = format(
        &root.join("target/xtask-codegen"),
        generate(&models, &routes)?,
    )?;
    let typescript = typescript::generate(&root.join(CONSOLE), &models, &routes)?;
    let count = rust.len() + typescript.len();
    let mut stale = stale(RUST, &root, rust)?;
    stale.extend(self::stale(TYPESCRIPT, &root, typescript)?);
    if args.check {
        return report(&stale);
    }
    for (path, text) in &stale {
        match text {
            Some(text) => write(&root.join(path), text)?,
            None => fs::remove_file(root.join(path))?,
        }
    }
    say(&format!("{count} files, {} rewritten", stale.len()))
}

fn models(root: &Path) -> anyhow::Result<Vec<Model>> {
    let mut models = Vec::new();
    for service in MODELS {
        let path = root.join(format!("models/{service}.json"));
        models.push(Model::parse(&read(&path)?).with_context(|| path.display().to_string())?);
    }
    Ok(models)
}

fn generate(models: &[Model], routes: &Routes) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for model in models {
        render::service(model, &mut files)?;
    }
    files.insert("s3.rs".into(), routes.render()?);
    files.insert("letters.rs".into(), letters::render()?);
    files.insert("mod.rs".into(), render::root(&MODELS));
    Ok(files)
}

/// Formats the files with rustfmt.
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

/// Paths whose committed text is stale, with the new text, or `None` if the file should not exist.
type Stale = BTreeMap<PathBuf, Option<String>>;

fn stale(folder: &str, root: &Path, fresh: Files) -> anyhow::Result<Stale> {
    let folder = Path::new(folder);
    let mut stale = Stale::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(below) = folders.pop() {
        let Ok(entries) = fs::read_dir(root.join(&below)) else {
            continue;
        };
        for entry in entries {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                stale.insert(path, None);
            }
        }
    }
    for (path, text) in fresh {
        let path = folder.join(path);
        if fs::read_to_string(root.join(&path)).ok().as_ref() == Some(&text) {
            stale.remove(&path);
        } else {
            stale.insert(path, Some(text));
        }
    }
    Ok(stale)
}

fn report(stale: &Stale) -> anyhow::Result<()> {
    if stale.is_empty() {
        return say("generated files are fresh");
    }
    for path in stale.keys() {
        say(&format!("stale: {}", path.display()))?;
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

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
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
