//! Leaked keys: their sessions end, and some are deactivated before everything else.

use std::sync::{Arc, Mutex};

use super::matrix::Scene;
use crate::{
    execute::{RotationEdit, TickError, TickOutcome, change},
    model::{HoldReason, LeakResponse, Phase, RotationRules},
    ports::KeyStatus,
    simulator::{CallFault, live},
};

const FIRST: LeakResponse = LeakResponse {
    deactivate_first: true,
    inactive_since: None,
    sessions_ended: None,
};

/// A leaked key in a service whose changes propagate slowly.
fn leaked(incident: LeakResponse) -> Scene {
    let mut scene = Scene::new(2);
    scene.rules = RotationRules::INCIDENT;
    scene.rotator.incident = Some(incident);
    let mut world = scene.shared.world();
    world.leaked = world.keys.first().map(|key| key.pair.id.clone());
    world.first = incident.deactivate_first;
    (world.lag, world.propagation) = (20, 10);
    drop(world);
    scene.shared.world().pass(3600);
    assert_eq!(scene.shared.world().sessions.len(), 6, "it mints sessions");
    scene
}

fn message(scene: &Scene, what: &str) -> usize {
    let events = scene.rotator.journal.events();
    events.iter().filter(|event| event.contains(what)).count()
}

#[test]
fn sessions_of_a_leaked_key_end_once_it_is_inactive_and_when_that_is_everywhere() {
    let mut scene = leaked(LeakResponse::default());
    scene.begin();
    scene.until(Phase::Dwelling);
    let since = scene.rotation().since;
    assert!(scene.rotation().incident.unwrap().sessions_ended.is_none());
    scene.assert_replaced();
    let ended = scene.rotation().incident.unwrap().sessions_ended.unwrap();
    assert!(ended >= since.plus_secs(60), "{ended} {since}");
    assert_eq!(
        message(&scene, "sessions before"),
        2,
        "at once, and everywhere"
    );
    assert!(scene.shared.world().sessions.iter().all(|one| one.ended));
}

#[test]
fn a_service_that_never_lags_ends_them_once() {
    let mut scene = leaked(LeakResponse::default());
    scene.rotator.issuer.lags = 0;
    scene.shared.world().lag = 0;
    scene.begin();
    scene.assert_replaced();
    assert_eq!(message(&scene, "sessions before"), 1);
}

/// A rotation in a hurry whose key has not leaked ends no sessions.
#[test]
fn nothing_ends_where_nothing_has_leaked() {
    let mut scene = Scene::new(0);
    scene.rules = RotationRules {
        accept_blind: true,
        ..RotationRules::INCIDENT
    };
    scene.override_unused();
    scene.begin();
    scene.assert_replaced();
    assert_eq!(message(&scene, "sessions before"), 0);
}

#[test]
fn a_key_that_a_person_deletes_meanwhile_leaves_no_session() {
    let mut scene = leaked(LeakResponse::default());
    scene.begin();
    scene.until(Phase::Distributing);
    {
        let mut world = scene.shared.world();
        let mut gone = world.keys.remove(0);
        gone.withdrawn_by_person = true;
        world.gone.push(gone);
    }
    assert_eq!(scene.finish(), Phase::Done);
    assert!(scene.shared.world().sessions.iter().all(|one| one.ended));
}

#[test]
fn it_can_be_deactivated_before_there_is_a_new_key() {
    let mut scene = leaked(FIRST);
    scene.begin();
    let mut first = Vec::new();
    while scene.rotation().new.is_none() {
        if let Some(Ok(TickOutcome::Progressed(event))) = scene.tick() {
            first.push(event);
        }
    }
    assert!(
        first[0].contains("before anyone has a new key"),
        "{first:?}"
    );
    assert!(first[1].contains("sessions before"), "{first:?}");
    assert_eq!(scene.shared.world().keys[0].status, KeyStatus::Inactive);
    scene.assert_replaced();
    assert!(scene.shared.world().sessions.iter().all(|one| one.ended));
}

#[test]
fn a_key_that_is_inactive_already_is_replaced_as_well() {
    let mut scene = leaked(FIRST);
    {
        let mut world = scene.shared.world();
        world.keys[0].status = KeyStatus::Inactive;
        world.keys[0].withdrawn_by_person = true;
    }
    scene.begin();
    scene.assert_replaced();
    // Once at first, and twice when the old key is found inactive in the end, because it may have
    // been active in between.
    assert_eq!(message(&scene, "sessions before"), 3);
}

#[test]
fn an_open_rotation_takes_it_up() {
    for phase in [Phase::Distributing, Phase::Observing] {
        let mut scene = leaked(FIRST);
        (scene.rules, scene.rotator.incident) = (RotationRules::SAFE, None);
        scene.shared.world().first = false;
        scene.begin();
        scene.until(phase);
        let (journal, id) = (Arc::clone(&scene.rotator.journal), scene.rotator.id.clone());
        let now = RotationEdit {
            incident: true,
            deactivate_first: true,
            ..RotationEdit::default()
        };
        let changed = live(change(&*journal, &id, now.clone(), "leaked")).unwrap();
        assert!(changed.unwrap());
        assert!(!live(change(&*journal, &id, now, "again")).unwrap().unwrap());
        scene.tick();
        let inactive = scene.rotation().incident.unwrap().inactive_since;
        assert!(inactive.is_some(), "{phase:?}: at once");
        scene.assert_replaced();
    }
}

/// Only a person reactivates a leaked key.
#[test]
fn a_new_key_that_is_never_valid_does_not_bring_the_old_one_back() {
    let mut scene = leaked(FIRST);
    scene.begin();
    while scene.rotation().new.is_none() {
        scene.tick();
    }
    for key in &mut scene.shared.world().keys {
        key.valid_from = vec![i64::MAX; 2];
    }
    scene.until(Phase::Done);
    let held = scene.rotation().held;
    assert!(matches!(held, Some(HoldReason::NotVerified(_))), "{held:?}");
    assert_eq!(scene.shared.world().keys[0].status, KeyStatus::Inactive);

    let id = scene.rotator.id.clone();
    let back = live(scene.rotator.executor().roll_back(&id, "we must")).unwrap();
    back.unwrap();
    scene.until(Phase::RolledBack);
    let world = scene.shared.world();
    assert_eq!(world.keys.len(), 1);
    assert_eq!(world.keys[0].status, KeyStatus::Active);
}

#[test]
fn before_there_is_a_new_key_a_person_can_put_it_back() {
    let mut scene = leaked(FIRST);
    scene.begin();
    while scene.rotation().inactive_first().is_none() {
        scene.tick();
    }
    let id = scene.rotator.id.clone();
    let back = live(scene.rotator.executor().roll_back(&id, "a mistake")).unwrap();
    back.unwrap();
    assert_eq!(
        scene.until(Phase::RolledBack).rotation().phase,
        Phase::RolledBack
    );
    assert_eq!(scene.shared.world().keys[0].status, KeyStatus::Active);
}

#[test]
fn a_person_who_activates_it_again_is_named() {
    let mut scene = leaked(FIRST);
    scene.begin();
    while scene.rotation().new.is_none() {
        scene.tick();
    }
    {
        let mut world = scene.shared.world();
        world.sinks[0].down_until = i64::MAX;
        world.keys[0].status = KeyStatus::Active;
        world.keys[0].activated_by_person = true;
    }
    scene.assert_held(|hold| matches!(hold, HoldReason::Activated(_)));
}

#[test]
fn the_signing_key_cannot_be_deactivated_first() {
    let mut scene = leaked(FIRST);
    let own = scene.shared.world().keys[0].pair.clone();
    scene.rotator.issuer.own = Mutex::new(Some(own));
    let refused = live(scene.rotator.begin(scene.rules)).unwrap();
    assert!(matches!(refused, Err(TickError::OwnKey(_))), "{refused:?}");

    (scene.rules, scene.rotator.incident) = (RotationRules::SAFE, None);
    scene.begin();
    let (journal, id) = (Arc::clone(&scene.rotator.journal), scene.rotator.id.clone());
    let now = RotationEdit {
        incident: true,
        deactivate_first: true,
        ..RotationEdit::default()
    };
    live(change(&*journal, &id, now, "leaked"))
        .unwrap()
        .unwrap();
    scene.shared.world().first = false;
    scene.assert_replaced();
    assert_eq!(message(&scene, "so it is not deactivated first"), 1);
}

/// The new key has not leaked, so its consumers are not cut off in a hurry.
#[test]
fn a_leaked_key_that_is_put_back_leaves_time_to_go_back() {
    let mut scene = leaked(LeakResponse::default());
    scene.begin();
    scene.until(Phase::Dwelling);
    scene.shared.world().pass(2 * 3600);
    let id = scene.rotator.id.clone();
    let back = live(scene.rotator.executor().roll_back(&id, "a mistake")).unwrap();
    back.unwrap();
    scene.until(Phase::RolledBack);
    assert_eq!(scene.rotation().phase, Phase::RolledBack);
}

/// Its credentials are in its environment, which no delivery changes, so it continues with the new
/// key pair.
#[test]
fn row_15_a_rotator_with_the_old_key_in_its_environment_continues() {
    let mut scene = Scene::new(1);
    let own = scene.shared.world().keys[0].pair.clone();
    scene.rotator.issuer.own = Mutex::new(Some(own.clone()));
    scene.rotator.issuer.fixed = true;
    scene.begin();
    scene.until(Phase::Dwelling);
    scene.rotator.revive(&scene.shared);
    let signs = scene.rotator.issuer.own.lock().unwrap().clone();
    assert_eq!(signs, Some(own));
    scene.assert_replaced();
}

#[test]
fn sessions_that_cannot_be_ended_hold_the_rotation() {
    let mut scene = leaked(LeakResponse::default());
    scene.shared.set_faults(Box::new(|name| match name {
        "end_sessions" => CallFault::Denied,
        _ => CallFault::None,
    }));
    scene.begin();
    scene.assert_held(|hold| matches!(hold, HoldReason::Refused(_)));
    assert_eq!(scene.rotation().phase, Phase::Dwelling);
    scene.shared.set_faults(Box::new(|_| CallFault::None));
    while scene.rotation().held.is_some() {
        scene.tick();
    }
    scene.assert_replaced();
}
