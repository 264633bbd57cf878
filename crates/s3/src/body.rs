//! A request's body on its way to the protocol layer.
//!
//! The rule: only the protocol layer reads it, and to its end, which is the verdict on what was
//! signed. What an operation needs of it that the protocol layer does not parse is kept as it
//! passes, so an operation never sees bytes of a body that did not end well.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use keywright_base::limits;
use keywright_objects::S3Fault;

use super::{BodyError, S3Body, WireError, render::ErrorSlot};
use crate::body_budget::{HeldBytes, NoMemory};

/// What is held of a body that is gathered: its share of the memory for bodies, and its bytes for
/// the operation that asks for them before the body is read. The protocol layer's limit of parsed
/// bodies bounds each of them.
#[derive(Clone, Default)]
pub(super) struct CapturedBody(Arc<Mutex<CaptureState>>);

#[derive(Default)]
struct CaptureState {
    /// `None` for a body that streams by.
    share: Option<HeldBytes>,
    bytes: Option<Vec<u8>>,
    /// Of a body that is parsed.
    document: Option<DocumentLimit>,
    turn: ParseTurn,
}

/// Whether a large document may be parsed yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum ParseTurn {
    #[default]
    Unasked,
    Waiting,
    Given,
}

/// How large a document may be that is parsed, and how much of it has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DocumentLimit {
    /// Bytes.
    bytes_max: usize,
    bytes: usize,
    /// `<`, with which every element begins and ends; time to parse grows with them.
    marks_max: usize,
    marks: usize,
}

impl DocumentLimit {
    /// As an operation takes it.
    pub(super) const fn of(operation: &str) -> Self {
        let (bytes_max, entries) = match operation.as_bytes() {
            b"DeleteObjects" => (limits::S3_XML_BYTES, limits::S3_PAGE),
            b"CompleteMultipartUpload" => (
                limits::S3_XML_BYTES,
                limits::S3_PARTS.unsigned_abs() as usize,
            ),
            _ => (limits::S3_SHORT_XML_BYTES, 0),
        };
        Self {
            bytes_max,
            bytes: 0,
            marks_max: limits::S3_SHORT_XML_MARKS + entries * limits::S3_ENTRY_MARKS,
            marks: 0,
        }
    }

    /// Bytes at most.
    pub(super) const fn bytes_max(self) -> usize {
        self.bytes_max
    }

    /// Takes in what comes next of it.
    ///
    /// # Errors
    /// [`Fault::MessageTooLong`], [`Fault::MalformedXml`].
    pub(super) fn pass(&mut self, piece: &[u8]) -> Result<(), S3Fault> {
        self.bytes = self.bytes.saturating_add(piece.len());
        if self.bytes > self.bytes_max {
            let limit = self.bytes_max;
            return Err(S3Fault::MessageTooLong { limit });
        }
        self.marks += piece.iter().filter(|byte| **byte == b'<').count();
        if self.marks > self.marks_max {
            return Err(S3Fault::MalformedXml);
        }
        Ok(())
    }
}

impl CapturedBody {
    /// Charges what passes from now on.
    pub(super) fn charge(&self, share: HeldBytes) {
        self.holding().share = Some(share);
    }

    /// Holds a document that passes from now on to its limits.
    pub(super) fn limit(&self, document: DocumentLimit) {
        self.holding().document = Some(document);
    }

    /// Whether a large document has come, which waits to be parsed beside the request.
    pub(super) fn is_waiting(&self) -> bool {
        self.holding().turn == ParseTurn::Waiting
    }

    /// Lets it be parsed by whoever polls next.
    pub(super) fn give_turn(&self) {
        self.holding().turn = ParseTurn::Given;
    }

    /// Whether the end may be passed on now, upon which the protocol layer parses what came.
    fn may_end(&self) -> bool {
        let mut holding = self.holding();
        let large = holding
            .document
            .is_some_and(|document| document.bytes > limits::S3_XML_BYTES_SHORTLY);
        if large && holding.turn == ParseTurn::Unasked {
            holding.turn = ParseTurn::Waiting;
        }
        holding.turn != ParseTurn::Waiting
    }

    /// Keeps what passes from now on.
    pub(super) fn begin(&self) {
        self.holding().bytes = Some(Vec::new());
    }

    /// What was kept, which stays.
    pub(super) fn copy(&self) -> Vec<u8> {
        self.holding().bytes.clone().unwrap_or_default()
    }

    /// What was kept.
    pub(super) fn take(&self) -> Vec<u8> {
        self.holding().bytes.take().unwrap_or_default()
    }

    fn pass(&self, piece: &Bytes) -> Result<(), Box<WireError>> {
        let mut holding = self.holding();
        if let Some(document) = &mut holding.document {
            document
                .pass(piece)
                .map_err(|fault| Box::new(WireError::from(&fault)))?;
        }
        if let Some(share) = &mut holding.share {
            let held = share.hold(piece.len());
            held.map_err(|NoMemory| Box::new(WireError::slow_down()))?;
        }
        if let Some(bytes) = &mut holding.bytes {
            bytes.extend_from_slice(piece);
        }
        Ok(())
    }

    fn holding(&self) -> MutexGuard<'_, CaptureState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request's body that leaves the reason of its failure where the renderer finds it, and its
/// bytes where the operation does.
pub(super) struct BodyTap {
    pub(super) body: S3Body,
    pub(super) error: ErrorSlot,
    pub(super) captured: CapturedBody,
    /// Whether the body has ended, and is not asked again.
    pub(super) ended: bool,
}

/// A body's failure whose reason was left already.
#[derive(Debug, thiserror::Error)]
#[error("the body failed: {0}")]
pub(super) struct TappedError(BodyError);

impl http_body::Body for BodyTap {
    type Data = Bytes;
    type Error = TappedError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TappedError>>> {
        let polled = match self.ended {
            false => ready!(pin!(&mut self.body).poll_frame(cx)),
            true => None,
        };
        self.ended = polled.is_none();
        if self.ended && !self.captured.may_end() {
            // Whoever gives the turn polls again.
            return Poll::Pending;
        }
        let frame = polled.map(|frame| {
            let frame = frame?;
            let held = frame
                .data_ref()
                .map_or(Ok(()), |piece| self.captured.pass(piece));
            held.map_err(|error| error as BodyError)?;
            Ok(frame)
        });
        if let Some(Err(error)) = &frame {
            let error: &BodyError = error;
            self.error.body_failed(error.as_ref());
        }
        Poll::Ready(frame.map(|frame| frame.map_err(TappedError)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
