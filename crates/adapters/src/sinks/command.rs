//! Any program as a sink: it is told what to do in JSON on its standard input.
//!
//! It protects two rules: a secret reaches the program by that way only, never by argument or
//! environment; and what the program says is shown without it.

use std::{process::Stdio, time::Duration};

use async_trait::async_trait;
use keywright_base::Secret;
use keywright_rotation::{
    model::{KeyId, Pair, RotationId},
    ports::{Backup, Held, Pairs, Sink, SinkError},
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process};

use super::program::Answered;

/// Seconds that a program gets.
const LIMIT_SECS: u64 = 120;
/// The exit code for "try again later" (`EX_TEMPFAIL`).
const LATER: i32 = 75;
/// Characters of its complaint that are kept.
const WORDS_MAX: usize = 500;

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    name: String,
    words: Vec<String>,
}

impl Command {
    pub(super) fn new(line: &str) -> Result<Self, String> {
        let words = shell_words::split(line).map_err(|error| error.to_string())?;
        if words.is_empty() {
            return Err("names no program".to_owned());
        }
        Ok(Self {
            name: format!("command:{line}"),
            words,
        })
    }

    /// As it was given.
    pub(super) fn line(&self) -> &str {
        self.name.trim_start_matches("command:")
    }

    /// Runs the program; what it says on its standard output.
    async fn run(
        &self,
        told: &Value,
        secret: Option<&Secret<String>>,
    ) -> Result<String, SinkError> {
        let told = Secret::new(told.to_string());
        let (program, arguments) = self.words.split_first().unwrap_or((&self.name, &[]));
        let started = process::Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = started.map_err(|error| SinkError::Never(format!("{program}: {error}")))?;
        let mut input = child.stdin.take();
        let talk = async {
            if let Some(input) = &mut input {
                // A program that does not listen says so by its exit code.
                let _ = input.write_all(told.expose().as_bytes()).await;
            }
            drop(input);
            child.wait_with_output().await
        };
        let ended = tokio::time::timeout(Duration::from_secs(LIMIT_SECS), talk).await;
        let ended = ended
            .map_err(|_| SinkError::Later(format!("{program}: no end after {LIMIT_SECS} seconds")))?
            .map_err(|error| SinkError::Later(format!("{program}: {error}")))?;
        let shown = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            match secret {
                Some(secret) => text.replace(secret.expose().as_str(), "[secret]"),
                None => text,
            }
        };
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
        }
        let words: String = shown(&ended.stderr)
            .trim()
            .chars()
            .take(WORDS_MAX)
            .collect();
        let text = format!("{program}: {}: {words}", ended.status);
        if ended.status.code() == Some(LATER) {
            Err(SinkError::Later(text))
        } else {
            Err(SinkError::Never(text))
        }
    }
}

#[async_trait]
impl Sink for Command {
    fn name(&self) -> &str {
        &self.name
    }

    async fn stage(&self, rotation: &RotationId) -> Result<Backup, SinkError> {
        let told = json!({"Action": "stage", "RotationId": rotation.0});
        self.run(&told, None).await?;
        Answered::backup(&self.read_back().await?)
    }

    async fn commit(
        &self,
        rotation: &RotationId,
        backup: &Backup,
        pair: &Pair,
    ) -> Result<(), SinkError> {
        let before = Answered::read(backup);
        before.check(&self.name, &self.read_back().await?, &pair.id)?;
        let told = json!({
            "Action": "commit",
            "RotationId": rotation.0,
            "PreviousAccessKeyId": before.key(),
            "AccessKeyId": pair.id.0,
            "SecretAccessKey": pair.secret.expose(),
        });
        self.run(&told, Some(&pair.secret)).await.map(drop)
    }

    async fn read_back(&self) -> Result<Held, SinkError> {
        let said = self.run(&json!({"Action": "read"}), None).await?;
        let said: Value = match said.trim() {
            "" => return Ok(Held::Unreadable),
            said => serde_json::from_str(said).map_err(|_| {
                SinkError::Never(format!("{}: its answer to read is not JSON", self.name))
            })?,
        };
        let id = said.get("AccessKeyId").and_then(Value::as_str);
        Ok(id.map_or(Held::Nothing, |id| Held::Key(KeyId(id.to_owned()))))
    }

    async fn restore(
        &self,
        rotation: &RotationId,
        backup: &Backup,
        pairs: Pairs<'_>,
    ) -> Result<(), SinkError> {
        let before = Answered::read(backup);
        before.check(&self.name, &self.read_back().await?, &pairs.new.id)?;
        let told = json!({
            "Action": "restore",
            "RotationId": rotation.0,
            "PreviousAccessKeyId": before.key(),
        });
        self.run(&told, None).await.map(drop)
    }
}
