//! Test support: seeded entropy, a clock that advances by itself, objects over an in-memory index.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use keywright_base::{AccountId, Clock, Entropy, Secret, Timestamp};
use keywright_store::contract::{ObjectIndex, VersionId};
use keywright_vault::{DataVault, MasterKey};

use crate::{
    Bucket, ObjectStream, Objects,
    digest::{Checksum, ChecksumAlgorithm, ChecksumType},
    fault::BodyError,
    garbage::DELETE_AGE_SECS,
    memory::MemoryIndex,
    object::{InlineBytes, Object, ObjectContent, ObjectMeta},
};

/// Numbers that never repeat.
#[derive(Default)]
pub(crate) struct SeededEntropy(AtomicU64);

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let next = self.0.fetch_add(1, Ordering::Relaxed);
        let mut state = next.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for byte in buffer {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(next | 1);
            *byte = state.to_be_bytes()[0];
        }
    }
}

/// A clock that advances by a second each time it is read.
#[derive(Default)]
pub(crate) struct TickingClock(AtomicI64);

impl TickingClock {
    pub(crate) fn advance(&self, secs: i64) {
        self.0.fetch_add(secs, Ordering::Relaxed);
    }
}

impl Clock for TickingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_789_000_000 + self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Runs a test on two threads.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap()
        .block_on(work)
}

/// Objects over an in-memory index and a folder of their own.
pub(crate) struct TestObjects {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) index: Arc<MemoryIndex>,
    pub(crate) vault: Arc<DataVault>,
    pub(crate) clock: Arc<TickingClock>,
    pub(crate) entropy: Arc<SeededEntropy>,
    pub(crate) objects: Objects,
}

impl TestObjects {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let index = Arc::new(MemoryIndex::default());
        let vault = vault();
        let clock = Arc::new(TickingClock::default());
        let entropy = Arc::new(SeededEntropy::default());
        let objects = Objects::open(
            folder.path().into(),
            Arc::clone(&index) as _,
            Arc::clone(&vault),
            Arc::clone(&clock) as _,
            Arc::clone(&entropy) as _,
        )
        .unwrap();
        objects
            .create_bucket("bench", owner(), "us-east-1", None, &crate::Tags::new())
            .await
            .unwrap();
        Self {
            folder,
            index,
            vault,
            clock,
            entropy,
            objects,
        }
    }

    /// Simulates a restart.
    pub(crate) fn reopen(&mut self) {
        self.objects = self.open_over(Arc::clone(&self.index) as _);
    }

    /// Opens the same folder again, as another process would, over an index with the same content.
    pub(crate) fn open_over(&self, index: Arc<dyn ObjectIndex>) -> Objects {
        Objects::open(
            self.folder.path().into(),
            index,
            Arc::clone(&self.vault),
            Arc::clone(&self.clock) as _,
            Arc::clone(&self.entropy) as _,
        )
        .unwrap()
    }

    /// The number of blob files.
    pub(crate) fn files(&self) -> usize {
        let shelves = std::fs::read_dir(self.folder.path()).unwrap();
        shelves
            .map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap().count())
            .sum()
    }

    /// The number of blob files once what was deleted before is collected.
    pub(crate) async fn files_collected(&self) -> usize {
        self.clock.advance(DELETE_AGE_SECS);
        self.objects.collect_garbage().await.unwrap();
        self.files()
    }
}

/// A vault that is the same for each call.
fn vault() -> Arc<DataVault> {
    let master = MasterKey::new(Secret::new(vec![7; 32])).unwrap();
    Arc::new(
        DataVault::create(&master, &SeededEntropy::default())
            .unwrap()
            .0,
    )
}

pub(crate) fn owner() -> AccountId {
    "111122223333".parse().unwrap()
}

/// A body of these chunks.
pub(crate) fn body(chunks: Vec<Result<Vec<u8>, BodyError>>) -> ObjectStream {
    stream::iter(chunks.into_iter().map(|chunk| chunk.map(Bytes::from))).boxed()
}

/// A body with these bytes.
pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> ObjectStream {
    body(vec![Ok(bytes.into())])
}

/// A bucket with this policy.
pub(crate) fn bucket(policy: Option<&str>) -> Bucket {
    Bucket {
        name: "bench".into(),
        owner: owner(),
        region: "us-east-1".into(),
        created: Timestamp::from_secs(0),
        policy: policy.map(Into::into),
        tags: Vec::new(),
        public_access_block: None,
    }
}

pub(crate) fn object(key: &str, etag: &str, modified: i64) -> Object {
    Object {
        bucket: "bench".into(),
        key: key.into(),
        version: VersionId::NULL,
        etag: etag.into(),
        size: 0,
        modified: Timestamp::from_millis(modified),
        meta: ObjectMeta::default(),
        checksum: Checksum {
            algorithm: ChecksumAlgorithm::Crc32,
            value: "AAAAAA==".into(),
            kind: ChecksumType::FullObject,
        },
        multipart: false,
        assembly: None,
        content: ObjectContent::Inline(InlineBytes::default()),
    }
}
