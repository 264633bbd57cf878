//! Names for new blobs, reserved in the index's journal before a file is created.
//!
//! Invariant: a blob has a file only while the journal or a row has its name. Names are reserved a
//! few at a time, so that an upload rarely waits for the journal. Reservations of uploads that take
//! long are renewed by `garbage`.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use keywright_base::{Clock, Entropy, Timestamp};
use keywright_store::contract::{BlobName, ObjectIndex, StoreError};

use crate::blobs::{BlobFolder, BlobId};

/// Names reserved in one commit.
const RESERVED_TOGETHER: usize = 32;
/// Seconds after which an unused reserved name is given up, and a used one is renewed.
const RENEWAL_SECS: i64 = 15 * 60;

/// Hands out reserved names.
pub(crate) struct BlobAllocator {
    pub(crate) folder: Arc<BlobFolder>,
    pub(crate) entropy: Arc<dyn Entropy>,
    index: Arc<dyn ObjectIndex>,
    clock: Arc<dyn Clock>,
    /// Locked while names are reserved, so that waiting uploads share a commit.
    reserving: tokio::sync::Mutex<()>,
    names: Mutex<ReservedNames>,
}

#[derive(Default)]
struct ReservedNames {
    /// Names not in use, with the time of their reservation.
    spare: Vec<(BlobId, Timestamp)>,
    /// Names of uploads in progress, with the time of the last renewal.
    in_use: HashMap<BlobId, Timestamp>,
    /// Names whose blobs do not exist, to be released.
    released: Vec<BlobName>,
    /// Names of files that were found without a row or a journal entry, to be reserved.
    found: Vec<BlobName>,
}

/// The reservation of one blob. Dropping it deletes the blob, unless it was [kept] or [left].
///
/// [kept]: Self::keep
/// [left]: Self::leave
pub(crate) struct ReservedBlob {
    id: BlobId,
    allocator: Arc<BlobAllocator>,
    unused: bool,
}

impl BlobAllocator {
    /// `found` are blobs with a file that are neither in the journal nor in a row. Their uploads
    /// were interrupted before the journal existed; they expire like those of a process that
    /// crashed.
    pub(crate) fn new(
        folder: BlobFolder,
        index: Arc<dyn ObjectIndex>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        found: Vec<BlobName>,
    ) -> Self {
        Self {
            folder: Arc::new(folder),
            entropy,
            index,
            clock,
            reserving: tokio::sync::Mutex::default(),
            names: Mutex::new(ReservedNames {
                found,
                ..ReservedNames::default()
            }),
        }
    }

    /// Returns a name whose reservation is durable.
    pub(crate) async fn reserve(self: &Arc<Self>) -> Result<ReservedBlob, StoreError> {
        let now = self.clock.now();
        if let Some(blob) = self.spare(now) {
            return Ok(blob);
        }
        let _reserving = self.reserving.lock().await;
        loop {
            if let Some(blob) = self.spare(now) {
                return Ok(blob);
            }
            let names: Vec<BlobName> = (0..RESERVED_TOGETHER).map(|_| self.random()).collect();
            self.index.reserve_blobs(names.clone(), now).await?;
            let spare = names.into_iter().map(|name| (BlobId(name), now));
            self.names().spare.extend(spare);
        }
    }

    /// Writes to the journal what has accumulated: renewals, files that were found, and names that
    /// are no longer needed.
    pub(crate) async fn update_journal(&self, now: Timestamp) -> Result<(), StoreError> {
        let renewed = self.names().renew(now);
        if !renewed.is_empty() {
            self.index.renew_blobs(renewed, now).await?;
        }
        let found = mem::take(&mut self.names().found);
        if !found.is_empty()
            && let Err(error) = self.index.reserve_blobs(found.clone(), now).await
        {
            self.names().found.extend(found);
            return Err(error);
        }
        let released = mem::take(&mut self.names().released);
        if !released.is_empty()
            && let Err(error) = self.index.release_blobs(released.clone()).await
        {
            self.names().released.extend(released);
            return Err(error);
        }
        Ok(())
    }

    fn spare(self: &Arc<Self>, now: Timestamp) -> Option<ReservedBlob> {
        let mut names = self.names();
        while let Some((id, at)) = names.spare.pop() {
            if now < at.plus_secs(RENEWAL_SECS) {
                names.in_use.insert(id, at);
                return Some(ReservedBlob {
                    id,
                    allocator: Arc::clone(self),
                    unused: true,
                });
            }
            names.released.push(id.0);
        }
        None
    }

    fn random(&self) -> BlobName {
        let mut name = BlobName::default();
        self.entropy.fill(&mut name);
        name
    }

    fn names(&self) -> MutexGuard<'_, ReservedNames> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReservedNames {
    /// Returns the names in use with reservations to renew, and gives up old spare ones.
    fn renew(&mut self, now: Timestamp) -> Vec<BlobName> {
        let is_old = |at: Timestamp| now >= at.plus_secs(RENEWAL_SECS);
        let old = self.spare.extract_if(.., |(_, at)| is_old(*at));
        self.released.extend(old.map(|(id, _)| id.0));
        let due = self.in_use.iter_mut().filter(|(_, at)| is_old(**at));
        due.map(|(id, at)| {
            *at = now;
            id.0
        })
        .collect()
    }
}

impl ReservedBlob {
    pub(crate) const fn id(&self) -> BlobId {
        self.id
    }

    /// A row refers to the blob now.
    pub(crate) fn keep(self) {
        self.leave();
    }

    /// Whether a row refers to the blob is unknown. If none does, its reservation expires.
    pub(crate) fn leave(mut self) {
        self.unused = false;
    }
}

impl Drop for ReservedBlob {
    fn drop(&mut self) {
        let removed = match self.unused {
            true => self.allocator.folder.unlink(self.id),
            false => Ok(()),
        };
        let mut names = self.allocator.names();
        names.in_use.remove(&self.id);
        match removed {
            Ok(()) if self.unused => names.released.push(self.id.0),
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "a blob could not be removed; it expires"),
        }
    }
}
