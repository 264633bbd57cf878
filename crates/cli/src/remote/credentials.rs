//! The user's AWS credentials, from the places where every AWS client looks: a named profile, the
//! environment, the default profile of the credentials file.
//!
//! It only reads. Profiles that name a process, a role or a sign-in page are not followed: the
//! message says so, and `aws configure export-credentials` turns them into environment variables.

use std::{fs, path::PathBuf};

use anyhow::{Context, bail, ensure};
use keywright_base::{Secret, limits};

/// Credentials to sign with.
#[derive(Debug)]
pub(crate) struct Found {
    /// Access key id.
    pub(crate) id: String,
    /// Secret access key.
    pub(crate) secret: Secret<String>,
    /// Session token of temporary credentials.
    pub(crate) token: Option<Secret<String>>,
}

/// A variable of the environment, if it is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "AWS's variables, read where every AWS client reads them; secrets are no flags"
    )]
    let value = std::env::var(name).ok();
    value.filter(|value| !value.is_empty())
}

/// Finds credentials. A profile given by flag goes before the environment, one named by
/// `AWS_PROFILE` after it, as with the AWS CLI.
///
/// # Errors
/// When there are none, or a file cannot be read; never with a secret in the text.
pub(crate) fn find(
    profile: Option<&str>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<Found> {
    if let (None, Some(id)) = (profile, variable("AWS_ACCESS_KEY_ID")) {
        let secret = variable("AWS_SECRET_ACCESS_KEY")
            .context("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not")?;
        return Ok(Found {
            id,
            secret: Secret::new(secret),
            token: variable("AWS_SESSION_TOKEN").map(Secret::new),
        });
    }
    let named = profile.map(ToOwned::to_owned);
    let named = named.or_else(|| variable("AWS_PROFILE"));
    let profile = named.as_deref().unwrap_or("default");
    let path = file(variable)?;
    let text = read(&path)?;
    let Some(text) = text else {
        bail!(
            "no credentials: there is no {}\nhint: set AWS_SHARED_CREDENTIALS_FILE and \
             AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            path.display()
        );
    };
    of_profile(text.expose(), profile)
        .with_context(|| format!("cannot use profile {profile} of {}", path.display()))
}

fn file(variable: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<PathBuf> {
    if let Some(path) = variable("AWS_SHARED_CREDENTIALS_FILE") {
        return Ok(path.into());
    }
    let home = variable("HOME").context("no credentials: HOME is not set")?;
    Ok(PathBuf::from(home).join(".aws").join("credentials"))
}

fn read(path: &PathBuf) -> anyhow::Result<Option<Secret<String>>> {
    let cannot = || format!("cannot read {}", path.display());
    let size = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(cannot),
    };
    ensure!(
        size <= limits::CREDENTIALS_FILE_BYTES,
        "{} is too long to be a credentials file",
        path.display()
    );
    let text = fs::read_to_string(path).with_context(cannot)?;
    Ok(Some(Secret::new(text)))
}

/// The credentials of one section.
fn of_profile(text: &str, profile: &str) -> anyhow::Result<Found> {
    let mut inside = false;
    let mut present = false;
    let (mut id, mut secret, mut token) = (None, None, None);
    for line in text.lines().map(str::trim) {
        let section = line
            .strip_prefix('[')
            .and_then(|line| line.split(']').next());
        if let Some(section) = section {
            inside = section.trim() == profile;
            present |= inside;
        } else if inside && !line.starts_with(['#', ';']) {
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.trim().to_owned();
            match name.trim() {
                "aws_access_key_id" => id = Some(value),
                "aws_secret_access_key" => secret = Some(Secret::new(value)),
                "aws_session_token" => token = Some(Secret::new(value)),
                _ => {}
            }
        }
    }
    ensure!(present, "there is no such profile");
    match (id, secret) {
        (Some(id), Some(secret)) => Ok(Found { id, secret, token }),
        _ => bail!(
            "it has no aws_access_key_id with aws_secret_access_key\nhint: other kinds of \
             profiles become variables with: aws configure export-credentials --format env"
        ),
    }
}
