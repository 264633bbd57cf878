//! Runs a program for a sink, within limits.
//!
//! Invariants: a secret goes in only on standard input; both the program's run time and its output
//! are limited; and processes that it leaves running delay nobody.

use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use keywright_base::Secret;
use keywright_rotation::ports::SinkError;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::Command,
};
use zeroize::Zeroizing;

/// The exit code for "try again later" (`EX_TEMPFAIL`).
pub(super) const LATER: i32 = 75;
/// The maximum length of an error message that is passed on.
const WORDS_MAX: usize = 500;
/// The maximum number of bytes of standard error that are read.
const ERROR_BYTES: usize = 16 * 1024;
/// How long to read pipes after the program has exited: a daemon that it started may keep them
/// open.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// Limits of a program.
#[derive(Debug, Clone, Copy)]
pub struct ProgramLimits {
    /// How long it may run.
    pub time: Duration,
    /// The maximum number of bytes of standard output; more is an error.
    pub output: usize,
}

/// How a program ended.
#[derive(Debug)]
pub struct ProgramExit {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub output: Secret<Vec<u8>>,
    errors: Vec<u8>,
}

impl ProgramExit {
    /// What it wrote to standard error, on one line, shortened, and without the secret it was
    /// given.
    pub(super) fn complaint(&self, secret: Option<&Secret<String>>) -> String {
        let text = String::from_utf8_lossy(&self.errors);
        let mut words: Vec<_> = text.split_whitespace().collect();
        if self.errors.len() == ERROR_BYTES {
            // The last word is cut off, and may be the start of a secret.
            words.pop();
        }
        let mut text = words.join(" ");
        if let Some(secret) = secret {
            text = text.replace(secret.expose().as_str(), "[secret]");
        }
        let plain = text.chars().filter(|letter| !letter.is_control());
        plain.take(WORDS_MAX).collect()
    }
}

/// Why a program did not end by itself.
#[derive(Debug)]
pub enum ProgramError {
    /// It cannot be started.
    Start(io::Error),
    /// It ran too long and was killed.
    Time(Duration),
    /// It printed too much.
    Output(usize),
    /// A system call failed.
    System(io::Error),
}

impl std::fmt::Display for ProgramError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Start(error) | Self::System(error) => write!(f, "{error}"),
            Self::Time(limit) => write!(f, "timed out after {} s", limit.as_secs()),
            Self::Output(limit) => write!(f, "it printed more than {limit} bytes"),
        }
    }
}

impl ProgramError {
    /// As a sink's error: a missing program needs a person, other failures may pass.
    pub(super) fn about(&self, program: &str) -> SinkError {
        let text = format!("{program}: {self}");
        match self {
            Self::Start(_) | Self::Output(_) => SinkError::Never(text),
            Self::Time(_) | Self::System(_) => SinkError::Later(text),
        }
    }
}

/// Runs a program to its end, with `input` on standard input.
pub async fn run(
    mut command: Command,
    input: &Secret<Vec<u8>>,
    limits: ProgramLimits,
) -> Result<ProgramExit, ProgramError> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // In a process group of its own, so that everything it starts can be killed.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(ProgramError::Start)?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input says why in its exit code.
            let _ = stdin.write_all(input.expose()).await;
        }
    };
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let status = {
        let talk = async {
            tokio::join!(
                feed,
                fill(stdout, &mut output, limits.output + 1),
                fill(stderr, &mut errors, ERROR_BYTES)
            )
        };
        tokio::pin!(talk);
        let end = async {
            tokio::select! {
                biased;
                _ = &mut talk => child.wait().await,
                status = child.wait() => {
                    let _ = tokio::time::timeout(AFTERWARDS, &mut talk).await;
                    status
                }
            }
        };
        tokio::time::timeout(limits.time, end).await
    };
    let output = Secret::new(output);
    let Ok(status) = status else {
        if let Some(group) = group {
            // It may have ended in between.
            let _ = kill_process_group(group, Signal::KILL);
        }
        return Err(ProgramError::Time(limits.time));
    };
    let status = status.map_err(ProgramError::System)?;
    if output.expose().len() > limits.output {
        return Err(ProgramError::Output(limits.output));
    }
    Ok(ProgramExit {
        status,
        output,
        errors,
    })
}

/// Reads to the end but keeps only the first bytes, so that a full pipe never blocks the program.
async fn fill(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>, limit: usize) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = Zeroizing::new(vec![0; 8 * 1024]);
    while let Ok(length @ 1..) = pipe.read(&mut buffer[..]).await {
        let room = limit.saturating_sub(into.len()).min(length);
        into.extend_from_slice(buffer.get(..room).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests;
