//! Tests of the whole crate over an in-memory index.

mod at_rest;

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt};
use proptest::prelude::*;

use crate::{
    ChecksumAlgorithm, ChecksumType, ClaimedBody, ClaimedValue, CompleteRequest, CopyRequest,
    EntityTags, INLINE_BYTES, ListAsk, NamedPart, NewUpload, Object, PartCopySource, PutRequest,
    ReadAsk, ReadIf, S3Fault, UploadAsk, WriteIf,
    testing::{TestObjects, body, bytes, run},
};

const B: &str = "bench";

fn pattern(size: usize) -> Vec<u8> {
    (0..size)
        .map(|n| u8::try_from(n * 31 % 251).unwrap())
        .collect()
}

async fn put(bench: &TestObjects, key: &str, content: &[u8]) -> Object {
    bench
        .objects
        .put(B, key, PutRequest::default(), bytes(content))
        .await
        .unwrap()
}

async fn get(bench: &TestObjects, key: &str, ask: &ReadAsk) -> Result<Vec<u8>, S3Fault> {
    let found = bench.objects.find(B, key).await?;
    let found = found.ok_or_else(|| S3Fault::NoSuchKey(key.into()))?;
    let (_, reading) = bench.objects.read(found, ask).await?;
    Ok(reading.map_ok(|chunk| chunk.to_vec()).try_concat().await?)
}

async fn whole(bench: &TestObjects, key: &str) -> Vec<u8> {
    get(bench, key, &ReadAsk::default()).await.unwrap()
}

#[test]
fn what_was_put_is_got_also_after_a_restart() {
    run(async {
        let mut bench = TestObjects::new().await;
        let sizes = [0, 1, INLINE_BYTES, INLINE_BYTES + 1, 300_000, 3_000_000];
        for (size, files) in sizes.into_iter().zip([0, 0, 0, 1, 2, 3]) {
            let object = put(&bench, &size.to_string(), &pattern(size)).await;
            assert_eq!(object.size, size as u64);
            assert_eq!(bench.files(), files, "{size}");
        }
        bench.reopen();
        for size in sizes {
            assert_eq!(
                whole(&bench, &size.to_string()).await,
                pattern(size),
                "{size}"
            );
        }
    });
}

#[test]
fn an_interrupted_put_leaves_nothing() {
    run(async {
        let bench = TestObjects::new().await;
        put(&bench, "k", b"before").await;
        for size in [0, 100, 2_000_000] {
            let broken = body(vec![Ok(pattern(size)), Err("signature".into())]);
            let result = bench
                .objects
                .put(B, "k", PutRequest::default(), broken)
                .await;
            assert!(matches!(result, Err(S3Fault::Body(_))), "{size}");
            let result =
                bench
                    .objects
                    .put(B, "new", PutRequest::default(), body(vec![Err("x".into())]));
            assert!(result.await.is_err());
        }
        assert_eq!(whole(&bench, "k").await, b"before");
        assert!(bench.objects.find(B, "new").await.unwrap().is_none());
        assert_eq!(bench.files(), 0);
    });
}

#[test]
fn claims_are_checked() {
    run(async {
        let bench = TestObjects::new().await;
        let content = b"123456789";
        let known = |algorithm, value: &str| ClaimedBody {
            algorithm: Some(algorithm),
            value: ClaimedValue::Known(value.into()),
            ..ClaimedBody::default()
        };
        let trailing = |value: Option<&'static str>| ClaimedBody {
            algorithm: Some(ChecksumAlgorithm::Crc32),
            value: ClaimedValue::Trailing(Box::new(move || value.map(str::to_owned))),
            ..ClaimedBody::default()
        };
        let md5 = |text: &str| ClaimedBody {
            md5: Some(text.into()),
            ..ClaimedBody::default()
        };
        let length = |length| ClaimedBody {
            length: Some(length),
            ..ClaimedBody::default()
        };
        for (claims, code) in [
            (ClaimedBody::default(), "ok"),
            (known(ChecksumAlgorithm::Crc32, "y/Q5Jg=="), "ok"),
            (known(ChecksumAlgorithm::Crc32, "y/Q5Jw=="), "BadDigest"),
            (
                known(ChecksumAlgorithm::Crc32, "nonsense"),
                "InvalidRequest",
            ),
            (
                known(ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
                "ok",
            ),
            (trailing(Some("y/Q5Jg==")), "ok"),
            (trailing(Some("y/Q5Jw==")), "BadDigest"),
            (trailing(None), "InvalidRequest"),
            (md5("JfnnlDI7RTiF9RgfG2JNCw=="), "ok"),
            (md5("JfnnlDI7RTiF9RgfG2JNDw=="), "BadDigest"),
            (md5("__invalid__"), "InvalidDigest"),
            (length(9), "ok"),
            (length(10), "IncompleteBody"),
            (length(u64::MAX), "EntityTooLarge"),
        ] {
            let what = format!("{claims:?}");
            let request = PutRequest {
                claims,
                ..PutRequest::default()
            };
            let got = match bench.objects.put(B, "k", request, bytes(content)).await {
                Ok(_) => "ok".into(),
                Err(fault) => fault.wire().code,
            };
            assert_eq!(got, code, "{what}");
        }
    });
}

#[test]
fn overwriting_frees_the_old_bytes_but_not_under_a_reader() {
    run(async {
        let bench = TestObjects::new().await;
        let old = pattern(700_000);
        put(&bench, "k", &old).await;
        let found = bench.objects.find(B, "k").await.unwrap().unwrap();
        let stale = found.clone();
        let (_, mut reading) = bench
            .objects
            .read(found, &ReadAsk::default())
            .await
            .unwrap();
        let first = reading.next().await.unwrap().unwrap();
        put(&bench, "k", b"new").await;
        assert_eq!(bench.files_collected().await, 1);
        let rest: Vec<u8> = reading
            .map_ok(|chunk| chunk.to_vec())
            .try_concat()
            .await
            .unwrap();
        assert_eq!([first.to_vec(), rest].concat(), old);
        assert_eq!(bench.files_collected().await, 0);
        // Looked up before the overwrite and opened after it: the new version is read.
        let (view, _) = bench
            .objects
            .read(stale, &ReadAsk::default())
            .await
            .unwrap();
        assert_eq!(view.object.size, 3);
        bench
            .objects
            .delete(B, "k", &WriteIf::Always)
            .await
            .unwrap();
        assert!(bench.objects.find(B, "k").await.unwrap().is_none());
    });
}

#[test]
fn conditional_writes() {
    run(async {
        let bench = TestObjects::new().await;
        let etag = put(&bench, "k", b"x").await.etag;
        for (key, condition, code) in [
            ("k", WriteIf::Absent, "PreconditionFailed"),
            ("k", WriteIf::Matches("other".into()), "PreconditionFailed"),
            ("k", WriteIf::Matches(etag), "ok"),
            ("none", WriteIf::Matches("other".into()), "NoSuchKey"),
            ("none", WriteIf::Absent, "ok"),
        ] {
            let what = format!("{key} {condition:?}");
            let request = PutRequest {
                condition,
                ..PutRequest::default()
            };
            let got = match bench.objects.put(B, key, request, bytes("y")).await {
                Ok(_) => "ok".into(),
                Err(fault) => fault.wire().code,
            };
            assert_eq!(got, code, "{what}");
        }
        let result = bench
            .objects
            .put("nowhere", "k", PutRequest::default(), bytes("y"))
            .await;
        assert!(matches!(result, Err(S3Fault::NoSuchBucket(_))));
    });
}

#[test]
fn only_one_of_many_creations_succeeds() {
    run(async {
        let bench = TestObjects::new().await;
        let tries = (0..16).map(|n| {
            let request = PutRequest {
                condition: WriteIf::Absent,
                ..PutRequest::default()
            };
            bench
                .objects
                .put(B, "k", request, bytes(pattern(20_000 + n)))
        });
        let results = futures_util::future::join_all(tries).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(bench.files_collected().await, 1);
    });
}

#[test]
fn tags_change_without_the_bytes() {
    run(async {
        let bench = TestObjects::new().await;
        put(&bench, "k", &pattern(100_000)).await;
        let tags = vec![("a".to_owned(), "1".to_owned())];
        bench.objects.set_tags(B, "k", &tags).await.unwrap();
        assert_eq!(
            bench.objects.find(B, "k").await.unwrap().unwrap().meta.tags,
            tags
        );
        assert_eq!(whole(&bench, "k").await, pattern(100_000));
        let missing = bench.objects.set_tags(B, "none", &tags).await;
        assert!(matches!(missing, Err(S3Fault::NoSuchKey(_))));
    });
}

const MIB: usize = 1024 * 1024;

async fn upload(
    bench: &TestObjects,
    kind: Option<ChecksumType>,
    sizes: &[usize],
) -> (crate::Upload, CompleteRequest) {
    let algorithm = kind.map(|_| ChecksumAlgorithm::Crc32);
    let new = NewUpload {
        algorithm,
        kind,
        ..NewUpload::default()
    };
    let upload = bench.objects.create_upload(B, "m", new).await.unwrap();
    let mut parts = Vec::new();
    for (number, size) in (1..).zip(sizes) {
        let content = bytes(pattern(*size));
        let part = bench
            .objects
            .put_part(&upload, number, ClaimedBody::default(), content);
        let part = part.await.unwrap();
        let checksum = (kind == Some(ChecksumType::Composite))
            .then_some((part.checksum.algorithm, part.checksum.value));
        parts.push(NamedPart {
            number,
            etag: part.etag,
            checksum,
        });
    }
    (
        upload,
        CompleteRequest {
            parts,
            ..CompleteRequest::default()
        },
    )
}

#[test]
fn uploads_complete_without_copying() {
    run(async {
        for kind in [
            None,
            Some(ChecksumType::FullObject),
            Some(ChecksumType::Composite),
        ] {
            let mut bench = TestObjects::new().await;
            let sizes = [5 * MIB, 5 * MIB, 10];
            let (upload, completion) = upload(&bench, kind, &sizes).await;
            assert_eq!(bench.files_collected().await, 3);
            let of = (B, "m", upload.id.as_str());
            let object = bench.objects.complete(of, &completion).await.unwrap();
            assert!(object.etag.ends_with("-3"));
            assert_eq!(
                object.checksum.kind,
                kind.unwrap_or(ChecksumType::FullObject)
            );
            let expected = sizes.map(pattern).concat();
            bench.reopen();
            assert_eq!(bench.files_collected().await, 3);
            assert!(whole(&bench, "m").await == expected);
            if kind != Some(ChecksumType::Composite) {
                let algorithm = Some(object.checksum.algorithm);
                let claims = ClaimedBody {
                    algorithm,
                    ..ClaimedBody::default()
                };
                let request = PutRequest {
                    claims,
                    ..PutRequest::default()
                };
                let single = bench
                    .objects
                    .put(B, "s", request, bytes(expected))
                    .await
                    .unwrap();
                assert_eq!(single.checksum, object.checksum);
            }
            let part = ReadAsk {
                part: Some(3),
                ..ReadAsk::default()
            };
            assert_eq!(get(&bench, "m", &part).await.unwrap(), pattern(10));
            // The response may have been lost.
            let again = bench.objects.complete(of, &completion).await.unwrap();
            assert_eq!((again.etag, again.modified), (object.etag, object.modified));
            let mut other = completion.clone();
            other.parts.truncate(2);
            let other = bench.objects.complete(of, &other).await;
            assert!(matches!(other, Err(S3Fault::NoSuchUpload(_))));
            assert!(whole(&bench, "m").await.len() == 10 * MIB + 10);
            bench
                .objects
                .delete_all(B, vec!["m".into(), "s".into()])
                .await
                .unwrap();
            assert_eq!(bench.files_collected().await, 0);
        }
    });
}

#[test]
fn what_completion_refuses() {
    run(async {
        let bench = TestObjects::new().await;
        let (upload, good) = upload(&bench, Some(ChecksumType::Composite), &[5 * MIB, 4, 4]).await;
        let change = |change: &dyn Fn(&mut CompleteRequest)| {
            let mut completion = good.clone();
            completion.parts.truncate(2);
            change(&mut completion);
            completion
        };
        for (completion, code) in [
            (good.clone(), "EntityTooSmall"),
            (change(&|c| c.parts.clear()), "InvalidRequest"),
            (change(&|c| c.parts.reverse()), "InvalidPartOrder"),
            (
                change(&|c| c.parts.push(c.parts[1].clone())),
                "InvalidPartOrder",
            ),
            (change(&|c| c.parts[1].number = 9), "InvalidPart"),
            (change(&|c| c.parts[1].etag = "x".into()), "InvalidPart"),
            (change(&|c| c.parts[0].checksum = None), "InvalidRequest"),
            (
                change(&|c| c.parts[0].checksum = c.parts[1].checksum.clone()),
                "InvalidPart",
            ),
            (change(&|c| c.size = Some(1)), "InvalidRequest"),
            (
                change(&|c| c.kind = Some(ChecksumType::FullObject)),
                "InvalidRequest",
            ),
            (
                change(&|c| c.checksum = Some((ChecksumAlgorithm::Crc32, "x".into()))),
                "BadDigest",
            ),
            (
                change(&|c| c.condition = WriteIf::Matches("x".into())),
                "NoSuchKey",
            ),
            (change(&|_| ()), "ok"),
        ] {
            let of = (B, "m", upload.id.as_str());
            let got = match bench.objects.complete(of, &completion).await {
                Ok(_) => "ok".into(),
                Err(fault) => fault.wire().code,
            };
            assert_eq!(got, code, "{completion:?}");
        }
        // The part that the completion did not list is gone.
        assert_eq!(bench.files_collected().await, 2);
    });
}

#[test]
fn parts_are_replaced_copied_listed_and_aborted() {
    run(async {
        let bench = TestObjects::new().await;
        let (upload, _) = upload(&bench, None, &[100, 200]).await;
        let claims = ClaimedBody::default();
        bench
            .objects
            .put_part(&upload, 1, claims, bytes(pattern(50)))
            .await
            .unwrap();
        let source = put(&bench, "source", &pattern(100_000)).await;
        let copied = PartCopySource {
            source: source.into(),
            source_if: ReadIf::default(),
            range: Some("bytes=10-19"),
        };
        let part = bench.objects.copy_part(&upload, 7, copied).await.unwrap();
        assert_eq!(part.size(), 10);
        let page = bench.objects.list_parts(&upload, 0, 2).await.unwrap();
        let sizes: Vec<_> = page.parts.iter().map(crate::Part::size).collect();
        assert_eq!((sizes, page.truncated), (vec![50, 200], true));
        let page = bench.objects.list_parts(&upload, 2, 2).await.unwrap();
        assert_eq!((page.parts.len(), page.truncated), (1, false));
        let found = bench.objects.find_upload(B, "other", &upload.id).await;
        assert!(matches!(found, Err(S3Fault::NoSuchUpload(_))));
        bench.objects.abort(&upload).await.unwrap();
        assert_eq!(bench.files_collected().await, 1);
        let late = bench
            .objects
            .put_part(&upload, 3, ClaimedBody::default(), bytes("x"))
            .await;
        assert!(matches!(late, Err(S3Fault::NoSuchUpload(_))));
        assert_eq!(bench.files_collected().await, 1);
    });
}

#[test]
fn a_part_needs_the_uploads_algorithm() {
    run(async {
        let bench = TestObjects::new().await;
        let (upload, _) = upload(&bench, Some(ChecksumType::Composite), &[]).await;
        let claims = |algorithm, value: &str| ClaimedBody {
            algorithm: Some(algorithm),
            value: ClaimedValue::Known(value.into()),
            ..ClaimedBody::default()
        };
        let wrong = claims(ChecksumAlgorithm::Crc32c, "4waSgw==");
        let wrong = bench
            .objects
            .put_part(&upload, 1, wrong, bytes("123456789"))
            .await;
        assert!(matches!(wrong, Err(S3Fault::Checksum(_))));
        let right = claims(ChecksumAlgorithm::Crc32, "y/Q5Jg==");
        bench
            .objects
            .put_part(&upload, 1, right, bytes("123456789"))
            .await
            .unwrap();
    });
}

#[test]
fn copies() {
    run(async {
        let bench = TestObjects::new().await;
        let source = put(&bench, "k", &pattern(50_000)).await;
        let copy = |copy: CopyRequest, key: &'static str| {
            bench.objects.copy(source.clone().into(), B, key, copy)
        };
        let copied = copy(CopyRequest::default(), "copy").await.unwrap();
        assert_eq!(
            (copied.etag.as_str(), copied.size),
            (source.etag.as_str(), 50_000)
        );
        assert!(matches!(
            copy(CopyRequest::default(), "k").await,
            Err(S3Fault::CopyToItself)
        ));
        let changed = CopyRequest {
            headers: Some(crate::StoredHeaders::default()),
            ..CopyRequest::default()
        };
        copy(changed, "k").await.unwrap();
        assert_eq!(whole(&bench, "k").await, pattern(50_000));
        let none_match = Some(EntityTags::Any);
        let conditions = ReadIf {
            none_match,
            ..ReadIf::default()
        };
        let refused = CopyRequest {
            source_if: conditions,
            ..CopyRequest::default()
        };
        assert!(matches!(
            copy(refused, "copy").await,
            Err(S3Fault::PreconditionFailed(_))
        ));
        let algorithm = CopyRequest {
            algorithm: Some(ChecksumAlgorithm::Sha256),
            ..CopyRequest::default()
        };
        let copied = copy(algorithm, "copy").await.unwrap();
        assert_eq!(copied.checksum.algorithm, ChecksumAlgorithm::Sha256);
        assert_eq!(bench.files_collected().await, 2);
    });
}

#[test]
fn buckets_are_unique_and_deleted_only_when_empty() {
    run(async {
        let bench = TestObjects::new().await;
        let other = "444455556666".parse().unwrap();
        let none = crate::Tags::new();
        let create = |name: &'static str, owner, region: &'static str| {
            bench.objects.create_bucket(
                name,
                owner,
                region,
                Some(region).filter(|r| *r != "us-east-1"),
                &none,
            )
        };
        let me = crate::testing::owner();
        assert!(create(B, me, "us-east-1").await.is_ok());
        assert!(matches!(
            create(B, other, "us-east-1").await,
            Err(S3Fault::BucketExists(_))
        ));
        create("west", me, "eu-west-1").await.unwrap();
        let again = create("west", me, "eu-west-1").await;
        assert!(matches!(again, Err(S3Fault::BucketOwnedByYou(_))));
        put(&bench, "k", b"").await;
        assert!(matches!(
            bench.objects.delete_bucket(B).await,
            Err(S3Fault::BucketNotEmpty(_))
        ));
        bench
            .objects
            .delete(B, "k", &WriteIf::Always)
            .await
            .unwrap();
        bench.objects.set_policy(B, Some("{}")).await.unwrap();
        let found = bench.objects.find_bucket(B).await.unwrap().unwrap();
        assert_eq!(found.policy.as_deref(), Some("{}"));
        bench.objects.delete_bucket(B).await.unwrap();
        assert!(matches!(
            bench.objects.delete_bucket(B).await,
            Err(S3Fault::NoSuchBucket(_))
        ));
    });
}

#[test]
fn buckets_are_created_with_their_tags_or_not_at_all() {
    run(async {
        let bench = TestObjects::new().await;
        let me = crate::testing::owner();
        let set = |pairs: &[(&str, &str)]| -> crate::Tags {
            let pairs = pairs.iter();
            pairs.map(|(k, v)| ((*k).into(), (*v).into())).collect()
        };
        let create = async |name, tags: crate::Tags| {
            let objects = &bench.objects;
            objects
                .create_bucket(name, me, "us-east-1", None, &tags)
                .await
        };
        let stored = async |name| bench.objects.find_bucket(name).await.unwrap();
        let tags = set(&[("team", "ops"), ("empty", "")]);
        create("tagged", tags.clone()).await.unwrap();
        assert_eq!(stored("tagged").await.unwrap().tags, tags);
        let again = create("tagged", set(&[("team", "dev")])).await;
        assert!(matches!(again, Err(S3Fault::BucketOwnedByYou(_))));
        assert_eq!(create("tagged", set(&[])).await.unwrap().tags, tags);
        assert_eq!(stored("tagged").await.unwrap().tags, tags);
        let many = |count| -> crate::Tags {
            (0..count)
                .map(|n: usize| (n.to_string(), String::new()))
                .collect()
        };
        for wrong in [
            set(&[("team", "a"), ("team", "b")]),
            set(&[("aws:team", "a")]),
            set(&[("", "a")]),
            set(&[("team", "a,b")]),
            many(51),
        ] {
            let refused = create("wrong", wrong).await;
            assert!(matches!(refused, Err(S3Fault::Tag(_))), "{refused:?}");
        }
        assert_eq!(stored("wrong").await, None);
        assert!(create("full", many(50)).await.is_ok());
    });
}

#[test]
fn buckets_are_listed_in_pages() {
    run(async {
        let bench = TestObjects::new().await;
        let me = crate::testing::owner();
        for n in 0..5 {
            let region = ["eu-west-1", "eu-west-2"][n % 2];
            let name = format!("page-{n}");
            bench
                .objects
                .create_bucket(&name, me, region, Some(region), &crate::Tags::new())
                .await
                .unwrap();
        }
        let page = |after: &str, region: Option<&str>| {
            let ask = crate::BucketAsk {
                prefix: "page-".into(),
                after: after.into(),
                region: region.map(str::to_owned),
                limit: 2,
            };
            let objects = bench.objects.clone();
            async move {
                let page = objects.list_buckets(me, &ask).await.unwrap();
                let names: Vec<_> = page.buckets.into_iter().map(|b| b.name).collect();
                (names.join(" "), page.next)
            }
        };
        let next = |name: &str| Some(name.to_owned());
        assert_eq!(
            page("", None).await,
            ("page-0 page-1".into(), next("page-1"))
        );
        assert_eq!(page("page-3", None).await, ("page-4".into(), None));
        assert_eq!(
            page("", Some("eu-west-2")).await,
            ("page-1 page-3".into(), None)
        );
        assert_eq!(
            page("", Some("eu-west-1")).await,
            ("page-0 page-2".into(), next("page-2"))
        );
    });
}

#[test]
fn uploads_are_listed_in_pages() {
    run(async {
        let bench = TestObjects::new().await;
        for key in ["a", "b/1", "b/2", "c", "c", "c"] {
            let new = NewUpload::default();
            bench.objects.create_upload(B, key, new).await.unwrap();
        }
        let (mut seen, mut begun) = (Vec::new(), Vec::new());
        let mut ask = UploadAsk {
            delimiter: "/".into(),
            limit: 2,
            ..UploadAsk::default()
        };
        loop {
            let page = bench.objects.list_uploads(B, &ask).await.unwrap();
            seen.extend(page.prefixes);
            let listed = page.uploads.iter();
            seen.extend(listed.map(|upload| upload.key.clone()));
            begun.extend(page.uploads.iter().map(|upload| upload.started));
            (ask.key_marker, ask.id_marker) = page.last;
            if !page.truncated {
                break;
            }
        }
        seen.sort();
        assert_eq!(seen, ["a", "b/", "c", "c", "c"]);
        // The uploads of one key, in the order of their creation.
        assert!(begun.is_sorted(), "{begun:?}");
        assert_eq!(ask.key_marker, "c");
        ask.key_marker = "a".into();
        let other = bench.objects.list_uploads(B, &ask).await;
        assert!(matches!(other, Err(S3Fault::InvalidArgument { .. })));
    });
}

#[test]
fn a_key_that_changed_since_the_upload_began_is_a_conflict() {
    run(async {
        for (before, after, condition, expected) in [
            (false, "", WriteIf::Absent, "ok"),
            (true, "", WriteIf::Absent, "PreconditionFailed"),
            (false, "put", WriteIf::Absent, "ConditionalRequestConflict"),
            (true, "put", WriteIf::Absent, "ConditionalRequestConflict"),
            (true, "", WriteIf::Matches(String::new()), "ok"),
            (true, "", WriteIf::Matches("x".into()), "PreconditionFailed"),
            (
                true,
                "put",
                WriteIf::Matches(String::new()),
                "ConditionalRequestConflict",
            ),
            (true, "delete", WriteIf::Matches(String::new()), "NoSuchKey"),
        ] {
            let bench = TestObjects::new().await;
            let mut etag = String::new();
            if before {
                etag = put(&bench, "m", b"before").await.etag;
            }
            let (upload, mut completion) = upload(&bench, None, &[10]).await;
            match after {
                "put" => drop(put(&bench, "m", b"before").await),
                "delete" => bench.objects.delete_all(B, vec!["m".into()]).await.unwrap(),
                _ => {}
            }
            completion.condition = match condition.clone() {
                WriteIf::Matches(given) if given.is_empty() => WriteIf::Matches(etag),
                other => other,
            };
            let of = (B, "m", upload.id.as_str());
            let got = match bench.objects.complete(of, &completion).await {
                Ok(_) => "ok".into(),
                Err(fault) => fault.wire().code,
            };
            assert_eq!(got, expected, "{before} {after} {condition:?}");
        }
    });
}

#[test]
fn parts_with_any_checksum_mix_where_the_upload_named_none() {
    run(async {
        let bench = TestObjects::new().await;
        let new = NewUpload::default();
        let upload = bench.objects.create_upload(B, "m", new).await.unwrap();
        let first = pattern(5 * MIB);
        let mut claims = ClaimedBody {
            algorithm: Some(ChecksumAlgorithm::Sha1),
            ..ClaimedBody::default()
        };
        claims.value = ClaimedValue::Known(
            put_with(&bench, "s", &first, ChecksumAlgorithm::Sha1)
                .await
                .checksum
                .value,
        );
        let put = bench
            .objects
            .put_part(&upload, 1, claims, bytes(first.clone()));
        let one = put.await.unwrap();
        assert!(one.claimed);
        let source = put_with(&bench, "source", b"end", ChecksumAlgorithm::Crc32).await;
        let copied = PartCopySource {
            source: source.into(),
            source_if: ReadIf::default(),
            range: None,
        };
        let two = bench.objects.copy_part(&upload, 2, copied).await.unwrap();
        let named = |part: &crate::Part| NamedPart {
            number: part.number,
            etag: part.etag.clone(),
            checksum: None,
        };
        let completion = CompleteRequest {
            parts: vec![named(&one), named(&two)],
            ..CompleteRequest::default()
        };
        let of = (B, "m", upload.id.as_str());
        let object = bench.objects.complete(of, &completion).await.unwrap();
        let bytes = [first.as_slice(), b"end"].concat();
        let single = put_with(&bench, "s", &bytes, ChecksumAlgorithm::Crc64Nvme).await;
        assert_eq!(object.checksum, single.checksum);
    });
}

async fn put_with(
    bench: &TestObjects,
    key: &str,
    content: &[u8],
    algorithm: ChecksumAlgorithm,
) -> Object {
    let claims = ClaimedBody {
        algorithm: Some(algorithm),
        ..ClaimedBody::default()
    };
    let request = PutRequest {
        claims,
        ..PutRequest::default()
    };
    let put = bench.objects.put(B, key, request, bytes(content));
    put.await.unwrap()
}

#[test]
fn a_bucket_goes_with_its_uploads() {
    run(async {
        let bench = TestObjects::new().await;
        upload(&bench, None, &[10, 10]).await;
        put(&bench, "k", b"x").await;
        let full = bench.objects.delete_bucket(B).await;
        assert!(matches!(full, Err(S3Fault::BucketNotEmpty(_))));
        let ask = UploadAsk {
            limit: 10,
            ..UploadAsk::default()
        };
        let page = bench.objects.list_uploads(B, &ask).await.unwrap();
        assert_eq!((page.uploads.len(), bench.files_collected().await), (1, 2));
        bench.objects.delete_all(B, vec!["k".into()]).await.unwrap();
        bench.objects.delete_bucket(B).await.unwrap();
        assert_eq!(bench.files_collected().await, 0);
    });
}

#[test]
fn a_bucket_goes_with_more_uploads_than_a_page() {
    run(async {
        let bench = TestObjects::new().await;
        for key in 0..=keywright_base::limits::S3_PAGE {
            let new = NewUpload::default();
            let key = key.to_string();
            bench.objects.create_upload(B, &key, new).await.unwrap();
        }
        bench.objects.delete_bucket(B).await.unwrap();
        assert!(bench.objects.find_bucket(B).await.unwrap().is_none());
    });
}

/// The expected listing without pages.
fn naive(keys: &BTreeSet<String>, ask: &ListAsk) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for key in keys {
        let Some(rest) = key.strip_prefix(&ask.prefix) else {
            continue;
        };
        let cut = if ask.delimiter.is_empty() {
            None
        } else {
            rest.find(&ask.delimiter)
        };
        let item = match cut {
            Some(at) => {
                let end = ask.prefix.len() + at + ask.delimiter.len();
                key.get(..end).unwrap().to_owned()
            }
            None => key.clone(),
        };
        if item > ask.after && !ask.after.starts_with(&item) && out.last() != Some(&item) {
            out.push(item);
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pages_put_end_to_end_are_the_listing(
        keys in proptest::collection::btree_set("[ab/é]{1,5}", 0..30),
        prefix in "[ab/]{0,2}",
        delimiter in prop_oneof![Just(""), Just("/"), Just("b"), Just("a/")],
        after in "[ab/é]{0,3}",
        limit in 1_usize..6,
    ) {
        run(async {
            let bench = TestObjects::new().await;
            for key in &keys {
                put(&bench, key, b"").await;
            }
            let mut ask = ListAsk { prefix, delimiter: delimiter.into(), after, limit };
            let expected = naive(&keys, &ask);
            let mut got = Vec::new();
            loop {
                let page = bench.objects.list(B, &ask).await.unwrap();
                let mut items: Vec<_> = page.objects.into_iter().map(|o| o.key).collect();
                items.extend(page.prefixes);
                items.sort();
                prop_assert!(items.len() <= limit);
                got.extend(items);
                let Some(next) = page.next else { break };
                ask.after = next;
            }
            prop_assert_eq!(got, expected);
            Ok(())
        })?;
    }

    #[test]
    fn ranges_are_slices(
        sizes in proptest::collection::vec(0_usize..40_000, 1..4),
        start in 0_usize..100_000,
        length in 1_usize..100_000,
    ) {
        run(async {
            let bench = TestObjects::new().await;
            let new = NewUpload::default();
            let upload = bench.objects.create_upload(B, "m", new).await.unwrap();
            let mut parts = Vec::new();
            for (number, size) in (1..).zip(&sizes) {
                let content = bytes(pattern(*size));
                let put = bench.objects.put_part(&upload, number, ClaimedBody::default(), content);
                parts.push(put.await.unwrap());
            }
            let content = sizes.iter().map(|size| pattern(*size)).collect::<Vec<_>>().concat();
            let object = Object {
                size: content.len() as u64,
                ..bench.objects.assembled(&upload, &parts)
            };
            let range = format!("bytes={start}-{}", start + length - 1);
            let ask = ReadAsk { range: Some(range), ..ReadAsk::default() };
            let expected = content.get(start..content.len().min(start + length));
            match bench.objects.read(object.into(), &ask).await {
                Ok((_, reading)) => {
                    let got = reading.map_ok(|chunk| chunk.to_vec()).try_concat().await.unwrap();
                    prop_assert_eq!(Some(got.as_slice()), expected);
                }
                Err(fault) => {
                    let outside = matches!(fault, S3Fault::InvalidRange { .. });
                    prop_assert!(outside);
                    prop_assert!(start >= content.len());
                }
            }
            Ok(())
        })?;
    }
}
