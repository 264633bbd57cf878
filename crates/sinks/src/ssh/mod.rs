//! A file on another machine, reached with the system's `ssh`.
//!
//! Invariants: A secret travels only over standard input. The host key is always checked, whatever
//! the configuration of `ssh` says, and no password is read. No part of a name is taken as an
//! option. The file is replaced like a local one (`replace.sh`): only if it is what was read, as a
//! whole, and with its owner and mode.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use keywright_base::{Clock, Secret, limits};
use keywright_rotation::ports::{Sink, SinkError};
use sha2::{Digest, Sha256};

use super::{
    ParsedDestination, SinkKind,
    after::followed,
    document::{DocumentContent, DocumentSink, DocumentStore, DocumentVersion, VersionTag},
    file_name::{FileName, KINDS},
    running::{self, LATER, ProgramExit, ProgramLimits},
};
use crate::environment;

pub(super) const KIND: SinkKind = SinkKind {
    prefix: "ssh",
    syntax: "[USER@]HOST[:PORT]/KIND:FILE",
    writes: "a file on another machine, of one of the first four kinds",
    parse: |text| Ok(Box::new(SshFile::new(text)?)),
};

#[async_trait]
impl ParsedDestination for SshFile {
    fn public(&self) -> String {
        let mut place = self.clone();
        place.file = self.file.public();
        place.to_string()
    }

    fn backend(&self) -> String {
        self.machine.host.clone()
    }

    async fn open(&self, name: String, _: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, String> {
        let store = RemoteFile::new(self);
        let sink = DocumentSink::new(name, self.file.format.clone(), store);
        Ok(followed(Box::new(sink), &self.file, Some(&self.machine)))
    }
}

/// The script that runs on the other machine.
const SCRIPT: &str = include_str!("replace.sh");
/// What the script prints before the content of a file, or instead of it. A login message of the
/// machine would come before.
const FILE: &[u8] = b"keywright-file\n";
const NONE: &[u8] = b"keywright-none\n";
const NAMES: &[u8] = b"keywright-names\n";

/// The maximum length of a host or user name.
const NAME_MAX: usize = 253;

/// Options that override the user's configuration. The rest of the configuration applies, so a
/// machine can have an alias, a key of its own or a jump host.
const OPTIONS: [&str; 11] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=2",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
];

/// `[USER@]HOST[:PORT]/KIND:FILE…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SshFile {
    pub(super) machine: SshHost,
    pub(super) file: FileName,
}

/// A machine, the user to log in as, and the `ssh` program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SshHost {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    ssh: PathBuf,
}

fn is_name(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    first && text.len() <= NAME_MAX && text.chars().all(good)
}

impl SshHost {
    fn new(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is not of the form [USER@]HOST[:PORT]");
        let (user, rest) = match text.split_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, text),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
                let address: std::net::Ipv6Addr = host.parse().map_err(|_| wrong())?;
                (address.to_string(), port)
            }
            None => {
                let end = rest.find(':').unwrap_or(rest.len());
                let (host, port) = rest.split_at(end);
                if !is_name(host) {
                    return Err(wrong());
                }
                (host.to_owned(), port)
            }
        };
        let port = match port.strip_prefix(':') {
            Some(port) => Some(
                port.parse()
                    .ok()
                    .filter(|port| *port > 0)
                    .ok_or_else(wrong)?,
            ),
            None if port.is_empty() => None,
            None => return Err(wrong()),
        };
        if user.is_some_and(|user| !is_name(user)) {
            return Err(wrong());
        }
        Ok(Self {
            user: user.map(str::to_owned),
            host,
            port,
            ssh: PathBuf::from("ssh"),
        })
    }

    /// Runs a command line in its shell. Connection failures are errors; the exit status of the
    /// command itself is in the result.
    pub(super) async fn run(
        &self,
        line: &str,
        input: &Secret<Vec<u8>>,
        limits: ProgramLimits,
    ) -> Result<ProgramExit, SinkError> {
        let mut command = environment::program(&self.ssh);
        for option in OPTIONS {
            command.args(["-o", option]);
        }
        if let Some(user) = &self.user {
            command.args(["-l", user]);
        }
        if let Some(port) = self.port {
            command.args(["-p", &port.to_string()]);
        }
        command.args(["-T", "--", &self.host, line]);
        let ended = running::run(command, input, limits).await;
        let ended = ended.map_err(|failure| failure.about("ssh"))?;
        match ended.status.code() {
            // An error of `ssh` itself, or a lost connection.
            None | Some(255) => Err(SinkError::Later(format!(
                "ssh {self}: {}",
                ended.complaint(None)
            ))),
            Some(_) => Ok(ended),
        }
    }
}

impl fmt::Display for SshHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl SshFile {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let kinds = || {
            format!(
                "expected KIND:FILE after ssh:HOST/, where KIND is one of {}",
                KINDS.join(", ")
            )
        };
        let (machine, file) = text.split_once('/').ok_or_else(kinds)?;
        let (kind, file) = file.split_once(':').ok_or_else(kinds)?;
        if !KINDS.contains(&kind) {
            return Err(kinds());
        }
        if kind == "aws-profile" && !file.contains('@') {
            return Err("give the file on the other machine: NAME@FILE".to_owned());
        }
        let file = FileName::new(kind, file)?;
        if !file.path.starts_with('/') || file.path.ends_with('/') {
            return Err(format!("{} is not the absolute path of a file", file.path));
        }
        let machine = SshHost::new(machine)?;
        Ok(Self { machine, file })
    }
}

impl fmt::Display for SshFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.machine, self.file)
    }
}

/// A file on another machine, as a store with one document.
pub(super) struct RemoteFile {
    machine: SshHost,
    path: String,
}

impl RemoteFile {
    pub(super) fn new(place: &SshFile) -> Self {
        Self {
            machine: place.machine.clone(),
            path: place.file.path.clone(),
        }
    }

    async fn run(&self, what: &str, input: &Secret<Vec<u8>>) -> Result<ProgramExit, SinkError> {
        let most = limits::CREDENTIALS_FILE_BYTES;
        let limits = ProgramLimits {
            time: Duration::from_secs(60),
            output: usize::try_from(most).unwrap_or(usize::MAX) + FILE.len(),
        };
        let most = most.to_string();
        let line = shell_words::join(["sh", "-c", SCRIPT, "keywright", what, &self.path, &most]);
        let ended = self.machine.run(&line, input, limits).await?;
        if ended.status.success() {
            return Ok(ended);
        }
        let (machine, path) = (&self.machine, &self.path);
        let why = format!("{machine}:{path}: {}", ended.complaint(None));
        Err(if ended.status.code() == Some(LATER) {
            SinkError::Later(why)
        } else {
            SinkError::Never(why)
        })
    }
}

/// The version of a file: the SHA-256 of its content.
fn tag(content: &[u8]) -> VersionTag {
    VersionTag {
        version: Some(hex::encode(Sha256::digest(content))),
        kind: None,
    }
}

#[async_trait]
impl DocumentStore for RemoteFile {
    async fn get(&self) -> Result<DocumentVersion, SinkError> {
        let ended = self.run("get", &Secret::new(Vec::new())).await?;
        let message = ended.output.expose();
        if let Some(content) = message.strip_prefix(FILE) {
            return Ok(DocumentVersion {
                tag: tag(content),
                content: Some(Secret::new(content.to_vec())),
            });
        }
        if message == NONE {
            return Ok(DocumentVersion {
                content: None,
                tag: VersionTag::default(),
            });
        }
        Err(SinkError::Never(format!(
            "{}: its shell prints more than the file's content, perhaps a greeting",
            self.machine
        )))
    }

    async fn put(&self, content: DocumentContent, was: &VersionTag) -> Result<(), SinkError> {
        let was = was.version.as_deref().unwrap_or("none");
        let input = match &content {
            Some(content) => {
                let content = content.expose();
                let mut input = format!("{was}\n{}\n", content.len()).into_bytes();
                input.extend_from_slice(content);
                input
            }
            None => format!("{was}\nnone\n").into_bytes(),
        };
        self.run("put", &Secret::new(input)).await.map(drop)
    }

    async fn names(&self) -> Vec<String> {
        let Ok(ended) = self.run("names", &Secret::new(Vec::new())).await else {
            return Vec::new();
        };
        let names = ended.output.expose().strip_prefix(NAMES);
        let names = String::from_utf8_lossy(names.unwrap_or_default());
        names.lines().map(str::to_owned).collect()
    }

    fn own_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
