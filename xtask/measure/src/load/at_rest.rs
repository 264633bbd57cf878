//! Measures what encryption at rest costs a GET over the network. Each object exists twice,
//! encrypted and in the plaintext format of earlier versions, and both are read alternately from
//! the same server.
//!
//! The server no longer writes plaintext. So while it is stopped, an encrypted object is converted:
//! its row to version 1, its file to plaintext.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use keywright_store::{
    contract::{IndexWrite, ObjectCondition, ObjectIndex},
    sqlite::SqliteStore,
};

use super::{
    CLIENTS, Installed, SIGNED,
    clients::Repeating,
    drive::{Client, Driven, Lane, drive},
    driven,
    seed::{self, Seeded},
    table::{Figure, Report, Row},
};
use crate::{
    client::{Connection, instant},
    installation::Running,
    requests,
};

const BUCKET: &str = "measured";
const ENCRYPTED: &str = "encrypted";
const CLEAR: &str = "clear";
const LARGE_BYTES: usize = 1 << 30;
/// Reads of each large object.
const LARGE_READS: usize = 8;
/// Lowest acceptable share of the plaintext rate: 10 % less.
const TARGET: f64 = 0.9;

/// Reads small and large objects and reports both.
///
/// # Errors
/// If a server fails to start or sends an unexpected response.
pub(super) fn at_rest(each: Duration, report: &mut Report) -> anyhow::Result<()> {
    let on = twins(1024)?;
    let lanes = vec![lane(&on, ENCRYPTED)?, lane(&on, CLEAR)?];
    let [encrypted, clear] = driven(drive(lanes, each)?)?;
    add(report, "1 KiB", (&encrypted, &clear), CLIENTS);
    drop(on);
    let on = twins(LARGE_BYTES)?;
    let (encrypted, clear) = large(&on)?;
    add(report, "1 GiB", (&encrypted, &clear), 1);
    Ok(())
}

fn add(report: &mut Report, size: &str, (encrypted, clear): (&Driven, &Driven), clients: usize) {
    let ratio = encrypted.ratio_to(clear);
    let row = Row::new(&format!("S3 GET of {size}, encrypted"), clients, encrypted);
    report.rows.push(row.beside(ratio));
    report
        .rows
        .push(Row::new("  the same object in clear", clients, clear));
    let name = format!("S3 GET of {size}, encrypted to clear");
    report.figures.push(Figure::at_least(&name, ratio, TARGET));
}

fn lane<'a>(on: &'a Installed, object: &str) -> anyhow::Result<Lane<'a>> {
    let key = on.keys.first().context("no keys")?;
    let request = get(on, object, key)?;
    let signed = Arc::new(vec![request; SIGNED]);
    let mut clients: Vec<Box<dyn Client>> = Vec::new();
    for _ in 0..CLIENTS {
        let connection = Connection::open(on.server.address)?;
        clients.push(Box::new(Repeating::new(connection, Arc::clone(&signed))));
    }
    Ok(Lane {
        server: Some(&on.server),
        clients,
    })
}

/// Complete reads in alternation, one per slice.
fn large(on: &Installed) -> anyhow::Result<(Driven, Driven)> {
    let key = on.keys.first().context("no keys")?;
    let mut connection = Connection::open(on.server.address)?;
    let mut both = (Driven::default(), Driven::default());
    // The first round warms up the page cache and the client's buffer.
    for round in 0..=LARGE_READS {
        for (object, driven) in [(ENCRYPTED, &mut both.0), (CLEAR, &mut both.1)] {
            let request = get(on, object, key)?;
            let (begun, before) = (instant(), on.server.processor()?);
            let reply = connection.exchange(&request)?;
            ensure!(reply.status == 200, "not answered: {}", reply.excerpt());
            ensure!(reply.body.len() == LARGE_BYTES, "not the whole object");
            if round > 0 {
                driven.step(
                    begun.elapsed(),
                    on.server.processor()?.saturating_sub(before),
                );
            }
        }
    }
    Ok(both)
}

fn get(on: &Installed, object: &str, key: &requests::Key) -> anyhow::Result<Vec<u8>> {
    let path = format!("/{BUCKET}/{object}");
    requests::s3(on.server.address, key, ("GET", &path), b"")
}

/// A server with the same object encrypted and in plaintext.
fn twins(bytes: usize) -> anyhow::Result<Installed> {
    let Seeded { data, keys } = seed::folder(super::FEW)?;
    let mut server = Running::serve(&data)?;
    let key = keys.first().context("no keys")?;
    let text = vec![b'o'; bytes];
    server.put(key, &format!("/{BUCKET}"), b"")?;
    for object in [ENCRYPTED, CLEAR] {
        server.put(key, &format!("/{BUCKET}/{object}"), &text)?;
    }
    server.kill()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(make_clear(&data, &text))?;
    Ok(Installed {
        server: Running::serve(&data)?,
        keys,
    })
}

/// Converts the stored object to version 1: no keys in its row, its data in plaintext.
///
/// A row consists of its version, the length of its JSON, the JSON, and the location of the data:
/// four zero bytes followed by the data, or four other bytes, a file name and its size.
async fn make_clear(data: &Path, text: &[u8]) -> anyhow::Result<()> {
    let store = SqliteStore::open(&data.join("keywright.db"))?;
    let row = store.object(BUCKET, CLEAR).await?;
    let mut row = row.context("the object is not there")?;
    let malformed = "not a row of version 2";
    let (head, rest) = row.body.split_first_chunk::<5>().context(malformed)?;
    let [_, length @ ..] = *head;
    let json = usize::try_from(u32::from_be_bytes(length))?;
    let (json, rest) = rest.split_at_checked(json).context(malformed)?;
    let (kind, rest) = rest.split_first_chunk::<4>().context(malformed)?;
    let mut body = [&[1], &length[..], json, kind].concat();
    if *kind == [0; 4] {
        body.extend_from_slice(text);
    } else {
        let (name, _) = rest.split_first_chunk::<16>().context(malformed)?;
        body.extend_from_slice(rest.get(..24).context(malformed)?);
        let name = hex::encode(name);
        let shard = name.get(..2).context(malformed)?;
        let path = data.join("objects").join(shard).join(&name);
        ensure!(path.exists(), "{} is not there", path.display());
        let mut file = fs::File::create(&path)?;
        std::io::Write::write_all(&mut file, text)?;
    }
    row.body = body;
    let expect = ObjectCondition::Any;
    store
        .apply(vec![IndexWrite::PutObject { row, expect }])
        .await?;
    Ok(())
}
