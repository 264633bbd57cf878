//! Content in segments: every range, and every kind of damage.

use keywright_base::{Entropy, Secret};

use super::{ContentKey, SEGMENT_BYTES, SegmentReader, StoredSpan};
use crate::{DataVault, MasterKey};

struct Nines;

impl Entropy for Nines {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(9);
    }
}

const SUBJECT: &str = "bucket/key";
const SEG: usize = SEGMENT_BYTES;

fn text(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n * 31 % 251) as u8).collect()
}

/// The stored form of a content, and its reader.
fn stored(size: usize, step: usize) -> (Vec<u8>, SegmentReader) {
    let master = MasterKey::new(Secret::new(vec![1; 32])).unwrap();
    let (vault, _) = DataVault::create(&master, &Nines).unwrap();
    let key = ContentKey::generate(&Nines);
    let sealed = key.seal(&vault, SUBJECT, &Nines).unwrap();
    assert!(SegmentReader::open(&vault, "bucket/other", &sealed, 1).is_err());
    let mut writer = key.writer().unwrap();
    let mut file = Vec::new();
    for chunk in text(size).chunks(step) {
        writer.push(chunk).unwrap();
        let store = |bytes: &[u8]| {
            file.extend_from_slice(bytes);
            Ok(())
        };
        writer.ready(store).unwrap();
    }
    file.extend_from_slice(&writer.finish().unwrap());
    let reader = SegmentReader::open(&vault, SUBJECT, &sealed, size as u64).unwrap();
    (file, reader)
}

fn read(file: &[u8], reader: &SegmentReader, span: StoredSpan) -> Option<Vec<u8>> {
    let start = usize::try_from(span.at).unwrap();
    let mut bytes = file.get(start..start + span.bytes)?.to_vec();
    reader.decrypt(span, &mut bytes).ok()?;
    Some(bytes)
}

const SIZES: [usize; 9] = [
    0,
    1,
    SEG - 1,
    SEG,
    SEG + 1,
    2 * SEG - 1,
    2 * SEG,
    2 * SEG + 1,
    5 * SEG + 77,
];

#[test]
fn every_range_is_read_from_its_own_segments() {
    for size in SIZES {
        let (file, reader) = stored(size, 100_000);
        assert_eq!(file.len() as u64, reader.stored_size(), "{size}");
        let plain = text(size);
        let edges = [0, 1, SEG - 1, SEG, SEG + 1, 3 * SEG, size / 2, size];
        for at in edges.into_iter().filter(|at| *at <= size) {
            for end in edges.into_iter().filter(|end| (at..=size).contains(end)) {
                let span = reader.span(at as u64, end as u64, 4);
                let first = usize::try_from(span.text_at).unwrap();
                assert!(first <= at && at < first + SEG || at == size && size > 0);
                if at == end {
                    continue;
                }
                let got = read(&file, &reader, span).unwrap();
                assert!(got.len() <= 4 * SEG);
                let stop = end.min(first + got.len());
                assert!(stop > at && stop >= end.min(first + 4 * SEG));
                assert_eq!(
                    got[at - first..stop - first],
                    plain[at..stop],
                    "{size} {at}"
                );
            }
        }
    }
}

#[test]
fn the_pieces_it_came_in_do_not_matter() {
    let (whole, _) = stored(2 * SEG + 5, usize::MAX);
    for step in [1000, SEG - 1, SEG, SEG + 1] {
        assert_eq!(stored(2 * SEG + 5, step).0, whole, "{step}");
    }
}

#[test]
fn damage_is_found_wherever_it_is() {
    let size = 2 * SEG + 100;
    let (file, reader) = stored(size, SEG);
    let all = reader.span(0, size as u64, 4);
    assert_eq!(read(&file, &reader, all).unwrap(), text(size));
    for at in [
        0,
        SEG - 1,
        SEG,
        SEG + 15,
        SEG + 16,
        2 * SEG + 32,
        file.len() - 1,
    ] {
        let mut file = file.clone();
        file[at] ^= 1;
        assert!(read(&file, &reader, all).is_none(), "byte {at}");
    }
    // Two segments swapped.
    let step = SEG + 16;
    let swapped = [&file[step..2 * step], &file[..step], &file[2 * step..]].concat();
    assert!(read(&swapped, &reader, all).is_none());
    // Truncated at a segment boundary with a matching size, or extended.
    for other in [SEG, 2 * SEG, size - 1, size + 1, 3 * SEG + 1] {
        let (_, reader) = (
            0,
            SegmentReader {
                key: stored(0, 1).1.key,
                size: other as u64,
            },
        );
        let all = reader.span(0, other as u64, 4);
        let mut file = file.clone();
        file.resize(all.bytes, 0);
        assert!(read(&file, &reader, all).is_none(), "{other}");
    }
    // A segment moved from one content into another.
    let (other, _) = stored(SEG, SEG);
    let mixed = [&other[..step], &file[step..]].concat();
    assert!(read(&mixed, &reader, all).is_none());
}
