//! Listings: every range over a set of tricky names, compared with the same range computed by
//! sorting.

use std::sync::Arc;

use super::{
    account, done,
    index::{add, bucket, create, put, upload},
};
use crate::contract::{IndexWrite, ListRange, ObjectIndex, RowBodies};

/// Their order by UTF-8 bytes differs from their order by UTF-16 units and from a human's.
const NAMES: &[&str] = &[
    "!",
    "A",
    "a",
    "a/",
    "a/1",
    "a/2",
    "a/\u{10ffff}",
    "a0",
    "aa",
    "ab",
    "b",
    "%",
    "_",
    "'",
    "z",
    "zz",
    "é",
    "é/x",
    "e\u{301}",
    "日本",
    "日本/1",
    "\u{7f}",
    "\u{80}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{ffff}",
    "\u{10000}",
    "\u{10ffff}",
    "\u{10ffff}\u{10ffff}",
];
const PREFIXES: &[&str] = &[
    "",
    "a",
    "a/",
    "a/\u{10ffff}",
    "e",
    "é",
    "日",
    "\u{7f}",
    "\u{ffff}",
    "\u{10ffff}",
    "none",
    "~",
];
const LIMITS: &[usize] = &[0, 1, 3, NAMES.len(), usize::MAX];

pub(super) fn of_objects(store: Arc<dyn ObjectIndex>) {
    done(store.apply(vec![
        create("b"),
        create("a"),
        create("c"),
        put("a", "a/0", "e"),
    ]));
    done(store.apply(NAMES.iter().map(|name| put("b", name, "e")).collect()));
    done(store.apply(vec![put("c", "a/0", "e")]));
    every_range(|range| {
        let found = done(store.objects("b", range));
        found.into_iter().map(|row| row.key).collect()
    });
}

pub(super) fn of_buckets(store: Arc<dyn ObjectIndex>) {
    let others = ["a/0", "zzz"].map(|name| IndexWrite::CreateBucket(bucket(name, 2, "")));
    done(
        store.apply(
            NAMES
                .iter()
                .map(|name| create(name))
                .chain(others)
                .collect(),
        ),
    );
    every_range(|range| {
        let found = done(store.buckets(account(1), range));
        found.into_iter().map(|row| row.name).collect()
    });
}

pub(super) fn of_uploads(store: Arc<dyn ObjectIndex>) {
    let rows = |bucket: &str| -> Vec<_> {
        let ids = ["1", "2"].into_iter();
        let named = ids.flat_map(|id| NAMES.iter().map(move |name| (*name, id)));
        named
            .map(|(name, id)| upload(bucket, name, &format!("{bucket}{name}{id}")))
            .collect()
    };
    for bucket in ["b", "c"] {
        let uploads = rows(bucket).into_iter().map(IndexWrite::CreateUpload);
        done(store.apply([create(bucket)].into_iter().chain(uploads).collect()));
    }
    let mut sorted = rows("b");
    sorted.sort_by(|x, y| (&x.key, &x.upload).cmp(&(&y.key, &y.upload)));
    let pair = |key: &[u8], id: &[u8]| (key.to_vec(), id.to_vec());
    let mut starts: Vec<_> = afters()
        .iter()
        .map(|after| (after.clone(), pair(after, b"")))
        .collect();
    for row in &sorted {
        let (key, id) = (row.key.as_bytes(), row.upload.as_bytes());
        starts.push(([key, b"\0", id].concat(), pair(key, id)));
        starts.push(([key, b"\0\xff"].concat(), pair(key, b"\xff")));
    }
    for (after, start) in starts {
        for (prefix, inclusive, limit) in shapes() {
            let range = ListRange {
                prefix: prefix.into(),
                after: after.clone(),
                inclusive,
                limit,
                bodies: RowBodies::Whole,
            };
            let place = |key: &str, id: &str| pair(key.as_bytes(), id.as_bytes()).cmp(&start);
            let expected: Vec<_> = sorted
                .iter()
                .filter(|row| row.key.starts_with(prefix))
                .filter(|row| place(&row.key, &row.upload).is_ge())
                .filter(|row| inclusive || place(&row.key, &row.upload).is_gt())
                .take(limit)
                .cloned()
                .collect();
            assert_eq!(
                done(store.uploads("b", range.clone())),
                expected,
                "{range:?}"
            );
        }
    }
}

pub(super) fn of_parts(store: Arc<dyn ObjectIndex>) {
    let started = ["u", "v"].map(|id| IndexWrite::CreateUpload(upload("b", "k", id)));
    done(store.apply([create("b")].into_iter().chain(started).collect()));
    let numbers = [10_000, 3, 1, 200];
    let parts = |id: &'static str| numbers.map(|number| add(id, number, "x"));
    done(store.apply(parts("u").into_iter().chain(parts("v")).collect()));
    for (after, limit, expected) in [
        (0, 9, vec![1, 3, 200, 10_000]),
        (0, 2, vec![1, 3]),
        (1, 2, vec![3, 200]),
        (2, usize::MAX, vec![3, 200, 10_000]),
        (10_000, 9, vec![]),
        (i32::MAX, 9, vec![]),
        (0, 0, vec![]),
    ] {
        let found = done(store.parts("u", after, limit));
        let found: Vec<_> = found.into_iter().map(|row| row.number).collect();
        assert_eq!(found, expected, "after {after}, limit {limit}");
    }
}

fn every_range(list: impl Fn(ListRange) -> Vec<String>) {
    let mut sorted = NAMES.to_vec();
    sorted.sort_unstable_by_key(|name| name.as_bytes());
    for after in afters() {
        for (prefix, inclusive, limit) in shapes() {
            let range = ListRange {
                prefix: prefix.into(),
                after: after.clone(),
                inclusive,
                limit,
                bodies: RowBodies::Whole,
            };
            let expected: Vec<_> = sorted
                .iter()
                .filter(|name| name.starts_with(prefix) && name.as_bytes() >= after.as_slice())
                .filter(|name| inclusive || name.as_bytes() != after.as_slice())
                .take(limit)
                .collect();
            assert_eq!(Vec::from_iter(&list(range.clone())), expected, "{range:?}");
        }
    }
}

fn shapes() -> impl Iterator<Item = (&'static str, bool, usize)> {
    PREFIXES.iter().flat_map(|prefix| {
        [false, true]
            .into_iter()
            .flat_map(move |inclusive| LIMITS.iter().map(move |limit| (*prefix, inclusive, *limit)))
    })
}

/// Where listings start: at the beginning, at each name, just after each common prefix, at the end.
fn afters() -> Vec<Vec<u8>> {
    let successor = |name: &str| {
        let mut bytes = name.as_bytes().to_vec();
        bytes.iter_mut().rev().take(1).for_each(|last| *last += 1);
        bytes
    };
    let names = NAMES.iter().map(|name| name.as_bytes().to_vec());
    let successors = PREFIXES.iter().map(|prefix| successor(prefix));
    names
        .chain(successors)
        .chain([vec![0xff], vec![0xff; 3]])
        .collect()
}
