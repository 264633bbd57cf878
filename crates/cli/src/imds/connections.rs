//! Connections: few at a time, each for a limited time.

use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time,
};

use super::answers::MetadataService;

/// Connections at a time. Others wait.
const CONNECTIONS: usize = 64;
/// How long a connection may last. A client opens another one then.
const LIFE: Duration = Duration::from_secs(60);
/// How long a client may take to send the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// Size limit of the head of a request in bytes.
const HEAD_BYTES: usize = 16 * 1024;
/// Pause after a failure to accept, which is mostly a lack of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers requests for ever.
pub(super) async fn accept(listener: TcpListener, service: Arc<MetadataService>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            let _ = time::timeout(PAUSE, pending::<()>()).await;
            continue;
        };
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            // A client that fails or takes too long has only itself to blame.
            let _ = time::timeout(LIFE, answer(stream, service)).await;
            drop(slot);
        });
    }
}

async fn answer(stream: TcpStream, service: Arc<MetadataService>) -> Result<(), hyper::Error> {
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), answer)
        .await
}
