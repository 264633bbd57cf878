//! The key that a program or a webhook reports, so that no other key is replaced.
//!
//! Invariant: the key is queried before each order, and a key that is neither the old nor the new
//! one stops the delivery. A program that reports no key gets the ID of the key to be replaced, and
//! can compare it itself.

use keywright_base::Secret;
use keywright_rotation::{
    model::KeyId,
    ports::{SinkBackup, SinkContent, SinkError},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{document::foreign_key, text::printable_id};

/// The key that was reported before the delivery.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct ProgramBackup {
    /// Whether a key was reported at all.
    readable: bool,
    key: Option<String>,
}

impl ProgramBackup {
    /// Serializes it as a backup.
    pub(super) fn backup(held: &SinkContent) -> Result<SinkBackup, SinkError> {
        let answered = Self {
            readable: *held != SinkContent::Unreadable,
            key: key(held),
        };
        let bytes = serde_json::to_vec(&answered);
        let bytes = bytes.map_err(|error| SinkError::Never(error.to_string()))?;
        Ok(Secret::new(bytes))
    }

    /// Parses a backup. Earlier versions wrote none.
    pub(super) fn read(backup: &SinkBackup) -> Self {
        serde_json::from_slice(backup.expose()).unwrap_or_default()
    }

    /// The ID of the key that was there, for programs that compare it themselves.
    pub(super) fn key(&self) -> Value {
        self.key.clone().into()
    }

    /// Checks that it is still that key, or the new one already.
    pub(super) fn check(
        &self,
        name: &str,
        now: &SinkContent,
        new: &KeyId,
    ) -> Result<(), SinkError> {
        let now_key = key(now);
        if !self.readable
            || *now == SinkContent::Unreadable
            || now_key == self.key
            || now_key.as_ref() == Some(&new.0)
        {
            return Ok(());
        }
        let listed = |key: &Option<String>| match key {
            Some(id) => printable_id(id).to_owned(),
            None => "no key".to_owned(),
        };
        let why = foreign_key(&listed(&now_key), &listed(&self.key), new);
        Err(SinkError::Never(format!("{name}: {why}")))
    }
}

fn key(held: &SinkContent) -> Option<String> {
    held.key_id().map(|id| id.0.clone())
}

#[test]
fn what_a_program_reports_instead_of_a_key_is_not_repeated() {
    let reported = |text: &str| SinkContent::Key(KeyId(text.to_owned()));
    let backup = ProgramBackup::backup(&reported("AKIAIOSFODNN7EXAMPLE")).unwrap();
    let new = KeyId("AKIAIOSFODNN7EXAMPL2".to_owned());
    for hostile in [
        "a\u{1b}[31m",
        "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYAB",
        "a\nb",
    ] {
        let checked = ProgramBackup::read(&backup).check("x", &reported(hostile), &new);
        let text = checked.unwrap_err().to_string();
        assert!(
            text.contains("holds a value that is not an access key ID"),
            "{text}"
        );
        assert!(!text.contains(hostile), "{text}");
    }
}
