//! Places that keep a key for its consumers, one file each.
//!
//! A place is named by text, `KIND:PLACE`, on the command line, in a fleet file and in the journal;
//! [`Spec`] reads it and [`Spec::open`] makes the sink. It protects two rules: what a name says is
//! the same wherever and whenever it is read, so paths in it are absolute; and a name holds no
//! secret. [`KINDS`] is the one list of them: the help text and the table in `docs/rotation.md` are
//! made of it.

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
mod github;
mod gitlab;
mod google;
mod json;
pub mod key_services;
mod kubernetes;
mod names;
mod onepassword;
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
pub use self::public_name::public_name;

/// Every kind of place, in the order in which a person reads them.
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
    &kubernetes::KIND,
    &github::KIND,
    &gitlab::KIND,
    &circleci::KIND,
];

/// A kind of place: all that is known of it outside its own file.
struct SinkKind {
    /// What stands before the colon of a name.
    prefix: &'static str,
    /// What follows it, for the help text.
    syntax: &'static str,
    /// What is written there, in a few words.
    writes: &'static str,
    /// Reads what follows the colon; never empty, and without control characters.
    parse: fn(&str) -> Result<Box<dyn ParsedDestination>, String>,
}

/// A place as its name describes it. `Display` writes what [`SinkKind::parse`] reads.
#[async_trait]
trait ParsedDestination: fmt::Debug + fmt::Display + Send + Sync {
    /// What a person should know before it is written. `old_known` says whether another place of
    /// the rotation holds the old pair where it can be read.
    fn caveats(&self, _old_known: bool) -> Vec<String> {
        Vec::new()
    }

    /// What callers of a server may know of it: without arguments of programs and queries of
    /// addresses, where operators put what is not for others. A name of a store has neither.
    fn public(&self) -> String {
        self.to_string()
    }

    /// Opens it under its full name; nothing is read or written yet.
    async fn open(&self, name: String, clock: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, String>;
}

/// Why a text names no place, or the place cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// There is no such kind.
    #[error("{0} is not KIND:PLACE with one of the kinds {all}", all = prefixes())]
    Kind(String),
    /// The place is not written as its kind wants it.
    #[error("{0}")]
    Place(String),
}

fn prefixes() -> String {
    let prefixes: Vec<_> = KINDS.iter().map(|kind| kind.prefix).collect();
    prefixes.join(", ")
}

/// Columns of a name in the help text, where what is written there stands beside it.
const HELP_COLUMNS: usize = 37;

/// How every place is named, and what is written there, for a help text.
pub fn help() -> String {
    let mut help = String::new();
    for kind in KINDS {
        let name = format!("  {}:{}", kind.prefix, kind.syntax);
        let _ = match name.len() < HELP_COLUMNS {
            true => writeln!(help, "{name:HELP_COLUMNS$}{}", kind.writes),
            false => writeln!(help, "{name}\n      {}", kind.writes),
        };
    }
    help
}

/// The name of a place.
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
            return Err(SpecError::Place(format!("{prefix}: names no place")));
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

fn no_home() -> String {
    "there is no home folder: HOME is not set".to_owned()
}

/// A path that means the same to a later command that runs elsewhere.
fn absolute(path: &str) -> Result<String, String> {
    if path.is_empty() {
        return Err("names no file".to_owned());
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
    /// What a person should know of the place before it is written. `old_known` says whether
    /// another place of the rotation holds the old pair where it can be read.
    pub fn caveats(&self, old_known: bool) -> Vec<String> {
        let message = self.destination.caveats(old_known).into_iter();
        message.map(|caveat| format!("{self}: {caveat}")).collect()
    }

    /// Opens the place; nothing is read or written yet.
    ///
    /// # Errors
    /// [`SpecError`].
    pub async fn open(&self, clock: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, SpecError> {
        let opened = self.destination.open(self.to_string(), clock).await;
        opened.map_err(SpecError::Place)
    }

    /// Whether it is a person, who must be asked.
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
