//! A bare hyper server with the same version and settings as the server's edge, and no work. It
//! answers every request with one recorded response.

use std::{convert::Infallible, fs, io::Write, path::PathBuf, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use keywright_base::limits;
use tokio::net::TcpListener;

/// Timeout for a request's head in seconds, as in the server's edge.
const HEAD_SECS: u64 = 30;

/// `bare FILE`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An answer as it came over the wire, head and body
    answer: PathBuf,
}

/// Serves on a free port, which it prints, until killed.
///
/// # Errors
/// If the file is unreadable or no port is available.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let recorded = fs::read(&args.answer).context("cannot read the recorded answer")?;
    let answer = RecordedAnswer::parse(&recorded).context("not a recorded answer")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(answer))
}

#[derive(Clone)]
struct RecordedAnswer {
    headers: HeaderMap,
    body: Bytes,
}

impl RecordedAnswer {
    fn parse(recorded: &[u8]) -> Option<Self> {
        let end = memchr::memmem::find(recorded, b"\r\n\r\n")?;
        let (head, body) = recorded.split_at_checked(end)?;
        let mut headers = HeaderMap::new();
        for line in str::from_utf8(head).ok()?.lines().skip(1) {
            let (name, value) = line.split_once(": ")?;
            // hyper adds these two itself.
            if name != "date" && name != "content-length" {
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                headers.insert(name, HeaderValue::from_str(value).ok()?);
            }
        }
        let body = Bytes::copy_from_slice(body.get(4..)?);
        Some(Self { headers, body })
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        response.headers_mut().clone_from(&self.headers);
        response
    }
}

async fn serve(answer: RecordedAnswer) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "bare at http://{}", listener.local_addr()?)?;
    out.flush()?;
    drop(out);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(move |_| {
                let response = answer.response();
                async move { Ok::<_, Infallible>(response) }
            });
            // A client that disconnects is not an error here.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(HEAD_SECS))
                .max_headers(limits::HEADERS)
                .max_buf_size(limits::HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
