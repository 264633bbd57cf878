//! Any program as a sink. It gets its instructions as JSON on standard input.
//!
//! Invariants: a secret reaches the program only on standard input, never as an argument or in the
//! environment (which [`environment`] defines); and the program's output is shown without the
//! secret.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use keywright_base::{Clock, Secret};
use keywright_rotation::{
    model::{KeyId, KeyPair, RotationId},
    ports::{RotationPairs, Sink, SinkBackup, SinkContent, SinkError},
};
use serde_json::{Value, json};

use super::{
    ParsedDestination, SinkKind,
    program::ProgramBackup,
    public_name::without_arguments,
    running::{self, LATER, ProgramLimits},
};
use crate::environment;

pub(super) const KIND: SinkKind = SinkKind {
    prefix: "command",
    syntax: "PROGRAM ARGUMENTS",
    writes: "whatever the program does with JSON on its standard input",
    parse: |text| Ok(Box::new(CommandSink::new(text)?)),
};

const LIMITS: ProgramLimits = ProgramLimits {
    time: Duration::from_secs(120),
    output: 64 * 1024,
};

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandSink {
    name: String,
    words: Vec<String>,
}

impl CommandSink {
    pub(super) fn new(line: &str) -> Result<Self, String> {
        let words = shell_words::split(line).map_err(|error| error.to_string())?;
        if words.is_empty() {
            return Err("no program given".to_owned());
        }
        Ok(Self {
            name: format!("command:{line}"),
            words,
        })
    }

    /// Runs the program and returns its standard output.
    async fn run(
        &self,
        payload: &Value,
        secret: Option<&Secret<String>>,
    ) -> Result<String, SinkError> {
        let payload = Secret::new(payload.to_string().into_bytes());
        let (program, arguments) = self.words.split_first().unwrap_or((&self.name, &[]));
        let mut command = environment::program(program);
        command.args(arguments);
        let ended = running::run(command, &payload, LIMITS).await;
        let ended = ended.map_err(|failure| failure.about(program))?;
        if ended.status.success() {
            let message = ended.output.expose();
            return Ok(String::from_utf8_lossy(message).into_owned());
        }
        let text = format!("{program}: {}: {}", ended.status, ended.complaint(secret));
        if ended.status.code() == Some(LATER) {
            Err(SinkError::Later(text))
        } else {
            Err(SinkError::Never(text))
        }
    }
}

impl fmt::Display for CommandSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.trim_start_matches("command:"))
    }
}

#[async_trait]
impl ParsedDestination for CommandSink {
    fn public(&self) -> String {
        without_arguments(&self.words)
    }

    fn backend(&self) -> String {
        self.words.first().cloned().unwrap_or_default()
    }

    async fn open(&self, _: String, _: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, String> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Sink for CommandSink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn stage(&self, rotation: &RotationId) -> Result<SinkBackup, SinkError> {
        let payload = json!({"Action": "stage", "RotationId": rotation.0});
        self.run(&payload, None).await?;
        ProgramBackup::backup(&self.read_back().await?)
    }

    async fn commit(
        &self,
        rotation: &RotationId,
        backup: &SinkBackup,
        pair: &KeyPair,
    ) -> Result<(), SinkError> {
        let before = ProgramBackup::read(backup);
        before.check(&self.name, &self.read_back().await?, &pair.id)?;
        let payload = json!({
            "Action": "commit",
            "RotationId": rotation.0,
            "PreviousAccessKeyId": before.key(),
            "AccessKeyId": pair.id.0,
            "SecretAccessKey": pair.secret.expose(),
        });
        self.run(&payload, Some(&pair.secret)).await.map(drop)
    }

    async fn read_back(&self) -> Result<SinkContent, SinkError> {
        let message = self.run(&json!({"Action": "read"}), None).await?;
        let message: Value = match message.trim() {
            "" => return Ok(SinkContent::Unreadable),
            message => serde_json::from_str(message).map_err(|_| {
                SinkError::Never(format!("{}: its response to read is not JSON", self.name))
            })?,
        };
        let id = message.get("AccessKeyId").and_then(Value::as_str);
        Ok(id.map_or(SinkContent::Nothing, |id| {
            SinkContent::Key(KeyId(id.to_owned()))
        }))
    }

    async fn restore(
        &self,
        rotation: &RotationId,
        backup: &SinkBackup,
        pairs: RotationPairs<'_>,
    ) -> Result<(), SinkError> {
        let before = ProgramBackup::read(backup);
        before.check(&self.name, &self.read_back().await?, &pairs.new.id)?;
        let payload = json!({
            "Action": "restore",
            "RotationId": rotation.0,
            "PreviousAccessKeyId": before.key(),
        });
        self.run(&payload, None).await.map(drop)
    }
}
