//! The draft of a rotation: everything is looked at before anything is done.
//!
//! It protects one rule: what can be known beforehand to go wrong, a second key, a clock, a file
//! that is read-only, is refused while nothing is changed yet. The planner that refuses is the one
//! that is asked later.

use keywright_base::Timestamp;

use crate::{
    execute::{Executor, Order, Stopped, check_ours, pending},
    model::{Hold, KeyId, Origin, Phase, Rotation, Secrets},
    plan::{MARK, Seen, Step, plan},
    ports::SinkError,
};

impl Executor<'_> {
    /// The rotation that an order comes to, from what is there now. Nothing is changed or written.
    ///
    /// # Errors
    /// [`Stopped::Refused`] with what stands against it.
    pub async fn draft(&self, order: Order) -> Result<Rotation, Stopped> {
        let user = self.issuer.user(&order.user).await?;
        let listing = self.issuer.keys(&user.name).await?;
        self.check_clock(listing.at)?;
        let old = match (order.old, listing.keys.as_slice()) {
            (Some(old), _) => old,
            (None, [only]) => only.id.clone(),
            (None, []) => return Err(Stopped::Refused(Hold::OldKeyGone(KeyId("?".into())))),
            (None, [_, second, ..]) => {
                return Err(Stopped::Refused(Hold::SecondKey(second.id.clone())));
            }
        };
        let mut rotation = Rotation {
            id: order.id,
            generation: 1,
            access: order.access,
            origin: Origin {
                by: order.by,
                rule: order.rule,
                at: listing.at,
            },
            account: order.account,
            user: user.name.clone(),
            user_id: user.id.clone(),
            old,
            rules: order.rules,
            phase: Phase::Planned,
            since: listing.at,
            pre_image: Vec::new(),
            new: None,
            orphan: None,
            verified: false,
            reactivated: false,
            deliveries: self.sinks.iter().map(|sink| pending(sink.name())).collect(),
            held: None,
            not_before: Timestamp::default(),
            why_back: None,
            missing: None,
            secrets: Secrets {
                new: None,
                old: None,
                backups: vec![None; self.sinks.len()],
            },
        };
        let mut seen = Seen {
            user,
            keys: listing.keys,
            now: listing.at,
            used: None,
            tried: None,
            repeats_create: self.issuer.repeats_create(),
        };
        let mut step = plan(&rotation, &seen);
        if let Step::Mark(mark) = step {
            seen.user.tags.retain(|(key, _)| key != MARK);
            seen.user.tags.push((MARK.to_owned(), mark));
            step = plan(&rotation, &seen);
        }
        if let Step::Hold(hold) = step {
            return Err(Stopped::Refused(hold));
        }
        self.look_at_sinks(&mut rotation).await?;
        Ok(rotation)
    }

    /// Whether each sink can be read and holds nothing foreign.
    async fn look_at_sinks(&self, rotation: &mut Rotation) -> Result<(), Stopped> {
        for sink in &self.sinks {
            let held = sink.inspect().await;
            let ours = held.and_then(|held| {
                check_ours(rotation, &held)?;
                rotation.note_old(&held);
                Ok(())
            });
            let said = |why: &str| format!("{}: {why}", sink.name());
            match ours {
                Ok(()) => {}
                Err(SinkError::Never(why)) => return Err(Stopped::Refused(Hold::Sink(said(&why)))),
                Err(SinkError::Later(why) | SinkError::Person(why)) => {
                    return Err(Stopped::NotNow(said(&why)));
                }
            }
        }
        Ok(())
    }
}
