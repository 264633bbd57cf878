//! A request's body on its way to the protocol layer.
//!
//! Invariant: only the protocol layer reads the body, and it reads to the end, where the signature
//! is verified. Bytes that an operation needs but the protocol layer does not parse are captured as
//! they pass, so an operation never sees bytes of a body that failed verification.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use keywright_base::{WireError, limits};
use keywright_objects::S3Fault;

use super::{
    BodyError, S3Body,
    render::{ErrorSlot, slow_down},
};
use crate::body_budget::{HeldBytes, NoMemory};

/// What is captured of a buffered body: its share of the memory budget, and its bytes for an
/// operation that asks for them before the body is read. The protocol layer's limit for parsed
/// bodies bounds both.
#[derive(Clone, Default)]
pub(super) struct CapturedBody(Arc<Mutex<CaptureState>>);

#[derive(Default)]
struct CaptureState {
    /// `None` for a body that is streamed.
    share: Option<HeldBytes>,
    bytes: Option<Vec<u8>>,
    /// Set for a body that is parsed.
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

/// The limits of a document that is parsed, and how much of it has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DocumentLimit {
    bytes_max: usize,
    bytes: usize,
    /// Counts `<`, which starts every opening and closing tag. Parsing time grows with their
    /// number.
    marks_max: usize,
    marks: usize,
    /// Whether it is XML; a bucket policy is JSON.
    xml: bool,
    /// Whether the last piece ended with `<`.
    opened: bool,
}

impl DocumentLimit {
    /// The limits for an operation's document.
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
            xml: !matches!(operation.as_bytes(), b"PutBucketPolicy"),
            opened: false,
        }
    }

    /// The maximum size in bytes.
    pub(super) const fn bytes_max(self) -> usize {
        self.bytes_max
    }

    /// Counts the next piece of the document.
    ///
    /// # Errors
    /// [`S3Fault::MessageTooLong`], [`S3Fault::MalformedXml`].
    pub(super) fn pass(&mut self, piece: &[u8]) -> Result<(), S3Fault> {
        self.bytes = self.bytes.saturating_add(piece.len());
        if self.bytes > self.bytes_max {
            let limit = self.bytes_max;
            return Err(S3Fault::MessageTooLong { limit });
        }
        self.marks += piece.iter().filter(|byte| **byte == b'<').count();
        // The protocol layer would drop a CDATA section and read the rest, as a name of another
        // key. No client of S3 sends one, nor comments or document types.
        let continued = self.opened && piece.first() == Some(&b'!');
        let declares = continued || piece.windows(2).any(|pair| pair == b"<!");
        if self.marks > self.marks_max || (self.xml && declares) {
            return Err(S3Fault::MalformedXml);
        }
        if let Some(last) = piece.last() {
            self.opened = *last == b'<';
        }
        Ok(())
    }
}

impl CapturedBody {
    /// Charges the bytes that arrive from now on to this share of the memory budget.
    pub(super) fn charge(&self, share: HeldBytes) {
        self.holding().share = Some(share);
    }

    /// Applies these limits to the bytes that arrive from now on.
    pub(super) fn limit(&self, document: DocumentLimit) {
        self.holding().document = Some(document);
    }

    /// Whether a large document has arrived and waits to be parsed outside the request threads.
    pub(super) fn is_waiting(&self) -> bool {
        self.holding().turn == ParseTurn::Waiting
    }

    /// Allows the next poll to parse the document.
    pub(super) fn give_turn(&self) {
        self.holding().turn = ParseTurn::Given;
    }

    /// Whether the end of the body may be passed on, upon which the protocol layer parses the
    /// document.
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

    /// Captures the bytes that arrive from now on.
    pub(super) fn begin(&self) {
        self.holding().bytes = Some(Vec::new());
    }

    /// Returns a copy of the captured bytes.
    pub(super) fn copy(&self) -> Vec<u8> {
        self.holding().bytes.clone().unwrap_or_default()
    }

    /// Takes the captured bytes.
    pub(super) fn take(&self) -> Vec<u8> {
        self.holding().bytes.take().unwrap_or_default()
    }

    fn pass(&self, piece: &Bytes) -> Result<(), Box<WireError>> {
        let mut holding = self.holding();
        if let Some(document) = &mut holding.document {
            document
                .pass(piece)
                .map_err(|fault| Box::new(fault.wire()))?;
        }
        if let Some(share) = &mut holding.share {
            let held = share.hold(piece.len());
            held.map_err(|NoMemory| Box::new(slow_down()))?;
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

/// A request's body that records why it failed for the renderer, and captures its bytes for the
/// operation.
pub(super) struct BodyTap {
    pub(super) body: S3Body,
    pub(super) error: ErrorSlot,
    pub(super) captured: CapturedBody,
    /// Whether the body has ended and must not be polled again.
    pub(super) ended: bool,
}

/// A body's failure, after its reason has been recorded.
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
            // No waker is registered here: the caller of `give_turn` polls again.
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
