//! Searches for a user that is not found by name, using the keys it had.
//!
//! Invariant: a rotation follows its user by unique ID, never by name, because another user may
//! have the name now. The planner decides what to do with the result.

use keywright_base::Timestamp;

use super::{Executor, TickError, TickOutcome, TickResult, is_intended};
use crate::{
    model::{HoldReason, KeyId, KeyPair, MissingUser, Phase, Rotation, RotationId},
    plan::{
        PlanStep,
        missing::{OwnerTrace, missing, new_is_active, old_is_active},
    },
    ports::{IssuerError, IssuerUser, JournalError, KeyCheck, KeyOwnership, RotationJournal},
};

/// The owner of the name of the rotation's user.
pub(super) enum UserLookup {
    /// The user.
    User(IssuerUser),
    /// No user, or another user with this unique ID.
    Missing(Option<String>),
}

/// Ends a rotation whose user no longer exists. It makes no calls: the credentials for them may be
/// gone together with the user.
///
/// # Errors
/// [`JournalError`].
pub async fn end_without_user(
    journal: &dyn RotationJournal,
    id: &RotationId,
    at: Timestamp,
) -> Result<(), JournalError> {
    let Some(rotation) = journal.rotation(id).await? else {
        return Ok(());
    };
    let event = format!("there is no longer a user {}", rotation.user);
    journal.advance(&ended(rotation, at), &event).await
}

fn ended(mut rotation: Rotation, at: Timestamp) -> Rotation {
    rotation.held = None;
    rotation.missing = None;
    rotation.enter(Phase::UserGone, at);
    rotation.generation += 1;
    rotation
}

impl Executor<'_> {
    pub(super) async fn find(&self, rotation: &Rotation) -> Result<UserLookup, IssuerError> {
        match self.issuer.user(&rotation.user).await {
            Ok(user) if user.id == rotation.user_id => Ok(UserLookup::User(user)),
            Ok(other) => Ok(UserLookup::Missing(Some(other.id))),
            Err(IssuerError::NoSuchUser(_)) => Ok(UserLookup::Missing(None)),
            Err(error) => Err(error),
        }
    }

    /// A held rotation waits for a person, but not forever if its user has been deleted meanwhile.
    pub(super) async fn look_while_held(&self, rotation: Rotation, hold: HoldReason) -> TickResult {
        let looked = match self.find(&rotation).await {
            Ok(UserLookup::Missing(other)) => self.seek(rotation, other).await,
            Ok(UserLookup::User(_)) if rotation.missing.is_some() => {
                self.there_again(rotation).await
            }
            // A failure here is inconclusive, and there was nothing to do anyway.
            Ok(UserLookup::User(_)) | Err(_) => return Ok(TickOutcome::Held(hold)),
        };
        match looked {
            Ok(looked @ (TickOutcome::Progressed(_) | TickOutcome::Held(_))) => Ok(looked),
            _ => Ok(TickOutcome::Held(hold)),
        }
    }

    pub(super) async fn there_again(&self, mut rotation: Rotation) -> TickResult {
        rotation.missing = None;
        self.note_check(&mut rotation);
        self.advance(rotation, "the user was found again").await
    }

    /// Records that the search for the user may have called the service with the new key pair.
    fn note_check(&self, rotation: &mut Rotation) {
        if rotation.checked.is_some() {
            rotation.checked = Some(self.clock.now());
        }
    }

    /// Searches for the user by its keys and carries out the planner's decision.
    pub(super) async fn seek(&self, mut rotation: Rotation, other: Option<String>) -> TickResult {
        let traces = self.traces(&rotation).await?;
        let (now, lags) = (self.clock.now(), self.issuer.lags_secs());
        let seen = (traces.as_slice(), other.as_deref());
        match missing(&rotation, seen, now, lags) {
            PlanStep::Rename(name) => {
                let event = format!("user {} was renamed to {name}", rotation.user);
                rotation.user = name;
                rotation.missing = None;
                self.note_check(&mut rotation);
                self.advance(rotation, &event).await
            }
            PlanStep::Miss => {
                let before = rotation.missing;
                rotation.missing = Some(MissingUser {
                    since: before.map_or(now, |missing| missing.since),
                    last: now,
                    looks: before.map_or(0, |missing| missing.looks).saturating_add(1),
                });
                let event = format!("there is no user {}", rotation.user);
                self.advance(rotation, &event).await
            }
            PlanStep::Enter(_) => {
                let why = "its keys were deleted with it, and nothing is left to do";
                self.end(rotation, why, now).await
            }
            PlanStep::Wait { until, why } => Ok(TickOutcome::Wait { until, why }),
            PlanStep::Hold(hold) if rotation.held.as_ref() != Some(&hold) => {
                self.hold(rotation, hold).await
            }
            _ => Ok(rotation.held.map_or(TickOutcome::Over, TickOutcome::Held)),
        }
    }

    /// Ends a rotation whose user has been deleted.
    pub(super) async fn end(&self, rotation: Rotation, why: &str, at: Timestamp) -> TickResult {
        let event = format!("there is no longer a user {}: {why}", rotation.user);
        self.journal.advance(&ended(rotation, at), &event).await?;
        Ok(TickOutcome::Progressed(event))
    }

    /// What the keys reveal: first ask the service about each key, then try the key pairs
    /// themselves.
    async fn traces(&self, rotation: &Rotation) -> Result<Vec<OwnerTrace>, TickError> {
        let orphan = rotation.orphan.as_ref().map(|orphan| &orphan.key);
        let keys = [rotation.new.as_ref(), orphan, Some(&rotation.old)];
        let mut traces = Vec::new();
        for key in keys.into_iter().flatten() {
            traces.push(self.owner(rotation, key).await?);
        }
        let found = |traces: &[OwnerTrace]| {
            traces
                .iter()
                .any(|trace| matches!(trace, OwnerTrace::Owner(_)))
        };
        if let Some(new) = rotation.pair()
            && new_is_active(rotation)
            && !found(&traces)
        {
            traces.push(self.identity(rotation, &new).await?);
        }
        if let Some(old) = rotation.old_pair()
            && old_is_active(rotation)
            && !found(&traces)
        {
            // Anyone may have withdrawn this key, so only acceptance is informative.
            let accepted = self.identity(rotation, &old).await?;
            traces.extend(Some(accepted).filter(|trace| *trace != OwnerTrace::Refused));
        }
        Ok(traces)
    }

    async fn owner(&self, rotation: &Rotation, key: &KeyId) -> Result<OwnerTrace, TickError> {
        let name = match self.usage.owner(key).await? {
            KeyOwnership::User(name) => name,
            KeyOwnership::Nobody => return Ok(OwnerTrace::NoKey),
            KeyOwnership::Undisclosed => return Ok(OwnerTrace::Silent),
        };
        match self.issuer.user(&name).await {
            Ok(user) if user.id == rotation.user_id => Ok(OwnerTrace::Owner(user.name)),
            // The user may have been renamed again meanwhile.
            Ok(_) | Err(IssuerError::NoSuchUser(_)) => Ok(OwnerTrace::Silent),
            Err(error) => Err(error.into()),
        }
    }

    async fn identity(&self, rotation: &Rotation, pair: &KeyPair) -> Result<OwnerTrace, TickError> {
        Ok(match self.issuer.verify(pair, 0).await? {
            KeyCheck::Accepted(identity) if is_intended(rotation, &identity) => {
                let name = identity.arn.rsplit('/').next().unwrap_or_default();
                OwnerTrace::Owner(name.to_owned())
            }
            KeyCheck::Accepted(_) => OwnerTrace::Silent,
            KeyCheck::NotKnown => OwnerTrace::Refused,
        })
    }
}
