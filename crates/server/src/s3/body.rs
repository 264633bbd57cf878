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

use super::{Body, BodyError, WireError, render::Cell};
use crate::edge::{HeldBytes, NoMemory};

/// What is held of a body that is gathered: its share of the memory for bodies, and its bytes for
/// the operation that asks for them before the body is read. The protocol layer's limit of parsed
/// bodies bounds each of them.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Holding>>);

#[derive(Default)]
struct Holding {
    /// `None` for a body that streams by.
    share: Option<HeldBytes>,
    bytes: Option<Vec<u8>>,
}

impl Kept {
    /// Charges what passes from now on.
    pub(super) fn charge(&self, share: HeldBytes) {
        self.holding().share = Some(share);
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

    fn pass(&self, piece: &Bytes) -> Result<(), NoMemory> {
        let mut holding = self.holding();
        if let Some(share) = &mut holding.share {
            share.hold(piece.len())?;
        }
        if let Some(bytes) = &mut holding.bytes {
            bytes.extend_from_slice(piece);
        }
        Ok(())
    }

    fn holding(&self) -> MutexGuard<'_, Holding> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let frame = ready!(pin!(&mut self.body).poll_frame(cx)).map(|frame| {
            let frame = frame?;
            let held = frame
                .data_ref()
                .map_or(Ok(()), |piece| self.kept.pass(piece));
            held.map_err(|NoMemory| Box::new(WireError::slow_down()) as BodyError)?;
            Ok(frame)
        });
        if let Some(Err(error)) = &frame {
            let error: &BodyError = error;
            self.cell.body_failed(error.as_ref());
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
