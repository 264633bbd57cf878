//! A change of the master key in progress: a file in the data folder.
//!
//! Invariant: the file holds each of the two master keys sealed by the other, so a server that has
//! either has both. It is removed only when everything is sealed by the new key. After a crash at
//! any point, reading the file and finishing the work recovers. The file contains no plaintext
//! secret.

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::Entropy;
use keywright_vault::{MasterKey, OpenError, SealedValue};
use serde::{Deserialize, Serialize};

/// Where the new key is stored after the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyLocation {
    /// `master.key` in the data folder.
    Folder,
    /// The data folder, encrypted by a key service. Holds the encrypted key.
    Wrapped(String),
    /// Wherever the operator put it.
    Elsewhere,
}

/// The format of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredChange {
    from: String,
    to: String,
    to_sealed_by_from: String,
    from_sealed_by_to: String,
    home: KeyLocation,
}

/// A change with both keys.
#[derive(Debug)]
pub(crate) struct KeyChange {
    pub(crate) from: MasterKey,
    pub(crate) to: MasterKey,
    pub(crate) home: KeyLocation,
}

impl KeyChange {
    /// Serializes the change.
    ///
    /// # Errors
    /// If encryption or encoding fails.
    pub(crate) fn to_bytes(&self, entropy: &dyn Entropy) -> anyhow::Result<Vec<u8>> {
        let Self { from, to, home } = self;
        let sealed = |by: &MasterKey, other: &MasterKey| {
            let sealed = by.seal_other(other, entropy)?;
            Ok::<_, OpenError>(BASE64_STANDARD.encode(sealed.as_bytes()))
        };
        Ok(serde_json::to_vec(&StoredChange {
            from: from.id().to_string(),
            to: to.id().to_string(),
            to_sealed_by_from: sealed(from, to)?,
            from_sealed_by_to: sealed(to, from)?,
            home: home.clone(),
        })?)
    }

    /// Opens the file with either of its keys. The inner error returns the key if the change is
    /// between two other keys.
    ///
    /// # Errors
    /// If the file is damaged.
    pub(crate) fn open(bytes: &[u8], given: MasterKey) -> anyhow::Result<Result<Self, MasterKey>> {
        let stored: StoredChange = serde_json::from_slice(bytes)?;
        let id = given.id().to_string();
        let other = |id: &str, sealed: &str| {
            let sealed = SealedValue::from_bytes(&BASE64_STANDARD.decode(sealed)?);
            anyhow::Ok(given.open_other(id, &sealed)?)
        };
        let (from, to) = if id == stored.from {
            let to = other(&stored.to, &stored.to_sealed_by_from)?;
            (given, to)
        } else if id == stored.to {
            let from = other(&stored.from, &stored.from_sealed_by_to)?;
            (from, given)
        } else {
            return Ok(Err(given));
        };
        let home = stored.home;
        Ok(Ok(Self { from, to, home }))
    }
}
