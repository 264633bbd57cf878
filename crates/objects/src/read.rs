//! Reading objects: conditions, ranges, parts, and the byte stream.
//!
//! Invariant: conditions, range and bytes belong to the same version of the object, even if it is
//! overwritten meanwhile. A reader continues with the version it started with. Memory is bounded by
//! one chunk per reader.

use std::{fs::File, io, os::unix::fs::FileExt, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, stream};
use keywright_vault::{DataVault, OpenError, SEGMENT_BYTES, SegmentReader};
use tokio::task::spawn_blocking;

use crate::{
    Objects,
    blobs::{self, BlobFolder, BlobId},
    conditions::ReadIf,
    content,
    fault::S3Fault,
    object::{BlobPiece, Object, ObjectContent},
    range::{self, ByteSpan},
};

/// An object's bytes in order, in chunks of at most 256 KiB.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send + Sync>>;

const CHUNK_BYTES: u64 = 256 * 1024;
const CHUNK_SEGMENTS: u32 = 4;
const _: () = assert!(CHUNK_SEGMENTS as u64 * SEGMENT_BYTES as u64 == CHUNK_BYTES);

/// How often a read looks up the object again because it was overwritten between lookup and open.
const ATTEMPTS: usize = 16;

/// A read request.
#[derive(Debug, Clone, Default)]
pub struct ReadRequest {
    /// The conditions.
    pub conditions: ReadIf,
    /// The `Range` header, exactly as it was sent.
    pub range: Option<String>,
    /// A single part, numbered from 1.
    pub part: Option<i32>,
}

/// The response to a read, without the bytes.
#[derive(Debug, Clone)]
pub struct ObjectView {
    /// The object.
    pub object: Arc<Object>,
    /// The bytes that are returned.
    pub span: ByteSpan,
    /// Whether only part of the object was requested.
    pub partial: bool,
    /// The number of parts of the object, if a part was requested and the object was assembled.
    pub parts: Option<usize>,
}

impl ReadRequest {
    /// Decides which bytes of an object are returned.
    ///
    /// # Errors
    /// The faults of the conditions, [`S3Fault::InvalidRange`], [`S3Fault::NoSuchPart`],
    /// [`S3Fault::RangeAndPart`], [`S3Fault::PartNumberOutside`].
    pub fn view(&self, object: Arc<Object>) -> Result<ObjectView, S3Fault> {
        self.conditions.check(&object)?;
        let size = object.size;
        if let Some(part) = self.part {
            return self.part(object, part);
        }
        let requested = self.range.as_deref().map(|range| range::parse(range, size));
        let span = requested.transpose()?.flatten();
        Ok(ObjectView {
            object,
            span: span.unwrap_or(ByteSpan::whole(size)),
            partial: span.is_some(),
            parts: None,
        })
    }

    fn part(&self, object: Arc<Object>, requested: i32) -> Result<ObjectView, S3Fault> {
        if self.range.is_some() {
            return Err(S3Fault::RangeAndPart);
        }
        if !(1..=keywright_base::limits::S3_PARTS).contains(&requested) {
            return Err(S3Fault::PartNumberOutside(requested));
        }
        let sizes = object.part_sizes();
        let before = usize::try_from(requested - 1).unwrap_or(usize::MAX);
        let Some(size) = sizes.get(before) else {
            return Err(S3Fault::NoSuchPart {
                requested,
                count: sizes.len(),
            });
        };
        let start = sizes.iter().take(before).sum::<u64>();
        let parts = object.multipart.then_some(sizes.len());
        let span = ByteSpan {
            start,
            end: start.saturating_add(*size),
        };
        Ok(ObjectView {
            object,
            span,
            partial: true,
            parts,
        })
    }
}

impl Objects {
    /// Reads an object that was looked up before. Looks it up again if it is overwritten before its
    /// bytes could be opened.
    ///
    /// # Errors
    /// As [`ReadRequest::view`]; [`S3Fault::NoSuchKey`] when it was deleted meanwhile.
    pub async fn read(
        &self,
        found: Arc<Object>,
        ask: &ReadRequest,
    ) -> Result<(ObjectView, ByteStream), S3Fault> {
        self.read_as(found, |object| ask.view(object)).await
    }

    /// Like [`Objects::read`], with the decision as a function.
    pub(crate) async fn read_as(
        &self,
        found: Arc<Object>,
        decide: impl Fn(Arc<Object>) -> Result<ObjectView, S3Fault>,
    ) -> Result<(ObjectView, ByteStream), S3Fault> {
        let mut object = found;
        for _ in 0..ATTEMPTS {
            let view = decide(object)?;
            if let Some(reading) = self.open_span(&view.object, view.span).await? {
                return Ok((view, reading));
            }
            let Object { bucket, key, .. } = &*view.object;
            let found = self.find(bucket, key).await?;
            object = found.ok_or_else(|| S3Fault::NoSuchKey(key.clone()))?;
        }
        Err(S3Fault::Internal(
            "an object kept changing, or its bytes are lost".into(),
        ))
    }

    /// Opens a span of an object; `None` if its bytes were freed since the lookup.
    pub(crate) async fn open_span(
        &self,
        object: &Object,
        span: ByteSpan,
    ) -> Result<Option<ByteStream>, S3Fault> {
        let pieces = match &object.content {
            ObjectContent::Inline(small) => {
                return Ok(Some(inline(&self.inline_text(object, small)?, span)));
            }
            ObjectContent::Blobs(pieces) => pieces,
        };
        let Some(first) = pieces.first().map(|piece| piece.blob) else {
            return Ok(Some(inline(&Bytes::new(), span)));
        };
        let blobs = Arc::clone(&self.allocator.folder);
        let opened = spawn_blocking(move || blobs.pin(first)).await;
        match opened.map_err(|error| S3Fault::Internal(error.to_string()))? {
            Ok((pin, file)) => Ok(Some(stream_of(ReadCursor {
                blobs: Arc::clone(&self.allocator.folder),
                vault: Arc::clone(&self.vault),
                name: (object.bucket.clone(), object.key.clone()),
                slices: slices(pieces, span),
                first: Some((first, file)),
                source: None,
                _pin: pin,
            }))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn inline(bytes: &Bytes, span: ByteSpan) -> ByteStream {
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    let (start, end) = (index(span.start), index(span.end));
    let slice = if start < end {
        bytes.slice(start..end)
    } else {
        Bytes::new()
    };
    Box::pin(stream::iter((!slice.is_empty()).then_some(Ok(slice))))
}

/// A range of one blob.
#[derive(Debug, Clone, PartialEq, Eq)]
struct BlobSlice {
    piece: BlobPiece,
    at: u64,
    left: u64,
}

/// The blob ranges that make up a span, last first.
fn slices(pieces: &[BlobPiece], span: ByteSpan) -> Vec<BlobSlice> {
    let mut slices = Vec::new();
    let mut start = 0_u64;
    for piece in pieces {
        let end = start.saturating_add(piece.size);
        let (from, to) = (span.start.max(start), span.end.min(end));
        if from < to {
            slices.push(BlobSlice {
                piece: piece.clone(),
                at: from - start,
                left: to - from,
            });
        }
        start = end;
    }
    slices.reverse();
    slices
}

struct ReadCursor {
    blobs: Arc<BlobFolder>,
    vault: Arc<DataVault>,
    /// Bucket and key, which the content keys are sealed for.
    name: (String, String),
    slices: Vec<BlobSlice>,
    /// The file that was opened when the object was pinned.
    first: Option<(BlobId, File)>,
    source: Option<BlobSource>,
    _pin: blobs::BlobPin,
}

impl ReadCursor {
    /// The next chunk. Blocking.
    fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        let Some(mut slice) = self.slices.pop() else {
            return Ok(None);
        };
        let source = match self.source.take() {
            Some(source) if source.blob == slice.piece.blob => source,
            _ => self.open(&slice.piece)?,
        };
        let chunk = source.text(slice.at, slice.left)?;
        let size = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        slice.at += size;
        slice.left = slice.left.saturating_sub(size);
        if slice.left > 0 {
            self.slices.push(slice);
            self.source = Some(source);
        }
        Ok(Some(chunk))
    }

    fn open(&mut self, piece: &BlobPiece) -> io::Result<BlobSource> {
        let file = match self.first.take() {
            Some((blob, file)) if blob == piece.blob => file,
            _ => self.blobs.read(piece.blob)?,
        };
        let (bucket, key) = (self.name.0.as_str(), self.name.1.as_str());
        let reader = content::reader(&self.vault, piece, (bucket, key));
        let reader = reader.map_err(io::Error::other)?;
        let stored = reader
            .as_ref()
            .map_or(piece.size, SegmentReader::stored_size);
        if file.metadata()?.len() != stored {
            return Err(io::Error::other("a blob does not have its length"));
        }
        Ok(BlobSource {
            blob: piece.blob,
            file,
            reader,
        })
    }
}

/// A blob that is being read.
struct BlobSource {
    blob: BlobId,
    file: File,
    /// `None` for clear text from earlier versions.
    reader: Option<SegmentReader>,
}

impl BlobSource {
    /// Reads text starting at `at`: at least one byte, at most `left`, ending at a segment
    /// boundary.
    fn text(&self, at: u64, left: u64) -> io::Result<Bytes> {
        let Some(reader) = &self.reader else {
            let mut chunk = vec![0; usize::try_from(left.min(CHUNK_BYTES)).unwrap_or(0)];
            self.file.read_exact_at(&mut chunk, at)?;
            return Ok(chunk.into());
        };
        let span = reader.span(at, at.saturating_add(left), CHUNK_SEGMENTS);
        let mut bytes = vec![0; span.bytes];
        self.file.read_exact_at(&mut bytes, span.at)?;
        reader.decrypt(span, &mut bytes).map_err(io::Error::other)?;
        let bytes = Bytes::from(bytes);
        let skip = usize::try_from(at - span.text_at).unwrap_or(usize::MAX);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let end = skip.saturating_add(left).min(bytes.len());
        if skip >= end {
            return Err(io::Error::other(OpenError));
        }
        Ok(bytes.slice(skip..end))
    }
}

fn stream_of(cursor: ReadCursor) -> ByteStream {
    Box::pin(stream::try_unfold(cursor, |mut cursor| async move {
        let job = spawn_blocking(move || cursor.chunk().map(|chunk| (chunk, cursor)));
        let (chunk, cursor) = job.await.map_err(io::Error::other)??;
        Ok(chunk.map(|bytes| (bytes, cursor)))
    }))
}

#[cfg(test)]
mod tests {
    use super::{BlobSlice, slices};
    use crate::{blobs::BlobId, object::BlobPiece, range::ByteSpan};

    #[test]
    fn spans_are_cut_at_parts() {
        let id = |n| BlobId([n; 16]);
        let pieces: Vec<_> = [(1, 5), (2, 0), (3, 5)]
            .map(|(n, size)| BlobPiece {
                blob: id(n),
                size,
                key: None,
            })
            .into();
        let slice = |n: u8, at, left| BlobSlice {
            piece: pieces[usize::from(n) - 1].clone(),
            at,
            left,
        };
        for (start, end, expected) in [
            (0, 10, vec![slice(3, 0, 5), slice(1, 0, 5)]),
            (0, 5, vec![slice(1, 0, 5)]),
            (4, 6, vec![slice(3, 0, 1), slice(1, 4, 1)]),
            (5, 6, vec![slice(3, 0, 1)]),
            (9, 10, vec![slice(3, 4, 1)]),
            (5, 5, vec![]),
        ] {
            assert_eq!(
                slices(&pieces, ByteSpan { start, end }),
                expected,
                "{start}..{end}"
            );
        }
    }
}
