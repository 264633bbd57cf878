//! The planner: computes the next step as a pure function of the rotation and a fresh observation.
//!
//! Invariants: only the keys named in the rotation are touched. Unknown is never read as "never".
//! The old key is deactivated only after every sink has read back the new one, the new one was
//! verified again and the old one was quiet. It is deleted only after its dwell. The planner itself
//! does no I/O.

mod adoption;
mod delivery;
mod incident;
pub mod missing;

use keywright_base::Timestamp;

pub use self::adoption::{awaited, is_consumers};
use crate::{
    model::{Delivery, DeliveryStage, HoldReason, KeyId, NotedUse, OrphanedKey, Phase, Rotation},
    ports::{IamKeyStatus, InactiveKeyAttempt, IssuerUser, ListedKey, ObservedUse},
};

/// How long listings may lag behind a change, in seconds.
pub(crate) const SETTLE_SECS: i64 = 60;
/// How long an idempotency token is certain to be remembered, in seconds: two thirds of the
/// promised time.
const TOKEN_SECS: i64 = 600;
/// How long after the request a key may still be created, in seconds.
const CREATE_SECS: i64 = 300;
/// How long an orphan stays inactive before it is deleted, in seconds. No one has its secret.
const ORPHAN_DWELL_SECS: i64 = 3600;
/// How long a mark on the user is valid, in seconds.
const MARK_SECS: i64 = 3600;
/// How many quiet windows the old key may stay in use before a person must decide.
const PATIENCE: i64 = 30;
/// The tag that marks a user whose key is being rotated: `ROTATION-ID EXPIRY-SECONDS`.
pub const MARK: &str = keywright_base::ROTATION_MARK;

/// A fresh observation.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The user.
    pub user: IssuerUser,
    /// Its keys.
    pub keys: Vec<ListedKey>,
    /// The issuer's time.
    pub now: Timestamp,
    /// The last use of the key that [`evidence`] asks for.
    pub used: Option<ObservedUse>,
    /// The last use of the key that [`awaited`] asks for, if it is a consumer's.
    pub used_new: Option<ObservedUse>,
    /// The latest attempt with the key that [`resting`] asks for, if the issuer records attempts.
    pub tried: Option<InactiveKeyAttempt>,
    /// Whether the issuer supports idempotency tokens.
    pub repeats_create: bool,
    /// Whether a change may reach some of the issuer's servers later than others.
    pub lags: bool,
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanStep {
    /// Nothing more to do, ever.
    Over,
    /// Nothing to do until a person decides.
    Held,
    /// Nothing to do before this time.
    Wait {
        /// By the issuer's clock.
        until: Timestamp,
        /// What it waits for.
        why: String,
    },
    /// Hold the rotation for this reason.
    Hold(HoldReason),
    /// End the rotation: another came first, for this reason, and nothing was changed.
    Lose(HoldReason),
    /// Search by its keys for the user, which is not found by name.
    Seek,
    /// Record that the user is not found.
    Miss,
    /// Record the user's new name.
    Rename(String),
    /// Put this mark on the user.
    Mark(String),
    /// Enter a phase.
    Enter(Phase),
    /// Record that a consumer uses the new key.
    NoteAdoption(ObservedUse),
    /// Record the pre-image, then request the new key.
    Create,
    /// Request the new key again with the same token.
    CreateAgain,
    /// Record a key whose secret was lost.
    Adopt(KeyId),
    /// Record that the orphan is gone.
    Forget,
    /// Record that the orphan is inactive.
    OrphanRests,
    /// Verify the new key as often as the rules require.
    Verify,
    /// Stage a sink, by its index.
    Stage(usize),
    /// Write a sink.
    Write(usize),
    /// Read a sink back.
    ReadBack(usize),
    /// Restore a sink.
    Restore(usize),
    /// Activate or deactivate a key.
    SetStatus(KeyId, IamKeyStatus),
    /// End the sessions minted from the old key.
    EndSessions,
    /// Delete a key.
    Delete(KeyId),
}

/// The key whose last use the planner needs to know.
pub fn evidence(rotation: &Rotation) -> Option<&KeyId> {
    match (rotation.phase, &rotation.orphan) {
        (Phase::Planned, Some(orphan)) => Some(&orphan.key),
        (Phase::Observing | Phase::Confirming | Phase::Dwelling, _) => Some(&rotation.old),
        (Phase::Settling, _) => rotation.new.as_ref(),
        _ => None,
    }
}

/// The inactive key whose attempts the planner needs to know.
pub fn resting(rotation: &Rotation) -> Option<&KeyId> {
    matches!(rotation.phase, Phase::Dwelling | Phase::Deleting).then_some(&rotation.old)
}

/// Computes the next step.
pub fn plan(rotation: &Rotation, seen: &Observation) -> PlanStep {
    if rotation.phase.is_over() {
        return PlanStep::Over;
    }
    let urgent = rotation
        .held
        .as_ref()
        .map(|_| incident::urgent(rotation, seen));
    if urgent == Some(None) {
        return PlanStep::Held;
    }
    if seen.user.id != rotation.user_id {
        return PlanStep::Seek;
    }
    if let Some(step) = mark(rotation, seen) {
        return step;
    }
    if seen.now < rotation.not_before {
        return wait(rotation.not_before, "earlier changes to take effect");
    }
    let urgent = urgent.flatten();
    if let Some(step) = urgent.or_else(|| incident::under_way(rotation, seen)) {
        return step;
    }
    match rotation.phase {
        Phase::Planned => planned(rotation, seen),
        Phase::Creating => creating(rotation, seen),
        Phase::Created => created(rotation, seen),
        Phase::Distributing => delivery::distributing(rotation, seen),
        Phase::Observing => observing(rotation, seen),
        Phase::Confirming => confirming(rotation, seen),
        Phase::Deactivating => deactivating(rotation, seen),
        Phase::Dwelling => dwelling(rotation, seen),
        Phase::Deleting => deleting(rotation, seen),
        Phase::RollingBack => rolling_back(rotation, seen),
        Phase::Settling => settling(rotation, seen),
        Phase::Retiring => retiring(rotation, seen),
        Phase::Done | Phase::RolledBack | Phase::UserGone | Phase::Abandoned => PlanStep::Over,
    }
}

/// Whether [`plan`] needs no evidence of use, because a step of a leak response is due.
pub(crate) fn is_urgent(rotation: &Rotation, seen: &Observation) -> bool {
    if rotation.held.is_some() {
        return incident::urgent(rotation, seen).is_some();
    }
    let dwells = rotation.phase == Phase::Dwelling;
    let ends = || incident::urgent(rotation, seen) == Some(PlanStep::EndSessions);
    incident::under_way(rotation, seen).is_some() || dwells && ends()
}

/// Computes the next step once the user is marked.
pub(crate) fn plan_marked(rotation: &Rotation, seen: &mut Observation) -> PlanStep {
    let step = plan(rotation, seen);
    let PlanStep::Mark(mark) = step else {
        return step;
    };
    seen.user.tags.retain(|(key, _)| key != MARK);
    seen.user.tags.push((MARK.to_owned(), mark));
    plan(rotation, seen)
}

fn wait(until: Timestamp, why: impl Into<String>) -> PlanStep {
    let why = why.into();
    PlanStep::Wait { until, why }
}

/// The mark is a fence: a rotation that finds another's mark before it has changed anything has
/// lost; one that is under way waits until the mark is removed or expires.
fn mark(rotation: &Rotation, seen: &Observation) -> Option<PlanStep> {
    let marked = seen.user.tags.iter().find(|(key, _)| key == MARK);
    let (owner, left) = match marked.and_then(|(_, value)| value.split_once(' ')) {
        Some((owner, expiry)) => (owner, expiry.parse().unwrap_or(0) - seen.now.secs()),
        None => ("", 0),
    };
    let ours = owner == rotation.id.0;
    if !ours && left > 0 {
        if rotation.has_made_nothing() {
            return Some(PlanStep::Lose(HoldReason::Marked(owner.to_owned())));
        }
        let why = format!("rotation {owner}, which has marked the user, to end");
        return Some(wait(seen.now.plus_secs(left), why));
    }
    let fresh = ours && left > MARK_SECS / 2;
    let until = seen.now.secs() + MARK_SECS;
    (!fresh).then(|| PlanStep::Mark(format!("{} {until}", rotation.id)))
}

/// Records the old key's last use before a phase that ends it. Once the key is deleted, the service
/// no longer knows.
pub(crate) fn note_last_use(rotation: &mut Rotation, next: Phase, seen: &Observation) {
    if next == Phase::Deactivating && rotation.rules.observe_secs > 0 {
        let last = seen.used.as_ref().map(|used| used.at);
        rotation.last_known = Some(last.unwrap_or_default());
    }
    if next == Phase::Deleting {
        rotation.used_last = seen.used.clone().map(NotedUse::from);
    }
}

fn status(seen: &Observation, key: &KeyId) -> Option<IamKeyStatus> {
    let found = seen.keys.iter().find(|listed| listed.id == *key);
    found.map(|listed| listed.status)
}

/// Requires a working new key before anything continues.
fn new_key_gone(rotation: &Rotation, seen: &Observation) -> Option<PlanStep> {
    let new = rotation.new.as_ref()?;
    let lagging = seen.now < rotation.since.plus_secs(SETTLE_SECS);
    match status(seen, new) {
        Some(IamKeyStatus::Active) => None,
        None if lagging => None,
        _ => Some(PlanStep::Hold(HoldReason::NewKeyGone(new.clone()))),
    }
}

fn planned(rotation: &Rotation, seen: &Observation) -> PlanStep {
    if let Some(orphan) = &rotation.orphan {
        return orphaned(orphan, seen);
    }
    let first = rotation.incident.is_some_and(|it| it.deactivate_first);
    let against = match status(seen, &rotation.old) {
        None => Some(HoldReason::OldKeyGone(rotation.old.clone())),
        Some(IamKeyStatus::Inactive) if !first => {
            Some(HoldReason::OldKeyInactive(rotation.old.clone()))
        }
        Some(_) => {
            let second = seen.keys.iter().find(|key| key.id != rotation.old);
            second.map(|key| HoldReason::SecondKey(key.id.clone()))
        }
    };
    match against {
        None => incident::first(rotation, seen).unwrap_or(PlanStep::Create),
        Some(hold) if rotation.has_made_nothing() => PlanStep::Lose(hold),
        Some(hold) => PlanStep::Hold(hold),
    }
}

/// A key whose secret was lost can never be used. If it is used, it belongs to someone else.
fn orphaned(orphan: &OrphanedKey, seen: &Observation) -> PlanStep {
    if seen.used.is_some() {
        return PlanStep::Hold(HoldReason::NotOurs(orphan.key.clone()));
    }
    match (status(seen, &orphan.key), orphan.inactive_since) {
        (None, _) => PlanStep::Forget,
        (Some(IamKeyStatus::Active), Some(since)) => awake(since, seen, &orphan.key),
        (Some(IamKeyStatus::Inactive), Some(since)) => {
            let due = since.plus_secs(ORPHAN_DWELL_SECS);
            if seen.now < due {
                return wait(
                    due,
                    format!(
                        "{}, whose secret was lost, to have been inactive long enough",
                        orphan.key
                    ),
                );
            }
            PlanStep::Delete(orphan.key.clone())
        }
        (Some(IamKeyStatus::Active), None) => {
            PlanStep::SetStatus(orphan.key.clone(), IamKeyStatus::Inactive)
        }
        (Some(IamKeyStatus::Inactive), None) => PlanStep::OrphanRests,
    }
}

/// The new key may or may not exist. Only a listing can tell, or an issuer that knows the token.
fn creating(rotation: &Rotation, seen: &Observation) -> PlanStep {
    let requested = rotation.since;
    if seen.repeats_create && seen.now < requested.plus_secs(TOKEN_SECS) {
        return PlanStep::CreateAgain;
    }
    let known = |key: &&ListedKey| !rotation.pre_image.contains(&key.id);
    let extra: Vec<&ListedKey> = seen.keys.iter().filter(known).collect();
    let settled = requested.plus_secs(SETTLE_SECS);
    match extra.as_slice() {
        [] if seen.now < settled => wait(settled, "listings to show whether the key was created"),
        [] => PlanStep::Enter(Phase::Planned),
        [key] if key.created >= requested && key.created <= requested.plus_secs(CREATE_SECS) => {
            PlanStep::Adopt(key.id.clone())
        }
        [key, ..] => PlanStep::Hold(HoldReason::SecondKey(key.id.clone())),
    }
}

fn created(rotation: &Rotation, seen: &Observation) -> PlanStep {
    if let Some(step) = new_key_gone(rotation, seen) {
        return step;
    }
    if rotation.verified {
        return PlanStep::Enter(Phase::Distributing);
    }
    PlanStep::Verify
}

/// Since when the old key has been quiet, and the use that last interrupted it.
fn quiet_since<'a>(
    rotation: &Rotation,
    seen: &'a Observation,
) -> (Timestamp, Option<&'a ObservedUse>) {
    match &seen.used {
        Some(used) if used.at > rotation.since => (used.at, Some(used)),
        _ => (rotation.since, None),
    }
}

fn observing(rotation: &Rotation, seen: &Observation) -> PlanStep {
    if let Some(step) = new_key_gone(rotation, seen) {
        return step;
    }
    match status(seen, &rotation.old) {
        None => return gone(rotation),
        Some(IamKeyStatus::Inactive) => return PlanStep::Enter(Phase::Dwelling),
        Some(IamKeyStatus::Active) if rotation.is_incomplete() => {
            return PlanStep::Enter(Phase::Distributing);
        }
        Some(IamKeyStatus::Active) => {}
    }
    let window = rotation.rules.observe_secs;
    let (since, used) = quiet_since(rotation, seen);
    if seen.now >= since.plus_secs(window) {
        return PlanStep::Enter(Phase::Confirming);
    }
    let old = &rotation.old;
    let Some(used) = used else {
        return wait(since.plus_secs(window), format!("{old} to stay unused"));
    };
    let (service, region, at) = (&used.service, &used.region, used.at.iso8601());
    let last = format!("was used for {service} in {region} at {at}");
    let patience = rotation.since.plus_secs(window.saturating_mul(PATIENCE));
    if seen.now > patience {
        return PlanStep::Hold(HoldReason::StillUsed(format!("{old} {last}")));
    }
    let why = format!("{old} to stay unused: it {last}");
    wait(since.plus_secs(window), why)
}

fn confirming(rotation: &Rotation, seen: &Observation) -> PlanStep {
    if let Some(step) = new_key_gone(rotation, seen) {
        return step;
    }
    if rotation.is_incomplete() {
        return PlanStep::Enter(Phase::Distributing);
    }
    let window = rotation.rules.observe_secs;
    let recent = |used: &ObservedUse| window > 0 && seen.now < used.at.plus_secs(window);
    if seen.used.as_ref().is_some_and(recent) {
        return PlanStep::Enter(Phase::Observing);
    }
    if !rotation.verified {
        return PlanStep::Verify;
    }
    let next = |delivery: &Delivery, at| match delivery.stage {
        DeliveryStage::ReadBack => None,
        _ if delivery.removed => None,
        _ => Some(PlanStep::ReadBack(at)),
    };
    delivery::each(rotation, seen, next).unwrap_or(PlanStep::Enter(Phase::Deactivating))
}

fn deactivating(rotation: &Rotation, seen: &Observation) -> PlanStep {
    if let Some(step) = new_key_gone(rotation, seen) {
        return step;
    }
    match status(seen, &rotation.old) {
        None => gone(rotation),
        Some(IamKeyStatus::Inactive) => PlanStep::Enter(Phase::Dwelling),
        Some(IamKeyStatus::Active) if rotation.is_incomplete() => not_yet(rotation, seen),
        Some(IamKeyStatus::Active) => {
            PlanStep::SetStatus(rotation.old.clone(), IamKeyStatus::Inactive)
        }
    }
}

/// A destination was added when the old key was about to be deactivated. The deactivation may
/// already have happened while a listing lags, in which case there is no need to wait for quiet.
fn not_yet(rotation: &Rotation, seen: &Observation) -> PlanStep {
    let settled = rotation.since.plus_secs(SETTLE_SECS);
    if seen.lags && seen.now < settled {
        let old = &rotation.old;
        return wait(
            settled,
            format!("listings to show whether {old} is inactive"),
        );
    }
    PlanStep::Enter(Phase::Distributing)
}

/// What is left to do when another user deleted the old key. Destinations added since get the new
/// key first, and the sessions of a leaked key end once the deletion has reached the whole service.
fn gone(rotation: &Rotation) -> PlanStep {
    let left = rotation.is_incomplete() || rotation.incident.is_some();
    if left && rotation.phase != Phase::Dwelling {
        return PlanStep::Enter(Phase::Dwelling);
    }
    PlanStep::Enter(Phase::Done)
}

/// Why a key that should be inactive is active: a lagging listing, or someone activated it.
fn awake(since: Timestamp, seen: &Observation, key: &KeyId) -> PlanStep {
    let settled = since.plus_secs(SETTLE_SECS);
    if seen.now < settled {
        return wait(settled, "listings to show the key as inactive");
    }
    PlanStep::Hold(HoldReason::Activated(key.clone()))
}

fn dwelling(rotation: &Rotation, seen: &Observation) -> PlanStep {
    let step = incident::unended(rotation)
        .or_else(|| new_key_gone(rotation, seen))
        .or_else(|| adoption::noted(rotation, seen));
    if let Some(step) = step {
        return step;
    }
    let old = &rotation.old;
    let there = match status(seen, old) {
        None => false,
        Some(IamKeyStatus::Active) => return awake(rotation.since, seen, old),
        Some(IamKeyStatus::Inactive) => true,
    };
    let step = incident::sessions(rotation, seen, rotation.since);
    // Destinations added while the old key is inactive: nothing is deleted before they have the new
    // key.
    if let Some(step) = step.or_else(|| delivery::undelivered(rotation, seen)) {
        return step;
    }
    if !there {
        return gone(rotation);
    }
    let due = rotation.since.plus_secs(rotation.rules.dwell_secs);
    if seen.now < due {
        return wait(due, format!("{old} to have been inactive long enough"));
    }
    used_before(rotation, seen)
        .or_else(|| still_tried(rotation, seen, due))
        .or_else(|| adoption::missing(rotation, seen, due))
        .unwrap_or(PlanStep::Enter(Phase::Deleting))
}

/// A use in the quiet window that was published late: that consumer is denied now.
fn used_before(rotation: &Rotation, seen: &Observation) -> Option<PlanStep> {
    let known = rotation.last_known?;
    let used = seen.used.as_ref().filter(|used| used.at > known)?;
    let (service, region) = (&used.service, &used.region);
    Some(PlanStep::Hold(HoldReason::StillUsed(format!(
        "{} was used for {service} in {region} at {}, shortly before it was deactivated",
        rotation.old,
        used.at.iso8601()
    ))))
}

/// A deletion cannot be undone, so the consumer that still tries the key must be found first. A
/// rotation that does not wait for quiet does not wait here either, because the key has leaked.
fn still_tried(rotation: &Rotation, seen: &Observation, due: Timestamp) -> Option<PlanStep> {
    let window = rotation.rules.observe_secs;
    let tried = seen.tried.as_ref()?;
    let quiet = tried.at.plus_secs(window);
    if window == 0 || quiet <= seen.now {
        return None;
    }
    let old = &rotation.old;
    let last = format!(
        "was tried for {} from {} ({}) at {}",
        tried.action,
        tried.source_address,
        tried.user_agent,
        tried.at.iso8601()
    );
    if seen.now > due.plus_secs(window.saturating_mul(PATIENCE)) {
        let why = format!("{old} {last}");
        return Some(PlanStep::Hold(HoldReason::StillUsed(why)));
    }
    Some(wait(quiet, format!("{old} to stay unused: it {last}")))
}

fn deleting(rotation: &Rotation, seen: &Observation) -> PlanStep {
    if let Some(step) = new_key_gone(rotation, seen) {
        return step;
    }
    match status(seen, &rotation.old) {
        Some(IamKeyStatus::Active) => PlanStep::Hold(HoldReason::Activated(rotation.old.clone())),
        None => incident::unended(rotation).unwrap_or(PlanStep::Enter(Phase::Done)),
        Some(IamKeyStatus::Inactive) => {
            incident::unended(rotation).unwrap_or_else(|| PlanStep::Delete(rotation.old.clone()))
        }
    }
}

fn rolling_back(rotation: &Rotation, seen: &Observation) -> PlanStep {
    if rotation.new.is_none() && rotation.inactive_first().is_none() {
        return PlanStep::Enter(Phase::RolledBack);
    }
    match status(seen, &rotation.old) {
        None => return PlanStep::Hold(HoldReason::OldKeyGone(rotation.old.clone())),
        // A listing may lag behind the deactivation, so activate the key once whatever the listing
        // shows.
        Some(status) if status == IamKeyStatus::Inactive || !rotation.reactivated => {
            return PlanStep::SetStatus(rotation.old.clone(), IamKeyStatus::Active);
        }
        Some(_) => {}
    }
    if rotation.new.is_none() {
        return PlanStep::Enter(Phase::RolledBack);
    }
    let next = |delivery: &Delivery, at| match delivery.stage {
        DeliveryStage::Writing | DeliveryStage::Written | DeliveryStage::ReadBack => {
            Some(PlanStep::Restore(at))
        }
        DeliveryStage::Pending | DeliveryStage::Staged | DeliveryStage::Restored => None,
    };
    if let Some(step) = delivery::each(rotation, seen, next) {
        return step;
    }
    if was_delivered(rotation) {
        return PlanStep::Enter(Phase::Settling);
    }
    match &rotation.new {
        Some(new) if status(seen, new) == Some(IamKeyStatus::Active) => {
            PlanStep::SetStatus(new.clone(), IamKeyStatus::Inactive)
        }
        _ => PlanStep::Enter(Phase::Retiring),
    }
}

/// Whether a consumer may have got the new key pair before the rollback.
fn was_delivered(rotation: &Rotation) -> bool {
    let restored = |delivery: &Delivery| delivery.stage == DeliveryStage::Restored;
    rotation.deliveries.iter().any(restored)
}

/// Consumers that still hold the new key pair get as much time to return as they had to switch.
fn settling(rotation: &Rotation, seen: &Observation) -> PlanStep {
    let Some(new) = &rotation.new else {
        return PlanStep::Enter(Phase::RolledBack);
    };
    match status(seen, new) {
        None => return PlanStep::Enter(Phase::RolledBack),
        Some(IamKeyStatus::Inactive) => return PlanStep::Enter(Phase::Retiring),
        Some(IamKeyStatus::Active) => {}
    }
    let (since, _) = quiet_since(rotation, seen);
    let due = since.plus_secs(rotation.settle_secs());
    if seen.now < due {
        return wait(due, format!("{new} to stay unused"));
    }
    PlanStep::SetStatus(new.clone(), IamKeyStatus::Inactive)
}

fn retiring(rotation: &Rotation, seen: &Observation) -> PlanStep {
    let Some(new) = &rotation.new else {
        return PlanStep::Enter(Phase::RolledBack);
    };
    match status(seen, new) {
        None => return PlanStep::Enter(Phase::RolledBack),
        Some(IamKeyStatus::Active) => return awake(rotation.since, seen, new),
        Some(IamKeyStatus::Inactive) => {}
    }
    let due = rotation.since.plus_secs(rotation.rules.dwell_secs);
    if was_delivered(rotation) && seen.now < due {
        return wait(due, format!("{new} to have been inactive long enough"));
    }
    PlanStep::Delete(new.clone())
}
