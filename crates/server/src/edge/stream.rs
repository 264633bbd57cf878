//! The bytes of a connection, counted; and the end of clients that do not read.

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

/// What moves on one connection, for those who decide whether it has stalled.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    bytes: AtomicU64,
    answering: AtomicBool,
    waiting: AtomicBool,
    unread: AtomicBool,
}

impl Traffic {
    /// Bytes that went either way so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether an answer is being made.
    pub(super) fn set_answering(&self, answering: bool) {
        self.answering.store(answering, Ordering::Relaxed);
    }

    /// Whether that waits for more of the request's body.
    pub(super) fn set_waiting(&self, waiting: bool) {
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    /// Notes that a request was answered before its body was read.
    pub(super) fn set_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// Whether the client may still be sending what nobody reads.
    pub(super) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    /// Whether the server is at work, and the client is not what it waits for.
    pub(super) fn is_working(&self) -> bool {
        self.answering.load(Ordering::Relaxed) && !self.waiting.load(Ordering::Relaxed)
    }
}

/// A stream to a client that fails when the client takes nothing for a long time.
#[derive(Debug)]
pub(super) struct ClientStream<S> {
    stream: S,
    traffic: Arc<Traffic>,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> ClientStream<S> {
    pub(super) const fn new(stream: S, traffic: Arc<Traffic>) -> Self {
        Self {
            stream,
            traffic,
            stalled: None,
        }
    }

    /// The outcome of a write, unless it has been pending for too long.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(outcome) = outcome {
            self.stalled = None;
            self.traffic
                .count(outcome.as_ref().map_or(0, |bytes| *bytes));
            return Poll::Ready(outcome);
        }
        let time = Duration::from_secs(limits::WRITE_IDLE_SECS);
        let wait = || Box::pin(sleep_until(Instant::now() + time));
        let stalled = self.stalled.get_or_insert_with(wait);
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client does not read",
        )))
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
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::{Instant, sleep_until},
    };

    use super::{ClientStream, Traffic};

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_given_up() {
        let (here, mut there) = tokio::io::duplex(8);
        let traffic = Arc::new(Traffic::default());
        let mut stream = ClientStream::new(here, Arc::clone(&traffic));
        let patience = Duration::from_secs(limits::WRITE_IDLE_SECS);
        // Slow, but it reads.
        let reader = tokio::spawn(async move {
            let mut bytes = [0; 8];
            for _ in 0..4 {
                sleep_until(Instant::now() + patience * 9 / 10).await;
                there.read_exact(&mut bytes).await.unwrap();
            }
            there
        });
        stream.write_all(&[1; 40]).await.unwrap();
        assert_eq!(traffic.bytes(), 40);
        let _there = reader.await.unwrap();
        let stalled = Instant::now();
        let error = stream.write_all(&[1; 40]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(stalled.elapsed().as_secs(), limits::WRITE_IDLE_SECS);
    }
}
