//! Maps rotations and their errors to the API. Callers see the public names of destinations, also
//! inside texts.

use keywright_aws::AccessError;
use keywright_base::{Timestamp, limits};
use keywright_fleet::driver::DriveError;
use keywright_fleet::journal::RotationEvent;
use keywright_identity::{
    IamFault,
    fault::{ExistingEntity, InvalidInput, MissingEntity, ReachedQuota},
    rotations::UserRef,
};
use keywright_rotation::{
    execute::TickError,
    model::{Delivery, HoldReason, ManualStep, Rotation},
    ports::{IssuerError, JournalError},
};
use keywright_sinks::public_name;
use keywright_wire::keywright;

use super::{places::redact, work::DriveStatus};

/// A rotation as the API returns it.
pub(super) fn to_wire(rotation: &Rotation, standing: &DriveStatus) -> keywright::Rotation {
    let (waiting_for, waiting_until) = waiting(rotation, standing);
    let plain = |text: &str| redact(text, destinations(rotation));
    keywright::Rotation {
        rotation_id: rotation.id.0.clone(),
        user_name: rotation.user.clone(),
        user_id: rotation.user_id.clone(),
        old_access_key_id: rotation.old.0.clone(),
        new_access_key_id: rotation.new.as_ref().map(|key| key.0.clone()),
        phase: format!("{:?}", rotation.phase),
        phase_since: rotation.since,
        start_date: rotation.origin.at,
        started_by: rotation.origin.by.clone(),
        rotation_policy_name: rotation.origin.rule.clone(),
        observe_seconds: rotation.rules.observe_secs,
        dwell_seconds: rotation.rules.dwell_secs,
        incident: rotation.incident.is_some() || rotation.rules.observe_secs == 0,
        sessions_ended_date: rotation.incident.and_then(|it| it.sessions_ended),
        is_over: rotation.phase.is_over(),
        can_roll_back: rotation.phase.can_roll_back() && rotation.orphan.is_none(),
        held_reason: rotation.held.as_ref().map(|hold| plain(&hold.to_string())),
        held_code: rotation.held.as_ref().map(|hold| code(hold).to_owned()),
        waiting_for: waiting_for.as_deref().map(plain),
        waiting_until,
        trouble: standing.trouble.as_deref().map(plain),
        new_key_retrieved_date: rotation.retrieved,
        new_key_first_used_date: rotation.adopted.as_ref().map(|used| used.at),
        new_key_first_used_service: rotation.adopted.as_ref().map(|used| used.service.clone()),
        override_unused_reason: rotation.override_unused.clone(),
        can_retrieve_key: rotation.is_retrievable(),
        ended_because: rotation
            .why_back
            .as_deref()
            .filter(|_| rotation.phase.is_over())
            .map(plain),
        deliveries: rotation.deliveries.iter().map(delivery).collect(),
    }
}

/// The code of a hold, for programs. Its text is for people and may change.
fn code(hold: &HoldReason) -> &'static str {
    match hold {
        HoldReason::SecondKey(_) => "SecondKey",
        // The text says which of the two.
        HoldReason::OldKeyGone(_) | HoldReason::OldKeyInactive(_) => "OldKeyGone",
        HoldReason::NewKeyGone(_) => "NewKeyGone",
        HoldReason::Activated(_) => "KeyActivated",
        HoldReason::AnotherUser(_) => "AnotherUser",
        HoldReason::UserMissing(_) => "UserMissing",
        HoldReason::NotVerified(_) => "NotVerified",
        HoldReason::StillUsed(_) => "StillUsed",
        HoldReason::NewKeyUnused(_) => "NewKeyUnused",
        HoldReason::Sink(_) => "PlaceFailed",
        HoldReason::Refused(_) => "PermissionMissing",
        HoldReason::Marked(_) => "OtherRotation",
        HoldReason::NotOurs(_) => "NotOurs",
        HoldReason::Asked(_) => "Asked",
    }
}

/// What the rotation waits for, and until when. There is no time when it waits for a person.
fn waiting(rotation: &Rotation, standing: &DriveStatus) -> (Option<String>, Option<Timestamp>) {
    if rotation.held.is_some() || rotation.phase.is_over() {
        return (None, None);
    }
    let awaited = rotation.awaits_person();
    if let Some(delivery) = awaited.and_then(|at| rotation.deliveries.get(at)) {
        return (delivery.trouble.clone(), None);
    }
    match &standing.waiting {
        Some((why, until)) => (Some(why.clone()), Some(*until)),
        None => (None, None),
    }
}

fn delivery(delivery: &Delivery) -> keywright::RotationDelivery {
    let trouble = delivery.trouble.as_deref();
    let trouble = trouble.map(|text| redact(text, [delivery.sink.clone()]));
    keywright::RotationDelivery {
        place: public_name(&delivery.sink),
        stage: format!("{:?}", delivery.stage),
        failures: i32::try_from(delivery.failures).unwrap_or(i32::MAX),
        removed: delivery.removed,
        trouble: trouble.filter(|_| delivery.person == ManualStep::Nothing),
    }
}

/// An event with its number.
pub(super) fn event(event: RotationEvent, names: Vec<String>) -> (i64, keywright::RotationEvent) {
    let listed = keywright::RotationEvent {
        event_time: Timestamp::from_millis(event.at),
        rotation_id: event.rotation,
        event: redact(&event.text, names),
        hash: event.hash,
    };
    (event.number, listed)
}

/// The fault for a failure of the journal.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where an error is mapped"
)]
pub(super) fn unusable(error: JournalError) -> IamFault {
    IamFault::Internal(error.to_string())
}

/// The fault for an order that failed.
pub(super) fn failed(error: DriveError, user: &UserRef) -> IamFault {
    match error {
        DriveError::Stopped(TickError::Refused(hold)) => refused(&hold, user),
        DriveError::Stopped(TickError::Issuer(error)) => of_issuer(error, user),
        DriveError::Stopped(
            error @ (TickError::TooLate(_)
            | TickError::RollingBack(_)
            | TickError::NothingToConfirm
            | TickError::NotRetrieved(_)
            | TickError::NothingToRetrieve
            | TickError::Blind(_)
            | TickError::Unresolved
            | TickError::OwnKey(_)
            | TickError::Destinations(_)
            | TickError::NotNow(_)
            | TickError::Absent(_)),
        ) => InvalidInput::Other(format!("Nothing was done: {error}.")).into(),
        DriveError::Stopped(TickError::Unknown(_)) => {
            MissingEntity::Rotation(user.name.clone()).into()
        }
        DriveError::Sink(error) => InvalidInput::Other(error.to_string()).into(),
        DriveError::Access(AccessError::Gone) => {
            IamFault::AccessDenied("Whoever asks was deleted meanwhile.".to_owned())
        }
        error => IamFault::Internal(error.to_string()),
    }
}

fn refused(hold: &HoldReason, user: &UserRef) -> IamFault {
    let name = &user.name;
    match hold {
        HoldReason::SecondKey(key) => ReachedQuota::SecondKey(format!(
            "User {name} has {} access keys, and a rotation needs room for a new one; the one that \
             is not to be replaced is {key}: delete it first, if nobody uses it.",
            limits::ACCESS_KEYS_PER_USER
        ))
        .into(),
        HoldReason::Marked(by) => ExistingEntity::Rotation(format!(
            "User {name} is marked by rotation {by}, which is not this server's own."
        ))
        .into(),
        hold => {
            InvalidInput::Other(format!("The key of user {name} is not rotated: {hold}.")).into()
        }
    }
}

fn of_issuer(error: IssuerError, user: &UserRef) -> IamFault {
    match error {
        IssuerError::Denied { message, .. } => IamFault::AccessDenied(message),
        IssuerError::NoSuchUser(name) => MissingEntity::User(name).into(),
        IssuerError::NoSuchKey(key) => MissingEntity::AccessKey(key.0).into(),
        IssuerError::TwoKeys => ReachedQuota::SecondKey(format!(
            "User {} has {} access keys already.",
            user.name,
            limits::ACCESS_KEYS_PER_USER
        ))
        .into(),
        error => IamFault::Internal(error.to_string()),
    }
}

/// The full names of a rotation's destinations.
pub(super) fn destinations(rotation: &Rotation) -> Vec<String> {
    let deliveries = rotation.deliveries.iter();
    deliveries.map(|delivery| delivery.sink.clone()).collect()
}

/// A fault with these names replaced by public names.
pub(super) fn redacted(fault: IamFault, names: impl IntoIterator<Item = String>) -> IamFault {
    match fault {
        IamFault::InvalidInput(InvalidInput::Other(text)) => {
            InvalidInput::Other(redact(&text, names)).into()
        }
        fault => fault,
    }
}
