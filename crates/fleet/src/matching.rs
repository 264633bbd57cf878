//! Checks of a fleet file that need the users of its accounts: rules that match nobody, and
//! destinations that two users share.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::future::join_all;
use keywright_rotation::ports::{Issuer, IssuerError};

use super::{
    config::{FleetAccount, FleetConfig, FleetRule},
    credentials::{CredentialRow, KeyRow},
    problem::{ConfigErrors, FileProblem},
    select::{RotationNeed, RuleMatch, fits},
    survey::{AccountSurvey, survey},
};
use crate::driver::{DriveError, RotationDriver};
use keywright_aws::{IamIssuer, PageMarkers, QueryService};

/// Accounts surveyed concurrently: one that hangs must not delay the others.
const AT_ONCE: usize = 8;
/// Users per page of a listing.
const PAGE: &str = "1000";

/// The survey of every account of a fleet.
#[derive(Debug)]
pub struct FleetSurvey {
    /// Each account's survey, or why it failed, in the order of the file.
    pub accounts: Vec<Result<AccountSurvey, DriveError>>,
    /// Problems of the file that only the accounts reveal.
    pub problems: Option<ConfigErrors>,
}

/// Surveys all accounts and checks the file against the result. An account that fails does not
/// affect the others.
pub async fn survey_fleet(driver: &RotationDriver, config: &FleetConfig) -> FleetSurvey {
    let mut problems = Vec::new();
    let mut accounts = Vec::with_capacity(config.accounts.len());
    for some in config.accounts.chunks(AT_ONCE) {
        let looks = some.iter().map(|account| async move {
            let survey = survey(driver, account).await?;
            let found = rules_without_users(driver, account, &survey).await?;
            Ok::<_, DriveError>((survey, found))
        });
        for looked in join_all(looks).await {
            accounts.push(looked.map(|(survey, found)| {
                problems.extend(found);
                survey
            }));
        }
    }
    let looked = config.accounts.iter().zip(&accounts);
    let looked = looked.filter_map(|(account, survey)| Some((account, survey.as_ref().ok()?)));
    problems.extend(shared_destinations(looked));
    FleetSurvey {
        accounts,
        problems: ConfigErrors::check(problems).err(),
    }
}

/// The rules that select no user of their account. The report may be hours old, so newer users are
/// listed before a rule is reported.
///
/// # Errors
/// [`DriveError`] if the account cannot be reached.
async fn rules_without_users(
    driver: &RotationDriver,
    account: &FleetAccount,
    survey: &AccountSurvey,
) -> Result<Vec<FileProblem>, DriveError> {
    let iam = IamIssuer(driver.access(&account.access).await?);
    let mut newer = None;
    let mut problems = Vec::new();
    for (number, rule) in account.rules.iter().enumerate() {
        let chosen = survey.choices.iter();
        let is_used = chosen
            .map(|choice| choice.rule)
            .any(|rule| rule == Some(number));
        if rule.everyone || is_used || selects_any(&iam, rule, &survey.rows).await {
            continue;
        }
        if newer.is_none() {
            newer = Some(newer_users(&iam, &survey.rows).await);
        }
        if selects_any(&iam, rule, newer.as_deref().unwrap_or_default()).await {
            continue;
        }
        problems.push(FileProblem {
            at: rule.position,
            message: format!(
                "this rule selects no user of account {} ({})",
                account.name, survey.account
            ),
            hint: Some("correct its users, path or tags, or remove it".to_owned()),
        });
    }
    Ok(problems)
}

/// Whether a rule selects at least one user. If a user's tags cannot be read, assume that it does.
async fn selects_any(iam: &IamIssuer, rule: &FleetRule, rows: &[CredentialRow]) -> bool {
    for row in rows.iter().filter(|row| !row.is_root()) {
        match fits(rule, row, None) {
            RuleMatch::Yes => return true,
            RuleMatch::No => {}
            RuleMatch::AskTags => match iam.user(&row.user).await {
                Ok(user) if matches!(fits(rule, row, Some(&user.tags)), RuleMatch::Yes) => {
                    return true;
                }
                Ok(_) | Err(IssuerError::NoSuchUser(_)) => {}
                Err(_) => return true,
            },
        }
    }
    false
}

/// Users created since the report. Empty if listing is not allowed.
async fn newer_users(iam: &IamIssuer, known: &[CredentialRow]) -> Vec<CredentialRow> {
    let known: HashSet<&str> = known.iter().map(|row| row.arn.as_str()).collect();
    let mut found = Vec::new();
    let mut marker: Option<String> = None;
    let mut markers = PageMarkers::default();
    loop {
        let mut parameters = vec![("MaxItems", PAGE)];
        parameters.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let access = Arc::clone(&iam.0);
        let Ok(mut page) = access
            .read(QueryService::Iam, "ListUsers", &parameters)
            .await
        else {
            return found;
        };
        let Ok(next) = markers.next(&mut page) else {
            return found;
        };
        for row in &mut page.rows {
            let (Some(user), Some(arn)) = (row.remove("UserName"), row.remove("Arn")) else {
                continue;
            };
            if !known.contains(arn.as_str()) {
                found.push(CredentialRow {
                    user,
                    arn,
                    created: None,
                    password: false,
                    password_used: None,
                    password_set: None,
                    keys: [KeyRow::default(); 2],
                });
            }
        }
        marker = next;
        if marker.is_none() {
            return found;
        }
    }
}

/// Destinations shared by two users with keys, in one account or across accounts.
fn shared_destinations<'a>(
    surveys: impl Iterator<Item = (&'a FleetAccount, &'a AccountSurvey)>,
) -> Vec<FileProblem> {
    let mut owners: HashMap<String, (&'a str, &'a str)> = HashMap::new();
    let mut problems = Vec::new();
    for (account, survey) in surveys {
        for (choice, row) in survey.choices.iter().zip(&survey.rows) {
            let rule = choice.rule.and_then(|number| account.rules.get(number));
            let Some(rule) =
                rule.filter(|rule| !rule.skip && choice.verdict != RotationNeed::AskTags)
            else {
                continue;
            };
            if row.keys.iter().all(|key| key.created.is_none()) {
                continue;
            }
            // An invalid destination is reported when its user is due.
            let sinks = rule.sinks(&choice.user, &survey.account);
            for sink in sinks.unwrap_or_default() {
                let owner = (account.name.as_str(), choice.user.as_str());
                let name = sink.to_string();
                let message = match owners.get(&name) {
                    Some(first) => format!(
                        "{} of {} and {} of {} have the same destination {name}",
                        first.1, first.0, owner.1, owner.0
                    ),
                    None => {
                        owners.insert(name, owner);
                        continue;
                    }
                };
                problems.push(FileProblem {
                    at: rule.position,
                    message,
                    hint: Some(
                        "include {user} in its name and, with several accounts, {account}".into(),
                    ),
                });
            }
        }
    }
    problems
}
