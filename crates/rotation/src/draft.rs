//! Drafts a rotation: checks every precondition before it changes anything.
//!
//! Invariant: whatever can be known to fail in advance (a second key, clock skew, a read-only file)
//! is rejected before the first change. The draft is judged by the same planner that drives the
//! rotation later.

use keywright_base::Timestamp;

use crate::{
    execute::{Executor, NewRotation, TickError, check_count, look},
    model::{
        Delivery, HoldReason, KeyId, NotedUse, Phase, Rotation, RotationOrigin, RotationSecrets,
    },
    plan::{MARK, Observation, PlanStep, plan_marked},
    ports::{IssuerUser, ListedKey},
};

/// The key to replace: the one the caller named, or the user's only key.
fn old_key(named: Option<KeyId>, keys: &[ListedKey]) -> Result<KeyId, HoldReason> {
    match (named, keys) {
        (Some(old), _) => Ok(old),
        (None, [only]) => Ok(only.id.clone()),
        (None, []) => Err(HoldReason::OldKeyGone(KeyId("?".into()))),
        (None, [_, second, ..]) => Err(HoldReason::SecondKey(second.id.clone())),
    }
}

/// A second key of a marked user was probably created by the rotation that the mark names, in
/// another journal, even if the mark has expired: a rotation renews it only while something drives
/// it, and removes it when it ends.
fn second_or_marked(hold: HoldReason, marked_by: Option<&str>) -> HoldReason {
    match (hold, marked_by) {
        (HoldReason::SecondKey(_), Some(other)) => HoldReason::Marked(other.to_owned()),
        (hold, _) => hold,
    }
}

/// The rotation that has marked the user.
fn marked_by(user: &IssuerUser) -> Option<String> {
    let mark = user.tags.iter().find(|(key, _)| key == MARK);
    let (owner, _) = mark?.1.split_once(' ')?;
    Some(owner.to_owned())
}

impl Executor<'_> {
    /// Drafts a rotation from what exists now. Changes and writes nothing.
    ///
    /// # Errors
    /// [`TickError::Refused`] with the reason.
    pub async fn draft(&self, order: NewRotation) -> Result<Rotation, TickError> {
        let user = self.issuer.user(&order.user).await?;
        let listing = self.issuer.keys(&user.name).await?;
        self.check_clock(listing.at)?;
        // Read before the plan adds this rotation's own mark.
        let other = marked_by(&user);
        let refused = |hold| TickError::Refused(second_or_marked(hold, other.as_deref()));
        let old = old_key(order.old.clone(), &listing.keys).map_err(refused)?;
        let blind_secs = self.check_windows(&order)?;
        self.check_own_key(&order, &old)?;
        let create = order.create;
        let mut rotation = self.planned(order, &user, old, listing.at, blind_secs);
        let mut seen = Observation {
            user,
            keys: listing.keys,
            now: listing.at,
            used: None,
            used_new: None,
            tried: None,
            repeats_create: self.issuer.repeats_create(),
            lags: self.issuer.lags_secs() > 0,
        };
        let step = plan_marked(&rotation, &mut seen);
        if let PlanStep::Hold(hold) | PlanStep::Lose(hold) = step {
            return Err(TickError::Refused(second_or_marked(hold, other.as_deref())));
        }
        let used = self.usage.last_use(&rotation.old).await?;
        rotation.used_before = used.map(NotedUse::from);
        self.look_at_sinks(&mut rotation, create).await?;
        Ok(rotation)
    }

    /// The rotation in its initial state. `old` is a key of `user`, observed at `at`.
    fn planned(
        &self,
        order: NewRotation,
        user: &IssuerUser,
        old: KeyId,
        at: Timestamp,
        blind_secs: i64,
    ) -> Rotation {
        Rotation {
            id: order.id,
            generation: 1,
            access: order.access,
            origin: RotationOrigin {
                by: order.by,
                rule: order.rule,
                at,
            },
            account: order.account,
            user: user.name.clone(),
            user_id: user.id.clone(),
            arn: user.arn.clone(),
            old,
            rules: order.rules,
            calendar: None,
            incident: order.incident,
            phase: Phase::Planned,
            since: at,
            pre_image: Vec::new(),
            new: None,
            orphan: None,
            verified: false,
            blind_secs,
            used_before: None,
            used_last: None,
            last_known: None,
            checked: None,
            retrieved: None,
            adopted: None,
            override_unused: order.override_unused,
            reactivated: false,
            deliveries: self.pending_deliveries(),
            held: None,
            not_before: Timestamp::default(),
            why_back: None,
            missing: None,
            secrets: RotationSecrets {
                new: None,
                old: None,
                backups: vec![None; self.sinks.len()],
            },
        }
    }

    fn pending_deliveries(&self) -> Vec<Delivery> {
        let names = self.sinks.iter().map(|sink| sink.name());
        names.map(Delivery::pending).collect()
    }

    /// Returns how long a use may stay invisible, in seconds. Both windows must be longer than
    /// that, unless the caller accepts shorter ones.
    fn check_windows(&self, order: &NewRotation) -> Result<i64, TickError> {
        let blind_secs = self.usage.blind_secs();
        match order
            .rules
            .blind_window(blind_secs, order.incident.is_some())
        {
            Some(blind) => Err(TickError::Blind(blind)),
            None => Ok(blind_secs),
        }
    }

    /// A rotator that deactivates the key it signs with first could make no further calls.
    fn check_own_key(&self, order: &NewRotation, old: &KeyId) -> Result<(), TickError> {
        let first = order.incident.is_some_and(|it| it.deactivate_first);
        if first && self.issuer.signer().as_ref() == Some(old) {
            return Err(TickError::OwnKey(old.clone()));
        }
        Ok(())
    }

    /// Checks that each sink is readable, exists or may be created, and holds no foreign key.
    async fn look_at_sinks(&self, rotation: &mut Rotation, create: bool) -> Result<(), TickError> {
        check_count(self.sinks.len())?;
        for (at, sink) in self.sinks.iter().enumerate() {
            let (found, held) = look(rotation, *sink, create).await?;
            rotation.note_old(&held);
            if let Some(delivery) = rotation.deliveries.get_mut(at) {
                delivery.found = Some(found);
            }
        }
        Ok(())
    }
}
