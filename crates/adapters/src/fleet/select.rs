//! Who is due: a pure decision from a rule, a row of the report, and the time.
//!
//! It protects one rule: for every user there is a verdict with its reason, so that nobody is
//! passed over in silence.

use keywright_base::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    config::{Account, Day, Rule, Window},
    credentials::{CredentialRow, KeyRow},
};

/// A user and what is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The name.
    pub user: String,
    /// The rule's place in the account, from 0; nothing where none fits.
    pub rule: Option<usize>,
    /// What is to be done.
    pub verdict: Verdict,
}

/// What is to be done about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its key is rotated.
    Due(Due),
    /// Its key is young enough.
    Later {
        /// When it is due.
        at: Timestamp,
    },
    /// Its tags must be read before anything can be said.
    AskTags,
    /// A person must look first.
    Person(String),
    /// Nothing.
    Nothing(String),
}

/// A key that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// When the key was created: it is found by this in a listing, which has whole seconds too.
    pub created: Timestamp,
    /// Since when it is due.
    pub since: Timestamp,
    /// When that was known.
    pub report: Timestamp,
}

/// What a rule needs to know of a user beside the report.
type Tags<'a> = Option<&'a [(String, String)]>;

/// Decides about a user by the first rule that fits.
pub fn choose(account: &Account, row: &CredentialRow, tags: Tags<'_>, now: Timestamp) -> Choice {
    let user = row.user.clone();
    let choice = |rule, verdict| Choice {
        user: user.clone(),
        rule,
        verdict,
    };
    if row.is_root() {
        let why = "the root user is not rotated by a fleet".to_owned();
        return choice(None, Verdict::Nothing(why));
    }
    for (number, rule) in account.rules.iter().enumerate() {
        match fits(rule, row, tags) {
            Fit::No => {}
            Fit::AskTags => return choice(Some(number), Verdict::AskTags),
            Fit::Yes => return choice(Some(number), by_rule(rule, row, now)),
        }
    }
    choice(None, Verdict::Nothing("no rule fits".to_owned()))
}

enum Fit {
    Yes,
    No,
    AskTags,
}

fn fits(rule: &Rule, row: &CredentialRow, tags: Tags<'_>) -> Fit {
    let name = row.user.to_ascii_lowercase();
    let named = |pattern: &String| like(&pattern.to_ascii_lowercase(), &name);
    let named = rule.users.is_empty() || rule.users.iter().any(named);
    let below = rule
        .path
        .as_deref()
        .is_none_or(|path| row.path().starts_with(path));
    if !named || !below {
        return Fit::No;
    }
    if rule.tags.is_empty() {
        return Fit::Yes;
    }
    let Some(tags) = tags else {
        return Fit::AskTags;
    };
    let has = |(key, wanted): (&String, &String)| {
        tags.iter()
            .any(|(name, value)| name == key && like(wanted, value))
    };
    if rule.tags.iter().all(has) {
        Fit::Yes
    } else {
        Fit::No
    }
}

/// Whether a text is as a pattern says, where `*` is anything.
fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn by_rule(rule: &Rule, row: &CredentialRow, now: Timestamp) -> Verdict {
    if rule.skip {
        return Verdict::Nothing("a rule says to skip it".to_owned());
    }
    let present: Vec<&KeyRow> = row
        .keys
        .iter()
        .filter(|key| key.created.is_some())
        .collect();
    let key = match present.as_slice() {
        [] => return Verdict::Nothing("it has no access key".to_owned()),
        [key] if !key.active => return Verdict::Nothing("its key is inactive".to_owned()),
        [key] => *key,
        _ => {
            let ages = present.iter().map(|key| {
                let created = key.created.unwrap_or_default().iso8601();
                let used = key
                    .used
                    .map_or_else(|| "never used".to_owned(), |at| format!("used {at}"));
                format!("one of {created}, {used}")
            });
            let ages: Vec<_> = ages.collect();
            return Verdict::Person(format!("it has two keys: {}", ages.join("; ")));
        }
    };
    if let Some(within) = rule.used_within
        && key.used.is_none_or(|used| used.plus_secs(within.0) < now)
    {
        return Verdict::Nothing("its key was not used lately".to_owned());
    }
    let created = key.created.unwrap_or_default();
    let age = rule.max_age_secs();
    let jitter = rule.jitter.map_or(0, |jitter| spread(&row.arn, jitter.0));
    let since = created.plus_secs(age - jitter);
    let open = rule
        .window
        .as_ref()
        .is_none_or(|window| is_open(window, now));
    if now >= since && open {
        return Verdict::Due(Due {
            created,
            since,
            report: now,
        });
    }
    Verdict::Later { at: since.max(now) }
}

/// A part of a span, by a user's own ARN: always the same, and different for each.
fn spread(arn: &str, span_secs: i64) -> i64 {
    let digest: [u8; 32] = Sha256::digest(arn).into();
    let number = digest
        .iter()
        .take(7)
        .fold(0_i64, |sum, byte| sum << 8 | i64::from(*byte));
    number % (span_secs + 1)
}

/// Whether a time is inside a window.
pub fn is_open(window: &Window, now: Timestamp) -> bool {
    let days = [
        Day::Thu,
        Day::Fri,
        Day::Sat,
        Day::Sun,
        Day::Mon,
        Day::Tue,
        Day::Wed,
    ];
    let day = usize::try_from(now.secs() / 86_400 % 7).unwrap_or(0);
    let hour = u8::try_from(now.secs() / 3600 % 24).unwrap_or(0);
    let today =
        window.days.is_empty() || days.get(day).is_some_and(|day| window.days.contains(day));
    today && (window.from_hour..window.to_hour).contains(&hour)
}

#[cfg(test)]
mod tests {
    use keywright_base::Timestamp;

    use super::{Verdict, choose, like};
    use crate::fleet::{Config, CredentialRow, KeyRow};

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
        let config = Config::parse(&config).unwrap();
        let now = Timestamp::from_secs(NOW);
        match choose(&config.accounts[0], row, tags, now).verdict {
            Verdict::Due(_) => "due".to_owned(),
            Verdict::Later { at } => format!("in {} days", (at.secs() - NOW) / DAY),
            Verdict::AskTags => "tags?".to_owned(),
            Verdict::Person(why) | Verdict::Nothing(why) => why,
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
            ("used_within = '2h'", &old, "its key was not used lately"),
            ("window = { days = ['mon'] }", &old, "in 0 days"),
            ("window = { days = ['tue'] }", &old, "due"),
            (
                "window = { from_hour = 11, to_hour = 12 }",
                &old,
                "in 0 days",
            ),
            ("window = { from_hour = 10, to_hour = 11 }", &old, "due"),
        ] {
            let got = verdict(&format!("{ALL}{words}"), &row("bob", "/", ages), None);
            assert_eq!(got, expected, "{words} {ages:?}");
        }
        let two = verdict(ALL, &row("bob", "/", &[(91, true), (3, true)]), None);
        assert!(two.starts_with("it has two keys: one of 20"), "{two}");
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let not_root = "the root user is not rotated by a fleet";
        for (selector, user, path, expected) in [
            ("users = ['a*', 'B*b']", "bob", "/", "due"),
            ("users = ['a*']", "bob", "/", "no rule fits"),
            ("path = '/service/'", "bob", "/", "no rule fits"),
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
        assert_eq!(verdict(&skipped, &old, None), "a rule says to skip it");
        let tagged = ALL.replace("everyone = true", "tags = { team = 'sto*' }");
        let tags = [("team".to_owned(), "storage".to_owned())];
        assert_eq!(verdict(&tagged, &old, Some(&tags)), "due");
        // AWS tells the values of tags apart by case, the names of users not.
        let other = [("team".to_owned(), "Storage".to_owned())];
        assert_eq!(verdict(&tagged, &old, Some(&other)), "no rule fits");
        let named = ALL.replace("everyone = true", "users = ['BO*']");
        assert_eq!(verdict(&named, &old, None), "due");
        assert_eq!(verdict(&tagged, &old, Some(&[])), "no rule fits");
    }

    #[test]
    fn jitter_spreads_and_stays() {
        let rules = "[[account.rule]]\neveryone = true\njitter = '60d'\ndeliver = ['dotenv:/x']\n";
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

    #[test]
    fn declarations_that_are_refused() {
        let rule = |words: &str| format!("[[account]]\nname = 'a'\n[[account.rule]]\n{words}");
        for (text, says) in [
            (String::new(), "missing field `account`"),
            ("account = []".to_owned(), "there is no [[account]]"),
            (rule("deliver = ['dotenv:/x']"), "say either everyone"),
            (rule("everyone = true"), "say where the new keys go"),
            (rule("everyone = true\ndeliver = ['what:x']"), "what:x"),
            (
                rule("everyone = true\ndeliver = ['dotenv:/x']\nmaxage = '1d'"),
                "maxage",
            ),
            (
                rule("everyone = true\ndeliver = ['dotenv:/x']\nmax_age = '1'"),
                "like 90s",
            ),
            (
                rule("path = 'x'\ndeliver = ['dotenv:/x']"),
                "must begin and end with a slash",
            ),
            (
                rule(
                    "everyone = true\ndeliver = ['dotenv:/x']\nwindow = { from_hour = 9, \
                     to_hour = 9 }",
                ),
                "ends before it begins",
            ),
        ] {
            let error = Config::parse(&text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
