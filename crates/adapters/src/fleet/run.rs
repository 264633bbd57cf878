//! One round over an account: look at everybody, go on with what is open, begin what is due.
//!
//! It protects three rules: a key is named by its creation date in the report and confirmed by a
//! listing before anything begins; the principal that signs comes last; and after some failures in
//! a row nothing more is begun, since something else than a single user is wrong.

use std::{collections::HashMap, sync::Arc};

use futures_util::{
    StreamExt,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use keywright_base::{Entropy, Timestamp, limits};
use keywright_rotation::{
    execute::{Order, Stopped},
    model::{Hold, Rotation, RotationId},
    ports::{Issuer, IssuerError, Journal, JournalError, KeyStatus},
};

use super::{
    config::{Account, Config},
    credentials::{CredentialRow, credentials},
    select::{Choice, Due, Verdict, choose},
};
use crate::{
    aws::Iam,
    driver::{DriveError, Driver, Rest, Told},
};

/// Seconds that a round waits for one rotation; the next round goes on with it.
const PATIENCE_SECS: i64 = 30;
/// Bytes of randomness in a rotation's id.
const ID_BYTES: usize = 8;

/// What an account looks like.
#[derive(Debug)]
pub struct Survey {
    /// Its number.
    pub account: String,
    /// When the report was made, by the service's clock.
    pub at: Timestamp,
    /// Everybody, in the report's order.
    pub choices: Vec<Choice>,
    /// The report.
    pub rows: Vec<CredentialRow>,
    /// How often the account was asked, by this process, until here.
    pub calls: u64,
}

/// What a round did about one rotation or user.
#[derive(Debug)]
pub struct Did {
    /// The user.
    pub user: String,
    /// The rotation, if there is one.
    pub rotation: Option<RotationId>,
    /// Where it rests, or why nothing was begun.
    pub outcome: Result<Rest, DriveError>,
}

/// A round.
#[derive(Debug)]
pub struct Round {
    /// What it looked at.
    pub survey: Survey,
    /// What it did, in the order in which it ended.
    pub did: Vec<Did>,
    /// Whether it stopped beginning rotations after failures in a row.
    pub broke: bool,
    /// How often the account was asked, by this process, until here.
    pub calls: u64,
}

/// Carries on with a rotation that was begun, until it rests.
pub type Carry<'a> =
    &'a (dyn Fn(RotationId) -> BoxFuture<'a, Result<Rest, DriveError>> + Send + Sync);

/// A random id, which is the rotation's idempotency token too.
pub fn new_id(entropy: &dyn Entropy) -> RotationId {
    let mut bytes = [0; ID_BYTES];
    entropy.fill(&mut bytes);
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    RotationId(format!("r-{}", digits.collect::<String>()))
}

/// Looks at everybody. Two calls, and one for each user whose tags a rule asks for.
///
/// # Errors
/// [`DriveError`], also when the credentials are of another account.
pub async fn survey(driver: &Driver, account: &Account) -> Result<Survey, DriveError> {
    let access = driver.access(&account.access).await?;
    let here = access.identity().account.clone();
    if let Some(there) = account.id.as_ref().filter(|id| **id != here) {
        let there = there.clone();
        return Err(DriveError::Account { here, there });
    }
    let failed = |error| DriveError::Access(crate::aws::AccessError::Call(error));
    let (rows, at) = credentials(&access).await.map_err(failed)?;
    let iam = Iam(Arc::clone(&access));
    let open = open_in(driver, &here).await?;
    let open: HashMap<&str, &RotationId> = open
        .iter()
        .map(|rotation| (rotation.user.as_str(), &rotation.id))
        .collect();
    let mut choices = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut choice = choose(account, row, None, at);
        if let Some(id) = open.get(row.user.as_str()) {
            // Two keys may be its own, and nothing else is begun.
            choice.verdict = Verdict::Nothing(format!("rotation {id} of it is open"));
        }
        if choice.verdict == Verdict::AskTags {
            choice = match iam.user(&row.user).await {
                Ok(user) => choose(account, row, Some(&user.tags), at),
                // Renamed or deleted since the report was made.
                Err(IssuerError::NoSuchUser(_)) => Choice {
                    verdict: Verdict::Nothing("it is not there any more".to_owned()),
                    ..choice
                },
                Err(error) => Choice {
                    verdict: Verdict::Person(format!("its tags cannot be read: {error}")),
                    ..choice
                },
            };
        }
        choices.push(choice);
    }
    Ok(Survey {
        account: here,
        at,
        choices,
        rows,
        calls: access.calls(),
    })
}

/// Goes on with what is open, and begins what is due.
///
/// # Errors
/// [`DriveError`] when the account cannot be looked at, or the journal cannot be read.
pub async fn round(
    driver: &Driver,
    config: &Config,
    account: &Account,
    entropy: &dyn Entropy,
    told: Told<'_>,
) -> Result<Round, DriveError> {
    let survey = survey(driver, account).await?;
    let open = open_in(driver, &survey.account).await?;
    let carry = |id: RotationId| -> BoxFuture<'_, _> {
        Box::pin(async move { driver.drive(&id, PATIENCE_SECS, told).await })
    };
    let carry = &carry;
    let going = stream::iter(open).map(|rotation| async move {
        let outcome = carry(rotation.id.clone()).await;
        Did {
            user: rotation.user,
            rotation: Some(rotation.id),
            outcome,
        }
    });
    let mut did: Vec<Did> = going.buffer_unordered(config.at_once).collect().await;
    let (begun, broke) = begin_due(driver, (config, account), &survey, entropy, carry).await?;
    did.extend(begun);
    let calls = driver.access(&account.access).await?.calls();
    Ok(Round {
        survey,
        did,
        broke,
        calls,
    })
}

/// Begins what is due, and has it carried on until it rests; the principal that signs comes last.
/// Says also whether it stopped after failures in a row.
///
/// # Errors
/// [`DriveError`] when the account cannot be reached.
pub async fn begin_due(
    driver: &Driver,
    (config, account): (&Config, &Account),
    survey: &Survey,
    entropy: &dyn Entropy,
    carry: Carry<'_>,
) -> Result<(Vec<Did>, bool), DriveError> {
    let due = survey
        .choices
        .iter()
        .filter_map(|choice| match choice.verdict {
            Verdict::Due(due) => Some((choice, due)),
            _ => None,
        });
    let mut due: Vec<_> = due.collect();
    let signer = driver.access(&account.access).await?.identity().arn.clone();
    let arn_ends = |choice: &Choice| signer.ends_with(&format!("/{}", choice.user));
    due.sort_by_key(|(choice, _)| arn_ends(choice));
    let last = due.last().is_some_and(|(choice, _)| arn_ends(choice));
    let own = if last { due.pop() } else { None };
    let mut waiting = due.into_iter();
    let mut going: FuturesUnordered<BoxFuture<'_, Did>> = FuturesUnordered::new();
    let (mut did, mut failures) = (Vec::new(), 0);
    loop {
        while failures < config.stop_after_failures
            && going.len() < config.at_once
            && let Some((choice, due)) = waiting.next()
        {
            going.push(Box::pin(begin(
                driver,
                account,
                choice,
                due,
                (entropy, carry),
            )));
        }
        let Some(one) = going.next().await else { break };
        failures = match one.outcome {
            Ok(Rest::Over(_) | Rest::Wait { .. }) => 0,
            Ok(Rest::Held(_)) | Err(_) => failures + 1,
        };
        did.push(one);
    }
    let mut broke = waiting.next().is_some();
    if let Some((choice, due)) = own {
        if failures >= config.stop_after_failures {
            broke = true;
        } else {
            did.push(begin(driver, account, choice, due, (entropy, carry)).await);
        }
    }
    Ok((did, broke))
}

async fn open_in(driver: &Driver, account: &str) -> Result<Vec<Rotation>, DriveError> {
    let mut open = Vec::new();
    for id in driver.journal().open().await? {
        let rotation = driver.journal().rotation(&id).await?;
        open.extend(rotation.filter(|rotation| rotation.account == account));
    }
    Ok(open)
}

/// Begins the rotation of one user, if the listing confirms what the report says; otherwise the
/// next report will tell.
async fn begin(
    driver: &Driver,
    account: &Account,
    choice: &Choice,
    due: Due,
    (entropy, carry): (&dyn Entropy, Carry<'_>),
) -> Did {
    let begun = try_begin(driver, account, choice, due, entropy).await;
    let (rotation, outcome) = match begun {
        Ok(None) => {
            let until = due.report.plus_secs(limits::CREDENTIAL_REPORT_HOURS * 3600);
            let why = "a new credential report: this one is not true of it any more".to_owned();
            (None, Ok(Rest::Wait { until, why }))
        }
        Ok(Some(id)) => {
            let outcome = carry(id.clone()).await;
            (Some(id), outcome)
        }
        Err(DriveError::Stopped(Stopped::Refused(hold))) => (None, Ok(Rest::Held(hold))),
        Err(DriveError::Stopped(Stopped::Absent(why))) => (None, Ok(Rest::Held(Hold::Sink(why)))),
        Err(error) => (None, Err(error)),
    };
    Did {
        user: choice.user.clone(),
        rotation,
        outcome,
    }
}

async fn try_begin(
    driver: &Driver,
    account: &Account,
    choice: &Choice,
    due: Due,
    entropy: &dyn Entropy,
) -> Result<Option<RotationId>, DriveError> {
    let access = driver.access(&account.access).await?;
    let number = access.identity().account.clone();
    let listing = match Iam(Arc::clone(&access)).keys(&choice.user).await {
        Ok(listing) => listing,
        // Renamed or deleted since the report was made.
        Err(IssuerError::NoSuchUser(_)) => return Ok(None),
        Err(error) => return Err(Stopped::from(error).into()),
    };
    let confirmed = listing
        .keys
        .iter()
        .find(|key| key.created.secs() == due.created.secs() && key.status == KeyStatus::Active);
    let Some(old) = confirmed.map(|key| key.id.clone()) else {
        // The report may be hours old, and somebody was faster.
        return Ok(None);
    };
    let rule = choice.rule.and_then(|number| account.rules.get(number));
    let sinks = rule.map(|rule| rule.sinks(&choice.user, &number));
    let sinks = sinks
        .transpose()
        .map_err(DriveError::Settings)?
        .unwrap_or_default();
    let order = Order {
        id: new_id(entropy),
        access: account.access.to_text(),
        by: access.identity().arn.clone(),
        rule: rule.and_then(|rule| rule.name.clone()),
        account: number,
        user: choice.user.clone(),
        old: Some(old),
        rules: rule.map_or(keywright_rotation::model::Rules::SAFE, super::Rule::rules),
        create: rule.is_some_and(|rule| rule.create),
        incident: false,
        override_unused: rule.and_then(|rule| rule.override_unused.clone()),
    };
    let rotation = driver.draft(&account.access, &sinks, order).await?;
    match driver.begin(&rotation).await {
        Ok(()) => Ok(Some(rotation.id)),
        Err(JournalError::Open(id)) => Ok(Some(id)),
        Err(error) => Err(error.into()),
    }
}
