//! Last use, attempts and sessions.

use std::sync::Arc;

use super::{account, at, done, key};
use crate::contract::{
    ATTEMPT_ROWS_PER_KEY, IssuedSession, KeyAttempt, LastUse, SESSIONS_PER_KEY, SessionPage, Store,
};

pub(super) fn last_uses(store: Arc<dyn Store>) {
    let stored = || {
        let mut uses = store.last_uses().unwrap();
        uses.sort_by(|a, b| a.subject.cmp(&b.subject));
        uses
    };
    assert_eq!(stored(), []);
    done(store.record_last_uses(vec![used("a", 20, "iam"), used("b", 10, "s3")]));
    // Earlier, later, and an earlier one after a later one in the same call.
    done(store.record_last_uses(vec![
        used("a", 19, "s3"),
        used("b", 12, "sts"),
        used("b", 11, "s3"),
    ]));
    assert_eq!(stored(), [used("a", 20, "iam"), used("b", 12, "sts")]);
    done(store.forget(vec!["a".into(), "unknown".into()]));
    assert_eq!(stored(), [used("b", 12, "sts")]);
    done(store.record_last_uses(vec![used("a", 1, "s3")]));
    assert_eq!(stored(), [used("a", 1, "s3"), used("b", 12, "sts")]);
}

pub(super) fn attempts(store: Arc<dyn Store>) {
    assert_eq!(done(store.attempts(key(1))), (Vec::new(), 0));
    done(store.record_attempts(vec![
        attempt(1, "10.0.0.1", 5, 1),
        attempt(1, "10.0.0.2", 9, 2),
        attempt(1, "10.0.0.1", 7, 1),
        attempt(2, "10.0.0.1", 1, 1),
    ]));
    // Counts add up; the time is the latest one, not the one recorded last.
    done(store.record_attempts(vec![attempt(1, "10.0.0.1", 3, 4)]));
    let expected = vec![attempt(1, "10.0.0.2", 9, 2), attempt(1, "10.0.0.1", 7, 6)];
    assert_eq!(done(store.attempts(key(1))), (expected, 8));
    let by_action = KeyAttempt {
        action: "iam:ListUsers".into(),
        ..attempt(2, "10.0.0.1", 2, 1)
    };
    let by_agent = KeyAttempt {
        user_agent: "other".into(),
        ..attempt(2, "10.0.0.1", 3, 1)
    };
    done(store.record_attempts(vec![by_action.clone(), by_agent.clone()]));
    let expected = vec![by_agent, by_action, attempt(2, "10.0.0.1", 1, 1)];
    assert_eq!(done(store.attempts(key(2))), (expected, 3));
    // Attempts outlive their key.
    let before = done(store.attempts(key(1)));
    done(store.forget(vec![key(1).to_string()]));
    assert_eq!(done(store.attempts(key(1))), before);
    assert_eq!(done(store.attempts(key(2))).1, 3);
}

pub(super) fn attempt_rows_are_capped(store: Arc<dyn Store>) {
    let rows = i64::try_from(ATTEMPT_ROWS_PER_KEY).unwrap();
    // Out of order, so that the oldest is not the one recorded first.
    let recorded = (0..rows + 10)
        .rev()
        .map(|n| attempt(1, &format!("10.0.0.{n}"), n, 2));
    done(store.record_attempts(recorded.collect()));
    let expected: Vec<_> = (10..rows + 10)
        .rev()
        .map(|n| attempt(1, &format!("10.0.0.{n}"), n, 2))
        .collect();
    let total = u64::try_from(2 * (rows + 10)).unwrap();
    assert_eq!(done(store.attempts(key(1))), (expected, total));
}

pub(super) fn sessions(store: Arc<dyn Store>) {
    for session in [
        session(1, 10, 100),
        session(2, 10, 300),
        session(3, 10, 200),
    ] {
        assert!(done(store.record_session(session, None)));
    }
    assert!(done(store.record_session(session(4, 11, 250), None)));
    let alive = |now| done(store.sessions(page(10, now)));
    assert_eq!(
        alive(0),
        [
            session(2, 10, 300),
            session(3, 10, 200),
            session(1, 10, 100)
        ]
    );
    assert_eq!(alive(99).len(), 3);
    assert_eq!(alive(100), [session(2, 10, 300), session(3, 10, 200)]);
    assert_eq!(done(store.sessions(page(11, 0))), [session(4, 11, 250)]);
    assert_eq!(done(store.sessions(page(12, 0))), []);
    done(store.purge_sessions(at(200)));
    assert_eq!(alive(0), [session(2, 10, 300), session(3, 10, 200)]);
    done(store.purge_sessions(at(301)));
    assert_eq!(alive(0), []);
    assert_eq!(done(store.sessions(page(11, 0))), []);
    assert!(done(store.record_session(session(5, 10, 400), None)));
    assert!(done(store.record_session(session(5, 10, 500), None)));
    assert_eq!(alive(0), [session(5, 10, 500)]);
}

/// The first page of all sessions of a key.
fn page(source: u64, now: i64) -> SessionPage {
    SessionPage {
        source: key(source),
        now: at(now),
        after: None,
        limit: usize::MAX,
    }
}

/// Expired sessions make room; recording a session again needs none.
pub(super) fn sessions_of_a_key_are_capped(store: Arc<dyn Store>) {
    let most = u64::try_from(SESSIONS_PER_KEY).unwrap();
    let ends = |n: u64| i64::try_from(n / 2).unwrap() + 1;
    let queued: Vec<_> = (0..most)
        .map(|n| store.record_session(session(100 + n, 10, ends(n)), None))
        .collect();
    assert!(queued.into_iter().all(done));
    assert!(!done(store.record_session(session(1, 10, 9), None)));
    assert!(
        done(store.record_session(session(1, 11, 9), None)),
        "of another key"
    );
    assert!(
        done(store.record_session(session(100, 10, 1), None)),
        "again"
    );
    let late = IssuedSession {
        issued: at(1),
        ..session(2, 10, 90_000)
    };
    assert!(
        done(store.record_session(late, None)),
        "two ended when it is issued"
    );
    assert_eq!(
        done(store.sessions(page(10, 0))).len(),
        SESSIONS_PER_KEY + 1
    );
}

/// Whoever can use one action cannot take the room of another, nor that of sessions which have been
/// ended.
pub(super) fn sessions_of_an_action_and_ended_ones_take_no_room(store: Arc<dyn Store>) {
    let issued = |number, secs| IssuedSession {
        issued: at(secs),
        ..session(number, 10, 900)
    };
    let most = u64::try_from(SESSIONS_PER_KEY).unwrap();
    let fill: Vec<_> = (0..most)
        .map(|n| store.record_session(issued(100 + n, 5), None))
        .collect();
    assert!(fill.into_iter().all(done));
    let assumed = IssuedSession {
        action: "sts:AssumeRole".to_owned(),
        ..issued(1, 5)
    };
    assert!(done(store.record_session(assumed, None)), "another action");
    let later = issued(2, 7);
    let record = |ended| done(store.record_session(later.clone(), ended));
    assert!(!record(None));
    assert!(!record(Some(at(4))), "none of them");
    assert!(record(Some(at(5))));
    assert_eq!(done(store.sessions(page(10, 0))), [later]);
}

/// Sessions with the same expiry are distinguished by their keys.
pub(super) fn sessions_come_in_pages(store: Arc<dyn Store>) {
    for n in 0..10 {
        let expires = i64::try_from(n / 4).unwrap() + 1;
        assert!(done(store.record_session(session(n, 10, expires), None)));
    }
    let all = done(store.sessions(page(10, 0)));
    assert_eq!(all.len(), 10);
    for limit in 1..11 {
        let mut seen: Vec<IssuedSession> = Vec::new();
        loop {
            let after = seen.last().map(|last| (last.expires, last.key));
            let next = SessionPage {
                after,
                limit,
                ..page(10, 0)
            };
            let next = done(store.sessions(next));
            if next.is_empty() {
                break;
            }
            assert!(next.len() <= limit);
            seen.extend(next);
        }
        assert_eq!(seen, all, "{limit}");
    }
}

pub(super) fn reopened(store: &dyn Store, round: u64) {
    let rounds = usize::try_from(round).unwrap();
    assert_eq!(store.last_uses().unwrap().len(), rounds);
    assert_eq!(done(store.attempts(key(1))).1, round);
    assert_eq!(done(store.sessions(page(10, 0))).len(), rounds);
    done(store.record_last_uses(vec![used(&round.to_string(), 1, "s3")]));
    done(store.record_attempts(vec![attempt(1, "10.0.0.1", 1, 1)]));
    assert!(done(store.record_session(session(round, 10, 100), None)));
}

fn used(subject: &str, secs: i64, service: &str) -> LastUse {
    LastUse {
        subject: subject.into(),
        at: at(secs),
        service: service.into(),
        region: format!("region-{service}"),
    }
}

fn attempt(number: u64, source: &str, secs: i64, count: u64) -> KeyAttempt {
    KeyAttempt {
        key: key(number),
        source_address: source.into(),
        user_agent: "agent".into(),
        action: "s3:ListAllMyBuckets".into(),
        at: at(secs),
        count,
    }
}

fn session(number: u64, source: u64, expires: i64) -> IssuedSession {
    IssuedSession {
        key: key(number),
        source: key(source),
        principal: format!("arn:aws:iam::{}:user/é", account(1)),
        owner: Some(format!("owner-{source}")),
        action: "sts:GetSessionToken".into(),
        issued: at(0),
        expires: at(expires),
    }
}
