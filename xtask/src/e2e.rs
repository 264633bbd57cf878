//! `cargo xtask e2e`: tests the built binary with the clients that people use.
//!
//! The tests themselves are in `e2e/`. This chore builds the binary, installs the pinned clients
//! from the public registries into `target/e2e` whenever the pins change, and runs pytest. It
//! installs nothing outside the target folder except Debian's Chromium, jq, ssh, rclone and restic,
//! if they are missing and apt-get may install them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{bail, ensure};

use crate::{cargo, execute, target};

/// What to run.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Everyday sizes: 1 GiB, 1,000 files
    #[arg(long)]
    long: bool,
    /// Take the binary that is there
    #[arg(long, hide = true)]
    built: bool,
    /// More words for pytest, for example `-k story`
    #[arg(last = true)]
    pytest: Vec<String>,
}

/// Builds, installs and runs the tests.
///
/// # Errors
/// A missing tool, or failed tests.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let tools = Tools::ready(args.built)?;
    let storage = StorageTools::ready(&tools.target.join("e2e"))?;
    let mut pytest = Command::new(&tools.python);
    pytest
        .args(["-m", "pytest", "-q", "-n", "auto"])
        .args(&args.pytest)
        .env("KEYWRIGHT_TOOLS", storage.programs)
        .env("ANSIBLE_COLLECTIONS_PATH", storage.collections);
    if args.long {
        pytest.env("KEYWRIGHT_E2E_LONG", "1");
    }
    execute(tools.tell(&mut pytest))
}

/// The built binary and the test environment.
pub(crate) struct Tools {
    target: PathBuf,
    python: PathBuf,
    node: PathBuf,
    chromium: &'static Path,
    sshd: PathBuf,
}

impl Tools {
    /// Builds the binary unless `built` is set, and installs missing tools.
    ///
    /// # Errors
    /// A missing tool.
    pub(crate) fn ready(built: bool) -> anyhow::Result<Self> {
        let target = target()?;
        if !built {
            execute(cargo().args(["build", "-p", "keywright", "--features", "full"]))?;
        }
        let folder = target.join("e2e");
        fs::create_dir_all(&folder)?;
        debian(JQ, "jq")?;
        debian(SSH, "openssh-client")?;
        Ok(Self {
            python: python(&folder.join("python"), "e2e/requirements.txt")?,
            node: node(&folder)?,
            chromium: debian(CHROMIUM, "chromium")?,
            sshd: sshd(&folder)?,
            target,
        })
    }

    /// The target folder.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The Python interpreter with the pinned packages.
    pub(crate) fn python(&self) -> &Path {
        &self.python
    }

    /// Configures a command to run in `e2e/` with all tools available.
    pub(crate) fn tell<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir("e2e")
            .env("KEYWRIGHT_BINARY", self.target.join("debug/keywright"))
            .env("KEYWRIGHT_NODE_MODULES", &self.node)
            .env("KEYWRIGHT_CHROMIUM", self.chromium)
            .env("KEYWRIGHT_SSHD", &self.sshd)
            .env("PYTHONDONTWRITEBYTECODE", "1")
    }
}

/// Storage clients beside AWS's own: Python's storage libraries, s3cmd, DuckDB, Ansible, rclone and
/// restic.
struct StorageTools {
    /// The programs of a separate virtual environment: they need another botocore than the AWS CLI.
    programs: PathBuf,
    /// The path of Ansible's AWS collection.
    collections: PathBuf,
}

impl StorageTools {
    fn ready(folder: &Path) -> anyhow::Result<Self> {
        let home = folder.join("tools");
        let interpreter = python(&home, "e2e/requirements-tools.txt")?;
        debian("/usr/bin/rclone", "rclone")?;
        debian("/usr/bin/restic", "restic")?;
        Ok(Self {
            programs: home.join("bin"),
            collections: ansible_collections(folder, &interpreter)?,
        })
    }
}

/// Extracts only the AWS collection from the package with a hundred collections.
fn ansible_collections(folder: &Path, interpreter: &Path) -> anyhow::Result<PathBuf> {
    const UNPACK: &str = "\
import pathlib, sys, zipfile
[package] = pathlib.Path(sys.argv[1]).glob('*.whl')
with zipfile.ZipFile(package) as wheel:
    wanted = 'ansible_collections/amazon/aws/'
    wheel.extractall(sys.argv[1], [name for name in wheel.namelist() if name.startswith(wanted)])
package.unlink()";
    let home = folder.join("ansible");
    let pins = "e2e/requirements-ansible.txt";
    installed(&home, &[pins], || {
        let mut download = pip(interpreter, "download");
        download.args(["--no-deps", "--requirement", pins, "--dest"]);
        execute(download.arg(&home))?;
        execute(Command::new(interpreter).args(["-c", UNPACK]).arg(&home))
    })?;
    Ok(home)
}

/// Creates a virtual environment in `home` with the pinned packages and returns its interpreter.
fn python(home: &Path, pins: &str) -> anyhow::Result<PathBuf> {
    let interpreter = home.join("bin/python");
    installed(home, &[pins], || {
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(home)
            .status();
        match made {
            Ok(status) if status.success() => {}
            Ok(_) => bail!("python3 has no venv; on Debian: apt install python3-venv"),
            Err(_) => bail!("python3 is missing; the end-to-end tests need it"),
        }
        execute(pip(&interpreter, "install").args(["--requirement", pins]))
    })?;
    Ok(interpreter)
}

fn pip(interpreter: &Path, what: &str) -> Command {
    let mut command = Command::new(interpreter);
    command.args(["-m", "pip", what, "--quiet", "--disable-pip-version-check"]);
    command
}

/// Installs the pinned packages of the JavaScript SDK and returns their folder.
fn node(folder: &Path) -> anyhow::Result<PathBuf> {
    let home = folder.join("node");
    installed(
        &home,
        &["e2e/package.json", "e2e/package-lock.json"],
        || {
            fs::create_dir_all(&home)?;
            for pins in ["package.json", "package-lock.json"] {
                fs::copy(Path::new("e2e").join(pins), home.join(pins))?;
            }
            if Command::new("npm").arg("--version").output().is_err() {
                bail!("node and npm are missing; the end-to-end tests need them");
            }
            execute(
                Command::new("npm")
                    .args(["ci", "--silent", "--no-audit", "--no-fund"])
                    .current_dir(&home),
            )
        },
    )?;
    Ok(home.join("node_modules"))
}

const CHROMIUM: &str = "/usr/bin/chromium";
/// One of the programs that read JSON files in the tests.
const JQ: &str = "/usr/bin/jq";
const SSH: &str = "/usr/bin/ssh";
const SSHD: &str = "/usr/sbin/sshd";

/// OpenSSH's server. Installing its package would start a listener, so it is only unpacked.
fn sshd(folder: &Path) -> anyhow::Result<PathBuf> {
    let home = folder.join("sshd");
    let unpacked = home.join("usr/sbin/sshd");
    if Path::new(SSHD).exists() {
        return Ok(PathBuf::from(SSHD));
    }
    if !unpacked.exists() {
        fs::create_dir_all(&home)?;
        // A failure shows below as a missing program.
        let _ = Command::new("apt-get")
            .args(["download", "--quiet", "openssh-server", "libwrap0"])
            .current_dir(&home)
            .status();
        for entry in fs::read_dir(&home)? {
            let package = entry?.path();
            if package.extension().is_some_and(|kind| kind == "deb") {
                execute(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&home))?;
            }
        }
    }
    ensure!(
        unpacked.exists(),
        "{SSHD} is missing, and apt-get cannot fetch openssh-server; the end-to-end tests need it"
    );
    Ok(unpacked)
}

/// Finds a Debian program and installs its package if allowed.
fn debian(program: &'static str, package: &str) -> anyhow::Result<&'static Path> {
    let path = Path::new(program);
    let apt_get = |words: &[&str]| {
        // Ignore the failure here: the error below says what to do.
        let _ = Command::new("apt-get")
            .args(words)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status();
    };
    let install = ["install", "--yes", "--quiet", package];
    if !path.exists() {
        apt_get(&install);
    }
    if !path.exists() {
        // A new machine has no package lists, or outdated ones.
        apt_get(&["update", "--quiet"]);
        apt_get(&install);
    }
    ensure!(
        path.exists(),
        "{program} is missing; the end-to-end tests need it; on Debian: apt install {package}"
    );
    Ok(path)
}

/// Installs into a folder unless exactly these pins are installed already.
#[expect(
    clippy::disallowed_methods,
    reason = "a mark of what was installed, neither state nor secret"
)]
fn installed(
    home: &Path,
    pins: &[&str],
    install: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut wanted = String::new();
    for pin in pins {
        wanted.push_str(&fs::read_to_string(pin)?);
    }
    let marker = home.join("installed-from");
    if fs::read_to_string(&marker).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    if home.exists() {
        fs::remove_dir_all(home)?;
    }
    install()?;
    fs::write(marker, wanted)?;
    Ok(())
}
