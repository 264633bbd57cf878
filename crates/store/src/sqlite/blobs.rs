//! The blob journal in SQLite: reservations and pending deletes.
//!
//! Invariant: in the transaction that makes a row refer to a blob, the blob's reservation ends; in
//! the transaction that displaces the row, the blob becomes a pending delete.

use std::collections::HashSet;

use keywright_base::Timestamp;
use rusqlite::Connection;

use super::{SqliteStore, corrupt, index::refuse};
use crate::contract::{
    BlobChanges, BlobJournal, BlobName, DisplacedRows, FailedPrecondition, PendingDelete,
    PendingDeletePage, StoreError, StoreFuture,
};

impl BlobJournal for SqliteStore {
    fn reserve_blobs(
        &self,
        blobs: Vec<BlobName>,
        now: Timestamp,
    ) -> StoreFuture<Result<(), StoreError>> {
        let sql = "INSERT INTO blob_reservation (blob, at) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET at = excluded.at";
        self.write(move |connection| stamp(connection, sql, &blobs, now))
    }

    fn renew_blobs(
        &self,
        blobs: Vec<BlobName>,
        now: Timestamp,
    ) -> StoreFuture<Result<(), StoreError>> {
        let sql = "UPDATE blob_reservation SET at = ?2 WHERE blob = ?1";
        self.write(move |connection| stamp(connection, sql, &blobs, now))
    }

    fn release_blobs(&self, blobs: Vec<BlobName>) -> StoreFuture<Result<(), StoreError>> {
        self.write(move |connection| {
            for blob in &blobs {
                release(connection, blob)?;
            }
            Ok(())
        })
    }

    fn expire_blobs(
        &self,
        before: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<Result<usize, StoreError>> {
        self.write(move |connection| {
            let before = before.millis();
            connection
                .prepare_cached(
                    "INSERT INTO blob_delete (at, blobs)
                     SELECT ?2, blob FROM blob_reservation WHERE at < ?1 ORDER BY at",
                )?
                .execute((before, now.millis()))?;
            Ok(connection
                .prepare_cached("DELETE FROM blob_reservation WHERE at < ?1")?
                .execute([before])?)
        })
    }

    fn pending_deletes(
        &self,
        page: PendingDeletePage,
    ) -> StoreFuture<Result<Vec<PendingDelete>, StoreError>> {
        self.read(move |connection| pending_deletes(connection, page))
    }

    fn finish_deletes(&self, numbers: Vec<u64>) -> StoreFuture<Result<(), StoreError>> {
        self.write(move |connection| {
            let mut statement =
                connection.prepare_cached("DELETE FROM blob_delete WHERE number = ?1")?;
            for number in numbers {
                statement.execute([column(number)])?;
            }
            Ok(())
        })
    }

    fn every_journaled_blob(&self, each: &mut dyn FnMut(BlobName)) -> Result<(), StoreError> {
        let connection = self.reader()?;
        let sql = "SELECT blob FROM blob_reservation UNION ALL SELECT blobs FROM blob_delete";
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let names = row.get_ref(0)?.as_blob().map_err(|_| corrupt("blob"))?;
            split(names)?.into_iter().for_each(&mut *each);
        }
        Ok(())
    }
}

/// Checks a batch's blobs against the journal and the rows that it displaced, and records the
/// outcome.
pub(super) fn settle(
    connection: &Connection,
    changes: &BlobChanges,
    displaced: &DisplacedRows,
) -> Result<(), StoreError> {
    for blob in &changes.fresh {
        if !release(connection, blob)? {
            return refuse(FailedPrecondition::BlobChanged(*blob));
        }
    }
    let mut moved: HashSet<BlobName> = changes.moved.iter().copied().collect();
    let mut insert =
        connection.prepare_cached("INSERT INTO blob_delete (at, blobs) VALUES (?1, ?2)")?;
    let objects = displaced.objects.iter().map(|row| &row.body);
    let parts = displaced.parts.iter().map(|row| &row.body);
    for body in objects.chain(parts) {
        let mut unused = (changes.blobs_of)(body);
        unused.retain(|blob| !moved.remove(blob));
        if !unused.is_empty() {
            insert.execute((changes.now.millis(), unused.concat()))?;
        }
    }
    // Each moved blob was taken from the displaced row that referred to it.
    match moved.into_iter().next() {
        Some(blob) => refuse(FailedPrecondition::BlobChanged(blob)),
        None => Ok(()),
    }
}

fn stamp(
    connection: &Connection,
    sql: &str,
    blobs: &[BlobName],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    for blob in blobs {
        statement.execute((blob, now.millis()))?;
    }
    Ok(())
}

/// Removes a reservation. Returns whether it existed.
fn release(connection: &Connection, blob: &BlobName) -> Result<bool, StoreError> {
    let removed = connection
        .prepare_cached("DELETE FROM blob_reservation WHERE blob = ?1")?
        .execute([blob])?;
    Ok(removed > 0)
}

fn pending_deletes(
    connection: &Connection,
    page: PendingDeletePage,
) -> Result<Vec<PendingDelete>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, blobs FROM blob_delete
         WHERE number > ?1 AND at <= ?2 ORDER BY number LIMIT ?3",
    )?;
    let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((column(page.after), page.made_by.millis(), limit))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let names = row.get_ref(1)?.as_blob().map_err(|_| corrupt("blob"))?;
        found.push(PendingDelete {
            number: u64::try_from(number).map_err(|_| corrupt("number"))?,
            blobs: split(names)?,
        });
    }
    Ok(found)
}

fn split(names: &[u8]) -> Result<Vec<BlobName>, StoreError> {
    let (blobs, rest) = names.as_chunks();
    if rest.is_empty() {
        Ok(blobs.to_vec())
    } else {
        Err(corrupt("blob"))
    }
}

fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
