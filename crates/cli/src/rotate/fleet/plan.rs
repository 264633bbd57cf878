//! `rotate plan`: what a fleet would do now, for each user with the rule and the destinations.
//!
//! It protects one rule: it looks with the eyes of `apply`. Who is due is drafted as a rotation
//! would be, so what stands against it shows here.

use std::io::{self, Write};

use futures_util::future::join_all;
use keywright_fleet::driver::{DriveError, RotationDriver};
use keywright_fleet::{
    AccountSurvey, FleetAccount, RotationNeed, UserSelection, draft, survey_fleet,
};
use keywright_rotation::model::Rotation;
use keywright_server::SystemEntropy;
use serde_json::{Value, json};

use super::{FailedAccounts, FleetArguments, choice_json, load, verdict};
use crate::{remote::printable, rotate::show};

/// Users that are looked at more closely at the same time.
const AT_ONCE: usize = 8;
/// Columns of a name at most before the lines below it move.
const NAME_COLUMNS: usize = 32;
/// Columns of a terminal at least: in a narrower one lines wrap by themselves.
const COLUMNS_MIN: usize = 40;

/// A user, and for one who is due the rotation that would be begun, or what stands against it.
struct PlannedUser<'a> {
    choice: &'a UserSelection,
    drafted: Option<Result<Option<Rotation>, DriveError>>,
}

impl PlannedUser<'_> {
    /// What keeps one who is due from being rotated.
    fn trouble(&self) -> Option<String> {
        match &self.drafted {
            Some(Err(error)) => Some(error.to_string()),
            _ => None,
        }
    }

    /// The verdict's place in the list: what needs attention comes first.
    fn rank(&self) -> usize {
        let order = ["person", "unknown", "due", "later", "nothing"];
        let word = verdict(self.choice).0;
        order.iter().position(|other| *other == word).unwrap_or(0)
    }
}

/// Looks, and changes nothing. False when a person must look at a user, or a rotation that is due
/// would not begin.
pub(in crate::rotate) async fn plan(
    driver: &RotationDriver,
    arguments: &FleetArguments,
) -> anyhow::Result<bool> {
    let config = load(&arguments.file)?;
    let fleet = survey_fleet(driver, &config).await;
    let mut documents = Vec::new();
    let mut total = PlanSummary::default();
    let mut failed = FailedAccounts::default();
    let columns = columns();
    for (account, survey) in config.accounts.iter().zip(fleet.accounts) {
        let survey = match survey {
            Ok(survey) => survey,
            Err(error) => {
                documents.push(json!({ "Name": account.name, "Error": error.to_string() }));
                failed.add(account, &error.into());
                continue;
            }
        };
        let users = planned(driver, account, &survey).await;
        let summary = PlanSummary::of(&users);
        total.add(&summary);
        if arguments.json {
            documents.push(account_json(account, &survey, &users, &summary));
        } else {
            print_account((account, &survey), &users, &summary, columns)?;
        }
    }
    if arguments.json {
        show::print_json(&Value::Array(documents))?;
    } else if config.accounts.len() > 1 {
        let accounts = config.accounts.len() - failed.0.len();
        writeln!(io::stdout(), "{accounts} accounts: {}", total.text())?;
    }
    failed.conclude((&arguments.file, &config), fleet.problems.as_ref())?;
    Ok(total.persons == 0 && total.refused == 0)
}

async fn planned<'a>(
    driver: &RotationDriver,
    account: &FleetAccount,
    survey: &'a AccountSurvey,
) -> Vec<PlannedUser<'a>> {
    let mut users = Vec::with_capacity(survey.choices.len());
    for some in survey.choices.chunks(AT_ONCE) {
        let looks = some.iter().map(|choice| async move {
            let drafted = match &choice.verdict {
                RotationNeed::Due(due) => {
                    Some(draft(driver, account, choice, due, &SystemEntropy).await)
                }
                _ => None,
            };
            PlannedUser { choice, drafted }
        });
        users.extend(join_all(looks).await);
    }
    users.sort_by_key(PlannedUser::rank);
    users
}

/// How many users are what.
#[derive(Debug, Default)]
struct PlanSummary {
    users: usize,
    due: usize,
    /// Of those that are due.
    refused: usize,
    later: usize,
    persons: usize,
    nothing: usize,
}

impl PlanSummary {
    fn of(users: &[PlannedUser<'_>]) -> Self {
        let mut summary = Self {
            users: users.len(),
            ..Self::default()
        };
        for user in users {
            match &user.choice.verdict {
                RotationNeed::Due(_) => summary.due += 1,
                RotationNeed::Later { .. } => summary.later += 1,
                RotationNeed::AskTags | RotationNeed::Person(_) => summary.persons += 1,
                RotationNeed::Nothing(_) => summary.nothing += 1,
            }
            summary.refused += usize::from(user.trouble().is_some());
        }
        summary
    }

    fn add(&mut self, other: &Self) {
        self.users += other.users;
        self.due += other.due;
        self.refused += other.refused;
        self.later += other.later;
        self.persons += other.persons;
        self.nothing += other.nothing;
    }

    fn text(&self) -> String {
        let refused = match self.refused {
            0 => String::new(),
            refused => format!(" ({refused} of them cannot be begun)"),
        };
        format!(
            "{} users: {} due{refused}, {} later, {} for a person, {} with nothing to do",
            self.users, self.due, self.later, self.persons, self.nothing
        )
    }
}

fn account_json(
    account: &FleetAccount,
    survey: &AccountSurvey,
    users: &[PlannedUser<'_>],
    summary: &PlanSummary,
) -> Value {
    json!({
        "Name": account.name,
        "Account": survey.account,
        "ReportOf": survey.at.iso8601(),
        "Calls": survey.calls,
        "Summary": {
            "Users": summary.users,
            "Due": summary.due,
            "CannotBegin": summary.refused,
            "Later": summary.later,
            "Person": summary.persons,
            "Nothing": summary.nothing,
        },
        "Users": users.iter().map(|user| user_json(account, survey, user)).collect::<Vec<_>>(),
    })
}

fn user_json(account: &FleetAccount, survey: &AccountSurvey, user: &PlannedUser<'_>) -> Value {
    let mut document = choice_json(user.choice);
    let rule = user
        .choice
        .rule
        .and_then(|number| account.rules.get(number));
    let destinations = destinations(account, survey, user);
    let destinations = destinations
        .into_iter()
        .map(|(name, found)| json!({ "Sink": name, "Found": found.map(show::found_json) }));
    if let Value::Object(members) = &mut document {
        members.extend([
            (
                "RuleLine".to_owned(),
                json!(rule.map(|rule| rule.position.line)),
            ),
            ("Destinations".to_owned(), destinations.collect()),
            ("Trouble".to_owned(), json!(user.trouble())),
        ]);
    }
    document
}

type DestinationState = keywright_rotation::model::InitialContent;

/// A user's destinations, and what is there where it was looked at.
fn destinations<'u>(
    account: &FleetAccount,
    survey: &AccountSurvey,
    user: &'u PlannedUser<'_>,
) -> Vec<(String, Option<&'u DestinationState>)> {
    if let Some(Ok(Some(rotation))) = &user.drafted {
        let each = rotation.deliveries.iter();
        return each
            .map(|delivery| (delivery.sink.clone(), delivery.found.as_ref()))
            .collect();
    }
    let rule = user
        .choice
        .rule
        .and_then(|number| account.rules.get(number));
    let Some(rule) = rule.filter(|rule| !rule.skip) else {
        return Vec::new();
    };
    match rule.sinks(&user.choice.user, &survey.account) {
        Ok(sinks) => sinks.iter().map(|sink| (sink.to_string(), None)).collect(),
        Err(why) => vec![(why, None)],
    }
}

fn print_account(
    (account, survey): (&FleetAccount, &AccountSurvey),
    users: &[PlannedUser<'_>],
    summary: &PlanSummary,
    columns: usize,
) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let head = format!(
        "{} ({}), by the credential report of {}",
        account.name, survey.account, survey.at
    );
    print_wrapped(&mut out, &head, ("", "  "), columns)?;
    print_wrapped(&mut out, &summary.text(), ("  ", "    "), columns)?;
    let names = users.iter().map(|user| user.choice.user.chars().count());
    let wide = names.max().unwrap_or(0).min(NAME_COLUMNS);
    for user in users {
        let choice = user.choice;
        let (word, why) = verdict(choice);
        let rule = choice.rule.and_then(|number| {
            let line = account.rules.get(number)?.position.line;
            Some(format!("rule {} (line {line}), ", number + 1))
        });
        let rule = rule.unwrap_or_default();
        let text = format!("{word:<8} {:<wide$} {rule}{why}", printable(&choice.user));
        let below = " ".repeat(2 + 8 + 1 + 2);
        print_wrapped(&mut out, &text, ("  ", &below), columns)?;
        for (name, found) in destinations(account, survey, user) {
            let found = found.map(|found| format!(": {}", show::now_there(found)));
            let text = format!("to {name}{}", found.unwrap_or_default());
            print_wrapped(&mut out, &text, (&below, &format!("{below}   ")), columns)?;
        }
        if let Some(why) = user.trouble() {
            let text = format!("CANNOT BEGIN: {why}");
            print_wrapped(&mut out, &text, (&below, &format!("{below}   ")), columns)?;
        }
    }
    Ok(())
}

/// The columns of the terminal; without one lines are as long as they are.
pub(in crate::rotate) fn columns() -> usize {
    let terminal = terminal_size::terminal_size_of(io::stdout());
    terminal.map_or(usize::MAX, |(width, _)| {
        usize::from(width.0).max(COLUMNS_MIN)
    })
}

fn print_wrapped(
    out: &mut impl Write,
    text: &str,
    (first, rest): (&str, &str),
    columns: usize,
) -> io::Result<()> {
    let text = printable(text);
    if columns == usize::MAX {
        return writeln!(out, "{first}{text}");
    }
    let options = textwrap::Options::new(columns)
        .initial_indent(first)
        .subsequent_indent(rest);
    for line in textwrap::wrap(&text, options) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
