//! Sockets: accept, TLS, HTTP/1.1, and a shutdown that lets requests under way finish.

mod connection;
mod tls;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::pipeline::{Peer, Pipeline};

pub use tls::Tls;

/// Seconds that requests under way get to finish after the signal to stop.
const DRAIN_SECS: u64 = 30;
/// Between a failure to accept and the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where and how to listen.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// TLS, if wanted.
    pub tls: Option<Tls>,
    /// Whether plain HTTP is allowed on an address that is not loopback.
    pub allow_plain_http: bool,
}

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Plain HTTP would leave the machine.
    #[error(
        "refusing plain HTTP on {0}, which is not a loopback address\n\
         hint: give --tls-cert and --tls-key, or --allow-plain-http behind a proxy that has TLS"
    )]
    PlainHttp(IpAddr),
    /// The address cannot be used.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// A PEM file cannot be used.
    #[error("cannot use {path} for TLS: {why}")]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// A listening server that does not answer yet.
pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    pipeline: Arc<Pipeline>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({:?})", self.listener)
    }
}

/// Where a server listens.
#[derive(Debug, Clone, Copy)]
pub struct Listening {
    /// The address with the port taken.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub secure: bool,
}

impl Server {
    /// Takes the address.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn bind(config: &ServerConfig, pipeline: Arc<Pipeline>) -> Result<Self, ServerError> {
        let address = config.listen;
        if config.tls.is_none() && !address.ip().is_loopback() && !config.allow_plain_http {
            return Err(ServerError::PlainHttp(address.ip()));
        }
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| ServerError::Listen { address, error })?;
        Ok(Self {
            listener,
            tls,
            pipeline,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn listening(&self) -> io::Result<Listening> {
        Ok(Listening {
            address: self.listener.local_addr()?,
            secure: self.tls.is_some(),
        })
    }

    /// Answers requests until `stop` is done, then lets those under way finish.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => break,
            };
            match accepted {
                Ok((stream, from)) => self.spawn(stream, from, &graceful),
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    // Out of file descriptors, most likely; they come back as requests end.
                    if tokio::time::timeout(ACCEPT_PAUSE, &mut stop).await.is_ok() {
                        break;
                    }
                }
            }
        }
        drop(self.listener);
        let drained = tokio::time::timeout(Duration::from_secs(DRAIN_SECS), graceful.shutdown());
        if drained.await.is_err() {
            tracing::warn!("requests were still under way after {DRAIN_SECS} seconds");
        }
    }

    fn spawn(&self, stream: TcpStream, from: SocketAddr, graceful: &GracefulShutdown) {
        // Without it small answers wait for the client's delayed acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was not set");
        }
        let pipeline = Arc::clone(&self.pipeline);
        let watcher = graceful.watcher();
        let peer = Peer {
            address: from.ip().to_canonical(),
            secure: self.tls.is_some(),
            tls_version: None,
        };
        match self.tls.clone() {
            None => {
                tokio::spawn(connection::serve(stream, pipeline, peer, watcher));
            }
            Some(tls) => {
                tokio::spawn(async move {
                    let handshake = Duration::from_secs(connection::HEAD_SECS);
                    match tokio::time::timeout(handshake, tls.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            let tls_version = tls::tls_version(stream.get_ref().1);
                            let peer = Peer {
                                tls_version,
                                ..peer
                            };
                            connection::serve(stream, pipeline, peer, watcher).await;
                        }
                        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                        Err(_) => tracing::debug!("a TLS handshake took too long"),
                    }
                });
            }
        }
    }
}
