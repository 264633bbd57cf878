//! A request's body: how long it may take and how much of it may be held.
//!
//! Invariant: a client holds memory and connections of the server only while it keeps sending. Time
//! counts only while the server waits for the client, so that a slow disk here does not end an
//! upload.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use keywright_base::limits;
use keywright_s3::{BodyBudget, HeldBytes, NoMemory};
use tokio::time::Sleep;

use super::{patience::ReadBudget, stream::ConnectionTraffic};

/// How long a client may keep the server waiting for a body.
const IDLE: Duration = Duration::from_secs(limits::BODY_IDLE_SECS);

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyFault {
    /// It arrived too slowly.
    #[error("the request body did not arrive in time")]
    Slow,
    /// The connection broke, or the framing is wrong.
    #[error("the request body ended early: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

/// The body of a client's request.
pub(crate) struct RequestBody<B: ClientBody = Incoming> {
    /// `None` once it has ended or failed.
    body: Option<B>,
    patience: ReadBudget,
    timer: Option<Pin<Box<Sleep>>>,
    traffic: Arc<ConnectionTraffic>,
    ended: Arc<AtomicBool>,
}

/// Whether a request's body was read to its end.
#[derive(Debug, Clone)]
pub(super) struct BodyEnd(Arc<AtomicBool>);

impl BodyEnd {
    pub(super) fn reached(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The body before it is limited: hyper's, except in tests.
pub(crate) trait ClientBody:
    HttpBody<Data = Bytes, Error: std::error::Error + Send + Sync + 'static> + Unpin
{
}

impl<B> ClientBody for B where
    B: HttpBody<Data = Bytes, Error: std::error::Error + Send + Sync + 'static> + Unpin
{
}

impl<B: ClientBody> RequestBody<B> {
    pub(super) fn new(body: B, traffic: Arc<ConnectionTraffic>) -> Self {
        let ended = Arc::new(AtomicBool::new(body.is_end_stream()));
        Self {
            body: Some(body),
            patience: ReadBudget::new(IDLE, limits::BODY_BYTES_PER_SEC_MIN),
            timer: None,
            traffic,
            ended,
        }
    }

    pub(super) fn end(&self) -> BodyEnd {
        BodyEnd(Arc::clone(&self.ended))
    }

    /// The length of the body, if the client announced one.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.size_hint().exact()
    }

    fn finish(&mut self) {
        self.body = None;
        self.ended.store(true, Ordering::Release);
    }

    fn received(&mut self, frame: &Frame<Bytes>) {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        self.patience.moved(bytes);
        if self.body.as_ref().is_some_and(HttpBody::is_end_stream) {
            self.finish();
        }
    }

    /// Waits for the client until its time budget is used up.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ends = self.patience.ends();
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(ends)));
        if timer.deadline() != ends {
            timer.as_mut().reset(ends);
        }
        timer.as_mut().poll(cx)
    }
}

impl<B: ClientBody> HttpBody for RequestBody<B> {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(cx);
        this.traffic.set_waiting(polled.is_pending());
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                this.received(&frame);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.body = None;
                Poll::Ready(Some(Err(BodyFault::Broken(Box::new(error)))))
            }
            Poll::Ready(None) => {
                this.finish();
                Poll::Ready(None)
            }
            Poll::Pending if this.wait(cx).is_ready() => {
                this.traffic.set_waiting(false);
                this.body = None;
                Poll::Ready(Some(Err(BodyFault::Slow)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let none = || SizeHint::with_exact(0);
        self.body.as_ref().map_or_else(none, HttpBody::size_hint)
    }
}

impl<B: ClientBody> Drop for RequestBody<B> {
    fn drop(&mut self) {
        self.traffic.set_waiting(false);
    }
}

/// A body in memory, with its share of the memory budget.
#[derive(Debug)]
pub(crate) struct GatheredBody {
    pub(crate) bytes: Vec<u8>,
    _held: HeldBytes,
}

/// Why a body could not be buffered.
#[derive(Debug)]
pub(crate) enum GatherFault {
    /// It is longer than allowed.
    TooLarge,
    /// The memory budget is exhausted.
    NoMemory,
    /// It ended early.
    Body(BodyFault),
}

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// [`GatherFault`]. An announced length that is too large is rejected before anything is read.
pub(crate) async fn gather<B: ClientBody>(
    mut body: RequestBody<B>,
    limit: usize,
    budget: &BodyBudget,
) -> Result<GatheredBody, GatherFault> {
    let limit_reached = |bytes: u64| bytes > limit as u64;
    if body.announced().is_some_and(limit_reached) {
        return Err(GatherFault::TooLarge);
    }
    let (mut bytes, mut held) = (Vec::new(), budget.account());
    while let Some(frame) = body.frame().await {
        // The piece is copied, because it may be a few bytes of a large buffer.
        let Ok(piece) = frame.map_err(GatherFault::Body)?.into_data() else {
            continue;
        };
        if limit_reached((bytes.len() + piece.len()) as u64) {
            return Err(GatherFault::TooLarge);
        }
        held.hold(piece.len())
            .map_err(|NoMemory| GatherFault::NoMemory)?;
        bytes.extend_from_slice(&piece);
    }
    Ok(GatheredBody { bytes, _held: held })
}

#[cfg(test)]
mod tests;
