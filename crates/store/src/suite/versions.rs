//! Versions of objects and delete markers: which version is current after which writes.

use std::sync::Arc;

use super::{
    done,
    index::{create, object, remove},
    refused, wait,
};
use crate::contract::{
    DeleteMarkerRow, FailedPrecondition, IndexWrite, ListRange, ObjectCondition, ObjectIndex,
    ObjectRow, VersionId,
};

const MARKER: &str = "marker";

pub(super) fn newest_is_current(store: Arc<dyn ObjectIndex>) {
    done(store.apply(vec![
        create("b"),
        put("k", "1"),
        put("k", "2"),
        put("k", "3"),
    ]));
    check(&*store, Some("3"), &["1", "2", "3"]);
    // Versions of another key are not affected.
    done(store.apply(vec![put("other", "1")]));
    assert_eq!(displaced(&*store, take("k", "2")), ["2"]);
    check(&*store, Some("3"), &["1", "1", "3"]);
    assert_eq!(displaced(&*store, take("k", "3")), ["3"]);
    check(&*store, Some("1"), &["1", "1"]);
    assert_eq!(displaced(&*store, take("k", "none")), [""; 0]);
    // The same id replaces, and is the newest again.
    done(store.apply(vec![put("k", "4")]));
    assert_eq!(displaced(&*store, put("k", "1")), ["1"]);
    check(&*store, Some("1"), &["1", "1", "4"]);
    done(store.apply(vec![take("k", "1"), take("k", "4")]));
    check(&*store, None, &["1"]);
    assert_eq!(done(store.object("b", "other")), Some(row("other", "1")));
}

pub(super) fn delete_markers(store: Arc<dyn ObjectIndex>) {
    refused(
        wait(store.apply(vec![mark("k", "m")])),
        &FailedPrecondition::NoSuchBucket,
    );
    done(store.apply(vec![create("b"), put("k", "1")]));
    assert_eq!(displaced(&*store, mark("k", "m")), [""; 0]);
    check(&*store, None, &["1"]);
    assert_eq!(displaced(&*store, mark("k", "n")), [""; 0]);
    assert_eq!(displaced(&*store, take("k", "n")), [""; 0]);
    check(&*store, None, &["1"]);
    done(store.apply(vec![take("k", "m")]));
    check(&*store, Some("1"), &["1"]);
    // A marker below the newest version hides nothing.
    done(store.apply(vec![mark("k", "m"), put("k", "2")]));
    check(&*store, Some("2"), &["1", "2"]);
    done(store.apply(vec![take("k", "2")]));
    check(&*store, None, &["1"]);
    // A bucket is empty only without hidden versions and markers.
    let not_empty = &FailedPrecondition::BucketNotEmpty;
    refused(wait(store.apply(vec![remove("b")])), not_empty);
    done(store.apply(vec![take("k", "1")]));
    refused(wait(store.apply(vec![remove("b")])), not_empty);
    done(store.apply(vec![take("k", "m"), remove("b")]));
}

/// Writes without versioning replace the version `null`, wherever it is in the order.
pub(super) fn the_null_version(store: Arc<dyn ObjectIndex>) {
    assert_eq!(VersionId::new("null"), VersionId::NULL);
    assert_eq!(VersionId::NULL.as_str(), "null");
    done(store.apply(vec![create("b"), put("k", "null"), put("k", "1")]));
    check(&*store, Some("1"), &["1", "null"]);
    assert_eq!(displaced(&*store, put("k", "null")), ["null"]);
    check(&*store, Some("null"), &["1", "null"]);
    assert_eq!(displaced(&*store, mark("k", "null")), ["null"]);
    check(&*store, None, &["1"]);
    assert_eq!(displaced(&*store, mark("k", "null")), [""; 0]);
    assert_eq!(displaced(&*store, put("k", "null")), [""; 0]);
    check(&*store, Some("null"), &["1", "null"]);
    assert_eq!(displaced(&*store, take("k", "null")), ["null"]);
    check(&*store, Some("1"), &["1"]);
}

/// A write's condition is on the current version, a deletion's on the version that it deletes.
pub(super) fn conditions(store: Arc<dyn ObjectIndex>) {
    let etag = |of: &str| ObjectCondition::Etag(of.into());
    let with = |mut write: IndexWrite, condition: ObjectCondition| {
        match &mut write {
            IndexWrite::PutObject { expect, .. }
            | IndexWrite::PutDeleteMarker { expect, .. }
            | IndexWrite::DeleteObject { expect, .. } => *expect = condition,
            _ => {}
        }
        write
    };
    let changed = |current: Option<&str>| {
        let current = current.map(|version| Box::new(row("k", version)));
        FailedPrecondition::ObjectChanged(current)
    };
    done(store.apply(vec![create("b"), put("k", "1"), put("k", "2")]));
    for (write, condition, found) in [
        (put("k", "3"), etag("1"), Some("2")),
        (put("k", "1"), etag("1"), Some("2")),
        (put("k", "3"), ObjectCondition::Absent, Some("2")),
        (mark("k", "m"), etag("1"), Some("2")),
        (take("k", "1"), etag("2"), Some("1")),
        (take("k", "3"), etag("2"), None),
        (take("k", "1"), ObjectCondition::Absent, Some("1")),
    ] {
        refused(
            wait(store.apply(vec![with(write, condition)])),
            &changed(found),
        );
        check(&*store, Some("2"), &["1", "2"]);
    }
    done(store.apply(vec![with(mark("k", "m"), etag("2"))]));
    // A key whose newest version is a delete marker has no object.
    for (write, condition) in [(put("k", "3"), etag("2")), (take("k", "m"), etag(MARKER))] {
        refused(
            wait(store.apply(vec![with(write, condition)])),
            &changed(None),
        );
    }
    done(store.apply(vec![with(put("k", "3"), ObjectCondition::Absent)]));
    done(store.apply(vec![with(take("k", "1"), etag("1"))]));
    check(&*store, Some("3"), &["2", "3"]);
}

/// Every sequence of four writes, each on a key of its own, compared with a list in order of age.
pub(super) fn every_order_of_writes(store: Arc<dyn ObjectIndex>) {
    const LENGTH: u32 = 4;
    let kinds = [put, mark, take];
    let mut batch = vec![create("b")];
    let mut models = Vec::new();
    for number in 0..6_usize.pow(LENGTH) {
        let key = format!("{number:04}");
        let mut model = Vec::new();
        for step in 0..LENGTH {
            let choice = number / 6_usize.pow(step) % 6;
            let version = ["null", "1"].get(choice / 3).unwrap();
            let write = kinds.get(choice % 3).unwrap()(&key, version);
            follow(&mut model, &write);
            batch.push(write);
        }
        models.push((key, model));
    }
    done(store.apply(batch));
    for (key, model) in models {
        let current = model.last().filter(|(_, is_object)| *is_object);
        let found = done(store.object("b", &key)).map(|row| row.version);
        assert_eq!(found.as_ref(), current.map(|(version, _)| version), "{key}");
    }
}

fn follow(model: &mut Vec<(VersionId, bool)>, write: &IndexWrite) {
    let (version, added) = match write {
        IndexWrite::PutObject { row, .. } => (&row.version, Some(true)),
        IndexWrite::PutDeleteMarker { row, .. } => (&row.version, Some(false)),
        IndexWrite::DeleteObject { version, .. } => (version, None),
        _ => return,
    };
    model.retain(|(other, _)| other != version);
    model.extend(added.map(|is_object| (version.clone(), is_object)));
}

/// Checks the current version of the key, the listing, and the stored versions of all keys.
fn check(store: &dyn ObjectIndex, current: Option<&str>, stored: &[&str]) {
    let expected = current.map(|version| row("k", version));
    assert_eq!(done(store.object("b", "k")), expected);
    let range = ListRange {
        prefix: "k".into(),
        limit: 9,
        ..ListRange::default()
    };
    assert_eq!(done(store.objects("b", range)), Vec::from_iter(expected));
    let mut bodies = Vec::new();
    let mut each = |_: &str, body: &[u8]| bodies.push(String::from_utf8(body.to_vec()).unwrap());
    store.every_body(&mut each).unwrap();
    bodies.sort();
    let stored: Vec<_> = stored.iter().map(|id| format!("body of {id}")).collect();
    assert_eq!(bodies, stored);
}

/// Applies a write and returns the ids of the versions that it displaced.
fn displaced(store: &dyn ObjectIndex, write: IndexWrite) -> Vec<String> {
    let displaced = done(store.apply(vec![write]));
    let ids = displaced
        .objects
        .iter()
        .map(|row| row.version.as_str().to_owned());
    ids.collect()
}

fn row(key: &str, version: &str) -> ObjectRow {
    ObjectRow {
        version: VersionId::new(version),
        ..object("b", key, version)
    }
}

fn put(key: &str, version: &str) -> IndexWrite {
    IndexWrite::PutObject {
        row: row(key, version),
        expect: ObjectCondition::Any,
    }
}

fn mark(key: &str, version: &str) -> IndexWrite {
    IndexWrite::PutDeleteMarker {
        row: DeleteMarkerRow {
            bucket: "b".into(),
            key: key.into(),
            version: VersionId::new(version),
            body: MARKER.into(),
        },
        expect: ObjectCondition::Any,
    }
}

fn take(key: &str, version: &str) -> IndexWrite {
    IndexWrite::DeleteObject {
        bucket: "b".into(),
        key: key.into(),
        version: VersionId::new(version),
        expect: ObjectCondition::Any,
    }
}
