//! Embeds the console: builds `console/` with Node and puts its files, each with a compressed copy,
//! where `src/bundle.rs` embeds them.
//!
//! The console is built once for each change of its sources if Node and npm are available, unless
//! the variable `KEYWRIGHT_CONSOLE` is `off`. If the build fails, cargo warns, the binary's console
//! page says why, and everything else works.

use std::{
    env,
    error::Error,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use flate2::{Compression, write::GzEncoder};

/// Directories that hold no sources of the console.
const NOT_SOURCES: &[&str] = &["node_modules", "dist", "coverage"];
/// Extensions of files that are compressed already.
const COMPRESSED: &[&str] = &["png", "woff", "woff2", "gz", "ico"];

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    println!("cargo::rerun-if-env-changed=KEYWRIGHT_CONSOLE");
    println!("cargo::rerun-if-changed=build.rs");
    let out =
        PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?).join("console");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir_all(&out)?;
    let absent = match build(&out) {
        Ok(()) => String::new(),
        Err(why) => {
            // A partial build must not be served.
            fs::remove_dir_all(&out)?;
            fs::create_dir_all(&out)?;
            let why = why.to_string().replace('\n', " ");
            println!("cargo::warning=the binary is built without the console: {why}");
            why
        }
    };
    println!("cargo::rustc-env=KEYWRIGHT_CONSOLE_ABSENT={absent}");
    Ok(())
}

fn build(out: &Path) -> Outcome<()> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../console");
    if env::var_os("KEYWRIGHT_CONSOLE").is_some_and(|value| value == "off") {
        return Err("KEYWRIGHT_CONSOLE is off".into());
    }
    if !home.join("package.json").is_file() {
        println!("cargo::rerun-if-changed={}", home.display());
        return Err("there is no console/package.json".into());
    }
    watch(&home)?;
    install(&home)?;
    run(
        Command::new("npx")
            .args(["--no-install", "vite", "build", "--emptyOutDir", "--outDir"])
            .arg(out),
        &home,
    )?;
    compress(out)
}

/// Watches every file in the folder except what the tools generate.
fn watch(home: &Path) -> Outcome<()> {
    for entry in fs::read_dir(home)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !NOT_SOURCES.contains(&&*name) && !name.starts_with('.') {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    Ok(())
}

/// Installs the pinned packages unless exactly these pins are installed already.
fn install(home: &Path) -> Outcome<()> {
    let pins = fs::read(home.join("package-lock.json"))?;
    let mark = home.join("node_modules/.installed-from");
    if fs::read(&mark).is_ok_and(|found| found == pins) {
        return Ok(());
    }
    run(
        Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]),
        home,
    )?;
    fs::File::create(mark)?.write_all(&pins)?;
    Ok(())
}

/// Runs a command in a folder. Its output becomes the error message.
fn run(command: &mut Command, folder: &Path) -> Outcome<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command.current_dir(folder).stdin(Stdio::null()).output();
    let done = done.map_err(|error| format!("{program} cannot be run ({error})"))?;
    if done.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&done.stderr);
    let message: String = message.trim().chars().take(400).collect();
    Err(format!("{program} failed ({}): {message}", done.status).into())
}

/// Writes a compressed copy next to each file that compression makes smaller.
fn compress(folder: &Path) -> Outcome<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            compress(&path)?;
            continue;
        }
        let kind = path.extension().unwrap_or_default().to_string_lossy();
        if COMPRESSED.contains(&&*kind) {
            continue;
        }
        let content = fs::read(&path)?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&content)?;
        let gzip = encoder.finish()?;
        if gzip.len() < content.len() {
            let mut twin = path.clone().into_os_string();
            twin.push(".gz");
            fs::File::create(twin)?.write_all(&gzip)?;
        }
    }
    Ok(())
}
