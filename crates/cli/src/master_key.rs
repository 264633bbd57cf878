//! Sources of the master key: the data folder, a file, an environment variable, the output of a
//! command, or a key service that decrypts it.
//!
//! Invariant: the key is never an argument, and a key that anyone else on the machine can read is
//! rejected.

mod change;
mod rotate;
#[cfg(test)]
mod tests;

use std::{fmt, io, path::PathBuf, process::Stdio, str::FromStr, sync::Arc, time::Duration};

use anyhow::{Context, anyhow, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::{Clock, Entropy, Secret};
use keywright_sinks::environment;
use keywright_sinks::key_services::KeyService;
use keywright_vault::{KEY_BYTES, MasterKey};
use tokio::io::AsyncReadExt;

pub(crate) use self::{
    change::{KeyChange, KeyLocation},
    rotate::{MasterKeyCommand, rotate},
};
use crate::data_dir::{DataDir, read_private};

/// Bytes that a file or command may supply. Keys are shorter in every encoding.
const TEXT_BYTES: u64 = 4096;
/// Timeout of a command in seconds.
const COMMAND_SECS: u64 = 60;

/// The source of a master key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum KeySource {
    /// The data folder, where the first start creates it.
    #[default]
    Folder,
    File(PathBuf),
    Env(String),
    Command(String),
    /// The data folder, encrypted by a key service.
    Service(Box<KeyService>),
}

impl FromStr for KeySource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let service = |service: KeyService| Self::Service(Box::new(service));
        match (kind, rest) {
            ("folder", "") => Ok(Self::Folder),
            ("file", path) if !path.is_empty() => Ok(Self::File(path.into())),
            ("env", name) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            ("command", line) => match shell_words::split(line) {
                Ok(words) if !words.is_empty() => Ok(Self::Command(line.to_owned())),
                Ok(_) => Err("command: no program given".to_owned()),
                Err(error) => Err(format!("command: {error}")),
            },
            ("aws-kms", key) => KeyService::kms(key).map(service),
            ("vault-transit", key) => KeyService::transit(key).map(service),
            // The text may be the key itself, given by mistake.
            _ => Err(
                "expected folder, file:PATH, env:NAME, command:LINE, aws-kms:KEY or \
                      vault-transit:MOUNT/KEY"
                    .to_owned(),
            ),
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder => f.write_str("folder"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Command(line) => write!(f, "command:{line}"),
            Self::Service(service) => write!(f, "{service}"),
        }
    }
}

/// The dependencies of a source.
pub(crate) struct SourceContext<'a> {
    pub(crate) data: &'a DataDir,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) entropy: &'a Arc<dyn Entropy>,
}

impl KeySource {
    /// Loads the key. If there is no database yet, the data folder or the service creates one.
    ///
    /// # Errors
    /// With a message for the operator.
    pub(crate) async fn load(&self, seams: &SourceContext<'_>) -> anyhow::Result<MasterKey> {
        let bytes = match self {
            Self::Folder => seams.data.master_key(&**seams.entropy)?,
            Self::Service(service) => self.opened_by(service, seams).await?,
            Self::File(path) => parse(read_private(path)?),
            Self::Env(name) => parse(variable(name)?),
            Self::Command(line) => parse(output_of(line).await?),
        }
        .with_context(|| {
            format!(
                "{self} does not contain a master key: 32 bytes, raw, base64 or hexadecimal\n\
                 hint: create one with: openssl rand -base64 32"
            )
        })?;
        MasterKey::new(bytes).map_err(|error| anyhow!("{self}: {error}"))
    }

    /// The key to change to: a new one if the source is the data folder or a service, else the one
    /// that the operator put there.
    ///
    /// # Errors
    /// With a message for the operator.
    pub(crate) async fn next(
        &self,
        seams: &SourceContext<'_>,
    ) -> anyhow::Result<(MasterKey, KeyLocation)> {
        match self {
            Self::Folder => Ok((MasterKey::generate(&**seams.entropy)?, KeyLocation::Folder)),
            Self::Service(service) => {
                let made = service.generate(Arc::clone(seams.clock)).await;
                let made = made.map_err(anyhow::Error::msg)?;
                Ok((
                    MasterKey::new(made.plain)?,
                    KeyLocation::Wrapped(made.wrapped),
                ))
            }
            Self::File(_) | Self::Env(_) | Self::Command(_) => {
                Ok((self.load(seams).await?, KeyLocation::Elsewhere))
            }
        }
    }

    async fn opened_by(
        &self,
        service: &KeyService,
        seams: &SourceContext<'_>,
    ) -> anyhow::Result<Option<Secret<Vec<u8>>>> {
        let clock = Arc::clone(seams.clock);
        if let Some(wrapped) = seams.data.wrapped_key()? {
            let opened = service.open(&wrapped, clock).await;
            return opened.map(Some).map_err(anyhow::Error::msg);
        }
        ensure!(
            !seams.data.database().exists(),
            "this installation's master key is not encrypted by {self}\n\
             hint: change it with: keywright master-key rotate --to {self}"
        );
        let made = service.generate(clock).await.map_err(anyhow::Error::msg)?;
        seams.data.write_wrapped_key(&made.wrapped)?;
        Ok(Some(made.plain))
    }
}

/// Parses 32 raw bytes, or their base64 or hexadecimal form.
fn parse(text: Secret<Vec<u8>>) -> Option<Secret<Vec<u8>>> {
    if text.expose().len() == KEY_BYTES {
        return Some(text);
    }
    let trimmed = text.expose().trim_ascii();
    let decoded = if trimmed.len() == 2 * KEY_BYTES {
        hex::decode(trimmed).ok()?
    } else {
        BASE64_STANDARD.decode(trimmed).ok()?
    };
    let decoded = Secret::new(decoded);
    (decoded.expose().len() == KEY_BYTES).then_some(decoded)
}

fn variable(name: &str) -> anyhow::Result<Secret<Vec<u8>>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the variable that the operator named"
    )]
    let value = std::env::var(name).with_context(|| format!("environment variable {name}"))?;
    Ok(Secret::new(value.into_bytes()))
}

/// Runs a command and returns its standard output. Its standard error goes to ours.
async fn output_of(line: &str) -> anyhow::Result<Secret<Vec<u8>>> {
    let words = shell_words::split(line)?;
    let (program, arguments) = words.split_first().context("command: no program given")?;
    let mut child = environment::program(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    let output = child.stdout.take().context("no output")?;
    let run = async {
        let mut bytes = Vec::new();
        output.take(TEXT_BYTES).read_to_end(&mut bytes).await?;
        Ok::<_, io::Error>((Secret::new(bytes), child.wait().await?))
    };
    let ended = tokio::time::timeout(Duration::from_secs(COMMAND_SECS), run).await;
    let ended = ended.with_context(|| format!("{program}: timed out after {COMMAND_SECS} s"))?;
    let (bytes, status) = ended.with_context(|| program.clone())?;
    if !status.success() {
        bail!("{program}: {status}");
    }
    Ok(bytes)
}
