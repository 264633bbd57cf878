//! `command:PROGRAM ARGUMENTS`: a program that receives the notice as JSON on standard input.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use keywright_base::Secret;

use super::{Channel, DispatchContext, NoticeMessage};
use keywright_sinks::environment;
use keywright_sinks::running::{self, ProgramLimits};

const LIMITS: ProgramLimits = ProgramLimits {
    time: Duration::from_secs(30),
    // The output is ignored.
    output: 64 * 1024,
};

/// A program with its arguments.
struct CommandChannel {
    program: String,
    arguments: Vec<String>,
}

pub(super) fn parse(line: &str) -> Result<Arc<dyn Channel>, String> {
    let mut words = shell_words::split(line)
        .map_err(|error| error.to_string())?
        .into_iter();
    let program = words.next().ok_or("no program given")?;
    Ok(Arc::new(CommandChannel {
        program,
        arguments: words.collect(),
    }))
}

#[async_trait]
impl Channel for CommandChannel {
    fn label(&self) -> String {
        self.program.clone()
    }

    async fn send(
        &self,
        message: &NoticeMessage<'_>,
        _: &DispatchContext<'_>,
    ) -> Result<(), String> {
        let input = Secret::new(message.json().to_string().into_bytes());
        let mut command = environment::program(&self.program);
        command.args(&self.arguments);
        let ended = running::run(command, &input, LIMITS).await;
        let ended = ended.map_err(|failure| failure.to_string())?;
        if ended.status.success() {
            Ok(())
        } else {
            Err(ended.status.to_string())
        }
    }
}
