//! Memory for bodies that are buffered completely before they are parsed.
//!
//! There is one budget for the whole process: the S3 operations draw from it, and so do the other
//! services of the server, through [`crate::S3::bodies`].

use std::sync::Arc;

use keywright_base::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The memory that all buffered bodies share.
#[derive(Debug, Clone)]
pub struct BodyBudget(Arc<Semaphore>);

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(limits::BODIES_BYTES)))
    }
}

impl BodyBudget {
    /// Opens an account for one body.
    pub fn account(&self) -> HeldBytes {
        HeldBytes {
            budget: self.clone(),
            free: limits::BODY_BYTES_FREE,
            held: None,
        }
    }
}

/// The share of the memory budget that one body holds until it is dropped.
#[derive(Debug)]
pub struct HeldBytes {
    budget: BodyBudget,
    free: usize,
    held: Option<OwnedSemaphorePermit>,
}

/// The memory budget is exhausted.
#[derive(Debug, PartialEq, Eq)]
pub struct NoMemory;

impl HeldBytes {
    /// Reserves more bytes.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn hold(&mut self, bytes: usize) -> Result<(), NoMemory> {
        let charged = bytes.saturating_sub(self.free);
        self.free = self.free.saturating_sub(bytes);
        if charged == 0 {
            return Ok(());
        }
        let charged = u32::try_from(charged).map_err(|_| NoMemory)?;
        let semaphore = Arc::clone(&self.budget.0);
        let more = semaphore.try_acquire_many_owned(charged);
        let more = more.map_err(|_| NoMemory)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use keywright_base::limits;

    use super::{BodyBudget, NoMemory};

    #[test]
    fn bodies_share_their_memory_and_small_ones_need_none() {
        let budget = BodyBudget::default();
        let mut large = budget.account();
        large
            .hold(limits::BODY_BYTES_FREE + limits::BODIES_BYTES)
            .unwrap();
        let mut other = budget.account();
        other.hold(limits::BODY_BYTES_FREE).unwrap();
        assert_eq!(other.hold(1), Err(NoMemory));
        drop(large);
        other.hold(1).unwrap();
    }
}
