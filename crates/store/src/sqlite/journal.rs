//! Last use, attempts with inactive keys, and sessions in SQLite.
//!
//! Invariants: a last use never moves backwards, and an attempt is counted even when its row is
//! evicted. This module makes no decisions about keys; it records what callers report.

use keywright_base::{AccessKeyId, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use super::{SqliteStore, corrupt};
use crate::contract::{
    ATTEMPT_ROWS_PER_KEY, ActivityStore, IssuedSession, KeyAttempt, LastUse, SESSIONS_PER_KEY,
    SessionPage, StoreError, StoreFuture,
};

impl ActivityStore for SqliteStore {
    fn last_uses(&self) -> Result<Vec<LastUse>, StoreError> {
        let connection = self.reader()?;
        let mut statement =
            connection.prepare("SELECT subject, at, service, region FROM last_use")?;
        let uses = statement.query_map([], |row| {
            Ok(LastUse {
                subject: row.get(0)?,
                at: Timestamp::from_millis(row.get(1)?),
                service: row.get(2)?,
                region: row.get(3)?,
            })
        })?;
        Ok(uses.collect::<Result<_, _>>()?)
    }

    fn record_last_uses(&self, uses: Vec<LastUse>) -> StoreFuture<Result<(), StoreError>> {
        self.write(move |connection| uses.iter().try_for_each(|it| put_last_use(connection, it)))
    }

    fn forget(&self, subjects: Vec<String>) -> StoreFuture<Result<(), StoreError>> {
        self.write(move |connection| subjects.iter().try_for_each(|it| forget(connection, it)))
    }

    fn record_attempts(&self, attempts: Vec<KeyAttempt>) -> StoreFuture<Result<(), StoreError>> {
        self.write(move |connection| attempts.iter().try_for_each(|it| add(connection, it)))
    }

    fn attempts(
        &self,
        key: AccessKeyId,
    ) -> StoreFuture<Result<(Vec<KeyAttempt>, u64), StoreError>> {
        self.read(move |connection| {
            // One snapshot for both, so that the total is never less than the sum of the rows.
            let snapshot = connection.unchecked_transaction()?;
            let found = (attempts(&snapshot, key)?, total(&snapshot, key)?);
            snapshot.finish()?;
            Ok(found)
        })
    }

    fn record_session(
        &self,
        session: IssuedSession,
        ended: Option<Timestamp>,
    ) -> StoreFuture<Result<bool, StoreError>> {
        self.write(move |connection| {
            if let Some(ended) = ended {
                forget_sessions(connection, session.source, ended)?;
            }
            put_session(connection, &session)
        })
    }

    fn sessions(&self, page: SessionPage) -> StoreFuture<Result<Vec<IssuedSession>, StoreError>> {
        self.read(move |connection| sessions(connection, page))
    }

    fn purge_sessions(&self, now: Timestamp) -> StoreFuture<Result<(), StoreError>> {
        self.write(move |connection| {
            connection
                .prepare_cached("DELETE FROM session WHERE expires < ?1")?
                .execute([now.millis()])?;
            Ok(())
        })
    }
}

fn put_last_use(connection: &Connection, it: &LastUse) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO last_use (subject, at, service, region) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE
             SET at = excluded.at, service = excluded.service, region = excluded.region
             WHERE excluded.at > last_use.at",
        )?
        .execute((&it.subject, it.at.millis(), &it.service, &it.region))?;
    Ok(())
}

fn forget(connection: &Connection, subject: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM last_use WHERE subject = ?1";
    connection.prepare_cached(sql)?.execute([subject])?;
    Ok(())
}

/// Counts saturate: SQLite would turn a sum beyond 63 bits into a floating-point number.
fn add(connection: &Connection, it: &KeyAttempt) -> Result<(), StoreError> {
    let key = it.key.as_str();
    let added = i64::try_from(it.count).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "INSERT INTO attempt_total (key, total) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE
             SET total = min(total, 9223372036854775807 - excluded.total) + excluded.total",
        )?
        .execute((key, added))?;
    connection
        .prepare_cached(
            "INSERT INTO attempt (key, source_address, user_agent, action, at, count)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE
             SET count = min(count, 9223372036854775807 - excluded.count) + excluded.count,
                 at = max(at, excluded.at)",
        )?
        .execute((
            key,
            &it.source_address,
            &it.user_agent,
            &it.action,
            it.at.millis(),
            added,
        ))?;
    connection
        .prepare_cached(
            "DELETE FROM attempt
             WHERE key = ?1 AND (source_address, user_agent, action) IN (
                 SELECT source_address, user_agent, action FROM attempt WHERE key = ?1
                 ORDER BY at DESC LIMIT -1 OFFSET ?2
             )",
        )?
        .execute((key, limit(ATTEMPT_ROWS_PER_KEY)))?;
    Ok(())
}

fn attempts(connection: &Connection, key: AccessKeyId) -> Result<Vec<KeyAttempt>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT source_address, user_agent, action, at, count FROM attempt
         WHERE key = ?1 ORDER BY at DESC",
    )?;
    let rows = statement.query_map([key.as_str()], |row| {
        Ok(KeyAttempt {
            key,
            source_address: row.get(0)?,
            user_agent: row.get(1)?,
            action: row.get(2)?,
            at: Timestamp::from_millis(row.get(3)?),
            count: count(row.get(4)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn total(connection: &Connection, key: AccessKeyId) -> Result<u64, StoreError> {
    let total = connection
        .prepare_cached("SELECT total FROM attempt_total WHERE key = ?1")?
        .query_row([key.as_str()], |row| Ok(count(row.get(0)?)))
        .optional()?;
    Ok(total.unwrap_or(0))
}

/// They are rejected from now on, so they need no room.
fn forget_sessions(
    connection: &Connection,
    source: AccessKeyId,
    ended: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM session WHERE source = ?1 AND issued <= ?2")?
        .execute((source.as_str(), ended.millis()))?;
    Ok(())
}

fn put_session(connection: &Connection, it: &IssuedSession) -> Result<bool, StoreError> {
    let (key, source) = (it.key.as_str(), it.source.as_str());
    let rows = connection
        .prepare_cached(
            "INSERT OR REPLACE INTO session
                 (key, source, principal, action, issued, expires, owner)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
             WHERE (SELECT count(*) FROM session
                    WHERE source = ?2 AND action = ?4 AND expires > ?5 AND key <> ?1) < ?8",
        )?
        .execute((
            key,
            source,
            &it.principal,
            &it.action,
            it.issued.millis(),
            it.expires.millis(),
            &it.owner,
            limit(SESSIONS_PER_KEY),
        ))?;
    Ok(rows > 0)
}

fn sessions(connection: &Connection, page: SessionPage) -> Result<Vec<IssuedSession>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT key, principal, action, issued, expires, owner FROM session
         WHERE source = ?1 AND expires > ?2
           AND (?3 IS NULL OR expires < ?3 OR (expires = ?3 AND key > ?4))
         ORDER BY expires DESC, key LIMIT ?5",
    )?;
    let source = page.source;
    let after = page.after.map(|(expires, _)| expires.millis());
    let key = page.after.map(|(_, key)| key.to_string());
    let mut rows = statement.query((
        source.as_str(),
        page.now.millis(),
        after,
        key,
        limit(page.limit),
    ))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key = row.get_ref(0)?.as_str().map_err(|_| corrupt("session"))?;
        found.push(IssuedSession {
            key: key.parse().map_err(|_| corrupt("access key id"))?,
            source,
            owner: row.get(5)?,
            principal: row.get(1)?,
            action: row.get(2)?,
            issued: Timestamp::from_millis(row.get(3)?),
            expires: Timestamp::from_millis(row.get(4)?),
        });
    }
    Ok(found)
}

/// Reads a count from its column; the engine never writes a negative one.
fn count(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
