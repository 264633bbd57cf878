//! `cargo xtask fuzz`: runs every fuzz target in parallel for a limited time.
//!
//! Fuzzing covers inputs that nobody thought of listing in unit tests. The installed stable
//! compiler provides the coverage instrumentation, so no setup is needed. Findings are kept in
//! `target/fuzz/findings`; turn each into a unit test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
};

use anyhow::{Context, bail, ensure};

use crate::{cargo, target};

/// Targets that are built in a minute.
const QUICK_TARGETS: &[&str] = &[
    "request_decoder",
    "signature_headers",
    "policy_parser",
    "policy_evaluator",
];
/// Targets that need the feature `identity`, whose crates take minutes to build.
const IDENTITY_TARGETS: &[&str] = &["ssh_public_key", "saml_metadata", "saml_response"];

/// An input that takes longer is a finding.
const INPUT_SECS: u32 = 5;
/// A target that uses more memory is a finding.
const MEMORY_MB: u32 = 512;

/// The coverage instrumentation that libFuzzer needs.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// For how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,

    /// Leave out the targets that take minutes to build
    #[arg(long)]
    quick: bool,
}

/// Builds and runs the targets.
///
/// # Errors
/// If a target fails to build or has a finding.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let folder = target()?.join("fuzz");
    let built = build(&folder, args.quick)?;
    let slow = if args.quick { &[] } else { IDENTITY_TARGETS };
    let running: Vec<(&str, Child)> = QUICK_TARGETS
        .iter()
        .chain(slow)
        .map(|target| Ok((*target, start(target, &built, &folder, args.seconds)?)))
        .collect::<anyhow::Result<_>>()?;
    let mut failed = Vec::new();
    for (target, mut child) in running {
        if !child.wait()?.success() {
            failed.push(target);
        }
    }
    let findings = folder.join("findings");
    ensure!(
        failed.is_empty(),
        "{} found something: see {}",
        failed.join(" and "),
        findings.display()
    );
    Ok(())
}

/// Builds the targets and returns the folder of their binaries.
fn build(folder: &Path, quick: bool) -> anyhow::Result<PathBuf> {
    let host = host()?;
    let features = if quick { "" } else { "identity" };
    let status = cargo()
        .args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"])
        .args(["--features", features])
        // With an explicit target, build scripts are not instrumented.
        .args(["--target", &host, "--target-dir"])
        .arg(folder)
        .env("RUSTFLAGS", COVERAGE)
        .status()?;
    ensure!(status.success(), "the fuzz targets do not build");
    Ok(folder.join(host).join("release"))
}

fn host() -> anyhow::Result<String> {
    let version = Command::new("rustc").arg("-vV").output()?;
    let version = String::from_utf8(version.stdout)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say its host")?.to_owned())
}

fn start(target: &str, built: &Path, folder: &Path, seconds: u32) -> anyhow::Result<Child> {
    let (corpus, findings) = (folder.join("corpus").join(target), folder.join("findings"));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&findings)?;
    let prefix = format!("{}/{target}-", findings.display());
    let log = fs::File::create(folder.join(format!("{target}.log")))?;
    let child = Command::new(built.join(target))
        .arg(corpus)
        .arg(format!("fuzz/seeds/{target}"))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_SECS}"))
        .arg(format!("-rss_limit_mb={MEMORY_MB}"))
        .arg(format!("-artifact_prefix={prefix}"))
        .args(["-max_len=16384", "-print_final_stats=1"])
        .stderr(log)
        .spawn();
    match child {
        Ok(child) => Ok(child),
        Err(error) => bail!("cannot run {target}: {error}"),
    }
}
