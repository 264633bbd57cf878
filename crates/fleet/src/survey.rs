//! Surveys an account: its credential report, and what the report does not contain.
//!
//! Invariant: the report may be hours old. No user is called due or in need of a person before a
//! fresh listing of its keys and the journal agree.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::join_all;
use keywright_base::Timestamp;
use keywright_rotation::{
    model::{KeyId, Phase, RotationId},
    ports::{IamKeyStatus, Issuer, IssuerError, ListedKey},
};

use super::{
    config::FleetAccount,
    credentials::{CredentialRow, KeyRow, credentials},
    run::open_in,
    select::{KnownTags, RotationNeed, SurveyTime, UserSelection, choose},
};
use crate::driver::{DriveError, RotationDriver};
use keywright_aws::{AccessError, IamIssuer};

/// Users whose tags and keys are read concurrently.
const AT_ONCE: usize = 8;

/// Renamed or deleted since the report was generated.
const GONE: &str = "it no longer exists";

/// The result of a survey.
#[derive(Debug)]
pub struct AccountSurvey {
    /// The account number.
    pub account: String,
    /// When the report was generated, by the service's clock.
    pub at: Timestamp,
    /// Every user, in the order of the report.
    pub choices: Vec<UserSelection>,
    /// The report's rows, updated for users that were checked against a listing.
    pub rows: Vec<CredentialRow>,
    /// Calls that this process has made to the account so far.
    pub calls: u64,
}

/// Surveys every user. Makes two calls, one for each user whose tags a rule needs, and one for each
/// user that seems to be due or to have two keys.
///
/// # Errors
/// [`DriveError`]; also if the credentials belong to another account.
pub async fn survey(
    driver: &RotationDriver,
    account: &FleetAccount,
) -> Result<AccountSurvey, DriveError> {
    let access = driver.access(&account.access).await?;
    let here = access.identity().account.clone();
    if let Some(there) = account.id.as_ref().filter(|id| **id != here) {
        let there = there.clone();
        return Err(DriveError::Account { here, there });
    }
    let failed = |error| DriveError::Access(AccessError::Call(error));
    let (rows, at) = credentials(&access).await.map_err(failed)?;
    let open = open_in(driver, &here).await?.into_iter();
    let closer = CloserLook {
        driver,
        account,
        number: &here,
        iam: IamIssuer(Arc::clone(&access)),
        open: open.map(|rotation| (rotation.user, rotation.id)).collect(),
        time: SurveyTime {
            report: at,
            now: driver.now(),
        },
    };
    let mut choices = Vec::with_capacity(rows.len());
    let mut found = Vec::with_capacity(rows.len());
    for some in rows.chunks(AT_ONCE) {
        for looked in join_all(some.iter().map(|row| closer.at(row))).await {
            let (choice, row) = looked?;
            choices.push(choice);
            found.push(row);
        }
    }
    Ok(AccountSurvey {
        account: here,
        at,
        choices,
        rows: found,
        calls: access.calls(),
    })
}

/// The context for checking one user.
struct CloserLook<'a> {
    driver: &'a RotationDriver,
    account: &'a FleetAccount,
    number: &'a str,
    iam: IamIssuer,
    /// Open rotations by user name.
    open: HashMap<String, RotationId>,
    time: SurveyTime,
}

impl CloserLook<'_> {
    async fn at(&self, row: &CredentialRow) -> Result<(UserSelection, CredentialRow), DriveError> {
        let mut choice = choose(self.account, row, None, self.time);
        let mut tags = None;
        if choice.verdict == RotationNeed::AskTags {
            match self.iam.user(&row.user).await {
                Ok(user) => {
                    choice = choose(self.account, row, Some(&user.tags), self.time);
                    tags = Some(user.tags);
                }
                Err(IssuerError::NoSuchUser(_)) => {
                    choice.verdict = RotationNeed::Nothing(GONE.to_owned());
                }
                Err(error) => {
                    choice.verdict =
                        RotationNeed::Person(format!("its tags cannot be read: {error}"));
                    if !self.open.contains_key(&row.user) {
                        return Ok((choice, row.clone()));
                    }
                }
            }
        }
        if let Some(id) = self.open.get(&row.user) {
            // Both keys may belong to the open rotation. No other rotation starts.
            choice.verdict = RotationNeed::Nothing(format!("it has an open rotation: {id}"));
        }
        let two = row.keys.iter().all(|key| key.created.is_some());
        match &choice.verdict {
            RotationNeed::Due(_) => self.confirmed(row, choice, tags.as_deref()).await,
            RotationNeed::Person(_) if two => self.confirmed(row, choice, tags.as_deref()).await,
            _ => Ok((choice, row.clone())),
        }
    }

    /// Decides again, with the keys that exist now.
    async fn confirmed(
        &self,
        row: &CredentialRow,
        mut choice: UserSelection,
        tags: KnownTags<'_>,
    ) -> Result<(UserSelection, CredentialRow), DriveError> {
        let mut keys = match self.iam.keys(&row.user).await {
            Ok(listing) => listing.keys,
            Err(IssuerError::NoSuchUser(_)) => {
                choice.verdict = RotationNeed::Nothing(GONE.to_owned());
                return Ok((choice, row.clone()));
            }
            Err(error) => {
                // A user who is due fails with the same error when its rotation starts.
                if let RotationNeed::Person(why) = &mut choice.verdict {
                    *why = format!("it may have two keys, but they cannot be listed: {error}");
                }
                return Ok((choice, row.clone()));
            }
        };
        let of = Some((self.number, row.user.as_str()));
        let last = self.driver.journal().rotations(of, 1).await?.pop();
        if let Some(last) = last {
            let gone = removed_key(last.phase, last.old, last.new);
            keys.retain(|key| Some(&key.id) != gone.as_ref());
        }
        let fresh = with_keys(row, &keys);
        let mut choice = choose(self.account, &fresh, tags, self.time);
        match (&mut choice.verdict, keys.as_slice()) {
            (RotationNeed::Person(why), [_, _]) => *why = two_keys(&keys, &fresh),
            (RotationNeed::Due(due), [only]) => due.key = Some(only.id.clone()),
            _ => {}
        }
        Ok((choice, fresh))
    }
}

/// The key that a rotation has deleted. A listing may not show that yet.
fn removed_key(phase: Phase, old: KeyId, new: Option<KeyId>) -> Option<KeyId> {
    match phase {
        Phase::Done => Some(old),
        Phase::RolledBack => new,
        _ => None,
    }
}

/// A row with the keys that exist now. Last-used data still comes from the report.
fn with_keys(row: &CredentialRow, keys: &[ListedKey]) -> CredentialRow {
    let mut fresh = keys.iter().map(|key| {
        let mut known = row.keys.iter();
        let known =
            known.find(|known| known.created.map(Timestamp::secs) == Some(key.created.secs()));
        KeyRow {
            active: key.status == IamKeyStatus::Active,
            created: Some(key.created),
            used: known.and_then(|known| known.used),
        }
    });
    CredentialRow {
        keys: [
            fresh.next().unwrap_or_default(),
            fresh.next().unwrap_or_default(),
        ],
        ..row.clone()
    }
}

fn two_keys(keys: &[ListedKey], row: &CredentialRow) -> String {
    let each = keys.iter().zip(row.keys).map(|(key, known)| {
        let used = known.used.map_or_else(
            || "no known use".to_owned(),
            |at| format!("used {}", at.iso8601()),
        );
        let status = if known.active { "active" } else { "inactive" };
        format!(
            "{} created {}, {status}, {used}",
            key.id,
            key.created.iso8601()
        )
    });
    format!("it has two keys: {}", each.collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
