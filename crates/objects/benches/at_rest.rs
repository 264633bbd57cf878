//! What encryption at rest costs a GET: each object is read encrypted, and then as versions before
//! encryption stored it, in clear, in the same run.
//!
//! `cargo bench -p keywright-objects --features memory --bench at_rest`; figures in
//! docs/performance.md. Every sample is a whole read, beginning with the look at the index. A PUT
//! cannot be compared so, because nothing is written in clear any more: its share is in
//! `cargo bench -p keywright-vault`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a measurement that cannot be set up has nothing to report"
)]

use std::{fs, path::Path, sync::Arc};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::{StreamExt, TryStreamExt, stream};
use keywright_base::{Clock, Entropy, Secret, Timestamp};
use keywright_objects::{Objects, Put, ReadAsk, Tags, memory::Memory};
use keywright_store::contract::{Expect, IndexWrite, ObjectIndex};
use keywright_vault::{MasterKey, Vault};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000)
    }
}

struct Counting(std::sync::atomic::AtomicU64);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        let next = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        for (slot, byte) in buffer.iter_mut().zip(next.to_be_bytes().iter().cycle()) {
            *slot = *byte;
        }
    }
}

const B: &str = "bench";
const CHUNK: usize = 1 << 20;

/// Turns a stored object into one of version 1: no keys in its row, its file in clear.
async fn make_clear(index: &Memory, folder: &Path, key: &str, text: &[u8]) {
    let mut row = index.object(B, key).await.unwrap().unwrap();
    let json = u32::from_be_bytes(row.body[1..5].try_into().unwrap()) as usize;
    let rest = row.body.split_off(5 + json);
    row.body[0] = 1;
    row.body.extend_from_slice(&rest[..4]);
    if rest[..4] == [0; 4] {
        row.body.extend_from_slice(text);
    } else {
        row.body.extend_from_slice(&rest[4..28]);
        let name: String = rest[4..20]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        fs::write(folder.join(&name[..2]).join(&name), text).unwrap();
    }
    let expect = Expect::Any;
    let write = IndexWrite::PutObject { row, expect };
    index.apply(vec![write]).await.unwrap();
}

async fn read(objects: &Objects, key: &str) -> usize {
    let found = objects.find(B, key).await.unwrap().unwrap();
    let (_, reading) = objects.read(found, &ReadAsk::default()).await.unwrap();
    let sizes = reading.map_ok(|chunk| chunk.len());
    sizes
        .try_fold(0, |sum, size| async move { Ok(sum + size) })
        .await
        .unwrap()
}

fn at_rest(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(2).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let index = Arc::new(Memory::default());
    let entropy = Arc::new(Counting(0.into()));
    let master = MasterKey::new(Secret::new(vec![1; 32])).unwrap();
    let vault = Arc::new(Vault::create(&master, &*entropy).unwrap().0);
    let shared = Arc::clone(&index) as _;
    let objects = Objects::open(folder.path().into(), shared, vault, Arc::new(Noon), entropy);
    let objects = objects.unwrap();
    let owner = "111122223333".parse().unwrap();
    let tags = Tags::new();
    let bucket = objects.create_bucket(B, owner, "us-east-1", None, &tags);
    runtime.block_on(bucket).unwrap();
    for (name, size) in [("1 KiB", 1024_usize), ("1 GiB", 1 << 30)] {
        let text = Bytes::from(vec![7_u8; size]);
        for form in ["encrypted", "clear"] {
            let shared = text.clone();
            let chunk = move |at| Ok(shared.slice(at..size.min(at + CHUNK)));
            let body = stream::iter((0..size).step_by(CHUNK).map(chunk)).boxed();
            let key = format!("{name} {form}");
            runtime.block_on(async {
                let put = objects.put(B, &key, Put::default(), body);
                put.await.unwrap();
                if form == "clear" {
                    make_clear(&index, folder.path(), &key, &text).await;
                }
            });
        }
        let mut group = criterion.benchmark_group(format!("GET {name}"));
        group
            .throughput(Throughput::Bytes(size as u64))
            .sample_size(10);
        for form in ["clear", "encrypted"] {
            let key = format!("{name} {form}");
            group.bench_function(form, |bencher| {
                bencher.iter(|| {
                    assert_eq!(runtime.block_on(read(&objects, &key)), size);
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, at_rest);
criterion_main!(benches);
