//! Places that keep a key for its consumers, one file each.
//!
//! A place is named by text, `KIND:PLACE`, on the command line, in a fleet file and in the journal;
//! [`Spec`] reads it and [`Spec::open`] makes the sink. It protects two rules: what a name says is
//! the same wherever and whenever it is read, so paths in it are absolute; and a name holds no
//! secret.

mod after;
mod aws_profile;
pub(crate) mod aws_store;
mod command;
mod csv;
mod document;
mod dotenv;
mod file;
mod file_name;
mod github;
mod json;
mod kubernetes;
mod person;
mod program;
mod quoted;
mod replace;
mod running;
mod ssh;
mod text;
pub(crate) mod vault;
mod webhook;

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

use keywright_base::Clock;
use keywright_rotation::ports::Sink;
use reqwest::Url;

use crate::http;

use self::{
    after::Followed,
    aws_store::{Place, SecretsManager, Ssm},
    command::Command,
    document::DocumentSink,
    file::FileSink,
    file_name::FileName,
    github::Github,
    json::Json,
    kubernetes::Kubernetes,
    person::Person,
    ssh::RemoteFile,
    vault::Vault,
    webhook::Webhook,
};

/// Why a text names no place, or the place cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// There is no such kind.
    #[error("{0} is not KIND:PLACE with one of the kinds {all}", all = KINDS.join(", "))]
    Kind(String),
    /// The place is not written as its kind wants it.
    #[error("{0}")]
    Place(String),
}

const KINDS: [&str; 12] = [
    "aws-profile",
    "dotenv",
    "json",
    "csv",
    "command",
    "webhook",
    "secretsmanager",
    "ssm",
    "vault",
    "kubernetes",
    "github",
    "ssh",
];

/// The name of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    File(FileName),
    Ssh(ssh::Place),
    Command(Command),
    Webhook(Url),
    SecretsManager(Json, Place),
    Ssm(Json, Place),
    Vault(Json, String),
    Kubernetes(kubernetes::Place),
    Github(github::Place),
    Person,
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        if text == person::NAME {
            return Ok(Self(Kind::Person));
        }
        let unknown = || SpecError::Kind(text.to_owned());
        let (kind, place) = text.split_once(':').ok_or_else(unknown)?;
        if place.is_empty() || place.chars().any(char::is_control) {
            return Err(SpecError::Place(format!("{kind}: names no place")));
        }
        Ok(Self(match kind {
            kind if file_name::KINDS.contains(&kind) => {
                let file = FileName::new(kind, place).map_err(SpecError::Place)?;
                Kind::File(FileName {
                    path: absolute(&file.path)?,
                    ..file
                })
            }
            "ssh" => Kind::Ssh(ssh::Place::new(place).map_err(SpecError::Place)?),
            "command" => Kind::Command(Command::new(place).map_err(SpecError::Place)?),
            "webhook" => Kind::Webhook(http::address(place).map_err(SpecError::Place)?),
            "secretsmanager" | "ssm" => {
                let (place, pointers) = fragment(place);
                let format = Json::new(pointers).map_err(SpecError::Place)?;
                let place = Place::new(place).map_err(SpecError::Place)?;
                match kind {
                    "ssm" => Kind::Ssm(format, place),
                    _ => Kind::SecretsManager(format, place),
                }
            }
            "vault" => {
                let (place, pointers) = fragment(place);
                vault::place(place).map_err(SpecError::Place)?;
                Kind::Vault(
                    Json::new(pointers).map_err(SpecError::Place)?,
                    place.to_owned(),
                )
            }
            "kubernetes" => {
                let (place, fields) = fragment(place);
                let place = kubernetes::Place::new(place, fields);
                Kind::Kubernetes(place.map_err(SpecError::Place)?)
            }
            "github" => {
                let (place, names) = fragment(place);
                Kind::Github(github::Place::new(place, names).map_err(SpecError::Place)?)
            }
            _ => return Err(unknown()),
        }))
    }
}

/// Whether a user's name that others chose can stand in a place without changing what the rest of
/// it means: a plain word, neither an option nor a step to another folder.
pub fn fits_in_place(user: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let begins = user.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
    begins && user.chars().all(plain) && !user.contains("..")
}

/// What stands after a `#`.
fn fragment(place: &str) -> (&str, Option<&str>) {
    match place.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment)),
        None => (place, None),
    }
}

fn no_home() -> SpecError {
    SpecError::Place("there is no home folder: HOME is not set".to_owned())
}

/// A file, and the program that runs after it was replaced, where there is one.
fn followed(sink: Box<dyn Sink>, file: &FileName, machine: Option<&ssh::Machine>) -> Box<dyn Sink> {
    match &file.after {
        None => sink,
        Some(after) => Box::new(Followed {
            sink,
            after: after.clone(),
            machine: machine.cloned(),
        }),
    }
}

/// A path that means the same to a later command that runs elsewhere.
fn absolute(path: &str) -> Result<String, SpecError> {
    if path.is_empty() {
        return Err(SpecError::Place("names no file".to_owned()));
    }
    let path = match path.strip_prefix("~/") {
        Some(rest) => aws_profile::home().ok_or_else(no_home)?.join(rest),
        None => PathBuf::from(path),
    };
    let path = std::path::absolute(&path).map_err(|error| SpecError::Place(error.to_string()))?;
    let utf8 = path.into_os_string().into_string();
    utf8.map_err(|path| SpecError::Place(format!("{} is not UTF-8", path.display())))
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::File(file) => write!(f, "{file}"),
            Kind::Ssh(place) => write!(f, "{place}"),
            Kind::Command(command) => write!(f, "command:{}", command.line()),
            Kind::Webhook(url) => write!(f, "webhook:{url}"),
            Kind::SecretsManager(pointers, place) => write!(f, "secretsmanager:{place}{pointers}"),
            Kind::Ssm(pointers, place) => write!(f, "ssm:{place}{pointers}"),
            Kind::Vault(pointers, place) => write!(f, "vault:{place}{pointers}"),
            Kind::Kubernetes(place) => write!(f, "kubernetes:{place}"),
            Kind::Github(place) => write!(f, "github:{place}"),
            Kind::Person => f.write_str(person::NAME),
        }
    }
}

impl Spec {
    /// What a person should know of the place before it is written. `old_known` says whether
    /// another place of the rotation holds the old pair where it can be read.
    pub fn caveats(&self, old_known: bool) -> Vec<String> {
        let caveats = match &self.0 {
            Kind::Github(place) => place.caveats(old_known),
            _ => Vec::new(),
        };
        let said = caveats.into_iter();
        said.map(|caveat| format!("{self}: {caveat}")).collect()
    }

    /// Opens the place; nothing is read or written yet.
    ///
    /// # Errors
    /// [`SpecError`].
    pub async fn open(&self, clock: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, SpecError> {
        let name = self.to_string();
        Ok(match &self.0 {
            Kind::File(file) => {
                let path = PathBuf::from(&file.path);
                let sink = FileSink::new(name, path, file.format.clone());
                followed(Box::new(sink), file, None)
            }
            Kind::Ssh(place) => {
                let store = RemoteFile::new(place);
                let sink = DocumentSink::new(name, place.file.format.clone(), store);
                followed(Box::new(sink), &place.file, Some(&place.machine))
            }
            Kind::Command(command) => Box::new(command.clone()),
            Kind::Webhook(url) => {
                let opened = Webhook::open(name, url.clone(), Arc::clone(clock));
                Box::new(opened.map_err(SpecError::Place)?)
            }
            Kind::SecretsManager(format, place) => {
                let store = SecretsManager::open(place, Arc::clone(clock)).await;
                let store = store.map_err(|error| SpecError::Place(error.to_string()))?;
                Box::new(DocumentSink::new(name, format.clone(), store))
            }
            Kind::Ssm(format, place) => {
                let store = Ssm::open(place, Arc::clone(clock)).await;
                let store = store.map_err(|error| SpecError::Place(error.to_string()))?;
                Box::new(DocumentSink::new(name, format.clone(), store))
            }
            Kind::Vault(format, place) => {
                let (mount, path) = vault::place(place).map_err(SpecError::Place)?;
                let store = Vault::open(mount, path).map_err(SpecError::Place)?;
                Box::new(DocumentSink::new(name, format.clone(), store))
            }
            Kind::Kubernetes(place) => {
                let opened = Kubernetes::open(name, place, Arc::clone(clock));
                Box::new(opened.map_err(SpecError::Place)?)
            }
            Kind::Github(place) => Box::new(Github::open(name, place).map_err(SpecError::Place)?),
            Kind::Person => Box::new(Person),
        })
    }

    /// Whether it is a person, who must be asked.
    pub fn is_person(&self) -> bool {
        self.0 == Kind::Person
    }
}

#[cfg(test)]
mod cases_tests;
#[cfg(test)]
mod remote_tests;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;
