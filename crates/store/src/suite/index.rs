//! Buckets, objects, uploads and parts: the preconditions, effects and displaced rows of a batch.

use std::sync::Arc;

use super::{account, done, refused, wait};
use crate::contract::{
    BucketRow, DisplacedRows, FailedPrecondition, IndexWrite, ListRange, ObjectCondition,
    ObjectIndex, ObjectRow, PartRow, RowBodies, UploadRow, VersionId,
};

pub(super) fn buckets(store: Arc<dyn ObjectIndex>) {
    let (first, other) = (bucket("b", 1, "v1"), bucket("b", 2, "mine"));
    assert_eq!(done(store.bucket("b")), None);
    done(store.apply(vec![IndexWrite::CreateBucket(first.clone())]));
    let exists = |row: &BucketRow| FailedPrecondition::BucketExists(Box::new(row.clone()));
    refused(
        wait(store.apply(vec![IndexWrite::CreateBucket(other)])),
        &exists(&first),
    );
    assert_eq!(done(store.bucket("b")), Some(first.clone()));

    let second = bucket("b", 1, "v2");
    done(store.apply(vec![update(&second, "v1")]));
    refused(
        wait(store.apply(vec![update(&bucket("b", 1, "v3"), "v1")])),
        &exists(&second),
    );
    refused(
        wait(store.apply(vec![update(&bucket("c", 1, "v"), "v")])),
        &FailedPrecondition::NoSuchBucket,
    );
    // The owner never changes.
    done(store.apply(vec![update(&bucket("b", 2, "v4"), "v2")]));
    assert_eq!(done(store.bucket("b")), Some(bucket("b", 1, "v4")));

    refused(
        wait(store.apply(vec![remove("c")])),
        &FailedPrecondition::NoSuchBucket,
    );
    for (fill, empty) in [
        (put("b", "k", "e"), take("b", "k", ObjectCondition::Any)),
        (
            IndexWrite::CreateUpload(upload("b", "k", "u")),
            IndexWrite::DeleteUpload("u".into()),
        ),
    ] {
        done(store.apply(vec![fill]));
        refused(
            wait(store.apply(vec![remove("b")])),
            &FailedPrecondition::BucketNotEmpty,
        );
        done(store.apply(vec![empty]));
    }
    done(store.apply(vec![remove("b")]));
    assert_eq!(done(store.bucket("b")), None);
    assert_eq!(
        done(store.buckets(
            account(1),
            ListRange {
                limit: 9,
                ..ListRange::default()
            }
        )),
        []
    );
}

pub(super) fn objects(store: Arc<dyn ObjectIndex>) {
    refused(
        wait(store.apply(vec![put("b", "k", "e")])),
        &FailedPrecondition::NoSuchBucket,
    );
    done(store.apply(vec![create("b"), create("bb")]));
    let replaced = |rows: Vec<ObjectRow>| DisplacedRows {
        objects: rows,
        ..DisplacedRows::default()
    };
    assert_eq!(
        done(store.apply(vec![put("b", "k", "1")])),
        DisplacedRows::default()
    );
    assert_eq!(
        done(store.apply(vec![put("bb", "k", "other")])),
        DisplacedRows::default()
    );
    assert_eq!(
        done(store.apply(vec![put("b", "k", "2")])),
        replaced(vec![object("b", "k", "1")])
    );
    assert_eq!(done(store.object("b", "k")), Some(object("b", "k", "2")));
    assert_eq!(done(store.object("b", "K")), None);
    // Each write of a batch sees the effects of those before it.
    let batch = vec![
        put("b", "k", "3"),
        take("b", "k", ObjectCondition::Etag("3".into())),
    ];
    let gone = replaced(vec![object("b", "k", "2"), object("b", "k", "3")]);
    assert_eq!(done(store.apply(batch)), gone);
    assert_eq!(done(store.object("b", "k")), None);
    assert_eq!(
        done(store.apply(vec![take("b", "k", ObjectCondition::Any)])),
        DisplacedRows::default()
    );
    assert_eq!(
        done(store.apply(vec![take("none", "k", ObjectCondition::Any)])),
        DisplacedRows::default()
    );
    assert_eq!(done(store.apply(Vec::new())), DisplacedRows::default());
    assert_eq!(
        done(store.object("bb", "k")),
        Some(object("bb", "k", "other"))
    );
}

/// Rows: the current entity tag, the condition, whether the write happens.
pub(super) fn what_an_object_must_be(store: Arc<dyn ObjectIndex>) {
    done(store.apply(vec![create("b")]));
    let etag = |text: &str| ObjectCondition::Etag(text.into());
    let body = |text: &str| ObjectCondition::Unchanged(text.into());
    for (present, expect, holds) in [
        (None, ObjectCondition::Any, true),
        (None, ObjectCondition::Absent, true),
        (None, etag("1"), false),
        (None, etag(""), false),
        (Some("1"), ObjectCondition::Any, true),
        (Some("1"), ObjectCondition::Absent, false),
        (Some("1"), etag("1"), true),
        (Some("1"), etag("2"), false),
        (Some("a"), etag("A"), false),
        (None, body("body of 1"), false),
        (Some("1"), body("body of 1"), true),
        (Some("2"), body("body of 1"), false),
    ] {
        let row = ObjectRow {
            body: b"new".to_vec(),
            ..object("b", "k", "new")
        };
        let writing = IndexWrite::PutObject {
            row,
            expect: expect.clone(),
        };
        for write in [writing, take("b", "k", expect)] {
            done(store.apply(vec![take("b", "k", ObjectCondition::Any)]));
            let before = present.map(|etag| object("b", "k", etag));
            if let Some(etag) = present {
                done(store.apply(vec![put("b", "k", etag)]));
            }
            let result = wait(store.apply(vec![write]));
            if holds {
                assert_eq!(result.unwrap().objects, Vec::from_iter(before));
            } else {
                refused(
                    result,
                    &FailedPrecondition::ObjectChanged(before.clone().map(Box::new)),
                );
                assert_eq!(done(store.object("b", "k")), before);
            }
        }
    }
}

pub(super) fn uploads_and_parts(store: Arc<dyn ObjectIndex>) {
    let start = |key: &str, id: &str| IndexWrite::CreateUpload(upload("b", key, id));
    refused(
        wait(store.apply(vec![start("k", "u1")])),
        &FailedPrecondition::NoSuchBucket,
    );
    refused(
        wait(store.apply(vec![add("u1", 1, "x")])),
        &FailedPrecondition::NoSuchUpload,
    );
    done(store.apply(vec![create("b"), start("k", "u1"), start("k", "u2")]));
    assert_eq!(done(store.upload("u1")), Some(upload("b", "k", "u1")));
    assert_eq!(done(store.upload("u3")), None);

    done(store.apply(vec![
        add("u1", 2, "two"),
        add("u1", 1, "one"),
        add("u2", 1, "other"),
    ]));
    let displaced = done(store.apply(vec![add("u1", 2, "again")]));
    assert_eq!(
        displaced,
        DisplacedRows {
            parts: vec![part("u1", 2, "two")],
            ..DisplacedRows::default()
        }
    );
    let stored = vec![part("u1", 1, "one"), part("u1", 2, "again")];
    assert_eq!(done(store.parts("u1", 0, 9)), stored);

    let end = || IndexWrite::DeleteUpload("u1".into());
    let mut displaced = done(store.apply(vec![put("b", "k", "joined"), end()]));
    displaced.parts.sort_by_key(|part| part.number);
    assert_eq!(
        displaced,
        DisplacedRows {
            parts: stored,
            uploads: vec![upload("b", "k", "u1")],
            ..DisplacedRows::default()
        }
    );
    assert_eq!(done(store.upload("u1")), None);
    assert_eq!(done(store.parts("u1", 0, 9)), []);
    refused(
        wait(store.apply(vec![end()])),
        &FailedPrecondition::NoSuchUpload,
    );
    refused(
        wait(store.apply(vec![add("u1", 1, "late")])),
        &FailedPrecondition::NoSuchUpload,
    );
    assert_eq!(done(store.parts("u2", 0, 9)), [part("u2", 1, "other")]);
}

/// Every kind of write, undone because the last one is rejected.
pub(super) fn a_batch_is_all_or_nothing(store: Arc<dyn ObjectIndex>) {
    let started = IndexWrite::CreateUpload(upload("b", "k", "u"));
    done(store.apply(vec![
        create("b"),
        create("empty"),
        put("b", "k", "1"),
        started,
    ]));
    done(store.apply(vec![add("u", 1, "one")]));
    let batch = vec![
        create("new"),
        update(&bucket("b", 1, "changed"), "b"),
        remove("empty"),
        put("b", "k", "2"),
        take("b", "k", ObjectCondition::Any),
        IndexWrite::CreateUpload(upload("b", "k", "u2")),
        add("u", 1, "changed"),
        IndexWrite::DeleteUpload("u".into()),
        put("no such bucket", "k", "e"),
    ];
    refused(wait(store.apply(batch)), &FailedPrecondition::NoSuchBucket);
    let all = ListRange {
        limit: 9,
        ..ListRange::default()
    };
    let owned = done(store.buckets(account(1), all.clone()));
    assert_eq!(owned, [bucket("b", 1, "b"), bucket("empty", 1, "empty")]);
    assert_eq!(
        done(store.objects("b", all.clone())),
        [object("b", "k", "1")]
    );
    assert_eq!(done(store.uploads("b", all)), [upload("b", "k", "u")]);
    assert_eq!(done(store.parts("u", 0, 9)), [part("u", 1, "one")]);
}

pub(super) fn a_refused_batch_fails_alone(store: Arc<dyn ObjectIndex>) {
    let once = |etag| IndexWrite::PutObject {
        row: object("b", "k", etag),
        expect: ObjectCondition::Absent,
    };
    let queued: Vec<_> = [
        vec![create("b")],
        vec![once("1")],
        vec![put("b", "other", "lost"), once("2")],
        vec![put("b", "last", "3")],
    ]
    .into_iter()
    .map(|batch| store.apply(batch))
    .collect();
    let results: Vec<_> = queued
        .into_iter()
        .map(|pending| wait(pending).is_ok())
        .collect();
    assert_eq!(results, [true, true, false, true]);
    let stored = done(store.objects(
        "b",
        ListRange {
            limit: 9,
            ..ListRange::default()
        },
    ));
    assert_eq!(stored, [object("b", "k", "1"), object("b", "last", "3")]);
}

pub(super) fn every_body(store: Arc<dyn ObjectIndex>) {
    let started = IndexWrite::CreateUpload(upload("b", "k", "u"));
    let parts = vec![add("u", 1, "part 1"), add("u", 2, "part 2")];
    done(store.apply(vec![create("b"), create("c"), started]));
    done(store.apply(parts));
    done(store.apply(vec![put("b", "k", "1"), put("c", "k", "2")]));
    let mut bodies = Vec::new();
    store
        .every_body(&mut |bucket, body| {
            bodies.push(format!("{bucket}: {}", str::from_utf8(body).unwrap()));
        })
        .unwrap();
    bodies.sort();
    let expected = ["b: body of 1", "b: part 1", "b: part 2", "c: body of 2"];
    assert_eq!(bodies, expected);
    let mut uploads = Vec::new();
    let mut each = |bucket: &str, body: &[u8]| uploads.push((bucket.to_owned(), body.to_vec()));
    store.every_upload(&mut each).unwrap();
    assert_eq!(uploads, [("b".to_owned(), upload("b", "k", "u").body)]);
}

pub(super) fn listings_cut_bodies(store: Arc<dyn ObjectIndex>) {
    fn first(body: &[u8]) -> Vec<u8> {
        body.iter().take(1).copied().collect()
    }
    let started = IndexWrite::CreateUpload(upload("b", "k", "u"));
    done(store.apply(vec![create("b"), put("b", "k", "1"), started]));
    let cut = ListRange {
        limit: 9,
        bodies: RowBodies::Cut(first),
        ..ListRange::default()
    };
    let mut bucket = done(store.bucket("b")).unwrap();
    bucket.body = first(&bucket.body);
    assert_eq!(done(store.buckets(account(1), cut.clone())), [bucket]);
    let mut object = object("b", "k", "1");
    object.body = first(&object.body);
    assert_eq!(done(store.objects("b", cut.clone())), [object]);
    let mut upload = upload("b", "k", "u");
    upload.body = first(&upload.body);
    assert_eq!(done(store.uploads("b", cut)), [upload]);
}

pub(super) fn reopened(store: &dyn ObjectIndex, round: u64) {
    let rounds = usize::try_from(round).unwrap();
    if round == 0 {
        done(store.apply(vec![
            create("b"),
            IndexWrite::CreateUpload(upload("b", "k", "u")),
        ]));
    }
    let all = ListRange {
        limit: 9,
        ..ListRange::default()
    };
    assert_eq!(done(store.bucket("b")), Some(bucket("b", 1, "b")));
    assert_eq!(done(store.upload("u")), Some(upload("b", "k", "u")));
    assert_eq!(done(store.objects("b", all)).len(), rounds);
    assert_eq!(done(store.parts("u", 0, 9)).len(), rounds);
    let number = i32::try_from(round).unwrap() + 1;
    done(store.apply(vec![
        put("b", &round.to_string(), "e"),
        add("u", number, "x"),
    ]));
}

pub(super) fn bucket(name: &str, owner: u64, body: &str) -> BucketRow {
    BucketRow {
        name: name.into(),
        account: account(owner),
        body: body.into(),
    }
}

pub(super) fn create(name: &str) -> IndexWrite {
    IndexWrite::CreateBucket(bucket(name, 1, name))
}

pub(super) fn upload(bucket: &str, key: &str, id: &str) -> UploadRow {
    let body = format!("upload {id}").into();
    UploadRow {
        bucket: bucket.into(),
        key: key.into(),
        upload: id.into(),
        body,
    }
}

pub(super) fn put(bucket: &str, key: &str, etag: &str) -> IndexWrite {
    IndexWrite::PutObject {
        row: object(bucket, key, etag),
        expect: ObjectCondition::Any,
    }
}

pub(super) fn add(upload: &str, number: i32, body: &str) -> IndexWrite {
    IndexWrite::PutPart(part(upload, number, body))
}

pub(super) fn update(row: &BucketRow, was: &str) -> IndexWrite {
    IndexWrite::UpdateBucket {
        row: row.clone(),
        was: was.into(),
    }
}

pub(super) fn remove(bucket: &str) -> IndexWrite {
    IndexWrite::DeleteBucket(bucket.into())
}

pub(super) fn object(bucket: &str, key: &str, etag: &str) -> ObjectRow {
    let body = format!("body of {etag}").into();
    ObjectRow {
        bucket: bucket.into(),
        key: key.into(),
        version: VersionId::NULL,
        etag: etag.into(),
        body,
    }
}

fn take(bucket: &str, key: &str, expect: ObjectCondition) -> IndexWrite {
    IndexWrite::DeleteObject {
        bucket: bucket.into(),
        key: key.into(),
        version: VersionId::NULL,
        expect,
    }
}

fn part(upload: &str, number: i32, body: &str) -> PartRow {
    PartRow {
        upload: upload.into(),
        number,
        body: body.into(),
    }
}
