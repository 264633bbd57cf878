//! Quotas: what is counted equals what is stored, whatever happens, and never exceeds the quota.

use std::{sync::Arc, sync::atomic::Ordering};

use keywright_base::{AccountId, limits};

use super::{StorageQuotas, StorageRoom};
use crate::{
    ClaimedBody, CompleteRequest, CopyRequest, NamedPart, NewUpload, ObjectStream, PartCopySource,
    PutRequest, ReadIf, S3Fault, StoredHeaders, Tags, WriteIf,
    testing::{TestObjects, body, bytes, owner},
};

const B: &str = "bench";
const MIB: usize = 1024 * 1024;
const ROW: u64 = limits::S3_ROW_BYTES;
/// The minimum that a file counts for.
const FILE: u64 = 4096;

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build();
    runtime.unwrap().block_on(work)
}

async fn limited(bucket: Option<u64>, account: Option<u64>) -> TestObjects {
    let mut bench = TestObjects::new().await;
    let quotas = StorageQuotas { bucket, account };
    bench.objects.room = StorageRoom::open(None, quotas, &bench.objects.index)
        .await
        .unwrap();
    bench
}

async fn put_body(
    bench: &TestObjects,
    bucket: &str,
    key: &str,
    body: ObjectStream,
) -> Result<(), S3Fault> {
    let put = bench.objects.put(bucket, key, PutRequest::default(), body);
    put.await.map(drop)
}

async fn put(bench: &TestObjects, key: &str, size: usize) -> Result<(), S3Fault> {
    put_body(bench, B, key, bytes(vec![7; size])).await
}

/// Bytes stored in the bucket and in the account. A count of the index must agree, and nothing may
/// still be charged.
async fn stored(bench: &TestObjects) -> (u64, u64) {
    let room = &bench.objects.room;
    let counted = StorageRoom::open(None, room.quotas, &bench.objects.index)
        .await
        .unwrap();
    let of = |room: &StorageRoom| {
        let counts = room.counts();
        let bucket = counts.buckets.get(B).map(|bucket| bucket.bytes);
        let account = counts.accounts.get(&owner()).copied();
        let (bucket, account) = (bucket.unwrap_or_default(), account.unwrap_or_default());
        assert_eq!((bucket.incoming, account.incoming), (0, 0));
        (bucket.stored, account.stored)
    };
    assert_eq!(of(room), of(&counted));
    of(room)
}

fn exceeded(result: Result<(), S3Fault>) -> bool {
    matches!(result, Err(S3Fault::QuotaExceeded { .. }))
}

#[test]
fn the_last_byte_fits_and_the_next_does_not() {
    run(async {
        let quota = 100_000 + 2 * ROW;
        for (bucket, account) in [(Some(quota), None), (None, Some(quota))] {
            let bench = limited(bucket, account).await;
            put(&bench, "a", 99_999).await.unwrap();
            assert!(exceeded(put(&bench, "b", 2).await));
            put(&bench, "b", 1).await.unwrap();
            assert!(exceeded(put(&bench, "c", 1).await));
            assert!(exceeded(put(&bench, "empty", 0).await), "its row counts");
            assert_eq!(stored(&bench).await, (quota, quota));
            bench
                .objects
                .delete(B, "a", &WriteIf::Always)
                .await
                .unwrap();
            put(&bench, "c", 99_999).await.unwrap();
            assert_eq!(bench.files_collected().await, 1);
        }
    });
}

#[test]
fn tags_count_when_they_are_set_later() {
    run(async {
        let room_for = "a".len() + "v".repeat(100).len();
        let quota = 10 + ROW + room_for as u64;
        let bench = limited(Some(quota), None).await;
        put(&bench, "k", 10).await.unwrap();
        let tags = |chars: usize| Tags::from([("a".to_owned(), "v".repeat(chars))]);
        let set = async |chars: usize| bench.objects.set_tags(B, "k", &tags(chars)).await;
        assert!(exceeded(set(101).await));
        set(100).await.unwrap();
        assert_eq!(stored(&bench).await.0, quota);
        // Fewer always fit, and free space.
        set(1).await.unwrap();
        put(&bench, "j", 0).await.unwrap_err();
        set(100).await.unwrap();
        assert!(exceeded(set(101).await));
        assert_eq!(stored(&bench).await.0, quota);
    });
}

#[test]
fn what_is_announced_is_refused_before_it_is_read() {
    run(async {
        let bench = limited(Some(10), None).await;
        let claims = ClaimedBody {
            length: Some(11),
            ..ClaimedBody::default()
        };
        let request = PutRequest {
            claims,
            ..PutRequest::default()
        };
        let never: ObjectStream = Box::pin(futures_util::stream::pending());
        let refused = bench.objects.put(B, "k", request, never).await;
        assert!(exceeded(refused.map(drop)));
    });
}

#[test]
fn uploads_at_the_same_time_share_the_quota() {
    run(async {
        let bench = Arc::new(limited(Some(5 * (MIB as u64 + ROW)), None).await);
        let uploads = (0..8).map(|n| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move {
                let chunks = (0..16).map(|_| Ok(vec![7; MIB / 16])).collect();
                put_body(&bench, B, &n.to_string(), body(chunks)).await
            })
        });
        let uploads: Vec<_> = uploads.collect();
        let mut fitted = 0;
        for upload in uploads {
            match upload.await.unwrap() {
                Ok(()) => fitted += 1,
                result => assert!(exceeded(result)),
            }
        }
        assert!((1..=5).contains(&fitted), "{fitted}");
        assert_eq!(stored(&bench).await.0, fitted * (MIB as u64 + ROW));
    });
}

#[test]
fn every_kind_of_write_is_counted() {
    run(async {
        let bench = limited(Some(u64::MAX), Some(u64::MAX)).await;
        let objects = &bench.objects;
        put(&bench, "small", 100).await.unwrap();
        put(&bench, "large", 100_000).await.unwrap();
        put(&bench, "large", 50_000).await.unwrap();
        assert_eq!(stored(&bench).await.0, 50_100 + 2 * ROW);
        let broken = body(vec![Ok(vec![7; MIB]), Err("gone".into())]);
        assert!(put_body(&bench, B, "broken", broken).await.is_err());
        let tags: Tags = vec![("k".into(), "v".into())];
        objects.set_tags(B, "large", &tags).await.unwrap();
        assert_eq!(stored(&bench).await.0, 50_102 + 2 * ROW);

        let found = async |key| objects.find(B, key).await.unwrap().unwrap();
        let copy = CopyRequest {
            headers: Some(StoredHeaders::default()),
            ..CopyRequest::default()
        };
        let copied = objects.copy(found("large").await, B, "copy", copy);
        copied.await.unwrap();
        assert_eq!(stored(&bench).await.0, 100_104 + 3 * ROW);

        let begin = async || {
            let begun = objects.create_upload(B, "multi", NewUpload::default());
            begun.await.unwrap()
        };
        let upload = begin().await;
        let part = async |number, size| {
            let body = bytes(vec![7; size]);
            let part = objects.put_part(&upload, number, ClaimedBody::default(), body);
            part.await.unwrap()
        };
        part(1, 10).await;
        let first = part(1, 1_000).await;
        part(2, 10_000).await;
        let copied = PartCopySource {
            source: found("small").await,
            source_if: ReadIf::default(),
            range: None,
        };
        objects.copy_part(&upload, 3, copied).await.unwrap();
        let parts = 10_000 + 2 * FILE;
        assert_eq!(stored(&bench).await.0, 100_104 + parts + 7 * ROW);
        let completion = CompleteRequest {
            parts: vec![NamedPart {
                number: 1,
                etag: first.etag,
                checksum: None,
            }],
            ..CompleteRequest::default()
        };
        objects
            .complete((&*upload.bucket, &*upload.key, &*upload.id), &completion)
            .await
            .unwrap();
        assert_eq!(stored(&bench).await.0, 100_104 + FILE + 4 * ROW);
        let upload = begin().await;
        let body = bytes(vec![7; 77]);
        let part = objects.put_part(&upload, 1, ClaimedBody::default(), body);
        part.await.unwrap();
        objects.abort(&upload).await.unwrap();
        assert_eq!(stored(&bench).await.0, 100_104 + FILE + 4 * ROW);

        let keys = ["small", "large", "copy", "multi", "none"].map(String::from);
        objects.delete_all(B, keys.into()).await.unwrap();
        assert_eq!(stored(&bench).await, (0, 0));
        assert_eq!(bench.files_collected().await, 0);
    });
}

#[test]
fn an_account_has_one_quota_over_its_buckets_and_no_other_accounts() {
    run(async {
        let bench = limited(None, Some(10 + 2 * ROW)).await;
        let untagged = Tags::new();
        let other: AccountId = "444455556666".parse().unwrap();
        for (name, account) in [("second", owner()), ("other", other)] {
            let created = bench
                .objects
                .create_bucket(name, account, "us-east-1", None, &untagged);
            created.await.unwrap();
        }
        put(&bench, "k", 6).await.unwrap();
        let into = async |bucket, size| put_body(&bench, bucket, "k", bytes(vec![7; size])).await;
        assert!(exceeded(into("second", 5).await));
        into("second", 4).await.unwrap();
        into("other", 10).await.unwrap();
        // A bucket with the same name, created by another account, counts for that account.
        bench
            .objects
            .delete("second", "k", &WriteIf::Always)
            .await
            .unwrap();
        bench.objects.delete_bucket("second").await.unwrap();
        let again = bench
            .objects
            .create_bucket("second", other, "us-east-1", None, &untagged);
        again.await.unwrap();
        assert!(exceeded(into("second", 1).await));
        assert_eq!(stored(&bench).await, (6 + ROW, 6 + ROW));
    });
}

#[test]
fn an_unknown_outcome_is_counted_again() {
    run(async {
        let bench = limited(Some(100 + 2 * ROW), None).await;
        put(&bench, "k", 60).await.unwrap();
        let room = &bench.objects.room;
        room.counts().move_stored(B, 1_000, 0);
        assert!(exceeded(put(&bench, "l", 1).await));
        room.stale.store(true, Ordering::Release);
        put(&bench, "l", 40).await.unwrap();
        assert!(exceeded(put(&bench, "m", 1).await));
        assert_eq!(stored(&bench).await.0, 100 + 2 * ROW);
    });
}

#[test]
fn what_has_no_bytes_is_not_free() {
    run(async {
        let bench = limited(Some(10 * (ROW + FILE) + ROW), None).await;
        let begun = bench
            .objects
            .create_upload(B, "multi", NewUpload::default())
            .await
            .unwrap();
        let part = async |number| {
            let empty = bytes(Vec::new());
            let part = bench
                .objects
                .put_part(&begun, number, ClaimedBody::default(), empty);
            part.await.map(drop)
        };
        for number in 1..=10 {
            part(number).await.unwrap();
        }
        assert!(exceeded(part(11).await));
        bench.objects.abort(&begun).await.unwrap();
        let mut request = PutRequest::default();
        request.meta.headers.content_disposition = Some("a".repeat(5_000));
        request.meta.tags = vec![("name".into(), "value".into())];
        let object = bench.objects.put(B, "k", request, bytes(Vec::new()));
        object.await.unwrap();
        let headers = 5_000 + "content-disposition".len() as u64;
        assert_eq!(stored(&bench).await.0, ROW + headers + 9);
    });
}

#[test]
fn unfinished_uploads_have_a_limit() {
    run(async {
        let quota = 5 * ROW + 7 + "content-type".len() as u64;
        for (bucket, account) in [(Some(quota), None), (None, Some(quota))] {
            let bench = limited(bucket, account).await;
            let begin = async |content_type: &str| {
                let mut new = NewUpload::default();
                new.meta.headers.content_type = Some(content_type.into());
                bench.objects.create_upload(B, "k", new).await
            };
            let first = begin("1234567").await.unwrap();
            let plain = async || {
                let begun = bench.objects.create_upload(B, "k", NewUpload::default());
                begun.await
            };
            for _ in 0..3 {
                plain().await.unwrap();
            }
            assert!(
                exceeded(begin("1").await.map(drop)),
                "what it stores counts"
            );
            let last = plain().await.unwrap();
            assert!(exceeded(plain().await.map(drop)));
            assert_eq!(stored(&bench).await, (quota, quota));
            // Once aborted, they free space again.
            bench.objects.abort(&last).await.unwrap();
            plain().await.unwrap();
            bench.objects.abort(&first).await.unwrap();
            assert_eq!(stored(&bench).await.0, 4 * ROW);
            bench.objects.delete_bucket(B).await.unwrap();
            let other = bench.objects.room.counts().accounts.get(&owner()).copied();
            assert_eq!(other.unwrap_or_default().stored, 0);
        }
    });
}

#[test]
fn stored_headers_have_a_limit() {
    run(async {
        let bench = TestObjects::new().await;
        let most = limits::S3_STORED_HEADER_BYTES - "expires".len() - "content-type".len() - 4;
        for (size, fits) in [(most, true), (most + 1, false)] {
            let mut request = PutRequest::default();
            request.meta.headers.expires = Some("a".repeat(size));
            request.meta.headers.content_type = Some("text".into());
            let new = NewUpload {
                meta: request.meta.clone(),
                ..NewUpload::default()
            };
            let put = bench.objects.put(B, "k", request, bytes("x")).await;
            let begun = bench.objects.create_upload(B, "k", new).await;
            for result in [put.map(drop), begun.map(drop)] {
                match result {
                    Ok(()) => assert!(fits),
                    Err(fault) => {
                        assert!(!fits && matches!(fault, S3Fault::HeadersTooLarge { .. }))
                    }
                }
            }
        }
    });
}
