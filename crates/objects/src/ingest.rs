//! Ingests a body: computes its digests, encrypts it, writes it to disk, and checks the claims at
//! the end.
//!
//! Invariant: what [`ingest`] returns is durable, encrypted, and has the claimed digests; on
//! failure nothing is left behind. Memory is bounded: one batch is collected while the previous one
//! is hashed, encrypted and written off the async threads. This module knows no keys and buckets,
//! so the caller still has to seal the content key for its object.

use std::{mem, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::task::{JoinHandle, spawn_blocking};

use keywright_base::{Entropy, limits};

use crate::{
    blobs::BlobDraft,
    content::TakenContent,
    digest::{self, BodyDigests, BodyHasher, ChecksumAlgorithm},
    fault::{BodyError, ChecksumFault, S3Fault},
    reservations::{BlobAllocator, ReservedBlob},
};

/// A request body. It ends with an error when the client or the signature verification fails.
pub type ObjectStream = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// Bodies up to this size are stored in the index instead of a separate blob.
pub const INLINE_BYTES: usize = 16 * 1024;

/// Bytes collected before they are hashed and written together.
const BATCH_BYTES: usize = 1024 * 1024;

/// What the client claims about a body.
#[derive(Default)]
pub struct ClaimedBody {
    /// `Content-MD5`, base64.
    pub md5: Option<String>,
    /// The announced length of the body, if any.
    pub length: Option<u64>,
    /// The checksum algorithm; the default is CRC64NVME.
    pub algorithm: Option<ChecksumAlgorithm>,
    /// The checksum's value in base64.
    pub value: ClaimedValue,
}

/// Where a claimed checksum comes from.
#[derive(Default)]
pub enum ClaimedValue {
    /// No checksum is claimed.
    #[default]
    None,
    /// It was sent before the body.
    Known(String),
    /// It is sent after the body; called once the body has ended. `None` at that point is a
    /// malformed claim.
    Trailing(Box<dyn FnOnce() -> Option<String> + Send>),
}

impl std::fmt::Debug for ClaimedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claims")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ClaimedValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Known(_) => "Known",
            Self::Trailing(_) => "Trailing",
        })
    }
}

pub(crate) struct Ingested {
    pub(crate) content: TakenContent,
    /// Its blob, unless it is stored in the index.
    pub(crate) blob: Option<ReservedBlob>,
    pub(crate) size: u64,
    pub(crate) digests: BodyDigests,
}

/// Ingests a body. `inline` allows a small one to stay in memory, to be stored in the index.
pub(crate) async fn ingest(
    allocator: &Arc<BlobAllocator>,
    mut body: ObjectStream,
    claims: ClaimedBody,
    inline: bool,
) -> Result<Ingested, S3Fault> {
    check_claims(&claims)?;
    let mut batch = ChunkBatch::default();
    while batch.size <= INLINE_BYTES
        && let Some(bytes) = body.next().await
    {
        batch.push(bytes.map_err(S3Fault::Body)?);
    }
    let algorithm = claims.algorithm.unwrap_or(ChecksumAlgorithm::Crc64Nvme);
    if inline && batch.size <= INLINE_BYTES {
        return small(&*allocator.entropy, batch, algorithm, claims);
    }
    let (draft, digests, size) = stream(allocator, body, batch, algorithm).await?;
    check(&digests, size, claims)?;
    let folder = Arc::clone(&allocator.folder);
    let (reserved, key) = spawn_blocking(move || folder.finish(draft))
        .await
        .map_err(broken)??;
    let blob = reserved.id();
    Ok(Ingested {
        content: TakenContent::Blob { blob, size, key },
        blob: Some(reserved),
        size,
        digests,
    })
}

/// Checks a body in memory against the client's claims.
///
/// # Errors
/// The faults that a put would be rejected with.
pub fn check_document(bytes: &[u8], claims: ClaimedBody) -> Result<(), S3Fault> {
    check_claims(&claims)?;
    let mut hasher = BodyHasher::new(claims.algorithm.unwrap_or(ChecksumAlgorithm::Crc64Nvme));
    hasher.update(bytes);
    check(&hasher.finish(), as_u64(bytes.len()), claims)
}

#[derive(Default)]
struct ChunkBatch {
    chunks: Vec<Bytes>,
    size: usize,
}

impl ChunkBatch {
    fn push(&mut self, bytes: Bytes) {
        self.size = self.size.saturating_add(bytes.len());
        self.chunks.push(bytes);
    }
}

fn small(
    entropy: &dyn Entropy,
    batch: ChunkBatch,
    algorithm: ChecksumAlgorithm,
    claims: ClaimedBody,
) -> Result<Ingested, S3Fault> {
    let mut hasher = BodyHasher::new(algorithm);
    let bytes = batch.chunks.concat();
    hasher.update(&bytes);
    let digests = hasher.finish();
    let size = as_u64(bytes.len());
    check(&digests, size, claims)?;
    Ok(Ingested {
        content: TakenContent::small(&bytes, entropy)?,
        blob: None,
        size,
        digests,
    })
}

type BlobWriter = (BlobDraft, BodyHasher);

async fn stream(
    allocator: &Arc<BlobAllocator>,
    mut body: ObjectStream,
    mut batch: ChunkBatch,
    algorithm: ChecksumAlgorithm,
) -> Result<(BlobDraft, BodyDigests, u64), S3Fault> {
    let blob = allocator.reserve().await?;
    let maker = Arc::clone(allocator);
    let mut job: JoinHandle<std::io::Result<BlobWriter>> = spawn_blocking(move || {
        let draft = maker.folder.draft(blob, &*maker.entropy)?;
        Ok((draft, BodyHasher::new(algorithm)))
    });
    let mut size = as_u64(batch.size);
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(S3Fault::Body)?;
        size = size.saturating_add(as_u64(bytes.len()));
        if size > limits::S3_PUT_BYTES_MAX {
            return Err(too_large(size));
        }
        batch.push(bytes);
        if batch.size >= BATCH_BYTES {
            let writer = job.await.map_err(broken)??;
            job = write(writer, mem::take(&mut batch));
        }
    }
    let writer = job.await.map_err(broken)??;
    let (draft, hasher) = write(writer, batch).await.map_err(broken)??;
    Ok((draft, hasher.finish(), size))
}

fn write(
    (mut draft, mut hasher): BlobWriter,
    batch: ChunkBatch,
) -> JoinHandle<std::io::Result<BlobWriter>> {
    spawn_blocking(move || {
        for chunk in &batch.chunks {
            hasher.update(chunk);
            draft.write(chunk)?;
        }
        Ok((draft, hasher))
    })
}

/// Rejects what can be rejected before the first byte is read.
fn check_claims(claims: &ClaimedBody) -> Result<(), S3Fault> {
    if let Some(md5) = &claims.md5 {
        digest::parse_md5(md5)?;
    }
    if let (Some(algorithm), ClaimedValue::Known(value)) = (claims.algorithm, &claims.value) {
        algorithm.check_form(value)?;
    }
    match claims.length {
        Some(length) if length > limits::S3_PUT_BYTES_MAX => Err(too_large(length)),
        _ => Ok(()),
    }
}

fn check(digests: &BodyDigests, size: u64, claims: ClaimedBody) -> Result<(), S3Fault> {
    if let Some(announced) = claims.length
        && announced != size
    {
        return Err(S3Fault::IncompleteBody {
            announced,
            seen: size,
        });
    }
    if let Some(md5) = claims.md5
        && digest::parse_md5(&md5)? != digests.md5
    {
        let calculated = digest::base64(&digests.md5);
        let expected = hex::encode(digest::parse_md5(&md5)?);
        return Err(S3Fault::BadMd5 {
            expected,
            calculated,
        });
    }
    let algorithm = digests.algorithm;
    let value = match claims.value {
        ClaimedValue::None => return Ok(()),
        ClaimedValue::Known(value) => value,
        ClaimedValue::Trailing(read) => read().ok_or(ChecksumFault::Malformed(algorithm))?,
    };
    algorithm.check_form(&value)?;
    if value == digests.checksum().value {
        Ok(())
    } else {
        Err(ChecksumFault::Differs(algorithm).into())
    }
}

fn too_large(proposed: u64) -> S3Fault {
    S3Fault::EntityTooLarge {
        proposed,
        limit: limits::S3_PUT_BYTES_MAX,
    }
}

fn as_u64(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

fn broken(error: tokio::task::JoinError) -> S3Fault {
    S3Fault::Internal(error.to_string())
}
