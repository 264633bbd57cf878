//! Secrets of rotations, sealed: under a data key in the database, which the key file beside it
//! opens.
//!
//! It protects one rule: without the key file the database holds no secret that anyone can read,
//! and sealed bytes open only for the rotation that they were written for.

use std::{fs, io, path::Path, sync::Arc};

use keywright_base::{Entropy, Secret};
use keywright_identity::vault::{KEY_BYTES, Purpose, Sealed, Vault};
use keywright_rotation::{
    model::{Rotation, Secrets},
    ports::JournalError,
};
use keywright_store::durable;
use rusqlite::{OptionalExtension, Transaction};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::{Columns, failed, unavailable};

/// Seals and opens the secrets of rotations.
pub(super) struct Seal {
    vault: Vault,
    entropy: Arc<dyn Entropy>,
}

/// The secrets as they are sealed.
#[derive(Serialize, Deserialize)]
struct Plain {
    new: Option<String>,
    old: Option<String>,
    backups: Vec<Option<Vec<u8>>>,
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.new.zeroize();
        self.old.zeroize();
        for backup in self.backups.iter_mut().flatten() {
            backup.zeroize();
        }
    }
}

/// The key beside the database; a new one only where there is no database that an older one may
/// have sealed.
pub(super) fn master_key(
    folder: &Path,
    used: bool,
    entropy: &dyn Entropy,
) -> Result<Secret<Vec<u8>>, JournalError> {
    let path = folder.join("rotations.key");
    let at = |error: &dyn std::fmt::Display| unavailable(&format!("{}: {error}", path.display()));
    match fs::read(&path) {
        Ok(bytes) if bytes.len() == KEY_BYTES => Ok(Secret::new(bytes)),
        Ok(_) => Err(at(&"it is not a key")),
        Err(error) if error.kind() == io::ErrorKind::NotFound && used => Err(at(
            &"it is missing, and without it no rotation of this journal can go on; \
              restore it from your backup",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut bytes = vec![0; KEY_BYTES];
            entropy.fill(&mut bytes);
            let made = Secret::new(bytes);
            match durable::create_new(&path, made.expose()) {
                Ok(()) => Ok(made),
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    fs::read(&path).map(Secret::new).map_err(|error| at(&error))
                }
                Err(error) => Err(at(&error)),
            }
        }
        Err(error) => Err(at(&error)),
    }
}

impl Seal {
    /// Opens the data key, or makes the first one.
    pub(super) fn open(
        transaction: &Transaction<'_>,
        master: &Secret<Vec<u8>>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, JournalError> {
        let stored: Option<Vec<u8>> = transaction
            .query_row(
                "SELECT value FROM setting WHERE name = 'data-key'",
                [],
                |row| row.get(0),
            )
            .optional()
            .map_err(failed)?;
        let vault = match stored {
            Some(bytes) => Vault::unlock(master, &Sealed::from_bytes(&bytes)),
            None => {
                let (vault, sealed) =
                    Vault::create(master, &*entropy).map_err(|error| unavailable(&error))?;
                transaction
                    .execute(
                        "INSERT INTO setting (name, value) VALUES ('data-key', ?1)",
                        [sealed.as_bytes()],
                    )
                    .map_err(failed)?;
                Ok(vault)
            }
        };
        let vault = vault.map_err(|error| unavailable(&error))?;
        Ok(Self { vault, entropy })
    }

    /// A rotation as it is stored: everything but its secrets, and those sealed.
    pub(super) fn columns(
        &self,
        rotation: &Rotation,
    ) -> Result<(String, Option<Vec<u8>>), JournalError> {
        let body = serde_json::to_string(rotation).map_err(|error| unavailable(&error))?;
        let secrets = &rotation.secrets;
        let plain = Plain {
            new: secrets.new.as_ref().map(|secret| secret.expose().clone()),
            old: secrets.old.as_ref().map(|secret| secret.expose().clone()),
            backups: secrets
                .backups
                .iter()
                .map(|backup| backup.as_ref().map(|backup| backup.expose().clone()))
                .collect(),
        };
        let plain = Secret::new(serde_json::to_vec(&plain).map_err(|error| unavailable(&error))?);
        let place = (Purpose::Rotation, rotation.id.0.as_str());
        let sealed = self.vault.seal(place, plain.expose(), &*self.entropy);
        let sealed = sealed.map_err(|error| unavailable(&error))?;
        Ok((body, Some(sealed.as_bytes().to_vec())))
    }

    /// A rotation as it was stored.
    pub(super) fn rotation(&self, columns: Columns) -> Result<Rotation, JournalError> {
        let mut rotation: Rotation =
            serde_json::from_str(&columns.body).map_err(|error| unavailable(&error))?;
        let Some(sealed) = columns.secrets else {
            return Ok(rotation);
        };
        let place = (Purpose::Rotation, columns.id.as_str());
        let plain = self.vault.open(place, &sealed);
        let plain = plain.map_err(|error| unavailable(&error))?;
        let mut plain: Plain =
            serde_json::from_slice(plain.expose()).map_err(|error| unavailable(&error))?;
        rotation.secrets = Secrets {
            new: plain.new.take().map(Secret::new),
            old: plain.old.take().map(Secret::new),
            backups: plain
                .backups
                .iter_mut()
                .map(Option::take)
                .map(|b| b.map(Secret::new))
                .collect(),
        };
        Ok(rotation)
    }
}
