//! Sockets: accept, limits, TLS, HTTP/1.1, and a graceful shutdown.
//!
//! Invariant: the resources of unauthenticated clients are bounded. [`admission`] limits the
//! connections, [`body`] the time of a request's body, [`stream`] that of a response.

mod admission;
mod answers;
mod body;
mod connection;
mod files;
mod patience;
mod stream;
mod tls;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use keywright_base::limits;
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::Signal,
    sync::watch,
};

use crate::{origin::ListenerOrigin, pipeline::Pipeline, request::PeerInfo};
use admission::ConnectionAdmission;
use connection::ClientConnection;
use tls::CurrentCertificate;

pub(crate) use admission::{ConnectionSlot, ConnectionUse, SharedAdmission};
pub(crate) use answers::AnswerBudget;
pub(crate) use body::{BodyFault, GatherFault, RequestBody, gather};
pub use tls::TlsFiles;

/// The pause between a failure to accept and the next attempt.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where and how to listen.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The address. Port 0 selects a free port.
    pub listen: SocketAddr,
    /// The TLS files, if TLS is enabled.
    pub tls: Option<TlsFiles>,
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
        /// The requested address.
        address: SocketAddr,
        /// The system's error.
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

/// A listener of one origin that is bound but does not accept connections yet.
pub struct Server {
    listener: TcpListener,
    tls: Option<RenewedCertificate>,
    admission: Arc<ConnectionAdmission>,
    origin: ListenerOrigin,
    pipeline: Arc<Pipeline>,
}

/// A certificate, and the signal to reload it.
struct RenewedCertificate {
    certificate: Arc<CurrentCertificate>,
    hangup: Signal,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({:?})", self.listener)
    }
}

/// The address of a listener.
#[derive(Debug, Clone, Copy)]
pub struct ListenAddress {
    /// The address, with the actual port.
    pub address: SocketAddr,
    /// Whether it uses TLS.
    pub secure: bool,
}

impl std::fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.address)
    }
}

impl Server {
    /// Binds the address, and raises the limit of open files as far as the system allows.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn bind(
        config: &ServerConfig,
        origin: ListenerOrigin,
        pipeline: Arc<Pipeline>,
    ) -> Result<Self, ServerError> {
        let address = config.listen;
        if config.tls.is_none() && !address.ip().is_loopback() && !config.allow_plain_http {
            return Err(ServerError::PlainHttp(address.ip()));
        }
        let failed = |error| ServerError::Listen { address, error };
        let tls = match &config.tls {
            None => None,
            Some(files) => Some(RenewedCertificate {
                certificate: Arc::new(CurrentCertificate::load(files)?),
                hangup: tls::hangup().map_err(failed)?,
            }),
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        Ok(Self {
            listener,
            tls,
            admission: pipeline.connections.get(),
            origin,
            pipeline,
        })
    }

    /// The address on which it listens.
    ///
    /// # Errors
    /// If the system does not return it.
    pub fn listening(&self) -> io::Result<ListenAddress> {
        Ok(ListenAddress {
            address: self.listener.local_addr()?,
            secure: self.tls.is_some(),
        })
    }

    /// Answers requests until `stop` completes, then lets open requests finish.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, _) = watch::channel(false);
        let (certificate, renewal) = match self.tls {
            None => (None, None),
            Some(RenewedCertificate {
                certificate,
                hangup,
            }) => {
                let renewal = tokio::spawn(Arc::clone(&certificate).renew(hangup));
                (Some(certificate), Some(renewal))
            }
        };
        let listener = OriginListener {
            socket: self.listener,
            certificate,
            admission: self.admission,
            origin: self.origin,
            pipeline: self.pipeline,
        };
        tokio::pin!(stop);
        listener.accept(stop, &stopping).await;
        drop(listener);
        // Each connection holds a receiver, so `closed` completes when all connections have ended.
        stopping.send_replace(true);
        let ended = tokio::time::timeout(Duration::from_secs(limits::STOP_SECS), stopping.closed());
        if ended.await.is_err() {
            tracing::warn!(
                "requests were still under way after {} seconds",
                limits::STOP_SECS
            );
        }
        if let Some(renewal) = renewal {
            renewal.abort();
        }
    }
}

/// A socket, and what its connections need.
struct OriginListener {
    socket: TcpListener,
    certificate: Option<Arc<CurrentCertificate>>,
    admission: Arc<ConnectionAdmission>,
    origin: ListenerOrigin,
    pipeline: Arc<Pipeline>,
}

impl OriginListener {
    /// Accepts connections until `stop` completes.
    async fn accept(
        &self,
        mut stop: impl Future<Output = ()> + Unpin,
        stopping: &watch::Sender<bool>,
    ) {
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = &mut stop => return,
            };
            match accepted {
                Ok((stream, from)) => self.spawn(stream, from, stopping.subscribe()),
                Err(error) => {
                    self.admission.not_accepted(&error);
                    // Most likely out of file descriptors; they become free as requests end.
                    if tokio::time::timeout(ACCEPT_PAUSE, &mut stop).await.is_ok() {
                        return;
                    }
                }
            }
        }
    }

    fn spawn(&self, stream: TcpStream, from: SocketAddr, stop: watch::Receiver<bool>) {
        // All clients behind a trusted proxy share its address, so the proxy has to limit them
        // itself.
        let is_proxy = self.pipeline.proxies.contains(from.ip().to_canonical());
        let source = admission::source(from.ip()).filter(|_| !is_proxy);
        let Some(slot) = self.admission.admit(source) else {
            return;
        };
        // Otherwise small responses would wait for the client's delayed acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was not set");
        }
        let connection = ClientConnection {
            pipeline: Arc::clone(&self.pipeline),
            origin: self.origin,
            peer: PeerInfo {
                address: from.ip().to_canonical(),
                secure: self.certificate.is_some(),
                tls_version: None,
            },
            slot: Arc::new(slot),
            stop,
        };
        let tls = self
            .certificate
            .as_ref()
            .map(|certificate| certificate.acceptor());
        tokio::spawn(connection.run(stream, tls));
    }
}
