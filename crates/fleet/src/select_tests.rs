//! Which users are due, by rules as people write them.

use keywright_base::Timestamp;

use super::{RotationNeed, SurveyTime, choose, like};
use crate::{CredentialRow, FleetConfig, KeyRow};

const DAY: i64 = 86_400;
/// A Tuesday, 10:39 UTC.
const NOW: i64 = 1_795_516_757;

fn row(user: &str, path: &str, ages: &[(i64, bool)]) -> CredentialRow {
    let key = |(days, active): &(i64, bool)| KeyRow {
        active: *active,
        created: Some(Timestamp::from_secs(NOW - days * DAY)),
        used: Some(Timestamp::from_secs(NOW - DAY)),
    };
    let mut keys = ages.iter().map(key);
    CredentialRow {
        user: user.to_owned(),
        arn: format!("arn:aws:iam::123456789012:user{path}{user}"),
        created: None,
        password: false,
        password_used: None,
        password_set: None,
        keys: [
            keys.next().unwrap_or_default(),
            keys.next().unwrap_or_default(),
        ],
    }
}

fn verdict(rules: &str, row: &CredentialRow, tags: Option<&[(String, String)]>) -> String {
    let config = format!("[[account]]\nname = 'a'\n{rules}");
    let config = FleetConfig::parse(&config).unwrap();
    let now = Timestamp::from_secs(NOW);
    let time = SurveyTime { report: now, now };
    match choose(&config.accounts[0], row, tags, time).verdict {
        RotationNeed::Due(_) => "due".to_owned(),
        RotationNeed::Later { at, .. } => format!("in {} days", (at.secs() - NOW) / DAY),
        RotationNeed::AskTags => "tags?".to_owned(),
        RotationNeed::Person(why) | RotationNeed::Nothing(why) => why,
    }
}

const ALL: &str = "[[account.rule]]\neveryone = true\ndeliver = ['dotenv:/x/{user}.env']\n";

#[test]
fn when_a_key_is_due() {
    let old = [(91, true)];
    for (words, ages, expected) in [
        ("", &old[..], "due"),
        ("", &[(80, true)], "in 10 days"),
        ("", &[], "it has no access key"),
        ("", &[(91, false)], "its key is inactive"),
        ("max_age = '30d'", &[(31, true)], "due"),
        ("used_within = '2h'", &old, "its key was not used recently"),
        ("window = { days = ['mon'] }", &old, "in 5 days"),
        ("window = { days = ['tue'] }", &old, "due"),
        (
            "window = { from = '11:00', to = '12:00' }",
            &old,
            "in 0 days",
        ),
        ("window = { from = '10:00', to = '11:00' }", &old, "due"),
    ] {
        let got = verdict(&format!("{ALL}{words}"), &row("bob", "/", ages), None);
        assert_eq!(got, expected, "{words} {ages:?}");
    }
    let two = verdict(ALL, &row("bob", "/", &[(91, true), (3, true)]), None);
    assert!(two.starts_with("it has two keys: one created 20"), "{two}");
}

#[test]
fn the_first_rule_that_fits_decides() {
    let not_root = "a fleet does not rotate the root user";
    for (selector, user, path, expected) in [
        ("users = ['a*', 'B*b']", "bob", "/", "due"),
        ("users = ['a*']", "bob", "/", "no rule matches"),
        ("path = '/service/'", "bob", "/", "no rule matches"),
        ("path = '/service/'", "bob", "/service/jobs/", "due"),
        ("tags = { team = 'storage' }", "bob", "/", "tags?"),
        ("everyone = true", "<root_account>", "/", not_root),
    ] {
        let rules = ALL.replace("everyone = true", selector);
        let got = verdict(&rules, &row(user, path, &[(91, true)]), None);
        assert_eq!(got, expected, "{selector} {user}");
    }
    let old = row("bob", "/", &[(91, true)]);
    let skipped = format!("[[account.rule]]\nusers = ['bob']\nskip = true\n{ALL}");
    assert_eq!(verdict(&skipped, &old, None), "a rule skips it");
    let tagged = ALL.replace("everyone = true", "tags = { team = 'sto*' }");
    let tags = [("team".to_owned(), "storage".to_owned())];
    assert_eq!(verdict(&tagged, &old, Some(&tags)), "due");
    // Tag values are case-sensitive in AWS, user names are not.
    let other = [("team".to_owned(), "Storage".to_owned())];
    assert_eq!(verdict(&tagged, &old, Some(&other)), "no rule matches");
    let named = ALL.replace("everyone = true", "users = ['BO*']");
    assert_eq!(verdict(&named, &old, None), "due");
    assert_eq!(verdict(&tagged, &old, Some(&[])), "no rule matches");
}

#[test]
fn jitter_spreads_and_stays() {
    let rules =
        "[[account.rule]]\neveryone = true\njitter = '60d'\ndeliver = ['dotenv:/x/{user}']\n";
    let when = |user: &str| verdict(rules, &row(user, "/", &[(0, true)]), None);
    let days: std::collections::BTreeSet<_> = (0..50).map(|n| when(&format!("u{n}"))).collect();
    assert!(days.len() > 20, "{days:?}");
    assert_eq!(when("u1"), when("u1"));
}

#[test]
fn patterns() {
    for (pattern, text, expected) in [
        ("bob", "BOB", false),
        ("bob", "bobby", false),
        ("*", "", true),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "acb", false),
        ("a*a", "a", false),
    ] {
        assert_eq!(like(pattern, text), expected, "{pattern} {text}");
    }
}

/// A report is up to four hours old. It does not apply to a key that has just replaced another, and
/// windows count the hours since then.
#[test]
fn a_report_is_older_than_now() {
    let window = format!("{ALL}max_age = '0s'\nwindow = {{ from = '08:00', to = '11:00' }}");
    let config = FleetConfig::parse(&format!("[[account]]\nname = 'a'\n{window}")).unwrap();
    let verdict = |row: &CredentialRow, report: i64, now: i64| {
        let time = SurveyTime {
            report: Timestamp::from_secs(report),
            now: Timestamp::from_secs(now),
        };
        choose(&config.accounts[0], row, None, time).verdict
    };
    let old = row("bob", "/", &[(1, true)]);
    assert!(matches!(verdict(&old, NOW, NOW), RotationNeed::Due(_)));
    let RotationNeed::Later { why, .. } = verdict(&old, NOW, NOW + 3600) else {
        panic!("the window is over by now, whatever it was when the report was made");
    };
    assert!(
        why.ends_with("waiting for the window 08:00-11:00 UTC"),
        "{why}"
    );
    let new = row("bob", "/", &[(0, true)]);
    let RotationNeed::Later { why, .. } = verdict(&new, NOW - 3600, NOW) else {
        panic!("a key that is newer than the report has just replaced another");
    };
    assert_eq!(why, "its key is new");
}

#[test]
fn nothing_is_due_in_a_freeze() {
    let frozen = |freeze: &str| {
        let config = format!("{freeze}\n[[account]]\nname = 'a'\n{ALL}");
        let config = FleetConfig::parse(&config).unwrap();
        let now = Timestamp::from_secs(NOW);
        let time = SurveyTime { report: now, now };
        let row = row("bob", "/", &[(91, true)]);
        choose(&config.accounts[0], &row, None, time).verdict
    };
    let verdict = frozen("[[freeze]]\nfrom = 2026-11-20\nto = 2026-11-25\nwhy = 'Black Friday'");
    let RotationNeed::Later { at, why, .. } = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(at.iso8601(), "2026-11-26T00:00:00Z");
    assert!(
        why.ends_with("waiting for the end of the freeze (Black Friday)"),
        "{why}"
    );
    let over = frozen("[[freeze]]\nfrom = 2026-11-20\nto = 2026-11-23");
    assert!(matches!(over, RotationNeed::Due(_)), "{over:?}");
}
