//! The history: append-only events, each with a hash over its content and the previous hash.
//!
//! Invariant: changing, removing or inserting an event breaks the chain. Anyone who can write the
//! file can also compute a new chain, so keep the newest hash elsewhere.

use keywright_base::Timestamp;
use keywright_rotation::{model::Rotation, ports::JournalError};
use rusqlite::{OptionalExtension, Transaction};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{HistoryFilter, failed, unavailable};

/// An event of a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RotationEvent {
    /// Sequence number in the journal, from 1.
    pub number: i64,
    /// The rotation ID.
    pub rotation: String,
    /// The generation after the event.
    pub generation: i64,
    /// Time by this machine's clock, in milliseconds since the epoch.
    #[serde(serialize_with = "iso8601")]
    pub at: i64,
    /// The phase after the event.
    pub phase: String,
    /// What happened.
    pub text: String,
    /// The hash, in hexadecimal.
    pub hash: String,
}

fn iso8601<S: serde::Serializer>(at: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&Timestamp::from_millis(*at).iso8601())
}

/// The head of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChainHead {
    /// The number of events.
    pub events: i64,
    /// The newest hash, in hexadecimal.
    pub hash: String,
}

const COLUMNS: &str = "number, rotation, generation, at, phase, text, hash";

/// The hash that precedes the first event.
const BEGINNING: [u8; 32] = [0; 32];

fn hash(before: &[u8], event: &RotationEvent) -> [u8; 32] {
    let fields = (
        event.number,
        &event.rotation,
        event.generation,
        event.at,
        &event.phase,
        &event.text,
    );
    let text = serde_json::to_vec(&fields).unwrap_or_default();
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(&text);
    hash.finalize().into()
}

/// Appends the outcome of a rotation's step.
pub(super) fn append(
    transaction: &Transaction<'_>,
    rotation: &Rotation,
    text: &str,
    now: Timestamp,
) -> Result<(), JournalError> {
    let last: Option<(i64, Vec<u8>)> = transaction
        .query_row(
            "SELECT number, hash FROM event ORDER BY number DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
        .map_err(failed)?;
    let (number, before) = last.unwrap_or((0, BEGINNING.to_vec()));
    let event = RotationEvent {
        number: number + 1,
        rotation: rotation.id.0.clone(),
        generation: i64::try_from(rotation.generation).map_err(|error| unavailable(&error))?,
        at: now.millis(),
        phase: format!("{:?}", rotation.phase),
        text: text.to_owned(),
        hash: String::new(),
    };
    let hash = hash(&before, &event);
    transaction
        .execute(
            "INSERT INTO event (number, rotation, generation, at, phase, text, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (
                event.number,
                &event.rotation,
                event.generation,
                event.at,
                &event.phase,
                &event.text,
                hash,
            ),
        )
        .map_err(failed)?;
    Ok(())
}

fn event(row: &rusqlite::Row<'_>) -> rusqlite::Result<(RotationEvent, Vec<u8>)> {
    let bytes: Vec<u8> = row.get(6)?;
    let event = RotationEvent {
        number: row.get(0)?,
        rotation: row.get(1)?,
        generation: row.get(2)?,
        at: row.get(3)?,
        phase: row.get(4)?,
        text: row.get(5)?,
        hash: hex::encode(&bytes),
    };
    Ok((event, bytes))
}

/// The last events, oldest first.
pub(super) fn read(
    transaction: &Transaction<'_>,
    of: Option<&str>,
    limit: u32,
) -> Result<Vec<RotationEvent>, JournalError> {
    let query = format!(
        "SELECT {COLUMNS} FROM event WHERE ?1 IS NULL OR rotation = ?1
         ORDER BY number DESC LIMIT ?2"
    );
    let mut statement = transaction.prepare_cached(&query).map_err(failed)?;
    let events = statement.query_map((of, limit), |row| Ok(event(row)?.0));
    let mut events: Vec<_> = events
        .map_err(failed)?
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    events.reverse();
    Ok(events)
}

/// When the last rotation of an account was done.
pub(super) fn last_done(
    transaction: &Transaction<'_>,
    account: &str,
) -> Result<Option<Timestamp>, JournalError> {
    let query = "SELECT event.at FROM event JOIN rotation ON rotation.id = event.rotation
                 WHERE event.phase = 'Done' AND rotation.account = ?1
                 ORDER BY event.number DESC LIMIT 1";
    let found = transaction.query_row(query, [account], |row| row.get(0));
    let found: Option<i64> = found.optional().map_err(failed)?;
    Ok(found.map(Timestamp::from_millis))
}

/// The number of finished rotations of an account, by final phase.
pub(super) fn ended(
    transaction: &Transaction<'_>,
    account: &str,
) -> Result<Vec<(String, u32)>, JournalError> {
    let query = "SELECT event.phase, COUNT(*) FROM event
                 JOIN rotation ON rotation.id = event.rotation
                   AND rotation.generation = event.generation
                 WHERE rotation.account = ?1 AND rotation.open = 0
                 GROUP BY event.phase ORDER BY event.phase";
    let mut statement = transaction.prepare_cached(query).map_err(failed)?;
    let counted = statement.query_map([account], |row| Ok((row.get(0)?, row.get(1)?)));
    let counted = counted.map_err(failed)?.collect::<Result<_, _>>();
    counted.map_err(failed)
}

/// A page of a user's history, oldest first.
pub(super) fn page(
    transaction: &Transaction<'_>,
    of: &HistoryFilter,
    limit: u32,
) -> Result<Vec<RotationEvent>, JournalError> {
    let query = format!(
        "SELECT {COLUMNS} FROM event WHERE number > ?4 AND rotation IN
         (SELECT id FROM rotation
          WHERE account = ?1 AND user_id = ?2 AND (?3 IS NULL OR id = ?3))
         ORDER BY number LIMIT ?5"
    );
    let mut statement = transaction.prepare_cached(&query).map_err(failed)?;
    let rotation = of.rotation.as_ref().map(|id| &id.0);
    let parameters = (&of.account, &of.user_id, rotation, of.after, limit);
    let events = statement.query_map(parameters, |row| Ok(event(row)?.0));
    let events = events.map_err(failed)?.collect::<Result<_, _>>();
    events.map_err(failed)
}

/// Verifies the chain from its beginning.
pub(super) fn check(transaction: &Transaction<'_>) -> Result<ChainHead, JournalError> {
    let query = format!("SELECT {COLUMNS} FROM event ORDER BY number");
    let mut statement = transaction.prepare_cached(&query).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let (mut number, mut before) = (0, BEGINNING.to_vec());
    while let Some(row) = rows.next().map_err(failed)? {
        let (event, stored) = event(row).map_err(failed)?;
        if event.number != number + 1 || hash(&before, &event) != stored.as_slice() {
            let why = format!("the history was changed at event {}", number + 1);
            return Err(JournalError::Unavailable(why));
        }
        (number, before) = (event.number, stored);
    }
    Ok(ChainHead {
        events: number,
        hash: hex::encode(&before),
    })
}
