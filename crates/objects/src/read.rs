//! Reading objects: conditions, ranges, parts, and the stream of bytes.
//!
//! The rule: conditions, range and bytes belong to the same version of the object, even when it is
//! overwritten meanwhile; a reader that has begun goes on with the version it began with. Memory is
//! bounded by one chunk a reader.

use std::{fs::File, io, os::unix::fs::FileExt, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::task::spawn_blocking;

use crate::{
    Objects,
    blobs::{self, BlobId, Blobs},
    conditions::ReadIf,
    fault::Fault,
    object::{Content, Object, Piece},
    range::{self, Span},
};

/// An object's bytes in order, in chunks of at most 256 KiB.
pub type Reading = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send + Sync>>;

const CHUNK_BYTES: u64 = 256 * 1024;

/// How often a read looks the object up anew because it was overwritten between lookup and opening.
const ATTEMPTS: usize = 16;

/// What a reader wants.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// The conditions.
    pub conditions: ReadIf,
    /// The `Range` header as it was sent.
    pub range: Option<String>,
    /// One part only, from 1.
    pub part: Option<i32>,
}

/// What a reader gets, beside the bytes.
#[derive(Debug, Clone)]
pub struct View {
    /// The object.
    pub object: Object,
    /// The bytes that are given.
    pub span: Span,
    /// Whether less than the whole was asked for.
    pub partial: bool,
    /// How many parts the object has, when a part was asked for and it was assembled.
    pub parts: Option<usize>,
}

impl Ask {
    /// Decides what of an object is given.
    ///
    /// # Errors
    /// The conditions' faults, [`Fault::InvalidRange`], [`Fault::NoSuchPart`],
    /// [`Fault::RangeAndPart`], [`Fault::PartNumberOutside`].
    pub fn view(&self, object: Object) -> Result<View, Fault> {
        self.conditions.check(&object)?;
        let size = object.size;
        if let Some(part) = self.part {
            return self.part(object, part);
        }
        let asked = self.range.as_deref().map(|range| range::parse(range, size));
        let span = asked.transpose()?.flatten();
        Ok(View {
            object,
            span: span.unwrap_or(Span::whole(size)),
            partial: span.is_some(),
            parts: None,
        })
    }

    fn part(&self, object: Object, asked: i32) -> Result<View, Fault> {
        if self.range.is_some() {
            return Err(Fault::RangeAndPart);
        }
        if !(1..=keywright_base::limits::S3_PARTS).contains(&asked) {
            return Err(Fault::PartNumberOutside(asked));
        }
        let sizes = object.part_sizes();
        let before = usize::try_from(asked - 1).unwrap_or(usize::MAX);
        let Some(size) = sizes.get(before) else {
            return Err(Fault::NoSuchPart {
                asked,
                count: sizes.len(),
            });
        };
        let start = sizes.iter().take(before).sum::<u64>();
        let parts = object.multipart.then_some(sizes.len());
        let span = Span {
            start,
            end: start.saturating_add(*size),
        };
        Ok(View {
            object,
            span,
            partial: true,
            parts,
        })
    }
}

impl Objects {
    /// Reads an object that was looked up before; looks it up again if it is overwritten before its
    /// bytes could be opened.
    ///
    /// # Errors
    /// As [`Ask::view`]; [`Fault::NoSuchKey`] when it was deleted meanwhile.
    pub async fn read(&self, found: Object, ask: &Ask) -> Result<(View, Reading), Fault> {
        self.read_as(found, |object| ask.view(object)).await
    }

    /// As [`Objects::read`], with the decision as a function.
    pub(crate) async fn read_as(
        &self,
        found: Object,
        decide: impl Fn(Object) -> Result<View, Fault>,
    ) -> Result<(View, Reading), Fault> {
        let mut object = found;
        for _ in 0..ATTEMPTS {
            let (bucket, key) = (object.bucket.clone(), object.key.clone());
            let view = decide(object)?;
            if let Some(reading) = self.open_span(&view.object, view.span).await? {
                return Ok((view, reading));
            }
            object = self
                .find(&bucket, &key)
                .await?
                .ok_or(Fault::NoSuchKey(key))?;
        }
        Err(Fault::Internal(
            "an object kept changing, or its bytes are lost".into(),
        ))
    }

    /// Opens a span of an object; nothing when its bytes were freed since it was looked up.
    async fn open_span(&self, object: &Object, span: Span) -> Result<Option<Reading>, Fault> {
        let pieces = match &object.content {
            Content::Inline(bytes) => return Ok(Some(inline(bytes, span))),
            Content::Blobs(pieces) => pieces,
        };
        let Some(first) = pieces.first().map(|piece| piece.blob) else {
            return Ok(Some(inline(&Bytes::new(), span)));
        };
        let blobs = Arc::clone(&self.blobs);
        let opened = spawn_blocking(move || blobs.pin(first)).await;
        match opened.map_err(|error| Fault::Internal(error.to_string()))? {
            Ok((pin, file)) => {
                let blobs = Arc::clone(&self.blobs);
                let open = Some((first, file));
                let slices = slices(pieces, span);
                Ok(Some(stream_of(Cursor {
                    blobs,
                    slices,
                    open,
                    _pin: pin,
                })))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn inline(bytes: &Bytes, span: Span) -> Reading {
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    let (start, end) = (index(span.start), index(span.end));
    let slice = if start < end {
        bytes.slice(start..end)
    } else {
        Bytes::new()
    };
    Box::pin(stream::iter((!slice.is_empty()).then_some(Ok(slice))))
}

/// A stretch of one blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slice {
    blob: BlobId,
    at: u64,
    left: u64,
}

/// The stretches that make up a span, last first.
fn slices(pieces: &[Piece], span: Span) -> Vec<Slice> {
    let mut slices = Vec::new();
    let mut start = 0_u64;
    for piece in pieces {
        let end = start.saturating_add(piece.size);
        let (from, to) = (span.start.max(start), span.end.min(end));
        if from < to {
            slices.push(Slice {
                blob: piece.blob,
                at: from - start,
                left: to - from,
            });
        }
        start = end;
    }
    slices.reverse();
    slices
}

struct Cursor {
    blobs: Arc<Blobs>,
    slices: Vec<Slice>,
    open: Option<(BlobId, File)>,
    _pin: blobs::Pin,
}

impl Cursor {
    /// The next chunk. Blocking.
    fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        let Some(slice) = self.slices.last_mut() else {
            return Ok(None);
        };
        let file = match self.open.take() {
            Some((blob, file)) if blob == slice.blob => file,
            _ => self.blobs.read(slice.blob)?,
        };
        let size = slice.left.min(CHUNK_BYTES);
        let mut chunk = vec![0; usize::try_from(size).unwrap_or(0)];
        file.read_exact_at(&mut chunk, slice.at)?;
        slice.at += size;
        slice.left -= size;
        self.open = Some((slice.blob, file));
        if slice.left == 0 {
            self.slices.pop();
        }
        Ok(Some(chunk.into()))
    }
}

fn stream_of(cursor: Cursor) -> Reading {
    Box::pin(stream::try_unfold(cursor, |mut cursor| async move {
        let job = spawn_blocking(move || cursor.chunk().map(|chunk| (chunk, cursor)));
        let (chunk, cursor) = job.await.map_err(io::Error::other)??;
        Ok(chunk.map(|bytes| (bytes, cursor)))
    }))
}

#[cfg(test)]
mod tests {
    use super::{Slice, slices};
    use crate::{blobs::BlobId, object::Piece, range::Span};

    #[test]
    fn spans_are_cut_at_parts() {
        let id = |n| BlobId([n; 16]);
        let pieces: Vec<_> = [(1, 5), (2, 0), (3, 5)]
            .map(|(n, size)| Piece { blob: id(n), size })
            .into();
        let slice = |n, at, left| Slice {
            blob: id(n),
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
                slices(&pieces, Span { start, end }),
                expected,
                "{start}..{end}"
            );
        }
    }
}
