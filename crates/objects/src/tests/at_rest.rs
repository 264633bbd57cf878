//! Encryption at rest: nothing is stored in clear, nothing can be swapped, everything stays
//! readable across key changes, as does what versions before encryption stored.

use std::{fs, path::PathBuf};

use futures_util::TryStreamExt;
use keywright_store::contract::{IndexWrite, ObjectCondition, ObjectIndex, ObjectRow, PartRow};

use crate::{
    ClaimedBody, CompleteRequest, INLINE_BYTES, NamedPart, NewUpload, Object, PutRequest, ReadAsk,
    S3Fault,
    object::ObjectContent,
    row,
    testing::{TestObjects, bytes, owner, run},
};

const B: &str = "bench";

/// Text that is easy to find in places where it must not be.
fn text(size: usize) -> Vec<u8> {
    b"clear text ".iter().copied().cycle().take(size).collect()
}

async fn put(bench: &TestObjects, key: &str, content: &[u8]) -> Object {
    let put = bench
        .objects
        .put(B, key, PutRequest::default(), bytes(content));
    put.await.unwrap()
}

async fn get(bench: &TestObjects, key: &str, range: Option<&str>) -> Result<Vec<u8>, String> {
    let ask = ReadAsk {
        range: range.map(str::to_owned),
        ..ReadAsk::default()
    };
    let found = bench.objects.find(B, key).await.unwrap().unwrap();
    let read = bench.objects.read(found, &ask).await;
    let (_, reading) = read.map_err(|fault: S3Fault| format!("{fault:?}"))?;
    let chunks = reading.map_ok(|chunk| chunk.to_vec()).try_concat();
    chunks.await.map_err(|error| error.to_string())
}

async fn row_of(bench: &TestObjects, key: &str) -> ObjectRow {
    bench.index.object(B, key).await.unwrap().unwrap()
}

async fn write_row(bench: &TestObjects, row: ObjectRow) {
    let expect = ObjectCondition::Any;
    let write = IndexWrite::PutObject { row, expect };
    bench.index.apply(vec![write]).await.unwrap();
}

fn files(bench: &TestObjects) -> Vec<PathBuf> {
    let shards = fs::read_dir(bench.folder.path()).unwrap();
    let files = shards.flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().path()).collect()
}

fn holds_text(bytes: &[u8]) -> bool {
    bytes.windows(10).any(|window| window == b"clear text")
}

#[test]
fn no_text_is_stored_in_clear_and_tags_are_of_the_text() {
    run(async {
        let bench = TestObjects::new().await;
        for size in [11, INLINE_BYTES, INLINE_BYTES + 1, 300_000] {
            let key = size.to_string();
            let object = put(&bench, &key, &text(size)).await;
            assert!(!holds_text(&row_of(&bench, &key).await.body), "{size}");
            // Known values: the digests are of the clear text.
            if size == 11 {
                assert_eq!(object.etag, "270f280790ffa659b0eb2a3024915a50");
            }
            assert_eq!(get(&bench, &key, None).await.unwrap(), text(size));
        }
        assert_eq!(files(&bench).len(), 2);
        for file in files(&bench) {
            assert!(!holds_text(&fs::read(file).unwrap()));
        }
    });
}

#[test]
fn the_same_text_twice_is_stored_differently() {
    run(async {
        let bench = TestObjects::new().await;
        for key in ["a", "b"] {
            put(&bench, key, &text(100_000)).await;
        }
        let stored: Vec<_> = files(&bench)
            .iter()
            .map(|file| fs::read(file).unwrap())
            .collect();
        assert_ne!(stored[0][..1000], stored[1][..1000]);
    });
}

#[test]
fn ranges_are_those_of_the_text() {
    run(async {
        let bench = TestObjects::new().await;
        let content = text(700_000);
        put(&bench, "k", &content).await;
        for (first, last) in [
            (0, 0),
            (65_535, 65_536),
            (65_536, 131_071),
            (262_143, 262_144),
            (100, 600_000),
            (699_999, 699_999),
        ] {
            let range = format!("bytes={first}-{last}");
            let got = get(&bench, "k", Some(&range)).await.unwrap();
            assert_eq!(got, content[first..=last], "{range}");
        }
    });
}

#[test]
fn bytes_of_one_object_never_come_out_as_another() {
    run(async {
        let bench = TestObjects::new().await;
        for (size, first) in [(40, "a"), (100_000, "c")] {
            put(&bench, first, &text(size)).await;
            put(&bench, "other", &text(size)).await;
            // One object's row under the other's name: same bytes, same keys.
            let mut row = row_of(&bench, first).await;
            row.key = "other".into();
            write_row(&bench, row).await;
            assert!(get(&bench, "other", None).await.is_err(), "{size}");
            assert!(get(&bench, first, None).await.is_ok());
        }
    });
}

#[test]
fn damage_to_a_file_is_an_error_and_never_other_bytes() {
    run(async {
        let bench = TestObjects::new().await;
        put(&bench, "k", &text(200_000)).await;
        let file = files(&bench).remove(0);
        let good = fs::read(&file).unwrap();
        let mut flipped = good.clone();
        flipped[150_000] ^= 1;
        let mut longer = good.clone();
        longer.push(0);
        let shorter = good[..good.len() - 1].to_vec();
        let segments = good[..2 * (65_536 + 16)].to_vec();
        let text_in_place = text(good.len());
        for bad in [flipped, longer, shorter, segments, text_in_place] {
            write(&file, &bad);
            assert!(get(&bench, "k", None).await.is_err());
        }
        // Damage elsewhere does not affect a range.
        let mut flipped = good.clone();
        flipped[150_000] ^= 1;
        write(&file, &flipped);
        let got = get(&bench, "k", Some("bytes=0-65535")).await;
        assert_eq!(got.unwrap(), text(65_536));
        write(&file, &good);
        assert_eq!(get(&bench, "k", None).await.unwrap(), text(200_000));
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "damage, or what an earlier version left"
)]
fn write(file: impl AsRef<std::path::Path>, content: impl AsRef<[u8]>) {
    fs::write(file, content).unwrap();
}

async fn multipart(bench: &TestObjects, key: &str) -> Object {
    let upload = bench.objects.create_upload(B, key, NewUpload::default());
    let upload = upload.await.unwrap();
    let mut parts = Vec::new();
    for (number, size) in [(1, 5 << 20), (3, 70_000)] {
        let body = bytes(text(size));
        let part = bench
            .objects
            .put_part(&upload, number, ClaimedBody::default(), body);
        parts.push(NamedPart {
            number,
            etag: part.await.unwrap().etag,
            checksum: None,
        });
    }
    let completion = CompleteRequest {
        parts,
        ..CompleteRequest::default()
    };
    bench
        .objects
        .complete((&*upload.bucket, &*upload.key, &*upload.id), &completion)
        .await
        .unwrap()
}

#[test]
fn a_new_data_key_takes_over_all_objects_and_the_old_one_can_go() {
    run(async {
        let mut bench = TestObjects::new().await;
        put(&bench, "small", &text(100)).await;
        put(&bench, "large", &text(100_000)).await;
        multipart(&bench, "parts").await;
        let begun = bench
            .objects
            .create_upload(B, "begun", NewUpload::default());
        let begun = begun.await.unwrap();
        let body = bytes(text(100_000));
        let part = bench
            .objects
            .put_part(&begun, 1, ClaimedBody::default(), body);
        let part = part.await.unwrap();
        let before = files(&bench).len();
        let entropy = crate::testing::SeededEntropy::default();
        let next = bench.vault.next_key(&entropy).unwrap();
        bench.vault.add(next);
        bench.reopen();
        assert!(bench.objects.opened_stale());

        assert_eq!(bench.objects.reseal(&[owner()]).await.unwrap(), 4);
        assert_eq!(bench.objects.reseal(&[owner()]).await.unwrap(), 0);
        bench.vault.remove(1);
        assert_eq!(get(&bench, "small", None).await.unwrap(), text(100));
        assert_eq!(get(&bench, "large", None).await.unwrap(), text(100_000));
        let whole = get(&bench, "parts", None).await.unwrap();
        assert_eq!(whole, [text(5 << 20), text(70_000)].concat());
        let completion = CompleteRequest {
            parts: vec![NamedPart {
                number: 1,
                etag: part.etag,
                checksum: None,
            }],
            ..CompleteRequest::default()
        };
        bench
            .objects
            .complete((&*begun.bucket, &*begun.key, &*begun.id), &completion)
            .await
            .unwrap();
        assert_eq!(get(&bench, "begun", None).await.unwrap(), text(100_000));
        assert_eq!(files(&bench).len(), before, "no bytes were copied");
        bench.reopen();
        assert!(!bench.objects.opened_stale());
    });
}

#[test]
fn what_no_key_opens_does_not_keep_the_others_from_being_sealed_again() {
    run(async {
        let bench = TestObjects::new().await;
        for (key, size) in [("damaged", 100), ("good", 100), ("lost", 100_000)] {
            put(&bench, key, &text(size)).await;
        }
        make_clear(&bench, "lost", &[&text(100_000)]).await;
        fs::remove_file(&files(&bench)[0]).unwrap();
        let mut row = row_of(&bench, "damaged").await;
        let at = row.body.len() - 130;
        row.body[at] ^= 1;
        write_row(&bench, row).await;
        let next = bench
            .vault
            .next_key(&crate::testing::SeededEntropy::default());
        bench.vault.add(next.unwrap());
        assert_eq!(bench.objects.reseal(&[owner()]).await.unwrap(), 1);
        assert_eq!(bench.objects.reseal(&[owner()]).await.unwrap(), 0);
        bench.vault.remove(1);
        assert_eq!(get(&bench, "good", None).await.unwrap(), text(100));
    });
}

/// Writes the row as versions before encryption did, with its blob in clear text.
async fn make_clear(bench: &TestObjects, key: &str, content: &[&[u8]]) {
    let object = bench.objects.find(B, key).await.unwrap().unwrap();
    let row = row_of(bench, key).await;
    let (json_end, mut body) = (5 + json_length(&row.body), row.body.clone());
    body.truncate(json_end);
    body[0] = 1;
    match &object.content {
        ObjectContent::Inline(_) => {
            body.extend_from_slice(&0_u32.to_be_bytes());
            body.extend_from_slice(content[0]);
        }
        ObjectContent::Blobs(pieces) => {
            body.extend_from_slice(&u32::try_from(pieces.len()).unwrap().to_be_bytes());
            for (piece, text) in pieces.iter().zip(content) {
                body.extend_from_slice(&piece.blob.0);
                body.extend_from_slice(&piece.size.to_be_bytes());
                let name = hex::encode(piece.blob.0);
                let file = bench.folder.path().join(name.get(..2).unwrap()).join(&name);
                write(file, text);
            }
        }
    }
    write_row(bench, ObjectRow { body, ..row }).await;
}

fn json_length(body: &[u8]) -> usize {
    u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize
}

#[test]
fn objects_of_before_encryption_are_read_and_then_encrypted() {
    run(async {
        let mut bench = TestObjects::new().await;
        let (small, large) = (text(100), text(100_000));
        put(&bench, "small", &small).await;
        put(&bench, "large", &large).await;
        let parts = multipart(&bench, "parts").await;
        let (one, two) = (text(5 << 20), text(70_000));
        make_clear(&bench, "small", &[&small]).await;
        make_clear(&bench, "large", &[&large]).await;
        make_clear(&bench, "parts", &[&one, &two]).await;
        bench.reopen();
        assert!(bench.objects.opened_stale());
        let count = files(&bench).len();
        for round in 0..2 {
            assert_eq!(get(&bench, "small", None).await.unwrap(), small);
            assert_eq!(get(&bench, "large", None).await.unwrap(), large);
            let range = Some("bytes=5242870-5242889");
            let got = get(&bench, "parts", range).await.unwrap();
            assert_eq!(got, [&one[one.len() - 10..], &two[..10]].concat());
            if round == 0 {
                assert_eq!(bench.objects.reseal(&[owner()]).await.unwrap(), 3);
                bench.files_collected().await;
            }
        }
        let now = bench.objects.find(B, "parts").await.unwrap().unwrap();
        let now = Object::clone(&now);
        assert_eq!(
            (now.etag, now.modified, now.checksum, now.multipart),
            (parts.etag, parts.modified, parts.checksum, true)
        );
        for file in files(&bench) {
            assert!(!holds_text(&fs::read(file).unwrap()));
        }
        assert!(!holds_text(&row_of(&bench, "small").await.body));
        assert_eq!(files(&bench).len(), count, "the clear blobs are gone");
    });
}

#[test]
fn a_part_of_before_encryption_is_encrypted() {
    run(async {
        let bench = TestObjects::new().await;
        let begun = bench.objects.create_upload(B, "k", NewUpload::default());
        let begun = begun.await.unwrap();
        let body = bytes(text(100_000));
        let part = bench
            .objects
            .put_part(&begun, 1, ClaimedBody::default(), body);
        let part = part.await.unwrap();
        let name = hex::encode(part.piece.blob.0);
        write(
            bench.folder.path().join(name.get(..2).unwrap()).join(&name),
            text(100_000),
        );
        let rows = bench.index.parts(&begun.id, 0, 1).await.unwrap();
        let mut body = rows[0].body.clone();
        body.truncate(5 + json_length(&rows[0].body));
        body[0] = 1;
        body.extend_from_slice(&1_u32.to_be_bytes());
        body.extend_from_slice(&part.piece.blob.0);
        body.extend_from_slice(&part.piece.size.to_be_bytes());
        let old = PartRow {
            body,
            ..rows[0].clone()
        };
        assert!(row::part(&old).unwrap().piece.key.is_none());
        bench
            .index
            .apply(vec![IndexWrite::PutPart(old)])
            .await
            .unwrap();
        assert_eq!(bench.objects.reseal(&[owner()]).await.unwrap(), 1);
        bench.files_collected().await;
        let files = files(&bench);
        assert_eq!(files.len(), 1);
        assert!(!holds_text(&fs::read(&files[0]).unwrap()));
    });
}
