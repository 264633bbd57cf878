//! Objects: put, find, tag, delete.
//!
//! Invariant: an object's row is written only once its bytes are durable, and the bytes of the row
//! it replaced are freed only after that. Reading is in `read.rs`, assembling parts in
//! `multipart.rs`.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use keywright_base::{Timestamp, limits};
use keywright_store::contract::{
    FailedPrecondition, IndexWrite, ObjectCondition, StoreError, VersionId,
};
use keywright_vault::SealedValue;

use crate::{
    BlobRefs, CommitError, LockedKey, Objects,
    blobs::BlobId,
    bucket::missing,
    conditions::WriteIf,
    digest::Checksum,
    fault::S3Fault,
    ingest::{ClaimedBody, ObjectStream, ingest},
    names,
    room::StorageCharge,
    row,
    tags::Tags,
};

/// How often a row is read again because another process replaced it before it was rewritten.
const REWRITE_ATTEMPTS: usize = 16;

/// The headers that are stored with an object and returned with it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredHeaders {
    /// `Content-Type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Cache-Control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `Expires`, exactly as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// User metadata, names without `x-amz-meta-`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, String>,
}

/// What is stored about an object besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectMeta {
    /// Headers.
    pub headers: StoredHeaders,
    /// Tags.
    pub tags: Tags,
    /// Storage class; empty means `STANDARD`.
    pub storage_class: String,
}

/// An object without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Its version.
    pub version: VersionId,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last modified.
    pub modified: Timestamp,
    /// Headers, tags, storage class.
    pub meta: ObjectMeta,
    /// Its checksum.
    pub checksum: Checksum,
    /// Whether it was assembled from parts.
    pub multipart: bool,
    /// The upload that it was assembled from; objects stored by earlier versions may lack it.
    pub assembly: Option<MultipartOrigin>,
    pub(crate) content: ObjectContent,
}

/// The data retained from the upload that an object was assembled from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MultipartOrigin {
    /// The upload id, so that its completion can be retried.
    pub upload: String,
    /// The checksums of the parts in order, if the upload named an algorithm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sums: Vec<String>,
}

/// Where an object's bytes are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ObjectContent {
    Inline(InlineBytes),
    Blobs(Vec<BlobPiece>),
}

/// The bytes of a small object, as stored in its row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct InlineBytes {
    pub(crate) stored: Bytes,
    /// The key that they are encrypted with; `None` for clear text from earlier versions.
    pub(crate) key: Option<SealedValue>,
}

/// A blob of an object. Blobs are in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlobPiece {
    pub(crate) blob: BlobId,
    /// The size of its text in bytes.
    pub(crate) size: u64,
    /// The key that it is encrypted with; `None` for clear text from earlier versions.
    pub(crate) key: Option<SealedValue>,
}

/// The parameters of a put besides bucket and key.
#[derive(Debug, Default)]
pub struct PutRequest {
    /// The metadata to store.
    pub meta: ObjectMeta,
    /// What the client claims about the body.
    pub claims: ClaimedBody,
    /// The condition.
    pub condition: WriteIf,
}

impl StoredHeaders {
    /// Checks the size of the user metadata and of all headers together.
    fn check(&self) -> Result<(), S3Fault> {
        let (size, limit) = (self.user_bytes(), limits::S3_METADATA_BYTES);
        if size > limit {
            return Err(S3Fault::MetadataTooLarge { size, limit });
        }
        let limit = limits::S3_STORED_HEADER_BYTES;
        if self.stored_bytes() > limit {
            return Err(S3Fault::HeadersTooLarge { limit });
        }
        Ok(())
    }

    fn user_bytes(&self) -> usize {
        let user = self.user.iter();
        user.map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The total size of names and values, in bytes.
    fn stored_bytes(&self) -> usize {
        let system = [
            ("content-type", &self.content_type),
            ("cache-control", &self.cache_control),
            ("content-disposition", &self.content_disposition),
            ("content-encoding", &self.content_encoding),
            ("content-language", &self.content_language),
            ("expires", &self.expires),
            ("x-amz-website-redirect-location", &self.redirect),
        ];
        let sizes = system
            .into_iter()
            .filter_map(|(name, value)| Some(name.len() + value.as_ref()?.len()));
        sizes.fold(self.user_bytes(), usize::saturating_add)
    }
}

impl ObjectMeta {
    /// Checks the storage class, the tags and the size of the metadata.
    ///
    /// # Errors
    /// [`S3Fault::InvalidStorageClass`], [`S3Fault::Tag`], [`S3Fault::MetadataTooLarge`],
    /// [`S3Fault::HeadersTooLarge`].
    pub fn check(&self) -> Result<(), S3Fault> {
        names::check_class(self.class())?;
        crate::check_object_tags(&self.tags)?;
        self.headers.check()
    }

    /// The size of headers and tags in its row, in bytes.
    pub(crate) fn stored_bytes(&self) -> usize {
        let tags = self
            .tags
            .iter()
            .map(|(name, value)| name.len() + value.len());
        tags.fold(self.headers.stored_bytes(), usize::saturating_add)
    }

    /// The storage class.
    pub fn class(&self) -> &str {
        displayed_class(&self.storage_class)
    }
}

/// The displayed name of a stored storage class.
pub(crate) const fn displayed_class(stored: &str) -> &str {
    if stored.is_empty() {
        "STANDARD"
    } else {
        stored
    }
}

impl Object {
    /// The sizes of its parts; a single one for an object that was not assembled.
    pub fn part_sizes(&self) -> Vec<u64> {
        match &self.content {
            ObjectContent::Inline(_) => vec![self.size],
            ObjectContent::Blobs(pieces) => pieces.iter().map(|piece| piece.size).collect(),
        }
    }

    pub(crate) fn blobs(&self) -> Vec<BlobId> {
        self.content.blobs()
    }
}

impl ObjectContent {
    pub(crate) fn blobs(&self) -> Vec<BlobId> {
        match self {
            Self::Inline(_) => Vec::new(),
            Self::Blobs(pieces) => pieces.iter().map(|piece| piece.blob).collect(),
        }
    }
}

impl Objects {
    /// Writes an object. Returns when it is durable and visible.
    ///
    /// # Errors
    /// The faults of key, metadata, tags, claims and condition; [`S3Fault::NoSuchBucket`];
    /// [`S3Fault::Body`] when the body failed. Nothing is visible in these cases.
    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        put: PutRequest,
        body: ObjectStream,
    ) -> Result<Object, S3Fault> {
        names::check_key(key)?;
        put.meta.check()?;
        if put.condition != WriteIf::Always {
            let present = self.find(bucket, key).await?;
            put.condition
                .check(key, present.as_ref().map(|object| object.etag.as_str()))?;
        }
        let charge = self.admit(bucket, put.claims.length).await?;
        charge.take(row::row_bytes(&put.meta))?;
        let taken = ingest(&self.allocator, charge.meter(body), put.claims, true)
            .await
            .map_err(|fault| charge.explain(fault))?;
        let content = self.sealed(taken.content, bucket, key)?;
        let object = Object {
            bucket: bucket.into(),
            key: key.into(),
            version: VersionId::NULL,
            etag: taken.digests.etag(),
            size: taken.size,
            modified: self.clock.now(),
            meta: put.meta,
            checksum: taken.digests.checksum(),
            multipart: false,
            assembly: None,
            content,
        };
        let row = row::of_object(&object)?;
        let write = IndexWrite::PutObject {
            row,
            expect: put.condition.expect(),
        };
        let held = self.shared(key).await;
        let named = BlobRefs::Fresh(taken.blob.into_iter().collect(), charge);
        match self.commit(bucket, vec![write], named, held).await {
            Ok(_) => Ok(object),
            Err(error) => Err(refused(error, bucket, key, &put.condition)),
        }
    }

    /// Returns the current version of the object with this key.
    ///
    /// # Errors
    /// [`S3Fault::Internal`].
    pub async fn find(&self, bucket: &str, key: &str) -> Result<Option<Arc<Object>>, S3Fault> {
        let stamp = self.index.object_stamp(bucket, key);
        if let Some(hot) = stamp.and_then(|stamp| self.hot.objects.find((bucket, key), stamp)) {
            return Ok(Some(hot));
        }
        let Some(row) = self.index.object(bucket, key).await? else {
            return Ok(None);
        };
        let object = Arc::new(row::object(row)?);
        if let Some(stamp) = stamp {
            self.hot.objects.add(&object, stamp);
        }
        Ok(Some(object))
    }

    /// Replaces an object's tags; an empty set removes them.
    ///
    /// # Errors
    /// [`S3Fault::NoSuchKey`], [`S3Fault::Tag`].
    pub async fn set_tags(&self, bucket: &str, key: &str, tags: &Tags) -> Result<(), S3Fault> {
        crate::check_object_tags(tags)?;
        for _ in 0..REWRITE_ATTEMPTS {
            let held = self.alone(key).await;
            let found = self.index.object(bucket, key).await?;
            let found = found.ok_or_else(|| S3Fault::NoSuchKey(key.into()))?;
            let expect = ObjectCondition::Unchanged(found.body.clone());
            let mut object = row::object(found)?;
            let before = row::row_bytes(&object.meta);
            object.meta.tags.clone_from(tags);
            let growth = row::row_bytes(&object.meta).saturating_sub(before);
            // Held until the commit has counted the row; tags that shrink always fit.
            let charge = self.charge_growth(bucket, growth).await?;
            let row = row::of_object(&object)?;
            let write = IndexWrite::PutObject { row, expect };
            let named = BlobRefs::Existing(object.blobs());
            let written = self.commit(bucket, vec![write], named, held).await;
            drop(charge);
            match written {
                Ok(_) => return Ok(()),
                // Another process overwrote it.
                Err(CommitError::Store(StoreError::Precondition(
                    FailedPrecondition::ObjectChanged(_) | FailedPrecondition::BlobChanged(_),
                ))) => {}
                Err(error) => return Err(missing(error, bucket)),
            }
        }
        Err(S3Fault::Throttled)
    }

    /// Charges the bytes by which a row grows, if it does.
    async fn charge_growth(
        &self,
        bucket: &str,
        growth: u64,
    ) -> Result<Option<Arc<StorageCharge>>, S3Fault> {
        if growth == 0 {
            return Ok(None);
        }
        let charge = self.admit(bucket, Some(growth)).await?;
        charge.take(growth)?;
        Ok(Some(charge))
    }

    /// Deletes an object. A missing object is not an error unless a condition requires it.
    ///
    /// # Errors
    /// [`S3Fault::PreconditionFailed`], [`S3Fault::NoSuchKey`].
    pub async fn delete(
        &self,
        bucket: &str,
        key: &str,
        condition: &WriteIf,
    ) -> Result<(), S3Fault> {
        let mut expect = condition.expect();
        if *condition == WriteIf::Present {
            let found = self.find(bucket, key).await?;
            let object = found.ok_or_else(|| S3Fault::NoSuchKey(key.into()))?;
            expect = ObjectCondition::Etag(object.etag.clone());
        }
        let write = IndexWrite::DeleteObject {
            bucket: bucket.into(),
            key: key.into(),
            version: VersionId::NULL,
            expect,
        };
        match self
            .commit(bucket, vec![write], BlobRefs::Nothing, None)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => Err(refused(error, bucket, key, condition)),
        }
    }

    /// Deletes several objects in one commit.
    ///
    /// # Errors
    /// [`S3Fault::NoSuchBucket`].
    pub async fn delete_all(&self, bucket: &str, keys: Vec<String>) -> Result<(), S3Fault> {
        let batch = keys.into_iter().map(|key| IndexWrite::DeleteObject {
            bucket: bucket.into(),
            key,
            version: VersionId::NULL,
            expect: ObjectCondition::Any,
        });
        match self
            .commit(bucket, batch.collect(), BlobRefs::Nothing, None)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => Err(missing(error, bucket)),
        }
    }

    /// Writes the row of an object whose blobs already exist, together with `others`. The caller
    /// holds the lock that prevents those blobs from being freed.
    pub(crate) async fn rewrite(
        &self,
        object: &Object,
        condition: &WriteIf,
        others: Vec<IndexWrite>,
        held: Option<LockedKey>,
    ) -> Result<(), S3Fault> {
        let row = row::of_object(object)?;
        let mut batch = vec![IndexWrite::PutObject {
            row,
            expect: condition.expect(),
        }];
        batch.extend(others);
        let named = BlobRefs::Existing(object.blobs());
        match self.commit(&object.bucket, batch, named, held).await {
            Ok(_) => Ok(()),
            Err(error) => Err(refused(error, &object.bucket, &object.key, condition)),
        }
    }
}

fn refused(error: CommitError, bucket: &str, key: &str, condition: &WriteIf) -> S3Fault {
    match error {
        CommitError::Store(StoreError::Precondition(FailedPrecondition::ObjectChanged(
            present,
        ))) => condition.fault(key, present.is_some()),
        CommitError::Store(StoreError::Precondition(FailedPrecondition::NoSuchUpload)) => {
            S3Fault::NoSuchUpload(String::new())
        }
        other => missing(other, bucket),
    }
}
