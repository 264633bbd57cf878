//! Deletes the blobs that no row refers to, according to the index's journal.
//!
//! Invariant: a blob is deleted only if it has been a pending delete in the journal for
//! [`DELETE_AGE_SECS`], so that no row refers to it and none ever will, and only while this process
//! does not read it.
//!
//! Every step may be interrupted and repeated, by this or another process. A reader in another
//! process that looked up a row before that either has its file open, which stays readable, or does
//! not find it and looks the row up again.

use std::sync::Arc;

use keywright_base::Timestamp;
use keywright_store::contract::{BlobName, ObjectIndex, PendingDelete, PendingDeletePage};
use tokio::task::spawn_blocking;

use crate::{
    Objects,
    blobs::{BlobFolder, BlobId},
    content::ContentProtection,
    fault::S3Fault,
    row,
};
use keywright_vault::DataVault;

/// Seconds between a blob's last reference and its deletion.
pub(crate) const DELETE_AGE_SECS: i64 = 10;
/// Seconds after which a reservation that is not renewed expires: its process has ended. Several
/// times [the interval of renewals](crate::reservations).
pub(crate) const RESERVATION_SECS: i64 = 60 * 60;
/// The number of pending deletes processed at a time.
const PAGE: usize = 500;

impl Objects {
    /// Deletes what is due and renews the reservations of uploads in progress. Call it every few
    /// seconds. Returns the number of rows whose blobs were deleted.
    ///
    /// # Errors
    /// [`S3Fault::Internal`]; the next call continues.
    pub async fn collect_garbage(&self) -> Result<usize, S3Fault> {
        let now = self.clock.now();
        self.allocator.update_journal(now).await?;
        let expired = now.plus_secs(-RESERVATION_SECS);
        let expired = self.index.expire_blobs(expired, now).await?;
        if expired > 0 {
            tracing::info!(expired, "uploads of a process that ended will be removed");
        }
        let (mut collected, mut page) = (0, due(now));
        loop {
            let pending = self.index.pending_deletes(page).await?;
            let Some(last) = pending.last() else {
                return Ok(collected);
            };
            page.after = last.number;
            let folder = Arc::clone(&self.allocator.folder);
            let deleted = spawn_blocking(move || delete(&folder, &pending));
            let deleted = deleted
                .await
                .map_err(|error| S3Fault::Internal(error.to_string()))?;
            collected += deleted.len();
            if !deleted.is_empty() {
                self.index.finish_deletes(deleted).await?;
            }
        }
    }
}

const fn due(now: Timestamp) -> PendingDeletePage {
    PendingDeletePage {
        after: 0,
        made_by: now.plus_secs(-DELETE_AGE_SECS),
        limit: PAGE,
    }
}

/// Deletes blobs. Returns the numbers of the entries that are finished; the others are read or
/// could not be deleted.
fn delete(folder: &BlobFolder, pending: &[PendingDelete]) -> Vec<u64> {
    let finished = pending.iter().filter(|entry| {
        let ids: Vec<_> = entry.blobs.iter().copied().map(BlobId).collect();
        folder.delete(&ids).unwrap_or_else(|error| {
            tracing::warn!(%error, "a blob could not be deleted; it will be tried again");
            false
        })
    });
    finished.map(|entry| entry.number).collect()
}

/// The result of reading every row at startup.
pub(crate) struct StartupScan {
    /// Whether a row is not sealed by the newest data key.
    pub(crate) stale: bool,
    /// Blobs with a file that are neither in the journal nor in a row.
    pub(crate) unknown: Vec<BlobName>,
}

/// Reads every row, and compares the files with them. Blocking.
///
/// The files are listed first, then the journal is read, then the rows: whatever another process
/// creates in the meantime is in one of the latter two by then, or has no file yet.
pub(crate) fn scan(
    folder: &BlobFolder,
    index: &dyn ObjectIndex,
    vault: &DataVault,
) -> Result<StartupScan, S3Fault> {
    let mut unknown = folder.files()?;
    index.every_journaled_blob(&mut |blob| {
        unknown.remove(&BlobId(blob));
    })?;
    let (mut damage, mut stale) = (None, false);
    index.every_body(&mut |_, body| match row::content(body) {
        Ok(content) => {
            stale |= content.protection(vault) > ContentProtection::Current;
            for blob in content.blobs() {
                unknown.remove(&blob);
            }
        }
        Err(fault) => damage = Some(fault),
    })?;
    match damage {
        Some(fault) => Err(fault),
        None => Ok(StartupScan {
            stale,
            unknown: unknown.into_iter().map(|blob| blob.0).collect(),
        }),
    }
}

#[cfg(test)]
mod tests;
