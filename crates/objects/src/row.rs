//! How buckets, objects, uploads and parts are written into the index's opaque bodies.
//!
//! The rule: this is the only file that knows the encoding. A body is a version byte, the length of
//! a JSON document, the document, the number of blobs, the blobs (16 bytes id, 8 bytes size), and
//! whatever is inline. Unknown versions are refused. It does no I/O.

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use keywright_base::Timestamp;
use keywright_store::contract::{BucketRow, ObjectRow, PartRow, UploadRow};

use crate::{
    blobs::BlobId,
    bucket::{Bucket, PublicAccessBlock},
    digest::{Algorithm, Checksum, Kind},
    fault::Fault,
    multipart::{Part, Upload},
    object::{Content, Headers, Meta, Object, Piece},
};

const VERSION: u8 = 1;
const PIECE_BYTES: usize = 24;

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
    headers: Headers,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<(String, String)>,
    class: String,
}

#[derive(Serialize, Deserialize)]
struct ObjectBody {
    size: u64,
    modified: i64,
    meta: MetaBody,
    checksum: Checksum,
    multipart: bool,
}

#[derive(Serialize, Deserialize)]
struct UploadBody {
    started: i64,
    meta: MetaBody,
    algorithm: Option<Algorithm>,
    kind: Option<Kind>,
}

#[derive(Serialize, Deserialize)]
struct PartBody {
    modified: i64,
    etag: String,
    checksum: Checksum,
}

pub(crate) fn of_bucket(bucket: &Bucket) -> Result<BucketRow, Fault> {
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
        body: encode(&body, &[], &[])?,
    })
}

pub(crate) fn bucket(row: &BucketRow) -> Result<Bucket, Fault> {
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

pub(crate) fn of_object(object: &Object) -> Result<ObjectRow, Fault> {
    let body = ObjectBody {
        size: object.size,
        modified: object.modified.millis(),
        meta: of_meta(&object.meta),
        checksum: object.checksum.clone(),
        multipart: object.multipart,
    };
    let (pieces, inline): (&[Piece], &[u8]) = match &object.content {
        Content::Inline(bytes) => (&[], bytes),
        Content::Blobs(pieces) => (pieces, &[]),
    };
    Ok(ObjectRow {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        etag: object.etag.clone(),
        body: encode(&body, pieces, inline)?,
    })
}

pub(crate) fn object(row: ObjectRow) -> Result<Object, Fault> {
    let Decoded {
        document,
        pieces,
        inline,
    } = decode::<ObjectBody>(&row.body)?;
    let content = if pieces.is_empty() {
        Content::Inline(Bytes::copy_from_slice(inline))
    } else {
        Content::Blobs(pieces)
    };
    Ok(Object {
        bucket: row.bucket,
        key: row.key,
        etag: row.etag,
        size: document.size,
        modified: Timestamp::from_millis(document.modified),
        meta: meta(document.meta),
        checksum: document.checksum,
        multipart: document.multipart,
        content,
    })
}

pub(crate) fn of_upload(upload: &Upload) -> Result<UploadRow, Fault> {
    let body = UploadBody {
        started: upload.started.millis(),
        meta: of_meta(&upload.meta),
        algorithm: upload.algorithm,
        kind: upload.kind,
    };
    Ok(UploadRow {
        bucket: upload.bucket.clone(),
        key: upload.key.clone(),
        upload: upload.id.clone(),
        body: encode(&body, &[], &[])?,
    })
}

pub(crate) fn upload(row: UploadRow) -> Result<Upload, Fault> {
    let body: UploadBody = decode(&row.body)?.document;
    Ok(Upload {
        bucket: row.bucket,
        key: row.key,
        id: row.upload,
        started: Timestamp::from_millis(body.started),
        meta: meta(body.meta),
        algorithm: body.algorithm,
        kind: body.kind,
    })
}

pub(crate) fn of_part(upload: &str, part: &Part) -> Result<PartRow, Fault> {
    let body = PartBody {
        modified: part.modified.millis(),
        etag: part.etag.clone(),
        checksum: part.checksum.clone(),
    };
    Ok(PartRow {
        upload: upload.into(),
        number: part.number,
        body: encode(&body, &[part.piece], &[])?,
    })
}

pub(crate) fn part(row: &PartRow) -> Result<Part, Fault> {
    let Decoded {
        document, pieces, ..
    } = decode::<PartBody>(&row.body)?;
    let piece = pieces
        .first()
        .copied()
        .ok_or_else(|| damaged("part without a blob"))?;
    Ok(Part {
        number: row.number,
        etag: document.etag,
        modified: Timestamp::from_millis(document.modified),
        checksum: document.checksum,
        piece,
    })
}

/// The blobs that an object's or a part's body refers to.
pub(crate) fn blobs(body: &[u8]) -> Result<Vec<BlobId>, Fault> {
    let (_, rest) = split(body)?;
    let (pieces, _) = split_pieces(rest)?;
    Ok(pieces.into_iter().map(|piece| piece.blob).collect())
}

/// The bytes that an object's or a part's body stands for.
pub(crate) fn bytes(body: &[u8]) -> Result<u64, Fault> {
    let (_, rest) = split(body)?;
    let (pieces, inline) = split_pieces(rest)?;
    let inline = u64::try_from(inline.len()).unwrap_or(u64::MAX);
    let sizes = pieces.into_iter().map(|piece| piece.size);
    Ok(sizes.fold(inline, u64::saturating_add))
}

fn of_meta(meta: &Meta) -> MetaBody {
    MetaBody {
        headers: meta.headers.clone(),
        tags: meta.tags.clone(),
        class: meta.storage_class.clone(),
    }
}

fn meta(body: MetaBody) -> Meta {
    Meta {
        headers: body.headers,
        tags: body.tags,
        storage_class: body.class,
    }
}

struct Decoded<'a, T> {
    document: T,
    pieces: Vec<Piece>,
    inline: &'a [u8],
}

fn encode(document: &impl Serialize, pieces: &[Piece], inline: &[u8]) -> Result<Vec<u8>, Fault> {
    let json = serde_json::to_vec(document).map_err(|error| Fault::Internal(error.to_string()))?;
    let mut out = Vec::with_capacity(9 + json.len() + pieces.len() * PIECE_BYTES + inline.len());
    out.push(VERSION);
    out.extend_from_slice(&length(json.len())?);
    out.extend_from_slice(&json);
    out.extend_from_slice(&length(pieces.len())?);
    for piece in pieces {
        out.extend_from_slice(&piece.blob.0);
        out.extend_from_slice(&piece.size.to_be_bytes());
    }
    out.extend_from_slice(inline);
    Ok(out)
}

fn length(of: usize) -> Result<[u8; 4], Fault> {
    u32::try_from(of)
        .map(u32::to_be_bytes)
        .map_err(|_| damaged("row too large"))
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<Decoded<'_, T>, Fault> {
    let (json, rest) = split(body)?;
    let document =
        serde_json::from_slice(json).map_err(|error| Fault::Internal(error.to_string()))?;
    let (pieces, inline) = split_pieces(rest)?;
    Ok(Decoded {
        document,
        pieces,
        inline,
    })
}

fn split(body: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let Some((&VERSION, rest)) = body.split_first() else {
        return Err(damaged("row of an unknown version"));
    };
    let (count, rest) = take_length(rest)?;
    rest.split_at_checked(count)
        .ok_or_else(|| damaged("row cut short"))
}

fn split_pieces(rest: &[u8]) -> Result<(Vec<Piece>, &[u8]), Fault> {
    let (count, rest) = take_length(rest)?;
    let (list, inline) = count
        .checked_mul(PIECE_BYTES)
        .and_then(|bytes| rest.split_at_checked(bytes))
        .ok_or_else(|| damaged("row cut short"))?;
    let (chunks, _) = list.as_chunks::<PIECE_BYTES>();
    Ok((chunks.iter().filter_map(piece).collect(), inline))
}

fn piece(chunk: &[u8; PIECE_BYTES]) -> Option<Piece> {
    let (id, size) = chunk.split_first_chunk::<16>()?;
    Some(Piece {
        blob: BlobId(*id),
        size: u64::from_be_bytes(size.try_into().ok()?),
    })
}

fn take_length(bytes: &[u8]) -> Result<(usize, &[u8]), Fault> {
    let (head, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or_else(|| damaged("row cut short"))?;
    usize::try_from(u32::from_be_bytes(*head))
        .map(|count| (count, rest))
        .map_err(|_| damaged("row too large"))
}

fn damaged(what: &str) -> Fault {
    Fault::Internal(what.into())
}
