//! The cost of encryption at rest: opening an object of 1 KiB, and 64 MiB of content in segments.
//!
//! Run `cargo bench -p keywright-vault --bench segments`. For figures see docs/performance.md.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot be set up has nothing to report"
)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use keywright_base::{Entropy, Secret};
use keywright_vault::{ContentKey, DataVault, MasterKey, SegmentReader};

struct Counting(std::sync::atomic::AtomicU64);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        let next = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        for (slot, byte) in buffer.iter_mut().zip(next.to_be_bytes().iter().cycle()) {
            *slot = *byte;
        }
    }
}

const SUBJECT: &str = "00112233445566778899aabbccddeeff/bucket/some/key";

fn segments(criterion: &mut Criterion) {
    let entropy = Counting(0.into());
    let master = MasterKey::new(Secret::new(vec![1; 32])).unwrap();
    let (vault, _) = DataVault::create(&master, &entropy).unwrap();
    for (name, size) in [("1 KiB", 1024_usize), ("64 MiB", 64 << 20)] {
        let plain = vec![7_u8; size];
        let key = ContentKey::generate(&entropy);
        let sealed = key.seal(&vault, SUBJECT, &entropy).unwrap();
        let mut writer = key.writer().unwrap();
        writer.push(&plain).unwrap();
        let stored = writer.finish().unwrap();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function("write", |bencher| {
            bencher.iter(|| {
                let key = ContentKey::generate(&entropy);
                let mut writer = key.writer().unwrap();
                for chunk in plain.chunks(1 << 20) {
                    writer.push(chunk).unwrap();
                    writer.ready(|bytes| Ok(_ = black_box(bytes))).unwrap();
                }
                (
                    writer.finish().unwrap(),
                    key.seal(&vault, SUBJECT, &entropy),
                )
            });
        });
        group.bench_function("read", |bencher| {
            let read = |mut bytes: Vec<u8>| {
                let reader = SegmentReader::open(&vault, SUBJECT, &sealed, size as u64).unwrap();
                let span = reader.span(0, size as u64, u32::MAX);
                reader.decrypt(span, &mut bytes).unwrap();
                bytes
            };
            bencher.iter_batched(|| stored.clone(), read, BatchSize::LargeInput);
        });
        group.finish();
    }
}

criterion_group!(benches, segments);
criterion_main!(benches);
