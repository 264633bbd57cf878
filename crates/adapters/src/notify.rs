//! Telling people how rotations went: a program, or a webhook.
//!
//! It protects one rule: news hold names and reasons, never a secret; there is none in them to
//! begin with.

use std::time::Duration;

use keywright_base::Secret;
use keywright_rotation::model::RotationId;
use serde::Serialize;

use crate::{
    environment, http,
    sinks::running::{self, Limits},
};

const LIMITS: Limits = Limits {
    time: Duration::from_secs(60),
    // It is not read.
    output: 64 * 1024,
};

/// What happened to one user's rotation, or in an account.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct News<'a> {
    /// The account's number.
    pub account: &'a str,
    /// The user, if it is about one.
    #[serde(rename = "UserName")]
    pub user: Option<&'a str>,
    /// The rotation, if there is one.
    #[serde(serialize_with = "id", rename = "RotationId")]
    pub rotation: Option<&'a RotationId>,
    /// `over`, `held`, `failed`, `warning`: it waits longer than it should; or `stopped`: after
    /// failures in a row nothing more was begun in the account.
    pub outcome: &'a str,
    /// The reason.
    pub why: &'a str,
}

fn id<S: serde::Serializer>(id: &Option<&RotationId>, to: S) -> Result<S::Ok, S::Error> {
    id.map(|id| &id.0).serialize(to)
}

/// Whether a text names whom to tell.
///
/// # Errors
/// A sentence.
pub fn check_target(target: &str) -> Result<(), String> {
    match target.split_once(':') {
        Some(("command", line)) => {
            let words = shell_words::split(line).map_err(|error| error.to_string())?;
            words
                .first()
                .map(drop)
                .ok_or_else(|| "it names no program".to_owned())
        }
        Some(("webhook", url)) => match reqwest::Url::parse(url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
            Ok(_) => Err("a webhook has an http or https address".to_owned()),
            Err(error) => Err(format!("not an address: {error}")),
        },
        _ => Err("it is neither command:PROGRAM nor webhook:URL".to_owned()),
    }
}

/// Tells `command:PROGRAM ARGUMENTS` on its standard input, or `webhook:URL` by POST; JSON.
///
/// # Errors
/// A sentence.
pub async fn tell(target: &str, news: &News<'_>) -> Result<(), String> {
    let text = serde_json::to_string(news).map_err(|error| error.to_string())?;
    match target.split_once(':') {
        Some(("command", line)) => run(line, &text).await,
        Some(("webhook", url)) => post(url, text).await,
        _ => Err("it is neither command:PROGRAM nor webhook:URL".to_owned()),
    }
}

async fn run(line: &str, text: &str) -> Result<(), String> {
    let words = shell_words::split(line).map_err(|error| error.to_string())?;
    let (program, arguments) = words.split_first().ok_or("it names no program")?;
    let mut command = environment::program(program);
    command.args(arguments);
    let input = Secret::new(text.as_bytes().to_vec());
    let ended = running::run(command, &input, LIMITS).await;
    let ended = ended.map_err(|failure| failure.to_string())?;
    if ended.status.success() {
        Ok(())
    } else {
        Err(ended.status.to_string())
    }
}

async fn post(url: &str, text: String) -> Result<(), String> {
    let client = http::client(None).map_err(|error| error.to_string())?;
    let sent = client
        .post(url)
        .header("content-type", "application/json")
        .body(text)
        .send()
        .await;
    let response = sent.map_err(|error| http::root_of(&error))?;
    if response.status().is_success() {
        Ok(())
    } else {
        Err(format!("it answered {}", response.status()))
    }
}

#[cfg(test)]
mod tests {
    use super::{News, tell};
    use crate::environment::tests::holds_no_more;

    #[tokio::test]
    async fn a_program_gets_the_news_and_no_secret_of_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let script = format!(
            "cat > {}; env > {}",
            at("news").display(),
            at("environment").display()
        );
        let target = format!("command:sh -c {}", shell_words::quote(&script));
        let news = News {
            account: "123456789012",
            user: None,
            rotation: None,
            outcome: "stopped",
            why: "x",
        };
        tell(&target, &news).await.unwrap();
        let read = |name| std::fs::read_to_string(at(name)).unwrap();
        assert!(read("news").contains("123456789012"));
        holds_no_more(&read("environment"));
        let failed = tell("command:false", &news).await;
        assert_eq!(failed, Err("exit status: 1".to_owned()));
    }
}
