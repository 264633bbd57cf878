//! A running server: starts it on its own port, measures its resources, stops or kills it.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use keywright_base::Secret;

use crate::{
    client::{Connection, instant},
    requests::{self, Key},
};

/// A process that has printed its address.
pub(crate) struct Running {
    child: Child,
    /// Kept open so that later output does not fail.
    _out: BufReader<ChildStdout>,
    /// The address that it listens on.
    pub(crate) address: SocketAddr,
    /// Time from start to the line with the address.
    pub(crate) started: Duration,
}

/// The folder of the built binaries.
pub(crate) fn binaries() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("cannot tell where this program lies")?;
    let folder = this.parent().context("this program lies in no folder")?;
    Ok(folder.to_owned())
}

/// Creates an empty folder of this name beside the binaries, deleting the previous one.
pub(crate) fn fresh_folder(name: &str) -> anyhow::Result<PathBuf> {
    let folder = binaries()?.join("measure").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

impl Running {
    /// Starts `keywright serve` on a data folder.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) fn serve(data: &Path) -> anyhow::Result<Self> {
        Self::serve_by(Command::new(binaries()?.join("keywright")), data)
    }

    /// The same on a disk whose every flush takes this much longer. `strace` delays the flushes and
    /// leaves other system calls alone; `-D` makes the server the child, not the tracer.
    ///
    /// # Errors
    /// If it does not start; if `strace` is not installed.
    pub(crate) fn serve_on_slow_disk(data: &Path, delay: Duration) -> anyhow::Result<Self> {
        let mut command = Command::new("strace");
        command.args(["-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"]);
        command.args(["-e", "trace=fsync,fdatasync"]);
        let delayed = format!("inject=fsync,fdatasync:delay_exit={}", delay.as_micros());
        command.args(["-e", &delayed]);
        command.arg(binaries()?.join("keywright"));
        Self::serve_by(command, data)
    }

    fn serve_by(mut command: Command, data: &Path) -> anyhow::Result<Self> {
        let arguments = [
            OsStr::new("serve"),
            OsStr::new("--data-dir"),
            data.as_os_str(),
        ];
        command.args(arguments).args(["--listen", "127.0.0.1:0"]);
        Self::start(command)
    }

    /// Starts the bare server with a recorded response.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) fn bare(answer: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bare").arg(answer);
        Self::start(command)
    }

    fn start(mut command: Command) -> anyhow::Result<Self> {
        let start = instant();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let out = child.stdout.take().context("no standard output")?;
        let mut out = BufReader::new(out);
        let mut line = String::new();
        out.read_line(&mut line)?;
        let address = line.trim().rsplit_once("http://");
        let Some((_, address)) = address else {
            // Kill it unless it has exited.
            let _ = child.kill();
            bail!("{command:?} did not start: {}, {line:?}", child.wait()?);
        };
        Ok(Self {
            child,
            _out: out,
            address: address.parse().with_context(|| line.clone())?,
            started: start.elapsed(),
        })
    }

    /// Kills the process (SIGKILL) and waits for it.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Puts a bucket or an object.
    ///
    /// # Errors
    /// If the server rejects it.
    pub(crate) fn put(&self, key: &Key, path: &str, body: &[u8]) -> anyhow::Result<()> {
        let request = requests::s3(self.address, key, ("PUT", path), body)?;
        let mut connection = Connection::open(self.address)?;
        let reply = connection.exchange(&request)?;
        ensure!(reply.status == 200, "not put: {}", reply.excerpt());
        Ok(())
    }

    /// Resident memory in bytes.
    ///
    /// # Errors
    /// If the process has exited.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kib.context("no VmRSS")?.trim().parse::<u64>()? * 1024)
    }

    /// Processor time of all threads so far.
    ///
    /// # Errors
    /// If the process has exited.
    pub(crate) fn processor(&self) -> anyhow::Result<Duration> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may exit meanwhile.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
                continue;
            };
            let first = text.split_whitespace().next().context("no schedstat")?;
            nanos += first.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The root credentials in a data folder.
///
/// # Errors
/// If the first start left none.
pub(crate) fn root(data: &Path) -> anyhow::Result<Key> {
    let path = data.join("root.credentials");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(" = "));
        let found = lines.find(|(given, _)| *given == name);
        found
            .map(|(_, value)| value.to_owned())
            .context("not a credentials file")
    };
    Ok(Key {
        id: value("aws_access_key_id")?,
        secret: Secret::new(value("aws_secret_access_key")?),
    })
}
