//! The planner's checks before steps that cannot be undone. Worlds in which each check alone makes
//! the difference are rare, so they are table rows here.

use keywright_base::{Secret, Timestamp};

use crate::{
    model::{DeliveryStage, HoldReason, KeyId, OrphanedKey, Phase, Rotation, RotationRules},
    plan::{MARK, Observation, PlanStep, plan},
    ports::{IamKeyStatus, IssuerUser, ListedKey, ObservedUse},
    simulator::{SharedWorld, SimRotator, SimWorld, live},
};

const HOUR: i64 = 3600;

fn old() -> KeyId {
    KeyId("AKIA0000000000000001".to_owned())
}

fn new() -> KeyId {
    KeyId("AKIA0000000000000002".to_owned())
}

/// A rotation with two destinations that has been in a phase for a week, and an observation in
/// which all is well.
fn at(phase: Phase) -> (Rotation, Observation) {
    let shared = SharedWorld::new(SimWorld::new(2));
    let rotator = SimRotator::new(&shared, 0);
    live(rotator.begin(RotationRules::SAFE)).unwrap().unwrap();
    let mut rotation = rotator.rotation().unwrap();
    let now = rotation.since.plus_secs(7 * 24 * HOUR);
    rotation.phase = phase;
    rotation.new = Some(new());
    rotation.secrets.new = Some(Secret::new("secret-2".to_owned()));
    rotation.pre_image = vec![old()];
    rotation.verified = true;
    for delivery in &mut rotation.deliveries {
        delivery.stage = DeliveryStage::ReadBack;
    }
    let key = |id, status| ListedKey {
        id,
        status,
        created: rotation.origin.at,
    };
    let resting = matches!(phase, Phase::Dwelling | Phase::Deleting);
    let status = if resting {
        IamKeyStatus::Inactive
    } else {
        IamKeyStatus::Active
    };
    let mark = format!("{} {}", rotation.id, now.secs() + HOUR);
    let seen = Observation {
        user: IssuerUser {
            id: rotation.user_id.clone(),
            arn: String::new(),
            name: rotation.user.clone(),
            tags: vec![(MARK.to_owned(), mark)],
        },
        keys: vec![key(old(), status), key(new(), IamKeyStatus::Active)],
        now,
        used_new: None,
        used: None,
        tried: None,
        repeats_create: false,
        lags: true,
    };
    (rotation, seen)
}

fn used(at: Timestamp) -> Option<ObservedUse> {
    Some(ObservedUse {
        at,
        service: "s3".to_owned(),
        region: "us-east-1".to_owned(),
    })
}

#[test]
fn before_the_old_key_is_deactivated_everything_is_looked_at_once_more() {
    let (mut rotation, mut seen) = at(Phase::Confirming);
    assert_eq!(plan(&rotation, &seen), PlanStep::Enter(Phase::Deactivating));
    rotation.deliveries[1].stage = DeliveryStage::Written;
    assert_eq!(plan(&rotation, &seen), PlanStep::ReadBack(1));
    rotation.verified = false;
    assert_eq!(plan(&rotation, &seen), PlanStep::Verify);
    // It was used after it was reported quiet.
    seen.used = used(seen.now.plus_secs(-HOUR));
    assert_eq!(plan(&rotation, &seen), PlanStep::Enter(Phase::Observing));
    // A rotation that does not wait for quiet does not go back for it.
    rotation.rules = RotationRules::INCIDENT;
    assert_eq!(plan(&rotation, &seen), PlanStep::Verify);
}

#[test]
fn nothing_is_taken_away_without_a_new_key_that_works() {
    for phase in [
        Phase::Created,
        Phase::Distributing,
        Phase::Observing,
        Phase::Confirming,
        Phase::Deactivating,
        Phase::Dwelling,
        Phase::Deleting,
    ] {
        let (mut rotation, seen) = at(phase);
        let is_held = |seen: &Observation, rotation: &Rotation| {
            plan(rotation, seen) == PlanStep::Hold(HoldReason::NewKeyGone(new()))
        };
        assert!(!is_held(&seen, &rotation), "{phase:?}");
        let mut gone = seen.clone();
        gone.keys.pop();
        assert!(is_held(&gone, &rotation), "{phase:?}");
        let mut inactive = seen.clone();
        inactive.keys[1].status = IamKeyStatus::Inactive;
        assert!(is_held(&inactive, &rotation), "{phase:?}");
        // A listing may lag behind a change.
        rotation.since = seen.now.plus_secs(-10);
        assert!(!is_held(&gone, &rotation), "{phase:?}");
    }
}

#[test]
fn a_key_that_is_not_the_rotations_is_left_to_its_owner() {
    let (mut rotation, mut seen) = at(Phase::Planned);
    assert_eq!(
        plan(&rotation, &seen),
        PlanStep::Hold(HoldReason::SecondKey(new()))
    );
    // A key taken for the lost one is in use, so it belongs to someone else.
    rotation.orphan = Some(OrphanedKey {
        key: new(),
        inactive_since: None,
    });
    let deactivate = PlanStep::SetStatus(new(), IamKeyStatus::Inactive);
    assert_eq!(plan(&rotation, &seen), deactivate);
    seen.used = used(seen.now.plus_secs(-HOUR));
    assert_eq!(
        plan(&rotation, &seen),
        PlanStep::Hold(HoldReason::NotOurs(new()))
    );
}
