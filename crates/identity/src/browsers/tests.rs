//! What a known-browser cookie allows, and for how long.

use std::net::Ipv4Addr;

use keywright_base::{Secret, limits};

use super::BROWSER_SECS;
use crate::{
    sign_in::SignInRequest,
    testing::{ACCOUNT, TestInstallation},
};

const PASSWORD: &str = "Correct-horse-7";

/// Users with console access.
fn bench(users: &[String]) -> TestInstallation {
    let bench = TestInstallation::new();
    for name in users {
        bench.user(name, &[]);
        let form = format!("Action=CreateLoginProfile&UserName={name}&Password={PASSWORD}");
        bench.root(&form).ok();
    }
    bench
}

/// The cookie of a browser after a sign-in.
fn signed_in(bench: &TestInstallation, user: &str, before: Option<&str>) -> String {
    let claim = SignInRequest {
        account: ACCOUNT.parse().ok(),
        user: Some(user),
        password: Secret::new(PASSWORD.to_owned()),
        code: None,
        source: Ipv4Addr::LOCALHOST.into(),
        browser: None,
    };
    let identity = bench.identity();
    let cookie = bench.block_on(identity.sign_in(claim)).unwrap();
    let note = identity.remember_browser(before, cookie.expose());
    note.unwrap().expose().clone()
}

fn is_known(bench: &TestInstallation, note: &str, user: Option<&str>) -> bool {
    let account = ACCOUNT.parse().unwrap();
    bench
        .identity()
        .known_browser(note, account, user)
        .is_some()
}

#[test]
fn a_note_is_good_for_its_user_for_half_a_year_and_over_restarts() {
    let mut bench = bench(&["ann".to_owned(), "bob".to_owned()]);
    let note = signed_in(&bench, "ann", None);
    bench.reopen();
    for (user, expected) in [
        (Some("ann"), true),
        (Some("ANN"), true),
        (Some("bob"), false),
        (Some("eve"), false),
        (None, false),
    ] {
        assert_eq!(is_known(&bench, &note, user), expected, "{user:?}");
    }
    bench.pass(BROWSER_SECS - 1);
    assert!(is_known(&bench, &note, Some("ann")));
    bench.pass(1);
    assert!(!is_known(&bench, &note, Some("ann")));
}

/// A browser known by password alone gets no MFA attempts of its own.
#[test]
fn a_note_lapses_with_the_password_and_the_mfa_devices() {
    let bench = bench(&["ann".to_owned(), "bob".to_owned()]);
    let note = signed_in(&bench, "ann", None);
    let both = signed_in(&bench, "bob", Some(&note));
    let claim = SignInRequest {
        account: ACCOUNT.parse().ok(),
        user: Some("ann"),
        password: Secret::new(PASSWORD.to_owned()),
        code: None,
        source: Ipv4Addr::LOCALHOST.into(),
        browser: None,
    };
    let session = bench.block_on(bench.identity().sign_in(claim)).unwrap();
    let device = bench.device("phone");
    bench.root(&device.enable(&bench, "ann", [-1, 0])).ok();
    for (note, user, expected) in [
        (&note, "ann", false),
        (&both, "ann", false),
        (&both, "bob", true),
    ] {
        assert_eq!(is_known(&bench, note, Some(user)), expected, "{user}");
    }
    let again = bench.identity().remember_browser(None, session.expose());
    assert!(again.is_none());
    let form = "Action=UpdateLoginProfile&UserName=bob&Password=Battery-staple-8";
    bench.root(form).ok();
    assert!(!is_known(&bench, &both, Some("bob")));
}

#[test]
fn a_note_cannot_be_made_up_or_changed() {
    let bench = bench(&["ann".to_owned()]);
    let note = signed_in(&bench, "ann", None);
    for at in [0, 7, note.len() / 2, note.len() - 1] {
        let mut bytes = note.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'Q' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(!is_known(&bench, &changed, Some("ann")), "{at}");
    }
    let cut: String = note.chars().skip(1).collect();
    for made_up in ["", "AAAA", "=", &cut, &format!("{note}A")] {
        assert!(!is_known(&bench, made_up, Some("ann")), "{made_up}");
    }
    assert!(is_known(&bench, &note, Some("ann")));
}

#[test]
fn a_note_is_bounded_and_the_oldest_user_is_forgotten() {
    let users: Vec<_> = (0..=limits::USERS_PER_BROWSER)
        .map(|n| format!("user-{n}"))
        .collect();
    let bench = bench(&users);
    let mut note: Option<String> = None;
    for user in &users {
        note = Some(signed_in(&bench, user, note.as_deref()));
    }
    let note = note.unwrap();
    assert!(note.len() <= limits::BROWSER_COOKIE_BYTES, "{}", note.len());
    let known = users
        .iter()
        .filter(|user| is_known(&bench, &note, Some(user)));
    assert_eq!(known.count(), limits::USERS_PER_BROWSER);
    assert!(!is_known(&bench, &note, Some("user-0")));
    let long = "A".repeat(limits::BROWSER_COOKIE_BYTES + 1);
    assert!(!is_known(&bench, &long, Some("user-1")));
}
