//! Leases in SQLite.
//!
//! Invariant: a token is valid from the moment it is issued until it is released or another holder
//! gets the next one, whatever clocks say.

use rusqlite::{Connection, OptionalExtension};

use super::{SqliteStore, corrupt};
use crate::contract::{Lease, LeaseRequest, LeaseStore, StoreError, StoreFuture};

impl LeaseStore for SqliteStore {
    fn acquire_lease(
        &self,
        request: LeaseRequest,
    ) -> StoreFuture<Result<Option<Lease>, StoreError>> {
        self.write(move |connection| acquire(connection, request))
    }

    fn release_lease(&self, lease: Lease) -> StoreFuture<Result<(), StoreError>> {
        self.write(move |connection| {
            // Advances to the next token, so that nothing can be committed with this one any more.
            let sql = "UPDATE lease SET token = token + 1, expires = ?3
                 WHERE name = ?1 AND token = ?2";
            let mut release = connection.prepare_cached(sql)?;
            release.execute((&lease.name, column(lease.token), i64::MIN))?;
            Ok(())
        })
    }
}

fn acquire(connection: &Connection, request: LeaseRequest) -> Result<Option<Lease>, StoreError> {
    // An existing row stays as it is while another holder has the lease.
    let token = connection
        .prepare_cached(
            "INSERT INTO lease (name, holder, token, expires) VALUES (?1, ?2, 1, ?3)
             ON CONFLICT DO UPDATE
             SET holder = excluded.holder, token = token + 1, expires = excluded.expires
             WHERE expires <= ?4 OR holder = excluded.holder
             RETURNING token",
        )?
        .query_row(
            (
                &request.name,
                request.holder,
                request.expires.millis(),
                request.now.millis(),
            ),
            |row| row.get::<_, i64>(0),
        )
        .optional()?;
    let Some(token) = token else {
        return Ok(None);
    };
    Ok(Some(Lease {
        name: request.name,
        token: u64::try_from(token).map_err(|_| corrupt("token"))?,
    }))
}

/// Whether no one else has had the lease since.
pub(super) fn is_held(connection: &Connection, lease: &Lease) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM lease WHERE name = ?1 AND token = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.exists((&lease.name, column(lease.token)))?)
}

fn column(token: u64) -> i64 {
    i64::try_from(token).unwrap_or(i64::MAX)
}
