//! The failure matrix row by row, as far as it concerns the engine. Rows 5 and 16 are tested with
//! the sinks, 14 and 21 in `e2e/test_rotate.py`, 20 in `e2e/test_fleet.py`. `cargo xtask tidy`
//! checks that each row has a test with its name.
//!
//! After each row no one is stranded: no consumer was denied, unless a person withdrew its key.

use std::sync::Arc;

use crate::{
    execute::{RotationEdit, TickError, TickOutcome, change},
    model::{DeliveryStage, HoldReason, LeakResponse, Phase, Rotation, RotationRules},
    ports::{IamKeyStatus, Issuer, IssuerError},
    simulator::{
        BLIND_SECS, CallFault, KeyActor, SharedWorld, SimConsumer, SimRotator, SimWorld, held_as,
        live, stranger,
    },
};

/// A world, a rotator, and the rules of its rotation.
pub(super) struct Scene {
    pub(super) shared: Arc<SharedWorld>,
    pub(super) rotator: SimRotator,
    pub(super) rules: RotationRules,
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

impl Scene {
    pub(super) fn new(sinks: usize) -> Self {
        let shared = SharedWorld::new(SimWorld::new(sinks));
        let rotator = SimRotator::new(&shared, 0);
        let rules = RotationRules::SAFE;
        Self {
            shared,
            rotator,
            rules,
        }
    }

    /// Injects this fault once, at the nth call with that name (counted from 1).
    pub(super) fn fault(&self, name: &'static str, nth: usize, fault: CallFault) {
        let mut seen = 0;
        self.shared.set_faults(Box::new(move |called| {
            seen += usize::from(called == name);
            if called == name && seen == nth {
                seen += 1;
                return fault;
            }
            CallFault::None
        }));
    }

    pub(super) fn override_unused(&mut self) {
        self.rotator.override_unused = Some("a test".to_owned());
        self.shared.world().overridden = true;
    }

    pub(super) fn begin(&mut self) {
        live(self.rotator.begin(self.rules)).unwrap().unwrap();
        self.rotator.begun = true;
    }

    pub(super) fn rotation(&self) -> Rotation {
        self.rotator.rotation().unwrap()
    }

    /// Ticks once; a rotator that crashes is replaced by a new process.
    pub(super) fn tick(&mut self) -> Option<Result<TickOutcome, TickError>> {
        let id = self.rotator.id.clone();
        let ticked = live(self.rotator.executor().tick(&id));
        if ticked.is_none() {
            self.rotator.revive(&self.shared);
        }
        let pause = match &ticked {
            Some(Ok(TickOutcome::Wait { until, .. })) => until.secs() - self.now(),
            _ => 2,
        };
        self.shared.world().pass(pause);
        let world = self.shared.world();
        assert_eq!(world.violations, Vec::<String>::new());
        assert_eq!(world.stranded(), None);
        ticked
    }

    pub(super) fn now(&self) -> i64 {
        self.rotator.issuer.now_secs()
    }

    /// Ticks until the rotation is in this phase, held or over.
    pub(super) fn until(&mut self, phase: Phase) -> &mut Self {
        for _ in 0..500 {
            let rotation = self.rotation();
            if rotation.phase == phase || rotation.held.is_some() || rotation.phase.is_over() {
                return self;
            }
            let _ = self.tick();
        }
        panic!("never {phase:?}: {:?}", self.rotation());
    }

    pub(super) fn finish(&mut self) -> Phase {
        self.until(Phase::Done).rotation().phase
    }

    /// Asserts that every sink holds the only key, and that the key works.
    pub(super) fn assert_replaced(&mut self) {
        assert_eq!(self.finish(), Phase::Done, "{:?}", self.rotation().held);
        let world = self.shared.world();
        let [only] = world.keys.as_slice() else {
            panic!("{:?}", world.keys);
        };
        assert!(world.sinks.iter().all(|sink| sink.held == only.pair));
        assert_eq!(only.status, IamKeyStatus::Active);
        assert!(world.tags.is_empty(), "the mark stays: {:?}", world.tags);
    }

    pub(super) fn assert_held(&mut self, is: impl Fn(&HoldReason) -> bool) {
        self.finish();
        assert!(held_as(&self.rotator, is), "{:?}", self.rotation());
    }
}

#[test]
fn nothing_goes_wrong() {
    let mut scene = Scene::new(2);
    scene.begin();
    scene.assert_replaced();
    let elapsed_secs = scene.now() - SimWorld::new(0).now;
    assert!(elapsed_secs >= 8 * DAY, "{elapsed_secs}");
}

#[test]
fn row_01_killed_after_create_and_before_the_secret_is_sealed() {
    let mut scene = Scene::new(1);
    scene.begin();
    scene.fault("create", 1, CallFault::DieAfter);
    scene.assert_replaced();
    // The lost key, then the replaced one.
    assert_eq!(scene.shared.world().gone.len(), 2);
}

#[test]
fn row_02_the_reply_to_create_is_lost() {
    for repeats in [false, true] {
        let mut scene = Scene::new(1);
        scene.rotator.issuer.repeats = repeats;
        scene.begin();
        scene.fault("create", 1, CallFault::Lost);
        scene.assert_replaced();
        let made = scene.shared.world().made;
        assert_eq!(made, if repeats { 2 } else { 3 }, "never two orphans");
    }
}

#[test]
fn row_03_journal_or_sink_cannot_be_written() {
    let old = SimWorld::new(1).keys[0].pair.clone();
    let mut scene = Scene::new(1);
    scene.begin();
    scene.shared.set_faults(Box::new(|name| match name {
        "advance" => CallFault::Fails,
        _ => CallFault::None,
    }));
    for _ in 0..20 {
        assert!(matches!(scene.tick(), Some(Err(TickError::Journal(_)))));
    }
    assert_eq!(scene.shared.world().keys.len(), 1, "no key was requested");
    scene.shared.set_faults(Box::new(|_| CallFault::None));
    let down = scene.now() + HOUR;
    scene.shared.world().sinks[0].down_until = down;
    scene.until(Phase::Distributing);
    let _ = scene.tick();
    assert_eq!(scene.shared.world().sinks[0].held, old);
    assert!(scene.rotation().deliveries[0].trouble.is_some());
    scene.assert_replaced();
}

#[test]
fn row_04_one_of_several_sinks_is_down() {
    let mut scene = Scene::new(3);
    scene.begin();
    scene.until(Phase::Distributing);
    let back = scene.now() + 5 * HOUR;
    scene.shared.world().sinks[1].down_until = back;
    for _ in 0..12 {
        let _ = scene.tick();
    }
    let stages: Vec<_> = scene
        .rotation()
        .deliveries
        .iter()
        .map(|d| d.stage)
        .collect();
    assert_eq!(
        stages,
        [
            DeliveryStage::ReadBack,
            DeliveryStage::Pending,
            DeliveryStage::ReadBack
        ]
    );
    let active = |world: &SimWorld| {
        let keys = world.keys.iter();
        keys.filter(|key| key.status == IamKeyStatus::Active)
            .count()
    };
    assert_eq!(active(&scene.shared.world()), 2, "both keys stay");
    scene.until(Phase::Observing);
    assert!(scene.now() >= back);
    scene.assert_replaced();
}

#[test]
fn row_04_a_sink_that_refuses_is_held_for_a_person() {
    let mut scene = Scene::new(2);
    scene.begin();
    scene.shared.world().sinks[0].refused = true;
    scene.assert_held(|hold| matches!(hold, HoldReason::Sink(_)));
    assert_eq!(
        scene.rotation().deliveries[1].stage,
        DeliveryStage::ReadBack
    );
    scene.shared.world().sinks[0].refused = false;
    let id = scene.rotator.id.clone();
    live(scene.rotator.executor().release(&id))
        .unwrap()
        .unwrap();
    scene.assert_replaced();
}

#[test]
fn row_05_half_a_write_is_never_seen() {
    // The second sink needs two writes. The process crashes between them, and before and after
    // both.
    for (call, fault) in [
        ("commit", CallFault::DieBefore),
        ("commit", CallFault::DieAfter),
        ("commit_id", CallFault::DieBefore),
        ("commit_id", CallFault::DieAfter),
        ("commit_id", CallFault::Lost),
    ] {
        let mut scene = Scene::new(2);
        scene.begin();
        scene.until(Phase::Distributing);
        scene.fault(call, if call == "commit" { 2 } else { 1 }, fault);
        scene.until(Phase::Observing);
        assert_eq!(scene.shared.world().stranded(), None);
        scene.assert_replaced();
    }
}

#[test]
fn row_06_the_new_key_is_not_valid_yet() {
    let mut scene = Scene::new(1);
    scene.shared.world().propagation = 15;
    scene.begin();
    scene.until(Phase::Distributing);
    let world = scene.shared.world();
    let new = &world.keys[1].pair;
    assert!((0..2).all(|endpoint| world.accepts(new, endpoint)));
    drop(world);
    scene.assert_replaced();
}

#[test]
fn row_07_the_new_key_is_never_valid() {
    let mut scene = Scene::new(1);
    scene.shared.world().propagation = DAY;
    scene.begin();
    scene.finish();
    assert_eq!(scene.rotation().phase, Phase::RolledBack);
    assert!(scene.rotation().why_back.is_some());
    let world = scene.shared.world();
    assert_eq!(world.keys.len(), 1, "the new key is gone");
    assert_eq!(world.sinks[0].held, world.keys[0].pair);
}

#[test]
fn row_07_the_new_key_belongs_to_another_user() {
    let mut scene = Scene::new(1);
    scene.begin();
    scene.until(Phase::Created);
    scene.shared.world().keys[1].user_id = "AIDA9".to_owned();
    scene.finish();
    let rotation = scene.rotation();
    assert_eq!(rotation.phase, Phase::RolledBack);
    let why = rotation.why_back.unwrap();
    assert!(
        why.starts_with("the new key belongs to arn:aws:iam::"),
        "{why}"
    );
    let world = scene.shared.world();
    assert_eq!(world.sinks[0].held, world.keys[0].pair);
}

#[test]
fn row_08_an_unknown_consumer_still_uses_the_old_key() {
    let mut scene = Scene::new(1);
    let holds = scene.shared.world().sinks[0].held.clone();
    scene.shared.world().consumers.push(SimConsumer {
        reads: None,
        holds,
        uses_every: 6 * HOUR,
        reads_every: HOUR,
    });
    scene.begin();
    scene.until(Phase::Observing);
    let Some(Ok(TickOutcome::Wait { why, .. })) = ({
        scene.shared.world().pass(DAY / 2);
        scene.tick()
    }) else {
        panic!("it does not wait");
    };
    assert!(why.contains("was used for s3 in ap-south-1 at 20"), "{why}");
    scene.assert_held(|hold| matches!(hold, HoldReason::StillUsed(_)));
    assert_eq!(scene.shared.world().keys[0].status, IamKeyStatus::Active);
    // Once the person has found and stopped the program, the rotation continues.
    scene.shared.world().consumers.pop();
    let id = scene.rotator.id.clone();
    live(scene.rotator.executor().release(&id))
        .unwrap()
        .unwrap();
    scene.assert_replaced();
}

#[test]
fn row_08_uses_that_are_published_hours_late_still_count() {
    let mut scene = Scene::new(1);
    let holds = scene.shared.world().sinks[0].held.clone();
    scene.shared.world().publication = 4 * HOUR;
    scene.shared.world().consumers.push(SimConsumer {
        reads: None,
        holds,
        uses_every: 6 * HOUR,
        reads_every: HOUR,
    });
    scene.begin();
    scene.assert_held(|hold| matches!(hold, HoldReason::StillUsed(_)));
    assert_eq!(scene.shared.world().keys[0].status, IamKeyStatus::Active);
}

/// A sink that reads back correctly but has no consumer.
#[test]
fn a_new_key_that_no_consumer_uses_does_not_replace_the_old_one() {
    let mut scene = Scene::new(1);
    scene.shared.world().consumers.clear();
    scene.begin();
    scene.until(Phase::Dwelling);
    scene.assert_held(|hold| matches!(hold, HoldReason::NewKeyUnused(_)));
    assert_eq!(scene.shared.world().keys.len(), 2, "both are there");
    // It continues without help as soon as there is a consumer.
    let held = scene.shared.world().sinks[0].held.clone();
    scene.shared.world().consumers.push(SimConsumer {
        reads: Some(0),
        holds: held,
        uses_every: 600,
        reads_every: HOUR,
    });
    scene.shared.world().pass(2 * HOUR);
    let _ = scene.tick();
    assert_eq!(scene.rotation().held, None);
    let adopted = scene.rotation().adopted.unwrap();
    assert_eq!(adopted.service, "s3");
    scene.assert_replaced();
}

#[test]
fn row_09_a_person_made_the_second_key() {
    let scene = Scene::new(1);
    scene.shared.world().make(KeyActor::Person);
    let refused = live(scene.rotator.begin(scene.rules)).unwrap();
    let Err(TickError::Refused(HoldReason::SecondKey(second))) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(second, scene.shared.world().keys[1].pair.id);
    assert_eq!(scene.shared.world().keys.len(), 2);
    assert!(
        scene.rotator.rotation().is_none(),
        "nothing was written down"
    );
}

#[test]
fn row_10_two_rotators_at_once() {
    let mut scene = Scene::new(1);
    let other = SimRotator::new(&scene.shared, 1);
    scene.begin();
    live(other.begin(RotationRules::SAFE)).unwrap().unwrap();
    let _ = scene.tick();
    let lost = live(other.executor().tick(&other.id)).unwrap().unwrap();
    assert!(matches!(lost, TickOutcome::Progressed(_)), "{lost:?}");
    let lost = other.rotation().unwrap();
    assert_eq!((lost.phase, lost.new), (Phase::Abandoned, None));
    let why = lost.why_back.unwrap();
    let winner = format!("another rotation has marked the user: {}", scene.rotator.id);
    assert!(
        why.contains(&winner) && why.contains("nothing was changed"),
        "{why}"
    );
    scene.assert_replaced();
}

/// Both observe before either has marked the user, and then each takes its turn.
#[test]
fn row_10_two_machines_that_begin_at_the_same_moment_end() {
    for first in [0, 1, 2, 3, 4, 5] {
        let mut scene = Scene::new(1);
        let other = SimRotator::new(&scene.shared, 1);
        scene.begin();
        live(other.begin(RotationRules::SAFE)).unwrap().unwrap();
        for _ in 0..first {
            let _ = scene.tick();
        }
        // The mark of the first is lost, as when both write it concurrently.
        scene.shared.world().tags.clear();
        for _ in 0..2000 {
            let _ = live(other.executor().tick(&other.id));
            let _ = scene.tick();
            scene.shared.world().pass(HOUR / 4);
            let phases = [&scene.rotator, &other].map(|one| one.rotation().unwrap().phase);
            if phases.iter().all(|phase| phase.is_over()) {
                break;
            }
        }
        let mut ends = [&scene.rotator, &other].map(|one| one.rotation().unwrap().phase);
        ends.sort();
        assert_eq!(ends, [Phase::Done, Phase::Abandoned], "{first}");
        let world = scene.shared.world();
        assert_eq!(world.made, 2, "{first}: the loser changed nothing");
        assert!(world.tags.is_empty(), "{first}: {:?}", world.tags);
    }
}

#[test]
fn row_10_two_processes_with_one_journal() {
    let mut scene = Scene::new(1);
    scene.begin();
    let mut stale = scene.rotation();
    let _ = scene.tick();
    stale.generation += 1;
    let journal = Arc::clone(&scene.rotator.journal);
    let conflict = live(crate::ports::RotationJournal::advance(
        &*journal, &stale, "late",
    ));
    let conflict = conflict.unwrap();
    assert_eq!(conflict, Err(crate::ports::JournalError::Conflict));
    scene.assert_replaced();
}

/// In each phase, with the service up and down: no one is stranded, and the user is free again.
#[test]
fn an_abandoned_rotation_ends_safely_from_every_phase() {
    let phases = [
        Phase::Planned,
        Phase::Created,
        Phase::Distributing,
        Phase::Observing,
        Phase::Confirming,
        Phase::Deactivating,
        Phase::Dwelling,
        Phase::Deleting,
    ];
    for phase in phases {
        for (back, reachable) in [(false, true), (false, false), (true, true), (true, false)] {
            let mut scene = Scene::new(2);
            scene.begin();
            scene.until(phase);
            let id = scene.rotator.id.clone();
            if back
                && live(scene.rotator.executor().roll_back(&id, "a test"))
                    .unwrap()
                    .is_ok()
            {
                let _ = scene.tick();
            }
            if scene.rotation().phase.is_over() {
                continue;
            }
            if !reachable {
                scene.shared.set_faults(Box::new(|name| match name {
                    "advance" => CallFault::None,
                    _ => CallFault::Fails,
                }));
            }
            live(scene.rotator.executor().abandon(&id, "the job is gone"))
                .unwrap()
                .unwrap();
            scene.shared.set_faults(Box::new(|_| CallFault::None));
            let ended = scene.rotation();
            assert_eq!((ended.phase, ended.held), (Phase::Abandoned, None));
            let why = ended.why_back.unwrap();
            assert!(why.starts_with("the job is gone; "), "{why}");
            assert_eq!(why.contains("not checked"), !reachable, "{why}");
            scene.shared.world().pass(30 * DAY);
            let world = scene.shared.world();
            assert_eq!(world.violations, Vec::<String>::new(), "{phase:?}");
            assert_eq!(world.stranded(), None, "{phase:?}");
            if reachable {
                assert!(world.tags.is_empty(), "{phase:?}: the mark is gone");
                let lost = |key: &crate::simulator::SimKey| {
                    key.maker != KeyActor::Person && !world.sinks.iter().any(|s| s.held == key.pair)
                };
                let early = phase <= Phase::Created && !back;
                assert!(!early || !world.keys.iter().any(lost), "{phase:?}");
            }
        }
    }
}

/// A person deletes the key that a rollback needs: the rotation can still be ended.
#[test]
fn a_rollback_without_its_old_key_can_be_abandoned() {
    let mut scene = Scene::new(1);
    scene.begin();
    scene.until(Phase::Dwelling);
    let id = scene.rotator.id.clone();
    live(scene.rotator.executor().roll_back(&id, "a test"))
        .unwrap()
        .unwrap();
    scene.shared.world().keys.remove(0);
    scene.assert_held(|hold| matches!(hold, HoldReason::OldKeyGone(_)));
    live(scene.rotator.executor().abandon(&id, "it was deleted"))
        .unwrap()
        .unwrap();
    assert_eq!(scene.rotation().phase, Phase::Abandoned);
    assert_eq!(scene.shared.world().stranded(), None);
}

/// The key leaked after the rotation had begun with a day's observation window.
#[test]
fn an_open_rotation_is_shortened() {
    let mut scene = Scene::new(1);
    scene.begin();
    scene.until(Phase::Observing);
    let journal = Arc::clone(&scene.rotator.journal);
    let id = scene.rotator.id.clone();
    let now = || RotationEdit {
        incident: true,
        dwell_secs: Some(5 * HOUR),
        ..RotationEdit::default()
    };
    scene.shared.world().pass(2 * HOUR);
    let begun = scene.now();
    assert!(
        live(change(&*journal, &id, now(), "leaked"))
            .unwrap()
            .unwrap()
    );
    assert!(
        !live(change(&*journal, &id, now(), "leaked"))
            .unwrap()
            .unwrap()
    );
    scene.until(Phase::Dwelling);
    assert!(scene.now() - begun < 60, "it does not wait for quiet");
    let message = journal.events();
    let message = message.iter().find(|event| event.starts_with("changed: "));
    let expected = "changed: observe from 86400 s to 0 s, dwell from 604800 s to 18000 s, sessions \
                created with the old key will be ended; leaked";
    assert_eq!(message.map(String::as_str), Some(expected));
    scene.assert_replaced();
    assert!(scene.now() - begun < 6 * HOUR);
    let late = live(change(&*journal, &id, now(), "late")).unwrap();
    assert!(matches!(late, Err(TickError::TooLate(Phase::Done))));
}

/// The evidence is published hours late and rounded: a shorter window proves nothing.
#[test]
fn a_window_that_the_evidence_cannot_cover_is_refused() {
    let mut scene = Scene::new(1);
    let with = |observe_secs, dwell_secs, accept_blind| RotationRules {
        observe_secs,
        dwell_secs,
        accept_blind,
        ..RotationRules::SAFE
    };
    for short in [
        with(20, DAY, false),
        with(DAY, 20, false),
        with(BLIND_SECS - 1, DAY, false),
    ] {
        let refused = live(scene.rotator.begin(short)).unwrap();
        assert!(matches!(refused, Err(TickError::Blind(_))), "{refused:?}");
    }
    scene.rules = with(BLIND_SECS, BLIND_SECS, false);
    scene.begin();
    let journal = Arc::clone(&scene.rotator.journal);
    let id = scene.rotator.id.clone();
    let short = RotationEdit {
        observe_secs: Some(20),
        ..RotationEdit::default()
    };
    let refused = live(change(&*journal, &id, short.clone(), "in a hurry")).unwrap();
    assert!(matches!(refused, Err(TickError::Blind(_))), "{refused:?}");
    assert_eq!(scene.rotation().rules.observe_secs, BLIND_SECS);
    let accepted = RotationEdit {
        accept_blind: true,
        ..short
    };
    assert!(
        live(change(&*journal, &id, accepted, "a test"))
            .unwrap()
            .unwrap()
    );

    for (exact, rules) in [(false, with(20, 20, true)), (true, with(20, 20, false))] {
        let scene = Scene::new(1);
        let mut rotator = SimRotator::new(&scene.shared, 0);
        rotator.issuer.exact = exact;
        live(rotator.begin(rules)).unwrap().unwrap();
    }
}

/// It becomes visible only after the key was deactivated.
#[test]
fn a_use_in_the_window_that_was_published_late_keeps_the_key() {
    let mut scene = Scene::new(1);
    scene.begin();
    scene.until(Phase::Dwelling);
    let since = scene.rotation().since.secs();
    {
        let mut world = scene.shared.world();
        world.keys[0].uses.note(since - HOUR, 0, "s3");
    }
    scene.assert_held(
        |hold| matches!(hold, HoldReason::StillUsed(why) if why.contains("shortly before")),
    );
    assert_eq!(scene.shared.world().keys.len(), 2);
}

#[test]
fn row_11_throttling_is_never_read_as_never_used() {
    let mut scene = Scene::new(1);
    scene.begin();
    scene.until(Phase::Observing);
    scene.shared.world().pass(2 * DAY);
    scene.shared.set_faults(Box::new(|name| match name {
        "last_use" => CallFault::Throttled,
        _ => CallFault::None,
    }));
    for _ in 0..50 {
        let stopped = scene.tick();
        let throttled = matches!(
            stopped,
            Some(Err(TickError::Issuer(IssuerError::Throttled)))
        );
        assert!(throttled, "{stopped:?}");
    }
    assert_eq!(scene.rotation().phase, Phase::Observing);
    scene.shared.set_faults(Box::new(|_| CallFault::None));
    scene.assert_replaced();
}

#[test]
fn rows_12_13_14_a_crash_at_every_call_resumes() {
    // As many calls as a rotation makes, each with a crash before and after it took effect.
    let calls = {
        let mut scene = Scene::new(2);
        let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        scene.begin();
        scene.shared.set_faults(Box::new(move |_| {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            CallFault::None
        }));
        scene.assert_replaced();
        count.load(std::sync::atomic::Ordering::Relaxed)
    };
    assert!(calls > 50, "{calls}");
    for nth in 1..=calls {
        for fault in [
            CallFault::DieBefore,
            CallFault::DieAfter,
            CallFault::Lost,
            CallFault::Fails,
        ] {
            let mut scene = Scene::new(2);
            scene.begin();
            let mut seen = 0;
            scene.shared.set_faults(Box::new(move |_| {
                seen += 1;
                if seen == nth { fault } else { CallFault::None }
            }));
            scene.assert_replaced();
        }
    }
}

#[test]
fn row_13_the_dwell_counts_from_the_journal() {
    let mut scene = Scene::new(1);
    scene.begin();
    scene.until(Phase::Dwelling);
    let since = scene.rotation().since;
    scene.shared.world().pass(3 * DAY);
    scene.rotator.revive(&scene.shared);
    let noted = scene.tick();
    assert!(
        matches!(noted, Some(Ok(TickOutcome::Progressed(_)))),
        "{noted:?}"
    );
    let Some(Ok(TickOutcome::Wait { until, .. })) = scene.tick() else {
        panic!("it does not wait");
    };
    assert_eq!(until, since.plus_secs(7 * DAY));
    scene.assert_replaced();
}

#[test]
fn row_15_the_rotator_rotates_its_own_key() {
    let mut scene = Scene::new(1);
    let own = scene.shared.world().sinks[0].held.clone();
    scene.rotator.issuer = crate::simulator::SimIssuer {
        own: std::sync::Mutex::new(Some(own.clone())),
        ..crate::simulator::SimIssuer::new(&scene.shared, 0)
    };
    scene.begin();
    scene.until(Phase::Deactivating);
    assert_ne!(
        scene.rotator.issuer.signer(),
        Some(own.id),
        "it signs with the new key"
    );
    scene.assert_replaced();
}

#[test]
fn row_17_the_old_key_is_gone_already() {
    for deleted in [false, true] {
        let mut scene = Scene::new(1);
        scene.begin();
        scene.until(Phase::Deactivating);
        {
            let mut world = scene.shared.world();
            world.keys[0].withdrawn_by_person = true;
            world.keys[0].status = IamKeyStatus::Inactive;
            if deleted {
                let gone = world.keys.remove(0);
                world.gone.push(gone);
            }
        }
        scene.assert_replaced();
    }
}

#[test]
fn row_18_the_user_was_deleted_and_made_again() {
    let mut scene = Scene::new(1);
    scene.begin();
    scene.until(Phase::Observing);
    scene.shared.world().recreate_user();
    let theirs = scene.shared.world().keys.clone();
    // Its own user is gone, and the other user is not its concern.
    assert_eq!(scene.finish(), Phase::UserGone);
    let world = scene.shared.world();
    let [key] = world.keys.as_slice() else {
        panic!("{:?}", world.keys);
    };
    assert_eq!(key.pair, theirs[0].pair);
    assert_eq!(key.status, IamKeyStatus::Active);
    assert!(world.tags.is_empty(), "{:?}", world.tags);
}

#[test]
fn row_19_a_clock_that_is_wrong_by_hours_is_refused() {
    let mut scene = Scene::new(1);
    scene.rotator.issuer.skew = 3 * HOUR;
    let refused = live(scene.rotator.begin(scene.rules)).unwrap();
    assert!(
        matches!(refused, Err(TickError::Skew { .. })),
        "{refused:?}"
    );
    scene.rotator.issuer.skew = 0;
    scene.begin();
    scene.until(Phase::Observing);
    scene.rotator.issuer.skew = -3 * HOUR;
    let stopped = scene.tick();
    assert!(
        matches!(stopped, Some(Err(TickError::Skew { .. }))),
        "{stopped:?}"
    );
}

#[test]
fn row_22_put_back_after_deactivation() {
    let mut scene = Scene::new(2);
    scene.begin();
    scene.until(Phase::Dwelling);
    scene.shared.world().pass(DAY);
    let id = scene.rotator.id.clone();
    let back = live(scene.rotator.executor().roll_back(&id, "a person asked"));
    back.unwrap().unwrap();
    scene.until(Phase::Retiring);
    {
        let world = scene.shared.world();
        let [old, new] = world.keys.as_slice() else {
            panic!("{:?}", world.keys);
        };
        assert_eq!(
            (old.status, new.status),
            (IamKeyStatus::Active, IamKeyStatus::Inactive)
        );
        assert!(world.sinks.iter().all(|sink| sink.held == old.pair));
    }
    // The new key is left over but known, and is deleted after its dwell.
    scene.finish();
    assert_eq!(scene.rotation().phase, Phase::RolledBack);
    assert_eq!(scene.shared.world().keys.len(), 1);
}

#[test]
fn row_22_put_back_although_the_listing_still_shows_the_old_key_active() {
    let mut scene = Scene::new(1);
    scene.shared.world().lag = 30;
    scene.begin();
    scene.until(Phase::Dwelling);
    let id = scene.rotator.id.clone();
    let back = live(scene.rotator.executor().roll_back(&id, "at once"));
    back.unwrap().unwrap();
    scene.finish();
    assert_eq!(scene.rotation().phase, Phase::RolledBack);
}

#[test]
fn row_23_nothing_can_be_put_back_after_deletion() {
    let mut scene = Scene::new(1);
    scene.begin();
    scene.assert_replaced();
    let id = scene.rotator.id.clone();
    let late = live(scene.rotator.executor().roll_back(&id, "too late")).unwrap();
    assert!(
        matches!(late, Err(TickError::TooLate(Phase::Done))),
        "{late:?}"
    );
}

#[test]
fn row_23_a_key_that_is_still_tried_is_not_deleted() {
    let mut scene = Scene::new(1);
    scene.rotator.issuer.repeats = true;
    scene.begin();
    scene.until(Phase::Dwelling);
    scene.shared.world().pass(7 * DAY - HOUR);
    let tried = scene.now();
    scene.shared.world().keys[0].tried = Some(tried);
    scene.shared.world().pass(2 * HOUR);
    let _ = scene.tick();
    let Some(Ok(TickOutcome::Wait { until, why })) = scene.tick() else {
        panic!("it does not wait");
    };
    assert_eq!(until.secs(), tried + DAY);
    let message = "was tried for s3:CreateBucket from 192.0.2.7 (aws-cli/2) at 20";
    assert!(why.contains(message), "{why}");
    scene.assert_replaced();
}

#[test]
fn row_23_a_leaked_key_is_deleted_although_it_is_tried() {
    let mut scene = Scene::new(1);
    scene.rotator.issuer.repeats = true;
    scene.rules = RotationRules::INCIDENT;
    scene.rotator.incident = Some(LeakResponse::default());
    // This case does not wait for consumers, so there must be none to strand.
    scene.shared.world().consumers.clear();
    scene.override_unused();
    scene.begin();
    scene.until(Phase::Dwelling);
    scene.shared.world().pass(7 * DAY - 1);
    let now = scene.now();
    scene.shared.world().keys[0].tried = Some(now);
    scene.assert_replaced();
}

#[test]
fn a_sink_with_a_foreign_key_is_not_written() {
    let mut scene = Scene::new(2);
    scene.begin();
    let other = stranger();
    {
        let mut world = scene.shared.world();
        world.foreign.push(other.clone());
        world.sinks[1].held = other.clone();
        world.consumers.pop();
    }
    let theirs = format!("it holds {}", other.id);
    scene.assert_held(|hold| matches!(hold, HoldReason::Sink(why) if why.contains(&theirs)));
    assert_eq!(scene.shared.world().sinks[1].held, other);
}

#[test]
fn what_another_writes_during_a_rotation_is_never_overwritten() {
    for (phase, back) in [
        (Phase::Distributing, false),
        (Phase::Observing, false),
        (Phase::Confirming, false),
        (Phase::Observing, true),
        (Phase::Dwelling, true),
    ] {
        let mut scene = Scene::new(2);
        scene.begin();
        scene.until(phase);
        let other = stranger();
        {
            let mut world = scene.shared.world();
            world.foreign.push(other.clone());
            world.sinks[1].held = other.clone();
            world.consumers.pop();
        }
        if back {
            let id = scene.rotator.id.clone();
            let requested = scene.rotator.executor();
            live(requested.roll_back(&id, "a test")).unwrap().unwrap();
        }
        let theirs = format!("it holds {}", other.id);
        scene.assert_held(|hold| matches!(hold, HoldReason::Sink(why) if why.contains(&theirs)));
        let world = scene.shared.world();
        assert_eq!(world.sinks[1].held, other, "{phase:?}");
        assert_eq!(world.keys.len(), 2, "{phase:?}: no key is gone");
    }
}

#[test]
fn sinks_are_looked_at_before_anything_is_created() {
    for what in ["refused", "somebody else's", "down"] {
        let scene = Scene::new(2);
        {
            let mut world = scene.shared.world();
            let now = world.now;
            let sink = &mut world.sinks[1];
            match what {
                "refused" => sink.refused = true,
                "down" => sink.down_until = now + HOUR,
                _ => sink.held = stranger(),
            }
        }
        let refused = live(scene.rotator.begin(scene.rules)).unwrap();
        match &refused {
            Err(TickError::Refused(HoldReason::Sink(why))) if what != "down" => {
                assert!(why.starts_with("sink-1: "), "{why}");
            }
            Err(TickError::NotNow(why)) if what == "down" => {
                assert_eq!(why, "sink-1: down");
            }
            _ => panic!("{what}: {refused:?}"),
        }
        assert!(scene.rotator.rotation().is_none(), "nothing was begun");
        let world = scene.shared.world();
        assert_eq!((world.keys.len(), world.tags.len()), (1, 0), "{what}");
    }
}

#[test]
fn a_plan_that_cannot_be_carried_out_is_refused_before_it_is_written() {
    let scene = Scene::new(1);
    scene.shared.world().keys[0].status = IamKeyStatus::Inactive;
    let refused = live(scene.rotator.begin(scene.rules)).unwrap();
    assert!(
        matches!(
            refused,
            Err(TickError::Refused(HoldReason::OldKeyInactive(_)))
        ),
        "{refused:?}"
    );
    assert!(scene.rotator.rotation().is_none());
}

/// An operator who sees only two keys would be advised to delete the one that the other rotation
/// created.
#[test]
fn a_second_key_of_a_marked_user_belongs_to_the_rotation_of_the_mark() {
    let mut scene = Scene::new(1);
    scene.begin();
    scene.until(Phase::Dwelling);
    scene.shared.world().pass(2 * HOUR);
    let other = SimRotator::new(&scene.shared, 1);
    let refused = live(other.begin(scene.rules)).unwrap();
    let Err(TickError::Refused(HoldReason::Marked(owner))) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(owner, scene.rotator.id.0, "although the mark has expired");
}

#[test]
fn a_key_that_a_rollback_brought_back_is_not_quietly_left_in_use_when_it_leaks() {
    let mut scene = Scene::new(1);
    scene.begin();
    scene.until(Phase::Observing);
    live(
        scene
            .rotator
            .executor()
            .roll_back(&scene.rotator.id, "a test"),
    )
    .unwrap()
    .unwrap();
    for phase in [Phase::RollingBack, Phase::Settling] {
        scene.until(phase);
        let leaked = RotationEdit {
            incident: true,
            ..RotationEdit::default()
        };
        let before = scene.rotation();
        let changed = change(
            &*scene.rotator.journal,
            &scene.rotator.id,
            leaked,
            "it leaked",
        );
        let changed = live(changed).unwrap();
        assert!(
            matches!(&changed, Err(TickError::RollingBack(key)) if *key == before.old),
            "{phase:?}: {changed:?}"
        );
        assert_eq!(scene.rotation(), before);
    }
}

#[test]
fn the_last_use_of_a_deleted_key_is_recorded() {
    let mut scene = Scene::new(1);
    scene.begin();
    scene.assert_replaced();
    let rotation = scene.rotation();
    assert_eq!(rotation.phase, Phase::Done);
    assert!(rotation.used_last.is_some(), "{rotation:?}");
}
