//! A request does not commit anything after its caller's key or permission was revoked, whatever
//! the operation.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{Answer, Ask, Front, S3Authorizer, S3Context, S3Denial, S3Resource, WireError, ask};

/// What is revoked after the access check has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Revoked {
    Nothing,
    Key,
    Permission,
    /// Not before the operation was run.
    PermissionAtCommit,
}

/// Passes the first access check, then applies the revocation.
struct Revoking {
    revoked: Revoked,
    /// How often the caller is checked before the revocation: again when a document was read, and
    /// when something is to be committed.
    checks_left: AtomicUsize,
}

impl S3Authorizer for Revoking {
    decides_shortly!();

    fn check_caller(&self) -> Result<(), Box<WireError>> {
        let less = |left: usize| Some(left.saturating_sub(1));
        let _ = self
            .checks_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        if self.revoked != Revoked::Key {
            return Ok(());
        }
        Err(Box::new(WireError::new(403, "InvalidAccessKeyId", "gone")))
    }

    fn check(&self, action: &str, _: &S3Resource<'_>, _: &S3Context) -> Result<(), S3Denial> {
        let permission = matches!(
            self.revoked,
            Revoked::Permission | Revoked::PermissionAtCommit
        );
        if permission && self.checks_left.load(Ordering::SeqCst) == 0 {
            let message = format!("no {action}");
            return Err(S3Denial { message });
        }
        Ok(())
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
    async fn while_revoking(&self, revoked: Revoked, ask: Ask) -> Answer {
        let is_document = ask.line.starts_with("POST") || ask.line.contains('?');
        let is_read_first =
            is_document && !ask.chunks.is_empty() && !ask.line.contains("partNumber");
        let at_commit = revoked == Revoked::PermissionAtCommit && is_read_first;
        let caller = super::S3Caller {
            account: Some("111122223333".parse().unwrap()),
            identity: None,
            version2: false,
            region: Some("us-east-1".into()),
            authorize: Arc::new(Revoking {
                revoked,
                checks_left: AtomicUsize::new(if at_commit { 2 } else { 1 }),
            }),
            trailers: None,
        };
        self.send(super::request(ask), caller).await
    }

    /// Everything that the writes below could change.
    async fn state(&self, upload: &str) -> Vec<String> {
        let mut state = Vec::new();
        let parts = format!("GET /bench/up?uploadId={upload}");
        for line in [
            "GET /",
            "GET /bench",
            "GET /bench?uploads",
            "GET /bench?policy",
            "GET /bench?tagging",
            "GET /bench?publicAccessBlock",
            "GET /bench/old?tagging",
            "GET /bench/old",
            parts.leak(),
        ] {
            let answer = self.root(ask(line)).await;
            state.push(format!("{line} {} {}", answer.status, answer.text));
        }
        state
    }
}

/// Every operation that writes.
fn writes(upload: &str, etag: &str) -> Vec<Ask> {
    let line = |text: String| -> &'static str { text.leak() };
    let completion = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
         </CompleteMultipartUpload>"
    );
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*",
        "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bench/*"}]}"#;
    let block = "<PublicAccessBlockConfiguration><BlockPublicPolicy>true</BlockPublicPolicy>\
        </PublicAccessBlockConfiguration>";
    let deletion = "<Delete><Object><Key>old</Key></Object></Delete>";
    let part = |number: u8| {
        line(format!(
            "PUT /bench/up?partNumber={number}&uploadId={upload}"
        ))
    };
    let source = ("x-amz-copy-source", "bench/old");
    vec![
        ask("PUT /bench/new").body("small"),
        ask("PUT /bench/new").body(vec![b'x'; 40_000]),
        ask("PUT /bench/new").with(source.0, source.1),
        ask("DELETE /bench/old"),
        ask("POST /bench?delete").document(deletion),
        ask("POST /bench/more?uploads"),
        ask(part(2)).body("part"),
        ask(part(2)).with(source.0, source.1),
        ask(line(format!("POST /bench/up?uploadId={upload}"))).body(completion),
        ask(line(format!("DELETE /bench/up?uploadId={upload}"))),
        ask("PUT /bench/old?tagging").body(tags),
        ask("DELETE /bench/old?tagging"),
        ask("PUT /bench?policy").body(policy),
        ask("DELETE /bench?policy"),
        ask("PUT /bench?tagging").body(tags),
        ask("DELETE /bench?tagging"),
        ask("PUT /bench?publicAccessBlock").body(block),
        ask("DELETE /bench?publicAccessBlock"),
        ask("DELETE /empty"),
        ask("PUT /another"),
    ]
}

/// A bucket with everything that can be overwritten or deleted.
async fn furnished() -> (Front, String, String) {
    let front = Front::new().await;
    assert_eq!(front.root(ask("PUT /empty")).await.status, 200);
    let old = ask("PUT /bench/old").with("x-amz-tagging", "a=old");
    assert_eq!(front.root(old.body("old")).await.status, 200);
    let upload = front.root(ask("POST /bench/up?uploads")).await;
    let upload = upload.element("UploadId").to_owned();
    let line = format!("PUT /bench/up?partNumber=1&uploadId={upload}").leak();
    let part = front.root(ask(line).body("part")).await;
    let etag = part.header("etag").to_owned();
    (front, upload, etag)
}

#[tokio::test]
async fn nothing_is_committed_that_is_revoked_by_then() {
    let (front, upload, etag) = furnished().await;
    let before = front.state(&upload).await;
    for (revoked, code) in [
        (Revoked::Key, "InvalidAccessKeyId"),
        (Revoked::Permission, "AccessDenied"),
        (Revoked::PermissionAtCommit, "AccessDenied"),
    ] {
        for request in writes(&upload, &etag) {
            let line = request.line;
            let answer = front.while_revoking(revoked, request).await;
            // DeleteObjects reports the denial per key, unless nothing is deleted because of it.
            let per_key = line == "POST /bench?delete" && revoked == Revoked::Permission;
            let refused = answer.status == 403 || per_key;
            assert!(refused && answer.text.contains(code), "{line} {answer:?}");
            assert_eq!(front.state(&upload).await, before, "{line} {revoked:?}");
        }
    }
}

/// Control for the test above: without a revocation, each of these requests writes.
#[tokio::test]
async fn what_is_not_revoked_is_committed() {
    for at in 0..20 {
        let (front, upload, etag) = furnished().await;
        let request = writes(&upload, &etag).remove(at);
        let line = request.line;
        let answer = front.while_revoking(Revoked::Nothing, request).await;
        assert!((200..300).contains(&answer.status), "{line} {answer:?}");
    }
}
