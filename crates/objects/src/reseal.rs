//! Bringing stored objects under the vault's newest key: after the master key changed, and from
//! clear text that versions before encryption left.
//!
//! The rule: an object is never without readable bytes. Its row is exchanged for one with other
//! keys, or other blobs, in one commit, and only if it is still the same row; what an upload or a
//! deletion does meanwhile wins. It may be interrupted anywhere and be begun again.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use keywright_base::{AccountId, limits};
use keywright_store::contract::{IndexWrite, ListRange, ObjectCondition, RowBodies, StoreError};

use crate::{
    BlobRefs, CommitError, Objects,
    content::ContentProtection,
    copy::body_of,
    fault::S3Fault,
    ingest::{ClaimedBody, ingest},
    multipart::{Part, Upload},
    object::{Object, ObjectContent},
    range::ByteSpan,
    room::StorageCharge,
    row,
};

/// Objects that are worked on at a time; they share the index's flushes.
const AT_A_TIME: usize = 16;

impl Objects {
    /// Whether there was anything to reseal when the objects were opened.
    pub const fn opened_stale(&self) -> bool {
        self.stale
    }

    /// Brings every object and part of these accounts under the vault's newest key; how many were
    /// not.
    ///
    /// # Errors
    /// [`S3Fault::Internal`]; what was done by then stays done.
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

    /// Whether there was something to do, which the next pass looks at again.
    async fn reseal_object(&self, object: Object) -> Result<bool, S3Fault> {
        let clear = self.protection(&object.content) == ContentProtection::Clear;
        // Encrypting takes as long as the object is large, so it is done before the lock.
        let charge = self
            .room
            .admit_rewrite(if clear { object.size } else { 0 })?;
        let encrypted = if clear {
            self.encrypted(&object, &charge).await?
        } else {
            None
        };
        let held = self.alone(&object.key).await;
        let found = self.find(&object.bucket, &object.key).await?;
        let name = (object.bucket.as_str(), object.key.as_str());
        let (content, named) = match encrypted {
            Some(content) => {
                let blobs = content.blobs();
                (content, BlobRefs::Fresh(blobs, charge))
            }
            None if clear => return Ok(false),
            None => {
                let Ok(content) = self.renewed(&object.content, name) else {
                    // No key opens it, so none may be kept for it.
                    tracing::error!(bucket = name.0, key = name.1, "an object's key is damaged");
                    return Ok(false);
                };
                let blobs = content.blobs();
                (content, BlobRefs::Existing(blobs))
            }
        };
        if found.as_ref() != Some(&object) {
            // It was replaced, tagged or deleted meanwhile; what replaced it is seen by the next
            // pass.
            for ids in named.unwritten() {
                self.blobs.remove(&ids);
            }
            return Ok(true);
        }
        let object = Object { content, ..object };
        let write = IndexWrite::PutObject {
            row: row::of_object(&object)?,
            expect: ObjectCondition::Etag(object.etag.clone()),
        };
        match self.commit(&object.bucket, vec![write], named, held).await {
            Ok(_) | Err(CommitError::Store(StoreError::Precondition(_))) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// The content of a clear object written again, piece by piece; nothing when it went meanwhile.
    async fn encrypted(
        &self,
        object: &Object,
        charge: &Arc<StorageCharge>,
    ) -> Result<Option<ObjectContent>, S3Fault> {
        let mut pieces = Vec::new();
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
            let taken = ingest(&self.blobs, body, ClaimedBody::default(), inline).await;
            let taken = taken.map_err(|fault| charge.explain(fault))?;
            match self.sealed(taken.content, &object.bucket, &object.key)? {
                ObjectContent::Blobs(piece) => pieces.extend(piece),
                small @ ObjectContent::Inline(_) => return Ok(Some(small)),
            }
        }
        Ok(Some(ObjectContent::Blobs(pieces)))
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
        // Parts in clear are rare and at most 5 GiB; the lock is only this upload's.
        let held = self.alone(&upload.id).await;
        let now = self.list_parts(upload, part.number - 1, 1).await?;
        if now.parts.first() != Some(&part) {
            return Ok(true);
        }
        let clear = self.protection(&old) == ContentProtection::Clear;
        let charge = self
            .room
            .admit_rewrite(if clear { part.piece.size } else { 0 })?;
        let (content, fresh) = if clear {
            let object = self.assembled_of(upload, &part);
            let Some(content) = self.encrypted(&object, &charge).await? else {
                return Ok(false);
            };
            (content, true)
        } else {
            let Ok(content) = self.renewed(&old, name) else {
                tracing::error!(
                    upload = upload.id,
                    part = part.number,
                    "a part's key is damaged"
                );
                return Ok(false);
            };
            (content, false)
        };
        let blobs = content.blobs();
        let ObjectContent::Blobs(pieces) = content else {
            return Ok(false);
        };
        let Some(piece) = pieces.into_iter().next() else {
            return Ok(false);
        };
        let named = if fresh {
            BlobRefs::Fresh(blobs, charge)
        } else {
            BlobRefs::Existing(blobs)
        };
        let write = IndexWrite::PutPart(row::of_part(&upload.id, &Part { piece, ..part })?);
        match self.commit(&upload.bucket, vec![write], named, held).await {
            Ok(_) | Err(CommitError::Store(StoreError::Precondition(_))) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// A part as an object, to read it.
    fn assembled_of(&self, upload: &Upload, part: &Part) -> Object {
        Object {
            bucket: upload.bucket.clone(),
            key: upload.key.clone(),
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

/// Rows at once: they are looked at whole, with inline bytes and stored headers.
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
