//! The program that runs after a file was replaced, so that the consumer reads the file again.
//!
//! Invariants: The program gets no secret, neither as an argument nor in its environment nor on
//! standard input. A file counts as written, or as restored, only once the program has exited with
//! code 0. The program runs after every delivery, including one that was interrupted after the
//! write, so running it twice must be harmless; a restart or a reload is.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use async_trait::async_trait;
use keywright_base::Secret;
use keywright_rotation::{
    model::{KeyId, KeyPair, RotationId},
    ports::{RotationPairs, Sink, SinkBackup, SinkContent, SinkError, SinkInspection},
};

use super::{
    aws_profile::variable,
    file_name::FileName,
    public_name::without_arguments,
    running::{self, LATER, ProgramLimits},
    ssh::SshHost,
};
use crate::environment;

const LIMITS: ProgramLimits = ProgramLimits {
    time: Duration::from_secs(120),
    // The output is not used.
    output: 64 * 1024,
};

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AfterHook {
    line: String,
    program: String,
    arguments: Vec<String>,
}

impl AfterHook {
    pub(super) fn new(line: &str) -> Result<Self, String> {
        let words = shell_words::split(line).map_err(|error| error.to_string())?;
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty());
        let program = program.ok_or("?after= does not name a program")?;
        if program.contains('/') && !program.starts_with('/') {
            return Err(format!(
                "{program} would be a different program in another folder; use an absolute path"
            ));
        }
        Ok(Self {
            line: line.to_owned(),
            program,
            arguments: words.collect(),
        })
    }

    /// The command line as it was given.
    pub(super) fn line(&self) -> &str {
        &self.line
    }

    /// The same, shown without its arguments.
    pub(super) fn public(&self) -> Self {
        let program = std::iter::once(&self.program);
        let words: Vec<_> = program.chain(&self.arguments).cloned().collect();
        Self {
            line: without_arguments(&words),
            ..self.clone()
        }
    }
}

/// A sink, the program that runs after each write, and the machine it runs on.
pub(super) struct SinkWithHook {
    pub(super) sink: Box<dyn Sink>,
    pub(super) after: AfterHook,
    /// `None` for the local machine.
    pub(super) machine: Option<SshHost>,
}

impl SinkWithHook {
    /// Checks that the program exists.
    async fn check(&self) -> Result<(), SinkError> {
        let program = &self.after.program;
        let there = match &self.machine {
            None => is_program(program),
            Some(machine) => {
                let line = shell_words::join(["command", "-v", program]);
                let ended = machine.run(&line, &Secret::new(Vec::new()), LIMITS).await?;
                ended.status.success()
            }
        };
        if there {
            return Ok(());
        }
        let name = self.sink.name();
        Err(SinkError::Never(format!(
            "{name}: there is no program {program}"
        )))
    }

    async fn run(&self) -> Result<(), SinkError> {
        let AfterHook {
            program, arguments, ..
        } = &self.after;
        let nothing = Secret::new(Vec::new());
        let ended = match &self.machine {
            None => {
                let mut command = environment::program(program);
                command.args(arguments);
                let ended = running::run(command, &nothing, LIMITS).await;
                ended.map_err(|failure| failure.about(program))?
            }
            Some(machine) => {
                let words = [program].into_iter().chain(arguments);
                let line = shell_words::join(words);
                machine.run(&line, &nothing, LIMITS).await?
            }
        };
        if ended.status.success() {
            return Ok(());
        }
        let name = self.sink.name();
        let why = format!(
            "{name}: {program}: {}: {}",
            ended.status,
            ended.complaint(None)
        );
        Err(if ended.status.code() == Some(LATER) {
            SinkError::Later(why)
        } else {
            SinkError::Never(why)
        })
    }
}

/// Whether a shell would find an executable of this name.
fn is_program(program: &str) -> bool {
    let may_run = |path: &Path| {
        path.metadata()
            .is_ok_and(|there| there.is_file() && there.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return may_run(Path::new(program));
    }
    let folders = variable("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| may_run(&folder.join(program)))
}

#[async_trait]
impl Sink for SinkWithHook {
    fn name(&self) -> &str {
        self.sink.name()
    }

    async fn inspect(&self, old: &KeyId) -> Result<SinkInspection, SinkError> {
        let inspection = self.sink.inspect(old).await?;
        self.check().await?;
        Ok(inspection)
    }

    async fn stage(&self, rotation: &RotationId) -> Result<SinkBackup, SinkError> {
        let backup = self.sink.stage(rotation).await?;
        self.check().await?;
        Ok(backup)
    }

    async fn commit(
        &self,
        rotation: &RotationId,
        backup: &SinkBackup,
        new: &KeyPair,
    ) -> Result<(), SinkError> {
        self.sink.commit(rotation, backup, new).await?;
        self.run().await
    }

    async fn read_back(&self) -> Result<SinkContent, SinkError> {
        self.sink.read_back().await
    }

    async fn restore(
        &self,
        rotation: &RotationId,
        backup: &SinkBackup,
        pairs: RotationPairs<'_>,
    ) -> Result<(), SinkError> {
        self.sink.restore(rotation, backup, pairs).await?;
        self.run().await
    }
}

/// Wraps the sink of a file in its `?after=` program, if it has one.
pub(super) fn followed(
    sink: Box<dyn Sink>,
    file: &FileName,
    machine: Option<&SshHost>,
) -> Box<dyn Sink> {
    match &file.after {
        None => sink,
        Some(after) => Box::new(SinkWithHook {
            sink,
            after: after.clone(),
            machine: machine.cloned(),
        }),
    }
}

#[cfg(test)]
mod tests;
