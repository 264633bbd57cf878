//! Multipart uploads: create, upload parts, list, complete, abort.
//!
//! Invariant: completing copies no bytes. The parts' blobs become the object's in the same commit
//! that ends the upload, so never both exist and never neither. A part's blob is freed only if its
//! row was removed without an object that refers to it.

use std::sync::Arc;

use keywright_base::{Timestamp, limits};
use keywright_store::contract::{
    FailedPrecondition, IndexWrite, ListRange, PartRow, StoreError, VersionId,
};
use tokio::runtime::Handle;

use crate::{
    BlobRefs, CommitError, LockedKey, Objects,
    bucket::missing,
    conditions::WriteIf,
    digest::{self, Checksum, ChecksumAlgorithm, ChecksumType},
    fault::{ChecksumFault, S3Fault},
    ingest::{ClaimedBody, ClaimedValue, ObjectStream, ingest},
    listing::{PrefixRoller, RollStep},
    names,
    object::{BlobPiece, MultipartOrigin, Object, ObjectContent, ObjectMeta, displayed_class},
    row,
};

/// How often a completion tries to get its locks, in its turn, while others hold them.
const LOCK_ATTEMPTS: usize = 8;

/// An unfinished upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The bucket.
    pub bucket: String,
    /// The key of the object that completion will create.
    pub key: String,
    /// The upload's id.
    pub id: String,
    /// When it was created.
    pub started: Timestamp,
    /// The metadata that the object will have.
    pub meta: ObjectMeta,
    /// The checksum algorithm, if one was named.
    pub algorithm: Option<ChecksumAlgorithm>,
    /// How the object's checksum will be computed, if an algorithm was named.
    pub kind: Option<ChecksumType>,
    /// The ARN of its creator, if known.
    pub initiator: Option<String>,
}

/// An unfinished upload as listings show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedUpload {
    /// The key of the object that completion will create.
    pub key: String,
    /// The upload's id.
    pub id: String,
    /// When it was created.
    pub started: Timestamp,
    /// The checksum algorithm, if one was named.
    pub algorithm: Option<ChecksumAlgorithm>,
    /// How the object's checksum will be computed.
    pub kind: Option<ChecksumType>,
    /// The ARN of its creator, if known.
    pub initiator: Option<String>,
    pub(crate) storage_class: String,
}

impl ListedUpload {
    /// The storage class.
    pub fn class(&self) -> &str {
        displayed_class(&self.storage_class)
    }
}

/// The properties of a new upload.
#[derive(Debug, Clone, Default)]
pub struct NewUpload {
    /// The metadata that the object will have.
    pub meta: ObjectMeta,
    /// The checksum algorithm.
    pub algorithm: Option<ChecksumAlgorithm>,
    /// How the object's checksum will be computed.
    pub kind: Option<ChecksumType>,
    /// The ARN of its creator.
    pub initiator: Option<String>,
}

/// An uploaded part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The part number, 1 to 10,000.
    pub number: i32,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// When it was uploaded.
    pub modified: Timestamp,
    /// Its checksum.
    pub checksum: Checksum,
    /// Whether the request that just uploaded it contained the checksum.
    pub claimed: bool,
    /// Its CRC64NVME; a part stored by an earlier version may lack it.
    pub(crate) crc64: Option<String>,
    pub(crate) piece: BlobPiece,
}

/// A part as listed in a completion request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPart {
    /// Its number.
    pub number: i32,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its checksum, if the request repeats it.
    pub checksum: Option<(ChecksumAlgorithm, String)>,
}

/// A completion request.
#[derive(Debug, Clone, Default)]
pub struct CompleteRequest {
    /// The parts in order.
    pub parts: Vec<NamedPart>,
    /// The condition on the object.
    pub condition: WriteIf,
    /// The object's size, if announced.
    pub size: Option<u64>,
    /// The checksum type, if announced.
    pub kind: Option<ChecksumType>,
    /// The object's checksum, if announced.
    pub checksum: Option<(ChecksumAlgorithm, String)>,
}

/// Which uploads of a bucket to list.
#[derive(Debug, Clone, Default)]
pub struct UploadAsk {
    /// Only keys with this prefix.
    pub prefix: String,
    /// Groups keys; empty groups nothing.
    pub delimiter: String,
    /// Only keys after this one.
    pub key_marker: String,
    /// With `key_marker`: also uploads of that key with ids after this one.
    pub id_marker: String,
    /// The maximum number of uploads.
    pub limit: usize,
}

/// A page of uploads.
#[derive(Debug, Clone, Default)]
pub struct UploadPage {
    /// Ordered by key, then by creation time.
    pub uploads: Vec<ListedUpload>,
    /// Common prefixes.
    pub prefixes: Vec<String>,
    /// Whether there are more.
    pub truncated: bool,
    /// The markers of the last entry; empty when nothing is listed.
    pub last: (String, String),
}

/// A page of parts.
#[derive(Debug, Clone, Default)]
pub struct PartPage {
    /// Ordered by part number.
    pub parts: Vec<Part>,
    /// Whether there are more.
    pub truncated: bool,
}

impl Part {
    /// Its size in bytes.
    pub const fn size(&self) -> u64 {
        self.piece.size
    }
}

impl Objects {
    /// Creates an upload.
    ///
    /// # Errors
    /// The faults of key and metadata; [`S3Fault::Checksum`] when type and algorithm are
    /// incompatible; [`S3Fault::NoSuchBucket`], [`S3Fault::QuotaExceeded`].
    pub async fn create_upload(
        &self,
        bucket: &str,
        key: &str,
        new: NewUpload,
    ) -> Result<Upload, S3Fault> {
        names::check_key(key)?;
        new.meta.check()?;
        let (algorithm, kind) = match (new.algorithm, new.kind) {
            (None, Some(_)) => return Err(ChecksumFault::KindAlone.into()),
            (None, None) => (None, None),
            (Some(algorithm), kind) => (Some(algorithm), Some(ChecksumType::of(algorithm, kind)?)),
        };
        let mut random = [0; 24];
        self.entropy.fill(&mut random);
        let started = self.clock.now();
        let upload = Upload {
            bucket: bucket.into(),
            key: key.into(),
            // The uploads of a key are listed by id, and have to appear in the order of their
            // creation.
            id: format!("{:016x}{}", started.millis().max(0), hex::encode(random)),
            started,
            meta: new.meta,
            algorithm,
            kind,
            initiator: new.initiator,
        };
        let charge = self.admit(bucket, None).await?;
        charge.take(row::row_bytes(&upload.meta))?;
        let write = IndexWrite::CreateUpload(row::of_upload(&upload)?);
        let named = BlobRefs::Fresh(Vec::new(), charge);
        match self.commit(bucket, vec![write], named, None).await {
            Ok(_) => Ok(upload),
            Err(error) => Err(missing(error, bucket)),
        }
    }

    /// Returns the upload with this id if it belongs to that bucket and key.
    ///
    /// # Errors
    /// [`S3Fault::NoSuchUpload`].
    pub async fn find_upload(&self, bucket: &str, key: &str, id: &str) -> Result<Upload, S3Fault> {
        let found = self.index.upload(id).await?.map(row::upload).transpose()?;
        found
            .filter(|upload| upload.bucket == bucket && upload.key == key)
            .ok_or_else(|| S3Fault::NoSuchUpload(id.into()))
    }

    /// Stores a part, replacing an earlier one with the same number.
    ///
    /// # Errors
    /// [`S3Fault::PartNumberOutside`], the faults of a body and its claims,
    /// [`S3Fault::NoSuchUpload`] when the upload ended meanwhile.
    pub async fn put_part(
        &self,
        upload: &Upload,
        number: i32,
        mut claims: ClaimedBody,
        body: ObjectStream,
    ) -> Result<Part, S3Fault> {
        if !(1..=limits::S3_PARTS).contains(&number) {
            return Err(S3Fault::PartNumberOutside(number));
        }
        let claimed = !matches!(claims.value, ClaimedValue::None);
        let claimed = claims.algorithm.filter(|_| claimed);
        match (upload.algorithm, claimed) {
            (Some(expected), Some(actual)) if expected != actual => {
                return Err(ChecksumFault::OtherAlgorithm { expected, actual }.into());
            }
            (Some(expected), _) => claims.algorithm = Some(expected),
            // Current clients send a checksum by default, even for an upload that named no
            // algorithm.
            (None, claimed) => claims.algorithm = claimed,
        }
        let charge = self.admit(&upload.bucket, claims.length).await?;
        charge.take(row::PART_BYTES)?;
        let taken = ingest(&self.allocator, charge.meter(body), claims, false)
            .await
            .map_err(|fault| charge.explain(fault))?;
        // The parts' blobs become the object's, so their keys are sealed for the object from the
        // start.
        let content = self.sealed(taken.content, &upload.bucket, &upload.key)?;
        let ObjectContent::Blobs(pieces) = content else {
            return Err(S3Fault::Internal("a part stayed inline".into()));
        };
        let Some(piece) = pieces.into_iter().next() else {
            return Err(S3Fault::Internal("a part without a blob".into()));
        };
        let part = Part {
            number,
            etag: taken.digests.etag(),
            modified: self.clock.now(),
            checksum: taken.digests.checksum(),
            claimed: claimed.is_some(),
            crc64: Some(taken.digests.crc64()),
            piece,
        };
        let write = IndexWrite::PutPart(row::of_part(&upload.id, &part)?);
        let held = self.shared(&upload.id).await;
        let named = BlobRefs::Fresh(taken.blob.into_iter().collect(), charge);
        match self.commit(&upload.bucket, vec![write], named, held).await {
            Ok(_) => Ok(part),
            Err(error) => Err(ended(error, upload)),
        }
    }

    /// Returns the parts with numbers above `after`, at most `limit`.
    ///
    /// # Errors
    /// [`S3Fault::Internal`].
    pub async fn list_parts(
        &self,
        upload: &Upload,
        after: i32,
        limit: usize,
    ) -> Result<PartPage, S3Fault> {
        let rows = self
            .index
            .parts(&upload.id, after, limit.saturating_add(1))
            .await?;
        let truncated = rows.len() > limit && limit > 0;
        let parts = rows
            .iter()
            .take(limit)
            .map(row::part)
            .collect::<Result<_, _>>()?;
        Ok(PartPage { parts, truncated })
    }

    /// Returns a page of a bucket's unfinished uploads.
    ///
    /// # Errors
    /// [`S3Fault::InvalidArgument`] for an upload id that belongs to another key.
    pub async fn list_uploads(&self, bucket: &str, ask: &UploadAsk) -> Result<UploadPage, S3Fault> {
        if !ask.key_marker.is_empty() && !ask.id_marker.is_empty() {
            let marked = self.index.upload(&ask.id_marker).await?;
            if marked.is_some_and(|row| row.key != ask.key_marker || row.bucket != bucket) {
                return Err(S3Fault::InvalidArgument {
                    message: "Invalid uploadId marker".into(),
                    name: "upload-id-marker",
                    value: Some(ask.id_marker.clone()),
                });
            }
        }
        let mut page = UploadPage::default();
        let mut roller = PrefixRoller::new(&ask.prefix, &ask.delimiter, &ask.key_marker, ask.limit);
        let mut cursor = (ask.limit > 0).then(|| (first_after(ask), false));
        while let Some((after, inclusive)) = cursor.take() {
            let limit = ask.limit.saturating_add(1).min(limits::S3_PAGE);
            let range = ListRange {
                prefix: ask.prefix.clone(),
                after,
                inclusive,
                limit,
                bodies: row::UPLOAD_HEADS,
            };
            let rows = self.index.uploads(bucket, range).await?;
            if rows.len() == limit {
                cursor = rows.last().map(|row| match roller.resume(&row.key) {
                    (past, true) => (past, true),
                    _ => (after_upload(&row.key, &row.upload), false),
                });
            }
            for row in rows {
                match roller.offer(&row.key) {
                    RollStep::Emit => page.uploads.push(row::listed_upload(row)?),
                    RollStep::Rolled => {}
                    RollStep::Full => {
                        page.truncated = true;
                        page.last = markers(&roller.last, &page.uploads);
                        page.prefixes = roller.prefixes;
                        return Ok(page);
                    }
                }
            }
        }
        page.last = markers(&roller.last, &page.uploads);
        page.prefixes = roller.prefixes;
        Ok(page)
    }

    /// Ends an upload and frees its parts.
    ///
    /// # Errors
    /// [`S3Fault::NoSuchUpload`].
    pub async fn abort(&self, upload: &Upload) -> Result<(), S3Fault> {
        let held = self.alone(&upload.id).await;
        let write = IndexWrite::DeleteUpload(upload.id.clone());
        match self
            .commit(&upload.bucket, vec![write], BlobRefs::Nothing, held)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => Err(ended(error, upload)),
        }
    }

    /// Assembles the object from the listed parts and ends the upload. A completion that is retried
    /// after a lost response returns the object that it created.
    ///
    /// # Errors
    /// [`S3Fault::NoSuchUpload`], [`S3Fault::NoParts`], [`S3Fault::InvalidPartOrder`],
    /// [`S3Fault::InvalidPart`], [`S3Fault::EntityTooSmall`], [`S3Fault::SizeMismatch`],
    /// [`S3Fault::Checksum`], the fault of the condition, [`S3Fault::Conflict`], and
    /// [`S3Fault::Throttled`].
    pub async fn complete(
        &self,
        (bucket, key, id): (&str, &str, &str),
        completion: &CompleteRequest,
    ) -> Result<Object, S3Fault> {
        // Lock the key as well: a write that rewrites the row of the object being replaced keeps
        // that row's blobs.
        let mut held = self.alone_all(&[id, key]).await;
        let upload = match self.find_upload(bucket, key, id).await {
            Err(S3Fault::NoSuchUpload(id)) => {
                return self.completed((bucket, key), id, completion).await;
            }
            found => found?,
        };
        check_order(&upload, completion)?;
        let object = match self.stored_shortly(&upload, completion).await? {
            Some(stored) => self.assemble(&upload, completion, &stored)?,
            None => {
                drop(held);
                let assembled = self.assemble_beside(&upload, completion).await;
                if let Err(S3Fault::NoSuchUpload(id)) = assembled {
                    return self.completed((bucket, key), id, completion).await;
                }
                let object;
                (object, held) = assembled?;
                object
            }
        };
        self.check_condition(&upload, &completion.condition).await?;
        let end = IndexWrite::DeleteUpload(upload.id.clone());
        let written = self.rewrite(&object, &completion.condition, vec![end], held);
        match written.await {
            // The condition held a moment ago.
            Err(S3Fault::PreconditionFailed(condition)) => Err(conflict(condition, &upload)),
            other => other.map(|()| object),
        }
    }

    /// The stored parts up to the last one that the completion lists; `None` if there are many.
    async fn stored_shortly(
        &self,
        upload: &Upload,
        completion: &CompleteRequest,
    ) -> Result<Option<Vec<PartRow>>, S3Fault> {
        let limit = limits::S3_PARTS_SHORTLY;
        if completion.parts.len() > limit {
            return Ok(None);
        }
        let stored = self.index.parts(&upload.id, 0, limit).await?;
        let last = completion.parts.last().map(|part| part.number);
        let all = stored.len() < limit || stored.last().map(|part| part.number) >= last;
        Ok(all.then_some(stored))
    }

    /// Assembles many parts in the caller's turn and takes the locks there. A turn never waits for
    /// a lock, and no one waits for a turn while holding a lock.
    async fn assemble_beside(
        &self,
        upload: &Upload,
        completion: &CompleteRequest,
    ) -> Result<(Object, Option<LockedKey>), S3Fault> {
        let names = [upload.id.clone(), upload.key.clone()];
        let (upload, completion) = (Arc::new(upload.clone()), Arc::new(completion.clone()));
        for _ in 0..LOCK_ATTEMPTS {
            let (objects, runtime) = (self.clone(), Handle::current());
            let (upload, completion) = (Arc::clone(&upload), Arc::clone(&completion));
            let work = move || {
                let Some(held) = objects.try_alone_all(&[&upload.id, &upload.key]) else {
                    return Ok(None);
                };
                // The upload may have ended before the locks were acquired.
                let still = runtime.block_on(objects.index.upload(&upload.id))?;
                still.ok_or_else(|| S3Fault::NoSuchUpload(upload.id.clone()))?;
                let limit = usize::try_from(limits::S3_PARTS).unwrap_or(usize::MAX);
                let stored = runtime.block_on(objects.index.parts(&upload.id, 0, limit))?;
                let object = objects.assemble(&upload, &completion, &stored)?;
                Ok::<_, S3Fault>(Some((object, Some(held))))
            };
            if let Some(assembled) = self.beside(work).await?? {
                return Ok(assembled);
            }
            let [id, key] = &names;
            drop(self.alone_all(&[id, key]).await);
        }
        Err(S3Fault::Throttled)
    }

    /// The object created by an earlier completion of an upload that no longer exists.
    async fn completed(
        &self,
        (bucket, key): (&str, &str),
        id: String,
        completion: &CompleteRequest,
    ) -> Result<Object, S3Fault> {
        let present = self.find(bucket, key).await?;
        let made = present.filter(|object| {
            let by = object.assembly.as_ref();
            by.is_some_and(|by| by.upload == id)
        });
        let named = completion.parts.iter().map(|part| part.etag.as_str());
        let same = digest::multipart_etag(named).ok();
        made.filter(|object| same.as_ref() == Some(&object.etag))
            .map(Arc::unwrap_or_clone)
            .ok_or(S3Fault::NoSuchUpload(id))
    }

    /// Checks the condition early; the index checks it again in the commit. If the key changed
    /// since the upload was created, that is a conflict, whatever it is now (recorded 2026-02).
    async fn check_condition(&self, upload: &Upload, condition: &WriteIf) -> Result<(), S3Fault> {
        if *condition == WriteIf::Always {
            return Ok(());
        }
        let present = self.find(&upload.bucket, &upload.key).await?;
        if present
            .as_ref()
            .is_some_and(|object| object.modified > upload.started)
        {
            return Err(conflict(condition.header(), upload));
        }
        let etag = present.as_ref().map(|object| object.etag.as_str());
        condition.check(&upload.key, etag)
    }

    /// Builds the object from the stored parts that the completion lists.
    fn assemble(
        &self,
        upload: &Upload,
        completion: &CompleteRequest,
        stored: &[PartRow],
    ) -> Result<Object, S3Fault> {
        self.joined(upload, completion, &chosen(upload, completion, stored)?)
    }

    fn joined(
        &self,
        upload: &Upload,
        completion: &CompleteRequest,
        parts: &[Part],
    ) -> Result<Object, S3Fault> {
        let size = parts.iter().map(|part| part.piece.size).sum();
        if let Some(given) = completion.size.filter(|given| *given != size) {
            return Err(S3Fault::SizeMismatch {
                given,
                computed: size,
            });
        }
        let checksum = object_checksum(upload, parts)?;
        check_object_checksum(completion, &checksum)?;
        Ok(Object {
            bucket: upload.bucket.clone(),
            key: upload.key.clone(),
            version: VersionId::NULL,
            etag: digest::multipart_etag(parts.iter().map(|part| part.etag.as_str()))?,
            size,
            modified: self.clock.now(),
            meta: upload.meta.clone(),
            checksum,
            multipart: true,
            assembly: Some(MultipartOrigin {
                upload: upload.id.clone(),
                sums: match upload.algorithm {
                    Some(_) => parts
                        .iter()
                        .map(|part| part.checksum.value.clone())
                        .collect(),
                    None => Vec::new(),
                },
            }),
            content: ObjectContent::Blobs(parts.iter().map(|part| part.piece.clone()).collect()),
        })
    }
}

/// The stored parts that the completion lists, checked.
fn chosen(
    upload: &Upload,
    completion: &CompleteRequest,
    stored: &[PartRow],
) -> Result<Vec<Part>, S3Fault> {
    let mut stored = stored.iter();
    let last = completion.parts.len().saturating_sub(1);
    let mut chosen = Vec::with_capacity(completion.parts.len());
    for (index, named) in completion.parts.iter().enumerate() {
        let invalid = || S3Fault::InvalidPart {
            part: named.number,
            etag: named.etag.clone(),
            upload: upload.id.clone(),
        };
        // Both are in ascending order, so a skipped part is not listed later.
        let part = stored.find(|part| part.number >= named.number);
        let part = part.filter(|part| part.number == named.number);
        let part = row::part(part.ok_or_else(invalid)?)?;
        if part.etag != named.etag {
            return Err(invalid());
        }
        check_part_checksum(upload, named, &part)?;
        if index < last && part.piece.size < limits::S3_PART_BYTES_MIN {
            return Err(S3Fault::EntityTooSmall {
                part: part.number,
                etag: part.etag,
                size: part.piece.size,
                limit: limits::S3_PART_BYTES_MIN,
            });
        }
        chosen.push(part);
    }
    Ok(chosen)
}

/// The checksum of the object: with the upload's algorithm, or CRC64NVME if it named none.
fn object_checksum(upload: &Upload, parts: &[Part]) -> Result<Checksum, S3Fault> {
    let crc64 = |part: &'_ Part| Some((part.crc64.clone()?, part.piece.size));
    let sums: Option<Vec<_>> = parts.iter().map(crc64).collect();
    if let (None, Some(sums)) = (upload.algorithm, sums) {
        let sums: Vec<_> = sums
            .iter()
            .map(|(sum, size)| (sum.as_str(), *size))
            .collect();
        return digest::multipart_checksum(
            ChecksumAlgorithm::Crc64Nvme,
            ChecksumType::FullObject,
            &sums,
        );
    }
    let algorithm = common_algorithm(upload, parts)?;
    let kind = match upload.kind {
        Some(kind) => kind,
        None if algorithm.crc().is_some() => ChecksumType::FullObject,
        None => ChecksumType::Composite,
    };
    let sums: Vec<_> = parts
        .iter()
        .map(|part| (part.checksum.value.as_str(), part.piece.size))
        .collect();
    digest::multipart_checksum(algorithm, kind, &sums)
}

/// The upload's algorithm; for parts stored by an earlier version, the one that all of them use.
fn common_algorithm(upload: &Upload, parts: &[Part]) -> Result<ChecksumAlgorithm, S3Fault> {
    let first = parts.first().map(|part| part.checksum.algorithm);
    let expected = upload
        .algorithm
        .or(first)
        .unwrap_or(ChecksumAlgorithm::Crc64Nvme);
    let mut actual = parts.iter().map(|part| part.checksum.algorithm);
    match actual.find(|actual| *actual != expected) {
        Some(actual) => Err(ChecksumFault::OtherAlgorithm { expected, actual }.into()),
        None => Ok(expected),
    }
}

fn conflict(condition: &'static str, upload: &Upload) -> S3Fault {
    S3Fault::Conflict {
        condition,
        key: upload.key.clone(),
    }
}

fn check_order(upload: &Upload, completion: &CompleteRequest) -> Result<(), S3Fault> {
    if completion.parts.is_empty() {
        return Err(S3Fault::NoParts);
    }
    if let Some(requested) = completion.kind
        && upload.kind != Some(requested)
    {
        return Err(ChecksumFault::OtherKind(upload.kind).into());
    }
    if !completion.parts.is_sorted_by(|a, b| a.number < b.number) {
        return Err(S3Fault::InvalidPartOrder(upload.id.clone()));
    }
    Ok(())
}

fn check_part_checksum(upload: &Upload, named: &NamedPart, part: &Part) -> Result<(), S3Fault> {
    match &named.checksum {
        Some((algorithm, value)) => {
            let same = part.checksum.algorithm == *algorithm && part.checksum.value == *value;
            let fault = S3Fault::InvalidPart {
                part: named.number,
                etag: named.etag.clone(),
                upload: upload.id.clone(),
            };
            if same { Ok(()) } else { Err(fault) }
        }
        None => match (upload.kind, upload.algorithm) {
            (Some(ChecksumType::Composite), Some(algorithm)) => Err(ChecksumFault::PartMissing {
                algorithm,
                part: named.number,
            }
            .into()),
            _ => Ok(()),
        },
    }
}

fn check_object_checksum(completion: &CompleteRequest, actual: &Checksum) -> Result<(), S3Fault> {
    match &completion.checksum {
        Some((algorithm, value)) if actual.algorithm != *algorithm || actual.value != *value => {
            Err(ChecksumFault::ObjectDiffers(*algorithm).into())
        }
        _ => Ok(()),
    }
}

fn ended(error: CommitError, upload: &Upload) -> S3Fault {
    match error {
        CommitError::Store(StoreError::Precondition(FailedPrecondition::NoSuchUpload)) => {
            S3Fault::NoSuchUpload(upload.id.clone())
        }
        other => missing(other, &upload.bucket),
    }
}

/// Upload ids are hexadecimal, so every id sorts before `~`.
fn first_after(ask: &UploadAsk) -> Vec<u8> {
    match (ask.key_marker.as_str(), ask.id_marker.as_str()) {
        ("", _) => Vec::new(),
        (key, "") => after_upload(key, "~"),
        (key, id) => after_upload(key, id),
    }
}

fn after_upload(key: &str, id: &str) -> Vec<u8> {
    [key.as_bytes(), b"\0", id.as_bytes()].concat()
}

fn markers(last: &str, uploads: &[ListedUpload]) -> (String, String) {
    match uploads.last() {
        Some(upload) if upload.key == last => (upload.key.clone(), upload.id.clone()),
        _ => (last.into(), String::new()),
    }
}

#[cfg(test)]
impl Objects {
    /// Builds the object from these parts, whatever their sizes.
    pub(crate) fn assembled(&self, upload: &Upload, parts: &[Part]) -> Object {
        self.joined(upload, &CompleteRequest::default(), parts)
            .unwrap()
    }
}
