//! Seals the secrets of rotations: with the server's vault or, without a server, under a data key
//! in the database that the key file beside it opens.
//!
//! Invariant: without that key, no secret in the database is readable. Sealed bytes open only for
//! the rotation that they were written for.

use std::{fs, io, path::Path, sync::Arc};

use keywright_base::{Entropy, Secret};
use keywright_rotation::{
    model::{Rotation, RotationSecrets},
    ports::JournalError,
};
use keywright_store::durable;
use keywright_vault::{DataVault, KEY_BYTES, MasterKey, SealPurpose, SealedValue};
use rusqlite::{OptionalExtension, Transaction};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::{RotationColumns, failed, unavailable};

pub(super) struct SecretSealer {
    vault: Arc<DataVault>,
    entropy: Arc<dyn Entropy>,
}

/// The plaintext of the sealed bytes.
#[derive(Serialize, Deserialize)]
struct PlainSecrets {
    new: Option<String>,
    old: Option<String>,
    backups: Vec<Option<Vec<u8>>>,
}

impl Drop for PlainSecrets {
    fn drop(&mut self) {
        self.new.zeroize();
        self.old.zeroize();
        for backup in self.backups.iter_mut().flatten() {
            backup.zeroize();
        }
    }
}

/// The key file beside the journal if there is no server.
const KEY_FILE: &str = "rotations.key";

/// Reads the key file. Creates one only if there is no database that an older key may have sealed.
pub(super) fn master_key(
    folder: &Path,
    used: bool,
    entropy: &dyn Entropy,
) -> Result<MasterKey, JournalError> {
    let path = folder.join(KEY_FILE);
    let at = |error: &dyn std::fmt::Display| unavailable(&format!("{}: {error}", path.display()));
    match fs::read(&path) {
        Ok(bytes) if bytes.len() == KEY_BYTES => master(bytes),
        Ok(_) => Err(at(&"it is not a valid key")),
        Err(error) if error.kind() == io::ErrorKind::NotFound && used => Err(at(
            &"it is missing, and no rotation of this journal can continue without it; restore it \
              from your backup",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut bytes = vec![0; KEY_BYTES];
            entropy.fill(&mut bytes);
            let made = Secret::new(bytes);
            match durable::create_new(&path, made.expose()) {
                Ok(()) => master(made.expose().clone()),
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    fs::read(&path).map_err(|error| at(&error)).and_then(master)
                }
                Err(error) => Err(at(&error)),
            }
        }
        Err(error) => Err(at(&error)),
    }
}

fn master(bytes: Vec<u8>) -> Result<MasterKey, JournalError> {
    MasterKey::new(Secret::new(bytes)).map_err(|error| unavailable(&error))
}

/// The stored data key of a journal without a server.
fn stored_key(transaction: &Transaction<'_>) -> Result<Option<SealedValue>, JournalError> {
    let stored: Option<Vec<u8>> = transaction
        .query_row(
            "SELECT value FROM setting WHERE name = 'data-key'",
            [],
            |row| row.get(0),
        )
        .optional()
        .map_err(failed)?;
    Ok(stored.map(|bytes| SealedValue::from_bytes(&bytes)))
}

/// Removes the key file of a journal that the server's vault seals.
pub(super) fn forget_key_file(folder: &Path) -> Result<(), JournalError> {
    match fs::remove_file(folder.join(KEY_FILE)) {
        Ok(()) => durable::sync_dir(folder).map_err(|error| unavailable(&error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unavailable(&error)),
    }
}

impl SecretSealer {
    /// Opens the data key, or creates the first one.
    pub(super) fn open(
        transaction: &Transaction<'_>,
        master: &MasterKey,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, JournalError> {
        let vault = match stored_key(transaction)? {
            Some(sealed) => DataVault::unlock(master, &[(1, sealed)]),
            None => {
                let (vault, sealed) =
                    DataVault::create(master, &*entropy).map_err(|error| unavailable(&error))?;
                transaction
                    .execute(
                        "INSERT INTO setting (name, value) VALUES ('data-key', ?1)",
                        [sealed.as_bytes()],
                    )
                    .map_err(failed)?;
                Ok(vault)
            }
        };
        let vault = Arc::new(vault.map_err(|error| unavailable(&error))?);
        Ok(Self { vault, entropy })
    }

    /// Switches to the server's vault. Secrets that a key file beside the database sealed, as in
    /// version 0.1, are sealed again. The key file itself is removed after the transaction.
    pub(super) fn of_server(
        transaction: &Transaction<'_>,
        folder: &Path,
        vault: Arc<DataVault>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, JournalError> {
        let seal = Self { vault, entropy };
        if let Some(sealed) = stored_key(transaction)? {
            let master = master_key(folder, true, &*seal.entropy)?;
            let old = DataVault::unlock(&master, &[(1, sealed)]);
            let old = old.map_err(|error| unavailable(&error))?;
            seal.again(transaction, |_| true, &old)?;
            transaction
                .execute("DELETE FROM setting WHERE name = 'data-key'", [])
                .map_err(failed)?;
        }
        Ok(seal)
    }

    /// Seals secrets again that an older key of the vault sealed.
    pub(super) fn renew(&self, transaction: &Transaction<'_>) -> Result<(), JournalError> {
        let stale = |sealed: &SealedValue| !self.vault.is_current(sealed);
        self.again(transaction, stale, &self.vault)
    }

    fn again(
        &self,
        transaction: &Transaction<'_>,
        stale: impl Fn(&SealedValue) -> bool,
        old: &DataVault,
    ) -> Result<(), JournalError> {
        let mut statement = transaction
            .prepare("SELECT id, secrets FROM rotation WHERE secrets IS NOT NULL")
            .map_err(failed)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        let rows: Result<Vec<(String, Vec<u8>)>, _> = rows.map_err(failed)?.collect();
        for (id, bytes) in rows.map_err(failed)? {
            let sealed = SealedValue::from_bytes(&bytes);
            if !stale(&sealed) {
                continue;
            }
            let place = (SealPurpose::Rotation, id.as_str());
            let plain = old.open(place, sealed.as_bytes());
            let plain = plain.map_err(|error| unavailable(&error))?;
            let sealed = self.vault.seal(place, plain.expose(), &*self.entropy);
            let sealed = sealed.map_err(|error| unavailable(&error))?;
            transaction
                .execute(
                    "UPDATE rotation SET secrets = ?2 WHERE id = ?1",
                    (&id, sealed.as_bytes()),
                )
                .map_err(failed)?;
        }
        Ok(())
    }

    /// Converts a rotation to its columns, with its secrets sealed separately.
    pub(super) fn columns(
        &self,
        rotation: &Rotation,
    ) -> Result<(String, Option<Vec<u8>>), JournalError> {
        let body = serde_json::to_string(rotation).map_err(|error| unavailable(&error))?;
        let secrets = &rotation.secrets;
        let plain = PlainSecrets {
            new: secrets.new.as_ref().map(|secret| secret.expose().clone()),
            old: secrets.old.as_ref().map(|secret| secret.expose().clone()),
            backups: secrets
                .backups
                .iter()
                .map(|backup| backup.as_ref().map(|backup| backup.expose().clone()))
                .collect(),
        };
        let plain = Secret::new(serde_json::to_vec(&plain).map_err(|error| unavailable(&error))?);
        let place = (SealPurpose::Rotation, rotation.id.0.as_str());
        let sealed = self.vault.seal(place, plain.expose(), &*self.entropy);
        let sealed = sealed.map_err(|error| unavailable(&error))?;
        Ok((body, Some(sealed.as_bytes().to_vec())))
    }

    /// Restores a rotation from its columns.
    pub(super) fn rotation(&self, columns: RotationColumns) -> Result<Rotation, JournalError> {
        let mut rotation: Rotation =
            serde_json::from_str(&columns.body).map_err(|error| unavailable(&error))?;
        let Some(sealed) = columns.secrets else {
            return Ok(rotation);
        };
        let place = (SealPurpose::Rotation, columns.id.as_str());
        let plain = self.vault.open(place, &sealed);
        let plain = plain.map_err(|error| unavailable(&error))?;
        let mut plain: PlainSecrets =
            serde_json::from_slice(plain.expose()).map_err(|error| unavailable(&error))?;
        rotation.secrets = RotationSecrets {
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
