//! How many rotations may use destinations at the same time.
//!
//! Invariant: slow destinations delay few other rotations. Those of one backend get a part of the
//! slots only, and nothing holds a slot while it waits for a backend. Incidents have slots of their
//! own, and steps that need no destination take none.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::locked;

/// The number of rotations that use destinations at the same time.
const SLOTS: usize = 16;
/// How many of them may use the same backend.
const SLOTS_PER_BACKEND: usize = 4;

/// Slots for rotations that use destinations.
pub(super) struct DestinationSlots {
    all: Arc<Semaphore>,
    backends: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// Slots that are held until it is dropped.
pub(super) struct SlotPermits {
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Default for DestinationSlots {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(SLOTS)),
            backends: Mutex::default(),
        }
    }
}

impl DestinationSlots {
    /// Waits for a slot of each backend, and then for one of all.
    pub(super) async fn enter(&self, backends: BTreeSet<String>) -> SlotPermits {
        let mut permits = Vec::with_capacity(backends.len() + 1);
        // In the order of the set: two rotations never wait for each other.
        for backend in backends {
            permits.extend(self.backend(backend).acquire_owned().await);
        }
        permits.extend(Arc::clone(&self.all).acquire_owned().await);
        SlotPermits { _permits: permits }
    }

    /// Takes every slot.
    #[cfg(test)]
    pub(super) async fn fill(&self) -> Option<OwnedSemaphorePermit> {
        let slots = u32::try_from(SLOTS).ok()?;
        Arc::clone(&self.all).acquire_many_owned(slots).await.ok()
    }

    fn backend(&self, name: String) -> Arc<Semaphore> {
        let mut backends = locked(&self.backends);
        if let Some(slots) = backends.get(&name).and_then(Weak::upgrade) {
            return slots;
        }
        backends.retain(|_, slots| slots.strong_count() > 0);
        let slots = Arc::new(Semaphore::new(SLOTS_PER_BACKEND));
        backends.insert(name, Arc::downgrade(&slots));
        slots
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::{DestinationSlots, SLOTS, SLOTS_PER_BACKEND};

    fn enter(slots: &DestinationSlots, backends: &[&str]) -> Option<super::SlotPermits> {
        let backends = backends.iter().map(ToString::to_string).collect();
        slots.enter(backends).now_or_never()
    }

    #[test]
    fn a_slow_backend_leaves_slots_for_others() {
        let slots = DestinationSlots::default();
        let slow: Vec<_> = (0..SLOTS).map(|_| enter(&slots, &["slow"])).collect();
        assert_eq!(slow.iter().flatten().count(), SLOTS_PER_BACKEND);
        assert!(enter(&slots, &["another", "slow"]).is_none());
        let others: Vec<_> = (0..SLOTS)
            .map(|number| enter(&slots, &[&number.to_string()]))
            .collect();
        assert_eq!(others.iter().flatten().count(), SLOTS - SLOTS_PER_BACKEND);
        drop(slow);
        assert!(enter(&slots, &["another", "slow"]).is_some());
        // Backends that nobody uses are forgotten.
        drop(others);
        drop(enter(&slots, &["new"]));
        assert_eq!(super::locked(&slots.backends).len(), 1);
    }
}
