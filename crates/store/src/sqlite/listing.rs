//! Reads of the object index in SQLite.
//!
//! Invariant: a listing is one scan of a primary key or an index between two byte strings, so its
//! cost is proportional to the rows it returns. This module does not know what a page means to S3
//! (delimiters, tokens).

use keywright_base::AccountId;
use rusqlite::{Connection, Row};

use super::{
    SqliteStore, corrupt, index,
    ledger::{account, column},
};
use crate::contract::{
    BucketRow, DisplacedRows, IndexWrite, ListRange, ObjectIndex, ObjectRow, PartRow, RowBodies,
    RowStamp, StoreError, StoreFuture, UploadRow, VersionId,
};

impl ObjectIndex for SqliteStore {
    fn bucket_stamp(&self, name: &str) -> Option<RowStamp> {
        self.stamps.bucket(name)
    }

    fn object_stamp(&self, bucket: &str, key: &str) -> Option<RowStamp> {
        self.stamps.object(bucket, key)
    }

    fn apply(&self, batch: Vec<IndexWrite>) -> StoreFuture<Result<DisplacedRows, StoreError>> {
        let stamped = self.stamps.begin(&batch);
        let work = move |connection: &Connection| index::apply(connection, batch);
        // A job that fails or never runs drops this, too: then nothing was written.
        self.write_then(work, move |_| drop(stamped))
    }

    fn bucket(&self, name: &str) -> StoreFuture<Result<Option<BucketRow>, StoreError>> {
        let name = name.to_owned();
        self.read(move |connection| bucket(connection, &name))
    }

    fn buckets(
        &self,
        account: AccountId,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<BucketRow>, StoreError>> {
        self.read(move |connection| buckets(connection, account, &range))
    }

    fn object(
        &self,
        bucket: &str,
        key: &str,
    ) -> StoreFuture<Result<Option<ObjectRow>, StoreError>> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.read(move |connection| {
            let current = current(connection, &bucket, &key)?;
            Ok(current.map(|(row, _)| row))
        })
    }

    fn objects(
        &self,
        bucket: &str,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<ObjectRow>, StoreError>> {
        let bucket = bucket.to_owned();
        self.read(move |connection| objects(connection, &bucket, &range))
    }

    fn upload(&self, upload: &str) -> StoreFuture<Result<Option<UploadRow>, StoreError>> {
        let id = upload.to_owned();
        self.read(move |connection| upload_by_id(connection, &id))
    }

    fn uploads(
        &self,
        bucket: &str,
        range: ListRange,
    ) -> StoreFuture<Result<Vec<UploadRow>, StoreError>> {
        let bucket = bucket.to_owned();
        self.read(move |connection| uploads(connection, &bucket, &range))
    }

    fn parts(
        &self,
        upload: &str,
        after: i32,
        limit: usize,
    ) -> StoreFuture<Result<Vec<PartRow>, StoreError>> {
        let upload = upload.to_owned();
        self.read(move |connection| parts(connection, &upload, after, limit))
    }

    fn every_body(&self, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError> {
        // One statement is one snapshot, so a completed upload appears either as parts or as an
        // object.
        let sql = "SELECT bucket, body FROM object
             UNION ALL
             SELECT bucket, body FROM hidden_version WHERE etag IS NOT NULL
             UNION ALL
             SELECT upload.bucket, part.body FROM part JOIN upload ON upload.id = part.upload";
        every(&self.reader()?, sql, each)
    }

    fn every_upload(&self, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError> {
        every(&self.reader()?, "SELECT bucket, body FROM upload", each)
    }
}

/// Calls `each` for every row of a query that selects buckets and bodies.
fn every(
    connection: &Connection,
    sql: &str,
    each: &mut dyn FnMut(&str, &[u8]),
) -> Result<(), StoreError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let bucket = row.get_ref(0)?.as_blob().map_err(|_| corrupt("name"))?;
        let bucket = str::from_utf8(bucket).map_err(|_| corrupt("name"))?;
        each(
            bucket,
            row.get_ref(1)?.as_blob().map_err(|_| corrupt("body"))?,
        );
    }
    Ok(())
}

pub(super) fn bucket(connection: &Connection, name: &str) -> Result<Option<BucketRow>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT name, account, body FROM bucket WHERE name = ?1")?;
    let mut rows = statement.query([name.as_bytes()])?;
    let row = rows.next()?;
    row.map(|row| bucket_row(row, RowBodies::Whole)).transpose()
}

fn buckets(
    connection: &Connection,
    account: AccountId,
    range: &ListRange,
) -> Result<Vec<BucketRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT name, account, body FROM bucket
         WHERE account = ?1 AND name >= ?2 AND name < ?3 ORDER BY name LIMIT ?4",
    )?;
    let (from, to) = bounds(range);
    let mut rows = statement.query((column(account), from, to, limit(range.limit)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(bucket_row(row, range.bodies)?);
    }
    Ok(found)
}

fn bucket_row(row: &Row<'_>, bodies: RowBodies) -> Result<BucketRow, StoreError> {
    Ok(BucketRow {
        name: text(row, 0)?,
        account: account(row.get(1)?)?,
        body: body(row, 2, bodies)?,
    })
}

/// Returns the current version of a key, and its sequence among the key's versions.
pub(super) fn current(
    connection: &Connection,
    bucket: &str,
    key: &str,
) -> Result<Option<(ObjectRow, i64)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT version, etag, body, sequence FROM object WHERE bucket = ?1 AND key = ?2",
    )?;
    let mut rows = statement.query((bucket.as_bytes(), key.as_bytes()))?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let current = ObjectRow {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version: version(row, 0)?,
        etag: row.get(1)?,
        body: row.get(2)?,
    };
    Ok(Some((current, row.get(3)?)))
}

fn objects(
    connection: &Connection,
    bucket: &str,
    range: &ListRange,
) -> Result<Vec<ObjectRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT key, version, etag, body FROM object
         WHERE bucket = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4",
    )?;
    let (from, to) = bounds(range);
    let mut rows = statement.query((bucket.as_bytes(), from, to, limit(range.limit)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(ObjectRow {
            bucket: bucket.to_owned(),
            key: text(row, 0)?,
            version: version(row, 1)?,
            etag: row.get(2)?,
            body: body(row, 3, range.bodies)?,
        });
    }
    Ok(found)
}

pub(super) fn upload_by_id(
    connection: &Connection,
    id: &str,
) -> Result<Option<UploadRow>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT id, bucket, key, body FROM upload WHERE id = ?1")?;
    let mut rows = statement.query([id.as_bytes()])?;
    let row = rows.next()?;
    row.map(|row| upload_row(row, RowBodies::Whole)).transpose()
}

fn uploads(
    connection: &Connection,
    bucket: &str,
    range: &ListRange,
) -> Result<Vec<UploadRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, bucket, key, body FROM upload
         WHERE bucket = ?1 AND (key, id) >= (?2, ?3) AND key < ?4 ORDER BY key, id LIMIT ?5",
    )?;
    let (key, id) = uploads_from(range);
    let to = successor(range.prefix.as_bytes());
    let mut rows = statement.query((bucket.as_bytes(), key, id, to, limit(range.limit)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(upload_row(row, range.bodies)?);
    }
    Ok(found)
}

fn upload_row(row: &Row<'_>, bodies: RowBodies) -> Result<UploadRow, StoreError> {
    Ok(UploadRow {
        upload: text(row, 0)?,
        bucket: text(row, 1)?,
        key: text(row, 2)?,
        body: body(row, 3, bodies)?,
    })
}

pub(super) fn parts(
    connection: &Connection,
    upload: &str,
    after: i32,
    at_most: usize,
) -> Result<Vec<PartRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, body FROM part
         WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )?;
    let rows = statement.query_map((upload.as_bytes(), after, limit(at_most)), |row| {
        Ok(PartRow {
            upload: upload.to_owned(),
            number: row.get(0)?,
            body: row.get(1)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The first name of a range, and the first name after it.
fn bounds(range: &ListRange) -> (Vec<u8>, Vec<u8>) {
    let prefix = range.prefix.as_bytes();
    let mut from = range.after.clone();
    if !range.inclusive {
        // The smallest byte string greater than `after`.
        from.push(0);
    }
    (from.max(prefix.to_vec()), successor(prefix))
}

/// The first key and upload id of a range whose `after` is `key \0 upload`.
fn uploads_from(range: &ListRange) -> (Vec<u8>, Vec<u8>) {
    let mut parts = range.after.rsplitn(2, |byte| *byte == 0);
    let last = parts.next().unwrap_or_default();
    let (key, mut id) = match parts.next() {
        Some(key) => (key, last.to_vec()),
        None => (last, Vec::new()),
    };
    if !range.inclusive {
        id.push(0);
    }
    (key.to_vec(), id).max((range.prefix.as_bytes().to_vec(), Vec::new()))
}

/// The smallest byte string greater than every UTF-8 text with this prefix. No UTF-8 text begins
/// with byte 255, so that is the upper end.
fn successor(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    match end.last_mut() {
        // The last byte of UTF-8 text is at most 0xF4, so adding one cannot overflow.
        Some(last) => *last = last.saturating_add(1),
        None => end.push(0xff),
    }
    end
}

/// Extracts the requested part of a body; SQLite's buffer is valid only until the next row.
fn body(row: &Row<'_>, column: usize, bodies: RowBodies) -> Result<Vec<u8>, StoreError> {
    let whole = row.get_ref(column)?.as_blob();
    whole
        .map(|body| bodies.of(body))
        .map_err(|_| corrupt("body"))
}

fn text(row: &Row<'_>, column: usize) -> Result<String, StoreError> {
    String::from_utf8(row.get(column)?).map_err(|_| corrupt("name"))
}

fn version(row: &Row<'_>, column: usize) -> Result<VersionId, StoreError> {
    let id = row.get_ref(column)?.as_str();
    id.map(VersionId::new).map_err(|_| corrupt("version"))
}

fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
