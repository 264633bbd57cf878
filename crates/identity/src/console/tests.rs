//! The duration and number of sessions.

use keywright_base::{AccountId, Timestamp, limits};

use super::{ConsoleSession, ConsoleSessions, IDLE_SECS, SESSION_SECS, SessionId};
use crate::{
    state::{Account, LoginProfile, RootUser, StateChange},
    testing::TestEntropy,
};

fn session(account: u64, used: i64) -> ConsoleSession {
    ConsoleSession {
        account: AccountId::new(account).unwrap(),
        user: None,
        password: "hash".to_owned(),
        must_change: false,
        mfa: false,
        began: Timestamp::from_secs(used),
        used: Timestamp::from_secs(used),
    }
}

fn account(number: u64, hash: &str) -> Account {
    let at = Timestamp::from_secs(0);
    let login = LoginProfile {
        created: at,
        changed: at,
        reset_required: false,
        hash: hash.to_owned(),
        earlier: Vec::new(),
    };
    let root = RootUser {
        created: at,
        keys: Vec::new(),
        login: Some(login),
    };
    let empty = Account::empty(AccountId::new(number).unwrap(), at);
    empty.apply(&[StateChange::put(root)])
}

#[test]
fn a_session_is_found_while_it_lasts_and_its_password_is_the_same() {
    let other = account(1, "other");
    let mine = account(1, "hash");
    let foreign = account(2, "hash");
    for (used, now, account, expected) in [
        (0, 0, &mine, true),
        (0, IDLE_SECS - 1, &mine, true),
        (0, IDLE_SECS, &mine, false),
        (SESSION_SECS - 10, SESSION_SECS - 1, &mine, true),
        (SESSION_SECS - 10, SESSION_SECS, &mine, false),
        (0, 0, &other, false),
        (0, 0, &foreign, false),
    ] {
        let sessions = ConsoleSessions::default();
        let cookie = sessions.begin(session(1, 0), &TestEntropy::default());
        let id = SessionId::of(cookie.expose());
        sessions.touch(id, Timestamp::from_secs(used));
        let found = sessions.find(id, account, Timestamp::from_secs(now));
        assert_eq!(found.is_some(), expected, "{used} {now}");
    }
}

#[test]
fn there_is_a_limit_for_each_and_for_all() {
    let (sessions, seed) = (ConsoleSessions::default(), TestEntropy::default());
    let begin = |number: u64, used: i64| {
        let cookie = sessions.begin(session(number, used), &seed);
        SessionId::of(cookie.expose())
    };
    let first = begin(1, 0);
    let second = begin(1, 1);
    for used in 2..=i64::try_from(limits::CONSOLE_SESSIONS_EACH).unwrap() {
        begin(1, used);
    }
    let now = Timestamp::from_secs(limits::CONSOLE_SESSIONS_EACH as i64);
    assert_eq!(sessions.all().len(), limits::CONSOLE_SESSIONS_EACH);
    assert_eq!(sessions.account(first, now), None);
    assert!(sessions.account(second, now).is_some());
    for number in 0..limits::CONSOLE_SESSIONS as u64 {
        begin(number + 2, 100);
    }
    assert_eq!(sessions.all().len(), limits::CONSOLE_SESSIONS);
    assert_eq!(sessions.account(second, now), None);
}

#[test]
fn ids_survive_a_token_and_nothing_else_does() {
    let id = SessionId::of("cookie");
    assert_eq!(SessionId::from_text(&id.to_text()), Some(id));
    for text in ["", "cookie", "AAAA", &format!("{}A", id.to_text())] {
        assert_eq!(SessionId::from_text(text), None, "{text}");
    }
}
