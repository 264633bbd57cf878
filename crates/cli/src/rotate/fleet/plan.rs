//! `rotate plan`: what a fleet would do now, for each user with the rule and the destinations.
//!
//! Invariant: it uses the survey of `apply`. For each user who is due it drafts the real rotation,
//! so anything that prevents the rotation shows here.

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

/// Users checked concurrently.
const AT_ONCE: usize = 8;
/// The widest name column; longer names shift the rest of their line.
const NAME_COLUMNS: usize = 32;
/// The narrowest terminal for which lines are wrapped here.
const COLUMNS_MIN: usize = 40;

/// A user. If due, with the drafted rotation or the reason that prevents it.
struct PlannedUser<'a> {
    choice: &'a UserSelection,
    drafted: Option<Result<Option<Rotation>, DriveError>>,
}

impl PlannedUser<'_> {
    /// What prevents a due rotation.
    fn trouble(&self) -> Option<String> {
        match &self.drafted {
            Some(Err(error)) => Some(error.to_string()),
            _ => None,
        }
    }

    /// The sort key: verdicts that need attention come first.
    fn rank(&self) -> usize {
        let order = ["person", "unknown", "due", "later", "nothing"];
        let word = verdict(self.choice).0;
        order.iter().position(|other| *other == word).unwrap_or(0)
    }
}

/// Prints the plan and changes nothing. Returns false if a user needs a person's attention or a due
/// rotation would not start.
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

/// Counts of users by verdict.
#[derive(Debug, Default)]
struct PlanSummary {
    users: usize,
    due: usize,
    /// Users who are due but cannot be rotated.
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
            refused => format!(" ({refused} of them cannot begin)"),
        };
        format!(
            "{} users: {} due{refused}, {} later, {} need a person, {} with nothing to do",
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

/// A user's destinations, with their present content if it was read.
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
        "{} ({}), according to the credential report of {}",
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

/// The terminal's width. Unlimited without a terminal.
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
