//! Which attempts delay which others, for how long, and for how many devices attempts are
//! remembered.

use keywright_base::{AccessKeyId, AccountId, Timestamp, limits};

use super::{CodeOrigin, DeviceAssignment, MfaAttempts};
use crate::testing::TestEntropy;

const SERIAL: &str = "arn:aws:iam::123456789012:mfa/phone";
const HOUR: i64 = 60 * 60;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(limits::MFA_WINDOW_SECS * 1000 + secs)
}

fn device(serial: &str) -> DeviceAssignment {
    DeviceAssignment::new(serial, at(-100))
}

fn keys() -> [AccessKeyId; 3] {
    let account: AccountId = "123456789012".parse().unwrap();
    let entropy = TestEntropy::default();
    [(); 3].map(|()| AccessKeyId::generate(account, &entropy))
}

#[test]
fn the_console_counts_by_device_browser_and_window() {
    let attempts = MfaAttempts::default();
    let begin = |serial: &str, browser, secs| {
        attempts.begin(
            device(serial),
            CodeOrigin::Console(browser),
            |_| true,
            at(secs),
        )
    };
    for n in 0..limits::MFA_ATTEMPTS {
        assert!(begin(SERIAL, None, i64::from(n)), "{n}");
    }
    for (serial, browser, secs, room) in [
        (SERIAL, None, 100, false),
        ("arn:aws:iam::123456789012:mfa/PHONE", None, 100, false),
        ("arn:aws:iam::123456789012:mfa/other", None, 100, true),
        (SERIAL, Some([1; 16]), 100, true),
        (SERIAL, None, limits::MFA_WINDOW_SECS - 1, false),
        (SERIAL, None, limits::MFA_WINDOW_SECS, true),
    ] {
        assert_eq!(begin(serial, browser, secs), room, "{serial} {secs}");
    }
}

/// Making many browsers known allows no more guesses, and known browsers that guess do not use up
/// the attempts of unknown ones.
#[test]
fn all_known_browsers_of_a_device_share_an_hour() {
    let attempts = MfaAttempts::default();
    let known = |n: u8| CodeOrigin::Console(Some([n; 16]));
    let begin = |origin, secs| attempts.begin(device(SERIAL), origin, |_| true, at(secs));
    let in_window = |secs| {
        let tried = (0..200).filter(|n| begin(known(*n), secs));
        u32::try_from(tried.count()).unwrap()
    };
    // A correct code is not a guess.
    for n in 0..20 {
        assert!(begin(known(n), 0));
        attempts.succeeded(&device(SERIAL), known(n));
    }
    let all = limits::MFA_ATTEMPTS_KNOWN + limits::MFA_ATTEMPTS;
    assert_eq!(in_window(1), all);
    assert!(!begin(CodeOrigin::Console(None), 1));
    assert_eq!(in_window(limits::MFA_WINDOW_SECS), limits::MFA_ATTEMPTS);
    assert_eq!(in_window(HOUR), all);
    // Unknown browsers do not use up the attempts of known ones.
    for _ in 0..20 {
        begin(CodeOrigin::Console(None), 2 * HOUR);
    }
    assert!(begin(known(1), 2 * HOUR));
}

#[test]
fn the_wait_of_an_access_key_doubles_up_to_hours_until_a_right_code() {
    let attempts = MfaAttempts::default();
    let origin = CodeOrigin::Api(Some(keys()[0]));
    let begin = |secs| attempts.begin(device(SERIAL), origin, |_| true, at(secs));
    for _ in 0..limits::MFA_ATTEMPTS {
        assert!(begin(0));
    }
    let mut now = 0;
    for minutes in [3, 6, 12, 24, 48, 96, 192, 384, 480, 480, 480] {
        // Attempts in between do not prolong it.
        assert!(!begin(now));
        assert!(!begin(now + minutes * 60 - 1), "{minutes}");
        now += minutes * 60;
        assert!(begin(now), "{minutes}");
    }
    attempts.succeeded(&device(SERIAL), origin);
    for _ in 0..limits::MFA_ATTEMPTS {
        assert!(begin(now));
    }
    assert!(!begin(now));
    assert!(begin(now + limits::MFA_MEMORY_SECS));
    assert!(begin(now + limits::MFA_MEMORY_SECS));
}

#[test]
fn who_fails_makes_only_themselves_wait() {
    let attempts = MfaAttempts::default();
    let [leaked, other, _] = keys().map(|key| CodeOrigin::Api(Some(key)));
    let begin = |device, origin| attempts.begin(device, origin, |_| true, at(0));
    while begin(device(SERIAL), leaked) {}
    let again = DeviceAssignment::new(SERIAL, at(-10));
    for (place, origin, room) in [
        (device(SERIAL), leaked, false),
        (device(SERIAL), other, true),
        (device(SERIAL), CodeOrigin::Api(None), true),
        (device(SERIAL), CodeOrigin::Console(None), true),
        (device(SERIAL), CodeOrigin::Console(Some([1; 16])), true),
        (again, leaked, true),
    ] {
        let text = format!("{place:?} {origin:?}");
        assert_eq!(begin(place, origin), room, "{text}");
    }
}

#[test]
fn a_new_key_takes_over_the_attempts_of_a_deleted_one() {
    let attempts = MfaAttempts::default();
    let [first, second, third] = keys();
    let begin = |key, exists: &dyn Fn(AccessKeyId) -> bool, secs| {
        let origin = CodeOrigin::Api(Some(key));
        attempts.begin(device(SERIAL), origin, exists, at(secs))
    };
    while begin(first, &|_| true, 0) {}
    assert!(!begin(second, &|key| key != first, 0));
    assert!(begin(third, &|key| key != first, 0));
    assert!(begin(second, &|key| key != first, HOUR));
}

#[test]
fn the_memory_is_bounded() {
    let attempts = MfaAttempts::default();
    let origin = CodeOrigin::Api(None);
    for n in 0..=limits::MFA_DEVICES_REMEMBERED {
        let secs = i64::try_from(n).unwrap();
        assert!(attempts.begin(device(&n.to_string()), origin, |_| true, at(secs)));
    }
    let devices = attempts.api.lock().unwrap();
    assert_eq!(devices.len(), limits::MFA_DEVICES_REMEMBERED);
    assert!(!devices.contains_key(&device("0")));
}
