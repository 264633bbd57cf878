//! A reference to a notifier's own secret: `env:NAME` or `file:/PATH`.
//!
//! More people may read a fleet file than may know its secrets, and arguments are visible to every
//! process, so neither contains them. The secret is read when a message is sent, so a changed file
//! takes effect immediately.

use std::{fmt, fs::File, io::Read, path::PathBuf};

use keywright_base::Secret;

use keywright_sinks::variable;

/// Size limit of a secret file in bytes.
const FILE_BYTES: u64 = 4096;

/// A variable or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SecretRef {
    Env(String),
    File(PathBuf),
}

impl SecretRef {
    /// Parses a reference. `None` if the text is neither `env:` nor `file:`.
    ///
    /// # Errors
    /// A message that does not quote the text, which may be the secret itself.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        if let Some(name) = text.strip_prefix("env:") {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !begins || !name.chars().all(plain) {
                return Err(
                    "env: requires the name of a variable, such as env:SLACK_URL".to_owned(),
                );
            }
            return Ok(Some(Self::Env(name.to_owned())));
        }
        let Some(path) = text.strip_prefix("file:") else {
            return Ok(None);
        };
        let path = PathBuf::from(path);
        if !path.is_absolute() {
            return Err("file: requires a path that starts with a slash".to_owned());
        }
        Ok(Some(Self::File(path)))
    }

    /// Reads the secret without its trailing newline.
    ///
    /// # Errors
    /// A message that names the variable or the file.
    pub(super) fn read(&self) -> Result<Secret<String>, String> {
        let text = match self {
            Self::Env(name) => variable(name).ok_or_else(|| format!("{name} is not set"))?,
            Self::File(path) => {
                let cannot =
                    |why: &dyn fmt::Display| format!("cannot read {}: {why}", path.display());
                let mut text = String::new();
                let file = File::open(path).map_err(|error| cannot(&error))?;
                let read = file.take(FILE_BYTES + 1).read_to_string(&mut text);
                let read = read.map_err(|error| cannot(&error))?;
                if u64::try_from(read).unwrap_or(u64::MAX) > FILE_BYTES {
                    return Err(cannot(&format!("it has more than {FILE_BYTES} bytes")));
                }
                text
            }
        };
        let text = Secret::new(text);
        let line = text.expose().trim();
        if line.is_empty() {
            return Err(format!("{self} is empty"));
        }
        Ok(Secret::new(line.to_owned()))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}
