//! The blob journal: reservations, pending deletes, and how batches settle both.

use std::sync::Arc;

use super::{account, at, done, refused, wait};
use crate::contract::{
    BlobChanges, BlobName, BucketRow, FailedPrecondition, IndexWrite, ObjectCondition, ObjectIndex,
    ObjectRow, PartRow, PendingDelete, PendingDeletePage, UploadRow, VersionId,
};

const ONE: BlobName = [1; 16];
const TWO: BlobName = [2; 16];
const THREE: BlobName = [3; 16];

/// Only a reserved blob can be referred to, and only once.
pub(super) fn a_fresh_blob_must_be_reserved(store: Arc<dyn ObjectIndex>) {
    done(store.apply(vec![bucket()]));
    let put = || vec![object("k", &[ONE]), settle(&[ONE], &[], 5)];
    refused(
        wait(store.apply(put())),
        &FailedPrecondition::BlobChanged(ONE),
    );
    assert_eq!(done(store.object("b", "k")), None);
    done(store.reserve_blobs(vec![ONE, TWO], at(1)));
    // A batch that fails for another reason leaves the reservation.
    let elsewhere = IndexWrite::DeleteBucket("none".into());
    let failing = [put(), vec![elsewhere]].concat();
    refused(
        wait(store.apply(failing)),
        &FailedPrecondition::NoSuchBucket,
    );
    assert_eq!(journaled(&*store), [ONE, TWO]);
    done(store.apply(put()));
    assert_eq!(journaled(&*store), [TWO]);
    refused(
        wait(store.apply(put())),
        &FailedPrecondition::BlobChanged(ONE),
    );
    assert_eq!(pending(&*store, 0, 9, 9), []);
}

/// Rows: what displaces the object with blobs one and two; the resulting pending deletes.
pub(super) fn displaced_blobs_are_to_be_deleted(store: Arc<dyn ObjectIndex>) {
    done(store.apply(vec![bucket()]));
    done(store.reserve_blobs(vec![ONE, TWO], at(1)));
    let two = vec![object("k", &[ONE, TWO]), settle(&[ONE, TWO], &[], 1)];
    done(store.apply(two));
    // An unrelated batch moves nothing.
    let unrelated = vec![object("other", &[TWO]), settle(&[], &[TWO], 2)];
    refused(
        wait(store.apply(unrelated)),
        &FailedPrecondition::BlobChanged(TWO),
    );
    // A row that is rewritten keeps its blobs.
    done(store.apply(vec![object("k", &[ONE, TWO]), settle(&[], &[ONE, TWO], 3)]));
    assert_eq!(pending(&*store, 0, 99, 9), []);
    done(store.apply(vec![object("k", &[TWO]), settle(&[], &[TWO], 4)]));
    done(store.apply(vec![delete("k"), settle(&[], &[], 6)]));
    let mut found = pending(&*store, 0, 99, 9).into_iter();
    let (first, second) = (found.next().unwrap(), found.next().unwrap());
    assert_eq!((first.blobs, second.blobs), (vec![ONE], vec![TWO]));
    assert!(first.number < second.number && found.next().is_none());
    // A blob that is gone cannot be moved.
    refused(
        wait(store.apply(vec![object("k", &[TWO]), settle(&[], &[TWO], 7)])),
        &FailedPrecondition::BlobChanged(TWO),
    );
    assert_eq!(numbers(&*store, 0, 5, 9), [first.number]);
    assert_eq!(numbers(&*store, first.number, 99, 9), [second.number]);
    assert_eq!(numbers(&*store, 0, 99, 1), [first.number]);
    assert_eq!(journaled(&*store), [ONE, TWO]);
    done(store.finish_deletes(vec![first.number, 999]));
    assert_eq!(numbers(&*store, 0, 99, 9), [second.number]);
    done(store.finish_deletes(vec![second.number]));
    assert_eq!(journaled(&*store), [] as [BlobName; 0]);
    // A number is never used again.
    done(store.reserve_blobs(vec![THREE], at(1)));
    done(store.expire_blobs(at(2), at(2)));
    let numbers = numbers(&*store, 0, 99, 9);
    assert!(numbers.iter().all(|number| *number > second.number));
    assert_eq!(numbers.len(), 1);
}

/// A completed upload's object takes over the blobs of the listed parts; the others are garbage.
pub(super) fn parts_blobs_move_to_the_object(store: Arc<dyn ObjectIndex>) {
    done(store.reserve_blobs(vec![ONE, TWO, THREE], at(1)));
    let upload = IndexWrite::CreateUpload(UploadRow {
        bucket: "b".into(),
        key: "k".into(),
        upload: "u".into(),
        body: Vec::new(),
    });
    done(store.apply(vec![bucket(), upload]));
    for (number, blob) in [(1, ONE), (2, TWO), (2, THREE)] {
        done(store.apply(vec![part(number, blob), settle(&[blob], &[], 2)]));
    }
    assert_eq!(pending_blobs(&*store, 9), [[TWO]], "a replaced part");
    let end = IndexWrite::DeleteUpload("u".into());
    done(store.apply(vec![object("k", &[ONE]), end, settle(&[], &[ONE], 3)]));
    assert_eq!(pending_blobs(&*store, 9), [[TWO], [THREE]]);
    assert_eq!(journaled(&*store), [TWO, THREE]);
}

pub(super) fn reservations_expire(store: Arc<dyn ObjectIndex>) {
    done(store.apply(vec![bucket()]));
    done(store.reserve_blobs(vec![ONE, TWO], at(10)));
    done(store.reserve_blobs(vec![THREE], at(20)));
    assert_eq!(done(store.expire_blobs(at(10), at(30))), 0);
    done(store.renew_blobs(vec![TWO, [9; 16]], at(20)));
    assert_eq!(journaled(&*store), [ONE, TWO, THREE], "none was added");
    assert_eq!(done(store.expire_blobs(at(20), at(30))), 1);
    assert_eq!(pending(&*store, 0, 29, 9), []);
    assert_eq!(pending_blobs(&*store, 30), [[ONE]]);
    // After that no row can refer to it.
    refused(
        wait(store.apply(vec![object("k", &[ONE]), settle(&[ONE], &[], 31)])),
        &FailedPrecondition::BlobChanged(ONE),
    );
    done(store.release_blobs(vec![TWO, [9; 16]]));
    done(store.apply(vec![object("k", &[THREE]), settle(&[THREE], &[], 31)]));
    assert_eq!(done(store.expire_blobs(at(99), at(99))), 0);
    assert_eq!(journaled(&*store), [ONE]);
}

pub(super) fn reopened(store: &dyn ObjectIndex, round: u64) {
    let byte = u8::try_from(round).unwrap();
    let before: Vec<_> = (0..2 * byte).map(|n| [n; 16]).collect();
    assert_eq!(journaled(store), before);
    let [a, b] = [[2 * byte; 16], [2 * byte + 1; 16]];
    done(store.reserve_blobs(vec![a], at(1)));
    done(store.expire_blobs(at(2), at(2)));
    done(store.reserve_blobs(vec![b], at(9)));
}

fn pending(store: &dyn ObjectIndex, after: u64, made_by: i64, limit: usize) -> Vec<PendingDelete> {
    let made_by = at(made_by);
    done(store.pending_deletes(PendingDeletePage {
        after,
        made_by,
        limit,
    }))
}

fn pending_blobs(store: &dyn ObjectIndex, made_by: i64) -> Vec<Vec<BlobName>> {
    let found = pending(store, 0, made_by, 9);
    found.into_iter().map(|entry| entry.blobs).collect()
}

fn numbers(store: &dyn ObjectIndex, after: u64, made_by: i64, limit: usize) -> Vec<u64> {
    let found = pending(store, after, made_by, limit);
    found.into_iter().map(|entry| entry.number).collect()
}

fn journaled(store: &dyn ObjectIndex) -> Vec<BlobName> {
    let mut found = Vec::new();
    store
        .every_journaled_blob(&mut |blob| found.push(blob))
        .unwrap();
    found.sort_unstable();
    found
}

fn settle(fresh: &[BlobName], moved: &[BlobName], secs: i64) -> IndexWrite {
    IndexWrite::SettleBlobs(BlobChanges {
        fresh: fresh.to_vec(),
        moved: moved.to_vec(),
        blobs_of: |body| body.as_chunks().0.to_vec(),
        now: at(secs),
    })
}

fn bucket() -> IndexWrite {
    IndexWrite::CreateBucket(BucketRow {
        name: "b".into(),
        account: account(1),
        body: Vec::new(),
    })
}

fn object(key: &str, blobs: &[BlobName]) -> IndexWrite {
    IndexWrite::PutObject {
        row: ObjectRow {
            bucket: "b".into(),
            key: key.into(),
            version: VersionId::NULL,
            etag: "e".into(),
            body: blobs.concat(),
        },
        expect: ObjectCondition::Any,
    }
}

fn delete(key: &str) -> IndexWrite {
    IndexWrite::DeleteObject {
        bucket: "b".into(),
        key: key.into(),
        version: VersionId::NULL,
        expect: ObjectCondition::Any,
    }
}

fn part(number: i32, blob: BlobName) -> IndexWrite {
    IndexWrite::PutPart(PartRow {
        upload: "u".into(),
        number,
        body: blob.to_vec(),
    })
}
