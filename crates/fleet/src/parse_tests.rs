//! Rejected fleet files: the message, its position and the hint.

use super::{
    ACCOUNTS_MAX, AT_ONCE_MAX, FREEZES_MAX, NOTIFIERS_MAX, REMINDERS_MAX, RULES_MAX, TAG_CHARS,
};
use crate::{ConfigErrors, FleetConfig};

/// The problems of a file, one per line.
fn problems(text: &str) -> Vec<String> {
    let errors = FleetConfig::parse(text).err();
    let found = errors.iter().flat_map(ConfigErrors::problems);
    let lines = found.map(|problem| {
        let hint = problem.hint.as_deref().unwrap_or("");
        format!("{} {} | {hint}", problem.at, problem.message)
    });
    lines.collect()
}

const RULE: &str = "[[account]]\nname = 'a'\n[[account.rule]]\n";
const USER: &str = "users = ['bob']\ndeliver = ['dotenv:/x']\n";

#[test]
fn everything_is_reported_together_with_its_position() {
    let file = "\
at_once = 0
notify = ['pager:me', 'webhook:ftp://x']
freez = 1

[[freeze]]
from = 2026-12-20
to = 2026-12-01
zone = 'Europe/Berlim'

[[account]]
name = 'a'
id = '123'
access = { profil = 'x' }

[[account.rule]]
everyone = true
deliver = ['dotenv:/x/{username}.env', 'aws-profile:default']
window = { from = '25:00', days = ['monday'] }
max_agee = '1d'
dwell = '7 days'
";
    assert_eq!(
        problems(file),
        [
            "1:11 this is 0, but must be between 1 and 100 | ",
            "2:11 this is not a valid notifier: a notifier starts with one of command, webhook, \
             slack, teams, smtp, smtps, sns, followed by a colon | ",
            "2:23 this is not a valid notifier: webhook: a secret goes out only by https, or to \
             this machine | ",
            "3:1 the file has no key freez | did you mean freeze?",
            "5:1 the freeze ends before it starts | swap from and to",
            "8:8 unknown time zone Europe/Berlim | use an IANA name, for example Europe/Berlin",
            "12:6 an account ID must have 12 digits | ",
            "13:12 access has no key profil | did you mean profile?",
            "17:12 {username} is not a placeholder | did you mean {user}?",
            "17:40 \"aws-profile:default\" is the same for all users of this rule, so each new key \
             would replace another user's | include {user} in its name, or write one rule per user",
            "18:19 from is not a time of day | use a time such as \"08:30\"",
            "18:36 unknown day \"monday\" | mon, tue, wed, thu, fri, sat, sun",
            "19:1 [[account.rule]] has no key max_agee | did you mean max_age?",
            "20:9 dwell is \"7 days\"; expected a number and a unit, such as 90s, 15m, 24h or 7d | \
             ",
        ]
    );
}

#[test]
fn a_place_in_the_file_counts_characters() {
    let file = format!("# Größe\n{RULE}users = ['bob'] # Ä\ndeliver = ['dotenv:/ä', 'x']");
    let found = problems(&file);
    assert!(
        found[0]
            .starts_with("6:25 \"x\" is not a valid destination | x is not of the form KIND:PLACE"),
        "{found:?}"
    );
}

#[test]
fn broken_syntax_is_reported_alone() {
    let found = problems("[[account]]\nname = 'a\nfoo = bar\n");
    assert!(found.len() == 2, "{found:?}");
    assert!(
        found[0].starts_with("2:") && found[1].starts_with("3:"),
        "{found:?}"
    );
    assert!(
        !found.iter().any(|text| text.contains("has no key")),
        "{found:?}"
    );
}

#[test]
fn selectors_and_destinations() {
    for (words, expected) in [
        (
            "deliver = ['dotenv:/x']",
            "3:1 this rule selects no user | use either everyone = true",
        ),
        ("users = []\nskip = true", "3:1 this rule selects no user"),
        (
            "everyone = true\npath = '/a/'\nskip = true",
            "4:1 everyone = true cannot be combined with users, path or tags",
        ),
        (
            "users = ['bob']",
            "3:1 this rule has no destination | specify where the new keys go",
        ),
        (
            "users = ['bob']\ndeliver = []",
            "5:1 this rule has no destination",
        ),
        (
            "users = ['b/b']\nskip = true",
            "4:10 \"b/b\" is not a valid user name",
        ),
        (
            "users = 'bob'\nskip = true",
            "4:9 users must be a list of strings | write users = [",
        ),
        (
            "path = 'x'\nskip = true",
            "4:8 the path \"x\" must begin and end with a slash | path = \"/x/\"",
        ),
        (
            "tags = { a = 1 }\nskip = true",
            "4:10 the tag a must be a string",
        ),
        ("tags = {}\nskip = true", "4:8 tags is empty"),
        (
            "users = ['bob']\ndeliver = ['what:x']",
            "5:12 \"what:x\" is not a valid destination | what:x is not",
        ),
        (
            "users = ['bob']\ndeliver = ['person']",
            "5:12 person is a destination only in a server's",
        ),
        (
            "users = ['bob']\ndeliver = ['dotenv:/{usr}']",
            "5:12 {usr} is not a placeholder | did you mean {user}?",
        ),
    ] {
        let found = problems(&format!("{RULE}{words}"));
        let is_reported = found.len() == 1 && found[0].starts_with(expected);
        assert!(is_reported, "{words}: {found:?}");
    }
}

#[test]
fn destinations_of_several_users() {
    for (words, expected) in [
        // Every selector that can match more than one user.
        (
            "users = ['b*']\ndeliver = ['csv:/x']",
            "5:12 \"csv:/x\" is the same for all users",
        ),
        (
            "users = ['a', 'b']\ndeliver = ['csv:/x']",
            "5:12 \"csv:/x\" is the same for all users",
        ),
        (
            "path = '/a/'\ndeliver = ['csv:/x']",
            "5:12 \"csv:/x\" is the same for all users",
        ),
        (
            "tags = { a = 'b' }\ndeliver = ['csv:/x']",
            "5:12 \"csv:/x\" is the same for all users",
        ),
        (
            "users = ['bob']\ndeliver = ['csv:/x', 'csv:/x']",
            "5:22 line 5 already delivers to \"csv:/x\"",
        ),
        (
            "users = ['bob']\ndeliver = 'csv:/x'",
            "5:11 deliver must be a list of strings",
        ),
        (
            "users = ['bob']\nskip = 1",
            "5:8 skip must be true or false",
        ),
        (
            "users = ['bob']\nskip = true\nmax_age = '1'",
            "6:11 max_age is \"1\"; expected a number",
        ),
        (
            "users = ['bob']\nskip = true\njitter = '91d'",
            "6:10 the jitter is longer than max_age",
        ),
        (
            "users = ['bob']\nskip = true\noverride_unused = ' '",
            "6:19 override_unused must give a reason",
        ),
        (
            "users = ['bob']\nskip = true\nwindow = 1",
            "6:10 window must be a table | write window = {",
        ),
    ] {
        let found = problems(&format!("{RULE}{words}"));
        assert!(
            found.len() == 1 && found[0].starts_with(expected),
            "{words}: {found:?}"
        );
    }
    for words in [
        "users = ['bob']\ndeliver = ['csv:/x']",
        "everyone = true\ndeliver = ['csv:/x/{user}', 'webhook:https://x/{account}?u={user}']",
        // Braces that belong to the shell.
        "users = ['bob']\ndeliver = [\"command:sh -c 'awk {print} ${HOME}/{user}'\"]",
    ] {
        let words = words.replace("awk {print} ", "");
        assert_eq!(problems(&format!("{RULE}{words}")), [""; 0], "{words}");
    }
}

#[test]
fn windows_that_are_none() {
    for (window, expected) in [
        (
            "{ from = '09:00', to = '09:00' }",
            "6:10 the window ends when it starts",
        ),
        ("{ from = '24:00' }", "6:10 the window ends when it starts"),
        ("{ from = '9:00' }", "6:19 from is not a time of day"),
        ("{ from = '09:60' }", "6:19 from is not a time of day"),
        ("{ to = 24 }", "6:17 to is not a time of day"),
        ("{ to = '24:01' }", "6:17 to is not a time of day"),
        (
            "{ from_hour = 9 }",
            "6:12 window has no key from_hour | did you mean from?",
        ),
        ("{ zone = 'CET+1' }", "6:19 unknown time zone CET+1"),
    ] {
        let found = problems(&format!(
            "{RULE}users = ['bob']\nskip = true\nwindow = {window}"
        ));
        assert!(
            found.len() == 1 && found[0].starts_with(expected),
            "{window}: {found:?}"
        );
    }
    let good = "{ from = 22:30:00, to = '24:00', days = ['sat'], zone = 'America/New_York' }";
    let file = format!("{RULE}{USER}deactivation_window = {good}");
    assert_eq!(problems(&file), [""; 0]);
}

#[test]
fn rules_that_never_apply() {
    let file = |first: &str, second: &str| {
        let rule = |words| format!("[[account.rule]]\n{words}\nskip = true\n");
        format!("[[account]]\nname = 'a'\n{}{}", rule(first), rule(second))
    };
    for (first, second, shadowed) in [
        ("everyone = true", "users = ['bob']", true),
        ("users = ['*']", "path = '/a/'", true),
        ("users = ['B*']", "users = ['bob', 'b*b']", true),
        ("users = ['b*']", "users = ['bob', 'alice']", false),
        ("users = ['bob']", "users = ['b*']", false),
        ("path = '/a/'", "path = '/a/b/'", true),
        ("path = '/a/b/'", "path = '/a/'", false),
        ("path = '/a/'", "users = ['bob']", false),
        ("path = '/'", "users = ['bob']", true),
        ("tags = { a = '*' }", "tags = { a = 'x', b = 'y' }", true),
        ("tags = { a = 'x', b = 'y' }", "tags = { a = 'x' }", false),
        (
            "users = ['b*']\ntags = { a = 'x' }",
            "users = ['bob']",
            false,
        ),
    ] {
        let found = problems(&file(first, second));
        let expected = "6:1 this rule never applies: the rule on line 3 comes first";
        let is_reported = found.iter().any(|text| text.starts_with(expected));
        let lines = first.lines().count() == 1;
        assert!(
            !lines || (is_reported == shadowed && found.len() <= 1),
            "{first} {second}: {found:?}"
        );
    }
}

#[test]
fn accounts_have_names_and_ids_of_their_own() {
    let account = |name: &str, id: &str, user: &str| {
        format!("[[account]]\nname = '{name}'\nid = '{id}'\n[[account.rule]]\nusers = ['{user}']\n")
    };
    let first = account("a", "111111111111", "bob") + "deliver = ['dotenv:/x']\n";
    let found = problems(&(first.clone() + &account("a", "111111111111", "eve") + "skip = true\n"));
    assert_eq!(
        found,
        [
            "8:8 the account on line 2 also has this name | ",
            "9:6 the account on line 3 also has this ID | put all rules of an account under one \
             [[account]]",
        ]
    );
    let other = account("b", "222222222222", "eve");
    let found = problems(&(first.clone() + &other + "deliver = ['dotenv:/x']\n"));
    let expected = "12:12 line 6 already delivers to \"dotenv:/x\"";
    assert!(
        found.len() == 1 && found[0].starts_with(expected),
        "{found:?}"
    );
    let filled = "deliver = ['dotenv:/x/{account}']\n";
    let found = problems(&(account("a", "111111111111", "bob") + filled + &other + filled));
    assert_eq!(found, [""; 0]);
}

#[test]
fn what_is_missing() {
    for (file, expected) in [
        ("", "1:1 there is no [[account]]"),
        ("account = []", "1:1 there is no [[account]]"),
        (
            "account = 1",
            "1:11 account must be a list of tables | write [[account]] above each",
        ),
        ("[[account]]\nname = 'a'", "1:1 this account has no rule"),
        (
            "[[account]]\nname = 'a'\nrule = []",
            "3:1 this account has no rule",
        ),
        ("[[freeze]]\nto = 2026-01-01", "1:1 the freeze has no from"),
    ] {
        let found = problems(file);
        assert!(
            found.iter().any(|text| text.starts_with(expected)),
            "{file}: {found:?}"
        );
    }
}

#[test]
fn notifiers_and_reminders() {
    for (words, expected) in [
        (
            "notify = ['slack:https://x/T0B0']",
            "1:11 this is not a valid notifier: slack:",
        ),
        ("notify = 'slack:env:X'", "1:10 notify must be a list"),
        ("remind = ['0s']", "1:11 a reminder must come before"),
        ("remind = ['soon']", "1:11 expected a number and a unit"),
        ("owner_tag = ''", "1:13 a tag key must have 1 to 128"),
        (
            "digest = 'hour'",
            "1:10 digest must be \"round\" or \"day\"",
        ),
    ] {
        let found = problems(&format!("{words}\n{RULE}{USER}"));
        let is_reported = found.len() == 1 && found[0].starts_with(expected);
        assert!(is_reported, "{words}: {found:?}");
        assert!(!found[0].contains("T0B0"), "{found:?}");
    }
}

#[test]
fn limits() {
    let rule = |number: usize| format!("[[account.rule]]\nusers = ['u{number}']\nskip = true\n");
    let rules = |count| (0..count).map(rule).collect::<String>();
    let account = |count| format!("[[account]]\nname = 'a'\n{}", rules(count));
    let freeze = "[[freeze]]\nfrom = 2026-01-01\nto = 2026-01-02\n";
    let accounts = |count: usize| {
        let each = (0..count).map(|n| format!("[[account]]\nname = 'a{n}'\n{}", rule(0)));
        each.collect::<String>()
    };
    let at_once = |count| format!("at_once = {count}\n{}", account(1));
    let listed = |key: &str, text: &str, count: usize| {
        let all = format!("'{text}',").repeat(count);
        format!("{key} = [{all}]\n{}", account(1))
    };
    let tag = |chars: usize| format!("owner_tag = '{}'\n{}", "ä".repeat(chars), account(1));
    for (at_limit, above, expected) in [
        (
            account(RULES_MAX),
            account(RULES_MAX + 1),
            "up to 500 rules",
        ),
        (
            accounts(ACCOUNTS_MAX),
            accounts(ACCOUNTS_MAX + 1),
            "up to 1000 accounts",
        ),
        (
            freeze.repeat(FREEZES_MAX) + &account(1),
            freeze.repeat(FREEZES_MAX + 1) + &account(1),
            "up to 100 freezes",
        ),
        (
            at_once(AT_ONCE_MAX),
            at_once(AT_ONCE_MAX + 1),
            "must be between 1 and 100",
        ),
        (
            listed("notify", "slack:env:X", NOTIFIERS_MAX),
            listed("notify", "slack:env:X", NOTIFIERS_MAX + 1),
            "up to 20 notifiers",
        ),
        (
            listed("remind", "1d", REMINDERS_MAX),
            listed("remind", "1d", REMINDERS_MAX + 1),
            "up to 10 reminders",
        ),
        (tag(TAG_CHARS), tag(TAG_CHARS + 1), "1 to 128 characters"),
    ] {
        assert_eq!(problems(&at_limit), [""; 0]);
        let found = problems(&above);
        assert!(found[0].contains(expected), "{found:?}");
    }
    // The list of problems is limited.
    let many = format!(
        "{}{}",
        account(1),
        "x = 1\n".replace('x', "[[account.rule]]\ny")
    );
    let errors = FleetConfig::parse(&many.repeat(60))
        .unwrap_err()
        .of_file("fleet.toml");
    assert!(
        errors.contains("\nand ") && errors.ends_with(" more"),
        "{errors}"
    );
}
