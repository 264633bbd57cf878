//! Versions, records, ordering and shared commits.

use std::{sync::Arc, thread};

use keywright_base::AccountId;

use super::{account, done, wait};
use crate::contract::{CommitLineage, LedgerCommit, RecordWrite, StateRecord, Store, StoreError};

pub(super) fn versions(store: Arc<dyn Store>) {
    assert_eq!(store.accounts().unwrap(), []);
    let (low, high) = (account(7), account(999_999_999_999));
    assert_eq!(done(store.commit(put(high, 0, "a", "1"))), 1);
    assert_eq!(done(store.commit(put(low, 0, "a", "1"))), 1);
    assert_eq!(done(store.commit(put(high, 1, "a", "2"))), 2);
    for (account, base, actual) in [
        (high, 0, 2),
        (high, 1, 2),
        (high, 3, 2),
        (high, u64::MAX, 2),
        (account(8), 1, 0),
    ] {
        let refused = wait(store.commit(put(account, base, "a", "lost"))).unwrap_err();
        let expected = (account, base, actual);
        assert!(
            matches!(refused, StoreError::Conflict { account, base, actual }
                if (account, base, actual) == expected),
            "{refused:?} instead of {expected:?}"
        );
    }
    assert_eq!(store.accounts().unwrap(), [(low, 1), (high, 2)]);
    assert_eq!(contents(&*store, high), [("a".into(), "2".into())]);
    assert_eq!(contents(&*store, account(8)), []);
}

pub(super) fn records(store: Arc<dyn Store>) {
    let (mine, other) = (account(1), account(2));
    done(store.commit(put(other, 0, "x", "kept")));
    let writes = vec![
        write("a", "first"),
        write("a", "second"),
        write("gone", "soon"),
        delete("gone"),
        delete("never there"),
        write("\u{10ffff}é'\"%_", "odd id"),
        write("", "empty id"),
        write("empty body", ""),
    ];
    assert_eq!(
        done(store.commit(LedgerCommit {
            account: mine,
            base: 0,
            lineage: None,
            lease: None,
            writes
        })),
        1
    );
    let mut expected = vec![
        ("".into(), "empty id".into()),
        ("a".into(), "second".into()),
        ("empty body".into(), String::new()),
        ("\u{10ffff}é'\"%_".into(), "odd id".into()),
    ];
    expected.sort();
    assert_eq!(contents(&*store, mine), expected);
    // The kind is part of the key, and an empty commit still makes a version.
    let elsewhere = RecordWrite::Delete {
        kind: "group".into(),
        id: "a".into(),
    };
    done(store.commit(LedgerCommit {
        account: mine,
        base: 1,
        lineage: None,
        lease: None,
        writes: vec![elsewhere],
    }));
    assert_eq!(
        done(store.commit(LedgerCommit {
            account: mine,
            base: 2,
            lineage: None,
            lease: None,
            writes: Vec::new()
        })),
        3
    );
    assert_eq!(contents(&*store, mine), expected);
    assert_eq!(contents(&*store, other), [("x".into(), "kept".into())]);
}

pub(super) fn order_of_calls(store: Arc<dyn Store>) {
    let mine = account(1);
    let queued: Vec<_> = (0..300)
        .map(|base| store.commit(put(mine, base, "a", &base.to_string())))
        .collect();
    for (pending, version) in queued.into_iter().rev().zip((1..=300).rev()) {
        assert_eq!(done(pending), version);
    }
    assert_eq!(contents(&*store, mine), [("a".into(), "299".into())]);
}

pub(super) fn a_refused_commit_fails_alone(store: Arc<dyn Store>) {
    let mine = account(1);
    let queued: Vec<_> = [0, 1, 1, 2, 9, 3]
        .into_iter()
        .map(|base| {
            (
                base,
                store.commit(put(mine, base, &format!("r{base}"), "x")),
            )
        })
        .collect();
    let results: Vec<_> = queued
        .into_iter()
        .map(|(_, pending)| wait(pending).ok())
        .collect();
    assert_eq!(results, [Some(1), Some(2), None, Some(3), None, Some(4)]);
    let ids: Vec<_> = contents(&*store, mine)
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(ids, ["r0", "r1", "r2", "r3"]);
}

pub(super) fn a_dropped_future_is_not_a_cancelled_commit(store: Arc<dyn Store>) {
    drop(store.commit(put(account(1), 0, "a", "1")));
    assert_eq!(done(store.commit(put(account(1), 1, "a", "2"))), 2);
}

/// Eight threads race from the same base, round after round.
pub(super) fn one_of_many_wins(store: Arc<dyn Store>) {
    let mine = account(1);
    for base in 0..10 {
        let wins: usize = thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|racer| {
                    let store = &store;
                    let id = format!("{base}-{racer}");
                    scope.spawn(move || wait(store.commit(put(mine, base, &id, "x"))).is_ok())
                })
                .collect();
            racers
                .into_iter()
                .map(|racer| usize::from(racer.join().unwrap()))
                .sum()
        });
        assert_eq!(wins, 1, "from base {base}");
    }
    assert_eq!(store.accounts().unwrap(), [(mine, 10)]);
    assert_eq!(contents(&*store, mine).len(), 10);
}

/// Eight threads share flushes; each reads its own writes as soon as they are acknowledged.
pub(super) fn an_acknowledged_commit_is_visible(store: Arc<dyn Store>) {
    thread::scope(|scope| {
        for number in 1..=8 {
            let (store, mine) = (&store, account(number));
            scope.spawn(move || {
                for base in 0..10 {
                    let text = base.to_string();
                    assert_eq!(done(store.commit(put(mine, base, "a", &text))), base + 1);
                    assert_eq!(contents(&**store, mine), [("a".into(), text)]);
                }
            });
        }
    });
    let expected: Vec<_> = (1..=8).map(|number| (account(number), 10)).collect();
    assert_eq!(store.accounts().unwrap(), expected);
}

/// Every commit has a greater sequence number than those before it, and an account is listed once,
/// at its last commit.
pub(super) fn changes(store: Arc<dyn Store>) {
    let since = |sequence| done(store.changes_since(sequence));
    let mut watch = store.watch();
    let start = since(0);
    assert_eq!((start.sequence, start.accounts), (0, Vec::new()));
    assert_eq!(*watch.borrow_and_update(), 0);
    let (one, two) = (account(1), account(2));
    done(store.commit(put(one, 0, "a", "1")));
    let first = since(0);
    assert_eq!(first.accounts, [(one, 1)]);
    assert_eq!(*watch.borrow_and_update(), first.sequence);
    done(store.commit(put(two, 0, "a", "1")));
    done(store.commit(put(one, 1, "a", "2")));
    let second = since(first.sequence);
    assert_eq!(second.accounts, [(two, 1), (one, 2)]);
    assert_eq!(since(0), second);
    assert_eq!(*watch.borrow_and_update(), second.sequence);
    // A rejected commit is no change.
    assert!(wait(store.commit(put(one, 1, "a", "3"))).is_err());
    let none = since(second.sequence);
    assert_eq!(
        (none.sequence, none.accounts),
        (second.sequence, Vec::new())
    );
    assert!(!watch.has_changed().unwrap());
    assert_eq!(since(u64::MAX).accounts, []);
}

/// A commit whose base was replaced by another writer's version of the same number.
pub(super) fn lineages(store: Arc<dyn Store>) {
    let mine = account(1);
    let commit = |base, from: u8, to: u8| LedgerCommit {
        lineage: Some(CommitLineage {
            base: [from; 16],
            new: [to; 16],
        }),
        ..put(mine, base, &format!("{from}-{to}"), "x")
    };
    done(store.commit(commit(0, 0, 1)));
    let queued = [
        commit(1, 1, 2),
        commit(1, 1, 3),
        commit(2, 3, 4),
        commit(2, 2, 5),
    ];
    let queued = queued.map(|commit| store.commit(commit));
    let [first, second, third, fourth] = queued.map(wait);
    assert_eq!((first.unwrap(), fourth.unwrap()), (2, 3));
    for refused in [second, third] {
        assert!(matches!(refused, Err(StoreError::Conflict { .. })));
    }
    let stored = store.load(mine, &mut |_| {}).unwrap();
    assert_eq!((stored.number, stored.tag), (3, [5; 16]));
    assert_eq!(contents(&*store, mine).len(), 3);
    // Without a lineage the number decides, and the new version has no tag.
    done(store.commit(put(mine, 3, "a", "x")));
    assert_eq!(store.load(mine, &mut |_| {}).unwrap().tag, [0; 16]);
    done(store.commit(commit(4, 0, 6)));
}

pub(super) fn reopened(store: &dyn Store, round: u64) {
    let mine = account(1);
    let known: Vec<_> = (round > 0).then_some((mine, round)).into_iter().collect();
    assert_eq!(store.accounts().unwrap(), known.clone());
    assert_eq!(contents(store, mine).len(), usize::try_from(round).unwrap());
    let changes = done(store.changes_since(0));
    assert_eq!(changes.accounts, known);
    assert_eq!(*store.watch().borrow(), changes.sequence);
    done(store.commit(put(mine, round, &round.to_string(), "x")));
}

fn put(account: AccountId, base: u64, id: &str, body: &str) -> LedgerCommit {
    LedgerCommit {
        account,
        base,
        lineage: None,
        lease: None,
        writes: vec![write(id, body)],
    }
}

fn write(id: &str, body: &str) -> RecordWrite {
    RecordWrite::Put(StateRecord {
        kind: "user".into(),
        id: id.into(),
        body: body.into(),
    })
}

fn delete(id: &str) -> RecordWrite {
    RecordWrite::Delete {
        kind: "user".into(),
        id: id.into(),
    }
}

/// The ids and bodies of an account's records, ordered by id.
fn contents(store: &dyn Store, account: AccountId) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let version = store
        .load(account, &mut |record| {
            assert_eq!(record.kind, "user");
            found.push((record.id, String::from_utf8(record.body).unwrap()));
        })
        .unwrap();
    let accounts = store.accounts().unwrap().into_iter();
    let listed = accounts.filter(|(id, _)| *id == account);
    let listed = listed.map(|(_, version)| version).max();
    assert_eq!(listed.unwrap_or(0), version.number);
    found.sort();
    found
}
