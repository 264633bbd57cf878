//! Destinations that only a person can fill: everything else continues meanwhile, and only the
//! person's confirmation counts.

use async_trait::async_trait;
use keywright_base::{Clock, Secret};

use crate::{
    execute::{Executor, NewRotation, TickError, TickOutcome, retrieve},
    model::{DeliveryStage, KeyPair, ManualStep, Phase, Rotation, RotationId, RotationRules},
    ports::{RotationPairs, Sink, SinkBackup, SinkContent, SinkError},
    simulator::{CallFault, SharedWorld, SimRotator, SimWorld, live},
};

struct ManualDelivery;

#[async_trait]
impl Sink for ManualDelivery {
    fn name(&self) -> &str {
        "somebody"
    }

    async fn stage(&self, _: &RotationId) -> Result<SinkBackup, SinkError> {
        Ok(Secret::new(Vec::new()))
    }

    async fn commit(&self, _: &RotationId, _: &SinkBackup, _: &KeyPair) -> Result<(), SinkError> {
        Err(SinkError::Person("somebody must do it".to_owned()))
    }

    async fn read_back(&self) -> Result<SinkContent, SinkError> {
        Ok(SinkContent::Unreadable)
    }

    async fn restore(
        &self,
        _: &RotationId,
        _: &SinkBackup,
        _: RotationPairs<'_>,
    ) -> Result<(), SinkError> {
        Ok(())
    }
}

struct Scene {
    shared: std::sync::Arc<SharedWorld>,
    rotator: SimRotator,
}

impl Scene {
    /// A rotation with a manual delivery and one other sink, as far as it gets without help.
    fn waiting() -> Self {
        Self::waiting_for(Some("a test without programs"))
    }

    fn waiting_for(why: Option<&str>) -> Self {
        let shared = SharedWorld::new(SimWorld::new(1));
        let rotator = SimRotator::new(&shared, 0);
        let scene = Self { shared, rotator };
        scene.shared.world().overridden = why.is_some();
        let order = NewRotation {
            id: scene.rotator.id.clone(),
            access: String::new(),
            by: "arn:aws:iam::123456789012:user/admin".to_owned(),
            rule: Some("all".to_owned()),
            account: "123456789012".to_owned(),
            user: "RotateKeyUser".to_owned(),
            old: None,
            rules: RotationRules {
                observe_secs: 0,
                dwell_secs: 0,
                accept_blind: true,
                ..RotationRules::SAFE
            },
            create: false,
            incident: None,
            override_unused: why.map(str::to_owned),
        };
        let drafted = live(scene.executor().draft(order)).unwrap().unwrap();
        live(scene.executor().begin(&drafted)).unwrap().unwrap();
        scene.ticks(60);
        scene
    }

    fn executor(&self) -> Executor<'_> {
        let other = self.rotator.sinks.first().map(|sink| sink as &dyn Sink);
        Executor {
            sinks: std::iter::once(&ManualDelivery as &dyn Sink)
                .chain(other)
                .collect(),
            ..self.rotator.executor()
        }
    }

    fn ticks(&self, most: usize) {
        for _ in 0..most {
            let ticked = live(self.executor().tick(&self.rotator.id))
                .unwrap()
                .unwrap();
            match ticked {
                TickOutcome::Over => return,
                TickOutcome::Held(hold) => panic!("held: {hold}"),
                _ => self.shared.world().pass(2),
            }
        }
    }

    fn rotation(&self) -> Rotation {
        self.rotator.rotation().unwrap()
    }

    fn confirm(&self) -> Result<TickOutcome, TickError> {
        live(self.executor().confirm(&self.rotator.id)).unwrap()
    }

    fn retrieve(&self) -> Result<KeyPair, TickError> {
        let (journal, id) = (&*self.rotator.journal, &self.rotator.id);
        let now = self.rotator.issuer.now();
        live(retrieve(journal, id, "arn:a", now)).unwrap()
    }

    fn retrieve_and_confirm(&self) {
        self.retrieve().unwrap();
        self.confirm().unwrap();
    }
}

#[test]
fn others_go_on_while_a_person_is_waited_for() {
    let scene = Scene::waiting();
    let rotation = scene.rotation();
    assert_eq!(rotation.phase, Phase::Distributing);
    assert_eq!(rotation.awaits_person(), Some(0));
    let stages: Vec<_> = rotation.deliveries.iter().map(|one| one.stage).collect();
    assert_eq!(stages, [DeliveryStage::Writing, DeliveryStage::ReadBack]);
    let person = &rotation.deliveries[0];
    assert_eq!((person.failures, person.person), (0, ManualStep::Awaited));
    let message = scene.rotator.journal.events();
    let message = message
        .iter()
        .filter(|event| event.contains("somebody must"));
    assert_eq!(message.count(), 1, "it is not requested repeatedly");
    assert_eq!(rotation.origin.rule.as_deref(), Some("all"));
}

#[test]
fn a_persons_word_lets_it_go_on_at_once() {
    let scene = Scene::waiting();
    scene.retrieve_and_confirm();
    assert_eq!(scene.rotation().awaits_person(), None);
    scene.ticks(60);
    assert_eq!(scene.rotation().phase, Phase::Done);
    assert!(matches!(scene.confirm(), Err(TickError::NothingToConfirm)));
}

/// With a person's confirmation alone, the old key would be deleted and no one would have the new
/// one.
#[test]
fn a_word_without_a_retrieval_is_no_evidence() {
    let scene = Scene::waiting();
    let refused = scene.confirm();
    assert!(
        matches!(refused, Err(TickError::NotRetrieved(_))),
        "{refused:?}"
    );
    assert_eq!(scene.rotation().awaits_person(), Some(0), "nothing changed");
    scene.retrieve_and_confirm();
    let events = scene.rotator.journal.events();
    let message = |what: &str| events.iter().any(|event| event.contains(what));
    assert!(message("was retrieved by arn:a"), "{events:?}");
    assert!(
        message("confirmed by a person; it was retrieved at"),
        "{events:?}"
    );
}

/// A consumer that got the new key from another destination is evidence, too.
#[test]
fn a_word_is_believed_where_a_consumer_uses_the_key() {
    let scene = Scene::waiting_for(None);
    scene.shared.world().pass(2 * 3600);
    scene.confirm().unwrap();
    scene.ticks(60);
    assert_eq!(scene.rotation().phase, Phase::Done);
}

#[test]
fn the_new_key_can_be_retrieved_until_the_old_one_is_deleted() {
    let scene = Scene::waiting_for(None);
    scene.shared.world().consumers.clear();
    scene.retrieve_and_confirm();
    scene.ticks(60);
    assert_eq!(scene.rotation().phase, Phase::Dwelling);
    let pair = scene.retrieve().unwrap();
    assert_eq!(Some(pair), scene.rotation().pair());
    let id = &scene.rotator.id;
    live(scene.executor().roll_back(id, "a test"))
        .unwrap()
        .unwrap();
    let refused = scene.retrieve();
    assert!(matches!(refused, Err(TickError::NothingToRetrieve)));
}

#[test]
fn what_no_person_delivers_cannot_be_confirmed() {
    let scene = Scene::waiting();
    let id = &scene.rotator.id;
    live(scene.executor().roll_back(id, "a test"))
        .unwrap()
        .unwrap();
    assert_eq!(scene.rotation().awaits_person(), None);
    assert!(matches!(scene.confirm(), Err(TickError::NothingToConfirm)));
}

#[test]
fn it_can_be_put_back_before_and_after_the_word() {
    for confirmed in [false, true] {
        let scene = Scene::waiting();
        if confirmed {
            scene.retrieve_and_confirm();
        }
        let id = &scene.rotator.id;
        live(scene.executor().roll_back(id, "a test"))
            .unwrap()
            .unwrap();
        scene.ticks(200);
        assert_eq!(scene.rotation().phase, Phase::RolledBack, "{confirmed}");
        let world = scene.shared.world();
        assert_eq!(world.keys.len(), 1);
        assert_eq!(world.violations, Vec::<String>::new());
    }
}

#[test]
fn another_person_can_take_over() {
    let scene = Scene::waiting();
    let id = &scene.rotator.id;
    let executor = scene.executor();
    live(executor.hand_over(id, "elsewhere".to_owned(), "arn:b"))
        .unwrap()
        .unwrap();
    assert_eq!(scene.rotation().access, "elsewhere");
    let events = scene.rotator.journal.events();
    assert!(
        events
            .iter()
            .any(|event| event.contains("taken over by arn:b")),
        "{events:?}"
    );
}

/// A permission revoked midway is reported. The rotation continues without help once it is granted
/// again, and removes the mark in the end.
#[test]
fn what_is_refused_late_is_named_and_goes_on_when_it_is_granted() {
    for refused in ["set_status", "delete", "untag", "last_use", "user", "keys"] {
        for back in [false, true] {
            let scene = Scene::waiting();
            scene.retrieve_and_confirm();
            let id = scene.rotator.id.clone();
            if back {
                live(scene.executor().roll_back(&id, "a test"))
                    .unwrap()
                    .unwrap();
            }
            scene.shared.set_faults(Box::new(move |name| {
                if name == refused {
                    CallFault::Denied
                } else {
                    CallFault::None
                }
            }));
            let mut held = None;
            for _ in 0..60 {
                if let TickOutcome::Held(hold) = live(scene.executor().tick(&id)).unwrap().unwrap()
                {
                    held = Some(hold.to_string());
                }
                scene.shared.world().pass(2);
            }
            let needed = refused != "last_use" || !back;
            if needed {
                let held = held.unwrap_or_default();
                let names = format!("not allowed to call {refused}");
                assert!(held.contains(&names), "{refused} {back}: {held}");
                let message = scene.rotator.journal.events();
                let message = message.iter().filter(|event| event.starts_with("held: "));
                assert_eq!(message.count(), 1, "it is reported once");
                assert_eq!(scene.shared.world().tags.len(), 1, "the mark stays");
            }
            scene.shared.set_faults(Box::new(|_| CallFault::None));
            scene.ticks(200);
            let over = if back { Phase::RolledBack } else { Phase::Done };
            assert_eq!(scene.rotation().phase, over, "{refused}");
            let world = scene.shared.world();
            assert!(world.tags.is_empty(), "{refused} {back}: {:?}", world.tags);
            assert_eq!(world.keys.len(), 1);
        }
    }
}
