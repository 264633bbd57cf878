//! A request's body on its way to the protocol layer.
//!
//! The rule: only the protocol layer reads it, and to its end, which is the verdict on what was
//! signed. What an operation needs of it that the protocol layer does not parse is kept as it
//! passes, so an operation never sees bytes of a body that did not end well.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{Body, BodyError, render::Cell};

/// The bytes of a body, for the operation that asks for them before the body is read. The protocol
/// layer's limit of parsed bodies bounds them.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Option<Vec<u8>>>>);

impl Kept {
    /// Keeps what passes from now on.
    pub(super) fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    /// What was kept.
    pub(super) fn take(&self) -> Vec<u8> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take().unwrap_or_default()
    }

    fn pass(&self, piece: &Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_mut() {
            kept.extend_from_slice(piece);
        }
    }
}

/// A request's body that leaves the reason of its failure where the renderer finds it, and its
/// bytes where the operation does.
pub(super) struct Tap {
    pub(super) body: Body,
    pub(super) cell: Cell,
    pub(super) kept: Kept,
}

/// A body's failure whose reason was left already.
#[derive(Debug, thiserror::Error)]
#[error("the body failed: {0}")]
pub(super) struct Tapped(BodyError);

impl http_body::Body for Tap {
    type Data = Bytes;
    type Error = Tapped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Tapped>>> {
        let frame = ready!(pin!(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => frame.data_ref().into_iter().for_each(|p| self.kept.pass(p)),
            Some(Err(error)) => self.cell.body_failed(error.as_ref()),
            None => {}
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Tapped)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
