//! Destinations that hold an access key for its consumers, one file per kind.
//!
//! A destination is named by a string, `KIND:PLACE`, on the command line, in a fleet file and in
//! the journal. [`SinkSpec`] parses it and [`SinkSpec::open`] opens the sink. Invariants: a name
//! means the same wherever and whenever it is read, so the paths in it are absolute; and a name
//! contains no secret. [`KINDS`] is the only list of the kinds: the help text and the table in
//! `docs/rotation.md` are generated from it.

mod after;
mod aws_profile;
pub mod aws_store;
mod azure;
mod bearer;
mod circleci;
mod command;
mod csv;
mod document;
mod dotenv;
pub mod environment;
mod file;
mod file_name;
#[cfg(feature = "github")]
mod github;
mod gitlab;
mod google;
mod json;
pub mod key_services;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod names;
mod onepassword;
mod optional;
mod person;
mod program;
mod public_name;
mod quoted;
mod replace;
mod rest;
pub mod running;
mod ssh;
mod text;
mod vault;
pub mod webhook;

use std::{
    fmt::{self, Write},
    path::PathBuf,
    str::FromStr,
    sync::Arc,
};

use async_trait::async_trait;
use keywright_base::Clock;
use keywright_rotation::ports::Sink;

pub use self::aws_profile::variable;
pub use self::optional::LEFT_OUT;
pub use self::public_name::public_name;

/// Every kind of destination, in the order of the help text.
const KINDS: &[&SinkKind] = &[
    &file_name::AWS_PROFILE,
    &file_name::DOTENV,
    &file_name::JSON,
    &file_name::CSV,
    &ssh::KIND,
    &command::KIND,
    &webhook::KIND,
    &aws_store::SECRETS_MANAGER,
    &aws_store::SSM,
    &vault::KIND,
    &google::KIND,
    &azure::KIND,
    &onepassword::KIND,
    &optional::KUBERNETES,
    &optional::GITHUB,
    &gitlab::KIND,
    &circleci::KIND,
];

/// A kind of destination: everything that other modules need to know about it.
struct SinkKind {
    /// What comes before the colon of a name.
    prefix: &'static str,
    /// What comes after the colon, for the help text.
    syntax: &'static str,
    /// What is written there, in a few words.
    writes: &'static str,
    /// Parses the part after the colon, which is never empty and has no control characters.
    parse: fn(&str) -> Result<Box<dyn ParsedDestination>, String>,
}

/// A parsed destination. `Display` writes what [`SinkKind::parse`] reads.
#[async_trait]
trait ParsedDestination: fmt::Debug + fmt::Display + Send + Sync {
    /// What the user should know before a key is written there. `old_known` says whether another
    /// destination of the rotation holds the old key pair in readable form.
    fn caveats(&self, _old_known: bool) -> Vec<String> {
        Vec::new()
    }

    /// The name that callers of a server may see: without the arguments of programs and the queries
    /// of URLs, where operators put private values. The name of a store has neither.
    fn public(&self) -> String {
        self.to_string()
    }

    /// The host, folder or program behind it; see [`SinkSpec::backend`]. Empty if all destinations
    /// of the kind use the same service.
    fn backend(&self) -> String {
        String::new()
    }

    /// Opens the destination under its full name. Nothing is read or written yet.
    async fn open(&self, name: String, clock: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, String>;
}

/// Why a string names no destination, or the destination cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The kind is unknown.
    #[error("{0} is not of the form KIND:PLACE, where KIND is one of {all}", all = prefixes())]
    Kind(String),
    /// The part after the colon is invalid, or the destination cannot be opened.
    #[error("{0}")]
    Place(String),
}

fn prefixes() -> String {
    let prefixes: Vec<_> = KINDS.iter().map(|kind| kind.prefix).collect();
    prefixes.join(", ")
}

/// The width of the first column of the help text.
const HELP_COLUMNS: usize = 37;

/// The help text: the syntax of every kind, and what is written there.
pub fn help() -> String {
    let mut help = String::new();
    for kind in KINDS {
        let name = format!("  {}:{}", kind.prefix, kind.syntax);
        let _ = match name.len() < HELP_COLUMNS {
            true => writeln!(help, "{name:HELP_COLUMNS$}{}", kind.writes),
            false => writeln!(help, "{name}\n      {}", kind.writes),
        };
    }
    if !LEFT_OUT.is_empty() {
        let _ = writeln!(help, "Not in this build: {}", LEFT_OUT.join(", "));
    }
    help
}

/// The parsed name of a destination.
#[derive(Debug, Clone)]
pub struct SinkSpec {
    kind: &'static str,
    destination: Arc<dyn ParsedDestination>,
}

impl PartialEq for SinkSpec {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for SinkSpec {}

impl FromStr for SinkSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        if text == person::NAME {
            return Ok(Self {
                kind: person::NAME,
                destination: Arc::new(person::ManualSink),
            });
        }
        let unknown = || SpecError::Kind(text.to_owned());
        let (prefix, place) = text.split_once(':').ok_or_else(unknown)?;
        if place.is_empty() || place.chars().any(char::is_control) {
            return Err(SpecError::Place(format!(
                "{prefix}: the destination's name is empty or contains control characters"
            )));
        }
        let kind = KINDS.iter().find(|kind| kind.prefix == prefix);
        let kind = kind.ok_or_else(unknown)?;
        let destination = (kind.parse)(place).map_err(SpecError::Place)?;
        Ok(Self {
            kind: kind.prefix,
            destination: Arc::from(destination),
        })
    }
}

/// Whether a user name that someone else chose can be inserted into the name of a destination
/// without changing the meaning of the rest: a plain word, neither an option nor a path component.
pub fn fits_in_place(user: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let begins = user.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
    begins && user.chars().all(plain) && !user.contains("..")
}

/// Splits a string at its first `#`.
fn fragment(place: &str) -> (&str, Option<&str>) {
    match place.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment)),
        None => (place, None),
    }
}

fn no_home() -> String {
    "there is no home folder: HOME is not set".to_owned()
}

/// Makes a path absolute, so that it means the same to a later command in another folder.
fn absolute(path: &str) -> Result<String, String> {
    if path.is_empty() {
        return Err("no file given".to_owned());
    }
    let path = match path.strip_prefix("~/") {
        Some(rest) => aws_profile::home().ok_or_else(no_home)?.join(rest),
        None => PathBuf::from(path),
    };
    let path = std::path::absolute(&path).map_err(|error| error.to_string())?;
    let utf8 = path.into_os_string().into_string();
    utf8.map_err(|path| format!("{} is not UTF-8", path.display()))
}

impl fmt::Display for SinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_person() {
            return f.write_str(person::NAME);
        }
        write!(f, "{}:{}", self.kind, self.destination)
    }
}

impl SinkSpec {
    /// What the user should know before a key is written there. `old_known` says whether another
    /// destination of the rotation holds the old key pair in readable form.
    pub fn caveats(&self, old_known: bool) -> Vec<String> {
        let message = self.destination.caveats(old_known).into_iter();
        message.map(|caveat| format!("{self}: {caveat}")).collect()
    }

    /// Opens the destination. Nothing is read or written yet.
    ///
    /// # Errors
    /// [`SpecError`].
    pub async fn open(&self, clock: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, SpecError> {
        let opened = self.destination.open(self.to_string(), clock).await;
        opened.map_err(SpecError::Place)
    }

    /// The host, folder, program or service that the destination shares with others: if one of
    /// them is slow, they all are.
    pub fn backend(&self) -> String {
        format!("{}:{}", self.kind, self.destination.backend())
    }

    /// Whether a person is the destination and must be asked.
    pub fn is_person(&self) -> bool {
        self.kind == person::NAME
    }
}

#[cfg(test)]
mod cases_tests;
#[cfg(test)]
mod remote_tests;
#[cfg(test)]
mod suite;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
