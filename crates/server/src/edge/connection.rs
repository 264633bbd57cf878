//! One connection: HTTP/1.1 over a stream, plain or TLS, and how it ends.
//!
//! Invariants: a response that is sent before the request's body was read closes the connection, so
//! that a body is never taken for the next request. After the signal to stop, a connection stays
//! open only while it makes progress.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONNECTION};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use keywright_base::limits;
use keywright_s3::BodyError;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_rustls::TlsAcceptor;

use super::{
    admission::ConnectionSlot,
    body::RequestBody,
    stream::{ClientStream, ConnectionTraffic},
    tls,
};
use crate::{ResponseBody, origin::ListenerOrigin, pipeline::Pipeline, request::PeerInfo};

const HEAD_TIME: Duration = Duration::from_secs(limits::HEAD_SECS);

/// An accepted connection.
pub(super) struct ClientConnection {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) origin: ListenerOrigin,
    pub(super) peer: PeerInfo,
    pub(super) slot: Arc<ConnectionSlot>,
    /// Becomes true when the server stops.
    pub(super) stop: watch::Receiver<bool>,
}

impl ClientConnection {
    /// Answers requests until the connection ends or must make room for another.
    pub(super) async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let slot = Arc::clone(&self.slot);
        tokio::select! {
            () = self.serve_stream(stream, tls) => {}
            () = slot.evicted() => tracing::debug!("a connection made room for another"),
        }
    }

    async fn serve_stream(mut self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let traffic = Arc::new(ConnectionTraffic::default());
        let stream = ClientStream::new(stream, Arc::clone(&traffic), Some(Arc::clone(&self.slot)));
        let Some(tls) = tls else {
            return self.serve_http(stream, traffic).await;
        };
        let handshake = tokio::time::timeout(HEAD_TIME, tls.accept(stream));
        let handshake = tokio::select! {
            handshake = handshake => handshake,
            () = stopped(&mut self.stop) => return,
        };
        match handshake {
            Ok(Ok(stream)) => {
                self.peer.tls_version = tls::tls_version(stream.get_ref().1);
                self.serve_http(stream, traffic).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn serve_http<S>(self, stream: S, traffic: Arc<ConnectionTraffic>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self {
            pipeline,
            origin,
            peer,
            slot,
            mut stop,
        } = self;
        let moved = Arc::clone(&traffic);
        let service = service_fn(move |request| {
            let exchange = HttpExchange {
                pipeline: Arc::clone(&pipeline),
                origin,
                peer,
                slot: Arc::clone(&slot),
                traffic: Arc::clone(&traffic),
            };
            // Boxed, so that the connection is `Unpin` and can be taken apart at its end.
            Box::pin(async move { Ok::<_, Infallible>(exchange.answer(request).await) })
        });
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_headers(limits::HEADERS)
            .max_buf_size(limits::HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let ended = tokio::select! {
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => ended,
            () = stopped(&mut stop) => {
                Pin::new(&mut connection).graceful_shutdown();
                tokio::select! {
                    ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => ended,
                    () = stalled(&moved) => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
            return;
        }
        let stream = connection.into_parts().io.into_inner();
        tokio::select! {
            _ = close(stream, moved.is_unread()) => {}
            () = async { stopped(&mut stop).await; stalled(&moved).await } => {}
        }
    }
}

/// Closes a stream. If the client may still be sending, its bytes are read for a while and
/// discarded: if the system reset the connection, the client would not see its response.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, unread: bool) -> u64 {
    let mut left = limits::DISCARDED_BODY_BYTES;
    let closing = async {
        stream.shutdown().await?;
        if !unread {
            return Ok(());
        }
        let mut buffer = vec![0; 4096];
        while left > 0 {
            let bytes = stream.read(&mut buffer).await?;
            if bytes == 0 {
                break;
            }
            left = left.saturating_sub(bytes as u64);
        }
        Ok::<_, std::io::Error>(())
    };
    let time = Duration::from_secs(limits::DISCARDED_BODY_SECS);
    match tokio::time::timeout(time, closing).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection was not closed in order"),
        Err(_) => tracing::debug!("a client went on sending what nobody wants"),
    }
    limits::DISCARDED_BODY_BYTES - left
}

/// Completes when the server stops.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The only error is that the sender is gone, which means the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Completes when the client has made too little progress for too long.
async fn stalled(traffic: &ConnectionTraffic) {
    loop {
        let before = traffic.bytes();
        sleep_until(Instant::now() + Duration::from_secs(limits::STOP_IDLE_SECS)).await;
        let enough = limits::BODY_BYTES_PER_SEC_MIN * limits::STOP_IDLE_SECS;
        if !traffic.is_working() && traffic.bytes() - before < enough {
            return;
        }
    }
}

/// One request and its response.
struct HttpExchange {
    pipeline: Arc<Pipeline>,
    origin: ListenerOrigin,
    peer: PeerInfo,
    slot: Arc<ConnectionSlot>,
    traffic: Arc<ConnectionTraffic>,
}

impl HttpExchange {
    async fn answer(self, request: Request<Incoming>) -> Response<GuardedBody> {
        let (mut parts, body) = request.into_parts();
        let body = RequestBody::new(body, Arc::clone(&self.traffic));
        let end = body.end();
        parts.extensions.insert(Arc::clone(&self.slot));
        self.traffic.set_answering(true);
        let request = Request::from_parts(parts, body);
        let answering = self.pipeline.answer(request, self.origin, self.peer);
        let mut answer = answering.await;
        self.traffic.set_answering(false);
        self.slot.answered();
        if !end.reached() {
            self.traffic.set_unread();
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(CONNECTION, close);
        }
        let slot = self.slot;
        answer.map(|body| GuardedBody { body, slot })
    }
}

/// A response's body. The connection of a verified S3 request is protected until it is dropped.
struct GuardedBody {
    body: ResponseBody,
    slot: Arc<ConnectionSlot>,
}

impl HttpBody for GuardedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for GuardedBody {
    fn drop(&mut self) {
        self.slot.release();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use keywright_base::limits;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::{Instant, sleep_until},
    };

    use super::{ClientStream, ConnectionTraffic, close, stalled};

    #[tokio::test(start_paused = true)]
    async fn only_progress_or_work_delays_a_stop() {
        let (rate, secs) = (limits::BODY_BYTES_PER_SEC_MIN, limits::STOP_IDLE_SECS);
        for (bytes_per_sec, working, ends) in [
            (0, false, true),
            (1, false, true),
            (rate, false, false),
            (0, true, false),
        ] {
            let traffic = Arc::new(ConnectionTraffic::default());
            traffic.set_answering(working);
            let mut stream = ClientStream::new(tokio::io::sink(), Arc::clone(&traffic), None);
            let client = tokio::spawn(async move {
                loop {
                    let bytes = vec![0; usize::try_from(bytes_per_sec).unwrap()];
                    stream.write_all(&bytes).await.unwrap();
                    sleep_until(Instant::now() + Duration::from_secs(1)).await;
                }
            });
            let start = Instant::now();
            let stop = Duration::from_secs(limits::STOP_SECS);
            let ended = tokio::time::timeout(stop, stalled(&traffic)).await;
            assert_eq!(ended.is_ok(), ends, "{bytes_per_sec} {working}");
            let expected = if ends { secs } else { limits::STOP_SECS };
            assert_eq!(start.elapsed().as_secs(), expected);
            client.abort();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_unwanted_body_is_read_within_bounds() {
        // A client that stalls, one that ends, one that never ends.
        for (pieces, ends, secs) in [
            (1, false, limits::DISCARDED_BODY_SECS),
            (1, true, 0),
            (u64::MAX, false, 0),
        ] {
            let (here, mut there) = tokio::io::duplex(1 << 20);
            let client = tokio::spawn(async move {
                let piece = vec![0; 1 << 20];
                for _ in 0..pieces {
                    if there.write_all(&piece).await.is_err() {
                        return;
                    }
                }
                if !ends {
                    // Until the server has closed its side.
                    while there.read(&mut [0]).await.is_ok_and(|bytes| bytes > 0) {}
                    sleep_until(Instant::now() + Duration::from_secs(3600)).await;
                }
            });
            let start = Instant::now();
            let read = close(here, true).await;
            let expected = pieces
                .saturating_mul(1 << 20)
                .min(limits::DISCARDED_BODY_BYTES);
            assert_eq!(read, expected, "{pieces} {ends}");
            assert_eq!(start.elapsed().as_secs(), secs, "{pieces} {ends}");
            client.abort();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_was_read_delays_no_end() {
        let (here, _there) = tokio::io::duplex(8);
        let start = Instant::now();
        assert_eq!(close(here, false).await, 0);
        assert_eq!(start.elapsed().as_secs(), 0);
    }
}
