//! Schema migrations, one file each, and how they are applied.
//!
//! Invariant: a step and the record that it was applied are one transaction, so after a crash at
//! any point the next start completes the schema. A newer schema is rejected and left untouched.
//! There are no down migrations: to go back, restore a backup.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::contract::StoreError;

/// A migration step. Its number is its position, from 1, and never changes once released.
struct MigrationStep {
    name: &'static str,
    sql: &'static str,
    /// A query that returns a row if the step was applied, for a step that SQL alone cannot make
    /// harmless to repeat: `ADD COLUMN` has no `IF NOT EXISTS`.
    applied: Option<&'static str>,
}

const STEPS: &[MigrationStep] = &[
    MigrationStep {
        name: "ledger",
        sql: include_str!("../../migrations/sqlite/0001_ledger.sql"),
        applied: None,
    },
    MigrationStep {
        name: "journal",
        sql: include_str!("../../migrations/sqlite/0002_journal.sql"),
        applied: None,
    },
    MigrationStep {
        name: "objects",
        sql: include_str!("../../migrations/sqlite/0003_objects.sql"),
        applied: None,
    },
    MigrationStep {
        name: "installation",
        sql: include_str!("../../migrations/sqlite/0004_installation.sql"),
        applied: None,
    },
    MigrationStep {
        name: "object versions",
        sql: include_str!("../../migrations/sqlite/0005_object_versions.sql"),
        applied: Some("SELECT 1 FROM pragma_table_info('object') WHERE name = 'version'"),
    },
    MigrationStep {
        name: "blobs",
        sql: include_str!("../../migrations/sqlite/0006_blobs.sql"),
        applied: None,
    },
    MigrationStep {
        name: "changes",
        sql: include_str!("../../migrations/sqlite/0007_changes.sql"),
        applied: None,
    },
    MigrationStep {
        name: "leases",
        sql: include_str!("../../migrations/sqlite/0008_leases.sql"),
        applied: None,
    },
    MigrationStep {
        name: "session owners",
        sql: include_str!("../../migrations/sqlite/0009_session_owners.sql"),
        applied: Some("SELECT 1 FROM pragma_table_info('session') WHERE name = 'owner'"),
    },
];

/// Migrates the schema to the newest step.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = u32::try_from(STEPS.len()).unwrap_or(u32::MAX);
    let found = version(connection)?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for (number, step) in (1u32..).zip(STEPS).filter(|(number, _)| *number > found) {
        apply(connection, number, step)?;
    }
    Ok(())
}

/// Applies the first steps only, to test upgrades.
#[cfg(test)]
pub(super) fn migrate_to(connection: &mut Connection, newest: u32) {
    for (number, step) in (1..=newest).zip(STEPS) {
        apply(connection, number, step).unwrap();
    }
}

/// Returns the newest step that was applied; 0 for an empty database.
///
/// # Errors
/// [`StoreError::Unavailable`] for a database created by another program.
pub(super) fn version(connection: &Connection) -> Result<u32, StoreError> {
    let table = "SELECT name = 'schema_step' FROM sqlite_schema ORDER BY 1 DESC";
    match connection
        .query_row(table, [], |row| row.get(0))
        .optional()?
    {
        Some(true) => {}
        Some(false) => {
            let why = "the database has tables of another program";
            return Err(StoreError::Unavailable(why.to_owned()));
        }
        None => return Ok(0),
    }
    let newest = "SELECT coalesce(max(number), 0) FROM schema_step";
    Ok(connection.query_row(newest, [], |row| row.get(0))?)
}

fn apply(connection: &mut Connection, number: u32, step: &MigrationStep) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_step (
             number INTEGER NOT NULL PRIMARY KEY,
             name   TEXT    NOT NULL
         ) STRICT",
    )?;
    let applied = step
        .applied
        .map(|query| transaction.prepare(query)?.exists([]));
    if !applied.transpose()?.unwrap_or(false) {
        transaction.execute_batch(step.sql)?;
    }
    let note = "INSERT OR REPLACE INTO schema_step (number, name) VALUES (?1, ?2)";
    transaction.execute(note, (number, step.name))?;
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{STEPS, apply, migrate, migrate_to, version};
    use crate::contract::StoreError;

    fn shape(connection: &Connection) -> Vec<(String, Option<String>)> {
        let mut statement = connection
            .prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")
            .unwrap();
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn every_start_reaches_the_same_head() {
        let mut head = Connection::open_in_memory().unwrap();
        migrate(&mut head).unwrap();
        migrate(&mut head).unwrap();
        assert_eq!(version(&head).unwrap() as usize, STEPS.len());
        for start in 0..=STEPS.len() {
            let mut connection = Connection::open_in_memory().unwrap();
            migrate_to(&mut connection, u32::try_from(start).unwrap());
            migrate(&mut connection).unwrap();
            assert_eq!(shape(&connection), shape(&head), "from step {start}");
        }
    }

    #[test]
    fn every_step_may_run_twice() {
        let mut connection = Connection::open_in_memory().unwrap();
        for (number, step) in (1u32..).zip(STEPS) {
            apply(&mut connection, number, step).unwrap();
            let before = shape(&connection);
            apply(&mut connection, number, step).unwrap();
            assert_eq!(shape(&connection), before, "{}", step.name);
        }
    }

    /// The installation's records move out of account 000000000000, once.
    #[test]
    fn the_installation_leaves_the_account_of_zeros() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_to(&mut connection, 3);
        let put = "INSERT INTO account VALUES (0, 1);
             INSERT INTO record VALUES (0, 'keyring', '1', x'01'), (7, 'root', '1', x'02')";
        connection.execute_batch(put).unwrap();
        migrate(&mut connection).unwrap();
        let accounts = |connection: &Connection| -> Vec<(i64, String)> {
            let all = "SELECT account, kind FROM record ORDER BY account";
            let mut all = connection.prepare(all).unwrap();
            let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
            rows.unwrap().map(Result::unwrap).collect()
        };
        let moved = [
            (7, "root".to_owned()),
            (1_000_000_000_000, "keyring".to_owned()),
        ];
        assert_eq!(accounts(&connection), moved);
        // If the step ran again, account 000000000000 would stay as it is.
        let put = "INSERT INTO account VALUES (0, 1);
             INSERT INTO record VALUES (0, 'root', '1', x'03')";
        connection.execute_batch(put).unwrap();
        apply(&mut connection, 4, &STEPS[3]).unwrap();
        assert_eq!(accounts(&connection)[0], (0, "root".to_owned()));
    }

    #[test]
    fn tables_of_another_program_are_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute("CREATE TABLE theirs (a)", []).unwrap();
        let before = shape(&connection);
        let refused = migrate(&mut connection);
        assert!(matches!(refused, Err(StoreError::Unavailable(_))));
        assert_eq!(shape(&connection), before);
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection
            .execute("INSERT INTO schema_step VALUES (900, 'future')", [])
            .unwrap();
        let refused = migrate(&mut connection);
        assert!(matches!(
            refused,
            Err(StoreError::NewerSchema {
                found: 900,
                known
            }) if known as usize == STEPS.len()
        ));
    }
}
