//! `cargo xtask screenshots`: pictures of the console's main pages, to be looked at.
//!
//! It protects nothing by itself: what is cut off or out of line only a person sees. The pages and
//! what is in them are in `e2e/screenshots.py`.

use std::{fs, process::Command};

use crate::{e2e::Tools, execute};

/// Builds, installs, takes the pictures, says where they are.
///
/// # Errors
/// What is missing, or that a page could not be shown.
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
