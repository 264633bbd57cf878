//! Users that are not found by name: renamed, deleted, or unknown.

use keywright_base::Timestamp;

use crate::{
    execute::{TickError, TickOutcome},
    model::{HoldReason, MissingUser, Phase, Rotation, RotationRules},
    plan::{
        PlanStep,
        missing::{OwnerTrace, missing},
    },
    ports::IssuerError,
    simulator::{CallFault, SharedWorld, SimRotator, SimWorld, live},
};

const HOUR: i64 = 3600;
const LAGS: i64 = 90;

struct Scene {
    shared: std::sync::Arc<SharedWorld>,
    rotator: SimRotator,
}

impl Scene {
    /// A rotation that has reached a phase.
    fn at(phase: Phase) -> Self {
        let shared = SharedWorld::new(SimWorld::new(2));
        let rotator = SimRotator::new(&shared, 0);
        live(rotator.begin(RotationRules::SAFE)).unwrap().unwrap();
        let mut scene = Self { shared, rotator };
        scene.until(|rotation| rotation.phase == phase);
        scene
    }

    fn rotation(&self) -> Rotation {
        self.rotator.rotation().unwrap()
    }

    fn tick(&mut self) -> Result<TickOutcome, TickError> {
        let ticked = live(self.rotator.executor().tick(&self.rotator.id)).unwrap();
        let now = self.shared.world().now;
        let pause = match &ticked {
            Ok(TickOutcome::Wait { until, .. }) => until.secs() - now,
            _ => 2,
        };
        self.shared.world().pass(pause.max(1));
        assert_eq!(self.shared.world().violations, Vec::<String>::new());
        ticked
    }

    fn until(&mut self, there: impl Fn(&Rotation) -> bool) {
        for _ in 0..500 {
            if there(&self.rotation()) {
                return;
            }
            let _ = self.tick();
        }
        panic!("never: {:?}", self.rotation());
    }

    fn message(&self, what: &str) -> usize {
        let events = self.rotator.journal.events();
        events.iter().filter(|event| event.contains(what)).count()
    }
}

/// Every phase that waits, and those around them.
const PHASES: [Phase; 7] = [
    Phase::Planned,
    Phase::Created,
    Phase::Distributing,
    Phase::Observing,
    Phase::Deactivating,
    Phase::Dwelling,
    Phase::Deleting,
];

#[test]
fn a_renamed_user_is_followed() {
    for lag in [0, 20] {
        for phase in PHASES {
            let mut scene = Scene::at(phase);
            scene.shared.world().lag = lag;
            scene.shared.world().rename("Renamed");
            scene.until(|rotation| rotation.phase.is_over() || rotation.held.is_some());
            let rotation = scene.rotation();
            assert_eq!(
                (rotation.phase, rotation.held),
                (Phase::Done, None),
                "{phase:?}"
            );
            assert_eq!(rotation.user, "Renamed");
            let message = scene.message("user RotateKeyUser was renamed to Renamed");
            assert_eq!(message, 1, "{phase:?}");
            let world = scene.shared.world();
            assert_eq!(world.keys.len(), 1);
            assert!(world.tags.is_empty(), "the mark goes with the new name");
        }
    }
}

#[test]
fn a_rotation_ends_when_its_user_was_deleted() {
    for phase in PHASES {
        let mut scene = Scene::at(phase);
        let since = scene.shared.world().now;
        scene.shared.world().delete_user();
        scene.until(|rotation| rotation.phase.is_over() || rotation.held.is_some());
        let rotation = scene.rotation();
        assert_eq!(
            (rotation.phase, rotation.held),
            (Phase::UserGone, None),
            "{phase:?}"
        );
        assert_eq!(scene.message("its keys were deleted with it"), 1);
        assert!(
            scene.message("there is no user RotateKeyUser") > 2,
            "several looks"
        );
        assert!(scene.shared.world().now - since >= LAGS, "over a while");
        let ticked = scene.tick().unwrap();
        assert_eq!(ticked, TickOutcome::Over);
    }
}

#[test]
fn a_rotation_that_is_held_ends_as_well() {
    let mut scene = Scene::at(Phase::Dwelling);
    let id = scene.rotator.id.clone();
    live(scene.rotator.executor().ask_hold(&id, "a freeze"))
        .unwrap()
        .unwrap();
    assert!(matches!(
        scene.tick(),
        Ok(TickOutcome::Held(HoldReason::Asked(_)))
    ));
    scene.shared.world().delete_user();
    scene.until(|rotation| rotation.phase == Phase::UserGone);
    assert_eq!(scene.rotation().held, None);
}

#[test]
fn a_user_who_is_not_found_for_a_while_is_waited_for() {
    for phase in PHASES {
        let mut scene = Scene::at(phase);
        // It is found neither by name nor, by then, by its keys.
        scene.rotator.issuer.tells = true;
        let now = scene.shared.world().now;
        scene.shared.world().lost_until = now + LAGS - 1;
        scene.until(|rotation| rotation.phase.is_over() || rotation.held.is_some());
        let rotation = scene.rotation();
        assert_eq!(
            (rotation.phase, rotation.missing),
            (Phase::Done, None),
            "{phase:?}"
        );
    }
}

#[test]
fn what_is_undecidable_is_ended_by_a_person() {
    let mut scene = Scene::at(Phase::Planned);
    scene.shared.set_faults(Box::new(|name| match name {
        "create" => CallFault::Lost,
        _ => CallFault::None,
    }));
    scene.until(|rotation| rotation.phase == Phase::Creating);
    let id = scene.rotator.id.clone();
    scene.shared.world().delete_user();
    // As the journal of an older version stores it, in any phase.
    let mut rotation = scene.rotation();
    rotation.held = Some(HoldReason::UserMissing(rotation.user.clone()));
    rotation.generation += 1;
    let journal = std::sync::Arc::clone(&scene.rotator.journal);
    live(crate::ports::RotationJournal::advance(
        &*journal, &rotation, "held",
    ))
    .unwrap()
    .unwrap();
    let ended = live(scene.rotator.executor().roll_back(&id, "they left")).unwrap();
    assert!(matches!(ended, Ok(TickOutcome::Progressed(_))), "{ended:?}");
    let rotation = scene.rotation();
    assert_eq!((rotation.phase, rotation.held), (Phase::UserGone, None));
    assert_eq!(rotation.why_back.as_deref(), Some("they left"));
    assert_eq!(scene.message("ended by a person: they left"), 1);
}

#[test]
fn one_answer_proves_nothing_to_an_order() {
    let mut scene = Scene::at(Phase::Observing);
    let id = scene.rotator.id.clone();
    let now = scene.shared.world().now;
    scene.shared.world().lost_until = now + 10;
    let refused = live(scene.rotator.executor().roll_back(&id, "x")).unwrap();
    let no_user =
        |error: &TickError| matches!(error, TickError::Issuer(IssuerError::NoSuchUser(_)));
    assert!(refused.as_ref().is_err_and(no_user), "{refused:?}");
    scene.shared.world().pass(20);
    live(scene.rotator.executor().roll_back(&id, "x"))
        .unwrap()
        .unwrap();
    scene.until(|rotation| rotation.phase.is_over());
    assert_eq!(scene.rotation().phase, Phase::RolledBack);
}

/// A rotation in a phase, with a user that was missed this many times, first this many seconds ago.
fn missed(phase: Phase, looks: u32, secs: i64) -> (Rotation, Timestamp) {
    let scene = Scene::at(Phase::Planned);
    let mut rotation = scene.rotation();
    let now = Timestamp::from_secs(1_795_600_000);
    rotation.phase = phase;
    rotation.missing = (looks > 0).then(|| MissingUser {
        since: now.plus_secs(-secs),
        last: now.plus_secs(-secs.min(LAGS)),
        looks,
    });
    (rotation, now)
}

#[test]
fn what_is_decided() {
    let owner = |name: &str| OwnerTrace::Owner(name.to_owned());
    let name = "RotateKeyUser".to_owned();
    let gone = || PlanStep::Enter(Phase::UserGone);
    let missing_hold = || PlanStep::Hold(HoldReason::UserMissing(name.clone()));
    use OwnerTrace::{NoKey, Refused, Silent};
    for (phase, looks, secs, traces, expected) in [
        (Phase::Dwelling, 0, 0, vec![Refused], PlanStep::Miss),
        (Phase::Dwelling, 1, LAGS - 1, vec![Refused], PlanStep::Miss),
        (Phase::Dwelling, 2, HOUR, vec![Refused], PlanStep::Miss),
        (Phase::Dwelling, 3, LAGS, vec![Refused], gone()),
        (Phase::Dwelling, 3, LAGS, vec![Silent, Refused], gone()),
        (Phase::Dwelling, 3, LAGS, vec![NoKey, NoKey], gone()),
        (
            Phase::Dwelling,
            3,
            LAGS,
            vec![NoKey, Silent],
            missing_hold(),
        ),
        (Phase::Dwelling, 3, LAGS, vec![Silent], missing_hold()),
        (Phase::Creating, 3, LAGS, vec![Silent], missing_hold()),
        (Phase::Creating, 3, LAGS, vec![NoKey], missing_hold()),
        (Phase::Planned, 3, LAGS, vec![Silent], gone()),
        (Phase::Planned, 2, LAGS, vec![Silent], PlanStep::Miss),
        (
            Phase::Dwelling,
            3,
            LAGS,
            vec![Refused, owner("x")],
            PlanStep::Rename("x".into()),
        ),
        (
            Phase::Dwelling,
            0,
            0,
            vec![owner("x")],
            PlanStep::Rename("x".into()),
        ),
    ] {
        let (rotation, now) = missed(phase, looks, secs);
        let step = missing(&rotation, (&traces, None), now, LAGS);
        assert_eq!(step, expected, "{phase:?} {looks} {secs} {traces:?}");
    }
    // Too soon for another lookup, and a user that exists by its key.
    let (rotation, now) = missed(Phase::Dwelling, 1, 10);
    for traces in [vec![Refused], vec![owner(&name)]] {
        let step = missing(&rotation, (&traces, None), now, LAGS);
        assert!(
            matches!(step, PlanStep::Wait { until, .. } if until > now),
            "{step:?}"
        );
    }
    // If answers never lag, two lookups are enough. The user that has the name now is reported.
    let (rotation, now) = missed(Phase::Dwelling, 1, 0);
    assert_eq!(missing(&rotation, (&[Refused], None), now, 0), gone());
    let held = missing(&rotation, (&[Silent], Some("AIDA2")), now, 0);
    assert_eq!(
        held,
        PlanStep::Hold(HoldReason::AnotherUser("AIDA2".to_owned()))
    );
}
