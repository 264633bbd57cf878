//! Counts the bytes of a connection, and disconnects clients that do not read.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use keywright_base::limits;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{admission::ConnectionSlot, patience::ReadBudget};

/// The traffic of one connection, from which it is decided whether it has stalled.
#[derive(Debug, Default)]
pub(super) struct ConnectionTraffic {
    bytes: AtomicU64,
    answering: AtomicBool,
    waiting: AtomicBool,
    unread: AtomicBool,
}

impl ConnectionTraffic {
    /// The bytes transferred so far, in both directions.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Sets whether a response is being made.
    pub(super) fn set_answering(&self, answering: bool) {
        self.answering.store(answering, Ordering::Relaxed);
    }

    /// Sets whether the response waits for more of the request's body.
    pub(super) fn set_waiting(&self, waiting: bool) {
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    /// Records that a request was answered before its body was read.
    pub(super) fn set_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// Whether the client may still be sending bytes that nobody reads.
    pub(super) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    /// Whether the server is busy and not waiting for the client.
    pub(super) fn is_working(&self) -> bool {
        self.answering.load(Ordering::Relaxed) && !self.waiting.load(Ordering::Relaxed)
    }
}

/// A stream to a client. Writes fail if the client reads too little for a long time; before that,
/// the connection loses its protection.
#[derive(Debug)]
pub(super) struct ClientStream<S> {
    stream: S,
    traffic: Arc<ConnectionTraffic>,
    slot: Option<Arc<ConnectionSlot>>,
    patience: ReadBudget,
    /// Runs while the client reads nothing.
    timer: Option<Pin<Box<Sleep>>>,
}

const IDLE: Duration = Duration::from_secs(limits::WRITE_IDLE_SECS);
/// With less time than this left, the connection may be closed to make room for another.
const UNPROTECTED: Duration =
    Duration::from_secs(limits::WRITE_IDLE_SECS - limits::WRITE_PROTECTED_SECS);

impl<S> ClientStream<S> {
    pub(super) const fn new(
        stream: S,
        traffic: Arc<ConnectionTraffic>,
        slot: Option<Arc<ConnectionSlot>>,
    ) -> Self {
        Self {
            stream,
            traffic,
            slot,
            patience: ReadBudget::new(IDLE, limits::READ_BYTES_PER_SEC_MIN),
            timer: None,
        }
    }

    /// The result of a write, unless the client has read too little for too long.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(outcome) = outcome {
            let bytes = outcome.as_ref().map_or(0, |bytes| *bytes);
            self.patience.moved(bytes);
            self.traffic.count(bytes);
            return Poll::Ready(outcome);
        }
        let ends = self.patience.ends();
        let protected = ends.checked_sub(UNPROTECTED).unwrap_or(ends);
        loop {
            let now = Instant::now();
            if now >= ends {
                let slow = io::Error::new(io::ErrorKind::TimedOut, "the client does not read");
                return Poll::Ready(Err(slow));
            }
            if now < protected {
                ready!(self.wait(cx, protected));
            } else {
                if let Some(slot) = &self.slot {
                    slot.release();
                }
                ready!(self.wait(cx, ends));
            }
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        self.traffic.count(buffer.filled().len() - before);
        Poll::Ready(outcome)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{io::ErrorKind, sync::Arc, time::Duration};

    use keywright_base::limits;
    use keywright_identity::work::WorkOwner;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::{Instant, sleep_until},
    };

    use super::{ClientStream, ConnectionTraffic};
    use crate::edge::admission::{ConnectionAdmission, ConnectionLimits, ConnectionUse};

    /// Writes to a client that reads `piece` bytes every `pause` seconds; returns how long it took,
    /// and the result.
    async fn write_to(piece: usize, pause: u64, pieces: usize) -> (u64, Result<(), ErrorKind>) {
        let (here, mut there) = tokio::io::duplex(piece);
        let traffic = Arc::new(ConnectionTraffic::default());
        let mut stream = ClientStream::new(here, Arc::clone(&traffic), None);
        let reader = tokio::spawn(async move {
            let mut bytes = vec![0; piece];
            for _ in 0..pieces {
                sleep_until(Instant::now() + Duration::from_secs(pause)).await;
                if there.read_exact(&mut bytes).await.is_err() {
                    break;
                }
            }
        });
        let start = Instant::now();
        let written = stream.write_all(&vec![1; piece * pieces]).await;
        if written.is_ok() {
            assert_eq!(traffic.bytes(), (piece * pieces) as u64);
        }
        let took = start.elapsed().as_secs();
        drop(stream);
        reader.await.unwrap();
        (took, written.map_err(|error| error.kind()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_too_little_is_given_up() {
        let rate = usize::try_from(limits::READ_BYTES_PER_SEC_MIN).unwrap();
        let idle = limits::WRITE_IDLE_SECS;
        let gone = Err(ErrorKind::TimedOut);
        // Slow clients that do read: evenly, or with pauses that a full buffer covers.
        assert_eq!(write_to(rate, 1, 1000).await, (999, Ok(())));
        assert_eq!(
            write_to(64 * rate, idle - 2, 10).await,
            (9 * (idle - 2), Ok(()))
        );
        // No reads for a while, and a trickle that never pauses for long.
        assert_eq!(write_to(64 * rate, idle + 2, 2).await, (idle, gone));
        let (took, written) = write_to(rate / 4, 1, 1000).await;
        assert_eq!(written, gone);
        assert!((idle..idle * 3 / 2).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_is_protected_for_a_while() {
        let one = ConnectionLimits {
            total: 1,
            per_source: 1,
            transfers: 1,
            per_holder: 1,
        };
        let admission = ConnectionAdmission::new(one);
        let slot = Arc::new(admission.admit(None).unwrap());
        slot.protect(WorkOwner::Installation, ConnectionUse::Transfer);
        let (here, _there) = tokio::io::duplex(8);
        let traffic = Arc::default();
        let mut stream = ClientStream::new(here, traffic, Some(Arc::clone(&slot)));
        let writer = tokio::spawn(async move { stream.write_all(&[1; 40]).await });
        let protected = Duration::from_secs(limits::WRITE_PROTECTED_SECS);
        sleep_until(Instant::now() + protected * 9 / 10).await;
        assert!(admission.admit(None).is_none());
        sleep_until(Instant::now() + protected / 5).await;
        let _new = admission.admit(None).unwrap();
        slot.evicted().await;
        writer.abort();
    }
}
