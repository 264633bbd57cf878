//! Copies objects, and copies parts out of objects.
//!
//! Invariant: a copy reads one version and puts bytes of its own. No two objects share a blob, so
//! freeing one never damages another. Access to source and target has been authorized before.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};

use keywright_base::limits;

use crate::{
    Objects,
    conditions::{ReadIf, WriteIf},
    digest::ChecksumAlgorithm,
    fault::{BodyError, S3Fault},
    ingest::{ClaimedBody, ObjectStream},
    multipart::{Part, Upload},
    object::{Object, PutRequest, StoredHeaders},
    range::{self, ByteSpan},
    read::{ByteStream, ObjectView},
    tags::Tags,
};

/// The changes that a copy makes. Everything else comes from the source.
#[derive(Debug, Clone, Default)]
pub struct CopyRequest {
    /// Conditions on the source.
    pub source_if: ReadIf,
    /// The condition on the target.
    pub condition: WriteIf,
    /// New headers (`x-amz-metadata-directive: REPLACE`).
    pub headers: Option<StoredHeaders>,
    /// `x-amz-website-redirect-location`, which is never copied.
    pub redirect: Option<String>,
    /// New tags (`x-amz-tagging-directive: REPLACE`).
    pub tags: Option<Tags>,
    /// The new storage class.
    pub storage_class: Option<String>,
    /// A checksum algorithm that replaces the source's.
    pub algorithm: Option<ChecksumAlgorithm>,
}

/// The source of a part copy.
#[derive(Debug)]
pub struct PartCopySource<'a> {
    /// The object.
    pub source: Arc<Object>,
    /// Conditions on it.
    pub source_if: ReadIf,
    /// The `x-amz-copy-source-range` header.
    pub range: Option<&'a str>,
}

impl Objects {
    /// Copies an object that was looked up before.
    ///
    /// # Errors
    /// The faults of the conditions, [`S3Fault::CopyToItself`], [`S3Fault::CopySourceTooLarge`],
    /// and those of a put.
    pub async fn copy(
        &self,
        source: Arc<Object>,
        bucket: &str,
        key: &str,
        copy: CopyRequest,
    ) -> Result<Object, S3Fault> {
        let changed =
            copy.headers.is_some() || copy.storage_class.is_some() || copy.redirect.is_some();
        if source.bucket == bucket && source.key == key && !changed {
            return Err(S3Fault::CopyToItself);
        }
        let (view, reading) = self
            .read_as(source, |object| part_of(object, &copy.source_if, None))
            .await?;
        let mut meta = view.object.meta.clone();
        meta.headers = copy.headers.unwrap_or(meta.headers);
        meta.headers.redirect = copy.redirect;
        meta.tags = copy.tags.unwrap_or(meta.tags);
        // The storage class of a copy comes from the request, never from the source.
        meta.storage_class = copy.storage_class.unwrap_or_default();
        let algorithm = copy.algorithm.unwrap_or(view.object.checksum.algorithm);
        let claims = ClaimedBody {
            algorithm: Some(algorithm),
            ..ClaimedBody::default()
        };
        let put = PutRequest {
            meta,
            claims,
            condition: copy.condition,
        };
        self.put(bucket, key, put, body_of(reading)).await
    }

    /// Uploads a part from a range of an object that was looked up before.
    ///
    /// # Errors
    /// The faults of the conditions, [`S3Fault::CopyRangeForm`], [`S3Fault::CopyRangeOutside`],
    /// [`S3Fault::CopySourceTooLarge`], and those of a part upload.
    pub async fn copy_part(
        &self,
        upload: &Upload,
        number: i32,
        copied: PartCopySource<'_>,
    ) -> Result<Part, S3Fault> {
        let PartCopySource {
            source,
            source_if,
            range,
        } = copied;
        let (_, reading) = self
            .read_as(source, |object| part_of(object, &source_if, range))
            .await?;
        self.put_part(upload, number, ClaimedBody::default(), body_of(reading))
            .await
    }
}

fn part_of(
    object: Arc<Object>,
    source_if: &ReadIf,
    range: Option<&str>,
) -> Result<ObjectView, S3Fault> {
    source_if.check_source(&object)?;
    let size = object.size;
    let whole = ByteSpan::whole(size);
    let span = range.map_or(Ok(whole), |header| range::parse_copy(header, size))?;
    let limit = limits::S3_PUT_BYTES_MAX;
    if span.len() > limit {
        return Err(S3Fault::CopySourceTooLarge { limit });
    }
    Ok(ObjectView {
        object,
        span,
        partial: range.is_some(),
        parts: None,
    })
}

pub(crate) fn body_of(reading: ByteStream) -> ObjectStream {
    reading
        .map_err(|error| -> BodyError { Box::new(error) })
        .boxed()
}
