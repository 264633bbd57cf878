//! IAM state in SQLite: the version check and the records.
//!
//! Invariant: a commit is applied against the version it was computed from, or not at all.

use keywright_base::AccountId;
use rusqlite::{Connection, OptionalExtension};

use super::{SqliteStore, corrupt};
use crate::contract::{
    LedgerCommit, LedgerStore, RecordWrite, StateRecord, StoreError, StoreFuture,
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
    ) -> Result<(), StoreError> {
        load(&self.reader()?, account, each)
    }

    fn commit(&self, commit: LedgerCommit) -> StoreFuture<Result<u64, StoreError>> {
        self.write(move |connection| write(connection, &commit))
    }
}

pub(super) fn load(
    connection: &Connection,
    account: AccountId,
    each: &mut dyn FnMut(StateRecord),
) -> Result<(), StoreError> {
    let sql = "SELECT kind, id, body FROM record WHERE account = ?1";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([column(account)])?;
    while let Some(row) = rows.next()? {
        each(StateRecord {
            kind: row.get(0)?,
            id: row.get(1)?,
            body: row.get(2)?,
        });
    }
    Ok(())
}

fn write(connection: &Connection, commit: &LedgerCommit) -> Result<u64, StoreError> {
    let account = column(commit.account);
    let stored = connection
        .prepare_cached("SELECT version FROM account WHERE id = ?1")?
        .query_row([account], |row| row.get(0))
        .optional()?;
    let actual = version(stored.unwrap_or(0))?;
    if actual != commit.base {
        return Err(StoreError::Conflict {
            account: commit.account,
            base: commit.base,
            actual,
        });
    }
    let next = actual.saturating_add(1);
    let column = i64::try_from(next).map_err(|_| corrupt("version"))?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO account (id, version) VALUES (?1, ?2)")?
        .execute((account, column))?;
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
    Ok(next)
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
