//! The journal of rotations: one SQLite file with sealed secrets and a hash-chained history. It
//! also records what was announced and the notices still to be delivered.
//!
//! Invariants:
//!
//! - Anything acknowledged is on disk.
//! - If two processes have the same generation of a rotation, only one of them can continue it.
//! - A secret is removed from the file when its rotation ends.
//!
//! Several processes may have the journal open. It does not decide what a rotation does.

mod history;
mod notices;
mod seal;

use std::{
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use async_trait::async_trait;
use keywright_base::{Clock, Entropy, Timestamp};
use keywright_rotation::{
    model::{Rotation, RotationId},
    ports::{JournalError, RotationJournal},
};
use keywright_store::{durable, reserve::DiskReserve};
use keywright_vault::DataVault;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior};

pub use self::history::{ChainHead, RotationEvent};
pub(crate) use self::notices::{NewNotice, NoticeOutcome, QueuedNotice};
use self::seal::SecretSealer;

/// The schema version. A newer one is rejected and left untouched.
const VERSION: i64 = 1;
const FILE: &str = "rotations.db";

/// The journal in a folder.
#[derive(Clone)]
pub struct SqliteJournal {
    inner: Arc<JournalState>,
}

struct JournalState {
    connection: Mutex<Connection>,
    seal: SecretSealer,
    clock: Arc<dyn Clock>,
    /// Makes room for the next transaction when the disk is full.
    reserve: OnceLock<Arc<DiskReserve>>,
}

/// Bytes that a transaction and the checkpoint after it may write.
const ROOM_BYTES: u64 = 1024 * 1024;

/// A filter for rotations.
#[derive(Debug, Clone, Default)]
pub struct RotationFilter {
    /// The account.
    pub account: String,
    /// The user's unique ID.
    pub user_id: Option<String>,
    /// A single rotation.
    pub id: Option<RotationId>,
    /// Only open rotations.
    pub open: bool,
    /// Only rotations that began before this one.
    pub after: Option<RotationId>,
}

/// A filter for history events.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilter {
    /// The account.
    pub account: String,
    /// The user's unique ID.
    pub user_id: String,
    /// A single rotation.
    pub rotation: Option<RotationId>,
    /// Only events after this number.
    pub after: i64,
}

impl std::fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqliteJournal")
    }
}

fn unavailable(why: &dyn std::fmt::Display) -> JournalError {
    JournalError::Unavailable(why.to_string())
}

fn at(folder: &Path, error: &std::io::Error) -> JournalError {
    unavailable(&format!("{}: {error}", folder.display()))
}

/// SQLite's error, without the statement.
fn failed(error: rusqlite::Error) -> JournalError {
    unavailable(&error)
}

impl SqliteJournal {
    /// Opens the journal of a program that is not a server. Creates the folder (mode 0700), the
    /// database and the key file that seals its secrets (mode 0600) if they do not exist. Blocks.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]; also if the key file of an existing journal is missing.
    pub fn open(
        folder: &Path,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, JournalError> {
        durable::create_dir(folder).map_err(|error| at(folder, &error))?;
        let used = folder.join(FILE).exists();
        let key = seal::master_key(folder, used, &*entropy)?;
        Self::with(folder, clock, |transaction| {
            SecretSealer::open(transaction, &key, entropy)
        })
    }

    /// Opens the journal of a server, in its data folder. The server's vault seals its secrets.
    /// Blocks.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub fn open_sealed_by(
        vault: Arc<DataVault>,
        folder: &Path,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, JournalError> {
        let opened = Self::with(folder, clock, |transaction| {
            SecretSealer::of_server(transaction, folder, vault, entropy)
        })?;
        seal::forget_key_file(folder)?;
        Ok(opened)
    }

    /// Whether the journal in a folder records any rotation. Creates no journal, and needs no key.
    /// Blocks.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub fn has_rotations(folder: &Path) -> Result<bool, JournalError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(false);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(failed)?;
        // A file without tables is a journal that was about to be created.
        let created = connection.table_exists(None, "rotation").map_err(failed)?;
        let any = || {
            connection.query_row("SELECT EXISTS (SELECT 1 FROM rotation)", [], |row| {
                row.get(0)
            })
        };
        if created {
            any().map_err(failed)
        } else {
            Ok(false)
        }
    }

    fn with(
        folder: &Path,
        clock: Arc<dyn Clock>,
        seal: impl FnOnce(&Transaction<'_>) -> Result<SecretSealer, JournalError>,
    ) -> Result<Self, JournalError> {
        let path = folder.join(FILE);
        if !path.exists() {
            match durable::create_new(&path, b"") {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => other.map_err(|error| at(folder, &error))?,
            }
        }
        let mut connection = Connection::open(&path).map_err(failed)?;
        connection
            .busy_timeout(std::time::Duration::from_secs(10))
            .map_err(failed)?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 PRAGMA fullfsync = ON; PRAGMA secure_delete = ON;
                 PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 128;",
            )
            .map_err(failed)?;
        let seal = prepare(&mut connection, seal)?;
        let inner = JournalState {
            connection: Mutex::new(connection),
            seal,
            clock,
            reserve: OnceLock::new(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Uses the reserve of the journal's disk when the disk is full.
    #[must_use]
    pub fn on_disk_with(self, reserve: Arc<DiskReserve>) -> Self {
        // The first reserve stays: a journal lies on one disk.
        let _ = self.inner.reserve.set(reserve);
        self
    }

    /// Seals secrets again that an older key of the vault sealed.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub async fn reseal(&self) -> Result<(), JournalError> {
        self.run(|inner, transaction| inner.seal.renew(transaction))
            .await
    }

    /// Up to `limit` rotations, newest first, of one user (account and name) or of all.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub async fn rotations(
        &self,
        of: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<Rotation>, JournalError> {
        let of = of.map(|(account, user)| (account.to_owned(), user.to_owned()));
        self.run(move |inner, transaction| {
            let (account, user) = of.unzip();
            let mut statement = transaction
                .prepare_cached(
                    "SELECT id, body, secrets FROM rotation
                     WHERE (?1 IS NULL OR account = ?1) AND (?2 IS NULL OR user = ?2)
                     ORDER BY began DESC, rowid DESC LIMIT ?3",
                )
                .map_err(failed)?;
            let rows = statement.query_map((account, user, limit), columns);
            let rows = rows.map_err(failed)?.collect::<Result<Vec<_>, _>>();
            let rows = rows.map_err(failed)?.into_iter();
            rows.map(|row| inner.seal.rotation(row)).collect()
        })
        .await
    }

    /// When the last rotation of an account was done, by this machine's clock.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub async fn last_done(&self, account: &str) -> Result<Option<Timestamp>, JournalError> {
        let account = account.to_owned();
        self.run(move |_, transaction| history::last_done(transaction, &account))
            .await
    }

    /// The number of finished rotations of an account, by final phase.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub async fn ended(&self, account: &str) -> Result<Vec<(String, u32)>, JournalError> {
        let account = account.to_owned();
        self.run(move |_, transaction| history::ended(transaction, &account))
            .await
    }

    /// A page of an account's rotations, newest first.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub async fn page(
        &self,
        of: RotationFilter,
        limit: u32,
    ) -> Result<Vec<Rotation>, JournalError> {
        self.run(move |inner, transaction| {
            let mut statement = transaction
                .prepare_cached(
                    "SELECT id, body, secrets FROM rotation
                     WHERE account = ?1 AND (?2 IS NULL OR user_id = ?2)
                       AND (?3 IS NULL OR id = ?3) AND (?4 = 0 OR open = 1)
                       AND (?5 IS NULL OR rowid < (SELECT rowid FROM rotation WHERE id = ?5))
                     ORDER BY rowid DESC LIMIT ?6",
                )
                .map_err(failed)?;
            let (id, after) = (of.id.map(|id| id.0), of.after.map(|id| id.0));
            let parameters = (of.account, of.user_id, id, of.open, after, limit);
            let rows = statement.query_map(parameters, columns);
            let rows = rows.map_err(failed)?.collect::<Result<Vec<_>, _>>();
            let rows = rows.map_err(failed)?.into_iter();
            rows.map(|row| inner.seal.rotation(row)).collect()
        })
        .await
    }

    /// A page of a user's or a rotation's history, oldest first.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub async fn events(
        &self,
        of: HistoryFilter,
        limit: u32,
    ) -> Result<Vec<RotationEvent>, JournalError> {
        self.run(move |_, transaction| history::page(transaction, &of, limit))
            .await
    }

    /// The last `limit` events of one rotation or of all, oldest first.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub async fn history(
        &self,
        of: Option<&RotationId>,
        limit: u32,
    ) -> Result<Vec<RotationEvent>, JournalError> {
        let of = of.map(|id| id.0.clone());
        self.run(move |_, transaction| history::read(transaction, of.as_deref(), limit))
            .await
    }

    /// Recomputes every hash of the history.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] with the number of the first event that was tampered with.
    pub async fn check_history(&self) -> Result<ChainHead, JournalError> {
        self.run(|_, transaction| history::check(transaction)).await
    }

    /// Runs a transaction on a blocking thread. It is durable when this returns.
    async fn run<T, F>(&self, work: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnOnce(&JournalState, &Transaction<'_>) -> Result<T, JournalError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let ran = tokio::task::spawn_blocking(move || {
            let mut connection = inner
                .connection
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(reserve) = inner.reserve.get() {
                reserve.make_room(ROOM_BYTES);
            }
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(failed)?;
            let done = work(&inner, &transaction)?;
            transaction.commit().map_err(failed)?;
            Ok(done)
        });
        ran.await.map_err(|error| unavailable(&error))?
    }

    async fn one(
        &self,
        query: &'static str,
        parameters: Vec<String>,
    ) -> Result<Option<Rotation>, JournalError> {
        self.run(move |inner, transaction| {
            let parameters = rusqlite::params_from_iter(parameters);
            let found = transaction.query_row(query, parameters, columns);
            let found = found.optional().map_err(failed)?;
            found.map(|row| inner.seal.rotation(row)).transpose()
        })
        .await
    }
}

/// The columns of a rotation.
struct RotationColumns {
    id: String,
    body: String,
    secrets: Option<Vec<u8>>,
}

fn columns(row: &Row<'_>) -> rusqlite::Result<RotationColumns> {
    Ok(RotationColumns {
        id: row.get(0)?,
        body: row.get(1)?,
        secrets: row.get(2)?,
    })
}

/// Creates or checks the schema, and opens the data key.
fn prepare(
    connection: &mut Connection,
    seal: impl FnOnce(&Transaction<'_>) -> Result<SecretSealer, JournalError>,
) -> Result<SecretSealer, JournalError> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let version: i64 = transaction
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(failed)?;
    if version > VERSION {
        let why = format!(
            "it was created by a newer version of Keywright (schema {version}, supported {VERSION})"
        );
        return Err(JournalError::Unavailable(why));
    }
    transaction
        .execute_batch(include_str!("schema.sql"))
        .map_err(failed)?;
    transaction
        .execute_batch(&format!("PRAGMA user_version = {VERSION}"))
        .map_err(failed)?;
    let seal = seal(&transaction)?;
    transaction.commit().map_err(failed)?;
    Ok(seal)
}

#[async_trait]
impl RotationJournal for SqliteJournal {
    async fn begin(&self, rotation: &Rotation) -> Result<(), JournalError> {
        let rotation = rotation.clone();
        self.run(move |inner, transaction| {
            let open: Option<String> = transaction
                .query_row(
                    "SELECT id FROM rotation WHERE account = ?1 AND user_id = ?2 AND open = 1",
                    (&rotation.account, &rotation.user_id),
                    |row| row.get(0),
                )
                .optional()
                .map_err(failed)?;
            if let Some(open) = open {
                return Err(JournalError::Open(RotationId(open)));
            }
            let now = inner.clock.now();
            let (body, secrets) = inner.seal.columns(&rotation)?;
            transaction
                .execute(
                    "INSERT INTO rotation
                     (id, account, user_id, user, generation, open, began, body, secrets)
                     VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8)",
                    (
                        &rotation.id.0,
                        &rotation.account,
                        &rotation.user_id,
                        &rotation.user,
                        generation(&rotation)?,
                        now.millis(),
                        body,
                        secrets,
                    ),
                )
                .map_err(failed)?;
            history::append(transaction, &rotation, "planned", now)
        })
        .await
    }

    async fn advance(&self, rotation: &Rotation, event: &str) -> Result<(), JournalError> {
        let (rotation, event) = (rotation.clone(), event.to_owned());
        self.run(move |inner, transaction| {
            let over = rotation.phase.is_over();
            let (body, mut secrets) = inner.seal.columns(&rotation)?;
            if over {
                // The rotation has ended: its secrets are no longer needed.
                secrets = None;
            }
            let generation = generation(&rotation)?;
            let changed = transaction
                .execute(
                    "UPDATE rotation
                     SET generation = ?2, open = ?3, body = ?4, secrets = ?5, user = ?6
                     WHERE id = ?1 AND generation = ?2 - 1 AND open = 1",
                    (
                        &rotation.id.0,
                        generation,
                        !over,
                        body,
                        secrets,
                        &rotation.user,
                    ),
                )
                .map_err(failed)?;
            if changed != 1 {
                return Err(JournalError::Conflict);
            }
            history::append(transaction, &rotation, &event, inner.clock.now())
        })
        .await
    }

    async fn rotation(&self, id: &RotationId) -> Result<Option<Rotation>, JournalError> {
        let query = "SELECT id, body, secrets FROM rotation WHERE id = ?1";
        self.one(query, vec![id.0.clone()]).await
    }

    async fn open_of(
        &self,
        account: &str,
        user_id: &str,
    ) -> Result<Option<Rotation>, JournalError> {
        let query = "SELECT id, body, secrets FROM rotation
                     WHERE account = ?1 AND user_id = ?2 AND open = 1";
        self.one(query, vec![account.to_owned(), user_id.to_owned()])
            .await
    }

    async fn open(&self) -> Result<Vec<RotationId>, JournalError> {
        self.run(|_, transaction| {
            let mut statement = transaction
                .prepare_cached("SELECT id FROM rotation WHERE open = 1 ORDER BY began, rowid")
                .map_err(failed)?;
            let ids = statement.query_map([], |row| Ok(RotationId(row.get(0)?)));
            let ids = ids.map_err(failed)?.collect::<Result<_, _>>();
            ids.map_err(failed)
        })
        .await
    }
}

fn generation(rotation: &Rotation) -> Result<i64, JournalError> {
    i64::try_from(rotation.generation).map_err(|error| unavailable(&error))
}

#[cfg(test)]
mod tests;
