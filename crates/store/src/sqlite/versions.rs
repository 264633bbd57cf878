//! Writes to the versions of objects in SQLite, each with its precondition.
//!
//! Invariant: `object` has the newest version of every key, unless that is a delete marker, and
//! `hidden_version` has all others. A key's current version is therefore one lookup, however many
//! versions it has.

use rusqlite::{Connection, OptionalExtension};

use super::{index::refuse, listing};
use crate::contract::{
    DeleteMarkerRow, FailedPrecondition, ObjectCondition, ObjectRow, StoreError, VersionId,
};

/// The primary key of a version.
#[derive(Clone, Copy)]
pub(super) struct VersionKey<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) version: &'a VersionId,
}

/// A row of `hidden_version`.
enum HiddenVersion {
    Object(ObjectRow),
    DeleteMarker,
}

/// Writes a version as the newest and returns the version that it replaced.
pub(super) fn put_object(
    connection: &Connection,
    row: &ObjectRow,
    expect: &ObjectCondition,
) -> Result<Option<ObjectRow>, StoreError> {
    let at = VersionKey {
        bucket: &row.bucket,
        key: &row.key,
        version: &row.version,
    };
    let (sequence, replaced) = make_room(connection, at, expect)?;
    connection
        .prepare_cached(
            "INSERT INTO object (bucket, key, version, sequence, etag, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET version = excluded.version, sequence = excluded.sequence,
                 etag = excluded.etag, body = excluded.body",
        )?
        .execute((
            row.bucket.as_bytes(),
            row.key.as_bytes(),
            row.version.as_str(),
            sequence,
            &row.etag,
            &row.body,
        ))?;
    Ok(replaced)
}

/// Writes a delete marker as the newest version and returns the version that it replaced.
pub(super) fn put_delete_marker(
    connection: &Connection,
    row: &DeleteMarkerRow,
    expect: &ObjectCondition,
) -> Result<Option<ObjectRow>, StoreError> {
    let at = VersionKey {
        bucket: &row.bucket,
        key: &row.key,
        version: &row.version,
    };
    let (sequence, replaced) = make_room(connection, at, expect)?;
    delete_current(connection, at)?;
    connection
        .prepare_cached(
            "INSERT INTO hidden_version (bucket, key, version, sequence, etag, body)
             VALUES (?1, ?2, ?3, ?4, NULL, ?5)",
        )?
        .execute((
            row.bucket.as_bytes(),
            row.key.as_bytes(),
            row.version.as_str(),
            sequence,
            &row.body,
        ))?;
    Ok(replaced)
}

/// Deletes a version and returns it, unless it was a delete marker.
pub(super) fn delete(
    connection: &Connection,
    at: VersionKey<'_>,
    expect: &ObjectCondition,
) -> Result<Option<ObjectRow>, StoreError> {
    let current = listing::current(connection, at.bucket, at.key)?;
    if let Some((row, _)) = current
        .as_ref()
        .filter(|(row, _)| row.version == *at.version)
    {
        require(expect, Some(row))?;
        delete_current(connection, at)?;
        reveal(connection, at)?;
        return Ok(current.map(|(row, _)| row));
    }
    let hidden = hidden(connection, at)?;
    let is_stored = hidden.is_some();
    let object = match hidden {
        Some(HiddenVersion::Object(row)) => Some(row),
        Some(HiddenVersion::DeleteMarker) | None => None,
    };
    require(expect, object.as_ref())?;
    if is_stored {
        delete_hidden(connection, at)?;
        if current.is_none() {
            reveal(connection, at)?;
        }
    }
    Ok(object)
}

/// Checks the condition, moves the current version out of the way of a new one, and removes the
/// version with the id of the new one. Returns the new one's sequence and the removed version. If
/// the row in `object` is not replaced next, it must be deleted.
fn make_room(
    connection: &Connection,
    at: VersionKey<'_>,
    expect: &ObjectCondition,
) -> Result<(i64, Option<ObjectRow>), StoreError> {
    let current = listing::current(connection, at.bucket, at.key)?;
    require(expect, current.as_ref().map(|(row, _)| row))?;
    let hidden_newest = connection
        .prepare_cached("SELECT max(sequence) FROM hidden_version WHERE bucket = ?1 AND key = ?2")?
        .query_row((at.bucket.as_bytes(), at.key.as_bytes()), |row| {
            row.get::<_, Option<i64>>(0)
        })?;
    let newest = current.as_ref().map(|(_, sequence)| *sequence);
    let sequence = newest
        .max(hidden_newest)
        .map_or(0, |newest| newest.saturating_add(1));
    match current {
        Some((row, _)) if row.version == *at.version => return Ok((sequence, Some(row))),
        Some(_) => hide(connection, at)?,
        None => {}
    }
    if hidden_newest.is_none() {
        return Ok((sequence, None));
    }
    let replaced = hidden(connection, at)?;
    delete_hidden(connection, at)?;
    Ok(match replaced {
        Some(HiddenVersion::Object(row)) => (sequence, Some(row)),
        Some(HiddenVersion::DeleteMarker) | None => (sequence, None),
    })
}

/// Copies the current version of a key to the hidden ones.
fn hide(connection: &Connection, at: VersionKey<'_>) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO hidden_version (bucket, key, version, sequence, etag, body)
             SELECT bucket, key, version, sequence, etag, body FROM object
             WHERE bucket = ?1 AND key = ?2",
        )?
        .execute((at.bucket.as_bytes(), at.key.as_bytes()))?;
    Ok(())
}

/// Makes the newest hidden version of a key without a current version the current one, unless it is
/// a delete marker.
fn reveal(connection: &Connection, at: VersionKey<'_>) -> Result<(), StoreError> {
    let newest = connection
        .prepare_cached(
            "SELECT version, etag IS NULL FROM hidden_version
             WHERE bucket = ?1 AND key = ?2 ORDER BY sequence DESC LIMIT 1",
        )?
        .query_row((at.bucket.as_bytes(), at.key.as_bytes()), |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((version, false)) = newest else {
        return Ok(());
    };
    connection
        .prepare_cached(
            "INSERT INTO object (bucket, key, version, sequence, etag, body)
             SELECT bucket, key, version, sequence, etag, body FROM hidden_version
             WHERE bucket = ?1 AND key = ?2 AND version = ?3",
        )?
        .execute((at.bucket.as_bytes(), at.key.as_bytes(), &version))?;
    let version = &VersionId::new(&version);
    delete_hidden(connection, VersionKey { version, ..at })
}

fn hidden(
    connection: &Connection,
    at: VersionKey<'_>,
) -> Result<Option<HiddenVersion>, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT etag, body FROM hidden_version
             WHERE bucket = ?1 AND key = ?2 AND version = ?3",
        )?
        .query_row(
            (at.bucket.as_bytes(), at.key.as_bytes(), at.version.as_str()),
            |row| Ok((row.get::<_, Option<String>>(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(found.map(|(etag, body)| match etag {
        None => HiddenVersion::DeleteMarker,
        Some(etag) => HiddenVersion::Object(ObjectRow {
            bucket: at.bucket.to_owned(),
            key: at.key.to_owned(),
            version: at.version.clone(),
            etag,
            body,
        }),
    }))
}

fn delete_current(connection: &Connection, at: VersionKey<'_>) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM object WHERE bucket = ?1 AND key = ?2")?
        .execute((at.bucket.as_bytes(), at.key.as_bytes()))?;
    Ok(())
}

fn delete_hidden(connection: &Connection, at: VersionKey<'_>) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM hidden_version WHERE bucket = ?1 AND key = ?2 AND version = ?3",
        )?
        .execute((at.bucket.as_bytes(), at.key.as_bytes(), at.version.as_str()))?;
    Ok(())
}

fn require(expect: &ObjectCondition, present: Option<&ObjectRow>) -> Result<(), StoreError> {
    if expect.holds_for(present) {
        return Ok(());
    }
    let present = present.cloned().map(Box::new);
    refuse(FailedPrecondition::ObjectChanged(present))
}
