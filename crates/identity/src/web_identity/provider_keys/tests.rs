//! When keys are fetched, and when not.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use keywright_base::{AccountId, Clock, Timestamp, limits};
use serde_json::json;

use super::{KeyLookup, ProviderKeys};
use crate::{
    IamFault,
    state::OpenIdProvider,
    web_identity::{
        DocumentFault, TokenRejection,
        testing::{ISSUER, TestDocuments, TestTokenKey},
    },
};

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::SeqCst))
    }
}

struct KeysBench {
    clock: Arc<TestClock>,
    keys: Arc<ProviderKeys>,
    documents: Arc<TestDocuments>,
}

fn bench() -> KeysBench {
    let clock = Arc::new(TestClock(AtomicI64::new(1_800_000_000)));
    let keys = ProviderKeys::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let documents = Arc::new(TestDocuments::of(&[TestTokenKey::new("EdDSA").public("k")]));
    keys.set_source(Arc::clone(&documents) as _);
    KeysBench {
        clock,
        keys: Arc::new(keys),
        documents,
    }
}

fn provider(name: &str, thumbprints: &[&str]) -> OpenIdProvider {
    OpenIdProvider {
        name: name.to_owned(),
        created: Timestamp::from_secs(0),
        client_ids: Vec::new(),
        thumbprints: thumbprints.iter().map(|&it| it.to_owned()).collect(),
        tags: Vec::new(),
    }
}

fn own() -> OpenIdProvider {
    provider(ISSUER.strip_prefix("https://").unwrap(), &[])
}

fn account() -> AccountId {
    crate::testing::ACCOUNT.parse().unwrap()
}

impl KeysBench {
    fn pass(&self, secs: i64) {
        self.clock.0.fetch_add(secs, Ordering::SeqCst);
    }

    async fn find(&self, key_id: &str) -> Result<bool, IamFault> {
        self.find_of(&own(), key_id).await
    }

    /// Whether the key was found.
    async fn find_of(&self, provider: &OpenIdProvider, key_id: &str) -> Result<bool, IamFault> {
        let lookup = KeyLookup {
            account: account(),
            provider,
            key_id: Some(key_id),
        };
        let keys = self.keys.find(lookup).await?;
        Ok(keys.has(Some(key_id)))
    }
}

fn rejected(rejection: TokenRejection) -> Result<bool, IamFault> {
    Err(IamFault::WebIdentity(rejection))
}

#[tokio::test]
async fn keys_are_fetched_when_they_have_expired() {
    let bench = bench();
    for _ in 0..3 {
        assert_eq!(bench.find("k").await, Ok(true));
    }
    assert_eq!(bench.documents.count(), 1);
    bench.pass(limits::PROVIDER_KEYS_SECS - 1);
    assert_eq!(bench.find("k").await, Ok(true));
    assert_eq!(bench.documents.count(), 1);
    bench.pass(1);
    assert_eq!(bench.find("k").await, Ok(true));
    assert_eq!(bench.documents.count(), 2);
    // A key that the provider no longer publishes is not used any longer.
    bench.documents.publish(&[]);
    bench.pass(limits::PROVIDER_KEYS_SECS);
    assert_eq!(bench.find("k").await, Ok(false));
}

#[tokio::test]
async fn an_unknown_key_causes_one_fetch_a_minute() {
    let bench = bench();
    assert_eq!(bench.find("k").await, Ok(true));
    for number in 0..50 {
        assert_eq!(bench.find(&format!("unknown{number}")).await, Ok(false));
    }
    assert_eq!(bench.documents.count(), 1);
    bench.pass(limits::PROVIDER_REFRESH_SECS);
    let new = TestTokenKey::new("EdDSA").public("new");
    bench.documents.publish(&[new]);
    assert_eq!(bench.find("new").await, Ok(true));
    assert_eq!(bench.find("unknown").await, Ok(false));
    assert_eq!(bench.documents.count(), 2);
}

#[tokio::test]
async fn failures_are_repeated_after_waits_that_double() {
    let bench = bench();
    bench.documents.answer_with(Err(DocumentFault::Unreachable));
    let mut fetched = 0;
    for wait in [5, 10, 20, 40, 80, 160, 300, 300] {
        fetched += 1;
        assert_eq!(bench.find("k").await, rejected(TokenRejection::Unreachable));
        assert_eq!(bench.documents.count(), fetched, "the wait was over");
        bench.pass(wait - 1);
        assert_eq!(bench.find("k").await, rejected(TokenRejection::Unreachable));
        assert_eq!(bench.documents.count(), fetched, "{wait}");
        bench.pass(1);
    }
    bench
        .documents
        .publish(&[TestTokenKey::new("EdDSA").public("k")]);
    assert_eq!(bench.find("k").await, Ok(true));
}

#[tokio::test]
async fn a_failure_does_not_take_keys_that_are_valid() {
    let bench = bench();
    assert_eq!(bench.find("k").await, Ok(true));
    bench.documents.answer_with(Err(DocumentFault::Unreachable));
    bench.pass(limits::PROVIDER_REFRESH_SECS);
    assert_eq!(bench.find("unknown").await, Ok(false));
    assert_eq!(bench.documents.count(), 2);
    assert_eq!(bench.find("k").await, Ok(true));
    bench.pass(limits::PROVIDER_KEYS_SECS);
    assert_eq!(bench.find("k").await, rejected(TokenRejection::Unreachable));
}

#[tokio::test]
async fn faults_have_their_texts() {
    for (answer, expected) in [
        (Err(DocumentFault::Unreachable), TokenRejection::Unreachable),
        (Err(DocumentFault::Certificate), TokenRejection::Certificate),
        (Err(DocumentFault::Unusable), TokenRejection::NoKey),
        (Ok(b"<html>".to_vec()), TokenRejection::NoKey),
        (
            Ok(json!({"keys": 7}).to_string().into_bytes()),
            TokenRejection::NoKey,
        ),
    ] {
        let bench = bench();
        bench.documents.answer_with(answer);
        assert_eq!(bench.find("k").await, rejected(expected));
    }
}

#[tokio::test]
async fn other_thumbprints_begin_again() {
    let bench = bench();
    bench.documents.answer_with(Err(DocumentFault::Certificate));
    assert_eq!(bench.find("k").await, rejected(TokenRejection::Certificate));
    bench
        .documents
        .publish(&[TestTokenKey::new("EdDSA").public("k")]);
    let changed = provider(&own().name, &["0123456789012345678901234567890123456789"]);
    assert_eq!(bench.find_of(&changed, "k").await, Ok(true));
    let last = bench.documents.last.lock().unwrap().clone().unwrap();
    assert_eq!(
        (last.issuer.as_str(), last.thumbprints),
        (ISSUER, changed.thumbprints)
    );
}

/// Lets every task go on until it waits. They all run on this thread.
async fn let_others_run() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// One fetch for everyone who waits, which goes on when they all leave.
#[tokio::test]
async fn one_fetch_runs_and_survives_its_clients() {
    let bench = Arc::new(bench());
    bench.documents.gate.forget_permits(1000);
    let waiting = |number: usize| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.find(&format!("k{number}")).await })
    };
    let first: Vec<_> = (0..20).map(waiting).collect();
    let begun = bench.documents.begun.acquire().await;
    begun.unwrap().forget();
    for client in &first {
        client.abort();
    }
    let_others_run().await;
    let second: Vec<_> = (0..20).map(waiting).collect();
    let_others_run().await;
    assert_eq!(bench.documents.count(), 1);
    bench.documents.gate.add_permits(1);
    for client in second {
        assert_eq!(client.await.unwrap(), Ok(false));
    }
    assert_eq!(bench.documents.count(), 1);
}

#[tokio::test]
async fn an_account_has_few_fetches_at_a_time() {
    let bench = Arc::new(bench());
    bench.documents.gate.forget_permits(1000);
    let find = |number: usize| {
        let bench = Arc::clone(&bench);
        async move {
            let provider = provider(&format!("idp{number}.example.com"), &[]);
            bench.find_of(&provider, "k").await
        }
    };
    let most = limits::PROVIDER_FETCHES_PER_ACCOUNT;
    let waiting: Vec<_> = (0..most).map(|number| tokio::spawn(find(number))).collect();
    let all = u32::try_from(most).unwrap();
    let begun = bench.documents.begun.acquire_many(all).await;
    begun.unwrap().forget();
    assert_eq!(find(most).await, Err(IamFault::Throttled));
    bench.documents.gate.add_permits(most + 1);
    for client in waiting {
        assert_eq!(client.await.unwrap(), Ok(true));
    }
    assert_eq!(find(most).await, Ok(true));
}
