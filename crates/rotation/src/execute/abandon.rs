//! Ends a rotation early: a person abandoned it, or another rotation won.
//!
//! Invariants:
//!
//! - No key that anyone may hold is touched: what works keeps working, and the history lists what
//!   is left.
//! - Nothing can block the end: what cannot be inspected is reported and the rotation ends anyway,
//!   so that no user stays blocked.

use std::fmt::Write;

use keywright_base::Timestamp;

use super::{Executor, TickError, TickOutcome, TickResult, UserLookup};
use crate::{
    model::{DeliveryStage, HoldReason, KeyId, Phase, Rotation, RotationId},
    plan::{MARK, Observation},
    ports::{IamKeyStatus, IssuerError, JournalError, ListedKey, RotationJournal},
};

/// Ends a rotation whose service can no longer be reached the way it was when the rotation began.
///
/// # Errors
/// [`TickError::Unknown`], [`TickError::TooLate`], [`TickError::Journal`].
pub async fn abandon_unseen(
    journal: &dyn RotationJournal,
    id: &RotationId,
    (why, because): (&str, &str),
    at: Timestamp,
) -> Result<(), TickError> {
    let found = journal.rotation(id).await?;
    let rotation = found.ok_or_else(|| TickError::Unknown(id.clone()))?;
    check_open(&rotation)?;
    let left = statement(&rotation, Err(because));
    Ok(end(journal, rotation, (why, &left), at).await?)
}

impl Executor<'_> {
    /// Ends a rotation as it is. Deletes the new key if no one can have it; leaves every other key
    /// and every sink unchanged. The history lists what is left.
    ///
    /// # Errors
    /// [`TickError::TooLate`] when the rotation is over, [`TickError::Journal`].
    pub async fn abandon(&self, id: &RotationId, why: &str) -> Result<(), TickError> {
        let mut rotation = self.load(id).await?;
        check_open(&rotation)?;
        let now = self.clock.now();
        let early = matches!(rotation.phase, Phase::Created | Phase::Distributing);
        if early && is_in_nobodys_hands(&rotation) {
            // Hold first, then delete the key: if this is interrupted, nothing proceeds, and
            // releasing the hold makes the engine verify the key again before it delivers it.
            rotation.held = Some(HoldReason::Asked(format!(
                "the rotation is being abandoned: {why}"
            )));
            rotation.enter(Phase::Created, now);
            rotation.generation += 1;
            self.journal
                .advance(&rotation, "abandoning the rotation")
                .await?;
        }
        let left = match self.look_and_clean(&rotation).await {
            Ok(keys) => statement(&rotation, Ok(&keys)),
            Err(error) => statement(&rotation, Err(&error.to_string())),
        };
        end(self.journal, rotation, (why, &left), now).await?;
        Ok(())
    }

    /// Deletes the new key if no one can have it, removes the mark, and lists what is left.
    async fn look_and_clean(&self, rotation: &Rotation) -> Result<Vec<ListedKey>, IssuerError> {
        let UserLookup::User(user) = self.find(rotation).await? else {
            return Err(IssuerError::NoSuchUser(rotation.user.clone()));
        };
        if let Some(new) = &rotation.new
            && is_in_nobodys_hands(rotation)
        {
            let put_away = self.put_away(rotation, new).await;
            if let Err(error) = put_away
                && !matches!(error, IssuerError::NoSuchKey(_))
            {
                return Err(error);
            }
        }
        let listing = self.issuer.keys(&rotation.user).await?;
        if is_marked(rotation, &user.tags) {
            self.issuer.untag(&rotation.user, MARK).await?;
        }
        Ok(listing.keys)
    }

    async fn put_away(&self, rotation: &Rotation, key: &KeyId) -> Result<(), IssuerError> {
        let user = &rotation.user;
        let inactive = IamKeyStatus::Inactive;
        self.issuer.set_status(user, key, inactive).await?;
        self.issuer.delete(user, key).await
    }

    /// Another rotation came first and this one has changed nothing yet: end it and report the
    /// winner.
    pub(super) async fn lose(
        &self,
        rotation: Rotation,
        hold: HoldReason,
        seen: &Observation,
    ) -> TickResult {
        if is_marked(&rotation, &seen.user.tags) {
            self.issuer.untag(&rotation.user, MARK).await?;
        }
        let left = "nothing was changed";
        let why = hold.to_string();
        end(self.journal, rotation, (&why, left), seen.now).await?;
        Ok(TickOutcome::Progressed(format!("ended: {why}; {left}")))
    }
}

const fn check_open(rotation: &Rotation) -> Result<(), TickError> {
    if rotation.phase.is_over() {
        return Err(TickError::TooLate(rotation.phase));
    }
    Ok(())
}

fn is_marked(rotation: &Rotation, tags: &[(String, String)]) -> bool {
    let ours = |value: &str| value.split(' ').next() == Some(rotation.id.0.as_str());
    tags.iter().any(|(key, value)| key == MARK && ours(value))
}

/// Whether the new key pair was never in any sink and no person has retrieved it.
fn is_in_nobodys_hands(rotation: &Rotation) -> bool {
    let untouched =
        |stage: DeliveryStage| matches!(stage, DeliveryStage::Pending | DeliveryStage::Staged);
    let mut deliveries = rotation.deliveries.iter();
    rotation.retrieved.is_none() && deliveries.all(|delivery| untouched(delivery.stage))
}

async fn end(
    journal: &dyn RotationJournal,
    mut rotation: Rotation,
    (why, left): (&str, &str),
    at: Timestamp,
) -> Result<(), JournalError> {
    rotation.held = None;
    rotation.missing = None;
    rotation.why_back = Some(format!("{why}; {left}"));
    rotation.enter(Phase::Abandoned, at);
    rotation.generation += 1;
    journal
        .advance(&rotation, &format!("ended: {why}; {left}"))
        .await
}

/// Describes what is left of a rotation, for the person who cleans up.
fn statement(rotation: &Rotation, keys: Result<&[ListedKey], &str>) -> String {
    let mut text = match keys {
        Ok(keys) => {
            let each = keys
                .iter()
                .map(|key| format!("{} {}", role(rotation, key), status(key)));
            let each: Vec<_> = each.collect();
            format!("remaining keys: {}", each.join(", "))
        }
        Err(why) => {
            let new = rotation.new.as_ref().map(|key| format!(" and {key}"));
            let new = new.unwrap_or_default();
            format!(
                "not checked and left unchanged: {}{new} ({why})",
                rotation.old
            )
        }
    };
    if rotation.phase == Phase::Creating {
        text.push_str("; it is unknown whether a new key was created");
    }
    for delivery in &rotation.deliveries {
        let holds = match delivery.stage {
            DeliveryStage::Pending | DeliveryStage::Staged | DeliveryStage::Restored => {
                "does not hold the new key"
            }
            DeliveryStage::Writing => "holds the old or the new key",
            DeliveryStage::Written | DeliveryStage::ReadBack => "holds the new key",
        };
        // Writing to a `String` cannot fail.
        let _ = write!(text, "; {} {holds}", delivery.sink);
    }
    text
}

fn role(rotation: &Rotation, key: &ListedKey) -> String {
    let id = &key.id;
    let orphan = rotation.orphan.as_ref().map(|orphan| &orphan.key);
    let before = rotation.pre_image.contains(id);
    match Some(id) {
        found if *id == rotation.old || found == rotation.new.as_ref() => id.to_string(),
        found if found == orphan => format!("{id}, whose secret was lost,"),
        _ if rotation.phase == Phase::Creating && !before => {
            format!("{id}, which this rotation may have created and whose secret is lost,")
        }
        _ => format!("{id}, which does not belong to this rotation,"),
    }
}

const fn status(key: &ListedKey) -> &'static str {
    match key.status {
        IamKeyStatus::Active => "active",
        IamKeyStatus::Inactive => "inactive",
    }
}
