//! One round over an account: survey the users, continue open rotations, start those that are due.
//!
//! Invariants:
//!
//! - The report names a key by its creation date only. A listing confirms it before anything
//!   starts.
//! - The principal that signs the requests is rotated last.
//! - After several consecutive failures nothing more starts: the cause is not a single user.

use std::sync::Arc;

use futures_util::{
    StreamExt,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use keywright_base::{Entropy, limits};
use keywright_rotation::{
    execute::{NewRotation, TickError},
    model::{HoldReason, KeyId, Rotation, RotationId},
    ports::{IamKeyStatus, Issuer, IssuerError, JournalError, RotationJournal},
};

use super::{
    config::{FleetAccount, FleetConfig},
    select::{DueKey, RotationNeed, UserSelection},
    survey::AccountSurvey,
};
use crate::driver::{DriveError, DriveObserver, DriveOutcome, RotationDriver};
use keywright_aws::IamIssuer;

/// Seconds that a round waits for one rotation. The next round continues it.
const PATIENCE_SECS: i64 = 30;
/// Random bytes in a rotation ID.
const ID_BYTES: usize = 8;

/// What a round did about one rotation or user.
#[derive(Debug)]
pub struct DriveReport {
    /// The user.
    pub user: String,
    /// The rotation, if there is one.
    pub rotation: Option<RotationId>,
    /// The state it was left in, or why nothing started.
    pub outcome: Result<DriveOutcome, DriveError>,
}

/// The result of a round.
#[derive(Debug)]
pub struct FleetRound {
    /// The survey that it was based on.
    pub survey: AccountSurvey,
    /// What it did, in order of completion.
    pub drives: Vec<DriveReport>,
    /// Whether it stopped starting rotations after consecutive failures.
    pub broke: bool,
    /// Calls that this process has made to the account so far.
    pub calls: u64,
}

/// Drives a rotation until it has to wait.
pub type DriveRotation<'a> =
    &'a (dyn Fn(RotationId) -> BoxFuture<'a, Result<DriveOutcome, DriveError>> + Send + Sync);

/// Generates a random ID, which also serves as the rotation's idempotency token.
pub fn new_id(entropy: &dyn Entropy) -> RotationId {
    let mut bytes = [0; ID_BYTES];
    entropy.fill(&mut bytes);
    RotationId(format!("r-{}", hex::encode(bytes)))
}

/// Continues open rotations and, if `begins` is set, starts those that are due.
///
/// # Errors
/// [`DriveError`] if the account cannot be reached or the journal cannot be read.
pub async fn round(
    driver: &RotationDriver,
    (config, account): (&FleetConfig, &FleetAccount),
    (survey, begins): (AccountSurvey, bool),
    entropy: &dyn Entropy,
    observer: DriveObserver<'_>,
) -> Result<FleetRound, DriveError> {
    let open = open_in(driver, &survey.account).await?;
    for rotation in &open {
        let chosen = survey.choices.iter();
        let chosen = chosen.filter(|choice| choice.user == rotation.user);
        let mut rules = chosen.filter_map(|choice| account.rules.get(choice.rule?));
        if let Some(rule) = rules.next() {
            let calendar = account.calendar(rule);
            driver.set_calendar(&rotation.id, &calendar).await?;
        }
    }
    let drive_one = |id: RotationId| -> BoxFuture<'_, _> {
        Box::pin(async move { driver.drive(&id, PATIENCE_SECS, observer).await })
    };
    let drive_one = &drive_one;
    let going = stream::iter(open).map(|rotation| async move {
        let outcome = drive_one(rotation.id.clone()).await;
        DriveReport {
            user: rotation.user,
            rotation: Some(rotation.id),
            outcome,
        }
    });
    let mut did: Vec<DriveReport> = going.buffer_unordered(config.at_once).collect().await;
    let mut broke = false;
    if begins {
        let principal = (config, account);
        let (begun, stopped) = begin_due(driver, principal, &survey, entropy, drive_one).await?;
        did.extend(begun);
        broke = stopped;
    }
    let calls = driver.access(&account.access).await?.calls();
    Ok(FleetRound {
        survey,
        drives: did,
        broke,
        calls,
    })
}

/// Starts rotations that are due and drives each until it has to wait. The principal that signs
/// comes last. Also returns whether it stopped after consecutive failures.
///
/// # Errors
/// [`DriveError`] if the account cannot be reached.
pub async fn begin_due(
    driver: &RotationDriver,
    (config, account): (&FleetConfig, &FleetAccount),
    survey: &AccountSurvey,
    entropy: &dyn Entropy,
    drive_one: DriveRotation<'_>,
) -> Result<(Vec<DriveReport>, bool), DriveError> {
    let due = survey
        .choices
        .iter()
        .filter_map(|choice| match &choice.verdict {
            RotationNeed::Due(due) => Some((choice, due)),
            _ => None,
        });
    let mut due: Vec<_> = due.collect();
    let signer = driver.access(&account.access).await?.identity().arn.clone();
    let arn_ends = |choice: &UserSelection| signer.ends_with(&format!("/{}", choice.user));
    due.sort_by_key(|(choice, _)| arn_ends(choice));
    let last = due.last().is_some_and(|(choice, _)| arn_ends(choice));
    let own = if last { due.pop() } else { None };
    let mut waiting = due.into_iter();
    let mut going: FuturesUnordered<BoxFuture<'_, DriveReport>> = FuturesUnordered::new();
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
                (entropy, drive_one),
            )));
        }
        let Some(one) = going.next().await else { break };
        failures = match one.outcome {
            Ok(DriveOutcome::Over(_) | DriveOutcome::Wait { .. }) => 0,
            Ok(DriveOutcome::Held(_)) | Err(_) => failures + 1,
        };
        did.push(one);
    }
    let mut broke = waiting.next().is_some();
    if let Some((choice, due)) = own {
        if failures >= config.stop_after_failures {
            broke = true;
        } else {
            did.push(begin(driver, account, choice, due, (entropy, drive_one)).await);
        }
    }
    Ok((did, broke))
}

/// The open rotations of an account.
pub(super) async fn open_in(
    driver: &RotationDriver,
    account: &str,
) -> Result<Vec<Rotation>, DriveError> {
    let mut open = Vec::new();
    for id in driver.journal().open().await? {
        let rotation = driver.journal().rotation(&id).await?;
        open.extend(rotation.filter(|rotation| rotation.account == account));
    }
    Ok(open)
}

/// Starts the rotation of one user if a listing confirms the report. If not, the next report will
/// tell.
async fn begin(
    driver: &RotationDriver,
    account: &FleetAccount,
    choice: &UserSelection,
    due: &DueKey,
    (entropy, drive_one): (&dyn Entropy, DriveRotation<'_>),
) -> DriveReport {
    let begun = try_begin(driver, account, choice, due, entropy).await;
    let (rotation, outcome) = match begun {
        // Another rotator was faster, or the user was deleted.
        Ok(None)
        | Err(DriveError::Stopped(
            TickError::Refused(HoldReason::OldKeyGone(_) | HoldReason::OldKeyInactive(_))
            | TickError::Issuer(IssuerError::NoSuchUser(_)),
        )) => {
            let until = due.report.plus_secs(limits::CREDENTIAL_REPORT_HOURS * 3600);
            let why =
                "a new credential report: the current one is outdated for this user".to_owned();
            (None, Ok(DriveOutcome::Wait { until, why }))
        }
        Ok(Some(id)) => {
            let outcome = drive_one(id.clone()).await;
            (Some(id), outcome)
        }
        Err(DriveError::Stopped(TickError::Refused(hold))) => (None, Ok(DriveOutcome::Held(hold))),
        Err(DriveError::Stopped(TickError::Absent(why))) => {
            (None, Ok(DriveOutcome::Held(HoldReason::Sink(why))))
        }
        Err(error) => (None, Err(error)),
    };
    DriveReport {
        user: choice.user.clone(),
        rotation,
        outcome,
    }
}

async fn try_begin(
    driver: &RotationDriver,
    account: &FleetAccount,
    choice: &UserSelection,
    due: &DueKey,
    entropy: &dyn Entropy,
) -> Result<Option<RotationId>, DriveError> {
    let Some(rotation) = draft(driver, account, choice, due, entropy).await? else {
        return Ok(None);
    };
    match driver.begin(&rotation).await {
        Ok(()) => Ok(Some(rotation.id)),
        Err(JournalError::Open(id)) => Ok(Some(id)),
        Err(error) => Err(error.into()),
    }
}

/// The ID of the key that is due. `None` if it no longer exists.
async fn old_key(iam: &IamIssuer, user: &str, due: &DueKey) -> Result<Option<KeyId>, DriveError> {
    if let Some(key) = &due.key {
        return Ok(Some(key.clone()));
    }
    let listing = match iam.keys(user).await {
        Ok(listing) => listing,
        // Renamed or deleted since the report was generated.
        Err(IssuerError::NoSuchUser(_)) => return Ok(None),
        Err(error) => return Err(TickError::from(error).into()),
    };
    let mut listed = listing.keys.into_iter();
    let confirmed = listed
        .find(|key| key.created.secs() == due.created.secs() && key.status == IamKeyStatus::Active);
    Ok(confirmed.map(|key| key.id))
}

/// The rotation that a due user would get, with its destinations checked. `None` if the report no
/// longer applies. Changes and writes nothing.
///
/// # Errors
/// [`DriveError`], including the reasons that prevent the rotation.
pub async fn draft(
    driver: &RotationDriver,
    account: &FleetAccount,
    choice: &UserSelection,
    due: &DueKey,
    entropy: &dyn Entropy,
) -> Result<Option<Rotation>, DriveError> {
    let access = driver.access(&account.access).await?;
    let number = access.identity().account.clone();
    let Some(old) = old_key(&IamIssuer(Arc::clone(&access)), &choice.user, due).await? else {
        return Ok(None);
    };
    let rule = choice.rule.and_then(|number| account.rules.get(number));
    let sinks = rule.map(|rule| rule.sinks(&choice.user, &number));
    let sinks = sinks
        .transpose()
        .map_err(DriveError::Destination)?
        .unwrap_or_default();
    let order = NewRotation {
        id: new_id(entropy),
        access: account.access.to_text(),
        by: access.identity().arn.clone(),
        rule: rule.and_then(|rule| rule.name.clone()),
        account: number,
        user: choice.user.clone(),
        old: Some(old),
        rules: rule.map_or(
            keywright_rotation::model::RotationRules::SAFE,
            super::FleetRule::rules,
        ),
        create: rule.is_some_and(|rule| rule.create),
        incident: None,
        override_unused: rule.and_then(|rule| rule.override_unused.clone()),
    };
    let mut rotation = driver.draft(&account.access, &sinks, order).await?;
    // A server's own policies have neither windows nor freezes.
    let declared = rule.filter(|rule| rule.name.is_none());
    rotation.calendar = declared.map(|rule| account.calendar(rule).to_text());
    Ok(Some(rotation))
}
