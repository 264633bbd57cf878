//! Several processes over one folder and one index, crashes at every step, and expiry.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use keywright_store::{
    SqliteStore,
    contract::BlobJournal,
    faulty::{ContractPart, FaultMoment, FaultyStore},
};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{DELETE_AGE_SECS, RESERVATION_SECS};
use crate::{
    ApprovalFuture, CheckFuture, CommitApproval, CommitCheck, CommitProof, Object, ObjectStream,
    Objects, PutRequest, ReadAsk, S3Fault, Tags,
    testing::{TestObjects, bytes, owner, run},
};

const B: &str = "bench";
const SIZE: usize = 100_000;

fn text(byte: u8) -> Vec<u8> {
    vec![byte; SIZE]
}

async fn put(objects: &Objects, byte: u8) -> Result<Object, S3Fault> {
    let request = PutRequest::default();
    objects.put(B, "k", request, bytes(text(byte))).await
}

async fn get(objects: &Objects) -> Option<Vec<u8>> {
    let found = objects.find(B, "k").await.unwrap()?;
    let (_, reading) = objects.read(found, &ReadAsk::default()).await.unwrap();
    let chunks = reading.map_ok(|chunk| chunk.to_vec()).try_concat();
    Some(chunks.await.unwrap())
}

/// An upload that has begun and waits for the rest of its body.
struct BegunUpload {
    body: mpsc::Sender<Bytes>,
    done: JoinHandle<Result<Object, S3Fault>>,
}

impl BegunUpload {
    /// Begins an upload; returns once it has a file.
    async fn begin(bench: &TestObjects) -> Self {
        let (body, chunks) = mpsc::channel(1);
        let chunks: ObjectStream = Box::pin(stream::unfold(chunks, |mut chunks| async {
            Some((Ok(chunks.recv().await?), chunks))
        }));
        let objects = bench.objects.clone();
        let putting = async move { objects.put(B, "k", PutRequest::default(), chunks).await };
        let done = tokio::spawn(putting);
        body.send(text(1).into()).await.unwrap();
        while bench.files() == 0 {
            tokio::task::yield_now().await;
        }
        Self { body, done }
    }

    async fn end(self) -> Result<Object, S3Fault> {
        drop(self.body);
        self.done.await.unwrap()
    }
}

#[test]
fn another_process_that_starts_deletes_nothing_of_an_upload_in_progress() {
    run(async {
        let bench = TestObjects::new().await;
        let begun = BegunUpload::begin(&bench).await;
        let other = bench.open_over(Arc::clone(&bench.index) as _);
        bench.clock.advance(DELETE_AGE_SECS);
        other.collect_garbage().await.unwrap();
        // However long it takes, its process renews what it has reserved.
        for _ in 0..5 {
            bench.clock.advance(RESERVATION_SECS / 2);
            bench.objects.collect_garbage().await.unwrap();
            other.collect_garbage().await.unwrap();
        }
        assert_eq!(bench.files(), 1);
        begun.end().await.unwrap();
        assert_eq!(get(&other).await, Some(text(1)));
        // A blob deleted through one process can be collected by the other, which sees it again
        // after a new upload.
        other.delete(B, "k", &crate::WriteIf::Always).await.unwrap();
        assert_eq!(bench.files_collected().await, 0);
        put(&bench.objects, 2).await.unwrap();
        assert_eq!(get(&other).await, Some(text(2)));
    });
}

#[test]
fn an_upload_with_an_expired_reservation_is_not_committed() {
    run(async {
        let bench = TestObjects::new().await;
        let other = bench.open_over(Arc::clone(&bench.index) as _);
        let begun = BegunUpload::begin(&bench).await;
        bench.clock.advance(RESERVATION_SECS + 1);
        other.collect_garbage().await.unwrap();
        let result = begun.end().await;
        assert!(matches!(result, Err(S3Fault::Throttled)), "{result:?}");
        assert_eq!(get(&bench.objects).await, None);
        assert_eq!(bench.files_collected().await, 0);
    });
}

#[test]
fn what_a_crashed_process_left_expires() {
    run(async {
        let mut bench = TestObjects::new().await;
        put(&bench.objects, 2).await.unwrap();
        // The file of an upload, as a crash leaves it.
        let left = bench.objects.allocator.reserve().await.unwrap();
        let folder = Arc::clone(&bench.objects.allocator.folder);
        let (left, _) = folder
            .finish(folder.draft(left, &*bench.entropy).unwrap())
            .unwrap();
        left.leave();
        // Without a journal entry, as left by versions before the journal; finished or not.
        for name in [
            "tmp/00000000000000000000000000000001",
            "ab/ab000000000000000000000000000000",
        ] {
            std::fs::File::create(bench.folder.path().join(name)).unwrap();
        }
        std::fs::File::create(bench.folder.path().join("ab/README")).unwrap();
        bench.reopen();
        assert_eq!(bench.files_collected().await, 5, "a start deletes nothing");
        bench.clock.advance(RESERVATION_SECS + DELETE_AGE_SECS);
        bench.objects.collect_garbage().await.unwrap();
        assert_eq!(
            bench.files_collected().await,
            2,
            "the object, and another program's file"
        );
        assert_eq!(get(&bench.objects).await, Some(text(2)));
        let mut journaled = 0;
        let count = &mut |_| journaled += 1;
        bench.index.every_journaled_blob(count).unwrap();
        assert_eq!(journaled, 0, "spare names expired too");
    });
}

/// Overwrites the object with the same text, so that its entity tag stays, right before a commit.
struct OverwritingCheck {
    other: Objects,
    text: Vec<u8>,
    done: AtomicBool,
}

/// The proof of a check that allows everything.
struct AlwaysAllowed;

impl CommitProof for AlwaysAllowed {}

impl CommitCheck for OverwritingCheck {
    fn check(&self) -> ApprovalFuture<'_> {
        Box::pin(async {
            if !self.done.swap(true, Ordering::Relaxed) {
                let mut request = PutRequest::default();
                request.meta.headers.content_type = Some("text/plain".into());
                let body = bytes(self.text.clone());
                self.other.put(B, "k", request, body).await?;
            }
            Ok(CommitApproval::by(AlwaysAllowed))
        })
    }

    fn run_beside(&self, work: Box<dyn FnOnce() + Send>) -> CheckFuture<'_> {
        work();
        Box::pin(async { Ok(()) })
    }
}

/// Rows: the size of the object, the number of its files.
#[test]
fn tags_are_set_on_what_another_process_has_just_stored() {
    for (size, files) in [(SIZE, 1), (10, 0)] {
        run(async {
            let bench = TestObjects::new().await;
            let text = vec![7; size];
            let putting = bench
                .objects
                .put(B, "k", PutRequest::default(), bytes(text.clone()));
            putting.await.unwrap();
            let check = OverwritingCheck {
                other: bench.open_over(Arc::clone(&bench.index) as _),
                text: text.clone(),
                done: AtomicBool::new(false),
            };
            let objects = bench.objects.checked_by(Arc::new(check));
            let tags = Tags::from([("a".to_owned(), "b".to_owned())]);
            objects.set_tags(B, "k", &tags).await.unwrap();
            assert_eq!(bench.files_collected().await, files);
            assert_eq!(get(&bench.objects).await, Some(text));
            let stored = objects.find(B, "k").await.unwrap().unwrap();
            assert_eq!(stored.meta.tags, tags);
            assert_eq!(
                stored.meta.headers.content_type.as_deref(),
                Some("text/plain")
            );
        });
    }
}

/// A write of the store that is lost, before or after it took effect.
type LostWrite = (ContractPart, usize, FaultMoment);

/// Uploads, overwrites, deletes and collects, whatever fails.
fn steps(objects: &Objects, bench: &TestObjects) -> impl Future<Output = ()> {
    let (objects, clock) = (objects.clone(), Arc::clone(&bench.clock));
    async move {
        let _ = put(&objects, 1).await;
        let _ = put(&objects, 2).await;
        clock.advance(DELETE_AGE_SECS);
        let _ = objects.collect_garbage().await;
        let _ = objects.delete(B, "k", &crate::WriteIf::Always).await;
        let _ = put(&objects, 3).await;
        clock.advance(DELETE_AGE_SECS);
        let _ = objects.collect_garbage().await;
    }
}

#[test]
fn after_a_failure_at_any_step_exactly_the_referenced_files_remain() {
    let parts = [ContractPart::Index, ContractPart::Blobs];
    let moments = [FaultMoment::Before, FaultMoment::After];
    let lost = parts.into_iter().flat_map(|part| {
        let each = move |nth| moments.map(|moment| (part, nth, moment));
        (1..=8).flat_map(each)
    });
    for lost in lost {
        run(fail_at(lost));
    }
}

async fn fail_at(lost: LostWrite) {
    let bench = TestObjects::new().await;
    let database = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&database.path().join("db")).unwrap();
    let faulty = Arc::new(FaultyStore::new(Arc::new(store)));
    let objects = bench.open_over(Arc::clone(&faulty) as _);
    let tags = Tags::new();
    let created = objects.create_bucket(B, owner(), "us-east-1", None, &tags);
    created.await.unwrap();
    let (part, nth, moment) = lost;
    faulty.fail_write(part, nth, moment);
    steps(&objects, &bench).await;
    // The process ends; another one starts, and everything that can expire does.
    drop(objects);
    let restarted = bench.open_over(Arc::clone(&faulty) as _);
    for _ in 0..10 {
        bench.clock.advance(RESERVATION_SECS + DELETE_AGE_SECS);
        // The planned failure may still be ahead.
        let _ = restarted.collect_garbage().await;
    }
    let stored = get(&restarted).await;
    assert_eq!(bench.files(), usize::from(stored.is_some()), "{lost:?}");
    let known = [None, Some(text(1)), Some(text(2)), Some(text(3))];
    assert!(known.contains(&stored), "{lost:?}");
}
