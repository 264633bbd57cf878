//! One signed request to Keywright's extension over HTTP/1.1, with or without TLS.
//!
//! It protects two rules: no answer is read without a limit, and https is never less than verified.
//! It follows no redirect and does not repeat a request.

use std::{fmt::Write, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use keywright_base::{Clock, limits};
use keywright_sigv4::{Credentials, Payload, Target, sign};
use keywright_wire::Service;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    answer::{self, Answer},
    credentials::Found,
};

/// Seconds that a request may take as a whole.
const REQUEST_SECS: u64 = 30;
/// Where systems keep the authorities that they trust.
const SYSTEM_BUNDLES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];
/// The region that IAM and its extension are signed for.
const REGION: &str = "us-east-1";

/// A server to ask.
#[derive(Debug)]
pub(crate) struct Endpoint {
    host: String,
    port: u16,
    /// For the `Host` header: the port only where it is not the scheme's own.
    authority: String,
    bundle: Option<PathBuf>,
}

/// What to ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<'a> {
    /// Name of the operation.
    pub(crate) action: &'static str,
    /// Its parameters.
    pub(crate) parameters: &'a [(String, String)],
}

impl Endpoint {
    /// From `http://host:port` or `https://host:port`.
    ///
    /// # Errors
    /// When there is none, or it is not such an address.
    pub(crate) fn new(url: Option<&str>, bundle: &Option<PathBuf>) -> anyhow::Result<Self> {
        let url = url.filter(|url| !url.is_empty()).context(
            "no server to ask\nhint: give --endpoint-url or set AWS_ENDPOINT_URL, for example to \
             http://127.0.0.1:8787",
        )?;
        let not = || format!("{url} is not an address like http://127.0.0.1:8787");
        let uri: Uri = url.parse().with_context(not)?;
        let authority = uri.authority().with_context(not)?;
        ensure!(uri.path() == "/" && uri.query().is_none(), not());
        ensure!(!authority.as_str().contains('@'), not());
        let (bundle, usual) = match uri.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(self::bundle(bundle)?), 443),
            _ => bail!(not()),
        };
        let port = authority.port_u16().unwrap_or(usual);
        let host = authority.host();
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            authority: if port == usual {
                host.to_owned()
            } else {
                authority.as_str().to_owned()
            },
            bundle,
        })
    }
}

fn bundle(given: &Option<PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(path) = given {
        return Ok(path.clone());
    }
    let system = SYSTEM_BUNDLES.into_iter().map(PathBuf::from);
    let mut there = system.filter(|path| path.is_file());
    there.next().context(
        "an https address needs the authorities to trust, and the system has no file of them\n\
         hint: give --ca-bundle or set AWS_CA_BUNDLE",
    )
}

/// Signs, sends, reads.
///
/// # Errors
/// When the server is not reached, does not answer in time, or refuses; then with its words.
pub(crate) async fn call(
    endpoint: &Endpoint,
    credentials: &Found,
    query: &Query<'_>,
    clock: &dyn Clock,
) -> anyhow::Result<Answer> {
    let request = signed(endpoint, credentials, query, clock)?;
    let limit = Duration::from_secs(REQUEST_SECS);
    let (status, body) = tokio::time::timeout(limit, exchange(endpoint, request))
        .await
        .with_context(|| format!("{} did not answer in time", endpoint.authority))??;
    let body = std::str::from_utf8(&body).context("the answer is not text")?;
    let answer = answer::read(body);
    if status.is_success() {
        return answer;
    }
    let fields = answer.map(|answer| answer.fields).unwrap_or_default();
    match (fields.get("Code"), fields.get("Message")) {
        (Some(code), Some(text)) => bail!("the server refused: {code}: {text}"),
        (Some(code), None) => bail!("the server refused: {code}"),
        _ => bail!("the server answered {status}: it may not be Keywright"),
    }
}

fn signed(
    endpoint: &Endpoint,
    credentials: &Found,
    query: &Query<'_>,
    clock: &dyn Clock,
) -> anyhow::Result<Request<Full<Bytes>>> {
    let service = Service::Keywright;
    let mut body = format!("Action={}&Version={}", query.action, service.version());
    for (name, value) in query.parameters {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        let _ = write!(body, "&{name}={value}");
    }
    let request = Request::post("/")
        .header(header::HOST, &endpoint.authority)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(
            header::USER_AGENT,
            concat!("keywright/", env!("CARGO_PKG_VERSION")),
        )
        .body(())?;
    let (mut parts, ()) = request.into_parts();
    let credentials = Credentials {
        access_key_id: &credentials.id,
        secret: &credentials.secret,
        session_token: credentials.token.as_ref(),
    };
    let target = Target {
        region: REGION,
        service: service.scope_name(),
    };
    let payload = Payload::Sha256(Sha256::digest(&body).into());
    sign(&mut parts, &credentials, &target, payload, clock.now())?;
    Ok(Request::from_parts(parts, Full::new(body.into())))
}

async fn exchange(
    endpoint: &Endpoint,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(http::StatusCode, Bytes)> {
    let address = (endpoint.host.as_str(), endpoint.port);
    let stream = TcpStream::connect(address).await.with_context(|| {
        let authority = &endpoint.authority;
        format!("cannot connect to {authority} (is the server running?)")
    })?;
    match &endpoint.bundle {
        None => converse(stream, request).await,
        Some(bundle) => {
            let name = ServerName::try_from(endpoint.host.clone())?;
            let connector = connector(bundle)?;
            let stream = connector.connect(name, stream).await.with_context(|| {
                let bundle = bundle.display();
                format!("no TLS with {} (trusting {bundle})", endpoint.authority)
            })?;
            converse(stream, request).await
        }
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(http::StatusCode, Bytes)> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let response = sender.send_request(request).await.context("no answer")?;
    let status = response.status();
    let body = Limited::new(response.into_body(), limits::ANSWER_BYTES);
    let body = body.collect().await;
    driving.abort();
    match body {
        Ok(body) => Ok((status, body.to_bytes())),
        Err(error) => bail!("the answer could not be read: {error}"),
    }
}

fn connector(bundle: &PathBuf) -> anyhow::Result<TlsConnector> {
    let cannot = || format!("cannot use {} as authorities to trust", bundle.display());
    let mut roots = rustls::RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(bundle).with_context(cannot)?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>();
    let (added, _) = roots.add_parsable_certificates(certificates.with_context(cannot)?);
    ensure!(added > 0, cannot());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
