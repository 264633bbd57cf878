//! Reseals stored objects under the vault's newest key, after a change of the master key, and
//! encrypts clear text left by versions before encryption.
//!
//! Invariant: an object always has readable bytes. Its row is replaced by one with other keys or
//! other blobs in one commit, and only if it is still the same row; a concurrent upload or deletion
//! wins. The work can be interrupted anywhere and restarted.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use keywright_base::{AccountId, limits};
use keywright_store::contract::{
    IndexWrite, ListRange, ObjectCondition, RowBodies, StoreError, VersionId,
};

use crate::{
    BlobRefs, CommitError, Objects,
    content::ContentProtection,
    copy::body_of,
    fault::S3Fault,
    ingest::{ClaimedBody, ingest},
    multipart::{Part, Upload},
    object::{Object, ObjectContent},
    range::ByteSpan,
    reservations::ReservedBlob,
    room::StorageCharge,
    row,
};

/// The number of objects processed concurrently; they share the index's flushes.
const AT_A_TIME: usize = 16;

impl Objects {
    /// Whether there was anything to reseal when the objects were opened.
    pub const fn opened_stale(&self) -> bool {
        self.stale
    }

    /// Reseals every object and part of these accounts under the vault's newest key. Returns how
    /// many were not yet under it.
    ///
    /// # Errors
    /// [`S3Fault::Internal`]; completed work is not lost.
    pub async fn reseal(&self, accounts: &[AccountId]) -> Result<u64, S3Fault> {
        let mut changed = 0;
        for account in accounts {
            let mut after = Some(String::new());
            while let Some(last) = after.take() {
                let rows = self
                    .index
                    .buckets(*account, page(last.into_bytes()))
                    .await?;
                after = rows.last().map(|row| row.name.clone());
                for bucket in rows {
                    changed += self.reseal_bucket(&bucket.name).await?;
                    changed += self.reseal_uploads(&bucket.name).await?;
                }
            }
        }
        Ok(changed)
    }

    async fn reseal_bucket(&self, bucket: &str) -> Result<u64, S3Fault> {
        let (mut changed, mut after) = (0, Some(String::new()));
        while let Some(last) = after.take() {
            let rows = self.index.objects(bucket, page(last.into_bytes())).await?;
            after = rows.last().map(|row| row.key.clone());
            let objects: Vec<Object> = rows
                .into_iter()
                .map(row::object)
                .collect::<Result<_, _>>()?;
            let stale = objects
                .into_iter()
                .filter(|object| self.protection(&object.content) > ContentProtection::Current);
            let work = stream::iter(stale.map(|object| self.reseal_object(object)));
            let done: Vec<bool> = work.buffer_unordered(AT_A_TIME).try_collect().await?;
            changed += done.into_iter().map(u64::from).sum::<u64>();
        }
        Ok(changed)
    }

    async fn reseal_uploads(&self, bucket: &str) -> Result<u64, S3Fault> {
        let (mut changed, mut after) = (0, Some(Vec::new()));
        while let Some(last) = after.take() {
            let rows = self.index.uploads(bucket, page(last)).await?;
            after = rows
                .last()
                .map(|row| [row.key.as_bytes(), b"\0", row.upload.as_bytes()].concat());
            for row in rows {
                changed += self.reseal_parts(row::upload(row)?).await?;
            }
        }
        Ok(changed)
    }

    fn protection(&self, content: &ObjectContent) -> ContentProtection {
        content.protection(&self.vault)
    }

    /// Reseals one object. Returns whether there was work to do; the next pass checks the object
    /// again.
    async fn reseal_object(&self, object: Object) -> Result<bool, S3Fault> {
        let clear = self.protection(&object.content) == ContentProtection::Clear;
        // Encryption takes time proportional to the object's size, so do it before taking the lock.
        let charge = self
            .room
            .admit_rewrite(if clear { object.size } else { 0 })?;
        let encrypted = if clear {
            self.encrypted(&object, &charge).await?
        } else {
            None
        };
        let held = self.alone(&object.key).await;
        let found = self.index.object(&object.bucket, &object.key).await?;
        let name = (object.bucket.as_str(), object.key.as_str());
        let (content, named) = match encrypted {
            Some((content, blobs)) => (content, BlobRefs::Fresh(blobs, charge)),
            None if clear => return Ok(false),
            None => {
                let Ok(content) = self.renewed(&object.content, name) else {
                    // No key opens it, so no old key needs to be retained for it.
                    tracing::error!(bucket = name.0, key = name.1, "an object's key is damaged");
                    return Ok(false);
                };
                let blobs = content.blobs();
                (content, BlobRefs::Existing(blobs))
            }
        };
        let body = found.as_ref().map(|row| row.body.clone());
        let (Some(body), true) = (
            body,
            found.map(row::object).transpose()? == Some(object.clone()),
        ) else {
            // The object was replaced, tagged or deleted meanwhile; the next pass sees its
            // replacement.
            return Ok(true);
        };
        let object = Object { content, ..object };
        let write = IndexWrite::PutObject {
            row: row::of_object(&object)?,
            expect: ObjectCondition::Unchanged(body),
        };
        match self.commit(&object.bucket, vec![write], named, held).await {
            Ok(_) | Err(CommitError::Store(StoreError::Precondition(_))) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Encrypts the content of a clear-text object piece by piece; `None` if it disappeared
    /// meanwhile.
    async fn encrypted(
        &self,
        object: &Object,
        charge: &Arc<StorageCharge>,
    ) -> Result<Option<(ObjectContent, Vec<ReservedBlob>)>, S3Fault> {
        let (mut pieces, mut blobs) = (Vec::new(), Vec::new());
        let mut start = 0_u64;
        for size in object.part_sizes() {
            let span = ByteSpan {
                start,
                end: start.saturating_add(size),
            };
            start = span.end;
            let Some(reading) = self.open_span(object, span).await? else {
                return Ok(None);
            };
            let inline = matches!(object.content, ObjectContent::Inline(_));
            let body = charge.meter(body_of(reading));
            let taken = ingest(&self.allocator, body, ClaimedBody::default(), inline).await;
            let taken = taken.map_err(|fault| charge.explain(fault))?;
            blobs.extend(taken.blob);
            match self.sealed(taken.content, &object.bucket, &object.key)? {
                ObjectContent::Blobs(piece) => pieces.extend(piece),
                small @ ObjectContent::Inline(_) => return Ok(Some((small, blobs))),
            }
        }
        Ok(Some((ObjectContent::Blobs(pieces), blobs)))
    }

    async fn reseal_parts(&self, upload: Upload) -> Result<u64, S3Fault> {
        let limit = usize::try_from(limits::S3_PARTS).unwrap_or(usize::MAX);
        let mut changed = 0;
        for part in self.list_parts(&upload, 0, limit).await?.parts {
            let content = ObjectContent::Blobs(vec![part.piece.clone()]);
            if self.protection(&content) > ContentProtection::Current {
                changed += u64::from(self.reseal_part(&upload, part).await?);
            }
        }
        Ok(changed)
    }

    async fn reseal_part(&self, upload: &Upload, part: Part) -> Result<bool, S3Fault> {
        let name = (upload.bucket.as_str(), upload.key.as_str());
        let old = ObjectContent::Blobs(vec![part.piece.clone()]);
        // Clear-text parts are rare and at most 5 GiB, and the lock covers only this upload.
        let held = self.alone(&upload.id).await;
        let now = self.list_parts(upload, part.number - 1, 1).await?;
        if now.parts.first() != Some(&part) {
            return Ok(true);
        }
        let clear = self.protection(&old) == ContentProtection::Clear;
        let charge = self
            .room
            .admit_rewrite(if clear { part.piece.size } else { 0 })?;
        let (content, named) = if clear {
            let object = self.assembled_of(upload, &part);
            let Some((content, blobs)) = self.encrypted(&object, &charge).await? else {
                return Ok(false);
            };
            (content, BlobRefs::Fresh(blobs, charge))
        } else {
            let Ok(content) = self.renewed(&old, name) else {
                tracing::error!(
                    upload = upload.id,
                    part = part.number,
                    "a part's key is damaged"
                );
                return Ok(false);
            };
            let blobs = content.blobs();
            (content, BlobRefs::Existing(blobs))
        };
        let ObjectContent::Blobs(pieces) = content else {
            return Ok(false);
        };
        let Some(piece) = pieces.into_iter().next() else {
            return Ok(false);
        };
        let write = IndexWrite::PutPart(row::of_part(&upload.id, &Part { piece, ..part })?);
        match self.commit(&upload.bucket, vec![write], named, held).await {
            Ok(_) | Err(CommitError::Store(StoreError::Precondition(_))) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Presents a part as an object, so that it can be read.
    fn assembled_of(&self, upload: &Upload, part: &Part) -> Object {
        Object {
            bucket: upload.bucket.clone(),
            key: upload.key.clone(),
            version: VersionId::NULL,
            etag: part.etag.clone(),
            size: part.piece.size,
            modified: part.modified,
            meta: upload.meta.clone(),
            checksum: part.checksum.clone(),
            multipart: true,
            assembly: None,
            content: ObjectContent::Blobs(vec![part.piece.clone()]),
        }
    }
}

/// Rows per page. They are loaded completely, with inline bytes and stored headers.
const PAGE: usize = 100;

const fn page(after: Vec<u8>) -> ListRange {
    ListRange {
        prefix: String::new(),
        after,
        inclusive: false,
        limit: PAGE,
        bodies: RowBodies::Whole,
    }
}
