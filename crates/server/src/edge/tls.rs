//! TLS: the server's certificate, and its renewal while connections are open.
//!
//! Invariant: a pair of files that cannot be used changes nothing. The certificate in use stays,
//! and the log says why.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use keywright_base::{Secret, limits};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use sha2::{Digest, Sha256};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep_until},
};
use tokio_rustls::TlsAcceptor;

use super::ServerError;

/// Certificate chain and private key, as PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The key, as PKCS #8, PKCS #1 or SEC 1. Only its owner may be able to read it.
    pub key: PathBuf,
}

/// The certificate in use, and the files that it is loaded from.
pub(super) struct CurrentCertificate {
    files: TlsFiles,
    current: ArcSwap<rustls::ServerConfig>,
    /// The fingerprint of the last attempt, successful or not: unchanged files are not tried again.
    tried: Mutex<Option<FileFingerprint>>,
}

type FileFingerprint = [u8; 32];

/// The contents of the two files.
struct PemPair {
    chain: Vec<u8>,
    key: Secret<Vec<u8>>,
}

/// The result of checking the files.
#[derive(Debug)]
enum ReloadOutcome {
    Unchanged,
    Replaced,
    Rejected(ServerError),
}

impl ReloadOutcome {
    fn log(&self) {
        match self {
            Self::Unchanged => {}
            Self::Replaced => tracing::info!("the TLS certificate was replaced"),
            Self::Rejected(error) => {
                tracing::warn!(%error, "the TLS certificate was not replaced");
            }
        }
    }
}

impl CurrentCertificate {
    /// Loads the certificate.
    ///
    /// # Errors
    /// [`ServerError::Tls`].
    pub(super) fn load(files: &TlsFiles) -> Result<Self, ServerError> {
        let pair = PemPair::read(files)?;
        Ok(Self {
            current: ArcSwap::from_pointee(pair.config(files)?),
            tried: Mutex::new(Some(pair.fingerprint())),
            files: files.clone(),
        })
    }

    /// The acceptor for a new connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Checks the files periodically and on each signal. Never returns.
    pub(super) async fn renew(self: Arc<Self>, mut hangup: Signal) {
        let pause = Duration::from_secs(limits::CERTIFICATE_CHECK_SECS);
        loop {
            tokio::select! {
                _ = hangup.recv() => {}
                () = sleep_until(Instant::now() + pause) => {}
            }
            let certificate = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || certificate.reload()).await {
                Ok(reload) => reload.log(),
                Err(error) => tracing::warn!(%error, "the TLS certificate was not looked at"),
            }
        }
    }

    fn reload(&self) -> ReloadOutcome {
        let pair = PemPair::read(&self.files);
        let fingerprint = pair.as_ref().ok().map(PemPair::fingerprint);
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *tried, fingerprint) == fingerprint {
            return ReloadOutcome::Unchanged;
        }
        drop(tried);
        match pair.and_then(|pair| pair.config(&self.files)) {
            Ok(config) => {
                self.current.store(Arc::new(config));
                ReloadOutcome::Replaced
            }
            Err(error) => ReloadOutcome::Rejected(error),
        }
    }
}

/// The signal that requests a reload (SIGHUP). Once it is registered, it no longer ends the
/// process.
///
/// # Errors
/// If the system cannot register it.
pub(super) fn hangup() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> ServerError {
    ServerError::Tls {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

impl PemPair {
    fn read(files: &TlsFiles) -> Result<Self, ServerError> {
        let (chain, chain_mode) = read(&files.certificate)?;
        let (key, key_mode) = read(&files.key)?;
        let key = Secret::new(key);
        check_private(&files.key, key_mode)?;
        // Some tools write both into one file.
        if PrivateKeyDer::from_pem_slice(&chain).is_ok() {
            check_private(&files.certificate, chain_mode)?;
        }
        Ok(Self { chain, key })
    }

    fn fingerprint(&self) -> FileFingerprint {
        let mut hash = Sha256::new();
        hash.update(self.chain.len().to_be_bytes());
        hash.update(&self.chain);
        hash.update(self.key.expose());
        hash.finalize().into()
    }

    fn config(&self, files: &TlsFiles) -> Result<rustls::ServerConfig, ServerError> {
        let chain = CertificateDer::pem_slice_iter(&self.chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable(&files.certificate, &error))?;
        let key = PrivateKeyDer::from_pem_slice(self.key.expose())
            .map_err(|error| unusable(&files.key, &error))?;
        rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| unusable(&files.certificate, &error))
    }
}

/// Rejects a file with a private key that users other than its owner can read or write.
fn check_private(path: &Path, mode: u32) -> Result<(), ServerError> {
    if mode & 0o066 == 0 {
        return Ok(());
    }
    let why = format!(
        "other users can read or write this private key (mode {:04o})\nhint: chmod 600 {}",
        mode & 0o7777,
        path.display()
    );
    Err(unusable(path, &why))
}

/// The bytes of a file and its mode.
fn read(path: &Path) -> Result<(Vec<u8>, u32), ServerError> {
    let failed = |error: std::io::Error| unusable(path, &error);
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    let mut bytes = Vec::new();
    let limited = file.take(limits::PEM_BYTES + 1).read_to_end(&mut bytes);
    let length = limited.map_err(failed)? as u64;
    if length > limits::PEM_BYTES {
        return Err(unusable(path, &"the file is too large"));
    }
    Ok((bytes, mode))
}

/// The TLS version of a connection, as policies write it.
pub(super) fn tls_version(connection: &rustls::ServerConnection) -> Option<&'static str> {
    match connection.protocol_version()? {
        rustls::ProtocolVersion::TLSv1_3 => Some("1.3"),
        rustls::ProtocolVersion::TLSv1_2 => Some("1.2"),
        _ => None,
    }
}
