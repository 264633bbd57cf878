//! Shared by the tests of sinks and notifiers: a fake HTTP service on this machine, and a check of
//! the environment that programs get.

#![allow(
    clippy::unwrap_used,
    reason = "tests only; a failure here is a failure of the test"
)]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};

use crate::environment::SYSTEM;

/// A recorded request.
#[derive(Debug)]
pub struct RecordedRequest {
    /// Method and path.
    pub line: String,
    /// The raw query.
    pub query: String,
    /// The headers.
    pub headers: hyper::HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl RecordedRequest {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The operation, for AWS's JSON services.
    pub fn target(&self) -> &str {
        let target = self.headers.get("x-amz-target");
        let target = target.and_then(|target| target.to_str().ok());
        let target = target.and_then(|target| target.split_once('.'));
        target.map_or("", |(_, action)| action)
    }
}

/// Returns a status and a body. Status 0 closes the connection without a reply.
pub type FakeService = Arc<Mutex<dyn FnMut(&RecordedRequest) -> (u16, String) + Send>>;

/// Serves on a free port until the test's runtime ends.
pub async fn serve(answers: FakeService) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(talk(stream, Arc::clone(&answers)));
        }
    });
    address
}

/// Serves one connection.
pub async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    answers: FakeService,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answers = Arc::clone(&answers);
        async move {
            let (parts, body) = request.into_parts();
            let recorded = RecordedRequest {
                line: format!("{} {}", parts.method, parts.uri.path()),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                headers: parts.headers,
                body: body.collect().await.unwrap().to_bytes().to_vec(),
            };
            let (status, body) = (answers.lock().unwrap())(&recorded);
            if status == 0 {
                return Err(std::io::Error::other("cut off"));
            }
            let mut response = Response::builder().status(status);
            if status == 429 {
                response = response.header("retry-after", "1");
            }
            let body = Full::<hyper::body::Bytes>::from(body);
            response.body(body).map_err(std::io::Error::other)
        }
    });
    // Interrupted connections are part of the tests.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Checks the output of `env`: nothing beyond the list and what a shell sets itself.
#[track_caller]
pub fn holds_no_more(printed: &str) {
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    for line in printed.lines() {
        let name = line.split('=').next().unwrap();
        let known = SYSTEM.contains(&name) || ["PWD", "SHLVL", "_", "OLDPWD"].contains(&name);
        assert!(known, "{line}");
    }
    assert!(printed.lines().any(|line| line.starts_with("PATH=")));
}
