//! Expensive decisions run outside the threads that answer requests, and nothing else does.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use keywright_base::limits;

use super::{Answer, Ask, Front, S3Authorizer, S3Context, S3Denial, S3Resource, WireError, ask};
use crate::{CallerBusy, CpuWork, WorkFuture};

/// Decides cheaply up to a number of questions, and allows the rest outside the request threads.
struct Slow {
    shortly: usize,
    requested: AtomicUsize,
    busy: bool,
    beside: AtomicBool,
    works: AtomicUsize,
}

impl Slow {
    fn new(shortly: usize, busy: bool) -> Arc<Self> {
        Arc::new(Self {
            shortly,
            requested: AtomicUsize::new(0),
            busy,
            beside: AtomicBool::new(false),
            works: AtomicUsize::new(0),
        })
    }
}

impl S3Authorizer for Slow {
    fn check_caller(&self) -> Result<(), Box<WireError>> {
        Ok(())
    }

    fn check(&self, _: &str, _: &S3Resource<'_>, _: &S3Context) -> Result<(), S3Denial> {
        assert!(
            self.beside.load(Ordering::SeqCst),
            "decided where others wait"
        );
        Ok(())
    }

    fn check_shortly(
        &self,
        _: &str,
        _: &S3Resource<'_>,
        _: &S3Context,
    ) -> Option<Result<(), S3Denial>> {
        let before = self.requested.fetch_add(1, Ordering::SeqCst);
        (before < self.shortly).then_some(Ok(()))
    }

    fn account_state(&self) -> Option<Arc<dyn std::any::Any + Send + Sync>> {
        None
    }

    fn organizations_version(&self) -> u64 {
        0
    }

    fn run_beside(&self, work: CpuWork) -> WorkFuture<'_> {
        Box::pin(async move {
            if self.busy {
                return Err(CallerBusy);
            }
            self.works.fetch_add(1, Ordering::SeqCst);
            self.beside.store(true, Ordering::SeqCst);
            tokio::task::spawn_blocking(work).await.unwrap();
            self.beside.store(false, Ordering::SeqCst);
            Ok(())
        })
    }

    fn refuse(&self, _: &str, _: &S3Resource<'_>, why: &str) -> S3Denial {
        let message = why.to_owned();
        S3Denial { message }
    }

    fn principal_to_stored_id(&self, principal: &str) -> Option<String> {
        Some(principal.to_owned())
    }

    fn stored_id_to_arn(&self, _: &str) -> Option<String> {
        None
    }
}

impl Front {
    async fn with(&self, authorize: &Arc<Slow>, ask: Ask) -> Answer {
        let caller = super::S3Caller {
            account: Some("111122223333".parse().unwrap()),
            identity: None,
            version2: false,
            region: Some("us-east-1".into()),
            authorize: Arc::clone(authorize) as _,
            trailers: None,
        };
        self.send(super::request(ask), caller).await
    }
}

#[tokio::test]
async fn a_long_decision_is_made_beside_the_request() {
    let front = Front::new().await;
    let quick = Slow::new(usize::MAX, false);
    assert_eq!(
        front
            .with(&quick, ask("PUT /bench/k").body("x"))
            .await
            .status,
        200
    );
    assert_eq!(quick.works.load(Ordering::SeqCst), 0);
    for line in ["GET /bench/k", "HEAD /bench", "GET /", "DELETE /bench/k"] {
        let slow = Slow::new(0, false);
        let answer = front.with(&slow, ask(line)).await;
        assert!(answer.status < 300, "{line} {answer:?}");
        assert!(slow.works.load(Ordering::SeqCst) >= 1, "{line}");
        let busy = front.with(&Slow::new(0, true), ask(line)).await;
        assert_eq!(busy.status, 503, "{line}");
    }
}

#[tokio::test]
async fn of_many_deletions_the_long_rest_is_decided_together() {
    let front = Front::new().await;
    let entries = (0..900).map(|n| format!("<Object><Key>{n:x}</Key></Object>"));
    let body = format!("<Delete>{}</Delete>", entries.collect::<String>());
    assert!(body.len() <= limits::S3_XML_BYTES_SHORTLY);
    for (shortly, works) in [(usize::MAX, 0), (10, 1), (0, 1)] {
        let slow = Slow::new(shortly, false);
        let request = ask("POST /bench?delete").document(body.clone());
        let answer = front.with(&slow, request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.text.matches("<Deleted>").count(), 900);
        assert_eq!(slow.works.load(Ordering::SeqCst), works);
    }
}

#[tokio::test]
async fn a_large_document_is_parsed_beside_the_request() {
    let front = Front::new().await;
    let entry = "<Object><Key>k</Key></Object>";
    let space = " ".repeat(limits::S3_XML_BYTES_SHORTLY);
    for (body, works) in [
        (format!("<Delete>{entry}</Delete>"), 0),
        (format!("<Delete>{entry}{space}</Delete>"), 1),
    ] {
        let request = || ask("POST /bench?delete").document(body.clone());
        let quick = Slow::new(usize::MAX, false);
        let answer = front.with(&quick, request()).await;
        assert_eq!(
            (answer.status, answer.element("Key")),
            (200, "k"),
            "{answer:?}"
        );
        assert_eq!(quick.works.load(Ordering::SeqCst), works);
        let busy = front.with(&Slow::new(usize::MAX, true), request()).await;
        assert_eq!(busy.status, if works == 0 { 200 } else { 503 });
    }
}

#[tokio::test]
async fn many_parts_are_put_together_beside_the_request() {
    let front = Front::new().await;
    let most = limits::S3_PARTS_SHORTLY;
    let quick = Slow::new(usize::MAX, false);
    for (parts, works) in [(most, 0), (most + 1, 1)] {
        let begun = front.with(&quick, ask("POST /bench/many?uploads")).await;
        let id = begun.element("UploadId").to_owned();
        let mut last = String::new();
        for number in 1..=parts {
            let line = format!("PUT /bench/many?partNumber={number}&uploadId={id}");
            let put = front.with(&quick, ask(line.leak()).body("x")).await;
            last = put.header("etag").to_owned();
        }
        // All parts but the last would have to be large.
        let named = format!("<Part><PartNumber>{parts}</PartNumber><ETag>{last}</ETag></Part>");
        let body = format!("<CompleteMultipartUpload>{named}</CompleteMultipartUpload>");
        let line: &str = format!("POST /bench/many?uploadId={id}").leak();
        let complete = || ask(line).body(body.clone());
        if works > 0 {
            let busy = front.with(&Slow::new(usize::MAX, true), complete()).await;
            assert_eq!(busy.status, 503);
        }
        let slow = Slow::new(usize::MAX, false);
        let completed = front.with(&slow, complete()).await;
        assert_eq!(completed.status, 200, "{completed:?}");
        assert_eq!(slow.works.load(Ordering::SeqCst), works, "{parts} parts");
        // A repeated completion returns the object that the first one created.
        assert_eq!(front.with(&quick, complete()).await.status, 200);
        assert_eq!(front.with(&quick, ask("GET /bench/many")).await.text, "x");
    }
}
