//! Tests specific to this engine: files, locks, threads and lost transactions.

use std::{
    cell::RefCell,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    sync::{Arc, mpsc},
};

use keywright_base::AccountId;
use rusqlite::Connection;

use super::{LOG_BYTES_HELD, SqliteStore, beside, schema};
use crate::{
    DiskReserve,
    contract::{
        BucketRow, IndexWrite, LedgerCommit, LedgerStore, ListRange, ObjectCondition, ObjectIndex,
        ObjectRow, RecordWrite, StateRecord, StoreError, VersionId,
    },
    suite::{self, wait},
};

fn commit(base: u64, id: &str) -> LedgerCommit {
    let record = StateRecord {
        kind: "user".into(),
        id: id.into(),
        body: vec![7; 100],
    };
    LedgerCommit {
        account: AccountId::new(1).unwrap(),
        base,
        lineage: None,
        lease: None,
        writes: vec![RecordWrite::Put(record)],
    }
}

fn version(store: &SqliteStore) -> u64 {
    store
        .accounts()
        .unwrap()
        .first()
        .map_or(0, |(_, version)| *version)
}

#[test]
fn it_passes_the_suite() {
    let folders = RefCell::new(Vec::new());
    suite::run_all(|| {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("db")).unwrap();
        folders.borrow_mut().push(folder);
        Arc::new(store)
    });
    let folder = tempfile::tempdir().unwrap();
    suite::run_reopening(|| Arc::new(SqliteStore::open(&folder.path().join("db")).unwrap()));
}

#[test]
fn the_files_are_private_even_if_they_were_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    fs::File::create(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    wait(store.commit(commit(0, "a"))).unwrap();
    for suffix in ["", "-wal", "-shm", "-lock"] {
        let mode = fs::metadata(beside(&path, suffix))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix}");
    }
}

#[test]
fn a_second_server_gets_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let first = SqliteStore::open(&path).unwrap();
    let refused = SqliteStore::open(&path).unwrap_err().to_string();
    assert!(
        refused.ends_with("another running server has this database open"),
        "{refused}"
    );
    first.close();
    SqliteStore::open(&path).unwrap();
}

#[test]
fn what_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let newer = folder.path().join("newer");
    SqliteStore::open(&newer).unwrap().close();
    let raw = Connection::open(&newer).unwrap();
    raw.execute("INSERT INTO schema_step VALUES (900, 'future')", [])
        .unwrap();
    drop(raw);
    let refused = SqliteStore::open(&newer);
    assert!(matches!(
        refused,
        Err(StoreError::NewerSchema { found: 900, .. })
    ));

    let garbage = folder.path().join("garbage");
    crate::durable::create_new(&garbage, &[b'x'; 8192]).unwrap();
    let missing = folder.path().join("missing/db");
    for path in [garbage.as_path(), missing.as_path(), Path::new("/")] {
        assert!(
            matches!(SqliteStore::open(path), Err(StoreError::Unavailable(_))),
            "{path:?}"
        );
    }
}

/// Objects stored before there were versions are the version `null` of their keys.
#[test]
fn objects_of_an_earlier_schema_become_the_null_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let mut raw = Connection::open(&path).unwrap();
    schema::migrate_to(&mut raw, 4);
    let rows = "INSERT INTO bucket VALUES (x'62', 1, x'');
         INSERT INTO object (bucket, key, etag, body) VALUES
             (x'62', x'6b31', 'one', x'01'), (x'62', x'6b32', 'two', x'02')";
    raw.execute_batch(rows).unwrap();
    drop(raw);
    let row = |key: &str, etag: &str, body: u8| ObjectRow {
        bucket: "b".into(),
        key: key.into(),
        version: VersionId::NULL,
        etag: etag.into(),
        body: vec![body],
    };
    let stored = [row("k1", "one", 1), row("k2", "two", 2)];
    SqliteStore::open(&path).unwrap().close();
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(
        wait(store.object("b", "k1")).unwrap().as_ref(),
        stored.first()
    );
    let all = ListRange {
        limit: 9,
        ..ListRange::default()
    };
    assert_eq!(wait(store.objects("b", all)).unwrap(), stored);
    let put = IndexWrite::PutObject {
        row: row("k1", "new", 3),
        expect: ObjectCondition::Etag("one".into()),
    };
    let delete = IndexWrite::DeleteObject {
        bucket: "b".into(),
        key: "k2".into(),
        version: VersionId::NULL,
        expect: ObjectCondition::Etag("two".into()),
    };
    let displaced = wait(store.apply(vec![put, delete])).unwrap();
    assert_eq!(displaced.objects, stored);
    assert_eq!(
        wait(store.object("b", "k1")).unwrap(),
        Some(row("k1", "new", 3))
    );
    assert_eq!(wait(store.object("b", "k2")).unwrap(), None);
}

#[test]
fn closing_finishes_what_is_queued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = SqliteStore::open(&path).unwrap();
    let queued: Vec<_> = (0..50)
        .map(|base| store.commit(commit(base, "a")))
        .collect();
    store.close();
    for (pending, version) in queued.into_iter().zip(1..) {
        assert_eq!(wait(pending).unwrap(), version);
    }
    assert_eq!(version(&SqliteStore::open(&path).unwrap()), 50);
}

/// Simulates an unclean shutdown: copies the database and its log while the store is in use.
#[test]
fn nothing_relies_on_a_clean_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("db"), folder.path().join("copy"));
    let store = SqliteStore::open(&path).unwrap();
    for base in 0..5 {
        wait(store.commit(commit(base, &base.to_string()))).unwrap();
    }
    for suffix in ["", "-wal"] {
        fs::copy(beside(&path, suffix), beside(&copy, suffix)).unwrap();
    }
    assert_eq!(version(&SqliteStore::open(&copy).unwrap()), 5);
}

/// Blocks the writer inside a job until the returned sender is used or dropped, so that everything
/// queued meanwhile becomes one group.
fn occupy(store: &SqliteStore) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel();
    drop(store.write(move |_| {
        let _ = released.recv();
        Ok(())
    }));
    release
}

#[test]
fn many_callers_share_one_flush() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("db")).unwrap();
    let release = occupy(&store);
    let queued: Vec<_> = (0..100)
        .map(|base| store.commit(commit(base, "a")))
        .collect();
    let before = transactions(&store);
    drop(release);
    queued
        .into_iter()
        .for_each(|pending| assert!(wait(pending).is_ok()));
    assert_eq!(transactions(&store) - before, 1);
}

/// The number of committed transactions, as counted in the log's index.
fn transactions(store: &SqliteStore) -> u32 {
    let header = fs::read(beside(&store.path, "-shm")).unwrap();
    u32::from_ne_bytes(header[8..12].try_into().unwrap())
}

#[test]
fn a_lost_transaction_is_lost_for_everyone_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("db")).unwrap();
    wait(store.commit(commit(0, "kept"))).unwrap();
    let release = occupy(&store);
    let first = store.commit(commit(1, "lost"));
    // A failure that ends the transaction behind the writer's back, as a full disk does.
    let broken = store.write(|connection| Ok(connection.execute_batch("ROLLBACK")?));
    drop(release);
    assert!(matches!(wait(first), Err(StoreError::Unavailable(_))));
    assert!(matches!(wait(broken), Err(StoreError::Unavailable(_))));
    assert_eq!(version(&store), 1);
    assert_eq!(wait(store.commit(commit(1, "next"))).unwrap(), 2);
}

#[test]
fn a_commit_that_fails_is_lost_for_everyone_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("db")).unwrap();
    let release = occupy(&store);
    let first = store.commit(commit(0, "lost"));
    // A deferred constraint is checked by COMMIT itself.
    let broken = store.write(|connection| {
        Ok(connection.execute_batch(
            "PRAGMA defer_foreign_keys = ON;
             CREATE TABLE child (id INTEGER REFERENCES account (id) DEFERRABLE INITIALLY DEFERRED);
             INSERT INTO child VALUES (404);",
        )?)
    });
    drop(release);
    assert!(matches!(wait(first), Err(StoreError::Unavailable(_))));
    assert!(matches!(wait(broken), Err(StoreError::Unavailable(_))));
    assert_eq!(version(&store), 0);
    assert_eq!(wait(store.commit(commit(0, "next"))).unwrap(), 1);
}

/// A batch that creates the bucket `b`.
fn create_bucket() -> Vec<IndexWrite> {
    let row = BucketRow {
        name: "b".into(),
        account: AccountId::new(1).unwrap(),
        body: Vec::new(),
    };
    vec![IndexWrite::CreateBucket(row)]
}

#[test]
fn a_row_has_no_stamp_while_it_may_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("db")).unwrap();
    let first = store.bucket_stamp("b").unwrap();
    let release = occupy(&store);
    let created = store.apply(create_bucket());
    let refused = store.apply(create_bucket());
    assert_eq!(store.bucket_stamp("b"), None);
    drop(release);
    assert!(wait(created).is_ok());
    assert!(wait(refused).is_err());
    let second = store.bucket_stamp("b").unwrap();
    assert_ne!(first, second);

    // The commit fails, so nothing was written, and the row has a stamp again.
    let release = occupy(&store);
    let lost = store.apply(vec![IndexWrite::DeleteBucket("b".into())]);
    let broken = store.write(|connection| Ok(connection.execute_batch("ROLLBACK")?));
    assert_eq!(store.bucket_stamp("b"), None);
    drop(release);
    assert!(wait(lost).is_err());
    assert!(wait(broken).is_err());
    assert_ne!(store.bucket_stamp("b").unwrap(), second);
    assert!(wait(store.bucket("b")).unwrap().is_some());
}

#[test]
fn a_broken_write_answers_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("db")).unwrap();
    let release = occupy(&store);
    let first = store.commit(commit(0, "a"));
    let broken = store.write(|connection| {
        connection.execute("DELETE FROM account", [])?;
        Ok(connection.execute_batch("nonsense")?)
    });
    let second = store.commit(commit(1, "b"));
    drop(release);
    assert_eq!(wait(first).unwrap(), 1);
    assert!(matches!(wait(broken), Err(StoreError::Unavailable(_))));
    assert_eq!(wait(second).unwrap(), 2);
}

#[test]
fn a_panic_in_the_writer_is_an_answer_not_a_hang() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("db")).unwrap();
    let release = occupy(&store);
    let broken = store.write(|_| -> Result<(), StoreError> { panic!("a defect") });
    let queued = store.commit(commit(0, "a"));
    drop(release);
    assert!(matches!(wait(broken), Err(StoreError::Unavailable(_))));
    assert!(matches!(wait(queued), Err(StoreError::Unavailable(_))));
    assert!(matches!(
        wait(store.commit(commit(0, "b"))),
        Err(StoreError::Unavailable(_))
    ));
    assert_eq!(version(&store), 0);
}

#[test]
fn a_panic_of_any_thread_is_announced() {
    for (name, write) in [("store-write", true), ("store-read", false)] {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("db")).unwrap();
        let broken = if write {
            store.write(|_| -> Result<(), StoreError> { panic!("a defect") })
        } else {
            store.read(|_| -> Result<(), StoreError> { panic!("a defect") })
        };
        assert!(matches!(wait(broken), Err(StoreError::Unavailable(_))));
        assert_eq!(wait(store.panicked()), name);
    }
}

/// On a full disk, only the log's preallocated blocks are available.
#[test]
fn the_log_has_blocks_of_its_own_and_never_gives_them_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let reserve = Arc::new(DiskReserve::open(folder.path()).unwrap());
    let held = || {
        let found = fs::metadata(beside(&path, "-wal")).unwrap();
        assert!(found.len() >= LOG_BYTES_HELD && found.blocks() * 512 >= LOG_BYTES_HELD);
    };
    for base in [0, 40] {
        let store = SqliteStore::open_with(&path, Some(Arc::clone(&reserve))).unwrap();
        held();
        for base in base..base + 40 {
            let body = vec![1; 1024 * 1024];
            let mut commit = commit(base, "a");
            commit.writes = vec![RecordWrite::Put(StateRecord {
                kind: "blob".into(),
                id: "large".into(),
                body,
            })];
            wait(store.commit(commit)).unwrap();
            held();
        }
        assert_eq!(version(&store), base + 40);
    }
}

#[test]
fn a_full_queue_waits_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("db")).unwrap();
    let count = 3 * u64::try_from(super::WRITES_QUEUED).unwrap();
    let queued: Vec<_> = (0..count)
        .map(|base| store.commit(commit(base, "a")))
        .collect();
    for (pending, version) in queued.into_iter().zip(1..) {
        assert_eq!(wait(pending).unwrap(), version);
    }
}

#[test]
fn the_log_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = SqliteStore::open(&path).unwrap();
    for base in 0..60 {
        let writes = (0..16)
            .map(|n| StateRecord {
                kind: "blob".into(),
                id: format!("{base}-{n}"),
                body: vec![1; 65536],
            })
            .map(RecordWrite::Put)
            .collect();
        let account = AccountId::new(1).unwrap();
        wait(store.commit(LedgerCommit {
            account,
            base,
            lineage: None,
            lease: None,
            writes,
        }))
        .unwrap();
        let log = fs::metadata(beside(&path, "-wal")).unwrap().len();
        assert!(log < 24 * 1024 * 1024, "{log} bytes after {base}");
    }
    assert_eq!(wait(store.bucket("none")).unwrap(), None);
}

/// A log with a tail torn by a power failure: complete transactions before it survive, nothing is
/// half applied, and the store opens without help.
#[test]
fn a_torn_log_loses_only_its_torn_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = SqliteStore::open(&path).unwrap();
    for base in 0..20 {
        wait(store.commit(commit(base, &format!("u{base}")))).unwrap();
    }
    let (database, log) = (
        fs::read(&path).unwrap(),
        fs::read(beside(&path, "-wal")).unwrap(),
    );
    drop(store);
    let mut seen = Vec::new();
    for cut in [
        log.len(),
        log.len() - 1,
        log.len() - 5000,
        log.len() / 2,
        100,
        0,
    ] {
        let copy = folder.path().join(format!("copy-{cut}"));
        crate::durable::create_new(&copy, &database).unwrap();
        let torn = log.get(..cut).unwrap();
        crate::durable::create_new(&beside(&copy, "-wal"), torn).unwrap();
        let store = SqliteStore::open(&copy).unwrap();
        let version = version(&store);
        let mut users = 0;
        let account = AccountId::new(1).unwrap();
        store.load(account, &mut |_| users += 1).unwrap();
        assert_eq!(users, version, "one user a version, cut at {cut}");
        seen.push(version);
    }
    assert_eq!(seen.first(), Some(&20), "nothing torn, nothing lost");
    assert!(seen.is_sorted_by(|a, b| a >= b), "{seen:?}");
}
