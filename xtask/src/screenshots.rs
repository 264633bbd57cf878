//! `cargo xtask screenshots`: takes screenshots of the console's main pages.
//!
//! It checks nothing: only a person can see that something is cut off or misaligned. The pages and
//! their content are in `e2e/screenshots.py`.

use std::{fs, process::Command};

use crate::{e2e::Tools, execute};

/// Builds, installs, takes the screenshots and prints their location.
///
/// # Errors
/// A missing tool, or a page that failed to load.
#[expect(clippy::print_stdout, reason = "what the chore has made")]
pub(crate) fn run() -> anyhow::Result<()> {
    let tools = Tools::ready(false)?;
    let folder = tools.target().join("screenshots");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let mut python = Command::new(tools.python());
    execute(tools.tell(python.arg("screenshots.py").arg(&folder)))?;
    println!("{}", folder.display());
    Ok(())
}
