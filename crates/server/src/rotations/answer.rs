//! Rotations and what stands against them, in the words of the API: callers get the public names
//! of destinations, also inside of texts.

use keywright_aws::AccessError;
use keywright_base::{Timestamp, limits};
use keywright_fleet::driver::DriveError;
use keywright_fleet::journal::Event;
use keywright_identity::{
    Fault,
    fault::{Invalid, Missing, Quota, Taken},
    rotations::Whose,
};
use keywright_rotation::{
    execute::Stopped,
    model::{Delivery, Hold, Person, Rotation},
    ports::{IssuerError, JournalError},
};
use keywright_sinks::public_name;
use keywright_wire::keywright;

use super::{places::redact, work::Standing};

/// A rotation as it is answered.
pub(super) fn shown(rotation: &Rotation, standing: &Standing) -> keywright::Rotation {
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

/// The kind of a hold, for programs: its sentence is for people, and may change.
fn code(hold: &Hold) -> &'static str {
    match hold {
        Hold::SecondKey(_) => "SecondKey",
        Hold::OldKeyGone(_) => "OldKeyGone",
        Hold::NewKeyGone(_) => "NewKeyGone",
        Hold::Activated(_) => "KeyActivated",
        Hold::AnotherUser(_) => "AnotherUser",
        Hold::UserMissing(_) => "UserMissing",
        Hold::NotVerified(_) => "NotVerified",
        Hold::StillUsed(_) => "StillUsed",
        Hold::NewKeyUnused(_) => "NewKeyUnused",
        Hold::Sink(_) => "PlaceFailed",
        Hold::Refused(_) => "PermissionMissing",
        Hold::Marked(_) => "OtherRotation",
        Hold::NotOurs(_) => "NotOurs",
        Hold::Asked(_) => "Asked",
    }
}

/// What it waits for. A person's word has no time.
fn waiting(rotation: &Rotation, standing: &Standing) -> (Option<String>, Option<Timestamp>) {
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
        trouble: trouble.filter(|_| delivery.person == Person::Nothing),
    }
}

/// An event with its number.
pub(super) fn event(event: Event, names: Vec<String>) -> (i64, keywright::RotationEvent) {
    let shown = keywright::RotationEvent {
        event_time: Timestamp::from_millis(event.at),
        rotation_id: event.rotation,
        event: redact(&event.text, names),
        hash: event.hash,
    };
    (event.number, shown)
}

/// The journal failed.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where an error is mapped"
)]
pub(super) fn unusable(error: JournalError) -> Fault {
    Fault::Internal(error.to_string())
}

/// What stands against an order.
pub(super) fn failed(error: DriveError, user: &Whose) -> Fault {
    match error {
        DriveError::Stopped(Stopped::Refused(hold)) => refused(&hold, user),
        DriveError::Stopped(Stopped::Issuer(error)) => of_issuer(error, user),
        DriveError::Stopped(
            error @ (Stopped::TooLate(_)
            | Stopped::NothingToConfirm
            | Stopped::NotRetrieved(_)
            | Stopped::NothingToRetrieve
            | Stopped::Blind(_)
            | Stopped::Unresolved
            | Stopped::OwnKey(_)
            | Stopped::Destinations(_)
            | Stopped::Absent(_)),
        ) => Invalid::Other(format!("Nothing was done: {error}.")).into(),
        DriveError::Stopped(Stopped::Unknown(_)) => Missing::Rotation(user.name.clone()).into(),
        DriveError::Sink(error) => Invalid::Other(error.to_string()).into(),
        DriveError::Access(AccessError::Gone) => {
            Fault::AccessDenied("Whoever asks was deleted meanwhile.".to_owned())
        }
        error => Fault::Internal(error.to_string()),
    }
}

fn refused(hold: &Hold, user: &Whose) -> Fault {
    let name = &user.name;
    match hold {
        Hold::SecondKey(key) => Quota::SecondKey(format!(
            "User {name} has {} access keys, and a rotation needs room for a new one; the one that \
             is not to be replaced is {key}: delete it first, if nobody uses it.",
            limits::ACCESS_KEYS_PER_USER
        ))
        .into(),
        Hold::Marked(by) => Taken::Rotation(format!(
            "User {name} is marked by rotation {by}, which is not this server's own."
        ))
        .into(),
        hold => Invalid::Other(format!("The key of user {name} is not rotated: {hold}.")).into(),
    }
}

fn of_issuer(error: IssuerError, user: &Whose) -> Fault {
    match error {
        IssuerError::Denied { message, .. } => Fault::AccessDenied(message),
        IssuerError::NoSuchUser(name) => Missing::User(name).into(),
        IssuerError::NoSuchKey(key) => Missing::AccessKey(key.0).into(),
        IssuerError::TwoKeys => Quota::SecondKey(format!(
            "User {} has {} access keys already.",
            user.name,
            limits::ACCESS_KEYS_PER_USER
        ))
        .into(),
        error => Fault::Internal(error.to_string()),
    }
}

/// The whole names of a rotation's destinations.
pub(super) fn destinations(rotation: &Rotation) -> Vec<String> {
    let deliveries = rotation.deliveries.iter();
    deliveries.map(|delivery| delivery.sink.clone()).collect()
}

/// An error without what is in these names and not public.
pub(super) fn redacted(fault: Fault, names: impl IntoIterator<Item = String>) -> Fault {
    match fault {
        Fault::InvalidInput(Invalid::Other(text)) => Invalid::Other(redact(&text, names)).into(),
        fault => fault,
    }
}
