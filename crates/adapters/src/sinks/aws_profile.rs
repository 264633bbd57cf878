//! A profile of AWS's shared credentials file.
//!
//! It protects one rule: nothing of the file changes but the two values of one profile. Comments,
//! order, spaces, line ends and other profiles stay. A file that the AWS CLI would not read,
//! or would read in another way, is refused.

use std::path::PathBuf;

use keywright_base::Secret;
use keywright_rotation::model::{KeyId, Pair};

use super::document::Format;

const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
const TOKEN: &str = "aws_session_token";

/// The name of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AwsProfile(String);

/// Where the AWS CLI looks.
pub(super) fn usual_file() -> Option<PathBuf> {
    let told = variable("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
    let told = told.and_then(|path| std::path::absolute(path).ok());
    told.or_else(|| Some(home()?.join(".aws/credentials")))
}

pub(super) fn home() -> Option<PathBuf> {
    variable("HOME").map(PathBuf::from)
}

pub(super) fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "AWS's and the system's variables, read where every AWS client reads them"
    )]
    let value = std::env::var(name).ok();
    value.filter(|value| !value.is_empty())
}

/// Where the values of a profile stand, as ranges of the text.
#[derive(Default)]
struct Found {
    /// The end of the line of its head.
    head_end: Option<usize>,
    id: Option<std::ops::Range<usize>>,
    secret: Option<std::ops::Range<usize>>,
    token: bool,
}

impl AwsProfile {
    pub(super) fn new(name: &str) -> Result<Self, String> {
        let bad = |c: char| c.is_control() || matches!(c, '[' | ']' | '#' | ';');
        if name.is_empty() || name.trim() != name || name.contains(bad) {
            return Err(format!("{name} is not the name of a profile"));
        }
        Ok(Self(name.to_owned()))
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }

    fn scan(&self, text: &str) -> Result<Found, String> {
        let mut found = Found::default();
        let (mut at, mut inside, mut any) = (0, false, false);
        for (number, whole) in (1..).zip(text.split_inclusive('\n')) {
            let start = at;
            at += whole.len();
            let line = whole.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(head) = line.strip_prefix('[') {
                let name = head.split_once(']');
                let (name, _) = name.ok_or_else(|| format!("line {number}: no ] after ["))?;
                (inside, any) = (name.trim() == self.0, true);
                if inside && found.head_end.replace(at).is_some() {
                    return Err(format!("line {number}: profile {} is there twice", self.0));
                }
                continue;
            }
            if whole.starts_with([' ', '\t']) {
                // A nested setting, or a value that goes on.
                continue;
            }
            let (name, value) = line
                .split_once('=')
                .filter(|_| any)
                .ok_or_else(|| format!("line {number}: neither a profile nor a setting of one"))?;
            if inside {
                let place = place(whole, value, start);
                found
                    .take(name.trim(), place)
                    .map_err(|why| format!("line {number}: {why}"))?;
            }
        }
        if found.token {
            return Err(format!("profile {} holds temporary credentials", self.0));
        }
        Ok(found)
    }
}

/// The first word of a value in the text; an empty place before the line's end where there is none.
fn place(line: &str, value: &str, start: usize) -> std::ops::Range<usize> {
    let word = value.split_whitespace().next().unwrap_or_default();
    let equals = line.find('=').map_or(line.len(), |at| at + 1);
    let after = line.get(equals..).unwrap_or_default();
    let skipped = after.len() - after.trim_start_matches([' ', '\t']).len();
    let from = start + equals + skipped;
    from..from + word.len()
}

impl Found {
    fn take(&mut self, name: &str, place: std::ops::Range<usize>) -> Result<(), String> {
        let name = name.to_ascii_lowercase();
        let slot = match name.as_str() {
            ID => &mut self.id,
            SECRET => &mut self.secret,
            TOKEN => {
                self.token = true;
                return Ok(());
            }
            _ => return Ok(()),
        };
        match slot.replace(place) {
            None => Ok(()),
            Some(_) => Err(format!("{name} is there twice")),
        }
    }
}

/// The text of a file; a byte-order mark is not of it.
pub(super) fn text(content: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(content).map_err(|_| "it is not UTF-8 text".to_owned())
}

impl Format for AwsProfile {
    fn find(&self, content: &[u8]) -> Result<Option<Pair>, String> {
        let text = text(content)?;
        let (_, text) = split_mark(text);
        let found = self.scan(text)?;
        let value = |range: Option<std::ops::Range<usize>>| {
            let value = range.and_then(|range| text.get(range))?;
            (!value.is_empty()).then(|| value.to_owned())
        };
        Ok(value(found.id)
            .zip(value(found.secret).map(Secret::new))
            .map(|(id, secret)| Pair {
                id: KeyId(id),
                secret,
            }))
    }

    fn put(&self, content: Option<&[u8]>, pair: &Pair) -> Result<Vec<u8>, String> {
        let (mark, old) = split_mark(text(content.unwrap_or_default())?);
        let found = self.scan(old)?;
        let end = if old.contains("\r\n") { "\r\n" } else { "\n" };
        let secret = pair.secret.expose();
        let mut edits: Vec<(std::ops::Range<usize>, String)> = Vec::new();
        let mut added = String::new();
        for (name, place, value) in [(ID, found.id, &pair.id.0), (SECRET, found.secret, secret)] {
            match place {
                Some(place) => edits.push((place, value.clone())),
                None => added.push_str(&format!("{name} = {value}{end}")),
            }
        }
        if !added.is_empty() {
            let (at, before) = match found.head_end {
                Some(at) => (
                    at,
                    if old.as_bytes().get(at.wrapping_sub(1)) == Some(&b'\n') {
                        ""
                    } else {
                        end
                    }
                    .to_owned(),
                ),
                None => (old.len(), new_head(old, &self.0, end)),
            };
            edits.push((at..at, format!("{before}{added}")));
        }
        edits.sort_by_key(|(place, _)| place.start);
        let mut new = mark.to_owned();
        let mut from = 0;
        for (place, text) in edits {
            new.push_str(old.get(from..place.start).unwrap_or_default());
            new.push_str(&text);
            from = place.end;
        }
        new.push_str(old.get(from..).unwrap_or_default());
        Ok(new.into_bytes())
    }
}

/// The head of a profile at the end of a file.
fn new_head(old: &str, name: &str, end: &str) -> String {
    let gap = match old {
        "" => "",
        old if old.ends_with('\n') => end,
        _ => &format!("{end}{end}"),
    };
    format!("{gap}[{name}]{end}")
}

/// A byte-order mark, which some editors leave, and the rest.
pub(super) fn split_mark(text: &str) -> (&str, &str) {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest),
        None => ("", text),
    }
}
