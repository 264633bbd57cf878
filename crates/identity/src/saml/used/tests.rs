//! Each assertion is used once, whatever time passes meanwhile.

use std::sync::atomic::{AtomicI64, Ordering};

use keywright_base::{AccountId, Clock, Timestamp, limits};

use super::UsedAssertions;
use crate::{
    fault::IamFault,
    saml::{assertion::VerifiedAssertion, rejection::AssertionRejection},
};

const START: Timestamp = Timestamp::from_secs(1_795_507_200);
const PROVIDER: &str = "arn:aws:iam::123456789012:saml-provider/idp";

fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

/// Milliseconds.
struct TestClock(AtomicI64);

impl TestClock {
    fn new() -> Self {
        Self(AtomicI64::new(START.millis()))
    }

    fn pass(&self, secs: i64) {
        self.0.fetch_add(secs * 1000, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Since long ago.
fn new_used() -> UsedAssertions {
    UsedAssertions::new(START.plus_secs(-3600))
}

fn assertion(id: &str, issued: Timestamp) -> VerifiedAssertion {
    VerifiedAssertion {
        id: id.to_owned(),
        issuer: String::new(),
        issued,
        subject: String::new(),
        subject_type: String::new(),
        recipient: String::new(),
        session_ends: None,
        attributes: Vec::new(),
    }
}

fn use_it(
    used: &UsedAssertions,
    (provider, id, issued): (&str, &str, Timestamp),
    clock: &TestClock,
) -> Result<(), Option<AssertionRejection>> {
    let assertion = assertion(id, issued);
    let outcome = used.use_once(account(), (provider, &assertion), clock);
    outcome.map_err(|fault| match fault {
        IamFault::Assertion(rejection) => Some(rejection),
        IamFault::Throttled => None,
        fault => panic!("{fault:?}"),
    })
}

fn count(used: &UsedAssertions) -> usize {
    let accounts = used.accounts.lock().unwrap();
    let all = accounts.values().map(|account| account.last_uses.len());
    all.sum()
}

#[test]
fn an_id_is_used_once_for_each_provider() {
    let (used, clock) = (new_used(), TestClock::new());
    let again = Err(Some(AssertionRejection::Used));
    let long = "i".repeat(70_000);
    for (provider, id, expected) in [
        (PROVIDER, "_1", Ok(())),
        (PROVIDER, "_1", again),
        (PROVIDER, "_2", Ok(())),
        (
            "arn:aws:iam::123456789012:saml-provider/other",
            "_1",
            Ok(()),
        ),
        (PROVIDER, long.as_str(), Ok(())),
        (PROVIDER, long.as_str(), again),
    ] {
        let outcome = use_it(&used, (provider, id, START), &clock);
        assert_eq!(outcome, expected, "{provider} {id}");
    }
    // Also with another date.
    let later = (PROVIDER, "_1", START.plus_secs(1));
    assert_eq!(use_it(&used, later, &clock), again);
}

/// A request may have been verified long before it comes here.
#[test]
fn what_has_expired_meanwhile_is_not_used_again() {
    let (used, clock) = (new_used(), TestClock::new());
    let expired = Err(Some(AssertionRejection::Expired));
    let first = (PROVIDER, "_1", START);
    assert_eq!(use_it(&used, first, &clock), Ok(()));
    clock.pass(limits::ASSERTION_SECS);
    assert_eq!(
        use_it(&used, first, &clock),
        Err(Some(AssertionRejection::Used))
    );
    assert_eq!(use_it(&used, (PROVIDER, "_2", START), &clock), Ok(()));
    clock.pass(1);
    for id in ["_1", "_3"] {
        assert_eq!(use_it(&used, (PROVIDER, id, START), &clock), expired);
    }
    // A clock that is set back by a minute makes nothing usable again.
    clock.pass(limits::ASSERTION_LEEWAY_SECS - 1);
    for id in ["_4", "_5", "_6", "_7"] {
        assert_eq!(use_it(&used, (PROVIDER, id, clock.now()), &clock), Ok(()));
    }
    clock.pass(-limits::ASSERTION_LEEWAY_SECS);
    let again = Err(Some(AssertionRejection::Used));
    assert_eq!(use_it(&used, first, &clock), again);
}

#[test]
fn expired_uses_are_forgotten_and_the_others_limited() {
    let (used, clock) = (new_used(), TestClock::new());
    let forgotten = limits::ASSERTION_SECS + limits::ASSERTION_LEEWAY_SECS + 1;
    for round in 0..5 {
        for number in 0..100 {
            let id = format!("_{round}.{number}");
            assert_eq!(use_it(&used, (PROVIDER, &id, clock.now()), &clock), Ok(()));
        }
        assert!(count(&used) <= 201, "{round}: {}", count(&used));
        clock.pass(forgotten);
    }
    let used = new_used();
    for number in 0..limits::USED_ASSERTIONS_PER_ACCOUNT {
        let id = format!("_{number}");
        assert_eq!(use_it(&used, (PROVIDER, &id, clock.now()), &clock), Ok(()));
    }
    let one_more = |clock: &TestClock| use_it(&used, (PROVIDER, "_more", clock.now()), clock);
    assert_eq!(one_more(&clock), Err(None));
    clock.pass(forgotten);
    assert_eq!(one_more(&clock), Ok(()));
    assert_eq!(count(&used), 1);
}
