//! The encoding of buckets, objects, uploads and parts in the index's opaque bodies.
//!
//! Invariant: this is the only file that knows the encoding. A body is a version byte, the length
//! of a JSON document, the document, the number of blobs, the blobs (16 bytes id, 8 bytes size,
//! sealed key), the sealed key of the inline bytes, and the inline bytes. A sealed key is its
//! two-byte length followed by the key. Version 1 had no keys: it describes clear text. Unknown
//! versions are rejected. This module does no I/O.

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use keywright_base::{Timestamp, limits};
use keywright_store::contract::{BlobName, BucketRow, ObjectRow, PartRow, RowBodies, UploadRow};
use keywright_vault::{SealedValue, TAG_BYTES};

use crate::{
    blobs::BlobId,
    bucket::{Bucket, ListedBucket, PublicAccessBlock},
    digest::{Checksum, ChecksumAlgorithm, ChecksumType},
    fault::S3Fault,
    listing::ListedObject,
    multipart::{ListedUpload, Part, Upload},
    object::{
        BlobPiece, InlineBytes, MultipartOrigin, Object, ObjectContent, ObjectMeta, StoredHeaders,
    },
};

/// The version without keys; still read, no longer written.
const CLEAR: u8 = 1;
const VERSION: u8 = 2;

#[derive(Serialize, Deserialize)]
struct BucketBody {
    region: String,
    created: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_access_block: Option<PublicAccessBlock>,
}

#[derive(Serialize, Deserialize)]
struct MetaBody {
    headers: StoredHeaders,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<(String, String)>,
    class: String,
}

#[derive(Serialize, Deserialize)]
struct StoredBody {
    size: u64,
    modified: i64,
    meta: MetaBody,
    checksum: Checksum,
    multipart: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assembly: Option<MultipartOrigin>,
}

#[derive(Serialize, Deserialize)]
struct UploadBody {
    started: i64,
    meta: MetaBody,
    algorithm: Option<ChecksumAlgorithm>,
    kind: Option<ChecksumType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initiator: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct PartBody {
    modified: i64,
    etag: String,
    checksum: Checksum,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crc64: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ClassHead {
    class: String,
}

/// The fields of a [`BucketBody`] that a listing needs.
#[derive(Serialize, Deserialize)]
struct BucketHead {
    region: String,
    created: i64,
}

/// The fields of an [`StoredBody`] that a listing needs.
#[derive(Serialize, Deserialize)]
struct ObjectHead {
    size: u64,
    modified: i64,
    meta: ClassHead,
    checksum: Checksum,
}

/// The fields of an [`UploadBody`] that a listing needs.
#[derive(Serialize, Deserialize)]
struct UploadHead {
    started: i64,
    meta: ClassHead,
    algorithm: Option<ChecksumAlgorithm>,
    kind: Option<ChecksumType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initiator: Option<String>,
}

/// No bodies, for callers that need only names or their number.
pub(crate) const NAMES: RowBodies = RowBodies::Cut(|_| Vec::new());
/// The input of [`listed_bucket`].
pub(crate) const BUCKET_HEADS: RowBodies = RowBodies::Cut(head::<BucketHead>);
/// The input of [`listed_object`].
pub(crate) const OBJECT_HEADS: RowBodies = RowBodies::Cut(head::<ObjectHead>);
/// The input of [`listed_upload`].
pub(crate) const UPLOAD_HEADS: RowBodies = RowBodies::Cut(head::<UploadHead>);

/// The fields of a body's document that `T` has, without stored headers, blobs and inline bytes.
/// Empty for a damaged body, which is reported when it is read.
fn head<T: Serialize + DeserializeOwned>(body: &[u8]) -> Vec<u8> {
    let json = split(body).ok().map(|(_, json, _)| json);
    let head = json.and_then(|json| serde_json::from_slice::<T>(json).ok());
    head.and_then(|head| serde_json::to_vec(&head).ok())
        .unwrap_or_default()
}

fn read_head<T: DeserializeOwned>(head: &[u8]) -> Result<T, S3Fault> {
    serde_json::from_slice(head).map_err(|error| S3Fault::Internal(error.to_string()))
}

pub(crate) fn listed_bucket(row: BucketRow) -> Result<ListedBucket, S3Fault> {
    let head: BucketHead = read_head(&row.body)?;
    Ok(ListedBucket {
        name: row.name,
        region: head.region,
        created: Timestamp::from_millis(head.created),
    })
}

pub(crate) fn listed_object(row: ObjectRow) -> Result<ListedObject, S3Fault> {
    let head: ObjectHead = read_head(&row.body)?;
    Ok(ListedObject {
        key: row.key,
        version: row.version,
        etag: row.etag,
        size: head.size,
        modified: Timestamp::from_millis(head.modified),
        storage_class: head.meta.class,
        checksum: head.checksum,
    })
}

pub(crate) fn listed_upload(row: UploadRow) -> Result<ListedUpload, S3Fault> {
    let head: UploadHead = read_head(&row.body)?;
    Ok(ListedUpload {
        key: row.key,
        id: row.upload,
        started: Timestamp::from_millis(head.started),
        storage_class: head.meta.class,
        algorithm: head.algorithm,
        kind: head.kind,
        initiator: head.initiator,
    })
}

pub(crate) fn of_bucket(bucket: &Bucket) -> Result<BucketRow, S3Fault> {
    let body = BucketBody {
        region: bucket.region.clone(),
        created: bucket.created.millis(),
        policy: bucket.policy.as_deref().map(str::to_owned),
        tags: bucket.tags.clone(),
        public_access_block: bucket.public_access_block,
    };
    Ok(BucketRow {
        name: bucket.name.clone(),
        account: bucket.owner,
        body: encode(&body, &[], &InlineBytes::default())?,
    })
}

pub(crate) fn bucket(row: &BucketRow) -> Result<Bucket, S3Fault> {
    let body: BucketBody = decode(&row.body)?.document;
    Ok(Bucket {
        name: row.name.clone(),
        owner: row.account,
        region: body.region,
        created: Timestamp::from_millis(body.created),
        policy: body.policy.map(Into::into),
        tags: body.tags,
        public_access_block: body.public_access_block,
    })
}

pub(crate) fn of_object(object: &Object) -> Result<ObjectRow, S3Fault> {
    let body = StoredBody {
        size: object.size,
        modified: object.modified.millis(),
        meta: of_meta(&object.meta),
        checksum: object.checksum.clone(),
        multipart: object.multipart,
        assembly: object.assembly.clone(),
    };
    let none = InlineBytes::default();
    let (pieces, inline): (&[BlobPiece], &InlineBytes) = match &object.content {
        ObjectContent::Inline(inline) => (&[], inline),
        ObjectContent::Blobs(pieces) => (pieces, &none),
    };
    Ok(ObjectRow {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        version: object.version.clone(),
        etag: object.etag.clone(),
        body: encode(&body, pieces, inline)?,
    })
}

pub(crate) fn object(row: ObjectRow) -> Result<Object, S3Fault> {
    let DecodedRow {
        document,
        pieces,
        inline,
    } = decode::<StoredBody>(&row.body)?;
    let content = if pieces.is_empty() {
        ObjectContent::Inline(inline)
    } else {
        ObjectContent::Blobs(pieces)
    };
    Ok(Object {
        bucket: row.bucket,
        key: row.key,
        version: row.version,
        etag: row.etag,
        size: document.size,
        modified: Timestamp::from_millis(document.modified),
        meta: meta(document.meta),
        checksum: document.checksum,
        multipart: document.multipart,
        assembly: document.assembly,
        content,
    })
}

pub(crate) fn of_upload(upload: &Upload) -> Result<UploadRow, S3Fault> {
    let body = UploadBody {
        started: upload.started.millis(),
        meta: of_meta(&upload.meta),
        algorithm: upload.algorithm,
        kind: upload.kind,
        initiator: upload.initiator.clone(),
    };
    Ok(UploadRow {
        bucket: upload.bucket.clone(),
        key: upload.key.clone(),
        upload: upload.id.clone(),
        body: encode(&body, &[], &InlineBytes::default())?,
    })
}

pub(crate) fn upload(row: UploadRow) -> Result<Upload, S3Fault> {
    let body: UploadBody = decode(&row.body)?.document;
    Ok(Upload {
        bucket: row.bucket,
        key: row.key,
        id: row.upload,
        started: Timestamp::from_millis(body.started),
        meta: meta(body.meta),
        algorithm: body.algorithm,
        kind: body.kind,
        initiator: body.initiator,
    })
}

pub(crate) fn of_part(upload: &str, part: &Part) -> Result<PartRow, S3Fault> {
    let body = PartBody {
        modified: part.modified.millis(),
        etag: part.etag.clone(),
        checksum: part.checksum.clone(),
        crc64: part.crc64.clone(),
    };
    Ok(PartRow {
        upload: upload.into(),
        number: part.number,
        body: encode(
            &body,
            std::slice::from_ref(&part.piece),
            &InlineBytes::default(),
        )?,
    })
}

pub(crate) fn part(row: &PartRow) -> Result<Part, S3Fault> {
    let DecodedRow {
        document, pieces, ..
    } = decode::<PartBody>(&row.body)?;
    let piece = pieces
        .into_iter()
        .next()
        .ok_or_else(|| damaged("part without a blob"))?;
    Ok(Part {
        number: row.number,
        etag: document.etag,
        modified: Timestamp::from_millis(document.modified),
        checksum: document.checksum,
        crc64: document.crc64,
        claimed: false,
        piece,
    })
}

/// Decodes where an object's or part's bytes are.
pub(crate) fn content(body: &[u8]) -> Result<ObjectContent, S3Fault> {
    let (version, _, rest) = split(body)?;
    let (pieces, inline) = split_pieces(version, rest)?;
    Ok(if pieces.is_empty() {
        ObjectContent::Inline(inline)
    } else {
        ObjectContent::Blobs(pieces)
    })
}

/// The blobs that the body of an object or a part refers to. A damaged body refers to none; its
/// damage is reported when it is read.
pub(crate) fn blobs(body: &[u8]) -> Vec<BlobName> {
    let content = content(body).map(|content| content.blobs());
    content
        .unwrap_or_default()
        .iter()
        .map(|blob| blob.0)
        .collect()
}

/// What a quota counts for the row of an object or an upload, besides the object's bytes.
pub(crate) fn row_bytes(meta: &ObjectMeta) -> u64 {
    let stored = u64::try_from(meta.stored_bytes()).unwrap_or(u64::MAX);
    limits::S3_ROW_BYTES.saturating_add(stored)
}

/// The disk block that a small file occupies.
const FILE_BYTES_MIN: u64 = 4096;

/// What a quota counts for a part, however small.
pub(crate) const PART_BYTES: u64 = limits::S3_ROW_BYTES + FILE_BYTES_MIN;

/// The metadata in an object's document; a part has none.
#[derive(Deserialize)]
struct StoredMeta {
    meta: Option<MetaBody>,
}

/// What a quota counts for the body of an object, a part or an upload: the bytes of the text behind
/// it, in files that occupy at least a block each, and the bytes of the row.
pub(crate) fn bytes(body: &[u8]) -> Result<u64, S3Fault> {
    let text = match content(body)? {
        ObjectContent::Blobs(pieces) => {
            let sizes = pieces.into_iter();
            let sizes = sizes.map(|piece| piece.size.max(FILE_BYTES_MIN));
            sizes.fold(0, u64::saturating_add)
        }
        ObjectContent::Inline(inline) => {
            let tag = inline.key.map_or(0, |_| TAG_BYTES);
            u64::try_from(inline.stored.len().saturating_sub(tag)).unwrap_or(u64::MAX)
        }
    };
    let stored: StoredMeta = decode(body)?.document;
    let row = row_bytes(&stored.meta.map(meta).unwrap_or_default());
    Ok(text.saturating_add(row))
}

fn of_meta(meta: &ObjectMeta) -> MetaBody {
    MetaBody {
        headers: meta.headers.clone(),
        tags: meta.tags.clone(),
        class: meta.storage_class.clone(),
    }
}

fn meta(body: MetaBody) -> ObjectMeta {
    ObjectMeta {
        headers: body.headers,
        tags: body.tags,
        storage_class: body.class,
    }
}

struct DecodedRow<T> {
    document: T,
    pieces: Vec<BlobPiece>,
    inline: InlineBytes,
}

fn encode(
    document: &impl Serialize,
    pieces: &[BlobPiece],
    inline: &InlineBytes,
) -> Result<Vec<u8>, S3Fault> {
    let json =
        serde_json::to_vec(document).map_err(|error| S3Fault::Internal(error.to_string()))?;
    let mut out = vec![VERSION];
    out.extend_from_slice(&length(json.len())?);
    out.extend_from_slice(&json);
    out.extend_from_slice(&length(pieces.len())?);
    for piece in pieces {
        out.extend_from_slice(&piece.blob.0);
        out.extend_from_slice(&piece.size.to_be_bytes());
        put_key(&mut out, piece.key.as_ref())?;
    }
    put_key(&mut out, inline.key.as_ref())?;
    out.extend_from_slice(&inline.stored);
    Ok(out)
}

fn put_key(out: &mut Vec<u8>, key: Option<&SealedValue>) -> Result<(), S3Fault> {
    let bytes = key.map(SealedValue::as_bytes).unwrap_or_default();
    let length = u16::try_from(bytes.len()).map_err(|_| damaged("key too long"))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

fn length(of: usize) -> Result<[u8; 4], S3Fault> {
    u32::try_from(of)
        .map(u32::to_be_bytes)
        .map_err(|_| damaged("row too large"))
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<DecodedRow<T>, S3Fault> {
    let (version, json, rest) = split(body)?;
    let document =
        serde_json::from_slice(json).map_err(|error| S3Fault::Internal(error.to_string()))?;
    let (pieces, inline) = split_pieces(version, rest)?;
    Ok(DecodedRow {
        document,
        pieces,
        inline,
    })
}

/// Splits a body into version, document and the rest.
fn split(body: &[u8]) -> Result<(u8, &[u8], &[u8]), S3Fault> {
    let Some((version @ &(CLEAR | VERSION), rest)) = body.split_first() else {
        return Err(damaged("row of an unknown version"));
    };
    let (count, rest) = take_length(rest)?;
    let parts = rest.split_at_checked(count);
    let (json, rest) = parts.ok_or_else(|| damaged("row cut short"))?;
    Ok((*version, json, rest))
}

fn split_pieces(version: u8, rest: &[u8]) -> Result<(Vec<BlobPiece>, InlineBytes), S3Fault> {
    let (count, mut rest) = take_length(rest)?;
    let mut pieces = Vec::new();
    for _ in 0..count {
        let piece;
        (piece, rest) = take_piece(version, rest).ok_or_else(|| damaged("row cut short"))?;
        pieces.push(piece);
    }
    let taken = take_key(version, rest);
    let (key, stored) = taken.ok_or_else(|| damaged("row cut short"))?;
    let stored = Bytes::copy_from_slice(stored);
    Ok((pieces, InlineBytes { stored, key }))
}

fn take_piece(version: u8, bytes: &[u8]) -> Option<(BlobPiece, &[u8])> {
    let (id, rest) = bytes.split_first_chunk::<16>()?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let (key, rest) = take_key(version, rest)?;
    let piece = BlobPiece {
        blob: BlobId(*id),
        size: u64::from_be_bytes(*size),
        key,
    };
    Some((piece, rest))
}

fn take_key(version: u8, bytes: &[u8]) -> Option<(Option<SealedValue>, &[u8])> {
    if version == CLEAR {
        return Some((None, bytes));
    }
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (key, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    Some((
        (!key.is_empty()).then(|| SealedValue::from_bytes(key)),
        rest,
    ))
}

fn take_length(bytes: &[u8]) -> Result<(usize, &[u8]), S3Fault> {
    let (head, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or_else(|| damaged("row cut short"))?;
    usize::try_from(u32::from_be_bytes(*head))
        .map(|count| (count, rest))
        .map_err(|_| damaged("row too large"))
}

fn damaged(what: &str) -> S3Fault {
    S3Fault::Internal(what.into())
}
