//! Telling people how rotations went: a program, or a webhook.
//!
//! It protects one rule: news hold names and reasons, never a secret; there is none in them to
//! begin with.

use std::{process::Stdio, time::Duration};

use keywright_rotation::model::RotationId;
use serde::Serialize;
use tokio::{io::AsyncWriteExt, process::Command};

use crate::http;

/// Seconds that a program gets.
const LIMIT_SECS: u64 = 60;

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
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        // A program that does not listen says so by its exit code.
        let _ = input.write_all(text.as_bytes()).await;
    }
    let ended = tokio::time::timeout(Duration::from_secs(LIMIT_SECS), child.wait()).await;
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(status.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no end after {LIMIT_SECS} seconds")),
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
