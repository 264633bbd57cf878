//! Leaked keys: their sessions end, and some are deactivated before everything else.

use std::sync::{Arc, Mutex};

use super::matrix::Scene;
use crate::{
    execute::{RotationEdit, TickError, TickOutcome, change},
    model::{HoldReason, LeakResponse, Phase, RotationRules},
    ports::IamKeyStatus,
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
    assert_eq!(scene.shared.world().keys[0].status, IamKeyStatus::Inactive);
    scene.assert_replaced();
    assert!(scene.shared.world().sessions.iter().all(|one| one.ended));
}

#[test]
fn a_key_that_is_inactive_already_is_replaced_as_well() {
    let mut scene = leaked(FIRST);
    {
        let mut world = scene.shared.world();
        world.keys[0].status = IamKeyStatus::Inactive;
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

fn turn_into_incident(scene: &Scene, deactivate_first: bool) {
    let (journal, id) = (Arc::clone(&scene.rotator.journal), scene.rotator.id.clone());
    let now = RotationEdit {
        incident: true,
        deactivate_first,
        ..RotationEdit::default()
    };
    let changed = live(change(&*journal, &id, now, "leaked")).unwrap();
    assert!(changed.unwrap());
    scene.shared.world().first = deactivate_first;
}

/// A usual rotation of a key that has leaked, which nobody knows yet, in this phase.
fn unnoticed(phase: Phase) -> Scene {
    let mut scene = leaked(FIRST);
    (scene.rules, scene.rotator.incident) = (RotationRules::SAFE, None);
    scene.shared.world().first = false;
    scene.begin();
    scene.until(phase);
    scene
}

fn pause(scene: &Scene) {
    let id = scene.rotator.id.clone();
    let paused = live(scene.rotator.executor().ask_hold(&id, "lunch"));
    paused.unwrap().unwrap();
}

/// Ticks until the rotation reports that it is held.
fn until_held(scene: &mut Scene) -> HoldReason {
    for _ in 0..20 {
        if let Some(Ok(TickOutcome::Held(hold))) = scene.tick() {
            return hold;
        }
    }
    panic!("not held: {:?}", scene.rotation());
}

fn assert_withdrawn(scene: &Scene) {
    let world = scene.shared.world();
    assert_eq!(world.keys[0].status, IamKeyStatus::Inactive);
    assert!(world.sessions.iter().all(|one| one.ended));
}

/// Whoever controls a destination can get the rotation held.
#[test]
fn a_hold_does_not_delay_the_response_to_a_leak() {
    let phases = [
        Phase::Planned,
        Phase::Created,
        Phase::Distributing,
        Phase::Observing,
        Phase::Deactivating,
        Phase::Dwelling,
    ];
    for phase in phases {
        for refused in [true, false] {
            let mut scene = unnoticed(phase);
            if refused && phase < Phase::Observing {
                scene.shared.world().sinks[0].refused = true;
                scene.until(Phase::Done);
            } else {
                pause(&scene);
            }
            let before = scene.rotation().held.unwrap();
            turn_into_incident(&scene, true);
            assert_eq!(until_held(&mut scene), before, "{phase:?}");
            assert_withdrawn(&scene);
            scene.shared.world().sinks[0].refused = false;
            let released = live(scene.rotator.executor().release(&scene.rotator.id));
            released.unwrap().unwrap();
            scene.assert_replaced();
        }
    }
}

#[test]
fn a_key_that_is_inactive_already_loses_its_sessions_in_a_held_rotation() {
    for (phase, by_hand) in [(Phase::Distributing, true), (Phase::Dwelling, false)] {
        let mut scene = unnoticed(phase);
        pause(&scene);
        if by_hand {
            let mut world = scene.shared.world();
            world.keys[0].status = IamKeyStatus::Inactive;
            world.keys[0].withdrawn_by_person = true;
        }
        scene.shared.world().pass(120);
        turn_into_incident(&scene, false);
        until_held(&mut scene);
        assert_withdrawn(&scene);
    }
}

/// The evidence of use is not needed to deactivate a key.
#[test]
fn a_missing_permission_for_evidence_does_not_delay_the_response_to_a_leak() {
    for phase in [Phase::Observing, Phase::Dwelling] {
        let mut scene = unnoticed(phase);
        scene.shared.set_faults(Box::new(|name| match name {
            "last_use" => CallFault::Denied,
            _ => CallFault::None,
        }));
        until_held(&mut scene);
        turn_into_incident(&scene, true);
        until_held(&mut scene);
        // Once more, when the deactivation is everywhere.
        scene.shared.world().pass(120);
        until_held(&mut scene);
        assert_withdrawn(&scene);
        assert!(scene.rotation().incident.unwrap().sessions_ended.is_some());
    }
}

/// If the denial replaced the pause, the rotation would go on as soon as the permission is granted.
#[test]
fn a_denied_response_to_a_leak_is_an_error_of_a_paused_rotation() {
    for (call, phase) in [
        ("set_status", Phase::Distributing),
        ("end_sessions", Phase::Dwelling),
    ] {
        let mut scene = unnoticed(phase);
        pause(&scene);
        scene.shared.world().pass(120);
        scene.shared.set_faults(Box::new(move |name| match name {
            _ if name == call => CallFault::Denied,
            _ => CallFault::None,
        }));
        turn_into_incident(&scene, phase == Phase::Distributing);
        let denied = scene.tick().unwrap();
        assert!(matches!(denied, Err(TickError::Issuer(_))), "{denied:?}");
        let held = scene.rotation().held;
        assert!(matches!(held, Some(HoldReason::Asked(_))), "{held:?}");
    }
}

#[test]
fn the_history_says_in_words_why_a_rotation_is_held() {
    let mut scene = Scene::new(1);
    scene.begin();
    scene.shared.world().sinks[0].refused = true;
    scene.until(Phase::Done);
    let text = scene.rotation().held.unwrap().to_string();
    assert_eq!(message(&scene, &format!("held: {text}")), 1);
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
    assert_eq!(scene.shared.world().keys[0].status, IamKeyStatus::Inactive);

    let id = scene.rotator.id.clone();
    let back = live(scene.rotator.executor().roll_back(&id, "we must")).unwrap();
    back.unwrap();
    scene.until(Phase::RolledBack);
    let world = scene.shared.world();
    assert_eq!(world.keys.len(), 1);
    assert_eq!(world.keys[0].status, IamKeyStatus::Active);
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
    assert_eq!(scene.shared.world().keys[0].status, IamKeyStatus::Active);
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
        world.keys[0].status = IamKeyStatus::Active;
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
