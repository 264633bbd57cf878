//! The memory of responses that clients have not read yet.
//!
//! Invariant: a client that does not read holds little memory, and no principal holds all of it. A
//! response that does not fit is rejected after it was made, so the code that makes long responses
//! limits how many are made at a time. The response to a change is never rejected, because the
//! change has been made; those responses are short.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use keywright_base::limits;
use keywright_identity::work::WorkOwner;

use keywright_s3::NoMemory;

/// The memory that all responses share.
#[derive(Debug, Clone, Default)]
pub(crate) struct AnswerBudget(Arc<Mutex<UnreadBytes>>);

#[derive(Debug, Default)]
struct UnreadBytes {
    total: usize,
    by_owner: HashMap<WorkOwner, usize>,
}

/// A response, counted until the connection has released its last byte.
struct HeldAnswer {
    bytes: Bytes,
    owner: WorkOwner,
    budget: AnswerBudget,
}

impl AnswerBudget {
    /// Charges the bytes for as long as any of them are held. Small responses are always free, and
    /// so is a principal's only response, however long it is.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub(crate) fn hold(&self, owner: WorkOwner, bytes: Bytes) -> Result<Bytes, NoMemory> {
        let length = bytes.len();
        if length > limits::BODY_BYTES_FREE {
            let unread = self.unread();
            let of_owner = unread.by_owner.get(&owner).copied().unwrap_or(0);
            let of_owner_fits =
                of_owner == 0 || of_owner.saturating_add(length) <= limits::ANSWERS_BYTES_EACH;
            if !of_owner_fits || unread.total.saturating_add(length) > limits::ANSWERS_BYTES {
                return Err(NoMemory);
            }
        }
        Ok(self.hold_always(owner, bytes))
    }

    /// Like [`hold`](Self::hold), for a response that must be sent.
    pub(crate) fn hold_always(&self, owner: WorkOwner, bytes: Bytes) -> Bytes {
        let length = bytes.len();
        if length <= limits::BODY_BYTES_FREE {
            return bytes;
        }
        let mut unread = self.unread();
        unread.total = unread.total.saturating_add(length);
        *unread.by_owner.entry(owner).or_default() += length;
        drop(unread);
        let budget = self.clone();
        Bytes::from_owner(HeldAnswer {
            bytes,
            owner,
            budget,
        })
    }

    fn unread(&self) -> MutexGuard<'_, UnreadBytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsRef<[u8]> for HeldAnswer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for HeldAnswer {
    fn drop(&mut self) {
        let mut unread = self.budget.unread();
        let length = self.bytes.len();
        unread.total = unread.total.saturating_sub(length);
        if let Some(of_owner) = unread.by_owner.get_mut(&self.owner) {
            *of_owner = of_owner.saturating_sub(length);
            if *of_owner == 0 {
                unread.by_owner.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use keywright_base::{AccountId, limits};
    use keywright_identity::work::WorkOwner;

    use super::{AnswerBudget, NoMemory};

    const MIB: usize = 1024 * 1024;

    fn owner(number: u64) -> WorkOwner {
        WorkOwner::Root(AccountId::new(number).unwrap())
    }

    #[test]
    fn the_only_answer_and_that_to_a_change_are_given() {
        let budget = AnswerBudget::default();
        let large = || Bytes::from(vec![7; limits::ANSWERS_BYTES_EACH + 1]);
        let only = budget.hold(owner(0), large()).unwrap();
        assert_eq!(budget.hold(owner(0), large()), Err(NoMemory));
        let changed = budget.hold_always(owner(0), large());
        drop(only);
        assert_eq!(budget.hold(owner(0), large()), Err(NoMemory), "it counts");
        drop(changed);
        assert!(budget.hold(owner(0), large()).is_ok());
    }

    #[test]
    fn unread_answers_have_a_share_for_each_and_a_limit_for_all() {
        let budget = AnswerBudget::default();
        let hold = |number, bytes| budget.hold(owner(number), Bytes::from(vec![7; bytes]));
        let each = limits::ANSWERS_BYTES_EACH / MIB;
        let shares = limits::ANSWERS_BYTES / limits::ANSWERS_BYTES_EACH;
        let mut held: Vec<Bytes> = (0..each).map(|_| hold(0, MIB).unwrap()).collect();
        assert_eq!(hold(0, MIB), Err(NoMemory));
        // Small responses are free for everyone, whatever else is held.
        let small = hold(0, limits::BODY_BYTES_FREE).unwrap();
        assert_eq!(hold(0, limits::BODY_BYTES_FREE + 1), Err(NoMemory));
        for number in 1..shares as u64 {
            held.extend((0..each).map(|_| hold(number, MIB).unwrap()));
        }
        assert_eq!(hold(9, MIB), Err(NoMemory));
        // A slice keeps the whole response in memory.
        let rest = held[0].slice(MIB - 1..);
        held.swap_remove(0);
        assert_eq!(hold(9, MIB), Err(NoMemory));
        drop(rest);
        let last = hold(9, MIB).unwrap();
        assert_eq!(last[..], vec![7; MIB][..]);
        drop((held, small, last));
        let unread = budget.unread();
        assert!(unread.total == 0 && unread.by_owner.is_empty());
    }
}
