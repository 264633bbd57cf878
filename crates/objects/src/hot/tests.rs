//! A hot row is never an old one, whatever is written by whom and however the writes end.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures_util::{FutureExt, TryStreamExt};
use keywright_base::limits;
use keywright_store::{
    SqliteStore,
    contract::RowStamp,
    faulty::{ContractPart, FaultMoment, FaultyStore},
};

use super::{NamedRow, PARTS, RecentRows};
use crate::{
    ObjectMeta, Objects, PutRequest, ReadAsk, Tags, WriteIf,
    object::{InlineBytes, Object, ObjectContent, StoredHeaders},
    testing::{self, TestObjects, bytes, run},
};

const B: &str = "bench";
static NO_TAGS: Tags = Tags::new();

/// An object of about a kilobyte.
fn object(key: &str) -> Arc<Object> {
    Arc::new(Object {
        content: ObjectContent::Inline(InlineBytes {
            stored: Bytes::from(vec![7; 1024]),
            key: None,
        }),
        ..testing::object(key, "etag", 0)
    })
}

#[test]
fn only_the_same_stamp_and_name_find_a_row() {
    let rows = RecentRows::new(1 << 20);
    let (row, stamp) = (object("k"), RowStamp(1));
    assert!(rows.find((B, "k"), stamp).is_none());
    rows.add(&row, stamp);
    for (name, stamp, expected) in [
        ((B, "k"), stamp, true),
        ((B, "k"), RowStamp(2), false),
        ((B, "l"), stamp, false),
        (("other", "k"), stamp, false),
    ] {
        assert_eq!(rows.find(name, stamp).is_some(), expected, "{name:?}");
    }
    rows.add(&object("k"), RowStamp(2));
    assert!(rows.find((B, "k"), stamp).is_none());
    assert!(rows.find((B, "k"), RowStamp(2)).is_some());
}

fn held<T>(rows: &RecentRows<T>) -> usize {
    let parts = rows.parts.iter().map(|part| {
        let part = part.lock().unwrap();
        let all = part.newer.values().chain(part.older.values());
        all.map(|row| row.bytes).sum::<usize>()
    });
    parts.sum()
}

#[test]
fn memory_is_bounded_and_rows_in_use_stay() {
    let size = object("k").memory_bytes();
    let bytes_max = size * PARTS * 8;
    let (rows, stamp) = (RecentRows::new(bytes_max), RowStamp(1));
    rows.add(&object("hot"), stamp);
    for number in 0..20 * PARTS {
        rows.add(&object(&number.to_string()), stamp);
        assert!(held(&rows) <= bytes_max, "{number}");
        assert!(rows.find((B, "hot"), stamp).is_some(), "{number}");
    }
    assert!(rows.find((B, "0"), stamp).is_none(), "the oldest is gone");
    assert!(held(&rows) > bytes_max / 4);
    // The same row again takes no more.
    let before = held(&rows);
    rows.add(&object("hot"), stamp);
    assert!(held(&rows) <= before.max(bytes_max / 2));
}

#[test]
fn large_rows_do_not_enter() {
    let rows = RecentRows::new(limits::S3_HOT_OBJECT_BYTES);
    let sized = |bytes: usize| {
        let small = testing::object("k", "etag", 0);
        let stored = Bytes::from(vec![0; bytes - small.memory_bytes()]);
        let content = ObjectContent::Inline(InlineBytes { stored, key: None });
        Arc::new(Object { content, ..small })
    };
    for (bytes, expected) in [
        (limits::S3_HOT_ROW_BYTES, true),
        (limits::S3_HOT_ROW_BYTES + 1, false),
    ] {
        let row = sized(bytes);
        let stamp = RowStamp(u64::try_from(bytes).unwrap());
        rows.add(&row, stamp);
        assert_eq!(rows.find((B, "k"), stamp).is_some(), expected, "{bytes}");
    }
}

#[test]
fn what_counts_is_what_clients_can_make_large() {
    let small = testing::object("k", "etag", 0).memory_bytes();
    let text = "x".repeat(1000);
    let tags: Tags = vec![("a".into(), text.clone())];
    let headers = StoredHeaders {
        user: [("a".into(), text.clone())].into(),
        ..StoredHeaders::default()
    };
    for meta in [
        ObjectMeta {
            tags,
            ..ObjectMeta::default()
        },
        ObjectMeta {
            headers,
            ..ObjectMeta::default()
        },
    ] {
        let larger = Object {
            meta,
            ..testing::object("k", "etag", 0)
        };
        assert!(larger.memory_bytes() >= small + 1000);
    }
    assert!(testing::object(&text, "etag", 0).memory_bytes() >= small + 999);
    let bucket = testing::bucket(Some(&text));
    assert!(bucket.memory_bytes() >= testing::bucket(None).memory_bytes() + 1000);
}

/// Objects over SQLite, whose reads cross to another thread, and whose writes can be made to fail.
struct SqliteObjects {
    objects: Objects,
    faulty: Arc<FaultyStore>,
    _folders: (TestObjects, tempfile::TempDir),
}

async fn over_sqlite() -> SqliteObjects {
    let (bench, folder) = (TestObjects::new().await, tempfile::tempdir().unwrap());
    let store = SqliteStore::open(&folder.path().join("db")).unwrap();
    let faulty = Arc::new(FaultyStore::new(Arc::new(store)));
    let objects = bench.open_over(Arc::clone(&faulty) as _);
    let created = objects.create_bucket(B, testing::owner(), "us-east-1", None, &NO_TAGS);
    created.await.unwrap();
    SqliteObjects {
        objects,
        faulty,
        _folders: (bench, folder),
    }
}

async fn put(objects: &Objects, key: &str, text: &str) -> Result<(), crate::S3Fault> {
    let put = objects.put(B, key, PutRequest::default(), bytes(text));
    put.await.map(drop)
}

async fn text(objects: &Objects, key: &str) -> Option<String> {
    let found = objects.find(B, key).await.unwrap()?;
    let (_, reading) = objects.read(found, &ReadAsk::default()).await.unwrap();
    let text: Vec<Bytes> = reading.try_collect().await.unwrap();
    Some(String::from_utf8(text.concat()).unwrap())
}

#[test]
fn a_hot_object_is_read_without_waiting() {
    run(async {
        let bench = over_sqlite().await;
        let objects = &bench.objects;
        put(objects, "k", "text").await.unwrap();
        objects.find_bucket(B).await.unwrap().unwrap();
        assert_eq!(text(objects, "k").await.unwrap(), "text");
        for _ in 0..100 {
            let bucket = objects.find_bucket(B).now_or_never().unwrap().unwrap();
            assert_eq!(bucket.unwrap().name, B);
            let read = text(objects, "k").now_or_never().unwrap();
            assert_eq!(read.as_deref(), Some("text"));
        }
    });
}

#[test]
fn no_text_of_an_object_stays_in_memory() {
    run(async {
        let bench = over_sqlite().await;
        let secret = "a text that nobody should find".repeat(9);
        put(&bench.objects, "k", &secret).await.unwrap();
        text(&bench.objects, "k").await.unwrap();
        let found = bench.objects.find(B, "k").await.unwrap().unwrap();
        let ObjectContent::Inline(inline) = &found.content else {
            panic!("a small object is in its row");
        };
        assert!(inline.key.is_some());
        let part = &secret.as_bytes()[..16];
        assert!(!inline.stored.windows(16).any(|window| window == part));
    });
}

/// What a write does to an object or a bucket that is hot, and what is read right after it.
#[test]
fn each_kind_of_write_shows_at_once() {
    run(async {
        let bench = over_sqlite().await;
        let objects = &bench.objects;
        put(objects, "k", "1").await.unwrap();
        for number in ["2", "3"] {
            assert!(text(objects, "k").await.is_some());
            put(objects, "k", number).await.unwrap();
            assert_eq!(text(objects, "k").await.as_deref(), Some(number));
        }
        let tags = vec![("a".to_owned(), "1".to_owned())];
        objects.set_tags(B, "k", &tags).await.unwrap();
        let found = objects.find(B, "k").await.unwrap().unwrap();
        assert_eq!(found.meta.tags, tags);
        objects.delete(B, "k", &WriteIf::Always).await.unwrap();
        assert_eq!(text(objects, "k").await, None);
        put(objects, "k", "4").await.unwrap();
        assert_eq!(text(objects, "k").await.as_deref(), Some("4"));
        objects.delete_all(B, vec!["k".into()]).await.unwrap();
        assert_eq!(text(objects, "k").await, None);

        objects.find_bucket(B).await.unwrap().unwrap();
        objects.set_policy(B, Some("{}")).await.unwrap();
        let found = objects.find_bucket(B).await.unwrap().unwrap();
        assert_eq!(found.policy.as_deref(), Some("{}"));
        objects.delete_bucket(B).await.unwrap();
        assert!(objects.find_bucket(B).await.unwrap().is_none());
        let other = "444455556666".parse().unwrap();
        let created = objects.create_bucket(B, other, "us-east-1", None, &NO_TAGS);
        created.await.unwrap();
        let found = objects.find_bucket(B).await.unwrap().unwrap();
        assert_eq!((found.owner, found.policy.as_deref()), (other, None));
    });
}

#[test]
fn writes_through_another_handle_of_the_index_show_at_once() {
    run(async {
        let bench = TestObjects::new().await;
        let (one, other) = (
            &bench.objects,
            bench.open_over(Arc::clone(&bench.index) as _),
        );
        for number in 0..9 {
            let written = number.to_string();
            put(&other, "k", &written).await.unwrap();
            for _ in 0..2 {
                assert_eq!(text(one, "k").await.as_deref(), Some(written.as_str()));
            }
        }
        other.delete(B, "k", &WriteIf::Always).await.unwrap();
        assert_eq!(text(one, "k").await, None);
    });
}

/// Rows: how a write of "2" over a hot "1" fails, and what is stored then.
#[test]
fn a_write_that_fails_leaves_what_is_stored() {
    for (moment, stored) in [(FaultMoment::Before, "1"), (FaultMoment::After, "2")] {
        run(async {
            let bench = over_sqlite().await;
            let (objects, faulty) = (&bench.objects, &bench.faulty);
            put(objects, "k", "1").await.unwrap();
            assert_eq!(text(objects, "k").await.as_deref(), Some("1"));
            faulty.fail_write(ContractPart::Index, 1, moment);
            assert!(put(objects, "k", "2").await.is_err(), "{moment:?}");
            for _ in 0..3 {
                let read = text(objects, "k").await;
                assert_eq!(read.as_deref(), Some(stored), "{moment:?}");
            }
            put(objects, "k", "3").await.unwrap();
            assert_eq!(text(objects, "k").await.as_deref(), Some("3"));
            // While the store is down, nothing hot stands in for it.
            faulty.outage(true);
            assert!(objects.find(B, "k").await.is_err());
            assert!(objects.find_bucket(B).await.is_err());
        });
    }
}

const STATES: usize = 400;
const READERS: usize = 6;

/// The states that a key goes through: with the number as content and tag, or deleted.
async fn write_state(objects: &Objects, key: &str, state: usize) {
    let tags = vec![("n".to_owned(), state.to_string())];
    match state % 4 {
        3 => objects.delete(B, key, &WriteIf::Always).await.unwrap(),
        1 | 2 => objects.set_tags(B, key, &tags).await.unwrap(),
        _ => {
            let meta = ObjectMeta {
                tags,
                ..ObjectMeta::default()
            };
            let put = PutRequest {
                meta,
                ..PutRequest::default()
            };
            objects.put(B, key, put, bytes("body")).await.unwrap();
        }
    }
}

/// Every read returns a state between the last one acknowledged before it and the last one begun
/// before it ended, and no reader goes back.
#[test]
fn no_read_returns_what_was_replaced_before_it() {
    run(async {
        let bench = over_sqlite().await;
        let (begun, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        write_state(&bench.objects, "k", 0).await;
        let readers = (0..READERS).map(|_| {
            let (objects, begun, done) = (bench.objects.clone(), begun.clone(), done.clone());
            tokio::spawn(async move {
                let mut seen = 0;
                while done.load(Ordering::SeqCst) < STATES {
                    let from = done.load(Ordering::SeqCst).max(seen);
                    let found = objects.find(B, "k").await.unwrap();
                    let to = begun.load(Ordering::SeqCst);
                    match found {
                        Some(object) => {
                            let state: usize = object.meta.tags[0].1.parse().unwrap();
                            assert!((from..=to).contains(&state), "{state} in {from}..={to}");
                            seen = state;
                        }
                        None => assert!((from..=to).any(|state| state % 4 == 3)),
                    }
                    tokio::task::yield_now().await;
                }
            })
        });
        let readers: Vec<_> = readers.collect();
        for state in 1..=STATES {
            begun.store(state, Ordering::SeqCst);
            write_state(&bench.objects, "k", state).await;
            done.store(state, Ordering::SeqCst);
        }
        for reader in readers {
            reader.await.unwrap();
        }
    });
}
