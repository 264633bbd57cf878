//! Fetching from an issuer on this machine, which may behave in any way.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use keywright_identity::web_identity::{DocumentFault, ProviderDocuments, ProviderRequest};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha1::{Digest, Sha1};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::ProviderFetcher;

const KEYS: &str = r#"{"keys":[]}"#;
const CONFIGURATION: &str = "/.well-known/openid-configuration";

/// How a path is answered.
#[derive(Clone)]
enum IssuerReply {
    Body(String),
    Redirect(String),
    Status(u16),
    /// The head, and then a byte now and then.
    Slowly,
    /// Nothing at all.
    Silence,
    /// More bytes than announced anywhere.
    Endless,
}

/// An issuer with a self-signed certificate for 127.0.0.1 and localhost.
struct TestIssuer {
    address: SocketAddr,
    thumbprint: String,
    replies: Arc<Mutex<HashMap<String, IssuerReply>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl TestIssuer {
    async fn start() -> Self {
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let certificate = CertificateParams::new(names).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        let acceptor = acceptor(certificate.der(), &key);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self {
            address: listener.local_addr().unwrap(),
            thumbprint: data_encoding::HEXLOWER.encode(&Sha1::digest(certificate.der())),
            replies: Arc::default(),
            requests: Arc::default(),
        };
        let (replies, requests) = (Arc::clone(&this.replies), Arc::clone(&this.requests));
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (acceptor, replies) = (acceptor.clone(), Arc::clone(&replies));
                let requests = Arc::clone(&requests);
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(socket).await else {
                        return;
                    };
                    let mut head = vec![0; 4096];
                    let length = stream.read(&mut head).await.unwrap_or(0);
                    let head = String::from_utf8_lossy(&head[..length]).into_owned();
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    requests.lock().unwrap().push(path.clone());
                    let reply = replies.lock().unwrap().get(&path).cloned();
                    let reply = reply.unwrap_or(IssuerReply::Status(404));
                    // A client that has seen enough closes the connection.
                    let _ = answer(&mut stream, reply).await;
                });
            }
        });
        this.reply(
            CONFIGURATION,
            IssuerReply::Body(this.configuration("/keys")),
        );
        this.reply("/keys", IssuerReply::Body(KEYS.to_owned()));
        this
    }

    fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    fn configuration(&self, keys: &str) -> String {
        let url = self.url();
        format!(r#"{{"issuer":"{url}","jwks_uri":"{url}{keys}"}}"#)
    }

    fn reply(&self, path: &str, reply: IssuerReply) {
        self.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    fn request(&self) -> ProviderRequest {
        ProviderRequest {
            issuer: self.url(),
            thumbprints: vec![self.thumbprint.clone()],
        }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// A fetcher that may reach this issuer.
    fn fetcher(&self) -> ProviderFetcher {
        let mut fetcher = ProviderFetcher::new(vec![self.url().parse().unwrap()], Vec::new());
        fetcher.time_max = Duration::from_secs(2);
        fetcher
    }

    async fn fetch(&self) -> Result<Vec<u8>, DocumentFault> {
        self.fetcher().key_set(&self.request()).await
    }
}

fn acceptor(certificate: &CertificateDer<'static>, key: &KeyPair) -> TlsAcceptor {
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

async fn answer(
    stream: &mut (impl AsyncWriteExt + Unpin),
    reply: IssuerReply,
) -> std::io::Result<()> {
    let head = |status: u16, more: &str| format!("HTTP/1.1 {status} X\r\n{more}\r\n");
    match reply {
        IssuerReply::Body(body) => {
            let more = format!("content-length: {}\r\n", body.len());
            let text = format!("{}{body}", head(200, &more));
            stream.write_all(text.as_bytes()).await?;
        }
        IssuerReply::Redirect(to) => {
            let more = format!("location: {to}\r\ncontent-length: 0\r\n");
            stream.write_all(head(302, &more).as_bytes()).await?;
        }
        IssuerReply::Status(status) => {
            let text = head(status, "content-length: 0\r\n");
            stream.write_all(text.as_bytes()).await?;
        }
        IssuerReply::Slowly => {
            let text = head(200, "content-length: 1000\r\n");
            stream.write_all(text.as_bytes()).await?;
            let mut pause = tokio::time::interval(Duration::from_millis(50));
            loop {
                pause.tick().await;
                stream.write_all(b" ").await?;
                stream.flush().await?;
            }
        }
        IssuerReply::Silence => std::future::pending().await,
        IssuerReply::Endless => {
            let text = head(200, "connection: close\r\n");
            stream.write_all(text.as_bytes()).await?;
            loop {
                stream.write_all(&[b' '; 4096]).await?;
            }
        }
    }
    stream.flush().await?;
    stream.shutdown().await
}

#[tokio::test]
async fn the_key_set_is_where_the_configuration_says() {
    let issuer = TestIssuer::start().await;
    assert_eq!(issuer.fetch().await, Ok(KEYS.as_bytes().to_vec()));
    assert_eq!(issuer.requests(), [CONFIGURATION, "/keys"]);
    // An issuer with a path, and a slash at the end of what it says of itself.
    let url = format!("{}/tenant", issuer.url());
    let path = format!("/tenant{CONFIGURATION}");
    let configuration = format!(
        r#"{{"issuer":"{url}/","jwks_uri":"{}/keys"}}"#,
        issuer.url()
    );
    issuer.reply(&path, IssuerReply::Body(configuration));
    let request = ProviderRequest {
        issuer: url.clone(),
        ..issuer.request()
    };
    let fetcher = ProviderFetcher::new(vec![format!("{url}/").parse().unwrap()], Vec::new());
    assert!(fetcher.key_set(&request).await.is_ok());
}

#[tokio::test]
async fn only_issuers_that_the_operator_named_are_on_this_machine() {
    let issuer = TestIssuer::start().await;
    let port = issuer.address.port();
    let named = issuer.fetcher();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "2130706433",
    ] {
        let request = ProviderRequest {
            issuer: format!("https://{host}:{port}"),
            ..issuer.request()
        };
        let nobody = ProviderFetcher::new(Vec::new(), Vec::new());
        let fetched = nobody.key_set(&request).await;
        assert_eq!(fetched, Err(DocumentFault::Unreachable), "{host}");
        if host != "127.0.0.1" {
            let fetched = named.key_set(&request).await;
            assert_eq!(fetched, Err(DocumentFault::Unreachable), "{host}");
        }
    }
    assert_eq!(issuer.requests(), [""; 0], "nothing was connected to");
}

/// The configuration of an issuer elsewhere must not lead to this machine, to its cloud, or to
/// anything that is not https.
#[tokio::test]
async fn a_configuration_leads_only_where_the_issuer_may_be() {
    let (issuer, inside) = (TestIssuer::start().await, TestIssuer::start().await);
    for (uri, expected) in [
        (
            "https://169.254.169.254/latest/meta-data/",
            DocumentFault::Unreachable,
        ),
        ("https://[fd00:ec2::254]/", DocumentFault::Unreachable),
        ("https://0.0.0.0/", DocumentFault::Unreachable),
        ("http://127.0.0.1/keys", DocumentFault::Unusable),
        ("file:///etc/passwd", DocumentFault::Unusable),
        (
            "https://user:password@127.0.0.1/keys",
            DocumentFault::Unusable,
        ),
        ("/keys", DocumentFault::Unusable),
        ("", DocumentFault::Unusable),
        // Another server, with a certificate that is not registered.
        (
            &format!("{}/keys", inside.url()),
            DocumentFault::Certificate,
        ),
    ] {
        let url = issuer.url();
        let configuration = format!(r#"{{"issuer":"{url}","jwks_uri":"{uri}"}}"#);
        issuer.reply(CONFIGURATION, IssuerReply::Body(configuration));
        assert_eq!(issuer.fetch().await, Err(expected), "{uri}");
    }
    assert_eq!(inside.requests(), [""; 0]);
}

/// Behind a proxy, the server's own origins have the proxy's address.
#[tokio::test]
async fn the_server_does_not_fetch_from_itself() {
    let (issuer, other) = (TestIssuer::start().await, TestIssuer::start().await);
    let own = |url: String| {
        let allowed = vec![issuer.url().parse().unwrap()];
        let mut fetcher = ProviderFetcher::new(allowed, vec![url.parse().unwrap()]);
        fetcher.time_max = Duration::from_secs(2);
        fetcher
    };
    let fetched = own(issuer.url()).key_set(&issuer.request()).await;
    assert_eq!(fetched, Err(DocumentFault::Unreachable));
    assert_eq!(issuer.requests(), [""; 0]);
    let fetched = own(other.url()).key_set(&issuer.request()).await;
    assert_eq!(fetched, Ok(KEYS.as_bytes().to_vec()));
    // The configuration must not lead there either.
    let url = issuer.url();
    let configuration = format!(r#"{{"issuer":"{url}","jwks_uri":"{}/keys"}}"#, other.url());
    issuer.reply(CONFIGURATION, IssuerReply::Body(configuration));
    let fetched = own(other.url()).key_set(&issuer.request()).await;
    assert_eq!(fetched, Err(DocumentFault::Unreachable));
    assert_eq!(other.requests(), [""; 0]);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let issuer = TestIssuer::start().await;
    for path in [CONFIGURATION, "/keys"] {
        let to = format!("{}/elsewhere", issuer.url());
        issuer.reply("/elsewhere", IssuerReply::Body(KEYS.to_owned()));
        issuer.reply(path, IssuerReply::Redirect(to));
        assert_eq!(issuer.fetch().await, Err(DocumentFault::Unusable), "{path}");
        issuer.reply(path, IssuerReply::Body(issuer.configuration("/keys")));
    }
    assert!(!issuer.requests().contains(&"/elsewhere".to_owned()));
}

#[tokio::test]
async fn unusable_documents_have_a_fault() {
    let url = TestIssuer::start().await.url();
    for reply in [
        IssuerReply::Status(404),
        IssuerReply::Status(500),
        IssuerReply::Body("<html>".to_owned()),
        IssuerReply::Body("{}".to_owned()),
        IssuerReply::Body(format!(r#"{{"issuer":"{url}","jwks_uri":"{url}/keys"}}"#)),
        IssuerReply::Body(" ".repeat(256 * 1024 + 1)),
        IssuerReply::Endless,
    ] {
        let issuer = TestIssuer::start().await;
        issuer.reply(CONFIGURATION, reply);
        assert_eq!(issuer.fetch().await, Err(DocumentFault::Unusable));
    }
    let issuer = TestIssuer::start().await;
    let most = format!("{KEYS}{}", " ".repeat(256 * 1024 - KEYS.len()));
    issuer.reply("/keys", IssuerReply::Body(most.clone()));
    assert_eq!(issuer.fetch().await, Ok(most.clone().into_bytes()));
    issuer.reply("/keys", IssuerReply::Body(format!("{most} ")));
    assert_eq!(issuer.fetch().await, Err(DocumentFault::Unusable));
}

#[tokio::test]
async fn slow_issuers_are_given_up() {
    for reply in [IssuerReply::Silence, IssuerReply::Slowly] {
        let issuer = TestIssuer::start().await;
        issuer.reply("/keys", reply);
        let fetching = tokio::time::timeout(Duration::from_secs(10), issuer.fetch());
        let fetched = fetching.await.unwrap();
        assert_eq!(fetched, Err(DocumentFault::Unreachable));
    }
    // One that accepts connections and never shakes hands.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = TestIssuer::start().await;
    let silent = format!("https://{}", listener.local_addr().unwrap());
    let mut fetcher = ProviderFetcher::new(vec![silent.parse().unwrap()], Vec::new());
    fetcher.time_max = Duration::from_millis(300);
    let request = ProviderRequest {
        issuer: silent,
        ..issuer.request()
    };
    assert_eq!(
        fetcher.key_set(&request).await,
        Err(DocumentFault::Unreachable)
    );
}

#[tokio::test]
async fn a_certificate_needs_its_thumbprint() {
    let issuer = TestIssuer::start().await;
    for thumbprints in [Vec::new(), vec!["0".repeat(40)]] {
        let request = ProviderRequest {
            thumbprints,
            ..issuer.request()
        };
        let fetched = issuer.fetcher().key_set(&request).await;
        assert_eq!(fetched, Err(DocumentFault::Certificate));
    }
    assert_eq!(issuer.requests(), [""; 0]);
    let closed = format!("https://127.0.0.1:{}", free_port().await);
    let fetcher = ProviderFetcher::new(vec![closed.parse().unwrap()], Vec::new());
    let request = ProviderRequest {
        issuer: closed,
        ..issuer.request()
    };
    assert_eq!(
        fetcher.key_set(&request).await,
        Err(DocumentFault::Unreachable)
    );
}

/// A port on which nothing listens.
async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}
