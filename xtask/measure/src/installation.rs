//! A running server: started on a port of its own, asked what it costs, stopped or killed.

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

/// A process that printed where it listens.
pub(crate) struct Running {
    child: Child,
    /// Held so that what it prints later finds a reader.
    _out: BufReader<ChildStdout>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From its start to the line that says where it listens.
    pub(crate) started: Duration,
}

/// The folder of the built binaries.
pub(crate) fn binaries() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("cannot tell where this program lies")?;
    let folder = this.parent().context("this program lies in no folder")?;
    Ok(folder.to_owned())
}

/// An empty folder of this name beside the binaries; what was in it is gone.
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
    /// When it does not come up.
    pub(crate) fn serve(data: &Path) -> anyhow::Result<Self> {
        let program = binaries()?.join("keywright");
        let arguments = [
            OsStr::new("serve"),
            OsStr::new("--data-dir"),
            data.as_os_str(),
        ];
        let mut command = Command::new(program);
        command.args(arguments).args(["--listen", "127.0.0.1:0"]);
        Self::start(command)
    }

    /// Starts the bare server with a recorded answer.
    ///
    /// # Errors
    /// When it does not come up.
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
            // Ends it, if it has not ended by itself.
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

    /// Kills it (SIGKILL) and waits for its end.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Puts a bucket or an object.
    ///
    /// # Errors
    /// When the server refuses it.
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
    /// When it has ended.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kib.context("no VmRSS")?.trim().parse::<u64>()? * 1024)
    }

    /// Processor time of all its threads so far.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn processor(&self) -> anyhow::Result<Duration> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may end while this reads.
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
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The root credentials in a data folder.
///
/// # Errors
/// When the first start left none.
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
