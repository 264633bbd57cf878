//! Parses a fleet file (TOML).
//!
//! Anything not understood is an error with its position in the file. All errors are found before
//! anything is done, and finding them needs no credentials.

use std::{collections::BTreeMap, path::PathBuf};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    calendar::{DayOfWeek, FreezePeriod, PeriodEnd, TimeWindow, TimeZoneName, moment},
    check,
    config::{ConfigDuration, FleetAccount, FleetConfig, FleetRule, MAX_AGE_SECS},
    problem::{ConfigErrors, FilePosition, ProblemList},
    reader::{Located, TableReader},
};
use crate::notify::Notifier;
use keywright_aws::{ClientSettings, SNS};

/// Default number of concurrent rotations.
const AT_ONCE: usize = 8;
/// Largest number of concurrent rotations.
const AT_ONCE_MAX: usize = 100;
/// Default number of consecutive failures.
const STOP_AFTER_FAILURES: usize = 5;
/// Largest number of consecutive failures.
const FAILURES_MAX: usize = 1000;
/// The maximum number of accounts in a file.
const ACCOUNTS_MAX: usize = 1000;
/// The maximum number of rules in an account.
const RULES_MAX: usize = 500;
/// The maximum number of freeze periods of an account.
const FREEZES_MAX: usize = 100;
/// The maximum number of notifiers in a file.
const NOTIFIERS_MAX: usize = 20;
/// The maximum number of reminders for a key.
const REMINDERS_MAX: usize = 10;
/// The longest tag key, in characters (AWS's limit).
const TAG_CHARS: usize = 128;

const RULE: &str = "[[account.rule]]";

impl FleetConfig {
    /// Parses and checks a fleet file.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every problem found.
    pub fn parse(text: &str) -> Result<Self, ConfigErrors> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let syntax = ProblemList::of(text);
        for error in &errors {
            let message = error.message().trim().replace('\n', "; ");
            syntax.add(&error.span().unwrap_or_default(), message, None);
        }
        // After a syntax error, further problems would be guesses.
        ConfigErrors::check(syntax.into_found())?;
        let problems = ProblemList::of(text);
        let table = TableReader::new("the file", document.get_ref(), 0..0, &problems);
        let config = config(table, &problems);
        ConfigErrors::check(problems.into_found())?;
        Ok(config)
    }
}

fn config(mut table: TableReader<'_, '_>, problems: &ProblemList<'_>) -> FleetConfig {
    let number = |found: Option<Located<usize>>, usual, most| {
        let Some(found) = found else { return usual };
        if found.value == 0 || found.value > most {
            let message = format!("this is {}, but must be between 1 and {most}", found.value);
            problems.add(&found.span, message, None);
        }
        found.value
    };
    let at_once = number(table.get("at_once"), AT_ONCE, AT_ONCE_MAX);
    let failures = table.get("stop_after_failures");
    let stop_after_failures = number(failures, STOP_AFTER_FAILURES, FAILURES_MAX);
    let zone = zone(&mut table, &TimeZoneName::UTC, problems);
    let notify = notifiers(&mut table, problems);
    let digest = table.plain("digest");
    let owner_tag = owner_tag(&mut table, problems);
    let remind = reminders(&mut table, problems);
    let freezes = freezes(table.tables("freeze", "[[freeze]]"), &zone, problems);
    let mut accounts = Vec::new();
    for (number, account_table) in (1..).zip(table.tables("account", "[[account]]")) {
        if number > ACCOUNTS_MAX {
            let message = format!("a file can have up to {ACCOUNTS_MAX} accounts");
            problems.add(&account_table.span, message, None);
            break;
        }
        accounts.push(account(account_table, (&zone, &freezes), problems));
    }
    if accounts.is_empty() {
        let hint = "add an [[account]] with a name and an [[account.rule]]";
        let span = table.key_span("account");
        problems.add(&span, "there is no [[account]]", Some(hint));
    }
    table.finish();
    check::names(&accounts, problems);
    check::fixed_destinations(&accounts, problems);
    let accounts = accounts.into_iter().map(|placed| placed.account).collect();
    FleetConfig {
        at_once,
        stop_after_failures,
        accounts,
        notify,
        digest,
        owner_tag,
        remind,
    }
}

fn notifiers(table: &mut TableReader<'_, '_>, problems: &ProblemList<'_>) -> Vec<Notifier> {
    let named = table.strings("notify");
    if let Some(first) = named.get(NOTIFIERS_MAX) {
        let message = format!("a file can have up to {NOTIFIERS_MAX} notifiers");
        problems.add(&first.span, message, None);
    }
    let parsed = named.into_iter().filter_map(|target| {
        let parsed = target.value.parse::<Notifier>();
        // Do not quote the text: an address may be a secret.
        let refused = |why| {
            problems.add(
                &target.span,
                format!("this is not a valid notifier: {why}"),
                None,
            )
        };
        parsed.map_err(refused).ok()
    });
    parsed.collect()
}

fn owner_tag(table: &mut TableReader<'_, '_>, problems: &ProblemList<'_>) -> Option<String> {
    let tag = table.get::<String>("owner_tag")?;
    if !(1..=TAG_CHARS).contains(&tag.value.chars().count()) {
        let message = format!("a tag key must have 1 to {TAG_CHARS} characters");
        problems.add(&tag.span, message, None);
    }
    Some(tag.value)
}

fn reminders(table: &mut TableReader<'_, '_>, problems: &ProblemList<'_>) -> Vec<ConfigDuration> {
    let named = table.strings("remind");
    if let Some(first) = named.get(REMINDERS_MAX) {
        let message = format!("a key can have up to {REMINDERS_MAX} reminders");
        problems.add(&first.span, message, None);
    }
    let parsed = named.into_iter().filter_map(|before| {
        let parsed = before.value.parse::<ConfigDuration>().and_then(|parsed| {
            let is_before = parsed.0 > 0;
            is_before
                .then_some(parsed)
                .ok_or_else(|| "a reminder must come before the key is due".to_owned())
        });
        let refused = |why: String| problems.add(&before.span, why, Some("remind = [\"7d\"]"));
        parsed.map_err(refused).ok()
    });
    parsed.collect()
}

/// An account with the positions needed to compare it with others.
pub(super) struct PlacedAccount {
    pub(super) account: FleetAccount,
    /// Position of its name.
    pub(super) name_at: FilePosition,
    /// Position of its number, if it has one.
    pub(super) id_at: Option<FilePosition>,
    /// Positions of the destinations, for each rule.
    pub(super) deliver_at: Vec<Vec<FilePosition>>,
}

fn account(
    mut table: TableReader<'_, '_>,
    (zone, freezes_of_all): (&TimeZoneName, &[FreezePeriod]),
    problems: &ProblemList<'_>,
) -> PlacedAccount {
    let name: Option<Located<String>> = table.get("name");
    let name_span = name.as_ref().map_or(&table.span, |name| &name.span);
    let name_at = problems.position(name_span.start);
    if !table.has("name") {
        let hint = "give it a name for reports: name = \"production\"";
        problems.add(&table.span, "[[account]] has no name", Some(hint));
    }
    let id: Option<Located<String>> = table.get("id");
    if let Some(id) = &id
        && (id.value.len() != 12 || !id.value.bytes().all(|digit| digit.is_ascii_digit()))
    {
        problems.add(&id.span, "an account ID must have 12 digits", None);
    }
    let id_at = id.as_ref().map(|id| problems.position(id.span.start));
    let access = table.table("access", "access = { profile = \"…\" }");
    let access = access.map(|table| settings(table, problems));
    let access = access.unwrap_or_default();
    let mut frozen = freezes_of_all.to_vec();
    frozen.extend(freezes(
        table.tables("freeze", "[[account.freeze]]"),
        zone,
        problems,
    ));
    if frozen.len() > FREEZES_MAX {
        let message = format!("an account can have up to {FREEZES_MAX} freezes");
        problems.add(&table.key_span("freeze"), message, None);
    }
    let (mut rules, mut deliver_at) = (Vec::new(), Vec::new());
    for rule_table in table.tables("rule", RULE) {
        let (rule, positions) = rule(rule_table, zone, problems);
        rules.push(rule);
        deliver_at.push(positions);
    }
    if rules.is_empty() {
        let hint =
            format!("add {RULE} with the users it applies to and the destinations of the new keys");
        let message = "this account has no rule";
        problems.add(&table.key_span("rule"), message, Some(&hint));
    }
    if rules.len() > RULES_MAX {
        let message = format!("an account can have up to {RULES_MAX} rules");
        problems.add(&table.key_span("rule"), message, None);
    } else {
        check::shadowed(&rules, problems);
    }
    table.finish();
    PlacedAccount {
        account: FleetAccount {
            name: name.map(|name| name.value).unwrap_or_default(),
            id: id.map(|id| id.value),
            access,
            rules,
            freezes: frozen,
        },
        name_at,
        id_at,
        deliver_at,
    }
}

fn settings(mut table: TableReader<'_, '_>, problems: &ProblemList<'_>) -> ClientSettings {
    let endpoints = table.table("endpoints", "endpoints = { IAM = \"https://…\" }");
    let endpoints = endpoints.map(|table| endpoints_of(&table, problems));
    let settings = ClientSettings {
        profile: table.plain("profile"),
        endpoint_url: table.plain("endpoint_url"),
        region: table.plain("region"),
        ca_bundle: table.plain::<String>("ca_bundle").map(PathBuf::from),
        endpoints: endpoints.unwrap_or_default(),
        ignore_configured_endpoint_urls: table
            .plain("ignore_configured_endpoint_urls")
            .unwrap_or_default(),
        use_fips_endpoint: table.plain("use_fips_endpoint").unwrap_or_default(),
        use_dualstack_endpoint: table.plain("use_dualstack_endpoint").unwrap_or_default(),
        assume_role: table.plain("assume_role"),
        on_behalf_of: None,
    };
    table.finish();
    settings
}

/// Endpoints of single services.
fn endpoints_of(
    table: &TableReader<'_, '_>,
    problems: &ProblemList<'_>,
) -> BTreeMap<String, String> {
    let members = table.members().into_iter();
    let each = members.filter_map(|(service, url)| {
        let known = ClientSettings::SERVICES.iter().chain([&SNS]);
        let known: Vec<_> = known.map(|service| service.id).collect();
        if !known.contains(&&*service.value) {
            let message = format!("unknown service \"{}\"", service.value);
            problems.add(&service.span, message, Some(&known.join(", ")));
        } else if url.is_none() {
            let message = format!("the endpoint of {} must be a string", service.value);
            problems.add(&service.span, message, None);
        }
        Some((service.value, url?))
    });
    each.collect()
}

/// The time zone that a table names, or the default.
fn zone(
    table: &mut TableReader<'_, '_>,
    usual: &TimeZoneName,
    problems: &ProblemList<'_>,
) -> TimeZoneName {
    let Some(name) = table.get::<String>("zone") else {
        return usual.clone();
    };
    TimeZoneName::try_from(name.value).unwrap_or_else(|why| {
        let hint = "use an IANA name, for example Europe/Berlin";
        problems.add(&name.span, why, Some(hint));
        usual.clone()
    })
}

fn rule(
    mut table: TableReader<'_, '_>,
    zone: &TimeZoneName,
    problems: &ProblemList<'_>,
) -> (FleetRule, Vec<FilePosition>) {
    let skip: Option<bool> = table.plain("skip");
    let mut rule = FleetRule {
        position: problems.position(table.span.start),
        used_within: table.plain("used_within"),
        accept_blind_window: table.plain("accept_blind_window").unwrap_or_default(),
        observe: table.plain("observe"),
        dwell: table.plain("dwell"),
        create: table.plain("create").unwrap_or_default(),
        skip: skip.unwrap_or_default(),
        ..FleetRule::default()
    };
    selector(&mut table, &mut rule, problems);
    rule.max_age = table.plain("max_age");
    if let Some(jitter) = table.get::<ConfigDuration>("jitter") {
        if jitter.value > rule.max_age.unwrap_or(ConfigDuration(MAX_AGE_SECS)) {
            problems.add(&jitter.span, "the jitter is longer than max_age", None);
        }
        rule.jitter = Some(jitter.value);
    }
    if let Some(why) = table.get::<String>("override_unused") {
        if why.value.trim().is_empty() {
            let hint = "override_unused = \"a batch program that runs once a year\"";
            problems.add(&why.span, "override_unused must give a reason", Some(hint));
        }
        rule.override_unused = Some(why.value);
    }
    let example = "window = { from = \"22:00\", to = \"04:00\" }";
    let found = table.table("window", example);
    rule.window = found.map(|found| window(found, zone, problems));
    let found = table.table("deactivation_window", example);
    rule.deactivation_window = found.map(|found| window(found, zone, problems));
    let deliver = table.strings("deliver");
    // A wrong type has been reported already.
    let has_none = !table.has("deliver") || table.has_empty_list("deliver");
    if has_none && !rule.skip && !(table.has("skip") && skip.is_none()) {
        let hint = "specify where the new keys go: deliver = [\"dotenv:/etc/jobs/{user}.env\"]; or \
                    skip = true";
        let span = table.key_span("deliver");
        problems.add(&span, "this rule has no destination", Some(hint));
    }
    check::destinations(&rule, &deliver, problems);
    let positions = deliver
        .iter()
        .map(|text| problems.position(text.span.start));
    let positions = positions.collect();
    rule.deliver = deliver.into_iter().map(|text| text.value).collect();
    table.finish();
    (rule, positions)
}

fn selector(table: &mut TableReader<'_, '_>, rule: &mut FleetRule, problems: &ProblemList<'_>) {
    rule.everyone = table.plain("everyone").unwrap_or_default();
    let users = table.strings("users");
    for pattern in &users {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-*".contains(c);
        if pattern.value.is_empty() || !pattern.value.chars().all(allowed) {
            let message = format!("\"{}\" is not a valid user name", pattern.value);
            let hint = "use a name, with * for any characters";
            problems.add(&pattern.span, message, Some(hint));
        }
    }
    let path = table.get::<String>("path");
    if let Some(path) = &path
        && !(path.value.starts_with('/') && path.value.ends_with('/'))
    {
        let message = format!(
            "the path \"{}\" must begin and end with a slash",
            path.value
        );
        let hint = format!("path = \"/{}/\"", path.value.trim_matches('/'));
        problems.add(&path.span, message, Some(&hint));
    }
    if let Some(found) = table.table("tags", "tags = { team = \"storage\" }") {
        rule.tags = tags(&found, problems);
    }
    let names_nobody = table.has_empty_list("users");
    let has = |key| table.has(key);
    let selects = has("users") && !names_nobody || has("path") || has("tags");
    let hint = "use either everyone = true, or users, path or tags";
    if !rule.everyone && !selects {
        problems.add(&table.span, "this rule selects no user", Some(hint));
    }
    if rule.everyone && selects {
        let message = "everyone = true cannot be combined with users, path or tags";
        problems.add(&table.key_span("everyone"), message, Some(hint));
    }
    rule.users = users.into_iter().map(|pattern| pattern.value).collect();
    rule.path = path.map(|path| path.value);
}

fn tags(table: &TableReader<'_, '_>, problems: &ProblemList<'_>) -> BTreeMap<String, String> {
    let members = table.members();
    if members.is_empty() {
        problems.add(&table.span, "tags is empty", None);
    }
    let each = members.into_iter().map(|(key, value)| {
        if value.is_none() {
            let message = format!("the tag {} must be a string", key.value);
            problems.add(&key.span, message, None);
        }
        (key.value, value.unwrap_or_default())
    });
    each.collect()
}

fn window(
    mut table: TableReader<'_, '_>,
    zone: &TimeZoneName,
    problems: &ProblemList<'_>,
) -> TimeWindow {
    let days = table.strings("days");
    let days = days.into_iter().filter_map(|name| {
        let found = DayOfWeek::ALL
            .into_iter()
            .find(|(known, _)| *known == name.value);
        if found.is_none() {
            let message = format!("unknown day \"{}\"", name.value);
            let hint = "mon, tue, wed, thu, fri, sat, sun";
            problems.add(&name.span, message, Some(hint));
        }
        found.map(|(_, day)| day)
    });
    let days = days.collect();
    let span = table.span.clone();
    let mut minute = |key, usual| {
        let Some(value) = table.value(key) else {
            return usual;
        };
        minute_of_day(value).unwrap_or_else(|| {
            let message = format!("{key} is not a time of day");
            problems.add(&value.span(), message, Some("use a time such as \"08:30\""));
            usual
        })
    };
    let (from_minute, to_minute) = (minute("from", 0), minute("to", DAY_MINUTES));
    if from_minute == to_minute || from_minute == DAY_MINUTES {
        let hint = "a window across midnight has from = \"22:00\" and to = \"04:00\"; without \
                    both, it is the whole day";
        problems.add(&span, "the window ends when it starts", Some(hint));
    }
    let window = TimeWindow {
        days,
        from_minute,
        to_minute,
        zone: self::zone(&mut table, zone, problems),
    };
    table.finish();
    window
}

const DAY_MINUTES: u16 = 24 * 60;

/// Parses `08:30`, up to `24:00`, as a string or as a TOML local time.
fn minute_of_day(value: &Spanned<DeValue<'_>>) -> Option<u16> {
    let text = text_of(value)?;
    let (hour, rest) = text.split_once(':')?;
    let minute = rest.strip_suffix(":00").unwrap_or(rest);
    let number = |digits: &str| {
        let plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|_| plain)
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (minute < 60)
        .then_some(hour * 60 + minute)
        .filter(|all| *all <= DAY_MINUTES)
}

/// A string, or a TOML time as written.
fn text_of(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Datetime(time) => Some(time.to_string()),
        _ => None,
    }
}

fn freezes(
    tables: Vec<TableReader<'_, '_>>,
    zone: &TimeZoneName,
    problems: &ProblemList<'_>,
) -> Vec<FreezePeriod> {
    let each = tables.into_iter().filter_map(|mut table| {
        let zone = self::zone(&mut table, zone, problems);
        let span = table.span.clone();
        let mut end = |key, end| {
            let hint = "use a date (2026-12-20) or a time (2026-12-20T18:00)";
            let Some(value) = table.value(key) else {
                problems.add(&span, format!("the freeze has no {key}"), Some(hint));
                return None;
            };
            let found = text_of(value).and_then(|text| moment(&text, &zone, end));
            if found.is_none() {
                problems.add(
                    &value.span(),
                    format!("{key} is not a date or time"),
                    Some(hint),
                );
            }
            found
        };
        let (from, to) = (end("from", PeriodEnd::First), end("to", PeriodEnd::Last));
        let why = table.plain("why");
        table.finish();
        let (from, to) = (from?, to?);
        if from >= to {
            let message = "the freeze ends before it starts";
            problems.add(&span, message, Some("swap from and to"));
        }
        Some(FreezePeriod {
            from_secs: from.secs(),
            to_secs: to.secs(),
            why,
        })
    });
    each.collect()
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
