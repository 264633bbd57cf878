//! Writes to the object index in SQLite, each with its precondition.
//!
//! Invariant: a precondition is checked in the same transaction as the write. Versions of objects
//! are in `versions`, reads in `listing`.

use rusqlite::{Connection, OptionalExtension};

use super::{
    blobs,
    ledger::column,
    listing,
    versions::{self, VersionKey},
};
use crate::contract::{
    BucketRow, DisplacedRows, FailedPrecondition, IndexWrite, PartRow, StoreError, UploadRow,
};

/// Applies a batch in order within the open transaction. On an error, the caller rolls back.
pub(super) fn apply(
    connection: &Connection,
    batch: Vec<IndexWrite>,
) -> Result<DisplacedRows, StoreError> {
    let mut displaced = DisplacedRows::default();
    for write in batch {
        match write {
            IndexWrite::CreateBucket(row) => create_bucket(connection, &row)?,
            IndexWrite::UpdateBucket { row, was } => update_bucket(connection, &row, &was)?,
            IndexWrite::DeleteBucket(name) => delete_bucket(connection, &name)?,
            IndexWrite::PutObject { row, expect } => {
                require_bucket(connection, &row.bucket)?;
                let replaced = versions::put_object(connection, &row, &expect)?;
                displaced.objects.extend(replaced);
            }
            IndexWrite::PutDeleteMarker { row, expect } => {
                require_bucket(connection, &row.bucket)?;
                let replaced = versions::put_delete_marker(connection, &row, &expect)?;
                displaced.objects.extend(replaced);
            }
            IndexWrite::DeleteObject {
                bucket,
                key,
                version,
                expect,
            } => {
                let at = VersionKey {
                    bucket: &bucket,
                    key: &key,
                    version: &version,
                };
                let deleted = versions::delete(connection, at, &expect)?;
                displaced.objects.extend(deleted);
            }
            IndexWrite::CreateUpload(row) => {
                require_bucket(connection, &row.bucket)?;
                create_upload(connection, &row)?;
            }
            IndexWrite::PutPart(row) => displaced.parts.extend(put_part(connection, &row)?),
            IndexWrite::DeleteUpload(upload) => {
                let (ended, parts) = delete_upload(connection, &upload)?;
                displaced.uploads.push(ended);
                displaced.parts.extend(parts);
            }
            IndexWrite::SettleBlobs(changes) => blobs::settle(connection, &changes, &displaced)?,
        }
    }
    Ok(displaced)
}

fn create_bucket(connection: &Connection, row: &BucketRow) -> Result<(), StoreError> {
    if let Some(present) = listing::bucket(connection, &row.name)? {
        return refuse(FailedPrecondition::BucketExists(Box::new(present)));
    }
    connection
        .prepare_cached("INSERT INTO bucket (name, account, body) VALUES (?1, ?2, ?3)")?
        .execute((row.name.as_bytes(), column(row.account), &row.body))?;
    Ok(())
}

fn update_bucket(connection: &Connection, row: &BucketRow, was: &[u8]) -> Result<(), StoreError> {
    match listing::bucket(connection, &row.name)? {
        None => refuse(FailedPrecondition::NoSuchBucket),
        Some(present) if present.body != was => {
            refuse(FailedPrecondition::BucketExists(Box::new(present)))
        }
        Some(_) => {
            connection
                .prepare_cached("UPDATE bucket SET body = ?2 WHERE name = ?1")?
                .execute((row.name.as_bytes(), &row.body))?;
            Ok(())
        }
    }
}

fn delete_bucket(connection: &Connection, name: &str) -> Result<(), StoreError> {
    require_bucket(connection, name)?;
    for sql in [
        "SELECT 1 FROM object WHERE bucket = ?1 LIMIT 1",
        "SELECT 1 FROM hidden_version WHERE bucket = ?1 LIMIT 1",
        "SELECT 1 FROM upload WHERE bucket = ?1 LIMIT 1",
    ] {
        if connection.prepare_cached(sql)?.exists([name.as_bytes()])? {
            return refuse(FailedPrecondition::BucketNotEmpty);
        }
    }
    connection
        .prepare_cached("DELETE FROM bucket WHERE name = ?1")?
        .execute([name.as_bytes()])?;
    Ok(())
}

fn require_bucket(connection: &Connection, name: &str) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM bucket WHERE name = ?1")?;
    if statement.exists([name.as_bytes()])? {
        Ok(())
    } else {
        refuse(FailedPrecondition::NoSuchBucket)
    }
}

fn create_upload(connection: &Connection, row: &UploadRow) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO upload (id, bucket, key, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute((
            row.upload.as_bytes(),
            row.bucket.as_bytes(),
            row.key.as_bytes(),
            &row.body,
        ))?;
    Ok(())
}

/// Writes a part and returns the part that it replaced.
fn put_part(connection: &Connection, row: &PartRow) -> Result<Option<PartRow>, StoreError> {
    let id = row.upload.as_bytes();
    if !connection
        .prepare_cached("SELECT 1 FROM upload WHERE id = ?1")?
        .exists([id])?
    {
        return refuse(FailedPrecondition::NoSuchUpload);
    }
    let replaced = connection
        .prepare_cached("SELECT body FROM part WHERE upload = ?1 AND number = ?2")?
        .query_row((id, row.number), |found| found.get(0))
        .optional()?
        .map(|body| PartRow {
            upload: row.upload.clone(),
            number: row.number,
            body,
        });
    connection
        .prepare_cached(
            "INSERT INTO part (upload, number, body) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET body = excluded.body",
        )?
        .execute((id, row.number, &row.body))?;
    Ok(replaced)
}

/// Deletes an upload and returns the parts deleted with it.
fn delete_upload(
    connection: &Connection,
    upload: &str,
) -> Result<(UploadRow, Vec<PartRow>), StoreError> {
    let Some(ended) = listing::upload_by_id(connection, upload)? else {
        return refuse(FailedPrecondition::NoSuchUpload);
    };
    let removed = listing::parts(connection, upload, i32::MIN, usize::MAX)?;
    for sql in [
        "DELETE FROM upload WHERE id = ?1",
        "DELETE FROM part WHERE upload = ?1",
    ] {
        connection
            .prepare_cached(sql)?
            .execute([upload.as_bytes()])?;
    }
    Ok((ended, removed))
}

pub(super) fn refuse<T>(failed: FailedPrecondition) -> Result<T, StoreError> {
    Err(StoreError::Precondition(failed))
}
