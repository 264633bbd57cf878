//! IAM state in SQLite: the version check and the records.
//!
//! Invariant: a commit is applied against the version it was computed from, or not at all.

use keywright_base::AccountId;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::watch;

use super::{SqliteStore, corrupt, leases};
use crate::contract::{
    AccountVersion, LedgerChanges, LedgerCommit, LedgerStore, LineageTag, RecordWrite, StateRecord,
    StoreError, StoreFuture,
};

impl LedgerStore for SqliteStore {
    fn accounts(&self) -> Result<Vec<(AccountId, u64)>, StoreError> {
        let connection = self.reader()?;
        let mut statement = connection.prepare("SELECT id, version FROM account ORDER BY id")?;
        let mut rows = statement.query([])?;
        let mut accounts = Vec::new();
        while let Some(row) = rows.next()? {
            accounts.push((account(row.get(0)?)?, version(row.get(1)?)?));
        }
        Ok(accounts)
    }

    fn load(
        &self,
        account: AccountId,
        each: &mut dyn FnMut(StateRecord),
    ) -> Result<AccountVersion, StoreError> {
        load(&self.reader()?, account, each)
    }

    fn commit(&self, commit: LedgerCommit) -> StoreFuture<Result<u64, StoreError>> {
        let changes = self.changes.clone();
        let notify = move |(_, sequence): &(u64, u64)| {
            changes.send_if_modified(|last| {
                let newer = *last < *sequence;
                *last = (*last).max(*sequence);
                newer
            });
        };
        let written = self.write_then(move |connection| write(connection, &commit), notify);
        Box::pin(async { written.await.map(|(version, _)| version) })
    }

    fn changes_since(&self, sequence: u64) -> StoreFuture<Result<LedgerChanges, StoreError>> {
        self.read(move |connection| changes_since(connection, sequence))
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

pub(super) fn load(
    connection: &Connection,
    account: AccountId,
    each: &mut dyn FnMut(StateRecord),
) -> Result<AccountVersion, StoreError> {
    // One snapshot for the version and the records.
    let snapshot = connection.unchecked_transaction()?;
    let version = stored_version(&snapshot, column(account))?;
    let sql = "SELECT kind, id, body FROM record WHERE account = ?1";
    let mut statement = snapshot.prepare(sql)?;
    let mut rows = statement.query([column(account)])?;
    while let Some(row) = rows.next()? {
        each(StateRecord {
            kind: row.get(0)?,
            id: row.get(1)?,
            body: row.get(2)?,
        });
    }
    Ok(version)
}

fn stored_version(connection: &Connection, account: i64) -> Result<AccountVersion, StoreError> {
    let stored = connection
        .prepare_cached(
            "SELECT account.version, change.tag
             FROM account LEFT JOIN account_change AS change ON change.account = account.id
             WHERE account.id = ?1",
        )?
        .query_row([account], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((number, tag)) = stored else {
        return Ok(AccountVersion::default());
    };
    let tag: Option<LineageTag> = tag;
    Ok(AccountVersion {
        number: version(number)?,
        tag: tag.unwrap_or_default(),
    })
}

fn changes_since(connection: &Connection, sequence: u64) -> Result<LedgerChanges, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT change.sequence, account.id, account.version
         FROM account_change AS change JOIN account ON account.id = change.account
         WHERE change.sequence > ?1 ORDER BY change.sequence",
    )?;
    let from = i64::try_from(sequence).unwrap_or(i64::MAX);
    let mut rows = statement.query([from])?;
    let mut changes = LedgerChanges {
        sequence,
        accounts: Vec::new(),
    };
    while let Some(row) = rows.next()? {
        changes.sequence = version(row.get(0)?)?;
        let changed = (account(row.get(1)?)?, version(row.get(2)?)?);
        changes.accounts.push(changed);
    }
    Ok(changes)
}

/// The sequence number of the last commit.
pub(super) fn last_sequence(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(max(sequence), 0) FROM account_change";
    version(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Applies a commit. Returns the account's new version and the sequence number of the commit.
fn write(connection: &Connection, commit: &LedgerCommit) -> Result<(u64, u64), StoreError> {
    if let Some(lease) = &commit.lease
        && !leases::is_held(connection, lease)?
    {
        return Err(StoreError::LeaseLost(lease.name.clone()));
    }
    let account = column(commit.account);
    let actual = stored_version(connection, account)?;
    let lineage = commit.lineage;
    if actual.number != commit.base || lineage.is_some_and(|lineage| lineage.base != actual.tag) {
        return Err(StoreError::Conflict {
            account: commit.account,
            base: commit.base,
            actual: actual.number,
        });
    }
    let next = actual.number.saturating_add(1);
    let column = i64::try_from(next).map_err(|_| corrupt("version"))?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO account (id, version) VALUES (?1, ?2)")?
        .execute((account, column))?;
    let sequence = connection
        .prepare_cached(
            "INSERT INTO account_change (account, sequence, tag)
             VALUES (?1, (SELECT coalesce(max(sequence), 0) + 1 FROM account_change), ?2)
             ON CONFLICT DO UPDATE SET sequence = excluded.sequence, tag = excluded.tag
             RETURNING sequence",
        )?
        .query_row((account, lineage.map(|lineage| lineage.new)), |row| {
            row.get(0)
        })?;
    for write in &commit.writes {
        match write {
            RecordWrite::Put(record) => put(connection, account, record)?,
            RecordWrite::Delete { kind, id } => {
                connection
                    .prepare_cached(
                        "DELETE FROM record WHERE account = ?1 AND kind = ?2 AND id = ?3",
                    )?
                    .execute((account, kind, id))?;
            }
        }
    }
    Ok((next, version(sequence)?))
}

fn put(connection: &Connection, account: i64, record: &StateRecord) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO record (account, kind, id, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET body = excluded.body",
        )?
        .execute((account, &record.kind, &record.id, &record.body))?;
    Ok(())
}

fn version(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| corrupt("version"))
}

/// Encodes an account for its column; twelve digits always fit.
pub(super) fn column(account: AccountId) -> i64 {
    i64::try_from(account.number()).unwrap_or(i64::MAX)
}

/// Decodes an account from its column.
pub(super) fn account(column: i64) -> Result<AccountId, StoreError> {
    let number = u64::try_from(column).map_err(|_| corrupt("account id"))?;
    if number == AccountId::INSTALLATION.number() {
        return Ok(AccountId::INSTALLATION);
    }
    AccountId::new(number).map_err(|_| corrupt("account id"))
}
